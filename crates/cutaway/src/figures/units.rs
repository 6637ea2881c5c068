//! Pictures of the channels that tell two classes apart.

use cutaway::Model;
use cutaway::data::Images;
use cutaway::explain::{ChannelRow, Units};
use cutaway::report::{
    Axis, Bar, BarChart, ColorMap, ColorScale, Figure, GridAxis, HeatMap, ImageGrid, Tile, TileGrid,
};

use super::maps::{framed, magnify, scale};
use crate::error::Result;

/// Channels in the ranking's picture.
const RANKED: usize = 24;

/// `(6, 1) channel 49`.
pub(crate) fn name(units: &Units, channel: usize) -> String {
    let (row, col) = (channel / units.grid_columns, channel % units.grid_columns);
    format!("({row}, {col}) channel {channel}")
}

/// How well each cell of the grid of maps tells the classes apart; `marked` cells are outlined.
pub(crate) fn cells(
    model: &Model,
    units: &Units,
    marked: &[([usize; 2], String)],
) -> Result<Figure> {
    let [a, b] = units.classes.map(|class| model.label(class));
    let rows = units.channels.div_ceil(units.grid_columns);
    let mut values = vec![f64::NAN; rows * units.grid_columns];
    for row in &units.rows {
        values[row.channel] = 2.0 * row.auc - 1.0;
    }
    let scale = ColorScale::symmetric(1.0)?;
    let title = format!("Channels of {} that tell ‘{a}’ from ‘{b}’", units.layer);
    let label = format!("2·AUC − 1: 1 always larger for ‘{a}’, −1 always larger for ‘{b}’");
    let mut map = HeatMap::new(
        title,
        GridAxis::numbers("row of the grid of maps", 0.0, 1.0),
        GridAxis::numbers("column", 0.0, 1.0),
        (rows, units.grid_columns),
        values,
        scale.label(label),
    );
    for ([row, col], label) in marked {
        map = map.outline((*row, *col), (1, 1), label);
    }
    Ok(map.print(2).draw()?)
}

/// Effect sizes of the most telling channels.
pub(crate) fn ranking(model: &Model, units: &Units) -> Result<Figure> {
    let [a, b] = units.classes.map(|class| model.label(class));
    let title = format!("The most telling channels of {}, best first", units.layer);
    let axis = format!("Cohen's d: to the right larger for ‘{a}’, to the left for ‘{b}’");
    let mut chart = BarChart::new(title, Axis::new(axis)).digits(3);
    let rows: Vec<&ChannelRow> = units.rows.iter().filter(|r| r.effect_size.is_some()).collect();
    for row in rows.iter().take(RANKED) {
        let d = row.effect_size.unwrap_or(0.0);
        chart = chart.bar(Bar::new(name(units, row.channel), [d]));
    }
    Ok(chart.draw()?)
}

/// Mean maps of the channels looked at closely: a row a channel, a column a class, one scale.
pub(crate) fn mean_maps(model: &Model, units: &Units) -> Result<Figure> {
    let shape = (units.height, units.width);
    let tiles: Vec<Vec<f32>> = units.details.iter().flat_map(|d| d.mean_maps.clone()).collect();
    let all = || tiles.iter().flatten().copied();
    let scale = scale(all().fold(0.0, f32::min), all().fold(0.0, f32::max));
    let title = format!("Mean map of {} over all images of either class", units.layer);
    let columns = units.classes.map(|class| format!("‘{}’", model.label(class)));
    let grid = TileGrid::new(title, shape, tiles, scale.label("mean activation")).columns(2);
    let grid = if units.details.is_empty() { grid } else { grid.column_names(columns) };
    Ok(grid.row_names(rows(units)).tile_size(72.0).draw()?)
}

/// The images that drive each of these channels most, with what the strongest unit sees framed.
pub(crate) fn drivers(model: &Model, images: &Images, units: &Units) -> Result<Figure> {
    let columns = units.details.iter().map(|d| d.drivers.len()).max().unwrap_or(1);
    let factor = (112 / images.width.max(images.height)).max(1);
    let mut tiles = Vec::new();
    for detail in &units.details {
        for driver in &detail.drivers {
            let pixels = super::pixels(images, driver.sample)?;
            let pixels = match units.height * units.width {
                1 => magnify(&pixels, factor)?,
                _ => framed(&pixels, driver.receptive_field, factor)?,
            };
            let tile = Tile::new(pixels)
                .line(format!("‘{}’ #{}", model.label(driver.label), driver.sample))
                .line(format!("{:.2}", driver.value));
            tiles.push(tile);
        }
    }
    let title = "The images that drive them most, and what the strongest unit sees";
    let grid = ImageGrid::new(title, tiles).columns(columns).tile_size(84.0);
    Ok(grid.row_names(rows(units)).draw()?)
}

/// Mean activation of these channels for every class.
pub(crate) fn classes(model: &Model, units: &Units) -> Result<Figure> {
    let of = |channel: usize| units.rows.iter().find(|row| row.channel == channel);
    let rows_of: Vec<&ChannelRow> = units.details.iter().filter_map(|d| of(d.channel)).collect();
    let values = rows_of.iter().flat_map(|row| &row.class_means);
    let values: Vec<f64> = values.map(|mean| mean.unwrap_or(f64::NAN)).collect();
    let count = rows_of.first().map_or(0, |row| row.class_means.len());
    let finite = values.iter().copied().filter(|v| v.is_finite());
    let negative = finite.clone().any(|v| v < 0.0);
    let scale = match negative {
        true => ColorScale::symmetric_for(finite),
        false => ColorScale::spanning(ColorMap::Sequential, finite.chain([0.0])),
    };
    let map = HeatMap::new(
        format!("What these channels of {} answer to every class", units.layer),
        GridAxis::names("channel", rows(units)),
        GridAxis::names("class", (0..count).map(|class| model.label(class))),
        (rows_of.len(), count),
        values,
        scale.label("mean activation"),
    );
    Ok(map.print(2).draw()?)
}

fn rows(units: &Units) -> Vec<String> {
    units.details.iter().map(|detail| name(units, detail.channel)).collect()
}
