//! Corruptions that move the image about its centre, black coming in from outside.

use super::random::Random;
use crate::Error;
use crate::affine::{Fill, FillMode, Transform, Warp};

/// What the image goes through: the directions are random.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Move {
    Shear,
    Scale,
    Rotate,
    Translate,
}

/// The warp for one image of `height` × `width`.
pub(crate) fn warp(
    which: Move,
    height: usize,
    width: usize,
    random: &mut Random,
) -> Result<Warp, Error> {
    let black = Fill { mode: FillMode::Constant, cval: 0.0 };
    let transform = match which {
        Move::Shear => {
            let matrix = slant(0.4 * random.sign(), height);
            return Warp::of_matrix(matrix, black, height, width);
        }
        Move::Scale => Transform::scaling(0.7),
        Move::Rotate => Transform::rotation((0.4 * random.sign()).to_degrees()),
        Move::Translate => {
            let by = 3.0 * height.min(width) as f64 / 28.0;
            Transform::shift(by * random.sign(), by * random.sign())
        }
    };
    Warp::new(&transform, black, height, width)
}

/// A slant like that of italics, by radians: rows slip by the sine and grow by the cosine, about
/// the centre.
fn slant(angle: f64, height: usize) -> [[f64; 3]; 2] {
    let (sin, cos) = angle.sin_cos();
    let row = (height as f64 - 1.0) / 2.0;
    [[cos, 0.0, row - cos * row], [-sin, 1.0, sin * row]]
}
