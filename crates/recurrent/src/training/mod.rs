//! Training of [networks that read sequences](crate::network).
//!
//! A batch is dealt out to chunks of a fixed number of sequences, and the chunks' gradients are added in order: the
//! same seed gives the same bits on any number of threads, except where a time budget ends it.
//!
//! **Truncated backpropagation** ([`Options::truncate`], `k` steps): the sequence is cut into windows of `k`
//! steps, counted from its end. States go from window to window, derivatives do not, and no more than one
//! window is held in memory, beside one state a window. A network that answers from its last state then
//! learns from the last `k` steps alone; one that answers from the mean or the maximum, or at every step,
//! learns from every window. With `k` from the longest sequence on it is full backpropagation, to the bit.

mod batches;
mod evaluate;
mod history;
pub(crate) mod loss;
mod observer;
mod optimiser;
mod options;
mod train;

pub use batches::batches;
pub use evaluate::{Evaluation, evaluate};
pub use history::{Ended, Epoch, Training, ZeroGradient};
pub use loss::ClassWeights;
pub use observer::{Observer, Step};
pub use optimiser::{Optimiser, Schedule};
pub use options::Options;
pub use train::{loss_and_gradient, train};
