//! Shifting, turning, scaling and shearing an image, to the same numbers as Keras.
//!
//! Keras' `apply_affine_transform` (what `ImageDataGenerator` and `random_shift` call) hands the
//! image to SciPy's `scipy.ndimage.affine_transform` with `order=1`. What SciPy does beyond the
//! border is not always what the name of a mode suggests, and is reproduced here as it is:
//! - `nearest`: the border pixel goes on for ever.
//! - `constant`: where the place asked for lies outside the pixel centres, by however little, the
//!   pixel is `cval`; nothing is interpolated across the border (that is SciPy's `grid-constant`).
//! - `reflect`: the image is mirrored at the outer edge of its border pixels: `b a | a b c | c b`.
//! - `wrap`: the image repeats with a period of **one pixel less than its size** (SciPy's
//!   `grid-wrap` would have the full size), so that its last row takes the place of the first.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::Error;

/// What an image shows beyond its border.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FillMode {
    /// The border pixel: Keras' default.
    #[default]
    Nearest,
    /// One value.
    Constant,
    /// The image mirrored at the outer edge of its border pixels.
    Reflect,
    /// The image again, with a period of its size less one pixel.
    Wrap,
}

impl FillMode {
    /// All of them, in the order of Keras' documentation.
    pub const ALL: [FillMode; 4] =
        [FillMode::Constant, FillMode::Nearest, FillMode::Reflect, FillMode::Wrap];
}

impl fmt::Display for FillMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FillMode::Nearest => "nearest",
            FillMode::Constant => "constant",
            FillMode::Reflect => "reflect",
            FillMode::Wrap => "wrap",
        })
    }
}

impl FromStr for FillMode {
    type Err = Error;

    fn from_str(name: &str) -> Result<FillMode, Error> {
        FillMode::ALL.into_iter().find(|mode| mode.to_string() == name).ok_or_else(|| {
            Error::Setting(format!(
                "there is no fill mode '{name}'; take nearest, constant, reflect or wrap"
            ))
        })
    }
}

/// A fill mode with the value of `constant`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Fill {
    /// What an image shows beyond its border.
    #[serde(rename = "fill_mode")]
    pub mode: FillMode,
    /// The value that [`FillMode::Constant`] shows, in the units of the image.
    pub cval: f32,
}

impl From<FillMode> for Fill {
    fn from(mode: FillMode) -> Fill {
        Fill { mode, cval: 0.0 }
    }
}

/// How an image is moved. Of several parts the image is scaled first, then sheared, shifted and
/// turned, as in Keras; all about its centre.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Transform {
    /// Pixels to the right (Keras' `ty` with the other sign), at most 10,000 either way.
    pub dx: f64,
    /// Pixels down (Keras' `tx` with the other sign), at most 10,000 either way.
    pub dy: f64,
    /// Degrees clockwise as seen on a screen (Keras' `theta`), −360 to 360.
    pub rotate: f64,
    /// Size after it over size before it, 0.05 to 20 (Keras' `zx` and `zy` are 1 over this).
    pub scale: f64,
    /// Keras' `shear` in degrees, −80 to 80: columns grow by the cosine, rows slip by the sine.
    pub shear: f64,
}

impl Default for Transform {
    fn default() -> Transform {
        Transform::IDENTITY
    }
}

impl Transform {
    /// Leaves the image as it is.
    pub const IDENTITY: Transform =
        Transform { dx: 0.0, dy: 0.0, rotate: 0.0, scale: 1.0, shear: 0.0 };

    /// A shift by pixels to the right and down.
    pub fn shift(dx: f64, dy: f64) -> Transform {
        Transform { dx, dy, ..Transform::IDENTITY }
    }

    /// A turn by degrees, clockwise.
    pub fn rotation(degrees: f64) -> Transform {
        Transform { rotate: degrees, ..Transform::IDENTITY }
    }

    /// A change of size.
    pub fn scaling(factor: f64) -> Transform {
        Transform { scale: factor, ..Transform::IDENTITY }
    }

    /// A shear by degrees.
    pub fn shearing(degrees: f64) -> Transform {
        Transform { shear: degrees, ..Transform::IDENTITY }
    }

    /// Whether it leaves every image as it is.
    pub fn is_identity(&self) -> bool {
        *self == Transform::IDENTITY
    }

    /// Refuses what lies outside the ranges that the fields name.
    ///
    /// # Errors
    /// [`Error::Setting`], naming the range.
    pub fn check(&self) -> Result<(), Error> {
        let ranges = [
            ("a shift", self.dx, -1e4, 1e4, "pixels"),
            ("a shift", self.dy, -1e4, 1e4, "pixels"),
            ("a rotation", self.rotate, -360.0, 360.0, "degrees"),
            ("a scale", self.scale, 0.05, 20.0, "times the size"),
            ("a shear", self.shear, -80.0, 80.0, "degrees"),
        ];
        for (what, value, low, high, unit) in ranges {
            if !(low..=high).contains(&value) {
                return Err(Error::Setting(format!(
                    "{what} of {value} is out of range: give {low} to {high} {unit}"
                )));
            }
        }
        Ok(())
    }

    /// The affine map from places (row, column) of the new image to places of the old, `[a b t]`
    /// for each of the two. Products in Keras' order: the places of `constant` depend on the last
    /// bit.
    fn matrix(&self, height: usize, width: usize) -> [[f64; 3]; 2] {
        let (sin, cos) = self.rotate.to_radians().sin_cos();
        let turn = [[cos, -sin, 0.0], [sin, cos, 0.0]];
        let slide = [[1.0, 0.0, -self.dy], [0.0, 1.0, -self.dx]];
        let (sin, cos) = self.shear.to_radians().sin_cos();
        let shear = [[1.0, -sin, 0.0], [0.0, cos, 0.0]];
        let zoom = 1.0 / self.scale;
        let zoom = [[zoom, 0.0, 0.0], [0.0, zoom, 0.0]];
        let m = [slide, shear, zoom].into_iter().fold(turn, product);
        let centre = [height, width].map(|size| size as f64 / 2.0 - 0.5);
        let to_centre = [[1.0, 0.0, centre[0]], [0.0, 1.0, centre[1]]];
        let from_centre = [[1.0, 0.0, -centre[0]], [0.0, 1.0, -centre[1]]];
        product(product(to_centre, m), from_centre)
    }
}

/// First `b`, then `a`.
fn product(a: [[f64; 3]; 2], b: [[f64; 3]; 2]) -> [[f64; 3]; 2] {
    a.map(|[p, q, r]| {
        let column = |j: usize| p * b[0][j] + q * b[1][j];
        [column(0), column(1), column(2) + r]
    })
}

/// A transform worked out for images of one size: for each pixel the four pixels it is made of.
#[derive(Clone, Debug)]
pub struct Warp {
    pixels: Vec<Taps>,
}

/// Bilinear interpolation: `base + Σ weight · old[index]`.
#[derive(Clone, Copy, Debug)]
struct Taps {
    base: f64,
    indices: [u32; 4],
    weights: [f64; 4],
}

impl Warp {
    /// Works a transform out for images of `height` × `width`.
    ///
    /// # Errors
    /// [`Error::Setting`] where the transform is out of range, `cval` is not finite, or the image
    /// has no pixel or more than 2³².
    pub fn new(
        transform: &Transform,
        fill: Fill,
        height: usize,
        width: usize,
    ) -> Result<Warp, Error> {
        transform.check()?;
        Warp::of_matrix(transform.matrix(height, width), fill, height, width)
    }

    /// As [`Warp::new`], of the affine map from places (row, column) of the new image to places of
    /// the old.
    pub(crate) fn of_matrix(
        matrix: [[f64; 3]; 2],
        fill: Fill,
        height: usize,
        width: usize,
    ) -> Result<Warp, Error> {
        if !fill.cval.is_finite() {
            return Err(Error::Setting(format!("cval is {}: give a finite number", fill.cval)));
        }
        let pixels = height.checked_mul(width).filter(|&n| n > 0 && u32::try_from(n).is_ok());
        let Some(pixels) = pixels else {
            return Err(Error::Setting(format!("an image of {height}×{width} cannot be moved")));
        };
        let size = [height, width];
        let taps = |i: usize| {
            let (row, column) = ((i / width) as f64, (i % width) as f64);
            taps(matrix.map(|[a, b, t]| row * a + column * b + t), size, fill)
        };
        Ok(Warp { pixels: (0..pixels).map(taps).collect() })
    }

    /// Moves an image `[H, W, C]`, as data sets hold it, into `out`, `[C, H, W]`, as networks take
    /// it, in the same units.
    ///
    /// # Panics
    /// Where the image or `out` is of another size.
    pub fn apply<T: Copy + Into<f64>>(&self, image: &[T], channels: usize, out: &mut [f32]) {
        let pixels = self.pixels.len();
        assert_eq!((image.len(), out.len()), (pixels * channels, pixels * channels));
        for (channel, plane) in out.chunks_exact_mut(pixels).enumerate() {
            for (value, taps) in plane.iter_mut().zip(&self.pixels) {
                let old = taps.indices.map(|i| image[i as usize * channels + channel].into());
                let w = taps.weights;
                let sum = w[0] * old[0] + w[1] * old[1] + w[2] * old[2] + w[3] * old[3];
                *value = (taps.base + sum) as f32;
            }
        }
    }
}

fn taps(place: [f64; 2], [height, width]: [usize; 2], fill: Fill) -> Taps {
    let rows = along(place[0], height, fill.mode);
    let columns = along(place[1], width, fill.mode);
    let (Some((r, v)), Some((c, h))) = (rows, columns) else {
        return Taps { base: f64::from(fill.cval), indices: [0; 4], weights: [0.0; 4] };
    };
    let at = |row: usize, column: usize| (row * width + column) as u32;
    Taps {
        base: 0.0,
        indices: [at(r[0], c[0]), at(r[0], c[1]), at(r[1], c[0]), at(r[1], c[1])],
        weights: [v[0] * h[0], v[0] * h[1], v[1] * h[0], v[1] * h[1]],
    }
}

/// The two pixels of one axis between which a place lies, and their weights; None outside.
fn along(place: f64, size: usize, mode: FillMode) -> Option<([usize; 2], [f64; 2])> {
    let inside = fold(place, size, mode)?;
    let below = inside.floor();
    let share = inside - below;
    // Only the half pixel that `reflect` leaves beyond the border, or a weight of 0, is held back.
    let index = |i: f64| i.clamp(0.0, (size - 1) as f64) as usize;
    Some(([index(below), index(below + 1.0)], [1.0 - share, share]))
}

/// Folds a place beyond the border back, as SciPy's `map_coordinate` does.
fn fold(place: f64, size: usize, mode: FillMode) -> Option<f64> {
    let last = (size - 1) as f64;
    if (0.0..=last).contains(&place) {
        return Some(place);
    }
    match mode {
        FillMode::Constant => None,
        FillMode::Nearest => Some(place.clamp(0.0, last)),
        _ if size == 1 => Some(0.0),
        FillMode::Wrap if place < 0.0 => Some(place + last * ((-place / last).floor() + 1.0)),
        FillMode::Wrap => Some(place - last * (place / last).floor()),
        FillMode::Reflect => {
            let period = 2.0 * size as f64;
            let within = place.rem_euclid(period);
            let mirrored = if within > size as f64 - 0.5 { period - within - 1.0 } else { within };
            Some(mirrored)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(transform: Transform, fill: impl Into<Fill>, image: &[f32], width: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; image.len()];
        let warp = Warp::new(&transform, fill.into(), image.len() / width, width).unwrap();
        warp.apply(image, 1, &mut out);
        out
    }

    #[test]
    fn the_identity_changes_no_bit_in_any_mode() {
        let image: Vec<f32> = (0..35).map(|i| (i as f32 * 0.7).sin()).collect();
        for mode in FillMode::ALL {
            assert_eq!(moved(Transform::IDENTITY, mode, &image, 7), image, "{mode}");
        }
    }

    #[test]
    fn a_whole_shift_goes_to_the_right_and_down_and_the_mode_fills_the_rest() {
        let row = [1.0, 2.0, 3.0, 4.0];
        let right = Transform::shift(2.0, 0.0);
        assert_eq!(moved(right, FillMode::Nearest, &row, 4), [1.0, 1.0, 1.0, 2.0]);
        assert_eq!(moved(right, FillMode::Reflect, &row, 4), [2.0, 1.0, 1.0, 2.0]);
        // The period is three pixels, and place −1 is place 2.
        assert_eq!(moved(right, FillMode::Wrap, &row, 4), [2.0, 3.0, 1.0, 2.0]);
        let seven = Fill { mode: FillMode::Constant, cval: 7.0 };
        assert_eq!(moved(right, seven, &row, 4), [7.0, 7.0, 1.0, 2.0]);
        let down = moved(Transform::shift(0.0, 1.0), seven, &row, 2);
        assert_eq!(down, [7.0, 7.0, 1.0, 2.0]);
    }

    #[test]
    fn a_fractional_shift_mixes_neighbours_but_constant_never_mixes_the_border() {
        let row = [1.0, 2.0, 4.0];
        let half = Transform::shift(-0.5, 0.0);
        assert_eq!(moved(half, FillMode::Nearest, &row, 3), [1.5, 3.0, 4.0]);
        let zero = Fill { mode: FillMode::Constant, cval: 0.0 };
        assert_eq!(moved(half, zero, &row, 3), [1.5, 3.0, 0.0]);
    }

    #[test]
    fn quarter_turns_go_clockwise() {
        // 1 2      3 1
        // 3 4  to  4 2
        let turned = moved(Transform::rotation(90.0), FillMode::Nearest, &[1.0, 2.0, 3.0, 4.0], 2);
        for (value, expected) in turned.iter().zip([3.0, 1.0, 4.0, 2.0]) {
            assert!((value - expected).abs() < 1e-6, "{turned:?}");
        }
    }

    #[test]
    fn there_and_back_again_is_the_image_where_nothing_left_it() {
        let mut image = vec![0.0; 81];
        (30..50).for_each(|i| image[i] = i as f32);
        for (dx, dy) in [(2.0, 1.0), (-1.0, -2.0)] {
            let there = moved(Transform::shift(dx, dy), FillMode::Constant, &image, 9);
            let back = moved(Transform::shift(-dx, -dy), FillMode::Constant, &there, 9);
            for (i, (a, b)) in image.iter().zip(&back).enumerate() {
                let (row, column) = ((i / 9) as f64 + dy, (i % 9) as f64 + dx);
                if (0.0..9.0).contains(&row) && (0.0..9.0).contains(&column) {
                    assert_eq!(a, b, "pixel {i}");
                }
            }
        }
    }

    #[test]
    fn colours_are_moved_alike_and_come_out_one_plane_after_the_other() {
        let image: Vec<u8> = vec![1, 10, 100, 2, 20, 200];
        let warp = Warp::new(&Transform::shift(1.0, 0.0), Fill::default(), 1, 2).unwrap();
        let mut out = [0.0; 6];
        warp.apply(&image, 3, &mut out);
        assert_eq!(out, [1.0, 1.0, 10.0, 10.0, 100.0, 100.0]);
    }

    #[test]
    fn what_is_out_of_range_is_refused_with_the_range() {
        for (transform, expected) in [
            (Transform::shift(f64::NAN, 0.0), "shift of NaN"),
            (Transform::shift(0.0, 1e9), "-10000 to 10000 pixels"),
            (Transform::rotation(361.0), "-360 to 360 degrees"),
            (Transform::scaling(0.0), "0.05 to 20"),
            (Transform::shearing(90.0), "-80 to 80"),
        ] {
            let error = Warp::new(&transform, Fill::default(), 2, 2).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let nan = Fill { mode: FillMode::Constant, cval: f32::NAN };
        assert!(Warp::new(&Transform::IDENTITY, nan, 2, 2).is_err());
        assert!(Warp::new(&Transform::IDENTITY, Fill::default(), 0, 2).is_err());
        assert!("grid-wrap".parse::<FillMode>().unwrap_err().to_string().contains("wrap"));
    }
}
