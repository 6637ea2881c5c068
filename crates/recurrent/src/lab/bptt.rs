//! Backpropagation through time: Werbos, "Backpropagation through time: what it does and how to do it",
//! Proceedings of the IEEE 78 (1990).

use super::forward::Step;
use super::gradient::{Gradient, Method, Target};
use super::problem::{Parameters, Problem};
use crate::error::Result;
use crate::matrix::add_scaled;

/// The gradient of a loss, backwards from it: from step t to step t−1 through
/// `∂h(t)/∂h(t−1) = diag(f'(a(t))) W`.
///
/// `steps` is what [`forward`](super::forward()) gave for the same `parameters`.
///
/// # Errors
/// [`Error::NotFinite`](crate::Error::NotFinite) where the loss has no derivative.
pub fn backpropagation(
    problem: &Problem,
    parameters: &Parameters,
    steps: &[Step],
    loss: Target,
) -> Result<Gradient> {
    let mut gradient = Gradient::zeros(problem, loss, Method::Bptt);
    let g = &mut gradient.parameters;
    // dL/dh(t), as far as it comes from later steps.
    let mut from_later = vec![0.0; problem.hidden()];
    for step in steps.iter().rev() {
        let t = step.t;
        let mut by_state = std::mem::take(&mut from_later);
        if loss.contains(t) {
            let by_o = problem.output_gradient(t, &step.y)?;
            g.v.add_outer(&by_o, &step.h);
            add_scaled(&mut g.c, 1.0, &by_o);
            add_scaled(&mut by_state, 1.0, &parameters.v.left_times(&by_o));
        }
        let slopes = step.a.iter().zip(&step.h).map(|(&a, &h)| problem.activation.derivative(a, h));
        let by_a: Vec<f64> = by_state.iter().zip(slopes).map(|(d, slope)| d * slope).collect();
        let before = if t > 1 { &steps[t - 2].h } else { &parameters.h0 };
        g.w.add_outer(&by_a, before);
        g.u.add_outer(&by_a, &problem.inputs[t - 1]);
        add_scaled(&mut g.b, 1.0, &by_a);
        from_later = parameters.w.left_times(&by_a);
        gradient.states[t - 1] = by_state;
    }
    g.h0 = from_later;
    Ok(gradient)
}
