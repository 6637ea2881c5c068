//! The reference CNN with the weights and images of `reference_cnn.json`.

use std::sync::Arc;

use cutaway_net::{Network, presets};
use serde_json::Value;

/// What PyTorch made of it, and the network and images it was made from.
pub(crate) struct Cnn {
    pub(crate) record: Value,
    pub(crate) network: Network,
    /// `[4, 1, 28, 28]`
    pub(crate) images: Vec<f32>,
    pub(crate) labels: Vec<usize>,
}

pub(crate) fn load() -> Cnn {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reference_cnn.json");
    let text = std::fs::read_to_string(path).expect("the fixture is committed");
    let record: Value = serde_json::from_str(&text).unwrap();
    let mut stream = Stream(1);
    let network = presets::reference_cnn(1);
    let listed = record["params"].as_array().unwrap();
    let values = network.params().iter().zip(listed).map(|(param, entry)| {
        assert_eq!(entry["name"], param.name.as_str());
        let range = entry["a"].as_f64().unwrap() as f32;
        let unit = |k: u32| k as f32 * 2.0_f32.powi(-23) - 1.0;
        (0..param.values.len()).map(|_| range * unit(stream.next())).collect::<Arc<[f32]>>()
    });
    let network = network.with_values(values.collect()).unwrap();
    let images: Vec<f32> =
        (0..4 * 28 * 28).map(|_| stream.next() as f32 * 2.0_f32.powi(-24)).collect();
    let labels = numbers(&record["labels"]).iter().map(|&label| label as usize).collect();
    let cnn = Cnn { record, network, images, labels };
    // The streams of both sides agree, or nothing below means anything.
    for (param, entry) in cnn.network.params().iter().zip(cnn.record["params"].as_array().unwrap())
    {
        agrees(&super::numbers::widen(&*param.values), &entry["value"], 1e-12).unwrap();
    }
    agrees(&super::numbers::widen(&cnn.images), &cnn.record["images"], 1e-12).unwrap();
    cnn
}

/// The numbers of a JSON list, nested or not.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// Whether a tensor has the sum, the norm and the first values that were recorded; `tolerance` is
/// relative to its norm (for the sum, to the norm times the root of its length).
pub(crate) fn agrees(values: &[f64], recorded: &Value, tolerance: f64) -> Result<(), String> {
    let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    let wanted = recorded["l2"].as_f64().unwrap();
    let check = |what: &str, found: f64, wanted: f64, scale: f64| {
        let error = (found - wanted).abs();
        if error <= tolerance * scale {
            return Ok(());
        }
        Err(format!(
            "{what} is {found}, expected {wanted}: off by {:.1e} of its scale",
            error / scale
        ))
    };
    check("the norm", norm, wanted, wanted)?;
    let spread = wanted * (values.len() as f64).sqrt();
    check("the sum", values.iter().sum(), recorded["sum"].as_f64().unwrap(), spread)?;
    for (at, wanted_value) in numbers(&recorded["first"]).into_iter().enumerate() {
        check(&format!("number {at}"), values[at], wanted_value, wanted)?;
    }
    Ok(())
}

/// The linear congruential generator of `make_reference_cnn.py`; 24 bits at a time.
struct Stream(u32);

impl Stream {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 8
    }
}

/// Softmax cross-entropy of one sample: the loss, and its gradient times `share`.
pub(crate) fn cross_entropy(logits: &[f64], label: usize, share: f64) -> (f64, Vec<f64>) {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - max).exp()).sum();
    let probability = |at: usize| (logits[at] - max).exp() / sum;
    let hit = |at: usize| if at == label { 1.0 } else { 0.0 };
    let gradient = (0..logits.len()).map(|at| share * (probability(at) - hit(at))).collect();
    (sum.ln() + max - logits[label], gradient)
}
