//! One file a family of operators: shape rules and counts of multiply-adds.

pub(crate) mod conv;
pub(crate) mod dense;
pub(crate) mod general;
pub(crate) mod merge;
pub(crate) mod norm;
pub(crate) mod pool;
pub(crate) mod reshape;

use crate::Op;

/// Multiply-adds of one sample: what convolutions, dense layers and the scaling of batch
/// normalisation take. Comparisons, sums and exponentials are not counted.
pub(crate) fn multiply_adds(
    op: &Op,
    inputs: &[&[usize]],
    output: &[usize],
    params: &[&[usize]],
) -> u64 {
    match op {
        Op::Conv(_) => conv::multiply_adds(output, params[0]),
        Op::ConvTranspose(_) => count(inputs[0]).saturating_mul(count(&params[0][1..])),
        // Once for each row that the matrix is applied to.
        Op::Dense => {
            count(params[0]).saturating_mul(count(&output[..output.len().saturating_sub(1)]))
        }
        Op::MatMul => count(output).saturating_mul(inputs[0].last().map_or(1, |&k| k as u64)),
        Op::BatchNorm { .. } => count(output),
        _ => 0,
    }
}

/// Number of elements of a shape that has been checked, so it fits.
fn count(shape: &[usize]) -> u64 {
    shape.iter().map(|&size| size as u64).product()
}

/// The optional bias at the end of a node's parameters must be one number an output.
fn check_bias(params: &[&[usize]], outputs: usize) -> Result<(), String> {
    match params.get(1) {
        Some(bias) if **bias != [outputs] => {
            Err(format!("expected a bias of shape [{outputs}], one number an output, got {bias:?}"))
        }
        _ => Ok(()),
    }
}
