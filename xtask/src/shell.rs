//! Running commands from the root of the repository.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a chore returns: nothing, or why it failed.
pub(crate) type Done = Result<(), String>;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root").to_owned()
}

/// Prints a command and runs it; an error where it fails.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Done {
    run_with(program, arguments, &[])
}

/// As [`run`], with environment variables.
pub(crate) fn run_with(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Done {
    let line = line(program, arguments, environment);
    eprintln!("$ {line}");
    let status = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root())
        .status()
        .map_err(|error| format!("cannot start `{program}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed: {status}")) }
}

/// Whether a command can be started and ends well, without showing its output.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    let status =
        Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn line(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let variables = environment.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
    let words = std::iter::once(program).chain(arguments.iter().copied()).map(quoted);
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("'{word}'") } else { word.to_owned() }
}
