//! A reservoir and a readout fitted to data.

use cutaway_data::sequences::{Inputs, Sequences, Targets};
use cutaway_engine::Isa;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Gram, Input, Reading, Readout, Reservoir, Settings, Weights, setting};
use crate::error::{Error, Result};
use crate::metrics::{Confusion, labels, most_probable};

/// Which states the readout of a whole sequence sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum States {
    /// That after the step read last: what has not been forgotten by then.
    Last,
    /// The mean over all steps: a filtered composition.
    Mean,
    /// Both, one after the other.
    #[default]
    Both,
}

/// How a network is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitOptions {
    /// What the reservoir is drawn from.
    pub settings: Settings,
    /// What the readout sees. Where something is asked at single steps, it is the state at that step.
    pub states: States,
    /// Whether sequences are read from their end.
    pub reversed: bool,
    /// Whether every class weighs the same in the regression, however rare.
    pub balanced: bool,
    /// The ridges to try, as shares of each feature's own sum of squares.
    pub ridges: Vec<f64>,
}

impl Default for FitOptions {
    fn default() -> FitOptions {
        FitOptions {
            settings: Settings::default(),
            states: States::default(),
            reversed: false,
            balanced: true,
            ridges: (-8..=2).map(|exponent| 10f64.powi(exponent)).collect(),
        }
    }
}

/// What the readout says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outputs {
    /// One class a sequence; an output each, trained towards +1 where it is right and −1 elsewhere.
    Classes(Vec<String>),
    /// One number a sequence.
    Number,
    /// A class at some of the steps.
    Steps(Vec<String>),
}

impl Outputs {
    fn count(&self) -> usize {
        match self {
            Outputs::Classes(names) | Outputs::Steps(names) => names.len(),
            Outputs::Number => 1,
        }
    }

    fn of(targets: &Targets) -> Outputs {
        match targets {
            Targets::Classes { names, .. } => Outputs::Classes(names.clone()),
            Targets::Numbers(_) => Outputs::Number,
            Targets::Steps { names, .. } => Outputs::Steps(names.clone()),
        }
    }
}

/// One ridge tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The ridge, as a share of each feature's own sum of squares.
    pub ridge: f64,
    /// On the validation part: balanced accuracy, or for numbers the mean squared error. None where the ridge
    /// was too small for the arithmetic.
    pub score: Option<f64>,
}

/// An echo state network whose readout has been fitted.
#[derive(Clone, Debug)]
pub struct EchoStateNetwork {
    reservoir: Reservoir<f64>,
    options: FitOptions,
    alphabet: Option<Vec<char>>,
    outputs: Outputs,
    readout: Readout,
    attempts: Vec<Attempt>,
    ridge: f64,
}

/// Sequences whose states are in memory at a time.
const BLOCK: usize = 512;
/// The most numbers that the states of a block may be where every step is asked.
const MOST_STATES: usize = 1 << 24;

impl EchoStateNetwork {
    /// Draws a reservoir and fits a readout of it to `train`; the ridge is that of the best score on
    /// `validation`, the greatest of equals. One pass over each part.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings out of range, parts that do not match, fewer than two classes in
    /// `train`, inputs that are not finite; [`Error::TooLarge`] for too many units.
    pub fn fit(
        train: &Sequences,
        validation: &Sequences,
        options: &FitOptions,
    ) -> Result<EchoStateNetwork> {
        let width = width(&train.inputs);
        let weights = options.settings.weights(width)?;
        EchoStateNetwork::fit_readout(weights, train, validation, options)
    }

    /// Fits a readout of a given reservoir; `options.settings` are not looked at.
    ///
    /// # Errors
    /// As [`Self::fit`], and for weights that do not fit together.
    pub fn fit_readout(
        weights: Weights<f64>,
        train: &Sequences,
        validation: &Sequences,
        options: &FitOptions,
    ) -> Result<EchoStateNetwork> {
        check(train, validation, options)?;
        let mut network = EchoStateNetwork {
            reservoir: Reservoir::new(weights, Isa::detect()).map_err(setting)?,
            options: options.clone(),
            alphabet: alphabet(&train.inputs),
            outputs: Outputs::of(&train.targets),
            readout: Readout { features: 0, weights: Vec::new(), bias: Vec::new() },
            attempts: Vec::new(),
            ridge: f64::NAN,
        };
        let gram = network.gram(train)?;
        let solved: Vec<(f64, Option<Readout>)> = options
            .ridges
            .par_iter()
            .map(|&ridge| (ridge, gram.solve_relative(ridge).ok()))
            .collect();
        network.choose(validation, solved)?;
        Ok(network)
    }

    /// The reservoir; its weights are [`Reservoir::weights`].
    #[must_use]
    pub fn reservoir(&self) -> &Reservoir<f64> {
        &self.reservoir
    }

    /// The readout.
    #[must_use]
    pub fn readout(&self) -> &Readout {
        &self.readout
    }

    /// What it was fitted with.
    #[must_use]
    pub fn options(&self) -> &FitOptions {
        &self.options
    }

    /// What its outputs are.
    #[must_use]
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// The ridges tried on the validation part.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The ridge chosen.
    #[must_use]
    pub fn ridge(&self) -> f64 {
        self.ridge
    }

    /// The readout's values for each sequence, `[sequences, outputs]`, or for each step asked, `[steps asked,
    /// outputs]`, sequence after sequence.
    ///
    /// # Errors
    /// [`Error::Setting`] where the sequences are not of the kind that the network was fitted to.
    pub fn values(&self, sequences: &Sequences) -> Result<Vec<f64>> {
        let mut values = Vec::new();
        self.each_block(sequences, |_, features| values.extend(self.readout.apply(features)))?;
        Ok(values)
    }

    /// The class with the greatest value for each sequence (or each step asked), the first of equals.
    ///
    /// # Errors
    /// As [`Self::values`], and for a network that says numbers.
    pub fn predict(&self, sequences: &Sequences) -> Result<Vec<usize>> {
        if self.outputs == Outputs::Number {
            return Err(Error::Setting(
                "this echo state network says numbers, not classes: ask for its values".to_owned(),
            ));
        }
        Ok(greatest(&self.values(sequences)?, self.outputs.count()))
    }

    /// Balanced accuracy, or the mean squared error where numbers are said.
    ///
    /// # Errors
    /// As [`Self::values`].
    pub fn score(&self, sequences: &Sequences) -> Result<f64> {
        Ok(self.score_of(&self.values(sequences)?, sequences))
    }

    fn score_of(&self, values: &[f64], sequences: &Sequences) -> f64 {
        if let Targets::Numbers(numbers) = &sequences.targets {
            let squares = values.iter().zip(numbers).map(|(y, &t)| (y - f64::from(t)).powi(2));
            return squares.sum::<f64>() / numbers.len() as f64;
        }
        let classes = self.outputs.count();
        Confusion::new(&labels(&sequences.targets), &greatest(values, classes), classes)
            .balanced_accuracy()
    }

    fn gram(&self, train: &Sequences) -> Result<Gram> {
        let outputs = self.outputs.count();
        let mut gram = Gram::new(self.features(), outputs);
        let labels = labels(&train.targets);
        let weight = class_weights(&labels, outputs);
        let mut done = 0;
        self.each_block(train, |block, features| {
            if let Targets::Numbers(numbers) = &train.targets {
                let targets: Vec<f64> = numbers[block].iter().map(|&t| f64::from(t)).collect();
                gram.add(features, &targets, None);
                return;
            }
            let asked = &labels[done..done + features.len() / self.features()];
            done += asked.len();
            let mut targets = vec![-1.0; asked.len() * outputs];
            asked.iter().enumerate().for_each(|(i, label)| targets[i * outputs + label] = 1.0);
            let weights: Vec<f64> = asked.iter().map(|&label| weight[label]).collect();
            gram.add(features, &targets, self.options.balanced.then_some(&weights));
        })?;
        Ok(gram)
    }

    /// Asks every readout about the validation part in one pass, and keeps the best.
    fn choose(
        &mut self,
        validation: &Sequences,
        solved: Vec<(f64, Option<Readout>)>,
    ) -> Result<()> {
        let mut values = vec![Vec::new(); solved.len()];
        self.each_block(validation, |_, features| {
            values.par_iter_mut().zip(&solved).for_each(|(values, (_, readout))| {
                if let Some(readout) = readout {
                    values.extend(readout.apply(features));
                }
            });
        })?;
        let rising = self.outputs != Outputs::Number;
        let mut best: Option<(f64, f64, Readout)> = None;
        for ((ridge, readout), values) in solved.into_iter().zip(&values) {
            let score = readout.as_ref().map(|_| self.score_of(values, validation));
            self.attempts.push(Attempt { ridge, score });
            let (Some(score), Some(readout)) = (score, readout) else { continue };
            let better = best.as_ref().is_none_or(|&(found, of, _)| {
                let gain = if rising { score - found } else { found - score };
                gain > 0.0 || (gain == 0.0 && ridge > of)
            });
            if better {
                best = Some((score, ridge, readout));
            }
        }
        let Some((_, ridge, readout)) = best else {
            return Err(Error::Setting(
                "none of the ridges is great enough for the arithmetic: try some up to 1"
                    .to_owned(),
            ));
        };
        (self.ridge, self.readout) = (ridge, readout);
        Ok(())
    }

    /// How many numbers of a sequence (or of a step asked) the readout sees.
    fn features(&self) -> usize {
        let both =
            self.options.states == States::Both && !matches!(self.outputs, Outputs::Steps(_));
        self.reservoir.units() * (1 + usize::from(both))
    }

    /// Gives the features of all sequences, `[samples, features]`, some sequences at a time.
    fn each_block(
        &self,
        sequences: &Sequences,
        mut each: impl FnMut(std::ops::Range<usize>, &[f64]),
    ) -> Result<()> {
        self.check_kind(sequences)?;
        let mut first = 0;
        while first < sequences.len() {
            let block = first..self.block_end(sequences, first);
            first = block.end;
            let features = self.features_of(sequences, block.clone())?;
            each(block, &features);
        }
        Ok(())
    }

    fn block_end(&self, sequences: &Sequences, first: usize) -> usize {
        let most = (first + BLOCK).min(sequences.len());
        if !matches!(self.outputs, Outputs::Steps(_)) {
            return most;
        }
        let mut steps = 0;
        let fits = |&s: &usize| {
            steps += sequences.length(s);
            steps * self.reservoir.units() <= MOST_STATES
        };
        (first..most).take_while(fits).last().map_or(first, |last| last).max(first) + 1
    }

    fn features_of(
        &self,
        sequences: &Sequences,
        block: std::ops::Range<usize>,
    ) -> Result<Vec<f64>> {
        match &sequences.inputs {
            Inputs::Symbols { sequences: all, .. } => {
                let read: Vec<&[u8]> = all[block.clone()].iter().map(Vec::as_slice).collect();
                self.features_of_input(Input::Symbols(&read), sequences, block)
            }
            Inputs::Values { sequences: all, .. } => {
                let wide = |values: &Vec<f32>| values.iter().map(|&x| f64::from(x)).collect();
                let read: Vec<Vec<f64>> = all[block.clone()].iter().map(wide).collect();
                let read: Vec<&[f64]> = read.iter().map(Vec::as_slice).collect();
                self.features_of_input(Input::Values(&read), sequences, block)
            }
        }
    }

    fn features_of_input(
        &self,
        input: Input<'_, f64>,
        sequences: &Sequences,
        block: std::ops::Range<usize>,
    ) -> Result<Vec<f64>> {
        let units = self.reservoir.units();
        let reading = Reading { start: None, reversed: self.options.reversed };
        let mut features = Vec::new();
        if let Targets::Steps { labels, .. } = &sequences.targets {
            let states = self.reservoir.states(input, &reading).map_err(setting)?;
            for (states, asked) in states.iter().zip(&labels[block]) {
                for (t, _) in asked.iter().enumerate().filter(|(_, label)| label.is_some()) {
                    let read = if reading.reversed { asked.len() - 1 - t } else { t };
                    features.extend_from_slice(&states[read * units..(read + 1) * units]);
                }
            }
            return Ok(features);
        }
        let pooled = self.reservoir.pooled(input, &reading).map_err(setting)?;
        Ok(match self.options.states {
            States::Last => pooled.last,
            States::Mean => pooled.mean,
            States::Both => {
                let pairs = pooled.last.chunks(units).zip(pooled.mean.chunks(units));
                pairs.flat_map(|(last, mean)| last.iter().chain(mean)).copied().collect()
            }
        })
    }

    /// Refuses sequences of another alphabet, width or kind of answer.
    fn check_kind(&self, sequences: &Sequences) -> Result<()> {
        let inputs = &sequences.inputs;
        let (fits, what) = match (&self.alphabet, alphabet(inputs)) {
            (None, None) => (self.reservoir.inputs() == width(inputs), "numbers a step"),
            (known, found) => (*known == found, "alphabet"),
        };
        if !fits {
            return Err(Error::Setting(format!(
                "'{}' has another {what} than what this echo state network was fitted to",
                sequences.name
            )));
        }
        let outputs = Outputs::of(&sequences.targets);
        if outputs != self.outputs {
            return Err(Error::Setting(format!(
                "'{}' asks for {outputs:?}; this echo state network says {:?}",
                sequences.name, self.outputs
            )));
        }
        Ok(())
    }
}

fn alphabet(inputs: &Inputs) -> Option<Vec<char>> {
    match inputs {
        Inputs::Symbols { alphabet, .. } => Some(alphabet.clone()),
        Inputs::Values { .. } => None,
    }
}

pub(super) fn width(inputs: &Inputs) -> usize {
    match inputs {
        Inputs::Symbols { alphabet, .. } => alphabet.len(),
        Inputs::Values { width, .. } => *width,
    }
}

/// The classes asked for, sequence after sequence, step after step; none for numbers.
/// A weight for each class with which they all count the same, 1 in the mean over samples.
fn class_weights(labels: &[usize], classes: usize) -> Vec<f64> {
    let mut counts = vec![0.0; classes];
    labels.iter().for_each(|&label| counts[label] += 1.0);
    let occurring = counts.iter().filter(|&&count| count > 0.0).count() as f64;
    counts.iter().map(|count: &f64| labels.len() as f64 / (occurring * count.max(1.0))).collect()
}

fn greatest(values: &[f64], outputs: usize) -> Vec<usize> {
    values.chunks(outputs).map(most_probable).collect()
}

fn check(train: &Sequences, validation: &Sequences, options: &FitOptions) -> Result<()> {
    let refuse = |problem: String| Err(Error::Setting(problem));
    if options.ridges.is_empty() || options.ridges.iter().any(|r| !(*r >= 0.0 && r.is_finite())) {
        return refuse(format!(
            "the ridges to try: expected at least one, each 0 or more, found {:?}",
            options.ridges
        ));
    }
    for part in [train, validation] {
        if part.is_empty() {
            return refuse(format!("'{}' has no sequence to fit to or to choose by", part.name));
        }
        if let Targets::Classes { names, .. } | Targets::Steps { names, .. } = &part.targets {
            let labels = labels(&part.targets);
            if let Some(label) = labels.iter().find(|&&label| label >= names.len()) {
                let count = names.len();
                return refuse(format!("'{}': class {label} of {count} classes", part.name));
            }
            let one = labels.first().is_none_or(|first| labels.iter().all(|l| l == first));
            if one && std::ptr::eq(part, train) {
                let name = labels.first().map_or("none", |&label| names[label].as_str());
                return refuse(format!(
                    "'{}' shows one class only ({name}): a classifier needs samples of two at least",
                    part.name
                ));
            }
        }
        if let Inputs::Values { sequences, .. } = &part.inputs
            && let Some(s) = sequences.iter().position(|x| x.iter().any(|x| !x.is_finite()))
        {
            let id = &part.ids[s];
            return refuse(format!(
                "'{}': sequence '{id}' has values that are infinite or not numbers",
                part.name
            ));
        }
    }
    Ok(())
}
