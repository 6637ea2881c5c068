//! What the gates do, and for how long a memory lasts by them. A unit that keeps the share `f` of its memory at
//! each step keeps 1/e of it for `τ = −1/ln f` steps: Tallec and Ollivier, "Can recurrent neural networks warp
//! time?" (ICLR 2018), for the forget gate; the GRU's update gate keeps in the same way.

use cutaway_engine::cells::Cell;
use serde::Serialize;

use super::{Trajectory, gate_names, sorted};
use crate::error::{Error, Result};

/// Intervals of the histograms that are given back.
const BINS: usize = 50;
/// Intervals of those that quantiles are read from.
const FINE: usize = 10_000;
/// Time scales are counted from 10^LOW to 10^HIGH steps.
const LOW: f64 = -3.0;
const HIGH: f64 = 7.0;

/// The activations of a layer's gates over sequences.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gates {
    /// The kind of cell.
    pub cell: Cell,
    /// Sequences looked at.
    pub sequences: usize,
    /// Steps of all of them.
    pub steps: usize,
    /// One for each gate; a vanilla cell has its state.
    pub gates: Vec<GateStatistics>,
    /// What the forget gate (LSTM) or the update gate (GRU) implies; none in a vanilla cell.
    pub time_scales: Option<TimeScales>,
}

/// The activations of one gate, of all units at all steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateStatistics {
    /// Of the gate.
    pub name: String,
    /// Ends of the intervals, `[51]`: from 0 to 1, for tanh from −1 to 1, for ReLU from 0 to the largest.
    pub edges: Vec<f64>,
    /// Values in each interval, `[50]`.
    pub counts: Vec<u64>,
    /// The mean.
    pub mean: f64,
    /// At 5, 25, 50, 75 and 95 %, to a ten-thousandth of the range.
    pub quantiles: [f64; 5],
    /// The share in the lowest tenth: shut, below 0.1. For tanh, below −0.9; none for ReLU.
    pub low: Option<f64>,
    /// The share in the highest tenth: open, above 0.9; none for ReLU.
    pub high: Option<f64>,
}

/// The time scales `τ = −1/ln f`, in steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TimeScales {
    /// The gate they come from: `forget` or `update`.
    pub gate: String,
    /// At 5, 25, 50, 75 and 95 % of all units at all steps, to 0.3 %; infinite (`null` in JSON) above ten
    /// million steps.
    pub quantiles: [f64; 5],
    /// Of each unit over all steps: `−1 / mean(ln f)`, which is how the product of its gates falls; the
    /// shortest first; infinite (`null` in JSON) for a gate that never lets go, 0 for one that shuts wholly.
    pub units: Vec<f64>,
}

/// Statistics of the gates over sequences of one network.
///
/// # Errors
/// [`Error::Setting`] where there is no sequence, or they are not of one network.
pub fn gates<'a, 't: 'a>(
    trajectories: impl IntoIterator<Item = &'a Trajectory<'t>>,
) -> Result<Gates> {
    let mut found: Option<Tally> = None;
    for trajectory in trajectories {
        let tally = found.get_or_insert_with(|| Tally::new(trajectory));
        if (tally.cell, tally.hidden) != (trajectory.cell, trajectory.hidden()) {
            return Err(Error::Setting(format!(
                "gates: expected sequences of one network, {:?} of {} units, found {:?} of {}",
                tally.cell,
                tally.hidden,
                trajectory.cell,
                trajectory.hidden()
            )));
        }
        tally.add(trajectory);
    }
    let tally = found.ok_or_else(|| {
        Error::Setting("gates: expected at least one sequence, found none".to_owned())
    })?;
    Ok(tally.finish())
}

/// Counts on the way.
struct Tally {
    cell: Cell,
    hidden: usize,
    sequences: usize,
    steps: usize,
    gates: Vec<Counts>,
    scales: Counts,
    /// The sum of `ln f` of each unit.
    logs: Vec<f64>,
}

/// A fine histogram.
struct Counts {
    low: f64,
    high: f64,
    counts: Vec<u64>,
    below: u64,
    above: u64,
    sum: f64,
}

impl Tally {
    fn new(first: &Trajectory<'_>) -> Tally {
        let (cell, hidden) = (first.cell, first.hidden());
        let largest = first.steps.iter().flat_map(|step| &step.h).fold(0.0f64, |m, &v| m.max(v));
        let range = |name: &&str| match (cell, *name) {
            // Others may be larger; they are counted in the last interval.
            (Cell::Relu, _) => Counts::new(0.0, if largest > 0.0 { largest } else { 1.0 }),
            (_, "state" | "candidate") => Counts::new(-1.0, 1.0),
            _ => Counts::new(0.0, 1.0),
        };
        let gates = gate_names(cell).iter().map(range).collect();
        let scales = Counts::new(LOW, HIGH);
        Tally { cell, hidden, sequences: 0, steps: 0, gates, scales, logs: vec![0.0; hidden] }
    }

    fn add(&mut self, trajectory: &Trajectory<'_>) {
        self.sequences += 1;
        self.steps += trajectory.len();
        let keeps = self.keeps();
        for step in &trajectory.steps {
            for (counts, values) in self.gates.iter_mut().zip(step.gates.chunks(self.hidden)) {
                values.iter().for_each(|&v| counts.add(v));
            }
            let Some(gate) = keeps else { continue };
            let values = &step.gates[gate * self.hidden..(gate + 1) * self.hidden];
            for (sum, f) in self.logs.iter_mut().zip(values) {
                *sum += f.ln();
                // The logarithm of 1 may be −0, one over which would be −∞.
                self.scales.add((1.0 / f.ln().abs()).log10());
            }
        }
    }

    /// The gate that says how much of the memory is kept.
    fn keeps(&self) -> Option<usize> {
        matches!(self.cell, Cell::Lstm | Cell::Gru).then_some(1)
    }

    fn finish(self) -> Gates {
        let names = gate_names(self.cell);
        let bounded = self.cell != Cell::Relu;
        let statistics = |(name, counts): (&&str, &Counts)| {
            let total = counts.total();
            GateStatistics {
                name: (*name).to_owned(),
                edges: counts.edges(),
                counts: counts.coarse(),
                mean: counts.sum / total as f64,
                quantiles: [0.05, 0.25, 0.5, 0.75, 0.95].map(|q| counts.quantile(q)),
                low: bounded.then(|| counts.share_below()),
                high: bounded.then(|| counts.share_above()),
            }
        };
        let time_scales = self.keeps().map(|gate| TimeScales {
            gate: names[gate].to_owned(),
            quantiles: [0.05, 0.25, 0.5, 0.75, 0.95].map(|q| self.scales.scale(q)),
            // A sum of −0.0 would give −∞.
            units: sorted(self.logs.iter().map(|sum| self.steps as f64 / (-sum).abs()).collect()),
        });
        let gates = names.iter().zip(&self.gates).map(statistics).collect();
        let (cell, sequences, steps) = (self.cell, self.sequences, self.steps);
        Gates { cell, sequences, steps, gates, time_scales }
    }
}

impl Counts {
    fn new(low: f64, high: f64) -> Counts {
        Counts { low, high, counts: vec![0; FINE], below: 0, above: 0, sum: 0.0 }
    }

    fn add(&mut self, value: f64) {
        self.sum += value;
        let share = (value - self.low) / (self.high - self.low);
        // Ends of the tenths are ends of intervals; rounding must not move a value that is one of them.
        self.below += u64::from(share < 0.05 * self.tenths());
        self.above += u64::from(share > 1.0 - 0.05 * self.tenths());
        let bin = (share * FINE as f64).clamp(0.0, (FINE - 1) as f64);
        self.counts[bin as usize] += 1;
    }

    /// How many twentieths of the range a tenth of one unit is: gates run over 1, tanh over 2.
    fn tenths(&self) -> f64 {
        if self.low < 0.0 { 1.0 } else { 2.0 }
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn share_below(&self) -> f64 {
        self.below as f64 / self.total() as f64
    }

    fn share_above(&self) -> f64 {
        self.above as f64 / self.total() as f64
    }

    fn edges(&self) -> Vec<f64> {
        (0..=BINS).map(|i| self.low + (self.high - self.low) * i as f64 / BINS as f64).collect()
    }

    fn coarse(&self) -> Vec<u64> {
        self.counts.chunks(FINE / BINS).map(|chunk| chunk.iter().sum()).collect()
    }

    /// The middle of the interval in which a share `q` of the values is reached.
    fn quantile(&self, q: f64) -> f64 {
        let bin = self.bin(q);
        self.low + (self.high - self.low) * (bin as f64 + 0.5) / FINE as f64
    }

    fn bin(&self, q: f64) -> usize {
        let wanted = q * self.total() as f64;
        let mut reached = 0;
        let place = self.counts.iter().position(|n| {
            reached += n;
            reached as f64 >= wanted && reached > 0
        });
        place.unwrap_or(FINE - 1)
    }

    fn scale(&self, q: f64) -> f64 {
        if self.bin(q) == FINE - 1 { f64::INFINITY } else { 10f64.powf(self.quantile(q)) }
    }
}
