//! What attacks have found.

use serde::Serialize;

use super::{Attack, Norm};

/// Attacks on many images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attacked {
    /// Number of images.
    pub count: usize,
    /// Of these, classified correctly as they are.
    pub clean_correct: usize,
    /// Their share, 0 to 1.
    pub clean_accuracy: f64,
    /// The class that the network was to say; none where anything but the truth would do.
    pub target: Option<usize>,
    /// What ε measures; none where no attack has an ε.
    pub norm: Option<Norm>,
    /// Whether adversarial images were rounded to 8 bits before they were judged.
    pub rounded: bool,
    /// Each attack by itself.
    pub methods: Vec<MethodResult>,
    /// The worst case over the attacks that have an ε (over all where none has): an image is robust
    /// where it withstands each of them.
    pub curve: Vec<RobustAccuracy>,
    /// The smallest perturbation that any of these attacks found.
    pub nearest: Nearest,
    /// For each image what these attacks found: of several perturbations the smallest.
    pub images: Vec<AttackedImage>,
}

/// One attack on many images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodResult {
    /// Name of the attack.
    pub method: &'static str,
    /// Its parameters.
    pub parameters: Attack,
    /// What ε measures; none where the attack has no ε.
    pub norm: Option<Norm>,
    /// Against each ε, ascending; one point without ε where the attack has none.
    pub curve: Vec<RobustAccuracy>,
    /// The smallest perturbations found.
    pub nearest: Nearest,
    /// Gradients computed, each of one image.
    pub gradients: usize,
    /// Other forward passes, each of one image.
    pub queries: usize,
    /// Seconds it took.
    pub seconds: f64,
    /// Each image.
    pub images: Vec<AttackedImage>,
}

/// How many images are classified correctly whatever the attack does within ε.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RobustAccuracy {
    /// Size of the perturbation; none where the attack has no ε.
    pub epsilon: Option<f64>,
    /// Images that are classified correctly as they are and were not fooled.
    pub robust: usize,
    /// Their share of all images, 0 to 1.
    pub robust_accuracy: f64,
    /// 95 % confidence interval of it (Wilson 1927).
    pub interval: (f64, f64),
}

/// The smallest perturbation found for each image that is classified correctly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Nearest {
    /// Such images.
    pub count: usize,
    /// Those for which one was found.
    pub found: usize,
    /// A quarter of them need no more than this; none where none was found for so many. Images for
    /// which none was found count as infinitely far.
    pub quarter: Option<f64>,
    /// Half of them.
    pub median: Option<f64>,
    /// Three quarters of them.
    pub three_quarters: Option<f64>,
}

/// One image under attack.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttackedImage {
    /// Its place among the images.
    pub index: usize,
    /// Its class.
    pub label: usize,
    /// What the network says of it as it is.
    pub predicted: usize,
    /// With this probability.
    pub probability: f64,
    /// Whether it is classified correctly as it is and was fooled.
    pub success: bool,
    /// The attack that did it.
    pub method: Option<&'static str>,
    /// The smallest ε at which it was fooled; for attacks without ε none.
    pub epsilon: Option<f64>,
    /// What the network says of the adversarial image.
    pub adversarial: Option<usize>,
    /// With this probability.
    pub adversarial_probability: Option<f64>,
    /// The largest change of a value.
    pub linf: Option<f64>,
    /// The root of the sum of squared changes.
    pub l2: Option<f64>,
    /// Pixels changed.
    pub l0: Option<usize>,
    /// Gradients of this image.
    pub gradients: usize,
    /// Other forward passes over it.
    pub queries: usize,
    /// The adversarial image `[C, H, W]`, 0 to 1, where it was to be kept; of an attack that failed
    /// the last it tried.
    #[serde(skip)]
    pub pixels: Option<Vec<f32>>,
}

impl RobustAccuracy {
    pub(crate) fn new(epsilon: Option<f64>, robust: usize, count: usize) -> RobustAccuracy {
        RobustAccuracy {
            epsilon,
            robust,
            robust_accuracy: robust as f64 / count.max(1) as f64,
            interval: wilson(robust, count),
        }
    }

    /// A curve over all images, from what was found for each.
    pub(crate) fn curve(images: &[AttackedImage], epsilons: Option<&[f64]>) -> Vec<RobustAccuracy> {
        let count = images.len();
        let right = |image: &&AttackedImage| image.label == image.predicted;
        let Some(epsilons) = epsilons else {
            let robust = images.iter().filter(right).filter(|image| !image.success).count();
            return vec![RobustAccuracy::new(None, robust, count)];
        };
        let at = |&epsilon: &f64| {
            let holds = |i: &&AttackedImage| i.epsilon.is_none_or(|e| e > epsilon * (1.0 + 1e-6));
            let robust = images.iter().filter(right).filter(holds).count();
            RobustAccuracy::new(Some(epsilon), robust, count)
        };
        epsilons.iter().map(at).collect()
    }
}

impl Nearest {
    pub(crate) fn of(images: &[AttackedImage]) -> Nearest {
        let right = images.iter().filter(|image| image.label == image.predicted);
        let mut all: Vec<f64> = right.map(|i| i.epsilon.unwrap_or(f64::INFINITY)).collect();
        all.sort_by(f64::total_cmp);
        let share = |quarters: usize| {
            let place = (all.len() * quarters).div_ceil(4).max(1) - 1;
            all.get(place).copied().filter(|e| e.is_finite())
        };
        Nearest {
            count: all.len(),
            found: all.iter().filter(|e| e.is_finite()).count(),
            quarter: share(1),
            median: share(2),
            three_quarters: share(3),
        }
    }
}

/// 95 % confidence interval of a share of `part` in `count` (Wilson 1927, without continuity
/// correction); 0 to 1 where there are none.
pub fn wilson(part: usize, count: usize) -> (f64, f64) {
    if count == 0 {
        return (0.0, 1.0);
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (n, p) = (count as f64, part as f64 / count as f64);
    let middle = p + Z * Z / (2.0 * n);
    let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // Rounding must not push the ends at 0 and at 1 past them.
    let low = if part == 0 { 0.0 } else { (middle - reach) / scale };
    let high = if part == count { 1.0 } else { (middle + reach) / scale };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_intervals_are_those_of_scipy() {
        // scipy.stats.binomtest(part, count).proportion_ci(method="wilson")
        for (part, count, low, high) in [
            (0, 10, 0.0, 0.277_532_799_862_888_8),
            (5, 10, 0.236_593_090_512_564, 0.763_406_909_487_436),
            (199, 200, 0.972_226_295_602_107, 0.999_116_831_284_399),
        ] {
            let (l, h) = wilson(part, count);
            assert!((l - low).abs() < 1e-12 && (h - high).abs() < 1e-12, "{part}/{count}: {l} {h}");
        }
        assert_eq!(wilson(7, 7).1, 1.0);
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }
}
