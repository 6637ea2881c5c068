//! The summary's numbers and its table.

use cutaway_net::{ConvSpec, NetworkBuilder, presets, summary};

#[test]
fn the_reference_cnn_costs_what_the_study_says() {
    let summary = summary(&presets::reference_cnn(1));
    let params: Vec<u64> =
        summary.layers.iter().map(|layer| layer.params).filter(|&params| params > 0).collect();
    assert_eq!(params, [832, 25_632, 18_496, 36_928, 57_700, 1_010]);
    assert_eq!((summary.total_params, summary.trainable_params), (140_598, 140_598));
    let macs = |name: &str| summary.layers.iter().find(|layer| layer.name == name).unwrap().macs;
    assert_eq!(macs("conv2"), 20 * 20 * 32 * 32 * 25);
    assert_eq!(macs("dense1"), 57_600);
    // conv1 + conv2 + conv3 + conv4 + dense1 + logits
    assert_eq!(summary.total_macs, 460_800 + 10_240_000 + 1_179_648 + 1_327_104 + 57_600 + 1_000);
}

#[test]
fn json_has_the_documented_keys() {
    let json = serde_json::to_value(summary(&presets::reference_cnn(1))).unwrap();
    assert_eq!(json["total_params"], 140_598);
    let pool = &json["layers"][5];
    assert_eq!(pool["name"], "pool1");
    assert_eq!(pool["type"], "MaxPool");
    assert_eq!(pool["output_shape"], serde_json::json!([32, 10, 10]));
    assert_eq!(pool["params"], 0);
    assert_eq!(pool["macs"], 0);
    assert_eq!(pool["memory_bytes"], 12_800);
    assert_eq!(
        pool["receptive_field"],
        serde_json::json!({"size": [10, 10], "stride": [2, 2], "offset": [0, 0]})
    );
}

#[test]
fn the_table_has_a_line_a_layer_and_aligned_columns() {
    let table = summary(&presets::reference_cnn(1)).to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "reference-cnn");
    assert_eq!(lines.len(), 1 + 2 + 16 + 2 + 1);
    let conv2 = lines.iter().find(|line| line.starts_with("conv2")).unwrap();
    for cell in ["Conv", "32×20×20", "25,632", "10,240,000"] {
        assert!(conv2.contains(cell), "{conv2}");
    }
    let width = |line: &str| line.chars().count();
    assert!(lines[1..20].iter().all(|line| width(line) == width(lines[1])), "{table}");
    assert!(lines[20].contains("140,598"), "{table}");
}

#[test]
fn running_statistics_count_as_parameters_but_not_as_trained() {
    let net = NetworkBuilder::new("norm")
        .input("x", &[3, 4, 4])
        .conv("c", ConvSpec::new(8, 3).no_bias().groups(1))
        .batch_norm("n")
        .build(0)
        .unwrap();
    let summary = summary(&net);
    assert_eq!(summary.total_params, 216 + 32);
    assert_eq!(summary.trainable_params, 216 + 16);
    assert!(summary.to_string().contains("16 not trained"));
}
