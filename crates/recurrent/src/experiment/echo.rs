//! The gradient through an echo state network: nothing there is trained by it, but it says what the answer feels.

use cutaway_data::sequences::{Inputs, Sequences, Targets};
use cutaway_engine::reservoir::{Activation, Input, Reading, Sparse};

use super::gradients::{EpochGradients, GradientNorms, POINTS};
use crate::error::{Error, Result};
use crate::reservoir::{EchoStateNetwork, States};

/// `‖∂L/∂h‖` by distance from the last step read, with `L` the cross-entropy of the softmax of the readout's values (where
/// numbers are said, the squared error), as for the other networks: in `f64`, norms carried as logarithms.
///
/// # Errors
/// [`Error::Sequences`] where the sequences are not what the network reads. A network that answers at every step has an
/// empty list.
pub fn echo_gradients(network: &EchoStateNetwork, probes: &Sequences) -> Result<GradientNorms> {
    if matches!(probes.targets, Targets::Steps { .. }) || probes.is_empty() {
        return Ok(GradientNorms { probes: 0, epochs: Vec::new() });
    }
    let values = network.values(probes)?;
    let outputs = network.readout().bias.len();
    let transposed = transpose(&network.reservoir().weights().recurrent);
    let curves: Vec<Vec<f64>> = (0..probes.len())
        .map(|i| {
            let by = by_values(&values[i * outputs..(i + 1) * outputs], &probes.targets, i);
            curve(network, probes, i, &by, &transposed)
        })
        .collect::<Result<_>>()?;
    let longest = curves.iter().map(Vec::len).max().unwrap_or(0);
    let distances = crate::flow::distances(longest, POINTS);
    let at = |d: usize| curves.iter().filter_map(move |curve| curve.get(d));
    let mean = |d: usize| {
        let finite: Vec<f64> = at(d).copied().filter(|v| v.is_finite()).collect();
        (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
    };
    let found = EpochGradients {
        epoch: 0,
        counts: distances.iter().map(|&d| at(d).count()).collect(),
        log10: distances.iter().map(|&d| mean(d)).collect(),
        zeros: distances.iter().map(|&d| at(d).filter(|v| !v.is_finite()).count()).collect(),
        distances,
    };
    Ok(GradientNorms { probes: probes.len(), epochs: vec![found] })
}

/// The derivative of the loss by the readout's values.
fn by_values(values: &[f64], targets: &Targets, i: usize) -> Vec<f64> {
    match targets {
        Targets::Classes { labels, .. } => {
            let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = values.iter().map(|v| (v - largest).exp()).collect();
            let sum: f64 = powers.iter().sum();
            let right = |class: usize| f64::from(u8::from(class == labels[i]));
            powers.iter().enumerate().map(|(class, p)| p / sum - right(class)).collect()
        }
        Targets::Numbers(numbers) => vec![2.0 * (values[0] - f64::from(numbers[i]))],
        Targets::Steps { .. } => unreachable!("returned before"),
    }
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
