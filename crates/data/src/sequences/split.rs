//! Training, validation and test sets.

use super::{Sequences, Targets};
use crate::random::Random;
use crate::{Error, Result};

/// How sequences are split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitOptions {
    /// Share of the validation set, 0 to below 1.
    pub validation: f64,
    /// Share of the test set, 0 to below 1; what neither has is for training.
    pub test: f64,
    /// Of the shuffle.
    pub seed: u64,
}

impl Default for SplitOptions {
    fn default() -> Self {
        Self { validation: 0.0, test: 0.2, seed: 0 }
    }
}

/// Numbers of sequences, each in one of the three and each list ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// What is learnt from.
    pub train: Vec<usize>,
    /// What settings are chosen by.
    pub validation: Vec<usize>,
    /// What is measured on.
    pub test: Vec<usize>,
}

/// Splits by a seed, every class in the same shares (stratified), as nearly as whole numbers go: a class of `n` has
/// `n · share`, rounded, in a set, at least one where the share is not 0. Sequences without one class each are
/// split as if they were of one class.
///
/// Similar sequences in two sets make a test easier than it should be: see [`remove_similar`](super::remove_similar).
///
/// # Errors
/// [`Error::Invalid`] for shares that leave nothing for training or are negative, and where a class has too few
/// sequences.
pub fn split(sequences: &Sequences, options: &SplitOptions) -> Result<Split> {
    let SplitOptions { validation, test, seed } = *options;
    let is_share = |share: f64| (0.0..1.0).contains(&share);
    if !is_share(validation) || !is_share(test) || validation + test >= 1.0 {
        return Err(Error::Invalid(format!(
            "the shares of validation ({validation}) and test ({test}) must be from 0 to less than 1 \
             and leave something for training"
        )));
    }
    let mut split = Split::default();
    for (class, (name, mut members)) in by_class(sequences).into_iter().enumerate() {
        let (validation, test) = (wanted(members.len(), validation), wanted(members.len(), test));
        if members.len() <= validation + test {
            return Err(Error::Invalid(format!(
                "{name} has {} sequences, too few for {}; add some or leave it out",
                members.len(),
                match (validation, test) {
                    (0, 0) => "training",
                    (0, _) => "training and test",
                    (_, 0) => "training and validation",
                    _ => "training, validation and test",
                },
            )));
        }
        Random::new(seed, class as u64).shuffle(&mut members);
        split.test.extend(members.drain(..test));
        split.validation.extend(members.drain(..validation));
        split.train.extend(members);
    }
    // In the order given, so that the result does not show how it was shuffled.
    for set in [&mut split.train, &mut split.validation, &mut split.test] {
        set.sort_unstable();
    }
    Ok(split)
}

fn wanted(count: usize, share: f64) -> usize {
    let least = usize::from(share > 0.0);
    ((count as f64 * share).round() as usize).max(least)
}

fn by_class(sequences: &Sequences) -> Vec<(String, Vec<usize>)> {
    match &sequences.targets {
        Targets::Classes { names, labels } => {
            let of = |class| (0..labels.len()).filter(|&i| labels[i] == class).collect();
            let named = |(class, name)| (format!("the class '{name}'"), of(class));
            names.iter().enumerate().map(named).collect()
        }
        Targets::Numbers(_) | Targets::Steps { .. } => {
            vec![(format!("the data set '{}'", sequences.name), (0..sequences.len()).collect())]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequences::Inputs;

    fn set(labels: Vec<usize>) -> Sequences {
        Sequences {
            name: "set".into(),
            ids: labels.iter().map(usize::to_string).collect(),
            inputs: Inputs::Values { width: 1, sequences: vec![vec![0.0]; labels.len()] },
            targets: Targets::Classes { names: vec!["a".into(), "b".into()], labels },
        }
    }

    #[test]
    fn every_sequence_is_in_one_set_and_every_class_has_its_share() {
        let labels: Vec<usize> = (0..300).map(|i| usize::from(i % 3 == 0)).collect();
        let all = set(labels.clone());
        let options = SplitOptions { validation: 0.1, test: 0.25, seed: 4 };
        let parts = split(&all, &options).unwrap();
        let of = |part: &[usize], class| part.iter().filter(|&&i| labels[i] == class).count();
        assert_eq!((of(&parts.test, 0), of(&parts.test, 1)), (50, 25));
        assert_eq!((of(&parts.validation, 0), of(&parts.validation, 1)), (20, 10));
        let mut together = [parts.train.clone(), parts.validation, parts.test.clone()].concat();
        together.sort_unstable();
        assert_eq!(together, (0..300).collect::<Vec<_>>());

        assert_eq!(split(&all, &options).unwrap().test, parts.test);
        assert_ne!(split(&all, &SplitOptions { seed: 5, ..options }).unwrap().test, parts.test);
    }

    #[test]
    fn a_class_is_split_the_same_whatever_the_other_has() {
        let few = split(&set([vec![0; 50], vec![1; 10]].concat()), &SplitOptions::default());
        let many = split(&set([vec![0; 50], vec![1; 90]].concat()), &SplitOptions::default());
        let first = |split: Split| split.test.into_iter().filter(|&i| i < 50).collect::<Vec<_>>();
        assert_eq!(first(few.unwrap()), first(many.unwrap()));
    }

    #[test]
    fn what_has_no_classes_is_split_too() {
        let numbers = Sequences { targets: Targets::Numbers(vec![0.0; 20]), ..set(vec![0; 20]) };
        let parts = split(&numbers, &SplitOptions::default()).unwrap();
        assert_eq!((parts.train.len(), parts.validation.len(), parts.test.len()), (16, 0, 4));
    }

    #[test]
    fn too_few_of_a_class_and_impossible_shares_are_refused() {
        let small = set(vec![0, 0, 0, 0, 1]);
        let found = split(&small, &SplitOptions::default()).unwrap_err().to_string();
        assert!(found.contains("the class 'b' has 1 sequences, too few for training and test"));
        for (validation, test) in [(0.5, 0.5), (-0.1, 0.2), (0.0, 1.0), (f64::NAN, 0.2)] {
            split(&small, &SplitOptions { validation, test, seed: 0 }).unwrap_err();
        }
    }
}
