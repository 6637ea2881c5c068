//! `Gemm` and `MatMul` with constant weights: fully connected layers.

use std::sync::Arc;

use super::Written;
use crate::Op;
use crate::onnx::attributes::{float, int};
use crate::onnx::reader::{Call, Import, Weight};

pub(super) fn write() -> Written {
    let attributes =
        vec![float("alpha", 1.0), float("beta", 1.0), int("transA", 0), int("transB", 1)];
    Written::new("Gemm", attributes)
}

/// `alpha * input * weight + beta * bias`; both factors go into the weights.
pub(super) fn read_gemm(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
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
    import.emit(call, Op::Dense, vec![input], params)
}

/// `input * weight`; a bias that is added next joins it.
pub(super) fn read_mat_mul(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
    let weight = matrix(import, import.weight(call, 1)?, false)?;
    import.emit(call, Op::Dense, vec![input], vec![weight])
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
