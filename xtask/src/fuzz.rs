//! Runs the fuzz targets, under libFuzzer where that is installed, on stable Rust where it is not.

use crate::chores::entries;
use crate::shell::{Done, root, run, works};

/// Every file in `fuzz/fuzz_targets` for `seconds`.
pub(crate) fn all(seconds: u64) -> Done {
    let libfuzzer = works("cargo", &["+nightly", "fuzz", "--version"]);
    if libfuzzer {
        eprintln!("cargo-fuzz and a nightly toolchain are here: running under libFuzzer");
    } else {
        eprintln!(
            "cargo-fuzz or a nightly toolchain is missing (`rustup toolchain install nightly`, `cargo install \
             cargo-fuzz`): mutating the seeds on stable Rust, which finds less"
        );
    }
    for target in targets()? {
        if libfuzzer { under_libfuzzer(&target, seconds)? } else { on_stable(&target, seconds)? }
    }
    Ok(())
}

fn targets() -> Result<Vec<String>, String> {
    let files = entries(&root().join("fuzz/fuzz_targets"))?;
    let names = files.iter().filter_map(|file| file.file_stem());
    Ok(names.map(|name| name.to_string_lossy().into_owned()).collect())
}

fn under_libfuzzer(target: &str, seconds: u64) -> Done {
    let time = format!("-max_total_time={seconds}");
    // New inputs that reach new code go into the first folder; the committed seeds are only read.
    let corpus = format!("fuzz/target/corpus/{target}");
    std::fs::create_dir_all(root().join(&corpus))
        .map_err(|error| format!("cannot create {corpus}: {error}"))?;
    let seeds = format!("fuzz/seeds/{target}");
    let fuzz = ["+nightly", "fuzz", "run", "--features", "libfuzzer", target, &corpus, &seeds];
    let limits = ["--", &time, "-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=256"];
    run("cargo", &[&fuzz[..], &limits[..]].concat())
}

fn on_stable(target: &str, seconds: u64) -> Done {
    let manifest = ["run", "--release", "--quiet", "--manifest-path", "fuzz/Cargo.toml"];
    let seconds = seconds.to_string();
    run("cargo", &[&manifest[..], &["--bin", target, "--", "--seconds", &seconds]].concat())
}
