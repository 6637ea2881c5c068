//! Operators that are rarely the bulk of a network, run by their plain definitions ([`crate::plain`]).
//!
//! Those take row-major numbers, so an image changes its order on the way in and out. What only moves
//! numbers is a table of places in the engine's own order; a product of matrices goes through the
//! kernels of [`gemm`].

mod parts;

use cutaway_net::{Network, NodeId, Op};

use crate::kernels::Isa;
use crate::kernels::gemm::{self, Cols, Epilogue};
use crate::layers::{Inputs, pixels_channels};
use crate::plain::{self, Shapes};
use crate::plan::{to_channels_first, to_channels_last};

/// Stands for "from nowhere" in a table of places.
const NOWHERE: u32 = u32::MAX;

/// A node that runs by its plain definition.
#[derive(Clone)]
pub(crate) struct Plain {
    isa: Isa,
    op: Op,
    shapes: Shapes,
    params: Vec<Vec<f32>>,
    /// For each input, where each number of the output comes from, both in the engine's order.
    places: Vec<Vec<u32>>,
    /// For each input, which of its places a place of the output depends on.
    seen: Vec<Option<parts::Seen>>,
}

impl Plain {
    pub(crate) fn new(isa: Isa, network: &Network, id: NodeId, op: Op) -> Plain {
        let inputs = network.node(id).inputs.iter().map(|&id| network.shape(id).to_vec()).collect();
        let shapes = Shapes { inputs, output: network.shape(id).to_vec() };
        let mut places = Vec::new();
        if plain::is_picking(&op) {
            for which in 0..shapes.inputs.len() {
                places.push(ordered_places(&op, &shapes, which));
            }
        }
        let seen = parts::seen(&op, &shapes);
        Plain { isa, op, shapes, params: Vec::new(), places, seen }
    }

    pub(crate) fn prepare(&mut self, params: &[&[f32]]) {
        self.params = params.iter().map(|values| values.to_vec()).collect();
    }

    pub(crate) fn forward(&self, n: usize, x: Inputs<'_>, y: &mut [f32]) {
        let len = y.len() / n.max(1);
        for (slot, y) in y.chunks_exact_mut(len.max(1)).enumerate().take(n) {
            if self.places.is_empty() {
                let inputs = self.inputs(x, slot);
                match output_is_row_major(&self.shapes.output) {
                    true => self.compute(&inputs, y),
                    false => {
                        let mut rows = vec![0.0; len];
                        self.compute(&inputs, &mut rows);
                        let [pixels, channels] = pixels_channels(&self.shapes.output);
                        to_channels_last(pixels, channels, &rows, y);
                    }
                }
            } else {
                self.pick(x, slot, y);
            }
        }
    }

    fn pick(&self, x: Inputs<'_>, slot: usize, y: &mut [f32]) {
        let fill = plain::filling(&self.op);
        for (which, places) in self.places.iter().enumerate() {
            let x = x.slot(which, slot);
            for (y, &place) in y.iter_mut().zip(places) {
                match (place, fill) {
                    (NOWHERE, Some(fill)) => *y = fill,
                    (NOWHERE, None) => {}
                    (place, _) => *y = x[place as usize],
                }
            }
        }
    }

    fn compute(&self, inputs: &[Vec<f32>], y: &mut [f32]) {
        let x: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let params: Vec<&[f32]> = self.params.iter().map(Vec::as_slice).collect();
        match self.op {
            Op::MatMul => self.mat_mul(x[0], x[1], y),
            _ => plain::forward(&self.op, &self.shapes, &x, &params, y),
        }
    }

    /// Adds the gradient of input `which` for every image.
    pub(crate) fn backward(
        &self,
        n: usize,
        which: usize,
        x: Inputs<'_>,
        y: &[f32],
        dy: &[f32],
        dx: &mut [f32],
    ) {
        let (len, in_len) = (y.len() / n.max(1), dx.len() / n.max(1));
        for slot in 0..n {
            let (y, dy) = (&y[slot * len..][..len], &dy[slot * len..][..len]);
            let dx = &mut dx[slot * in_len..][..in_len];
            if let Some(places) = self.places.get(which) {
                let found = dy.iter().zip(places).filter(|(_, place)| **place != NOWHERE);
                found.for_each(|(dy, &place)| dx[place as usize] += dy);
                continue;
            }
            let inputs = self.inputs(x, slot);
            let (y, dy) = (rows(&self.shapes.output, y), rows(&self.shapes.output, dy));
            let mut gradient = vec![0.0; in_len];
            self.gradient(which, &inputs, &y, &dy, &mut gradient);
            let [pixels, channels] = pixels_channels(&self.shapes.inputs[which]);
            let mut ordered = vec![0.0; in_len];
            to_channels_last(pixels, channels, &gradient, &mut ordered);
            dx.iter_mut().zip(ordered).for_each(|(dx, value)| *dx += value);
        }
    }

    fn gradient(&self, which: usize, inputs: &[Vec<f32>], y: &[f32], dy: &[f32], dx: &mut [f32]) {
        let x: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let params: Vec<&[f32]> = self.params.iter().map(Vec::as_slice).collect();
        match self.op {
            Op::MatMul => self.mat_mul_backward(which, x[1 - which], dy, dx),
            _ => plain::backward(&self.op, &self.shapes, which, &x, &params, y, dy, dx),
        }
    }

    /// Adds the gradients of the parameters over all images.
    pub(crate) fn backward_params(
        &self,
        n: usize,
        x: Inputs<'_>,
        dy: &[f32],
        dparams: &mut [&mut [f32]],
    ) {
        let len = dy.len() / n.max(1);
        let params: Vec<&[f32]> = self.params.iter().map(Vec::as_slice).collect();
        for slot in 0..n {
            let inputs = self.inputs(x, slot);
            let x: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
            let dy = rows(&self.shapes.output, &dy[slot * len..][..len]);
            plain::backward_params(&self.op, &self.shapes, &x, &params, &dy, dparams);
        }
    }

    /// The inputs of one image, row-major.
    fn inputs(&self, x: Inputs<'_>, slot: usize) -> Vec<Vec<f32>> {
        let shapes = self.shapes.inputs.iter().enumerate();
        shapes.map(|(i, shape)| rows(shape, x.slot(i, slot))).collect()
    }

    fn mat_mul(&self, a: &[f32], b: &[f32], y: &mut [f32]) {
        let (size @ [m, k, n], blocks) = plain::mat_mul_blocks(&self.shapes);
        let mut packed = vec![0.0; gemm::packed_len(self.isa, k, n)];
        let mut ready = None;
        for [a0, b0, y0] in blocks {
            if ready != Some(b0) {
                gemm::pack(self.isa, k, n, |row, column| b[b0 + row * n + column], &mut packed);
                ready = Some(b0);
            }
            let (a, y) = (&a[a0..a0 + m * k], &mut y[y0..y0 + m * n]);
            gemm::matmul(self.isa, size, a, &packed, y, Epilogue::default());
        }
    }

    /// `dA = dY Bᵀ`, `dB = Aᵀ dY`
    fn mat_mul_backward(&self, which: usize, other: &[f32], dy: &[f32], dx: &mut [f32]) {
        let ([m, k, n], blocks) = plain::mat_mul_blocks(&self.shapes);
        let mut packed = vec![0.0; gemm::packed_len(self.isa, n, k)];
        for [a0, b0, y0] in blocks {
            let dy = &dy[y0..y0 + m * n];
            if which == 0 {
                let turned = |row: usize, column: usize| other[b0 + column * n + row];
                gemm::pack(self.isa, n, k, turned, &mut packed);
                let epilogue = Epilogue { accumulate: true, ..Epilogue::default() };
                let dx = &mut dx[a0..a0 + m * k];
                gemm::matmul(self.isa, [m, n, k], dy, &packed, dx, epilogue);
            } else {
                let args = Cols {
                    a: &other[a0..a0 + m * k],
                    b: dy,
                    segments: &[(0, 0)],
                    inner: m,
                    step_a: k,
                    step_b: n,
                    rows: k,
                    n,
                    c: &mut dx[b0..b0 + k * n],
                    ldc: n,
                    accumulate: true,
                };
                gemm::cols(self.isa, args);
            }
        }
    }
}

/// Whether the engine keeps a sample of this shape row-major.
fn output_is_row_major(shape: &[usize]) -> bool {
    let [pixels, channels] = pixels_channels(shape);
    pixels == 1 || channels == 1
}

/// One image's numbers, row-major.
fn rows(shape: &[usize], x: &[f32]) -> Vec<f32> {
    let [pixels, channels] = pixels_channels(shape);
    let mut rows = vec![0.0; x.len()];
    to_channels_first(pixels, channels, x, &mut rows);
    rows
}

/// A table of places with both sides in the engine's order.
fn ordered_places(op: &Op, shapes: &Shapes, which: usize) -> Vec<u32> {
    let ordered = |shape: &[usize], at: usize| {
        let [pixels, channels] = pixels_channels(shape);
        at % pixels * channels + at / pixels
    };
    let input = &shapes.inputs[which];
    let mut table = vec![NOWHERE; shapes.output.iter().product()];
    for (to, from) in plain::places(op, shapes, which).into_iter().enumerate() {
        if let Some(from) = from {
            // At most 2^30 numbers a sample (net::MAX_ELEMENTS).
            table[ordered(&shapes.output, to)] = ordered(input, from) as u32;
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_places_is_in_the_engines_order_on_both_sides() {
        // Two channels of one row of three pixels, turned into three of two.
        let shapes = Shapes { inputs: vec![vec![2, 1, 3]], output: vec![3, 1, 2] };
        let op = Op::Transpose { axes: vec![2, 1, 0] };
        // In the engine: input (pixel, channel) at pixel * 2 + channel.
        assert_eq!(ordered_places(&op, &shapes, 0), [0, 2, 4, 1, 3, 5]);
    }
}
