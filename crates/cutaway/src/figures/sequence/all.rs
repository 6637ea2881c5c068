//! Every figure of the findings, with its file name.

use cutaway::recurrent::experiment::{Kind, Run};
use cutaway::recurrent::flow::{HalfLife, Lyapunov, TimeScales};
use cutaway::recurrent::network::Direction;
use cutaway::report::Figure;

use super::runs::{Baseline, Compared, Share};
use super::{Named, flow, residues, runs};
use crate::commands::sequence::{Close, Findings, Flow};
use crate::error::Result;

/// A file's name without its ending, and the figure.
type File = (String, Figure);

/// All that the findings give.
pub(crate) fn all(found: &Findings) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut put = |name: &str, figure: Figure| files.push((name.to_owned(), figure));
    if let Some(figure) = comparison(found)? {
        put("comparison", figure);
    }
    if let Some(figure) = gradients(found)? {
        put("gradients", figure);
    }
    for (name, figure) in [("by-length", by_length(found)?), ("by-padding", by_padding(found)?)] {
        if let Some(figure) = figure {
            put(name, figure);
        }
    }
    for (name, figure) in of_flows(found)? {
        put(name, figure);
    }
    if let Some(echo) = &found.echo {
        for (name, figure) in echo_figures(echo)? {
            put(name, figure);
        }
    }
    if let Some(close) = &found.close {
        put("residues", strip(close)?);
        put("substitutions", substitutions(close)?);
        put("positions", positions(close)?);
    }
    for run in firsts(&found.runs).filter(|run| run.gradient_norms.epochs.len() > 1) {
        let name = crate::commands::sequence::name(run.cell, run.direction);
        let figure = flow::gradients_by_epoch(&name, &run.gradient_norms)?;
        files.push((format!("epochs-{}-{}", run.cell, run.direction), figure));
    }
    for flow in &found.flows {
        files.extend(of_flow(flow)?);
    }
    Ok(files)
}

/// The first run of each network.
fn firsts(runs: &[Run]) -> impl Iterator<Item = &Run> {
    let earlier = |i: usize| {
        runs[..i].iter().any(|r| (r.cell, r.direction) == (runs[i].cell, runs[i].direction))
    };
    (0..runs.len()).filter(move |&i| !earlier(i)).map(|i| &runs[i])
}

/// Accuracies side by side; none where numbers are asked for.
pub(crate) fn comparison(found: &Findings) -> Result<Option<Figure>> {
    let mut directions: Vec<Direction> = Vec::new();
    let mut kinds: Vec<Kind> = Vec::new();
    for c in &found.compared {
        if !directions.contains(&c.direction) {
            directions.push(c.direction);
        }
        if !kinds.contains(&c.cell) {
            kinds.push(c.cell);
        }
    }
    let share = |cell: Kind, direction: Direction| {
        let same = |c: &&cutaway::recurrent::experiment::Compared| {
            (c.cell, c.direction) == (cell, direction)
        };
        let found = found.compared.iter().find(same)?.balanced_accuracy?;
        Some(Share { value: found.mean, low: found.low, high: found.high })
    };
    let network = |&cell: &Kind| {
        let by_direction: Option<Vec<Share>> = directions.iter().map(|&d| share(cell, d)).collect();
        Some(Compared { name: cell.title().to_owned(), by_direction: by_direction? })
    };
    let Some(networks) = kinds.iter().map(network).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let names: Vec<String> = directions.iter().map(|&d| reads(d).to_owned()).collect();
    let interval = match found.compared.iter().map(|c| c.runs).max() {
        Some(0 | 1) | None => "95 % interval over test sequences",
        _ => "95 % interval over runs",
    };
    let title = format!("Accuracy on {}", found.task.name);
    Ok(Some(runs::comparison(&title, interval, &names, &networks, &baselines(found))?))
}

fn reads(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "reads forward",
        Direction::Reverse => "reads in reverse",
        Direction::Both => "reads both ways",
    }
}

/// The baselines that say most: composition, and the beginning.
fn baselines(found: &Findings) -> Vec<Baseline> {
    use cutaway::recurrent::baselines::Baseline as Kind;
    let chosen =
        found.baselines.iter().filter(|b| matches!(b.baseline, Kind::Composition | Kind::First));
    chosen.map(|b| (b.baseline.name().to_owned(), b.balanced_accuracy)).collect()
}

/// Gradients against the distance; none where none were measured.
pub(crate) fn gradients(found: &Findings) -> Result<Option<Figure>> {
    let names: Vec<String> = found.flows.iter().map(Flow::name).collect();
    let curves = found.flows.iter().zip(&names).enumerate();
    let curves: Vec<Named<'_, _>> =
        curves.map(|(i, (f, name))| (i, name.as_str(), &f.states)).collect();
    if curves.is_empty() { Ok(None) } else { flow::gradients(&curves).map(Some) }
}

/// A mean over runs, point by point, with the lowest and highest.
fn curves(
    found: &Findings,
    of: impl Fn(&Run) -> Vec<(f64, f64)>,
) -> Vec<(String, Vec<(f64, Share)>)> {
    let curve = |first: &Run| {
        let same =
            found.runs.iter().filter(|r| (r.cell, r.direction) == (first.cell, first.direction));
        let all: Vec<Vec<(f64, f64)>> = same.map(&of).collect();
        let point = |k: usize| {
            let values = || all.iter().map(move |c| c[k].1);
            let value = values().sum::<f64>() / all.len() as f64;
            let (low, high) = (values().fold(1.0, f64::min), values().fold(0.0, f64::max));
            (all[0][k].0, Share { value, low, high })
        };
        let name = crate::commands::sequence::name(first.cell, first.direction);
        (name, (0..all[0].len()).map(point).collect())
    };
    firsts(&found.runs)
        .map(curve)
        .filter(|(_, points): &(String, Vec<_>)| !points.is_empty())
        .collect()
}

/// Accuracy against length; none where all sequences are of one.
pub(crate) fn by_length(found: &Findings) -> Result<Option<Figure>> {
    let all = curves(found, |run| {
        run.by_length.iter().map(|b| (b.median as f64, b.balanced_accuracy)).collect()
    });
    if all.is_empty() { Ok(None) } else { runs::by_length(&all, &[]).map(Some) }
}

/// Accuracy against padding.
pub(crate) fn by_padding(found: &Findings) -> Result<Option<Figure>> {
    let all = curves(found, |run| {
        run.by_padding.iter().map(|p| (p.padding as f64, p.balanced_accuracy)).collect()
    });
    if all.is_empty() { Ok(None) } else { runs::by_padding(&all, &[]).map(Some) }
}

/// Figures with a curve for each network.
fn of_flows(found: &Findings) -> Result<Vec<(&'static str, Figure)>> {
    let names: Vec<String> = found.flows.iter().map(Flow::name).collect();
    let (mut exponents, mut lives, mut scales) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (flow, name)) in found.flows.iter().zip(&names).enumerate() {
        let Some(memory) = &flow.memory else { continue };
        exponents.push((i, name.as_str(), &memory.lyapunov) as Named<'_, Lyapunov>);
        lives.push((i, name.as_str(), &memory.half_life) as Named<'_, HalfLife>);
        if let Some(found) = &memory.gates.time_scales {
            scales.push((i, name.as_str(), found) as Named<'_, TimeScales>);
        }
    }
    let mut figures = Vec::new();
    if !exponents.is_empty() {
        figures.push(("lyapunov", flow::lyapunov(&exponents)?));
        figures.push(("half-life", flow::half_life(&lives)?));
    }
    if !scales.is_empty() {
        figures.push(("time-scales", flow::time_scales(&scales)?));
    }
    Ok(figures)
}

/// Figures of one network.
fn of_flow(flow: &Flow) -> Result<Vec<File>> {
    let Some(memory) = &flow.memory else { return Ok(Vec::new()) };
    let (name, file) = (flow.name(), format!("{}-{}", flow.cell, flow.direction));
    let mut files = vec![
        (format!("singular-values-{file}"), flow::singular_values(&name, &memory.jacobians)?),
        (format!("eigenvalues-{file}"), flow::eigenvalues(&name, &memory.spectrum)?),
        (format!("gates-{file}"), flow::gates(&name, &memory.gates)?),
        (format!("underflow-{file}"), flow::underflow(&name, &memory.underflow)?),
    ];
    if let Some([along, through]) = &memory.paths {
        let whole = memory.memories.as_ref().unwrap_or(&memory.states);
        files.push((format!("paths-{file}"), flow::paths(&name, whole, along, through)?));
    }
    if let Some(figure) = flow::blocks(&name, &memory.jacobians)? {
        files.push((format!("blocks-{file}"), figure));
    }
    Ok(files)
}

/// Figures of echo state networks.
pub(crate) fn echo_figures(
    echo: &crate::commands::sequence::Echo,
) -> Result<Vec<(&'static str, Figure)>> {
    let name = format!("{} units", echo.units);
    let recalled = echo.capacity.curve.iter().skip(1).copied().collect();
    let mut figures = vec![("memory-capacity", runs::memory_capacity(&[(name, recalled)])?)];
    let (radii, leaks) = (&echo.map.radii, &echo.map.leaks);
    if let Some(values) = &echo.map.memory {
        let title = format!("Memory of reservoirs of {} units", echo.units);
        let figure = runs::reservoir_map(&title, "memory capacity, steps", radii, leaks, values)?;
        figures.push(("reservoir-memory", figure));
    }
    if let Some(values) = &echo.map.validation {
        let title = format!("Accuracy of reservoirs of {} units", echo.units);
        let figure =
            runs::reservoir_map(&title, "balanced accuracy, validation", radii, leaks, values)?;
        figures.push(("reservoir-accuracy", figure));
    }
    Ok(figures)
}

/// The residues of one sequence, coloured.
pub(crate) fn strip(close: &Close) -> Result<Figure> {
    let title = format!("{}, said to be {}", close.title(), close.said);
    residues::strip(&title, &close.towards, &close.letters, &close.attribution, &[])
}

/// Each residue in the place of each other, at the beginning.
pub(crate) fn substitutions(close: &Close) -> Result<Figure> {
    let title = format!("{}: one residue put in the place of another", close.title());
    let what = format!("the score of {} less that of the best other", close.towards);
    let (alphabet, letters) = (&close.alphabet, &close.letters);
    residues::substitution_map(&title, &what, alphabet, letters, &close.substitutions, 0..36)
}

/// How much the decision hangs on each position.
pub(crate) fn positions(close: &Close) -> Result<Figure> {
    let title = format!("{}: what the decision hangs on", close.title());
    residues::along(&title, "the score", &close.attribution, &close.substitutions)
}
