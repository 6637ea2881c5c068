//! DeepLIFT by the rescale rule.

use cutaway_net::Op;
use ndarray::{Array4, ArrayD, ArrayView4, Axis, Slice, Zip};
use serde::{Deserialize, Serialize};

use super::ask::{Ask, Output};
use super::baseline::Baseline;
use super::walk::{Rule, Station, Walk, at_once, elementwise};
use super::{Attribute, Raw};
use crate::Error;

/// Differences from a baseline, carried back by multipliers (Shrikumar, Greenside and Kundaje 2017,
/// "Learning Important Features Through Propagating Activation Differences", sections 3.2, 3.5.1).
///
/// Through what is linear a multiplier goes as a gradient does; through an activation function it
/// is multiplied by `Δy / Δx` (by the derivative where `|Δx| < 1e-10`); a maximum gives it to the
/// places that hold the maximum for the image and for the baseline, as Captum does. The attribution
/// is `Δx · m`, and the sum `f(x) − f(x′)`, whose error is reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeepLift {
    /// What is compared with.
    pub baseline: Baseline,
}

/// Below this a difference counts as none, as in Captum.
const NONE: f32 = 1e-10;

struct Rescale<'a> {
    /// Activations of the baselines.
    reference: &'a Walk<'a>,
}

impl Rescale<'_> {
    /// Multiplies by `Δy / Δx`.
    fn ratio(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Result<Vec<ArrayD<f32>>, Error> {
        let mut multiplier = at.gradient(received)?.remove(0);
        let (x0, y0) = (self.reference.value(at.node.inputs[0]), self.reference.value(at.id));
        // Differences first: seven arrays are more than a Zip takes.
        let (dx, dy) = (at.input(0) - x0, at.output() - y0);
        Zip::from(&mut multiplier).and(received).and(&dx).and(&dy).for_each(|m, &r, &dx, &dy| {
            if dx.abs() >= NONE {
                *m = r * dy / dx;
            }
        });
        Ok(vec![multiplier])
    }

    /// What the maximum gains over the baseline's goes to the place of the image's maximum, what the
    /// baseline's exceeds it by to that of the baseline's.
    fn maximum(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Result<Vec<ArrayD<f32>>, Error> {
        let (x0, y0) = (self.reference.value(at.node.inputs[0]), self.reference.value(at.id));
        let (mut gain, mut loss) = (received.clone(), received.clone());
        Zip::from(&mut gain).and(at.output()).and(y0).for_each(|g, &y, &y0| *g *= y.max(y0) - y0);
        Zip::from(&mut loss).and(at.output()).and(y0).for_each(|l, &y, &y0| *l *= y - y.max(y0));
        let piece = at.piece()?;
        let change = piece.backward(at.input(0), &gain)? + piece.backward(x0, &loss)?;
        let mut multiplier = piece.backward(at.input(0), received)?;
        let dx = at.input(0) - x0;
        Zip::from(&mut multiplier).and(&change).and(&dx).for_each(|m, &change, &dx| {
            if dx.abs() >= NONE {
                *m = change / dx;
            }
        });
        Ok(vec![multiplier])
    }
}

impl Rule for Rescale<'_> {
    fn back(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Result<Vec<ArrayD<f32>>, Error> {
        match at.node.op.kind() {
            kind if elementwise(kind) => self.ratio(at, received),
            "MaxPool" | "GlobalMaxPool" => self.maximum(at, received),
            "Conv" | "ConvTranspose" | "Dense" | "Gemm" | "BatchNorm" | "AvgPool"
            | "GlobalAvgPool" | "Add" | "Concat" | "ConcatAlong" | "Transpose" | "Slice" | "Pad"
            | "Resize" | "Scale" | "Shift" | "AddBroadcast" | "Sub" | "ReduceMean" | "ReduceSum" => {
                at.gradient(received)
            }
            "Mul" | "MatMul" if at.data_inputs().len() == 1 => at.gradient(received),
            "Div" if at.data_inputs() == [0] => at.gradient(received),
            _ if at.moves_nothing() => at.gradient(received),
            _ => Err(at.unknown(
                "it treats what is linear, activation functions of one number, and maximum pooling; \
                 take a method of gradients or of asking again and again",
            )),
        }
    }
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
        let few = at_once(ask.network(), ask.logits).div_ceil(2);
        let mut results = Vec::new();
        for start in (0..images.shape()[0]).step_by(few) {
            let part = Slice::from(start..(start + few).min(images.shape()[0]));
            let images = images.slice_axis(Axis(0), part);
            let baselines = baselines.slice_axis(Axis(0), part);
            let classes = &classes[start..start + images.shape()[0]];
            let walk = Walk::new(ask.engine(), images, ask.logits, "deeplift")?;
            let reference = Walk::new(ask.engine(), baselines, ask.logits, "deeplift")?;
            let seeds = ask.seeds(images, classes)?;
            let multipliers = walk.back(seeds, &Rescale { reference: &reference })?;
            let values = multipliers * (&images - &baselines).into_dyn();
            let (own, other) = (walk.value(ask.logits), reference.value(ask.logits));
            ask.count(2 * images.shape()[0]);
            for (i, (raw, &class)) in
                super::raw_images(&values).into_iter().zip(classes).enumerate()
            {
                let at = i * ask.classes + class;
                let logit =
                    |values: &ArrayD<f32>| f64::from(values.as_slice().expect("standard")[at]);
                results.push(raw.expecting(logit(own) - logit(other)));
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

/// Operators that are linear in their input, up to a bias, where they have parameters.
pub(super) fn weighted(op: &Op) -> bool {
    matches!(op.kind(), "Conv" | "ConvTranspose" | "Dense" | "Gemm" | "MatMul")
}
