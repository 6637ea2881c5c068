//! Normalisations and `Dropout`.

use std::sync::Arc;

use super::Written;
use crate::onnx::attributes::{float, int};
use crate::onnx::reader::{Call, Import, Weight};
use crate::onnx::tensor::write_floats;
use crate::{Binary, Op, Reduce};

pub(super) fn write_batch_norm(epsilon: f32, momentum: f32) -> Written {
    Written::new("BatchNormalization", vec![float("epsilon", epsilon), float("momentum", momentum)])
}

/// The rate is an input of the operator, a constant.
pub(super) fn write_dropout(rate: f32) -> Written {
    Written {
        constants: vec![("ratio", write_floats("", &[], &[rate]))],
        ..Written::new("Dropout", vec![])
    }
}

/// Inputs: data, scale, bias, mean, variance.
pub(super) fn read_batch_norm(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
    call.attributes.require("training_mode", 0, 0)?;
    call.attributes.require("spatial", 1, 1)?; // before operator set 9
    let epsilon = call.attributes.float("epsilon", 1e-5)?;
    let momentum = call.attributes.float("momentum", 0.9)?;
    let mut params = Vec::with_capacity(4);
    for index in 1..=4 {
        params.push(Weight { trainable: index < 3, ..import.weight(call, index)? });
    }
    import.emit(call, Op::BatchNorm { epsilon, momentum }, vec![input], params)
}

/// The rate is an input since operator set 12, an attribute before.
pub(super) fn read_dropout(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    ["seed", "is_test"].iter().for_each(|name| call.attributes.ignore(name));
    let mut rate = call.attributes.float("ratio", 0.5)?;
    if call.has_input(1) {
        let ratio = import.weight(call, 1)?;
        rate = match ratio.values[..] {
            [rate] => rate,
            _ => return Err(format!("expected one number as ratio, got shape {:?}", ratio.shape)),
        };
    }
    if call.has_input(2) && import.flag(call, 2)? {
        return Err("training_mode is set; export the model for inference".into());
    }
    import.emit_at(call, operand.batch, Op::Dropout { rate }, vec![operand.node], vec![])
}

/// A vector over its length: a reduction and a division.
pub(super) fn read_lp_norm(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let axis = import.sample_axis(operand, call.attributes.int("axis", -1)?)?;
    let kind = match call.attributes.int("p", 2)? {
        1 => Reduce::L1,
        2 => Reduce::L2,
        p => return Err(format!("p = {p} is not supported; expected 1 or 2")),
    };
    let length = Op::Reduce { kind, axes: vec![axis], keep: true };
    let length = import.step(call, "length", length, vec![operand.node], vec![])?;
    let inputs = vec![operand.node, length];
    import.emit_at(call, operand.batch, Op::Binary(Binary::Div), inputs, vec![])
}

pub(super) fn write_local_response(size: usize, alpha: f32, beta: f32, bias: f32) -> Written {
    let attributes =
        vec![float("alpha", alpha), float("beta", beta), float("bias", bias), int("size", size)];
    Written::new("LRN", attributes)
}

pub(super) fn write_layer_norm(axis: usize, epsilon: f32) -> Written {
    let attributes = vec![int("axis", axis + 1), float("epsilon", epsilon)];
    Written::new("LayerNormalization", attributes)
}

/// Scale and bias are one number a channel since operator set 21.
pub(super) fn write_group_norm(groups: usize, epsilon: f32, channels: usize) -> Written {
    if groups == channels {
        return Written::new("InstanceNormalization", vec![float("epsilon", epsilon)]);
    }
    let attributes = vec![float("epsilon", epsilon), int("num_groups", groups)];
    Written { opset: 21, ..Written::new("GroupNormalization", attributes) }
}

pub(super) fn read_local_response(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
    let a = &call.attributes;
    let size = usize::try_from(a.int("size", 0)?).unwrap_or(0);
    let (alpha, beta) = (a.float("alpha", 1e-4)?, a.float("beta", 0.75)?);
    let bias = a.float("bias", 1.0)?;
    import.emit(call, Op::LocalResponseNorm { size, alpha, beta, bias }, vec![input], vec![])
}

/// Scale and bias cover the axes from `axis` on; sizes of 1 in front of theirs are left out.
pub(super) fn read_layer_norm(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    call.attributes.require("stash_type", 1, 1)?;
    let epsilon = call.attributes.float("epsilon", 1e-5)?;
    let axis = call.attributes.int("axis", -1)?;
    let rank = import.dims(operand).len();
    let file_axis = crate::onnx::fold::clamp_axis(axis, rank)?;
    if operand.batch.is_some_and(|batch| batch > file_axis) {
        return Err("the batch is among the normalised axes".into());
    }
    let axis = import.sample_axis(operand, axis)?;
    let shape = import.shape(operand.node)[axis..].to_vec();
    let mut params = Vec::new();
    for index in (1..=2).filter(|&index| call.has_input(index)) {
        let weight = import.weight(call, index)?;
        params.push(fill(import, weight, &shape)?);
    }
    import.emit_at(call, operand.batch, Op::LayerNorm { axis, epsilon }, vec![operand.node], params)
}

/// A weight repeated to a shape.
fn fill(import: &mut Import, weight: Weight, shape: &[usize]) -> Result<Weight, String> {
    let count = shape.iter().product();
    if weight.values.len() == count {
        return Ok(Weight { shape: shape.to_vec(), ..weight });
    }
    let [value] = weight.values[..] else {
        return Err(format!("expected scale and bias of shape {shape:?}, got {:?}", weight.shape));
    };
    import.spend(count)?;
    Ok(Weight { shape: shape.to_vec(), values: vec![value; count].into(), ..weight })
}

pub(super) fn read_instance_norm(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
    let epsilon = call.attributes.float("epsilon", 1e-5)?;
    let groups = import.shape(input)[0];
    let params = vec![import.weight(call, 1)?, import.weight(call, 2)?];
    import.emit(call, Op::GroupNorm { groups, epsilon }, vec![input], params)
}

/// Scale and bias were one number a group before operator set 21.
pub(super) fn read_group_norm(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
    let epsilon = call.attributes.float("epsilon", 1e-5)?;
    call.attributes.require("stash_type", 1, 1)?;
    let groups = usize::try_from(call.attributes.int("num_groups", 0)?).unwrap_or(0);
    let channels = import.shape(input)[0];
    let mut params = vec![import.weight(call, 1)?, import.weight(call, 2)?];
    if groups > 0 && groups != channels && params.iter().all(|weight| weight.shape == [groups]) {
        import.spend(2 * channels)?;
        for weight in &mut params {
            let each = channels / groups;
            let values: Arc<[f32]> =
                (0..groups * each).map(|channel| weight.values[channel / each]).collect();
            *weight = Weight { shape: vec![groups * each], values, ..weight.clone() };
        }
    }
    import.emit(call, Op::GroupNorm { groups, epsilon }, vec![input], params)
}
