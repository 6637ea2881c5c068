//! Relevance and DeepLIFT against Zennit, Captum and autograd on networks that between them have most
//! operators: `tests/fixtures/networks/` and `networks.json`, made by `make_networks.py`.

use cutaway_engine::{Engine, Options};
use ndarray::Array4;
use serde_json::Value;

use super::*;

const NETWORKS: [(&str, &[u8]); 10] = [
    ("residual", include_bytes!("../../tests/fixtures/networks/residual.onnx")),
    ("separable", include_bytes!("../../tests/fixtures/networks/separable.onnx")),
    ("fire", include_bytes!("../../tests/fixtures/networks/fire.onnx")),
    ("enlarged", include_bytes!("../../tests/fixtures/networks/enlarged.onnx")),
    ("dilated", include_bytes!("../../tests/fixtures/networks/dilated.onnx")),
    ("curved", include_bytes!("../../tests/fixtures/networks/curved.onnx")),
    ("dense", include_bytes!("../../tests/fixtures/networks/dense.onnx")),
    ("attention", include_bytes!("../../tests/fixtures/networks/attention.onnx")),
    ("gated", include_bytes!("../../tests/fixtures/networks/gated.onnx")),
    ("products", include_bytes!("../../tests/fixtures/networks/products.onnx")),
];

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

/// The method that a name of the fixture stands for: a method's, and how it is set.
fn method(name: &str, baseline: &[f32]) -> Method {
    let (method, setting) = name.split_once(' ').unwrap_or((name, ""));
    let mut method: Method = method.parse().unwrap();
    method.set_baseline(&Baseline::Given(baseline.to_vec()));
    let set = match setting {
        "redistribute" => method.set_biases(LrpBiases::Redistribute),
        "uniform" => method.set_products(LrpProducts::Uniform),
        "captum" | "" => true,
        other => panic!("'{other}' is no setting"),
    };
    assert!(set, "{name}");
    method
}

/// Largest difference over the largest value.
fn apart(own: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(own.len(), expected.len());
    let most = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0_f32, |m, v| m.max(v.abs()));
    let largest = most(&mut expected.iter().copied());
    assert!(largest > 0.0, "the fixture is all 0");
    most(&mut own.iter().zip(expected).map(|(a, b)| a - b)) / largest
}

#[test]
fn networks_of_many_operators_have_the_relevance_of_zennit_captum_and_autograd() {
    let text = include_str!("../../tests/fixtures/networks.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let (mut failures, mut compared) = (Vec::new(), 0);
    for (name, file) in NETWORKS {
        let case = &fixture[name];
        let network = cutaway_net::onnx::from_bytes(file).unwrap();
        let input: [usize; 3] = network.shape(network.input()).try_into().unwrap();
        let engine = Engine::compile(&network, &Options::default()).unwrap();
        let shape = (1, input[0], input[1], input[2]);
        let image = Array4::from_shape_vec(shape, numbers(&case["image"])).unwrap();
        let logits = engine.forward(image.view(), &[network.logits()]).unwrap();
        let logits: Vec<f32> = logits.get(network.logits()).unwrap().iter().copied().collect();
        assert!(apart(&logits, &numbers(&case["logits"])) < 1e-5, "{name}: {logits:?}");
        let target = case["target"].as_u64().unwrap() as usize;
        let baseline = numbers(&case["baseline"]);
        for (what, expected) in case["attributions"].as_object().unwrap() {
            let method = method(what, &baseline);
            let question = Question::new(&engine);
            let own = attribute(&question, image.view(), &[target], &method).unwrap().remove(0);
            let expected = numbers(expected);
            // Where nothing but the bias speaks for an output Zennit loses what it has received.
            let loses =
                (ask::sum(&expected) - own.target.value).abs() > 1e-3 * own.target.value.abs();
            if what.ends_with("redistribute") && loses {
                assert!(own.error.unwrap().abs() < 1e-4 && own.absorbed.unwrap().biases == 0.0);
                continue;
            }
            let apart = apart(&own.values, &expected);
            compared += 1;
            // By autograd no divisor has a stabiliser.
            let tolerance =
                if ["attention", "gated", "products"].contains(&name) { 1e-3 } else { 1e-4 };
            if apart.is_nan() || apart > tolerance {
                failures.push(format!("{name}, {what}: {apart:.1e}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?} of {compared}");
    assert!(compared > 45, "{compared}");
}
