//! One error type for the whole crate: every message says where, what was expected and what to do.

use std::io;
use std::path::{Path, PathBuf};

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a training or an evaluation did not come to its end.
///
/// The message (`Display`) is complete in itself and fit for the user of a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A recipe that cannot be trained.
    #[error("recipe {recipe:?}: {problem}")]
    Recipe {
        /// Name of the recipe.
        recipe: String,
        /// Which setting is wrong and what is allowed.
        problem: String,
    },
    /// Network, images and options that do not fit together.
    #[error("{0}")]
    Invalid(String),
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: "read", "write" ...
        action: &'static str,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A file that is not a checkpoint, or not a whole one.
    #[error(
        "{}: not a usable checkpoint: {problem}; delete the file and train from the start, or \
         give another one",
        path.display()
    )]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Where and what.
        problem: String,
    },
    /// A checkpoint of another training than the one that was to be resumed.
    #[error(
        "{}: this checkpoint is of another training: {difference}; repeat the command it was made \
         with, or train from the start without resuming",
        path.display()
    )]
    OtherTraining {
        /// The file.
        path: PathBuf,
        /// What differs: what the checkpoint has and what was asked for.
        difference: String,
    },
    /// Training was stopped from outside.
    #[error("training was interrupted in epoch {epoch} after {batches_done} of {batches} batches; {}",
        how_to_go_on(checkpoint.as_deref()))]
    Interrupted {
        /// The epoch it was in, from 1.
        epoch: usize,
        /// Batches of that epoch that were done.
        batches_done: usize,
        /// Batches in an epoch.
        batches: usize,
        /// Where the training can be resumed from: nothing is lost.
        checkpoint: Option<PathBuf>,
    },
    /// The loss became infinite or not a number.
    #[error(
        "training diverged: the loss of batch {batch} in epoch {epoch} is {loss} at learning rate \
         {learning_rate}; train with a lower learning rate or a longer warm-up"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The batch in it, from 1.
        batch: usize,
        /// The mean loss of the batch.
        loss: f64,
        /// The learning rate at that batch.
        learning_rate: f32,
    },
    /// The network refused.
    #[error(transparent)]
    Network(#[from] cutaway_net::Error),
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] cutaway_engine::Error),
    /// The data refused.
    #[error(transparent)]
    Data(#[from] cutaway_data::Error),
}

impl Error {
    pub(crate) fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), action, source }
    }
}

fn how_to_go_on(checkpoint: Option<&Path>) -> String {
    match checkpoint {
        Some(path) => format!(
            "all of it is saved in {}: resume from there (the same command with --resume) and the \
             result will be as if nothing had happened",
            path.display()
        ),
        None => "no checkpoint was asked for, so it has to start again".into(),
    }
}
