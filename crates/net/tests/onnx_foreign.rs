//! Models from elsewhere, in small files written by `fixtures/make_foreign.py`, and two larger ones
//! from the shared test data. ONNX Runtime's results say whether they were understood.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{assert_close, forward, numbers, test_data};
use cutaway_net::{Network, Op, onnx};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", name].iter().collect()
}

fn load(name: &str) -> Network {
    onnx::load(fixture(&format!("{name}.onnx"))).unwrap_or_else(|error| panic!("{error}"))
}

fn names(network: &Network) -> Vec<&str> {
    network.nodes().iter().map(|node| node.name.as_str()).collect()
}

#[test]
fn foreign_models_compute_what_onnx_runtime_computes() {
    let wanted: Value =
        serde_json::from_str(&fs::read_to_string(fixture("foreign.json")).unwrap()).unwrap();
    for (name, wanted) in wanted.as_object().unwrap() {
        let network = load(name);
        let output = network.output();
        let shape: Vec<usize> = serde_json::from_value(wanted["shape"].clone()).unwrap();
        assert_eq!(network.shape(output), shape, "{name}");
        let values: Vec<f32> = serde_json::from_value(wanted["values"].clone()).unwrap();
        let input = numbers(network.shape(network.input()).iter().product(), 99);
        assert_close(&forward(&network, &input)[output.0], &values, 1e-5, name);
        // And what was read can be written and read again.
        let again = onnx::from_bytes(&onnx::to_bytes(&network).unwrap()).unwrap();
        assert_eq!(again.hash(), network.hash(), "{name}");
    }
    assert_eq!(wanted.as_object().unwrap().len(), 7);
}

#[test]
fn an_added_constant_becomes_the_bias_and_nodes_keep_their_names() {
    let network = load("cntk_style");
    assert_eq!(
        names(&network),
        ["image", "Convolution1", "ReLU1", "Pooling1", "Reshape1", "Times1"]
    );
    let params: Vec<(&str, &[usize])> =
        network.params().iter().map(|param| (param.name.as_str(), &param.shape[..])).collect();
    let wanted: [(&str, &[usize]); 4] =
        [("filters", &[4, 1, 3, 3]), ("offsets", &[4]), ("matrix", &[5, 36]), ("last", &[5])];
    assert_eq!(params, wanted);
}

#[test]
fn nodes_without_names_take_those_of_their_values() {
    assert_eq!(names(&load("constants")), ["image", "v1", "v2", "result"]);
}

#[test]
fn a_weight_shared_by_several_layers_becomes_one_for_each() {
    let network = load("shared");
    assert_eq!(names(&network), ["image", "first", "v2", "w", "result"]);
    let params: Vec<&str> = network.params().iter().map(|param| param.name.as_str()).collect();
    assert_eq!(params, ["w_2", "b", "w_3", "b_2", "w_4"]);
}

#[test]
fn a_final_softmax_is_seen_through_a_flatten() {
    let network = load("old_operators");
    assert_eq!(network.node(network.logits()).name, "v6");
    assert!(matches!(network.node(network.output()).op, Op::Flatten));
}

#[test]
fn mnist_models_of_the_onnx_zoo_and_of_burn_load() {
    let Some(data) = test_data() else {
        println!("skipped: no shared test data");
        return;
    };
    let cntk = onnx::load(data.join("onnx/mnist-cntk-8.onnx")).unwrap();
    assert_eq!(cntk.shape(cntk.output()), [10]);
    assert_eq!(cutaway_net::summary(&cntk).total_params, 5_994);
    let burn = onnx::load(data.join("onnx/mnist-burn.onnx")).unwrap();
    assert_eq!(burn.shape(burn.logits()), [10]);
    assert_eq!(burn.node(burn.logits()).name, "/norm2/BatchNormalization");
}
