//! Receptive fields: which part of the image a position of a layer sees.
//!
//! Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill
//! 2019, equations 1 to 4, carried forwards through the graph; branches that join take the union
//! of what they see, as in the section "Arbitrary computation graphs".

use serde::{Deserialize, Serialize};

use crate::{Network, Node, NodeId, Op};

/// What position (0, 0) of a layer sees of the image, and how far the next positions are.
///
/// Position `i` along an axis sees the pixels from `offset + i * stride` up to but not including
/// `offset + i * stride + size`; those below 0 or beyond the image are padding. Each pair is
/// vertical, then horizontal. The stride is 0 where there is one position only, as after a dense
/// layer.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceptiveField {
    /// Height and width in pixels.
    pub size: [u64; 2],
    /// Pixels from one position to the next.
    pub stride: [u64; 2],
    /// First row and column; negative in the padding.
    pub offset: [i64; 2],
}

/// A receptive field with the number of positions it is repeated at, vertically and horizontally.
#[derive(Copy, Clone)]
struct Seen {
    axes: [Axis; 2],
}

/// Saturating arithmetic throughout: a file may chain any number of huge strides.
#[derive(Copy, Clone, PartialEq)]
struct Axis {
    size: i64,
    stride: i64,
    offset: i64,
    positions: i64,
}

/// Receptive field of every node, in the order of the nodes.
pub(crate) fn receptive_fields(network: &Network) -> Vec<ReceptiveField> {
    let mut seen: Vec<Seen> = Vec::with_capacity(network.nodes().len());
    for (index, node) in network.nodes().iter().enumerate() {
        let next = match node.inputs.first() {
            None => Seen::input(network.shape(NodeId(index))),
            Some(_) => step(network, NodeId(index), node, &seen),
        };
        seen.push(next);
    }
    seen.into_iter().map(Seen::field).collect()
}

fn step(network: &Network, id: NodeId, node: &Node, seen: &[Seen]) -> Seen {
    // A constant sees nothing of the image.
    let computed = |input: &&NodeId| !matches!(network.node(**input).op, Op::Constant { .. });
    let first = node.inputs.iter().find(computed).unwrap_or(&node.inputs[0]);
    let before = seen[first.0];
    let shape = network.shape(id);
    match &node.op {
        Op::Conv(conv) => {
            let weight = &network.param(node.params[0]).shape;
            let kernel = [weight[2], weight[3]];
            before.slide(kernel, conv.dilation, conv.stride, conv.padding, shape)
        }
        Op::MaxPool(pool) | Op::AvgPool(pool) => {
            before.slide(pool.kernel, [1, 1], pool.stride, pool.padding, shape)
        }
        Op::Dense | Op::GlobalAvgPool => before.whole(),
        // Where an image is taken apart and put together otherwise, a position may hold anything.
        Op::Reshape { shape } if shape.len() > 1 => before.whole(),
        // These move positions, mix all of them, or look further than a window's arithmetic says.
        Op::Reduce { .. }
        | Op::ArgMax { .. }
        | Op::SoftmaxAlong { .. }
        | Op::LayerNorm { .. }
        | Op::GroupNorm { .. }
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Expand { .. }
        | Op::Gather { .. }
        | Op::Resize(_)
        | Op::CumSum { .. }
        | Op::ConvTranspose(_) => before.whole(),
        Op::MatMul | Op::ConcatAlong { .. } => {
            let others = node.inputs.iter().filter(computed).map(|input| seen[input.0].whole());
            others.fold(before.whole(), Seen::union)
        }
        Op::Add | Op::Concat | Op::Binary(_) | Op::Where => {
            let others = node.inputs.iter().filter(computed).map(|input| seen[input.0]);
            others.fold(before, Seen::union)
        }
        _ => before,
    }
}

impl Seen {
    fn input(shape: &[usize]) -> Self {
        let [height, width] = positions(shape);
        let axis = |positions| Axis { size: 1, stride: 1, offset: 0, positions };
        Self { axes: [axis(height), axis(width)] }
    }

    fn slide(
        self,
        kernel: [usize; 2],
        dilation: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 4],
        output: &[usize],
    ) -> Self {
        let positions = positions(output);
        let axis = |i: usize| {
            let reach = (clamp(kernel[i]) - 1).saturating_mul(clamp(dilation[i]));
            self.axes[i].slide(reach, clamp(stride[i]), clamp(padding[i]), positions[i])
        };
        Self { axes: [axis(0), axis(1)] }
    }

    fn whole(self) -> Self {
        Self { axes: self.axes.map(Axis::whole) }
    }

    fn union(self, other: Self) -> Self {
        Self { axes: [0, 1].map(|i| self.axes[i].union(other.axes[i])) }
    }

    fn field(self) -> ReceptiveField {
        ReceptiveField {
            size: self.axes.map(|axis| axis.size.unsigned_abs()),
            stride: self.axes.map(|axis| axis.stride.unsigned_abs()),
            offset: self.axes.map(|axis| axis.offset),
        }
    }
}

impl Axis {
    /// A window that reaches `reach` positions beyond its first (Araujo et al., equations 1 to 3).
    fn slide(self, reach: i64, stride: i64, padding: i64, positions: i64) -> Self {
        Self {
            size: self.size.saturating_add(reach.saturating_mul(self.stride)),
            stride: self.stride.saturating_mul(stride),
            offset: self.offset.saturating_sub(padding.saturating_mul(self.stride)),
            positions,
        }
    }

    /// All positions together.
    fn whole(self) -> Self {
        let reach = (self.positions - 1).saturating_mul(self.stride);
        Self { size: self.size.saturating_add(reach), stride: 0, positions: 1, ..self }
    }

    fn end(self) -> i64 {
        self.offset.saturating_add(self.size)
    }

    /// Everything that either sees. Strides that differ have no common field that moves along, so
    /// then the whole of both.
    fn union(self, other: Self) -> Self {
        if self.stride != other.stride {
            return Self { positions: self.positions, ..self.whole().union(other.whole()) };
        }
        let offset = self.offset.min(other.offset);
        let size = self.end().max(other.end()).saturating_sub(offset);
        Self { offset, size, ..self }
    }
}

/// Rows and columns of an image; one of each for everything else.
fn positions(shape: &[usize]) -> [i64; 2] {
    match *shape {
        [_, height, width] => [clamp(height), clamp(width)],
        _ => [1, 1],
    }
}

fn clamp(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConvSpec, NetworkBuilder, PoolSpec, presets};

    fn of(network: &Network, name: &str) -> ReceptiveField {
        receptive_fields(network)[network.find(name).unwrap().0]
    }

    fn square(size: u64, stride: u64, offset: i64) -> ReceptiveField {
        ReceptiveField { size: [size; 2], stride: [stride; 2], offset: [offset; 2] }
    }

    #[test]
    fn the_reference_cnn_sees_5_9_10_14_18_20_and_28_pixels() {
        let net = presets::reference_cnn(0);
        assert_eq!(of(&net, "input"), square(1, 1, 0));
        assert_eq!(of(&net, "relu1"), square(5, 1, 0));
        assert_eq!(of(&net, "conv2"), square(9, 1, 0));
        assert_eq!(of(&net, "pool1"), square(10, 2, 0));
        assert_eq!(of(&net, "conv3"), square(14, 2, 0));
        assert_eq!(of(&net, "conv4"), square(18, 2, 0));
        assert_eq!(of(&net, "pool2"), square(20, 4, 0));
        assert_eq!(of(&net, "flatten"), square(20, 4, 0));
        assert_eq!(of(&net, "logits"), square(28, 0, 0));
    }

    #[test]
    fn padding_moves_the_first_field_out_of_the_image() {
        // AlexNet's first layers, whose field Araujo et al. give as 11, 19, 51 pixels.
        let net = NetworkBuilder::new("alexnet")
            .input("x", &[3, 224, 224])
            .conv("conv1", ConvSpec::new(4, 11).stride(4).padding([2; 4]))
            .max_pool("pool1", PoolSpec::new(3).stride(2))
            .conv("conv2", ConvSpec::new(4, 5).same())
            .conv("dilated", ConvSpec::new(4, [1, 3]).dilation(2))
            .build(0)
            .unwrap();
        assert_eq!(of(&net, "conv1"), square(11, 4, -2));
        assert_eq!(of(&net, "pool1"), square(19, 8, -2));
        assert_eq!(of(&net, "conv2"), square(51, 8, -18));
        let wide = ReceptiveField { size: [51, 83], stride: [8, 8], offset: [-18, -18] };
        assert_eq!(of(&net, "dilated"), wide);
    }

    #[test]
    fn branches_that_join_see_what_either_sees() {
        let mut b = NetworkBuilder::new("branches");
        let trunk = b.input("x", &[1, 9, 9]).last();
        let narrow = b.conv("narrow", ConvSpec::new(1, 1)).last();
        let wide = b.at(trunk).conv("wide", ConvSpec::new(1, 5).same()).last();
        b.add("sum", &[narrow, wide]);
        let net = b.build(0).unwrap();
        assert_eq!(of(&net, "sum"), square(5, 1, -2));
    }
}
