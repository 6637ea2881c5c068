//! Everything that can go wrong in this crate, said so that the reader can act on it.

use std::fmt::Write as _;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, what was expected and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A node was asked for by a name that the network does not have.
    #[error("network {network:?} has no node named {name:?}{}", suggest(nearest))]
    UnknownNode {
        /// The network that was asked.
        network: String,
        /// The name that was asked for.
        name: String,
        /// The nearest names that exist, best first.
        nearest: Vec<String>,
    },

    /// A node does not fit its inputs or its parameters.
    #[error("node {node:?} ({op}): {problem}")]
    Node {
        /// Name of the node.
        node: String,
        /// Its operator, as [`Op::kind`](crate::Op::kind) says it.
        op: &'static str,
        /// What was expected and what came.
        problem: String,
    },

    /// The graph as a whole is not a network.
    #[error("network {network:?}: {problem}")]
    Graph {
        /// Name of the network.
        network: String,
        /// What was expected and what came.
        problem: String,
    },

    /// The builder was given layers that do not fit; every problem found is listed.
    #[error("network {network:?} cannot be built:{}", list(problems))]
    Build {
        /// Name of the network.
        network: String,
        /// One problem a layer, in the order in which the layers were added.
        problems: Vec<Error>,
    },
}

fn suggest(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!("; did you mean {one:?}?"),
        many => {
            let quoted: Vec<String> = many.iter().map(|name| format!("{name:?}")).collect();
            format!("; the nearest names are {}", quoted.join(", "))
        }
    }
}

fn list(problems: &[Error]) -> String {
    problems.iter().fold(String::new(), |mut text, problem| {
        let _ = write!(text, "\n  {problem}");
        text
    })
}
