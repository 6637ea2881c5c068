//! A walk back through the graph, node by node, by rules of one's own.
//!
//! [`Engine::backward`](cutaway_engine::Engine::backward) gives true gradients only. Methods that send
//! something else back (relevance, multipliers, rectified gradients) walk here: the activations of
//! all nodes are taken in one forward pass, and a [`Rule`] says for one node at a time what its
//! inputs receive. Where it needs a product with a node's Jacobian, or a forward pass with other
//! weights, [`Piece`] compiles a network of that one node, so that whatever operator the engine
//! knows is known here, and as fast.

use std::collections::BTreeMap;
use std::sync::Arc;

use cutaway_engine::{Engine, Options};
use cutaway_net::{Metadata, Network, Node, NodeId, Op, ParamId};
use ndarray::{ArrayD, ArrayView4, Axis, Slice, Zip};

use crate::Error;

/// What a rule makes of a node.
pub(crate) trait Rule {
    /// What the node's inputs receive, in their order, of what its output has received.
    fn back(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Result<Vec<ArrayD<f32>>, Error>;
}

/// The activations of a batch.
pub(crate) struct Walk<'a> {
    engine: &'a Engine,
    method: &'static str,
    values: BTreeMap<NodeId, ArrayD<f32>>,
    from: NodeId,
}

/// One node on the way.
pub(crate) struct Station<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) id: NodeId,
    pub(crate) node: &'a Node,
    /// Name of the method, for errors.
    pub(crate) method: &'static str,
    values: &'a BTreeMap<NodeId, ArrayD<f32>>,
}

/// Bytes of activations that are held at once.
const AT_ONCE: usize = 512 << 20;

/// Images of a batch whose activations may be held at once.
pub(crate) fn at_once(network: &Network, from: NodeId) -> usize {
    let numbers: usize =
        (0..=from.0).map(|i| network.shape(NodeId(i)).iter().product::<usize>()).sum();
    (AT_ONCE / (4 * numbers)).clamp(1, 128)
}

impl<'a> Walk<'a> {
    /// Takes the activations of everything that `from` depends on.
    pub(crate) fn new(
        engine: &'a Engine,
        images: ArrayView4<'_, f32>,
        from: NodeId,
        method: &'static str,
    ) -> Result<Walk<'a>, Error> {
        let network = engine.network();
        let mut needed = vec![false; from.0 + 1];
        needed[from.0] = true;
        for i in (0..=from.0).rev().filter(|&i| i > 0) {
            if needed[i] {
                network.nodes()[i].inputs.iter().for_each(|input| needed[input.0] = true);
            }
        }
        let taps: Vec<NodeId> = (0..=from.0).filter(|&i| needed[i]).map(NodeId).collect();
        let mut activations = engine.forward(images, &taps)?;
        let values = taps.iter().map(|&id| (id, activations.take(id).expect("tapped"))).collect();
        Ok(Walk { engine, method, values, from })
    }

    /// Value of a node that `from` depends on.
    pub(crate) fn value(&self, id: NodeId) -> &ArrayD<f32> {
        &self.values[&id]
    }

    /// What the input receives when `from` receives `seed`.
    pub(crate) fn back(&self, seed: ArrayD<f32>, rule: &dyn Rule) -> Result<ArrayD<f32>, Error> {
        let network = self.engine.network();
        let mut received: BTreeMap<NodeId, ArrayD<f32>> = BTreeMap::new();
        received.insert(self.from, seed);
        for i in (1..=self.from.0).rev() {
            let id = NodeId(i);
            let Some(own) = received.remove(&id) else { continue };
            let at = self.station(id);
            for (&input, share) in at.node.inputs.iter().zip(rule.back(&at, &own)?) {
                match received.get_mut(&input) {
                    Some(sum) => *sum += &share,
                    None => drop(received.insert(input, share)),
                }
            }
        }
        let input = network.input();
        Ok(received.remove(&input).unwrap_or_else(|| ArrayD::zeros(self.values[&input].raw_dim())))
    }

    fn station(&self, id: NodeId) -> Station<'_> {
        let node = self.engine.network().node(id);
        Station { engine: self.engine, id, node, method: self.method, values: &self.values }
    }
}

impl Station<'_> {
    /// Value of one of the node's inputs.
    pub(crate) fn input(&self, index: usize) -> &ArrayD<f32> {
        &self.values[&self.node.inputs[index]]
    }

    /// Value of the node.
    pub(crate) fn output(&self) -> &ArrayD<f32> {
        &self.values[&self.id]
    }

    /// The error of a node that the method has no rule for.
    pub(crate) fn unknown(&self, problem: &str) -> Error {
        Error::Operator {
            method: self.method,
            node: self.node.name.clone(),
            op: self.node.op.kind(),
            problem: problem.to_owned(),
        }
    }

    /// The node alone, as a network from its first input to its output.
    pub(crate) fn piece(&self) -> Result<Piece, Error> {
        self.piece_with(&|_, values| values.to_vec())
    }

    /// The same with other values of its parameters, made from their place and their values.
    pub(crate) fn piece_with(
        &self,
        change: &dyn Fn(usize, &[f32]) -> Vec<f32>,
    ) -> Result<Piece, Error> {
        if self.node.inputs.len() != 1 {
            return Err(self.unknown("it has several inputs and is no sum or concatenation"));
        }
        Piece::new(self.engine, self.id, change)
    }

    /// Whether the node gives the numbers it takes, in the same order.
    pub(crate) fn moves_nothing(&self) -> bool {
        matches!(
            self.node.op.kind(),
            "Flatten" | "Reshape" | "Dropout" | "Identity" | "Squeeze" | "Unsqueeze"
        )
    }

    /// The gradient: what the inputs receive of a true backward pass.
    pub(crate) fn gradient(&self, received: &ArrayD<f32>) -> Result<Vec<ArrayD<f32>>, Error> {
        if self.moves_nothing() {
            let shape = self.input(0).raw_dim();
            let same = received.as_standard_layout().into_owned();
            return Ok(vec![same.into_shape_with_order(shape).expect("as many numbers")]);
        }
        match self.node.op {
            Op::Add => Ok(vec![received.clone(); self.node.inputs.len()]),
            Op::Concat => Ok(self.split(received)),
            Op::Relu => {
                let mut gradient = received.clone();
                let mask = |g: &mut f32, &x: &f32| *g = if x > 0.0 { *g } else { 0.0 };
                Zip::from(&mut gradient).and(self.input(0)).for_each(mask);
                Ok(vec![gradient])
            }
            _ => Ok(vec![self.piece()?.backward(self.input(0), received)?]),
        }
    }

    /// The parts of a concatenation.
    fn split(&self, received: &ArrayD<f32>) -> Vec<ArrayD<f32>> {
        let mut start = 0;
        let parts = (0..self.node.inputs.len()).map(|i| {
            let end = start + self.input(i).shape()[1];
            let part = received.slice_axis(Axis(1), Slice::from(start..end)).to_owned();
            start = end;
            part
        });
        parts.collect()
    }
}

/// A compiled network of a single node with one input.
pub(crate) struct Piece {
    engine: Engine,
}

impl Piece {
    fn new(
        engine: &Engine,
        id: NodeId,
        change: &dyn Fn(usize, &[f32]) -> Vec<f32>,
    ) -> Result<Piece, Error> {
        let network = engine.network();
        let node = network.node(id);
        let shape = network.shape(node.inputs[0]).to_vec();
        let params = node.params.iter().enumerate().map(|(place, &param)| {
            let param = network.param(param).clone();
            let values: Arc<[f32]> = change(place, &param.values).into();
            cutaway_net::Param { values, ..param }
        });
        let params: Vec<_> = params.collect();
        let metadata = Metadata::for_input(&shape);
        let input = Node {
            name: format!("input of {}", node.name),
            op: Op::Input { shape },
            inputs: vec![],
            params: vec![],
        };
        let own = Node {
            inputs: vec![NodeId(0)],
            params: (0..params.len()).map(ParamId).collect(),
            ..node.clone()
        };
        let piece = Network::new(&node.name, vec![input, own], params, vec![NodeId(1)], metadata)?;
        let options = Options {
            threads: engine.threads(),
            isa: Some(engine.isa()),
            strategy: engine.strategy(),
        };
        Ok(Piece { engine: Engine::compile(&piece, &options)? })
    }

    pub(crate) fn forward(&self, input: &ArrayD<f32>) -> Result<ArrayD<f32>, Error> {
        let mut values = self.engine.forward(input.view(), &[NodeId(1)])?;
        Ok(values.take(NodeId(1)).expect("tapped"))
    }

    /// The transposed Jacobian at `input` times `received`.
    pub(crate) fn backward(
        &self,
        input: &ArrayD<f32>,
        received: &ArrayD<f32>,
    ) -> Result<ArrayD<f32>, Error> {
        let seeds = [(NodeId(1), received.clone())];
        let gradients = self.engine.backward(input.view(), &seeds, &[NodeId(0)], false)?;
        Ok(gradients.node(NodeId(0)).expect("asked for").clone())
    }
}

/// Activation functions that work on each number alone.
pub(crate) fn elementwise(kind: &str) -> bool {
    const KINDS: [&str; 17] = [
        "Relu",
        "LeakyRelu",
        "PRelu",
        "Elu",
        "Selu",
        "Celu",
        "Gelu",
        "Erf",
        "Sigmoid",
        "HardSigmoid",
        "HardSwish",
        "Tanh",
        "Softplus",
        "Softsign",
        "Clip",
        "Silu",
        "Mish",
    ];
    KINDS.contains(&kind)
}
