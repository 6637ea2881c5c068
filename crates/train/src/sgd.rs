//! Stochastic gradient descent with momentum.

use serde::{Deserialize, Serialize};

/// Stochastic gradient descent with momentum, in PyTorch's convention (`torch.optim.SGD`,
/// dampening 0): with gradient `g` of the mean loss of a batch,
///
/// ```text
/// g <- g + weight_decay * p
/// v <- momentum * v + g
/// p <- p - learning_rate * v                     (plain)
/// p <- p - learning_rate * (g + momentum * v)    (Nesterov)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Share of the velocity kept from step to step, 0 ..< 1.
    pub momentum: f32,
    /// Whether to look ahead along the velocity (Sutskever et al. 2013).
    pub nesterov: bool,
    /// L2 penalty added to the gradient, 0 or more; applies to every trainable parameter.
    pub weight_decay: f32,
}

impl Default for Sgd {
    /// Momentum 0.9, nothing else.
    fn default() -> Self {
        Self { momentum: 0.9, nesterov: false, weight_decay: 0.0 }
    }
}

impl Sgd {
    /// One step: updates `parameters` and `velocity` (all zeros before the first step) in place.
    ///
    /// # Panics
    /// Where the three lengths differ.
    pub fn step(
        &self,
        learning_rate: f32,
        parameters: &mut [f32],
        gradients: &[f32],
        velocity: &mut [f32],
    ) {
        assert_eq!(parameters.len(), gradients.len(), "one gradient for each parameter");
        assert_eq!(parameters.len(), velocity.len(), "one velocity for each parameter");
        let Self { momentum, weight_decay, .. } = *self;
        // Nesterov adds the gradient once more and weighs the velocity down; both are sums of the
        // same two terms, so one loop without branches serves both.
        let (of_gradient, of_velocity) = if self.nesterov { (1.0, momentum) } else { (0.0, 1.0) };
        for ((p, &g), v) in parameters.iter_mut().zip(gradients).zip(velocity) {
            let g = g + weight_decay * *p;
            *v = momentum * *v + g;
            *p -= learning_rate * (of_gradient * g + of_velocity * *v);
        }
    }
}
