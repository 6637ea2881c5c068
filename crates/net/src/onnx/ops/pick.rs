//! Operators that pick numbers in ways that other operators amount to: `Tile`, `GatherElements`, `Trilu`.

use crate::onnx::fold::{clamp_axis, lower, positions};
use crate::onnx::reader::{Call, Import, Value};
use crate::onnx::tensor::Data;
use crate::{NodeId, Op};

/// Repeats along an axis: its positions over and over.
pub(super) fn read_tile(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let dims = import.dims(operand);
    let repeats = import.ints(call, 1)?;
    if repeats.len() != dims.len() {
        return Err(format!("{} repeats do not fit {dims:?}", repeats.len()));
    }
    let mut node = operand.node;
    let mut last = None;
    for (axis, &times) in repeats.iter().enumerate() {
        let times = usize::try_from(times).ok().filter(|&times| times > 0);
        let times = times.ok_or_else(|| format!("repeats {repeats:?}: expected 1 or more each"))?;
        if times == 1 {
            continue;
        }
        let own = import.sample_axis(operand, axis as i64)?;
        let count = dims[axis].saturating_mul(times);
        import.make(count)?;
        let indices = (0..count).map(|i| i % dims[axis]).collect();
        if let Some(op) = last.replace(Op::Gather { axis: own, indices }) {
            node = import.step(call, "part", op, vec![node], vec![])?;
        }
    }
    match last {
        Some(op) => import.emit_at(call, operand.batch, op, vec![node], vec![]),
        None => {
            import.bind(call, Value::Node(operand));
            Ok(())
        }
    }
}

/// For each place of constant positions, the number that stands there along an axis: a choice among all
/// numbers of the sample.
pub(super) fn read_gather_elements(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let tensor = import.constant(call, 1)?;
    let Data::Ints(wanted) = &tensor.data else {
        return Err("the positions should be whole numbers".into());
    };
    let dims = import.dims(operand);
    let axis = clamp_axis(call.attributes.int("axis", 0)?, dims.len())?;
    import.sample_axis(operand, axis as i64)?;
    let fits = |i: usize| i == axis || tensor.dims[i] <= dims[i];
    if tensor.dims.len() != dims.len() || !(0..dims.len()).all(fits) {
        return Err(format!("positions of shape {:?} do not fit {dims:?}", tensor.dims));
    }
    if operand.batch.is_some_and(|batch| tensor.dims[batch] != 1) {
        return Err("it picks samples out of the batch".into());
    }
    import.make(tensor.len().saturating_mul(2))?;
    let along = positions(wanted, dims[axis])?;
    let indices: Vec<usize> = along
        .iter()
        .enumerate()
        .map(|(i, &position)| {
            // The place in the file's order of axes, where the batch's size is 1.
            let (mut rest, mut at, mut stride) = (i, 0, 1);
            for a in (0..dims.len()).rev() {
                let place = if a == axis { position } else { rest % tensor.dims[a] };
                rest /= tensor.dims[a];
                at += place * stride;
                stride *= dims[a];
            }
            at
        })
        .collect();
    let all = vec![import.shape(operand.node).iter().product()];
    let flat = import.reshaped(call, operand.node, all)?;
    let picked = Op::Gather { axis: 0, indices };
    let picked = import.step(call, "picked", picked, vec![flat], vec![])?;
    let mut shape = tensor.dims.clone();
    if let Some(batch) = operand.batch {
        shape.remove(batch);
    }
    if shape.is_empty() {
        shape.push(1);
    }
    import.emit_at(call, operand.batch, Op::Reshape { shape }, vec![picked], vec![])
}

/// The lower or the upper triangle of the last two axes, 0 elsewhere.
pub(super) fn read_trilu(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let upper = call.attributes.int("upper", 1)? != 0;
    let operand = import.operand(call, 0)?;
    let shape = import.shape(operand.node).to_vec();
    let dims = import.dims(operand);
    let &[.., rows, columns] = &dims[..] else { return Err("expected matrices".into()) };
    if operand.batch.is_some_and(|batch| batch + 2 >= dims.len()) || shape.len() < 2 {
        return Err("the batch is an axis of the matrices".into());
    }
    let diagonal = diagonal(import, call)?;
    import.make(rows.saturating_mul(columns))?;
    let inside = |i: usize| upper != lower(i / columns, i % columns, diagonal - i64::from(upper));
    let mask = (0..rows * columns).map(|i| if inside(i) { 1.0 } else { 0.0 }).collect();
    let mut around = vec![1; shape.len() - 2];
    let zero = vec![1; shape.len()];
    around.extend([rows, columns]);
    let mask = import.made_node(call, "mask", around, mask)?;
    let zero: NodeId = import.made_node(call, "zero", zero, vec![0.0])?;
    import.emit_at(call, operand.batch, Op::Where, vec![mask, operand.node, zero], vec![])
}

/// Which diagonal, 0 for the main one.
fn diagonal(import: &Import, call: &Call<'_>) -> Result<i64, String> {
    if !call.has_input(1) {
        return Ok(0);
    }
    match import.ints(call, 1)?[..] {
        [k] => Ok(k.clamp(-(1 << 40), 1 << 40)),
        _ => Err("the diagonal should be a single whole number".into()),
    }
}
