//! Operators that join branches.

use crate::shape::Inferred;

/// All inputs have the same shape, and so has the sum.
pub(crate) fn add_output_shape(inputs: &[&[usize]]) -> Inferred {
    let first = inputs[0];
    match inputs.iter().find(|input| **input != first) {
        None => Ok(first.to_vec()),
        Some(other) => Err(format!("expected inputs of equal shape, got {first:?} and {other:?}")),
    }
}

/// Sizes along axis 0 add up; the others must agree.
pub(crate) fn concat_output_shape(inputs: &[&[usize]]) -> Inferred {
    let first = inputs[0];
    let mut total = 0_usize;
    for input in inputs {
        if input.len() != first.len() || input[1..] != first[1..] {
            return Err(format!(
                "expected inputs that differ in their first size (channels) only, got {first:?} \
                 and {input:?}"
            ));
        }
        total = total.saturating_add(input[0]);
    }
    Ok([&[total], &first[1..]].concat())
}

/// Sizes along one axis add up; the others must agree.
pub(crate) fn concat_along_output_shape(inputs: &[&[usize]], axis: usize) -> Inferred {
    let first = inputs[0];
    super::general::check_axis(first, axis)?;
    let mut output = first.to_vec();
    for input in &inputs[1..] {
        let others = input.iter().zip(first).enumerate().filter(|&(i, _)| i != axis);
        if input.len() != first.len() || others.into_iter().any(|(_, (a, b))| a != b) {
            return Err(format!(
                "expected inputs that differ along axis {axis} only, got {first:?} and {input:?}"
            ));
        }
        output[axis] = output[axis].saturating_add(input[axis]);
    }
    Ok(output)
}
