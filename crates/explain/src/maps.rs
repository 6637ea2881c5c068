//! Feature maps: what each channel of a layer makes of an image.

use cutaway_engine::{Activations, Engine};
use cutaway_net::{Network, NodeId};
use ndarray::{ArrayView, Dimension};
use serde::Serialize;

use crate::Error;
use crate::layers::check_maps;

/// The maps of one layer for some images, on one scale.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Maps {
    /// Name of the node.
    pub layer: String,
    /// Its operator.
    pub kind: String,
    /// Number of maps.
    pub channels: usize,
    /// Rows of a map.
    pub height: usize,
    /// Columns of a map.
    pub width: usize,
    /// Columns of the grid in which the maps are shown: channel `c` is cell
    /// `(c / grid_columns, c % grid_columns)`. 64 maps make 8×8.
    pub grid_columns: usize,
    /// Smallest value of all images: the lower end of the scale they share, at most 0.
    pub min: f32,
    /// Largest value of all images: the upper end of the scale they share.
    pub max: f32,
    /// One entry an image.
    pub images: Vec<ImageMaps>,
}

/// The maps of one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImageMaps {
    /// `[channels, height, width]`, row-major.
    pub values: Vec<f32>,
    /// Mean of each map.
    pub means: Vec<f32>,
}

impl Maps {
    /// One image's map of one channel, `height × width`, row-major.
    ///
    /// # Panics
    /// If there is no such image or channel.
    pub fn map(&self, image: usize, channel: usize) -> &[f32] {
        let area = self.height * self.width;
        &self.images[image].values[channel * area..][..area]
    }

    /// Row and column of a channel in the grid.
    pub fn cell(&self, channel: usize) -> [usize; 2] {
        [channel / self.grid_columns, channel % self.grid_columns]
    }

    /// The channels in which the images differ most: by the distance between the largest and the
    /// smallest mean of their maps, of a single image by the mean itself. At most `count`, the
    /// most telling first.
    pub fn telling(&self, count: usize) -> Vec<usize> {
        let spread = |channel: usize| {
            let means = self.images.iter().map(|image| image.means[channel]);
            let (low, high) = means
                .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), mean| {
                    (low.min(mean), high.max(mean))
                });
            if self.images.len() == 1 { high } else { high - low }
        };
        let mut channels: Vec<usize> = (0..self.channels).collect();
        channels.sort_by(|&a, &b| spread(b).total_cmp(&spread(a)).then(a.cmp(&b)));
        channels.truncate(count);
        channels
    }

    /// Row and column of a map's largest value (of equal ones the first).
    pub fn strongest(&self, image: usize, channel: usize) -> [usize; 2] {
        let at = argmax(self.map(image, channel));
        [at / self.width, at % self.width]
    }
}

/// The maps of `layers` for a batch of images `[N, C, H, W]`.
///
/// # Errors
/// If a layer's output is no `[channels, height, width]`, a parameter is not finite, or the batch
/// does not suit the network.
pub fn maps<D: Dimension>(
    engine: &Engine,
    batch: ArrayView<'_, f32, D>,
    layers: &[NodeId],
) -> Result<Vec<Maps>, Error> {
    let network = engine.network();
    crate::check_finite(network)?;
    layers.iter().try_for_each(|&layer| check_maps(network, layer).map(|_| ()))?;
    let values = engine.forward(batch, layers)?;
    layers.iter().map(|&layer| of_layer(network, &values, layer)).collect()
}

fn of_layer(network: &Network, values: &Activations, layer: NodeId) -> Result<Maps, Error> {
    let [channels, height, width] = check_maps(network, layer)?;
    let values = values.get(layer).expect("tapped").as_slice().expect("in standard order");
    let image = |values: &[f32]| ImageMaps {
        values: values.to_vec(),
        means: values.chunks_exact(height * width).map(mean).collect(),
    };
    let node = network.node(layer);
    Ok(Maps {
        layer: node.name.clone(),
        kind: node.op.kind().to_owned(),
        channels,
        height,
        width,
        grid_columns: grid_columns(channels),
        min: values.iter().copied().fold(0.0, f32::min),
        max: values.iter().copied().fold(0.0, f32::max),
        images: values.chunks_exact(channels * height * width).map(image).collect(),
    })
}

fn mean(values: &[f32]) -> f32 {
    (values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64) as f32
}

/// Place of the largest value, of equal ones the first.
pub(crate) fn argmax(values: &[f32]) -> usize {
    let all = values.iter().enumerate();
    all.fold((0, f32::NEG_INFINITY), |best, (i, &v)| if v > best.1 { (i, v) } else { best }).0
}

/// Columns of a grid of `count` tiles: full rows where that gives no ribbon, else about square.
pub(crate) fn grid_columns(count: usize) -> usize {
    let side = (1..).find(|side| side * side >= count).unwrap_or(1);
    (side..=2 * side).find(|columns| count.is_multiple_of(*columns)).unwrap_or(side)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_engine::Options;
    use cutaway_net::presets;
    use ndarray::Array4;

    fn engine() -> Engine {
        Engine::compile(&presets::reference_cnn(3), &Options::default()).unwrap()
    }

    #[test]
    fn images_that_are_compared_share_one_scale() {
        let engine = engine();
        let relu3 = engine.network().find("relu3").unwrap();
        let mut batch = Array4::<f32>::zeros((2, 1, 28, 28));
        batch.slice_mut(ndarray::s![0, .., 10..20, 10..20]).fill(0.3);
        batch.slice_mut(ndarray::s![1, .., 10..20, 10..20]).fill(1.0);
        let both = maps(&engine, batch.view(), &[relu3]).unwrap().remove(0);
        let brightest =
            |image: usize| both.images[image].values.iter().copied().fold(0.0, f32::max);
        assert!(brightest(0) < brightest(1));
        assert_eq!(both.max, brightest(1));
        let alone = batch.slice(ndarray::s![0..1, .., .., ..]);
        let alone = maps(&engine, alone, &[relu3]).unwrap().remove(0);
        assert_eq!(alone.max, brightest(0), "an image alone has a scale of its own");
        assert_eq!(alone.images[0], both.images[0], "and the same values");
        assert_eq!((both.grid_columns, both.cell(48)), (8, [6, 0]));
        let [row, col] = both.strongest(1, 5);
        assert!(both.map(1, 5).iter().all(|&v| v <= both.map(1, 5)[row * 8 + col]));
    }

    #[test]
    fn a_layer_without_maps_is_refused_with_the_names_of_those_that_have_some() {
        let engine = engine();
        let dense = engine.network().find("dense1").unwrap();
        let batch = Array4::<f32>::zeros((1, 1, 28, 28));
        let error = maps(&engine, batch.view(), &[dense]).unwrap_err().to_string();
        assert!(error.contains("'dense1' (Dense) gives [100]"), "{error}");
        assert!(error.contains("relu3"), "{error}");
    }

    #[test]
    fn the_most_telling_channels_are_those_whose_means_differ_most() {
        let image = |means: &[f32]| ImageMaps { values: means.to_vec(), means: means.to_vec() };
        let both = vec![image(&[0.0, 5.0, 2.0, 1.0]), image(&[3.0, 5.5, 2.0, 0.0])];
        let maps = |images| Maps {
            layer: "relu".into(),
            kind: "Relu".into(),
            channels: 4,
            height: 1,
            width: 1,
            grid_columns: 2,
            min: 0.0,
            max: 5.5,
            images,
        };
        assert_eq!(maps(both.clone()).telling(3), [0, 3, 1]);
        assert_eq!(maps(both[..1].to_vec()).telling(2), [1, 2]);
    }

    #[test]
    fn grids_have_full_rows_where_that_gives_no_ribbon() {
        let columns = [1, 10, 16, 32, 64, 96, 512, 7, 11].map(grid_columns);
        assert_eq!(columns, [1, 5, 4, 8, 8, 12, 32, 3, 4]);
    }
}
