//! Arrays of numbers side by side on one scale: filters, feature maps.

use super::colorbar;
use super::tiles::{Arrangement, Picture};
use crate::colormap::{ColorMap, ColorScale, Excess};
use crate::error::{Result, check_len};
use crate::figure::Figure;
use crate::number::significant;
use crate::pixels::PixelGrid;
use crate::scene::Scene;
use crate::style::{PAD, WIDTH, join, note, placeholder, plural, title};

/// Arrays of equal shape in rows and columns, all on **one** scale with its colour bar.
#[derive(Clone, Debug, PartialEq)]
pub struct TileGrid {
    title: String,
    shape: (usize, usize),
    tiles: Vec<Vec<f32>>,
    labels: Vec<String>,
    scale: ColorScale,
    arrangement: Arrangement,
    limit: usize,
    width: f64,
}

impl TileGrid {
    /// Arrays of `shape.0` rows and `shape.1` columns, each row by row, on the given scale.
    pub fn new(
        title: impl Into<String>,
        shape: (usize, usize),
        tiles: Vec<Vec<f32>>,
        scale: ColorScale,
    ) -> TileGrid {
        let arrangement = Arrangement {
            columns: None,
            tile: 56.0,
            row_names: Vec::new(),
            column_names: Vec::new(),
            coordinates: false,
            gap: 8.0,
        };
        let (title, labels) = (title.into(), Vec::new());
        TileGrid { title, shape, tiles, labels, scale, arrangement, limit: 1000, width: WIDTH }
    }

    /// Signed arrays, such as filters: a diverging scale, symmetric around 0 and just wide enough
    /// for all of them.
    pub fn signed(
        title: impl Into<String>,
        shape: (usize, usize),
        tiles: Vec<Vec<f32>>,
    ) -> TileGrid {
        let scale = ColorScale::symmetric_for(tiles.iter().flatten().map(|&v| f64::from(v)));
        TileGrid::new(title, shape, tiles, scale.label("weight"))
    }

    /// Arrays of magnitudes, such as feature maps after a ReLU: a sequential scale from 0 to the
    /// largest value of all of them.
    pub fn magnitudes(
        title: impl Into<String>,
        shape: (usize, usize),
        tiles: Vec<Vec<f32>>,
    ) -> TileGrid {
        let values = tiles.iter().flatten().map(|&v| f64::from(v)).chain([0.0]);
        let scale = ColorScale::spanning(ColorMap::Sequential, values);
        TileGrid::new(title, shape, tiles, scale.label("activation"))
    }

    /// States what the numbers are; the label stands beside the colour bar.
    #[must_use]
    pub fn scale_label(mut self, label: impl Into<String>) -> TileGrid {
        self.scale = self.scale.label(label);
        self
    }

    /// A line under each tile.
    #[must_use]
    pub fn labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> TileGrid {
        self.labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// Tiles in a row; as many as fit unless given. Where they do not fit, the tiles shrink.
    #[must_use]
    pub fn columns(mut self, columns: usize) -> TileGrid {
        self.arrangement.columns = Some(columns.clamp(1, 1000));
        self
    }

    /// Numbers rows and columns from 0, so that a tile can be named: "cell (row, column)".
    #[must_use]
    pub fn coordinates(mut self) -> TileGrid {
        self.arrangement.coordinates = true;
        self
    }

    /// Names the rows.
    #[must_use]
    pub fn row_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> TileGrid {
        self.arrangement.row_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Names the columns.
    #[must_use]
    pub fn column_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> TileGrid {
        self.arrangement.column_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Side of a tile in CSS pixels (56 unless given).
    #[must_use]
    pub fn tile_size(mut self, side: f64) -> TileGrid {
        self.arrangement.tile = side.clamp(4.0, 2000.0);
        self
    }

    /// The most tiles that are drawn (1,000 unless given); the figure says how many it leaves out.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> TileGrid {
        self.limit = limit.clamp(1, 20_000);
        self
    }

    /// Width of the figure in CSS pixels.
    #[must_use]
    pub fn width(mut self, width: f64) -> TileGrid {
        self.width = width.clamp(120.0, 4000.0);
        self
    }

    /// The scale that all tiles share.
    #[must_use]
    pub fn scale(&self) -> &ColorScale {
        &self.scale
    }

    /// Draws the grid; a placeholder where there is no tile.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) where a tile has not `rows × columns` values, or labels
    /// or names do not fit.
    pub fn draw(&self) -> Result<Figure> {
        if !self.labels.is_empty() {
            check_len("labels of tiles", self.tiles.len(), self.labels.len())?;
        }
        let shown = &self.tiles[..self.tiles.len().min(self.limit)];
        if shown.is_empty() {
            return Ok(placeholder(&self.title, self.width, "there is no tile"));
        }
        let mut scene = Scene::new(self.width, 0.0);
        let room = self.width - 2.0 * PAD;
        let y = title(&mut scene, &self.title, PAD, room) + 2.0;
        let pictures: Result<Vec<Picture>> = (0..shown.len()).map(|i| self.picture(i)).collect();
        let mut bottom = self.arrangement.draw(&mut scene, y, pictures?)?;
        let rest = self.tiles.len() - shown.len();
        if rest > 0 {
            let text = format!("and {} not drawn", plural(rest, "further tile"));
            bottom = note(&mut scene, &text, PAD, bottom + 4.0, room);
        }
        let values = shown.iter().flatten().map(|&v| f64::from(v));
        let excess = Excess::count(&self.scale, values);
        bottom += 14.0;
        bottom += colorbar::draw(&mut scene, PAD, bottom, room, &self.scale, excess);
        scene.height = bottom + 4.0;
        Ok(Figure::new(scene, join(&self.title, &self.words(shown.len()))))
    }

    fn picture(&self, index: usize) -> Result<Picture<'_>> {
        let (rows, columns) = self.shape;
        let tile = &self.tiles[index];
        check_len(&format!("values of tile {index}"), rows.saturating_mul(columns), tile.len())?;
        let pixels = PixelGrid::from_values(columns, rows, tile, &self.scale)?;
        let caption = self.labels.get(index).map_or(&[][..], std::slice::from_ref);
        Ok(Picture { pixels, caption, frame: None, name: format!("tile-{index}") })
    }

    fn words(&self, shown: usize) -> String {
        let (rows, columns) = self.shape;
        format!(
            "{} of {rows} × {columns} values on one scale from {} to {}.",
            plural(shown, "tile"),
            significant(self.scale.min, 3),
            significant(self.scale.max, 3)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(count: usize) -> TileGrid {
        let value = |i: usize| (i as f32 * 0.7).sin();
        TileGrid::signed("Filters", (5, 5), (0..count).map(|i| vec![value(i); 25]).collect())
    }

    #[test]
    fn every_text_is_legible_for_one_and_for_a_thousand_tiles() {
        for (count, size) in [(1, 56.0), (32, 56.0), (64, 24.0), (1000, 30.0), (1000, 8.0)] {
            let labels = (0..count).map(|i| format!("conv1[{i}]"));
            let grid = grid(count).labels(labels).coordinates().tile_size(size);
            let figure = grid.draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{count} of {size}");
        }
    }

    #[test]
    fn signed_tiles_share_one_scale_around_zero() {
        let tiles = vec![vec![0.5, -0.25], vec![f32::NAN, 0.0]];
        let grid = TileGrid::signed("", (1, 2), tiles);
        assert_eq!((grid.scale().min(), grid.scale().max()), (-0.5, 0.5));
        assert!(grid.draw().unwrap().to_inline_svg().contains("not finite (NaN, ±∞): 1 value"));
    }

    #[test]
    fn magnitudes_begin_at_zero() {
        let grid = TileGrid::magnitudes("", (1, 2), vec![vec![2.0, 3.0]]);
        assert_eq!((grid.scale().min(), grid.scale().max()), (0.0, 3.0));
    }

    #[test]
    fn a_tile_of_another_shape_is_refused() {
        let wrong = TileGrid::signed("", (2, 2), vec![vec![0.0; 4], vec![0.0; 3]]);
        assert!(wrong.draw().unwrap_err().to_string().contains("tile 1"));
        assert!(grid(2).labels(["a"]).draw().is_err());
        let none = grid(0).draw().unwrap();
        assert!(none.to_inline_svg().contains("no tile"));
    }
}
