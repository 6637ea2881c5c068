//! Forward sensitivities, called real-time recurrent learning: Williams and Zipser, "A learning algorithm
//! for continually running fully recurrent neural networks", Neural Computation 1 (1989).

use super::forward::Step;
use super::gradient::{Gradient, Method, Target};
use super::problem::{Parameters, Problem};
use crate::error::Result;
use crate::matrix::{Matrix, add_scaled};

/// The gradients of several losses in one pass forward, which carries `S(t) = ∂h(t)/∂θ` along for every
/// parameter and every earlier state θ: `S(t) = diag(f'(a(t))) (W S(t−1) + ∂a(t)/∂θ)`.
///
/// # Errors
/// [`Error::NotFinite`](crate::Error::NotFinite) where a loss has no derivative.
pub fn sensitivities(
    problem: &Problem,
    parameters: &Parameters,
    steps: &[Step],
    losses: &[Target],
) -> Result<Vec<Gradient>> {
    let columns = Columns::of(problem);
    let new = |&loss| Gradient::zeros(problem, loss, Method::Rtrl);
    let mut gradients: Vec<Gradient> = losses.iter().map(new).collect();
    let mut s = Matrix::zeros(problem.hidden(), columns.count);
    for unit in 0..problem.hidden() {
        *s.at_mut(unit, columns.h0 + unit) = 1.0;
    }
    for step in steps {
        s = next(problem, parameters, steps, step, &s, &columns);
        let wanted: Vec<usize> =
            (0..losses.len()).filter(|&i| losses[i].contains(step.t)).collect();
        if wanted.is_empty() {
            continue;
        }
        let by_o = problem.output_gradient(step.t, &step.y)?;
        let by_theta = s.left_times(&parameters.v.left_times(&by_o));
        for i in wanted {
            let gradient = &mut gradients[i];
            gradient.parameters.v.add_outer(&by_o, &step.h);
            add_scaled(&mut gradient.parameters.c, 1.0, &by_o);
            columns.add(&by_theta, gradient);
        }
    }
    Ok(gradients)
}

/// `S(t)` from `S(t−1)`.
fn next(
    problem: &Problem,
    parameters: &Parameters,
    steps: &[Step],
    step: &Step,
    s: &Matrix,
    columns: &Columns,
) -> Matrix {
    let hidden = problem.hidden();
    let before = if step.t > 1 { &steps[step.t - 2].h } else { &parameters.h0 };
    let x = &problem.inputs[step.t - 1];
    let mut next = parameters.w.product(s);
    for unit in 0..hidden {
        // ∂aᵢ(t)/∂θ where θ stands in the sum itself.
        for (j, h) in before.iter().enumerate() {
            *next.at_mut(unit, columns.w + unit * hidden + j) += h;
        }
        for (j, x) in x.iter().enumerate() {
            *next.at_mut(unit, columns.u + unit * columns.inputs + j) += x;
        }
        *next.at_mut(unit, columns.b + unit) += 1.0;
        let slope = problem.activation.derivative(step.a[unit], step.h[unit]);
        for column in 0..columns.count {
            *next.at_mut(unit, column) *= slope;
        }
        *next.at_mut(unit, columns.states + (step.t - 1) * hidden + unit) = 1.0;
    }
    next
}

/// Which column of `S` belongs to which parameter or state.
struct Columns {
    inputs: usize,
    hidden: usize,
    w: usize,
    u: usize,
    b: usize,
    h0: usize,
    states: usize,
    count: usize,
}

impl Columns {
    fn of(problem: &Problem) -> Columns {
        let (hidden, inputs) = (problem.hidden(), problem.inputs[0].len());
        let u = hidden * hidden;
        let b = u + hidden * inputs;
        let (h0, states) = (b + hidden, b + 2 * hidden);
        let count = states + hidden * problem.length();
        Columns { inputs, hidden, w: 0, u, b, h0, states, count }
    }

    fn add(&self, values: &[f64], gradient: &mut Gradient) {
        let g = &mut gradient.parameters;
        add_scaled(g.w.values_mut(), 1.0, &values[self.w..self.u]);
        add_scaled(g.u.values_mut(), 1.0, &values[self.u..self.b]);
        add_scaled(&mut g.b, 1.0, &values[self.b..self.h0]);
        add_scaled(&mut g.h0, 1.0, &values[self.h0..self.states]);
        let states = values[self.states..].chunks(self.hidden);
        for (sum, values) in gradient.states.iter_mut().zip(states) {
            add_scaled(sum, 1.0, values);
        }
    }
}
