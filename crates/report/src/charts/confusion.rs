//! Confusion matrix: how often each true class was given each predicted class.

use super::cells::{self, CellSize, Cells};
use super::colorbar;
use super::heat_map::GridAxis;
use crate::color::Rgb;
use crate::colormap::{ColorMap, ColorScale, Excess};
use crate::error::{Result, check_len, check_limit};
use crate::figure::Figure;
use crate::font::{Weight, width};
use crate::number::{count, percent};
use crate::pixels::PixelGrid;
use crate::scene::{Anchor, Item, Scene};
use crate::style::{PAD, SMALL, WIDTH, join, placeholder, plural, title};
use crate::theme::Paint;

/// The most classes.
const LIMIT: usize = 1000;
/// The most cells that are drawn one by one.
const RECTANGLES: usize = 10_000;
/// The most classes whose cells show their numbers under the pointer.
const HOVER: usize = 30;

/// A confusion matrix: counts printed, colour by the share of the true class.
///
/// The colour is logarithmic from 0.1 % to 100 % unless [`linear`](ConfusionMatrix::linear) is asked
/// for: of a network that is 99 % right, a linear scale would show the diagonal and nothing else.
/// Cells without any sample stay blank.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionMatrix {
    title: String,
    labels: Vec<String>,
    counts: Vec<u64>,
    linear: bool,
    width: f64,
}

impl ConfusionMatrix {
    /// Counts, a row for each true class, a column for each predicted class, row by row.
    pub fn new(title: impl Into<String>, labels: Vec<String>, counts: Vec<u64>) -> ConfusionMatrix {
        ConfusionMatrix { title: title.into(), labels, counts, linear: false, width: WIDTH }
    }

    /// Colours in proportion to the share.
    #[must_use]
    pub fn linear(mut self) -> ConfusionMatrix {
        self.linear = true;
        self
    }

    /// Width of the figure in CSS pixels.
    #[must_use]
    pub fn width(mut self, width: f64) -> ConfusionMatrix {
        self.width = width.clamp(240.0, 4000.0);
        self
    }

    /// Draws the matrix; a placeholder where there is no class.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) unless there are `labels²` counts;
    /// [`Error::TooLarge`](crate::Error::TooLarge) above 1,000 classes.
    pub fn draw(&self) -> Result<Figure> {
        let n = self.labels.len();
        check_limit("classes of a confusion matrix", n, LIMIT, "draw the most confused ones")?;
        check_len("counts of a confusion matrix", n * n, self.counts.len())?;
        if n == 0 {
            return Ok(placeholder(&self.title, self.width, "there is no class"));
        }
        let scale = self.scale();
        let mut scene = Scene::new(self.width, 0.0);
        let y = title(&mut scene, &self.title, PAD, self.width - 2.0 * PAD);
        let rows = GridAxis::names("true class", self.labels.clone());
        let columns = GridAxis::names("predicted class", self.labels.clone());
        let size = CellSize::Square { height: 900.0, side: 48.0 };
        let (cells, bottom) = cells::draw(&mut scene, y + 2.0, &rows, &columns, (n, n), size);
        self.draw_cells(&mut scene, &cells, &scale)?;
        let room = self.width - 2.0 * PAD;
        let bar = colorbar::draw(&mut scene, PAD, bottom + 8.0, room, &scale, Excess::default());
        scene.height = bottom + bar + PAD + 2.0;
        Ok(Figure::new(scene, join(&self.title, &self.words())))
    }

    fn scale(&self) -> ColorScale {
        let scale = ColorScale::fixed(ColorMap::Tint, 0.0, 1.0).percent();
        if self.linear {
            return scale.label("share of the true class (blank: no sample)");
        }
        let label = "share of the true class, logarithmic (blank: no sample)";
        ColorScale { min: 0.001, log: true, ..scale }.label(label)
    }

    fn total(&self, row: usize) -> u64 {
        let n = self.labels.len();
        self.counts[row * n..(row + 1) * n].iter().fold(0, |sum, &c| sum.saturating_add(c))
    }

    fn draw_cells(&self, scene: &mut Scene, cells: &Cells, scale: &ColorScale) -> Result<()> {
        let n = self.labels.len();
        let (left, top, width) = (cells.left, cells.top, cells.width());
        scene.add(Item::rect(left, top, width, width).fill(Paint::Panel));
        let share = |i: usize| self.counts[i] as f64 / self.total(i / n).max(1) as f64;
        // Rectangles leave blank cells to the theme; too many of them would make a huge file.
        if self.counts.iter().filter(|&&c| c > 0).count() > RECTANGLES {
            let color = |i| if self.counts[i] == 0 { Rgb::WHITE } else { scale.color(share(i)) };
            let grid = PixelGrid::new(n, n, (0..n * n).map(color).collect())?;
            scene.add(Item::image(left, top, width, width, grid).named("cells"));
        } else {
            let texts = self.texts_fit(cells);
            for i in (0..n * n).filter(|&i| n <= HOVER || self.counts[i] > 0) {
                self.draw_cell(scene, cells, i, scale.color(share(i)), texts);
            }
        }
        scene.add(Item::rect(left, top, width, width).stroke(Paint::Rule, 0.75));
        Ok(())
    }

    fn texts_fit(&self, cells: &Cells) -> bool {
        let text = |&c: &u64| width(&count(c), SMALL, Weight::Regular);
        let widest = self.counts.iter().map(text).fold(0.0, f64::max);
        widest + 3.0 <= cells.cell_width && cells.cell_height >= SMALL + 4.0
    }

    fn draw_cell(&self, scene: &mut Scene, cells: &Cells, i: usize, color: Rgb, text: bool) {
        let n = self.labels.len();
        let (row, column) = (i / n, i % n);
        let (x, y) = cells.corner(row, column);
        let side = cells.cell_width;
        let gap = if side >= 8.0 { 0.5 } else { 0.0 };
        let mut cell = Item::rect(x + gap, y + gap, side - 2.0 * gap, side - 2.0 * gap);
        if self.counts[i] > 0 {
            cell = cell.fill(color);
        }
        if n <= HOVER {
            cell = cell.hover(self.describe(i));
        }
        scene.add(cell);
        if text && self.counts[i] > 0 {
            let at = (x + 0.5 * side, y + 0.5 * side);
            let text = Item::text(at.0, at.1, count(self.counts[i])).size(SMALL);
            scene.add(text.anchor(Anchor::Middle).fill(color.readable_ink()).centred());
        }
    }

    fn describe(&self, i: usize) -> String {
        let n = self.labels.len();
        let (row, column) = (i / n, i % n);
        let share = self.counts[i] as f64 / self.total(row).max(1) as f64;
        format!(
            "true {}, predicted {}: {} ({} of the class)",
            self.labels[row],
            self.labels[column],
            count(self.counts[i]),
            percent(share, 2)
        )
    }

    fn words(&self) -> String {
        let n = self.labels.len();
        let total: u64 = (0..n).fold(0, |sum: u64, row| sum.saturating_add(self.total(row)));
        let right: u64 = (0..n).fold(0, |sum: u64, i| sum.saturating_add(self.counts[i * n + i]));
        let mut wrong: Vec<usize> =
            (0..n * n).filter(|i| i / n != i % n && self.counts[*i] > 0).collect();
        wrong.sort_by_key(|&i| std::cmp::Reverse(self.counts[i]));
        let worst: Vec<String> = wrong.iter().take(5).map(|&i| self.describe(i)).collect();
        let worst = if worst.is_empty() { "none".to_owned() } else { worst.join("; ") };
        format!(
            "Confusion matrix of {} and {}: {} right. Most frequent confusions: {worst}.",
            plural(n, "class"),
            plural(total as usize, "sample"),
            count(right)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(n: usize) -> ConfusionMatrix {
        let labels = (0..n).map(|i| format!("class {i}")).collect();
        let counts = (0..n * n).map(|i| if i % (n + 1) == 0 { 980 } else { (i % 7) as u64 / 5 });
        ConfusionMatrix::new("Confusions", labels, counts.collect())
    }

    #[test]
    fn every_text_is_legible_from_one_to_a_thousand_classes() {
        for n in [1, 2, 10, 37, 100, 1000] {
            let figure = matrix(n).draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{n} classes");
        }
    }

    #[test]
    fn counts_are_printed_and_the_description_names_the_worst_confusion() {
        let labels = ["3".to_owned(), "5".to_owned()].to_vec();
        let figure = ConfusionMatrix::new("", labels, vec![990, 10, 0, 1000]).draw().unwrap();
        assert!(figure.to_inline_svg().contains(">1,000</text>"));
        assert!(figure.alt().contains("true 3, predicted 5: 10 (1.00 % of the class)"));
        assert!(figure.alt().contains("2,000 samples: 1,990 right"), "{}", figure.alt());
    }

    #[test]
    fn a_class_without_samples_and_enormous_counts_do_no_harm() {
        let labels = vec!["a".to_owned(), "b".to_owned()];
        let figure = ConfusionMatrix::new("", labels, vec![0, 0, u64::MAX, u64::MAX]).draw();
        assert!(figure.unwrap().illegible().is_empty());
    }

    #[test]
    fn counts_that_do_not_fit_the_labels_are_refused() {
        let wrong = ConfusionMatrix::new("", vec!["a".to_owned()], vec![1, 2]);
        assert!(wrong.draw().unwrap_err().to_string().contains("expected 1"));
        let none = ConfusionMatrix::new("", Vec::new(), Vec::new()).draw().unwrap();
        assert!(none.to_inline_svg().contains("no class"));
    }
}
