//! Batch normalisation folded into the layer before it.

use std::collections::HashMap;
use std::sync::Arc;

use cutaway_net::{Network, Node, NodeId, Op, Param, ParamId};

use crate::Error;

/// The same function with every batch normalisation folded into the convolution or dense layer
/// that feeds it and nothing else: `w ← w s / √(v + ε)`, `b ← (b − m) s / √(v + ε) + t`. Relevance
/// should not depend on how a network spells one linear map. Other normalisations stay.
///
/// # Errors
/// None that is known; the network is checked anew.
pub(crate) fn folded(network: &Network) -> Result<Network, Error> {
    let mut parts = Parts { network, nodes: Vec::new(), params: Vec::new(), moved: HashMap::new() };
    for (index, node) in network.nodes().iter().enumerate() {
        match parts.folds_into(NodeId(index)) {
            Some(layer) => {
                let place = parts.moved[&layer];
                parts.moved.insert(NodeId(index), place);
            }
            None => parts.push(NodeId(index), node),
        }
    }
    let mut outputs: Vec<NodeId> = network.outputs().iter().map(|id| parts.moved[id]).collect();
    outputs.dedup();
    let metadata = network.metadata().clone();
    Ok(Network::new(network.name(), parts.nodes, parts.params, outputs, metadata)?)
}

struct Parts<'a> {
    network: &'a Network,
    nodes: Vec<Node>,
    params: Vec<Param>,
    /// New places of the old nodes.
    moved: HashMap<NodeId, NodeId>,
}

impl Parts<'_> {
    /// The layer that a batch normalisation can be folded into.
    fn folds_into(&self, id: NodeId) -> Option<NodeId> {
        let node = self.network.node(id);
        let layer = *node.inputs.first()?;
        let takers = self.network.nodes().iter().flat_map(|n| &n.inputs);
        let alone = takers.filter(|&&input| input == layer).count() == 1;
        let op = &self.network.node(layer).op;
        let fits = matches!(node.op, Op::BatchNorm { .. }) && matches!(op, Op::Conv(_) | Op::Dense);
        (fits && alone && !self.network.outputs().contains(&layer)).then_some(layer)
    }

    /// The normalisation that is folded into a layer.
    fn normalisation(&self, layer: NodeId) -> Option<NodeId> {
        let all = (0..self.network.nodes().len()).map(NodeId);
        let mut takers = all.filter(|&id| self.network.node(id).inputs.contains(&layer));
        takers.find(|&id| self.folds_into(id) == Some(layer))
    }

    fn push(&mut self, id: NodeId, node: &Node) {
        let network = self.network;
        let mut own: Vec<Param> = node.params.iter().map(|&p| network.param(p).clone()).collect();
        if let Some(norm) = self.normalisation(id) {
            fold(network, node, norm, &mut own);
        }
        let first = self.params.len();
        let params = (first..first + own.len()).map(ParamId).collect();
        self.params.extend(own);
        let inputs = node.inputs.iter().map(|input| self.moved[input]).collect();
        self.moved.insert(id, NodeId(self.nodes.len()));
        self.nodes.push(Node { inputs, params, ..node.clone() });
    }
}

fn fold(network: &Network, layer: &Node, norm: NodeId, params: &mut Vec<Param>) {
    let norm = network.node(norm);
    let Op::BatchNorm { epsilon, .. } = norm.op else { unreachable!("checked") };
    let values = |place: usize| &network.param(norm.params[place]).values;
    let (scale, shift, mean, variance) = (values(0), values(1), values(2), values(3));
    let factor =
        |c: usize| f64::from(scale[c]) / (f64::from(variance[c]) + f64::from(epsilon)).sqrt();
    let channels = scale.len();
    let each = params[0].values.len() / channels;
    let weight: Arc<[f32]> = params[0]
        .values
        .iter()
        .enumerate()
        .map(|(i, &w)| (f64::from(w) * factor(i / each)) as f32)
        .collect();
    let bias = |c: usize| params.get(1).map_or(0.0, |bias| f64::from(bias.values[c]));
    let bias: Arc<[f32]> = (0..channels)
        .map(|c| ((bias(c) - f64::from(mean[c])) * factor(c) + f64::from(shift[c])) as f32)
        .collect();
    params[0].values = weight;
    params.truncate(1);
    let name = format!("{}.folded bias", layer.name);
    params.push(Param { name, shape: vec![channels], values: bias, trainable: true });
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_engine::{Engine, Options};
    use cutaway_net::{ConvSpec, NetworkBuilder};
    use ndarray::Array4;

    #[test]
    fn folding_does_not_change_what_the_network_says() {
        let mut b = NetworkBuilder::new("normed");
        let trunk =
            b.input("x", &[2, 6, 6]).conv("conv", ConvSpec::new(4, 3)).batch_norm("norm1").last();
        let side = b.relu("relu").batch_norm("norm2").last();
        b.add("sum", &[trunk, side]).flatten("flat").dense("logits", 3).batch_norm("norm3");
        let network = b.build(3).unwrap();
        let values = network.params().iter().enumerate().map(|(p, param)| {
            let value =
                |(i, v): (usize, &f32)| v.abs() * 0.5 + 0.1 * ((p + i * 7) % 11) as f32 + 0.05;
            param.values.iter().enumerate().map(value).collect()
        });
        let network = network.with_values(values.collect()).unwrap();
        let folded = folded(&network).unwrap();
        let names: Vec<&str> = folded.nodes().iter().map(|n| n.name.as_str()).collect();
        // The one after the ReLU has no layer to go into.
        assert_eq!(names, ["x", "conv", "relu", "norm2", "sum", "flat", "logits"]);
        let images = Array4::from_shape_fn((2, 2, 6, 6), |(n, c, y, x)| {
            ((n + 2 * c + 3 * y + 5 * x) % 7) as f32 / 7.0
        });
        let says = |network: &Network| {
            let engine = Engine::compile(network, &Options::default()).unwrap();
            let mut values = engine.forward(images.view(), &[network.output()]).unwrap();
            values.take(network.output()).unwrap()
        };
        let (before, after) = (says(&network), says(&folded));
        assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-4 * a.abs().max(1.0)));
    }
}
