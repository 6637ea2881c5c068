//! Three tasks that are made from a seed and whose baselines are known exactly: what is reached by saying the best
//! thing without having remembered anything. A sequence depends on the seed and its number only.

use super::{Inputs, Sequences, Targets};
use crate::random::Random;
use crate::{Error, Result};

/// Symbols that are copied in [`copying`], and blank and marker after them.
const COPIED: usize = 8;
/// How many are copied.
const COPIES: usize = 10;

/// The adding problem (Hochreiter and Schmidhuber 1997, section 5.4, in the form of Arjovsky, Shah and Bengio 2016,
/// section 5.2): at every step a number, uniform in [0, 1), and a mark that is 1 at two steps and 0 elsewhere; one
/// marked step is uniform among the first ⌊length / 2⌋, the other among the rest. To be said at the end: the sum of the two
/// marked numbers.
///
/// # Errors
/// [`Error::Invalid`] for a length below 2.
pub fn adding(count: usize, length: usize, seed: u64) -> Result<Sequences> {
    if length < 2 {
        return Err(Error::Invalid(format!(
            "the adding problem needs at least 2 steps, not {length}"
        )));
    }
    let (mut sequences, mut sums) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for number in 0..count {
        let mut random = Random::new(seed, number as u64);
        let mut sequence: Vec<f32> = (0..length).flat_map(|_| [random.unit(), 0.0]).collect();
        let half = length / 2;
        let marked = [random.below(half), half + random.below(length - half)];
        marked.iter().for_each(|&step| sequence[2 * step + 1] = 1.0);
        sums.push(marked.iter().map(|&step| sequence[2 * step]).sum());
        sequences.push(sequence);
    }
    Ok(Sequences {
        name: format!("adding-{length}"),
        ids: numbered(count),
        inputs: Inputs::Values { width: 2, sequences },
        targets: Targets::Numbers(sums),
    })
}

/// The mean squared error of always saying 1: the variance of the sum of two independent uniform numbers, 2 · 1/12.
#[must_use]
pub fn adding_baseline() -> f64 {
    1.0 / 6.0
}

/// The copying memory problem (Arjovsky, Shah and Bengio 2016, section 5.1, after Hochreiter and Schmidhuber 1997): ten
/// symbols, uniform among `a` to `h`; `blank - 1` blanks `_`; the marker `!`; ten blanks. Asked at every one of these
/// `blank + 20` steps: blank at the first `blank + 10`, then the ten symbols in their order.
///
/// # Errors
/// [`Error::Invalid`] for a `blank` of 0.
pub fn copying(count: usize, blank: usize, seed: u64) -> Result<Sequences> {
    if blank == 0 {
        return Err(Error::Invalid("copying needs a gap of at least 1 step, not 0".into()));
    }
    let (blank_symbol, marker) = (COPIED as u8, COPIED as u8 + 1);
    let (mut sequences, mut labels) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for number in 0..count {
        let mut random = Random::new(seed, number as u64);
        let copied: Vec<u8> = (0..COPIES).map(|_| random.below(COPIED) as u8).collect();
        let mut sequence = copied.clone();
        sequence.resize(COPIES + blank - 1, blank_symbol);
        sequence.push(marker);
        sequence.resize(2 * COPIES + blank, blank_symbol);
        let mut label = vec![Some(blank_symbol); COPIES + blank];
        label.extend(copied.into_iter().map(Some));
        sequences.push(sequence);
        labels.push(label);
    }
    let alphabet: Vec<char> = "abcdefgh_!".chars().collect();
    // The marker is never to be said.
    let names = alphabet[..=COPIED].iter().map(char::to_string).collect();
    Ok(Sequences {
        name: format!("copying-{blank}"),
        ids: numbered(count),
        inputs: Inputs::Symbols { alphabet, sequences },
        targets: Targets::Steps { names, labels },
    })
}

/// The cross-entropy a step, in nats, of knowing when to say blank and guessing the ten symbols:
/// `10 ln 8 / (blank + 20)` (Arjovsky, Shah and Bengio 2016, section 5.1).
#[must_use]
pub fn copying_baseline(blank: usize) -> f64 {
    COPIES as f64 * (COPIED as f64).ln() / (blank + 2 * COPIES) as f64
}

/// Delayed recall: the first symbol, uniform among `symbols` letters; then `delay` distractors, each uniform among the
/// same letters; then the question `?`. To be said at the end, as the sequence's class: the first symbol. The distractors look
/// like the answer, so that only the order tells: the first must be kept and the rest must not be.
///
/// # Errors
/// [`Error::Invalid`] where `symbols` is not from 2 to 26.
pub fn recall(count: usize, symbols: usize, delay: usize, seed: u64) -> Result<Sequences> {
    if !(2..=26).contains(&symbols) {
        return Err(Error::Invalid(format!("recall needs 2 to 26 symbols, not {symbols}")));
    }
    let mut sequences = Vec::with_capacity(count);
    for number in 0..count {
        let mut random = Random::new(seed, number as u64);
        let mut sequence: Vec<u8> = (0..=delay).map(|_| random.below(symbols) as u8).collect();
        sequence.push(symbols as u8);
        sequences.push(sequence);
    }
    let labels = sequences.iter().map(|sequence| usize::from(sequence[0])).collect();
    let mut alphabet: Vec<char> = ('a'..='z').take(symbols).collect();
    let names = alphabet.iter().map(char::to_string).collect();
    alphabet.push('?');
    Ok(Sequences {
        name: format!("recall-{symbols}-{delay}"),
        ids: numbered(count),
        inputs: Inputs::Symbols { alphabet, sequences },
        targets: Targets::Classes { names, labels },
    })
}

/// The cross-entropy, in nats, of guessing: `ln symbols`. The share right is then `1 / symbols`.
#[must_use]
pub fn recall_baseline(symbols: usize) -> f64 {
    (symbols as f64).ln()
}

pub(super) fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `found` lies within four standard errors of `expected`.
    fn near(found: f64, expected: f64, standard_error: f64) {
        assert!((found - expected).abs() < 4.0 * standard_error, "{found} {expected}");
    }

    #[test]
    fn the_sum_is_that_of_the_two_marked_numbers_one_in_each_half() {
        let made = adding(500, 21, 3).unwrap();
        let (Inputs::Values { sequences, .. }, Targets::Numbers(sums)) =
            (&made.inputs, &made.targets)
        else {
            panic!("numbers expected")
        };
        let mut firsts = [0; 21];
        for (sequence, &sum) in sequences.iter().zip(sums) {
            let marked: Vec<usize> = (0..21).filter(|&t| sequence[2 * t + 1] != 0.0).collect();
            assert!(marked.len() == 2 && marked[0] < 10 && marked[1] >= 10);
            assert_eq!(sum, sequence[2 * marked[0]] + sequence[2 * marked[1]]);
            marked.iter().for_each(|&step| firsts[step] += 1);
        }
        assert!(firsts.iter().all(|&count| count > 0), "{firsts:?}");
        assert_eq!(made.length(0), 21);
    }

    #[test]
    fn saying_one_has_the_stated_error_on_the_adding_problem() {
        let Targets::Numbers(sums) = adding(50_000, 4, 1).unwrap().targets else { panic!() };
        let errors: Vec<f64> = sums.iter().map(|&sum| (f64::from(sum) - 1.0).powi(2)).collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        // The fourth moment of the triangular distribution is 1/15.
        let variance = 1.0 / 15.0 - adding_baseline().powi(2);
        near(mean, adding_baseline(), (variance / errors.len() as f64).sqrt());
        let sum: f64 = sums.iter().map(|&sum| f64::from(sum)).sum();
        near(sum / 5e4, 1.0, (adding_baseline() / 5e4).sqrt());
    }

    #[test]
    fn the_ten_symbols_are_to_be_copied_after_the_marker() {
        let made = copying(3, 30, 9).unwrap();
        let (Inputs::Symbols { alphabet, sequences }, Targets::Steps { names, labels }) =
            (&made.inputs, &made.targets)
        else {
            panic!("symbols expected")
        };
        assert_eq!((alphabet.len(), names.len(), made.length(0)), (10, 9, 50));
        for (sequence, label) in sequences.iter().zip(labels) {
            assert_eq!(label.len(), 50);
            let marker = sequence.iter().position(|&symbol| symbol == 9);
            assert_eq!(marker, Some(39));
            assert!(sequence[10..39].iter().chain(&sequence[40..]).all(|&symbol| symbol == 8));
            let said: Vec<u8> = label.iter().map(|label| label.unwrap()).collect();
            assert!(said[..40].iter().all(|&symbol| symbol == 8));
            assert_eq!(said[40..], sequence[..10]);
            assert!(said[40..].iter().all(|&symbol| symbol < 8));
        }
    }

    #[test]
    fn the_copied_symbols_are_uniform_and_guessing_has_the_stated_loss() {
        let made = copying(5000, 10, 2).unwrap();
        let Targets::Steps { labels, .. } = &made.targets else { panic!() };
        let mut counts = [0.0; 9];
        labels.iter().flatten().for_each(|label| counts[label.unwrap() as usize] += 1.0);
        counts[..8]
            .iter()
            .for_each(|&count| near(count / 5e4, 0.125, (0.109_375 / 5e4_f64).sqrt()));
        // Of a network that says blank with certainty where it is due and 1/8 for each symbol.
        let asked = labels.iter().flatten();
        let loss: f64 = asked.map(|label| if label == &Some(8) { 0.0 } else { 8_f64.ln() }).sum();
        let loss = loss / (5000.0 * 30.0);
        assert!((loss - copying_baseline(10)).abs() < 1e-12, "{loss}");
    }

    #[test]
    fn the_first_symbol_is_asked_for_and_nothing_else_tells_it() {
        let made = recall(20_000, 4, 6, 5).unwrap();
        let (Inputs::Symbols { sequences, .. }, Targets::Classes { labels, .. }) =
            (&made.inputs, &made.targets)
        else {
            panic!("symbols expected")
        };
        let mut same = [0.0; 7];
        for (sequence, &label) in sequences.iter().zip(labels) {
            assert_eq!((sequence.len(), sequence[7]), (8, 4));
            same.iter_mut().zip(sequence).for_each(|(same, &symbol)| {
                *same += f64::from(u8::from(usize::from(symbol) == label));
            });
        }
        assert_eq!(same[0], 20_000.0);
        same[1..].iter().for_each(|&same| near(same / 2e4, 0.25, (0.1875 / 2e4_f64).sqrt()));
        let mut counts = [0.0_f64; 4];
        labels.iter().for_each(|&label| counts[label] += 1.0 / 2e4);
        // The entropy of the answers is the loss of guessing.
        let entropy: f64 = counts.iter().map(|p| -p * p.ln()).sum();
        assert!((entropy - recall_baseline(4)).abs() < 1e-3);
    }

    #[test]
    fn a_sequence_depends_on_seed_and_number_only() {
        for make in [
            |count, seed| adding(count, 12, seed).unwrap(),
            |count, seed| copying(count, 12, seed).unwrap(),
            |count, seed| recall(count, 3, 12, seed).unwrap(),
        ] {
            let few = make(5, 1);
            assert_eq!(make(9, 1).select(&[0, 1, 2, 3, 4]), few);
            assert_ne!(make(5, 2).inputs, few.inputs);
        }
    }

    #[test]
    fn sizes_that_make_no_task_are_refused() {
        adding(1, 1, 0).unwrap_err();
        copying(1, 0, 0).unwrap_err();
        recall(1, 1, 5, 0).unwrap_err();
        recall(1, 27, 5, 0).unwrap_err();
        assert_eq!(recall(1, 2, 0, 0).unwrap().length(0), 2);
    }
}
