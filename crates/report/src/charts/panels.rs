//! Several figures as one: small charts of the same kind side by side.

use crate::error::{Result, check_limit};
use crate::figure::Figure;
use crate::scene::Scene;
use crate::style::{PAD, WIDTH, join, placeholder, title};

/// The most panels.
const LIMIT: usize = 64;

/// Figures in rows and columns under one title.
#[derive(Clone, Debug, PartialEq)]
pub struct Panels {
    title: String,
    figures: Vec<Figure>,
    columns: usize,
}

impl Panels {
    /// Figures in reading order, two in a row.
    pub fn new(title: impl Into<String>, figures: Vec<Figure>) -> Panels {
        Panels { title: title.into(), figures, columns: 2 }
    }

    /// How many stand in a row.
    #[must_use]
    pub fn columns(mut self, columns: usize) -> Panels {
        self.columns = columns.clamp(1, 8);
        self
    }

    /// Draws them; a column is as wide as its widest figure, a row as high as its highest. A placeholder where
    /// there is none.
    ///
    /// # Errors
    /// [`Error::TooLarge`](crate::Error::TooLarge) above 64 panels.
    pub fn draw(&self) -> Result<Figure> {
        check_limit("panels of a figure", self.figures.len(), LIMIT, "show fewer")?;
        if self.figures.is_empty() {
            return Ok(placeholder(&self.title, WIDTH, "there is no panel"));
        }
        let columns = self.columns.min(self.figures.len());
        let widest = |column: usize| {
            let figures = self.figures.iter().skip(column).step_by(columns);
            figures.map(|figure| figure.scene().width()).fold(0.0, f64::max)
        };
        let widths: Vec<f64> = (0..columns).map(widest).collect();
        let width: f64 = widths.iter().sum();
        let mut scene = Scene::new(width, 0.0);
        let mut y = title(&mut scene, &self.title, PAD, width - 2.0 * PAD);
        for row in self.figures.chunks(columns) {
            let mut x = 0.0;
            for (figure, width) in row.iter().zip(&widths) {
                scene.place(figure.scene().clone(), x, y);
                x += width;
            }
            y += row.iter().map(|figure| figure.scene().height()).fold(0.0, f64::max) + 4.0;
        }
        scene.height = y;
        let words: Vec<&str> = self.figures.iter().map(Figure::alt).collect();
        Ok(Figure::new(scene, join(&self.title, &words.join(" "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Axis, LineChart, Series};

    #[test]
    fn panels_stand_beside_and_below_each_other_without_touching() {
        let chart = |i: u32| {
            let chart = LineChart::new(format!("panel {i}"), Axis::new("x"), Axis::new("y"));
            chart.series(Series::numbered("s", [1.0, 2.0])).size(260.0, 120.0).draw().unwrap()
        };
        for count in [1, 2, 3, 7] {
            let figure = Panels::new("All", (0..count).map(chart).collect()).draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{count} panels");
            assert_eq!(figure.scene().width(), 260.0 * f64::from(count.min(2)));
            assert!(figure.alt().contains(&format!("panel {}", count - 1)));
        }
        assert!(Panels::new("", vec![]).draw().unwrap().alt().contains("no panel"));
    }
}
