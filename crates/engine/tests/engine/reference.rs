//! The f64 reference against PyTorch, and against finite differences of itself.

use cutaway_engine::reference::{self, Mode, Reference};
use cutaway_net::{Network, NodeId};
use proptest::prelude::*;

use crate::common::cnn;
use crate::common::fixtures::{Case, cases};
use crate::common::networks::{Ending, Recipe, build, odd};
use crate::common::numbers::{Numbers, close, widen};
use crate::common::settings;

/// PyTorch's values are f64 rounded to f32.
const ROUNDING: f64 = 1e-7;

#[test]
fn every_operator_agrees_with_pytorch() {
    for case in cases() {
        check(&case).unwrap_or_else(|problem| panic!("{}: {problem}", case.name));
    }
}

fn check(case: &Case) -> Result<(), String> {
    let mode = if case.training { Mode::Training } else { Mode::Inference };
    let reference = Reference::new(&case.network, mode);
    let activations = reference.forward(&case.batch, case.n);
    close(&activations[case.output.0], &case.y, ROUNDING).map_err(|e| format!("y: {e}"))?;
    let seeds = [(case.output, case.seed.clone())];
    let gradients = reference.backward(&activations, case.n, &seeds);
    for (node, wanted) in &case.inputs {
        close(&gradients.nodes[node.0], wanted, ROUNDING).map_err(|e| format!("dx: {e}"))?;
    }
    for (at, wanted) in case.param_gradients.iter().enumerate() {
        let found = &gradients.params[case.first_param + at];
        let zeros = vec![0.0; found.len()];
        close(found, wanted.as_ref().unwrap_or(&zeros), ROUNDING)
            .map_err(|e| format!("gradient of parameter {at}: {e}"))?;
    }
    if let Some(wanted) = &case.running_after {
        let after = reference.running_statistics(&activations, case.n);
        for ((_, found), wanted) in after.iter().zip(wanted) {
            close(found, wanted, ROUNDING).map_err(|e| format!("running statistics: {e}"))?;
        }
    }
    Ok(())
}

#[test]
fn the_reference_cnn_agrees_with_pytorch() {
    let cnn = cnn::load();
    let activations = reference::forward(&cnn.network, &widen(&cnn.images), 4);
    for (name, recorded) in cnn.record["activations"].as_object().unwrap() {
        let node = cnn.network.find(name).unwrap();
        cnn::agrees(&activations[node.0], recorded, 1e-12)
            .unwrap_or_else(|problem| panic!("{name}: {problem}"));
    }
    let logits = cnn.network.logits();
    let mut seed = Vec::new();
    for (values, &label) in activations[logits.0].chunks(10).zip(&cnn.labels) {
        seed.extend(cnn::cross_entropy(values, label, 0.25).1);
    }
    let gradients = reference::backward(&cnn.network, &activations, 4, &[(logits, seed)]);
    for (name, recorded) in cnn.record["activation_gradients"].as_object().unwrap() {
        let node = cnn.network.find(name).unwrap();
        cnn::agrees(&gradients.nodes[node.0], recorded, 1e-12)
            .unwrap_or_else(|problem| panic!("gradient at {name}: {problem}"));
    }
    let images = &gradients.nodes[cnn.network.input().0];
    cnn::agrees(images, &cnn.record["images_gradient"], 1e-12).unwrap();
    for (found, entry) in gradients.params.iter().zip(cnn.record["params"].as_array().unwrap()) {
        cnn::agrees(found, &entry["gradient"], 1e-12)
            .unwrap_or_else(|problem| panic!("gradient of {}: {problem}", entry["name"]));
    }
}

proptest! {
    #![proptest_config(settings(40))]

    #[test]
    fn gradients_are_those_of_finite_differences(recipe in small(), training in any::<bool>()) {
        let mode = if training { Mode::Training } else { Mode::Inference };
        check_differences(&recipe, mode).map_err(TestCaseError::fail)?;
    }
}

/// Networks without kinks, which a finite difference could step across.
fn small() -> impl Strategy<Value = Recipe> {
    odd(true).prop_map(|mut recipe| {
        recipe.n = recipe.n.min(3);
        recipe.ending = Ending::Classifier;
        recipe
    })
}

/// Moves everything there is along a random direction and compares how much the seeded sum changes
/// with what the gradients say.
fn check_differences(recipe: &Recipe, mode: Mode) -> Result<(), String> {
    let network = build(recipe);
    let mut numbers = Numbers::new(recipe.seed);
    let n = recipe.n;
    let batch = widen(&numbers.batch(n, network.shape(network.input())));
    let reference = Reference::new(&network, mode);
    let activations = reference.forward(&batch, n);
    // Seeds in the middle and at the end: what flows on and what comes in must add up.
    let middle = NodeId(network.nodes().len() / 2);
    let seeds = [middle, network.output()].map(|node| {
        let len = activations[node.0].len();
        (node, widen(&numbers.vec(len)))
    });
    let gradients = reference.backward(&activations, n, &seeds);

    let directions = directions(&network, &mut numbers, batch.len());
    let moved = |step: f64| {
        let mut there = reference.clone();
        for (param, direction) in there.params.iter_mut().zip(&directions[1..]) {
            param.iter_mut().zip(direction).for_each(|(value, d)| *value += step * d);
        }
        let batch: Vec<f64> = batch.iter().zip(&directions[0]).map(|(x, d)| x + step * d).collect();
        let activations = there.forward(&batch, n);
        seeds.iter().map(|(node, seed)| dot(seed, &activations[node.0])).sum::<f64>()
    };
    // Richardson's extrapolation of central differences leaves an error of the fourth order.
    let difference = |h: f64| (moved(h) - moved(-h)) / (2.0 * h);
    let h = 1e-3;
    let found = (4.0 * difference(h / 2.0) - difference(h)) / 3.0;
    let parts = std::iter::once(&gradients.nodes[0]).chain(&gradients.params);
    let terms: Vec<f64> = parts.zip(&directions).map(|(g, d)| dot(g, d)).collect();
    let size: f64 = terms.iter().map(|term| term.abs()).sum();
    crate::common::numbers::close_to_scale(&[found], &[terms.iter().sum()], size.max(1.0), 1e-7)
}

/// For the batch and every parameter; running statistics stay where they are.
fn directions(network: &Network, numbers: &mut Numbers, batch: usize) -> Vec<Vec<f64>> {
    let mut directions = vec![widen(&numbers.vec(batch))];
    for param in network.params() {
        let random = widen(&numbers.vec(param.values.len()));
        directions.push(if param.trainable { random } else { vec![0.0; random.len()] });
    }
    directions
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
