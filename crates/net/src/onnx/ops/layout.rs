//! Operators that move numbers and compute none: `Transpose`, `Slice`, `Split`, `Pad`, `Expand`,
//! `Gather`, `DepthToSpace`, `SpaceToDepth`.

use super::Written;
use super::activation::number;
use crate::onnx::attributes::{int, ints, text};
use crate::onnx::fold::{clamp_axis, part_sizes, permutation, positions, spans};
use crate::onnx::reader::{Call, Import, Operand, Value};
use crate::onnx::tensor::{Data, write_floats, write_ints};
use crate::{NodeId, Op, PadMode, Span};

/// The batch stays in front.
pub(super) fn write_transpose(axes: &[usize]) -> Written {
    let perm: Vec<usize> = [0].into_iter().chain(axes.iter().map(|axis| axis + 1)).collect();
    Written::new("Transpose", vec![ints("perm", &perm)])
}

pub(super) fn write_slice(spans: &[Span]) -> Written {
    // Past the beginning no position can be named from the end: a number below all of them can.
    let end = |span: &Span| match span.start as i64 + span.count as i64 * span.step as i64 {
        end if end < 0 => i64::MIN + 1,
        end => end,
    };
    let list = |f: &dyn Fn(usize, &Span) -> i64| {
        write_ints("", &spans.iter().enumerate().map(|(i, span)| f(i, span)).collect::<Vec<_>>())
    };
    Written {
        constants: vec![
            ("starts", list(&|_, span| span.start as i64)),
            ("ends", list(&|_, span| end(span))),
            ("axes", list(&|axis, _| axis as i64 + 1)),
            ("steps", list(&|_, span| span.step as i64)),
        ],
        ..Written::new("Slice", vec![])
    }
}

pub(super) fn write_pad(amounts: &[[usize; 2]], mode: PadMode) -> Written {
    let side = |side: usize| amounts.iter().map(move |amount| amount[side] as i64);
    let pads: Vec<i64> = [0].into_iter().chain(side(0)).chain([0]).chain(side(1)).collect();
    let mut constants = vec![("pads", write_ints("", &pads))];
    let (name, opset) = match mode {
        PadMode::Constant(value) => {
            constants.push(("value", write_floats("", &[], &[value])));
            ("constant", 0)
        }
        PadMode::Reflect => ("reflect", 0),
        PadMode::Edge => ("edge", 0),
        PadMode::Wrap => ("wrap", 19),
    };
    Written { constants, opset, ..Written::new("Pad", vec![text("mode", name)]) }
}

/// The 1 in front leaves the batch as it is.
pub(super) fn write_expand(shape: &[usize]) -> Written {
    let shape: Vec<i64> = [1].into_iter().chain(shape.iter().map(|&size| size as i64)).collect();
    Written { constants: vec![("shape", write_ints("", &shape))], ..Written::new("Expand", vec![]) }
}

pub(super) fn write_gather(axis: usize, indices: &[usize]) -> Written {
    let indices: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
    Written {
        constants: vec![("indices", write_ints("", &indices))],
        ..Written::new("Gather", vec![int("axis", axis + 1)])
    }
}

pub(super) fn read_transpose(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let rank = import.dims(operand).len();
    let perm = permutation(call.attributes.ints("perm"), rank)?;
    let batch = operand.batch.and_then(|batch| perm.iter().position(|&axis| axis == batch));
    let sample = perm.iter().filter(|&&axis| Some(axis) != operand.batch);
    let axes: Vec<usize> = sample
        .map(|&axis| if operand.batch.is_some_and(|batch| axis > batch) { axis - 1 } else { axis })
        .collect();
    if axes.is_sorted() {
        // Only the batch has moved.
        import.bind(call, Value::Node(Operand { batch, ..operand }));
        return Ok(());
    }
    import.emit_at(call, batch, Op::Transpose { axes }, vec![operand.node], vec![])
}

/// The batch may be "cut" to all of it.
pub(super) fn read_slice(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let dims = import.dims(operand);
    let mut spans: Vec<Span> = spans(import, call, &dims)?
        .into_iter()
        .map(|(start, count, step)| Span { start, count, step })
        .collect();
    if let Some(batch) = operand.batch.filter(|&batch| batch < spans.len()) {
        let span = spans.remove(batch);
        if span.count != 1 {
            return Err("it cuts the batch; samples must not be left out".into());
        }
    }
    emit_slice(import, call, 0, operand, spans)
}

fn emit_slice(
    import: &mut Import,
    call: &Call<'_>,
    output: usize,
    operand: Operand,
    spans: Vec<Span>,
) -> Result<(), String> {
    let shape = import.shape(operand.node);
    let whole = |(span, &size): (&Span, &usize)| span.count == size && span.step == 1;
    if spans.len() == shape.len() && spans.iter().zip(shape).all(whole) {
        import.bind_output(call, output, Value::Node(operand));
        return Ok(());
    }
    import.emit_output(call, output, operand.batch, Op::Slice { spans }, vec![operand.node], vec![])
}

pub(super) fn read_split(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let axis = import.sample_axis(operand, call.attributes.int("axis", 0)?)?;
    let shape = import.shape(operand.node).to_vec();
    let mut start = 0;
    for (output, count) in part_sizes(import, call, shape[axis])?.into_iter().enumerate() {
        let whole = |&size: &usize| Span { start: 0, count: size, step: 1 };
        let mut spans: Vec<Span> = shape.iter().map(whole).collect();
        spans[axis] = Span { start, count, step: 1 };
        emit_slice(import, call, output, operand, spans)?;
        start += count;
    }
    Ok(())
}

/// Amounts are an input since operator set 11, an attribute before. Negative ones cut off.
pub(super) fn read_pad(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let rank = import.dims(operand).len();
    let given = call.has_input(1);
    let pads = if given { import.ints(call, 1)? } else { call.attributes.ints("pads").to_vec() };
    let axes = match call.has_input(3) {
        true => import.ints(call, 3)?,
        false => (0..rank as i64).collect(),
    };
    let value = match call.has_input(2) {
        true => number(import, call, 2)?.ok_or("the value should be a single number")?,
        false => call.attributes.float("value", 0.0)?,
    };
    let mode = match call.attributes.text("mode", "constant")?.as_str() {
        "constant" => PadMode::Constant(value),
        "reflect" => PadMode::Reflect,
        "edge" => PadMode::Edge,
        "wrap" => PadMode::Wrap,
        other => {
            return Err(format!("mode is {other:?}; expected constant, reflect, edge or wrap"));
        }
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("expected two amounts for each of {} axes, got {pads:?}", axes.len()));
    }
    let shape = import.shape(operand.node).to_vec();
    let mut amounts = vec![[0_i64; 2]; shape.len()];
    for (index, &axis) in axes.iter().enumerate() {
        let both = [pads[index], pads[index + axes.len()]];
        if both != [0, 0] {
            amounts[import.sample_axis(operand, axis)?] = both;
        }
    }
    let mut node = operand.node;
    if amounts.iter().flatten().any(|&amount| amount < 0) {
        let cut = amounts.iter().zip(&shape).map(|(amount, &size)| {
            let off = amount.map(|amount| usize::try_from(amount.min(0).unsigned_abs()));
            let (before, after) = match off {
                [Ok(before), Ok(after)] => (before, after),
                _ => (size, size),
            };
            let count = size.saturating_sub(before).saturating_sub(after);
            Span { start: before, count, step: 1 }
        });
        let cut = Op::Slice { spans: cut.collect() };
        node = import.step(call, "cut", cut, vec![node], vec![])?;
    }
    let amounts: Vec<[usize; 2]> = amounts
        .iter()
        .map(|both| both.map(|amount| usize::try_from(amount.max(0)).unwrap_or(usize::MAX)))
        .collect();
    if amounts.iter().all(|both| *both == [0, 0]) {
        import.bind(call, Value::Node(Operand { node, ..operand }));
        return Ok(());
    }
    import.emit_at(call, operand.batch, Op::Pad { amounts, mode }, vec![node], vec![])
}

pub(super) fn read_expand(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let target = import.ints(call, 1)?;
    let sizes: Option<Vec<usize>> = target.iter().map(|&size| usize::try_from(size).ok()).collect();
    let sizes = sizes.ok_or_else(|| format!("cannot expand to {target:?}"))?;
    let dims = import.dims(operand);
    let mut shape = crate::onnx::fold::broadcast(&dims, &sizes)?;
    let batch = operand.batch.map(|batch| batch + shape.len() - dims.len());
    if let Some(batch) = batch
        && shape.remove(batch) != 1
    {
        return Err("it repeats the batch; samples must stay as many as they are".into());
    }
    if import.shape(operand.node) == shape {
        import.bind(call, Value::Node(Operand { batch, ..operand }));
        return Ok(());
    }
    import.emit_at(call, batch, Op::Expand { shape }, vec![operand.node], vec![])
}

/// Constant positions along any axis. A single position without an axis of its own takes the axis away;
/// of the batch there is the first sample, which is every one's own.
pub(super) fn read_gather(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operand = import.operand(call, 0)?;
    let tensor = import.constant(call, 1)?;
    let Data::Ints(wanted) = &tensor.data else {
        return Err("the positions should be whole numbers".into());
    };
    let dims = import.dims(operand);
    let axis = clamp_axis(call.attributes.int("axis", 0)?, dims.len())?;
    let indices = positions(wanted, dims[axis])?;
    if operand.batch == Some(axis) {
        return match tensor.dims.is_empty() && dims.len() > 1 {
            true => {
                import.bind(call, Value::Node(Operand { batch: None, ..operand }));
                Ok(())
            }
            false => Err("it picks samples out of the batch".into()),
        };
    }
    import.spend(indices.len())?;
    let sample = import.sample_axis(operand, axis as i64)?;
    let all = [&dims[..axis], &tensor.dims, &dims[axis + 1..]].concat();
    // Where the batch is in the result.
    let batch = operand.batch.map(|batch| match batch > axis {
        true => batch + tensor.dims.len() - 1,
        false => batch,
    });
    let gather = Op::Gather { axis: sample, indices };
    if tensor.dims.len() == 1 {
        return import.emit_at(call, batch, gather, vec![operand.node], vec![]);
    }
    let picked = import.step(call, "picked", gather, vec![operand.node], vec![])?;
    emit_reshape(import, call, picked, all, batch)
}

/// A reshape to the file's sizes, the batch's among them.
fn emit_reshape(
    import: &mut Import,
    call: &Call<'_>,
    node: NodeId,
    mut dims: Vec<usize>,
    batch: Option<usize>,
) -> Result<(), String> {
    if let Some(batch) = batch {
        dims.remove(batch);
    }
    if dims.is_empty() {
        dims.push(1);
        return import.emit_at(call, None, Op::Reshape { shape: dims }, vec![node], vec![]);
    }
    import.emit_at(call, batch, Op::Reshape { shape: dims }, vec![node], vec![])
}

/// Channels become blocks of pixels, or blocks channels: a reshape, a transposition, a reshape.
pub(super) fn read_depth_to_space(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let input = import.data(call, 0)?;
    let [c, h, w] = crate::shape::image(import.shape(input))?;
    let block = usize::try_from(call.attributes.int("blocksize", 0)?).unwrap_or(0);
    let area = block.checked_mul(block).filter(|&area| area > 0 && area <= 1 << 20);
    let area = area.ok_or("expected a blocksize from 1 up")?;
    let (split, axes, shape) = if call.operator() == "SpaceToDepth" {
        if !h.is_multiple_of(block) || !w.is_multiple_of(block) {
            return Err(format!("blocks of {block} do not fit an image of {h}×{w}"));
        }
        let (h, w) = (h / block, w / block);
        (vec![c, h, block, w, block], vec![2, 4, 0, 1, 3], vec![c * area, h, w])
    } else {
        let shape = vec![c / area, h * block, w * block];
        match call.attributes.text("mode", "DCR")?.as_str() {
            "DCR" => (vec![block, block, c / area, h, w], vec![2, 3, 0, 4, 1], shape),
            "CRD" => (vec![c / area, block, block, h, w], vec![0, 3, 1, 4, 2], shape),
            other => return Err(format!("mode is {other:?}; expected DCR or CRD")),
        }
    };
    let split = import.step(call, "blocks", Op::Reshape { shape: split }, vec![input], vec![])?;
    let moved = import.step(call, "moved", Op::Transpose { axes }, vec![split], vec![])?;
    import.emit(call, Op::Reshape { shape }, vec![moved], vec![])
}
