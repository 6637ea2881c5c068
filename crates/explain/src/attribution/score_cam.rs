//! Score-CAM.

use ndarray::{Array4, ArrayView3, ArrayView4, Axis};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::cam::{cam_layer, of_image};
use super::resample::{Corners, bilinear};
use super::{Attribute, LayerMap, Raw, at_least};
use crate::Error;
use crate::layers::check_maps;

/// `max(0, Σ_k w_k A_k)`, the weights the softmax over what the network says to the image seen
/// through each map alone, scaled to [0, 1] (Wang et al. 2020, "Score-CAM", section 3). No
/// gradients; a forward pass a map. Of a layer with many maps the few that vary most may stand for
/// all, as in Faster Score-CAM (Li, 2020; tf-keras-vis).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreCam {
    /// Name of the node; `None` for the default of the other class activation maps.
    pub layer: Option<String>,
    /// How many maps are asked, at least 1: those with the largest standard deviation. `None` for all.
    #[serde(default)]
    pub maps: Option<usize>,
}

/// The `count` maps with the largest standard deviation, in their order.
fn most_varied(maps: &[f32], area: usize, count: usize) -> Vec<usize> {
    let variance = |map: &[f32]| {
        let mean = super::ask::sum(map) / area as f64;
        map.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>()
    };
    let variances: Vec<f64> = maps.chunks_exact(area).map(variance).collect();
    let mut order: Vec<usize> = (0..variances.len()).collect();
    order.sort_by(|&a, &b| variances[b].total_cmp(&variances[a]).then(a.cmp(&b)));
    order.truncate(count);
    order.sort_unstable();
    order
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
    fn check(&self) -> Result<(), Error> {
        at_least("maps", self.maps.unwrap_or(1), 1)
    }

    fn planned(&self, ask: &Ask<'_>) -> usize {
        let layer = cam_layer(ask.network(), self.layer.as_deref());
        let all = layer.map_or(1, |layer| ask.network().shape(layer)[0]);
        self.maps.map_or(all, |maps| maps.min(all))
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
            let all = of_image(activations.get(layer).expect("tapped"), 0);
            let area = height * width;
            let maps = match self.maps {
                Some(count) => {
                    let chosen = most_varied(&all, area, count);
                    chosen.iter().flat_map(|&k| &all[k * area..][..area]).copied().collect()
                }
                None => all,
            };
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
