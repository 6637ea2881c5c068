//! Batch normalisation and dropout.

use crate::shape::Inferred;

/// Same shape as the input; one scale, bias, mean and variance a channel.
pub(crate) fn batch_norm_output_shape(
    epsilon: f32,
    momentum: f32,
    input: &[usize],
    params: &[&[usize]],
) -> Inferred {
    if !(epsilon.is_finite() && epsilon >= 0.0) {
        return Err(format!("epsilon is {epsilon}; expected a number from 0 up, such as 1e-5"));
    }
    if !(0.0..=1.0).contains(&momentum) {
        return Err(format!("momentum is {momentum}; expected a number from 0 to 1, such as 0.9"));
    }
    for (role, shape) in ["scale", "bias", "mean", "variance"].iter().zip(params) {
        if **shape != [input[0]] {
            return Err(format!(
                "expected a {role} of shape [{}], one number for each channel of the input \
                 {input:?}, got {shape:?}",
                input[0]
            ));
        }
    }
    Ok(input.to_vec())
}

/// Same shape as the input.
pub(crate) fn dropout_output_shape(rate: f32, input: &[usize]) -> Inferred {
    if !(0.0..1.0).contains(&rate) {
        return Err(format!("the rate is {rate}; expected a probability from 0 to below 1"));
    }
    Ok(input.to_vec())
}
