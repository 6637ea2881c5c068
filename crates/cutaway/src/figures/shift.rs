//! Figures of shifted, turned, scaled and sheared images.

use cutaway::Model;
use cutaway::probe::{Curve, Parameter, ShiftRow};
use cutaway::report::{
    Axis, ColorScale, Figure, GridAxis, HeatMap, ImageGrid, LineChart, PixelGrid, Series, Tile,
    number,
};

use crate::chapters::shift as words;
use crate::commands::shift::Measured;
use crate::error::Result;

/// All figures of the verb, with their file names.
pub(crate) fn all(model: &Model, measured: &Measured) -> Result<Vec<(String, Figure)>> {
    let mut figures = vec![
        ("shift-images".to_owned(), rows(model, measured)?),
        ("shift-grid".to_owned(), grid(model, measured)?),
        ("shift-predictions".to_owned(), predictions(model, measured)?),
    ];
    for (parameters, figure) in curves(measured)? {
        let name = match parameters[..] {
            [Parameter::Rotate] => "rotate",
            [Parameter::Scale] => "scale",
            [Parameter::Shear] => "shear",
            _ => "shift",
        };
        figures.push((format!("accuracy-{name}"), figure));
    }
    Ok(figures)
}

/// The images of the table with what the network says.
pub(crate) fn rows(model: &Model, measured: &Measured) -> Result<Figure> {
    let tiles = measured.shifts.rows.iter().map(|row| {
        let mut tile = Tile::new(pixels(measured, row)?);
        // A line for each part: one line of several would be wider than the picture.
        for part in words::remark(&row.transform).split(", ") {
            tile = tile.line(part);
        }
        let p = number::fixed(f64::from(row.probability), 6);
        Ok(tile.line(format!("{}, P = {p}", model.label(row.predicted))))
    });
    let title = format!("Moved: {}", measured.sample.source);
    Ok(ImageGrid::new(title, tiles.collect::<Result<_>>()?).tile_size(140.0).draw()?)
}

/// `[C, H, W]`, 0 to 255, as a picture.
fn pixels(measured: &Measured, row: &ShiftRow) -> Result<PixelGrid> {
    let images = &measured.sample.pixels;
    let (w, h, c) = (images.width, images.height, images.channels);
    let at = |i: usize| row.pixels[i % c * w * h + i / c].round().clamp(0.0, 255.0) as u8;
    let bytes: Vec<u8> = (0..w * h * c).map(at).collect();
    Ok(PixelGrid::from_bytes(w, h, c, &bytes)?)
}

/// P(true class) for each shift.
pub(crate) fn grid(model: &Model, measured: &Measured) -> Result<Figure> {
    let shifts = &measured.shifts;
    let class = model.label(shifts.class);
    let values: Vec<f64> = shifts.grid.p_true.concat().into_iter().map(f64::from).collect();
    let (rows, columns) = axes(measured);
    let scale = ColorScale::probability_for(values.iter().copied()).label(format!("P({class})"));
    let title = format!("P({class}) against the shift, border filled by {}", shifts.fill.mode);
    let map = HeatMap::new(title, rows, columns, shape(measured), values, scale);
    Ok(as_it_is(map, measured).draw()?)
}

/// The predicted class for each shift.
pub(crate) fn predictions(model: &Model, measured: &Measured) -> Result<Figure> {
    let grid = &measured.shifts.grid;
    let names = (0..model.network().classes()).map(|class| model.label(class)).collect();
    let (rows, columns) = axes(measured);
    let title = "The predicted class against the shift";
    let predicted = grid.predicted.concat();
    let map = HeatMap::classes(title, rows, columns, shape(measured), &predicted, names).print(0);
    Ok(as_it_is(map, measured).draw()?)
}

fn axes(measured: &Measured) -> (GridAxis, GridAxis) {
    let first = |shifts: &[i64]| shifts.first().map_or(0.0, |&s| s as f64);
    let grid = &measured.shifts.grid;
    (
        GridAxis::numbers("pixels down", first(&grid.dy), 1.0),
        GridAxis::numbers("pixels to the right", first(&grid.dx), 1.0),
    )
}

fn shape(measured: &Measured) -> (usize, usize) {
    (measured.shifts.grid.dy.len(), measured.shifts.grid.dx.len())
}

fn as_it_is(map: HeatMap, measured: &Measured) -> HeatMap {
    let (rows, columns) = shape(measured);
    map.outline((rows / 2, columns / 2), (1, 1), "not shifted")
}

/// Accuracy against each parameter; the two directions of shifts share a figure.
pub(crate) fn curves(measured: &Measured) -> Result<Vec<(Vec<Parameter>, Figure)>> {
    let is_shift = |c: &&Curve| matches!(c.parameter, Parameter::Dx | Parameter::Dy);
    let (shifts, others): (Vec<&Curve>, Vec<&Curve>) = measured.curves.iter().partition(is_shift);
    let mut groups: Vec<Vec<&Curve>> = others.into_iter().map(|curve| vec![curve]).collect();
    if !shifts.is_empty() {
        groups.insert(0, shifts);
    }
    let draw = |group: Vec<&Curve>| {
        Ok((group.iter().map(|curve| curve.parameter).collect(), chart(&group)?))
    };
    groups.into_iter().map(draw).collect()
}

fn chart(group: &[&Curve]) -> Result<Figure> {
    let first = group[0];
    let (title, axis) = match first.parameter {
        Parameter::Dx | Parameter::Dy => ("shift", "pixels"),
        Parameter::Rotate => ("rotation", "degrees clockwise"),
        Parameter::Scale => ("scale", "times the size"),
        Parameter::Shear => ("shear", "degrees"),
    };
    let title =
        format!("Accuracy of {} test images against {title}", number::count(first.count as u64));
    let accuracy = Axis::new("accuracy").percent().range(0.0, 1.0);
    let mut chart = LineChart::new(title, Axis::new(axis), accuracy);
    for curve in group {
        let points = curve.points.iter().map(|p| (p.value, p.accuracy));
        let name = match curve.parameter {
            Parameter::Dx => "to the right",
            Parameter::Dy => "down",
            _ => "",
        };
        chart = chart.series(Series::new(name, points).markers());
    }
    Ok(chart.draw()?)
}
