//! Figures of corrupted images.

use cutaway::probe::Corrupted;
use cutaway::report::{Axis, Bar, BarChart, Figure, ImageGrid, Tile, number};

use crate::commands::corrupt::Measured;
use crate::error::Result;

/// All figures of the verb, with their file names.
pub(crate) fn all(measured: &Measured) -> Result<Vec<(&'static str, Figure)>> {
    Ok(vec![
        ("corruptions", sheet(measured)?),
        ("corruption-accuracy", accuracies(&measured.corrupted)?),
    ])
}

/// The same images as they are and under each corruption, a row each.
pub(crate) fn sheet(measured: &Measured) -> Result<Figure> {
    let mut tiles = Vec::new();
    for row in &measured.pictures {
        for i in 0..row.len() {
            tiles.push(Tile::new(super::pixels(row, i)?));
        }
    }
    let names = measured.corrupted.rows.iter().map(|row| row.corruption.title());
    let names = ["as they are".to_owned()].into_iter().chain(names);
    let columns = measured.shown.iter().map(|index| format!("#{index}"));
    let grid = ImageGrid::new("Test images under each corruption", tiles);
    let grid = grid.columns(measured.shown.len()).row_names(names).column_names(columns);
    Ok(grid.tile_size(56.0).gap(4.0).draw()?)
}

/// Accuracy under each corruption.
pub(crate) fn accuracies(c: &Corrupted) -> Result<Figure> {
    let title = format!("Accuracy of {} test images", number::count(c.count as u64));
    let mut chart = BarChart::new(title, Axis::new("accuracy").percent().range(0.0, 1.0));
    chart = chart.bar(Bar::new("as they are", [c.clean_accuracy]));
    for row in &c.rows {
        chart = chart.bar(Bar::new(row.corruption.title(), [row.accuracy]));
    }
    Ok(chart.draw()?)
}
