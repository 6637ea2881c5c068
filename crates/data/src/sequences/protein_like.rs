//! A synthetic task like that of telling secreted proteins from others, for a newcomer without data: whether a sequence
//! begins with a signal peptide. No sequence in it is a protein, and nothing measured on it says anything about proteins.
//!
//! **How a sequence is made.** Its length is log-normal with the median and the spread of real proteins, from 50 to
//! [`max_length`](ProteinLike::max_length). A signal is 16 to 30 residues in the three regions of von Heijne (1985, 1986):
//! *n*, methionine, then residues of which one or two are lysine or arginine; *h*, 8 to 14 hydrophobic ones; *c*, 4 to 7, without
//! charge, small at −3 and −1 before the cut. Residues are drawn about as often as in proteins at large, independently of each
//! other, in the regions among those that belong there.
//!
//! - `signal`: the signal, then random residues.
//! - `none`: made in the same way, then everything after the first methionine is shuffled. Length and composition have exactly
//!   the same distribution in both classes, so that nothing that ignores the order can do better than chance.
//!
//! **Difficulty** makes it less easy in two ways: this share of half of the signal's residues is replaced by random ones; and
//! this share of `none` carries the unshuffled signal all the same, but past its 60th residue, so that it is the *place* that
//! tells. At 0 the signal is as in a textbook.

use super::tasks::numbered;
use super::{Inputs, PROTEIN, Sequences, Targets};
use crate::random::Random;
use crate::{Error, Result};

/// Per cent of each residue of `PROTEIN`: about as often as in proteins at large, near to what UniProtKB/Swiss-Prot prints of
/// itself, which changes a little with each release. They were not compared with one; nothing depends on the second decimal.
const FREQUENCIES: [f32; 20] = [
    8.25, 1.38, 5.46, 6.71, 3.86, 7.07, 2.27, 5.90, 5.79, 9.64, 2.41, 4.06, 4.74, 3.93, 5.52, 6.65,
    5.36, 6.85, 1.10, 2.92,
];
/// Logarithms of the lengths of the 9,799 proteins of the vertebrate set (see docs/sequences.md): median and half the distance
/// between the quantiles at 16 % and 84 %.
const MEDIAN_LENGTH: f32 = 321.0;
const LOG_SPREAD: f32 = 0.84;
const MIN_LENGTH: usize = 50;
/// A signal that is a decoy begins here or later.
const DECOY_FROM: usize = 60;

/// The synthetic set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProteinLike {
    /// Number of sequences; the classes take turns.
    pub count: usize,
    /// Longest sequence, at least 100; 1,000 by default.
    pub max_length: usize,
    /// 0 to 1; 0.3 by default.
    pub difficulty: f32,
    /// Of everything; a sequence depends on the seed and its number only.
    pub seed: u64,
}

impl Default for ProteinLike {
    fn default() -> Self {
        Self { count: 2000, max_length: 1000, difficulty: 0.3, seed: 0 }
    }
}

impl ProteinLike {
    /// Makes the sequences: [`Inputs::Symbols`] of [`PROTEIN`], classes `signal` and `none`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a difficulty that is not from 0 to 1 or a longest sequence below 100.
    pub fn generate(&self) -> Result<Sequences> {
        if !(0.0..=1.0).contains(&self.difficulty) || self.max_length < 100 {
            return Err(Error::Invalid(format!(
                "protein-like sequences need a difficulty from 0 to 1, not {}, and a maximal length \
                 of at least 100, not {}",
                self.difficulty, self.max_length
            )));
        }
        let labels: Vec<usize> = (0..self.count).map(|number| number % 2).collect();
        let sequences = (0..self.count).map(|number| self.sequence(number)).collect();
        Ok(Sequences {
            name: "protein-like".into(),
            ids: numbered(self.count),
            inputs: Inputs::Symbols { alphabet: PROTEIN.to_vec(), sequences },
            targets: Targets::Classes { names: vec!["signal".into(), "none".into()], labels },
        })
    }

    fn sequence(&self, number: usize) -> Vec<u8> {
        let mut random = Random::new(self.seed, number as u64);
        let length = self.length(&mut random);
        let mut sequence = signal(&mut random);
        for residue in &mut sequence[1..] {
            if random.unit() < 0.5 * self.difficulty {
                *residue = background(&mut random);
            }
        }
        let signal = sequence.len();
        sequence.extend((signal..length).map(|_| background(&mut random)));
        if number.is_multiple_of(2) {
            return sequence;
        }
        let latest = length - (signal - 1);
        if random.unit() < self.difficulty && latest >= DECOY_FROM {
            // The rest comes first, then the signal where it tells nothing.
            random.shuffle(&mut sequence[signal..]);
            let at = DECOY_FROM + random.below(latest - DECOY_FROM + 1);
            displace(&mut sequence, signal, at);
        } else {
            random.shuffle(&mut sequence[1..]);
        }
        sequence
    }

    fn length(&self, random: &mut Random) -> usize {
        loop {
            let length = (MEDIAN_LENGTH * exp(LOG_SPREAD * random.normal())) as usize;
            if (MIN_LENGTH..=self.max_length).contains(&length) {
                return length;
            }
        }
    }
}

/// Moves a signal of `signal` residues, but for the methionine, to the place `at`.
fn displace(sequence: &mut [u8], signal: usize, at: usize) {
    sequence[1..at + signal - 1].rotate_left(signal - 1);
}

/// A signal peptide, methionine and all.
fn signal(random: &mut Random) -> Vec<u8> {
    let mut signal = among("M", 1, random);
    let mut n = among("KR", 1 + random.below(2), random);
    n.extend(among("STNQGALKRPH", 2 + random.below(5), random));
    random.shuffle(&mut n);
    signal.extend(n);
    signal.extend(among("LLAVFIC", 8 + random.below(7), random));
    // Polar or small and without charge; −3 and −1 small.
    signal.extend(among("STGAQNP", 1 + random.below(4), random));
    signal.extend(among("AVSTG", 1, random));
    signal.extend(among("SQLTFNHY", 1, random));
    signal.extend(among("AGSC", 1, random));
    signal
}

/// Residues among some letters, by the frequencies; a letter that stands there twice counts twice.
fn among(letters: &str, count: usize, random: &mut Random) -> Vec<u8> {
    let symbols: Vec<usize> =
        letters.chars().filter_map(|l| PROTEIN.iter().position(|&p| p == l)).collect();
    let draw = |_| weighted(symbols.iter().copied(), random);
    (0..count).map(draw).collect()
}

fn background(random: &mut Random) -> u8 {
    weighted(0..FREQUENCIES.len(), random)
}

fn weighted(symbols: impl Iterator<Item = usize> + Clone, random: &mut Random) -> u8 {
    let total: f32 = symbols.clone().map(|symbol| FREQUENCIES[symbol]).sum();
    let mut left = random.uniform(0.0, total);
    let mut last = 0;
    for symbol in symbols {
        last = symbol as u8;
        left -= FREQUENCIES[symbol];
        if left < 0.0 {
            break;
        }
    }
    last
}

/// e^x for |x| below 3 to half a per cent, with the same bits everywhere: (1 + x/1024)^1024 by squaring.
fn exp(x: f32) -> f32 {
    let mut power = f64::from(x) / 1024.0 + 1.0;
    (0..10).for_each(|_| power *= power);
    power as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(options: ProteinLike) -> (Vec<Vec<u8>>, Vec<usize>) {
        let set = options.generate().unwrap();
        let Inputs::Symbols { sequences, .. } = set.inputs else { panic!() };
        let Targets::Classes { labels, .. } = set.targets else { panic!() };
        (sequences, labels)
    }

    fn symbol(letter: char) -> u8 {
        PROTEIN.iter().position(|&p| p == letter).unwrap() as u8
    }

    /// The most hydrophobic residues in any window of eight.
    fn hydrophobic(residues: &[u8]) -> usize {
        let is = |&&r: &&u8| "LAVFIC".contains(PROTEIN[r as usize]);
        residues.windows(8).map(|window| window.iter().filter(is).count()).max().unwrap_or(0)
    }

    #[test]
    fn a_signal_has_its_three_regions() {
        for number in 0..500 {
            let signal = signal(&mut Random::new(8, number));
            let text: String = signal.iter().map(|&r| PROTEIN[r as usize]).collect();
            assert!((16..=30).contains(&signal.len()), "{text}");
            assert!(text.starts_with('M') && text[1..9].contains(['K', 'R']), "{text}");
            assert!(hydrophobic(&signal) == 8, "{text}");
            let before_cut: Vec<char> = text.chars().rev().take(3).collect();
            assert!("AGSC".contains(before_cut[0]) && "AVSTG".contains(before_cut[2]), "{text}");
            assert!(!text[text.len() - 4..].contains(['K', 'R', 'D', 'E']), "{text}");
        }
    }

    #[test]
    fn lengths_are_those_of_real_proteins() {
        let (sequences, _) =
            made(ProteinLike { count: 4000, max_length: 100_000, ..<_>::default() });
        let mut lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
        lengths.sort_unstable();
        // Of the vertebrate set without what is below 50: 178, 332 and 510.
        let quartile = |q: usize| lengths[q * lengths.len() / 4] as f64;
        for (found, real) in [(quartile(1), 178.0), (quartile(2), 332.0), (quartile(3), 510.0)] {
            assert!((found / real - 1.0).abs() < 0.2, "{found} {real}");
        }
        let (capped, _) = made(ProteinLike { count: 1000, ..ProteinLike::default() });
        assert!(capped.iter().all(|s| (50..=1000).contains(&s.len())));
    }

    #[test]
    fn both_classes_have_the_same_composition_and_the_same_lengths() {
        let (sequences, labels) = made(ProteinLike { count: 10_000, ..ProteinLike::default() });
        for letter in 0..20 {
            // The mean share of a residue, with its standard error, in each class.
            let of = |class| {
                let shares =
                    sequences.iter().zip(&labels).filter(|&(_, &l)| l == class).map(|(s, _)| {
                        s.iter().filter(|&&r| r == letter).count() as f64 / s.len() as f64
                    });
                moments(&shares.collect::<Vec<_>>())
            };
            let ((a, a_error), (b, b_error)) = (of(0), of(1));
            assert!((a - b).abs() < 4.5 * a_error.hypot(b_error), "{letter}: {a} {b}");
        }
        let lengths = |class| {
            let of = sequences.iter().zip(&labels).filter(|&(_, &l)| l == class);
            moments(&of.map(|(s, _)| s.len() as f64).collect::<Vec<_>>())
        };
        let ((a, a_error), (b, b_error)) = (lengths(0), lengths(1));
        assert!((a - b).abs() < 4.5 * a_error.hypot(b_error), "{a} {b}");
    }

    /// Mean and its standard error.
    fn moments(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        (mean, (square / (values.len() as f64).powi(2)).sqrt())
    }

    #[test]
    fn without_difficulty_the_start_tells_and_with_all_of_it_the_start_tells_less() {
        let told = |difficulty| {
            let (sequences, labels) = made(ProteinLike { difficulty, ..ProteinLike::default() });
            let says = |s: &[u8]| usize::from(hydrophobic(&s[1..30]) < 7);
            let right = sequences.iter().zip(&labels).filter(|&(s, &l)| says(s) == l).count();
            right as f64 / sequences.len() as f64
        };
        assert!(told(0.0) > 0.95, "{}", told(0.0));
        assert!((0.5..0.8).contains(&told(1.0)), "{}", told(1.0));
    }

    #[test]
    fn a_displaced_signal_keeps_its_order() {
        let mut sequence: Vec<u8> = (0..20).collect();
        displace(&mut sequence, 5, 9);
        assert_eq!(sequence[9..13], [1, 2, 3, 4]);
        assert_eq!(sequence[..9], [0, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(sequence[13..], [13, 14, 15, 16, 17, 18, 19]);
    }

    #[test]
    fn decoys_stand_past_the_sixtieth_residue() {
        // Short ones, in which chance makes few hydrophobic stretches.
        let short = ProteinLike { count: 2000, max_length: 150, difficulty: 0.4, seed: 0 };
        let (sequences, labels) = made(short);
        let of = |from: usize, to: usize, class| {
            let of = sequences.iter().zip(&labels).filter(|&(s, &l)| l == class && s.len() > 110);
            of.filter(|(s, _)| hydrophobic(&s[from..to.min(s.len())]) >= 7).count()
        };
        assert!(of(1, 35, 0) > 4 * of(1, 35, 1), "{} {}", of(1, 35, 0), of(1, 35, 1));
        assert!(of(60, 150, 1) > 2 * of(60, 150, 0), "{} {}", of(60, 150, 1), of(60, 150, 0));
    }

    #[test]
    fn every_sequence_begins_with_methionine_and_depends_on_seed_and_number_only() {
        let set = |count, seed| ProteinLike { count, seed, ..ProteinLike::default() }.generate();
        let few = set(10, 3).unwrap();
        assert_eq!(set(20, 3).unwrap().select(&(0..10).collect::<Vec<_>>()), few);
        assert_ne!(set(10, 4).unwrap(), few);
        let Inputs::Symbols { sequences, .. } = few.inputs else { panic!() };
        assert!(sequences.iter().all(|s| s[0] == symbol('M')));
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        for (difficulty, max_length) in [(-0.1, 1000), (1.1, 1000), (f32::NAN, 1000), (0.5, 99)] {
            let options = ProteinLike { difficulty, max_length, ..ProteinLike::default() };
            options.generate().unwrap_err();
        }
    }
}
