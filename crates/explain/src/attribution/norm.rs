//! Normalisations over groups of an image's own numbers: `γ (x − mean x) / √(variance + ε) + β`.

use cutaway_net::Op;
use ndarray::ArrayD;

use super::walk::Station;

/// Layer or group normalisation.
pub(crate) struct Norm<'a> {
    /// Numbers of a group, which lie one behind the other.
    group: usize,
    epsilon: f64,
    /// Numbers that share a scale and lie one behind the other.
    pixels: usize,
    scale: &'a [f32],
    bias: Option<&'a [f32]>,
}

/// Of a group: mean, and 1 over the square root of variance + ε.
struct Moments {
    mean: f64,
    inverse: f64,
}

impl<'a> Norm<'a> {
    /// That of a node, if it is one.
    pub(crate) fn of(at: &'a Station<'_>) -> Option<Norm<'a>> {
        let shape = at.network().shape(at.id);
        let (group, pixels, epsilon) = match at.node.op {
            Op::LayerNorm { axis, epsilon } => (shape[axis..].iter().product(), 1, epsilon),
            Op::GroupNorm { groups, epsilon } => {
                let total: usize = shape.iter().product();
                (total / groups, total / shape[0], epsilon)
            }
            _ => return None,
        };
        let values = |place: usize| {
            at.node.params.get(place).map(|&param| &at.network().param(param).values[..])
        };
        let (scale, bias) = (values(0)?, values(1));
        Some(Norm { group, epsilon: f64::from(epsilon), pixels, scale, bias })
    }

    /// Which scale and bias the number `i` of a batch has.
    fn place(&self, i: usize) -> usize {
        i / self.pixels % self.scale.len()
    }

    fn moments(&self, x: &[f32]) -> Moments {
        let n = x.len() as f64;
        let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        Moments { mean, inverse: (variance + self.epsilon).sqrt().recip() }
    }

    /// The gradient with the divisor held constant: `(g − mean g) / σ` with `g = γ · received`.
    pub(crate) fn held(&self, x: &ArrayD<f32>, received: &ArrayD<f32>) -> ArrayD<f32> {
        let (x, r) = (x.as_standard_layout(), received.as_standard_layout());
        let (x, r) = (x.as_slice().expect("standard"), r.as_slice().expect("standard"));
        let mut result = Vec::with_capacity(x.len());
        for (block, (x, r)) in
            x.chunks_exact(self.group).zip(r.chunks_exact(self.group)).enumerate()
        {
            let inverse = self.moments(x).inverse;
            let g = self.scaled(block, r);
            let mean = g.iter().sum::<f64>() / g.len() as f64;
            result.extend(g.iter().map(|g| ((g - mean) * inverse) as f32));
        }
        ArrayD::from_shape_vec(received.raw_dim(), result).expect("as many numbers")
    }

    /// `γ · received` of a group.
    fn scaled(&self, block: usize, received: &[f32]) -> Vec<f64> {
        let scale = |i: usize| f64::from(self.scale[self.place(block * self.group + i)]);
        received.iter().enumerate().map(|(i, &r)| f64::from(r) * scale(i)).collect()
    }

    /// `β · received`.
    pub(crate) fn biases(&self, received: &ArrayD<f32>) -> ArrayD<f32> {
        let mut result = received.as_standard_layout().into_owned();
        for (i, value) in result.iter_mut().enumerate() {
            *value *= self.bias.map_or(0.0, |bias| bias[self.place(i)]);
        }
        result
    }

    /// DeepLIFT's multipliers from `reference` to `x`: the deviation from the mean is linear, the
    /// variance a sum of squares, its power a function of one number, and their product halved.
    pub(crate) fn multipliers(
        &self,
        x: &ArrayD<f32>,
        reference: &ArrayD<f32>,
        received: &ArrayD<f32>,
    ) -> ArrayD<f32> {
        let [x, x0, r] = [x, reference, received].map(|a| a.as_standard_layout());
        let [x, x0, r] = [&x, &x0, &r].map(|a| a.as_slice().expect("standard"));
        let mut result = Vec::with_capacity(x.len());
        for block in 0..x.len() / self.group {
            let part = block * self.group..(block + 1) * self.group;
            let (x, x0) = (&x[part.clone()], &x0[part.clone()]);
            result.extend(self.group_multipliers(x, x0, &self.scaled(block, &r[part])));
        }
        ArrayD::from_shape_vec(received.raw_dim(), result).expect("as many numbers")
    }

    fn group_multipliers(&self, x: &[f32], x0: &[f32], g: &[f64]) -> Vec<f32> {
        let n = x.len() as f64;
        let (own, other) = (self.moments(x), self.moments(x0));
        // Sum of both deviations, of each number.
        let deviation = |i: usize| f64::from(x[i]) - own.mean + f64::from(x0[i]) - other.mean;
        let (q, q0) = (own.inverse, other.inverse);
        // Δq / Δv of q = v^(−1/2), in a form that has a limit where Δv is 0.
        let slope = -(q * q0).powi(2) / (q + q0);
        let of_q: f64 = (0..g.len()).map(|i| g[i] * deviation(i) / 2.0).sum();
        let of_c: Vec<f64> =
            (0..g.len()).map(|i| g[i] * (q + q0) / 2.0 + of_q * slope * deviation(i) / n).collect();
        let mean = of_c.iter().sum::<f64>() / n;
        of_c.iter().map(|m| (m - mean) as f32).collect()
    }
}

/// Local response normalisation: `x / s ^ beta`, `s` the bias and a share of the squares of neighbouring
/// channels.
pub(crate) struct LocalResponse {
    channels: usize,
    pixels: usize,
    size: usize,
    share: f64,
    beta: f64,
    bias: f64,
}

impl LocalResponse {
    /// That of a node, if it is one.
    pub(crate) fn of(at: &Station<'_>) -> Option<LocalResponse> {
        let Op::LocalResponseNorm { size, alpha, beta, bias } = at.node.op else { return None };
        let shape = at.network().shape(at.id);
        Some(LocalResponse {
            channels: shape[0],
            pixels: shape[1..].iter().product(),
            size,
            share: f64::from(alpha) / size as f64,
            beta: f64::from(beta),
            bias: f64::from(bias),
        })
    }

    /// Channels that the divisor of a channel is made of.
    fn window(&self, channel: usize) -> std::ops::Range<usize> {
        let before = (self.size - 1) / 2;
        let end = channel.saturating_add(self.size - before).min(self.channels);
        channel.saturating_sub(before)..end
    }

    /// DeepLIFT's multipliers from `reference` to `x`: a sum of squares, its power, a product.
    pub(crate) fn multipliers(
        &self,
        x: &ArrayD<f32>,
        reference: &ArrayD<f32>,
        received: &ArrayD<f32>,
    ) -> ArrayD<f32> {
        let [x, x0, r] = [x, reference, received].map(|a| a.as_standard_layout());
        let [x, x0, r] = [&x, &x0, &r].map(|a| a.as_slice().expect("standard"));
        let image = self.channels * self.pixels;
        let mut result = vec![0.0; x.len()];
        for start in (0..x.len()).step_by(image) {
            for pixel in start..start + self.pixels {
                let lane = |values: &[f32]| -> Vec<f64> {
                    let at = |c: usize| f64::from(values[pixel + c * self.pixels]);
                    (0..self.channels).map(at).collect()
                };
                let own = self.lane(&lane(x), &lane(x0), &lane(r));
                for (c, value) in own.into_iter().enumerate() {
                    result[pixel + c * self.pixels] = value as f32;
                }
            }
        }
        ArrayD::from_shape_vec(received.raw_dim(), result).expect("as many numbers")
    }

    /// The multipliers of the channels of one pixel.
    fn lane(&self, x: &[f64], x0: &[f64], r: &[f64]) -> Vec<f64> {
        let mut result = vec![0.0; x.len()];
        for j in 0..x.len() {
            let sum = |x: &[f64]| -> f64 {
                self.bias + self.share * self.window(j).map(|i| x[i] * x[i]).sum::<f64>()
            };
            let (s, s0) = (sum(x), sum(x0));
            let (q, q0) = (s.powf(-self.beta), s0.powf(-self.beta));
            let slope = match (s - s0).abs() > 1e-9 * s {
                true => (q - q0) / (s - s0),
                false => -self.beta * q / s,
            };
            result[j] += r[j] * (q + q0) / 2.0;
            let of_sum = r[j] * (x[j] + x0[j]) / 2.0 * slope * self.share;
            self.window(j).for_each(|i| result[i] += of_sum * (x[i] + x0[i]));
        }
        result
    }
}
