//! `cutaway sequence`: networks that read sequences, compared, and how each of them remembers.

mod task;
pub(crate) mod text;
mod work;

pub(crate) use task::Task;
pub(crate) use work::{Close, Echo, Findings, Flow, Wanted, findings, name};

use std::fmt::Display;
use std::str::FromStr;

use clap::Parser;
use cutaway::net::TrainingRecord;
use cutaway::recurrent::experiment::Plan;
use cutaway::recurrent::network::{Direction, Readout, RunnerOptions};
use cutaway::recurrent::onnx::{self, SequenceModel};
use cutaway::recurrent::reservoir::Settings;
use cutaway::recurrent::training::Optimiser;
use serde_json::{Value, json};

use crate::args::{Common, Sequence};
use crate::error::{Error, Result};
use crate::{console, figures};

/// Seconds of training of a run that is not told.
const SECONDS: f64 = 4.0;
/// Learning rates by default.
const ADAM: f32 = 0.003;
const SGD: f32 = 0.1;
const MOMENTUM: f32 = 0.9;

/// What a study asks of the synthetic task: small networks, a few epochs, seconds in all.
const STUDY_FLAGS: &str =
    "--data protein-like --limit 1200 --longest 600 --hidden 32 --units 300 --seeds 1 --epochs 6";

pub(crate) fn run(verb: &Sequence, common: &Common) -> Result<()> {
    let wanted = wanted(verb, common)?;
    let model = verb.model.as_ref().map(onnx::load).transpose()?;
    let found = on_threads(common, || -> Result<Findings> {
        let task = task::open(verb, common)?;
        match &model {
            Some(model) => work::look(task, model, &wanted),
            None => findings(task, &wanted),
        }
    })?;
    super::make_folder(&verb.out)?;
    for (name, figure) in figures::sequence::all(&found)? {
        figures::save(&verb.out, &name, &figure)?;
    }
    let results = to_json(&found, common.seed);
    super::write_json(&verb.out.join("sequence.json"), &results)?;
    if verb.model.is_none() {
        save(&found, &wanted, verb, common)?;
    }
    if common.json {
        return console::print_json(&results);
    }
    console::print(&text::of(&found))?;
    if !common.quiet {
        console::say(&format!("figures, networks and sequence.json in {}", verb.out.display()));
    }
    Ok(())
}

/// Runs `work` on as many threads as are asked for.
fn on_threads<T: Send>(common: &Common, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(common.threads).build();
    pool.map_err(|e| Error::Usage(format!("--threads {}: {e}", common.threads)))?.install(work)
}

/// The findings that a study tells of.
pub(crate) fn for_study(common: &Common) -> Result<Findings> {
    let line = format!("cutaway sequence {STUDY_FLAGS}");
    let args = crate::args::Args::try_parse_from(line.split(' ')).expect("flags that are ours");
    let crate::args::Verb::Sequence(verb) = args.verb else { unreachable!("the verb is ours") };
    let wanted = wanted(&verb, common)?;
    on_threads(common, || findings(task::open(&verb, common)?, &wanted))
}

/// The command that makes the same again.
pub(crate) fn study_command(common: &Common, out: &str) -> String {
    format!("cutaway sequence {STUDY_FLAGS} --seed {} --out {out}", common.seed)
}

/// What the flags ask for.
fn wanted(verb: &Sequence, common: &Common) -> Result<Wanted> {
    let readout = match verb.readout.as_str() {
        "last" => Readout::Last,
        "mean" => Readout::Mean,
        "max" => Readout::Max,
        other => {
            let problem = format!("--readout {other}: expected last, mean or max");
            return Err(Error::Usage(problem));
        }
    };
    if verb.clip.is_nan() || verb.clip < 0.0 {
        let problem =
            format!("--clip {}: expected a number above 0, or 0 for no clipping", verb.clip);
        return Err(Error::Usage(problem));
    }
    if verb.seeds == 0 || verb.cells.is_empty() || verb.directions.is_empty() {
        return Err(Error::Usage(
            "nothing to run: give at least one of --cells, --directions and --seeds".to_owned(),
        ));
    }
    let mut plan = Plan {
        hidden: verb.hidden,
        layers: verb.layers,
        readout,
        runner: RunnerOptions { threads: common.threads, isa: common.engine()?.isa },
        ..Plan::default()
    };
    plan.reservoir = Settings {
        units: verb.units,
        spectral_radius: verb.radius,
        leak: verb.leak,
        input_scaling: verb.input_scaling,
        density: verb.density,
        ..Settings::default()
    };
    let training = &mut plan.training;
    training.optimiser = match verb.optimizer.as_str() {
        "adam" => Optimiser::adam(verb.rate.unwrap_or(ADAM)),
        "sgd" => Optimiser::sgd(verb.rate.unwrap_or(SGD), MOMENTUM),
        other => {
            return Err(Error::Usage(format!("--optimizer {other}: expected adam or sgd")));
        }
    };
    training.clip = (verb.clip != 0.0).then_some(verb.clip);
    training.truncate = verb.truncate;
    training.epochs = verb.epochs;
    training.seconds = verb.epochs.is_none().then(|| verb.seconds.unwrap_or(SECONDS));
    Ok(Wanted {
        plan,
        kinds: each_once("cells", parsed("cells", &verb.cells)?)?,
        directions: each_once("directions", directions(&verb.directions)?)?,
        seeds: (0..verb.seeds).map(|k| common.seed.wrapping_add(k)).collect(),
        sample: verb.sample,
        quiet: common.quiet || common.json,
        map: true,
    })
}

fn parsed<T: FromStr<Err = String>>(flag: &str, names: &[String]) -> Result<Vec<T>> {
    let one = |name: &String| name.parse().map_err(|e| Error::Usage(format!("--{flag}: {e}")));
    names.iter().map(one).collect()
}

/// Refuses a list with the same twice: its runs would be taken for runs with another seed.
fn each_once<T: PartialEq + Display>(flag: &str, all: Vec<T>) -> Result<Vec<T>> {
    match all.iter().enumerate().find(|(k, one)| all[..*k].contains(one)) {
        Some((_, one)) => {
            Err(Error::Usage(format!("--{flag}: {one} stands there twice; name each once")))
        }
        None => Ok(all),
    }
}

fn directions(names: &[String]) -> Result<Vec<Direction>> {
    let one = |name: &String| match name.as_str() {
        "forward" => Ok(Direction::Forward),
        "reverse" => Ok(Direction::Reverse),
        "both" => Ok(Direction::Both),
        other => {
            Err(Error::Usage(format!("--directions {other}: expected forward, reverse or both")))
        }
    };
    names.iter().map(one).collect()
}

/// Writes the first network of each kind and direction.
fn save(found: &Findings, wanted: &Wanted, verb: &Sequence, common: &Common) -> Result<()> {
    use cutaway::data::sequences::Inputs;
    let alphabet = match &found.task.parts.train.inputs {
        Inputs::Symbols { alphabet, .. } => alphabet.clone(),
        Inputs::Values { .. } => Vec::new(),
    };
    let command = text::command(verb, common);
    for (name, network) in &found.networks {
        let training = found.runs.iter().find(|r| format!("{}-{}", r.cell, r.direction) == *name);
        let model = SequenceModel {
            name: name.clone(),
            alphabet: alphabet.clone(),
            labels: found.task.classes().to_vec(),
            training: training.map(|run| TrainingRecord {
                dataset: found.task.name.clone(),
                recipe: format!("{:?}", wanted.plan.training.optimiser),
                seed: run.seed,
                epochs: run.epochs,
                dataset_hash: found.task.hash.clone(),
                test_accuracy: run.accuracy,
                command: command.clone(),
            }),
            ..SequenceModel::new(network.clone())
        };
        onnx::save(&model, verb.out.join(format!("{name}.onnx")))?;
    }
    Ok(())
}

/// The documented object of `sequence --json`.
pub(crate) fn to_json(found: &Findings, seed: u64) -> Value {
    let Task { name, hash, parts, proteins, similar, known_baseline, .. } = &found.task;
    json!({
        "model": found.compared.iter().map(|c| work::name(c.cell, c.direction)).collect::<Vec<_>>(),
        "model_hash": found.networks.iter().map(|(_, n)| n.hash()).collect::<Vec<_>>(),
        "dataset": name, "dataset_hash": hash, "seed": seed,
        "classes": found.task.classes(),
        "sequences": {
            "train": parts.train.len(), "validation": parts.validation.len(), "test": parts.test.len()
        },
        "proteins": proteins, "similar": similar,
        "known_baseline": known_baseline,
        "baselines": found.baselines,
        "runs": found.runs, "compared": found.compared,
        "flows": found.flows, "echo": found.echo, "close": found.close,
        "notes": found.notes
    })
}
