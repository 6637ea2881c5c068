//! Networks that read sequences as ONNX: what is written comes back, what is damaged is refused, and ONNX Runtime gives the same
//! answers (needs a Python with `onnx` and `onnxruntime`, named by `CUTAWAY_PYTHON`).

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Drawn, drawn, example, random_network, random_sequences};
use cutaway_data::sequences::{Inputs, Sequences};
use cutaway_engine::cells::Cell;
use cutaway_net::TrainingRecord;
use cutaway_net::onnx::proto::{self, AttributeProto, ModelProto, NodeProto, TensorProto};
use cutaway_recurrent::network::{Direction, Readout, Runner, RunnerOptions};
use cutaway_recurrent::onnx::{SequenceModel, from_bytes, load, save, to_bytes};
use proptest::prelude::*;
use serde_json::{Value, json};

fn model(drawn: &Drawn) -> SequenceModel {
    SequenceModel {
        name: "proteins".to_owned(),
        alphabet: if drawn.symbols { "ACDEFÜ".chars().collect() } else { Vec::new() },
        labels: vec!["nucleus".to_owned(), "secreted".to_owned(), "else".to_owned()],
        training: Some(TrainingRecord {
            seed: 7,
            dataset: "drawn".to_owned(),
            ..Default::default()
        }),
        ..SequenceModel::new(random_network(drawn))
    }
}

proptest! {
    #[test]
    fn what_is_written_comes_back_to_the_bit(drawn in drawn()) {
        let model = model(&drawn);
        prop_assert_eq!(&from_bytes(&to_bytes(&model).unwrap()).unwrap(), &model);
    }

    #[test]
    fn damage_is_an_error_or_another_network_and_never_a_panic(
        drawn in drawn(), place: prop::sample::Index, value: u8, cut: prop::sample::Index,
    ) {
        let mut bytes = to_bytes(&model(&drawn)).unwrap();
        let place = place.index(bytes.len());
        bytes[place] = value;
        let _ = from_bytes(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = from_bytes(&bytes);
    }
}

fn taken_apart(drawn: &Drawn) -> ModelProto {
    proto::decode(&to_bytes(&model(drawn)).unwrap()).unwrap()
}

fn node<'a>(model: &'a mut ModelProto, operator: &str) -> &'a mut NodeProto {
    let graph = model.graph.as_mut().unwrap();
    graph.node.iter_mut().find(|node| node.op_type.as_deref() == Some(operator)).unwrap()
}

fn refusal(model: &ModelProto) -> String {
    from_bytes(&proto::encode(model).unwrap()).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_represented_is_refused_with_the_node() {
    let whole = |cell| taken_apart(&Drawn { cell, readout: Readout::Last, ..example() });
    let mut model = whole(Cell::Gru);
    node(&mut model, "GRU").attribute.retain(|a| a.name.as_deref() != Some("linear_before_reset"));
    let error = refusal(&model);
    assert!(error.contains("\"rnn0.states\" (GRU): the reset gate before the matrix"), "{error}");

    let mut model = whole(Cell::Lstm);
    node(&mut model, "LSTM").attribute.push(AttributeProto::from_int("clip", 1));
    assert!(refusal(&model).contains("attribute \"clip\" is not known here"));

    let mut model = whole(Cell::Lstm);
    node(&mut model, "LSTM").input.push("lengths".to_owned());
    assert!(refusal(&model).contains("expected four inputs, X, W, R and B"));

    let mut model = whole(Cell::Tanh);
    node(&mut model, "Gemm").op_type = Some("Attention".to_owned());
    assert!(refusal(&model).contains("(Attention): this operator is not known here"));

    let mut model = whole(Cell::Tanh);
    let graph = model.graph.as_mut().unwrap();
    graph.initializer.retain(|tensor| tensor.name.as_deref() != Some("rnn0.R"));
    assert!(refusal(&model).contains("\"rnn0.R\" is no weight of the file"));

    let mut model = whole(Cell::Tanh);
    model.graph.as_mut().unwrap().output.clear();
    assert!(refusal(&model).contains("0 outputs, expected one"));

    let mut model = whole(Cell::Tanh);
    model.metadata_props[1].value = Some("[\"one\"]".to_owned());
    assert_eq!(refusal(&model), "1 labels for 3 outputs");

    let image = cutaway_net::onnx::to_bytes(&cutaway_net::presets::reference_cnn(1)).unwrap();
    let error = from_bytes(&image).unwrap_err().to_string();
    assert!(error.contains("expected whole numbers [N, T] or floats"), "{error}");
    let error = from_bytes(b"<html>").unwrap_err().to_string();
    assert!(error.contains("looks like a web page"), "{error}");
}

/// As other programs write it: the axis of the direction squeezed out, the last step gathered, a product and a sum.
#[test]
fn the_same_network_in_other_words_is_read_as_the_same() {
    let drawn = Drawn { cell: Cell::Lstm, readout: Readout::Last, layers: 2, ..example() };
    let expected = model(&drawn);
    let mut model = taken_apart(&drawn);
    let graph = model.graph.as_mut().unwrap();
    let chain = |operator: &str, inputs: &[&str], output: &str, attribute| NodeProto {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        op_type: Some(operator.to_owned()),
        attribute,
        ..NodeProto::default()
    };
    let lstms: Vec<NodeProto> =
        graph.node.iter().filter(|n| n.op_type.as_deref() == Some("LSTM")).cloned().collect();
    let mut lower = lstms[0].clone();
    lower.output = vec!["low".to_owned()];
    let mut upper = lstms[1].clone();
    (upper.input[0], upper.output) = ("low1".to_owned(), vec!["high".to_owned()]);
    let ints = |name: &str, values: &[usize]| vec![AttributeProto::from_ints(name, values)];
    let front = graph.node[..2].to_vec();
    graph.node = front;
    graph.node.extend([
        lower,
        chain("Squeeze", &["low", "one"], "low1", vec![]),
        upper,
        chain("Squeeze", &["high", "one"], "high1", vec![]),
        chain("Transpose", &["high1"], "high2", ints("perm", &[1, 0, 2])),
        chain("Gather", &["high2", "minus one"], "end", vec![AttributeProto::from_int("axis", 1)]),
        chain(
            "Gemm",
            &["end", "head.weight", "head.bias"],
            "logits",
            vec![AttributeProto::from_int("transB", 1)],
        ),
    ]);
    graph.initializer.push(TensorProto::from_ints("one", &[1]));
    graph.initializer.push(TensorProto::from_ints("minus one", &[-1]));
    assert_eq!(from_bytes(&proto::encode(&model).unwrap()).unwrap(), expected);
}

#[test]
fn a_model_survives_the_disk_and_a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let model = model(&example());
    save(&model, &path).unwrap();
    assert_eq!(load(&path).unwrap(), model);
    fs::write(&path, &fs::read(&path).unwrap()[..500]).unwrap();
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains("model.onnx") && error.contains("cut off"), "{error}");
    let error = load(folder.path().join("other.onnx")).unwrap_err().to_string();
    assert!(error.contains("other.onnx") && error.contains("no such file"), "{error}");
}

#[test]
fn onnx_runtime_gives_the_same_answers() {
    let Some(python) = std::env::var_os("CUTAWAY_PYTHON") else {
        println!("skipped: CUTAWAY_PYTHON names no Python with onnx and onnxruntime");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut cases = Vec::new();
    let readouts = [Readout::Last, Readout::Mean, Readout::Max, Readout::EveryStep];
    for cell in [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru] {
        for direction in [Direction::Forward, Direction::Reverse, Direction::Both] {
            for readout in readouts {
                let index = cases.len();
                let drawn = Drawn {
                    cell,
                    direction,
                    readout,
                    layers: 1 + index % 2,
                    symbols: index % 3 > 0,
                    hidden: 7,
                    sequences: 9,
                    seed: index as u64,
                };
                cases.push(write_case(folder.path(), &format!("case-{index}"), &drawn));
            }
        }
    }
    fs::write(folder.path().join("cases.json"), json!(cases).to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/check_sequences_with_onnxruntime.py");
    let run = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    println!("{said}");
}

/// Writes a model, some sequences cut to the length of the shortest of at least three, and our answers to them.
fn write_case(folder: &Path, name: &str, drawn: &Drawn) -> Value {
    let model = model(drawn);
    save(&model, folder.join(format!("{name}.onnx"))).unwrap();
    let data = random_sequences(drawn);
    let long: Vec<usize> = (0..data.len()).filter(|&i| data.length(i) > 2).collect();
    let mut data: Sequences = data.select(&long);
    let length = (0..data.len()).map(|i| data.length(i)).min().unwrap();
    let sequences = match &mut data.inputs {
        Inputs::Symbols { sequences, .. } => {
            sequences.iter_mut().for_each(|s| s.truncate(length));
            json!(sequences)
        }
        Inputs::Values { width, sequences } => {
            sequences.iter_mut().for_each(|s| s.truncate(length * *width));
            let rows = |s: &Vec<f32>| s.chunks(*width).map(<[f32]>::to_vec).collect::<Vec<_>>();
            json!(sequences.iter().map(rows).collect::<Vec<_>>())
        }
    };
    let runner = Runner::new(model.network, &RunnerOptions::default()).unwrap();
    let answers: Vec<Vec<f32>> = runner.answers(&data).unwrap();
    json!({"model": name, "symbols": drawn.symbols, "sequences": sequences, "answers": answers})
}
