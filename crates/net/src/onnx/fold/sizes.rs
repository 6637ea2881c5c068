//! Sizes, axes and positions as the operators understand them.

use crate::onnx::tensor::{Data, Tensor};
use crate::shape::elements;

/// Sizes that a `Reshape` to `target` gives; 0 keeps a size (unless it is meant), -1 takes the rest.
pub(in crate::onnx) fn reshape_dims(
    dims: &[usize],
    target: &[i64],
    keeps_zero: bool,
) -> Result<Vec<usize>, String> {
    let refused = || format!("cannot reshape {dims:?} to {target:?}");
    let mut sizes = Vec::with_capacity(target.len());
    let mut open = None;
    for (index, &size) in target.iter().enumerate() {
        sizes.push(match size {
            0 if !keeps_zero => *dims.get(index).ok_or_else(refused)?,
            -1 if open.is_none() => {
                open = Some(index);
                1
            }
            _ => usize::try_from(size).map_err(|_| refused())?,
        });
    }
    let (have, want) = (elements(dims).ok_or_else(refused)?, elements(&sizes).ok_or_else(refused)?);
    if let Some(index) = open {
        sizes[index] = match want {
            0 => return Err(refused()),
            _ => have / want,
        };
    }
    if elements(&sizes) == Some(have) { Ok(sizes) } else { Err(refused()) }
}

/// Sizes without those axes of size 1, or without any of size 1 where none are named.
pub(in crate::onnx) fn squeeze_dims(dims: &[usize], axes: &[i64]) -> Result<Vec<usize>, String> {
    let mut gone: Vec<bool> = dims.iter().map(|&size| axes.is_empty() && size == 1).collect();
    for &axis in axes {
        let axis = clamp_axis(axis, dims.len())?;
        if dims[axis] != 1 {
            return Err(format!("axis {axis} of {dims:?} cannot be removed: its size is not 1"));
        }
        gone[axis] = true;
    }
    Ok(dims.iter().zip(gone).filter(|(_, gone)| !gone).map(|(&size, _)| size).collect())
}

/// Sizes with axes of size 1 put in.
pub(in crate::onnx) fn unsqueeze_dims(dims: &[usize], axes: &[i64]) -> Result<Vec<usize>, String> {
    let rank = dims.len().saturating_add(axes.len());
    if rank > 16 {
        return Err(format!("cannot insert {} axes into {dims:?}", axes.len()));
    }
    let mut new: Vec<usize> =
        axes.iter().map(|&axis| clamp_axis(axis, rank)).collect::<Result<_, _>>()?;
    new.sort_unstable();
    new.dedup();
    if new.len() != axes.len() {
        return Err(format!("axes {axes:?} name one twice"));
    }
    let mut all = dims.to_vec();
    new.into_iter().for_each(|axis| all.insert(axis, 1));
    Ok(all)
}

/// An order of axes, by default the reverse one.
pub(in crate::onnx) fn permutation(perm: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    if perm.is_empty() {
        return Ok((0..rank).rev().collect());
    }
    let axes: Vec<usize> = perm.iter().filter_map(|&axis| usize::try_from(axis).ok()).collect();
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    match sorted.iter().copied().eq(0..rank) && perm.len() == rank {
        true => Ok(axes),
        false => Err(format!("perm {perm:?} is no order of {rank} axes")),
    }
}

/// An axis, negative ones counted from the end.
pub(in crate::onnx) fn clamp_axis(axis: i64, rank: usize) -> Result<usize, String> {
    let wrapped = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    usize::try_from(wrapped)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| format!("axis {axis} is outside the {rank} axes"))
}

/// Sizes after NumPy's broadcasting.
pub(in crate::onnx) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    crate::ops::general::broadcast(a, b)
}

pub(super) fn count(dims: &[usize]) -> Result<usize, String> {
    elements(dims).ok_or_else(|| format!("{dims:?} has more elements than are supported"))
}

/// From one place to the next along each axis.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(dims[axis].max(1));
    }
    strides
}

pub(super) fn sizes(x: &Tensor) -> Result<Vec<usize>, String> {
    let sizes =
        whole(x)?.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<Vec<_>>>();
    match sizes {
        Some(sizes) if sizes.len() <= 16 => Ok(sizes),
        _ => Err("expected a shape: up to 16 numbers from 0 up".into()),
    }
}

pub(super) fn whole(x: &Tensor) -> Result<std::sync::Arc<[i64]>, String> {
    match &x.data {
        Data::Ints(values) => Ok(values.clone()),
        _ => Err(format!("the constant {:?} should be whole numbers", x.name)),
    }
}

pub(super) fn ints(like: &Tensor, dims: Vec<usize>, values: Vec<i64>) -> Tensor {
    Tensor::ints(&like.name, dims, values)
}

pub(super) fn floats(like: &Tensor, dims: Vec<usize>, values: Vec<f32>) -> Tensor {
    Tensor { name: like.name.clone(), dims, data: Data::Floats(values.into()) }
}
