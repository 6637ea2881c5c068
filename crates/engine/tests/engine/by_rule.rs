//! Backward passes by a rule: the gradient's own where the rule says the same as the gradient.

use cutaway_engine::{BackwardRule, Engine, Error, Isa, NodeValues, Options, Replaces};
use cutaway_net::{ConvSpec, Network, NetworkBuilder, NodeId, Op, PoolSpec};
use ndarray::{ArrayD, Zip};

use crate::common::compile;
use crate::common::networks::with_random_params;
use crate::common::numbers::{Numbers, bits};

/// A ReLU that melts into the layer before it, and ones that cannot; a branch; a product of activations.
fn branched() -> Network {
    let mut b = NetworkBuilder::new("branched");
    let trunk = b
        .input("input", &[3, 12, 12])
        .conv("conv1", ConvSpec::new(16, 3).same())
        .relu("relu1")
        .max_pool("pool", PoolSpec::new(2))
        .last();
    let branch = b.conv("conv2", ConvSpec::new(16, 3).same()).relu("relu2").last();
    b.add("sum", &[trunk, branch]).relu("relu3").flatten("flat").dense("logits", 5).output();
    with_random_params(&b.build(1).unwrap(), 5)
}

/// Replaces some nodes by what they would do anyway.
struct Same<'a> {
    engine: &'a Engine,
    /// All pooling and sums as whole nodes, ReLUs number by number.
    replaced: bool,
}

impl BackwardRule for Same<'_> {
    type Error = Error;

    fn replaces(&self, id: NodeId) -> Replaces {
        match self.engine.network().node(id).op {
            _ if !self.replaced => Replaces::Nothing,
            Op::Relu => Replaces::Numbers,
            Op::Add | Op::Flatten => Replaces::Node,
            _ => Replaces::Nothing,
        }
    }

    fn numbers(&self, _: NodeId, at: cutaway_engine::Numbers<'_>, shares: &mut [f32]) {
        for (i, share) in shares.iter_mut().enumerate() {
            assert_eq!(at.y[i], at.x[i].max(0.0));
            assert_eq!(at.gradient[i], if at.x[i] > 0.0 { at.received[i] } else { 0.0 });
            *share = at.gradient[i];
        }
    }

    fn node(
        &self,
        id: NodeId,
        values: NodeValues,
        baselines: Option<NodeValues>,
        received: ArrayD<f32>,
    ) -> Result<Vec<ArrayD<f32>>, Error> {
        assert!(baselines.is_none());
        let of = |input: &ArrayD<f32>| {
            let flat = received.clone().into_shape_with_order(input.shape()).unwrap();
            assert_eq!(
                input.shape()[1..],
                *self.engine.network().shape(self.engine.network().node(id).inputs[0])
            );
            flat
        };
        Ok(values.inputs.iter().map(of).collect())
    }
}

#[test]
fn a_rule_that_says_what_the_gradient_is_gives_the_gradient() {
    let network = branched();
    let input = network.input();
    let logits = network.logits();
    for isa in Isa::available() {
        let engine = compile(&network, isa);
        for n in [1, 5, 11] {
            let batch = Numbers::new(4).batch(n, network.shape(input));
            let seed = Numbers::new(6).batch(n, network.shape(logits));
            let seeds = [(logits, seed.clone())];
            let gradient = engine.backward(batch.view(), &seeds, &[input], false).unwrap();
            let value = engine.forward(batch.view(), &[logits]).unwrap();
            for replaced in [false, true] {
                let rule = Same { engine: &engine, replaced };
                let own = engine.backward_by(batch.view(), None, logits, &seed, &rule).unwrap();
                let name = format!("{isa}, {n} images, replaced: {replaced}");
                assert!(bits(&own.input) == bits(gradient.node(input).unwrap()), "{name}");
                assert!(bits(&own.value) == bits(value.get(logits).unwrap()), "{name}");
                assert!(own.baseline.is_none());
            }
        }
    }
}

/// ReLUs hand back the ratio of differences.
struct Ratio<'a>(&'a Network);

impl BackwardRule for Ratio<'_> {
    type Error = Error;

    fn replaces(&self, id: NodeId) -> Replaces {
        match self.0.node(id).op {
            Op::Relu => Replaces::Numbers,
            Op::MaxPool(_) => Replaces::Node,
            _ => Replaces::Nothing,
        }
    }

    fn numbers(&self, _: NodeId, at: cutaway_engine::Numbers<'_>, shares: &mut [f32]) {
        for (i, share) in shares.iter_mut().enumerate() {
            let (dx, dy) = (at.x[i] - at.x0[i], at.y[i] - at.y0[i]);
            *share = if dx == 0.0 { 0.0 } else { at.received[i] * dy / dx };
        }
    }

    /// Of 2 × 2 numbers: to each a share of the difference of maxima, in proportion to its own.
    fn node(
        &self,
        _: NodeId,
        values: NodeValues,
        baselines: Option<NodeValues>,
        received: ArrayD<f32>,
    ) -> Result<Vec<ArrayD<f32>>, Error> {
        let baselines = baselines.expect("given");
        let dx = &values.inputs[0] - &baselines.inputs[0];
        let dy = (&values.output - &baselines.output) * received;
        let square = |i: usize, j: usize| ndarray::s![.., .., i..;2, j..;2];
        let dx = dx.into_dimensionality::<ndarray::Ix4>().unwrap();
        let dy = dy.into_dimensionality::<ndarray::Ix4>().unwrap();
        let places = [(0, 0), (0, 1), (1, 0), (1, 1)];
        let mut squares = ndarray::Array4::<f32>::zeros(dy.raw_dim());
        for (i, j) in places {
            squares += &dx.slice(square(i, j)).mapv(|d| d * d);
        }
        let mut shares = ndarray::Array4::zeros(dx.raw_dim());
        for (i, j) in places {
            Zip::from(shares.slice_mut(square(i, j)))
                .and(&dx.slice(square(i, j)))
                .and(&dy)
                .and(&squares)
                .for_each(|share, &dx, &dy, &sum| {
                    *share = if sum > 0.0 { dx * dy / sum } else { 0.0 };
                });
        }
        Ok(vec![shares.into_dyn()])
    }
}

#[test]
fn multipliers_over_baselines_carry_differences_and_the_same_bits_on_any_number_of_threads() {
    let network = branched();
    let (input, logits, n) = (network.input(), network.logits(), 3);
    let batch = Numbers::new(4).batch(n, network.shape(input));
    let baselines = Numbers::new(8).batch(n, network.shape(input));
    let seed = Numbers::new(6).batch(n, network.shape(logits));
    let run = |threads| {
        let options = Options { threads, ..Options::default() };
        let engine = Engine::compile(&network, &options).unwrap();
        let own = engine
            .backward_by(batch.view(), Some(baselines.view()), logits, &seed, &Ratio(&network))
            .unwrap();
        let before = engine.forward(baselines.view(), &[logits]).unwrap();
        let before = before.get(logits).unwrap();
        assert!(bits(own.baseline.as_ref().unwrap()) == bits(before));
        // Σ m Δx = Σ seed Δy, image by image.
        let carried = &own.input * &(&batch - &baselines);
        let expected = (&own.value - before) * &seed;
        for (carried, expected) in carried.outer_iter().zip(expected.outer_iter()) {
            let scale: f64 = carried.iter().map(|&v| f64::from(v.abs())).sum();
            let [carried, expected] = [carried, expected].map(|a| a.mapv(f64::from).sum());
            let apart = (carried - expected).abs();
            assert!(apart < 1e-5 * scale, "{carried} and {expected} of {scale}");
        }
        bits(&own.input)
    };
    let one = run(1);
    [2, 5].into_iter().for_each(|threads| assert!(run(threads) == one, "{threads} threads"));
}

#[test]
fn what_does_not_fit_a_pass_by_a_rule_is_refused() {
    let network = branched();
    let engine = compile(&network, Isa::detect());
    let (input, logits) = (network.input(), network.logits());
    let batch = Numbers::new(4).batch(2, network.shape(input));
    let seed = Numbers::new(6).batch(2, network.shape(logits));
    let rule = Same { engine: &engine, replaced: false };
    let few = Numbers::new(4).batch(1, network.shape(input));
    let short = Numbers::new(6).batch(1, network.shape(logits));
    for (baselines, node, seed, words) in [
        (Some(few.view()), logits, &seed, "the baselines"),
        (None, logits, &short, "the seed at node 'logits'"),
        (None, NodeId(99), &seed, "99"),
    ] {
        let error = engine.backward_by(batch.view(), baselines, node, seed, &rule).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}
