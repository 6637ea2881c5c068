//! Networks that read sequences and are trained: an embedding, recurrent layers in one direction or both, a
//! readout, a linear head.
//!
//! [`Architecture`] says what it is built like, [`Network`] holds its parameters under PyTorch's names, [`Runner`]
//! lays it out for this machine and answers. [`crate::training`] trains it.

mod architecture;
mod check;
mod compiled;
mod gradient;
mod head;
mod input_gradients;
#[allow(clippy::module_inception)]
mod network;
mod packed;
mod pass;
mod readout;
mod runner;
mod stack;
mod start;
mod state_dict;
mod state_gradients;

pub use architecture::{Architecture, Direction, MAX_PARAMETERS, Readout, Reads};
pub(crate) use check::{check, check_targets};
pub use input_gradients::{InputGradient, input_gradients};
pub use network::{EMBEDDING, HEAD_BIAS, HEAD_WEIGHT, Network, Part};
pub(crate) use pass::Judged;
pub(crate) use runner::BatchGradient;
pub use runner::{CHUNK, Runner, RunnerOptions};
pub use start::{Initialisation, Recurrent};
pub use state_gradients::{StateGradients, StatePath, state_gradients};
