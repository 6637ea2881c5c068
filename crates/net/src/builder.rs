//! Builds networks layer by layer, in the manner of Keras's `Sequential`, with branches.

use std::collections::HashSet;

use rand_pcg::Pcg64;

use crate::init::{self, Init};
use crate::shape::{elements, infer, same_padding};
use crate::{Conv, Error, Metadata, Network, Node, NodeId, Op, Param, ParamId, Pool, Result};

/// Name to give where the builder should choose one: `conv1`, `conv2`, `relu1`…
pub const AUTO: &str = "";

/// Builds a [`Network`] layer by layer. Each layer takes the one before it as input; [`at`] goes
/// back to an earlier one, so that a branch can begin there.
///
/// Layers that do not fit are remembered and reported together by [`build`].
///
/// ```
/// use cutaway_net::{ConvSpec, NetworkBuilder};
///
/// # fn main() -> cutaway_net::Result<()> {
/// let mut b = NetworkBuilder::new("residual");
/// let trunk = b.input("image", &[3, 32, 32]).conv("stem", ConvSpec::new(16, 3).same()).last();
/// let branch = b.relu("relu").conv("branch", ConvSpec::new(16, 3).same()).last();
/// b.add("sum", &[trunk, branch]).global_avg_pool("mean").flatten("flat").dense("logits", 10);
/// let network = b.build(42)?;
/// assert_eq!(network.shape(network.find("sum")?), [16, 32, 32]);
/// # Ok(())
/// # }
/// ```
///
/// [`at`]: NetworkBuilder::at
/// [`build`]: NetworkBuilder::build
#[derive(Clone, Debug)]
pub struct NetworkBuilder {
    name: String,
    layers: Vec<Layer>,
    last: NodeId,
    outputs: Vec<NodeId>,
    labels: Vec<String>,
    metadata: Option<Metadata>,
    problems: Vec<(String, &'static str, String)>,
}

#[derive(Clone, Debug)]
struct Layer {
    name: String,
    op: Op,
    inputs: Vec<NodeId>,
    weights: Vec<Weight>,
    /// `None` after an error: what follows is not blamed for it.
    shape: Option<Vec<usize>>,
}

#[derive(Clone, Debug)]
struct Weight {
    role: &'static str,
    shape: Vec<usize>,
    start: Start,
    trainable: bool,
}

#[derive(Copy, Clone, Debug)]
enum Start {
    Random(Init),
    Constant(f32),
}

impl NetworkBuilder {
    /// An empty network of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            layers: Vec::new(),
            last: NodeId(0),
            outputs: Vec::new(),
            labels: Vec::new(),
            metadata: None,
            problems: Vec::new(),
        }
    }

    /// The input, first of all: `[channels, height, width]` or `[features]`.
    pub fn input(&mut self, name: &str, shape: &[usize]) -> &mut Self {
        let name = self.choose_name(name, "input");
        self.push(name, Op::Input { shape: shape.to_vec() }, vec![], vec![])
    }

    /// A convolution: `.conv("conv1", ConvSpec::new(32, 5).same())`.
    pub fn conv(&mut self, name: &str, spec: ConvSpec) -> &mut Self {
        let name = self.choose_name(name, "conv");
        let input = self.last_shape();
        let [channels, height, width] = input
            .as_deref()
            .and_then(|shape| <[usize; 3]>::try_from(shape).ok())
            .unwrap_or([spec.groups.max(1), 0, 0]); // the shape rule says what is wrong
        let conv = Conv {
            stride: spec.stride.0,
            padding: spec.padding.resolve(
                [height, width],
                spec.kernel.0,
                spec.dilation.0,
                spec.stride.0,
            ),
            dilation: spec.dilation.0,
            groups: spec.groups,
        };
        let [kernel_height, kernel_width] = spec.kernel.0;
        let group_in = channels / spec.groups.max(1);
        let mut weights = vec![Weight::random(
            vec![spec.filters, group_in, kernel_height, kernel_width],
            spec.init,
        )];
        if spec.bias {
            weights.push(Weight::zeros("bias", spec.filters));
        }
        let inputs = vec![self.last];
        self.push(name, Op::Conv(conv), inputs, weights)
    }

    /// Max-pooling: `.max_pool("pool1", 2)` for windows of 2×2 and as large a stride.
    pub fn max_pool(&mut self, name: &str, spec: impl Into<PoolSpec>) -> &mut Self {
        let pool = self.resolve_pool(spec.into());
        self.follow(name, "pool", Op::MaxPool(pool), vec![])
    }

    /// Average pooling; padding is not counted.
    pub fn avg_pool(&mut self, name: &str, spec: impl Into<PoolSpec>) -> &mut Self {
        let pool = self.resolve_pool(spec.into());
        self.follow(name, "pool", Op::AvgPool(pool), vec![])
    }

    /// Mean of each channel, `[channels, 1, 1]`.
    pub fn global_avg_pool(&mut self, name: &str) -> &mut Self {
        self.follow(name, "pool", Op::GlobalAvgPool, vec![])
    }

    /// A fully connected layer: `.dense("logits", 10)`.
    pub fn dense(&mut self, name: &str, spec: impl Into<DenseSpec>) -> &mut Self {
        let spec = spec.into();
        let features = self.last_shape().map_or(1, |shape| shape.iter().product());
        let mut weights = vec![Weight::random(vec![spec.units, features], spec.init)];
        if spec.bias {
            weights.push(Weight::zeros("bias", spec.units));
        }
        self.follow(name, "dense", Op::Dense, weights)
    }

    /// `max(0, x)`.
    pub fn relu(&mut self, name: &str) -> &mut Self {
        self.follow(name, "relu", Op::Relu, vec![])
    }

    /// Softmax over the features of a vector or the channels of an image.
    pub fn softmax(&mut self, name: &str) -> &mut Self {
        self.follow(name, "softmax", Op::Softmax, vec![])
    }

    /// Logarithm of the softmax.
    pub fn log_softmax(&mut self, name: &str) -> &mut Self {
        self.follow(name, "log_softmax", Op::LogSoftmax, vec![])
    }

    /// An image as a vector, channel by channel.
    pub fn flatten(&mut self, name: &str) -> &mut Self {
        self.follow(name, "flatten", Op::Flatten, vec![])
    }

    /// The same numbers under another shape (of one sample).
    pub fn reshape(&mut self, name: &str, shape: &[usize]) -> &mut Self {
        self.follow(name, "reshape", Op::Reshape { shape: shape.to_vec() }, vec![])
    }

    /// Sum of two or more layers of equal shape.
    pub fn add(&mut self, name: &str, inputs: &[NodeId]) -> &mut Self {
        let name = self.choose_name(name, "add");
        self.push(name, Op::Add, inputs.to_vec(), vec![])
    }

    /// Layers one after the other along the channels (or features).
    pub fn concat(&mut self, name: &str, inputs: &[NodeId]) -> &mut Self {
        let name = self.choose_name(name, "concat");
        self.push(name, Op::Concat, inputs.to_vec(), vec![])
    }

    /// Batch normalisation with epsilon 1e-5 and momentum 0.9 (running statistics keep nine tenths
    /// at each step).
    pub fn batch_norm(&mut self, name: &str) -> &mut Self {
        self.batch_norm_with(name, 1e-5, 0.9)
    }

    /// Batch normalisation; `momentum` as in [`Op::BatchNorm`].
    pub fn batch_norm_with(&mut self, name: &str, epsilon: f32, momentum: f32) -> &mut Self {
        let channels = self.last_shape().map_or(1, |shape| shape[0]);
        let weight = |role, value, trainable| Weight {
            role,
            shape: vec![channels],
            start: Start::Constant(value),
            trainable,
        };
        let weights = vec![
            weight("scale", 1.0, true),
            weight("bias", 0.0, true),
            weight("mean", 0.0, false),
            weight("var", 1.0, false),
        ];
        self.follow(name, "norm", Op::BatchNorm { epsilon, momentum }, weights)
    }

    /// Dropout with this probability of zeroing; acts in training only.
    pub fn dropout(&mut self, name: &str, rate: f32) -> &mut Self {
        self.follow(name, "dropout", Op::Dropout { rate }, vec![])
    }

    /// The layer added last (or gone to by [`at`](Self::at)), for a branch to come back to.
    #[must_use]
    pub fn last(&self) -> NodeId {
        self.last
    }

    /// Goes on from an earlier layer: the next one takes it as input.
    pub fn at(&mut self, layer: NodeId) -> &mut Self {
        self.last = layer;
        self
    }

    /// Makes the last layer an output. Without any, the layer added at the very end is the output.
    pub fn output(&mut self) -> &mut Self {
        if !self.outputs.contains(&self.last) {
            self.outputs.push(self.last);
        }
        self
    }

    /// Class labels, in the order of the outputs.
    pub fn labels(&mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        self.labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// Labels, preprocessing and training record together.
    pub fn metadata(&mut self, metadata: Metadata) -> &mut Self {
        self.metadata = Some(metadata);
        self
    }

    /// Checks everything, draws the initial weights from `seed` and makes the network.
    ///
    /// # Errors
    /// [`Error::Build`] with every layer that does not fit, by name; or what [`Network::new`]
    /// refuses.
    pub fn build(&self, seed: u64) -> Result<Network> {
        if !self.problems.is_empty() {
            let problems = self.problems.iter().cloned().map(|(node, op, problem)| Error::Node {
                node,
                op,
                problem,
            });
            return Err(Error::Build { network: self.name.clone(), problems: problems.collect() });
        }
        let mut rng = init::rng(seed);
        let mut params = Vec::new();
        let mut nodes = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let first = params.len();
            params.extend(layer.weights.iter().map(|weight| weight.draw(&layer.name, &mut rng)));
            nodes.push(Node {
                name: layer.name.clone(),
                op: layer.op.clone(),
                inputs: layer.inputs.clone(),
                params: (first..params.len()).map(ParamId).collect(),
            });
        }
        let outputs = match &self.outputs[..] {
            [] => vec![NodeId(self.layers.len().saturating_sub(1))],
            chosen => chosen.to_vec(),
        };
        Network::new(&self.name, nodes, params, outputs, self.resolve_metadata())
    }

    fn resolve_metadata(&self) -> Metadata {
        let mut metadata = self.metadata.clone().unwrap_or_else(|| {
            let shape = self.layers.first().and_then(|layer| layer.shape.as_deref());
            shape.map_or_else(Metadata::default, Metadata::for_input)
        });
        if !self.labels.is_empty() {
            metadata.labels.clone_from(&self.labels);
        }
        metadata
    }

    fn last_shape(&self) -> Option<Vec<usize>> {
        self.layers.get(self.last.0)?.shape.clone()
    }

    fn resolve_pool(&self, spec: PoolSpec) -> Pool {
        let stride = spec.stride.unwrap_or(spec.kernel).0;
        let size = match self.last_shape().as_deref() {
            Some(&[_, height, width]) => [height, width],
            _ => [0, 0],
        };
        Pool {
            kernel: spec.kernel.0,
            stride,
            padding: spec.padding.resolve(size, spec.kernel.0, [1, 1], stride),
        }
    }

    fn follow(&mut self, name: &str, stem: &str, op: Op, weights: Vec<Weight>) -> &mut Self {
        let name = self.choose_name(name, stem);
        let inputs = vec![self.last];
        self.push(name, op, inputs, weights)
    }

    /// The name given, or the first of `stem1`, `stem2`… that is free.
    fn choose_name(&self, name: &str, stem: &str) -> String {
        if name != AUTO {
            return name.to_owned();
        }
        if stem == "input" {
            return stem.to_owned();
        }
        let taken: HashSet<&str> = self.layers.iter().map(|layer| layer.name.as_str()).collect();
        let mut numbered = (1_usize..).map(|number| format!("{stem}{number}"));
        numbered.find(|name| !taken.contains(name.as_str())).unwrap_or_default()
    }

    fn push(
        &mut self,
        name: String,
        op: Op,
        inputs: Vec<NodeId>,
        weights: Vec<Weight>,
    ) -> &mut Self {
        let shape = match self.output_shape(&op, &inputs, &weights) {
            Ok(shape) => shape,
            Err(problem) => {
                self.problems.push((name.clone(), op.kind(), problem));
                None
            }
        };
        self.last = NodeId(self.layers.len());
        self.layers.push(Layer { name, op, inputs, weights, shape });
        self
    }

    /// Shape of a layer about to be added; `Ok(None)` where an earlier error makes it unknowable.
    fn output_shape(
        &self,
        op: &Op,
        inputs: &[NodeId],
        weights: &[Weight],
    ) -> Result<Option<Vec<usize>>, String> {
        let is_input = matches!(op, Op::Input { .. });
        if is_input != self.layers.is_empty() {
            return Err("a network begins with its one input; call `input` once, first".into());
        }
        let mut shapes = Vec::with_capacity(inputs.len());
        for input in inputs {
            let layer = self.layers.get(input.0).ok_or_else(|| {
                format!("input {input:?} is no layer of this network; take it from `last`")
            })?;
            match layer.shape.as_deref() {
                Some(shape) => shapes.push(shape),
                None => return Ok(None),
            }
        }
        for weight in weights {
            elements(&weight.shape).filter(|&count| count > 0).ok_or_else(|| {
                format!(
                    "a {} of shape {:?} is not possible; every size must be at least 1 and the \
                     whole at most {} elements",
                    weight.role,
                    weight.shape,
                    crate::shape::MAX_ELEMENTS
                )
            })?;
        }
        let weights: Vec<&[usize]> = weights.iter().map(|weight| &weight.shape[..]).collect();
        infer(op, &shapes, &weights).map(Some)
    }
}

impl Weight {
    fn random(shape: Vec<usize>, init: Init) -> Self {
        Self { role: "weight", shape, start: Start::Random(init), trainable: true }
    }

    fn zeros(role: &'static str, count: usize) -> Self {
        Self { role, shape: vec![count], start: Start::Constant(0.0), trainable: true }
    }

    fn draw(&self, layer: &str, rng: &mut Pcg64) -> Param {
        let values = match self.start {
            Start::Random(init) => init.fill(rng, &self.shape),
            Start::Constant(value) => vec![value; self.shape.iter().product()],
        };
        Param {
            name: format!("{layer}.{}", self.role),
            shape: self.shape.clone(),
            values: values.into(),
            trainable: self.trainable,
        }
    }
}

/// Height and width; one number stands for both.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(both: usize) -> Self {
        Self([both, both])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(pair: [usize; 2]) -> Self {
        Self(pair)
    }
}

impl From<(usize, usize)> for Pair {
    fn from((height, width): (usize, usize)) -> Self {
        Self([height, width])
    }
}

/// How much is added around an image.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// Nothing: windows lie inside the image. Keras's `valid`.
    #[default]
    Valid,
    /// As much as makes the output `ceil(input / stride)`. Keras's `same`.
    Same,
    /// So much at the top, left, bottom and right.
    Explicit([usize; 4]),
}

impl Padding {
    fn resolve(
        self,
        size: [usize; 2],
        kernel: [usize; 2],
        dilation: [usize; 2],
        stride: [usize; 2],
    ) -> [usize; 4] {
        match self {
            Self::Valid => [0; 4],
            Self::Explicit(padding) => padding,
            Self::Same => {
                let [top, bottom] = same_padding(size[0], kernel[0], dilation[0], stride[0]);
                let [left, right] = same_padding(size[1], kernel[1], dilation[1], stride[1]);
                [top, left, bottom, right]
            }
        }
    }
}

/// A convolution to add: number of filters and kernel size, then what differs from the defaults
/// (stride 1, no padding, no dilation, one group, a bias, Glorot uniform).
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct ConvSpec {
    filters: usize,
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: usize,
    bias: bool,
    init: Init,
}

impl ConvSpec {
    /// So many filters of this size: `ConvSpec::new(32, 5)`, `ConvSpec::new(8, [1, 7])`.
    #[must_use]
    pub fn new(filters: usize, kernel: impl Into<Pair>) -> Self {
        Self {
            filters,
            kernel: kernel.into(),
            stride: Pair([1, 1]),
            padding: Padding::Valid,
            dilation: Pair([1, 1]),
            groups: 1,
            bias: true,
            init: Init::default(),
        }
    }

    /// Rows and columns from one window to the next.
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        Self { stride: stride.into(), ..self }
    }

    /// Pads so that the output is as large as the input (divided by the stride).
    #[must_use]
    pub fn same(self) -> Self {
        Self { padding: Padding::Same, ..self }
    }

    /// Pads by so much at the top, left, bottom and right.
    #[must_use]
    pub fn padding(self, padding: [usize; 4]) -> Self {
        Self { padding: Padding::Explicit(padding), ..self }
    }

    /// Distance between neighbouring taps of the kernel.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        Self { dilation: dilation.into(), ..self }
    }

    /// Splits the channels into groups; as many groups as channels makes it depthwise.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// Leaves the bias out.
    #[must_use]
    pub fn no_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    /// Chooses the weight's first values.
    #[must_use]
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }
}

/// A pooling layer to add: window size, then what differs from the defaults (stride as large as
/// the window, no padding). A number stands for such a window.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PoolSpec {
    kernel: Pair,
    stride: Option<Pair>,
    padding: Padding,
}

impl PoolSpec {
    /// Windows of this size: `PoolSpec::new(3).stride(2)`.
    #[must_use]
    pub fn new(kernel: impl Into<Pair>) -> Self {
        Self { kernel: kernel.into(), stride: None, padding: Padding::Valid }
    }

    /// Rows and columns from one window to the next.
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        Self { stride: Some(stride.into()), ..self }
    }

    /// Pads so that the output is as large as the input (divided by the stride).
    #[must_use]
    pub fn same(self) -> Self {
        Self { padding: Padding::Same, ..self }
    }

    /// Pads by so much at the top, left, bottom and right.
    #[must_use]
    pub fn padding(self, padding: [usize; 4]) -> Self {
        Self { padding: Padding::Explicit(padding), ..self }
    }
}

impl From<usize> for PoolSpec {
    fn from(kernel: usize) -> Self {
        Self::new(kernel)
    }
}

/// A fully connected layer to add. A number stands for so many units with a bias and Glorot
/// uniform weights.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct DenseSpec {
    units: usize,
    bias: bool,
    init: Init,
}

impl DenseSpec {
    /// So many units.
    #[must_use]
    pub fn new(units: usize) -> Self {
        Self { units, bias: true, init: Init::default() }
    }

    /// Leaves the bias out.
    #[must_use]
    pub fn no_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    /// Chooses the weight's first values.
    #[must_use]
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }
}

impl From<usize> for DenseSpec {
    fn from(units: usize) -> Self {
        Self::new(units)
    }
}
