//! How long a disturbance lasts: the state, or an input, is changed a little, and the change of `h` is followed
//! until half of it, and 1/e of it, is left. By the derivative along the sequence, and by running the network
//! again from the changed state, which a large change needs.

use nalgebra::{DMatrix, DVector};
use serde::Serialize;

use super::random::Random;
use super::transition::Transition;
use super::{Trajectory, at_most, quantile, sorted};
use crate::cells::reference::{Start, forward};
use crate::error::{Error, Result};

/// The most values of a change that are followed.
const LIMIT: usize = 100_000_000;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kick {
    /// The state after a step: `h`, in an LSTM `h` and `c`.
    State,
    /// The input of a step.
    Input,
}

/// How the change is followed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By the derivative: an infinitely small change.
    Derivative,
    /// By a run with a change of this length.
    Change(f64),
}

/// What to compute.
#[derive(Clone, Debug, PartialEq)]
pub struct HalfLifeOptions {
    /// What is changed.
    pub kick: Kick,
    /// How it is followed.
    pub method: Method,
    /// The steps at which it is changed, counted from 1.
    pub at: Vec<usize>,
    /// How many random directions are tried at each.
    pub directions: usize,
    /// Of the directions.
    pub seed: u64,
}

/// How long changes lasted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HalfLife {
    /// What was changed.
    pub kick: Kick,
    /// How it was followed.
    pub method: Method,
    /// Until one half is left.
    pub half: Times,
    /// Until 1/e is left.
    pub e_fold: Times,
    /// The median over all changes of `log10` of what is left of the change of `h`, as a share of its largest
    /// size, by the steps since, `[lags]`; over those followed that far.
    pub left: Vec<f64>,
    /// How many were followed that far, `[lags]`.
    pub followed: Vec<usize>,
}

/// Steps from a change until no more than a share of its largest effect on `h` is left, for good as far as the
/// sequence goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Times {
    /// For each step of [`HalfLifeOptions::at`], each direction; none where more is left at the end of the
    /// sequence.
    pub each: Vec<Vec<Option<usize>>>,
    /// The median; none where half or more have none.
    pub median: Option<f64>,
    /// The longest of those that ended.
    pub longest: Option<usize>,
    /// Those that outlived the sequence.
    pub outlived: usize,
}

/// How long changes at some steps last.
///
/// # Errors
/// [`Error::Setting`] where a step is beyond the sequence, there is no step or direction, or the change is not
/// above 0; [`Error::TooLarge`] for more than 100 million values.
pub fn half_life(trajectory: &Trajectory<'_>, options: &HalfLifeOptions) -> Result<HalfLife> {
    check(trajectory, options)?;
    let mut random = Random::new(options.seed);
    // What is left, [changes][lags], natural logarithms of sizes.
    let mut sizes: Vec<Vec<Vec<f64>>> = Vec::new();
    for &at in &options.at {
        let width = match options.kick {
            Kick::State => trajectory.state_size(),
            Kick::Input => trajectory.weights.inputs(),
        };
        let directions = random.directions(width, options.directions);
        sizes.push(match options.method {
            Method::Derivative => by_derivative(trajectory, options.kick, at - 1, &directions),
            Method::Change(length) => {
                let columns = directions.column_iter();
                let run = |column: nalgebra::DVectorView<'_, f64>| {
                    by_change(trajectory, options.kick, at - 1, &(column * length))
                };
                columns.map(run).collect::<Result<_>>()?
            }
        });
    }
    Ok(summary(options, &sizes))
}

/// The sizes of the change of `h` after each step from `t` on, natural logarithms, `[directions][lags]`.
fn by_derivative(
    trajectory: &Trajectory<'_>,
    kick: Kick,
    t: usize,
    directions: &DMatrix<f64>,
) -> Vec<Vec<f64>> {
    let n = trajectory.hidden();
    let mut tangents = match kick {
        Kick::State => directions.clone(),
        Kick::Input => {
            let step = Transition::at(trajectory, t);
            let w = &trajectory.weights.weight_ih;
            let push = |column: nalgebra::DVectorView<'_, f64>| {
                step.push_input(w, column.into_owned().as_slice())
            };
            DMatrix::from_columns(&directions.column_iter().map(push).collect::<Vec<_>>())
        }
    };
    let mut logs = vec![0.0; tangents.ncols()];
    let mut sizes = vec![Vec::with_capacity(trajectory.len() - t); tangents.ncols()];
    for later in t..trajectory.len() {
        if later > t {
            let step = Transition::at(trajectory, later);
            tangents = step.jacobian(&trajectory.weights.weight_hh) * tangents;
        }
        for (j, mut column) in tangents.column_iter_mut().enumerate() {
            let norm = column.norm();
            if norm > 0.0 {
                column /= norm;
                logs[j] += norm.ln();
            }
            sizes[j].push(logs[j] + column.rows(0, n).norm().ln());
        }
    }
    sizes
}

/// As [`by_derivative`], for one change, by running the rest again.
fn by_change(
    trajectory: &Trajectory<'_>,
    kick: Kick,
    t: usize,
    change: &DVector<f64>,
) -> Result<Vec<f64>> {
    let n = trajectory.hidden();
    let plus = |values: &[f64], by: &[f64]| -> Vec<f64> {
        values.iter().zip(by).map(|(v, d)| v + d).collect()
    };
    let (cell, w) = (trajectory.cell, trajectory.weights);
    let mut changed = Vec::new();
    match kick {
        Kick::State => {
            let step = &trajectory.steps[t];
            let change = change.as_slice();
            let start = Start { h: plus(&step.h, &change[..n]), c: plus(&step.c, &change[n..]) };
            changed.push(start.h.clone());
            let rest = forward(cell, w, &trajectory.inputs[t + 1..], &start)?;
            changed.extend(rest.into_iter().map(|step| step.h));
        }
        Kick::Input => {
            let (h, c) = trajectory.before(t);
            let start = Start { h: h.to_vec(), c: c.to_vec() };
            let mut inputs = trajectory.inputs[t..].to_vec();
            inputs[0] = plus(&inputs[0], change.as_slice());
            let rest = forward(cell, w, &inputs, &start)?;
            changed.extend(rest.into_iter().map(|step| step.h));
        }
    }
    let pairs = changed.iter().zip(&trajectory.steps[t..]);
    Ok(pairs.map(|(h, step)| distance(h, &step.h).ln()).collect())
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
}

fn summary(options: &HalfLifeOptions, sizes: &[Vec<Vec<f64>>]) -> HalfLife {
    let left: Vec<Vec<Vec<f64>>> =
        sizes.iter().map(|at| at.iter().map(|log| as_share(log)).collect()).collect();
    let all: Vec<&Vec<f64>> = left.iter().flatten().collect();
    let lags = all.iter().map(|one| one.len()).max().unwrap_or(0);
    let at_lag = |lag: usize| sorted(all.iter().filter_map(|one| one.get(lag).copied()).collect());
    let by_lag: Vec<Vec<f64>> = (0..lags).map(at_lag).collect();
    HalfLife {
        kick: options.kick,
        method: options.method,
        half: times(&left, 0.5f64.ln()),
        e_fold: times(&left, -1.0),
        left: by_lag.iter().map(|v| quantile(v, 0.5) * std::f64::consts::LOG10_E).collect(),
        followed: by_lag.iter().map(Vec::len).collect(),
    }
}

/// Sizes as logarithms of their share of the largest; a change without any effect is gone at once.
fn as_share(logs: &[f64]) -> Vec<f64> {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return logs.to_vec();
    }
    logs.iter().map(|log| log - largest).collect()
}

fn times(left: &[Vec<Vec<f64>>], threshold: f64) -> Times {
    // Half of 1 is 0.5 to the last digit, though not as a logarithm.
    let above = |log: &f64| *log > threshold + 1e-12;
    let end = |logs: &Vec<f64>| {
        let lag = logs.iter().rposition(above).map_or(0, |last| last + 1);
        (lag < logs.len()).then_some(lag)
    };
    let each: Vec<Vec<Option<usize>>> =
        left.iter().map(|at| at.iter().map(end).collect()).collect();
    let all: Vec<Option<usize>> = each.concat();
    let known = all.iter().map(|time| time.map_or(f64::INFINITY, |lag| lag as f64));
    let median = quantile(&sorted(known.collect()), 0.5);
    Times {
        median: median.is_finite().then_some(median),
        longest: all.iter().flatten().copied().max(),
        outlived: all.iter().filter(|time| time.is_none()).count(),
        each,
    }
}

fn check(trajectory: &Trajectory<'_>, options: &HalfLifeOptions) -> Result<()> {
    let steps = trajectory.len();
    if options.directions == 0 || options.at.is_empty() {
        return Err(Error::Setting(format!(
            "half-life: expected at least one step and one direction, found {} and {}",
            options.at.len(),
            options.directions
        )));
    }
    if let Some(at) = options.at.iter().find(|&&at| at == 0 || at > steps) {
        return Err(Error::Setting(format!(
            "half-life: expected steps from 1 to {steps}, the length of the sequence, found {at}"
        )));
    }
    if let Method::Change(length) = options.method
        && !(length > 0.0 && length.is_finite())
    {
        return Err(Error::Setting(format!(
            "half-life: expected a change above 0, found {length}"
        )));
    }
    let values = options.directions.saturating_mul(trajectory.state_size());
    let values = values
        .saturating_mul(options.at.len())
        .saturating_add(options.directions.saturating_mul(options.at.len()).saturating_mul(steps));
    at_most("values of changes", LIMIT, values, "try fewer directions or steps")
}
