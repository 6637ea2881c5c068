//! Pictures of feature maps, of the way to a map, and of the sum behind a unit.

use cutaway::explain::{Chain, Link, Maps, Region, Term, Unit};
use cutaway::net::Network;
use cutaway::report::{
    Axis, Bar, BarChart, ColorMap, ColorScale, Figure, ImageGrid, Item, PixelGrid, Rgb, Scene,
    Tile, TileGrid, number,
};

use crate::error::Result;

/// What a receptive field is framed in: an orange that no colour map but the diverging one takes.
const FRAME: Rgb = Rgb(0xff, 0x7a, 0x1a);
/// Input channels of a unit that are drawn.
const CHANNELS: usize = 4;

/// All maps of one image. The scale is the layer's, shared by the images that are compared.
pub(crate) fn grid(maps: &Maps, image: usize, whose: &str) -> Result<Figure> {
    let tiles = (0..maps.channels).map(|channel| maps.map(image, channel).to_vec()).collect();
    let title = format!("The {} maps of {} for {whose}", maps.channels, maps.layer);
    let scale = scale(maps.min, maps.max).label("activation, one scale for all images compared");
    let grid = TileGrid::new(title, (maps.height, maps.width), tiles, scale);
    Ok(grid.coordinates().columns(maps.grid_columns).draw()?)
}

/// From 0 where nothing is negative; else symmetric around it.
pub(crate) fn scale(min: f32, max: f32) -> ColorScale {
    let ends = [f64::from(min), f64::from(max)];
    match min < 0.0 {
        true => ColorScale::symmetric_for(ends),
        false => ColorScale::spanning(ColorMap::Sequential, ends.into_iter().chain([0.0])),
    }
}

/// The ways from the input to some maps: a row a map and image, a column a layer. Ways through
/// different branches of the network stand below one another.
pub(crate) fn chains(
    network: &Network,
    chains: &[(String, &Chain)],
    names: &[String],
) -> Result<Figure> {
    let title = "Where the maps come from: in each layer the channel that contributes most";
    let layers = |chain: &Chain| -> Vec<String> {
        chain.links.iter().map(|link| link.layer.clone()).collect()
    };
    let groups = chains.chunk_by(|a, b| layers(a.1) == layers(b.1));
    let mut figure = None;
    for group in groups {
        let heading = if figure.is_none() { title } else { "" };
        let next = one_way(network, heading, &layers(group[0].1), group, names)?;
        figure = Some(figure.map_or(next.clone(), |above| below(above, next)));
    }
    match figure {
        Some(figure) => Ok(figure),
        None => Ok(ImageGrid::new(title, Vec::new()).draw()?),
    }
}

/// Chains through the same layers.
fn one_way(
    network: &Network,
    title: &str,
    layers: &[String],
    chains: &[(String, &Chain)],
    names: &[String],
) -> Result<Figure> {
    let links = chains.iter().flat_map(|(_, chain)| &chain.links);
    let largest = links.map(|link| link.height.max(link.width)).max().unwrap_or(1);
    let input = &network.node(network.input()).name;
    let (mut tiles, mut rows) = (Vec::new(), Vec::new());
    for (of, chain) in chains {
        for (image, name) in names.iter().enumerate() {
            rows.push(format!("{of}, {name}"));
            for link in &chain.links {
                tiles.push(link_tile(link, image, link.layer == *input, largest)?);
            }
        }
    }
    let width = (140.0 + 84.0 * layers.len() as f64).clamp(560.0, 4000.0);
    let grid = ImageGrid::new(title, tiles).columns(layers.len()).column_names(layers.to_vec());
    Ok(grid.row_names(rows).tile_size(72.0).width(width).draw()?)
}

/// A map on the scale of its channel, which all images share.
fn link_tile(link: &Link, image: usize, is_input: bool, largest: usize) -> Result<Tile> {
    let scale = match is_input && link.min >= 0.0 {
        true => ColorScale::new(ColorMap::Grey, 0.0, f64::from(link.max).max(1e-9))?,
        false => scale(link.min, link.max),
    };
    let pixels = PixelGrid::from_values(link.width, link.height, &link.maps[image], &scale)?;
    let factor = (largest / link.height.max(link.width)).max(1);
    let ends = [scale.min(), scale.max()].map(|v| number::significant(v, 2));
    let tile = Tile::new(magnify(&pixels, factor)?).line(format!("channel {}", link.channel));
    Ok(tile.line(format!("{} to {}", ends[0], ends[1])))
}

/// One number of a layer: what it sees, its strongest inputs, and the parts of its sum.
pub(crate) fn unit(unit: &Unit, pixels: &PixelGrid, whose: &str) -> Result<Figure> {
    let place = format!("unit ({}, {}, {}) of {}", unit.channel, unit.row, unit.col, unit.layer);
    let left = field(pixels, unit.receptive_field, &format!("What {place} sees of {whose}"), 250.0);
    let bars = bars(unit)?;
    let Some(patches) = patches(unit)? else {
        return Ok(below(left, bars));
    };
    Ok(below(beside(left, patches), bars))
}

/// The image with the receptive field framed.
pub(crate) fn field(pixels: &PixelGrid, region: Region, title: &str, width: f64) -> Figure {
    let heading = Heading::new(title, width);
    let zoom = (width - 20.0) / pixels.width() as f64;
    let mut scene = Scene::new(width, heading.bottom + zoom * pixels.height() as f64 + 10.0);
    heading.draw(&mut scene);
    let (left, top) = (10.0, heading.bottom);
    let size = (zoom * pixels.width() as f64, zoom * pixels.height() as f64);
    scene.add(Item::image(left, top, size.0, size.1, pixels.clone()).named("image"));
    let [row, col, height, width] =
        [region.row, region.col, region.height, region.width].map(|v| zoom * v as f64);
    let frame = Item::rect(left + col, top + row, width, height).stroke(FRAME, 2.5);
    scene.add(frame.named("receptive-field"));
    Figure::new(scene, format!("{title}: {}", words(region)))
}

/// A heading in lines that fit.
struct Heading {
    lines: Vec<String>,
    bottom: f64,
}

impl Heading {
    fn new(text: &str, width: f64) -> Heading {
        // Semibold letters of this size are about 7.6 pixels wide.
        let room = ((width - 20.0) / 7.6) as usize;
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            // Of a word longer than the line, such as a path, its end says most.
            let length = word.chars().count();
            let cut = || format!("…{}", word.chars().skip(length - room + 1).collect::<String>());
            let word = if length > room { cut() } else { word.to_owned() };
            let last = lines.last_mut().expect("never empty");
            if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > room {
                lines.push(word);
            } else {
                last.push_str(if last.is_empty() { "" } else { " " });
                last.push_str(&word);
            }
        }
        let bottom = if text.is_empty() { 10.0 } else { 15.0 + 19.0 * lines.len() as f64 };
        Heading { lines, bottom }
    }

    fn draw(&self, scene: &mut Scene) {
        for (i, line) in self.lines.iter().enumerate() {
            scene.add(Item::text(10.0, 24.5 + 19.0 * i as f64, line).size(14.5).bold());
        }
    }
}

/// `rows 6 to 19, columns 8 to 21`.
pub(crate) fn words(region: Region) -> String {
    let last = |first: usize, count: usize| (first + count).saturating_sub(1);
    format!(
        "rows {} to {}, columns {} to {}",
        region.row,
        last(region.row, region.height),
        region.col,
        last(region.col, region.width)
    )
}

/// Input, weights and products of the channels that contribute most; `None` where the sum has no
/// rows and columns.
fn patches(unit: &Unit) -> Result<Option<Figure>> {
    let terms = &unit.sum.terms;
    let (rows, cols) = (places(terms, |t| t.row), places(terms, |t| t.col));
    if rows.len() * cols.len() < 2 || rows.len().max(cols.len()) > 64 {
        return Ok(None);
    }
    let chosen = unit.sum.by_channel();
    let chosen = &chosen[..chosen.len().min(CHANNELS)];
    let matrix = |from: usize, channel: usize, value: fn(&Term) -> f64| -> Vec<f32> {
        let mut matrix = vec![0.0; rows.len() * cols.len()];
        for term in terms.iter().filter(|t| t.from == from && t.channel == channel) {
            let at = |all: &[usize], v: usize| all.binary_search(&v).expect("one of them");
            matrix[at(&rows, term.row) * cols.len() + at(&cols, term.col)] = value(term) as f32;
        }
        matrix
    };
    let kinds: [fn(&Term) -> f64; 3] = [|t| f64::from(t.input), |t| t.weight, |t| t.product];
    let scales = kinds.map(|kind| {
        let all = || terms.iter().map(kind);
        scale(all().fold(0.0, f64::min) as f32, all().fold(0.0, f64::max) as f32)
    });
    let factor = (24 / rows.len().max(cols.len())).max(1);
    let (mut tiles, mut names) = (Vec::new(), Vec::new());
    for &(from, channel, sum) in chosen {
        let sign = if sum < 0.0 { "" } else { "+" };
        names.push(format!("channel {channel}"));
        for (kind, scale) in kinds.into_iter().zip(&scales) {
            let values = matrix(from, channel, kind);
            let pixels = PixelGrid::from_values(cols.len(), rows.len(), &values, scale)?;
            tiles.push(Tile::new(magnify(&pixels, factor)?));
        }
        let last = tiles.pop().expect("three were added");
        tiles.push(last.line(format!("sum {sign}{}", number::significant(sum, 3))));
    }
    let ends = |i: usize| {
        let [low, high] = [scales[i].min(), scales[i].max()].map(|v| number::significant(v, 2));
        format!("{low} to {high}")
    };
    let title = format!(
        "Its strongest inputs: {} ({}) times weights ({}) are products ({})",
        unit.sum.inputs.join(", "),
        ends(0),
        ends(1),
        ends(2)
    );
    let grid =
        ImageGrid::new(title, tiles).columns(3).column_names(["input", "weights", "product"]);
    Ok(Some(grid.row_names(names).tile_size(72.0).width(400.0).draw()?))
}

fn places(terms: &[Term], place: fn(&Term) -> usize) -> Vec<usize> {
    let mut places: Vec<usize> = terms.iter().map(place).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// The parts of a unit's sum by input channel, the bias, and what they make.
fn bars(unit: &Unit) -> Result<Figure> {
    const SHOWN: usize = 10;
    let parts = unit.sum.by_channel();
    let title = format!("Parts of the sum in {} by channel of its input", unit.sum.layer);
    let mut chart = BarChart::new(title, Axis::new("part of the sum")).width(650.0);
    for (from, channel, sum) in parts.iter().take(SHOWN) {
        let input = &unit.sum.inputs[*from];
        chart = chart.bar(Bar::new(format!("{input}, channel {channel}"), [*sum]));
    }
    if parts.len() > SHOWN {
        let rest: f64 = parts[SHOWN..].iter().map(|part| part.2).sum();
        let name = format!("{} other channels", parts.len() - SHOWN);
        chart = chart.bar(Bar::new(name, [rest]));
    }
    chart = chart.bar(Bar::new("bias", [unit.sum.bias]));
    Ok(chart.bar(Bar::new("the sum of all", [unit.sum.total])).draw()?)
}

/// Two figures side by side.
fn beside(left: Figure, right: Figure) -> Figure {
    let (a, b) = (left.scene(), right.scene());
    let mut scene = Scene::new(a.width() + b.width(), a.height().max(b.height()));
    scene.place(a.clone(), 0.0, 0.0);
    scene.place(b.clone(), a.width(), 0.0);
    Figure::new(scene, format!("{} {}", left.alt(), right.alt()))
}

/// Two figures one below the other.
fn below(top: Figure, bottom: Figure) -> Figure {
    let (a, b) = (top.scene(), bottom.scene());
    let mut scene = Scene::new(a.width().max(b.width()), a.height() + b.height());
    scene.place(a.clone(), 0.0, 0.0);
    scene.place(b.clone(), 0.0, a.height());
    Figure::new(scene, format!("{} {}", top.alt(), bottom.alt()))
}

/// Each pixel `factor × factor` times.
pub(crate) fn magnify(pixels: &PixelGrid, factor: usize) -> Result<PixelGrid> {
    let (width, height) = (pixels.width() * factor, pixels.height() * factor);
    let source = |x: usize, y: usize| pixels.pixels()[y / factor * pixels.width() + x / factor];
    let all = (0..height).flat_map(|y| (0..width).map(move |x| source(x, y))).collect();
    Ok(PixelGrid::new(width, height, all)?)
}

/// The image, magnified, with a frame around a region: for grids of images.
pub(crate) fn framed(pixels: &PixelGrid, region: Region, factor: usize) -> Result<PixelGrid> {
    let (width, height) = (pixels.width() * factor, pixels.height() * factor);
    let (top, left) = (region.row * factor, region.col * factor);
    let (bottom, right) = (top + region.height * factor, left + region.width * factor);
    let source = |x: usize, y: usize| {
        let inside = (top..bottom).contains(&y) && (left..right).contains(&x);
        let within = |v: usize, low: usize, high: usize| v < low + 2 || v + 2 >= high;
        let edge = within(y, top, bottom) || within(x, left, right);
        match inside && edge {
            true => FRAME,
            false => pixels.pixels()[y / factor * pixels.width() + x / factor],
        }
    };
    let all = (0..height).flat_map(|y| (0..width).map(move |x| source(x, y))).collect();
    Ok(PixelGrid::new(width, height, all)?)
}
