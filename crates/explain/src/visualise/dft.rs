//! The discrete Fourier transform of real images, and its adjoint.

/// A complex number: real and imaginary part.
pub(crate) type Complex = [f64; 2];

/// The transform of one length, any: Cooley and Tukey's (1965) for the length's prime factors. It takes
/// `length × sum of the factors` steps.
struct Line {
    factors: Vec<usize>,
    /// e^(2πi k/length).
    roots: Vec<Complex>,
}

impl Line {
    fn new(length: usize) -> Line {
        let (mut rest, mut factors) = (length, Vec::new());
        let mut factor = 2;
        while rest > 1 {
            while rest.is_multiple_of(factor) {
                factors.push(factor);
                rest /= factor;
            }
            factor += 1;
        }
        let angle = |k: usize| std::f64::consts::TAU * k as f64 / length as f64;
        let roots = (0..length).map(|k| [angle(k).cos(), angle(k).sin()]).collect();
        Line { factors, roots }
    }

    /// `Σ_k input[k] e^(±2πi jk/length)` for every j; `sign` is that of the exponent.
    fn transform(&self, input: &[Complex], sign: f64, output: &mut [Complex]) {
        let mut scratch = vec![[0.0; 2]; self.factors.iter().copied().max().unwrap_or(1)];
        self.part(input, 1, &self.factors, sign, output, &mut scratch);
    }

    /// The transform of every `stride`-th number of the input.
    fn part(
        &self,
        input: &[Complex],
        stride: usize,
        factors: &[usize],
        sign: f64,
        output: &mut [Complex],
        scratch: &mut [Complex],
    ) {
        let Some((&factor, factors)) = factors.split_first() else {
            output[0] = input[0];
            return;
        };
        let each = output.len() / factor;
        for (r, part) in output.chunks_exact_mut(each).enumerate() {
            self.part(&input[r * stride..], stride * factor, factors, sign, part, scratch);
        }
        let length = self.roots.len();
        let root = |k: usize| {
            let [re, im] = self.roots[k % length];
            [re, sign * im]
        };
        for k in 0..each {
            if factor == 2 {
                let [a, b] = [output[k], times(output[each + k], root(k * stride))];
                output[k] = [a[0] + b[0], a[1] + b[1]];
                output[each + k] = [a[0] - b[0], a[1] - b[1]];
                continue;
            }
            for r in 0..factor {
                scratch[r] = times(output[r * each + k], root(r * k * stride));
            }
            for q in 0..factor {
                let mut sum = scratch[0];
                for (r, &term) in scratch[..factor].iter().enumerate().skip(1) {
                    let term = times(term, root(r * q % factor * (length / factor)));
                    sum = [sum[0] + term[0], sum[1] + term[1]];
                }
                output[q * each + k] = sum;
            }
        }
    }
}

fn times(a: Complex, b: Complex) -> Complex {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

/// Real images of one size, and half of their spectra: `height × (width / 2 + 1)` numbers, row by row,
/// the rest being their conjugates.
pub(crate) struct Plane {
    pub(crate) height: usize,
    pub(crate) width: usize,
    rows: Line,
    columns: Line,
}

impl Plane {
    pub(crate) fn new(height: usize, width: usize) -> Plane {
        Plane { height, width, rows: Line::new(width), columns: Line::new(height) }
    }

    /// Columns of half a spectrum.
    pub(crate) fn half(&self) -> usize {
        self.width / 2 + 1
    }

    /// Numbers of half a spectrum.
    pub(crate) fn len(&self) -> usize {
        self.height * self.half()
    }

    /// The frequency of a place of the spectrum, in cycles a pixel.
    pub(crate) fn frequency(&self, place: usize) -> f64 {
        let (y, x) = (place / self.half(), place % self.half());
        let y = y.min(self.height - y) as f64 / self.height as f64;
        (y.powi(2) + (x as f64 / self.width as f64).powi(2)).sqrt()
    }

    /// Whether a place stands for its conjugate, too.
    fn stands_for_two(&self, column: usize) -> bool {
        column != 0 && 2 * column != self.width
    }

    /// The image of half a spectrum: the inverse transform, divided by the number of pixels. The parts
    /// of columns that are their own conjugates' which no real image has are passed over.
    pub(crate) fn image(&self, spectrum: &[Complex]) -> Vec<f64> {
        let (half, [h, w]) = (self.half(), [self.height, self.width]);
        let (mut column, mut sums) = (vec![[0.0; 2]; h], vec![[0.0; 2]; h]);
        let mut rows = vec![[0.0; 2]; h * w];
        let share = 1.0 / (h * w) as f64;
        for x in 0..half {
            column.iter_mut().enumerate().for_each(|(y, value)| *value = spectrum[y * half + x]);
            self.columns.transform(&column, 1.0, &mut sums);
            let factor = if self.stands_for_two(x) { 2.0 * share } else { share };
            for (y, sum) in sums.iter().enumerate() {
                rows[y * w + x] = [factor * sum[0], factor * sum[1]];
            }
        }
        let mut line = vec![[0.0; 2]; w];
        let mut image = Vec::with_capacity(h * w);
        for row in rows.chunks_exact(w) {
            self.rows.transform(row, 1.0, &mut line);
            image.extend(line.iter().map(|value| value[0]));
        }
        image
    }

    /// Half the spectrum of an image, without a factor.
    pub(crate) fn spectrum(&self, image: &[f64]) -> Vec<Complex> {
        let (half, [h, w]) = (self.half(), [self.height, self.width]);
        let (mut row, mut line) = (vec![[0.0; 2]; w], vec![[0.0; 2]; w]);
        let mut spectrum = vec![[0.0; 2]; h * half];
        for (y, values) in image.chunks_exact(w).enumerate() {
            row.iter_mut().zip(values).for_each(|(complex, &value)| *complex = [value, 0.0]);
            self.rows.transform(&row, -1.0, &mut line);
            spectrum[y * half..][..half].copy_from_slice(&line[..half]);
        }
        let (mut column, mut sums) = (vec![[0.0; 2]; h], vec![[0.0; 2]; h]);
        for x in 0..half {
            column.iter_mut().enumerate().for_each(|(y, value)| *value = spectrum[y * half + x]);
            self.columns.transform(&column, -1.0, &mut sums);
            sums.iter().enumerate().for_each(|(y, &sum)| spectrum[y * half + x] = sum);
        }
        spectrum
    }

    /// The adjoint of [`Plane::image`]: from derivatives with respect to the image's pixels to those with
    /// respect to the real and imaginary parts of the spectrum.
    pub(crate) fn image_adjoint(&self, gradient: &[f64]) -> Vec<Complex> {
        let mut spectrum = self.spectrum(gradient);
        let share = 1.0 / (self.height * self.width) as f64;
        for (place, value) in spectrum.iter_mut().enumerate() {
            let two = self.stands_for_two(place % self.half());
            let factor = if two { 2.0 * share } else { share };
            *value = value.map(|part| factor * part);
        }
        spectrum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::random::{Purpose, Random};

    fn noise(count: usize, index: u64) -> Vec<f64> {
        let mut random = Random::new(5, Purpose::Visualise, index);
        (0..count).map(|_| random.normal()).collect()
    }

    #[test]
    fn the_spectrum_is_the_sum_that_defines_it() {
        for (h, w) in [(6, 10), (7, 9), (1, 1), (4, 1), (1, 6), (11, 8)] {
            let (plane, image) = (Plane::new(h, w), noise(h * w, 1));
            for (place, found) in plane.spectrum(&image).iter().enumerate() {
                let (ky, kx) = (place / plane.half(), place % plane.half());
                let mut sum = [0.0; 2];
                for (at, value) in image.iter().enumerate() {
                    let (y, x) = (at / w, at % w);
                    let turns = (ky * y) as f64 / h as f64 + (kx * x) as f64 / w as f64;
                    let angle = -std::f64::consts::TAU * turns;
                    sum = [sum[0] + value * angle.cos(), sum[1] + value * angle.sin()];
                }
                assert!((found[0] - sum[0]).abs() + (found[1] - sum[1]).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn an_image_comes_back_from_its_spectrum() {
        for (h, w) in [(28, 28), (15, 14), (14, 15), (2, 97)] {
            let (plane, image) = (Plane::new(h, w), noise(h * w, 2));
            let back = plane.image(&plane.spectrum(&image));
            assert!(image.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-11), "{h}×{w}");
        }
    }

    #[test]
    fn the_adjoint_answers_the_image_in_every_inner_product() {
        for (h, w) in [(8, 12), (5, 7), (3, 4)] {
            let plane = Plane::new(h, w);
            let spectrum: Vec<Complex> =
                noise(2 * plane.len(), 3).chunks_exact(2).map(|c| [c[0], c[1]]).collect();
            let gradient = noise(h * w, 4);
            let image = plane.image(&spectrum);
            let left: f64 = image.iter().zip(&gradient).map(|(a, b)| a * b).sum();
            let back = plane.image_adjoint(&gradient);
            let right: f64 =
                spectrum.iter().zip(&back).map(|(a, b)| a[0] * b[0] + a[1] * b[1]).sum();
            assert!((left - right).abs() < 1e-12 * (1.0 + left.abs()), "{left} {right}");
        }
    }

    #[test]
    fn frequencies_are_those_of_the_nearer_direction() {
        let plane = Plane::new(4, 6);
        assert_eq!(plane.frequency(0), 0.0);
        assert_eq!(plane.frequency(plane.half()), 0.25);
        assert_eq!(plane.frequency(3 * plane.half()), 0.25);
        assert_eq!(plane.frequency(3), 0.5);
    }
}
