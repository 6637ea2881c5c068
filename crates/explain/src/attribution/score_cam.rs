//! Score-CAM.

use ndarray::{Array4, ArrayView3, ArrayView4, Axis};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::cam::{cam_layer, of_image};
use super::resample::{Corners, bilinear};
use super::{Attribute, LayerMap, Raw};
use crate::Error;
use crate::layers::check_maps;

/// `max(0, Σ_k w_k A_k)`, the weights the softmax over what the network says to the image seen
/// through each map alone, scaled to [0, 1] (Wang et al. 2020, "Score-CAM", section 3). No
/// gradients; a forward pass a map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreCam {
    /// Name of the node; `None` for the default of the other class activation maps.
    pub layer: Option<String>,
}

impl ScoreCam {
    fn weights(
        ask: &Ask<'_>,
        image: ArrayView3<'_, f32>,
        class: usize,
        maps: &[f32],
        [height, width]: [usize; 2],
    ) -> Result<Vec<f64>, Error> {
        let (c, h, w) = image.dim();
        let mut scores = Vec::new();
        let maps: Vec<&[f32]> = maps.chunks_exact(height * width).collect();
        for maps in maps.chunks(ask.at_once()) {
            let mut batch = Array4::zeros((maps.len(), c, h, w));
            for (mut seen, map) in batch.outer_iter_mut().zip(maps) {
                let mut mask = bilinear(map, [height, width], [h, w], Corners::Aligned);
                let low = mask.iter().copied().fold(f32::INFINITY, f32::min);
                let high = mask.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                mask.iter_mut().for_each(|v| *v = (*v - low) / (high - low + 1e-8));
                for (mut plane, own) in seen.outer_iter_mut().zip(image.outer_iter()) {
                    plane.iter_mut().zip(own).zip(&mask).for_each(|((v, x), m)| *v = x * m);
                }
            }
            scores.extend(ask.values(batch.view(), &[class])?);
        }
        let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let terms: Vec<f64> = scores.iter().map(|score| (score - top).exp()).collect();
        let sum: f64 = terms.iter().sum();
        Ok(terms.into_iter().map(|term| term / sum).collect())
    }
}

impl Attribute for ScoreCam {
    fn planned(&self, ask: &Ask<'_>) -> usize {
        let layer = cam_layer(ask.network(), self.layer.as_deref());
        layer.map_or(1, |layer| ask.network().shape(layer)[0])
    }

    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        let network = ask.network();
        let layer = cam_layer(network, self.layer.as_deref())?;
        let [_, height, width] = check_maps(network, layer)?;
        let [_, rows, cols] = ask.input;
        let mut results = Vec::new();
        for (image, &class) in images.outer_iter().zip(classes) {
            let activations = ask.engine().forward(image.insert_axis(Axis(0)), &[layer])?;
            let maps = of_image(activations.get(layer).expect("tapped"), 0);
            let weights = Self::weights(ask, image, class, &maps, [height, width])?;
            let mut sum = vec![0.0; height * width];
            for (map, weight) in maps.chunks_exact(height * width).zip(weights) {
                sum.iter_mut().zip(map).for_each(|(sum, &a)| *sum += weight * f64::from(a));
            }
            let map: Vec<f32> = sum.into_iter().map(|v| v.max(0.0) as f32).collect();
            let large = bilinear(&map, [height, width], [rows, cols], Corners::Cells);
            let name = network.node(layer).name.clone();
            let map = LayerMap { layer: name, shape: [height, width], values: map };
            results.push(Raw::map([rows, cols], large).with_layer(map));
        }
        Ok(results)
    }
}
