//! Every operator, in networks of random sizes and weights: relevance at the image and what was
//! absorbed are the number explained; DeepLIFT's values add up to the difference of the outputs.

use cutaway_engine::{Engine, Options};
use cutaway_net::{
    Binary, Conv, ConvTranspose, Coordinates, Interpolation, Metadata, Network, Node, NodeId, Op,
    PadMode, Param, ParamId, Pool, Reduce, Resize, Rounding, Span, Unary,
};
use ndarray::Array4;

use super::*;

/// Numbers between −1 and 1 from a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / (1u64 << 23) as f32) - 1.0
    }
}

/// A network while it is made: an image, two convolutions of it, and whatever is tested.
struct Graph {
    nodes: Vec<Node>,
    params: Vec<Param>,
    random: Random,
    /// Shape of what the convolutions give: `x` and `y`.
    shape: Vec<usize>,
    x: NodeId,
    y: NodeId,
}

impl Graph {
    fn new(seed: u64, [channels, height, width]: [usize; 3]) -> Graph {
        let (x, y) = (NodeId(1), NodeId(2));
        let shape = vec![channels, height, width];
        let random = Random(seed);
        let mut graph = Graph { nodes: vec![], params: vec![], random, shape, x, y };
        graph.push(Op::Input { shape: vec![2, height, width] }, &[], &[]);
        for _ in 0..2 {
            let conv = Conv { padding: [1; 4], ..Conv::default() };
            graph.push(Op::Conv(conv), &[NodeId(0)], &[&[channels, 2, 3, 3], &[channels]]);
        }
        graph
    }

    fn push(&mut self, op: Op, inputs: &[NodeId], params: &[&[usize]]) -> NodeId {
        let name = format!("{} {}", op.kind(), self.nodes.len());
        let first = self.params.len();
        for (i, shape) in params.iter().enumerate() {
            let values: Vec<f32> =
                (0..shape.iter().product()).map(|_| 0.7 * self.random.next()).collect();
            // Variances.
            let values =
                if i == 3 { values.iter().map(|v| v.abs() + 0.3).collect() } else { values };
            self.params.push(Param {
                name: format!("{name}.{i}"),
                shape: shape.to_vec(),
                values: values.into(),
                trainable: false,
            });
        }
        let params = (first..self.params.len()).map(ParamId).collect();
        self.nodes.push(Node { name, op, inputs: inputs.to_vec(), params });
        NodeId(self.nodes.len() - 1)
    }

    fn unary(&mut self, unary: Unary, of: NodeId) -> NodeId {
        self.push(Op::Unary(unary), &[of], &[])
    }

    fn binary(&mut self, binary: Binary, a: NodeId, b: NodeId) -> NodeId {
        self.push(Op::Binary(binary), &[a, b], &[])
    }

    fn constant(&mut self, shape: &[usize]) -> NodeId {
        self.push(Op::Constant { shape: shape.to_vec() }, &[], &[shape])
    }

    /// `x` or `y` where all are above 0.
    fn above(&mut self, of: NodeId) -> NodeId {
        let soft = self.unary(Unary::Softplus, of);
        self.unary(Unary::Shift { by: 0.1 }, soft)
    }

    fn reduce(&mut self, kind: Reduce, axes: &[usize], keep: bool, of: NodeId) -> NodeId {
        self.push(Op::Reduce { kind, axes: axes.to_vec(), keep }, &[of], &[])
    }

    /// The network that ends in three classes of what `end` gives.
    fn finish(mut self, end: NodeId) -> Network {
        self.push(Op::Flatten, &[end], &[]);
        let flat = NodeId(self.nodes.len() - 1);
        // As many weights as the operator gives numbers, found by asking the network so far.
        let input = match &self.nodes[0].op {
            Op::Input { shape } => shape.clone(),
            _ => unreachable!("first"),
        };
        let so_far = Network::new(
            "so far",
            self.nodes.clone(),
            self.params.clone(),
            vec![flat],
            Metadata::for_input(&input),
        );
        let count = so_far.expect("a network").shape(flat)[0];
        let end = self.push(Op::Dense, &[flat], &[&[3, count], &[3]]);
        let metadata = Metadata::for_input(&input);
        Network::new("tested", self.nodes, self.params, vec![end], metadata).expect("a network")
    }
}

type Case = (&'static str, fn(&mut Graph) -> NodeId);

/// Layers, sums, products, pointwise functions of two numbers.
const ARITHMETIC: &[Case] = &[
    ("conv", |g| g.x),
    ("relu", |g| g.push(Op::Relu, &[g.x], &[])),
    ("depthwise", |g| {
        let c = g.shape[0];
        let conv = Conv { groups: c, stride: [2, 1], padding: [1; 4], ..Conv::default() };
        g.push(Op::Conv(conv), &[g.x], &[&[c, 1, 3, 3], &[c]])
    }),
    ("transposed", |g| {
        let conv = ConvTranspose {
            stride: [2, 2],
            padding: [1; 4],
            dilation: [1, 1],
            groups: 1,
            output_padding: [0, 0],
        };
        g.push(Op::ConvTranspose(conv), &[g.x], &[&[g.shape[0], 3, 3, 3], &[3]])
    }),
    ("dense behind dense", |g| {
        let flat = g.push(Op::Flatten, &[g.x], &[]);
        let count = g.shape.iter().product();
        let dense = g.push(Op::Dense, &[flat], &[&[7, count], &[7]]);
        g.push(Op::Relu, &[dense], &[])
    }),
    ("matrix constant behind", |g| {
        let c = g.constant(&[g.shape[2], 4]);
        g.push(Op::MatMul, &[g.x, c], &[])
    }),
    ("matrix constant before", |g| {
        let c = g.constant(&[3, g.shape[1]]);
        g.push(Op::MatMul, &[c, g.x], &[])
    }),
    ("matrices", |g| {
        let turned = g.push(Op::Transpose { axes: vec![0, 2, 1] }, &[g.y], &[]);
        g.push(Op::MatMul, &[g.x, turned], &[])
    }),
    ("attention", |g| {
        let turned = g.push(Op::Transpose { axes: vec![0, 2, 1] }, &[g.y], &[]);
        let scores = g.push(Op::MatMul, &[g.x, turned], &[]);
        let weights = g.push(Op::SoftmaxAlong { axis: 2, log: false }, &[scores], &[]);
        g.push(Op::MatMul, &[weights, g.x], &[])
    }),
    ("sum", |g| g.push(Op::Add, &[g.x, g.y, g.x], &[])),
    ("sum with repetition", |g| {
        let mean = g.push(Op::GlobalAvgPool, &[g.y], &[]);
        g.binary(Binary::Add, mean, g.x)
    }),
    ("constant added", |g| {
        let relu = g.push(Op::Relu, &[g.x], &[]);
        let c = g.constant(&[g.shape[2]]);
        g.binary(Binary::Add, c, relu)
    }),
    ("constant folded", |g| {
        let c = g.constant(&[g.shape[0], 1, 1]);
        let sum = g.binary(Binary::Sub, c, g.x);
        let c = g.constant(&[1]);
        let product = g.binary(Binary::Mul, sum, c);
        g.push(Op::Relu, &[product], &[])
    }),
    ("difference", |g| g.binary(Binary::Sub, g.x, g.y)),
    ("less a constant", |g| {
        let relu = g.push(Op::Relu, &[g.x], &[]);
        let c = g.constant(&g.shape.clone());
        g.binary(Binary::Sub, c, relu)
    }),
    ("product", |g| g.binary(Binary::Mul, g.x, g.y)),
    ("square", |g| g.binary(Binary::Mul, g.x, g.x)),
    ("gate", |g| {
        let mean = g.push(Op::GlobalAvgPool, &[g.y], &[]);
        let gate = g.unary(Unary::Sigmoid, mean);
        g.binary(Binary::Mul, g.x, gate)
    }),
    ("times a constant", |g| {
        let relu = g.push(Op::Relu, &[g.x], &[]);
        let c = g.constant(&[g.shape[1], 1]);
        g.binary(Binary::Mul, c, relu)
    }),
    ("quotient", |g| {
        let below = g.above(g.y);
        g.binary(Binary::Div, g.x, below)
    }),
    ("constant over", |g| {
        let below = g.above(g.y);
        let c = g.constant(&[g.shape[2]]);
        g.binary(Binary::Div, c, below)
    }),
    ("power of two", |g| {
        let base = g.above(g.x);
        g.binary(Binary::Pow, base, g.y)
    }),
    ("larger", |g| g.binary(Binary::Max, g.x, g.y)),
    ("smaller", |g| g.binary(Binary::Min, g.x, g.y)),
    ("larger than a constant", |g| {
        let c = g.constant(&[1]);
        g.binary(Binary::Max, g.x, c)
    }),
    ("prelu", |g| {
        let c = g.constant(&[g.shape[0], 1, 1]);
        g.binary(Binary::PRelu, g.x, c)
    }),
    ("prelu of two", |g| g.binary(Binary::PRelu, g.x, g.y)),
];

/// What moves, chooses, sums up or normalises.
const GROUPS: &[Case] = &[
    ("max pool", |g| {
        let pool = Pool { kernel: [2, 2], stride: [2, 1], padding: [0; 4] };
        g.push(Op::MaxPool(pool), &[g.x], &[])
    }),
    ("mean pool", |g| {
        let pool = Pool { kernel: [3, 2], stride: [2, 2], padding: [1, 0, 1, 0] };
        g.push(Op::AvgPool(pool), &[g.x], &[])
    }),
    ("global mean", |g| g.push(Op::GlobalAvgPool, &[g.x], &[])),
    ("concat", |g| g.push(Op::Concat, &[g.x, g.y], &[])),
    ("concat along", |g| g.push(Op::ConcatAlong { axis: 2 }, &[g.x, g.y], &[])),
    ("concat with a constant", |g| {
        let c = g.constant(&[g.shape[0], g.shape[1], 2]);
        g.push(Op::ConcatAlong { axis: 2 }, &[c, g.y], &[])
    }),
    ("transpose", |g| g.push(Op::Transpose { axes: vec![2, 0, 1] }, &[g.x], &[])),
    ("slice", |g| {
        let all = |count| Span { start: 0, count, step: 1 };
        let spans = vec![all(g.shape[0]), Span { start: 3, count: 2, step: -2 }, all(2)];
        g.push(Op::Slice { spans }, &[g.x], &[])
    }),
    ("pad", |g| {
        let amounts = vec![[0, 0], [1, 2], [0, 1]];
        g.push(Op::Pad { amounts, mode: PadMode::Constant(0.4) }, &[g.x], &[])
    }),
    ("pad mirrored", |g| {
        let amounts = vec![[0, 0], [1, 2], [0, 1]];
        g.push(Op::Pad { amounts, mode: PadMode::Reflect }, &[g.x], &[])
    }),
    ("expand", |g| {
        let mean = g.push(Op::GlobalAvgPool, &[g.x], &[]);
        g.push(Op::Expand { shape: vec![g.shape[0], 2, 3] }, &[mean], &[])
    }),
    ("gather", |g| g.push(Op::Gather { axis: 1, indices: vec![2, 0, 2] }, &[g.x], &[])),
    ("resize nearest", |g| resized(g, Interpolation::Nearest(Rounding::Floor))),
    ("resize linear", |g| resized(g, Interpolation::Linear)),
    ("resize cubic", |g| resized(g, Interpolation::Cubic { a: -0.75, exclude_outside: false })),
    ("mean", |g| g.reduce(Reduce::Mean, &[1, 2], false, g.x)),
    ("total", |g| g.reduce(Reduce::Sum, &[0, 2], true, g.x)),
    ("product of all", |g| {
        let x = g.above(g.x);
        g.reduce(Reduce::Prod, &[0, 2], false, x)
    }),
    ("most", |g| g.reduce(Reduce::Max, &[2], false, g.x)),
    ("least", |g| g.reduce(Reduce::Min, &[0, 1], true, g.x)),
    ("norm 1", |g| g.reduce(Reduce::L1, &[0], false, g.x)),
    ("norm 2", |g| g.reduce(Reduce::L2, &[1], true, g.x)),
    ("squares", |g| g.reduce(Reduce::SumSquare, &[0, 1], false, g.x)),
    ("logarithm of a sum", |g| {
        let x = g.above(g.x);
        g.reduce(Reduce::LogSum, &[1], false, x)
    }),
    ("logarithm of exponentials", |g| g.reduce(Reduce::LogSumExp, &[1, 2], false, g.x)),
    ("softmax", |g| g.push(Op::Softmax, &[g.x], &[])),
    ("softmax along", |g| g.push(Op::SoftmaxAlong { axis: 1, log: false }, &[g.x], &[])),
    ("logarithm of a softmax", |g| g.push(Op::SoftmaxAlong { axis: 2, log: true }, &[g.x], &[])),
    ("batch norm", |g| {
        let c = g.shape[0];
        let norm = Op::BatchNorm { epsilon: 1e-5, momentum: 0.9 };
        let relu = g.push(Op::Relu, &[g.x], &[]);
        g.push(norm, &[relu], &[&[c], &[c], &[c], &[c]])
    }),
    ("batch norm folded", |g| {
        let c = g.shape[0];
        let norm = Op::BatchNorm { epsilon: 1e-5, momentum: 0.9 };
        g.push(norm, &[g.x], &[&[c], &[c], &[c], &[c]])
    }),
    ("layer norm", |g| {
        let own = g.shape[1..].to_vec();
        g.push(Op::LayerNorm { axis: 1, epsilon: 1e-5 }, &[g.x], &[&own, &own])
    }),
    ("layer norm without bias", |g| {
        let own = g.shape[2..].to_vec();
        g.push(Op::LayerNorm { axis: 2, epsilon: 1e-5 }, &[g.x], &[&own])
    }),
    ("group norm", |g| {
        let c = g.shape[0];
        g.push(Op::GroupNorm { groups: 2, epsilon: 1e-5 }, &[g.x], &[&[c], &[c]])
    }),
    ("instance norm", |g| {
        let c = g.shape[0];
        g.push(Op::GroupNorm { groups: c, epsilon: 1e-3 }, &[g.x], &[&[c], &[c]])
    }),
    ("local response", |g| {
        let op = Op::LocalResponseNorm { size: 3, alpha: 0.5, beta: 0.75, bias: 1.0 };
        g.push(op, &[g.x], &[])
    }),
    ("dropout and reshape", |g| {
        let drop = g.push(Op::Dropout { rate: 0.5 }, &[g.x], &[]);
        g.push(Op::Reshape { shape: vec![g.shape[0] * g.shape[1], g.shape[2]] }, &[drop], &[])
    }),
];

fn resized(g: &mut Graph, mode: Interpolation) -> NodeId {
    let shape = vec![g.shape[0], 2 * g.shape[1], 2 * g.shape[2]];
    let scales = vec![1.0, 2.0, 2.0];
    let resize = Resize { shape, scales, mode, coordinates: Coordinates::HalfPixel };
    g.push(Op::Resize(resize), &[g.x], &[])
}

/// Functions of one number; `true` where it must be above 0.
const FUNCTIONS: &[(Unary, bool)] = &[
    (Unary::Abs, false),
    (Unary::Reciprocal, true),
    (Unary::Sqrt, true),
    (Unary::Exp, false),
    (Unary::Log, true),
    (Unary::Erf, false),
    (Unary::Sigmoid, false),
    (Unary::Tanh, false),
    (Unary::Softplus, false),
    (Unary::Softsign, false),
    (Unary::Sin, false),
    (Unary::Cos, false),
    (Unary::HardSwish, false),
    (Unary::Mish, false),
    (Unary::Gelu, false),
    (Unary::GeluTanh, false),
    (Unary::Floor, false),
    (Unary::LeakyRelu { slope: 0.1 }, false),
    (Unary::Elu { alpha: 0.7 }, false),
    (Unary::Selu { alpha: 1.6, gamma: 1.05 }, false),
    (Unary::HardSigmoid { alpha: 0.2, beta: 0.5 }, false),
    (Unary::Clip { low: -0.3, high: 0.8 }, false),
    (Unary::Power { exponent: 1.7 }, true),
    (Unary::Scale { factor: -1.5 }, false),
    (Unary::Shift { by: 0.6 }, false),
    (Unary::Quantise { scale: 0.1, zero: 3, low: -128, high: 127 }, false),
];

const SHAPES: [[usize; 3]; 3] = [[4, 5, 6], [2, 7, 4], [6, 4, 5]];

/// Every operator at every size.
fn networks() -> Vec<(String, Network)> {
    let mut all = Vec::new();
    for (seed, shape) in SHAPES.into_iter().enumerate() {
        for (name, case) in ARITHMETIC.iter().chain(GROUPS) {
            let mut graph = Graph::new(seed as u64 + 1, shape);
            let end = case(&mut graph);
            all.push((format!("{name} {shape:?}"), graph.finish(end)));
        }
        for &(function, above) in FUNCTIONS {
            let mut graph = Graph::new(seed as u64 + 7, shape);
            let of =
                if above { graph.above(graph.x) } else { graph.push(Op::Relu, &[graph.x], &[]) };
            let end = graph.unary(function, of);
            all.push((format!("{function:?} {shape:?}"), graph.finish(end)));
        }
    }
    all
}

fn image(network: &Network) -> Array4<f32> {
    let shape = network.shape(network.input());
    let mut random = Random(77);
    // Two images: what is noted of one must not be of the other.
    Array4::from_shape_fn((2, shape[0], shape[1], shape[2]), |_| random.next())
}

/// The error of a method beside the size of what it moves about, at most.
fn worst(network: &Network, methods: &[Method]) -> f64 {
    let engine = Engine::compile(network, &Options::default()).unwrap();
    let images = image(network);
    let mut worst = 0.0_f64;
    for method in methods {
        let all = attribute(&Question::new(&engine), images.view(), &[2, 0], method).unwrap();
        for own in all {
            let size: f64 = own.values.iter().map(|&v| f64::from(v.abs())).sum();
            let taken = own.absorbed.unwrap_or_default();
            let parts = [taken.biases, taken.constants, taken.stabilisers, taken.expansions];
            let size = size + parts.iter().map(|part| part.abs()).sum::<f64>();
            let size = size + own.target.value.abs();
            worst = worst.max(own.error.unwrap().abs() / size);
        }
    }
    worst
}

fn every_operator_keeps_the_sum(methods: &[Method]) {
    let mut failures = Vec::new();
    for (name, network) in networks() {
        let error = worst(&network, methods);
        if error > 1e-4 {
            failures.push(format!("{name}: {error:.1e}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn relevance_and_what_was_absorbed_are_the_number_explained_whatever_the_operator() {
    let mut methods = Vec::new();
    for name in Method::NAMES.iter().filter(|name| name.starts_with("lrp")) {
        let plain: Method = name.parse().unwrap();
        let mut other = plain.clone();
        assert!(other.set_biases(LrpBiases::Redistribute));
        assert!(other.set_products(LrpProducts::Uniform));
        methods.extend([plain, other]);
    }
    every_operator_keeps_the_sum(&methods);
}

#[test]
fn a_product_of_functions_of_one_number_hands_on_as_that_function_does() {
    let half = Unary::Scale { factor: 0.5 };
    let erf = |g: &mut Graph| {
        let of = g.unary(Unary::Scale { factor: std::f32::consts::FRAC_1_SQRT_2 }, g.x);
        let erf = g.unary(Unary::Erf, of);
        g.unary(Unary::Shift { by: 1.0 }, erf)
    };
    type Case<'a> = &'a dyn Fn(&mut Graph) -> NodeId;
    let whole: Case<'_> = &|g| g.unary(Unary::Gelu, g.x);
    let spelt: [Case<'_>; 3] = [
        &|g| {
            let gate = erf(g);
            let product = g.push(Op::Binary(Binary::Mul), &[g.x, gate], &[]);
            g.unary(half, product)
        },
        &|g| {
            let (gate, x) = (erf(g), g.unary(half, g.x));
            g.push(Op::Binary(Binary::Mul), &[gate, x], &[])
        },
        &|g| {
            let gate = erf(g);
            let gate = g.unary(half, gate);
            g.push(Op::Binary(Binary::Mul), &[gate, g.x], &[])
        },
    ];
    let of = |case: Case<'_>, products: LrpProducts| {
        let mut graph = Graph::new(5, SHAPES[0]);
        let end = case(&mut graph);
        let network = graph.finish(end);
        let engine = Engine::compile(&network, &Options::default()).unwrap();
        let mut method: Method = "lrp-epsilon".parse().unwrap();
        assert!(method.set_products(products));
        let images = image(&network);
        attribute(&Question::new(&engine), images.view(), &[2, 0], &method).unwrap()
    };
    for products in [LrpProducts::Signal, LrpProducts::Uniform] {
        let expected = of(whole, products);
        for case in spelt {
            for (own, expected) in of(case, products).iter().zip(&expected) {
                let most = expected.values.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
                let apart = own.values.iter().zip(&expected.values).map(|(a, b)| (a - b).abs());
                assert!(most > 0.0 && apart.fold(0.0, f32::max) < 1e-3 * most, "{products:?}");
            }
        }
    }
}

#[test]
fn differences_from_the_baseline_add_up_whatever_the_operator() {
    let methods: Vec<Method> = [Baseline::Zero, Baseline::Blur]
        .map(|baseline| Method::DeepLift(DeepLift { baseline }))
        .to_vec();
    every_operator_keeps_the_sum(&methods);
}

#[test]
fn where_nothing_can_take_relevance_all_of_it_arrives() {
    // No bias in sight: a network whose biases are 0, with every kind of rule on the way.
    for (name, case) in ARITHMETIC.iter().filter(|(name, _)| !name.contains("constant")) {
        let mut graph = Graph::new(3, SHAPES[0]);
        let end = case(&mut graph);
        let network = graph.finish(end);
        let values = network.params().iter().map(|param| match param.shape.len() {
            1 => vec![0.0; param.values.len()].into(),
            _ => param.values.clone(),
        });
        let network = network.with_values(values.collect()).unwrap();
        let engine = Engine::compile(&network, &Options::default()).unwrap();
        let images = image(&network);
        let method: Method = "lrp-epsilon".parse().unwrap();
        for own in attribute(&Question::new(&engine), images.view(), &[1, 1], &method).unwrap() {
            let taken = own.absorbed.unwrap();
            assert!(taken.biases.abs() < 1e-9, "{name}: {taken:?}");
        }
    }
}
