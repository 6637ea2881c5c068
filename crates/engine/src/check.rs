//! Whether a network can be trusted on this machine: gradients against finite differences, and where numbers
//! stop being numbers.
//!
//! Both ask the engine itself and nothing else, so that a model from anywhere can check itself.

mod differences;
mod not_finite;

pub use differences::{GradientCheck, Settings, Slope, TOLERANCE, gradients};
pub(crate) use not_finite::error as not_finite_error;
pub use not_finite::{NotFinite, first_not_finite};
