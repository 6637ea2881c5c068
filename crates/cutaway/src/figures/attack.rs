//! Figures of adversarial attacks.

use cutaway::Model;
use cutaway::probe::attack::{AttackedImage, Certificate, MethodResult};
use cutaway::report::{
    Axis, Bar, BarChart, ColorScale, Figure, ImageGrid, LineChart, PixelGrid, Series, Tile,
    TileGrid, number,
};

use crate::commands::attack::Measured;
use crate::error::Result;

/// Adversarial examples in a row.
const EXAMPLES: usize = 8;

/// All figures of the verb, with their file names.
pub(crate) fn all(model: &Model, measured: &Measured) -> Result<Vec<(&'static str, Figure)>> {
    let mut figures = Vec::new();
    let attacked = &measured.attacked;
    if measured.samples.is_empty() {
        if attacked.norm.is_some() {
            figures.push(("attack-robust-accuracy", robust_accuracy(measured)?));
        }
        if finely_measured(measured).next().is_some() {
            figures.push(("attack-distances", distances(measured)?));
        }
    }
    if let (Some(certificate), true) = (&measured.certificate, measured.samples.is_empty()) {
        figures.push(("attack-certificate", certified(measured, certificate)?));
    }
    let examples = examples(measured);
    if !examples.is_empty() {
        figures.push(("attack-examples", example_images(model, measured, &examples)?));
        figures.push(("attack-perturbations", perturbations(model, measured, &examples)?));
    }
    Ok(figures)
}

/// Share of the images that withstand, against ε: a curve an attack, and the worst case.
pub(crate) fn robust_accuracy(measured: &Measured) -> Result<Figure> {
    let attacked = &measured.attacked;
    let norm = attacked.norm.map_or("", |norm| norm.symbol());
    let title = format!("Robust accuracy of {} test images", number::count(attacked.count as u64));
    let x = Axis::new(format!("ε: {norm} distance, in pixel values from 0 to 1"));
    let y = Axis::new("classified correctly").percent().range(0.0, 1.0);
    let mut chart = LineChart::new(title, x, y);
    let clean = cutaway::probe::attack::wilson(attacked.clean_correct, attacked.count);
    let curves = attacked.methods.iter().filter(|m| m.norm.is_some());
    let mut curves: Vec<(&str, _)> = curves.map(|m| (m.method, &m.curve)).collect();
    if curves.len() > 1 {
        curves.push(("worst case", &attacked.curve));
    }
    let count = curves.len();
    for (i, (name, curve)) in curves.into_iter().enumerate() {
        let start = (0.0, attacked.clean_accuracy);
        let points = curve.iter().map(|p| (p.epsilon.unwrap_or(0.0), p.robust_accuracy));
        let mut series = Series::new(name, std::iter::once(start).chain(points)).markers();
        if i + 1 == count {
            series = series.band(std::iter::once(clean).chain(curve.iter().map(|p| p.interval)));
        }
        if count > 1 && i + 1 == count {
            series = series.dashed();
        }
        chart = chart.series(series);
    }
    Ok(chart.draw()?)
}

/// Attacks whose smallest perturbations are known more closely than to the next ε that was asked for.
fn finely_measured(measured: &Measured) -> impl Iterator<Item = &MethodResult> {
    let listed = |m: &MethodResult, e: f64| m.curve.iter().any(|p| p.epsilon == Some(e));
    let fine = move |m: &&MethodResult| {
        m.images.iter().filter_map(|image| image.epsilon).any(|e| !listed(m, e))
    };
    measured.attacked.methods.iter().filter(|m| m.norm.is_some()).filter(fine)
}

/// How many images need no more than so large a perturbation.
fn distances(measured: &Measured) -> Result<Figure> {
    let norm = measured.attacked.norm.map_or("", |norm| norm.symbol());
    let title = "The smallest perturbation found for each image";
    let x = Axis::new(format!("{norm} distance, in pixel values from 0 to 1"));
    let y = Axis::new("images fooled").percent().range(0.0, 1.0);
    let mut chart = LineChart::new(title, x, y);
    for method in finely_measured(measured) {
        let mut found: Vec<f64> = method.images.iter().filter_map(|i| i.epsilon).collect();
        found.sort_by(f64::total_cmp);
        let of = method.nearest.count.max(1) as f64;
        // A staircase: at each distance one image more.
        let steps = found.iter().enumerate();
        let points = steps.flat_map(|(i, &e)| [(e, i as f64 / of), (e, (i + 1) as f64 / of)]);
        chart = chart.series(Series::new(method.method, std::iter::once((0.0, 0.0)).chain(points)));
    }
    Ok(chart.draw()?)
}

/// What the network gets right alone, behind its masks, certified, and under the patches that attacks
/// have found.
fn certified(measured: &Measured, c: &Certificate) -> Result<Figure> {
    let side = c.settings.patch;
    let title =
        format!("Patches of {side}×{side} pixels: {} images", number::count(c.count as u64));
    let mut chart = BarChart::new(title, Axis::new("share of images").percent().range(0.0, 1.0));
    chart = chart
        .bar(Bar::new("right, network alone", [c.clean_accuracy]))
        .bar(Bar::new("right, double masking", [c.defended_accuracy]))
        .bar(Bar::new("certified against every patch", [c.certified_accuracy]));
    for m in measured.attacked.methods.iter().filter(|m| m.method == "patch") {
        let robust = m.curve.iter().map(|p| p.robust_accuracy);
        chart = chart.bar(Bar::new("right under our patch, alone", robust.take(1)));
    }
    Ok(chart.draw()?)
}

/// An adversarial image to show.
pub(crate) struct Example<'a> {
    method: &'a str,
    row: &'a AttackedImage,
}

/// Of the test set: the first fooled images, as the last attack with a result left them. Of images that
/// were named: what each attack made of each.
pub(crate) fn examples(measured: &Measured) -> Vec<Example<'_>> {
    let methods = &measured.attacked.methods;
    let of = |method: &'_ MethodResult, row: usize| (method.method, row);
    let kept = |(m, row): &(usize, usize)| methods[*m].images[*row].pixels.is_some();
    let count = measured.attacked.images.len();
    let all: Vec<(usize, usize)> = match measured.samples.is_empty() {
        false => (0..count).flat_map(|r| (0..methods.len()).map(move |m| (m, r))).collect(),
        true => {
            let fooled = |m: &MethodResult| m.images.iter().any(|i| i.success);
            let last = methods.iter().rposition(fooled);
            let rows = |m: usize| {
                let fooled = (0..count).filter(move |&r| methods[m].images[r].success);
                fooled.map(move |r| (m, r)).take(EXAMPLES)
            };
            last.into_iter().flat_map(rows).collect()
        }
    };
    let example = |(m, row): (usize, usize)| {
        let (method, row) = of(&methods[m], row);
        Example { method, row: &methods[m].images[row] }
    };
    all.into_iter().filter(kept).map(example).collect()
}

/// Each image as it is and as the attack left it, with what the network says of both.
pub(crate) fn example_images(
    model: &Model,
    measured: &Measured,
    examples: &[Example<'_>],
) -> Result<Figure> {
    let said = |tile: Tile, class: usize, p: f64| {
        tile.line(model.label(class)).line(format!("P = {}", number::fixed(p, 2)))
    };
    let mut tiles = Vec::new();
    for example in examples {
        let row = example.row;
        let clean = super::pixels(&measured.images, row.index)?;
        tiles.push(said(Tile::new(clean), row.predicted, row.probability));
    }
    for example in examples {
        let row = example.row;
        let mut tile = Tile::new(adversarial(measured, row)?);
        tile = match (row.adversarial, row.adversarial_probability) {
            (Some(class), Some(p)) => said(tile, class, p),
            _ => tile.line("not fooled"),
        };
        if let Some(epsilon) = row.epsilon {
            tile = tile.line(format!("ε = {}", number::significant(epsilon, 2)));
        }
        tiles.push(tile);
    }
    let named = !measured.samples.is_empty();
    let column = |e: &Example<'_>| match named {
        true => e.method.to_owned(),
        false => format!("#{}", e.row.index),
    };
    let title = match named {
        true => "As they are, and as each attack left them".to_owned(),
        false => format!("Adversarial images of {}", examples[0].method),
    };
    let side = (620.0 / examples.len() as f64 - 12.0).clamp(48.0, 160.0);
    let grid = ImageGrid::new(title, tiles).columns(examples.len());
    let grid = grid.row_names(["as it is", "attacked"]).column_names(examples.iter().map(column));
    Ok(grid.tile_size(side).draw()?)
}

/// The changes, on one scale around 0; of several channels the one that changed most.
pub(crate) fn perturbations(
    model: &Model,
    measured: &Measured,
    examples: &[Example<'_>],
) -> Result<Figure> {
    let images = &measured.images;
    let plane = images.height * images.width;
    let tiles: Vec<Vec<f32>> = examples.iter().map(|e| change(measured, e.row)).collect();
    debug_assert!(tiles.iter().all(|tile| tile.len() == plane));
    let scale = ColorScale::symmetric_for(tiles.iter().flatten().map(|&v| f64::from(v)));
    let labels = examples.iter().map(|e| {
        let row = e.row;
        let to = row.adversarial.map_or("–".to_owned(), |class| model.label(class));
        format!("{} → {to}", model.label(row.predicted))
    });
    let side = (620.0 / examples.len() as f64 - 12.0).clamp(48.0, 160.0);
    let grid = TileGrid::new(
        "What the attack added",
        (images.height, images.width),
        tiles,
        scale.label("change of the pixel value (0 to 1)"),
    );
    let column = |e: &Example<'_>| match measured.samples.is_empty() {
        true => format!("#{}", e.row.index),
        false => e.method.to_owned(),
    };
    let grid = grid.columns(examples.len()).column_names(examples.iter().map(column));
    Ok(grid.labels(labels).tile_size(side).draw()?)
}

/// Adversarial pixels minus those of the image, `[H, W]`.
fn change(measured: &Measured, row: &AttackedImage) -> Vec<f32> {
    let images = &measured.images;
    let (c, plane) = (images.channels, images.height * images.width);
    let image = images.image(row.index);
    let pixels = row.pixels.as_deref().unwrap_or_default();
    let of = |p: usize, channel: usize| {
        pixels[channel * plane + p] - f32::from(image[p * c + channel]) / 255.0
    };
    let largest = |p: usize| {
        (0..c)
            .map(|channel| of(p, channel))
            .fold(0.0, |a: f32, b| if b.abs() > a.abs() { b } else { a })
    };
    (0..plane).map(largest).collect()
}

/// `[C, H, W]` from 0 to 1 as a picture.
fn adversarial(measured: &Measured, row: &AttackedImage) -> Result<PixelGrid> {
    let images = &measured.images;
    let (w, h, c) = (images.width, images.height, images.channels);
    let pixels = row.pixels.as_deref().unwrap_or_default();
    let at = |i: usize| (pixels[i % c * w * h + i / c] * 255.0).round().clamp(0.0, 255.0) as u8;
    let bytes: Vec<u8> = (0..w * h * c).map(at).collect();
    Ok(PixelGrid::from_bytes(w, h, c, &bytes)?)
}
