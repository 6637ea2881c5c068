//! What the verbs share that slide a window over an image.

use std::path::Path;

use cutaway::Model;
use cutaway::data::{Dataset, Images};
use cutaway::probe::Size;
use cutaway::report::Figure;
use serde_json::{Value, json};

use crate::args::Common;
use crate::error::{Error, Result};
use crate::samples::{self, Chosen, Sample};

/// The one image that was chosen.
pub(crate) fn one(chosen: &mut Chosen, verb: &str) -> Result<Sample> {
    match chosen.samples.len() {
        1 => Ok(chosen.samples.remove(0)),
        n => Err(Error::Usage(format!(
            "{verb} works on one image, but {n} were named; give one --sample, --digit or --image"
        ))),
    }
}

/// A class that the model has: what it was asked for, or the last.
pub(crate) fn default_class(model: &Model, class: usize) -> usize {
    class.min(model.network().classes().saturating_sub(1))
}

/// Images with a longer side are photographs: a window at every pixel would be tens of thousands of
/// passes, and a digit's window would cover nothing that matters.
const SMALL: usize = 64;

/// The window and its stride as they were given, or what suits the network's images: `digit` pixels at
/// every place of small ones, a fourteenth of the side (16 of 224) by half its size on larger ones.
pub(crate) fn slide(
    model: &Model,
    window: Option<Size>,
    stride: Option<usize>,
    digit: usize,
) -> (Size, usize) {
    let network = model.network();
    let side = match network.shape(network.input()) {
        [_, height, width] => *height.min(width),
        _ => 1,
    };
    let small = side <= SMALL;
    let window = window.unwrap_or(Size::square(if small { digit } else { side / 14 }));
    let half = (window.height.min(window.width) / 2).max(1);
    (window, stride.unwrap_or(if small { 1 } else { half }))
}

/// The class that is held to be true: the label, or what the model says where it is not known.
pub(crate) fn truth(model: &Model, sample: &Sample) -> Result<usize> {
    match sample.label {
        Some(label) => Ok(label),
        None => {
            let probabilities = model.predict(&sample.pixels, &[0])?.row(0).to_vec();
            samples::say_if_flat(model, sample, &probabilities)?;
            Ok(samples::best(&probabilities).0)
        }
    }
}

/// The image, and how its class is known.
pub(crate) fn title(model: &Model, sample: &Sample, truth: usize) -> String {
    match sample.label {
        Some(_) => format!("{}\n", super::maps::whose(model, sample)),
        None => format!(
            "{}: its class is not known; it is held to be what the model says, ‘{}’\n",
            sample.source,
            model.label(truth)
        ),
    }
}

/// A result with what every JSON object carries in front of it.
pub(crate) fn with_head(
    result: &impl serde::Serialize,
    model: &Model,
    dataset: Option<&Dataset>,
    sample: &Sample,
    common: &Common,
) -> Value {
    let mut all = json!({
        "model": model.source(),
        "model_hash": model.network().hash(),
        "dataset": dataset.map(|d| &d.name),
        "seed": common.seed,
        "sample": sample.index,
        "label": sample.label,
        "source": sample.source,
        "preprocessing": model.network().metadata().preprocessing,
        "answer": super::answering_node(model),
        "classes": (0..model.network().classes()).map(|c| model.label(c)).collect::<Vec<_>>(),
    });
    let result = serde_json::to_value(result).expect("results serialise");
    if let (Value::Object(all), Value::Object(result)) = (&mut all, result) {
        all.extend(result);
    }
    all
}

/// Writes figures as PNG and SVG; the paths of the PNG files.
pub(crate) fn save(folder: &Path, figures: &[(&'static str, Figure)]) -> Result<Vec<String>> {
    super::make_folder(folder)?;
    let mut paths = Vec::new();
    for (name, figure) in figures {
        let png = folder.join(format!("{name}.png"));
        figure.save_png(&png)?;
        figure.save_svg(png.with_extension("svg"))?;
        paths.push(png.display().to_string());
    }
    Ok(paths)
}

/// Indices of the first `limit` images of each class; of all images without a limit.
pub(crate) fn first_of_each(images: &Images, limit: Option<u64>) -> Vec<usize> {
    let mut seen = std::collections::BTreeMap::new();
    let wanted = |&i: &usize| {
        let count = seen.entry(images.label(i)).or_insert(0u64);
        *count += 1;
        limit.is_none_or(|limit| *count <= limit)
    };
    (0..images.len()).filter(wanted).collect()
}

/// Sentences and paths as the terminal shows them.
pub(crate) fn text(sentences: &[String], pictures: &[String]) -> String {
    let mut text: String = sentences.iter().map(|s| format!("{s}\n")).collect();
    text += &format!("pictures: {}\n", pictures.join(" "));
    text
}

/// Rows under their heads in columns.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cells = || {
        std::iter::once(head.iter().map(ToString::to_string).collect()).chain(rows.iter().cloned())
    };
    let width = |column: usize| {
        let lengths = cells().map(|row: Vec<String>| row[column].chars().count());
        lengths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        format!("  {}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    cells().map(line).collect()
}
