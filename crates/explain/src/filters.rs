//! The filters of convolutional layers.

use cutaway_net::{Network, Op};
use serde::Serialize;

use crate::{Error, similarity_order};

/// A filter is dead where its norm is below this share of the layer's largest.
pub const DEAD: f32 = 0.01;

/// Two filters are duplicates where the cosine between them is at least this.
pub const DUPLICATE: f32 = 0.99;

/// The filters of one convolution, with what tells them apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Filters {
    /// Name of the node.
    pub layer: String,
    /// Number of filters, which is the number of output channels.
    pub count: usize,
    /// Input channels that each filter sees.
    pub channels: usize,
    /// Rows of a filter.
    pub height: usize,
    /// Columns of a filter.
    pub width: usize,
    /// `[count, channels, height, width]`, row-major.
    pub values: Vec<f32>,
    /// Largest absolute value: the end of the symmetric scale that pictures share.
    pub max_abs: f32,
    /// One entry a filter.
    pub statistics: Vec<FilterStatistics>,
    /// The filters in an order in which neighbours are alike, see [`similarity_order`].
    pub similarity_order: Vec<usize>,
}

/// What a filter amounts to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FilterStatistics {
    /// Euclidean norm of all its weights.
    pub norm: f32,
    /// Sum of its weights: what it answers to an even surface of brightness 1.
    pub sum: f32,
    /// Norm of the slice for each input channel.
    pub channel_norms: Vec<f32>,
    /// Whether its norm is below [`DEAD`] times the layer's largest.
    pub dead: bool,
    /// Whether another filter has a cosine of at least [`DUPLICATE`] to it, neither being dead.
    pub duplicate: bool,
    /// The other filter whose direction is nearest, and the cosine between them (−1 to 1).
    pub nearest: Option<(usize, f32)>,
}

impl Filters {
    /// One filter's weights for one input channel, `height × width`, row-major.
    ///
    /// # Panics
    /// If there is no such filter or channel.
    pub fn slice(&self, filter: usize, channel: usize) -> &[f32] {
        assert!(filter < self.count && channel < self.channels);
        let area = self.height * self.width;
        &self.values[(filter * self.channels + channel) * area..][..area]
    }

    /// Refuses an input channel that the filters do not see.
    ///
    /// # Errors
    /// [`Error::Channel`].
    pub fn check_channel(&self, channel: usize) -> Result<(), Error> {
        if channel < self.channels {
            return Ok(());
        }
        let (node, count) = (self.layer.clone(), self.channels);
        Err(Error::Channel { node, what: "input channels", channel, count })
    }

    /// Norm over the input channels at each place of a filter, `height × width`: what a layer
    /// with many input channels attends to. Never negative.
    pub fn norm_map(&self, filter: usize) -> Vec<f32> {
        let mut squares = vec![0.0f32; self.height * self.width];
        for channel in 0..self.channels {
            for (sum, w) in squares.iter_mut().zip(self.slice(filter, channel)) {
                *sum += w * w;
            }
        }
        squares.into_iter().map(f32::sqrt).collect()
    }
}

/// Names of a network's convolutions, in its order.
pub fn convolutions(network: &Network) -> Vec<String> {
    let convolutions = network.nodes().iter().filter(|node| matches!(node.op, Op::Conv(_)));
    convolutions.map(|node| node.name.clone()).collect()
}

/// The filters of the convolution named `layer`.
///
/// # Errors
/// If there is no such node, it is no convolution, or a weight is not finite.
pub fn filters(network: &Network, layer: &str) -> Result<Filters, Error> {
    let node = network.node(network.find(layer)?);
    if !matches!(node.op, Op::Conv(_)) {
        let (node, kind) = (node.name.clone(), node.op.kind());
        return Err(Error::NoFilters { node, kind, known: convolutions(network).join(", ") });
    }
    crate::check_finite(network)?;
    let weight = network.param(node.params[0]);
    let &[count, channels, height, width] = &weight.shape[..] else {
        unreachable!("a convolution's weight has four axes: checked when the network was made");
    };
    let values = weight.values.to_vec();
    let all: Vec<&[f32]> = values.chunks_exact(channels * height * width).collect();
    let norms: Vec<f32> = all.iter().map(|filter| norm(filter)).collect();
    let largest = norms.iter().copied().fold(0.0, f32::max);
    let dead = |i: usize| norms[i] < DEAD * largest;
    let statistics = (0..count).map(|i| {
        let nearest = nearest(&all, &norms, i);
        FilterStatistics {
            norm: norms[i],
            sum: all[i].iter().sum(),
            channel_norms: all[i].chunks_exact(height * width).map(norm).collect(),
            dead: dead(i),
            duplicate: nearest.is_some_and(|(j, c)| c >= DUPLICATE && !dead(i) && !dead(j)),
            nearest,
        }
    });
    let statistics = statistics.collect();
    let similarity_order = similarity_order(&all);
    let max_abs = values.iter().fold(0.0, |max: f32, w| max.max(w.abs()));
    Ok(Filters {
        layer: layer.to_owned(),
        count,
        channels,
        height,
        width,
        values,
        max_abs,
        statistics,
        similarity_order,
    })
}

fn norm(x: &[f32]) -> f32 {
    x.iter().map(|x| x * x).sum::<f32>().sqrt()
}

/// The filter with the largest cosine to filter `i`.
fn nearest(all: &[&[f32]], norms: &[f32], i: usize) -> Option<(usize, f32)> {
    let cosine = |j: usize| {
        let dot: f32 = all[i].iter().zip(all[j]).map(|(a, b)| a * b).sum();
        dot / (norms[i] * norms[j]).max(f32::MIN_POSITIVE)
    };
    let others = (0..all.len()).filter(|&j| j != i).map(|j| (j, cosine(j)));
    others.max_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_net::{ConvSpec, NetworkBuilder};
    use std::sync::Arc;

    fn network(weights: &[f32]) -> Network {
        let mut builder = NetworkBuilder::new("test");
        builder.input("x", &[2, 3, 3]).conv("conv", ConvSpec::new(3, 1).no_bias()).relu("relu");
        builder.build(1).unwrap().with_values(vec![Arc::from(weights)]).unwrap()
    }

    #[test]
    fn statistics_are_those_of_the_weights() {
        let filters = filters(&network(&[3.0, 4.0, 6.0, 8.0, 0.0, 0.001]), "conv").unwrap();
        assert_eq!((filters.count, filters.channels, filters.max_abs), (3, 2, 8.0));
        assert_eq!(filters.statistics[0].norm, 5.0);
        assert_eq!(filters.statistics[0].sum, 7.0);
        assert_eq!(filters.statistics[0].channel_norms, [3.0, 4.0]);
        let (which, cosine) = filters.statistics[0].nearest.unwrap();
        assert_eq!(which, 1);
        assert!((cosine - 1.0).abs() < 1e-6);
        let dead: Vec<bool> = filters.statistics.iter().map(|s| s.dead).collect();
        assert_eq!(dead, [false, false, true]);
        let duplicates: Vec<bool> = filters.statistics.iter().map(|s| s.duplicate).collect();
        assert_eq!(duplicates, [true, true, false]);
        assert_eq!(filters.similarity_order, [1, 0, 2]);
        assert_eq!(filters.norm_map(1), [10.0]);
    }

    #[test]
    fn a_node_without_filters_is_refused_with_the_names_of_those_that_have_some() {
        let error = filters(&network(&[0.0; 6]), "relu").unwrap_err().to_string();
        assert!(error.contains("'relu' is a Relu") && error.contains("conv"), "{error}");
        let error = filters(&network(&[0.0; 6]), "cnv").unwrap_err().to_string();
        assert!(error.contains("conv"), "{error}");
    }
}
