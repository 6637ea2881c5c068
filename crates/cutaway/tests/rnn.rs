//! `cutaway rnn` as a user at the shell meets it.

use std::process::{Command, Output};

fn cutaway(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cutaway")).arg("rnn").args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The text of a failure, its exit code, and that nothing was printed as a result.
fn failure(arguments: &[&str]) -> (String, i32) {
    let output = cutaway(arguments);
    assert!(output.stdout.is_empty(), "{arguments:?}: {}", stdout(&output));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("error: "), "{message}");
    (message, output.status.code().unwrap())
}

fn json(arguments: &[&str]) -> serde_json::Value {
    let output = cutaway(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn without_arguments_it_prints_the_whole_of_the_studys_problem() {
    let output = cutaway(&[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = stdout(&output);
    for piece in [
        "3.181969072144948",
        "∂L(3)/∂ŷ₁ = 2 · (ŷ₁ − 0.5) = 0.88002248",
        "−0.00996138833",
        "2.572895           1.00450011",
        "needs a derivative of 2.379892",
        "L(3) from 3.007207986556634 to 3.00531676",
    ] {
        assert!(text.contains(piece), "{piece} in\n{text}");
    }
}

#[test]
fn its_json_is_the_documented_object() {
    let result = json(&[]);
    assert_eq!(result["model"], "the study's problem");
    assert_eq!(result["model_hash"].as_str().unwrap().len(), 64);
    assert_eq!((&result["seed"], result["dataset"].is_string()), (&1.into(), true));
    let step = &result["steps"][2];
    assert_eq!(step["t"], 3);
    for key in ["a", "h", "o", "y"] {
        assert_eq!(step[key].as_array().unwrap().len(), 2, "{key}");
        assert_eq!(result["after"][2][key].as_array().unwrap().len(), 2, "{key}");
    }
    assert_eq!(step["loss"], 3.007207986556634);
    let gradients = result["gradients"].as_array().unwrap();
    // Three losses and their sum, six parameters and the states, three methods.
    assert_eq!(gradients.len(), 4 * 7 * 3);
    let find = |loss: serde_json::Value, parameter: &str, method: &str| {
        let found = gradients
            .iter()
            .find(|g| g["loss"] == loss && g["parameter"] == parameter && g["method"] == method);
        &found.unwrap()["value"]
    };
    for method in ["bptt", "rtrl", "differences"] {
        let b = find(3.into(), "b", method);
        assert!((b[0].as_f64().unwrap() - -0.00996139).abs() < 1e-8, "{method}: {b}");
        let w = find("sum".into(), "W", method);
        assert!((w[1][0].as_f64().unwrap() - -0.44229232).abs() < 1e-8, "{method}: {w}");
        assert_eq!(find(1.into(), "h", method)[2], serde_json::json!([0.0, 0.0]), "{method}");
    }
    let b = &result["updated"]["b"];
    assert!((b[1].as_f64().unwrap() - 0.99565990).abs() < 1e-8, "{b}");
    assert_eq!(result["updated"]["W"], serde_json::json!([[1.0, -1.0], [0.0, 2.0]]));
    let published = result["published"].as_array().unwrap();
    assert_eq!(published.iter().filter(|p| p["every_digit"] == false).count(), 6);
}

#[test]
fn the_template_is_a_problem_file_that_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, cutaway(&["--template"]).stdout).unwrap();
    let path = path.to_str().unwrap();
    let (mine, default) = (json(&[path]), json(&[]));
    assert_eq!(mine["model_hash"], default["model_hash"]);
    assert_eq!(mine["gradients"], default["gradients"]);
    assert_eq!(mine["published"], serde_json::json!([]), "its name is no promise");
    let out = folder.path().join("pictures");
    let arguments = [path, "--loss", "sum", "--steps", "30", "--update", "W,b", "--out"];
    let output = cutaway(&[&arguments[..], &[out.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{output:?}");
    for name in ["differences.png", "differences.svg", "through-time.png", "descent.svg"] {
        assert!(out.join(name).metadata().unwrap().len() > 1000, "{name}");
    }
}

#[test]
fn latex_is_the_derivation_and_nothing_else() {
    let text = stdout(&cutaway(&["--latex", "--loss", "2"]));
    assert!(text.lines().all(|line| line.starts_with('%') || line.starts_with("\\[ ")), "{text}");
    assert!(text.contains(r"\frac{\partial L(2)}{\partial b}"), "{text}");
    let (message, code) = failure(&["--latex", "--json"]);
    assert!(code == 2 && message.contains("give one of them"), "{message}");
}

#[test]
fn wrong_flags_end_with_2_and_wrong_problems_with_1() {
    for arguments in
        [&["--loss", "4"][..], &["--loss", "last"], &["--step", "0"], &["--rate", "nan"]]
    {
        assert_eq!(failure(arguments).1, 2, "{arguments:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.toml");
    let template = stdout(&cutaway(&["--template"]));
    let path_text = path.to_str().unwrap().to_owned();
    for (from, to, expected) in [
        ("b = [-1, 1]", "b = [-1]", "wrong.toml: b: expected 2 (W is 2 × 2) values, found 1"),
        ("ln(y2)", "ln(y2", "column 18: this '(' is never closed"),
        ("- ln(y2)", "- ln(y1 - 2)", "the loss is NaN at step 1"),
        ("update", "updates", "unknown field `updates`"),
    ] {
        std::fs::write(&path, template.replace(from, to)).unwrap();
        let (message, code) = failure(&[&path_text]);
        assert!(code == 1 && message.contains(expected), "{code} {message}");
    }
    let (message, code) = failure(&["no-such-file.toml"]);
    assert!(code == 1 && message.contains("cannot read no-such-file.toml"), "{message}");
}
