//! `Conv` and `ConvTranspose`, of images and of signals.

use super::{Written, window};
use crate::onnx::attributes::{int, ints};
use crate::onnx::reader::{Call, Import, Weight};
use crate::shape::image;
use crate::{Conv, ConvTranspose, NodeId, Op};

pub(super) fn write(conv: &Conv, weight: &[usize]) -> Written {
    let attributes = vec![
        ints("dilations", &conv.dilation),
        int("group", conv.groups),
        ints("kernel_shape", &weight[2..]),
        ints("pads", &conv.padding),
        ints("strides", &conv.stride),
    ];
    Written::new("Conv", attributes)
}

/// The image, or a signal `[channels, length]` as an image of one row, and whether it is one.
pub(super) fn image_input(import: &mut Import, call: &Call<'_>) -> Result<(NodeId, bool), String> {
    let input = import.data(call, 0)?;
    match *import.shape(input) {
        [channels, length] => Ok((import.reshaped(call, input, vec![channels, 1, length])?, true)),
        _ => Ok((input, false)),
    }
}

/// Adds a node for an image; a signal loses its row again.
pub(super) fn emit_image(
    import: &mut Import,
    call: &Call<'_>,
    op: Op,
    input: NodeId,
    params: Vec<Weight>,
    flat: bool,
) -> Result<(), String> {
    if !flat {
        return import.emit(call, op, vec![input], params);
    }
    let row = import.step(call, "row", op, vec![input], params)?;
    let shape = import.shape(row);
    let shape = vec![shape[0], shape[2]];
    import.emit(call, Op::Reshape { shape }, vec![row], vec![])
}

/// A weight of an image's filter; that of a signal gets a row.
fn filters(import: &Import, call: &Call<'_>, flat: bool) -> Result<Weight, String> {
    let mut weight = import.weight(call, 1)?;
    if flat && weight.shape.len() == 3 {
        weight.shape.insert(2, 1);
    }
    match weight.shape.len() {
        4 => Ok(weight),
        _ => Err(format!(
            "the weight {:?} has shape {:?}; only one- and two-dimensional convolutions are \
             supported, [out, in / groups, height, width]",
            weight.name, weight.shape
        )),
    }
}

/// What convolutions and transposed ones have in common.
struct Window {
    input: NodeId,
    /// Whether the image is a signal, of one row.
    flat: bool,
    size: [usize; 2],
    weight: Weight,
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
}

impl Window {
    fn of(import: &mut Import, call: &Call<'_>) -> Result<Window, String> {
        let (input, flat) = image_input(import, call)?;
        let [_, height, width] = image(import.shape(input))?;
        let weight = filters(import, call, flat)?;
        let a = &call.attributes;
        let kernel = [weight.shape[2], weight.shape[3]];
        let declared = window::pair(a, "kernel_shape", 0, flat)?;
        if declared[1] != 0 && declared != kernel {
            return Err(format!(
                "kernel_shape is {declared:?} but the weight's kernel is {kernel:?}"
            ));
        }
        let stride = window::pair(a, "strides", 1, flat)?;
        let dilation = window::pair(a, "dilations", 1, flat)?;
        Ok(Window { input, flat, size: [height, width], weight, kernel, stride, dilation })
    }
}

/// Inputs: image, weight `[out, in / groups, height, width]`, optional bias `[out]`.
pub(super) fn read(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let Window { input, flat, size: [height, width], weight, kernel, stride, dilation } =
        Window::of(import, call)?;
    let a = &call.attributes;
    let padding = window::padding(a, [height, width], kernel, dilation, stride, flat)?;
    let groups = usize::try_from(a.int("group", 1)?).unwrap_or(0);
    let mut params = vec![weight];
    if call.has_input(2) {
        params.push(import.weight(call, 2)?);
    }
    let op = Op::Conv(Conv { stride, padding, dilation, groups });
    emit_image(import, call, op, input, params, flat)
}

pub(super) fn write_transposed(conv: &ConvTranspose, weight: &[usize]) -> Written {
    let attributes = vec![
        ints("dilations", &conv.dilation),
        int("group", conv.groups),
        ints("kernel_shape", &weight[2..]),
        ints("output_padding", &conv.output_padding),
        ints("pads", &conv.padding),
        ints("strides", &conv.stride),
    ];
    Written::new("ConvTranspose", attributes)
}

/// Inputs: image, weight `[in, out / groups, height, width]`, optional bias `[out]`.
pub(super) fn read_transposed(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let Window { input, flat, size: [height, width], weight, kernel, stride, dilation } =
        Window::of(import, call)?;
    let a = &call.attributes;
    let mut extra = window::pair(a, "output_padding", 0, flat)?;
    if flat {
        extra[0] = 0;
    }
    let sane = |numbers: &[usize]| numbers.iter().all(|&number| number <= crate::MAX_ELEMENTS);
    if !(sane(&stride) && sane(&dilation) && sane(&extra)) {
        return Err("strides, dilations or output_padding are absurdly large".into());
    }
    let full = |axis: usize| {
        let size = [height, width][axis];
        (size - 1) * stride[axis] + (kernel[axis].max(1) - 1) * dilation[axis] + 1 + extra[axis]
    };
    let wanted = window::pair(a, "output_shape", 0, flat)?;
    let same = a.text("auto_pad", "NOTSET")?;
    let padding = if wanted[1] != 0 || same.starts_with("SAME") {
        // The odd row or column is cut off at the end, unless the rule is SAME_UPPER's … reversed.
        let target = |axis: usize| match wanted[1] {
            0 => [height, width][axis] * stride[axis],
            _ if flat && axis == 0 => 1,
            _ => wanted[axis],
        };
        let cut = |axis: usize| {
            full(axis).checked_sub(target(axis)).ok_or_else(|| {
                format!("output_shape {} is more than the {} there are", target(axis), full(axis))
            })
        };
        let (rows, columns) = (cut(0)?, cut(1)?);
        match same.as_str() {
            "SAME_UPPER" => [rows / 2, columns / 2, rows - rows / 2, columns - columns / 2],
            _ => [rows - rows / 2, columns - columns / 2, rows / 2, columns / 2],
        }
    } else {
        window::padding(a, [height, width], kernel, dilation, stride, flat)?
    };
    let groups = usize::try_from(a.int("group", 1)?).unwrap_or(0);
    let mut params = vec![weight];
    if call.has_input(2) {
        params.push(import.weight(call, 2)?);
    }
    let conv = ConvTranspose { stride, padding, dilation, groups, output_padding: extra };
    emit_image(import, call, Op::ConvTranspose(conv), input, params, flat)
}
