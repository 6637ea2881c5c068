//! What `cutaway attribute` writes: pictures, arrays, JSON, tables.

use std::path::PathBuf;

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::attribution::Attribution;
use cutaway::explain::scores::Scores;
use serde_json::{Value, json};

use super::super::maps::whose;
use super::Explained;
use crate::args::{self, Common};
use crate::error::Result;
use crate::figures::attribute as pictures;
use crate::npy;

/// Paths of the pictures, and for each image of the arrays (none without `--npy`).
pub(super) type Files = (Vec<PathBuf>, Vec<Vec<PathBuf>>);

pub(super) fn write(
    model: &Model,
    explained: &[Explained],
    verb: &args::Attribute,
) -> Result<Files> {
    let (mut files, mut arrays) = (Vec::new(), Vec::new());
    for one in explained {
        let tag = super::super::maps::tag(&one.sample);
        let whose = whose(model, &one.sample);
        for attribution in &one.attributions {
            let figure = pictures::single(model, one, attribution, &whose)?;
            let name = super::super::file_name(&attribution.method);
            files.push(super::super::save(&figure, &verb.out, &format!("attribute-{name}-{tag}"))?);
        }
        if one.attributions.len() > 1 {
            let figure = pictures::sheet(model, one, &whose)?;
            files.push(super::super::save(&figure, &verb.out, &format!("attribute-sheet-{tag}"))?);
        }
        let mut own = Vec::new();
        for attribution in one.attributions.iter().filter(|_| verb.npy) {
            let name = super::super::file_name(&attribution.method);
            let path = verb.out.join(format!("attribute-{name}-{tag}.npy"));
            npy::save(&path, &attribution.shape, &attribution.values)?;
            own.push(path);
        }
        arrays.push(own);
    }
    Ok((files, arrays))
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
        for (i, attribution) in one.attributions.iter().enumerate() {
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
        "left_out": explained.iter().flat_map(|one| &one.skipped)
            .map(|(method, why)| json!({ "method": method, "why": why })).collect::<Vec<_>>()
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
    let rows: Vec<Vec<String>> = one.attributions.iter().map(row).collect();
    text += &super::super::windows::table(&HEAD, &rows);
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
pub(crate) const HEAD: [&str; 6] =
    ["method", "sum", "should be", "error", "evaluations", "seconds"];

/// A method's row of the table.
pub(crate) fn row(attribution: &Attribution) -> Vec<String> {
    let number = |x: f64| format!("{x:.4}");
    vec![
        attribution.method.clone(),
        number(attribution.sum),
        attribution.expected_sum.map_or("–".to_owned(), number),
        attribution.error.map_or("–".to_owned(), |x| format!("{x:.1e}")),
        attribution.evaluations.to_string(),
        format!("{:.3}", attribution.seconds),
    ]
}
