//! Where a gradient ends because numbers end: in single precision nothing lies between 0 and 1.4·10⁻⁴⁵, and
//! below 1.2·10⁻³⁸ digits are lost one by one (IEEE 754).

use serde::Serialize;

use super::transition::Transition;
use super::{Trajectory, gradients};
use crate::error::Result;

/// A gradient through time in single precision beside the exact one, by distance from the last step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Underflow {
    /// `log10 ‖∂L/∂h(T−d)‖` as it is, in `f64` with logarithms, `[distances]`.
    pub exact: Vec<f64>,
    /// The same by backpropagation in `f32`; −∞ (`null` in JSON) for 0, NaN for what is no number.
    pub single: Vec<f64>,
    /// Where single precision fails.
    pub failures: Failures,
}

/// The smallest distance at which a gradient in single precision is…
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Failures {
    /// …not 0, but all of its values below the smallest normal number.
    pub subnormal: Option<usize>,
    /// …0 in every value.
    pub zero: Option<usize>,
    /// …infinite or no number in any value.
    pub not_finite: Option<usize>,
}

/// The failures along gradients in single precision, such as a training's own, by distance: `[distances][units]`.
/// A gradient that is exactly 0 from the beginning is a `zero` at distance 0.
pub fn failures<'a>(gradients: impl IntoIterator<Item = &'a [f32]>) -> Failures {
    let mut out = Failures::default();
    for (distance, gradient) in gradients.into_iter().enumerate() {
        let largest = gradient.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let place = if !gradient.iter().all(|v| v.is_finite()) {
            &mut out.not_finite
        } else if largest == 0.0 {
            &mut out.zero
        } else if largest < f32::MIN_POSITIVE {
            &mut out.subnormal
        } else {
            continue;
        };
        place.get_or_insert(distance);
    }
    out
}

/// Backpropagation in single precision along a trajectory, beside the exact gradient. The derivatives of each
/// step are the exact ones, rounded, so that what is lost is lost on the way back. `by_states` as for
/// [`gradients()`].
///
/// # Errors
/// As [`gradients()`].
pub fn underflow(trajectory: &Trajectory<'_>, by_states: &[Vec<f64>]) -> Result<Underflow> {
    let exact = gradients(trajectory, by_states)?.states;
    let w: Vec<f32> = trajectory.weights.weight_hh.values().iter().map(|&v| v as f32).collect();
    let n = trajectory.hidden();
    let (mut h, mut c) = (vec![0.0f32; n], vec![0.0f32; trajectory.state_size() - n]);
    let mut found = Vec::with_capacity(trajectory.len());
    for t in (0..trajectory.len()).rev() {
        h.iter_mut().zip(&by_states[t]).for_each(|(sum, &seed)| *sum += seed as f32);
        found.push(h.clone());
        (h, c) = Transition::at(trajectory, t).single().pull(&w, &h, &c);
    }
    let failures = failures(found.iter().map(Vec::as_slice));
    Ok(Underflow { exact, single: found.iter().map(|v| log10_norm(v)).collect(), failures })
}

fn log10_norm(values: &[f32]) -> f64 {
    values.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt().log10()
}
