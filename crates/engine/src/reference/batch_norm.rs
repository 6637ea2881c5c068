//! Batch normalisation (Ioffe & Szegedy 2015).

use super::{Mode, NodeGradients};

/// `x [N, channels, pixels]` to `y` of the same shape; scale, bias, mean and variance `[channels]`.
/// A vector is an image of one pixel.
pub(super) struct BatchNorm {
    pub(super) n: usize,
    pub(super) channels: usize,
    pub(super) pixels: usize,
    pub(super) epsilon: f64,
}

impl BatchNorm {
    /// `y = scale · x̂ + bias` with `x̂ = (x − mean) / √(var + ε)`
    pub(super) fn forward(
        &self,
        x: &[f64],
        scale: &[f64],
        bias: &[f64],
        mean: &[f64],
        var: &[f64],
    ) -> Vec<f64> {
        let mut y = vec![0.0; x.len()];
        for c in 0..self.channels {
            let inverse = 1.0 / (var[c] + self.epsilon).sqrt();
            for at in self.places(c) {
                y[at] = scale[c] * (x[at] - mean[c]) * inverse + bias[c];
            }
        }
        y
    }

    /// With the running statistics, which are constants:
    ///
    /// ```text
    /// dbias = Σ dy      dscale = Σ dy · x̂      dx = scale / √(var + ε) · dy
    /// ```
    ///
    /// In training mean and variance depend on every `x` of the channel, and what flows through
    /// them comes to (the paper's section 3, put together; M numbers a channel)
    ///
    /// ```text
    /// dx = scale / √(var + ε) · (dy − Σ dy / M − x̂ · Σ (dy · x̂) / M)
    /// ```
    pub(super) fn backward(
        &self,
        mode: Mode,
        x: &[f64],
        scale: &[f64],
        mean: &[f64],
        var: &[f64],
        dy: &[f64],
    ) -> NodeGradients {
        let mut dx = vec![0.0; x.len()];
        let mut dscale = vec![0.0; self.channels];
        let mut dbias = vec![0.0; self.channels];
        for c in 0..self.channels {
            let inverse = 1.0 / (var[c] + self.epsilon).sqrt();
            let normal = |at: usize| (x[at] - mean[c]) * inverse;
            dbias[c] = self.places(c).map(|at| dy[at]).sum();
            dscale[c] = self.places(c).map(|at| dy[at] * normal(at)).sum();
            let m = self.count();
            for at in self.places(c) {
                let through_statistics = match mode {
                    Mode::Inference => 0.0,
                    Mode::Training => dbias[c] / m + normal(at) * dscale[c] / m,
                };
                dx[at] = scale[c] * inverse * (dy[at] - through_statistics);
            }
        }
        NodeGradients { inputs: vec![dx], params: vec![dscale, dbias] }
    }

    /// Mean and biased variance (`Σ (x − mean)² / M`) of each channel, over batch and pixels.
    pub(super) fn moments(&self, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mean: Vec<f64> = (0..self.channels)
            .map(|c| self.places(c).map(|at| x[at]).sum::<f64>() / self.count())
            .collect();
        let square = |c: usize, at: usize| (x[at] - mean[c]) * (x[at] - mean[c]);
        let var = (0..self.channels)
            .map(|c| self.places(c).map(|at| square(c, at)).sum::<f64>() / self.count())
            .collect();
        (mean, var)
    }

    /// Mean and unbiased variance (`Σ (x − mean)² / (M − 1)`), which the running ones take up. Of a
    /// single number the variance is 0.
    pub(super) fn unbiased(&self, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (mean, var) = self.moments(x);
        let m = self.count();
        let correction = if m > 1.0 { m / (m - 1.0) } else { 1.0 };
        (mean, var.iter().map(|var| var * correction).collect())
    }

    /// M, the numbers of one channel.
    fn count(&self) -> f64 {
        (self.n * self.pixels) as f64
    }

    /// Places of channel `c`'s numbers.
    fn places(&self, c: usize) -> impl Iterator<Item = usize> {
        let (channels, pixels) = (self.channels, self.pixels);
        (0..self.n).flat_map(move |n| {
            let first = (n * channels + c) * pixels;
            first..first + pixels
        })
    }
}
