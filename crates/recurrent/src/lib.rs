//! How a network **remembers**. [`lab`] is the laboratory: a small recurrent network in `f64`, every
//! number of its forward pass, every gradient through time by three independent ways, and the
//! derivation as a person would write it. [`cells`] holds RNN, LSTM and GRU, to be trained; [`flow`] measures how
//! memory and gradients fade in them.
//! derivation as a person would write it. [`cells`] holds RNN, LSTM and GRU in a readable form; [`network`] makes
//! networks of the fast ones, [`training`] trains them, [`onnx`] keeps them.
//!
//! ```
//! use cutaway_recurrent::lab::{Options, Problem, Target, run};
//!
//! let study = Problem::study();
//! let result = run(&study, &Options { loss: Some(Target::At(3)), ..Options::default() })?;
//! assert_eq!(format!("{:.8}", result.steps[2].y[0]), "0.94001124");
//! assert_eq!(format!("{:.6}", result.gradients[0].parameters.b[0]), "-0.009961");
//! # Ok::<(), cutaway_recurrent::Error>(())
//! ```

pub mod baselines;
pub mod cells;
mod error;
pub mod experiment;
pub mod flow;
pub mod lab;
mod matrix;
pub mod metrics;
pub mod network;
pub mod onnx;
mod random;
pub mod reservoir;
pub mod training;

pub use error::{Error, Result};
pub use matrix::Matrix;
