//! All that is measured.

use cutaway::data::sequences::{Inputs, Sequences, Targets};
use cutaway::recurrent::baselines::{BaselineResult, measure_all};
use cutaway::recurrent::experiment::{
    self, Compared, Kind, Memory, Outcome, Plan, Run, Trained, compare, memory, probes,
};
use cutaway::recurrent::flow::{Attribution, Curve, Substitutions, attribution, substitutions};
use cutaway::recurrent::network::{Direction, Network, Runner, input_gradients};
use cutaway::recurrent::onnx::SequenceModel;
use cutaway::recurrent::reservoir::{
    EchoStateCheck, EchoStateNetwork, FitOptions, Input, Map, MapOptions, MemoryCapacity, Settings,
};
use cutaway::recurrent::training::Ended;
use cutaway::recurrent::{Matrix, reservoir};
use serde::Serialize;

use super::task::Task;
use crate::console;
use crate::error::Error;

/// As [`crate::error::Result`], for errors of others too.
type Result<T, E = Error> = std::result::Result<T, E>;

/// Sequences that a map of reservoirs is fitted to, and judged by.
const MAPPED: usize = 400;
/// Units of the reservoirs of a map, and of the one whose memory is measured.
const MAPPED_UNITS: usize = 100;
/// The longest sequence that is looked at closely without being asked for.
const CLOSE: usize = 500;

/// What was found out.
pub(crate) struct Findings {
    pub(crate) task: Task,
    /// Networks that know nothing of the order of symbols, or see a part of them.
    pub(crate) baselines: Vec<BaselineResult>,
    pub(crate) runs: Vec<Run>,
    pub(crate) compared: Vec<Compared>,
    /// Of the first run of each network.
    pub(crate) flows: Vec<Flow>,
    pub(crate) echo: Option<Echo>,
    pub(crate) close: Option<Close>,
    /// Trainings that broke off, and what could not be measured of them: a sentence each.
    pub(crate) notes: Vec<String>,
    /// The first network of each kind and direction that can be saved.
    pub(crate) networks: Vec<(String, Network)>,
}

/// How the first run of a network remembers.
#[derive(Serialize)]
pub(crate) struct Flow {
    pub(crate) cell: Kind,
    pub(crate) direction: Direction,
    /// `log10` of the norm of the derivative of the loss by the state.
    pub(crate) states: Curve,
    /// What is measured of a network of one layer that reads one way; none of an echo state network.
    pub(crate) memory: Option<Memory>,
}

impl Flow {
    pub(crate) fn name(&self) -> String {
        name(self.cell, self.direction)
    }
}

/// How people call a network.
pub(crate) fn name(cell: Kind, direction: Direction) -> String {
    format!("{}, {direction}", cell.title())
}

/// What is measured of echo state networks.
#[derive(Serialize)]
pub(crate) struct Echo {
    /// Of the network that reads the first way, on one test sequence.
    pub(crate) check: EchoStateCheck,
    /// Of a reservoir with its settings, one input and fewer units.
    pub(crate) capacity: MemoryCapacity,
    pub(crate) units: usize,
    /// Memory capacity and accuracy by spectral radius and leak, with as many units.
    pub(crate) map: Map,
}

/// One sequence, symbol by symbol.
#[derive(Serialize)]
pub(crate) struct Close {
    pub(crate) cell: Kind,
    pub(crate) direction: Direction,
    pub(crate) seed: u64,
    /// Index in the test set.
    pub(crate) sample: usize,
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) said: String,
    /// The class whose score less that of the best other is the decision.
    pub(crate) towards: String,
    pub(crate) letters: Vec<char>,
    #[serde(skip)]
    pub(crate) alphabet: Vec<char>,
    pub(crate) attribution: Attribution,
    pub(crate) substitutions: Substitutions,
}

impl Close {
    /// The sequence's name; those of made ones are mere numbers.
    pub(crate) fn title(&self) -> String {
        if self.id.parse::<u64>().is_ok() {
            format!("Sequence {}", self.id)
        } else {
            self.id.clone()
        }
    }
}

/// What is to be run.
pub(crate) struct Wanted {
    pub(crate) plan: Plan,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) directions: Vec<Direction>,
    pub(crate) seeds: Vec<u64>,
    pub(crate) sample: Option<usize>,
    pub(crate) quiet: bool,
    /// Whether reservoirs are mapped over radius and leak, which takes some seconds.
    pub(crate) map: bool,
}

/// Trains and measures everything.
pub(crate) fn findings(task: Task, wanted: &Wanted) -> Result<Findings> {
    check_sample(wanted.sample, &task)?;
    for &kind in &wanted.kinds {
        for &direction in &wanted.directions {
            wanted.plan.check_all(kind, direction, &task.parts.train)?;
        }
    }
    let mut found = Collected::default();
    let mut bar = console::counter(wanted.quiet, "networks trained");
    let all = wanted.kinds.len() * wanted.directions.len() * wanted.seeds.len();
    for &kind in &wanted.kinds {
        for &direction in &wanted.directions {
            for (k, &seed) in wanted.seeds.iter().enumerate() {
                bar(found.runs.len(), all.max(1));
                let outcome = experiment::run(&wanted.plan, kind, direction, seed, &task.parts)?;
                found.take(outcome, k == 0, &task, &wanted.plan)?;
            }
        }
    }
    bar(all, all);
    let echo = if wanted.kinds.contains(&Kind::Esn) && wanted.map {
        echo(&wanted.plan.reservoir, found.echo.as_ref(), &task)?
    } else {
        None
    };
    finish(found, task, wanted, echo)
}

/// Measures a network that was trained before.
pub(crate) fn look(task: Task, model: &SequenceModel, wanted: &Wanted) -> Result<Findings> {
    fits(model, &task)?;
    check_sample(wanted.sample, &task)?;
    let network = model.network.clone();
    let outcome = experiment::test(network, &wanted.plan, wanted.seeds[0], &task.parts)?;
    let mut found = Collected::default();
    found.take(outcome, true, &task, &wanted.plan)?;
    finish(found, task, wanted, None)
}

/// Refuses a test sequence that there is not.
fn check_sample(sample: Option<usize>, task: &Task) -> Result<()> {
    let test = task.parts.test.len();
    match sample.filter(|&sample| sample >= test) {
        Some(sample) => Err(Error::Usage(format!(
            "--sample {sample}: the test set has {test} sequences, counted from 0"
        ))),
        None => Ok(()),
    }
}

/// Checks that letters and classes mean to the network what they mean in the data; sizes are checked where it runs.
fn fits(model: &SequenceModel, task: &Task) -> Result<()> {
    let refuse = |what: &str, its: String, theirs: String, advice: &str| {
        let name = &task.name;
        let problem = format!(
            "the network '{}' knows the {what} {its}, {name} has {theirs}; {advice}",
            model.name
        );
        Err(Error::Recurrent(cutaway::recurrent::Error::Sequences(problem)))
    };
    if let Inputs::Symbols { alphabet, .. } = &task.parts.test.inputs
        && !model.alphabet.is_empty()
        && model.alphabet != *alphabet
    {
        let [its, theirs] = [&model.alphabet, alphabet].map(|a| a.iter().collect::<String>());
        return refuse("letters", its, theirs, "give --data the data it was trained on");
    }
    let classes = task.classes();
    if !model.labels.is_empty() && model.labels != classes {
        let [its, theirs] = [&model.labels, classes].map(|names| names.join(", "));
        let advice = "give data with its classes, and --classes to bring a file's into its order";
        return refuse("classes", its, theirs, advice);
    }
    Ok(())
}

#[derive(Default)]
struct Collected {
    runs: Vec<Run>,
    flows: Vec<Flow>,
    networks: Vec<(String, Network)>,
    /// The best network for a close look: its run's number.
    best: Option<(usize, Runner)>,
    echo: Option<EchoStateNetwork>,
    notes: Vec<String>,
}

impl Collected {
    /// Keeps a run; of the first of its kind also how it remembers, and the network.
    fn take(&mut self, outcome: Outcome, first: bool, task: &Task, plan: &Plan) -> Result<()> {
        let Outcome { run, trained, echo_gradients } = outcome;
        let number = self.runs.len();
        self.runs.push(run);
        let run = &self.runs[number];
        if let Some(ended @ Ended::NotFinite { .. }) = run.training.as_ref().map(|t| &t.ended) {
            let who = name(run.cell, run.direction);
            self.notes
                .push(format!("The training of {who} with seed {} broke off: {ended}.", run.seed));
        }
        if !first {
            return Ok(());
        }
        match trained {
            Trained::Network(runner) => {
                let probes = probes(&task.parts.test, plan.probes);
                let found = memory(runner.network(), &probes);
                let what = format!("How {} remembers", name(run.cell, run.direction));
                if let Some(memory) = of_finite(found, &what, &mut self.notes)?.flatten() {
                    let (cell, direction, states) =
                        (run.cell, run.direction, memory.states.clone());
                    self.flows.push(Flow { cell, direction, states, memory: Some(memory) });
                }
                let file = format!("{}-{}", run.cell, run.direction);
                self.networks.push((file, runner.network().clone()));
                let better = |(best, _): &(usize, Runner)| {
                    self.runs[*best].balanced_accuracy < run.balanced_accuracy
                };
                if self.best.as_ref().is_none_or(better) {
                    self.best = Some((number, *runner));
                }
            }
            Trained::Echo(network) => {
                if let Some(states) = echo_gradients {
                    let (cell, direction) = (run.cell, run.direction);
                    self.flows.push(Flow { cell, direction, states, memory: None });
                }
                self.echo.get_or_insert(*network);
            }
        }
        Ok(())
    }
}

/// What can be measured of finite numbers; of others none, and a note that says why.
fn of_finite<T>(
    found: Result<T, cutaway::recurrent::Error>,
    what: &str,
    notes: &mut Vec<String>,
) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error @ cutaway::recurrent::Error::NotFinite { .. }) => {
            notes.push(format!("{what} could not be measured: {error}."));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn finish(
    mut found: Collected,
    task: Task,
    wanted: &Wanted,
    echo: Option<Echo>,
) -> Result<Findings> {
    let baselines = match (&task.parts.test.targets, &task.parts.test.inputs) {
        (Targets::Classes { .. }, Inputs::Symbols { .. }) => {
            measure_all(&task.parts.train, &task.parts.test, wanted.seeds[0])?
        }
        _ => Vec::new(),
    };
    let close = match &found.best {
        Some((number, runner)) => {
            let run = &found.runs[*number];
            let what = format!("What {} makes of one sequence", name(run.cell, run.direction));
            match close(runner, run, &task, wanted.sample) {
                Err(Error::Recurrent(error)) => {
                    of_finite(Err(error), &what, &mut found.notes)?.flatten()
                }
                other => other?,
            }
        }
        None => None,
    };
    Ok(Findings {
        baselines,
        compared: compare(&found.runs),
        runs: found.runs,
        flows: found.flows,
        networks: found.networks,
        echo,
        close,
        notes: found.notes,
        task,
    })
}

fn echo(
    settings: &Settings,
    network: Option<&EchoStateNetwork>,
    task: &Task,
) -> Result<Option<Echo>> {
    let (Some(network), Inputs::Symbols { sequences, .. }) = (network, &task.parts.test.inputs)
    else {
        return Ok(None);
    };
    let longest = sequences.iter().max_by_key(|s| s.len()).expect("a test set is not empty");
    let weights = network.reservoir().weights();
    let check = EchoStateCheck::of(weights, Input::Symbols(&[longest]), 4, settings.seed)?;
    let small = Settings { units: MAPPED_UNITS.min(settings.units), ..settings.clone() };
    let memory = reservoir::Memory::default();
    let drawn = small.draw(1)?;
    let capacity = MemoryCapacity::of(&drawn.weights(small.spectral_radius, small.leak), &memory)?;
    let [train, validation] = [&task.parts.train, &task.parts.validation].map(|part| {
        let stride = part.len().div_ceil(MAPPED).max(1);
        part.select(&(0..part.len()).step_by(stride).collect::<Vec<_>>())
    });
    let options = MapOptions {
        fit: FitOptions { settings: small.clone(), ..network.options().clone() },
        memory: Some(memory),
        most_steps: 1e9,
        ..MapOptions::default()
    };
    let map = Map::of(&options, Some((&train, &validation)))?;
    Ok(Some(Echo { check, capacity, units: small.units, map }))
}

fn close(runner: &Runner, run: &Run, task: &Task, sample: Option<usize>) -> Result<Option<Close>> {
    let test = &task.parts.test;
    let (Inputs::Symbols { alphabet, sequences }, Targets::Classes { names, labels }) =
        (&test.inputs, &test.targets)
    else {
        return Ok(None);
    };
    let answers = runner.answers(test)?;
    let said = |i: usize| best(&answers[i], None);
    let fits = |&i: &usize| labels[i] == 0 && said(i) == 0 && sequences[i].len() <= CLOSE;
    let chosen = sample.unwrap_or_else(|| (0..test.len()).find(fits).unwrap_or(0));
    let towards = labels[chosen];
    let sequence = &sequences[chosen];
    let decision = |answer: &[f32]| {
        f64::from(answer[towards]) - f64::from(answer[best(answer, Some(towards))])
    };
    let seed = |_: usize, answer: &[f32], by: &mut [f32]| {
        by[towards] = 1.0;
        by[best(answer, Some(towards))] = -1.0;
    };
    let by_inputs = input_gradients(runner, &test.select(&[chosen]), seed)?.remove(0);
    let rows: Vec<Vec<f64>> = by_inputs.values.chunks_exact(by_inputs.width).map(wide).collect();
    let embedding: Vec<Vec<f64>> =
        runner.network().embedding().chunks_exact(by_inputs.width).map(wide).collect();
    let embedding = Matrix::from_rows(&embedding).expect("rows of one length");
    let residues: Vec<u8> = (0..alphabet.len().min(20) as u8).collect();
    let decide = |sequences: &[Vec<u8>]| {
        let edited = edited(test, chosen, sequences);
        Ok(runner.answers(&edited)?.iter().map(|answer| decision(answer)).collect())
    };
    Ok(Some(Close {
        cell: run.cell,
        direction: run.direction,
        seed: run.seed,
        sample: chosen,
        id: test.ids[chosen].clone(),
        label: names[towards].clone(),
        said: names[said(chosen)].clone(),
        towards: names[towards].clone(),
        letters: sequence.iter().map(|&s| alphabet[usize::from(s)]).collect(),
        alphabet: alphabet.clone(),
        attribution: attribution(&embedding, sequence, &rows)?,
        substitutions: substitutions(&decide, sequence, &residues)?,
    }))
}

/// A set of the given sequences, all with the label of one.
fn edited(test: &Sequences, chosen: usize, edited: &[Vec<u8>]) -> Sequences {
    let mut set = test.select(&vec![chosen; edited.len()]);
    if let Inputs::Symbols { sequences, .. } = &mut set.inputs {
        sequences.clone_from_slice(edited);
    }
    set
}

/// The class with the largest score, other than one.
fn best(answer: &[f32], other_than: Option<usize>) -> usize {
    let classes = (0..answer.len()).filter(|&class| Some(class) != other_than);
    classes
        .reduce(|best, class| if answer[class] > answer[best] { class } else { best })
        .unwrap_or(0)
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}
