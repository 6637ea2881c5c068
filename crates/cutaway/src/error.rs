//! What a command says when it cannot do its work.

use std::io;
use std::path::PathBuf;

pub(crate) type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The arguments make no sense together: exit code 2.
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Model(#[from] cutaway::Error),
    #[error(transparent)]
    Net(#[from] cutaway_net::Error),
    #[error(transparent)]
    Engine(#[from] cutaway_engine::Error),
    #[error(transparent)]
    Data(#[from] cutaway_data::Error),
    #[error(transparent)]
    Train(#[from] cutaway_train::Error),
    #[error(transparent)]
    Explain(#[from] cutaway_explain::Error),
    #[error(transparent)]
    Probe(#[from] cutaway_probe::Error),
    #[error(transparent)]
    Recurrent(#[from] cutaway_recurrent::Error),
    #[error(transparent)]
    Report(#[from] cutaway_report::Error),
    /// A check has found that something is wrong.
    #[error("the model does not check: {0}")]
    Disagrees(String),
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl Error {
    /// 2 for wrong usage, 1 for everything else.
    pub(crate) fn exit_code(&self) -> u8 {
        use cutaway_explain::Error as Explain;
        use cutaway_net::Error as Net;
        match self {
            Error::Usage(_)
            | Error::Net(Net::UnknownNode { .. })
            | Error::Explain(Explain::Net(Net::UnknownNode { .. }))
            | Error::Probe(cutaway_probe::Error::Setting(_))
            | Error::Recurrent(cutaway_recurrent::Error::Setting(_)) => 2,
            Error::Explain(
                Explain::NoFilters { .. }
                | Explain::NoMaps { .. }
                | Explain::Channel { .. }
                | Explain::Unit { .. }
                | Explain::NoSum { .. }
                | Explain::Operator { .. }
                | Explain::Setting(_),
            ) => 2,
            _ => 1,
        }
    }
}
