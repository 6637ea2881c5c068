//! Guided backpropagation and deconvolution: gradients that are rectified on their way back.

use cutaway_engine::{BackwardRule, Numbers, Replaces};
use cutaway_net::{Network, NodeId};
use ndarray::{ArrayView4, Axis, Slice};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
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
struct Rectified<'a> {
    network: &'a Network,
    /// Whether the ReLU's own mask counts, too.
    masked: bool,
}

impl BackwardRule for Rectified<'_> {
    type Error = Error;

    fn replaces(&self, id: NodeId) -> Replaces {
        match self.network.node(id).op.kind() {
            "Relu" | "Clip" => Replaces::Numbers,
            _ => Replaces::Nothing,
        }
    }

    fn numbers(&self, _: NodeId, at: Numbers<'_>, shares: &mut [f32]) {
        // The mask is 0 or 1: it makes no difference which comes first.
        let back = if self.masked { at.gradient } else { at.received };
        shares.iter_mut().zip(back).for_each(|(share, &g)| *share = g.max(0.0));
    }
}

/// Goes back from the class by the rule.
fn run(
    ask: &Ask<'_>,
    images: ArrayView4<'_, f32>,
    classes: &[usize],
    masked: bool,
) -> Result<Vec<Raw>, Error> {
    let rule = Rectified { network: ask.network(), masked };
    let mut results = Vec::new();
    for start in (0..images.shape()[0]).step_by(ask.at_once()) {
        let end = (start + ask.at_once()).min(images.shape()[0]);
        let images = images.slice_axis(Axis(0), Slice::from(start..end));
        let seeds = ask.seeds(images, &classes[start..end])?;
        let found = ask.engine().backward_by(images, None, ask.logits, &seeds, &rule)?;
        ask.count(end - start);
        results.extend(super::raw_images(&found.input));
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
        run(ask, images, classes, true)
    }
}

impl Attribute for Deconvolution {
    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        run(ask, images, classes, false)
    }
}
