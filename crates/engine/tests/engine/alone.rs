//! A node by itself does what it does in its network, and with changed weights what a network with
//! those weights does.

use cutaway_engine::{Engine, Isa, Options};
use cutaway_net::{ConvSpec, Network, NetworkBuilder, NodeId, PoolSpec};
use ndarray::ArrayD;

use crate::common::compile;
use crate::common::networks::with_random_params;
use crate::common::numbers::{Numbers, bits};

fn varied() -> Network {
    let mut b = NetworkBuilder::new("varied");
    let trunk = b
        .input("input", &[16, 12, 12])
        .conv("tiles", ConvSpec::new(32, 3).same())
        .relu("relu")
        .batch_norm("norm")
        .last();
    let branch = b.conv("grouped", ConvSpec::new(32, 3).same().groups(32)).last();
    b.add("sum", &[trunk, branch])
        .conv("strided", ConvSpec::new(24, 1).stride(2).no_bias())
        .max_pool("pool", PoolSpec::new(2))
        .flatten("flat")
        .dense("wide", 70)
        .dense("logits", 5)
        .softmax("softmax")
        .output();
    with_random_params(&b.build(1).unwrap(), 5)
}

/// Within 1e-5 of the largest number.
fn assert_close(found: &ArrayD<f32>, expected: &ArrayD<f32>, name: &str) {
    assert_eq!(found.shape(), expected.shape(), "{name}");
    let most = expected.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
    assert!(most > 0.0, "{name}: all is zero");
    let apart = (found - expected).iter().fold(0.0_f32, |most, v| most.max(v.abs()));
    assert!(apart <= 1e-5 * most, "{name}: {apart} of {most}");
}

fn nodes(network: &Network) -> impl Iterator<Item = NodeId> {
    (1..network.nodes().len()).map(NodeId)
}

fn inputs(network: &Network, id: NodeId, n: usize) -> Vec<ArrayD<f32>> {
    let of = network.node(id).inputs.iter().enumerate();
    of.map(|(i, &input)| Numbers::new(20 + i as u64).batch(n, network.shape(input))).collect()
}

/// The node in a network of its own behind the input that it would have; of one input.
fn only(network: &Network, id: NodeId) -> Network {
    let node = network.node(id);
    let shape = network.shape(node.inputs[0]).to_vec();
    let params = node.params.iter().map(|&param| network.param(param).clone()).collect();
    let input = cutaway_net::Node {
        name: "input".into(),
        op: cutaway_net::Op::Input { shape: shape.clone() },
        inputs: vec![],
        params: vec![],
    };
    let own = cutaway_net::Node {
        name: node.name.clone(),
        op: node.op.clone(),
        inputs: vec![NodeId(0)],
        params: (0..node.params.len()).map(cutaway_net::ParamId).collect(),
    };
    let metadata = cutaway_net::Metadata::for_input(&shape);
    Network::new("only", vec![input, own], params, vec![NodeId(1)], metadata).unwrap()
}

#[test]
fn a_node_alone_gives_what_a_network_of_that_node_gives() {
    let network = varied();
    for isa in Isa::available() {
        for with_gradients in [false, true] {
            let engine = compile(&network, isa);
            if with_gradients {
                // The layers of the backward pass are there, and are used.
                let batch = Numbers::new(1).batch(1, network.shape(network.input()));
                let seeds = [(network.logits(), Numbers::new(2).batch(1, &[5]))];
                engine.backward(batch.view(), &seeds, &[network.input()], false).unwrap();
            }
            for id in nodes(&network).filter(|&id| network.node(id).inputs.len() == 1) {
                for n in [1, 3] {
                    let name = format!("{} on {isa}, {n} images", network.node(id).name);
                    let own = only(&network, id);
                    let whole = compile(&own, isa);
                    let (x, end) = (&inputs(&network, id, n)[0], NodeId(1));
                    let alone = engine.alone(id).unwrap();
                    let value = alone.forward(&[x]).unwrap();
                    let expected = whole.forward(x.view(), &[end]).unwrap();
                    assert!(bits(&value) == bits(expected.get(end).unwrap()), "{name}");
                    let seed = Numbers::new(6).batch(n, network.shape(id));
                    let share = alone.backward(&[x], &seed, &[0]).unwrap().remove(0);
                    let expected =
                        whole.backward(x.view(), &[(end, seed)], &[NodeId(0)], false).unwrap();
                    // A dense layer that was not made ready for it reads its weights in another order.
                    assert_close(&share, expected.node(NodeId(0)).unwrap(), &name);
                }
            }
        }
    }
}

#[test]
fn of_several_inputs_the_wanted_ones_receive_their_gradients() {
    let network = varied();
    let engine = compile(&network, Isa::detect());
    let sum = network.find("sum").unwrap();
    let values = inputs(&network, sum, 2);
    let values: Vec<&ArrayD<f32>> = values.iter().collect();
    let alone = engine.alone(sum).unwrap();
    assert_eq!(alone.forward(&values).unwrap(), values[0] + values[1]);
    let seed = Numbers::new(6).batch(2, network.shape(sum));
    assert_eq!(alone.backward(&values, &seed, &[1]).unwrap(), vec![seed.clone()]);
    assert_eq!(alone.backward(&values, &seed, &[0, 1]).unwrap(), vec![seed.clone(), seed]);
}

#[test]
fn changed_weights_are_those_of_a_network_that_has_them() {
    let network = varied();
    let change = |place: usize, values: &[f32], changed: &mut [f32]| {
        let other = |v: f32| if place == 0 { v.max(0.0) * 1.5 } else { -v };
        changed.iter_mut().zip(values).for_each(|(changed, &v)| *changed = other(v));
    };
    for isa in Isa::available() {
        for threads in [1, 3] {
            let options = Options { threads, isa: Some(isa), ..Options::default() };
            let engine = Engine::compile(&network, &options).unwrap();
            for name in ["tiles", "grouped", "strided", "wide", "logits"] {
                let id = network.find(name).unwrap();
                let own = only(&network, id);
                let values = own.params().iter().enumerate().map(|(place, param)| {
                    let mut changed = vec![0.0; param.values.len()];
                    change(place, &param.values, &mut changed);
                    changed.into()
                });
                let own = own.with_values(values.collect()).unwrap();
                let whole = compile(&own, isa);
                let (n, end) = (2, NodeId(1));
                let x = &inputs(&network, id, n)[0];
                let alone = engine.alone_with(id, &change).unwrap();
                let expected = whole.forward(x.view(), &[end]).unwrap();
                let what = format!("{name} on {isa}, {threads} threads");
                assert_close(&alone.forward(&[x]).unwrap(), expected.get(end).unwrap(), &what);
                let seed = Numbers::new(6).batch(n, network.shape(id));
                let share = alone.backward(&[x], &seed, &[0]).unwrap().remove(0);
                let expected =
                    whole.backward(x.view(), &[(end, seed)], &[NodeId(0)], false).unwrap();
                assert_close(&share, expected.node(NodeId(0)).unwrap(), &what);
            }
        }
    }
}

#[test]
fn what_does_not_fit_a_node_alone_is_refused() {
    let network = varied();
    let engine = compile(&network, Isa::detect());
    assert!(engine.alone(NodeId(99)).is_err());
    let sum = network.find("sum").unwrap();
    let values = inputs(&network, sum, 2);
    let alone = engine.alone(sum).unwrap();
    let other = Numbers::new(1).batch(2, &[3, 4, 4]);
    let fewer = Numbers::new(1).batch(1, network.shape(sum));
    for (given, words) in [
        (vec![&values[0]], "2 arrays"),
        (vec![&values[0], &other], "'grouped', for 'sum' alone"),
        (vec![&values[0], &fewer], "[2, …]"),
    ] {
        let error = alone.forward(&given).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let both = [&values[0], &values[1]];
    assert!(alone.backward(&both, &fewer, &[0]).is_err());
}
