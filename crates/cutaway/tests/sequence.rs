//! `cutaway sequence` as a user at the shell meets it.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Small networks and few sequences: seconds in all.
const SMALL: &str = "--epochs 2 --limit 60 --hidden 6 --units 20 --seeds 1 --longest 120";

/// A folder of the test's own, and `cutaway sequence` typed in it.
struct Shell(tempfile::TempDir);

impl Shell {
    fn new() -> Shell {
        Shell(tempfile::tempdir().unwrap())
    }

    fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cutaway"));
        command.arg("sequence").args(line.split_whitespace());
        command.current_dir(self.0.path()).output().unwrap()
    }

    fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} --json"))).unwrap()
    }

    /// One error that says all of `words`, nothing on standard output and nothing written.
    fn fails(&self, line: &str, code: i32, words: &[&str]) {
        let output = self.run(&format!("{line} --out nothing"));
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {message}");
        assert!(output.stdout.is_empty() && !message.contains("panicked"), "{line}: {message}");
        assert_eq!(message.matches("error:").count(), 1, "{line}: {message}");
        for word in words {
            assert!(message.contains(word), "{line}: {word:?} is not in: {message}");
        }
        assert!(!self.0.path().join("nothing").exists(), "{line}");
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn exists(&self, name: &str) -> bool {
        self.0.path().join(name).metadata().is_ok_and(|file| file.len() > 100)
    }

    /// A folder with two files of 40 proteins each, of which one kind begins with a signal.
    fn two_classes(&self, folder: &str) {
        for (class, signal) in [("nucleus", ""), ("secreted", "MKKLLLLLLLLLLLLAAG")] {
            self.write(
                &format!("{folder}/{class}.fasta"),
                proteins(40, signal, class.len() as u64),
            );
        }
    }
}

/// Proteins of random residues behind a signal.
fn proteins(count: usize, signal: &str, seed: u64) -> String {
    let mut state = seed;
    let mut draw = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % below) as usize
    };
    let mut text = String::new();
    for protein in 0..count {
        let length = 50 + draw(40);
        let rest: String =
            (0..length).map(|_| char::from(b"ACDEFGHIKLMNPQRSTVWY"[draw(20)])).collect();
        writeln!(text, ">protein{protein}\n{signal}{rest}").unwrap();
    }
    text
}

/// A run without what a clock has said.
fn without_clock(mut value: Value) -> Value {
    match &mut value {
        Value::Object(keys) => {
            keys.retain(|key, _| key != "seconds" && key != "tokens_per_second");
            keys.values_mut().for_each(|inner| *inner = without_clock(inner.take()));
        }
        Value::Array(all) => {
            all.iter_mut().for_each(|inner| *inner = without_clock(inner.take()));
        }
        _ => {}
    }
    value
}

fn run_of<'a>(found: &'a Value, cell: &str, direction: &str) -> &'a Value {
    let runs = found["runs"].as_array().unwrap();
    runs.iter().find(|r| r["cell"] == cell && r["direction"] == direction).unwrap()
}

#[test]
fn the_default_task_writes_figures_networks_and_all_numbers() {
    let shell = Shell::new();
    let text = shell.ok(SMALL);
    for piece in
        ["none is a protein", "LSTM        reverse", "first 30 residues", "What the numbers say"]
    {
        assert!(text.contains(piece), "{piece} in\n{text}");
    }
    for name in [
        "comparison.png",
        "gradients.svg",
        "by-length.png",
        "by-padding.png",
        "epochs-tanh-forward.png",
        "eigenvalues-gru-reverse.svg",
        "paths-lstm-forward.png",
        "reservoir-memory.png",
        "residues.png",
        "substitutions.svg",
        "lstm-reverse.onnx",
        "gru-forward.onnx",
        "sequence.json",
    ] {
        assert!(shell.exists(&format!("cutaway-out/{name}")), "{name}");
    }
    let path = shell.0.path().join("cutaway-out/sequence.json");
    let found: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(found["runs"].as_array().unwrap().len(), 8);
    let norms = &run_of(&found, "lstm", "forward")["gradient_norms"];
    let epochs = norms["epochs"].as_array().unwrap();
    assert_eq!(epochs.iter().map(|e| e["epoch"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(epochs[2]["distances"][0], 0);
    assert!(epochs[2]["log10"][0].as_f64().unwrap() > epochs[2]["log10"][30].as_f64().unwrap());
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let shell = Shell::new();
    let found = ["1", "2"].map(|threads| shell.json(&format!("{SMALL} --threads {threads}")));
    let [one, two] = found.map(without_clock);
    assert!(one == two, "{one}\n{two}");
    let other = without_clock(shell.json(&format!("{SMALL} --cells gru --seed 2")));
    assert_ne!(run_of(&one, "gru", "forward")["loss"], run_of(&other, "gru", "forward")["loss"]);
}

#[test]
fn a_saved_network_does_as_well_as_in_the_run_that_saved_it() {
    let shell = Shell::new();
    shell.two_classes("two");
    for (data, cell) in [("protein-like", "lstm"), ("two", "gru"), ("copying --length 30", "tanh")]
    {
        let line = format!("{SMALL} --data {data}");
        let trained = shell.json(&format!("{line} --cells {cell} --out trained"));
        let again = shell.json(&format!("{line} --model trained/{cell}-reverse.onnx --out again"));
        let (before, after) = (run_of(&trained, cell, "reverse"), &again["runs"][0]);
        for key in ["balanced_accuracy", "loss", "by_length", "by_padding", "parameters"] {
            assert_eq!(before[key], after[key], "{data}: {key}");
        }
        assert_eq!(trained["model_hash"][1], again["model_hash"][0], "{data}");
        assert!(after["training"].is_null());
    }
}

#[test]
fn exact_tasks_are_measured_beside_their_known_baselines() {
    let shell = Shell::new();
    let text = shell.ok(&format!("{SMALL} --data adding --length 20"));
    assert!(text.contains("nothing from the sequence has a loss of 0.1667"), "{text}");
    assert!(text.contains("elow 0.1667, "), "a sentence on who is below: {text}");
    assert!(!text.contains("Without a recurrent network") && !text.contains("Best:"), "{text}");
    let adding = shell.json(&format!("{SMALL} --data adding --length 20"));
    let run = run_of(&adding, "lstm", "forward");
    assert!(run["balanced_accuracy"].is_null() && run["loss"].as_f64().unwrap() > 0.0);
    assert!((adding["known_baseline"].as_f64().unwrap() - 1.0 / 6.0).abs() < 1e-9);
    assert!(adding["close"].is_null() && adding["classes"] == serde_json::json!([]));

    let copying = shell.json(&format!("{SMALL} --data copying --length 30 --out copying"));
    let run = run_of(&copying, "esn", "forward");
    assert!(run["balanced_accuracy"].is_number() && run["interval"].is_null(), "{run}");
    let expected = 10.0 * 8f64.ln() / 30.0;
    assert!((copying["known_baseline"].as_f64().unwrap() - expected).abs() < 1e-9);
    assert!(shell.exists("copying/gradients.png") && !shell.exists("copying/residues.png"));

    let recall = shell.json(&format!("{SMALL} --data recall --length 12"));
    assert_eq!(recall["classes"].as_array().unwrap().len(), 8);
    assert!((recall["known_baseline"].as_f64().unwrap() - 8f64.ln()).abs() < 1e-9);
    assert_eq!(recall["runs"][0]["by_length"], serde_json::json!([]), "all are of one length");
}

#[test]
fn own_fasta_files_are_read_and_split() {
    let shell = Shell::new();
    shell.two_classes("adding");
    // A path with a dot is a folder, whatever its name.
    let line = "--data ./adding --classes secreted,nucleus --cells lstm,esn --sample 3";
    let found = shell.json(&format!("{SMALL} {line}"));
    assert_eq!(found["classes"], serde_json::json!(["secreted", "nucleus"]));
    assert_eq!(found["proteins"]["records"], 80);
    assert_eq!(found["similar"]["before"], 80);
    let parts = &found["sequences"];
    let count = |part: &str| parts[part].as_u64().unwrap();
    assert_eq!(count("train") + count("validation") + count("test"), found["similar"]["kept"]);
    assert_eq!(found["close"]["sample"], 3);
    let letters = found["close"]["letters"].as_array().unwrap().len();
    assert_eq!(found["close"]["attribution"]["signed"].as_array().unwrap().len(), letters);
    let both =
        "--data ./adding --cells gru --directions both --layers 2 --readout mean --keep-duplicates";
    let found = shell.json(&format!("{SMALL} {both}"));
    assert!(found["similar"].is_null() && found["flows"] == serde_json::json!([]));
}

#[test]
fn wrong_usage_ends_with_2() {
    let shell = Shell::new();
    for (line, words) in [
        ("--cells mamba", &["mamba", "expected tanh, relu, lstm, gru or esn"][..]),
        ("--directions up", &["expected forward, reverse or both"]),
        ("--readout first", &["expected last, mean or max"]),
        ("--optimizer lion", &["expected adam or sgd"]),
        ("--data absent", &["absent", "protein-like, adding, copying, recall", "exists"]),
        ("--cells tanh,lstm,tanh", &["tanh stands there twice"]),
        ("--cells esn --directions both", &["reads one way", "leave esn out"]),
        ("--readout max", &["not from the maximum", "leave esn out"]),
        ("--hidden 0", &["at least 1", "states"]),
        ("--layers 0 --cells tanh", &["at least 1", "layers"]),
        ("--units 0", &["unit"]),
        ("--seeds 0", &["--seeds"]),
        ("--limit 5", &["--limit 5", "at least 20"]),
        ("--longest 50", &["--longest 50", "at least 100"]),
        ("--classes a,b", &["protein-like has classes of its own"]),
        ("--data adding --length 1", &["--length 1", "at least 2"]),
        ("--data copying --length 20", &["--length 20", "at least 21"]),
        ("--data recall --length 1", &["--length 1", "at least 2"]),
        ("--seconds 0", &["seconds", "more than 0"]),
        ("--seconds 1 --epochs 1", &["cannot be used with"]),
        ("--rate -1", &["-1", "expected a number from 0"]),
        ("--clip -1", &["--clip -1", "0 for no clipping"]),
        ("--truncate 0", &["at least 1 step"]),
        ("--sample 99999", &["99999", "600 sequences"]),
    ] {
        shell.fails(line, 2, words);
    }
}

#[test]
fn files_that_are_no_proteins_end_with_1_and_the_place() {
    let shell = Shell::new();
    shell.write("one/nucleus.fasta", proteins(30, "", 1));
    shell.write("headless.fasta", "ACDEFGHIKL\nACDE\n");
    shell.write("binary.fasta", [0u8, 159, 146, 150, 0, 1, 2]);
    shell.write("empty.fasta", ">a [X]\n>b [Y]\nACDEFGH\n");
    shell.write("digits.fasta", ">a [X]\nACD1FGH\n");
    for (line, words) in [
        ("--data one", &["one class only", "'nucleus'", "at least two"][..]),
        ("--data headless.fasta", &["line 1, column 1", "expected '>'"]),
        ("--data binary.fasta", &["binary.fasta", "FASTA"]),
        ("--data empty.fasta", &["line 1", "expected residues after the header 'a'"]),
        ("--data digits.fasta", &["line 2, column 4", "'1'"]),
    ] {
        shell.fails(line, 1, words);
    }
}

#[test]
fn a_network_that_does_not_fit_the_sequences_is_refused() {
    let shell = Shell::new();
    shell.two_classes("two");
    let tiny = "--epochs 1 --limit 60 --hidden 4 --seeds 1 --cells lstm --directions forward";
    for data in ["protein-like", "adding", "copying", "recall"] {
        shell.ok(&format!("{tiny} --data {data} --out {data}"));
    }
    shell.write("text.onnx", "no network");
    for (line, words) in [
        ("--model text.onnx", &["text.onnx", "not a usable ONNX model"][..]),
        ("--model absent.onnx", &["absent.onnx", "no such file"]),
        ("--model adding/lstm-forward.onnx", &["symbols, but the network reads values"]),
        ("--model copying/lstm-forward.onnx", &["letters", "trained on"]),
        ("--model protein-like/lstm-forward.onnx --data adding", &["adding", "classes"]),
        (
            "--model protein-like/lstm-forward.onnx --data two",
            &["the classes signal, none", "nucleus, secreted", "--classes"],
        ),
    ] {
        shell.fails(&format!("{line} --limit 60"), 1, words);
    }
    // Classes in another order would have every answer wrong.
    shell.ok(&format!("{tiny} --data two --out ours"));
    let line = "--model ours/lstm-forward.onnx --data two --limit 60";
    shell.fails(&format!("{line} --classes secreted,nucleus"), 1, &["nucleus, secreted"]);
    shell.ok(&format!("{line} --classes nucleus,secreted"));
}

#[test]
fn a_network_for_images_is_no_network_for_sequences() {
    let shell = Shell::new();
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mnist.onnx");
    shell.write("image.onnx", std::fs::read(image).unwrap());
    shell.fails("--model image.onnx --limit 60", 1, &["image.onnx"]);
}

#[test]
fn a_training_that_overflows_is_told_of_and_ends_nothing() {
    let shell = Shell::new();
    let wild = "--rate 1e9 --optimizer sgd --clip 0 --cells tanh,relu,lstm,gru";
    let text = shell.ok(&format!("{SMALL} {wild}"));
    assert!(
        text.contains("The training of RNN (ReLU), forward with seed 1 broke off: the loss"),
        "{text}"
    );
    assert!(text.contains("How RNN (ReLU), forward remembers could not be measured"), "{text}");
    let found = shell.json(&format!("{SMALL} {wild}"));
    let run = run_of(&found, "relu", "forward");
    assert!(run["training"]["ended"]["not-finite"]["step"].is_u64(), "{}", run["training"]);
    assert!(run["loss"].is_null());
    assert!(found["notes"].as_array().unwrap().len() >= 2);
    let adding = format!("{SMALL} --data adding --length 20 --rate 1e38 --optimizer sgd --clip 0");
    let text = shell.ok(&format!("{adding} --cells relu,gru --out adding"));
    assert!(text.contains("broke off") && shell.exists("adding/sequence.json"), "{text}");
}
