//! The largest eigenvalue and the largest singular value of a sparse matrix.

use nalgebra::{Complex, DMatrix};

use super::{Sparse, Weights};
use crate::error::{Error, Result};
use crate::matrix::{add_scaled, dot};

/// At how many basis vectors it is first asked whether they are enough.
const FIRST_CHECK: usize = 60;
/// When an eigenvalue counts as found: ‖M v − λ v‖ against |λ| ‖v‖.
const RESIDUAL: f64 = 1e-13;

/// The largest modulus of an eigenvalue of a square matrix.
///
/// Units that lie on no cycle add nothing but zeros to the spectrum, and are left out first: rounding would
/// make something of them. Of the rest by Arnoldi's method with a growing basis, until the residual of the
/// largest Ritz value is below 1e-13 of it or the basis is complete.
///
/// # Errors
/// [`Error::Setting`] where the matrix is not square or the iteration does not converge.
pub fn spectral_radius(matrix: &Sparse<f64>) -> Result<f64> {
    if matrix.rows() != matrix.columns() {
        return Err(Error::Setting(format!(
            "a spectral radius is a square matrix's, found {} × {}",
            matrix.rows(),
            matrix.columns()
        )));
    }
    let core = core(matrix);
    let size = core.rows();
    if size == 0 {
        return Ok(0.0);
    }
    largest(size, |v, out| times(&core, v, out))
}

/// The spectral radius of `(1 − a) I + a W`: of the network's own linear part about the zero state, without
/// input or bias.
///
/// # Errors
/// As [`spectral_radius`].
pub fn effective_radius(weights: &Weights<f64>) -> Result<f64> {
    let (leak, units) = (weights.leak, weights.bias.len());
    let row = |unit: usize| {
        let mut row: Vec<(usize, f64)> =
            weights.recurrent.row(unit).iter().map(|&(c, w)| (c, leak * w)).collect();
        match row.binary_search_by_key(&unit, |entry| entry.0) {
            Ok(at) => row[at].1 += 1.0 - leak,
            Err(at) => row.insert(at, (unit, 1.0 - leak)),
        }
        row.retain(|entry| entry.1 != 0.0);
        row
    };
    let effective = Sparse::new(units, (0..units).map(row).collect()).map_err(super::setting)?;
    spectral_radius(&effective)
}

/// The largest singular value: the square root of the largest eigenvalue of `MᵀM`.
///
/// # Errors
/// [`Error::Setting`] where the iteration does not converge.
pub fn largest_singular_value(matrix: &Sparse<f64>) -> Result<f64> {
    let mut between = vec![0.0; matrix.rows()];
    let square = |v: &[f64], out: &mut [f64]| {
        times(matrix, v, &mut between);
        out.fill(0.0);
        for (r, &factor) in between.iter().enumerate() {
            matrix.row(r).iter().for_each(|&(c, value)| out[c] += factor * value);
        }
    };
    Ok(largest(matrix.columns(), square)?.sqrt())
}

fn times(matrix: &Sparse<f64>, v: &[f64], out: &mut [f64]) {
    for (r, out) in out.iter_mut().enumerate() {
        *out = matrix.row(r).iter().map(|&(c, value)| value * v[c]).sum();
    }
}

/// What is left when units that hear nobody or that nobody hears are taken out, again and again.
fn core(matrix: &Sparse<f64>) -> Sparse<f64> {
    let mut kept: Vec<usize> = (0..matrix.rows()).collect();
    loop {
        let mut inside = vec![false; matrix.rows()];
        kept.iter().for_each(|&unit| inside[unit] = true);
        let hears =
            |unit: usize| matrix.row(unit).iter().filter(|&&(c, value)| inside[c] && value != 0.0);
        let mut heard = vec![false; matrix.rows()];
        kept.iter().for_each(|&unit| hears(unit).for_each(|&(c, _)| heard[c] = true));
        let left: Vec<usize> =
            kept.iter().copied().filter(|&u| heard[u] && hears(u).next().is_some()).collect();
        if left.len() == kept.len() {
            let mut place = vec![usize::MAX; matrix.rows()];
            kept.iter().enumerate().for_each(|(i, &unit)| place[unit] = i);
            let row = |&unit: &usize| hears(unit).map(|&(c, value)| (place[c], value)).collect();
            let rows = kept.iter().map(row).collect();
            return Sparse::new(kept.len(), rows).expect("the order of columns is kept");
        }
        kept = left;
    }
}

/// The largest modulus of an eigenvalue of what `apply(v, out)` multiplies by.
///
/// Arnoldi 1951: in an orthonormal basis of v, M v, M² v, … the matrix is a small one, `h`, of Hessenberg's
/// form, whose outermost eigenvalues are soon those of M. `h` is kept by columns.
fn largest(size: usize, mut apply: impl FnMut(&[f64], &mut [f64])) -> Result<f64> {
    let mut basis = vec![start(size)];
    let mut h: Vec<Vec<f64>> = Vec::new();
    let mut next_check = FIRST_CHECK;
    loop {
        let mut v = vec![0.0; size];
        apply(&basis[h.len()], &mut v);
        let before = dot(&v, &v).sqrt();
        let mut column = vec![0.0; basis.len()];
        // Twice: once would leave rounding errors along the basis.
        for _ in 0..2 {
            for (b, sum) in basis.iter().zip(&mut column) {
                let along = dot(b, &v);
                add_scaled(&mut v, -along, b);
                *sum += along;
            }
        }
        let beyond = dot(&v, &v).sqrt();
        h.push(column);
        let whole = h.len() == size || beyond <= 1e-14 * before;
        if h.len() == next_check || whole {
            let value = largest_eigenvalue(&h)?;
            if whole || beyond * last_component(&h, value) <= RESIDUAL * value.norm() {
                return Ok(value.norm());
            }
            next_check += next_check / 3;
        }
        v.iter_mut().for_each(|x| *x /= beyond);
        h.last_mut().expect("pushed above").push(beyond);
        basis.push(v);
    }
}

/// Of a matrix in Hessenberg's form, by the QR algorithm.
fn largest_eigenvalue(h: &[Vec<f64>]) -> Result<Complex<f64>> {
    let dense = DMatrix::from_fn(h.len(), h.len(), |r, c| h[c].get(r).copied().unwrap_or(0.0));
    if dense.iter().any(|x| !x.is_finite()) {
        return Err(Error::Setting(
            "the eigenvalues of a matrix that is not finite: expected finite weights".to_owned(),
        ));
    }
    let values = dense.complex_eigenvalues();
    let norm = |value: &Complex<f64>| value.norm();
    let largest = values.iter().copied().max_by(|a, b| norm(a).total_cmp(&norm(b)));
    Ok(largest.expect("a matrix of one row at least"))
}

/// How large the last component of the eigenvector is beside its length: what the next basis vector would
/// add. Two steps of inverse iteration, by elimination with pivots, which in this form touches two rows a
/// step.
fn last_component(h: &[Vec<f64>], value: Complex<f64>) -> f64 {
    let size = h.len();
    // Off the eigenvalue by a few roundings, so that nothing is divided by zero.
    let shift = value * (1.0 + 8.0 * f64::EPSILON);
    let mut y = vec![Complex::new(1.0, 0.0); size];
    for _ in 0..2 {
        let mut rows: Vec<Vec<Complex<f64>>> = (0..size)
            .map(|r| {
                let entry = |c: usize| h[c].get(r).copied().unwrap_or(0.0);
                let diagonal = |c: usize| if c == r { shift } else { Complex::default() };
                (0..size).map(|c| Complex::new(entry(c), 0.0) - diagonal(c)).collect()
            })
            .collect();
        for k in 0..size - 1 {
            if rows[k + 1][k].norm() > rows[k][k].norm() {
                rows.swap(k, k + 1);
                y.swap(k, k + 1);
            }
            let (above, below) = rows.split_at_mut(k + 1);
            let (above, below) = (&above[k], &mut below[0]);
            if above[k].norm() > 0.0 {
                let factor = below[k] / above[k];
                (k..size).for_each(|c| below[c] -= factor * above[c]);
                let upper = y[k];
                y[k + 1] -= factor * upper;
            }
        }
        for k in (0..size).rev() {
            let sum: Complex<f64> = (k + 1..size).map(|c| rows[k][c] * y[c]).sum();
            let pivot = rows[k][k];
            let pivot = if pivot.norm() > 0.0 { pivot } else { shift * f64::EPSILON };
            y[k] = (y[k] - sum) / pivot;
        }
        let norm = y.iter().map(Complex::norm_sqr).sum::<f64>().sqrt();
        y.iter_mut().for_each(|x| *x /= norm);
    }
    y[size - 1].norm()
}

/// The same start for the same size, along no axis.
fn start(size: usize) -> Vec<f64> {
    let mut random = super::random::Random::new(size as u64, super::random::Purpose::Start);
    let mut v: Vec<f64> = (0..size).map(|_| random.symmetric()).collect();
    let norm = dot(&v, &v).sqrt();
    v.iter_mut().for_each(|x| *x /= norm);
    v
}
