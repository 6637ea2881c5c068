//! ONNX, the format in which networks are kept.
//!
//! [`save`] writes every network, [`load`] reads it back bit by bit: the same names, values and hash.
//! Models from elsewhere, operator sets 7 to 22, load where they have one float input with the batch in
//! front, and operators that [`Op`](crate::Op) knows or that amount to them (`MatMul` and `Add` are a dense
//! layer, `Identity` is nothing, shapes that are computed from shapes are worked out). Weights may lie in a
//! file beside the model, inside its folder; floats of 16 and 64 bits become f32, quantised weights the
//! floats they stand for. What cannot be represented is an error that names the node, with all unknown
//! operators at once; nothing is silently dropped.
//!
//! Besides the graph a file holds, as `metadata_props`:
//!
//! | key | value, as JSON |
//! |---|---|
//! | `cutaway.labels` | list of class labels in the order of the outputs |
//! | `cutaway.preprocessing` | `height`, `width`, `channels`, `layout` (`nchw` or `nhwc`), `scale`, `mean`, `std`, see [`Preprocessing`](crate::Preprocessing) |
//! | `cutaway.training` | `recipe`, `seed`, `epochs`, `dataset`, `dataset_hash`, `test_accuracy`, `command`, see [`TrainingRecord`](crate::TrainingRecord) |
//! | `cutaway.frozen` | list of parameters that training leaves alone; only where there are any |
//!
//! ```
//! use cutaway_net::{onnx, presets};
//!
//! # fn main() -> cutaway_net::Result<()> {
//! let network = presets::reference_cnn(42);
//! let bytes = onnx::to_bytes(&network)?;
//! let again = onnx::from_bytes(&bytes)?;
//! assert_eq!(again.hash(), network.hash());
//! assert_eq!(again.metadata(), network.metadata());
//! # Ok(())
//! # }
//! ```

mod attributes;
mod external;
mod file;
mod fold;
mod metadata;
mod operators;
mod ops;
pub mod proto;
mod reader;
mod report;
mod tensor;
mod wire;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;

use crate::{Error, Network, Result};

pub use operators::{OPERATORS, Operator, Reading};
pub use report::{FileValue, Port, Report};

/// Version of ONNX's own operators that is written.
pub const OPSET: i64 = 17;

/// The oldest version of ONNX's own operators that is read.
pub const OLDEST_OPSET: i64 = 7;

/// Version of the file format that is written.
pub const IR_VERSION: i64 = 8;

/// The largest file that is read or written, in bytes: protobuf's own limit of 2 GiB.
pub const MAX_FILE_BYTES: u64 = (1 << 31) - 1;

/// The most protobuf fields with content that a file may have; models have thousands.
const MAX_FIELDS: usize = 1 << 18;

/// How many numbers may be made while reading, by operators that repeat one value: 1 GiB of weights.
const MAX_MADE: usize = 1 << 28;

/// The most nodes that a network from a file may have.
const MAX_NODES: usize = 1 << 16;

/// How many numbers a network may have for each byte of its file, where nodes share weights.
const MAX_SHARING: usize = 16;

/// An operator that a model uses and that is not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedOperator {
    /// ONNX's name, with the domain in front where it is not ONNX's own.
    pub operator: String,
    /// Names of the nodes that have it.
    pub nodes: Vec<String>,
}

/// Writes a network to a file, all or nothing: a temporary file in the same folder takes its place
/// when it is complete and on the disk.
///
/// # Errors
/// [`Error::File`] where the folder is missing, not writable or full; what [`to_bytes`] refuses.
pub fn save(network: &Network, path: impl AsRef<Path>) -> Result<()> {
    file::write_atomically(path.as_ref(), &to_bytes(network)?)
}

/// The bytes of an ONNX file.
///
/// # Errors
/// Metadata that contradict the graph, as [`Network::with_metadata`] admits; more than
/// [`MAX_FILE_BYTES`].
pub fn to_bytes(network: &Network) -> Result<Vec<u8>> {
    let weights: u64 = network.params().iter().map(|param| 4 * param.values.len() as u64).sum();
    if weights > MAX_FILE_BYTES {
        return Err(proto::too_large()); // before the weights are copied
    }
    proto::encode(&writer::write(network)?)
}

/// Reads a network from a file.
///
/// # Errors
/// [`Error::File`] where the file cannot be read, [`Error::InFile`] with what [`from_bytes`] refuses.
pub fn load(path: impl AsRef<Path>) -> Result<Network> {
    Ok(load_with_report(path)?.0)
}

/// [`load`], with what the file says of itself and what became of its nodes.
///
/// # Errors
/// As [`load`].
pub fn load_with_report(path: impl AsRef<Path>) -> Result<(Network, Report)> {
    let path = path.as_ref();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    decode(&file::read(path)?, Some(folder))
        .map_err(|problem| Error::InFile { path: path.to_owned(), problem: Box::new(problem) })
}

/// Reads a network from the bytes of an ONNX file.
///
/// # Errors
/// [`Error::Model`] where the bytes are no ONNX model or cut off, [`Error::UnsupportedOperators`]
/// with all operators that are not supported, [`Error::ModelNode`] for a node that does not fit,
/// and what [`Network::new`] refuses.
pub fn from_bytes(bytes: &[u8]) -> Result<Network> {
    Ok(from_bytes_with_report(bytes)?.0)
}

/// [`from_bytes`], with what the file says of itself and what became of its nodes.
///
/// # Errors
/// As [`from_bytes`].
pub fn from_bytes_with_report(bytes: &[u8]) -> Result<(Network, Report)> {
    decode(bytes, None)
}

/// Reads a network; `folder` is where weights in files of their own may lie.
fn decode(bytes: &[u8], folder: Option<&Path>) -> Result<(Network, Report)> {
    reader::read(proto::decode(bytes)?, bytes.len(), folder)
}

/// Files that people mistake for ONNX, by their first bytes, with the way out.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 8] = [
        (b"", "an empty file"),
        (b"PK\x03\x04", "a PyTorch or Keras file; export it with torch.onnx.export or tf2onnx"),
        (b"\x80\x02", "a pickled PyTorch file; export it with torch.onnx.export"),
        (b"\x89HDF", "a Keras HDF5 file; export it with tf2onnx"),
        (b"\x1f\x8b", "a gzip file; unpack it first"),
        (b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with git lfs pull"),
        (b"<", "a web page; download the file itself"),
        (b"{", "JSON text"),
    ];
    let matches =
        |start: &[u8]| if start.is_empty() { bytes.is_empty() } else { bytes.starts_with(start) };
    KNOWN.iter().find(|(start, _)| matches(start)).map(|(_, what)| *what)
}
