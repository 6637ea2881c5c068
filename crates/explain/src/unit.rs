//! The arithmetic of one number: what a unit sees, and the sum that gives its value.

use cutaway_engine::{Activations, Engine};
use cutaway_net::{Conv, Network, Node, NodeId, Op, Pool};
use ndarray::ArrayView3;
use serde::Serialize;

use crate::layers::{Region, axes, region};
use crate::{Error, check_finite};

/// One number of a layer and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unit {
    /// Name of the node.
    pub layer: String,
    /// The unit's channel.
    pub channel: usize,
    /// Its row.
    pub row: usize,
    /// Its column.
    pub col: usize,
    /// The number, as the network computed it.
    pub value: f32,
    /// The part of the image that it sees.
    pub receptive_field: Region,
    /// The way from the sum up to the number: the sum's own node first.
    pub steps: Vec<Step>,
    /// The sum it comes from.
    pub sum: WeightedSum,
    /// The number again, from the sum and the steps, in double precision.
    pub computed: f64,
}

/// What a node on the way makes of the number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Name of the node.
    pub layer: String,
    /// Its operator.
    pub kind: &'static str,
    /// Channel in the node's output.
    pub channel: usize,
    /// Row in the node's output.
    pub row: usize,
    /// Column in the node's output.
    pub col: usize,
    /// What the network computed there.
    pub value: f32,
    /// What the number is multiplied by: 1, except in a batch normalisation.
    pub factor: f64,
    /// What is added to it: 0, except in a batch normalisation.
    pub shift: f64,
}

/// `bias + Σ weight × input`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WeightedSum {
    /// The node that sums.
    pub layer: String,
    /// The nodes whose values it sums.
    pub inputs: Vec<String>,
    /// Every term, the largest in magnitude first.
    pub terms: Vec<Term>,
    /// What is added to the terms.
    pub bias: f64,
    /// The sum, in double precision.
    pub total: f64,
    /// Positions of the kernel that lie in the padding and add nothing.
    pub in_padding: usize,
}

/// One term of a sum.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct Term {
    /// Which of the sum's inputs.
    pub from: usize,
    /// Channel in that input; a vector's feature.
    pub channel: usize,
    /// Row in that input.
    pub row: usize,
    /// Column in that input.
    pub col: usize,
    /// The input's value.
    pub input: f32,
    /// What it is multiplied by.
    pub weight: f64,
    /// `input × weight`.
    pub product: f64,
}

impl WeightedSum {
    /// Sum of the terms of each input channel, `(input, channel, sum)`, the largest in magnitude
    /// first.
    pub fn by_channel(&self) -> Vec<(usize, usize, f64)> {
        let mut sums = std::collections::BTreeMap::new();
        for term in &self.terms {
            *sums.entry((term.from, term.channel)).or_insert(0.0) += term.product;
        }
        let mut sums: Vec<_> = sums.into_iter().map(|((from, c), sum)| (from, c, sum)).collect();
        sums.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
        sums
    }
}

/// The values of a network for one image, of which single numbers can be traced.
pub struct Trace<'a> {
    network: &'a Network,
    values: Activations,
    layer: NodeId,
}

/// A place in a node's output.
#[derive(Copy, Clone)]
struct At {
    node: NodeId,
    channel: usize,
    row: usize,
    col: usize,
}

impl<'a> Trace<'a> {
    /// Runs the network on an image `[C, H, W]` up to a layer.
    ///
    /// # Errors
    /// If a parameter is not finite or the image does not suit the network.
    pub fn new(
        engine: &'a Engine,
        image: ArrayView3<'_, f32>,
        layer: NodeId,
    ) -> Result<Trace<'a>, Error> {
        let network = engine.network();
        check_finite(network)?;
        let below: Vec<NodeId> = (0..=layer.0).map(NodeId).collect();
        let values = engine.forward(image.insert_axis(ndarray::Axis(0)), &below)?;
        Ok(Trace { network, values, layer })
    }

    /// Where the number `[channel, row, column]` of the layer comes from; of a vector the rows and
    /// columns are 0. Activations, normalisations and poolings are followed down to the nearest
    /// sum: a convolution, a dense layer, a mean or an addition.
    ///
    /// # Errors
    /// If there is no such unit, or none of these lies below it.
    pub fn unit(&self, [channel, row, col]: [usize; 3]) -> Result<Unit, Error> {
        let shape = axes(self.network.shape(self.layer));
        let node = self.network.node(self.layer).name.clone();
        if channel >= shape[0] || row >= shape[1] || col >= shape[2] {
            return Err(Error::Unit { node, unit: [channel, row, col], shape });
        }
        let top = At { node: self.layer, channel, row, col };
        let (mut at, mut steps) = (top, Vec::new());
        let sum = loop {
            steps.push(self.step(at));
            if let Some(sum) = self.sum(at) {
                break sum;
            }
            at = self.below(at)?;
        };
        steps.reverse();
        let computed = steps.iter().fold(sum.total, |x, step| {
            let x = step.factor * x + step.shift;
            if step.kind == "Relu" { x.max(0.0) } else { x }
        });
        let receptive_field = region(self.network, self.layer, row, col);
        let value = self.value(top);
        Ok(Unit { layer: node, channel, row, col, value, receptive_field, steps, sum, computed })
    }

    fn value(&self, at: At) -> f32 {
        let [_, height, width] = axes(self.network.shape(at.node));
        let values = self.values.get(at.node).expect("all nodes below are tapped");
        let values = values.as_slice().expect("in standard order");
        values[(at.channel * height + at.row) * width + at.col]
    }

    fn step(&self, at: At) -> Step {
        let node = self.network.node(at.node);
        let (factor, shift) = match node.op {
            Op::BatchNorm { epsilon, .. } => self.normalisation(node, epsilon, at.channel),
            _ => (1.0, 0.0),
        };
        Step {
            layer: node.name.clone(),
            kind: node.op.kind(),
            channel: at.channel,
            row: at.row,
            col: at.col,
            value: self.value(at),
            factor,
            shift,
        }
    }

    /// Batch normalisation with its running statistics, as `factor × x + shift`.
    fn normalisation(&self, node: &Node, epsilon: f32, channel: usize) -> (f64, f64) {
        let param = |i: usize| f64::from(self.network.param(node.params[i]).values[channel]);
        let [scale, bias, mean, variance] = [0, 1, 2, 3].map(param);
        let factor = scale / (variance + f64::from(epsilon)).sqrt();
        (factor, bias - factor * mean)
    }

    /// The place from which a node takes the number at `at`, where it sums nothing.
    fn below(&self, at: At) -> Result<At, Error> {
        let node = self.network.node(at.node);
        let input = |i: usize| At { node: node.inputs[i], ..at };
        match &node.op {
            Op::Relu | Op::Dropout { .. } | Op::BatchNorm { .. } => Ok(input(0)),
            Op::MaxPool(pool) => {
                let places = self.window(node.inputs[0], pool, at);
                let larger = |a: At, b: At| if self.value(b) > self.value(a) { b } else { a };
                let winner = places.into_iter().reduce(larger);
                let nothing = || Error::NoSum { node: node.name.clone(), kind: node.op.kind() };
                winner.ok_or_else(nothing)
            }
            Op::Flatten | Op::Reshape { .. } => {
                let [_, height, width] = axes(self.network.shape(at.node));
                let flat = (at.channel * height + at.row) * width + at.col;
                Ok(place(self.network, node.inputs[0], flat))
            }
            Op::Concat => {
                let mut channel = at.channel;
                for &id in &node.inputs {
                    let channels = axes(self.network.shape(id))[0];
                    if channel < channels {
                        return Ok(At { node: id, channel, ..at });
                    }
                    channel -= channels;
                }
                unreachable!("a concatenation has as many channels as its inputs together")
            }
            op => Err(Error::NoSum { node: node.name.clone(), kind: op.kind() }),
        }
    }

    /// The places of an input that a pooling window covers.
    fn window(&self, input: NodeId, pool: &Pool, at: At) -> Vec<At> {
        let [_, height, width] = axes(self.network.shape(input));
        let rows = taps(at.row, pool.stride[0], pool.padding[0], pool.kernel[0], 1, height);
        let cols = taps(at.col, pool.stride[1], pool.padding[1], pool.kernel[1], 1, width);
        let place = |row, col| At { node: input, channel: at.channel, row, col };
        rows.iter()
            .flat_map(|&(_, row)| cols.iter().map(move |&(_, col)| place(row, col)))
            .collect()
    }

    /// The sum at a place, where its node is one that sums.
    fn sum(&self, at: At) -> Option<WeightedSum> {
        let node = self.network.node(at.node);
        let mut in_padding = 0;
        let (places, bias): (Vec<(usize, At, f64)>, f64) = match &node.op {
            Op::Conv(conv) => {
                let (places, count) = self.convolution(node, conv, at);
                in_padding = count - places.len();
                (places, self.bias(node, at.channel))
            }
            Op::Dense => (self.dense(node, at.channel), self.bias(node, at.channel)),
            Op::AvgPool(pool) => (equal(self.window(node.inputs[0], pool, at)), 0.0),
            Op::GlobalAvgPool => {
                let [_, height, width] = axes(self.network.shape(node.inputs[0]));
                let stride = [1, 1];
                let pool = Pool { kernel: [height, width], stride, padding: [0; 4] };
                (equal(self.window(node.inputs[0], &pool, At { row: 0, col: 0, ..at })), 0.0)
            }
            Op::Add => {
                let inputs = node.inputs.iter().enumerate();
                (inputs.map(|(i, &id)| (i, At { node: id, ..at }, 1.0)).collect(), 0.0)
            }
            _ => return None,
        };
        let inputs = node.inputs.iter().map(|&id| self.network.node(id).name.clone()).collect();
        let mut terms: Vec<Term> = places.into_iter().map(|place| self.term(place)).collect();
        let total = bias + terms.iter().map(|term| term.product).sum::<f64>();
        terms.sort_by(|a, b| b.product.abs().total_cmp(&a.product.abs()));
        Some(WeightedSum { layer: node.name.clone(), inputs, terms, bias, total, in_padding })
    }

    fn term(&self, (from, at, weight): (usize, At, f64)) -> Term {
        let input = self.value(at);
        let At { channel, row, col, .. } = at;
        Term { from, channel, row, col, input, weight, product: f64::from(input) * weight }
    }

    fn bias(&self, node: &Node, channel: usize) -> f64 {
        node.params.get(1).map_or(0.0, |&id| f64::from(self.network.param(id).values[channel]))
    }

    /// The places under the kernel with their weights, and how many positions the kernel has.
    fn convolution(&self, node: &Node, conv: &Conv, at: At) -> (Vec<(usize, At, f64)>, usize) {
        let weight = self.network.param(node.params[0]);
        let &[count, channels, height, width] = &weight.shape[..] else {
            unreachable!("a convolution's weight has four axes: checked when the network was made");
        };
        let input = node.inputs[0];
        let [_, rows, cols] = axes(self.network.shape(input));
        let first = at.channel / (count / conv.groups) * channels;
        let (stride, padding, dilation) = (conv.stride, conv.padding, conv.dilation);
        let rows = taps(at.row, stride[0], padding[0], height, dilation[0], rows);
        let cols = taps(at.col, stride[1], padding[1], width, dilation[1], cols);
        let mut places = Vec::new();
        for channel in 0..channels {
            for &(ky, row) in &rows {
                for &(kx, col) in &cols {
                    let w = ((at.channel * channels + channel) * height + ky) * width + kx;
                    let place = At { node: input, channel: first + channel, row, col };
                    places.push((0, place, f64::from(weight.values[w])));
                }
            }
        }
        (places, channels * height * width)
    }

    fn dense(&self, node: &Node, feature: usize) -> Vec<(usize, At, f64)> {
        let weight = self.network.param(node.params[0]);
        let row = &weight.values[feature * weight.shape[1]..][..weight.shape[1]];
        let weights = row.iter().enumerate();
        weights.map(|(i, &w)| (0, place(self.network, node.inputs[0], i), f64::from(w))).collect()
    }
}

/// A mean as a weighted sum.
fn equal(places: Vec<At>) -> Vec<(usize, At, f64)> {
    let weight = 1.0 / places.len() as f64;
    places.into_iter().map(|place| (0, place, weight)).collect()
}

/// The place of a node's number in row-major order.
fn place(network: &Network, node: NodeId, flat: usize) -> At {
    let [_, height, width] = axes(network.shape(node));
    let (channel, rest) = (flat / (height * width), flat % (height * width));
    At { node, channel, row: rest / width, col: rest % width }
}

/// Along one axis: which tap of a kernel of `size` falls on which of `limit` input positions.
fn taps(
    position: usize,
    stride: usize,
    padding: usize,
    size: usize,
    dilation: usize,
    limit: usize,
) -> Vec<(usize, usize)> {
    let at = |tap: usize| (position * stride + tap * dilation).checked_sub(padding);
    let inside = (0..size).filter_map(|tap| Some((tap, at(tap)?)));
    inside.filter(|&(_, input)| input < limit).collect()
}
