//! Random distortions of training images, drawn anew for every image in every epoch.
//!
//! All distortions of an image are one map from output to source positions: an affine part and a
//! smooth random displacement. The source is read once, bilinearly, so nothing is blurred twice.

use std::cell::RefCell;
use std::f32::consts::PI;

use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use crate::rng;

/// How training images are distorted. The default distorts nothing.
///
/// Every amount is the half-width of a uniform distribution around "unchanged".
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Shift along each axis, pixels.
    pub shift: f32,
    /// Whether shifts are whole pixels (each from `-shift` to `shift` equally likely).
    pub whole_pixels: bool,
    /// Rotation about the centre, degrees.
    pub rotation: f32,
    /// Change of size, drawn for each axis by itself: 0.1 is 90 % to 110 %.
    pub scale: f32,
    /// Horizontal shear (slant), degrees.
    pub shear: f32,
    /// Elastic deformation.
    pub elastic: Option<Elastic>,
    /// What surrounds an image, 0 to 255.
    pub fill: u8,
}

/// Elastic deformation (Simard, Steinkraus and Platt, "Best practices for convolutional neural
/// networks applied to visual document analysis", 2003, section 2): displacements uniform in
/// [-1, 1), smoothed by a Gaussian and multiplied by `alpha`.
///
/// Here the smoothing is that of a cubic B-spline on a grid of `sqrt(3) * sigma` pixels at a random
/// position: a cubic B-spline is a box convolved with itself four times, to the eye a Gaussian, and
/// a spacing of `s` gives it the standard deviation `s / sqrt(3)`. The amplitude is scaled so that
/// displacements have the standard deviation that the paper's recipe gives,
/// `alpha / (2 sqrt(3 pi) sigma)`: 1.4 pixels for the paper's `alpha` 34 and `sigma` 4.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elastic {
    /// Strength, pixels.
    pub alpha: f32,
    /// Smoothness, pixels, at least 1.
    pub sigma: f32,
}

/// Size of the images a [`Augmentation`] is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl Augmentation {
    /// Whether no image is changed.
    pub fn is_identity(&self) -> bool {
        *self == Self { fill: self.fill, whole_pixels: self.whole_pixels, ..Self::default() }
    }

    /// Writes a distorted copy of `image` (HWC, 0..=255) to `out` (CHW, still 0..=255 but
    /// fractional), with random numbers from `rng`.
    pub(crate) fn apply(&self, rng: &mut Pcg64, image: &[u8], size: Size, out: &mut [f32]) {
        SCRATCH.with_borrow_mut(|scratch| {
            let affine = self.draw_affine(rng);
            if let Some(elastic) = self.elastic {
                scratch.displacement.draw(elastic, size, rng);
            }
            scratch.canvas.fill(image, size, f32::from(self.fill));
            let displacement = self.elastic.is_some().then_some(&scratch.displacement);
            resample(&scratch.canvas, &affine, displacement, size, &mut scratch.row, out);
        });
    }

    fn draw_affine(&self, rng: &mut Pcg64) -> Affine {
        let mut draw = |half_width: f32| half_width * rng::symmetric(rng);
        let (rotation, shear) = (draw(self.rotation), draw(self.shear));
        let scale = [1.0 + draw(self.scale), 1.0 + draw(self.scale)];
        let shift = if self.whole_pixels {
            let steps = self.shift.floor();
            [0; 2].map(|_| (draw(steps + 0.5)).round().clamp(-steps, steps))
        } else {
            [draw(self.shift), draw(self.shift)]
        };
        Affine::inverse_of(rotation * PI / 180.0, shear * PI / 180.0, scale, shift)
    }
}

thread_local! {
    /// One set of buffers a thread: they grow to the size of an image once.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Default)]
struct Scratch {
    canvas: Canvas,
    displacement: Displacement,
    row: Row,
}

/// The linear map from an output position to a source position, both `(x, y)` relative to the
/// centre of the image: `source = matrix * (output - shift)`.
#[derive(Clone, Copy, Debug)]
struct Affine {
    matrix: [[f32; 2]; 2],
    shift: [f32; 2],
}

impl Affine {
    /// The inverse of: scale each axis, slant by `shear`, rotate by `rotation` (radians, clockwise
    /// on the screen as y points down), then shift.
    fn inverse_of(rotation: f32, shear: f32, scale: [f32; 2], shift: [f32; 2]) -> Self {
        let (sin, cos) = rotation.sin_cos();
        let slant = shear.tan();
        // (R S D)^-1 = D^-1 S^-1 R^T with S = [[1, slant], [0, 1]].
        let upper = [cos + slant * sin, sin - slant * cos];
        let lower = [-sin, cos];
        let matrix = [upper.map(|v| v / scale[0]), lower.map(|v| v / scale[1])];
        Self { matrix, shift }
    }
}

/// Width of the border that makes reading beside the image safe: one pixel before, two after.
const BEFORE: usize = 1;
const BORDER: usize = 3;

/// The image as planes of f32 with a border.
#[derive(Default)]
struct Canvas {
    values: Vec<f32>,
    stride: usize,
    plane: usize,
}

impl Canvas {
    fn fill(&mut self, image: &[u8], size: Size, fill: f32) {
        self.stride = size.width + BORDER;
        self.plane = self.stride * (size.height + BORDER);
        self.values.clear();
        self.values.resize(self.plane * size.channels, fill);
        for (channel, plane) in self.values.chunks_exact_mut(self.plane).enumerate() {
            let rows = plane.chunks_exact_mut(self.stride).skip(BEFORE);
            for (row, pixels) in rows.zip(image.chunks_exact(size.width * size.channels)) {
                let pixels = pixels[channel..].iter().step_by(size.channels);
                for (value, &pixel) in row[BEFORE..].iter_mut().zip(pixels) {
                    *value = f32::from(pixel);
                }
            }
        }
    }
}

/// A random displacement of every pixel, smooth in x and y: cubic B-splines on a grid.
#[derive(Default)]
struct Displacement {
    /// Random values: for each row of knots, those for x, then those for y.
    knots: Vec<f32>,
    /// The same, interpolated along x: for each row of knots, `width` displacements in x, then in y.
    rows: Vec<f32>,
    /// For each column of pixels, the first of the four knots around it and their weights.
    columns: Vec<(usize, [f32; 4])>,
    /// Distance of two knots in pixels.
    spacing: f32,
    /// Position of the first row of pixels on the grid, in knots.
    phase: f32,
}

/// The standard deviation of a sum of independent uniform [-1, 1) values weighed by cubic
/// B-splines along both axes, averaged over positions: the integral of the squared spline, 151/315,
/// once for each axis (as a standard deviation), times that of the uniform values.
const SPLINE_DEVIATION: f32 = (151.0 / 315.0) * 0.577_350_26;

impl Displacement {
    fn draw(&mut self, elastic: Elastic, size: Size, rng: &mut Pcg64) {
        let sigma = elastic.sigma.max(1.0);
        self.spacing = sigma * 3.0f32.sqrt();
        let [phase, phase_x] = [0; 2].map(|_| (rng::symmetric(rng) + 1.0) / 2.0);
        self.phase = phase;
        let [columns, rows] = [size.width, size.height]
            .map(|pixels| (pixels as f32 / self.spacing + 1.0) as usize + 4);
        self.knots.clear();
        self.knots.resize(rows * 2 * columns, 0.0);
        rng::fill_symmetric(rng, &mut self.knots);

        let deviation = elastic.alpha / (2.0 * (3.0 * PI).sqrt() * sigma);
        self.knots.iter_mut().for_each(|knot| *knot *= deviation / SPLINE_DEVIATION);

        self.columns.clear();
        self.columns.extend((0..size.width).map(|x| spline(x as f32 / self.spacing + phase_x)));
        self.rows.clear();
        for knots in self.knots.chunks_exact(columns) {
            self.rows.extend(self.columns.iter().map(|&(first, [a, b, c, d])| {
                let knots = &knots[first..first + 4];
                a * knots[0] + b * knots[1] + c * knots[2] + d * knots[3]
            }));
        }
    }

    /// Adds the displacements of row `y` to the source positions in `row`.
    fn add_to(&self, y: usize, row: &mut Row) {
        let width = row.x.len();
        let (first, [a, b, c, d]) = spline(y as f32 / self.spacing + self.phase);
        let knots = &self.rows[first * 2 * width..][..8 * width];
        for (offset, positions) in [(0, &mut row.x), (width, &mut row.y)] {
            let [k0, k1, k2, k3] = [0, 2, 4, 6].map(|k| &knots[offset + k * width..][..width]);
            for (x, position) in positions.iter_mut().enumerate() {
                *position += a * k0[x] + b * k1[x] + c * k2[x] + d * k3[x];
            }
        }
    }
}

/// The first of the four knots that a cubic B-spline at `position` (in knots, 0 or more) combines,
/// and their weights, which sum to 1.
fn spline(position: f32) -> (usize, [f32; 4]) {
    let first = position as usize;
    let t = position - first as f32;
    let (t2, t3, rest) = (t * t, t * t * t, 1.0 - t);
    let weights =
        [rest * rest * rest, 3.0 * t3 - 6.0 * t2 + 4.0, -3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0, t3];
    (first, weights.map(|weight| weight / 6.0))
}

/// Source positions of one output row, then where they lie in the canvas.
#[derive(Default)]
struct Row {
    x: Vec<f32>,
    y: Vec<f32>,
    place: Vec<u32>,
}

impl Row {
    /// Source positions, in pixels of the image, of the pixels of row `y`.
    fn start(&mut self, affine: &Affine, y: usize, size: Size) {
        let centre = [size.width, size.height].map(|length| (length as f32 - 1.0) / 2.0);
        let [[xx, xy], [yx, yy]] = affine.matrix;
        let dy = y as f32 - centre[1] - affine.shift[1];
        let origin = [centre[0] + xy * dy, centre[1] + yy * dy];
        let first = -centre[0] - affine.shift[0];
        for (x, (source_x, source_y)) in self.x.iter_mut().zip(&mut self.y).enumerate() {
            let dx = x as f32 + first;
            *source_x = origin[0] + xx * dx;
            *source_y = origin[1] + yx * dx;
        }
    }

    /// Splits each position into the place of its upper left pixel in the canvas and what is left
    /// over in `x` and `y`, 0 to 1. Positions further outside read the border.
    fn split(&mut self, canvas: &Canvas, size: Size) {
        let [right, bottom] = [size.width, size.height].map(|length| (length + BEFORE) as f32);
        for ((x, y), place) in self.x.iter_mut().zip(&mut self.y).zip(&mut self.place) {
            // From 0, so that truncation is the floor; a NaN becomes 0 here.
            let (canvas_x, canvas_y) = (
                (*x + BEFORE as f32).max(0.0).min(right),
                (*y + BEFORE as f32).max(0.0).min(bottom),
            );
            let (column, row) = (canvas_x as i32, canvas_y as i32);
            *x = canvas_x - column as f32;
            *y = canvas_y - row as f32;
            *place = (row * canvas.stride as i32 + column) as u32;
        }
    }
}

/// Reads the canvas where the affine map and the displacement say, bilinearly.
fn resample(
    canvas: &Canvas,
    affine: &Affine,
    displacement: Option<&Displacement>,
    size: Size,
    row: &mut Row,
    out: &mut [f32],
) {
    row.x.resize(size.width, 0.0);
    row.y.resize(size.width, 0.0);
    row.place.resize(size.width, 0);
    for y in 0..size.height {
        row.start(affine, y, size);
        if let Some(displacement) = displacement {
            displacement.add_to(y, row);
        }
        row.split(canvas, size);
        let planes = canvas.values.chunks_exact(canvas.plane);
        for (plane, out) in planes.zip(out.chunks_exact_mut(size.height * size.width)) {
            let out = &mut out[y * size.width..][..size.width];
            let positions = row.place.iter().zip(&row.x).zip(&row.y);
            for (out, ((&place, &x), &y)) in out.iter_mut().zip(positions) {
                let four = &plane[place as usize..][..canvas.stride + 2];
                let upper = four[0] + x * (four[1] - four[0]);
                let (left, right) = (four[canvas.stride], four[canvas.stride + 1]);
                let lower = left + x * (right - left);
                *out = upper + y * (lower - upper);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use proptest::prelude::*;

    const SIZE: Size = Size { height: 28, width: 28, channels: 1 };

    /// A smooth blob off the centre, HWC.
    fn blob(size: Size) -> Vec<u8> {
        let mut image = vec![];
        for y in 0..size.height {
            for x in 0..size.width {
                let (dx, dy) = (x as f32 - 16.0, y as f32 - 11.0);
                let value = 255.0 * (-(dx * dx + dy * dy) / 18.0).exp();
                image.extend((0..size.channels).map(|channel| (value as u8) >> channel));
            }
        }
        image
    }

    fn warp(affine: Affine, image: &[u8]) -> Vec<f32> {
        let mut canvas = Canvas::default();
        canvas.fill(image, SIZE, 0.0);
        let mut out = vec![f32::NAN; 28 * 28];
        resample(&canvas, &affine, None, SIZE, &mut Row::default(), &mut out);
        out
    }

    /// The mean position (x, y) of the brightness.
    fn centre_of_mass(image: &[f32]) -> [f64; 2] {
        let mut sums = [0.0; 3];
        for (index, &value) in image.iter().enumerate() {
            sums[0] += f64::from(value) * (index % 28) as f64;
            sums[1] += f64::from(value) * (index / 28) as f64;
            sums[2] += f64::from(value);
        }
        [sums[0] / sums[2], sums[1] / sums[2]]
    }

    fn deviation(values: &[f32]) -> f32 {
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>();
        (squares / values.len() as f32).sqrt()
    }

    #[test]
    fn an_augmentation_that_changes_nothing_copies_the_pixels() {
        let image: Vec<u8> = (0..28 * 28).map(|index| (index * 7 % 256) as u8).collect();
        let mut out = vec![f32::NAN; 28 * 28];
        Augmentation::default().apply(
            &mut stream(1, Purpose::Augment, 0, 0),
            &image,
            SIZE,
            &mut out,
        );
        assert!(out.iter().zip(&image).all(|(&out, &pixel)| out == f32::from(pixel)));
    }

    #[test]
    fn a_whole_pixel_shift_moves_pixels_exactly_and_fills_what_comes_in() {
        let image: Vec<u8> = (0..28 * 28).map(|index| (index * 7 % 251 + 1) as u8).collect();
        let out = warp(Affine::inverse_of(0.0, 0.0, [1.0, 1.0], [3.0, -2.0]), &image);
        for y in 0..28 {
            for x in 0..28 {
                let expected = if x >= 3 && y + 2 < 28 { image[(y + 2) * 28 + x - 3] } else { 0 };
                assert_eq!(out[y * 28 + x], f32::from(expected), "at ({x}, {y})");
            }
        }
    }

    #[test]
    fn drawn_whole_shifts_are_whole_and_reach_both_ends() {
        let augmentation =
            Augmentation { shift: 2.0, whole_pixels: true, ..Augmentation::default() };
        let mut seen = [0; 5];
        for index in 0..2000 {
            let affine = augmentation.draw_affine(&mut stream(1, Purpose::Augment, 0, index));
            seen[(affine.shift[0] + 2.0) as usize] += 1;
            assert_eq!(affine.shift[1].fract(), 0.0);
        }
        assert!(seen.iter().all(|&count| (320..480).contains(&count)), "{seen:?}");
    }

    #[test]
    fn a_quarter_turn_takes_right_to_bottom() {
        let image = blob(SIZE);
        let out = warp(Affine::inverse_of(PI / 2.0, 0.0, [1.0, 1.0], [0.0, 0.0]), &image);
        for y in 0..28 {
            for x in 0..28 {
                // The pixel at (x, y) came from (y, 27 - x).
                let expected = f32::from(image[(27 - x) * 28 + y]);
                assert!((out[y * 28 + x] - expected).abs() < 0.01, "at ({x}, {y})");
            }
        }
    }

    #[test]
    fn scale_shear_rotation_and_shift_move_the_centre_as_their_matrices_say() {
        let (rotation, shear, scale, shift) = (0.3f32, 0.2f32, [1.2f32, 0.9], [1.5f32, -0.5]);
        let out = warp(Affine::inverse_of(rotation, shear, scale, shift), &blob(SIZE));
        // The blob's centre, relative to that of the image, through scale, slant, rotation, shift.
        let [x, y] = [2.5f64 * 1.2, -2.5 * 0.9];
        let x = x + f64::from(shear).tan() * y;
        let (sin, cos) = f64::from(rotation).sin_cos();
        let expected = [13.5 + cos * x - sin * y + 1.5, 13.5 + sin * x + cos * y - 0.5];
        let found = centre_of_mass(&out);
        for axis in 0..2 {
            assert!((found[axis] - expected[axis]).abs() < 0.05, "{found:?} {expected:?}");
        }
    }

    #[test]
    fn spline_weights_sum_to_one_and_keep_a_straight_line() {
        for step in 0..100 {
            let position = step as f32 * 0.13;
            let (first, weights) = spline(position);
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            let line: f32 = (first..).zip(weights).map(|(knot, weight)| knot as f32 * weight).sum();
            assert!((line - (position + 1.0)).abs() < 1e-5);
        }
    }

    #[test]
    fn elastic_displacements_have_the_strength_of_the_papers_recipe() {
        let (mut x, mut y) = (vec![], vec![]);
        for index in 0..400 {
            let mut displacement = Displacement::default();
            let elastic = Elastic { alpha: 34.0, sigma: 4.0 };
            displacement.draw(elastic, SIZE, &mut stream(5, Purpose::Augment, 0, index));
            for line in 0..28 {
                let mut row = Row { x: vec![0.0; 28], y: vec![0.0; 28], place: vec![] };
                displacement.add_to(line, &mut row);
                x.extend(row.x);
                y.extend(row.y);
            }
        }
        // alpha / (2 sqrt(3 pi) sigma), within what 400 fields scatter.
        assert!((deviation(&x) - 1.384).abs() < 0.05, "{}", deviation(&x));
        assert!((deviation(&y) - 1.384).abs() < 0.05, "{}", deviation(&y));
        let product = x.iter().zip(&y).map(|(x, y)| x * y).sum::<f32>() / x.len() as f32;
        assert!(product.abs() < 0.1, "x and y are independent: {product}");
    }

    #[test]
    fn channels_are_distorted_alike() {
        let size = Size { channels: 3, ..SIZE };
        let mut out = vec![f32::NAN; 3 * 28 * 28];
        strong().apply(&mut stream(1, Purpose::Augment, 0, 3), &blob(size), size, &mut out);
        let (first, rest) = out.split_at(28 * 28);
        let mut alone = vec![f32::NAN; 28 * 28];
        strong().apply(&mut stream(1, Purpose::Augment, 0, 3), &blob(SIZE), SIZE, &mut alone);
        assert_eq!(first, alone);
        assert!(first.iter().zip(rest).all(|(full, half)| (full / 2.0 - half).abs() <= 1.0));
    }

    fn strong() -> Augmentation {
        Augmentation {
            shift: 3.0,
            rotation: 20.0,
            scale: 0.3,
            shear: 20.0,
            elastic: Some(Elastic { alpha: 40.0, sigma: 4.0 }),
            ..Augmentation::default()
        }
    }

    proptest! {
        #[test]
        fn any_size_and_amount_stays_within_the_images_range(
            height in 1usize..40, width in 1usize..40, channels in prop::sample::select(vec![1usize, 3]),
            shift in 0.0f32..1e6, rotation in 0.0f32..360.0, scale in 0.0f32..0.99,
            shear in 0.0f32..89.0, alpha in 0.0f32..1e4, sigma in 0.0f32..100.0, seed: u64,
        ) {
            let size = Size { height, width, channels };
            let elastic = Some(Elastic { alpha, sigma });
            let augmentation = Augmentation { shift, rotation, scale, shear, elastic, fill: 20, ..Augmentation::default() };
            let image: Vec<u8> = (0..height * width * channels).map(|index| 10 + (index * 31 % 200) as u8).collect();
            let mut out = vec![f32::NAN; image.len()];
            augmentation.apply(&mut stream(seed, Purpose::Augment, 0, 0), &image, size, &mut out);
            prop_assert!(out.iter().all(|value| (9.99..=209.01).contains(value)));
        }
    }
}
