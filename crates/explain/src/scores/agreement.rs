//! How far two attributions agree.

/// Rank correlation (Spearman 1904), −1 to 1; equal values share their mean rank. 0 where all values
/// of one are equal.
///
/// # Panics
/// If the two are not of one length.
#[must_use]
pub fn spearman(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "maps of one size");
    pearson(&ranks(a), &ranks(b))
}

fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
    let (ma, mb) = (mean(a), mean(b));
    let product = |x: &[f64], mx: f64, y: &[f64], my: f64| {
        x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>()
    };
    let scale = (product(a, ma, a, ma) * product(b, mb, b, mb)).sqrt();
    if scale > 0.0 { product(a, ma, b, mb) / scale } else { 0.0 }
}

fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let equal = order[start..].iter().take_while(|&&i| values[i] == values[order[start]]);
        let end = start + equal.count();
        for &i in &order[start..end] {
            ranks[i] = (start + end - 1) as f64 / 2.0;
        }
        start = end;
    }
    ranks
}

/// Share of the `share` largest values (a tenth, say) that two maps have in common.
///
/// # Panics
/// If the two are not of one length.
#[must_use]
pub fn top_intersection(a: &[f32], b: &[f32], share: f64) -> f64 {
    assert_eq!(a.len(), b.len(), "maps of one size");
    let count = ((a.len() as f64 * share).round() as usize).clamp(1, a.len());
    let top = |values: &[f32]| -> std::collections::HashSet<usize> {
        super::curves::order(values)[..count].iter().copied().collect()
    };
    top(a).intersection(&top(b)).count() as f64 / count as f64
}

/// Structural similarity of two maps, each divided by its largest absolute value: the mean over
/// windows of 7×7 (Wang et al. 2004, "Image Quality Assessment", equation 13, with the constants of
/// values that span −1 to 1). Maps smaller than a window are one window.
///
/// # Panics
/// If the two are not of the shape `[height, width]`.
#[must_use]
pub fn ssim(a: &[f32], b: &[f32], [height, width]: [usize; 2]) -> f64 {
    assert!(a.len() == height * width && b.len() == a.len(), "maps of the shape given");
    let normed = |values: &[f32]| -> Vec<f64> {
        let most = values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        values.iter().map(|&v| f64::from(v / if most > 0.0 { most } else { 1.0 })).collect()
    };
    let (a, b) = (normed(a), normed(b));
    let (rows, cols) = (height.min(7), width.min(7));
    let (c1, c2) = ((0.01_f64 * 2.0).powi(2), (0.03_f64 * 2.0).powi(2));
    let mut total = 0.0;
    for top in 0..=height - rows {
        for left in 0..=width - cols {
            let at = |i: usize| (top + i / cols) * width + left + i % cols;
            let n = (rows * cols) as f64;
            let mean =
                |f: &dyn Fn(usize) -> f64| (0..rows * cols).map(|i| f(at(i))).sum::<f64>() / n;
            let (ma, mb) = (mean(&|i| a[i]), mean(&|i| b[i]));
            // The unbiased estimate, as scikit-image has it.
            let unbiased = n / (n - 1.0).max(1.0);
            let va = unbiased * (mean(&|i| a[i] * a[i]) - ma * ma);
            let vb = unbiased * (mean(&|i| b[i] * b[i]) - mb * mb);
            let both = unbiased * (mean(&|i| a[i] * b[i]) - ma * mb);
            total += (2.0 * ma * mb + c1) * (2.0 * both + c2)
                / ((ma * ma + mb * mb + c1) * (va + vb + c2));
        }
    }
    total / ((height - rows + 1) * (width - cols + 1)) as f64
}
