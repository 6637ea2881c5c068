//! The cells of recurrent networks: vanilla RNN (Elman 1990), LSTM (Hochreiter and Schmidhuber 1997, with the
//! forget gate of Gers et al. 2000), GRU (Cho et al. 2014, with the reset gate inside as in cuDNN and
//! PyTorch).
//!
//! [`mod@reference`] is the readable one, in `f64` and a sequence at a time: what faster ones are checked
//! against. Weights lie as PyTorch's `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`.

pub mod reference;

pub use cutaway_engine::cells::Cell;
use serde::{Deserialize, Serialize};

use crate::Matrix;
use crate::error::{Error, Result};

/// The weights of one layer, or their gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// `[gates · hidden, inputs]`
    pub weight_ih: Matrix,
    /// `[gates · hidden, hidden]`
    pub weight_hh: Matrix,
    /// `[gates · hidden]`
    pub bias_ih: Vec<f64>,
    /// `[gates · hidden]`
    pub bias_hh: Vec<f64>,
}

impl Weights {
    /// Number of values of the state.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.weight_hh.columns()
    }

    /// Number of values of an input.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.weight_ih.columns()
    }

    /// Checks that the sizes are those of a cell.
    ///
    /// # Errors
    /// [`Error::Size`] with the one that does not fit.
    pub fn check(&self, cell: Cell) -> Result<()> {
        let rows = cell.gates() * self.hidden();
        for (what, found) in [
            ("rows of weight_hh", self.weight_hh.rows()),
            ("rows of weight_ih", self.weight_ih.rows()),
            ("values of bias_ih", self.bias_ih.len()),
            ("values of bias_hh", self.bias_hh.len()),
        ] {
            if found != rows || rows == 0 {
                let (gates, hidden) = (cell.gates(), self.hidden());
                return Err(Error::Size {
                    what: what.to_owned(),
                    expected: format!("{rows} ({gates} gates, {hidden} columns in weight_hh)"),
                    found: found.to_string(),
                });
            }
        }
        Ok(())
    }

    fn zeros(&self) -> Weights {
        let zeros = |m: &Matrix| Matrix::zeros(m.rows(), m.columns());
        Weights {
            weight_ih: zeros(&self.weight_ih),
            weight_hh: zeros(&self.weight_hh),
            bias_ih: vec![0.0; self.bias_ih.len()],
            bias_hh: vec![0.0; self.bias_hh.len()],
        }
    }
}
