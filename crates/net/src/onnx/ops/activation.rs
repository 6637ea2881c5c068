//! `Relu`, `Softmax`, `LogSoftmax`.

use super::Written;
use crate::Op;
use crate::onnx::attributes::int;
use crate::onnx::reader::{Call, Import};

pub(super) fn write_softmax(op_type: &'static str) -> Written {
    Written::new(op_type, vec![int("axis", 1)])
}

pub(super) fn read_relu(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
    import.emit(call, Op::Relu, vec![input], vec![])
}

pub(super) fn read_softmax(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    read_over_channels(import, call, Op::Softmax)
}

pub(super) fn read_log_softmax(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    read_over_channels(import, call, Op::LogSoftmax)
}

/// Only the axis after the batch will do: a vector's features, an image's channels. Before operator
/// set 13 the softmax ran over that axis and all after it.
fn read_over_channels(import: &mut Import, call: &Call<'_>, op: Op) -> Result<(), String> {
    let input = import.data(call, 0)?;
    let shape = import.shape(input);
    let axes = shape.len() as i64 + 1;
    let since_13 = import.opset() >= 13;
    let axis = call.attributes.int("axis", if since_13 { -1 } else { 1 })?;
    let axis = if axis < 0 { axis.saturating_add(axes) } else { axis };
    let rest_is_one = shape[1..].iter().all(|&size| size == 1);
    if axis != 1 || !(since_13 || rest_is_one) {
        return Err(format!(
            "a softmax along axis {axis} of [N, {}] (operator set {}) is not supported; expected \
             axis 1, a vector's features or an image's channels",
            shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
            import.opset()
        ));
    }
    import.emit(call, op, vec![input], vec![])
}
