//! Multinomial logistic regression, solved by L-BFGS.

use std::collections::VecDeque;

/// Differences that the solver remembers.
const MEMORY: usize = 10;
const MAX_ITERATIONS: usize = 300;
/// The gradient's largest entry, for a loss that is a mean over rows, where the solver ends.
const TOLERANCE: f64 = 1e-5;

/// Weights that were fitted.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// `[classes][features + 1]`, the intercept last.
    weights: Vec<f64>,
    classes: usize,
    pub(super) iterations: usize,
}

impl Model {
    /// The most probable class, of several the first.
    pub(super) fn answer(&self, row: &[f64]) -> usize {
        let mut logits = vec![0.0; self.classes];
        into_logits(&self.weights, row, &mut logits);
        let best = (0..self.classes).rev().max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
        best.unwrap_or(0)
    }
}

/// Fits `rows` of equal length: the minimum of the mean cross-entropy plus `‖w‖² / (2 · rows)`, intercepts free.
pub(super) fn fit(rows: &[Vec<f64>], labels: &[usize], classes: usize) -> Model {
    let size = classes * (rows[0].len() + 1);
    let objective = |weights: &[f64]| loss_and_gradient(rows, labels, classes, weights);
    let (weights, iterations) = minimise(vec![0.0; size], objective);
    Model { weights, classes, iterations }
}

fn into_logits(weights: &[f64], row: &[f64], logits: &mut [f64]) {
    for (logit, weights) in logits.iter_mut().zip(weights.chunks_exact(row.len() + 1)) {
        *logit = dot(&weights[..row.len()], row) + weights[row.len()];
    }
}

fn loss_and_gradient(
    rows: &[Vec<f64>],
    labels: &[usize],
    classes: usize,
    weights: &[f64],
) -> (f64, Vec<f64>) {
    let features = rows[0].len();
    let share = 1.0 / rows.len() as f64;
    let (mut loss, mut gradient) = (0.0, vec![0.0; weights.len()]);
    let mut logits = vec![0.0; classes];
    for (row, &label) in rows.iter().zip(labels) {
        into_logits(weights, row, &mut logits);
        let largest = logits.iter().copied().fold(f64::MIN, f64::max);
        let total: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        loss += share * (largest + total.ln() - logits[label]);
        for (class, gradient) in gradient.chunks_exact_mut(features + 1).enumerate() {
            let probability = (logits[class] - largest).exp() / total;
            let error = share * (probability - f64::from(u8::from(class == label)));
            gradient[..features].iter_mut().zip(row).for_each(|(g, x)| *g += error * x);
            gradient[features] += error;
        }
    }
    let chunks = gradient.chunks_exact_mut(features + 1).zip(weights.chunks_exact(features + 1));
    for (gradient, weights) in chunks {
        for (g, w) in gradient[..features].iter_mut().zip(weights) {
            loss += 0.5 * share * w * w;
            *g += share * w;
        }
    }
    (loss, gradient)
}

/// L-BFGS with steps halved until the loss falls enough (Armijo). The functions here are convex.
fn minimise(mut at: Vec<f64>, objective: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> (Vec<f64>, usize) {
    let (mut loss, mut gradient) = objective(&at);
    // Steps with the changes of the gradient along them, oldest first.
    let mut past: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
    for iteration in 0..MAX_ITERATIONS {
        if gradient.iter().all(|g| g.abs() < TOLERANCE) {
            return (at, iteration);
        }
        let direction = direction(&gradient, &past);
        let slope = dot(&direction, &gradient);
        let mut rate = if past.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt() } else { 1.0 };
        let (next, next_loss, next_gradient) = loop {
            let next: Vec<f64> = at.iter().zip(&direction).map(|(x, d)| x + rate * d).collect();
            let (next_loss, next_gradient) = objective(&next);
            if next_loss <= loss + 1e-4 * rate * slope {
                break (next, next_loss, next_gradient);
            }
            rate *= 0.5;
            if rate < 1e-12 {
                // Nothing below: as near as `f64` goes.
                return (at, iteration);
            }
        };
        let step = minus(&next, &at);
        let change = minus(&next_gradient, &gradient);
        if dot(&step, &change) > 0.0 {
            past.push_back((step, change));
            if past.len() > MEMORY {
                past.pop_front();
            }
        }
        (at, loss, gradient) = (next, next_loss, next_gradient);
    }
    (at, MAX_ITERATIONS)
}

/// The two-loop recursion (Nocedal and Wright 2006, algorithm 7.4).
fn direction(gradient: &[f64], past: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut factors = Vec::with_capacity(past.len());
    for (step, change) in past.iter().rev() {
        let factor = dot(step, &direction) / dot(step, change);
        direction.iter_mut().zip(change).for_each(|(d, y)| *d -= factor * y);
        factors.push(factor);
    }
    if let Some((step, change)) = past.back() {
        let scale = dot(step, change) / dot(change, change);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for ((step, change), factor) in past.iter().zip(factors.into_iter().rev()) {
        let back = dot(change, &direction) / dot(step, change);
        direction.iter_mut().zip(step).for_each(|(d, s)| *d += (factor - back) * s);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(x, y)| x - y).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three classes on a line of points, with a feature that tells nothing.
    fn points() -> (Vec<Vec<f64>>, Vec<usize>) {
        let point = |i: usize| vec![(i as f64) / 10.0 - 3.0, ((i * 7) % 5) as f64 - 2.0];
        let label = |i: usize| (i + (i * 13) % 11) * 3 / 71;
        ((0..60).map(point).collect(), (0..60).map(label).collect())
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let (rows, labels) = points();
        let weights: Vec<f64> = (0..9).map(|i| (f64::from(i) * 1.7).sin()).collect();
        let (_, gradient) = loss_and_gradient(&rows, &labels, 3, &weights);
        for i in 0..9 {
            let at = |step: f64| {
                let mut moved = weights.clone();
                moved[i] += step;
                loss_and_gradient(&rows, &labels, 3, &moved).0
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((gradient[i] - difference).abs() < 1e-8, "{i}: {} {difference}", gradient[i]);
        }
    }

    #[test]
    fn the_solver_ends_where_the_gradient_vanishes() {
        let (rows, labels) = points();
        let model = fit(&rows, &labels, 3);
        let (_, gradient) = loss_and_gradient(&rows, &labels, 3, &model.weights);
        assert!(gradient.iter().all(|g| g.abs() < TOLERANCE), "{gradient:?}");
        assert!(model.iterations < 100);
        let right = rows.iter().zip(&labels).filter(|&(row, &l)| model.answer(row) == l).count();
        assert!(right >= 48, "{right}");
    }

    #[test]
    fn what_can_be_told_apart_perfectly_has_finite_weights() {
        let rows: Vec<Vec<f64>> = (0..20).map(|i| vec![if i < 10 { -1.0 } else { 1.0 }]).collect();
        let labels: Vec<usize> = (0..20).map(|i| usize::from(i >= 10)).collect();
        let model = fit(&rows, &labels, 2);
        // By hand: with weights ∓w the loss is ln(1 + e^−2w) + w²/20, whose minimum is where 2 / (1 + e^2w) = w / 10.
        let w = model.weights[2];
        assert!((2.0 / (1.0 + (2.0 * w).exp()) - w / 10.0).abs() < 1e-4, "{w}");
    }
}
