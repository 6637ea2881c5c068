//! A gradient: of which loss, by which method, by every parameter and every state.

use serde::{Serialize, Serializer};

use super::problem::{Parameters, Problem};

/// Which loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The loss L(t) of one step, from 1.
    At(usize),
    /// The sum of the losses of all steps.
    Sum,
}

impl Target {
    /// The losses of every step and their sum.
    pub(super) fn all(length: usize) -> Vec<Target> {
        (1..=length).map(Target::At).chain([Target::Sum]).collect()
    }

    /// Whether the loss of a step is part of it.
    pub(super) fn contains(self, t: usize) -> bool {
        match self {
            Target::At(at) => at == t,
            Target::Sum => true,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::At(t) => write!(f, "L({t})"),
            Target::Sum => f.write_str("ΣL"),
        }
    }
}

/// A step's number, or `"sum"`.
impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Target::At(t) => serializer.serialize_u64(*t as u64),
            Target::Sum => serializer.serialize_str("sum"),
        }
    }
}

/// How a gradient was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Backpropagation through time: backwards from the loss (Werbos 1990).
    Bptt,
    /// Real-time recurrent learning: forward, how each state depends on each parameter (Williams and
    /// Zipser 1989).
    Rtrl,
    /// Central differences: the whole network run again, with each number a little more and a little
    /// less.
    Differences,
}

impl Method {
    /// As people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Method::Bptt => "backpropagation through time",
            Method::Rtrl => "forward sensitivities",
            Method::Differences => "central differences",
        }
    }
}

/// The derivatives of one loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gradient {
    /// Of which loss.
    pub loss: Target,
    /// Computed how.
    pub method: Method,
    /// By each parameter, in its shape.
    pub parameters: Parameters,
    /// By each state: `states[t-1][i]` is `dL/dhᵢ(t)`, all that follows from it taken into account.
    pub states: Vec<Vec<f64>>,
}

impl Gradient {
    /// The Euclidean norm of `dL/dh(t)` at the steps 1, 2, …: how much the loss feels each state.
    #[must_use]
    pub fn state_norms(&self) -> Vec<f64> {
        let norm = |state: &Vec<f64>| state.iter().map(|v| v * v).sum::<f64>().sqrt();
        self.states.iter().map(norm).collect()
    }

    pub(super) fn zeros(problem: &Problem, loss: Target, method: Method) -> Gradient {
        let states = vec![vec![0.0; problem.hidden()]; problem.length()];
        Gradient { loss, method, parameters: problem.parameters.zeros(), states }
    }
}
