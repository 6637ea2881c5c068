//! One file a family of operators: how each is written, and how it is read.
//!
//! To read another ONNX operator, add a function to its family's file and a line to [`reader`].

mod activation;
mod arithmetic;
mod condition;
mod constant;
mod conv;
mod dense;
mod einsum;
mod layout;
mod merge;
mod norm;
mod pick;
mod pool;
mod reduce;
mod reshape;
mod resize;
mod window;

use super::OPSET;
use super::proto::{AttributeProto, TensorProto};
use super::reader::{Call, Import};
use crate::{Network, Node, Op};

/// Reads one node: adds nodes to the import, or binds the node's output to what is there already.
pub(crate) type Read = fn(&mut Import, &Call<'_>) -> Result<(), String>;

/// The function that reads an operator of ONNX's own domain, where there is one.
pub(crate) fn reader(op_type: &str) -> Option<Read> {
    Some(match op_type {
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "PRelu" => arithmetic::read_binary,
        "ArgMax" | "ArgMin" => reduce::read_arg_max,
        "AveragePool" => pool::read_average,
        "BatchNormalization" => norm::read_batch_norm,
        "And" | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Or" | "Xor" => {
            condition::read_pair
        }
        "Cast" | "CastLike" => condition::read_cast,
        "Concat" => merge::read_concat,
        "Constant" => constant::read_constant,
        "Conv" => conv::read,
        "ConvTranspose" => conv::read_transposed,
        "CumSum" => reduce::read_cum_sum,
        "DepthToSpace" | "SpaceToDepth" => layout::read_depth_to_space,
        "DequantizeLinear" => activation::read_dequantise,
        "Dropout" => norm::read_dropout,
        "Einsum" => einsum::read,
        "Expand" => layout::read_expand,
        "Flatten" => reshape::read_flatten,
        "Gather" => layout::read_gather,
        "GatherElements" => pick::read_gather_elements,
        "Gemm" => dense::read_gemm,
        "GlobalAveragePool" => pool::read_global_average,
        "GlobalMaxPool" => pool::read_global_max,
        "GroupNormalization" => norm::read_group_norm,
        "Identity" => constant::read_identity,
        "If" => constant::read_if,
        "InstanceNormalization" => norm::read_instance_norm,
        "LRN" => norm::read_local_response,
        "LayerNormalization" => norm::read_layer_norm,
        "LpNormalization" => norm::read_lp_norm,
        "LogSoftmax" => activation::read_log_softmax,
        "MatMul" => dense::read_mat_mul,
        "Max" | "Min" => arithmetic::read_extreme,
        "MaxPool" => pool::read_max,
        "Mean" => arithmetic::read_mean,
        "Pad" => layout::read_pad,
        "QuantizeLinear" => activation::read_quantise,
        "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceMax"
        | "ReduceMean" | "ReduceMin" | "ReduceProd" | "ReduceSum" | "ReduceSumSquare" => {
            reduce::read_reduce
        }
        "Relu" => activation::read_relu,
        "Reshape" => reshape::read_reshape,
        "Resize" | "Upsample" => resize::read,
        "Shape" => constant::read_shape,
        "Size" => constant::read_size,
        "Slice" => layout::read_slice,
        "Softmax" => activation::read_softmax,
        "Split" => layout::read_split,
        "Squeeze" => reshape::read_squeeze,
        "Sum" => merge::read_sum,
        "Tile" => pick::read_tile,
        "Transpose" => layout::read_transpose,
        "Trilu" => pick::read_trilu,
        "Unsqueeze" => reshape::read_unsqueeze,
        "Where" => condition::read_where,
        "Abs" | "Ceil" | "Celu" | "Clip" | "Cos" | "Elu" | "Erf" | "Exp" | "Floor" | "Gelu"
        | "HardSigmoid" | "HardSwish" | "LeakyRelu" | "Log" | "Mish" | "Neg" | "Not"
        | "Reciprocal" | "Round" | "Selu" | "Sign" | "Sigmoid" | "Sin" | "Softplus"
        | "Softsign" | "Sqrt" | "Tanh" | "ThresholdedRelu" => activation::read_unary,
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
    /// Names of values after the node's inputs.
    pub(crate) inputs: Vec<String>,
    /// The node's inputs that are conditions, which ONNX wants as `BOOL`.
    pub(crate) conditions: Vec<usize>,
    /// The operator set that knows it, where that is newer than [`OPSET`].
    pub(crate) opset: i64,
    /// What makes of its output that of the node.
    pub(crate) then: Option<Box<Written>>,
}

impl Written {
    fn new(op_type: &'static str, attributes: Vec<AttributeProto>) -> Self {
        let (constants, inputs, conditions) = (Vec::new(), Vec::new(), Vec::new());
        Self { op_type, attributes, constants, inputs, conditions, opset: OPSET, then: None }
    }

    /// What follows another, with more inputs.
    pub(crate) fn after(op_type: &'static str, inputs: Vec<String>) -> Self {
        Self { inputs, ..Self::new(op_type, vec![]) }
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
        Op::Dense if network.shape(node.inputs[0]).len() == 1 => dense::write(),
        // Gemm takes matrices only; the writer turns the weight for MatMul.
        Op::Dense => Written::new("MatMul", vec![]),
        Op::Relu => Written::new("Relu", vec![]),
        Op::Softmax => activation::write_softmax("Softmax", 0),
        Op::LogSoftmax => activation::write_softmax("LogSoftmax", 0),
        Op::Flatten => reshape::write_flatten(),
        Op::Reshape { shape } => reshape::write_reshape(shape),
        Op::Add => merge::write_add(node.inputs.len()),
        Op::Concat => merge::write_concat(0),
        Op::BatchNorm { epsilon, momentum } => norm::write_batch_norm(*epsilon, *momentum),
        Op::Dropout { rate } => norm::write_dropout(*rate),
        // The writer adds the batch's size to the shape.
        Op::Constant { .. } => Written::new("Expand", vec![]),
        Op::Unary(unary) => activation::write_unary(*unary),
        Op::Binary(binary) => arithmetic::write_binary(*binary),
        Op::Reduce { kind, axes, keep } => reduce::write_reduce(*kind, axes, *keep),
        Op::ArgMax { axis, keep, last } => reduce::write_arg_max(*axis, *keep, *last),
        Op::SoftmaxAlong { axis, log: false } => activation::write_softmax("Softmax", *axis),
        Op::SoftmaxAlong { axis, log: true } => activation::write_softmax("LogSoftmax", *axis),
        Op::MatMul => Written::new("MatMul", vec![]),
        Op::Transpose { axes } => layout::write_transpose(axes),
        Op::Slice { spans } => layout::write_slice(spans),
        Op::ConcatAlong { axis } => merge::write_concat(*axis),
        Op::Pad { amounts, mode } => layout::write_pad(amounts, *mode),
        Op::Expand { shape } => layout::write_expand(shape),
        Op::Gather { axis, indices } => layout::write_gather(*axis, indices),
        Op::Resize(resize) => resize::write(resize, network.shape(node.inputs[0])),
        Op::LocalResponseNorm { size, alpha, beta, bias } => {
            norm::write_local_response(*size, *alpha, *beta, *bias)
        }
        Op::LayerNorm { axis, epsilon } => norm::write_layer_norm(*axis, *epsilon),
        Op::GroupNorm { groups, epsilon } => {
            norm::write_group_norm(*groups, *epsilon, network.shape(node.inputs[0])[0])
        }
        Op::Where => condition::write_where(),
        Op::CumSum { axis, exclusive, reverse } => {
            reduce::write_cum_sum(*axis, *exclusive, *reverse)
        }
        Op::ConvTranspose(conv) => {
            conv::write_transposed(conv, &network.param(node.params[0]).shape)
        }
    })
}
