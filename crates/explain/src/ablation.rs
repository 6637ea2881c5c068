//! A network without one of its channels.

use std::collections::HashSet;
use std::sync::Arc;

use cutaway_net::{Conv, Network, Node, NodeId, Op, Param, ParamId};

use crate::Error;
use crate::layers::axes;

/// The same network with one channel of a node's output set to 0, see [`without_channels`].
///
/// # Errors
/// As [`without_channels`].
pub fn without_channel(network: &Network, node: NodeId, channel: usize) -> Result<Network, Error> {
    without_channels(network, node, &[channel])
}

/// The same network with some channels of a node's output (features, where it is a vector) set to
/// 0 for everything that comes after it.
///
/// Behind the node stands a new one that multiplies each channel by 1 and the ablated ones by 0 (a
/// depthwise 1×1 convolution), which works behind any operator. Setting the node's own weights to
/// 0 would do the same for a convolution, but not for a sum, a concatenation or a normalisation.
///
/// # Errors
/// If the node has no such channel, or is the network's answer itself.
pub fn without_channels(
    network: &Network,
    node: NodeId,
    channels: &[usize],
) -> Result<Network, Error> {
    let shape = network.shape(node).to_vec();
    let [count, height, width] = axes(&shape);
    let name = network.node(node).name.clone();
    if let Some(&channel) = channels.iter().find(|&&channel| channel >= count) {
        return Err(Error::Channel { node: name, what: "channels", channel, count });
    }
    if node == network.output() {
        return Err(Error::Setting(format!(
            "'{name}' is the answer of network '{}'; expected a layer below it",
            network.name()
        )));
    }
    let mut parts = Parts::new(network, node);
    if shape.len() == 3 {
        parts.mask(&name, count, channels);
    } else {
        let image = Op::Reshape { shape: vec![count, height, width] };
        parts.push(&format!("{name} as channels"), image, vec![]);
        parts.mask(&name, count, channels);
        parts.push(&format!("{name} again"), Op::Reshape { shape }, vec![]);
    }
    parts.finish(network, node)
}

/// The nodes up to the ablated one and what is put behind it.
struct Parts {
    nodes: Vec<Node>,
    params: Vec<Param>,
    names: HashSet<String>,
}

impl Parts {
    fn new(network: &Network, node: NodeId) -> Parts {
        let nodes = network.nodes()[..=node.0].to_vec();
        let count = nodes.iter().map(|node| node.params.len()).sum();
        let params = network.params()[..count].to_vec();
        let names = network.nodes().iter().map(|node| node.name.clone());
        let names = names.chain(network.params().iter().map(|param| param.name.clone()));
        Parts { nodes, params, names: names.collect() }
    }

    /// Appends a node behind the last, under a name that is still free.
    fn push(&mut self, name: &str, op: Op, params: Vec<ParamId>) {
        let name = self.free(name);
        let inputs = vec![NodeId(self.nodes.len() - 1)];
        self.nodes.push(Node { name, op, inputs, params });
    }

    fn mask(&mut self, name: &str, count: usize, channels: &[usize]) {
        let kept = |i: usize| f32::from(u8::from(!channels.contains(&i)));
        let values: Arc<[f32]> = (0..count).map(kept).collect();
        let weight = self.free(&format!("{name} mask"));
        let id = ParamId(self.params.len());
        let shape = vec![count, 1, 1, 1];
        self.params.push(Param { name: weight, shape, values, trainable: false });
        let op = Op::Conv(Conv { groups: count, ..Conv::default() });
        self.push(&format!("{name} ablated"), op, vec![id]);
    }

    fn free(&mut self, name: &str) -> String {
        let mut name = name.to_owned();
        while !self.names.insert(name.clone()) {
            name.push('\'');
        }
        name
    }

    /// Appends the network's other nodes, which take the masked output for the node's.
    fn finish(mut self, network: &Network, node: NodeId) -> Result<Network, Error> {
        let masked = NodeId(self.nodes.len() - 1);
        let shift = masked.0 - node.0;
        let moved = |id: &NodeId| match id.0.cmp(&node.0) {
            std::cmp::Ordering::Less => *id,
            std::cmp::Ordering::Equal => masked,
            std::cmp::Ordering::Greater => NodeId(id.0 + shift),
        };
        let own: usize = network.nodes()[..=node.0].iter().map(|n| n.params.len()).sum();
        let added = self.params.len() - own;
        for later in &network.nodes()[node.0 + 1..] {
            let inputs = later.inputs.iter().map(moved).collect();
            let params = later.params.iter().map(|id| ParamId(id.0 + added)).collect();
            self.nodes.push(Node { inputs, params, ..later.clone() });
        }
        self.params.extend_from_slice(&network.params()[own..]);
        let outputs = network.outputs().iter().map(moved).collect();
        let metadata = network.metadata().clone();
        Ok(Network::new(network.name(), self.nodes, self.params, outputs, metadata)?)
    }
}
