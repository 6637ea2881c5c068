//! The functions of gates, lane by lane: what a division and a dozen multiply-adds give, to a few units
//! in the last place. Nothing but operations that IEEE 754 rounds, so that every machine has the same bits.

use super::vector::{ROUND, Vector};

/// `tanh(x) / x` is `P(x²) / Q(x²)` to 2.1e-8 up to [`TANH_ONE`] (rational minimax, by reweighted least
/// squares). All coefficients are positive: no digits are lost in the sums.
const TANH_P: [f32; 5] = [1.0, 1.337_971_4e-1, 3.494_029_6e-3, 2.058_34e-5, 1.331_896_4e-8];
const TANH_Q: [f32; 5] = [1.0, 4.671_303e-1, 2.587_105_5e-2, 3.283_084_8e-4, 7.761_974_4e-7];

/// From here on the answer is 1, which it gives exactly, with fused multiply-add and without.
const TANH_ONE: f32 = 9.0;

/// `tanh(x)`, within 6 units in the last place.
///
/// # Safety
/// As for [`Vector`]: inside [`super::dispatch`].
#[inline(always)]
pub(super) unsafe fn tanh<V: Vector>(x: V) -> V {
    // SAFETY: arithmetic inside `dispatch`.
    unsafe {
        // In this order a NaN stays a NaN, here and below.
        let x = V::splat(-TANH_ONE).max(V::splat(TANH_ONE).min(x));
        let square = x.mul(x);
        let p = polynomial(TANH_P, square);
        let q = polynomial(TANH_Q, square);
        // Rounding leads a unit or two above 1 near the end, and 1 - tanh² is not to be negative.
        V::splat(-1.0).max(V::splat(1.0).min(x.mul(p).div(q)))
    }
}

/// `e^-r` for `r` within half of `ln 2`, to 9.2e-8 (relative minimax with `e^0 = 1`).
const EXP: [f32; 6] =
    [1.0, -9.999_997e-1, 4.999_914_5e-1, -1.666_764_1e-1, 4.189_849_8e-2, -8.290_21e-3];

/// `ln 2` in two parts; products of the first by small whole numbers are exact.
#[allow(clippy::excessive_precision)] // exact
const LN_2: [f32; 2] = [0.693_359_375, -2.121_944_4e-4];

/// Beyond it the sigmoid would leave the normal numbers.
const SIGMOID_END: f32 = 87.0;

/// `1 / (1 + e^-x)`, within 4 units in the last place; below -87 what it is at -87, 1.6e-38.
///
/// # Safety
/// As for [`Vector`]: inside [`super::dispatch`].
#[inline(always)]
pub(super) unsafe fn sigmoid<V: Vector>(x: V) -> V {
    // SAFETY: arithmetic inside `dispatch`.
    unsafe {
        let x = V::splat(-SIGMOID_END).max(V::splat(SIGMOID_END).min(x));
        // e^-x = 2^n e^-r with r = x + n ln 2
        let rounded = x.mul_add(V::splat(-std::f32::consts::LOG2_E), V::splat(ROUND));
        let n = rounded.sub(V::splat(ROUND));
        let r = n.mul_add(V::splat(LN_2[1]), n.mul_add(V::splat(LN_2[0]), x));
        let one = V::splat(1.0);
        one.div(polynomial(EXP, r).mul_add(rounded.pow2(), one))
    }
}

/// `c[0] + c[1] x + ...` by Horner's rule.
#[inline(always)]
unsafe fn polynomial<V: Vector, const N: usize>(coefficients: [f32; N], x: V) -> V {
    // SAFETY: arithmetic inside `dispatch`.
    unsafe {
        let mut sum = V::splat(coefficients[N - 1]);
        for &c in coefficients[..N - 1].iter().rev() {
            sum = sum.mul_add(x, V::splat(c));
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Isa, Kernel, dispatch};
    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Function {
        Tanh,
        Sigmoid,
    }

    struct Map<'a> {
        function: Function,
        values: &'a mut [f32],
    }

    impl Kernel for Map<'_> {
        #[inline(always)]
        unsafe fn run<V: Vector>(self) {
            for chunk in self.values.chunks_mut(V::LANES) {
                // SAFETY: partial access stops at the end of the chunk.
                unsafe {
                    let x = V::load_part(chunk.as_ptr(), chunk.len());
                    let y = match self.function {
                        Function::Tanh => tanh(x),
                        Function::Sigmoid => sigmoid(x),
                    };
                    y.store_part(chunk.as_mut_ptr(), chunk.len());
                }
            }
        }
    }

    fn map(isa: Isa, function: Function, values: &[f32]) -> Vec<f32> {
        let mut values = values.to_vec();
        // SAFETY: the kernel stays in the slice.
        unsafe { dispatch(isa, Map { function, values: &mut values }) };
        values
    }

    /// Numbers of every magnitude and both signs: each 997th of all there are, NaNs left out.
    fn all_magnitudes() -> Vec<f32> {
        (0..=u32::MAX).step_by(997).map(f32::from_bits).filter(|x| !x.is_nan()).collect()
    }

    /// The distance in units in the last place of the right number, of the smallest normal one at least.
    fn units(found: f32, wanted: f64) -> f64 {
        let exponent = wanted.abs().log2().floor().max(-126.0);
        (f64::from(found) - wanted).abs() / (exponent - 23.0).exp2()
    }

    #[test]
    fn functions_are_right_to_a_few_units_over_all_magnitudes() {
        let all = all_magnitudes();
        for isa in Isa::available() {
            for (x, y) in all.iter().zip(map(isa, Function::Tanh, &all)) {
                let error = units(y, f64::from(*x).tanh());
                assert!(error <= 6.0, "{isa}: tanh({x:e}) is {y:e}, off by {error:.1} units");
                assert!(y.abs() <= 1.0, "{isa}: tanh({x:e}) is {y:e}");
            }
            for (x, y) in all.iter().zip(map(isa, Function::Sigmoid, &all)) {
                let wanted = 1.0 / (1.0 + (-f64::from(*x)).exp());
                let error = if *x < -87.0 { units(y, (-87f64).exp()) } else { units(y, wanted) };
                assert!(error <= 4.0, "{isa}: sigmoid({x:e}) is {y:e}, off by {error:.1} units");
            }
        }
    }

    #[test]
    fn the_ends_are_exact_and_a_nan_stays_one() {
        let inf = f32::INFINITY;
        let x = [0.0, -0.0, inf, -inf, 20.0, -20.0, f32::NAN, 1e-40, f32::MIN_POSITIVE];
        for isa in Isa::available() {
            let y = map(isa, Function::Tanh, &x);
            assert_eq!(y[..6], [0.0, 0.0, 1.0, -1.0, 1.0, -1.0], "{isa}");
            assert!(y[1].is_sign_negative() && y[6].is_nan(), "{isa}");
            assert_eq!(y[7..], x[7..], "{isa}");
            let y = map(isa, Function::Sigmoid, &x);
            assert_eq!(y[..3], [0.5, 0.5, 1.0], "{isa}");
            assert!(y[3] < 2e-38 && y[6].is_nan(), "{isa}");
        }
    }

    #[test]
    fn sets_with_fused_multiply_add_give_the_same_bits() {
        let all = all_magnitudes();
        for function in [Function::Tanh, Function::Sigmoid] {
            for isa in [Isa::Avx512].into_iter().filter(|isa| isa.is_available()) {
                let bits = |isa| map(isa, function, &all).into_iter().map(f32::to_bits);
                assert!(bits(isa).eq(bits(Isa::Avx2)), "{function:?}");
            }
        }
    }
}
