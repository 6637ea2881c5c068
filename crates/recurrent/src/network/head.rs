//! The linear head: `logits = W features + b`, row after row.

/// `logits[row] = W features[row] + b`; `weight` is `[outputs, features]`.
pub(crate) fn forward(weight: &[f32], bias: &[f32], features: &[f32], logits: &mut Vec<f32>) {
    let width = weight.len() / bias.len();
    logits.clear();
    for row in features.chunks_exact(width) {
        logits.extend(weight.chunks_exact(width).zip(bias).map(|(w, b)| b + dot(w, row)));
    }
}

/// Overwrites `by_features` and adds to the derivatives by weight and bias.
pub(crate) fn backward(
    weight: &[f32],
    features: &[f32],
    by_logits: &[f32],
    by_features: &mut Vec<f32>,
    by_weight: &mut [f32],
    by_bias: &mut [f32],
) {
    let outputs = by_bias.len();
    let width = weight.len() / outputs;
    by_features.clear();
    by_features.resize(features.len(), 0.0);
    let rows = features.chunks_exact(width).zip(by_features.chunks_exact_mut(width));
    for ((x, by_x), by) in rows.zip(by_logits.chunks_exact(outputs)) {
        for (o, &by) in by.iter().enumerate() {
            let place = o * width..(o + 1) * width;
            add_scaled(by_x, by, &weight[place.clone()]);
            add_scaled(&mut by_weight[place], by, x);
            by_bias[o] += by;
        }
    }
}

/// A scalar product in eight sums, which compilers turn into vector instructions; always in the same order.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0f32; 8];
    for (x, y) in a8.iter().zip(b8) {
        for k in 0..8 {
            sums[k] += x[k] * y[k];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// `out += factor · x`.
pub(crate) fn add_scaled(out: &mut [f32], factor: f32, x: &[f32]) {
    out.iter_mut().zip(x).for_each(|(o, x)| *o += factor * x);
}
