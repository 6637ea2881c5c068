//! The whole of a problem, worked out.

use serde::Serialize;

use super::bptt::backpropagation;
use super::compare::{Disagreement, disagreements};
use super::derivation::Derivation;
use super::descent::{Descent, descend};
use super::differences::central_differences;
use super::forward::{Step, forward};
use super::gradient::{Gradient, Target};
use super::problem::{Parameter, Problem};
use super::rtrl::sensitivities;
use crate::error::{Error, Result};

/// The most work, in multiplications: some ten seconds.
pub(super) const MOST_WORK: f64 = 1e10;
/// The most derivatives that are kept.
const MOST_VALUES: f64 = 5e6;
/// The most gradient steps.
const MOST_STEPS: usize = 1_000_000;

/// How a problem is to be worked out.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Which loss. None: the gradients of all of them and of their sum; derivation and gradient steps
    /// are of the last.
    pub loss: Option<Target>,
    /// Step of the central differences, above 0.
    pub difference_step: f64,
    /// How many gradient steps.
    pub steps: usize,
    /// Their learning rate.
    pub rate: f64,
    /// What they change. None: what the problem says.
    pub update: Option<Vec<Parameter>>,
}

impl Default for Options {
    fn default() -> Options {
        Options { loss: None, difference_step: 1e-5, steps: 1, rate: 0.01, update: None }
    }
}

/// Everything that there is to know about a problem.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Laboratory {
    /// The forward pass.
    pub steps: Vec<Step>,
    /// Step of the central differences.
    pub difference_step: f64,
    /// The gradients: for each loss by the three methods.
    pub gradients: Vec<Gradient>,
    /// How far the methods are apart.
    pub disagreements: Vec<Disagreement>,
    /// The gradient by `b` of the chosen loss, factor by factor; for the sum, that of each step.
    pub derivations: Vec<Derivation>,
    /// The gradient steps.
    pub descent: Descent,
}

/// Works a problem out.
///
/// # Errors
/// [`Error::NotFinite`] where a loss leaves its domain, [`Error::TooLarge`] for a problem beyond a
/// laboratory, [`Error::Setting`] for options out of range.
pub fn run(problem: &Problem, options: &Options) -> Result<Laboratory> {
    let length = problem.length();
    let target = options.loss.unwrap_or(Target::At(length));
    if let Target::At(t) = target
        && !(1..=length).contains(&t)
    {
        let known = format!("the problem has the steps 1 to {length}");
        return Err(Error::Setting(format!("there is no loss of step {t}: {known}")));
    }
    let losses = options.loss.map_or_else(|| Target::all(length), |loss| vec![loss]);
    check_size(problem, target, losses.len(), options.steps)?;
    let parameters = &problem.parameters;
    let steps = forward(problem, parameters)?;
    let forwards = sensitivities(problem, parameters, &steps, &losses)?;
    let differences = central_differences(problem, parameters, &losses, options.difference_step)?;
    let mut gradients = Vec::with_capacity(3 * losses.len());
    let mut found = Vec::new();
    for ((&loss, forward), difference) in losses.iter().zip(forwards).zip(differences) {
        let backward = backpropagation(problem, parameters, &steps, loss)?;
        found.extend(disagreements(&backward, &forward, &difference));
        gradients.extend([backward, forward, difference]);
    }
    let derived = match target {
        Target::At(t) => t..=t,
        Target::Sum => 1..=length,
    };
    let derivations = derived.map(|t| Derivation::of(problem, &steps, t));
    let update = options.update.as_deref().unwrap_or(&problem.update);
    Ok(Laboratory {
        difference_step: options.difference_step,
        gradients,
        disagreements: found,
        derivations: derivations.collect::<Result<_>>()?,
        descent: descend(problem, target, update, options.rate, options.steps)?,
        steps,
    })
}

/// What a step costs beside its multiplications, measured in them.
const OVERHEAD: usize = 200;

/// Multiplications of one forward pass.
fn pass(problem: &Problem) -> f64 {
    let a_step = problem.parameters.count() + problem.loss.operations() + OVERHEAD;
    problem.length() as f64 * a_step as f64
}

/// Multiplications of the gradients of one loss by central differences.
pub(super) fn difference_work(problem: &Problem) -> f64 {
    let numbers = problem.parameters.count() + problem.length() * problem.hidden();
    2.0 * numbers as f64 * pass(problem)
}

/// Refuses what would take minutes or gigabytes, before it takes them.
fn check_size(
    problem: &Problem,
    target: Target,
    losses: usize,
    gradient_steps: usize,
) -> Result<()> {
    let too_large = |what: &str, found: String, limit: String, advice| {
        Err(Error::TooLarge { what: what.to_owned(), found, limit, advice })
    };
    if gradient_steps > MOST_STEPS {
        let (found, limit) = (gradient_steps.to_string(), MOST_STEPS.to_string());
        return too_large("the number of gradient steps", found, limit, "take fewer steps");
    }
    let [t, h, losses, updates] =
        [problem.length(), problem.hidden(), losses, gradient_steps].map(|n| n as f64);
    let parameters = problem.parameters.count() as f64;
    let numbers = parameters + t * h;
    let pass = pass(problem);
    // Terms of the derivations: one a step before the loss.
    let terms = match target {
        Target::At(_) => t,
        Target::Sum => t * t / 2.0,
    };
    let work = difference_work(problem)
        + t * h * h * numbers // forward sensitivities
        + losses * 3.0 * pass // backpropagation
        + terms * 2.0 * h * h * h
        + updates * 4.0 * pass;
    if work > MOST_WORK {
        let advice = "take fewer steps, a smaller network or fewer gradient steps";
        let (found, limit) = (format!("{work:.1e} operations"), format!("{MOST_WORK:.0e}"));
        return too_large("the work on this problem", found, limit, advice);
    }
    let values = losses * 3.0 * numbers + 2.0 * h * numbers + terms * h * h;
    if values > MOST_VALUES {
        let advice = "ask for the loss of one step only, or take fewer steps";
        let (found, limit) = (format!("{values:.1e} derivatives"), format!("{MOST_VALUES:.0e}"));
        return too_large("the result", found, limit, advice);
    }
    Ok(())
}
