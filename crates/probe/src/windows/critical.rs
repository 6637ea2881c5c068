//! The critical region: the pixels that the answer hangs on.

use serde::Serialize;

use super::{HARMLESS, WindowAnswer, Windows};

/// The pixels that the answer hangs on. A pixel's drop is the mean fall of P(true) over the windows
/// that cover it; the region is the pixels with at least half of the largest drop that are connected
/// (up, down, left, right) with the pixel that has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CriticalRegion {
    /// First row.
    pub top: usize,
    /// Last row.
    pub bottom: usize,
    /// First column.
    pub left: usize,
    /// Last column.
    pub right: usize,
    /// Pixels that belong to it.
    pub pixels: usize,
    /// Mean row and column of its pixels.
    pub centre: [f64; 2],
    /// Row and column of the pixel with the largest drop.
    pub peak: [usize; 2],
    /// The largest drop.
    pub peak_drop: f32,
    /// Mean drop over its pixels.
    pub mean_drop: f32,
}

/// Mean fall of P(true) over the windows that cover each pixel, row by row; NaN where none does.
pub(super) fn pixel_drop(rows: &[WindowAnswer], grid: &Windows, clean_p_true: f32) -> Vec<f32> {
    let (height, width) = (grid.image.height, grid.image.width);
    let mut sums = vec![(0.0f64, 0u32); height * width];
    for answer in rows {
        for y in answer.row..answer.row + grid.window.height {
            for (sum, count) in &mut sums[y * width + answer.col..][..grid.window.width] {
                *sum += f64::from(clean_p_true - answer.p_true);
                *count += 1;
            }
        }
    }
    let mean = |(sum, count): (f64, u32)| (sum / f64::from(count)) as f32;
    sums.into_iter().map(mean).collect()
}

/// The region, unless no pixel has a drop of at least [`HARMLESS`].
pub(super) fn critical_region(drop: &[f32], width: usize) -> Option<CriticalRegion> {
    let finite = drop.iter().copied().enumerate().filter(|(_, d)| d.is_finite());
    let (peak, peak_drop) =
        finite.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    if peak_drop < HARMLESS {
        return None;
    }
    let member = |i: usize| drop[i] >= 0.5 * peak_drop; // false for NaN
    let mut seen = vec![false; drop.len()];
    seen[peak] = true;
    let (mut waiting, mut region) = (vec![peak], Vec::new());
    while let Some(i) = waiting.pop() {
        region.push(i);
        let x = i % width;
        let left = (x > 0).then(|| i - 1);
        let right = (x + 1 < width).then_some(i + 1);
        let (up, down) = (i.checked_sub(width), Some(i + width).filter(|&i| i < drop.len()));
        for next in [left, right, up, down].into_iter().flatten() {
            if member(next) && !seen[next] {
                seen[next] = true;
                waiting.push(next);
            }
        }
    }
    // In reading order, so that sums do not depend on the walk.
    region.sort_unstable();
    let count = region.len() as f64;
    let mean = |f: &dyn Fn(usize) -> f64| region.iter().map(|&i| f(i)).sum::<f64>() / count;
    Some(CriticalRegion {
        top: region[0] / width,
        bottom: region[region.len() - 1] / width,
        left: region.iter().map(|i| i % width).min()?,
        right: region.iter().map(|i| i % width).max()?,
        pixels: region.len(),
        centre: [mean(&|i| (i / width) as f64), mean(&|i| (i % width) as f64)],
        peak: [peak / width, peak % width],
        peak_drop,
        mean_drop: mean(&|i| f64::from(drop[i])) as f32,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Size;
    use super::*;

    #[test]
    fn the_region_is_what_hangs_together_with_the_peak() {
        #[rustfmt::skip]
        let drop = [
            0.9, 0.4, 0.0, 0.6, // 0.6 is above half, but apart from the peak
            0.5, 0.4, 0.0, 0.0,
            0.0, 0.6, 0.0, f32::NAN, // touches the region only at a corner
        ];
        let region = critical_region(&drop, 4).unwrap();
        assert_eq!((region.top, region.bottom, region.left, region.right), (0, 1, 0, 0));
        assert_eq!((region.pixels, region.peak), (2, [0, 0]));
        assert_eq!(region.centre, [0.5, 0.0]);
        assert!((region.mean_drop - 0.7).abs() < 1e-6);
    }

    #[test]
    fn a_harmless_map_has_no_region() {
        assert_eq!(critical_region(&[0.009, -0.5, f32::NAN, 0.0], 2), None);
    }

    #[test]
    fn a_pixel_gets_the_mean_over_the_windows_that_cover_it() {
        // Two windows of 1×2 over 1×4 pixels with stride 1 share their middle; the last is bare.
        let grid = Windows::new(Size { height: 1, width: 4 }, Size { height: 1, width: 2 }, 1);
        let row = |col, p_true| WindowAnswer {
            row: 0,
            col,
            p_true,
            predicted: 0,
            p_predicted: p_true,
            change: 0.0,
            probabilities: Vec::new(),
        };
        let drop = pixel_drop(&[row(0, 0.5), row(1, 1.0)], &grid.unwrap(), 1.0);
        assert_eq!(drop[..3], [0.5, 0.25, 0.0]);
        assert!(drop[3].is_nan());
    }
}
