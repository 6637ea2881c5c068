//! Batch normalisation (Ioffe & Szegedy 2015), channels innermost.
//!
//! With running statistics it is a scale and a shift. In training the statistics are those of the
//! whole batch, gathered from all chunks between two phases of a step (see `trainer`): sums in a
//! fixed order, so that the bits do not depend on the number of threads.

/// Parameters of one batch normalisation.
#[derive(Clone, Debug)]
pub(crate) struct BatchNorm {
    pub(crate) epsilon: f32,
    pub(crate) momentum: f32,
    pub(crate) scale: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    /// Mean and 1 / √(variance + ε) that the forward pass normalises with.
    pub(crate) mean: Vec<f32>,
    pub(crate) inverse: Vec<f32>,
    /// In training: sums over the batch of `dy` and of `dy · x̂`, over its number of values.
    pub(crate) mean_dy: Vec<f32>,
    pub(crate) mean_dy_x: Vec<f32>,
}

impl BatchNorm {
    pub(crate) fn new(channels: usize, epsilon: f32, momentum: f32) -> BatchNorm {
        let zeros = || vec![0.0; channels];
        BatchNorm {
            epsilon,
            momentum,
            scale: zeros(),
            bias: zeros(),
            mean: zeros(),
            inverse: zeros(),
            mean_dy: zeros(),
            mean_dy_x: zeros(),
        }
    }

    pub(crate) fn channels(&self) -> usize {
        self.scale.len()
    }

    /// Takes scale, bias and running statistics.
    pub(crate) fn prepare(&mut self, scale: &[f32], bias: &[f32], mean: &[f32], var: &[f32]) {
        self.scale.copy_from_slice(scale);
        self.bias.copy_from_slice(bias);
        self.mean.copy_from_slice(mean);
        for (inverse, var) in self.inverse.iter_mut().zip(var) {
            *inverse = 1.0 / (var + self.epsilon).sqrt();
        }
    }

    pub(crate) fn forward(&self, x: &[f32], y: &mut [f32]) {
        let c = self.channels();
        for (x, y) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)) {
            for i in 0..c {
                y[i] = (x[i] - self.mean[i]) * self.inverse[i] * self.scale[i] + self.bias[i];
            }
        }
    }

    /// Adds the gradients. In training the batch's own statistics depend on the input too.
    pub(crate) fn backward(
        &self,
        x: &[f32],
        dy: &[f32],
        dx: Option<&mut [f32]>,
        dscale: Option<&mut [f32]>,
        dbias: Option<&mut [f32]>,
        training: bool,
    ) {
        let c = self.channels();
        if let Some(dbias) = dbias {
            super::pointwise::add_columns(crate::kernels::Isa::Portable, dy, dbias);
        }
        if let Some(dscale) = dscale {
            for (x, dy) in x.chunks_exact(c).zip(dy.chunks_exact(c)) {
                for i in 0..c {
                    dscale[i] += dy[i] * (x[i] - self.mean[i]) * self.inverse[i];
                }
            }
        }
        let Some(dx) = dx else { return };
        let pixels = x.chunks_exact(c).zip(dy.chunks_exact(c)).zip(dx.chunks_exact_mut(c));
        for ((x, dy), dx) in pixels {
            for i in 0..c {
                let factor = self.scale[i] * self.inverse[i];
                if training {
                    let centred = (x[i] - self.mean[i]) * self.inverse[i];
                    dx[i] += factor * (dy[i] - self.mean_dy[i] - centred * self.mean_dy_x[i]);
                } else {
                    dx[i] += factor * dy[i];
                }
            }
        }
    }

    /// Adds each channel's `Σ f(x)` to `sums`.
    pub(crate) fn add_sums(&self, x: &[f32], sums: &mut [f64], f: impl Fn(usize, f32) -> f64) {
        let c = self.channels();
        for pixel in x.chunks_exact(c) {
            for i in 0..c {
                sums[i] += f(i, pixel[i]);
            }
        }
    }
}
