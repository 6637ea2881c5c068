//! Figures of attributions: signed maps beside the image as the network sees it.

use cutaway::Model;
use cutaway::explain::attribution::Attribution;
use cutaway::explain::scores::Bench;
use cutaway::report::{
    Axis, Bar, BarChart, ColorScale, Figure, GridAxis, HeatMap, ImageGrid, PixelGrid, Tile, number,
};

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
    let (pixels, raised) = shown(attribution.pixels());
    let label = model.label(attribution.target.class);
    let what = match raised {
        None => format!("what speaks for (+) and against (−) ‘{label}’"),
        Some(least) => format!(
            "what speaks for ‘{label}’, above the map’s least value of {}",
            number::significant(f64::from(least), 2)
        ),
    };
    let scale = scale(&pixels).label(what);
    let image = Tile::new(picture_of_input(model, one.input.view())?)
        .line("the network’s input")
        .line(predicted(model, one));
    let [.., height, width] = attribution.shape[..] else { unreachable!("maps have two axes") };
    let mut map = Tile::new(PixelGrid::from_values(width, height, &pixels, &scale)?)
        .line(attribution.method.clone())
        .line(format!("sum {}", number::significant(attribution.sum, 4)));
    let largest = pixels.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    if f64::from(largest) > scale.max() {
        // The colours end before the largest values do.
        map = map.line(format!("values up to ±{}", number::significant(f64::from(largest), 2)));
    }
    if let Some(error) = attribution.error {
        map = map.line(format!("error of the sum {}", number::significant(error, 2)));
    }
    let title = format!("{} of {whose}", attribution.method);
    let grid = ImageGrid::new(title, vec![image, map]);
    Ok(grid.columns(2).tile_size(LARGE).color_bar(scale).draw()?)
}

/// The image and every method's map, each on a scale of its own, [`scale`].
pub(crate) fn sheet(model: &Model, one: &Explained, whose: &str) -> Result<Figure> {
    let image = Tile::new(picture_of_input(model, one.input.view())?).line("input");
    let label = format!("‘{}’", model.label(one.predicted.0));
    let image = words(&label).into_iter().fold(image, Tile::line);
    let mut tiles = vec![image.line(percent(one))];
    for attribution in &one.attributions {
        let [.., height, width] = attribution.shape[..] else { unreachable!("two axes at least") };
        let (pixels, raised) = shown(attribution.pixels());
        let scale = scale(&pixels);
        let tile = Tile::new(PixelGrid::from_values(width, height, &pixels, &scale)?);
        let tile = lines(&attribution.method).into_iter().fold(tile, Tile::line);
        let end = number::significant(scale.max(), 2);
        tiles.push(tile.line(match raised {
            None => format!("±{end}"),
            Some(least) => format!("{} + {end}", number::significant(f64::from(least), 2)),
        }));
    }
    let target = one.attributions.first().map_or(one.predicted.0, |a| a.target.class);
    let title = format!("What speaks for ‘{}’ in {whose}", model.label(target));
    let bar = ColorScale::symmetric(1.0)?
        .label("share of the number under each map, beyond it the end’s colour (a + b: above a)");
    let grid = ImageGrid::new(title, tiles).columns(6).tile_size(SMALL);
    Ok(grid.color_bar(bar).draw()?)
}

/// A name that is too long for one line under a small picture, broken at a hyphen.
fn lines(name: &str) -> Vec<&str> {
    const FITS: usize = 14;
    let breaks = name.match_indices('-').map(|(at, _)| at + 1).filter(|&at| at <= FITS);
    match breaks.max() {
        Some(at) if name.len() > FITS => vec![&name[..at], &name[at..]],
        _ => vec![name],
    }
}

/// Mean ranks of a bench, best first.
pub(crate) fn ranking(bench: &Bench) -> Result<Figure> {
    let images = bench.images;
    let end = bench.methods.len().max(2) as f64;
    let axis = Axis::new("mean rank by deletion, insertion, infidelity and ROAD (1 is best)");
    let title = format!("Methods ranked on {images} images");
    let chart = BarChart::new(title, axis.range(0.0, end)).digits(3);
    let bars = bench.methods.iter().map(|row| Bar::new(&row.method, [row.mean_rank]));
    Ok(bars.fold(chart, BarChart::bar).draw()?)
}

/// How far each two methods agree.
pub(crate) fn agreement(bench: &Bench) -> Result<Figure> {
    let scale = ColorScale::symmetric(1.0)?.label("rank correlation, mean over the images");
    let count = bench.names.len();
    let axis = || GridAxis::names("method", bench.names.clone());
    let title = format!("How far the methods agree on {} images", bench.images);
    let values = bench.rank_correlation.concat();
    Ok(HeatMap::new(title, axis(), axis(), (count, count), values, scale).draw()?)
}

/// The values that are drawn: a map that nowhere comes near 0, such as RISE's, is drawn above its least
/// value, which is given with it.
fn shown(pixels: Vec<f32>) -> (Vec<f32>, Option<f32>) {
    let least = pixels.iter().copied().fold(f32::INFINITY, f32::min);
    let largest = pixels.iter().copied().fold(0.0, f32::max);
    match least > largest / 4.0 && least < largest {
        true => (pixels.iter().map(|value| value - least).collect(), Some(least)),
        false => (pixels, None),
    }
}

/// A text in lines that fit under a small picture, broken between words.
fn words(text: &str) -> Vec<String> {
    const FITS: usize = 15;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= FITS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A diverging scale around 0, wide enough for all but the half percent of largest values: a few bright
/// pixels would otherwise leave the rest of a map blank.
fn scale(pixels: &[f32]) -> ColorScale {
    let mut sizes: Vec<f32> = pixels.iter().map(|v| v.abs()).filter(|v| v.is_finite()).collect();
    sizes.sort_by(f32::total_cmp);
    let last = sizes.len().saturating_sub(1);
    let limit = sizes
        .get(last - last / 200)
        .copied()
        .filter(|&limit| limit > 0.0)
        .or(sizes.last().copied());
    ColorScale::symmetric_for(limit.map(f64::from))
}

fn predicted(model: &Model, one: &Explained) -> String {
    format!("‘{}’ {}", model.label(one.predicted.0), percent(one))
}

fn percent(one: &Explained) -> String {
    number::percent(f64::from(one.predicted.1), 1)
}
