//! What `cutaway attribute` writes: pictures, arrays, JSON, tables.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::attribution::Attribution;
use cutaway::explain::scores::Scores;
use serde_json::{Value, json};

use super::super::maps::whose;
use super::{Explained, Lowered};
use crate::args::{self, Common};
use crate::error::Result;
use crate::figures::attribute as pictures;
use crate::npy;
use crate::samples::Sample;

/// Paths of the pictures, and for each image of the arrays (none without `--npy`).
pub(super) type Files = (Vec<PathBuf>, Vec<Vec<PathBuf>>);

/// Names that files get after their image, each another.
#[derive(Default)]
pub(super) struct Tags(HashSet<String>);

impl Tags {
    /// The image's own, with a number where another image has it already.
    pub(super) fn of(&mut self, sample: &Sample) -> String {
        let own = super::super::maps::tag(sample);
        let mut tag = own.clone();
        let mut number = 2;
        while !self.0.insert(tag.clone()) {
            tag = format!("{own}-{number}");
            number += 1;
        }
        tag
    }
}

pub(super) fn write(
    model: &Model,
    explained: &[Explained],
    verb: &args::Attribute,
) -> Result<Files> {
    let samples = explained.iter().map(|one| &one.sample);
    let mut files = super::super::save_inputs(model, samples, &verb.out)?;
    let (mut arrays, mut tags) = (Vec::new(), Tags::default());
    for one in explained {
        let tag = tags.of(&one.sample);
        for attribution in &one.attributions {
            files.push(write_single(model, one, attribution, &verb.out, &tag)?);
        }
        if one.attributions.len() > 1 {
            files.push(write_sheet(model, one, &verb.out, &tag)?);
        }
        arrays.push(write_arrays(one, verb, &tag)?);
    }
    Ok((files, arrays))
}

fn write_single(
    model: &Model,
    one: &Explained,
    attribution: &Attribution,
    out: &Path,
    tag: &str,
) -> Result<PathBuf> {
    let figure = pictures::single(model, one, attribution, &whose(model, &one.sample))?;
    let name = super::super::file_name(&attribution.method);
    super::super::save(&figure, out, &format!("attribute-{name}-{tag}"))
}

/// All methods in one picture; of a single method its picture.
pub(super) fn write_sheet(
    model: &Model,
    one: &Explained,
    out: &Path,
    tag: &str,
) -> Result<PathBuf> {
    if let [attribution] = &one.attributions[..] {
        return write_single(model, one, attribution, out, tag);
    }
    let figure = pictures::sheet(model, one, &whose(model, &one.sample))?;
    super::super::save(&figure, out, &format!("attribute-sheet-{tag}"))
}

/// The values as NumPy files, where `--npy` asks for them.
pub(super) fn write_arrays(
    one: &Explained,
    verb: &args::Attribute,
    tag: &str,
) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for attribution in one.attributions.iter().filter(|_| verb.npy) {
        let name = super::super::file_name(&attribution.method);
        let path = verb.out.join(format!("attribute-{name}-{tag}.npy"));
        npy::save(&path, &attribution.shape, &attribution.values)?;
        paths.push(path);
    }
    Ok(paths)
}

/// An image's attributions, with the paths of its arrays instead of the values where there are some.
pub(super) fn attributions_json(one: &Explained, arrays: &[PathBuf]) -> Vec<Value> {
    let of = |(i, attribution): (usize, &Attribution)| {
        let mut value = serde_json::to_value(attribution).expect("results serialise");
        if let Some(path) = arrays.get(i) {
            value["values"] = json!(path);
        }
        if let Some(scores) = one.scores.get(i) {
            value["scores"] = json!(scores);
        }
        if let Some(rows) = one.randomised.get(i) {
            value["randomisation"] = json!(rows);
        }
        value
    };
    one.attributions.iter().enumerate().map(of).collect()
}

/// The methods that could not treat the network.
pub(super) fn left_out_json(one: &Explained) -> Vec<Value> {
    one.skipped.iter().map(|(method, why)| json!({ "method": method, "why": why })).collect()
}

pub(super) fn to_json(
    model: &Model,
    explained: &[Explained],
    dataset: Option<&Dataset>,
    common: &Common,
    files: &[PathBuf],
    arrays: &[Vec<PathBuf>],
) -> Value {
    let mut attributions = Vec::new();
    for (one, arrays) in explained.iter().zip(arrays) {
        for mut value in attributions_json(one, arrays) {
            value["source"] = json!(one.sample.source);
            value["sample"] = json!(one.sample.index);
            value["label"] = json!(one.sample.label);
            value["predicted"] = json!(one.predicted.0);
            value["probability"] = json!(one.predicted.1);
            attributions.push(value);
        }
    }
    let mut all = json!({
        "model": model.source(), "model_hash": model.network().hash(), "seed": common.seed,
        "dataset": dataset.map(|dataset| &dataset.name), "pictures": files,
        "preprocessing": model.network().metadata().preprocessing,
        "answer": super::super::answering_node(model),
        "left_out": explained.iter().flat_map(left_out_json).collect::<Vec<_>>(),
        "lowered": explained.iter().flat_map(|one| &one.lowered).map(Lowered::to_json)
            .collect::<Vec<_>>()
    });
    let map = all.as_object_mut().expect("an object");
    if let [Value::Object(one)] = &mut attributions[..] {
        map.append(one);
    } else {
        map.insert(
            "sample".into(),
            json!(explained.iter().map(|e| e.sample.index).collect::<Vec<_>>()),
        );
        map.insert(
            "label".into(),
            json!(explained.iter().map(|e| e.sample.label).collect::<Vec<_>>()),
        );
        map.insert("attributions".into(), json!(attributions));
    }
    all
}

pub(super) fn describe(model: &Model, one: &Explained) -> String {
    let (class, probability) = one.predicted;
    let whose = whose(model, &one.sample);
    let mut text = format!("{whose}: predicted {} with {probability:.4}\n", model.label(class));
    if let Some(first) = one.attributions.first() {
        let target = &first.target;
        text += &format!(
            "explained: {} of ‘{}’ at {}, {:.4}\n",
            target.output,
            model.label(target.class),
            target.node,
            target.value
        );
    }
    for own in &one.lowered {
        text += &format!("lowered to fit the budget: {}, {} to {}\n", own.method, own.from, own.to);
    }
    let rows: Vec<Vec<String>> = one.attributions.iter().map(|a| row(model, a)).collect();
    text += &super::super::windows::table(&HEAD, &rows);
    text += &one.attributions.iter().filter_map(arrived).collect::<String>();
    if !one.scores.is_empty() {
        let rows = one.attributions.iter().zip(&one.scores).map(|(a, s)| score_row(&a.method, s));
        text += &super::super::windows::table(&SCORE_HEAD, &rows.collect::<Vec<_>>());
    }
    if let Some(first) = one.randomised.first() {
        let layers = first.iter().map(|row| format!("to {}", row.layer));
        let head: Vec<String> = std::iter::once("redrawn".to_owned()).chain(layers).collect();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        let rows = one.attributions.iter().zip(&one.randomised).map(|(a, rows)| {
            let cells = rows.iter().map(|row| format!("{:.2}", row.rank_correlation));
            std::iter::once(a.method.clone()).chain(cells).collect()
        });
        text += &super::super::windows::table(&head, &rows.collect::<Vec<_>>());
    }
    text
}

/// Of layer-wise relevance propagation: how much arrives at the image, and what took the rest.
fn arrived(attribution: &Attribution) -> Option<String> {
    let (absorbed, all) = (attribution.absorbed?, attribution.expected_sum?);
    Some(format!(
        "{}: of {all:.4} arrive {:.4}; biases took {:.4}, constants {:.4}, stabilisers {:.4}, \
         expansions {:.4}\n",
        attribution.method,
        attribution.sum,
        absorbed.biases,
        absorbed.constants,
        absorbed.stabilisers,
        absorbed.expansions
    ))
}

/// Heads of the table of scores.
const SCORE_HEAD: [&str; 8] = [
    "method",
    "deletion",
    "insertion",
    "infidelity",
    "ROAD",
    "sensitivity",
    "sparseness",
    "complexity",
];

fn score_row(method: &str, scores: &Scores) -> Vec<String> {
    let road = scores.road.iter().map(|p| p.probability).sum::<f64>() / scores.road.len() as f64;
    let numbers = [scores.deletion.auc, scores.insertion.auc, scores.infidelity.scaled, road];
    let mut row = vec![method.to_owned()];
    row.extend(numbers.map(|x| format!("{x:.3}")));
    row.push(scores.max_sensitivity.map_or("–".to_owned(), |x| format!("{x:.3}")));
    row.extend([scores.sparseness, scores.complexity].map(|x| format!("{x:.3}")));
    row
}

/// Heads of the table of attributions.
pub(super) const HEAD: [&str; 7] =
    ["method", "asked", "sum", "should be", "error", "evaluations", "seconds"];

/// A method's row of the table.
pub(super) fn row(model: &Model, attribution: &Attribution) -> Vec<String> {
    let number = |x: f64| format!("{x:.4}");
    let asked = attribution.parameters.counts(model.network());
    vec![
        attribution.method.clone(),
        if asked.is_empty() { "–".to_owned() } else { asked },
        number(attribution.sum),
        attribution.expected_sum.map_or("–".to_owned(), number),
        attribution.error.map_or("–".to_owned(), |x| format!("{x:.1e}")),
        attribution.evaluations.to_string(),
        format!("{:.3}", attribution.seconds),
    ]
}
