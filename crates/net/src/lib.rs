//! What a neural network **is**: an immutable graph of named nodes with shapes, parameters,
//! preprocessing and labels. Nothing here says how it runs.
//!
//! A [`Network`] comes from the [`NetworkBuilder`], from [`presets`] or from an [`onnx`] file. Nodes have unique names, and
//! whoever asks for an activation or a gradient names a node:
//!
//! ```
//! use cutaway_net::{ConvSpec, NetworkBuilder};
//!
//! # fn main() -> cutaway_net::Result<()> {
//! let network = NetworkBuilder::new("small")
//!     .input("image", &[1, 28, 28])
//!     .conv("conv1", ConvSpec::new(8, 5))
//!     .relu("relu1")
//!     .max_pool("pool1", 2)
//!     .flatten("flat")
//!     .dense("logits", 10)
//!     .softmax("probabilities")
//!     .build(42)?;
//!
//! assert_eq!(network.shape(network.find("pool1")?), [8, 12, 12]);
//! assert_eq!(network.logits(), network.find("logits")?);
//! # Ok(())
//! # }
//! ```

mod answer;
mod builder;
mod error;
mod graph;
mod init;
mod layout;
mod metadata;
pub mod onnx;
mod op;
mod ops;
pub mod presets;
mod receptive_field;
mod shape;
mod summary;
pub mod tensor_file;

pub use answer::Row;
pub use builder::{AUTO, ConvSpec, DenseSpec, NetworkBuilder, Padding, Pair, PoolSpec};
pub use error::{Error, Result};
pub use graph::{Network, Node, NodeId, Param, ParamId};
pub use init::Init;
pub use layout::{channels_first, is_channels_last};
pub use metadata::{Fit, Layout, Metadata, Preprocessing, TrainingRecord};
pub use op::{
    Binary, Conv, ConvTranspose, Coordinates, Interpolation, Op, PadMode, Pool, Reduce, Resize,
    Rounding, Span, Unary,
};
pub use receptive_field::ReceptiveField;
pub use shape::{MAX_AXES, MAX_ELEMENTS};
pub use summary::{LayerSummary, Summary, summary};
