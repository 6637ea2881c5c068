//! Operators that join branches: sum and concatenation.

/// `y = Σ x_k`
pub(super) fn add_forward(inputs: &[&[f64]]) -> Vec<f64> {
    (0..inputs[0].len()).map(|at| inputs.iter().map(|x| x[at]).sum()).collect()
}

/// Every input receives the whole gradient.
pub(super) fn add_backward(inputs: usize, dy: &[f64]) -> Vec<Vec<f64>> {
    vec![dy.to_vec(); inputs]
}

/// `x_k [N, C_k, …]` to `y [N, Σ C_k, …]`: sample by sample, one input after the other
pub(super) fn concat_forward(n: usize, inputs: &[&[f64]]) -> Vec<f64> {
    let mut y = Vec::new();
    for sample in 0..n {
        for x in inputs {
            let len = x.len() / n;
            y.extend_from_slice(&x[sample * len..(sample + 1) * len]);
        }
    }
    y
}

/// Takes the gradient apart again; `lengths` are those of the inputs.
pub(super) fn concat_backward(n: usize, lengths: &[usize], dy: &[f64]) -> Vec<Vec<f64>> {
    let mut gradients = vec![Vec::new(); lengths.len()];
    let mut rest = dy;
    for _ in 0..n {
        for (dx, length) in gradients.iter_mut().zip(lengths) {
            let (own, others) = rest.split_at(length / n);
            dx.extend_from_slice(own);
            rest = others;
        }
    }
    gradients
}
