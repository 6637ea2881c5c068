//! What a pass through a layer leaves behind.

use super::buffer::Buffer;
use super::{Cell, Steps};
use crate::kernels::cells as kernels;

/// The states before the first step, `[sequences running at the first step, hidden]`; empty for zeros, and
/// where there are rows for the first sequences only, the others start from zeros, as do all that join later.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// The states.
    pub h: Vec<f32>,
    /// The memories; empty but in an LSTM.
    pub c: Vec<f32>,
}

/// The buffers of one layer and batch, kept from batch to batch: no memory is taken once they are as large as
/// the largest batch. Memory grows with rows × hidden.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    pub(super) hidden: usize,
    /// After the activation, `[rows, gates · hidden]`; empty where the one gate is the state.
    pub(super) gates: Buffer,
    /// GRU: what the state gives to the new gate, `[rows, hidden]`.
    pub(super) new_from_state: Buffer,
    pub(super) h: Buffer,
    pub(super) c: Buffer,
    /// Whether the way back is to keep the derivative by every state. Derivatives are then carried back as small as
    /// single precision goes; otherwise those below 1e-30, which move no parameter, count as 0.
    pub keep_state_gradients: bool,
    pub(super) by_h: Buffer,
    pub(super) by_c: Buffer,
    /// The derivatives by the states and memories before the first step, when the way back has reached it.
    pub(super) carried_h: Buffer,
    pub(super) carried_c: Buffer,
    pub(super) block: Block,
}

/// Some steps' worth of rows: what leaves the cache before it is needed again is not kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// `[rows, gates · hidden]`
    pub(super) from_input: Buffer,
    /// See [`crate::kernels::cells::Backward`].
    pub(super) by_gates: Buffer,
    pub(super) before: Buffer,
    /// Where the rows of `by_gates` begin.
    pub(super) rows: Vec<usize>,
    pub(super) zeros: Buffer,
}

impl Tape {
    pub(super) fn prepare(&mut self, cell: Cell, hidden: usize, rows: usize) {
        let [h, c, gates, new_from_state] = kernels::tape_lengths(cell, hidden, rows);
        self.hidden = hidden;
        self.h.prepare(h);
        self.c.prepare(c);
        self.gates.prepare(gates);
        self.new_from_state.prepare(new_from_state);
        self.block.zeros.zeros(hidden);
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

    /// The gates after their activation, `[rows, gates · hidden]`, in the order of [`Cell`].
    #[must_use]
    pub fn gates(&self) -> &[f32] {
        // The one gate of a vanilla network is its state.
        if self.gates.is_empty() { &self.h } else { &self.gates }
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

    /// After the way back: the derivatives by the states before the first step, as in [`Start`], whether those
    /// were given or zeros.
    #[must_use]
    pub fn start_gradients(&self, steps: &Steps) -> Start {
        let len = steps.counts().first().map_or(0, |count| count * self.hidden);
        let of = |values: &[f32]| values[..len.min(values.len())].to_vec();
        Start { h: of(&self.carried_h), c: of(&self.carried_c) }
    }
}
