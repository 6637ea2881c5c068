//! Max-sensitivity.

use ndarray::{Array3, Array4, ArrayView3, Axis};

use crate::Error;
use crate::attribution::random::{Purpose, Random};
use crate::attribution::{Attribution, Method, Question, attribute};

/// How much an attribution can be changed by a change of the image that is next to nothing:
/// `max ‖Φ(x + δ) − Φ(x)‖₂ / ‖Φ(x)‖₂` over random `δ` with `‖δ‖∞` up to `radius` times the image's
/// range (Yeh et al. 2019, definition 3.1, by Monte Carlo as in Captum, whose radius is 0.02). 0 is
/// best. The method runs once an image of the sample, with the same seed.
///
/// # Errors
/// As [`attribute`].
pub fn max_sensitivity(
    question: &Question<'_>,
    image: ArrayView3<'_, f32>,
    class: usize,
    method: &Method,
    samples: usize,
    radius: f64,
) -> Result<f64, Error> {
    let low = image.iter().copied().fold(f32::INFINITY, f32::min);
    let high = image.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let reach = radius * f64::from(high - low);
    let mut random = Random::new(question.seed, Purpose::Sensitivity, 0);
    let mut noise =
        || Array3::from_shape_fn(image.dim(), |_| (reach * (2.0 * random.unit() - 1.0)) as f32);
    let noises: Vec<Array3<f32>> = (0..samples).map(|_| noise()).collect();
    sensitivity_to(question, image, class, method, &noises)
}

/// The same for given changes.
pub(crate) fn sensitivity_to(
    question: &Question<'_>,
    image: ArrayView3<'_, f32>,
    class: usize,
    method: &Method,
    changes: &[Array3<f32>],
) -> Result<f64, Error> {
    let (c, h, w) = image.dim();
    let mut batch = Array4::zeros((changes.len() + 1, c, h, w));
    batch.index_axis_mut(Axis(0), 0).assign(&image);
    for (mut changed, change) in batch.outer_iter_mut().skip(1).zip(changes) {
        changed.assign(&(&image + change));
    }
    let all = attribute(question, batch.view(), &vec![class; changes.len() + 1], method)?;
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let own = norm(&mut all[0].values.iter().map(|&v| f64::from(v)));
    let apart = |other: &Attribution| {
        let pairs = other.values.iter().zip(&all[0].values);
        norm(&mut pairs.map(|(&a, &b)| f64::from(a) - f64::from(b)))
    };
    let most = all[1..].iter().map(apart).fold(0.0, f64::max);
    // An attribution of zeros that stays so does not answer to anything.
    Ok(if own > 0.0 { most / own } else { most })
}
