//! Batch normalisation (Ioffe & Szegedy 2015), channels innermost.
//!
//! With running statistics it is a scale and a shift. In training the statistics are those of the
//! whole batch, gathered from all chunks between two phases of a step (see `trainer`): sums in a
//! fixed order, so that the bits do not depend on the number of threads.

use crate::kernels::{Isa, Kernel, dispatch, tail::Finish, vector::Vector};

/// Parameters of one batch normalisation.
#[derive(Clone, Debug)]
pub(crate) struct BatchNorm {
    pub(crate) epsilon: f32,
    pub(crate) momentum: f32,
    /// Neighbouring numbers that belong to the same channel: 1 where channels are innermost.
    inner: usize,
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
    pub(crate) fn new([channels, inner]: [usize; 2], epsilon: f32, momentum: f32) -> BatchNorm {
        let zeros = || vec![0.0; channels];
        BatchNorm {
            epsilon,
            momentum,
            inner,
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

    /// Numbers after which the channels begin anew, in a buffer of so many of `n` images.
    pub(crate) fn period(&self, n: usize, len: usize) -> usize {
        if self.inner == 1 { self.channels() } else { len / n.max(1) }
    }

    /// The channel of number `at` of a buffer.
    fn channel(&self, at: usize) -> usize {
        at / self.inner % self.channels()
    }

    pub(crate) fn forward(&self, x: &[f32], y: &mut [f32]) {
        let c = self.channels();
        if self.inner > 1 {
            for (at, (x, y)) in x.iter().zip(y).enumerate() {
                let i = self.channel(at);
                *y = (x - self.mean[i]) * self.inverse[i] * self.scale[i] + self.bias[i];
            }
            return;
        }
        for (x, y) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)) {
            for i in 0..c {
                y[i] = (x[i] - self.mean[i]) * self.inverse[i] * self.scale[i] + self.bias[i];
            }
        }
    }

    /// The same as a step behind a convolution, where channels are innermost.
    pub(crate) fn finish(&self) -> Option<Finish<'_>> {
        let all = [&self.mean[..], &self.inverse, &self.scale, &self.bias];
        (self.inner == 1).then_some(Finish::Normalise(all))
    }

    /// [`BatchNorm::forward`] in place, of whole pixels.
    pub(crate) fn apply(&self, isa: Isa, y: &mut [f32]) {
        // SAFETY: the kernel has no conditions.
        unsafe { dispatch(isa, Apply { norm: self, y }) }
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
        if self.inner > 1 {
            return self.backward_apart(x, dy, [dscale, dbias], dx, training);
        }
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

    /// As [`Self::backward`], where a channel's numbers lie side by side.
    fn backward_apart(
        &self,
        x: &[f32],
        dy: &[f32],
        [mut dscale, mut dbias]: [Option<&mut [f32]>; 2],
        mut dx: Option<&mut [f32]>,
        training: bool,
    ) {
        for (at, (&x, &dy)) in x.iter().zip(dy).enumerate() {
            let i = self.channel(at);
            let centred = (x - self.mean[i]) * self.inverse[i];
            if let Some(dscale) = &mut dscale {
                dscale[i] += dy * centred;
            }
            if let Some(dbias) = &mut dbias {
                dbias[i] += dy;
            }
            if let Some(dx) = &mut dx {
                let own =
                    if training { self.mean_dy[i] + centred * self.mean_dy_x[i] } else { 0.0 };
                dx[at] += self.scale[i] * self.inverse[i] * (dy - own);
            }
        }
    }

    /// Adds each channel's `Σ f(x)` to `sums`.
    pub(crate) fn add_sums(&self, x: &[f32], sums: &mut [f64], f: impl Fn(usize, f32) -> f64) {
        let c = self.channels();
        if self.inner > 1 {
            x.iter()
                .enumerate()
                .for_each(|(at, x)| sums[self.channel(at)] += f(self.channel(at), *x));
            return;
        }
        for pixel in x.chunks_exact(c) {
            for i in 0..c {
                sums[i] += f(i, pixel[i]);
            }
        }
    }
}

struct Apply<'a> {
    norm: &'a BatchNorm,
    y: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let BatchNorm { mean, inverse, scale, bias, .. } = self.norm;
        for y in self.y.chunks_exact_mut(mean.len()) {
            let channels = y.iter_mut().zip(mean).zip(inverse).zip(scale).zip(bias);
            for ((((y, mean), inverse), scale), bias) in channels {
                *y = (*y - mean) * inverse * scale + bias;
            }
        }
    }
}

/// Local response normalisation across the channels of a pixel.
#[derive(Clone, Debug)]
pub(crate) struct LocalResponse {
    channels: usize,
    /// Channels before and after the own one.
    reach: [usize; 2],
    share: f32,
    beta: f32,
    bias: f32,
}

impl LocalResponse {
    pub(crate) fn new(channels: usize, size: usize, [alpha, beta, bias]: [f32; 3]) -> Self {
        let before = (size - 1) / 2;
        Self {
            channels,
            reach: [before, size - 1 - before],
            share: alpha / size as f32,
            beta,
            bias,
        }
    }

    fn window(&self, channel: usize) -> std::ops::Range<usize> {
        let end = channel.saturating_add(self.reach[1]).saturating_add(1);
        channel.saturating_sub(self.reach[0])..end.min(self.channels)
    }

    /// `bias + alpha / size · Σ x²` around a channel of a pixel.
    fn sum(&self, pixel: &[f32], channel: usize) -> f32 {
        let squares = pixel[self.window(channel)].iter().map(|x| x * x);
        self.bias + self.share * squares.sum::<f32>()
    }

    /// `sum ^ −beta`; ¾, which everybody uses, by square roots.
    fn power(&self, sum: f32) -> f32 {
        match self.beta {
            0.75 => 1.0 / (sum.sqrt() * sum.sqrt().sqrt()),
            beta => sum.powf(-beta),
        }
    }

    pub(crate) fn forward(&self, x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks_exact(self.channels).zip(y.chunks_exact_mut(self.channels)) {
            for (channel, y) in y.iter_mut().enumerate() {
                *y = x[channel] * self.power(self.sum(x, channel));
            }
        }
    }

    /// `dxᵢ += dyᵢ sᵢ^−β − 2 β share xᵢ Σⱼ dyⱼ xⱼ sⱼ^(−β−1)` over the windows j that see i.
    pub(crate) fn backward(&self, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        let pixels = x.chunks_exact(self.channels).zip(dy.chunks_exact(self.channels));
        for ((x, dy), dx) in pixels.zip(dx.chunks_exact_mut(self.channels)) {
            for j in 0..self.channels {
                let sum = self.sum(x, j);
                let power = self.power(sum);
                dx[j] += dy[j] * power;
                let common = -2.0 * self.beta * self.share * dy[j] * x[j] * power / sum;
                for i in self.window(j) {
                    dx[i] += common * x[i];
                }
            }
        }
    }
}
