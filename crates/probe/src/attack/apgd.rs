//! Auto-PGD: no step size to choose.

use serde::Serialize;

use super::loss::{Aim, Loss, descending};
use super::norm::Norm;
use super::session::{Batch, Session, keep};
use super::{Check, in_range};
use crate::{Result, best};

/// PGD that halves its step where the loss does not rise, and goes on from the best place. Croce and
/// Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse
/// parameter-free attacks", algorithm 1, with its constants (ρ = 0.75, α = 0.75, first step 2 ε).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AutoPgd {
    /// The ball.
    pub norm: Norm,
    /// What is climbed.
    pub loss: Loss,
    /// Steps, 1 to 10,000.
    pub steps: usize,
    /// Times it is tried from another start while it fails, 1 to 1,000.
    pub restarts: usize,
    /// Where not 0: the loss is aimed at so many of the most probable other classes, one after the
    /// other (`APGD-T` with the DLR loss); any other class than the true one is a success.
    pub targets: usize,
}

impl Default for AutoPgd {
    fn default() -> AutoPgd {
        AutoPgd { norm: Norm::Linf, loss: Loss::CrossEntropy, steps: 100, restarts: 1, targets: 0 }
    }
}

impl Check for AutoPgd {
    fn check(&self) -> Result<()> {
        in_range("steps", self.steps as f64, 1.0, 1e4)?;
        in_range("restarts", self.restarts as f64, 1.0, 1e3)
    }
}

impl AutoPgd {
    pub(crate) fn run(&self, s: &mut Session<'_>) -> Result<Vec<f32>> {
        let mut out = s.clean.to_vec();
        let mut left: Vec<usize> = (0..s.count()).collect();
        let rivals = self.rivals(s)?;
        let rounds = rivals.len() * self.restarts;
        for round in 0..rounds {
            if left.is_empty() {
                break;
            }
            let aims = &rivals[round / self.restarts];
            let share = (round as f64 / rounds as f64, 1.0 / rounds as f64);
            left = self.climb(s, left, aims, round as u64, &mut out, share)?;
        }
        Ok(out)
    }

    /// What the loss is aimed at for each image, one round after the other.
    fn rivals(&self, s: &mut Session<'_>) -> Result<Vec<Vec<Aim>>> {
        if self.targets == 0 || s.aims.iter().any(|aim| aim.target.is_some()) {
            return Ok(vec![s.aims.to_vec()]);
        }
        let all: Vec<usize> = (0..s.count()).collect();
        let logits = s.logits(&all, s.clean)?;
        let classes = s.victim.classes;
        let rounds = self.targets.min(classes - 1);
        let aim_of = |round: usize, i: usize| {
            let order = descending(&logits[i * classes..(i + 1) * classes]);
            let label = s.aims[i].label;
            let target = order.into_iter().filter(|&class| class != label).nth(round);
            Aim { label, target }
        };
        Ok((0..rounds).map(|r| all.iter().map(|&i| aim_of(r, i)).collect()).collect())
    }

    /// One run; returns the images that do not fool the network.
    fn climb(
        &self,
        s: &mut Session<'_>,
        which: Vec<usize>,
        aims: &[Aim],
        round: u64,
        out: &mut [f32],
        share: (f64, f64),
    ) -> Result<Vec<usize>> {
        let x = self.starts(s.batch, &which, round);
        let (losses, fooled, gradient) = self.measure(s, &which, &x, aims)?;
        let mut climb = Climb::new(which, x, gradient, losses, s.batch, self.steps);
        climb.retire(&fooled, out);
        let mut check = Checkpoints::new(self.steps);
        for step in 0..self.steps {
            if climb.which.is_empty() {
                break;
            }
            climb.step(s.batch, self.norm, if step > 0 { 0.75 } else { 1.0 });
            let (losses, fooled, gradient) = self.measure(s, &climb.which, &climb.x, aims)?;
            climb.record(&losses, gradient);
            climb.retire(&fooled, out);
            if let Some(period) = check.due() {
                climb.review(period, s.victim.len());
            }
            (s.progress)(share.0 + share.1 * (step + 1) as f64 / self.steps as f64);
        }
        let len = s.victim.len();
        for (k, &i) in climb.which.iter().enumerate() {
            out[i * len..(i + 1) * len].copy_from_slice(&climb.best_x[k * len..(k + 1) * len]);
        }
        Ok(climb.which)
    }

    /// On the border of the ball: uniform values or a normal direction, scaled to length ε.
    fn starts(&self, s: Batch<'_>, which: &[usize], round: u64) -> Vec<f32> {
        let purpose = 0xa000 + 0x100 * u64::from(self.loss == Loss::Dlr) + round;
        let mut x = vec![0.0; which.len() * s.victim.len()];
        s.victim.each(&mut x, |k, x| {
            let mut random = s.random(which[k], purpose);
            let (clean, epsilon) = (s.original(which[k]), s.epsilon(which[k]));
            x.iter_mut().for_each(|v| {
                *v = match self.norm {
                    Norm::Linf => random.uniform(-1.0, 1.0),
                    Norm::L2 => random.normal(),
                } as f32;
            });
            let length = self.norm.distance(x, &vec![0.0; x.len()]) as f32;
            for (v, c) in x.iter_mut().zip(clean) {
                *v = c + epsilon * *v / length.max(1e-12);
            }
            self.norm.project(x, clean, epsilon);
        });
        x
    }

    /// Losses, whether the network is fooled, and gradients.
    fn measure(
        &self,
        s: &mut Session<'_>,
        which: &[usize],
        x: &[f32],
        aims: &[Aim],
    ) -> Result<(Vec<f64>, Vec<bool>, Vec<f32>)> {
        let of = |k: usize| aims[which[k]];
        let (logits, gradient) = s.gradient_of(which, x, &|k, z, seed| {
            self.loss.evaluate(z, of(k), seed);
        })?;
        let classes = s.victim.classes;
        let rows = || logits.chunks_exact(classes).enumerate();
        let mut unused = vec![0.0; classes];
        let losses = rows().map(|(k, z)| {
            unused.fill(0.0);
            self.loss.evaluate(z, of(k), &mut unused)
        });
        let losses = losses.collect();
        let fooled = rows().map(|(k, z)| s.aims[which[k]].is_met(best(z).0)).collect();
        Ok((losses, fooled, gradient))
    }
}

/// The state of one run, an entry or a row for each image that is not fooled yet.
struct Climb {
    which: Vec<usize>,
    x: Vec<f32>,
    before: Vec<f32>,
    gradient: Vec<f32>,
    best_x: Vec<f32>,
    best_gradient: Vec<f32>,
    best_loss: Vec<f64>,
    step_size: Vec<f32>,
    /// The loss at the start and after every step so far, `history` a row.
    losses: Vec<f64>,
    history: usize,
    taken: usize,
    best_at_check: Vec<f64>,
    halved_at_check: Vec<bool>,
}

impl Climb {
    fn new(
        which: Vec<usize>,
        x: Vec<f32>,
        gradient: Vec<f32>,
        loss: Vec<f64>,
        s: Batch<'_>,
        steps: usize,
    ) -> Climb {
        Climb {
            before: x.clone(),
            best_x: x.clone(),
            best_gradient: gradient.clone(),
            best_at_check: loss.clone(),
            halved_at_check: vec![true; which.len()],
            step_size: which.iter().map(|&i| 2.0 * s.epsilon(i)).collect(),
            losses: loss.iter().flat_map(|&l| [vec![l], vec![0.0; steps]].concat()).collect(),
            history: steps + 1,
            taken: 1,
            best_loss: loss,
            which,
            x,
            gradient,
        }
    }

    /// A step up the gradient, mixed with the last move.
    fn step(&mut self, s: Batch<'_>, norm: Norm, share: f32) {
        let len = s.victim.len();
        s.victim.each(&mut self.gradient, |_, g| norm.steepest(g));
        let (which, sizes, gradient) = (&self.which, &self.step_size, &self.gradient);
        let before = std::mem::replace(&mut self.before, self.x.clone());
        s.victim.each(&mut self.x, |k, x| {
            let rows = k * len..(k + 1) * len;
            let (clean, epsilon) = (s.original(which[k]), s.epsilon(which[k]));
            let mut next = x.to_vec();
            let g = &gradient[rows.clone()];
            next.iter_mut().zip(g).for_each(|(v, g)| *v += sizes[k] * g);
            norm.project(&mut next, clean, epsilon);
            for ((x, next), before) in x.iter_mut().zip(&next).zip(&before[rows]) {
                *x += (next - *x) * share + (*x - before) * (1.0 - share);
            }
            norm.project(x, clean, epsilon);
        });
    }

    /// Takes note of losses and gradients at the new place.
    fn record(&mut self, losses: &[f64], gradient: Vec<f32>) {
        let len = self.x.len() / self.which.len();
        self.gradient = gradient;
        for (k, &loss) in losses.iter().enumerate() {
            self.losses[k * self.history + self.taken] = loss;
            if loss > self.best_loss[k] {
                let row = k * len..(k + 1) * len;
                self.best_loss[k] = loss;
                self.best_x[row.clone()].copy_from_slice(&self.x[row.clone()]);
                self.best_gradient[row.clone()].copy_from_slice(&self.gradient[row]);
            }
        }
        self.taken += 1;
    }

    /// Writes images that fool the network to `out` and lets go of them.
    fn retire(&mut self, done: &[bool], out: &mut [f32]) {
        if !done.contains(&true) {
            return;
        }
        let len = self.x.len() / self.which.len();
        for (k, &i) in self.which.iter().enumerate().filter(|(k, _)| done[*k]) {
            out[i * len..(i + 1) * len].copy_from_slice(&self.x[k * len..(k + 1) * len]);
        }
        for rows in [
            &mut self.x,
            &mut self.before,
            &mut self.gradient,
            &mut self.best_x,
            &mut self.best_gradient,
        ] {
            keep(rows, len, done);
        }
        keep(&mut self.which, 1, done);
        keep(&mut self.best_loss, 1, done);
        keep(&mut self.step_size, 1, done);
        keep(&mut self.losses, self.history, done);
        keep(&mut self.best_at_check, 1, done);
        keep(&mut self.halved_at_check, 1, done);
    }

    /// Halves the step of images whose loss rose too seldom in the last `period` steps, or whose best
    /// loss did not rise since the last check with this step, and puts them back to their best.
    fn review(&mut self, period: usize, len: usize) {
        for k in 0..self.which.len() {
            let history = &self.losses[k * self.history..][..self.taken];
            let from = self.taken.saturating_sub(period + 1);
            let rises = history[from..].windows(2).filter(|pair| pair[1] > pair[0]).count();
            let seldom = rises as f64 <= 0.75 * period as f64;
            let stuck = !self.halved_at_check[k] && self.best_at_check[k] >= self.best_loss[k];
            let halve = seldom || stuck;
            self.halved_at_check[k] = halve;
            self.best_at_check[k] = self.best_loss[k];
            if halve {
                let row = k * len..(k + 1) * len;
                self.step_size[k] /= 2.0;
                self.x[row.clone()].copy_from_slice(&self.best_x[row.clone()]);
                self.gradient[row.clone()].copy_from_slice(&self.best_gradient[row]);
            }
        }
    }
}

/// When the steps are reviewed: after 22 % of them, then after 3 % less each time, at least 6 %.
struct Checkpoints {
    since: usize,
    period: usize,
    less: usize,
    least: usize,
}

impl Checkpoints {
    fn new(steps: usize) -> Checkpoints {
        let share = |percent: usize| (steps * percent / 100).max(1);
        Checkpoints { since: 0, period: share(22), less: share(3), least: share(6) }
    }

    /// The length of the period that ends with this step, if one does.
    fn due(&mut self) -> Option<usize> {
        self.since += 1;
        if self.since < self.period {
            return None;
        }
        let period = self.period;
        self.since = 0;
        self.period = self.period.saturating_sub(self.less).max(self.least);
        Some(period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_steps_are_reviewed_where_the_paper_says() {
        let mut check = Checkpoints::new(100);
        let due: Vec<usize> = (1..=100).filter(|_| check.due().is_some()).collect();
        assert_eq!(due, [22, 41, 57, 70, 80, 87, 93, 99]);
    }
}
