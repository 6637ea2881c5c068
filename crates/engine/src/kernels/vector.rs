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
    /// `2^n` where `self` is `n + ROUND`, for whole `n` from -126 to 127.
    unsafe fn pow2(self) -> Self;
}

/// Adding it rounds a small number to a whole one, which then stands in the lowest bits.
pub(crate) const ROUND: f32 = 12_582_912.0;

/// The bits of 1: the exponent of `2^0`.
const ONE: u32 = 0x3f80_0000;

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
                // `f32::mul_add` is a library call where the target lacks the instruction.
                if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
                    $name(std::array::from_fn(|i| self.0[i].mul_add(a.0[i], b.0[i])))
                } else {
                    $name(std::array::from_fn(|i| self.0[i] * a.0[i] + b.0[i]))
                }
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

array_vector!(
    /// One number at a time: the reading of the kernels that needs no vector unit at all.
    Scalar, 1, 4
);
array_vector!(
    /// Four lanes that the compiler maps to SSE2, NEON or WebAssembly's vectors.
    Portable, 4, 6
);
#[cfg(test)]
array_vector!(
    /// The geometry of AVX-512 in plain code, so that it is tested on machines without it.
    Emulated512, 16, 14
);

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{ONE, Vector};
    use std::arch::x86_64::*;

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
