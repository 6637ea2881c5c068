//! `Conv`.

use super::{Written, window};
use crate::onnx::attributes::{int, ints};
use crate::onnx::reader::{Call, Import};
use crate::shape::image;
use crate::{Conv, Op};

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

/// Inputs: image, weight `[out, in / groups, height, width]`, optional bias `[out]`.
pub(super) fn read(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
    let [_, height, width] = image(import.shape(input))?;
    let weight = import.weight(call, 1)?;
    let &[_, _, kernel_height, kernel_width] = &weight.shape[..] else {
        return Err(format!(
            "the weight {:?} has shape {:?}; only two-dimensional convolutions are supported, \
             [out, in / groups, height, width]",
            weight.name, weight.shape
        ));
    };
    let kernel = [kernel_height, kernel_width];
    let declared = call.attributes.sizes("kernel_shape", 0)?;
    if declared != [0, 0] && declared != kernel {
        return Err(format!("kernel_shape is {declared:?} but the weight's kernel is {kernel:?}"));
    }
    let (stride, dilation) =
        (call.attributes.sizes("strides", 1)?, call.attributes.sizes("dilations", 1)?);
    let padding = window::padding(&call.attributes, [height, width], kernel, dilation, stride)?;
    let groups = usize::try_from(call.attributes.int("group", 1)?).unwrap_or(0);
    let mut params = vec![weight];
    if call.has_input(2) {
        params.push(import.weight(call, 2)?);
    }
    import.emit(call, Op::Conv(Conv { stride, padding, dilation, groups }), vec![input], params)
}
