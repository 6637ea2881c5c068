//! Depthwise convolution, channels innermost: every channel has a filter of its own, so there is no
//! matrix product in it. Vectors run over channels; a few pixels share each load of the weights.

use super::{Isa, Kernel, dispatch, tail::Tail, vector::Vector};

/// `y[p, c] (+)= Σ_t x[pixels[p] + taps[t] + c] · w[t, c]`, then bias and ReLU.
pub(crate) struct Depthwise<'a> {
    pub(crate) x: &'a [f32],
    /// Where the window of each output pixel starts.
    pub(crate) pixels: &'a [usize],
    /// Where each tap lies in a window.
    pub(crate) taps: &'a [usize],
    /// `[taps, channels]`
    pub(crate) w: &'a [f32],
    pub(crate) channels: usize,
    /// `[pixels, channels]`
    pub(crate) y: &'a mut [f32],
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) relu: bool,
    /// Add to what `y` holds instead of overwriting it.
    pub(crate) accumulate: bool,
    /// What follows.
    pub(crate) tail: Tail<'a>,
}

/// Runs the kernel.
///
/// # Panics
/// If an offset leaves its slice.
pub(crate) fn depthwise(isa: Isa, args: Depthwise<'_>) {
    let Some(&last) = args.pixels.iter().max() else { return };
    let reach = args.taps.iter().max().map_or(0, |tap| tap + args.channels);
    assert!(last + reach <= args.x.len(), "windows end at {} of {}", last + reach, args.x.len());
    assert_eq!(args.w.len(), args.taps.len() * args.channels);
    assert_eq!(args.y.len(), args.pixels.len() * args.channels);
    assert!(args.bias.is_none_or(|bias| bias.len() == args.channels));
    args.tail.check(args.pixels.len(), args.channels);
    // SAFETY: every offset that the kernel forms was checked above.
    unsafe { dispatch(isa, args) }
}

/// Numbers of the input that stay in the nearest cache while windows slide over them: 16 KiB.
const NEAR: usize = 1 << 12;

impl Depthwise<'_> {
    /// Channels, in whole vectors, of which all pixels are computed before the next: the lines that a window sees
    /// are then read from far once, and from near by the windows below.
    fn channels_together(&self, lanes: usize) -> usize {
        let seen = 2 * (self.taps.iter().max().unwrap_or(&0) / self.channels.max(1) + 1);
        (NEAR / seen / lanes).max(1) * lanes
    }
}

impl Kernel for Depthwise<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        const PIXELS: usize = 4;
        let count = self.pixels.len();
        let together = self.channels_together(V::LANES);
        for start in (0..self.channels).step_by(together) {
            let channels = start..self.channels.min(start + together);
            let mut first = 0;
            while first + PIXELS <= count {
                // SAFETY: `depthwise` has checked all offsets; these pixels are in the list.
                unsafe { block::<V, PIXELS>(&mut self, first, channels.clone()) };
                first += PIXELS;
            }
            while first < count {
                // SAFETY: as above.
                unsafe { block::<V, 1>(&mut self, first, channels.clone()) };
                first += 1;
            }
        }
    }
}

/// Some channels, from a whole vector on, of `P` pixels.
#[inline(always)]
unsafe fn block<V: Vector, const P: usize>(
    args: &mut Depthwise<'_>,
    first: usize,
    some: std::ops::Range<usize>,
) {
    let channels = args.channels;
    // SAFETY: `first + P` is at most the number of pixels, and `depthwise` has checked where windows
    // end; partial vectors stop at the last channel.
    unsafe {
        let x: [*const f32; P] =
            std::array::from_fn(|p| args.x.as_ptr().add(*args.pixels.get_unchecked(first + p)));
        let y = args.y.as_mut_ptr().add(first * channels);
        let mut c = some.start;
        while c < some.end {
            let lanes = channels - c;
            let whole = lanes >= V::LANES;
            let load = |p: *const f32| if whole { V::load(p) } else { V::load_part(p, lanes) };
            let mut acc = [V::splat(0.0); P];
            let mut w = args.w.as_ptr().add(c);
            for &tap in args.taps {
                let weight = load(w);
                for p in 0..P {
                    acc[p] = load(x[p].add(tap + c)).mul_add(weight, acc[p]);
                }
                w = w.add(channels);
            }
            let bias = args.bias.map(|bias| load(bias.as_ptr().add(c)));
            for (p, value) in acc.iter_mut().enumerate() {
                if let Some(bias) = bias {
                    *value = value.add(bias);
                }
                if args.accumulate {
                    *value = value.add(load(y.add(p * channels + c)));
                }
                if args.relu {
                    // In this order a NaN stays a NaN.
                    *value = V::splat(0.0).max(*value);
                }
            }
            args.tail.apply(&mut acc, first, c, lanes);
            for (p, value) in acc.iter().enumerate() {
                let to = y.add(p * channels + c);
                if whole { value.store(to) } else { value.store_part(to, lanes) }
            }
            c += V::LANES;
        }
    }
}

/// `dw[t, c] += Σ_p x[pixels[p] + taps[t] + c] · dy[p, c]`
pub(crate) struct WeightGradient<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) pixels: &'a [usize],
    pub(crate) taps: &'a [usize],
    pub(crate) channels: usize,
    pub(crate) dy: &'a [f32],
    pub(crate) dw: &'a mut [f32],
}

/// Adds the gradient of the weights.
pub(crate) fn weight_gradient(isa: Isa, args: WeightGradient<'_>) {
    // SAFETY: the kernel has no conditions.
    unsafe { dispatch(isa, args) }
}

impl Kernel for WeightGradient<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let c = self.channels;
        for (&pixel, dy) in self.pixels.iter().zip(self.dy.chunks_exact(c)) {
            for (&tap, dw) in self.taps.iter().zip(self.dw.chunks_exact_mut(c)) {
                let x = &self.x[pixel + tap..][..c];
                for ((dw, x), dy) in dw.iter_mut().zip(x).zip(dy) {
                    *dw += x * dy;
                }
            }
        }
    }
}
