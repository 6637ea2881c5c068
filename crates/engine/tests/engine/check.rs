//! A network's check of itself.

use std::sync::Arc;

use cutaway_engine::check::{Settings, first_not_finite, gradients};
use cutaway_engine::{Edit, Engine, Error, Fill, Isa, Strategy};
use cutaway_net::{Binary, Network, Node, NodeId, Op, Param, ParamId, Unary, presets};
use ndarray::Axis;

use crate::common::compile;
use crate::common::numbers::Numbers;

fn engine(network: &Network) -> Engine {
    compile(network, Isa::detect())
}

#[test]
fn the_reference_cnns_gradients_agree_and_the_same_seed_finds_the_same() {
    let engine = engine(&presets::reference_cnn(4));
    let batch = Numbers::new(2).batch(1, &[1, 28, 28]);
    let settings = Settings { seed: 7, ..Settings::default() };
    let found = gradients(&engine, batch.view(), &settings).unwrap();
    assert!(found.agrees(), "{found:?}");
    assert!(found.slopes.len() + found.skipped.len() == 12, "{found:?}");
    assert!(found.worst().unwrap().error < 0.01, "{found:?}");
    assert_eq!(found, gradients(&engine, batch.view(), &settings).unwrap());
    // The parameters that were moved are back where they were.
    assert!(engine.predict(batch.view()).is_ok());
}

/// What rounds has steps, which the gradient (Bengio et al. 2013) goes straight through: so a network with a
/// gradient that differences do not confirm is at hand.
#[test]
fn a_gradient_that_is_not_that_of_the_function_is_found_out() {
    let quantise = Unary::Quantise { scale: 0.25, zero: 0, low: -128, high: 127 };
    let node = |name: &str, op, inputs: &[usize]| Node {
        name: name.into(),
        op,
        inputs: inputs.iter().map(|&i| NodeId(i)).collect(),
        params: vec![],
    };
    let nodes = vec![
        node("x", Op::Input { shape: vec![6] }, &[]),
        node("half", Op::Unary(Unary::Scale { factor: 0.5 }), &[0]),
        node("steps", Op::Unary(quantise), &[1]),
        node("y", Op::Binary(Binary::Add), &[1, 2]),
    ];
    let network = Network::new("steps", nodes, vec![], vec![NodeId(3)], Default::default());
    let engine = engine(&network.unwrap());
    let batch = Numbers::new(2).batch(1, &[6]);
    let found = gradients(&engine, batch.view(), &Settings::default()).unwrap();
    assert!(!found.agrees(), "{found:?}");
}

fn with_value(network: &Network, param: &str, value: f32) -> Network {
    let values = network.params().iter().map(|p| {
        let mut values = p.values.to_vec();
        if p.name == param {
            values[0] = value;
        }
        Arc::from(values)
    });
    network.with_values(values.collect()).unwrap()
}

#[test]
fn an_answer_that_is_no_number_is_an_error_that_names_the_node() {
    let network = with_value(&presets::reference_cnn(1), "conv2.bias", f32::NAN);
    let batch = Numbers::new(1).batch(3, &[1, 28, 28]);
    let engine = engine(&network);
    let error = engine.predict(batch.view()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("'conv2' (Conv) is the first"), "{text}");
    let Error::NotFinite(found) = error else { panic!("{text}") };
    assert_eq!((found.sample, found.nan, found.infinite, found.count), (0, 400, 0, 32 * 400));
    assert_eq!(first_not_finite(&engine, batch.view()).unwrap(), Some(found));
    assert!(gradients(&engine, batch.view(), &Settings::default()).is_err());

    // An edit that makes it so, whichever way it is computed.
    let sound = compile(&presets::reference_cnn(1), Isa::detect());
    let base = batch.index_axis(Axis(0), 0).to_owned();
    let base = base.into_dimensionality::<ndarray::Ix3>().unwrap();
    let edit = |fill| Edit { row: 3, col: 4, height: 2, width: 2, fill: Fill::Value(fill) };
    for strategy in [Strategy::Full, Strategy::Incremental] {
        let edits = [edit(0.5), edit(f32::INFINITY)];
        let error = sound.sweep_with(base.view(), &edits, strategy).unwrap_err();
        let Error::NotFinite(found) = error else { panic!("{error}") };
        assert_eq!((&found.node[..], found.sample, found.infinite), ("input", 1, 4));
    }
    assert_eq!(first_not_finite(&sound, batch.view()).unwrap(), None);
}

#[test]
fn a_masks_infinities_are_meant() {
    let mask = [0.0, f32::NEG_INFINITY, 0.0];
    let node = |name: &str, op, inputs: &[usize], params: &[usize]| Node {
        name: name.into(),
        op,
        inputs: inputs.iter().map(|&i| NodeId(i)).collect(),
        params: params.iter().map(|&i| ParamId(i)).collect(),
    };
    let nodes = vec![
        node("x", Op::Input { shape: vec![3] }, &[], &[]),
        node("mask", Op::Constant { shape: vec![3] }, &[], &[0]),
        node("masked", Op::Binary(Binary::Add), &[0, 1], &[]),
        node("y", Op::Softmax, &[2], &[]),
    ];
    let param = Param {
        name: "mask.value".into(),
        shape: vec![3],
        values: mask.to_vec().into(),
        trainable: false,
    };
    let network = Network::new("masked", nodes, vec![param], vec![NodeId(3)], Default::default());
    let engine = engine(&network.unwrap());
    let batch = Numbers::new(1).batch(1, &[3]);
    assert_eq!(first_not_finite(&engine, batch.view()).unwrap(), None);
    assert_eq!(engine.predict(batch.view()).unwrap()[(0, 1)], 0.0);
}
