//! Functions of each number, and softmax.

use super::{Written, condition};
use crate::onnx::attributes::{float, int, text};
use crate::onnx::proto::data_type;
use crate::onnx::reader::{Call, Import, Value};
use crate::onnx::tensor::{Data, write_floats, write_whole};
use crate::{Op, Unary};

pub(super) fn write_softmax(op_type: &'static str, axis: usize) -> Written {
    Written::new(op_type, vec![int("axis", axis + 1)])
}

/// A function with constants writes them as inputs where ONNX has it so.
pub(super) fn write_unary(unary: Unary) -> Written {
    let plain = |op_type| Written::new(op_type, vec![]);
    let with = |op_type, constants: &[(&'static str, f32)]| Written {
        constants: constants
            .iter()
            .map(|&(name, value)| (name, write_floats("", &[], &[value])))
            .collect(),
        ..plain(op_type)
    };
    match unary {
        Unary::Abs
        | Unary::Reciprocal
        | Unary::Sqrt
        | Unary::Exp
        | Unary::Log
        | Unary::Erf
        | Unary::Sigmoid
        | Unary::Tanh
        | Unary::Softplus
        | Unary::Softsign
        | Unary::Sin
        | Unary::Cos
        | Unary::HardSwish
        | Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::Sign => plain(unary.kind()),
        Unary::Not => condition::write_condition("Not", vec![0]),
        Unary::NonZero => condition::write_cast(data_type::BOOL),
        Unary::Truncate => condition::write_cast(data_type::INT64),
        Unary::Celu { alpha } => Written::new("Celu", vec![float("alpha", alpha)]),
        Unary::ThresholdedRelu { alpha } => {
            Written::new("ThresholdedRelu", vec![float("alpha", alpha)])
        }
        Unary::Mish => Written { opset: 18, ..plain("Mish") },
        Unary::Gelu => Written { opset: 20, ..plain("Gelu") },
        Unary::GeluTanh => {
            Written { opset: 20, attributes: vec![text("approximate", "tanh")], ..plain("Gelu") }
        }
        Unary::LeakyRelu { slope } => Written::new("LeakyRelu", vec![float("alpha", slope)]),
        Unary::Elu { alpha } => Written::new("Elu", vec![float("alpha", alpha)]),
        Unary::Selu { alpha, gamma } => {
            Written::new("Selu", vec![float("alpha", alpha), float("gamma", gamma)])
        }
        Unary::HardSigmoid { alpha, beta } => {
            Written::new("HardSigmoid", vec![float("alpha", alpha), float("beta", beta)])
        }
        Unary::Clip { low, high } => with("Clip", &[("min", low), ("max", high)]),
        Unary::Power { exponent } => with("Pow", &[("exponent", exponent)]),
        Unary::Scale { factor } => with("Mul", &[("factor", factor)]),
        Unary::Shift { by } => with("Add", &[("by", by)]),
        Unary::Quantise { scale, zero, low, .. } => {
            let constants = || {
                vec![
                    ("scale", write_floats("", &[], &[scale])),
                    ("zero", write_whole(zero, low < 0)),
                ]
            };
            Written {
                constants: constants(),
                then: Some(Box::new(Written {
                    constants: constants(),
                    ..plain("DequantizeLinear")
                })),
                ..plain("QuantizeLinear")
            }
        }
    }
}

pub(super) fn read_relu(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    emit_alike(import, call, Op::Relu)
}

/// A node that works number by number, wherever the batch is.
fn emit_alike(import: &mut Import, call: &Call<'_>, op: Op) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    import.emit_at(call, operand.batch, op, vec![operand.node], vec![])
}

/// Reads a function of each number by ONNX's name of it.
pub(super) fn read_unary(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let a = &call.attributes;
    let unary = match call.operator() {
        "Abs" => Unary::Abs,
        "Reciprocal" => Unary::Reciprocal,
        "Sqrt" => Unary::Sqrt,
        "Exp" => Unary::Exp,
        "Log" => Unary::Log,
        "Erf" => Unary::Erf,
        "Sigmoid" => Unary::Sigmoid,
        "Tanh" => Unary::Tanh,
        "Softplus" => Unary::Softplus,
        "Softsign" => Unary::Softsign,
        "Sin" => Unary::Sin,
        "Cos" => Unary::Cos,
        "HardSwish" => Unary::HardSwish,
        "Mish" => Unary::Mish,
        "Floor" => Unary::Floor,
        "Ceil" => Unary::Ceil,
        "Round" => Unary::Round,
        "Sign" => Unary::Sign,
        "Not" => {
            condition::check(import, call, &[0])?;
            Unary::Not
        }
        "Celu" => Unary::Celu { alpha: a.float("alpha", 1.0)? },
        "ThresholdedRelu" => Unary::ThresholdedRelu { alpha: a.float("alpha", 1.0)? },
        "Neg" => Unary::Scale { factor: -1.0 },
        "LeakyRelu" => Unary::LeakyRelu { slope: a.float("alpha", 0.01)? },
        "Elu" => Unary::Elu { alpha: a.float("alpha", 1.0)? },
        "Selu" => Unary::Selu {
            alpha: a.float("alpha", 1.673_263_2)?,
            gamma: a.float("gamma", 1.050_701)?,
        },
        "HardSigmoid" => {
            Unary::HardSigmoid { alpha: a.float("alpha", 0.2)?, beta: a.float("beta", 0.5)? }
        }
        "Gelu" => match a.text("approximate", "none")?.as_str() {
            "none" => Unary::Gelu,
            "tanh" => Unary::GeluTanh,
            other => return Err(format!("approximate is {other:?}; expected none or tanh")),
        },
        "Clip" => clip(import, call)?,
        other => return Err(format!("{other} is no function of each number")),
    };
    emit_alike(import, call, Op::Unary(unary))
}

/// The bounds are inputs since operator set 11, attributes before.
fn clip(import: &Import, call: &Call<'_>) -> Result<Unary, String> {
    let bound = |index: usize, name: &str, default: f32| match call.has_input(index) {
        true => number(import, call, index)?
            .ok_or_else(|| format!("input {index} should be a single number")),
        false => call.attributes.float(name, default),
    };
    let (low, high) = (bound(1, "min", f32::NEG_INFINITY)?, bound(2, "max", f32::INFINITY)?);
    Ok(Unary::Clip { low, high })
}

/// A constant input that is a single number.
pub(super) fn number(
    import: &Import,
    call: &Call<'_>,
    index: usize,
) -> Result<Option<f32>, String> {
    match import.value(call, index)? {
        Value::Node(_) => Ok(None),
        Value::Constant(tensor) => Ok(match &tensor.data {
            Data::Floats(values) if values.len() == 1 => Some(values[0]),
            Data::Ints(values) if values.len() == 1 => Some(values[0] as f32),
            _ => None,
        }),
    }
}

/// Rounds to 8 bits and, until `DequantizeLinear` is read, stands for the number that this means.
pub(super) fn read_quantise(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let a = &call.attributes;
    ["axis", "saturate", "precision"].iter().for_each(|name| a.ignore(name));
    a.require("block_size", 0, 0)?;
    let declared = a.int("output_dtype", 0)?;
    let single = "one scale and one zero point for all numbers are supported (per tensor)";
    let scale = number(import, call, 1)?.ok_or(single)?;
    let (zero, signed) = match call.has_input(2) {
        true => (number(import, call, 2)?.ok_or(single)? as i32, import.is_signed(call, 2)),
        false => (0, declared == 3),
    };
    let (low, high) = if signed { (-128, 127) } else { (0, 255) };
    emit_alike(import, call, Op::Unary(Unary::Quantise { scale, zero, low, high }))
}

/// What was quantised is a float already.
pub(super) fn read_dequantise(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    ["axis", "output_dtype"].iter().for_each(|name| call.attributes.ignore(name));
    call.attributes.require("block_size", 0, 0)?;
    let value = import.value(call, 0)?;
    import.bind(call, value);
    Ok(())
}

pub(super) fn read_softmax(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    read_along(import, call, false)
}

pub(super) fn read_log_softmax(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    read_along(import, call, true)
}

/// Before operator set 13 the softmax ran over the axis and all after it.
fn read_along(import: &mut Import, call: &Call<'_>, log: bool) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let since_13 = import.opset() >= 13;
    let axis = call.attributes.int("axis", if since_13 { -1 } else { 1 })?;
    let axis = import.sample_axis(operand, axis)?;
    let shape = import.shape(operand.node).to_vec();
    let over = |axis: usize| match (axis, log) {
        (0, false) => Op::Softmax,
        (0, true) => Op::LogSoftmax,
        _ => Op::SoftmaxAlong { axis, log },
    };
    if since_13 || shape[axis + 1..].iter().all(|&size| size == 1) {
        return import.emit_at(call, operand.batch, over(axis), vec![operand.node], vec![]);
    }
    let (before, after) = shape.split_at(axis);
    let flat = [before, &[after.iter().product()]].concat();
    let flat = import.reshaped(call, operand.node, flat)?;
    let softmax = import.step(call, "flat", over(axis), vec![flat], vec![])?;
    import.emit_at(call, operand.batch, Op::Reshape { shape }, vec![softmax], vec![])
}
