//! Curves over a common axis: training loss, accuracy against shift, gradient norms over time.

use crate::axis::Axis;
use crate::color::Rgb;
use crate::colormap::category_color;
use crate::error::{Result, check_len};
use crate::figure::Figure;
use crate::legend::{self, Entry, Mark};
use crate::plot::{Frame, Plot, extent};
use crate::scene::{Item, Step};
use crate::style::{WIDTH, join, not_finite, placeholder, plural};
use crate::theme::Paint;

/// The most series that the legend names.
const NAMED: usize = 24;
/// From this many points on, each column of pixels is drawn by its extremes.
const DENSE: usize = 2000;
/// The dashes of a vertical line.
const DOTS: &[f64] = &[2.0, 3.0];

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    band: Option<Vec<(f64, f64)>>,
    color: Option<Rgb>,
    dashed: bool,
    markers: bool,
    line: bool,
}

impl Series {
    /// A curve through points `(x, y)` in the given order. A value that is not finite interrupts it.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Series {
        Series {
            name: name.into(),
            points: points.into_iter().collect(),
            band: None,
            color: None,
            dashed: false,
            markers: false,
            line: true,
        }
    }

    /// A curve over 1, 2, 3, …: a value an epoch.
    pub fn numbered(name: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Series {
        Series::new(name, values.into_iter().enumerate().map(|(i, v)| ((i + 1) as f64, v)))
    }

    /// A band `(low, high)` at each point, such as the spread over seeds.
    #[must_use]
    pub fn band(mut self, band: impl IntoIterator<Item = (f64, f64)>) -> Series {
        self.band = Some(band.into_iter().collect());
        self
    }

    /// A colour other than the next of the palette.
    #[must_use]
    pub fn color(mut self, color: Rgb) -> Series {
        self.color = Some(color);
        self
    }

    /// Dashes the curve.
    #[must_use]
    pub fn dashed(mut self) -> Series {
        self.dashed = true;
        self
    }

    /// Marks each point.
    #[must_use]
    pub fn markers(mut self) -> Series {
        self.markers = true;
        self
    }

    /// Only the points, no curve through them.
    #[must_use]
    pub fn points_only(mut self) -> Series {
        self.markers = true;
        self.line = false;
        self
    }
}

/// A chart of curves.
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    title: String,
    x: Axis,
    y: Axis,
    series: Vec<Series>,
    levels: Vec<(f64, String)>,
    places: Vec<(f64, String)>,
    width: f64,
    height: f64,
}

impl LineChart {
    /// An empty chart with its axes.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> LineChart {
        let (series, levels, places) = (Vec::new(), Vec::new(), Vec::new());
        LineChart { title: title.into(), x, y, series, levels, places, width: WIDTH, height: 240.0 }
    }

    /// Adds a curve.
    #[must_use]
    pub fn series(mut self, series: Series) -> LineChart {
        self.series.push(series);
        self
    }

    /// Adds a dashed horizontal line that the legend names, such as a published value.
    #[must_use]
    pub fn level(mut self, value: f64, label: impl Into<String>) -> LineChart {
        self.levels.push((value, label.into()));
        self
    }

    /// Adds a dotted vertical line that the legend names, such as the step at which something happens.
    #[must_use]
    pub fn place(mut self, value: f64, label: impl Into<String>) -> LineChart {
        self.places.push((value, label.into()));
        self
    }

    /// Width of the figure and height of the plot area, in CSS pixels.
    #[must_use]
    pub fn size(mut self, width: f64, height: f64) -> LineChart {
        (self.width, self.height) = (width.clamp(200.0, 4000.0), height.clamp(60.0, 4000.0));
        self
    }

    /// Draws the chart; a placeholder where no series has a point.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) where a band has another length than its curve.
    pub fn draw(&self) -> Result<Figure> {
        for series in &self.series {
            if let Some(band) = &series.band {
                let what = format!("band of the series {:?}", series.name);
                check_len(&what, series.points.len(), band.len())?;
            }
        }
        if self.series.iter().all(|series| series.points.is_empty()) {
            return Ok(placeholder(&self.title, self.width, "no series has a point"));
        }
        let hidden: usize = self.series.iter().map(|series| self.hidden(series)).sum();
        let legend = self.legend(hidden);
        let mut plot = self.frame(&legend).draw();
        for (i, series) in self.series.iter().enumerate() {
            self.draw_band(&mut plot, series, self.color(i));
        }
        for (i, (value, _)) in self.levels.iter().enumerate() {
            let y = plot.py(*value);
            if !(self.y.can_show(*value) && within(&plot, plot.left, y)) {
                continue;
            }
            let line = Item::line(plot.left, y, plot.right(), y).stroke(Paint::Soft, 1.2);
            plot.scene.add(line.dash(level_dash(i)));
        }
        for (i, (value, _)) in self.places.iter().enumerate() {
            let inside = self.x.can_show(*value);
            let x = plot.px(*value);
            if inside && (plot.left - 0.5..=plot.right() + 0.5).contains(&x) {
                let line = Item::line(x, plot.top, x, plot.bottom());
                plot.scene.add(line.stroke(place_color(i), 1.4).dash(DOTS));
            }
        }
        for (i, series) in self.series.iter().enumerate() {
            self.draw_curve(&mut plot, series, self.color(i), dash(i, series));
        }
        Ok(Figure::new(plot.scene, join(&self.title, &self.words())))
    }

    fn frame<'a>(&'a self, legend: &'a [Entry]) -> Frame<'a> {
        let places = self.places.iter().map(|(value, _)| *value);
        let places = places.filter(|&value| self.x.can_show(value));
        let xs = self.shown().map(|(x, _)| x).chain(places);
        let bands = self.series.iter().filter_map(|series| series.band.as_ref()).flatten();
        let bands = bands.flat_map(|&(low, high)| [low, high]);
        let levels = self.levels.iter().map(|(value, _)| *value);
        let ys = self.shown().map(|(_, y)| y).chain(bands).chain(levels);
        Frame {
            title: &self.title,
            width: self.width,
            plot_height: self.height,
            x: &self.x,
            y: &self.y,
            x_extent: extent(xs),
            y_extent: extent(ys.filter(|&y| self.y.can_show(y))),
            x_loose: false,
            legend,
            min_left: 0.0,
        }
    }

    fn shown(&self) -> impl Iterator<Item = (f64, f64)> {
        let points = self.series.iter().flat_map(|series| series.points.iter().copied());
        points.filter(|&(x, y)| self.x.can_show(x) && self.y.can_show(y))
    }

    fn hidden(&self, series: &Series) -> usize {
        let shown = |&&(x, y): &&(f64, f64)| !(self.x.can_show(x) && self.y.can_show(y));
        series.points.iter().filter(shown).count()
    }

    fn color(&self, index: usize) -> Paint {
        Paint::Rgb(self.series[index].color.unwrap_or_else(|| category_color(index % 10)))
    }

    fn legend(&self, hidden: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        if self.series.len() > 1 || !self.levels.is_empty() || !self.places.is_empty() {
            for (i, series) in self.series.iter().take(NAMED).enumerate() {
                let mark = if series.line {
                    Mark::Line(self.color(i), dash(i, series))
                } else {
                    Mark::Dot(self.color(i))
                };
                entries.push(Entry::new(mark, &series.name));
            }
        }
        if self.series.len() > NAMED {
            let more = plural(self.series.len() - NAMED, "further curve");
            entries.push(Entry::new(Mark::Blank, format!("and {more}")));
        }
        for (i, (_, label)) in self.levels.iter().enumerate() {
            entries.push(Entry::new(Mark::Line(Paint::Soft, level_dash(i).to_vec()), label));
        }
        for (i, (_, label)) in self.places.iter().enumerate() {
            entries.push(Entry::new(Mark::Line(place_color(i), DOTS.to_vec()), label));
        }
        if hidden > 0 {
            let kind = match (self.x.log || self.y.log, self.y.powers) {
                (true, _) => "not finite or not above 0",
                (_, true) => "exactly 0 or not finite",
                _ => "not finite (NaN, ±∞)",
            };
            let label = format!("{kind}: {}", plural(hidden, "point"));
            entries.push(Entry::new(Mark::Cross(not_finite().into()), label));
        }
        entries
    }

    fn draw_band(&self, plot: &mut Plot, series: &Series, color: Paint) {
        let Some(band) = &series.band else { return };
        let usable = |pair: &(&(f64, f64), &(f64, f64))| {
            let (&(x, _), &(low, high)) = *pair;
            self.x.can_show(x) && self.y.can_show(low) && self.y.can_show(high)
        };
        let points: Vec<_> = series.points.iter().zip(band).filter(usable).collect();
        let inside = |plot: &Plot, v: f64| plot.py(v).clamp(plot.top, plot.bottom());
        let within = |plot: &Plot, v: f64| plot.px(v).clamp(plot.left, plot.right());
        let upper = points.iter().map(|(p, b)| (within(plot, p.0), inside(plot, b.1)));
        let lower = points.iter().rev().map(|(p, b)| (within(plot, p.0), inside(plot, b.0)));
        let outline: Vec<(f64, f64)> = upper.chain(lower).collect();
        plot.scene.add(Item::polygon(outline).fill(color).opacity(0.18));
    }

    fn draw_curve(&self, plot: &mut Plot, series: &Series, color: Paint, dash: Vec<f64>) {
        let mut run: Vec<(f64, f64)> = Vec::new();
        let mut runs = Vec::new();
        for &(x, y) in &series.points {
            if self.x.can_show(x) && self.y.can_show(y) {
                run.push((plot.px(x), plot.py(y)));
                continue;
            }
            runs.push(std::mem::take(&mut run));
            if self.x.can_show(x) {
                // A value beyond all bounds sits on the upper edge, the rest on the lower.
                let edge = if y == f64::INFINITY { plot.top } else { plot.bottom() };
                let at = plot.px(x).clamp(plot.left, plot.right());
                legend::cross(&mut plot.scene, at, edge, not_finite().into());
            }
        }
        runs.push(run);
        let single = runs.iter().any(|run| run.len() == 1);
        for run in runs.iter().filter(|_| series.line) {
            let steps = clipped(&thinned(run), plot);
            plot.scene.add(Item::path(steps).stroke(color, 1.8).dash(&dash));
        }
        let few = series.points.len() <= DENSE;
        let marked =
            runs.iter().filter(|run| (series.markers && few) || (single && run.len() == 1));
        let dots: Vec<(f64, f64)> = marked.flatten().copied().collect();
        for (x, y) in dots {
            if !within(plot, x, y) {
                continue;
            }
            plot.scene.add(Item::circle(x, y, 3.0).fill(color));
        }
    }

    fn words(&self) -> String {
        let describe = |series: &Series| {
            let mut shown =
                series.points.iter().filter(|p| self.x.can_show(p.0) && self.y.can_show(p.1));
            let first = shown.next();
            let last = shown.next_back().or(first);
            match (first, last) {
                (Some(first), Some(last)) => format!(
                    "{}: {} at {} to {} at {}",
                    series.name,
                    self.y.text(first.1),
                    self.x.text(first.0),
                    self.y.text(last.1),
                    self.x.text(last.0)
                ),
                _ => format!("{}: nothing that can be drawn", series.name),
            }
        };
        let curves: Vec<String> = self.series.iter().take(8).map(describe).collect();
        let rest = self.series.len().saturating_sub(8);
        let more = if rest > 0 {
            format!("; and {}", plural(rest, "further curve"))
        } else {
            String::new()
        };
        format!(
            "Line chart of {} over {}. {}{more}.",
            self.y.label,
            self.x.label,
            curves.join("; ")
        )
    }
}

fn dash(index: usize, series: &Series) -> Vec<f64> {
    // The palette begins anew after ten; the dashes then tell the curves apart.
    match (series.dashed, index / 10) {
        (true, _) => vec![6.0, 4.0],
        (false, 0) => Vec::new(),
        (false, 1) => vec![2.0, 3.0],
        (false, _) => vec![8.0, 3.0, 2.0, 3.0],
    }
}

/// Levels differ by their dashes.
fn level_dash(index: usize) -> &'static [f64] {
    match index % 4 {
        0 => &[5.0, 4.0],
        1 => &[1.5, 2.5],
        2 => &[9.0, 3.0, 2.0, 3.0],
        _ => &[12.0, 5.0],
    }
}

/// Places after the first differ from levels and from the curves before them.
fn place_color(index: usize) -> Paint {
    match index {
        0 => Paint::Ink,
        i => Paint::Rgb(category_color([3, 4, 8][(i - 1) % 3])),
    }
}

fn within(plot: &Plot, x: f64, y: f64) -> bool {
    (plot.left - 0.5..=plot.right() + 0.5).contains(&x)
        && (plot.top - 0.5..=plot.bottom() + 0.5).contains(&y)
}

/// A dense curve drawn by the first, lowest, highest and last point of each column of pixels, which
/// looks the same and keeps the file small (M4: Jugel et al., "M4: A Visualization-Oriented Time
/// Series Data Aggregation", VLDB 2014).
fn thinned(run: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if run.len() < DENSE {
        return run.to_vec();
    }
    let mut out = Vec::new();
    for column in run.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        let by_y = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let keep =
            [column.first(), column.iter().min_by(by_y), column.iter().max_by(by_y), column.last()];
        out.extend(keep.into_iter().flatten().copied());
    }
    out
}

/// The parts of a polyline that lie inside the plot area.
fn clipped(points: &[(f64, f64)], plot: &Plot) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut pen: Option<(f64, f64)> = None;
    for pair in points.windows(2) {
        let Some((from, to)) = clip(pair[0], pair[1], plot) else {
            pen = None;
            continue;
        };
        if pen != Some(from) {
            steps.push(Step::Move(from.0, from.1));
        }
        steps.push(Step::Line(to.0, to.1));
        pen = Some(to);
    }
    steps
}

/// The part of a segment inside the plot area (Liang and Barsky 1984).
fn clip(a: (f64, f64), b: (f64, f64), plot: &Plot) -> Option<((f64, f64), (f64, f64))> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (mut from, mut to) = (0.0f64, 1.0f64);
    let edges = [
        (-dx, a.0 - plot.left),
        (dx, plot.right() - a.0),
        (-dy, a.1 - plot.top),
        (dy, plot.bottom() - a.1),
    ];
    for (towards, distance) in edges {
        if towards == 0.0 {
            if distance < -0.01 {
                return None;
            }
        } else if towards < 0.0 {
            from = from.max(distance / towards);
        } else {
            to = to.min(distance / towards);
        }
    }
    let at = |t: f64| {
        if t == 0.0 {
            a
        } else if t == 1.0 {
            b
        } else {
            (a.0 + t * dx, a.1 + t * dy)
        }
    };
    (from <= to).then(|| (at(from), at(to)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Shape;

    fn chart() -> LineChart {
        LineChart::new("Loss", Axis::new("epoch"), Axis::new("cross-entropy"))
    }

    #[test]
    fn every_text_is_legible_for_one_and_for_a_thousand_series() {
        for count in [1, 3, 1000] {
            let mut chart = chart().level(0.5, "published");
            for i in 0..count {
                let f = move |x: usize| (x as f64, (x as f64 + i as f64).sqrt());
                chart = chart.series(Series::new(format!("a curve named {i}"), (0..20).map(f)));
            }
            let figure = chart.draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{count} series");
        }
    }

    #[test]
    fn values_that_are_not_finite_interrupt_the_curve_and_are_counted() {
        let values = [1.0, 2.0, f64::NAN, 3.0, f64::INFINITY, 2.0];
        let figure = chart().series(Series::numbered("loss", values)).draw().unwrap();
        let svg = figure.to_inline_svg();
        assert!(svg.contains("not finite (NaN, ±∞): 2 points"), "{svg}");
        let nothing = chart().series(Series::numbered("loss", [f64::NAN; 3])).draw().unwrap();
        assert_eq!(nothing.illegible(), Vec::<String>::new());
    }

    #[test]
    fn a_logarithmic_axis_counts_values_it_cannot_show() {
        let chart = LineChart::new("", Axis::new("t"), Axis::new("norm").log());
        let figure = chart.series(Series::numbered("g", [1e-3, 0.0, -1.0, 1e-9])).draw().unwrap();
        assert!(figure.to_inline_svg().contains("not above 0: 2 points"));
    }

    #[test]
    fn a_vertical_line_widens_the_axis_and_is_named() {
        let chart = chart().series(Series::numbered("loss", [1.0, 0.5])).place(9.0, "the end");
        let figure = chart.draw().unwrap();
        let svg = figure.to_inline_svg();
        assert!(svg.contains(">the end<") && svg.contains(">8<"), "{svg}");
        assert_eq!(figure.illegible(), Vec::<String>::new());
    }

    #[test]
    fn a_curve_never_leaves_a_fixed_range() {
        let chart = LineChart::new("", Axis::new("x"), Axis::new("y").range(0.0, 1.0));
        let figure = chart.series(Series::numbered("s", [0.5, 9.0, -9.0, 0.2])).draw().unwrap();
        for item in &figure.scene().items {
            let Shape::Path(steps) = &item.shape else { continue };
            for step in steps {
                if let Step::Move(_, y) | Step::Line(_, y) = step {
                    assert!((0.0..=figure.scene().height()).contains(y), "{y}");
                }
            }
        }
    }

    #[test]
    fn a_dense_curve_stays_a_small_file() {
        let wave = (0..1_000_000).map(|i| (f64::from(i), (f64::from(i) * 0.01).sin()));
        let figure = chart().series(Series::new("wave", wave)).draw().unwrap();
        assert!(figure.to_inline_svg().len() < 60_000);
    }

    #[test]
    fn an_empty_chart_says_so_and_a_wrong_band_is_refused() {
        let empty = chart().draw().unwrap();
        assert!(empty.to_inline_svg().contains("Nothing to show"));
        let wrong = chart().series(Series::numbered("s", [1.0, 2.0]).band([(0.0, 1.0)]));
        assert!(wrong.draw().unwrap_err().to_string().contains("band"));
    }
}
