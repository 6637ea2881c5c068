//! Real ImageNet networks and photographs. Needs `CUTAWAY_TEST_DATA`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn cutaway(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutaway"));
    command.args(args).args(["--offline", "--quiet"]).output().expect("the program starts")
}

/// The one JSON object that a command prints.
fn json(args: &[&str]) -> Value {
    let output = cutaway(&[args, &["--json"]].concat());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn data() -> Option<PathBuf> {
    let data = std::env::var_os("CUTAWAY_TEST_DATA").map(PathBuf::from);
    if data.is_none() {
        println!("skipped: CUTAWAY_TEST_DATA is not set");
    }
    data
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_photograph_is_classified_as_what_it_shows() {
    let Some(data) = data() else { return };
    let model = data.join("onnx/mobilenet_v2_f32_from_int8.onnx");
    for (photo, expected) in [("bald_eagle.jpg", "bald eagle"), ("goldfish.jpg", "goldfish")] {
        let photo = data.join("photos").join(photo);
        let with = ["--preprocess", "imagenet-torch", "--labels", "imagenet"];
        let args = [&["predict", "--model", text(&model), text(&photo)][..], &with].concat();
        let said = json(&args);
        assert_eq!(said[0]["predicted"], expected);
        assert_eq!(said[0]["preprocessing"]["fit"], json!({ "crop": 256 }));
        // Without a rule for its size the photograph is refused, with advice.
        let refused = cutaway(&["predict", "--model", text(&model), text(&photo)]);
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success());
        for part in ["assumed", "--preprocess", "224×224"] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn imagenet_networks_are_covered_and_explained() {
    let Some(data) = data() else { return };
    let photo = data.join("photos/dog_cat.jpg");
    for name in ["mobilenet_v2_f32_from_int8.onnx", "light_squeezenet.onnx"] {
        let folder = tempfile::tempdir().unwrap();
        let model = data.join("onnx").join(name);
        let common = ["--model", text(&model), "--image", text(&photo)];
        let with = ["--preprocess", "imagenet-torch", "--out", text(folder.path())];
        let all = |verb: &[&str]| json(&[verb, &common, &with].concat());
        let covered = all(&["occlude", "--patch", "96", "--stride", "64"]);
        assert_eq!(covered["preprocessing"]["std"][0], json!(0.229_f32));
        let methods = ["gradient", "guided-backprop", "deeplift", "lrp", "grad-cam"];
        let explained = all(&["attribute", "--method", &methods.join(",")]);
        let results = explained["attributions"].as_array().unwrap();
        assert_eq!(results.len(), methods.len());
        for (result, method) in results.iter().zip(methods) {
            assert!(result["method"].as_str().unwrap().starts_with(method));
            assert!(result["sum"].as_f64().unwrap().is_finite());
        }
        // DeepLIFT is complete: its error is rounding beside what it explains.
        let lift = &results[2];
        let error = lift["error"].as_f64().unwrap().abs();
        let scale = lift["expected_sum"].as_f64().unwrap().abs().max(1.0);
        assert!(error < 1e-2 * scale, "{name}: error {error} of {scale}");
    }
}

#[test]
fn a_detector_is_no_classifier_and_is_told_so() {
    let Some(data) = data() else { return };
    let model = data.join("onnx/ultraface-rfb-320.onnx");
    let photo = data.join("photos/grace_hopper.jpg");
    let refused = cutaway(&["predict", "--model", text(&model), "--resize", text(&photo)]);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && message.contains("no classifier"), "{message}");
}

#[test]
fn preprocessing_that_does_not_fit_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pre.toml");
    std::fs::write(&file, "scale = 1.0\nmeen = [0.5]\n").unwrap();
    let labels = folder.path().join("labels.txt");
    std::fs::write(&labels, "one\ntwo\n").unwrap();
    for (args, part) in [
        (["--preprocess", "imagenet-torch"], "3 channel(s)"),
        (["--preprocess", "nothing"], "imagenet-tf"),
        (["--preprocess", text(&file)], "meen"),
        (["--labels", text(&labels)], "10 classes"),
    ] {
        let refused = cutaway(&[&["predict", "--data", "strokes"][..], &args].concat());
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{message}");
        assert!(message.contains(part), "{message}");
    }
}
