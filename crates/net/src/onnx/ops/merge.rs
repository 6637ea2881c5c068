//! `Add`, `Sum`, `Concat`.

use super::Written;
use crate::onnx::attributes::int;
use crate::onnx::reader::{Call, Import, Value};
use crate::onnx::tensor::{Data, Tensor};
use crate::{NodeId, Op};

/// ONNX's `Add` takes two inputs, its `Sum` any number.
pub(super) fn write_add(inputs: usize) -> Written {
    Written::new(if inputs == 2 { "Add" } else { "Sum" }, vec![])
}

pub(super) fn write_concat() -> Written {
    Written::new("Concat", vec![int("axis", 1)])
}

/// A sum of two layers, or the bias of the layer before.
pub(super) fn read_add(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    match (import.value(call, 0)?, import.value(call, 1)?) {
        (Value::Node(a), Value::Node(b)) => import.emit(call, Op::Add, vec![a, b], vec![]),
        (Value::Node(layer), Value::Constant(_)) => add_bias(import, call, layer, 0, 1),
        (Value::Constant(_), Value::Node(layer)) => add_bias(import, call, layer, 1, 0),
        (Value::Constant(_), Value::Constant(_)) => {
            Err("sums of constants are not supported".into())
        }
    }
}

/// Exporters that know no bias write `Conv` and `Add`, or `MatMul` and `Add`.
fn add_bias(
    import: &mut Import,
    call: &Call<'_>,
    layer: NodeId,
    layer_input: usize,
    constant_input: usize,
) -> Result<(), String> {
    let refused = "a constant can be added only as the bias of a Conv, Gemm or MatMul that has none \
                   and whose output goes nowhere else, one number an output";
    let trailing = match import.op(layer) {
        Op::Conv(_) => 2,
        Op::Dense => 0,
        _ => return Err(refused.into()),
    };
    if import.param_count(layer) != 1 || !import.is_only_use(call, layer_input, layer) {
        return Err(refused.into());
    }
    let bias = import.weight(call, constant_input)?;
    let out = import.shape(layer)[0];
    let bias = import.per_output(bias, out, trailing)?.ok_or(refused)?;
    import.add_bias(layer, bias);
    import.bind(call, Value::Node(layer));
    Ok(())
}

/// `Sum` of one input is that input.
pub(super) fn read_sum(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let inputs = all_data(import, call)?;
    if let [only] = inputs[..] {
        import.bind(call, Value::Node(only));
        return Ok(());
    }
    import.emit(call, Op::Add, inputs, vec![])
}

/// Along the channels; or of constants, where a shape is put together.
pub(super) fn read_concat(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let axis = call.attributes.int("axis", 1)?;
    if matches!(import.value(call, 0)?, Value::Constant(_)) {
        return concat_constants(import, call);
    }
    let inputs = all_data(import, call)?;
    let axes = import.shape(inputs[0]).len() as i64 + 1;
    if axis != 1 && axis.saturating_add(axes) != 1 {
        return Err(format!(
            "axis = {axis} is not supported; expected 1, a vector's features or an image's channels"
        ));
    }
    import.emit(call, Op::Concat, inputs, vec![])
}

fn concat_constants(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let mut all = Vec::new();
    for index in 0..call.input_count() {
        let tensor = import.constant(call, index)?;
        let Data::Ints(ints) = &tensor.data else {
            return Err("only shapes (whole numbers) can be joined as constants".into());
        };
        import.spend(ints.len())?;
        all.extend_from_slice(ints);
    }
    let joined = Tensor::ints(call.output(), vec![all.len()], all);
    import.bind(call, Value::constant(joined));
    Ok(())
}

fn all_data(import: &Import, call: &Call<'_>) -> Result<Vec<NodeId>, String> {
    match call.input_count() {
        0 => Err("expected at least one input, got none".into()),
        count => (0..count).map(|index| import.data(call, index)).collect(),
    }
}
