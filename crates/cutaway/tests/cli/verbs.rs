//! Every verb doing its work.

use serde_json::Value;

use crate::shell::{Shell, assert_is_picture, digits};

#[track_caller]
fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {value}"))
}

#[test]
fn a_study_trains_and_writes_a_page_results_a_model_figures_and_tables() {
    let shell = Shell::new();
    let run = shell.run("study --data digits --epochs 2 --batch-size 50 --out report");
    assert!(run.err.contains("training the reference CNN (140598 parameters)"), "{}", run.err);
    assert_eq!(run.err.matches("\nepoch ").count(), 2, "a line an epoch: {}", run.err);
    let out = run.ok();
    assert!(out.starts_with("Test accuracy ") && out.contains("report/index.html"), "{out}");
    assert_eq!(out.lines().count(), 2, "{out}");

    let page = String::from_utf8(shell.read("report/index.html")).unwrap();
    assert!(page.ends_with("</html>\n"));
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains(" src=\""));
    let (contents, chapters) = (page.matches("<li><a href=\"#c").count(), "<section id=\"c");
    assert_eq!(contents, page.matches(chapters).count(), "every chapter is in the contents");
    // What opens at a click are details of the figure above it, which has the command.
    let figures = page.matches("<figcaption>").count();
    assert!(figures >= 20, "{figures}");
    let commands = page.matches("<code>cutaway ").count();
    assert_eq!(commands, figures + 1, "a command under every figure, and one for the page");

    let results: Value = serde_json::from_slice(&shell.read("report/results.json")).unwrap();
    for key in ["model", "model_hash", "dataset", "dataset_hash", "seed", "network", "training"] {
        assert!(!results[key].is_null(), "{key}");
    }
    assert_eq!(results["training"]["epochs"].as_array().unwrap().len(), 2);
    for name in ["network", "loss", "accuracy", "confusion", "reliability", "mistakes"] {
        assert_is_picture(&shell.path(&format!("report/{name}.png")));
        assert_is_picture(&shell.path(&format!("report/{name}.svg")));
    }
    let confusion = String::from_utf8(shell.read("report/confusion.csv")).unwrap();
    assert_eq!(confusion.lines().count(), 11, "{confusion}");
    assert!(confusion.starts_with("true class,0,1,2,3,4,5,6,7,8,9\n"), "{confusion}");

    // The model needs no flags, and gives the accuracy that the study says.
    let again = shell.run("evaluate --model report/model.onnx --data digits --json").json();
    assert_eq!(again["accuracy"], results["evaluation"]["accuracy"]);
    assert_eq!(again["model_hash"], results["model_hash"]);
}

#[test]
fn the_commands_under_the_figures_make_the_same_pictures() {
    let shell = Shell::new();
    let study = "study --data digits --epochs 1 --batch-size 50 --seed 3 --out report";
    shell.run(study).ok();
    let page = String::from_utf8(shell.read("report/index.html")).unwrap();
    let page = page.replace("<span>", "").replace("</span>", "");
    let mut commands: Vec<&str> = page
        .split("<code>cutaway ")
        .skip(1)
        .map(|rest| rest.split_once("</code>").expect("an end").0)
        // The verbs that draw `names` below; a second training would take longer than all of them.
        .filter(|command| {
            ["summary ", "evaluate ", "filters "].iter().any(|v| command.starts_with(v))
        })
        .collect();
    commands.dedup();
    // The seed may draw the data: whatever asks for data names it.
    let all = page.split("<code>cutaway ").skip(1);
    for asks in all.map(|rest| rest.split_once("</code>").expect("an end").0) {
        assert_eq!(asks.contains("--data "), asks.contains("--seed 3"), "{asks}");
        assert!(asks.contains("--out report"), "{asks}");
    }
    assert!(commands.len() >= 3, "{commands:?}");
    let names = ["network", "confusion", "reliability", "mistakes", "filters-conv1"];
    let before: Vec<Option<Vec<u8>>> = names
        .iter()
        .map(|name| std::fs::read(shell.path(&format!("report/{name}.svg"))).ok())
        .collect();
    for command in commands {
        shell.run(command).ok();
    }
    for (name, before) in names.iter().zip(before) {
        let after = shell.read(&format!("report/{name}.svg"));
        assert!(before.is_none_or(|before| before == after), "{name}");
    }
}

#[test]
fn a_study_of_a_model_trains_nothing() {
    let shell = Shell::new();
    let run = shell.run("study --model builtin --data digits --json --out report");
    assert_eq!(run.err, "");
    let results = run.json();
    assert!(results["training"].is_null());
    assert_eq!(results["model"], "builtin");
    assert!(number(&results["evaluation"], "accuracy") > 0.9, "the model in the box reads digits");
    assert!(!shell.list("report").contains(&"checkpoint.safetensors".to_owned()));
}

#[test]
fn without_mnist_and_without_network_auto_takes_strokes_and_says_so() {
    let shell = Shell::new();
    let run = shell.run("data show --offline --count 4 --out sheet.png");
    assert!(
        run.err.starts_with("note: using strokes") && run.err.contains("offline"),
        "{}",
        run.err
    );
    assert!(run.ok().starts_with("strokes: 60000 training and 10000 test images of 28×28"));
    assert_is_picture(&shell.path("sheet.png"));
}

#[test]
fn training_says_its_progress_on_standard_error_and_its_result_on_standard_output() {
    let shell = Shell::new();
    let line = "train --data digits --recipe reference --epochs 2 --batch-size 50 --seed 5 --json";
    let run = shell.run(line);
    assert_eq!(run.err.matches("\nepoch ").count(), 2, "{}", run.err);
    let json = run.json();
    assert_eq!(json["dataset"], "digits");
    assert_eq!(json["recipe"], "reference");
    assert_eq!(json["seed"], 5);
    assert_eq!(json["model"], "cutaway-out/model.onnx");
    assert!((0.0..=1.0).contains(&number(&json, "test_accuracy")));
    let epochs = json["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), 2);
    for (epoch, place) in epochs.iter().zip(1..) {
        assert_eq!(epoch["epoch"], place);
        for key in ["train_loss", "seconds", "images_per_second"] {
            assert!(number(epoch, key) > 0.0, "{key}: {epoch}");
        }
    }
    let metrics = String::from_utf8(shell.read("cutaway-out/metrics.csv")).unwrap();
    assert!(metrics.starts_with("epoch,train_loss,") && metrics.lines().count() == 3, "{metrics}");
    let kept: Value = serde_json::from_slice(&shell.read("cutaway-out/train.json")).unwrap();
    assert_eq!(kept, json);
    assert_is_picture(&shell.path("cutaway-out/loss.svg"));

    let quiet = shell.run(&format!("{line} --quiet"));
    assert_eq!(quiet.err, "");
    assert_eq!(quiet.json()["model_hash"], json["model_hash"], "same seed, same model");
    let other = shell.run(&line.replace("--seed 5", "--seed 6")).json();
    assert_ne!(other["model_hash"], json["model_hash"], "another seed, another model");
}

#[test]
fn an_evaluation_adds_up() {
    let shell = Shell::new();
    let run = shell.run("evaluate --data digits --json --out figures");
    assert_eq!(run.err, "");
    let json = run.json();
    assert_eq!(json["count"], 60);
    let confusion: Vec<Vec<u64>> = serde_json::from_value(json["confusion"].clone()).unwrap();
    assert_eq!(confusion.iter().flatten().sum::<u64>(), 60);
    let right: u64 = (0..10).map(|class| confusion[class][class]).sum();
    assert_eq!(number(&json, "accuracy"), right as f64 / 60.0);
    assert!(number(&json, "loss") > 0.0 && (0.0..=1.0).contains(&number(&json, "ece")));
    for (class, row) in confusion.iter().enumerate() {
        let expected = digits().test.labels.iter().filter(|&&l| usize::from(l) == class).count();
        assert_eq!(row.iter().sum::<u64>(), expected as u64, "images of class {class}");
    }
    assert_is_picture(&shell.path("figures/confusion.png"));
    let text = shell.run("evaluate --data digits").ok();
    assert!(text.contains(&format!("accuracy {:.2} %", 100.0 * right as f64 / 60.0)), "{text}");
}

#[test]
fn the_summary_names_layers_shapes_and_costs() {
    let shell = Shell::new();
    let json = shell.run("summary --json").json();
    assert_eq!(json["total_params"], 140_598);
    let layers = json["layers"].as_array().unwrap();
    let conv2 = layers.iter().find(|layer| layer["name"] == "conv2").unwrap();
    assert_eq!(conv2["type"], "Conv");
    assert_eq!(conv2["output_shape"], serde_json::json!([32, 20, 20]));
    assert_eq!(conv2["params"], 5 * 5 * 32 * 32 + 32);
    assert_eq!(conv2["macs"], 20 * 20 * 32 * 5 * 5 * 32);
    assert_eq!(conv2["receptive_field"]["size"], serde_json::json!([9, 9]));
    let text = shell.run("summary --out diagram").ok();
    assert!(text.contains("conv2") && text.contains("25,632") && text.contains("Trained on mnist"));
    assert_is_picture(&shell.path("diagram/network.svg"));
}

#[test]
fn filters_are_drawn_for_the_layer_that_is_named() {
    let shell = Shell::new();
    let json = shell.run("filters --layer conv1 --layer conv3 --out pictures --json").json();
    let layers = json["layers"].as_array().unwrap();
    assert_eq!(layers[0]["layer"], "conv1");
    assert_eq!(layers[0]["count"], 32);
    assert_eq!(layers[1]["channels"], 32);
    for name in ["filters-conv1.png", "filters-conv1.svg", "filters-conv3.png"] {
        assert_is_picture(&shell.path(&format!("pictures/{name}")));
    }
    assert!(shell.run("filters --out pictures").ok().starts_with("conv1: 32 filters of 5×5"));
}

#[test]
fn a_prediction_gives_probabilities_of_all_classes() {
    let shell = Shell::new();
    let json = shell.run("predict --data digits --sample 7 --digit 3 --json").json();
    let list = json.as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["source"], "digits test sample 7");
    assert_eq!(list[0]["label"], digits().test.label(7).to_string());
    assert_eq!(list[1]["predicted"], "3", "--digit takes one that is classified correctly");
    for prediction in list {
        let all: Vec<f64> = serde_json::from_value(prediction["probabilities"].clone()).unwrap();
        assert_eq!(all.len(), 10);
        assert!((all.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        let greatest = all.iter().copied().fold(0.0, f64::max);
        assert_eq!(number(prediction, "probability"), greatest);
    }
}

#[test]
fn a_picture_of_a_test_sample_is_classified_as_the_sample_is() {
    let shell = Shell::new();
    let test = digits().test;
    cutaway::data::Picture::from_images(&test, 7).write_png(&shell.path("seven.png")).unwrap();
    let file = shell.run("predict seven.png --json").json();
    let sample = shell.run("predict --data digits --sample 7 --json").json();
    assert_eq!(file[0]["probabilities"], sample[0]["probabilities"]);
    assert_eq!(file[0]["source"], "seven.png");
    assert!(file[0]["label"].is_null());
    let text = shell.run("predict seven.png").ok();
    assert!(text.starts_with("seven.png: ") && text.lines().count() == 1, "{text}");
}

#[test]
fn data_are_listed_shown_and_exported_so_that_they_can_be_opened_again() {
    let shell = Shell::new();
    let list = shell.run("data list").ok();
    for name in ["mnist", "fashion-mnist", "strokes"] {
        assert!(list.contains(&format!("\n{name} ")) || list.starts_with(name), "{list}");
    }
    let json = shell.run("data list --json").json();
    assert_eq!(json["datasets"][0]["present"], false);

    let shown = shell.run("data show --data digits --count 9 --train --out new/nine.png --json");
    let shown = shown.json();
    assert_eq!(shown["shown"], 9);
    assert_is_picture(&shell.path("new/nine.png"));

    let exported = shell.run("data export --data digits --gzip --out copy --json").json();
    assert_eq!(exported["hash"], shown["hash"]);
    assert_eq!(shell.list("copy").len(), 4);
    let again = shell.run("data show --data copy --out copy.png --json").json();
    assert_eq!(again["hash"], shown["hash"], "the same images come back");
    assert!(shell.run("data fetch strokes").ok().contains("needs no download"));
}

#[test]
fn completions_and_manual_name_every_verb() {
    let shell = Shell::new();
    let verbs = ["study", "train", "evaluate", "summary", "filters", "predict", "data"];
    let scripts =
        ["bash", "elvish", "fish", "powershell", "zsh"].map(|s| format!("completions {s}"));
    for line in scripts.iter().map(String::as_str).chain(["man", "--help"]) {
        let text = shell.run(line).ok();
        for verb in verbs {
            assert!(text.contains(verb), "{line}: {verb}");
        }
    }
    let page = shell.run("man").ok();
    assert!(page.contains(".TH cutaway 1"));
    for (section, flag) in [("STUDY", "resume"), ("PREDICT", "invert"), ("DATA EXPORT", "gzip")] {
        let (_, rest) = page.split_once(&format!(".SH \"CUTAWAY {section}\"")).expect(section);
        let text = rest.split(".SH ").next().unwrap();
        assert!(text.contains(flag) && !text.contains("offline"), "{section}: {text}");
    }
    assert!(shell.run("--version").ok().starts_with("cutaway "));
}

#[test]
fn classes_with_long_names_are_told_apart_in_every_table() {
    let shell = Shell::new();
    let names = ["elephant, African", "a class with a very long name indeed", "x"];
    for name in names {
        std::fs::create_dir_all(shell.path(&format!("zoo/{name}"))).unwrap();
        (0..10).for_each(|i| shell.picture(&format!("zoo/{name}/{i}.png"), [20, 20, 1]));
    }
    shell.run("train --data zoo --epochs 1 --out trained").ok();
    let text = shell.run("evaluate --model trained/model.onnx --data zoo --out figures").ok();
    assert!(
        text.contains("a class with a very long…") && text.contains("elephant, African"),
        "{text}"
    );
    let head = text.lines().find(|line| line.trim_start().starts_with("0 ")).expect("numbers");
    assert_eq!(head.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2"]);
    let csv = String::from_utf8(shell.read("figures/classes.csv")).unwrap();
    assert!(csv.contains("\n\"elephant, African\",2,"), "{csv}");
}
