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
use cutaway_net::{Binary, Metadata, Network, Node, NodeId, Op, Param, ParamId};
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

/// Images of a batch whose activations may be held at once.
pub(crate) use super::memory::walks_at_once as at_once;

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
            if at.node.inputs.is_empty() {
                // A constant: what it receives ends here.
                continue;
            }
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
        match self.data_inputs()[..] {
            [place] => Piece::new(self.engine, self.id, place, change),
            _ => Err(self.unknown("there is no rule for this function of several values")),
        }
    }

    /// Places of the inputs that depend on the image: all but constants.
    pub(crate) fn data_inputs(&self) -> Vec<usize> {
        let network = self.engine.network();
        let constant = |id: NodeId| matches!(network.node(id).op, Op::Constant { .. });
        (0..self.node.inputs.len()).filter(|&i| !constant(self.node.inputs[i])).collect()
    }

    /// Values of the node's shape, summed to that of one of its inputs, which was repeated.
    pub(crate) fn gathered(&self, values: ArrayD<f32>, index: usize) -> ArrayD<f32> {
        let shape = self.input(index).shape();
        let mut values = values;
        while values.ndim() > shape.len() {
            values = values.sum_axis(Axis(1));
        }
        for (axis, &size) in shape.iter().enumerate().skip(1) {
            if size == 1 && values.shape()[axis] > 1 {
                values = values.sum_axis(Axis(axis)).insert_axis(Axis(axis));
            }
        }
        values
    }

    /// Value of an input with axes of 1 in front of its own, as many as the node's output has.
    pub(crate) fn spread(&self, index: usize) -> ArrayD<f32> {
        let mut value = self.input(index).clone();
        while value.ndim() < self.output().ndim() {
            value = value.insert_axis(Axis(1));
        }
        value
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
            Op::Concat => Ok(self.parts(received, 1)),
            Op::Relu => {
                let mut gradient = received.clone();
                let mask = |g: &mut f32, &x: &f32| *g = if x > 0.0 { *g } else { 0.0 };
                Zip::from(&mut gradient).and(self.input(0)).for_each(mask);
                Ok(vec![gradient])
            }
            Op::ConcatAlong { axis } => Ok(self.parts(received, axis + 1)),
            Op::Binary(binary) if self.data_inputs().len() > 1 => self.pairs(binary, received),
            _ => self.gradient_of_one(received),
        }
    }

    /// The gradient of the one input that depends on the image, zeros for constants.
    fn gradient_of_one(&self, received: &ArrayD<f32>) -> Result<Vec<ArrayD<f32>>, Error> {
        let piece = self.piece()?;
        let all = (0..self.node.inputs.len()).map(|i| match i == piece.place {
            true => piece.backward(self.input(i), received),
            false => Ok(ArrayD::zeros(self.input(i).raw_dim())),
        });
        all.collect()
    }

    /// The gradient of both terms or factors.
    fn pairs(&self, binary: Binary, received: &ArrayD<f32>) -> Result<Vec<ArrayD<f32>>, Error> {
        let (a, b) = match binary {
            Binary::Add => (received.clone(), received.clone()),
            Binary::Sub => (received.clone(), -received.clone()),
            Binary::Mul => (received * &self.spread(1), received * &self.spread(0)),
            Binary::Div => {
                let share = received / &self.spread(1);
                (share.clone(), -share * self.output())
            }
            _ => return Err(self.unknown("there is no rule for this function of two values")),
        };
        Ok(vec![self.gathered(a, 0), self.gathered(b, 1)])
    }

    /// The parts of a concatenation along an axis.
    fn parts(&self, received: &ArrayD<f32>, axis: usize) -> Vec<ArrayD<f32>> {
        let mut start = 0;
        let parts = (0..self.node.inputs.len()).map(|i| {
            let end = start + self.input(i).shape()[axis];
            let part = received.slice_axis(Axis(axis), Slice::from(start..end)).to_owned();
            start = end;
            part
        });
        parts.collect()
    }
}

/// A compiled network of a single node, of one of its inputs; the others are constants.
pub(crate) struct Piece {
    engine: Engine,
    /// Place of that input.
    place: usize,
    /// The node.
    end: NodeId,
}

impl Piece {
    fn new(
        engine: &Engine,
        id: NodeId,
        place: usize,
        change: &dyn Fn(usize, &[f32]) -> Vec<f32>,
    ) -> Result<Piece, Error> {
        let network = engine.network();
        let node = network.node(id);
        let shape = network.shape(node.inputs[place]).to_vec();
        let metadata = Metadata::for_input(&shape);
        let name = format!("input of {}", node.name);
        let mut nodes =
            vec![Node { name, op: Op::Input { shape }, inputs: vec![], params: vec![] }];
        let mut params: Vec<Param> = Vec::new();
        let mut inputs = vec![NodeId(0)];
        for (i, &input) in node.inputs.iter().enumerate().filter(|&(i, _)| i != place) {
            let constant = network.node(input);
            let first = params.len();
            params.extend(constant.params.iter().map(|&param| network.param(param).clone()));
            let params = (first..params.len()).map(ParamId).collect();
            inputs.insert(
                if i < place { inputs.len() - 1 } else { inputs.len() },
                NodeId(nodes.len()),
            );
            nodes.push(Node { params, ..constant.clone() });
        }
        let first = params.len();
        params.extend(node.params.iter().enumerate().map(|(place, &param)| {
            let param = network.param(param).clone();
            let values: Arc<[f32]> = change(place, &param.values).into();
            Param { values, ..param }
        }));
        let end = NodeId(nodes.len());
        let own = (first..params.len()).map(ParamId).collect();
        nodes.push(Node { inputs, params: own, ..node.clone() });
        let piece = Network::new(&node.name, nodes, params, vec![end], metadata)?;
        let options = Options {
            threads: engine.threads(),
            isa: Some(engine.isa()),
            strategy: engine.strategy(),
        };
        Ok(Piece { engine: Engine::compile(&piece, &options)?, place, end })
    }

    pub(crate) fn forward(&self, input: &ArrayD<f32>) -> Result<ArrayD<f32>, Error> {
        let mut values = self.engine.forward(input.view(), &[self.end])?;
        Ok(values.take(self.end).expect("tapped"))
    }

    /// The transposed Jacobian at `input` times `received`.
    pub(crate) fn backward(
        &self,
        input: &ArrayD<f32>,
        received: &ArrayD<f32>,
    ) -> Result<ArrayD<f32>, Error> {
        let seeds = [(self.end, received.clone())];
        let gradients = self.engine.backward(input.view(), &seeds, &[NodeId(0)], false)?;
        Ok(gradients.node(NodeId(0)).expect("asked for").clone())
    }
}

/// Activation functions that work on each number alone.
pub(crate) fn elementwise(kind: &str) -> bool {
    const KINDS: [&str; 18] = [
        "Relu",
        "LeakyRelu",
        "PRelu",
        "Elu",
        "Selu",
        "Celu",
        "Gelu",
        "GeluTanh",
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
