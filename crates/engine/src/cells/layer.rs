//! One layer, forward and back.
//!
//! Only what each step needs from the one before goes step by step. The rest, products with the inputs and
//! the gradients of the weights, is done for a block of steps at once, while their rows are in the cache.

use std::ops::Range;

use super::buffer::Buffer;
use super::tape::Block;
use super::{Cell, Parameters, Start, Steps, Tape};
use crate::kernels::cells::{self as kernels, Began, FromInput};
use crate::kernels::gemm::{self, Cols, Epilogue, Rows};
use crate::kernels::tail::Tail;
use crate::{Error, Isa, Result};

/// Rows that make a block, or more where a single step has more.
const BLOCK: usize = 128;

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
    isa: Isa,
    inputs: usize,
    hidden: usize,
    /// `W_hhᵀ` and `W_ihᵀ`, packed: from states and inputs to gates.
    from_state: Buffer,
    from_input: Buffer,
    /// `W_hh` and `W_ih`, packed: back. In the order of the rows of [`kernels::Backward::by_gates`].
    to_state: Buffer,
    to_input: Buffer,
    bias_ih: Buffer,
    bias_hh: Buffer,
}

impl Layer {
    /// Lays the weights out.
    ///
    /// # Errors
    /// [`Error::Sequences`] where an array's length is not that of its sizes, [`Error::Isa`] where this machine
    /// lacks the instructions.
    pub fn new(cell: Cell, weights: &Parameters, isa: Isa) -> Result<Layer> {
        if !isa.is_available() {
            return Err(Error::Isa(isa, Isa::available().iter().map(Isa::to_string).collect()));
        }
        let &Parameters { inputs, hidden, .. } = weights;
        let mut layer = Layer {
            cell,
            isa,
            inputs,
            hidden,
            from_state: Buffer::default(),
            from_input: Buffer::default(),
            to_state: Buffer::default(),
            to_input: Buffer::default(),
            bias_ih: Buffer::default(),
            bias_hh: Buffer::default(),
        };
        layer.load(weights)?;
        Ok(layer)
    }

    /// Takes other weights of the same sizes, as after a step of training. Takes no memory.
    ///
    /// # Errors
    /// [`Error::Sequences`] where the sizes are others.
    pub fn load(&mut self, weights: &Parameters) -> Result<()> {
        self.check_weights(weights)?;
        let (isa, inputs, n) = (self.isa, self.inputs, self.hidden);
        let width = self.cell.gates() * n;
        let shift = kernels::by_state_at(self.cell, n);
        // The rows of `by_gates` begin with the last gate where they are shifted.
        let gate = |k: usize| if k < shift { width - shift + k } else { k - shift };
        let to_state = |g: usize| &weights.weight_hh[g * n..(g + 1) * n];
        let to_input = |g: usize| &weights.weight_ih[g * inputs..(g + 1) * inputs];
        let len = |k: usize, n: usize| gemm::packed_len(isa, k, n);
        let out = self.from_state.prepare(len(n, width));
        gemm::pack_columns(isa, n, width, to_state, out);
        let out = self.to_state.prepare(len(width, n));
        gemm::pack_rows(isa, width, n, to_state, out);
        let out = self.from_input.prepare(len(inputs, width));
        gemm::pack_columns(isa, inputs, width, to_input, out);
        let out = self.to_input.prepare(len(width, inputs));
        gemm::pack_rows(isa, width, inputs, |k| to_input(gate(k)), out);
        self.bias_ih.prepare(width).copy_from_slice(&weights.bias_ih);
        self.bias_hh.prepare(width).copy_from_slice(&weights.bias_hh);
        Ok(())
    }

    fn check_weights(&self, weights: &Parameters) -> Result<()> {
        let (inputs, n) = (self.inputs, self.hidden);
        let rows = self.cell.gates() * n;
        let expected = [rows * inputs, rows * n, rows, rows];
        let found = weights.arrays().map(<[f32]>::len);
        if n == 0 || found != expected || [weights.inputs, weights.hidden] != [inputs, n] {
            return Err(Error::Sequences(format!(
                "weights of a recurrent layer: expected arrays of {expected:?} values for {inputs} inputs \
                 and {n} states, found {found:?}"
            )));
        }
        Ok(())
    }

    fn width(&self) -> usize {
        self.cell.gates() * self.hidden
    }

    /// Runs a batch; `tape` then holds its states.
    ///
    /// # Panics
    /// Where input, start and steps do not fit together.
    pub fn forward(&self, input: Input<'_>, steps: &Steps, start: &Start, tape: &mut Tape) {
        self.check(input, steps);
        tape.prepare(self.cell, self.hidden, steps.rows());
        match input {
            Input::Symbols { symbols, table } if !steps.is_empty() => {
                let from_input = FromInput::Table { symbols, table };
                let Tape { block, h, c, gates, new_from_state, .. } = tape;
                self.run(
                    steps,
                    0..steps.len(),
                    from_input,
                    start,
                    &block.zeros,
                    [h, c, gates, new_from_state],
                );
            }
            Input::Symbols { .. } => {}
            Input::Values(x) => {
                let mut first = 0;
                while first < steps.len() {
                    let range = first..block_end(steps, first);
                    let Tape { block, h, c, gates, new_from_state, .. } = tape;
                    let Block { from_input, zeros, .. } = block;
                    self.project(x, rows_of(steps, &range), from_input);
                    let from_input = FromInput::Rows(from_input);
                    first = range.end;
                    self.run(steps, range, from_input, start, zeros, [h, c, gates, new_from_state]);
                }
            }
        }
    }

    fn run(
        &self,
        steps: &Steps,
        range: Range<usize>,
        from_input: FromInput<'_>,
        start: &Start,
        zeros: &[f32],
        [h, c, gates, new_from_state]: [&mut Buffer; 4],
    ) {
        let forward = kernels::Forward {
            cell: self.cell,
            hidden: self.hidden,
            steps,
            range,
            weights: &self.from_state,
            bias: &self.bias_hh,
            from_input,
            start: Began { h: &start.h, c: &start.c },
            h,
            c,
            gates,
            new_from_state,
            zeros,
        };
        kernels::forward(self.isa, forward);
    }

    /// `W_ih x + b_ih` for some rows.
    fn project(&self, x: &[f32], rows: Range<usize>, out: &mut Buffer) {
        let (inputs, width) = (self.inputs, self.width());
        let out = out.prepare(rows.len() * width);
        let size = [rows.len(), inputs, width];
        let x = &x[rows.start * inputs..rows.end * inputs];
        let epilogue = Epilogue { bias: Some(&self.bias_ih), ..Epilogue::default() };
        gemm::matmul(self.isa, size, x, &self.from_input, out, epilogue);
    }

    /// Goes back through the batch that `tape` holds. `by_states` is the derivative by each `h(t)` as far as
    /// it is used outside, `[rows, hidden]`, or `[sequences, hidden]` where the states after the last step
    /// alone are used; derivatives by the weights are **added** to `gradient`.
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
        let n = self.hidden;
        self.check(input, steps);
        self.check_gradients(input, steps, gradient, &by_input);
        assert_eq!([tape.hidden, tape.h.len()], [n, steps.rows() * n], "the tape of another batch");
        let memory = |rows: usize| if self.cell.has_memory() { rows * n } else { 0 };
        let carried = tape.carried_h.zeros(steps.sequences() * n);
        let mut by_states = by_states;
        if by_states.len() == carried.len() {
            carried.copy_from_slice(by_states);
            by_states = &[];
        }
        tape.carried_c.zeros(memory(steps.sequences()));
        let kept = if tape.keep_state_gradients { steps.rows() } else { 0 };
        tape.by_h.prepare(kept * n);
        tape.by_c.prepare(memory(kept));
        let mut end = steps.len();
        while end > 0 {
            let range = block_start(steps, end)..end;
            end = range.start;
            let rows = rows_of(steps, &range);
            self.run_back(steps, range, start, tape, by_states);
            self.add_weights(input, rows.clone(), &tape.block, gradient);
            self.add_inputs(input, rows, &mut tape.block, &mut by_input);
        }
    }

    fn run_back(
        &self,
        steps: &Steps,
        range: Range<usize>,
        start: &Start,
        tape: &mut Tape,
        by_states: &[f32],
    ) {
        let (cell, n) = (self.cell, self.hidden);
        let rows = rows_of(steps, &range).len();
        let Block { by_gates, before, zeros, .. } = &mut tape.block;
        let backward = kernels::Backward {
            cell,
            hidden: n,
            steps,
            range,
            weights: &self.to_state,
            start: Began { h: &start.h, c: &start.c },
            h: &tape.h,
            c: &tape.c,
            gates: &tape.gates,
            new_from_state: &tape.new_from_state,
            by_states,
            carried_h: &mut tape.carried_h,
            carried_c: &mut tape.carried_c,
            by_gates: by_gates.prepare(rows * kernels::gate_stride(cell, n)),
            before: before.prepare(rows * n),
            kept_h: &mut tape.by_h,
            kept_c: &mut tape.by_c,
            zeros,
        };
        kernels::backward(self.isa, backward);
    }

    /// Adds a block's derivatives by the weights.
    fn add_weights(
        &self,
        input: Input<'_>,
        rows: Range<usize>,
        block: &Block,
        gradient: &mut Parameters,
    ) {
        let (isa, n, width) = (self.isa, self.hidden, self.width());
        let stride = kernels::gate_stride(self.cell, n);
        let shift = kernels::by_state_at(self.cell, n);
        let count = rows.len();
        // Columns of `by_gates` and rows of a gradient, from where and how many.
        let cols = |from: usize, to: usize, height: usize, b: &[f32], n: usize, c: &mut [f32]| {
            let (segments, accumulate) = (&[(from, 0)], true);
            let (a, c) = (&block.by_gates, &mut c[to * n..]);
            let (inner, step_a, step_b, rows) = (count, stride, n, height);
            let args =
                Cols { a, b, segments, inner, step_a, step_b, rows, n, c, ldc: n, accumulate };
            gemm::cols(isa, args);
        };
        cols(shift, 0, width, &block.before, n, &mut gradient.weight_hh);
        kernels::sum_rows(isa, &block.by_gates[shift..], stride, count, &mut gradient.bias_hh);
        if let Input::Values(x) = input {
            let inputs = self.inputs;
            let x = &x[rows.start * inputs..rows.end * inputs];
            cols(shift, 0, width - shift, x, inputs, &mut gradient.weight_ih);
            cols(0, width - shift, shift, x, inputs, &mut gradient.weight_ih);
            let (bias, last) = gradient.bias_ih.split_at_mut(width - shift);
            kernels::sum_rows(isa, &block.by_gates[shift..], stride, count, bias);
            kernels::sum_rows(isa, &block.by_gates, stride, count, last);
        }
    }

    /// The derivative by a block's inputs.
    fn add_inputs(
        &self,
        input: Input<'_>,
        rows: Range<usize>,
        block: &mut Block,
        by_input: &mut InputGradient<'_>,
    ) {
        let (isa, n, width, inputs) = (self.isa, self.hidden, self.width(), self.inputs);
        let stride = kernels::gate_stride(self.cell, n);
        let shift = kernels::by_state_at(self.cell, n);
        match (by_input, input) {
            (InputGradient::Table(table), Input::Symbols { symbols, .. }) => {
                let (symbols, by_gates) = (&symbols[rows], &block.by_gates);
                let first = width - shift;
                kernels::scatter_rows(
                    isa,
                    &by_gates[shift..],
                    stride,
                    first,
                    symbols,
                    table,
                    width,
                );
                if shift > 0 {
                    let table = &mut table[first..];
                    kernels::scatter_rows(isa, by_gates, stride, shift, symbols, table, width);
                }
            }
            (InputGradient::Values(by_x), Input::Values(_)) if inputs > 0 => {
                block.rows.clear();
                block.rows.extend((0..rows.len()).map(|row| row * stride));
                let args = Rows {
                    a: &block.by_gates,
                    rows: &block.rows,
                    segments: &[0],
                    inner: width,
                    b: &self.to_input,
                    n: inputs,
                    c: &mut by_x[rows.start * inputs..rows.end * inputs],
                    ldc: inputs,
                    epilogue: Epilogue::default(),
                    tail: Tail::default(),
                };
                gemm::rows(isa, args);
            }
            _ => {}
        }
    }

    fn check(&self, input: Input<'_>, steps: &Steps) {
        match input {
            Input::Values(x) => assert_eq!(x.len(), steps.rows() * self.inputs, "inputs"),
            Input::Symbols { symbols, .. } => assert_eq!(symbols.len(), steps.rows(), "symbols"),
        }
    }

    fn check_gradients(
        &self,
        input: Input<'_>,
        steps: &Steps,
        gradient: &Parameters,
        by_input: &InputGradient<'_>,
    ) {
        self.check_weights(gradient).expect("the gradient has the sizes of the weights");
        match (input, by_input) {
            (Input::Symbols { table, .. }, InputGradient::Table(by_table)) => {
                assert_eq!(by_table.len(), table.len(), "derivatives by the table");
            }
            (Input::Values(_), InputGradient::Values(by_x)) => {
                assert_eq!(by_x.len(), steps.rows() * self.inputs, "derivatives by inputs");
            }
            (Input::Values(_), InputGradient::None) => {}
            _ => panic!("the derivative by symbols is a table's, that by values is values'"),
        }
    }
}

fn rows_of(steps: &Steps, range: &Range<usize>) -> Range<usize> {
    steps.rows_of(range.start).start..steps.rows_of(range.end - 1).end
}

/// Where the block that begins with step `first` ends: at the first step with which it has enough rows.
fn block_end(steps: &Steps, first: usize) -> usize {
    let start = steps.rows_of(first).start;
    let full = |&t: &usize| steps.rows_of(t).end - start >= BLOCK;
    (first..steps.len()).find(full).map_or(steps.len(), |t| t + 1)
}

/// Where the block that ends before step `end` begins.
fn block_start(steps: &Steps, end: usize) -> usize {
    let last = steps.rows_of(end - 1).end;
    (0..end).rev().find(|&t| last - steps.rows_of(t).start >= BLOCK).unwrap_or(0)
}
