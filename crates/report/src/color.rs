//! Colours: sRGB for drawing, OKLab and OKLCH for choosing.

/// An opaque sRGB colour, 8 bits a channel.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    /// Black.
    pub const BLACK: Rgb = Rgb(0, 0, 0);
    /// White.
    pub const WHITE: Rgb = Rgb(255, 255, 255);

    /// The colour as CSS writes it, for example `#1c2430`.
    #[must_use]
    pub fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// Relative luminance in 0..=1 (WCAG 2.2, "relative luminance").
    #[must_use]
    pub fn luminance(self) -> f64 {
        let [r, g, b] = self.linear();
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// Contrast ratio of two colours in 1..=21 (WCAG 2.2, "contrast ratio").
    #[must_use]
    pub fn contrast(self, other: Rgb) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Black or white, whichever is easier to read on this colour.
    #[must_use]
    pub fn readable_ink(self) -> Rgb {
        let dark = Rgb(0x14, 0x18, 0x1d);
        if self.contrast(dark) >= self.contrast(Rgb::WHITE) { dark } else { Rgb::WHITE }
    }

    fn linear(self) -> [f64; 3] {
        [self.0, self.1, self.2].map(|channel| {
            let v = f64::from(channel) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// OKLab coordinates `[lightness, a, b]`, lightness in 0..=1.
    ///
    /// Source: Björn Ottosson, "A perceptual color space for image processing", 2020.
    #[must_use]
    pub fn oklab(self) -> [f64; 3] {
        let [r, g, b] = self.linear();
        let l = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b).cbrt();
        let m = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b).cbrt();
        let s = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b).cbrt();
        [
            0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
        ]
    }

    /// The colour of OKLCH coordinates: lightness in 0..=1, chroma (0 is grey, 0.3 vivid), hue in
    /// degrees. A colour outside sRGB loses chroma until it fits; lightness and hue stay.
    #[must_use]
    pub fn from_oklch(lightness: f64, chroma: f64, hue: f64) -> Rgb {
        let fits = |chroma: f64| {
            oklch_to_linear(lightness, chroma, hue).iter().all(|v| (-1e-4..=1.0001).contains(v))
        };
        let mut chroma = chroma;
        if !fits(chroma) {
            let (mut low, mut high) = (0.0, chroma);
            for _ in 0..30 {
                let middle = 0.5 * (low + high);
                if fits(middle) { low = middle } else { high = middle }
            }
            chroma = low;
        }
        let [r, g, b] = oklch_to_linear(lightness, chroma, hue).map(encode);
        Rgb(r, g, b)
    }
}

fn oklch_to_linear(lightness: f64, chroma: f64, hue: f64) -> [f64; 3] {
    let (sin, cos) = hue.to_radians().sin_cos();
    let (a, b) = (chroma * cos, chroma * sin);
    let l = (lightness + 0.3963377774 * a + 0.2158037573 * b).powi(3);
    let m = (lightness - 0.1055613458 * a - 0.0638541728 * b).powi(3);
    let s = (lightness - 0.0894841775 * a - 1.2914855480 * b).powi(3);
    [
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    ]
}

fn encode(linear: f64) -> u8 {
    let v = linear.clamp(0.0, 1.0);
    let v = if v <= 0.0031308 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
    (v * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oklab_of_known_colours_matches_the_published_values() {
        // Values from CSS Color Module Level 4, sample conversions of the primaries.
        for (color, expected) in [
            (Rgb::WHITE, [1.0, 0.0, 0.0]),
            (Rgb(255, 0, 0), [0.62796, 0.22486, 0.12585]),
            (Rgb(0, 255, 0), [0.86644, -0.23389, 0.17950]),
            (Rgb(0, 0, 255), [0.45201, -0.03246, -0.31153]),
        ] {
            for (found, expected) in color.oklab().iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{color:?}: {found} {expected}");
            }
        }
    }

    #[test]
    fn a_colour_comes_back_from_oklch_unchanged() {
        for color in [Rgb(12, 200, 90), Rgb(250, 3, 77), Rgb(128, 128, 128), Rgb(1, 2, 254)] {
            let [l, a, b] = color.oklab();
            let back = Rgb::from_oklch(l, a.hypot(b), b.atan2(a).to_degrees());
            let near = |x: u8, y: u8| x.abs_diff(y) <= 1;
            let same = near(color.0, back.0) && near(color.1, back.1) && near(color.2, back.2);
            assert!(same, "{color:?} {back:?}");
        }
    }

    #[test]
    fn contrast_is_21_for_black_on_white() {
        assert!((Rgb::BLACK.contrast(Rgb::WHITE) - 21.0).abs() < 1e-9);
        assert_eq!(Rgb(255, 240, 0).readable_ink(), Rgb(0x14, 0x18, 0x1d));
        assert_eq!(Rgb(40, 0, 90).readable_ink(), Rgb::WHITE);
    }
}
