//! **Cutaway** opens a neural network and lets people look inside. This crate is the whole of it
//! for Rust programs: the floors of the house under one name, and [`Model`], a network that can be
//! asked. The command of the same name is built on it.
//!
//! ```
//! use cutaway::{Model, engine::Options};
//!
//! // The reference CNN, trained on MNIST, comes with the library.
//! let model = Model::builtin(&Options::default())?;
//! println!("{}", cutaway::net::summary(model.network()));
//!
//! // A handwritten-looking 3 from the embedded data set.
//! let digits = cutaway::data::open("strokes", &cutaway::data::OpenOptions {
//!     strokes_train: 10, strokes_test: 10, ..Default::default()
//! })?;
//! let three = (0..10).find(|&i| digits.test.label(i) == 3).unwrap();
//! let probabilities = model.predict(&digits.test, &[three])?;
//! assert_eq!(probabilities.shape(), [1, 10]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use cutaway_data as data;
pub use cutaway_engine as engine;
pub use cutaway_explain as explain;
pub use cutaway_net as net;
pub use cutaway_probe as probe;
pub use cutaway_recurrent as recurrent;
pub use cutaway_report as report;
pub use cutaway_train as train;

mod model;

pub use model::{Error, Look, Model};
