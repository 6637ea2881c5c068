//! Chapters of the report: each turns results into text, figures and tables.

pub(crate) mod attack;
pub(crate) mod attribute;
pub(crate) mod corrupt;
mod filters;
mod inside;
mod maps;
pub(crate) mod occlude;
pub(crate) mod published;
pub(crate) mod rnn;
pub(crate) mod sequence;
pub(crate) mod shift;
pub(crate) mod transplant;
pub(crate) mod units;
pub(crate) mod visualise;
pub(crate) mod windows;

pub(crate) use inside::Inside;

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::net::Summary;
use cutaway::report::{Chapter, number};
use cutaway::train::{Evaluation, TrainReport};

use crate::commands::{epochs, wrong};
use crate::error::Result;
use crate::figures;

/// The network, layer by layer.
pub(crate) fn network(model: &Model, summary: &Summary, ask: &str) -> Result<Chapter> {
    let head = ["layer", "type", "output", "parameters", "multiply-adds", "sees"];
    let rows = summary.layers.iter().map(|layer| {
        let shape: Vec<String> = layer.output_shape.iter().map(ToString::to_string).collect();
        let [h, w] = layer.receptive_field.size;
        vec![
            layer.name.clone(),
            layer.kind.clone(),
            shape.join(" × "),
            number::count(layer.params),
            number::count(layer.macs),
            format!("{h} × {w}"),
        ]
    });
    Ok(Chapter::new("The network")
        .text(&format!(
            "{} parameters, {} multiply-adds for one image. “Sees” is the receptive field: how many \
             pixels of the image one number of the layer depends on.",
            number::count(summary.total_params),
            number::count(summary.total_macs)
        ))
        .table(&head, &rows.collect::<Vec<_>>())
        .figure(
            &figures::network(model, summary)?,
            "The layers from top to bottom with the shape of their output and the number of their \
             parameters; one colour a type.",
            &format!("cutaway summary {ask}"),
        ))
}

/// How it learnt.
pub(crate) fn training(report: &TrainReport, command: &str) -> Result<Chapter> {
    let last = report.epochs.last();
    let speed = last.map_or(0.0, |e| e.images_per_second);
    Ok(Chapter::new("Learning")
        .text(&format!(
            "Recipe “{}”, seed {}: {} over {} images of {}, {:.0} seconds in all, {} \
             images a second in the last epoch.",
            report.recipe,
            report.seed,
            epochs(report.epochs.len()),
            number::count(report.train_images as u64),
            report.dataset,
            report.seconds,
            number::count(speed.round() as u64)
        ))
        .figure(
            &figures::loss_curve(&report.epochs)?,
            "Mean cross-entropy of each epoch’s images, as distorted and before their batch was \
             learnt (with label smoothing where the recipe has it); logarithmic scale.",
            command,
        )
        .figure(
            &figures::accuracy_curve(&report.epochs)?,
            "Share of the training images classified correctly, as distorted and before their \
             batch was learnt: it lies below what the finished network reaches.",
            command,
        ))
}

/// How good it is.
pub(crate) fn evaluation(
    model: &Model,
    dataset: &Dataset,
    e: &Evaluation,
    command: &str,
) -> Result<Chapter> {
    let published = match (dataset.name.as_str(), e.count) {
        ("mnist", 10_000) => " The reference study published 99.42 % for this network on MNIST.",
        _ => "",
    };
    let head = ["class", "images", "precision", "recall", "F1"];
    let percent = |x: Option<f64>| x.map_or("–".to_owned(), |x| number::percent(x, 2));
    let rows = e.per_class.iter().map(|c| {
        let scores = [c.precision, c.recall, c.f1].map(percent);
        [vec![model.label(c.class), number::count(c.support)], scores.to_vec()].concat()
    });
    Ok(Chapter::new("How good it is")
        .text(&format!(
            "On the {} test images of {}: accuracy {}, {} wrong, mean loss {:.4} nats.{published}",
            number::count(e.count as u64),
            dataset.name,
            number::percent(e.accuracy, 2),
            wrong(e),
            e.loss
        ))
        .table(&head, &rows.collect::<Vec<_>>())
        .figure(
            &figures::confusion(model, e)?,
            "Numbers of test images: rows are true classes, columns predictions. Colour is the \
             share of the row on a logarithmic scale from 0.1 to 100 %.",
            command,
        )
        .text(&format!(
            "Its expected calibration error is {}: on average its stated probability differs \
             from how often it is right by that much (Guo et al. 2017).",
            number::percent(e.ece, 2)
        ))
        .figure(
            &figures::reliability(e)?,
            "Above: the share of right predictions (bars) against how sure the network was, in 15 \
             bins; red is what its confidence lies above that, violet what it lies below. Beneath: \
             the number of predictions in each bin.",
            command,
        ))
}

/// Where it fails worst.
pub(crate) fn mistakes(
    model: &Model,
    dataset: &Dataset,
    e: &Evaluation,
    command: &str,
) -> Result<Chapter> {
    let chapter = Chapter::new("Its worst mistakes");
    if e.worst.is_empty() {
        return Ok(chapter.text("It makes none on these images."));
    }
    Ok(chapter.figure(
        &figures::mistakes(model, &dataset.test, &e.worst)?,
        "The test images with the least probability for their true class, worst first: true → \
         predicted, probability of the prediction, index in the test set. Grey levels as in the \
         data set.",
        command,
    ))
}
