//! From results to figures. Nothing is computed here but what a picture needs.

pub(crate) mod attack;
pub(crate) mod attribute;
pub(crate) mod corrupt;
pub(crate) mod filters;
pub(crate) mod input;
pub(crate) mod maps;
pub(crate) mod occlude;
pub(crate) mod rnn;
pub(crate) mod sequence;
pub(crate) mod shift;
pub(crate) mod transplant;
pub(crate) mod units;
pub(crate) mod visualise;
pub(crate) mod windows;

use std::path::Path;

use cutaway::Model;
use cutaway::data::{Dataset, Images};
use cutaway::net::Summary;
use cutaway::report::{
    Axis, ConfusionMatrix, DiagramNode, Figure, ImageGrid, LineChart, NetworkDiagram, PixelGrid,
    ReliabilityBin, ReliabilityDiagram, Series, Tile, number,
};
use cutaway::train::{EpochResult, Evaluation, Mistake};

use crate::error::Result;

/// Mistakes shown in a picture.
const MISTAKES: usize = 24;

/// The figures of an evaluation, with their file names.
pub(crate) fn of_evaluation(
    model: &Model,
    dataset: &Dataset,
    evaluation: &Evaluation,
) -> Result<Vec<(&'static str, Figure)>> {
    let mut figures = vec![
        ("confusion", confusion(model, evaluation)?),
        ("reliability", reliability(evaluation)?),
    ];
    if !evaluation.worst.is_empty() {
        figures.push(("mistakes", mistakes(model, &dataset.test, &evaluation.worst)?));
    }
    Ok(figures)
}

/// Writes a figure as PNG and as SVG.
pub(crate) fn save(folder: &Path, name: &str, figure: &Figure) -> Result<()> {
    figure.save_png(folder.join(format!("{name}.png")))?;
    figure.save_svg(folder.join(format!("{name}.svg")))?;
    Ok(())
}

/// The curves of a training, with their file names.
pub(crate) fn of_training(epochs: &[EpochResult]) -> Result<[(&'static str, Figure); 2]> {
    Ok([("loss", loss_curve(epochs)?), ("accuracy", accuracy_curve(epochs)?)])
}

/// True classes against predicted ones.
pub(crate) fn confusion(model: &Model, evaluation: &Evaluation) -> Result<Figure> {
    let labels = (0..evaluation.confusion.len()).map(|class| model.label(class)).collect();
    let counts = evaluation.confusion.concat();
    Ok(ConfusionMatrix::new("Confusion of the test images", labels, counts).draw()?)
}

/// How often predictions are right against how sure the model was.
pub(crate) fn reliability(evaluation: &Evaluation) -> Result<Figure> {
    let bins = evaluation.calibration.iter().map(|bin| ReliabilityBin {
        lower: bin.lower,
        upper: bin.upper,
        count: bin.count,
        accuracy: bin.accuracy.unwrap_or(0.0),
        confidence: bin.confidence.unwrap_or(0.0),
    });
    Ok(ReliabilityDiagram::new("Reliability", bins.collect(), evaluation.ece).draw()?)
}

/// The worst mistakes, worst first: index, true → predicted, probability of the prediction.
pub(crate) fn mistakes(model: &Model, images: &Images, worst: &[Mistake]) -> Result<Figure> {
    let tiles = worst.iter().take(MISTAKES).map(|m| {
        let tile = Tile::new(pixels(images, m.index)?);
        Ok(tile
            .line(format!("{} → {}", model.label(m.label), model.label(m.predicted)))
            .line(number::percent(f64::from(m.probability), 2))
            .line(format!("#{}", m.index)))
    });
    let tiles = tiles.collect::<Result<_>>()?;
    Ok(ImageGrid::new("The worst mistakes: true → predicted", tiles).columns(8).draw()?)
}

/// One image of a data set, as it is.
pub(crate) fn pixels(images: &Images, index: usize) -> Result<PixelGrid> {
    let (w, h, c) = (images.width, images.height, images.channels);
    Ok(PixelGrid::from_bytes(w, h, c, images.image(index))?)
}

/// Loss against epochs.
pub(crate) fn loss_curve(epochs: &[EpochResult]) -> Result<Figure> {
    curve(epochs, "Loss", Axis::new("loss (nats)").log(), |e| e.train_loss, |e| e.validation_loss)
}

/// Accuracy against epochs.
pub(crate) fn accuracy_curve(epochs: &[EpochResult]) -> Result<Figure> {
    let axis = Axis::new("accuracy").percent();
    curve(epochs, "Accuracy", axis, |e| e.train_accuracy, |e| e.validation_accuracy)
}

fn curve(
    epochs: &[EpochResult],
    title: &str,
    axis: Axis,
    train: impl Fn(&EpochResult) -> f64,
    validation: impl Fn(&EpochResult) -> Option<f64>,
) -> Result<Figure> {
    let points = epochs.iter().map(|e| (e.epoch as f64, train(e)));
    let held_out = epochs.iter().filter_map(|e| Some((e.epoch as f64, validation(e)?)));
    let held_out: Vec<_> = held_out.collect();
    let training = Series::new("training images, while learning", points).markers();
    let mut chart = LineChart::new(title, Axis::new("epoch").whole(), axis).series(training);
    if !held_out.is_empty() {
        chart = chart.series(Series::new("held-out images", held_out).markers());
    }
    Ok(chart.draw()?)
}

/// The layers as boxes.
pub(crate) fn network(model: &Model, summary: &Summary) -> Result<Figure> {
    let place = |name: &String| summary.layers.iter().position(|l| l.name == *name);
    let nodes = summary.layers.iter().map(|layer| {
        let shape: Vec<String> = layer.output_shape.iter().map(ToString::to_string).collect();
        let inputs: Vec<usize> = layer.inputs.iter().filter_map(place).collect();
        DiagramNode::new(&layer.name, &layer.kind, shape.join(" × "), inputs).params(layer.params)
    });
    Ok(NetworkDiagram::new(model.network().name(), nodes.collect()).draw()?)
}
