//! What is done to each channel by constants, folded into the layer before it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cutaway_net::{Binary, Network, Node, NodeId, Op, Param, ParamId, Unary};

use crate::Error;

/// The same function with every batch normalisation, and every addition of or multiplication by a
/// constant a channel, folded into the convolution or dense layer that feeds it and nothing else:
/// `w ← w s`, `b ← b s + t`. Relevance should not depend on how a network spells one linear map; many
/// models that were converted have their biases as additions of their own. Others stay. `None` where there
/// is nothing to fold.
///
/// # Errors
/// None that is known; the network is checked anew.
pub(crate) fn folded(network: &Network) -> Result<Option<Network>, Error> {
    let folds = Folds::of(network);
    if folds.into.is_empty() {
        return Ok(None);
    }
    let (mut nodes, mut params) = (Vec::new(), Vec::new());
    let mut moved: HashMap<NodeId, NodeId> = HashMap::new();
    for (index, node) in network.nodes().iter().enumerate() {
        let id = NodeId(index);
        if let Some(layer) = folds.into.get(&id) {
            moved.insert(id, moved[layer]);
        }
        if folds.into.contains_key(&id) || folds.gone.contains(&id) {
            continue;
        }
        let mut own: Vec<Param> = node.params.iter().map(|&p| network.param(p).clone()).collect();
        if let Some(map) = folds.maps.get(&id) {
            map.fold(node, &mut own);
        }
        let first = params.len();
        params.extend(own);
        let own = (first..params.len()).map(ParamId).collect();
        let inputs = node.inputs.iter().map(|input| moved[input]).collect();
        moved.insert(id, NodeId(nodes.len()));
        nodes.push(Node { inputs, params: own, ..node.clone() });
    }
    let mut outputs: Vec<NodeId> = network.outputs().iter().map(|id| moved[id]).collect();
    outputs.dedup();
    Ok(Some(Network::new(network.name(), nodes, params, outputs, network.metadata().clone())?))
}

/// `x s + t` of each channel.
#[derive(Clone)]
struct Map {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl Map {
    fn then(&self, next: &Map) -> Map {
        let scale = self.scale.iter().zip(&next.scale).map(|(a, b)| a * b).collect();
        let shift = self.shift.iter().zip(&next.scale).zip(&next.shift);
        Map { scale, shift: shift.map(|((t, s), own)| t * s + own).collect() }
    }

    /// Into the parameters of a layer.
    fn fold(&self, layer: &Node, params: &mut Vec<Param>) {
        let channels = self.scale.len();
        let weight = &params[0];
        let each = weight.values.len() / weight.shape[0];
        let channel = |i: usize| match &layer.op {
            // `[in, out / groups, …]`: the group is that of the input channel.
            Op::ConvTranspose(conv) => {
                let out = weight.shape[1];
                let group = i / each / (weight.shape[0] / conv.groups);
                group * out + i % each / (each / out)
            }
            _ => i / each,
        };
        let values = weight.values.iter().enumerate();
        let values: Arc<[f32]> =
            values.map(|(i, &w)| (f64::from(w) * self.scale[channel(i)]) as f32).collect();
        let bias = |c: usize| params.get(1).map_or(0.0, |bias| f64::from(bias.values[c]));
        let bias: Arc<[f32]> =
            (0..channels).map(|c| (bias(c) * self.scale[c] + self.shift[c]) as f32).collect();
        params[0].values = values;
        params.truncate(1);
        let name = format!("{}.folded bias", layer.name);
        params.push(Param { name, shape: vec![channels], values: bias, trainable: true });
    }
}

/// What is folded into what.
#[derive(Default)]
struct Folds {
    /// Of each node that is folded, the layer.
    into: HashMap<NodeId, NodeId>,
    /// Of each layer that something is folded into, what.
    maps: HashMap<NodeId, Map>,
    /// Constants that nothing else takes.
    gone: HashSet<NodeId>,
}

impl Folds {
    fn of(network: &Network) -> Folds {
        let mut folds = Folds::default();
        let mut takers = vec![Vec::new(); network.nodes().len()];
        for (i, node) in network.nodes().iter().enumerate() {
            node.inputs.iter().for_each(|input| takers[input.0].push(NodeId(i)));
        }
        for (index, node) in network.nodes().iter().enumerate() {
            if !matches!(node.op, Op::Conv(_) | Op::ConvTranspose(_) | Op::Dense) {
                continue;
            }
            let (layer, mut last) = (NodeId(index), NodeId(index));
            // A chain of them: each the only one that takes what lies before it.
            while let ([next], false) = (&takers[last.0][..], network.outputs().contains(&last)) {
                let Some(map) = each_channel(network, last, *next) else { break };
                let all = folds.maps.get(&layer).map(|so_far| so_far.then(&map));
                folds.maps.insert(layer, all.unwrap_or(map));
                folds.into.insert(*next, layer);
                last = *next;
            }
        }
        for (i, takers) in takers.iter().enumerate() {
            let constant = matches!(network.nodes()[i].op, Op::Constant { .. });
            let folded = takers.iter().all(|taker| folds.into.contains_key(taker));
            if constant && folded && !network.outputs().contains(&NodeId(i)) {
                folds.gone.insert(NodeId(i));
            }
        }
        folds
    }
}

/// What a node does to each channel of what it takes, if it does no more.
fn each_channel(network: &Network, from: NodeId, id: NodeId) -> Option<Map> {
    let node = network.node(id);
    let channels = network.shape(from)[0];
    let all = |scale: f32, shift: f32| Map {
        scale: vec![f64::from(scale); channels],
        shift: vec![f64::from(shift); channels],
    };
    match node.op {
        Op::BatchNorm { epsilon, .. } => Some(normalisation(network, node, epsilon)),
        Op::Unary(Unary::Scale { factor }) => Some(all(factor, 0.0)),
        Op::Unary(Unary::Shift { by }) => Some(all(1.0, by)),
        Op::Binary(binary) => {
            let first = node.inputs[0] == from;
            let constant = constant(network, from, id, node.inputs[usize::from(first)])?;
            let mut map = all(1.0, 0.0);
            match (binary, first) {
                (Binary::Add, _) => map.shift = constant,
                (Binary::Sub, true) => map.shift = constant.iter().map(|v| -v).collect(),
                (Binary::Sub, false) => (map.scale, map.shift) = (vec![-1.0; channels], constant),
                (Binary::Mul, _) => map.scale = constant,
                (Binary::Div, true) if constant.iter().all(|&v| v != 0.0) => {
                    map.scale = constant.iter().map(|v| 1.0 / v).collect();
                }
                _ => return None,
            }
            Some(map)
        }
        _ => None,
    }
}

fn normalisation(network: &Network, node: &Node, epsilon: f32) -> Map {
    let values = |place: usize| network.param(node.params[place]).values.iter().map(|&v| v.into());
    let (scale, shift, mean, variance) = (values(0), values(1), values(2), values(3));
    let scale: Vec<f64> =
        scale.zip(variance).map(|(s, v): (f64, f64)| s / (v + f64::from(epsilon)).sqrt()).collect();
    let shift = shift.zip(mean).zip(&scale).map(|((t, m), s): ((f64, f64), _)| t - m * s).collect();
    Map { scale, shift }
}

/// The values of a constant, one a channel of the layer `from`, where it has no more than that and
/// `node`, which takes both, gives what has the layer's shape.
fn constant(network: &Network, from: NodeId, node: NodeId, id: NodeId) -> Option<Vec<f64>> {
    let (layer, own) = (network.shape(from), network.shape(id));
    let param = *network.node(id).params.first()?;
    if !matches!(network.node(id).op, Op::Constant { .. }) || network.shape(node) != layer {
        return None;
    }
    let values: Vec<f64> = network.param(param).values.iter().map(|&v| f64::from(v)).collect();
    let along_channels = own.len() == layer.len() && own[0] == values.len();
    match values.len() {
        1 => Some(vec![values[0]; layer[0]]),
        count if count == layer[0] && along_channels => Some(values),
        _ => None,
    }
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
        let folded = folded(&network).unwrap().expect("a normalisation to fold");
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
