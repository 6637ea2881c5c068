//! `Gemm` and `MatMul`: fully connected layers, and products of two layers.

use std::sync::Arc;

use super::Written;
use super::arithmetic::common;
use crate::Op;
use crate::onnx::attributes::{float, int};
use crate::onnx::reader::{Call, Import, Operand, Value, Weight};

pub(super) fn write() -> Written {
    let attributes =
        vec![float("alpha", 1.0), float("beta", 1.0), int("transA", 0), int("transB", 1)];
    Written::new("Gemm", attributes)
}

/// `alpha * input * weight + beta * bias`; both factors go into the weights.
pub(super) fn read_gemm(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    call.attributes.require("transA", 0, 0)?;
    let transposed = call.attributes.int("transB", 0)? != 0;
    let (alpha, beta) = (call.attributes.float("alpha", 1.0)?, call.attributes.float("beta", 1.0)?);
    let weight = matrix(import, import.weight(call, 1)?, transposed)?;
    let out = weight.shape[0];
    let mut params = vec![scale(import, weight, alpha)?];
    if call.has_input(2) {
        let bias = import.weight(call, 2)?;
        let bias = import
            .per_output(bias, out, 0)?
            .ok_or_else(|| format!("expected a bias of shape [{out}], one number an output"))?;
        params.push(scale(import, bias, beta)?);
    }
    rows(import, call, operand, params)
}

/// `input * weight`, where a bias that is added next joins it; or the product of two layers.
pub(super) fn read_mat_mul(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    if let (Value::Node(operand), Value::Constant(tensor)) =
        (import.value(call, 0)?, import.value(call, 1)?)
        && tensor.dims.len() == 2
    {
        let weight = matrix(import, import.weight(call, 1)?, false)?;
        return rows(import, call, operand, vec![weight]);
    }
    let (rank, batch) = common(import, call, &[0, 1])?;
    // The batch must be among the axes before the matrices'.
    let batch = batch.filter(|&batch| batch + 2 < rank);
    let a = import.node_at(call, 0, rank, batch)?;
    let b = import.node_at(call, 1, rank, batch)?;
    import.emit_at(call, batch, Op::MatMul, vec![a, b], vec![])
}

/// A matrix for each row, the last axis, of what a layer computes.
fn rows(
    import: &mut Import,
    call: &Call<'_>,
    operand: Operand,
    params: Vec<Weight>,
) -> Result<(), String> {
    let dims = import.dims(operand);
    let Some((&features, before)) = dims.split_last() else {
        return Err("expected at least one axis".into());
    };
    let batch = operand.batch.filter(|&batch| batch < before.len());
    let shape = import.shape(operand.node).to_vec();
    let fits = batch == operand.batch && shape.len() <= 2;
    if fits {
        return import.emit_at(call, batch, Op::Dense, vec![operand.node], params);
    }
    let out = params[0].shape[0];
    let flat = import.reshaped(call, operand.node, vec![before.iter().product(), features])?;
    let product = import.step(call, "rows", Op::Dense, vec![flat], params)?;
    let mut sizes = [before, &[out]].concat();
    if let Some(batch) = batch {
        sizes.remove(batch);
    }
    import.emit_at(call, batch, Op::Reshape { shape: sizes }, vec![product], vec![])
}

/// Brings a matrix to `[out, in]`.
fn matrix(import: &mut Import, weight: Weight, transposed: bool) -> Result<Weight, String> {
    let &[rows, columns] = &weight.shape[..] else {
        return Err(format!(
            "the weight {:?} has shape {:?}; expected a matrix",
            weight.name, weight.shape
        ));
    };
    if transposed {
        return Ok(weight);
    }
    import.spend(weight.values.len())?;
    let old = &weight.values;
    let column = |out: usize| (0..rows).map(move |row| old[row * columns + out]);
    let values: Arc<[f32]> = (0..columns).flat_map(column).collect();
    Ok(Weight { shape: vec![columns, rows], values, ..weight })
}

fn scale(import: &mut Import, weight: Weight, factor: f32) -> Result<Weight, String> {
    if factor.to_bits() == 1.0_f32.to_bits() {
        return Ok(weight);
    }
    import.spend(weight.values.len())?;
    Ok(Weight { values: weight.values.iter().map(|value| value * factor).collect(), ..weight })
}
