//! Dense layers: a matrix times each sample's vector.

use std::sync::Arc;

use rayon::prelude::*;

use crate::kernels::Isa;
use crate::kernels::gemm::{self, Cols, Epilogue};
use crate::layers::{Passes, pointwise};

/// Weights from which on threads share the outputs of one row.
const SPLIT_WEIGHTS: usize = 1 << 20;

/// `y = W x + b` with `W` of `[outputs, inputs]`.
#[derive(Clone)]
pub(crate) struct Dense {
    isa: Isa,
    inputs: usize,
    outputs: usize,
    /// Shared with the layer that this one was made from.
    forward: Arc<Vec<f32>>,
    backward: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl Dense {
    pub(crate) fn new(isa: Isa, inputs: usize, outputs: usize, has_bias: bool) -> Dense {
        let bias = has_bias.then(|| vec![0.0; outputs]);
        Dense { isa, inputs, outputs, forward: Arc::default(), backward: Vec::new(), bias }
    }

    pub(crate) fn prepare(&mut self, weight: &[f32], bias: Option<&[f32]>, passes: Passes) {
        let (isa, k, n) = (self.isa, self.inputs, self.outputs);
        if let (Some(own), Some(new)) = (&mut self.bias, bias) {
            own.copy_from_slice(new);
        }
        if passes.forward() {
            let forward = Arc::make_mut(&mut self.forward);
            forward.resize(gemm::packed_len(isa, k, n), 0.0);
            gemm::pack(isa, k, n, |i, o| weight[o * k + i], forward);
        }
        if passes.backward() {
            self.backward.resize(gemm::packed_len(isa, n, k), 0.0);
            gemm::pack(isa, n, k, |o, i| weight[o * k + i], &mut self.backward);
        }
    }

    /// Of as many rows as `x` has.
    pub(crate) fn forward(&self, x: &[f32], y: &mut [f32], relu: bool, split: usize) {
        let epilogue = Epilogue { bias: self.bias.as_deref(), relu, accumulate: false };
        self.product([self.inputs, self.outputs], x, &self.forward, y, epilogue, split);
    }

    /// `y = x W` of any number of rows. The outputs of a single one are shared out among threads by whole
    /// panels of the weights.
    fn product(
        &self,
        [k, n]: [usize; 2],
        x: &[f32],
        weights: &[f32],
        y: &mut [f32],
        epilogue: Epilogue<'_>,
        split: usize,
    ) {
        let rows = x.len() / k;
        if split <= 1 || rows != 1 || weights.len() <= SPLIT_WEIGHTS {
            return gemm::matmul(self.isa, [rows, k, n], x, weights, y, epilogue);
        }
        let width = gemm::panel_width(self.isa);
        let each = n.div_ceil(width).div_ceil(split) * width;
        let parts = y.par_chunks_mut(each).zip(weights.par_chunks(each * k)).enumerate();
        parts.for_each(|(part, (y, weights))| {
            let bias = epilogue.bias.map(|bias| &bias[part * each..part * each + y.len()]);
            let epilogue = Epilogue { bias, ..epilogue };
            gemm::matmul(self.isa, [1, k, y.len()], x, weights, y, epilogue);
        });
    }

    /// Adds the gradients of the input and of the weight, where wanted.
    pub(crate) fn backward(
        &self,
        x: &[f32],
        dy: &[f32],
        dx: Option<&mut [f32]>,
        dw: Option<&mut [f32]>,
        split: usize,
    ) {
        if let Some(dw) = dw {
            let n = x.len() / self.inputs;
            let args = Cols {
                a: dy,
                b: x,
                segments: &[(0, 0)],
                inner: n,
                step_a: self.outputs,
                step_b: self.inputs,
                rows: self.outputs,
                n: self.inputs,
                c: dw,
                ldc: self.inputs,
                accumulate: true,
            };
            gemm::cols(self.isa, args);
        }
        if let Some(dx) = dx {
            let epilogue = Epilogue { accumulate: true, ..Epilogue::default() };
            self.product([self.outputs, self.inputs], dy, &self.backward, dx, epilogue, split);
        }
    }
}

/// Other values of a node's parameters: from the parameter's place among the node's and some of its
/// values, which it may be given in any parts, to as many others.
pub type Change<'a> = &'a (dyn Fn(usize, &[f32], &mut [f32]) + Sync);

/// A dense layer whose weights are changed as they are read, never stored: for a few rows of `x`, which
/// take little more time than the reading.
pub(crate) struct Streamed<'a> {
    pub(crate) isa: Isa,
    pub(crate) inputs: usize,
    /// `[outputs, inputs]`.
    pub(crate) weight: &'a [f32],
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) change: Change<'a>,
}

/// Outputs whose weights are changed together, and inputs of a stretch of them: half a megabyte.
const STREAMED: [usize; 2] = [32, 4096];

impl Streamed<'_> {
    fn outputs(&self) -> usize {
        self.weight.len() / self.inputs
    }

    /// `y = W x + b` of as many rows as `x` has. Threads share the outputs.
    pub(crate) fn forward(&self, x: &[f32], y: &mut [f32]) {
        let (k, n) = (self.inputs, self.outputs());
        let mut biases = vec![0.0; n];
        if let Some(bias) = self.bias {
            (self.change)(1, bias, &mut biases);
        }
        let sums: Vec<Vec<f32>> = self
            .weight
            .par_chunks(k)
            .zip(&biases)
            .map_init(
                || vec![0.0; k],
                |changed, (weights, bias)| {
                    (self.change)(0, weights, changed);
                    let rows = x.chunks_exact(k);
                    rows.map(|x| bias + pointwise::dot(self.isa, x, changed)).collect()
                },
            )
            .collect();
        for (row, y) in y.chunks_exact_mut(n).enumerate() {
            y.iter_mut().zip(&sums).for_each(|(y, sums)| *y = sums[row]);
        }
    }

    /// Adds the gradient of the input. Threads share the inputs.
    pub(crate) fn backward(&self, dy: &[f32], dx: &mut [f32]) {
        let (k, n, [lines, stretch]) = (self.inputs, self.outputs(), STREAMED);
        for (dy, dx) in dy.chunks_exact(n).zip(dx.chunks_exact_mut(k)) {
            dx.par_chunks_mut(stretch).enumerate().for_each(|(part, dx)| {
                let mut changed = vec![0.0; lines * dx.len()];
                for (block, dy) in dy.chunks(lines).enumerate() {
                    for (i, changed) in
                        changed.chunks_exact_mut(dx.len()).enumerate().take(dy.len())
                    {
                        let from = (block * lines + i) * k + part * stretch;
                        (self.change)(0, &self.weight[from..from + dx.len()], changed);
                    }
                    let args = Cols {
                        a: dy,
                        b: &changed,
                        segments: &[(0, 0)],
                        inner: dy.len(),
                        step_a: 1,
                        step_b: dx.len(),
                        rows: 1,
                        n: dx.len(),
                        c: dx,
                        ldc: changed.len() / lines,
                        accumulate: true,
                    };
                    gemm::cols(self.isa, args);
                }
            });
        }
    }
}
