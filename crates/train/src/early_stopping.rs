//! Stopping when the held-out images say that nothing improves any more.

use serde::{Deserialize, Serialize};

/// Stop when the validation loss has not improved for a while; the weights of the best epoch are
/// what is returned (Prechelt, "Early stopping - but when?", 1998).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without an improvement before training stops, at least 1.
    pub patience: usize,
    /// How much lower the validation loss must be to count as an improvement, 0 or more.
    #[serde(default)]
    pub min_delta: f64,
}

impl EarlyStopping {
    /// Index of the best epoch in the validation losses so far; None before the first.
    pub fn best(&self, losses: impl IntoIterator<Item = f64>) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (epoch, loss) in losses.into_iter().enumerate() {
            if best.is_none_or(|(_, lowest)| loss < lowest - self.min_delta) {
                best = Some((epoch, loss));
            }
        }
        best.map(|(epoch, _)| epoch)
    }

    /// Whether to stop after the epochs with these validation losses.
    pub fn should_stop(&self, losses: &[f64]) -> bool {
        let best = self.best(losses.iter().copied());
        best.is_some_and(|best| losses.len() - 1 - best >= self.patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_stops_when_patience_runs_out_and_not_before() {
        let stopping = EarlyStopping { patience: 2, min_delta: 0.0 };
        assert!(!stopping.should_stop(&[]));
        assert!(!stopping.should_stop(&[1.0, 0.5, 0.6]));
        assert!(stopping.should_stop(&[1.0, 0.5, 0.6, 0.5]));
        assert!(!stopping.should_stop(&[1.0, 0.5, 0.6, 0.4]));
    }

    #[test]
    fn an_improvement_smaller_than_min_delta_is_none() {
        let stopping = EarlyStopping { patience: 1, min_delta: 0.1 };
        assert!(stopping.should_stop(&[1.0, 0.95]));
        assert_eq!(stopping.best([1.0, 0.95, 0.85]), Some(2));
    }
}
