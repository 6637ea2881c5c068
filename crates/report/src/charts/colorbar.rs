//! The colour bar: what each colour stands for, and what the scale cannot show.

use crate::axis::Axis;
use crate::color::Rgb;
use crate::colormap::{ColorScale, Excess};
use crate::font::{Weight, elide, width};
use crate::legend::{self, Entry, Mark};
use crate::pixels::PixelGrid;
use crate::scene::{Anchor, Item, Scene};
use crate::style::{SMALL, plural};
use crate::theme::Paint;

const LENGTH: f64 = 260.0;
const THICKNESS: f64 = 11.0;

/// Draws a horizontal colour bar from (x, y) downwards within `room` and gives the height it took.
pub(super) fn draw(
    scene: &mut Scene,
    x: f64,
    y: f64,
    room: f64,
    scale: &ColorScale,
    excess: Excess,
) -> f64 {
    let mut top = y;
    if !scale.label.is_empty() {
        let label = elide(&scale.label, SMALL, Weight::Regular, room);
        scene.add(Item::text(x, top + 11.0, label).size(SMALL).fill(Paint::Soft));
        top += 17.0;
    }
    let (percent, log, powers) = (scale.percent, scale.log, scale.powers);
    let axis = Axis { percent, log, powers, ..Axis::new("") };
    let axis = axis.range(scale.min, scale.max);
    let ends = [scale.min, scale.max].map(|v| end_label(scale, v));
    let (left, length) = (x, LENGTH.min(room).max(40.0));
    draw_ramp(scene, left, top, length, scale);
    draw_ticks(scene, (left, top + THICKNESS, length), scale, &axis, &ends);
    top += THICKNESS + 20.0;
    top += legend::draw(scene, x, top, room, &entries(scale, excess));
    top - y
}

fn draw_ramp(scene: &mut Scene, left: f64, top: f64, length: f64, scale: &ColorScale) {
    let colors: Vec<Rgb> = (0..256).map(|i| scale.map.color(f64::from(i) / 255.0)).collect();
    if let Ok(ramp) = PixelGrid::new(256, 1, colors) {
        scene.add(Item::image(left, top, length, THICKNESS, ramp).named("color-bar"));
    }
    scene.add(Item::rect(left, top, length, THICKNESS).stroke(Paint::Rule, 0.75));
}

/// Both ends always have their number; of the round numbers between them, those with room.
fn draw_ticks(
    scene: &mut Scene,
    (left, top, length): (f64, f64, f64),
    scale: &ColorScale,
    axis: &Axis,
    ends: &[String; 2],
) {
    let layout = axis.lay_out(None, 4, false);
    let mut placed: Vec<(f64, f64)> = Vec::new();
    let mut place = |position: f64, label: &str, anchor: Anchor| {
        let at = left + length * position;
        let long = width(label, SMALL, Weight::Regular);
        let begin = match anchor {
            Anchor::Start => at,
            Anchor::Middle => at - 0.5 * long,
            Anchor::End => at - long,
        };
        if placed.iter().any(|&(from, to)| begin < to + 8.0 && from < begin + long + 8.0) {
            return;
        }
        placed.push((begin, begin + long));
        scene.add(Item::line(at, top, at, top + 4.0).stroke(Paint::Rule, 1.0));
        let text = Item::text(at, top + 16.0, label).size(SMALL).fill(Paint::Soft);
        scene.add(text.anchor(anchor));
    };
    place(0.0, &ends[0], Anchor::Start);
    place(1.0, &ends[1], Anchor::End);
    for (value, label) in &layout.ticks {
        place(scale.position(*value), label, Anchor::Middle);
    }
}

fn end_label(scale: &ColorScale, value: f64) -> String {
    if scale.percent {
        return crate::number::significant(100.0 * value, 3) + " %";
    }
    if scale.powers {
        return crate::number::power(value, 2);
    }
    crate::number::significant(value, 3)
}

fn entries(scale: &ColorScale, excess: Excess) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |count: usize, color: Rgb, words: &str| {
        if count > 0 {
            let label = format!("{words}: {}", plural(count, "value"));
            entries.push(Entry::new(Mark::Box(color.into(), 1.0), label));
        }
    };
    let none = if scale.powers { "exactly 0 or not finite" } else { "not finite (NaN, ±∞)" };
    add(excess.not_finite, scale.map.not_finite(), none);
    add(excess.below, scale.map.color(0.0), "below the scale");
    add(excess.above, scale.map.color(1.0), "above the scale");
    entries
}
