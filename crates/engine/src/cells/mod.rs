//! Recurrent layers: a batch of sequences of any lengths through one layer, and back through time.
//!
//! A batch is packed without padding, aligned at its **end** ([`Steps`]): the longest sequence starts alone,
//! the others join as rows below it, and all of them end at the last step. So the last states stand
//! together, and cutting backpropagation off after the last `k` steps is cutting off the same steps of
//! every sequence. A layer that reads the other way is one that is given the sequences reversed.
//!
//! ```
//! use cutaway_engine::Isa;
//! use cutaway_engine::cells::{Cell, Input, Layer, Parameters, Start, Steps, Tape};
//!
//! // Two sequences, of 3 steps and of 1, of one number a step: rows 0, 1, then 2 and 3 together.
//! let steps = Steps::of_lengths(&[3, 1])?;
//! assert_eq!(steps.counts(), [1, 1, 2]);
//! let mut weights = Parameters::zeros(Cell::Tanh, 1, 1);
//! weights.weight_ih[0] = 1.0;
//! weights.weight_hh[0] = 1.0;
//! let layer = Layer::new(Cell::Tanh, &weights, Isa::detect())?;
//! let mut tape = Tape::default();
//! layer.forward(Input::Values(&[0.1, 0.0, 0.0, 0.1]), &steps, &Start::default(), &mut tape);
//! let twice = 0.1f32.tanh().tanh();
//! assert!((tape.last_states(&steps)[0] - twice.tanh()).abs() < 1e-6);
//! assert!((tape.last_states(&steps)[1] - 0.1f32.tanh()).abs() < 1e-6);
//! # Ok::<(), cutaway_engine::Error>(())
//! ```

mod buffer;
mod layer;
mod parameters;
pub mod plain;
mod steps;
mod tape;

pub use layer::{Input, InputGradient, Layer};
pub use parameters::{Cell, Parameters};
pub use steps::Steps;
pub use tape::{Start, Tape};
