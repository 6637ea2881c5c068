//! Figures of attributions: signed maps beside the image as the network sees it.

use cutaway::Model;
use cutaway::explain::attribution::Attribution;
use cutaway::report::{ColorScale, Figure, ImageGrid, PixelGrid, Tile, number};

use super::windows::picture_of_input;
use crate::commands::attribute::Explained;
use crate::error::Result;

/// Side of a picture of one method, in CSS pixels.
const LARGE: f64 = 300.0;
/// Side of a picture of the sheet.
const SMALL: f64 = 104.0;

/// The image and one method's map, with the method's own scale.
pub(crate) fn single(
    model: &Model,
    one: &Explained,
    attribution: &Attribution,
    whose: &str,
) -> Result<Figure> {
    let pixels = attribution.pixels();
    let label = model.label(attribution.target.class);
    let what = format!("what speaks for (+) and against (−) ‘{label}’");
    let scale = scale(&pixels).label(what);
    let image = Tile::new(picture_of_input(model, one.input.view())?)
        .line("the network’s input")
        .line(predicted(model, one));
    let [.., height, width] = attribution.shape[..] else { unreachable!("maps have two axes") };
    let mut map = Tile::new(PixelGrid::from_values(width, height, &pixels, &scale)?)
        .line(attribution.method.clone())
        .line(format!("sum {}", number::significant(attribution.sum, 4)));
    if let Some(error) = attribution.error {
        map = map.line(format!("should be it, but for {}", number::significant(error.abs(), 2)));
    }
    let title = format!("{} of {whose}", attribution.method);
    let grid = ImageGrid::new(title, vec![image, map]);
    Ok(grid.columns(2).tile_size(LARGE).color_bar(scale).draw()?)
}

/// The image and every method's map, each on a scale of its own.
pub(crate) fn sheet(model: &Model, one: &Explained, whose: &str) -> Result<Figure> {
    let image = Tile::new(picture_of_input(model, one.input.view())?)
        .line("input")
        .line(predicted(model, one));
    let mut tiles = vec![image];
    for attribution in &one.attributions {
        let [.., height, width] = attribution.shape[..] else { unreachable!("two axes at least") };
        let pixels = attribution.pixels();
        let scale = scale(&pixels);
        let tile = Tile::new(PixelGrid::from_values(width, height, &pixels, &scale)?);
        let end = number::significant(scale.max(), 2);
        tiles.push(tile.line(attribution.method.clone()).line(format!("±{end}")));
    }
    let target = one.attributions.first().map_or(one.predicted.0, |a| a.target.class);
    let title = format!("What speaks for ‘{}’ in {whose}", model.label(target));
    let bar = ColorScale::symmetric(1.0)?.label(
        "share of the largest value of each map, which stands under it: for (+), against (−)",
    );
    let grid = ImageGrid::new(title, tiles).columns(6).tile_size(SMALL);
    Ok(grid.color_bar(bar).draw()?)
}

/// A diverging scale around 0, just wide enough.
fn scale(pixels: &[f32]) -> ColorScale {
    ColorScale::symmetric_for(pixels.iter().map(|&v| f64::from(v)))
}

fn predicted(model: &Model, one: &Explained) -> String {
    let (class, probability) = one.predicted;
    format!("‘{}’ {}", model.label(class), number::percent(f64::from(probability), 1))
}
