//! DeepFool: to the nearest border, were the network linear.

use serde::Serialize;

use super::loss::descending;
use super::norm::{Norm, length, sign};
use super::session::Session;
use super::{Check, in_range};
use crate::{Result, best};

/// The step to the nearest border of the network taken as linear, again and again until the border is
/// crossed. Untargeted. Moosavi-Dezfooli, Fawzi, Frossard 2016, "DeepFool: a simple and
/// accurate method to fool deep neural networks", algorithm 2, and section 3.3 for other norms than L2.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeepFool {
    /// How the nearest border is measured.
    pub norm: Norm,
    /// Steps at most, 1 to 10,000.
    pub steps: usize,
    /// Classes with the largest logits whose borders are tried, at least 2.
    pub candidates: usize,
    /// How far beyond the border it goes, as a share of the way, 0 to 1.
    pub overshoot: f64,
}

impl Default for DeepFool {
    fn default() -> DeepFool {
        DeepFool { norm: Norm::L2, steps: 50, candidates: 10, overshoot: 0.02 }
    }
}

impl Check for DeepFool {
    fn check(&self) -> Result<()> {
        in_range("steps", self.steps as f64, 1.0, 1e4)?;
        in_range("candidates", self.candidates as f64, 2.0, 1e4)?;
        in_range("an overshoot", self.overshoot, 0.0, 1.0)
    }
}

impl DeepFool {
    pub(crate) fn run(&self, s: &mut Session<'_>) -> Result<Vec<f32>> {
        let (len, classes) = (s.victim.len(), s.victim.classes);
        let mut out = s.clean.to_vec();
        let mut which: Vec<usize> = (0..s.count()).collect();
        let logits = s.logits(&which, s.clean)?;
        let order: Vec<Vec<usize>> = logits.chunks_exact(classes).map(descending).collect();
        let candidates = self.candidates.min(classes);
        // The way so far, without the overshoot.
        let mut way = vec![0.0_f32; out.len()];
        for step in 0..self.steps {
            let x = rows_of(&out, &which, len);
            let logits = s.logits(&which, &x)?;
            let fooled =
                |k: usize| best(&logits[k * classes..(k + 1) * classes]).0 != order[which[k]][0];
            let left: Vec<usize> = (0..which.len()).filter(|&k| !fooled(k)).collect();
            which = left.iter().map(|&k| which[k]).collect();
            if which.is_empty() {
                break;
            }
            let x = rows_of(&x, &left, len);
            let nearest = self.nearest(s, &which, &x, &order, candidates)?;
            for (&i, step) in which.iter().zip(nearest) {
                let row = i * len..(i + 1) * len;
                way[row.clone()].iter_mut().zip(&step).for_each(|(way, step)| *way += step);
                let factor = 1.0 + self.overshoot as f32;
                let clean = s.original(i);
                for ((x, way), clean) in out[row.clone()].iter_mut().zip(&way[row]).zip(clean) {
                    *x = (clean + factor * way).clamp(0.0, 1.0);
                }
            }
            (s.progress)((step + 1) as f64 / self.steps as f64);
        }
        Ok(out)
    }

    /// For each image the step to the nearest of its candidates' borders.
    fn nearest(
        &self,
        s: &mut Session<'_>,
        which: &[usize],
        x: &[f32],
        order: &[Vec<usize>],
        candidates: usize,
    ) -> Result<Vec<Vec<f32>>> {
        let (len, classes) = (s.victim.len(), s.victim.classes);
        let mut nearest = vec![(f64::INFINITY, Vec::new()); which.len()];
        for rank in 1..candidates {
            let pair = |k: usize| (order[which[k]][0], order[which[k]][rank]);
            let (logits, gradient) = s.gradient_of(which, x, &|k, _, seed| {
                let (first, other) = pair(k);
                seed[other] = 1.0;
                seed[first] = -1.0;
            })?;
            for (k, nearest) in nearest.iter_mut().enumerate() {
                let (first, other) = pair(k);
                let z = &logits[k * classes..(k + 1) * classes];
                let g = &gradient[k * len..(k + 1) * len];
                let slope = 1e-8
                    + match self.norm {
                        Norm::Linf => g.iter().map(|g| f64::from(g.abs())).sum::<f64>(),
                        Norm::L2 => length(g),
                    };
                let distance = f64::from(z[other] - z[first]).abs() / slope;
                if distance < nearest.0 {
                    let step = |g: &f32| match self.norm {
                        Norm::Linf => distance as f32 * sign(*g),
                        Norm::L2 => (f64::from(*g) * distance / slope) as f32,
                    };
                    *nearest = (distance, g.iter().map(step).collect());
                }
            }
        }
        Ok(nearest.into_iter().map(|(_, step)| step).collect())
    }
}

/// Some of the images, one after the other.
fn rows_of(images: &[f32], which: &[usize], len: usize) -> Vec<f32> {
    which.iter().flat_map(|&i| &images[i * len..(i + 1) * len]).copied().collect()
}
