//! How a training goes.

use serde::{Deserialize, Serialize};

use super::loss::ClassWeights;
use super::optimiser::{Optimiser, Schedule};
use crate::error::{Error, Result};
use crate::network::Architecture;

/// Settings of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How parameters are changed.
    pub optimiser: Optimiser,
    /// How its rate changes.
    pub schedule: Schedule,
    /// Sequences a step; from 1.
    pub batch: usize,
    /// Passes over the data; none where the time alone counts.
    pub epochs: Option<usize>,
    /// Seconds of training, those of validation and observers not counted. A training that this ends is not repeated
    /// to the bit.
    pub seconds: Option<f64>,
    /// The longest gradient, all parameters together; longer ones are shortened to it.
    pub clip: Option<f32>,
    /// Steps through which derivatives flow back: see [`crate::training`].
    pub truncate: Option<usize>,
    /// How much each class counts.
    pub class_weights: ClassWeights,
    /// Epochs without a better validation after which training ends.
    pub patience: Option<usize>,
    /// Whether the parameters of the best validation are kept, not the last.
    pub keep_best: bool,
    /// Of the order of the batches.
    pub seed: u64,
}

impl Default for Options {
    /// Adam at 0.001, batches of 32, 10 epochs, gradients up to 1, no truncation, the best validation kept.
    fn default() -> Self {
        Options {
            optimiser: Optimiser::adam(0.001),
            schedule: Schedule::Constant,
            batch: 32,
            epochs: Some(10),
            seconds: None,
            clip: Some(1.0),
            truncate: None,
            class_weights: ClassWeights::Equal,
            patience: None,
            keep_best: true,
            seed: 1,
        }
    }
}

impl Options {
    /// Checks that the settings can be used for such a network.
    ///
    /// # Errors
    /// [`Error::Setting`] with the first that cannot.
    pub fn check(&self, a: &Architecture) -> Result<()> {
        self.optimiser.check()?;
        let refuse = |problem: &str| Err(Error::Setting(problem.to_owned()));
        if self.batch == 0 {
            return refuse("a batch needs at least 1 sequence");
        }
        if self.epochs.is_none() && self.seconds.is_none() {
            return refuse("a training needs an end: give epochs, seconds or both");
        }
        if self.seconds.is_some_and(|seconds| seconds.is_nan() || seconds <= 0.0) {
            return refuse("the seconds of a training must be more than 0");
        }
        if self.clip.is_some_and(|clip| clip.is_nan() || clip <= 0.0) {
            return refuse("the longest gradient must be more than 0");
        }
        if self.truncate == Some(0) {
            return refuse("derivatives must flow back through at least 1 step");
        }
        if self.truncate.is_some() && !a.runs_in_windows() {
            return refuse(
                "backpropagation cannot be truncated where both directions are read and either there are several \
                 layers or an answer is given at every step: these need the whole sequence; read one way, \
                 or do not truncate",
            );
        }
        Ok(())
    }
}
