//! How a network **runs**: compiled for the machine at hand, it answers three questions.
//!
//! - [`Engine::forward`]: a batch and a set of tapped nodes give activations.
//! - [`Engine::backward`]: seeds at any nodes give gradients at any nodes and parameters.
//! - [`Engine::sweep`]: a base image and a list of local edits give the network's answer to each.
//!
//! [`Trainer`] is the second question in a loop, without allocations. Arrays at the edge are in
//! the network's order, images `[N, C, H, W]`; inside, channels stand innermost.
//!
//! ```
//! use cutaway_engine::{Engine, Options};
//! use cutaway_net::presets;
//! use ndarray::Array4;
//!
//! let network = presets::reference_cnn(1);
//! let engine = Engine::compile(&network, &Options::default())?;
//! let images = Array4::<f32>::zeros((2, 1, 28, 28));
//! let relu1 = network.find("relu1")?;
//! let maps = engine.forward(images.view(), &[relu1])?;
//! assert_eq!(maps.get(relu1).unwrap().shape(), [2, 32, 24, 24]);
//! let probabilities = engine.predict(images.view())?;
//! assert!((probabilities.row(0).sum() - 1.0).abs() < 1e-5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod awake;
pub mod cells;
pub mod check;
mod engine;
mod error;
mod incremental;
mod kernels;
mod layers;
pub mod measure;
mod options;
mod plain;
mod plan;
pub mod reference;
pub mod reservoir;
mod sweep;
mod trainer;

pub use engine::{
    Activations, Alone, BackwardRule, ByRule, Change, Engine, Gradients, NodeValues, Numbers,
    Replaces, Seed,
};
pub use error::{Error, Result};
pub use kernels::Isa;
pub use options::Options;
pub use sweep::{Edit, Fill, Strategy};
pub use trainer::{Loss, Trainer};
