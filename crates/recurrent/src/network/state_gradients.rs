//! How much a loss depends on the states on the way: ‖∂L/∂h(t)‖ against the distance from the decision.

use cutaway_data::sequences::{Sequences, Targets};
use serde::Serialize;

use super::architecture::{Architecture, Direction, Readout};
use super::check::{check, check_targets};
use super::gradient::Gradient;
use super::pass::{Judged, Workspace};
use super::runner::Runner;
use crate::error::Result;
use crate::training::ClassWeights;
use crate::training::loss::Judge;

/// The lengths of derivatives of each sequence's own loss by the states on the way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateGradients {
    /// Sequences asked.
    pub sequences: usize,
    /// How many of them are long enough to have a state at each distance: falling.
    pub counts: Vec<usize>,
    /// For each layer and way of reading the state, and for an LSTM the memory.
    pub paths: Vec<StatePath>,
}

/// The derivatives by one layer's states or memories.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatePath {
    /// From 0, the lowest.
    pub layer: usize,
    /// `Forward` or `Reverse`.
    pub direction: Direction,
    /// Whether it is the memory `c` of an LSTM and not the state `h`.
    pub memory: bool,
    /// Mean over the sequences of ‖∂L/∂h‖, Euclidean, by the number of steps from there to the last one read: 0 is the
    /// last state itself. In single precision: what is below 1.4e-45 is 0.
    pub mean: Vec<f64>,
    /// Mean over the sequences where it is not 0 of its logarithm to base 10; none where all are 0.
    pub mean_log10: Vec<Option<f64>>,
    /// Sequences where every value of it is exactly 0.
    pub zeros: Vec<usize>,
    /// Sequences where some value of it is infinite or no number; they count in no mean.
    pub not_finite: Vec<usize>,
}

/// Goes back through every sequence, without truncation, from its own loss (classes alike), and takes the lengths of the
/// derivatives by all states on the way, everything that follows from a state taken into account.
///
/// # Errors
/// [`Error::Sequences`](crate::Error::Sequences) where sequences or targets do not fit the network.
pub fn state_gradients(runner: &Runner, data: &Sequences) -> Result<StateGradients> {
    let a = runner.network().architecture();
    check(a, data)?;
    check_targets(a, data)?;
    let judge = Judge::new(&ClassWeights::Equal, &data.targets)?;
    let parts = runner.in_chunks(data, |chunk| {
        let mut sums = StateSums::new(a, data, chunk);
        let mut workspace = Workspace::default();
        let mut gradient = Gradient::zeros(a);
        workspace.keep_state_gradients(a);
        // Every sequence's own mean where it is asked at several steps: one by one.
        let groups = if a.readout == Readout::EveryStep { 1 } else { chunk.len() };
        for group in chunk.chunks(groups) {
            let scale = match &data.targets {
                Targets::Steps { .. } => 1.0 / judge.total_weight(&data.targets, group).max(1.0),
                _ => 1.0,
            };
            let how = Judged { judge: &judge, scale, window: None };
            workspace.learn(&runner.compiled, data, group, how, &mut gradient)?;
            sums.take(a, &workspace);
        }
        Ok(sums)
    })?;
    let longest = (0..data.len()).map(|i| data.length(i)).max().unwrap_or(0);
    let mut all = StateSums::empty(a, longest);
    parts.iter().for_each(|part| all.add(part));
    Ok(all.finish(a, data))
}

impl Workspace {
    fn keep_state_gradients(&mut self, a: &Architecture) {
        let tapes = &mut self.stack.tapes;
        tapes.resize_with(a.layers * a.directions(), Default::default);
        tapes.iter_mut().for_each(|tape| tape.keep_state_gradients = true);
    }
}

/// `[paths][distance]`: what has been added up.
struct StateSums {
    counts: Vec<usize>,
    cells: Vec<Vec<Cell>>,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    sum: f64,
    sum_log10: f64,
    zeros: usize,
    not_finite: usize,
}

impl StateSums {
    fn new(a: &Architecture, data: &Sequences, chunk: &[usize]) -> StateSums {
        let longest = chunk.iter().map(|&i| data.length(i)).max().unwrap_or(0);
        StateSums::empty(a, longest)
    }

    fn empty(a: &Architecture, longest: usize) -> StateSums {
        let paths = a.layers * a.directions() * if a.cell.has_memory() { 2 } else { 1 };
        StateSums { counts: vec![0; longest], cells: vec![vec![Cell::default(); longest]; paths] }
    }

    fn take(&mut self, a: &Architecture, workspace: &Workspace) {
        let steps = workspace.packed.steps();
        for t in 0..steps.len() {
            self.counts[steps.len() - 1 - t] += steps.counts()[t];
        }
        let tapes = workspace.stack.tapes.iter();
        let both = tapes.flat_map(|tape| [tape.state_gradients(), tape.memory_gradients()]);
        let values = both.filter(|values| !values.is_empty());
        for (cells, values) in self.cells.iter_mut().zip(values) {
            for t in 0..steps.len() {
                let cell = &mut cells[steps.len() - 1 - t];
                let rows = steps.rows_of(t);
                let rows =
                    values[rows.start * a.hidden..rows.end * a.hidden].chunks_exact(a.hidden);
                rows.for_each(|row| cell.take(row));
            }
        }
    }

    fn add(&mut self, other: &StateSums) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        for (cells, others) in self.cells.iter_mut().zip(&other.cells) {
            for (cell, other) in cells.iter_mut().zip(others) {
                cell.sum += other.sum;
                cell.sum_log10 += other.sum_log10;
                cell.zeros += other.zeros;
                cell.not_finite += other.not_finite;
            }
        }
    }

    fn finish(self, a: &Architecture, data: &Sequences) -> StateGradients {
        let kinds = if a.cell.has_memory() { 2 } else { 1 };
        let path = |(index, cells): (usize, &Vec<Cell>)| {
            let which = index / kinds % a.directions();
            let counted = |k: usize| self.counts[k] - cells[k].not_finite;
            let mean = |(k, cell): (usize, &Cell)| cell.sum / counted(k).max(1) as f64;
            let log = |(k, cell): (usize, &Cell)| {
                let positive = counted(k) - cell.zeros;
                (positive > 0).then(|| cell.sum_log10 / positive as f64)
            };
            StatePath {
                layer: index / kinds / a.directions(),
                direction: if a.is_reversed(which) {
                    Direction::Reverse
                } else {
                    Direction::Forward
                },
                memory: index % kinds == 1,
                mean: cells.iter().enumerate().map(mean).collect(),
                mean_log10: cells.iter().enumerate().map(log).collect(),
                zeros: cells.iter().map(|cell| cell.zeros).collect(),
                not_finite: cells.iter().map(|cell| cell.not_finite).collect(),
            }
        };
        let paths = self.cells.iter().enumerate().map(path).collect();
        StateGradients { sequences: data.len(), paths, counts: self.counts.clone() }
    }
}

impl Cell {
    fn take(&mut self, row: &[f32]) {
        let norm = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            self.not_finite += 1;
        } else if norm == 0.0 {
            self.zeros += 1;
        } else {
            self.sum += norm;
            self.sum_log10 += norm.log10();
        }
    }
}
