//! Which numbers of a network's outputs are the scores of the classes: `--answer`, and a detector's default.

use cutaway::Model;
use cutaway::engine::{Engine, Options};
use cutaway::net::{Network, NodeId, Row};
use ndarray::Axis;

use crate::args::SampleArgs;
use crate::console;
use crate::error::{Error, Result};
use crate::samples;

/// The network with the answer that `--answer NAME[:PLACE]` names.
pub(crate) fn chosen(network: &Network, spec: &str) -> Result<Network> {
    let (node, place) = split(network, spec)?;
    let wrong = |why: String| Error::Usage(format!("--answer {spec}: {why}"));
    let shape = network.shape(node);
    let row = match place {
        Some(place) => row(place, shape).map_err(wrong)?,
        None if is_vector(shape) => vector(shape),
        None => {
            return Err(wrong(format!(
                "it has shape {shape:?}: name a place, such as {}:{}",
                network.node(node).name,
                vec!["0"; shape.len() - 1].join(",")
            )));
        }
    };
    network.answering(node, &row).map_err(|error| wrong(error.to_string()))
}

/// The node's whole name where there is one, else the name before the last colon: names may hold colons.
fn split<'a>(network: &Network, spec: &'a str) -> Result<(NodeId, Option<&'a str>)> {
    if let Ok(node) = network.find(spec) {
        return Ok((node, None));
    }
    let (name, place) = spec.rsplit_once(':').map_or((spec, None), |(n, p)| (n, Some(p)));
    let node = network.find(name).map_err(|error| {
        let outputs = network.outputs().iter();
        let outputs =
            outputs.map(|&id| format!("'{}' {:?}", network.node(id).name, network.shape(id)));
        let outputs: Vec<String> = outputs.collect();
        Error::Usage(format!("--answer {spec}: {error}; the outputs are {}", outputs.join(", ")))
    })?;
    Ok((node, place))
}

/// `12`, `3,4`, or with a star for the axis of the classes, `*,12`.
fn row(place: &str, shape: &[usize]) -> std::result::Result<Row, String> {
    let words: Vec<&str> = place.split(',').map(str::trim).collect();
    let stars = words.iter().filter(|&&word| word == "*").count();
    let axis = match stars {
        0 => Row::usual_axis(shape),
        1 => words.iter().position(|&word| word == "*").unwrap_or_default(),
        _ => return Err("one star at most, for the axis of the classes".to_owned()),
    };
    let numbers = words.iter().filter(|&&word| word != "*");
    let at = numbers.map(|word| word.parse().map_err(|_| *word)).collect();
    match at {
        Ok(at) => Ok(Row { axis, at }),
        Err(word) => Err(format!(
            "'{word}' is no position; expected numbers from 0 with commas between them, such as 12, \
             3,4 or *,12, where the star stands for the axis of the classes"
        )),
    }
}

/// One number a class, perhaps with axes of size 1 around it.
fn is_vector(shape: &[usize]) -> bool {
    shape.iter().filter(|&&size| size != 1).count() <= 1
}

fn vector(shape: &[usize]) -> Row {
    let axis = shape.iter().position(|&size| size != 1).unwrap_or(0);
    Row { axis, at: vec![0; shape.len().saturating_sub(1)] }
}

/// Whether the main output is more than one number a class.
pub(crate) fn is_missing(network: &Network) -> bool {
    !is_vector(network.shape(network.output()))
}

/// The network whose answer is the place of the main output where the first image file has the highest
/// score of a class other than 0, which in detectors is the background; says so. The network as it is
/// where no file is named.
pub(crate) fn at_best_place(
    network: Network,
    source: &str,
    args: &SampleArgs,
    options: &Options,
) -> Result<Network> {
    let Some(file) = args.image.first() else { return Ok(network) };
    let (output, shape) = (network.output(), network.shape(network.output()).to_vec());
    let name = network.node(output).name.clone();
    let axis = Row::usual_axis(&shape);
    let model = Model::new(&network, source, options)?;
    let input = samples::from_file(&model, file, args)?.0.input(&model)?;
    let values = scores(model.engine(), input.insert_axis(Axis(0)).view(), output)?;
    let (row, score) = best(&values, &shape, axis);
    let at: Vec<String> = row.at.iter().map(ToString::to_string).collect();
    console::say(&format!(
        "note: output '{name}' has shape {shape:?}; the answer is place {}, where {} has the highest \
         score ({score:.4}) of a class other than 0, the background; --answer {}:PLACE chooses another",
        at.join(","),
        file.display(),
        crate::commands::quoted(&name)
    ));
    Ok(network.answering(output, &row).map_err(cutaway::Error::from)?)
}

fn scores(
    engine: &Engine,
    input: ndarray::ArrayView4<'_, f32>,
    output: NodeId,
) -> Result<Vec<f32>> {
    let mut values = engine.forward(input, &[output]).map_err(cutaway::Error::from)?;
    let values = values.take(output).expect("tapped");
    Ok(values.iter().copied().collect())
}

/// The row with the highest score of a class but the first, of several the first; of one class only, of that.
fn best(values: &[f32], shape: &[usize], axis: usize) -> (Row, f32) {
    let inner: usize = shape[axis + 1..].iter().product();
    let background = usize::from(shape[axis] > 1);
    let mut best = (0, f32::NEG_INFINITY);
    for (index, &value) in values.iter().enumerate() {
        if index / inner % shape[axis] >= background && value > best.1 {
            best = (index, value);
        }
    }
    let mut rest = best.0;
    let mut at = vec![0; shape.len()];
    for (place, &size) in at.iter_mut().zip(shape).rev() {
        (*place, rest) = (rest % size, rest / size);
    }
    at.remove(axis);
    (Row { axis, at }, best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbers_with_a_star_for_the_classes() {
        assert_eq!(row("12", &[4420, 2]), Ok(Row { axis: 1, at: vec![12] }));
        assert_eq!(row("*, 12", &[84, 8400]), Ok(Row { axis: 0, at: vec![12] }));
        assert_eq!(row("3,4", &[21, 9, 9]), Ok(Row { axis: 0, at: vec![3, 4] }));
        assert!(row("-1", &[4, 2]).unwrap_err().contains("no position"));
        assert!(row("*,*", &[4, 2]).unwrap_err().contains("one star"));
    }

    #[test]
    fn the_background_is_never_the_best_place() {
        // Places × classes; class 0 is highest everywhere.
        let values = [0.9, 0.1, 0.8, 0.2, 0.95, 0.05];
        assert_eq!(best(&values, &[3, 2], 1), (Row { axis: 1, at: vec![1] }, 0.2));
        // Classes × places.
        assert_eq!(best(&values, &[2, 3], 0), (Row { axis: 0, at: vec![1] }, 0.95));
        assert_eq!(best(&[0.3, 0.7], &[2, 1], 1).0.at, [1]);
    }
}
