//! What the network sees of a canvas: all of it, or a little moved, turned and scaled.

use serde::Serialize;

use crate::attribution::random::Random;

/// How far a canvas is moved, turned and scaled before each step, at random, so that the image drives
/// the network from any of these places and not by an exact pattern of pixels (Olah et al. 2017,
/// *Transformation robustness*). What comes from beyond the edge shows the canvas's ground.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct Transforms {
    /// Largest move along each axis, as a share of the side.
    pub jitter: f64,
    /// Largest turn either way, in degrees.
    pub rotation: f64,
    /// Largest change of scale: 0.1 for 0.9 to 1.1.
    pub scale: f64,
}

impl Default for Transforms {
    /// A twentieth of the side, ten degrees, a tenth: about Lucid's.
    fn default() -> Transforms {
        Transforms { jitter: 0.05, rotation: 10.0, scale: 0.1 }
    }
}

/// A place of the canvas to look at.
#[derive(Copy, Clone, Debug)]
pub(crate) struct View {
    cos: f64,
    sin: f64,
    moved: [f64; 2],
}

impl View {
    /// All of the canvas.
    pub(crate) const PLAIN: View = View { cos: 1.0, sin: 0.0, moved: [0.0; 2] };

    pub(crate) fn random(transforms: &Transforms, random: &mut Random) -> View {
        let mut within = |limit: f64| limit * (2.0 * random.unit() - 1.0);
        let (sin, cos) = within(transforms.rotation).to_radians().sin_cos();
        let zoom = 1.0 / (1.0 + within(transforms.scale));
        let moved = [within(transforms.jitter), within(transforms.jitter)];
        View { cos: cos * zoom, sin: sin * zoom, moved }
    }
}

/// From a canvas to a network's input of another size, perhaps.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Lens {
    /// Rows and columns of the canvas.
    pub(crate) canvas: [usize; 2],
    /// And of the input.
    pub(crate) input: [usize; 2],
}

impl Lens {
    /// Points that make one pixel of the input, along each axis: several where the canvas is finer.
    fn points(&self) -> usize {
        let ratio = |axis: usize| self.canvas[axis].div_ceil(self.input[axis]);
        ratio(0).max(ratio(1)).max(1)
    }

    /// Calls `each(pixel of the input, pixel of the canvas or none beyond the edge, weight)`; the weights
    /// of each pixel of the input add up to 1. Between pixels of the canvas, values are interpolated
    /// linearly.
    fn weigh(&self, view: View, mut each: impl FnMut(usize, Option<usize>, f64)) {
        let ([h, w], [rows, columns]) = (self.canvas, self.input);
        let points = self.points();
        let share = 1.0 / (points * points) as f64;
        for pixel in 0..rows * columns {
            for point in 0..points * points {
                let within = |at: usize| (at as f64 + 0.5) / points as f64;
                let y = (pixel / columns) as f64 + within(point / points) - 0.5 * rows as f64;
                let x = (pixel % columns) as f64 + within(point % points) - 0.5 * columns as f64;
                let turned = [view.cos * y + view.sin * x, view.cos * x - view.sin * y];
                let place = |axis: usize| {
                    let share = turned[axis] / self.input[axis] as f64 + view.moved[axis];
                    (share + 0.5) * self.canvas[axis] as f64 - 0.5
                };
                let (y, x) = (place(0), place(1));
                let (top, left) = (y.floor(), x.floor());
                let corners = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
                for [down, right] in corners {
                    let (row, column) = (top + down, left + right);
                    let weight = (1.0 - (y - row).abs()) * (1.0 - (x - column).abs());
                    if weight == 0.0 {
                        continue;
                    }
                    let inside =
                        (0.0..h as f64).contains(&row) && (0.0..w as f64).contains(&column);
                    let source = inside.then(|| row as usize * w + column as usize);
                    each(pixel, source, share * weight);
                }
            }
        }
    }

    /// What is seen of an image `[C, H, W]`; beyond its edge there is `ground`.
    pub(crate) fn look(&self, view: View, image: &[f64], ground: &[f64]) -> Vec<f64> {
        let (area, seen) = (self.canvas[0] * self.canvas[1], self.input[0] * self.input[1]);
        let mut values = vec![0.0; ground.len() * seen];
        self.weigh(view, |pixel, source, weight| {
            for (c, &ground) in ground.iter().enumerate() {
                let value = source.map_or(ground, |source| image[c * area + source]);
                values[c * seen + pixel] += weight * value;
            }
        });
        values
    }

    /// The adjoint of [`Lens::look`]: derivatives with respect to the image's pixels.
    pub(crate) fn adjoint(&self, view: View, gradient: &[f64]) -> Vec<f64> {
        let (area, seen) = (self.canvas[0] * self.canvas[1], self.input[0] * self.input[1]);
        let channels = gradient.len() / seen;
        let mut values = vec![0.0; channels * area];
        self.weigh(view, |pixel, source, weight| {
            let Some(source) = source else { return };
            for c in 0..channels {
                values[c * area + source] += weight * gradient[c * seen + pixel];
            }
        });
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::random::Purpose;

    fn noise(count: usize, random: &mut Random) -> Vec<f64> {
        (0..count).map(|_| random.normal()).collect()
    }

    #[test]
    fn a_plain_view_of_an_equal_size_is_the_image_itself() {
        let mut random = Random::new(1, Purpose::Visualise, 0);
        let image = noise(3 * 7 * 10, &mut random);
        let lens = Lens { canvas: [7, 10], input: [7, 10] };
        let seen = lens.look(View::PLAIN, &image, &[0.5; 3]);
        assert!(seen.iter().zip(&image).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn a_finer_canvas_is_averaged_and_a_move_shows_the_ground() {
        let lens = Lens { canvas: [4, 4], input: [2, 2] };
        let image: Vec<f64> = (0..16).map(f64::from).collect();
        // With two points a pixel along each axis, each at the centre of a pixel of the canvas.
        assert_eq!(lens.look(View::PLAIN, &image, &[0.0]), [2.5, 4.5, 10.5, 12.5]);
        let half = View { moved: [0.0, 0.5], ..View::PLAIN };
        assert_eq!(lens.look(half, &image, &[9.0]), [4.5, 9.0, 12.5, 9.0]);
    }

    #[test]
    fn a_quarter_turn_turns_the_image() {
        let lens = Lens { canvas: [2, 2], input: [2, 2] };
        let view = View { cos: 0.0, sin: 1.0, moved: [0.0; 2] };
        assert_eq!(lens.look(view, &[1.0, 2.0, 3.0, 4.0], &[0.0]), [2.0, 4.0, 1.0, 3.0]);
    }

    #[test]
    fn the_adjoint_answers_every_view_in_every_inner_product() {
        let mut random = Random::new(2, Purpose::Visualise, 0);
        for (canvas, input) in [([6, 5], [6, 5]), ([9, 8], [4, 5]), ([3, 4], [7, 6])] {
            let lens = Lens { canvas, input };
            for _ in 0..5 {
                let view = View::random(&Transforms::default(), &mut random);
                let image = noise(2 * canvas[0] * canvas[1], &mut random);
                let gradient = noise(2 * input[0] * input[1], &mut random);
                // Without a ground the view is linear.
                let seen = lens.look(view, &image, &[0.0; 2]);
                let left: f64 = seen.iter().zip(&gradient).map(|(a, b)| a * b).sum();
                let back = lens.adjoint(view, &gradient);
                let right: f64 = image.iter().zip(&back).map(|(a, b)| a * b).sum();
                assert!((left - right).abs() < 1e-12 * (1.0 + left.abs()), "{left} {right}");
            }
        }
    }
}
