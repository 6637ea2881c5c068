//! Images that drive a target, beside the data set's that do.

use cutaway::Model;
use cutaway::explain::visualise::{Example, Visualisation};
use cutaway::report::{Axis, Figure, ImageGrid, LineChart, PixelGrid, Series, Tile, number};

use super::maps::magnify;
use crate::commands::visualise::{Source, Work, in_words};
use crate::error::Result;

/// Side of an image beside others, and alone, in CSS pixels.
const BESIDE: f64 = 100.0;
const ALONE: f64 = 150.0;
/// Pixels that small images are magnified to.
const SHARP: usize = 112;
/// Lines of one chart.
const LINES: usize = 10;

/// Pixel values 0 to 255, channels innermost.
pub(crate) fn bytes(image: &Visualisation) -> Vec<u8> {
    let [channels, height, width] = image.shape;
    let area = height * width;
    let byte = |value: f32| (255.0 * value).round().clamp(0.0, 255.0) as u8;
    (0..area)
        .flat_map(|at| (0..channels).map(move |c| c * area + at))
        .map(|at| byte(image.values[at]))
        .collect()
}

/// The image as it is written.
pub(crate) fn grid(image: &Visualisation) -> Result<PixelGrid> {
    let [channels, height, width] = image.shape;
    Ok(PixelGrid::from_bytes(width, height, channels, &bytes(image))?)
}

/// Without data a tile an image; with data a row a target: what was made, what drives it most, what lies
/// in the middle.
pub(crate) fn sheet(model: &Model, work: &Work, source: &Source) -> Result<Figure> {
    let verb = if work.settings.minimise { "least" } else { "most" };
    let title = format!(
        "What drives {} {verb}: {} steps {}",
        work.what,
        work.settings.steps,
        in_words(work.settings.parametrisation)
    );
    match work.examples.is_empty() {
        true => alone(work, title),
        false => beside(model, work, source, title),
    }
}

fn alone(work: &Work, title: String) -> Result<Figure> {
    let each = work.settings.images;
    let mut tiles = Vec::new();
    for (named, made) in work.targets.iter().zip(&work.made) {
        for image in &made.images {
            tiles.push(tile(image)?.line(&named.label).line(short(image.activation)));
        }
    }
    let columns =
        if each > 1 { each } else { tiles.len().min(if tiles.len() == 9 { 3 } else { 5 }) };
    Ok(ImageGrid::new(title, tiles).columns(columns).tile_size(ALONE).draw()?)
}

fn beside(model: &Model, work: &Work, source: &Source, title: String) -> Result<Figure> {
    let minimise = work.settings.minimise;
    // The data's pictures have the network's size, what was made may be coarser.
    let network = model.network();
    let side = network.shape(network.input()).iter().skip(1).max().copied().unwrap_or(1);
    let mut tiles = Vec::new();
    let shown = work.examples.iter().map(|e| e.most.len()).max().unwrap_or(0);
    for (made, examples) in work.made.iter().zip(&work.examples) {
        for image in &made.images {
            let image_of_size = enlarged(grid(image)?, side)?;
            tiles.push(sharp(image_of_size)?.line(short(image.activation)));
        }
        let [ends, others] = match minimise {
            true => [&examples.least, &examples.most],
            false => [&examples.most, &examples.least],
        };
        let median = examples.quartiles.get(1);
        for example in ends.iter().chain(median).chain(others.first()) {
            tiles.push(of_data(model, source, example)?);
        }
    }
    let made = (0..work.settings.images).map(|_| "made".to_owned());
    let [end, other] = if minimise { ["weakest", "strongest"] } else { ["strongest", "weakest"] };
    let data = (0..shown).map(|i| if i == 0 { end.to_owned() } else { String::new() });
    let last = ["median".to_owned(), other.to_owned()];
    let columns: Vec<String> = made.chain(data).chain(last).collect();
    let names = work.targets.iter().map(|named| &named.label[..]);
    let grid = ImageGrid::new(title, tiles).columns(columns.len()).column_names(columns);
    Ok(grid.row_names(names).tile_size(BESIDE).draw()?)
}

fn tile(image: &Visualisation) -> Result<Tile> {
    sharp(grid(image)?)
}

/// The picture with a longer side of at least so many pixels; each pixel stays a block of one colour.
fn enlarged(pixels: PixelGrid, side: usize) -> Result<PixelGrid> {
    let (width, height) = (pixels.width(), pixels.height());
    let longer = width.max(height);
    if longer >= side {
        return Ok(pixels);
    }
    let [wide, high] = [width, height].map(|length| (length * side / longer).max(1));
    let from = |x: usize, y: usize| pixels.pixels()[y * height / high * width + x * width / wide];
    let all = (0..high).flat_map(|y| (0..wide).map(move |x| (x, y))).map(|(x, y)| from(x, y));
    Ok(PixelGrid::new(wide, high, all.collect())?)
}

fn sharp(pixels: PixelGrid) -> Result<Tile> {
    let factor = (SHARP / pixels.width().max(pixels.height())).max(1);
    Ok(Tile::new(magnify(&pixels, factor)?))
}

fn of_data(model: &Model, source: &Source, example: &Example) -> Result<Tile> {
    const FITS: usize = 16;
    let name = source.image_name(model, example.sample);
    let name = match name.chars().count() > FITS {
        true => name.chars().take(FITS - 1).chain(['…']).collect(),
        false => name,
    };
    let tile = sharp(source.picture(model, example.sample)?)?;
    Ok(tile.line(short(example.value)).line(name))
}

fn short(value: f64) -> String {
    number::significant(value, 3)
}

/// How far each target was driven, step by step, as the network saw the moved images.
pub(crate) fn curves(work: &Work) -> Result<Figure> {
    let layer = work.made.first().map_or("", |made| &made.layer);
    let title = match work.settings.minimise {
        true => "The way down, step by step",
        false => "The way up, step by step",
    };
    let axis = Axis::new(format!("activation at {layer}"));
    let mut chart = LineChart::new(title, Axis::new("step").whole(), axis);
    for (named, made) in work.targets.iter().zip(&work.made).take(LINES) {
        let curve = made.images[0].curve.iter().enumerate();
        chart = chart.series(Series::new(&named.label, curve.map(|(i, &v)| ((i + 1) as f64, v))));
    }
    Ok(chart.draw()?)
}
