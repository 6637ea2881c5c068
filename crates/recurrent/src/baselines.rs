//! What can be said about a protein without remembering its order, or from a part of it: what a recurrent network is to be
//! measured against.
//!
//! Each baseline is a multinomial logistic regression on fixed features, in `f64`, standardised on the training set, with the
//! penalty `½‖w‖²` on all weights but the intercepts (the default of scikit-learn: C = 1), solved by L-BFGS (Liu and Nocedal
//! 1989). No seed has a part in it.

mod logistic;

use cutaway_data::sequences::{Inputs, Sequences, Targets};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metrics::{Confusion, Interval};

/// Residues at an end that a baseline sees.
pub const END: usize = 30;
const RESAMPLES: usize = 1000;

/// What a baseline sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// Nothing: the largest class is always said.
    Majority,
    /// The logarithm of the length.
    Length,
    /// The share of each symbol.
    Composition,
    /// The first 30 symbols, each by its place.
    First,
    /// The last 30 symbols, each by its place from the end.
    Last,
    /// The first 30 by place, and the shares of all.
    FirstAndComposition,
}

impl Baseline {
    /// All, from nothing to most.
    pub const ALL: [Baseline; 6] = [
        Baseline::Majority,
        Baseline::Length,
        Baseline::Composition,
        Baseline::First,
        Baseline::Last,
        Baseline::FirstAndComposition,
    ];

    /// Name for tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Baseline::Majority => "majority",
            Baseline::Length => "length",
            Baseline::Composition => "composition",
            Baseline::First => "first 30 residues",
            Baseline::Last => "last 30 residues",
            Baseline::FirstAndComposition => "first 30 and composition",
        }
    }

    fn features(self, sequence: &[u8], symbols: usize) -> Vec<f64> {
        match self {
            Baseline::Majority => Vec::new(),
            Baseline::Length => vec![(sequence.len().max(1) as f64).ln()],
            Baseline::Composition => composition(sequence, symbols),
            Baseline::First => by_place(sequence.iter(), symbols),
            Baseline::Last => by_place(sequence.iter().rev(), symbols),
            Baseline::FirstAndComposition => {
                [by_place(sequence.iter(), symbols), composition(sequence, symbols)].concat()
            }
        }
    }
}

/// How a baseline did on the test set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineResult {
    /// What it saw.
    pub baseline: Baseline,
    /// Numbers it saw of a sequence.
    pub features: usize,
    /// Mean of the recalls.
    pub balanced_accuracy: f64,
    /// 95 % bootstrap interval of the balanced accuracy over test sequences.
    pub interval: Interval,
    /// Share of right answers.
    pub accuracy: f64,
    /// Share of right answers of each class; none where the test set has none of it.
    pub recall: Vec<Option<f64>>,
    /// Answers by class.
    pub confusion: Confusion,
    /// Steps of the solver; 0 where nothing was solved.
    pub iterations: usize,
}

/// Trains a baseline on `train` and measures it on `test`.
///
/// # Errors
/// [`Error::Setting`] where the sequences are not symbols with one class each, one of the two sets is empty, or they differ
/// in alphabet or classes.
pub fn measure(
    baseline: Baseline,
    train: &Sequences,
    test: &Sequences,
    seed: u64,
) -> Result<BaselineResult> {
    let (train, test) = (Parts::of(train)?, Parts::of(test)?);
    if (train.symbols, train.classes) != (test.symbols, test.classes) {
        let problem =
            "training and test set differ in their symbols or classes; split one data set";
        return Err(Error::Setting(problem.into()));
    }
    let (answers, features, iterations) = match baseline {
        Baseline::Majority => (vec![majority(&train); test.labels.len()], 0, 0),
        _ => answers(baseline, &train, &test),
    };
    let confusion = Confusion::new(test.labels, &answers, test.classes);
    Ok(BaselineResult {
        baseline,
        features,
        balanced_accuracy: confusion.balanced_accuracy(),
        interval: confusion.balanced_accuracy_interval(0.95, RESAMPLES, seed),
        accuracy: confusion.accuracy(),
        recall: confusion.recall(),
        confusion,
        iterations,
    })
}

/// All baselines, in the order of [`Baseline::ALL`]; `seed` is that of the intervals.
///
/// # Errors
/// As [`measure`].
pub fn measure_all(train: &Sequences, test: &Sequences, seed: u64) -> Result<Vec<BaselineResult>> {
    Baseline::ALL.into_iter().map(|baseline| measure(baseline, train, test, seed)).collect()
}

struct Parts<'s> {
    sequences: &'s [Vec<u8>],
    labels: &'s [usize],
    symbols: usize,
    classes: usize,
}

impl<'s> Parts<'s> {
    fn of(all: &'s Sequences) -> Result<Self> {
        match (&all.inputs, &all.targets) {
            (Inputs::Symbols { alphabet, sequences }, Targets::Classes { names, labels })
                if !labels.is_empty() =>
            {
                let (symbols, classes) = (alphabet.len(), names.len());
                Ok(Self { sequences, labels, symbols, classes })
            }
            _ => Err(Error::Setting(format!(
                "baselines need sequences of symbols with a class each, and '{}' has none",
                all.name
            ))),
        }
    }
}

/// The class of most, of several the first.
fn majority(train: &Parts) -> usize {
    let count = |class: usize| train.labels.iter().filter(|&&label| label == class).count();
    (0..train.classes).rev().max_by_key(|&class| count(class)).unwrap_or(0)
}

fn answers(baseline: Baseline, train: &Parts, test: &Parts) -> (Vec<usize>, usize, usize) {
    let rows = |parts: &Parts| -> Vec<Vec<f64>> {
        parts.sequences.iter().map(|s| baseline.features(s, parts.symbols)).collect()
    };
    let (mut train_rows, mut test_rows) = (rows(train), rows(test));
    standardise(&mut train_rows, &mut test_rows);
    let model = logistic::fit(&train_rows, train.labels, train.classes);
    let answers = test_rows.iter().map(|row| model.answer(row)).collect();
    (answers, train_rows[0].len(), model.iterations)
}

/// To mean 0 and standard deviation 1 over the training set; what never changes becomes 0.
fn standardise(train: &mut [Vec<f64>], test: &mut [Vec<f64>]) {
    let count = train.len() as f64;
    for feature in 0..train[0].len() {
        let mean = train.iter().map(|row| row[feature]).sum::<f64>() / count;
        let square = train.iter().map(|row| (row[feature] - mean).powi(2)).sum::<f64>();
        let deviation = (square / count).sqrt();
        let scale = if deviation > 0.0 { 1.0 / deviation } else { 0.0 };
        for row in train.iter_mut().chain(test.iter_mut()) {
            row[feature] = (row[feature] - mean) * scale;
        }
    }
}

fn composition(sequence: &[u8], symbols: usize) -> Vec<f64> {
    let mut shares = vec![0.0; symbols];
    let share = 1.0 / sequence.len().max(1) as f64;
    sequence.iter().for_each(|&symbol| shares[symbol as usize] += share);
    shares
}

/// One of `symbols` numbers is 1 at each place; none past the end of a short sequence.
fn by_place<'s>(sequence: impl Iterator<Item = &'s u8>, symbols: usize) -> Vec<f64> {
    let mut places = vec![0.0; END * symbols];
    sequence.take(END).enumerate().for_each(|(at, &symbol)| {
        places[at * symbols + symbol as usize] = 1.0;
    });
    places
}

#[cfg(test)]
#[path = "baselines_tests.rs"]
mod tests;
