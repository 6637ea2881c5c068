//! Where a map comes from: through every layer from the input to it.

use cutaway_engine::{Activations, Engine};
use cutaway_net::{Conv, Network, Node, NodeId, Op};
use ndarray::{ArrayView, Dimension};
use serde::Serialize;

use crate::layers::{axes, check_maps};
use crate::{Error, check_finite};

/// The way from the input to one channel of a layer, for some images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chain {
    /// From the input to the layer.
    pub links: Vec<Link>,
}

/// One layer on the way: the channel that contributes most to the next.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// Name of the node.
    pub layer: String,
    /// Its operator.
    pub kind: &'static str,
    /// The channel.
    pub channel: usize,
    /// Rows of its map.
    pub height: usize,
    /// Columns of its map.
    pub width: usize,
    /// Share of all contributions to the next map that comes from this channel, in magnitude: 1
    /// where the next map is made of this one alone.
    pub share: f64,
    /// Smallest value of all images, at most 0.
    pub min: f32,
    /// Largest value of all images.
    pub max: f32,
    /// One map an image, `height × width`, row-major.
    pub maps: Vec<Vec<f32>>,
}

/// Follows one channel of a layer down to the input of the network.
///
/// A convolution's map is a sum over its input channels; the way goes on with the channel whose
/// part of that sum is largest in magnitude, summed over all positions and images. Activations,
/// normalisations and poolings keep the channel; of an addition the larger input is followed. The
/// way ends early at a layer that mixes positions, such as a dense one.
///
/// # Errors
/// If the layer has no maps or no such channel, a parameter is not finite, or the batch does not
/// suit the network.
pub fn chain<D: Dimension>(
    engine: &Engine,
    batch: ArrayView<'_, f32, D>,
    layer: NodeId,
    channel: usize,
) -> Result<Chain, Error> {
    let network = engine.network();
    check_finite(network)?;
    let [count, ..] = check_maps(network, layer)?;
    if channel >= count {
        let node = network.node(layer).name.clone();
        return Err(Error::Channel { node, what: "channels", channel, count });
    }
    let below: Vec<NodeId> = (0..=layer.0).map(NodeId).collect();
    let walk = Walk { network, values: engine.forward(batch, &below)? };
    let (mut next, mut links) = (Some((layer, channel, 1.0)), Vec::new());
    while let Some((node, channel, share)) = next {
        links.push(walk.link(node, channel, share));
        next = walk.source(node, channel);
    }
    links.reverse();
    Ok(Chain { links })
}

struct Walk<'a> {
    network: &'a Network,
    values: Activations,
}

impl Walk<'_> {
    fn values(&self, id: NodeId) -> &[f32] {
        self.values.get(id).expect("tapped").as_slice().expect("in standard order")
    }

    /// The maps of a channel, one an image.
    fn maps(&self, id: NodeId, channel: usize) -> impl Iterator<Item = &[f32]> {
        let [channels, height, width] = axes(self.network.shape(id));
        let area = height * width;
        self.values(id).chunks_exact(channels * area).map(move |v| &v[channel * area..][..area])
    }

    fn link(&self, id: NodeId, channel: usize, share: f64) -> Link {
        let node = self.network.node(id);
        let [_, height, width] = axes(self.network.shape(id));
        let all = || self.maps(id, channel).flatten().copied();
        Link {
            layer: node.name.clone(),
            kind: node.op.kind(),
            channel,
            height,
            width,
            share,
            min: all().fold(0.0, f32::min),
            max: all().fold(0.0, f32::max),
            maps: self.maps(id, channel).map(<[f32]>::to_vec).collect(),
        }
    }

    /// The node, channel and share that a channel comes from most.
    fn source(&self, id: NodeId, channel: usize) -> Option<(NodeId, usize, f64)> {
        let node = self.network.node(id);
        match &node.op {
            Op::Relu | Op::Dropout { .. } | Op::BatchNorm { .. } => {
                Some((node.inputs[0], channel, 1.0))
            }
            Op::MaxPool(_) | Op::AvgPool(_) | Op::GlobalAvgPool => {
                Some((node.inputs[0], channel, 1.0))
            }
            Op::Conv(conv) => {
                let parts = self.contributions(id, node, conv, channel);
                largest(&parts).map(|(i, share)| {
                    let first = self.first_input_channel(node, conv, channel);
                    (node.inputs[0], first + i, share)
                })
            }
            Op::Add => {
                let parts = node.inputs.iter();
                let size = |v: &f32| f64::from(v.abs());
                let part = |&id: &NodeId| self.maps(id, channel).flatten().map(size).sum();
                let parts: Vec<f64> = parts.map(part).collect();
                largest(&parts).map(|(i, share)| (node.inputs[i], channel, share))
            }
            Op::Concat => {
                let mut channel = channel;
                for &input in &node.inputs {
                    let channels = axes(self.network.shape(input))[0];
                    if channel < channels {
                        return Some((input, channel, 1.0));
                    }
                    channel -= channels;
                }
                None
            }
            _ => None,
        }
    }

    fn first_input_channel(&self, node: &Node, conv: &Conv, channel: usize) -> usize {
        let weight = &self.network.param(node.params[0]).shape;
        channel / (weight[0] / conv.groups) * weight[1]
    }

    /// For each input channel that a filter sees: its part of the sum, in magnitude, summed over
    /// positions and images.
    fn contributions(&self, id: NodeId, node: &Node, conv: &Conv, channel: usize) -> Vec<f64> {
        let weight = self.network.param(node.params[0]);
        let (channels, kernel) = (weight.shape[1], [weight.shape[2], weight.shape[3]]);
        let first = self.first_input_channel(node, conv, channel);
        let [_, rows, cols] = axes(self.network.shape(id));
        let [_, height, width] = axes(self.network.shape(node.inputs[0]));
        let area = kernel[0] * kernel[1];
        let part = |i: usize| {
            let filter = &weight.values[(channel * channels + i) * area..][..area];
            let mut sum = 0.0;
            for map in self.maps(node.inputs[0], first + i) {
                for at in 0..rows * cols {
                    let place = [at / cols, at % cols];
                    sum += window_sum(map, [height, width], filter, kernel, conv, place).abs();
                }
            }
            sum
        };
        (0..channels).map(part).collect()
    }
}

/// `Σ weight × input` of one filter slice at one place of the output.
fn window_sum(
    map: &[f32],
    [height, width]: [usize; 2],
    filter: &[f32],
    kernel: [usize; 2],
    conv: &Conv,
    [row, col]: [usize; 2],
) -> f64 {
    let mut sum = 0.0;
    for ky in 0..kernel[0] {
        let y = (row * conv.stride[0] + ky * conv.dilation[0]).wrapping_sub(conv.padding[0]);
        if y >= height {
            continue;
        }
        for kx in 0..kernel[1] {
            let x = (col * conv.stride[1] + kx * conv.dilation[1]).wrapping_sub(conv.padding[1]);
            if x < width {
                sum += f64::from(map[y * width + x]) * f64::from(filter[ky * kernel[1] + kx]);
            }
        }
    }
    sum
}

/// Place of the largest part (of equal ones the first) and its share of them all.
fn largest(parts: &[f64]) -> Option<(usize, f64)> {
    let all = parts.iter().copied().enumerate();
    let (i, part) = all.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    let total: f64 = parts.iter().sum();
    Some((i, if total > 0.0 { part / total } else { 0.0 }))
}
