//! Figures of the laboratory.

use cutaway::recurrent::lab::{Gradient, Method, Target};
use cutaway::report::{Axis, ColorMap, ColorScale, Figure, GridAxis, HeatMap, LineChart, Series};

use crate::commands::rnn::Findings;
use crate::error::Result;

/// More steps than this are not drawn as a map.
const LONGEST: usize = 256;

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

/// The norm of dL(t)/dh(s): which loss feels which state; none where only one loss was asked for, or
/// very many.
pub(crate) fn through_time(findings: &Findings) -> Result<Option<Figure>> {
    let length = findings.problem.length();
    let single = |g: &&Gradient| g.method == Method::Bptt && g.loss != Target::Sum;
    let losses: Vec<&Gradient> = findings.lab.gradients.iter().filter(single).collect();
    if losses.len() != length || !(2..=LONGEST).contains(&length) {
        return Ok(None);
    }
    // A state after the loss cannot change it: no value, rather than a 0 that was measured.
    let row = |(t, g): (usize, &&Gradient)| {
        let norms = g.state_norms().into_iter().enumerate();
        norms.map(|(s, norm)| if s <= t { norm } else { f64::NAN }).collect::<Vec<_>>()
    };
    let values: Vec<f64> = losses.iter().enumerate().flat_map(row).collect();
    let logs = values.iter().filter(|v| **v > 0.0).map(|v| v.log10());
    let ends = logs.fold(None, |ends, v| match ends {
        None => Some((v, v)),
        Some((low, high)) => Some((v.min(low), v.max(high))),
    });
    let Some((low, high)) = ends else { return Ok(None) };
    let (low, high) = (low.floor(), high.ceil().max(low.floor() + 1.0));
    let scale = ColorScale::new(ColorMap::Sequential, 10f64.powf(low), 10f64.powf(high))?;
    let map = HeatMap::new(
        "How much each loss feels each state",
        GridAxis::numbers("loss of step", 1.0, 1.0),
        GridAxis::numbers("state of step", 1.0, 1.0),
        (length, length),
        values,
        scale.log()?.label("norm of dL/dh"),
    );
    Ok(Some(map.draw()?))
}

/// The loss after each gradient step.
fn descent(findings: &Findings) -> Result<Figure> {
    let descent = &findings.lab.descent;
    let points = (0..).map(f64::from).zip(descent.losses.iter().copied());
    let title = format!("{} by gradient step, rate {}", descent.loss, descent.rate);
    let chart = LineChart::new(title, Axis::new("gradient step"), Axis::new("loss"));
    Ok(chart.series(Series::new("loss", points)).draw()?)
}
