//! The measurements of memory against PyTorch, NumPy, arithmetic of 2,000 digits, and networks whose answer is
//! known.

use cutaway_recurrent::cells::reference::{Start, backward, forward};
use cutaway_recurrent::cells::{Cell, Weights};
use cutaway_recurrent::flow::*;
use cutaway_recurrent::{Error, Matrix};
use proptest::prelude::*;
use serde::Deserialize;

const CELLS: [Cell; 4] = [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru];

#[derive(Deserialize)]
struct Fixture {
    short: Vec<Short>,
    long: Vec<Long>,
}

#[derive(Deserialize)]
struct Short {
    cell: Cell,
    weights: Weights,
    steps: usize,
    singular_values: Vec<Vec<f64>>,
    blocks: Vec<[f64; 4]>,
    eigenvalues: Vec<Vec<[f64; 2]>>,
    norms: Vec<f64>,
}

#[derive(Deserialize)]
struct Long {
    cell: Cell,
    weights: Weights,
    steps: usize,
    by_last: Vec<f64>,
    points: Vec<LongPoint>,
}

#[derive(Deserialize)]
struct LongPoint {
    distance: usize,
    singular_values: Vec<f64>,
    gradient: f64,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/flow.json")).unwrap()
}

/// As in `make_flow.py`.
fn waves(steps: usize, width: usize) -> Vec<Vec<f64>> {
    let wave = |t: usize, i: usize| (0.7 * t as f64 + 1.3 * i as f64).sin();
    (0..steps).map(|t| (0..width).map(|i| wave(t, i)).collect()).collect()
}

/// A small generator, so that a test's networks need nothing else.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Near enough to a normal distribution: the sum of twelve uniform numbers.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn matrix(&mut self, rows: usize, columns: usize, scale: f64) -> Matrix {
        let mut out = Matrix::zeros(rows, columns);
        out.values_mut().iter_mut().for_each(|v| *v = scale * self.normal());
        out
    }

    fn weights(&mut self, cell: Cell, inputs: usize, hidden: usize, scale: f64) -> Weights {
        let rows = cell.gates() * hidden;
        Weights {
            weight_ih: self.matrix(rows, inputs, scale),
            weight_hh: self.matrix(rows, hidden, scale),
            bias_ih: (0..rows).map(|_| scale * self.normal()).collect(),
            bias_hh: (0..rows).map(|_| scale * self.normal()).collect(),
        }
    }
}

/// A vanilla cell with these recurrent weights, no input and no bias.
fn alone(weight_hh: Matrix) -> Weights {
    let n = weight_hh.rows();
    let (weight_ih, bias_ih, bias_hh) = (Matrix::zeros(n, 1), vec![0.0; n], vec![0.0; n]);
    Weights { weight_ih, weight_hh, bias_ih, bias_hh }
}

/// A gated cell of one unit whose gates are set by biases alone.
fn constant(cell: Cell, biases: &[f64]) -> Weights {
    let rows = cell.gates();
    Weights {
        weight_ih: Matrix::zeros(rows, 1),
        weight_hh: Matrix::zeros(rows, 1),
        bias_ih: biases.to_vec(),
        bias_hh: vec![0.0; rows],
    }
}

fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

fn silence(steps: usize) -> Vec<Vec<f64>> {
    vec![vec![0.0]; steps]
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found}, expected {expected} within {tolerance}"
    );
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

// Jacobians.

#[test]
fn singular_values_of_every_cell_are_those_of_pytorchs_jacobian() {
    for case in fixture().short {
        let inputs = waves(case.steps, 2);
        let trajectory = Trajectory::new(case.cell, &case.weights, &inputs).unwrap();
        let all: Vec<usize> = (1..=case.steps).collect();
        let found = jacobians(&trajectory, &all).unwrap();
        for (point, expected) in found.points.iter().zip(&case.singular_values) {
            for (found, expected) in point.singular_values.iter().zip(expected) {
                // LAPACK's small ones are right to ε times the largest only.
                let what = format!("{:?}, distance {}", case.cell, point.distance);
                near(10f64.powf(*found), *expected, 1e-13 + 1e-11 * expected, &what);
            }
        }
        for (point, expected) in found.points.iter().zip(&case.blocks) {
            let blocks = point.blocks.as_ref().unwrap();
            let found = [blocks.h_by_h, blocks.h_by_c, blocks.c_by_h, blocks.c_by_c];
            for (found, expected) in found.into_iter().zip(expected) {
                near(10f64.powf(found), *expected, 1e-11 * expected, "a block");
            }
        }
    }
}

#[test]
fn singular_values_a_thousand_powers_of_ten_down_are_those_of_long_arithmetic() {
    for case in fixture().long {
        let inputs = waves(case.steps, 2);
        let trajectory = Trajectory::new(case.cell, &case.weights, &inputs).unwrap();
        let at: Vec<usize> = case.points.iter().map(|point| point.distance).collect();
        let found = jacobians(&trajectory, &at).unwrap();
        let seeds = at_the_end(case.steps, &case.by_last);
        let gradients = gradients(&trajectory, &seeds).unwrap();
        for (found, expected) in found.points.iter().zip(&case.points) {
            for (found, log) in found.singular_values.iter().zip(&expected.singular_values) {
                let what = format!("{:?}, distance {}", case.cell, expected.distance);
                near(*found, *log, 1e-9, &what);
            }
            // Distance 500 is before the first input.
            if let Some(found) = gradients.states.get(expected.distance) {
                near(*found, expected.gradient, 1e-9, "norm of the gradient");
            }
        }
    }
}

#[test]
fn a_rotation_keeps_every_direction_and_a_diagonal_its_own_powers() {
    let (sin, cos) = 0.3f64.sin_cos();
    let turn = alone(Matrix::from_rows(&[vec![cos, -sin], vec![sin, cos]]).unwrap());
    let inputs = silence(2000);
    let trajectory = Trajectory::new(Cell::Tanh, &turn, &inputs).unwrap();
    let found = jacobians(&trajectory, &[0, 2000]).unwrap();
    assert_eq!(found.points[0].singular_values, [0.0, 0.0]);
    for log in &found.points[1].singular_values {
        near(*log, 0.0, 1e-12, "a rotation");
    }
    let diagonal = alone(Matrix::diagonal(&[0.5, -2.0, 0.0, 1e-3]));
    let trajectory = Trajectory::new(Cell::Tanh, &diagonal, &inputs).unwrap();
    let found = jacobians(&trajectory, &[1999]).unwrap();
    let logs = &found.points[0].singular_values;
    near(logs[0], 1999.0 * 2f64.log10(), 1e-9, "2");
    near(logs[1], -1999.0 * 2f64.log10(), 1e-9, "1/2");
    near(logs[2], -3.0 * 1999.0, 1e-9, "1/1000");
    assert_eq!(logs[3], f64::NEG_INFINITY);
    near(found.points[0].bounds.anywhere.unwrap(), 1999.0 * 2f64.log10(), 1e-9, "the bound");
}

#[test]
fn distances_cover_a_sequence_from_end_to_end() {
    assert_eq!(distances(11, 3), [0, 5, 10]);
    assert_eq!(distances(4, 100), [0, 1, 2, 3]);
    assert_eq!(distances(1, 5), [0]);
    assert_eq!(distances(300, 4), [0, 100, 199, 299]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_singular_value_exceeds_its_bounds(
        cell in prop::sample::select(&CELLS[..]), seed in any::<u64>(), hidden in 1usize..6, scale in 0.1f64..2.0,
    ) {
        let weights = Noise(seed).weights(cell, 2, hidden, scale);
        let inputs = waves(15, 2);
        let trajectory = Trajectory::new(cell, &weights, &inputs).unwrap();
        for point in jacobians(&trajectory, &[0, 1, 4, 15]).unwrap().points {
            let largest = point.singular_values[0];
            let slack = 1e-9;
            let bounds = &point.bounds;
            prop_assert!(largest <= bounds.step_by_step + slack, "{point:?}");
            if let (Some(way), Some(anywhere)) = (bounds.on_the_way, bounds.anywhere) {
                prop_assert!(bounds.step_by_step <= way + slack, "{point:?}");
                prop_assert!(way <= anywhere + slack, "{point:?}");
            }
            prop_assert!(point.singular_values.windows(2).all(|pair| pair[0] >= pair[1]));
        }
    }

    #[test]
    fn one_step_backwards_agrees_with_finite_differences(
        cell in prop::sample::select(&CELLS[..]), seed in any::<u64>(), hidden in 1usize..5,
    ) {
        let weights = Noise(seed).weights(cell, 2, hidden, 0.7);
        let inputs = waves(6, 2);
        let trajectory = Trajectory::new(cell, &weights, &inputs).unwrap();
        // The Frobenius norm is the root of the sum of squared singular values.
        let found = jacobians(&trajectory, &[2]).unwrap();
        let found: f64 =
            found.points[0].singular_values.iter().map(|log| 100f64.powf(*log)).sum();
        let before = &trajectory.steps[3];
        let run = |place: usize, by: f64| {
            let (mut h, mut c) = (before.h.clone(), before.c.clone());
            if place < hidden { h[place] += by } else { c[place - hidden] += by }
            let last = forward(cell, &weights, &inputs[4..], &Start { h, c }).unwrap().remove(1);
            [last.h, last.c].concat()
        };
        let mut expected = 0.0;
        for place in 0..trajectory.state_size() {
            let pairs = run(place, 1e-6).into_iter().zip(run(place, -1e-6));
            expected += pairs.map(|(a, b)| ((a - b) / 2e-6).powi(2)).sum::<f64>();
        }
        prop_assert!((found.sqrt() - expected.sqrt()).abs() < 1e-7, "{found} {expected}");
    }
}

// Gradients.

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn norms_of_gradients_are_those_of_the_reference_cells(
        cell in prop::sample::select(&CELLS[..]), seed in any::<u64>(), hidden in 1usize..6, steps in 1usize..20,
    ) {
        let mut noise = Noise(seed);
        let weights = noise.weights(cell, 2, hidden, 0.8);
        let inputs = waves(steps, 2);
        let seeds: Vec<Vec<f64>> =
            (0..steps).map(|_| (0..hidden).map(|_| noise.normal()).collect()).collect();
        let start = Start::zeros(cell, hidden);
        let trajectory = Trajectory::new(cell, &weights, &inputs).unwrap();
        let found = gradients(&trajectory, &seeds).unwrap();
        let expected = backward(cell, &weights, &inputs, &start, &trajectory.steps, &seeds).unwrap();
        for (d, t) in (0..steps).rev().enumerate() {
            let log = norm(&expected.states[t]).log10();
            prop_assert!((found.states[d] - log).abs() < 1e-9 || found.states[d] == log);
            if let Some(memories) = &found.memories {
                prop_assert!((memories[d] - norm(&expected.memories[t]).log10()).abs() < 1e-9);
            }
        }
        // The straight path, by hand: what the loss gives to the memory at each step, times the gates since.
        let Some(paths) = &found.paths else { return Ok(()) };
        let mut straight = vec![0.0; hidden];
        for (d, t) in (0..steps).rev().enumerate() {
            let step = &trajectory.steps[t];
            let shows = |j: usize| match cell {
                Cell::Lstm => step.gates[3 * hidden + j] * (1.0 - step.c[j].tanh().powi(2)),
                _ => 1.0,
            };
            (0..hidden).for_each(|j| straight[j] += seeds[t][j] * shows(j));
            prop_assert!((paths.along_memory[d] - norm(&straight).log10()).abs() < 1e-9);
            let whole = if cell == Cell::Lstm { &expected.memories[t] } else { &expected.states[t] };
            let rest: Vec<f64> = whole.iter().zip(&straight).map(|(w, s)| w - s).collect();
            let through = 10f64.powf(paths.through_weights[d]);
            prop_assert!((through - norm(&rest)).abs() < 1e-12 * (1.0 + norm(whole)));
            (0..hidden).for_each(|j| straight[j] *= step.gates[hidden + j]);
        }
    }
}

#[test]
fn a_gradient_vanishes_and_explodes_by_the_weight_at_each_step_beyond_every_range() {
    for (weight, steps) in [(0.1, 3000), (10.0, 3000), (1.0, 50)] {
        let weights = alone(Matrix::diagonal(&[weight, weight]));
        let inputs = silence(steps);
        let trajectory = Trajectory::new(Cell::Tanh, &weights, &inputs).unwrap();
        let found = gradients(&trajectory, &at_the_end(steps, &[3.0, -4.0])).unwrap();
        for (d, log) in found.states.iter().enumerate() {
            near(*log, 5f64.log10() + d as f64 * weight.log10(), 1e-9, "a power");
        }
        let slope = found.decay(0, steps).unwrap();
        near(slope, weight.log10(), 1e-12, "the slope");
        assert!(found.memories.is_none() && found.paths.is_none());
    }
}

#[test]
fn without_recurrent_weights_all_of_an_lstms_gradient_goes_along_its_memory() {
    let weights = constant(Cell::Lstm, &[0.3, logit(0.9), 1.0, 0.5]);
    let inputs = silence(400);
    let trajectory = Trajectory::new(Cell::Lstm, &weights, &inputs).unwrap();
    let found = gradients(&trajectory, &at_the_end(400, &[1.0])).unwrap();
    let (paths, memories) = (found.paths.unwrap(), found.memories.unwrap());
    for d in 0..400 {
        near(paths.along_memory[d], memories[0] + d as f64 * 0.9f64.log10(), 1e-9, "0.9^d");
        near(memories[d], paths.along_memory[d], 1e-12, "the whole");
        assert!(paths.through_weights[d] < memories[d] - 14.0, "{}", paths.through_weights[d]);
    }
    assert_eq!(found.states[1], f64::NEG_INFINITY, "h(T−1) is used for nothing");
}

#[test]
fn curves_of_different_lengths_are_brought_together_by_distance() {
    let curves: [&[f64]; 3] = [&[0.0, -2.0, f64::NEG_INFINITY], &[-1.0, -4.0], &[-2.0]];
    let found = across(&curves).unwrap();
    assert_eq!(found.count, [3, 2, 1]);
    assert_eq!(found.zeros, [0, 0, 1]);
    assert_eq!(found.mean, [-1.0, -3.0, f64::NEG_INFINITY]);
    let close = |found: [f64; 5], expected: [f64; 5]| {
        found.iter().zip(expected).for_each(|(f, e)| near(*f, e, 1e-12, "a quantile"));
    };
    close(found.quantiles[0], [-1.8, -1.5, -1.0, -0.5, -0.2]);
    close(found.quantiles[1], [-3.8, -3.5, -3.0, -2.5, -2.2]);
    assert_eq!(found.quantiles[2][2], f64::NEG_INFINITY);
    near(found.decay(0, 3).unwrap(), -2.0, 1e-12, "the slope");
    assert!(across(&[]).unwrap_err().to_string().contains("at least 1"));
}

// The spectrum.

#[test]
fn eigenvalues_and_norms_are_those_of_numpy() {
    for case in fixture().short {
        let found = spectrum(case.cell, &case.weights).unwrap();
        assert_eq!(found.blocks.len(), case.cell.gates());
        for (gate, block) in found.blocks.iter().enumerate() {
            near(block.norm, case.norms[gate], 1e-13, "norm");
            assert!(block.radius <= block.norm);
            for expected in &case.eigenvalues[gate] {
                let distance = |v: &[f64; 2]| (v[0] - expected[0]).hypot(v[1] - expected[1]);
                let nearest = block.eigenvalues.iter().map(distance).fold(f64::INFINITY, f64::min);
                near(nearest, 0.0, 1e-12, &format!("{:?} {expected:?}", case.cell));
            }
        }
    }
}

#[test]
fn a_permutation_in_a_circle_has_the_roots_of_unity() {
    let n = 64;
    let mut circle = Matrix::zeros(n, n);
    (0..n).for_each(|i| *circle.at_mut((i + 1) % n, i) = 0.5);
    let found = spectrum(Cell::Tanh, &alone(circle)).unwrap();
    let block = &found.blocks[0];
    near(block.radius, 0.5, 1e-12, "radius");
    near(block.norm, 0.5, 1e-12, "norm");
    for [re, im] in &block.eigenvalues {
        near(re.hypot(*im), 0.5, 1e-12, "modulus");
        let turns = im.atan2(*re) / std::f64::consts::TAU * n as f64;
        near(turns, turns.round(), 1e-10, "angle");
    }
}

// Lyapunov exponents.

fn exponents(cell: Cell, weights: &Weights, steps: usize, count: usize) -> Lyapunov {
    let inputs = silence(steps);
    let trajectory = Trajectory::new(cell, weights, &inputs).unwrap();
    let options = LyapunovOptions { exponents: count, ..LyapunovOptions::default() };
    lyapunov(&trajectory, &options).unwrap()
}

#[test]
fn at_rest_the_exponents_are_the_logarithms_of_the_eigenvalues() {
    let q = [0.5, -1.0, 0.25, 2.0, 0.7, -0.1, 1.0, 0.3, 0.9];
    let matrix = Matrix::from_rows(&[q[..3].to_vec(), q[3..6].to_vec(), q[6..].to_vec()]).unwrap();
    let values = &spectrum(Cell::Tanh, &alone(matrix.clone())).unwrap().blocks[0].eigenvalues;
    let found = exponents(Cell::Tanh, &alone(matrix), 20_000, 3);
    for (found, [re, im]) in found.exponents.iter().zip(values) {
        near(*found, re.hypot(*im).ln(), 5e-4, "an exponent");
    }
    let still = exponents(Cell::Tanh, &alone(Matrix::identity(4)), 500, 4);
    still.exponents.iter().for_each(|e| near(*e, 0.0, 1e-14, "the identity"));
    let dead = exponents(Cell::Relu, &alone(Matrix::identity(2)), 100, 2);
    assert_eq!(dead.exponents, [f64::NEG_INFINITY; 2], "ReLU at 0 has no slope");
}

/// The rate at which two runs part that begin close together, brought back to that distance at each step:
/// without any derivative.
fn parting(weights: &Weights, first: &[f64], steps: usize, warm_up: usize) -> f64 {
    let none = silence(1);
    let step = |h: &[f64]| {
        let start = Start { h: h.to_vec(), c: vec![] };
        forward(Cell::Tanh, weights, &none, &start).unwrap().remove(0).h
    };
    let (mut a, mut sum) = (first.to_vec(), 0.0);
    let mut b: Vec<f64> = a.iter().map(|v| v + 1e-8 / (a.len() as f64).sqrt()).collect();
    for t in 0..steps {
        (a, b) = (step(&a), step(&b));
        let apart: Vec<f64> = b.iter().zip(&a).map(|(x, y)| x - y).collect();
        if t >= warm_up {
            sum += (norm(&apart) / 1e-8).ln();
        }
        let back = 1e-8 / norm(&apart);
        b = a.iter().zip(&apart).map(|(x, d)| x + d * back).collect();
    }
    sum / (steps - warm_up) as f64
}

#[test]
fn a_random_network_is_chaotic_above_a_gain_of_one_and_forgets_below() {
    let n = 100;
    let matrix = Noise(5).matrix(n, n, 1.0 / (n as f64).sqrt());
    let mut last = f64::NEG_INFINITY;
    for gain in [0.5, 0.8, 1.5, 2.5] {
        let mut scaled = matrix.clone();
        scaled.values_mut().iter_mut().for_each(|v| *v *= gain);
        let weights = alone(scaled);
        let start = Start { h: (0..n).map(|i| (i as f64).sin()).collect(), c: vec![] };
        let inputs = silence(600);
        let trajectory =
            Trajectory::from_start(Cell::Tanh, &weights, &inputs, start.clone()).unwrap();
        let options = LyapunovOptions { warm_up: 100, ..LyapunovOptions::default() };
        let found = lyapunov(&trajectory, &options).unwrap();
        let largest = found.exponents[0];
        assert_eq!(largest > 0.0, gain > 1.0, "gain {gain}: {largest}");
        assert!(largest > last, "gain {gain}: {largest} after {last}");
        last = largest;
        near(largest, parting(&weights, &start.h, 600, 100), 0.01, &format!("gain {gain}"));
        assert_eq!((found.steps, found.convergence.len()), (500, 500));
        near(found.convergence[499], largest, 1e-12, "the end of the curve");
    }
}

// Half-lives.

fn lives(trajectory: &Trajectory<'_>, kick: Kick, method: Method, at: Vec<usize>) -> HalfLife {
    let options = HalfLifeOptions { kick, method, at, directions: 6, seed: 1 };
    half_life(trajectory, &options).unwrap()
}

#[test]
fn a_unit_that_keeps_nine_tenths_forgets_half_in_seven_steps() {
    // 0.9^6 = 0.53, 0.9^7 = 0.48; 0.9^9 = 0.39, 0.9^10 = 0.35.
    let inputs = silence(60);
    let mut weights = alone(Matrix::diagonal(&[0.9, 0.9]));
    weights.weight_ih = Matrix::from_rows(&[vec![1.0], vec![-1.0]]).unwrap();
    let tanh = Trajectory::new(Cell::Tanh, &weights, &inputs).unwrap();
    for kick in [Kick::State, Kick::Input] {
        for method in [Method::Derivative, Method::Change(1e-6)] {
            let found = lives(&tanh, kick, method, vec![1, 30, 58]);
            assert_eq!(found.half.each[..2].concat(), [Some(7); 12], "{kick:?} {method:?}");
            assert_eq!(found.half.each[2], [None; 6], "three steps are too few to tell");
            assert_eq!((found.half.median, found.half.longest), (Some(7.0), Some(7)));
            assert_eq!(found.half.outlived, 6);
            assert_eq!(found.e_fold.longest, Some(10));
            near(found.left[5], 5.0 * 0.9f64.log10(), 1e-6, "what is left");
            assert_eq!((found.followed[2], found.followed[59]), (18, 6));
        }
    }
    // An LSTM's memory by its forget gate; the change of h is largest one step after that of c.
    let weights = constant(Cell::Lstm, &[0.0, logit(0.9), 0.0, 0.0]);
    let lstm = Trajectory::new(Cell::Lstm, &weights, &inputs).unwrap();
    let found = lives(&lstm, Kick::State, Method::Derivative, vec![5]);
    let tail = found.left[20] - found.left[19];
    near(tail, 0.9f64.log10(), 1e-9, "the slope");
}

#[test]
fn small_changes_last_as_long_as_the_derivative_says() {
    for (i, cell) in CELLS.into_iter().enumerate() {
        let weights = Noise(i as u64 + 3).weights(cell, 2, 8, 0.3);
        let inputs = waves(80, 2);
        let trajectory = Trajectory::new(cell, &weights, &inputs).unwrap();
        for kick in [Kick::State, Kick::Input] {
            let exact = lives(&trajectory, kick, Method::Derivative, vec![10, 40]);
            let run = lives(&trajectory, kick, Method::Change(1e-7), vec![10, 40]);
            assert_eq!(exact.half, run.half, "{cell:?} {kick:?}");
            for lag in 0..5 {
                if exact.left[lag] > -4.0 {
                    near(run.left[lag], exact.left[lag], 1e-3, &format!("{cell:?} lag {lag}"));
                }
            }
        }
    }
}

#[test]
fn what_grows_outlives_the_sequence() {
    let inputs = silence(30);
    let weights = alone(Matrix::diagonal(&[1.5]));
    let trajectory = Trajectory::new(Cell::Tanh, &weights, &inputs).unwrap();
    let found = lives(&trajectory, Kick::State, Method::Derivative, vec![1]);
    assert_eq!((found.half.median, found.half.longest, found.half.outlived), (None, None, 6));
}

// Gates.

#[test]
fn constant_gates_have_one_time_scale_each() {
    // Gates 0.05 (shut), 0.99, tanh 1, 0.95 (open).
    let biases = [logit(0.05), logit(0.99), 1.0, logit(0.95)];
    let weights = constant(Cell::Lstm, &biases);
    let inputs = silence(25);
    let trajectory = Trajectory::new(Cell::Lstm, &weights, &inputs).unwrap();
    let found = gates([&trajectory, &trajectory]).unwrap();
    assert_eq!((found.sequences, found.steps), (2, 50));
    let names: Vec<&str> = found.gates.iter().map(|gate| gate.name.as_str()).collect();
    assert_eq!(names, ["input", "forget", "candidate", "output"]);
    let shares: Vec<_> = found.gates.iter().map(|gate| (gate.low, gate.high)).collect();
    let (none, all) = (Some(0.0), Some(1.0));
    assert_eq!(shares, [(all, none), (none, all), (none, none), (none, all)]);
    for (gate, mean) in found.gates.iter().zip([0.05, 0.99, 1f64.tanh(), 0.95]) {
        near(gate.mean, mean, 1e-12, &gate.name);
        near(gate.quantiles[2], mean, 1e-4, &gate.name);
        let bin = gate.counts.iter().position(|&n| n == 50).unwrap();
        assert!(gate.edges[bin] <= mean + 1e-12 && mean <= gate.edges[bin + 1] + 1e-12);
    }
    let scales = found.time_scales.unwrap();
    let tau = -1.0 / 0.99f64.ln();
    assert_eq!(scales.gate, "forget");
    near(scales.units[0], tau, 1e-9, "the unit");
    near(scales.quantiles[2], tau, 0.003 * tau, "the median");
}

#[test]
fn a_gate_that_never_lets_go_has_an_infinite_time_scale_and_a_vanilla_cell_none() {
    let inputs = silence(9);
    for (bias, expected) in [(800.0, f64::INFINITY), (-800.0, 0.0)] {
        let weights = constant(Cell::Gru, &[0.0, bias, 0.4]);
        let trajectory = Trajectory::new(Cell::Gru, &weights, &inputs).unwrap();
        let scales = gates([&trajectory]).unwrap().time_scales.unwrap();
        assert_eq!(scales.gate, "update");
        assert_eq!(scales.units, [expected]);
        near(scales.quantiles[2].min(1.0), expected.min(1.0), 0.002, "the median");
    }
    let weights = alone(Matrix::identity(2));
    let trajectory = Trajectory::new(Cell::Tanh, &weights, &inputs).unwrap();
    let found = gates([&trajectory]).unwrap();
    assert!(found.time_scales.is_none());
    assert_eq!(found.gates[0].name, "state");
    assert_eq!(found.gates[0].counts[25], 18, "all zeros");
    assert!(gates([]).is_err());
}

// Underflow.

#[test]
fn single_precision_loses_a_gradient_of_tenths_at_38_steps_and_has_none_at_46() {
    let cases = [
        (0.1, Failures { subnormal: Some(38), zero: Some(46), not_finite: None }),
        (10.0, Failures { not_finite: Some(39), ..Failures::default() }),
        (1.0, Failures::default()),
        (0.0, Failures { zero: Some(1), ..Failures::default() }),
    ];
    for (weight, expected) in cases {
        let weights = alone(Matrix::diagonal(&[weight]));
        let inputs = silence(100);
        let trajectory = Trajectory::new(Cell::Tanh, &weights, &inputs).unwrap();
        let found = underflow(&trajectory, &at_the_end(100, &[1.0])).unwrap();
        assert_eq!(found.failures, expected, "{weight}");
        if weight == 0.1 {
            near(found.exact[99], -99.0, 1e-9, "the exact one goes on");
            near(found.single[30], -30.0, 1e-5, "the single one follows");
            assert_eq!(found.single[46], f64::NEG_INFINITY);
        }
    }
}

#[test]
fn in_range_single_precision_follows_the_exact_gradient_for_every_cell() {
    for (i, cell) in CELLS.into_iter().enumerate() {
        let weights = Noise(40 + i as u64).weights(cell, 2, 6, 0.4);
        let inputs = waves(30, 2);
        let trajectory = Trajectory::new(cell, &weights, &inputs).unwrap();
        let seeds = vec![vec![0.5; 6]; 30];
        let found = underflow(&trajectory, &seeds).unwrap();
        assert_eq!(found.failures, Failures::default());
        for (single, exact) in found.single.iter().zip(&found.exact) {
            near(*single, *exact, 1e-5, &format!("{cell:?}"));
        }
    }
}

#[test]
fn failures_of_a_trainings_own_gradients_are_found() {
    let rows: [&[f32]; 5] =
        [&[1.0, 0.0], &[1e-39, -1e-44], &[0.0, 0.0], &[f32::NAN, 1.0], &[0.0, 0.0]];
    let found = failures(rows);
    assert_eq!(found, Failures { subnormal: Some(1), zero: Some(2), not_finite: Some(3) });
}

// Substitutions.

#[test]
fn substitutions_by_the_cell_and_by_any_function_agree_and_small_ones_follow_the_derivative() {
    for (i, cell) in CELLS.into_iter().enumerate() {
        let mut noise = Noise(i as u64);
        let weights = noise.weights(cell, 3, 5, 0.5);
        let readout: Vec<f64> = (0..5).map(|_| noise.normal()).collect();
        let sequence = [0u8, 3, 1, 1, 2, 0, 3];
        // Embeddings that hardly differ: the derivative is then exact to second order.
        let mut embedding = noise.matrix(4, 3, 1e-5);
        embedding.values_mut().iter_mut().for_each(|v| *v += 0.3);
        let network =
            Recurrent { cell, weights: &weights, embedding: &embedding, readout: &readout };
        let found = substitutions(&network, &sequence, &[0, 1, 2, 3]).unwrap();
        let plain = |sequences: &[Vec<u8>]| {
            let decide = |sequence: &Vec<u8>| {
                let inputs: Vec<Vec<f64>> =
                    sequence.iter().map(|&s| embedding.row(usize::from(s)).to_vec()).collect();
                let last = Trajectory::new(cell, &weights, &inputs)?.steps.pop().unwrap();
                Ok(last.h.iter().zip(&readout).map(|(h, v)| h * v).sum())
            };
            sequences.iter().map(decide).collect::<Result<Vec<f64>, Error>>()
        };
        // Edits in any order.
        let edits = [(6, 1), (0, 2), (3, 0)].map(|(position, symbol)| Edit { position, symbol });
        let mixed = network.decide_edited(&sequence, &edits).unwrap();
        for (edit, decision) in edits.iter().zip(mixed) {
            let change = found.changes[usize::from(edit.symbol)][edit.position];
            near(decision - found.decision, change, 1e-14, "an edit");
        }
        let again = substitutions(&plain, &sequence, &[0, 1, 2, 3]).unwrap();
        near(again.decision, found.decision, 1e-15, "the decision");
        let inputs: Vec<Vec<f64>> =
            sequence.iter().map(|&s| embedding.row(usize::from(s)).to_vec()).collect();
        let steps = Trajectory::new(cell, &weights, &inputs).unwrap().steps;
        let start = Start::zeros(cell, 5);
        let seeds = at_the_end(7, &readout);
        let by = backward(cell, &weights, &inputs, &start, &steps, &seeds).unwrap().inputs;
        let expected = attribution(&embedding, &sequence, &by).unwrap();
        for t in 0..7 {
            near(expected.norms[t], norm(&by[t]), 1e-15, "norm");
            let mean = expected.expected[t].iter().sum::<f64>() / 4.0;
            near(expected.signed[t], -mean, 1e-14, "signed: against the mean of all symbols");
            for s in 0..4 {
                near(again.changes[s][t], found.changes[s][t], 1e-14, "both ways");
                near(found.changes[s][t], expected.expected[t][s], 1e-8, "by the derivative");
                assert_eq!(found.changes[s][t] == 0.0, usize::from(sequence[t]) == s, "{s} at {t}");
            }
        }
    }
}

#[test]
fn a_function_that_answers_too_little_and_symbols_without_a_row_are_refused() {
    let mute = |_: &[Vec<u8>]| Ok(vec![]);
    let error = substitutions(&mute, &[0, 1], &[0, 1]).unwrap_err().to_string();
    assert!(error.contains("expected 1, found 0"), "{error}");
    let weights = alone(Matrix::identity(1));
    let embedding = Matrix::zeros(2, 1);
    let network =
        Recurrent { cell: Cell::Tanh, weights: &weights, embedding: &embedding, readout: &[1.0] };
    let error = substitutions(&network, &[0, 1], &[0, 7]).unwrap_err().to_string();
    assert!(error.contains("below 2, the rows of the embedding, found 7"), "{error}");
    let edits = [2, 0].map(|position| Edit { position, symbol: 0 });
    let error = network.decide_edited(&[0, 1], &edits).unwrap_err().to_string();
    assert!(error.contains("below 2, the steps of the sequence, found 2"), "{error}");
    assert!(substitutions(&network, &[], &[0]).unwrap_err().to_string().contains("0 steps"));
    assert!(attribution(&embedding, &[0], &[vec![0.0, 1.0]]).is_err());
}

// What does not fit.

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let weights = alone(Matrix::identity(2));
    let inputs = silence(5);
    let fits = Trajectory::new(Cell::Tanh, &weights, &inputs).unwrap();
    let refused = [
        Trajectory::new(Cell::Lstm, &weights, &inputs).unwrap_err(),
        Trajectory::new(Cell::Tanh, &weights, &[]).unwrap_err(),
        Trajectory::new(Cell::Tanh, &weights, &[vec![0.0, 1.0]]).unwrap_err(),
        gradients(&fits, &at_the_end(4, &[1.0, 0.0])).unwrap_err(),
        gradients(&fits, &at_the_end(5, &[1.0])).unwrap_err(),
        jacobians(&fits, &[]).unwrap_err(),
        jacobians(&fits, &[3, 2]).unwrap_err(),
        jacobians(&fits, &[6]).unwrap_err(),
        lyapunov(&fits, &LyapunovOptions { warm_up: 5, ..LyapunovOptions::default() }).unwrap_err(),
        lyapunov(&fits, &LyapunovOptions { exponents: 3, warm_up: 0, seed: 0 }).unwrap_err(),
    ];
    let expected = [
        "rows of weight_hh: expected 8",
        "at least 1, found 0",
        "values of input 1: expected 1, found 2",
        "derivatives by states: expected 5, found 4",
        "the state of step 1: expected 2, found 1",
        "at least one",
        "numbers that rise",
        "none above the 5 steps",
        "leaves none of the sequence's 5",
        "from 1 to 2",
    ];
    for (error, part) in refused.iter().zip(expected) {
        assert!(error.to_string().contains(part), "{error}\n  expected: {part}");
    }
    let options = HalfLifeOptions {
        kick: Kick::State,
        method: Method::Change(0.0),
        at: vec![1],
        directions: 1,
        seed: 0,
    };
    let error = half_life(&fits, &options).unwrap_err().to_string();
    assert!(error.contains("a change above 0"), "{error}");
    let options = HalfLifeOptions { at: vec![6], method: Method::Derivative, ..options };
    let error = half_life(&fits, &options).unwrap_err().to_string();
    assert!(error.contains("steps from 1 to 5"), "{error}");
}

#[test]
fn numbers_that_are_none_are_refused_with_their_place() {
    let mut weights = alone(Matrix::identity(2));
    let inputs = vec![vec![0.0], vec![f64::NAN]];
    let error = Trajectory::new(Cell::Tanh, &weights, &inputs).unwrap_err().to_string();
    assert!(error.contains("an input is NaN at step 2"), "{error}");
    *weights.weight_hh.at_mut(1, 0) = f64::INFINITY;
    let error = spectrum(Cell::Tanh, &weights).unwrap_err().to_string();
    assert!(error.contains("a recurrent weight is inf in row 2"), "{error}");
    // A ReLU network that explodes on its way.
    let mut weights = alone(Matrix::diagonal(&[1e10]));
    weights.bias_ih[0] = 1.0;
    let inputs = silence(100);
    let error = Trajectory::new(Cell::Relu, &weights, &inputs).unwrap_err().to_string();
    assert!(error.contains("the state is inf at step"), "{error}");
}
