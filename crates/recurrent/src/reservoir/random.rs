//! Random numbers given by a seed and what they are for.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng as _;

use crate::random::{below, mix};

/// What a stream of random numbers is for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Recurrent = 1,
    Input = 2,
    Bias = 3,
    Signal = 4,
    Start = 5,
}

pub(super) struct Random(Pcg64);

impl Random {
    pub(super) fn new(seed: u64, purpose: Purpose) -> Random {
        let purpose = purpose as u64;
        let state = u128::from(mix(seed)) << 64 | u128::from(mix(seed ^ mix(purpose)));
        Random(Pcg64::new(state, u128::from(purpose)))
    }

    /// Uniform in [-1, 1), 53 bits, exact.
    pub(super) fn symmetric(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// `count` different numbers of `0..bound`, rising (Floyd's method; Bentley and Floyd 1987).
    pub(super) fn choose(&mut self, count: usize, bound: usize) -> Vec<usize> {
        let mut chosen = std::collections::BTreeSet::new();
        for last in bound - count..bound {
            let candidate = below(&mut self.0, last + 1);
            if !chosen.insert(candidate) {
                chosen.insert(last);
            }
        }
        chosen.into_iter().collect()
    }
}
