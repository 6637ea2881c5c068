//! One layer, forward and back.

use super::{Cell, Parameters, Start, Steps, Tape};
use crate::{Error, Isa, Result};

/// What a layer reads, row by row as [`Steps`] packs them.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// `[rows, inputs]`
    Values(&'a [f32]),
    /// A symbol a row. `table[symbol]` is what the symbol gives to the gates, `W_ih x + b_ih`,
    /// `[symbols, gates · hidden]`: the product of embedding and weights, made once a batch instead of once a
    /// row. The layer's own `weight_ih` and `bias_ih` are not looked at.
    Symbols {
        /// `[rows]`
        symbols: &'a [u8],
        /// `[symbols, gates · hidden]`
        table: &'a [f32],
    },
}

/// Where the derivative by the input goes.
#[derive(Debug)]
pub enum InputGradient<'a> {
    /// `[rows, inputs]`, overwritten; for [`Input::Values`].
    Values(&'a mut [f32]),
    /// `[symbols, gates · hidden]`, added to; for [`Input::Symbols`].
    Table(&'a mut [f32]),
    /// Not wanted; for [`Input::Values`].
    None,
}

/// A layer's weights, laid out for the kernels.
#[derive(Clone, Debug)]
pub struct Layer {
    cell: Cell,
    weights: Parameters,
    isa: Isa,
}

impl Layer {
    /// Lays the weights out.
    ///
    /// # Errors
    /// [`Error::Sequences`] where an array's length is not that of its sizes.
    pub fn new(cell: Cell, weights: &Parameters, isa: Isa) -> Result<Layer> {
        let expected = Parameters::zeros(cell, weights.inputs, weights.hidden);
        let lengths = |p: &Parameters| p.arrays().map(<[f32]>::len);
        if weights.hidden == 0 || lengths(&expected) != lengths(weights) {
            return Err(Error::Sequences(format!(
                "weights of a recurrent layer: expected arrays of {:?} values for {} inputs and {} \
                 states, found {:?}",
                lengths(&expected),
                weights.inputs,
                weights.hidden,
                lengths(weights)
            )));
        }
        Ok(Layer { cell, weights: weights.clone(), isa })
    }

    /// Runs a batch; `tape` then holds its states.
    ///
    /// # Panics
    /// Where input, start and steps do not fit together.
    pub fn forward(&self, input: Input<'_>, steps: &Steps, start: &Start, tape: &mut Tape) {
        let n = self.weights.hidden;
        self.check(input, steps, start);
        tape.prepare(self.cell, n, steps.rows());
        let mut from_state = vec![0.0; self.cell.gates() * n];
        let mut from_input = from_state.clone();
        let zeros = vec![0.0; n];
        for t in 0..steps.len() {
            for row in steps.rows_of(t) {
                let before = before(steps, t, row);
                let h = state(&tape.h, &start.h, before, n, &zeros);
                affine(&self.weights.weight_hh, &self.weights.bias_hh, h, &mut from_state);
                self.project(input, row, &mut from_input);
                self.step(row, before, start, &from_input, &from_state, tape);
            }
        }
    }

    fn project(&self, input: Input<'_>, row: usize, out: &mut [f32]) {
        match input {
            Input::Symbols { symbols, table } => {
                let first = usize::from(symbols[row]) * out.len();
                out.copy_from_slice(&table[first..first + out.len()]);
            }
            Input::Values(x) => {
                let inputs = self.weights.inputs;
                let x = &x[row * inputs..(row + 1) * inputs];
                affine(&self.weights.weight_ih, &self.weights.bias_ih, x, out);
            }
        }
    }

    fn step(
        &self,
        row: usize,
        before: Before,
        start: &Start,
        from_input: &[f32],
        from_state: &[f32],
        tape: &mut Tape,
    ) {
        let n = self.weights.hidden;
        let width = self.cell.gates() * n;
        let zeros = vec![0.0; n];
        let h = state(&tape.h, &start.h, before, n, &zeros).to_vec();
        let gates = &mut tape.gates[row * width..(row + 1) * width];
        let sum = |i: usize| from_input[i] + from_state[i];
        let here = row * n..(row + 1) * n;
        match self.cell {
            Cell::Tanh | Cell::Relu => {
                let tanh = self.cell == Cell::Tanh;
                (0..n).for_each(|i| gates[i] = if tanh { sum(i).tanh() } else { sum(i).max(0.0) });
                tape.h[here].copy_from_slice(gates);
            }
            Cell::Lstm => {
                for (i, gate) in gates.iter_mut().enumerate() {
                    *gate = if i / n == 2 { sum(i).tanh() } else { sigmoid(sum(i)) };
                }
                let c = state(&tape.c, &start.c, before, n, &zeros);
                let c: Vec<f32> =
                    (0..n).map(|j| gates[n + j] * c[j] + gates[j] * gates[2 * n + j]).collect();
                for j in 0..n {
                    tape.h[row * n + j] = gates[3 * n + j] * c[j].tanh();
                }
                tape.c[here].copy_from_slice(&c);
            }
            Cell::Gru => {
                (0..2 * n).for_each(|i| gates[i] = sigmoid(sum(i)));
                tape.new_from_state[here].copy_from_slice(&from_state[2 * n..]);
                for j in 0..n {
                    let new = (from_input[2 * n + j] + gates[j] * from_state[2 * n + j]).tanh();
                    gates[2 * n + j] = new;
                    tape.h[row * n + j] = (1.0 - gates[n + j]) * new + gates[n + j] * h[j];
                }
            }
        }
    }

    /// Goes back through the batch that `tape` holds. `by_states` is the derivative by each `h(t)` as far as
    /// it is used outside, `[rows, hidden]`; derivatives by the weights are **added** to `gradient`.
    ///
    /// # Panics
    /// Where something does not fit together, or `tape` is not that of the forward pass.
    #[allow(clippy::too_many_arguments)] // the forward pass's four, and what goes in and comes out
    pub fn backward(
        &self,
        input: Input<'_>,
        steps: &Steps,
        start: &Start,
        tape: &mut Tape,
        by_states: &[f32],
        gradient: &mut Parameters,
        mut by_input: InputGradient<'_>,
    ) {
        let n = self.weights.hidden;
        self.check(input, steps, start);
        assert_eq!(by_states.len(), steps.rows() * n, "derivatives by states");
        assert_eq!(tape.h.len(), steps.rows() * n, "the tape of another batch");
        let width = self.cell.gates() * n;
        let (mut by_h, mut by_c) =
            (vec![0.0; steps.sequences() * n], vec![0.0; steps.sequences() * n]);
        if tape.keep_state_gradients {
            tape.by_h.resize(tape.h.len(), 0.0);
            tape.by_c.resize(tape.c.len(), 0.0);
        }
        let zeros = vec![0.0; n];
        for t in (0..steps.len()).rev() {
            for row in steps.rows_of(t) {
                let i = row - steps.rows_of(t).start;
                let (by_h, by_c) = (&mut by_h[i * n..(i + 1) * n], &mut by_c[i * n..(i + 1) * n]);
                by_h.iter_mut().zip(&by_states[row * n..]).for_each(|(a, b)| *a += b);
                let before = before(steps, t, row);
                let h = state(&tape.h, &start.h, before, n, &zeros).to_vec();
                if tape.keep_state_gradients {
                    tape.by_h[row * n..(row + 1) * n].copy_from_slice(by_h);
                }
                let mut from_state = self.step_back(row, before, start, &h, tape, by_h, by_c);
                let from_input = &tape.gates[row * width..(row + 1) * width];
                outer(&mut gradient.weight_hh, &from_state, &h);
                add(&mut gradient.bias_hh, &from_state);
                match (&mut by_input, input) {
                    (InputGradient::Table(table), Input::Symbols { symbols, .. }) => {
                        add(&mut table[usize::from(symbols[row]) * width..][..width], from_input);
                    }
                    (by_input, Input::Values(x)) => {
                        let inputs = self.weights.inputs;
                        let place = row * inputs..(row + 1) * inputs;
                        outer(&mut gradient.weight_ih, from_input, &x[place.clone()]);
                        add(&mut gradient.bias_ih, from_input);
                        if let InputGradient::Values(by_x) = by_input {
                            by_x[place.clone()].fill(0.0);
                            left_times(&self.weights.weight_ih, from_input, &mut by_x[place]);
                        }
                    }
                    _ => panic!("the derivative by symbols is a table's"),
                }
                left_times(&self.weights.weight_hh, &from_state, by_h);
                from_state.clear();
            }
        }
    }

    /// Puts the derivatives by what the input gives to the gates into the tape, returns those by what the
    /// state gives, and leaves in `by_h` and `by_c` what goes back past the gates.
    #[allow(clippy::too_many_arguments)]
    fn step_back(
        &self,
        row: usize,
        before: Before,
        start: &Start,
        h: &[f32],
        tape: &mut Tape,
        by_h: &mut [f32],
        by_c: &mut [f32],
    ) -> Vec<f32> {
        let n = self.weights.hidden;
        let width = self.cell.gates() * n;
        let g = &mut tape.gates[row * width..(row + 1) * width];
        match self.cell {
            Cell::Tanh | Cell::Relu => {
                for j in 0..n {
                    let slope = match self.cell {
                        Cell::Tanh => 1.0 - g[j] * g[j],
                        _ => f32::from(u8::from(g[j] > 0.0)),
                    };
                    g[j] = by_h[j] * slope;
                }
                by_h.fill(0.0);
                g.to_vec()
            }
            Cell::Lstm => {
                let zeros = vec![0.0; n];
                let c = state(&tape.c, &start.c, before, n, &zeros);
                for j in 0..n {
                    let [i, f, new, o] = [0, 1, 2, 3].map(|k| g[k * n + j]);
                    let tanh = tape.c[row * n + j].tanh();
                    let by = by_c[j] + by_h[j] * o * (1.0 - tanh * tanh);
                    g[j] = by * new * i * (1.0 - i);
                    g[n + j] = by * c[j] * f * (1.0 - f);
                    g[2 * n + j] = by * i * (1.0 - new * new);
                    g[3 * n + j] = by_h[j] * tanh * o * (1.0 - o);
                    by_c[j] = by * f;
                    if tape.keep_state_gradients {
                        tape.by_c[row * n + j] = by;
                    }
                }
                by_h.fill(0.0);
                g.to_vec()
            }
            Cell::Gru => {
                let mut from_state = vec![0.0; width];
                for j in 0..n {
                    let [r, z, new] = [0, 1, 2].map(|k| g[k * n + j]);
                    let by_new = by_h[j] * (1.0 - z) * (1.0 - new * new);
                    g[j] = by_new * tape.new_from_state[row * n + j] * r * (1.0 - r);
                    g[n + j] = by_h[j] * (h[j] - new) * z * (1.0 - z);
                    g[2 * n + j] = by_new;
                    from_state[j] = g[j];
                    from_state[n + j] = g[n + j];
                    from_state[2 * n + j] = by_new * r;
                    by_h[j] *= z;
                }
                from_state
            }
        }
    }

    fn check(&self, input: Input<'_>, steps: &Steps, start: &Start) {
        let (rows, n) = (steps.rows(), self.weights.hidden);
        match input {
            Input::Values(x) => assert_eq!(x.len(), rows * self.weights.inputs, "inputs"),
            Input::Symbols { symbols, table } => {
                assert_eq!(symbols.len(), rows, "symbols");
                let largest = symbols.iter().max().map_or(0, |&s| usize::from(s) + 1);
                assert!(table.len() >= largest * self.cell.gates() * n, "symbol without a row");
            }
        }
        for values in [&start.h, &start.c] {
            assert!(values.is_empty() || values.len() == steps.counts()[0] * n, "start");
        }
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
        Before::Row(row) => &rows[row * n..(row + 1) * n],
        Before::Start(i) if !start.is_empty() => &start[i * n..(i + 1) * n],
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
