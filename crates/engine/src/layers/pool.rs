//! Pooling over windows, channels innermost.

use crate::kernels::{Isa, Kernel, dispatch, vector::Vector};
use crate::layers::region::{Region, Sliding};
use rayon::prelude::*;

/// Numbers of an input from which on threads share it.
const SPLIT_NUMBERS: usize = 1 << 16;

/// What a window becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduce {
    Max,
    /// Padding is not counted.
    Mean,
}

/// Sizes and attributes, per sample; images are `[height, width, channels]`.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) isa: Isa,
    pub(crate) reduce: Reduce,
    pub(crate) input: [usize; 3],
    pub(crate) output: [usize; 3],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    /// Top, left, bottom, right.
    pub(crate) padding: [usize; 4],
}

impl Pool {
    /// Rows and columns of the input that window (y, x) covers.
    #[inline(always)]
    fn window(&self, y: usize, x: usize) -> [std::ops::Range<usize>; 2] {
        let range = |o: usize, axis: usize| {
            let start = o * self.stride[axis];
            let pad = self.padding[axis];
            let end = (start + self.kernel[axis]).saturating_sub(pad).min(self.input[axis]);
            start.saturating_sub(pad).min(end)..end
        };
        [range(y, 0), range(x, 1)]
    }

    /// Calls `f(output offset, image, window)` for every output pixel of `n` images.
    #[inline(always)]
    fn each(
        &self,
        n: usize,
        region: Region,
        mut f: impl FnMut(usize, usize, [std::ops::Range<usize>; 2]),
    ) {
        let (c, mut at) = (self.output[2], 0);
        for image in 0..n {
            for y in region.top..region.bottom {
                for x in region.left..region.right {
                    f(at, image, self.window(y, x));
                    at += c;
                }
            }
        }
    }

    #[inline(always)]
    fn offset(&self, image: usize, y: usize, x: usize) -> usize {
        let [h, w, c] = self.input;
        ((image * h + y) * w + x) * c
    }

    /// Threads may share a large image.
    pub(crate) fn forward(&self, n: usize, x: &[f32], y: &mut [f32], split: usize) {
        let (region, held) = (self.whole(), Region::whole([self.input[0], self.input[1]]));
        if split == 1 || n > 1 || x.len() < SPLIT_NUMBERS {
            // SAFETY: the kernel has no conditions.
            return unsafe { dispatch(self.isa, Forward { pool: self, n, region, held, x, y }) };
        }
        let line = self.output[1] * self.output[2];
        let lines = self.output[0].div_ceil(split);
        y.par_chunks_mut(lines * line).enumerate().for_each(|(part, y)| {
            let top = part * lines;
            let region = Region { top, bottom: (top + lines).min(region.bottom), ..region };
            // SAFETY: the kernel has no conditions.
            unsafe { dispatch(self.isa, Forward { pool: self, n, region, held, x, y }) }
        });
    }

    /// Computes a region of one image's output, which is all of `y`, from the part of its input in `x`.
    pub(crate) fn forward_part(&self, x: &[f32], held: Region, y: &mut [f32], region: Region) {
        // SAFETY: the kernel has no conditions.
        unsafe { dispatch(self.isa, Forward { pool: self, n: 1, region, held, x, y }) }
    }

    /// The part of the input that a region of the output is made of.
    pub(crate) fn seen(&self, region: Region) -> Region {
        let [rows, cols] = self.window(region.top, region.left);
        let [last_rows, last_cols] = self.window(region.bottom - 1, region.right - 1);
        let (top, left) = (rows.start, cols.start);
        Region { top, left, bottom: last_rows.end.max(top), right: last_cols.end.max(left) }
    }

    fn whole(&self) -> Region {
        Region::whole([self.output[0], self.output[1]])
    }

    pub(crate) fn sliding(&self) -> Sliding {
        Sliding {
            extent: self.kernel,
            stride: self.stride,
            padding: [self.padding[0], self.padding[1]],
            output: [self.output[0], self.output[1]],
        }
    }

    /// Adds the gradient of the input. Of equal maxima the first in scan order gets it.
    pub(crate) fn backward(&self, n: usize, x: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32]) {
        // SAFETY: the kernel has no conditions.
        unsafe { dispatch(self.isa, Backward { pool: self, n, x, y, dy, dx }) }
    }
}

struct Forward<'a> {
    pool: &'a Pool,
    n: usize,
    region: Region,
    /// What of each input is in `x`.
    held: Region,
    x: &'a [f32],
    /// The region of each image, and nothing else.
    y: &'a mut [f32],
}

/// Channels handled at once, so that what becomes of them stays in registers.
const CHANNELS: usize = 32;

// Plain loops over channels by index: `dispatch` lets the compiler vectorise them for the machine.
#[allow(clippy::needless_range_loop)]
impl Kernel for Forward<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Forward { pool, n, region, held, x, y } = self;
        let c = pool.output[2];
        let width_held = held.right - held.left;
        let lines_held = held.bottom - held.top;
        let offset = |image: usize, row: usize, col: usize| {
            ((image * lines_held + row - held.top) * width_held + col - held.left) * c
        };
        pool.each(n, region, |at, image, [rows, cols]| {
            let count = (rows.len() * cols.len()).max(1) as f32;
            for first in (0..c).step_by(CHANNELS) {
                let width = CHANNELS.min(c - first);
                let mut reduced = match pool.reduce {
                    Reduce::Max => [f32::NEG_INFINITY; CHANNELS],
                    Reduce::Mean => [0.0; CHANNELS],
                };
                for row in rows.clone() {
                    for col in cols.clone() {
                        let from = offset(image, row, col) + first;
                        let pixel = &x[from..from + width];
                        match (pool.reduce, <&[f32; CHANNELS]>::try_from(pixel)) {
                            (Reduce::Max, Ok(pixel)) => larger(pixel, &mut reduced),
                            (Reduce::Max, Err(_)) => larger(pixel, &mut reduced[..width]),
                            (Reduce::Mean, _) => {
                                for i in 0..width {
                                    reduced[i] += pixel[i];
                                }
                            }
                        }
                    }
                }
                if pool.reduce == Reduce::Mean {
                    reduced.iter_mut().for_each(|value| *value /= count);
                }
                y[at + first..at + first + width].copy_from_slice(&reduced[..width]);
            }
        });
    }
}

/// Takes the larger of each pair; a NaN wins and is never displaced.
#[inline(always)]
fn larger(x: &[f32], most: &mut [f32]) {
    for i in 0..most.len() {
        most[i] = if x[i] > most[i] || x[i].is_nan() { x[i] } else { most[i] };
    }
}

struct Backward<'a> {
    pool: &'a Pool,
    n: usize,
    x: &'a [f32],
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Backward { pool, n, x, y, dy, dx } = self;
        let c = pool.output[2];
        pool.each(n, pool.whole(), |at, image, [rows, cols]| {
            let count = (rows.len() * cols.len()).max(1) as f32;
            for first in (0..c).step_by(CHANNELS) {
                let width = CHANNELS.min(c - first);
                let (y, dy) = (&y[at + first..][..width], &dy[at + first..][..width]);
                let mut left = [0.0f32; CHANNELS];
                left[..width].copy_from_slice(dy);
                for row in rows.clone() {
                    for col in cols.clone() {
                        let from = pool.offset(image, row, col) + first;
                        let dx = &mut dx[from..from + width];
                        match pool.reduce {
                            Reduce::Max => {
                                let x = &x[from..from + width];
                                for i in 0..width {
                                    let hit = x[i] == y[i];
                                    dx[i] += if hit { left[i] } else { 0.0 };
                                    left[i] = if hit { 0.0 } else { left[i] };
                                }
                            }
                            Reduce::Mean => {
                                for i in 0..width {
                                    dx[i] += left[i] / count;
                                }
                            }
                        }
                    }
                }
            }
        });
    }
}
