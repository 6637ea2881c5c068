//! Dense layers: a matrix times each sample's vector.

use rayon::prelude::*;

use crate::kernels::Isa;
use crate::kernels::gemm::{self, Cols, Epilogue};

/// Weights from which on threads share the outputs of one row.
const SPLIT_WEIGHTS: usize = 1 << 20;

/// `y = W x + b` with `W` of `[outputs, inputs]`.
#[derive(Clone)]
pub(crate) struct Dense {
    isa: Isa,
    inputs: usize,
    outputs: usize,
    forward: Vec<f32>,
    backward: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl Dense {
    pub(crate) fn new(isa: Isa, inputs: usize, outputs: usize, has_bias: bool) -> Dense {
        let bias = has_bias.then(|| vec![0.0; outputs]);
        Dense { isa, inputs, outputs, forward: Vec::new(), backward: Vec::new(), bias }
    }

    pub(crate) fn prepare(&mut self, weight: &[f32], bias: Option<&[f32]>, gradients: bool) {
        let (isa, k, n) = (self.isa, self.inputs, self.outputs);
        if let (Some(own), Some(new)) = (&mut self.bias, bias) {
            own.copy_from_slice(new);
        }
        self.forward.resize(gemm::packed_len(isa, k, n), 0.0);
        gemm::pack(isa, k, n, |i, o| weight[o * k + i], &mut self.forward);
        if gradients {
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
