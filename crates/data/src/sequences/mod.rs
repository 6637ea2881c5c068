//! Sequences, to be read by a recurrent network one step at a time.
//!
//! [`open_proteins`] reads labelled proteins ([`fasta`]), [`remove_similar`] thins them out so that none is much
//! like another, and [`split`](fn@split) makes training, validation and test sets of what is left. Without files there
//! are [`protein_like`] sequences and [`tasks`] whose answers are known exactly, each made from a seed.

mod align;
mod alphabet;
pub mod fasta;
mod hash;
mod labels;
mod open;
pub mod protein_like;
mod similar;
mod split;
pub mod tasks;

pub use alphabet::{OTHER, PROTEIN};
pub use labels::LabelRule;
pub use open::{ClassCount, Dropped, ProteinOptions, ProteinReport, Proteins, open_proteins};
pub use similar::{Similarity, SimilarityReport, remove_similar};
pub use split::{Split, SplitOptions, split};

/// Sequences with what is to be said about each.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequences {
    /// Of the data set, such as `adding-100`.
    pub name: String,
    /// A name for each; made sequences are numbered.
    pub ids: Vec<String>,
    /// What is read.
    pub inputs: Inputs,
    /// What is to be said.
    pub targets: Targets,
}

/// What a network reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// A symbol a step.
    Symbols {
        /// The letter of each symbol; a sequence holds indices into it.
        alphabet: Vec<char>,
        /// `[sequences][steps]`
        sequences: Vec<Vec<u8>>,
    },
    /// Numbers at every step.
    Values {
        /// How many a step.
        width: usize,
        /// `[sequences][steps · width]`, step after step.
        sequences: Vec<Vec<f32>>,
    },
}

/// What a network is to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// One class for a whole sequence.
    Classes {
        /// The classes.
        names: Vec<String>,
        /// `[sequences]`
        labels: Vec<usize>,
    },
    /// One number for a whole sequence, `[sequences]`.
    Numbers(Vec<f32>),
    /// A class at some of the steps.
    Steps {
        /// The classes.
        names: Vec<String>,
        /// `[sequences][steps]`; none where nothing is asked.
        labels: Vec<Vec<Option<u8>>>,
    },
}

impl Sequences {
    /// Number of sequences.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Steps of a sequence.
    ///
    /// # Panics
    /// Where there is no such sequence.
    #[must_use]
    pub fn length(&self, sequence: usize) -> usize {
        match &self.inputs {
            Inputs::Symbols { sequences, .. } => sequences[sequence].len(),
            Inputs::Values { width, sequences } => sequences[sequence].len() / width,
        }
    }

    /// Some of them, in the order given.
    ///
    /// # Panics
    /// Where there is no such sequence.
    #[must_use]
    pub fn select(&self, which: &[usize]) -> Sequences {
        Sequences {
            name: self.name.clone(),
            ids: of(&self.ids, which),
            inputs: match &self.inputs {
                Inputs::Symbols { alphabet, sequences } => {
                    Inputs::Symbols { alphabet: alphabet.clone(), sequences: of(sequences, which) }
                }
                Inputs::Values { width, sequences } => {
                    Inputs::Values { width: *width, sequences: of(sequences, which) }
                }
            },
            targets: match &self.targets {
                Targets::Classes { names, labels } => {
                    Targets::Classes { names: names.clone(), labels: of(labels, which) }
                }
                Targets::Numbers(numbers) => Targets::Numbers(of(numbers, which)),
                Targets::Steps { names, labels } => {
                    Targets::Steps { names: names.clone(), labels: of(labels, which) }
                }
            },
        }
    }
}

fn of<T: Clone>(all: &[T], which: &[usize]) -> Vec<T> {
    which.iter().map(|&i| all[i].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selecting_keeps_every_part_in_step() {
        let all = Sequences {
            name: "letters".to_owned(),
            ids: ["a", "b", "c"].map(str::to_owned).to_vec(),
            inputs: Inputs::Symbols {
                alphabet: vec!['x', 'y'],
                sequences: vec![vec![0], vec![1, 1], vec![0, 1, 0]],
            },
            targets: Targets::Classes { names: vec!["n".to_owned()], labels: vec![0, 1, 2] },
        };
        let some = all.select(&[2, 0]);
        assert_eq!(some.ids, ["c", "a"]);
        assert_eq!([some.length(0), some.length(1)], [3, 1]);
        let Targets::Classes { labels, .. } = some.targets else { panic!("classes became others") };
        assert_eq!(labels, [2, 0]);
    }
}
