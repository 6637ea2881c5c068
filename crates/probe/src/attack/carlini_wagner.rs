//! Carlini and Wagner's attack: distance and success weighed against each other.

use serde::Serialize;

use super::loss::best_other;
use super::norm::Norm;
use super::session::{Batch, Session, keep};
use super::{Check, in_range};
use crate::Result;

/// Minimises `‖x − clean‖² + c · max(margin + confidence, 0)` by Adam over `w`, `x = (tanh w + 1) / 2`,
/// for several `c`: ten times as large until the network is fooled, then halving the interval. L2.
/// Carlini and Wagner 2017, "Towards evaluating the robustness of neural networks", section VI.A,
/// with the loss f₆.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CarliniWagner {
    /// Values of `c` that are tried, 1 to 30.
    pub searches: usize,
    /// Steps for each, at most; a search ends where a tenth of them lowers the loss by less than
    /// 0.01 %. 1 to 100,000.
    pub steps: usize,
    /// Adam's learning rate.
    pub step_size: f64,
    /// How far the wanted logit must be above the others, at least 0.
    pub confidence: f64,
    /// The first `c`.
    pub initial_constant: f64,
}

impl Default for CarliniWagner {
    fn default() -> CarliniWagner {
        CarliniWagner {
            searches: 6,
            steps: 200,
            step_size: 0.02,
            confidence: 0.0,
            initial_constant: 0.1,
        }
    }
}

impl Check for CarliniWagner {
    fn check(&self) -> Result<()> {
        in_range("searches", self.searches as f64, 1.0, 30.0)?;
        in_range("steps", self.steps as f64, 1.0, 1e5)?;
        in_range("a step size", self.step_size, 1e-9, 1e3)?;
        in_range("a confidence", self.confidence, 0.0, 1e6)?;
        in_range("an initial constant", self.initial_constant, 1e-12, 1e12)
    }
}

/// What is known of one image.
struct Found {
    c: f64,
    low: f64,
    high: Option<f64>,
    distance: f64,
}

impl CarliniWagner {
    /// The norm it is about.
    pub(crate) const NORM: Norm = Norm::L2;

    pub(crate) fn run(&self, s: &mut Session<'_>) -> Result<Vec<f32>> {
        let mut out = s.clean.to_vec();
        let start =
            |_| Found { c: self.initial_constant, low: 0.0, high: None, distance: f64::INFINITY };
        let mut found: Vec<Found> = (0..s.count()).map(start).collect();
        for search in 0..self.searches {
            let fooled = self.search(s, search, &mut found, &mut out)?;
            for (found, fooled) in found.iter_mut().zip(fooled) {
                if fooled {
                    found.high = Some(found.c);
                } else {
                    found.low = found.c;
                }
                found.c = match found.high {
                    Some(high) => (found.low + high) / 2.0,
                    None => found.c * 10.0,
                };
            }
        }
        Ok(out)
    }

    /// One minimisation for each image with its own `c`; whether each was fooled on the way.
    fn search(
        &self,
        s: &mut Session<'_>,
        search: usize,
        found: &mut [Found],
        out: &mut [f32],
    ) -> Result<Vec<bool>> {
        let (len, classes) = (s.victim.len(), s.victim.classes);
        let mut fooled = vec![false; s.count()];
        let mut adam = Adam::new(s.batch, self.step_size);
        let patience = self.steps.div_ceil(10);
        for step in 0..self.steps {
            if adam.which.is_empty() {
                break;
            }
            let x = adam.images(s.batch);
            let (aims, confidence) = (s.aims, self.confidence as f32);
            let which = adam.which.clone();
            let (logits, gradient) = s.gradient_of(&which, &x, &|k, z, seed| {
                let aim = aims[which[k]];
                if aim.margin(z) + confidence > 0.0 {
                    let (up, down) = match aim.target {
                        Some(target) => (best_other(z, target).0, target),
                        None => (aim.label, best_other(z, aim.label).0),
                    };
                    seed[up] = 1.0;
                    seed[down] = -1.0;
                }
            })?;
            let mut losses = vec![0.0; which.len()];
            for (k, &i) in which.iter().enumerate() {
                let (z, x) = (&logits[k * classes..(k + 1) * classes], &x[k * len..(k + 1) * len]);
                let margin = aims[i].margin(z);
                let distance = Norm::L2.distance(x, s.original(i));
                let excess = f64::from((margin + confidence).max(0.0));
                losses[k] = distance * distance + found[i].c * excess;
                // At a margin of 0 two logits are equal, and which of them wins is chance.
                if margin < 0.0 && margin + confidence <= 0.0 {
                    fooled[i] = true;
                    if distance < found[i].distance {
                        found[i].distance = distance;
                        out[i * len..(i + 1) * len].copy_from_slice(x);
                    }
                }
            }
            let c: Vec<f32> = which.iter().map(|&i| found[i].c as f32).collect();
            adam.step(s.batch, &x, &gradient, &c);
            if step % patience == 0 {
                adam.drop_settled(&losses, len);
            }
            let share =
                (search as f64 + (step + 1) as f64 / self.steps as f64) / self.searches as f64;
            (s.progress)(share);
        }
        Ok(fooled)
    }
}

/// Adam (Kingma and Ba 2015) over `w`, a row for each image that is not settled.
struct Adam {
    which: Vec<usize>,
    w: Vec<f32>,
    mean: Vec<f32>,
    square: Vec<f32>,
    loss: Vec<f64>,
    step_size: f32,
    taken: i32,
}

impl Adam {
    fn new(b: Batch<'_>, step_size: f64) -> Adam {
        // A little less than 1, where tanh never comes.
        let place = |v: &f32| ((v * 2.0 - 1.0) * 0.999_999).atanh();
        let w: Vec<f32> = b.clean.iter().map(place).collect();
        Adam {
            which: (0..b.count()).collect(),
            mean: vec![0.0; w.len()],
            square: vec![0.0; w.len()],
            loss: vec![f64::INFINITY; b.count()],
            w,
            step_size: step_size as f32,
            taken: 0,
        }
    }

    fn images(&self, b: Batch<'_>) -> Vec<f32> {
        let mut x = self.w.clone();
        b.victim.each(&mut x, |_, x| x.iter_mut().for_each(|v| *v = v.tanh() * 0.5 + 0.5));
        x
    }

    /// One step down the gradient of the whole loss; `gradient` is the margin's.
    fn step(&mut self, b: Batch<'_>, x: &[f32], gradient: &[f32], c: &[f32]) {
        let len = b.victim.len();
        self.taken += 1;
        let (mean_scale, square_scale) =
            (1.0 / (1.0 - 0.9_f32.powi(self.taken)), 1.0 / (1.0 - 0.999_f32.powi(self.taken)));
        let mut total = gradient.to_vec();
        let which = &self.which;
        b.victim.each(&mut total, |k, g| {
            let (x, clean) = (&x[k * len..(k + 1) * len], b.original(which[k]));
            for ((g, x), clean) in g.iter_mut().zip(x).zip(clean) {
                let tanh = 2.0 * x - 1.0;
                *g = (2.0 * (x - clean) + c[k] * *g) * 0.5 * (1.0 - tanh * tanh);
            }
        });
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((w, g), (mean, square)) in self.w.iter_mut().zip(&total).zip(moments) {
            *mean = 0.9 * *mean + 0.1 * g;
            *square = 0.999 * *square + 0.001 * g * g;
            *w -= self.step_size * (*mean * mean_scale) / ((*square * square_scale).sqrt() + 1e-8);
        }
    }

    /// Lets go of images whose loss has hardly fallen since the last time.
    fn drop_settled(&mut self, losses: &[f64], len: usize) {
        let settled = |(now, before): (&f64, &f64)| *now > 0.9999 * before;
        let done: Vec<bool> = losses.iter().zip(&self.loss).map(settled).collect();
        self.loss = losses.to_vec();
        for rows in [&mut self.w, &mut self.mean, &mut self.square] {
            keep(rows, len, &done);
        }
        keep(&mut self.which, 1, &done);
        keep(&mut self.loss, 1, &done);
    }
}
