//! The sequences that networks are compared on.

use std::path::Path;

use cutaway::data::sequences::protein_like::ProteinLike;
use cutaway::data::sequences::{
    ProteinOptions, ProteinReport, Sequences, Similarity, SimilarityReport, SplitOptions, Targets,
    open_proteins, remove_similar, split, tasks,
};
use cutaway::recurrent::experiment::Parts;

use crate::args::{Common, Sequence};
use crate::console;
use crate::error::{Error, Result};

/// Sequences of an exact task that are made by default.
const MADE: usize = 3000;
/// Symbols among which one is to be recalled.
const RECALLED: usize = 8;
/// Symbols that copying shows and asks for, together.
const COPIED: usize = 20;
/// The least that `--longest` may be: a signal and something behind it.
const SHORTEST: usize = 100;
/// What is made without files.
const NAMES: [&str; 4] = ["protein-like", "adding", "copying", "recall"];
/// Shares of the validation and of the test set.
const VALIDATION: f64 = 0.15;
const TEST: f64 = 0.2;

/// Sequences, how they were come by, and how they are split.
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) hash: String,
    /// One sentence: what they are.
    pub(crate) what: String,
    pub(crate) parts: Parts,
    pub(crate) proteins: Option<ProteinReport>,
    pub(crate) similar: Option<SimilarityReport>,
    /// The loss of an answer that has learnt nothing from the sequence, where it is known.
    pub(crate) known_baseline: Option<f64>,
}

impl Task {
    /// The classes' names; none where numbers are asked for.
    pub(crate) fn classes(&self) -> &[String] {
        match &self.parts.test.targets {
            Targets::Classes { names, .. } | Targets::Steps { names, .. } => names,
            Targets::Numbers(_) => &[],
        }
    }
}

/// Makes or opens what `--data` says.
pub(crate) fn open(verb: &Sequence, common: &Common) -> Result<Task> {
    let seed = common.seed;
    let count = verb.limit.unwrap_or(MADE);
    if count < 20 {
        return Err(Error::Usage(format!("--limit {count}: expected at least 20 sequences")));
    }
    let length = verb.length;
    check(verb)?;
    match verb.data.as_str() {
        "protein-like" => {
            let made =
                ProteinLike { count, max_length: verb.longest, seed, ..ProteinLike::default() };
            let what = "made-up sequences, of which half begin with a signal as secreted proteins do; none is a protein";
            task(made.generate()?, what, None, seed)
        }
        "adding" => {
            let what = "numbers of which two are marked, in either half one; asked: their sum";
            task(tasks::adding(count, length, seed)?, what, Some(tasks::adding_baseline()), seed)
        }
        "copying" => {
            let blank = length - COPIED;
            let baseline = tasks::copying_baseline(blank);
            let what = "ten symbols, a long gap, a marker; asked: the ten symbols";
            task(tasks::copying(count, blank, seed)?, what, Some(baseline), seed)
        }
        "recall" => {
            let delay = length - 2;
            let baseline = tasks::recall_baseline(RECALLED);
            let what = "a symbol, distractors, a question; asked: the symbol";
            task(tasks::recall(count, RECALLED, delay, seed)?, what, Some(baseline), seed)
        }
        path => proteins(verb, Path::new(path), common),
    }
}

/// Refuses flags that the data cannot follow.
fn check(verb: &Sequence) -> Result<()> {
    let least = match verb.data.as_str() {
        "adding" => 2,
        "copying" => COPIED + 1,
        "recall" => 2,
        _ => 0,
    };
    let problem = if verb.length < least {
        format!("--length {}: {} needs at least {least} steps", verb.length, verb.data)
    } else if verb.data == "protein-like" && verb.longest < SHORTEST {
        format!("--longest {}: expected at least {SHORTEST}", verb.longest)
    } else if NAMES.contains(&verb.data.as_str()) && !verb.classes.is_empty() {
        format!(
            "--classes: {0} has classes of its own; for a folder of that name give ./{0}",
            verb.data
        )
    } else {
        return Ok(());
    };
    Err(Error::Usage(problem))
}

fn task(all: Sequences, what: &str, known_baseline: Option<f64>, seed: u64) -> Result<Task> {
    let options = SplitOptions { validation: VALIDATION, test: TEST, seed };
    let parts = Parts::of(&all, &split(&all, &options)?);
    Ok(Task {
        name: all.name.clone(),
        hash: all.content_hash(),
        what: what.to_owned(),
        parts,
        proteins: None,
        similar: None,
        known_baseline,
    })
}

fn proteins(verb: &Sequence, path: &Path, common: &Common) -> Result<Task> {
    if !path.exists() {
        return Err(Error::Usage(format!(
            "--data {}: neither one of the names protein-like, adding, copying, recall nor a file or folder that \
             exists",
            path.display()
        )));
    }
    let options = ProteinOptions {
        classes: verb.classes.clone(),
        min_length: 10,
        max_length: verb.longest,
        max_per_class: verb.limit,
        seed: common.seed,
        ..ProteinOptions::default()
    };
    let opened = open_proteins(path, &options)?;
    let (mut all, mut similar) = (opened.sequences, None);
    if !verb.keep_duplicates {
        if !common.quiet {
            console::say("leaving out near-duplicates ...");
        }
        let (kept, report) = remove_similar(&all, &Similarity::default())?;
        all = all.select(&kept);
        similar = Some(report);
    }
    let what = format!("proteins of {}", path.display());
    let task = task(all, &what, None, common.seed)?;
    Ok(Task { proteins: Some(opened.report), similar, ..task })
}
