//! Training: the reference CNN against PyTorch, dropout, frozen parameters.

use cutaway_engine::{Engine, Isa, Trainer};
use cutaway_net::{Metadata, Network, NetworkBuilder};
use ndarray::Array2;

use crate::common::cnn::{self, Cnn, agrees, cross_entropy, numbers};
use crate::common::numbers::{Numbers, close, widen};
use crate::common::{compile, options};

/// Of a tensor's norm.
const TOLERANCE: f64 = 2e-6;

/// Mean cross-entropy over the batch of four.
fn loss(cnn: &Cnn) -> impl Fn(usize, &[f32], &mut [f32]) -> f32 + Sync + '_ {
    |sample, logits, gradient| {
        let (loss, d) = cross_entropy(&widen(logits), cnn.labels[sample], 0.25);
        gradient.iter_mut().zip(d).for_each(|(out, d)| *out = d as f32);
        (loss * 0.25) as f32
    }
}

#[test]
fn the_reference_cnn_computes_what_pytorch_computes() {
    let cnn = cnn::load();
    let images = ndarray::ArrayView4::from_shape((4, 1, 28, 28), &cnn.images).unwrap();
    for isa in Isa::available() {
        let engine = compile(&cnn.network, isa);
        let names: Vec<&String> = cnn.record["activations"].as_object().unwrap().keys().collect();
        let nodes: Vec<_> = names.iter().map(|name| cnn.network.find(name).unwrap()).collect();
        let activations = engine.forward(images, &nodes).unwrap();
        for (name, &node) in names.iter().zip(&nodes) {
            agrees(
                &widen(activations.get(node).unwrap()),
                &cnn.record["activations"][name],
                TOLERANCE,
            )
            .unwrap_or_else(|problem| panic!("{name} on {isa}: {problem}"));
        }
        let logits = cnn.network.logits();
        let values = activations.get(logits).unwrap();
        close(&widen(values), &numbers(&cnn.record["logits"]), TOLERANCE).unwrap();

        let mut seed = values.clone();
        let loss = loss(&cnn);
        let rows = seed.as_slice_mut().unwrap().chunks_mut(10).enumerate();
        for (sample, row) in rows {
            let values = row.to_vec();
            loss(sample, &values, row);
        }
        let input = cnn.network.input();
        let asked: Vec<_> = nodes.iter().copied().chain([input]).collect();
        let gradients = engine.backward(images, &[(logits, seed)], &asked, true).unwrap();
        for (name, &node) in names.iter().zip(&nodes) {
            let recorded = &cnn.record["activation_gradients"][name];
            agrees(&widen(gradients.node(node).unwrap()), recorded, TOLERANCE)
                .unwrap_or_else(|problem| panic!("gradient of {name} on {isa}: {problem}"));
        }
        let found = widen(gradients.node(input).unwrap());
        agrees(&found, &cnn.record["images_gradient"], TOLERANCE).unwrap();
        for (found, entry) in
            gradients.params().iter().zip(cnn.record["params"].as_array().unwrap())
        {
            agrees(&widen(found), &entry["gradient"], TOLERANCE).unwrap_or_else(|problem| {
                panic!("gradient of {} on {isa}: {problem}", entry["name"])
            });
        }
    }
}

#[test]
fn six_steps_of_sgd_follow_pytorch() {
    let cnn = cnn::load();
    let wanted = numbers(&cnn.record["training_losses"]);
    for isa in Isa::available() {
        let mut trainer = Trainer::new(&cnn.network, 4, &options(isa)).unwrap();
        let mut velocity = vec![0.0_f32; trainer.params().len()];
        let mut losses = Vec::new();
        for step in 0..6 {
            losses.push(trainer.step(&cnn.images, 4, step, &loss(&cnn)).unwrap());
            if step == 0 {
                check_gradients(&cnn, trainer.gradients());
            }
            trainer.update(|params, gradients| {
                for ((p, g), v) in params.iter_mut().zip(gradients).zip(&mut velocity) {
                    *v = 0.9 * *v + g;
                    *p -= 0.001 * *v;
                }
            });
        }
        close(&losses, &wanted, 1e-5).unwrap_or_else(|problem| panic!("{isa}: {problem}"));
    }
}

fn check_gradients(cnn: &Cnn, gradients: &[f32]) {
    let mut rest = gradients;
    for entry in cnn.record["params"].as_array().unwrap() {
        let len = numbers(&entry["shape"]).iter().product::<f64>() as usize;
        let (own, others) = rest.split_at(len);
        rest = others;
        agrees(&widen(own), &entry["gradient"], TOLERANCE)
            .unwrap_or_else(|problem| panic!("gradient of {}: {problem}", entry["name"]));
    }
    assert!(rest.is_empty());
}

#[test]
fn a_trained_network_answers_as_the_trainer_left_it() {
    let cnn = cnn::load();
    let mut trainer = Trainer::new(&cnn.network, 4, &options(Isa::detect())).unwrap();
    trainer.step(&cnn.images, 4, 0, &loss(&cnn)).unwrap();
    trainer.update(|params, gradients| {
        params.iter_mut().zip(gradients).for_each(|(p, g)| *p -= 0.01 * g);
    });
    let trained = trainer.network().unwrap();
    let stretched: Vec<f32> = trained.params().iter().flat_map(|p| p.values.to_vec()).collect();
    assert_eq!(stretched, trainer.params());
    assert_ne!(trained.hash(), cnn.network.hash());
    let images = ndarray::ArrayView4::from_shape((4, 1, 28, 28), &cnn.images).unwrap();
    let logits = trained.logits();
    let engine = compile(&trained, Isa::detect());
    let answers = engine.forward(images, &[logits]).unwrap();
    let answers = answers.get(logits).unwrap().as_slice().unwrap().to_vec();
    let seen = std::sync::Mutex::new(vec![0.0; 40]);
    let look = |sample: usize, logits: &[f32], d: &mut [f32]| {
        seen.lock().unwrap()[sample * 10..][..10].copy_from_slice(logits);
        d.fill(0.0);
        0.0
    };
    trainer.step(&cnn.images, 4, 0, &look).unwrap();
    assert_eq!(*seen.lock().unwrap(), answers);
}

#[test]
fn a_part_of_a_batch_counts_only_its_own_samples() {
    let cnn = cnn::load();
    let mut whole = Trainer::new(&cnn.network, 64, &options(Isa::detect())).unwrap();
    let mut exact = Trainer::new(&cnn.network, 3, &options(Isa::detect())).unwrap();
    let images = Numbers::new(6).batch(64, &[1, 28, 28]);
    let images = images.as_slice().unwrap();
    let loss = |sample: usize, logits: &[f32], d: &mut [f32]| {
        let (loss, gradient) = cross_entropy(&widen(logits), sample % 10, 1.0);
        d.iter_mut().zip(gradient).for_each(|(out, d)| *out = d as f32);
        loss as f32
    };
    whole.step(images, 64, 0, &loss).unwrap();
    let left_over = whole.step(&images[..3 * 784], 3, 0, &loss).unwrap();
    assert_eq!(left_over, exact.step(&images[..3 * 784], 3, 0, &loss).unwrap());
    assert_eq!(whole.gradients(), exact.gradients());
}

/// Dropout straight after the input, a dense layer that hands each number on, and their sum.
fn dropout(rate: f32, features: usize) -> Network {
    let mut b = NetworkBuilder::new("dropout");
    b.input("x", &[features])
        .dropout("dropped", rate)
        .dense("y", features)
        .metadata(Metadata::default());
    let network = b.build(1).unwrap();
    let identity = |at: usize| f32::from(u8::from(at / features == at % features));
    let values = vec![(0..features * features).map(identity).collect(), vec![0.0; features].into()];
    network.with_values(values).unwrap()
}

/// What dropout makes of a batch of ones, `[n, features]`.
fn dropped(trainer: &mut Trainer, n: usize, features: usize, seed: u64) -> Array2<f32> {
    let seen = std::sync::Mutex::new(Array2::zeros((n, features)));
    let look = |sample: usize, y: &[f32], d: &mut [f32]| {
        seen.lock().unwrap().row_mut(sample).iter_mut().zip(y).for_each(|(s, y)| *s = *y);
        d.fill(1.0);
        y.iter().sum()
    };
    trainer.step(&vec![1.0; n * features], n, seed, &look).unwrap();
    seen.into_inner().unwrap()
}

#[test]
fn dropout_keeps_its_rate_and_is_unbiased() {
    let (n, features) = (200, 50);
    for rate in [0.0, 0.1, 0.5, 0.9] {
        let network = dropout(rate, features);
        let mut trainer = Trainer::new(&network, n, &options(Isa::detect())).unwrap();
        let values = dropped(&mut trainer, n, features, 11);
        let kept = 1.0 / (1.0 - rate);
        assert!(values.iter().all(|&v| v == 0.0 || (v - kept).abs() <= 1e-6 * kept), "rate {rate}");
        let zeros = values.iter().filter(|&&value| value == 0.0).count() as f64;
        let share = zeros / values.len() as f64;
        // Four standard deviations of a binomial share.
        let rate = f64::from(rate);
        let spread = 4.0 * (rate * (1.0 - rate) / values.len() as f64).sqrt();
        assert!((share - rate).abs() <= spread, "rate {rate}: {share} were dropped");
        let mean = f64::from(values.mean().unwrap());
        assert!((mean - 1.0).abs() <= spread / (1.0 - rate) + 1e-6, "rate {rate}: mean {mean}");
    }
}

#[test]
fn dropout_drops_other_numbers_in_every_sample_and_for_every_seed() {
    let (n, features) = (64, 50);
    let mut trainer = Trainer::new(&dropout(0.5, features), n, &options(Isa::detect())).unwrap();
    let first = dropped(&mut trainer, n, features, 1);
    assert_eq!(dropped(&mut trainer, n, features, 1), first);
    let second = dropped(&mut trainer, n, features, 2);
    let different = |a: &[f32], b: &[f32]| a.iter().zip(b).filter(|(a, b)| a != b).count() as f64;
    let share = |count: f64, of: usize| count / of as f64;
    let seeds = different(first.as_slice().unwrap(), second.as_slice().unwrap());
    assert!((share(seeds, n * features) - 0.5).abs() < 0.05);
    let rows: Vec<Vec<f32>> = first.outer_iter().map(|row| row.to_vec()).collect();
    let pairs: f64 = rows.windows(2).map(|pair| different(&pair[0], &pair[1])).sum();
    assert!((share(pairs, (n - 1) * features) - 0.5).abs() < 0.05);
    // Neighbouring features, too: no stripes.
    let columns: f64 = (1..features)
        .map(|c| different(&first.column(c).to_vec(), &first.column(c - 1).to_vec()))
        .sum();
    assert!((share(columns, n * (features - 1)) - 0.5).abs() < 0.05);
}

#[test]
fn two_dropouts_of_one_network_are_independent() {
    let features = 400;
    let mut b = NetworkBuilder::new("two");
    let x = b.input("x", &[features]).last();
    let one = b.dropout("one", 0.5).last();
    let other = b.at(x).dropout("other", 0.5).last();
    b.add("sum", &[one, other]).dense("y", features);
    let identity = |at: usize| f32::from(u8::from(at / features == at % features));
    let network = b.build(1).unwrap();
    let values = vec![(0..features * features).map(identity).collect(), vec![0.0; features].into()];
    let network = network.with_values(values).unwrap();
    let mut trainer = Trainer::new(&network, 20, &options(Isa::detect())).unwrap();
    let sums = dropped(&mut trainer, 20, features, 3);
    let share =
        |value: f32| sums.iter().filter(|&&s| s == value).count() as f64 / sums.len() as f64;
    for (value, wanted) in [(0.0, 0.25), (2.0, 0.5), (4.0, 0.25)] {
        assert!((share(value) - wanted).abs() < 0.03, "{value}: {}", share(value));
    }
}

#[test]
fn the_gradient_flows_through_what_dropout_kept() {
    let (n, features) = (9, 30);
    let mut trainer = Trainer::new(&dropout(0.3, features), n, &options(Isa::detect())).unwrap();
    let kept = dropped(&mut trainer, n, features, 5);
    // y = W (mask · 1) and dL/dy = 1: each row of dW is the sum of the masked inputs.
    let wanted: Vec<f64> =
        (0..features).map(|i| kept.column(i).iter().map(|&v| f64::from(v)).sum()).collect();
    for row in trainer.gradients()[..features * features].chunks(features) {
        close(&widen(row), &wanted, 1e-6).unwrap();
    }
}

#[test]
fn dropout_does_nothing_in_inference() {
    let network = dropout(0.9, 20);
    let engine = compile(&network, Isa::detect());
    let batch = Numbers::new(1).batch(3, &[20]);
    let dropped = network.find("dropped").unwrap();
    let activations = engine.forward(batch.view(), &[dropped, network.output()]).unwrap();
    assert_eq!(activations.get(dropped), Some(&batch));
    assert_eq!(activations.get(network.output()), Some(&batch));
    let gradients = engine
        .backward(batch.view(), &[(dropped, batch.clone())], &[network.input()], false)
        .unwrap();
    assert_eq!(gradients.node(network.input()), Some(&batch));
}

#[test]
fn parameters_that_are_not_trainable_stay_as_they_are() {
    let cnn = cnn::load();
    let mut params = cnn.network.params().to_vec();
    params[0].trainable = false;
    params[5].trainable = false;
    let (nodes, outputs) = (cnn.network.nodes().to_vec(), cnn.network.outputs().to_vec());
    let metadata = cnn.network.metadata().clone();
    let frozen = Network::new("frozen", nodes, params, outputs, metadata).unwrap();
    let mut trainer = Trainer::new(&frozen, 4, &options(Isa::detect())).unwrap();
    let mut all = Trainer::new(&cnn.network, 4, &options(Isa::detect())).unwrap();
    trainer.step(&cnn.images, 4, 0, &loss(&cnn)).unwrap();
    all.step(&cnn.images, 4, 0, &loss(&cnn)).unwrap();

    let mut wanted = Vec::new();
    let mut rest = all.gradients();
    for param in frozen.params() {
        let (own, others) = rest.split_at(param.values.len());
        rest = others;
        if param.trainable {
            wanted.extend_from_slice(own);
        }
    }
    assert_eq!(trainer.gradients(), wanted);
    trainer.update(|params, _| params.iter_mut().for_each(|p| *p += 1.0));
    for (after, before) in trainer.network().unwrap().params().iter().zip(frozen.params()) {
        let moved = after.values.iter().zip(&*before.values).all(|(a, b)| *a == b + 1.0);
        assert_eq!(moved, before.trainable, "{}", before.name);
        assert!(before.trainable || after.values == before.values, "{}", before.name);
    }
}

#[test]
fn inference_after_training_uses_the_running_statistics() {
    let mut b = NetworkBuilder::new("norm");
    b.input("x", &[2, 3, 3]).batch_norm_with("norm", 1e-3, 0.8).flatten("flat").dense("y", 2);
    let network = b.build(1).unwrap();
    let mut trainer = Trainer::new(&network, 20, &options(Isa::detect())).unwrap();
    let images: Vec<f32> = Numbers::new(2).vec(20 * 18).iter().map(|x| 3.0 * x + 5.0).collect();
    let loss = |_: usize, _: &[f32], d: &mut [f32]| {
        d.fill(0.0);
        0.0
    };
    for _ in 0..60 {
        trainer.step(&images, 20, 0, &loss).unwrap();
    }
    let trained = trainer.network().unwrap();
    let norm = trained.find("norm").unwrap();
    let engine = Engine::compile(&trained, &options(Isa::detect())).unwrap();
    let batch = ndarray::ArrayView4::from_shape((20, 2, 3, 3), &images).unwrap();
    let activations = engine.forward(batch, &[norm]).unwrap();
    // 0.8^60 is nothing: by now the running statistics are the batch's.
    for channel in activations.get(norm).unwrap().axis_iter(ndarray::Axis(1)) {
        let (mean, std) = (channel.mean().unwrap(), channel.std(0.0));
        assert!(mean.abs() < 1e-3 && (std - 1.0).abs() < 1e-2, "mean {mean}, std {std}");
    }
}
