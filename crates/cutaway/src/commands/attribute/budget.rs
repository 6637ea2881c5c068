//! `--budget`: counts of samples that keep a run within a time.

use std::time::Instant;

use cutaway::explain::attribution::{Method, Pass, Question, attribute};
use ndarray::ArrayView4;
use serde_json::{Value, json};

use crate::args;
use crate::error::Result;

/// Share of the time that is given away: a measurement of a few passes is not exact.
const PLANNED: f64 = 0.9;

/// What an image's attributions may take.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    /// Seconds for each image.
    seconds: f64,
    /// Counts that were given on the command line stay.
    steps: bool,
    samples: bool,
    stride: bool,
    maps: bool,
}

/// A count that was lowered.
#[derive(Clone, Debug)]
pub(crate) struct Lowered {
    pub(crate) method: &'static str,
    /// Counts in words.
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Lowered {
    pub(crate) fn to_json(&self) -> Value {
        json!({ "method": self.method, "from": self.from, "to": self.to })
    }
}

impl Budget {
    /// The budget of a command line, for so many images.
    pub(crate) fn given(verb: &args::Attribute, images: usize) -> Option<Budget> {
        Some(Budget {
            seconds: verb.budget? / images.max(1) as f64,
            steps: verb.steps.is_some(),
            samples: verb.draws.is_some(),
            stride: verb.stride.is_some(),
            maps: verb.maps.is_some(),
        })
    }

    /// Whether a method may be asked less.
    pub(crate) fn lowers(&self, method: &Method) -> bool {
        let given = match method {
            Method::IntegratedGradients(_) => self.steps,
            Method::Occlusion(_) => self.stride,
            Method::ScoreCam(_) => self.maps,
            _ => self.samples,
        };
        method.has_counts() && !given
    }

    /// Divides what is left of the time since `begun` among the methods that it lowers; the others
    /// have run. Each has an equal share, and what one does not need goes to the others.
    ///
    /// # Errors
    /// If the network cannot be asked.
    pub(crate) fn divide(
        &self,
        methods: &mut [Method],
        begun: Instant,
        question: &Question<'_>,
        image: ArrayView4<'_, f32>,
        class: usize,
    ) -> Result<Vec<Lowered>> {
        let costs = Costs::measure(question, image, class)?;
        let mut left = (self.seconds - begun.elapsed().as_secs_f64()).max(0.0) * PLANNED;
        let mut order: Vec<usize> =
            (0..methods.len()).filter(|&i| self.lowers(&methods[i])).collect();
        order.sort_by(|&a, &b| {
            let seconds = |i: usize| costs.of(&methods[i], question);
            seconds(a).total_cmp(&seconds(b))
        });
        let mut lowered = Vec::new();
        for (done, &i) in order.iter().enumerate() {
            let share = left.max(0.0) / (order.len() - done) as f64;
            let network = question.engine.network();
            let method = &mut methods[i];
            let from = method.counts(network);
            if method.lower(question, (share / costs.pass(method)) as usize) {
                let to = method.counts(network);
                lowered.push(Lowered { method: method.name(), from, to });
            }
            left -= costs.of(method, question);
        }
        Ok(lowered)
    }
}

/// Seconds of one image's way through the network.
struct Costs {
    forward: f64,
    gradient: f64,
}

impl Costs {
    /// Measures a few passes.
    fn measure(question: &Question<'_>, image: ArrayView4<'_, f32>, class: usize) -> Result<Costs> {
        let seconds = |name: &str, samples: usize| -> Result<f64> {
            let mut method: Method = name.parse().expect("a method's name");
            method.set_samples(samples);
            let question = Question { progress: &|_, _| (), ..question.clone() };
            let found = attribute(&question, image, &[class], &method)?;
            Ok(found[0].seconds / found[0].evaluations.max(1) as f64)
        };
        // The first pass prepares the layers.
        seconds("rise", 1)?;
        let forward = seconds("rise", 8)?;
        seconds("smooth-grad", 1)?;
        Ok(Costs { forward, gradient: seconds("smooth-grad", 4)? })
    }

    /// Of one evaluation.
    fn pass(&self, method: &Method) -> f64 {
        let cost = match method.pass() {
            Pass::Forward => self.forward,
            _ => self.gradient,
        };
        cost.max(1e-9)
    }

    fn of(&self, method: &Method, question: &Question<'_>) -> f64 {
        self.pass(method) * method.evaluations(question) as f64
    }
}
