//! A network: its architecture and everything it has learnt, in one vector under PyTorch's names.

use std::ops::Range;

use cutaway_engine::cells::Parameters;
use sha2::{Digest, Sha256};

use super::architecture::{Architecture, Reads};
use super::start::{Initialisation, initialise};
use crate::error::{Error, Result};

/// The embedding's name, `[symbols, embedding]`.
pub const EMBEDDING: &str = "embedding.weight";
/// The head's matrix, `[outputs, features]`.
pub const HEAD_WEIGHT: &str = "head.weight";
/// The head's bias, `[outputs]`.
pub const HEAD_BIAS: &str = "head.bias";

/// A network that reads sequences.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    architecture: Architecture,
    parts: Vec<Part>,
    values: Vec<f32>,
}

/// Where a parameter lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// As PyTorch names it in a module with `embedding`, `rnn` and `head`: `rnn.weight_hh_l0_reverse`.
    pub name: String,
    /// Rows and columns, or the length.
    pub shape: Vec<usize>,
    /// Its place in [`Network::values`].
    pub range: Range<usize>,
}

impl Network {
    /// With random values: the same for the same seed.
    ///
    /// # Errors
    /// [`Error::Setting`] for an architecture or an initialisation that cannot be.
    pub fn new(architecture: Architecture, how: &Initialisation, seed: u64) -> Result<Network> {
        let mut network = Network::zeros(architecture)?;
        initialise(&mut network, how, seed)?;
        Ok(network)
    }

    /// With zeros everywhere.
    ///
    /// # Errors
    /// [`Error::Setting`] for an architecture that cannot be.
    pub fn zeros(architecture: Architecture) -> Result<Network> {
        architecture.check()?;
        let parts = parts(&architecture);
        let count = parts.last().map_or(0, |part| part.range.end);
        Ok(Network { architecture, parts, values: vec![0.0; count] })
    }

    /// What it is built like.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Number of parameters.
    #[must_use]
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// All parameters one after the other, as [`Self::parts`] says.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The same, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The parameters' names, shapes and places.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// One parameter, row by row.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is none of that name, with those that there are.
    pub fn get(&self, name: &str) -> Result<&[f32]> {
        Ok(&self.values[self.part(name)?.range.clone()])
    }

    /// One parameter to be changed, row by row.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn get_mut(&mut self, name: &str) -> Result<&mut [f32]> {
        let range = self.part(name)?.range.clone();
        Ok(&mut self.values[range])
    }

    fn part(&self, name: &str) -> Result<&Part> {
        self.parts.iter().find(|part| part.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.parts.iter().map(|part| part.name.as_str()).collect();
            Error::Setting(format!(
                "no parameter is named {name:?}; there are {}",
                names.join(", ")
            ))
        })
    }

    /// A recurrent layer's weights; `which` is 0, or 1 for the backward one of two.
    #[must_use]
    pub fn layer(&self, layer: usize, which: usize) -> Parameters {
        let a = &self.architecture;
        let mut weights = Parameters::zeros(a.cell, a.inputs_of(layer), a.hidden);
        self.copy_layer(layer, which, &mut weights);
        weights
    }

    /// Copies a layer's weights into `out`, which has their sizes.
    pub(crate) fn copy_layer(&self, layer: usize, which: usize, out: &mut Parameters) {
        for (array, part) in out.arrays_mut().into_iter().zip(self.layer_parts(layer, which)) {
            array.copy_from_slice(&self.values[part.range.clone()]);
        }
    }

    /// The four parts of a layer, in the order of [`Parameters::arrays`].
    pub(crate) fn layer_parts(&self, layer: usize, which: usize) -> &[Part] {
        let embedding = usize::from(matches!(self.architecture.reads, Reads::Symbols { .. }));
        let first = embedding + 4 * (layer * self.architecture.directions() + which);
        &self.parts[first..first + 4]
    }

    /// The embedding `[symbols, embedding]`; empty where values are read.
    #[must_use]
    pub fn embedding(&self) -> &[f32] {
        match self.architecture.reads {
            Reads::Symbols { .. } => &self.values[self.parts[0].range.clone()],
            Reads::Values { .. } => &[],
        }
    }

    /// The head's matrix `[outputs, features]` and bias `[outputs]`.
    #[must_use]
    pub fn head(&self) -> (&[f32], &[f32]) {
        let [weight, bias] = self.head_ranges();
        (&self.values[weight], &self.values[bias])
    }

    pub(crate) fn head_ranges(&self) -> [Range<usize>; 2] {
        let last = self.parts.len() - 1;
        [self.parts[last - 1].range.clone(), self.parts[last].range.clone()]
    }

    /// SHA-256 of architecture and parameters, in hexadecimal.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{:?}", self.architecture));
        self.values.iter().for_each(|value| hash.update(value.to_le_bytes()));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn parts(a: &Architecture) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut add = |name: String, shape: Vec<usize>| {
        let start = parts.last().map_or(0, |part| part.range.end);
        let range = start..start + shape.iter().product::<usize>();
        parts.push(Part { name, shape, range });
    };
    if let Reads::Symbols { count, embedding } = a.reads {
        add(EMBEDDING.to_owned(), vec![count, embedding]);
    }
    let rows = a.cell.gates() * a.hidden;
    for layer in 0..a.layers {
        for which in 0..a.directions() {
            let suffix = if a.is_reversed(which) { "_reverse" } else { "" };
            add(format!("rnn.weight_ih_l{layer}{suffix}"), vec![rows, a.inputs_of(layer)]);
            add(format!("rnn.weight_hh_l{layer}{suffix}"), vec![rows, a.hidden]);
            add(format!("rnn.bias_ih_l{layer}{suffix}"), vec![rows]);
            add(format!("rnn.bias_hh_l{layer}{suffix}"), vec![rows]);
        }
    }
    add(HEAD_WEIGHT.to_owned(), vec![a.outputs, a.features()]);
    add(HEAD_BIAS.to_owned(), vec![a.outputs]);
    parts
}
