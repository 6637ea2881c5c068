//! A layer written out, one number after the other: what the kernels are checked against, as
//! [`crate::reference`] is for the layers of other networks.

use super::{Cell, Input, InputGradient, Parameters, Start, Steps};

/// What a forward pass leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// `[rows, hidden]`
    pub h: Vec<f32>,
    /// `[rows, hidden]`; empty but in an LSTM.
    pub c: Vec<f32>,
    /// After the activation, `[rows, gates · hidden]`.
    pub gates: Vec<f32>,
    /// What the state gives to the gates, bias included, `[rows, gates · hidden]`.
    from_state: Vec<f32>,
}

/// The derivatives by each state and memory, all that follows from them taken into account.
#[derive(Clone, Debug, PartialEq)]
pub struct ByStates {
    /// `[rows, hidden]`
    pub h: Vec<f32>,
    /// `[rows, hidden]`; empty but in an LSTM.
    pub c: Vec<f32>,
    /// By the states and memories before the first step, given or zeros.
    pub start: Start,
}

/// Runs a batch; arguments as for [`Layer::forward`](super::Layer::forward).
///
/// # Panics
/// Where something does not fit together.
#[must_use]
pub fn forward(
    cell: Cell,
    weights: &Parameters,
    input: Input<'_>,
    steps: &Steps,
    start: &Start,
) -> Pass {
    let (n, width, rows) = (weights.hidden, cell.gates() * weights.hidden, steps.rows());
    let memory = if cell.has_memory() { rows * n } else { 0 };
    let mut pass = Pass {
        h: vec![0.0; rows * n],
        c: vec![0.0; memory],
        gates: vec![0.0; rows * width],
        from_state: vec![0.0; rows * width],
    };
    let zeros = vec![0.0; n];
    for t in 0..steps.len() {
        for row in steps.rows_of(t) {
            let before = before(steps, t, row);
            let h = state(&pass.h, &start.h, before, n, &zeros).to_vec();
            let c = state(&pass.c, &start.c, before, n, &zeros).to_vec();
            let mut from_state = vec![0.0; width];
            affine(&weights.weight_hh, &weights.bias_hh, &h, &mut from_state);
            let step = step(cell, &project(weights, input, row, width), &from_state, &h, &c);
            pass.h[row * n..(row + 1) * n].copy_from_slice(&step.h);
            pass.gates[row * width..(row + 1) * width].copy_from_slice(&step.gates);
            pass.from_state[row * width..(row + 1) * width].copy_from_slice(&from_state);
            if cell.has_memory() {
                pass.c[row * n..(row + 1) * n].copy_from_slice(&step.c);
            }
        }
    }
    pass
}

/// What the input of a row gives to the gates.
fn project(weights: &Parameters, input: Input<'_>, row: usize, width: usize) -> Vec<f32> {
    match input {
        Input::Symbols { symbols, table } => {
            let first = usize::from(symbols[row]) * width;
            table[first..first + width].to_vec()
        }
        Input::Values(x) => {
            let inputs = weights.inputs;
            let mut out = vec![0.0; width];
            let x = &x[row * inputs..(row + 1) * inputs];
            affine(&weights.weight_ih, &weights.bias_ih, x, &mut out);
            out
        }
    }
}

/// One sequence's step.
struct Step {
    gates: Vec<f32>,
    h: Vec<f32>,
    c: Vec<f32>,
}

fn step(cell: Cell, from_input: &[f32], from_state: &[f32], h: &[f32], c: &[f32]) -> Step {
    let n = h.len();
    let sum = |i: usize| from_input[i] + from_state[i];
    match cell {
        Cell::Tanh | Cell::Relu => {
            let f = |a: f32| if cell == Cell::Tanh { a.tanh() } else { relu(a) };
            let h: Vec<f32> = (0..n).map(|i| f(sum(i))).collect();
            Step { gates: h.clone(), h, c: Vec::new() }
        }
        Cell::Lstm => {
            let gate = |i: usize| if i / n == 2 { sum(i).tanh() } else { sigmoid(sum(i)) };
            let gates: Vec<f32> = (0..4 * n).map(gate).collect();
            let [i, f, new, o] = [0, 1, 2, 3].map(|k| &gates[k * n..(k + 1) * n]);
            let c: Vec<f32> = (0..n).map(|j| f[j] * c[j] + i[j] * new[j]).collect();
            let h = (0..n).map(|j| o[j] * c[j].tanh()).collect();
            Step { h, c, gates }
        }
        Cell::Gru => {
            let mut gates: Vec<f32> = (0..2 * n).map(|i| sigmoid(sum(i))).collect();
            for j in 0..n {
                let new = from_input[2 * n + j] + gates[j] * from_state[2 * n + j];
                gates.push(new.tanh());
            }
            let h = (0..n).map(|j| {
                let (z, new) = (gates[n + j], gates[2 * n + j]);
                (1.0 - z) * new + z * h[j]
            });
            Step { h: h.collect(), gates, c: Vec::new() }
        }
    }
}

/// Goes back through a batch; arguments as for [`Layer::backward`](super::Layer::backward).
///
/// # Panics
/// Where something does not fit together.
#[allow(clippy::too_many_arguments)] // what went in, what came out, what is wanted
pub fn backward(
    cell: Cell,
    weights: &Parameters,
    input: Input<'_>,
    steps: &Steps,
    start: &Start,
    pass: &Pass,
    by_states: &[f32],
    gradient: &mut Parameters,
    mut by_input: InputGradient<'_>,
) -> ByStates {
    let (n, width) = (weights.hidden, cell.gates() * weights.hidden);
    let (h, c) = (vec![0.0; pass.h.len()], vec![0.0; pass.c.len()]);
    let mut by = ByStates { h, c, start: Start::default() };
    let zeros = vec![0.0; n];
    let [mut later_h, mut later_c] = [0, 1].map(|_| vec![zeros.clone(); steps.sequences()]);
    for t in (0..steps.len()).rev() {
        for row in steps.rows_of(t) {
            let sequence = row - steps.rows_of(t).start;
            let here = row * n..(row + 1) * n;
            let before = before(steps, t, row);
            let h = state(&pass.h, &start.h, before, n, &zeros);
            add(&mut later_h[sequence], &by_states[here.clone()]);
            let step = Back {
                gates: &pass.gates[row * width..(row + 1) * width],
                from_state: &pass.from_state[row * width..(row + 1) * width],
                h,
                c: state(&pass.c, &start.c, before, n, &zeros),
                new_c: if cell.has_memory() { &pass.c[here.clone()] } else { &[] },
            };
            by.h[here.clone()].copy_from_slice(&later_h[sequence]);
            let by_c = &mut later_c[sequence];
            let found = step.back(cell, &mut later_h[sequence], by_c);
            if cell.has_memory() {
                by.c[here].copy_from_slice(&found.memory);
            }
            outer(&mut gradient.weight_hh, &found.from_state, h);
            add(&mut gradient.bias_hh, &found.from_state);
            project_back(weights, input, row, &found.from_input, gradient, &mut by_input);
            left_times(&weights.weight_hh, &found.from_state, &mut later_h[sequence]);
        }
    }
    let first = steps.counts().first().map_or(0, |&count| count);
    let memories = if cell.has_memory() { first } else { 0 };
    by.start = Start { h: later_h[..first].concat(), c: later_c[..memories].concat() };
    by
}

fn project_back(
    weights: &Parameters,
    input: Input<'_>,
    row: usize,
    from_input: &[f32],
    gradient: &mut Parameters,
    by_input: &mut InputGradient<'_>,
) {
    match (by_input, input) {
        (InputGradient::Table(table), Input::Symbols { symbols, .. }) => {
            let first = usize::from(symbols[row]) * from_input.len();
            add(&mut table[first..first + from_input.len()], from_input);
        }
        (by_input, Input::Values(x)) => {
            let place = row * weights.inputs..(row + 1) * weights.inputs;
            outer(&mut gradient.weight_ih, from_input, &x[place.clone()]);
            add(&mut gradient.bias_ih, from_input);
            if let InputGradient::Values(by_x) = by_input {
                by_x[place.clone()].fill(0.0);
                left_times(&weights.weight_ih, from_input, &mut by_x[place]);
            }
        }
        _ => panic!("the derivative by symbols is a table's"),
    }
}

/// What a step had before it and left behind it.
struct Back<'a> {
    gates: &'a [f32],
    from_state: &'a [f32],
    h: &'a [f32],
    c: &'a [f32],
    new_c: &'a [f32],
}

/// Derivatives of one sequence's step.
struct ByGates {
    from_input: Vec<f32>,
    from_state: Vec<f32>,
    memory: Vec<f32>,
}

impl Back<'_> {
    /// Leaves in `by_h` and `by_c` what goes back past the gates.
    fn back(&self, cell: Cell, by_h: &mut [f32], by_c: &mut [f32]) -> ByGates {
        let (n, g) = (self.h.len(), self.gates);
        let mut from_input = vec![0.0; g.len()];
        let mut memory = Vec::new();
        let mut from_state = None;
        match cell {
            Cell::Tanh | Cell::Relu => {
                for j in 0..n {
                    let slope = match cell {
                        Cell::Tanh => 1.0 - g[j] * g[j],
                        _ => f32::from(u8::from(g[j] > 0.0)),
                    };
                    from_input[j] = by_h[j] * slope;
                }
                by_h.fill(0.0);
            }
            Cell::Lstm => {
                for j in 0..n {
                    let [i, f, new, o] = [0, 1, 2, 3].map(|k| g[k * n + j]);
                    let tanh = self.new_c[j].tanh();
                    let by = by_c[j] + by_h[j] * o * (1.0 - tanh * tanh);
                    from_input[j] = by * new * i * (1.0 - i);
                    from_input[n + j] = by * self.c[j] * f * (1.0 - f);
                    from_input[2 * n + j] = by * i * (1.0 - new * new);
                    from_input[3 * n + j] = by_h[j] * tanh * o * (1.0 - o);
                    by_c[j] = by * f;
                    memory.push(by);
                }
                by_h.fill(0.0);
            }
            Cell::Gru => {
                let mut from_new = Vec::new();
                for j in 0..n {
                    let [r, z, new] = [0, 1, 2].map(|k| g[k * n + j]);
                    let by_new = by_h[j] * (1.0 - z) * (1.0 - new * new);
                    from_input[j] = by_new * self.from_state[2 * n + j] * r * (1.0 - r);
                    from_input[n + j] = by_h[j] * (self.h[j] - new) * z * (1.0 - z);
                    from_input[2 * n + j] = by_new;
                    from_new.push(by_new * r);
                    by_h[j] *= z;
                }
                from_state = Some([&from_input[..2 * n], &from_new].concat());
            }
        }
        let from_state = from_state.unwrap_or_else(|| from_input.clone());
        ByGates { from_input, from_state, memory }
    }
}

/// Where the state before a row lies.
#[derive(Clone, Copy)]
enum Before {
    /// In this row of the batch.
    Row(usize),
    /// In this row of the start.
    Start(usize),
    /// The sequence begins here, from zeros.
    Nowhere,
}

fn before(steps: &Steps, t: usize, row: usize) -> Before {
    let sequence = row - steps.rows_of(t).start;
    match t {
        0 => Before::Start(sequence),
        _ => steps.row(t - 1, sequence).map_or(Before::Nowhere, Before::Row),
    }
}

fn state<'a>(
    rows: &'a [f32],
    start: &'a [f32],
    before: Before,
    n: usize,
    zeros: &'a [f32],
) -> &'a [f32] {
    match before {
        Before::Row(row) if !rows.is_empty() => &rows[row * n..(row + 1) * n],
        Before::Start(i) if (i + 1) * n <= start.len() => &start[i * n..(i + 1) * n],
        _ => zeros,
    }
}

/// `out = M x + b`, `M` row by row.
fn affine(matrix: &[f32], bias: &[f32], x: &[f32], out: &mut [f32]) {
    for (r, value) in out.iter_mut().enumerate() {
        let row = &matrix[r * x.len()..(r + 1) * x.len()];
        *value = bias[r] + row.iter().zip(x).map(|(a, b)| a * b).sum::<f32>();
    }
}

/// `out += vᵀ M`.
fn left_times(matrix: &[f32], v: &[f32], out: &mut [f32]) {
    for (row, &factor) in matrix.chunks_exact(out.len()).zip(v) {
        out.iter_mut().zip(row).for_each(|(o, m)| *o += factor * m);
    }
}

/// `M += column rowᵀ`.
fn outer(matrix: &mut [f32], column: &[f32], row: &[f32]) {
    for (out, &factor) in matrix.chunks_exact_mut(row.len()).zip(column) {
        out.iter_mut().zip(row).for_each(|(o, x)| *o += factor * x);
    }
}

fn add(a: &mut [f32], b: &[f32]) {
    a.iter_mut().zip(b).for_each(|(x, y)| *x += y);
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// In this order a NaN stays a NaN.
fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}
