//! How often values fall into intervals.

use crate::axis::Axis;
use crate::colormap::category_color;
use crate::error::{Error, Result, check_len};
use crate::figure::Figure;
use crate::legend::{Entry, Mark};
use crate::number::{count, significant};
use crate::plot::Frame;
use crate::scene::Item;
use crate::style::{WIDTH, join, not_finite, placeholder, plural};

/// A histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    title: String,
    axis: Axis,
    edges: Vec<f64>,
    counts: Vec<u64>,
    not_finite: usize,
    log_counts: bool,
    width: f64,
    height: f64,
}

impl Histogram {
    /// Counts `values` in `bins` intervals of equal width from the smallest to the largest. Values
    /// that are not finite are counted apart and stated.
    pub fn of_values(
        title: impl Into<String>,
        axis: Axis,
        values: impl IntoIterator<Item = f64>,
        bins: usize,
    ) -> Histogram {
        let all: Vec<f64> = values.into_iter().collect();
        let finite: Vec<f64> = all.iter().copied().filter(|v| v.is_finite()).collect();
        let mut chart = Histogram::empty(title.into(), axis);
        chart.not_finite = all.len() - finite.len();
        let Some((low, high)) = crate::plot::extent(finite.iter().copied()) else { return chart };
        let bins = bins.clamp(1, 1000);
        let (low, high) = if low < high {
            (low, high)
        } else {
            (low - 0.5, low + 0.5 * (1.0 + low.abs() * 1e-9))
        };
        let edge = |i: usize| low + (high / bins as f64 - low / bins as f64) * i as f64;
        chart.edges = (0..=bins).map(edge).collect();
        chart.counts = vec![0; bins];
        for value in finite {
            let share = (0.5 * value - 0.5 * low) / (0.5 * high - 0.5 * low);
            let bin = ((share * bins as f64) as usize).min(bins - 1);
            chart.counts[bin] += 1;
        }
        chart
    }

    /// Given counts between given edges: `counts[i]` values from `edges[i]` to `edges[i + 1]`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one more edge than counts and the edges are finite and rise.
    pub fn of_counts(
        title: impl Into<String>,
        axis: Axis,
        edges: Vec<f64>,
        counts: Vec<u64>,
    ) -> Result<Histogram> {
        check_len("histogram edges", counts.len() + 1, edges.len())?;
        let rising = edges.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || !edges.iter().all(|edge| edge.is_finite()) {
            return Err(Error::Shape {
                what: "histogram edges".to_owned(),
                expected: "finite numbers that rise".to_owned(),
                found: format!("{edges:?}"),
            });
        }
        Ok(Histogram { edges, counts, ..Histogram::empty(title.into(), axis) })
    }

    fn empty(title: String, axis: Axis) -> Histogram {
        Histogram {
            title,
            axis,
            edges: Vec::new(),
            counts: Vec::new(),
            not_finite: 0,
            log_counts: false,
            width: WIDTH,
            height: 200.0,
        }
    }

    /// Makes the axis of the counts logarithmic; empty intervals stay empty.
    #[must_use]
    pub fn log_counts(mut self) -> Histogram {
        self.log_counts = true;
        self
    }

    /// Width of the figure and height of the plot area, in CSS pixels.
    #[must_use]
    pub fn size(mut self, width: f64, height: f64) -> Histogram {
        (self.width, self.height) = (width.clamp(200.0, 4000.0), height.clamp(60.0, 4000.0));
        self
    }

    /// Draws the histogram; a placeholder where there is no finite value.
    ///
    /// # Errors
    /// None at present; the signature is that of every chart.
    pub fn draw(&self) -> Result<Figure> {
        let largest = self.counts.iter().copied().max().unwrap_or(0);
        if largest == 0 {
            let what = if self.not_finite == 0 { "no value" } else { "no finite value" };
            return Ok(placeholder(&self.title, self.width, what));
        }
        let mut y_axis = Axis::new("count");
        if self.log_counts {
            // From below 1, so that a single value has a bar.
            y_axis = Axis::new("count (logarithmic)").log().range(0.5, 1.6 * largest as f64);
        }
        let legend = self.legend();
        let mut plot = Frame {
            title: &self.title,
            width: self.width,
            plot_height: self.height,
            x: &self.axis,
            y: &y_axis,
            x_extent: self.edges.first().copied().zip(self.edges.last().copied()),
            y_extent: Some((0.0, largest as f64)),
            x_loose: false,
            legend: &legend,
            min_left: 0.0,
        }
        .draw();
        let bottom = plot.bottom();
        for (i, &n) in self.counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            let [left, right] = [self.edges[i], self.edges[i + 1]]
                .map(|edge| plot.px(edge).clamp(plot.left, plot.right()));
            let top = plot.py(n as f64);
            // A gap between bars, where they are wide enough for one.
            let gap = if right - left > 4.0 { 1.0 } else { 0.0 };
            let width = (right - left - gap).max(0.3);
            let item = Item::rect(left + 0.5 * gap, top, width, bottom - top);
            let [from, to] = [self.edges[i], self.edges[i + 1]].map(|edge| significant(edge, 4));
            let item = item.fill(category_color(0));
            plot.scene.add(item.hover(format!("{from} to {to}: {}", count(n))));
        }
        Ok(Figure::new(plot.scene, join(&self.title, &self.words())))
    }

    fn legend(&self) -> Vec<Entry> {
        if self.not_finite == 0 {
            return Vec::new();
        }
        let label =
            format!("not finite (NaN, ±∞), not drawn: {}", plural(self.not_finite, "value"));
        vec![Entry::new(Mark::Cross(not_finite().into()), label)]
    }

    fn words(&self) -> String {
        let total: u64 = self.counts.iter().sum();
        let (fullest, most) =
            self.counts.iter().enumerate().max_by_key(|(_, n)| **n).unwrap_or((0, &0));
        format!(
            "Histogram of {}: {} from {} to {}; the fullest interval, {} to {}, holds {}.",
            self.axis.label,
            plural(total as usize, "value"),
            significant(self.edges[0], 4),
            significant(self.edges[self.edges.len() - 1], 4),
            significant(self.edges[fullest], 4),
            significant(self.edges[fullest + 1], 4),
            count(*most)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64], bins: usize) -> Histogram {
        Histogram::of_values("Weights", Axis::new("weight"), values.iter().copied(), bins)
    }

    #[test]
    fn each_finite_value_is_counted_once() {
        let chart = of(&[0.0, 0.1, 0.5, 0.99, 1.0, f64::NAN], 2);
        assert_eq!(chart.counts, [2, 3]);
        assert_eq!(chart.not_finite, 1);
        assert!(chart.draw().unwrap().to_inline_svg().contains("not drawn: 1 value"));
    }

    #[test]
    fn one_value_or_equal_values_are_drawn() {
        for values in [&[3.0][..], &[1e300; 5], &[-0.0; 3], &[f64::MAX, f64::MIN]] {
            let figure = of(values, 10).draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{values:?}");
        }
    }

    #[test]
    fn nothing_to_count_gives_a_placeholder_and_falling_edges_are_refused() {
        assert!(of(&[], 10).draw().unwrap().to_inline_svg().contains("Nothing to show"));
        assert!(of(&[f64::NAN], 10).draw().unwrap().to_inline_svg().contains("no finite value"));
        let axis = Axis::new("x");
        assert!(Histogram::of_counts("", axis.clone(), vec![0.0, 0.0], vec![1]).is_err());
        assert!(Histogram::of_counts("", axis, vec![0.0], vec![1]).is_err());
    }

    #[test]
    fn a_logarithmic_count_of_one_still_has_a_visible_bar() {
        let mut values = vec![0.0; 100_000];
        values.push(1.0);
        let figure = of(&values, 5).log_counts().draw().unwrap();
        let svg = figure.to_inline_svg();
        assert!(svg.contains("<title>0.8 to 1: 1</title>"), "{svg}");
        assert_eq!(figure.illegible(), Vec::<String>::new());
    }
}
