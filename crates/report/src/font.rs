//! The embedded typeface: metrics for the layout, outlines for PNG, and the files for the page.
//!
//! A subset of Inter (SIL Open Font License 1.1, see `fonts/OFL.txt`): Latin, Greek, arrows and the
//! common mathematical signs, regular and semibold.

use std::sync::OnceLock;

use ttf_parser::{Face, OutlineBuilder};
use unicode_width::UnicodeWidthChar;

/// Family name under which page and figures use the embedded files. Not "Inter", so that an
/// installed version with other metrics is never taken instead.
pub(crate) const FAMILY: &str = "Cutaway Sans";

/// Height of capitals and digits in em.
pub(crate) const CAP_HEIGHT: f64 = 0.727;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Weight {
    #[default]
    Regular,
    SemiBold,
}

impl Weight {
    pub(crate) fn css(self) -> u32 {
        match self {
            Weight::Regular => 400,
            Weight::SemiBold => 600,
        }
    }

    /// The file for browsers.
    pub(crate) fn woff2(self) -> &'static [u8] {
        match self {
            Weight::Regular => include_bytes!("../fonts/Inter-Regular.subset.woff2"),
            Weight::SemiBold => include_bytes!("../fonts/Inter-SemiBold.subset.woff2"),
        }
    }

    fn face(self) -> Option<&'static Face<'static>> {
        static REGULAR: OnceLock<Option<Face<'static>>> = OnceLock::new();
        static SEMIBOLD: OnceLock<Option<Face<'static>>> = OnceLock::new();
        let (cell, bytes): (_, &'static [u8]) = match self {
            Weight::Regular => (&REGULAR, include_bytes!("../fonts/Inter-Regular.subset.otf")),
            Weight::SemiBold => (&SEMIBOLD, include_bytes!("../fonts/Inter-SemiBold.subset.otf")),
        };
        cell.get_or_init(|| Face::parse(bytes, 0).ok()).as_ref()
    }
}

/// Width in em of one character. A character that the typeface lacks (it will come from one of the
/// reader's fonts) is estimated from its width on a terminal.
fn advance(face: Option<&Face<'_>>, c: char) -> f64 {
    let known = face.and_then(|face| {
        let glyph = face.glyph_index(c)?;
        Some(f64::from(face.glyph_hor_advance(glyph)?) / f64::from(face.units_per_em()))
    });
    known.unwrap_or_else(|| match c.width().unwrap_or(0) {
        0 => 0.0,
        1 => 0.6,
        _ => 1.0,
    })
}

/// Width of a line of text.
pub(crate) fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let face = weight.face();
    text.chars().map(|c| advance(face, c)).sum::<f64>() * size
}

/// The text, or as much of its beginning as fits into `room` with an ellipsis.
pub(crate) fn elide(text: &str, size: f64, weight: Weight, room: f64) -> String {
    // The room is often the width of this very text, up to rounding.
    if width(text, size, weight) <= room + 0.01 {
        return text.to_owned();
    }
    let face = weight.face();
    let mut left = room / size - advance(face, '…');
    let fits = |c: &char| {
        left -= advance(face, *c);
        left >= 0.0
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

/// Breaks a text at spaces into lines no wider than `room`; a longer word is elided. At most
/// `limit` lines, the last one elided if more is left.
pub(crate) fn wrap(text: &str, size: f64, weight: Weight, room: f64, limit: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        if let Some(line) = lines.last_mut() {
            let longer = format!("{line} {word}");
            if width(&longer, size, weight) <= room || lines.len() == limit.max(1) {
                lines.pop();
                lines.push(longer);
                continue;
            }
        }
        lines.push(word.to_owned());
    }
    lines.iter().map(|line| elide(line, size, weight, room)).collect()
}

/// Draws the outlines of a line of text that begins at the origin, y upwards, in units of em.
/// Characters that the typeface lacks become an empty box.
pub(crate) fn outline(text: &str, weight: Weight, pen: &mut impl Pen) {
    let Some(face) = weight.face() else { return };
    let scale = 1.0 / f64::from(face.units_per_em());
    let mut x = 0.0;
    for c in text.chars() {
        if let Some(glyph) = face.glyph_index(c) {
            face.outline_glyph(glyph, &mut Placed { pen, x, scale });
        } else if c.width().unwrap_or(0) > 0 && !c.is_whitespace() {
            empty_box(pen, x + 0.06, advance(Some(face), c) - 0.12);
        }
        x += advance(Some(face), c);
    }
}

fn empty_box(pen: &mut impl Pen, x: f64, width: f64) {
    // The inner rectangle runs the other way round, which leaves a hole when filled.
    let (w, h, t) = (width, CAP_HEIGHT, 0.06);
    let outer = [(x, 0.0), (x + w, 0.0), (x + w, h), (x, h)];
    let inner = [(x + t, t), (x + t, h - t), (x + w - t, h - t), (x + w - t, t)];
    for corners in [outer, inner] {
        pen.move_to(corners[0].0, corners[0].1);
        corners[1..].iter().for_each(|&(x, y)| pen.line_to(x, y));
        pen.close();
    }
}

/// Receives outlines.
pub(crate) trait Pen {
    fn move_to(&mut self, x: f64, y: f64);
    fn line_to(&mut self, x: f64, y: f64);
    fn quad_to(&mut self, x1: f64, y1: f64, x: f64, y: f64);
    fn cubic_to(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, x: f64, y: f64);
    fn close(&mut self);
}

/// Moves a glyph to its place in the line.
struct Placed<'a, P> {
    pen: &'a mut P,
    x: f64,
    scale: f64,
}

impl<P> Placed<'_, P> {
    fn at(&self, x: f32, y: f32) -> (f64, f64) {
        (self.x + f64::from(x) * self.scale, f64::from(y) * self.scale)
    }
}

impl<P: Pen> OutlineBuilder for Placed<'_, P> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.pen.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.pen.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.pen.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.pen.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.pen.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_faces_parse_and_hold_the_signs_that_figures_use() {
        for weight in [Weight::Regular, Weight::SemiBold] {
            let face = weight.face().expect("the embedded face parses");
            for c in "AZaz09äéñßŁ…→×−≤≥±·⁰¹²³⁴⁵⁶⁷⁸⁹⁻μσΔ∂∞∑√%".chars().filter(|&c| c != '‖')
            {
                assert!(face.glyph_index(c).is_some(), "{c} {weight:?}");
            }
            let cap = f64::from(face.capital_height().unwrap()) / f64::from(face.units_per_em());
            assert!((cap - CAP_HEIGHT).abs() < 0.005, "{cap}");
        }
    }

    #[test]
    fn an_elided_text_fits_and_ends_in_an_ellipsis() {
        let text = "a rather long label that nobody has room for";
        for room in [20.0, 60.0, 140.0] {
            let short = elide(text, 12.0, Weight::Regular, room);
            assert!(width(&short, 12.0, Weight::Regular) <= room + 0.01, "{short}");
            assert!(short.ends_with('…'));
        }
        assert_eq!(elide("fits", 12.0, Weight::Regular, 100.0), "fits");
    }

    #[test]
    fn wrapped_lines_fit_and_never_exceed_the_limit() {
        let text = "one two three four five six seven eight nine ten";
        let lines = wrap(text, 12.0, Weight::Regular, 70.0, 3);
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| width(line, 12.0, Weight::Regular) <= 70.0), "{lines:?}");
        assert_eq!(wrap("", 12.0, Weight::Regular, 70.0, 3), Vec::<String>::new());
    }
}
