//! `cutaway predict`.

use cutaway::Model;
use cutaway::net::Preprocessing;
use serde::Serialize;

use crate::args::{Common, Predict};
use crate::console;
use crate::error::Result;
use crate::samples::{self, Sample};

/// What the model says of one image.
#[derive(Serialize)]
struct Prediction {
    source: String,
    /// Its place in the test set, where it stands in one.
    sample: Option<usize>,
    /// The image's class, where it is known.
    label: Option<String>,
    predicted: String,
    probability: f32,
    probabilities: Vec<f32>,
    preprocessing: Preprocessing,
    /// The node whose numbers they are.
    answer: String,
    /// The file's picture beside the network's input, where one was written.
    picture: Option<std::path::PathBuf>,
}

pub(crate) fn run(verb: &Predict, common: &Common) -> Result<()> {
    let mut args = verb.samples.clone();
    args.image = [verb.files.clone(), args.image].concat();
    let model = super::open_model_on(&verb.model, &args, common)?;
    let nothing_named = args.image.is_empty() && args.sample.is_empty() && args.digit.is_empty();
    let mut chosen = samples::choose(&model, &args, common, &[], nothing_named)?;
    if let (true, Some(dataset)) = (nothing_named, &chosen.dataset) {
        let first = 0..dataset.test.len().min(10);
        chosen.samples = first.map(|i| samples::from_test(dataset, i)).collect::<Result<_>>()?;
    }
    let mut predictions: Vec<Prediction> =
        chosen.samples.iter().map(|sample| predict(&model, sample)).collect::<Result<_>>()?;
    if let Some(folder) = &verb.out {
        super::make_folder(folder)?;
        for (prediction, sample) in predictions.iter_mut().zip(&chosen.samples) {
            prediction.picture = super::save_inputs(&model, [sample], folder)?.pop();
        }
    }
    if common.json {
        return console::print_json(&predictions);
    }
    console::print(&predictions.iter().map(|p| line(&model, p)).collect::<String>())
}

fn predict(model: &Model, sample: &Sample) -> Result<Prediction> {
    let probabilities = model.predict(&sample.pixels, &[0])?.row(0).to_vec();
    samples::say_if_flat(model, sample, &probabilities)?;
    let (class, probability) = samples::best(&probabilities);
    Ok(Prediction {
        source: sample.source.clone(),
        sample: sample.index,
        label: sample.label.map(|label| model.label(label)),
        predicted: model.label(class),
        probability,
        probabilities,
        preprocessing: model.network().metadata().preprocessing.clone(),
        answer: super::answering_node(model).to_owned(),
        picture: None,
    })
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
    let picture = p.picture.as_ref().map(|path| format!("  picture: {}\n", path.display()));
    format!("{}: {}{truth}\n{}", p.source, top.join("   "), picture.unwrap_or_default())
}
