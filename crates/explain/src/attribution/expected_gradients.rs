//! Expected gradients.

use ndarray::{Array3, Array4, ArrayView3, ArrayView4};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::random::{Purpose, Random};
use super::{Attribute, Raw, at_least, one_by_one};
use crate::Error;

/// Integrated gradients, averaged over baselines that are drawn from typical images: `E[(x − x′) ·
/// ∂f/∂x (x′ + α (x − x′))]`, `x′` an image of the background, `α` uniform in [0, 1] (Erion et al.
/// 2021, "Improving performance of deep learning models with axiomatic attribution priors and
/// expected gradients", section 2). The sum is `f(x) − E[f(x′)]` but for the error of sampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpectedGradients {
    /// Pairs of a baseline and a point on the way, at least 1.
    pub samples: usize,
}

impl Default for ExpectedGradients {
    fn default() -> Self {
        ExpectedGradients { samples: 100 }
    }
}

/// The mean over pairs of a baseline's index and a point on the way.
pub(crate) fn mean_over(
    ask: &Ask<'_>,
    image: ArrayView3<'_, f32>,
    class: usize,
    background: ArrayView4<'_, f32>,
    pairs: &[(usize, f64)],
) -> Result<Array3<f32>, Error> {
    let mut sum = Array3::<f64>::zeros(image.raw_dim());
    let (c, h, w) = image.dim();
    for pairs in pairs.chunks(ask.at_once()) {
        let baseline = |index: usize| background.index_axis_move(ndarray::Axis(0), index);
        let mut batch = Array4::zeros((pairs.len(), c, h, w));
        for (mut copy, &(index, alpha)) in batch.outer_iter_mut().zip(pairs) {
            let start = baseline(index);
            copy.assign(&(&start + &((&image - &start) * alpha as f32)));
        }
        let gradients = ask.image_gradients(batch.view(), &[class])?;
        for (gradient, &(index, _)) in gradients.outer_iter().zip(pairs) {
            let terms = (&image - &baseline(index)) * gradient;
            sum.zip_mut_with(&terms, |sum, &term| *sum += f64::from(term));
        }
    }
    Ok(sum.mapv(|sum| (sum / pairs.len() as f64) as f32))
}

impl Attribute for ExpectedGradients {
    fn check(&self) -> Result<(), Error> {
        at_least("samples", self.samples, 1)
    }

    fn planned(&self, ask: &Ask<'_>) -> usize {
        self.samples + 1 + ask.question.background.map_or(0, |images| images.shape()[0])
    }

    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        let background = ask.question.background.filter(|b| b.shape()[0] > 0).ok_or_else(|| {
            Error::Setting(
                "expected gradients compare with typical images; give a background of at least one"
                    .to_owned(),
            )
        })?;
        let mut random = Random::new(ask.seed(), Purpose::ExpectedGradients, 0);
        let count = background.shape()[0];
        let pairs: Vec<(usize, f64)> =
            (0..self.samples).map(|_| (random.below(count), random.unit())).collect();
        let one = |image: ArrayView3<'_, f32>, class: usize| {
            let values = mean_over(ask, image, class, background, &pairs)?;
            let start: f64 = ask.values(background, &[class])?.iter().sum::<f64>() / count as f64;
            let own = ask.values(image.insert_axis(ndarray::Axis(0)), &[class])?[0];
            Ok(Raw::image(values).expecting(own - start))
        };
        one_by_one(images, classes, one)
    }
}
