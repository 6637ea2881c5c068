//! The order of an epoch: batches of like lengths, shuffled.

use crate::random::{Purpose, Random};

/// Batches whose sequences are sorted by length together.
const BUCKET: usize = 8;

/// The batches of an epoch, a function of `lengths`, `seed` and `epoch` alone. Sequences are shuffled, sorted by length
/// within buckets of eight batches so that those of a batch are of like lengths, and the batches shuffled
/// again.
#[must_use]
pub fn batches(lengths: &[usize], size: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    let mut random = Random::new(seed, Purpose::Order, epoch as u64);
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    random.shuffle(&mut order);
    order.chunks_mut(BUCKET * size).for_each(|bucket| bucket.sort_by_key(|&i| lengths[i]));
    let mut batches: Vec<Vec<usize>> = order.chunks(size).map(<[usize]>::to_vec).collect();
    random.shuffle(&mut batches);
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_sequence_is_in_one_batch(
            lengths in prop::collection::vec(1usize..500, 1..300), size in 1usize..40, seed: u64, epoch in 0usize..5,
        ) {
            let found = batches(&lengths, size, seed, epoch);
            prop_assert!(found.iter().all(|batch| !batch.is_empty() && batch.len() <= size));
            prop_assert_eq!(&found, &batches(&lengths, size, seed, epoch));
            let mut all = found.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn lengths_in_a_batch_are_alike_and_epochs_differ() {
        let lengths: Vec<usize> = (0..640).map(|i| 1 + i * 7919 % 1000).collect();
        let first = batches(&lengths, 16, 1, 0);
        assert_ne!(first, batches(&lengths, 16, 1, 1));
        assert_ne!(first, batches(&lengths, 16, 2, 0));
        let spread = |batch: &Vec<usize>| {
            let of = batch.iter().map(|&i| lengths[i]);
            of.clone().max().unwrap() - of.min().unwrap()
        };
        let mean = first.iter().map(spread).sum::<usize>() / first.len();
        assert!(mean < 250, "{mean}, and 900 if nothing were sorted");
    }
}
