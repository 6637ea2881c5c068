//! Layers on a part of one image: what a change of the input can reach, and its recomputation.
//!
//! A pixel is computed by the same operations in the same order as in a pass over the whole image,
//! so a recomputed part has the same bits.

use crate::kernels::Isa;
use crate::layers::{self, Inputs, Layer, Run};

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

    /// What is left of it without another: above, below, left and right of it.
    pub(crate) fn without(self, other: Region) -> [Region; 4] {
        let top = other.top.clamp(self.top, self.bottom);
        let bottom = other.bottom.clamp(top, self.bottom);
        let left = other.left.clamp(self.left, self.right);
        let right = other.right.clamp(left, self.right);
        [
            Region { bottom: top, ..self },
            Region { top: bottom, ..self },
            Region { top, bottom, right: left, ..self },
            Region { top, bottom, left: right, ..self },
        ]
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
    /// What a change in `region` of an input can change of the output; `None` where that is all of
    /// it.
    pub(crate) fn reach(&self, region: Region) -> Option<Region> {
        if region.is_empty() {
            return Some(region);
        }
        match self {
            Layer::Conv(conv) => Some(conv.reach(region)),
            Layer::Pool(pool) => Some(pool.sliding().reach(region)),
            Layer::Relu
            | Layer::Softmax { .. }
            | Layer::LogSoftmax { .. }
            | Layer::Add
            | Layer::Concat { .. }
            | Layer::Unary(_)
            | Layer::LocalResponse(_)
            | Layer::BatchNorm(_)
            | Layer::Dropout { .. } => Some(region),
            Layer::Input
            | Layer::Dense(_)
            | Layer::GlobalAverage { .. }
            | Layer::Plain(_)
            | Layer::Reorder { .. } => None,
        }
    }

    /// The region that is computed where `region` is wanted.
    pub(crate) fn aligned(&self, region: Region) -> Region {
        match self {
            Layer::Conv(conv) => conv.aligned(region),
            _ => region,
        }
    }

    /// Whether every number of the output depends on the whole input, or stands elsewhere than its
    /// pixel.
    pub(crate) fn is_global(&self) -> bool {
        let pixel = Region { top: 0, left: 0, bottom: 1, right: 1 };
        self.reach(pixel).is_none()
    }

    /// [`Layer::work`] of a region that is recomputed for one image alone, which reads the layer's
    /// weights for itself.
    pub(crate) fn work_alone(&self, region: Region) -> usize {
        match self {
            _ if region.is_empty() => 0,
            Layer::Conv(conv) => conv.work(region) + conv.weight_work(),
            _ => self.work(region),
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

/// Recomputes a region of one image's output; `x` and `y` hold that image, `size` is the output's
/// height, width and channels.
#[allow(clippy::too_many_arguments)]
pub(crate) fn forward_region(
    layer: &Layer,
    isa: Isa,
    run: Run,
    x: Inputs<'_>,
    slot: usize,
    y: &mut [f32],
    size: [usize; 3],
    region: Region,
    relu: bool,
    scratch: &mut [f32],
) {
    let input = |i: usize| x.slot(i, slot);
    match layer {
        Layer::Conv(conv) => conv.forward_region(input(0), y, region, relu, scratch),
        Layer::Pool(pool) => pool.forward_region(input(0), y, region),
        // The others work pixel by pixel: a row of the region is a small image of its own.
        _ => {
            let [_, width, channels] = size;
            let run = Run { n: 1, ..run };
            for stretch in region.rows(width, channels) {
                let pixels = stretch.start / channels..stretch.end / channels;
                let y = &mut y[stretch];
                layers::forward_pixels(layer, isa, run, x, slot, pixels, y);
            }
        }
    }
}
