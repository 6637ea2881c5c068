//! Labelled images of one size, as bytes.

use crate::{Error, Result};

/// Labelled images that all have the same size.
///
/// Invariant: `pixels.len() == labels.len() * height * width * channels`, all sizes at least 1.
/// [`Images::new`] checks it; code that changes the fields directly must keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Values a pixel: 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// All pixels, 0..=255, image after image; within an image row by row, channels innermost (HWC).
    pub pixels: Vec<u8>,
    /// The class of each image, an index into [`Dataset::labels`](crate::Dataset::labels).
    pub labels: Vec<u16>,
}

impl Images {
    /// Puts pixels and labels together.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a size is 0 or the number of pixels is not that of the labels.
    pub fn new(
        height: usize,
        width: usize,
        channels: usize,
        pixels: Vec<u8>,
        labels: Vec<u16>,
    ) -> Result<Self> {
        let expected = [height, width, channels]
            .iter()
            .try_fold(labels.len(), |product, &size| product.checked_mul(size));
        if height == 0 || width == 0 || channels == 0 || expected != Some(pixels.len()) {
            return Err(Error::Invalid(format!(
                "{} images of {height}x{width}x{channels} cannot have {} pixel values",
                labels.len(),
                pixels.len()
            )));
        }
        Ok(Self { height, width, channels, pixels, labels })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of values in one image: height × width × channels.
    pub fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// The pixels of one image, HWC.
    ///
    /// # Panics
    /// Where `index` is not less than [`len`](Self::len).
    pub fn image(&self, index: usize) -> &[u8] {
        let len = self.image_len();
        &self.pixels[index * len..(index + 1) * len]
    }

    /// The class of one image.
    ///
    /// # Panics
    /// Where `index` is not less than [`len`](Self::len).
    pub fn label(&self, index: usize) -> usize {
        usize::from(self.labels[index])
    }

    /// The images at `indices`, in that order, copied.
    ///
    /// # Panics
    /// Where an index is not less than [`len`](Self::len).
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut pixels = Vec::with_capacity(indices.len() * self.image_len());
        for &index in indices {
            pixels.extend_from_slice(self.image(index));
        }
        let labels = indices.iter().map(|&index| self.labels[index]).collect();
        Self { pixels, labels, ..*self }
    }

    /// Writes the images at `indices` into `out` as a network's input: f32, NCHW,
    /// `(pixel * scale - mean[c]) / std[c]`.
    ///
    /// `mean` and `std` have one value a channel, or one for all channels. `out` has
    /// `indices.len() * channels * height * width` elements.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a length or an index does not fit, or a `std` is 0.
    pub fn to_nchw_f32(
        &self,
        indices: &[usize],
        scale: f32,
        mean: &[f32],
        std: &[f32],
        out: &mut [f32],
    ) -> Result<()> {
        self.check_conversion(indices, mean, std, out.len())?;
        let plane = self.height * self.width;
        for (&index, out) in indices.iter().zip(out.chunks_exact_mut(self.image_len())) {
            let image = self.image(index);
            for (channel, out) in out.chunks_exact_mut(plane).enumerate() {
                let mean = mean[channel.min(mean.len() - 1)];
                let std = std[channel.min(std.len() - 1)];
                let pixels = image[channel..].iter().step_by(self.channels);
                for (value, &pixel) in out.iter_mut().zip(pixels) {
                    *value = (f32::from(pixel) * scale - mean) / std;
                }
            }
        }
        Ok(())
    }

    fn check_conversion(
        &self,
        indices: &[usize],
        mean: &[f32],
        std: &[f32],
        out_len: usize,
    ) -> Result<()> {
        for (name, values) in [("mean", mean), ("std", std)] {
            if values.len() != 1 && values.len() != self.channels {
                return Err(Error::Invalid(format!(
                    "{name} has {} values, expected 1 or {} (one a channel)",
                    values.len(),
                    self.channels
                )));
            }
        }
        if std.contains(&0.0) {
            return Err(Error::Invalid("std must not be 0".into()));
        }
        if let Some(index) = indices.iter().find(|&&index| index >= self.len()) {
            return Err(Error::Invalid(format!("no image {index}: there are {}", self.len())));
        }
        let expected = indices.len() * self.image_len();
        if out_len != expected {
            return Err(Error::Invalid(format!(
                "the output has {out_len} elements, {} images need {expected}",
                indices.len()
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_by_three_rgb() -> Images {
        Images::new(2, 3, 3, (0..36).collect(), vec![4, 7]).unwrap()
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        assert!(Images::new(2, 2, 1, vec![0; 7], vec![0, 1]).is_err());
        assert!(Images::new(0, 2, 1, vec![], vec![]).is_err());
        assert!(Images::new(usize::MAX, 2, 3, vec![], vec![1]).is_err());
        assert!(Images::new(2, 2, 1, vec![], vec![]).unwrap().is_empty());
    }

    #[test]
    fn nchw_separates_the_channels_and_normalises_each() {
        let images = two_by_three_rgb();
        let mut out = vec![0.0; 18];
        images.to_nchw_f32(&[1], 0.5, &[1.0, 2.0, 3.0], &[1.0, 2.0, 4.0], &mut out).unwrap();
        // Image 1 starts at value 18: red 18, 21 ..., green 19, 22 ..., blue 20, 23 ...
        assert_eq!(out[..3], [8.0, 9.5, 11.0]);
        assert_eq!(out[6..8], [(9.5 - 2.0) / 2.0, (11.0 - 2.0) / 2.0]);
        assert_eq!(out[17], (17.5 - 3.0) / 4.0);
    }

    #[test]
    fn conversions_that_do_not_fit_are_errors_not_panics() {
        let images = two_by_three_rgb();
        let mut out = vec![0.0; 18];
        assert!(images.to_nchw_f32(&[2], 1.0, &[0.0], &[1.0], &mut out).is_err());
        assert!(images.to_nchw_f32(&[0, 1], 1.0, &[0.0], &[1.0], &mut out).is_err());
        assert!(images.to_nchw_f32(&[0], 1.0, &[0.0, 0.0], &[1.0], &mut out).is_err());
        assert!(images.to_nchw_f32(&[0], 1.0, &[0.0], &[0.0], &mut out).is_err());
        assert!(images.to_nchw_f32(&[0], 1.0, &[], &[1.0], &mut out).is_err());
    }

    #[test]
    fn a_selection_keeps_pixels_with_their_labels() {
        let selected = two_by_three_rgb().select(&[1, 0, 1]);
        assert_eq!(selected.labels, [7, 4, 7]);
        assert_eq!(selected.image(0)[0], 18);
        assert_eq!(selected.image(1)[0], 0);
    }
}
