//! Every method against Captum, Zennit or pytorch-grad-cam on the same weights: the numbers of
//! `tests/fixtures/attributions.json`, made by the script beside it.

use std::sync::OnceLock;

use cutaway_engine::{Engine, Options};
use cutaway_net::{ConvSpec, Network, NetworkBuilder};
use ndarray::{Array3, Array4, ArrayView3, Axis};
use serde_json::Value;

use super::*;

fn fixture() -> &'static Value {
    static FIXTURE: OnceLock<Value> = OnceLock::new();
    let text = include_str!("../../tests/fixtures/attributions.json");
    FIXTURE.get_or_init(|| serde_json::from_str(text).unwrap())
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

/// A network of the fixture with its image.
struct Case {
    name: &'static str,
    values: &'static Value,
    engine: Engine,
    shape: [usize; 3],
}

impl Case {
    fn new(name: &'static str) -> Case {
        let values = &fixture()[name];
        let network = match name {
            "branched" => branched(),
            "smooth" => smooth(),
            "maximum" => maximum(),
            _ => reference(),
        };
        let params = network.params().iter().map(|param| {
            let torch = match param.name.split_once('.').unwrap() {
                (node, "scale") => format!("{node}.weight"),
                (node, "mean") => format!("{node}.running_mean"),
                (node, "var") => format!("{node}.running_var"),
                _ => param.name.clone(),
            };
            numbers(&values["weights"][torch]).into()
        });
        let network = network.with_values(params.collect()).unwrap();
        let engine = Engine::compile(&network, &Options::default()).unwrap();
        let shape = numbers(&values["shape"]);
        let shape = [shape[0] as usize, shape[1] as usize, shape[2] as usize];
        Case { name, values, engine, shape }
    }

    fn array(&self, value: &Value) -> Array4<f32> {
        let values = numbers(value);
        let [c, h, w] = self.shape;
        Array4::from_shape_vec((values.len() / (c * h * w), c, h, w), values).unwrap()
    }

    fn image(&self) -> Array4<f32> {
        self.array(&self.values["image"])
    }

    fn target(&self) -> usize {
        self.values["target"].as_u64().unwrap() as usize
    }

    fn baseline(&self) -> Baseline {
        Baseline::Given(numbers(&self.values["baseline"]))
    }

    fn attribute(&self, method: &Method) -> Attribution {
        let question = Question::new(&self.engine);
        attribute(&question, self.image().view(), &[self.target()], method).unwrap().remove(0)
    }

    fn expected(&self, name: &str) -> Vec<f32> {
        numbers(&self.values["attributions"][name])
    }

    /// Equal to within 1e-4 of the largest value.
    fn agrees(&self, what: &str, own: &[f32], expected: &[f32]) {
        assert_eq!(own.len(), expected.len(), "{what} of {}", self.name);
        let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        assert!(largest > 1e-6, "{what} of {}: the fixture is all 0", self.name);
        let apart = own.iter().zip(expected).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(apart <= 1e-4 * largest, "{what} of {}: {apart} of {largest}", self.name);
    }
}

fn branched() -> Network {
    let mut b = NetworkBuilder::new("branched");
    b.input("image", &[2, 12, 12])
        .conv("conv1", ConvSpec::new(6, 3).padding([1; 4]))
        .batch_norm("norm1")
        .relu("relu1")
        .max_pool("pool1", 2)
        .conv("conv2", ConvSpec::new(8, 3))
        .relu("relu2")
        .avg_pool("pool2", 2)
        .flatten("flat")
        .dense("dense1", 9)
        .relu("relu3")
        .dense("logits", 4)
        .softmax("probabilities");
    b.build(1).unwrap()
}

/// As [`branched`], but without a maximum.
fn smooth() -> Network {
    let mut b = NetworkBuilder::new("smooth");
    b.input("image", &[2, 12, 12]).conv("conv1", ConvSpec::new(6, 3).padding([1; 4]).stride(2));
    b.batch_norm("norm1").relu("relu1");
    b.conv("conv2", ConvSpec::new(8, 3)).relu("relu2").avg_pool("pool2", 2);
    b.flatten("flat").dense("dense1", 9).relu("relu3").dense("logits", 4);
    b.softmax("probabilities").build(1).unwrap()
}

fn maximum() -> Network {
    let mut b = NetworkBuilder::new("maximum");
    b.input("image", &[2, 12, 12]).conv("conv1", ConvSpec::new(6, 3).padding([1; 4]));
    b.max_pool("pool1", 2).flatten("flat").dense("logits", 4).build(1).unwrap()
}

fn reference() -> Network {
    let mut b = NetworkBuilder::new("reference");
    b.input("image", &[1, 28, 28]);
    b.conv("conv1", ConvSpec::new(4, 5)).relu("relu1");
    b.conv("conv2", ConvSpec::new(4, 5)).relu("relu2").max_pool("pool1", 2);
    b.conv("conv3", ConvSpec::new(6, 3)).relu("relu3");
    b.conv("conv4", ConvSpec::new(6, 3)).relu("relu4").max_pool("pool2", 2);
    b.flatten("flat").dense("dense1", 10).relu("relu5").dense("logits", 10);
    b.softmax("probabilities").build(1).unwrap()
}

fn cases() -> [Case; 2] {
    ["branched", "reference"].map(Case::new)
}

#[test]
fn the_networks_say_what_pytorch_says() {
    for case in cases() {
        let logits = case.engine.network().find("logits").unwrap();
        let values = case.engine.forward(case.image().view(), &[logits]).unwrap();
        let own: Vec<f32> = values.get(logits).unwrap().iter().copied().collect();
        case.agrees("the logits", &own, &numbers(&case.values["logits"]));
    }
}

#[test]
fn gradients_and_rectified_ones_are_captums() {
    for case in cases() {
        for name in ["gradient", "input-x-gradient", "guided-backprop", "deconvolution"] {
            let own = case.attribute(&name.parse().unwrap());
            assert_eq!((own.method.as_str(), &own.target.node[..]), (name, "logits"));
            case.agrees(name, &own.values, &case.expected(name));
        }
    }
}

#[test]
fn integrated_gradients_are_captums_by_both_rules() {
    for case in cases() {
        let own = case.attribute(&"integrated-gradients".parse().unwrap());
        case.agrees("gauss", &own.values, &case.expected("integrated-gradients"));
        let method = Method::IntegratedGradients(IntegratedGradients {
            steps: 30,
            quadrature: Quadrature::RiemannMiddle,
            baseline: case.baseline(),
        });
        let own = case.attribute(&method);
        case.agrees("riemann", &own.values, &case.expected("integrated-gradients riemann"));
    }
}

#[test]
fn deeplift_is_captums_and_complete() {
    for case in ["branched", "reference", "smooth", "maximum"].map(Case::new) {
        let own = case.attribute(&Method::DeepLift(DeepLift { baseline: case.baseline() }));
        // With ReLUs about, Captum's maximum pooling is not complete; ours must be everywhere.
        if ["smooth", "maximum"].contains(&case.name) {
            case.agrees("deeplift", &own.values, &case.expected("deeplift"));
        }
        let size: f32 = own.values.iter().map(|v| v.abs()).sum();
        assert!(own.error.unwrap().abs() < 1e-5 * f64::from(size), "{:?} of {size}", own.error);
    }
}

#[test]
fn relevance_is_zennits_by_every_rule() {
    for case in cases() {
        for name in Method::NAMES.iter().filter(|name| name.starts_with("lrp")) {
            let own = case.attribute(&name.parse().unwrap());
            case.agrees(name, &own.values, &case.expected(name));
        }
        let rough = Lrp { epsilon: 0.1, ..Lrp::new(LrpRule::Epsilon) };
        let own = case.attribute(&Method::Lrp(rough));
        case.agrees("lrp-epsilon 0.1", &own.values, &case.expected("lrp-epsilon 0.1"));
        let squares = Lrp { first: Some(LrpFirst::WSquare), ..Lrp::new(LrpRule::Epsilon) };
        let own = case.attribute(&Method::Lrp(squares));
        case.agrees("lrp w-square", &own.values, &case.expected("lrp-epsilon w-square"));
    }
}

#[test]
fn class_activation_maps_are_those_of_pytorch_grad_cam() {
    for case in cases() {
        for name in ["grad-cam", "grad-cam++", "hires-cam", "layer-cam", "score-cam"] {
            let own = case.attribute(&name.parse().unwrap());
            let map = own.map.unwrap();
            assert_eq!(map.layer, case.values["layer"].as_str().unwrap());
            assert_eq!(own.shape, case.shape[1..]);
            case.agrees(name, &map.values, &case.expected(name));
        }
    }
}

#[test]
fn occlusion_is_captums() {
    for case in cases() {
        let method = Occlusion { window: Some(3), stride: Some(2), baseline: Baseline::Zero };
        let own = case.attribute(&Method::Occlusion(method));
        // Captum has the same value in every channel.
        let expected = case.expected("occlusion");
        case.agrees("occlusion", &own.values, &expected[..own.values.len()]);
    }
}

#[test]
fn smooth_grad_and_expected_gradients_are_pytorchs_for_given_samples() {
    for case in cases() {
        let (given, image) = (&case.values["given"], case.image());
        let image = image.index_axis(Axis(0), 0);
        let ask = Ask::new(Question::new(&case.engine)).unwrap();
        let noise = case.array(&given["noise"]);
        let mut noises = noise.outer_iter().map(|n| n.to_owned());
        let mut next = || noises.next().unwrap();
        let count = noise.shape()[0];
        let own = smooth_grad::mean_gradient(&ask, image, case.target(), count, &mut next).unwrap();
        case.agrees("smooth-grad", own.as_slice().unwrap(), &numbers(&given["smooth-grad"]));
        let background = case.array(&given["background"]);
        let pairs = given["pairs"].as_array().unwrap().iter();
        let pairs: Vec<(usize, f64)> = pairs
            .map(|pair| (pair[0].as_u64().unwrap() as usize, pair[1].as_f64().unwrap()))
            .collect();
        let own =
            expected_gradients::mean_over(&ask, image, case.target(), background.view(), &pairs);
        let own = own.unwrap();
        let expected = numbers(&given["expected-gradients"]);
        case.agrees("expected-gradients", own.as_slice().unwrap(), &expected);
    }
}

/// Root of the mean squared difference over that of the second.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>();
    let difference = squares(&mut a.iter().zip(b).map(|(a, b)| a - b));
    (difference / squares(&mut b.iter().copied())).sqrt()
}

#[test]
fn smooth_grad_without_noise_is_the_gradient_and_with_noise_it_settles() {
    let case = Case::new("branched");
    let smooth = |samples, noise, seed| {
        let question = Question { seed, ..Question::new(&case.engine) };
        let method = Method::SmoothGrad(SmoothGrad { samples, noise });
        let image = case.image();
        let own = attribute(&question, image.view(), &[case.target()], &method).unwrap().remove(0);
        own.values
    };
    case.agrees("no noise", &smooth(3, 0.0, 1), &case.expected("gradient"));
    assert_eq!(smooth(20, 0.2, 7), smooth(20, 0.2, 7));
    let apart = |samples| distance(&smooth(samples, 0.2, 1), &smooth(samples, 0.2, 2));
    let (few, many) = (apart(16), apart(1600));
    // Ten times nearer with a hundred times as many, within the noise of the estimate.
    assert!(few > 0.01 && many < few / 4.0, "{few} and {many}");
}

#[test]
fn expected_gradients_from_one_image_are_integrated_gradients() {
    let case = Case::new("branched");
    let background = case.array(&case.values["baseline"]);
    let question = Question { background: Some(background.view()), ..Question::new(&case.engine) };
    let method = Method::ExpectedGradients(ExpectedGradients { samples: 4000 });
    let own = attribute(&question, case.image().view(), &[case.target()], &method).unwrap();
    let expected = case.expected("integrated-gradients riemann");
    let apart = distance(&own[0].values, &expected);
    assert!(apart < 0.05, "{apart}");
}

#[test]
fn an_image_has_the_same_attribution_alone_in_a_batch_and_on_any_number_of_threads() {
    let case = Case::new("branched");
    let one = case.image();
    let other = one.mapv(|v| 1.0 - v);
    let both = ndarray::concatenate(Axis(0), &[other.view(), one.view()]).unwrap();
    let background = case.array(&case.values["given"]["background"]);
    let network = case.engine.network();
    let options = Options { threads: 3, ..Options::default() };
    let many = Engine::compile(network, &options).unwrap();
    let alone = Engine::compile(network, &Options { threads: 1, ..options }).unwrap();
    for name in Method::NAMES {
        let mut method: Method = name.parse().unwrap();
        method.set_samples(40);
        let ask = |engine, images: &Array4<f32>, classes: &[usize]| {
            let question =
                Question { background: Some(background.view()), ..Question::new(engine) };
            attribute(&question, images.view(), classes, &method).unwrap()
        };
        let single = &ask(&alone, &one, &[2])[0];
        let batch = &ask(&many, &both, &[1, 2])[1];
        assert_eq!(single.values, batch.values, "{name}");
        assert_eq!(single.target, batch.target, "{name}");
        assert!(single.evaluations > 0, "{name}");
    }
}

/// Two convolutions that add up, one of them to a concatenation: what residual networks have.
fn residual() -> Network {
    let mut b = NetworkBuilder::new("residual");
    let trunk = b.input("x", &[2, 8, 8]).conv("stem", ConvSpec::new(4, 3).same()).relu("r1").last();
    let branch = b.conv("branch", ConvSpec::new(4, 3).same()).batch_norm("norm").last();
    let sum = b.add("sum", &[trunk, branch]).relu("r2").last();
    b.concat("both", &[sum, trunk]).global_avg_pool("mean").flatten("flat").dense("logits", 3);
    b.build(5).unwrap()
}

#[test]
fn ways_back_know_sums_and_concatenations() {
    let engine = Engine::compile(&residual(), &Options::default()).unwrap();
    let image = Array4::from_shape_fn((1, 2, 8, 8), |(_, c, y, x)| {
        ((c + 3 * y + 5 * x) % 11) as f32 / 11.0 - 0.2
    });
    let question = Question::new(&engine);
    let of = |name: &str| {
        attribute(&question, image.view(), &[1], &name.parse().unwrap()).unwrap().remove(0)
    };
    // Nothing is lost where there is no bias, and DeepLIFT is complete in any case.
    for name in ["lrp-epsilon", "lrp-z-plus", "lrp-epsilon-plus-flat", "deeplift"] {
        let own = of(name);
        let error = own.error.unwrap().abs();
        assert!(
            error < 2e-3 * own.expected_sum.unwrap().abs(),
            "{name}: {error} of {:?}",
            own.expected_sum
        );
    }
    // The walk with the plain gradient is the engine's backward pass.
    struct Plain;
    impl walk::Rule for Plain {
        fn back(
            &self,
            at: &walk::Station<'_>,
            received: &ndarray::ArrayD<f32>,
        ) -> Result<Vec<ndarray::ArrayD<f32>>, Error> {
            at.gradient(received)
        }
    }
    let ask = Ask::new(question.clone()).unwrap();
    let way = walk::Walk::new(&engine, image.view(), ask.logits, "plain").unwrap();
    let own = way.back(ask.seeds(image.view(), &[1]).unwrap(), &Plain).unwrap();
    let engine = of("gradient").values;
    let apart = distance(own.as_slice().unwrap(), &engine);
    assert!(apart < 1e-6, "{apart}");
}

#[test]
fn rise_adds_masks_up_by_what_the_network_says_to_them() {
    // A network that sums the pixels of one corner, 4 by 4 cells: RISE must find it.
    let mut b = NetworkBuilder::new("corner");
    let network = b.input("x", &[1, 14, 14]).flatten("flat").dense("logits", 2).build(1).unwrap();
    let weight = |i: usize| f32::from(u8::from(i < 196 && i / 14 < 8 && i % 14 < 8));
    let values = vec![(0..392).map(weight).collect(), vec![0.0; 2].into()];
    let engine =
        Engine::compile(&network.with_values(values).unwrap(), &Options::default()).unwrap();
    let image = Array4::ones((1, 1, 14, 14));
    let of = |name: &str| {
        let question = Question::new(&engine);
        attribute(&question, image.view(), &[0], &name.parse().unwrap()).unwrap().remove(0).values
    };
    let mean = |values: &[f32], inside: bool| {
        let own: Vec<f32> =
            (0..196).filter(|i| (i / 14 < 8 && i % 14 < 8) == inside).map(|i| values[i]).collect();
        own.iter().sum::<f32>() / own.len() as f32
    };
    let rise = of("rise");
    assert!(mean(&rise, true) > mean(&rise, false) + 1.0, "{}", mean(&rise, true));
    // The network is linear: Shapley values are its weights, whatever coalitions are asked.
    let shap = of("kernel-shap");
    assert!((0..196).all(|i| (shap[i] - weight(i)).abs() < 1e-4), "{shap:?}");
    let lime = of("lime");
    assert!(mean(&lime, true) > 0.8 && mean(&lime, false).abs() < 0.01, "{}", mean(&lime, true));
}

#[test]
fn probabilities_and_their_logarithms_have_the_gradients_of_finite_differences() {
    let case = Case::new("reference");
    let image = case.image();
    for output in [Output::Probability, Output::LogProbability] {
        let question = Question { output, ..Question::new(&case.engine) };
        let ask = Ask::new(question.clone()).unwrap();
        let gradient = ask.image_gradients(image.view(), &[case.target()]).unwrap();
        // Along the gradient itself, where the difference is largest.
        let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        let step = 0.01;
        let moved = |by: f32| &image + &(&gradient * (by / norm));
        let value = |by| ask.values(moved(by).view(), &[case.target()]).unwrap()[0];
        let slope = (value(step) - value(-step)) / f64::from(2.0 * step);
        let relative = (slope / f64::from(norm) - 1.0).abs();
        assert!(relative < 2e-2, "{output}: {slope}, not {norm}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let case = Case::new("branched");
    let image = case.image();
    let refused = |method: &Method, class: usize, output: Output| {
        let question = Question { output, ..Question::new(&case.engine) };
        attribute(&question, image.view(), &[class], method).unwrap_err().to_string()
    };
    let gradient: Method = "gradient".parse().unwrap();
    let error = refused(&gradient, 4, Output::Logit);
    assert!(error.contains("class 4") && error.contains("0 to 3"), "{error}");
    let mut method: Method = "integrated-gradients".parse().unwrap();
    method.set_steps(0);
    let error = refused(&method, 0, Output::Logit);
    assert!(error.contains("steps is 0"), "{error}");
    let error = refused(&"lrp".parse().unwrap(), 0, Output::Probability);
    assert!(error.contains("logit") && error.contains("probability"), "{error}");
    let error = refused(&"expected-gradients".parse().unwrap(), 0, Output::Logit);
    assert!(error.contains("background"), "{error}");
    let mut method: Method = "grad-cam".parse().unwrap();
    method.set_layer("dense1");
    let error = refused(&method, 0, Output::Logit);
    assert!(error.contains("'dense1'") && error.contains("conv2"), "{error}");
    // What gives a position has no shares to hand on.
    let mut b = NetworkBuilder::new("odd");
    b.input("x", &[1, 4, 4]).conv("conv", ConvSpec::new(2, 3)).flatten("flat");
    let base = b.dense("logits", 2).build(1).unwrap();
    let mut nodes = base.nodes().to_vec();
    let op = cutaway_net::Op::ArgMax { axis: 0, keep: false, last: false };
    let inputs = vec![cutaway_net::NodeId(1)];
    let odd = cutaway_net::Node { name: "odd one".into(), op, inputs, params: vec![] };
    nodes.insert(2, odd);
    let take = |node: &mut cutaway_net::Node, place| node.inputs = vec![cutaway_net::NodeId(place)];
    take(&mut nodes[3], 2);
    take(&mut nodes[4], 3);
    let mut params = base.params().to_vec();
    (params[2].shape, params[2].values) = (vec![2, 4], vec![0.5; 8].into());
    let metadata = base.metadata().clone();
    let end = vec![cutaway_net::NodeId(4)];
    let network = Network::new("odd", nodes, params, end, metadata).unwrap();
    let engine = Engine::compile(&network, &Options::default()).unwrap();
    let image = Array4::ones((1, 1, 4, 4));
    for name in ["lrp", "deeplift"] {
        let method = name.parse().unwrap();
        let error = attribute(&Question::new(&engine), image.view(), &[0], &method).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("'odd one'") && error.contains("ArgMax"), "{error}");
    }
}

#[test]
fn baselines_are_what_their_names_say() {
    let case = Case::new("branched");
    let image = Array3::from_shape_fn((2, 12, 12), |(c, y, x)| (c * 5 + y + x) as f32);
    let of = |baseline: Baseline, image: ArrayView3<'_, f32>| {
        baseline.of(case.engine.network(), image).unwrap()
    };
    assert_eq!(of(Baseline::Mean, image.view())[(1, 3, 4)], 16.0);
    assert!((of(Baseline::Pixel(51.0), image.view())[(0, 0, 0)] - 0.2).abs() < 1e-6);
    // A blur keeps what is constant and moves nothing else than it must.
    let flat = Array3::from_elem((2, 12, 12), 3.5);
    let blurred = of(Baseline::Blur, flat.view());
    assert!(blurred.iter().all(|v| (v - 3.5).abs() < 1e-6));
    let slope = of(Baseline::Blur, image.view());
    assert!((slope[(0, 6, 6)] - image[(0, 6, 6)]).abs() < 0.5);
}

/// A network of arithmetic: `x` through a convolution, times `gate` (its own sigmoid mean where that is
/// wanted, else a constant a channel), plus a constant, minus another convolution, its mean a class.
fn arithmetic(gated: bool) -> Network {
    use cutaway_net::{Binary, Metadata, Node, NodeId, Op, Param, ParamId, Reduce, Unary};
    let mut b = NetworkBuilder::new("arithmetic");
    let first = b.input("x", &[2, 6, 6]).conv("first", ConvSpec::new(4, 3)).last();
    let own = b.global_avg_pool("pool").last();
    let second = b.at(NodeId(0)).conv("second", ConvSpec::new(4, 3)).last();
    b.flatten("flat").dense("unused", 2);
    let base = b.build(9).unwrap();
    let (mut nodes, mut params) = (base.nodes()[..=second.0].to_vec(), Vec::new());
    for node in &mut nodes {
        let start = params.len();
        params.extend(node.params.iter().map(|&id| base.param(id).clone()));
        node.params = (start..params.len()).map(ParamId).collect();
    }
    let mut push = |name: &str, op: Op, inputs: &[NodeId], values: Option<[f32; 4]>| {
        let own = values.map(|values| {
            params.push(Param {
                name: format!("{name}.value"),
                shape: vec![4, 1, 1],
                values: values.to_vec().into(),
                trainable: false,
            });
            ParamId(params.len() - 1)
        });
        let params = own.into_iter().collect();
        nodes.push(Node { name: name.into(), op, inputs: inputs.to_vec(), params });
        NodeId(nodes.len() - 1)
    };
    let constant = || Op::Constant { shape: vec![4, 1, 1] };
    let gate = match gated {
        true => push("gate", Op::Unary(Unary::Sigmoid), &[own], None),
        false => push("gate", constant(), &[], Some([0.5, -2.0, 1.5, 3.0])),
    };
    let shift = push("shift", constant(), &[], Some([0.1, 0.2, -0.3, 0.4]));
    let product = push("product", Op::Binary(Binary::Mul), &[gate, first], None);
    let sum = push("sum", Op::Binary(Binary::Add), &[product, shift], None);
    let rest = push("rest", Op::Binary(Binary::Sub), &[sum, second], None);
    let mean = Op::Reduce { kind: Reduce::Mean, axes: vec![1, 2], keep: false };
    let end = push("mean", mean, &[rest], None);
    Network::new("arithmetic", nodes, params, vec![end], Metadata::for_input(&[2, 6, 6])).unwrap()
}

#[test]
fn ways_back_know_arithmetic_with_constants_and_gates() {
    let image = Array4::from_shape_fn((1, 2, 6, 6), |(_, c, y, x)| {
        0.1 + ((c * 5 + y * 3 + x * 7) % 11) as f32 / 11.0
    });
    let ask = |network: &Network, name: &str| {
        let engine = Engine::compile(network, &Options::default()).unwrap();
        let method: Method = name.parse().unwrap();
        attribute(&Question::new(&engine), image.view(), &[1], &method).map(|mut all| all.remove(0))
    };
    // Without a ReLU guided backpropagation is the gradient, which the engine has by another way.
    for gated in [false, true] {
        let network = arithmetic(gated);
        let (own, engine) =
            (ask(&network, "guided-backprop").unwrap(), ask(&network, "gradient").unwrap());
        assert!(distance(&own.values, &engine.values) < 1e-5, "gated: {gated}");
        assert!(own.values.iter().any(|v| v.abs() > 1e-4));
    }
    for gated in [false, true] {
        let network = arithmetic(gated);
        assert!(ask(&network, "deeplift").unwrap().error.unwrap().abs() < 1e-5);
        let relevance = ask(&network, "lrp").unwrap();
        let absorbed = relevance.absorbed.unwrap();
        // Biases that are constants of their own are folded; what is left is accounted for.
        assert!(relevance.error.unwrap().abs() < 1e-5, "{:?} {absorbed:?}", relevance.error);
        assert!(absorbed.total.abs() > 1e-3 && relevance.values.iter().any(|v| v.abs() > 1e-4));
    }
}
