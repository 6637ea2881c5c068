//! Every operator in f64, written to be read: what the fast engine must compute, to within rounding.
//!
//! Plain loops, forward and backward side by side, one file a family of operators. Activations of a
//! batch are row-major with the batch first, in the network's own order: images `[N, C, H, W]`,
//! vectors `[N, F]`. Nothing here is fast, and nothing is clever.
//!
//! A backward pass starts from seeds, the gradients of some number L with respect to chosen nodes,
//! and yields the gradients of the same L with respect to every node and every parameter.
//!
//! ```
//! use cutaway_engine::reference;
//! use cutaway_net::{Network, NetworkBuilder};
//!
//! # fn main() -> cutaway_net::Result<()> {
//! let network = NetworkBuilder::new("small").input("x", &[3]).relu("y").build(1)?;
//! let y = network.find("y")?;
//!
//! let activations = reference::forward(&network, &[-1.0, 0.0, 2.0], 1);
//! assert_eq!(activations[y.0], [0.0, 0.0, 2.0]);
//!
//! let gradients = reference::backward(&network, &activations, 1, &[(y, vec![5.0; 3])]);
//! assert_eq!(gradients.nodes[network.input().0], [0.0, 0.0, 5.0]);
//! # Ok(())
//! # }
//! ```

mod activation;
mod batch_norm;
mod conv;
mod dense;
mod merge;
mod pool;

use cutaway_net::{Network, Node, NodeId, Op, ParamId};

use self::batch_norm::BatchNorm;
use self::conv::Convolution;
use self::dense::Dense;
use self::pool::Pooling;
use crate::plain::{self, Shapes};

/// What batch normalisation normalises with. Dropout is the identity in both modes: its masks are
/// random numbers, not arithmetic.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The running statistics among the parameters.
    Inference,
    /// The statistics of the batch itself, through which gradients flow.
    Training,
}

/// Gradients of a backward pass.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// One for each node, of the shape of its activations; zeros where nothing flows.
    pub nodes: Vec<Vec<f64>>,
    /// One for each parameter, summed over the batch; zeros for running statistics, which no
    /// gradient trains.
    pub params: Vec<Vec<f64>>,
}

/// Activations of every node for a batch of `n`, in inference.
///
/// # Panics
/// If `batch` is not `n` times the input's shape.
#[must_use]
pub fn forward(network: &Network, batch: &[f64], n: usize) -> Vec<Vec<f64>> {
    Reference::new(network, Mode::Inference).forward(batch, n)
}

/// Gradients from `seeds` at nodes, in inference, for the activations that [`forward`] gave.
///
/// # Panics
/// If the activations or a seed are not of the nodes' shapes.
#[must_use]
pub fn backward(
    network: &Network,
    activations: &[Vec<f64>],
    n: usize,
    seeds: &[(NodeId, Vec<f64>)],
) -> Gradients {
    Reference::new(network, Mode::Inference).backward(activations, n, seeds)
}

/// A network with parameters in f64 of its own, and a mode.
#[derive(Clone, Debug)]
pub struct Reference<'a> {
    network: &'a Network,
    /// Values of [`Network::params`], which may be moved, say for a finite difference.
    pub params: Vec<Vec<f64>>,
    mode: Mode,
}

impl<'a> Reference<'a> {
    /// Takes over the network's parameters.
    #[must_use]
    pub fn new(network: &'a Network, mode: Mode) -> Self {
        let widen = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect();
        let params = network.params().iter().map(|param| widen(&param.values)).collect();
        Self { network, params, mode }
    }

    /// Activations of every node for a batch of `n`.
    ///
    /// # Panics
    /// If `batch` is not `n` times the input's shape.
    #[must_use]
    pub fn forward(&self, batch: &[f64], n: usize) -> Vec<Vec<f64>> {
        let mut activations: Vec<Vec<f64>> = Vec::new();
        for (index, node) in self.network.nodes().iter().enumerate() {
            let output = match &node.op {
                Op::Input { .. } => batch.to_vec(),
                _ => self.forward_node(NodeId(index), &activations, n),
            };
            assert_eq!(output.len(), self.len(NodeId(index), n), "activations of {:?}", node.name);
            activations.push(output);
        }
        activations
    }

    /// Output of one node (not the input) from the activations of the nodes before it.
    ///
    /// # Panics
    /// If those are not of the nodes' shapes, or if the node is the input.
    #[must_use]
    pub fn forward_node(&self, id: NodeId, activations: &[Vec<f64>], n: usize) -> Vec<f64> {
        let node = self.network.node(id);
        let inputs = self.inputs(node, activations);
        let params = self.params(node);
        if plain::knows(&node.op) {
            return self.forward_plain(id, &inputs, &params, n);
        }
        let x = inputs[0];
        match &node.op {
            Op::Input { .. } => panic!("the input is given, not computed"),
            Op::Conv(_) => self.convolution(id, n).forward(x, params[0], params.get(1).copied()),
            Op::MaxPool(_) => self.pooling(id, n).forward_max(x),
            Op::AvgPool(_) | Op::GlobalAvgPool => self.pooling(id, n).forward_mean(x),
            Op::Dense => self.dense(id, n).forward(x, params[0], params.get(1).copied()),
            Op::Relu => activation::relu_forward(x),
            Op::Softmax => activation::softmax_forward(self.channels(id), x),
            Op::LogSoftmax => activation::log_softmax_forward(self.channels(id), x),
            Op::Flatten | Op::Reshape { .. } | Op::Dropout { .. } => x.to_vec(),
            Op::Add => merge::add_forward(&inputs),
            Op::Concat => merge::concat_forward(n, &inputs),
            Op::BatchNorm { .. } => {
                let norm = self.batch_norm(id, n);
                let (mean, var) = self.statistics(&norm, x, &params);
                norm.forward(x, params[0], params[1], &mean, &var)
            }
            other => unreachable!("{} has its definition in `plain`", other.kind()),
        }
    }

    /// The operators that are defined one sample at a time.
    fn forward_plain(
        &self,
        id: NodeId,
        inputs: &[&[f64]],
        params: &[&[f64]],
        n: usize,
    ) -> Vec<f64> {
        let mut y = vec![0.0; self.len(id, n)];
        let len = y.len() / n;
        for (sample, y) in y.chunks_exact_mut(len).enumerate() {
            let x = samples(inputs, sample, n);
            plain::forward(&self.network.node(id).op, &self.shapes(id), &x, params, y);
        }
        y
    }

    fn backward_plain(
        &self,
        id: NodeId,
        inputs: &[&[f64]],
        params: &[&[f64]],
        y: &[f64],
        dy: &[f64],
        n: usize,
    ) -> NodeGradients {
        let (op, shapes) = (&self.network.node(id).op, self.shapes(id));
        let zeros = |values: &&[f64]| vec![0.0; values.len()];
        let mut gradients = NodeGradients {
            inputs: inputs.iter().map(zeros).collect(),
            params: params.iter().map(zeros).collect(),
        };
        for sample in 0..n {
            let x = samples(inputs, sample, n);
            let (y, dy) = (samples(&[y], sample, n)[0], samples(&[dy], sample, n)[0]);
            for (which, dx) in gradients.inputs.iter_mut().enumerate() {
                let len = dx.len() / n;
                let dx = &mut dx[sample * len..][..len];
                plain::backward(op, &shapes, which, &x, params, y, dy, dx);
            }
            let mut slices: Vec<&mut [f64]> =
                gradients.params.iter_mut().map(Vec::as_mut_slice).collect();
            plain::backward_params(op, &shapes, &x, params, dy, &mut slices);
        }
        gradients
    }

    fn shapes(&self, id: NodeId) -> Shapes {
        let inputs = self.network.node(id).inputs.iter();
        let inputs = inputs.map(|&input| self.network.shape(input).to_vec()).collect();
        Shapes { inputs, output: self.network.shape(id).to_vec() }
    }

    /// Gradients from `seeds` at nodes; several seeds at one node add up. The activations need not
    /// come from [`forward`](Self::forward): gradients are those at the given ones, so that a
    /// ReLU on the brink falls to the same side as in whatever computed them.
    ///
    /// # Panics
    /// If the activations or a seed are not of the nodes' shapes.
    #[must_use]
    pub fn backward(
        &self,
        activations: &[Vec<f64>],
        n: usize,
        seeds: &[(NodeId, Vec<f64>)],
    ) -> Gradients {
        let mut nodes: Vec<Vec<f64>> = activations.iter().map(|a| vec![0.0; a.len()]).collect();
        let mut params: Vec<Vec<f64>> = self.params.iter().map(|p| vec![0.0; p.len()]).collect();
        for (id, seed) in seeds {
            accumulate(&mut nodes[id.0], seed);
        }
        for (index, node) in self.network.nodes().iter().enumerate().rev() {
            if matches!(node.op, Op::Input { .. }) {
                continue;
            }
            let local = self.backward_node(NodeId(index), activations, n, &nodes[index]);
            // An input listed twice (x + x) receives both gradients.
            for (input, gradient) in node.inputs.iter().zip(&local.inputs) {
                accumulate(&mut nodes[input.0], gradient);
            }
            for (param, gradient) in node.params.iter().zip(&local.params) {
                accumulate(&mut params[param.0], gradient);
            }
        }
        Gradients { nodes, params }
    }

    /// Gradients of one node's inputs and parameters from `dy`, that of its output.
    fn backward_node(
        &self,
        id: NodeId,
        activations: &[Vec<f64>],
        n: usize,
        dy: &[f64],
    ) -> NodeGradients {
        let node = self.network.node(id);
        let inputs = self.inputs(node, activations);
        let params = self.params(node);
        if plain::knows(&node.op) {
            return self.backward_plain(id, &inputs, &params, &activations[id.0], dy, n);
        }
        let (x, y) = (inputs[0], &activations[id.0][..]);
        match &node.op {
            Op::Input { .. } => NodeGradients { inputs: vec![], params: vec![] },
            Op::Conv(_) => {
                let (dx, dw, db) = self.convolution(id, n).backward(x, params[0], dy);
                NodeGradients { inputs: vec![dx], params: vec![dw, db] }
            }
            Op::Dense => {
                let (dx, dw, db) = self.dense(id, n).backward(x, params[0], dy);
                NodeGradients { inputs: vec![dx], params: vec![dw, db] }
            }
            Op::BatchNorm { .. } => {
                let norm = self.batch_norm(id, n);
                let (mean, var) = self.statistics(&norm, x, &params);
                norm.backward(self.mode, x, params[0], &mean, &var, dy)
            }
            Op::MaxPool(_) => NodeGradients::of_input(self.pooling(id, n).backward_max(x, dy)),
            Op::AvgPool(_) | Op::GlobalAvgPool => {
                NodeGradients::of_input(self.pooling(id, n).backward_mean(dy))
            }
            Op::Relu => NodeGradients::of_input(activation::relu_backward(x, dy)),
            Op::Softmax => {
                NodeGradients::of_input(activation::softmax_backward(self.channels(id), y, dy))
            }
            Op::LogSoftmax => {
                NodeGradients::of_input(activation::log_softmax_backward(self.channels(id), y, dy))
            }
            Op::Flatten | Op::Reshape { .. } | Op::Dropout { .. } => {
                NodeGradients::of_input(dy.to_vec())
            }
            Op::Add => {
                NodeGradients { inputs: merge::add_backward(inputs.len(), dy), params: vec![] }
            }
            Op::Concat => {
                let lengths: Vec<usize> = inputs.iter().map(|input| input.len()).collect();
                NodeGradients { inputs: merge::concat_backward(n, &lengths, dy), params: vec![] }
            }
            other => unreachable!("{} has its definition in `plain`", other.kind()),
        }
    }

    /// Running mean and variance of every batch normalisation after a training step on the batch
    /// that gave these activations: `running = momentum · running + (1 − momentum) · batch`, with
    /// the batch's unbiased variance, as PyTorch has it.
    ///
    /// # Panics
    /// If the activations are not of the nodes' shapes.
    #[must_use]
    pub fn running_statistics(
        &self,
        activations: &[Vec<f64>],
        n: usize,
    ) -> Vec<(ParamId, Vec<f64>)> {
        let mut updated = Vec::new();
        for (index, node) in self.network.nodes().iter().enumerate() {
            let Op::BatchNorm { momentum, .. } = &node.op else { continue };
            let keep = f64::from(*momentum);
            let (mean, var) =
                self.batch_norm(NodeId(index), n).unbiased(self.inputs(node, activations)[0]);
            for (param, batch) in [(node.params[2], mean), (node.params[3], var)] {
                let running = &self.params[param.0];
                let next = running.iter().zip(batch).map(|(r, b)| keep * r + (1.0 - keep) * b);
                updated.push((param, next.collect()));
            }
        }
        updated
    }

    /// Mean and (biased) variance that a batch normalisation uses in this mode.
    fn statistics(&self, norm: &BatchNorm, x: &[f64], params: &[&[f64]]) -> (Vec<f64>, Vec<f64>) {
        match self.mode {
            Mode::Inference => (params[2].to_vec(), params[3].to_vec()),
            Mode::Training => norm.moments(x),
        }
    }

    fn inputs<'b>(&self, node: &Node, activations: &'b [Vec<f64>]) -> Vec<&'b [f64]> {
        node.inputs.iter().map(|id| &activations[id.0][..]).collect()
    }

    fn params(&self, node: &Node) -> Vec<&[f64]> {
        node.params.iter().map(|id| &self.params[id.0][..]).collect()
    }

    /// Length of a node's activations for a batch of `n`.
    fn len(&self, id: NodeId, n: usize) -> usize {
        n * self.network.shape(id).iter().product::<usize>()
    }

    /// Classes of a vector or channels of an image, and the pixels that share them.
    fn channels(&self, id: NodeId) -> [usize; 2] {
        let shape = self.network.shape(id);
        [shape[0], shape[1..].iter().product()]
    }

    /// Shape `[C, H, W]` of a node's (first) input.
    fn input_image(&self, id: NodeId) -> [usize; 3] {
        image(self.network.shape(self.network.node(id).inputs[0]))
    }

    fn convolution(&self, id: NodeId, n: usize) -> Convolution {
        let node = self.network.node(id);
        let Op::Conv(conv) = node.op else { panic!("{:?} is no convolution", node.name) };
        let weight = &self.network.param(node.params[0]).shape;
        Convolution {
            conv,
            n,
            input: self.input_image(id),
            kernel: [weight[2], weight[3]],
            output: image(self.network.shape(id)),
        }
    }

    fn pooling(&self, id: NodeId, n: usize) -> Pooling {
        let input = self.input_image(id);
        let output = image(self.network.shape(id));
        match self.network.node(id).op {
            Op::MaxPool(pool) | Op::AvgPool(pool) => Pooling { pool, n, input, output },
            // The mean over one window as large as the image.
            _ => Pooling { pool: pool::whole(input), n, input, output },
        }
    }

    fn dense(&self, id: NodeId, n: usize) -> Dense {
        let weight = &self.network.param(self.network.node(id).params[0]).shape;
        // Each row of a matrix is a vector of its own.
        Dense { n: self.len(id, n) / weight[0], outputs: weight[0], inputs: weight[1] }
    }

    fn batch_norm(&self, id: NodeId, n: usize) -> BatchNorm {
        let node = self.network.node(id);
        let Op::BatchNorm { epsilon, .. } = node.op else {
            panic!("{:?} is no batch normalisation", node.name)
        };
        let [channels, pixels] = self.channels(id);
        BatchNorm { n, channels, pixels, epsilon: f64::from(epsilon) }
    }
}

/// Gradients of one node's inputs and parameters, in the operator's order.
struct NodeGradients {
    inputs: Vec<Vec<f64>>,
    /// Need not be as many as the node has: a convolution without bias has no use for the second,
    /// running statistics have none.
    params: Vec<Vec<f64>>,
}

impl NodeGradients {
    fn of_input(dx: Vec<f64>) -> Self {
        Self { inputs: vec![dx], params: vec![] }
    }
}

/// One sample of each of several batches of `n`.
fn samples<'a>(batches: &[&'a [f64]], sample: usize, n: usize) -> Vec<&'a [f64]> {
    let one = |batch: &&'a [f64]| &batch[sample * (batch.len() / n)..][..batch.len() / n];
    batches.iter().map(one).collect()
}

fn accumulate(sum: &mut [f64], values: &[f64]) {
    assert_eq!(sum.len(), values.len());
    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

fn image(shape: &[usize]) -> [usize; 3] {
    shape.try_into().expect("checked by the network")
}
