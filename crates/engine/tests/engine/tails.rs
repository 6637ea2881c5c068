//! What follows a convolution is done on its way out. A tap keeps a node from melting into the one before, so the
//! bits with and without taps are those of steps apart and of steps in one.

use cutaway_engine::{Engine, Isa, Options};
use cutaway_net::{ConvSpec, Network, NetworkBuilder, NodeId, Op, PoolSpec, Unary};
use ndarray::ArrayD;

use crate::common::compile;
use crate::common::networks::{all_nodes, with_random_params};
use crate::common::numbers::{Numbers, bits};

/// Convolutions of every kind with all that can follow them: tiles, single channels, groups, pixels that are
/// gathered, filters that threads share.
fn chained() -> Network {
    let mut b = NetworkBuilder::new("chained");
    let trunk = b
        .input("input", &[16, 14, 14])
        .conv("tiles", ConvSpec::new(64, 3).same())
        .batch_norm("norm1")
        .relu("clip1")
        .conv("single", ConvSpec::new(64, 3).same().groups(64))
        .batch_norm("norm2")
        .relu("clip2")
        .last();
    let short = b.conv("short", ConvSpec::new(512, 1).no_bias()).batch_norm("norm3").last();
    let long = b
        .at(trunk)
        .conv("groups", ConvSpec::new(40, 3).same().groups(4))
        .relu("relu1")
        .conv("long", ConvSpec::new(512, 1))
        .batch_norm("norm4")
        .last();
    let sum = b.add("sum", &[long, short]).relu("relu2").last();
    let narrow = b.conv("gathered", ConvSpec::new(24, 1)).batch_norm("norm5").relu("clip3").last();
    let _ = narrow;
    let small =
        b.at(sum).conv("shared", ConvSpec::new(544, 1).stride(2)).batch_norm("norm6").last();
    let other = b.at(sum).conv("other", ConvSpec::new(544, 1).stride(2)).last();
    b.add("sum2", &[small, other]).relu("clip4").output();
    b.at(narrow).global_avg_pool("mean").output();
    let network = with_random_params(&b.build(1).unwrap(), 5);
    with_clips(&network)
}

/// Its nodes of the name `clip…` as intervals.
fn with_clips(network: &Network) -> Network {
    let mut nodes = network.nodes().to_vec();
    for node in nodes.iter_mut().filter(|node| node.name.starts_with("clip")) {
        node.op = Op::Unary(Unary::Clip { low: -0.25, high: 0.5 });
    }
    let (params, outputs) = (network.params().to_vec(), network.outputs().to_vec());
    Network::new("chained", nodes, params, outputs, network.metadata().clone()).unwrap()
}

fn images(network: &Network, n: usize) -> ArrayD<f32> {
    Numbers::new(4).batch(n, network.shape(network.input()))
}

#[test]
fn steps_in_one_have_the_bits_of_steps_apart() {
    let network = chained();
    for isa in Isa::available() {
        let engine = compile(&network, isa);
        for n in [1, 3] {
            let batch = images(&network, n);
            let apart = engine.forward(batch.view(), &all_nodes(&network)).unwrap();
            let together = engine.forward(batch.view(), network.outputs()).unwrap();
            for &output in network.outputs() {
                let name = &network.node(output).name;
                let (apart, together) = (apart.get(output).unwrap(), together.get(output).unwrap());
                assert!(bits(apart) == bits(together), "{isa}, {n} images, {name}");
                assert!(apart.iter().any(|x| *x != 0.0), "{name} is all zero");
            }
        }
    }
}

#[test]
fn threads_that_share_an_image_give_the_bits_of_one() {
    let network = chained();
    let batch = images(&network, 1);
    let run = |threads| {
        let options = Options { threads, ..Options::default() };
        let engine = Engine::compile(&network, &options).unwrap();
        let values = engine.forward(batch.view(), network.outputs()).unwrap();
        network.outputs().iter().map(|&node| bits(values.get(node).unwrap())).collect::<Vec<_>>()
    };
    let one = run(1);
    [2, 3, 5].into_iter().for_each(|threads| assert!(run(threads) == one, "{threads} threads"));
}

/// Small as it is every layer is worth sharing: a convolution of many weights, one that is strided, and
/// a dense layer.
fn heavy() -> Network {
    let mut b = NetworkBuilder::new("heavy");
    b.input("input", &[16, 20, 20])
        .conv("tiles", ConvSpec::new(96, 3).same())
        .batch_norm("norm")
        .relu("clip1")
        .conv("strided", ConvSpec::new(96, 3).stride(2).padding([1; 4]))
        .relu("relu")
        .max_pool("pool", PoolSpec::new(2))
        .flatten("flat")
        .dense("wide", 800)
        .relu("clip2")
        .dense("logits", 9)
        .output();
    with_clips(&with_random_params(&b.build(1).unwrap(), 5))
}

#[test]
fn threads_that_share_an_image_carry_back_the_bits_of_one() {
    for network in [chained(), heavy()] {
        let (input, n) = (network.input(), 1);
        let batch = images(&network, n);
        let seeds: Vec<(NodeId, ArrayD<f32>)> = network
            .outputs()
            .iter()
            .map(|&id| (id, Numbers::new(7).batch(n, network.shape(id))))
            .collect();
        let run = |threads| {
            let options = Options { threads, ..Options::default() };
            let engine = Engine::compile(&network, &options).unwrap();
            let found = engine.backward(batch.view(), &seeds, &[input], true).unwrap();
            let alone = engine.backward(batch.view(), &seeds, &[input], false).unwrap();
            let own = bits(found.node(input).unwrap());
            assert!(own == bits(alone.node(input).unwrap()), "{threads} threads");
            assert!(own.iter().any(|&bits| f32::from_bits(bits) != 0.0), "all is zero");
            found.params().iter().map(bits).chain([own]).collect::<Vec<_>>()
        };
        let one = run(1);
        for threads in [2, 3, 5] {
            assert!(run(threads) == one, "{}, {threads} threads", network.name());
        }
    }
}
