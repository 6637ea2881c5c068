//! Initial values of weights.
//!
//! Bits become floats by code of our own and by the four basic operations only, which IEEE 754
//! rounds the same everywhere: a seed gives the same weights on every machine, with any version of
//! any library.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// How a weight gets its first values. Biases start at zero.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Init {
    /// Uniform in ±√(6 / (fan in + fan out)) (Glorot & Bengio 2010, equation 16): Keras's default.
    #[default]
    GlorotUniform,
    /// Normal with variance 2 / fan in (He et al. 2015, equation 10), cut off at two standard
    /// deviations and widened to make up for it, as Keras's `HeNormal` does.
    HeNormal,
    /// All zeros.
    Zeros,
}

/// Standard deviation of a unit normal that is cut off at ±2.
const CUT_OFF_STD: f64 = 0.879_625_661_034_239_8;

impl Init {
    /// Fills a weight of shape `[out, in, kernel…]`.
    pub(crate) fn fill(self, rng: &mut Pcg64, shape: &[usize]) -> Vec<f32> {
        let count = shape.iter().product();
        // As Keras counts for grouped convolutions too: from the weight's own shape.
        let kernel: f64 = shape[2..].iter().map(|&size| size as f64).product();
        let (fan_in, fan_out) = (shape[1] as f64 * kernel, shape[0] as f64 * kernel);
        match self {
            Self::GlorotUniform => {
                let limit = (6.0 / (fan_in + fan_out)).sqrt();
                let draw = |_| ((2.0 * uniform(rng) - 1.0) * limit) as f32;
                (0..count).map(draw).collect()
            }
            Self::HeNormal => {
                let std = (2.0 / fan_in).sqrt() / CUT_OFF_STD;
                (0..count).map(|_| (cut_off_normal(rng) * std) as f32).collect()
            }
            Self::Zeros => vec![0.0; count],
        }
    }
}

/// The generator for a seed.
pub(crate) fn rng(seed: u64) -> Pcg64 {
    Pcg64::seed_from_u64(seed)
}

/// Uniform in [0, 1): the upper 53 bits as a binary fraction.
fn uniform(rng: &mut Pcg64) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// Unit normal given that it lies in ±2, by rejection: `x` uniform, kept with probability
/// `exp(-x² / 2)`. About 60 % are kept.
fn cut_off_normal(rng: &mut Pcg64) -> f64 {
    loop {
        let x = 4.0 * uniform(rng) - 2.0;
        if uniform(rng) < exp_minus(x * x / 2.0) {
            return x;
        }
    }
}

/// `exp(-x)` for `x` from 0 to 2 by its Taylor series, to 1e-15. The library's `exp` differs from
/// platform to platform in the last bit.
fn exp_minus(x: f64) -> f64 {
    (1..=24).rev().fold(1.0, |sum, n| 1.0 - x / f64::from(n) * sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_these_very_values() {
        let values = Init::GlorotUniform.fill(&mut rng(7), &[2, 3]);
        let again = Init::GlorotUniform.fill(&mut rng(7), &[2, 3]);
        assert_eq!(values, again);
        assert_ne!(values, Init::GlorotUniform.fill(&mut rng(8), &[2, 3]));
    }

    #[test]
    fn exp_minus_agrees_with_the_library() {
        for step in 0..=200 {
            let x = f64::from(step) / 100.0;
            assert!((exp_minus(x) - (-x).exp()).abs() < 1e-15, "at {x}");
        }
    }

    #[test]
    fn glorot_values_fill_their_interval() {
        let values = Init::GlorotUniform.fill(&mut rng(1), &[32, 32, 5, 5]);
        let limit = (6.0_f32 / (64.0 * 25.0)).sqrt();
        assert!(values.iter().all(|value| value.abs() <= limit));
        let (mean, std) = moments(&values);
        assert!(mean.abs() < 0.02 * limit, "mean {mean}");
        assert!((std / (limit / 3.0_f32.sqrt()) - 1.0).abs() < 0.02, "std {std}");
    }

    #[test]
    fn he_values_have_variance_two_over_fan_in() {
        let values = Init::HeNormal.fill(&mut rng(1), &[100, 400]);
        let (mean, std) = moments(&values);
        let wanted = (2.0_f32 / 400.0).sqrt();
        assert!(mean.abs() < 0.02 * wanted, "mean {mean}");
        assert!((std / wanted - 1.0).abs() < 0.02, "std {std}, wanted {wanted}");
        assert!(values.iter().all(|value| value.abs() <= 2.0 * wanted / CUT_OFF_STD as f32));
    }

    fn moments(values: &[f32]) -> (f32, f32) {
        let n = values.len() as f32;
        let mean = values.iter().sum::<f32>() / n;
        (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / n).sqrt())
    }
}
