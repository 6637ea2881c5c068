//! What training minimises.

use num_traits::Float;
use serde::{Deserialize, Serialize};

/// Cross-entropy between the softmax of the logits and the label, with label smoothing (Szegedy et
/// al., "Rethinking the Inception architecture", 2016, section 7): the target is
/// `(1 - label_smoothing)` on the label plus `label_smoothing / classes` on every class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossEntropy {
    /// Share of the target spread evenly over all classes, 0 ..< 1; 0 is plain cross-entropy.
    pub label_smoothing: f32,
}

impl CrossEntropy {
    /// The loss of one sample in nats; its gradient with respect to the logits, softmax minus
    /// target, is written into `gradient`.
    ///
    /// The logarithm of the sum of exponentials is taken relative to the largest logit, so no
    /// finite logits overflow. Works in `f32` and `f64`.
    ///
    /// # Panics
    /// Where `label` is not less than `logits.len()` or the lengths differ.
    pub fn value_and_gradient<T: Float>(
        &self,
        logits: &[T],
        label: usize,
        gradient: &mut [T],
    ) -> T {
        assert_eq!(logits.len(), gradient.len(), "logits and gradient differ in length");
        let classes = T::from(logits.len()).expect("a length is a number");
        let smoothing = T::from(self.label_smoothing).expect("an f32 is a number");
        let spread = smoothing / classes;

        let largest = logits.iter().copied().fold(T::neg_infinity(), T::max);
        let mut sum = T::zero();
        let mut sum_of_shifted = T::zero();
        for (exponential, &logit) in gradient.iter_mut().zip(logits) {
            let shifted = logit - largest;
            *exponential = shifted.exp();
            sum = sum + *exponential;
            sum_of_shifted = sum_of_shifted + shifted;
        }
        for value in gradient.iter_mut() {
            *value = *value / sum - spread;
        }
        gradient[label] = gradient[label] - (T::one() - smoothing);
        // -sum(target * log softmax), with log softmax = shifted - ln(sum).
        sum.ln() - (T::one() - smoothing) * (logits[label] - largest) - spread * sum_of_shifted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn huge_logits_neither_overflow_nor_lose_the_loss() {
        let mut gradient = [0.0f32; 3];
        let loss = CrossEntropy::default();
        assert_eq!(loss.value_and_gradient(&[1e30, -1e30, 0.0], 0, &mut gradient), 0.0);
        assert_eq!(gradient, [0.0, 0.0, 0.0]);
        assert_eq!(loss.value_and_gradient(&[1000.0, 0.0, 0.0], 1, &mut gradient), 1000.0);
        assert_eq!(gradient, [1.0, -1.0, 0.0]);
    }

    #[test]
    fn not_a_number_stays_not_a_number() {
        let mut gradient = [0.0f32; 2];
        let loss = CrossEntropy::default();
        assert!(loss.value_and_gradient(&[f32::NAN, 0.0], 1, &mut gradient).is_nan());
    }

    proptest! {
        #[test]
        fn the_gradient_is_that_of_finite_differences(
            mut logits in prop::collection::vec(-20.0f64..20.0, 2..12),
            label in 0usize..12,
            label_smoothing in 0.0f32..0.9,
        ) {
            let label = label % logits.len();
            let loss = CrossEntropy { label_smoothing };
            let mut gradient = vec![0.0; logits.len()];
            let mut scratch = gradient.clone();
            loss.value_and_gradient(&logits, label, &mut gradient);
            prop_assert!(gradient.iter().sum::<f64>().abs() < 1e-12);
            let step = 1e-5;
            for index in 0..logits.len() {
                let logit = logits[index];
                logits[index] = logit + step;
                let above = loss.value_and_gradient(&logits, label, &mut scratch);
                logits[index] = logit - step;
                let below = loss.value_and_gradient(&logits, label, &mut scratch);
                logits[index] = logit;
                let numerical = (above - below) / (2.0 * step);
                prop_assert!((numerical - gradient[index]).abs() < 1e-8,
                    "{numerical} against {}", gradient[index]);
            }
        }
    }
}
