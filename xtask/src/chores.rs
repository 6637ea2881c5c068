//! Chores that are a few commands each.

use std::path::{Path, PathBuf};

use crate::shell::{Done, root, run, run_with};

/// Formatting, lints, tests, documentation. Everything is built in release mode: numerical tests take minutes otherwise,
/// and one profile is built once.
pub(crate) fn check() -> Done {
    run("cargo", &["fmt", "--all", "--check"])?;
    let clippy = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run("cargo", &clippy)?;
    run("cargo", &["test", "--release", "--workspace"])?;
    let doc = ["doc", "--release", "--workspace", "--no-deps"];
    run_with("cargo", &doc, &[("RUSTDOCFLAGS", "-D warnings")])
}

/// `bench/run.py` with the given arguments.
pub(crate) fn bench(arguments: &[String]) -> Done {
    let words: Vec<&str> =
        std::iter::once("bench/run.py").chain(arguments.iter().map(String::as_str)).collect();
    run("python3", &words)
}

/// Runs every script that makes fixtures: `crates/*/tests/fixtures/make_*.py`.
pub(crate) fn fixtures(python: &str) -> Done {
    let mut scripts = Vec::new();
    for fixtures in folders(&root().join("crates"))?.iter().map(|c| c.join("tests/fixtures")) {
        if fixtures.is_dir() {
            let files = entries(&fixtures)?;
            scripts.extend(files.into_iter().filter(|file| makes_fixtures(file)));
        }
    }
    for script in scripts {
        run(python, &[&script.to_string_lossy()])?;
    }
    Ok(())
}

fn makes_fixtures(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("make_") && name.ends_with(".py")
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, String> {
    Ok(entries(folder)?.into_iter().filter(|path| path.is_dir()).collect())
}

/// What is in a folder, sorted.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let list = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>());
    let mut list = list.map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    list.sort();
    Ok(list)
}
