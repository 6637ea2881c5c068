//! `cutaway attribute`.

use std::path::PathBuf;

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::attribution::{self, Attribution, Method, Question};
use cutaway::explain::scores::{self, Bench, BenchRow, Randomised, ScoreSettings, Scores};
use ndarray::{Array3, Array4};
use serde_json::{Value, json};

use super::maps::{stack, whose};
use crate::args::{self, Common};
use crate::error::{Error, Result};
use crate::figures::attribute as pictures;
use crate::meter::Meter;
use crate::samples::{self, Sample};
use crate::{console, npy};

/// Images that expected gradients compare with.
const BACKGROUND: usize = 100;

/// One image and what the methods say of it.
pub(crate) struct Explained {
    pub(crate) sample: Sample,
    pub(crate) input: Array3<f32>,
    /// The predicted class and its probability.
    pub(crate) predicted: (usize, f32),
    pub(crate) attributions: Vec<Attribution>,
    /// Methods that were left out, and why.
    pub(crate) skipped: Vec<(String, String)>,
    /// One an attribution, where they were asked for.
    pub(crate) scores: Vec<Scores>,
    /// Of each attribution, one row a layer.
    pub(crate) randomised: Vec<Vec<Randomised>>,
}

pub(crate) fn run(verb: &args::Attribute, common: &Common) -> Result<()> {
    let model = super::open_model(&verb.model, common)?;
    let methods = methods(verb)?;
    if verb.sensitivity > 0 && !verb.score && verb.bench.is_none() {
        return Err(Error::Usage("--sensitivity needs --score or --bench".to_owned()));
    }
    if let Some(count) = verb.bench {
        return bench(&model, verb, common, &methods, count);
    }
    let target = verb.target.as_deref().map(|name| class(&model, name)).transpose()?;
    let named = !verb.samples.image.is_empty()
        || !verb.samples.sample.is_empty()
        || !verb.samples.digit.is_empty();
    // An image from a file needs no data set, unless a method was asked for that compares with one.
    let all = verb.method.iter().any(|name| name == "all");
    let compares = methods.iter().any(|m| m.name() == "expected-gradients") && (!all || !named);
    let default = [super::windows::default_class(&model, 8)];
    let chosen = samples::choose(&model, &verb.samples, common, &default, compares)?;
    let background = chosen.dataset.as_ref().map(|d| background(&model, d)).transpose()?;
    let methods = match &background {
        None if all => without_background(methods),
        _ => methods,
    };
    let ask = Asked { methods, skip: all, target, output: verb.output, background };
    let mut explained = Vec::new();
    for sample in chosen.samples {
        let mut one = ask.explain(&model, sample, common)?;
        if verb.score {
            one.scores = ask.score(&model, &one, verb.sensitivity, common)?;
        }
        if verb.randomise {
            one.randomised = ask.randomise(&model, &one, common)?;
        }
        explained.push(one);
    }
    super::make_folder(&verb.out)?;
    let (files, arrays) = write(&model, &explained, verb)?;
    if common.json {
        let dataset = chosen.dataset.as_ref();
        return console::print_json(&to_json(&model, &explained, dataset, common, &files, &arrays));
    }
    let mut text: String = explained.iter().map(|one| describe(&model, one)).collect();
    for file in files.iter().chain(arrays.iter().flatten()) {
        text += &format!("file: {}\n", file.display());
    }
    console::print(&text)
}

/// What is asked of every image.
pub(crate) struct Asked {
    pub(crate) methods: Vec<Method>,
    /// Whether a method that cannot treat the network is left out, with a word, instead of an error.
    pub(crate) skip: bool,
    /// The class; `None` for the predicted one.
    pub(crate) target: Option<usize>,
    pub(crate) output: attribution::Output,
    pub(crate) background: Option<Array4<f32>>,
}

impl Asked {
    /// Asks every method about a sample.
    pub(crate) fn explain(
        &self,
        model: &Model,
        sample: Sample,
        common: &Common,
    ) -> Result<Explained> {
        let input = sample.input(model)?;
        let batch = stack(std::slice::from_ref(&input));
        let probabilities = model.engine().predict(batch.view())?;
        let predicted = samples::best(&probabilities.row(0).to_vec());
        let class = self.target.unwrap_or(predicted.0);
        let (mut attributions, mut skipped) = (Vec::new(), Vec::new());
        for method in &self.methods {
            let meter = Meter::new(method.name(), common);
            let found = meter.watch(|progress| {
                let question = Question {
                    output: self.output,
                    seed: common.seed,
                    background: self.background.as_ref().map(|images| images.view()),
                    progress,
                    ..Question::new(model.engine())
                };
                attribution::attribute(&question, batch.view(), &[class], method)
            });
            match found {
                Ok(found) => attributions.extend(found),
                Err(error) if self.skip && leaves_out(&error) => {
                    console::say(&format!("note: {} is left out: {error}", method.name()));
                    skipped.push((method.name().to_owned(), error.to_string()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let (scores, randomised) = (Vec::new(), Vec::new());
        Ok(Explained { sample, input, predicted, attributions, skipped, scores, randomised })
    }

    /// The question, without its progress.
    fn question<'a>(&'a self, model: &'a Model, common: &Common) -> Question<'a> {
        Question {
            output: self.output,
            seed: common.seed,
            background: self.background.as_ref().map(|images| images.view()),
            ..Question::new(model.engine())
        }
    }

    fn score(
        &self,
        model: &Model,
        one: &Explained,
        sensitivity_samples: usize,
        common: &Common,
    ) -> Result<Vec<Scores>> {
        let settings = ScoreSettings { sensitivity_samples, ..ScoreSettings::default() };
        let question = self.question(model, common);
        let class = self.target.unwrap_or(one.predicted.0);
        Ok(scores::score(&question, one.input.view(), class, &one.attributions, &settings)?)
    }

    fn randomise(
        &self,
        model: &Model,
        one: &Explained,
        common: &Common,
    ) -> Result<Vec<Vec<Randomised>>> {
        let question = self.question(model, common);
        let class = self.target.unwrap_or(one.predicted.0);
        let of = |method| scores::randomisation(&question, one.input.view(), class, method);
        one.attributions.iter().map(|one| Ok(of(&one.parameters)?)).collect()
    }
}

/// Whether an error says that a method cannot treat this network, whatever the image.
fn leaves_out(error: &cutaway::explain::Error) -> bool {
    use cutaway::explain::Error as Explain;
    matches!(error, Explain::Operator { .. } | Explain::NoMaps { .. } | Explain::NoNumber { .. })
}

/// Ranks methods on the first test images, each of its true class.
fn bench(
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
    let dataset = super::open_data_for(model, &verb.samples.data.data, common)?;
    let most = dataset.test.len();
    if !(1..=most).contains(&count) {
        return Err(Error::Usage(format!(
            "--bench {count} is out of range: {} has {most} test images, give 1 to {most}",
            dataset.name
        )));
    }
    let meter = Meter::new("images", common);
    let bench = ranked(model, &dataset, methods, count, verb, common, &meter)?;
    super::make_folder(&verb.out)?;
    let files = vec![
        super::save(&pictures::ranking(&bench)?, &verb.out, "attribute-ranking")?,
        super::save(&pictures::agreement(&bench)?, &verb.out, "attribute-agreement")?,
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
    text += &super::windows::table(&BENCH_HEAD, &bench_rows(&bench));
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

/// The methods that were named, with the parameters that were given.
fn methods(verb: &args::Attribute) -> Result<Vec<Method>> {
    let mut methods: Vec<Method> = Vec::new();
    let default = if verb.bench.is_some() { "all" } else { "integrated-gradients" };
    let named = verb.method.iter().map(String::as_str);
    for name in named.chain(Some(default).filter(|_| verb.method.is_empty())) {
        let names = if name == "all" { Method::NAMES } else { &[name] };
        for name in names {
            let method: Method = name.parse().map_err(Error::Usage)?;
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
    }
    let mut apply = |flag: &str, set: &dyn Fn(&mut Method) -> bool| {
        // Not `any`: every method is to have it.
        let taken = methods.iter_mut().map(set).filter(|&taken| taken).count();
        match taken {
            0 => Err(Error::Usage(format!("none of the methods named has a use for {flag}"))),
            _ => Ok(()),
        }
    };
    if let Some(layer) = &verb.layer {
        apply("--layer", &|method| method.set_layer(layer))?;
    }
    if let Some(steps) = verb.steps {
        apply("--steps", &|method| method.set_steps(steps))?;
    }
    if let Some(draws) = verb.draws {
        apply("--samples", &|method| method.set_samples(draws))?;
    }
    if let Some(noise) = verb.noise {
        apply("--noise", &|method| method.set_noise(noise))?;
    }
    if verb.patch.is_some() || verb.stride.is_some() {
        apply("--patch and --stride", &|method| method.set_window(verb.patch, verb.stride))?;
    }
    if let Some(segments) = verb.segments {
        apply("--segments", &|method| method.set_segments(segments))?;
    }
    if let Some(baseline) = &verb.baseline {
        apply("--baseline", &|method| method.set_baseline(baseline))?;
    }
    Ok(methods)
}

fn without_background(methods: Vec<Method>) -> Vec<Method> {
    console::say(
        "note: expected-gradients is left out: it compares with a data set's images, give --data",
    );
    methods.into_iter().filter(|m| m.name() != "expected-gradients").collect()
}

/// A class by its label or its number.
fn class(model: &Model, name: &str) -> Result<usize> {
    let labels = &model.network().metadata().labels;
    if let Some(class) = labels.iter().position(|label| label == name) {
        return Ok(class);
    }
    let count = model.network().classes();
    match name.parse::<usize>() {
        Ok(class) if class < count => Ok(class),
        _ => Err(Error::Usage(format!(
            "--target {name}: expected one of the model's labels or a class from 0 to {}",
            count - 1
        ))),
    }
}

/// Evenly spaced training images, preprocessed; of a set without any, test images.
pub(crate) fn background(model: &Model, dataset: &Dataset) -> Result<Array4<f32>> {
    let images = if dataset.train.is_empty() { &dataset.test } else { &dataset.train };
    let count = images.len().min(BACKGROUND);
    let indices: Vec<usize> = (0..count).map(|i| i * images.len() / count).collect();
    let batch = model.input(images, &indices)?;
    batch.into_dimensionality().map_err(|_| {
        Error::Usage(format!("network '{}' does not take images", model.network().name()))
    })
}

/// Paths of the pictures, and for each image of the arrays (none without `--npy`).
type Files = (Vec<PathBuf>, Vec<Vec<PathBuf>>);

fn write(model: &Model, explained: &[Explained], verb: &args::Attribute) -> Result<Files> {
    let (mut files, mut arrays) = (Vec::new(), Vec::new());
    for one in explained {
        let tag = super::maps::tag(&one.sample);
        let whose = whose(model, &one.sample);
        for attribution in &one.attributions {
            let figure = pictures::single(model, one, attribution, &whose)?;
            let name = super::file_name(&attribution.method);
            files.push(super::save(&figure, &verb.out, &format!("attribute-{name}-{tag}"))?);
        }
        if one.attributions.len() > 1 {
            let figure = pictures::sheet(model, one, &whose)?;
            files.push(super::save(&figure, &verb.out, &format!("attribute-sheet-{tag}"))?);
        }
        let mut own = Vec::new();
        for attribution in one.attributions.iter().filter(|_| verb.npy) {
            let name = super::file_name(&attribution.method);
            let path = verb.out.join(format!("attribute-{name}-{tag}.npy"));
            npy::save(&path, &attribution.shape, &attribution.values)?;
            own.push(path);
        }
        arrays.push(own);
    }
    Ok((files, arrays))
}

fn to_json(
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

fn describe(model: &Model, one: &Explained) -> String {
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
    text += &super::windows::table(&HEAD, &rows);
    if !one.scores.is_empty() {
        let rows = one.attributions.iter().zip(&one.scores).map(|(a, s)| score_row(&a.method, s));
        text += &super::windows::table(&SCORE_HEAD, &rows.collect::<Vec<_>>());
    }
    if let Some(first) = one.randomised.first() {
        let layers = first.iter().map(|row| format!("to {}", row.layer));
        let head: Vec<String> = std::iter::once("redrawn".to_owned()).chain(layers).collect();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        let rows = one.attributions.iter().zip(&one.randomised).map(|(a, rows)| {
            let cells = rows.iter().map(|row| format!("{:.2}", row.rank_correlation));
            std::iter::once(a.method.clone()).chain(cells).collect()
        });
        text += &super::windows::table(&head, &rows.collect::<Vec<_>>());
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
