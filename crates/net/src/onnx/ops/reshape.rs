//! `Flatten`, `Reshape`, `Squeeze`, `Unsqueeze`.

use super::Written;
use super::constant::BATCH;
use crate::Op;
use crate::onnx::attributes::int;
use crate::onnx::reader::{Call, Import, Value};
use crate::onnx::tensor::{Data, Tensor, write_ints};
use crate::shape::elements;

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
    let input = import.data(call, 0)?;
    let axes = import.shape(input).len() as i64 + 1;
    let axis = call.attributes.int("axis", 1)?;
    if axis != 1 && axis.saturating_add(axes) != 1 {
        return Err(format!("axis = {axis} is not supported; expected 1, so that the batch stays"));
    }
    import.emit(call, Op::Flatten, vec![input], vec![])
}

/// The batch axis must stay what it is: 0, -1, or the batch size that the model was exported with.
pub(super) fn read_reshape(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    if call.attributes.int("allowzero", 0)? != 0 {
        return Err("allowzero = 1 is not supported".into());
    }
    let target = import.ints(call, 1)?;
    match import.value(call, 0)? {
        Value::Constant(tensor) => reshape_constant(import, call, &tensor, &target),
        Value::Node(input) => {
            let shape = resolve(&target, import.shape(input), import.batch())?;
            import.emit(call, Op::Reshape { shape }, vec![input], vec![])
        }
    }
}

/// The per-sample shape that a target means for an input of this per-sample shape.
fn resolve(target: &[i64], input: &[usize], batch: Option<usize>) -> Result<Vec<usize>, String> {
    let refused = || {
        format!(
            "cannot reshape [N, {}] to {}; expected a batch axis that stays, then sizes with as many \
             elements",
            input.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
            show(target)
        )
    };
    let (&first, rest) = target.split_first().ok_or_else(refused)?;
    let fixed = batch.is_some_and(|batch| usize::try_from(first) == Ok(batch));
    if !(fixed || matches!(first, 0 | -1 | BATCH)) {
        return Err(refused());
    }
    fill_in(rest, input, first != -1).ok_or_else(refused)
}

/// Resolves 0 (as in the input) and, where allowed, one -1 (whatever is left).
fn fill_in(target: &[i64], input: &[usize], may_infer: bool) -> Option<Vec<usize>> {
    let mut shape = Vec::with_capacity(target.len());
    let mut open = None;
    for (index, &size) in target.iter().enumerate() {
        shape.push(match size {
            0 => *input.get(index)?,
            -1 if may_infer && open.is_none() => {
                open = Some(index);
                1
            }
            _ => usize::try_from(size).ok()?,
        });
    }
    let (have, want) = (elements(input)?, elements(&shape)?);
    if let Some(index) = open {
        if want == 0 || !have.is_multiple_of(want) {
            return None;
        }
        shape[index] = have / want;
    }
    (elements(&shape)? == have).then_some(shape)
}

/// A weight that the exporter reshapes when the model starts.
fn reshape_constant(
    import: &mut Import,
    call: &Call<'_>,
    tensor: &Tensor,
    target: &[i64],
) -> Result<(), String> {
    let dims = fill_in(target, &tensor.dims, true).ok_or_else(|| {
        format!(
            "the constant {:?} of shape {:?} cannot become {}",
            tensor.name,
            tensor.dims,
            show(target)
        )
    })?;
    import.bind(call, Value::constant(Tensor { dims, ..tensor.clone() }));
    Ok(())
}

/// Removes axes of size 1.
pub(super) fn read_squeeze(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let axes = axes(import, call)?;
    match import.value(call, 0)? {
        Value::Constant(tensor) => squeeze_constant(import, call, &tensor, &axes),
        Value::Node(_) if axes.is_empty() => {
            Err("without axes it would depend on the batch size; give the axes to remove".into())
        }
        Value::Node(input) => {
            let shape = import.shape(input);
            let rank = shape.len() as i64 + 1;
            let mut keep = vec![true; shape.len()];
            for axis in axes {
                let axis = if axis < 0 { axis.saturating_add(rank) } else { axis };
                let index = usize::try_from(axis.saturating_sub(1)).ok();
                match index.filter(|&index| shape.get(index) == Some(&1)) {
                    Some(index) => keep[index] = false,
                    None => {
                        return Err(format!("axis {axis} of [N, …] {shape:?} cannot be removed"));
                    }
                }
            }
            let kept = shape.iter().zip(keep).filter(|(_, keep)| *keep);
            let shape = kept.map(|(&size, _)| size).collect();
            import.emit(call, Op::Reshape { shape }, vec![input], vec![])
        }
    }
}

fn squeeze_constant(
    import: &mut Import,
    call: &Call<'_>,
    tensor: &Tensor,
    axes: &[i64],
) -> Result<(), String> {
    let rank = tensor.dims.len() as i64;
    let removed = |index: usize| {
        let index = index as i64;
        axes.is_empty() || axes.contains(&index) || axes.contains(&(index - rank))
    };
    let kept =
        tensor.dims.iter().enumerate().filter(|&(index, &size)| size != 1 || !removed(index));
    let dims = kept.map(|(_, &size)| size).collect();
    import.bind(call, Value::constant(Tensor { dims, ..tensor.clone() }));
    Ok(())
}

/// Inserts axes of size 1.
pub(super) fn read_unsqueeze(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let axes = axes(import, call)?;
    let value = import.value(call, 0)?;
    let mut dims = match &value {
        Value::Constant(tensor) => tensor.dims.clone(),
        Value::Node(input) => [&[1], import.shape(*input)].concat(), // the 1 stands for the batch
    };
    let rank = dims.len() + axes.len();
    let wrapped = axes.iter().map(|&axis| {
        usize::try_from(if axis < 0 { axis.saturating_add(rank as i64) } else { axis }).ok()
    });
    let mut wrapped: Vec<usize> =
        wrapped.collect::<Option<_>>().ok_or("an axis is out of range")?;
    wrapped.sort_unstable();
    if rank > 16 || wrapped.iter().any(|&axis| axis >= rank) {
        return Err(format!("cannot insert axes {axes:?} into {dims:?}"));
    }
    let before_batch = wrapped.contains(&0);
    for axis in wrapped {
        dims.insert(axis.min(dims.len()), 1);
    }
    match value {
        Value::Constant(tensor) => {
            import.bind(call, Value::constant(Tensor { dims, ..(*tensor).clone() }));
            Ok(())
        }
        Value::Node(_) if before_batch => Err("an axis before the batch is not supported".into()),
        Value::Node(input) => {
            import.emit(call, Op::Reshape { shape: dims[1..].to_vec() }, vec![input], vec![])
        }
    }
}

/// Axes are an input since operator set 13, an attribute before.
fn axes(import: &Import, call: &Call<'_>) -> Result<Vec<i64>, String> {
    if call.has_input(1) { import.ints(call, 1) } else { Ok(call.attributes.ints("axes").to_vec()) }
}

/// A target as the reader knows it: the batch marker is ours alone.
fn show(target: &[i64]) -> String {
    let word = |&size: &i64| if size == BATCH { "N".to_owned() } else { size.to_string() };
    format!("[{}]", target.iter().map(word).collect::<Vec<_>>().join(", "))
}

/// Shapes are small; a tensor of numbers that long is none.
pub(super) fn is_shape(data: &Data) -> bool {
    matches!(data, Data::Ints(ints) if ints.len() <= 16)
}
