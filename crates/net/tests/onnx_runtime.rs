//! What is saved is valid ONNX, and ONNX Runtime computes with it what the operators' definitions
//! say. Needs a Python with `onnx` and `onnxruntime`, named by `CUTAWAY_PYTHON`.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::{forward, network_from, next, numbers, with_random_values};
use cutaway_net::{Network, onnx, presets};
use serde_json::{Value, json};

const SAMPLES: usize = 3;

#[test]
fn onnx_runtime_agrees_on_the_reference_cnn_and_on_random_networks() {
    let Some(python) = std::env::var_os("CUTAWAY_PYTHON") else {
        println!("skipped: CUTAWAY_PYTHON names no Python with onnx and onnxruntime");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut cases = vec![write_case(folder.path(), "reference", &presets::reference_cnn(3))];
    let (mut state, mut kinds) = (11, BTreeSet::new());
    for index in 0..60 {
        let choices: Vec<u8> = (0..14).map(|_| ((next(&mut state) + 1.0) * 128.0) as u8).collect();
        let network = with_random_values(&network_from(&choices, index), index);
        kinds.extend(network.nodes().iter().map(|node| node.op.kind()));
        cases.push(write_case(folder.path(), &format!("random-{index}"), &network));
    }
    assert_eq!(kinds.len(), 15, "every operator should occur, got {kinds:?}");
    fs::write(folder.path().join("cases.json"), json!(cases).to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/check_with_onnxruntime.py");
    let run = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    println!("{said}");
}

/// Writes a network, its input and what its outputs should be.
fn write_case(folder: &Path, name: &str, network: &Network) -> Value {
    onnx::save(network, folder.join(format!("{name}.onnx"))).unwrap();
    let input = network.shape(network.input());
    let elements: usize = input.iter().product();
    let batch = numbers(SAMPLES * elements, 99);
    write_floats(folder, &format!("{name}.input.f32"), &batch);
    let activations: Vec<_> = batch.chunks(elements).map(|x| forward(network, x)).collect();
    let mut outputs = Vec::new();
    for (index, &id) in network.outputs().iter().enumerate() {
        let all = activations.iter().flat_map(|sample| &sample[id.0]);
        let values: Vec<f32> = all.map(|&x| x as f32).collect();
        write_floats(folder, &format!("{name}.{index}.f32"), &values);
        outputs.push(json!({"name": network.node(id).name, "shape": network.shape(id)}));
    }
    json!({"model": name, "samples": SAMPLES, "input": input, "outputs": outputs})
}

fn write_floats(folder: &Path, name: &str, values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(folder.join(name), bytes).unwrap();
}
