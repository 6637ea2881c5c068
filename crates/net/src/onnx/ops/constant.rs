//! Constants, and what is known without running anything: `Shape` and `Size` of a layer, the branch of an
//! `If` that is taken.

use crate::onnx::reader::{Call, Import, Value};
use crate::onnx::tensor::{Data, Tensor};

pub(super) fn read_constant(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let attributes = &call.attributes;
    let name = call.output();
    let floats = |dims, values: &[f32]| Tensor {
        name: name.to_owned(),
        dims,
        data: Data::Floats(values.into()),
    };
    let tensor = if let Some(proto) = attributes.tensor("value") {
        import.tensor(proto.clone(), name)?
    } else if attributes.has("value_float") {
        floats(vec![], &[attributes.float("value_float", 0.0)?])
    } else if attributes.has("value_floats") {
        let values = attributes.floats("value_floats");
        floats(vec![values.len()], values)
    } else if attributes.has("value_int") {
        Tensor::ints(name, vec![], vec![attributes.int("value_int", 0)?])
    } else if attributes.has("value_ints") {
        let values = attributes.ints("value_ints");
        Tensor::ints(name, vec![values.len()], values.to_vec())
    } else {
        return Err("expected an attribute value, value_float(s) or value_int(s)".into());
    };
    import.bind(call, Value::constant(tensor));
    Ok(())
}

pub(super) fn read_identity(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let value = import.value(call, 0)?;
    import.bind(call, value);
    Ok(())
}

/// Sizes of a layer's output for one sample, or of a constant.
pub(super) fn read_shape(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let sizes = match import.value(call, 0)? {
        Value::Node(operand) => import.dims(operand),
        Value::Constant(tensor) => tensor.dims.clone(),
    };
    let rank = sizes.len() as i64;
    let bound = |name: &str, default: i64| -> Result<usize, String> {
        let at = call.attributes.int(name, default)?;
        let at = if at < 0 { at.saturating_add(rank) } else { at };
        Ok(usize::try_from(at.clamp(0, rank)).unwrap_or(0))
    };
    let (start, end) = (bound("start", 0)?, bound("end", rank)?);
    let part = sizes.get(start..end).unwrap_or_default();
    let part: Vec<i64> = part.iter().map(|&size| size as i64).collect();
    import.bind(call, Value::constant(Tensor::ints(call.output(), vec![part.len()], part)));
    Ok(())
}

/// Number of elements for one sample.
pub(super) fn read_size(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let count: usize = import.dims(operand).iter().product();
    import.bind(call, Value::constant(Tensor::ints(call.output(), vec![], vec![count as i64])));
    Ok(())
}

/// The branch that is taken is read as if it stood there, where the condition is known.
pub(super) fn read_if(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let condition = import.constant(call, 0).map_err(|_| {
        "its condition depends on the image; only a branch that is always the same can be taken"
    })?;
    let taken = match &condition.data {
        Data::Ints(values) if values.len() == 1 => values[0] != 0,
        _ => return Err("the condition should be a single truth value".into()),
    };
    let (yes, no) = (call.graph("then_branch"), call.graph("else_branch"));
    let branch = if taken { yes } else { no };
    import.inline(call, branch.ok_or("it has no branch to take")?)
}
