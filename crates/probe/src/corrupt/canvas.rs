//! An image as corruptions work on it.

/// An image in planes, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Canvas {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// `[C, H, W]`.
    pub(crate) values: Vec<f32>,
}

impl Canvas {
    /// From bytes `[H, W, C]`.
    pub(crate) fn new(height: usize, width: usize, channels: usize, pixels: &[u8]) -> Canvas {
        let plane = |c: usize| pixels[c..].iter().step_by(channels).map(|&p| f32::from(p) / 255.0);
        Canvas { height, width, values: (0..channels).flat_map(plane).collect() }
    }

    /// To bytes `[H, W, C]`, rounded; what lies outside 0 to 1 is clipped.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let area = self.area();
        let channels = self.values.len() / area;
        let value = |i: usize| self.values[i % channels * area + i / channels];
        let byte = |i: usize| (value(i).clamp(0.0, 1.0) * 255.0).round() as u8;
        (0..self.values.len()).map(byte).collect()
    }

    /// Pixels of a plane.
    pub(crate) fn area(&self) -> usize {
        self.height * self.width
    }

    /// One plane after the other.
    pub(crate) fn planes(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let area = self.area();
        self.values.chunks_exact_mut(area)
    }

    /// How long one pixel of a 28-pixel image is here: lengths of MNIST-C are multiplied by it.
    pub(crate) fn unit(&self) -> f64 {
        self.height.min(self.width) as f64 / 28.0
    }

    /// Changes each value.
    pub(crate) fn map(&mut self, mut f: impl FnMut(f64) -> f64) {
        self.values.iter_mut().for_each(|v| *v = f(f64::from(*v)) as f32);
    }

    /// Changes each value of every channel, with its row and column.
    pub(crate) fn map_places(&mut self, f: impl Fn(usize, usize, f64) -> f64) {
        let width = self.width;
        for plane in self.planes() {
            for (i, value) in plane.iter_mut().enumerate() {
                *value = f(i / width, i % width, f64::from(*value)) as f32;
            }
        }
    }

    /// Blurs each plane as `skimage.filters.gaussian` does: cut off at four standard deviations,
    /// the border pixel going on for ever.
    pub(crate) fn blur(&mut self, sigma: f64) {
        let (height, width) = (self.height, self.width);
        self.planes().for_each(|plane| gaussian(plane, height, width, sigma, true));
    }
}

/// A Gaussian over one plane. Beyond the border lies the border pixel, or 0.
pub(crate) fn gaussian(plane: &mut [f32], height: usize, width: usize, sigma: f64, nearest: bool) {
    let radius = (4.0 * sigma + 0.5) as usize;
    let weight = |d: usize| (-0.5 * (d as f64 / sigma).powi(2)).exp();
    let total: f64 = weight(0) + 2.0 * (1..=radius).map(weight).sum::<f64>();
    let kernel: Vec<f64> = (0..=2 * radius).map(|i| weight(i.abs_diff(radius)) / total).collect();
    let mut line = Vec::with_capacity(height.max(width));
    let mut pass = |start: usize, step: usize, count: usize| {
        line.clear();
        line.extend((0..count).map(|i| f64::from(plane[start + i * step])));
        for at in 0..count {
            let sum = kernel.iter().enumerate().map(|(k, weight)| {
                let place = (at + k) as isize - radius as isize;
                let inside = place.clamp(0, count as isize - 1);
                if nearest || inside == place { weight * line[inside as usize] } else { 0.0 }
            });
            plane[start + at * step] = sum.sum::<f64>() as f32;
        }
    };
    (0..width).for_each(|column| pass(column, width, height));
    (0..height).for_each(|row| pass(row * width, 1, width));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were_and_values_out_of_range_are_clipped() {
        let bytes: Vec<u8> = (0..=255).cycle().take(4 * 5 * 3).collect();
        let mut canvas = Canvas::new(4, 5, 3, &bytes);
        assert_eq!(canvas.to_bytes(), bytes);
        canvas.map(|v| 20.0 * v - 2.0);
        assert!(canvas.to_bytes().contains(&0) && canvas.to_bytes().contains(&255));
    }

    #[test]
    fn a_blur_keeps_an_even_surface_and_the_sum_of_a_spot() {
        let mut even = Canvas::new(9, 7, 1, &[200; 63]);
        let before = even.clone();
        even.blur(1.3);
        even.values.iter().zip(&before.values).for_each(|(a, b)| assert!((a - b).abs() < 1e-6));
        let mut spot = Canvas::new(29, 29, 1, &[0; 841]);
        spot.values[14 * 29 + 14] = 1.0;
        spot.blur(1.5);
        assert!((spot.values.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
