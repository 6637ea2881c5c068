//! Images of which parts are covered, asked in batches.

use ndarray::{Array3, Array4, ArrayView3};

use super::ask::Ask;
use crate::Error;

/// The explained number of an image mixed with a baseline, mask by mask: `m x + (1 − m) x′`, with a
/// mask a pixel `[H, W]`. `mask` writes the mask of a number into the slice.
pub(crate) fn masked_values(
    ask: &Ask<'_>,
    image: ArrayView3<'_, f32>,
    baseline: &Array3<f32>,
    class: usize,
    count: usize,
    mask: &mut dyn FnMut(usize, &mut [f32]),
) -> Result<Vec<f64>, Error> {
    let (c, h, w) = image.dim();
    let mut values = Vec::with_capacity(count);
    let mut own = vec![0.0; h * w];
    while values.len() < count {
        let first = values.len();
        let now = (count - first).min(ask.at_once());
        let mut batch = Array4::zeros((now, c, h, w));
        for (i, mut seen) in batch.outer_iter_mut().enumerate() {
            mask(first + i, &mut own);
            let planes = seen.outer_iter_mut().zip(image.outer_iter()).zip(baseline.outer_iter());
            for ((mut plane, image), baseline) in planes {
                let pixels = plane.iter_mut().zip(image).zip(baseline).zip(&own);
                pixels.for_each(|(((v, &x), &b), &m)| *v = m * x + (1.0 - m) * b);
            }
        }
        values.extend(ask.values(batch.view(), &[class])?);
    }
    Ok(values)
}
