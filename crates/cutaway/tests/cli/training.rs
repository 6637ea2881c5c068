//! What training promises: the same bits however it came to its end.

use crate::shell::Shell;

/// About a second: long enough to be interrupted, short enough to be repeated.
const LONG: &str = "train --data digits --epochs 20 --batch-size 50 --out";

#[test]
fn the_number_of_threads_changes_no_bit_of_the_model() {
    let shell = Shell::new();
    let line = "train --data digits --epochs 2 --batch-size 50";
    shell.run(&format!("{line} --threads 1 --out one")).ok();
    shell.run(&format!("{line} --threads 2 --out two")).ok();
    assert!(shell.read("one/model.onnx") == shell.read("two/model.onnx"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_says_how_to_go_on_and_going_on_ends_in_the_same_bits() {
    let shell = Shell::new();
    let (code, err) = shell.start(&format!("{LONG} a"), "epoch  1 ").interrupt();
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("error: training was interrupted in epoch"), "{err}");
    assert!(err.contains("a/checkpoint.safetensors") && err.contains("--resume"), "{err}");
    assert_eq!(shell.list("a"), ["checkpoint.safetensors", "metrics.csv"]);

    let resumed = shell.run(&format!("{LONG} a --resume"));
    assert!(!resumed.err.contains("epoch  1 "), "epochs that are done are not repeated");
    resumed.ok();
    shell.run(&format!("{LONG} b")).ok();
    assert!(shell.read("a/model.onnx") == shell.read("b/model.onnx"));
}

#[test]
fn a_kill_costs_at_most_the_epoch_under_way_and_never_a_file() {
    let shell = Shell::new();
    shell.start(&format!("{LONG} a"), "epoch  3 ").kill();
    let whole = |name: &String| !name.starts_with('.');
    let left: Vec<String> = shell.list("a").into_iter().filter(whole).collect();
    assert_eq!(left, ["checkpoint.safetensors", "metrics.csv"]);
    let metrics = String::from_utf8(shell.read("a/metrics.csv")).unwrap();
    assert!(metrics.ends_with('\n') && metrics.lines().count() >= 4, "{metrics}");

    let resumed = shell.run(&format!("{LONG} a --resume"));
    assert!(!resumed.err.contains("epoch  2 "), "{}", resumed.err);
    resumed.ok();
    shell.run(&format!("{LONG} b")).ok();
    assert!(shell.read("a/model.onnx") == shell.read("b/model.onnx"));
}

#[test]
fn resuming_a_training_that_is_over_gives_its_model_again() {
    let shell = Shell::new();
    let line = "train --data digits --epochs 1 --batch-size 50 --out a";
    shell.run(line).ok();
    let model = shell.read("a/model.onnx");
    std::fs::remove_file(shell.path("a/model.onnx")).unwrap();
    shell.run(&format!("{line} --resume")).ok();
    assert!(shell.read("a/model.onnx") == model);
}

#[test]
fn a_checkpoint_of_another_training_is_refused_and_kept() {
    let shell = Shell::new();
    let line = "train --data digits --epochs 1 --batch-size 50 --out a";
    shell.run(line).ok();
    let checkpoint = shell.read("a/checkpoint.safetensors");
    shell.copy_of_digits("others");
    shell.plain_images("colour", [28, 28, 3]);
    let resume = |line: &str| shell.run(&format!("{line} --resume"));
    let file = "a/checkpoint.safetensors: this checkpoint is of another training";
    resume(&line.replace("50", "49")).fails(1, &[file, "batch_size 50 instead of 49"]);
    let reference = line.replace("--epochs", "--recipe reference --epochs");
    resume(&reference).fails(1, &[file, "its recipe is best instead of reference"]);
    resume(&format!("{line} --seed 2")).fails(1, &[file, "its seed is 1 instead of 2"]);
    resume(&line.replace("digits", "others")).fails(1, &[file, "digits instead of others"]);
    resume(&line.replace("digits", "colour")).fails(1, &[file, "digits instead of colour"]);
    assert!(shell.read("a/checkpoint.safetensors") == checkpoint);
}

#[test]
fn a_damaged_checkpoint_is_refused_and_a_missing_one_is_wrong_usage() {
    let shell = Shell::new();
    let line = "train --data digits --epochs 1 --batch-size 50 --out a";
    shell
        .run(&format!("{line} --resume"))
        .fails(2, &["a/checkpoint.safetensors", "without --resume"]);
    assert!(!shell.path("a").exists());
    shell.run(line).ok();
    let checkpoint = shell.read("a/checkpoint.safetensors");
    for damaged in
        [&checkpoint[..checkpoint.len() - 9], &checkpoint[..100], b"", b"garbage, really"]
    {
        shell.write("a/checkpoint.safetensors", damaged);
        let advice = "delete the file and train from the start";
        shell.run(&format!("{line} --resume")).fails(1, &["not a usable checkpoint", advice]);
    }
}
