//! Every model of the data's folder `onnx` under the verbs that look at one picture.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{DETECTOR, data, text};

const METHODS: [&str; 5] = ["gradient", "guided-backprop", "deeplift", "lrp", "grad-cam"];

/// A model from elsewhere: how it is asked, and what is known of it.
struct Foreign<'a> {
    name: &'a str,
    preprocess: &'a [&'a str],
    /// A photograph, or the folder of digits.
    shown: &'a str,
    params: u64,
    input: [u64; 3],
    classes: usize,
    /// The last maps before the answer, of which there are few numbers to write, and their sizes.
    layer: &'a str,
    maps: [u64; 3],
}

/// All of them, by name. Those called light have constant weights, but sizes and operators are the real ones'.
fn foreign() -> [Foreign<'static>; 8] {
    let photo = |name, params, layer, maps| Foreign {
        name,
        preprocess: &["--preprocess", "imagenet-torch"],
        shown: "photos/dog_cat.jpg",
        params,
        input: [3, 224, 224],
        classes: 1000,
        layer,
        maps,
    };
    let digit = |name, preprocess, params, layer, maps| Foreign {
        name,
        preprocess,
        shown: "mnist",
        params,
        input: [1, 28, 28],
        classes: 10,
        layer,
        maps,
    };
    let detector = Foreign {
        name: "ultraface-rfb-320",
        preprocess: &DETECTOR,
        shown: "photos/grace_hopper.jpg",
        params: 300_408,
        input: [3, 240, 320],
        classes: 2,
        layer: "402",
        maps: [256, 8, 10],
    };
    [
        photo("light_inception_v1", 6_998_552, "n137", [1024, 6, 6]),
        photo("light_resnet50", 25_610_152, "n171", [2048, 7, 7]),
        photo("light_squeezenet", 1_235_496, "n63", [1000, 13, 13]),
        photo("light_vgg19", 143_667_240, "n36", [512, 7, 7]),
        digit("mnist-burn", &["--preprocess", "mnist"], 376_938, "/Relu_2", [24, 22, 22]),
        digit("mnist-cntk-8", &["--preprocess", "raw255"], 5_994, "Pooling160", [16, 4, 4]),
        photo("mobilenet_v2_f32_from_int8", 3_487_816, "node_Conv_912_quant_f32", [1280, 7, 7]),
        detector,
    ]
}

impl Foreign<'_> {
    /// What it answers to `verb` about its picture.
    fn asked(&self, data: &Path, verb: &[&str]) -> Value {
        let model = data.join("onnx").join(self.name).with_extension("onnx");
        let shown = data.join(self.shown);
        let picture = match (verb[0], self.shown) {
            ("summary", _) => &[][..],
            (_, "mnist") => &["--data", text(&shown), "--sample", "0"],
            ("predict", _) => &[text(&shown)],
            _ => &["--image", text(&shown)],
        };
        crate::json(&[verb, &["--model", text(&model)], self.preprocess, picture].concat())
    }

    fn is_summed_up(&self, summary: &Value) {
        let layers = summary["layers"].as_array().unwrap();
        assert_eq!(layers[0]["output_shape"], json!(self.input), "{}", self.name);
        assert_eq!(summary["total_params"], self.params, "{}", self.name);
        let params = layers.iter().map(|layer| layer["params"].as_u64().unwrap());
        assert_eq!(params.sum::<u64>(), self.params, "{}", self.name);
    }

    /// The probability of the class predicted, which every verb has to find again.
    fn is_asked(&self, said: &Value) -> f64 {
        let probabilities = self.distribution(&said["probabilities"]);
        let most = probabilities.iter().copied().fold(0.0, f64::max);
        assert_eq!(said["probability"], most, "{}", self.name);
        if self.shown == "mnist" {
            assert_eq!(said["predicted"], said["label"], "{}", self.name);
        }
        most
    }

    fn is_opened(&self, opened: &Value) -> f64 {
        let [layer] = &opened["layers"].as_array().unwrap()[..] else { panic!("one layer") };
        let sizes = json!([layer["channels"], layer["height"], layer["width"]]);
        assert_eq!((&layer["layer"], sizes), (&json!(self.layer), json!(self.maps)));
        let values = numbers(&layer["images"][0]["values"]);
        assert_eq!(values.len() as u64, self.maps.iter().product::<u64>(), "{}", self.name);
        let scale = layer["min"].as_f64().unwrap()..=layer["max"].as_f64().unwrap();
        assert!(values.iter().all(|value| scale.contains(value)), "{}: {scale:?}", self.name);
        opened["samples"][0]["probability"].as_f64().unwrap()
    }

    /// Windows of half the height at every quarter.
    fn is_covered(&self, covered: &Value) -> f64 {
        let [_, height, width] = self.input;
        let places = [height, width].map(|side| (side - height / 2) / (height / 4) + 1);
        let grid = &covered["grid"];
        assert_eq!(json!([grid["rows"], grid["cols"]]), json!(places), "{}", self.name);
        let rows = covered["rows"].as_array().unwrap();
        assert_eq!(rows.len() as u64, places[0] * places[1], "{}", self.name);
        rows.iter().for_each(|row| drop(self.distribution(&row["probabilities"])));
        let wrong = rows.iter().filter(|row| row["predicted"] != covered["truth"]).count();
        assert_eq!(covered["wrong"], wrong, "{}", self.name);
        covered["clean"]["p_predicted"].as_f64().unwrap()
    }

    fn is_explained(&self, explained: &Value) -> f64 {
        let results = explained["attributions"].as_array().unwrap();
        assert_eq!(results.len(), METHODS.len(), "{}", self.name);
        for (result, method) in results.iter().zip(METHODS) {
            let what = format!("{}, {method}", self.name);
            assert!(result["method"].as_str().unwrap().starts_with(method), "{what}");
            let sizes = if method == "grad-cam" { &self.input[1..] } else { &self.input };
            assert_eq!(result["shape"], json!(sizes), "{what}");
            let values = numbers(&result["values"]).len() as u64;
            assert_eq!(values, sizes.iter().product::<u64>(), "{what}");
            assert!(result["sum"].as_f64().unwrap().is_finite(), "{what}");
            // These two are complete: what is missing is rounding beside what they explain.
            if ["deeplift", "lrp"].contains(&method) {
                let error = result["error"].as_f64().unwrap().abs();
                let scale = result["expected_sum"].as_f64().unwrap().abs().max(1.0);
                assert!(error < 1e-3 * scale, "{what}: error {error} of {scale}");
            }
        }
        results[0]["probability"].as_f64().unwrap()
    }

    /// Probabilities of all classes, which sum to 1.
    fn distribution(&self, probabilities: &Value) -> Vec<f64> {
        let probabilities = numbers(probabilities);
        let sum: f64 = probabilities.iter().sum();
        assert_eq!(probabilities.len(), self.classes, "{}", self.name);
        assert!((sum - 1.0).abs() < 1e-5, "{}: the sum is {sum}", self.name);
        probabilities
    }
}

/// A list of numbers, none of which is NaN or infinite: JSON has `null` for those.
fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().expect("finite")).collect()
}

#[test]
fn every_foreign_model_is_summed_up_asked_opened_covered_and_explained() {
    let Some(data) = data() else { return };
    let files = std::fs::read_dir(data.join("onnx")).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|e| e == "onnx")).collect();
    files.sort();
    let known = foreign().map(|model| data.join("onnx").join(model.name).with_extension("onnx"));
    assert_eq!(files, known, "every model of the folder has its line here");
    for model in foreign() {
        let folder = tempfile::tempdir().unwrap();
        let out = ["--out", text(folder.path())];
        let asked = |verb: &[&str]| model.asked(&data, verb);
        model.is_summed_up(&asked(&["summary"]));
        let probability = model.is_asked(&asked(&["predict"])[0]);
        let opened = asked(&[&["maps", "--layer", model.layer][..], &out].concat());
        let [patch, stride] = [2, 4].map(|part| (model.input[1] / part).to_string());
        let windows = ["occlude", "--patch", &patch, "--stride", &stride];
        let covered = asked(&[&windows[..], &out].concat());
        let methods = METHODS.join(",");
        let explained = asked(&[&["attribute", "--method", &methods][..], &out].concat());
        for again in
            [model.is_opened(&opened), model.is_covered(&covered), model.is_explained(&explained)]
        {
            assert!((again - probability).abs() < 1e-6, "{}: {again}, {probability}", model.name);
        }
        if model.shown == "photos/dog_cat.jpg" {
            assert_eq!(covered["preprocessing"]["std"][0], json!(0.229_f32));
        }
    }
}
