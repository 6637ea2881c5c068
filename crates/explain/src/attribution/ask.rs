//! The number that an attribution explains, its values and its gradients, for batches.

use std::cell::Cell;

use cutaway_engine::{Engine, Gradients};
use cutaway_net::{Network, NodeId};
use ndarray::{Array3, Array4, ArrayD, ArrayView3, ArrayView4, Axis, Slice};
use serde::{Deserialize, Serialize};

use super::Baseline;
use super::memory::{INPUTS, within};
use crate::Error;

/// Told how many network evaluations of how many are done.
pub type Progress<'a> = &'a dyn Fn(usize, usize);

/// Which number of a class is explained.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// What goes into the final softmax. It does not saturate, and does not mix in the other
    /// classes.
    #[default]
    Logit,
    /// What comes out of the softmax.
    Probability,
    /// Its natural logarithm.
    LogProbability,
}

impl Output {
    /// All of them, by name.
    pub const NAMES: [&str; 3] = ["logit", "probability", "log-probability"];
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Output::NAMES[*self as usize])
    }
}

impl std::str::FromStr for Output {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "logit" => Ok(Output::Logit),
            "probability" => Ok(Output::Probability),
            "log-probability" => Ok(Output::LogProbability),
            _ => Err(format!("unknown output '{s}': expected {}", Output::NAMES.join(", "))),
        }
    }
}

/// A network with what is asked of it.
#[derive(Clone)]
pub struct Question<'a> {
    /// The network.
    pub engine: &'a Engine,
    /// Which number of a class is explained.
    pub output: Output,
    /// Seed of everything random. The same seed gives the same bits, whatever the number of
    /// threads, and whatever stands beside an image in its batch.
    pub seed: u64,
    /// Typical images `[B, C, H, W]` for the methods that compare with them.
    pub background: Option<ArrayView4<'a, f32>>,
    /// Hears of progress.
    pub progress: Progress<'a>,
}

impl<'a> Question<'a> {
    /// Logits, seed 1, no background, silent.
    pub fn new(engine: &'a Engine) -> Question<'a> {
        let progress: Progress<'a> = &|_, _| ();
        Question { engine, output: Output::Logit, seed: 1, background: None, progress }
    }
}

/// A question that has been checked, with its counter.
pub(crate) struct Ask<'a> {
    pub(crate) question: Question<'a>,
    /// The node that holds the logits.
    pub(crate) logits: NodeId,
    /// `[C, H, W]` of the input.
    pub(crate) input: [usize; 3],
    pub(crate) classes: usize,
    done: Cell<usize>,
    planned: Cell<usize>,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(question: Question<'a>) -> Result<Ask<'a>, Error> {
        crate::check_finite(question.engine.network())?;
        Ask::unchecked(question)
    }

    /// [`Ask::new`] of a network that may have parameters that are no numbers: to plan with, not to run.
    pub(crate) fn unchecked(question: Question<'a>) -> Result<Ask<'a>, Error> {
        let network = question.engine.network();
        let logits = network.logits();
        let shape = network.shape(logits);
        let classes = shape[0];
        if shape[1..].iter().any(|&size| size != 1) {
            return Err(Error::Setting(format!(
                "'{}' of network '{}' has shape {shape:?}; attributions need one number a class",
                network.node(logits).name,
                network.name()
            )));
        }
        let input = network.shape(network.input());
        let input = <[usize; 3]>::try_from(input).map_err(|_| {
            Error::Setting(format!(
                "network '{}' takes {input:?}; attributions are made for images [channels, \
                 height, width]",
                network.name()
            ))
        })?;
        let (done, planned) = (Cell::new(0), Cell::new(0));
        Ok(Ask { question, logits, input, classes, done, planned })
    }

    pub(crate) fn engine(&self) -> &'a Engine {
        self.question.engine
    }

    pub(crate) fn network(&self) -> &'a Network {
        self.question.engine.network()
    }

    pub(crate) fn seed(&self) -> u64 {
        self.question.seed
    }

    /// Images that may be held at once.
    pub(crate) fn at_once(&self) -> usize {
        within(INPUTS, self.input.iter().product())
    }

    /// The baseline of an image `[C, H, W]`.
    pub(crate) fn baseline(
        &self,
        baseline: &Baseline,
        image: ArrayView3<'_, f32>,
    ) -> Result<Array3<f32>, Error> {
        let background = self.question.background.filter(|images| images.shape()[0] > 0);
        match (baseline, background) {
            (Baseline::Background, Some(images)) if images.shape()[1..] == *image.shape() => {
                let mut sum = Array3::<f64>::zeros(image.raw_dim());
                for image in images.outer_iter() {
                    sum.zip_mut_with(&image, |sum, &v| *sum += f64::from(v));
                }
                Ok(sum.mapv(|v| (v / images.shape()[0] as f64) as f32))
            }
            _ => baseline.of(self.network(), image),
        }
    }

    /// Says how many evaluations will be needed.
    pub(crate) fn plan(&self, evaluations: usize) {
        self.planned.set(evaluations);
    }

    /// Counts evaluations: an image that goes through the network forward, or forward and back.
    pub(crate) fn count(&self, evaluations: usize) {
        self.done.set(self.done.get() + evaluations);
        let of = self.planned.get().max(self.done.get());
        (self.question.progress)(self.done.get(), of);
    }

    pub(crate) fn counted(&self) -> usize {
        self.done.get()
    }

    pub(crate) fn check_classes(&self, classes: &[usize]) -> Result<(), Error> {
        match classes.iter().find(|&&class| class >= self.classes) {
            None => Ok(()),
            Some(class) => Err(Error::Setting(format!(
                "class {class} is out of range: network '{}' has classes 0 to {}",
                self.network().name(),
                self.classes - 1
            ))),
        }
    }

    /// The explained number of each image; `classes` has one class an image, or one for all.
    pub(crate) fn values(
        &self,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<f64>, Error> {
        let mut values = Vec::with_capacity(images.shape()[0]);
        for start in (0..images.shape()[0]).step_by(self.at_once()) {
            let end = (start + self.at_once()).min(images.shape()[0]);
            let part = images.slice_axis(Axis(0), Slice::from(start..end));
            let logits = self.logits_of(part)?;
            for (i, row) in logits.chunks_exact(self.classes).enumerate() {
                values.push(value(self.question.output, row, class_of(classes, start + i)));
            }
            self.count(end - start);
        }
        Ok(values)
    }

    fn logits_of(&self, images: ArrayView4<'_, f32>) -> Result<Vec<f32>, Error> {
        let mut values = self.engine().forward(images, &[self.logits])?;
        Ok(values.take(self.logits).expect("tapped").into_raw_vec_and_offset().0)
    }

    /// Gradients of each image's explained number with respect to nodes.
    pub(crate) fn gradients(
        &self,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
        nodes: &[NodeId],
    ) -> Result<Gradients, Error> {
        let seed = self.seeds(images, classes)?;
        let gradients = self.engine().backward(images, &[(self.logits, seed)], nodes, false)?;
        self.count(images.shape()[0]);
        Ok(gradients)
    }

    /// Gradients with respect to the images, `[N, C, H, W]`.
    pub(crate) fn image_gradients(
        &self,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Array4<f32>, Error> {
        let input = self.network().input();
        let mut all = Array4::zeros(images.raw_dim());
        for start in (0..images.shape()[0]).step_by(self.at_once()) {
            let end = (start + self.at_once()).min(images.shape()[0]);
            let part = images.slice_axis(Axis(0), Slice::from(start..end));
            let own: Vec<usize> = (start..end).map(|i| class_of(classes, i)).collect();
            let gradients = self.gradients(part, &own, &[input])?;
            let gradients = gradients.node(input).expect("asked for");
            let gradients = gradients.view().into_dimensionality::<ndarray::Ix4>().expect("images");
            all.slice_axis_mut(Axis(0), Slice::from(start..end)).assign(&gradients);
        }
        Ok(all)
    }

    /// Gradients of the explained numbers with respect to the logits.
    pub(crate) fn seeds(
        &self,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<ArrayD<f32>, Error> {
        let n = images.shape()[0];
        let mut seeds = vec![0.0; n * self.classes];
        let logits = match self.question.output {
            Output::Logit => Vec::new(),
            _ => self.logits_of(images)?,
        };
        for (i, seed) in seeds.chunks_exact_mut(self.classes).enumerate() {
            let class = class_of(classes, i);
            if self.question.output == Output::Logit {
                seed[class] = 1.0;
                continue;
            }
            let p = softmax(&logits[i * self.classes..][..self.classes]);
            // ∂ ln p_c / ∂ z_k = δ_ck − p_k, and ∂ p_c / ∂ z_k is p_c times that.
            let factor = if self.question.output == Output::Probability { p[class] } else { 1.0 };
            for (k, (seed, p)) in seed.iter_mut().zip(&p).enumerate() {
                *seed = (factor * (f64::from(u8::from(k == class)) - p)) as f32;
            }
        }
        let shape = [&[n], self.network().shape(self.logits)].concat();
        Ok(ArrayD::from_shape_vec(shape, seeds).expect("as many as classes"))
    }
}

/// The class of an image: its own, or the one for all.
fn class_of(classes: &[usize], image: usize) -> usize {
    if classes.len() == 1 { classes[0] } else { classes[image] }
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let terms: Vec<f64> = logits.iter().map(|&z| f64::from(z - top).exp()).collect();
    let sum: f64 = terms.iter().sum();
    terms.iter().map(|term| term / sum).collect()
}

fn value(output: Output, logits: &[f32], class: usize) -> f64 {
    match output {
        Output::Logit => f64::from(logits[class]),
        Output::Probability => softmax(logits)[class],
        Output::LogProbability => {
            let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = logits.iter().map(|&z| f64::from(z - top).exp()).sum();
            f64::from(logits[class] - top) - sum.ln()
        }
    }
}

/// Sum in the given order, in f64.
pub(crate) fn sum(values: &[f32]) -> f64 {
    values.iter().map(|&v| f64::from(v)).sum()
}
