//! Some sequences side by side, a lane each.

use super::Real;
use super::run::{Input, Reading};
use crate::Isa;
use crate::kernels::reservoir::{Matrix, row_lanes};

/// The running states of some sequences, the longest first: those that run are always the first lanes.
pub(super) struct Chunk<'a, R> {
    matrix: &'a Matrix<R>,
    input: Input<'a, R>,
    width: usize,
    reversed: bool,
    members: &'a [usize],
    lengths: Vec<usize>,
    lanes: usize,
    /// How many steps are done.
    time: usize,
    /// Sequences that have not ended before this step.
    running: usize,
    state: Rows<R>,
    next: Rows<R>,
    sums: Rows<R>,
}

impl<'a, R: Real> Chunk<'a, R> {
    pub(super) fn new(
        (matrix, isa): (&'a Matrix<R>, Isa),
        (units, width): (usize, usize),
        members: &'a [usize],
        input: Input<'a, R>,
        reading: &Reading<'_, R>,
    ) -> Chunk<'a, R> {
        let lanes = row_lanes::<R>(isa);
        debug_assert!(members.len() <= lanes);
        let mut state = Rows::zeros((units + width) * lanes);
        if let Some(start) = reading.start {
            for (row, &h) in state.all_mut().chunks_exact_mut(lanes).zip(start) {
                row.fill(h);
            }
        }
        Chunk {
            matrix,
            input,
            width,
            reversed: reading.reversed,
            lengths: members.iter().map(|&s| input.length(s, width)).collect(),
            members,
            lanes,
            time: 0,
            running: members.len(),
            next: Rows::zeros((units + width) * lanes),
            state,
            sums: Rows::zeros(units * lanes),
        }
    }

    /// Goes on by one step; none where all sequences have ended.
    pub(super) fn advance(&mut self) -> Option<()> {
        while self.running > 0 && self.lengths[self.running - 1] <= self.time {
            self.running -= 1;
        }
        if self.running == 0 {
            return None;
        }
        self.read();
        let (next, sums) = (self.next.all_mut(), self.sums.all_mut());
        self.matrix.step(self.running, self.state.all(), next, sums);
        // A symbol is a 1 among zeros: it goes before the next one comes.
        if let Input::Symbols(_) = self.input {
            self.each_symbol(R::default());
        }
        std::mem::swap(&mut self.state, &mut self.next);
        self.time += 1;
        Some(())
    }

    /// Where in its sequence a lane reads.
    fn place(&self, lane: usize) -> usize {
        if self.reversed { self.lengths[lane] - 1 - self.time } else { self.time }
    }

    /// The inputs of this step, into the rows below the units'.
    fn read(&mut self) {
        match self.input {
            Input::Symbols(_) => self.each_symbol(R::rounded(1.0)),
            Input::Values(sequences) => {
                let first = self.first_input();
                for lane in 0..self.running {
                    let place = self.place(lane) * self.width;
                    let values = &sequences[self.members[lane]][place..place + self.width];
                    for (i, &x) in values.iter().enumerate() {
                        self.state.all_mut()[first + i * self.lanes + lane] = x;
                    }
                }
            }
        }
    }

    /// Where the rows of the inputs begin.
    fn first_input(&self) -> usize {
        self.state.all().len() - self.width * self.lanes
    }

    fn each_symbol(&mut self, value: R) {
        let Input::Symbols(sequences) = self.input else { return };
        let first = self.first_input();
        for lane in 0..self.running {
            let symbol = usize::from(sequences[self.members[lane]][self.place(lane)]);
            self.state.all_mut()[first + symbol * self.lanes + lane] = value;
        }
    }

    /// The lanes whose sequence took its last step just now.
    pub(super) fn ended(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.running).rev().take_while(|&lane| self.lengths[lane] == self.time)
    }

    /// How many steps are done.
    pub(super) fn time(&self) -> usize {
        self.time
    }

    /// The state of a lane.
    pub(super) fn state_into(&self, lane: usize, out: &mut [R]) {
        column(self.state.all(), self.lanes, lane, out);
    }

    /// The states of all lanes that took a step just now, each to its place in what its sequence gives.
    pub(super) fn states_into(&self, units: usize, all: &mut [Vec<R>]) {
        // Some rows for all lanes, then the next: a row is read while it is near, and written in one piece.
        const ROWS: usize = 8;
        let step = (self.time - 1) * units;
        let states = &self.state.all()[..units * self.lanes];
        for (block, rows) in states.chunks(ROWS * self.lanes).enumerate() {
            let first = step + block * ROWS;
            let count = rows.len() / self.lanes;
            for (lane, all) in all[..self.running].iter_mut().enumerate() {
                column(rows, self.lanes, lane, &mut all[first..first + count]);
            }
        }
    }

    /// The sum of all states of a lane so far.
    pub(super) fn sum_into(&self, lane: usize, out: &mut [R]) {
        column(self.sums.all(), self.lanes, lane, out);
    }
}

fn column<R: Copy>(rows: &[R], lanes: usize, lane: usize, out: &mut [R]) {
    for (out, row) in out.iter_mut().zip(rows.chunks_exact(lanes)) {
        *out = row[lane];
    }
}

/// Numbers that begin at a cache line: a register that lies across two costs two reads.
struct Rows<R> {
    buffer: Vec<R>,
    start: usize,
    length: usize,
}

impl<R: Real> Rows<R> {
    fn zeros(length: usize) -> Rows<R> {
        const LINE: usize = 64;
        let buffer = vec![R::default(); length + LINE / size_of::<R>()];
        // It may be told as unknown, and then is any place as good.
        let start = buffer.as_ptr().align_offset(LINE).min(buffer.len() - length);
        Rows { buffer, start, length }
    }

    fn all(&self) -> &[R] {
        &self.buffer[self.start..self.start + self.length]
    }

    fn all_mut(&mut self) -> &mut [R] {
        &mut self.buffer[self.start..self.start + self.length]
    }
}
