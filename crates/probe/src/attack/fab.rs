//! FAB: along the border to its nearest place.

use serde::Serialize;

use super::hyperplane::step_to;
use super::loss::{best_other, descending};
use super::norm::{Norm, length};
use super::session::{Batch, Session};
use super::{Check, in_range};
use crate::Result;

/// How far from the image a restart begins at most, half of this.
const START: (f64, f64) = (0.3, 1.0);

/// Steps to the nearest border of the network taken as linear, within the range of pixels and drawn
/// towards the image; once across, back towards the image and on, so that it walks along the border. It looks
/// for the nearest image that fools. Croce and Hein 2020, "Minimally distorted adversarial examples with a fast
/// adaptive boundary attack", algorithm 1, with its constants.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fab {
    /// What is made small.
    pub norm: Norm,
    /// Steps, 1 to 10,000.
    pub steps: usize,
    /// Times it begins, after the first at a random place near the image, 1 to 1,000.
    pub restarts: usize,
    /// Where not 0: each run goes to the border of one class only, of so many of the most probable
    /// other ones one after the other (`FAB-T`, from "Reliable evaluation of adversarial robustness",
    /// 2020); any other class than the true one is a success. A step takes one gradient rather than one a class.
    pub targets: usize,
    /// Classes with the largest logits whose borders are tried where there are no targets, at least
    /// 2. The paper tries all.
    pub candidates: usize,
    /// The largest share of the step from the image in the mix with that from the present place, 0 to 1.
    pub alpha_max: f64,
    /// How far beyond the border a step goes, as a factor, 1 to 2.
    pub eta: f64,
    /// What is kept of the way from the image once across, 0 to 1.
    pub beta: f64,
    /// Places tried at the end between the image and the nearest that fools, as if the margin were
    /// linear between them, 0 to 100.
    pub final_search: usize,
}

impl Default for Fab {
    fn default() -> Fab {
        Fab {
            norm: Norm::Linf,
            steps: 100,
            restarts: 1,
            targets: 0,
            candidates: 10,
            alpha_max: 0.1,
            eta: 1.05,
            beta: 0.9,
            final_search: 3,
        }
    }
}

impl Check for Fab {
    fn check(&self) -> Result<()> {
        in_range("steps", self.steps as f64, 1.0, 1e4)?;
        in_range("restarts", self.restarts as f64, 1.0, 1e3)?;
        in_range("candidates", self.candidates as f64, 2.0, 1e4)?;
        in_range("alpha_max", self.alpha_max, 0.0, 1.0)?;
        in_range("eta", self.eta, 1.0, 2.0)?;
        in_range("beta", self.beta, 0.0, 1.0)?;
        in_range("a final search", self.final_search as f64, 0.0, 100.0)
    }
}

/// The nearest image that fools, of each image of a batch.
struct Nearest {
    distance: Vec<f64>,
    images: Vec<f32>,
}

/// A border of the network taken as linear: its normal, and the difference of the logits there.
struct Border {
    distance: f64,
    normal: Vec<f32>,
    excess: f64,
}

impl Fab {
    pub(crate) fn run(&self, s: &mut Session<'_>) -> Result<Vec<f32>> {
        let all: Vec<usize> = (0..s.count()).collect();
        let classes = s.victim.classes;
        let logits = s.logits(&all, s.clean)?;
        let rows = logits.chunks_exact(classes).zip(s.aims);
        let others = |(z, aim): (&[f32], &super::loss::Aim)| -> Vec<usize> {
            descending(z).into_iter().filter(|&class| class != aim.label).collect()
        };
        let rivals: Vec<Vec<usize>> = rows.map(others).collect();
        let aimed = s.aims.iter().any(|aim| aim.target.is_some());
        let rounds = if aimed || self.targets == 0 { 1 } else { self.targets.min(classes - 1) };
        let mut nearest =
            Nearest { distance: vec![f64::INFINITY; s.count()], images: s.clean.to_vec() };
        for run in 0..rounds * self.restarts {
            let (round, restart) = (run / self.restarts, run % self.restarts);
            let ranks = match (aimed, self.targets) {
                (true, _) => 0..1,
                (false, 0) => 0..self.candidates.min(classes) - 1,
                (false, _) => round..round + 1,
            };
            let x = self.starts(s.batch, &nearest, restart, run);
            let share = (run as f64, (rounds * self.restarts) as f64);
            self.walk(s, x, &rivals, ranks, &mut nearest, share)?;
        }
        self.draw_back(s, &logits, &mut nearest)?;
        Ok(nearest.images)
    }

    /// The images, or random places at half the distance found so far.
    fn starts(&self, b: Batch<'_>, nearest: &Nearest, restart: usize, run: usize) -> Vec<f32> {
        let mut x = b.clean.to_vec();
        if restart == 0 {
            return x;
        }
        let most = if self.norm == Norm::Linf { START.0 } else { START.1 };
        b.victim.each(&mut x, |i, x| {
            let mut random = b.random(i, 0xe000 + run as u64);
            let mut way: Vec<f32> = x.iter().map(|_| 0.0).collect();
            way.iter_mut().for_each(|v| {
                *v = match self.norm {
                    Norm::Linf => random.uniform(-1.0, 1.0),
                    Norm::L2 => random.normal(),
                } as f32;
            });
            let length = self.norm.distance(&way, &vec![0.0; way.len()]).max(1e-12);
            let factor = (nearest.distance[i].min(most) / 2.0 / length) as f32;
            x.iter_mut().zip(&way).for_each(|(x, way)| *x = (*x + factor * way).clamp(0.0, 1.0));
        });
        x
    }

    /// One run over the batch, to the borders of the rivals at these ranks.
    fn walk(
        &self,
        s: &mut Session<'_>,
        mut x: Vec<f32>,
        rivals: &[Vec<usize>],
        ranks: std::ops::Range<usize>,
        nearest: &mut Nearest,
        share: (f64, f64),
    ) -> Result<()> {
        let (len, classes) = (s.victim.len(), s.victim.classes);
        let all: Vec<usize> = (0..s.count()).collect();
        for step in 0..self.steps {
            let borders = self.borders(s, &all, &x, rivals, ranks.clone())?;
            let b = s.batch;
            b.victim.each(&mut x, |i, x| self.step(b.original(i), &borders[i], x));
            let logits = s.logits(&all, &x)?;
            for (i, z) in logits.chunks_exact(classes).enumerate() {
                if !s.is_fooled(i, z) {
                    continue;
                }
                let (x, clean) = (&mut x[i * len..(i + 1) * len], s.original(i));
                let distance = self.norm.distance(x, clean);
                if distance < nearest.distance[i] {
                    nearest.distance[i] = distance;
                    nearest.images[i * len..(i + 1) * len].copy_from_slice(x);
                }
                x.iter_mut().zip(clean).for_each(|(x, c)| *x = c + (*x - c) * self.beta as f32);
            }
            (s.progress)((share.0 + (step + 1) as f64 / self.steps as f64) / share.1);
        }
        Ok(())
    }

    /// For each image the nearest of the borders to its rivals, were the network linear. With a
    /// target it is the border between that and the best other class.
    fn borders(
        &self,
        s: &mut Session<'_>,
        all: &[usize],
        x: &[f32],
        rivals: &[Vec<usize>],
        ranks: std::ops::Range<usize>,
    ) -> Result<Vec<Border>> {
        let (len, classes, aims) = (s.victim.len(), s.victim.classes, s.aims);
        let none = || Border { distance: f64::INFINITY, normal: vec![0.0; len], excess: 0.0 };
        let mut borders: Vec<Border> = all.iter().map(|_| none()).collect();
        for rank in ranks {
            let pair = |i: usize, z: &[f32]| match aims[i].target {
                Some(target) => (target, best_other(z, target).0),
                None => (rivals[i][rank], aims[i].label),
            };
            let (logits, gradient) = s.gradient_of(all, x, &|i, z, seed| {
                let (up, down) = pair(i, z);
                seed[up] = 1.0;
                seed[down] = -1.0;
            })?;
            for (i, border) in borders.iter_mut().enumerate() {
                let (z, g) =
                    (&logits[i * classes..(i + 1) * classes], &gradient[i * len..(i + 1) * len]);
                let (up, down) = pair(i, z);
                let excess = f64::from(z[up] - z[down]);
                let slope = match self.norm {
                    Norm::Linf => g.iter().map(|g| f64::from(g.abs())).sum(),
                    Norm::L2 => length(g),
                };
                let distance = excess.abs() / (slope + 1e-12);
                if distance < border.distance {
                    *border = Border { distance, normal: g.to_vec(), excess };
                }
            }
        }
        Ok(borders)
    }

    /// Over the border from here and from the image, mixed: the nearer the border is from here, the
    /// more of the former.
    fn step(&self, clean: &[f32], border: &Border, x: &mut [f32]) {
        let Border { normal, excess, .. } = border;
        let apart = normal.iter().zip(x.iter().zip(clean));
        let apart = apart.map(|(w, (x, c))| f64::from(*w) * (f64::from(*c) - f64::from(*x)));
        let from_clean = excess + apart.sum::<f64>();
        let here = step_to(self.norm, x, normal, *excess);
        let there = step_to(self.norm, clean, normal, from_clean);
        let zero = vec![0.0; x.len()];
        let size = |step: &[f32]| self.norm.distance(step, &zero).max(1e-8);
        let (near, far) = (size(&here), size(&there));
        let alpha = (near / (near + far)).min(self.alpha_max) as f32;
        let eta = self.eta as f32;
        for (((x, c), here), there) in x.iter_mut().zip(clean).zip(&here).zip(&there) {
            let mixed = (*x + eta * here) * (1.0 - alpha) + (c + eta * there) * alpha;
            *x = mixed.clamp(0.0, 1.0);
        }
    }

    /// Nearer to the image along a straight line: where the margin would be 0 were it linear between
    /// the ends, and a little beyond, again and again.
    fn draw_back(&self, s: &mut Session<'_>, logits: &[f32], nearest: &mut Nearest) -> Result<()> {
        let (len, classes) = (s.victim.len(), s.victim.classes);
        let found: Vec<usize> =
            (0..s.count()).filter(|&i| nearest.distance[i].is_finite()).collect();
        if found.is_empty() || self.final_search == 0 {
            return Ok(());
        }
        let end: Vec<f32> =
            found.iter().flat_map(|&i| &nearest.images[i * len..(i + 1) * len]).copied().collect();
        let across = s.logits(&found, &end)?;
        let margin = |s: &Session<'_>, i: usize, z: &[f32]| f64::from(s.aims[i].margin(z));
        let mut low: Vec<(f64, f64)> = Vec::new();
        let mut high: Vec<(f64, f64)> = Vec::new();
        for (k, &i) in found.iter().enumerate() {
            low.push((0.0, margin(s, i, &logits[i * classes..(i + 1) * classes])));
            high.push((1.0, margin(s, i, &across[k * classes..(k + 1) * classes])));
        }
        for _ in 0..self.final_search {
            let place = |k: usize| {
                let ((a, over), (b, under)) = (low[k], high[k]);
                let share = over / (over - under).max(1e-12);
                a + (b - a) * (share + 0.01 * (1.0 - share)).clamp(0.0, 1.0)
            };
            let places: Vec<f64> = (0..found.len()).map(place).collect();
            let mut x = end.clone();
            for (k, x) in x.chunks_exact_mut(len).enumerate() {
                let clean = s.original(found[k]);
                x.iter_mut().zip(clean).for_each(|(x, c)| *x = c + (*x - c) * places[k] as f32);
            }
            let logits = s.logits(&found, &x)?;
            for (k, &i) in found.iter().enumerate() {
                let z = &logits[k * classes..(k + 1) * classes];
                let at = (places[k], margin(s, i, z));
                let x = &x[k * len..(k + 1) * len];
                if s.is_fooled(i, z) {
                    high[k] = at;
                    nearest.images[i * len..(i + 1) * len].copy_from_slice(x);
                } else {
                    low[k] = at;
                }
            }
        }
        Ok(())
    }
}
