//! The activation of the state and of the output, with their derivatives.

use serde::{Deserialize, Serialize};

use crate::Matrix;

/// `h = f(a)`, element by element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `tanh a`
    #[default]
    Tanh,
    /// `1 / (1 + e^−a)`
    Sigmoid,
    /// `max(0, a)`, its derivative at 0 taken to be 0
    Relu,
    /// `a`
    Identity,
}

/// `ŷ = g(o)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// `e^oᵢ / Σ e^oⱼ`
    #[default]
    Softmax,
    /// `o`
    Identity,
    /// `1 / (1 + e^−o)`, element by element
    Sigmoid,
}

impl Activation {
    /// `f(a)`.
    #[must_use]
    pub fn value(self, a: f64) -> f64 {
        match self {
            Activation::Tanh => a.tanh(),
            Activation::Sigmoid => sigmoid(a),
            Activation::Relu => a.max(0.0),
            Activation::Identity => a,
        }
    }

    /// `f'(a)`, where `h = f(a)` is known.
    #[must_use]
    pub fn derivative(self, a: f64, h: f64) -> f64 {
        match self {
            Activation::Tanh => 1.0 - h * h,
            Activation::Sigmoid => h * (1.0 - h),
            Activation::Relu => f64::from(u8::from(a > 0.0)),
            Activation::Identity => 1.0,
        }
    }
}

impl Output {
    /// `g(o)`.
    #[must_use]
    pub fn value(self, o: &[f64]) -> Vec<f64> {
        match self {
            Output::Identity => o.to_vec(),
            Output::Sigmoid => o.iter().map(|&o| sigmoid(o)).collect(),
            Output::Softmax => {
                // Without the largest no exponential overflows; the quotient is the same.
                let largest = o.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let exponentials: Vec<f64> = o.iter().map(|o| (o - largest).exp()).collect();
                let sum: f64 = exponentials.iter().sum();
                exponentials.iter().map(|e| e / sum).collect()
            }
        }
    }

    /// `∂ŷᵢ/∂oⱼ` at row i, column j, from `ŷ`.
    #[must_use]
    pub fn jacobian(self, y: &[f64]) -> Matrix {
        match self {
            Output::Identity => Matrix::identity(y.len()),
            Output::Sigmoid => {
                Matrix::diagonal(&y.iter().map(|y| y * (1.0 - y)).collect::<Vec<_>>())
            }
            Output::Softmax => {
                let mut jacobian = Matrix::diagonal(y);
                let negative: Vec<f64> = y.iter().map(|y| -y).collect();
                jacobian.add_outer(&negative, y);
                jacobian
            }
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
