//! A loss as the user writes it: a formula over the outputs `y1`, `y2`, …, with exact derivatives.
//!
//! Numbers (`0.5`, `1e-3`), `+ - * / ^`, parentheses, `pi`, `e` and the functions `exp`, `ln`, `log2`,
//! `log10`, `sqrt`, `abs`, `sign`, `sin`, `cos`, `tan`, `sinh`, `cosh`, `tanh`. As in mathematics `-y1^2` is
//! `-(y1^2)` and `2^3^2` is `2^(3^2)`.

mod derivative;
mod lexer;
mod nodes;
mod parser;
mod write;

pub use nodes::{Formula, Function, Node};

#[cfg(test)]
mod tests;
