//! Images of a data set as a network takes them.

use cutaway_data::Images;
use cutaway_engine::Engine;
use ndarray::{Array3, Array4};

use crate::ask::best;
use crate::{Error, Result};

/// Images that are classified at once.
const BATCH: usize = 256;

/// Some images as the network's input `[N, C, H, W]`.
pub(crate) fn batch(engine: &Engine, images: &Images, indices: &[usize]) -> Result<Array4<f32>> {
    let network = engine.network();
    let shape = network.shape(network.input());
    let found = [images.channels, images.height, images.width];
    if shape != found {
        return Err(Error::Setting(format!(
            "the images are {found:?} (channels, rows, columns), but network '{}' takes {shape:?}",
            network.name()
        )));
    }
    let p = &network.metadata().preprocessing;
    let mut batch = Array4::zeros((indices.len(), found[0], found[1], found[2]));
    let values = batch.as_slice_mut().expect("newly made");
    images.to_nchw_f32(indices, p.scale, &p.mean, &p.std, values)?;
    Ok(batch)
}

/// One image as the network's input `[C, H, W]`.
pub(crate) fn input(engine: &Engine, images: &Images, index: usize) -> Result<Array3<f32>> {
    Ok(batch(engine, images, &[index])?.index_axis_move(ndarray::Axis(0), 0))
}

/// Indices of the first `count` images of a class that the network classifies correctly; fewer where
/// there are no more.
///
/// # Errors
/// If the images do not fit the network.
pub fn correct_samples(
    engine: &Engine,
    images: &Images,
    class: usize,
    count: usize,
) -> Result<Vec<usize>> {
    let of_class: Vec<usize> = (0..images.len()).filter(|&i| images.label(i) == class).collect();
    let mut correct = Vec::new();
    // Little batches first: mostly the first image will do.
    let first = of_class.len().min(count.saturating_add(4));
    let (few, rest) = of_class.split_at(first);
    for indices in few.chunks(BATCH).chain(rest.chunks(BATCH)) {
        if correct.len() >= count {
            break;
        }
        let probabilities = engine.predict(batch(engine, images, indices)?.view())?;
        for (row, &index) in probabilities.rows().into_iter().zip(indices) {
            if best(row).0 == class {
                correct.push(index);
            }
        }
    }
    correct.truncate(count);
    Ok(correct)
}
