//! The forward pass.

use serde::Serialize;

use super::problem::{Parameters, Problem, at};
use crate::error::{Error, Result};

/// Every number of one step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The step, from 1.
    pub t: usize,
    /// Pre-activations `[hidden]`.
    pub a: Vec<f64>,
    /// The state `[hidden]`.
    pub h: Vec<f64>,
    /// Output before its activation `[outputs]`.
    pub o: Vec<f64>,
    /// The output ŷ `[outputs]`.
    pub y: Vec<f64>,
    /// The loss of this step.
    pub loss: f64,
}

/// A change of one value of one state, from outside: for central differences by states.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nudge {
    pub(super) t: usize,
    pub(super) unit: usize,
    pub(super) by: f64,
}

/// All steps of a problem with these parameters.
///
/// # Errors
/// [`Error::NotFinite`] with the step at which a state, an output or the loss is infinite or not a
/// number.
pub fn forward(problem: &Problem, parameters: &Parameters) -> Result<Vec<Step>> {
    nudged(problem, parameters, None)
}

/// All steps, with a state changed on the way.
pub(super) fn nudged(problem: &Problem, p: &Parameters, nudge: Option<Nudge>) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::with_capacity(problem.length());
    for (t, x) in (1..).zip(&problem.inputs) {
        let before = steps.last().map_or(&p.h0, |step| &step.h);
        let (from_state, from_input) = (p.w.times(before), p.u.times(x));
        let sums = p.b.iter().zip(from_state).zip(from_input);
        let a: Vec<f64> = sums.map(|((b, w), u)| b + w + u).collect();
        let mut h: Vec<f64> = a.iter().map(|&a| problem.activation.value(a)).collect();
        if let Some(nudge) = nudge.filter(|n| n.t == t) {
            h[nudge.unit] += nudge.by;
        }
        let o: Vec<f64> = p.c.iter().zip(p.v.times(&h)).map(|(c, v)| c + v).collect();
        let y = problem.output.value(&o);
        let loss = problem.loss.value(&y);
        let step = Step { t, a, h, o, y, loss };
        check(&step)?;
        steps.push(step);
    }
    Ok(steps)
}

fn check(step: &Step) -> Result<()> {
    let inside = [("a value of a", &step.a), ("a value of o", &step.o), ("an output", &step.y)];
    for (what, values) in inside {
        if let Some(value) = values.iter().find(|v| !v.is_finite()) {
            return Err(Error::NotFinite {
                what: what.to_owned(),
                value: *value,
                when: format!("at step {}", step.t),
                advice: "the numbers grow beyond what 64 bits hold: give smaller ones or fewer steps",
            });
        }
    }
    if !step.loss.is_finite() {
        return Err(Error::NotFinite {
            what: "the loss".to_owned(),
            value: step.loss,
            when: at(step.t, &step.y),
            advice: "outside the formula's domain (such as ln of 0): change the loss or the numbers",
        });
    }
    Ok(())
}
