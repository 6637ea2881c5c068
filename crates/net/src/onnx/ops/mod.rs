//! One file a family of operators: how each is written, and how it is read.
//!
//! To read another ONNX operator, add a function to its family's file and a line to [`reader`].

mod activation;
mod constant;
mod conv;
mod dense;
mod merge;
mod norm;
mod pool;
mod reshape;
mod window;

use super::proto::{AttributeProto, TensorProto};
use super::reader::{Call, Import};
use crate::{Network, Node, Op};

/// Reads one node: adds nodes to the import, or binds the node's output to what is there already.
pub(crate) type Read = fn(&mut Import, &Call<'_>) -> Result<(), String>;

/// The function that reads an operator of ONNX's own domain, where there is one.
pub(crate) fn reader(op_type: &str) -> Option<Read> {
    Some(match op_type {
        "Add" => merge::read_add,
        "AveragePool" => pool::read_average,
        "BatchNormalization" => norm::read_batch_norm,
        "Cast" => constant::read_cast,
        "Concat" => merge::read_concat,
        "Constant" => constant::read_constant,
        "Conv" => conv::read,
        "Dropout" => norm::read_dropout,
        "Flatten" => reshape::read_flatten,
        "Gather" => constant::read_gather,
        "Gemm" => dense::read_gemm,
        "GlobalAveragePool" => pool::read_global_average,
        "Identity" => constant::read_identity,
        "LogSoftmax" => activation::read_log_softmax,
        "MatMul" => dense::read_mat_mul,
        "MaxPool" => pool::read_max,
        "Relu" => activation::read_relu,
        "Reshape" => reshape::read_reshape,
        "Shape" => constant::read_shape,
        "Softmax" => activation::read_softmax,
        "Squeeze" => reshape::read_squeeze,
        "Sum" => merge::read_sum,
        "Unsqueeze" => reshape::read_unsqueeze,
        _ => return None,
    })
}

/// How a node of ours is written.
pub(crate) struct Written {
    /// ONNX's name of the operator.
    pub(crate) op_type: &'static str,
    /// Its settings.
    pub(crate) attributes: Vec<AttributeProto>,
    /// Constant inputs after the node's inputs and parameters, with what is appended to the node's
    /// name to name them.
    pub(crate) constants: Vec<(&'static str, TensorProto)>,
}

impl Written {
    fn new(op_type: &'static str, attributes: Vec<AttributeProto>) -> Self {
        Self { op_type, attributes, constants: Vec::new() }
    }
}

/// Writes a node; `None` for the input, which is no node in ONNX.
pub(crate) fn write(network: &Network, node: &Node) -> Option<Written> {
    Some(match &node.op {
        Op::Input { .. } => return None,
        Op::Conv(conv) => conv::write(conv, &network.param(node.params[0]).shape),
        Op::MaxPool(pool) => pool::write_max(pool),
        Op::AvgPool(pool) => pool::write_average(pool),
        Op::GlobalAvgPool => Written::new("GlobalAveragePool", vec![]),
        Op::Dense => dense::write(),
        Op::Relu => Written::new("Relu", vec![]),
        Op::Softmax => activation::write_softmax("Softmax"),
        Op::LogSoftmax => activation::write_softmax("LogSoftmax"),
        Op::Flatten => reshape::write_flatten(),
        Op::Reshape { shape } => reshape::write_reshape(shape),
        Op::Add => merge::write_add(node.inputs.len()),
        Op::Concat => merge::write_concat(),
        Op::BatchNorm { epsilon, momentum } => norm::write_batch_norm(*epsilon, *momentum),
        Op::Dropout { rate } => norm::write_dropout(*rate),
    })
}
