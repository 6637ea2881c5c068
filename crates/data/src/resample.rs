//! Pictures in another size, to the numbers of Pillow's `resize` with its bilinear filter, which is what
//! torchvision's transforms do with photographs.
//!
//! A pixel of the result is a mean of those below it, weighed by a triangle that is as wide as the pixel
//! (when shrinking) or as a pixel of the source (when enlarging). Columns come first and are rounded to 8
//! bits before the rows, and the weights are whole numbers of 22 binary places, as in Pillow (`Resample.c`).

/// Binary places of a weight: 32 bits, less 8 of the pixel and 2 for sums that overshoot.
const PLACES: u32 = 32 - 8 - 2;

/// Weights of one pixel of the result: of the source from `first` on.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// `source` of `[height, width]` pixels with `channels` values each as `[to_height, to_width]` pixels. No
/// size is 0.
pub(crate) fn resample(
    source: &[u8],
    [height, width]: [usize; 2],
    channels: usize,
    [to_height, to_width]: [usize; 2],
) -> Vec<u8> {
    let narrow = match width == to_width {
        true => source.to_vec(),
        false => columns(source, width, channels, to_width),
    };
    match height == to_height {
        true => narrow,
        false => rows(&narrow, to_width * channels, height, to_height),
    }
}

fn columns(source: &[u8], width: usize, channels: usize, to: usize) -> Vec<u8> {
    let taps = taps(width, to);
    let mut result = Vec::with_capacity(source.len() / width * to);
    for row in source.chunks_exact(width * channels) {
        for tap in &taps {
            let pixels = &row[tap.first * channels..];
            for channel in 0..channels {
                let values = pixels[channel..].iter().step_by(channels);
                result.push(mean(values, &tap.weights));
            }
        }
    }
    result
}

fn rows(source: &[u8], length: usize, height: usize, to: usize) -> Vec<u8> {
    let mut result = Vec::with_capacity(length * to);
    let mut sums = vec![0; length];
    for tap in taps(height, to) {
        sums.fill(1 << (PLACES - 1));
        let below = source[tap.first * length..].chunks_exact(length);
        for (row, &weight) in below.zip(&tap.weights) {
            sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += i32::from(value) * weight);
        }
        result.extend(sums.iter().map(|&sum| (sum >> PLACES).clamp(0, 255) as u8));
    }
    result
}

fn mean<'a>(values: impl Iterator<Item = &'a u8>, weights: &[i32]) -> u8 {
    let products = values.zip(weights).map(|(&value, &weight)| i32::from(value) * weight);
    let sum = products.fold(1 << (PLACES - 1), |sum, product| sum + product);
    (sum >> PLACES).clamp(0, 255) as u8
}

/// The weights for every pixel of a side of `to` pixels that is made of one of `from`.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let radius = scale.max(1.0);
    let of = |index: usize| {
        let centre = (index as f64 + 0.5) * scale;
        let first = ((centre - radius + 0.5).max(0.0)) as usize;
        let end = ((centre + radius + 0.5) as usize).min(from);
        let distance = |x: usize| (x as f64 - centre + 0.5) / radius;
        let weights: Vec<f64> = (first..end).map(|x| (1.0 - distance(x).abs()).max(0.0)).collect();
        let sum: f64 = weights.iter().sum();
        let whole = |weight: &f64| (weight / sum * f64::from(1 << PLACES)).round() as i32;
        Taps { first, weights: weights.iter().map(whole).collect() }
    };
    (0..to).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_and_stay_inside() {
        for (from, to) in [(1, 7), (7, 1), (640, 224), (224, 640), (5, 5), (3, 2)] {
            for tap in taps(from, to) {
                let sum: i64 = tap.weights.iter().map(|&w| i64::from(w)).sum();
                assert!((sum - (1 << PLACES)).abs() <= tap.weights.len() as i64, "{from} → {to}");
                assert!(tap.first + tap.weights.len() <= from && !tap.weights.is_empty());
            }
        }
    }

    #[test]
    fn a_flat_picture_stays_flat_and_halves_are_means() {
        assert_eq!(resample(&[77; 3 * 5 * 3], [3, 5], 3, [9, 2]), [77; 9 * 2 * 3]);
        // Halving weighs 1 : 3 : 3 : 1, and at the edge what is there of it, 3 : 3 : 1.
        assert_eq!(resample(&[0, 0, 80, 80], [1, 4], 1, [1, 2]), [11, 69]);
        // Doubling puts the new pixels at a quarter and three quarters between the old ones.
        assert_eq!(resample(&[0, 80], [1, 2], 1, [1, 4]), [0, 20, 60, 80]);
    }
}
