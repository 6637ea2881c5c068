//! Directions to try, from a seed.

use nalgebra::DMatrix;

use crate::random::{STEP, mix};

/// SplitMix64 (Steele, Lea and Flood 2014): a few numbers, the same everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        let mixed = mix(self.0);
        self.0 = self.0.wrapping_add(STEP);
        mixed
    }

    /// Above 0, at most 1.
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Of the standard normal distribution (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Columns of length 1, each direction as likely as any other.
    pub(super) fn directions(&mut self, size: usize, count: usize) -> DMatrix<f64> {
        let mut out = DMatrix::from_fn(size, count, |_, _| self.normal());
        for mut column in out.column_iter_mut() {
            let norm = column.norm();
            column /= norm;
        }
        out
    }
}
