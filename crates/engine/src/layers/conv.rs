//! Convolution: by direct summation over pixels, or by Winograd's tiles where they pay.
//!
//! Activations are `[images, height, width, channels]`. Gradients are added to what the buffers
//! hold; weights and their gradients come and go in ONNX's order `[O, I/groups, KH, KW]`.

mod parts;

use std::sync::Arc;

use crate::kernels::Isa;
use crate::kernels::depthwise::{self, Depthwise, WeightGradient};
use crate::kernels::gemm::{self, Cols, Epilogue, Rows};
use crate::kernels::tail::Tail;
use crate::kernels::winograd::{self as wino, Grid, Tile};
use crate::layers::{Passes, Post};
use rayon::prelude::*;

pub(crate) use parts::Source;

/// Sizes and attributes of a convolution, per sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConvShape {
    pub(crate) input: [usize; 3],
    pub(crate) output: [usize; 3],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    /// Top, left, bottom, right.
    pub(crate) padding: [usize; 4],
    pub(crate) dilation: [usize; 2],
    pub(crate) groups: usize,
}

impl ConvShape {
    fn group_inputs(&self) -> usize {
        self.input[2] / self.groups
    }

    fn group_outputs(&self) -> usize {
        self.output[2] / self.groups
    }

    /// Elements of the weight.
    pub(crate) fn weights(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.group_inputs() * self.output[2]
    }

    fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    fn output_len(&self) -> usize {
        self.output.iter().product()
    }

    /// Height and width with padding.
    fn padded(&self) -> [usize; 2] {
        [
            self.input[0] + self.padding[0] + self.padding[2],
            self.input[1] + self.padding[1] + self.padding[3],
        ]
    }

    /// Whether every channel has a filter of its own.
    fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.input[2] && self.groups == self.output[2]
    }

    /// What one image takes, in multiply-adds of a matrix product.
    fn image_work(&self) -> usize {
        let each = if self.is_depthwise() { DEPTHWISE_WORK } else { 1 };
        each * self.output[0] * self.output[1] * self.weights()
    }

    /// Lines of the padded input that so many lines of the output see.
    fn seen_lines(&self, lines: usize) -> usize {
        (lines - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0] + 1
    }

    /// Index of a weight in ONNX's order from its place in the engine's `[KH, KW, I, O]`.
    fn weight_index(&self, tap: usize, i: usize, o: usize) -> usize {
        (o * self.group_inputs() + i) * self.kernel[0] * self.kernel[1] + tap
    }
}

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Direct,
    /// Every channel by itself.
    Depthwise,
    Winograd(Tile),
}

/// Transformed weights that no cache near a core holds: 8 MiB.
const LARGE_WEIGHTS: usize = 1 << 21;

/// Tiles that share one pass over the transformed weights.
const TILES_PER_PASS: usize = 48;

impl Algorithm {
    /// The cheapest way by a count of multiply-adds and transform work.
    pub(crate) fn choose(isa: Isa, shape: &ConvShape) -> Algorithm {
        let [oh, ow, o] = shape.output;
        let c = shape.input[2];
        if shape.is_depthwise() {
            return Algorithm::Depthwise;
        }
        let square = shape.kernel[0] == shape.kernel[1];
        let plain = shape.stride == [1, 1] && shape.dilation == [1, 1] && shape.groups == 1;
        let whole_vectors = c.is_multiple_of(isa.lanes()) && o.is_multiple_of(isa.lanes());
        // With few channels the transforms cost more than the products they save.
        if !(square && plain && whole_vectors && c >= 16 && o >= 16) {
            return Algorithm::Direct;
        }
        let direct = oh * ow * shape.kernel[0] * shape.kernel[1] * c * o;
        let mut best = (direct, Algorithm::Direct);
        for &tile in Tile::for_filter(shape.kernel[0]) {
            let tiles = oh.div_ceil(tile.m()) * ow.div_ceil(tile.m());
            let area = tile.n() * tile.n();
            // Each transformed element takes about a dozen operations on its way in and out, and
            // the transformed weights are read once a pass.
            let weights = area * c * o * tiles.min(TILES_PER_PASS) / TILES_PER_PASS;
            let mut cost = area * tiles * (c * o + 12 * (c + o)) + 4 * weights;
            if area * c * o > LARGE_WEIGHTS {
                // They come from memory, not from cache, at every pass.
                cost += 10 * area * c * o * tiles.div_ceil(TILES_PER_PASS);
            }
            if cost < best.0 {
                best = (cost, Algorithm::Winograd(tile));
            }
        }
        best.1
    }
}

/// A convolution made ready for a machine; weights are set by [`Conv::prepare`].
#[derive(Clone)]
pub(crate) struct Conv {
    isa: Isa,
    pub(crate) shape: ConvShape,
    pub(crate) algorithm: Algorithm,
    /// Packed for the forward pass, shared with the layer that this one was made from; and for the
    /// gradient of the input.
    forward: Arc<Vec<f32>>,
    backward: Vec<f32>,
    bias: Option<Vec<f32>>,
    /// Offsets of the pixels of one padded image.
    pixels: Vec<usize>,
    /// Offsets of the pixels of the input gradient in the padded output gradient.
    back_pixels: Vec<usize>,
    /// Reduction runs over the padded input, and over the framed output gradient.
    runs: Runs,
    back_runs: Runs,
    /// Offsets of pixels that are gathered first; empty where none are.
    gathered: Vec<usize>,
    /// Where the lines of one image start in the padded input and in the output.
    lines: Vec<(usize, usize)>,
    /// Working copy in the engine's order, kept to save allocations.
    ordered: Vec<f32>,
}

/// Rows of a matrix that lie a multiple of so many numbers apart share a few lines of the nearest cache.
const ALIASED: usize = 512;

/// A line of cache between one gathered pixel and the next.
const GAP: usize = 16;

/// Whether pixels are gathered, a little apart, before they are multiplied: of a 1 × 1 filter, where they lie so that
/// those of a tile would drive one another out of the nearest cache.
fn gathers(shape: &ConvShape, algorithm: Algorithm) -> bool {
    let matrix = algorithm == Algorithm::Direct && shape.groups == 1 && shape.kernel == [1, 1];
    let apart = shape.stride[1] * shape.input[2];
    matrix && shape.padding == [0; 4] && apart.is_multiple_of(ALIASED)
}

/// What a convolution's result goes through before it is stored.
#[derive(Clone, Copy, Default)]
pub(crate) struct End<'a> {
    pub(crate) relu: bool,
    /// Behind the ReLU.
    pub(crate) tail: Tail<'a>,
}

impl End<'_> {
    fn relu(relu: bool) -> Self {
        End { relu, ..End::default() }
    }

    /// Of the output's pixels from `row` on.
    fn rows_from(self, row: usize) -> Self {
        End { tail: self.tail.rows_from(row), ..self }
    }
}

/// Contiguous stretches of a reduction over taps and channels: offsets and their common length.
#[derive(Clone, Debug)]
struct Runs {
    offsets: Vec<usize>,
    len: usize,
}

impl Runs {
    /// Over the taps of a filter and `channels` of each pixel; `line` and `pixel` are the
    /// distances between lines and between pixels. Without dilation or groups the taps of a row
    /// are one stretch.
    fn new(shape: &ConvShape, line: usize, pixel: usize, channels: usize) -> Runs {
        let [kh, kw] = shape.kernel;
        let [dh, dw] = shape.dilation;
        if dw == 1 && channels == pixel {
            let offsets = (0..kh).map(|y| y * dh * line).collect();
            Runs { offsets, len: kw * channels }
        } else {
            let taps = (0..kh * kw).map(|t| t / kw * dh * line + t % kw * dw * pixel);
            Runs { offsets: taps.collect(), len: channels }
        }
    }
}

impl Conv {
    pub(crate) fn new(isa: Isa, shape: ConvShape, algorithm: Algorithm, has_bias: bool) -> Conv {
        let [_, pw] = shape.padded();
        let [oh, ow, o] = shape.output;
        let c = shape.input[2];
        let offset = |y: usize, x: usize| (y * shape.stride[0] * pw + x * shape.stride[1]) * c;
        let pixels = (0..oh * ow).map(|p| offset(p / ow, p % ow)).collect();
        let [h, w, _] = shape.input;
        let back_width = back_size(&shape)[1];
        let back_pixels = (0..h * w).map(|p| (p / w * back_width + p % w) * o).collect();
        let bias = has_bias.then(|| vec![0.0; o]);
        let runs = Runs::new(&shape, pw * c, c, shape.group_inputs());
        let back_runs = Runs::new(&shape, back_width * o, o, shape.group_outputs());
        let lines = (0..oh).map(|y| (y * shape.stride[0] * pw * c, y * ow * o)).collect();
        let gathered = match gathers(&shape, algorithm) {
            true => (0..oh * ow).map(|p| p * (c + GAP)).collect(),
            false => Vec::new(),
        };
        Conv {
            gathered,
            isa,
            shape,
            algorithm,
            forward: Arc::default(),
            backward: Vec::new(),
            bias,
            pixels,
            back_pixels,
            runs,
            back_runs,
            lines,
            ordered: Vec::new(),
        }
    }

    /// Takes new weights.
    pub(crate) fn prepare(&mut self, weight: &[f32], bias: Option<&[f32]>, passes: Passes) {
        assert_eq!(weight.len(), self.shape.weights());
        if let (Some(own), Some(new)) = (&mut self.bias, bias) {
            own.copy_from_slice(new);
        }
        match self.algorithm {
            Algorithm::Direct => self.prepare_direct(weight, passes),
            Algorithm::Depthwise => self.prepare_depthwise(weight, passes),
            Algorithm::Winograd(tile) => self.prepare_winograd(tile, weight, passes),
        }
    }

    /// Whether it does what follows before it leaves its numbers. Winograd's transforms do not: their kernel becomes too
    /// large for the compiler to keep it in one piece, and is several times as slow.
    pub(crate) fn takes_a_tail(&self) -> bool {
        !matches!(self.algorithm, Algorithm::Winograd(_))
    }

    /// Gives back what only another [`Conv::prepare`] would need.
    pub(crate) fn settle(&mut self) {
        self.ordered = Vec::new();
    }

    /// Floats of scratch memory that `images` at once need, or one image cut in `split` parts.
    pub(crate) fn scratch_len(&self, images: usize, gradients: bool, split: usize) -> usize {
        let parts = (1..=split)
            .map(|split| self.strips(split))
            .map(|strips| strips.parts * self.strip_scratch(strips.lines));
        self.whole_scratch_len(images, gradients).max(parts.max().unwrap_or(0))
    }

    fn whole_scratch_len(&self, images: usize, gradients: bool) -> usize {
        let s = &self.shape;
        match self.algorithm {
            Algorithm::Direct | Algorithm::Depthwise => {
                let padded = if s.padding == [0; 4] { 0 } else { self.padded_len() };
                let back = if gradients { self.back_len() + s.weights() } else { 0 };
                let gathered = self.gathered.len() * (s.input[2] + GAP);
                images * padded + back.max(gathered)
            }
            Algorithm::Winograd(tile) => {
                let area = tile.n() * tile.n();
                let (c, o) = (s.input[2], s.output[2]);
                let tiles = self.tiles(tile, self.pass(tile).min(images));
                let weights = if gradients { area * c * o + s.weights() } else { 0 };
                area * (wino::plane(tiles, c) + wino::plane(tiles, o)) + weights
            }
        }
    }

    /// `y = conv(x) + bias`, through a ReLU on request and a tail, if it [takes one](Conv::takes_a_tail); `post` is applied to every part of the output
    /// while it is in cache. `split` threads may share an image.
    #[allow(clippy::too_many_arguments)] // what a layer's forward pass takes
    pub(crate) fn forward(
        &self,
        n: usize,
        x: &[f32],
        y: &mut [f32],
        end: End<'_>,
        scratch: &mut [f32],
        split: usize,
        post: &Post<'_>,
    ) {
        assert_eq!(x.len(), n * self.shape.input_len());
        assert_eq!(y.len(), n * self.shape.output_len());
        let strips = self.strips(split);
        if strips.count > 1 || !(self.gathered.is_empty() || self.shares_columns(split)) {
            let images = x.chunks_exact(self.shape.input_len());
            for (slot, (x, y)) in
                images.zip(y.chunks_exact_mut(self.shape.output_len())).enumerate()
            {
                let end = end.rows_from(slot * self.pixels.len());
                self.forward_strips(strips, x, y, end, scratch, &|first, part| {
                    post(slot, first, part)
                });
            }
            return;
        }
        match self.algorithm {
            Algorithm::Direct if self.shares_columns(split) => {
                self.forward_columns(n, x, y, end, scratch, split);
            }
            Algorithm::Direct | Algorithm::Depthwise => self.forward_direct(n, x, y, end, scratch),
            Algorithm::Winograd(tile) => {
                let split = if self.shape.image_work() < SPLIT_WORK { 1 } else { split };
                self.forward_winograd(tile, n, x, y, end, scratch, split);
            }
        }
        for (slot, y) in y.chunks_exact_mut(self.shape.output_len()).enumerate() {
            post(slot, 0, y);
        }
    }

    /// Adds the gradients of the input, of the weight and of the bias, where wanted. `split` threads may
    /// share the first of an image.
    #[allow(clippy::too_many_arguments)] // what a layer's backward pass takes
    pub(crate) fn backward(
        &self,
        n: usize,
        x: &[f32],
        dy: &[f32],
        dx: Option<&mut [f32]>,
        dw: Option<&mut [f32]>,
        scratch: &mut [f32],
        split: usize,
    ) {
        let split = if self.shape.image_work() < SPLIT_WORK { 1 } else { split };
        if let Algorithm::Winograd(tile) = self.algorithm {
            return self.backward_winograd(tile, n, x, dy, dx, dw, scratch, split);
        }
        match (dw, self.algorithm) {
            (Some(dw), Algorithm::Depthwise) => {
                self.weight_gradient_depthwise(n, x, dy, dw, scratch);
            }
            (Some(dw), _) => self.weight_gradient_direct(n, x, dy, dw, scratch),
            (None, _) => {}
        }
        if let Some(dx) = dx {
            self.input_gradient_direct(n, dy, dx, scratch, split);
        }
    }
}

// Direct summation.
impl Conv {
    /// Output pixels whose windows start at `pixels` of a padded image.
    fn pixels_direct(&self, runs: &Runs, x: &[f32], pixels: &[usize], y: &mut [f32], end: End<'_>) {
        let s = &self.shape;
        let End { relu, tail } = end;
        if self.algorithm == Algorithm::Depthwise {
            let args = Depthwise {
                x,
                pixels,
                taps: &runs.offsets,
                w: &self.forward,
                channels: s.output[2],
                y,
                bias: self.bias.as_deref(),
                relu,
                accumulate: false,
                tail,
            };
            return depthwise::depthwise(self.isa, args);
        }
        let (ci, co) = (s.group_inputs(), s.group_outputs());
        let packed = self.forward.len() / s.groups;
        for g in 0..s.groups {
            let bias = self.bias.as_ref().map(|b| &b[g * co..(g + 1) * co]);
            let args = Rows {
                a: &x[g * ci..],
                rows: pixels,
                segments: &runs.offsets,
                inner: runs.len,
                b: &self.forward[g * packed..(g + 1) * packed],
                n: co,
                c: &mut y[g * co..],
                ldc: s.output[2],
                epilogue: Epilogue { bias, relu, accumulate: false },
                tail: tail.columns(g * co..(g + 1) * co),
            };
            gemm::rows(self.isa, args);
        }
    }

    fn prepare_direct(&mut self, weight: &[f32], passes: Passes) {
        let s = &self.shape;
        let taps = s.kernel[0] * s.kernel[1];
        let (ci, co) = (s.group_inputs(), s.group_outputs());
        if passes.forward() {
            let packed = gemm::packed_len(self.isa, taps * ci, co);
            let forward = Arc::make_mut(&mut self.forward);
            forward.resize(s.groups * packed, 0.0);
            for (g, out) in forward.chunks_exact_mut(packed).enumerate() {
                let value = |k: usize, j: usize| weight[s.weight_index(k / ci, k % ci, g * co + j)];
                gemm::pack(self.isa, taps * ci, co, value, out);
            }
        }
        if passes.backward() {
            let backward = gemm::packed_len(self.isa, taps * co, ci);
            self.backward.resize(s.groups * backward, 0.0);
            for (g, out) in self.backward.chunks_exact_mut(backward).enumerate() {
                // The filter is turned by half a turn.
                let value = |k: usize, j: usize| {
                    weight[s.weight_index(taps - 1 - k / co, j, g * co + k % co)]
                };
                gemm::pack(self.isa, taps * co, ci, value, out);
            }
        }
    }

    /// Some output pixels of an image, whose inputs are gathered first.
    fn gathered_direct(
        &self,
        x: &[f32],
        pixels: std::ops::Range<usize>,
        y: &mut [f32],
        end: End<'_>,
        scratch: &mut [f32],
    ) {
        let (x, rows) = self.gather(x, pixels, scratch);
        self.pixels_direct(&self.runs, x, rows, y, end);
    }

    /// Some pixels of an image and their offsets: gathered ones, where they are.
    fn gather<'a>(
        &'a self,
        x: &'a [f32],
        pixels: std::ops::Range<usize>,
        scratch: &'a mut [f32],
    ) -> (&'a [f32], &'a [usize]) {
        let (c, count) = (self.shape.input[2], pixels.len());
        let from = &self.pixels[pixels];
        if self.gathered.is_empty() {
            return (x, from);
        }
        for (row, &from) in scratch.chunks_exact_mut(c + GAP).zip(from) {
            row[..c].copy_from_slice(&x[from..from + c]);
        }
        (scratch, &self.gathered[..count])
    }

    fn padded_len(&self) -> usize {
        let [h, w] = self.shape.padded();
        h * w * self.shape.input[2]
    }

    fn back_len(&self) -> usize {
        let [h, w] = back_size(&self.shape);
        h * w * self.shape.output[2]
    }

    /// The images with their border of zeros: `x` itself where there is no padding.
    fn padded<'a>(
        &self,
        n: usize,
        x: &'a [f32],
        scratch: &'a mut [f32],
    ) -> (&'a [f32], &'a mut [f32]) {
        let s = &self.shape;
        if s.padding == [0; 4] {
            return (x, scratch);
        }
        let (padded, rest) = scratch.split_at_mut(n * self.padded_len());
        padded.fill(0.0);
        let [h, w, c] = s.input;
        let [ph, pw] = s.padded();
        for (line, row) in x.chunks_exact(w * c).enumerate() {
            let (image, y) = (line / h, line % h);
            let start = ((image * ph + y + s.padding[0]) * pw + s.padding[1]) * c;
            padded[start..start + w * c].copy_from_slice(row);
        }
        (padded, rest)
    }

    fn forward_direct(
        &self,
        n: usize,
        x: &[f32],
        y: &mut [f32],
        end: End<'_>,
        scratch: &mut [f32],
    ) {
        let s = &self.shape;
        let (x, _) = self.padded(n, x, scratch);
        let images = x.chunks_exact(self.padded_len()).zip(y.chunks_exact_mut(s.output_len()));
        for (slot, (image, out)) in images.enumerate() {
            let end = end.rows_from(slot * self.pixels.len());
            self.pixels_direct(&self.runs, image, &self.pixels, out, end);
        }
    }

    /// Whether threads share the filters and not the pixels: of few pixels, with many weights to read.
    fn shares_columns(&self, split: usize) -> bool {
        let s = &self.shape;
        let few = s.output[0] * s.output[1] <= COLUMN_PIXELS;
        let plain = self.algorithm == Algorithm::Direct && s.groups == 1;
        split > 1 && few && plain && s.weights() >= COLUMN_WEIGHTS
    }

    fn forward_columns(
        &self,
        n: usize,
        x: &[f32],
        y: &mut [f32],
        end: End<'_>,
        scratch: &mut [f32],
        split: usize,
    ) {
        let s = &self.shape;
        let (x, rest) = self.padded(n, x, scratch);
        let (o, width) = (s.output[2], gemm::panel_width(self.isa));
        let each = o.div_ceil(width).div_ceil(split) * width;
        let packed = each * s.weights() / o;
        let images = x.chunks_exact(self.padded_len()).zip(y.chunks_exact_mut(s.output_len()));
        for (slot, (image, out)) in images.enumerate() {
            let End { relu, tail } = end.rows_from(slot * self.pixels.len());
            let (image, pixels) = self.gather(image, 0..self.pixels.len(), &mut *rest);
            let weights = self.forward.par_chunks(packed).enumerate();
            let parts: Vec<Vec<f32>> = weights
                .map(|(part, weights)| {
                    let columns = part * each..o.min((part + 1) * each);
                    let mut columns_of = vec![0.0; self.pixels.len() * columns.len()];
                    let bias = self.bias.as_ref().map(|bias| &bias[columns.clone()]);
                    let args = Rows {
                        a: image,
                        rows: pixels,
                        segments: &self.runs.offsets,
                        inner: self.runs.len,
                        b: weights,
                        n: columns.len(),
                        c: &mut columns_of,
                        ldc: columns.len(),
                        epilogue: Epilogue { bias, relu, accumulate: false },
                        tail: tail.columns(columns),
                    };
                    gemm::rows(self.isa, args);
                    columns_of
                })
                .collect();
            for (part, values) in parts.iter().enumerate() {
                let columns = values.len() / self.pixels.len();
                for (pixel, values) in values.chunks_exact(columns).enumerate() {
                    out[pixel * o + part * each..][..columns].copy_from_slice(values);
                }
            }
        }
    }

    /// Weights `[taps, channels]`; backwards turned by half a turn.
    fn prepare_depthwise(&mut self, weight: &[f32], passes: Passes) {
        let s = &self.shape;
        let (taps, c) = (s.kernel[0] * s.kernel[1], s.output[2]);
        if passes.forward() {
            let forward = Arc::make_mut(&mut self.forward);
            forward.clear();
            forward.extend((0..taps * c).map(|i| weight[i % c * taps + i / c]));
        }
        if passes.backward() {
            self.backward =
                (0..taps * c).map(|i| weight[i % c * taps + taps - 1 - i / c]).collect();
        }
    }

    fn weight_gradient_depthwise(
        &self,
        n: usize,
        x: &[f32],
        dy: &[f32],
        dw: &mut [f32],
        scratch: &mut [f32],
    ) {
        let s = &self.shape;
        let (x, rest) = self.padded(n, x, scratch);
        let sums = &mut rest[..s.weights()];
        sums.fill(0.0);
        let images = x.chunks_exact(self.padded_len()).zip(dy.chunks_exact(s.output_len()));
        for (x, dy) in images.take(n) {
            let (pixels, taps) = (&self.pixels[..], &self.runs.offsets[..]);
            let args =
                WeightGradient { x, pixels, taps, channels: s.output[2], dy, dw: &mut *sums };
            depthwise::weight_gradient(self.isa, args);
        }
        self.add_ordered(sums, dw);
    }

    fn weight_gradient_direct(
        &self,
        n: usize,
        x: &[f32],
        dy: &[f32],
        dw: &mut [f32],
        scratch: &mut [f32],
    ) {
        let s = &self.shape;
        let (x, rest) = self.padded(n, x, scratch);
        let sums = &mut rest[..s.weights()];
        sums.fill(0.0);
        let ([_, ow, o], c) = (s.output, s.input[2]);
        let (ci, co) = (s.group_inputs(), s.group_outputs());
        let images = x.chunks_exact(self.padded_len()).zip(dy.chunks_exact(s.output_len()));
        // An image at a time stays in cache over all runs.
        for (x, dy) in images.take(n) {
            for g in 0..s.groups {
                for (r, run) in self.runs.offsets.iter().enumerate() {
                    let args = Cols {
                        a: &x[run + g * ci..],
                        b: &dy[g * co..],
                        segments: &self.lines,
                        inner: ow,
                        step_a: s.stride[1] * c,
                        step_b: o,
                        rows: self.runs.len,
                        n: co,
                        c: &mut sums[r * self.runs.len * o + g * co..],
                        ldc: o,
                        accumulate: true,
                    };
                    gemm::cols(self.isa, args);
                }
            }
        }
        self.add_ordered(sums, dw);
    }

    fn input_gradient_direct(
        &self,
        n: usize,
        dy: &[f32],
        dx: &mut [f32],
        scratch: &mut [f32],
        split: usize,
    ) {
        let s = &self.shape;
        let images = dy.chunks_exact(s.output_len()).zip(dx.chunks_exact_mut(s.input_len()));
        for (dy, dx) in images.take(n) {
            let spread = self.spread(dy, scratch);
            if split <= 1 {
                self.back_pixels_direct(spread, &self.back_pixels, dx);
                continue;
            }
            let each = self.back_pixels.len().div_ceil(split);
            let parts = dx.par_chunks_mut(each * s.input[2]);
            parts
                .zip(self.back_pixels.par_chunks(each))
                .for_each(|(dx, pixels)| self.back_pixels_direct(spread, pixels, dx));
        }
    }

    /// An image's output gradient, spread out by the stride and framed by zeros: itself, where that
    /// changes nothing.
    fn spread<'a>(&self, dy: &'a [f32], scratch: &'a mut [f32]) -> &'a [f32] {
        let s = &self.shape;
        if s.kernel == [1, 1] && s.stride == [1, 1] && s.padding == [0; 4] {
            return dy;
        }
        let [bh, bw] = back_size(s);
        let [oh, ow, o] = s.output;
        let spread = &mut scratch[..bh * bw * o];
        // The first output pixel stands (K − 1)·dilation − padding from the corner.
        let top = ((s.kernel[0] - 1) * s.dilation[0]) as isize - s.padding[0] as isize;
        let left = ((s.kernel[1] - 1) * s.dilation[1]) as isize - s.padding[1] as isize;
        if s.stride == [1, 1] && left >= 0 && left as usize + ow <= bw {
            let (left, line) = (left as usize * o, ow * o);
            for (to_y, spread) in spread.chunks_exact_mut(bw * o).enumerate() {
                match usize::try_from(to_y as isize - top).ok().filter(|&y| y < oh) {
                    Some(y) => {
                        spread[..left].fill(0.0);
                        spread[left..left + line].copy_from_slice(&dy[y * line..(y + 1) * line]);
                        spread[left + line..].fill(0.0);
                    }
                    None => spread.fill(0.0),
                }
            }
            return spread;
        }
        spread.fill(0.0);
        for y in 0..oh {
            let to_y = top + (y * s.stride[0]) as isize;
            for x in 0..ow {
                let to_x = left + (x * s.stride[1]) as isize;
                let inside = (0..bh as isize).contains(&to_y) && (0..bw as isize).contains(&to_x);
                if inside {
                    let from = (y * ow + x) * o;
                    let to = (to_y as usize * bw + to_x as usize) * o;
                    spread[to..to + o].copy_from_slice(&dy[from..from + o]);
                }
            }
        }
        spread
    }

    /// Adds the gradient of some of an image's input pixels, whose windows start at `pixels` of the
    /// spread gradient of its output.
    fn back_pixels_direct(&self, spread: &[f32], pixels: &[usize], dx: &mut [f32]) {
        let s = &self.shape;
        if self.algorithm == Algorithm::Depthwise {
            let args = Depthwise {
                x: spread,
                pixels,
                taps: &self.back_runs.offsets,
                w: &self.backward,
                channels: s.input[2],
                y: dx,
                bias: None,
                relu: false,
                accumulate: true,
                tail: Tail::default(),
            };
            return depthwise::depthwise(self.isa, args);
        }
        let (ci, co) = (s.group_inputs(), s.group_outputs());
        let packed = self.backward.len() / s.groups;
        for g in 0..s.groups {
            let args = Rows {
                a: &spread[g * co..],
                rows: pixels,
                segments: &self.back_runs.offsets,
                inner: self.back_runs.len,
                b: &self.backward[g * packed..(g + 1) * packed],
                n: ci,
                c: &mut dx[g * ci..],
                ldc: s.input[2],
                epilogue: Epilogue { accumulate: true, ..Epilogue::default() },
                tail: Tail::default(),
            };
            gemm::rows(self.isa, args);
        }
    }

    /// Adds `[taps, I, O]` sums to a gradient in ONNX's order.
    fn add_ordered(&self, sums: &[f32], dw: &mut [f32]) {
        let s = &self.shape;
        let taps = s.kernel[0] * s.kernel[1];
        let (ci, o) = (s.group_inputs(), s.output[2]);
        for (out, dw) in dw.chunks_exact_mut(ci * taps).enumerate() {
            for (i, dw) in dw.chunks_exact_mut(taps).enumerate() {
                for (tap, dw) in dw.iter_mut().enumerate() {
                    *dw += sums[(tap * ci + i) * o + out];
                }
            }
        }
    }
}

/// Height and width of the output gradient spread out by the stride and framed so that a plain
/// convolution with the turned filter gives the input gradient.
fn back_size(s: &ConvShape) -> [usize; 2] {
    [s.input[0] + (s.kernel[0] - 1) * s.dilation[0], s.input[1] + (s.kernel[1] - 1) * s.dilation[1]]
}

/// How an output is cut into strips of lines, each of which is computed while it is in cache.
#[derive(Clone, Copy, Debug)]
struct Strips {
    /// Lines of a strip, but perhaps of the last.
    lines: usize,
    count: usize,
    /// Threads that share the strips.
    parts: usize,
}

/// Floats of input and output that a strip should come to: half a megabyte.
const STRIP_FLOATS: usize = 1 << 17;

/// Below so many output pixels a strip would read the weights too often.
const STRIP_PIXELS: usize = 256;

/// Up to so many output pixels, with so many weights, threads share the filters.
const COLUMN_PIXELS: usize = 100;
const COLUMN_WEIGHTS: usize = 1 << 18;

/// Threads share an image where it takes so much work: some microseconds.
const SPLIT_WORK: usize = 1 << 18;

/// Multiply-adds of a matrix product that one of a depthwise convolution takes as long as.
const DEPTHWISE_WORK: usize = 4;

// One image, strip by strip. A pixel (a tile) is computed by the same operations as in one piece.
impl Conv {
    fn strips(&self, split: usize) -> Strips {
        let s = &self.shape;
        let [oh, ow, o] = s.output;
        let split = if s.image_work() < SPLIT_WORK { 1 } else { split.max(1) };
        if self.shares_columns(split) {
            return Strips { lines: oh, count: 1, parts: 1 };
        }
        let (lines, step) = match self.algorithm {
            Algorithm::Winograd(tile) => {
                let [rows, across] = self.grid_tiles(tile);
                // Threads that share so few tiles share the weights instead.
                let whole = rows * across < 2 * TILES_PER_PASS;
                if whole {
                    return Strips { lines: rows * tile.m(), count: 1, parts: 1 };
                }
                (TILES_PER_PASS.div_ceil(across) * tile.m(), tile.m())
            }
            _ => {
                let line = ow * o + s.stride[0] * s.input[1] * s.input[2];
                ((STRIP_FLOATS / line.max(1)).max(STRIP_PIXELS.div_ceil(ow)), 1)
            }
        };
        let rows = oh.div_ceil(step);
        let mut count = rows.div_ceil((lines / step).max(1));
        if split > 1 {
            // As many strips for every thread.
            count = count.next_multiple_of(split).min(rows);
        }
        let lines = rows.div_ceil(count) * step;
        let count = oh.div_ceil(lines);
        Strips { lines, count, parts: split.min(count) }
    }

    /// Scratch memory of one part.
    fn strip_scratch(&self, lines: usize) -> usize {
        let s = &self.shape;
        match self.algorithm {
            Algorithm::Winograd(tile) => {
                let area = tile.n() * tile.n();
                let tiles = lines.div_ceil(tile.m()) * self.grid_tiles(tile)[1];
                area * (wino::plane(tiles, s.input[2]) + wino::plane(tiles, s.output[2]))
            }
            _ if !self.gathered.is_empty() => lines * s.output[1] * (s.input[2] + GAP),
            _ if s.padding == [0; 4] => 0,
            _ => s.seen_lines(lines) * s.padded()[1] * s.input[2],
        }
    }

    fn forward_strips(
        &self,
        strips: Strips,
        x: &[f32],
        y: &mut [f32],
        end: End<'_>,
        scratch: &mut [f32],
        post: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) {
        let line = self.shape.output[1] * self.shape.output[2];
        let (own, strip) = (self.strip_scratch(strips.lines), strips.lines * line);
        let each = strips.count.div_ceil(strips.parts);
        let run = |part: usize, y: &mut [f32], scratch: &mut [f32]| {
            for (i, y) in y.chunks_mut(strip).enumerate() {
                let top = (part * each + i) * strips.lines;
                let first = top * self.shape.output[1];
                self.strip(top, x, y, end.rows_from(first), scratch);
                post(first, y);
            }
        };
        if strips.parts == 1 {
            return run(0, y, &mut scratch[..own]);
        }
        // Empty pieces where no scratch is needed.
        let mut pieces: Vec<&mut [f32]> = Vec::new();
        let mut rest = scratch;
        for _ in 0..strips.parts {
            let (piece, after) = rest.split_at_mut(own);
            pieces.push(piece);
            rest = after;
        }
        let parts: Vec<_> = y.chunks_mut(each * strip).zip(pieces).enumerate().collect();
        parts.into_par_iter().for_each(|(part, (y, scratch))| run(part, y, scratch));
    }

    /// The lines of the output from `top` on, as many as `y` holds.
    fn strip(&self, top: usize, x: &[f32], y: &mut [f32], end: End<'_>, scratch: &mut [f32]) {
        let s = &self.shape;
        let lines = y.len() / (s.output[1] * s.output[2]);
        if let Algorithm::Winograd(tile) = self.algorithm {
            return self.strip_winograd(tile, top, x, y, end, scratch);
        }
        let [h, w, c] = s.input;
        if !self.gathered.is_empty() {
            let pixels = top * s.output[1]..(top + lines) * s.output[1];
            return self.gathered_direct(x, pixels, y, end, scratch);
        }
        // Windows start where those of the first lines of an image do.
        let pixels = &self.pixels[..lines * s.output[1]];
        if s.padding == [0; 4] {
            let x = &x[top * s.stride[0] * w * c..];
            return self.pixels_direct(&self.runs, x, pixels, y, end);
        }
        let pw = s.padded()[1];
        let padded = &mut scratch[..s.seen_lines(lines) * pw * c];
        for (i, out) in padded.chunks_exact_mut(pw * c).enumerate() {
            let line = (top * s.stride[0] + i).checked_sub(s.padding[0]).filter(|line| *line < h);
            let (left, right) = (s.padding[1] * c, (s.padding[1] + w) * c);
            match line {
                Some(line) => {
                    out[..left].fill(0.0);
                    out[left..right].copy_from_slice(&x[line * w * c..(line + 1) * w * c]);
                    out[right..].fill(0.0);
                }
                None => out.fill(0.0),
            }
        }
        self.pixels_direct(&self.runs, padded, pixels, y, end);
    }

    fn strip_winograd(
        &self,
        tile: Tile,
        top: usize,
        x: &[f32],
        y: &mut [f32],
        end: End<'_>,
        scratch: &mut [f32],
    ) {
        let s = &self.shape;
        let (area, c, o) = (tile.n() * tile.n(), s.input[2], s.output[2]);
        let lines = y.len() / (s.output[1] * o);
        let part = |grid: Grid| Grid { tiles_y: lines.div_ceil(tile.m()), ..grid };
        let input = part(self.input_grid(tile, 1));
        let input = Grid { top: input.top + top as isize, ..input };
        let tiles = input.tiles();
        let (v, rest) = scratch.split_at_mut(area * wino::plane(tiles, c));
        let m = &mut rest[..area * wino::plane(tiles, o)];
        wino::input_transform(self.isa, tile, input, x, v);
        self.products(area, tiles, v, &self.forward, m, c, o);
        let output = Grid { height: lines, ..part(self.output_grid(tile, 1)) };
        wino::output_transform(self.isa, tile, output, m, y, self.bias.as_deref(), end.relu);
    }
}

// Winograd.
impl Conv {
    fn grid_tiles(&self, tile: Tile) -> [usize; 2] {
        [self.shape.output[0].div_ceil(tile.m()), self.shape.output[1].div_ceil(tile.m())]
    }

    fn tiles(&self, tile: Tile, images: usize) -> usize {
        let [y, x] = self.grid_tiles(tile);
        images * y * x
    }

    /// Images in one pass.
    fn pass(&self, tile: Tile) -> usize {
        TILES_PER_PASS.div_ceil(self.tiles(tile, 1))
    }

    fn input_grid(&self, tile: Tile, images: usize) -> Grid {
        let [tiles_y, tiles_x] = self.grid_tiles(tile);
        let [height, width, channels] = self.shape.input;
        let (top, left) = (-(self.shape.padding[0] as isize), -(self.shape.padding[1] as isize));
        let (step, within) = (tile.m(), None);
        Grid { images, height, width, channels, tiles_y, tiles_x, step, top, left, within }
    }

    fn output_grid(&self, tile: Tile, images: usize) -> Grid {
        let [height, width, channels] = self.shape.output;
        Grid { height, width, channels, top: 0, left: 0, ..self.input_grid(tile, images) }
    }

    fn prepare_winograd(&mut self, tile: Tile, weight: &[f32], passes: Passes) {
        let s = &self.shape;
        let (c, o, taps) = (s.input[2], s.output[2], tile.r() * tile.r());
        let area = tile.n() * tile.n();
        self.ordered.resize((taps + area) * c * o, 0.0);
        let (g, u) = self.ordered.split_at_mut(taps * c * o);
        for (out, filters) in weight.chunks_exact(c * taps).enumerate() {
            for (i, filter) in filters.chunks_exact(taps).enumerate() {
                for (tap, w) in filter.iter().enumerate() {
                    g[(tap * c + i) * o + out] = *w;
                }
            }
        }
        wino::filter_transform(self.isa, tile, g, u);
        if passes.forward() {
            let packed = gemm::packed_len(self.isa, c, o);
            let forward = Arc::make_mut(&mut self.forward);
            forward.resize(area * packed, 0.0);
            for (out, u) in forward.chunks_exact_mut(packed).zip(u.chunks_exact(c * o)) {
                gemm::pack(self.isa, c, o, |k, j| u[k * o + j], out);
            }
        }
        if passes.backward() {
            let packed = gemm::packed_len(self.isa, o, c);
            self.backward.resize(area * packed, 0.0);
            for (out, u) in self.backward.chunks_exact_mut(packed).zip(u.chunks_exact(c * o)) {
                gemm::pack(self.isa, o, c, |k, j| u[j * o + k], out);
            }
        }
    }

    /// One product per tile element: `C[e] = A[e] B[e]` with `tiles` rows.
    #[allow(clippy::too_many_arguments)] // sizes and three matrices
    fn products(
        &self,
        area: usize,
        tiles: usize,
        a: &[f32],
        b: &[f32],
        c: &mut [f32],
        k: usize,
        n: usize,
    ) {
        let strides = [wino::plane(tiles, k), wino::plane(tiles, n)];
        let epilogue = Epilogue::default();
        gemm::products(self.isa, area, [tiles, k, n], strides, a, b, c, epilogue);
    }

    #[allow(clippy::too_many_arguments)] // as `forward`
    fn forward_winograd(
        &self,
        tile: Tile,
        n: usize,
        x: &[f32],
        y: &mut [f32],
        end: End<'_>,
        scratch: &mut [f32],
        split: usize,
    ) {
        let s = &self.shape;
        let (area, c, o) = (tile.n() * tile.n(), s.input[2], s.output[2]);
        let pass = self.pass(tile);
        for first in (0..n).step_by(pass) {
            let images = pass.min(n - first);
            let tiles = self.tiles(tile, images);
            let (v, rest) = scratch.split_at_mut(area * wino::plane(tiles, c));
            let m = &mut rest[..area * wino::plane(tiles, o)];
            let x = &x[first * s.input_len()..(first + images) * s.input_len()];
            wino::input_transform(self.isa, tile, self.input_grid(tile, images), x, v);
            self.shared_products(split, area, tiles, v, &self.forward, m, c, o);
            let y = &mut y[first * s.output_len()..(first + images) * s.output_len()];
            let grid = self.output_grid(tile, images);
            wino::output_transform(self.isa, tile, grid, m, y, self.bias.as_deref(), end.relu);
        }
    }

    /// The products, shared out among threads, each of which reads its weights only.
    #[allow(clippy::too_many_arguments)] // as `products`
    fn shared_products(
        &self,
        split: usize,
        area: usize,
        tiles: usize,
        a: &[f32],
        b: &[f32],
        c: &mut [f32],
        k: usize,
        n: usize,
    ) {
        if split <= 1 {
            return self.products(area, tiles, a, b, c, k, n);
        }
        let (from, to) = (wino::plane(tiles, k), wino::plane(tiles, n));
        let (each, packed) = (area.div_ceil(split), b.len() / area);
        let parts =
            c[..area * to].par_chunks_mut(each * to).zip(a[..area * from].par_chunks(each * from));
        parts.zip(b.par_chunks(each * packed)).for_each(|((c, a), b)| {
            self.products(b.len() / packed, tiles, a, b, c, k, n);
        });
    }

    #[allow(clippy::too_many_arguments)]
    fn backward_winograd(
        &self,
        tile: Tile,
        n: usize,
        x: &[f32],
        dy: &[f32],
        mut dx: Option<&mut [f32]>,
        dw: Option<&mut [f32]>,
        scratch: &mut [f32],
        split: usize,
    ) {
        let s = &self.shape;
        let (area, c, o) = (tile.n() * tile.n(), s.input[2], s.output[2]);
        let pass = self.pass(tile);
        let (du, scratch) = scratch.split_at_mut(area * c * o);
        let (dg, scratch) = scratch.split_at_mut(s.weights());
        for first in (0..n).step_by(pass) {
            let images = pass.min(n - first);
            let tiles = self.tiles(tile, images);
            let (v, rest) = scratch.split_at_mut(area * wino::plane(tiles, c));
            let dm = &mut rest[..area * wino::plane(tiles, o)];
            let dy = &dy[first * s.output_len()..(first + images) * s.output_len()];
            let inputs = first * s.input_len()..(first + images) * s.input_len();
            wino::output_adjoint(self.isa, tile, self.output_grid(tile, images), dy, dm);
            let grid = self.input_grid(tile, images);
            if dw.is_some() {
                wino::input_transform(self.isa, tile, grid, &x[inputs.clone()], v);
                self.outer_products(area, tiles, v, dm, du, first > 0);
            }
            if let Some(dx) = dx.as_deref_mut() {
                self.shared_products(split, area, tiles, dm, &self.backward, v, o, c);
                wino::input_adjoint(self.isa, tile, grid, v, &mut dx[inputs]);
            }
        }
        if let Some(dw) = dw {
            dg.fill(0.0);
            wino::filter_adjoint(self.isa, tile, du, dg);
            self.add_ordered(dg, dw);
        }
    }

    /// `dU[e] (+)= V[e]ᵀ dM[e]`.
    fn outer_products(
        &self,
        area: usize,
        tiles: usize,
        v: &[f32],
        dm: &[f32],
        du: &mut [f32],
        accumulate: bool,
    ) {
        let (c, o) = (self.shape.input[2], self.shape.output[2]);
        for e in 0..area {
            let args = Cols {
                a: &v[e * wino::plane(tiles, c)..][..tiles * c],
                b: &dm[e * wino::plane(tiles, o)..][..tiles * o],
                segments: &[(0, 0)],
                inner: tiles,
                step_a: c,
                step_b: o,
                rows: c,
                n: o,
                c: &mut du[e * c * o..(e + 1) * c * o],
                ldc: o,
                accumulate,
            };
            gemm::cols(self.isa, args);
        }
    }
}
