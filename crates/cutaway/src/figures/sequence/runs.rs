//! What networks reach: side by side, by length, by padding, by the settings of a reservoir.

use cutaway::report::{
    Axis, Bar, BarChart, ColorMap, ColorScale, Figure, GridAxis, HeatMap, LineChart, Series, number,
};

use crate::error::Result;

/// A share between 0 and 1 with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// One kind of network in the comparison: a share for each direction, in the same order everywhere.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compared {
    pub(crate) name: String,
    pub(crate) by_direction: Vec<Share>,
}

/// Something that a network is compared with: its name and its balanced accuracy.
pub(crate) type Baseline = (String, f64);

/// Balanced accuracy of each network in each direction, with intervals, and the baselines as dashed lines.
pub(crate) fn comparison(
    title: &str,
    interval: &str,
    directions: &[String],
    networks: &[Compared],
    baselines: &[Baseline],
) -> Result<Figure> {
    let axis = Axis::new(format!("balanced accuracy; lines: {interval}")).percent();
    let mut chart = BarChart::new(title, axis.range(0.0, 1.0)).series(directions).width(640.0);
    for network in networks {
        let values = network.by_direction.iter().map(|share| share.value);
        let intervals = network.by_direction.iter().map(|share| (share.low, share.high));
        chart = chart.bar(Bar::new(&network.name, values).intervals(intervals));
    }
    for (name, value) in baselines {
        chart = chart.level(*value, format!("{name}: {}", number::percent(*value, 1)));
    }
    Ok(chart.digits(3).draw()?)
}

/// Balanced accuracy against a number, with intervals as bands: a curve a network.
pub(crate) fn accuracy_against(
    title: &str,
    x: Axis,
    curves: &[(String, Vec<(f64, Share)>)],
    baselines: &[Baseline],
) -> Result<Figure> {
    let y = Axis::new("balanced accuracy").percent().range(0.0, 1.0);
    let mut chart = LineChart::new(title, x, y);
    for (name, points) in curves {
        let band = points.iter().map(|(_, share)| (share.low, share.high));
        let line = points.iter().map(|(at, share)| (*at, share.value));
        chart = chart.series(Series::new(name, line).band(band).markers());
    }
    for (name, value) in baselines {
        chart = chart.level(*value, name);
    }
    Ok(chart.size(640.0, 260.0).draw()?)
}

/// Against the length of a sequence.
pub(crate) fn by_length(
    curves: &[(String, Vec<(f64, Share)>)],
    baselines: &[Baseline],
) -> Result<Figure> {
    let axis = Axis::new("length of the sequence, residues").log();
    accuracy_against("Accuracy against length", axis, curves, baselines)
}

/// Against the padding that was put in after the signal.
pub(crate) fn by_padding(
    curves: &[(String, Vec<(f64, Share)>)],
    baselines: &[Baseline],
) -> Result<Figure> {
    let axis = Axis::new("residues put in after the signal").whole();
    accuracy_against("Accuracy against padding after the signal", axis, curves, baselines)
}

/// How well reservoirs recall their input after each delay, `r²` from delay 1 on; the sum is the memory capacity
/// (Jaeger 2001).
pub(crate) fn memory_capacity(reservoirs: &[(String, Vec<f64>)]) -> Result<Figure> {
    let y = Axis::new("squared correlation with the input").range(0.0, 1.0);
    // A single curve has no legend.
    let sum = |recalled: &[f64]| number::fixed(recalled.iter().sum(), 1);
    let title = match reservoirs {
        [(name, recalled)] => format!("Memory capacity of {name}: {} steps in all", sum(recalled)),
        _ => "Memory capacity".to_owned(),
    };
    let mut chart = LineChart::new(title, Axis::new("delay, steps").whole(), y);
    for (name, recalled) in reservoirs {
        let label = format!("{name}: {} in all", sum(recalled));
        chart = chart.series(Series::numbered(label, recalled.iter().copied()));
    }
    Ok(chart.size(640.0, 240.0).draw()?)
}

/// A number for each spectral radius (rows, from the top) and leak (columns).
pub(crate) fn reservoir_map(
    title: &str,
    what: &str,
    radii: &[f64],
    leaks: &[f64],
    values: &[Vec<f64>],
) -> Result<Figure> {
    let names = |values: &[f64]| values.iter().map(|v| number::significant(*v, 3)).collect();
    let (rows, columns): (Vec<String>, Vec<String>) = (names(radii), names(leaks));
    let shape = (radii.len(), leaks.len());
    let values = values.concat();
    let scale = ColorScale::spanning(ColorMap::Sequential, values.iter().copied()).label(what);
    let (rows, columns) =
        (GridAxis::names("spectral radius", rows), GridAxis::names("leak", columns));
    Ok(HeatMap::new(title, rows, columns, shape, values, scale).print(2).draw()?)
}
