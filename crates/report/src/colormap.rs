//! Colour maps, computed in OKLab, and scales that take a number to a colour.

use std::sync::OnceLock;

use crate::color::Rgb;
use crate::error::{Error, Result};

/// A colour map over 0..=1.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ColorMap {
    /// Perceptually uniform, dark violet → blue → green → light yellow. For magnitudes.
    Sequential,
    /// Perceptually uniform, pale blue → deep blue. For shares beside printed numbers.
    Tint,
    /// Black → white, as the pixel values of an image.
    Grey,
    /// Blue → near-white → red, both arms equally light. For signed values; 0.5 is zero.
    Diverging,
}

const STEPS: usize = 256;
type Lut = [Rgb; STEPS];

impl ColorMap {
    /// The colour at `t`, clamped to 0..=1; a `t` that is NaN gives [`ColorMap::not_finite`].
    #[must_use]
    pub fn color(self, t: f64) -> Rgb {
        if t.is_nan() {
            return self.not_finite();
        }
        let index = (t.clamp(0.0, 1.0) * (STEPS - 1) as f64).round() as usize;
        self.lut()[index]
    }

    /// The colour of values that are no numbers (NaN, ±∞): one that the map itself never takes.
    #[must_use]
    pub fn not_finite(self) -> Rgb {
        match self {
            // Among blues and reds a magenta would pass for a strong value.
            ColorMap::Diverging => Rgb(0x18, 0xa5, 0x3a),
            _ => Rgb(0xe0, 0x12, 0x8c),
        }
    }

    fn lut(self) -> &'static Lut {
        static SEQUENTIAL: OnceLock<Lut> = OnceLock::new();
        static TINT: OnceLock<Lut> = OnceLock::new();
        static GREY: OnceLock<Lut> = OnceLock::new();
        static DIVERGING: OnceLock<Lut> = OnceLock::new();
        match self {
            ColorMap::Sequential => SEQUENTIAL.get_or_init(|| uniform(sequential_path)),
            ColorMap::Tint => TINT.get_or_init(|| uniform(tint_path)),
            ColorMap::Grey => GREY.get_or_init(|| std::array::from_fn(|i| grey(i as u8))),
            ColorMap::Diverging => DIVERGING.get_or_init(diverging),
        }
    }
}

fn grey(v: u8) -> Rgb {
    Rgb(v, v, v)
}

/// Lightness rises in a straight line; the hue turns from violet to yellow.
fn sequential_path(t: f64) -> [f64; 3] {
    let lightness = 0.24 + 0.69 * t;
    // Lowest where sRGB has least room, between blue and green.
    let off = t - 0.42;
    let chroma = 0.088 + if off < 0.0 { 0.11 } else { 0.22 } * off * off;
    let hue = 300.0 - 193.0 * t;
    [lightness, chroma, hue]
}

fn tint_path(t: f64) -> [f64; 3] {
    let lightness = 0.955 - 0.575 * t;
    let chroma = 0.018 + 0.125 * (1.0 - (1.0 - t).powi(2));
    [lightness, chroma, 240.0 + 22.0 * t]
}

/// Two arms of equal lightness at equal distance from the middle, each a straight line in lightness.
fn diverging() -> Lut {
    std::array::from_fn(|i| {
        let t = 2.0 * i as f64 / (STEPS - 1) as f64 - 1.0;
        let s = t.abs();
        let lightness = 0.965 - 0.545 * s;
        let ramp = 1.0 - (1.0 - s).powi(2);
        if t < 0.0 {
            Rgb::from_oklch(lightness, 0.145 * ramp, 238.0 + 22.0 * s)
        } else {
            Rgb::from_oklch(lightness, 0.165 * ramp, 46.0 - 19.0 * s)
        }
    })
}

/// Samples a path at points that lie equally far apart in OKLab.
fn uniform(path: fn(f64) -> [f64; 3]) -> Lut {
    const FINE: usize = 2048;
    let at = |i: usize| path(i as f64 / FINE as f64);
    let lab = |[l, c, h]: [f64; 3]| [l, c * h.to_radians().cos(), c * h.to_radians().sin()];
    let mut length = vec![0.0; FINE + 1];
    for i in 1..=FINE {
        let (a, b) = (lab(at(i - 1)), lab(at(i)));
        let step: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
        length[i] = length[i - 1] + step.sqrt();
    }
    std::array::from_fn(|i| {
        let target = length[FINE] * i as f64 / (STEPS - 1) as f64;
        let [l, c, h] = at(length.partition_point(|&v| v < target).min(FINE));
        Rgb::from_oklch(l, c, h)
    })
}

/// Colours of series and classes; after the tenth, further hues at other lightnesses.
///
/// The first eight keep a contrast of at least 3 against both the light and the dark page.
#[must_use]
pub fn category_color(index: usize) -> Rgb {
    const LCH: [[f64; 3]; 10] = [
        [0.57, 0.170, 256.0],
        [0.655, 0.165, 52.0],
        [0.60, 0.125, 165.0],
        [0.57, 0.200, 12.0],
        [0.55, 0.190, 300.0],
        [0.655, 0.135, 92.0],
        [0.655, 0.110, 215.0],
        [0.63, 0.190, 345.0],
        [0.52, 0.080, 62.0],
        [0.60, 0.012, 250.0],
    ];
    let [l, c, h] = LCH.get(index).copied().unwrap_or_else(|| {
        let turn = index as f64 * 137.507_764;
        [[0.5, 0.62, 0.7][index % 3], 0.14, turn % 360.0]
    });
    Rgb::from_oklch(l, c, h)
}

/// Takes a number to a colour, with fixed ends that the colour bar states.
///
/// Values beyond an end get that end's colour, and the figure's colour bar says so.
#[derive(Clone, Debug, PartialEq)]
pub struct ColorScale {
    pub(crate) map: ColorMap,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) log: bool,
    pub(crate) percent: bool,
    pub(crate) powers: bool,
    pub(crate) label: String,
}

impl ColorScale {
    /// A scale of `map` from `min` to `max`.
    ///
    /// # Errors
    /// [`Error::Scale`] unless both ends are finite and `min < max`.
    pub fn new(map: ColorMap, min: f64, max: f64) -> Result<ColorScale> {
        let extent = max - min;
        if !(min.is_finite() && max.is_finite() && extent > 0.0 && extent.is_finite()) {
            let expected = "both ends must be finite and the first the smaller";
            return Err(Error::Scale { min, max, expected });
        }
        let label = String::new();
        Ok(ColorScale { map, min, max, log: false, percent: false, powers: false, label })
    }

    /// Probabilities and shares: [`ColorMap::Sequential`] from 0 to 1.
    #[must_use]
    pub fn probability() -> ColorScale {
        Self::fixed(ColorMap::Sequential, 0.0, 1.0)
    }

    /// [`ColorScale::probability`], or where no value reaches a fifth, to the next of 0.2, 0.1, 0.05,
    /// 0.02, …: the probabilities of a thousand classes would otherwise all look like 0.
    #[must_use]
    pub fn probability_for(values: impl IntoIterator<Item = f64>) -> ColorScale {
        Self::fixed(ColorMap::Sequential, 0.0, reach(values))
    }

    /// Changes of probabilities: [`ColorMap::Diverging`] from −1 to 1, or as far as
    /// [`ColorScale::probability_for`] goes.
    #[must_use]
    pub fn change_for(values: impl IntoIterator<Item = f64>) -> ColorScale {
        let limit = reach(values);
        Self::fixed(ColorMap::Diverging, -limit, limit)
    }

    /// Pixel values: [`ColorMap::Grey`] from 0 to 255.
    #[must_use]
    pub fn pixels() -> ColorScale {
        Self::fixed(ColorMap::Grey, 0.0, 255.0)
    }

    /// [`ColorMap::Diverging`] from `-limit` to `limit`.
    ///
    /// # Errors
    /// [`Error::Scale`] unless `limit` is finite and positive.
    pub fn symmetric(limit: f64) -> Result<ColorScale> {
        Self::new(ColorMap::Diverging, -limit, limit)
    }

    /// [`ColorMap::Diverging`], symmetric around 0, just wide enough for every finite value; ±1
    /// where there is no value other than 0.
    pub fn symmetric_for(values: impl IntoIterator<Item = f64>) -> ColorScale {
        let finite = values.into_iter().filter(|v| v.is_finite());
        let largest = finite.fold(0.0f64, |m, v| v.abs().max(m));
        // Twice the limit is the extent, which must stay finite.
        let limit = if largest > 0.0 { largest.min(0.4 * f64::MAX) } else { 1.0 };
        Self::fixed(ColorMap::Diverging, -limit, limit)
    }

    /// `map` from the smallest to the largest finite value; 0 to 1 where there is none, and one
    /// wide where all are equal.
    pub fn spanning(map: ColorMap, values: impl IntoIterator<Item = f64>) -> ColorScale {
        let limit = 0.4 * f64::MAX;
        let finite = values.into_iter().filter(|v| v.is_finite()).map(|v| v.clamp(-limit, limit));
        match crate::plot::extent(finite) {
            None => Self::fixed(map, 0.0, 1.0),
            Some((min, max)) if min == max => Self::fixed(map, min, min + min.abs().max(1.0)),
            Some((min, max)) => Self::fixed(map, min, max),
        }
    }

    pub(crate) fn fixed(map: ColorMap, min: f64, max: f64) -> ColorScale {
        let label = String::new();
        ColorScale { map, min, max, log: false, percent: false, powers: false, label }
    }

    /// Makes the scale logarithmic; values at or below 0 then have no colour of their own and are
    /// left blank.
    ///
    /// # Errors
    /// [`Error::Scale`] unless the lower end is above 0.
    pub fn log(mut self) -> Result<ColorScale> {
        if self.min <= 0.0 {
            let expected = "a logarithmic scale must begin above 0";
            return Err(Error::Scale { min: self.min, max: self.max, expected });
        }
        self.log = true;
        Ok(self)
    }

    /// States what the numbers are; the label stands beside the colour bar.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> ColorScale {
        self.label = label.into();
        self
    }

    /// Writes the numbers as percentages (0.5 is "50 %").
    #[must_use]
    pub fn percent(mut self) -> ColorScale {
        self.percent = true;
        self
    }

    /// Takes values as logarithms to base 10 and writes them as powers of ten, as
    /// [`Axis::powers`](crate::Axis::powers).
    #[must_use]
    pub fn powers(mut self) -> ColorScale {
        self.powers = true;
        self
    }

    /// Lower end.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.min
    }

    /// Upper end.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.max
    }

    /// Where a value lies between the ends: 0 at `min`, 1 at `max`, beyond them outside 0..=1.
    #[must_use]
    pub fn position(&self, value: f64) -> f64 {
        if self.log {
            (value.ln() - self.min.ln()) / (self.max.ln() - self.min.ln())
        } else {
            (value - self.min) / (self.max - self.min)
        }
    }

    /// The colour of a value; values that are not finite get [`ColorMap::not_finite`].
    #[must_use]
    pub fn color(&self, value: f64) -> Rgb {
        if !value.is_finite() {
            return self.map.not_finite();
        }
        if self.log && value <= 0.0 {
            return self.map.color(0.0);
        }
        self.map.color(self.position(value))
    }
}

/// How many values a scale cannot show as they are.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) below: usize,
    pub(crate) above: usize,
    pub(crate) not_finite: usize,
}

impl Excess {
    pub(crate) fn count(scale: &ColorScale, values: impl IntoIterator<Item = f64>) -> Excess {
        let mut excess = Excess::default();
        // f32 data against an end computed in f64 must not count as outside by rounding alone.
        let slack = (scale.max - scale.min) * 1e-6;
        for value in values {
            if !value.is_finite() {
                excess.not_finite += 1;
            } else if value < scale.min - slack && !(scale.log && value <= 0.0) {
                excess.below += 1;
            } else if value > scale.max + slack {
                excess.above += 1;
            }
        }
        excess
    }
}

/// The least of 0.2, 0.1, 0.05, … down to a millionth that holds every finite value's size; 1 where
/// 0.2 does not, or where all are 0.
fn reach(values: impl IntoIterator<Item = f64>) -> f64 {
    let finite = values.into_iter().filter(|value| value.is_finite());
    let largest = finite.fold(0.0f64, |most, value| most.max(value.abs()));
    let steps = (1..=6).flat_map(|power| [2.0, 1.0, 0.5].map(|digit| digit / 10f64.powi(power)));
    let held = steps.take_while(|&limit| limit >= largest).last();
    held.filter(|_| largest > 0.0).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: [ColorMap; 4] =
        [ColorMap::Sequential, ColorMap::Tint, ColorMap::Grey, ColorMap::Diverging];

    fn distance(a: Rgb, b: Rgb) -> f64 {
        let squares = a.oklab().into_iter().zip(b.oklab()).map(|(a, b)| (a - b).powi(2));
        squares.sum::<f64>().sqrt()
    }

    #[test]
    fn luminance_rises_all_along_the_sequential_and_grey_maps_and_falls_along_the_tint() {
        for (map, sign) in
            [(ColorMap::Sequential, 1.0), (ColorMap::Grey, 1.0), (ColorMap::Tint, -1.0)]
        {
            // Over four steps: between neighbours the rounding to 8 bits may go either way.
            for i in 0..STEPS - 4 {
                let change = map.lut()[i + 4].luminance() - map.lut()[i].luminance();
                assert!(change * sign > 0.0, "{map:?} at {i}");
            }
        }
    }

    #[test]
    fn equal_steps_look_equal_along_the_uniform_maps() {
        for map in [ColorMap::Sequential, ColorMap::Tint] {
            let step = |i: usize| distance(map.lut()[i * 15], map.lut()[(i + 1) * 15]);
            let steps: Vec<f64> = (0..17).map(step).collect();
            let mean = steps.iter().sum::<f64>() / steps.len() as f64;
            for (i, step) in steps.iter().enumerate() {
                assert!((step / mean - 1.0).abs() < 0.15, "{map:?} step {i}: {step} of {mean}");
            }
        }
    }

    #[test]
    fn the_diverging_map_is_neutral_in_the_middle_and_equally_dark_at_equal_distance() {
        let map = ColorMap::Diverging;
        let [_, a, b] = map.color(0.5).oklab();
        assert!(a.hypot(b) < 0.01, "{:?}", map.color(0.5));
        for i in 0..=10 {
            let s = f64::from(i) / 20.0;
            let (low, high) = (map.color(0.5 - s).oklab()[0], map.color(0.5 + s).oklab()[0]);
            assert!((low - high).abs() < 0.01, "{s}: {low} {high}");
        }
        let (low, high) = (map.color(0.0), map.color(1.0));
        assert!(low.2 > low.0 && high.0 > high.2, "blue is negative, red positive");
    }

    #[test]
    fn maps_are_inside_srgb_so_that_no_chroma_was_lost() {
        for path in [sequential_path, tint_path] {
            for i in 0..=64 {
                let [l, c, h] = path(f64::from(i) / 64.0);
                let [_, a, b] = Rgb::from_oklch(l, c, h).oklab();
                assert!((a.hypot(b) - c).abs() < 0.006, "{l} {c} {h}: {}", a.hypot(b));
            }
        }
    }

    #[test]
    fn the_colour_for_nan_is_far_from_every_colour_of_its_map() {
        for map in MAPS {
            let nearest = map.lut().iter().map(|&c| distance(c, map.not_finite()));
            let nearest = nearest.fold(f64::INFINITY, f64::min);
            assert!(nearest > 0.1, "{map:?}: {nearest}");
            assert_eq!(map.color(f64::NAN), map.not_finite());
        }
    }

    #[test]
    fn series_colours_are_visible_on_both_pages_and_differ() {
        let dark = crate::theme::Theme::Dark.resolve(crate::theme::Paint::Paper);
        for i in 0..8 {
            let color = category_color(i);
            assert!(color.contrast(Rgb::WHITE) >= 3.0, "{i} on white");
            assert!(color.contrast(dark) >= 3.0, "{i} on dark");
        }
        for i in 0..10 {
            for j in 0..i {
                let d = distance(category_color(i), category_color(j));
                assert!(d > 0.07, "{i} {j} {d}");
            }
        }
    }

    #[test]
    fn a_scale_takes_its_ends_to_the_ends_of_the_map_and_clamps_beyond() {
        let scale = ColorScale::symmetric(2.0).unwrap();
        assert_eq!(scale.color(2.0), ColorMap::Diverging.color(1.0));
        assert_eq!(scale.color(9.0), scale.color(2.0));
        assert_eq!(scale.color(f64::INFINITY), ColorMap::Diverging.not_finite());
        let log = ColorScale::new(ColorMap::Tint, 0.001, 1.0).unwrap().log().unwrap();
        assert!((log.position(0.1) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(log.color(0.0), ColorMap::Tint.color(0.0));
    }

    #[test]
    fn an_impossible_scale_is_refused() {
        for (min, max) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert!(ColorScale::new(ColorMap::Grey, min, max).is_err(), "{min} {max}");
        }
        assert!(ColorScale::probability().log().is_err());
        assert!(ColorScale::symmetric(0.0).is_err());
        assert_eq!(ColorScale::symmetric_for([0.0, f64::NAN]).max(), 1.0);
        assert_eq!(ColorScale::symmetric_for([0.5, -3.0, f64::INFINITY]).min(), -3.0);
    }

    #[test]
    fn values_that_the_scale_cannot_show_are_counted() {
        let scale = ColorScale::probability();
        let values = [0.5, -1.0, 1.0, 2.0, 3.0, f64::NAN];
        let expected = Excess { below: 1, above: 2, not_finite: 1 };
        assert_eq!(Excess::count(&scale, values), expected);
    }

    #[test]
    fn a_scale_of_probabilities_shrinks_in_round_steps_where_all_are_small() {
        let limit = |values: &[f64]| ColorScale::probability_for(values.iter().copied()).max;
        assert_eq!(limit(&[0.3, 0.21]), 1.0);
        assert_eq!(limit(&[0.2, 0.0]), 0.2);
        assert_eq!(limit(&[0.11]), 0.2);
        assert_eq!(limit(&[0.09]), 0.1);
        assert_eq!(limit(&[0.04, f64::NAN]), 0.05);
        assert_eq!(limit(&[0.0]), 1.0);
        assert_eq!(limit(&[1e-9]), 5e-7);
        let change = ColorScale::change_for([-0.013, 0.002]);
        assert_eq!((change.min, change.max), (-0.02, 0.02));
    }
}
