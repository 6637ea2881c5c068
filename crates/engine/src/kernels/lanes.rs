//! Vectors of either precision, for the kernels that are asked for `f64` as well: see [`super::reservoir`].
//!
//! As in [`super::vector`], everything is `inline(always)` and must run inside a function that enables the
//! instruction set.

/// `f32` or `f64`, with what the vectorised hyperbolic tangent needs to know about it.
#[allow(private_bounds)] // sealed by it: the lanes are the kernels' own
pub trait Real:
    WithLanes + Copy + Send + Sync + PartialEq + Default + std::fmt::Debug + Into<f64> + 'static
{
    /// Rounded to this precision.
    fn rounded(value: f64) -> Self;
}

/// What the plain vectors are made of, and which registers hold it.
pub(crate) trait WithLanes: Sized {
    #[cfg(target_arch = "x86_64")]
    type Avx2: Lanes<Real = Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx512: Lanes<Real = Self>;
    /// Lanes of the wider registers.
    const AVX2_LANES: usize;
    /// 1.5 · 2^(bits of the fraction): a number added to it stands rounded in its lowest bits.
    const ROUNDER: f64;
    /// What an exponent is stored with.
    const EXPONENT_BIAS: f64;
    /// The tangent of more is 1 to the last bit.
    const LIMIT: f64;
    /// ln 2 in two parts; a small multiple of the first is exact.
    const LN_2: [f64; 2];
    /// Terms of the series of `e^r − 1` beyond `r`, until they no longer count for |r| < ln 2 / 2.
    const TERMS: usize;
    fn of(value: f64) -> Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    fn over(self, other: Self) -> Self;
    fn fused(self, a: Self, b: Self) -> Self;
    fn below(self, limit: Self) -> Self;
    fn size(self) -> Self;
    fn signed_as(self, other: Self) -> Self;
    fn low_bits_as_exponent(self) -> Self;
}

/// A register of `LANES` numbers.
///
/// # Safety
/// As for [`super::vector::Vector`]: inside a function that enables the instructions, with pointers valid
/// for `LANES` numbers.
pub(crate) trait Lanes: Copy {
    type Real: WithLanes + Copy;
    const LANES: usize;
    unsafe fn splat(x: Self::Real) -> Self;
    unsafe fn load(p: *const Self::Real) -> Self;
    unsafe fn store(self, p: *mut Self::Real);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// `self * a + b`, rounded once where the machine can.
    unsafe fn mul_add(self, a: Self, b: Self) -> Self;
    /// The lesser; NaN stays.
    unsafe fn at_most(self, limit: Self) -> Self;
    unsafe fn abs(self) -> Self;
    /// `self`, which is not negative, with the sign of `other`.
    unsafe fn with_sign_of(self, other: Self) -> Self;
    /// The lowest bits moved to where sign and exponent stand: 2^n of `n + ROUNDER + EXPONENT_BIAS`.
    unsafe fn power_of_two(self) -> Self;
}

/// The hyperbolic tangent to about two units in the last place: with `e^2|x| − 1 = 2^n (e^r − 1) + 2^n − 1`,
/// which loses nothing near 0, `tanh |x|` is that over itself plus 2.
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn tanh<V: Lanes>(x: V) -> V {
    // SAFETY: the caller runs where the instructions are enabled; no pointers.
    unsafe {
        // Not a closure: those are inlined at the compiler's pleasure.
        macro_rules! number {
            ($value:expr) => {
                V::splat(V::Real::of($value))
            };
        }
        let y = x.abs().at_most(number!(V::Real::LIMIT));
        let y = y.add(y);
        let shift = number!(V::Real::ROUNDER + V::Real::EXPONENT_BIAS);
        let shifted = y.mul_add(number!(std::f64::consts::LOG2_E), shift);
        let n = shifted.sub(shift);
        let r = n.mul_add(number!(-V::Real::LN_2[0]), y);
        let r = n.mul_add(number!(-V::Real::LN_2[1]), r);
        let mut series = number!(INVERSE_FACTORIALS[V::Real::TERMS - 1]);
        let mut term = V::Real::TERMS - 1;
        while term > 0 {
            term -= 1;
            series = series.mul_add(r, number!(INVERSE_FACTORIALS[term]));
        }
        let e = series.mul(r).mul_add(r, r);
        let power = shifted.power_of_two();
        let e = power.mul_add(e, power.sub(number!(1.0)));
        e.div(e.add(number!(2.0))).with_sign_of(x)
    }
}

/// 1/2!, 1/3!, …
const INVERSE_FACTORIALS: [f64; 13] = {
    let mut all = [0.5; 13];
    let mut i = 1;
    while i < 13 {
        all[i] = all[i - 1] / (i + 2) as f64;
        i += 1;
    }
    all
};

/// `N` numbers in plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Array<R, const N: usize>([R; N]);

impl<R: WithLanes + Copy, const N: usize> Array<R, N> {
    #[inline(always)]
    fn each(mut self, other: Self, f: impl Fn(R, R) -> R) -> Self {
        for i in 0..N {
            self.0[i] = f(self.0[i], other.0[i]);
        }
        self
    }
}

// SAFETY (all blocks below): the caller vouches for the pointers; plain numbers run anywhere.
#[allow(clippy::undocumented_unsafe_blocks)]
impl<R: WithLanes + Copy, const N: usize> Lanes for Array<R, N> {
    type Real = R;
    const LANES: usize = N;
    #[inline(always)]
    unsafe fn splat(x: R) -> Self {
        Array([x; N])
    }
    #[inline(always)]
    unsafe fn load(p: *const R) -> Self {
        Array(unsafe { p.cast::<[R; N]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut R) {
        unsafe { p.cast::<[R; N]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.each(other, R::plus)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.each(other, R::minus)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.each(other, R::times)
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.each(other, R::over)
    }
    #[inline(always)]
    unsafe fn mul_add(mut self, a: Self, b: Self) -> Self {
        for i in 0..N {
            self.0[i] = self.0[i].fused(a.0[i], b.0[i]);
        }
        self
    }
    #[inline(always)]
    unsafe fn at_most(self, limit: Self) -> Self {
        self.each(limit, R::below)
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        self.each(self, |x, _| x.size())
    }
    #[inline(always)]
    unsafe fn with_sign_of(self, other: Self) -> Self {
        self.each(other, R::signed_as)
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        self.each(self, |x, _| x.low_bits_as_exponent())
    }
}

macro_rules! real {
    ($real:ident, $avx2:ident, $avx512:ident, lanes $lanes:literal, fraction $fraction:literal,
     bias $bias:literal, limit $limit:literal, ln2 $ln2:expr, terms $terms:literal) => {
        impl Real for $real {
            fn rounded(value: f64) -> $real {
                value as $real
            }
        }

        impl WithLanes for $real {
            #[cfg(target_arch = "x86_64")]
            type Avx2 = x86::$avx2;
            #[cfg(target_arch = "x86_64")]
            type Avx512 = x86::$avx512;
            const AVX2_LANES: usize = $lanes;
            const ROUNDER: f64 = 1.5 * (1u64 << $fraction) as f64;
            const EXPONENT_BIAS: f64 = $bias;
            const LIMIT: f64 = $limit;
            const LN_2: [f64; 2] = $ln2;
            const TERMS: usize = $terms;
            #[inline(always)]
            fn of(value: f64) -> $real {
                value as $real
            }
            #[inline(always)]
            fn plus(self, other: $real) -> $real {
                self + other
            }
            #[inline(always)]
            fn minus(self, other: $real) -> $real {
                self - other
            }
            #[inline(always)]
            fn times(self, other: $real) -> $real {
                self * other
            }
            #[inline(always)]
            fn over(self, other: $real) -> $real {
                self / other
            }
            #[inline(always)]
            fn fused(self, a: $real, b: $real) -> $real {
                // `mul_add` is a library call where the target lacks the instruction.
                if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
                    self.mul_add(a, b)
                } else {
                    self * a + b
                }
            }
            #[inline(always)]
            fn below(self, limit: $real) -> $real {
                if limit < self { limit } else { self }
            }
            #[inline(always)]
            fn size(self) -> $real {
                self.abs()
            }
            #[inline(always)]
            fn signed_as(self, other: $real) -> $real {
                self.copysign(other)
            }
            #[inline(always)]
            fn low_bits_as_exponent(self) -> $real {
                $real::from_bits(self.to_bits() << $fraction)
            }
        }
    };
}

// The first part of ln 2 has as many zeros at its end as a multiple needs that the limit allows.
real!(
    f64, F64x4, F64x8, lanes 4, fraction 52, bias 1023.0, limit 20.0,
    ln2 [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10], terms 13
);
real!(
    f32, F32x8, F32x16, lanes 8, fraction 23, bias 127.0, limit 10.0,
    ln2 [0.693_359_375, -2.121_944_400_546_905_8e-4], terms 7
);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    macro_rules! register {
        ($name:ident: $lanes:literal $real:ident in $register:ident,
         $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $div:ident $fma:ident
         $min:ident, bits $int:ident $to_int:ident $from_int:ident $and:ident $or:ident
         $splat_int:ident $int_real:ident, exponent $shift:expr) => {
            #[derive(Clone, Copy)]
            pub(crate) struct $name($register);

            impl $name {
                /// The sign bit of every lane.
                #[inline(always)]
                unsafe fn signs() -> $int {
                    // SAFETY: the caller runs where the instructions are enabled.
                    unsafe { $splat_int($int_real::MIN) }
                }
                /// All bits but the sign.
                #[inline(always)]
                unsafe fn sizes() -> $int {
                    // SAFETY: as above.
                    unsafe { $splat_int($int_real::MAX) }
                }
            }

            // SAFETY (all blocks below): the caller runs where the instructions are enabled, and vouches
            // for the pointers.
            #[allow(clippy::undocumented_unsafe_blocks)]
            impl Lanes for $name {
                type Real = $real;
                const LANES: usize = $lanes;
                #[inline(always)]
                unsafe fn splat(x: $real) -> Self {
                    $name(unsafe { $splat(x) })
                }
                #[inline(always)]
                unsafe fn load(p: *const $real) -> Self {
                    $name(unsafe { $load(p) })
                }
                #[inline(always)]
                unsafe fn store(self, p: *mut $real) {
                    unsafe { $store(p, self.0) }
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    $name(unsafe { $add(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn sub(self, other: Self) -> Self {
                    $name(unsafe { $sub(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn mul(self, other: Self) -> Self {
                    $name(unsafe { $mul(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn div(self, other: Self) -> Self {
                    $name(unsafe { $div(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn mul_add(self, a: Self, b: Self) -> Self {
                    $name(unsafe { $fma(self.0, a.0, b.0) })
                }
                #[inline(always)]
                unsafe fn at_most(self, limit: Self) -> Self {
                    // Where either is NaN the instruction gives its second operand.
                    $name(unsafe { $min(limit.0, self.0) })
                }
                #[inline(always)]
                unsafe fn abs(self) -> Self {
                    $name(unsafe { $from_int($and($to_int(self.0), Self::sizes())) })
                }
                #[inline(always)]
                unsafe fn with_sign_of(self, other: Self) -> Self {
                    let sign = unsafe { $and($to_int(other.0), Self::signs()) };
                    $name(unsafe { $from_int($or($to_int(self.0), sign)) })
                }
                #[inline(always)]
                unsafe fn power_of_two(self) -> Self {
                    $name(unsafe { $from_int($shift($to_int(self.0))) })
                }
            }
        };
    }

    register!(F64x4: 4 f64 in __m256d,
        _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd
        _mm256_div_pd _mm256_fmadd_pd _mm256_min_pd, bits __m256i _mm256_castpd_si256
        _mm256_castsi256_pd _mm256_and_si256 _mm256_or_si256 _mm256_set1_epi64x i64,
        exponent _mm256_slli_epi64::<52>);
    register!(F32x8: 8 f32 in __m256,
        _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps
        _mm256_div_ps _mm256_fmadd_ps _mm256_min_ps, bits __m256i _mm256_castps_si256
        _mm256_castsi256_ps _mm256_and_si256 _mm256_or_si256 _mm256_set1_epi32 i32,
        exponent _mm256_slli_epi32::<23>);
    register!(F64x8: 8 f64 in __m512d,
        _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd
        _mm512_div_pd _mm512_fmadd_pd _mm512_min_pd, bits __m512i _mm512_castpd_si512
        _mm512_castsi512_pd _mm512_and_si512 _mm512_or_si512 _mm512_set1_epi64 i64,
        exponent _mm512_slli_epi64::<52>);
    register!(F32x16: 16 f32 in __m512,
        _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps
        _mm512_div_ps _mm512_fmadd_ps _mm512_min_ps, bits __m512i _mm512_castps_si512
        _mm512_castsi512_ps _mm512_and_si512 _mm512_or_si512 _mm512_set1_epi32 i32,
        exponent _mm512_slli_epi32::<23>);
}
