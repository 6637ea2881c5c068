//! What a file says of itself, and what became of its nodes when it was read.

use std::collections::BTreeMap;

use serde::Serialize;

use super::proto::{ModelProto, ValueInfoProto, data_type};
use crate::NodeId;

/// A file as it was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Version of ONNX's own operators.
    pub opset: i64,
    /// Version of the file format; 0 where the file does not say.
    pub ir_version: i64,
    /// What made the file, with its version.
    pub producer: String,
    /// The inputs that are no weights.
    pub inputs: Vec<Port>,
    /// The outputs.
    pub outputs: Vec<Port>,
    /// The file's nodes by operator, those in the branches of an `If` too.
    pub operators: BTreeMap<String, usize>,
    /// Nodes that were worked out when the file was read: constants, shapes, weights made of weights.
    pub worked_out: BTreeMap<String, usize>,
    /// Nodes that became part of another, or nothing: a bias that is added, an identity.
    pub merged: BTreeMap<String, usize>,
    /// The batch size that the model is fixed to, where it is.
    pub batch: Option<usize>,
    /// Which node computes which of the file's values.
    #[serde(skip)]
    pub values: Vec<FileValue>,
}

/// A value of the file that a node computes: for one sample the same numbers in the same order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileValue {
    /// What the file calls it.
    pub name: String,
    /// The node.
    pub node: NodeId,
    /// The file's axis that is the batch; `None` where it has become part of another.
    pub batch: Option<usize>,
}

/// An input or an output as the file declares it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its type: `FLOAT`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Its sizes: a number, or the name of an open one; `?` where the file does not say.
    pub shape: Vec<String>,
}

impl Port {
    pub(crate) fn new(info: &ValueInfoProto) -> Port {
        let tensor = info.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        let dims = tensor.and_then(|tensor| tensor.shape.as_ref());
        let dims = dims.map_or(&[][..], |shape| &shape.dim[..]).iter();
        let size = |value: Option<i64>, name: &Option<String>| match (value, name) {
            (Some(value), _) => value.to_string(),
            (None, Some(name)) if !name.is_empty() => name.clone(),
            _ => "?".to_owned(),
        };
        Port {
            name: info.name.clone().unwrap_or_default(),
            kind: data_type::name(tensor.and_then(|tensor| tensor.elem_type).unwrap_or(0)),
            shape: dims.map(|dim| size(dim.dim_value, &dim.dim_param)).collect(),
        }
    }
}

impl Report {
    /// What stands at the top of the file.
    pub(crate) fn of(model: &ModelProto, opset: i64) -> Report {
        let producer = [&model.producer_name, &model.producer_version];
        let words: Vec<&str> = producer.into_iter().flatten().map(String::as_str).collect();
        let graph = model.graph.as_ref();
        let outputs = graph.map_or(&[][..], |graph| &graph.output[..]);
        Report {
            opset,
            ir_version: model.ir_version.unwrap_or(0),
            producer: words.join(" ").trim().to_owned(),
            outputs: outputs.iter().map(Port::new).collect(),
            ..Report::default()
        }
    }
}
