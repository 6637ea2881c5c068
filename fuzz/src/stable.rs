//! A target as an ordinary program: `TARGET [--seconds N] [--seed N] [FILE ...]`.
//!
//! With files it runs each of them once, to look at a failure again. Without, it runs the seeds and then mutated seeds
//! until the time is up. It sees no coverage, so it finds less than libFuzzer does; it needs nothing but stable Rust.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::guard;
use crate::mutate::{Random, mutate};

struct Arguments {
    seconds: u64,
    seed: u64,
    files: Vec<PathBuf>,
}

/// Runs `target` as the command line says. Exit code 0: nothing found; 1: a failure, its input saved; 2: wrong usage.
pub fn main(name: &str, target: impl Fn(&[u8])) -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => return refuse(&message),
    };
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let artifacts = home.join("artifacts").join(name);
    let files = if arguments.files.is_empty() {
        seed_files(&home.join("seeds").join(name))
    } else {
        Ok(arguments.files.clone())
    };
    let inputs = match files.and_then(|files| files.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()) {
        Ok(inputs) if !inputs.is_empty() => inputs,
        Ok(_) => return refuse(&format!("no seeds in seeds/{name}: run `cargo run --bin make_seeds`")),
        Err(error) => return refuse(&format!("cannot read the inputs of {name}: {error}")),
    };
    guard::watch_the_clock();
    for input in &inputs {
        guard::run(input, &artifacts, &target);
    }
    if arguments.files.is_empty() {
        let runs = mutated(&inputs, &arguments, &artifacts, &target);
        println!("{name}: {runs} mutated inputs of {} seeds in {} s, no failure", inputs.len(), arguments.seconds);
    } else {
        println!("{name}: {} files, no failure", inputs.len());
    }
    ExitCode::SUCCESS
}

fn mutated(seeds: &[Vec<u8>], arguments: &Arguments, artifacts: &Path, target: &dyn Fn(&[u8])) -> u64 {
    let (start, limit) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let mut random = Random(arguments.seed);
    let mut runs = 0;
    while start.elapsed() < limit {
        guard::run(&mutate(seeds, &mut random), artifacts, target);
        runs += 1;
    }
    runs
}

/// The files in a folder, sorted so that a seed number means the same everywhere.
fn seed_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { seconds: 60, seed: 1, files: Vec::new() };
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|w| w.parse().ok()).ok_or(format!("{word} wants a number"));
        match word.as_str() {
            "--seconds" => arguments.seconds = number()?,
            "--seed" => arguments.seed = number()?,
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            file => arguments.files.push(file.into()),
        }
    }
    Ok(arguments)
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("{message}\nusage: TARGET [--seconds N] [--seed N] [FILE ...]");
    ExitCode::from(2)
}
