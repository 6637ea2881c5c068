//! How far the three ways to a gradient are apart.

use serde::Serialize;

use super::differences::central_differences;
use super::gradient::{Gradient, Method, Target};
use super::problem::{Parameter, Problem};
use super::run::{MOST_WORK, difference_work};

/// The largest differences between the methods over all values of one parameter, or of the states.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disagreement {
    /// Of which loss.
    pub loss: Target,
    /// `W`, `U`, `V`, `b`, `c`, `h0`, or `h` for all states.
    pub parameter: &'static str,
    /// The largest derivative, as a scale: its absolute value by backpropagation.
    pub largest: f64,
    /// Largest absolute difference of the forward sensitivities from backpropagation.
    pub rtrl: f64,
    /// Largest absolute difference of the central differences from backpropagation.
    pub differences: f64,
}

/// Compares gradients of one loss by the three methods.
pub(super) fn disagreements(
    bptt: &Gradient,
    rtrl: &Gradient,
    differences: &Gradient,
) -> Vec<Disagreement> {
    let of = |parameter, values: &dyn Fn(&Gradient) -> Vec<f64>| {
        let exact = values(bptt);
        Disagreement {
            loss: bptt.loss,
            parameter,
            largest: exact.iter().fold(0.0, |m, v| v.abs().max(m)),
            rtrl: apart(&exact, &values(rtrl)),
            differences: apart(&exact, &values(differences)),
        }
    };
    let parameters = Parameter::ALL
        .into_iter()
        .map(|p| of(p.name(), &|g: &Gradient| g.parameters.values(p).to_vec()));
    let states = of("h", &|g: &Gradient| g.states.concat());
    parameters.chain([states]).collect()
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |m, (x, y)| (x - y).abs().max(m))
}

/// Twice the negative exponents of ten of the steps that are tried.
const STEPS: std::ops::RangeInclusive<i32> = 2..=24;

/// How wrong central differences are with one step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StepError {
    /// The step.
    pub step: f64,
    /// Largest absolute difference from backpropagation over all parameters and states; none where the
    /// step leaves the loss's domain.
    pub error: Option<f64>,
}

/// The error of central differences for steps 10⁻¹, 10⁻¹·⁵, … 10⁻¹²: too large a step cuts the curve short, too
/// small a one drowns in rounding.
///
/// `exact` is the gradient by backpropagation. None for a problem so large that this would take
/// minutes.
#[must_use]
pub fn step_errors(problem: &Problem, exact: &Gradient) -> Option<Vec<StepError>> {
    debug_assert_eq!(exact.method, Method::Bptt);
    if STEPS.count() as f64 * difference_work(problem) > MOST_WORK {
        return None;
    }
    let errors = STEPS.map(|half| {
        let step = 10f64.powf(-f64::from(half) / 2.0);
        let found = central_differences(problem, &problem.parameters, &[exact.loss], step);
        let error = found.ok().map(|found| {
            let compared = disagreements(exact, exact, &found[0]);
            compared.iter().fold(0.0, |m: f64, d| d.differences.max(m))
        });
        StepError { step, error }
    });
    Some(errors.collect())
}
