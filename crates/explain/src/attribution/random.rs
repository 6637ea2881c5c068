//! Random numbers: PCG-64 for the raw bits, everything else written here, so that the same seed
//! gives the same numbers in every version.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng as _;
use rayon::prelude::*;

/// What the numbers are for: each purpose has a stream of its own.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    SmoothGrad = 1,
    ExpectedGradients = 2,
    Rise = 3,
    Lime = 4,
    KernelShap = 5,
    Infidelity = 6,
    Sensitivity = 7,
    Road = 8,
    Randomisation = 9,
    Visualise = 10,
}

/// A stream of random numbers.
pub(crate) struct Random(Pcg64);

impl Random {
    /// The stream of a seed, a purpose and whatever else tells streams apart.
    pub(crate) fn new(seed: u64, purpose: Purpose, index: u64) -> Random {
        let state = u128::from(mix(seed)) << 64 | u128::from(mix(seed ^ mix(index)));
        Random(Pcg64::new(state, (purpose as u128) << 64 | u128::from(index)))
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in 0..bound, of which there must be one.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((self.unit() * bound as f64) as usize).min(bound - 1)
    }

    /// Normal with mean 0 and standard deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        normal([self.unit(), self.unit()])
    }

    /// As many calls of [`Random::normal`] as there are places, times `scale`: drawn in order, made of
    /// what was drawn by the threads of the pool that this is called in.
    pub(crate) fn normals(&mut self, scale: f64, values: &mut [f32]) {
        let drawn: Vec<[f64; 2]> = values.iter().map(|_| [self.unit(), self.unit()]).collect();
        let values = values.par_iter_mut().with_min_len(1 << 12).zip(drawn);
        values.for_each(|(value, drawn)| *value = (scale * normal(drawn)) as f32);
    }

    /// `count` different numbers of 0..bound, in ascending order (Floyd's algorithm).
    pub(crate) fn subset(&mut self, bound: usize, count: usize) -> Vec<usize> {
        let mut chosen = std::collections::BTreeSet::new();
        for top in bound - count..bound {
            let pick = self.below(top + 1);
            if !chosen.insert(pick) {
                chosen.insert(top);
            }
        }
        chosen.into_iter().collect()
    }
}

/// Normal from two that are uniform in [0, 1) (Box and Muller 1958).
fn normal([radius, angle]: [f64; 2]) -> f64 {
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// SplitMix64 (Steele, Lea, Flood 2014): keeps neighbouring seeds apart.
fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normals_have_mean_0_and_variance_1_and_subsets_are_even() {
        let mut random = Random::new(3, Purpose::Rise, 0);
        let normals: Vec<f64> = (0..50_000).map(|_| random.normal()).collect();
        let mean = normals.iter().sum::<f64>() / 5e4;
        let variance = normals.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 5e4;
        assert!(mean.abs() < 0.025 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
        let mut others = vec![0.0; 50_000];
        Random::new(3, Purpose::Rise, 0).normals(1.0, &mut others);
        assert!(normals.iter().zip(&others).all(|(&a, &b)| a as f32 == b));
        let mut counts = [0; 5];
        for _ in 0..10_000 {
            let subset = random.subset(5, 2);
            assert!(subset.len() == 2 && subset[0] < subset[1]);
            subset.iter().for_each(|&i| counts[i] += 1);
        }
        assert!(counts.iter().all(|&c| (c - 4000_i32).abs() < 250), "{counts:?}");
    }
}
