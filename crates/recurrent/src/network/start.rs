//! The values before training.

use cutaway_engine::cells::Cell;
use serde::{Deserialize, Serialize};

use super::network::{EMBEDDING, Network};
use crate::error::{Error, Result};
use crate::random::{Purpose, Random};

/// How parameters are drawn. What is not said here is PyTorch's default: the embedding normal with deviation 1,
/// recurrent layers uniform in ±1/√hidden, the head uniform in ±1/√features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Initialisation {
    /// The recurrent matrices.
    pub recurrent: Recurrent,
    /// The bias of an LSTM's forget gate (Jozefowicz, Zaremba and Sutskever 2015: 1); `None` leaves it as drawn.
    pub forget_bias: Option<f32>,
}

impl Default for Initialisation {
    /// `Recurrent::Usual`, and 1 for the forget gate.
    fn default() -> Self {
        Initialisation { recurrent: Recurrent::Usual, forget_bias: Some(1.0) }
    }
}

/// How recurrent matrices are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recurrent {
    /// The identity for a ReLU cell, uniform for the others.
    Usual,
    /// Uniform in ±1/√hidden, as PyTorch does.
    Uniform,
    /// A random orthogonal matrix for each gate (Saxe, McClelland and Ganguli 2014).
    Orthogonal,
    /// The identity for each gate, biases zero and input weights normal with deviation 0.001
    /// (Le, Jaitly and Hinton 2015, for ReLU cells).
    Identity,
}

pub(crate) fn initialise(network: &mut Network, how: &Initialisation, seed: u64) -> Result<()> {
    if how.forget_bias.is_some_and(|bias| !bias.is_finite()) {
        return Err(Error::Setting("the forget gate's bias must be a finite number".to_owned()));
    }
    let a = network.architecture().clone();
    let recurrent = match (how.recurrent, a.cell) {
        (Recurrent::Usual, Cell::Relu) => Recurrent::Identity,
        (Recurrent::Usual, _) => Recurrent::Uniform,
        (other, _) => other,
    };
    let n = a.hidden;
    for (index, part) in network.parts().to_vec().iter().enumerate() {
        let mut random = Random::new(seed, Purpose::Start, index as u64);
        let values = &mut network.values_mut()[part.range.clone()];
        let (name, of) = (part.name.as_str(), |what: &str| part.name.starts_with(what));
        if name == EMBEDDING {
            values.iter_mut().for_each(|v| *v = random.normal());
        } else if of("head.") {
            uniform(values, a.features(), &mut random);
        } else if of("rnn.weight_hh") && recurrent == Recurrent::Orthogonal {
            values.chunks_exact_mut(n * n).for_each(|gate| orthogonal(gate, n, &mut random));
        } else if of("rnn.weight_hh") && recurrent == Recurrent::Identity {
            values
                .iter_mut()
                .enumerate()
                .for_each(|(i, v)| *v = f32::from(u8::from(i / n % n == i % n)));
        } else if of("rnn.weight_ih") && recurrent == Recurrent::Identity {
            values.iter_mut().for_each(|v| *v = 0.001 * random.normal());
        } else if of("rnn.weight") || recurrent != Recurrent::Identity {
            uniform(values, n, &mut random);
        }
        if let (Some(bias), Cell::Lstm, true) = (how.forget_bias, a.cell, of("rnn.bias")) {
            // Both biases are added: one carries it all.
            values[n..2 * n].fill(if of("rnn.bias_ih") { bias } else { 0.0 });
        }
    }
    Ok(())
}

fn uniform(values: &mut [f32], size: usize, random: &mut Random) {
    let bound = 1.0 / (size as f32).sqrt();
    values.iter_mut().for_each(|v| *v = bound * random.symmetric());
}

/// A random orthogonal matrix: normal numbers, row after row made orthogonal to those before (Gram and Schmidt,
/// twice, which is enough to rounding).
fn orthogonal(out: &mut [f32], n: usize, random: &mut Random) {
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(n);
    while rows.len() < n {
        let mut row: Vec<f64> = (0..n).map(|_| f64::from(random.normal())).collect();
        for _ in 0..2 {
            for earlier in &rows {
                let dot: f64 = row.iter().zip(earlier).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(earlier).for_each(|(a, b)| *a -= dot * b);
            }
        }
        let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 1e-6 {
            rows.push(row.iter().map(|x| x / norm).collect());
        }
    }
    out.iter_mut().zip(rows.iter().flatten()).for_each(|(o, &x)| *o = x as f32);
}
