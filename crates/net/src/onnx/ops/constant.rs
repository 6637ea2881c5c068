//! Constants, and the few operators that exporters compute shapes with: everything here is worked
//! out while reading and leaves no node.

use super::reshape::is_shape;
use crate::onnx::proto::data_type;
use crate::onnx::reader::{Call, Import, Value};
use crate::onnx::tensor::{Data, Tensor};

/// Stands for the batch size in a shape that is computed from a layer's shape.
pub(super) const BATCH: i64 = i64::MIN;

pub(super) fn read_constant(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let attributes = &call.attributes;
    let name = call.output();
    let floats = |dims, values: &[f32]| Tensor {
        name: name.to_owned(),
        dims,
        data: Data::Floats(values.into()),
    };
    let tensor = if let Some(proto) = attributes.tensor("value") {
        Tensor::read(proto.clone(), name)?
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

/// Shape of a layer's output with the batch size left open, or of a constant.
pub(super) fn read_shape(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let widen = |sizes: &[usize]| sizes.iter().map(|&size| size as i64).collect::<Vec<_>>();
    let all = match import.value(call, 0)? {
        Value::Node(node) => [vec![BATCH], widen(import.shape(node))].concat(),
        Value::Constant(tensor) => widen(&tensor.dims),
    };
    let rank = all.len() as i64;
    let bound = |name: &str, default: i64| -> Result<usize, String> {
        let at = call.attributes.int(name, default)?;
        let at = if at < 0 { at.saturating_add(rank) } else { at };
        Ok(usize::try_from(at.clamp(0, rank)).unwrap_or(0))
    };
    let (start, end) = (bound("start", 0)?, bound("end", rank)?);
    let part = all.get(start..end).unwrap_or_default().to_vec();
    import.bind(call, Value::constant(Tensor::ints(call.output(), vec![part.len()], part)));
    Ok(())
}

/// Picks sizes out of a shape.
pub(super) fn read_gather(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    call.attributes.require("axis", 0, 0)?;
    let (tensor, indices) = (import.constant(call, 0)?, import.constant(call, 1)?);
    let (Data::Ints(from), Data::Ints(wanted)) = (&tensor.data, &indices.data) else {
        return Err("only sizes can be picked out of a shape".into());
    };
    if tensor.dims.len() != 1 || !is_shape(&tensor.data) || !is_shape(&indices.data) {
        return Err("only sizes can be picked out of a shape".into());
    }
    let pick = |&index: &i64| {
        let index = if index < 0 { index.saturating_add(from.len() as i64) } else { index };
        usize::try_from(index).ok().and_then(|index| from.get(index).copied())
    };
    let picked: Option<Vec<i64>> = wanted.iter().map(pick).collect();
    let picked =
        picked.ok_or_else(|| format!("index {wanted:?} is outside a shape of {from:?}"))?;
    let picked = Tensor::ints(call.output(), indices.dims.clone(), picked);
    import.bind(call, Value::constant(picked));
    Ok(())
}

/// Whole numbers stay whole numbers; other conversions are not supported.
pub(super) fn read_cast(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let to = i32::try_from(call.attributes.int("to", 0)?).unwrap_or(0);
    let value = import.value(call, 0)?;
    let whole = matches!(to, data_type::INT64 | data_type::INT32);
    let same = match &value {
        Value::Constant(tensor) => match tensor.data {
            Data::Ints(_) => whole,
            Data::Floats(_) => to == data_type::FLOAT,
            Data::Other(_) => false,
        },
        Value::Node(_) => to == data_type::FLOAT,
    };
    if !same {
        return Err(format!("a conversion to {} is not supported", data_type::name(to)));
    }
    import.bind(call, value);
    Ok(())
}
