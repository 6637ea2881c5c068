//! The frame of a chart with two axes: title, legend, grid, ticks and labels around the plot area.

use crate::axis::{Axis, Layout};
use crate::font::{Weight, elide, width};
use crate::legend::{self, Entry};
use crate::scene::{Anchor, Item, Scene};
use crate::style::{PAD, SMALL, title};
use crate::theme::Paint;

/// What the frame needs to know.
pub(crate) struct Frame<'a> {
    pub(crate) title: &'a str,
    pub(crate) width: f64,
    pub(crate) plot_height: f64,
    pub(crate) x: &'a Axis,
    pub(crate) y: &'a Axis,
    pub(crate) x_extent: Option<(f64, f64)>,
    pub(crate) y_extent: Option<(f64, f64)>,
    pub(crate) x_loose: bool,
    pub(crate) legend: &'a [Entry],
    /// Least distance of the plot area from the left edge, so that plots can stand under each other.
    pub(crate) min_left: f64,
}

/// The plot area with its axes settled; shapes are added to `scene`.
pub(crate) struct Plot {
    pub(crate) scene: Scene,
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) x: Layout,
    pub(crate) y: Layout,
}

impl Plot {
    pub(crate) fn px(&self, value: f64) -> f64 {
        self.left + self.width * self.x.position(value)
    }

    pub(crate) fn py(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - self.y.position(value))
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }
}

fn text_width(text: &str) -> f64 {
    width(text, SMALL, Weight::Regular)
}

impl Frame<'_> {
    /// Lays the frame out and draws everything that lies below the data.
    pub(crate) fn draw(&self) -> Plot {
        let mut scene = Scene::new(self.width, 0.0);
        let room = self.width - 2.0 * PAD;
        let mut top = title(&mut scene, self.title, PAD, room);
        top += legend::draw(&mut scene, PAD, top, room, self.legend);
        if !self.y.label.is_empty() {
            top += if self.legend.is_empty() { 0.0 } else { 4.0 };
            let label = elide(&self.y.label, SMALL, Weight::Regular, room);
            scene.add(Item::text(PAD, top + 13.0, label).size(SMALL).fill(Paint::Soft));
            top += 18.0;
        }
        top += 8.0;
        // Powers of ten bear to stand closer than steps of a linear axis.
        let pitch = if self.y.log || self.y.powers { 24.0 } else { 40.0 };
        let y_target = (self.plot_height / pitch).round().clamp(2.0, 10.0) as usize;
        let y = self.y.lay_out(self.y_extent, y_target, true);
        let widest = y.ticks.iter().map(|(_, label)| text_width(label)).fold(0.0, f64::max);
        let left = (PAD + widest + 8.0).max(self.min_left);
        let (x, right) = self.lay_out_x(left);
        let (plot_width, height) = (right - left, self.plot_height);
        let mut plot = Plot { scene, left, top, width: plot_width, height, x, y };
        self.draw_grid(&mut plot);
        self.draw_x_labels(&mut plot);
        plot
    }

    /// As many ticks as have room for their labels; the right margin holds half of the last label.
    fn lay_out_x(&self, left: f64) -> (Layout, f64) {
        let mut target = ((self.width - left) / 56.0).clamp(2.0, 12.0) as usize;
        loop {
            let layout = self.x.lay_out(self.x_extent, target, self.x_loose);
            let right = self.right_edge(left, &layout);
            let place = |value: f64| left + (right - left) * layout.position(value);
            let fits = layout.ticks.windows(2).all(|pair| {
                let [(a, first), (b, second)] = pair else { return true };
                0.5 * (text_width(first) + text_width(second)) + 8.0 <= place(*b) - place(*a)
            });
            if fits || target <= 1 {
                return (layout, right);
            }
            target -= 1;
        }
    }

    fn right_edge(&self, left: f64, layout: &Layout) -> f64 {
        let mut right = self.width - PAD;
        for (value, label) in &layout.ticks {
            let half = 0.5 * text_width(label);
            let position = layout.position(*value);
            // left + position * (right - left) + half must stay inside the figure.
            if position > 0.01 {
                right = right.min(left + (self.width - 4.0 - half - left) / position);
            }
        }
        right.max(left + 40.0)
    }

    fn draw_grid(&self, plot: &mut Plot) {
        let ticks = plot.y.ticks.clone();
        for (value, label) in ticks {
            let y = plot.py(value);
            plot.scene.add(Item::line(plot.left, y, plot.right(), y).stroke(Paint::Grid, 1.0));
            let text = Item::text(plot.left - 8.0, y, label).size(SMALL).fill(Paint::Soft);
            plot.scene.add(text.anchor(Anchor::End).centred());
        }
        let bottom = plot.bottom();
        plot.scene
            .add(Item::line(plot.left, bottom, plot.right(), bottom).stroke(Paint::Rule, 1.0));
        for (value, _) in plot.x.ticks.clone() {
            let x = plot.px(value);
            plot.scene.add(Item::line(x, bottom, x, bottom + 4.0).stroke(Paint::Rule, 1.0));
        }
    }

    fn draw_x_labels(&self, plot: &mut Plot) {
        let bottom = plot.bottom();
        let mut taken = f64::NEG_INFINITY;
        for (value, label) in plot.x.ticks.clone() {
            let half = 0.5 * text_width(&label);
            let x = plot.px(value).max(half + 2.0).min(self.width - half - 2.0);
            if x - half < taken + 4.0 {
                continue;
            }
            taken = x + half;
            let text = Item::text(x, bottom + 17.0, label).size(SMALL).fill(Paint::Soft);
            plot.scene.add(text.anchor(Anchor::Middle));
        }
        plot.scene.height = bottom + 24.0;
        if !self.x.label.is_empty() {
            let label = elide(&self.x.label, SMALL, Weight::Regular, self.width - 2.0 * PAD);
            let half = 0.5 * text_width(&label);
            let middle = 0.5 * (plot.left + plot.right());
            let x = middle.max(half + 2.0).min(self.width - half - 2.0);
            let text = Item::text(x, bottom + 36.0, label).size(SMALL).fill(Paint::Soft);
            plot.scene.add(text.anchor(Anchor::Middle));
            plot.scene.height = bottom + 42.0;
        }
    }
}

/// Smallest and largest of some values.
pub(crate) fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((low, high)) => Some((low.min(v), high.max(v))),
    })
}
