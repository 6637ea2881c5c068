//! Random numbers whose bits depend on nothing but the seed and what they are for.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};

/// What a stream of random numbers is for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Start = 1,
    Order = 2,
    Padding = 3,
}

/// A stream of its own for every seed, purpose and index.
pub(crate) struct Random(Pcg64);

impl Random {
    pub(crate) fn new(seed: u64, purpose: Purpose, index: u64) -> Random {
        let key = mix(mix(mix(seed) ^ mix(purpose as u64)) ^ mix(index));
        Random(Pcg64::seed_from_u64(key))
    }

    /// Uniform in [-1, 1), 24 bits.
    pub(crate) fn symmetric(&mut self) -> f32 {
        (self.0.next_u64() >> 40) as f32 * (1.0 / 8_388_608.0) - 1.0
    }

    /// Normal with mean 0 and standard deviation 1 to the eye: the sum of twelve uniform numbers, which needs no
    /// function that differs between machines.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.symmetric()).sum::<f32>() * 0.5
    }

    /// An integer in `0..bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        below(&mut self.0, bound)
    }

    /// Fisher and Yates's shuffle.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// An integer in `0..bound` by Lemire's multiply-shift; the bias is below `bound` / 2^64.
pub(crate) fn below(rng: &mut Pcg64, bound: usize) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

/// From one state of SplitMix64 to the next.
pub(crate) const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64 (Steele, Lea and Flood 2014): keeps neighbouring seeds apart.
pub(crate) fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(STEP);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
