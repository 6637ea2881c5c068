//! A network seen from its pixels: values from 0 to 1 in, logits and gradients out.

use cutaway_data::Images;
use cutaway_engine::{Engine, Seed};
use ndarray::ArrayViewD;
use rayon::prelude::*;

use crate::ask::check_size;
use crate::{Error, Result};

/// Bytes of images that are worked on at once.
const BATCH_BYTES: usize = 4 << 20;
/// Images that are worked on at once.
const BATCH: usize = 256;

/// What is attacked. Images are `[C, H, W]` in pixel values from 0 to 1; the network's preprocessing
/// stands between them and it, and gradients pass through it.
pub(crate) struct Victim<'a> {
    pub(crate) engine: &'a Engine,
    /// `input = pixel * factor + offset`, for each channel.
    affine: Vec<(f32, f32)>,
    /// `[C, H, W]`
    pub(crate) shape: [usize; 3],
    pub(crate) classes: usize,
}

impl<'a> Victim<'a> {
    /// # Errors
    /// [`Error::Setting`] where the images have another size than the network takes.
    pub(crate) fn new(engine: &'a Engine, images: &Images) -> Result<Victim<'a>> {
        let network = engine.network();
        let p = &network.metadata().preprocessing;
        check_size(p, images)?;
        let affine = |(mean, std): (&f32, &f32)| {
            let (mean, std) = (f64::from(*mean), f64::from(*std));
            ((255.0 * f64::from(p.scale) / std) as f32, (-mean / std) as f32)
        };
        Ok(Victim {
            engine,
            affine: p.mean.iter().zip(&p.std).map(affine).collect(),
            shape: [p.channels, p.height, p.width],
            classes: network.classes(),
        })
    }

    /// Values of an image.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Pixels of an image.
    pub(crate) fn plane(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    /// Images that are worked on at once.
    pub(crate) fn batch(&self) -> usize {
        (BATCH_BYTES / 4 / self.len()).clamp(1, BATCH)
    }

    /// An image of a data set in pixel values from 0 to 1.
    pub(crate) fn pixels(&self, images: &Images, index: usize) -> Vec<f32> {
        let (image, c, plane) = (images.image(index), images.channels, self.plane());
        let value = |i: usize| f32::from(image[i % plane * c + i / plane]) / 255.0;
        (0..self.len()).map(value).collect()
    }

    /// Pixel values as the network's input, channel by channel.
    pub(crate) fn preprocess(&self, image: &mut [f32]) {
        for (plane, (factor, offset)) in image.chunks_exact_mut(self.plane()).zip(&self.affine) {
            plane.iter_mut().for_each(|value| *value = *value * factor + offset);
        }
    }

    /// [`Victim::preprocess`] of a piece of an image with so many pixels.
    pub(crate) fn per_channel(&self, piece: &[f32], pixels: usize) -> Vec<f32> {
        let planes = piece.chunks_exact(pixels).zip(&self.affine);
        planes.flat_map(|(plane, (f, o))| plane.iter().map(move |v| v * f + o)).collect()
    }

    /// Logits `[N, classes]` of images, one after the other.
    ///
    /// # Errors
    /// [`Error::NotFinite`]; the engine's.
    pub(crate) fn logits(&self, images: &[f32]) -> Result<Vec<f32>> {
        let input = self.input(images);
        let node = self.engine.network().logits();
        let mut values = self.engine.forward(self.view(&input), &[node])?;
        self.finite(values.take(node).expect("tapped").into_raw_vec_and_offset().0, &input)
    }

    /// Logits, and the gradient with respect to the pixels of a loss whose derivatives with respect
    /// to the logits `seed` says.
    ///
    /// # Errors
    /// [`Error::NotFinite`]; the engine's.
    pub(crate) fn gradient(&self, images: &[f32], seed: &Seed<'_>) -> Result<(Vec<f32>, Vec<f32>)> {
        let input = self.input(images);
        let node = self.engine.network().logits();
        let (logits, gradient) = self.engine.value_and_gradient(self.view(&input), node, seed)?;
        let mut gradient = gradient.into_raw_vec_and_offset().0;
        for image in gradient.chunks_exact_mut(self.len()) {
            for (plane, (factor, _)) in image.chunks_exact_mut(self.plane()).zip(&self.affine) {
                plane.iter_mut().for_each(|value| *value *= factor);
            }
        }
        let logits = self.finite(logits.into_raw_vec_and_offset().0, &input)?;
        Ok((logits, self.finite(gradient, &input)?))
    }

    /// Calls `f` for each image of a batch, on the engine's threads.
    pub(crate) fn each(&self, images: &mut [f32], f: impl Fn(usize, &mut [f32]) + Sync) {
        let len = self.len();
        self.engine.install(|| {
            let images = images.par_chunks_exact_mut(len).enumerate().with_min_len(4);
            images.for_each(|(i, image)| f(i, image));
        });
    }

    fn input(&self, images: &[f32]) -> Vec<f32> {
        let mut input = images.to_vec();
        self.each(&mut input, |_, image| self.preprocess(image));
        input
    }

    /// The values, or the node at which they stop being numbers.
    fn finite(&self, values: Vec<f32>, input: &[f32]) -> Result<Vec<f32>> {
        if values.iter().all(|v| v.is_finite()) {
            return Ok(values);
        }
        let found = cutaway_engine::check::first_not_finite(self.engine, self.view(input))?;
        Err(found.map_or(Error::NotFinite, |found| cutaway_engine::Error::from(found).into()))
    }

    fn view<'b>(&self, input: &'b [f32]) -> ArrayViewD<'b, f32> {
        let network = self.engine.network();
        let n = input.len() / self.len();
        let shape = [&[n], network.shape(network.input())].concat();
        ArrayViewD::from_shape(shape, input).expect("the size was checked")
    }
}

/// Probabilities of logits.
pub(crate) fn softmax(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|z| f64::from(z - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}
