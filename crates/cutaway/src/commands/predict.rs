//! `cutaway predict`.

use cutaway::Model;
use cutaway::data::Images;
use serde::Serialize;

use crate::args::{Common, Predict};
use crate::console;
use crate::error::{Error, Result};

/// What the model says of one image.
#[derive(Serialize)]
struct Prediction {
    source: String,
    /// The image's class, where it is known.
    label: Option<String>,
    predicted: String,
    probability: f32,
    probabilities: Vec<f32>,
}

pub(crate) fn run(verb: &Predict, common: &Common) -> Result<()> {
    let model = super::open_model(&verb.model.model, common)?;
    let mut predictions = Vec::new();
    for file in &verb.files {
        let mut images = model.picture(file, verb.resize)?;
        if verb.invert {
            images.pixels.iter_mut().for_each(|p| *p = 255 - *p);
        }
        predictions.push(predict(&model, &images, 0, file.display().to_string(), false)?);
    }
    if !verb.sample.is_empty() || !verb.digit.is_empty() || verb.files.is_empty() {
        let dataset = super::open_data(&verb.data.data, common)?;
        let mut samples = verb.sample.clone();
        for &class in &verb.digit {
            samples.push(first_correct(&model, &dataset.test, class)?);
        }
        if samples.is_empty() {
            samples = (0..dataset.test.len().min(10)).collect();
        }
        for index in samples {
            if index >= dataset.test.len() {
                return Err(Error::Usage(format!(
                    "--sample {index} is out of range: {} has test samples 0 to {}",
                    dataset.name,
                    dataset.test.len() - 1
                )));
            }
            let source = format!("{} test sample {index}", dataset.name);
            predictions.push(predict(&model, &dataset.test, index, source, true)?);
        }
    }
    if common.json {
        return console::print_json(&predictions);
    }
    console::print(&predictions.iter().map(|p| line(&model, p)).collect::<String>())
}

/// The first test sample of a class that the model classifies correctly.
fn first_correct(model: &Model, images: &Images, class: usize) -> Result<usize> {
    let of_class = (0..images.len()).filter(|&i| images.label(i) == class);
    for index in of_class {
        if best(&model.predict(images, &[index])?.row(0).to_vec()).0 == class {
            return Ok(index);
        }
    }
    Err(Error::Usage(format!(
        "--digit {class}: the test set has no sample of this class that the model gets right"
    )))
}

fn best(probabilities: &[f32]) -> (usize, f32) {
    let all = probabilities.iter().copied().enumerate();
    all.fold((0, f32::NEG_INFINITY), |best, (i, p)| if p > best.1 { (i, p) } else { best })
}

fn predict(
    model: &Model,
    images: &Images,
    index: usize,
    source: String,
    labelled: bool,
) -> Result<Prediction> {
    let probabilities = model.predict(images, &[index])?.row(0).to_vec();
    let (class, probability) = best(&probabilities);
    let label = labelled.then(|| model.label(images.label(index)));
    Ok(Prediction { source, label, predicted: model.label(class), probability, probabilities })
}

/// The three most probable classes.
fn line(model: &Model, p: &Prediction) -> String {
    let mut order: Vec<usize> = (0..p.probabilities.len()).collect();
    order.sort_by(|&a, &b| p.probabilities[b].total_cmp(&p.probabilities[a]));
    let top: Vec<String> = order
        .iter()
        .take(3)
        .map(|&class| format!("{} {:.4}", model.label(class), p.probabilities[class]))
        .collect();
    let truth = match &p.label {
        Some(label) if *label == p.predicted => format!("  (right: it is {label})"),
        Some(label) => format!("  (WRONG: it is {label})"),
        None => String::new(),
    };
    format!("{}: {}{truth}\n", p.source, top.join("   "))
}
