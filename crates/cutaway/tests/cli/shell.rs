//! A folder to work in, and `cutaway` typed in it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use cutaway::data::{Images, OpenOptions, Picture, export, open};
use serde_json::Value;

/// A folder of its own for each test, removed at the end. It has `digits`, 200 + 60 drawn digits as
/// IDX files, and an empty cache, so that nothing is found that the test did not put there.
pub(crate) struct Shell {
    folder: tempfile::TempDir,
}

/// What a command has left behind.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A command under way, of whose standard error some lines have been read.
pub(crate) struct Running {
    child: Child,
    err: BufReader<std::process::ChildStderr>,
}

/// The drawn digits that every test folder has.
pub(crate) fn digits() -> cutaway::data::Dataset {
    let few = OpenOptions { strokes_train: 200, strokes_test: 60, ..OpenOptions::default() };
    open("strokes", &few).unwrap()
}

impl Shell {
    pub(crate) fn new() -> Shell {
        let shell = Shell { folder: tempfile::tempdir().unwrap() };
        export(&digits(), &shell.path("digits"), false).unwrap();
        shell
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// A copy of the folder `digits` in which the test may do damage.
    pub(crate) fn copy_of_digits(&self, name: &str) {
        export(&digits(), &self.path(name), false).unwrap();
    }

    /// A picture of plain colour.
    pub(crate) fn picture(&self, name: &str, [height, width, channels]: [usize; 3]) {
        let pixels = vec![90; height * width * channels];
        Picture::new(height, width, channels, pixels).unwrap().write_png(&self.path(name)).unwrap();
    }

    /// IDX files of plain images with labels 0 to 9.
    pub(crate) fn plain_images(&self, name: &str, [height, width, channels]: [usize; 3]) {
        let part = |count: usize| {
            let pixels = vec![90; count * height * width * channels];
            let labels = (0..count).map(|i| (i % 10) as u16).collect();
            Images::new(height, width, channels, pixels, labels).unwrap()
        };
        let labels = (0..10).map(|class| class.to_string()).collect();
        let dataset = cutaway::data::Dataset::new(name, part(20), part(10), labels, "plain");
        export(&dataset.unwrap(), &self.path(name), false).unwrap();
    }

    /// Types a line; its words are separated by spaces.
    pub(crate) fn run(&self, line: &str) -> Run {
        Run::new(self.command(line).output().unwrap())
    }

    /// Runs a command line of the system's shell in which `$cutaway` is the program.
    #[cfg(unix)]
    pub(crate) fn sh(&self, script: &str) -> Run {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("cutaway", env!("CARGO_BIN_EXE_cutaway"));
        Run::new(self.prepare(&mut command).output().unwrap())
    }

    /// Types a line and reads standard error until a line begins with `until`.
    pub(crate) fn start(&self, line: &str, until: &str) -> Running {
        let mut command = self.command(line);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with(until) {
            line.clear();
            assert!(err.read_line(&mut line).unwrap() > 0, "it ended before it said {until:?}");
        }
        Running { child, err }
    }

    /// Names in a folder, sorted; none where there is no such folder.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(name)) else { return Vec::new() };
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> =
            entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cutaway"));
        command.args(line.split_whitespace());
        self.prepare(&mut command);
        command
    }

    fn prepare<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.folder.path())
            .env("CUTAWAY_DATA", self.path("cache"))
            .env_remove("CUTAWAY_MIRROR")
    }
}

impl Run {
    fn new(output: Output) -> Run {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let code = output.status.code().expect("it was not killed");
        Run { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// Standard output of a command that did its work.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.err);
        self.out
    }

    /// The one JSON value on standard output.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let out = self.ok();
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
    }

    /// One error that says all of `words`, nothing on standard output, and the exit code.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &[&str]) {
        let Run { code: found, out, err } = self;
        assert_eq!(found, code, "{out}{err}");
        assert_eq!(out, "", "{err}");
        assert_eq!(err.matches("error:").count(), 1, "{err}");
        assert!(!err.contains("panicked"), "{err}");
        for word in words {
            assert!(err.contains(word), "{word:?} is not in: {err}");
        }
    }
}

impl Running {
    /// Ctrl-C, then what it says until its end.
    #[cfg(unix)]
    pub(crate) fn interrupt(mut self) -> (i32, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let mut err = String::new();
        self.err.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code().expect("it ends by itself"), err)
    }

    /// What a power cut does: the process is gone at once.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert!(!status.success(), "it was done before it was killed");
    }
}

/// Whether a file is a PNG or SVG picture from beginning to end.
#[track_caller]
pub(crate) fn assert_is_picture(path: &Path) {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    match path.extension().and_then(|e| e.to_str()) {
        Some("png") => assert!(Picture::read(path).unwrap().width > 0),
        _ => assert!(bytes.starts_with(b"<svg") && bytes.trim_ascii_end().ends_with(b"</svg>")),
    }
}
