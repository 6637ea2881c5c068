//! Figures of transplants.

use cutaway::Model;
use cutaway::probe::{DonorComparison, Transplant, TransplantMatrix};
use cutaway::report::{Axis, Bar, BarChart, ColorScale, Figure, HeatMap, ImageGrid, Tile, number};

use super::occlude::class_axis;
use super::windows::{Shown, framed, probability};
use crate::error::Result;

/// The failures chosen by rule: what is predicted with a black window there, and with the donor.
pub(crate) fn failures(model: &Model, result: &Transplant, shown: &Shown<'_>) -> Result<Figure> {
    let grid = &result.sweep.grid;
    let tiles = result.examples.iter().map(|&i| {
        let failure = &result.failures[i];
        let window = failure.row / grid.stride * grid.cols + failure.col / grid.stride;
        Ok(Tile::new(framed(&shown(window)?, grid, window)?)
            .line(format!("black {}", model.label(failure.black_predicted)))
            .line(format!("transplant {}", model.label(failure.transplant_predicted)))
            .line(format!("P = {}", probability(failure.transplant_p_predicted)))
            .line(format!("row {}, col {}", failure.row, failure.col)))
    });
    let tiles: Vec<Tile> = tiles.collect::<Result<_>>()?;
    let columns = tiles.len().max(1);
    let title = "Failures: predicted with a black window, and with the transplant";
    Ok(ImageGrid::new(title, tiles).columns(columns).tile_size(96.0).draw()?)
}

/// How often donors of each class fool the network; those of the image's own class have no say in
/// what it is taken for and are left out.
pub(crate) fn donors(model: &Model, compared: &DonorComparison) -> Result<Figure> {
    let axis = Axis::new("share of the windows").percent();
    let mut chart = BarChart::new("Donors of each other class", axis)
        .series(["predicted wrongly", "predicted as the donor's class"])
        .digits(3);
    for class in &compared.classes {
        let Some(as_donor) = class.as_donor else { continue };
        let label = match class.donors {
            1 => model.label(class.class),
            n => format!("{} ({n} donors)", model.label(class.class)),
        };
        chart = chart.bar(Bar::new(label, [class.fooled, as_donor]));
    }
    Ok(chart.draw()?)
}

/// Share of the windows that fool the network, class of the image × class of the donor.
pub(crate) fn matrix(model: &Model, matrix: &TransplantMatrix) -> Result<Figure> {
    let values = matrix.fooled.iter().map(|v| v.unwrap_or(f64::NAN)).collect();
    let shape = (matrix.classes, matrix.classes);
    let scale = ColorScale::probability().percent().label("windows predicted wrongly");
    let pairs = matrix.pairs.iter().sum::<usize>();
    let title = format!(
        "Success of transplants of {}, {} pairs of image and donor",
        matrix.grid.window,
        number::count(pairs as u64)
    );
    let [rows, cols] = ["image", "donor"].map(|what| class_axis(model, what));
    Ok(HeatMap::new(title, rows, cols, shape, values, scale).print(0).draw()?)
}
