//! Runs that differ in their seed alone, side by side.

use serde::Serialize;

use super::{Kind, Run};
use crate::network::Direction;

/// Several seeds of one network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The kind of network.
    pub cell: Kind,
    /// Which way it read.
    pub direction: Direction,
    /// Runs.
    pub runs: usize,
    /// Parameters that were trained.
    pub parameters: usize,
    /// Seconds of training, the mean.
    pub seconds: f64,
    /// Epochs, the mean.
    pub epochs: f64,
    /// Balanced accuracy; none where numbers are asked for.
    pub balanced_accuracy: Option<Share>,
    /// Loss on the test set; none for an echo state network that says classes.
    pub loss: Option<f64>,
}

/// A mean over runs with an interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The mean.
    pub mean: f64,
    /// Lower end: of the 95 % interval of Student's t over runs, within 0 to 1; for a single run, the lowest of its own interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Two-sided 95 % quantiles of Student's t for 1 to 10 degrees of freedom.
const STUDENT: [f64; 10] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/// The mean of shares and its 95 % interval by Student's t; an interval of no width for a single value.
#[must_use]
pub fn share(values: &[f64]) -> Share {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return Share { mean, low: mean, high: mean };
    }
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
    let t = STUDENT.get(values.len() - 2).copied().unwrap_or(1.96);
    let half = t * (variance / n).sqrt();
    Share { mean, low: (mean - half).max(0.0), high: (mean + half).min(1.0) }
}

/// Brings runs of the same network together, in the order of their first.
#[must_use]
pub fn compare(runs: &[Run]) -> Vec<Compared> {
    let mut groups: Vec<Vec<&Run>> = Vec::new();
    for run in runs {
        let same = |group: &&mut Vec<&Run>| {
            (group[0].cell, group[0].direction) == (run.cell, run.direction)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(run),
            None => groups.push(vec![run]),
        }
    }
    groups.iter().map(|group| compared(group)).collect()
}

fn compared(runs: &[&Run]) -> Compared {
    let mean =
        |of: &dyn Fn(&Run) -> f64| runs.iter().map(|r| of(r)).sum::<f64>() / runs.len() as f64;
    let accuracies: Option<Vec<f64>> = runs.iter().map(|run| run.balanced_accuracy).collect();
    let losses: Option<Vec<f64>> = runs.iter().map(|run| run.loss).collect();
    let mut balanced_accuracy = accuracies.map(|values| share(&values));
    if let ([run], Some(share)) = (runs, &mut balanced_accuracy)
        && let Some(interval) = run.interval
    {
        (share.low, share.high) = (interval.low, interval.high);
    }
    Compared {
        cell: runs[0].cell,
        direction: runs[0].direction,
        runs: runs.len(),
        parameters: runs[0].parameters,
        seconds: mean(&|run| run.seconds),
        epochs: mean(&|run| run.epochs as f64),
        balanced_accuracy,
        loss: losses.map(|values| values.iter().sum::<f64>() / values.len() as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_students() {
        // Mean 0.8, deviation 0.1, three values: 4.303 · 0.1 / √3.
        let found = share(&[0.7, 0.8, 0.9]);
        assert!((found.mean - 0.8).abs() < 1e-12);
        assert!(
            (found.high - found.low - 2.0 * 4.303 * 0.1 / 3f64.sqrt()).abs() < 1e-9
                || found.high == 1.0
        );
        assert_eq!(share(&[0.6]), Share { mean: 0.6, low: 0.6, high: 0.6 });
    }
}
