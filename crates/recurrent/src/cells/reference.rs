//! The cells written out, forward and backward side by side, in `f64`.

use super::{Cell, Weights};
use crate::error::{Error, Result};
use crate::matrix::add_scaled;

/// What one step computed; all that the way back needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The gates after their activation, `[gates · hidden]`.
    pub gates: Vec<f64>,
    /// What the state gives to the gates, bias included, `[gates · hidden]`.
    pub from_state: Vec<f64>,
    /// The state, `[hidden]`.
    pub h: Vec<f64>,
    /// The cell's memory, `[hidden]`; empty but in an LSTM.
    pub c: Vec<f64>,
}

/// The state before the first input.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The state, `[hidden]`.
    pub h: Vec<f64>,
    /// The memory, `[hidden]`; empty but in an LSTM.
    pub c: Vec<f64>,
}

impl Start {
    /// Zeros.
    #[must_use]
    pub fn zeros(cell: Cell, hidden: usize) -> Start {
        let memory = if cell == Cell::Lstm { hidden } else { 0 };
        Start { h: vec![0.0; hidden], c: vec![0.0; memory] }
    }
}

/// The derivatives of a number by everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// By the weights.
    pub weights: Weights,
    /// By each input, `[steps][inputs]`.
    pub inputs: Vec<Vec<f64>>,
    /// By each state `h(t)`, all that follows from it taken into account, `[steps][hidden]`.
    pub states: Vec<Vec<f64>>,
    /// By each memory `c(t)`, likewise; empty rows but in an LSTM.
    pub memories: Vec<Vec<f64>>,
    /// By the state and memory before the first input.
    pub start: Start,
}

/// Runs a sequence of inputs `[steps][inputs]`.
///
/// # Errors
/// [`Error::Size`] where weights, start or inputs do not fit.
pub fn forward(cell: Cell, w: &Weights, inputs: &[Vec<f64>], start: &Start) -> Result<Vec<Step>> {
    check(cell, w, inputs, start)?;
    let mut steps: Vec<Step> = Vec::with_capacity(inputs.len());
    for x in inputs {
        let (h, c) = steps.last().map_or((&start.h, &start.c), |s| (&s.h, &s.c));
        let from_input = plus(&w.weight_ih.times(x), &w.bias_ih);
        let from_state = plus(&w.weight_hh.times(h), &w.bias_hh);
        let step = step(cell, &from_input, from_state, h, c);
        steps.push(step);
    }
    Ok(steps)
}

/// Goes back through a sequence: `by_states` is the derivative by each `h(t)` as far as it is used
/// outside, `[steps][hidden]`.
///
/// # Errors
/// [`Error::Size`] where something does not fit.
pub fn backward(
    cell: Cell,
    w: &Weights,
    inputs: &[Vec<f64>],
    start: &Start,
    steps: &[Step],
    by_states: &[Vec<f64>],
) -> Result<Gradients> {
    check(cell, w, inputs, start)?;
    size("steps of the forward pass", inputs.len(), steps.len())?;
    size("derivatives by states", inputs.len(), by_states.len())?;
    let mut weights = w.zeros();
    let empty = vec![Vec::new(); inputs.len()];
    let (mut by_inputs, mut states, mut memories) = (empty.clone(), empty.clone(), empty);
    let mut later = Start::zeros(cell, w.hidden());
    for t in (0..inputs.len()).rev() {
        size(
            &format!("derivatives by the state of step {}", t + 1),
            w.hidden(),
            by_states[t].len(),
        )?;
        let (h, c) = match t {
            0 => (&start.h, &start.c),
            _ => (&steps[t - 1].h, &steps[t - 1].c),
        };
        add_scaled(&mut later.h, 1.0, &by_states[t]);
        let back = step_back(cell, &steps[t], h, c, &later);
        weights.weight_ih.add_outer(&back.from_input, &inputs[t]);
        weights.weight_hh.add_outer(&back.from_state, h);
        add_scaled(&mut weights.bias_ih, 1.0, &back.from_input);
        add_scaled(&mut weights.bias_hh, 1.0, &back.from_state);
        by_inputs[t] = w.weight_ih.left_times(&back.from_input);
        let earlier =
            Start { h: plus(&w.weight_hh.left_times(&back.from_state), &back.h), c: back.c };
        let here = std::mem::replace(&mut later, earlier);
        (states[t], memories[t]) = (here.h, back.by_memory);
    }
    Ok(Gradients { weights, inputs: by_inputs, states, memories, start: later })
}

/// One step: what the gates get from the input and from the state, biases included, `[gates · hidden]` each,
/// and the state and memory before it.
pub(crate) fn step(
    cell: Cell,
    from_input: &[f64],
    from_state: Vec<f64>,
    h: &[f64],
    c: &[f64],
) -> Step {
    let n = h.len();
    let sum = |i: usize| from_input[i] + from_state[i];
    match cell {
        Cell::Tanh | Cell::Relu => {
            let f = |a: f64| if cell == Cell::Tanh { a.tanh() } else { a.max(0.0) };
            let h: Vec<f64> = (0..n).map(|i| f(sum(i))).collect();
            Step { gates: h.clone(), from_state, h, c: Vec::new() }
        }
        Cell::Lstm => {
            let gate = |i: usize| if i / n == 2 { sum(i).tanh() } else { sigmoid(sum(i)) };
            let gates: Vec<f64> = (0..4 * n).map(gate).collect();
            let [i, f, g, o] = [0, 1, 2, 3].map(|k| &gates[k * n..(k + 1) * n]);
            let c: Vec<f64> = (0..n).map(|j| f[j] * c[j] + i[j] * g[j]).collect();
            let h = (0..n).map(|j| o[j] * c[j].tanh()).collect();
            Step { from_state, h, c, gates }
        }
        Cell::Gru => {
            let mut gates: Vec<f64> = (0..2 * n).map(|i| sigmoid(sum(i))).collect();
            for j in 0..n {
                let new = from_input[2 * n + j] + gates[j] * from_state[2 * n + j];
                gates.push(new.tanh());
            }
            let h = (0..n).map(|j| {
                let (z, new) = (gates[n + j], gates[2 * n + j]);
                (1.0 - z) * new + z * h[j]
            });
            Step { h: h.collect(), from_state, gates, c: Vec::new() }
        }
    }
}

/// The derivatives that a step hands on.
struct Back {
    /// By what the input gives to the gates.
    from_input: Vec<f64>,
    /// By what the state gives to the gates.
    from_state: Vec<f64>,
    /// By the state before, past the gates.
    h: Vec<f64>,
    /// By the memory before.
    c: Vec<f64>,
    /// By this step's memory.
    by_memory: Vec<f64>,
}

fn step_back(cell: Cell, step: &Step, h: &[f64], c: &[f64], by: &Start) -> Back {
    let n = h.len();
    let g = &step.gates;
    match cell {
        Cell::Tanh | Cell::Relu => {
            let slope = |y: f64| match cell {
                Cell::Tanh => 1.0 - y * y,
                _ => f64::from(u8::from(y > 0.0)),
            };
            let by_a: Vec<f64> = (0..n).map(|j| by.h[j] * slope(g[j])).collect();
            let (from_state, none) = (by_a.clone(), Vec::new());
            let h = vec![0.0; n];
            Back { from_input: by_a, from_state, h, c: none.clone(), by_memory: none }
        }
        Cell::Lstm => {
            let mut by_a = vec![0.0; 4 * n];
            let (mut earlier, mut by_memory) = (vec![0.0; n], vec![0.0; n]);
            for j in 0..n {
                let [i, f, new, o] = [0, 1, 2, 3].map(|k| g[k * n + j]);
                let tanh = step.c[j].tanh();
                let by_c = by.c[j] + by.h[j] * o * (1.0 - tanh * tanh);
                by_a[j] = by_c * new * i * (1.0 - i);
                by_a[n + j] = by_c * c[j] * f * (1.0 - f);
                by_a[2 * n + j] = by_c * i * (1.0 - new * new);
                by_a[3 * n + j] = by.h[j] * tanh * o * (1.0 - o);
                (earlier[j], by_memory[j]) = (by_c * f, by_c);
            }
            Back {
                from_state: by_a.clone(),
                from_input: by_a,
                h: vec![0.0; n],
                c: earlier,
                by_memory,
            }
        }
        Cell::Gru => {
            let mut from_input = vec![0.0; 3 * n];
            let mut past = vec![0.0; n];
            for j in 0..n {
                let [r, z, new] = [0, 1, 2].map(|k| g[k * n + j]);
                let by_new = by.h[j] * (1.0 - z) * (1.0 - new * new);
                from_input[j] = by_new * step.from_state[2 * n + j] * r * (1.0 - r);
                from_input[n + j] = by.h[j] * (h[j] - new) * z * (1.0 - z);
                from_input[2 * n + j] = by_new;
                past[j] = by.h[j] * z;
            }
            let mut from_state = from_input.clone();
            (0..n).for_each(|j| from_state[2 * n + j] *= g[j]);
            Back { from_input, from_state, h: past, c: Vec::new(), by_memory: Vec::new() }
        }
    }
}

fn check(cell: Cell, w: &Weights, inputs: &[Vec<f64>], start: &Start) -> Result<()> {
    w.check(cell)?;
    let zeros = Start::zeros(cell, w.hidden());
    size("values of the first state", zeros.h.len(), start.h.len())?;
    size("values of the first memory", zeros.c.len(), start.c.len())?;
    for (t, x) in inputs.iter().enumerate() {
        size(&format!("values of input {}", t + 1), w.inputs(), x.len())?;
    }
    Ok(())
}

fn size(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    let (expected, found) = (expected.to_string(), found.to_string());
    Err(Error::Size { what: what.to_owned(), expected, found })
}

fn plus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(x, y)| x + y).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
