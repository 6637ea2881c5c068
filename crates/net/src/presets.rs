//! Networks by name.

use crate::{ConvSpec, Network, NetworkBuilder};

/// The reference CNN for 28×28 grey images of ten classes: two 5×5 convolutions of 32 filters,
/// max-pool, two 3×3 convolutions of 64 filters, max-pool, dense 100, dense 10, softmax; 140,598
/// parameters.
///
/// Nodes: `input`, `conv1`, `relu1`, `conv2`, `relu2`, `pool1`, `conv3`, `relu3`, `conv4`, `relu4`,
/// `pool2`, `flatten`, `dense1`, `relu5`, `logits`, `probabilities`. Weights are Glorot uniform from
/// `seed`, biases zero.
#[must_use]
pub fn reference_cnn(seed: u64) -> Network {
    NetworkBuilder::new("reference-cnn")
        .input("input", &[1, 28, 28])
        .conv("conv1", ConvSpec::new(32, 5))
        .relu("relu1")
        .conv("conv2", ConvSpec::new(32, 5))
        .relu("relu2")
        .max_pool("pool1", 2)
        .conv("conv3", ConvSpec::new(64, 3))
        .relu("relu3")
        .conv("conv4", ConvSpec::new(64, 3))
        .relu("relu4")
        .max_pool("pool2", 2)
        .flatten("flatten")
        .dense("dense1", 100)
        .relu("relu5")
        .dense("logits", 10)
        .output()
        .softmax("probabilities")
        .output()
        .labels((0..10).map(|digit| digit.to_string()))
        .build(seed)
        .expect("the reference network is well formed")
}
