//! A strip of letters, each on the colour of its number: the residues of a protein and what a decision owes to
//! them. Wrapped into lines with positions.

use super::colorbar;
use crate::colormap::{ColorScale, Excess, category_color};
use crate::error::{Error, Result, check_len, check_limit};
use crate::figure::Figure;
use crate::font::{Weight, width};
use crate::legend::{self, Entry, Mark};
use crate::number::{count, significant};
use crate::scene::{Anchor, Item, Scene};
use crate::style::{PAD, SMALL, join, placeholder, plural, title};
use crate::theme::Paint;

/// The most letters.
const LIMIT: usize = 10_000;
/// Letters that stand together.
const GROUP: usize = 10;
/// Space between such groups, in pixels.
const GAP: f64 = 5.0;
const LINE: f64 = 27.0;
const HEIGHT: f64 = 17.0;

/// A strip of letters.
#[derive(Clone, Debug, PartialEq)]
pub struct LetterStrip {
    title: String,
    letters: Vec<char>,
    values: Vec<f64>,
    scale: ColorScale,
    regions: Vec<(usize, usize, String)>,
    per_line: usize,
    width: f64,
}

impl LetterStrip {
    /// Letters with a number each. A signed number wants a [`ColorScale::symmetric`] scale.
    pub fn new(
        title: impl Into<String>,
        letters: impl IntoIterator<Item = char>,
        values: Vec<f64>,
        scale: ColorScale,
    ) -> LetterStrip {
        let letters = letters.into_iter().collect();
        let (regions, per_line, width) = (Vec::new(), 60, 760.0);
        LetterStrip { title: title.into(), letters, values, scale, regions, per_line, width }
    }

    /// Underlines the letters from `first` to `last`, counted from 1; the legend names them.
    #[must_use]
    pub fn underline(mut self, first: usize, last: usize, label: impl Into<String>) -> LetterStrip {
        self.regions.push((first, last, label.into()));
        self
    }

    /// Letters in a line (60 unless given).
    #[must_use]
    pub fn per_line(mut self, count: usize) -> LetterStrip {
        self.per_line = count.clamp(1, 200);
        self
    }

    /// Width of the figure in CSS pixels.
    #[must_use]
    pub fn width(mut self, width: f64) -> LetterStrip {
        self.width = width.clamp(200.0, 4000.0);
        self
    }

    /// Draws the strip; a placeholder where there is no letter.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are not as many numbers as letters or a region is not among them,
    /// [`Error::TooLarge`] above 10,000 letters.
    pub fn draw(&self) -> Result<Figure> {
        if self.letters.is_empty() {
            return Ok(placeholder(&self.title, self.width, "there is no letter"));
        }
        self.check()?;
        let mut scene = Scene::new(self.width, 0.0);
        let room = self.width - 2.0 * PAD;
        let mut y = title(&mut scene, &self.title, PAD, room);
        y += legend::draw(&mut scene, PAD, y, room, &self.legend()) + 4.0;
        let digits = count(self.letters.len() as u64);
        let left = PAD + width(&digits, SMALL, Weight::Regular) + 10.0;
        let gaps = (self.per_line - 1) / GROUP;
        let cell = ((self.width - PAD - left - GAP * gaps as f64) / self.per_line as f64).min(15.0);
        let place = |i: usize| {
            let (line, column) = (i / self.per_line, i % self.per_line);
            let x = left + cell * column as f64 + GAP * (column / GROUP) as f64;
            (x, y + LINE * line as f64)
        };
        for (i, (letter, value)) in self.letters.iter().zip(&self.values).enumerate() {
            let (x, top) = place(i);
            if i % self.per_line == 0 {
                let number = Item::text(left - 8.0, top + 0.5 * HEIGHT, count(i as u64 + 1));
                let number = number.size(SMALL).fill(Paint::Soft).anchor(Anchor::End);
                scene.add(number.centred());
            }
            self.draw_letter(&mut scene, (x, top, cell), i, *letter, *value);
        }
        self.draw_regions(&mut scene, cell, place);
        let lines = self.letters.len().div_ceil(self.per_line);
        let bottom = y + LINE * lines as f64;
        let excess = Excess::count(&self.scale, self.values.iter().copied());
        let bar = colorbar::draw(&mut scene, PAD, bottom + 2.0, room, &self.scale, excess);
        scene.height = bottom + bar + 6.0;
        Ok(Figure::new(scene, join(&self.title, &self.words())))
    }

    fn check(&self) -> Result<()> {
        check_limit("letters of a strip", self.letters.len(), LIMIT, "show a part of them")?;
        check_len("numbers of a strip of letters", self.letters.len(), self.values.len())?;
        let is_outside =
            |(first, last): (usize, usize)| first == 0 || first > last || last > self.letters.len();
        match self.regions.iter().find(|region| is_outside((region.0, region.1))) {
            None => Ok(()),
            Some((first, last, label)) => Err(Error::Shape {
                what: format!("the region {label:?} of a strip of letters"),
                expected: format!("ends that rise, from 1 to {}", self.letters.len()),
                found: format!("{first} to {last}"),
            }),
        }
    }

    fn draw_letter(
        &self,
        scene: &mut Scene,
        (x, top, cell): (f64, f64, f64),
        index: usize,
        letter: char,
        value: f64,
    ) {
        let color = self.scale.color(value);
        let words = format!("{letter} {}: {}", index + 1, significant(value, 3));
        scene.add(Item::rect(x, top, cell, HEIGHT).fill(color).hover(words));
        let size = SMALL.min(cell + 0.5);
        let text = Item::text(x + 0.5 * cell, top + 0.5 * HEIGHT, letter.to_string()).size(size);
        scene.add(text.anchor(Anchor::Middle).fill(color.readable_ink()).centred());
    }

    /// A region that goes over several lines is underlined in each.
    fn draw_regions(&self, scene: &mut Scene, cell: f64, place: impl Fn(usize) -> (f64, f64)) {
        for (k, (first, last, _)) in self.regions.iter().enumerate() {
            let mut from = first - 1;
            while from < *last {
                let to = (from / self.per_line + 1).saturating_mul(self.per_line).min(*last);
                let ((x1, y), (x2, _)) = (place(from), place(to - 1));
                // Several at one place lie under each other.
                let y = y + HEIGHT + 3.0 + 2.5 * (k % 3) as f64;
                let line = Item::line(x1, y, x2 + cell, y);
                scene.add(line.stroke(region_color(k), 2.0));
                from = to;
            }
        }
    }

    fn legend(&self) -> Vec<Entry> {
        let named = self.regions.iter().enumerate();
        named
            .map(|(k, (_, _, label))| Entry::new(Mark::Line(region_color(k), Vec::new()), label))
            .collect()
    }

    fn words(&self) -> String {
        let finite = self.values.iter().enumerate().filter(|(_, v)| v.is_finite());
        let largest = finite.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        let size = plural(self.letters.len(), "letter");
        match largest {
            None => format!("{size} without a finite number."),
            Some((i, value)) => format!(
                "{size} coloured by {}; the largest is {} at {} {}.",
                if self.scale.label.is_empty() { "a number each" } else { &self.scale.label },
                significant(*value, 4),
                self.letters[i],
                i + 1
            ),
        }
    }
}

fn region_color(index: usize) -> Paint {
    match index {
        0 => Paint::Ink,
        i => Paint::Rgb(category_color([1, 2, 4][(i - 1) % 3])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(length: usize) -> LetterStrip {
        let letters = "MWACDEFGHIKLNPQRSTVY".chars().cycle().take(length);
        let values: Vec<f64> = (0..length).map(|i| (i as f64).sin()).collect();
        let scale = ColorScale::symmetric(1.0).unwrap().label("a signed number");
        LetterStrip::new("A protein", letters, values, scale)
    }

    #[test]
    fn every_text_is_legible_for_one_letter_and_for_a_thousand() {
        for length in [1, 59, 60, 61, 1000] {
            let figure = strip(length).draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{length} letters");
        }
        let narrow = strip(200).width(300.0).per_line(30).draw().unwrap();
        assert_eq!(narrow.illegible(), Vec::<String>::new());
    }

    #[test]
    fn a_line_begins_with_the_position_of_its_first_letter() {
        let svg = strip(130).underline(55, 70, "a region").draw().unwrap().to_inline_svg();
        for label in ["1", "61", "121", "a region"] {
            assert!(svg.contains(&format!(">{label}<")), "{label}: {svg}");
        }
        assert!(svg.contains("<title>M 61: "), "{svg}");
    }

    #[test]
    fn numbers_and_regions_that_do_not_fit_are_refused() {
        let mut wrong = strip(5);
        wrong.values.pop();
        assert!(wrong.draw().unwrap_err().to_string().contains("expected 5 values"));
        for (first, last) in [(0, 2), (3, 2), (1, 6)] {
            let error = strip(5).underline(first, last, "r").draw().unwrap_err().to_string();
            assert!(error.contains("from 1 to 5"), "{error}");
        }
        assert!(strip(0).draw().unwrap().to_inline_svg().contains("no letter"));
    }

    #[test]
    fn values_that_are_not_finite_have_a_colour_of_their_own_and_are_counted() {
        let mut strip = strip(3);
        strip.values[1] = f64::NAN;
        assert!(strip.draw().unwrap().to_inline_svg().contains("not finite (NaN, ±∞): 1 value"));
    }
}
