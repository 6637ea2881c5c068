//! A walk back through the graph, node by node, by rules of one's own.
//!
//! For methods that replace nearly every node's gradient ([`Engine::backward_by`] serves those that replace
//! some): the activations of all nodes are taken in one forward pass, and a [`Rule`] says for one node
//! at a time what its inputs receive. Where it needs a product with a node's Jacobian, or a pass through
//! a layer with other weights, it asks the node [alone](Engine::alone), so that whatever operator the
//! engine knows is known here, and as fast.

use std::borrow::Cow;
use std::collections::BTreeMap;

use cutaway_engine::{Engine, NodeValues};
use cutaway_net::{Binary, Network, Node, NodeId, Op};
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
    /// Of each node, whether it depends on the image.
    varies: Cow<'a, [bool]>,
}

/// One node on the way.
pub(crate) struct Station<'a> {
    walk: &'a Walk<'a>,
    pub(crate) id: NodeId,
    pub(crate) node: &'a Node,
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
        Ok(Walk { engine, method, values, from, varies: varies(network).into() })
    }

    /// The values of one node and its inputs alone, for which it is known [what varies](varies).
    pub(crate) fn of_node(
        engine: &'a Engine,
        id: NodeId,
        values: NodeValues,
        varies: &'a [bool],
        method: &'static str,
    ) -> Walk<'a> {
        let network = engine.network();
        let inputs = network.node(id).inputs.iter().copied().zip(values.inputs);
        let values = inputs.chain([(id, values.output)]).collect();
        Walk { engine, method, values, from: id, varies: varies.into() }
    }

    /// Value of a node that `from` depends on.
    pub(crate) fn value(&self, id: NodeId) -> &ArrayD<f32> {
        &self.values[&id]
    }

    /// What the input receives when `from` receives `seed`. What does not depend on the image receives
    /// nothing.
    pub(crate) fn back(&self, seed: ArrayD<f32>, rule: &dyn Rule) -> Result<ArrayD<f32>, Error> {
        let network = self.engine.network();
        let mut received: BTreeMap<NodeId, ArrayD<f32>> = BTreeMap::new();
        received.insert(self.from, seed);
        for i in (1..=self.from.0).rev() {
            let id = NodeId(i);
            let Some(own) = received.remove(&id) else { continue };
            let at = self.station(id);
            for (&input, share) in at.node.inputs.iter().zip(rule.back(&at, &own)?) {
                if !self.varies[input.0] {
                    continue;
                }
                match received.get_mut(&input) {
                    Some(sum) => *sum += &share,
                    None => drop(received.insert(input, share)),
                }
            }
        }
        let input = network.input();
        Ok(received.remove(&input).unwrap_or_else(|| ArrayD::zeros(self.values[&input].raw_dim())))
    }

    pub(crate) fn station(&self, id: NodeId) -> Station<'_> {
        Station { walk: self, id, node: self.engine.network().node(id) }
    }
}

/// Of each node, whether it depends on the network's input.
pub(crate) fn varies(network: &Network) -> Vec<bool> {
    let mut varies = Vec::with_capacity(network.nodes().len());
    for node in network.nodes() {
        let own = matches!(node.op, Op::Input { .. });
        varies.push(own || node.inputs.iter().any(|input| varies[input.0]));
    }
    varies
}

impl Station<'_> {
    /// Value of one of the node's inputs.
    pub(crate) fn input(&self, index: usize) -> &ArrayD<f32> {
        &self.walk.values[&self.node.inputs[index]]
    }

    /// Value of the node.
    pub(crate) fn output(&self) -> &ArrayD<f32> {
        &self.walk.values[&self.id]
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.walk.engine
    }

    pub(crate) fn network(&self) -> &Network {
        self.walk.engine.network()
    }

    /// The error of a node that the method has no rule for.
    pub(crate) fn unknown(&self, problem: &str) -> Error {
        Error::Operator {
            method: self.walk.method,
            node: self.node.name.clone(),
            op: self.node.op.kind(),
            problem: problem.to_owned(),
        }
    }

    /// The node's value for other values of the inputs that depend on the image.
    pub(crate) fn value_at(&self, data: &[&ArrayD<f32>]) -> Result<ArrayD<f32>, Error> {
        Ok(self.engine().alone(self.id)?.forward(&self.with_constants(data))?)
    }

    /// Values of all inputs, those given for the ones that depend on the image.
    pub(crate) fn with_constants<'b>(&'b self, data: &[&'b ArrayD<f32>]) -> Vec<&'b ArrayD<f32>> {
        let mut all: Vec<&ArrayD<f32>> =
            (0..self.node.inputs.len()).map(|i| self.input(i)).collect();
        self.data_inputs().into_iter().zip(data).for_each(|(i, value)| all[i] = value);
        all
    }

    /// Places of the inputs that depend on the image.
    pub(crate) fn data_inputs(&self) -> Vec<usize> {
        (0..self.node.inputs.len()).filter(|&i| self.walk.varies[self.node.inputs[i].0]).collect()
    }

    /// Values of the inputs that depend on the image.
    pub(crate) fn data(&self) -> Vec<&ArrayD<f32>> {
        self.data_inputs().into_iter().map(|i| self.input(i)).collect()
    }

    /// A value for every input out of those for the ones that depend on the image; no numbers for the
    /// others.
    pub(crate) fn for_all(&self, shares: Vec<ArrayD<f32>>) -> Vec<ArrayD<f32>> {
        let mut all = vec![ArrayD::zeros(vec![0]); self.node.inputs.len()];
        self.data_inputs().into_iter().zip(shares).for_each(|(i, share)| all[i] = share);
        all
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
        self.spread_of(self.input(index))
    }

    /// The same of any value of one of the inputs' shapes.
    pub(crate) fn spread_of(&self, value: &ArrayD<f32>) -> ArrayD<f32> {
        let mut value = value.clone();
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
            Op::Binary(Binary::Add) => Ok(self.pair(received.clone(), received.clone())),
            Op::Binary(Binary::Sub) => Ok(self.pair(received.clone(), -received.clone())),
            Op::Binary(Binary::Mul) => {
                Ok(self.pair(received * &self.spread(1), received * &self.spread(0)))
            }
            _ => self.gradient_at(&self.data(), received),
        }
    }

    /// The gradient at other values of the inputs that depend on the image.
    pub(crate) fn gradient_at(
        &self,
        data: &[&ArrayD<f32>],
        received: &ArrayD<f32>,
    ) -> Result<Vec<ArrayD<f32>>, Error> {
        let (inputs, wanted) = (self.with_constants(data), self.data_inputs());
        let shares = self.engine().alone(self.id)?.backward(&inputs, received, &wanted)?;
        Ok(self.for_all(shares))
    }

    /// What two inputs receive, of the output's shape, brought to their own.
    pub(crate) fn pair(&self, a: ArrayD<f32>, b: ArrayD<f32>) -> Vec<ArrayD<f32>> {
        vec![self.gathered(a, 0), self.gathered(b, 1)]
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
