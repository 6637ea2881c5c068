//! Shape inference: the shape of a node's output from its operator, inputs and parameters.
//!
//! One function an operator, in [`crate::ops`]; this file dispatches and holds what they share.
//! Nothing here multiplies or adds without looking: a file may declare any number as a size.

use crate::Op;
use crate::ops;

/// The most numbers one tensor of one sample may have (4 GiB of f32).
pub const MAX_ELEMENTS: usize = 1 << 30;

/// The most axes a sample may have.
pub const MAX_AXES: usize = 6;

/// What an operator's rule returns: the output's shape, or what was expected and what came.
pub(crate) type Inferred = Result<Vec<usize>, String>;

/// Shape of a node's output.
pub(crate) fn infer(op: &Op, inputs: &[&[usize]], params: &[&[usize]]) -> Inferred {
    check_counts(op, inputs.len(), params.len())?;
    let output = match op {
        Op::Input { shape } => Ok(shape.clone()),
        Op::Conv(conv) => ops::conv::output_shape(conv, inputs[0], params),
        Op::MaxPool(pool) | Op::AvgPool(pool) => ops::pool::output_shape(pool, inputs[0]),
        Op::GlobalAvgPool => ops::pool::global_output_shape(inputs[0]),
        Op::Dense => ops::dense::output_shape(inputs[0], params),
        Op::Relu | Op::Softmax | Op::LogSoftmax => Ok(inputs[0].to_vec()),
        Op::Flatten => Ok(vec![inputs[0].iter().product()]),
        Op::Reshape { shape } => ops::reshape::output_shape(shape, inputs[0]),
        Op::Add => ops::merge::add_output_shape(inputs),
        Op::Concat => ops::merge::concat_output_shape(inputs),
        Op::BatchNorm { epsilon, momentum } => {
            ops::norm::batch_norm_output_shape(*epsilon, *momentum, inputs[0], params)
        }
        Op::Dropout { rate } => ops::norm::dropout_output_shape(*rate, inputs[0]),
        Op::Constant { shape } => ops::general::constant_output_shape(shape, params[0]),
        Op::Unary(unary) => ops::general::unary_output_shape(*unary, inputs[0]),
        Op::Binary(_) => ops::general::broadcast(inputs[0], inputs[1]),
        Op::Reduce { axes, keep, .. } => ops::general::reduced(inputs[0], axes, *keep),
        Op::ArgMax { axis, keep, .. } => ops::general::reduced(inputs[0], &[*axis], *keep),
        Op::SoftmaxAlong { axis, .. } => {
            ops::general::check_axis(inputs[0], *axis).map(|()| inputs[0].to_vec())
        }
        Op::MatMul => ops::general::mat_mul_output_shape(inputs[0], inputs[1]),
        Op::Transpose { axes } => ops::general::transposed(inputs[0], axes),
        Op::Slice { spans } => ops::general::sliced(inputs[0], spans),
        Op::ConcatAlong { axis } => ops::merge::concat_along_output_shape(inputs, *axis),
        Op::Pad { amounts, mode } => ops::general::padded(inputs[0], amounts, *mode),
        Op::Expand { shape } => ops::general::expanded(inputs[0], shape),
        Op::Gather { axis, indices } => ops::general::gathered(inputs[0], *axis, indices),
        Op::Resize(resize) => ops::general::resized(inputs[0], resize),
        Op::LocalResponseNorm { size, .. } => {
            ops::norm::local_response_output_shape(*size, inputs[0])
        }
        Op::LayerNorm { axis, epsilon } => {
            ops::norm::layer_norm_output_shape(*axis, *epsilon, inputs[0], params)
        }
        Op::GroupNorm { groups, epsilon } => {
            ops::norm::group_norm_output_shape(*groups, *epsilon, inputs[0], params)
        }
        Op::Where => ops::general::broadcast(inputs[0], inputs[1])
            .and_then(|both| ops::general::broadcast(&both, inputs[2])),
        Op::CumSum { axis, .. } => {
            ops::general::check_axis(inputs[0], *axis).map(|()| inputs[0].to_vec())
        }
        Op::ConvTranspose(conv) => ops::conv::transposed_output_shape(conv, inputs[0], params),
    }?;
    check(&output)?;
    Ok(output)
}

/// Number of elements of a shape, or `None` where that is more than [`MAX_ELEMENTS`].
pub(crate) fn elements(shape: &[usize]) -> Option<usize> {
    let count = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size))?;
    (count <= MAX_ELEMENTS).then_some(count)
}

/// Refuses shapes that no tensor of ours may have.
fn check(shape: &[usize]) -> Result<(), String> {
    if shape.is_empty() || shape.len() > MAX_AXES {
        return Err(format!(
            "shape {shape:?} has {} axes; expected 1 to {MAX_AXES} (the batch axis not counted)",
            shape.len()
        ));
    }
    if shape.contains(&0) {
        return Err(format!("shape {shape:?} is empty; every size must be at least 1"));
    }
    match elements(shape) {
        Some(_) => Ok(()),
        None => Err(format!(
            "shape {shape:?} has more than {MAX_ELEMENTS} elements a sample, the most that is \
             supported"
        )),
    }
}

fn check_counts(op: &Op, inputs: usize, params: usize) -> Result<(), String> {
    let (least, most) = match op {
        Op::Input { .. } | Op::Constant { .. } => (0, 0),
        Op::Add => (2, usize::MAX),
        Op::Binary(_) | Op::MatMul => (2, 2),
        Op::Where => (3, 3),
        Op::Concat | Op::ConcatAlong { .. } => (1, usize::MAX),
        _ => (1, 1),
    };
    if inputs < least || inputs > most {
        let wanted = match (least, most) {
            (0, 0) => "no input".to_owned(),
            (1, 1) => "one input".to_owned(),
            (2, 2) => "two inputs".to_owned(),
            (3, 3) => "three inputs".to_owned(),
            _ => format!("at least {least} inputs"),
        };
        return Err(format!("expected {wanted}, got {inputs}"));
    }
    let (least, most) = match op {
        Op::Conv(_) | Op::ConvTranspose(_) | Op::Dense | Op::LayerNorm { .. } => (1, 2),
        Op::BatchNorm { .. } => (4, 4),
        Op::GroupNorm { .. } => (2, 2),
        Op::Constant { .. } => (1, 1),
        _ => (0, 0),
    };
    if params < least || params > most {
        return Err(match (least, most) {
            (0, 0) => format!("expected no parameters, got {params}"),
            (1, 1) => format!("expected a value, got {params} parameters"),
            (2, 2) => format!("expected scale and bias, got {params} parameters"),
            (4, 4) => format!("expected scale, bias, mean and variance, got {params} parameters"),
            _ => format!("expected a weight and perhaps a bias, got {params} parameters"),
        });
    }
    Ok(())
}

/// Takes an image's shape apart, or says what to do about a vector.
pub(crate) fn image(shape: &[usize]) -> Result<[usize; 3], String> {
    <[usize; 3]>::try_from(shape).map_err(|_| {
        format!("expected an image [channels, height, width] as input, got shape {shape:?}")
    })
}

/// Output size along one axis of a sliding window: `floor((size + padding - extent) / stride) + 1`
/// where `extent` is what the dilated kernel spans (ONNX `Conv`, `MaxPool`).
pub(crate) fn window(
    axis: &str,
    size: usize,
    kernel: usize,
    dilation: usize,
    stride: usize,
    padding: [usize; 2],
) -> Result<usize, String> {
    for (what, value) in [("kernel", kernel), ("dilation", dilation), ("stride", stride)] {
        if value == 0 || value > MAX_ELEMENTS {
            return Err(format!("the {what}'s {axis} is {value}; expected 1 or more, and sane"));
        }
    }
    if padding.iter().any(|&side| side > MAX_ELEMENTS) {
        return Err(format!("the padding {padding:?} along the {axis} is absurdly large"));
    }
    // None of the terms is above 2^30, so nothing here can overflow 64 bits.
    let padded = size as u64 + padding[0] as u64 + padding[1] as u64;
    let extent = (kernel as u64 - 1) * dilation as u64 + 1;
    if extent > padded {
        return Err(format!(
            "the kernel spans {extent} along the {axis} but the input has {size} (with padding \
             {padded}); use a smaller kernel or more padding"
        ));
    }
    Ok(usize::try_from((padded - extent) / stride as u64 + 1).unwrap_or(usize::MAX))
}

/// Padding of TensorFlow's "same": as many windows as the input has strides, the odd pixel at the
/// end (ONNX `SAME_UPPER`).
pub(crate) fn same_padding(
    size: usize,
    kernel: usize,
    dilation: usize,
    stride: usize,
) -> [usize; 2] {
    if stride == 0 {
        return [0, 0]; // refused by `window`, with a message
    }
    let extent = kernel.saturating_sub(1).saturating_mul(dilation).saturating_add(1);
    let windows = size.div_ceil(stride);
    let covered = windows.saturating_sub(1).saturating_mul(stride).saturating_add(extent);
    let total = covered.saturating_sub(size);
    [total / 2, total - total / 2]
}
