//! How much of its past input a reservoir holds (Jaeger 2001, "Short term memory in echo state networks").

use cutaway_engine::Isa;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::random::{Purpose, Random};
use super::{Gram, Input, Reading, Reservoir, Weights, setting};
use crate::error::{Error, Result};

/// How memory is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The longest delay. None: twice the units, and 1,000 at the most.
    pub delays: Option<usize>,
    /// Steps for fitting, and as many again for measuring. None: ten for each unit, 2,000 at least.
    pub steps: Option<usize>,
    /// Steps before, to forget the start.
    pub washout: usize,
    /// The ridge of the readouts, as a share of each state's own sum of squares.
    pub ridge: f64,
    /// Of the input: independent numbers, uniform in [-1, 1].
    pub seed: u64,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory { delays: None, steps: None, washout: 200, ridge: 1e-10, seed: 0 }
    }
}

impl Memory {
    fn delays_of(&self, units: usize) -> usize {
        self.delays.unwrap_or((2 * units).min(1000))
    }

    fn steps_of(&self, units: usize) -> usize {
        self.steps.unwrap_or((10 * units).max(2000)).div_ceil(STREAMS).saturating_mul(STREAMS)
    }
}

/// For each delay the squared correlation of the delayed input with the best linear readout of the state,
/// on inputs that the readout was not fitted to: so a delay beyond reach counts 0 but for 1 / steps, not
/// units / steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryCapacity {
    /// At the delays 0, 1, 2, …; delay 0 is the input read last.
    pub curve: Vec<f64>,
    /// The sum from delay 1 on, which for independent inputs is at most the number of units (Jaeger 2001,
    /// proposition 2).
    pub total: f64,
    /// That bound.
    pub bound: usize,
    /// Steps fitted to, and as many measured.
    pub steps: usize,
}

/// Inputs that run side by side, each its own start and washout.
const STREAMS: usize = 16;
/// Steps whose states are added up at once.
const BLOCK_STREAMS: usize = 4;
/// The most work: multiplications of the sums over states, some twenty seconds.
const MOST_WORK: f64 = 2e11;

impl MemoryCapacity {
    /// Measures a reservoir of one input.
    ///
    /// # Errors
    /// [`Error::Setting`] for a reservoir of another number of inputs and settings out of range;
    /// [`Error::TooLarge`] for more work than some twenty seconds.
    pub fn of(weights: &Weights<f64>, memory: &Memory) -> Result<MemoryCapacity> {
        let units = weights.bias.len();
        let (delays, steps) = (memory.delays_of(units), memory.steps_of(units));
        check(weights, memory, delays, steps)?;
        let reservoir = Reservoir::new(weights.clone(), Isa::detect()).map_err(setting)?;
        let before = memory.washout + delays;
        let length = before + 2 * steps / STREAMS;
        let mut random = Random::new(memory.seed, Purpose::Signal);
        let inputs: Vec<Vec<f64>> =
            (0..STREAMS).map(|_| (0..length).map(|_| random.symmetric()).collect()).collect();

        let mut gram = Gram::new(units, delays + 1);
        let half = length - steps / STREAMS;
        each(&reservoir, &inputs, before..half, delays, |states, past| {
            gram.add(states, past, None);
        })?;
        let readout = gram.solve_relative(memory.ridge)?;
        let mut sums = vec![Sums::default(); delays + 1];
        each(&reservoir, &inputs, half..length, delays, |states, past| {
            let found =
                DMatrix::from_vec(delays + 1, past.len() / (delays + 1), readout.apply(states));
            let past = DMatrix::from_column_slice(delays + 1, found.ncols(), past);
            for (found, past) in found.column_iter().zip(past.column_iter()) {
                for ((sums, &x), &y) in sums.iter_mut().zip(found.iter()).zip(past.iter()) {
                    sums.add(x, y);
                }
            }
        })?;
        let curve: Vec<f64> = sums.iter().map(Sums::squared_correlation).collect();
        Ok(MemoryCapacity { total: curve[1..].iter().sum(), curve, bound: units, steps })
    }
}

/// Gives the states after each of the steps, `[samples, units]`, with the inputs at each delay, `[samples,
/// delays + 1]`, some streams at a time.
fn each(
    reservoir: &Reservoir<f64>,
    inputs: &[Vec<f64>],
    steps: std::ops::Range<usize>,
    delays: usize,
    mut each: impl FnMut(&[f64], &[f64]),
) -> Result<()> {
    let units = reservoir.units();
    for block in inputs.chunks(BLOCK_STREAMS) {
        let read: Vec<&[f64]> = block.iter().map(|input| &input[..steps.end]).collect();
        let all = reservoir.states(Input::Values(&read), &Reading::default()).map_err(setting)?;
        for (states, input) in all.iter().zip(block) {
            let past: Vec<f64> =
                steps.clone().flat_map(|t| (0..=delays).map(move |k| input[t - k])).collect();
            each(&states[steps.start * units..], &past);
        }
    }
    Ok(())
}

fn check(weights: &Weights<f64>, memory: &Memory, delays: usize, steps: usize) -> Result<()> {
    let refuse = |problem: String| Err(Error::Setting(problem));
    if weights.input.columns() != 1 {
        return refuse(format!(
            "memory capacity is measured with one input, this reservoir has {}: draw it for one",
            weights.input.columns()
        ));
    }
    let ridge = memory.ridge;
    if delays == 0 || steps == 0 || !(ridge >= 0.0 && ridge.is_finite()) {
        return refuse(format!(
            "memory capacity: expected at least one delay, one step and a ridge of 0 or more, found {delays}, \
             {steps} and {ridge}"
        ));
    }
    refuse_work(work(weights.bias.len(), weights.recurrent.nonzeros() as f64, memory))
}

/// Multiplications of one measurement.
pub(super) fn work(units: usize, nonzeros: f64, memory: &Memory) -> f64 {
    let (delays, steps) = (memory.delays_of(units) as f64, memory.steps_of(units) as f64);
    let run = (memory.washout as f64 + delays) * STREAMS as f64 + 2.0 * steps;
    let units = units as f64;
    steps * units * (units / 2.0 + 2.0 * delays)
        + units.powi(3) / 3.0
        + units * units * delays
        + run * (2.0 * nonzeros + 20.0 * units)
}

/// # Errors
/// [`Error::TooLarge`] for more than some twenty seconds.
pub(super) fn refuse_work(work: f64) -> Result<()> {
    if work > MOST_WORK {
        return Err(Error::TooLarge {
            what: "memory capacity, in multiplications".to_owned(),
            found: format!("{work:.1e}"),
            limit: format!("{MOST_WORK:.0e}"),
            advice: "take fewer units, delays, steps or places",
        });
    }
    Ok(())
}

/// What a correlation needs.
#[derive(Clone, Default)]
struct Sums {
    count: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Sums {
    fn add(&mut self, x: f64, y: f64) {
        self.count += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.xy += x * y;
        self.yy += y * y;
    }

    /// 0 where either does not move.
    fn squared_correlation(&self) -> f64 {
        let spread = |xy: f64, x: f64, y: f64| xy - x * y / self.count;
        let together = spread(self.xy, self.x, self.y);
        let apart = spread(self.xx, self.x, self.x) * spread(self.yy, self.y, self.y);
        if apart > 0.0 { (together * together / apart).min(1.0) } else { 0.0 }
    }
}
