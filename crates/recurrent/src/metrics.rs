//! How well a classifier does on classes of different sizes.

use cutaway_data::sequences::Targets;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// How often each class was taken for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// `[true class][answer]`
    pub counts: Vec<Vec<usize>>,
}

/// The first of the largest; scores that are no numbers count as smallest.
pub(crate) fn most_probable<T: PartialOrd>(scores: &[T]) -> usize {
    let is_number = |score: &T| score.partial_cmp(score).is_some();
    (0..scores.len()).fold(0, |best, k| {
        if scores[k] > scores[best] || !is_number(&scores[best]) { k } else { best }
    })
}

/// The right class of every question: a sequence, or a step that is asked about, sequence after sequence; empty
/// where numbers are asked for.
pub(crate) fn labels(targets: &Targets) -> Vec<usize> {
    match targets {
        Targets::Classes { labels, .. } => labels.clone(),
        Targets::Steps { labels, .. } => {
            labels.iter().flatten().flatten().map(|&label| usize::from(label)).collect()
        }
        Targets::Numbers(_) => Vec::new(),
    }
}

/// An estimate with an interval around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Confusion {
    /// Counts the answers.
    ///
    /// # Panics
    /// Where there are more labels than answers or the other way round, or one of them is no class.
    #[must_use]
    pub fn new(labels: &[usize], answers: &[usize], classes: usize) -> Self {
        assert_eq!(labels.len(), answers.len(), "as many answers as labels");
        let mut counts = vec![vec![0; classes]; classes];
        labels.iter().zip(answers).for_each(|(&label, &answer)| counts[label][answer] += 1);
        Self { counts }
    }

    /// Share of right answers, 0 to 1; not a number where there are none at all.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let right: usize = self.counts.iter().enumerate().map(|(class, row)| row[class]).sum();
        let all: usize = self.counts.iter().flatten().sum();
        right as f64 / all as f64
    }

    /// Share of right answers in each class; none where a class does not occur.
    #[must_use]
    pub fn recall(&self) -> Vec<Option<f64>> {
        let of = |(class, row): (usize, &Vec<usize>)| {
            let all: usize = row.iter().sum();
            (all > 0).then(|| row[class] as f64 / all as f64)
        };
        self.counts.iter().enumerate().map(of).collect()
    }

    /// The mean of the recalls of the classes that occur, 0 to 1: chance is 1 / classes, whatever their sizes (Brodersen
    /// et al. 2010).
    #[must_use]
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls: Vec<f64> = self.recall().into_iter().flatten().collect();
        recalls.iter().sum::<f64>() / recalls.len() as f64
    }

    /// An interval of `level`, such as 0.95, for the balanced accuracy: quantiles of `resamples` bootstrap samples of the
    /// test set, drawn within each class (Efron and Tibshirani 1993, section 13.3). It speaks of the choice of test
    /// sequences, not of what another training would give.
    #[must_use]
    pub fn balanced_accuracy_interval(&self, level: f64, resamples: usize, seed: u64) -> Interval {
        let mut random = Pcg64::seed_from_u64(seed);
        // Recall is all that counts, so that right and wrong are drawn rather than answers.
        let rows: Vec<(usize, f64)> = self
            .recall()
            .into_iter()
            .zip(&self.counts)
            .filter_map(|(recall, row)| Some((row.iter().sum(), recall?)))
            .collect();
        let mut draw = |&(all, recall): &(usize, f64)| {
            let right = (0..all).filter(|_| uniform(&mut random) < recall).count();
            right as f64 / all as f64
        };
        let mut means: Vec<f64> = (0..resamples.max(1))
            .map(|_| rows.iter().map(&mut draw).sum::<f64>() / rows.len() as f64)
            .collect();
        means.sort_by(f64::total_cmp);
        let quantile = |q: f64| means[((q * means.len() as f64) as usize).min(means.len() - 1)];
        Interval { low: quantile(0.5 - 0.5 * level), high: quantile(0.5 + 0.5 * level) }
    }
}

/// Uniform in [0, 1), in steps of 2⁻⁵³.
fn uniform(random: &mut Pcg64) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_class_does_not_hide_the_small_one() {
        let labels = [vec![0; 90], vec![1; 10]].concat();
        let majority = Confusion::new(&labels, &[0; 100], 2);
        assert_eq!((majority.accuracy(), majority.balanced_accuracy()), (0.9, 0.5));
        assert_eq!(majority.recall(), [Some(1.0), Some(0.0)]);
    }

    #[test]
    fn a_class_that_does_not_occur_does_not_count() {
        let confusion = Confusion::new(&[0, 0, 2, 2], &[0, 1, 2, 2], 3);
        assert_eq!(confusion.counts, [[1, 1, 0], [0, 0, 0], [0, 0, 2]]);
        assert_eq!(confusion.recall(), [Some(0.5), None, Some(1.0)]);
        assert_eq!(confusion.balanced_accuracy(), 0.75);
    }

    #[test]
    fn the_interval_is_that_of_the_normal_approximation_for_many_answers() {
        let of = |right: usize, wrong: usize| [vec![true; right], vec![false; wrong]].concat();
        let labels = [vec![0; 800], vec![1; 400]].concat();
        let answers: Vec<usize> = [of(600, 200), of(380, 20)]
            .concat()
            .iter()
            .zip(&labels)
            .map(|(&right, &label)| if right { label } else { 1 - label })
            .collect();
        let interval =
            Confusion::new(&labels, &answers, 2).balanced_accuracy_interval(0.95, 4000, 1);
        let error = 0.5 * (0.75 * 0.25 / 800.0 + 0.95 * 0.05 / 400.0_f64).sqrt();
        assert!((interval.low - (0.85 - 1.96 * error)).abs() < 0.002, "{interval:?}");
        assert!((interval.high - (0.85 + 1.96 * error)).abs() < 0.002, "{interval:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let confusion = Confusion::new(&[0, 0, 1, 1, 1], &[0, 1, 1, 1, 0], 2);
        let of = |seed| confusion.balanced_accuracy_interval(0.9, 500, seed);
        assert_eq!(of(3), of(3));
        let all_right = Confusion::new(&[0, 1], &[0, 1], 2);
        let interval = all_right.balanced_accuracy_interval(0.95, 100, 0);
        assert_eq!((interval.low, interval.high), (1.0, 1.0));
    }
}
