//! Networks and images that the tests share.

use cutaway_data::Images;
use cutaway_engine::{Engine, Options};
use cutaway_net::{ConvSpec, Network, NetworkBuilder, PoolSpec};

/// A network in which every way to a number occurs: padding, stride, dilation, groups,
/// normalisation, both poolings, a residual sum, a concatenation, dense layers.
pub(crate) fn varied(seed: u64) -> Network {
    let mut b = NetworkBuilder::new("varied");
    let trunk = b
        .input("image", &[2, 12, 11])
        .conv("conv1", ConvSpec::new(6, 3).same())
        .batch_norm("norm1")
        .relu("relu1")
        .last();
    let branch = b.conv("grouped", ConvSpec::new(6, 3).same().groups(3)).relu("relu2").last();
    let sum = b.add("sum", &[trunk, branch]).last();
    let pooled = b.max_pool("max", PoolSpec::new(3).stride(2).padding([1; 4])).last();
    let mean = b.at(sum).avg_pool("mean", PoolSpec::new(3).stride(2).padding([1; 4])).last();
    b.concat("both", &[pooled, mean])
        .dropout("dropout", 0.5)
        .conv("dilated", ConvSpec::new(5, [2, 3]).stride(2).dilation(2).padding([1, 0, 1, 2]))
        .relu("relu3")
        .flatten("flat")
        .dense("dense1", 7)
        .relu("relu4")
        .dense("logits", 3)
        .output()
        .softmax("probabilities")
        .output();
    noisy(&b.build(seed).unwrap(), seed)
}

/// The same graph with every parameter a number of its own: biases that are not 0, statistics
/// that do something.
fn noisy(network: &Network, seed: u64) -> Network {
    let mut numbers = Numbers(seed);
    let values = network.params().iter().map(|param| {
        let variance = param.name.ends_with("var");
        let value =
            |&v: &f32| if variance { 0.5 + numbers.next() } else { v + numbers.next() - 0.5 };
        param.values.iter().map(value).collect()
    });
    network.with_values(values.collect()).unwrap()
}

pub(crate) fn compile(network: &Network) -> Engine {
    Engine::compile(network, &Options::default()).unwrap()
}

/// Noise with a brighter band whose place is the image's class.
pub(crate) fn images(count: usize, [channels, height, width]: [usize; 3], classes: u16) -> Images {
    let mut numbers = Numbers(5);
    let mut pixels = Vec::new();
    let labels: Vec<u16> = (0..count).map(|i| i as u16 % classes).collect();
    for &label in &labels {
        for row in 0..height {
            let bright = row * usize::from(classes) / height == usize::from(label);
            for _ in 0..width * channels {
                let noise = 120.0 * numbers.next();
                pixels.push(noise as u8 + if bright { 100 } else { 0 });
            }
        }
    }
    Images::new(height, width, channels, pixels, labels).unwrap()
}

/// Numbers in 0..1 that look random (Steele et al. 2014, SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }
}
