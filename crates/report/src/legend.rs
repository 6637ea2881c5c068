//! The legend: rows of marks with names, wrapped to the width of the figure.

use crate::font::{Weight, elide, width};
use crate::scene::{Item, Scene};
use crate::style::SMALL;
use crate::theme::Paint;

/// The mark before a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mark {
    Line(Paint, Vec<f64>),
    Dot(Paint),
    Box(Paint, f64),
    Outline(Paint),
    Cross(Paint),
    Blank,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) mark: Mark,
    pub(crate) label: String,
}

impl Entry {
    pub(crate) fn new(mark: Mark, label: impl Into<String>) -> Entry {
        Entry { mark, label: label.into() }
    }
}

const ROW: f64 = 19.0;
const MARK: f64 = 18.0;
const GAP: f64 = 18.0;

/// Draws the entries from (x, y) downwards within `room` and gives the height they took.
pub(crate) fn draw(scene: &mut Scene, x: f64, y: f64, room: f64, entries: &[Entry]) -> f64 {
    if entries.is_empty() {
        return 0.0;
    }
    let (mut left, mut middle) = (x, y + 0.5 * ROW);
    for entry in entries {
        let indent = if entry.mark == Mark::Blank { 0.0 } else { MARK + 6.0 };
        let label = elide(&entry.label, SMALL, Weight::Regular, room - indent);
        let needed = indent + width(&label, SMALL, Weight::Regular);
        if left > x && left + needed > x + room {
            left = x;
            middle += ROW;
        }
        draw_mark(scene, left, middle, &entry.mark);
        scene.add(Item::text(left + indent, middle, label).size(SMALL).fill(Paint::Soft).centred());
        left += needed + GAP;
    }
    middle + 0.5 * ROW - y
}

fn draw_mark(scene: &mut Scene, x: f64, y: f64, mark: &Mark) {
    let middle = x + 0.5 * MARK;
    match mark {
        Mark::Line(paint, dash) => {
            scene.add(Item::line(x, y, x + MARK, y).stroke(*paint, 2.0).dash(dash));
        }
        Mark::Dot(paint) => scene.add(Item::circle(middle, y, 3.5).fill(*paint)),
        Mark::Box(paint, opacity) => {
            let item = Item::rect(middle - 6.0, y - 6.0, 12.0, 12.0).rounded(2.0);
            scene.add(item.fill(*paint).opacity(*opacity));
        }
        Mark::Outline(paint) => {
            // White around it as on the chart: a dark outline would be lost on a dark page.
            let halo = Item::rect(middle - 6.0, y - 6.0, 12.0, 12.0);
            scene.add(halo.stroke(crate::color::Rgb::WHITE, 4.0));
            scene.add(Item::rect(middle - 6.0, y - 6.0, 12.0, 12.0).stroke(*paint, 1.5));
        }
        Mark::Cross(paint) => cross(scene, middle, y, *paint),
        Mark::Blank => {}
    }
}

/// The mark of values that are no numbers.
pub(crate) fn cross(scene: &mut Scene, x: f64, y: f64, paint: Paint) {
    let r = 3.5;
    scene.add(Item::line(x - r, y - r, x + r, y + r).stroke(paint, 1.8));
    scene.add(Item::line(x - r, y + r, x + r, y - r).stroke(paint, 1.8));
}
