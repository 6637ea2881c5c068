//! What a group of edits changes of an activation, beside the base's.

use std::borrow::Cow;
use std::ops::Range;

use crate::kernels::Isa;
use crate::layers::pointwise;
use crate::layers::region::{Region, Window};

/// The base's value of a node and where a group of edits differs from it.
#[derive(Default)]
pub(super) struct Patches {
    /// For each edit, what it can have changed.
    pub(super) reached: Vec<Region>,
    /// What stands here: at least that.
    pub(super) held: Vec<Region>,
    /// Where each edit's numbers start; one past the end last.
    pub(super) starts: Vec<usize>,
    /// The numbers, perhaps more: `[height, width, channels]` of each edit, one after the other.
    pub(super) values: Vec<f32>,
}

impl Patches {
    /// Room for what is `held`, in memory that was something else.
    pub(super) fn new(
        reached: Vec<Region>,
        held: Vec<Region>,
        channels: usize,
        mut values: Vec<f32>,
    ) -> Patches {
        let mut starts = vec![0];
        for region in &held {
            starts.push(starts[starts.len() - 1] + region.area() * channels);
        }
        let len = starts[held.len()];
        if values.len() < len {
            values.resize(len, 0.0);
        }
        Patches { reached, held, starts, values }
    }

    pub(super) fn len(&self) -> usize {
        self.starts[self.held.len()]
    }

    /// All that is held.
    pub(super) fn all(&self) -> &[f32] {
        &self.values[..self.len()]
    }

    pub(super) fn all_mut(&mut self) -> &mut [f32] {
        let len = self.len();
        &mut self.values[..len]
    }

    pub(super) fn of(&self, slot: usize) -> &[f32] {
        &self.values[self.starts[slot]..self.starts[slot + 1]]
    }

    pub(super) fn of_mut(&mut self, slot: usize) -> &mut [f32] {
        &mut self.values[self.starts[slot]..self.starts[slot + 1]]
    }
}

/// An activation of a group: the base's and what is patched.
#[derive(Clone, Copy)]
pub(super) struct Patched<'a> {
    pub(super) base: &'a [f32],
    /// Height, width and channels.
    pub(super) size: [usize; 3],
    pub(super) patches: &'a Patches,
}

impl<'a> Patched<'a> {
    /// A stretch of a row of one edit's value, which lies in the image: base, patch, base.
    fn row(&self, slot: usize, y: usize, columns: Range<usize>) -> [&'a [f32]; 3] {
        let [_, width, channels] = self.size;
        let held = self.patches.held[slot];
        let base = |x: Range<usize>| {
            &self.base[(y * width + x.start) * channels..(y * width + x.end) * channels]
        };
        if held.is_empty() || !(held.top..held.bottom).contains(&y) {
            return [base(columns), &[], &[]];
        }
        let from = held.left.clamp(columns.start, columns.end);
        let to = held.right.clamp(columns.start, columns.end);
        if from == to {
            return [base(columns), &[], &[]];
        }
        let first = (y - held.top) * (held.right - held.left);
        let patch = (first + from - held.left) * channels..(first + to - held.left) * channels;
        [base(columns.start..from), &self.patches.of(slot)[patch], base(to..columns.end)]
    }

    /// Adds a region of each edit's value to `y`, which holds them one after the other.
    pub(super) fn add(&self, isa: Isa, regions: &[Region], y: &mut [f32]) {
        if self.patches.held == regions {
            return pointwise::add(isa, self.patches.all(), y);
        }
        let mut rest = y;
        for (slot, region) in regions.iter().enumerate().filter(|(_, region)| !region.is_empty()) {
            for line in region.top..region.bottom {
                for piece in self.row(slot, line, region.left..region.right) {
                    let (out, after) = rest.split_at_mut(piece.len());
                    if !piece.is_empty() {
                        pointwise::add(isa, piece, out);
                    }
                    rest = after;
                }
            }
        }
    }

    /// Copies a window of one edit's value, its lines `line` pixels apart; what lies outside is 0.
    pub(super) fn copy(&self, slot: usize, window: Window, line: usize, out: &mut [f32]) {
        let [height, width, channels] = self.size;
        let inside = |at: isize, limit: usize| at.clamp(0, limit as isize) as usize;
        let left = inside(window.left, width);
        let right = inside(window.left + window.width as isize, width);
        let place = |x: usize| (x as isize - window.left) as usize * channels;
        for (row, out) in out.chunks_mut(line * channels).enumerate().take(window.height) {
            let out = &mut out[..window.width * channels];
            let y = window.top + row as isize;
            if y < 0 || y >= height as isize || left >= right {
                out.fill(0.0);
                continue;
            }
            out[..place(left)].fill(0.0);
            out[place(right)..].fill(0.0);
            let mut rest = &mut out[place(left)..place(right)];
            for piece in self.row(slot, y as usize, left..right) {
                let (out, after) = rest.split_at_mut(piece.len());
                out.copy_from_slice(piece);
                rest = after;
            }
        }
    }

    /// A region of each edit's value, one after the other.
    pub(super) fn regions(&self, regions: &[Region]) -> Cow<'a, [f32]> {
        if self.patches.held == regions {
            return Cow::Borrowed(self.patches.all());
        }
        let channels = self.size[2];
        let len: usize = regions.iter().map(|region| region.area() * channels).sum();
        let mut values = vec![0.0; len];
        let mut rest = &mut values[..];
        for (slot, &region) in regions.iter().enumerate() {
            let (out, after) = rest.split_at_mut(region.area() * channels);
            if !region.is_empty() {
                self.copy(slot, region.into(), region.right - region.left, out);
            }
            rest = after;
        }
        Cow::Owned(values)
    }
}
