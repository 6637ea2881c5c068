//! Discriminating units and ablation against direct computation.

use crate::common::{compile, images, varied};
use cutaway_engine::reference::{Mode, Reference};
use cutaway_explain::{Answers, Settings, auc, cohens_d, units, without_channel};
use cutaway_net::{Network, NodeId};

/// All nodes of the network in f64 with some channels of one node set to 0 before what comes after.
fn ablated_directly(
    network: &Network,
    batch: &[f64],
    n: usize,
    node: NodeId,
    channels: &[usize],
) -> Vec<Vec<f64>> {
    let reference = Reference::new(network, Mode::Inference);
    let mut values = reference.forward(batch, n);
    let shape = network.shape(node);
    let (len, area) = (shape.iter().product::<usize>(), shape[1..].iter().product::<usize>());
    for image in values[node.0].chunks_exact_mut(len) {
        for channel in channels {
            image[channel * area..][..area].fill(0.0);
        }
    }
    for later in node.0 + 1..network.nodes().len() {
        values[later] = reference.forward_node(NodeId(later), &values, n);
    }
    values
}

fn batch(network: &Network, count: usize) -> (ndarray::ArrayD<f32>, Vec<f64>) {
    let images = images(count, [2, 12, 11], 3);
    let shape: Vec<usize> = [&[count], network.shape(network.input())].concat();
    let mut values = vec![0.0; shape.iter().product()];
    let indices: Vec<usize> = (0..count).collect();
    images.to_nchw_f32(&indices, 1.0 / 255.0, &[0.0], &[1.0], &mut values).unwrap();
    let wide = values.iter().map(|&v| f64::from(v)).collect();
    (ndarray::ArrayD::from_shape_vec(shape, values).unwrap(), wide)
}

#[test]
fn a_channel_is_ablated_behind_any_node_as_by_setting_it_to_zero() {
    let network = varied(8);
    let (images, wide) = batch(&network, 3);
    let nodes: Vec<NodeId> = (0..network.nodes().len()).map(NodeId).collect();
    for &node in nodes.iter().filter(|&&node| node != network.output()) {
        let channel = network.shape(node)[0] - 1;
        let wanted = ablated_directly(&network, &wide, 3, node, &[channel]);
        let ablated = without_channel(&network, node, channel).unwrap();
        let found = compile(&ablated).forward(images.view(), &[ablated.output()]).unwrap();
        let found = found.get(ablated.output()).unwrap();
        let wanted = &wanted[network.output().0];
        for (&found, wanted) in found.iter().zip(wanted) {
            let name = &network.node(node).name;
            assert!((f64::from(found) - wanted).abs() < 1e-4, "{name}: {found} and {wanted}");
        }
        assert_eq!(ablated.outputs().len(), network.outputs().len());
    }
}

#[test]
fn a_channel_that_does_not_exist_is_refused() {
    let network = varied(8);
    let conv1 = network.find("conv1").unwrap();
    let error = without_channel(&network, conv1, 6).unwrap_err().to_string();
    assert!(error.contains("'conv1' has channels 0 to 5"), "{error}");
    let error = without_channel(&network, network.output(), 0).unwrap_err().to_string();
    assert!(error.contains("'probabilities' is the answer"), "{error}");
}

#[test]
fn an_ablated_network_can_be_ablated_again_and_has_another_hash() {
    let network = varied(8);
    let conv1 = network.find("conv1").unwrap();
    let once = without_channel(&network, conv1, 0).unwrap();
    let twice = without_channel(&once, conv1, 0).unwrap();
    assert_ne!(network.hash(), once.hash());
    assert_eq!(twice.nodes().len(), network.nodes().len() + 2);
}

#[test]
fn the_ranking_is_that_of_the_answers_themselves() {
    let network = varied(11);
    let engine = compile(&network);
    let data = images(60, [2, 12, 11], 3);
    let layer = network.find("relu3").unwrap();
    let mut told = Vec::new();
    let settings = Settings { top: 2, drivers: 3, ..Settings::new([2, 0]) };
    let found =
        units(&engine, &data, layer, &settings, &mut |done, total| told.push((done, total)))
            .unwrap();
    assert!(told.is_sorted() && told.iter().all(|(done, total)| done <= total), "{told:?}");
    let (done, total) = told[told.len() - 1];
    assert_eq!(done, total);

    // Directly: all maps, their means, the two groups.
    let (input, _) = batch(&network, 60);
    let maps = engine.forward(input.view(), &[layer]).unwrap();
    let maps = maps.get(layer).unwrap();
    let answer = |image: usize, channel: usize| {
        let map = maps.slice(ndarray::s![image, channel, .., ..]);
        map.iter().sum::<f32>() / map.len() as f32
    };
    assert_eq!((found.counts, found.rows.len()), ([20, 20], 5));
    for row in &found.rows {
        let group = |class: usize| -> Vec<f32> {
            (0..60).filter(|i| i % 3 == class).map(|i| answer(i, row.channel)).collect()
        };
        let (a, b) = (group(2), group(0));
        assert!((row.auc - auc(&a, &b).unwrap()).abs() < 0.02);
        match (row.effect_size, cohens_d(&a, &b)) {
            (Some(found), Some(wanted)) => assert!((found - wanted).abs() < 1e-3),
            (found, wanted) => assert_eq!(found, wanted),
        }
        let mean = group(1).iter().map(|&v| f64::from(v)).sum::<f64>() / 20.0;
        assert!((row.class_means[1].unwrap() - mean).abs() < 1e-5);
    }
    let ranked = found.rows.windows(2);
    assert!(ranked.into_iter().all(|w| (w[0].auc - 0.5).abs() >= (w[1].auc - 0.5).abs()));
    for detail in &found.details {
        let driver = &detail.drivers[0];
        let map = |i: usize| maps.slice(ndarray::s![i, detail.channel, .., ..]);
        let peak = |i: usize| map(i).iter().copied().fold(0.0f32, f32::max);
        let strongest = (0..60).map(peak).fold(0.0f32, f32::max);
        assert_eq!(driver.value, strongest);
        assert_eq!(map(driver.sample)[(driver.row, driver.col)], strongest);
        let row = found.rows.iter().find(|row| row.channel == detail.channel).unwrap();
        assert_eq!(detail.speaks_for == 2, row.auc > 0.5);
    }
}

#[test]
fn what_becomes_of_the_classes_is_what_the_ablated_network_says() {
    let network = varied(11);
    let engine = compile(&network);
    let data = images(30, [2, 12, 11], 3);
    let layer = network.find("relu3").unwrap();
    let found = units(&engine, &data, layer, &Settings::new([0, 1]), &mut |_, _| ()).unwrap();
    let (_, wide) = batch(&network, 30);
    assert!(!found.details.is_empty());
    let of = |class: usize| -> Vec<usize> {
        let details = found.details.iter().filter(|d| d.speaks_for == class);
        details.map(|d| d.channel).collect()
    };
    let mut cases: Vec<(Vec<usize>, Answers)> =
        found.details.iter().map(|d| (vec![d.channel], d.ablated)).collect();
    cases.push((vec![], found.baseline));
    cases.push((of(0), found.without_all[0]));
    cases.push((of(1), found.without_all[1]));
    for (channels, answers) in cases {
        let values = ablated_directly(&network, &wide, 30, layer, &channels);
        let probabilities: Vec<&[f64]> = values[network.output().0].chunks_exact(3).collect();
        for (side, class) in [0usize, 1].into_iter().enumerate() {
            let of_class = (0..30).filter(|i| i % 3 == class).map(|i| probabilities[i]);
            let p = of_class.clone().map(|p| p[class]).sum::<f64>() / 10.0;
            let right = of_class.filter(|p| p.iter().all(|&other| other <= p[class])).count();
            assert!((answers.mean_p[side] - p).abs() < 1e-4, "without {channels:?}");
            assert_eq!(answers.accuracy[side], right as f64 / 10.0, "without {channels:?}");
        }
    }
}

#[test]
fn classes_that_cannot_be_compared_are_refused() {
    let network = varied(11);
    let engine = compile(&network);
    let data = images(9, [2, 12, 11], 3);
    let layer = network.find("relu3").unwrap();
    let ask = |classes: [usize; 2], data: &cutaway_data::Images| {
        let settings = Settings::new(classes);
        units(&engine, data, layer, &settings, &mut |_, _| ()).unwrap_err().to_string()
    };
    assert!(ask([1, 1], &data).contains("two different classes"));
    assert!(ask([0, 3], &data).contains("classes 0 to 2"));
    assert!(ask([0, 2], &data.select(&[0, 1])).contains("none of class 2"));
    assert!(ask([0, 1], &images(9, [1, 12, 11], 3)).contains("[2, 12, 11]"));
}
