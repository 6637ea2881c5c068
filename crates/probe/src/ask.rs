//! Asking a network about many images that are made one after the other.

use cutaway_data::Images;
use cutaway_engine::Engine;
use cutaway_net::Preprocessing;
use ndarray::ArrayViewD;
use rayon::prelude::*;

use crate::Error;

/// Bytes of input that a batch holds at most.
const BATCH_BYTES: usize = 4 << 20;
/// Images in a batch at most.
const BATCH: usize = 512;

/// Makes `count` images of the size that `images` have, asks the network about each and hands the
/// class probabilities on, in order. `make` writes image `i` as `[C, H, W]` in pixel values (0 to
/// 255); preprocessing is done here. Memory does not grow with `count`.
///
/// # Errors
/// If the network takes images of another size, or its answers are not numbers.
pub(crate) fn ask(
    engine: &Engine,
    images: &Images,
    count: usize,
    make: impl Fn(usize, &mut [f32]) + Sync,
    mut take: impl FnMut(usize, &[f32]),
) -> Result<(), Error> {
    let network = engine.network();
    let preprocessing = &network.metadata().preprocessing;
    check_size(preprocessing, images)?;
    let length = images.image_len();
    let batch = (BATCH_BYTES / 4 / length).clamp(1, BATCH);
    let mut inputs = vec![0.0; batch.min(count) * length];
    for first in (0..count).step_by(batch) {
        let n = batch.min(count - first);
        let inputs = &mut inputs[..n * length];
        engine.install(|| {
            inputs.par_chunks_exact_mut(length).enumerate().with_min_len(8).for_each(|(i, out)| {
                make(first + i, out);
                preprocess(preprocessing, out);
            });
        });
        let shape = [&[n], network.shape(network.input())].concat();
        let view = ArrayViewD::from_shape(shape, inputs).expect("the size was checked");
        let probabilities = engine.predict(view)?;
        for (i, row) in probabilities.rows().into_iter().enumerate() {
            let row = row.to_slice().expect("one row after the other");
            if row.iter().any(|p| !p.is_finite()) {
                return Err(Error::NotFinite);
            }
            take(first + i, row);
        }
    }
    Ok(())
}

/// Refuses images of another size than the network takes.
pub(crate) fn check_size(preprocessing: &Preprocessing, images: &Images) -> Result<(), Error> {
    let p = preprocessing;
    let expected = [p.height, p.width, p.channels];
    let found = [images.height, images.width, images.channels];
    if found == expected {
        return Ok(());
    }
    let words = |[h, w, c]: [usize; 3]| format!("{h}×{w} with {c} channel(s)");
    Err(Error::Setting(format!(
        "the images are {}, but the network takes {}; take a data set of that size",
        words(found),
        words(expected)
    )))
}

fn preprocess(p: &Preprocessing, image: &mut [f32]) {
    let planes = image.chunks_exact_mut(p.height * p.width);
    for (plane, (mean, std)) in planes.zip(p.mean.iter().zip(&p.std)) {
        plane.iter_mut().for_each(|value| *value = (*value * p.scale - mean) / std);
    }
}

/// The most probable class (of equal ones the first) and its probability.
pub fn best<'a>(probabilities: impl IntoIterator<Item = &'a f32>) -> (usize, f32) {
    let all = probabilities.into_iter().copied().enumerate();
    all.fold((0, f32::NEG_INFINITY), |best, (i, p)| if p > best.1 { (i, p) } else { best })
}
