//! `cutaway occlude` and `cutaway transplant` as a user types them.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use cutaway::data::{OpenOptions, export, open};
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

/// Runs the command on these digits, with `--out` in `folder`.
fn cutaway(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cutaway"))
        .args(args)
        .args(["--offline", "--quiet", "--data"])
        .arg(digits())
        .arg("--out")
        .arg(folder.join("out"))
        .output()
        .expect("the program starts")
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let output = cutaway(folder, &[args, &["--json"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
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

/// A test sample that the model gets right: `strokes` are not what it was trained on.
fn digit_that_is_recognised() -> String {
    let recognised = |digit: &String| {
        let folder = tempfile::tempdir().unwrap();
        let args = ["occlude", "--digit", digit, "--stride", "20"];
        cutaway(folder.path(), &args).status.success()
    };
    (0..10).map(|d| d.to_string()).find(recognised).expect("the model recognises something")
}

#[test]
fn a_covered_digit_is_told_in_numbers_and_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let digit = digit_that_is_recognised();
    let result = json(folder.path(), &["occlude", "--digit", &digit]);
    assert_eq!(result["windows"], 441);
    assert_eq!(result["label"].to_string(), digit);
    assert_eq!(result["model"], "builtin");
    for key in
        ["dataset", "model_hash", "seed", "sample", "seconds", "strategy", "telling", "cliffs"]
    {
        assert!(!result[key].is_null(), "{key}");
    }
    let rows = result["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 441);
    assert_eq!((&rows[22]["row"], &rows[22]["col"]), (&1.into(), &1.into()));
    let truth: u64 = digit.parse().unwrap();
    let right = rows.iter().filter(|r| r["predicted"] == truth).count();
    let accuracy = result["accuracy"].as_f64().unwrap();
    assert!((accuracy - right as f64 / 441.0).abs() < 1e-12);
    for row in rows {
        let p = |key: &str| row[key].as_f64().unwrap();
        assert!(0.0 <= p("p_true") && p("p_true") <= p("p_predicted") && p("p_predicted") <= 1.0);
    }
    let pictures = result["pictures"].as_array().unwrap();
    assert_eq!(pictures.len(), 5);
    for picture in pictures {
        let path = Path::new(picture.as_str().unwrap());
        assert!(path.exists() && path.with_extension("svg").exists(), "{picture}");
    }
}

#[test]
fn a_rectangle_many_images_and_sizes_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let digit = digit_that_is_recognised();
    let args = ["occlude", "--digit", &digit, "--patch", "6x10", "--stride", "6", "--fill", "blur"];
    let many = ["--limit", "2", "--sizes", "4,8x2"];
    let result = json(folder.path(), &[&args[..], &many].concat());
    // (28 − 6) / 6 + 1 = 4 places down, (28 − 10) / 6 + 1 = 4 across.
    assert_eq!((&result["windows"], &result["fill"]), (&16.into(), &"blur".into()));
    assert_eq!((&result["many"]["images"], &result["many"]["windows"]), (&20.into(), &320.into()));
    let sizes = result["sizes"].as_array().unwrap();
    assert_eq!(sizes.len(), 3);
    assert_eq!(sizes[2]["window"], serde_json::json!({"height": 8, "width": 2}));
}

#[test]
fn a_transplant_carries_its_donor_and_its_failures() {
    let folder = tempfile::tempdir().unwrap();
    let digit = digit_that_is_recognised();
    let sample = json(folder.path(), &["occlude", "--digit", &digit, "--stride", "20"]);
    let sample = sample["sample"].to_string();
    let donor = if sample == "0" { "1" } else { "0" };
    let args = ["transplant", "--sample", &sample, "--donor-sample", donor, "--stride", "3"];
    let result = json(folder.path(), &[&args[..], &["--donors", "0"]].concat());
    assert_eq!(
        (&result["windows"], result["windows_without_last"].as_u64()),
        (&49.into(), Some(36))
    );
    assert_eq!(result["donor"]["sample"].to_string(), donor);
    let failures = result["failures"].as_array().unwrap();
    assert_eq!(failures.len() as u64, result["wrong"].as_u64().unwrap());
    for failure in failures {
        assert!(failure["black_predicted"].is_u64() && failure["transplant_predicted"].is_u64());
        assert_ne!(failure["transplant_predicted"].to_string(), digit);
    }
    let itself = ["transplant", "--sample", &sample, "--donor-sample", &sample];
    let (code, message) = refused(&itself);
    assert_eq!(code, 2);
    assert!(message.contains("the image itself"), "{message}");
}

#[test]
fn wrong_usage_is_explained_and_writes_nothing() {
    let one = ["--sample", "0"];
    let cases: [(&[&str], &str); 10] = [
        (&["occlude", "--patch", "29"], "larger than the image of 28×28"),
        (&["occlude", "--patch", "8x40"], "larger than the image"),
        (&["occlude", "--patch", "0"], "at least one row and column"),
        (&["occlude", "--patch", "eight"], "expected a side such as 8"),
        (&["occlude", "--stride", "0"], "stride is 0"),
        (&["occlude", "--fill", "300"], "from 0 (black) to 255 (white)"),
        (&["occlude", "--sizes", "4"], "give --limit N or --all"),
        (&["occlude", "--sample", "1"], "works on one image"),
        (&["transplant", "--donor", "10"], "classes 0 to 9"),
        (&["transplant", "--window", "30"], "larger than the image"),
    ];
    for (args, expected) in cases {
        let (code, message) = refused(&[args, &one].concat());
        assert_eq!(code, 2, "{args:?}: {message}");
        assert!(message.contains(expected), "{args:?}: {message}");
    }
}
