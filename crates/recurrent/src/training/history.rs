//! What a training was like.

use std::fmt;

use serde::Serialize;

use super::evaluate::Evaluation;
use super::options::Options;

/// A training, epoch after epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Training {
    /// The settings.
    pub options: Options,
    /// The data's name.
    pub dataset: String,
    /// Sequences trained on.
    pub sequences: usize,
    /// Number of parameters.
    pub parameters: usize,
    /// The epochs, the last one perhaps cut short.
    pub epochs: Vec<Epoch>,
    /// Steps of the optimiser.
    pub steps: usize,
    /// Seconds of training, validation and observers not counted.
    pub seconds: f64,
    /// Why it ended.
    pub ended: Ended,
    /// The epoch, from 1, whose parameters were kept; none where the last ones were.
    pub kept_epoch: Option<usize>,
    /// Where derivatives first vanished.
    pub first_zero: Option<ZeroGradient>,
}

/// One pass over the data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Steps of the optimiser in it.
    pub steps: usize,
    /// Mean loss over its batches, each before its step.
    pub loss: f64,
    /// Share of right classes over its batches, each before its step; none where numbers are asked for.
    pub accuracy: Option<f64>,
    /// Mean length of the gradient before clipping.
    pub gradient_norm: f64,
    /// The longest gradient before clipping.
    pub largest_gradient_norm: f64,
    /// Share of the steps whose gradient was shortened, 0 to 1.
    pub clipped: f64,
    /// Rate of learning at its end.
    pub rate: f64,
    /// Seconds, validation and observers not counted.
    pub seconds: f64,
    /// Steps of sequences read and gone back through, each second.
    pub tokens_per_second: f64,
    /// On the validation set, after it.
    pub validation: Option<Evaluation>,
}

/// Why a training ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// All epochs were done.
    Epochs,
    /// The time was up.
    Seconds,
    /// The validation did not get better any more.
    Patience,
    /// An observer said so.
    Stopped,
    /// The loss or a derivative became infinite or no number; the parameters are those before that step.
    NotFinite {
        /// Of the optimiser, from 1.
        step: usize,
        /// From 1.
        epoch: usize,
        /// The loss, or the parameter whose gradient it was.
        what: String,
    },
}

/// All derivatives by one parameter were exactly zero: they vanished below the smallest number, or no state moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ZeroGradient {
    /// Of the optimiser, from 1.
    pub step: usize,
    /// From 1.
    pub epoch: usize,
    /// The parameter's name.
    pub parameter: String,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Epochs => f.write_str("all epochs were done"),
            Ended::Seconds => f.write_str("the time was up"),
            Ended::Patience => f.write_str("the validation did not get better any more"),
            Ended::Stopped => f.write_str("it was stopped"),
            Ended::NotFinite { step, epoch, what } => write!(
                f,
                "{what} became infinite or no number at step {step} (epoch {epoch}); try a smaller rate, or \
                 clip gradients"
            ),
        }
    }
}
