//! What can go wrong when a network is compiled or run.

use crate::Isa;
use crate::check::NotFinite;

/// A result of the engine.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a network could not be compiled or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The network itself is at fault.
    #[error(transparent)]
    Net(#[from] cutaway_net::Error),
    /// The instruction set that was asked for.
    #[error("this machine cannot run the instruction set '{0}': use 'auto' or one of {1:?}")]
    Isa(Isa, Vec<String>),
    /// The threads could not be started.
    #[error("cannot start {threads} threads: {problem}; try a smaller --threads")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// What the system said.
        problem: String,
    },
    /// An array of another shape than the network takes.
    #[error("{what}: expected shape {expected}, got {found:?}")]
    Shape {
        /// Which array.
        what: String,
        /// For people; `N` stands for any number of samples.
        expected: String,
        /// The array's shape.
        found: Vec<usize>,
    },
    /// A node that this network does not have.
    #[error("node number {id} does not exist: network '{network}' has {count} nodes")]
    Node {
        /// The number that was asked for.
        id: usize,
        /// Nodes of the network.
        count: usize,
        /// Its name.
        network: String,
    },
    /// An edit of a sweep that does not lie in the image.
    #[error("edit {index}: {problem}")]
    Edit {
        /// Its place in the list.
        index: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A sweep whose values would not fit.
    #[error(
        "the values of {edits} edits, {each} numbers each, are more than {most}: sweep fewer edits at a \
         time, or ask for smaller nodes"
    )]
    TooLarge {
        /// Edits of the sweep.
        edits: usize,
        /// Numbers asked for of each.
        each: usize,
        /// What is allowed.
        most: usize,
    },
    /// The network's answer is NaN or infinite.
    #[error(
        "the network's answer is not a number: {0}; look at that node's weights and at what the image \
         becomes on the way to it (`cutaway check`)"
    )]
    NotFinite(NotFinite),
    /// Sequences or weights of a recurrent layer that do not fit together.
    #[error("{0}")]
    Sequences(String),
}
