//! Scores against Captum, Quantus and pytorch-grad-cam (`tests/fixtures/scores.json`), and by hand.

use cutaway_engine::{Engine, Options};
use cutaway_net::NetworkBuilder;
use ndarray::{Array3, Array4, Axis};
use serde_json::Value;

use super::*;
use crate::attribution::{Method, attribute};

fn fixture() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/scores.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn floats(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|v| v as f32).collect()
}

/// A dense layer behind a ReLU: `f(x) = w · max(x − 0.2, 0)`, of the fixture.
fn engine(weights: &Value) -> Engine {
    let mut b = NetworkBuilder::new("small");
    b.input("x", &[1, 6, 6]).conv("conv", cutaway_net::ConvSpec::new(3, 3)).relu("relu");
    let network = b.flatten("flat").dense("logits", 3).build(1).unwrap();
    let values = network.params().iter().map(|p| floats(&weights[&p.name]).into()).collect();
    Engine::compile(&network.with_values(values).unwrap(), &Options::default()).unwrap()
}

#[test]
fn sparseness_and_complexity_are_those_of_quantus() {
    let fixture = fixture();
    let map = floats(&fixture["map"]);
    let expected = &fixture["quantus"];
    assert!((sparseness(&map) - expected["sparseness"].as_f64().unwrap()).abs() < 1e-6);
    assert!((complexity(&map) - expected["complexity"].as_f64().unwrap()).abs() < 1e-6);
    // The ends of both scales.
    let (flat, single) = (vec![-2.0; 50], [vec![0.0; 49], vec![3.0]].concat());
    assert!(sparseness(&flat).abs() < 1e-12 && (complexity(&flat) - 50.0_f64.ln()).abs() < 1e-12);
    assert!((sparseness(&single) - 0.98).abs() < 1e-12 && complexity(&single) == 0.0);
    assert_eq!((sparseness(&[0.0; 4]), complexity(&[0.0; 4])), (0.0, 0.0));
}

#[test]
fn infidelity_and_sensitivity_are_captums_for_given_changes() {
    let fixture = fixture();
    let engine = engine(&fixture["weights"]);
    let expected = &fixture["captum"];
    let own = infidelity::of(&numbers(&expected["predicted"]), &numbers(&expected["happened"]));
    assert!((own.raw - expected["infidelity"].as_f64().unwrap()).abs() < 1e-9, "{own:?}");
    let happened = numbers(&expected["happened"]);
    let all = happened.iter().map(|h| h * h).sum::<f64>() / happened.len() as f64;
    let scaled = expected["normalised"].as_f64().unwrap() / all;
    assert!((own.scaled - scaled).abs() < 1e-9, "{own:?}, not {scaled}");
    let image = Array3::from_shape_vec((1, 6, 6), floats(&fixture["image"])).unwrap();
    let changes: Vec<Array3<f32>> = floats(&expected["changes"])
        .chunks_exact(36)
        .map(|v| Array3::from_shape_vec((1, 6, 6), v.to_vec()).unwrap())
        .collect();
    let method: Method = "input-x-gradient".parse().unwrap();
    let question = Question::new(&engine);
    let own = sensitivity::sensitivity_to(&question, image.view(), 1, &method, &changes).unwrap();
    let expected = expected["sensitivity"].as_f64().unwrap();
    assert!((own - expected).abs() < 1e-4 * expected, "{own}, not {expected}");
}

#[test]
fn imputation_is_that_of_pytorch_grad_cam() {
    let fixture = fixture();
    let expected = &fixture["road"];
    let image = Array3::from_shape_vec((2, 7, 8), floats(&expected["image"])).unwrap();
    let gone: Vec<bool> = numbers(&expected["gone"]).iter().map(|&v| v > 0.5).collect();
    let own = road::impute(image.view(), &gone);
    for (own, expected) in own.iter().zip(floats(&expected["imputed"])) {
        assert!((own - expected).abs() < 1e-5, "{own}, not {expected}");
    }
}

#[test]
fn rank_correlation_and_similarity_are_those_of_scipy_and_scikit_image() {
    let fixture = fixture();
    let expected = &fixture["agreement"];
    let (a, b) = (floats(&expected["a"]), floats(&expected["b"]));
    let near = |own: f64, what: &str| {
        let expected = expected[what].as_f64().unwrap();
        assert!((own - expected).abs() < 1e-6, "{what}: {own}, not {expected}");
    };
    near(spearman(&a, &b), "spearman");
    near(ssim(&a, &b, [12, 10]), "ssim");
    assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
    // Of the two largest of ten, one in common.
    let (a, b) = (
        [9.0, 8.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 8.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    );
    assert_eq!(top_intersection(&a, &b, 0.2), 0.5);
}

#[test]
fn curves_are_what_the_network_says_to_each_image_on_the_way() {
    let fixture = fixture();
    let engine = engine(&fixture["weights"]);
    let image = Array3::from_shape_vec((1, 6, 6), floats(&fixture["image"])).unwrap();
    let question = Question { output: Output::Probability, ..Question::new(&engine) };
    let ask = Ask::new(question).unwrap();
    let pixels = floats(&fixture["map"]);
    let blank = Array3::from_elem((1, 6, 6), 0.5);
    let own = curves::curve(&ask, image.view(), &blank, 2, &pixels, 4).unwrap();
    let mut order: Vec<usize> = (0..36).collect();
    order.sort_by(|&a, &b| pixels[b].partial_cmp(&pixels[a]).unwrap());
    let mut auc = 0.0;
    let mut last = None;
    for (step, &p) in own.probabilities.iter().enumerate() {
        let mut changed = image.clone();
        order[..9 * step].iter().for_each(|&i| changed[(0, i / 6, i % 6)] = 0.5);
        let says = engine.predict(changed.view().insert_axis(Axis(0))).unwrap()[(0, 2)];
        assert!((f64::from(says) - p).abs() < 1e-6);
        if let Some(last) = last {
            auc += 0.25 * (last + p) / 2.0;
        }
        last = Some(p);
    }
    assert_eq!(own.shares, [0.0, 0.25, 0.5, 0.75, 1.0]);
    assert!((own.auc - auc).abs() < 1e-12);
}

/// A network that looks at the left half only: `logits = ±Σ left`.
fn left_half() -> Engine {
    let mut b = NetworkBuilder::new("left");
    let network = b.input("x", &[1, 8, 8]).flatten("flat").dense("logits", 2).build(1).unwrap();
    let weight = |i: usize| match (i / 64, i % 8 < 4) {
        (_, false) => 0.0,
        (0, _) => 0.2,
        _ => -0.2,
    };
    let values = vec![(0..128).map(weight).collect(), vec![0.0; 2].into()];
    Engine::compile(&network.with_values(values).unwrap(), &Options::default()).unwrap()
}

#[test]
fn a_good_attribution_is_scored_above_a_wrong_one() {
    let engine = left_half();
    let image = Array3::from_shape_fn((1, 8, 8), |(_, y, x)| 0.5 + 0.05 * ((y + x) % 5) as f32);
    let question = Question::new(&engine);
    let batch = image.view().insert_axis(Axis(0));
    let right = attribute(&question, batch, &[0], &"input-x-gradient".parse().unwrap()).unwrap();
    let right = right[0].clone();
    let mut wrong = right.clone();
    wrong.values.chunks_exact_mut(8).for_each(|row| row.reverse());
    let scores =
        score(&question, image.view(), 0, &[right, wrong], &ScoreSettings::default()).unwrap();
    let [right, wrong] = &scores[..] else { panic!("two") };
    assert!(right.deletion.auc < wrong.deletion.auc - 0.1);
    // Infidelity of a linear network's own input × gradient is 0.
    assert!(right.infidelity.raw < 1e-9 && right.infidelity.scaled < 1e-9);
    assert!(wrong.infidelity.scaled > 0.1, "{:?}", wrong.infidelity);
    assert_eq!(right.sparseness, wrong.sparseness);
}

#[test]
fn randomising_the_only_layer_changes_the_gradient_and_a_blind_map_not() {
    let fixture = fixture();
    let engine = engine(&fixture["weights"]);
    let image = Array3::from_shape_vec((1, 6, 6), floats(&fixture["image"])).unwrap();
    let question = Question::new(&engine);
    let of =
        |name: &str| randomisation(&question, image.view(), 1, &name.parse().unwrap()).unwrap();
    let rows = of("gradient");
    let layers: Vec<&str> = rows.iter().map(|r| r.layer.as_str()).collect();
    assert_eq!(layers, ["logits", "conv"]);
    assert!(rows.iter().all(|r| r.rank_correlation.abs() < 0.9), "{rows:?}");
    assert_eq!(rows, of("gradient"));
}

#[test]
fn a_bench_keeps_every_value_and_ranks_by_their_means() {
    let engine = left_half();
    let images = Array4::from_shape_fn((3, 1, 8, 8), |(n, _, y, x)| {
        0.4 + 0.05 * ((n + y * 3 + x) % 7) as f32
    });
    let methods: Vec<Method> =
        ["gradient", "input-x-gradient", "occlusion"].map(|n| n.parse().unwrap()).to_vec();
    let seen = std::cell::RefCell::new(Vec::new());
    let progress = |done: usize, of: usize| seen.borrow_mut().push((done, of));
    let question = Question { progress: &progress, ..Question::new(&engine) };
    let settings = ScoreSettings::default();
    let own = bench(&question, images.view(), &[0, 0, 1], &methods, &settings).unwrap();
    assert_eq!(*seen.borrow(), [(1, 3), (2, 3), (3, 3)]);
    for row in &own.methods {
        assert_eq!(row.samples.len(), 3);
        let mean = row.samples.iter().map(|s| s.deletion.auc).sum::<f64>() / 3.0;
        assert!((row.criteria[0].mean - mean).abs() < 1e-12);
        let ranks: f64 = row.criteria[..4].iter().map(|c| c.rank).sum();
        assert!((row.mean_rank - ranks / 4.0).abs() < 1e-12);
    }
    for (c, (name, _)) in CRITERIA.iter().enumerate() {
        let sum: f64 = own.methods.iter().map(|row| row.criteria[c].rank).sum();
        assert_eq!(sum, 6.0, "ranks of {name}");
    }
    assert!(own.methods.windows(2).all(|pair| pair[0].mean_rank <= pair[1].mean_rank));
    assert!((own.rank_correlation[0][0] - 1.0).abs() < 1e-12);
    assert_eq!(own.rank_correlation[0][1], own.rank_correlation[1][0]);
    let faithful = own.methods.iter().find(|row| row.method == "input-x-gradient").unwrap();
    assert!(faithful.criteria[2].mean < 1e-9);
}
