//! A vector beyond the range of `f64`: numbers of ordinary size times a power of two.

/// `values · 2^exponent`. Powers of two only, so that scaling changes no digit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scaled {
    pub(super) values: Vec<f64>,
    exponent: i64,
}

impl Scaled {
    pub(super) fn new(values: Vec<f64>) -> Scaled {
        let mut out = Scaled { values, exponent: 0 };
        out.settle();
        out
    }

    pub(super) fn zeros(len: usize) -> Scaled {
        Scaled { values: vec![0.0; len], exponent: 0 }
    }

    /// The same power of two with other values.
    pub(super) fn with(&self, values: Vec<f64>) -> Scaled {
        let mut out = Scaled { values, exponent: self.exponent };
        out.settle();
        out
    }

    /// The logarithm to base 10 of the Euclidean norm; −∞ for zeros.
    pub(super) fn log10_norm(&self) -> f64 {
        log10_norm(&self.values) + self.exponent as f64 * std::f64::consts::LOG10_2
    }

    /// The sum; of two of very different size, the larger.
    pub(super) fn plus(&self, other: &Scaled) -> Scaled {
        let is_zero = |s: &Scaled| s.values.iter().all(|&v| v == 0.0);
        if is_zero(other) {
            return self.clone();
        }
        if is_zero(self) {
            return other.clone();
        }
        let exponent = self.exponent.max(other.exponent);
        let (a, b) = (power(self.exponent - exponent), power(other.exponent - exponent));
        let pairs = self.values.iter().zip(&other.values);
        let mut out = Scaled { values: pairs.map(|(x, y)| x * a + y * b).collect(), exponent };
        out.settle();
        out
    }

    pub(super) fn negated(&self) -> Scaled {
        Scaled { values: self.values.iter().map(|v| -v).collect(), exponent: self.exponent }
    }

    /// The parts before and from a place.
    pub(super) fn log10_norms_around(&self, place: usize) -> (f64, f64) {
        let part =
            |values: &[f64]| log10_norm(values) + self.exponent as f64 * std::f64::consts::LOG10_2;
        (part(&self.values[..place]), part(&self.values[place..]))
    }

    /// Brings the largest value near 1.
    fn settle(&mut self) {
        let largest = self.values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        if largest == 0.0 || !largest.is_finite() || (1e-60..1e60).contains(&largest) {
            return;
        }
        let shift = largest.log2().round() as i64;
        // In two halves: a power of two beyond 1,023 is no f64.
        let (half, rest) = (power(-shift / 2), power(-shift - (-shift / 2)));
        self.values.iter_mut().for_each(|v| *v = *v * half * rest);
        self.exponent += shift;
    }
}

fn power(exponent: i64) -> f64 {
    2f64.powi(exponent.clamp(-2000, 1023) as i32)
}

/// The logarithm to base 10 of a norm, without overflow on the way.
pub(super) fn log10_norm(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest == 0.0 {
        return f64::NEG_INFINITY;
    }
    let sum: f64 = values.iter().map(|v| (v / largest) * (v / largest)).sum();
    largest.log10() + 0.5 * sum.log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_shrinks_far_below_the_smallest_number_and_keeps_its_digits() {
        let mut vector = Scaled::new(vec![3.0, 4.0]);
        for _ in 0..5000 {
            let smaller = vector.values.iter().map(|v| v * 0.5).collect();
            vector = vector.with(smaller);
        }
        let expected = 5f64.log10() - 5000.0 * std::f64::consts::LOG10_2;
        assert!((vector.log10_norm() - expected).abs() < 1e-11 * expected.abs());
        assert_eq!(vector.values[1] / vector.values[0], 4.0 / 3.0);
    }

    #[test]
    fn sums_align_their_powers() {
        let tiny = Scaled::new(vec![1e-200]).with(vec![1e-200]);
        let one = Scaled::new(vec![1.0]);
        assert_eq!(one.plus(&tiny).log10_norm(), 0.0);
        assert_eq!(Scaled::new(vec![1e-70]).plus(&Scaled::new(vec![2e-70])).values.len(), 1);
        let sum = Scaled::new(vec![1e-70]).plus(&Scaled::new(vec![2e-70]));
        assert!((sum.log10_norm() - 3e-70f64.log10()).abs() < 1e-12);
        assert_eq!(one.plus(&one.negated()).log10_norm(), f64::NEG_INFINITY);
        assert_eq!(Scaled::zeros(1).plus(&tiny), tiny);
    }

    #[test]
    fn the_largest_and_smallest_numbers_are_taken() {
        for value in [f64::MAX, f64::MIN_POSITIVE, 5e-324] {
            let found = Scaled::new(vec![value]).log10_norm();
            assert!((found - value.log10()).abs() < 1e-10, "{value}: {found}");
        }
    }
}
