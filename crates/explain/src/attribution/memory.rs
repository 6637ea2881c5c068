//! How many images are held at once.
//!
//! Every method works through its images, samples or maps in chunks, so that its memory depends on the
//! network and not on how much it is asked. Beside the engine's own workspace, which does not grow
//! with the images:
//!
//! | methods | held for a chunk | limit |
//! |---|---|---|
//! | gradients, RISE, LIME, KernelSHAP, Score-CAM, occlusion | the inputs, and as many gradients | 2 × [`INPUTS`] |
//! | class activation maps | inputs, maps of the layer, and their gradients | 3 × [`INPUTS`] |
//! | DeepLIFT, guided backpropagation, deconvolution | the inputs and what they receive, DeepLIFT baselines, too | 3 × [`INPUTS`] |
//! | LRP | the values of all nodes; what walks back is as much again at most | 2 × [`ACTIVATIONS`] |
//!
//! A single image is always taken, even where it alone needs more.

use cutaway_net::{Network, NodeId};

/// Bytes of images, or of a layer's maps, that are made at once: 32 MiB.
pub(crate) const INPUTS: usize = 32 << 20;
/// Bytes of all nodes' values that are held at once: 512 MiB.
pub(crate) const ACTIVATIONS: usize = 512 << 20;
/// Beyond so many images a chunk is no faster.
const MOST: usize = 128;

/// Images of so many numbers each, in `f32`, that stay within a limit in bytes; 1 at least.
pub(crate) fn within(limit: usize, numbers: usize) -> usize {
    (limit / numbers.saturating_mul(4).max(1)).clamp(1, MOST)
}

/// Images whose values at every node up to `from` may be held at once.
pub(crate) fn walks_at_once(network: &Network, from: NodeId) -> usize {
    let numbers = (0..=from.0).map(|i| network.shape(NodeId(i)).iter().product::<usize>());
    within(ACTIVATIONS, numbers.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_stays_within_its_limit_and_is_never_empty() {
        for numbers in [1, 784, 3 * 224 * 224, 64 * 224 * 224, 3 * 4000 * 4000, usize::MAX] {
            let images = within(INPUTS, numbers);
            assert!((1..=MOST).contains(&images));
            assert!(images == 1 || images * numbers * 4 <= INPUTS, "{images} of {numbers}");
            let more = (images + 1).checked_mul(numbers).and_then(|n| n.checked_mul(4));
            assert!(images == MOST || more.is_none_or(|bytes| bytes > INPUTS), "{numbers}");
        }
    }

    #[test]
    fn a_walk_counts_the_values_of_every_node() {
        let network = cutaway_net::presets::reference_cnn(1);
        let from = network.logits();
        let numbers: usize =
            (0..=from.0).map(|i| network.shape(NodeId(i)).iter().product::<usize>()).sum();
        // conv1 [32, 24, 24] and conv2 [32, 20, 20] alone are more than 30,000 numbers.
        assert!(numbers > 30_000);
        let images = walks_at_once(&network, from);
        assert!(images * numbers * 4 <= ACTIVATIONS);
    }
}
