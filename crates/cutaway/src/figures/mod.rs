//! From results to figures. Nothing is computed here but what a picture needs.

pub(crate) mod rnn;

use cutaway::Model;
use cutaway::data::{Dataset, Images};
use cutaway::explain::Filters;
use cutaway::net::Summary;
use cutaway::report::{
    Axis, ConfusionMatrix, DiagramNode, Figure, ImageGrid, LineChart, NetworkDiagram, PixelGrid,
    ReliabilityBin, ReliabilityDiagram, Series, Tile, TileGrid,
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
            .line(format!("P = {:.4}", m.probability))
            .line(format!("#{}", m.index)))
    });
    let tiles = tiles.collect::<Result<_>>()?;
    Ok(ImageGrid::new("The worst mistakes: true → predicted", tiles).columns(8).draw()?)
}

fn pixels(images: &Images, index: usize) -> Result<PixelGrid> {
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
    let mut chart = LineChart::new(title, Axis::new("epoch"), axis).series(training);
    if !held_out.is_empty() {
        chart = chart.series(Series::new("held-out images", held_out).markers());
    }
    Ok(chart.draw()?)
}

/// The filters of a layer on one scale symmetric around 0; where they see several input channels,
/// the norm over the channels at each place.
pub(crate) fn of_filters(filters: &Filters) -> Result<Figure> {
    let shape = (filters.height, filters.width);
    let Filters { layer, count, channels, .. } = filters;
    if *channels == 1 {
        let tiles = (0..*count).map(|f| filters.slice(f, 0).to_vec()).collect();
        let title = format!("The {count} filters of {layer}");
        return Ok(TileGrid::signed(title, shape, tiles).coordinates().draw()?);
    }
    let tiles = (0..*count).map(|f| filters.norm_map(f)).collect();
    let title = format!("The {count} filters of {layer}: norm over {channels} input channels");
    let grid = TileGrid::magnitudes(title, shape, tiles).scale_label("norm of the weights");
    Ok(grid.coordinates().draw()?)
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
