//! Why a question about a network has no answer.

/// Why a question about a network has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The network does not know the name.
    #[error(transparent)]
    Net(#[from] cutaway_net::Error),
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] cutaway_engine::Error),
    /// The images do not suit.
    #[error(transparent)]
    Data(#[from] cutaway_data::Error),
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
    /// The node's output is no stack of maps.
    #[error(
        "node '{node}' ({kind}) gives {shape:?}, which is no stack of maps [channels, height, \
         width]; nodes with maps are {known}"
    )]
    NoMaps {
        /// The node that was asked for.
        node: String,
        /// Its operator.
        kind: &'static str,
        /// Shape of its output.
        shape: Vec<usize>,
        /// Names of the nodes that have some.
        known: String,
    },
    /// The node has no such channel.
    #[error("channel {channel} is out of range: '{node}' has {what} 0 to {}", count - 1)]
    Channel {
        /// The node.
        node: String,
        /// `channels` or `input channels`.
        what: &'static str,
        /// The channel that was asked for.
        channel: usize,
        /// Channels that there are.
        count: usize,
    },
    /// The node has no such unit.
    #[error(
        "unit {unit:?} (channel, row, column) is out of range: '{node}' has channels 0 to {}, rows \
         0 to {} and columns 0 to {}", shape[0] - 1, shape[1] - 1, shape[2] - 1
    )]
    Unit {
        /// The node.
        node: String,
        /// The unit that was asked for.
        unit: [usize; 3],
        /// Channels, rows and columns of the node.
        shape: [usize; 3],
    },
    /// The unit's value is no weighted sum.
    #[error(
        "a unit of '{node}' ({kind}) is no weighted sum of units below it; ask for a layer \
         between the input and the softmax"
    )]
    NoSum {
        /// The node.
        node: String,
        /// Its operator.
        kind: &'static str,
    },
    /// A parameter is NaN or infinite.
    #[error(
        "parameter '{param}' of network '{network}' is not finite: value {index} of {count} is \
         {value}; train the network again, with a lower learning rate if it diverged"
    )]
    NotFinite {
        /// The network.
        network: String,
        /// The parameter.
        param: String,
        /// Place of the value, row-major.
        index: usize,
        /// Values of the parameter.
        count: usize,
        /// The value.
        value: f32,
    },
    /// A method of attribution has no rule for a node.
    #[error("{method} has no rule for node '{node}' ({op}): {problem}")]
    Operator {
        /// The method.
        method: &'static str,
        /// The node.
        node: String,
        /// Its operator.
        op: &'static str,
        /// What it can treat.
        problem: String,
    },
    /// An attribution came out as NaN or infinite.
    #[error(
        "{method} gave a value that is no finite number: the network's activations or gradients \
         overflow for this image"
    )]
    NoNumber {
        /// The method.
        method: String,
    },
    /// A setting is out of its range.
    #[error("{0}")]
    Setting(String),
}
