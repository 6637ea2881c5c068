//! Is the start forgotten? The echo state property, measured, beside what theory says of the weights.

use cutaway_engine::Isa;
use serde::{Deserialize, Serialize};

use super::random::{Purpose, Random};
use super::{
    Input, Reading, Reservoir, Weights, effective_radius, largest_singular_value, setting,
    spectral_radius,
};
use crate::error::{Error, Result};

/// What the distances say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The states came within a millionth of where they started apart.
    Forgets,
    /// The distance did not fall any more over the last half of the input.
    Remembers,
    /// It was still falling at the end: a longer input would tell.
    Undecided,
}

/// Pairs of states that start apart and read the same input (Jaeger 2001, definition 1: the echo state
/// property is that any two of them come together).
///
/// Three things that are often taken for one another stand side by side: `forgets_for_any_input` holds for
/// every input but is seldom met; the spectral radius below 1 is neither needed nor enough, though the
/// property fails without it for the input zero; `distances` are what happened under the input given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EchoStateCheck {
    /// ‖h − h′‖ before the first step and after each, the greatest of all pairs.
    pub distances: Vec<f64>,
    /// By which factor the distance changes a step: a straight line through its logarithm, as far as it stands
    /// above rounding errors. NaN for fewer than two such steps.
    pub rate: f64,
    /// What follows.
    pub verdict: Verdict,
    /// The largest singular value of `W`.
    pub largest_singular_value: f64,
    /// `(1 − a) + a σ`: no step can take two states further apart than by this factor.
    pub contraction_bound: f64,
    /// Whether that is below 1, which is sufficient, whatever the input (Jaeger 2001, proposition 3, with leak).
    pub forgets_for_any_input: bool,
    /// The spectral radius of `W`.
    pub spectral_radius: f64,
    /// That of `(1 − a) I + a W`.
    pub effective_radius: f64,
    /// Whether that is below 1: usually called necessary, and so it is for the input zero without biases.
    pub forgets_near_zero: bool,
}

/// A distance below this share of the first is forgotten.
const FORGOTTEN: f64 = 1e-6;
/// Below this share of the first, rounding errors are seen.
const ROUNDING: f64 = 1e-12;

impl EchoStateCheck {
    /// Starts `pairs` pairs of states at random, uniform in [-1, 1], and lets them read one sequence.
    ///
    /// # Errors
    /// [`Error::Setting`] for no pair, for another number of sequences than one, and where weights and
    /// sequence do not fit.
    pub fn of(
        weights: &Weights<f64>,
        input: Input<'_, f64>,
        pairs: usize,
        seed: u64,
    ) -> Result<Self> {
        if pairs == 0 || input.sequences() != 1 {
            return Err(Error::Setting(format!(
                "an echo-state check: expected one sequence and at least one pair of starts, found {} and \
                 {pairs}",
                input.sequences()
            )));
        }
        let reservoir = Reservoir::new(weights.clone(), Isa::detect()).map_err(setting)?;
        let mut random = Random::new(seed, Purpose::Start);
        let mut distances = Vec::new();
        for _ in 0..pairs {
            let starts = [(); 2].map(|()| random_state(&mut random, reservoir.units()));
            let read = |start: &Vec<f64>| {
                let reading = Reading { start: Some(start.as_slice()), reversed: false };
                let after = reservoir.states(input, &reading).map_err(setting)?.remove(0);
                Ok::<_, Error>([start.as_slice(), &after].concat())
            };
            let (one, other) = (read(&starts[0])?, read(&starts[1])?);
            let apart = apart(&one, &other, reservoir.units());
            distances.resize(apart.len(), 0.0);
            distances
                .iter_mut()
                .zip(apart)
                .for_each(|(most, d): (&mut f64, f64)| *most = most.max(d));
        }
        let sigma = largest_singular_value(&weights.recurrent)?;
        let contraction_bound = 1.0 - weights.leak + weights.leak * sigma;
        let effective_radius = effective_radius(weights)?;
        Ok(EchoStateCheck {
            rate: rate(&distances),
            verdict: verdict(&distances),
            distances,
            largest_singular_value: sigma,
            contraction_bound,
            forgets_for_any_input: contraction_bound < 1.0,
            spectral_radius: spectral_radius(&weights.recurrent)?,
            effective_radius,
            forgets_near_zero: effective_radius < 1.0,
        })
    }

    /// Steps until the distance has halved, from [`Self::rate`]; infinite where it does not fall.
    #[must_use]
    pub fn half_life(&self) -> f64 {
        if self.rate < 1.0 { -std::f64::consts::LN_2 / self.rate.ln() } else { f64::INFINITY }
    }
}

fn random_state(random: &mut Random, units: usize) -> Vec<f64> {
    (0..units).map(|_| random.symmetric()).collect()
}

fn apart(one: &[f64], other: &[f64], units: usize) -> Vec<f64> {
    let distance = |(a, b): (&[f64], &[f64])| {
        a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
    };
    one.chunks(units).zip(other.chunks(units)).map(distance).collect()
}

/// How many distances from the first on stand above rounding errors.
fn clear(distances: &[f64]) -> usize {
    let floor = ROUNDING * distances[0];
    distances.iter().position(|&d| d <= floor || !d.is_finite()).unwrap_or(distances.len())
}

/// The factor a step, by least squares through the logarithms.
fn rate(distances: &[f64]) -> f64 {
    let logs: Vec<f64> = distances[..clear(distances)].iter().map(|d| d.ln()).collect();
    if logs.len() < 2 {
        return f64::NAN;
    }
    let (count, sum) = (logs.len() as f64, logs.iter().sum::<f64>());
    let middle = (count - 1.0) / 2.0;
    let (mut along, mut square) = (0.0, 0.0);
    for (t, log) in logs.iter().enumerate() {
        along += (t as f64 - middle) * (log - sum / count);
        square += (t as f64 - middle).powi(2);
    }
    (along / square).exp()
}

fn verdict(distances: &[f64]) -> Verdict {
    let (first, last) = (distances[0], distances[distances.len() - 1]);
    let half = &distances[distances.len() / 2..];
    let rate = rate(half);
    if last <= FORGOTTEN * first {
        Verdict::Forgets
    } else if rate >= 0.999 || rate.is_nan() || !last.is_finite() {
        Verdict::Remembers
    } else {
        Verdict::Undecided
    }
}
