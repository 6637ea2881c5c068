//! What a window is covered with.

use std::fmt;
use std::str::FromStr;

use cutaway_engine::{Engine, Fill};
use ndarray::{Array3, ArrayView2, ArrayView3, ArrayViewMut2, Axis, s};

use crate::windows::{Size, Windows};

/// What a window is covered with. Written `0`, `mean`, `blur`, `noise` or `inpaint`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cover {
    /// One pixel value in every channel, 0 (black) to 255 (white) as in an image file; the network's
    /// preprocessing turns it into an input.
    Value(f32),
    /// The mean of each channel over the whole image.
    Mean,
    /// The same place of the image after a Gaussian blur with a standard deviation of half the
    /// window's shorter side: what is finer than the window is lost, the brightness stays. At the
    /// edge the image is continued by its border pixels.
    Blur,
    /// Pixel values drawn evenly from 0 to 255, anew for each window, pixel and channel, from the
    /// seed.
    Noise,
    /// The smoothest surface through the pixels around the window: the solution of Laplace's
    /// equation with those pixels as boundary and no slope at the image's own edge. A window that
    /// covers the whole image gets the mean.
    Inpaint,
}

impl FromStr for Cover {
    type Err = String;

    fn from_str(text: &str) -> Result<Cover, String> {
        match text {
            "mean" => Ok(Cover::Mean),
            "blur" => Ok(Cover::Blur),
            "noise" => Ok(Cover::Noise),
            "inpaint" => Ok(Cover::Inpaint),
            _ => match text.parse::<f32>() {
                Ok(value) if (0.0..=255.0).contains(&value) => Ok(Cover::Value(value)),
                _ => Err(format!(
                    "'{text}' is no fill; expected a pixel value from 0 (black) to 255 (white), \
                     mean, blur, noise or inpaint"
                )),
            },
        }
    }
}

impl fmt::Display for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cover::Value(value) => write!(f, "{value}"),
            Cover::Mean => f.write_str("mean"),
            Cover::Blur => f.write_str("blur"),
            Cover::Noise => f.write_str("noise"),
            Cover::Inpaint => f.write_str("inpaint"),
        }
    }
}

/// A cover made ready for one image.
pub(crate) enum Prepared<'a> {
    /// The same in every window.
    Flat(Vec<f32>),
    /// A piece of another image of the same size.
    Piece(Array3<f32>),
    /// Noise between two values a channel.
    Noise {
        seed: u64,
        ends: Vec<(f32, f32)>,
    },
    Inpaint {
        image: ArrayView3<'a, f32>,
        mean: Vec<f32>,
    },
}

impl Cover {
    /// Makes the cover ready for windows of a size in `image`, which is in the units of the
    /// network's input.
    pub(crate) fn prepare<'a>(
        self,
        engine: &Engine,
        image: ArrayView3<'a, f32>,
        window: Size,
        seed: u64,
    ) -> Prepared<'a> {
        match self {
            Cover::Value(value) => Prepared::Flat(input_of_pixel(engine, value)),
            Cover::Mean => Prepared::Flat(means(image)),
            Cover::Blur => {
                let sigma = 0.5 * window.height.min(window.width) as f64;
                Prepared::Piece(blurred(image, sigma))
            }
            Cover::Noise => {
                let (low, high) = (input_of_pixel(engine, 0.0), input_of_pixel(engine, 255.0));
                Prepared::Noise { seed, ends: low.into_iter().zip(high).collect() }
            }
            Cover::Inpaint => Prepared::Inpaint { image, mean: means(image) },
        }
    }
}

impl Prepared<'_> {
    /// What the window shows at a place.
    pub(crate) fn fill(&self, grid: &Windows, index: usize) -> Fill {
        let (row, col) = grid.place(index);
        let Size { height, width } = grid.window;
        match self {
            Prepared::Flat(values) if values.len() == 1 => Fill::Value(values[0]),
            Prepared::Flat(values) => Fill::Channels(values.clone()),
            Prepared::Piece(image) => {
                let piece = image.slice(s![.., row..row + height, col..col + width]);
                Fill::Patch(piece.to_owned())
            }
            Prepared::Noise { seed, ends } => {
                let shape = (ends.len(), height, width);
                let number = |c: usize, y: usize, x: usize| {
                    (((index * ends.len() + c) * height + y) * width + x) as u64
                };
                Fill::Patch(Array3::from_shape_fn(shape, |(c, y, x)| {
                    let (low, high) = ends[c];
                    low + (high - low) * unit(*seed, number(c, y, x))
                }))
            }
            Prepared::Inpaint { image, mean } => {
                let mut patch = Array3::zeros((mean.len(), height, width));
                for (c, &mean) in mean.iter().enumerate() {
                    let plane = image.index_axis(Axis(0), c);
                    inpaint(plane, (row, col), mean, patch.index_axis_mut(Axis(0), c));
                }
                Fill::Patch(patch)
            }
        }
    }
}

/// A pixel value as the network's input, one value a channel.
fn input_of_pixel(engine: &Engine, value: f32) -> Vec<f32> {
    let p = &engine.network().metadata().preprocessing;
    p.mean.iter().zip(&p.std).map(|(mean, std)| (value * p.scale - mean) / std).collect()
}

/// Mean of each channel.
fn means(image: ArrayView3<'_, f32>) -> Vec<f32> {
    let mean = |plane: ArrayView2<'_, f32>| {
        let sum: f64 = plane.iter().map(|&v| f64::from(v)).sum();
        (sum / plane.len() as f64) as f32
    };
    image.outer_iter().map(mean).collect()
}

/// A Gaussian blur of each channel, cut off at three standard deviations, border pixels continued.
pub(crate) fn blurred(image: ArrayView3<'_, f32>, sigma: f64) -> Array3<f32> {
    let reach = (3.0 * sigma).ceil() as isize;
    let weight = |d: isize| (-0.5 * (d as f64 / sigma).powi(2)).exp();
    let total: f64 = (-reach..=reach).map(weight).sum();
    let kernel: Vec<f64> = (-reach..=reach).map(|d| weight(d) / total).collect();
    let mut result = image.to_owned();
    for axis in [Axis(1), Axis(2)] {
        for mut lane in result.lanes_mut(axis) {
            let before: Vec<f32> = lane.to_vec();
            let last = before.len() as isize - 1;
            for (i, value) in lane.iter_mut().enumerate() {
                let at = |k: usize| (i as isize + k as isize - reach).clamp(0, last) as usize;
                let sum = kernel.iter().enumerate().map(|(k, w)| w * f64::from(before[at(k)]));
                *value = sum.sum::<f64>() as f32;
            }
        }
    }
    result
}

/// A number in 0..1 that depends on the seed and its own number alone: SplitMix64 (Steele, Lea,
/// Flood 2014) as a function of the counter, its upper 24 bits.
fn unit(seed: u64, number: u64) -> f32 {
    let mut z = mix(seed).wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = mix(z);
    (z >> 40) as f32 / (1 << 24) as f32
}

fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Steps of relaxation at most.
const STEPS: usize = 10_000;

/// Fills `patch` with the solution of the discrete Laplace equation: each pixel is the mean of its
/// neighbours in the image. Found by successive over-relaxation to 1e-5 of the border's range.
fn inpaint(
    image: ArrayView2<'_, f32>,
    (row, col): (usize, usize),
    mean: f32,
    mut patch: ArrayViewMut2<'_, f32>,
) {
    let (height, width) = patch.dim();
    let border = border(image, (row, col), (height, width));
    if border.is_empty() {
        return patch.fill(mean);
    }
    let (low, high) = border.iter().fold((f32::MAX, f32::MIN), |(a, b), &v| (a.min(v), b.max(v)));
    let start: f64 = border.iter().map(|&v| f64::from(v)).sum::<f64>() / border.len() as f64;
    let tolerance = 1e-5 * f64::from(high - low);
    let mut values = vec![start; height * width];
    // The best factor for a square with fixed borders (Young 1954); elsewhere still a good one.
    let omega = 2.0 / (1.0 + (std::f64::consts::PI / (height.max(width) + 1) as f64).sin());
    for _ in 0..STEPS {
        let mut largest: f64 = 0.0;
        for y in 0..height {
            for x in 0..width {
                let (mut sum, mut count) = (0.0, 0.0);
                for (dy, dx) in [(-1, 0), (1, 0), (0, -1), (0, 1)] {
                    let (iy, ix) = (y as isize + dy, x as isize + dx);
                    let inside =
                        (0..height as isize).contains(&iy) && (0..width as isize).contains(&ix);
                    let neighbour = match inside {
                        true => Some(values[iy as usize * width + ix as usize]),
                        false => pixel(image, row as isize + iy, col as isize + ix),
                    };
                    if let Some(value) = neighbour {
                        (sum, count) = (sum + value, count + 1.0);
                    }
                }
                let step = omega * (sum / count - values[y * width + x]);
                values[y * width + x] += step;
                largest = largest.max(step.abs());
            }
        }
        if largest <= tolerance {
            break;
        }
    }
    patch.iter_mut().zip(values).for_each(|(pixel, value)| *pixel = value as f32);
}

fn pixel(image: ArrayView2<'_, f32>, y: isize, x: isize) -> Option<f64> {
    let place = (usize::try_from(y).ok()?, usize::try_from(x).ok()?);
    image.get(place).map(|&v| f64::from(v))
}

/// The pixels that touch the window from outside.
fn border(
    image: ArrayView2<'_, f32>,
    (row, col): (usize, usize),
    (h, w): (usize, usize),
) -> Vec<f32> {
    let (bottom, right) = (row + h, col + w);
    let mut pixels = Vec::new();
    for x in col..right {
        pixels.extend(row.checked_sub(1).map(|y| image[(y, x)]));
        pixels.extend(image.get((bottom, x)));
    }
    for y in row..bottom {
        pixels.extend(col.checked_sub(1).map(|x| image[(y, x)]));
        pixels.extend(image.get((y, right)));
    }
    pixels
}

#[cfg(test)]
mod tests {
    use cutaway_engine::Options;
    use cutaway_net::NetworkBuilder;

    use super::*;

    fn image() -> Array3<f32> {
        Array3::from_shape_fn((2, 6, 7), |(c, y, x)| (c * 50 + 3 * y * y + 2 * x) as f32)
    }

    /// An engine with two channels of different preprocessing.
    fn engine() -> Engine {
        let mut builder = NetworkBuilder::new("n");
        builder.input("x", &[2, 6, 7]).flatten("f").dense("d", 3).output();
        let network = builder.build(1).unwrap();
        let mut metadata = network.metadata().clone();
        metadata.preprocessing.mean = vec![0.5, 0.0];
        metadata.preprocessing.std = vec![0.25, 2.0];
        Engine::compile(&network.with_metadata(metadata), &Options::default()).unwrap()
    }

    fn patch(cover: Cover, window: Size, index: usize, seed: u64) -> Array3<f32> {
        let image = image();
        let grid = Windows::new(Size { height: 6, width: 7 }, window, 1).unwrap();
        match cover.prepare(&engine(), image.view(), window, seed).fill(&grid, index) {
            Fill::Patch(patch) => patch,
            other => panic!("{other:?} is no patch"),
        }
    }

    #[test]
    fn a_value_goes_through_the_preprocessing_of_each_channel() {
        let image = image();
        let prepared = Cover::Value(255.0).prepare(&engine(), image.view(), Size::square(2), 1);
        let Prepared::Flat(values) = prepared else { panic!("a flat cover") };
        assert!((values[0] - 2.0).abs() < 1e-6 && (values[1] - 0.5).abs() < 1e-6, "{values:?}");
    }

    #[test]
    fn the_mean_is_that_of_each_channel() {
        let image = image();
        let prepared = Cover::Mean.prepare(&engine(), image.view(), Size::square(2), 1);
        let Prepared::Flat(values) = prepared else { panic!("a flat cover") };
        // Mean of 3y² over 0..6 is 27.5, of 2x over 0..7 is 6.
        assert_eq!(values, [33.5, 83.5]);
    }

    #[test]
    fn noise_is_the_same_for_a_seed_differs_between_windows_and_keeps_the_range() {
        let size = Size::square(3);
        let first = patch(Cover::Noise, size, 0, 7);
        assert_eq!(first, patch(Cover::Noise, size, 0, 7));
        assert_ne!(first, patch(Cover::Noise, size, 1, 7));
        assert_ne!(first, patch(Cover::Noise, size, 0, 8));
        // Channel 0 goes from (0 − 0.5)/0.25 to (1 − 0.5)/0.25, channel 1 from 0 to 1/2.
        let (mut sum, mut count) = (0.0, 0.0);
        for seed in 0..200 {
            let patch = patch(Cover::Noise, size, 0, seed);
            assert!(patch.index_axis(Axis(0), 0).iter().all(|v| (-2.0..=2.0).contains(v)));
            assert!(patch.index_axis(Axis(0), 1).iter().all(|v| (0.0..=0.5).contains(v)));
            sum += patch.index_axis(Axis(0), 1).sum();
            count += 9.0;
        }
        // The mean of 1,800 even numbers from 0 to 0.5 has a standard error of 0.0034.
        assert!((sum / count - 0.25).abs() < 0.014, "{}", sum / count);
    }

    #[test]
    fn a_blur_keeps_an_even_image_and_agrees_with_the_sum_written_out() {
        let even = Array3::from_elem((1, 5, 4), 3.0);
        assert!(blurred(even.view(), 1.5).iter().all(|v| (v - 3.0).abs() < 1e-6));
        let (image, sigma) = (image(), 1.0);
        let result = blurred(image.view(), sigma);
        let weight = |d: isize| (-0.5 * (d * d) as f64).exp();
        let norm: f64 = (-3..=3).map(weight).sum();
        let mut expected = 0.0;
        for dy in -3isize..=3 {
            for dx in -3isize..=3 {
                let y = (1 + dy).clamp(0, 5) as usize;
                let x = (5 + dx).clamp(0, 6) as usize;
                expected += weight(dy) * weight(dx) * f64::from(image[(1, y, x)]);
            }
        }
        assert!((f64::from(result[(1, 1, 5)]) - expected / (norm * norm)).abs() < 1e-4);
    }

    #[test]
    fn inpainting_continues_a_plane_exactly() {
        // A plane solves Laplace's equation: it must come back under any inner window.
        let plane = Array3::from_shape_fn((1, 9, 9), |(_, y, x)| 2.0 * y as f32 - x as f32);
        let mut patch = ndarray::Array2::zeros((4, 5));
        inpaint(plane.index_axis(Axis(0), 0), (2, 3), 0.0, patch.view_mut());
        for ((y, x), value) in patch.indexed_iter() {
            assert!((value - plane[(0, y + 2, x + 3)]).abs() < 1e-3, "({y}, {x}): {value}");
        }
    }

    #[test]
    fn inpainting_at_the_edge_and_of_everything_is_possible() {
        let size = Size { height: 6, width: 3 };
        // The left three columns: the border is the column of x = 3 alone.
        let left = patch(Cover::Inpaint, size, 0, 1);
        assert!(left.iter().all(|v| v.is_finite()));
        let everything = patch(Cover::Inpaint, Size { height: 6, width: 7 }, 0, 1);
        assert!(everything.index_axis(Axis(0), 0).iter().all(|&v| v == 33.5));
    }

    #[test]
    fn fills_are_read_as_they_are_written() {
        for text in ["0", "127.5", "255", "mean", "blur", "noise", "inpaint"] {
            assert_eq!(text.parse::<Cover>().unwrap().to_string(), text);
        }
        for text in ["", "-1", "256", "nan", "grey", "1e9"] {
            assert!(text.parse::<Cover>().is_err(), "{text:?}");
        }
    }
}
