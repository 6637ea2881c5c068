//! What the reference study printed for its problem, beside what is exact.

use serde::Serialize;

use super::descent::Descent;
use super::differences::central_differences;
use super::forward::{Step, forward};
use super::gradient::Target;
use super::problem::Problem;
use super::run::{Laboratory, Options, run};
use crate::error::Result;
use crate::matrix::add_scaled;

/// A printed number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Published {
    /// Which number: `ŷ₁(1)`, `∂a₁/∂b₁`.
    pub quantity: String,
    /// As it was printed.
    pub published: &'static str,
    /// The exact value.
    pub exact: f64,
    /// Whether every printed digit is right: to a unit of the last one, since some were cut off and not
    /// rounded.
    pub every_digit: bool,
    /// Where not every digit is right: why.
    pub note: Option<String>,
}

/// The step of the central differences with which the published gradient step was made: with it, and
/// with no other that was tried, the published losses come out to the last digits.
const STEP: f64 = 1e-4;

/// Every number that was published for problem 3, in the order of the text.
///
/// # Errors
/// None that can happen: those of [`run`].
pub fn published() -> Result<Vec<Published>> {
    let study = Problem::study();
    let worked = run(&study, &Options { loss: Some(Target::At(3)), ..Options::default() })?;
    let mut all = Vec::new();
    let y =
        [["0.94921601", "0.05078399"], ["0.95221995", "0.04778005"], ["0.94001124", "0.05998876"]];
    let losses = ["3.181969072144948", "3.2456499539124866", "3.007207986556634"];
    for ((step, y), loss) in worked.steps.iter().zip(y).zip(losses) {
        all.push(number(format!("ŷ₁({})", step.t), y[0], step.y[0]));
        all.push(number(format!("ŷ₂({})", step.t), y[1], step.y[1]));
        all.push(number(format!("L({})", step.t), loss, step.loss));
    }
    let derivation = &worked.derivations[0];
    let [g1, g2] = [derivation.loss_by_b[0], derivation.loss_by_b[1]];
    all.push(number("∂L(3)/∂b₁".into(), "-0.009961", g1));
    all.push(number("∂L(3)/∂b₂".into(), "0.434009", g2));
    let mut wrong = number("∂a₁(3)/∂b₁".into(), "2.572895", derivation.a_by_b.at(0, 0));
    wrong.note = Some(why_the_factor_is_wrong(&worked));
    all.push(wrong);
    for (name, printed, row, column) in [
        ("∂a₂(3)/∂b₁", "0", 1, 0),
        ("∂a₁(3)/∂b₂", "-0.01329", 0, 1),
        ("∂a₂(3)/∂b₂", "1.02599", 1, 1),
    ] {
        all.push(number(name.into(), printed, derivation.a_by_b.at(row, column)));
    }
    let descent = &worked.descent;
    for (i, (name, printed)) in
        [("b₁", "-1.02379892"), ("b₂", "0.99573221")].into_iter().enumerate()
    {
        let mut updated = number(format!("{name} after the step"), printed, descent.updated.b[i]);
        let exact = derivation.loss_by_b[i];
        updated.note = Some(why_the_step_is_wrong(&study, descent, i, exact)?);
        all.push(updated);
    }
    let y =
        [["0.94920082", "0.05079918"], ["0.95221729", "0.04778271"], ["0.93990339", "0.06009661"]];
    let losses = ["3.181656470686603", "3.24559190013447", "3.0053167625193016"];
    let numerical = after_a_numerical_step(&study, descent.rate)?;
    for (((step, numerical), y), loss) in descent.after.iter().zip(numerical).zip(y).zip(losses) {
        all.push(number(format!("ŷ₁({}) after the step", step.t), y[0], step.y[0]));
        all.push(number(format!("ŷ₂({}) after the step", step.t), y[1], step.y[1]));
        let mut after = number(format!("L({}) after the step", step.t), loss, step.loss);
        after.note = Some(format!(
            "{:.0e} off: after a step with central differences of step {STEP} it is {}",
            (step.loss - parsed(loss)).abs(),
            numerical.loss
        ));
        all.push(after);
    }
    Ok(all)
}

/// The published step as it was made: with a numerical gradient.
fn after_a_numerical_step(study: &Problem, rate: f64) -> Result<Vec<Step>> {
    let mut parameters = study.parameters.clone();
    let gradients = central_differences(study, &parameters, &[Target::At(3)], STEP)?;
    add_scaled(&mut parameters.b, -rate, &gradients[0].parameters.b);
    forward(study, &parameters)
}

fn number(quantity: String, published: &'static str, exact: f64) -> Published {
    let value = parsed(published);
    let decimals = published.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let apart = (value - exact).abs();
    let every_digit = apart < 10f64.powi(-(decimals as i32));
    let note = (!every_digit).then(|| format!("{apart:.1e} off"));
    Published { quantity, published, exact, every_digit, note }
}

fn parsed(printed: &str) -> f64 {
    printed.parse().expect("a number is printed there")
}

fn why_the_factor_is_wrong(worked: &Laboratory) -> String {
    let d = &worked.derivations[0];
    let by_a = d.loss_by_a[0];
    let terms: Vec<String> = d.terms.iter().map(|m| format!("{:.7}", m.at(0, 0))).collect();
    format!(
        "an error: times ∂L/∂a₁ = {by_a:.7} it would give ∂L/∂b₁ = {:.6} and not the published \
         -0.009961; the terms over time are {}",
        2.572895 * by_a,
        terms.join(" + ")
    )
}

/// For the bias at `place`, with the exact derivative by it.
fn why_the_step_is_wrong(
    study: &Problem,
    descent: &Descent,
    place: usize,
    derivative: f64,
) -> Result<String> {
    let printed = ["-1.02379892", "0.99573221"].map(parsed);
    let needed = (study.parameters.b[place] - printed[place]) / descent.rate;
    let mut with_printed = study.parameters.clone();
    with_printed.b = printed.to_vec();
    let then = forward(study, &with_printed)?;
    Ok(format!(
        "an error: a step of rate {} to it needs a derivative of {needed:.6}, but it is \
         {derivative:.6}; with the printed b, L(3) would be {:.7}, yet 3.0053168 was published, \
         which follows from the exact b",
        descent.rate, then[2].loss
    ))
}
