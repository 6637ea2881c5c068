//! A finished figure: a drawing with its description in words.

use std::path::Path;

use crate::error::Result;
use crate::files::write_atomic;
use crate::scene::{Scene, Shape, Text, text_corners};
use crate::theme::Theme;
use crate::{raster, svg};

/// A finished figure. One drawing gives the SVG, the PNG and what the report shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    scene: Scene,
    alt: String,
}

impl Figure {
    /// A figure from a drawing and its description in words, for readers who cannot see it.
    pub fn new(scene: Scene, alt: impl Into<String>) -> Figure {
        Figure { scene, alt: alt.into() }
    }

    /// The drawing.
    #[must_use]
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// The description in words.
    #[must_use]
    pub fn alt(&self) -> &str {
        &self.alt
    }

    /// Replaces the description in words.
    #[must_use]
    pub fn with_alt(mut self, alt: impl Into<String>) -> Figure {
        self.alt = alt.into();
        self
    }

    /// A stand-alone SVG file: the typeface inside, the theme's colours fixed, on the theme's ground.
    #[must_use]
    pub fn to_svg(&self, theme: Theme) -> String {
        svg::standalone(&self.scene, &self.alt, theme)
    }

    /// The SVG element for the report's page, whose style sheet gives typeface and theme.
    #[must_use]
    pub fn to_inline_svg(&self) -> String {
        svg::inline(&self.scene, &self.alt)
    }

    /// A PNG file with `scale` pixels to a CSS pixel (2 is sharp on most screens), lowered where the
    /// picture would exceed 40 million pixels.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for a scale or a drawing without extent,
    /// [`Error::Png`](crate::Error::Png) where the encoder refuses.
    pub fn to_png(&self, scale: f64, theme: Theme) -> Result<Vec<u8>> {
        raster::png(&self.scene, scale, theme)
    }

    /// Writes [`Figure::to_svg`] in the light theme, atomically.
    ///
    /// # Errors
    /// [`Error::Write`](crate::Error::Write).
    pub fn save_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        write_atomic(path, self.to_svg(Theme::Light).as_bytes())
    }

    /// Writes [`Figure::to_png`] in the light theme at two pixels to a CSS pixel, atomically.
    ///
    /// # Errors
    /// As [`Figure::to_png`], and [`Error::Write`](crate::Error::Write).
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        write_atomic(path, &self.to_png(2.0, Theme::Light)?)
    }

    /// The texts that are cut off by the edge or run into each other; empty where all is legible.
    /// For tests of charts: its time is quadratic in the number of texts.
    #[must_use]
    pub fn illegible(&self) -> Vec<String> {
        let texts = self.scene.items.iter().filter_map(|item| match &item.shape {
            Shape::Text(text) if !text.text.trim().is_empty() => Some((text, text_corners(text))),
            _ => None,
        });
        let texts: Vec<(&Text, Corners)> = texts.collect();
        let mut problems = Vec::new();
        for (i, (text, corners)) in texts.iter().enumerate() {
            let inside = |&(x, y): &(f64, f64)| {
                (-0.5..=self.scene.width + 0.5).contains(&x)
                    && (-0.5..=self.scene.height + 0.5).contains(&y)
            };
            if !corners.iter().all(inside) {
                problems.push(format!("cut off: {:?}", text.text));
            }
            for (other, theirs) in &texts[..i] {
                if overlap(corners, theirs) {
                    problems.push(format!("{:?} runs into {:?}", text.text, other.text));
                }
            }
        }
        problems
    }
}

type Corners = [(f64, f64); 4];

/// Separating axes: two rectangles are apart if they are so along a side of one of them.
fn overlap(a: &Corners, b: &Corners) -> bool {
    let sides = |c: &Corners| [0, 1].map(|i| (c[i + 1].0 - c[i].0, c[i + 1].1 - c[i].1));
    let span = |c: &Corners, (x, y): (f64, f64)| {
        let along = c.map(|(px, py)| px * x + py * y);
        (
            along.into_iter().fold(f64::INFINITY, f64::min),
            along.into_iter().fold(f64::NEG_INFINITY, f64::max),
        )
    };
    sides(a).into_iter().chain(sides(b)).all(|(x, y)| {
        let length = x.hypot(y).max(1e-9);
        let axis = (x / length, y / length);
        let ((low, high), (their_low, their_high)) = (span(a, axis), span(b, axis));
        // Half a pixel of contact is no overlap.
        low + 0.5 < their_high && their_low + 0.5 < high
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Item;

    #[test]
    fn overlapping_and_cut_off_texts_are_found() {
        let mut scene = Scene::new(200.0, 100.0);
        scene.add(Item::text(10.0, 20.0, "one"));
        scene.add(Item::text(20.0, 22.0, "two"));
        scene.add(Item::text(190.0, 80.0, "three"));
        let problems = Figure::new(scene, "").illegible();
        assert_eq!(problems, [r#""two" runs into "one""#, r#"cut off: "three""#]);
    }

    #[test]
    fn slanted_labels_side_by_side_are_legible() {
        let mut scene = Scene::new(300.0, 200.0);
        for i in 0..5 {
            let item = Item::text(60.0 + 24.0 * f64::from(i), 150.0, "slanted label");
            scene.add(item.rotated(-45.0));
        }
        assert_eq!(Figure::new(scene, "").illegible(), Vec::<String>::new());
    }
}
