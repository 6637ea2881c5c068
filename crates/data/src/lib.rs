//! What a network sees: data sets of labelled images.
//!
//! [`open`] turns a name or a path into a [`Dataset`]: training and test [`Images`] (bytes, all of
//! one size), the classes' names and a hash of the content. There are
//! - `mnist` and `fashion-mnist`, from a cache folder or downloaded ([`fetch`], [`list`]);
//! - `strokes`, digits drawn by this crate from a seed ([`strokes`]);
//! - folders in MNIST's format ([`idx`], [`export`]) and folders of pictures with a sub-folder a class.
//!
//! [`Picture`] is one image of any size, read from a file, made to look like MNIST, or a contact
//! sheet to be written as PNG.
//!
//! Nothing here knows of networks: [`Images::to_nchw_f32`] gives the numbers one wants as input.
//!
//! ```
//! use cutaway_data::{OpenOptions, contact_sheet, open};
//!
//! let options = OpenOptions { strokes_train: 100, strokes_test: 20, ..Default::default() };
//! let digits = open("strokes", &options)?;
//! assert_eq!((digits.train.len(), digits.test.len()), (100, 20));
//! assert_eq!(digits.labels[7], "7");
//!
//! // A batch of two as a network's input: NCHW, from 0 to 1.
//! let mut batch = vec![0.0; 2 * 28 * 28];
//! digits.train.to_nchw_f32(&[0, 7], 1.0 / 255.0, &[0.0], &[1.0], &mut batch)?;
//!
//! let sheet = contact_sheet(&digits.test, &(0..20).collect::<Vec<_>>(), 10);
//! assert_eq!((sheet.height, sheet.width), (2 * 30 + 2, 10 * 30 + 2));
//! # Ok::<(), cutaway_data::Error>(())
//! ```

mod atomic;
mod cache;
mod catalog;
mod centre;
mod container;
mod dataset;
mod error;
mod fetch;
pub mod idx;
mod idx_folder;
mod image_folder;
mod images;
mod like_mnist;
mod open;
mod options;
mod picture;
mod random;
mod resample;
pub mod sequences;
pub mod strokes;

pub use atomic::write_atomically;
pub use cache::cache_folder;
pub use catalog::{Entry, list};
pub use dataset::{Dataset, content_hash};
pub use error::{Error, Result};
pub use fetch::fetch;
pub use idx_folder::export;
pub use image_folder::{pictures_by_class, pictures_in};
pub use images::Images;
pub use open::open;
pub use options::{OpenOptions, Progress, ProgressCallback, Unit};
pub use picture::{Picture, contact_sheet};
