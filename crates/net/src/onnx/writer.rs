//! From a network to a file's structure.
//!
//! Values, nodes and weights keep their names, so that Netron and ONNX Runtime show the names that
//! Cutaway shows.

use std::collections::HashSet;

use super::attributes::int;
use super::metadata;
use super::ops::{Written, write as write_op};
use super::proto::{
    DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, data_type,
};
use super::tensor::{write_floats, write_ints};
use super::{IR_VERSION, OPSET};
use crate::{Binary, Layout, Network, Node, NodeId, Op, Param, Result, Unary};

/// Name of the batch axis.
const BATCH: &str = "N";

/// The whole model.
pub(crate) fn write(network: &Network) -> Result<ModelProto> {
    network.check_metadata()?;
    let newest = |written: Written| written.opset.max(written.then.map_or(0, |then| then.opset));
    let needed = network.nodes().iter().filter_map(|node| write_op(network, node)).map(newest);
    let opset = needed.fold(OPSET, i64::max);
    Ok(ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("cutaway".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        doc_string: Some(describe(network)),
        graph: Some(graph(network)),
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(opset),
        }],
        metadata_props: metadata::write(network)?,
    })
}

fn graph(network: &Network) -> GraphProto {
    let outputs: HashSet<NodeId> = network.outputs().iter().copied().collect();
    let mut names: HashSet<String> = network.nodes().iter().map(|node| node.name.clone()).collect();
    names.extend(network.params().iter().map(|param| param.name.clone()));
    let mut graph = GraphProto {
        name: Some(network.name().to_owned()),
        initializer: network.params().iter().map(weight).collect(),
        input: vec![value_info(network, network.input(), Some(describe_input(network)))],
        ..GraphProto::default()
    };
    for (index, node) in network.nodes().iter().enumerate() {
        let Some(written) = write_op(network, node) else { continue };
        write_node(network, node, written, &mut names, &mut graph);
        if !outputs.contains(&NodeId(index)) {
            graph.value_info.push(value_info(network, NodeId(index), None));
        }
    }
    let outputs = network.outputs().iter();
    graph.output =
        outputs.map(|&id| value_info(network, id, describe_output(network, id))).collect();
    graph
}

fn weight(param: &Param) -> TensorProto {
    write_floats(&param.name, &param.shape, &param.values)
}

/// Adds a node of ours: one of ONNX's, or a few of which the last has its name.
fn write_node(
    network: &Network,
    node: &Node,
    written: Written,
    names: &mut HashSet<String>,
    graph: &mut GraphProto,
) {
    let data = node.inputs.iter().map(|&input| network.node(input).name.clone());
    let params: Vec<&Param> = node.params.iter().map(|&param| network.param(param)).collect();
    let own = params.iter().map(|param| param.name.clone());
    let mut input: Vec<String> = data.chain(own).collect();
    let mut written = written;
    match node.op {
        Op::Constant { .. } => input.push(batch_shape(network, node, names, graph)),
        Op::Dense if written.op_type == "MatMul" => {
            let place =
                graph.initializer.iter().position(|tensor| tensor.name == Some(input[1].clone()));
            if let Some(place) = place {
                graph.initializer[place] = turned(params[0]);
            }
            if let Some(bias) = params.get(1) {
                input.truncate(2);
                let add = Written::after("Add", vec![bias.name.clone()]);
                written.then = Some(Box::new(add));
            }
        }
        _ => {}
    }
    if let Some(place) = adds_to_layer(network, node) {
        input[place] = kept_apart(&input[place], node, names, graph);
    }
    for &place in &written.conditions {
        input[place] = as_condition(&input[place], node, names, graph);
    }
    let mut name = node.name.clone();
    loop {
        input.append(&mut written.inputs);
        for (suffix, tensor) in written.constants {
            let name = free_name(format!("{}.{suffix}", node.name), names);
            input.push(name.clone());
            graph.initializer.push(TensorProto { name: Some(name), ..tensor });
        }
        let output = match written.then {
            None => node.name.clone(),
            Some(_) => free_name(format!("{}.before", node.name), names),
        };
        graph.node.push(NodeProto {
            input,
            output: vec![output.clone()],
            name: Some(name),
            op_type: Some(written.op_type.to_owned()),
            attribute: written.attributes,
            domain: None,
        });
        let Some(then) = written.then else { return };
        (input, name) = (vec![output], free_name(format!("{}.after", node.name), names));
        written = *then;
    }
}

/// Which input of a node that adds a constant is a layer without a bias. Read again, the constant would
/// become its bias.
fn adds_to_layer(network: &Network, node: &Node) -> Option<usize> {
    let constant = |input: &NodeId| matches!(network.node(*input).op, Op::Constant { .. });
    let adds = match node.op {
        Op::Unary(Unary::Shift { .. }) => true,
        Op::Add | Op::Binary(Binary::Add) => node.inputs.iter().any(constant),
        _ => false,
    };
    let bare = |input: &NodeId| {
        let layer = network.node(*input);
        matches!(layer.op, Op::Conv(_) | Op::Dense) && layer.params.len() == 1
    };
    node.inputs.iter().position(bare).filter(|_| adds)
}

/// The same value under another name.
fn kept_apart(
    value: &str,
    node: &Node,
    names: &mut HashSet<String>,
    graph: &mut GraphProto,
) -> String {
    let name = free_name(format!("{}.apart", node.name), names);
    graph.node.push(NodeProto {
        input: vec![value.to_owned()],
        output: vec![name.clone()],
        name: Some(name.clone()),
        op_type: Some("Identity".to_owned()),
        attribute: vec![],
        domain: None,
    });
    name
}

/// A value as `BOOL`, which ONNX has conditions in.
fn as_condition(
    value: &str,
    node: &Node,
    names: &mut HashSet<String>,
    graph: &mut GraphProto,
) -> String {
    let name = free_name(format!("{}.condition", node.name), names);
    graph.node.push(NodeProto {
        input: vec![value.to_owned()],
        output: vec![name.clone()],
        name: Some(name.clone()),
        op_type: Some("Cast".to_owned()),
        attribute: vec![int("to", data_type::BOOL as usize)],
        domain: None,
    });
    name
}

/// A matrix `[out, in]` as ONNX's `MatMul` takes it.
fn turned(param: &Param) -> TensorProto {
    let (rows, columns) = (param.shape[0], param.shape[1]);
    let column = |column: usize| (0..rows).map(move |row| row * columns + column);
    let values: Vec<f32> = (0..columns).flat_map(column).map(|at| param.values[at]).collect();
    write_floats(&param.name, &[columns, rows], &values)
}

/// The shape of a constant with the batch's size in front: what it is for each sample.
fn batch_shape(
    network: &Network,
    node: &Node,
    names: &mut HashSet<String>,
    graph: &mut GraphProto,
) -> String {
    let mut name = |what: &str| free_name(format!("{}.{what}", node.name), names);
    let (sizes, batch, shape) = (name("sizes"), name("batch"), name("shape"));
    let own: Vec<i64> =
        network.param(node.params[0]).shape.iter().map(|&size| size as i64).collect();
    graph.initializer.push(TensorProto { name: Some(sizes.clone()), ..write_ints("", &own) });
    let image = network.node(network.input()).name.clone();
    let made = |op: &str, input: Vec<String>, output: &String, attribute| NodeProto {
        input,
        output: vec![output.clone()],
        name: Some(output.clone()),
        op_type: Some(op.to_owned()),
        attribute,
        domain: None,
    };
    let ends = vec![int("start", 0), int("end", 1)];
    graph.node.push(made("Shape", vec![image], &batch, ends));
    let axis = vec![int("axis", 0)];
    graph.node.push(made("Concat", vec![batch, sizes], &shape, axis));
    shape
}

fn free_name(wanted: String, names: &mut HashSet<String>) -> String {
    let mut name = wanted.clone();
    let mut number = 2;
    while !names.insert(name.clone()) {
        name = format!("{wanted}_{number}");
        number += 1;
    }
    name
}

fn value_info(network: &Network, id: NodeId, doc_string: Option<String>) -> ValueInfoProto {
    let batch = DimensionProto { dim_param: Some(BATCH.into()), dim_value: None };
    let sizes = network.shape(id).iter();
    let sizes = sizes.map(|&size| DimensionProto { dim_value: Some(size as i64), dim_param: None });
    let shape = TensorShapeProto { dim: [batch].into_iter().chain(sizes).collect() };
    let tensor = TensorTypeProto { elem_type: Some(data_type::FLOAT), shape: Some(shape) };
    ValueInfoProto {
        name: Some(network.node(id).name.clone()),
        r#type: Some(TypeProto { tensor_type: Some(tensor) }),
        doc_string,
    }
}

fn describe(network: &Network) -> String {
    let params: usize = network.params().iter().map(|param| param.values.len()).sum();
    let mut text = format!("{}: {params} parameters, made by Cutaway.", network.name());
    if let Some(training) = &network.metadata().training {
        text += &format!(
            " Trained on {} with recipe {}, seed {}, {} epochs.",
            training.dataset, training.recipe, training.seed, training.epochs
        );
        if let Some(accuracy) = training.test_accuracy {
            text += &format!(" Test accuracy {:.2} %.", accuracy * 100.0);
        }
    }
    text
}

fn describe_input(network: &Network) -> String {
    let preprocessing = &network.metadata().preprocessing;
    let layout = match preprocessing.layout {
        Layout::Nchw => "sample, channel, row, column",
        Layout::Nhwc => "sample, row, column, channel",
    };
    format!(
        "Images of {}×{} pixels, {} channel(s), axes {layout}: (raw value from 0 to 255 × {} − mean \
         {:?}) / std {:?}",
        preprocessing.height,
        preprocessing.width,
        preprocessing.channels,
        preprocessing.scale,
        preprocessing.mean,
        preprocessing.std
    )
}

fn describe_output(network: &Network, id: NodeId) -> Option<String> {
    let what = match network.node(id).op {
        Op::Softmax => "Probabilities of the classes",
        Op::LogSoftmax => "Logarithms of the classes' probabilities",
        _ if id == network.logits() => "Scores of the classes (logits)",
        _ => return None,
    };
    Some(what.to_owned())
}
