//! `cutaway check`, and answers that are no numbers.

use std::sync::Arc;

use cutaway::net::{ConvSpec, Metadata, Network, NetworkBuilder, Node, NodeId, Op, Unary, onnx};

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

/// The small network, for images with the channels last: a transposition stands in front, as TensorFlow's
/// exporters write it, or the pixels are taken as they are.
fn channels_last(turn: bool) -> Network {
    let first = {
        let mut builder = NetworkBuilder::new("colours");
        builder
            .input("image", &[3, 12, 10])
            .conv("conv", ConvSpec::new(4, 5).stride(2))
            .relu("relu")
            .flatten("flat")
            .dense("scores", 6);
        builder.softmax("probabilities").build(3).unwrap()
    };
    let mut nodes = first.nodes().to_vec();
    nodes[0].op = Op::Input { shape: vec![12, 10, 3] };
    let shift = |node: &mut Node, by: usize| {
        node.inputs.iter_mut().for_each(|input| input.0 += by);
    };
    let node = |name: &str, op: Op, input: usize| Node {
        name: name.into(),
        op,
        inputs: vec![NodeId(input)],
        params: vec![],
    };
    let mut between = vec![node("turn", Op::Transpose { axes: vec![2, 0, 1] }, 0)];
    if !turn {
        between.insert(0, node("same", Op::Unary(Unary::Scale { factor: 1.0 }), 0));
        between[1].inputs = vec![NodeId(1)];
    }
    let by = between.len();
    nodes[1..].iter_mut().for_each(|node| shift(node, by));
    nodes.splice(1..1, between);
    let outputs = first.outputs().iter().map(|output| NodeId(output.0 + by)).collect();
    let metadata = Metadata::for_input(&[12, 10, 3]);
    Network::new("colours", nodes, first.params().to_vec(), outputs, metadata).unwrap()
}

#[test]
fn a_model_with_the_channels_last_is_recognised_and_every_verb_works() {
    let shell = Shell::new();
    let pixels: Vec<u8> = (0..12 * 10 * 3).map(|i| (i * 37 % 256) as u8).collect();
    let picture = cutaway::data::Picture::new(12, 10, 3, pixels.clone()).unwrap();
    picture.write_png(&shell.path("colour.png")).unwrap();
    let mut answers = Vec::new();
    for (name, turn) in [("turned", true), ("plain", false)] {
        let network = channels_last(turn);
        onnx::save(&network, shell.path("nhwc.onnx")).unwrap();
        let run = shell.run("predict colour.png --model nhwc.onnx --json");
        assert!(run.err.contains("layout: the file takes images [12, 10, 3]"), "{}", run.err);
        let json = run.json();
        assert_eq!(json[0]["preprocessing"]["channels"], 3, "{name}");
        let said: Vec<f32> = serde_json::from_value(json[0]["probabilities"].clone()).unwrap();
        // The file's own network, asked with the pixels in the file's order.
        let engine = cutaway::engine::Engine::compile(&network, &Default::default()).unwrap();
        let raw = pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
        let batch = ndarray::Array4::from_shape_vec((1, 12, 10, 3), raw).unwrap();
        let wanted = engine.predict(batch.view()).unwrap();
        for (said, wanted) in said.iter().zip(wanted.iter()) {
            assert!((said - wanted).abs() < 1e-6, "{name}: {said} {wanted}");
        }
        answers.push(said);
        for verb in [
            "summary",
            "filters",
            "maps --image colour.png",
            "occlude --image colour.png --patch 4",
        ] {
            shell.run(&format!("{verb} --model nhwc.onnx --out out")).ok();
        }
        shell.run("attribute --image colour.png --model nhwc.onnx --method gradient").ok();
        let python = std::env::var("CUTAWAY_PYTHON").unwrap_or_else(|_| "false".to_owned());
        let line = format!("check --model nhwc.onnx --image colour.png --python {python} --json");
        let json = shell.run(&line).json();
        assert_eq!(json["layout"], "nhwc", "{name}");
        assert_eq!(json["preprocessing"]["channels"], 3, "{name}");
        // Said otherwise, the image does not fit.
        let run = shell.run("predict colour.png --model nhwc.onnx --layout nchw");
        assert_ne!(run.code, 0, "{name}");
    }
    assert_eq!(answers[0].len(), 6);
    let run = shell.run("predict --data digits --layout nhwc");
    assert_ne!(run.code, 0);
}
