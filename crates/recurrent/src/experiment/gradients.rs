//! How the loss felt the states on the way, epoch after epoch.

use cutaway_data::sequences::Sequences;
use serde::Serialize;

use crate::error::Result;
use crate::network::{Runner, state_gradients};

/// Norms of the derivative of the loss by the states, by epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GradientNorms {
    /// Sequences that they were measured on.
    pub probes: usize,
    /// Before training (epoch 0), and after each epoch; of an echo state network, which has no epochs, one.
    pub epochs: Vec<EpochGradients>,
}

/// The norms at one time of a training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochGradients {
    /// 0 before training.
    pub epoch: usize,
    /// Steps back from the last one that is read.
    pub distances: Vec<usize>,
    /// How many sequences reach so far.
    pub counts: Vec<usize>,
    /// `log10 ‖∂L/∂h‖` of the top layer in its first way of reading, the mean over the sequences where it is not 0; none
    /// where it is 0 in all.
    pub log10: Vec<Option<f64>>,
    /// Of the sequences, those where it is exactly 0.
    pub zeros: Vec<usize>,
}

/// Distances in a curve.
const POINTS: usize = 64;

/// Distances from 0 to the longest, close together near the decision where curves bend, by squares.
pub(super) fn distances(steps: usize) -> Vec<usize> {
    let last = steps.saturating_sub(1) as f64;
    let place = |k: usize| (last * (k as f64 / (POINTS - 1) as f64).powi(2)).round() as usize;
    let mut all: Vec<usize> =
        (0..POINTS).map(|k| place(k).max(k.min(steps.saturating_sub(1)))).collect();
    all.dedup();
    all
}

impl EpochGradients {
    /// Measures a network, in single precision, as it is trained.
    ///
    /// # Errors
    /// [`Error::Sequences`](crate::Error::Sequences) where the sequences do not fit it.
    pub(super) fn of(runner: &Runner, probes: &Sequences, epoch: usize) -> Result<EpochGradients> {
        let found = state_gradients(runner, probes)?;
        let top = runner.network().architecture().layers - 1;
        let path = found.paths.iter().find(|path| path.layer == top && !path.memory);
        let path = path.expect("every layer has a path");
        let distances = distances(found.counts.len());
        Ok(EpochGradients {
            epoch,
            counts: distances.iter().map(|&d| found.counts[d]).collect(),
            log10: distances.iter().map(|&d| path.mean_log10[d]).collect(),
            zeros: distances.iter().map(|&d| path.zeros[d]).collect(),
            distances,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::distances;

    #[test]
    fn distances_rise_from_the_decision_to_the_longest() {
        for steps in [1, 2, 5, 64, 65, 300, 1500] {
            let found = distances(steps);
            assert_eq!((found[0], *found.last().unwrap()), (0, steps - 1));
            assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
            assert!(found.len() == steps.min(64), "{steps}: {}", found.len());
        }
    }
}
