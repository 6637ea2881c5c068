//! Attribution: which parts of an image speak for a class, and which against it, by one interface
//! for every method.
//!
//! A [`Method`] is a small struct of parameters; [`attribute`] takes a batch of images, a class for
//! each and a method, and gives an [`Attribution`] an image. What is explained is one number of a
//! class, [`Output`]: unless told otherwise its logit, the input of the final softmax.
//!
//! | family | methods |
//! |---|---|
//! | gradients | [`Gradient`], [`InputXGradient`], [`SmoothGrad`], [`IntegratedGradients`], [`ExpectedGradients`] |
//! | other ways back through the network | [`GuidedBackprop`], [`Deconvolution`], [`Lrp`], [`DeepLift`] |
//! | maps of a layer | [`Cam`]: Grad-CAM, Grad-CAM++, HiResCAM, LayerCAM; [`ScoreCam`] |
//! | asking again and again | [`Occlusion`], [`Rise`], [`Lime`], [`KernelShap`] |
//!
//! Gradients are [`Engine::backward`](cutaway_engine::Engine::backward)'s, so they know every
//! operator that the engine knows. The other ways back walk the graph node by node (`walk`), and
//! refuse a node that they have no rule for, by name.
//!
//! ```
//! use cutaway_engine::{Engine, Options};
//! use cutaway_explain::attribution::{Method, Question, attribute};
//!
//! let network = cutaway_net::presets::reference_cnn(1);
//! let engine = Engine::compile(&network, &Options::default())?;
//! let images = ndarray::Array4::from_elem((1, 1, 28, 28), 0.5);
//! let method: Method = "integrated-gradients".parse()?;
//! let result = &attribute(&Question::new(&engine), images.view(), &[3], &method)?[0];
//! assert_eq!(result.shape, [1, 28, 28]);
//! // The values add up to what the network says more than to a black image.
//! assert!(result.error.unwrap().abs() < 1e-3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ask;
mod baseline;
mod cam;
#[cfg(test)]
mod conserves;
mod deep_lift;
mod effort;
mod expected_gradients;
mod fold;
mod gradient;
mod integrated_gradients;
mod kernel_shap;
mod lime;
mod linear;
mod lrp;
mod masks;
mod memory;
mod method;
#[cfg(test)]
mod networks;
mod norm;
mod occlusion;
pub(crate) mod random;
mod rectified;
mod resample;
mod rise;
mod score_cam;
mod segments;
mod smooth_grad;
#[cfg(test)]
mod tests;
mod walk;

use std::time::Instant;

use ndarray::{Array3, ArrayView3, ArrayView4, Axis, Slice};
use serde::Serialize;

pub(crate) use ask::Ask;
pub use ask::{Output, Progress, Question};
pub use baseline::Baseline;
pub use cam::{Cam, CamKind};
pub use deep_lift::DeepLift;
pub use effort::Pass;
pub use expected_gradients::ExpectedGradients;
pub use gradient::{Gradient, InputXGradient};
pub use integrated_gradients::{IntegratedGradients, Quadrature};
pub use kernel_shap::KernelShap;
pub use lime::Lime;
pub use lrp::{Absorbed, Lrp, LrpBiases, LrpFirst, LrpProducts, LrpRule};
pub(crate) use masks::masked_values;
pub use method::Method;
pub use occlusion::Occlusion;
pub use rectified::{Deconvolution, GuidedBackprop};
pub use rise::Rise;
pub use score_cam::ScoreCam;
pub use segments::Segments;
pub use smooth_grad::SmoothGrad;

use crate::Error;

/// What was explained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// The class.
    #[serde(rename = "target")]
    pub class: usize,
    /// Which of its numbers.
    pub output: Output,
    /// Name of the node that holds the logits.
    pub node: String,
    /// The number itself, `f(x)`.
    pub value: f64,
}

/// A map of a layer before it was brought to the size of the image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerMap {
    /// Name of the node.
    pub layer: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Row-major.
    pub values: Vec<f32>,
}

/// Which parts of one image speak for a class (positive) or against it (negative), by one method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attribution {
    /// Name of the method.
    pub method: String,
    /// Its parameters.
    pub parameters: Method,
    /// What was explained.
    #[serde(flatten)]
    pub target: Target,
    /// `[C, H, W]`, a value for each of the input's; or `[H, W]` where the method does not tell the
    /// channels apart.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
    /// Of a class activation map: the map itself.
    pub map: Option<LayerMap>,
    /// Sum of the values.
    pub sum: f64,
    /// What the sum should be by the method's own promise: `f(x) − f(baseline)`, `f(x)`.
    pub expected_sum: Option<f64>,
    /// Of layer-wise relevance propagation: relevance that did not arrive at the image, by what took
    /// it.
    pub absorbed: Option<Absorbed>,
    /// `sum − expected_sum`, with what was absorbed on the side of the sum: the error of completeness,
    /// or of conservation.
    pub error: Option<f64>,
    /// Images that went through the network, forward, or forward and back.
    pub evaluations: usize,
    /// Time taken; of a batch, this image's equal share.
    pub seconds: f64,
}

impl Attribution {
    /// One value a pixel `[H, W]`: the sum over the channels.
    #[must_use]
    pub fn pixels(&self) -> Vec<f32> {
        let [.., height, width] = self.shape[..] else { return self.values.clone() };
        let area = height * width;
        (0..area)
            .map(|i| self.values.iter().skip(i).step_by(area).map(|&v| f64::from(v)).sum::<f64>())
            .map(|sum| sum as f32)
            .collect()
    }
}

/// What a method finds out about an image.
pub(crate) struct Raw {
    shape: Vec<usize>,
    values: Vec<f32>,
    layer: Option<LayerMap>,
    expected: Option<f64>,
    absorbed: Option<Absorbed>,
}

impl Raw {
    /// Values `[C, H, W]`.
    pub(crate) fn image(values: Array3<f32>) -> Raw {
        let shape = values.shape().to_vec();
        let values = values.iter().copied().collect();
        Raw { shape, values, layer: None, expected: None, absorbed: None }
    }

    /// Values `[H, W]`.
    pub(crate) fn map(shape: [usize; 2], values: Vec<f32>) -> Raw {
        Raw { shape: shape.to_vec(), values, layer: None, expected: None, absorbed: None }
    }

    pub(crate) fn with_layer(self, map: LayerMap) -> Raw {
        Raw { layer: Some(map), ..self }
    }

    /// With what the values should add up to.
    pub(crate) fn expecting(self, sum: f64) -> Raw {
        Raw { expected: Some(sum), ..self }
    }

    /// With what did not arrive.
    pub(crate) fn absorbing(self, absorbed: Absorbed) -> Raw {
        Raw { absorbed: Some(absorbed), ..self }
    }
}

/// Values of a batch `[N, C, H, W]`, image by image.
pub(crate) fn raw_images(batch: &ndarray::ArrayD<f32>) -> Vec<Raw> {
    let batch = batch.view().into_dimensionality::<ndarray::Ix4>().expect("images");
    batch.outer_iter().map(|image| Raw::image(image.to_owned())).collect()
}

/// What every method does.
pub(crate) trait Attribute {
    /// Refuses parameters that are out of range.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Evaluations that an image will take, about.
    fn planned(&self, _ask: &Ask<'_>) -> usize {
        1
    }

    /// The attributions of images `[N, C, H, W]`, few enough to be held at once, each of its class.
    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error>;
}

/// A method's `run` where it works on one image at a time.
pub(crate) fn one_by_one(
    images: ArrayView4<'_, f32>,
    classes: &[usize],
    mut one: impl FnMut(ArrayView3<'_, f32>, usize) -> Result<Raw, Error>,
) -> Result<Vec<Raw>, Error> {
    images.outer_iter().zip(classes).map(|(image, &class)| one(image, class)).collect()
}

/// Refuses a number below the least that makes sense.
pub(crate) fn at_least(what: &str, value: usize, least: usize) -> Result<(), Error> {
    const MOST: usize = 1_000_000;
    if (least..=MOST).contains(&value) {
        return Ok(());
    }
    Err(Error::Setting(format!("{what} is {value}; expected {least} to {MOST}")))
}

/// The attributions of a batch of images `[N, C, H, W]`, in the units of the network's input, each
/// of its class. Memory beside the results does not grow with N.
///
/// # Errors
/// If a class or a parameter is out of range, the batch is not of the network's shape, the network
/// takes no images or has no class scores, a parameter of the network is not finite, or the method
/// has no rule for a node ([`Error::Operator`]).
pub fn attribute(
    question: &Question<'_>,
    images: ArrayView4<'_, f32>,
    classes: &[usize],
    method: &Method,
) -> Result<Vec<Attribution>, Error> {
    let ask = Ask::new(question.clone())?;
    let count = images.shape()[0];
    if classes.len() != count {
        return Err(Error::Setting(format!(
            "expected a class for each of {count} images, got {}",
            classes.len()
        )));
    }
    ask.check_classes(classes)?;
    let way = method.attribute();
    way.check()?;
    ask.plan(count * (way.planned(&ask) + 1));
    let mut results = Vec::with_capacity(count);
    for start in (0..count).step_by(ask.at_once()) {
        let end = (start + ask.at_once()).min(count);
        let images = images.slice_axis(Axis(0), Slice::from(start..end));
        let classes = &classes[start..end];
        let (begun, before) = (Instant::now(), ask.counted());
        let raw = way.run(&ask, images, classes)?;
        let seconds = begun.elapsed().as_secs_f64() / (end - start) as f64;
        let evaluations = (ask.counted() - before) / (end - start);
        let values = ask.values(images, classes)?;
        for ((raw, &class), value) in raw.into_iter().zip(classes).zip(values) {
            let node = ask.network().node(ask.logits).name.clone();
            let target = Target { class, output: question.output, node, value };
            results.push(finished(raw, method, target, evaluations, seconds)?);
        }
    }
    Ok(results)
}

fn finished(
    raw: Raw,
    method: &Method,
    target: Target,
    evaluations: usize,
    seconds: f64,
) -> Result<Attribution, Error> {
    if raw.values.iter().any(|v| !v.is_finite()) {
        return Err(Error::NoNumber { method: method.name().to_owned() });
    }
    let sum = ask::sum(&raw.values);
    let all = sum + raw.absorbed.map_or(0.0, |absorbed| absorbed.total);
    Ok(Attribution {
        method: method.name().to_owned(),
        parameters: method.clone(),
        target,
        shape: raw.shape,
        values: raw.values,
        map: raw.layer,
        sum,
        expected_sum: raw.expected,
        absorbed: raw.absorbed,
        error: raw.expected.map(|expected| all - expected),
        evaluations,
        seconds,
    })
}
