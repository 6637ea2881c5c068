//! Lyapunov exponents of a driven network: how fast neighbouring states part (above 0) or meet (below 0).
//! Benettin, Galgani, Giorgilli and Strelcyn, "Lyapunov characteristic exponents for smooth dynamical systems",
//! Meccanica 15 (1980): tangents are carried along and made orthonormal again at each step. For recurrent
//! networks: Vogt, Puelma Touzel, Shlizerman and Lajoie (2020, 2022); Engelken, Wolf and Abbott (2023).

use nalgebra::DMatrix;
use serde::Serialize;

use super::random::Random;
use super::transition::Transition;
use super::{Trajectory, at_most};
use crate::error::{Error, Result};

/// The largest state.
const LIMIT: usize = 2048;

/// What to compute.
#[derive(Clone, Debug, PartialEq)]
pub struct LyapunovOptions {
    /// How many exponents, from the largest on; at most as many as values of the state.
    pub exponents: usize,
    /// Steps at the beginning that do not count: the tangents turn into their directions.
    pub warm_up: usize,
    /// Of the first tangents.
    pub seed: u64,
}

impl Default for LyapunovOptions {
    fn default() -> LyapunovOptions {
        LyapunovOptions { exponents: 1, warm_up: 20, seed: 0 }
    }
}

/// The exponents found along one sequence. −∞ (`null` in JSON) where a direction is wiped out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lyapunov {
    /// In nats a step, the largest first, `[exponents]`.
    pub exponents: Vec<f64>,
    /// Steps that counted.
    pub steps: usize,
    /// Steps before them.
    pub warm_up: usize,
    /// The growth of the first tangent in each step that counted, nats, `[steps]`.
    pub growth: Vec<f64>,
    /// The running mean of `growth`: how the largest exponent settles, `[steps]`.
    pub convergence: Vec<f64>,
}

/// The Lyapunov exponents along a trajectory.
///
/// # Errors
/// [`Error::Setting`] where no step is left after the warm-up or the number of exponents does not fit;
/// [`Error::TooLarge`] for states above 2,048 values; [`Error::NotFinite`] where a tangent is.
pub fn lyapunov(trajectory: &Trajectory<'_>, options: &LyapunovOptions) -> Result<Lyapunov> {
    check(trajectory, options)?;
    let mut random = Random::new(options.seed);
    let size = trajectory.state_size();
    let mut tangents = random.directions(size, options.exponents).qr().q();
    let mut sums = vec![0.0; options.exponents];
    let mut growth = Vec::with_capacity(trajectory.len() - options.warm_up);
    for t in 0..trajectory.len() {
        let step = Transition::at(trajectory, t);
        let moved = step.jacobian(&trajectory.weights.weight_hh) * &tangents;
        super::finite("a tangent", |_| format!("at step {}", t + 1), moved.as_slice())?;
        let (q, lengths) = orthonormal(moved);
        tangents = q;
        if t >= options.warm_up {
            sums.iter_mut().zip(&lengths).for_each(|(sum, length)| *sum += length.ln());
            growth.push(lengths[0].ln());
        }
    }
    let steps = growth.len();
    let mut sum = 0.0;
    let running = growth.iter().enumerate().map(|(i, g)| {
        sum += g;
        sum / (i + 1) as f64
    });
    let convergence = running.collect();
    // They come out in falling order but for a remainder that shrinks as 1/steps.
    let mut exponents: Vec<f64> = sums.iter().map(|sum| sum / steps as f64).collect();
    exponents.sort_by(|a, b| b.total_cmp(a));
    Ok(Lyapunov { exponents, steps, warm_up: options.warm_up, growth, convergence })
}

fn orthonormal(moved: DMatrix<f64>) -> (DMatrix<f64>, Vec<f64>) {
    let (q, r) = moved.qr().unpack();
    let lengths = r.diagonal().iter().map(|v| v.abs()).collect();
    (q, lengths)
}

fn check(trajectory: &Trajectory<'_>, options: &LyapunovOptions) -> Result<()> {
    at_most("values of a state", LIMIT, trajectory.state_size(), "take a smaller network")?;
    let (steps, size) = (trajectory.len(), trajectory.state_size());
    if options.warm_up >= steps {
        return Err(Error::Setting(format!(
            "Lyapunov exponents: a warm-up of {} steps leaves none of the sequence's {steps}; shorten it, or \
             take a longer sequence",
            options.warm_up
        )));
    }
    if options.exponents == 0 || options.exponents > size {
        return Err(Error::Setting(format!(
            "Lyapunov exponents: expected from 1 to {size}, the values of the state, found {}",
            options.exponents
        )));
    }
    Ok(())
}
