//! Multipliers of what sums up functions of numbers: softmaxes and reductions.

use cutaway_net::{Op, Reduce};
use ndarray::{ArrayD, Axis, IxDyn};

use super::rules::NONE;

/// `(eˣ − eˣ⁰) / (x − x0)`, and its limit.
fn exp_ratio(x: f64, x0: f64) -> f64 {
    let d = x - x0;
    if d.abs() < f64::from(NONE) { x.exp() } else { x0.exp() * d.exp_m1() / d }
}

/// `Δ ln S / ΔS` for the sums `S` whose logarithms are given.
fn log_ratio(y: f64, y0: f64) -> f64 {
    1.0 / exp_ratio(y, y0)
}

/// Softmax along an axis of a batch, or its logarithm: `x − ln Σ eˣ`, then the exponential; the sum
/// is made of functions of one number.
pub(super) fn softmax(
    x: &ArrayD<f32>,
    x0: &ArrayD<f32>,
    received: &ArrayD<f32>,
    axis: usize,
    log: bool,
) -> ArrayD<f32> {
    let mut result = ArrayD::zeros(received.raw_dim());
    let lanes = x.lanes(Axis(axis)).into_iter().zip(x0.lanes(Axis(axis)));
    let given = received.lanes(Axis(axis)).into_iter();
    let own = result.lanes_mut(Axis(axis)).into_iter();
    for (((x, x0), r), mut m) in lanes.zip(given).zip(own) {
        let wide = |lane: ndarray::ArrayView1<'_, f32>| -> Vec<f64> {
            lane.iter().map(|&v| f64::from(v)).collect()
        };
        let values = softmax_lane(&wide(x), &wide(x0), &wide(r), log);
        m.iter_mut().zip(values).for_each(|(m, value)| *m = value as f32);
    }
    result
}

fn softmax_lane(x: &[f64], x0: &[f64], r: &[f64], log: bool) -> Vec<f64> {
    let (y, y0) = (log_sum_exp(x), log_sum_exp(x0));
    // What the logarithm of the softmax receives.
    let r: Vec<f64> = match log {
        true => r.to_vec(),
        false => (0..x.len()).map(|i| r[i] * exp_ratio(x[i] - y, x0[i] - y0)).collect(),
    };
    let total: f64 = r.iter().sum();
    (0..x.len()).map(|i| r[i] - total * sum_exp_ratio(x[i], x0[i], y, y0)).collect()
}

fn log_sum_exp(x: &[f64]) -> f64 {
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + x.iter().map(|x| (x - most).exp()).sum::<f64>().ln()
}

/// Of `y = ln Σ eˣ` the multiplier of one `x`: that of the logarithm times that of the exponential,
/// both moved so that nothing overflows.
fn sum_exp_ratio(x: f64, x0: f64, y: f64, y0: f64) -> f64 {
    let most = y.max(y0);
    log_ratio(y - most, y0 - most) * exp_ratio(x - most, x0 - most)
}

/// A reduction that is neither linear nor a choice, of `x` and its baseline to `y` and its.
pub(super) fn reduced(
    op: &Op,
    [x, x0]: [&ArrayD<f32>; 2],
    [y, y0]: [&ArrayD<f32>; 2],
    received: &ArrayD<f32>,
) -> ArrayD<f32> {
    let Op::Reduce { kind, axes, keep } = op else { unreachable!("asked for a reduction") };
    let full = |values: &ArrayD<f32>| {
        let mut values = values.clone();
        for &axis in axes.iter().filter(|_| !keep) {
            values = values.insert_axis(Axis(axis + 1));
        }
        values.broadcast(x.raw_dim()).expect("one for each group").to_owned()
    };
    if *kind == Reduce::Prod {
        return product(x, x0, &full(received), axes);
    }
    let (y, y0, r) = (full(y), full(y0), full(received));
    let value = |place: &IxDyn| {
        let at = |values: &ArrayD<f32>| f64::from(values[place]);
        let (x, x0, y, y0) = (at(x), at(x0), at(&y), at(&y0));
        let slope = match kind {
            Reduce::L1 if (x - x0).abs() >= f64::from(NONE) => (x.abs() - x0.abs()) / (x - x0),
            Reduce::L1 => x.signum(),
            Reduce::L2 if y + y0 == 0.0 => 0.0,
            Reduce::L2 => (x + x0) / (y + y0),
            Reduce::SumSquare => x + x0,
            Reduce::LogSum => log_ratio(y, y0),
            _ => sum_exp_ratio(x, x0, y, y0),
        };
        (at(&r) * slope) as f32
    };
    ArrayD::from_shape_fn(x.raw_dim(), |place| value(&place))
}

/// A product one factor after the other, each time a product of two.
fn product(x: &ArrayD<f32>, x0: &ArrayD<f32>, r: &ArrayD<f32>, axes: &[usize]) -> ArrayD<f32> {
    let kept = (0..x.ndim()).filter(|axis| *axis == 0 || !axes.contains(&(axis - 1)));
    let order: Vec<usize> = kept.chain(axes.iter().map(|axis| axis + 1)).collect();
    let group: usize = axes.iter().map(|axis| x.shape()[axis + 1]).product();
    let moved = |values: &ArrayD<f32>| -> Vec<f64> {
        let moved = values.view().permuted_axes(order.clone());
        moved.iter().map(|&v| f64::from(v)).collect()
    };
    let (own, other, given) = (moved(x), moved(x0), moved(r));
    let mut result = vec![0.0; own.len()];
    for start in (0..own.len()).step_by(group) {
        let (x, x0) = (&own[start..start + group], &other[start..start + group]);
        // Means of the products of what lies before each factor.
        let mut before = Vec::with_capacity(group);
        let (mut p, mut p0) = (1.0, 1.0);
        for (x, x0) in x.iter().zip(x0) {
            before.push((p + p0) / 2.0);
            (p, p0) = (p * x, p0 * x0);
        }
        let mut r = given[start];
        for i in (0..group).rev() {
            result[start + i] = (r * before[i]) as f32;
            r *= (x[i] + x0[i]) / 2.0;
        }
    }
    let shape: Vec<usize> = order.iter().map(|&axis| x.shape()[axis]).collect();
    let mut inverse = vec![0; order.len()];
    order.iter().enumerate().for_each(|(i, &axis)| inverse[axis] = i);
    let moved = ArrayD::from_shape_vec(shape, result).expect("as many numbers");
    moved.permuted_axes(inverse).as_standard_layout().into_owned()
}
