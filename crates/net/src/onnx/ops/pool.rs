//! `MaxPool`, `AveragePool`, `GlobalAveragePool`, `GlobalMaxPool`.

use super::conv::{emit_image, image_input};
use super::{Written, window};
use crate::onnx::attributes::{int, ints};
use crate::onnx::reader::{Call, Import};
use crate::shape::image;
use crate::{Binary, NodeId, Op, PadMode, Pool, Reduce, Span, Unary};

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
    let window = read_geometry(import, call)?;
    let Window { input, pool, flat, .. } = window;
    if window.dilation != [1, 1] {
        return dilated(import, call, &window, f32::NEG_INFINITY, Op::Binary(Binary::Max), 1.0);
    }
    emit_image(import, call, Op::MaxPool(pool), input, vec![], flat)
}

/// Where padding counts, it is put there as zeros first.
pub(super) fn read_average(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let counts = call.attributes.int("count_include_pad", 0)? != 0;
    let window = read_geometry(import, call)?;
    let Window { mut input, mut pool, declared, flat, .. } = window;
    if window.dilation != [1, 1] {
        if !counts && declared != [0; 4] {
            return Err("dilated windows over padding that does not count are not supported".into());
        }
        let share = 1.0 / (pool.kernel[0] * pool.kernel[1]) as f32;
        return dilated(import, call, &window, 0.0, Op::Add, share);
    }
    if counts && declared != [0; 4] {
        let [top, left, bottom, right] = declared;
        let amounts = vec![[0, 0], [top, bottom], [left, right]];
        let pad = Op::Pad { amounts, mode: PadMode::Constant(0.0) };
        input = import.step(call, "padded", pad, vec![input], vec![])?;
        let rest = |side: usize| pool.padding[side] - declared[side];
        pool.padding = [rest(0), rest(1), rest(2), rest(3)];
    }
    emit_image(import, call, Op::AvgPool(pool), input, vec![], flat)
}

pub(super) fn read_global_average(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
    if import.shape(input).len() == 3 {
        return import.emit(call, Op::GlobalAvgPool, vec![input], vec![]);
    }
    global(import, call, Reduce::Mean)
}

pub(super) fn read_global_max(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    global(import, call, Reduce::Max)
}

fn global(import: &mut Import, call: &Call<'_>, kind: Reduce) -> Result<(), String> {
    let input = import.data(call, 0)?;
    let axes = (1..import.shape(input).len()).collect();
    import.emit(call, Op::Reduce { kind, axes, keep: true }, vec![input], vec![])
}

/// What a pooling says of its windows.
struct Window {
    input: NodeId,
    pool: Pool,
    /// As it stands in the file, without what the last windows hang over the end.
    declared: [usize; 4],
    dilation: [usize; 2],
    /// A signal that has become an image of one row.
    flat: bool,
}

fn read_geometry(import: &mut Import, call: &Call<'_>) -> Result<Window, String> {
    let attributes = &call.attributes;
    let (input, flat) = image_input(import, call)?;
    let [_, height, width] = image(import.shape(input))?;
    let kernel = window::pair(attributes, "kernel_shape", 0, flat)?;
    let stride = window::pair(attributes, "strides", 1, flat)?;
    let dilation = window::pair(attributes, "dilations", 1, flat)?;
    let all = [kernel, stride, dilation].concat();
    if all.iter().any(|&size| size == 0 || size > crate::MAX_ELEMENTS) {
        return Err(format!(
            "kernel_shape {kernel:?}, strides {stride:?} and dilations {dilation:?} must be at least 1, \
             and sane"
        ));
    }
    let declared = window::padding(attributes, [height, width], kernel, dilation, stride, flat)?;
    let mut padding = declared;
    if attributes.int("ceil_mode", 0)? != 0 {
        for (axis, size) in [height, width].into_iter().enumerate() {
            let extent = (kernel[axis] - 1) * dilation[axis] + 1;
            let (begin, end) = (padding[axis], padding[axis + 2]);
            padding[axis + 2] = ceil_padding(size, extent, stride[axis], begin, end);
        }
    }
    Ok(Window { input, pool: Pool { kernel, stride, padding }, declared, dilation, flat })
}

/// A pooling whose windows have gaps: the taps of the windows, each a slice of the padded image, joined.
fn dilated(
    import: &mut Import,
    call: &Call<'_>,
    window: &Window,
    fill: f32,
    join: Op,
    share: f32,
) -> Result<(), String> {
    let Window { mut input, pool, dilation, flat, .. } = *window;
    if pool.kernel[0] * pool.kernel[1] > 256 {
        return Err(format!("dilated windows of {:?} are not supported", pool.kernel));
    }
    let [top, left, bottom, right] = pool.padding;
    if pool.padding != [0; 4] {
        let amounts = vec![[0, 0], [top, bottom], [left, right]];
        let pad = Op::Pad { amounts, mode: PadMode::Constant(fill) };
        input = import.step(call, "padded", pad, vec![input], vec![])?;
    }
    let [channels, height, width] = image(import.shape(input))?;
    let count = |axis: usize, size: usize| {
        let extent = (pool.kernel[axis] - 1) * dilation[axis] + 1;
        size.checked_sub(extent)
            .map(|room| room / pool.stride[axis] + 1)
            .ok_or("a window is too large")
    };
    let (rows, columns) = (count(0, height)?, count(1, width)?);
    let mut result = None;
    for tap in 0..pool.kernel[0] * pool.kernel[1] {
        let at = [tap / pool.kernel[1] * dilation[0], tap % pool.kernel[1] * dilation[1]];
        let step = |axis: usize| isize::try_from(pool.stride[axis]).unwrap_or(1);
        let spans = vec![
            Span { start: 0, count: channels, step: 1 },
            Span { start: at[0], count: rows, step: step(0) },
            Span { start: at[1], count: columns, step: step(1) },
        ];
        let part = import.step(call, "tap", Op::Slice { spans }, vec![input], vec![])?;
        result = Some(match result {
            None => part,
            Some(before) => {
                import.step(call, "joined", join.clone(), vec![before, part], vec![])?
            }
        });
    }
    let result = result.ok_or("a window without taps")?;
    let scale = Op::Unary(Unary::Scale { factor: share });
    emit_image(import, call, scale, result, vec![], flat)
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
