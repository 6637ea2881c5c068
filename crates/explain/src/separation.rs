//! How well a number tells two groups apart.

/// Area under the ROC curve: the probability that a value of `a` is larger than one of `b`, ties
/// counted half (Mann & Whitney 1947; Hanley & McNeil 1982). 1 and 0 are perfect separations, 0.5
/// is none; `None` where a group is empty.
pub fn auc(a: &[f32], b: &[f32]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let mut all: Vec<(f32, bool)> = a.iter().map(|&v| (v, true)).collect();
    all.extend(b.iter().map(|&v| (v, false)));
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut below, mut wins) = (0usize, 0.0f64);
    // Runs of equal values count as one place. Zeros of either sign are equal.
    for run in all.chunk_by(|x, y| x.0 == y.0) {
        let of_a = run.iter().filter(|v| v.1).count();
        let of_b = run.len() - of_a;
        wins += of_a as f64 * (below as f64 + 0.5 * of_b as f64);
        below += of_b;
    }
    Some(wins / (a.len() as f64 * b.len() as f64))
}

/// Cohen's d: the difference of the means over the pooled standard deviation (Cohen 1988, chapter
/// 2). Positive where `a` is larger. `None` where a group has fewer than two values or there is no
/// spread to measure by.
pub fn cohens_d(a: &[f32], b: &[f32]) -> Option<f64> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let ((mean_a, squares_a), (mean_b, squares_b)) = (moments(a), moments(b));
    let pooled = ((squares_a + squares_b) / (a.len() + b.len() - 2) as f64).sqrt();
    (pooled > 0.0).then(|| (mean_a - mean_b) / pooled)
}

/// Mean, and sum of squared distances from it.
fn moments(values: &[f32]) -> (f64, f64) {
    let mean = mean(values);
    (mean, values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum())
}

pub(crate) fn mean(values: &[f32]) -> f64 {
    values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Counts all pairs: the definition.
    fn pairs(a: &[f32], b: &[f32]) -> f64 {
        let mut sum = 0.0;
        for x in a {
            for y in b {
                sum += if x > y {
                    1.0
                } else if x == y {
                    0.5
                } else {
                    0.0
                };
            }
        }
        sum / (a.len() * b.len()) as f64
    }

    proptest! {
        #[test]
        fn the_auc_is_the_share_of_pairs_in_order(
            a in prop::collection::vec(-3i8..3, 1..40),
            b in prop::collection::vec(-3i8..3, 1..40),
        ) {
            let widen = |v: Vec<i8>| v.into_iter().map(|v| f32::from(v) * 0.5).collect::<Vec<_>>();
            let (a, b) = (widen(a), widen(b));
            let (found, wanted) = (auc(&a, &b).unwrap(), pairs(&a, &b));
            prop_assert!((found - wanted).abs() < 1e-12);
            prop_assert!((auc(&b, &a).unwrap() + found - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn cohens_d_of_a_worked_example() {
        // Means 4 and 2, both of variance 2.5 (n − 1): d = 2 / √2.5.
        let (a, b) = ([2.0, 3.0, 4.0, 5.0, 6.0], [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert!((cohens_d(&a, &b).unwrap() - 2.0 / 2.5f64.sqrt()).abs() < 1e-12);
        assert!((cohens_d(&b, &a).unwrap() + 2.0 / 2.5f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn groups_without_spread_or_values_have_no_answer() {
        assert_eq!(cohens_d(&[1.0, 1.0], &[0.0, 0.0]), None);
        assert_eq!(cohens_d(&[1.0], &[0.0, 2.0]), None);
        assert_eq!(auc(&[], &[1.0]), None);
        assert_eq!(auc(&[-0.0, 1.0], &[0.0]), Some(0.75));
    }
}
