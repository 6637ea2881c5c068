//! Files that are no models, and folders that take none: one clear error each, never a panic.

mod common;

use std::fs;
use std::path::Path;

use common::network_from;
use cutaway_net::{Error, onnx, presets};
use proptest::prelude::*;

fn error(bytes: &[u8]) -> String {
    onnx::from_bytes(bytes).expect_err("it should be refused").to_string()
}

fn small() -> Vec<u8> {
    onnx::to_bytes(&network_from(&[0, 10, 4, 13, 12, 8, 11, 14], 1)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut bytes = small();
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(network) = onnx::from_bytes(&bytes) {
            let _ = cutaway_net::summary(&network).to_string();
        }
    }

    #[test]
    fn a_piece_cut_out_or_doubled_never_panics(from: prop::sample::Index, to: prop::sample::Index, double: bool) {
        let bytes = small();
        let (a, b) = (from.index(bytes.len()), to.index(bytes.len()));
        let (a, b) = (a.min(b), a.max(b));
        let changed = if double {
            [&bytes[..b], &bytes[a..]].concat()
        } else {
            [&bytes[..a], &bytes[b..]].concat()
        };
        let _ = onnx::from_bytes(&changed);
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(onnx::from_bytes(&bytes).is_err());
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let bytes = small();
    for end in 0..bytes.len() {
        // Cut between two fields, what is left may be a whole model with less metadata.
        if let Err(error) = onnx::from_bytes(&bytes[..end]) {
            let text = error.to_string();
            assert!(
                text.starts_with("not a usable ONNX model: it ")
                    || text.starts_with("the ONNX model's node "),
                "{text}"
            );
        }
    }
    let reference = onnx::to_bytes(&presets::reference_cnn(0)).unwrap();
    let text = error(&reference[..300_000]);
    assert!(text.contains("cut off or damaged: at byte") && text.contains("(in graph)"), "{text}");
}

#[test]
fn other_files_are_recognised() {
    assert!(error(b"").contains("empty file"));
    assert!(error(b"PK\x03\x04rest").contains("torch.onnx.export"));
    assert!(error(b"version https://git-lfs.github.com/spec/v1").contains("git lfs pull"));
    assert!(error(b"<!DOCTYPE html>").contains("web page"));
    assert!(error(b"hello, world, this is text").contains("damaged"));
    assert!(error(&[0x08, 0x08]).contains("operator set"));
}

#[test]
fn a_missing_file_a_folder_and_a_missing_folder_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let text = onnx::load(folder.path().join("none.onnx")).unwrap_err().to_string();
    assert!(text.starts_with("cannot read ") && text.ends_with("there is no such file"), "{text}");
    let text = onnx::load(folder.path()).unwrap_err().to_string();
    assert!(text.contains("it is a folder"), "{text}");
    let network = presets::reference_cnn(0);
    let text = onnx::save(&network, folder.path()).unwrap_err().to_string();
    assert!(text.contains("it is a folder"), "{text}");
    let text = onnx::save(&network, folder.path().join("no/model.onnx")).unwrap_err().to_string();
    assert!(text.contains("does not exist"), "{text}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_bad_file_is_named_with_its_problem() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.onnx");
    fs::write(&path, b"nonsense").unwrap();
    let error = onnx::load(&path).unwrap_err();
    assert!(matches!(error, Error::InFile { .. }));
    assert!(
        error.to_string().contains("bad.onnx: not a usable ONNX model: it is damaged"),
        "{error}"
    );
}

#[test]
fn saving_again_replaces_the_file_and_leaves_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    onnx::save(&presets::reference_cnn(1), &path).unwrap();
    onnx::save(&presets::reference_cnn(2), &path).unwrap();
    assert_eq!(onnx::load(&path).unwrap().hash(), presets::reference_cnn(2).hash());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real.onnx"), folder.path().join("link.onnx"));
    fs::write(&real, b"old").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    onnx::save(&presets::reference_cnn(1), &link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(onnx::load(&real).is_ok());
}

#[cfg(target_os = "linux")]
#[test]
fn devices_are_not_replaced_and_unwritable_folders_are_named() {
    let network = presets::reference_cnn(1);
    let text = onnx::save(&network, "/dev/null").unwrap_err().to_string();
    assert!(text.contains("no ordinary file"), "{text}");
    // Not even the superuser can make files there.
    if Path::new("/proc/self").is_dir() {
        let text = onnx::save(&network, "/proc/self/model.onnx").unwrap_err().to_string();
        assert!(text.starts_with("cannot write /proc/self/model.onnx: "), "{text}");
    }
}

/// A model whose first weight is kept in another file, `values.bin` from byte 8 on.
fn with_external(folder: &Path, location: &str, length: usize) -> std::path::PathBuf {
    let path = folder.join("model.onnx");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/external.onnx");
    let mut bytes = fs::read(fixture).unwrap();
    for (from, to) in [("values.bin", location), ("0024", &format!("{length:04}")[..])] {
        assert_eq!(from.len(), to.len(), "lengths stand in the file");
        let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    }
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn weights_beside_the_model_are_read_and_only_there() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("models");
    fs::create_dir(&inside).unwrap();
    let numbers: Vec<u8> = (0..8).flat_map(|i| (i as f32).to_le_bytes()).collect();
    fs::write(inside.join("values.bin"), &numbers).unwrap();
    fs::write(folder.path().join("ues.bin"), &numbers).unwrap();
    let network = onnx::load(with_external(&inside, "values.bin", 24)).unwrap();
    // [2, 3] as MatMul has it, from the third number on; [3, 2] here.
    assert_eq!(network.params()[0].values[..], [2.0, 5.0, 3.0, 6.0, 4.0, 7.0]);

    let refused = |location: &str, length: usize| {
        onnx::load(with_external(&inside, location, length)).unwrap_err().to_string()
    };
    assert!(refused("../ues.bin", 24).contains("not inside the model's folder"));
    assert!(refused("/dev/zeroo", 24).contains("not inside the model's folder"));
    assert!(refused("nothing.xx", 24).contains("nothing.xx"));
    assert!(refused("values.bin", 9999).contains("means 24 bytes"));
    let bytes = fs::read(with_external(&inside, "values.bin", 24)).unwrap();
    assert!(error(&bytes).contains("load the model by its path"));
}

#[cfg(unix)]
#[test]
fn a_link_that_leaves_the_models_folder_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("models");
    fs::create_dir(&inside).unwrap();
    fs::write(folder.path().join("secret"), [0; 64]).unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret"), inside.join("values.bin")).unwrap();
    let text = onnx::load(with_external(&inside, "values.bin", 24)).unwrap_err().to_string();
    assert!(text.contains("not inside the model's folder"), "{text}");
}
