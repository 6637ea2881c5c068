//! Layers on raw buffers: sizes, weights made ready for the machine, forward and backward.
//!
//! Inside the engine an image's activation is `[images, pixels, channels]`, channels innermost. A sample
//! of another number of axes than three is row-major: one pixel, all of it channels. One file a
//! family; [`Layer`] is the list of them. Gradients are added to what their buffers hold.

pub(crate) mod conv;
pub(crate) mod dense;
pub(crate) mod norm;
pub(crate) mod plain;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod region;

use crate::kernels::Isa;
use crate::kernels::tail::{Finish, Tail};
use cutaway_net::{Network, Node, NodeId, Op, Reduce, Unary};

/// A node of the network made ready for a machine.
#[derive(Clone)]
pub(crate) enum Layer {
    Input,
    Conv(Box<conv::Conv>),
    Dense(Box<dense::Dense>),
    Pool(pool::Pool),
    GlobalAverage {
        pixels: usize,
        channels: usize,
    },
    Relu,
    Softmax {
        channels: usize,
    },
    LogSoftmax {
        channels: usize,
    },
    /// The same row-major numbers under another shape; `[pixels, channels]` before and after.
    Reorder {
        from: [usize; 2],
        to: [usize; 2],
    },
    Add,
    /// Channels of each input.
    Concat {
        channels: Vec<usize>,
    },
    BatchNorm(Box<norm::BatchNorm>),
    Unary(Unary),
    LocalResponse(norm::LocalResponse),
    Plain(Box<plain::Plain>),
    /// `key` tells the network's dropout layers apart.
    Dropout {
        rate: f32,
        key: usize,
    },
}

/// Passes that a layer's weights are made ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passes {
    Forward,
    /// Only what the backward pass needs: what serves the forward pass stays as it is.
    Backward,
    Both,
}

impl Passes {
    pub(crate) fn forward(self) -> bool {
        self != Passes::Backward
    }

    pub(crate) fn backward(self) -> bool {
        self != Passes::Forward
    }
}

/// What one run of the layers needs to know beside the buffers.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// Images in the buffers.
    pub(crate) n: usize,
    /// Place of the first one in the batch.
    pub(crate) first: usize,
    /// Dropout is active and batch normalisation uses the batch's statistics.
    pub(crate) training: bool,
    /// Of dropout.
    pub(crate) seed: u64,
    /// Threads that may share an image: more than one where there are fewer images than threads.
    pub(crate) split: usize,
}

/// What is done to a part of an output while it is in cache: `post(image, first pixel, part)`.
pub(crate) type Post<'a> = dyn Fn(usize, usize, &mut [f32]) + Sync + 'a;

/// `[pixels, channels]` of a sample's shape: of an image; all else is one pixel.
pub(crate) fn pixels_channels(shape: &[usize]) -> [usize; 2] {
    match *shape {
        [channels, height, width] => [height * width, channels],
        _ => [1, shape.iter().product()],
    }
}

/// Whether the first axis is innermost in the engine: of images and of vectors.
fn channels_innermost(shape: &[usize]) -> bool {
    matches!(shape.len(), 1 | 3)
}

/// `[height, width, channels]` of an image's shape.
fn image(shape: &[usize]) -> [usize; 3] {
    [shape[1], shape[2], shape[0]]
}

impl Layer {
    /// The layer of a node, without weights.
    pub(crate) fn new(isa: Isa, network: &Network, id: NodeId) -> Layer {
        let node = network.node(id);
        let shape = network.shape(id);
        let input = |i: usize| network.shape(node.inputs[i]);
        match &node.op {
            Op::Input { .. } => Layer::Input,
            Op::Conv(attributes) => Layer::conv(isa, network, node, shape, *attributes),
            Op::MaxPool(p) => Layer::pool(isa, pool::Reduce::Max, input(0), shape, *p),
            Op::AvgPool(p) => Layer::pool(isa, pool::Reduce::Mean, input(0), shape, *p),
            Op::GlobalAvgPool => {
                let [pixels, channels] = pixels_channels(input(0));
                Layer::GlobalAverage { pixels, channels }
            }
            Op::Reduce { kind: Reduce::Mean, axes, .. }
                if input(0).len() == 3 && **axes == [1, 2] =>
            {
                let [pixels, channels] = pixels_channels(input(0));
                Layer::GlobalAverage { pixels, channels }
            }
            Op::Dense => {
                let last = |shape: &[usize]| shape[shape.len() - 1];
                let (inputs, bias) = (last(input(0)), node.params.len() > 1);
                Layer::Dense(Box::new(dense::Dense::new(isa, inputs, last(shape), bias)))
            }
            Op::Relu => Layer::Relu,
            Op::Softmax if channels_innermost(shape) => Layer::Softmax { channels: shape[0] },
            Op::LogSoftmax if channels_innermost(shape) => Layer::LogSoftmax { channels: shape[0] },
            Op::Softmax | Op::LogSoftmax => {
                let log = matches!(node.op, Op::LogSoftmax);
                Layer::plain(isa, network, id, Op::SoftmaxAlong { axis: 0, log })
            }
            Op::Flatten | Op::Reshape { .. } => {
                Layer::Reorder { from: pixels_channels(input(0)), to: pixels_channels(shape) }
            }
            Op::Add => Layer::Add,
            Op::Concat if !channels_innermost(shape) => {
                Layer::plain(isa, network, id, Op::ConcatAlong { axis: 0 })
            }
            Op::Concat => {
                Layer::Concat { channels: (0..node.inputs.len()).map(|i| input(i)[0]).collect() }
            }
            Op::BatchNorm { epsilon, momentum } => {
                let inner = if channels_innermost(shape) { 1 } else { shape[1..].iter().product() };
                let sizes = [shape[0], inner];
                Layer::BatchNorm(Box::new(norm::BatchNorm::new(sizes, *epsilon, *momentum)))
            }
            Op::Dropout { rate } => Layer::Dropout { rate: *rate, key: id.0 },
            Op::Unary(unary) => Layer::Unary(*unary),
            Op::LocalResponseNorm { size, alpha, beta, bias } if channels_innermost(shape) => {
                let settings = [*alpha, *beta, *bias];
                Layer::LocalResponse(norm::LocalResponse::new(shape[0], *size, settings))
            }
            Op::Constant { .. }
            | Op::Binary(_)
            | Op::Reduce { .. }
            | Op::ArgMax { .. }
            | Op::SoftmaxAlong { .. }
            | Op::MatMul
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::ConcatAlong { .. }
            | Op::Pad { .. }
            | Op::Expand { .. }
            | Op::Gather { .. }
            | Op::Resize(_)
            | Op::LocalResponseNorm { .. }
            | Op::LayerNorm { .. }
            | Op::GroupNorm { .. }
            | Op::Where
            | Op::CumSum { .. }
            | Op::ConvTranspose(_) => Layer::plain(isa, network, id, node.op.clone()),
        }
    }

    fn plain(isa: Isa, network: &Network, id: NodeId, op: Op) -> Layer {
        Layer::Plain(Box::new(plain::Plain::new(isa, network, id, op)))
    }

    fn conv(
        isa: Isa,
        network: &Network,
        node: &Node,
        output: &[usize],
        attributes: cutaway_net::Conv,
    ) -> Layer {
        let weight = &network.param(node.params[0]).shape;
        let shape = conv::ConvShape {
            input: image(network.shape(node.inputs[0])),
            output: image(output),
            kernel: [weight[2], weight[3]],
            stride: attributes.stride,
            padding: attributes.padding,
            dilation: attributes.dilation,
            groups: attributes.groups,
        };
        let algorithm = conv::Algorithm::choose(isa, &shape);
        Layer::Conv(Box::new(conv::Conv::new(isa, shape, algorithm, node.params.len() > 1)))
    }

    fn pool(
        isa: Isa,
        reduce: pool::Reduce,
        input: &[usize],
        output: &[usize],
        p: cutaway_net::Pool,
    ) -> Layer {
        let (input, output) = (image(input), image(output));
        let (kernel, stride, padding) = (p.kernel, p.stride, p.padding);
        Layer::Pool(pool::Pool { isa, reduce, input, output, kernel, stride, padding })
    }

    /// Takes the values of the node's parameters.
    pub(crate) fn prepare(&mut self, params: &[&[f32]], passes: Passes) {
        match self {
            Layer::Conv(conv) => conv.prepare(params[0], params.get(1).copied(), passes),
            Layer::Dense(dense) => dense.prepare(params[0], params.get(1).copied(), passes),
            Layer::BatchNorm(norm) => norm.prepare(params[0], params[1], params[2], params[3]),
            Layer::Plain(plain) => plain.prepare(params),
            _ => assert!(params.is_empty()),
        }
    }

    /// Whether the layer can write through a ReLU at no cost.
    pub(crate) fn fuses_relu(&self) -> bool {
        matches!(self, Layer::Conv(_) | Layer::Dense(_))
    }

    /// Whether the layer hands its input on unchanged, in a run of this kind.
    pub(crate) fn is_identity(&self, training: bool) -> bool {
        match self {
            Layer::Dropout { .. } => !training,
            Layer::Reorder { from, to } => from == to || (from.contains(&1) && to.contains(&1)),
            _ => false,
        }
    }

    pub(crate) fn scratch_len(&self, images: usize, gradients: bool, split: usize) -> usize {
        match self {
            Layer::Conv(conv) => conv.scratch_len(images, gradients, split),
            _ => 0,
        }
    }

    /// Whether the layer changes each number of a pixel by itself, so that it can work in place behind
    /// another.
    pub(crate) fn works_in_place(&self) -> bool {
        matches!(self, Layer::BatchNorm(_) | Layer::Unary(_) | Layer::Relu)
    }

    /// Whether what follows can be done on its numbers before they are stored.
    pub(crate) fn takes_a_tail(&self) -> bool {
        matches!(self, Layer::Conv(conv) if conv.takes_a_tail())
    }

    /// The same as [`Layer::apply_in_place`], to the bit, as a step of such a tail.
    pub(crate) fn finish(&self) -> Option<Finish<'_>> {
        match self {
            Layer::BatchNorm(norm) => norm.finish(),
            Layer::Relu => Some(Finish::Relu),
            Layer::Unary(Unary::Clip { low, high }) if low <= high => {
                Some(Finish::Clip { low: *low, high: *high })
            }
            _ => None,
        }
    }

    /// Applies it to whole pixels, in inference.
    pub(crate) fn apply_in_place(&self, isa: Isa, y: &mut [f32]) {
        match self {
            Layer::BatchNorm(norm) => norm.apply(isa, y),
            Layer::Unary(unary) => pointwise::unary_in_place(isa, *unary, y),
            Layer::Relu => pointwise::relu_in_place(isa, y),
            _ => unreachable!("it does not work in place"),
        }
    }

    /// Gives back memory that only another [`Layer::prepare`] would need.
    pub(crate) fn settle(&mut self) {
        if let Layer::Conv(conv) = self {
            conv.settle();
        }
    }
}

/// The buffers that a step reads.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) buffers: &'a [Vec<f32>],
    /// Which of them a buffer's memory is, where that is not its own.
    pub(crate) place: Option<&'a [usize]>,
    pub(crate) ids: &'a [usize],
    /// Numbers per image of each buffer.
    pub(crate) lens: &'a [usize],
    pub(crate) n: usize,
}

impl<'a> Inputs<'a> {
    fn get(&self, i: usize) -> &'a [f32] {
        &self.memory(i)[..self.n * self.lens[self.ids[i]]]
    }

    /// Input `i` of one image.
    fn slot(&self, i: usize, slot: usize) -> &'a [f32] {
        let len = self.lens[self.ids[i]];
        &self.memory(i)[slot * len..(slot + 1) * len]
    }

    fn memory(&self, i: usize) -> &'a [f32] {
        let id = self.ids[i];
        &self.buffers[self.place.map_or(id, |place| place[id])]
    }
}

/// Computes some pixels of one image's output, for layers whose pixels depend on the same pixels of
/// their inputs alone.
pub(crate) fn forward_pixels(
    layer: &Layer,
    isa: Isa,
    run: Run,
    x: Inputs<'_>,
    slot: usize,
    pixels: std::ops::Range<usize>,
    y: &mut [f32],
) {
    let input = |i: usize, channels: usize| {
        &x.slot(i, slot)[pixels.start * channels..pixels.end * channels]
    };
    let channels = y.len() / pixels.len();
    match layer {
        Layer::Relu => pointwise::relu(isa, input(0, channels), y),
        Layer::Softmax { channels } => pointwise::softmax(*channels, input(0, *channels), y),
        Layer::LogSoftmax { channels } => pointwise::log_softmax(*channels, input(0, *channels), y),
        Layer::Add => {
            y.copy_from_slice(input(0, channels));
            for i in 1..x.ids.len() {
                pointwise::add(isa, input(i, channels), y);
            }
        }
        Layer::Concat { channels } => {
            for (i, (first, count)) in spans(channels).enumerate() {
                concat_one(input(i, count), first, count, channels.iter().sum(), y);
            }
        }
        Layer::BatchNorm(norm) => norm.forward(input(0, channels), y),
        Layer::Unary(unary) => pointwise::unary(isa, *unary, input(0, channels), y),
        Layer::LocalResponse(norm) => norm.forward(input(0, channels), y),
        Layer::Dropout { .. } if !run.training => y.copy_from_slice(input(0, channels)),
        _ => unreachable!("its pixels depend on others: it is recomputed as a whole"),
    }
}

/// Copies the `count` channels of one input to channel `first` of `total`.
fn concat_one(x: &[f32], first: usize, count: usize, total: usize, y: &mut [f32]) {
    for (x, y) in x.chunks_exact(count).zip(y.chunks_exact_mut(total)) {
        y[first..first + count].copy_from_slice(x);
    }
}

/// Computes a layer's output. `relu` applies to layers that [`Layer::fuses_relu`], `tail` to those that
/// [take one](Layer::takes_a_tail), and `post` to every part of the output.
#[allow(clippy::too_many_arguments)] // a step's buffers and what becomes of them
pub(crate) fn forward(
    layer: &Layer,
    isa: Isa,
    run: Run,
    x: Inputs<'_>,
    y: &mut [f32],
    relu: bool,
    tail: Tail<'_>,
    scratch: &mut [f32],
    post: &Post<'_>,
) {
    if let Layer::Conv(conv) = layer {
        let end = conv::End { relu, tail };
        return conv.forward(run.n, x.get(0), y, end, scratch, run.split, post);
    }
    forward_whole(layer, isa, run, x, y, relu);
    let len = y.len() / run.n.max(1);
    for (slot, y) in y.chunks_exact_mut(len.max(1)).enumerate() {
        post(slot, 0, y);
    }
}

/// Layers that do not apply `post` themselves.
fn forward_whole(layer: &Layer, isa: Isa, run: Run, x: Inputs<'_>, y: &mut [f32], relu: bool) {
    match layer {
        Layer::Input => {}
        Layer::Conv(_) => unreachable!("it applies `post` itself"),
        Layer::Dense(dense) => dense.forward(x.get(0), y, relu, run.split),
        Layer::Pool(pool) => pool.forward(run.n, x.get(0), y, run.split),
        Layer::GlobalAverage { pixels, channels } => {
            pointwise::mean_pixels(*pixels, *channels, x.get(0), y);
        }
        Layer::Relu => shared(run, 1, y, |part, y| pointwise::relu(isa, &x.get(0)[part], y)),
        Layer::Softmax { channels } => pointwise::softmax(*channels, x.get(0), y),
        Layer::LogSoftmax { channels } => pointwise::log_softmax(*channels, x.get(0), y),
        Layer::Reorder { from, to } => pointwise::reorder(*from, *to, x.get(0), y, false),
        Layer::Add => shared(run, 1, y, |part, y| {
            y.copy_from_slice(&x.get(0)[part.clone()]);
            for i in 1..x.ids.len() {
                pointwise::add(isa, &x.get(i)[part.clone()], y);
            }
        }),
        Layer::Concat { channels } => {
            for (i, (first, count)) in spans(channels).enumerate() {
                concat_one(x.get(i), first, count, channels.iter().sum(), y);
            }
        }
        Layer::BatchNorm(norm) => {
            shared(run, norm.period(run.n, y.len()), y, |part, y| norm.forward(&x.get(0)[part], y));
        }
        Layer::Unary(unary) => {
            shared(run, 1, y, |part, y| pointwise::unary(isa, *unary, &x.get(0)[part], y));
        }
        Layer::LocalResponse(norm) => norm.forward(x.get(0), y),
        Layer::Plain(plain) => plain.forward(run.n, x, y),
        Layer::Dropout { rate, key } => {
            let x = x.get(0);
            if !run.training {
                return y.copy_from_slice(x);
            }
            each_dropout(run, x.len(), *key, *rate, |i, factor| y[i] = x[i] * factor);
        }
    }
}

/// Calls `f(range, part)` for parts of a buffer, on as many threads as share an image.
fn shared(
    run: Run,
    unit: usize,
    y: &mut [f32],
    f: impl Fn(std::ops::Range<usize>, &mut [f32]) + Sync,
) {
    pointwise::shared(run.split, unit, y, |first, y| f(first..first + y.len(), y));
}

/// Calls `f(position, factor)` for each number of a dropout layer's buffer.
fn each_dropout(run: Run, len: usize, key: usize, rate: f32, mut f: impl FnMut(usize, f32)) {
    let per_image = len / run.n;
    for i in 0..len {
        let (sample, index) = (run.first + i / per_image, i % per_image);
        f(i, pointwise::dropout_factor(run.seed, key, sample, index, rate));
    }
}

/// First channel and count of each input of a concatenation.
fn spans(channels: &[usize]) -> impl Iterator<Item = (usize, usize)> + '_ {
    channels.iter().scan(0, |first, &count| {
        let span = (*first, count);
        *first += count;
        Some(span)
    })
}

/// What a step's backward pass reads and writes beside its inputs' gradients.
pub(crate) struct Back<'a> {
    pub(crate) run: Run,
    pub(crate) x: Inputs<'a>,
    pub(crate) y: &'a [f32],
    pub(crate) dy: &'a [f32],
    /// Gradients of the layer's parameters, in its order; empty where none are wanted.
    pub(crate) dparams: &'a mut [&'a mut [f32]],
    pub(crate) scratch: &'a mut [f32],
}

/// Adds a layer's gradients. `dx` are the gradient buffers of the steps before; `wanted` says
/// which of them are wanted at all.
pub(crate) fn backward(
    layer: &Layer,
    isa: Isa,
    back: Back<'_>,
    dx: &mut [Vec<f32>],
    wanted: &[bool],
) {
    let Back { run, x, y, dy, dparams, scratch } = back;
    let mut dx = InputGradients { buffers: dx, wanted, x };
    match layer {
        Layer::Input => {}
        Layer::Conv(conv) => {
            let (dw, db) = weight_and_bias(dparams);
            if let Some(db) = db {
                pointwise::add_columns(isa, dy, db);
            }
            conv.backward(run.n, x.get(0), dy, dx.get(0), dw, scratch, run.split);
        }
        Layer::Dense(dense) => {
            let (dw, db) = weight_and_bias(dparams);
            if let Some(db) = db {
                pointwise::add_columns(isa, dy, db);
            }
            dense.backward(x.get(0), dy, dx.get(0), dw, run.split);
        }
        Layer::BatchNorm(norm) => {
            let (dscale, dbias) = weight_and_bias(dparams);
            let alone = dscale.is_none() && dbias.is_none() && !run.training;
            match dx.get(0) {
                Some(dx) if alone => shared(run, norm.period(run.n, dx.len()), dx, |part, dx| {
                    norm.backward(&x.get(0)[part.clone()], &dy[part], Some(dx), None, None, false);
                }),
                dx => norm.backward(x.get(0), dy, dx, dscale, dbias, run.training),
            }
        }
        Layer::Plain(plain) => {
            if !dparams.is_empty() {
                plain.backward_params(run.n, x, dy, dparams);
            }
            for i in 0..x.ids.len() {
                if let Some(dx) = dx.get(i) {
                    plain.backward(run.n, i, x, y, dy, dx);
                }
            }
        }
        _ => {
            for i in 0..x.ids.len() {
                if let Some(dx) = dx.get(i) {
                    backward_weightless(layer, isa, run, i, x.get(i), y, dy, dx);
                }
            }
        }
    }
}

/// Gradient buffers of a step's inputs.
struct InputGradients<'a> {
    buffers: &'a mut [Vec<f32>],
    wanted: &'a [bool],
    x: Inputs<'a>,
}

impl InputGradients<'_> {
    /// The buffer of input `i`, where its gradient is wanted.
    fn get(&mut self, i: usize) -> Option<&mut [f32]> {
        let id = self.x.ids[i];
        self.wanted[id].then(|| &mut self.buffers[id][..self.x.n * self.x.lens[id]])
    }
}

fn weight_and_bias<'a>(
    dparams: &'a mut [&mut [f32]],
) -> (Option<&'a mut [f32]>, Option<&'a mut [f32]>) {
    let mut params = dparams.iter_mut();
    (params.next().map(|p| &mut **p), params.next().map(|p| &mut **p))
}

#[allow(clippy::too_many_arguments)]
fn backward_weightless(
    layer: &Layer,
    isa: Isa,
    run: Run,
    which: usize,
    x: &[f32],
    y: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
    match layer {
        Layer::Pool(pool) => pool.backward(run.n, x, y, dy, dx),
        Layer::GlobalAverage { pixels, channels } => {
            pointwise::mean_pixels_backward(*pixels, *channels, dy, dx);
        }
        Layer::Relu => shared(run, 1, dx, |part, dx| {
            pointwise::relu_backward(isa, &y[part.clone()], &dy[part], dx);
        }),
        Layer::Softmax { channels } => pointwise::softmax_backward(*channels, y, dy, dx),
        Layer::LogSoftmax { channels } => pointwise::log_softmax_backward(*channels, y, dy, dx),
        Layer::Reorder { from, to } => pointwise::reorder(*to, *from, dy, dx, true),
        Layer::Add => shared(run, 1, dx, |part, dx| pointwise::add(isa, &dy[part], dx)),
        Layer::Concat { channels } => {
            let total = channels.iter().sum::<usize>();
            let (first, count) = spans(channels).nth(which).expect("one span an input");
            for (dx, dy) in dx.chunks_exact_mut(count).zip(dy.chunks_exact(total)) {
                pointwise::add(isa, &dy[first..first + count], dx);
            }
        }
        Layer::Dropout { rate, key } => {
            if !run.training {
                return pointwise::add(isa, dy, dx);
            }
            each_dropout(run, dy.len(), *key, *rate, |i, factor| dx[i] += dy[i] * factor);
        }
        Layer::Unary(unary) => shared(run, 1, dx, |part, dx| {
            let [x, y, dy] = [x, y, dy].map(|all| &all[part.clone()]);
            pointwise::unary_backward(isa, *unary, x, y, dy, dx);
        }),
        Layer::LocalResponse(norm) => norm.backward(x, dy, dx),
        Layer::Input | Layer::Conv(_) | Layer::Dense(_) | Layer::BatchNorm(_) | Layer::Plain(_) => {
            unreachable!("layers with weights have their own backward pass")
        }
    }
}
