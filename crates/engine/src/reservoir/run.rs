//! A reservoir's way through a batch of sequences.

use rayon::prelude::*;

use super::chunk::Chunk;
use super::{Activation, Real, Weights};
use crate::kernels::reservoir::{Matrix, register_lanes, row_lanes};
use crate::{Error, Isa, Result};

/// What is read: sequences of any lengths, none of them empty.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a, R> {
    /// `[sequences][steps · inputs]`, step after step.
    Values(&'a [&'a [R]]),
    /// `[sequences][steps]`: symbol `s` is the input that is 1 at `s` and 0 elsewhere, column `s` of `W_in`.
    Symbols(&'a [&'a [u8]]),
}

impl<R> Input<'_, R> {
    /// Number of sequences.
    #[must_use]
    pub fn sequences(&self) -> usize {
        match self {
            Input::Values(sequences) => sequences.len(),
            Input::Symbols(sequences) => sequences.len(),
        }
    }

    /// Steps of a sequence.
    pub(super) fn length(&self, sequence: usize, width: usize) -> usize {
        match self {
            Input::Values(sequences) => sequences[sequence].len() / width,
            Input::Symbols(sequences) => sequences[sequence].len(),
        }
    }
}

/// How sequences are read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a, R> {
    /// The state before the first step, `[units]`; zeros where there is none.
    pub start: Option<&'a [R]>,
    /// From the last step to the first.
    pub reversed: bool,
}

impl<R> Default for Reading<'_, R> {
    fn default() -> Self {
        Reading { start: None, reversed: false }
    }
}

/// One vector of states for each sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Pooled<R> {
    /// After the step that is read last, `[sequences, units]`.
    pub last: Vec<R>,
    /// The mean over all steps, `[sequences, units]`.
    pub mean: Vec<R>,
}

/// A sequence, its last and its mean state.
type Ended<R> = (usize, Vec<R>, Vec<R>);

/// An echo state network, laid out for the kernels.
#[derive(Clone, Debug)]
pub struct Reservoir<R> {
    weights: Weights<R>,
    matrix: Matrix<R>,
    isa: Isa,
}

impl<R: Real> Reservoir<R> {
    /// Lays the weights out.
    ///
    /// # Errors
    /// [`Error::Sequences`] where sizes do not fit together, a weight is not finite or the leak is not in
    /// (0, 1]; [`Error::Isa`] for instructions that this machine lacks.
    pub fn new(weights: Weights<R>, isa: Isa) -> Result<Reservoir<R>> {
        check(&weights)?;
        if !isa.is_available() {
            let known = Isa::available().iter().map(ToString::to_string).collect();
            return Err(Error::Isa(isa, known));
        }
        let units = weights.bias.len();
        let row = |unit: usize| {
            let inputs = weights.input.row(unit).iter().map(|&(c, value)| (units + c, value));
            weights.recurrent.row(unit).iter().copied().chain(inputs).collect()
        };
        let rows: Vec<Vec<(usize, R)>> = (0..units).map(row).collect();
        let linear = weights.activation == Activation::Linear;
        let inputs = weights.input.columns();
        let matrix = Matrix::new(&rows, inputs, &weights.bias, weights.leak, linear, isa);
        Ok(Reservoir { weights, matrix, isa })
    }

    /// The weights.
    #[must_use]
    pub fn weights(&self) -> &Weights<R> {
        &self.weights
    }

    /// Number of units.
    #[must_use]
    pub fn units(&self) -> usize {
        self.weights.bias.len()
    }

    /// Number of inputs a step, or of symbols.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.weights.input.columns()
    }

    /// The last and the mean state of every sequence.
    ///
    /// # Errors
    /// [`Error::Sequences`] where a sequence is empty or does not fit the weights.
    pub fn pooled(&self, input: Input<'_, R>, reading: &Reading<'_, R>) -> Result<Pooled<R>> {
        self.check(input, reading)?;
        let (units, order) = (self.units(), self.longest_first(input));
        let parts: Vec<Vec<Ended<R>>> = self
            .chunks(&order)
            .into_par_iter()
            .map(|members| {
                let mut chunk = self.chunk(members, input, reading);
                let mut done = Vec::with_capacity(members.len());
                while chunk.advance().is_some() {
                    for lane in chunk.ended() {
                        let (mut last, mut mean) =
                            (vec![R::default(); units], vec![R::default(); units]);
                        chunk.state_into(lane, &mut last);
                        chunk.sum_into(lane, &mut mean);
                        let steps = R::rounded(chunk.time() as f64);
                        mean.iter_mut().for_each(|sum| *sum = sum.over(steps));
                        done.push((members[lane], last, mean));
                    }
                }
                done
            })
            .collect();
        let zeros = vec![R::default(); input.sequences() * units];
        let mut pooled = Pooled { last: zeros.clone(), mean: zeros };
        for (sequence, last, mean) in parts.into_iter().flatten() {
            let place = sequence * units..(sequence + 1) * units;
            pooled.last[place.clone()].copy_from_slice(&last);
            pooled.mean[place].copy_from_slice(&mean);
        }
        Ok(pooled)
    }

    /// Every state of every sequence in the order read, `[sequences][steps · units]`.
    ///
    /// # Errors
    /// As [`Self::pooled`].
    pub fn states(&self, input: Input<'_, R>, reading: &Reading<'_, R>) -> Result<Vec<Vec<R>>> {
        self.check(input, reading)?;
        let (units, order) = (self.units(), self.longest_first(input));
        let parts: Vec<Vec<(usize, Vec<R>)>> = self
            .chunks(&order)
            .into_par_iter()
            .map(|members| {
                let mut chunk = self.chunk(members, input, reading);
                let length = |s: usize| input.length(s, self.inputs()) * units;
                let mut all: Vec<Vec<R>> =
                    members.iter().map(|&s| vec![R::default(); length(s)]).collect();
                while chunk.advance().is_some() {
                    chunk.states_into(units, &mut all);
                }
                members.iter().copied().zip(all).collect()
            })
            .collect();
        let mut states = vec![Vec::new(); input.sequences()];
        for (sequence, of_it) in parts.into_iter().flatten() {
            states[sequence] = of_it;
        }
        Ok(states)
    }

    fn chunk<'a>(
        &'a self,
        members: &'a [usize],
        input: Input<'a, R>,
        reading: &Reading<'_, R>,
    ) -> Chunk<'a, R> {
        let sizes = (self.units(), self.inputs());
        Chunk::new((&self.matrix, self.isa), sizes, members, input, reading)
    }

    fn longest_first(&self, input: Input<'_, R>) -> Vec<usize> {
        let mut order: Vec<usize> = (0..input.sequences()).collect();
        order.sort_by_key(|&s| std::cmp::Reverse(input.length(s, self.inputs())));
        order
    }

    /// As few chunks as can hold all, as many for each thread, whole registers all but the last. The bits
    /// do not depend on who shares a chunk with whom.
    fn chunks<'a>(&self, order: &'a [usize]) -> Vec<&'a [usize]> {
        let lanes = register_lanes::<R>(self.isa);
        let registers = order.len().div_ceil(lanes);
        let full = row_lanes::<R>(self.isa) / lanes;
        let count = registers.div_ceil(full).next_multiple_of(rayon::current_num_threads().max(1));
        let first = |i: usize| (registers * i / count * lanes).min(order.len());
        let chunks = (0..count).map(|i| &order[first(i)..first(i + 1)]);
        chunks.filter(|members| !members.is_empty()).collect()
    }

    fn check(&self, input: Input<'_, R>, reading: &Reading<'_, R>) -> Result<()> {
        let inputs = self.inputs();
        let problem = |sequence: usize, problem: String| {
            Err(Error::Sequences(format!("sequence {sequence}: {problem}")))
        };
        for s in 0..input.sequences() {
            if input.length(s, inputs) == 0 {
                return problem(s, "expected at least one step, found none".to_owned());
            }
            match input {
                Input::Values(all) if all[s].len() % inputs != 0 => {
                    let found = all[s].len();
                    return problem(s, format!("{found} values are not steps of {inputs} each"));
                }
                Input::Symbols(all) => {
                    if let Some(symbol) = all[s].iter().find(|&&x| usize::from(x) >= inputs) {
                        let expected = format!("expected symbols below {inputs}, found {symbol}");
                        return problem(s, expected);
                    }
                }
                Input::Values(_) => {}
            }
        }
        match reading.start {
            Some(start) if start.len() != self.units() => Err(Error::Sequences(format!(
                "a start state: expected {} values, one a unit, found {}",
                self.units(),
                start.len()
            ))),
            _ => Ok(()),
        }
    }
}

fn check<R: Real>(weights: &Weights<R>) -> Result<()> {
    let units = weights.bias.len();
    let sizes = |matrix: &super::Sparse<R>| (matrix.rows(), matrix.columns());
    let inputs = weights.input.columns();
    if units == 0 || inputs == 0 {
        return Err(Error::Sequences(
            "a reservoir needs at least one unit and one input".to_owned(),
        ));
    }
    for (what, found, expected) in [
        ("W", sizes(&weights.recurrent), (units, units)),
        ("W_in", sizes(&weights.input), (units, inputs)),
    ] {
        if found != expected {
            return Err(Error::Sequences(format!(
                "{what} of a reservoir: expected {} × {} for {units} values in b, found {} × {}",
                expected.0, expected.1, found.0, found.1
            )));
        }
    }
    let finite = |matrix: &super::Sparse<R>| {
        (0..units).all(|r| matrix.row(r).iter().all(|&(_, x)| x.into().is_finite()))
    };
    let bias = weights.bias.iter().all(|&x| x.into().is_finite());
    if !bias || !finite(&weights.recurrent) || !finite(&weights.input) {
        return Err(Error::Sequences(
            "the weights of a reservoir: expected finite numbers, found infinity or NaN".to_owned(),
        ));
    }
    let leak: f64 = weights.leak.into();
    if !(leak > 0.0 && leak <= 1.0) {
        return Err(Error::Sequences(format!(
            "the leak of a reservoir: expected a number above 0 and up to 1, found {leak}"
        )));
    }
    Ok(())
}
