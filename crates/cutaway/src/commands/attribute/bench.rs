//! `cutaway attribute --bench`: methods ranked on many images.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::attribution::{Method, Question};
use cutaway::explain::scores::{self, Bench, BenchRow, ScoreSettings};
use ndarray::Array4;
use serde_json::json;

use super::choice::background;
use crate::args::{self, Common};
use crate::console;
use crate::error::{Error, Result};
use crate::figures::attribute as pictures;
use crate::meter::Meter;

/// Ranks methods on the first test images, each of its true class.
pub(super) fn bench(
    model: &Model,
    verb: &args::Attribute,
    common: &Common,
    methods: &[Method],
    count: usize,
) -> Result<()> {
    let images_named = !verb.samples.image.is_empty()
        || !verb.samples.sample.is_empty()
        || !verb.samples.digit.is_empty();
    if images_named || verb.target.is_some() {
        return Err(Error::Usage(
            "--bench takes the first test images, each of its own class; leave --sample, --digit, \
             --image and --target out"
                .to_owned(),
        ));
    }
    let dataset = super::super::open_data_for(model, &verb.samples.data.data, common)?;
    let most = dataset.test.len();
    if !(1..=most).contains(&count) {
        return Err(Error::Usage(format!(
            "--bench {count} is out of range: {} has {most} test images, give 1 to {most}",
            dataset.name
        )));
    }
    let meter = Meter::new("images", common);
    let bench = ranked(model, &dataset, methods, count, verb, common, &meter)?;
    super::super::make_folder(&verb.out)?;
    let files = vec![
        super::super::save(&pictures::ranking(&bench)?, &verb.out, "attribute-ranking")?,
        super::super::save(&pictures::agreement(&bench)?, &verb.out, "attribute-agreement")?,
    ];
    if common.json {
        let mut all = json!({
            "model": model.source(), "model_hash": model.network().hash(), "seed": common.seed,
            "dataset": dataset.name, "sample": null, "label": null, "pictures": files
        });
        let bench = serde_json::to_value(&bench).expect("results serialise");
        let bench = bench.as_object().expect("a struct").clone();
        all.as_object_mut().expect("an object").extend(bench);
        return console::print_json(&all);
    }
    let mut text = format!("{} on the first {count} test images\n", dataset.name);
    text += &super::super::windows::table(&BENCH_HEAD, &bench_rows(&bench));
    for file in &files {
        text += &format!("file: {}\n", file.display());
    }
    console::print(&text)
}

fn ranked(
    model: &Model,
    dataset: &Dataset,
    methods: &[Method],
    count: usize,
    verb: &args::Attribute,
    common: &Common,
    meter: &Meter,
) -> Result<Bench> {
    let background = background(model, dataset)?;
    let settings =
        ScoreSettings { sensitivity_samples: verb.sensitivity, ..ScoreSettings::default() };
    meter.watch(|progress| {
        let question = Question {
            output: verb.output,
            seed: common.seed,
            background: Some(background.view()),
            progress,
            ..Question::new(model.engine())
        };
        rank_on_first(model, dataset, methods, count, &question, &settings)
    })
}

/// [`scores::bench`] on the first test images.
pub(crate) fn rank_on_first(
    model: &Model,
    dataset: &Dataset,
    methods: &[Method],
    count: usize,
    question: &Question<'_>,
    settings: &ScoreSettings,
) -> Result<Bench> {
    let indices: Vec<usize> = (0..count).collect();
    let batch = model.input(&dataset.test, &indices)?;
    let batch: Array4<f32> = batch.into_dimensionality().map_err(|_| {
        Error::Usage(format!("network '{}' does not take images", model.network().name()))
    })?;
    let classes: Vec<usize> = indices.iter().map(|&i| dataset.test.label(i)).collect();
    Ok(scores::bench(question, batch.view(), &classes, methods, settings)?)
}

/// Heads of the table of a bench.
pub(crate) const BENCH_HEAD: [&str; 9] = [
    "method",
    "mean rank",
    "deletion",
    "insertion",
    "infidelity",
    "ROAD",
    "sparseness",
    "complexity",
    "seconds",
];

/// A bench as a table.
pub(crate) fn bench_rows(bench: &Bench) -> Vec<Vec<String>> {
    let row = |row: &BenchRow| {
        let mut cells = vec![row.method.clone(), format!("{:.1}", row.mean_rank)];
        cells.extend(row.criteria.iter().map(|c| format!("{:.3}", c.mean)));
        cells.push(format!("{:.3}", row.seconds));
        cells
    };
    bench.methods.iter().map(row).collect()
}
