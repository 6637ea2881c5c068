//! `cutaway attribute`.

use std::path::PathBuf;

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::attribution::{self, Attribution, Method, Question};
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
}

pub(crate) fn run(verb: &args::Attribute, common: &Common) -> Result<()> {
    let model = super::open_model(&verb.model.model, common)?;
    let methods = methods(verb)?;
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
    let ask = Asked { methods, target, output: verb.output, background };
    let mut explained = Vec::new();
    for sample in chosen.samples {
        explained.push(ask.explain(&model, sample, common)?);
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
        let mut attributions = Vec::new();
        for method in &self.methods {
            let meter = Meter::new(method.name(), common);
            attributions.extend(meter.watch(|progress| {
                let question = Question {
                    output: self.output,
                    seed: common.seed,
                    background: self.background.as_ref().map(|images| images.view()),
                    progress,
                    ..Question::new(model.engine())
                };
                attribution::attribute(&question, batch.view(), &[class], method)
            })?);
        }
        Ok(Explained { sample, input, predicted, attributions })
    }
}

/// The methods that were named, with the parameters that were given.
fn methods(verb: &args::Attribute) -> Result<Vec<Method>> {
    let mut methods: Vec<Method> = Vec::new();
    for name in &verb.method {
        let names = if name == "all" { Method::NAMES } else { &[name.as_str()] };
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
        "dataset": dataset.map(|dataset| &dataset.name), "pictures": files
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
    text + &super::windows::table(&HEAD, &rows)
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
