//! A photograph or drawing of one digit, made to look like MNIST.

use crate::centre::paste_centred;
use crate::{Error, Picture, Result};

const SIDE: usize = 28;
const BOX: usize = 20;
/// Less difference than this (of 255) between ink and paper is taken for an empty sheet.
const MIN_CONTRAST: u8 = 32;
/// A pixel belongs to the digit where it has this share of the strongest ink ...
const INK: f32 = 0.35;
/// ... and what has less than this is paper: grain, shadow.
const PAPER: f32 = 0.15;

impl Picture {
    /// The picture of one digit as MNIST would have it: 28×28, grey, light ink on a dark ground,
    /// the digit fitted into 20×20 and its centre of mass in the middle.
    ///
    /// Dark ink on light paper is recognised by the picture's border. A picture of 28×28 with a dark
    /// border is taken to be like MNIST already and given back as it is.
    ///
    /// # Errors
    /// [`Error::Invalid`] where nothing stands out from the ground.
    pub fn like_mnist(&self) -> Result<Self> {
        let grey = self.to_grey();
        let ground = ground(&grey);
        if (grey.height, grey.width) == (SIDE, SIDE) && ground < 64 {
            return Ok(grey);
        }
        let ink = ink(&grey, ground)?;
        let (digit, width) = fitted(&ink, grey.width);
        let mut pixels = vec![0; SIDE * SIDE];
        paste_centred(&digit, width, &mut pixels, SIDE);
        Self::new(SIDE, SIDE, 1, pixels)
    }
}

/// The median grey of the border.
fn ground(picture: &Picture) -> u8 {
    let (height, width) = (picture.height, picture.width);
    let is_border = |at: &usize| {
        let (row, column) = (at / width, at % width);
        row == 0 || row + 1 == height || column == 0 || column + 1 == width
    };
    let mut border: Vec<u8> =
        (0..height * width).filter(is_border).map(|at| picture.pixels[at]).collect();
    let middle = border.len() / 2;
    *border.select_nth_unstable(middle).1
}

/// How much ink each pixel has, 0 to 1.
fn ink(picture: &Picture, ground: u8) -> Result<Vec<f32>> {
    let contrast = |pixel: u8| match ground < 128 {
        true => pixel.saturating_sub(ground),
        false => ground.saturating_sub(pixel),
    };
    let most = picture.pixels.iter().map(|&pixel| contrast(pixel)).max().unwrap_or(0);
    if most < MIN_CONTRAST {
        return Err(Error::Invalid(
            "the picture shows no digit: nothing stands out from its ground; give a picture of one \
             digit, dark on light or light on dark"
                .into(),
        ));
    }
    let share = |&pixel: &u8| {
        let ink = f32::from(contrast(pixel)) / f32::from(most);
        if ink < PAPER { 0.0 } else { ink }
    };
    Ok(picture.pixels.iter().map(share).collect())
}

/// Cuts the digit out and scales its longer side to 20. Gives the ink and the width.
fn fitted(ink: &[f32], width: usize) -> (Vec<f32>, usize) {
    let (mut top, mut left, mut bottom, mut right) = (usize::MAX, usize::MAX, 0, 0);
    for (at, _) in ink.iter().enumerate().filter(|&(_, &ink)| ink >= INK) {
        let (row, column) = (at / width, at % width);
        (top, left) = (top.min(row), left.min(column));
        (bottom, right) = (bottom.max(row + 1), right.max(column + 1));
    }
    let (rows, columns) = (bottom - top, right - left);
    let mut cut = Vec::with_capacity(rows * columns);
    for row in top..bottom {
        let line = &ink[row * width + left..row * width + right];
        cut.extend(line.iter().map(|&ink| (255.0 * ink + 0.5) as u8));
    }
    let longer = rows.max(columns);
    let scaled = |side: usize| ((side * BOX + longer / 2) / longer).max(1);
    let cut = Picture { height: rows, width: columns, channels: 1, pixels: cut };
    let small = cut.resized(scaled(rows), scaled(columns));
    // Thin lines grow pale when they are shrunk; MNIST's ink is always white somewhere.
    let most = f32::from(small.pixels.iter().copied().max().unwrap_or(0)).max(1.0);
    (small.pixels.iter().map(|&pixel| f32::from(pixel) / most).collect(), small.width)
}
