//! Enlarging and reducing, one axis after the other: along each, an output is a mean of few inputs.

use std::ops::Range;

use cutaway_net::{Coordinates, Interpolation, Resize, Rounding};

use super::numbers::Real;

/// For each place of the output along an axis, places of the input and their weights.
type Taps = Vec<Vec<(usize, f64)>>;

pub(crate) fn forward<T: Real>(resize: &Resize, input: &[usize], x: &[T], y: &mut [T]) {
    let mut values: Vec<f64> = x.iter().map(|x| x.wide()).collect();
    let mut shape = input.to_vec();
    for axis in 0..input.len() {
        let Some(taps) = taps(resize, input, axis) else { continue };
        let [outer, size, inner] = super::lines(axis, &shape);
        let mut next = vec![0.0; outer * taps.len() * inner];
        for block in 0..outer {
            for (to, taps) in taps.iter().enumerate() {
                let out = &mut next[(block * resize.shape[axis] + to) * inner..][..inner];
                for &(from, weight) in taps {
                    let line = &values[(block * size + from) * inner..][..inner];
                    out.iter_mut().zip(line).for_each(|(out, x)| *out += weight * x);
                }
            }
        }
        (values, shape[axis]) = (next, resize.shape[axis]);
    }
    y.iter_mut().zip(values).for_each(|(y, value)| *y = T::narrow(value));
}

pub(crate) fn backward<T: Real>(resize: &Resize, input: &[usize], dy: &[T], dx: &mut [T]) {
    let mut values: Vec<f64> = dy.iter().map(|dy| dy.wide()).collect();
    let mut shape = resize.shape.clone();
    for axis in (0..input.len()).rev() {
        let Some(taps) = taps(resize, input, axis) else { continue };
        let [outer, size, inner] = super::lines(axis, &shape);
        let mut next = vec![0.0; outer * input[axis] * inner];
        for block in 0..outer {
            for (to, taps) in taps.iter().enumerate() {
                let line = &values[(block * size + to) * inner..][..inner];
                for &(from, weight) in taps {
                    let out = &mut next[(block * input[axis] + from) * inner..][..inner];
                    out.iter_mut().zip(line).for_each(|(out, dy)| *out += weight * dy);
                }
            }
        }
        (values, shape[axis]) = (next, input[axis]);
    }
    super::add(&values, dx);
}

/// For each place of the output along an axis, between which places of the input its neighbours lie; `None`
/// where the axis stays as it is.
pub(crate) fn places(resize: &Resize, input: &[usize], axis: usize) -> Option<Vec<Range<usize>>> {
    let range = |taps: &Vec<(usize, f64)>| {
        let places = || taps.iter().map(|(place, _)| *place);
        places().min().unwrap_or(0)..places().max().map_or(0, |last| last + 1)
    };
    Some(taps(resize, input, axis)?.iter().map(range).collect())
}

/// `None` where the axis stays as it is.
fn taps(resize: &Resize, input: &[usize], axis: usize) -> Option<Taps> {
    let (size, out) = (input[axis], resize.shape[axis]);
    let scale = resize.scales[axis];
    if size == out && scale.to_bits() == 1.0_f32.to_bits() {
        return None;
    }
    let place = |at: usize| source(resize.coordinates, at, size, out, scale);
    let clamp = |at: f64| at.clamp(0.0, (size - 1) as f64) as usize;
    Some(
        (0..out)
            .map(|at| {
                let x = place(at);
                match resize.mode {
                    Interpolation::Nearest(rounding) => vec![(clamp(nearest(x, rounding)), 1.0)],
                    Interpolation::Linear => {
                        let x = x.clamp(0.0, (size - 1) as f64);
                        let share = x - x.floor();
                        vec![(clamp(x.floor()), 1.0 - share), (clamp(x.floor() + 1.0), share)]
                    }
                    Interpolation::Cubic { a, exclude_outside } => {
                        cubic(x, f64::from(a), exclude_outside, size)
                    }
                }
            })
            .collect(),
    )
}

/// The place of the input that a place of the output stands for; in f32, as others compute it, since a
/// rounding decides which pixel is the nearest.
fn source(coordinates: Coordinates, at: usize, size: usize, out: usize, scale: f32) -> f64 {
    let at = at as f32;
    f64::from(match coordinates {
        Coordinates::HalfPixel => (at + 0.5) / scale - 0.5,
        Coordinates::PytorchHalfPixel if out == 1 => 0.0,
        Coordinates::PytorchHalfPixel => (at + 0.5) / scale - 0.5,
        Coordinates::HalfPixelSymmetric => {
            let adjustment = out as f32 / (scale * size as f32);
            let middle = size as f32 / 2.0;
            middle * (1.0 - adjustment) + (at + 0.5) / scale - 0.5
        }
        Coordinates::Asymmetric => at / scale,
        Coordinates::AlignCorners if out == 1 => 0.0,
        Coordinates::AlignCorners => at * (size - 1) as f32 / (out - 1) as f32,
    })
}

fn nearest(x: f64, rounding: Rounding) -> f64 {
    match rounding {
        Rounding::Floor => x.floor(),
        Rounding::Ceil => x.ceil(),
        Rounding::PreferFloor => (x - 0.5).ceil(),
        Rounding::PreferCeil => (x + 0.5).floor(),
    }
}

/// Keys's cubic convolution: four neighbours, those outside stand for the edge or do not count.
fn cubic(x: f64, a: f64, exclude_outside: bool, size: usize) -> Vec<(usize, f64)> {
    let first = x.floor() as i64 - 1;
    let weight = |distance: f64| {
        let d = distance.abs();
        if d <= 1.0 {
            ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
        } else {
            ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a
        }
    };
    let mut taps = Vec::with_capacity(4);
    for at in first..first + 4 {
        let inside = (0..size as i64).contains(&at);
        if inside || !exclude_outside {
            let place = at.clamp(0, size as i64 - 1) as usize;
            taps.push((place, weight(x - at as f64)));
        }
    }
    if exclude_outside {
        let total: f64 = taps.iter().map(|(_, weight)| weight).sum();
        taps.iter_mut().for_each(|(_, weight)| *weight /= total);
    }
    taps
}
