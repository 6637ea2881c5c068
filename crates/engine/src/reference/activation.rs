//! ReLU, softmax and log-softmax.
//!
//! Softmaxes run over `channels` of `[N, channels, pixels]`: one distribution for each pixel, and a
//! vector is an image of one pixel.

/// `y = max(0, x)`
pub(super) fn relu_forward(x: &[f64]) -> Vec<f64> {
    x.iter().map(|&x| if x > 0.0 { x } else { 0.0 }).collect()
}

/// The gradient passes where `x` is above zero; at zero the derivative is taken as 0.
pub(super) fn relu_backward(x: &[f64], dy: &[f64]) -> Vec<f64> {
    x.iter().zip(dy).map(|(&x, &dy)| if x > 0.0 { dy } else { 0.0 }).collect()
}

/// `y_i = exp(x_i) / Σ exp(x_j)`. The maximum is subtracted first: the quotient is the same and no
/// exponential overflows.
pub(super) fn softmax_forward(sizes: [usize; 2], x: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    each_distribution(sizes, x.len(), |places| {
        let max = places.iter().map(|&at| x[at]).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = places.iter().map(|&at| (x[at] - max).exp()).sum();
        places.iter().for_each(|&at| y[at] = (x[at] - max).exp() / sum);
    });
    y
}

/// `dx_i = y_i (dy_i − Σ y_j dy_j)`
pub(super) fn softmax_backward(sizes: [usize; 2], y: &[f64], dy: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; y.len()];
    each_distribution(sizes, y.len(), |places| {
        let dot: f64 = places.iter().map(|&at| y[at] * dy[at]).sum();
        places.iter().for_each(|&at| dx[at] = y[at] * (dy[at] - dot));
    });
    dx
}

/// `y_i = x_i − log Σ exp(x_j)`, again with the maximum subtracted first
pub(super) fn log_softmax_forward(sizes: [usize; 2], x: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    each_distribution(sizes, x.len(), |places| {
        let max = places.iter().map(|&at| x[at]).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = places.iter().map(|&at| (x[at] - max).exp()).sum();
        places.iter().for_each(|&at| y[at] = (x[at] - max) - sum.ln());
    });
    y
}

/// `dx_i = dy_i − exp(y_i) Σ dy_j`
pub(super) fn log_softmax_backward(sizes: [usize; 2], y: &[f64], dy: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; y.len()];
    each_distribution(sizes, y.len(), |places| {
        let sum: f64 = places.iter().map(|&at| dy[at]).sum();
        places.iter().for_each(|&at| dx[at] = dy[at] - y[at].exp() * sum);
    });
    dx
}

/// Visits the places of each distribution's members in `[N, channels, pixels]`.
fn each_distribution([channels, pixels]: [usize; 2], len: usize, mut visit: impl FnMut(&[usize])) {
    for sample in 0..len / (channels * pixels) {
        for pixel in 0..pixels {
            let place = |channel| (sample * channels + channel) * pixels + pixel;
            visit(&(0..channels).map(place).collect::<Vec<_>>());
        }
    }
}
