//! Numbers to feed in, and how those that come out are compared.

use ndarray::{ArrayD, IxDyn};

/// Knuth's linear congruential generator (MMIX), upper bits only: the same numbers everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        let mut numbers = Self(seed);
        (0..4).for_each(|_| _ = numbers.bits());
        numbers
    }

    fn bits(&mut self) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    /// Uniform between the two.
    pub(crate) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.bits() >> 8) as f32 / (1 << 24) as f32)
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((u64::from(self.bits()) * count as u64) >> 32) as usize
    }

    pub(crate) fn vec(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.uniform(-1.0, 1.0)).collect()
    }

    /// A batch of `n` samples of this shape, uniform on [-1, 1).
    pub(crate) fn batch(&mut self, n: usize, sample: &[usize]) -> ArrayD<f32> {
        let shape = batched(n, sample);
        let values = self.vec(shape.iter().product());
        ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap()
    }
}

/// The shape of a batch of `n` samples.
pub(crate) fn batched(n: usize, sample: &[usize]) -> Vec<usize> {
    [&[n], sample].concat()
}

pub(crate) fn widen<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<f64> {
    values.into_iter().map(|&value| f64::from(value)).collect()
}

pub(crate) fn bits<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u32> {
    values.into_iter().map(|value| value.to_bits()).collect()
}

/// Largest magnitude.
pub(crate) fn magnitude(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// Whether every number is within `tolerance` times `scale` of the wanted one. A NaN never is.
pub(crate) fn close_to_scale(
    found: &[f64],
    wanted: &[f64],
    scale: f64,
    tolerance: f64,
) -> Result<(), String> {
    if found.len() != wanted.len() {
        return Err(format!("expected {} numbers, found {}", wanted.len(), found.len()));
    }
    let bound = tolerance * scale;
    for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let error = (found - wanted).abs();
        if error.is_nan() || error > bound {
            return Err(format!(
                "number {at} is {found}, expected {wanted}: off by {error:.1e}, {:.1e} of the scale \
                 {scale:.1e}, allowed {tolerance:.1e}",
                error / scale
            ));
        }
    }
    Ok(())
}

/// [`close_to_scale`] with the largest wanted magnitude as scale, or a thousandth where all of them
/// are smaller.
pub(crate) fn close(found: &[f64], wanted: &[f64], tolerance: f64) -> Result<(), String> {
    close_to_scale(found, wanted, magnitude(wanted).max(1e-3), tolerance)
}
