//! Random small networks against the f64 reference, on every instruction set of this machine.

use cutaway_engine::reference::{Mode, Reference};
use cutaway_engine::{Engine, Isa, Trainer};
use cutaway_net::{Network, Node, NodeId, Op};
use ndarray::ArrayD;
use proptest::prelude::*;

use crate::common::networks::{Recipe, all_nodes, build, odd, wide};
use crate::common::numbers::{Numbers, close, close_to_scale, magnitude, widen};
use crate::common::{compile, options, settings};

/// Of the largest magnitude in a tensor, through a handful of layers. Winograd's transforms of a
/// 5×5 filter lose about a digit and a half.
const TOLERANCE: f64 = 2e-5;

proptest! {
    #![proptest_config(settings(60))]

    #[test]
    fn odd_networks_agree_with_the_reference(recipe in odd(false)) {
        check_on_every_isa(&recipe).map_err(TestCaseError::fail)?;
    }
}

proptest! {
    #![proptest_config(settings(16))]

    #[test]
    fn wide_convolutions_agree_with_the_reference(recipe in wide()) {
        check_on_every_isa(&recipe).map_err(TestCaseError::fail)?;
    }
}

proptest! {
    #![proptest_config(settings(40))]

    #[test]
    fn training_steps_agree_with_the_reference(recipe in odd(true)) {
        check_training(&recipe).map_err(TestCaseError::fail)?;
    }
}

fn check_on_every_isa(recipe: &Recipe) -> Result<(), String> {
    let network = build(recipe);
    let batch = Numbers::new(recipe.seed).batch(recipe.n, network.shape(network.input()));
    let wanted = Reference::new(&network, Mode::Inference).forward(&widen(&batch), recipe.n);
    for isa in Isa::available() {
        check(&network, isa, &batch, &wanted).map_err(|e| format!("{isa}: {e}"))?;
    }
    Ok(())
}

fn check(
    network: &Network,
    isa: Isa,
    batch: &ArrayD<f32>,
    wanted: &[Vec<f64>],
) -> Result<(), String> {
    let engine = compile(network, isa);
    let nodes = all_nodes(network);
    let activations = engine.forward(batch.view(), &nodes).unwrap();
    let mut own = Vec::new();
    for (&node, wanted) in nodes.iter().zip(wanted) {
        let values = widen(activations.get(node).unwrap());
        close(&values, wanted, TOLERANCE)
            .map_err(|e| format!("{}: {e}", describe(network, node)))?;
        own.push(values);
    }
    check_backward(network, &engine, batch, own)
}

/// Gradients at the engine's own activations, so that both see the same side of every kink.
fn check_backward(
    network: &Network,
    engine: &Engine,
    batch: &ArrayD<f32>,
    activations: Vec<Vec<f64>>,
) -> Result<(), String> {
    let n = batch.shape()[0];
    let mut numbers = Numbers::new(network.nodes().len() as u64);
    let nodes = all_nodes(network);
    let seed_nodes = [NodeId(nodes.len() / 2), network.logits(), network.output()];
    let seeds = seed_nodes.map(|node| (node, numbers.batch(n, network.shape(node))));
    let wide_seeds: Vec<_> = seeds.iter().map(|(node, seed)| (*node, widen(seed))).collect();
    let reference = Reference::new(network, Mode::Inference);
    let wanted = reference.backward(&activations, n, &wide_seeds);

    // Which nodes are asked for decides which layers melt into one: all of them, one, none.
    let one = [NodeId(numbers.below(nodes.len()))];
    for asked in [&nodes[..], &one, &[]] {
        let found = engine.backward(batch.view(), &seeds, asked, true).unwrap();
        for &node in asked {
            let name =
                || format!("gradient of {}, one of {}", describe(network, node), asked.len());
            close(&widen(found.node(node).unwrap()), &wanted.nodes[node.0], TOLERANCE)
                .map_err(|e| format!("{}: {e}", name()))?;
        }
        for ((found, wanted), param) in
            found.params().iter().zip(&wanted.params).zip(network.params())
        {
            assert_eq!(found.shape(), param.shape);
            close(&widen(found), wanted, TOLERANCE).map_err(|e| {
                format!("gradient of {}, {} nodes asked: {e}", param.name, asked.len())
            })?;
        }
    }
    let found = engine.backward(batch.view(), &seeds, &one, false).unwrap();
    close(&widen(found.node(one[0]).unwrap()), &wanted.nodes[one[0].0], TOLERANCE)
        .map_err(|e| format!("gradient of {} alone: {e}", describe(network, one[0])))
}

fn describe(network: &Network, node: NodeId) -> String {
    format!("{} {:?} {:?}", network.node(node).name, network.shape(node), network.node(node).op)
}

/// A step of training on networks without kinks (activations cannot be seen from outside), without
/// dropout, and with enough values for each channel of a batch normalisation: of two values it makes
/// -1 and 1 whatever they are, so its input's gradient is what is left when all else cancels.
fn check_training(recipe: &Recipe) -> Result<(), String> {
    let network = build(recipe);
    if network.nodes().iter().any(|node| matches!(node.op, Op::Dropout { .. })) {
        return Ok(());
    }
    let n = recipe.n;
    let starved = |node: &Node| {
        let pixels = network.shape(node.inputs[0])[1..].iter().product::<usize>();
        n * pixels < 8
    };
    let mut norms = network.nodes().iter().filter(|node| matches!(node.op, Op::BatchNorm { .. }));
    if norms.any(starved) {
        return Ok(());
    }
    let mut numbers = Numbers::new(recipe.seed);
    let batch = numbers.batch(n, network.shape(network.input()));
    let logits = network.logits();
    let seed = widen(&numbers.batch(n, network.shape(logits)));
    let len = seed.len() / n;

    let reference = Reference::new(&network, Mode::Training);
    let activations = reference.forward(&widen(&batch), n);
    let gradients = reference.backward(&activations, n, &[(logits, seed.clone())]);
    // Before a batch normalisation, terms of the size of the other gradients cancel: a bias there
    // has no effect at all, and its gradient is what rounding leaves.
    let normalised = network.nodes().iter().any(|node| matches!(node.op, Op::BatchNorm { .. }));
    let largest = gradients.params.iter().map(|g| magnitude(g)).fold(1e-3, f64::max);
    let tolerance = TOLERANCE * condition(&network, &activations, n);
    let loss = |sample: usize, y: &[f32], dy: &mut [f32]| {
        let seed = &seed[sample * len..(sample + 1) * len];
        dy.iter_mut().zip(seed).for_each(|(dy, &seed)| *dy = seed as f32);
        y.iter().zip(seed).map(|(&y, seed)| f64::from(y) * seed).sum::<f64>() as f32
    };
    for isa in Isa::available() {
        let mut trainer = Trainer::new(&network, n, &options(isa)).unwrap();
        trainer.step(batch.as_slice().unwrap(), n, 0, &loss).unwrap();
        let mut rest = trainer.gradients();
        for (param, wanted) in network.params().iter().zip(&gradients.params) {
            if !param.trainable {
                continue;
            }
            let (found, after) = rest.split_at(wanted.len());
            rest = after;
            let scale = if normalised { largest } else { magnitude(wanted).max(1e-3) };
            close_to_scale(&widen(found), wanted, scale, tolerance)
                .map_err(|e| format!("gradient of {} on {isa}: {e}", param.name))?;
        }
        assert!(rest.is_empty());
        let trained = trainer.network().unwrap();
        for (id, wanted) in reference.running_statistics(&activations, n) {
            let param = trained.param(id);
            close(&widen(&*param.values), &wanted, TOLERANCE)
                .map_err(|e| format!("{} on {isa}: {e}", param.name))?;
        }
    }
    Ok(())
}

/// How much batch normalisations magnify rounding: the product over them of `|x| / σ`, where it is
/// above one. A channel that hardly varies over the batch is its own noise.
fn condition(network: &Network, activations: &[Vec<f64>], n: usize) -> f64 {
    let mut product = 1.0;
    for node in network.nodes().iter().filter(|node| matches!(node.op, Op::BatchNorm { .. })) {
        let Op::BatchNorm { epsilon, .. } = node.op else { unreachable!() };
        let x = &activations[node.inputs[0].0];
        let channels = network.shape(node.inputs[0])[0];
        let pixels = x.len() / n / channels;
        let mut worst: f64 = 1.0;
        for c in 0..channels {
            let own: Vec<f64> = (0..n)
                .flat_map(|s| &x[(s * channels + c) * pixels..(s * channels + c + 1) * pixels])
                .copied()
                .collect();
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            let var = own.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / own.len() as f64;
            let most = own.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            worst = worst.max(most / (var + f64::from(epsilon)).sqrt());
        }
        product *= worst;
    }
    product
}
