//! Which symbols a decision hangs on: by its derivative (gradient × input: Shrikumar, Greenside, Shcherbina
//! and Kundaje 2016; for text Denil, Demiraj and de Freitas 2014), and by putting every other symbol in every
//! place and deciding anew (in silico mutagenesis: Zhou and Troyanskaya 2015).

use cutaway_engine::cells::Cell;
use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::Serialize;

use super::{Trajectory, at_most, size};
use crate::Matrix;
use crate::cells::Weights;
use crate::cells::reference::step;
use crate::error::{Error, Result};
use crate::matrix::{add_scaled, dot};

/// The most substitutions.
const LIMIT: usize = 10_000_000;
/// Sequences that are asked about at a time.
const BATCH: usize = 256;

/// The derivative of a decision by each symbol of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attribution {
    /// `‖∂y/∂x(t)‖`, `[steps]`.
    pub norms: Vec<f64>,
    /// `∂y/∂x(t) · (x(t) − x̄)` with `x̄` the mean of the embeddings: above 0 where this symbol, and no other,
    /// speaks for the decision, `[steps]`.
    pub signed: Vec<f64>,
    /// `∂y/∂x(t) · (e_s − x(t))`: what the derivative expects of putting symbol `s` there, `[steps][symbols]`;
    /// exact only for small changes. Compare [`Substitutions::changes`].
    pub expected: Vec<Vec<f64>>,
}

/// A symbol put in the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// Where, counted from 0.
    pub position: usize,
    /// What is put there.
    pub symbol: u8,
}

/// What every substitution does to the decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Substitutions {
    /// The symbols that were tried.
    pub symbols: Vec<u8>,
    /// The decision for the sequence as it is.
    pub decision: f64,
    /// The decision with the symbol in that place minus the decision as it is, `[symbols][steps]`; exactly 0
    /// where the symbol stands there anyway.
    pub changes: Vec<Vec<f64>>,
}

/// Something that gives a number for a sequence: the difference of two logits, a logit, a probability.
pub trait Decide {
    /// The decision for the sequence as it is.
    ///
    /// # Errors
    /// What keeps the network from running.
    fn decide(&self, sequence: &[u8]) -> Result<f64>;

    /// The decisions for the sequence with each one of the edits, apart from each other.
    ///
    /// # Errors
    /// What keeps the network from running.
    fn decide_edited(&self, sequence: &[u8], edits: &[Edit]) -> Result<Vec<f64>>;
}

/// Any function from sequences to decisions; it is asked about 256 at a time.
impl<F: Fn(&[Vec<u8>]) -> Result<Vec<f64>>> Decide for F {
    fn decide(&self, sequence: &[u8]) -> Result<f64> {
        let found = self(&[sequence.to_vec()])?;
        size("decisions for 1 sequence", 1, found.len())?;
        Ok(found[0])
    }

    fn decide_edited(&self, sequence: &[u8], edits: &[Edit]) -> Result<Vec<f64>> {
        let mut decisions = Vec::with_capacity(edits.len());
        for batch in edits.chunks(BATCH) {
            let edited = |edit: &Edit| {
                let mut copy = sequence.to_vec();
                copy[edit.position] = edit.symbol;
                copy
            };
            let sequences: Vec<Vec<u8>> = batch.iter().map(edited).collect();
            let found = self(&sequences)?;
            size(&format!("decisions for {} sequences", batch.len()), batch.len(), found.len())?;
            decisions.extend(found);
        }
        Ok(decisions)
    }
}

/// One layer that reads symbols and decides by its last state: `y = v · h(T)`. An edited sequence is run from
/// the edit on only, many of them side by side.
#[derive(Clone, Debug)]
pub struct Recurrent<'a> {
    /// The kind of cell.
    pub cell: Cell,
    /// Its weights.
    pub weights: &'a Weights,
    /// What each symbol is read as, `[symbols, inputs]`.
    pub embedding: &'a Matrix,
    /// `v`, `[hidden]`.
    pub readout: &'a [f64],
}

impl Decide for Recurrent<'_> {
    fn decide(&self, sequence: &[u8]) -> Result<f64> {
        let inputs = embed(self.embedding, sequence)?;
        let trajectory = Trajectory::new(self.cell, self.weights, &inputs)?;
        size("weights of the readout", trajectory.hidden(), self.readout.len())?;
        Ok(dot(self.readout, &trajectory.steps[trajectory.len() - 1].h))
    }

    fn decide_edited(&self, sequence: &[u8], edits: &[Edit]) -> Result<Vec<f64>> {
        let inputs = embed(self.embedding, sequence)?;
        let trajectory = Trajectory::new(self.cell, self.weights, &inputs)?;
        size("weights of the readout", trajectory.hidden(), self.readout.len())?;
        let symbols: Vec<u8> = edits.iter().map(|edit| edit.symbol).collect();
        embed(self.embedding, &symbols)?;
        let w = &self.weights.weight_hh;
        let w = DMatrix::from_row_slice(w.rows(), w.columns(), w.values());
        if let Some(edit) = edits.iter().find(|edit| edit.position >= sequence.len()) {
            return Err(Error::Size {
                what: "position of an edit".to_owned(),
                expected: format!("below {}, the steps of the sequence", sequence.len()),
                found: edit.position.to_string(),
            });
        }
        let mut order: Vec<usize> = (0..edits.len()).collect();
        order.sort_by_key(|&i| edits[i].position);
        let sorted: Vec<Edit> = order.iter().map(|&i| edits[i]).collect();
        let run = |batch: &[Edit]| self.run(&trajectory, sequence, &w, batch);
        let found = sorted.par_chunks(BATCH).map(run).collect::<Vec<_>>().concat();
        let mut decisions = vec![0.0; edits.len()];
        order.into_iter().zip(found).for_each(|(i, decision)| decisions[i] = decision);
        Ok(decisions)
    }
}

/// A sequence on its way from its edit.
struct Edited {
    h: Vec<f64>,
    c: Vec<f64>,
}

impl Recurrent<'_> {
    /// Runs edits by rising position: each joins at its position, in the state of the sequence as it is.
    fn run(
        &self,
        trajectory: &Trajectory<'_>,
        sequence: &[u8],
        w: &DMatrix<f64>,
        edits: &[Edit],
    ) -> Vec<f64> {
        let mut running: Vec<Edited> = Vec::with_capacity(edits.len());
        let first = edits.first().map_or(sequence.len(), |edit| edit.position);
        for (t, &symbol) in sequence.iter().enumerate().skip(first) {
            let (h, c) = trajectory.before(t);
            while edits.get(running.len()).is_some_and(|edit| edit.position == t) {
                running.push(Edited { h: h.to_vec(), c: c.to_vec() });
            }
            let states = running.iter().flat_map(|one| one.h.iter().copied());
            let states = DMatrix::from_iterator(h.len(), running.len(), states);
            let from_states = w * states;
            let unedited = self.read(symbol);
            let columns = running.iter_mut().zip(edits).zip(from_states.column_iter());
            for ((one, edit), from_state) in columns {
                let own = (edit.position == t).then(|| self.read(edit.symbol));
                let biased = from_state.iter().zip(&self.weights.bias_hh).map(|(a, b)| a + b);
                let from_input = own.as_ref().unwrap_or(&unedited);
                let step = step(self.cell, from_input, biased.collect(), &one.h, &one.c);
                (one.h, one.c) = (step.h, step.c);
            }
        }
        running.iter().map(|one| dot(self.readout, &one.h)).collect()
    }

    /// What a symbol gives to the gates.
    fn read(&self, symbol: u8) -> Vec<f64> {
        let mut sums = self.weights.weight_ih.times(self.embedding.row(usize::from(symbol)));
        add_scaled(&mut sums, 1.0, &self.weights.bias_ih);
        sums
    }
}

/// The rows of an embedding that a sequence reads, `[steps][inputs]`.
fn embed(embedding: &Matrix, sequence: &[u8]) -> Result<Vec<Vec<f64>>> {
    let row = |(t, &symbol): (usize, &u8)| {
        if usize::from(symbol) < embedding.rows() {
            return Ok(embedding.row(usize::from(symbol)).to_vec());
        }
        Err(Error::Size {
            what: format!("symbol at step {}", t + 1),
            expected: format!("below {}, the rows of the embedding", embedding.rows()),
            found: symbol.to_string(),
        })
    };
    sequence.iter().enumerate().map(row).collect()
}

/// What the derivative of a decision says about each symbol. `by_inputs` is `∂y/∂x(t)`, `[steps][inputs]`, as
/// [`backward`](crate::cells::reference::backward) gives it; `embedding` is `[symbols, inputs]`.
///
/// # Errors
/// [`Error::Size`] where sequence, derivatives and embedding do not fit.
pub fn attribution(
    embedding: &Matrix,
    sequence: &[u8],
    by_inputs: &[Vec<f64>],
) -> Result<Attribution> {
    size("derivatives by inputs", sequence.len(), by_inputs.len())?;
    let read = embed(embedding, sequence)?;
    let mut mean = vec![0.0; embedding.columns()];
    for symbol in 0..embedding.rows() {
        add_scaled(&mut mean, 1.0 / embedding.rows() as f64, embedding.row(symbol));
    }
    let mut out = Attribution { norms: vec![], signed: vec![], expected: vec![] };
    for (t, (by_input, x)) in by_inputs.iter().zip(&read).enumerate() {
        let what = format!("derivatives by input {}", t + 1);
        size(&what, embedding.columns(), by_input.len())?;
        out.norms.push(dot(by_input, by_input).sqrt());
        let here = dot(by_input, x);
        out.signed.push(here - dot(by_input, &mean));
        let other = |symbol: usize| dot(by_input, embedding.row(symbol)) - here;
        out.expected.push((0..embedding.rows()).map(other).collect());
    }
    Ok(out)
}

/// Puts each of `symbols` in each place of a sequence, one at a time, and decides anew.
///
/// # Errors
/// [`Error::Size`] for an empty sequence or no symbol, [`Error::TooLarge`] above ten million substitutions,
/// and what the network says.
pub fn substitutions(
    network: &impl Decide,
    sequence: &[u8],
    symbols: &[u8],
) -> Result<Substitutions> {
    if sequence.is_empty() || symbols.is_empty() {
        return Err(Error::Size {
            what: "substitutions".to_owned(),
            expected: "a sequence and symbols to put in its places".to_owned(),
            found: format!("{} steps, {} symbols", sequence.len(), symbols.len()),
        });
    }
    let count = sequence.len().saturating_mul(symbols.len());
    at_most("substitutions", LIMIT, count, "take a shorter sequence or fewer symbols")?;
    let places = sequence.iter().enumerate();
    let edits: Vec<Edit> = places
        .flat_map(|(position, &own)| {
            let others = symbols.iter().filter(move |&&symbol| symbol != own);
            others.map(move |&symbol| Edit { position, symbol })
        })
        .collect();
    let decision = network.decide(sequence)?;
    let decisions = network.decide_edited(sequence, &edits)?;
    size("decisions for substitutions", edits.len(), decisions.len())?;
    let mut changes = vec![vec![0.0; sequence.len()]; symbols.len()];
    for (edit, found) in edits.iter().zip(decisions) {
        // A symbol given twice has two rows.
        for (row, _) in symbols.iter().enumerate().filter(|(_, symbol)| **symbol == edit.symbol) {
            changes[row][edit.position] = found - decision;
        }
    }
    Ok(Substitutions { symbols: symbols.to_vec(), decision, changes })
}
