//! `Flatten`, `Reshape`, `Squeeze`, `Unsqueeze` of what layers compute.
//!
//! The numbers of a sample keep their order, so each is a reshape of the sample (or nothing at all);
//! what has to be found out is which axis of the file's result is the batch.

use super::Written;
use crate::Op;
use crate::onnx::attributes::int;
use crate::onnx::fold::{clamp_axis, reshape_dims, squeeze_dims, unsqueeze_dims};
use crate::onnx::reader::{Call, Import, Operand, Value};
use crate::onnx::tensor::write_ints;

pub(super) fn write_flatten() -> Written {
    Written::new("Flatten", vec![int("axis", 1)])
}

/// The 0 in front keeps the batch axis as it is.
pub(super) fn write_reshape(shape: &[usize]) -> Written {
    let target: Vec<i64> = [0].into_iter().chain(shape.iter().map(|&size| size as i64)).collect();
    Written {
        constants: vec![("shape", write_ints("", &target))],
        ..Written::new("Reshape", vec![])
    }
}

pub(super) fn read_flatten(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let dims = import.dims(operand);
    let axis = clamp_axis(call.attributes.int("axis", 1)?, dims.len() + 1)?;
    if operand.batch == Some(0) && axis == 1 {
        return import.emit(call, Op::Flatten, vec![operand.node], vec![]);
    }
    if operand.batch == Some(0) && axis == 0 {
        return Err(
            "axis = 0 joins the samples of a batch; expected 1, so that the batch stays".into()
        );
    }
    let (before, after) = dims.split_at(axis);
    let flat = vec![before.iter().product(), after.iter().product()];
    emit(import, call, operand, flat)
}

pub(super) fn read_reshape(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let keeps_zero = call.attributes.int("allowzero", 0)? != 0;
    let operand = import.operand(call, 0)?;
    let dims = import.dims(operand);
    let mut target = import.ints(call, 1)?;
    // A model that was exported with a batch of several names it.
    if let (Some(fixed), Some(batch)) = (import.batch(), operand.batch)
        && fixed > 1
        && target.get(batch).copied() == i64::try_from(fixed).ok()
    {
        target[batch] = 1;
    }
    let sizes = reshape_dims(&dims, &target, keeps_zero).map_err(|_| {
        let mut show: Vec<String> = dims.iter().map(usize::to_string).collect();
        if let Some(batch) = operand.batch {
            show[batch] = "N".into();
        }
        format!(
            "cannot reshape [{}] to {target:?}; expected a batch axis that stays, then sizes with as \
             many elements",
            show.join(", ")
        )
    })?;
    emit(import, call, operand, sizes)
}

/// Removes axes of size 1. Without axes named it would depend on the batch size.
pub(super) fn read_squeeze(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let axes = axes(import, call)?;
    let operand = import.operand(call, 0)?;
    if axes.is_empty() {
        return Err(
            "without axes it would depend on the batch size; give the axes to remove".into()
        );
    }
    let dims = import.dims(operand);
    let sizes = squeeze_dims(&dims, &axes)?;
    let gone: Vec<usize> =
        axes.iter().map(|&axis| clamp_axis(axis, dims.len())).collect::<Result<_, _>>()?;
    let batch = operand.batch.filter(|batch| !gone.contains(batch));
    let batch = batch.map(|batch| batch - gone.iter().filter(|&&axis| axis < batch).count());
    emit_with(import, call, operand, sizes, batch)
}

/// Inserts axes of size 1.
pub(super) fn read_unsqueeze(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let axes = axes(import, call)?;
    let operand = import.operand(call, 0)?;
    let dims = import.dims(operand);
    let sizes = unsqueeze_dims(&dims, &axes)?;
    let mut new: Vec<usize> =
        axes.iter().map(|&axis| clamp_axis(axis, sizes.len())).collect::<Result<_, _>>()?;
    new.sort_unstable();
    let batch = operand.batch.map(|batch| {
        new.iter().fold(batch, |batch, &axis| if axis <= batch { batch + 1 } else { batch })
    });
    emit_with(import, call, operand, sizes, batch)
}

/// Axes are an input since operator set 13, an attribute before.
fn axes(import: &Import, call: &Call<'_>) -> Result<Vec<i64>, String> {
    if call.has_input(1) { import.ints(call, 1) } else { Ok(call.attributes.ints("axes").to_vec()) }
}

/// The batch of the result is the axis of size 1 that has as many numbers before it as it had.
fn emit(
    import: &mut Import,
    call: &Call<'_>,
    operand: Operand,
    sizes: Vec<usize>,
) -> Result<(), String> {
    let dims = import.dims(operand);
    let before = match operand.batch {
        Some(batch) => dims[..batch].iter().product(),
        None => 1_usize,
    };
    let at = |axis: &usize| sizes[*axis] == 1 && sizes[..*axis].iter().product::<usize>() == before;
    let batch = (0..sizes.len()).find(at);
    // What has lost its batch gets it back only where it must have been: in front.
    let batch = batch.filter(|&batch| operand.batch.is_some() || batch == 0);
    emit_with(import, call, operand, sizes, batch)
}

fn emit_with(
    import: &mut Import,
    call: &Call<'_>,
    operand: Operand,
    sizes: Vec<usize>,
    batch: Option<usize>,
) -> Result<(), String> {
    let batch = batch.filter(|_| sizes.len() > 1);
    let mut shape = sizes;
    if let Some(batch) = batch {
        shape.remove(batch);
    }
    if shape.is_empty() {
        shape.push(1);
    }
    if import.shape(operand.node) == shape && batch != Some(0) {
        import.bind(call, Value::Node(Operand { batch, ..operand }));
        return Ok(());
    }
    import.emit_at(call, batch, Op::Reshape { shape }, vec![operand.node], vec![])
}
