//! How the learning rate changes during training.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate changes from batch to batch: a linear warm-up, then a decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Length of the warm-up in epochs (fractions allowed, 0 for none). During a warm-up of `W`
    /// steps, step `t` (from 0) has `(t + 1) / W` of the learning rate (Goyal et al. 2017).
    pub warmup_epochs: f64,
    /// What follows the warm-up.
    pub decay: Decay,
}

/// How the learning rate falls once the warm-up is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Decay {
    /// It stays as it is.
    #[default]
    Constant,
    /// It is multiplied by `factor` every so many epochs, counted from the end of the warm-up.
    Step {
        /// Epochs between two drops, above 0.
        every_epochs: f64,
        /// What each drop multiplies by, 0 to 1.
        factor: f64,
    },
    /// Half a cosine down to `final_factor` of the learning rate at the end of the last epoch
    /// (Loshchilov and Hutter, "SGDR", 2017, without restarts).
    Cosine {
        /// What is left at the end, 0 to 1.
        final_factor: f64,
    },
}

impl Schedule {
    /// What the learning rate is multiplied by at `step` (from 0) of a training of `epochs` epochs
    /// of `steps_per_epoch` batches.
    pub fn factor(&self, step: u64, steps_per_epoch: u64, epochs: usize) -> f64 {
        let per_epoch = steps_per_epoch as f64;
        let warmup = (self.warmup_epochs * per_epoch).round();
        let step = step as f64;
        if step < warmup {
            return (step + 1.0) / warmup;
        }
        let since = step - warmup;
        match self.decay {
            Decay::Constant => 1.0,
            Decay::Step { every_epochs, factor } => {
                let every = (every_epochs * per_epoch).round().max(1.0);
                factor.powf((since / every).floor())
            }
            Decay::Cosine { final_factor } => {
                let length = (epochs as f64 * per_epoch - warmup).max(1.0);
                let share = (since / length).min(1.0);
                final_factor + (1.0 - final_factor) * (1.0 + (PI * share).cos()) / 2.0
            }
        }
    }

    /// Whether the learning rate of a step depends on how many epochs there will be, so that a
    /// training cannot be made longer after it has begun.
    pub fn depends_on_epochs(&self) -> bool {
        matches!(self.decay, Decay::Cosine { .. })
    }
}
