//! What a network **looks at**. Every experiment returns a plain struct with the raw numbers, from
//! which tables, figures and the report are drawn.
//!
//! ```
//! let network = cutaway_net::presets::reference_cnn(1);
//! let filters = cutaway_explain::filters(&network, "conv1")?;
//! assert_eq!((filters.count, filters.channels), (32, 1));
//! assert_eq!(filters.slice(0, 0).len(), 5 * 5);
//! # Ok::<(), cutaway_explain::Error>(())
//! ```

mod filters;

pub use filters::{FilterStatistics, Filters, convolutions, filters};

/// Why a question about a network has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The network does not know the name.
    #[error(transparent)]
    Net(#[from] cutaway_net::Error),
    /// The node has no filters.
    #[error("node '{node}' is a {kind}, which has no filters; the convolutions are {known}")]
    NoFilters {
        /// The node that was asked for.
        node: String,
        /// Its operator.
        kind: &'static str,
        /// Names of the nodes that have some.
        known: String,
    },
}
