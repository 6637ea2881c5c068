//! The order of the images, epoch by epoch, and what is held out.

use crate::rng::{self, Purpose};

/// Puts the images of one epoch in order: `order` becomes a shuffled copy of `indices`.
///
/// The order depends on `seed`, `epoch` and `indices` alone, not on earlier epochs, so a resumed
/// training continues exactly. Reuses `order`'s memory.
pub fn epoch_order(seed: u64, epoch: usize, indices: &[usize], order: &mut Vec<usize>) {
    order.clear();
    order.extend_from_slice(indices);
    rng::shuffle(&mut rng::stream(seed, Purpose::Shuffle, epoch as u64, 0), order);
}

/// Which images train and which are held out to validate; both ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Indices of the images to train on.
    pub train: Vec<usize>,
    /// Indices of the images held out.
    pub validation: Vec<usize>,
}

/// Holds out `fraction` (0 ..< 1) of the images, chosen by `seed` and stratified: every class gives
/// the same share, rounded so that the total is `fraction * labels.len()` rounded.
pub fn stratified_split(labels: &[u16], fraction: f64, seed: u64) -> Split {
    let mut classes = vec![vec![]; labels.iter().max().map_or(0, |&last| usize::from(last) + 1)];
    for (index, &label) in labels.iter().enumerate() {
        classes[usize::from(label)].push(index);
    }
    let mut split = Split { train: vec![], validation: vec![] };
    let (mut seen, mut held_out) = (0, 0);
    for (class, mut members) in classes.into_iter().enumerate() {
        rng::shuffle(&mut rng::stream(seed, Purpose::Split, 0, class as u64), &mut members);
        // Rounding the running total, not each class, keeps the sum right.
        seen += members.len();
        let count = (fraction * seen as f64).round() as usize - held_out;
        held_out += count;
        split.train.extend_from_slice(&members[count..]);
        split.validation.extend_from_slice(&members[..count]);
    }
    split.train.sort_unstable();
    split.validation.sort_unstable();
    split
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_order_depends_on_seed_and_epoch_and_nothing_before() {
        let indices: Vec<usize> = (0..100).collect();
        let mut order = vec![];
        let mut of = |seed, epoch| {
            epoch_order(seed, epoch, &indices, &mut order);
            order.clone()
        };
        let first = of(1, 0);
        assert_ne!(first, of(1, 1));
        assert_ne!(first, of(2, 0));
        assert_eq!(first, of(1, 0));
    }

    #[test]
    fn a_split_holds_out_the_same_share_of_every_class() {
        let labels: Vec<u16> = (0..600).map(|index| [0, 0, 0, 1, 1, 2][index % 6]).collect();
        let split = stratified_split(&labels, 0.25, 3);
        for (class, expected) in [(0, 75), (1, 50), (2, 25)] {
            let held = split.validation.iter().filter(|&&index| labels[index] == class).count();
            assert_eq!(held, expected);
        }
        assert_ne!(split, stratified_split(&labels, 0.25, 4));
    }

    proptest! {
        #[test]
        fn every_image_is_on_exactly_one_side(
            labels in prop::collection::vec(0u16..7, 0..200),
            fraction in 0.0f64..0.99,
            seed: u64,
        ) {
            let split = stratified_split(&labels, fraction, seed);
            let expected = (fraction * labels.len() as f64).round() as usize;
            prop_assert_eq!(split.validation.len(), expected);
            let mut all = [split.train, split.validation].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
        }
    }
}
