//! `cutaway attribute` as a user types it.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use cutaway::data::{OpenOptions, export, open};
use serde_json::Value;

/// A folder with drawn digits to test on.
fn digits() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let options =
            OpenOptions { strokes_train: 20, strokes_test: 100, ..OpenOptions::default() };
        let folder = tempfile::tempdir().unwrap();
        export(&open("strokes", &options).unwrap(), folder.path(), false).unwrap();
        folder
    });
    folder.path()
}

fn cutaway(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutaway"));
    command.arg("attribute").args(args).args(["--offline", "--quiet", "--out"]);
    command.arg(folder.join("out")).arg("--data").arg(digits());
    command.output().expect("the program starts")
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let output = cutaway(folder, &[args, &["--json"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn one_method_gives_one_object_whose_sum_is_that_of_its_values() {
    let folder = tempfile::tempdir().unwrap();
    let result = json(folder.path(), &["--sample", "3", "--target", "5", "--method", "deeplift"]);
    assert_eq!(result["method"], "deeplift");
    assert_eq!(result["target"], 5);
    assert_eq!(result["node"], "logits");
    assert_eq!(result["shape"], serde_json::json!([1, 28, 28]));
    let values = numbers(&result["values"]);
    assert_eq!(values.len(), 784);
    let sum = result["sum"].as_f64().unwrap();
    assert!((values.iter().sum::<f64>() - sum).abs() < 1e-3);
    assert!(result["error"].as_f64().unwrap().abs() < 1e-3);
    assert!(result["seconds"].as_f64().unwrap() > 0.0);
    assert!(folder.path().join("out/attribute-deeplift-sample-3.svg").is_file());
}

#[test]
fn every_method_of_two_images_makes_a_sheet_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--sample", "3", "--sample", "4", "--method", "all", "--samples", "10"];
    let result = json(folder.path(), &args);
    let rows = result["attributions"].as_array().unwrap();
    let of_first: Vec<&str> =
        rows.iter().filter(|r| r["sample"] == 3).map(|r| r["method"].as_str().unwrap()).collect();
    assert_eq!(of_first, cutaway::explain::attribution::Method::NAMES);
    assert_eq!(rows.len(), 2 * of_first.len());
    for sample in [3, 4] {
        let sheet = format!("out/attribute-sheet-sample-{sample}.png");
        assert!(folder.path().join(sheet).is_file());
    }
    // The same numbers a second time, but for the clock.
    let again = json(folder.path(), &args);
    for (a, b) in rows.iter().zip(again["attributions"].as_array().unwrap()) {
        assert_eq!(a["values"], b["values"], "{}", a["method"]);
    }
}

#[test]
fn npy_files_hold_the_values() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--sample", "3", "--method", "grad-cam"];
    let values = numbers(&json(folder.path(), &args)["values"]);
    let result = json(folder.path(), &[&args[..], &["--npy"]].concat());
    let file = std::fs::read(result["values"].as_str().unwrap()).unwrap();
    let header = usize::from(u16::from_le_bytes([file[8], file[9]]));
    let text = String::from_utf8_lossy(&file[10..10 + header]).into_owned();
    assert!(text.contains("'shape': (28, 28,)"), "{text}");
    let stored = file[10 + header..].chunks_exact(4);
    let stored: Vec<f32> = stored.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(stored.len(), values.len());
    assert!(stored.iter().zip(&values).all(|(&a, &b)| (f64::from(a) - b).abs() < 1e-6));
}

#[test]
fn an_image_file_needs_no_data_set() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("digit.png");
    let dataset = open("strokes", &OpenOptions::default()).unwrap();
    cutaway::data::Picture::from_images(&dataset.test, 0).write_png(&file).unwrap();
    let result = json(folder.path(), &["--image", file.to_str().unwrap(), "--method", "gradient"]);
    assert_eq!((&result["dataset"], &result["sample"]), (&Value::Null, &Value::Null));
    assert_eq!(result["target"], result["predicted"]);
}

#[test]
fn a_bench_ranks_the_methods_and_draws_it() {
    let folder = tempfile::tempdir().unwrap();
    let methods = ["--method", "gradient", "--method", "lrp,occlusion"];
    let result = json(folder.path(), &[&methods[..], &["--bench", "2"]].concat());
    assert_eq!(result["images"], 2);
    let ranks: Vec<f64> = result["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["mean_rank"].as_f64().unwrap())
        .collect();
    assert!(ranks.len() == 3 && ranks.is_sorted());
    assert!(folder.path().join("out/attribute-ranking.png").is_file());
    assert!(folder.path().join("out/attribute-agreement.png").is_file());
}

#[test]
fn wrong_usage_is_refused_with_what_to_do_and_nothing_is_written() {
    for (args, told) in [
        (&["--method", "magic"][..], "expected all or one of gradient"),
        (&["--target", "12"], "--target 12: the model has classes 0 to 9"),
        (&["--method", "gradient", "--steps", "5"], "has a use for --steps"),
        (&["--method", "grad-cam", "--layer", "conf3"], "conv3"),
        (&["--method", "grad-cam", "--layer", "dense1"], "stack of maps"),
        (&["--method", "rise", "--samples", "0"], "samples is 0"),
        (&["--method", "lrp", "--output", "probability"], "explains the logit"),
        (&["--method", "occlusion", "--patch", "40"], "larger than the image"),
        (&["--baseline", "purple"], "a pixel value from 0 to 255"),
        (&["--bench", "0"], "--bench 0 is out of range"),
        (&["--bench", "2", "--target", "1"], "leave"),
        (&["--sensitivity", "2"], "--score or --bench"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = cutaway(folder.path(), args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
        assert!(errors.contains(told), "{args:?}: {errors}");
        assert!(output.stdout.is_empty() && !folder.path().join("out").exists(), "{args:?}");
    }
}
