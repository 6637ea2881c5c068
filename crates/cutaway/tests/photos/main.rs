//! Networks from elsewhere and photographs. Needs `CUTAWAY_TEST_DATA`.

mod foreign;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn cutaway(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutaway"));
    command.args(args).args(["--offline", "--quiet"]).output().expect("the program starts")
}

/// The one JSON object that a command prints.
fn json(args: &[&str]) -> Value {
    let output = cutaway(&[args, &["--json"]].concat());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn data() -> Option<PathBuf> {
    let data = std::env::var_os("CUTAWAY_TEST_DATA").map(PathBuf::from);
    if data.is_none() {
        println!("skipped: CUTAWAY_TEST_DATA is not set");
    }
    data
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_photograph_is_classified_as_what_it_shows() {
    let Some(data) = data() else { return };
    let model = data.join("onnx/mobilenet_v2_f32_from_int8.onnx");
    for (photo, expected) in [("bald_eagle.jpg", "bald eagle"), ("goldfish.jpg", "goldfish")] {
        let photo = data.join("photos").join(photo);
        let with = ["--preprocess", "imagenet-torch", "--labels", "imagenet"];
        let args = [&["predict", "--model", text(&model), text(&photo)][..], &with].concat();
        let said = json(&args);
        assert_eq!(said[0]["predicted"], expected);
        assert_eq!(said[0]["preprocessing"]["fit"], json!({ "crop": 256 }));
        // Without a rule for its size the photograph is refused, with advice.
        let refused = cutaway(&["predict", "--model", text(&model), text(&photo)]);
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success());
        for part in ["assumed", "--preprocess", "224×224"] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn photographs_get_the_probabilities_that_torchvision_and_onnx_runtime_give_them() {
    let Some(data) = data() else { return };
    let Some(python) = std::env::var_os("CUTAWAY_PYTHON") else {
        return println!("skipped: CUTAWAY_PYTHON is not set");
    };
    let model = data.join("onnx/mobilenet_v2_f32_from_int8.onnx");
    let photos = std::fs::read_dir(data.join("photos")).unwrap().map(|file| file.unwrap().path());
    let mut photos: Vec<PathBuf> =
        photos.filter(|file| file.extension().is_some_and(|e| e == "jpg")).collect();
    photos.sort();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let script = fixtures.join("torchvision_predict.py");
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(python);
    let theirs = command.arg(script).args([&model, folder.path()]).args(&photos).output().unwrap();
    assert!(theirs.status.success(), "{}", String::from_utf8_lossy(&theirs.stderr));
    let theirs: Vec<Vec<f64>> = serde_json::from_slice(&theirs.stdout).unwrap();
    // From the pixels that Pillow has decoded everything is the same; decoders of JPEG round differently.
    let decoded =
        photos.iter().map(|p| folder.path().join(p.file_name().unwrap()).with_extension("png"));
    let decoded: Vec<PathBuf> = decoded.collect();
    for (photos, tolerance) in [(&decoded, 1e-4), (&photos, 2e-2)] {
        let with = ["predict", "--model", text(&model), "--preprocess", "imagenet-torch"];
        let files = photos.iter().map(|photo| text(photo));
        let ours = json(&with.into_iter().chain(files).collect::<Vec<_>>());
        let ours = ours.as_array().unwrap();
        assert_eq!((theirs.len(), ours.len()), (photos.len(), photos.len()));
        for ((photo, theirs), ours) in photos.iter().zip(&theirs).zip(ours) {
            let ours: Vec<f64> = serde_json::from_value(ours["probabilities"].clone()).unwrap();
            let top = |row: &[f64]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
            assert_eq!(top(&ours), top(theirs), "{}", photo.display());
            let differences = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
            let worst = differences.fold(0.0, f64::max);
            assert!(worst < tolerance, "{}: {worst}", photo.display());
        }
    }
}

#[test]
fn the_picture_stands_beside_what_the_network_is_shown() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let model = data.join("onnx/light_squeezenet.onnx");
    let photo = data.join("photos/dog_cat.jpg");
    let with = ["--model", text(&model), "--preprocess", "imagenet-torch", text(&photo)];
    let said = json(&[&["predict", "--out", text(folder.path())][..], &with].concat());
    let picture = PathBuf::from(said[0]["picture"].as_str().unwrap());
    assert_eq!(picture, folder.path().join("input-dog_cat.png"));
    let drawn = cutaway::data::Picture::read(&picture).unwrap();
    assert!(drawn.width > 600 && drawn.height > 300, "{}×{}", drawn.width, drawn.height);
    let svg = std::fs::read_to_string(picture.with_extension("svg")).unwrap();
    for words in ["the frame is what", "centre crop to 224×224", "what the network is shown"] {
        assert!(svg.contains(words), "{words}");
    }
    // This network has constant weights.
    let output = cutaway(&[&["predict"][..], &with].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("does not depend on the picture"), "{said}");
}

/// A detector of faces, `scores` [4420, 2] and `boxes` [4420, 4], and a photograph with one face.
fn detector(data: &Path) -> (String, String) {
    let of = |path: &str| text(&data.join(path)).to_owned();
    (of("onnx/ultraface-rfb-320.onnx"), of("photos/grace_hopper.jpg"))
}

/// As the detector's authors prepare pictures: stretched to 240×320, (raw − 127) / 128.
const DETECTOR: [&str; 8] = [
    "--preprocess",
    "resize=stretch",
    "--preprocess",
    "scale=1",
    "--preprocess",
    "mean=127",
    "--preprocess",
    "std=128",
];

#[test]
fn a_detector_answers_at_the_place_that_the_photograph_speaks_for() {
    let Some(data) = data() else { return };
    let (model, photo) = detector(&data);
    let folder = tempfile::tempdir().unwrap();
    let on = ["--model", &model, "--image", &photo];
    let out = ["--out", text(folder.path())];
    let run = |verb: &[&str]| json(&[verb, &on, &DETECTOR].concat());
    let said = run(&["predict"]);
    let answer = said[0]["answer"].as_str().unwrap().to_owned();
    assert_eq!(said[0]["predicted"], "1", "a face is found");
    assert!(said[0]["probability"].as_f64().unwrap() > 0.9);
    let place = answer.strip_prefix("scores[").and_then(|a| a.split_once(']')).unwrap().0;
    // The same place by its name, for every verb.
    let named = format!("scores:{place}");
    let asked = run(&["predict", "--answer", &named]);
    assert_eq!(asked, said);
    let maps = run(&[&["maps"][..], &out].concat());
    assert_eq!(maps["answer"], answer.as_str());
    let covered = run(&[&["occlude", "--patch", "60", "--stride", "60"][..], &out].concat());
    assert_eq!(covered["classes"].as_array().unwrap().len(), 2);
    let explained = run(&[&["attribute", "--method", "gradient"][..], &out].concat());
    assert_eq!(explained["answer"], answer.as_str());
    // Face and background of another place.
    let other = run(&["predict", "--answer", "scores:0"]);
    assert_eq!(
        (other[0]["answer"].as_str(), &other[0]["predicted"]),
        (Some("scores[0].probabilities"), &json!("0"))
    );
    let boxes = run(&["predict", "--answer", &format!("boxes:{place}")]);
    assert_eq!(boxes[0]["probabilities"].as_array().unwrap().len(), 4);
    let labels = folder.path().join("labels.txt");
    std::fs::write(&labels, "nothing\nface\n").unwrap();
    let labelled = run(&["predict", "--labels", text(&labels)]);
    assert_eq!(labelled[0]["predicted"], "face");
}

#[test]
fn an_answer_that_is_not_there_is_refused_with_the_outputs() {
    let Some(data) = data() else { return };
    let (model, photo) = detector(&data);
    for (answer, parts) in [
        ("score:3", &["'scores' [4420, 2]", "'boxes' [4420, 4]"][..]),
        ("scores", &["[4420, 2]", "scores:0"]),
        ("scores:4420", &["positions 0 to 4419"]),
        ("scores:a", &["no position"]),
        ("scores:1,2", &["has 1 position(s), not 2"]),
    ] {
        let with = ["--model", &model, "--answer", answer, &photo];
        let refused = cutaway(&[&["predict"][..], &with, &DETECTOR].concat());
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{message}");
        parts.iter().for_each(|part| assert!(message.contains(part), "{message}"));
    }
    // Without an image there is no place to find.
    let refused = cutaway(&["evaluate", "--data", "strokes", "--model", &model]);
    assert!(!refused.status.success());
}

#[test]
fn preprocessing_that_does_not_fit_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pre.toml");
    std::fs::write(&file, "scale = 1.0\nmeen = [0.5]\n").unwrap();
    let labels = folder.path().join("labels.txt");
    std::fs::write(&labels, "one\ntwo\n").unwrap();
    for (args, part) in [
        (["--preprocess", "imagenet-torch"], "3 channel(s)"),
        (["--preprocess", "nothing"], "imagenet-tf"),
        (["--preprocess", text(&file)], "meen"),
        (["--labels", text(&labels)], "10 classes"),
    ] {
        let refused = cutaway(&[&["predict", "--data", "strokes"][..], &args].concat());
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{message}");
        assert!(message.contains(part), "{message}");
    }
}
