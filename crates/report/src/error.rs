//! What can go wrong while drawing or writing.

use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The given numbers do not fit together.
    #[error("{what}: expected {expected}, found {found}")]
    Shape {
        /// The chart and its part.
        what: String,
        /// What would have fitted.
        expected: String,
        /// What was given.
        found: String,
    },
    /// More was asked for than can be drawn legibly.
    #[error("{what}: {found} is more than the limit of {limit}; {advice}")]
    TooLarge {
        /// The chart and its part.
        what: String,
        /// What was given.
        found: usize,
        /// The most that is drawn.
        limit: usize,
        /// What to do.
        advice: &'static str,
    },
    /// A colour scale without extent, or with a limit that is not a number.
    #[error("colour scale from {min} to {max}: {expected}")]
    Scale {
        /// Lower end.
        min: f64,
        /// Upper end.
        max: f64,
        /// What would have fitted.
        expected: &'static str,
    },
    /// A picture could not be encoded.
    #[error("cannot encode the picture as PNG: {0}")]
    Png(#[from] png::EncodingError),
    /// A file could not be written; nothing was left behind.
    #[error("cannot write {}: {source}; choose a folder that exists, is writable and has room", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason the system gave.
        source: std::io::Error,
    },
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Fails unless `found` values were given where `expected` are needed.
pub(crate) fn check_len(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Shape {
        what: what.to_owned(),
        expected: format!("{expected} values"),
        found: found.to_string(),
    })
}

/// Fails where `found` is above `limit`.
pub(crate) fn check_limit(
    what: &str,
    found: usize,
    limit: usize,
    advice: &'static str,
) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::TooLarge { what: what.to_owned(), found, limit, advice })
}
