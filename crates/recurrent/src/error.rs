//! What can go wrong: every message says where, what was expected and what to do.

use std::io;
use std::path::PathBuf;

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a problem cannot be worked out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// An error in a file, with the file's name.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        error: Box<Error>,
    },
    /// Not TOML, a key missing or unknown, a value of the wrong kind.
    #[error(
        "not a problem file: {0}\nexpected keys: W, U, V, b, c, inputs, loss, and if you like \
         name, h0, activation, output, update"
    )]
    Syntax(String),
    /// Sizes that do not fit together.
    #[error("{what}: expected {expected}, found {found}")]
    Size {
        /// The matrix, vector or row.
        what: String,
        /// What would have fitted, and why.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A formula that cannot be read.
    #[error("the loss, column {column}: {problem}\n  {formula}\n  {}^", " ".repeat(column - 1))]
    Formula {
        /// The formula.
        formula: String,
        /// Where in it, in characters from 1.
        column: usize,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// A number that is infinite or not a number.
    #[error("{what} is {value} {when}; {advice}")]
    NotFinite {
        /// The loss, its derivative, a state.
        what: String,
        /// The value.
        value: f64,
        /// At which step, with which outputs.
        when: String,
        /// What to do.
        advice: &'static str,
    },
    /// More work or more memory than a laboratory should take.
    #[error("{what}: {found} is more than the limit of {limit}; {advice}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// How large it is.
        found: String,
        /// The limit.
        limit: String,
        /// What to do.
        advice: &'static str,
    },
    /// An error on the way, away from the problem's own numbers.
    #[error("{place}: {error}; or {advice}")]
    OnTheWay {
        /// Which gradient step, or which number was moved for a difference.
        place: String,
        /// What went wrong there.
        error: Box<Error>,
        /// What else to do.
        advice: &'static str,
    },
    /// A setting out of its range.
    #[error("{0}")]
    Setting(String),
    /// Sequences that do not fit each other or the network that is to read them.
    #[error("{0}")]
    Sequences(String),
    /// What the engine says.
    #[error(transparent)]
    Engine(#[from] cutaway_engine::Error),
    /// What the reader and writer of models says.
    #[error(transparent)]
    Model(#[from] cutaway_net::Error),
}
