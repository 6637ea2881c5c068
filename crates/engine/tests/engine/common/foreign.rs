//! Random networks of convolutions and foreign operators on images, for sweeps.

use std::sync::Arc;

use cutaway_net::{
    Binary, Conv, ConvTranspose, Coordinates, Interpolation, Metadata, Network, Node, NodeId, Op,
    PadMode, Param, ParamId, Reduce, Resize, Rounding, Span, Unary,
};

use super::numbers::Numbers;

/// A network under way: its end is an image `[channels, height, width]`.
struct Making {
    nodes: Vec<Node>,
    params: Vec<Param>,
    shape: [usize; 3],
    numbers: Numbers,
}

/// An image of `shape`, some of `layers` after one another, each a number that is read as a choice.
pub(crate) fn foreign(shape: [usize; 3], layers: &[usize], seed: u64) -> Network {
    let mut making =
        Making { nodes: Vec::new(), params: Vec::new(), shape, numbers: Numbers::new(seed) };
    making.node(Op::Input { shape: shape.to_vec() }, &[], &[]);
    making.conv();
    layers.iter().for_each(|&layer| making.layer(layer));
    making.conv();
    let last = making.last();
    let Making { nodes, params, .. } = making;
    Network::new("foreign", nodes, params, vec![last], Metadata::for_input(&shape))
        .unwrap_or_else(|e| panic!("{layers:?} {seed}: {e}"))
}

/// Choices of [`foreign`].
pub(crate) const LAYERS: usize = 21;

impl Making {
    fn last(&self) -> NodeId {
        NodeId(self.nodes.len() - 1)
    }

    fn node(&mut self, op: Op, inputs: &[NodeId], params: &[&[usize]]) -> NodeId {
        let name = format!("node{}", self.nodes.len());
        let mut ids = Vec::new();
        for shape in params {
            let values: Arc<[f32]> = self.numbers.vec(shape.iter().product()).into();
            ids.push(ParamId(self.params.len()));
            let name = format!("{name}.{}", ids.len());
            self.params.push(Param { name, shape: shape.to_vec(), values, trainable: true });
        }
        self.nodes.push(Node { name, op, inputs: inputs.to_vec(), params: ids });
        self.last()
    }

    /// A node behind the last one.
    fn follow(&mut self, op: Op) -> NodeId {
        let last = self.last();
        self.node(op, &[last], &[])
    }

    fn conv(&mut self) {
        let [c, _, _] = self.shape;
        let (filters, last) = (1 + self.numbers.below(6), self.last());
        let conv = Conv { stride: [1, 1], padding: [1; 4], dilation: [1, 1], groups: 1 };
        self.node(Op::Conv(conv), &[last], &[&[filters, c, 3, 3]]);
        self.shape[0] = filters;
    }

    fn binary(&mut self, inputs: [NodeId; 2]) {
        let kinds = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Min, Binary::Max];
        let kind = kinds[self.numbers.below(kinds.len())];
        self.node(Op::Binary(kind), &inputs, &[]);
    }

    /// A constant that is repeated to the image.
    fn constant(&mut self, shape: &[usize]) {
        let last = self.last();
        let constant = self.node(Op::Constant { shape: shape.to_vec() }, &[], &[shape]);
        let inputs = if self.numbers.below(2) == 0 { [last, constant] } else { [constant, last] };
        self.binary(inputs);
    }

    fn layer(&mut self, choice: usize) {
        let ([c, h, w], last) = (self.shape, self.last());
        match choice % LAYERS {
            0 => self.conv(),
            1 => _ = self.follow(Op::Unary(Unary::LeakyRelu { slope: 0.1 })),
            // A gate of each pixel, then one of each channel.
            2 => {
                let kinds = [Reduce::Mean, Reduce::Max, Reduce::L2];
                let kind = kinds[self.numbers.below(3)];
                let gate = self.follow(Op::Reduce { kind, axes: vec![0], keep: true });
                self.binary([last, gate]);
            }
            3 => {
                let gate = self.follow(Op::GlobalAvgPool);
                self.binary([gate, last]);
            }
            4 => {
                let lines =
                    self.follow(Op::Reduce { kind: Reduce::Sum, axes: vec![2], keep: true });
                self.binary([last, lines]);
            }
            5 => {
                let axis = self.numbers.below(3);
                let log = self.numbers.below(2) == 0;
                self.follow(Op::SoftmaxAlong { axis, log });
            }
            6 => {
                self.follow(Op::ArgMax { axis: 0, keep: true, last: false });
                self.shape[0] = 1;
            }
            7 => self.slice(),
            8 => self.pad(),
            9 => {
                let axis = self.numbers.below(3);
                self.node(Op::ConcatAlong { axis }, &[last, last], &[]);
                self.shape[axis] *= 2;
            }
            10 => {
                self.follow(Op::Transpose { axes: vec![0, 2, 1] });
                self.shape = [c, w, h];
            }
            11 => {
                self.follow(Op::Transpose { axes: vec![1, 0, 2] });
                self.shape = [h, c, w];
            }
            12 => self.gather(),
            13 => self.resize(),
            14 => self.transposed(),
            15 => self.constant(&[w]),
            16 => self.constant(&[h, 1]),
            17 => self.constant(&[c, 1, 1]),
            18 => self.constant(&[h, w]),
            19 => {
                let mean =
                    self.follow(Op::Reduce { kind: Reduce::Mean, axes: vec![0], keep: true });
                let below = self.node(Op::Binary(Binary::Less), &[mean, last], &[]);
                self.node(Op::Where, &[below, mean, last], &[]);
            }
            _ => {
                let mean =
                    self.follow(Op::Reduce { kind: Reduce::Mean, axes: vec![0], keep: true });
                self.node(Op::Expand { shape: vec![c, h, w] }, &[mean], &[]);
            }
        }
    }

    fn slice(&mut self) {
        let spans = self.shape.map(|size| {
            let count = 1 + self.numbers.below(size);
            let step = if count > 1 { 1 + self.numbers.below((size - 1) / (count - 1)) } else { 1 };
            let start = self.numbers.below(size - (count - 1) * step);
            match self.numbers.below(2) {
                0 => Span { start, count, step: step as isize },
                _ => Span { start: start + (count - 1) * step, count, step: -(step as isize) },
            }
        });
        self.follow(Op::Slice { spans: spans.to_vec() });
        self.shape = spans.map(|span| span.count);
    }

    fn pad(&mut self) {
        let modes = [PadMode::Constant(0.3), PadMode::Reflect, PadMode::Edge, PadMode::Wrap];
        let mode = modes[self.numbers.below(4)];
        let amounts = self.shape.map(|size| [0; 2].map(|_| self.numbers.below(size.min(3))));
        self.follow(Op::Pad { amounts: amounts.to_vec(), mode });
        for (size, [before, after]) in self.shape.iter_mut().zip(amounts) {
            *size += before + after;
        }
    }

    fn gather(&mut self) {
        let axis = self.numbers.below(3);
        let count = 1 + self.numbers.below(5);
        let indices = (0..count).map(|_| self.numbers.below(self.shape[axis])).collect();
        self.follow(Op::Gather { axis, indices });
        self.shape[axis] = count;
    }

    fn resize(&mut self) {
        let [c, h, w] = self.shape;
        let size = |numbers: &mut Numbers, size: usize| (size * (1 + numbers.below(4))).div_ceil(2);
        let shape = [c, size(&mut self.numbers, h), size(&mut self.numbers, w)];
        let scales = [0, 1, 2].map(|axis| shape[axis] as f32 / self.shape[axis] as f32);
        let modes = [
            Interpolation::Nearest(Rounding::PreferFloor),
            Interpolation::Linear,
            Interpolation::Cubic { a: -0.75, exclude_outside: false },
        ];
        let places = [Coordinates::HalfPixel, Coordinates::Asymmetric, Coordinates::AlignCorners];
        let mode = modes[self.numbers.below(3)];
        let coordinates = places[self.numbers.below(3)];
        let (shape, scales) = (shape.to_vec(), scales.to_vec());
        self.shape = [shape[0], shape[1], shape[2]];
        self.follow(Op::Resize(Resize { shape, scales, mode, coordinates }));
    }

    fn transposed(&mut self) {
        let ([c, h, w], last) = (self.shape, self.last());
        let [sy, sx, ky, kx] = [2, 2, 3, 3].map(|most| 1 + self.numbers.below(most));
        let filters = 1 + self.numbers.below(4);
        let conv = ConvTranspose {
            stride: [sy, sx],
            padding: [0, 0, 0, 0],
            dilation: [1, 1],
            groups: 1,
            output_padding: [0, 0],
        };
        self.node(Op::ConvTranspose(conv), &[last], &[&[c, filters, ky, kx]]);
        self.shape = [filters, (h - 1) * sy + ky, (w - 1) * sx + kx];
    }
}
