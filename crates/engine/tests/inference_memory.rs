//! Memory of a forward pass and of a sweep does not grow with the number of images.

mod counting_allocator;

use counting_allocator::Counting;
use cutaway_engine::{Edit, Engine, Fill, Options};
use cutaway_net::{ConvSpec, NetworkBuilder};
use ndarray::{Array3, Array4};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

// One test a file: the counter hears every thread of the process.
#[test]
fn memory_beside_the_result_does_not_grow_with_the_number_of_images() {
    let mut b = NetworkBuilder::new("memory");
    b.input("x", &[1, 28, 28]).conv("", ConvSpec::new(16, 5).stride(2)).relu("");
    b.flatten("").dense("logits", 10).softmax("probabilities");
    let network = b.build(1).unwrap();
    let options = Options { threads: 2, ..Options::default() };
    let engine = Engine::compile(&network, &options).unwrap();

    let base = Array3::<f32>::zeros((1, 28, 28));
    let sweep = |count: usize| {
        let edit = |at: usize| Edit {
            row: at % 24,
            col: at / 24 % 24,
            height: 4,
            width: 4,
            fill: Fill::Value(0.5),
        };
        let edits: Vec<Edit> = (0..count).map(edit).collect();
        let (peak, answers) = ALLOCATOR.peak_during(|| engine.sweep(base.view(), &edits).unwrap());
        assert_eq!(answers.dim(), (count, 10));
        peak
    };
    let predict = |count: usize| {
        let images = Array4::<f32>::zeros((count, 1, 28, 28));
        let (peak, answers) = ALLOCATOR.peak_during(|| engine.predict(images.view()).unwrap());
        assert_eq!(answers.dim(), (count, 10));
        peak
    };
    // An image takes 12 KiB in the widest layer, an answer 40 bytes; a few of these may be held.
    let allowed = |more: usize| 200 * more;
    let few = sweep(64);
    let many = sweep(20_000);
    assert!(many < few + allowed(20_000), "{few} bytes for 64 edits, {many} for 20,000");
    let few = predict(64);
    let many = predict(5_000);
    assert!(many < few + allowed(5_000), "{few} bytes for 64 images, {many} for 5,000");
}
