//! Guided backpropagation and deconvolution: gradients that are rectified on their way back.

use ndarray::{ArrayD, ArrayView4, Axis, Slice};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::walk::{Rule, Station, Walk, at_once};
use super::{Attribute, Raw};
use crate::Error;

/// The gradient, but through a ReLU only what is positive on the way up *and* on the way back
/// (Springenberg et al. 2015, "Striving for Simplicity", section 3.4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GuidedBackprop {}

/// The gradient, but through a ReLU only what is positive on the way back, whatever the way up
/// (Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 2.1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deconvolution {}

/// Rectifies what comes back at ReLUs (and at Clip, as which ReLU6 is written in ONNX).
struct Rectified {
    /// Whether the ReLU's own mask counts, too.
    masked: bool,
}

impl Rule for Rectified {
    fn back(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Result<Vec<ArrayD<f32>>, Error> {
        if !matches!(at.node.op.kind(), "Relu" | "Clip") {
            return at.gradient(received);
        }
        let positive = received.mapv(|g| g.max(0.0));
        if self.masked { at.gradient(&positive) } else { Ok(vec![positive]) }
    }
}

/// Walks back from the class by a rule, a few images at a time.
fn run(
    ask: &Ask<'_>,
    images: ArrayView4<'_, f32>,
    classes: &[usize],
    rule: &Rectified,
    method: &'static str,
) -> Result<Vec<Raw>, Error> {
    let mut results = Vec::new();
    let few = at_once(ask.network(), ask.logits);
    for start in (0..images.shape()[0]).step_by(few) {
        let end = (start + few).min(images.shape()[0]);
        let images = images.slice_axis(Axis(0), Slice::from(start..end));
        let walk = Walk::new(ask.engine(), images, ask.logits, method)?;
        let found = walk.back(ask.seeds(images, &classes[start..end])?, rule)?;
        ask.count(end - start);
        results.extend(super::raw_images(&found));
    }
    Ok(results)
}

impl Attribute for GuidedBackprop {
    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        run(ask, images, classes, &Rectified { masked: true }, "guided-backprop")
    }
}

impl Attribute for Deconvolution {
    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        run(ask, images, classes, &Rectified { masked: false }, "deconvolution")
    }
}
