//! What training minimises, and what counts as right.

use cutaway_data::sequences::Targets;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metrics::most_probable;

/// How much each class counts in the cross-entropy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeights {
    /// Every sample alike.
    #[default]
    Equal,
    /// Every class alike: samples / (classes · samples of the class), over the training set.
    Balanced,
    /// As given, one for each class.
    Given(Vec<f32>),
}

/// What some samples add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Of weight times loss.
    pub(crate) loss: f64,
    /// Of weights.
    pub(crate) weight: f64,
    /// Classes that were right.
    pub(crate) correct: u64,
    /// Answers that were asked for.
    pub(crate) asked: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.loss += other.loss;
        self.weight += other.weight;
        self.correct += other.correct;
        self.asked += other.asked;
    }

    /// The weighted mean of the losses.
    pub(crate) fn mean_loss(&self) -> f64 {
        self.loss / self.weight
    }
}

/// The loss of every answer: for classes the cross-entropy of their softmax in nats, for numbers the squared error.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    /// Of each class; empty where all are 1.
    weights: Vec<f32>,
}

impl Judge {
    /// # Errors
    /// [`Error::Setting`] where weights are given that do not fit the classes of `targets`.
    pub(crate) fn new(weights: &ClassWeights, targets: &Targets) -> Result<Judge> {
        let classes = match targets {
            Targets::Classes { names, .. } | Targets::Steps { names, .. } => names.len(),
            Targets::Numbers(_) => 0,
        };
        let weights = match weights {
            ClassWeights::Equal => Vec::new(),
            ClassWeights::Balanced if classes > 0 => balanced(targets, classes),
            ClassWeights::Given(w)
                if w.len() == classes && w.iter().all(|w| *w > 0.0 && w.is_finite()) =>
            {
                w.clone()
            }
            _ => {
                return Err(Error::Setting(format!(
                    "class weights: expected a positive number for each of {classes} classes (numbers \
                     as targets have none), found {weights:?}"
                )));
            }
        };
        Ok(Judge { weights })
    }

    pub(crate) fn weight(&self, class: usize) -> f32 {
        self.weights.get(class).copied().unwrap_or(1.0)
    }

    /// What the losses of a batch are divided by: the weights of its answers.
    pub(crate) fn total_weight(&self, targets: &Targets, batch: &[usize]) -> f64 {
        let weight = |class: usize| f64::from(self.weight(class));
        match targets {
            Targets::Classes { labels, .. } => batch.iter().map(|&i| weight(labels[i])).sum(),
            Targets::Numbers(_) => batch.len() as f64,
            Targets::Steps { labels, .. } => {
                let asked = batch.iter().flat_map(|&i| labels[i].iter().flatten());
                asked.map(|&class| weight(usize::from(class))).sum()
            }
        }
    }

    /// Judges scores for a class; `by` becomes the derivative of `scale` times weight times loss.
    pub(crate) fn class(&self, logits: &[f32], class: usize, scale: f64, by: &mut [f32]) -> Tally {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&x| f64::from(x - largest).exp()).sum();
        let weight = f64::from(self.weight(class));
        for (k, (by, &x)) in by.iter_mut().zip(logits).enumerate() {
            let target = f64::from(u8::from(k == class));
            *by = (scale * weight * (f64::from(x - largest).exp() / sum - target)) as f32;
        }
        let loss = sum.ln() - f64::from(logits[class] - largest);
        let correct = u64::from(most_probable(logits) == class);
        Tally { loss: weight * loss, weight, correct, asked: 1 }
    }

    /// Judges a number.
    pub(crate) fn number(&self, found: f32, wanted: f32, scale: f64, by: &mut f32) -> Tally {
        let difference = f64::from(found) - f64::from(wanted);
        *by = (scale * 2.0 * difference) as f32;
        Tally { loss: difference * difference, weight: 1.0, correct: 0, asked: 1 }
    }
}

fn balanced(targets: &Targets, classes: usize) -> Vec<f32> {
    let mut counts = vec![0usize; classes];
    match targets {
        Targets::Classes { labels, .. } => labels.iter().for_each(|&class| counts[class] += 1),
        Targets::Steps { labels, .. } => {
            labels.iter().flatten().flatten().for_each(|&class| counts[usize::from(class)] += 1);
        }
        Targets::Numbers(_) => {}
    }
    let total: usize = counts.iter().sum();
    // A class without samples is never asked for.
    let weight = |&count: &usize| total as f32 / (classes * count.max(1)) as f32;
    counts.iter().map(weight).collect()
}
