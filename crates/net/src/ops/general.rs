//! Operators on samples of any number of axes: shape rules.

use crate::shape::{Inferred, MAX_AXES, MAX_ELEMENTS};
use crate::{PadMode, Resize, Span, Unary};

/// The value's own shape.
pub(crate) fn constant_output_shape(shape: &[usize], value: &[usize]) -> Inferred {
    match shape == value {
        true => Ok(shape.to_vec()),
        false => Err(format!("expected a value of shape {shape:?}, got {value:?}")),
    }
}

/// Same shape as the input.
pub(crate) fn unary_output_shape(unary: Unary, input: &[usize]) -> Inferred {
    match unary {
        Unary::Quantise { scale, .. } if !(scale.is_finite() && scale > 0.0) => {
            Err(format!("the scale is {scale}; expected a number above 0"))
        }
        _ => Ok(input.to_vec()),
    }
}

/// Aligned at their ends, sizes agree or one of them is 1.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Inferred {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis])
    };
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (a, b) if a == b || b == 1 => Ok(a),
            (1, b) => Ok(b),
            _ => Err(format!("expected shapes that agree but for sizes of 1, got {a:?} and {b:?}")),
        })
        .collect()
}

/// Refuses an axis that a shape does not have.
pub(crate) fn check_axis(shape: &[usize], axis: usize) -> Result<(), String> {
    match axis < shape.len() {
        true => Ok(()),
        false => {
            Err(format!("the sample {shape:?} has no axis {axis} (counted without the batch)"))
        }
    }
}

/// The axes become 1 or go.
pub(crate) fn reduced(input: &[usize], axes: &[usize], keep: bool) -> Inferred {
    if !axes.is_sorted_by(|a, b| a < b) {
        return Err(format!("the axes {axes:?} are not in ascending order"));
    }
    axes.iter().try_for_each(|&axis| check_axis(input, axis))?;
    let mut output = Vec::new();
    for (axis, &size) in input.iter().enumerate() {
        match axes.contains(&axis) {
            false => output.push(size),
            true if keep => output.push(1),
            true => {}
        }
    }
    match output.is_empty() {
        true => Err(format!("nothing is left of {input:?}; keep the axes, with size 1")),
        false => Ok(output),
    }
}

/// `[…, m, k] × […, k, n]`.
pub(crate) fn mat_mul_output_shape(a: &[usize], b: &[usize]) -> Inferred {
    let refused = || format!("expected matrices […, m, k] and […, k, n], got {a:?} and {b:?}");
    let ([before_a @ .., m, k], [before_b @ .., other_k, n]) = (a, b) else {
        return Err(refused());
    };
    if k != other_k {
        return Err(refused());
    }
    Ok([&broadcast(before_a, before_b)?[..], &[*m, *n]].concat())
}

/// The sizes in their new order.
pub(crate) fn transposed(input: &[usize], axes: &[usize]) -> Inferred {
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..input.len()) {
        return Err(format!("{axes:?} is no order of the {} axes of {input:?}", input.len()));
    }
    Ok(axes.iter().map(|&axis| input[axis]).collect())
}

/// Every span lies in its axis.
pub(crate) fn sliced(input: &[usize], spans: &[Span]) -> Inferred {
    if spans.len() != input.len() {
        return Err(format!("{} spans do not fit the axes of {input:?}", spans.len()));
    }
    for (span, &size) in spans.iter().zip(input) {
        let reach = (span.count.saturating_sub(1) as i128) * span.step as i128;
        let last = span.start as i128 + reach;
        if span.count == 0 || span.step == 0 || span.start >= size {
            return Err(format!("{span:?} takes nothing of {size}"));
        }
        if !(0..size as i128).contains(&last) {
            return Err(format!("{span:?} leaves the {size} that are there"));
        }
    }
    Ok(spans.iter().map(|span| span.count).collect())
}

/// Every size grows by its amounts.
pub(crate) fn padded(input: &[usize], amounts: &[[usize; 2]], mode: PadMode) -> Inferred {
    if amounts.len() != input.len() {
        return Err(format!("{} amounts do not fit the axes of {input:?}", amounts.len()));
    }
    let grown = input.iter().zip(amounts).map(|(&size, &[before, after])| {
        let most = match mode {
            PadMode::Reflect => size - 1,
            PadMode::Wrap => size,
            PadMode::Constant(_) | PadMode::Edge => MAX_ELEMENTS,
        };
        if before > most || after > most {
            return Err(format!("padding [{before}, {after}] is too much for a size of {size}"));
        }
        Ok(size + before + after)
    });
    grown.collect()
}

/// Sizes of 1 become what is wanted; axes may be added in front.
pub(crate) fn expanded(input: &[usize], shape: &[usize]) -> Inferred {
    match broadcast(input, shape) {
        Ok(wanted) if wanted == shape => Ok(wanted),
        _ => Err(format!("{input:?} cannot be repeated to {shape:?}")),
    }
}

/// As many as there are positions.
pub(crate) fn gathered(input: &[usize], axis: usize, indices: &[usize]) -> Inferred {
    check_axis(input, axis)?;
    if let Some(index) = indices.iter().find(|&&index| index >= input[axis]) {
        return Err(format!("position {index} is outside axis {axis} of {input:?}"));
    }
    let mut output = input.to_vec();
    output[axis] = indices.len();
    Ok(output)
}

/// The wanted shape.
pub(crate) fn resized(input: &[usize], resize: &Resize) -> Inferred {
    let axes = input.len();
    if resize.shape.len() != axes || resize.scales.len() != axes || axes > MAX_AXES {
        return Err(format!("sizes {:?} do not fit the axes of {input:?}", resize.shape));
    }
    if let Some(scale) = resize.scales.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
        return Err(format!("a scale is {scale}; expected a number above 0"));
    }
    Ok(resize.shape.clone())
}
