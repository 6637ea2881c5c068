//! Tensors that are made of sizes: filled, counted, repeated, masked.

use super::moving::picked;
use super::sizes::{count, floats, ints, sizes, strides, whole};
use crate::onnx::reader::{Call, Import};
use crate::onnx::tensor::{Data, Tensor};

pub(super) fn filled(
    import: &mut Import,
    call: &Call<'_>,
    shape: &Tensor,
) -> Result<Tensor, String> {
    let dims = sizes(shape)?;
    let count = count(&dims)?;
    import.make(count)?;
    let value = match call.attributes.tensor("value") {
        Some(proto) => import.tensor(proto.clone(), call.output())?.data,
        None => Data::Floats([0.0].into()),
    };
    // An iterator of known length fills the shared memory at once, without a copy.
    let data = match value {
        Data::Floats(value) if value.len() == 1 => {
            Data::Floats(std::iter::repeat_n(value[0], count).collect())
        }
        Data::Ints(value) if value.len() == 1 => {
            Data::Ints(std::iter::repeat_n(value[0], count).collect())
        }
        _ => return Err("expected one number as value".into()),
    };
    Ok(Tensor { name: shape.name.clone(), dims, data })
}

pub(super) fn range(
    import: &mut Import,
    from: &Tensor,
    to: &Tensor,
    by: &Tensor,
) -> Result<Tensor, String> {
    let refused = || "expected three single numbers: start, limit, step".to_owned();
    match (&from.data, &to.data, &by.data) {
        (Data::Ints(from_), Data::Ints(to), Data::Ints(by)) => {
            let ([from_], [to], [by]) = (&from_[..], &to[..], &by[..]) else {
                return Err(refused());
            };
            let (from_, to, by) = (i128::from(*from_), i128::from(*to), i128::from(*by));
            let steps = if by == 0 { -1 } else { (to - from_ + by - by.signum()) / by };
            let count = usize::try_from(steps.max(if by == 0 { -1 } else { 0 }))
                .map_err(|_| "the step is 0".to_owned())?;
            import.make(count)?;
            let values = (0..count as i128).map(|i| (from_ + i * by) as i64).collect();
            Ok(ints(from, vec![count], values))
        }
        (Data::Floats(from_), Data::Floats(to), Data::Floats(by)) => {
            let ([from_], [to], [by]) = (&from_[..], &to[..], &by[..]) else {
                return Err(refused());
            };
            let count = ((to - from_) / by).ceil().max(0.0) as usize;
            import.make(count)?;
            Ok(floats(from, vec![count], (0..count).map(|i| from_ + i as f32 * by).collect()))
        }
        _ => Err(refused()),
    }
}

/// Positions of what is not 0, one row an axis.
pub(super) fn non_zero(import: &mut Import, x: &Tensor) -> Result<Tensor, String> {
    import.make(x.len().saturating_mul(x.dims.len().max(1)))?;
    let found: Vec<usize> = match &x.data {
        Data::Floats(v) => (0..v.len()).filter(|&i| v[i] != 0.0).collect(),
        Data::Ints(v) => (0..v.len()).filter(|&i| v[i] != 0).collect(),
        Data::Other(_) => return Err("cannot be worked out for this type".into()),
    };
    let strides = strides(&x.dims);
    let rows = x.dims.iter().zip(&strides);
    let values = rows.flat_map(|(&size, &stride)| {
        found.iter().map(move |&at| (at / stride % size.max(1)) as i64).collect::<Vec<_>>()
    });
    Ok(ints(x, vec![x.dims.len(), found.len()], values.collect()))
}

/// Whether a place is on a diagonal or below it.
pub(in crate::onnx) fn lower(row: usize, column: usize, diagonal: i64) -> bool {
    column as i64 - row as i64 <= diagonal
}

/// One triangle of the last two axes, 0 elsewhere.
pub(super) fn triangle(
    import: &mut Import,
    call: &Call<'_>,
    x: &Tensor,
    diagonal: Option<&Tensor>,
) -> Result<Tensor, String> {
    let upper = call.attributes.int("upper", 1)? != 0;
    let diagonal = match diagonal.map(whole).transpose()?.as_deref() {
        None => 0,
        Some(&[k]) => k.clamp(-(1 << 40), 1 << 40),
        Some(_) => return Err("the diagonal should be a single whole number".into()),
    };
    let &[.., rows, columns] = &x.dims[..] else { return Err("expected matrices".into()) };
    import.make(x.len())?;
    let inside = |i: usize| {
        let (row, column) = (i / columns % rows, i % columns);
        upper != lower(row, column, diagonal - i64::from(upper))
    };
    match &x.data {
        Data::Floats(values) => {
            let each = values.iter().enumerate().map(|(i, &v)| if inside(i) { v } else { 0.0 });
            Ok(floats(x, x.dims.clone(), each.collect()))
        }
        Data::Ints(values) => {
            let each = values.iter().enumerate().map(|(i, &v)| if inside(i) { v } else { 0 });
            Ok(ints(x, x.dims.clone(), each.collect()))
        }
        Data::Other(_) => Err("cannot be worked out for this type".into()),
    }
}

pub(super) fn tile(import: &mut Import, x: &Tensor, times: &[usize]) -> Result<Tensor, String> {
    if times.len() != x.dims.len() {
        return Err(format!("{} repeats do not fit {:?}", times.len(), x.dims));
    }
    let dims: Vec<usize> =
        x.dims.iter().zip(times).map(|(&size, &times)| size.saturating_mul(times)).collect();
    import.make(count(&dims)?)?;
    let (from, to) = (strides(&x.dims), strides(&dims));
    let source = (0..dims.iter().product()).map(|i: usize| {
        (0..dims.len()).map(|axis| i / to[axis] % dims[axis] % x.dims[axis] * from[axis]).sum()
    });
    Ok(Tensor { name: x.name.clone(), data: x.data.pick(source)?, dims: dims.clone() })
}

/// The tensor with its sizes of 1 repeated.
pub(super) fn repeat(import: &mut Import, x: &Tensor, dims: Vec<usize>) -> Result<Tensor, String> {
    if x.dims == dims {
        return Ok(x.clone());
    }
    let from = strides(&x.dims);
    let shift = dims.len() - x.dims.len();
    let steps: Vec<isize> = (0..dims.len())
        .map(|axis| match axis.checked_sub(shift) {
            Some(own) if x.dims[own] > 1 => from[own] as isize,
            _ => 0,
        })
        .collect();
    picked(import, x, dims, &steps, 0)
}
