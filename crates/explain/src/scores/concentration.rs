//! Sparseness and complexity: on how few pixels an attribution comes down.

/// Gini index of the absolute values, 0 (all equal) to just below 1 (one pixel has it all):
/// `Σ_i (2 i − n − 1) a_i / (n Σ a)`, `a` in ascending order (Chalasani et al. 2020, "Concise
/// Explanations of Neural Networks using Adversarial Training", section 4.2). 0 for zeros.
#[must_use]
pub fn sparseness(pixels: &[f32]) -> f64 {
    let mut sizes: Vec<f64> = pixels.iter().map(|&v| f64::from(v.abs())).collect();
    sizes.sort_by(f64::total_cmp);
    let (n, sum) = (sizes.len() as f64, sizes.iter().sum::<f64>());
    let terms = sizes.iter().enumerate().map(|(i, size)| (2.0 * (i + 1) as f64 - n - 1.0) * size);
    if sum > 0.0 { terms.sum::<f64>() / (n * sum) } else { 0.0 }
}

/// Entropy, in nats, of the absolute values as shares of their sum: 0 where one pixel has it all, `ln
/// n` where all are equal (Bhatt, Weller and Moura 2020, "Evaluating and Aggregating Feature-based
/// Model Explanations", definition 3). 0 for zeros.
#[must_use]
pub fn complexity(pixels: &[f32]) -> f64 {
    let sum: f64 = pixels.iter().map(|&v| f64::from(v.abs())).sum();
    let shares = pixels.iter().map(|&v| f64::from(v.abs()) / sum).filter(|&share| share > 0.0);
    if sum > 0.0 { -shares.map(|share| share * share.ln()).sum::<f64>() } else { 0.0 }
}
