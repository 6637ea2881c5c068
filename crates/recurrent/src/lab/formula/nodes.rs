//! The formula as a list of nodes, each after the nodes it needs. No recursion, so that no formula
//! is too deep to be evaluated, and shared parts of the derivatives are computed once.

use super::{derivative, parser};
use crate::error::Result;

/// A loss and its derivatives by the outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    pub(super) text: String,
    /// Nodes of the formula, then those that only its derivatives need.
    pub(super) nodes: Vec<Node>,
    pub(super) root: usize,
    /// For each output the node of the derivative by it.
    pub(super) partials: Vec<usize>,
}

/// One operation; operands are places in the list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// A constant.
    Number(f64),
    /// An output of the network, from 0.
    Output(usize),
    /// `−a`
    Negative(usize),
    /// `a + b`
    Sum(usize, usize),
    /// `a − b`
    Difference(usize, usize),
    /// `a · b`
    Product(usize, usize),
    /// `a / b`
    Quotient(usize, usize),
    /// `a ^ b`
    Power(usize, usize),
    /// `f(a)`
    Call(Function, usize),
}

/// The functions that a formula may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are called what they are")]
pub enum Function {
    Exp,
    Ln,
    Log2,
    Log10,
    Sqrt,
    Abs,
    Sign,
    Sin,
    Cos,
    Tan,
    Sinh,
    Cosh,
    Tanh,
}

impl Function {
    /// All of them.
    pub const ALL: [Function; 13] = {
        use Function::*;
        [Exp, Ln, Log2, Log10, Sqrt, Abs, Sign, Sin, Cos, Tan, Sinh, Cosh, Tanh]
    };

    /// As it is written in a formula.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Function::Exp => "exp",
            Function::Ln => "ln",
            Function::Log2 => "log2",
            Function::Log10 => "log10",
            Function::Sqrt => "sqrt",
            Function::Abs => "abs",
            Function::Sign => "sign",
            Function::Sin => "sin",
            Function::Cos => "cos",
            Function::Tan => "tan",
            Function::Sinh => "sinh",
            Function::Cosh => "cosh",
            Function::Tanh => "tanh",
        }
    }

    fn value(self, x: f64) -> f64 {
        match self {
            Function::Exp => x.exp(),
            Function::Ln => x.ln(),
            Function::Log2 => x.log2(),
            Function::Log10 => x.log10(),
            Function::Sqrt => x.sqrt(),
            Function::Abs => x.abs(),
            Function::Sign if x == 0.0 => 0.0,
            Function::Sign => x.signum(),
            Function::Sin => x.sin(),
            Function::Cos => x.cos(),
            Function::Tan => x.tan(),
            Function::Sinh => x.sinh(),
            Function::Cosh => x.cosh(),
            Function::Tanh => x.tanh(),
        }
    }
}

impl Formula {
    /// Reads a formula over `outputs` outputs.
    ///
    /// # Errors
    /// [`Error::Formula`](crate::Error::Formula) with the column where it cannot be read.
    pub fn parse(text: &str, outputs: usize) -> Result<Formula> {
        let (nodes, root) = parser::parse(text, outputs)?;
        let mut formula = Formula { text: text.to_owned(), nodes, root, partials: Vec::new() };
        for output in 0..outputs {
            // An output that the formula does not mention takes no room.
            let partial = match formula.nodes[..=root].contains(&Node::Output(output)) {
                true => derivative::derive(&mut formula.nodes, root, output),
                false => formula.zero(),
            };
            formula.partials.push(partial);
        }
        Ok(formula)
    }

    /// The first node after the formula: the derivative by what it does not mention.
    fn zero(&mut self) -> usize {
        let place = self.root + 1;
        if self.nodes.len() == place {
            self.nodes.push(Node::Number(0.0));
        }
        place
    }

    /// As the user wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many operations a value and its derivatives take.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.nodes.len()
    }

    /// The value at the given outputs; not finite outside the formula's domain.
    #[must_use]
    pub fn value(&self, outputs: &[f64]) -> f64 {
        values(&self.nodes[..=self.root], outputs)[self.root]
    }

    /// The derivatives by the outputs, at the given outputs.
    #[must_use]
    pub fn gradient(&self, outputs: &[f64]) -> Vec<f64> {
        let values = values(&self.nodes, outputs);
        self.partials.iter().map(|&partial| values[partial]).collect()
    }
}

fn values(nodes: &[Node], outputs: &[f64]) -> Vec<f64> {
    let mut values = Vec::with_capacity(nodes.len());
    for node in nodes {
        let value = node_value(*node, &values, outputs);
        values.push(value);
    }
    values
}

/// The value of a node from those of the nodes before it.
pub(super) fn node_value(node: Node, values: &[f64], outputs: &[f64]) -> f64 {
    match node {
        Node::Number(number) => number,
        Node::Output(output) => outputs[output],
        Node::Negative(a) => -values[a],
        Node::Sum(a, b) => values[a] + values[b],
        Node::Difference(a, b) => values[a] - values[b],
        Node::Product(a, b) => values[a] * values[b],
        Node::Quotient(a, b) => values[a] / values[b],
        // A square is a product, to the last bit: what everybody else computes, too.
        Node::Power(a, b) if values[b] == 2.0 => values[a] * values[a],
        Node::Power(a, b) => values[a].powf(values[b]),
        Node::Call(function, a) => function.value(values[a]),
    }
}
