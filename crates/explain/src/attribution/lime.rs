//! LIME.

use ndarray::{ArrayView3, ArrayView4};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::baseline::Baseline;
use super::linear::ridge;
use super::masks::masked_values;
use super::random::{Purpose, Random};
use super::segments::{Segments, spread};
use super::{Attribute, Raw, at_least, one_by_one};
use crate::Error;

/// A linear model of the network around the image (Ribeiro, Singh and Guestrin 2016, "Why Should I
/// Trust You?", section 3): parts of the image are shown or hidden at random, copies near the whole
/// image weigh most, and a part's value is its coefficient in a weighted ridge regression, spread
/// over its pixels. As in the authors' `lime_image`, the first copy is the whole image, each part is
/// shown with probability ½, and a copy weighs `√exp(−d² / width²)`, `d` the cosine distance to the
/// whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lime {
    /// How the image is cut up.
    pub segments: Segments,
    /// Copies, at least 2.
    pub samples: usize,
    /// Width of the kernel, above 0.
    pub width: f64,
    /// Strength of the ridge, from 0 up.
    pub alpha: f64,
    /// What hidden parts show.
    pub baseline: Baseline,
}

impl Default for Lime {
    fn default() -> Self {
        Lime {
            segments: Segments::default(),
            samples: 1000,
            width: 0.25,
            alpha: 1.0,
            baseline: Baseline::Zero,
        }
    }
}

impl Lime {
    /// `√exp(−d² / width²)` for a copy that shows so many of the parts.
    fn weight(&self, shown: usize, parts: usize) -> f64 {
        // The cosine of the angle between the mask and all ones.
        let distance = 1.0 - (shown as f64 / parts as f64).sqrt();
        (-(distance / self.width).powi(2)).exp().sqrt()
    }

    fn one(&self, ask: &Ask<'_>, image: ArrayView3<'_, f32>, class: usize) -> Result<Raw, Error> {
        let (_, height, width) = image.dim();
        let (parts, count) = self.segments.cut(image);
        let mut random = Random::new(ask.seed(), Purpose::Lime, 0);
        let mut design = vec![1.0; self.samples * count];
        design[count..].iter_mut().for_each(|v| *v = f64::from(u8::from(random.unit() < 0.5)));
        let baseline = ask.baseline(&self.baseline, image)?;
        let mut show = |sample: usize, mask: &mut [f32]| {
            let row = &design[sample * count..][..count];
            mask.iter_mut().zip(&parts).for_each(|(m, &part)| *m = row[part] as f32);
        };
        let values = masked_values(ask, image, &baseline, class, self.samples, &mut show)?;
        let weights: Vec<f64> = design
            .chunks_exact(count)
            .map(|row| self.weight(row.iter().filter(|&&v| v > 0.0).count(), count))
            .collect();
        let (coefficients, _) = ridge(&design, &values, &weights, self.alpha);
        Ok(Raw::map([height, width], spread(&parts, &coefficients)))
    }
}

impl Attribute for Lime {
    fn check(&self) -> Result<(), Error> {
        self.segments.check()?;
        at_least("samples", self.samples, 2)?;
        match self.width > 0.0 && self.alpha >= 0.0 {
            true => Ok(()),
            false => Err(Error::Setting(format!(
                "width is {} and alpha {}; expected above 0, and 0 or more",
                self.width, self.alpha
            ))),
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
        one_by_one(images, classes, |image, class| self.one(ask, image, class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ridge_regression_is_scikit_learns() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/fixtures/attributions.json")).unwrap();
        let numbers = |name: &str| -> Vec<f64> {
            let list = fixture["ridge"][name].as_array().unwrap();
            list.iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let (coefficients, intercept) =
            ridge(&numbers("design"), &numbers("values"), &numbers("weight"), 1.0);
        for (own, expected) in coefficients.iter().zip(numbers("coefficients")) {
            assert!((own - expected).abs() < 1e-7, "{own}, not {expected}");
        }
        let expected = fixture["ridge"]["intercept"].as_f64().unwrap();
        assert!((intercept - expected).abs() < 1e-7);
    }
}
