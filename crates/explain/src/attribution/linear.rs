//! Weighted least squares with few unknowns.

/// Solves `A x = b` for a symmetric positive definite `A [n, n]`, row-major, by Cholesky's
/// decomposition. A pivot of 0 or less, of a matrix that is singular, is taken for a tiny one.
pub(crate) fn solve(a: &[f64], b: &[f64]) -> Vec<f64> {
    let n = b.len();
    let mut l = a.to_vec();
    let scale = (0..n).map(|i| a[i * n + i].abs()).fold(1e-300, f64::max);
    for j in 0..n {
        let pivot = l[j * n + j] - (0..j).map(|k| l[j * n + k].powi(2)).sum::<f64>();
        l[j * n + j] = pivot.max(1e-14 * scale).sqrt();
        for i in j + 1..n {
            let dot: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            l[i * n + j] = (l[i * n + j] - dot) / l[j * n + j];
        }
    }
    let mut x = b.to_vec();
    for i in 0..n {
        let dot: f64 = (0..i).map(|k| l[i * n + k] * x[k]).sum();
        x[i] = (x[i] - dot) / l[i * n + i];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|k| l[k * n + i] * x[k]).sum();
        x[i] = (x[i] - dot) / l[i * n + i];
    }
    x
}

/// Weighted ridge regression with an intercept that is not shrunk, as scikit-learn's `Ridge`: the
/// coefficients `w` and intercept `c` with the least `Σ weight (y − c − x w)² + alpha ‖w‖²`. The
/// design is `[samples, features]`, row-major.
pub(crate) fn ridge(
    design: &[f64],
    values: &[f64],
    weights: &[f64],
    alpha: f64,
) -> (Vec<f64>, f64) {
    let features = design.len() / values.len();
    let total: f64 = weights.iter().sum();
    let mut means = vec![0.0; features];
    let mut mean = 0.0;
    for ((row, &y), &weight) in design.chunks_exact(features).zip(values).zip(weights) {
        means.iter_mut().zip(row).for_each(|(mean, x)| *mean += weight * x / total);
        mean += weight * y / total;
    }
    let mut normal = vec![0.0; features * features];
    let mut right = vec![0.0; features];
    for ((row, &y), &weight) in design.chunks_exact(features).zip(values).zip(weights) {
        let centred: Vec<f64> = row.iter().zip(&means).map(|(x, mean)| x - mean).collect();
        for i in 0..features {
            right[i] += weight * centred[i] * (y - mean);
            for j in 0..=i {
                normal[i * features + j] += weight * centred[i] * centred[j];
            }
        }
    }
    for i in 0..features {
        normal[i * features + i] += alpha;
    }
    let coefficients = solve(&normal, &right);
    let intercept = mean - coefficients.iter().zip(&means).map(|(w, m)| w * m).sum::<f64>();
    (coefficients, intercept)
}
