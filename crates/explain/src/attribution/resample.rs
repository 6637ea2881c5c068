//! Maps brought to the size of the image.

/// Where the corners of a map lie on the image.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Corners {
    /// Cells cover the image: the centre of a map's first cell lies half a cell inside.
    Cells,
    /// The centres of the corner cells lie on the corner pixels.
    Aligned,
}

/// Bilinear interpolation of a map `from = [h, w]`, row-major, to `to = [H, W]`.
pub(crate) fn bilinear(
    map: &[f32],
    from: [usize; 2],
    to: [usize; 2],
    corners: Corners,
) -> Vec<f32> {
    let rows = places(from[0], to[0], corners);
    let cols = places(from[1], to[1], corners);
    let at = |y: usize, x: usize| f64::from(map[y * from[1] + x]);
    let mut result = Vec::with_capacity(to[0] * to[1]);
    for &(top, bottom, down) in &rows {
        for &(left, right, across) in &cols {
            let above = at(top, left) * (1.0 - across) + at(top, right) * across;
            let below = at(bottom, left) * (1.0 - across) + at(bottom, right) * across;
            result.push((above * (1.0 - down) + below * down) as f32);
        }
    }
    result
}

/// For each place of the new axis the two old ones beside it, and the share of the second.
fn places(from: usize, to: usize, corners: Corners) -> Vec<(usize, usize, f64)> {
    let place = |i: usize| {
        let position = match corners {
            Corners::Cells => (i as f64 + 0.5) * from as f64 / to as f64 - 0.5,
            Corners::Aligned if to > 1 => i as f64 * (from - 1) as f64 / (to - 1) as f64,
            Corners::Aligned => 0.0,
        };
        let position = position.clamp(0.0, (from - 1) as f64);
        let first = (position.floor() as usize).min(from - 1);
        (first, (first + 1).min(from - 1), position - first as f64)
    };
    (0..to).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_agrees_with_pytorch() {
        // torch.nn.functional.interpolate([[[[1, 2], [3, 5]]]], size=(3, 4), mode="bilinear")
        let map = [1.0, 2.0, 3.0, 5.0];
        let cells = bilinear(&map, [2, 2], [3, 4], Corners::Cells);
        let expected = [1.0, 1.25, 1.75, 2.0, 2.0, 2.375, 3.125, 3.5, 3.0, 3.5, 4.5, 5.0];
        assert!(
            cells.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6),
            "{cells:?}"
        );
        let aligned = bilinear(&map, [2, 2], [3, 3], Corners::Aligned);
        let expected = [1.0, 1.5, 2.0, 2.0, 2.75, 3.5, 3.0, 4.0, 5.0];
        assert!(aligned.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6));
    }
}
