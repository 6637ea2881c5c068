//! Whatever is wrong ends in one clear error, exit code 1 or 2, and nothing half-written.

use std::fs;

use crate::shell::Shell;

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

/// A copy of the digits in which one file holds something else.
fn with_file(shell: &Shell, name: &str, file: &str, bytes: &[u8]) {
    shell.copy_of_digits(name);
    shell.write(&format!("{name}/{file}"), bytes);
}

#[test]
fn damaged_idx_files_are_refused_with_their_name_and_the_place() {
    let shell = Shell::new();
    let images = shell.read(&format!("digits/{IMAGES}"));
    let labels = shell.read(&format!("digits/{LABELS}"));
    shell.run("data export --data digits --gzip --out packed").ok();
    let packed = shell.read(&format!("packed/{IMAGES}.gz"));
    let mut corrupt = packed.clone();
    corrupt[packed.len() / 2] ^= 0x55;
    let mut magic = images.clone();
    magic[2] = 0x0d;
    let mut huge = images.clone();
    huge[4..8].fill(0xff);
    let mut fewer = labels[..labels.len() - 1].to_vec();
    fewer[7] -= 1;

    let cases: [(&str, &str, &[u8], &[&str]); 9] = [
        ("truncated", IMAGES, &images[..images.len() - 10], &["byte 4", "declares 200x28x28"]),
        ("longer", IMAGES, &[&images[..], b"x"].concat(), &["byte 156816"]),
        ("magic", IMAGES, &magic, &["byte 0", "magic number", "00 00 0d 03"]),
        ("huge", IMAGES, &huge, &["byte 4", "more than the file can hold"]),
        ("count", LABELS, &fewer, &["199 labels, but 200 images"]),
        ("swapped", IMAGES, &labels, &["in each other's place"]),
        ("nothing", IMAGES, b"", &["byte 0", "the file ends here"]),
        ("corrupt", IMAGES, &corrupt, &["gzip stream is damaged"]),
        ("cut", IMAGES, &packed[..packed.len() - 20], &["gzip stream is damaged"]),
    ];
    for (name, file, bytes, words) in cases {
        with_file(&shell, name, file, bytes);
        let run = shell.run(&format!("train --data {name} --epochs 1 --out out"));
        let path = format!("{name}/{file}");
        run.fails(1, &[&[path.as_str()], words].concat());
        assert!(!shell.path("out").exists(), "{name}");
    }
    fs::remove_file(shell.path("count/t10k-labels-idx1-ubyte")).unwrap();
    shell.run("evaluate --data count").fails(1, &["there is no file t10k-labels-idx1-ubyte"]);
}

#[test]
fn folders_of_images_without_images_are_refused() {
    let shell = Shell::new();
    fs::create_dir_all(shell.path("photos/cat")).unwrap();
    fs::create_dir_all(shell.path("photos/dog")).unwrap();
    shell.picture("photos/cat/1.png", [28, 28, 1]);
    shell.run("evaluate --data photos").fails(1, &["photos/dog", "has no pictures", "remove"]);
    shell.picture("photos/dog/1.png", [28, 28, 1]);
    shell.run("evaluate --data photos").fails(1, &["photos/cat", "a single picture", "add"]);
    shell.picture("photos/cat/2.png", [28, 28, 1]);
    shell.picture("photos/dog/2.png", [28, 30, 1]);
    shell.run("evaluate --data photos").fails(1, &["photos/dog/2.png", "28x30", "28x28"]);
    shell.write("photos/dog/1.png", b"\x89PNG\r\n\x1a\n and then nothing");
    shell.run("evaluate --data photos").fails(1, &["photos/dog/1.png"]);
    fs::create_dir(shell.path("empty")).unwrap();
    shell.run("evaluate --data empty").fails(1, &["empty"]);
}

#[test]
fn what_is_no_data_set_is_refused() {
    let shell = Shell::new();
    shell.write("file", "x");
    shell.run("evaluate --data nowhere").fails(1, &["no data set 'nowhere'", "strokes", "folder"]);
    shell.run("evaluate --data file").fails(1, &["file: a file, not a folder"]);
    shell.run("evaluate --data mnist --offline").fails(1, &["mnist", "cache", "--offline"]);
    shell.run("data fetch mnist --offline").fails(1, &["train-images-idx3-ubyte.gz", "--offline"]);
    shell.run("data fetch digits").fails(1, &["'digits' cannot be fetched", "fashion-mnist"]);
    assert!(!shell.path("cache").exists());
}

#[test]
fn what_is_no_model_is_refused() {
    let shell = Shell::new();
    shell.run("study --model builtin --data digits --out good").ok();
    let model = shell.read("good/model.onnx");
    shell.write("cut.onnx", &model[..model.len() / 2]);
    shell.write("garbage.onnx", [0xa5; 3000]);
    shell.write("empty.onnx", "");
    shell.picture("picture.png", [28, 28, 1]);
    for file in ["cut.onnx", "garbage.onnx", "empty.onnx", "picture.png"] {
        let expected = format!("{file}: not a usable ONNX model");
        shell.run(&format!("summary --model {file}")).fails(1, &[&expected]);
        shell.run(&format!("study --model {file} --data digits --out out")).fails(1, &[&expected]);
        assert!(!shell.path("out").exists());
    }
    shell.run("predict --model nowhere.onnx").fails(1, &["nowhere.onnx: there is no such file"]);
    shell.run("predict --model digits").fails(1, &["digits", "folder"]);
}

#[test]
fn images_that_do_not_suit_the_model_are_refused_before_anything_is_written() {
    let shell = Shell::new();
    shell.plain_images("colour", [28, 28, 3]);
    shell.plain_images("large", [32, 32, 1]);
    for (data, shape) in [("colour", "[3, 28, 28]"), ("large", "[1, 32, 32]")] {
        let words = ["takes images of shape [1, 28, 28]", shape];
        shell.run(&format!("evaluate --data {data} --out out")).fails(1, &words);
        let study = format!("study --model builtin --data {data} --out out");
        shell.run(&study).fails(1, &words);
        shell.run(&format!("predict --data {data} --sample 0")).fails(1, &["28×28 (grey)"]);
        assert!(!shell.path("out").exists());
    }
    // A model of colour images on grey ones.
    shell.run("train --data colour --epochs 1 --out trained").ok();
    let colour = "evaluate --model trained/model.onnx --data digits";
    shell.run(colour).fails(1, &["takes images of shape [3, 28, 28]", "[1, 28, 28]"]);

    shell.plain_images("tiny", [12, 12, 1]);
    let tiny = shell.run("train --data tiny --epochs 1 --out out");
    tiny.fails(2, &["12×12", "at least 20×20"]);
    shell.plain_images("least", [20, 20, 1]);
    shell.run("train --data least --epochs 1 --out least-out").ok();
    shell.picture("wide.png", [20, 30, 1]);
    shell.run("predict wide.png").fails(1, &["wide.png is 20×30", "28×28", "--resize"]);
    shell.run("predict wide.png --resize").ok();
    shell.write("broken.png", b"\x89PNG\r\n\x1a\n and then nothing");
    shell.run("predict broken.png").fails(1, &["broken.png", "cannot be decoded"]);
    shell.run("predict nowhere.png").fails(1, &["cannot read nowhere.png"]);
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_is_allowed() {
    let shell = Shell::new();
    let cases: [(&str, &[&str]); 14] = [
        ("frobnicate", &["unrecognized subcommand 'frobnicate'"]),
        ("train --recipe worst", &["'worst'", "best, reference"]),
        ("train --epochs 0", &["1..=100000"]),
        ("train --batch-size 0", &["1..=65536"]),
        ("train --data digits --isa avx9", &["'avx9'", "auto, scalar, portable, avx2 or avx512"]),
        ("summary --threads 2000", &["0..=1024"]),
        ("summary --threads -1", &["-1"]),
        ("predict --data digits --sample 60", &["out of range", "0 to 59"]),
        ("predict --data digits --digit 10", &["out of range", "0 to 9"]),
        ("data show --data digits --count 0", &["at least 1"]),
        ("data export --data digits", &["--out"]),
        ("data fetch", &["NAME"]),
        ("completions tcsh", &["bash, elvish, fish, powershell, zsh"]),
        ("train --data", &["--data"]),
    ];
    for (line, words) in cases {
        shell.run(line).fails(2, words);
        assert!(!shell.path("cutaway-out").exists(), "{line}");
    }
    shell.run("filters --layer conv9").fails(2, &["conv9", "conv1"]);
    shell.run("filters --layer dense1").fails(2, &["dense1", "conv1, conv2, conv3, conv4"]);
    let bare = shell.run("");
    assert_eq!((bare.code, bare.out.as_str()), (2, ""));
    assert!(bare.err.contains("Usage: cutaway"));
}

#[test]
fn an_output_folder_that_cannot_be_made_is_an_error_before_the_work() {
    let shell = Shell::new();
    shell.write("taken", "mine");
    for line in [
        "train --data digits --epochs 1 --out taken",
        "study --data digits --epochs 1 --out taken",
        "study --data digits --epochs 1 --out taken/deeper",
        "study --model builtin --data digits --out taken",
        "evaluate --data digits --out taken",
        "summary --out taken",
        "filters --out taken",
        "data export --data digits --out taken",
        "data show --data digits --out taken/picture.png",
    ] {
        let run = shell.run(line);
        assert!(!run.err.contains("epoch  1"), "{line} works before it looks: {}", run.err);
        run.fails(1, &["folder", "taken"]);
    }
    assert_eq!(shell.read("taken"), b"mine");
    shell.run("data show --data digits --out digits").fails(1, &["digits", "it is a folder"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_not_replaced_by_a_file() {
    use std::os::unix::fs::FileTypeExt;
    let shell = Shell::new();
    // A pipe, since a test that fails must not cost the system its /dev/null.
    shell.sh("mkfifo pipe").ok();
    shell.run("data show --data digits --out pipe").fails(1, &["pipe", "no ordinary file"]);
    assert!(fs::metadata(shell.path("pipe")).unwrap().file_type().is_fifo());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_names_the_file_and_leaves_no_half_of_one() {
    let shell = Shell::new();
    // No file may grow beyond 64 blocks of 512 bytes: writing fails as on a full disk.
    let full = "trap '' XFSZ; ulimit -f 64;";
    let train = "$cutaway train --data digits --epochs 1 --batch-size 50 --out out --quiet";
    shell.sh(&format!("{full} {train}")).fails(1, &["cannot write out/checkpoint.safetensors"]);
    assert_eq!(shell.list("out"), ["metrics.csv"]);
    shell
        .sh(&format!("{full} $cutaway study --model builtin --data digits --out s"))
        .fails(1, &["s/model.onnx"]);
    assert_eq!(shell.list("s"), [""; 0]);
    shell
        .sh(&format!("{full} $cutaway data export --data digits --out e"))
        .fails(1, &["cannot write e/train-images-idx3-ubyte"]);
    assert_eq!(shell.list("e"), [""; 0]);
    let run = shell.sh("$cutaway summary > /dev/full");
    run.fails(1, &["cannot write standard output"]);
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let shell = Shell::new();
    let run = shell.sh("$cutaway summary --json | head -n 1");
    assert_eq!((run.out.as_str(), run.err.as_str()), ("{\n", ""));
}
