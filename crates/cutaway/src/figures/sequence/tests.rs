//! Every figure from networks that are really measured. With `CUTAWAY_FIGURES` set to a folder they are written
//! there, to be looked at.

use cutaway::engine::cells::Cell;
use cutaway::recurrent::Matrix;
use cutaway::recurrent::cells::Weights;
use cutaway::recurrent::cells::reference::{Start, backward};
use cutaway::recurrent::experiment::{EpochGradients, GradientNorms};
use cutaway::recurrent::flow::*;
use cutaway::report::Figure;

use super::runs::{Compared, Share};
use super::{Named, flow, residues, runs};

/// A small generator for weights and symbols.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn matrix(&mut self, rows: usize, columns: usize, scale: f64) -> Matrix {
        let mut out = Matrix::zeros(rows, columns);
        let normal = |noise: &mut Noise| (0..12).map(|_| noise.uniform()).sum::<f64>() - 6.0;
        out.values_mut().iter_mut().for_each(|v| *v = scale * normal(self));
        out
    }

    fn symbols(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (20.0 * self.uniform()) as u8).collect()
    }
}

const HIDDEN: usize = 16;
const INPUTS: usize = 6;
const LETTERS: &str = "ACDEFGHIKLMNPQRSTVWY";

/// A network whose gates are open enough to remember.
struct Example {
    name: &'static str,
    cell: Cell,
    weights: Weights,
    embedding: Matrix,
    readout: Vec<f64>,
}

impl Example {
    fn new(name: &'static str, cell: Cell, gain: f64) -> Example {
        let mut noise = Noise(cell.gates() as u64 + (gain * 100.0) as u64);
        let rows = cell.gates() * HIDDEN;
        let mut bias_ih = vec![0.0; rows];
        if cell.gates() > 1 {
            let open = |i: usize| 1.0 + 3.0 * i as f64 / HIDDEN as f64;
            (0..HIDDEN).for_each(|i| bias_ih[HIDDEN + i] = open(i));
        }
        Example {
            name,
            cell,
            weights: Weights {
                weight_ih: noise.matrix(rows, INPUTS, 0.4),
                weight_hh: noise.matrix(rows, HIDDEN, gain / (HIDDEN as f64).sqrt()),
                bias_ih,
                bias_hh: vec![0.0; rows],
            },
            embedding: noise.matrix(20, INPUTS, 0.5),
            readout: noise.matrix(1, HIDDEN, 0.5).values().to_vec(),
        }
    }

    fn read(&self, symbols: &[u8]) -> Vec<Vec<f64>> {
        symbols.iter().map(|&s| self.embedding.row(usize::from(s)).to_vec()).collect()
    }
}

fn examples() -> Vec<Example> {
    vec![
        Example::new("RNN", Cell::Tanh, 0.7),
        Example::new("RNN, gain 1.6", Cell::Tanh, 1.6),
        Example::new("LSTM", Cell::Lstm, 0.7),
        Example::new("GRU", Cell::Gru, 0.7),
    ]
}

/// Fails where a text is cut off; writes the figure where a folder is given.
fn check(name: &str, figure: &Figure) {
    assert_eq!(figure.illegible(), Vec::<String>::new(), "{name}");
    assert!(!figure.alt().contains("Nothing to show"), "{name}: {}", figure.alt());
    if let Some(folder) = std::env::var_os("CUTAWAY_FIGURES") {
        crate::figures::save(std::path::Path::new(&folder), name, figure).unwrap();
    }
}

fn lengths() -> Vec<usize> {
    vec![60, 90, 120, 150, 200, 260]
}

/// `∂L/∂h`, `∂L/∂c`, and both paths over sequences of several lengths, made smaller by `factor` a step as in an
/// epoch of training that changes the recurrent weights.
fn measured(example: &Example, factor: f64) -> Vec<GradientFlow> {
    let mut weights = example.weights.clone();
    weights.weight_hh.values_mut().iter_mut().for_each(|v| *v *= factor);
    let measure = |length: usize| {
        let inputs = example.read(&Noise(length as u64).symbols(length));
        let trajectory = Trajectory::new(example.cell, &weights, &inputs).unwrap();
        gradients(&trajectory, &at_the_end(length, &example.readout)).unwrap()
    };
    lengths().into_iter().map(measure).collect()
}

fn together(flows: &[GradientFlow], of: impl Fn(&GradientFlow) -> &[f64]) -> Curve {
    across(&flows.iter().map(of).collect::<Vec<_>>()).unwrap()
}

fn named<'a, T>(examples: &'a [Example], found: &'a [T]) -> Vec<Named<'a, T>> {
    let pairs = examples.iter().zip(found).enumerate();
    pairs.map(|(place, (example, found))| (place, example.name, found)).collect()
}

#[test]
fn gradients_of_networks_and_epochs_and_paths_are_legible() {
    let examples = examples();
    let flows: Vec<Vec<GradientFlow>> = examples.iter().map(|e| measured(e, 1.0)).collect();
    let curves: Vec<Curve> = flows.iter().map(|f| together(f, |g| &g.states)).collect();
    check("gradients", &flow::gradients(&named(&examples, &curves)).unwrap());
    let epoch = |epoch: usize| {
        let flows = measured(&examples[0], 0.5 + 0.1 * epoch as f64);
        let curve = together(&flows, |g| &g.states);
        let distances: Vec<usize> = (0..curve.mean.len()).collect();
        EpochGradients {
            epoch,
            counts: curve.count.clone(),
            log10: curve.mean.iter().map(|m| m.is_finite().then_some(*m)).collect(),
            zeros: curve.zeros.clone(),
            distances,
        }
    };
    let norms = GradientNorms { probes: 1, epochs: (0..=12).map(epoch).collect() };
    check("gradients-by-epoch", &flow::gradients_by_epoch("RNN", &norms).unwrap());
    for (name, flows, place) in [("LSTM", &flows[2], "lstm"), ("GRU", &flows[3], "gru")] {
        let whole = together(flows, |g| g.memories.as_deref().unwrap_or(&g.states));
        let along = together(flows, |g| &g.paths.as_ref().unwrap().along_memory);
        let through = together(flows, |g| &g.paths.as_ref().unwrap().through_weights);
        let figure = flow::paths(name, &whole, &along, &through).unwrap();
        check(&format!("paths-{place}"), &figure);
    }
}

#[test]
fn jacobians_eigenvalues_and_exponents_are_legible() {
    let examples = examples();
    let mut exponents = Vec::new();
    for (i, example) in examples.iter().enumerate() {
        let inputs = example.read(&Noise(7).symbols(300));
        let trajectory = Trajectory::new(example.cell, &example.weights, &inputs).unwrap();
        let found = jacobians(&trajectory, &distances(300, 24)).unwrap();
        let figure = flow::singular_values(example.name, &found).unwrap();
        check(&format!("jacobian-{i}"), &figure);
        let parts = flow::blocks(example.name, &found).unwrap();
        assert_eq!(parts.is_some(), example.cell == Cell::Lstm);
        if let Some(figure) = parts {
            check("jacobian-blocks", &figure);
        }
        let found = spectrum(example.cell, &example.weights).unwrap();
        check(&format!("eigenvalues-{i}"), &flow::eigenvalues(example.name, &found).unwrap());
        exponents.push(lyapunov(&trajectory, &LyapunovOptions::default()).unwrap());
    }
    check("lyapunov", &flow::lyapunov(&named(&examples, &exponents)).unwrap());
}

#[test]
fn gates_half_lives_and_underflow_are_legible() {
    let examples = examples();
    let (mut lives, mut scales) = (Vec::new(), Vec::new());
    for (i, example) in examples.iter().enumerate() {
        let inputs = example.read(&Noise(9).symbols(250));
        let trajectory = Trajectory::new(example.cell, &example.weights, &inputs).unwrap();
        let found = gates([&trajectory]).unwrap();
        check(&format!("gates-{i}"), &flow::gates(example.name, &found).unwrap());
        scales.extend(found.time_scales.map(|scales| (i, example.name, scales)));
        let options = HalfLifeOptions {
            kick: Kick::State,
            method: Method::Derivative,
            at: vec![50, 100, 150],
            directions: 8,
            seed: 1,
        };
        lives.push(half_life(&trajectory, &options).unwrap());
        let found = underflow(&trajectory, &at_the_end(250, &example.readout)).unwrap();
        check(&format!("underflow-{i}"), &flow::underflow(example.name, &found).unwrap());
    }
    check("half-life", &flow::half_life(&named(&examples, &lives)).unwrap());
    let scales: Vec<_> =
        scales.iter().map(|(place, name, scales)| (*place, *name, scales)).collect();
    check("time-scales", &flow::time_scales(&scales).unwrap());
}

#[test]
fn residues_and_substitutions_are_legible() {
    let example = Example::new("GRU", Cell::Gru, 0.7);
    let symbols = Noise(3).symbols(230);
    let alphabet: Vec<char> = LETTERS.chars().collect();
    let letters: Vec<char> = symbols.iter().map(|&s| alphabet[usize::from(s)]).collect();
    let inputs = example.read(&symbols);
    let trajectory = Trajectory::new(example.cell, &example.weights, &inputs).unwrap();
    let start = Start::zeros(example.cell, HIDDEN);
    let seeds = at_the_end(230, &example.readout);
    let by = backward(example.cell, &example.weights, &inputs, &start, &trajectory.steps, &seeds)
        .unwrap();
    let found = attribution(&example.embedding, &symbols, &by.inputs).unwrap();
    let title = "GRU: what the decision owes to each residue";
    let regions = [(1, 24, "signal peptide"), (100, 130, "transmembrane")];
    check("residues", &residues::strip(title, "Secreted", &letters, &found, &regions).unwrap());
    let network = Recurrent {
        cell: example.cell,
        weights: &example.weights,
        embedding: &example.embedding,
        readout: &example.readout,
    };
    let all: Vec<u8> = (0..20).collect();
    let changed = substitutions(&network, &symbols, &all).unwrap();
    let title = "GRU: every residue in every place";
    let map = |positions| {
        residues::substitution_map(title, "the logit", &alphabet, &letters, &changed, positions)
    };
    check("substitutions", &map(0..230).unwrap());
    check("substitutions-end", &map(195..230).unwrap());
    let title = "GRU: where the decision is made";
    check("along", &residues::along(title, "the logit", &found, &changed).unwrap());
}

#[test]
fn comparisons_of_networks_are_legible() {
    // Not measured: numbers of the sizes that the headline experiment gives.
    let share = |value: f64| Share { value, low: value - 0.03, high: (value + 0.02).min(1.0) };
    let network = |name: &str, values: [f64; 2]| Compared {
        name: name.to_owned(),
        by_direction: values.map(share).to_vec(),
    };
    let networks = [
        network("RNN", [0.62, 0.93]),
        network("LSTM", [0.91, 0.95]),
        network("GRU", [0.92, 0.955]),
        network("Echo state network, mean of states", [0.81, 0.83]),
    ];
    let directions = ["towards the C-terminus", "towards the N-terminus"].map(str::to_owned);
    let baselines =
        [("majority", 0.5), ("length", 0.61), ("composition", 0.84), ("first 30 residues", 0.93)]
            .map(|(name, value)| (name.to_owned(), value));
    let title = "Secreted against Nucleus";
    let interval = "95 % over 5 seeds";
    let figure = runs::comparison(title, interval, &directions, &networks, &baselines).unwrap();
    check("comparison", &figure);
    let curve = |name: &str, slope: f64| {
        let points = [80.0, 150.0, 300.0, 600.0, 1200.0];
        let at = |(i, x): (usize, &f64)| (*x, share(0.95 - slope * i as f64));
        (name.to_owned(), points.iter().enumerate().map(at).collect::<Vec<_>>())
    };
    let curves = [curve("RNN", 0.09), curve("LSTM", 0.02), curve("GRU", 0.015)];
    check("by-length", &runs::by_length(&curves, &baselines[..2]).unwrap());
    check("by-padding", &runs::by_padding(&curves, &[]).unwrap());
    let recalled = |decay: f64| (0..60).map(|d| (-f64::from(d) / decay).exp()).collect();
    let reservoirs =
        [("radius 0.9".to_owned(), recalled(20.0)), ("radius 0.5".to_owned(), recalled(5.0))];
    check("memory-capacity", &runs::memory_capacity(&reservoirs).unwrap());
    let (radii, leaks) = ([0.3, 0.6, 0.9, 1.2, 1.5], [0.1, 0.25, 0.5, 0.75, 1.0]);
    let values: Vec<Vec<f64>> = radii
        .iter()
        .map(|r: &f64| leaks.iter().map(|l| 20.0 * (-(r - 0.9f64).powi(2)).exp() * l).collect())
        .collect();
    let figure = runs::reservoir_map(
        "Memory capacity of reservoirs",
        "memory capacity, steps",
        &radii,
        &leaks,
        &values,
    );
    check("reservoir-map", &figure.unwrap());
}
