//! The developer's chores: `cargo xtask CHORE`.
//!
//! Every chore is a list of ordinary commands, printed before they run: whoever wants only one of them can type it.

mod chores;
mod fuzz;
mod models;
mod shell;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask CHORE

  check               what CI checks: formatting, lints, tests, documentation
  fuzz [SECONDS]      every fuzz target for SECONDS (default 60)
  bench [ARGUMENTS]   side by side with PyTorch: bench/run.py ARGUMENTS
  models [FOLDER [VERB...]]
                      every verb (or those named) on every FOLDER/onnx/*.onnx, with pictures of FOLDER/photos and
                      FOLDER/mnist (default: CUTAWAY_TEST_DATA); what they write stays in target/models
  fixtures [PYTHON]   make the tests' fixtures anew with PYTHON (default python3; needs torch and others)
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let rest = words.get(1..).unwrap_or_default();
    let done = match words.first().map(String::as_str) {
        Some("check") if rest.is_empty() => chores::check(),
        Some("fuzz") if rest.len() <= 1 => match rest.first().map_or(Ok(60), |word| word.parse()) {
            Ok(seconds) => fuzz::all(seconds),
            Err(_) => return refuse(),
        },
        Some("bench") => chores::bench(rest),
        Some("fixtures") if rest.len() <= 1 => {
            chores::fixtures(rest.first().map_or("python3", String::as_str))
        }
        Some("models") => {
            models::all(rest.first().map(String::as_str), rest.get(1..).unwrap_or_default())
        }
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            Ok(())
        }
        _ => return refuse(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn refuse() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}
