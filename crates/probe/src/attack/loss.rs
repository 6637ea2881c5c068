//! What attacks climb: losses of the logits, large where the network errs as it is meant to.

use std::cmp::Ordering;

use serde::Serialize;

use super::victim::softmax;

/// A loss of the logits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross-entropy: −log P(label), or log P(target).
    #[default]
    CrossEntropy,
    /// Difference of logits ratio (Croce and Hein 2020, section 4): blind to the scale of the logits,
    /// so that a very sure network does not hide its gradient. Needs three classes, with a target
    /// four.
    Dlr,
}

/// What the network is to say: anything but the label, or the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    pub(crate) label: usize,
    pub(crate) target: Option<usize>,
}

impl Aim {
    /// Whether a network that says `class` is fooled.
    pub(crate) fn is_met(self, class: usize) -> bool {
        match self.target {
            Some(target) => class == target,
            None => class != self.label,
        }
    }

    /// How far the logits are from fooling: below 0 they do.
    pub(crate) fn margin(self, logits: &[f32]) -> f32 {
        match self.target {
            Some(target) => best_other(logits, target).1 - logits[target],
            None => logits[self.label] - best_other(logits, self.label).1,
        }
    }
}

impl Loss {
    /// The loss, and its derivatives into `seed`, which holds zeros.
    pub(crate) fn evaluate(self, logits: &[f32], aim: Aim, seed: &mut [f32]) -> f64 {
        match self {
            Loss::CrossEntropy => cross_entropy(logits, aim, seed),
            Loss::Dlr => dlr(logits, aim, seed),
        }
    }

    /// Classes that it needs.
    pub(crate) fn classes(self, targeted: bool) -> usize {
        match self {
            Loss::CrossEntropy => 2,
            Loss::Dlr => 3 + usize::from(targeted),
        }
    }
}

fn cross_entropy(logits: &[f32], aim: Aim, seed: &mut [f32]) -> f64 {
    let p = softmax(logits);
    let (class, direction) = match aim.target {
        Some(target) => (target, -1.0),
        None => (aim.label, 1.0),
    };
    // 1 − p as the sum of the others: where p rounds to 1 the difference would be 0, and the
    // gradient with it.
    let others: f64 = p.iter().enumerate().filter(|(i, _)| *i != class).map(|(_, p)| p).sum();
    for (i, (seed, p)) in seed.iter_mut().zip(&p).enumerate() {
        *seed = (direction * if i == class { -others } else { *p }) as f32;
    }
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|z| f64::from(z - top).exp()).sum();
    direction * (sum.ln() - f64::from(logits[class] - top))
}

fn dlr(logits: &[f32], aim: Aim, seed: &mut [f32]) -> f64 {
    let z = |i: usize| f64::from(logits[i]);
    let order = descending(logits);
    let y = aim.label;
    let (rival, low): (usize, &[usize]) = match aim.target {
        Some(target) => (target, &order[2..4]),
        None => (if order[0] == y { order[1] } else { order[0] }, &order[2..3]),
    };
    let share = 1.0 / low.len() as f64;
    let spread = z(order[0]) - share * low.iter().map(|&i| z(i)).sum::<f64>() + 1e-12;
    let loss = (z(rival) - z(y)) / spread;
    let mut add = |i: usize, value: f64| seed[i] += value as f32;
    add(rival, 1.0 / spread);
    add(y, -1.0 / spread);
    add(order[0], -loss / spread);
    low.iter().for_each(|&i| add(i, share * loss / spread));
    loss
}

/// Classes, the largest logit first; of equal ones the first.
pub(crate) fn descending(logits: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].partial_cmp(&logits[a]).unwrap_or(Ordering::Equal));
    order
}

/// The largest logit of another class than `class`.
pub(crate) fn best_other(logits: &[f32], class: usize) -> (usize, f32) {
    let others = logits.iter().copied().enumerate().filter(|(i, _)| *i != class);
    others.fold((class, f32::NEG_INFINITY), |best, (i, z)| if z > best.1 { (i, z) } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_finite_differences() {
        let logits = [1.5_f32, -0.3, 2.2, 0.4, 1.1];
        for loss in [Loss::CrossEntropy, Loss::Dlr] {
            for (label, target) in [(2, None), (0, None), (2, Some(1)), (4, Some(2))] {
                let aim = Aim { label, target };
                let mut seed = [0.0; 5];
                loss.evaluate(&logits, aim, &mut seed);
                for i in 0..5 {
                    let at = |by: f32| {
                        let mut moved = logits;
                        moved[i] += by;
                        loss.evaluate(&moved, aim, &mut [0.0; 5])
                    };
                    let difference = (at(0.01) - at(-0.01)) / 0.02;
                    let error = (difference - f64::from(seed[i])).abs();
                    assert!(error < 1e-3, "{loss:?} {aim:?} {i}: {difference} {}", seed[i]);
                }
            }
        }
    }

    #[test]
    fn a_network_that_is_sure_to_the_last_bit_still_has_a_gradient() {
        let mut seed = [0.0; 3];
        let aim = Aim { label: 0, target: None };
        Loss::CrossEntropy.evaluate(&[60.0, 0.0, 1.0], aim, &mut seed);
        assert!(seed[0] < 0.0 && seed[2] > seed[1], "{seed:?}");
    }
}
