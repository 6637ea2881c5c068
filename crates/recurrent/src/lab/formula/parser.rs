//! From tokens to nodes, by recursive descent:
//!
//! ```text
//! sum     = product { ("+" | "-") product }
//! product = signed { ("*" | "/") signed }
//! signed  = ("-" | "+") signed | power
//! power   = atom [ "^" signed ]
//! atom    = number | output | constant | function "(" sum ")" | "(" sum ")"
//! ```

use super::lexer::{Placed, Token, tokens};
use super::nodes::{Function, Node};
use crate::error::{Error, Result};

/// The longest formula, in bytes.
const LONGEST: usize = 2000;
/// The deepest nesting: more than anybody writes, and far from the end of the stack.
const DEEPEST: usize = 100;

/// The nodes of a formula over `outputs` outputs, and the place of its value.
pub(super) fn parse(text: &str, outputs: usize) -> Result<(Vec<Node>, usize)> {
    if text.len() > LONGEST {
        return Err(Error::TooLarge {
            what: "the loss".into(),
            found: format!("{} bytes", text.len()),
            limit: format!("{LONGEST} bytes"),
            advice: "write a shorter formula",
        });
    }
    let run = || {
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens, at: 0, depth: 0, outputs, nodes: Vec::new() };
        let root = parser.sum()?;
        match parser.peek() {
            Token::End => Ok((parser.nodes, root)),
            Token::Sign(')') => Err(parser.fail("this ')' closes nothing")),
            _ => Err(parser.expected("an operator or the end")),
        }
    };
    run().map_err(|(column, problem)| Error::Formula { formula: one_line(text), column, problem })
}

/// The formula with each character one column wide, so that the mark under it is at its place.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

type Parsed<T> = std::result::Result<T, (usize, String)>;

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    depth: usize,
    outputs: usize,
    nodes: Vec<Node>,
}

impl Parser {
    fn sum(&mut self) -> Parsed<usize> {
        let mut left = self.product()?;
        loop {
            if self.take('+') {
                let right = self.product()?;
                left = self.push(Node::Sum(left, right));
            } else if self.take('-') {
                let right = self.product()?;
                left = self.push(Node::Difference(left, right));
            } else {
                return Ok(left);
            }
        }
    }

    fn product(&mut self) -> Parsed<usize> {
        let mut left = self.signed()?;
        loop {
            if self.take('*') {
                let right = self.signed()?;
                left = self.push(Node::Product(left, right));
            } else if self.take('/') {
                let right = self.signed()?;
                left = self.push(Node::Quotient(left, right));
            } else {
                return Ok(left);
            }
        }
    }

    fn signed(&mut self) -> Parsed<usize> {
        self.deeper(|parser| {
            if parser.take('-') {
                let operand = parser.signed()?;
                return Ok(match parser.nodes[operand] {
                    Node::Number(number) => parser.push(Node::Number(-number)),
                    _ => parser.push(Node::Negative(operand)),
                });
            }
            if parser.take('+') { parser.signed() } else { parser.power() }
        })
    }

    fn power(&mut self) -> Parsed<usize> {
        let base = self.atom()?;
        if !self.take('^') {
            return Ok(base);
        }
        let exponent = self.signed()?;
        Ok(self.push(Node::Power(base, exponent)))
    }

    fn atom(&mut self) -> Parsed<usize> {
        match self.peek().clone() {
            Token::Number(number) => {
                self.at += 1;
                Ok(self.push(Node::Number(number)))
            }
            Token::Name(name) => self.named(&name),
            Token::Sign('(') => self.parenthesis(),
            _ => Err(self.expected("a number, an output such as y1, a function or '('")),
        }
    }

    fn named(&mut self, name: &str) -> Parsed<usize> {
        if let Some(function) = Function::ALL.into_iter().find(|f| f.name() == name) {
            self.at += 1;
            if *self.peek() != Token::Sign('(') {
                return Err(self.expected(&format!("'(' after {name}")));
            }
            let argument = self.parenthesis()?;
            return Ok(self.push(Node::Call(function, argument)));
        }
        let node = match name {
            "pi" => Node::Number(std::f64::consts::PI),
            "e" => Node::Number(std::f64::consts::E),
            _ => Node::Output(self.output(name)?),
        };
        self.at += 1;
        Ok(self.push(node))
    }

    /// `y3` is output 2.
    fn output(&self, name: &str) -> Parsed<usize> {
        let range = match self.outputs {
            1 => "the network's only output is y1".to_owned(),
            n => format!("the network's outputs are y1 to y{n}"),
        };
        let digits = name.strip_prefix('y').filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
        let Some(digits) = digits.filter(|d| !d.is_empty() && !d.starts_with('0')) else {
            let functions: Vec<&str> = Function::ALL.iter().map(|f| f.name()).collect();
            return Err(self.fail(&format!(
                "'{name}' is unknown: {range}, the constants pi and e, the functions {}",
                functions.join(", ")
            )));
        };
        let number = digits.parse::<usize>().ok().filter(|n| (1..=self.outputs).contains(n));
        let number = number.ok_or_else(|| self.fail(&format!("there is no '{name}': {range}")))?;
        Ok(number - 1)
    }

    fn parenthesis(&mut self) -> Parsed<usize> {
        let opened = self.tokens[self.at].1;
        self.at += 1;
        let inside = self.deeper(Parser::sum)?;
        if self.take(')') {
            return Ok(inside);
        }
        match self.peek() {
            Token::End => Err((opened, "this '(' is never closed".into())),
            _ => Err(self.expected("an operator or ')'")),
        }
    }

    fn deeper(&mut self, parse: impl FnOnce(&mut Parser) -> Parsed<usize>) -> Parsed<usize> {
        if self.depth == DEEPEST {
            return Err(self.fail(&format!("nested more than {DEEPEST} deep; write it flatter")));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn take(&mut self, sign: char) -> bool {
        let found = *self.peek() == Token::Sign(sign);
        self.at += usize::from(found);
        found
    }

    fn expected(&self, what: &str) -> (usize, String) {
        let found = match self.peek() {
            Token::End => "the formula ends".to_owned(),
            Token::Number(number) => format!("found the number {number}"),
            Token::Name(name) => format!("found '{name}'"),
            Token::Sign(sign) => format!("found '{sign}'"),
        };
        self.fail(&format!("expected {what}, {found}"))
    }

    fn fail(&self, problem: &str) -> (usize, String) {
        (self.tokens[self.at].1, problem.to_owned())
    }
}
