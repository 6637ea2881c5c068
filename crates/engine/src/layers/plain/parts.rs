//! Parts of what foreign operators compute, for sweeps: on images, where places depend on few places.
//!
//! Every other operator, and every other number of axes, depends on all of its input, which is always right
//! to say. A part is computed by the same definition on smaller shapes, so its bits are the same.

use std::ops::Range;

use cutaway_net::Op;

use super::{NOWHERE, Plain, rows};
use crate::layers::region::Region;
use crate::plain::{self, Shapes};
use crate::plan::to_channels_last;

/// For each row and each column of the output, the rows and the columns of an input that it depends on.
pub(super) type Seen = [Vec<Range<usize>>; 2];

/// [`Seen`] of each input; `None` where it is not an image, or all of it counts.
pub(super) fn seen(op: &Op, shapes: &Shapes) -> Vec<Option<Seen>> {
    let of = |which: usize| {
        let images = shapes.output.len() == 3 && shapes.inputs[which].len() == 3;
        match images {
            true => Some([along(op, shapes, which, 1)?, along(op, shapes, which, 2)?]),
            false => None,
        }
    };
    (0..shapes.inputs.len()).map(of).collect()
}

fn along(op: &Op, s: &Shapes, which: usize, axis: usize) -> Option<Vec<Range<usize>>> {
    let (size, out) = (s.inputs[which][axis], s.output[axis]);
    let one = |at: Option<usize>| at.map_or(0..0, |at| at..at + 1);
    Some(match op {
        Op::Binary(_) | Op::Where | Op::Expand { .. } if size == 1 => vec![0..1; out],
        Op::Binary(_) | Op::Where | Op::Expand { .. } => (0..out).map(|at| at..at + 1).collect(),
        Op::Reduce { axes, keep: true, .. } if axes[..] == [0] => {
            (0..out).map(|at| at..at + 1).collect()
        }
        Op::ArgMax { axis: 0, keep: true, .. } | Op::SoftmaxAlong { axis: 0, .. } => {
            (0..out).map(|at| at..at + 1).collect()
        }
        Op::Slice { .. } | Op::Gather { .. } | Op::Pad { .. } | Op::ConcatAlong { .. } => {
            plain::places_along(op, s, which, axis).into_iter().map(one).collect()
        }
        Op::Resize(resize) => {
            if plain::resize_places(resize, &s.inputs[0], 0).is_some() {
                return None;
            }
            plain::resize_places(resize, &s.inputs[0], axis)
                .unwrap_or_else(|| (0..out).map(|at| at..at + 1).collect())
        }
        Op::ConvTranspose(conv) => plain::transposed_places_along(conv, s, axis),
        _ => return None,
    })
}

impl Plain {
    /// What a change in `region` of input `which` can change; `None` for all of the output.
    pub(crate) fn reach(&self, which: usize, region: Region) -> Option<Region> {
        let [rows, columns] = self.seen[which].as_ref()?;
        let (top, bottom) = meeting(rows, region.top..region.bottom);
        let (left, right) = meeting(columns, region.left..region.right);
        Some(Region { top, left, bottom, right })
    }

    /// Whether a region of the output can be computed from parts of the inputs. What enlarges or mixes
    /// neighbours is computed whole.
    pub(crate) fn has_parts(&self) -> bool {
        match self.op {
            // What is repeated need not be an image.
            Op::Binary(_) | Op::Where => {
                let few = self.shapes.inputs.iter().all(|shape| shape.len() <= 3);
                few && self.shapes.output.len() == 3
            }
            Op::Resize(_) | Op::ConvTranspose(_) => false,
            _ => !self.seen.is_empty() && self.seen.iter().all(Option::is_some),
        }
    }

    /// The part of input `which`, of this height and width, that a region of the output is made of.
    pub(crate) fn seen(&self, which: usize, region: Region, size: [usize; 2]) -> Region {
        let Some([rows, columns]) = &self.seen[which] else { return Region::whole(size) };
        let (top, bottom) = cover(&rows[region.top..region.bottom]);
        let (left, right) = cover(&columns[region.left..region.right]);
        Region { top, left, bottom, right }
    }

    /// Computes a region of the output, which is all of `y`, from the parts `seen` of the inputs; all
    /// `[height, width, channels]`.
    pub(crate) fn forward_part(
        &self,
        inputs: &[Vec<f32>],
        seen: &[Region],
        y: &mut [f32],
        region: Region,
    ) {
        match self.places.is_empty() {
            true => self.compute_part(inputs, seen, y, region),
            false => self.pick_part(inputs, seen, y, region),
        }
    }

    fn compute_part(&self, inputs: &[Vec<f32>], seen: &[Region], y: &mut [f32], region: Region) {
        let [height, width] = [region.bottom - region.top, region.right - region.left];
        let output = vec![self.shapes.output[0], height, width];
        let (mut shapes, mut values) = (Vec::new(), Vec::new());
        for ((shape, x), seen) in self.shapes.inputs.iter().zip(inputs).zip(seen) {
            let (shape, x) = match shape[..] {
                [channels, _, _] => {
                    let shape = vec![channels, seen.bottom - seen.top, seen.right - seen.left];
                    let x = rows(&shape, x);
                    (shape, x)
                }
                _ => cut(shape, x, region),
            };
            shapes.push(shape);
            values.push(x);
        }
        let shapes = Shapes { inputs: shapes, output };
        let x: Vec<&[f32]> = values.iter().map(Vec::as_slice).collect();
        let mut computed = vec![0.0; y.len()];
        plain::forward(&self.op, &shapes, &x, &[], &mut computed);
        to_channels_last(height * width, shapes.output[0], &computed, y);
    }

    fn pick_part(&self, inputs: &[Vec<f32>], seen: &[Region], y: &mut [f32], region: Region) {
        let fill = plain::filling(&self.op);
        let [channels, _, width] = self.shapes.output[..] else { unreachable!("an image") };
        for (which, (x, seen)) in inputs.iter().zip(seen).enumerate() {
            let [own, _, columns] = self.shapes.inputs[which][..] else { unreachable!("an image") };
            let line = seen.right - seen.left;
            let mut out = y.iter_mut();
            for row in region.rows(width, channels) {
                // The places first: a zip that ends must not have taken a number more.
                for (&place, y) in self.places[which][row].iter().zip(out.by_ref()) {
                    match (place, fill) {
                        (NOWHERE, Some(fill)) => *y = fill,
                        (NOWHERE, None) => {}
                        (place, _) => {
                            let (pixel, channel) = (place as usize / own, place as usize % own);
                            let (row, column) = (pixel / columns, pixel % columns);
                            let pixel = (row - seen.top) * line + column - seen.left;
                            *y = x[pixel * own + channel];
                        }
                    }
                }
            }
        }
    }
}

/// First and one past the last place whose range meets `wanted`.
fn meeting(ranges: &[Range<usize>], wanted: Range<usize>) -> (usize, usize) {
    let meets = |range: &Range<usize>| range.start < wanted.end && wanted.start < range.end;
    match ranges.iter().position(meets) {
        Some(first) => (first, ranges.iter().rposition(meets).map_or(first, |last| last + 1)),
        None => (0, 0),
    }
}

/// The smallest range that holds all of them.
fn cover(ranges: &[Range<usize>]) -> (usize, usize) {
    let some = || ranges.iter().filter(|range| !range.is_empty());
    let first = some().map(|range| range.start).min().unwrap_or(0);
    (first, some().map(|range| range.end).max().unwrap_or(first))
}

/// Of numbers that are aligned with the last axes of an image, those that stand at a region.
fn cut(shape: &[usize], x: &[f32], region: Region) -> (Vec<usize>, Vec<f32>) {
    let [height, width] = match *shape {
        [height, width] => [height, width],
        [width] => [1, width],
        _ => [1, 1],
    };
    let part = |size: usize, part: Range<usize>| if size == 1 { 0..1 } else { part };
    let rows = part(height, region.top..region.bottom);
    let columns = part(width, region.left..region.right);
    let shape = vec![rows.len(), columns.len()];
    let values = rows.flat_map(|row| &x[row * width..][columns.clone()]).copied();
    (shape, values.collect())
}
