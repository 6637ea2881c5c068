//! One network, trained and tested.

use std::ops::ControlFlow;
use std::time::Instant;

use cutaway_data::sequences::{Sequences, Targets};
use serde::Serialize;

use super::echo::{echo_gradients, echo_norms};
use super::gradients::{EpochGradients, GradientNorms};
use super::padding::{LengthBin, PaddingPoint, by_length, by_padding};
use super::trained::Trained;
use super::{Kind, Parts, Plan};
use crate::error::Result;
use crate::flow::Curve;
use crate::metrics::{Confusion, Interval, labels};
use crate::network::{Direction, Network, Runner};
use crate::reservoir::{EchoStateNetwork, FitOptions, States};
use crate::training::{Epoch, Observer, Options, Training, evaluate, train};

/// Samples of the bootstrap.
const RESAMPLES: usize = 1000;

/// One network, trained and tested.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// The kind of network.
    pub cell: Kind,
    /// Which way it read.
    pub direction: Direction,
    /// Of its first values and of the order of its batches.
    pub seed: u64,
    /// Parameters that were trained.
    pub parameters: usize,
    /// Values of the state, in one direction.
    pub hidden: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// Epochs, the last one perhaps cut short; 0 for an echo state network, which is solved for.
    pub epochs: usize,
    /// On the test set; none where numbers are asked for.
    pub accuracy: Option<f64>,
    /// On the test set; none where numbers are asked for.
    pub balanced_accuracy: Option<f64>,
    /// Its 95 % bootstrap interval over test sequences.
    pub interval: Option<Interval>,
    /// Share of right answers of each class; none where the test set has none of it.
    pub recall: Vec<Option<f64>>,
    /// On the test set: cross-entropy in nats, or mean squared error. None for an echo state network that says classes.
    pub loss: Option<f64>,
    /// How the loss felt the states on the way, before training and after every epoch.
    pub gradient_norms: GradientNorms,
    /// Accuracy by length.
    pub by_length: Vec<LengthBin>,
    /// Accuracy with random symbols put in behind the beginning.
    pub by_padding: Vec<PaddingPoint>,
    /// How the training went; none for an echo state network.
    pub training: Option<Training>,
}

/// A run, and what it made.
pub struct Outcome {
    /// What was measured.
    pub run: Run,
    /// The network.
    pub trained: Trained,
    /// Of an echo state network that says something of a whole sequence: [`echo_gradients`] on the run's probes.
    pub echo_gradients: Option<Curve>,
}

/// Trains a network of one kind and measures it.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for a plan that cannot be carried out,
/// [`Error::Sequences`](crate::Error::Sequences) for parts that do not fit each other.
pub fn run(
    plan: &Plan,
    kind: Kind,
    direction: Direction,
    seed: u64,
    parts: &Parts,
) -> Result<Outcome> {
    plan.check(kind, direction)?;
    let probes = probes(&parts.test, plan.probes);
    let made = match kind.cell() {
        Some(_) => network(plan, kind, direction, seed, parts, &probes)?,
        None => echo(plan, direction, seed, parts, &probes)?,
    };
    measured(kind, direction, seed, parts, made)
}

/// Measures a network that has been trained before; `training` is empty.
///
/// # Errors
/// [`Error::Sequences`](crate::Error::Sequences) where it does not read such sequences or give such answers.
pub fn test(network: Network, plan: &Plan, seed: u64, parts: &Parts) -> Result<Outcome> {
    let a = network.architecture().clone();
    let kind = Kind::of(a.cell);
    let runner = Runner::new(network, &plan.runner)?;
    let probes = probes(&parts.test, plan.probes);
    let made = Made {
        parameters: runner.network().count(),
        hidden: a.hidden,
        seconds: 0.0,
        loss: Some(evaluate(&runner, &parts.test)?.loss),
        gradient_norms: GradientNorms {
            probes: probes.len(),
            epochs: vec![EpochGradients::of(&runner, &probes, 0)?],
        },
        trained: Trained::Network(Box::new(runner)),
        echo_gradients: None,
        training: None,
    };
    measured(kind, a.direction, seed, parts, made)
}

/// What training gave.
struct Made {
    trained: Trained,
    parameters: usize,
    hidden: usize,
    seconds: f64,
    loss: Option<f64>,
    gradient_norms: GradientNorms,
    echo_gradients: Option<Curve>,
    training: Option<Training>,
}

fn network(
    plan: &Plan,
    kind: Kind,
    direction: Direction,
    seed: u64,
    parts: &Parts,
    probes: &Sequences,
) -> Result<Made> {
    let cell = kind.cell().expect("a cell that is trained");
    let architecture = plan.architecture(cell, direction, &parts.train)?;
    let hidden = architecture.hidden;
    let mut runner = Runner::new(Network::new(architecture, &plan.start, seed)?, &plan.runner)?;
    let options = Options { seed, ..plan.training.clone() };
    let mut watch = Watch { probes, found: Vec::new(), error: None };
    let training = train(&mut runner, &parts.train, Some(&parts.validation), &options, &mut watch)?;
    if let Some(error) = watch.error {
        return Err(error);
    }
    let loss = evaluate(&runner, &parts.test)?.loss;
    Ok(Made {
        parameters: runner.network().count(),
        hidden,
        seconds: training.seconds,
        loss: Some(loss),
        gradient_norms: GradientNorms { probes: probes.len(), epochs: watch.found },
        trained: Trained::Network(Box::new(runner)),
        echo_gradients: None,
        training: Some(training),
    })
}

/// Measures gradients while a network learns.
struct Watch<'a> {
    probes: &'a Sequences,
    found: Vec<EpochGradients>,
    error: Option<crate::Error>,
}

impl Watch<'_> {
    fn look(&mut self, runner: &Runner, epoch: usize) -> ControlFlow<()> {
        match EpochGradients::of(runner, self.probes, epoch) {
            Ok(found) => {
                self.found.push(found);
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

impl Observer for Watch<'_> {
    fn start(&mut self, runner: &Runner) {
        let _ = self.look(runner, 0);
    }

    fn epoch(&mut self, runner: &Runner, epoch: &Epoch) -> ControlFlow<()> {
        self.look(runner, epoch.epoch)
    }
}

fn echo(
    plan: &Plan,
    direction: Direction,
    seed: u64,
    parts: &Parts,
    probes: &Sequences,
) -> Result<Made> {
    let reversed = direction == Direction::Reverse;
    let settings = crate::reservoir::Settings { seed, ..plan.reservoir.clone() };
    let states = match plan.readout {
        crate::network::Readout::Mean => States::Mean,
        _ => States::Last,
    };
    let options = FitOptions { settings, states, reversed, ..FitOptions::default() };
    let clock = Instant::now();
    let network = EchoStateNetwork::fit(&parts.train, &parts.validation, &options)?;
    let seconds = clock.elapsed().as_secs_f64();
    let found = echo_gradients(&network, probes)?;
    let readout = network.readout();
    let numbers = matches!(parts.test.targets, Targets::Numbers(_));
    Ok(Made {
        parameters: readout.weights.len() + readout.bias.len(),
        hidden: plan.reservoir.units,
        seconds,
        loss: if numbers { Some(network.score(&parts.test)?) } else { None },
        gradient_norms: echo_norms(found.as_ref(), probes.len()),
        echo_gradients: found,
        trained: Trained::Echo(Box::new(network)),
        training: None,
    })
}

fn measured(
    kind: Kind,
    direction: Direction,
    seed: u64,
    parts: &Parts,
    made: Made,
) -> Result<Outcome> {
    let test = &parts.test;
    let confusion = match &test.targets {
        Targets::Numbers(_) => None,
        Targets::Classes { names, .. } | Targets::Steps { names, .. } => {
            let said = made.trained.classes(test)?;
            Some(Confusion::new(&labels(&test.targets), &said, names.len()))
        }
    };
    // An interval over test sequences: steps of one sequence are not independent.
    let whole = matches!(test.targets, Targets::Classes { .. });
    let interval = confusion.as_ref().filter(|_| whole);
    let run = Run {
        cell: kind,
        direction,
        seed,
        parameters: made.parameters,
        hidden: made.hidden,
        seconds: made.seconds,
        epochs: made.training.as_ref().map_or(0, |t| t.epochs.len()),
        accuracy: confusion.as_ref().map(Confusion::accuracy),
        balanced_accuracy: confusion.as_ref().map(Confusion::balanced_accuracy),
        interval: interval.map(|c| c.balanced_accuracy_interval(0.95, RESAMPLES, seed)),
        recall: confusion.as_ref().map(Confusion::recall).unwrap_or_default(),
        loss: made.loss,
        gradient_norms: made.gradient_norms,
        by_length: by_length(&made.trained, test)?,
        by_padding: by_padding(&made.trained, test, seed)?,
        training: made.training,
    };
    Ok(Outcome { run, trained: made.trained, echo_gradients: made.echo_gradients })
}

/// Sequences spread evenly over all lengths of a set.
pub fn probes(test: &Sequences, count: usize) -> Sequences {
    let mut order: Vec<usize> = (0..test.len()).collect();
    order.sort_by_key(|&i| (test.length(i), i));
    let count = count.min(order.len());
    let spread: Vec<usize> =
        (0..count).map(|k| order[(2 * k + 1) * order.len() / (2 * count)]).collect();
    test.select(&spread)
}
