//! Centring as in MNIST.

/// Clears `image` (`side`×`side`) and puts `ink` (0 to 1, rows of `width`) into it so that the ink's
/// centre of mass is in the middle, to the pixel. What falls beyond the edge is lost.
pub(crate) fn paste_centred(ink: &[f32], width: usize, image: &mut [u8], side: usize) {
    let (mut mass, mut x, mut y) = (1e-6, 0.0, 0.0);
    for (at, &ink) in ink.iter().enumerate() {
        mass += ink;
        x += ink * ((at % width) as f32 + 0.5);
        y += ink * ((at / width) as f32 + 0.5);
    }
    // Rounded to the nearest; the cast alone would round towards zero.
    let shift = |sum: f32| (side as f32 / 2.0 - sum / mass + 100.5) as isize - 100;
    let (left, top) = (shift(x), shift(y));
    let inside = 0..side as isize;
    image.fill(0);
    for (at, &ink) in ink.iter().enumerate() {
        let (column, row) = ((at % width) as isize + left, (at / width) as isize + top);
        if inside.contains(&column) && inside.contains(&row) {
            image[row as usize * side + column as usize] = (255.0 * ink + 0.5) as u8;
        }
    }
}
