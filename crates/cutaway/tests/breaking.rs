//! `cutaway shift` and `cutaway corrupt` as a user types them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn cutaway(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cutaway"))
        .args(args)
        .args(["--offline", "--threads", "2"])
        .current_dir(folder)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A picture file of a bar, `side` × `side`.
fn bar(folder: &Path, side: usize) -> String {
    let pixels = (0..side * side).map(|i| {
        let (row, column) = (i / side, i % side);
        let inside = (side / 6..side - side / 6).contains(&row) && column.abs_diff(side / 2) < 2;
        if inside { 255 } else { 0 }
    });
    let picture = cutaway::data::Picture::new(side, side, 1, pixels.collect()).unwrap();
    let name = format!("bar-{side}.png");
    picture.write_png(&folder.join(&name)).unwrap();
    name
}

#[test]
fn an_image_file_is_shifted_without_any_data_set() {
    let folder = tempfile::tempdir().unwrap();
    let image = bar(folder.path(), 28);
    let flags = ["shift", "--image", &image, "--no-curve", "--dx=-2.5,0,4", "--dy=1", "--json"];
    let found = json(&cutaway(folder.path(), &flags));
    let rows = found["rows"].as_array().unwrap();
    let shifts: Vec<_> =
        rows.iter().map(|r| (r["dx"].as_f64().unwrap(), r["dy"].as_f64().unwrap())).collect();
    assert_eq!(shifts, [(0.0, 0.0), (-2.5, 1.0), (0.0, 1.0), (4.0, 1.0)]);
    for row in rows {
        let [p, p_true] = ["probability", "p_true"].map(|name| row[name].as_f64().unwrap());
        assert!((0.0..=1.0).contains(&p_true) && p_true <= p && row["predicted"].is_u64());
    }
    assert_eq!(rows[0]["predicted"], found["class"], "of an unknown class the prediction counts");
    assert_eq!(found["grid"]["p_true"].as_array().unwrap().len(), 21);
    assert_eq!(found["grid"]["p_true"][10][10], rows[0]["p_true"]);
    assert_eq!(found["curve"].as_array().unwrap().len(), 0);
    assert_eq!((&found["sample"], &found["dataset"]), (&Value::Null, &Value::Null));
    assert_eq!(found["model"], "builtin");
    for picture in found["pictures"].as_array().unwrap() {
        let png = std::fs::read(folder.path().join(picture.as_str().unwrap())).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
    }
}

#[test]
fn the_table_names_what_was_done() {
    let folder = tempfile::tempdir().unwrap();
    let image = bar(folder.path(), 28);
    let flags = ["shift", "--image", &image, "--no-curve", "--rotate=-30", "--scale", "0.5"];
    let output = cutaway(folder.path(), &flags);
    let said = text(&output.stdout);
    for part in
        ["as it is", "turned 30° anticlockwise", "scaled 0.5 times", "441 shifts", "nearest"]
    {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    assert!(!said.contains("published"), "that is another case");
}

#[test]
fn wrong_flags_are_refused_with_the_range_and_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let image = bar(folder.path(), 28);
    let cases: [(&[&str], &str); 13] = [
        (&["shift", "--dx=nan"], "NaN is out of range"),
        (&["shift", "--dy=1e9"], "-10000 to 10000"),
        (&["shift", "--rotate=400"], "-360 to 360"),
        (&["shift", "--scale=0"], "0.05 to 20"),
        (&["shift", "--shear=-85"], "-80 to 80"),
        (&["shift", "--fill-mode", "mirror"], "nearest, constant, reflect or wrap"),
        (&["shift", "--cval", "3"], "--fill-mode constant"),
        (&["shift", "--fill-mode", "constant", "--cval=-1"], "0 to 255"),
        (&["shift", "--range", "0"], "1 to 50"),
        (&["shift", "--range", "51"], "1 to 50"),
        (&["shift", "--no-curve", "--image", &image, "--image", &image], "one image, and 2"),
        (&["corrupt", "--only", "frost"], "shot_noise, impulse_noise"),
        (&["shift", "--dx=three"], "invalid value"),
    ];
    for (flags, expected) in cases {
        let output = cutaway(folder.path(), flags);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {said}");
        assert!(said.contains(expected), "{flags:?}: {said}");
        assert!(output.stdout.is_empty());
    }
    let large = bar(folder.path(), 40);
    let output = cutaway(folder.path(), &["shift", "--no-curve", "--image", &large]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--resize"), "{}", text(&output.stderr));
    assert!(!folder.path().join("cutaway-out").exists());
}

/// A data set of two classes, bars and nothing, in a folder of pictures.
fn bars(folder: &Path) -> String {
    for (part, class) in [("train", "0"), ("train", "1"), ("test", "0"), ("test", "1")] {
        let place = folder.join("bars").join(part).join(class);
        std::fs::create_dir_all(&place).unwrap();
        for i in 0..3 {
            let ink = |p: usize| class == "1" && p % 28 == 13 && (4 + i..24).contains(&(p / 28));
            let pixels = (0..784).map(|p| if ink(p) { 255 } else { 0 }).collect();
            let picture = cutaway::data::Picture::new(28, 28, 1, pixels).unwrap();
            picture.write_png(&place.join(format!("{i}.png"))).unwrap();
        }
    }
    "bars".to_owned()
}

#[test]
fn curves_and_corruptions_are_measured_on_the_data_set() {
    let folder = tempfile::tempdir().unwrap();
    let data = bars(folder.path());
    let flags = ["shift", "--data", &data, "--digit", "1", "--scale", "0.55", "--json"];
    let found = json(&cutaway(folder.path(), &flags));
    assert_eq!((&found["label"], &found["sample"]), (&1.into(), &3.into()));
    let curves = found["curve"].as_array().unwrap();
    assert_eq!((curves.len(), &curves[0]["parameter"]), (1, &"scale".into()));
    let points = curves[0]["points"].as_array().unwrap();
    assert_eq!((points.len(), &points[1]["value"]), (12, &0.55.into()), "beside the usual ones");
    assert!(points.iter().all(|p| p["correct"].as_u64().unwrap() <= 6));

    let names = ["shot-noise", "fog", "shot_noise"];
    let flags = ["corrupt", "--data", &data, "--seed", "5", "--json", "--limit", "5", "--only"];
    let found = json(&cutaway(folder.path(), &[&flags[..], &names].concat()));
    let rows = found["rows"].as_array().unwrap();
    let which: Vec<&str> = rows.iter().map(|r| r["corruption"].as_str().unwrap()).collect();
    assert_eq!(which, ["shot_noise", "fog"], "each once");
    for row in rows {
        assert_eq!((&row["count"], &row["clean_accuracy"]), (&5.into(), &found["clean_accuracy"]));
        let share = row["correct"].as_f64().unwrap() / 5.0;
        assert!((row["accuracy"].as_f64().unwrap() - share).abs() < 1e-12);
    }
    assert_eq!((&found["seed"], &found["dataset"]), (&5.into(), &"bars".into()));
    assert!(folder.path().join("cutaway-out/corruptions.png").exists());
}

#[test]
fn what_the_data_set_lacks_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let data = bars(folder.path());
    let cases: [(&[&str], &str); 5] = [
        (&["shift", "--sample", "6"], "samples 0 to 5"),
        (&["shift", "--digit", "2"], "classes 0 to 1"),
        (&["shift", "--limit", "7"], "give 1 to 6"),
        (&["corrupt", "--limit", "0"], "give 1 to 6"),
        (&["shift", "--sample", "0", "--sample", "1"], "one image, and 2"),
    ];
    for (flags, expected) in cases {
        let output = cutaway(folder.path(), &[flags, &["--data", &data]].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {said}");
        assert!(said.contains(expected), "{flags:?}: {said}");
    }
    // Black pictures are no zeros to the network.
    let output = cutaway(folder.path(), &["shift", "--digit", "0", "--data", &data]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no sample of this class"), "{}", text(&output.stderr));
    assert!(!folder.path().join("cutaway-out").exists());
}
