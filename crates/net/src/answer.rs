//! The answer of a network that gives more than one vector of scores: a row of an output, as a network
//! of its own.

use crate::shape::elements;
use crate::{Error, Network, Node, NodeId, Op, ParamId, Result, Span};

/// Where the scores of the classes stand in a node's output, such as row 12 of a detector's `[4420, 2]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The axis of the classes, counted from 0 without the batch axis.
    pub axis: usize,
    /// A position on each of the other axes, in their order.
    pub at: Vec<usize>,
}

impl Row {
    /// The axis on which the classes of an output of this shape stand by custom: the channels of a
    /// picture `[classes, height, width]`, else the last axis, as in a detector's `[places, classes]`.
    #[must_use]
    pub fn usual_axis(shape: &[usize]) -> usize {
        if shape.len() == 3 { 0 } else { shape.len().saturating_sub(1) }
    }

    /// The row's positions on every axis; `None` for the axis of the classes.
    fn positions(&self, shape: &[usize]) -> Vec<Option<usize>> {
        let mut at = self.at.iter().copied();
        (0..shape.len()).map(|axis| if axis == self.axis { None } else { at.next() }).collect()
    }

    /// Indices of the row's scores in the output's values.
    ///
    /// # Panics
    /// If the row does not lie in an output of this shape.
    #[must_use]
    pub fn indices(&self, shape: &[usize]) -> Vec<usize> {
        assert!(self.check(shape).is_ok(), "a row of an output of this shape");
        let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
        let positions = self.positions(shape).into_iter().enumerate();
        let first: usize = positions.map(|(axis, at)| at.unwrap_or(0) * stride(axis)).sum();
        (0..shape[self.axis]).map(|class| first + class * stride(self.axis)).collect()
    }

    fn check(&self, shape: &[usize]) -> Result<(), String> {
        if self.axis >= shape.len() {
            return Err(format!("there is no axis {} in {shape:?}", self.axis));
        }
        if self.at.len() + 1 != shape.len() {
            return Err(format!(
                "a place in {shape:?}, with the classes along axis {}, has {} position(s), not {}",
                self.axis,
                shape.len() - 1,
                self.at.len()
            ));
        }
        for (axis, at) in self.positions(shape).into_iter().enumerate() {
            if let Some(at) = at.filter(|&at| at >= shape[axis]) {
                return Err(format!(
                    "position {at} is out of range: axis {axis} has positions 0 to {}",
                    shape[axis] - 1
                ));
            }
        }
        Ok(())
    }
}

impl Network {
    /// The network whose only output is a row of the output of `node`, as a vector with one number a
    /// class; of the graph there is left what computes it. Where `node` is a softmax along the row, the
    /// new network takes the row before it and ends in a softmax, so that it has logits.
    ///
    /// Labels stay where their number fits.
    ///
    /// # Errors
    /// [`Error::Graph`] where the row does not lie in the node's output, or that has no numbers.
    pub fn answering(&self, node: NodeId, row: &Row) -> Result<Network> {
        let error = |problem| Error::Graph { network: self.name().to_owned(), problem };
        let shape = self.shape(node);
        let at: Vec<String> = row.at.iter().map(ToString::to_string).collect();
        row.check(shape)
            .map_err(|why| error(format!("output '{}': {why}", self.node(node).name)))?;
        let softmax = match self.node(node).op {
            Op::Softmax if row.axis == 0 => Some(Op::Softmax),
            Op::LogSoftmax if row.axis == 0 => Some(Op::LogSoftmax),
            Op::SoftmaxAlong { axis, log } if axis == row.axis => {
                Some(if log { Op::LogSoftmax } else { Op::Softmax })
            }
            _ => None,
        };
        let from = if softmax.is_some() { self.node(node).inputs[0] } else { node };
        let (from, row) = self.within_branch(from, row);
        let whole = shape;
        let shape = self.shape(from);
        let vector = vec![shape[row.axis]];
        let mut ops = Vec::new();
        if elements(shape) != Some(shape[row.axis]) {
            let spans = row.positions(shape).into_iter().zip(shape);
            let spans = spans.map(|(at, &size)| match at {
                Some(start) => Span { start, count: 1, step: 1 },
                None => Span { start: 0, count: size, step: 1 },
            });
            ops.push(("row", Op::Slice { spans: spans.collect() }));
        }
        if shape.len() != 1 {
            ops.push(("scores", Op::Reshape { shape: vector }));
        }
        ops.extend(softmax.map(|op| ("probabilities", op)));
        let stem = match elements(whole) == Some(whole[row.axis]) {
            true => self.node(node).name.clone(),
            false => format!("{}[{}]", self.node(node).name, at.join(",")),
        };
        self.ending_in(from, &stem, ops)
    }

    /// The input of a concatenation in which a row lies, and its place there, through as many as there are:
    /// what computes the others has no say in the row.
    fn within_branch(&self, node: NodeId, row: &Row) -> (NodeId, Row) {
        let (mut node, mut row) = (node, row.clone());
        loop {
            let axis = match self.node(node).op {
                Op::Concat => 0,
                Op::ConcatAlong { axis } => axis,
                _ => return (node, row),
            };
            if axis == row.axis {
                return (node, row);
            }
            let at = &mut row.at[if axis < row.axis { axis } else { axis - 1 }];
            for &input in &self.node(node).inputs {
                let size = self.shape(input)[axis];
                if *at < size {
                    node = input;
                    break;
                }
                *at -= size;
            }
        }
    }

    /// What computes `node`, with operators after it, one after the other, that are named after `stem`.
    fn ending_in(&self, node: NodeId, stem: &str, ops: Vec<(&str, Op)>) -> Result<Network> {
        let mut used = vec![false; self.nodes().len()];
        (used[0], used[node.0]) = (true, true);
        for (id, node) in self.nodes().iter().enumerate().rev() {
            if used[id] {
                node.inputs.iter().for_each(|input| used[input.0] = true);
            }
        }
        let mut place = vec![NodeId(0); used.len()];
        let (mut nodes, mut params) = (Vec::new(), Vec::new());
        for (id, node) in self.nodes().iter().enumerate().filter(|&(id, _)| used[id]) {
            place[id] = NodeId(nodes.len());
            let first = params.len();
            params.extend(node.params.iter().map(|&param| self.param(param).clone()));
            let params = (first..params.len()).map(ParamId).collect();
            let inputs = node.inputs.iter().map(|input| place[input.0]).collect();
            nodes.push(Node { inputs, params, ..node.clone() });
        }
        let mut last = place[node.0];
        for (role, op) in ops {
            let mut name = format!("{stem}.{role}");
            while nodes.iter().any(|node| node.name == name)
                || params.iter().any(|p| p.name == name)
            {
                name.push('_');
            }
            nodes.push(Node { name, op, inputs: vec![last], params: vec![] });
            last = NodeId(nodes.len() - 1);
        }
        // Who asks for a node that is gone learns from the name why.
        let name = format!("{} as far as {stem}", self.name());
        let network = Network::new(&name, nodes, params, vec![last], self.unlabelled())?;
        let labels = &self.metadata().labels;
        if labels.len() != network.classes() {
            return Ok(network);
        }
        Ok(network.with_metadata(self.metadata().clone()))
    }

    fn unlabelled(&self) -> crate::Metadata {
        crate::Metadata { labels: Vec::new(), ..self.metadata().clone() }
    }
}
