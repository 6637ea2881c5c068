//! A network's way through a sequence: what every measurement begins with.

use cutaway_engine::cells::Cell;

use super::{at_most, finite, finite_matrix, size};
use crate::cells::Weights;
use crate::cells::reference::{Start, Step, forward};
use crate::error::{Error, Result};

/// The most values of gates that are kept, 800 MB.
const LIMIT: usize = 100_000_000;

/// A layer's states along a sequence, with all that made them.
#[derive(Clone, Debug)]
pub struct Trajectory<'a> {
    /// The kind of cell.
    pub cell: Cell,
    /// Its weights.
    pub weights: &'a Weights,
    /// What it read, `[steps][inputs]`.
    pub inputs: &'a [Vec<f64>],
    /// The state before the first input.
    pub start: Start,
    /// What each step computed.
    pub steps: Vec<Step>,
}

impl<'a> Trajectory<'a> {
    /// Runs a sequence from a state of zeros.
    ///
    /// # Errors
    /// As [`Trajectory::from_start`].
    pub fn new(cell: Cell, weights: &'a Weights, inputs: &'a [Vec<f64>]) -> Result<Trajectory<'a>> {
        Trajectory::from_start(cell, weights, inputs, Start::zeros(cell, weights.hidden()))
    }

    /// Runs a sequence.
    ///
    /// # Errors
    /// [`Error::Size`] where weights, start or inputs do not fit or there is no input; [`Error::NotFinite`]
    /// where a weight, an input or a state is; [`Error::TooLarge`] above 100 million values of gates.
    pub fn from_start(
        cell: Cell,
        weights: &'a Weights,
        inputs: &'a [Vec<f64>],
        start: Start,
    ) -> Result<Trajectory<'a>> {
        weights.check(cell)?;
        if inputs.is_empty() {
            return Err(Error::Size {
                what: "steps of a sequence".to_owned(),
                expected: "at least 1".to_owned(),
                found: "0".to_owned(),
            });
        }
        let values = inputs.len().saturating_mul(cell.gates() * weights.hidden());
        at_most("gates along a sequence", LIMIT, values, "cut the sequence")?;
        finite_matrix("a weight from an input", &weights.weight_ih)?;
        finite_matrix("a recurrent weight", &weights.weight_hh)?;
        for (what, bias) in [("bias_ih", &weights.bias_ih), ("bias_hh", &weights.bias_hh)] {
            finite(what, |i| format!("at place {}", i + 1), bias)?;
        }
        for (t, x) in inputs.iter().enumerate() {
            finite("an input", |_| format!("at step {}", t + 1), x)?;
        }
        let steps = forward(cell, weights, inputs, &start)?;
        for (t, step) in steps.iter().enumerate() {
            finite("the state", |_| format!("at step {}", t + 1), &step.h)?;
            finite("the memory", |_| format!("at step {}", t + 1), &step.c)?;
        }
        Ok(Trajectory { cell, weights, inputs, start, steps })
    }

    /// Number of steps, at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // it never is
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Values of `h`.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.weights.hidden()
    }

    /// Values of the whole state: `h`, and in an LSTM `c` after it.
    #[must_use]
    pub fn state_size(&self) -> usize {
        self.hidden() * if self.cell == Cell::Lstm { 2 } else { 1 }
    }

    /// `h` and `c` before step `t`, counted from 0.
    pub(super) fn before(&self, t: usize) -> (&[f64], &[f64]) {
        match t {
            0 => (&self.start.h, &self.start.c),
            _ => (&self.steps[t - 1].h, &self.steps[t - 1].c),
        }
    }

    /// Checks that there is a derivative by `h` for each step.
    pub(super) fn check_seeds(&self, by_states: &[Vec<f64>]) -> Result<()> {
        size("derivatives by states", self.len(), by_states.len())?;
        for (t, row) in by_states.iter().enumerate() {
            size(&format!("derivatives by the state of step {}", t + 1), self.hidden(), row.len())?;
            finite("the derivative by a state", |_| format!("at step {}", t + 1), row)?;
        }
        Ok(())
    }
}
