//! Parts of an image that are taken as one: cells of a grid, or superpixels.

use ndarray::ArrayView3;
use serde::{Deserialize, Serialize};

use super::at_least;
use crate::Error;

/// How an image is cut up.
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Segments {
    /// So many cells along each side, as equal as they can be.
    Grid(usize),
    /// About so many superpixels: k-means over colour and place (Achanta et al. 2012, "SLIC
    /// Superpixels", section 3). A part that falls into pieces stays one.
    Slic(usize),
}

impl Default for Segments {
    fn default() -> Self {
        Segments::Grid(7)
    }
}

impl std::str::FromStr for Segments {
    type Err = String;

    /// `7` for a grid of 7×7 cells, `slic:50` for about 50 superpixels.
    fn from_str(s: &str) -> Result<Self, String> {
        let number = |s: &str| s.parse::<usize>().ok();
        match s.strip_prefix("slic:") {
            Some(count) => number(count).map(Segments::Slic),
            None => number(s).map(Segments::Grid),
        }
        .ok_or_else(|| format!("'{s}': expected a number of cells such as 7, or slic:50"))
    }
}

/// Weight of the distance in place against that in colour, of values that span 0 to 1.
const COMPACTNESS: f64 = 0.2;
/// Rounds of k-means; the paper finds ten enough.
const ROUNDS: usize = 10;

impl Segments {
    pub(crate) fn check(self) -> Result<(), Error> {
        match self {
            Segments::Grid(side) => at_least("cells along a side", side, 1),
            Segments::Slic(count) => at_least("superpixels", count, 1),
        }
    }

    /// The part of each pixel `[H, W]`, and how many there are. Every part has a pixel.
    pub(crate) fn cut(self, image: ArrayView3<'_, f32>) -> (Vec<usize>, usize) {
        let (_, height, width) = image.dim();
        let parts = match self {
            Segments::Grid(side) => grid(height, width, side),
            Segments::Slic(count) => slic(image, count),
        };
        renumbered(parts)
    }
}

fn grid(height: usize, width: usize, side: usize) -> Vec<usize> {
    let (rows, cols) = (side.min(height), side.min(width));
    let place = |y: usize, x: usize| y * rows / height * cols + x * cols / width;
    (0..height).flat_map(|y| (0..width).map(move |x| place(y, x))).collect()
}

/// A cluster's centre: row, column, colour.
struct Centre {
    row: f64,
    col: f64,
    color: Vec<f64>,
}

fn slic(image: ArrayView3<'_, f32>, count: usize) -> Vec<usize> {
    let (channels, height, width) = image.dim();
    let low = image.iter().copied().fold(f32::INFINITY, f32::min);
    let range = f64::from(image.iter().copied().fold(f32::NEG_INFINITY, f32::max) - low).max(1e-12);
    let color = |y: usize, x: usize| -> Vec<f64> {
        (0..channels).map(|c| f64::from(image[(c, y, x)] - low) / range).collect()
    };
    let step = ((height * width) as f64 / count as f64).sqrt().max(1.0);
    let along = |size: usize| ((size as f64 / step).round() as usize).clamp(1, size);
    let (rows, cols) = (along(height), along(width));
    let mut centres: Vec<Centre> = (0..rows * cols)
        .map(|i| {
            let row = ((i / cols) as f64 + 0.5) * height as f64 / rows as f64 - 0.5;
            let col = ((i % cols) as f64 + 0.5) * width as f64 / cols as f64 - 0.5;
            Centre { row, col, color: color(row.round() as usize, col.round() as usize) }
        })
        .collect();
    let mut parts = grid_of(height, width, rows, cols);
    for _ in 0..ROUNDS {
        assign(&centres, &color, [height, width], step, &mut parts);
        update(&mut centres, &color, width, &parts);
    }
    parts
}

fn grid_of(height: usize, width: usize, rows: usize, cols: usize) -> Vec<usize> {
    let place = |y: usize, x: usize| y * rows / height * cols + x * cols / width;
    (0..height).flat_map(|y| (0..width).map(move |x| place(y, x))).collect()
}

/// Each pixel goes to the nearest centre within two steps.
fn assign(
    centres: &[Centre],
    color: &dyn Fn(usize, usize) -> Vec<f64>,
    [height, width]: [usize; 2],
    step: f64,
    parts: &mut [usize],
) {
    let mut nearest = vec![f64::INFINITY; height * width];
    for (part, centre) in centres.iter().enumerate() {
        let span = |at: f64, size: usize| {
            let first = (at - 2.0 * step).floor().max(0.0) as usize;
            first..((at + 2.0 * step).ceil() as usize + 1).min(size)
        };
        for y in span(centre.row, height) {
            for x in span(centre.col, width) {
                let place = (y as f64 - centre.row).powi(2) + (x as f64 - centre.col).powi(2);
                let colors = color(y, x);
                let colors = colors.iter().zip(&centre.color).map(|(a, b)| (a - b).powi(2));
                let distance = colors.sum::<f64>() + (COMPACTNESS / step).powi(2) * place;
                if distance < nearest[y * width + x] {
                    nearest[y * width + x] = distance;
                    parts[y * width + x] = part;
                }
            }
        }
    }
}

/// Each centre moves to the mean of its pixels.
fn update(
    centres: &mut [Centre],
    color: &dyn Fn(usize, usize) -> Vec<f64>,
    width: usize,
    parts: &[usize],
) {
    let channels = centres[0].color.len();
    let mut sums = vec![vec![0.0; channels + 3]; centres.len()];
    for (i, &part) in parts.iter().enumerate() {
        let (y, x) = (i / width, i % width);
        let own = [1.0, y as f64, x as f64].into_iter().chain(color(y, x));
        sums[part].iter_mut().zip(own).for_each(|(sum, v)| *sum += v);
    }
    for (centre, sums) in centres.iter_mut().zip(sums).filter(|(_, sums)| sums[0] > 0.0) {
        let mean = |i: usize| sums[i] / sums[0];
        (centre.row, centre.col) = (mean(1), mean(2));
        centre.color = (3..channels + 3).map(mean).collect();
    }
}

/// The same parts, numbered in the order of their first pixels.
fn renumbered(parts: Vec<usize>) -> (Vec<usize>, usize) {
    let mut numbers = std::collections::HashMap::new();
    let number = |part: usize| {
        let next = numbers.len();
        *numbers.entry(part).or_insert(next)
    };
    let parts: Vec<usize> = parts.into_iter().map(number).collect();
    let count = parts.iter().max().map_or(0, |most| most + 1);
    (parts, count)
}

/// Values of parts as values of pixels: each of a part's pixels has an equal share, so that the sum
/// is kept.
pub(crate) fn spread(parts: &[usize], values: &[f64]) -> Vec<f32> {
    let mut sizes = vec![0.0_f64; values.len()];
    parts.iter().for_each(|&part| sizes[part] += 1.0);
    parts.iter().map(|&part| (values[part] / sizes[part]) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn superpixels_keep_to_the_edge_between_two_colours() {
        // An edge that no cell of the grid keeps to.
        let image = Array3::from_shape_fn((1, 20, 20), |(_, _, x)| f32::from(u8::from(x >= 7)));
        let (parts, count) = Segments::Slic(16).cut(image.view());
        assert!((8..=20).contains(&count), "{count}");
        for part in 0..count {
            let colors: std::collections::HashSet<bool> =
                (0..400).filter(|&i| parts[i] == part).map(|i| i % 20 >= 7).collect();
            assert_eq!(colors.len(), 1, "part {part} crosses the edge");
        }
    }

    #[test]
    fn cells_of_a_grid_are_as_equal_as_they_can_be() {
        let (parts, count) = Segments::Grid(3).cut(Array3::zeros((1, 7, 3)).view());
        assert_eq!(count, 9);
        assert_eq!(parts[..3], [0, 1, 2]);
        let mut sizes = vec![0; 9];
        parts.iter().for_each(|&p| sizes[p] += 1);
        assert!(sizes.iter().all(|&s| s == 2 || s == 3), "{sizes:?}");
    }
}
