//! The sum behind a unit is the number that the engine computed, in any layer.

use crate::common::{Numbers, compile, varied};
use cutaway_explain::{Error, Trace, chain, region};
use cutaway_net::{NodeId, Op, presets};
use ndarray::{Array3, Array4};
use proptest::prelude::*;

fn image(seed: u64, shape: [usize; 3]) -> Array3<f32> {
    let mut numbers = Numbers(seed);
    Array3::from_shape_simple_fn(shape, || numbers.next())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_sum_is_the_number_that_the_engine_computed(seed in 0u64..1000, pick in 0usize..10_000) {
        let engine = compile(&varied(seed));
        let network = engine.network();
        let image = image(seed + 1, [2, 12, 11]);
        for (id, node) in network.nodes().iter().enumerate() {
            if matches!(node.op, Op::Input { .. } | Op::Softmax) {
                continue;
            }
            let trace = Trace::new(&engine, image.view(), NodeId(id)).unwrap();
            let unit = match *network.shape(NodeId(id)) {
                [c, h, w] => [pick % c, pick % h, pick % w],
                ref vector => [pick % vector[0], 0, 0],
            };
            let unit = trace.unit(unit).unwrap();
            let terms = unit.sum.terms.iter().map(|term| term.product.abs());
            let scale = terms.fold(unit.sum.bias.abs(), |sum, term| sum + term).max(1.0);
            let error = (unit.computed - f64::from(unit.value)).abs();
            prop_assert!(error < 2e-5 * scale, "{}: {} and {}", node.name, unit.computed, unit.value);
            let products = unit.sum.terms.iter().map(|term| term.product).sum::<f64>();
            prop_assert!((unit.sum.bias + products - unit.sum.total).abs() < 1e-9 * scale);
            let by_channel: f64 = unit.sum.by_channel().iter().map(|part| part.2).sum();
            prop_assert!((by_channel - products).abs() < 1e-9 * scale);
        }
    }

    /// What lies outside the receptive field has no influence, and what lies inside is all there is.
    #[test]
    fn a_unit_depends_on_its_receptive_field_alone(seed in 0u64..1000, pick in 0usize..10_000) {
        let engine = compile(&varied(seed));
        let network = engine.network();
        let before = image(seed + 1, [2, 12, 11]);
        let layer = network.find(["conv1", "sum", "both"][pick % 3]).unwrap();
        let [c, h, w] = *network.shape(layer) else { unreachable!() };
        let at = [pick % c, pick % h, pick % w];
        let field = region(network, layer, at[1], at[2]);
        let mut after = image(seed + 2, [2, 12, 11]);
        for channel in 0..2 {
            for row in field.row..field.row + field.height {
                for col in field.col..field.col + field.width {
                    after[(channel, row, col)] = before[(channel, row, col)];
                }
            }
        }
        let value = |image: &Array3<f32>| {
            Trace::new(&engine, image.view(), layer).unwrap().unit(at).unwrap().value
        };
        prop_assert!((value(&before) - value(&after)).abs() < 1e-5);
    }
}

#[test]
fn the_sum_of_a_unit_of_the_third_convolution_has_all_its_288_terms() {
    let engine = compile(&presets::reference_cnn(4));
    let relu3 = engine.network().find("relu3").unwrap();
    let image = image(1, [1, 28, 28]);
    let trace = Trace::new(&engine, image.view(), relu3).unwrap();
    let unit = trace.unit([63, 7, 0]).unwrap();
    let steps: Vec<&str> = unit.steps.iter().map(|step| step.kind).collect();
    assert_eq!(steps, ["Conv", "Relu"]);
    assert_eq!((unit.sum.terms.len(), unit.sum.in_padding), (32 * 3 * 3, 0));
    assert_eq!(unit.sum.inputs, ["pool1"]);
    let sizes = unit.sum.terms.windows(2).all(|t| t[0].product.abs() >= t[1].product.abs());
    assert!(sizes, "the largest come first");
    let error = trace.unit([64, 0, 0]).unwrap_err().to_string();
    assert!(error.contains("channels 0 to 63, rows 0 to 7 and columns 0 to 7"), "{error}");
}

#[test]
fn the_input_and_a_softmax_are_no_sums() {
    let engine = compile(&varied(1));
    let image = image(1, [2, 12, 11]);
    for name in ["image", "probabilities"] {
        let node = engine.network().find(name).unwrap();
        let trace = Trace::new(&engine, image.view(), node).unwrap();
        assert!(matches!(trace.unit([0, 0, 0]), Err(Error::NoSum { .. })), "{name}");
    }
}

/// Each link's channel against the definition: remove one channel after the other, see how much
/// the next map changes.
#[test]
fn a_chain_follows_the_channel_that_contributes_most() {
    let engine = compile(&varied(3));
    let network = engine.network();
    let image = image(9, [2, 12, 11]);
    let batch = Array4::from_shape_vec((1, 2, 12, 11), image.iter().copied().collect()).unwrap();
    let relu3 = network.find("relu3").unwrap();
    let chain = chain(&engine, batch.view(), relu3, 2).unwrap();
    let names: Vec<&str> = chain.links.iter().map(|link| &link.layer[..]).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("image", "relu3"));
    let dilated = names.iter().position(|name| *name == "dilated").unwrap();
    let before = engine.forward(batch.view(), &[network.find("dilated").unwrap()]).unwrap();
    let (_, before) = before.iter().next().unwrap();
    let change = |channel: usize| -> f32 {
        let dropout = network.find("dropout").unwrap();
        let without = cutaway_explain::without_channel(network, dropout, channel).unwrap();
        let engine = compile(&without);
        let node = without.find("dilated").unwrap();
        let after = engine.forward(batch.view(), &[node]).unwrap();
        let after = after.get(node).unwrap();
        let row = |a: &ndarray::ArrayD<f32>| a.index_axis(ndarray::Axis(1), 2).to_owned();
        (row(before) - row(after)).iter().map(|v| v.abs()).sum()
    };
    let changes: Vec<f32> = (0..12).map(change).collect();
    let largest = (0..12).max_by(|&a, &b| changes[a].total_cmp(&changes[b])).unwrap();
    let link = &chain.links[dilated - 1];
    assert_eq!((&link.layer[..], link.channel), ("dropout", largest), "{changes:?}");
    let share = changes[largest] / changes.iter().sum::<f32>();
    assert!((link.share - f64::from(share)).abs() < 1e-4, "{} and {share}", link.share);
}
