//! Training images as batches of a network's input.

use cutaway_data::Images;
use cutaway_net::{Layout, Network, Preprocessing};
use rayon::prelude::*;

use crate::augment::Size;
use crate::rng::{self, Purpose};
use crate::{Augmentation, Error, Result};

/// Turns images into batches of a network's input, distorted on the way if wanted.
///
/// Image `i` in epoch `e` has random numbers of its own, derived from the seed, `e` and `i`: neither
/// the threads nor the batch it is in change a bit of it.
#[derive(Clone, Debug)]
pub struct BatchMaker<'a> {
    images: &'a Images,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    seed: u64,
}

impl<'a> BatchMaker<'a> {
    /// Prepares for images of the size that `network` takes.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the images have another size than the network's input.
    pub fn new(
        network: &Network,
        images: &'a Images,
        augmentation: Augmentation,
        seed: u64,
    ) -> Result<Self> {
        check_size(network, images)?;
        let preprocessing = network.metadata().preprocessing.clone();
        Ok(Self { images, preprocessing, augmentation, seed })
    }

    /// Number of values in one image.
    pub fn image_len(&self) -> usize {
        self.images.image_len()
    }

    /// Writes the images at `indices`, as they are in `epoch`, to `out`: NCHW, preprocessed.
    ///
    /// Runs on the current rayon thread pool and allocates nothing but, once a thread, its buffers.
    ///
    /// # Panics
    /// Where an index is out of range or `out` has not `indices.len() * image_len()` elements.
    pub fn fill(&self, epoch: usize, indices: &[usize], out: &mut [f32]) {
        let length = self.image_len();
        assert_eq!(out.len(), indices.len() * length, "one place for each image");
        if self.augmentation.is_identity() {
            let Preprocessing { scale, mean, std, .. } = &self.preprocessing;
            return self
                .images
                .to_nchw_f32(indices, *scale, mean, std, out)
                .expect("sizes were checked");
        }
        out.par_chunks_exact_mut(length).zip(indices).with_min_len(8).for_each(|(out, &index)| {
            self.distort(epoch, index, out);
        });
    }

    fn distort(&self, epoch: usize, index: usize, out: &mut [f32]) {
        let Images { height, width, channels, .. } = *self.images;
        let size = Size { height, width, channels };
        let mut rng = rng::stream(self.seed, Purpose::Augment, epoch as u64, index as u64);
        self.augmentation.apply(&mut rng, self.images.image(index), size, out);
        let Preprocessing { scale, mean, std, .. } = &self.preprocessing;
        let planes = out.chunks_exact_mut(height * width);
        for (plane, (mean, std)) in planes.zip(mean.iter().zip(std)) {
            plane.iter_mut().for_each(|value| *value = (*value * scale - mean) / std);
        }
    }
}

/// Refuses images that are not of the size that the network takes.
pub(crate) fn check_size(network: &Network, images: &Images) -> Result<()> {
    let shape = network.shape(network.input());
    let found = [images.channels, images.height, images.width];
    let vector = shape == [images.image_len()] && images.channels == 1;
    if shape != found && !vector {
        return Err(Error::Invalid(format!(
            "network {:?} takes images of shape {shape:?} [channels, height, width], the data set \
             has {found:?}; take a data set of that size or a network for this one",
            network.name()
        )));
    }
    let preprocessing = &network.metadata().preprocessing;
    if preprocessing.layout != Layout::Nchw {
        return Err(Error::Invalid(format!(
            "network {:?} says that its input is in NHWC order; only NCHW can be trained and \
             evaluated",
            network.name()
        )));
    }
    for (what, values) in [("mean", &preprocessing.mean), ("std", &preprocessing.std)] {
        if values.len() != images.channels || (what == "std" && values.contains(&0.0)) {
            return Err(Error::Invalid(format!(
                "the preprocessing of network {:?} has {what} {values:?}; expected {} numbers, one \
                 a channel, and no std of 0",
                network.name(),
                images.channels
            )));
        }
    }
    Ok(())
}

/// Refuses labels for which the network has no class.
pub(crate) fn check_labels(network: &Network, images: &Images) -> Result<()> {
    if images.is_empty() {
        return Err(Error::Invalid("the data set has no images".into()));
    }
    let classes = network.classes();
    match images.labels.iter().position(|&label| usize::from(label) >= classes) {
        None => Ok(()),
        Some(index) => Err(Error::Invalid(format!(
            "image {index} has label {} but network {:?} has {classes} classes, 0 to {}; take a \
             network with more classes",
            images.labels[index],
            network.name(),
            classes - 1
        ))),
    }
}
