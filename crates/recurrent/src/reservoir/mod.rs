//! Echo state networks (Jaeger 2001, "The echo state approach"; Lukoševičius 2012, "A practical guide to
//! applying echo state networks"): input and recurrent weights are drawn once and stay, only a linear
//! readout of the states is learnt, by ridge regression in closed form.
//!
//! - [`Settings`] and [`Drawn`]: a reservoir from a seed, its spectral radius as asked ([`spectral_radius`]).
//! - [`Gram`] and [`Readout`]: ridge regression.
//! - [`EchoStateNetwork`]: both together, fitted to [`cutaway_data::sequences::Sequences`].
//! - Measured: [`EchoStateCheck`] (is the start forgotten?), [`MemoryCapacity`], [`Map`] over spectral
//!   radius and leak.
//!
//! The states are computed by [`cutaway_engine::reservoir`], in `f64`, on the threads of the rayon pool that
//! a function is called in; their number changes no bit.
//!
//! ```
//! use cutaway_recurrent::reservoir::{Memory, MemoryCapacity, Settings};
//!
//! let settings = Settings { units: 30, density: 0.3, input_density: 1.0, ..Settings::default() };
//! let memory = MemoryCapacity::of(&settings.draw(1)?.weights(0.9, 1.0), &Memory::default())?;
//! assert!(memory.total > 2.0 && memory.total < 31.0);
//! # Ok::<(), cutaway_recurrent::Error>(())
//! ```

mod check;
mod draw;
mod map;
mod memory;
mod network;
mod random;
mod ridge;
mod settings;
mod spectrum;

pub use check::{EchoStateCheck, Verdict};
pub use cutaway_engine::reservoir::{
    Activation, Input, Pooled, Reading, Reservoir, Sparse, Weights,
};
pub use draw::Drawn;
pub use map::{Map, MapOptions};
pub use memory::{Memory, MemoryCapacity};
pub use network::{Attempt, EchoStateNetwork, FitOptions, Outputs, States};
pub use ridge::{Gram, Readout};
pub use settings::Settings;
pub use spectrum::{effective_radius, largest_singular_value, spectral_radius};

use crate::Error;

/// The engine's errors here are about sizes and settings that the caller chose.
fn setting(error: cutaway_engine::Error) -> Error {
    Error::Setting(error.to_string())
}
