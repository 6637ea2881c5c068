//! Every operator against PyTorch, on every instruction set of this machine.

use cutaway_engine::{Engine, Isa, Trainer};
use cutaway_net::{Network, NodeId};
use ndarray::{ArrayD, IxDyn};

use crate::common::fixtures::{Case, cases};
use crate::common::numbers::{batched, close, widen};
use crate::common::{compile, options};

/// Of the largest magnitude in a tensor.
const TOLERANCE: f64 = 3e-6;

#[test]
fn every_operator_agrees_with_pytorch() {
    for isa in Isa::available() {
        for case in cases().iter().filter(|case| !case.training) {
            let engine = compile(&case.network, isa);
            let check = forward(&engine, case).and_then(|()| backward(&engine, case));
            check.unwrap_or_else(|problem| panic!("{} on {isa}: {problem}", case.name));
        }
    }
}

fn array(network: &Network, n: usize, node: NodeId, values: &[f64]) -> ArrayD<f32> {
    let values = values.iter().map(|&value| value as f32).collect();
    ArrayD::from_shape_vec(IxDyn(&batched(n, network.shape(node))), values).unwrap()
}

fn forward(engine: &Engine, case: &Case) -> Result<(), String> {
    let batch = array(&case.network, case.n, case.network.input(), &case.batch);
    let activations = engine.forward(batch.view(), &[case.output]).map_err(|e| e.to_string())?;
    let y = activations.get(case.output).ok_or("the tap is missing")?;
    assert_eq!(y.shape(), batched(case.n, case.network.shape(case.output)));
    close(&widen(y), &case.y, TOLERANCE).map_err(|e| format!("y: {e}"))
}

fn backward(engine: &Engine, case: &Case) -> Result<(), String> {
    let batch = array(&case.network, case.n, case.network.input(), &case.batch);
    let seed = array(&case.network, case.n, case.output, &case.seed);
    let nodes: Vec<NodeId> = case.inputs.iter().map(|(node, _)| *node).collect();
    let gradients = engine
        .backward(batch.view(), &[(case.output, seed)], &nodes, true)
        .map_err(|e| e.to_string())?;
    for (node, wanted) in &case.inputs {
        let found = gradients.node(*node).ok_or("the gradient is missing")?;
        close(&widen(found), wanted, TOLERANCE).map_err(|e| format!("dx: {e}"))?;
    }
    for (at, wanted) in case.param_gradients.iter().enumerate() {
        let found = &gradients.params()[case.first_param + at];
        let zeros = vec![0.0; found.len()];
        close(&widen(found), wanted.as_ref().unwrap_or(&zeros), TOLERANCE)
            .map_err(|e| format!("gradient of parameter {at}: {e}"))?;
    }
    Ok(())
}

#[test]
fn batch_normalisation_in_training_agrees_with_pytorch() {
    for isa in Isa::available() {
        for case in cases().iter().filter(|case| case.training) {
            train(case, isa).unwrap_or_else(|e| panic!("{} on {isa}: {e}", case.name));
        }
    }
}

/// One step whose loss is the seeded sum of the outputs, so that their gradient is the seed.
fn train(case: &Case, isa: Isa) -> Result<(), String> {
    let mut trainer = Trainer::new(&case.network, case.n, &options(isa)).unwrap();
    let images: Vec<f32> = case.batch.iter().map(|&value| value as f32).collect();
    let len: usize = case.network.shape(case.output).iter().product();
    let loss = |sample: usize, y: &[f32], dy: &mut [f32]| {
        let seed = &case.seed[sample * len..(sample + 1) * len];
        dy.iter_mut().zip(seed).for_each(|(dy, &seed)| *dy = seed as f32);
        y.iter().zip(seed).map(|(&y, seed)| f64::from(y) * seed).sum::<f64>() as f32
    };
    let sum = trainer.step(&images, case.n, 0, &loss).map_err(|e| e.to_string())?;
    let wanted: f64 = case.y.iter().zip(&case.seed).map(|(y, seed)| y * seed).sum();
    crate::common::numbers::close_to_scale(&[sum], &[wanted], case.y.len() as f64, TOLERANCE)
        .map_err(|e| format!("sum of the losses: {e}"))?;
    let wanted: Vec<f64> = case.param_gradients.iter().flatten().flatten().copied().collect();
    close(&widen(trainer.gradients()), &wanted, TOLERANCE).map_err(|e| format!("gradient: {e}"))?;
    let after = trainer.network().unwrap();
    for (param, wanted) in after.params()[2..].iter().zip(case.running_after.as_ref().unwrap()) {
        close(&widen(&*param.values), wanted, TOLERANCE)
            .map_err(|e| format!("{} afterwards: {e}", param.name))?;
    }
    Ok(())
}
