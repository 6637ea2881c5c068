//! Gradients, Jacobians, spectra, exponents, gates.

use cutaway::recurrent::experiment::{EpochGradients, GradientNorms};
use cutaway::recurrent::flow::{
    Curve, GateStatistics, Gates, HalfLife, Jacobians, Lyapunov, Point, Spectrum, TimeScales,
    Underflow,
};
use cutaway::report::{
    Axis, ColorMap, ColorScale, ComplexPlane, Figure, GridAxis, HeatMap, Histogram, LineChart,
    Panels, Series, category_color, number,
};

use super::Named;
use crate::error::Result;

/// The least share of a change that is drawn, as a power of ten.
const LEAST: f64 = -4.0;
/// A number of a Jacobian, where it has one.
type Part = fn(&Point) -> Option<f64>;
/// One column of so many has a label.
const LABELLED: usize = 7;
const BACK: &str = "steps back from the last";

fn back() -> Axis {
    Axis::new(BACK).whole()
}

/// Numbers by distance as the points of a curve.
fn by_distance(values: &[f64]) -> impl Iterator<Item = (f64, f64)> + '_ {
    values.iter().enumerate().map(|(d, v)| (d as f64, *v))
}

/// The geometric mean of `‖∂L/∂h‖` over sequences against the distance, with the middle half of the sequences:
/// a curve a network.
pub(crate) fn gradients(networks: &[Named<'_, Curve>]) -> Result<Figure> {
    let axis = Axis::new("norm of dL/dh, geometric mean; band: the middle half of the sequences");
    let mut chart = LineChart::new("How far back the gradient reaches", back(), axis.powers());
    for (place, name, curve) in networks {
        let band = curve.quantiles.iter().map(|q| (q[1], q[3]));
        let series = Series::new(*name, by_distance(&curve.mean)).band(band);
        chart = chart.series(series.color(category_color(*place)));
    }
    Ok(chart.size(640.0, 280.0).draw()?)
}

/// The same for one network, by epoch: a row an epoch, from the top.
pub(crate) fn gradients_by_epoch(name: &str, norms: &GradientNorms) -> Result<Figure> {
    let distances = norms.epochs.first().map_or(&[][..], |epoch| &epoch.distances);
    let row = |epoch: &EpochGradients| -> Vec<f64> {
        epoch.log10.iter().map(|log| log.unwrap_or(f64::NEG_INFINITY)).collect()
    };
    let values: Vec<f64> = norms.epochs.iter().flat_map(row).collect();
    let shape = (norms.epochs.len(), distances.len());
    let rows = GridAxis::names("epoch", norms.epochs.iter().map(|e| e.epoch.to_string()));
    let scale = ColorScale::spanning(ColorMap::Sequential, values.iter().copied());
    let scale = scale.powers().label("norm of dL/dh, geometric mean over sequences");
    // The distances are not evenly spread; a label for each would not fit.
    let label =
        |(k, d): (usize, &usize)| if k % LABELLED == 0 { d.to_string() } else { String::new() };
    let columns = GridAxis::names(BACK, distances.iter().enumerate().map(label));
    let title = format!("{name}: the gradient by epoch");
    let height = (18.0 * norms.epochs.len() as f64).clamp(60.0, 420.0);
    let map = HeatMap::new(title, rows, columns, shape, values, scale);
    Ok(map.width(640.0).stretched(height).draw()?)
}

/// The gradient of a gated network's memory, and the two ways it came.
pub(crate) fn paths(name: &str, whole: &Curve, along: &Curve, through: &Curve) -> Result<Figure> {
    let axis = Axis::new("norm of the gradient by the memory, geometric mean").powers();
    let title = format!("{name}: along the memory, or through the weights");
    // At the end nothing has yet gone through a weight: an exact 0 that says nothing.
    let says = |(d, log): &(f64, f64)| *d > 0.0 || log.is_finite();
    let curve =
        |label: &str, curve: &Curve| Series::new(label, by_distance(&curve.mean).filter(says));
    let chart = LineChart::new(title, back(), axis)
        .series(curve("all of it", whole))
        .series(curve("along the memory, through gates alone", along))
        .series(curve("through recurrent weights at least once", through));
    Ok(chart.size(640.0, 260.0).draw()?)
}

/// Singular values of the Jacobian of the last state against the distance: the largest with its bounds, and the
/// largest, the median and the smallest, which may lie hundreds of powers of ten apart.
pub(crate) fn singular_values(name: &str, jacobians: &Jacobians) -> Result<Figure> {
    let title =
        format!("{name}: what is left of a change of the state, by the Jacobian of the last");
    let panels = vec![largest(jacobians)?, ranks(jacobians)?];
    Ok(Panels::new(title, panels).columns(1).draw()?)
}

fn ranks(jacobians: &Jacobians) -> Result<Figure> {
    let axis = Axis::new("singular value").powers();
    let mut chart = LineChart::new("", back(), axis);
    let last = jacobians.state.saturating_sub(1);
    for (label, rank) in [("largest", 0), ("median", last / 2), ("smallest", last)] {
        let of = |point: &Point| point.singular_values.get(rank).copied();
        chart = chart.series(curve(label, jacobians, of).markers());
    }
    Ok(chart.size(640.0, 200.0).draw()?)
}

fn largest(jacobians: &Jacobians) -> Result<Figure> {
    let axis = Axis::new("largest singular value").powers();
    let of = |point: &Point| point.singular_values.first().copied();
    let mut chart = LineChart::new("", back(), axis)
        .series(curve("largest singular value", jacobians, of).markers());
    let bounds: [(&str, Part); 4] = [
        ("bound: (norm of W × steepest slope)^d", |p| p.bounds.anywhere),
        ("bound: with the slopes on the way", |p| p.bounds.on_the_way),
        ("bound: product of each step's norm", |p| Some(p.bounds.step_by_step)),
        ("along the memory alone", |p| p.along_memory),
    ];
    for (label, of) in bounds {
        if jacobians.points.iter().any(|point| of(point).is_some()) {
            chart = chart.series(curve(label, jacobians, of).dashed());
        }
    }
    Ok(chart.size(640.0, 240.0).draw()?)
}

/// The parts of an LSTM's Jacobian; none of other cells.
pub(crate) fn blocks(name: &str, jacobians: &Jacobians) -> Result<Option<Figure>> {
    if jacobians.points.iter().all(|point| point.blocks.is_none()) {
        return Ok(None);
    }
    let axis = Axis::new("largest singular value").powers();
    let title = format!("{name}: what h and c of the last step owe to earlier ones");
    let mut chart = LineChart::new(title, back(), axis);
    let parts: [(&str, Part); 4] = [
        ("h by h", |p| Some(p.blocks.as_ref()?.h_by_h)),
        ("h by c", |p| Some(p.blocks.as_ref()?.h_by_c)),
        ("c by h", |p| Some(p.blocks.as_ref()?.c_by_h)),
        ("c by c", |p| Some(p.blocks.as_ref()?.c_by_c)),
    ];
    for (label, of) in parts {
        chart = chart.series(curve(label, jacobians, of));
    }
    Ok(Some(chart.size(640.0, 260.0).draw()?))
}

fn curve(label: &str, jacobians: &Jacobians, of: impl Fn(&Point) -> Option<f64>) -> Series {
    let points = jacobians.points.iter();
    let points = points.filter_map(|point| Some((point.distance as f64, of(point)?)));
    // A state at distance 0 is itself: h owes nothing to c there.
    Series::new(label, points.filter(|(d, log)| *d > 0.0 || log.is_finite()))
}

/// Eigenvalues of the recurrent weights around the unit circle.
pub(crate) fn eigenvalues(name: &str, spectrum: &Spectrum) -> Result<Figure> {
    let mut plane = ComplexPlane::new(format!("{name}: eigenvalues of the recurrent weights"));
    for block in &spectrum.blocks {
        let label = format!("{}: radius {}", block.gate, number::fixed(block.radius, 2));
        plane = plane.points(label, block.eigenvalues.iter().map(|[re, im]| (*re, *im)));
    }
    if let [block] = &spectrum.blocks[..] {
        plane = plane
            .circle(block.radius, format!("spectral radius {}", number::fixed(block.radius, 3)));
    }
    Ok(plane.draw()?)
}

/// The running mean of the growth of a small difference: how the largest Lyapunov exponent settles.
pub(crate) fn lyapunov(networks: &[Named<'_, Lyapunov>]) -> Result<Figure> {
    let y = Axis::new("largest Lyapunov exponent so far, nats a step");
    let title = "Do neighbouring states part or meet?";
    let mut chart = LineChart::new(title, Axis::new("step").whole(), y);
    for (place, name, found) in networks {
        let first = found.warm_up + 1;
        let steps = found.convergence.iter().enumerate();
        let points = steps.map(|(i, mean)| ((first + i) as f64, *mean));
        chart = chart.series(Series::new(*name, points).color(category_color(*place)));
    }
    Ok(chart.level(0.0, "0: neither").size(640.0, 240.0).draw()?)
}

/// A histogram for each gate.
pub(crate) fn gates(name: &str, gates: &Gates) -> Result<Figure> {
    let panels = gates.gates.iter().map(histogram).collect::<Result<_>>()?;
    let what = if gates.gates.len() > 1 { "gates do" } else { "state does" };
    let title = format!(
        "{name}: what the {what}, {} steps of {} sequence{}",
        number::count(gates.steps as u64),
        number::count(gates.sequences as u64),
        if gates.sequences == 1 { "" } else { "s" }
    );
    Ok(Panels::new(title, panels).draw()?)
}

fn histogram(gate: &GateStatistics) -> Result<Figure> {
    let mut title = gate.name.clone();
    if let (Some(low), Some(high)) = (gate.low, gate.high) {
        let [low, high] = [low, high].map(|share| number::percent(share, 0));
        // The ends of a tanh are −1 and 1, those of a gate 0 and 1.
        let ends = if gate.edges[0] < 0.0 { ["< −0.9", "> 0.9"] } else { ["< 0.1", "> 0.9"] };
        title = format!("{title}: {low} {}, {high} {}", ends[0], ends[1]);
    }
    let (edges, counts) = (gate.edges.clone(), gate.counts.clone());
    let chart = Histogram::of_counts(title, Axis::new("activation"), edges, counts)?;
    Ok(chart.size(340.0, 130.0).draw()?)
}

/// For how long each unit remembers, by its forget or update gate; units from the shortest to the longest.
pub(crate) fn time_scales(networks: &[Named<'_, TimeScales>]) -> Result<Figure> {
    let y = Axis::new("time scale of a unit, steps until 1/e is left").log();
    let x = Axis::new("units, the shortest first").percent().range(0.0, 1.0);
    let mut chart = LineChart::new("The time scales that the gates imply", x, y);
    for (place, name, scales) in networks {
        let count = scales.units.len() as f64;
        let units = scales.units.iter().enumerate();
        let points = units.map(|(i, tau)| ((i as f64 + 0.5) / count, *tau));
        let label = format!("{name}, {} gate", scales.gate);
        let series = Series::new(label, points).points_only();
        chart = chart.series(series.color(category_color(*place)));
    }
    Ok(chart.size(640.0, 240.0).draw()?)
}

/// What is left of a small change of the state, median over changes.
pub(crate) fn half_life(networks: &[Named<'_, HalfLife>]) -> Result<Figure> {
    let y = Axis::new("share that is left of a change of h, median").powers().range(LEAST, 0.0);
    // As long as any network has something left.
    let lags = |found: &HalfLife| found.left.iter().rposition(|left| *left > LEAST).unwrap_or(0);
    let lags = networks.iter().map(|(_, _, found)| lags(found)).max().unwrap_or(0);
    let x = Axis::new("steps since the change").whole().range(0.0, lags.max(1) as f64);
    let mut chart = LineChart::new("How long a change is remembered", x, y);
    for (place, name, found) in networks {
        let label = match found.half.median {
            Some(steps) => format!("{name}: down to half at {}", number::significant(steps, 3)),
            None => format!("{name}: more than half is left at the end"),
        };
        let series = Series::new(label, by_distance(&found.left));
        chart = chart.series(series.color(category_color(*place)));
    }
    let chart = chart.level(0.5f64.log10(), "one half");
    Ok(chart.level(-std::f64::consts::LOG10_E, "1/e").size(640.0, 240.0).draw()?)
}

/// The gradient in single precision beside the exact one.
pub(crate) fn underflow(name: &str, found: &Underflow) -> Result<Figure> {
    let y = Axis::new("norm of dL/dh").powers();
    let title = format!("{name}: where single precision ends");
    // A 0 has no place on this axis; the place where it begins is marked.
    let finite = by_distance(&found.single).filter(|(_, log)| log.is_finite());
    let mut chart = LineChart::new(title, back(), y)
        .series(Series::new("exact", by_distance(&found.exact)))
        .series(Series::new("in single precision", finite).dashed())
        .level(f64::from(f32::MIN_POSITIVE).log10(), "smallest normal number");
    let failures = &found.failures;
    let places = [
        (failures.subnormal, "only subnormal numbers from"),
        (failures.zero, "exactly 0 from"),
        (failures.not_finite, "infinite or no number from"),
    ];
    for (place, words) in places {
        if let Some(distance) = place {
            chart = chart.place(distance as f64, format!("{words} {distance}"));
        }
    }
    Ok(chart.size(640.0, 260.0).draw()?)
}
