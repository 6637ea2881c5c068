//! Figures of occlusion over many images.

use cutaway::Model;
use cutaway::probe::{ManyOcclusions, SizeAccuracy};
use cutaway::report::{
    Axis, ColorMap, ColorScale, Figure, GridAxis, HeatMap, LineChart, Series, TileGrid, number,
};

use super::windows::axes;
use crate::error::Result;

/// Mean P(true) at each place of the window, one map a class.
pub(crate) fn class_maps(model: &Model, many: &ManyOcclusions) -> Result<Figure> {
    let maps = many.classes.iter().map(|c| c.mean_p_true.iter().map(|&p| p as f32).collect());
    let labels = many
        .classes
        .iter()
        .map(|c| format!("{}: {}", model.label(c.class), number::percent(c.accuracy, 1)));
    let scale = ColorScale::probability().label("mean P(true)");
    let window = many.grid.window;
    let title = format!("Mean P(true) under a window of {window}, class: accuracy");
    let grid = TileGrid::new(title, (many.grid.rows, many.grid.cols), maps.collect(), scale);
    Ok(grid.labels(labels).columns(5).tile_size(92.0).draw()?)
}

/// Share of the images that are lost at each place of the window.
pub(crate) fn lost(many: &ManyOcclusions) -> Result<Figure> {
    let [rows, cols] = axes(&many.grid);
    let largest = many.lost.iter().copied().fold(0.0, f64::max);
    // A whole tenth above the largest: shares of a few images in a hundred would drown from 0 to 1.
    let end = ((largest * 10.0).ceil() / 10.0).max(0.1);
    let scale = ColorScale::new(ColorMap::Sequential, 0.0, end)?.percent().label("images lost");
    let title = format!("Images lost under a window of {}", many.grid.window);
    let shape = (many.grid.rows, many.grid.cols);
    Ok(HeatMap::new(title, rows, cols, shape, many.lost.clone(), scale).draw()?)
}

/// Accuracy against the size of the window.
pub(crate) fn sizes(curve: &[SizeAccuracy]) -> Result<Figure> {
    // Of a rectangle the side of the square with the same area.
    let side = |s: &SizeAccuracy| s.window.map_or(0.0, |w| ((w.height * w.width) as f64).sqrt());
    let points = |f: fn(&SizeAccuracy) -> f64| curve.iter().map(move |s| (side(s), f(s)));
    let axis = Axis::new("share").percent().range(0.0, 1.0);
    let chart =
        LineChart::new("Windows of growing size", Axis::new("side of the window, pixels"), axis);
    Ok(chart
        .series(Series::new("windows predicted correctly", points(|s| s.accuracy)).markers())
        .series(Series::new("images that no window fools", points(|s| 1.0 - s.breakable)).markers())
        .draw()?)
}

/// A class's row of a matrix, named.
pub(crate) fn class_axis(model: &Model, what: &str) -> GridAxis {
    GridAxis::names(what, super::windows::class_names(model))
}
