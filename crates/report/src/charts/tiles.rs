//! Small pictures in rows and columns with captions: what image grid and tile grid have in common.

use crate::color::Rgb;
use crate::error::{Result, check_len};
use crate::font::{Weight, elide, width};
use crate::pixels::PixelGrid;
use crate::scene::{Anchor, Item, Scene};
use crate::style::{PAD, SMALL};
use crate::theme::Paint;

/// How the tiles are arranged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrangement {
    /// Tiles in a row; chosen to fit the width where it is not given.
    pub(super) columns: Option<usize>,
    /// Width and height of the largest picture.
    pub(super) tile: f64,
    pub(super) row_names: Vec<String>,
    pub(super) column_names: Vec<String>,
    /// Number the rows and columns from 0, so that a tile can be named.
    pub(super) coordinates: bool,
    pub(super) gap: f64,
}

/// One picture with the lines under it.
pub(super) struct Picture<'a> {
    pub(super) pixels: PixelGrid,
    pub(super) caption: &'a [String],
    pub(super) frame: Option<Rgb>,
    pub(super) name: String,
}

const LINE: f64 = 15.5;
/// Below this width a caption could not hold a word.
const CAPTION: f64 = 24.0;

impl Arrangement {
    /// Columns that fit into `room`, at most `count`.
    fn fitting(&self, count: usize, room: f64) -> usize {
        let fits = ((room + self.gap) / (self.tile + self.gap)).floor().max(1.0) as usize;
        self.columns.unwrap_or(fits).clamp(1, count.max(1))
    }

    /// Draws the tiles from `y` downwards and gives the y below them. Where the columns asked for
    /// do not fit into the width, the tiles shrink.
    pub(super) fn draw(&self, scene: &mut Scene, y: f64, pictures: Vec<Picture>) -> Result<f64> {
        let head = self.head_width();
        let room = scene.width() - 2.0 * PAD - head;
        let columns = self.fitting(pictures.len(), room);
        let rows = pictures.len().div_ceil(columns);
        if !self.row_names.is_empty() {
            check_len("names of the rows of tiles", rows, self.row_names.len())?;
        }
        if !self.column_names.is_empty() {
            check_len("names of the columns of tiles", columns, self.column_names.len())?;
        }
        let gap = self.gap.min(0.3 * room / columns as f64);
        let across = (room + gap) / columns as f64 - gap;
        let tile = self.tile.min(across);
        // Captions may be wider than their picture where the row has room to spare.
        let pitch = self.pitch(tile, across, gap, &pictures);
        let left = PAD + head;
        let mut top = y + self.draw_column_names(scene, left, y, tile, pitch, columns);
        let lines = if tile < CAPTION {
            0
        } else {
            pictures.iter().map(|p| p.caption.len()).max().unwrap_or(0)
        };
        let largest = pictures.iter().map(|p| p.pixels.width().max(p.pixels.height())).max();
        let caption = if lines > 0 { LINE * lines as f64 + 6.0 } else { 0.0 };
        let row_pitch = tile + caption + gap;
        // Of rows lower than a line of text, only some are named.
        let stride = [1, 2, 5, 10, 20, 50].into_iter().find(|&s| s as f64 * row_pitch >= LINE);
        let mut pictures = pictures.into_iter();
        for row in 0..rows {
            if row % stride.unwrap_or(100) == 0 {
                self.draw_row_name(scene, row, left - 8.0, top + 0.5 * tile);
            }
            for (column, picture) in pictures.by_ref().take(columns).enumerate() {
                let x = left + pitch * column as f64;
                draw_tile(scene, picture, (x, top), tile, pitch - 6.0, lines, largest.unwrap_or(1));
            }
            top += row_pitch;
        }
        Ok(top - gap)
    }

    fn pitch(&self, tile: f64, across: f64, gap: f64, pictures: &[Picture]) -> f64 {
        let text = |line: &String| width(line, SMALL, Weight::Regular);
        let widest = pictures.iter().flat_map(|p| p.caption).map(text).fold(0.0, f64::max);
        (tile + gap).max((widest + 8.0).min(across + gap))
    }

    fn head_width(&self) -> f64 {
        let names = self.row_names.iter().map(|n| width(n, SMALL, Weight::Regular));
        let widest = names.fold(0.0, f64::max).min(110.0);
        if widest > 0.0 {
            widest + 10.0
        } else if self.coordinates {
            34.0
        } else {
            0.0
        }
    }

    fn draw_column_names(
        &self,
        scene: &mut Scene,
        left: f64,
        y: f64,
        tile: f64,
        pitch: f64,
        columns: usize,
    ) -> f64 {
        let name = |i: usize| match self.column_names.get(i) {
            Some(name) => name.clone(),
            None if self.coordinates => i.to_string(),
            None => String::new(),
        };
        let widest =
            (0..columns).map(|i| width(&name(i), SMALL, Weight::Regular)).fold(0.0, f64::max);
        if widest == 0.0 {
            return 0.0;
        }
        // Numbers are thinned where there is no room; names are elided.
        let stride = if self.column_names.is_empty() {
            [1, 2, 5, 10, 20, 50, 100].into_iter().find(|&s| s as f64 * pitch >= widest + 6.0)
        } else {
            Some(1)
        };
        for i in (0..columns).step_by(stride.unwrap_or(200)) {
            let room = if self.column_names.is_empty() { widest + 1.0 } else { pitch - 4.0 };
            let label = elide(&name(i), SMALL, Weight::Regular, room);
            let x = left + pitch * i as f64 + 0.5 * tile;
            let text = Item::text(x, y + 12.0, label).size(SMALL).anchor(Anchor::Middle);
            scene.add(text.fill(Paint::Soft).hover(name(i)));
        }
        19.0
    }

    fn draw_row_name(&self, scene: &mut Scene, row: usize, right: f64, middle: f64) {
        let name = match self.row_names.get(row) {
            Some(name) => name.clone(),
            None if self.coordinates => row.to_string(),
            None => return,
        };
        let label = elide(&name, SMALL, Weight::Regular, right - PAD + 1.0);
        let text = Item::text(right, middle, label).size(SMALL).anchor(Anchor::End);
        scene.add(text.fill(Paint::Soft).centred().hover(name));
    }
}

fn draw_tile(
    scene: &mut Scene,
    picture: Picture,
    (x, y): (f64, f64),
    tile: f64,
    caption_room: f64,
    lines: usize,
    largest: usize,
) {
    // All pictures of a grid share one magnification.
    let zoom = tile / largest as f64;
    let width = zoom * picture.pixels.width() as f64;
    let height = zoom * picture.pixels.height() as f64;
    let (left, top) = (x + 0.5 * (tile - width), y + 0.5 * (tile - height));
    let image = Item::image(left, top, width, height, picture.pixels).named(picture.name);
    let hover = picture.caption.join(" · ");
    scene.add(if hover.is_empty() { image } else { image.hover(hover) });
    let frame = Item::rect(left, top, width, height);
    scene.add(match picture.frame {
        Some(color) => frame.stroke(color, 2.0),
        None => frame.stroke(Paint::Rule, 0.5),
    });
    for (i, line) in picture.caption.iter().take(lines).enumerate() {
        let label = elide(line, SMALL, Weight::Regular, caption_room.max(tile - 2.0));
        let baseline = y + tile + 14.0 + LINE * i as f64;
        let text = Item::text(x + 0.5 * tile, baseline, label).size(SMALL);
        let paint = if i == 0 { Paint::Ink } else { Paint::Soft };
        scene.add(text.fill(paint).anchor(Anchor::Middle));
    }
}
