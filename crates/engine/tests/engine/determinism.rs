//! The same bits, whatever is tapped, however many threads there are, however a batch is cut.

use cutaway_engine::{Engine, Isa, Options, Trainer};
use cutaway_net::{ConvSpec, Network, NetworkBuilder, NodeId, PoolSpec, presets};
use ndarray::{ArrayD, Axis, concatenate};
use proptest::prelude::*;

use crate::common::networks::{all_nodes, build, odd, with_random_params};
use crate::common::numbers::{Numbers, bits};
use crate::common::{compile, options, settings};

const THREADS: [usize; 4] = [1, 2, 3, 8];

fn options_with(threads: usize) -> Options {
    Options { threads, ..Options::default() }
}

/// One of everything, with channels that Winograd's tiles like.
fn varied() -> Network {
    let mut b = NetworkBuilder::new("varied");
    let trunk = b
        .input("input", &[3, 14, 14])
        .conv("stem", ConvSpec::new(32, 3).same())
        .batch_norm("norm1")
        .relu("relu1")
        .last();
    let branch = b.conv("wide", ConvSpec::new(32, 5).same()).relu("relu2").last();
    let narrow = b.at(trunk).conv("narrow", ConvSpec::new(8, 1)).last();
    let sum = b.add("sum", &[trunk, branch]).last();
    b.concat("joined", &[sum, narrow])
        .max_pool("pool", PoolSpec::new(3).stride(2))
        .dropout("dropout1", 0.25)
        .conv("grouped", ConvSpec::new(20, 3).groups(4))
        .batch_norm("norm2")
        .relu("relu3")
        .avg_pool("average", 2)
        .flatten("flat")
        .dense("dense", 33)
        .relu("relu4")
        .dropout("dropout2", 0.5)
        .dense("logits", 10)
        .output()
        .softmax("probabilities")
        .output();
    with_random_params(&b.build(1).unwrap(), 3)
}

fn batch_for(network: &Network, n: usize) -> ArrayD<f32> {
    Numbers::new(9).batch(n, network.shape(network.input()))
}

/// Bits of each node tapped alone, of all together, and of all but one.
fn check_taps(network: &Network, isa: Isa, n: usize) -> Result<(), String> {
    let engine = compile(network, isa);
    let batch = batch_for(network, n);
    let nodes = all_nodes(network);
    let all = engine.forward(batch.view(), &nodes).unwrap();
    for &node in &nodes {
        let wanted = bits(all.get(node).unwrap());
        let alone = engine.forward(batch.view(), &[node]).unwrap();
        if bits(alone.get(node).unwrap()) != wanted {
            return Err(format!("{isa}: {} alone differs", network.node(node).name));
        }
        let with_output = engine.forward(batch.view(), &[network.output(), node]).unwrap();
        let output = network.output();
        if bits(with_output.get(output).unwrap()) != bits(all.get(output).unwrap()) {
            return Err(format!("{isa}: a tap at {} moves the output", network.node(node).name));
        }
    }
    Ok(())
}

#[test]
fn a_tap_never_changes_the_numbers() {
    for isa in Isa::available() {
        check_taps(&presets::reference_cnn(2), isa, 3).unwrap();
        check_taps(&varied(), isa, 11).unwrap();
    }
}

proptest! {
    #![proptest_config(settings(30))]

    #[test]
    fn a_tap_never_changes_the_numbers_of_odd_networks(recipe in odd(false)) {
        let network = build(&recipe);
        for isa in Isa::available() {
            check_taps(&network, isa, recipe.n).map_err(TestCaseError::fail)?;
        }
    }
}

#[test]
fn a_sample_does_not_depend_on_its_neighbours() {
    for isa in Isa::available() {
        for network in [varied(), presets::reference_cnn(2)] {
            let engine = compile(&network, isa);
            let batch = batch_for(&network, 19);
            let nodes = all_nodes(&network);
            let whole = engine.forward(batch.view(), &nodes).unwrap();
            for sizes in [&[1, 7, 11][..], &[8, 8, 3], &[18, 1]] {
                let mut first = 0;
                let parts: Vec<_> = sizes
                    .iter()
                    .map(|size| {
                        let part = batch.slice_axis(Axis(0), (first..first + size).into());
                        first += size;
                        engine.forward(part, &nodes).unwrap()
                    })
                    .collect();
                for &node in &nodes {
                    let views: Vec<_> = parts.iter().map(|p| p.get(node).unwrap().view()).collect();
                    let together = concatenate(Axis(0), &views).unwrap();
                    assert!(
                        bits(&together) == bits(whole.get(node).unwrap()),
                        "{} of {} on {isa}, cut into {sizes:?}",
                        network.node(node).name,
                        network.name()
                    );
                }
            }
        }
    }
}

#[test]
fn a_batch_in_another_memory_order_gives_the_same_bits() {
    let network = varied();
    let engine = compile(&network, Isa::detect());
    let batch = batch_for(&network, 3);
    let wanted = engine.predict(batch.view()).unwrap();
    let mut channels_last =
        batch.clone().permuted_axes(vec![0, 2, 3, 1]).as_standard_layout().into_owned();
    channels_last = channels_last.permuted_axes(vec![0, 3, 1, 2]);
    assert_eq!(channels_last, batch);
    assert!(!channels_last.is_standard_layout());
    assert_eq!(bits(&engine.predict(channels_last.view()).unwrap()), bits(&wanted));
}

#[test]
fn inference_gives_the_same_bits_on_any_number_of_threads() {
    let network = varied();
    let batch = batch_for(&network, 37);
    let nodes = all_nodes(&network);
    let run = |threads| {
        let engine = Engine::compile(&network, &options_with(threads)).unwrap();
        assert_eq!(engine.threads(), threads);
        let activations = engine.forward(batch.view(), &nodes).unwrap();
        nodes.iter().map(|&node| bits(activations.get(node).unwrap())).collect::<Vec<_>>()
    };
    let wanted = run(THREADS[0]);
    THREADS[1..].iter().for_each(|&t| assert!(run(t) == wanted, "{t} threads"));
}

#[test]
fn gradients_are_the_same_bits_on_any_number_of_threads() {
    let network = varied();
    let n = 150; // more chunks than there are partial sums
    let batch = batch_for(&network, n);
    let seeds = [network.logits(), network.find("relu2").unwrap()]
        .map(|node| (node, Numbers::new(5).batch(n, network.shape(node))));
    let nodes = [network.input(), network.find("sum").unwrap()];
    let run = |threads| {
        let engine = Engine::compile(&network, &options_with(threads)).unwrap();
        let gradients = engine.backward(batch.view(), &seeds, &nodes, true).unwrap();
        let at_nodes = nodes.iter().map(|&node| bits(gradients.node(node).unwrap()));
        at_nodes.chain(gradients.params().iter().map(bits)).collect::<Vec<_>>()
    };
    let wanted = run(THREADS[0]);
    THREADS[1..].iter().for_each(|&t| assert!(run(t) == wanted, "{t} threads"));
}

#[test]
fn gradients_at_nodes_do_not_depend_on_what_else_is_asked_for() {
    let network = varied();
    for isa in Isa::available() {
        let engine = compile(&network, isa);
        let batch = batch_for(&network, 11);
        let logits = network.logits();
        let seeds = [(logits, Numbers::new(5).batch(11, network.shape(logits)))];
        let nodes = all_nodes(&network);
        let all = engine.backward(batch.view(), &seeds, &nodes, true).unwrap();
        for &node in &nodes {
            for params in [false, true] {
                let alone = engine.backward(batch.view(), &seeds, &[node], params).unwrap();
                assert!(
                    bits(alone.node(node).unwrap()) == bits(all.node(node).unwrap()),
                    "gradient of {} on {isa}, params {params}",
                    network.node(node).name
                );
            }
        }
    }
}

#[test]
fn parameter_gradients_do_not_depend_on_the_nodes_asked_for() {
    let networks = [varied(), presets::reference_cnn(2)];
    for network in networks {
        let engine = compile(&network, Isa::detect());
        let n = 35;
        let batch = batch_for(&network, n);
        let logits = network.logits();
        let seeds = [(logits, Numbers::new(5).batch(n, network.shape(logits)))];
        let run = |nodes: &[NodeId]| {
            let gradients = engine.backward(batch.view(), &seeds, nodes, true).unwrap();
            gradients.params().iter().map(bits).collect::<Vec<_>>()
        };
        let wanted = run(&[]);
        assert!(run(&[network.input()]) == wanted, "{} with the input's", network.name());
        assert!(run(&all_nodes(&network)) == wanted, "{} with all nodes'", network.name());
    }
}

#[test]
fn an_answer_does_not_depend_on_the_questions_before_it() {
    let network = varied();
    let (small, large) = (batch_for(&network, 2), batch_for(&network, 23));
    let fresh = bits(&compile(&network, Isa::detect()).predict(small.view()).unwrap());
    let engine = compile(&network, Isa::detect());
    engine.predict(large.view()).unwrap();
    let logits = network.logits();
    let seed = Numbers::new(5).batch(23, network.shape(logits));
    engine.backward(large.view(), &[(logits, seed)], &[network.input()], true).unwrap();
    assert_eq!(bits(&engine.predict(small.view()).unwrap()), fresh);
    assert_eq!(bits(&engine.predict(small.view()).unwrap()), fresh);
}

/// Losses, gradients and parameters after three steps of gradient descent on uneven batches.
fn train(network: &Network, options: &Options) -> Vec<Vec<u32>> {
    let mut trainer = Trainer::new(network, 50, options).unwrap();
    let mut numbers = Numbers::new(4);
    let mut found = Vec::new();
    for (step, n) in [50, 29, 50].into_iter().enumerate() {
        let images = numbers.batch(n, network.shape(network.input()));
        let loss = |sample: usize, y: &[f32], dy: &mut [f32]| {
            dy.iter_mut().enumerate().for_each(|(i, d)| *d = y[i] - (sample % 7) as f32 * 0.1);
            y.iter().map(|y| y * y).sum()
        };
        let sum = trainer.step(images.as_slice().unwrap(), n, step as u64, &loss).unwrap();
        found.push(vec![(sum.to_bits() >> 32) as u32, sum.to_bits() as u32]);
        found.push(bits(trainer.gradients()));
        trainer.update(|params, gradients| {
            params.iter_mut().zip(gradients).for_each(|(p, g)| *p -= 1e-3 * g);
        });
        found.push(bits(trainer.params()));
    }
    found.extend(trainer.network().unwrap().params().iter().map(|param| bits(&*param.values)));
    found
}

#[test]
fn training_gives_the_same_bits_on_any_number_of_threads() {
    // The first has batch normalisations and dropout, the second neither: other ways through.
    for network in [varied(), presets::reference_cnn(2)] {
        let wanted = train(&network, &options_with(THREADS[0]));
        for threads in &THREADS[1..] {
            let found = train(&network, &options_with(*threads));
            assert!(found == wanted, "{} on {threads} threads", network.name());
        }
    }
}

#[test]
fn training_does_not_depend_on_steps_that_were_undone() {
    let network = varied();
    let images = batch_for(&network, 20);
    let loss = |_: usize, y: &[f32], dy: &mut [f32]| {
        dy.copy_from_slice(y);
        y.iter().map(|y| y * y / 2.0).sum()
    };
    let step = |trainer: &mut Trainer| {
        let sum = trainer.step(images.as_slice().unwrap(), 20, 7, &loss).unwrap();
        (sum.to_bits(), bits(trainer.gradients()))
    };
    let mut trainer = Trainer::new(&network, 20, &options(Isa::detect())).unwrap();
    let wanted = step(&mut trainer);
    trainer.update(|params, gradients| {
        params.iter_mut().zip(gradients).for_each(|(p, g)| *p -= 0.01 * g);
    });
    assert_ne!(step(&mut trainer), wanted);
    trainer.load(&network).unwrap();
    assert!(step(&mut trainer) == wanted);
}
