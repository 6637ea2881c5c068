//! Scores of explanations: how good an attribution is, measured on the model itself.
//!
//! | score | asks | best |
//! |---|---|---|
//! | [`Curve`] deletion | does the probability fall as the most telling pixels go? | 0 |
//! | [`Curve`] insertion | does it rise as they come? | 1 |
//! | [`Infidelity`] | does it predict what changes of the image do? | 0 |
//! | [`RoadPoint`] | does the probability fall without them, where nothing tells where they were? | 0 |
//! | [`max_sensitivity`] | does it stay the same when next to nothing changes? | 0 |
//! | [`sparseness`], [`complexity`] | on how few pixels does it come down? | 1, 0 |
//! | [`randomisation`] | does it depend on what the model has learnt? | correlation 0 |
//! | [`spearman`], [`top_intersection`] | do two methods agree? | |
//!
//! [`bench()`] runs methods on many images and ranks them for *this* model.

mod agreement;
mod bench;
mod concentration;
mod curves;
mod infidelity;
mod randomisation;
mod road;
mod sensitivity;
#[cfg(test)]
mod tests;

use ndarray::ArrayView3;
use serde::Serialize;

pub use agreement::{spearman, ssim, top_intersection};
pub use bench::{Bench, BenchRow, CRITERIA, Criterion, bench};
pub use concentration::{complexity, sparseness};
pub use curves::Curve;
pub use infidelity::Infidelity;
pub use randomisation::{Randomised, randomisation};
pub use road::{ROAD_SHARES, RoadPoint};
pub use sensitivity::max_sensitivity;

use crate::Error;
use crate::attribution::{Ask, Attribution, Baseline, Output, Question, at_least};

/// How scores are measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreSettings {
    /// Steps of the deletion and insertion curves, at least 1.
    pub steps: usize,
    /// Random squares that infidelity is measured on, at least 2.
    pub perturbations: usize,
    /// Changed images of max-sensitivity; 0 leaves it out. Each costs as much as the attribution.
    pub sensitivity_samples: usize,
    /// Size of these changes as a share of the image's range.
    pub sensitivity_radius: f64,
    /// What deleted pixels show, and the squares of infidelity.
    pub baseline: Baseline,
    /// What pixels show before they are inserted.
    pub insertion_baseline: Baseline,
}

impl Default for ScoreSettings {
    fn default() -> Self {
        ScoreSettings {
            steps: 28,
            perturbations: 100,
            sensitivity_samples: 0,
            sensitivity_radius: 0.02,
            baseline: Baseline::Zero,
            insertion_baseline: Baseline::Blur,
        }
    }
}

/// The scores of one attribution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// The probability as the most telling pixels go.
    pub deletion: Curve,
    /// The probability as they come.
    pub insertion: Curve,
    /// How badly it predicts changes, of the number that was explained.
    pub infidelity: Infidelity,
    /// The probability without the most telling pixels, whose places cannot be told.
    pub road: Vec<RoadPoint>,
    /// The most that a tiny change of the image changes it, where that was measured.
    pub max_sensitivity: Option<f64>,
    /// Gini index of its absolute values.
    pub sparseness: f64,
    /// Entropy of its absolute values, in nats.
    pub complexity: f64,
}

/// Scores attributions of one image `[C, H, W]` for one class. All are measured against the same
/// random numbers.
///
/// # Errors
/// As [`attribute`](crate::attribution::attribute); if an attribution is not of the image's size or
/// a setting is out of range.
pub fn score(
    question: &Question<'_>,
    image: ArrayView3<'_, f32>,
    class: usize,
    attributions: &[Attribution],
    settings: &ScoreSettings,
) -> Result<Vec<Scores>, Error> {
    at_least("steps", settings.steps, 1)?;
    at_least("perturbations", settings.perturbations, 2)?;
    let quiet = Question { progress: &|_, _| (), ..question.clone() };
    let ask = Ask::new(quiet.clone())?;
    ask.check_classes(&[class])?;
    if image.shape() != ask.input {
        let expected = ask.input;
        return Err(Error::Setting(format!(
            "the image has shape {:?}, the network takes {expected:?}",
            image.shape()
        )));
    }
    let probability = Ask::new(Question { output: Output::Probability, ..quiet.clone() })?;
    let baseline = settings.baseline.of(ask.network(), image)?;
    let blank = settings.insertion_baseline.of(ask.network(), image)?;
    let own = image.to_owned();
    let perturbations =
        infidelity::Perturbations::new(&ask, image, &baseline, class, settings.perturbations)?;
    let one = |attribution: &Attribution| {
        let pixels = attribution.pixels();
        if pixels.len() != ask.input[1] * ask.input[2] {
            return Err(Error::Setting(format!(
                "the attribution has shape {:?}, the image {:?}",
                attribution.shape, ask.input
            )));
        }
        let curve = |from: ArrayView3<'_, f32>, to| {
            curves::curve(&probability, from, to, class, &pixels, settings.steps)
        };
        let max_sensitivity = match settings.sensitivity_samples {
            0 => None,
            samples => Some(max_sensitivity(
                &quiet,
                image,
                class,
                &attribution.parameters,
                samples,
                settings.sensitivity_radius,
            )?),
        };
        Ok(Scores {
            deletion: curve(image, &baseline)?,
            insertion: curve(blank.view(), &own)?,
            infidelity: perturbations.infidelity(image, &baseline, attribution),
            road: road::road(&probability, image, class, &pixels)?,
            max_sensitivity,
            sparseness: sparseness(&pixels),
            complexity: complexity(&pixels),
        })
    };
    attributions.iter().map(one).collect()
}
