//! Figures of networks that read sequences: how memory flows ([`flow`]), what the networks reach ([`runs`]),
//! and one sequence residue by residue ([`residues`]).

pub(crate) mod flow;
pub(crate) mod residues;
pub(crate) mod runs;

#[cfg(test)]
mod tests;

/// A network's place among all, which gives its colour in every figure, its name, and its result.
pub(crate) type Named<'a, T> = (usize, &'a str, &'a T);
