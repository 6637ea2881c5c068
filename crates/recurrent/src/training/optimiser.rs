//! From gradients to new parameters, over one flat vector.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How parameters are changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Optimiser {
    /// Adam (Kingma and Ba 2015) with bias correction, as PyTorch's; with weight decay AdamW (Loshchilov and Hutter 2019).
    Adam {
        /// Rate of learning.
        rate: f32,
        /// Decay of the mean of gradients, 0 ..< 1.
        beta1: f32,
        /// Decay of the mean of squared gradients, 0 ..< 1.
        beta2: f32,
        /// Added to the root of the latter.
        epsilon: f32,
        /// Share of a parameter, times the rate, that each step takes off.
        weight_decay: f32,
    },
    /// Stochastic gradient descent with momentum, as PyTorch's.
    Sgd {
        /// Rate of learning.
        rate: f32,
        /// Share of the last step that is kept, 0 ..< 1.
        momentum: f32,
        /// Times a parameter, added to its gradient.
        weight_decay: f32,
    },
}

impl Optimiser {
    /// Adam with the usual settings.
    #[must_use]
    pub fn adam(rate: f32) -> Optimiser {
        Optimiser::Adam { rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }

    /// SGD without weight decay.
    #[must_use]
    pub fn sgd(rate: f32, momentum: f32) -> Optimiser {
        Optimiser::Sgd { rate, momentum, weight_decay: 0.0 }
    }

    /// The rate before a schedule changes it.
    #[must_use]
    pub fn rate(&self) -> f32 {
        let (Optimiser::Adam { rate, .. } | Optimiser::Sgd { rate, .. }) = self;
        *rate
    }

    pub(crate) fn check(&self) -> Result<()> {
        let (shares, positives) = match *self {
            Optimiser::Adam { rate, beta1, beta2, epsilon, weight_decay } => (
                vec![("beta1", beta1), ("beta2", beta2)],
                vec![("rate", rate), ("epsilon", epsilon), ("weight decay", weight_decay)],
            ),
            Optimiser::Sgd { rate, momentum, weight_decay } => {
                (vec![("momentum", momentum)], vec![("rate", rate), ("weight decay", weight_decay)])
            }
        };
        if let Some((what, value)) = shares.iter().find(|(_, v)| !(0.0..1.0).contains(v)) {
            return Err(Error::Setting(format!("{what} is {value}; expected 0 to below 1")));
        }
        match positives.iter().find(|(_, v)| !(v.is_finite() && *v >= 0.0)) {
            Some((what, value)) => {
                Err(Error::Setting(format!("the {what} is {value}; expected a number from 0")))
            }
            None => Ok(()),
        }
    }
}

/// What an optimiser remembers from step to step.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    optimiser: Optimiser,
    steps: i32,
    /// Adam's mean of gradients; SGD's last step.
    first: Vec<f32>,
    /// Adam's mean of squared gradients.
    second: Vec<f32>,
}

impl Memory {
    pub(crate) fn new(optimiser: Optimiser, count: usize) -> Memory {
        let second = match optimiser {
            Optimiser::Adam { .. } => vec![0.0; count],
            Optimiser::Sgd { .. } => Vec::new(),
        };
        Memory { optimiser, steps: 0, first: vec![0.0; count], second }
    }

    /// One step at `rate`; every gradient counts `factor` times.
    pub(crate) fn step(&mut self, rate: f32, factor: f32, gradient: &[f32], values: &mut [f32]) {
        self.steps = self.steps.saturating_add(1);
        let first = self.first.iter_mut();
        match self.optimiser {
            Optimiser::Adam { beta1, beta2, epsilon, weight_decay, .. } => {
                let correction = |beta: f32| 1.0 - f64::from(beta).powi(self.steps);
                let size = (f64::from(rate) / correction(beta1)) as f32;
                let root = correction(beta2).sqrt() as f32;
                let kept = 1.0 - rate * weight_decay;
                let moments = first.zip(&mut self.second);
                for (((m, v), &g), x) in moments.zip(gradient).zip(values) {
                    let g = g * factor;
                    *m += (1.0 - beta1) * (g - *m);
                    *v = beta2 * *v + (1.0 - beta2) * g * g;
                    *x = *x * kept - size * *m / (v.sqrt() / root + epsilon);
                }
            }
            Optimiser::Sgd { momentum, weight_decay, .. } => {
                for ((velocity, &g), x) in first.zip(gradient).zip(values) {
                    *velocity = momentum * *velocity + g * factor + weight_decay * *x;
                    *x -= rate * *velocity;
                }
            }
        }
    }
}

/// The Euclidean length of a gradient, all parameters together; infinite or no number where a part of it is.
pub(crate) fn norm(gradient: &[f32]) -> f64 {
    gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt()
}

/// What a gradient of this length is multiplied by so that it is no longer than `limit` (Pascanu, Mikolov and Bengio
/// 2013), as PyTorch's `clip_grad_norm_`.
pub(crate) fn clipping(norm: f64, limit: Option<f32>) -> f32 {
    limit.map_or(1.0, |limit| (f64::from(limit) / (norm + 1e-6)).min(1.0) as f32)
}

/// How the rate changes while training goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Schedule {
    /// Not at all.
    #[default]
    Constant,
    /// Down to zero along half a cosine (Loshchilov and Hutter 2017, without restarts).
    Cosine,
    /// Down to zero in a straight line.
    Linear,
}

impl Schedule {
    /// The share of the rate when this share of the training is done, 0 to 1.
    #[must_use]
    pub fn factor(self, done: f64) -> f64 {
        let done = done.clamp(0.0, 1.0);
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
            Schedule::Linear => 1.0 - done,
        }
    }
}
