//! A sweep answers what forward passes over edited copies answer.

use cutaway_engine::{Edit, Engine, Fill, Isa, Options, Strategy};
use cutaway_net::{ConvSpec, Network, NetworkBuilder, NodeId, presets};
use ndarray::{Array3, Array4, Axis, s};
use proptest::prelude::*;

use crate::common::foreign;
use crate::common::networks::{build, odd, wide};
use crate::common::numbers::{Numbers, bits};
use crate::common::{compile, settings};

/// A colour image, an output without softmax.
fn colour() -> Network {
    let mut b = NetworkBuilder::new("colour");
    b.input("x", &[3, 9, 7]).conv("", ConvSpec::new(16, 3)).relu("").flatten("").dense("logits", 4);
    b.build(5).unwrap()
}

fn image(network: &Network) -> Array3<f32> {
    let shape = network.shape(network.input());
    Numbers::new(8).batch(1, shape).index_axis_move(Axis(0), 0).into_dimensionality().unwrap()
}

/// All kinds of fills, in rectangles all over the image, up to the whole of it.
fn edits([c, h, w]: [usize; 3], count: usize) -> Vec<Edit> {
    let mut numbers = Numbers::new(3);
    let mut edits: Vec<Edit> = (0..count)
        .map(|at| {
            let (height, width) = (1 + numbers.below(h), 1 + numbers.below(w));
            let (row, col) = (numbers.below(h - height + 1), numbers.below(w - width + 1));
            let fill = match at % 3 {
                0 => Fill::Value(numbers.uniform(-1.0, 1.0)),
                1 => Fill::Channels(numbers.vec(c)),
                _ => {
                    let pixels = numbers.vec(c * height * width);
                    Fill::Patch(Array3::from_shape_vec((c, height, width), pixels).unwrap())
                }
            };
            Edit { row, col, height, width, fill }
        })
        .collect();
    edits.push(Edit { row: 0, col: 0, height: h, width: w, fill: Fill::Value(0.0) });
    edits.push(Edit { row: h - 1, col: w - 1, height: 1, width: 1, fill: Fill::Value(1.0) });
    edits
}

/// Edited copies, `[edits, C, H, W]`.
fn edited(base: &Array3<f32>, edits: &[Edit]) -> Array4<f32> {
    let (c, h, w) = base.dim();
    let mut copies = Array4::zeros((edits.len(), c, h, w));
    for (edit, mut copy) in edits.iter().zip(copies.outer_iter_mut()) {
        copy.assign(base);
        let rows = edit.row..edit.row + edit.height;
        let cols = edit.col..edit.col + edit.width;
        let mut rectangle = copy.slice_mut(s![.., rows, cols]);
        match &edit.fill {
            Fill::Value(value) => rectangle.fill(*value),
            Fill::Channels(values) => {
                for (mut plane, value) in rectangle.outer_iter_mut().zip(values) {
                    plane.fill(*value);
                }
            }
            Fill::Patch(patch) => rectangle.assign(patch),
        }
    }
    copies
}

#[test]
fn a_sweep_is_a_forward_pass_over_edited_copies() {
    for isa in Isa::available() {
        for (network, count) in [(colour(), 100), (presets::reference_cnn(3), 40)] {
            let engine = compile(&network, isa);
            let base = image(&network);
            let (c, h, w) = base.dim();
            let edits = edits([c, h, w], count);
            let wanted = engine.predict(edited(&base, &edits).view()).unwrap();
            for strategy in [Strategy::Auto, Strategy::Full, Strategy::Incremental] {
                let found = engine.sweep_with(base.view(), &edits, strategy).unwrap();
                assert_eq!(found.dim(), wanted.dim());
                let name = network.name();
                assert_eq!(bits(&found), bits(&wanted), "{name} by {strategy} on {isa}");
            }
        }
    }
}

#[test]
fn a_sweep_takes_a_base_in_any_memory_order_and_leaves_it_alone() {
    let network = colour();
    let engine = compile(&network, Isa::detect());
    let base = image(&network);
    let edits = edits([3, 9, 7], 20);
    let wanted = engine.sweep(base.view(), &edits).unwrap();
    let channels_last = base.clone().permuted_axes([1, 2, 0]).as_standard_layout().into_owned();
    let reordered = channels_last.permuted_axes([2, 0, 1]);
    assert!(!reordered.is_standard_layout());
    assert_eq!(bits(&engine.sweep(reordered.view(), &edits).unwrap()), bits(&wanted));
    assert_eq!(reordered, base);
}

#[test]
fn a_sweep_without_edits_answers_nothing() {
    let network = colour();
    let engine = compile(&network, Isa::detect());
    let found = engine.sweep(image(&network).view(), &[]).unwrap();
    assert_eq!(found.dim(), (0, 4));
    let found = engine.sweep_at(image(&network).view(), &[], &[network.output()]).unwrap();
    assert_eq!(found.get(network.output()).unwrap().shape(), [0, 4]);
}

/// A change of shape that moves no number in memory still moves pixels: [3, 4, 6] seen as [3, 6, 4].
#[test]
fn an_image_under_another_height_and_width_is_swept_as_that() {
    let mut b = NetworkBuilder::new("turned");
    b.input("x", &[3, 4, 6]).conv("", ConvSpec::new(3, 3).same()).reshape("r", &[3, 6, 4]);
    b.conv("", ConvSpec::new(5, 3)).relu("").flatten("").dense("logits", 4);
    let network = b.build(2).unwrap();
    let base = image(&network);
    let edits = edits([3, 4, 6], 30);
    for isa in Isa::available() {
        let engine = compile(&network, isa);
        let wanted = engine.predict(edited(&base, &edits).view()).unwrap();
        let found = engine.sweep_with(base.view(), &edits, Strategy::Incremental).unwrap();
        assert_eq!(bits(&found), bits(&wanted), "{isa}");
    }
}

#[test]
fn a_sweep_at_no_node_or_with_too_many_numbers_is_refused() {
    let network = colour();
    let engine = compile(&network, Isa::detect());
    let base = image(&network);
    let edit = Edit { row: 0, col: 0, height: 1, width: 1, fill: Fill::Value(0.5) };
    let unknown = NodeId(network.nodes().len());
    let problem =
        engine.sweep_at(base.view(), std::slice::from_ref(&edit), &[unknown]).unwrap_err();
    assert!(problem.to_string().contains("does not exist"), "{problem}");
    // 16 maps of 7 x 5 each: 2 million edits are more than 2^30 numbers.
    let conv = network.find("relu").or_else(|_| network.find("relu1")).unwrap();
    let many = vec![edit; 2_000_000];
    let problem = engine.sweep_at(base.view(), &many, &[conv]).unwrap_err();
    assert!(problem.to_string().contains("sweep fewer edits at a time"), "{problem}");
}

proptest! {
    #![proptest_config(settings(80))]

    /// Branches, strides, padding, dilation, groups, poolings, normalisations: whatever networks are
    /// made of, partial recomputation has the bits of full recomputation.
    #[test]
    fn partial_recomputation_has_the_bits_of_full_recomputation(
        recipe in prop_oneof![2 => odd(false), 1 => wide()],
        fraction in 1..4usize,
        taps in proptest::collection::vec(any::<proptest::sample::Index>(), 1..4),
    ) {
        let network = build(&recipe);
        let base = image(&network);
        let (c, h, w) = base.dim();
        let mut edits = edits([c, h, w], 24);
        // Small windows as well, twice the same, and one that shows what is there.
        edits.iter_mut().for_each(|edit| shrink(edit, fraction));
        edits.extend(edits[..4].to_vec());
        let here = base.slice(s![.., 0..1, 0..w]).to_owned();
        edits.push(Edit { row: 0, col: 0, height: 1, width: w, fill: Fill::Patch(here) });
        for isa in Isa::available() {
            let engine = compile(&network, isa);
            let full = engine.sweep_with(base.view(), &edits, Strategy::Full).unwrap();
            let part = engine.sweep_with(base.view(), &edits, Strategy::Incremental).unwrap();
            prop_assert_eq!(bits(&part), bits(&full), "on {}", isa);
            let near = engine.sweep_with(base.view(), &edits, Strategy::Rounded).unwrap();
            let apart = near.iter().zip(&full).all(|(a, b)| (a - b).abs() <= 1e-4);
            prop_assert!(apart, "on {}: {} {}", isa, near, full);
            let count = network.nodes().len();
            let nodes: Vec<NodeId> = taps.iter().map(|tap| NodeId(tap.index(count))).collect();
            let wanted = engine.forward(edited(&base, &edits).view(), &nodes).unwrap();
            for strategy in [Strategy::Full, Strategy::Incremental] {
                let found = engine.sweep_at_with(base.view(), &edits, &nodes, strategy).unwrap();
                for (node, wanted) in wanted.iter() {
                    let found = found.get(node).unwrap();
                    prop_assert_eq!(found.shape(), wanted.shape());
                    prop_assert_eq!(bits(found), bits(wanted), "node {} on {}", node.0, isa);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(settings(120))]

    /// Foreign operators: what pads, cuts, moves, mixes channels, repeats, enlarges; convolutions in between.
    #[test]
    fn sweeps_over_foreign_operators_have_the_bits_of_full_recomputation(
        shape in (1..4usize, 3..9usize, 3..9usize),
        layers in proptest::collection::vec(0..foreign::LAYERS, 1..6),
        seed in any::<u64>(),
    ) {
        let network = foreign::foreign([shape.0, shape.1, shape.2], &layers, seed);
        let base = image(&network);
        let mut edits = edits([shape.0, shape.1, shape.2], 20);
        edits.iter_mut().for_each(|edit| shrink(edit, 3));
        let nodes = [network.output(), NodeId(seed as usize % network.nodes().len())];
        for isa in Isa::available() {
            let engine = compile(&network, isa);
            let full = engine.sweep_at_with(base.view(), &edits, &nodes, Strategy::Full).unwrap();
            let part = engine.sweep_at_with(base.view(), &edits, &nodes, Strategy::Incremental);
            for (node, part) in part.unwrap().iter() {
                let full = bits(full.get(node).unwrap());
                prop_assert_eq!(bits(part), full, "node {} on {}", node.0, isa);
            }
        }
    }
}

/// Deep enough for tiles to matter; the base's numbers beside a change keep their rounding.
#[test]
fn rounded_sweeps_agree_to_rounding_and_are_the_same_bits_on_any_number_of_threads() {
    let mut b = NetworkBuilder::new("deep");
    b.input("x", &[3, 40, 36]).conv("", ConvSpec::new(32, 3).same()).relu("");
    (0..3).for_each(|_| _ = b.conv("", ConvSpec::new(32, 3).same()).relu(""));
    b.max_pool("", 2);
    (0..2).for_each(|_| _ = b.conv("", ConvSpec::new(32, 3).same()).relu(""));
    b.global_avg_pool("").flatten("").dense("logits", 6);
    let network = b.build(4).unwrap();
    let base = image(&network);
    let mut edits = edits([3, 40, 36], 60);
    edits.iter_mut().for_each(|edit| shrink(edit, 4));
    let nodes = [network.output(), network.find("relu4").unwrap()];
    for isa in Isa::available() {
        let engine = compile(&network, isa);
        let of = |engine: &Engine, strategy| {
            engine.sweep_at_with(base.view(), &edits, &nodes, strategy).unwrap()
        };
        let (full, near) = (of(&engine, Strategy::Full), of(&engine, Strategy::Rounded));
        let alone = Options { threads: 1, isa: Some(isa), ..Options::default() };
        let alone = of(&Engine::compile(&network, &alone).unwrap(), Strategy::Rounded);
        for node in nodes {
            let (full, near) = (full.get(node).unwrap(), near.get(node).unwrap());
            let largest = full.iter().fold(0f32, |most, value| most.max(value.abs()));
            let apart = (full - near).iter().fold(0f32, |most, value| most.max(value.abs()));
            assert!(apart <= 2e-5 * largest, "{isa}: {apart} of {largest}");
            assert_eq!(bits(near), bits(alone.get(node).unwrap()), "{isa}");
        }
    }
}

#[test]
fn small_images_are_swept_exactly_and_large_ones_to_rounding_unless_told_otherwise() {
    for (size, expected) in [(64, Strategy::Incremental), (65, Strategy::Rounded)] {
        let mut b = NetworkBuilder::new("any");
        b.input("x", &[1, size, 64]).conv("", ConvSpec::new(4, 3)).global_avg_pool("");
        let network = b.flatten("").build(4).unwrap();
        let of = |strategy| {
            Engine::compile(&network, &Options { strategy, ..Options::default() })
                .unwrap()
                .strategy()
        };
        assert_eq!(of(Strategy::Auto), expected);
        assert_eq!(of(Strategy::Full), Strategy::Full);
        assert_eq!(of(Strategy::Incremental), Strategy::Incremental);
    }
}

/// Cuts an edit down to a fraction of its size.
fn shrink(edit: &mut Edit, fraction: usize) {
    edit.height = edit.height.div_ceil(fraction);
    edit.width = edit.width.div_ceil(fraction);
    if let Fill::Patch(patch) = &mut edit.fill {
        *patch = patch.slice(s![.., ..edit.height, ..edit.width]).to_owned();
    }
}
