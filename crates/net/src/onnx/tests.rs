//! Models that are damaged on purpose, one promise at a time.

use prost::Message;

use super::proto::{
    AttributeProto, DimensionProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto,
};
use super::{from_bytes, to_bytes};
use crate::{ConvSpec, Error, NetworkBuilder};

/// `image` [1, 6, 6] → `conv` → `relu` → `pool` → `flat` → `dense` → `soft`, as a file has it.
fn model() -> ModelProto {
    let network = NetworkBuilder::new("small")
        .input("image", &[1, 6, 6])
        .conv("conv", ConvSpec::new(2, 3))
        .relu("relu")
        .max_pool("pool", 2)
        .flatten("flat")
        .dense("dense", 3)
        .softmax("soft")
        .build(1)
        .unwrap();
    ModelProto::decode(&to_bytes(&network).unwrap()[..]).unwrap()
}

fn result_of(change: impl FnOnce(&mut ModelProto)) -> Result<crate::Network, Error> {
    let mut model = model();
    change(&mut model);
    from_bytes(&model.encode_to_vec())
}

/// The message after a change to the model, which must be refused.
fn refused(change: impl FnOnce(&mut ModelProto)) -> String {
    result_of(change).expect_err("it should be refused").to_string()
}

fn node<'a>(model: &'a mut ModelProto, name: &str) -> &'a mut NodeProto {
    let nodes = &mut model.graph.as_mut().unwrap().node;
    nodes.iter_mut().find(|node| node.name.as_deref() == Some(name)).unwrap()
}

fn weight<'a>(model: &'a mut ModelProto, name: &str) -> &'a mut TensorProto {
    let weights = &mut model.graph.as_mut().unwrap().initializer;
    weights.iter_mut().find(|weight| weight.name.as_deref() == Some(name)).unwrap()
}

fn attribute<'a>(model: &'a mut ModelProto, of: &str, name: &str) -> &'a mut AttributeProto {
    let attributes = &mut node(model, of).attribute;
    attributes.iter_mut().find(|attribute| attribute.name.as_deref() == Some(name)).unwrap()
}

fn image_dims(model: &mut ModelProto) -> &mut Vec<DimensionProto> {
    let input = &mut model.graph.as_mut().unwrap().input[0];
    let tensor = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    &mut tensor.shape.as_mut().unwrap().dim
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "expected {part:?} in: {text}");
    }
}

#[test]
fn all_unknown_operators_are_listed_at_once_with_their_nodes() {
    let error = result_of(|model| {
        node(model, "relu").op_type = Some("LSTM".into());
        node(model, "flat").op_type = Some("LSTM".into());
        node(model, "soft").domain = Some("com.example".into());
    })
    .unwrap_err();
    let Error::UnsupportedOperators { operators, opset: 17 } = &error else { panic!("{error}") };
    assert_eq!(operators.len(), 2);
    assert_says(
        &error.to_string(),
        &["operator set 17", "LSTM: node \"relu\", \"flat\"", "com.example.Softmax: node \"soft\""],
    );
}

#[test]
fn a_cycle_is_found() {
    let text = refused(|model| node(model, "relu").input = vec!["flat".into()]);
    assert_says(&text, &["node \"relu\" (Relu)", "cycle"]);
    let text = refused(|model| node(model, "relu").input = vec!["relu".into()]);
    assert_says(&text, &["node \"relu\" (Relu)", "cycle"]);
}

#[test]
fn nodes_in_any_order_are_put_in_order() {
    let network = result_of(|model| model.graph.as_mut().unwrap().node.reverse()).unwrap();
    assert_eq!(network.nodes()[1].name, "conv");
}

#[test]
fn values_from_nowhere_and_values_made_twice_are_named() {
    let text = refused(|model| node(model, "relu").input = vec!["ghost".into()]);
    assert_says(&text, &["\"relu\"", "takes \"ghost\", which is neither a weight"]);
    let text = refused(|model| node(model, "relu").output = vec!["conv".into()]);
    assert_says(&text, &["\"conv\" is produced twice"]);
    let text = refused(|model| node(model, "relu").output.clear());
    assert_says(&text, &["\"relu\"", "has no output"]);
    let text = refused(|model| {
        model.graph.as_mut().unwrap().output[0].name = Some("ghost".into());
    });
    assert_says(&text, &["output \"ghost\" that nothing produces"]);
}

#[test]
fn missing_weights_are_named() {
    let text = refused(|model| {
        let weights = &mut model.graph.as_mut().unwrap().initializer;
        weights.retain(|weight| weight.name.as_deref() != Some("conv.bias"));
    });
    assert_says(&text, &["\"conv\" (Conv)", "takes \"conv.bias\", which is neither a weight"]);
    let text = refused(|model| node(model, "dense").input.truncate(1));
    assert_says(&text, &["\"dense\" (Gemm)", "input 1 is missing"]);
    let text = refused(|model| node(model, "dense").input[1] = "flat".into());
    assert_says(&text, &["input 1 is computed by \"flat\"; only constants"]);
}

#[test]
fn weights_must_hold_what_their_shape_says() {
    let text = refused(|model| weight(model, "conv.weight").dims[0] = 3);
    assert_says(&text, &["weight \"conv.weight\"", "[3, 1, 3, 3] means 108 bytes", "holds 72"]);
    let text = refused(|model| weight(model, "conv.weight").dims = vec![i64::MAX; 4]);
    assert_says(&text, &["\"conv.weight\"", "more elements than are supported"]);
    let text = refused(|model| weight(model, "conv.weight").dims[1] = -1);
    assert_says(&text, &["\"conv.weight\"", "negative size"]);
    let text = refused(|model| weight(model, "conv.weight").raw_data = None);
    assert_says(&text, &["means 18 values, but the file holds 0"]);
    let text = refused(|model| weight(model, "conv.weight").float_data = vec![1.0; 17]);
    assert_says(&text, &["means 18 values, but the file holds 17"]);
    let text = refused(|model| weight(model, "conv.weight").data_type = Some(8));
    assert_says(&text, &["\"conv\"", "type STRING; only FLOAT"]);
    let text = refused(|model| weight(model, "dense.weight").name = Some("conv.weight".into()));
    assert_says(&text, &["two weights named \"conv.weight\""]);
}

#[test]
fn weights_in_other_files_are_refused_with_the_way_out() {
    let text = refused(|model| {
        let weight = weight(model, "conv.weight");
        weight.data_location = Some(1);
        weight.raw_data = None;
        weight.external_data = vec![StringStringEntryProto {
            key: Some("location".into()),
            value: Some("../secrets.bin".into()),
        }];
    });
    assert_says(&text, &["another file (\"../secrets.bin\")", "onnx.save("]);
}

#[test]
fn absurd_geometry_is_refused_at_its_node() {
    let text = refused(|model| attribute(model, "conv", "pads").ints = vec![-1, 0, 0, 0]);
    assert_says(&text, &["\"conv\" (Conv)", "\"pads\" is [-1, 0, 0, 0]"]);
    let text = refused(|model| attribute(model, "conv", "pads").ints = vec![i64::MAX; 4]);
    assert_says(&text, &["\"conv\" (Conv)", "padding"]);
    let text = refused(|model| attribute(model, "conv", "strides").ints = vec![0, 1]);
    assert_says(&text, &["\"conv\" (Conv)", "stride's height is 0"]);
    let text = refused(|model| attribute(model, "conv", "strides").ints = vec![1]);
    assert_says(&text, &["expected 2 numbers"]);
    let text = refused(|model| attribute(model, "conv", "group").i = Some(-4));
    assert_says(&text, &["\"conv\" (Conv)", "groups"]);
    let text = refused(|model| attribute(model, "conv", "group").i = None);
    assert_says(&text, &["attribute \"group\" should be a whole number"]);
    let text = refused(|model| attribute(model, "pool", "kernel_shape").ints = vec![9, 9]);
    assert_says(&text, &["\"pool\" (MaxPool)", "the kernel spans 9"]);
    let text =
        refused(|model| attribute(model, "pool", "kernel_shape").name = Some("kernel".into()));
    assert_says(&text, &["\"pool\" (MaxPool)", "kernel_shape [0, 0]"]);
    let text = refused(|model| attribute(model, "conv", "group").name = Some("twist".into()));
    assert_says(&text, &["\"conv\" (Conv)", "attribute \"twist\" is not supported"]);
}

#[test]
fn the_input_must_be_one_float_image_of_fixed_size() {
    let text = refused(|model| image_dims(model)[2].dim_value = None);
    assert_says(&text, &["\"image\"", "along axis 2 is not given", "fixed image size"]);
    let text = refused(|model| image_dims(model)[2].dim_value = Some(-6));
    assert_says(&text, &["along axis 2 is -6"]);
    let text = refused(|model| image_dims(model)[3].dim_value = Some(i64::MAX));
    assert_says(&text, &["\"image\"", "elements"]);
    let text = refused(|model| image_dims(model).truncate(1));
    assert_says(&text, &["of 1 axes; expected [batch, channels, height, width]"]);
    let text = refused(|model| {
        let input = &mut model.graph.as_mut().unwrap().input[0];
        input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().elem_type = Some(2);
    });
    assert_says(&text, &["of type UINT8; only FLOAT"]);
    let text = refused(|model| model.graph.as_mut().unwrap().input.clear());
    assert_says(&text, &["has 0 inputs"]);
    let text = refused(|model| {
        let inputs = &mut model.graph.as_mut().unwrap().input;
        inputs.push(inputs[0].clone());
        inputs[1].name = Some("mask".into());
    });
    assert_says(&text, &["has 2 inputs", "\"image\", \"mask\""]);
}

#[test]
fn a_model_without_graph_outputs_or_version_is_none() {
    assert_says(&refused(|model| model.graph = None), &["has no graph"]);
    assert_says(&refused(|model| model.opset_import.clear()), &["no version"]);
    assert_says(
        &refused(|model| model.opset_import[0].version = Some(6)),
        &["operator set 6; 7 or newer", "version_converter"],
    );
    assert_says(&refused(|model| model.graph.as_mut().unwrap().output.clear()), &["output"]);
    assert_says(
        &refused(|model| model.graph.as_mut().unwrap().sparse_initializer = vec![vec![]]),
        &["sparse weights"],
    );
}

#[test]
fn metadata_that_make_no_sense_name_their_key() {
    let set = |key: &'static str, value: &'static str| {
        refused(move |model| {
            let entry = StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) };
            model.metadata_props = vec![entry];
        })
    };
    assert_says(&set("cutaway.labels", "[1, 2]"), &["\"cutaway.labels\"", "line 1 column 2"]);
    assert_says(&set("cutaway.labels", r#"["a"]"#), &["1 labels but the network's output has 3"]);
    assert_says(
        &set("cutaway.preprocessing", "{}"),
        &["\"cutaway.preprocessing\"", "missing field"],
    );
}

#[test]
fn metadata_of_others_are_ignored() {
    let network = result_of(|model| {
        let entry = StringStringEntryProto { key: Some("author".into()), value: Some("me".into()) };
        model.metadata_props = vec![entry];
    });
    assert!(network.unwrap().metadata().labels.is_empty());
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let mut bytes = model().encode_to_vec();
    let at = bytes.windows(4).position(|window| window == b"relu").unwrap();
    bytes[at] = 0xff;
    assert_says(&from_bytes(&bytes).unwrap_err().to_string(), &["is damaged", "UTF-8"]);
}

#[test]
fn a_weight_used_over_and_over_cannot_fill_the_memory() {
    let text = refused(|model| {
        let graph = model.graph.as_mut().unwrap();
        let matrix = TensorProto {
            dims: vec![512, 512],
            raw_data: Some(vec![0; 4 * 512 * 512]),
            ..graph.initializer[0].clone()
        };
        graph.initializer = vec![TensorProto { name: Some("m".into()), ..matrix }];
        let product = |index: usize| NodeProto {
            input: vec![format!("v{index}"), "m".into()],
            output: vec![format!("v{}", index + 1)],
            op_type: Some("MatMul".into()),
            ..NodeProto::default()
        };
        graph.node = (0..40).map(product).collect();
        graph.input[0].name = Some("v0".into());
        graph.output[0].name = Some("v40".into());
        let dims = image_dims(model);
        dims.truncate(2);
        dims[1].dim_value = Some(512);
        model.metadata_props.clear();
    });
    assert_says(&text, &["(MatMul)", "uses the same weights so often"]);
}

#[test]
fn outputs_beyond_the_first_must_not_be_used() {
    let text = refused(|model| {
        node(model, "pool").output.push("indices".into());
        node(model, "flat").input[0] = "indices".into();
    });
    assert_says(&text, &["\"pool\" (MaxPool)", "\"indices\" is used"]);
}

#[test]
fn a_constant_joins_a_layer_as_bias_only_where_nothing_else_sees_the_layer() {
    let with_add = |through: Option<&str>| {
        let made = result_of(|model| {
            node(model, "conv").input.truncate(2);
            let graph = model.graph.as_mut().unwrap();
            graph.initializer[1].dims = vec![2, 1, 1];
            let join = |op: &str, inputs: &[&str], output: &str| NodeProto {
                input: inputs.iter().map(|&name| name.to_owned()).collect(),
                output: vec![output.to_owned()],
                op_type: Some(op.to_owned()),
                ..NodeProto::default()
            };
            graph.node.extend(through.map(|name| join("Identity", &["conv"], name)));
            graph.node.push(join("Add", &[through.unwrap_or("conv"), "conv.bias"], "biased"));
        });
        made.unwrap()
    };
    for network in [with_add(None), with_add(Some("alias"))] {
        let conv = network.node(network.find("conv").unwrap());
        assert_eq!(conv.params.len(), 1);
        let sum = network.node(network.find("biased").unwrap());
        assert_eq!(sum.op.kind(), "AddBroadcast");
        let bias = network.node(sum.inputs[1]);
        assert_eq!((bias.name.as_str(), bias.op.kind()), ("conv.bias", "Constant"));
        assert!(!network.param(bias.params[0]).trainable);
    }
}

#[test]
fn what_is_made_while_reading_is_bounded() {
    let text = refused(|model| {
        let graph = model.graph.as_mut().unwrap();
        let weight = graph.initializer.iter_mut().find(|w| w.name.as_deref() == Some("conv.bias"));
        let shape = weight.unwrap();
        (shape.dims, shape.data_type) = (vec![2], Some(7));
        shape.raw_data =
            Some([1_i64 << 15, 1 << 14].iter().flat_map(|n| n.to_le_bytes()).collect());
        graph.node.push(NodeProto {
            input: vec!["conv.bias".into()],
            output: vec!["huge".into()],
            op_type: Some("ConstantOfShape".into()),
            ..NodeProto::default()
        });
        node(model, "conv").input.truncate(2);
    });
    assert_says(&text, &["\"huge\" (ConstantOfShape)", "the most that is supported"]);
}

/// The model with a last node of its own, which takes the given inputs and is the output.
fn with_last(model: &mut ModelProto, operator: &str, inputs: &[&str]) {
    let graph = model.graph.as_mut().unwrap();
    graph.initializer.push(TensorProto::from_floats("c", &[1, 3, 1, 1, 1], &[0.5, 1.5, 2.5]));
    graph.node.push(NodeProto {
        op_type: Some(operator.into()),
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: vec!["last".into()],
        ..NodeProto::default()
    });
    graph.output[0].name = Some("last".into());
}

#[test]
fn a_constant_stands_before_the_first_that_takes_it_also_when_written_and_read_again() {
    // The constant comes first and has an axis more: the image is given another shape after it was met.
    let network = result_of(|model| with_last(model, "Sub", &["c", "image"])).unwrap();
    let names: Vec<&str> = network.nodes().iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names[names.len() - 3..], ["last.reshaped", "c", "last"]);
    let again = from_bytes(&to_bytes(&network).unwrap()).unwrap();
    assert_eq!(again.hash(), network.hash());
}

#[test]
fn an_answer_that_does_not_depend_on_the_image_is_refused_as_a_constant() {
    let text = refused(|model| with_last(model, "PRelu", &["c", "c"]));
    assert_says(&text, &["\"last\"", "constant"]);
}
