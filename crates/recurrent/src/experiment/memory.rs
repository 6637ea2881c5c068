//! How states and gradients flow through a trained network: the measurements of [`crate::flow`] on the sequences it is
//! tested on.

use cutaway_data::sequences::{Inputs, Sequences, Targets};
use serde::Serialize;

use super::loss::{by_answer, by_class};
use crate::Matrix;
use crate::cells::Weights;
use crate::error::Result;
use crate::flow::{
    Curve, Gates, GradientFlow, HalfLife, HalfLifeOptions, Jacobians, Kick, Lyapunov,
    LyapunovOptions, Method, Spectrum, Trajectory, Underflow, across, distances, gates, gradients,
    half_life, jacobians, lyapunov, spectrum, underflow,
};
use crate::network::{Network, Readout};

/// Steps of the sequence that Jacobians, exponents and half-lives are measured on, at most.
const STEPS: usize = 400;
/// Distances at which singular values are computed.
const POINTS: usize = 14;
/// Random directions of a disturbance.
const DIRECTIONS: usize = 8;
/// Places at which the state is disturbed.
const PLACES: usize = 4;

/// How states and gradients flow through the layer of a network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Memory {
    /// `‖∂L/∂h‖` over the sequences.
    pub states: Curve,
    /// `‖∂L/∂c‖`; none but in an LSTM.
    pub memories: Option<Curve>,
    /// The gradient by the memory that went straight along it, and the rest; none in a vanilla cell.
    pub paths: Option<[Curve; 2]>,
    /// Powers of ten that `‖∂L/∂h‖` changes a step back, over the first half of the distances; none where it is 0 throughout.
    pub decay: Option<f64>,
    /// Along one sequence, at most 400 steps of it: `∂h(T)/∂h(t)`, in an LSTM of `h` and `c`.
    pub jacobians: Jacobians,
    /// Of the recurrent weights.
    pub spectrum: Spectrum,
    /// Along the same sequence.
    pub lyapunov: Lyapunov,
    /// Of a disturbed state, along the same sequence.
    pub half_life: HalfLife,
    /// Over all sequences.
    pub gates: Gates,
    /// The gradient in single precision, along the longest sequence.
    pub underflow: Underflow,
}

/// Measures a network of one layer that reads one way. None for another.
///
/// # Errors
/// [`Error::NotFinite`](crate::Error::NotFinite) where weights or states are not finite,
/// [`Error::TooLarge`](crate::Error::TooLarge) where it takes too much memory.
pub fn memory(network: &Network, probes: &Sequences) -> Result<Option<Memory>> {
    let a = network.architecture();
    let longest = (0..probes.len()).max_by_key(|&i| (probes.length(i), i));
    let (1, 1, Some(longest)) = (a.layers, a.directions(), longest) else { return Ok(None) };
    if probes.length(longest) < 8 {
        return Ok(None);
    }
    let weights = weights(network);
    let inputs: Vec<Vec<Vec<f64>>> =
        (0..probes.len()).map(|i| inputs(network, probes, i)).collect();
    let all: Vec<Trajectory<'_>> =
        inputs.iter().map(|x| Trajectory::new(a.cell, &weights, x)).collect::<Result<_>>()?;
    let seeds: Vec<Vec<Vec<f64>>> =
        all.iter().enumerate().map(|(i, t)| seeds(network, t, &probes.targets, i)).collect();
    let flows: Vec<GradientFlow> =
        all.iter().zip(&seeds).map(|(t, s)| gradients(t, s)).collect::<Result<_>>()?;
    let states = curve(&flows, |f| Some(&f.states))?.expect("every cell has states");
    let middle = states.mean.len() / 2;
    let along = curve(&flows, |f| f.paths.as_ref().map(|p| &p.along_memory))?;
    let through = curve(&flows, |f| f.paths.as_ref().map(|p| &p.through_weights))?;
    // One sequence for what is computed along one: the end of it, where the decision is.
    let of_one = &inputs[typical(probes)];
    let one = &of_one[of_one.len().saturating_sub(STEPS)..];
    let one = Trajectory::new(a.cell, &weights, one)?;
    Ok(Some(Memory {
        decay: states.decay(0, middle.max(2)),
        states,
        memories: curve(&flows, |f| f.memories.as_ref())?,
        paths: along.zip(through).map(|(a, b)| [a, b]),
        jacobians: jacobians(&one, &distances(one.len(), POINTS))?,
        spectrum: spectrum(a.cell, &weights)?,
        lyapunov: lyapunov(&one, &exponents(one.len()))?,
        half_life: half_life(&one, &disturbances(one.len()))?,
        gates: gates(&all)?,
        underflow: underflow(&all[longest], &seeds[longest])?,
    }))
}

fn curve(
    flows: &[GradientFlow],
    of: impl Fn(&GradientFlow) -> Option<&Vec<f64>>,
) -> Result<Option<Curve>> {
    let curves: Option<Vec<&[f64]>> = flows.iter().map(|f| of(f).map(Vec::as_slice)).collect();
    curves.map(|curves| across(&curves)).transpose()
}

/// The sequence whose length is the median.
fn typical(probes: &Sequences) -> usize {
    let mut order: Vec<usize> = (0..probes.len()).collect();
    order.sort_by_key(|&i| (probes.length(i), i));
    order[order.len() / 2]
}

fn exponents(steps: usize) -> LyapunovOptions {
    LyapunovOptions { warm_up: (steps / 4).min(20), ..LyapunovOptions::default() }
}

fn disturbances(steps: usize) -> HalfLifeOptions {
    // In the first half, so that there is time to forget.
    let mut at: Vec<usize> = (0..PLACES).map(|k| 1 + k * steps / (2 * PLACES)).collect();
    at.dedup();
    let method = Method::Derivative;
    HalfLifeOptions { kick: Kick::State, method, at, directions: DIRECTIONS, seed: 1 }
}

/// The layer's weights in double precision.
pub(crate) fn weights(network: &Network) -> Weights {
    let p = network.layer(0, 0);
    let matrix = |values: &[f32], columns: usize| {
        let rows = values.chunks_exact(columns).map(wide).collect::<Vec<_>>();
        Matrix::from_rows(&rows).expect("rows of one length")
    };
    Weights {
        weight_ih: matrix(&p.weight_ih, p.inputs),
        weight_hh: matrix(&p.weight_hh, p.hidden),
        bias_ih: wide(&p.bias_ih),
        bias_hh: wide(&p.bias_hh),
    }
}

/// What the layer reads of a sequence, in the order in which it reads.
fn inputs(network: &Network, data: &Sequences, i: usize) -> Vec<Vec<f64>> {
    let mut read: Vec<Vec<f64>> = match &data.inputs {
        Inputs::Symbols { sequences, .. } => {
            let width = network.architecture().inputs();
            let row = |&s: &u8| wide(&network.embedding()[usize::from(s) * width..][..width]);
            sequences[i].iter().map(row).collect()
        }
        Inputs::Values { width, sequences } => {
            sequences[i].chunks_exact(*width).map(wide).collect()
        }
    };
    if network.architecture().is_reversed(0) {
        read.reverse();
    }
    read
}

/// The derivative of a sequence's own loss by each state as far as the readout uses it.
fn seeds(network: &Network, t: &Trajectory<'_>, targets: &Targets, i: usize) -> Vec<Vec<f64>> {
    let (steps, n) = (t.len(), t.hidden());
    let head = Head::of(network);
    let mut seeds = vec![vec![0.0; n]; steps];
    let last = &t.steps[steps - 1].h;
    match network.architecture().readout {
        Readout::Last => seeds[steps - 1] = head.back(last, |y| by_answer(y, targets, i)),
        Readout::Mean => {
            let sum = |j: usize| t.steps.iter().map(|s| s.h[j]).sum::<f64>() / steps as f64;
            let by = head.back(&(0..n).map(sum).collect::<Vec<_>>(), |y| by_answer(y, targets, i));
            let share: Vec<f64> = by.iter().map(|b| b / steps as f64).collect();
            seeds.fill(share);
        }
        Readout::Max => {
            let first = |j: usize| {
                (0..steps).fold(0, |b, s| if t.steps[s].h[j] > t.steps[b].h[j] { s } else { b })
            };
            let places: Vec<usize> = (0..n).map(first).collect();
            let most: Vec<f64> = places.iter().enumerate().map(|(j, &s)| t.steps[s].h[j]).collect();
            let by = head.back(&most, |y| by_answer(y, targets, i));
            places.iter().enumerate().for_each(|(j, &s)| seeds[s][j] = by[j]);
        }
        Readout::EveryStep => {
            let Targets::Steps { labels, .. } = targets else { return seeds };
            let asked = labels[i].iter().flatten().count() as f64;
            let reversed = network.architecture().is_reversed(0);
            for (place, label) in labels[i].iter().enumerate() {
                let step = if reversed { steps - 1 - place } else { place };
                if let Some(label) = label {
                    let by = head.back(&t.steps[step].h, |y| by_class(y, usize::from(*label)));
                    seeds[step] = by.iter().map(|b| b / asked).collect();
                }
            }
        }
    }
    seeds
}

/// The linear head in double precision.
struct Head {
    weight: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

impl Head {
    fn of(network: &Network) -> Head {
        let (weight, bias) = network.head();
        let rows = weight.chunks_exact(network.architecture().features()).map(wide);
        Head { weight: rows.collect(), bias: wide(bias) }
    }

    /// From the derivative by the answer to that by what the head reads.
    fn back(&self, features: &[f64], by: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
        let dot = |row: &Vec<f64>| row.iter().zip(features).map(|(a, b)| a * b).sum::<f64>();
        let answer: Vec<f64> =
            self.weight.iter().zip(&self.bias).map(|(row, b)| dot(row) + b).collect();
        let by = by(&answer);
        let through = |j: usize| self.weight.iter().zip(&by).map(|(row, b)| row[j] * b).sum();
        (0..features.len()).map(through).collect()
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::gradients::EpochGradients;
    use crate::network::{Direction, Initialisation, Runner, RunnerOptions};
    use cutaway_data::sequences::protein_like::ProteinLike;
    use cutaway_engine::cells::Cell;

    /// The exact gradient in double precision is the one that training sees in single precision.
    #[test]
    fn both_precisions_see_the_same_gradient() {
        let data = ProteinLike { count: 6, max_length: 100, ..ProteinLike::default() };
        let data = data.generate().unwrap();
        for cell in [Cell::Tanh, Cell::Lstm, Cell::Gru] {
            for direction in [Direction::Forward, Direction::Reverse] {
                for readout in [Readout::Last, Readout::Mean, Readout::Max] {
                    let plan = crate::experiment::Plan { hidden: 8, readout, ..Default::default() };
                    let a = plan.architecture(cell, direction, &data).unwrap();
                    let network = Network::new(a, &Initialisation::default(), 3).unwrap();
                    let exact = memory(&network, &data).unwrap().unwrap();
                    let runner = Runner::new(network, &RunnerOptions::default()).unwrap();
                    let single = EpochGradients::of(&runner, &data, 0).unwrap();
                    for (&d, log) in single.distances.iter().zip(&single.log10) {
                        let exact = exact.states.mean[d];
                        // Beyond, single precision loses digits. Nowhere the largest: no derivative at all.
                        if exact > -25.0 {
                            let apart = (log.unwrap_or(f64::NEG_INFINITY) - exact).abs();
                            assert!(apart < 1e-3, "{cell:?} {direction} {readout:?}, {d}: {apart}");
                        }
                    }
                }
            }
        }
    }
}
