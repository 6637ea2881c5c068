//! Images of a data set beside those that are made: what drives a target most, least and in between.

use cutaway_data::Images;
use cutaway_engine::Engine;
use cutaway_net::{Network, NodeId};
use ndarray::{ArrayView, Dimension};
use serde::Serialize;

use super::objective::{Objective, Target};
use crate::layers::axes;
use crate::units::{batch_size, input};
use crate::{Error, check_finite};

/// An image of a data set and how far it drives a target.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct Example {
    /// Place of the image.
    pub sample: usize,
    /// The target's number.
    pub value: f64,
}

/// How far the images of a data set drive a target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Examples {
    /// Images that were looked at.
    pub images: usize,
    /// Mean of the target's number over them.
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
    /// The images that drive it most, the strongest first; of equal ones the earlier.
    pub most: Vec<Example>,
    /// Those that drive it least, the weakest first.
    pub least: Vec<Example>,
    /// Those at a quarter, half and three quarters of the way from the weakest to the strongest.
    pub quartiles: Vec<Example>,
}

/// The numbers of several targets for images that come in batches: 8 bytes an image and target are kept.
pub struct Survey {
    node: NodeId,
    objectives: Vec<Objective>,
    values: Vec<Vec<f64>>,
}

impl Survey {
    /// A survey that has seen nothing yet.
    ///
    /// # Errors
    /// If a target is out of range.
    pub fn new(network: &Network, layer: NodeId, targets: &[Target]) -> Result<Survey, Error> {
        let objectives = targets
            .iter()
            .map(|target| Objective::new(network, layer, target))
            .collect::<Result<Vec<_>, _>>()?;
        let node = objectives.first().map_or(layer, |objective| objective.node);
        let values = vec![Vec::new(); objectives.len()];
        Ok(Survey { node, objectives, values })
    }

    /// Looks at a batch `[N, ...]` of the network's inputs.
    ///
    /// # Errors
    /// If it has another shape.
    pub fn add<D: Dimension>(
        &mut self,
        engine: &Engine,
        batch: ArrayView<'_, f32, D>,
    ) -> Result<(), Error> {
        let values = engine.forward(batch, &[self.node])?;
        let values = values.get(self.node).expect("tapped");
        let len: usize = values.shape()[1..].iter().product();
        for image in values.as_slice().expect("in standard order").chunks_exact(len) {
            for (objective, values) in self.objectives.iter().zip(&mut self.values) {
                values.push(objective.value(image));
            }
        }
        Ok(())
    }

    /// What it has found for each target, with `count` images at either end.
    #[must_use]
    pub fn finish(self, count: usize) -> Vec<Examples> {
        self.values.iter().map(|values| summary(values, count)).collect()
    }
}

fn summary(values: &[f64], count: usize) -> Examples {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
    let example = |&sample: &usize| Example { sample, value: values[sample] };
    let number = values.len() as f64;
    let mean = if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / number };
    let square: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let at = |share: f64| {
        let place = (share * (values.len() as f64 - 1.0)).round() as usize;
        order.get(values.len().saturating_sub(1 + place)).map(example)
    };
    Examples {
        images: values.len(),
        mean,
        deviation: if values.is_empty() { 0.0 } else { (square / number).sqrt() },
        most: order.iter().take(count).map(example).collect(),
        least: order.iter().rev().take(count).map(example).collect(),
        quartiles: [0.25, 0.5, 0.75].into_iter().filter_map(at).collect(),
    }
}

/// A [`Survey`] of images of the network's own size. `progress` is told how many of how many have been
/// run.
///
/// # Errors
/// If a target is out of range, a parameter of the network is not finite, or the images do not suit it.
pub fn examples(
    engine: &Engine,
    images: &Images,
    layer: NodeId,
    targets: &[Target],
    count: usize,
    progress: &dyn Fn(usize, usize),
) -> Result<Vec<Examples>, Error> {
    let network = engine.network();
    check_finite(network)?;
    let mut survey = Survey::new(network, layer, targets)?;
    let all: Vec<usize> = (0..images.len()).collect();
    let mut done = 0;
    for indices in all.chunks(batch_size(network, network.shape(layer).iter().product())) {
        survey.add(engine, input(network, images, indices)?.view())?;
        done += indices.len();
        progress(done, images.len());
    }
    Ok(survey.finish(count))
}

/// The channels of a layer whose mean varies most from image to image of batches `[N, ...]` of the
/// network's inputs: by standard deviation, the largest first. What a channel does not answer differently
/// to different images tells little of them.
///
/// # Errors
/// If a batch has another shape.
pub fn interesting<D: Dimension>(
    engine: &Engine,
    layer: NodeId,
    batches: impl Iterator<Item = Result<ndarray::Array<f32, D>, Error>>,
) -> Result<Vec<usize>, Error> {
    let [channels, height, width] = axes(engine.network().shape(layer));
    let area = height * width;
    let (mut count, mut means, mut squares) = (0.0, vec![0.0; channels], vec![0.0; channels]);
    for batch in batches {
        let values = engine.forward(batch?.view(), &[layer])?;
        let values = values.get(layer).expect("tapped").as_slice().expect("in standard order");
        for image in values.chunks_exact(channels * area) {
            count += 1.0;
            // Welford (1962): the sums of squares about means that are corrected image by image.
            for ((map, mean), square) in image.chunks_exact(area).zip(&mut means).zip(&mut squares)
            {
                let value = map.iter().map(|&v| f64::from(v)).sum::<f64>() / area as f64;
                let before = value - *mean;
                *mean += before / count;
                *square += before * (value - *mean);
            }
        }
    }
    let mut order: Vec<usize> = (0..channels).collect();
    order.sort_by(|&a, &b| squares[b].total_cmp(&squares[a]).then(a.cmp(&b)));
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_and_the_quartiles_of_a_list_are_found() {
        let found = summary(&[3.0, 1.0, 5.0, 2.0, 4.0, 5.0, 0.0, 6.0, 7.0], 2);
        let samples = |list: &[Example]| list.iter().map(|e| e.sample).collect::<Vec<_>>();
        assert_eq!(samples(&found.most), [8, 7]);
        assert_eq!(samples(&found.least), [6, 1]);
        let values: Vec<f64> = found.quartiles.iter().map(|e| e.value).collect();
        assert_eq!(values, [2.0, 4.0, 5.0]);
        assert!((found.mean - 33.0 / 9.0).abs() < 1e-12);
        let one = summary(&[2.0], 4);
        assert_eq!((one.most.len(), one.quartiles.len(), one.deviation), (1, 3, 0.0));
        assert_eq!(summary(&[], 4).quartiles, []);
    }
}
