//! Points of the complex plane around the unit circle: eigenvalues. Both axes have the same scale.

use crate::axis::Axis;
use crate::colormap::category_color;
use crate::error::{Result, check_limit};
use crate::figure::Figure;
use crate::legend::{Entry, Mark};
use crate::number::significant;
use crate::plot::{Frame, Plot};
use crate::scene::Item;
use crate::style::{join, not_finite, placeholder, plural};
use crate::theme::Paint;

/// The most points.
const LIMIT: usize = 50_000;
/// The corners of what is drawn as a circle.
const CORNERS: u32 = 180;

/// A chart of points `re + i·im` with the unit circle.
#[derive(Clone, Debug, PartialEq)]
pub struct ComplexPlane {
    title: String,
    series: Vec<(String, Vec<(f64, f64)>)>,
    circles: Vec<(f64, String)>,
    width: f64,
}

impl ComplexPlane {
    /// An empty plane with the unit circle.
    pub fn new(title: impl Into<String>) -> ComplexPlane {
        let circles = vec![(1.0, "unit circle".to_owned())];
        ComplexPlane { title: title.into(), series: Vec::new(), circles, width: 460.0 }
    }

    /// Adds points `(re, im)` of one colour.
    #[must_use]
    pub fn points(
        mut self,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> ComplexPlane {
        self.series.push((name.into(), points.into_iter().collect()));
        self
    }

    /// Adds a dashed circle around 0 that the legend names, such as the spectral radius.
    #[must_use]
    pub fn circle(mut self, radius: f64, label: impl Into<String>) -> ComplexPlane {
        self.circles.push((radius, label.into()));
        self
    }

    /// Width of the figure in CSS pixels.
    #[must_use]
    pub fn width(mut self, width: f64) -> ComplexPlane {
        self.width = width.clamp(200.0, 4000.0);
        self
    }

    /// Draws the chart; a placeholder where there is no finite point.
    ///
    /// # Errors
    /// [`Error::TooLarge`](crate::Error::TooLarge) above 50,000 points.
    pub fn draw(&self) -> Result<Figure> {
        let count = self.series.iter().map(|(_, points)| points.len()).sum();
        check_limit("points of a complex plane", count, LIMIT, "take fewer eigenvalues")?;
        let radii = self.circles.iter().map(|(radius, _)| *radius).filter(|r| r.is_finite());
        let sides = self.finite().flat_map(|(re, im)| [re.abs(), im.abs()]);
        let largest = radii.chain(sides).fold(1.0, f64::max);
        if self.finite().next().is_none() {
            return Ok(placeholder(&self.title, self.width, "there is no finite point"));
        }
        let limit = (1.06 * largest).min(f64::MAX / 4.0);
        let legend = self.legend(count);
        let mut plot = self.square(limit, &legend);
        self.draw_lines(&mut plot, limit);
        for (i, (_, points)) in self.series.iter().enumerate() {
            for &(re, im) in points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()) {
                let dot = Item::circle(plot.px(re), plot.py(im), 2.6);
                plot.scene.add(dot.fill(category_color(i % 10)).opacity(0.75));
            }
        }
        let outside = self.finite().filter(|(re, im)| re.hypot(*im) > 1.0).count();
        let words = format!(
            "{} in the complex plane, {outside} of them outside the unit circle; the \
             largest modulus is {}.",
            plural(self.finite().count(), "point"),
            significant(self.finite().map(|(re, im)| re.hypot(im)).fold(0.0, f64::max), 4)
        );
        Ok(Figure::new(plot.scene, join(&self.title, &words)))
    }

    fn finite(&self) -> impl Iterator<Item = (f64, f64)> {
        let all = self.series.iter().flat_map(|(_, points)| points.iter().copied());
        all.filter(|(re, im)| re.is_finite() && im.is_finite())
    }

    fn legend(&self, count: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        if self.series.len() > 1 {
            let mark = |i: usize| Mark::Dot(category_color(i % 10).into());
            let named = self.series.iter().enumerate();
            entries.extend(named.map(|(i, (name, _))| Entry::new(mark(i), name)));
        }
        for (i, (_, label)) in self.circles.iter().enumerate() {
            entries.push(Entry::new(Mark::Line(Paint::Soft, dash(i)), label));
        }
        let hidden = count - self.finite().count();
        if hidden > 0 {
            let label = format!("not finite (NaN, ±∞): {}", plural(hidden, "point"));
            entries.push(Entry::new(Mark::Cross(not_finite().into()), label));
        }
        entries
    }

    /// A frame whose height is its width; the width depends on the labels, so that it is drawn twice.
    fn square(&self, limit: f64, legend: &[Entry]) -> Plot {
        let x = Axis::new("real part").range(-limit, limit);
        let y = Axis::new("imaginary part").range(-limit, limit);
        let frame = |plot_height: f64| Frame {
            title: &self.title,
            width: self.width,
            plot_height,
            x: &x,
            y: &y,
            x_extent: None,
            y_extent: None,
            x_loose: false,
            legend,
            min_left: 0.0,
        };
        let height = frame(self.width - 60.0).draw().width;
        frame(height).draw()
    }

    fn draw_lines(&self, plot: &mut Plot, limit: f64) {
        let (left, right, top, bottom) =
            (plot.px(-limit), plot.px(limit), plot.py(limit), plot.py(-limit));
        let (x, y) = (plot.px(0.0), plot.py(0.0));
        plot.scene.add(Item::line(x, top, x, bottom).stroke(Paint::Rule, 0.8));
        plot.scene.add(Item::line(left, y, right, y).stroke(Paint::Rule, 0.8));
        for (i, (radius, _)) in self.circles.iter().enumerate().filter(|(_, c)| c.0.is_finite()) {
            let corner = |k: u32| {
                let angle = std::f64::consts::TAU * f64::from(k) / f64::from(CORNERS);
                (plot.px(radius * angle.cos()), plot.py(radius * angle.sin()))
            };
            let circle = Item::polygon((0..CORNERS).map(corner).collect::<Vec<_>>());
            plot.scene.add(circle.stroke(Paint::Soft, 1.3).dash(&dash(i)));
        }
    }
}

/// The unit circle is whole, the others are dashed.
fn dash(index: usize) -> Vec<f64> {
    match index {
        0 => Vec::new(),
        1 => vec![5.0, 4.0],
        _ => vec![2.0, 3.0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Shape, Step};

    #[test]
    fn the_unit_circle_is_as_wide_as_high_and_every_text_is_legible() {
        for largest in [0.01, 0.9, 3.7, 1e6] {
            let points =
                (0..64).map(|i| (largest * f64::from(i).cos(), largest * f64::from(i).sin()));
            let plane = ComplexPlane::new("Eigenvalues").points("W", points);
            let figure = plane.circle(largest, "spectral radius").draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{largest}");
            let circle = figure.scene().items.iter().find_map(|item| match &item.shape {
                Shape::Path(steps) if steps.len() > 100 => Some(steps),
                _ => None,
            });
            let at = |steps: &[Step], axis: usize| -> Vec<f64> {
                steps
                    .iter()
                    .filter_map(|step| match step {
                        Step::Move(x, y) | Step::Line(x, y) => Some([*x, *y][axis]),
                        _ => None,
                    })
                    .collect()
            };
            let extent =
                |v: Vec<f64>| crate::plot::extent(v).map(|(low, high)| high - low).unwrap();
            let steps = circle.unwrap();
            let (wide, high) = (extent(at(steps, 0)), extent(at(steps, 1)));
            assert!((wide / high - 1.0).abs() < 0.02, "{wide} × {high}");
        }
    }

    #[test]
    fn points_that_are_none_are_counted_and_none_at_all_gives_a_placeholder() {
        let plane = ComplexPlane::new("").points("W", [(0.5, 0.0), (f64::NAN, 1.0), (2.0, 0.0)]);
        let figure = plane.draw().unwrap();
        assert!(figure.to_inline_svg().contains("not finite (NaN, ±∞): 1 point"));
        assert!(figure.alt().contains("2 points in the complex plane, 1 of them outside"));
        let empty = ComplexPlane::new("").points("W", []).draw().unwrap();
        assert!(empty.to_inline_svg().contains("no finite point"));
    }
}
