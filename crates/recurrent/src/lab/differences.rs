//! Central differences: nothing but the forward pass, run twice for each number.

use super::forward::{Nudge, nudged};
use super::gradient::{Gradient, Method, Target};
use super::problem::{Parameter, Parameters, Problem};
use crate::error::{Error, Result};

/// The gradients of several losses by `(L(θ + step) − L(θ − step)) / (2 step)` for every number θ of the
/// parameters and of the states.
///
/// # Errors
/// [`Error::OnTheWay`] where the step leaves the loss's domain, [`Error::Setting`] where it is not a number
/// above 0.
pub fn central_differences(
    problem: &Problem,
    parameters: &Parameters,
    losses: &[Target],
    step: f64,
) -> Result<Vec<Gradient>> {
    if !(step.is_finite() && step > 0.0) {
        return Err(Error::Setting(format!(
            "the step of the central differences is {step}: expected a number above 0, such as 1e-5"
        )));
    }
    let new = |&loss| Gradient::zeros(problem, loss, Method::Differences);
    let mut gradients: Vec<Gradient> = losses.iter().map(new).collect();
    let mut moved = parameters.clone();
    for parameter in Parameter::ALL {
        for i in 0..parameters.values(parameter).len() {
            let value = parameters.values(parameter)[i];
            let mut at = |by: f64| {
                moved.values_mut(parameter)[i] = value + by;
                let losses = losses_of(problem, &moved, None);
                losses.map_err(|e| refused(&parameters.place(parameter, i), by, e))
            };
            let (more, less) = (at(step)?, at(-step)?);
            moved.values_mut(parameter)[i] = value;
            for gradient in &mut gradients {
                gradient.parameters.values_mut(parameter)[i] =
                    quotient(gradient.loss, &more, &less, step);
            }
        }
    }
    for t in 1..=problem.length() {
        for unit in 0..problem.hidden() {
            let at = |by: f64| {
                let losses = losses_of(problem, parameters, Some(Nudge { t, unit, by }));
                losses.map_err(|e| refused(&format!("h({t})[{}]", unit + 1), by, e))
            };
            let (more, less) = (at(step)?, at(-step)?);
            for gradient in &mut gradients {
                gradient.states[t - 1][unit] = quotient(gradient.loss, &more, &less, step);
            }
        }
    }
    Ok(gradients)
}

fn losses_of(problem: &Problem, parameters: &Parameters, nudge: Option<Nudge>) -> Result<Vec<f64>> {
    let steps = nudged(problem, parameters, nudge)?;
    Ok(steps.iter().map(|step| step.loss).collect())
}

/// The differences of single losses are small numbers; summed as such, nothing is lost in large ones.
fn quotient(loss: Target, more: &[f64], less: &[f64], step: f64) -> f64 {
    let differences = (1..).zip(more.iter().zip(less)).filter(|(t, _)| loss.contains(*t));
    differences.map(|(_, (more, less))| more - less).sum::<f64>() / (2.0 * step)
}

fn refused(place: &str, by: f64, error: Error) -> Error {
    let place = format!("central differences, {place} moved by {by}");
    Error::OnTheWay { place, error: Box::new(error), advice: "take a smaller step" }
}
