//! Many small arrays in one picture: every slice of a filter, compact enough for a page with
//! hundreds of them.

use super::colorbar;
use crate::color::Rgb;
use crate::colormap::{ColorScale, Excess};
use crate::error::{Result, check_len, check_limit};
use crate::figure::Figure;
use crate::number::significant;
use crate::pixels::PixelGrid;
use crate::scene::{Anchor, Item, Scene};
use crate::style::{PAD, SMALL, join, placeholder, plural, title};
use crate::theme::Paint;

/// The most tiles.
const LIMIT: usize = 4096;
/// Space between tiles, in cells of a tile.
const GAP: usize = 1;
/// Between the tiles: a grey that no colour map takes and that suits light and dark pages.
const GROUND: Rgb = Rgb(0x8b, 0x94, 0xa1);

/// Arrays of equal shape in rows and columns on one scale, all in **one** image: a tenth of the
/// size of a [`TileGrid`](crate::TileGrid), without captions.
#[derive(Clone, Debug, PartialEq)]
pub struct Mosaic {
    title: String,
    shape: (usize, usize),
    tiles: Vec<Vec<f32>>,
    scale: ColorScale,
    columns: usize,
    cell: f64,
}

impl Mosaic {
    /// Arrays of `shape.0` rows and `shape.1` columns, `columns` in a row, which are numbered from
    /// 0: tile `i` is at row `i / columns`, column `i % columns`.
    pub fn new(
        title: impl Into<String>,
        shape: (usize, usize),
        tiles: Vec<Vec<f32>>,
        scale: ColorScale,
        columns: usize,
    ) -> Mosaic {
        Mosaic { title: title.into(), shape, tiles, scale, columns: columns.max(1), cell: 9.0 }
    }

    /// Side of one number's square in CSS pixels (9 unless given).
    #[must_use]
    pub fn cell_size(mut self, side: f64) -> Mosaic {
        self.cell = side.clamp(1.0, 60.0);
        self
    }

    /// Draws the picture; a placeholder where there is no tile.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) where a tile has not `rows × columns` values;
    /// [`Error::TooLarge`](crate::Error::TooLarge) above 4,096 tiles.
    pub fn draw(&self) -> Result<Figure> {
        let (height, width) = self.shape;
        if self.tiles.is_empty() || height * width == 0 {
            return Ok(placeholder(&self.title, 360.0, "there is no tile"));
        }
        check_limit("tiles of a mosaic", self.tiles.len(), LIMIT, "show some of them")?;
        let columns = self.columns.min(self.tiles.len());
        let rows = self.tiles.len().div_ceil(columns);
        let (across, down) = (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP);
        let (left, room) = (PAD + 26.0, self.cell * across as f64);
        let mut scene = Scene::new((left + room + PAD).max(300.0), 0.0);
        let free = scene.width - 2.0 * PAD;
        let top = title(&mut scene, &self.title, PAD, free) + 18.0;
        let pixels = self.pixels(columns, across, down)?;
        let image = Item::image(left, top, room, self.cell * down as f64, pixels);
        scene.add(image.named("mosaic"));
        let pitch = (self.cell * (width + GAP) as f64, self.cell * (height + GAP) as f64);
        let middle = (0.5 * self.cell * width as f64, 0.5 * self.cell * height as f64);
        for i in numbered(columns, pitch.0, 20.0) {
            let x = left + pitch.0 * i as f64 + middle.0;
            let text = Item::text(x, top - 5.0, i.to_string()).size(SMALL).anchor(Anchor::Middle);
            scene.add(text.fill(Paint::Soft));
        }
        for i in numbered(rows, pitch.1, 14.0) {
            let y = top + pitch.1 * i as f64 + middle.1;
            let text = Item::text(left - 7.0, y, i.to_string()).size(SMALL).anchor(Anchor::End);
            scene.add(text.fill(Paint::Soft).centred());
        }
        let mut bottom = top + self.cell * down as f64 + 14.0;
        let values = self.tiles.iter().flatten().map(|&v| f64::from(v));
        let excess = Excess::count(&self.scale, values);
        bottom += colorbar::draw(&mut scene, PAD, bottom, free, &self.scale, excess);
        scene.height = bottom + 4.0;
        Ok(Figure::new(scene, join(&self.title, &self.words())))
    }

    fn pixels(&self, columns: usize, across: usize, down: usize) -> Result<PixelGrid> {
        let (height, width) = self.shape;
        let mut pixels = vec![GROUND; across * down];
        for (i, tile) in self.tiles.iter().enumerate() {
            check_len(&format!("values of tile {i}"), height * width, tile.len())?;
            let (top, left) = (i / columns * (height + GAP), i % columns * (width + GAP));
            for (at, &value) in tile.iter().enumerate() {
                let (row, column) = (top + at / width, left + at % width);
                pixels[row * across + column] = self.scale.color(f64::from(value));
            }
        }
        PixelGrid::new(across, down, pixels)
    }

    fn words(&self) -> String {
        let (rows, columns) = self.shape;
        format!(
            "{} of {rows} × {columns} values on one scale from {} to {}.",
            plural(self.tiles.len(), "tile"),
            significant(self.scale.min, 3),
            significant(self.scale.max, 3)
        )
    }
}

/// The rows or columns that get a number, where each takes `room`.
fn numbered(count: usize, pitch: f64, room: f64) -> impl Iterator<Item = usize> {
    let strides = [1, 2, 5, 10, 20, 50, 100];
    let stride = strides.into_iter().find(|&s| s as f64 * pitch >= room).unwrap_or(200);
    (0..count).step_by(stride)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mosaic(count: usize, columns: usize) -> Mosaic {
        let tiles: Vec<Vec<f32>> = (0..count).map(|i| vec![(i as f32).sin(); 9]).collect();
        Mosaic::new("Slices", (3, 3), tiles, ColorScale::symmetric(1.0).unwrap(), columns)
    }

    #[test]
    fn every_number_is_a_pixel_of_one_image() {
        let mosaic = mosaic(10, 4);
        let pixels = mosaic.pixels(4, 15, 11).unwrap();
        let color = |tile: usize| mosaic.scale.color((tile as f64).sin());
        assert_eq!(pixels.pixels()[0], color(0));
        assert_eq!(pixels.pixels()[14], color(3));
        assert_eq!(pixels.pixels()[8 * 15 + 4], color(9));
        assert_eq!(pixels.pixels()[3], GROUND);
        assert_eq!(pixels.pixels()[8 * 15 + 8], GROUND, "there is no eleventh tile");
        assert_eq!(mosaic.draw().unwrap().to_inline_svg().matches("<image").count(), 2);
    }

    #[test]
    fn every_text_is_legible_for_few_and_many_tiles() {
        for (count, columns, cell) in [(1, 8, 9.0), (32, 8, 9.0), (2000, 64, 2.0), (9, 1, 1.0)] {
            let figure = mosaic(count, columns).cell_size(cell).draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{count} in {columns}");
        }
    }

    #[test]
    fn tiles_that_do_not_fit_are_refused() {
        let scale = ColorScale::symmetric(1.0).unwrap();
        assert!(Mosaic::new("", (2, 2), vec![vec![0.0; 3]], scale, 1).draw().is_err());
        assert!(mosaic(5000, 64).draw().is_err());
        assert!(mosaic(0, 4).draw().unwrap().to_inline_svg().contains("no tile"));
    }
}
