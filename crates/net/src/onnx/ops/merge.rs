//! `Sum`, `Concat`, and constants that are added as a bias.

use super::{Written, arithmetic};
use crate::onnx::attributes::int;
use crate::onnx::reader::{Call, Import, Value};
use crate::onnx::tensor::Data;
use crate::{Binary, NodeId, Op};

/// ONNX's `Add` takes two inputs, its `Sum` any number.
pub(super) fn write_add(inputs: usize) -> Written {
    Written::new(if inputs == 2 { "Add" } else { "Sum" }, vec![])
}

pub(super) fn write_concat(axis: usize) -> Written {
    Written::new("Concat", vec![int("axis", axis + 1)])
}

/// Exporters that know no bias write `Conv` and `Add`, or `MatMul` and `Add`. Whether it is one here.
pub(super) fn read_bias(import: &mut Import, call: &Call<'_>) -> Result<bool, String> {
    let (layer, constant) = match (import.value(call, 0)?, import.value(call, 1)?) {
        (Value::Node(layer), Value::Constant(_)) => ((layer, 0), 1),
        (Value::Constant(_), Value::Node(layer)) => ((layer, 1), 0),
        _ => return Ok(false),
    };
    let (operand, index) = layer;
    let (node, shape) = (operand.node, import.shape(operand.node));
    let (trailing, out) = match import.op(node) {
        Op::Conv(_) => (2, shape[0]),
        Op::Dense => (0, shape[shape.len() - 1]),
        _ => return Ok(false),
    };
    if import.param_count(node) != 1 || !import.is_only_use(call, index, node) {
        return Ok(false);
    }
    let tensor = import.constant(call, constant)?;
    if !matches!(tensor.data, Data::Floats(_)) || tensor.dims.len() > import.dims(operand).len() {
        return Ok(false);
    }
    let bias = import.weight(call, constant)?;
    let Some(bias) = import.per_output(bias, out, trailing)? else { return Ok(false) };
    import.add_bias(node, bias);
    import.bind(call, Value::Node(operand));
    Ok(true)
}

/// `Sum` of one input is that input.
pub(super) fn read_sum(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let count = call.input_count();
    match count {
        0 => return Err("expected at least one input, got none".into()),
        1 => {
            let value = import.value(call, 0)?;
            import.bind(call, value);
            return Ok(());
        }
        2 => return arithmetic::join(import, call, Binary::Add, 0, 1),
        _ => {}
    }
    let all: Vec<usize> = (0..count).collect();
    let (rank, batch) = arithmetic::common(import, call, &all)?;
    let mut shapes = Vec::new();
    for &index in &all {
        if let Value::Node(operand) = import.value(call, index)? {
            shapes.push(import.dims(operand));
        }
    }
    if shapes.len() == count && shapes.iter().all(|dims| *dims == shapes[0]) {
        let mut parts: Vec<NodeId> = Vec::new();
        for index in all {
            parts.push(import.node_at(call, index, rank, batch)?);
        }
        return import.emit_at(call, batch, Op::Add, parts, vec![]);
    }
    let mut sum = import.node_at(call, 0, rank, batch)?;
    for index in 1..count {
        let next = import.node_at(call, index, rank, batch)?;
        let (op, inputs) = arithmetic::combined(import, Binary::Add, sum, next);
        sum = match index + 1 == count {
            true => return import.emit_at(call, batch, op, inputs, vec![]),
            false => import.step(call, "part", op, inputs, vec![])?,
        };
    }
    Ok(())
}

/// Along any axis but the batch. Constants among the inputs become nodes.
pub(super) fn read_concat(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let count = call.input_count();
    let all: Vec<usize> = (0..count).collect();
    let (rank, mut batch) = arithmetic::common(import, call, &all)?;
    let axis = crate::onnx::fold::clamp_axis(call.attributes.int("axis", 1)?, rank)?;
    if batch == Some(axis) {
        // Samples of a batch side by side would depend on the batch; the batch of one that became an
        // axis again by a reshape is none.
        let none = |index: &usize| match import.value(call, *index) {
            Ok(Value::Node(operand)) => operand.batch != Some(axis),
            _ => true,
        };
        if !all.iter().any(none) {
            return Err(format!("axis = {axis} is the batch; samples must not be joined"));
        }
        batch = None;
    }
    let mut parts = Vec::new();
    for index in all {
        parts.push(import.node_at(call, index, rank, batch)?);
    }
    let axis = match batch {
        Some(batch) if axis > batch => axis - 1,
        _ => axis,
    };
    let op = if axis == 0 { Op::Concat } else { Op::ConcatAlong { axis } };
    import.emit_at(call, batch, op, parts, vec![])
}
