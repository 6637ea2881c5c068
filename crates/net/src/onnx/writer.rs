//! From a network to a file's structure.
//!
//! Values, nodes and weights keep their names, so that Netron and ONNX Runtime show the names that
//! Cutaway shows.

use std::collections::HashSet;

use super::metadata;
use super::ops::{Written, write as write_op};
use super::proto::{
    DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, data_type,
};
use super::tensor::write_floats;
use super::{IR_VERSION, OPSET};
use crate::{Layout, Network, Node, NodeId, Op, Result};

/// Name of the batch axis.
const BATCH: &str = "N";

/// The whole model.
pub(crate) fn write(network: &Network) -> Result<ModelProto> {
    network.check_metadata()?;
    Ok(ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("cutaway".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        doc_string: Some(describe(network)),
        graph: Some(graph(network)),
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(OPSET),
        }],
        metadata_props: metadata::write(network)?,
    })
}

fn graph(network: &Network) -> GraphProto {
    let outputs: HashSet<NodeId> = network.outputs().iter().copied().collect();
    let mut names: HashSet<String> = network.nodes().iter().map(|node| node.name.clone()).collect();
    names.extend(network.params().iter().map(|param| param.name.clone()));
    let weights = network.params().iter();
    let mut graph = GraphProto {
        name: Some(network.name().to_owned()),
        initializer: weights
            .map(|param| write_floats(&param.name, &param.shape, &param.values))
            .collect(),
        input: vec![value_info(network, network.input(), Some(describe_input(network)))],
        ..GraphProto::default()
    };
    for (index, node) in network.nodes().iter().enumerate() {
        let Some(written) = write_op(network, node) else { continue };
        graph.node.push(write_node(network, node, written, &mut names, &mut graph.initializer));
        if !outputs.contains(&NodeId(index)) {
            graph.value_info.push(value_info(network, NodeId(index), None));
        }
    }
    let outputs = network.outputs().iter();
    graph.output =
        outputs.map(|&id| value_info(network, id, describe_output(network, id))).collect();
    graph
}

fn write_node(
    network: &Network,
    node: &Node,
    written: Written,
    names: &mut HashSet<String>,
    initializers: &mut Vec<TensorProto>,
) -> NodeProto {
    let data = node.inputs.iter().map(|&input| network.node(input).name.clone());
    let params = node.params.iter().map(|&param| network.param(param).name.clone());
    let mut input: Vec<String> = data.chain(params).collect();
    for (suffix, tensor) in written.constants {
        let name = free_name(format!("{}.{suffix}", node.name), names);
        input.push(name.clone());
        initializers.push(TensorProto { name: Some(name), ..tensor });
    }
    NodeProto {
        input,
        output: vec![node.name.clone()],
        name: Some(node.name.clone()),
        op_type: Some(written.op_type.to_owned()),
        attribute: written.attributes,
        domain: None,
    }
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
