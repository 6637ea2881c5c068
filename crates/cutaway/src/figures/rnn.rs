//! Figures of the laboratory.

use cutaway::recurrent::lab::{Gradient, Method, Target};
use cutaway::report::{Axis, Figure, LineChart, Series};

use crate::commands::rnn::Findings;
use crate::error::Result;

/// The most losses with a curve of their own.
const CURVES: usize = 6;
/// The most steps at which each point is marked.
const MARKED: usize = 40;

/// All that the problem gives, with their file names.
pub(crate) fn all(findings: &Findings) -> Result<Vec<(&'static str, Figure)>> {
    let mut figures = Vec::new();
    if !findings.step_errors.is_empty() {
        figures.push(("differences", differences(findings)?));
    }
    if let Some(figure) = through_time(findings)? {
        figures.push(("through-time", figure));
    }
    if findings.lab.descent.losses.len() > 2 {
        figures.push(("descent", descent(findings)?));
    }
    Ok(figures)
}

/// How wrong central differences are, against their step.
pub(crate) fn differences(findings: &Findings) -> Result<Figure> {
    let points = findings.step_errors.iter().filter_map(|e| Some((e.step, e.error?)));
    let chart = LineChart::new(
        format!("Central differences of {}: error by step", findings.lab.descent.loss),
        Axis::new("step of the difference").log(),
        Axis::new("largest error of a derivative").log(),
    );
    Ok(chart.series(Series::new("error", points).markers()).draw()?)
}

/// The norm of dL(t)/dh(s) against s, for some losses t: how much a loss feels each state before it.
/// None where there is but one step.
pub(crate) fn through_time(findings: &Findings) -> Result<Option<Figure>> {
    let length = findings.problem.length();
    if length < 2 {
        return Ok(None);
    }
    let mut chart = LineChart::new(
        "How much each loss feels each state",
        Axis::new("step of the state").whole(),
        Axis::new("norm of dL/dh").log(),
    );
    let wanted = |g: &&Gradient| g.method == Method::Bptt && shown(g.loss, length);
    for gradient in findings.lab.gradients.iter().filter(wanted) {
        // A state after the loss cannot change it: the curve ends at the loss.
        let end = if let Target::At(t) = gradient.loss { t } else { length };
        let norms = gradient.state_norms().into_iter().take(end);
        let series = Series::numbered(gradient.loss.to_string(), norms);
        chart = chart.series(if length <= MARKED { series.markers() } else { series });
    }
    Ok(Some(chart.draw()?))
}

/// The losses of some steps, evenly spread, the last among them.
fn shown(loss: Target, length: usize) -> bool {
    match loss {
        Target::Sum => false,
        Target::At(t) => (length - t).is_multiple_of(length.div_ceil(CURVES)),
    }
}

/// The loss after each gradient step.
fn descent(findings: &Findings) -> Result<Figure> {
    let descent = &findings.lab.descent;
    let points = (0..).map(f64::from).zip(descent.losses.iter().copied());
    let title = format!("{} by gradient step, rate {}", descent.loss, descent.rate);
    let chart = LineChart::new(title, Axis::new("gradient step").whole(), Axis::new("loss"));
    Ok(chart.series(Series::new("loss", points)).draw()?)
}
