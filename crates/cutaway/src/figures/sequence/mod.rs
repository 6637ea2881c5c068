//! Figures of networks that read sequences: how memory flows ([`flow`]), what the networks reach ([`runs`]),
//! and one sequence residue by residue ([`residues`]).

pub(crate) mod flow;
pub(crate) mod residues;
pub(crate) mod runs;

#[cfg(test)]
mod tests;

/// A result with the name of its network.
pub(crate) type Named<'a, T> = (&'a str, &'a T);
