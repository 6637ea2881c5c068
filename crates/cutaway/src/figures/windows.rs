//! Figures of windows that slide over an image: maps, telling cases.

use cutaway::Model;
use cutaway::data::Images;
use cutaway::probe::{Telling, TellingRule, WindowSweep, Windows};
use cutaway::report::{
    ColorScale, Figure, GridAxis, HeatMap, ImageGrid, PixelGrid, Rgb, Tile, number,
};
use ndarray::ArrayView3;

use crate::error::Result;

/// Side that small pictures are magnified to, in pixels of the file.
const SIDE: usize = 224;

/// Frame of a window on a picture.
const FRAME: Rgb = Rgb(0xff, 0x8c, 0x1a);

/// The picture of the image with one of its windows, by its place in reading order.
pub(crate) type Shown<'a> = dyn Fn(usize) -> Result<PixelGrid> + 'a;

/// P(true) for each place of the window, with the telling cases.
pub(crate) fn p_true(model: &Model, sweep: &WindowSweep, what: &str) -> Result<Figure> {
    let label = model.label(sweep.truth);
    let values: Vec<f64> = sweep.rows.iter().map(|r| f64::from(r.p_true)).collect();
    let scale = ColorScale::probability_for(values.iter().copied()).label(format!("P({label})"));
    let title = format!("P({label}) {what}");
    let [rows, cols] = axes(&sweep.grid);
    let shape = (sweep.grid.rows, sweep.grid.cols);
    let mut map = HeatMap::new(title, rows, cols, shape, values, scale);
    for telling in &sweep.telling {
        let place = (telling.window / sweep.grid.cols, telling.window % sweep.grid.cols);
        map = map.outline(place, (1, 1), case_name(model, telling));
    }
    Ok(map.draw()?)
}

/// How far P(true) falls for each place of the window.
pub(crate) fn drop(model: &Model, sweep: &WindowSweep, what: &str) -> Result<Figure> {
    let label = model.label(sweep.truth);
    let fall = |p: f32| f64::from(sweep.clean.p_true - p);
    let values: Vec<f64> = sweep.rows.iter().map(|r| fall(r.p_true)).collect();
    let scale = ColorScale::change_for(values.iter().copied()).label(format!("fall of P({label})"));
    let title = format!("Fall of P({label}) {what}");
    let [rows, cols] = axes(&sweep.grid);
    let shape = (sweep.grid.rows, sweep.grid.cols);
    Ok(HeatMap::new(title, rows, cols, shape, values, scale).draw()?)
}

/// The predicted class for each place of the window.
pub(crate) fn predicted(model: &Model, sweep: &WindowSweep, what: &str) -> Result<Figure> {
    let classes: Vec<usize> = sweep.rows.iter().map(|r| r.predicted).collect();
    let [rows, cols] = axes(&sweep.grid);
    let shape = (sweep.grid.rows, sweep.grid.cols);
    let title = format!("Predicted class {what}");
    let names = class_names(model);
    Ok(HeatMap::classes(title, rows, cols, shape, &classes, names).draw()?)
}

/// Mean fall of P(true) over the windows that cover each pixel, with the critical region.
pub(crate) fn pixel_drop(model: &Model, sweep: &WindowSweep) -> Result<Figure> {
    let label = model.label(sweep.truth);
    let values: Vec<f64> = sweep.pixel_drop.iter().map(|&d| f64::from(d)).collect();
    let scale =
        ColorScale::change_for(values.iter().copied()).label(format!("mean fall of P({label})"));
    let axis = |what| GridAxis::numbers(what, 0.0, 1.0);
    let shape = (sweep.grid.image.height, sweep.grid.image.width);
    let title = "Mean fall over the windows that cover each pixel";
    let mut map = HeatMap::new(title, axis("row"), axis("column"), shape, values, scale);
    if let Some(region) = &sweep.critical_region {
        let size = (region.bottom - region.top + 1, region.right - region.left + 1);
        map = map.outline((region.top, region.left), size, "around the critical region");
    }
    Ok(map.draw()?)
}

/// The telling cases as pictures: P(y = true | x), the prediction and its probability.
pub(crate) fn telling(model: &Model, sweep: &WindowSweep, shown: &Shown<'_>) -> Result<Figure> {
    let truth = model.label(sweep.truth);
    let tiles = sweep.telling.iter().map(|case| {
        let picture = framed(&shown(case.window)?, &sweep.grid, case.window)?;
        Ok(Tile::new(picture)
            .line(case_name(model, case))
            .line(format!("row {}, column {}", case.row, case.col))
            .line(format!("P(y={truth}|x) = {}", probability(case.p_true)))
            .line(format!("y_pred = {}", model.label(case.predicted)))
            .line(format!("P(y_pred|x) = {}", probability(case.p_predicted))))
    });
    let tiles: Vec<Tile> = tiles.collect::<Result<_>>()?;
    let columns = tiles.len().max(1);
    Ok(ImageGrid::new("Telling windows", tiles).columns(columns).tile_size(122.0).draw()?)
}

/// What a rule chose, in a few words.
pub(crate) fn case_name(model: &Model, case: &Telling) -> String {
    match case.rule {
        TellingRule::MostHarmless => "most harmless".to_owned(),
        TellingRule::HarmlessMostInk => "harmless, hides most".to_owned(),
        TellingRule::MostHarmful => format!("worst, says {}", model.label(case.predicted)),
    }
}

/// A probability with four decimals.
pub(crate) fn probability(p: f32) -> String {
    number::fixed(f64::from(p), 4)
}

/// The places of a window as rows and columns of a map.
pub(crate) fn axes(grid: &Windows) -> [GridAxis; 2] {
    let step = grid.stride as f64;
    ["window's top row", "window's left column"].map(|what| GridAxis::numbers(what, 0.0, step))
}

pub(crate) fn class_names(model: &Model) -> Vec<String> {
    (0..model.network().classes()).map(|class| model.label(class)).collect()
}

/// The picture magnified, with a frame around one of its windows.
pub(crate) fn framed(picture: &PixelGrid, grid: &Windows, window: usize) -> Result<PixelGrid> {
    let (height, width) = (picture.height(), picture.width());
    let k = (SIDE / height.max(width)).max(1);
    let line = (k / 3).max(1);
    let (row, col) = grid.place(window);
    let (top, left) = (row * k, col * k);
    let (bottom, right) = (top + grid.window.height * k, left + grid.window.width * k);
    let mut pixels = Vec::with_capacity(height * k * width * k);
    for y in 0..height * k {
        for x in 0..width * k {
            let inside = (top..bottom).contains(&y) && (left..right).contains(&x);
            let near = |at: usize, low: usize, high: usize| at < low + line || at + line >= high;
            let on_frame = inside && (near(y, top, bottom) || near(x, left, right));
            pixels.push(match on_frame {
                true => FRAME,
                false => picture.pixels()[y / k * width + x / k],
            });
        }
    }
    Ok(PixelGrid::new(width * k, height * k, pixels)?)
}

/// One image of a set as a picture.
pub(crate) fn picture(images: &Images, index: usize) -> Result<PixelGrid> {
    super::pixels(images, index)
}

/// A network's input as a picture: the preprocessing undone.
pub(crate) fn picture_of_input(model: &Model, input: ArrayView3<'_, f32>) -> Result<PixelGrid> {
    let p = &model.network().metadata().preprocessing;
    let (channels, height, width) = input.dim();
    let byte = |c: usize, y: usize, x: usize| {
        let raw = (input[(c, y, x)] * p.std[c] + p.mean[c]) / p.scale;
        raw.round().clamp(0.0, 255.0) as u8
    };
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    let bytes: Vec<u8> =
        places.flat_map(|(y, x)| (0..channels).map(move |c| byte(c, y, x))).collect();
    Ok(PixelGrid::from_bytes(width, height, channels, &bytes)?)
}

/// A picture that shows another one through a window.
pub(crate) fn through_window(
    base: &PixelGrid,
    other: &PixelGrid,
    grid: &Windows,
    window: usize,
) -> Result<PixelGrid> {
    let (row, col) = grid.place(window);
    let mut pixels = base.pixels().to_vec();
    for y in row..row + grid.window.height {
        let line = y * base.width() + col..y * base.width() + col + grid.window.width;
        pixels[line.clone()].copy_from_slice(&other.pixels()[line]);
    }
    Ok(PixelGrid::new(base.width(), base.height(), pixels)?)
}
