//! Random small networks: a recipe that proptest draws and shrinks, and how it is built.

use std::fmt::Debug;
use std::sync::Arc;

use cutaway_net::{ConvSpec, Network, NetworkBuilder, NodeId, Op, PoolSpec};
use proptest::collection::vec;
use proptest::prelude::*;

use super::numbers::Numbers;

/// What a network is built from. Sizes that do not fit are cut down when it is built.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) input: [usize; 3],
    pub(crate) layers: Vec<Choice>,
    pub(crate) ending: Ending,
    pub(crate) n: usize,
    pub(crate) seed: u64,
}

/// One layer, or a few.
#[derive(Clone, Debug)]
pub(crate) enum Choice {
    Conv(ConvChoice),
    MaxPool(PoolChoice),
    AvgPool(PoolChoice),
    GlobalAvgPool,
    BatchNorm,
    Relu,
    Dropout,
    Softmax,
    /// Channels and rows change places, as far as the numbers go.
    Reshape,
    /// `x + relu(conv(x))`
    Residual,
    /// `x + x`
    Double,
    /// Two convolutions and the input itself, side by side.
    Inception([usize; 2]),
}

#[derive(Clone, Debug)]
pub(crate) struct ConvChoice {
    pub(crate) filters: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 4],
    pub(crate) dilation: [usize; 2],
    /// 0: one group; 1: as many as divide both channel counts; 2: depthwise.
    pub(crate) grouping: usize,
    pub(crate) bias: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct PoolChoice {
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 4],
}

#[derive(Copy, Clone, Debug)]
pub(crate) enum Ending {
    /// Flatten, dense, softmax; logits are an output too.
    Classifier,
    /// Flatten, dense, ReLU, dense, log-softmax.
    LogClassifier,
    /// Flatten and dense.
    Logits,
    /// The last image.
    Image,
}

/// Networks of odd sizes and every operator. `smooth` leaves out what has a kink.
pub(crate) fn odd(smooth: bool) -> impl Strategy<Value = Recipe> {
    let input = (1..6usize, 1..11usize, 1..11usize).prop_map(|(c, h, w)| [c, h, w]);
    (input, vec(choice(smooth), 0..6), ending(smooth), 1..12usize, any::<u64>())
        .prop_map(|(input, layers, ending, n, seed)| Recipe { input, layers, ending, n, seed })
}

/// Convolutions with as many channels as vectors and Winograd's tiles like.
pub(crate) fn wide() -> impl Strategy<Value = Recipe> {
    let channels = || prop_oneof![Just(16usize), Just(32), Just(48), Just(64)];
    let kernel = || prop_oneof![Just(3usize), Just(5)];
    let conv = (channels(), kernel(), prop_oneof![Just(0usize), 0..3usize], any::<bool>());
    let conv = conv.prop_map(|(filters, kernel, padding, bias)| {
        Choice::Conv(ConvChoice {
            filters,
            kernel: [kernel; 2],
            stride: [1, 1],
            padding: [padding; 4],
            dilation: [1, 1],
            grouping: 0,
            bias,
        })
    });
    let pool = PoolChoice { kernel: [2, 2], stride: [2, 2], padding: [0; 4] };
    let second =
        prop_oneof![Just(Choice::Relu), Just(Choice::BatchNorm), Just(Choice::MaxPool(pool))];
    let input = (channels(), 5..15usize, 5..15usize).prop_map(|(c, h, w)| [c, h, w]);
    (input, conv.clone(), second, vec(conv, 0..2), ending(false), 1..4usize, any::<u64>()).prop_map(
        |(input, first, second, third, ending, n, seed)| {
            let layers = [vec![first, second], third].concat();
            Recipe { input, layers, ending, n, seed }
        },
    )
}

fn choice(smooth: bool) -> impl Strategy<Value = Choice> {
    let pair = |most: usize| [1..=most, 1..=most];
    let padding = || [0..3usize, 0..3usize, 0..3usize, 0..3usize];
    let conv = (1..20usize, pair(5), pair(3), padding(), pair(2), 0..3usize, any::<bool>())
        .prop_map(|(filters, kernel, stride, padding, dilation, grouping, bias)| {
            Choice::Conv(ConvChoice { filters, kernel, stride, padding, dilation, grouping, bias })
        });
    let pool = || {
        (pair(4), pair(3), padding()).prop_map(|(kernel, stride, padding)| PoolChoice {
            kernel,
            stride,
            padding,
        })
    };
    let smooth_choices = prop_oneof![
        6 => conv,
        2 => pool().prop_map(Choice::AvgPool),
        1 => Just(Choice::GlobalAvgPool),
        2 => Just(Choice::BatchNorm),
        1 => Just(Choice::Dropout),
        1 => Just(Choice::Softmax),
        1 => Just(Choice::Reshape),
        1 => Just(Choice::Double),
        2 => [1..9usize, 1..20usize].prop_map(Choice::Inception),
    ];
    let kinked =
        prop_oneof![pool().prop_map(Choice::MaxPool), Just(Choice::Relu), Just(Choice::Residual)];
    with_kinks(smooth, smooth_choices, kinked)
}

fn ending(smooth: bool) -> impl Strategy<Value = Ending> {
    let always = prop_oneof![2 => Just(Ending::Classifier), 1 => Just(Ending::Logits)];
    let others = prop_oneof![Just(Ending::LogClassifier), Just(Ending::Image)];
    with_kinks(smooth, always, others)
}

/// Now and then one of `kinked`, unless all must be smooth.
fn with_kinks<T: Debug + 'static>(
    smooth: bool,
    always: impl Strategy<Value = T> + 'static,
    kinked: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    if smooth { always.boxed() } else { prop_oneof![2 => always, 1 => kinked].boxed() }
}

/// Builds the network and fills it with random parameters.
pub(crate) fn build(recipe: &Recipe) -> Network {
    let mut b = NetworkBuilder::new("random");
    b.input("input", &recipe.input);
    let mut shape = recipe.input;
    for choice in &recipe.layers {
        shape = add(&mut b, choice, shape);
    }
    match recipe.ending {
        Ending::Classifier => b.flatten("").dense("logits", 7).output().softmax("").output(),
        Ending::LogClassifier => b.flatten("").dense("", 9).relu("").dense("", 5).log_softmax(""),
        Ending::Logits => b.flatten("").dense("", 3),
        // An input cannot be an output, and an identity of it is no interesting one.
        Ending::Image => b.avg_pool("", 1),
    };
    let network = b.build(1).unwrap_or_else(|e| panic!("{recipe:?}: {e}"));
    with_random_params(&network, recipe.seed)
}

/// The same network with weights that keep activations near one, and nothing left at zero or one.
pub(crate) fn with_random_params(network: &Network, seed: u64) -> Network {
    let mut numbers = Numbers::new(seed ^ 0x5eed);
    let mut values: Vec<Arc<[f32]>> = Vec::new();
    for node in network.nodes() {
        for (role, id) in node.params.iter().enumerate() {
            let param = network.param(*id);
            let fan_in: usize = param.shape[1..].iter().product();
            let (low, high) = match (&node.op, role) {
                (Op::BatchNorm { .. }, 0) => (0.5, 1.5),
                (Op::BatchNorm { .. }, 3) => (0.5, 2.0),
                (Op::Conv(_) | Op::Dense, 0) => {
                    let range = (3.0 / fan_in as f32).sqrt();
                    (-range, range)
                }
                _ => (-0.3, 0.3),
            };
            values.push(param.values.iter().map(|_| numbers.uniform(low, high)).collect());
        }
    }
    network.with_values(values).unwrap()
}

/// Adds a choice to the network; shapes are `[channels, height, width]`.
fn add(b: &mut NetworkBuilder, choice: &Choice, shape: [usize; 3]) -> [usize; 3] {
    let [c, h, w] = shape;
    match choice {
        Choice::Conv(conv) => add_conv(b, conv, shape),
        Choice::MaxPool(pool) => {
            let (spec, output) = pool_spec(pool, shape);
            b.max_pool("", spec);
            output
        }
        Choice::AvgPool(pool) => {
            let (spec, output) = pool_spec(pool, shape);
            b.avg_pool("", spec);
            output
        }
        Choice::GlobalAvgPool => {
            b.global_avg_pool("");
            [c, 1, 1]
        }
        Choice::BatchNorm => same(b.batch_norm(""), shape),
        Choice::Relu => same(b.relu(""), shape),
        Choice::Dropout => same(b.dropout("", 0.5), shape),
        Choice::Softmax => same(b.softmax(""), shape),
        Choice::Reshape => same(b.reshape("", &[h, c, w]), [h, c, w]),
        Choice::Residual => {
            let trunk = b.last();
            let branch = b.conv("", ConvSpec::new(c, 3).same()).relu("").last();
            same(b.add("", &[trunk, branch]), shape)
        }
        Choice::Double => {
            let trunk = b.last();
            same(b.add("", &[trunk, trunk]), shape)
        }
        Choice::Inception([one, three]) => {
            let trunk = b.last();
            let narrow = b.conv("", ConvSpec::new(*one, 1)).last();
            let broad = b.at(trunk).conv("", ConvSpec::new(*three, 3).same()).last();
            same(b.concat("", &[narrow, trunk, broad]), [one + c + three, h, w])
        }
    }
}

fn same(_: &mut NetworkBuilder, shape: [usize; 3]) -> [usize; 3] {
    shape
}

fn add_conv(b: &mut NetworkBuilder, choice: &ConvChoice, [c, h, w]: [usize; 3]) -> [usize; 3] {
    let [top, left, bottom, right] = choice.padding;
    let sizes = [h + top + bottom, w + left + right];
    let (mut kernel, mut dilation) = (choice.kernel, choice.dilation);
    for axis in 0..2 {
        kernel[axis] = kernel[axis].min(sizes[axis]);
        if (kernel[axis] - 1) * dilation[axis] + 1 > sizes[axis] {
            dilation[axis] = 1;
        }
    }
    let groups = match choice.grouping {
        0 => 1,
        1 => (2..=3).find(|groups| c % groups == 0).unwrap_or(1),
        _ => c,
    };
    let filters = choice.filters.div_ceil(groups) * groups;
    let spec = ConvSpec::new(filters, kernel)
        .stride(choice.stride)
        .padding(choice.padding)
        .dilation(dilation)
        .groups(groups);
    b.conv("", if choice.bias { spec } else { spec.no_bias() });
    let out = |axis: usize| {
        (sizes[axis] - (kernel[axis] - 1) * dilation[axis] - 1) / choice.stride[axis] + 1
    };
    [filters, out(0), out(1)]
}

fn pool_spec(choice: &PoolChoice, [c, h, w]: [usize; 3]) -> (PoolSpec, [usize; 3]) {
    let [top, left, bottom, right] = choice.padding;
    let kernel = [choice.kernel[0].min(h), choice.kernel[1].min(w)];
    let cut = |padding: usize, axis: usize| padding.min(kernel[axis] - 1);
    let padding = [cut(top, 0), cut(left, 1), cut(bottom, 0), cut(right, 1)];
    let stride = choice.stride;
    let out = |size: usize, axis: usize| {
        (size + padding[axis] + padding[axis + 2] - kernel[axis]) / stride[axis] + 1
    };
    (PoolSpec::new(kernel).stride(stride).padding(padding), [c, out(h, 0), out(w, 1)])
}

/// All nodes of a network.
pub(crate) fn all_nodes(network: &Network) -> Vec<NodeId> {
    (0..network.nodes().len()).map(NodeId).collect()
}
