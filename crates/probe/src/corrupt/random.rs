//! Random numbers of a corrupted image: PCG-64 for the raw bits, everything else written here, so
//! that the same seed gives the same corruption in every version.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng as _;

/// The random numbers of one image under one corruption.
pub(crate) struct Random(Pcg64);

impl Random {
    /// A stream of its own for each seed, corruption and image.
    pub(crate) fn new(seed: u64, corruption: u64, image: u64) -> Random {
        let state = u128::from(mix(seed)) << 64 | u128::from(mix(seed ^ mix(image)));
        Random(Pcg64::new(state, u128::from(corruption) << 64 | u128::from(image)))
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in [low, high).
    pub(crate) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in low..high, of which there must be one.
    pub(crate) fn integer(&mut self, low: i64, high: i64) -> i64 {
        low + (self.unit() * (high - low) as f64) as i64
    }

    /// Heads or tails.
    pub(crate) fn coin(&mut self) -> bool {
        self.0.next_u64() >> 63 == 1
    }

    /// 1 or −1.
    pub(crate) fn sign(&mut self) -> f64 {
        if self.coin() { 1.0 } else { -1.0 }
    }

    /// Normal with mean 0 and standard deviation 1 (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Poisson, for means of a few units (Knuth, The Art of Computer Programming, 3.4.1).
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        let limit = (-mean).exp();
        let mut product = self.unit();
        let mut count = 0;
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
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
    fn means_and_variances_are_those_of_the_distributions() {
        let mut random = Random::new(1, 2, 3);
        let mut moments = |draw: &mut dyn FnMut(&mut Random) -> f64| {
            let values: Vec<f64> = (0..100_000).map(|_| draw(&mut random)).collect();
            let mean = values.iter().sum::<f64>() / 1e5;
            (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1e5)
        };
        // Five standard errors of each.
        let near = |(mean, variance): (f64, f64), m: f64, v: f64, slack: f64| {
            assert!((mean - m).abs() < slack && (variance - v).abs() < 3.0 * slack, "{mean} {v}");
        };
        near(moments(&mut Random::unit), 0.5, 1.0 / 12.0, 0.005);
        near(moments(&mut Random::normal), 0.0, 1.0, 0.016);
        near(moments(&mut |r| f64::from(r.poisson(2.4))), 2.4, 2.4, 0.025);
        near(moments(&mut |r| r.integer(-2, 2) as f64), -0.5, 1.25, 0.018);
    }

    #[test]
    fn seed_corruption_and_image_each_give_other_numbers() {
        let first = |s, c, i| Random::new(s, c, i).unit();
        let base = first(1, 1, 1);
        assert_eq!(base, first(1, 1, 1));
        assert!(base != first(2, 1, 1) && base != first(1, 2, 1) && base != first(1, 1, 2));
    }
}
