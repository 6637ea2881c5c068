//! Gradient descent, a step at a time.

use serde::Serialize;

use super::bptt::backpropagation;
use super::forward::{Step, forward};
use super::gradient::Target;
use super::problem::{Parameter, Parameters, Problem};
use crate::error::{Error, Result};
use crate::matrix::add_scaled;

/// What gradient steps have changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Descent {
    /// Which loss was descended.
    pub loss: Target,
    /// Learning rate.
    pub rate: f64,
    /// Which parameters were changed.
    pub update: Vec<Parameter>,
    /// The loss before the first step and after each: one more than there were steps.
    pub losses: Vec<f64>,
    /// The parameters after the last step.
    pub updated: Parameters,
    /// The network run again with them.
    pub after: Vec<Step>,
}

/// `θ ← θ − rate · ∂L/∂θ`, `count` times, with the gradient by backpropagation.
///
/// # Errors
/// [`Error::OnTheWay`] with the gradient step at which the loss left its domain.
pub fn descend(
    problem: &Problem,
    loss: Target,
    update: &[Parameter],
    rate: f64,
    count: usize,
) -> Result<Descent> {
    if !rate.is_finite() {
        return Err(Error::Setting(format!("the rate is {rate}: expected a number, such as 0.01")));
    }
    let mut updated = problem.parameters.clone();
    let mut after = forward(problem, &updated)?;
    let mut losses = vec![total(loss, &after)];
    for step in 1..=count {
        let gradient = backpropagation(problem, &updated, &after, loss)?.parameters;
        for parameter in Parameter::ALL.into_iter().filter(|p| update.contains(p)) {
            add_scaled(updated.values_mut(parameter), -rate, gradient.values(parameter));
        }
        after = forward(problem, &updated).map_err(|error| Error::OnTheWay {
            place: format!("after gradient step {step}"),
            error: Box::new(error),
            advice: "take a smaller rate",
        })?;
        losses.push(total(loss, &after));
    }
    Ok(Descent { loss, rate, update: update.to_vec(), losses, updated, after })
}

fn total(loss: Target, steps: &[Step]) -> f64 {
    steps.iter().filter(|step| loss.contains(step.t)).map(|step| step.loss).sum()
}
