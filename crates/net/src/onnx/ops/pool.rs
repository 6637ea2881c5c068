//! `MaxPool`, `AveragePool`, `GlobalAveragePool`.

use super::{Written, window};
use crate::onnx::attributes::{int, ints};
use crate::onnx::reader::{Call, Import};
use crate::shape::image;
use crate::{Op, Pool};

pub(super) fn write_max(pool: &Pool) -> Written {
    Written::new("MaxPool", geometry(pool))
}

pub(super) fn write_average(pool: &Pool) -> Written {
    let mut attributes = geometry(pool);
    attributes.insert(0, int("count_include_pad", 0));
    Written::new("AveragePool", attributes)
}

fn geometry(pool: &Pool) -> Vec<crate::onnx::proto::AttributeProto> {
    vec![
        ints("kernel_shape", &pool.kernel),
        ints("pads", &pool.padding),
        ints("strides", &pool.stride),
    ]
}

/// The second output, the indices of the maxima, is not supported.
pub(super) fn read_max(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    call.attributes.ignore("storage_order"); // concerns the indices only
    let input = import.data(call, 0)?;
    let pool = read_geometry(import, call)?;
    import.emit(call, Op::MaxPool(pool), vec![input], vec![])
}

/// Padding must not count, or there must be none.
pub(super) fn read_average(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let counts = call.attributes.int("count_include_pad", 0)? != 0;
    let input = import.data(call, 0)?;
    let pool = read_geometry(import, call)?;
    if counts && pool.padding != [0; 4] {
        return Err(format!(
            "count_include_pad = 1 with padding {:?} is not supported; padding must not count",
            pool.padding
        ));
    }
    import.emit(call, Op::AvgPool(pool), vec![input], vec![])
}

pub(super) fn read_global_average(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
    import.emit(call, Op::GlobalAvgPool, vec![input], vec![])
}

fn read_geometry(import: &Import, call: &Call<'_>) -> Result<Pool, String> {
    let attributes = &call.attributes;
    let [_, height, width] = image(import.shape(import.data(call, 0)?))?;
    let kernel = attributes.sizes("kernel_shape", 0)?;
    let stride = attributes.sizes("strides", 1)?;
    if kernel.contains(&0) || stride.contains(&0) {
        return Err(format!("kernel_shape {kernel:?} and strides {stride:?} must be at least 1"));
    }
    if attributes.sizes("dilations", 1)? != [1, 1] {
        return Err("dilated pooling is not supported".into());
    }
    let mut padding = window::padding(attributes, [height, width], kernel, [1, 1], stride)?;
    if attributes.int("ceil_mode", 0)? != 0 {
        for (axis, size) in [height, width].into_iter().enumerate() {
            let (begin, end) = (padding[axis], padding[axis + 2]);
            padding[axis + 2] = ceil_padding(size, kernel[axis], stride[axis], begin, end);
        }
    }
    Ok(Pool { kernel, stride, padding })
}

/// `ceil_mode` admits a last window that hangs over the end. Padding neither wins a maximum nor
/// counts in a mean, so the same windows come from more padding at the end. A window must begin
/// inside the image or the padding before it.
fn ceil_padding(size: usize, kernel: usize, stride: usize, begin: usize, end: usize) -> usize {
    let padded = size.saturating_add(begin).saturating_add(end);
    let Some(room) = padded.checked_sub(kernel) else { return end };
    let mut last = room.div_ceil(stride).saturating_mul(stride);
    if last >= size.saturating_add(begin) {
        last -= stride;
    }
    end.max(last.saturating_add(kernel).saturating_sub(size.saturating_add(begin)))
}
