//! Pictures of filters.

use cutaway::explain::Filters;
use cutaway::report::{ColorMap, ColorScale, Figure, GridAxis, HeatMap, Mosaic, TileGrid};

use crate::error::Result;

/// An order of the filters: all of them, once each.
pub(crate) fn order(filters: &Filters, by_similarity: bool) -> Vec<usize> {
    if by_similarity { filters.similarity_order.clone() } else { (0..filters.count).collect() }
}

/// The filters of a layer: their weights on one scale symmetric around 0; where they see several
/// input channels, the norm over the channels at each place.
pub(crate) fn overview(filters: &Filters, order: &[usize]) -> Result<Figure> {
    let Filters { layer, count, channels, .. } = filters;
    if *channels == 1 {
        return slices(filters, 0, order);
    }
    let shape = (filters.height, filters.width);
    let tiles = order.iter().map(|&f| filters.norm_map(f)).collect();
    let title = format!("The {count} filters of {layer}: norm over {channels} input channels");
    let grid = TileGrid::magnitudes(title, shape, tiles).scale_label("norm of the weights");
    Ok(named(grid, order).draw()?)
}

/// Every filter's weights for one input channel, on the layer's one scale symmetric around 0.
pub(crate) fn slices(filters: &Filters, channel: usize, order: &[usize]) -> Result<Figure> {
    let Filters { layer, count, channels, .. } = filters;
    let tiles = order.iter().map(|&f| filters.slice(f, channel).to_vec()).collect();
    let title = match channels {
        1 => format!("The {count} filters of {layer}"),
        _ => format!("The {count} filters of {layer}: input channel {channel} of {channels}"),
    };
    let grid = TileGrid::new(title, (filters.height, filters.width), tiles, scale(filters));
    Ok(named(grid, order).draw()?)
}

/// Norm of every filter's slice for every input channel: who listens to whom.
pub(crate) fn matrix(filters: &Filters, order: &[usize]) -> Result<Figure> {
    let rows = order.iter().map(|&f| &filters.statistics[f].channel_norms);
    let values: Vec<f64> = rows.flatten().map(|&norm| f64::from(norm)).collect();
    let scale = ColorScale::spanning(ColorMap::Sequential, values.iter().copied().chain([0.0]));
    let in_order = order.iter().copied().eq(0..filters.count);
    let rows = match in_order {
        true => GridAxis::numbers("filter", 0.0, 1.0),
        false => GridAxis::names("filter", order.iter().map(ToString::to_string)),
    };
    let map = HeatMap::new(
        format!("{}: norm of each filter's weights for each input channel", filters.layer),
        rows,
        GridAxis::numbers("input channel", 0.0, 1.0),
        (filters.count, filters.channels),
        values,
        scale.label("norm of the weights"),
    );
    Ok(map.draw()?)
}

/// One filter: its numbers where it sees one channel, all its slices where it sees several.
pub(crate) fn one(filters: &Filters, filter: usize) -> Result<Figure> {
    if filters.channels == 1 {
        let values = filters.slice(filter, 0).iter().map(|&w| f64::from(w)).collect();
        let map = HeatMap::new(
            format!("Filter {filter} of {}", filters.layer),
            GridAxis::numbers("row", 0.0, 1.0),
            GridAxis::numbers("column", 0.0, 1.0),
            (filters.height, filters.width),
            values,
            scale(filters),
        );
        return Ok(map.print(2).width(340.0).draw()?);
    }
    let channels = strongest(filters, filter);
    let tiles: Vec<Vec<f32>> =
        channels.iter().map(|&c| filters.slice(filter, c).to_vec()).collect();
    let title = match channels.len() == filters.channels {
        true => format!("Filter {filter} of {}: its {} slices", filters.layer, tiles.len()),
        false => {
            format!("Filter {filter} of {}: its {} strongest slices", filters.layer, tiles.len())
        }
    };
    let columns = if tiles.len() <= 64 { 8 } else { 16 };
    let shape = (filters.height, filters.width);
    let cell = (36.0 / (filters.width + 1) as f64).clamp(2.0, 9.0);
    Ok(Mosaic::new(title, shape, tiles, scale(filters), columns).cell_size(cell).draw()?)
}

/// The input channels whose slices are shown: all in their order, or of very many the strongest.
fn strongest(filters: &Filters, filter: usize) -> Vec<usize> {
    const SHOWN: usize = 128;
    let norms = &filters.statistics[filter].channel_norms;
    let mut channels: Vec<usize> = (0..filters.channels).collect();
    if filters.channels > SHOWN {
        channels.sort_by(|&a, &b| norms[b].total_cmp(&norms[a]));
        channels.truncate(SHOWN);
    }
    channels
}

fn scale(filters: &Filters) -> ColorScale {
    ColorScale::symmetric_for([f64::from(filters.max_abs)]).label("weight")
}

/// In their own order filters are found by row and column; in another each needs its number.
fn named(grid: TileGrid, order: &[usize]) -> TileGrid {
    let columns = if order.len().is_multiple_of(8) { 8 } else { columns(order.len()) };
    if order.iter().copied().eq(0..order.len()) {
        return grid.coordinates().columns(columns);
    }
    grid.labels(order.iter().map(ToString::to_string)).columns(columns)
}

fn columns(count: usize) -> usize {
    (1..=8).rev().find(|&c| c * c <= 2 * count.max(1)).unwrap_or(1)
}
