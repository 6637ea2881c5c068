//! Files made to do harm: each is an error that names the file and the place in it, never a panic, and none takes much
//! memory.

#[path = "../../engine/tests/counting_allocator/mod.rs"]
mod counting_allocator;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use counting_allocator::Counting;
use cutaway_net::onnx;
use cutaway_net::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, ValueInfoProto, encode,
};
use cutaway_net::{Network, NetworkBuilder};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// The most bytes that reading one of these files, none above 4 MiB, may hold at a time: as much as the fuzzer allows.
const MEMORY: usize = 256 << 20;

fn tensor(name: &str, dims: &[i64], kind: i32, raw: Vec<u8>) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(kind),
        raw_data: Some(raw),
        ..TensorProto::default()
    }
}

fn ints(name: &str, values: &[i64]) -> TensorProto {
    TensorProto::from_ints(name, values)
}

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: vec![output.into()],
        name: Some(format!("the {output}")),
        ..NodeProto::default()
    }
}

fn with(mut node: NodeProto, attributes: Vec<AttributeProto>) -> NodeProto {
    node.attribute = attributes;
    node
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        i: Some(value),
        r#type: Some(2),
        ..AttributeProto::default()
    }
}

fn list(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        ints: values.to_vec(),
        r#type: Some(7),
        ..AttributeProto::default()
    }
}

/// A model from `x`, `[1, 2, 6, 6]`, to `y`.
fn model(nodes: Vec<NodeProto>, weights: Vec<TensorProto>) -> ModelProto {
    let network = NetworkBuilder::new("x").input("x", &[2, 6, 6]).relu("y").build(1).unwrap();
    let honest = onnx::proto::decode(&onnx::to_bytes(&network).unwrap()).unwrap();
    let graph = honest.graph.unwrap();
    let output = ValueInfoProto { name: Some("y".into()), ..graph.output[0].clone() };
    ModelProto {
        graph: Some(GraphProto {
            node: nodes,
            initializer: weights,
            output: vec![output],
            value_info: vec![],
            ..graph
        }),
        metadata_props: vec![],
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(18) }],
        ..honest
    }
}

fn load(folder: &Path, model: &ModelProto) -> cutaway_net::Result<Network> {
    let path = folder.join("hostile.onnx");
    std::fs::write(&path, encode(model).unwrap()).unwrap();
    within_memory(|| onnx::load(path))
}

/// What `read` returns, if it has held less than [`MEMORY`].
fn within_memory<T>(read: impl FnOnce() -> T) -> T {
    // One at a time: the next one's start would lose what this one has held.
    static READING: Mutex<()> = Mutex::new(());
    let (peak, result) = {
        let _alone = READING.lock().unwrap_or_else(PoisonError::into_inner);
        ALLOCATOR.peak_during(read)
    };
    assert!(peak < MEMORY, "{peak} bytes were held while reading");
    result
}

#[test]
fn every_trick_is_refused_with_the_files_name_and_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let y = |op: &str, inputs: &[&str]| node(op, inputs, "y");
    let huge = i64::MAX;
    let cases: Vec<(&str, ModelProto, &str)> = vec![
        (
            "a size beyond all",
            model(vec![y("Mul", &["x", "w"])], vec![tensor("w", &[1 << 31, 1 << 31], 1, vec![])]),
            "\"w\"",
        ),
        (
            "a negative size",
            model(vec![y("Mul", &["x", "w"])], vec![tensor("w", &[-2, 3], 1, vec![])]),
            "\"w\"",
        ),
        (
            "raw data cut off",
            model(vec![y("Mul", &["x", "w"])], vec![tensor("w", &[3], 1, vec![0; 11])]),
            "\"w\"",
        ),
        (
            "shape numbers cut off",
            model(vec![y("Reshape", &["x", "w"])], vec![tensor("w", &[2], 7, vec![0; 15])]),
            "\"w\"",
        ),
        (
            "a cycle",
            model(
                vec![node("Relu", &["b"], "a"), node("Relu", &["a"], "b"), y("Add", &["a", "b"])],
                vec![],
            ),
            "the a",
        ),
        (
            "a name twice",
            model(vec![node("Relu", &["x"], "y"), node("Exp", &["x"], "y")], vec![]),
            "\"y\" is produced twice",
        ),
        (
            "a name that is a weight's",
            model(vec![node("Relu", &["x"], "w"), y("Exp", &["w"])], vec![ints("w", &[1])]),
            "\"w\" is produced twice",
        ),
        (
            "a name that is the input's",
            model(vec![node("Relu", &["y"], "x"), y("Exp", &["x"])], vec![]),
            "\"x\" is produced twice",
        ),
        (
            "weights of one name",
            model(vec![y("Exp", &["x"])], vec![ints("w", &[1]), ints("w", &[2])]),
            "two weights named \"w\"",
        ),
        (
            "a reshape to nothing",
            model(vec![y("Reshape", &["x", "w"])], vec![ints("w", &[1, -5, 2])]),
            "the y",
        ),
        (
            "a reshape beyond all",
            model(vec![y("Reshape", &["x", "w"])], vec![ints("w", &[1, huge, huge])]),
            "the y",
        ),
        (
            "a tile beyond all",
            model(vec![y("Tile", &["x", "w"])], vec![ints("w", &[1, huge, 1, 1])]),
            "the y",
        ),
        (
            "a tile of the batch",
            model(vec![y("Tile", &["x", "w"])], vec![ints("w", &[2, 1, 1, 1])]),
            "the y",
        ),
        (
            "an expansion beyond all",
            model(vec![y("Expand", &["x", "w"])], vec![ints("w", &[1 << 40, 1, 2, 6, 6])]),
            "the y",
        ),
        (
            "padding beyond all",
            model(vec![y("Pad", &["x", "w"])], vec![ints("w", &[0, 0, huge, 0, 0, 0, huge, 0])]),
            "the y",
        ),
        (
            "cutting all off",
            model(vec![y("Pad", &["x", "w"])], vec![ints("w", &[0, 0, -huge, 0, 0, 0, -huge, 0])]),
            "the y",
        ),
        (
            "a constant beyond all",
            model(
                vec![node("ConstantOfShape", &["w"], "c"), y("Add", &["x", "c"])],
                vec![ints("w", &[1 << 20, 1 << 20])],
            ),
            "the c",
        ),
        (
            "a range beyond all",
            model(
                vec![node("Range", &["a", "b", "s"], "c"), y("Add", &["x", "c"])],
                vec![
                    tensor("a", &[], 7, vec![0; 8]),
                    tensor("b", &[], 7, huge.to_le_bytes().to_vec()),
                    tensor("s", &[], 7, 1_i64.to_le_bytes().to_vec()),
                ],
            ),
            "the c",
        ),
        (
            "a product beyond all",
            model(
                vec![node("MatMul", &["a", "a"], "c"), y("Add", &["x", "c"])],
                vec![tensor("a", &[1024, 1024], 1, vec![0; 4 << 20])],
            ),
            "the c",
        ),
        (
            "no axis",
            model(vec![with(y("Softmax", &["x"]), vec![int("axis", i64::MIN)])], vec![]),
            "the y",
        ),
        (
            "no order",
            model(vec![with(y("Transpose", &["x"]), vec![list("perm", &[0, 1, 1, huge])])], vec![]),
            "the y",
        ),
        (
            "no block",
            model(vec![with(y("DepthToSpace", &["x"]), vec![int("blocksize", huge)])], vec![]),
            "the y",
        ),
        ("no window", model(vec![with(y("LRN", &["x"]), vec![int("size", 0)])], vec![]), "the y"),
        (
            "no kernel",
            model(vec![with(y("MaxPool", &["x"]), vec![list("kernel_shape", &[0, huge])])], vec![]),
            "the y",
        ),
        (
            "no stride",
            model(
                vec![with(
                    y("MaxPool", &["x"]),
                    vec![list("kernel_shape", &[2, 2]), list("strides", &[0, 0])],
                )],
                vec![],
            ),
            "the y",
        ),
        (
            "no groups",
            model(
                vec![with(y("Conv", &["x", "w"]), vec![int("group", 0)])],
                vec![tensor("w", &[2, 2, 1, 1], 1, vec![0; 16])],
            ),
            "the y",
        ),
        (
            "groups beyond all",
            model(
                vec![with(y("Conv", &["x", "w"]), vec![int("group", huge)])],
                vec![tensor("w", &[2, 2, 1, 1], 1, vec![0; 16])],
            ),
            "the y",
        ),
        (
            "a jump out of the axis",
            model(vec![y("Gather", &["x", "w"])], vec![ints("w", &[huge])]),
            "the y",
        ),
        (
            "random numbers",
            model(vec![node("RandomNormalLike", &["x"], "r"), y("Add", &["x", "r"])], vec![]),
            "draws random numbers",
        ),
        (
            "random and unknown ones together",
            model(vec![node("RandomNormalLike", &["x"], "r"), y("Wondrous", &["r"])], vec![]),
            "Wondrous: node \"the y\"",
        ),
    ];
    for (what, model, place) in cases {
        let text = load(folder.path(), &model).expect_err(what).to_string();
        assert!(text.contains("hostile.onnx"), "{what}: {text}");
        assert!(text.contains(place), "{what}: expected {place:?} in: {text}");
    }
}

#[test]
fn branches_in_branches_without_end_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let yes = || tensor("yes", &[], 9, vec![1]);
    let mut inner = node("Exp", &["x"], "r");
    for _ in 0..30 {
        let branch = GraphProto {
            output: vec![ValueInfoProto { name: Some("r".into()), ..ValueInfoProto::default() }],
            node: vec![inner],
            ..GraphProto::default()
        };
        let graph = |name: &str| AttributeProto {
            name: Some(name.into()),
            g: Some(Box::new(branch.clone())),
            r#type: Some(5),
            ..AttributeProto::default()
        };
        let both = vec![graph("then_branch")];
        inner = with(node("If", &["yes"], "r"), both);
    }
    inner.output = vec!["y".into()];
    let text = load(folder.path(), &model(vec![inner], vec![yes()])).unwrap_err().to_string();
    assert!(text.contains("hostile.onnx"), "{text}");
    assert!(text.contains("deep") || text.contains("nested"), "{text}");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = encode(&model(vec![node("Relu", &["x"], "y")], vec![])).unwrap();
    let at = bytes.windows(5).position(|part| part == b"the y").unwrap();
    bytes[at] = 0xff;
    let path = folder.path().join("hostile.onnx");
    std::fs::write(&path, &bytes).unwrap();
    let text = within_memory(|| onnx::load(&path)).unwrap_err().to_string();
    assert!(text.contains("hostile.onnx") && text.contains("UTF-8"), "{text}");
    let mode = AttributeProto {
        name: Some("mode".into()),
        s: Some(vec![0xff, 0xfe]),
        r#type: Some(3),
        ..AttributeProto::default()
    };
    let pad = with(node("Pad", &["x", "w"], "y"), vec![mode]);
    let pads = vec![ints("w", &[0, 0, 1, 1, 0, 0, 1, 1])];
    let text = load(folder.path(), &model(vec![pad], pads)).unwrap_err().to_string();
    assert!(text.contains("the y") && text.contains("UTF-8"), "{text}");
}

#[test]
fn weights_in_other_files_are_read_below_the_folder_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("model");
    std::fs::create_dir_all(inside.join("deeper")).unwrap();
    let numbers: Vec<u8> = (0..6_u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
    std::fs::write(inside.join("deeper/weights.bin"), &numbers).unwrap();
    std::fs::write(folder.path().join("secret.bin"), &numbers).unwrap();
    let at = |location: &str, more: &[(&str, &str)]| {
        let first = [("location", location)];
        let entries = first.iter().chain(more).map(|(key, value)| StringStringEntryProto {
            key: Some((*key).into()),
            value: Some((*value).into()),
        });
        let weight = TensorProto {
            raw_data: None,
            data_location: Some(1),
            external_data: entries.collect(),
            ..tensor("w", &[6], 1, vec![])
        };
        load(&inside, &model(vec![node("Mul", &["x", "w"], "y")], vec![weight]))
    };
    let network = at("deeper/weights.bin", &[]).unwrap();
    assert_eq!(network.params()[0].values[..], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    let absolute = folder.path().join("secret.bin").to_string_lossy().into_owned();
    for (location, more) in [
        ("../secret.bin", &[][..]),
        ("deeper/../../secret.bin", &[]),
        (&absolute[..], &[]),
        ("", &[]),
        ("deeper", &[]),
        ("deeper/weights.bin", &[("offset", "4")]),
        ("deeper/weights.bin", &[("offset", "-1")]),
        ("deeper/weights.bin", &[("offset", "18446744073709551615"), ("length", "24")]),
        ("deeper/weights.bin", &[("length", "1000000000000")]),
    ] {
        let text = at(location, more).unwrap_err().to_string();
        assert!(text.contains("hostile.onnx") && text.contains("\"w\""), "{location}: {text}");
    }
}

/// Every operator that is read, with settings and inputs that make no sense: an error or a network.
#[test]
fn no_operator_panics_on_settings_that_make_no_sense() {
    let names = [
        "axis",
        "axes",
        "perm",
        "group",
        "strides",
        "pads",
        "dilations",
        "kernel_shape",
        "blocksize",
        "to",
        "keepdims",
        "num_groups",
        "size",
        "split",
        "num_outputs",
        "exclusive",
        "reverse",
        "upper",
        "p",
        "output_shape",
        "output_padding",
        "ceil_mode",
        "starts",
        "ends",
        "start",
        "end",
    ];
    let values = [i64::MIN, -3, -1, 0, 1, 2, 5, 1 << 33, i64::MAX];
    let weights = || {
        vec![
            ints("i0", &[]),
            ints("i1", &[1]),
            ints("i2", &[-1, i64::MAX]),
            ints("i4", &[0, 2, i64::MIN, 3]),
            tensor("f", &[], 1, 0.5_f32.to_le_bytes().to_vec()),
            tensor(
                "w",
                &[2, 2, 1, 1],
                1,
                [0.5_f32; 4].iter().flat_map(|f| f.to_le_bytes()).collect(),
            ),
            tensor("v", &[2], 1, [f32::NAN, 1.0].iter().flat_map(|f| f.to_le_bytes()).collect()),
        ]
    };
    let inputs: [&[&str]; 12] = [
        &["x"],
        &["x", "i0"],
        &["x", "i1"],
        &["x", "i2"],
        &["x", "i4"],
        &["x", "f"],
        &["x", "w"],
        &["w", "x"],
        &["x", "x"],
        &["x", "w", "v"],
        &["x", "v", "v", "v", "v"],
        &["x", "i1", "i2", "i1", "i1"],
    ];
    let (mut tried, mut changed) = (0, Vec::new());
    let attribute_text = |name: &str, value: i64| format!("{name} {value}");
    for op in onnx::OPERATORS {
        for (at, inputs) in inputs.iter().enumerate() {
            for (round, &value) in values.iter().enumerate() {
                let name = names[(at * 7 + round * 5 + op.name.len()) % names.len()];
                let attribute = match (at + round) % 3 {
                    0 => vec![],
                    1 => vec![int(name, value)],
                    _ => vec![list(name, &[value, values[(round + 3) % values.len()]])],
                };
                let node = with(node(op.name, inputs, "y"), attribute);
                let bytes = encode(&model(vec![node], weights())).unwrap();
                if let Ok(network) = within_memory(|| onnx::from_bytes(&bytes)) {
                    let again = onnx::from_bytes(&onnx::to_bytes(&network).unwrap());
                    if !again.as_ref().is_ok_and(|again| again.hash() == network.hash()) {
                        let list = attribute_text(name, value);
                        changed.push(format!("{} {inputs:?} {list}: {:?}", op.name, again.err()));
                    }
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 9_000, "{tried}");
    assert!(changed.is_empty(), "written and read again they differ:\n{}", changed.join("\n"));
}
