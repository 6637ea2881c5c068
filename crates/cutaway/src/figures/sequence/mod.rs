//! Figures of networks that read sequences: how memory flows ([`flow`]), what the networks reach ([`runs`]),
//! and one sequence residue by residue ([`residues`]).

mod all;
pub(crate) mod flow;
pub(crate) mod residues;
pub(crate) mod runs;

pub(crate) use all::{
    all, by_length, by_padding, comparison, echo_figures, gradients, positions, strip,
    substitutions,
};

#[cfg(test)]
mod tests;

/// A network's place among all, which gives its colour in every figure, its name, and its result.
pub(crate) type Named<'a, T> = (usize, &'a str, &'a T);
