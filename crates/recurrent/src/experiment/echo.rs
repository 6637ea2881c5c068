//! The gradient through an echo state network: nothing there is trained by it, but it says what the answer feels.

use cutaway_data::sequences::{Inputs, Sequences, Targets};
use cutaway_engine::reservoir::{Activation, Input, Reading, Sparse};
use rayon::prelude::*;

use super::gradients::{EpochGradients, GradientNorms, distances};
use super::loss::by_answer;
use crate::error::{Error, Result};
use crate::flow::{Curve, across};
use crate::reservoir::{EchoStateNetwork, States};

/// `‖∂L/∂h‖` by distance from the last step read, with `L` the cross-entropy of the softmax of the readout's values (where
/// numbers are said, the squared error), as for the other networks: in `f64`, norms carried as logarithms. None of a network
/// that answers at every step.
///
/// # Errors
/// [`Error::Sequences`] where the sequences are not what the network reads.
pub fn echo_gradients(network: &EchoStateNetwork, probes: &Sequences) -> Result<Option<Curve>> {
    if matches!(probes.targets, Targets::Steps { .. }) || probes.is_empty() {
        return Ok(None);
    }
    let values = network.values(probes)?;
    let outputs = network.readout().bias.len();
    let transposed = transpose(&network.reservoir().weights().recurrent);
    let curves: Vec<Vec<f64>> = (0..probes.len())
        .into_par_iter()
        .map(|i| {
            let by = by_answer(&values[i * outputs..(i + 1) * outputs], &probes.targets, i);
            curve(network, probes, i, &by, &transposed)
        })
        .collect::<Result<_>>()?;
    across(&curves.iter().map(Vec::as_slice).collect::<Vec<_>>()).map(Some)
}

/// The curve at as many distances as the other networks' norms have.
pub(super) fn echo_norms(curve: Option<&Curve>, probes: usize) -> GradientNorms {
    let Some(curve) = curve else {
        return GradientNorms { probes: 0, epochs: Vec::new() };
    };
    let distances = distances(curve.mean.len());
    let found = EpochGradients {
        epoch: 0,
        counts: distances.iter().map(|&d| curve.count[d]).collect(),
        log10: distances.iter().map(|&d| Some(curve.mean[d]).filter(|m| m.is_finite())).collect(),
        zeros: distances.iter().map(|&d| curve.zeros[d]).collect(),
        distances,
    };
    GradientNorms { probes, epochs: vec![found] }
}

/// `log10 ‖∂L/∂h(T−d)‖`, −∞ for 0.
fn curve(
    network: &EchoStateNetwork,
    probes: &Sequences,
    i: usize,
    by_values: &[f64],
    transposed: &[Vec<(usize, f64)>],
) -> Result<Vec<f64>> {
    let reservoir = network.reservoir();
    let (units, leak) = (reservoir.units(), reservoir.weights().leak);
    let reading = Reading { start: None, reversed: network.options().reversed };
    let states = states(network, probes, i, &reading)?;
    let steps = states.len() / units;
    let (last, mean) = by_features(network, by_values, units);
    let linear = reservoir.weights().activation == Activation::Linear;
    // The derivative is `scale` (a logarithm) times `by`, so that hundreds of steps cannot take it out of its range.
    let (mut by, mut scale) = (last, 0.0f64);
    let mut curve = Vec::with_capacity(steps);
    for t in (0..steps).rev() {
        let share = 10f64.powf(-scale) / steps as f64;
        if share.is_finite() {
            by.iter_mut().zip(&mean).for_each(|(b, m)| *b += m * share);
        }
        let norm = by.iter().map(|b| b * b).sum::<f64>().sqrt();
        curve.push(norm.log10() + scale);
        if norm == 0.0 {
            continue;
        }
        by.iter_mut().for_each(|b| *b /= norm);
        scale += norm.log10();
        let h = &states[t * units..(t + 1) * units];
        let zeros = vec![0.0; units];
        let before = if t == 0 { &zeros[..] } else { &states[(t - 1) * units..t * units] };
        // What the activation gave: h(t) = (1 − a) h(t−1) + a φ.
        let slope = |j: usize| {
            let phi = (h[j] - (1.0 - leak) * before[j]) / leak;
            if linear { 1.0 } else { 1.0 - phi * phi }
        };
        let driven: Vec<f64> = (0..units).map(|j| by[j] * slope(j)).collect();
        let back = |(j, column): (usize, &Vec<(usize, f64)>)| {
            let through: f64 = column.iter().map(|(row, w)| w * driven[*row]).sum();
            (1.0 - leak) * by[j] + leak * through
        };
        by = transposed.iter().enumerate().map(back).collect();
    }
    Ok(curve)
}

fn states(
    network: &EchoStateNetwork,
    probes: &Sequences,
    i: usize,
    reading: &Reading<'_, f64>,
) -> Result<Vec<f64>> {
    let states = match &probes.inputs {
        Inputs::Symbols { sequences, .. } => {
            network.reservoir().states(Input::Symbols(&[&sequences[i]]), reading)
        }
        Inputs::Values { sequences, .. } => {
            let values: Vec<f64> = sequences[i].iter().map(|&v| f64::from(v)).collect();
            network.reservoir().states(Input::Values(&[&values]), reading)
        }
    };
    let states = states.map_err(|error| Error::Sequences(error.to_string()))?;
    Ok(states.into_iter().next().expect("one sequence was asked about"))
}

/// The derivative by the last state, and by the mean of all.
fn by_features(network: &EchoStateNetwork, by: &[f64], units: usize) -> (Vec<f64>, Vec<f64>) {
    let readout = network.readout();
    let back = |feature: usize| -> f64 {
        let weights = readout.weights.chunks_exact(readout.features);
        weights.zip(by).map(|(row, b)| row[feature] * b).sum()
    };
    let features: Vec<f64> = (0..readout.features).map(back).collect();
    let zeros = vec![0.0; units];
    match network.options().states {
        States::Last => (features, zeros),
        States::Mean => (zeros, features),
        States::Both => (features[..units].to_vec(), features[units..].to_vec()),
    }
}

/// The non-zeros of each column, `(row, value)`.
fn transpose(matrix: &Sparse<f64>) -> Vec<Vec<(usize, f64)>> {
    let mut columns = vec![Vec::new(); matrix.columns()];
    for row in 0..matrix.rows() {
        for &(column, value) in matrix.row(row) {
            columns[column].push((row, value));
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Kind, Parts, Plan, Trained, run};
    use crate::network::Direction;
    use cutaway_data::sequences::protein_like::ProteinLike;
    use cutaway_data::sequences::{SplitOptions, split};
    use cutaway_engine::Isa;
    use cutaway_engine::reservoir::Reservoir;

    /// The loss as a function of the state a few steps before the end, moved a little in each unit.
    #[test]
    fn the_gradient_is_that_of_differences() {
        let made = ProteinLike { count: 40, max_length: 100, ..ProteinLike::default() };
        let made = made.generate().unwrap();
        let options = SplitOptions { validation: 0.2, test: 0.3, seed: 1 };
        let parts = Parts::of(&made, &split(&made, &options).unwrap());
        let mut plan = Plan::default();
        plan.reservoir.units = 20;
        let outcome = run(&plan, Kind::Esn, Direction::Forward, 1, &parts).unwrap();
        let Trained::Echo(network) = outcome.trained else { panic!("an echo state network") };
        let one = parts.test.select(&[0]);
        let found = echo_gradients(&network, &one).unwrap().unwrap();
        let Inputs::Symbols { sequences, .. } = &one.inputs else { panic!("symbols") };
        let reservoir = Reservoir::new(network.reservoir().weights().clone(), Isa::Scalar).unwrap();
        let states =
            reservoir.states(Input::Symbols(&[&sequences[0]]), &Reading::default()).unwrap();
        for distance in [0usize, 1, 5, 12] {
            let steps = sequences[0].len();
            let state = &states[0][(steps - 1 - distance) * 20..(steps - distance) * 20];
            let loss = |state: &[f64]| {
                let last = match distance {
                    0 => state.to_vec(),
                    _ => {
                        let rest: &[u8] = &sequences[0][steps - distance..];
                        let reading = Reading { start: Some(state), reversed: false };
                        reservoir.pooled(Input::Symbols(&[rest]), &reading).unwrap().last
                    }
                };
                let values = network.readout().apply(&last);
                let Targets::Classes { labels, .. } = &one.targets else { panic!("classes") };
                let sum: f64 = values.iter().map(|v| v.exp()).sum();
                sum.ln() - values[labels[0]]
            };
            let squares = (0..20).map(|j| {
                let moved = |by: f64| {
                    let mut state = state.to_vec();
                    state[j] += by;
                    loss(&state)
                };
                ((moved(1e-5) - moved(-1e-5)) / 2e-5).powi(2)
            });
            let expected = squares.sum::<f64>().sqrt().log10();
            assert!((found.mean[distance] - expected).abs() < 1e-4, "{distance}: {expected}");
        }
    }
}
