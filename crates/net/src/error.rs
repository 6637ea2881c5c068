//! Everything that can go wrong in this crate, said so that the reader can act on it.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::onnx::UnsupportedOperator;

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

    /// A file is no ONNX model, or none that can be used.
    #[error("not a usable ONNX model: it {problem}")]
    Model {
        /// What is wrong and what to do about it.
        problem: String,
    },

    /// A node of an ONNX model cannot be used.
    #[error("the ONNX model's node {node:?} ({operator}): {problem}")]
    ModelNode {
        /// Name of the node, or of its output where it has none.
        node: String,
        /// ONNX's name of its operator.
        operator: String,
        /// What was expected and what came.
        problem: String,
    },

    /// An ONNX model has operators that are not supported; all of them are listed.
    #[error(
        "the ONNX model uses operators that are not supported (operator set {opset}):{}",
        list_operators(operators)
    )]
    UnsupportedOperators {
        /// Version of the operator set that the model uses.
        opset: i64,
        /// The operators, by name.
        operators: Vec<UnsupportedOperator>,
    },

    /// A file's content is at fault.
    #[error("{}: {problem}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: Box<Error>,
    },

    /// A file cannot be read or written.
    #[error("cannot {action} {}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `write`.
        action: &'static str,
        /// What the system says, and what to do about it.
        problem: String,
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

fn list_operators(operators: &[UnsupportedOperator]) -> String {
    const SHOWN: usize = 64;
    operators.iter().fold(String::new(), |mut text, UnsupportedOperator { operator, nodes }| {
        let shown: Vec<String> = nodes.iter().take(SHOWN).map(|node| format!("{node:?}")).collect();
        let _ = write!(text, "\n  {operator}: node {}", shown.join(", "));
        if nodes.len() > SHOWN {
            let _ = write!(text, " and {} more", nodes.len() - SHOWN);
        }
        if let Some(hint) = hint(operator) {
            let _ = write!(text, " ({hint})");
        }
        text
    })
}

/// What to do about an operator that no network here can have.
fn hint(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "RandomNormal" | "RandomNormalLike" | "RandomUniform" | "RandomUniformLike"
        | "Bernoulli" | "Multinomial" => {
            "it draws random numbers, so that no answer could be repeated; export the model for \
             inference, in Python after model.eval()"
        }
        "Loop" | "Scan" => "a loop; export the model with its steps written out",
        "LSTM" | "GRU" | "RNN" => "it reads sequences; here networks of images are read",
        "NonMaxSuppression" | "TopK" | "Unique" => {
            "how much it gives depends on the numbers; cut the model off before it, in Python with \
             onnx.utils.extract_model"
        }
        _ => return None,
    })
}
