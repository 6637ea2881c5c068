//! What an image is made of while it is optimised: pixels, a spectrum, or the phases of one.

use serde::{Deserialize, Serialize};

use super::dft::{Complex, Plane};
use crate::attribution::random::Random;

/// What is optimised in an image's place. Either way it becomes pixel values from 0 to 1 by a sigmoid.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parametrisation {
    /// The spectrum, each frequency scaled by 1/f, so that a step changes coarse structure as much as fine
    /// (Olah, Mordvintsev, Schubert 2017, “Feature Visualization”, *Preconditioning*).
    #[default]
    Fourier,
    /// The pixels: mostly fine noise, for comparison.
    Pixel,
    /// The phases of a spectrum whose magnitudes are those of natural images (Fel et al. 2023, MACO).
    Maco,
}

impl Parametrisation {
    /// All of them, by name.
    pub const NAMES: [&str; 3] = ["fourier", "pixel", "maco"];

    /// Learning rate of Adam that suits: the values' own scale decides.
    pub(crate) fn rate(self) -> f64 {
        match self {
            Parametrisation::Fourier | Parametrisation::Pixel => 0.05,
            Parametrisation::Maco => 0.3,
        }
    }
}

impl std::fmt::Display for Parametrisation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Parametrisation::NAMES[*self as usize])
    }
}

impl std::str::FromStr for Parametrisation {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "fourier" => Ok(Parametrisation::Fourier),
            "pixel" => Ok(Parametrisation::Pixel),
            "maco" => Ok(Parametrisation::Maco),
            _ => Err(format!("expected {}", Parametrisation::NAMES.join(", "))),
        }
    }
}

/// From uncorrelated channels to red, green and blue as they go together in photographs: the root of the
/// covariance of ImageNet's colours, divided by the norm of its longest column (the values of Lucid's
/// `color.py`, Olah et al. 2017).
const COLOURS: [[f64; 3]; 3] = {
    const LONGEST: f64 = 0.461_951_3;
    [
        [0.26 / LONGEST, 0.09 / LONGEST, 0.02 / LONGEST],
        [0.27 / LONGEST, 0.0, -0.05 / LONGEST],
        [0.27 / LONGEST, -0.09 / LONGEST, 0.03 / LONGEST],
    ]
};

/// Standard deviation of what goes into the sigmoid, where MACO's magnitudes are not measured.
const CONTRAST: f64 = 1.5;
/// Standard deviation of the parameters that optimisation begins with.
const START: f64 = 0.01;

/// How parameters become an image `[C, H, W]` of pixel values from 0 to 1.
pub(crate) struct Canvas {
    pub(crate) kind: Parametrisation,
    pub(crate) channels: usize,
    plane: Plane,
    /// Pixel value of an empty canvas, a channel each.
    pub(crate) ground: Vec<f64>,
    /// MACO's magnitudes, `[C, places]`.
    magnitudes: Vec<f64>,
}

impl Canvas {
    /// A canvas of a size `[C, H, W]`. `ground` is what it shows when all parameters are 0.
    pub(crate) fn new(kind: Parametrisation, size: [usize; 3], ground: Vec<f64>) -> Canvas {
        let [channels, height, width] = size;
        let plane = Plane::new(height, width);
        let mut canvas = Canvas { kind, channels, plane, ground, magnitudes: Vec::new() };
        if kind == Parametrisation::Maco {
            canvas.magnitudes = canvas.falling_magnitudes();
        }
        canvas
    }

    pub(crate) fn height(&self) -> usize {
        self.plane.height
    }

    pub(crate) fn width(&self) -> usize {
        self.plane.width
    }

    pub(crate) fn area(&self) -> usize {
        self.plane.height * self.plane.width
    }

    /// 1/f, no more than at one cycle an image.
    fn fall(&self, place: usize) -> f64 {
        let longest = self.plane.height.max(self.plane.width) as f64;
        1.0 / self.plane.frequency(place).max(1.0 / longest)
    }

    /// Magnitudes that fall with 1/f, of a fixed contrast; none of the mean.
    fn falling_magnitudes(&self) -> Vec<f64> {
        let mut one: Vec<f64> = (0..self.plane.len()).map(|place| self.fall(place)).collect();
        one[0] = 0.0;
        let half = self.plane.half();
        // Parseval: a place that stands for its conjugate counts twice.
        let twice = |place: usize| {
            let column = place % half;
            if column == 0 || 2 * column == self.plane.width { 1.0 } else { 2.0 }
        };
        let power: f64 = one.iter().enumerate().map(|(i, m)| twice(i) * m * m).sum();
        let area = self.area() as f64;
        let factor = if power > 0.0 { CONTRAST * area / power.sqrt() } else { 0.0 };
        one.iter_mut().for_each(|m| *m *= factor);
        one.repeat(self.channels)
    }

    /// Takes MACO's magnitudes from images `[C, H, W]` of pixel values from 0 to 1: the mean over them.
    pub(crate) fn measure<'a>(&mut self, images: impl Iterator<Item = &'a [f64]>) {
        let (places, area) = (self.plane.len(), self.area());
        let mut sums = vec![0.0; self.channels * places];
        let mut count = 0.0f64;
        for image in images {
            count += 1.0;
            let plain = self.undo(image);
            for (sums, channel) in sums.chunks_exact_mut(places).zip(plain.chunks_exact(area)) {
                let spectrum = self.plane.spectrum(channel);
                sums.iter_mut().zip(&spectrum).for_each(|(sum, c)| *sum += c[0].hypot(c[1]));
            }
        }
        if count > 0.0 {
            self.magnitudes = sums.iter().map(|sum| sum / count).collect();
            self.magnitudes.iter_mut().step_by(places).for_each(|mean| *mean = 0.0);
        }
    }

    /// Number of parameters.
    pub(crate) fn parameters(&self) -> usize {
        self.channels
            * match self.kind {
                Parametrisation::Fourier => 2 * self.plane.len(),
                Parametrisation::Pixel => self.area(),
                Parametrisation::Maco => self.plane.len(),
            }
    }

    /// Parameters to begin with.
    pub(crate) fn start(&self, random: &mut Random) -> Vec<f64> {
        (0..self.parameters())
            .map(|_| match self.kind {
                Parametrisation::Maco => std::f64::consts::TAU * (random.unit() - 0.5),
                _ => START * random.normal(),
            })
            .collect()
    }

    /// Twice the contrast, up to that of a photograph, for an image that nothing drives yet. MACO begins
    /// with that.
    pub(crate) fn stir(&self, parameters: &mut [f64]) {
        let sum: f64 = parameters.iter().map(|value| value * value).sum();
        let size = (sum / parameters.len() as f64).sqrt();
        if self.kind != Parametrisation::Maco && size < 1.0 {
            parameters.iter_mut().for_each(|value| *value *= 2.0);
        }
    }

    /// The image of parameters.
    pub(crate) fn image(&self, parameters: &[f64]) -> Vec<f64> {
        let each = self.parameters() / self.channels;
        let mut values = Vec::with_capacity(self.channels * self.area());
        for (channel, own) in parameters.chunks_exact(each).enumerate() {
            match self.kind {
                Parametrisation::Pixel => values.extend(own),
                _ => values.extend(self.plane.image(&self.spectrum(channel, own))),
            }
        }
        self.mix(&mut values, false);
        for (values, &ground) in values.chunks_exact_mut(self.area()).zip(&self.ground) {
            let offset = logit(ground);
            values.iter_mut().for_each(|v| *v = 1.0 / (1.0 + (-(*v + offset)).exp()));
        }
        values
    }

    /// Derivatives with respect to the parameters, from those with respect to the pixels of their image.
    pub(crate) fn adjoint(&self, parameters: &[f64], image: &[f64], gradient: &[f64]) -> Vec<f64> {
        let mut values: Vec<f64> =
            image.iter().zip(gradient).map(|(v, g)| g * v * (1.0 - v)).collect();
        self.mix(&mut values, true);
        if self.kind == Parametrisation::Pixel {
            return values;
        }
        let each = self.parameters() / self.channels;
        let mut result = Vec::with_capacity(parameters.len());
        for (channel, own) in parameters.chunks_exact(each).enumerate() {
            let spectrum =
                self.plane.image_adjoint(&values[channel * self.area()..][..self.area()]);
            let magnitudes = self.magnitudes_of(channel);
            for (place, g) in spectrum.iter().enumerate() {
                if self.kind == Parametrisation::Fourier {
                    result.extend(g.map(|part| part * self.weight(place)));
                } else {
                    let (sin, cos) = own[place].sin_cos();
                    result.push(magnitudes[place] * (g[1] * cos - g[0] * sin));
                }
            }
        }
        result
    }

    fn spectrum(&self, channel: usize, own: &[f64]) -> Vec<Complex> {
        if self.kind == Parametrisation::Fourier {
            let pairs = own.chunks_exact(2).enumerate();
            return pairs.map(|(i, c)| [c[0], c[1]].map(|part| part * self.weight(i))).collect();
        }
        let polar = |(phase, magnitude): (&f64, &f64)| {
            let (sin, cos) = phase.sin_cos();
            [magnitude * cos, magnitude * sin]
        };
        own.iter().zip(self.magnitudes_of(channel)).map(polar).collect()
    }

    fn magnitudes_of(&self, channel: usize) -> &[f64] {
        let places = self.plane.len();
        self.magnitudes.get(channel * places..(channel + 1) * places).unwrap_or(&[])
    }

    /// What a parameter of a spectrum counts: as much in an image of any size; a quarter, as in Lucid.
    fn weight(&self, place: usize) -> f64 {
        self.fall(place) * (self.area() as f64).sqrt() / 4.0
    }

    /// From uncorrelated channels to colours, or the transpose of that.
    fn mix(&self, values: &mut [f64], transposed: bool) {
        if self.channels != 3 {
            return;
        }
        let area = self.area();
        for i in 0..area {
            let old = [values[i], values[area + i], values[2 * area + i]];
            for c in 0..3 {
                let factor = |k: usize| if transposed { COLOURS[k][c] } else { COLOURS[c][k] };
                values[c * area + i] = (0..3).map(|k| factor(k) * old[k]).sum();
            }
        }
    }

    /// What has to go into colours and sigmoid for an image to come out, nearly: black and white would
    /// need infinite values.
    fn undo(&self, image: &[f64]) -> Vec<f64> {
        let area = self.area();
        let mut values = Vec::with_capacity(image.len());
        for (channel, &ground) in image.chunks_exact(area).zip(&self.ground) {
            values.extend(channel.iter().map(|&v| logit(v) - logit(ground)));
        }
        if self.channels == 3 {
            let inverse = inverse(COLOURS);
            for i in 0..area {
                let old = [values[i], values[area + i], values[2 * area + i]];
                for (c, row) in inverse.iter().enumerate() {
                    values[c * area + i] = row.iter().zip(old).map(|(factor, v)| factor * v).sum();
                }
            }
        }
        values
    }
}

/// The inverse of the sigmoid, of values that are kept 2 % from its ends.
fn logit(value: f64) -> f64 {
    let value = value.clamp(0.02, 0.98);
    (value / (1.0 - value)).ln()
}

/// By Cramer's rule.
fn inverse(m: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let minor = |r: usize, c: usize| {
        let ([a, b], [x, y]) = ([(r + 1) % 3, (r + 2) % 3], [(c + 1) % 3, (c + 2) % 3]);
        m[a][x] * m[b][y] - m[a][y] * m[b][x]
    };
    let determinant: f64 = (0..3).map(|c| m[0][c] * minor(0, c)).sum();
    std::array::from_fn(|r| std::array::from_fn(|c| minor(c, r) / determinant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::random::Purpose;

    fn canvases() -> Vec<Canvas> {
        let kinds = [Parametrisation::Fourier, Parametrisation::Pixel, Parametrisation::Maco];
        let sizes: [([usize; 3], Vec<f64>); 2] =
            [([1, 6, 5], vec![0.13]), ([3, 4, 6], vec![0.5, 0.4, 0.3])];
        let all = kinds.iter().flat_map(|&kind| sizes.iter().map(move |s| (kind, s.clone())));
        all.map(|(kind, (size, ground))| Canvas::new(kind, size, ground)).collect()
    }

    #[test]
    fn the_gradient_of_every_parametrisation_is_that_of_finite_differences() {
        for canvas in canvases() {
            let mut random = Random::new(1, Purpose::Visualise, 7);
            let mut parameters = canvas.start(&mut random);
            parameters.iter_mut().for_each(|p| *p += 0.3 * random.normal());
            let image = canvas.image(&parameters);
            let weights: Vec<f64> = image.iter().map(|_| random.normal()).collect();
            let found = canvas.adjoint(&parameters, &image, &weights);
            assert_eq!(found.len(), parameters.len());
            let loss = |p: &[f64]| -> f64 {
                canvas.image(p).iter().zip(&weights).map(|(v, w)| v * w).sum()
            };
            for i in 0..parameters.len() {
                let mut shifted = parameters.clone();
                shifted[i] += 1e-5;
                let above = loss(&shifted);
                shifted[i] -= 2e-5;
                let difference = (above - loss(&shifted)) / 2e-5;
                let error = (found[i] - difference).abs();
                assert!(error < 1e-6 * (1.0 + difference.abs()), "{} {i}: {error}", canvas.kind);
            }
        }
    }

    #[test]
    fn an_empty_canvas_shows_its_ground_and_every_image_stays_within_the_range() {
        for canvas in canvases().iter().filter(|c| c.kind != Parametrisation::Maco) {
            let nothing = canvas.image(&vec![0.0; canvas.parameters()]);
            for (channel, ground) in nothing.chunks_exact(canvas.area()).zip(&canvas.ground) {
                assert!(channel.iter().all(|v| (v - ground).abs() < 1e-12));
            }
            let extreme = canvas.image(&vec![50.0; canvas.parameters()]);
            assert!(extreme.iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }

    #[test]
    fn magnitudes_measured_on_an_image_with_its_phases_give_the_image_back() {
        for size in [[1, 6, 5], [3, 4, 6]] {
            let mut random = Random::new(2, Purpose::Visualise, 1);
            let ground = vec![0.4; size[0]];
            let mut canvas = Canvas::new(Parametrisation::Maco, size, ground);
            let image: Vec<f64> =
                (0..size.iter().product()).map(|_| 0.35 + 0.1 * random.unit()).collect();
            canvas.measure([&image[..]].into_iter());
            let plain = canvas.undo(&image);
            let mut phases = Vec::new();
            for channel in plain.chunks_exact(canvas.area()) {
                phases.extend(canvas.plane.spectrum(channel).iter().map(|c| c[1].atan2(c[0])));
            }
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            let back = canvas.undo(&canvas.image(&phases));
            for (a, b) in plain.chunks_exact(canvas.area()).zip(back.chunks_exact(canvas.area())) {
                let (of_a, of_b) = (mean(a), mean(b));
                let same = a.iter().zip(b).all(|(a, b)| (a - of_a - (b - of_b)).abs() < 1e-9);
                assert!(same, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn magnitudes_that_are_not_measured_have_the_stated_contrast() {
        let canvas = Canvas::new(Parametrisation::Maco, [1, 32, 24], vec![0.5]);
        let phases = canvas.start(&mut Random::new(3, Purpose::Visualise, 0));
        let image = canvas.undo(&canvas.image(&phases));
        let deviation = (image.iter().map(|v| v * v).sum::<f64>() / image.len() as f64).sqrt();
        assert!((deviation - CONTRAST).abs() < 0.25 * CONTRAST, "{deviation}");
    }
}
