//! Accuracy against the length of a sequence, and against symbols that are put in between its beginning and the rest.

use cutaway_data::sequences::{Inputs, Sequences, Targets};
use serde::Serialize;

use super::trained::Trained;
use crate::error::Result;
use crate::metrics::{Confusion, labels};
use crate::random::{Purpose, Random};

/// Symbols of a sequence that stay before those that are put in: a signal peptide has 15 to 30 residues.
pub const AFTER: usize = 40;
/// How many are put in.
const PADDING: [usize; 7] = [0, 25, 50, 100, 200, 400, 800];
/// The most sequences that are padded.
const PADDED: usize = 400;
/// Classes of length, of about equally many sequences.
const BINS: usize = 5;

/// Accuracy on the sequences of some lengths.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LengthBin {
    /// The shortest length.
    pub from: usize,
    /// The longest.
    pub to: usize,
    /// The median.
    pub median: usize,
    /// Sequences.
    pub count: usize,
    /// Mean of the recalls of the classes that occur.
    pub balanced_accuracy: f64,
}

/// Accuracy with symbols put in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PaddingPoint {
    /// Symbols put in behind the first [`AFTER`].
    pub padding: usize,
    /// Sequences.
    pub count: usize,
    /// Mean of the recalls.
    pub balanced_accuracy: f64,
}

/// Balanced accuracy by length: fifths of the test set, the shortest first. Empty where it does not have one class a sequence,
/// or all are of one length.
///
/// # Errors
/// As [`Trained::scores`].
pub fn by_length(trained: &Trained, test: &Sequences) -> Result<Vec<LengthBin>> {
    let Targets::Classes { names, .. } = &test.targets else { return Ok(Vec::new()) };
    let said = trained.classes(test)?;
    let right = labels(&test.targets);
    let mut order: Vec<usize> = (0..test.len()).collect();
    order.sort_by_key(|&i| (test.length(i), i));
    if order.is_empty() || test.length(order[0]) == test.length(order[order.len() - 1]) {
        return Ok(Vec::new());
    }
    let bins = order.chunks(order.len().div_ceil(BINS)).map(|members| {
        let of = |all: &[usize]| members.iter().map(|&i| all[i]).collect::<Vec<_>>();
        LengthBin {
            from: test.length(members[0]),
            to: test.length(members[members.len() - 1]),
            median: test.length(members[members.len() / 2]),
            count: members.len(),
            balanced_accuracy: Confusion::new(&of(&right), &of(&said), names.len())
                .balanced_accuracy(),
        }
    });
    Ok(bins.collect())
}

/// Balanced accuracy with 0 to 800 symbols put in behind the first [`AFTER`] of every test sequence that is longer, drawn
/// with the test set's own composition: the same for every network with the same seed. At most 400 sequences, spread
/// over the set. Empty where it does not have symbols and one class a sequence, or no sequence of both sides.
///
/// # Errors
/// As [`Trained::scores`].
pub fn by_padding(trained: &Trained, test: &Sequences, seed: u64) -> Result<Vec<PaddingPoint>> {
    let (Inputs::Symbols { sequences, .. }, Targets::Classes { names, .. }) =
        (&test.inputs, &test.targets)
    else {
        return Ok(Vec::new());
    };
    let long: Vec<usize> = (0..test.len()).filter(|&i| sequences[i].len() > AFTER).collect();
    let stride = long.len().div_ceil(PADDED).max(1);
    let chosen: Vec<usize> = long.into_iter().step_by(stride).collect();
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<u8> = sequences.concat();
    let point = |&padding: &usize| {
        let mut padded = test.select(&chosen);
        let Inputs::Symbols { sequences, .. } = &mut padded.inputs else {
            unreachable!("as above")
        };
        for (k, sequence) in sequences.iter_mut().enumerate() {
            let mut random = Random::new(seed, Purpose::Padding, k as u64);
            let put: Vec<u8> = (0..padding).map(|_| all[random.below(all.len())]).collect();
            sequence.splice(AFTER..AFTER, put);
        }
        let said = trained.classes(&padded)?;
        let confusion = Confusion::new(&labels(&padded.targets), &said, names.len());
        let balanced_accuracy = confusion.balanced_accuracy();
        Ok(PaddingPoint { padding, count: chosen.len(), balanced_accuracy })
    };
    PADDING.iter().map(point).collect()
}
