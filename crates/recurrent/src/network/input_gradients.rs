//! How much an answer depends on what was read at each step.

use cutaway_data::sequences::Sequences;
use serde::Serialize;

use super::architecture::Readout;
use super::check::check;
use super::gradient::Gradient;
use super::pass::Workspace;
use super::runner::Runner;
use crate::error::{Error, Result};

/// The derivative of a score by what one sequence gave to the network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InputGradient {
    /// The answer, `[outputs]`.
    pub answer: Vec<f32>,
    /// The derivative by each step's values (of the embedding, where symbols are read), `[steps · inputs]`, in the order of the
    /// sequence.
    pub values: Vec<f32>,
    /// Values a step.
    pub width: usize,
}

impl InputGradient {
    /// The Euclidean length at every step.
    #[must_use]
    pub fn norms(&self) -> Vec<f64> {
        let norm =
            |row: &[f32]| row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        self.values.chunks_exact(self.width).map(norm).collect()
    }

    /// The scalar product with what was read at every step, `[steps · inputs]`: what taking the step's values to zero would
    /// change, were the network linear.
    ///
    /// # Panics
    /// Where `inputs` has another size.
    #[must_use]
    pub fn times(&self, inputs: &[f32]) -> Vec<f64> {
        assert_eq!(inputs.len(), self.values.len(), "inputs of another sequence");
        let rows = self.values.chunks_exact(self.width).zip(inputs.chunks_exact(self.width));
        rows.map(|(by, x)| by.iter().zip(x).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum())
            .collect()
    }
}

/// Differentiates, for every sequence, a number made from its answer: `seed` gets the sequence's index and answer and
/// writes the derivatives of that number by the answer, `[outputs]`. For the score of class 1, `by[1] = 1.0`.
///
/// # Errors
/// [`Error::Sequences`] where the network does not read such sequences, [`Error::Setting`] where it answers at every
/// step.
pub fn input_gradients(
    runner: &Runner,
    data: &Sequences,
    seed: impl Fn(usize, &[f32], &mut [f32]) + Send + Sync,
) -> Result<Vec<InputGradient>> {
    let a = runner.network().architecture();
    check(a, data)?;
    if a.readout == Readout::EveryStep {
        return Err(Error::Setting(
            "derivatives by the inputs are those of one answer a sequence, and this network answers at every step".to_owned(),
        ));
    }
    let found = runner.in_chunks(data, |chunk| {
        let mut workspace = Workspace::default();
        workspace.stack.by_inputs = Some(Default::default());
        let mut gradient = Gradient::zeros(a);
        let mut answers = Vec::new();
        let seed = |i: usize, answer: &[f32], by: &mut [f32]| {
            answers.push((i, answer.to_vec()));
            seed(i, answer, by);
        };
        workspace.back_from(&runner.compiled, data, chunk, seed, &mut gradient)?;
        Ok(unpack(runner, &workspace, answers))
    })?;
    let mut all: Vec<(usize, InputGradient)> = found.into_iter().flatten().collect();
    all.sort_by_key(|(i, _)| *i);
    Ok(all.into_iter().map(|(_, gradient)| gradient).collect())
}

/// From the rows of a pack to each sequence's own order; `answers` are in the order of the pack.
fn unpack(
    runner: &Runner,
    workspace: &Workspace,
    answers: Vec<(usize, Vec<f32>)>,
) -> Vec<(usize, InputGradient)> {
    let a = runner.network().architecture();
    let (width, steps) = (a.inputs(), workspace.packed.steps());
    let by_inputs = workspace.stack.by_inputs.as_ref().expect("asked for");
    let sequence = |(i, (member, answer)): (usize, (usize, Vec<f32>))| {
        let length = workspace.packed.lengths[i];
        let mut values = vec![0.0; length * width];
        for (which, by) in by_inputs[..a.directions()].iter().enumerate() {
            for p in 0..length {
                let read = if a.is_reversed(which) { length - 1 - p } else { p };
                let row = steps.rows_of(steps.len() - length + read).start + i;
                let out = values[p * width..(p + 1) * width].iter_mut();
                out.zip(&by[row * width..(row + 1) * width]).for_each(|(out, by)| *out += by);
            }
        }
        (member, InputGradient { answer, values, width })
    };
    answers.into_iter().enumerate().map(sequence).collect()
}
