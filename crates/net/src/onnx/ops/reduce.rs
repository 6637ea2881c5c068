//! `ReduceMean` and its relatives, `CumSum`, `ArgMax`, `ArgMin`.

use super::Written;
use crate::onnx::attributes::int;
use crate::onnx::proto::TensorProto;
use crate::onnx::reader::{Call, Import, Value};
use crate::onnx::tensor::write_ints;
use crate::{Op, Reduce, Unary};

/// Axes are an input of all reductions since operator set 18.
pub(super) fn write_reduce(kind: Reduce, axes: &[usize], keep: bool) -> Written {
    let axes: Vec<i64> = axes.iter().map(|&axis| axis as i64 + 1).collect();
    Written {
        constants: vec![("axes", write_ints("", &axes))],
        opset: 18,
        ..Written::new(kind.kind(), vec![int("keepdims", usize::from(keep))])
    }
}

/// The axis is an input, a single number.
pub(super) fn write_cum_sum(axis: usize, exclusive: bool, reverse: bool) -> Written {
    let axis = TensorProto { dims: vec![], ..write_ints("", &[axis as i64 + 1]) };
    let attributes =
        vec![int("exclusive", usize::from(exclusive)), int("reverse", usize::from(reverse))];
    Written { constants: vec![("axis", axis)], ..Written::new("CumSum", attributes) }
}

pub(super) fn read_cum_sum(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let axis = match import.ints(call, 1)?[..] {
        [axis] => import.sample_axis(operand, axis)?,
        _ => return Err("the axis should be a single whole number".into()),
    };
    let exclusive = call.attributes.int("exclusive", 0)? != 0;
    let reverse = call.attributes.int("reverse", 0)? != 0;
    let op = Op::CumSum { axis, exclusive, reverse };
    import.emit_at(call, operand.batch, op, vec![operand.node], vec![])
}

pub(super) fn write_arg_max(axis: usize, keep: bool, last: bool) -> Written {
    let attributes = vec![
        int("axis", axis + 1),
        int("keepdims", usize::from(keep)),
        int("select_last_index", usize::from(last)),
    ];
    // Positions are whole numbers in ONNX.
    let cast = Written::new("Cast", vec![int("to", 1)]);
    Written { then: Some(Box::new(cast)), ..Written::new("ArgMax", attributes) }
}

pub(super) fn read_reduce(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let kind = match call.operator() {
        "ReduceMean" => Reduce::Mean,
        "ReduceSum" => Reduce::Sum,
        "ReduceProd" => Reduce::Prod,
        "ReduceMax" => Reduce::Max,
        "ReduceMin" => Reduce::Min,
        "ReduceL1" => Reduce::L1,
        "ReduceL2" => Reduce::L2,
        "ReduceSumSquare" => Reduce::SumSquare,
        "ReduceLogSum" => Reduce::LogSum,
        "ReduceLogSumExp" => Reduce::LogSumExp,
        other => return Err(format!("{other} is no reduction")),
    };
    let operand = import.operand(call, 0)?;
    let keep = call.attributes.int("keepdims", 1)? != 0;
    let list = match call.has_input(1) {
        true => import.ints(call, 1)?,
        false => call.attributes.ints("axes").to_vec(),
    };
    if list.is_empty() {
        if call.attributes.int("noop_with_empty_axes", 0)? != 0 {
            import.bind(call, Value::Node(operand));
            return Ok(());
        }
        return Err("without axes it reduces the batch too; name the axes".into());
    }
    call.attributes.ignore("noop_with_empty_axes");
    let axes = list.iter().map(|&axis| import.sample_axis(operand, axis));
    let mut axes = axes.collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    if !keep && axes.len() == import.shape(operand.node).len() {
        // A number a sample is a vector of one feature here.
        let whole = Op::Reduce { kind, axes, keep: true };
        let whole = import.step(call, "whole", whole, vec![operand.node], vec![])?;
        return import.emit_at(call, None, Op::Reshape { shape: vec![1] }, vec![whole], vec![]);
    }
    let gone = |batch: usize| batch - axes.iter().filter(|&&axis| axis < batch).count();
    let batch = match (keep, operand.batch) {
        (false, Some(batch)) => Some(gone(batch)),
        (_, batch) => batch,
    };
    import.emit_at(call, batch, Op::Reduce { kind, axes, keep }, vec![operand.node], vec![])
}

pub(super) fn read_arg_max(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let axis = import.sample_axis(operand, call.attributes.int("axis", 0)?)?;
    let mut keep = call.attributes.int("keepdims", 1)? != 0;
    let last = call.attributes.int("select_last_index", 0)? != 0;
    let batch = match operand.batch {
        _ if !keep && import.shape(operand.node).len() == 1 => {
            keep = true; // a number a sample is a vector of one feature here
            None
        }
        Some(batch) if !keep && axis < batch => Some(batch - 1),
        batch => batch,
    };
    let mut node = operand.node;
    if call.operator() == "ArgMin" {
        let negative = Op::Unary(Unary::Scale { factor: -1.0 });
        node = import.step(call, "negative", negative, vec![node], vec![])?;
    }
    import.emit_at(call, batch, Op::ArgMax { axis, keep, last }, vec![node], vec![])
}
