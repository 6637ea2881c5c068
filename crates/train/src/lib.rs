//! How a network **learns**, and how well it has learnt.
//!
//! [`train`] takes a network, images and a [`Recipe`] and gives the trained network with a report.
//! A recipe is plain data: epochs, batch size, learning rate and its [`Schedule`], [`Sgd`],
//! [`CrossEntropy`], [`Augmentation`], validation and [`EarlyStopping`]. Two come with the crate,
//! [`Recipe::reference`] and [`Recipe::best`].
//!
//! An [`Observer`] is told of every batch and epoch. The state is kept in a [`Checkpoint`] after
//! every epoch, and a resumed training ends in the same bits as one that was never interrupted:
//! every random number is derived from the seed and from what it is for (epoch, image, batch), none
//! from what was drawn before.
//!
//! [`evaluate`] measures a network on images: accuracy, loss, confusion, precision and recall,
//! calibration, the worst mistakes.
//!
//! ```
//! use cutaway_data::Images;
//! use cutaway_engine::{Engine, Options};
//! use cutaway_net::NetworkBuilder;
//! use cutaway_train::{Recipe, TrainOptions, evaluate, train};
//!
//! // Two classes of 4×4 images: dark and bright.
//! let pixels = (0..64 * 16).map(|i| if i / 16 % 2 == 0 { 20 } else { 200 }).collect();
//! let labels = (0..64).map(|i| i % 2).collect();
//! let images = Images::new(4, 4, 1, pixels, labels)?;
//!
//! let network = NetworkBuilder::new("linear")
//!     .input("image", &[1, 4, 4])
//!     .flatten("flat")
//!     .dense("logits", 2)
//!     .softmax("probabilities")
//!     .build(1)?;
//! let recipe = Recipe { epochs: 20, batch_size: 8, learning_rate: 0.1, ..Recipe::reference() };
//! let options = TrainOptions { seed: 1, dataset: "dark and bright".into(), ..Default::default() };
//!
//! // `&mut ()` listens to nothing; implement `Observer` to draw a progress bar.
//! let trained = train(&network, &images, &recipe, &options, &mut ())?;
//! assert_eq!(trained.report.epochs.len(), 20);
//!
//! let engine = Engine::compile(&trained.network, &Options::default())?;
//! assert_eq!(evaluate(&engine, &images)?.accuracy, 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod augment;
mod average;
mod batch;
mod checkpoint;
mod early_stopping;
mod error;
mod evaluate;
mod evaluation;
mod loss;
mod metrics;
mod recipe;
mod report;
mod rng;
mod schedule;
mod sgd;
mod shuffle;
mod train;

pub use augment::{Augmentation, Elastic};
pub use average::update_average;
pub use batch::BatchMaker;
pub use checkpoint::Checkpoint;
pub use early_stopping::EarlyStopping;
pub use error::{Error, Result};
pub use evaluate::evaluate;
pub use evaluation::{CalibrationBin, ClassScore, Evaluation, Mistake, evaluate_probabilities};
pub use loss::CrossEntropy;
pub use recipe::Recipe;
pub use report::{EpochResult, Observer, Progress, TrainReport};
pub use schedule::{Decay, Schedule};
pub use sgd::Sgd;
pub use shuffle::{Split, epoch_order, stratified_split};
pub use train::{TrainOptions, Trained, train};
