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

/// Same shape as the input, `[channels, …]`.
pub(crate) fn local_response_output_shape(size: usize, input: &[usize]) -> Inferred {
    if size == 0 {
        return Err("size is 0; expected the number of neighbouring channels".into());
    }
    Ok(input.to_vec())
}

/// Same shape as the input; scale and bias have the sizes of the normalised axes.
pub(crate) fn layer_norm_output_shape(
    axis: usize,
    epsilon: f32,
    input: &[usize],
    params: &[&[usize]],
) -> Inferred {
    check_epsilon(epsilon)?;
    super::general::check_axis(input, axis)?;
    match params.iter().find(|shape| ***shape != input[axis..]) {
        None => Ok(input.to_vec()),
        Some(found) => Err(format!(
            "expected scale and bias of shape {:?}, the axes from {axis} on of the input {input:?}, \
             got {found:?}",
            &input[axis..]
        )),
    }
}

/// Same shape as the input; scale and bias have one number a channel.
pub(crate) fn group_norm_output_shape(
    groups: usize,
    epsilon: f32,
    input: &[usize],
    params: &[&[usize]],
) -> Inferred {
    check_epsilon(epsilon)?;
    if groups == 0 || !input[0].is_multiple_of(groups) {
        return Err(format!("{groups} groups do not divide the {} channels", input[0]));
    }
    match params.iter().find(|shape| ***shape != [input[0]]) {
        None => Ok(input.to_vec()),
        Some(found) => Err(format!(
            "expected scale and bias of shape [{}], one number a channel, got {found:?}",
            input[0]
        )),
    }
}

fn check_epsilon(epsilon: f32) -> Result<(), String> {
    match epsilon.is_finite() && epsilon >= 0.0 {
        true => Ok(()),
        false => Err(format!("epsilon is {epsilon}; expected a number from 0 up, such as 1e-5")),
    }
}
