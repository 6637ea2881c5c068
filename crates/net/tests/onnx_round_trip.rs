//! What is saved comes back, bit by bit.

mod common;

use std::fs;

use common::{network_from, with_random_values};
use cutaway_net::{
    ConvSpec, Layout, Metadata, Network, NetworkBuilder, Op, Param, TrainingRecord, onnx, presets,
};
use proptest::prelude::*;

fn assert_same(again: &Network, network: &Network) {
    assert_eq!(again.name(), network.name());
    assert_eq!(again.nodes(), network.nodes());
    assert_eq!(again.outputs(), network.outputs());
    assert_eq!(again.metadata(), network.metadata());
    let bits = |param: &Param| param.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    for (a, b) in again.params().iter().zip(network.params()) {
        assert_eq!((&a.name, &a.shape, a.trainable), (&b.name, &b.shape, b.trainable));
        assert_eq!(bits(a), bits(b), "{}", a.name);
    }
    assert_eq!(again.hash(), network.hash());
}

fn round_trip(network: &Network) -> Network {
    onnx::from_bytes(&onnx::to_bytes(network).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_network_comes_back(choices in prop::collection::vec(any::<u8>(), 0..24), seed: u64) {
        let network = with_random_values(&network_from(&choices, seed), seed);
        let bytes = onnx::to_bytes(&network).unwrap();
        let again = onnx::from_bytes(&bytes).unwrap();
        assert_same(&again, &network);
        prop_assert_eq!(onnx::to_bytes(&again).unwrap(), bytes);
    }
}

#[test]
fn the_reference_cnn_comes_back_from_a_file_and_takes_about_600_kb() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let network = presets::reference_cnn(5);
    onnx::save(&network, &path).unwrap();
    assert_same(&onnx::load(&path).unwrap(), &network);
    let size = fs::metadata(&path).unwrap().len();
    assert!((562_392..570_000).contains(&size), "{size}");
}

#[test]
fn labels_preprocessing_and_training_record_travel_along() {
    let mut metadata: Metadata = presets::reference_cnn(0).metadata().clone();
    metadata.labels[3] = "três, \"quoted\"\n".into();
    metadata.preprocessing.layout = Layout::Nhwc;
    metadata.preprocessing.scale = 0.1 + f32::EPSILON;
    metadata.preprocessing.mean = vec![0.130_660_47];
    metadata.preprocessing.std = vec![f32::MIN_POSITIVE];
    metadata.training = Some(TrainingRecord {
        recipe: "best".into(),
        seed: u64::MAX,
        epochs: 12,
        dataset: "mnist".into(),
        dataset_hash: "ab12".into(),
        test_accuracy: Some(0.995_000_000_000_000_1),
        command: "cutaway train --recipe best".into(),
    });
    let network = presets::reference_cnn(0).with_metadata(metadata);
    assert_same(&round_trip(&network), &network);
}

#[test]
fn parameters_that_are_not_trained_stay_so() {
    let network = NetworkBuilder::new("frozen")
        .input("x", &[1, 4, 4])
        .conv("c", ConvSpec::new(2, 3))
        .batch_norm("n")
        .build(1)
        .unwrap();
    let mut params = network.params().to_vec();
    params[0].trainable = false;
    let nodes = network.nodes().to_vec();
    let outputs = network.outputs().to_vec();
    let frozen =
        Network::new("frozen", nodes, params, outputs, network.metadata().clone()).unwrap();
    let again = round_trip(&frozen);
    let trainable: Vec<bool> = again.params().iter().map(|param| param.trainable).collect();
    assert_eq!(trainable, [false, true, true, true, false, false]);
    assert_same(&again, &frozen);
}

#[test]
fn names_that_look_like_the_writers_own_are_no_trouble() {
    let network = NetworkBuilder::new("names")
        .input("r.shape", &[2, 2, 2])
        .reshape("r", &[8])
        .dropout("r.ratio", 0.25)
        .dropout("d", 0.5)
        .relu("d.ratio")
        .build(0)
        .unwrap();
    assert_same(&round_trip(&network), &network);
}

#[test]
fn odd_numbers_keep_their_bits() {
    let network = NetworkBuilder::new("odd")
        .input("x", &[4])
        .batch_norm_with("n", f32::MIN_POSITIVE / 2.0, 1.0)
        .dropout("d", -0.0)
        .build(0)
        .unwrap();
    let odd = [f32::NAN, f32::NEG_INFINITY, -0.0, f32::from_bits(0x7fa0_0001)];
    let values = network.params().iter().map(|_| odd.into()).collect();
    let network = network.with_values(values).unwrap();
    let again = round_trip(&network);
    assert_same(&again, &network);
    let rate = again.nodes().iter().find_map(|node| match node.op {
        Op::Dropout { rate } => Some(rate.to_bits()),
        _ => None,
    });
    assert_eq!(rate, Some((-0.0_f32).to_bits()));
}

#[test]
fn metadata_that_do_not_fit_are_refused_before_a_file_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let metadata = Metadata { labels: vec!["only one".into()], ..Metadata::default() };
    let network = presets::reference_cnn(0).with_metadata(metadata);
    let error = onnx::save(&network, &path).unwrap_err().to_string();
    assert!(error.contains("1 labels but the network's output has 10"), "{error}");
    assert!(!path.exists());
}
