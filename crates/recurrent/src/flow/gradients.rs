//! How large a gradient is at each distance from the decision: Hochreiter, "Untersuchungen zu dynamischen
//! neuronalen Netzen" (1991); Bengio, Simard and Frasconi, "Learning long-term dependencies with gradient
//! descent is difficult", IEEE Transactions on Neural Networks 5 (1994); Pascanu, Mikolov and Bengio (2013).

use serde::Serialize;

use super::scaled::Scaled;
use super::transition::Transition;
use super::{Trajectory, at_most, quantile, sorted};
use crate::error::{Error, Result};

/// The most sequences times distances that are brought together.
const LIMIT: usize = 100_000_000;

/// The gradient along one sequence, by distance: place 0 is the last step. All norms are Euclidean and
/// logarithms to base 10; −∞ (`null` in JSON) for a gradient of exactly 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GradientFlow {
    /// `log10 ‖∂L/∂h(T−d)‖`, `[distances]`.
    pub states: Vec<f64>,
    /// `log10 ‖∂L/∂c(T−d)‖`, `[distances]`; none but in an LSTM.
    pub memories: Option<Vec<f64>>,
    /// The gradient parted by the ways it took; none in a vanilla cell, which has but one.
    pub paths: Option<Paths>,
}

/// A gradient by the memory (an LSTM's `c`, a GRU's `h`), parted into what went straight along the memory and
/// the rest. The two are vectors that add up to the whole; these are the logarithms of their norms.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paths {
    /// Straight along the memory: the gradient at the end times the product of all forget gates (GRU: update
    /// gates) since, `[distances]`.
    pub along_memory: Vec<f64>,
    /// Through recurrent weights at least once, `[distances]`.
    pub through_weights: Vec<f64>,
}

/// A derivative by `h(T)` alone, as the seeds of [`gradients`]: zeros at all other steps.
#[must_use]
pub fn at_the_end(steps: usize, by_last: &[f64]) -> Vec<Vec<f64>> {
    let mut seeds = vec![vec![0.0; by_last.len()]; steps];
    if let Some(last) = seeds.last_mut() {
        last.copy_from_slice(by_last);
    }
    seeds
}

/// The norms of the gradient of a loss along a sequence. `by_states` is the derivative by each `h(t)` as far
/// as it is used outside the layer, `[steps][hidden]`: see [`at_the_end`].
///
/// # Errors
/// [`Error::Size`] or [`Error::NotFinite`] where `by_states` does not fit.
pub fn gradients(trajectory: &Trajectory<'_>, by_states: &[Vec<f64>]) -> Result<GradientFlow> {
    trajectory.check_seeds(by_states)?;
    let lstm = trajectory.state_size() > trajectory.hidden();
    let has_memory = Transition::at(trajectory, 0).along_memory().is_some();
    let mut flow = GradientFlow {
        states: Vec::new(),
        memories: lstm.then(Vec::new),
        paths: has_memory.then(|| Paths { along_memory: Vec::new(), through_weights: Vec::new() }),
    };
    let mut whole = Scaled::zeros(trajectory.state_size());
    let mut straight = Scaled::zeros(trajectory.hidden());
    for t in (0..trajectory.len()).rev() {
        let mut seed = by_states[t].clone();
        // What a derivative by h(t) is for the memory at the same step.
        let entering = if lstm { shown(trajectory, t, &seed) } else { seed.clone() };
        seed.resize(trajectory.state_size(), 0.0);
        whole = whole.plus(&Scaled::new(seed));
        straight = straight.plus(&Scaled::new(entering));
        record(&mut flow, trajectory, t, &whole, &straight);
        let step = Transition::at(trajectory, t);
        let (by_h, by_c) = whole.values.split_at(trajectory.hidden());
        let (mut h, c) = step.pull(trajectory.weights.weight_hh.values(), by_h, by_c);
        h.extend(c);
        whole = whole.with(h);
        if let Some(kept) = step.along_memory() {
            let values = straight.values.iter().zip(kept).map(|(v, keep)| v * keep).collect();
            straight = straight.with(values);
        }
    }
    Ok(flow)
}

/// A derivative by `h(t)` as one by `c(t)`: `h = o tanh c`.
fn shown(trajectory: &Trajectory<'_>, t: usize, by_h: &[f64]) -> Vec<f64> {
    let (n, step) = (trajectory.hidden(), &trajectory.steps[t]);
    let slope = |j: usize| step.gates[3 * n + j] * (1.0 - step.c[j].tanh().powi(2));
    (0..n).map(|j| by_h[j] * slope(j)).collect()
}

fn record(
    flow: &mut GradientFlow,
    trajectory: &Trajectory<'_>,
    t: usize,
    whole: &Scaled,
    straight: &Scaled,
) {
    let n = trajectory.hidden();
    flow.states.push(whole.log10_norms_around(n).0);
    let memory = match &mut flow.memories {
        None => whole.clone(),
        Some(memories) => {
            // All that h(t) is used for acts on c(t) too.
            let through_h = whole.with(shown(trajectory, t, &whole.values[..n]));
            let memory = whole.with(whole.values[n..].to_vec()).plus(&through_h);
            memories.push(memory.log10_norm());
            memory
        }
    };
    if let Some(paths) = &mut flow.paths {
        paths.along_memory.push(straight.log10_norm());
        paths.through_weights.push(memory.plus(&straight.negated()).log10_norm());
    }
}

/// One quantity over many sequences, by distance. Sequences shorter than a distance do not count there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// Sequences that reach so far, `[distances]`.
    pub count: Vec<usize>,
    /// Of these, those whose value is exactly 0 (a logarithm of −∞), `[distances]`.
    pub zeros: Vec<usize>,
    /// The mean of the logarithms other than −∞: the logarithm of the geometric mean; −∞ where none is.
    pub mean: Vec<f64>,
    /// The quantiles of the logarithms at 10, 25, 50, 75 and 90 %, zeros among them, `[distances]`.
    pub quantiles: Vec<[f64; 5]>,
}

/// Brings curves of logarithms together, such as [`GradientFlow::states`] of many sequences.
///
/// # Errors
/// [`Error::Size`] where there is no curve, [`Error::TooLarge`] above 100 million values.
pub fn across(curves: &[&[f64]]) -> Result<Curve> {
    let longest = curves.iter().map(|curve| curve.len()).max().unwrap_or(0);
    if longest == 0 {
        return Err(Error::Size {
            what: "curves to bring together".to_owned(),
            expected: "at least 1 with a value".to_owned(),
            found: "0".to_owned(),
        });
    }
    let total = curves.iter().map(|curve| curve.len()).sum();
    at_most("values of curves", LIMIT, total, "take fewer sequences")?;
    let mut out = Curve { count: vec![], zeros: vec![], mean: vec![], quantiles: vec![] };
    for d in 0..longest {
        let values = sorted(curves.iter().filter_map(|curve| curve.get(d).copied()).collect());
        let zeros = values.iter().filter(|&&v| v == f64::NEG_INFINITY).count();
        let finite = &values[zeros..];
        let mean = finite.iter().sum::<f64>() / finite.len() as f64;
        out.count.push(values.len());
        out.zeros.push(zeros);
        out.mean.push(if finite.is_empty() { f64::NEG_INFINITY } else { mean });
        out.quantiles.push([0.1, 0.25, 0.5, 0.75, 0.9].map(|q| quantile(&values, q)));
    }
    Ok(out)
}

impl GradientFlow {
    /// The slope of `log10 ‖∂L/∂h‖` over the distances `from..to`, by least squares: powers of ten a step,
    /// negative where the gradient vanishes. None where fewer than two values there are finite.
    #[must_use]
    pub fn decay(&self, from: usize, to: usize) -> Option<f64> {
        decay(&self.states, from, to)
    }
}

impl Curve {
    /// The longest distance up to which [`Curve::mean`] stays within `powers` powers of ten of that at the last step: 3 for
    /// a thousandth. None where there is no gradient at the last step.
    #[must_use]
    pub fn reach(&self, powers: f64) -> Option<usize> {
        let least = self.mean.first().filter(|log| log.is_finite())? - powers;
        self.mean.iter().take_while(|&&log| log >= least).count().checked_sub(1)
    }

    /// The slope of [`Curve::mean`] over the distances `from..to`, as [`GradientFlow::decay`].
    #[must_use]
    pub fn decay(&self, from: usize, to: usize) -> Option<f64> {
        decay(&self.mean, from, to)
    }
}

fn decay(values: &[f64], from: usize, to: usize) -> Option<f64> {
    let place = |(d, v): (usize, &f64)| (d as f64, *v);
    let points = values.iter().enumerate().take(to).skip(from).map(place);
    let points: Vec<(f64, f64)> = points.filter(|(_, v)| v.is_finite()).collect();
    if points.len() < 2 {
        return None;
    }
    let count = points.len() as f64;
    let middle = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / count;
    let (x, y) = (middle(|p| p.0), middle(|p| p.1));
    let above: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let below: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    Some(above / below)
}
