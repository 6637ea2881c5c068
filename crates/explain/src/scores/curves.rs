//! Deletion and insertion.

use ndarray::{Array3, ArrayView3};
use serde::Serialize;

use crate::Error;
use crate::attribution::{Ask, masked_values};

/// What a probability does as pixels go or come in the order of an attribution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// Share of the pixels that have gone or come, from 0 to 1.
    pub shares: Vec<f64>,
    /// The class's probability at each.
    pub probabilities: Vec<f64>,
    /// Area under the curve, by trapezoids, from 0 to 1.
    pub auc: f64,
}

/// Places of an attribution's pixels, the most telling first; of equal ones the first in reading
/// order.
pub(crate) fn order(pixels: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..pixels.len()).collect();
    order.sort_by(|&a, &b| pixels[b].total_cmp(&pixels[a]).then(a.cmp(&b)));
    order
}

/// The class's probability as the image gives way to `replacement`, `steps` equal shares of its pixels
/// at a time, the most telling first (Petsiuk, Das and Saenko 2018, "RISE", section 4.1). With a
/// replacement that says nothing it is *deletion*, where a good attribution has a small area;
/// exchange image and replacement for *insertion*, where it has a large one. `ask` must be about
/// probabilities.
pub(crate) fn curve(
    ask: &Ask<'_>,
    image: ArrayView3<'_, f32>,
    replacement: &Array3<f32>,
    class: usize,
    pixels: &[f32],
    steps: usize,
) -> Result<Curve, Error> {
    let order = order(pixels);
    let gone = |step: usize| step * pixels.len() / steps;
    let mut show = |step: usize, mask: &mut [f32]| {
        mask.fill(1.0);
        order[..gone(step)].iter().for_each(|&i| mask[i] = 0.0);
    };
    let probabilities = masked_values(ask, image, replacement, class, steps + 1, &mut show)?;
    let shares: Vec<f64> =
        (0..=steps).map(|step| gone(step) as f64 / pixels.len() as f64).collect();
    let auc = (0..steps)
        .map(|i| (shares[i + 1] - shares[i]) * (probabilities[i] + probabilities[i + 1]) / 2.0)
        .sum();
    Ok(Curve { shares, probabilities, auc })
}
