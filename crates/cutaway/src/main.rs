//! The command `cutaway`: reads its arguments, runs one verb, says what went wrong.

use std::process::ExitCode;

use clap::Parser;

mod answer;
mod args;
mod chapters;
mod commands;
mod console;
mod error;
mod figures;
mod meter;
mod npy;
mod preprocess;
mod samples;

fn main() -> ExitCode {
    let args = args::Args::parse();
    match commands::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::say(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
