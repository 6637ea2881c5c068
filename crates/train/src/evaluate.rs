//! Evaluating a network on a data set.

use cutaway_data::Images;
use cutaway_engine::Engine;
use ndarray::ArrayViewD;

use crate::batch::check_labels;
use crate::evaluation::Tally;
use crate::{Augmentation, BatchMaker, Evaluation, Result};

/// Bytes of input that a batch holds at most.
const BATCH_BYTES: usize = 4 << 20;

/// Images in a batch at most.
const BATCH: usize = 500;

/// Evaluates a network on labelled images, in batches of bounded memory.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) where network and images do not fit together or there
/// are no images; the engine's errors.
pub fn evaluate(engine: &Engine, images: &Images) -> Result<Evaluation> {
    let network = engine.network();
    check_labels(network, images)?;
    let maker = BatchMaker::new(network, images, Augmentation::default(), 0)?;
    let length = maker.image_len();
    let batch = (BATCH_BYTES / 4 / length).clamp(1, BATCH);
    let indices: Vec<usize> = (0..images.len()).collect();
    let mut inputs = vec![0.0; batch.min(images.len()) * length];
    let mut tally = Tally::new(network.classes());
    for indices in indices.chunks(batch) {
        let inputs = &mut inputs[..indices.len() * length];
        maker.fill(0, indices, inputs);
        let shape = [&[indices.len()], network.shape(network.input())].concat();
        let view = ArrayViewD::from_shape(shape, inputs).expect("the size was checked");
        let probabilities = engine.predict(view)?;
        for (row, &index) in probabilities.rows().into_iter().zip(indices) {
            tally.add(&row.to_vec(), images.label(index))?;
        }
    }
    Ok(tally.finish())
}
