//! One node of a network as a network of its own.

use std::sync::Arc;

use cutaway_engine::{Engine, Options};
use cutaway_net::{Metadata, Network, Node, NodeId, Op, Param, ParamId, Span};
use ndarray::{ArrayD, Axis, Slice};

use super::walk::Station;
use crate::Error;

/// Other values of a node's parameters, from their place and their values.
pub(crate) type Change<'a> = &'a dyn Fn(usize, &[f32]) -> Arc<[f32]>;

/// A compiled network of a single node. Those of its inputs that depend on the image are the piece's
/// inputs; the others are constants in it.
pub(crate) struct Piece {
    engine: Engine,
    /// Shapes of the inputs, for one image.
    shapes: Vec<Vec<usize>>,
    /// The node.
    end: NodeId,
}

impl Piece {
    /// A network has one input: several stand in it one after the other, and are cut apart again.
    /// Without a change the parameters are shared with the network, not copied.
    pub(crate) fn new(at: &Station<'_>, change: Option<Change<'_>>) -> Result<Piece, Error> {
        let (network, node) = (at.network(), at.node);
        let data = at.data_inputs();
        let shapes: Vec<Vec<usize>> =
            data.iter().map(|&i| network.shape(node.inputs[i]).to_vec()).collect();
        let mut parts = Parts::new(&node.name, &shapes);
        let mut inputs = parts.cut_apart(&shapes).into_iter();
        let mut of = Vec::new();
        for (i, &input) in node.inputs.iter().enumerate() {
            let varies = data.contains(&i);
            of.push(if varies {
                inputs.next().expect("one each")
            } else {
                let value = at.input(i).index_axis(Axis(0), 0);
                let own: Vec<f32> = value.iter().copied().collect();
                let own = match change {
                    Some(change) if node.params.is_empty() => change(0, &own),
                    _ => own.into(),
                };
                parts.constant(network.shape(input), own)
            });
        }
        let params = node.params.iter().enumerate().map(|(place, &param)| {
            let param = network.param(param);
            match change {
                Some(change) => Param { values: change(place, &param.values), ..param.clone() },
                None => param.clone(),
            }
        });
        let end = parts.push(node.name.clone(), node.op.clone(), of, params.collect());
        let metadata = Metadata::for_input(&parts.input);
        let network = Network::new(&node.name, parts.nodes, parts.params, vec![end], metadata)?;
        let own = at.engine();
        let options =
            Options { threads: own.threads(), isa: Some(own.isa()), strategy: own.strategy() };
        Ok(Piece { engine: Engine::compile(&network, &options)?, shapes, end })
    }

    /// The node's output for other inputs, each `[N, …]`.
    pub(crate) fn forward(&self, inputs: &[&ArrayD<f32>]) -> Result<ArrayD<f32>, Error> {
        let input = self.joined(inputs);
        let mut values = self.engine.forward(input.view(), &[self.end])?;
        Ok(values.take(self.end).expect("tapped"))
    }

    /// The transposed Jacobian at `inputs` times `received`, an array for each of them.
    pub(crate) fn backward(
        &self,
        inputs: &[&ArrayD<f32>],
        received: &ArrayD<f32>,
    ) -> Result<Vec<ArrayD<f32>>, Error> {
        let seeds = [(self.end, received.clone())];
        let input = self.joined(inputs);
        let gradients = self.engine.backward(input.view(), &seeds, &[NodeId(0)], false)?;
        let gradient = gradients.node(NodeId(0)).expect("asked for");
        Ok(self.cut(gradient))
    }

    fn joined(&self, inputs: &[&ArrayD<f32>]) -> ArrayD<f32> {
        if let [one] = inputs {
            return (*one).clone();
        }
        let flat: Vec<_> = inputs
            .iter()
            .map(|input| {
                let (n, rest) = (input.shape()[0], input.len() / input.shape()[0]);
                let own = input.as_standard_layout().into_owned();
                own.into_shape_with_order((n, rest)).expect("as many numbers")
            })
            .collect();
        let views: Vec<_> = flat.iter().map(|part| part.view()).collect();
        ndarray::concatenate(Axis(1), &views).expect("as many images").into_dyn()
    }

    fn cut(&self, all: &ArrayD<f32>) -> Vec<ArrayD<f32>> {
        if self.shapes.len() == 1 {
            return vec![all.clone()];
        }
        let mut start = 0;
        let parts = self.shapes.iter().map(|shape| {
            let end = start + shape.iter().product::<usize>();
            let part = all.slice_axis(Axis(1), Slice::from(start..end)).to_owned();
            start = end;
            let shape = [&[part.shape()[0]], &shape[..]].concat();
            let part = part.as_standard_layout().into_owned();
            part.into_shape_with_order(shape).expect("as many numbers")
        });
        parts.collect()
    }
}

/// The network of a piece while it is made.
struct Parts {
    /// Name of the piece's node, after which the others are called.
    name: String,
    /// Shape of the input.
    input: Vec<usize>,
    nodes: Vec<Node>,
    params: Vec<Param>,
}

impl Parts {
    fn new(name: &str, shapes: &[Vec<usize>]) -> Parts {
        let input = match shapes {
            [one] => one.clone(),
            all => vec![all.iter().map(|shape| shape.iter().product::<usize>()).sum()],
        };
        let mut parts =
            Parts { name: name.to_owned(), input, nodes: Vec::new(), params: Vec::new() };
        let op = Op::Input { shape: parts.input.clone() };
        parts.push(format!("input of {name}"), op, vec![], vec![]);
        parts
    }

    fn push(&mut self, name: String, op: Op, inputs: Vec<NodeId>, own: Vec<Param>) -> NodeId {
        let first = self.params.len();
        self.params.extend(own);
        let params = (first..self.params.len()).map(ParamId).collect();
        self.nodes.push(Node { name, op, inputs, params });
        NodeId(self.nodes.len() - 1)
    }

    fn constant(&mut self, shape: &[usize], values: Arc<[f32]>) -> NodeId {
        let name = format!("constant {} of {}", self.nodes.len(), self.name);
        let param = Param {
            name: format!("{name}.value"),
            shape: shape.to_vec(),
            values,
            trainable: false,
        };
        self.push(name, Op::Constant { shape: shape.to_vec() }, vec![], vec![param])
    }

    /// The several inputs out of the one.
    fn cut_apart(&mut self, shapes: &[Vec<usize>]) -> Vec<NodeId> {
        if shapes.len() == 1 {
            return vec![NodeId(0)];
        }
        let mut start = 0;
        let mut all = Vec::new();
        for (i, shape) in shapes.iter().enumerate() {
            let count = shape.iter().product();
            let spans = vec![Span { start, count, step: 1 }];
            start += count;
            let name = format!("part {i} of {}", self.name);
            let part = self.push(name, Op::Slice { spans }, vec![NodeId(0)], vec![]);
            let name = format!("input {i} of {}", self.name);
            let op = Op::Reshape { shape: shape.clone() };
            all.push(self.push(name, op, vec![part], vec![]));
        }
        all
    }
}
