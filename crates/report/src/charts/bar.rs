//! Horizontal bars: a number a category, or several side by side. Labels stay readable however long.

use crate::axis::{Axis, Layout};
use crate::colormap::category_color;
use crate::error::{Result, check_len};
use crate::figure::Figure;
use crate::font::{Weight, elide, width};
use crate::legend::{self, Entry, Mark};
use crate::number::{percent, significant};
use crate::plot::extent;
use crate::scene::{Anchor, Item, Scene};
use crate::style::{PAD, SMALL, WIDTH, join, not_finite, note, placeholder, plural, title};
use crate::theme::Paint;

/// One category.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    label: String,
    values: Vec<f64>,
    intervals: Vec<Option<(f64, f64)>>,
}

impl Bar {
    /// A category with a value for each series of the chart.
    pub fn new(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Bar {
        let values: Vec<f64> = values.into_iter().collect();
        Bar { label: label.into(), intervals: vec![None; values.len()], values }
    }

    /// Draws an interval `(low, high)` over each value, such as the spread over seeds.
    #[must_use]
    pub fn intervals(mut self, intervals: impl IntoIterator<Item = (f64, f64)>) -> Bar {
        self.intervals = intervals.into_iter().map(Some).collect();
        self
    }
}

/// A chart of horizontal bars from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct BarChart {
    title: String,
    axis: Axis,
    series: Vec<String>,
    bars: Vec<Bar>,
    levels: Vec<(f64, String)>,
    limit: usize,
    digits: usize,
    width: f64,
}

const STEP: f64 = 16.0;
const BETWEEN: f64 = 8.0;
/// The dashes of a level.
const LEVEL: &[f64] = &[5.0, 3.0];

impl BarChart {
    /// An empty chart with the axis of its values, one series.
    pub fn new(title: impl Into<String>, axis: Axis) -> BarChart {
        BarChart {
            title: title.into(),
            axis,
            series: vec![String::new()],
            bars: Vec::new(),
            levels: Vec::new(),
            limit: 60,
            digits: 4,
            width: WIDTH,
        }
    }

    /// Names the series: the values of each bar, in this order.
    #[must_use]
    pub fn series<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> BarChart {
        self.series = names.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a category.
    #[must_use]
    pub fn bar(mut self, bar: Bar) -> BarChart {
        self.bars.push(bar);
        self
    }

    /// Adds a dashed line across all bars that the legend names, such as what guessing reaches.
    #[must_use]
    pub fn level(mut self, value: f64, label: impl Into<String>) -> BarChart {
        self.levels.push((value, label.into()));
        self
    }

    /// The most categories that are drawn (60 unless given); the figure says how many it leaves out.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> BarChart {
        self.limit = limit.clamp(1, 500);
        self
    }

    /// Significant digits of the printed values (4 unless given).
    #[must_use]
    pub fn digits(mut self, digits: usize) -> BarChart {
        self.digits = digits.clamp(1, 12);
        self
    }

    /// Width of the figure in CSS pixels.
    #[must_use]
    pub fn width(mut self, width: f64) -> BarChart {
        self.width = width.clamp(240.0, 4000.0);
        self
    }

    /// Draws the chart; a placeholder where there is no bar.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) where a bar has not one value, and if any one
    /// interval, for each series.
    pub fn draw(&self) -> Result<Figure> {
        for bar in &self.bars {
            let what = format!("values of the bar {:?}", bar.label);
            check_len(&what, self.series.len(), bar.values.len())?;
            check_len(&what.replace("values", "intervals"), bar.values.len(), bar.intervals.len())?;
        }
        let shown = &self.bars[..self.bars.len().min(self.limit)];
        if shown.is_empty() || self.series.is_empty() {
            return Ok(placeholder(&self.title, self.width, "there is no bar"));
        }
        let mut scene = Scene::new(self.width, 0.0);
        let room = self.width - 2.0 * PAD;
        let mut y = title(&mut scene, &self.title, PAD, room);
        y += legend::draw(&mut scene, PAD, y, room, &self.legend(shown)) + 4.0;
        let columns = self.columns(shown);
        let (top, bottom) = (y, y + self.rows_height(shown.len()));
        self.draw_axis(&mut scene, &columns, y, bottom);
        let row = |i: usize| top + 0.5 * BETWEEN + self.row_height() * i as f64;
        for (i, bar) in shown.iter().enumerate() {
            self.draw_bar(&mut scene, &columns, row(i), bar);
        }
        self.draw_levels(&mut scene, &columns, top, bottom);
        for (i, bar) in shown.iter().enumerate() {
            self.draw_intervals(&mut scene, &columns, row(i), bar);
        }
        scene.height = bottom + 24.0 + if self.axis.label.is_empty() { 0.0 } else { 18.0 };
        if self.bars.len() > shown.len() {
            let rest = plural(self.bars.len() - shown.len(), "further category");
            let at = scene.height;
            scene.height = note(&mut scene, &format!("and {rest} not drawn"), PAD, at, room) + 4.0;
        }
        Ok(Figure::new(scene, join(&self.title, &self.words(shown))))
    }

    fn row_height(&self) -> f64 {
        STEP * self.series.len() as f64 + BETWEEN
    }

    fn rows_height(&self, rows: usize) -> f64 {
        self.row_height() * rows as f64
    }

    fn legend(&self, shown: &[Bar]) -> Vec<Entry> {
        let mut entries = Vec::new();
        if self.series.len() > 1 {
            let mark = |i: usize| Mark::Box(category_color(i % 10).into(), 1.0);
            entries.extend(self.series.iter().enumerate().map(|(i, s)| Entry::new(mark(i), s)));
        }
        for (i, (_, label)) in self.levels.iter().enumerate() {
            entries.push(Entry::new(Mark::Line(level_color(i), LEVEL.to_vec()), label));
        }
        if shown.iter().flat_map(|bar| &bar.values).any(|v| !v.is_finite()) {
            entries.push(Entry::new(Mark::Cross(not_finite().into()), "not finite (NaN, ±∞)"));
        }
        entries
    }

    /// Labels to the left, bars in the middle, values in a column to the right.
    fn columns(&self, shown: &[Bar]) -> Columns {
        let text = |s: &str| width(s, SMALL, Weight::Regular);
        let labels = shown.iter().map(|bar| text(&bar.label)).fold(0.0, f64::max);
        let values = shown.iter().flat_map(|bar| &bar.values);
        let values = values.map(|&v| text(&self.value_text(v))).fold(0.0, f64::max);
        let left = PAD + labels.min(0.36 * self.width) + 10.0;
        let right = (self.width - PAD - values - 12.0).max(left + 40.0);
        let intervals = shown.iter().flat_map(|bar| &bar.intervals).flatten();
        let numbers = shown.iter().flat_map(|bar| bar.values.iter().copied());
        let all = numbers.chain(intervals.flat_map(|&(low, high)| [low, high]));
        let base = if self.axis.log { None } else { Some(0.0) };
        let all = all.chain(self.levels.iter().map(|(value, _)| *value));
        let extent = extent(all.chain(base).filter(|&v| self.axis.can_show(v)));
        let target = ((right - left) / 70.0).clamp(1.0, 10.0) as usize;
        let layout = self.axis.lay_out(extent, target, true);
        Columns { left, right, layout }
    }

    fn value_text(&self, value: f64) -> String {
        if !self.axis.percent {
            return significant(value, self.digits);
        }
        percent(value, self.digits.saturating_sub(2))
    }

    fn draw_axis(&self, scene: &mut Scene, columns: &Columns, top: f64, bottom: f64) {
        let mut taken = f64::NEG_INFINITY;
        for (value, label) in &columns.layout.ticks {
            let x = columns.x(*value);
            scene.add(Item::line(x, top, x, bottom).stroke(Paint::Grid, 1.0));
            let half = 0.5 * width(label, SMALL, Weight::Regular);
            let middle = x.clamp(half + 2.0, self.width - half - 2.0);
            if middle - half < taken + 6.0 {
                continue;
            }
            taken = middle + half;
            let text = Item::text(middle, bottom + 17.0, label).anchor(Anchor::Middle);
            scene.add(text.size(SMALL).fill(Paint::Soft));
        }
        let base = columns.base();
        scene.add(Item::line(base, top, base, bottom).stroke(Paint::Rule, 1.0));
        let mut label = self.axis.label.clone();
        if columns.layout.from > 0.0 && !self.axis.log {
            label += " (axis does not begin at 0)";
        }
        let label = elide(&label, SMALL, Weight::Regular, self.width - 2.0 * PAD);
        let half = 0.5 * width(&label, SMALL, Weight::Regular);
        let middle = 0.5 * (columns.left + columns.right);
        let x = middle.min(self.width - PAD - half).max(PAD + half);
        let text = Item::text(x, bottom + 36.0, label).anchor(Anchor::Middle);
        scene.add(text.size(SMALL).fill(Paint::Soft));
    }

    fn draw_bar(&self, scene: &mut Scene, columns: &Columns, top: f64, bar: &Bar) {
        let middle = top + 0.5 * STEP * self.series.len() as f64;
        let label = elide(&bar.label, SMALL, Weight::Regular, columns.left - PAD - 10.0);
        let text = Item::text(columns.left - 10.0, middle, label).size(SMALL).anchor(Anchor::End);
        scene.add(text.centred().hover(&bar.label));
        for (i, &value) in bar.values.iter().enumerate() {
            let middle = top + STEP * (i as f64 + 0.5);
            if self.axis.can_show(value) {
                let (a, b) = (columns.base(), columns.x(value).clamp(columns.left, columns.right));
                let item = Item::rect(a.min(b), middle - 5.5, (a - b).abs(), 11.0);
                scene.add(item.fill(category_color(i % 10)));
            } else {
                legend::cross(scene, columns.base() + 7.0, middle, not_finite().into());
            }
            let text = Item::text(self.width - PAD, middle, self.value_text(value));
            scene.add(text.size(SMALL).anchor(Anchor::End).centred());
        }
    }

    /// White beneath, so that a line shows on bars too.
    fn draw_levels(&self, scene: &mut Scene, columns: &Columns, top: f64, bottom: f64) {
        for (i, (value, _)) in self.levels.iter().enumerate() {
            if !self.axis.can_show(*value) {
                continue;
            }
            let x = columns.x(*value);
            if (columns.left - 0.5..=columns.right + 0.5).contains(&x) {
                let line = Item::line(x, top, x, bottom);
                scene.add(line.clone().stroke(Paint::Paper, 3.0));
                scene.add(line.stroke(level_color(i), 1.4).dash(LEVEL));
            }
        }
    }

    fn draw_intervals(&self, scene: &mut Scene, columns: &Columns, top: f64, bar: &Bar) {
        for (i, interval) in bar.intervals.iter().enumerate() {
            if let Some((low, high)) = interval {
                let middle = top + STEP * (i as f64 + 0.5);
                self.draw_interval(scene, columns, middle, *low, *high);
            }
        }
    }

    fn draw_interval(&self, scene: &mut Scene, columns: &Columns, y: f64, low: f64, high: f64) {
        if !(self.axis.can_show(low) && self.axis.can_show(high)) {
            return;
        }
        let [low, high] = [low, high].map(|v| columns.x(v).clamp(columns.left, columns.right));
        scene.add(Item::line(low, y, high, y).stroke(Paint::Ink, 1.4));
        for x in [low, high] {
            scene.add(Item::line(x, y - 3.5, x, y + 3.5).stroke(Paint::Ink, 1.4));
        }
    }

    fn words(&self, shown: &[Bar]) -> String {
        let describe = |bar: &Bar| {
            let values: Vec<String> = bar.values.iter().map(|&v| self.value_text(v)).collect();
            format!("{}: {}", bar.label, values.join(", "))
        };
        let bars: Vec<String> = shown.iter().take(30).map(describe).collect();
        format!("Bar chart of {}. {}.", self.axis.label, bars.join("; "))
    }
}

fn level_color(index: usize) -> Paint {
    match index {
        0 => Paint::Ink,
        i => Paint::Rgb(category_color([3, 4, 8, 5][(i - 1) % 4])),
    }
}

struct Columns {
    left: f64,
    right: f64,
    layout: Layout,
}

impl Columns {
    fn x(&self, value: f64) -> f64 {
        self.left + (self.right - self.left) * self.layout.position(value)
    }

    /// Where bars begin: at 0, or at the end of the axis that is nearest to it.
    fn base(&self) -> f64 {
        let zero = if self.layout.from > 0.0 { self.layout.from } else { 0.0 };
        self.x(zero).clamp(self.left, self.right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_legible_for_one_and_for_a_thousand_long_labels() {
        for count in [1, 7, 1000] {
            let mut chart = BarChart::new("Accuracy", Axis::new("accuracy").percent());
            for i in 0..count {
                let label = format!("a category with a very long name, number {i}");
                chart = chart.bar(Bar::new(label, [i as f64 / count as f64]));
            }
            let figure = chart.draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{count} bars");
            assert_eq!(figure.to_inline_svg().contains("not drawn"), count == 1000);
        }
    }

    #[test]
    fn signed_values_and_values_that_are_not_finite_are_drawn() {
        let chart = BarChart::new("Difference", Axis::new("difference")).series(["a", "b"]);
        let chart =
            chart.bar(Bar::new("x", [-0.5, f64::NAN]).intervals([(-0.6, -0.4), (0.0, 0.1)]));
        let figure = chart.draw().unwrap();
        assert_eq!(figure.illegible(), Vec::<String>::new());
        let svg = figure.to_inline_svg();
        assert!(svg.contains(">NaN<") && svg.contains("not finite"), "{svg}");
    }

    #[test]
    fn levels_are_named_and_lie_within_the_axis() {
        let chart = BarChart::new("Accuracy", Axis::new("accuracy").percent());
        let chart =
            chart.bar(Bar::new("LSTM", [0.6])).level(0.5, "guessing").level(0.9, "30 residues");
        let figure = chart.draw().unwrap();
        let svg = figure.to_inline_svg();
        assert!(svg.contains(">guessing<") && svg.contains(">30 residues<"), "{svg}");
        assert!(svg.contains(">100 %<"), "the axis reaches the higher level: {svg}");
        assert_eq!(figure.illegible(), Vec::<String>::new());
    }

    #[test]
    fn a_bar_with_the_wrong_count_of_values_is_refused() {
        let chart = BarChart::new("", Axis::new("v")).series(["a", "b"]).bar(Bar::new("x", [1.0]));
        assert!(chart.draw().unwrap_err().to_string().contains("expected 2"));
        let empty = BarChart::new("", Axis::new("v")).draw().unwrap();
        assert!(empty.to_inline_svg().contains("no bar"));
    }
}
