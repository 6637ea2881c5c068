//! Reliability diagram: how often a prediction is right against how sure the network said it was.

use crate::axis::Axis;
use crate::color::Rgb;
use crate::colormap::category_color;
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::legend::{Entry, Mark};
use crate::number::{count, percent};
use crate::plot::{Frame, Plot};
use crate::scene::{Item, Scene};
use crate::style::{join, placeholder};
use crate::theme::Paint;

/// The predictions whose confidence falls into one interval.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// Lower end of the interval of confidence, in 0..=1.
    pub lower: f64,
    /// Upper end, above the lower.
    pub upper: f64,
    /// Predictions in the interval.
    pub count: u64,
    /// Share of them that are right; ignored where the count is 0.
    pub accuracy: f64,
    /// Their mean confidence; ignored where the count is 0.
    pub confidence: f64,
}

/// A reliability diagram with the counts below it (Guo et al., "On Calibration of Modern Neural
/// Networks", ICML 2017, figure 1 and equation 3).
#[derive(Clone, Debug, PartialEq)]
pub struct ReliabilityDiagram {
    title: String,
    bins: Vec<ReliabilityBin>,
    ece: f64,
    width: f64,
}

impl ReliabilityDiagram {
    /// A diagram of bins, with the expected calibration error in 0..=1.
    pub fn new(title: impl Into<String>, bins: Vec<ReliabilityBin>, ece: f64) -> Self {
        ReliabilityDiagram { title: title.into(), bins, ece, width: 440.0 }
    }

    /// Width of the figure in CSS pixels.
    #[must_use]
    pub fn width(mut self, width: f64) -> Self {
        self.width = width.clamp(240.0, 4000.0);
        self
    }

    /// Draws the diagram; a placeholder where every bin is empty.
    ///
    /// # Errors
    /// [`Error::Shape`] where a bin's ends are not in order within 0..=1, or a filled bin's accuracy
    /// or confidence is not within 0..=1.
    pub fn draw(&self) -> Result<Figure> {
        self.bins.iter().try_for_each(check)?;
        let filled: Vec<&ReliabilityBin> = self.bins.iter().filter(|bin| bin.count > 0).collect();
        if filled.is_empty() {
            return Ok(placeholder(&self.title, self.width, "there is no prediction"));
        }
        // The wider labels decide where both plot areas begin: the bars stand under each other.
        let left = self.accuracy_plot(&filled, 0.0).left.max(self.count_plot(&filled, 0.0).left);
        let above = self.accuracy_plot(&filled, left).scene;
        let below = self.count_plot(&filled, left).scene;
        let y = above.height;
        let mut scene = Scene::new(self.width, y + below.height);
        scene.place(above, 0.0, 0.0);
        scene.place(below, 0.0, y);
        Ok(Figure::new(scene, join(&self.title, &self.words(&filled))))
    }

    fn accuracy_plot(&self, filled: &[&ReliabilityBin], min_left: f64) -> Plot {
        let share = Axis::new("").percent().range(0.0, 1.0);
        let legend = [
            Entry::new(Mark::Box(accuracy_color().into(), 1.0), "accuracy"),
            Entry::new(Mark::Box(gap_color().into(), 0.45), "gap to confidence"),
            Entry::new(Mark::Line(Paint::Soft, vec![5.0, 4.0]), "perfect calibration"),
            Entry::new(Mark::Blank, format!("ECE {}", percent(self.ece, 2))),
        ];
        let mut plot = Frame {
            title: &self.title,
            width: self.width,
            plot_height: 0.56 * self.width,
            x: &share,
            y: &Axis { label: "accuracy".to_owned(), ..share.clone() },
            x_extent: None,
            y_extent: None,
            x_loose: false,
            legend: &legend,
            min_left,
        }
        .draw();
        for bin in filled {
            draw_bin(&mut plot, bin);
        }
        let diagonal = Item::line(plot.left, plot.bottom(), plot.right(), plot.top);
        plot.scene.add(diagonal.stroke(Paint::Soft, 1.3).dash(&[5.0, 4.0]));
        plot
    }

    fn count_plot(&self, filled: &[&ReliabilityBin], min_left: f64) -> Plot {
        let largest = filled.iter().map(|bin| bin.count).max().unwrap_or(1) as f64;
        let smallest = filled.iter().map(|bin| bin.count).min().unwrap_or(1) as f64;
        // Most predictions of a good network share the last bin; the others would vanish.
        let log = largest > 50.0 * smallest;
        let y = Axis::new(if log { "predictions (logarithmic)" } else { "predictions" });
        let y = if log { y.log().range(0.5, 1.6 * largest) } else { y };
        let mut plot = Frame {
            title: "",
            width: self.width,
            plot_height: 0.22 * self.width,
            x: &Axis::new("confidence").percent().range(0.0, 1.0),
            y: &y,
            x_extent: None,
            y_extent: Some((0.0, largest)),
            x_loose: false,
            legend: &[],
            min_left,
        }
        .draw();
        let bottom = plot.bottom();
        for bin in filled {
            let (x, width) = span(&plot, bin);
            let top = plot.py(bin.count as f64);
            let item = Item::rect(x, top, width, bottom - top).fill(Paint::Rule);
            plot.scene.add(item.hover(words(bin)));
        }
        plot
    }

    fn words(&self, filled: &[&ReliabilityBin]) -> String {
        let bins: Vec<String> = filled.iter().map(|bin| words(bin)).collect();
        let ece = percent(self.ece, 2);
        format!("Reliability diagram, expected calibration error {ece}. {}.", bins.join("; "))
    }
}

fn check(bin: &ReliabilityBin) -> Result<()> {
    let share = |v: f64| (0.0..=1.0).contains(&v);
    let ends = share(bin.lower) && share(bin.upper) && bin.lower < bin.upper;
    if ends && (bin.count == 0 || (share(bin.accuracy) && share(bin.confidence))) {
        return Ok(());
    }
    Err(Error::Shape {
        what: "reliability bin".to_owned(),
        expected: "lower < upper, accuracy and confidence, all within 0 to 1".to_owned(),
        found: format!("{bin:?}"),
    })
}

fn accuracy_color() -> Rgb {
    category_color(0)
}

fn gap_color() -> Rgb {
    category_color(3)
}

fn span(plot: &Plot, bin: &ReliabilityBin) -> (f64, f64) {
    let (left, right) = (plot.px(bin.lower), plot.px(bin.upper));
    let gap = if right - left > 5.0 { 1.0 } else { 0.0 };
    (left + 0.5 * gap, right - left - gap)
}

fn draw_bin(plot: &mut Plot, bin: &ReliabilityBin) {
    let (x, width) = span(plot, bin);
    let (accuracy, confidence) = (plot.py(bin.accuracy), plot.py(bin.confidence));
    let bar = Item::rect(x, accuracy, width, plot.bottom() - accuracy).fill(accuracy_color());
    plot.scene.add(bar.hover(words(bin)));
    let (top, height) = (accuracy.min(confidence), (accuracy - confidence).abs());
    let gap = Item::rect(x, top, width, height).fill(gap_color()).opacity(0.45);
    plot.scene.add(gap.hover(words(bin)));
    let mean = Item::line(x, confidence, x + width, confidence).stroke(gap_color(), 1.5);
    plot.scene.add(mean);
}

fn words(bin: &ReliabilityBin) -> String {
    format!(
        "confidence {} to {}: {} predictions, mean confidence {}, accuracy {}",
        percent(bin.lower, 0),
        percent(bin.upper, 0),
        count(bin.count),
        percent(bin.confidence, 2),
        percent(bin.accuracy, 2)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(n: usize) -> Vec<ReliabilityBin> {
        let bin = |i: usize| ReliabilityBin {
            lower: i as f64 / n as f64,
            upper: (i + 1) as f64 / n as f64,
            count: (i * i * i) as u64,
            accuracy: 0.9 * (i as f64 + 0.5) / n as f64,
            confidence: (i as f64 + 0.5) / n as f64,
        };
        (0..n).map(bin).collect()
    }

    #[test]
    fn every_text_is_legible_for_one_and_for_many_bins() {
        for n in [2, 10, 15, 1000] {
            let figure = ReliabilityDiagram::new("Calibration", bins(n), 0.034).draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{n} bins");
            assert!(figure.alt().contains("expected calibration error 3.40 %"));
        }
    }

    #[test]
    fn empty_bins_may_hold_nan_but_filled_ones_may_not() {
        let mut bins = bins(10);
        bins[0] = ReliabilityBin { accuracy: f64::NAN, confidence: f64::NAN, ..bins[0] };
        assert!(ReliabilityDiagram::new("", bins.clone(), 0.0).draw().is_ok());
        bins[5].accuracy = 1.5;
        assert!(ReliabilityDiagram::new("", bins, 0.0).draw().is_err());
        let none = ReliabilityDiagram::new("", Vec::new(), f64::NAN).draw().unwrap();
        assert!(none.to_inline_svg().contains("no prediction"));
    }
}
