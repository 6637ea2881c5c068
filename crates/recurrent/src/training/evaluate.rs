//! How good answers are.

use cutaway_data::sequences::{Sequences, Targets};
use serde::Serialize;

use super::loss::{ClassWeights, Judge, Tally};
use crate::error::Result;
use crate::metrics::{Confusion, most_probable};
use crate::network::{Runner, check_targets};

/// Answers compared with targets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Answers: sequences, or steps with a target.
    pub count: u64,
    /// Mean loss, every answer alike: cross-entropy in nats, or squared error.
    pub loss: f64,
    /// Share of right classes, 0 to 1; none where numbers are asked for.
    pub accuracy: Option<f64>,
    /// Mean over the classes that occur of the share of each that is right, 0 to 1.
    pub balanced_accuracy: Option<f64>,
    /// `[class][answer]`; empty where numbers are asked for.
    pub confusion: Vec<Vec<usize>>,
}

impl Evaluation {
    /// What early stopping compares: the balanced accuracy, or less the loss where numbers are asked for.
    #[must_use]
    pub fn score(&self) -> f64 {
        self.balanced_accuracy.unwrap_or(-self.loss)
    }
}

/// Asks the network about every sequence.
///
/// # Errors
/// [`Error::Sequences`](crate::Error::Sequences) where sequences or targets do not fit the network.
pub fn evaluate(runner: &Runner, data: &Sequences) -> Result<Evaluation> {
    evaluate_in_windows(runner, data, None)
}

pub(crate) fn evaluate_in_windows(
    runner: &Runner,
    data: &Sequences,
    window: Option<usize>,
) -> Result<Evaluation> {
    let answers = runner.answers_in_windows(data, window)?;
    check_targets(runner.network().architecture(), data)?;
    compare(&answers, &data.targets)
}

/// Compares answers, as [`Runner::answers`] gives them, with targets.
///
/// # Errors
/// None: the targets have been answered.
fn compare(answers: &[Vec<f32>], targets: &Targets) -> Result<Evaluation> {
    let judge = Judge::new(&ClassWeights::Equal, targets)?;
    let mut tally = Tally::default();
    let classes = match targets {
        Targets::Classes { names, .. } | Targets::Steps { names, .. } => names.len(),
        Targets::Numbers(_) => 0,
    };
    let mut confusion = vec![vec![0; classes]; classes];
    let mut by = vec![0.0; classes];
    let mut class = |answer: &[f32], class: usize| {
        tally.add(judge.class(answer, class, 1.0, &mut by));
        confusion[class][most_probable(answer)] += 1;
    };
    match targets {
        Targets::Classes { labels, .. } => {
            answers.iter().zip(labels).for_each(|(answer, &label)| class(answer, label));
        }
        Targets::Steps { labels, .. } => {
            for (answers, labels) in answers.iter().zip(labels) {
                for (answer, label) in answers.chunks_exact(classes).zip(labels) {
                    if let Some(label) = label {
                        class(answer, usize::from(*label));
                    }
                }
            }
        }
        Targets::Numbers(numbers) => {
            for (answer, &number) in answers.iter().zip(numbers) {
                tally.add(judge.number(answer[0], number, 1.0, &mut 0.0));
            }
        }
    }
    let confusion = Confusion { counts: confusion };
    let accuracy = (classes > 0).then(|| tally.correct as f64 / tally.asked as f64);
    Ok(Evaluation {
        count: tally.asked,
        loss: tally.mean_loss(),
        accuracy,
        balanced_accuracy: accuracy.map(|_| confusion.balanced_accuracy()),
        confusion: confusion.counts,
    })
}
