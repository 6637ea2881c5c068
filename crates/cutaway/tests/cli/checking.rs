//! `cutaway check`, and answers that are no numbers.

use std::sync::Arc;

use cutaway::net::{ConvSpec, Network, NetworkBuilder, onnx};

use crate::shell::Shell;

fn small(name: &str) -> Network {
    let mut builder = NetworkBuilder::new(name);
    builder
        .input("image", &[1, 28, 28])
        .conv("conv", ConvSpec::new(4, 5).stride(2))
        .relu("relu")
        .flatten("flat")
        .dense("scores", 10);
    builder.softmax("probabilities").build(3).unwrap()
}

/// The network with a filter whose sums are too large for a number.
fn overflowing(network: &Network) -> Network {
    let values = network.params().iter().map(|p| {
        let mut values = p.values.to_vec();
        if p.name == "conv.weight" {
            values[..25].fill(3e38);
        }
        Arc::from(values)
    });
    network.with_values(values.collect()).unwrap()
}

#[test]
fn a_sound_model_checks_with_and_without_onnx_runtime() {
    let shell = Shell::new();
    onnx::save(&small("small"), shell.path("small.onnx")).unwrap();
    shell.picture("grey.png", [28, 28, 1]);
    let run = shell.run("check --model small.onnx --image grey.png --python false");
    let text = run.ok();
    for part in
        ["operator set 17, made by cutaway", "Conv 1", "not compared", "result        agrees"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = shell.run("check --model small.onnx --python false --json").json();
    assert_eq!(json["file"]["operators"]["Conv"], 1);
    assert_eq!(json["file"]["inputs"][0]["shape"][1], "1");
    assert_eq!(json["onnxruntime"], serde_json::Value::Null);
    assert!(json["gradients"]["slopes"].as_array().unwrap().len() >= 6, "{json}");
    shell.run("check --model small.onnx --python nowhere/python").fails(2, &["nowhere/python"]);

    let Some(python) = std::env::var_os("CUTAWAY_PYTHON") else {
        println!("skipped: CUTAWAY_PYTHON names no Python with onnx and onnxruntime");
        return;
    };
    let python = python.to_string_lossy().into_owned();
    let line = format!("check --model small.onnx --image grey.png --python {python} --json");
    let json = shell.run(&line).json();
    let compared = json["compared"].as_array().unwrap();
    assert_eq!(compared.len(), 2, "{json}");
    for one in compared {
        assert!(one["outputs"][0]["error"].as_f64().unwrap() < 1e-5, "{json}");
        assert_eq!(one["inside"], 5, "{json}");
        assert_eq!(one["first_off"], serde_json::Value::Null);
    }
    assert_eq!(json["compared"][1]["input"], "grey.png");
}

#[test]
fn an_answer_that_is_no_number_names_its_node_in_every_verb() {
    let shell = Shell::new();
    onnx::save(&overflowing(&small("spoilt")), shell.path("spoilt.onnx")).unwrap();
    shell.picture("grey.png", [28, 28, 1]);
    let parts = ["not a number", "node 'conv' (Conv) is the first"];
    for verb in [
        "predict grey.png",
        "maps --image grey.png",
        "attribute --image grey.png",
        "occlude --image grey.png --stride 8",
        "evaluate --data digits",
        "corrupt --data digits --limit 5 --only stripe",
        "attack --data digits --limit 5 --method fgsm",
        "shift --image grey.png --no-curve --range 1",
        "check --python false",
    ] {
        let run = shell.run(&format!("{verb} --model spoilt.onnx"));
        assert_eq!(run.code, 1, "{verb}: {}", run.err);
        for part in parts {
            assert!(run.err.contains(part), "{verb}: expected {part:?} in: {}", run.err);
        }
    }
    let run = shell.run("check --model spoilt.onnx --python false");
    assert!(run.out.contains("numbers       node 'conv' (Conv)"), "{}", run.out);
    assert!(run.out.contains("DISAGREES"), "{}", run.out);
}
