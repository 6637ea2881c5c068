//! One error type for the whole crate: every message names the file, the place, what was expected
//! and what to do.

use std::io;
use std::path::{Path, PathBuf};

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a data set or a picture could not be read, written or fetched.
///
/// The message (`Display`) is complete in itself and fit for the user of a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: "read", "write", "create the folder" ...
        action: &'static str,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {place}: {problem}; {advice}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where in the file: "byte 4", "label 17" ...
        place: String,
        /// What was expected and what was found.
        problem: String,
        /// What to do about it.
        advice: String,
    },
    /// A folder does not hold what it should.
    #[error("{}: {problem}; {advice}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
        /// What to do about it.
        advice: String,
    },
    /// A data set's name or path that leads nowhere.
    #[error(
        "no data set '{spec}': it is neither one of the names auto, mnist, fashion-mnist, strokes \
         nor a folder that exists; give one of the names or the path of a folder"
    )]
    UnknownDataset {
        /// What was asked for.
        spec: String,
    },
    /// A data set is not in the cache and may not be, or could not be, downloaded.
    #[error("{name} is not in {} and {reason}", folder.display())]
    Unavailable {
        /// The data set.
        name: String,
        /// Where its files were looked for.
        folder: PathBuf,
        /// Why it could not be fetched, and what to do.
        reason: String,
    },
    /// Values that do not fit together, given by the calling program.
    #[error("{0}")]
    Invalid(String),
}

impl Error {
    pub(crate) fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), action, source }
    }

    pub(crate) fn format(
        path: &Path,
        place: impl Into<String>,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::Format {
            path: path.to_owned(),
            place: place.into(),
            problem: problem.into(),
            advice: advice.into(),
        }
    }

    pub(crate) fn folder(
        path: &Path,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::Folder { path: path.to_owned(), problem: problem.into(), advice: advice.into() }
    }
}
