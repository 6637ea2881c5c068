//! One vector of `f32` lanes, and its implementations for each instruction set.
//!
//! Kernels are written once, generic over [`Vector`], and instantiated inside a function that
//! enables the instruction set (see [`super::dispatch`]). Every method is `inline(always)` so
//! that it ends up inside that function; outside of it an intrinsic would become a call.

/// A register of `LANES` single-precision numbers.
///
/// # Safety
/// Every method may use instructions of the implementing set, so callers must run inside
/// [`super::dispatch`], which has checked that the machine has them. Pointers must be valid for
/// the lanes that are read or written; alignment is not required.
pub(crate) trait Vector: Copy {
    /// Numbers in one register.
    const LANES: usize;
    /// Rows of the register tile of the matrix kernels: as many as the register file holds
    /// beside two columns of the other operand.
    const TILE_ROWS: usize;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(p: *const f32) -> Self;
    unsafe fn store(self, p: *mut f32);
    /// The first `n` lanes from memory, the others 0.
    unsafe fn load_part(p: *const f32, n: usize) -> Self;
    /// Only the first `n` lanes are written.
    unsafe fn store_part(self, p: *mut f32, n: usize);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self * a + b`, rounded once where the machine can.
    unsafe fn mul_add(self, a: Self, b: Self) -> Self;
    /// Rounded as by IEEE 754, on every machine.
    unsafe fn div(self, other: Self) -> Self;
    /// Lane-wise maximum; where either is NaN the result is `other`.
    unsafe fn max(self, other: Self) -> Self;
    /// Lane-wise minimum; where either is NaN the result is `other`.
    unsafe fn min(self, other: Self) -> Self;
    /// `self` where `gate` is positive, else 0.
    unsafe fn where_positive(self, gate: Self) -> Self;
    /// 0 where `|self|` is less than `least`, else `self`; a NaN stays.
    unsafe fn zero_below(self, least: Self) -> Self;
    /// `2^n` where `self` is `n + ROUND`, for whole `n` from -126 to 127.
    unsafe fn pow2(self) -> Self;
}

/// Adding it rounds a small number to a whole one, which then stands in the lowest bits.
pub(crate) const ROUND: f32 = 12_582_912.0;

/// The bits of 1: the exponent of `2^0`.
const ONE: u32 = 0x3f80_0000;

/// `x a + b`, rounded once on AArch64 and twice elsewhere: by the kind of machine alone, so that the bits do
/// not depend on how the program was compiled. (`f32::mul_add` is a slow call where there is no instruction.)
#[inline(always)]
fn mul_add(x: f32, a: f32, b: f32) -> f32 {
    if cfg!(target_arch = "aarch64") { x.mul_add(a, b) } else { x * a + b }
}

#[allow(unused_macros)] // where every vector is known, but for tests
macro_rules! array_vector {
    ($(#[$doc:meta])* $name:ident, $lanes:literal, $rows:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name([f32; $lanes]);

        impl Vector for $name {
            const LANES: usize = $lanes;
            const TILE_ROWS: usize = $rows;
            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                $name([x; $lanes])
            }
            #[inline(always)]
            unsafe fn load(p: *const f32) -> Self {
                // SAFETY: the caller vouches for LANES readable floats.
                $name(unsafe { p.cast::<[f32; $lanes]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut f32) {
                // SAFETY: the caller vouches for LANES writable floats.
                unsafe { p.cast::<[f32; $lanes]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            unsafe fn load_part(p: *const f32, n: usize) -> Self {
                let mut v = [0.0; $lanes];
                for (i, x) in v.iter_mut().enumerate().take(n) {
                    // SAFETY: the caller vouches for n readable floats.
                    *x = unsafe { *p.add(i) };
                }
                $name(v)
            }
            #[inline(always)]
            unsafe fn store_part(self, p: *mut f32, n: usize) {
                for (i, x) in self.0.iter().enumerate().take(n) {
                    // SAFETY: the caller vouches for n writable floats.
                    unsafe { *p.add(i) = *x };
                }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                $name(std::array::from_fn(|i| self.0[i] + other.0[i]))
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                $name(std::array::from_fn(|i| self.0[i] - other.0[i]))
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                $name(std::array::from_fn(|i| self.0[i] * other.0[i]))
            }
            #[inline(always)]
            unsafe fn mul_add(self, a: Self, b: Self) -> Self {
                $name(std::array::from_fn(|i| mul_add(self.0[i], a.0[i], b.0[i])))
            }
            #[inline(always)]
            unsafe fn div(self, other: Self) -> Self {
                $name(std::array::from_fn(|i| self.0[i] / other.0[i]))
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                $name(std::array::from_fn(|i| {
                    if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] }
                }))
            }
            #[inline(always)]
            unsafe fn zero_below(self, least: Self) -> Self {
                $name(std::array::from_fn(|i| {
                    if self.0[i].abs() < least.0[i] { 0.0 } else { self.0[i] }
                }))
            }
            #[inline(always)]
            unsafe fn min(self, other: Self) -> Self {
                $name(std::array::from_fn(|i| {
                    if self.0[i] < other.0[i] { self.0[i] } else { other.0[i] }
                }))
            }
            #[inline(always)]
            unsafe fn where_positive(self, gate: Self) -> Self {
                $name(std::array::from_fn(|i| if gate.0[i] > 0.0 { self.0[i] } else { 0.0 }))
            }
            #[inline(always)]
            unsafe fn pow2(self) -> Self {
                $name(self.0.map(|x| f32::from_bits((x.to_bits() << 23).wrapping_add(ONE))))
            }
        }
    };
}

/// One number at a time: the reading of the kernels that needs no vector unit at all.
#[derive(Clone, Copy)]
pub(crate) struct Scalar(f32);

impl Vector for Scalar {
    const LANES: usize = 1;
    const TILE_ROWS: usize = 4;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Scalar(x)
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller vouches for one readable float.
        Scalar(unsafe { *p })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller vouches for one writable float.
        unsafe { *p = self.0 }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> Self {
        // SAFETY: the caller vouches for n readable floats.
        Scalar(if n == 0 { 0.0 } else { unsafe { *p } })
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, n: usize) {
        if n > 0 {
            // SAFETY: the caller vouches for n writable floats.
            unsafe { *p = self.0 }
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Scalar(self.0 + other.0)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Scalar(self.0 - other.0)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Scalar(self.0 * other.0)
    }
    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        Scalar(mul_add(self.0, a.0, b.0))
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        Scalar(self.0 / other.0)
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        if self.0 > other.0 { self } else { other }
    }
    #[inline(always)]
    unsafe fn zero_below(self, least: Self) -> Self {
        if self.0.abs() < least.0 { Scalar(0.0) } else { self }
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        if self.0 < other.0 { self } else { other }
    }
    #[inline(always)]
    unsafe fn where_positive(self, gate: Self) -> Self {
        if gate.0 > 0.0 { self } else { Scalar(0.0) }
    }
    #[inline(always)]
    unsafe fn pow2(self) -> Self {
        Scalar(f32::from_bits((self.0.to_bits() << 23).wrapping_add(ONE)))
    }
}
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
array_vector!(
    /// Four lanes in plain Rust, for machines whose vectors are not known here.
    Portable, 4, 6
);
#[cfg(test)]
array_vector!(
    /// Four lanes in plain Rust, which other machines have for [`Portable`]: against its bits.
    PlainFour, 4, 6
);
#[cfg(test)]
array_vector!(
    /// The geometry of AVX-512 in plain code, so that it is tested on machines without it.
    Emulated512, 16, 14
);

/// Two vectors as one, for long chains of operations. Each operation is done on both before the next: a chain of operations that wait for
/// one another, as in a polynomial, then leaves no gaps that the machine would have to fill by looking ahead.
#[derive(Clone, Copy)]
pub(crate) struct Pair<V>(V, V);

// SAFETY (all blocks below): the trait's contract, for each half.
#[allow(clippy::undocumented_unsafe_blocks)]
impl<V: Vector> Vector for Pair<V> {
    const LANES: usize = 2 * V::LANES;
    const TILE_ROWS: usize = V::TILE_ROWS / 2;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        let half = unsafe { V::splat(x) };
        Pair(half, half)
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        unsafe { Pair(V::load(p), V::load(p.add(V::LANES))) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        unsafe {
            self.0.store(p);
            self.1.store(p.add(V::LANES));
        }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> Self {
        let second = n.saturating_sub(V::LANES);
        unsafe {
            let after = p.wrapping_add(V::LANES);
            Pair(V::load_part(p, n - second), V::load_part(after, second))
        }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, n: usize) {
        let second = n.saturating_sub(V::LANES);
        unsafe {
            self.0.store_part(p, n - second);
            self.1.store_part(p.wrapping_add(V::LANES), second);
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe { Pair(self.0.add(other.0), self.1.add(other.1)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe { Pair(self.0.sub(other.0), self.1.sub(other.1)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        unsafe { Pair(self.0.mul(other.0), self.1.mul(other.1)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        unsafe { Pair(self.0.mul_add(a.0, b.0), self.1.mul_add(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        unsafe { Pair(self.0.div(other.0), self.1.div(other.1)) }
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        unsafe { Pair(self.0.max(other.0), self.1.max(other.1)) }
    }
    #[inline(always)]
    unsafe fn zero_below(self, least: Self) -> Self {
        unsafe { Pair(self.0.zero_below(least.0), self.1.zero_below(least.1)) }
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        unsafe { Pair(self.0.min(other.0), self.1.min(other.1)) }
    }
    #[inline(always)]
    unsafe fn where_positive(self, gate: Self) -> Self {
        unsafe { Pair(self.0.where_positive(gate.0), self.1.where_positive(gate.1)) }
    }
    #[inline(always)]
    unsafe fn pow2(self) -> Self {
        unsafe { Pair(self.0.pow2(), self.1.pow2()) }
    }
}

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::Portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use wasm32::Portable;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512, Portable};

/// The parts of [`Vector`] that are the same for all vectors of four lanes: partial access goes through an
/// array of four, which holds for every compiler, unlike arithmetic on such arrays.
#[allow(unused_macros)] // where no vector of four is known
macro_rules! partial_access_of_four {
    () => {
        #[inline(always)]
        unsafe fn load_part(p: *const f32, n: usize) -> Self {
            let mut lanes = [0.0; 4];
            // SAFETY: the caller vouches for n readable floats, at most four.
            unsafe {
                for (i, lane) in lanes.iter_mut().enumerate().take(n) {
                    *lane = *p.add(i);
                }
                Self::load(lanes.as_ptr())
            }
        }
        #[inline(always)]
        unsafe fn store_part(self, p: *mut f32, n: usize) {
            let mut lanes = [0.0; 4];
            // SAFETY: the caller vouches for n writable floats, at most four.
            unsafe {
                self.store(lanes.as_mut_ptr());
                for (i, lane) in lanes.iter().enumerate().take(n) {
                    *p.add(i) = *lane;
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{ONE, Vector};
    use std::arch::x86_64::*;

    /// Four lanes of SSE2, which every x86-64 has.
    #[derive(Clone, Copy)]
    pub(crate) struct Portable(__m128);

    // SAFETY (all blocks below): the trait's contract; SSE2 is part of the architecture.
    #[allow(clippy::undocumented_unsafe_blocks, unused_unsafe)]
    impl Vector for Portable {
        const LANES: usize = 4;
        const TILE_ROWS: usize = 6;
        partial_access_of_four!();
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Portable(unsafe { _mm_set1_ps(x) })
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            Portable(unsafe { _mm_loadu_ps(p) })
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm_storeu_ps(p, self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Portable(unsafe { _mm_add_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            Portable(unsafe { _mm_sub_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            Portable(unsafe { _mm_mul_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul_add(self, a: Self, b: Self) -> Self {
            // Rounded twice even where there is more than SSE2: the same bits on every x86-64.
            Portable(unsafe { _mm_add_ps(_mm_mul_ps(self.0, a.0), b.0) })
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            Portable(unsafe { _mm_div_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            Portable(unsafe { _mm_max_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn zero_below(self, least: Self) -> Self {
            unsafe {
                let size = _mm_andnot_ps(_mm_set1_ps(-0.0), self.0);
                Portable(_mm_and_ps(_mm_cmpnlt_ps(size, least.0), self.0))
            }
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            Portable(unsafe { _mm_min_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn where_positive(self, gate: Self) -> Self {
            Portable(unsafe { _mm_and_ps(self.0, _mm_cmpgt_ps(gate.0, _mm_setzero_ps())) })
        }
        #[inline(always)]
        unsafe fn pow2(self) -> Self {
            Portable(unsafe {
                let n = _mm_slli_epi32::<23>(_mm_castps_si128(self.0));
                _mm_castsi128_ps(_mm_add_epi32(n, _mm_set1_epi32(ONE as i32)))
            })
        }
    }

    /// Eight lanes with fused multiply-add.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2(__m256);

    // Masks for partial loads: a window of 8 starting at 8 - n has n leading ones.
    static AVX2_MASK: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

    #[inline(always)]
    unsafe fn avx2_mask(n: usize) -> __m256i {
        debug_assert!(n <= 8);
        // SAFETY: n <= 8 keeps the window inside the table; the caller is inside `dispatch`.
        unsafe { _mm256_loadu_si256(AVX2_MASK.as_ptr().add(8 - n).cast()) }
    }

    // SAFETY (all blocks below): the trait's contract; the caller runs inside `dispatch`, which
    // has checked for AVX2 and FMA, and vouches for the pointers.
    #[allow(clippy::undocumented_unsafe_blocks)]
    impl Vector for Avx2 {
        const LANES: usize = 8;
        const TILE_ROWS: usize = 6;
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Avx2(unsafe { _mm256_set1_ps(x) })
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            Avx2(unsafe { _mm256_loadu_ps(p) })
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm256_storeu_ps(p, self.0) }
        }
        #[inline(always)]
        unsafe fn load_part(p: *const f32, n: usize) -> Self {
            Avx2(unsafe { _mm256_maskload_ps(p, avx2_mask(n)) })
        }
        #[inline(always)]
        unsafe fn store_part(self, p: *mut f32, n: usize) {
            unsafe { _mm256_maskstore_ps(p, avx2_mask(n), self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Avx2(unsafe { _mm256_add_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            Avx2(unsafe { _mm256_sub_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            Avx2(unsafe { _mm256_mul_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul_add(self, a: Self, b: Self) -> Self {
            Avx2(unsafe { _mm256_fmadd_ps(self.0, a.0, b.0) })
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            Avx2(unsafe { _mm256_div_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            Avx2(unsafe { _mm256_max_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn zero_below(self, least: Self) -> Self {
            unsafe {
                let size = _mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0);
                Avx2(_mm256_and_ps(_mm256_cmp_ps::<_CMP_NLT_UQ>(size, least.0), self.0))
            }
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            Avx2(unsafe { _mm256_min_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn where_positive(self, gate: Self) -> Self {
            let zero = unsafe { _mm256_setzero_ps() };
            Avx2(unsafe { _mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_GT_OQ>(gate.0, zero)) })
        }
        #[inline(always)]
        unsafe fn pow2(self) -> Self {
            Avx2(unsafe {
                let n = _mm256_slli_epi32::<23>(_mm256_castps_si256(self.0));
                _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(ONE as i32)))
            })
        }
    }

    /// Sixteen lanes with fused multiply-add and 32 registers.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(__m512);

    #[inline(always)]
    fn mask16(n: usize) -> __mmask16 {
        debug_assert!(n <= 16);
        ((1u32 << n) - 1) as __mmask16
    }

    // SAFETY (all blocks below): as for `Avx2`, with AVX-512F.
    #[allow(clippy::undocumented_unsafe_blocks)]
    impl Vector for Avx512 {
        const LANES: usize = 16;
        const TILE_ROWS: usize = 14;
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Avx512(unsafe { _mm512_set1_ps(x) })
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            Avx512(unsafe { _mm512_loadu_ps(p) })
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm512_storeu_ps(p, self.0) }
        }
        #[inline(always)]
        unsafe fn load_part(p: *const f32, n: usize) -> Self {
            Avx512(unsafe { _mm512_maskz_loadu_ps(mask16(n), p) })
        }
        #[inline(always)]
        unsafe fn store_part(self, p: *mut f32, n: usize) {
            unsafe { _mm512_mask_storeu_ps(p, mask16(n), self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Avx512(unsafe { _mm512_add_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            Avx512(unsafe { _mm512_sub_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            Avx512(unsafe { _mm512_mul_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul_add(self, a: Self, b: Self) -> Self {
            Avx512(unsafe { _mm512_fmadd_ps(self.0, a.0, b.0) })
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            Avx512(unsafe { _mm512_div_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            Avx512(unsafe { _mm512_max_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn zero_below(self, least: Self) -> Self {
            unsafe {
                let kept = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_abs_ps(self.0), least.0);
                Avx512(_mm512_maskz_mov_ps(kept, self.0))
            }
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            Avx512(unsafe { _mm512_min_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn where_positive(self, gate: Self) -> Self {
            Avx512(unsafe {
                let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(gate.0, _mm512_setzero_ps());
                _mm512_maskz_mov_ps(positive, self.0)
            })
        }
        #[inline(always)]
        unsafe fn pow2(self) -> Self {
            Avx512(unsafe {
                let n = _mm512_slli_epi32::<23>(_mm512_castps_si512(self.0));
                _mm512_castsi512_ps(_mm512_add_epi32(n, _mm512_set1_epi32(ONE as i32)))
            })
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use super::{ONE, Vector};
    use std::arch::aarch64::*;

    /// Four lanes of NEON, which every AArch64 has, and its fused multiply-add.
    #[derive(Clone, Copy)]
    pub(crate) struct Portable(float32x4_t);

    // SAFETY (all blocks below): the trait's contract; NEON is part of the architecture.
    #[allow(clippy::undocumented_unsafe_blocks, unused_unsafe)]
    impl Vector for Portable {
        const LANES: usize = 4;
        const TILE_ROWS: usize = 6;
        partial_access_of_four!();
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Portable(unsafe { vdupq_n_f32(x) })
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            Portable(unsafe { vld1q_f32(p) })
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { vst1q_f32(p, self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Portable(unsafe { vaddq_f32(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            Portable(unsafe { vsubq_f32(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            Portable(unsafe { vmulq_f32(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul_add(self, a: Self, b: Self) -> Self {
            Portable(unsafe { vfmaq_f32(b.0, self.0, a.0) })
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            Portable(unsafe { vdivq_f32(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            // NEON's own maximum would be NaN where either is.
            Portable(unsafe { vbslq_f32(vcgtq_f32(self.0, other.0), self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn zero_below(self, least: Self) -> Self {
            unsafe {
                let small = vcltq_f32(vabsq_f32(self.0), least.0);
                Portable(vbslq_f32(small, vdupq_n_f32(0.0), self.0))
            }
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            Portable(unsafe { vbslq_f32(vcltq_f32(self.0, other.0), self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn where_positive(self, gate: Self) -> Self {
            Portable(unsafe { vbslq_f32(vcgtzq_f32(gate.0), self.0, vdupq_n_f32(0.0)) })
        }
        #[inline(always)]
        unsafe fn pow2(self) -> Self {
            Portable(unsafe {
                let n = vshlq_n_u32::<23>(vreinterpretq_u32_f32(self.0));
                vreinterpretq_f32_u32(vaddq_u32(n, vdupq_n_u32(ONE)))
            })
        }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm32 {
    use super::{ONE, Vector};
    use std::arch::wasm32::*;

    /// Four lanes of WebAssembly's SIMD.
    #[derive(Clone, Copy)]
    pub(crate) struct Portable(v128);

    // SAFETY (all blocks below): the trait's contract; the module asks for SIMD as a whole.
    #[allow(clippy::undocumented_unsafe_blocks, unused_unsafe)]
    impl Vector for Portable {
        const LANES: usize = 4;
        const TILE_ROWS: usize = 6;
        partial_access_of_four!();
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Portable(f32x4_splat(x))
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            Portable(unsafe { v128_load(p.cast()) })
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { v128_store(p.cast(), self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Portable(f32x4_add(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            Portable(f32x4_sub(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            Portable(f32x4_mul(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn mul_add(self, a: Self, b: Self) -> Self {
            Portable(f32x4_add(f32x4_mul(self.0, a.0), b.0))
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            Portable(f32x4_div(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            // `other < self ? self : other`
            Portable(f32x4_pmax(other.0, self.0))
        }
        #[inline(always)]
        unsafe fn zero_below(self, least: Self) -> Self {
            let small = f32x4_lt(f32x4_abs(self.0), least.0);
            Portable(v128_andnot(self.0, small))
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            Portable(f32x4_pmin(other.0, self.0))
        }
        #[inline(always)]
        unsafe fn where_positive(self, gate: Self) -> Self {
            Portable(v128_and(self.0, f32x4_gt(gate.0, f32x4_splat(0.0))))
        }
        #[inline(always)]
        unsafe fn pow2(self) -> Self {
            Portable(i32x4_add(i32x4_shl(self.0, 23), i32x4_splat(ONE as i32)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [f32; 12] = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        0.1,
        3e38,
        -3e38,
        1e-40,
        f32::MIN_POSITIVE,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];

    /// All operations on all pairs of values, four at a time; every NaN as the same one.
    fn operations<V: Vector>() -> Vec<u32> {
        assert_eq!(V::LANES, 4);
        let mut all = Vec::new();
        for a in VALUES {
            for b in VALUES.chunks_exact(4) {
                // SAFETY: four lanes each; the vectors are those of every machine of this kind.
                unsafe {
                    let (x, y) = (V::splat(a), V::load(b.as_ptr()));
                    let results = [
                        x.add(y),
                        x.sub(y),
                        x.mul(y),
                        x.div(y),
                        x.mul_add(y, V::splat(0.3)),
                        x.max(y),
                        y.max(x),
                        x.min(y),
                        y.min(x),
                        y.where_positive(x),
                        x.where_positive(y),
                        x.zero_below(y),
                        y.zero_below(x),
                    ];
                    for result in results {
                        let mut lanes = [0.0; 4];
                        result.store(lanes.as_mut_ptr());
                        all.extend(lanes.map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() }));
                    }
                }
            }
        }
        all
    }

    #[test]
    fn the_portable_vector_has_the_bits_of_plain_rust() {
        assert_eq!(operations::<Portable>(), operations::<PlainFour>());
    }

    #[test]
    fn powers_of_two_and_partial_access_are_those_of_plain_rust() {
        for n in -126..=127 {
            let (mut a, mut b) = ([0.0; 4], [0.0; 4]);
            // SAFETY: as above; three lanes of four.
            unsafe {
                let sum = n as f32 + ROUND;
                Portable::splat(sum).pow2().store_part(a.as_mut_ptr(), 3);
                PlainFour::load_part([sum; 3].as_ptr(), 3).pow2().store_part(b.as_mut_ptr(), 3);
            }
            let power = 2f64.powi(n) as f32;
            assert_eq!((a, b), ([power, power, power, 0.0], [power, power, power, 0.0]));
        }
    }
}
