//! The states of an echo state network (Jaeger 2001, leaky units as in Jaeger et al. 2007):
//! `h(t) = (1 − a) h(t−1) + a tanh(W_in x(t) + W h(t−1) + b)`, in `f32` or `f64`, for many sequences of any
//! lengths at once.
//!
//! Nothing is learnt here, so nothing has to be kept: [`Reservoir::pooled`] gives the last and the mean state
//! of every sequence and holds two states a sequence in work, however long it is. The sequences are sorted
//! by length and run side by side, a lane each; one that ends leaves its lane. What a sequence gives has
//! the same bits beside any others and on any number of threads (those of the rayon pool it is called in).
//!
//! ```
//! use cutaway_engine::Isa;
//! use cutaway_engine::reservoir::{Activation, Input, Reading, Reservoir, Sparse, Weights};
//!
//! let weights = Weights {
//!     input: Sparse::from_dense(1, 1, &[1.0f64])?,
//!     recurrent: Sparse::from_dense(1, 1, &[0.5])?,
//!     bias: vec![0.0],
//!     leak: 1.0,
//!     activation: Activation::Tanh,
//! };
//! let reservoir = Reservoir::new(weights, Isa::detect())?;
//! let pooled = reservoir.pooled(Input::Values(&[&[0.3, 0.0]]), &Reading::default())?;
//! assert!((pooled.last[0] - (0.5 * 0.3f64.tanh()).tanh()).abs() < 1e-15);
//! # Ok::<(), cutaway_engine::Error>(())
//! ```

mod chunk;
mod run;
mod sparse;
#[cfg(test)]
mod tests;

pub use crate::kernels::lanes::Real;
pub use run::{Input, Pooled, Reading, Reservoir};
pub use sparse::Sparse;

use serde::{Deserialize, Serialize};

/// What a unit makes of the sum that drives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// The sum itself: a linear network, for what theory says about memory.
    Linear,
}

/// The fixed weights of an echo state network.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights<R> {
    /// `W_in`, `[units, inputs]`
    pub input: Sparse<R>,
    /// `W`, `[units, units]`; the state comes in by column.
    pub recurrent: Sparse<R>,
    /// `b`, `[units]`
    pub bias: Vec<R>,
    /// `a`, in (0, 1]: 1 keeps nothing of the state but through `W`.
    pub leak: R,
    /// What a unit makes of its sum.
    pub activation: Activation,
}
