//! NaN and infinity: they pass through visibly, crash nothing and stay in their sample.

use std::sync::Arc;

use cutaway_engine::{Isa, Trainer};
use cutaway_net::{ConvSpec, Network, NetworkBuilder, PoolSpec, presets};
use ndarray::{Array4, Axis};

use crate::common::networks::all_nodes;
use crate::common::numbers::{Numbers, bits};
use crate::common::{compile, options};

fn with_value(network: &Network, param: &str, at: usize, value: f32) -> Network {
    let values = network.params().iter().map(|p| {
        let mut values = p.values.to_vec();
        if p.name == param {
            values[at] = value;
        }
        Arc::from(values)
    });
    network.with_values(values.collect()).unwrap()
}

#[test]
fn a_nan_among_the_weights_reaches_the_answer() {
    for isa in Isa::available() {
        for param in ["conv1.weight", "conv2.weight", "conv2.bias", "dense1.weight", "logits.bias"]
        {
            let network = with_value(&presets::reference_cnn(1), param, 3, f32::NAN);
            let batch = Numbers::new(1).batch(2, &[1, 28, 28]);
            let (engine, output) = (compile(&network, isa), network.output());
            let answer = engine.forward(batch.view(), &[output]).unwrap();
            let all_nan = answer.get(output).unwrap().iter().all(|value| value.is_nan());
            assert!(all_nan, "{param} on {isa}");
            assert!(engine.predict(batch.view()).is_err(), "{param} on {isa}");
        }
    }
}

#[test]
fn a_nan_is_there_with_and_without_a_tap() {
    for isa in Isa::available() {
        let network = with_value(&presets::reference_cnn(1), "conv1.bias", 3, f32::NAN);
        let engine = compile(&network, isa);
        let batch = Numbers::new(1).batch(2, &[1, 28, 28]);
        let nodes = all_nodes(&network);
        let all = engine.forward(batch.view(), &nodes).unwrap();
        for &node in &nodes {
            let alone = engine.forward(batch.view(), &[node]).unwrap();
            let nans = |values: &ndarray::ArrayD<f32>| -> Vec<bool> {
                values.iter().map(|value| value.is_nan()).collect()
            };
            let name = &network.node(node).name;
            let (alone, all) = (alone.get(node).unwrap(), all.get(node).unwrap());
            assert!(nans(alone) == nans(all), "{name} on {isa}");
        }
    }
}

#[test]
fn a_nan_in_one_image_leaves_the_others_alone() {
    for isa in Isa::available() {
        let network = presets::reference_cnn(1);
        let engine = compile(&network, isa);
        let clean = Numbers::new(1).batch(10, &[1, 28, 28]);
        let mut spoilt = clean.clone();
        spoilt[[4, 0, 10, 10]] = f32::NAN;
        let output = network.output();
        let ask = |batch: &ndarray::ArrayD<f32>| {
            engine.forward(batch.view(), &[output]).unwrap().take(output).unwrap()
        };
        let (clean, spoilt) = (ask(&clean), ask(&spoilt));
        for (sample, (clean, spoilt)) in clean.outer_iter().zip(spoilt.outer_iter()).enumerate() {
            if sample == 4 {
                assert!(spoilt.iter().all(|value| value.is_nan()), "on {isa}");
            } else {
                assert_eq!(bits(spoilt), bits(clean), "sample {sample} on {isa}");
            }
        }
    }
}

#[test]
fn max_pooling_hands_a_nan_on_wherever_it_lies_in_the_window() {
    let network =
        NetworkBuilder::new("pool").input("x", &[1, 2, 2]).max_pool("y", PoolSpec::new(2)).build(1);
    let network = network.unwrap();
    for isa in Isa::available() {
        let engine = compile(&network, isa);
        for place in 0..4 {
            let mut image = Array4::from_elem((1, 1, 2, 2), 5.0);
            image.as_slice_mut().unwrap()[place] = f32::NAN;
            let activations = engine.forward(image.view(), &[network.output()]).unwrap();
            let y = activations.get(network.output()).unwrap()[[0, 0, 0, 0]];
            assert!(y.is_nan(), "{y} with a NaN at {place} on {isa}");
        }
    }
}

#[test]
fn max_pooling_of_nothing_but_minus_infinity_is_minus_infinity() {
    let mut b = NetworkBuilder::new("pool");
    b.input("x", &[1, 3, 3]).max_pool("y", PoolSpec::new(3).padding([1, 1, 1, 1]));
    let network = b.build(1).unwrap();
    let image = Array4::from_elem((1, 1, 3, 3), f32::NEG_INFINITY);
    for isa in Isa::available() {
        let activations =
            compile(&network, isa).forward(image.view(), &[network.output()]).unwrap();
        let y = activations.get(network.output()).unwrap();
        assert!(y.iter().all(|&value| value == f32::NEG_INFINITY), "{y} on {isa}");
    }
}

#[test]
fn huge_logits_give_a_distribution() {
    for isa in Isa::available() {
        let network = with_value(&presets::reference_cnn(1), "logits.bias", 3, 1e30);
        let batch = Numbers::new(1).batch(2, &[1, 28, 28]);
        let answer = compile(&network, isa).predict(batch.view()).unwrap();
        for row in answer.axis_iter(Axis(0)) {
            let wanted: Vec<f32> = (0..10).map(|class| f32::from(u8::from(class == 3))).collect();
            assert_eq!(row.to_vec(), wanted, "on {isa}");
        }
    }
}

#[test]
fn a_diverged_training_goes_on_without_a_crash() {
    let mut b = NetworkBuilder::new("diverging");
    b.input("x", &[1, 8, 8])
        .conv("", ConvSpec::new(16, 3))
        .batch_norm("")
        .relu("")
        .max_pool("", 2)
        .flatten("")
        .dense("logits", 3);
    let network = b.build(1).unwrap();
    let mut trainer = Trainer::new(&network, 4, &options(Isa::detect())).unwrap();
    let images = Numbers::new(1).vec(4 * 64);
    let loss = |_: usize, y: &[f32], d: &mut [f32]| {
        d.fill(f32::NAN);
        y.iter().sum()
    };
    for step in 0..3 {
        let sum = trainer.step(&images, 4, step, &loss).unwrap();
        assert_eq!(sum.is_nan(), step > 0);
        trainer.update(|params, gradients| {
            params.iter_mut().zip(gradients).for_each(|(p, g)| *p -= g);
        });
    }
    trainer.load(&network).unwrap();
    let healed = trainer.step(&images, 4, 9, &|_: usize, y: &[f32], d: &mut [f32]| {
        d.fill(1.0);
        y.iter().sum()
    });
    assert!(healed.unwrap().is_finite());
    assert!(trainer.gradients().iter().all(|gradient| gradient.is_finite()));
}
