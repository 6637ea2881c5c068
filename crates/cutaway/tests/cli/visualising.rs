//! Feature visualisation as a user asks for it.

use serde_json::Value;

use crate::shell::{Shell, assert_is_picture};

/// The images of a run without what takes a different time each run.
fn timeless(mut json: Value) -> Value {
    json["seconds"] = Value::Null;
    json
}

#[test]
fn all_classes_of_the_builtin_model_are_driven_far_above_the_mean_of_the_data() {
    let shell = Shell::new();
    let json = shell.run("visualise --data digits --steps 60 --examples 3 --out v --json").json();
    let targets = json["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 10);
    for target in targets {
        let image = &target["images"][0];
        let reached = image["activation"].as_f64().unwrap();
        let examples = &target["examples"];
        let of = |key: &str| examples[key].as_f64().unwrap();
        // The very strongest images of a class are hard to beat in sixty steps.
        assert!(reached > of("mean") + 2.0 * of("deviation"), "{target}");
        assert_eq!(image["curve"].as_array().unwrap().len(), 60);
        assert_eq!(image["predicted"], target["target"]["channel"], "{target}");
        assert_eq!(examples["images"], 60);
        assert_is_picture(&shell.path(image["picture"].as_str().unwrap()));
    }
    for name in ["visualise-classes", "visualise-classes-steps"] {
        assert_is_picture(&shell.path(&format!("v/{name}.png")));
        assert_is_picture(&shell.path(&format!("v/{name}.svg")));
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_whatever_the_threads_and_another_gives_others() {
    let shell = Shell::new();
    let line = "visualise --layer relu3 --channel 5 --steps 8 --diversity 2 --data digits --npy";
    let run = |more: &str| timeless(shell.run(&format!("{line} {more} --json")).json());
    let one = run("--out a --threads 1");
    let array = shell.read("a/visualise-relu3-channel-5-1.npy");
    assert_eq!(one, run("--out a --threads 2"));
    assert_eq!(array, shell.read("a/visualise-relu3-channel-5-1.npy"));
    run("--out b --seed 2");
    assert_ne!(array, shell.read("b/visualise-relu3-channel-5-1.npy"));
    assert_eq!(array.len(), 128 + 4 * 28 * 28);
}

#[test]
fn channels_units_and_directions_are_named_and_the_most_interesting_chosen() {
    let shell = Shell::new();
    let few = "--steps 3 --data digits --limit 20 --out v";
    let chosen = shell.run(&format!("visualise --layer relu3 {few}"));
    assert!(chosen.err.contains("of 64 channels the 9 are shown that vary most"), "{}", chosen.err);
    let out = chosen.ok();
    assert_eq!(out.matches("\n  channel ").count(), 9, "{out}");
    let unit = shell.run(&format!("visualise --layer relu3 --channel 2,7 --unit 3,4 {few}")).ok();
    assert!(unit.contains("channel 7 at (3, 4)"), "{unit}");
    shell.write("direction.npy", direction(&[0., 0., 0., 1., 0., 0., 0., 0., -1., 0.]));
    let line = format!("visualise --direction direction.npy --minimise {few} --json");
    let json = shell.run(&line).json();
    let target = &json["targets"][0];
    assert_eq!(target["name"], "direction");
    let curve = target["images"][0]["curve"].as_array().unwrap();
    assert!(curve[2].as_f64() < curve[0].as_f64(), "{curve:?}");
}

/// NumPy's file of a vector.
fn direction(values: &[f64]) -> Vec<u8> {
    let mut header =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({},), }}", values.len());
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    bytes
}

#[test]
fn a_folder_of_pictures_gives_the_examples_and_every_parametrisation_works() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path("folder")).unwrap();
    for i in 0..2 {
        shell.picture(&format!("folder/{i}.png"), [30 + i, 40, 3]);
    }
    // As for every folder of pictures: other formats are taken, hidden files are passed over.
    shell.write("folder/2.pgm", b"P5 2 2 255\n\x00\x40\x80\xff");
    shell.write("folder/.3.png", b"no picture");
    for kind in ["fourier", "pixel", "maco"] {
        let line = format!(
            "visualise --class 3 --images folder --parametrise {kind} --steps 2 --size 40 --json"
        );
        let json = shell.run(&line).json();
        let target = &json["targets"][0];
        assert_eq!(target["images"][0]["shape"], serde_json::json!([1, 40, 40]));
        assert_eq!(target["examples"]["images"], 3);
        assert_eq!(target["examples"]["most"][0]["source"].as_str().unwrap().len(), 5);
    }
}

#[test]
fn bad_flags_are_refused_with_what_would_do() {
    let shell = Shell::new();
    let refused = |flags: &str, words: &[&str]| {
        shell.run(&format!("visualise --data digits {flags} --out none")).fails(2, words);
    };
    refused("--channel 3", &["--layer"]);
    refused("--layer relu3 --class 4", &["--class goes without"]);
    refused("--layer relu3 --channel 64", &["channel 64 is out of range", "0 to 63"]);
    refused("--layer relu3 --channel 3 --unit 9,9", &["out of range", "rows 0 to 7"]);
    refused("--layer relu3 --channel 3 --unit 9", &["ROW,COL"]);
    refused("--layer nowhere", &["nowhere"]);
    refused("--class eleven", &["--class eleven"]);
    refused("--steps 0", &["--steps"]);
    refused("--diversity 17", &["--diversity"]);
    refused("--size 4", &["8 to 2048"]);
    refused("--parametrise wavelet", &["fourier, pixel, maco"]);
    refused("--limit 0", &["1 to 60"]);
    shell.write("short.npy", direction(&[1.0, 2.0]));
    refused("--direction short.npy", &["has 2 values"]);
    shell.write("text.npy", "not an array");
    refused("--direction text.npy", &["text.npy", "NumPy"]);
    std::fs::create_dir(shell.path("empty")).unwrap();
    shell.run("visualise --images empty --out none").fails(1, &["empty", "no pictures"]);
    shell.run("visualise --images nowhere --out none").fails(1, &["nowhere"]);
    assert_eq!(shell.list("none"), Vec::<String>::new());
}
