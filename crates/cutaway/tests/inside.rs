//! `cutaway filters`, `cutaway maps` and `cutaway units` as a user types them.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};

use cutaway::data::{OpenOptions, export, open};
use cutaway::{Model, engine::Options};
use serde_json::Value;

/// A folder with 200 drawn digits to test on: drawing as many as MNIST has takes seconds.
fn digits() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let options =
            OpenOptions { strokes_train: 10, strokes_test: 200, ..OpenOptions::default() };
        let folder = tempfile::tempdir().unwrap();
        export(&open("strokes", &options).unwrap(), folder.path(), false).unwrap();
        folder
    });
    folder.path()
}

/// Runs the command with `--out` in `folder`, on the drawn digits where the verb takes data.
fn cutaway(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutaway"));
    command.args(args).args(["--offline", "--quiet", "--out"]).arg(folder.join("out"));
    if args[0] != "filters" {
        command.arg("--data").arg(digits());
    }
    command.output().expect("the program starts")
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let output = cutaway(folder, &[args, &["--json"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    let result: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    for key in ["model", "model_hash", "dataset", "sample", "label", "seed"] {
        assert!(result.get(key).is_some(), "{args:?} lacks {key}");
    }
    result
}

/// Exit code and message of a call that must fail and write nothing.
fn refused(args: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = cutaway(folder.path(), args);
    assert!(output.stdout.is_empty(), "{args:?}");
    assert!(!folder.path().join("out").exists(), "{args:?} has written something");
    let code = output.status.code().expect("no signal");
    (code, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn filters_are_those_of_the_first_three_convolutions() {
    let folder = tempfile::tempdir().unwrap();
    let result = json(folder.path(), &["filters"]);
    let layers = result["layers"].as_array().unwrap();
    let counts: Vec<u64> = layers.iter().map(|l| l["count"].as_u64().unwrap()).collect();
    assert_eq!(counts, [32, 32, 64]);
    assert_eq!(layers[1]["values"].as_array().unwrap().len(), 32 * 32 * 5 * 5);
    for name in ["filters-conv1", "filters-conv2", "filters-conv2-channels", "filters-conv3"] {
        for extension in ["png", "svg"] {
            let file = folder.path().join("out").join(name).with_extension(extension);
            assert!(file.is_file(), "{}", file.display());
        }
    }
}

#[test]
fn one_channel_of_every_filter_can_be_seen_in_an_order_of_similarity() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["filters", "--layer", "conv3", "--channel", "31", "--order", "similarity"];
    json(folder.path(), &args);
    let picture = folder.path().join("out/filters-conv3-channel-31.svg");
    let picture = std::fs::read_to_string(picture).unwrap();
    assert!(picture.contains("input channel 31 of 32"));
    // In this order a tile needs the number of its filter.
    assert!(picture.contains(">63<"));
}

#[test]
fn maps_of_two_samples_share_a_scale_and_a_unit_is_the_sum_of_its_terms() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["maps", "--sample", "3", "--sample", "8", "--unit", "12,3,4"];
    let result = json(folder.path(), &args);
    assert_eq!(result["sample"], serde_json::json!([3, 8]));
    let layer = &result["layers"][0];
    assert_eq!(layer["layer"], "relu3");
    let images = layer["images"].as_array().unwrap();
    let values = |image: usize| images[image]["values"].as_array().unwrap().iter();
    let all: Vec<f64> = values(0).chain(values(1)).map(|v| v.as_f64().unwrap()).collect();
    assert_eq!(all.len(), 2 * 64 * 8 * 8);
    let largest = all.iter().copied().fold(0.0, f64::max);
    assert!((layer["max"].as_f64().unwrap() - largest).abs() < 1e-6);

    for (image, unit) in result["units"].as_array().unwrap().iter().enumerate() {
        assert_eq!(unit["image"], image);
        let number = |v: &Value| v.as_f64().unwrap();
        let terms = unit["sum"]["terms"].as_array().unwrap();
        assert_eq!(terms.len(), 288);
        let products = terms.iter().map(|t| number(&t["input"]) * number(&t["weight"]));
        let sum: f64 = number(&unit["sum"]["bias"]) + products.sum::<f64>();
        let shown = all[(image * 64 + 12) * 64 + 3 * 8 + 4];
        assert!((sum.max(0.0) - shown).abs() < 1e-5, "{sum} and {shown}");
        assert!((number(&unit["value"]) - shown).abs() < 1e-9);
    }
    for name in ["maps-relu3-sample-3", "maps-relu3-chain", "unit-relu3-12-3-4-sample-8"] {
        assert!(folder.path().join(format!("out/{name}.png")).is_file(), "{name}");
    }
}

#[test]
fn all_layers_with_maps_can_be_seen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let result = json(folder.path(), &["maps", "--sample", "0", "--layer", "all"]);
    let names = result["layers"].as_array().unwrap().iter().map(|l| l["layer"].as_str().unwrap());
    let names: Vec<&str> = names.collect();
    let expected = ["conv1", "relu1", "conv2", "relu2", "pool1", "conv3", "relu3", "conv4"];
    assert_eq!(names[..8], expected);
    let links = result["chains"][0]["links"].as_array().unwrap();
    assert_eq!((links[0]["layer"].as_str(), links.len()), (Some("input"), 11));
}

#[test]
fn units_are_ranked_and_the_best_are_ablated() {
    let folder = tempfile::tempdir().unwrap();
    let result = json(folder.path(), &["units", "--classes", "3,1", "--top", "2"]);
    assert_eq!(result["classes"], serde_json::json!([3, 1]));
    let rows = result["rows"].as_array().unwrap();
    let telling: Vec<f64> = rows.iter().map(|r| (r["auc"].as_f64().unwrap() - 0.5).abs()).collect();
    assert!(telling.len() == 64 && telling.is_sorted_by(|a, b| a >= b));
    let details = result["details"].as_array().unwrap();
    let sides: Vec<u64> = details.iter().map(|d| d["speaks_for"].as_u64().unwrap()).collect();
    assert_eq!(sides, [3, 3, 1, 1]);
    for detail in details {
        assert_eq!(detail["drivers"].as_array().unwrap().len(), 5);
        let accuracy = detail["ablated"]["accuracy"][0].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&accuracy));
    }
    assert!(folder.path().join("out/units-relu3-3-1-drivers.png").is_file());
}

#[test]
fn what_is_not_there_is_named_with_what_is_and_nothing_is_written() {
    let cases: [(&[&str], i32, &str); 14] = [
        (&["filters", "--layer", "conv9"], 2, "conv1"),
        (&["filters", "--layer", "relu1"], 2, "conv1, conv2, conv3, conv4"),
        (&["filters", "--layer", "conv1", "--channel", "1"], 2, "input channels 0 to 0"),
        (&["filters", "--channel", "32"], 2, "input channels 0 to 31"),
        (&["maps", "--sample", "200"], 2, "0 to 199"),
        (&["maps", "--sample", "0", "--layer", "rel3"], 2, "relu3"),
        (&["maps", "--sample", "0", "--layer", "dense1"], 2, "no stack of maps"),
        (&["maps", "--sample", "0", "--channel", "64"], 2, "channels 0 to 63"),
        (&["maps", "--sample", "0", "--unit", "0,8,0"], 2, "rows 0 to 7"),
        (&["maps", "--sample", "0", "--unit", "1,2"], 2, "such as 12,3,4"),
        (&["units", "--classes", "4,4"], 2, "two different"),
        (&["units", "--classes", "4,10"], 2, "classes 0 to 9"),
        (&["units", "--limit", "0"], 2, "1 to 200"),
        (&["units", "--layer", "probabilities"], 2, "a layer below"),
    ];
    for (args, expected, hint) in cases {
        let (code, message) = refused(args);
        assert_eq!(code, expected, "{args:?}: {message}");
        assert!(message.contains(hint), "{args:?}: {message}");
    }
}

#[test]
fn a_network_with_a_nan_among_its_weights_is_refused_with_the_parameter_named() {
    let model = Model::builtin(&Options::default()).unwrap();
    let params = model.network().params().iter();
    let mut values: Vec<Arc<[f32]>> = params.map(|param| param.values.clone()).collect();
    let mut spoilt = values[4].to_vec();
    spoilt[5] = f32::NAN;
    values[4] = spoilt.into();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nan.onnx");
    let network = model.network().with_values(values).unwrap();
    cutaway::net::onnx::save(&network, &file).unwrap();
    let file = file.to_str().unwrap();
    for verb in [&["filters"][..], &["maps", "--sample", "0"], &["units"]] {
        let (code, message) = refused(&[verb, &["--model", file]].concat());
        assert_eq!(code, 1, "{verb:?}: {message}");
        assert!(message.contains("'conv3.weight'") && message.contains("NaN"), "{message}");
    }
}

#[test]
fn a_study_has_a_chapter_for_each_and_every_tile_has_its_part_in_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let output = cutaway(folder.path(), &["study", "--model", "builtin"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let out = folder.path().join("out");
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    for title in ["What its filters look for", "What it makes of an image", "What tells"] {
        assert!(page.contains(&format!("<h2>{title}")), "{title}");
    }
    // 32, 32 and 64 filters, 64 maps of each of two images, and the list around each of the five.
    assert_eq!(page.matches("<details").count(), 32 + 32 + 64 + 64 + 64 + 5);
    assert!(page.contains("<summary>map (6, 0), channel 48 of relu3</summary>"));
    let results = std::fs::read_to_string(out.join("results.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    let inside = &results["inside"];
    assert_eq!(inside["units"]["rows"].as_array().map(Vec::len), Some(64));
    assert_eq!(inside["maps"]["layer"]["layer"], "relu3");
    assert_eq!(inside["filters"].as_array().map(Vec::len), Some(3));
}
