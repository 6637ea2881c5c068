//! DeepLIFT by the rescale rule.

mod rules;
mod sums;

use ndarray::{Array4, ArrayD, ArrayView4, Axis, Slice};
use serde::{Deserialize, Serialize};

use self::rules::Rescale;
use super::ask::{Ask, Output};
use super::baseline::Baseline;
use super::{Attribute, Raw};
use crate::Error;

/// Differences from a baseline, carried back by multipliers (Shrikumar, Greenside and Kundaje 2017,
/// "Learning Important Features Through Propagating Activation Differences", sections 3.2, 3.5.1).
///
/// Through what is linear a multiplier goes as a gradient does; through an activation function it
/// is multiplied by `Δy / Δx` (by the derivative where `|Δx| < 1e-10`); a maximum gives it to the
/// places that hold the maximum for the image and for the baseline, as Captum does; of a product each
/// factor has the mean of the other, `Δ(ab) = Δa (b + b′)/2 + Δb (a + a′)/2`. A softmax and the
/// normalisations are made of these. The attribution is `Δx · m`, and the sum `f(x) − f(x′)`, whose
/// error is reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeepLift {
    /// What is compared with.
    pub baseline: Baseline,
}

impl Attribute for DeepLift {
    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        logit_only(ask, "deeplift")?;
        let mut baselines = Array4::zeros(images.raw_dim());
        for (mut baseline, image) in baselines.outer_iter_mut().zip(images.outer_iter()) {
            baseline.assign(&ask.baseline(&self.baseline, image)?);
        }
        let rule = Rescale::new(ask.engine());
        let mut results = Vec::new();
        for start in (0..images.shape()[0]).step_by(ask.at_once()) {
            let part = Slice::from(start..(start + ask.at_once()).min(images.shape()[0]));
            let images = images.slice_axis(Axis(0), part);
            let baselines = baselines.slice_axis(Axis(0), part);
            let classes = &classes[start..start + images.shape()[0]];
            let seeds = ask.seeds(images, classes)?;
            let found =
                ask.engine().backward_by(images, Some(baselines), ask.logits, &seeds, &rule)?;
            let values = found.input * (&images - &baselines).into_dyn();
            let other = found.baseline.expect("asked for");
            ask.count(2 * images.shape()[0]);
            for (i, (raw, &class)) in
                super::raw_images(&values).into_iter().zip(classes).enumerate()
            {
                let at = i * ask.classes + class;
                let logit =
                    |values: &ArrayD<f32>| f64::from(values.as_slice().expect("standard")[at]);
                results.push(raw.expecting(logit(&found.value) - logit(&other)));
            }
        }
        Ok(results)
    }
}

/// Refuses outputs behind the softmax: the rules are made for what lies before it.
pub(super) fn logit_only(ask: &Ask<'_>, method: &str) -> Result<(), Error> {
    match ask.question.output {
        Output::Logit => Ok(()),
        other => Err(Error::Setting(format!(
            "{method} explains the logit; it has no rule for the softmax behind it ({other})"
        ))),
    }
}
