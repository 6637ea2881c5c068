//! A step of training takes no memory: everything was taken when the trainer was made.

mod counting_allocator;

use counting_allocator::Counting;
use cutaway_engine::{Options, Trainer};
use cutaway_net::{ConvSpec, Network, NetworkBuilder, PoolSpec, presets};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// What the reference CNN lacks: batch normalisation, dropout, branches, padding, groups.
fn varied() -> Network {
    let mut b = NetworkBuilder::new("varied");
    let trunk = b
        .input("input", &[3, 12, 12])
        .conv("", ConvSpec::new(16, 3).same())
        .batch_norm("")
        .relu("")
        .last();
    let branch = b.conv("", ConvSpec::new(16, 3).same().groups(2)).relu("").last();
    b.add("", &[trunk, branch])
        .max_pool("", PoolSpec::new(3).stride(2))
        .conv("", ConvSpec::new(16, 3))
        .batch_norm("")
        .relu("")
        .avg_pool("", 2)
        .flatten("")
        .dropout("", 0.5)
        .dense("logits", 10);
    b.build(1).unwrap()
}

// One test a file: the counter hears every thread of the process. It takes fewer steps than would fill
// a block of the thread pool's own queue of work (a kilobyte or two every few dozen steps).
#[test]
fn steps_take_no_memory_after_two_to_warm_up() {
    let loss = |sample: usize, y: &[f32], d: &mut [f32]| {
        d.iter_mut().zip(y).for_each(|(d, y)| *d = y - sample as f32 * 0.01);
        y.iter().map(|y| y * y).sum()
    };
    for network in [presets::reference_cnn(1), varied()] {
        for threads in [1, 2, 4] {
            let options = Options { threads, ..Options::default() };
            let mut trainer = Trainer::new(&network, 70, &options).unwrap();
            let len: usize = network.shape(network.input()).iter().product();
            let images = vec![0.5; 70 * len];
            let mut step = |number: usize| {
                let n = if number % 3 == 2 { 33 } else { 70 };
                trainer.step(&images[..n * len], n, number as u64, &loss).unwrap();
                trainer.update(|params, gradients| {
                    params.iter_mut().zip(gradients).for_each(|(p, g)| *p -= 1e-6 * g);
                });
            };
            (0..2).for_each(&mut step);
            let before = ALLOCATOR.allocations();
            (2..12).for_each(&mut step);
            let taken = ALLOCATOR.allocations() - before;
            assert_eq!(
                taken,
                0,
                "allocations in ten steps of {} on {threads} threads",
                network.name()
            );
        }
    }
}
