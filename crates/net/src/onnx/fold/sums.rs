//! Sums and products over axes.

use std::rc::Rc;

use super::making::repeat;
use super::sizes::{clamp_axis, count, floats, ints, strides, whole};
use crate::onnx::reader::{Call, Import};
use crate::onnx::tensor::{Data, Tensor};

pub(super) fn reduce(
    import: &mut Import,
    call: &Call<'_>,
    op: &str,
    x: &Tensor,
    inputs: &[Option<Rc<Tensor>>],
) -> Result<Tensor, String> {
    let axes = match inputs.get(1).cloned().flatten() {
        Some(axes) => whole(&axes)?.to_vec(),
        None => call.attributes.ints("axes").to_vec(),
    };
    let keep = call.attributes.int("keepdims", 1)? != 0;
    if axes.is_empty() && call.attributes.int("noop_with_empty_axes", 0)? != 0 {
        return Ok(x.clone());
    }
    let rank = x.dims.len();
    let axes: Vec<usize> = match axes.is_empty() {
        true => (0..rank).collect(),
        false => axes.iter().map(|&axis| clamp_axis(axis, rank)).collect::<Result<_, _>>()?,
    };
    reduced(import, op, x, &axes, keep)
}

/// A number made of those along some axes, by ONNX's name of the reduction.
pub(in crate::onnx) fn reduced(
    import: &mut Import,
    op: &str,
    x: &Tensor,
    axes: &[usize],
    keep: bool,
) -> Result<Tensor, String> {
    let rank = x.dims.len();
    let kept: Vec<usize> =
        (0..rank).map(|i| if axes.contains(&i) { 1 } else { x.dims[i] }).collect();
    let to = strides(&kept);
    let from = strides(&x.dims);
    let target = |i: usize| -> usize {
        (0..rank)
            .filter(|axis| !axes.contains(axis))
            .map(|axis| i / from[axis] % x.dims[axis] * to[axis])
            .sum()
    };
    let total = count(&kept)?;
    import.make(total)?;
    let share = x.len().checked_div(total).unwrap_or(1).max(1);
    let start = match op {
        "ReduceProd" => 1.0,
        "ReduceMax" => f64::NEG_INFINITY,
        "ReduceMin" => f64::INFINITY,
        _ => 0.0,
    };
    let join = |a: f64, b: f64| match op {
        "ReduceProd" => a * b,
        "ReduceMax" => a.max(b),
        "ReduceMin" => a.min(b),
        "ReduceL1" => a + b.abs(),
        "ReduceL2" | "ReduceSumSquare" => a + b * b,
        _ => a + b,
    };
    let mut sums = vec![start; total];
    let mut add = |i: usize, value: f64| sums[target(i)] = join(sums[target(i)], value);
    match &x.data {
        Data::Floats(v) => v.iter().enumerate().for_each(|(i, &v)| add(i, f64::from(v))),
        Data::Ints(v) => v.iter().enumerate().for_each(|(i, &v)| add(i, v as f64)),
        Data::Other(_) => return Err("cannot be worked out for this type".into()),
    }
    if op == "ReduceL2" {
        sums.iter_mut().for_each(|sum| *sum = sum.sqrt());
    }
    if op == "ReduceMean" {
        sums.iter_mut().for_each(|sum| *sum /= share as f64);
    }
    let dims = match keep {
        true => kept,
        false => (0..rank).filter(|i| !axes.contains(i)).map(|i| x.dims[i]).collect(),
    };
    Ok(match x.data {
        Data::Floats(_) => floats(x, dims, sums.into_iter().map(|v| v as f32).collect()),
        _ => ints(x, dims, sums.into_iter().map(|v| v as i64).collect()),
    })
}

/// `[…, m, k] × […, k, n]`, sums in f64.
pub(super) fn mat_mul(import: &mut Import, a: &Tensor, b: &Tensor) -> Result<Tensor, String> {
    let dims = crate::ops::general::mat_mul_output_shape(&a.dims, &b.dims)?;
    let (before, last) = dims.split_at(dims.len() - 2);
    let (m, n, k) = (last[0], last[1], a.dims[a.dims.len() - 1]);
    // Each product counts as a number: what takes long is bounded with what takes much.
    import.make(count(&dims)?.saturating_mul(k.max(1)))?;
    let (a, b) = (
        repeat(import, a, [before, &[m, k]].concat())?,
        repeat(import, b, [before, &[k, n]].concat())?,
    );
    let (Data::Floats(x), Data::Floats(y)) = (&a.data, &b.data) else {
        return Err("cannot be worked out for whole numbers".into());
    };
    let value = |i: usize| {
        let (block, row, column) = (i / (m * n), i / n % m, i % n);
        let product = |l: usize| {
            f64::from(x[(block * m + row) * k + l]) * f64::from(y[(block * k + l) * n + column])
        };
        (0..k).map(product).sum::<f64>() as f32
    };
    Ok(floats(&a, dims.clone(), (0..dims.iter().product()).map(value).collect()))
}

/// Sums up to each place of an axis.
pub(super) fn cum_sum(
    import: &mut Import,
    call: &Call<'_>,
    x: &Tensor,
    axis: &Tensor,
) -> Result<Tensor, String> {
    let axis = match whole(axis)?[..] {
        [axis] => clamp_axis(axis, x.dims.len())?,
        _ => return Err("the axis should be a single whole number".into()),
    };
    let exclusive = call.attributes.int("exclusive", 0)? != 0;
    let reverse = call.attributes.int("reverse", 0)? != 0;
    import.make(x.len())?;
    let (len, inner) = (x.dims[axis], strides(&x.dims)[axis]);
    let runs = |add: &mut dyn FnMut(usize, bool)| {
        for first in (0..x.len()).filter(|i| i / inner % len == 0) {
            for step in 0..len {
                let at = if reverse { len - 1 - step } else { step };
                add(first + at * inner, step == 0);
            }
        }
    };
    match &x.data {
        Data::Floats(values) => {
            let (mut sums, mut sum) = (vec![0.0; values.len()], 0.0_f64);
            runs(&mut |at, starts| {
                sum = if starts { 0.0 } else { sum };
                let before = sum;
                sum += f64::from(values[at]);
                sums[at] = (if exclusive { before } else { sum }) as f32;
            });
            Ok(floats(x, x.dims.clone(), sums))
        }
        Data::Ints(values) => {
            let (mut sums, mut sum) = (vec![0; values.len()], 0_i64);
            runs(&mut |at, starts| {
                sum = if starts { 0 } else { sum };
                let before = sum;
                sum = sum.wrapping_add(values[at]);
                sums[at] = if exclusive { before } else { sum };
            });
            Ok(ints(x, x.dims.clone(), sums))
        }
        Data::Other(_) => Err("cannot be worked out for this type".into()),
    }
}
