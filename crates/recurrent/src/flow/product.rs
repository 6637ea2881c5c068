//! A long product of matrices whose singular values lie thousands of powers of ten apart.
//!
//! `P = A_k ⋯ A_1` is kept as `U · diag(d) · T`: `U` with orthonormal columns, `d` as logarithms, `T` well
//! conditioned. Each factor meets only `U`; its columns are then sorted by their length times `d` before a
//! QR decomposition, so that small scales are never added to large ones (Bai, Lee, Li and Xu, "Stable
//! solutions of linear systems involving long chain of matrix multiplications", Linear Algebra and its
//! Applications 435 (2011), section 3). The singular values of `diag(d) · T` come from one-sided Jacobi
//! rotations, which find small ones as exactly as large ones (Demmel and Veselić, "Jacobi's method is more
//! accurate than QR", SIAM J. Matrix Anal. Appl. 13 (1992)); a rotation here needs only the ratio of two
//! lengths, so that the lengths may be logarithms too.

use nalgebra::{DMatrix, DVector};

/// Sweeps after which rotations are given up; about 10 are needed.
const SWEEPS: usize = 60;

/// `U · diag(e^logs) · T`.
#[derive(Clone, Debug)]
pub(super) struct Product {
    u: DMatrix<f64>,
    logs: Vec<f64>,
    t: DMatrix<f64>,
}

impl Product {
    /// No factor yet.
    pub(super) fn identity(size: usize) -> Product {
        let one = DMatrix::identity(size, size);
        Product { u: one.clone(), logs: vec![0.0; size], t: one }
    }

    /// `P ← A P`.
    pub(super) fn multiply(&mut self, a: &DMatrix<f64>) {
        let moved = a * &self.u;
        let key = |j: usize| self.logs[j] + moved.column(j).norm().ln();
        let mut order: Vec<usize> = (0..self.logs.len()).collect();
        order.sort_by(|&i, &j| key(j).total_cmp(&key(i)));
        let logs: Vec<f64> = order.iter().map(|&i| self.logs[i]).collect();
        let t = self.t.select_rows(&order);
        let (u, r) = moved.select_columns(&order).qr().unpack();
        // R diag(d) T = diag(d') · C · T, each row of C with its largest entry ±1.
        let size = logs.len();
        let mut c = DMatrix::zeros(size, size);
        for i in 0..size {
            let entry = |j: usize| r[(i, j)].abs().ln() + logs[j];
            let largest = (i..size).map(entry).fold(f64::NEG_INFINITY, f64::max);
            self.logs[i] = largest;
            if largest == f64::NEG_INFINITY {
                c[(i, i)] = 1.0;
                continue;
            }
            for j in i..size {
                c[(i, j)] = r[(i, j)].signum() * (entry(j) - largest).exp();
            }
        }
        self.t = c * t;
        self.u = u;
    }

    /// The logarithms of all singular values, the largest first; −∞ for 0.
    pub(super) fn log_singular_values(&self) -> Vec<f64> {
        let mut rows: Vec<Row> = (0..self.logs.len())
            .filter(|&i| self.logs[i] > f64::NEG_INFINITY)
            .map(|i| Row::new(self.t.row(i).iter().copied().collect(), self.logs[i]))
            .collect();
        for _ in 0..SWEEPS {
            rows.sort_by(|a, b| b.log.total_cmp(&a.log));
            if !sweep(&mut rows) {
                break;
            }
        }
        let mut logs: Vec<f64> = rows.iter().map(|row| row.log).collect();
        logs.sort_by(|a, b| b.total_cmp(a));
        logs.resize(self.logs.len(), f64::NEG_INFINITY);
        logs
    }

    /// The product divided by `e^scale`, its largest entries near 1; the scale is −∞ for zeros.
    pub(super) fn scaled(&self) -> (DMatrix<f64>, f64) {
        let scale = self.logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if scale == f64::NEG_INFINITY {
            return (DMatrix::zeros(self.u.nrows(), self.t.ncols()), scale);
        }
        let d = self.logs.iter().map(|log| (log - scale).exp());
        let d = DVector::from_iterator(self.logs.len(), d);
        (&self.u * DMatrix::from_diagonal(&d) * &self.t, scale)
    }
}

/// `e^log · direction`, the direction of length 1.
struct Row {
    direction: Vec<f64>,
    log: f64,
}

impl Row {
    fn new(mut direction: Vec<f64>, log: f64) -> Row {
        let norm = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm > 0.0 {
            direction.iter_mut().for_each(|v| *v /= norm);
        }
        Row { direction, log: log + norm.ln() }
    }
}

/// Turns each pair of rows until they stand at a right angle; whether any had to be turned.
fn sweep(rows: &mut [Row]) -> bool {
    let tolerance = f64::EPSILON * rows.len() as f64;
    let mut turned = false;
    for p in 0..rows.len() {
        for q in p + 1..rows.len() {
            let (first, rest) = rows.split_at_mut(q);
            let (mut a, mut b) = (&mut first[p], &mut rest[0]);
            if b.log > a.log {
                (a, b) = (b, a);
            }
            if b.log == f64::NEG_INFINITY {
                continue;
            }
            let cosine: f64 = a.direction.iter().zip(&b.direction).map(|(x, y)| x * y).sum();
            if cosine.abs() > tolerance {
                rotate(a, b, cosine);
                turned = true;
            }
        }
    }
    turned
}

/// The rotation of Jacobi of two rows, `a` the longer. With ρ the ratio of their lengths,
/// `tan θ = ρ τ`, and all that is divided by ρ stays of ordinary size.
fn rotate(a: &mut Row, b: &mut Row, cosine: f64) {
    let ratio = (b.log - a.log).exp();
    let w = (1.0 - ratio * ratio) / (2.0 * cosine.abs());
    let tau = cosine.signum() / (w + (ratio * ratio + w * w).sqrt());
    let tangent = ratio * tau;
    let cos = 1.0 / (1.0 + tangent * tangent).sqrt();
    let pairs = a.direction.iter().zip(&b.direction);
    let longer = pairs.clone().map(|(x, y)| cos * (x + tangent * ratio * y)).collect();
    let shorter = pairs.map(|(x, y)| cos * (y - tau * x)).collect();
    *a = Row::new(longer, a.log);
    *b = Row::new(shorter, b.log);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::random::Random;
    use super::*;

    fn near(found: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() <= tolerance, "{found:?}, expected {expected:?}");
        }
    }

    #[test]
    fn powers_of_a_diagonal_between_rotations_are_exact_beyond_every_range() {
        // A = Q D Qᵀ, so A^k = Q D^k Qᵀ.
        let q = Random::new(3).directions(4, 4).qr().q();
        let d = [1.5f64, 0.9, 0.01, 1e-5];
        let a = &q * DMatrix::from_diagonal(&DVector::from_row_slice(&d)) * q.transpose();
        let mut product = Product::identity(4);
        (0..2000).for_each(|_| product.multiply(&a));
        let found = product.log_singular_values();
        for (found, d) in found.iter().zip(d) {
            // The eigenvalue of A itself is known to ε · 1.5 only.
            let tolerance = 2000.0 * 1e-15 * 1.5 / d + 1e-9;
            assert!((found - 2000.0 * d.ln()).abs() < tolerance, "{found} of {d}");
        }
    }

    #[test]
    fn a_matrix_without_inverse_has_singular_values_of_zero() {
        let a = DMatrix::from_row_slice(3, 3, &[1.0, 2.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        let mut product = Product::identity(3);
        (0..5).for_each(|_| product.multiply(&a));
        let found = product.log_singular_values();
        let power = DMatrix::<f64>::from_row_slice(2, 2, &[1.0, 10.0, 0.0, 1.0]).singular_values();
        near(&found[..2], &[power[0].ln(), power[1].ln()], 1e-12);
        assert_eq!(found[2], f64::NEG_INFINITY);
        product.multiply(&DMatrix::zeros(3, 3));
        assert_eq!(product.log_singular_values(), [f64::NEG_INFINITY; 3]);
        assert_eq!(product.scaled().0, DMatrix::zeros(3, 3));
    }

    proptest! {
        #[test]
        fn a_short_product_has_the_singular_values_of_the_plain_one(
            size in 1usize..7, factors in 1usize..6, seed in any::<u64>(), scale in -3i32..3,
        ) {
            let mut random = Random::new(seed);
            let (mut product, mut plain) = (Product::identity(size), DMatrix::identity(size, size));
            for _ in 0..factors {
                let a = random.directions(size, size) * 10f64.powi(scale);
                product.multiply(&a);
                plain = a * plain;
            }
            let expected = plain.clone().singular_values();
            let found = product.log_singular_values();
            let largest = expected.max();
            for (found, expected) in found.iter().zip(expected.iter()) {
                prop_assert!((found.exp() - expected).abs() < 1e-12 * largest, "{found} {expected}");
            }
            let (matrix, scale) = product.scaled();
            prop_assert!((matrix * scale.exp() - plain).amax() < 1e-12 * largest);
        }
    }
}
