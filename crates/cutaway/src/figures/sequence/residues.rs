//! One sequence, residue by residue.

use std::ops::Range;

use cutaway::recurrent::flow::{Attribution, Substitutions};
use cutaway::report::{
    Axis, ColorScale, Figure, GridAxis, HeatMap, LetterStrip, LineChart, Series,
};

use crate::error::Result;

/// The most columns with a letter under each.
const LETTERS: usize = 36;

/// A part of a sequence with a name, from one position to another, counted from 1.
pub(crate) type Region<'a> = (usize, usize, &'a str);

/// The residues, coloured by what the derivative of the decision says for or against `towards`.
pub(crate) fn strip(
    title: &str,
    towards: &str,
    letters: &[char],
    attribution: &Attribution,
    regions: &[Region<'_>],
) -> Result<Figure> {
    let values = attribution.signed.clone();
    let scale = ColorScale::symmetric_for(values.iter().copied());
    let scale =
        scale.label(format!("gradient × (embedding − mean): red for {towards}, blue against"));
    let mut strip = LetterStrip::new(title, letters.iter().copied(), values, scale);
    for (first, last, label) in regions {
        strip = strip.underline(*first, *last, *label);
    }
    Ok(strip.draw()?)
}

/// How much the decision changes with each residue in the place of each other; `positions` are counted from 0,
/// `alphabet` holds the letter of each symbol. Under up to 36 columns stand the residues as they are.
pub(crate) fn substitution_map(
    title: &str,
    what: &str,
    alphabet: &[char],
    letters: &[char],
    substitutions: &Substitutions,
    positions: Range<usize>,
) -> Result<Figure> {
    let positions = positions.start.min(letters.len())..positions.end.min(letters.len());
    let values: Vec<f64> = substitutions
        .changes
        .iter()
        .flat_map(|row| row[positions.clone()].iter().copied())
        .collect();
    // The same colours whatever part is shown.
    let scale = ColorScale::symmetric_for(substitutions.changes.iter().flatten().copied());
    let scale = scale.label(format!("change of {what}; white: no change, or the residue as it is"));
    let symbols = substitutions.symbols.iter();
    let letter =
        |symbol: &u8| alphabet.get(usize::from(*symbol)).map_or("?".into(), char::to_string);
    let rows = GridAxis::names("put in", symbols.map(letter));
    let columns = if positions.len() <= LETTERS {
        let label = format!("residues as they are, {} to {}", positions.start + 1, positions.end);
        GridAxis::names(label, letters[positions.clone()].iter().map(char::to_string))
    } else {
        GridAxis::numbers("position", positions.start as f64 + 1.0, 1.0)
    };
    let shape = (substitutions.symbols.len(), positions.len());
    let map = HeatMap::new(title, rows, columns, shape, values, scale);
    Ok(map.width(760.0).stretched(17.0 * shape.0 as f64).draw()?)
}

/// How much the decision hangs on each position: the norm of its derivative, and the largest change by any
/// residue put there.
pub(crate) fn along(
    title: &str,
    what: &str,
    attribution: &Attribution,
    substitutions: &Substitutions,
) -> Result<Figure> {
    let largest = (0..attribution.norms.len())
        .map(|t| substitutions.changes.iter().map(|row| row[t].abs()).fold(0.0, f64::max));
    let largest: Vec<f64> = largest.collect();
    let chart = LineChart::new(title, Axis::new("position").whole(), Axis::new("size").log())
        .series(Series::numbered("norm of the derivative", attribution.norms.iter().copied()))
        .series(Series::numbered(format!("largest change of {what} by one residue"), largest));
    Ok(chart.size(760.0, 220.0).draw()?)
}
