//! Chapters of the report: each turns results into text, figures and tables.

pub(crate) mod rnn;

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::Filters;
use cutaway::net::Summary;
use cutaway::report::{Chapter, number};
use cutaway::train::{Evaluation, TrainReport};

use crate::commands::wrong;
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
            "The layers from top to bottom with the shape of their output and their parameters.",
            &format!("cutaway summary {ask}"),
        ))
}

/// How it learnt.
pub(crate) fn training(report: &TrainReport, command: &str) -> Result<Chapter> {
    let last = report.epochs.last();
    let speed = last.map_or(0.0, |e| e.images_per_second);
    Ok(Chapter::new("Learning")
        .text(&format!(
            "Recipe “{}”, seed {}: {} epochs over {} images of {}, {:.0} seconds in all, {:.0} \
             images a second in the last epoch.",
            report.recipe,
            report.seed,
            report.epochs.len(),
            number::count(report.train_images as u64),
            report.dataset,
            report.seconds,
            speed
        ))
        .figure(
            &figures::loss_curve(&report.epochs)?,
            "Mean cross-entropy of each epoch while its images were learnt, logarithmic scale.",
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
            "Rows are true classes, columns predictions; colour is the share of the row.",
            command,
        )
        .text(&format!(
            "Its expected calibration error is {:.4}: on average its stated probability differs \
             from how often it is right by that much (Guo et al. 2017).",
            e.ece
        ))
        .figure(
            &figures::reliability(e)?,
            "How often predictions are right against how sure the network was, in 15 bins.",
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
         predicted, probability of the prediction, index in the test set.",
        command,
    ))
}

/// What its first layer looks for.
pub(crate) fn filters(filters: &Filters, ask: &str) -> Result<Chapter> {
    let dead = filters.statistics.iter().filter(|s| s.dead).count();
    let caption = "All filters on one scale, symmetric around 0. A filter answers most to the \
                   pattern it shows: bright where it is positive, dark where it is negative.";
    Ok(Chapter::new("What its first layer looks for")
        .text(&format!(
            "{} filters of {}×{} pixels; {dead} of them dead (a norm below a hundredth of the \
             largest).",
            filters.count, filters.height, filters.width
        ))
        .figure(
            &figures::of_filters(filters)?,
            caption,
            &format!("cutaway filters {ask} --layer {}", filters.layer),
        ))
}
