//! From states over time to what the head reads, and back.

use super::architecture::{Architecture, Readout};
use super::packed::{Packed, Window};
use super::stack::Stack;

/// The features of the sequences of a pack, `[sequences, features]`, gathered window after window.
#[derive(Debug, Default)]
pub(crate) struct Features {
    pub(crate) values: Vec<f32>,
    pub(crate) by_values: Vec<f32>,
    /// For the maximum: the row that has it, in the pack.
    rows: Vec<usize>,
}

impl Features {
    pub(crate) fn start(&mut self, a: &Architecture, sequences: usize) {
        let first = if a.readout == Readout::Max { f32::NEG_INFINITY } else { 0.0 };
        self.values.clear();
        self.values.resize(sequences * a.features(), first);
        self.rows.clear();
        self.rows.resize(if a.readout == Readout::Max { self.values.len() } else { 0 }, 0);
    }

    /// Takes what a window's states give.
    pub(crate) fn gather(&mut self, a: &Architecture, stack: &Stack, window: &Window) {
        let (n, width) = (a.hidden, a.features());
        let top = (a.layers - 1) * a.directions();
        for which in 0..a.directions() {
            let (tape, first) = (&stack.tapes[top + which], which * n);
            match a.readout {
                Readout::Last => {
                    let last = tape.last_states(&window.steps);
                    let values = self.values.chunks_exact_mut(width);
                    values
                        .zip(last.chunks_exact(n))
                        .for_each(|(out, h)| out[first..first + n].copy_from_slice(h));
                }
                Readout::Mean => for_each_row(window, n, tape.states(), |i, _, h| {
                    let out = &mut self.values[i * width + first..][..n];
                    out.iter_mut().zip(h).for_each(|(o, h)| *o += h);
                }),
                Readout::Max => for_each_row(window, n, tape.states(), |i, row, h| {
                    let place = i * width + first..i * width + first + n;
                    let out = self.values[place.clone()].iter_mut().zip(&mut self.rows[place]);
                    for ((largest, at), &h) in out.zip(h) {
                        if h > *largest || h.is_nan() {
                            (*largest, *at) = (h, row);
                        }
                    }
                }),
                Readout::EveryStep => {}
            }
        }
    }

    /// After the last window.
    pub(crate) fn finish(&mut self, a: &Architecture, packed: &Packed) {
        if a.readout == Readout::Mean {
            divide(&mut self.values, a.features(), &packed.lengths);
        }
    }

    /// Before the first window on the way back; [`Self::by_values`] holds the derivatives.
    pub(crate) fn start_back(&mut self, a: &Architecture, packed: &Packed) {
        if a.readout == Readout::Mean {
            divide(&mut self.by_values, a.features(), &packed.lengths);
        }
    }

    /// Hands a window's states their part of the derivatives; of last states, the last window's.
    pub(crate) fn scatter(&self, a: &Architecture, stack: &mut Stack, window: &Window) {
        let (n, width) = (a.hidden, a.features());
        let top = (a.layers - 1) * a.directions();
        for which in 0..a.directions() {
            let first = which * n;
            let by = &mut stack.by_states[top + which];
            by.clear();
            // The last states alone need no derivative by the others: the layer takes it that way.
            let rows = if a.readout == Readout::Last { 0 } else { window.steps.rows() };
            by.resize(rows * n, 0.0);
            let of = |i: usize| &self.by_values[i * width + first..][..n];
            match a.readout {
                Readout::Last => {
                    (0..window.steps.sequences()).for_each(|i| by.extend_from_slice(of(i)))
                }
                Readout::Mean => for_each_row_mut(window, n, by, |i, by| by.copy_from_slice(of(i))),
                Readout::Max => {
                    let sequences = window.steps.sequences();
                    for i in 0..sequences {
                        for (j, &value) in of(i).iter().enumerate() {
                            let row = self.rows[i * width + first + j];
                            if window.rows.contains(&row) {
                                by[(row - window.rows.start) * n + j] += value;
                            }
                        }
                    }
                }
                Readout::EveryStep => {}
            }
        }
    }
}

fn divide(values: &mut [f32], width: usize, lengths: &[usize]) {
    for (row, &length) in values.chunks_exact_mut(width).zip(lengths) {
        row.iter_mut().for_each(|value| *value /= length as f32);
    }
}

/// Calls with the sequence's place, the row in the pack and the state.
fn for_each_row(
    window: &Window,
    n: usize,
    states: &[f32],
    mut call: impl FnMut(usize, usize, &[f32]),
) {
    for t in 0..window.steps.len() {
        let rows = window.steps.rows_of(t);
        for row in rows.clone() {
            call(row - rows.start, window.rows.start + row, &states[row * n..(row + 1) * n]);
        }
    }
}

fn for_each_row_mut(
    window: &Window,
    n: usize,
    values: &mut [f32],
    mut call: impl FnMut(usize, &mut [f32]),
) {
    for t in 0..window.steps.len() {
        let rows = window.steps.rows_of(t);
        for row in rows.clone() {
            call(row - rows.start, &mut values[row * n..(row + 1) * n]);
        }
    }
}
