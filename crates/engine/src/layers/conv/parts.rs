//! Parts of the outputs of several images in one pass over the weights: what sweeps are made of.
//!
//! A pixel, with Winograd's way a tile, is computed by the same operations in the same order as in a pass
//! over whole images, so the bits are the same.

use super::{Algorithm, Conv, End, Runs, TILES_PER_PASS};
use crate::kernels::winograd::{self as wino, Grid, Tile};
use crate::layers::region::{Region, Sliding, Window};

/// Numbers of the inputs that a matrix product should see at once: half a megabyte.
const PASS_FLOATS: usize = 1 << 17;

/// Below so many output pixels a product would read the weights too often.
const PASS_PIXELS: usize = 256;

/// `copy(part, window, line, out)`: copies a window of the input of a part, zeros outside the image, its
/// lines `line` pixels apart.
pub(crate) type CopyWindow<'a> = dyn Fn(usize, Window, usize, &mut [f32]) + 'a;

/// Where parts of the input come from.
pub(crate) struct Source<'a> {
    /// The inputs' parts one after the other, where they are exactly those of the outputs.
    pub(crate) ready: Option<&'a [f32]>,
    /// What copies a window of the input.
    pub(crate) copy: &'a CopyWindow<'a>,
}

impl Conv {
    /// The outputs that are made of `region` of the input.
    pub(crate) fn reach(&self, region: Region) -> Region {
        let s = &self.shape;
        let extent = |axis: usize| (s.kernel[axis] - 1) * s.dilation[axis] + 1;
        let output = [s.output[0], s.output[1]];
        let sliding = Sliding {
            extent: [extent(0), extent(1)],
            stride: s.stride,
            padding: [s.padding[0], s.padding[1]],
            output,
        };
        sliding.reach(region)
    }

    /// The region grown to whole tiles of Winograd's: the numbers of a tile share their rounding, so the bits
    /// of all of them can change with one.
    pub(crate) fn aligned(&self, region: Region) -> Region {
        match self.algorithm {
            Algorithm::Winograd(tile) if !region.is_empty() => {
                region.aligned(tile.m(), [self.shape.output[0], self.shape.output[1]])
            }
            _ => region,
        }
    }

    /// Tiles down and across that a region of the output takes.
    fn tiles_of(tile: Tile, region: Region) -> [usize; 2] {
        let Region { top, left, bottom, right } = region;
        [(bottom - top).div_ceil(tile.m()), (right - left).div_ceil(tile.m())]
    }

    /// Tiles or pixels that a region of the output takes.
    pub(crate) fn work(&self, region: Region) -> usize {
        match self.algorithm {
            Algorithm::Direct | Algorithm::Depthwise => region.area(),
            Algorithm::Winograd(tile) => Self::tiles_of(tile, region).iter().product(),
        }
    }

    /// What of the input, with its border of zeros, a region of the output is made of.
    fn window(&self, region: Region) -> Window {
        let s = &self.shape;
        let (lines, columns) = (region.bottom - region.top, region.right - region.left);
        let seen = |count: usize, axis: usize| {
            (count - 1) * s.stride[axis] + (s.kernel[axis] - 1) * s.dilation[axis] + 1
        };
        let [height, width] = match self.algorithm {
            Algorithm::Winograd(tile) => {
                Self::tiles_of(tile, region).map(|tiles| tiles * tile.m() + tile.r() - 1)
            }
            _ => [seen(lines, 0), seen(columns, 1)],
        };
        let top = (region.top * s.stride[0]) as isize - s.padding[0] as isize;
        let left = (region.left * s.stride[1]) as isize - s.padding[1] as isize;
        Window { top, left, height, width }
    }

    /// Computes `parts` of the output, none of them empty, into `y`, one after the other. With Winograd's way
    /// the bits are those of a pass over the whole image where a part is whole tiles of it.
    pub(crate) fn forward_parts(
        &self,
        parts: &[Region],
        source: &Source<'_>,
        y: &mut [f32],
        relu: bool,
        scratch: &mut Vec<f32>,
    ) {
        let mut first = 0;
        let mut rest = y;
        while first < parts.len() {
            let last = first + self.parts_of_a_pass(&parts[first..]);
            let pixels: usize = parts[first..last].iter().map(Region::area).sum();
            let (y, after) = rest.split_at_mut(pixels * self.shape.output[2]);
            match self.algorithm {
                Algorithm::Winograd(tile) => {
                    self.parts_winograd(tile, first..last, parts, source, y, relu, scratch);
                }
                _ => self.parts_direct(first..last, parts, source, y, relu, scratch),
            }
            (first, rest) = (last, after);
        }
    }

    /// How many of the parts share a pass over the weights.
    fn parts_of_a_pass(&self, parts: &[Region]) -> usize {
        let (mut work, mut floats) = (0, 0);
        for (count, &part) in parts.iter().enumerate() {
            let full = match self.algorithm {
                Algorithm::Winograd(_) => work >= TILES_PER_PASS,
                _ => work >= PASS_PIXELS && floats >= PASS_FLOATS,
            };
            if full {
                return count;
            }
            work += self.work(part);
            floats += self.window(part).area() * self.shape.input[2];
        }
        parts.len()
    }

    fn parts_direct(
        &self,
        pass: std::ops::Range<usize>,
        parts: &[Region],
        source: &Source<'_>,
        y: &mut [f32],
        relu: bool,
        scratch: &mut Vec<f32>,
    ) {
        let (s, c) = (&self.shape, self.shape.input[2]);
        let single = s.kernel == [1, 1] && s.stride == [1, 1] && s.padding == [0; 4];
        if let (true, Some(ready)) = (single, source.ready) {
            let before: usize = parts[..pass.start].iter().map(Region::area).sum();
            let pixels: Vec<usize> = (0..y.len() / s.output[2]).map(|pixel| pixel * c).collect();
            let x = &ready[before * c..][..pixels.len() * c];
            return self.pixels_direct(&self.runs, x, &pixels, y, End::relu(relu));
        }
        let windows: Vec<Window> = parts[pass.clone()].iter().map(|&p| self.window(p)).collect();
        // Lines as far apart in all windows, so that one product can run over all.
        let line = windows.iter().map(|window| window.width).max().unwrap_or(0);
        let len: usize = windows.iter().map(|window| window.height * line * c).sum();
        grow(scratch, len);
        let x = &mut scratch[..len];
        let mut pixels = Vec::with_capacity(y.len() / s.output[2]);
        let mut start = 0;
        for (part, window) in pass.zip(&windows) {
            let own = window.height * line * c;
            (source.copy)(part, *window, line, &mut x[start..start + own]);
            let region = parts[part];
            for row in 0..region.bottom - region.top {
                let row = start + row * s.stride[0] * line * c;
                let columns = 0..region.right - region.left;
                pixels.extend(columns.map(|column| row + column * s.stride[1] * c));
            }
            start += own;
        }
        let runs = Runs::new(s, line * c, c, s.group_inputs());
        self.pixels_direct(&runs, x, &pixels, y, End::relu(relu));
    }

    /// Tiles start at the corner of each part: of whole tiles they are those of a pass over the whole image.
    #[allow(clippy::too_many_arguments)] // a pass, its parts and what becomes of them
    fn parts_winograd(
        &self,
        tile: Tile,
        pass: std::ops::Range<usize>,
        parts: &[Region],
        source: &Source<'_>,
        y: &mut [f32],
        relu: bool,
        scratch: &mut Vec<f32>,
    ) {
        let s = &self.shape;
        let (area, c, o) = (tile.n() * tile.n(), s.input[2], s.output[2]);
        let tiles: usize = parts[pass.clone()].iter().map(|&part| self.work(part)).sum();
        let window = pass.clone().map(|part| self.window(parts[part]).area() * c).max();
        let window = window.unwrap_or(0);
        let (from, to) = (area * wino::plane(tiles, c), area * wino::plane(tiles, o));
        grow(scratch, window + from + to);
        let (x, rest) = scratch.split_at_mut(window);
        let (v, rest) = rest.split_at_mut(from);
        let products = &mut rest[..to];
        let grid = |part: usize, first: usize| {
            let [tiles_y, tiles_x] = Self::tiles_of(tile, parts[part]);
            let step = tile.m();
            let (images, within) = (1, Some([first, tiles]));
            let (height, width, channels) = (0, 0, c);
            Grid {
                images,
                height,
                width,
                channels,
                tiles_y,
                tiles_x,
                step,
                top: 0,
                left: 0,
                within,
            }
        };
        let mut first = 0;
        for part in pass.clone() {
            let Window { height, width, .. } = self.window(parts[part]);
            let x = &mut x[..height * width * c];
            (source.copy)(part, self.window(parts[part]), width, x);
            let grid = Grid { height, width, ..grid(part, first) };
            wino::input_transform(self.isa, tile, grid, x, v);
            first += grid.tiles();
        }
        self.products(area, tiles, v, &self.forward, products, c, o);
        let (mut first, mut rest) = (0, y);
        for part in pass {
            let region = parts[part];
            let (y, after) = rest.split_at_mut(region.area() * o);
            let (height, width) = (region.bottom - region.top, region.right - region.left);
            let grid = Grid { height, width, channels: o, ..grid(part, first) };
            wino::output_transform(self.isa, tile, grid, products, y, self.bias.as_deref(), relu);
            first += grid.tiles();
            rest = after;
        }
    }
}

/// Makes room for `len` numbers.
fn grow(scratch: &mut Vec<f32>, len: usize) {
    if scratch.len() < len {
        scratch.resize(len, 0.0);
    }
}
