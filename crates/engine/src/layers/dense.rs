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
        let n = x.len() / self.inputs;
        if split > 1 && n == 1 && self.forward.len() > SPLIT_WEIGHTS {
            return self.forward_split(x, y, relu, split);
        }
        let epilogue = Epilogue { bias: self.bias.as_deref(), relu, accumulate: false };
        let size = [n, self.inputs, self.outputs];
        gemm::matmul(self.isa, size, x, &self.forward, y, epilogue);
    }

    /// One row, its outputs shared out among threads by whole panels of the weights.
    fn forward_split(&self, x: &[f32], y: &mut [f32], relu: bool, split: usize) {
        let width = gemm::panel_width(self.isa);
        let each = self.outputs.div_ceil(width).div_ceil(split) * width;
        let weights = self.forward.par_chunks(each * self.inputs);
        y.par_chunks_mut(each).zip(weights).enumerate().for_each(|(part, (y, weights))| {
            let bias = self.bias.as_ref().map(|bias| &bias[part * each..part * each + y.len()]);
            let epilogue = Epilogue { bias, relu, accumulate: false };
            gemm::matmul(self.isa, [1, self.inputs, y.len()], x, weights, y, epilogue);
        });
    }

    /// Adds the gradients of the input and of the weight, where wanted.
    pub(crate) fn backward(
        &self,
        x: &[f32],
        dy: &[f32],
        dx: Option<&mut [f32]>,
        dw: Option<&mut [f32]>,
    ) {
        let n = x.len() / self.inputs;
        if let Some(dw) = dw {
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
            let size = [n, self.outputs, self.inputs];
            gemm::matmul(self.isa, size, dy, &self.backward, dx, epilogue);
        }
    }
}
