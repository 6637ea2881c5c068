//! The laboratory: a recurrent network (Elman 1990) worked out by hand, in `f64`.
//!
//! ```text
//! a(t) = b + W h(t−1) + U x(t);  h(t) = f(a(t));  o(t) = c + V h(t);  ŷ(t) = g(o(t));  L(t) = formula of ŷ(t)
//! ```
//!
//! [`run`] gives every number of it: the forward pass, the gradients of every loss by every parameter
//! and state three ways ([`Method`]), the [`Derivation`] of the gradient by `b`, and gradient steps.

mod bptt;
mod compare;
mod derivation;
mod descent;
mod differences;
mod formula;
mod forward;
mod functions;
mod gradient;
pub mod math;
mod problem;
mod published;
mod rtrl;
mod run;

pub use bptt::backpropagation;
pub use compare::{Disagreement, StepError, step_errors};
pub use derivation::{Derivation, Line};
pub use descent::{Descent, descend};
pub use differences::central_differences;
pub use formula::{Formula, Function, Node};
pub use forward::{Step, forward};
pub use functions::{Activation, Output};
pub use gradient::{Gradient, Method, Target};
pub use problem::{Parameter, Parameters, Problem};
pub use published::{Published, published};
pub use rtrl::sensitivities;
pub use run::{Laboratory, Options, run};
