//! The network: an immutable graph of named nodes.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use crate::shape::{elements, infer};
use crate::{Error, Metadata, Op, Result};

/// Index of a node in [`Network::nodes`]; inputs come before the nodes that use them.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub usize);

/// Index of a parameter in [`Network::params`].
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ParamId(pub usize);

/// One operator of the graph. Its output has the node's name.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Name, unique among the network's nodes and parameters.
    pub name: String,
    /// What the node computes.
    pub op: Op,
    /// The nodes whose outputs it takes, in the operator's order.
    pub inputs: Vec<NodeId>,
    /// Its parameters, in the operator's order. A parameter belongs to one node.
    pub params: Vec<ParamId>,
}

/// A tensor of parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Name, unique among the network's nodes and parameters, such as `conv1.weight`.
    pub name: String,
    /// Shape; the product of its sizes is the length of `values`.
    pub shape: Vec<usize>,
    /// Numbers in row-major order.
    pub values: Arc<[f32]>,
    /// Whether training changes it by gradient descent.
    pub trainable: bool,
}

/// An immutable graph of named nodes with its parameters, labels and preprocessing.
///
/// Nodes are in topological order and the only [`Op::Input`] comes first. Parameters are in the
/// order in which the nodes list them. Cloning is cheap: everything is shared.
#[derive(Clone, Debug)]
pub struct Network {
    graph: Arc<Graph>,
    params: Arc<[Param]>,
    metadata: Arc<Metadata>,
    hash: Arc<OnceLock<String>>,
}

#[derive(Debug)]
struct Graph {
    name: String,
    nodes: Vec<Node>,
    shapes: Vec<Vec<usize>>,
    outputs: Vec<NodeId>,
    output: NodeId,
}

impl Network {
    /// Makes a network of its parts and checks everything that the type promises.
    ///
    /// # Errors
    /// Names that are empty or used twice, nodes out of topological order, no input or several,
    /// parameters that are shared, unused or out of order, values whose number is not what the
    /// shape says, shapes that do not fit, no outputs, metadata that contradicts the graph.
    pub fn new(
        name: impl Into<String>,
        nodes: Vec<Node>,
        params: Vec<Param>,
        outputs: Vec<NodeId>,
        metadata: Metadata,
    ) -> Result<Self> {
        let name = name.into();
        let graph_error = |problem| Error::Graph { network: name.clone(), problem };
        check_names(&nodes, &params).map_err(graph_error)?;
        check_edges(&nodes).map_err(graph_error)?;
        check_params(&nodes, &params).map_err(graph_error)?;
        check_outputs(&nodes, &outputs).map_err(graph_error)?;
        let shapes = infer_all(&nodes, &params)?;
        let output = main_output(&nodes, &shapes, &outputs);
        let network = Self {
            graph: Arc::new(Graph { name: name.clone(), nodes, shapes, outputs, output }),
            params: params.into(),
            metadata: Arc::new(metadata),
            hash: Arc::default(),
        };
        network.check_metadata()?;
        Ok(network)
    }

    /// Name of the network.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.graph.name
    }

    /// All nodes, in topological order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.graph.nodes
    }

    /// One node.
    ///
    /// # Panics
    /// If the id is not one of this network's.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.graph.nodes[id.0]
    }

    /// The node with this name.
    ///
    /// # Errors
    /// If there is none; the error names the nearest ones.
    pub fn find(&self, name: &str) -> Result<NodeId> {
        match self.graph.nodes.iter().position(|node| node.name == name) {
            Some(index) => Ok(NodeId(index)),
            None => Err(Error::UnknownNode {
                network: self.graph.name.clone(),
                name: name.to_owned(),
                nearest: nearest(name, self.graph.nodes.iter().map(|node| node.name.as_str())),
            }),
        }
    }

    /// All parameters, in the order in which the nodes list them.
    #[must_use]
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// One parameter.
    ///
    /// # Panics
    /// If the id is not one of this network's.
    #[must_use]
    pub fn param(&self, id: ParamId) -> &Param {
        &self.params[id.0]
    }

    /// The input node, always the first.
    #[must_use]
    pub fn input(&self) -> NodeId {
        NodeId(0)
    }

    /// The nodes whose activations are the network's results, at least one.
    #[must_use]
    pub fn outputs(&self) -> &[NodeId] {
        &self.graph.outputs
    }

    /// Shape of a node's output for one sample, without the batch axis.
    ///
    /// # Panics
    /// If the id is not one of this network's.
    #[must_use]
    pub fn shape(&self, id: NodeId) -> &[usize] {
        &self.graph.shapes[id.0]
    }

    /// The main output: the softmax over another output where there is one, else the first output.
    #[must_use]
    pub fn output(&self) -> NodeId {
        self.graph.output
    }

    /// The input of the final softmax or log-softmax, where the network ends in one (perhaps with a
    /// flatten or reshape after it), else the output.
    #[must_use]
    pub fn logits(&self) -> NodeId {
        let output = self.output();
        let mut id = output;
        loop {
            if let Some(logits) = softmax_input(self.node(id), self.shape(id)) {
                return logits;
            }
            match self.node(id).op {
                Op::Flatten | Op::Reshape { .. } | Op::Dropout { .. } => {
                    id = self.node(id).inputs[0];
                }
                _ => return output,
            }
        }
    }

    /// Number of classes: what the main output has along its first axis.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.shape(self.output())[0]
    }

    /// Labels, preprocessing and training record.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The same network with other metadata. Saving it checks that they fit.
    #[must_use]
    pub fn with_metadata(&self, metadata: Metadata) -> Self {
        Self { metadata: Arc::new(metadata), ..self.clone() }
    }

    /// [`Network::with_metadata`] for metadata that come from outside.
    ///
    /// # Errors
    /// If they contradict the graph: another size of image, another number of labels.
    pub fn with_checked_metadata(&self, metadata: Metadata) -> Result<Self> {
        let network = self.with_metadata(metadata);
        network.check_metadata()?;
        Ok(network)
    }

    /// The same graph with other parameter values, one tensor for each of [`Network::params`].
    ///
    /// # Errors
    /// If the number of tensors or the length of one is not this network's.
    pub fn with_values(&self, values: Vec<Arc<[f32]>>) -> Result<Self> {
        let graph_error = |problem| Error::Graph { network: self.graph.name.clone(), problem };
        if values.len() != self.params.len() {
            return Err(graph_error(format!(
                "expected values for {} parameters, got {}",
                self.params.len(),
                values.len()
            )));
        }
        let params: Vec<Param> = self
            .params
            .iter()
            .zip(values)
            .map(|(param, values)| Param { values, ..param.clone() })
            .collect();
        params.iter().try_for_each(check_values).map_err(graph_error)?;
        Ok(Self { params: params.into(), hash: Arc::default(), ..self.clone() })
    }

    /// SHA-256 over the graph and the parameter values, in hexadecimal. Neither the network's name
    /// nor its metadata count, so a label or an accuracy added later leaves the hash alone.
    #[must_use]
    pub fn hash(&self) -> String {
        self.hash.get_or_init(|| hash(&self.graph, &self.params)).clone()
    }

    /// Refuses metadata that contradict the graph.
    pub(crate) fn check_metadata(&self) -> Result<()> {
        self.metadata
            .check(self.shape(self.input()), self.classes())
            .map_err(|problem| Error::Graph { network: self.graph.name.clone(), problem })
    }
}

fn check_names(nodes: &[Node], params: &[Param]) -> Result<(), String> {
    let mut seen = HashSet::new();
    let names = nodes.iter().map(|node| &node.name).chain(params.iter().map(|param| &param.name));
    for name in names {
        if name.is_empty() {
            return Err("a node or parameter has an empty name".into());
        }
        if !seen.insert(name) {
            return Err(format!(
                "the name {name:?} is used twice; nodes and parameters need unique names"
            ));
        }
    }
    Ok(())
}

fn check_edges(nodes: &[Node]) -> Result<(), String> {
    let is_input = |node: &&Node| matches!(node.op, Op::Input { .. });
    let inputs: Vec<&str> = nodes.iter().filter(is_input).map(|node| node.name.as_str()).collect();
    if inputs.len() != 1 {
        return Err(format!("expected exactly one Input node, got {}: {inputs:?}", inputs.len()));
    }
    for (index, node) in nodes.iter().enumerate() {
        if let Some(later) = node.inputs.iter().find(|input| input.0 >= index) {
            let place = nodes.get(later.0).map_or_else(
                || format!("node number {}, which does not exist", later.0),
                |input| format!("{:?}, which does not come before it", input.name),
            );
            return Err(format!(
                "node {:?} takes its input from {place}; nodes must be in topological order",
                node.name
            ));
        }
    }
    Ok(())
}

fn check_params(nodes: &[Node], params: &[Param]) -> Result<(), String> {
    let listed: Vec<usize> = nodes.iter().flat_map(|node| &node.params).map(|id| id.0).collect();
    if !listed.iter().copied().eq(0..params.len()) {
        return Err(format!(
            "expected the nodes to list the {} parameters once each and in order, got {listed:?}",
            params.len()
        ));
    }
    params.iter().try_for_each(check_values)?;
    let trained = nodes
        .iter()
        .filter(|node| matches!(node.op, Op::BatchNorm { .. }))
        .flat_map(|node| node.params.iter().skip(2))
        .map(|id| &params[id.0])
        .find(|param| param.trainable);
    match trained {
        Some(param) => Err(format!(
            "parameter {:?} is a batch normalisation's running statistic and cannot be trainable",
            param.name
        )),
        None => Ok(()),
    }
}

fn check_values(param: &Param) -> Result<(), String> {
    if elements(&param.shape) != Some(param.values.len()) {
        return Err(format!(
            "parameter {:?} has shape {:?} but {} values",
            param.name,
            param.shape,
            param.values.len()
        ));
    }
    Ok(())
}

fn check_outputs(nodes: &[Node], outputs: &[NodeId]) -> Result<(), String> {
    if outputs.is_empty() {
        return Err("expected at least one output, got none".into());
    }
    let mut seen = HashSet::new();
    for output in outputs {
        let Some(node) = nodes.get(output.0) else {
            return Err(format!("output node number {} does not exist", output.0));
        };
        if matches!(node.op, Op::Input { .. }) {
            return Err(format!("the input {:?} cannot be an output", node.name));
        }
        if !seen.insert(output) {
            return Err(format!("node {:?} is listed as an output twice", node.name));
        }
    }
    Ok(())
}

fn infer_all(nodes: &[Node], params: &[Param]) -> Result<Vec<Vec<usize>>> {
    let mut shapes: Vec<Vec<usize>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let inputs: Vec<&[usize]> = node.inputs.iter().map(|id| &shapes[id.0][..]).collect();
        let weights: Vec<&[usize]> = node.params.iter().map(|id| &params[id.0].shape[..]).collect();
        let shape = infer(&node.op, &inputs, &weights).map_err(|problem| Error::Node {
            node: node.name.clone(),
            op: node.op.kind(),
            problem,
        })?;
        shapes.push(shape);
    }
    Ok(shapes)
}

/// The softmax over another output where there is one, else the first output.
fn main_output(nodes: &[Node], shapes: &[Vec<usize>], outputs: &[NodeId]) -> NodeId {
    let listed: HashSet<NodeId> = outputs.iter().copied().collect();
    let over_another = |id: &&NodeId| {
        softmax_input(&nodes[id.0], &shapes[id.0]).is_some_and(|logits| listed.contains(&logits))
    };
    *outputs.iter().find(over_another).unwrap_or(&outputs[0])
}

/// Input of a node that is a softmax over the whole of a sample.
fn softmax_input(node: &Node, shape: &[usize]) -> Option<NodeId> {
    let axis = match node.op {
        Op::Softmax | Op::LogSoftmax => 0,
        Op::SoftmaxAlong { axis, .. } => axis,
        _ => return None,
    };
    let whole = shape.iter().enumerate().all(|(index, &size)| index == axis || size == 1);
    whole.then(|| node.inputs[0])
}

/// The names that a mistyped one may have meant: at most three, best first.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted: Vec<char> = name.to_lowercase().chars().take(200).collect();
    let mut ranked: Vec<(usize, &str)> =
        names.map(|other| (distance(&wanted, other), other)).collect();
    ranked.sort_by_key(|(distance, _)| *distance); // stable: the earlier node first
    ranked.into_iter().take(3).map(|(_, other)| other.to_owned()).collect()
}

/// Levenshtein's edit distance, whatever the case.
fn distance(a: &[char], b: &str) -> usize {
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, other) in b.to_lowercase().chars().take(200).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &own) in a.iter().enumerate() {
            let replaced = diagonal + usize::from(own != other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[a.len()]
}

fn hash(graph: &Graph, params: &[Param]) -> String {
    let mut sha = Sha256::new();
    let number = |sha: &mut Sha256, value: u64| sha.update(value.to_le_bytes());
    let numbers = |sha: &mut Sha256, values: &[u64]| {
        number(sha, values.len() as u64);
        values.iter().for_each(|&value| number(sha, value));
    };
    let text = |sha: &mut Sha256, value: &str| {
        number(sha, value.len() as u64);
        sha.update(value.as_bytes());
    };
    text(&mut sha, "cutaway network 1");
    number(&mut sha, graph.nodes.len() as u64);
    for node in &graph.nodes {
        text(&mut sha, &node.name);
        text(&mut sha, node.op.kind());
        numbers(&mut sha, &node.op.settings());
        numbers(&mut sha, &node.inputs.iter().map(|id| id.0 as u64).collect::<Vec<_>>());
        number(&mut sha, node.params.len() as u64);
    }
    numbers(&mut sha, &graph.outputs.iter().map(|id| id.0 as u64).collect::<Vec<_>>());
    for param in params {
        text(&mut sha, &param.name);
        numbers(&mut sha, &param.shape.iter().map(|&size| size as u64).collect::<Vec<_>>());
        number(&mut sha, u64::from(param.trainable));
        for chunk in param.values.chunks(1024) {
            let bytes: Vec<u8> = chunk.iter().flat_map(|value| value.to_le_bytes()).collect();
            sha.update(&bytes);
        }
    }
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
