//! The gradient of a loss by the bias `b`, factor by factor, as one would work it out on paper.

mod lines;

use serde::Serialize;

pub use lines::Line;

use super::forward::Step;
use super::problem::Problem;
use crate::error::Result;
use crate::matrix::{Matrix, add_scaled};

/// The factors of `∂L(t)/∂b = ∂L/∂ŷ · ∂ŷ/∂o · ∂o/∂h · ∂h/∂a · ∂a(t)/∂b`. Derivatives of a number are rows,
/// those of a vector matrices with a row a value of the vector.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Derivation {
    /// The step t of the loss.
    pub t: usize,
    /// The loss.
    pub loss: f64,
    /// `∂L/∂ŷ`, `[outputs]`.
    pub loss_by_y: Vec<f64>,
    /// `∂ŷ/∂o`, `[outputs, outputs]`.
    pub y_by_o: Matrix,
    /// `∂L/∂o`, `[outputs]`.
    pub loss_by_o: Vec<f64>,
    /// `∂o/∂h = V`, `[outputs, hidden]`.
    pub o_by_h: Matrix,
    /// The diagonals of `∂h(s)/∂a(s)` at the steps s = 1 … t, `[hidden]` each.
    pub slopes: Vec<Vec<f64>>,
    /// `∂L/∂a(t)`, `[hidden]`.
    pub loss_by_a: Vec<f64>,
    /// `∂a(t)/∂b` unrolled: term k is `W D(t−1) W D(t−2) … W D(t−k)`, what `b` did k steps earlier;
    /// `[hidden, hidden]` each, the identity first.
    pub terms: Vec<Matrix>,
    /// Their sum, `∂a(t)/∂b`.
    pub a_by_b: Matrix,
    /// `∂L/∂b`, `[hidden]`.
    pub loss_by_b: Vec<f64>,
}

impl Derivation {
    /// Works out the loss of step `t`; `steps` are those of the problem's own parameters.
    pub(super) fn of(problem: &Problem, steps: &[Step], t: usize) -> Result<Derivation> {
        let (p, last) = (&problem.parameters, &steps[t - 1]);
        let slopes = |step: &Step| {
            let places = step.a.iter().zip(&step.h);
            places.map(|(&a, &h)| problem.activation.derivative(a, h)).collect()
        };
        let slopes: Vec<Vec<f64>> = steps[..t].iter().map(slopes).collect();
        let loss_by_o = problem.output_gradient(t, &last.y)?;
        let loss_by_h = p.v.left_times(&loss_by_o);
        let loss_by_a: Vec<f64> =
            loss_by_h.iter().zip(&slopes[t - 1]).map(|(d, s)| d * s).collect();
        let mut terms = vec![Matrix::identity(problem.hidden())];
        for earlier in slopes[..t - 1].iter().rev() {
            let through = p.w.product(&Matrix::diagonal(earlier));
            let term = terms.last().expect("the identity is there").product(&through);
            terms.push(term);
        }
        let mut a_by_b = Matrix::zeros(problem.hidden(), problem.hidden());
        terms.iter().for_each(|term| add_scaled(a_by_b.values_mut(), 1.0, term.values()));
        let loss_by_b = a_by_b.left_times(&loss_by_a);
        Ok(Derivation {
            t,
            loss: last.loss,
            loss_by_y: problem.loss.gradient(&last.y),
            y_by_o: problem.output.jacobian(&last.y),
            loss_by_o,
            o_by_h: p.v.clone(),
            slopes,
            loss_by_a,
            terms,
            a_by_b,
            loss_by_b,
        })
    }

    /// The derivation line by line, each with a few words that say what it is.
    #[must_use]
    pub fn lines(&self, problem: &Problem) -> Vec<Line> {
        lines::of(self, problem)
    }
}
