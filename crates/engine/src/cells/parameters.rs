//! Which cells there are, and what one layer of them has learnt.

use serde::{Deserialize, Serialize};

/// A recurrent cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// `h = tanh(W x + U h + b)` (Elman 1990)
    Tanh,
    /// `h = max(0, W x + U h + b)`
    Relu,
    /// Input, forget, cell and output gate, in this order (Hochreiter and Schmidhuber 1997; Gers et al. 2000).
    Lstm,
    /// Reset, update and new gate, in this order; the reset gate inside, as in cuDNN and PyTorch
    /// (Cho et al. 2014).
    Gru,
}

impl Cell {
    /// How many blocks of `hidden` rows the weights have.
    #[must_use]
    pub fn gates(self) -> usize {
        match self {
            Cell::Tanh | Cell::Relu => 1,
            Cell::Gru => 3,
            Cell::Lstm => 4,
        }
    }

    /// Whether it carries a memory `c` beside its state `h`.
    #[must_use]
    pub fn has_memory(self) -> bool {
        self == Cell::Lstm
    }
}

/// The weights of one layer, or their gradient, as PyTorch's `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`,
/// `bias_hh_l0`: row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// Values of an input.
    pub inputs: usize,
    /// Values of the state.
    pub hidden: usize,
    /// `[gates · hidden, inputs]`
    pub weight_ih: Vec<f32>,
    /// `[gates · hidden, hidden]`
    pub weight_hh: Vec<f32>,
    /// `[gates · hidden]`
    pub bias_ih: Vec<f32>,
    /// `[gates · hidden]`
    pub bias_hh: Vec<f32>,
}

impl Parameters {
    /// All zeros.
    #[must_use]
    pub fn zeros(cell: Cell, inputs: usize, hidden: usize) -> Parameters {
        let rows = cell.gates() * hidden;
        Parameters {
            inputs,
            hidden,
            weight_ih: vec![0.0; rows * inputs],
            weight_hh: vec![0.0; rows * hidden],
            bias_ih: vec![0.0; rows],
            bias_hh: vec![0.0; rows],
        }
    }

    /// The four arrays, in the order of the fields.
    #[must_use]
    pub fn arrays(&self) -> [&[f32]; 4] {
        [&self.weight_ih, &self.weight_hh, &self.bias_ih, &self.bias_hh]
    }

    /// The four arrays to be changed, in the order of the fields.
    #[must_use]
    pub fn arrays_mut(&mut self) -> [&mut [f32]; 4] {
        [&mut self.weight_ih, &mut self.weight_hh, &mut self.bias_ih, &mut self.bias_hh]
    }
}
