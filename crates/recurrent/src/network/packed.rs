//! Some sequences packed for a pass: sorted by length, aligned at the end of reading, no padding.

use std::ops::Range;

use cutaway_data::sequences::{Inputs, Sequences};
use cutaway_engine::cells::Steps;

use super::architecture::Architecture;
use crate::error::Result;

/// Sequences as the layers read them. Row `rows_of(t).start + i` is the `i`-th sequence's, in every way of reading.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    /// Indices into the data, the longest first.
    pub(crate) members: Vec<usize>,
    /// Steps of each, in the same order.
    pub(crate) lengths: Vec<usize>,
    steps: Option<Steps>,
    /// `[rows]` for each way of reading, where symbols are read.
    pub(crate) symbols: [Vec<u8>; 2],
    /// `[rows, width]` likewise, where values are read.
    pub(crate) values: [Vec<f32>; 2],
    /// The row of the same step of the same sequence in the opposite way of reading: its own inverse.
    pub(crate) partner: Vec<usize>,
}

impl Packed {
    /// Packs the sequences `members`, whatever their order.
    pub(crate) fn fill(
        &mut self,
        a: &Architecture,
        data: &Sequences,
        members: &[usize],
    ) -> Result<()> {
        self.members.clear();
        self.members.extend_from_slice(members);
        // Of equal lengths the first stays first: the order is that of the batch.
        self.members.sort_by_key(|&member| std::cmp::Reverse(data.length(member)));
        self.lengths.clear();
        self.lengths.extend(self.members.iter().map(|&member| data.length(member)));
        let steps = Steps::of_lengths(&self.lengths)?;
        for which in 0..a.directions() {
            self.read(data, &steps, which, a.is_reversed(which));
        }
        if a.directions() == 2 {
            self.pair(&steps);
        }
        self.steps = Some(steps);
        Ok(())
    }

    pub(crate) fn steps(&self) -> &Steps {
        self.steps.as_ref().expect("packed before it is run")
    }

    fn read(&mut self, data: &Sequences, steps: &Steps, which: usize, reversed: bool) {
        let longest = steps.len();
        // Where the `i`-th sequence is at step `t`.
        let place = |t: usize, length: usize| match reversed {
            true => longest - 1 - t,
            false => t + length - longest,
        };
        let rows = (0..longest).flat_map(|t| (0..steps.counts()[t]).map(move |i| (t, i)));
        match &data.inputs {
            Inputs::Symbols { sequences, .. } => {
                let (members, lengths) = (&self.members, &self.lengths);
                let symbol = |(t, i): (usize, usize)| sequences[members[i]][place(t, lengths[i])];
                self.symbols[which].clear();
                self.symbols[which].extend(rows.map(symbol));
            }
            Inputs::Values { width, sequences } => {
                self.values[which].clear();
                for (t, i) in rows {
                    let first = place(t, self.lengths[i]) * width;
                    let values = &sequences[self.members[i]][first..first + width];
                    self.values[which].extend_from_slice(values);
                }
            }
        }
    }

    fn pair(&mut self, steps: &Steps) {
        self.partner.clear();
        self.partner.resize(steps.rows(), 0);
        for t in 0..steps.len() {
            for row in steps.rows_of(t) {
                let i = row - steps.rows_of(t).start;
                let other = 2 * steps.len() - self.lengths[i] - 1 - t;
                self.partner[row] = steps.rows_of(other).start + i;
            }
        }
    }
}

/// Some steps of a pack: what is held in memory at once.
#[derive(Debug)]
pub(crate) struct Window {
    /// Of the pack.
    pub(crate) range: Range<usize>,
    pub(crate) steps: Steps,
    /// Of the pack.
    pub(crate) rows: Range<usize>,
}

impl Window {
    /// Cuts a pack into windows of `size` steps, counted from the end, so that every sequence's last steps are
    /// in one window; all of it where there is no size.
    pub(crate) fn cut(steps: &Steps, size: Option<usize>) -> Vec<Window> {
        let size = size.unwrap_or(steps.len()).min(steps.len());
        let first = steps.len() % size;
        let mut ends: Vec<usize> = (first..=steps.len()).step_by(size).collect();
        if first > 0 {
            ends.insert(0, 0);
        }
        let of = |pair: &[usize]| {
            let range = pair[0]..pair[1];
            let rows = steps.rows_of(range.start).start..steps.rows_of(range.end - 1).end;
            Window { steps: steps.slice(range.clone()), range, rows }
        };
        ends.windows(2).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_counted_from_the_end_and_leave_nothing_out() {
        let steps = Steps::of_lengths(&[7, 2]).unwrap();
        let ranges = |size| {
            let windows = Window::cut(&steps, size);
            windows.iter().map(|w| (w.range.clone(), w.rows.clone())).collect::<Vec<_>>()
        };
        assert_eq!(ranges(Some(3)), [(0..1, 0..1), (1..4, 1..4), (4..7, 4..9)]);
        assert_eq!(ranges(None), [(0..7, 0..9)]);
        assert_eq!(ranges(Some(100)), [(0..7, 0..9)]);
        assert_eq!(ranges(Some(1)).len(), 7);
    }
}
