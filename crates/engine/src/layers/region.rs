//! Layers on a part of one image: what a change of the input can reach.
//!
//! A pixel is computed by the same operations in the same order as in a pass over the whole image,
//! so a recomputed part has the same bits.

use crate::layers::Layer;

/// Rows and columns of an image, ends exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Region {
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) bottom: usize,
    pub(crate) right: usize,
}

impl Region {
    /// All of an image of `[height, width]`.
    pub(crate) fn whole([height, width]: [usize; 2]) -> Region {
        Region { top: 0, left: 0, bottom: height, right: width }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.top >= self.bottom || self.left >= self.right
    }

    pub(crate) fn area(&self) -> usize {
        if self.is_empty() { 0 } else { (self.bottom - self.top) * (self.right - self.left) }
    }

    /// The smallest region that holds both.
    pub(crate) fn union(self, other: Region) -> Region {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        Region {
            top: self.top.min(other.top),
            left: self.left.min(other.left),
            bottom: self.bottom.max(other.bottom),
            right: self.right.max(other.right),
        }
    }

    /// Grown to multiples of `step`, within `[height, width]`.
    pub(crate) fn aligned(self, step: usize, [height, width]: [usize; 2]) -> Region {
        Region {
            top: self.top / step * step,
            left: self.left / step * step,
            bottom: (self.bottom.div_ceil(step) * step).min(height),
            right: (self.right.div_ceil(step) * step).min(width),
        }
    }

    /// The stretch of each of its rows in an image `width` pixels wide with `channels` each.
    pub(crate) fn rows(
        self,
        width: usize,
        channels: usize,
    ) -> impl Iterator<Item = std::ops::Range<usize>> {
        let row = move |y: usize| {
            let at = |x: usize| (y * width + x) * channels;
            at(self.left)..at(self.right)
        };
        (if self.is_empty() { 0..0 } else { self.top..self.bottom }).map(row)
    }
}

/// Rows and columns that may lie outside an image, where all is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) top: isize,
    pub(crate) left: isize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Window {
    pub(crate) fn area(&self) -> usize {
        self.height * self.width
    }
}

impl From<Region> for Window {
    fn from(region: Region) -> Window {
        let Region { top, left, bottom, right } = region;
        let (height, width) = (bottom.saturating_sub(top), right.saturating_sub(left));
        Window { top: top as isize, left: left as isize, height, width }
    }
}

/// A window that slides over an image: what a convolution and a pooling have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sliding {
    /// Extent of the window, with dilation.
    pub(crate) extent: [usize; 2],
    pub(crate) stride: [usize; 2],
    /// Top and left.
    pub(crate) padding: [usize; 2],
    /// Height and width of the output.
    pub(crate) output: [usize; 2],
}

impl Sliding {
    /// The outputs whose windows meet a region of the input.
    pub(crate) fn reach(&self, region: Region) -> Region {
        let range = |axis: usize, start: usize, end: usize| {
            let (pad, stride) = (self.padding[axis], self.stride[axis]);
            // Window o covers o·stride − pad up to o·stride − pad + extent − 1.
            let first = (start + pad + 1).saturating_sub(self.extent[axis]).div_ceil(stride);
            let last = (end - 1 + pad) / stride;
            (first, (last + 1).min(self.output[axis]))
        };
        let (top, bottom) = range(0, region.top, region.bottom);
        let (left, right) = range(1, region.left, region.right);
        Region { top, left, bottom, right }
    }
}

impl Layer {
    /// What a change in `region` of input `which` can change of the output; `None` where that is all of
    /// it.
    pub(crate) fn reach(&self, which: usize, region: Region) -> Option<Region> {
        match self {
            _ if region.is_empty() => Some(region),
            Layer::Conv(conv) => Some(conv.reach(region)),
            Layer::Pool(pool) => Some(pool.sliding().reach(region)),
            Layer::Plain(plain) => plain.reach(which, region),
            _ => self.has_parts().then_some(region),
        }
    }

    /// Whether a part of the output can be computed from a part of the inputs. Else every number depends on
    /// all of them, or stands elsewhere than its pixel.
    pub(crate) fn has_parts(&self) -> bool {
        match self {
            Layer::Conv(_)
            | Layer::Pool(_)
            | Layer::Relu
            | Layer::Softmax { .. }
            | Layer::LogSoftmax { .. }
            | Layer::Add
            | Layer::Concat { .. }
            | Layer::Unary(_)
            | Layer::LocalResponse(_)
            | Layer::BatchNorm(_)
            | Layer::Dropout { .. } => true,
            Layer::Plain(plain) => plain.has_parts(),
            Layer::Input
            | Layer::Dense(_)
            | Layer::GlobalAverage { .. }
            | Layer::Reorder { .. } => false,
        }
    }

    /// The region that is computed where `region` is wanted.
    pub(crate) fn aligned(&self, region: Region) -> Region {
        match self {
            Layer::Conv(conv) => conv.aligned(region),
            _ => region,
        }
    }

    /// How much work a region of the output is, in units of its own: pixels, or tiles.
    pub(crate) fn work(&self, region: Region) -> usize {
        match self {
            _ if region.is_empty() => 0,
            Layer::Conv(conv) => conv.work(region),
            _ => region.area(),
        }
    }
}
