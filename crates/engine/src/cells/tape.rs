//! What a pass through a layer leaves behind.

use super::{Cell, Steps};

/// The states before the first step, `[sequences running at the first step, hidden]`; empty for zeros.
/// Sequences that join later start from zeros.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// The states.
    pub h: Vec<f32>,
    /// The memories; empty but in an LSTM.
    pub c: Vec<f32>,
}

/// The buffers of one layer and batch, kept from batch to batch. Memory grows with rows × hidden.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    pub(super) hidden: usize,
    /// After the activation, `[rows, gates · hidden]`; after the way back the derivatives before it.
    pub(super) gates: Vec<f32>,
    /// GRU: what the state gives to the new gate, `[rows, hidden]`.
    pub(super) new_from_state: Vec<f32>,
    pub(super) h: Vec<f32>,
    pub(super) c: Vec<f32>,
    /// Whether the way back is to keep the derivative by every state.
    pub keep_state_gradients: bool,
    pub(super) by_h: Vec<f32>,
    pub(super) by_c: Vec<f32>,
}

impl Tape {
    pub(super) fn prepare(&mut self, cell: Cell, hidden: usize, rows: usize) {
        let memory = if cell.has_memory() { rows * hidden } else { 0 };
        let new = if cell == Cell::Gru { rows * hidden } else { 0 };
        self.hidden = hidden;
        self.gates.resize(rows * cell.gates() * hidden, 0.0);
        self.h.resize(rows * hidden, 0.0);
        self.c.resize(memory, 0.0);
        self.new_from_state.resize(new, 0.0);
    }

    /// `h(t)` of every sequence and step, `[rows, hidden]`.
    #[must_use]
    pub fn states(&self) -> &[f32] {
        &self.h
    }

    /// `c(t)`, `[rows, hidden]`; empty but in an LSTM.
    #[must_use]
    pub fn memories(&self) -> &[f32] {
        &self.c
    }

    /// The gates after their activation, `[rows, gates · hidden]`: until [`Layer::backward`](super::Layer::backward).
    #[must_use]
    pub fn gates(&self) -> &[f32] {
        &self.gates
    }

    /// The states after the last step, `[sequences, hidden]`.
    #[must_use]
    pub fn last_states(&self, steps: &Steps) -> &[f32] {
        let last = steps.rows_of(steps.len() - 1);
        &self.h[last.start * self.hidden..last.end * self.hidden]
    }

    /// The states and memories after the last step: where the next steps start.
    #[must_use]
    pub fn end(&self, steps: &Steps) -> Start {
        let last = steps.rows_of(steps.len() - 1);
        let of = |values: &[f32]| match values.is_empty() {
            true => Vec::new(),
            false => values[last.start * self.hidden..last.end * self.hidden].to_vec(),
        };
        Start { h: of(&self.h), c: of(&self.c) }
    }

    /// After the way back with [`Self::keep_state_gradients`]: the derivative by each `h(t)`, all that
    /// follows from it taken into account, `[rows, hidden]`.
    #[must_use]
    pub fn state_gradients(&self) -> &[f32] {
        &self.by_h
    }

    /// Likewise by each `c(t)`; empty but in an LSTM.
    #[must_use]
    pub fn memory_gradients(&self) -> &[f32] {
        &self.by_c
    }
}
