//! What moves numbers to other places.

use std::rc::Rc;

use super::sizes::{clamp_axis, count, permutation, strides, whole};
use crate::onnx::attributes::Attributes;
use crate::onnx::proto::data_type;
use crate::onnx::reader::{Call, Import, Value};
use crate::onnx::tensor::{Data, Tensor};

pub(super) fn transpose(
    import: &mut Import,
    x: &Tensor,
    a: &Attributes<'_>,
) -> Result<Tensor, String> {
    let axes = permutation(a.ints("perm"), x.dims.len())?;
    permuted(import, x, &axes)
}

/// Axis `i` of the result is axis `axes[i]`.
pub(in crate::onnx) fn permuted(
    import: &mut Import,
    x: &Tensor,
    axes: &[usize],
) -> Result<Tensor, String> {
    let from = strides(&x.dims);
    let dims = axes.iter().map(|&axis| x.dims[axis]).collect();
    picked(import, x, dims, &axes.iter().map(|&axis| from[axis] as isize).collect::<Vec<_>>(), 0)
}

pub(super) fn concat(
    import: &mut Import,
    inputs: &[Option<Rc<Tensor>>],
    axis: i64,
) -> Result<Tensor, String> {
    let parts: Vec<&Rc<Tensor>> = inputs.iter().flatten().collect();
    let first = parts[0];
    let axis = clamp_axis(axis, first.dims.len())?;
    let mut dims = first.dims.clone();
    for part in &parts[1..] {
        let same = part.dims.len() == dims.len()
            && (0..dims.len()).all(|i| i == axis || part.dims[i] == dims[i]);
        if !same {
            return Err(format!("cannot join {:?} and {:?}", first.dims, part.dims));
        }
        dims[axis] = dims[axis].saturating_add(part.dims[axis]);
    }
    import.make(count(&dims)?)?;
    let outer: usize = dims[..axis].iter().product();
    let inner = |part: &Tensor| part.dims[axis..].iter().product::<usize>();
    let data = if parts.iter().all(|part| matches!(part.data, Data::Ints(_))) {
        let mut all = Vec::new();
        for block in 0..outer {
            for part in &parts {
                let n = inner(part);
                all.extend_from_slice(&whole(part)?[block * n..(block + 1) * n]);
            }
        }
        Data::Ints(all.into())
    } else {
        let mut all = Vec::new();
        for block in 0..outer {
            for part in &parts {
                let Data::Floats(values) = &part.data else {
                    return Err("its constants are of types that do not go together".into());
                };
                let n = inner(part);
                all.extend_from_slice(&values[block * n..(block + 1) * n]);
            }
        }
        Data::Floats(all.into())
    };
    Ok(Tensor { name: first.name.clone(), dims, data })
}

pub(super) fn gather(
    import: &mut Import,
    x: &Tensor,
    at: &Tensor,
    axis: i64,
) -> Result<Tensor, String> {
    let axis = clamp_axis(axis, x.dims.len())?;
    let size = x.dims[axis];
    let wanted: Vec<usize> = positions(&whole(at)?, size)?;
    let outer: usize = x.dims[..axis].iter().product();
    let inner: usize = x.dims[axis + 1..].iter().product();
    let dims = [&x.dims[..axis], &at.dims, &x.dims[axis + 1..]].concat();
    import.make(count(&dims)?)?;
    let source = (0..outer).flat_map(|o| {
        wanted.iter().flat_map(move |&i| (0..inner).map(move |j| (o * size + i) * inner + j))
    });
    Ok(Tensor { name: x.name.clone(), dims, data: x.data.pick(source)? })
}

/// Positions along an axis of a size; negative ones count from its end.
pub(in crate::onnx) fn positions(indices: &[i64], size: usize) -> Result<Vec<usize>, String> {
    let wrap = |&index: &i64| {
        let index = if index < 0 { index.saturating_add(size as i64) } else { index };
        usize::try_from(index).ok().filter(|&index| index < size)
    };
    let found: Option<Vec<usize>> = indices.iter().map(wrap).collect();
    found.ok_or_else(|| {
        format!("a position among {:?} is outside 0 to {size}", &indices[..indices.len().min(8)])
    })
}

/// Start, count and step along each axis of a `Slice`.
pub(in crate::onnx) fn spans(
    import: &Import,
    call: &Call<'_>,
    dims: &[usize],
) -> Result<Vec<(usize, usize, isize)>, String> {
    let a = &call.attributes;
    let list = |index: usize, name: &str| match call.has_input(index) {
        true => import.ints(call, index).map(Some),
        false if a.has(name) => Ok(Some(a.ints(name).to_vec())),
        false => Ok(None),
    };
    let (starts, ends) = match (list(1, "starts")?, list(2, "ends")?) {
        (Some(starts), Some(ends)) => (starts, ends),
        _ => return Err("expected starts and ends".into()),
    };
    let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err("expected as many ends, axes and steps as starts".into());
    }
    let mut all: Vec<_> = dims.iter().map(|&size| (0, size, 1)).collect();
    for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let axis = clamp_axis(axis, dims.len())?;
        all[axis] = span(start, end, step, dims[axis])?;
    }
    Ok(all)
}

/// ONNX's rule: negative positions count from the end, all are cut to the axis.
pub(super) fn span(
    start: i64,
    end: i64,
    step: i64,
    size: usize,
) -> Result<(usize, usize, isize), String> {
    let size = i128::try_from(size).unwrap_or(i128::MAX);
    let wrap = |at: i64| if at < 0 { i128::from(at) + size } else { i128::from(at) };
    let step = i128::from(step);
    let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
    let (start, end) = (wrap(start).clamp(low.max(0), high.max(0)), wrap(end).clamp(low, high));
    let count = match step {
        0 => return Err("a step of 0".into()),
        _ if size == 0 => 0,
        1.. => (end - start + step - 1) / step,
        _ => (start - end - step - 1) / -step,
    };
    let narrow = |value: i128| usize::try_from(value.max(0)).unwrap_or(0);
    let step = isize::try_from(step.clamp(-(1 << 40), 1 << 40)).unwrap_or(1);
    Ok((narrow(start), narrow(count), step))
}

pub(super) fn slice(
    import: &mut Import,
    call: &Call<'_>,
    x: &Tensor,
    _: &[Option<Rc<Tensor>>],
) -> Result<Tensor, String> {
    let spans = spans(import, call, &x.dims)?;
    let from = strides(&x.dims);
    let offset = spans.iter().zip(&from).map(|(span, &stride)| span.0 * stride).sum();
    let steps: Vec<isize> = spans
        .iter()
        .zip(&from)
        .map(|(span, &stride)| span.2.saturating_mul(stride as isize))
        .collect();
    picked(import, x, spans.iter().map(|span| span.1).collect(), &steps, offset)
}

/// Sizes of the parts of a `Split` along an axis.
pub(in crate::onnx) fn part_sizes(
    import: &Import,
    call: &Call<'_>,
    size: usize,
) -> Result<Vec<usize>, String> {
    let outputs = call.output_count();
    let declared = call.attributes.int("num_outputs", outputs as i64)?;
    let list = match call.has_input(1) {
        true => import.ints(call, 1)?,
        false => call.attributes.ints("split").to_vec(),
    };
    if list.is_empty() {
        if usize::try_from(declared) != Ok(outputs) || outputs == 0 {
            return Err(format!("num_outputs is {declared}, but it has {outputs}"));
        }
        let each = size.div_ceil(outputs);
        return Ok((0..outputs).map(|i| each.min(size.saturating_sub(i * each))).collect());
    }
    let sizes: Option<Vec<usize>> = list.iter().map(|&size| usize::try_from(size).ok()).collect();
    match sizes {
        Some(sizes)
            if sizes.len() == outputs
                && sizes.iter().try_fold(0_usize, |sum, &n| sum.checked_add(n)) == Some(size) =>
        {
            Ok(sizes)
        }
        _ => Err(format!("cannot split {size} in {list:?}")),
    }
}

pub(super) fn split(
    import: &mut Import,
    call: &Call<'_>,
    x: &Tensor,
    _: &[Option<Rc<Tensor>>],
) -> Result<(), String> {
    let axis = clamp_axis(call.attributes.int("axis", 0)?, x.dims.len())?;
    let from = strides(&x.dims);
    let steps: Vec<isize> = from.iter().map(|&stride| stride as isize).collect();
    let mut first = 0;
    for (index, size) in part_sizes(import, call, x.dims[axis])?.into_iter().enumerate() {
        let mut dims = x.dims.clone();
        dims[axis] = size;
        let part = picked(import, x, dims, &steps, first * from[axis])?;
        import.bind_output(call, index, Value::constant(part));
        first += size;
    }
    Ok(())
}

/// A copy with slices replaced; the last axis of `at` names a slice.
pub(super) fn scatter(
    import: &mut Import,
    x: &Tensor,
    at: &Tensor,
    updates: &Tensor,
) -> Result<Tensor, String> {
    import.make(x.len())?;
    let depth = at.dims.last().copied().unwrap_or(0);
    if depth == 0 || depth > x.dims.len() {
        return Err(format!("positions of shape {:?} do not fit {:?}", at.dims, x.dims));
    }
    let from = strides(&x.dims);
    let len: usize = x.dims[depth..].iter().product();
    let mut starts = Vec::new();
    for place in whole(at)?.chunks_exact(depth) {
        let mut start = 0;
        for (axis, &index) in place.iter().enumerate() {
            start += positions(&[index], x.dims[axis])?[0] * from[axis];
        }
        starts.push(start);
    }
    if updates.len() != starts.len() * len {
        return Err(format!("updates of shape {:?} do not fit the positions", updates.dims));
    }
    let data = match (&x.data, &updates.data) {
        (Data::Floats(x), Data::Floats(new)) => Data::Floats(scattered(x, &starts, len, new)),
        (Data::Ints(x), Data::Ints(new)) => Data::Ints(scattered(x, &starts, len, new)),
        _ => return Err("its constants are of types that do not go together".into()),
    };
    Ok(Tensor { name: x.name.clone(), dims: x.dims.clone(), data })
}

pub(super) fn scattered<T: Copy>(
    x: &[T],
    starts: &[usize],
    len: usize,
    updates: &[T],
) -> std::sync::Arc<[T]> {
    let mut all = x.to_vec();
    for (i, &start) in starts.iter().enumerate() {
        all[start..start + len].copy_from_slice(&updates[i * len..(i + 1) * len]);
    }
    all.into()
}

/// A tensor of other sizes whose element at a place is `offset + Σ place · step`.
pub(super) fn picked(
    import: &mut Import,
    x: &Tensor,
    dims: Vec<usize>,
    steps: &[isize],
    offset: usize,
) -> Result<Tensor, String> {
    let count = count(&dims)?;
    import.make(count)?;
    let to = strides(&dims);
    let source = (0..count).map(|i| {
        let moves = (0..dims.len()).map(|axis| (i / to[axis] % dims[axis]) as isize * steps[axis]);
        (offset as isize + moves.sum::<isize>()) as usize
    });
    let data = x.data.pick(source)?;
    Ok(Tensor { name: x.name.clone(), dims, data })
}

pub(super) fn reshaped(x: &Tensor, dims: Vec<usize>) -> Tensor {
    Tensor { dims, ..x.clone() }
}

impl Data {
    /// The numbers at these places.
    pub(super) fn pick(&self, places: impl Iterator<Item = usize>) -> Result<Data, String> {
        match self {
            Data::Floats(values) => Ok(Data::Floats(places.map(|at| values[at]).collect())),
            Data::Ints(values) => Ok(Data::Ints(places.map(|at| values[at]).collect())),
            Data::Other(kind) => {
                Err(format!("constants of type {} are not supported", data_type::name(*kind)))
            }
        }
    }
}
