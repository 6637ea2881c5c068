//! A data set's fingerprint.

use sha2::{Digest, Sha256};

use super::{Inputs, Sequences, Targets};
use crate::dataset::hex;

impl Sequences {
    /// SHA-256, in hexadecimal, over everything a network sees: the alphabet or the width, each sequence with its
    /// length, the classes' names and what is to be said. Neither [`name`](Sequences::name) nor
    /// [`ids`](Sequences::ids) count.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let mut hash = Sha256::new();
        match &self.inputs {
            Inputs::Symbols { alphabet, sequences } => {
                text(&mut hash, &alphabet.iter().collect::<String>());
                for sequence in sequences {
                    size(&mut hash, sequence.len());
                    hash.update(sequence);
                }
            }
            Inputs::Values { width, sequences } => {
                size(&mut hash, *width);
                for sequence in sequences {
                    size(&mut hash, sequence.len());
                    numbers(&mut hash, sequence);
                }
            }
        }
        match &self.targets {
            Targets::Classes { names, labels } => {
                names.iter().for_each(|name| text(&mut hash, name));
                labels.iter().for_each(|&label| size(&mut hash, label));
            }
            Targets::Numbers(targets) => numbers(&mut hash, targets),
            Targets::Steps { names, labels } => {
                names.iter().for_each(|name| text(&mut hash, name));
                for label in labels.iter().flatten() {
                    hash.update([u8::from(label.is_some()), label.unwrap_or(0)]);
                }
            }
        }
        hex(&hash.finalize())
    }
}

fn size(hash: &mut Sha256, size: usize) {
    hash.update((size as u64).to_le_bytes());
}

fn text(hash: &mut Sha256, text: &str) {
    size(hash, text.len());
    hash.update(text);
}

fn numbers(hash: &mut Sha256, numbers: &[f32]) {
    numbers.iter().for_each(|number| hash.update(number.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_network_sees_changes_the_hash_and_names_do_not() {
        let base = Sequences {
            name: "a".into(),
            ids: vec!["1".into(), "2".into()],
            inputs: Inputs::Symbols {
                alphabet: vec!['x', 'y'],
                sequences: vec![vec![0, 1], vec![1]],
            },
            targets: Targets::Classes { names: vec!["n".into(), "m".into()], labels: vec![0, 1] },
        };
        let renamed = Sequences { name: "b".into(), ids: vec!["3".into(); 2], ..base.clone() };
        assert_eq!(base.content_hash(), renamed.content_hash());

        let alphabet = vec!['x', 'y'];
        let others = [
            base.select(&[1, 0]),
            Sequences {
                inputs: Inputs::Symbols { alphabet, sequences: vec![vec![0], vec![1, 1]] },
                ..base.clone()
            },
            Sequences { targets: Targets::Numbers(vec![0.0, 1.0]), ..base.clone() },
        ];
        for other in others {
            assert_ne!(base.content_hash(), other.content_hash());
        }
    }
}
