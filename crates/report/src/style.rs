//! Sizes that every figure shares, in CSS pixels, and the parts that every figure has.

use crate::color::Rgb;
use crate::colormap::ColorMap;
use crate::figure::Figure;
use crate::font::{Weight, wrap};
use crate::scene::{Anchor, Item, Scene};
use crate::theme::Paint;

/// Width of a figure unless its chart is given another.
pub(crate) const WIDTH: f64 = 560.0;
/// Titles.
pub(crate) const TITLE: f64 = 14.5;
/// Axis labels, captions of tiles, legends, tick labels.
pub(crate) const SMALL: f64 = 12.0;
/// Space around the figure.
pub(crate) const PAD: f64 = 10.0;

/// The colour of marks for values that are no numbers.
pub(crate) fn not_finite() -> Rgb {
    ColorMap::Sequential.not_finite()
}

/// Draws a title at the top left, on up to three lines, and gives the y below it.
pub(crate) fn title(scene: &mut Scene, text: &str, x: f64, room: f64) -> f64 {
    let mut y = PAD;
    for line in wrap(text, TITLE, Weight::SemiBold, room, 3) {
        y += 19.0;
        scene.add(Item::text(x, y - 4.5, line).size(TITLE).bold());
    }
    if y > PAD { y + 5.0 } else { y }
}

/// Draws a note in small type under the rest, wrapped, and gives the y below it.
pub(crate) fn note(scene: &mut Scene, text: &str, x: f64, y: f64, room: f64) -> f64 {
    let mut y = y;
    for line in wrap(text, SMALL, Weight::Regular, room, 4) {
        y += 17.0;
        scene.add(Item::text(x, y - 4.5, line).size(SMALL).fill(Paint::Soft));
    }
    y
}

/// What stands where a chart has nothing to draw.
pub(crate) fn placeholder(heading: &str, width: f64, what: &str) -> Figure {
    let mut scene = Scene::new(width, 0.0);
    let top = title(&mut scene, heading, PAD, width - 2.0 * PAD);
    let (frame_width, height) = (width - 2.0 * PAD, 72.0);
    let frame = Item::rect(PAD, top, frame_width, height).rounded(6.0).fill(Paint::Panel);
    scene.add(frame.stroke(Paint::Rule, 1.0).dash(&[4.0, 4.0]));
    let text = format!("Nothing to show: {what}");
    let line = crate::font::elide(&text, SMALL, Weight::Regular, frame_width - 24.0);
    let middle = Item::text(0.5 * width, top + 0.5 * height, line);
    scene.add(middle.size(SMALL).fill(Paint::Soft).anchor(Anchor::Middle).centred());
    scene.height = top + height + PAD;
    Figure::new(scene, join(heading, &text))
}

/// The description in words: title, then what the figure shows.
pub(crate) fn join(heading: &str, words: &str) -> String {
    if heading.is_empty() { words.to_owned() } else { format!("{heading}. {words}") }
}

/// `1 tile`, `2 tiles`, `3 classes`, `4 categories`.
pub(crate) fn plural(count: usize, noun: &str) -> String {
    let number = crate::number::count(count as u64);
    if count == 1 {
        return format!("{number} {noun}");
    }
    match noun.strip_suffix('y') {
        Some(stem) => format!("{number} {stem}ies"),
        None if noun.ends_with('s') => format!("{number} {noun}es"),
        None => format!("{number} {noun}s"),
    }
}
