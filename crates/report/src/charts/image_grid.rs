//! Images side by side with captions: samples, the worst mistakes, the steps of an experiment.

use super::colorbar;
use super::tiles::{Arrangement, Picture};
use crate::color::Rgb;
use crate::colormap::{ColorScale, Excess};
use crate::error::Result;
use crate::figure::Figure;
use crate::pixels::PixelGrid;
use crate::scene::Scene;
use crate::style::{PAD, WIDTH, join, note, placeholder, plural, title};

/// One image with its caption.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    pixels: PixelGrid,
    caption: Vec<String>,
    frame: Option<Rgb>,
}

impl Tile {
    /// An image without a caption.
    #[must_use]
    pub fn new(pixels: PixelGrid) -> Tile {
        Tile { pixels, caption: Vec::new(), frame: None }
    }

    /// Adds a line under the image; the first is the most prominent.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Tile {
        self.caption.push(line.into());
        self
    }

    /// Frames the image in a colour.
    #[must_use]
    pub fn frame(mut self, color: Rgb) -> Tile {
        self.frame = Some(color);
        self
    }
}

/// Images in rows and columns, all at one magnification.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageGrid {
    title: String,
    tiles: Vec<Tile>,
    arrangement: Arrangement,
    limit: usize,
    width: f64,
    scale: Option<ColorScale>,
}

impl ImageGrid {
    /// A grid of images.
    pub fn new(title: impl Into<String>, tiles: Vec<Tile>) -> ImageGrid {
        let arrangement = Arrangement {
            columns: None,
            tile: 72.0,
            row_names: Vec::new(),
            column_names: Vec::new(),
            coordinates: false,
            gap: 12.0,
        };
        let (title, scale) = (title.into(), None);
        ImageGrid { title, tiles, arrangement, limit: 1000, width: WIDTH, scale }
    }

    /// Images in a row; as many as fit unless given. Where they do not fit, the images shrink.
    #[must_use]
    pub fn columns(mut self, columns: usize) -> ImageGrid {
        self.arrangement.columns = Some(columns.clamp(1, 1000));
        self
    }

    /// Side of the largest image in CSS pixels (72 unless given).
    #[must_use]
    pub fn tile_size(mut self, side: f64) -> ImageGrid {
        self.arrangement.tile = side.clamp(4.0, 2000.0);
        self
    }

    /// Space between images in CSS pixels (12 unless given).
    #[must_use]
    pub fn gap(mut self, gap: f64) -> ImageGrid {
        self.arrangement.gap = gap.clamp(0.0, 200.0);
        self
    }

    /// Names the rows.
    #[must_use]
    pub fn row_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> ImageGrid {
        self.arrangement.row_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Names the columns.
    #[must_use]
    pub fn column_names<S: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> ImageGrid {
        self.arrangement.column_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The most images that are drawn (1,000 unless given); the figure says how many it leaves out.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> ImageGrid {
        self.limit = limit.clamp(1, 20_000);
        self
    }

    /// Width of the figure in CSS pixels.
    #[must_use]
    pub fn width(mut self, width: f64) -> ImageGrid {
        self.width = width.clamp(120.0, 4000.0);
        self
    }

    /// Draws a colour bar under the images: of those that are numbers coloured by this scale.
    #[must_use]
    pub fn color_bar(mut self, scale: ColorScale) -> ImageGrid {
        self.scale = Some(scale);
        self
    }

    /// Draws the grid; a placeholder where there is no image.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) where the names do not fit the rows or columns.
    pub fn draw(&self) -> Result<Figure> {
        let shown = &self.tiles[..self.tiles.len().min(self.limit)];
        if shown.is_empty() {
            return Ok(placeholder(&self.title, self.width, "there is no image"));
        }
        let mut scene = Scene::new(self.width, 0.0);
        let room = self.width - 2.0 * PAD;
        let y = title(&mut scene, &self.title, PAD, room) + 2.0;
        let pictures = shown.iter().enumerate().map(|(i, tile)| Picture {
            pixels: tile.pixels.clone(),
            caption: &tile.caption,
            frame: tile.frame,
            name: format!("tile-{i}"),
        });
        let mut bottom = self.arrangement.draw(&mut scene, y, pictures.collect())?;
        let rest = self.tiles.len() - shown.len();
        if rest > 0 {
            let text = format!("and {} not drawn", plural(rest, "further image"));
            bottom = note(&mut scene, &text, PAD, bottom + 4.0, room);
        }
        if let Some(scale) = &self.scale {
            bottom += 14.0;
            let excess = Excess::count(scale, std::iter::empty());
            bottom += colorbar::draw(&mut scene, PAD, bottom, room, scale, excess);
        }
        scene.height = bottom + PAD;
        Ok(Figure::new(scene, join(&self.title, &self.words(shown))))
    }

    fn words(&self, shown: &[Tile]) -> String {
        let captions = shown.iter().filter(|tile| !tile.caption.is_empty()).take(40);
        let captions: Vec<String> = captions.map(|tile| tile.caption.join(", ")).collect();
        let images = plural(shown.len(), "image");
        if captions.is_empty() { images } else { format!("{images}: {}.", captions.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiles(count: usize) -> Vec<Tile> {
        let image = PixelGrid::from_bytes(2, 2, 1, &[0, 80, 160, 240]).unwrap();
        let tile = |i| Tile::new(image.clone()).line(format!("{i} → 9")).line("P = 0.9873");
        (0..count).map(tile).collect()
    }

    #[test]
    fn every_text_is_legible_for_one_and_for_a_thousand_images() {
        for (count, size) in [(1, 72.0), (12, 72.0), (12, 30.0), (1000, 40.0), (1000, 8.0)] {
            let figure = ImageGrid::new("Mistakes", tiles(count)).tile_size(size).draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{count} of {size}");
        }
    }

    #[test]
    fn images_beyond_the_limit_are_counted() {
        let figure = ImageGrid::new("", tiles(30)).limit(20).draw().unwrap();
        assert!(figure.to_inline_svg().contains("and 10 further images not drawn"));
    }

    #[test]
    fn names_of_rows_and_columns_must_fit_and_are_drawn() {
        let grid = || ImageGrid::new("", tiles(6)).columns(3).row_names(["conv1", "conv2"]);
        let figure = grid().column_names(["a", "b", "a rather long name of a column"]).draw();
        let figure = figure.unwrap();
        assert_eq!(figure.illegible(), Vec::<String>::new());
        assert!(figure.to_inline_svg().contains(">conv2<"));
        assert!(grid().column_names(["a"]).draw().is_err());
        assert!(ImageGrid::new("", tiles(6)).columns(2).row_names(["a"]).draw().is_err());
    }

    #[test]
    fn more_columns_than_fit_shrink_the_images() {
        let figure = ImageGrid::new("", tiles(100)).columns(50).draw().unwrap();
        assert_eq!(figure.illegible(), Vec::<String>::new());
        assert_eq!(figure.scene().width(), WIDTH);
    }

    #[test]
    fn no_image_gives_a_placeholder() {
        let figure = ImageGrid::new("Mistakes", Vec::new()).draw().unwrap();
        assert!(figure.to_inline_svg().contains("Nothing to show: there is no image"));
    }
}
