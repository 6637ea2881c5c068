//! Reading and writing files in MNIST's format.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use cutaway_data::idx::{self, Array};
use cutaway_data::{Dataset, Images, OpenOptions, export, open};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

const IMAGES: [u8; 16] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1];

fn images_file() -> Vec<u8> {
    [&IMAGES[..], &[10, 20, 30, 40, 50, 60]].concat()
}

fn labels_file() -> Vec<u8> {
    vec![0, 0, 8, 1, 0, 0, 0, 2, 9, 0]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn parse(bytes: &[u8]) -> cutaway_data::Result<Array> {
    Array::from_bytes(Path::new("some-file"), bytes)
}

fn message(bytes: &[u8]) -> String {
    let message = parse(bytes).unwrap_err().to_string();
    assert!(message.starts_with("some-file: "), "{message}");
    message
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "'{message}' does not say '{part}'");
    }
}

/// A folder with the four files, its images 3x1.
fn write_folder(folder: &Path, compress: bool) {
    for (name, bytes) in [
        ("train-images-idx3-ubyte", images_file()),
        ("train-labels-idx1-ubyte", labels_file()),
        ("t10k-images-idx3-ubyte", images_file()),
        ("t10k-labels-idx1-ubyte", labels_file()),
    ] {
        match compress {
            true => fs::write(folder.join(format!("{name}.gz")), gzip(&bytes)).unwrap(),
            false => fs::write(folder.join(name), bytes).unwrap(),
        }
    }
}

fn open_folder(folder: &Path) -> cutaway_data::Result<Dataset> {
    open(folder.to_str().unwrap(), &OpenOptions::default())
}

#[test]
fn a_plain_and_a_gzip_file_give_the_same_array() {
    let array = parse(&images_file()).unwrap();
    assert_eq!(array.shape, [2, 3, 1]);
    assert_eq!(array.values, [10, 20, 30, 40, 50, 60]);
    assert_eq!(parse(&gzip(&images_file())).unwrap(), array);
}

#[test]
fn a_gzip_file_of_two_members_is_one_file() {
    let bytes = images_file();
    let two = [gzip(&bytes[..11]), gzip(&bytes[11..])].concat();
    assert_eq!(parse(&two).unwrap(), parse(&bytes).unwrap());
}

#[test]
fn every_cut_off_file_is_an_error_that_says_where_it_ends() {
    let bytes = images_file();
    for len in 0..bytes.len() {
        // In the values the declared size is compared with the file first.
        let place = if len < 16 { format!("byte {len}") } else { "byte 4".into() };
        says(&message(&bytes[..len]), &[&place, "copy or download it again"]);
    }
    let packed = gzip(&bytes);
    for len in 2..packed.len() {
        assert!(parse(&packed[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn a_wrong_magic_number_is_named() {
    says(&message(b"\x89PNG\r\n\x1a\n--------"), &["byte 0", "89 50 4e 47", "MNIST's format"]);
    // 0d: floats, which IDX allows and image data sets do not use.
    says(&message(&[0, 0, 0x0d, 1, 0, 0, 0, 0]), &["00 00 0d 01"]);
    says(&message(&[0, 0, 8, 0, 0, 0, 0, 0]), &["00 00 08 00"]);
    says(&message(&[0, 0, 8, 5, 0, 0, 0, 0]), &["00 00 08 05"]);
}

#[test]
fn bytes_after_the_end_are_an_error() {
    let long = [images_file(), vec![0]].concat();
    says(&message(&long), &["byte 22", "goes on after", "2x3x1"]);
    says(&message(&gzip(&long)), &["byte 22", "goes on after"]);
    assert!(parse(&[gzip(&images_file()), b"trailing".to_vec()].concat()).is_err());
}

#[test]
fn absurd_sizes_are_refused_before_anything_is_allocated() {
    let huge = [&[0, 0, 8, 3][..], &[0xff; 12], &[1, 2, 3]].concat();
    says(&message(&huge), &["byte 4", "4294967295x4294967295x4294967295", "3 bytes"]);
    says(&message(&gzip(&huge)), &["byte 4", "more than the file can hold"]);
    let four = [&[0, 0, 8, 4][..], &[0xff; 16]].concat();
    says(&message(&four), &["more than the file can hold"]);
}

#[test]
fn a_gzip_bomb_is_not_unpacked_beyond_its_declared_size() {
    // 64 MiB of zeros after a header that declares six bytes.
    let bomb = gzip(&[&IMAGES[..], &vec![0; 64 << 20]].concat());
    says(&message(&bomb), &["goes on after"]);
}

#[test]
fn a_damaged_gzip_stream_is_an_error() {
    let mut packed = gzip(&images_file());
    let crc = packed.len() - 8;
    packed[crc] ^= 1;
    says(&message(&packed), &["gzip stream is damaged"]);
    let mut packed = gzip(&images_file());
    packed[12] ^= 0xff;
    assert!(parse(&packed).is_err());
}

#[test]
fn a_missing_file_and_a_folder_are_errors_that_name_the_path() {
    let folder = tempfile::tempdir().unwrap();
    says(&Array::read(folder.path()).unwrap_err().to_string(), &["a folder, not a file"]);
    let missing = folder.path().join("nothing");
    says(&Array::read(&missing).unwrap_err().to_string(), &["cannot read", "nothing"]);
}

#[test]
fn a_folder_opens_plain_and_gzip_with_the_same_hash() {
    let (plain, packed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_folder(plain.path(), false);
    write_folder(packed.path(), true);
    let [a, b] = [&plain, &packed].map(|folder| open_folder(folder.path()).unwrap());
    assert_eq!(a.hash, b.hash);
    assert_eq!((a.train.height, a.train.width, a.train.channels), (3, 1, 1));
    assert_eq!(a.test.image(1), [40, 50, 60]);
    assert_eq!(a.test.label(0), 9);
    assert_eq!(a.labels.len(), 10);
}

#[test]
fn files_named_with_a_dot_are_found_too() {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), false);
    let rename = |from: &str, to: &str| {
        fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    };
    rename("train-images-idx3-ubyte", "train-images.idx3-ubyte");
    assert!(open_folder(folder.path()).is_ok());
}

#[test]
fn a_folder_without_one_of_the_files_says_which() {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), true);
    fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte.gz")).unwrap();
    let message = open_folder(folder.path()).unwrap_err().to_string();
    says(&message, &["no file t10k-labels-idx1-ubyte", "four files"]);
}

#[test]
fn different_numbers_of_images_and_labels_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), false);
    let labels = folder.path().join("train-labels-idx1-ubyte");
    fs::write(&labels, [0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3]).unwrap();
    let message = open_folder(folder.path()).unwrap_err().to_string();
    says(&message, &["train-labels-idx1-ubyte", "3 labels", "2 images", "same number"]);
}

#[test]
fn images_and_labels_in_each_others_place_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), false);
    fs::write(folder.path().join("train-labels-idx1-ubyte"), images_file()).unwrap();
    says(&open_folder(folder.path()).unwrap_err().to_string(), &["each other's place"]);
    fs::write(folder.path().join("train-images-idx3-ubyte"), labels_file()).unwrap();
    says(&open_folder(folder.path()).unwrap_err().to_string(), &["each other's place"]);
}

#[test]
fn training_and_test_images_of_different_size_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), false);
    let wide = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
    fs::write(folder.path().join("t10k-images-idx3-ubyte"), wide).unwrap();
    says(&open_folder(folder.path()).unwrap_err().to_string(), &["1x3x1", "3x1x1"]);
}

#[test]
fn a_label_beyond_the_named_classes_is_an_error_that_says_which() {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), false);
    fs::write(folder.path().join("labels.txt"), "cat\ndog\n").unwrap();
    let message = open_folder(folder.path()).unwrap_err().to_string();
    says(&message, &["train-labels-idx1-ubyte", "label 0", "0 to 1", "found 9"]);
}

#[test]
fn an_mnist_whose_label_is_not_a_digit_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("mnist");
    fs::create_dir(&folder).unwrap();
    write_folder(&folder, false);
    let options =
        OpenOptions { cache: Some(cache.path().into()), offline: true, ..Default::default() };
    assert_eq!(open("mnist", &options).unwrap().labels.len(), 10);
    fs::write(folder.join("t10k-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, 2, 3, 10]).unwrap();
    says(&open("mnist", &options).unwrap_err().to_string(), &["label 1", "0 to 9", "found 10"]);
}

#[test]
fn an_exported_colour_data_set_reads_back_the_same() {
    let images = |labels: Vec<u16>| {
        let pixels = (0..labels.len() * 12).map(|value| (value * 7) as u8).collect();
        Images::new(2, 2, 3, pixels, labels).unwrap()
    };
    let names = vec!["red".to_owned(), "green".to_owned()];
    let original =
        Dataset::new("x", images(vec![0, 1, 1]), images(vec![1]), names, "memory").unwrap();
    for gzip in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        export(&original, &folder.path().join("new"), gzip).unwrap();
        let read = open_folder(&folder.path().join("new")).unwrap();
        assert_eq!((read.train, read.test), (original.train.clone(), original.test.clone()));
        assert_eq!((read.labels, read.hash), (original.labels.clone(), original.hash.clone()));
    }
}

#[test]
fn a_label_that_is_no_byte_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let images = Images::new(1, 1, 1, vec![0], vec![256]).unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    says(&idx::write_images(&images, &a, &b, false).unwrap_err().to_string(), &["256"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The folder of the shared test data, if it is there.
fn shared_data() -> Option<PathBuf> {
    let folder = std::env::var_os("CUTAWAY_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let found = folder.is_dir();
    if !found {
        println!("skipped: there is no folder {}", folder.display());
    }
    found.then_some(folder)
}

#[test]
fn mnist_and_fashion_mnist_are_what_they_are_known_to_be() {
    let Some(folder) = shared_data() else { return };
    let options = OpenOptions { cache: Some(folder), offline: true, ..Default::default() };
    let mnist = open("mnist", &options).unwrap();
    assert_eq!((mnist.train.len(), mnist.test.len()), (60_000, 10_000));
    // The first labels, as everybody's first look at MNIST shows them.
    assert_eq!(mnist.train.labels[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(mnist.test.labels[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    // The published mean of the training pixels, 0.1307 of 255.
    let sum: u64 = mnist.train.pixels.iter().map(|&pixel| u64::from(pixel)).sum();
    let mean = sum as f64 / mnist.train.pixels.len() as f64 / 255.0;
    assert!((mean - 0.1307).abs() < 5e-5, "{mean}");

    let fashion = open("fashion-mnist", &options).unwrap();
    assert_eq!((fashion.train.len(), fashion.test.len()), (60_000, 10_000));
    assert_eq!(fashion.labels[fashion.train.label(0)], "Ankle boot");
    assert_ne!(mnist.hash, fashion.hash);
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        shape in prop::collection::vec(0_usize..6, 1..=4),
        seed in any::<u8>(),
        gzip in any::<bool>(),
    ) {
        let len = shape.iter().product();
        let values = (0..len).map(|i: usize| (i as u8).wrapping_mul(37).wrapping_add(seed));
        let array = Array { shape, values: values.collect() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("array");
        array.write(&path, gzip).unwrap();
        prop_assert_eq!(Array::read(&path).unwrap(), array.clone());
        prop_assert_eq!(parse(&array.to_bytes().unwrap()).unwrap(), array);
    }

    #[test]
    fn mutated_files_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        packed in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = if packed { gzip(&images_file()) } else { images_file() };
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(1 + cut.index(bytes.len()));
        let _ = parse(&bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse(&bytes);
    }
}
