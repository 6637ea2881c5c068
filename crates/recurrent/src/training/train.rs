//! The training loop.

use std::ops::ControlFlow;
use std::time::Instant;

use cutaway_data::sequences::{Sequences, Targets};

use super::batches::batches;
use super::evaluate::evaluate_in_windows;
use super::history::{Ended, Epoch, Training, ZeroGradient};
use super::loss::{ClassWeights, Judge, Tally};
use super::observer::{Observer, Step};
use super::optimiser::{Memory, clipping, norm};
use super::options::Options;
use crate::error::Result;
use crate::network::{BatchGradient, Judged, Runner, check, check_targets};

/// Trains the runner's network.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for settings that cannot be used,
/// [`Error::Sequences`](crate::Error::Sequences) for data that do not fit the network. Numbers that overflow are no
/// error: they end the training, see [`Ended::NotFinite`].
pub fn train(
    runner: &mut Runner,
    data: &Sequences,
    validation: Option<&Sequences>,
    options: &Options,
    observer: &mut dyn Observer,
) -> Result<Training> {
    let architecture = runner.network().architecture();
    options.check(architecture)?;
    for data in [Some(data), validation].into_iter().flatten() {
        check(architecture, data)?;
        check_targets(architecture, data)?;
    }
    let count = runner.network().count();
    let mut run = Run {
        judge: Judge::new(&options.class_weights, &data.targets)?,
        lengths: (0..data.len()).map(|i| data.length(i)).collect(),
        memory: Memory::new(options.optimiser, count),
        gradient: BatchGradient::default(),
        steps: 0,
        seconds: 0.0,
        first_zero: None,
        data,
        options,
    };
    observer.start(runner);
    let mut epochs: Vec<Epoch> = Vec::new();
    let mut best: Option<(f64, usize, Vec<f32>)> = None;
    let ended = loop {
        let number = epochs.len() + 1;
        let (epoch, mut ended) = run.epoch(runner, number, observer)?;
        let Some(mut epoch) = epoch else { break ended.unwrap_or(Ended::Epochs) };
        if let Some(validation) = validation {
            let found = evaluate_in_windows(runner, validation, options.truncate)?;
            if best.as_ref().is_none_or(|(score, ..)| found.score() > *score) {
                let values = if options.keep_best { runner.network().values() } else { &[] };
                best = Some((found.score(), number, values.to_vec()));
            }
            epoch.validation = Some(found);
        }
        if observer.epoch(runner, &epoch).is_break() {
            ended.get_or_insert(Ended::Stopped);
        }
        epochs.push(epoch);
        let waited = best.as_ref().map_or(0, |(_, epoch, _)| number - epoch);
        if options.patience.is_some_and(|patience| waited >= patience.max(1)) {
            ended.get_or_insert(Ended::Patience);
        }
        if options.epochs.is_some_and(|epochs| number >= epochs) {
            ended.get_or_insert(Ended::Epochs);
        }
        if let Some(ended) = ended {
            break ended;
        }
    };
    let mut kept_epoch = None;
    if let (true, Some((_, epoch, values))) = (options.keep_best, best) {
        runner.update(|now| now.copy_from_slice(&values))?;
        kept_epoch = Some(epoch);
    }
    Ok(Training {
        options: options.clone(),
        dataset: data.name.clone(),
        sequences: data.len(),
        parameters: count,
        epochs,
        steps: run.steps,
        seconds: run.seconds,
        ended,
        kept_epoch,
        first_zero: run.first_zero,
    })
}

/// The mean loss over all of `data` as one batch, and its derivatives by all parameters in the order of
/// [`Network::values`](crate::network::Network::values).
///
/// # Errors
/// As [`train`].
pub fn loss_and_gradient(
    runner: &Runner,
    data: &Sequences,
    class_weights: &ClassWeights,
    truncate: Option<usize>,
) -> Result<(f64, Vec<f32>)> {
    let architecture = runner.network().architecture();
    Options { truncate, ..Options::default() }.check(architecture)?;
    check(architecture, data)?;
    check_targets(architecture, data)?;
    let judge = Judge::new(class_weights, &data.targets)?;
    let all: Vec<usize> = (0..data.len()).collect();
    let scale = 1.0 / judge.total_weight(&data.targets, &all);
    let mut gradient = BatchGradient::default();
    let how = Judged { judge: &judge, scale, window: truncate };
    let tally = runner.gradient(data, &all, how, &mut gradient)?;
    Ok((tally.mean_loss(), gradient.values))
}

/// A training under way.
struct Run<'a> {
    judge: Judge,
    lengths: Vec<usize>,
    memory: Memory,
    gradient: BatchGradient,
    steps: usize,
    seconds: f64,
    first_zero: Option<ZeroGradient>,
    data: &'a Sequences,
    options: &'a Options,
}

/// What an epoch has added up so far.
#[derive(Default)]
struct Sums {
    tally: Tally,
    steps: usize,
    norms: f64,
    largest: f64,
    clipped: usize,
    tokens: usize,
    rate: f64,
}

impl Run<'_> {
    /// One epoch; none where not a step of it was made. With the reason where the training is to end.
    fn epoch(
        &mut self,
        runner: &mut Runner,
        number: usize,
        observer: &mut dyn Observer,
    ) -> Result<(Option<Epoch>, Option<Ended>)> {
        if self.options.epochs == Some(0) {
            return Ok((None, None));
        }
        let mut clock = Instant::now();
        let before = self.seconds;
        let all = batches(&self.lengths, self.options.batch, self.options.seed, number - 1);
        let (mut sums, mut ended) = (Sums::default(), None);
        for (k, batch) in all.iter().enumerate() {
            let place = (number, k, all.len());
            let made = self.step(runner, batch, place, &mut sums)?;
            self.seconds += clock.elapsed().as_secs_f64();
            let step = match made {
                Ok(step) => Step { seconds: self.seconds, ..step },
                Err(reason) => {
                    ended = Some(reason);
                    break;
                }
            };
            if observer.step(&step) == ControlFlow::Break(()) {
                ended = Some(Ended::Stopped);
                break;
            }
            if self.options.seconds.is_some_and(|seconds| self.seconds >= seconds) {
                ended = Some(Ended::Seconds);
                break;
            }
            clock = Instant::now();
        }
        let seconds = self.seconds - before;
        let classes = !matches!(self.data.targets, Targets::Numbers(_));
        let steps = sums.steps as f64;
        let epoch = (sums.steps > 0).then(|| Epoch {
            epoch: number,
            steps: sums.steps,
            loss: sums.tally.mean_loss(),
            accuracy: classes.then(|| sums.tally.correct as f64 / sums.tally.asked as f64),
            gradient_norm: sums.norms / steps,
            largest_gradient_norm: sums.largest,
            clipped: sums.clipped as f64 / steps,
            rate: sums.rate,
            seconds,
            tokens_per_second: sums.tokens as f64 / seconds,
            validation: None,
        });
        Ok((epoch, ended))
    }

    /// One step of the optimiser, or why it was not made.
    fn step(
        &mut self,
        runner: &mut Runner,
        batch: &[usize],
        (epoch, k, steps): (usize, usize, usize),
        sums: &mut Sums,
    ) -> Result<Result<Step, Ended>> {
        let weight = self.judge.total_weight(&self.data.targets, batch);
        // A batch in which nothing is asked teaches nothing.
        let scale = if weight > 0.0 { 1.0 / weight } else { 0.0 };
        let how = Judged { judge: &self.judge, scale, window: self.options.truncate };
        let tally = runner.gradient(self.data, batch, how, &mut self.gradient)?;
        let norm = norm(&self.gradient.values);
        self.steps += 1;
        if !tally.loss.is_finite() || !norm.is_finite() {
            let what = self.not_finite(runner, tally);
            self.steps -= 1;
            return Ok(Err(Ended::NotFinite { step: self.steps + 1, epoch, what }));
        }
        self.notice_zeros(runner, epoch);
        let done = self.done(epoch - 1, k, steps);
        let rate = f64::from(self.options.optimiser.rate()) * self.options.schedule.factor(done);
        let factor = clipping(norm, self.options.clip);
        let (memory, gradient) = (&mut self.memory, &self.gradient.values);
        runner.update(|values| memory.step(rate as f32, factor, gradient, values))?;
        sums.tally.add(tally);
        sums.steps += 1;
        sums.norms += norm;
        sums.largest = sums.largest.max(norm);
        sums.clipped += usize::from(factor < 1.0);
        sums.tokens += batch.iter().map(|&i| self.lengths[i]).sum::<usize>();
        sums.rate = rate;
        Ok(Ok(Step {
            epoch,
            step: k + 1,
            steps,
            loss: if weight > 0.0 { tally.mean_loss() } else { 0.0 },
            gradient_norm: norm,
            clipped: factor < 1.0,
            seconds: self.seconds,
            done: self.done(epoch - 1, k + 1, steps),
        }))
    }

    /// The share of the training that is done: of its epochs or its seconds, whichever is more.
    fn done(&self, epochs: usize, steps: usize, of: usize) -> f64 {
        let epochs_done = epochs as f64 + steps as f64 / of as f64;
        let of_epochs = self.options.epochs.map_or(0.0, |all| epochs_done / all as f64);
        let of_seconds = self.options.seconds.map_or(0.0, |all| self.seconds / all);
        of_epochs.max(of_seconds).min(1.0)
    }

    fn not_finite(&self, runner: &Runner, tally: Tally) -> String {
        if !tally.loss.is_finite() {
            return "the loss".to_owned();
        }
        let values = &self.gradient.values;
        let bad = |range: std::ops::Range<usize>| values[range].iter().any(|v| !v.is_finite());
        let part = runner.network().parts().iter().find(|part| bad(part.range.clone()));
        part.map_or("the gradient's length".to_owned(), |part| {
            format!("the gradient of {}", part.name)
        })
    }

    fn notice_zeros(&mut self, runner: &Runner, epoch: usize) {
        if self.first_zero.is_some() {
            return;
        }
        let values = &self.gradient.values;
        let zero = |range: std::ops::Range<usize>| values[range].iter().all(|&v| v == 0.0);
        let part = runner.network().parts().iter().find(|part| zero(part.range.clone()));
        let step = self.steps;
        self.first_zero =
            part.map(|part| ZeroGradient { step, epoch, parameter: part.name.clone() });
    }
}
