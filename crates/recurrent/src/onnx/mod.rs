//! Networks that read sequences, kept as ONNX: the operators `RNN`, `LSTM` and `GRU` with what stands around them.
//!
//! A file has one input, `symbols` (`INT64 [N, T]`) or `values` (`FLOAT [N, T, width]`), for `N` sequences of the same
//! length `T`, both free; and one output, `logits` `[N, outputs]`, or `[N, T, outputs]` where an answer is
//! given at every step. Opset 17, ONNX's own operators only: `Gather`, `Transpose`, `RNN`/`LSTM`/`GRU`, `Reshape`,
//! `ReduceMean`/`ReduceMax`, `Gemm`, or `MatMul` and `Add`. Gates stand in ONNX's order in the file and in PyTorch's in
//! [`Network`]; values are the same bits.
//!
//! Besides the graph a file holds, as `metadata_props`:
//!
//! | key | value, as JSON |
//! |---|---|
//! | `cutaway.alphabet` | a string: the letter of each symbol |
//! | `cutaway.labels` | list of class labels in the order of the outputs |
//! | `cutaway.training` | as in [`cutaway_net::onnx`] |
//!
//! ```
//! use cutaway_recurrent::network::{Architecture, Direction, Initialisation, Network, Readout, Reads};
//! use cutaway_recurrent::onnx::{SequenceModel, from_bytes, to_bytes};
//! use cutaway_engine::cells::Cell;
//!
//! let architecture = Architecture {
//!     reads: Reads::Symbols { count: 4, embedding: 3 },
//!     cell: Cell::Gru,
//!     hidden: 8,
//!     layers: 2,
//!     direction: Direction::Both,
//!     readout: Readout::Mean,
//!     outputs: 2,
//! };
//! let network = Network::new(architecture, &Initialisation::default(), 1)?;
//! let model = SequenceModel { alphabet: "ACGT".chars().collect(), ..SequenceModel::new(network) };
//! assert_eq!(from_bytes(&to_bytes(&model)?)?, model);
//! # Ok::<(), cutaway_recurrent::Error>(())
//! ```

mod axes;
mod blocks;
mod metadata;
mod reader;
mod writer;

use std::path::Path;

use cutaway_net::TrainingRecord;
use cutaway_net::onnx::proto;

use crate::error::{Error, Result};
use crate::network::{Network, Reads};

/// A network with what a file says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceModel {
    /// Its name.
    pub name: String,
    /// The network.
    pub network: Network,
    /// The letter of each symbol; empty where they are not known, or values are read.
    pub alphabet: Vec<char>,
    /// Class labels in the order of the outputs; empty where they are not known.
    pub labels: Vec<String>,
    /// How the parameters came about, where that is known.
    pub training: Option<TrainingRecord>,
}

impl SequenceModel {
    /// Of a network of which nothing else is known.
    #[must_use]
    pub fn new(network: Network) -> SequenceModel {
        let (alphabet, labels) = (Vec::new(), Vec::new());
        SequenceModel { name: "sequence".to_owned(), network, alphabet, labels, training: None }
    }

    fn check(&self) -> Result<()> {
        let a = self.network.architecture();
        if let Reads::Symbols { count, .. } = a.reads
            && !self.alphabet.is_empty()
            && self.alphabet.len() != count
        {
            let found = self.alphabet.len();
            return Err(Error::Sequences(format!(
                "an alphabet of {found} letters for {count} symbols"
            )));
        }
        if !self.labels.is_empty() && self.labels.len() != a.outputs {
            let (found, outputs) = (self.labels.len(), a.outputs);
            return Err(Error::Sequences(format!("{found} labels for {outputs} outputs")));
        }
        Ok(())
    }
}

/// Writes a model to a file, all or nothing.
///
/// # Errors
/// [`Error::Model`] where the file cannot be written, and what [`to_bytes`] refuses.
pub fn save(model: &SequenceModel, path: impl AsRef<Path>) -> Result<()> {
    Ok(proto::write_file(path, &to_bytes(model)?)?)
}

/// The bytes of an ONNX file.
///
/// # Errors
/// [`Error::Sequences`] where alphabet or labels do not fit the network, [`Error::Model`] where the file would be too
/// large.
pub fn to_bytes(model: &SequenceModel) -> Result<Vec<u8>> {
    model.check()?;
    Ok(proto::encode(&writer::write(model)?)?)
}

/// Reads a model from a file.
///
/// # Errors
/// [`Error::Model`] where the file cannot be read, [`Error::File`] with what [`from_bytes`] refuses.
pub fn load(path: impl AsRef<Path>) -> Result<SequenceModel> {
    let path = path.as_ref();
    from_bytes(&proto::read_file(path)?)
        .map_err(|error| Error::File { path: path.to_owned(), error: Box::new(error) })
}

/// Reads a model from the bytes of an ONNX file: ours, and those of others that are a chain of the same operators.
///
/// # Errors
/// [`Error::Model`] where the bytes are no ONNX model, [`Error::Sequences`] where it is no network that reads sequences
/// as this one does, with the node.
pub fn from_bytes(bytes: &[u8]) -> Result<SequenceModel> {
    reader::read(proto::decode(bytes)?, bytes.len())
}
