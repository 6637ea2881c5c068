//! Steps up the gradient: one (FGSM), many (PGD), many with momentum (MI-FGSM).

use serde::Serialize;

use super::loss::Loss;
use super::norm::Norm;
use super::session::{Active, Batch, Session, keep};
use super::{Check, in_range};
use crate::Result;

/// The fast gradient sign method: one step of ε along the signs of the gradient (L∞), or along the
/// gradient (L2). Goodfellow, Shlens, Szegedy 2015, "Explaining and harnessing adversarial
/// examples", section 4.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Fgsm {
    /// The ball.
    pub norm: Norm,
}

/// Projected gradient descent: steps along the signs of the gradient (L∞) or the gradient (L2), each
/// brought back into the ball. Madry et al. 2018, "Towards deep learning models resistant to
/// adversarial attacks", section 2.1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pgd {
    /// The ball.
    pub norm: Norm,
    /// Steps, 1 to 10,000.
    pub steps: usize,
    /// Length of a step in the norm; none for 2.5 ε / steps, as in the paper.
    pub step_size: Option<f64>,
    /// Times it is tried from another start while it fails, 1 to 1,000.
    pub restarts: usize,
    /// Whether it starts anywhere in the ball, rather than at the image.
    pub random_start: bool,
    /// Whether an image is left alone as soon as it fools the network.
    pub early_stop: bool,
}

/// PGD along a running sum of gradients, each over its L1 length; it starts at the image. Dong et al.
/// 2018, "Boosting adversarial attacks with momentum", algorithm 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Momentum {
    /// The ball.
    pub norm: Norm,
    /// Steps, 1 to 10,000.
    pub steps: usize,
    /// Length of a step in the norm; none for ε / steps, as in the paper.
    pub step_size: Option<f64>,
    /// What is kept of the sum at each step (μ), 0 to 1.
    pub decay: f64,
    /// Whether an image is left alone as soon as it fools the network.
    pub early_stop: bool,
}

impl Default for Pgd {
    fn default() -> Pgd {
        Pgd {
            norm: Norm::Linf,
            steps: 40,
            step_size: None,
            restarts: 1,
            random_start: true,
            early_stop: true,
        }
    }
}

impl Default for Momentum {
    fn default() -> Momentum {
        Momentum { norm: Norm::Linf, steps: 10, step_size: None, decay: 1.0, early_stop: true }
    }
}

impl Fgsm {
    pub(crate) fn run(&self, s: &mut Session<'_>) -> Result<Vec<f32>> {
        let which: Vec<usize> = (0..s.count()).collect();
        let mut x = s.clean.to_vec();
        let (_, gradient) = s.gradient(&which, &x, Loss::CrossEntropy)?;
        ascend(s.batch, self.norm, &which, &mut x, gradient, &|epsilon| epsilon);
        Ok(x)
    }
}

impl Pgd {
    pub(crate) fn run(&self, s: &mut Session<'_>) -> Result<Vec<f32>> {
        let steps = Steps {
            norm: self.norm,
            steps: self.steps,
            size: Size { given: self.step_size, share: 2.5 / self.steps as f64 },
            decay: None,
            early_stop: self.early_stop,
        };
        let mut out = s.clean.to_vec();
        let mut left: Vec<usize> = (0..s.count()).collect();
        for restart in 0..self.restarts {
            let purpose = self.random_start.then_some(0x9000 + restart as u64);
            let done = restart as f64 / self.restarts as f64;
            steps.run(s, &mut left, purpose, &mut out, (done, 1.0 / self.restarts as f64))?;
            if left.is_empty() {
                break;
            }
        }
        Ok(out)
    }
}

impl Momentum {
    pub(crate) fn run(&self, s: &mut Session<'_>) -> Result<Vec<f32>> {
        let steps = Steps {
            norm: self.norm,
            steps: self.steps,
            size: Size { given: self.step_size, share: 1.0 / self.steps as f64 },
            decay: Some(self.decay as f32),
            early_stop: self.early_stop,
        };
        let mut out = s.clean.to_vec();
        let mut left: Vec<usize> = (0..s.count()).collect();
        steps.run(s, &mut left, None, &mut out, (0.0, 1.0))?;
        Ok(out)
    }
}

impl Check for Fgsm {
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl Check for Pgd {
    fn check(&self) -> Result<()> {
        in_range("steps", self.steps as f64, 1.0, 1e4)?;
        in_range("restarts", self.restarts as f64, 1.0, 1e3)?;
        self.step_size.map_or(Ok(()), |size| in_range("a step size", size, 1e-9, 1e6))
    }
}

impl Check for Momentum {
    fn check(&self) -> Result<()> {
        in_range("steps", self.steps as f64, 1.0, 1e4)?;
        in_range("a decay", self.decay, 0.0, 1.0)?;
        self.step_size.map_or(Ok(()), |size| in_range("a step size", size, 1e-9, 1e6))
    }
}

/// How long a step is: as given, or a share of ε.
#[derive(Clone, Copy)]
struct Size {
    given: Option<f64>,
    share: f64,
}

impl Size {
    fn of(self, epsilon: f32) -> f32 {
        self.given.unwrap_or(self.share * f64::from(epsilon)) as f32
    }
}

struct Steps {
    norm: Norm,
    steps: usize,
    size: Size,
    /// What momentum keeps; none for no momentum.
    decay: Option<f32>,
    early_stop: bool,
}

impl Steps {
    /// Attacks the images `left` from a start each, writes them to `out` and leaves those that do
    /// not fool the network in `left`. `share` is the part of the whole work this is: its start
    /// and its length.
    fn run(
        &self,
        s: &mut Session<'_>,
        left: &mut Vec<usize>,
        random: Option<u64>,
        out: &mut [f32],
        share: (f64, f64),
    ) -> Result<()> {
        let mut a = Active { x: s.starts(left, self.norm, random), which: std::mem::take(left) };
        let (len, classes) = (s.victim.len(), s.victim.classes);
        let mut sums = vec![0.0; if self.decay.is_some() { a.x.len() } else { 0 }];
        for step in 0..self.steps {
            let (logits, mut gradient) = s.gradient(&a.which, &a.x, Loss::CrossEntropy)?;
            if self.early_stop {
                let rows = logits.chunks_exact(classes).zip(&a.which);
                let done: Vec<bool> = rows.map(|(z, &i)| s.is_fooled(i, z)).collect();
                if done.contains(&true) {
                    a.retire(&done, out);
                    keep(&mut gradient, len, &done);
                    if self.decay.is_some() {
                        keep(&mut sums, len, &done);
                    }
                }
            }
            if a.is_empty() {
                return Ok(());
            }
            if let Some(decay) = self.decay {
                accumulate(s.batch, &mut sums, &gradient, decay);
                gradient.copy_from_slice(&sums);
            }
            ascend(s.batch, self.norm, &a.which, &mut a.x, gradient, &|epsilon| {
                self.size.of(epsilon)
            });
            (s.progress)(share.0 + share.1 * (step + 1) as f64 / self.steps as f64);
        }
        a.finish(out);
        let logits = s.logits(&a.which, &a.x)?;
        let rows = logits.chunks_exact(classes).zip(&a.which);
        *left = rows.filter(|(z, i)| !s.is_fooled(**i, z)).map(|(_, &i)| i).collect();
        Ok(())
    }
}

/// `sum ← decay · sum + gradient / ‖gradient‖₁`.
fn accumulate(b: Batch<'_>, sums: &mut [f32], gradient: &[f32], decay: f32) {
    let len = b.victim.len();
    b.victim.each(sums, |k, sum| {
        let g = &gradient[k * len..(k + 1) * len];
        let total: f64 = g.iter().map(|g| f64::from(g.abs())).sum();
        let factor = if total > 0.0 { 1.0 / total } else { 0.0 };
        for (sum, g) in sum.iter_mut().zip(g) {
            *sum = decay * *sum + (f64::from(*g) * factor) as f32;
        }
    });
}

/// One step up the gradients and back into the balls.
fn ascend(
    b: Batch<'_>,
    norm: Norm,
    which: &[usize],
    x: &mut [f32],
    mut gradient: Vec<f32>,
    size: &(dyn Fn(f32) -> f32 + Sync),
) {
    let len = b.victim.len();
    b.victim.each(&mut gradient, |_, g| norm.steepest(g));
    b.victim.each(x, |k, x| {
        let epsilon = b.epsilon(which[k]);
        let step = size(epsilon);
        let g = &gradient[k * len..(k + 1) * len];
        x.iter_mut().zip(g).for_each(|(x, g)| *x += step * g);
        norm.project(x, b.original(which[k]), epsilon);
    });
}
