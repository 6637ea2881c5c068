//! Attributions as a user asks for them.

use serde_json::Value;

use crate::shell::{Shell, assert_is_picture, digits};

/// What stands in a result, but for the time it took.
fn timeless(mut json: Value) -> Value {
    for one in json["attributions"].as_array_mut().expect("several methods") {
        one["seconds"] = Value::Null;
    }
    json
}

#[test]
fn a_budget_lowers_the_counts_that_were_not_given_and_says_so() {
    let shell = Shell::new();
    let line = "attribute --data digits --sample 3 --method rise,integrated-gradients,gradient,lime \
                --steps 40 --budget 0.001 --json --out a";
    let json = shell.run(line).json();
    let lowered = json["lowered"].as_array().unwrap();
    let names: Vec<&str> = lowered.iter().map(|l| l["method"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 2, "{lowered:?}");
    assert!(names.contains(&"rise") && names.contains(&"lime"), "{names:?}");
    let rise = lowered.iter().find(|l| l["method"] == "rise").unwrap();
    // So short a time leaves the least.
    assert_eq!((&rise["from"], &rise["to"]), (&"2000 masks".into(), &"100 masks".into()));
    let own = json["attributions"].as_array().unwrap();
    let methods: Vec<&str> = own.iter().map(|a| a["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["rise", "integrated-gradients", "gradient", "lime"], "as they were named");
    assert_eq!(own[0]["parameters"]["samples"], 100);
    assert_eq!(own[1]["parameters"]["steps"], 40, "what was given stays");
    assert_eq!(own[0]["evaluations"], 100);
    let text = shell.run(&line.replace("--json", "")).ok();
    assert!(text.contains("lowered to fit the budget: rise, 2000 masks to 100 masks"), "{text}");
    assert!(text.contains("100 masks") && text.contains("40 steps"), "{text}");
}

#[test]
fn the_same_seed_and_counts_give_the_same_bits_with_a_budget_and_without() {
    let shell = Shell::new();
    let line = "attribute --data digits --sample 3 --method rise,lime,smooth-grad --json --out a";
    let with = timeless(shell.run(&format!("{line} --budget 0.001")).json());
    let mut values = Vec::new();
    for (method, samples) in [("rise", 100), ("lime", 100), ("smooth-grad", 10)] {
        let line = format!(
            "attribute --data digits --sample 3 --method {method} --samples {samples} --json --out a"
        );
        values.push(shell.run(&line).json()["values"].clone());
    }
    let own: Vec<Value> =
        with["attributions"].as_array().unwrap().iter().map(|a| a["values"].clone()).collect();
    assert_eq!(own, values);
}

#[test]
fn a_budget_that_is_long_enough_lowers_nothing() {
    let shell = Shell::new();
    let line = "attribute --data digits --sample 3 --method gradient,smooth-grad --json --out a";
    let with = shell.run(&format!("{line} --budget 1000")).json();
    assert_eq!(with["lowered"], Value::Array(Vec::new()));
    assert_eq!(timeless(with), timeless(shell.run(line).json()));
}

#[test]
fn a_budget_must_be_a_time() {
    let shell = Shell::new();
    for wrong in ["0", "nan", "inf"] {
        let run = shell.run(&format!("attribute --data digits --budget {wrong}"));
        run.fails(2, &["--budget takes a number of seconds above 0"]);
    }
}

#[test]
fn a_class_is_named_by_number_or_label_and_an_unknown_one_is_refused() {
    let shell = Shell::new();
    let json = shell
        .run("attribute --data digits --sample 3 --method gradient --target 7 --json --out a")
        .json();
    assert_eq!(json["target"], 7);
    let run = shell.run("attribute --data digits --sample 3 --target 12");
    run.fails(2, &["--target 12", "classes 0 to 9"]);
    let run = shell.run("attribute --data digits --sample 3 --target seven");
    run.fails(2, &["--target seven", "expected one of the model's labels"]);
    assert_is_picture(&shell.path("a/attribute-gradient-sample-3.png"));
}

/// Test digits as picture files: `FOLDER/NAME.png`.
fn pictures(shell: &Shell, folder: &str, digits_of: &[(usize, &str)]) {
    let test = digits().test;
    std::fs::create_dir_all(shell.path(folder)).unwrap();
    for &(index, name) in digits_of {
        let pixels = test.image(index).to_vec();
        let picture = cutaway::data::Picture::new(28, 28, 1, pixels).unwrap();
        picture.write_png(&shell.path(&format!("{folder}/{name}.png"))).unwrap();
    }
}

#[test]
fn every_picture_of_a_folder_gets_a_sheet_and_the_summary_names_what_is_no_picture() {
    let shell = Shell::new();
    pictures(&shell, "photos", &[(3, "three"), (4, "four"), (5, "five")]);
    shell.write("photos/broken.png", b"no picture");
    shell.write("photos/notes.txt", b"passed over");
    let line = "attribute --images photos --method gradient,rise --samples 10 --out a";
    let run = shell.run(line);
    assert!(run.err.contains("note: left out:") && run.err.contains("broken.png"), "{}", run.err);
    let out = run.ok();
    assert!(out.starts_with("3 of 4 pictures of photos\n"), "{out}");
    for name in ["three", "four", "five"] {
        assert_is_picture(&shell.path(&format!("a/attribute-sheet-{name}.png")));
    }
    let summary: Value = serde_json::from_slice(&shell.read("a/attribute-images.json")).unwrap();
    let images = summary["images"].as_array().unwrap();
    let sources: Vec<&str> = images.iter().map(|i| i["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["photos/five.png", "photos/four.png", "photos/three.png"]);
    assert_eq!(summary["refused"][0]["source"], "photos/broken.png");
    for image in images {
        for one in image["attributions"].as_array().unwrap() {
            assert!(one.get("values").is_none(), "values would fill the memory");
            assert!(one["sum"].is_number());
        }
    }
    // One picture of a folder is what the picture is alone.
    let alone = shell
        .run("attribute --image photos/four.png --method gradient,rise --samples 10 --json --out b")
        .json();
    assert_eq!(images[1]["attributions"][1]["sum"], alone["attributions"][1]["sum"]);
}

#[test]
fn a_folder_keeps_the_values_as_arrays_on_request() {
    let shell = Shell::new();
    pictures(&shell, "photos", &[(3, "three")]);
    let json = shell.run("attribute --images photos --method gradient --npy --json --out a").json();
    let path = json["images"][0]["attributions"][0]["values"].as_str().unwrap();
    assert!(shell.read(path).starts_with(b"\x93NUMPY"));
    assert_is_picture(&shell.path("a/attribute-gradient-three.png"));
}

#[test]
fn a_folder_without_pictures_is_refused() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path("empty")).unwrap();
    shell.run("attribute --images empty").fails(1, &["empty", "no pictures"]);
    shell.run("attribute --images nowhere").fails(1, &["nowhere"]);
    shell.write("empty/a.png", b"no picture");
    shell.run("attribute --images empty --quiet").fails(2, &["none of its 1 pictures can be read"]);
    pictures(&shell, "photos", &[(3, "three")]);
    shell.run("attribute --images photos --sample 3").fails(2, &["--images", "--sample"]);
}

#[test]
fn pictures_of_one_name_get_files_of_their_own() {
    let shell = Shell::new();
    pictures(&shell, "one", &[(3, "digit")]);
    pictures(&shell, "two", &[(4, "digit")]);
    shell
        .run("attribute --image one/digit.png --image two/digit.png --method gradient --out a")
        .ok();
    let files = shell.list("a");
    for name in ["attribute-gradient-digit.png", "attribute-gradient-digit-2.png"] {
        assert!(files.contains(&name.to_owned()), "{files:?}");
    }
}

#[test]
fn a_background_of_pictures_is_what_expected_gradients_and_kernel_shap_compare_with() {
    let shell = Shell::new();
    pictures(&shell, "typical", &[(10, "a"), (11, "b"), (12, "c")]);
    pictures(&shell, "photos", &[(3, "three")]);
    let line = "attribute --image photos/three.png --method expected-gradients,kernel-shap \
                --samples 110 --json --out a";
    let json = shell.run(&format!("{line} --background typical")).json();
    let own = json["attributions"].as_array().unwrap();
    assert_eq!(own[0]["evaluations"], 110 + 3 + 1, "no more than the three pictures are asked");
    assert_eq!(own[1]["parameters"]["baseline"], "background");
    // Another baseline, another sum; what was given wins.
    let zero = shell.run(&format!("{line} --background typical --baseline zero")).json();
    assert_eq!(zero["attributions"][1]["parameters"]["baseline"], "zero");
    assert_ne!(zero["attributions"][1]["expected_sum"], own[1]["expected_sum"]);
    assert!(own[1]["error"].as_f64().unwrap().abs() < 1e-4);
    let alone =
        "attribute --image photos/three.png --method rise --baseline background --samples 5";
    shell.run(alone).fails(2, &["the mean of the background, and none was given"]);
}

#[test]
fn a_bench_takes_pictures_of_sub_folders_named_like_classes_and_keeps_every_value() {
    let shell = Shell::new();
    let test = digits().test;
    let of = |class: usize| (0..test.len()).filter(move |&i| digits().test.label(i) == class);
    for class in [2, 7] {
        let own: Vec<(usize, String)> = of(class).take(2).map(|i| (i, format!("n{i}"))).collect();
        let own: Vec<(usize, &str)> = own.iter().map(|(i, name)| (*i, name.as_str())).collect();
        pictures(&shell, &format!("labelled/{class}"), &own);
    }
    let line = "attribute --bench 3 --data labelled --method gradient,grad-cam --json --out a";
    let json = shell.run(line).json();
    assert_eq!(json["classes"], serde_json::json!([2, 7, 2]), "the classes take turns");
    assert_eq!(json["sources"].as_array().unwrap().len(), 3);
    let kept: Value = serde_json::from_slice(&shell.read("a/attribute-bench.json")).unwrap();
    assert_eq!(kept, json);
    for row in kept["methods"].as_array().unwrap() {
        assert_eq!(row["samples"].as_array().unwrap().len(), 3);
    }
    shell.run("attribute --bench 5 --data labelled").fails(2, &["labelled has 4 pictures"]);
    pictures(&shell, "labelled/zebra", &[(0, "stripes")]);
    let wrong = shell.run("attribute --bench 1 --data labelled --method gradient");
    wrong.fails(2, &["sub-folder zebra", "expected one of the model's labels"]);
}
