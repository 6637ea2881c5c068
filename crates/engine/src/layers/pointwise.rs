//! Layers without weights that work number by number or along the channels of a pixel.

use cutaway_net::Unary;
use rayon::prelude::*;

use crate::kernels::{Isa, Kernel, dispatch, vector::Vector};
use crate::plain::numbers;

/// `y = max(0, x)`; a NaN stays a NaN.
pub(crate) fn relu(isa: Isa, x: &[f32], y: &mut [f32]) {
    // SAFETY: the kernel has no conditions.
    unsafe { dispatch(isa, Relu { x, y }) }
}

/// Keeps `dy` where `y` is positive.
pub(crate) fn relu_mask(isa: Isa, y: &[f32], dy: &mut [f32]) {
    // SAFETY: the kernel has no conditions.
    unsafe { dispatch(isa, Mask { y, dy }) }
}

/// Adds `x` to `sum`.
pub(crate) fn add(isa: Isa, x: &[f32], sum: &mut [f32]) {
    // SAFETY: the kernel has no conditions.
    unsafe { dispatch(isa, Add { x, sum }) }
}

/// Adds to `db` the sums of `dy`'s columns; `dy` is `[rows, db.len()]`.
pub(crate) fn add_columns(isa: Isa, dy: &[f32], db: &mut [f32]) {
    // SAFETY: the kernel has no conditions.
    unsafe { dispatch(isa, Columns { dy, db }) }
}

/// `Σ a b`, in the same order on every machine.
pub(crate) fn dot(isa: Isa, a: &[f32], b: &[f32]) -> f32 {
    let mut sum = 0.0;
    // SAFETY: the kernel has no conditions.
    unsafe { dispatch(isa, Dot { a, b, sum: &mut sum }) }
    sum
}

struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
    sum: &'a mut f32,
}

impl Kernel for Dot<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        const LANES: usize = 32;
        let mut sums = [0.0; LANES];
        let (a, b) = (self.a.chunks_exact(LANES), self.b.chunks_exact(LANES));
        let rest = a.remainder().iter().zip(b.remainder());
        let rest: f32 = rest.map(|(a, b)| a * b).sum();
        for (a, b) in a.zip(b) {
            for i in 0..LANES {
                sums[i] += a[i] * b[i];
            }
        }
        *self.sum = sums.iter().sum::<f32>() + rest;
    }
}

struct Relu<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Relu<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for (x, y) in self.x.iter().zip(self.y) {
            *y = if *x < 0.0 { 0.0 } else { *x };
        }
    }
}

struct Mask<'a> {
    y: &'a [f32],
    dy: &'a mut [f32],
}

impl Kernel for Mask<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for (y, dy) in self.y.iter().zip(self.dy) {
            *dy = if *y > 0.0 { *dy } else { 0.0 };
        }
    }
}

struct Add<'a> {
    x: &'a [f32],
    sum: &'a mut [f32],
}

impl Kernel for Add<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for (x, sum) in self.x.iter().zip(self.sum) {
            *sum += *x;
        }
    }
}

struct Columns<'a> {
    dy: &'a [f32],
    db: &'a mut [f32],
}

impl Kernel for Columns<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for row in self.dy.chunks_exact(self.db.len()) {
            for (db, dy) in self.db.iter_mut().zip(row) {
                *db += *dy;
            }
        }
    }
}

/// A function of each number.
pub(crate) fn unary(isa: Isa, unary: Unary, x: &[f32], y: &mut [f32]) {
    // SAFETY: the kernel has no conditions.
    unsafe { dispatch(isa, Each { unary, x, y }) }
}

/// The same in place.
pub(crate) fn unary_in_place(isa: Isa, unary: Unary, y: &mut [f32]) {
    let mut x = [0.0; 256];
    for y in y.chunks_mut(x.len()) {
        let x = &mut x[..y.len()];
        x.copy_from_slice(y);
        self::unary(isa, unary, x, y);
    }
}

/// [`relu`] in place.
pub(crate) fn relu_in_place(isa: Isa, y: &mut [f32]) {
    let mut x = [0.0; 256];
    for y in y.chunks_mut(x.len()) {
        let x = &mut x[..y.len()];
        x.copy_from_slice(y);
        relu(isa, x, y);
    }
}

/// Adds its gradient.
pub(crate) fn unary_backward(
    isa: Isa,
    unary: Unary,
    x: &[f32],
    y: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
    // SAFETY: the kernel has no conditions.
    unsafe { dispatch(isa, EachBack { unary, x, y, dy, dx }) }
}

/// Adds the gradient of [`relu`].
pub(crate) fn relu_backward(isa: Isa, y: &[f32], dy: &[f32], dx: &mut [f32]) {
    // SAFETY: the kernel has no conditions.
    unsafe { dispatch(isa, ReluBack { y, dy, dx }) }
}

/// Numbers from which on threads share a buffer: some microseconds of work.
const SHARED_NUMBERS: usize = 1 << 15;

/// Calls `f(first, part)` for parts of a buffer, whole runs of `unit` numbers, on as many threads.
pub(crate) fn shared(
    split: usize,
    unit: usize,
    y: &mut [f32],
    f: impl Fn(usize, &mut [f32]) + Sync,
) {
    if split <= 1 || y.len() < SHARED_NUMBERS {
        return f(0, y);
    }
    let each = y.len().div_ceil(unit).div_ceil(split) * unit;
    y.par_chunks_mut(each).enumerate().for_each(|(part, y)| f(part * each, y));
}

struct ReluBack<'a> {
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for ReluBack<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for ((y, dy), dx) in self.y.iter().zip(self.dy).zip(self.dx) {
            *dx += if *y > 0.0 { *dy } else { 0.0 };
        }
    }
}

struct EachBack<'a> {
    unary: Unary,
    x: &'a [f32],
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for EachBack<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let EachBack { unary, x, y, dy, dx } = self;
        // The usual one as a loop of its own, which the compiler makes vectors of.
        if let Unary::Clip { low, high } = unary {
            for ((x, dy), dx) in x.iter().zip(dy).zip(dx) {
                *dx += dy * if *x >= low && *x <= high { 1.0 } else { 0.0 };
            }
            return;
        }
        for (((x, y), dy), dx) in x.iter().zip(y).zip(dy).zip(dx) {
            *dx += dy * numbers::unary_slope(unary, *x, *y);
        }
    }
}

struct Each<'a> {
    unary: Unary,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Each<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Each { unary, x, y } = self;
        // The usual ones as loops of their own, which the compiler makes vectors of.
        match unary {
            Unary::Clip { low, high } => {
                let clip = |x: f32| {
                    if x < low {
                        low
                    } else if x > high {
                        high
                    } else {
                        x
                    }
                };
                x.iter().zip(y).for_each(|(x, y)| *y = clip(*x));
            }
            Unary::LeakyRelu { slope } => {
                x.iter().zip(y).for_each(|(x, y)| *y = if *x < 0.0 { slope * x } else { *x });
            }
            Unary::Scale { factor } => x.iter().zip(y).for_each(|(x, y)| *y = factor * x),
            Unary::Shift { by } => x.iter().zip(y).for_each(|(x, y)| *y = x + by),
            Unary::HardSwish => {
                let gate = |x: f32| (x / 6.0 + 0.5).clamp(0.0, 1.0);
                x.iter().zip(y).for_each(|(x, y)| *y = x * gate(*x));
            }
            _ => x.iter().zip(y).for_each(|(x, y)| *y = numbers::unary(unary, *x)),
        }
    }
}

/// Softmax over each run of `channels`, shifted by the maximum so that it cannot overflow.
pub(crate) fn softmax(channels: usize, x: &[f32], y: &mut [f32]) {
    for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(channels)) {
        let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for (x, y) in x.iter().zip(y.iter_mut()) {
            *y = (x - max).exp();
            sum += *y;
        }
        y.iter_mut().for_each(|y| *y /= sum);
    }
}

/// Adds `y ∘ (dy − ⟨y, dy⟩)`. Near a saturated output the difference all but cancels, so it is
/// formed in f64 as `Σ_j y_j (dy − dy_j)`, in which the rounding of `Σ y` to 1 falls out.
pub(crate) fn softmax_backward(channels: usize, y: &[f32], dy: &[f32], dx: &mut [f32]) {
    let lines = y.chunks_exact(channels).zip(dy.chunks_exact(channels));
    for ((y, dy), dx) in lines.zip(dx.chunks_exact_mut(channels)) {
        let dot: f64 = y.iter().zip(dy).map(|(y, dy)| f64::from(*y) * f64::from(*dy)).sum();
        let sum: f64 = y.iter().map(|y| f64::from(*y)).sum();
        for ((y, dy), dx) in y.iter().zip(dy).zip(dx) {
            *dx += (f64::from(*y) * (f64::from(*dy) * sum - dot)) as f32;
        }
    }
}

/// Logarithm of the softmax.
pub(crate) fn log_softmax(channels: usize, x: &[f32], y: &mut [f32]) {
    for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(channels)) {
        let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = x.iter().map(|x| (x - max).exp()).sum();
        let log = sum.ln() + max;
        for (x, y) in x.iter().zip(y) {
            *y = x - log;
        }
    }
}

/// Adds `dy − softmax(x) Σ dy`.
pub(crate) fn log_softmax_backward(channels: usize, y: &[f32], dy: &[f32], dx: &mut [f32]) {
    let lines = y.chunks_exact(channels).zip(dy.chunks_exact(channels));
    for ((y, dy), dx) in lines.zip(dx.chunks_exact_mut(channels)) {
        let sum: f32 = dy.iter().sum();
        for ((y, dy), dx) in y.iter().zip(dy).zip(dx) {
            *dx += dy - y.exp() * sum;
        }
    }
}

/// From one `[pixels, channels]` order to another of as many numbers, both standing for the same
/// row-major `[channels, pixels]` sequence. `accumulate` adds.
pub(crate) fn reorder(
    from: [usize; 2],
    to: [usize; 2],
    x: &[f32],
    y: &mut [f32],
    accumulate: bool,
) {
    let len = from[0] * from[1];
    if to[0] == 1 && !accumulate {
        // Flattening: a transposition.
        return crate::plan::to_channels_first(from[0], from[1], x, y);
    }
    for (x, y) in x.chunks_exact(len).zip(y.chunks_exact_mut(len)) {
        for i in 0..len {
            // Element i of the row-major sequence stands at (pixel, channel) of either side.
            let source = i % from[0] * from[1] + i / from[0];
            let target = i % to[0] * to[1] + i / to[0];
            y[target] = if accumulate { y[target] + x[source] } else { x[source] };
        }
    }
}

/// Mean over `pixels` of each channel.
pub(crate) fn mean_pixels(pixels: usize, channels: usize, x: &[f32], y: &mut [f32]) {
    y.fill(0.0);
    for (x, y) in x.chunks_exact(pixels * channels).zip(y.chunks_exact_mut(channels)) {
        for pixel in x.chunks_exact(channels) {
            for (y, x) in y.iter_mut().zip(pixel) {
                *y += x;
            }
        }
        y.iter_mut().for_each(|y| *y /= pixels as f32);
    }
}

/// Adds an equal share of `dy` to every pixel.
pub(crate) fn mean_pixels_backward(pixels: usize, channels: usize, dy: &[f32], dx: &mut [f32]) {
    for (dy, dx) in dy.chunks_exact(channels).zip(dx.chunks_exact_mut(pixels * channels)) {
        for pixel in dx.chunks_exact_mut(channels) {
            for (dx, dy) in pixel.iter_mut().zip(dy) {
                *dx += dy / pixels as f32;
            }
        }
    }
}

/// The factor of dropout for one number of one sample: 0, or 1 / (1 − rate). A function of its
/// arguments alone, so the backward pass makes the same choice and no mask is kept.
pub(crate) fn dropout_factor(
    seed: u64,
    layer: usize,
    sample: usize,
    index: usize,
    rate: f32,
) -> f32 {
    let mut z = seed ^ (layer as u64) << 56 ^ (sample as u64) << 32 ^ index as u64;
    // SplitMix64's finaliser (Steele et al. 2014), twice: neighbouring arguments decorrelate.
    for _ in 0..2 {
        z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
    }
    let uniform = (z >> 40) as f32 / (1u64 << 24) as f32;
    if uniform < rate { 0.0 } else { 1.0 / (1.0 - rate) }
}
