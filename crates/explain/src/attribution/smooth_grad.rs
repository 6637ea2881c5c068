//! SmoothGrad.

use ndarray::{Array3, Array4, ArrayView3, ArrayView4};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::random::{Purpose, Random};
use super::{Attribute, Raw, at_least, one_by_one};
use crate::Error;

/// The mean gradient over copies of the image with Gaussian noise, `1/n Σ ∂f/∂x (x + ε)`, `ε ~
/// N(0, (noise · (max x − min x))²)` (Smilkov et al. 2017, "SmoothGrad", section 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmoothGrad {
    /// Noisy copies, at least 1.
    pub samples: usize,
    /// Standard deviation of the noise as a share of the image's range of values, from 0 up; the
    /// paper finds 0.1 to 0.2 best.
    pub noise: f64,
}

impl Default for SmoothGrad {
    fn default() -> Self {
        SmoothGrad { samples: 50, noise: 0.15 }
    }
}

impl SmoothGrad {
    /// The standard deviation of an image's noise.
    fn sigma(&self, image: ArrayView3<'_, f32>) -> f64 {
        let low = image.iter().copied().fold(f32::INFINITY, f32::min);
        let high = image.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        self.noise * f64::from(high - low)
    }
}

/// The mean gradient over an image with each of the noises `[n, C, H, W]` added.
pub(crate) fn mean_gradient(
    ask: &Ask<'_>,
    image: ArrayView3<'_, f32>,
    class: usize,
    count: usize,
    noise: &mut dyn FnMut() -> Array3<f32>,
) -> Result<Array3<f32>, Error> {
    let mut sum = Array3::<f64>::zeros(image.raw_dim());
    let (c, h, w) = image.dim();
    let mut left = count;
    while left > 0 {
        let now = left.min(ask.at_once());
        let mut batch = Array4::zeros((now, c, h, w));
        for mut copy in batch.outer_iter_mut() {
            copy.assign(&(&image + &noise()));
        }
        for gradient in ask.image_gradients(batch.view(), &[class])?.outer_iter() {
            sum.zip_mut_with(&gradient, |sum, &g| *sum += f64::from(g));
        }
        left -= now;
    }
    Ok(sum.mapv(|sum| (sum / count as f64) as f32))
}

impl Attribute for SmoothGrad {
    fn check(&self) -> Result<(), Error> {
        at_least("samples", self.samples, 1)?;
        match self.noise.is_finite() && self.noise >= 0.0 {
            true => Ok(()),
            false => Err(Error::Setting(format!("noise is {}; expected 0 or more", self.noise))),
        }
    }

    fn planned(&self, _: &Ask<'_>) -> usize {
        self.samples
    }

    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        let one = |image: ArrayView3<'_, f32>, class: usize| {
            let sigma = self.sigma(image);
            let mut random = Random::new(ask.seed(), Purpose::SmoothGrad, 0);
            let mut noise = || {
                let mut values = vec![0.0; image.len()];
                ask.engine().install(|| random.normals(sigma, &mut values));
                Array3::from_shape_vec(image.dim(), values).expect("as many numbers")
            };
            Ok(Raw::image(mean_gradient(ask, image, class, self.samples, &mut noise)?))
        };
        one_by_one(images, classes, one)
    }
}
