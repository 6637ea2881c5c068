//! Which layers there are to look at, and what part of the image they see.

use cutaway_net::{Network, NodeId, Op};
use serde::Serialize;

use crate::Error;

/// A rectangle of the image, in pixels.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Region {
    /// First row, from the top.
    pub row: usize,
    /// First column, from the left.
    pub col: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// The part of the image that position (`row`, `col`) of a node's output sees: its receptive
/// field without what lies in the padding. The whole of an input that is no image is `1 × 1`.
pub fn region(network: &Network, node: NodeId, row: usize, col: usize) -> Region {
    let field = cutaway_net::summary(network).layers[node.0].receptive_field;
    let [height, width] = match *network.shape(network.input()) {
        [_, height, width] => [height, width],
        _ => [1, 1],
    };
    let clip = |axis: usize, position: usize, limit: usize| {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        let stride = i64::try_from(field.stride[axis]).unwrap_or(i64::MAX);
        let size = i64::try_from(field.size[axis]).unwrap_or(i64::MAX);
        let first = field.offset[axis].saturating_add(position.saturating_mul(stride));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (start, end) = (first.clamp(0, limit), first.saturating_add(size).clamp(0, limit));
        (start as usize, (end - start) as usize)
    };
    let ((row, height), (col, width)) = (clip(0, row, height), clip(1, col, width));
    Region { row, col, height, width }
}

/// The node that people mean by a convolution's feature maps: the ReLU behind it, perhaps behind
/// a batch normalisation; the convolution itself where something else follows.
pub fn activation_of(network: &Network, convolution: NodeId) -> NodeId {
    let mut last = convolution;
    loop {
        let takes = |node: &&(usize, &cutaway_net::Node)| node.1.inputs.contains(&last);
        let nodes: Vec<_> = network.nodes().iter().enumerate().collect();
        let mut consumers = nodes.iter().filter(takes);
        match (consumers.next(), consumers.next()) {
            (Some((id, node)), None) if matches!(node.op, Op::Relu) => return NodeId(*id),
            (Some((id, node)), None) if matches!(node.op, Op::BatchNorm { .. }) => {
                last = NodeId(*id);
            }
            _ => return convolution,
        }
    }
}

/// The layer of the reference study: the third convolution after its ReLU, or the last one of a
/// network with fewer; `None` where there is no convolution.
pub fn default_layer(network: &Network) -> Option<NodeId> {
    let nodes = network.nodes().iter().enumerate();
    let convolutions = nodes.filter(|(_, node)| matches!(node.op, Op::Conv(_)));
    let third = convolutions.take(3).last()?;
    Some(activation_of(network, NodeId(third.0)))
}

/// Channels, rows and columns of a node's output; a vector's features are channels of one
/// position.
pub(crate) fn axes(shape: &[usize]) -> [usize; 3] {
    match *shape {
        [channels, height, width] => [channels, height, width],
        _ => [shape.iter().product(), 1, 1],
    }
}

/// Refuses a node whose output is no `[channels, height, width]`.
pub(crate) fn check_maps(network: &Network, id: NodeId) -> Result<[usize; 3], Error> {
    if let [channels, height, width] = *network.shape(id) {
        return Ok([channels, height, width]);
    }
    let nodes = network.nodes().iter().enumerate();
    let known = nodes.filter(|(i, _)| network.shape(NodeId(*i)).len() == 3);
    let known: Vec<&str> = known.map(|(_, node)| &node.name[..]).collect();
    Err(Error::NoMaps {
        node: network.node(id).name.clone(),
        kind: network.node(id).op.kind(),
        shape: network.shape(id).to_vec(),
        known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
    })
}

/// Refuses a network with a parameter that is NaN or infinite: nothing it says means anything.
///
/// # Errors
/// [`Error::NotFinite`] naming the first such value.
pub fn check_finite(network: &Network) -> Result<(), Error> {
    for param in network.params() {
        if let Some(index) = param.values.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite {
                network: network.name().to_owned(),
                param: param.name.clone(),
                index,
                count: param.values.len(),
                value: param.values[index],
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_net::{ConvSpec, NetworkBuilder, presets};
    use std::sync::Arc;

    #[test]
    fn the_default_layer_is_the_third_convolution_after_its_relu() {
        let network = presets::reference_cnn(1);
        let id = default_layer(&network).unwrap();
        assert_eq!(network.node(id).name, "relu3");
        let mut builder = NetworkBuilder::new("normed");
        builder.input("x", &[1, 5, 5]).conv("conv", ConvSpec::new(2, 3)).batch_norm("norm");
        let network = builder.relu("relu").build(1).unwrap();
        assert_eq!(network.node(default_layer(&network).unwrap()).name, "relu");
        let network = NetworkBuilder::new("none").input("x", &[3]).relu("y").build(1).unwrap();
        assert_eq!(default_layer(&network), None);
    }

    #[test]
    fn a_region_ends_at_the_edge_of_the_image() {
        let network = presets::reference_cnn(1);
        let relu3 = network.find("relu3").unwrap();
        let middle = Region { row: 4, col: 14, height: 14, width: 14 };
        assert_eq!(region(&network, relu3, 2, 7), middle);
        let mut builder = NetworkBuilder::new("padded");
        let network = builder.input("x", &[1, 6, 6]).conv("conv", ConvSpec::new(1, 5).same());
        let network = network.build(1).unwrap();
        let corner = Region { row: 0, col: 3, height: 3, width: 3 };
        assert_eq!(region(&network, network.find("conv").unwrap(), 0, 5), corner);
    }

    #[test]
    fn a_nan_among_the_weights_is_named() {
        let network = presets::reference_cnn(1);
        let mut values: Vec<Arc<[f32]>> =
            network.params().iter().map(|p| p.values.clone()).collect();
        check_finite(&network).unwrap();
        let mut bias = values[1].to_vec();
        bias[7] = f32::NAN;
        values[1] = bias.into();
        let error = check_finite(&network.with_values(values).unwrap()).unwrap_err().to_string();
        assert!(error.contains("'conv1.bias'") && error.contains("value 7 of 32"), "{error}");
    }
}
