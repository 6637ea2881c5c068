//! KernelSHAP.

use std::collections::BTreeMap;

use ndarray::{ArrayView3, ArrayView4};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::baseline::Baseline;
use super::linear::solve;
use super::masks::masked_values;
use super::random::{Purpose, Random};
use super::segments::{Segments, spread};
use super::{Attribute, Raw, at_least, one_by_one};
use crate::Error;

/// Shapley values of parts of the image by weighted least squares over coalitions (Lundberg and Lee
/// 2017, "A Unified Approach to Interpreting Model Predictions", theorem 2), spread over the parts'
/// pixels. A coalition of `s` of `m` parts weighs `(m − 1) / (C(m, s) s (m − s))`, and the values
/// add up to `f(x) − f(x′)` exactly, since that is a constraint of the fit.
///
/// Where the samples suffice for all coalitions, the values are the Shapley values themselves.
/// Else sizes are counted out in full from the smallest and largest inwards as long as they fit, and
/// the rest is drawn in pairs of a coalition and its complement (Covert and Lee 2021, "Improving
/// KernelSHAP", section 4.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelShap {
    /// How the image is cut up.
    pub segments: Segments,
    /// Coalitions asked, at least 4.
    pub samples: usize,
    /// What hidden parts show.
    pub baseline: Baseline,
}

impl Default for KernelShap {
    fn default() -> Self {
        KernelShap { segments: Segments::default(), samples: 2000, baseline: Baseline::Zero }
    }
}

/// A coalition, the parts that are shown, with its weight.
type Coalitions = BTreeMap<Vec<bool>, f64>;

/// Coalitions of all sizes that fit, then drawn ones, with weights that add up to 1.
fn coalitions(parts: usize, samples: usize, random: &mut Random) -> Coalitions {
    let weight = |size: usize| (parts - 1) as f64 / (size * (parts - size)) as f64;
    let mut chosen = Coalitions::new();
    let mut left = samples;
    let mut size = 1;
    // Sizes s and m − s together.
    while 2 * size <= parts {
        let count = choose(parts, size);
        let both = if 2 * size == parts { 1.0 } else { 2.0 };
        if both * count > left as f64 {
            break;
        }
        for members in combinations(parts, size) {
            let shown = mask(parts, &members);
            if 2 * size < parts {
                chosen.insert(shown.iter().map(|s| !s).collect(), weight(size) / count);
            }
            chosen.insert(shown, weight(size) / count);
        }
        left -= (both * count) as usize;
        size += 1;
    }
    let sizes: Vec<usize> = (size..=parts - size.min(parts)).collect();
    let rest: f64 = sizes.iter().map(|&s| weight(s)).sum();
    let pairs = left / 2;
    if sizes.is_empty() || pairs == 0 {
        return chosen;
    }
    for _ in 0..pairs {
        let mut point = random.unit() * rest;
        let drawn = sizes.iter().find(|&&s| {
            point -= weight(s);
            point < 0.0
        });
        let size = drawn.copied().unwrap_or(sizes[sizes.len() - 1]);
        let shown = mask(parts, &random.subset(parts, size));
        let hidden = shown.iter().map(|s| !s).collect();
        for coalition in [shown, hidden] {
            *chosen.entry(coalition).or_insert(0.0) += rest / (2 * pairs) as f64;
        }
    }
    chosen
}

fn mask(parts: usize, members: &[usize]) -> Vec<bool> {
    let mut shown = vec![false; parts];
    members.iter().for_each(|&i| shown[i] = true);
    shown
}

fn choose(n: usize, k: usize) -> f64 {
    (0..k).map(|i| (n - i) as f64 / (k - i) as f64).product::<f64>().round()
}

/// All subsets of a size, in lexicographic order.
fn combinations(n: usize, k: usize) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    let mut own: Vec<usize> = (0..k).collect();
    loop {
        all.push(own.clone());
        let Some(i) = (0..k).rev().find(|&i| own[i] < n - k + i) else { return all };
        own[i] += 1;
        for j in i + 1..k {
            own[j] = own[j - 1] + 1;
        }
    }
}

/// The values `φ` with the least `Σ weight (v(S) − v(∅) − Σ_{i ∈ S} φ_i)²` that add up to `total`:
/// the last is what the others leave.
fn fit(chosen: &Coalitions, gains: &[f64], total: f64, parts: usize) -> Vec<f64> {
    if parts == 1 {
        return vec![total];
    }
    let n = parts - 1;
    let (mut normal, mut right) = (vec![0.0; n * n], vec![0.0; n]);
    let number = |shown: bool| f64::from(u8::from(shown));
    for ((shown, weight), gain) in chosen.iter().zip(gains) {
        let last = number(shown[n]);
        let row: Vec<f64> = shown[..n].iter().map(|&s| number(s) - last).collect();
        for i in 0..n {
            right[i] += weight * row[i] * (gain - last * total);
            for j in 0..=i {
                normal[i * n + j] += weight * row[i] * row[j];
            }
        }
    }
    let mut values = solve(&normal, &right);
    values.push(total - values.iter().sum::<f64>());
    values
}

impl KernelShap {
    fn one(&self, ask: &Ask<'_>, image: ArrayView3<'_, f32>, class: usize) -> Result<Raw, Error> {
        let (_, height, width) = image.dim();
        let (parts, count) = self.segments.cut(image);
        let baseline = ask.baseline(&self.baseline, image)?;
        let mut random = Random::new(ask.seed(), Purpose::KernelShap, 0);
        let chosen = match count {
            1 => Coalitions::new(),
            _ => coalitions(count, self.samples, &mut random),
        };
        let masks: Vec<&Vec<bool>> = chosen.keys().collect();
        // First nothing, then everything, then the coalitions.
        let mut show = |sample: usize, mask: &mut [f32]| {
            let shown = |part: usize| match sample {
                0 => false,
                1 => true,
                _ => masks[sample - 2][part],
            };
            mask.iter_mut().zip(&parts).for_each(|(m, &p)| *m = f32::from(u8::from(shown(p))));
        };
        let asked = masks.len() + 2;
        let values = masked_values(ask, image, &baseline, class, asked, &mut show)?;
        let total = values[1] - values[0];
        let gains: Vec<f64> = values[2..].iter().map(|v| v - values[0]).collect();
        let shapley = fit(&chosen, &gains, total, count);
        Ok(Raw::map([height, width], spread(&parts, &shapley)).expecting(total))
    }
}

impl Attribute for KernelShap {
    fn check(&self) -> Result<(), Error> {
        self.segments.check()?;
        at_least("samples", self.samples, 4)
    }

    fn planned(&self, _: &Ask<'_>) -> usize {
        self.samples + 2
    }

    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        one_by_one(images, classes, |image, class| self.one(ask, image, class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A game whose players depend on one another.
    fn game(shown: &[bool]) -> f64 {
        let sum: f64 =
            shown.iter().enumerate().map(|(i, &s)| if s { (i + 1) as f64 } else { 0.0 }).sum();
        sum + if shown[0] && shown[3] { 5.0 } else { 0.0 } + (sum * 0.3).sin()
    }

    /// By the definition: the mean gain of a player over all orders.
    fn shapley(parts: usize) -> Vec<f64> {
        let mut values = vec![0.0; parts];
        for bits in 0..1_usize << parts {
            let shown: Vec<bool> = (0..parts).map(|i| bits >> i & 1 == 1).collect();
            let size = shown.iter().filter(|&&s| s).count();
            for i in (0..parts).filter(|&i| !shown[i]) {
                let mut with = shown.clone();
                with[i] = true;
                let weight = 1.0 / (parts as f64 * choose(parts - 1, size));
                values[i] += weight * (game(&with) - game(&shown));
            }
        }
        values
    }

    fn by_regression(parts: usize, samples: usize, seed: u64) -> Vec<f64> {
        let chosen = coalitions(parts, samples, &mut Random::new(seed, Purpose::KernelShap, 0));
        let nothing = game(&vec![false; parts]);
        let gains: Vec<f64> = chosen.keys().map(|shown| game(shown) - nothing).collect();
        fit(&chosen, &gains, game(&vec![true; parts]) - nothing, parts)
    }

    #[test]
    fn all_coalitions_give_the_shapley_values() {
        for parts in [4, 5, 9, 12] {
            let (own, exact) = (by_regression(parts, 1 << parts, 1), shapley(parts));
            let near = own.iter().zip(&exact).all(|(a, b)| (a - b).abs() < 1e-8);
            assert!(near, "{own:?}, not {exact:?}");
        }
    }

    #[test]
    fn some_coalitions_come_near_and_more_come_nearer() {
        let exact = shapley(12);
        let error = |samples: usize| -> f64 {
            let of = |seed| {
                let own = by_regression(12, samples, seed);
                own.iter().zip(&exact).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
            };
            (1..=10).map(of).sum::<f64>() / 10.0
        };
        let (few, many) = (error(100), error(1000));
        assert!(many < few / 3.0 && many < 0.1, "{few} and {many}");
    }
}
