//! The operators that image models from elsewhere bring along, each written once, plainly, for both
//! kinds of number: in f64 it is the definition that tests compare with ([`crate::reference`]), in f32
//! it is what the engine runs where nothing faster is needed.
//!
//! One sample at a time, row-major, in the network's own order of axes. A backward pass *adds* to `dx`.
//! Sums run in f64.

use std::ops::Range;

use cutaway_net::{ConvTranspose, Op, PadMode, Reduce, Span};

mod choice;
pub(crate) mod numbers;
mod resize;

use numbers::Real;
pub(crate) use resize::places as resize_places;

/// Shapes of a node's inputs and output, for one sample.
#[derive(Clone, Debug)]
pub(crate) struct Shapes {
    pub(crate) inputs: Vec<Vec<usize>>,
    pub(crate) output: Vec<usize>,
}

/// Whether an operator is one of those here.
pub(crate) fn knows(op: &Op) -> bool {
    matches!(
        op,
        Op::Constant { .. }
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Reduce { .. }
            | Op::ArgMax { .. }
            | Op::SoftmaxAlong { .. }
            | Op::MatMul
            | Op::Resize(_)
            | Op::LocalResponseNorm { .. }
            | Op::LayerNorm { .. }
            | Op::GroupNorm { .. }
            | Op::Where
            | Op::CumSum { .. }
            | Op::ConvTranspose(_)
    ) || is_picking(op)
}

/// Whether an operator only moves numbers.
pub(crate) fn is_picking(op: &Op) -> bool {
    matches!(
        op,
        Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::ConcatAlong { .. }
            | Op::Pad { .. }
            | Op::Expand { .. }
            | Op::Gather { .. }
    )
}

/// Output of one sample.
pub(crate) fn forward<T: Real>(op: &Op, s: &Shapes, x: &[&[T]], params: &[&[T]], y: &mut [T]) {
    match op {
        Op::Constant { .. } => y.copy_from_slice(params[0]),
        Op::Unary(unary) => {
            y.iter_mut().zip(x[0]).for_each(|(y, &x)| *y = numbers::unary(*unary, x));
        }
        Op::Binary(binary) => {
            each_pair(s, |i, a, b| y[i] = numbers::binary(*binary, x[0][a], x[1][b]));
        }
        Op::Reduce { kind, axes, .. } => reduce(*kind, axes, s, x[0], y),
        Op::ArgMax { axis, last, .. } => arg_max(*axis, *last, s, x[0], y),
        Op::SoftmaxAlong { axis, log } => softmax(*axis, *log, s, x[0], y),
        Op::MatMul => mat_mul(s, x[0], x[1], y),
        Op::Resize(resize) => resize::forward(resize, &s.inputs[0], x[0], y),
        Op::LocalResponseNorm { size, alpha, beta, bias } => {
            let norm = LocalResponse::new(s, *size, [*alpha, *beta, *bias]);
            norm.forward(x[0], y);
        }
        Op::LayerNorm { axis, epsilon } => {
            let group = s.output[*axis..].iter().product();
            normalise(group, *epsilon, x[0], |i, _, value| {
                let place = i % group;
                let bias = params.get(1).map_or(0.0, |bias| bias[place].wide());
                y[i] = T::narrow(value * params[0][place].wide() + bias);
            });
        }
        Op::GroupNorm { groups, epsilon } => {
            let (group, pixels) = group_sizes(*groups, s);
            normalise(group, *epsilon, x[0], |i, _, value| {
                let channel = i / pixels;
                y[i] = T::narrow(value * params[0][channel].wide() + params[1][channel].wide());
            });
        }
        Op::Where => choice::each(s, |i, [c, a, b]| {
            y[i] = if numbers::is_true(x[0][c]) { x[1][a] } else { x[2][b] };
        }),
        Op::CumSum { axis, exclusive, reverse } => {
            let sums = choice::Sums::new(s, *axis, *exclusive, *reverse);
            sums.run(|i| x[0][i].wide(), |i, sum| y[i] = T::narrow(sum));
        }
        Op::ConvTranspose(conv) => {
            let geometry = Transposed::new(conv, s, params[0].len());
            geometry.forward(x[0], params[0], params.get(1).copied(), y);
        }
        _ if is_picking(op) => {
            for (which, x) in x.iter().enumerate() {
                let fill = filling(op);
                for (y, place) in y.iter_mut().zip(places(op, s, which)) {
                    match (place, fill) {
                        (Some(place), _) => *y = x[place],
                        (None, Some(fill)) => *y = T::narrow(f64::from(fill)),
                        (None, None) => {}
                    }
                }
            }
        }
        _ => unreachable!("{} is not computed here", op.kind()),
    }
}

/// Adds the gradient of input `which` to `dx`.
#[allow(clippy::too_many_arguments)] // what a backward pass sees
pub(crate) fn backward<T: Real>(
    op: &Op,
    s: &Shapes,
    which: usize,
    x: &[&[T]],
    params: &[&[T]],
    y: &[T],
    dy: &[T],
    dx: &mut [T],
) {
    match op {
        Op::Constant { .. } | Op::ArgMax { .. } => {}
        Op::Unary(unary) => {
            for (i, dx) in dx.iter_mut().enumerate() {
                *dx = *dx + dy[i] * numbers::unary_slope(*unary, x[0][i], y[i]);
            }
        }
        Op::Binary(binary) => {
            // Sums over what was repeated, in f64.
            let mut sums = vec![0.0; dx.len()];
            each_pair(s, |i, a, b| {
                let slopes = numbers::binary_slopes(*binary, x[0][a], x[1][b]);
                sums[[a, b][which]] += (dy[i] * slopes[which]).wide();
            });
            add(&sums, dx);
        }
        Op::Where => {
            // Sums over what was repeated, in f64; nothing flows to the condition.
            let mut sums = vec![0.0; dx.len()];
            choice::each(s, |i, places| {
                if which == if numbers::is_true(x[0][places[0]]) { 1 } else { 2 } {
                    sums[places[which]] += dy[i].wide();
                }
            });
            add(&sums, dx);
        }
        Op::CumSum { axis, exclusive, reverse } => {
            // The adjoint of a sum from the start is a sum from the end.
            let sums = choice::Sums::new(s, *axis, *exclusive, !*reverse);
            sums.run(|i| dy[i].wide(), |i, sum| dx[i] = T::narrow(dx[i].wide() + sum));
        }
        Op::Reduce { kind, axes, .. } => reduce_backward(*kind, axes, s, x[0], y, dy, dx),
        Op::SoftmaxAlong { axis, log } => softmax_backward(*axis, *log, s, y, dy, dx),
        Op::MatMul => mat_mul_backward(s, which, x[1 - which], dy, dx),
        Op::Resize(resize) => resize::backward(resize, &s.inputs[0], dy, dx),
        Op::LocalResponseNorm { size, alpha, beta, bias } => {
            LocalResponse::new(s, *size, [*alpha, *beta, *bias]).backward(x[0], dy, dx);
        }
        Op::LayerNorm { axis, epsilon } => {
            let group = s.output[*axis..].iter().product();
            normalise_backward(
                group,
                *epsilon,
                x[0],
                |i| (dy[i] * params[0][i % group]).wide(),
                dx,
            );
        }
        Op::GroupNorm { groups, epsilon } => {
            let (group, pixels) = group_sizes(*groups, s);
            let scaled = |i: usize| (dy[i] * params[0][i / pixels]).wide();
            normalise_backward(group, *epsilon, x[0], scaled, dx);
        }
        Op::ConvTranspose(conv) => {
            Transposed::new(conv, s, params[0].len()).input_gradient(params[0], dy, dx);
        }
        _ if is_picking(op) => {
            for (&dy, place) in dy.iter().zip(places(op, s, which)) {
                if let Some(place) = place {
                    dx[place] = dx[place] + dy;
                }
            }
        }
        _ => unreachable!("{} is not computed here", op.kind()),
    }
}

/// Adds the gradients of the parameters.
pub(crate) fn backward_params<T: Real>(
    op: &Op,
    s: &Shapes,
    x: &[&[T]],
    params: &[&[T]],
    dy: &[T],
    dparams: &mut [&mut [T]],
) {
    match op {
        Op::Constant { .. } => {
            dparams[0].iter_mut().zip(dy).for_each(|(sum, &dy)| *sum = *sum + dy);
        }
        Op::LayerNorm { axis, epsilon } => {
            let group = s.output[*axis..].iter().product();
            normalise(group, *epsilon, x[0], |i, _, value| {
                add_norm_gradients(dparams, i % group, dy[i], value);
            });
        }
        Op::GroupNorm { groups, epsilon } => {
            let (group, pixels) = group_sizes(*groups, s);
            normalise(group, *epsilon, x[0], |i, _, value| {
                add_norm_gradients(dparams, i / pixels, dy[i], value);
            });
        }
        Op::ConvTranspose(conv) => {
            Transposed::new(conv, s, params[0].len()).weight_gradient(x[0], dy, dparams);
        }
        _ => {}
    }
}

fn add<T: Real>(sums: &[f64], dx: &mut [T]) {
    dx.iter_mut().zip(sums).for_each(|(dx, &sum)| *dx = T::narrow(dx.wide() + sum));
}

fn add_norm_gradients<T: Real>(dparams: &mut [&mut [T]], place: usize, dy: T, value: f64) {
    let dscale = &mut dparams[0][place];
    *dscale = T::narrow(dscale.wide() + dy.wide() * value);
    if let Some(dbias) = dparams.get_mut(1) {
        dbias[place] = dbias[place] + dy;
    }
}

/// From one place to the next along each axis.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The same where a shape is repeated to `output`: 0 along repeated axes.
fn repeated_strides(shape: &[usize], output: &[usize]) -> Vec<usize> {
    let own = strides(shape);
    let shift = output.len() - shape.len();
    (0..output.len())
        .map(|axis| match axis.checked_sub(shift) {
            Some(axis) if shape[axis] > 1 => own[axis],
            _ => 0,
        })
        .collect()
}

/// Calls `f(output, a, b)` with the places of every pair of a function of two inputs.
fn each_pair(s: &Shapes, mut f: impl FnMut(usize, usize, usize)) {
    let (a, b) = (&s.inputs[0], &s.inputs[1]);
    if a == &s.output && b == &s.output {
        return (0..s.output.iter().product()).for_each(|i| f(i, i, i));
    }
    let (a, b) = (repeated_strides(a, &s.output), repeated_strides(b, &s.output));
    walk(&s.output, [&a, &b], |i, [a, b]| f(i, a, b));
}

/// Counts through a shape in row-major order, with the offsets that `N` sets of strides come to.
fn walk<const N: usize>(
    shape: &[usize],
    strides: [&[usize]; N],
    mut f: impl FnMut(usize, [usize; N]),
) {
    let mut place = vec![0; shape.len()];
    let mut offsets = [0; N];
    for i in 0..shape.iter().product() {
        f(i, offsets);
        for axis in (0..shape.len()).rev() {
            place[axis] += 1;
            (0..N).for_each(|n| offsets[n] += strides[n][axis]);
            if place[axis] < shape[axis] {
                break;
            }
            (0..N).for_each(|n| offsets[n] -= strides[n][axis] * shape[axis]);
            place[axis] = 0;
        }
    }
}

/// Where each number of the output comes from in input `which`; `None` where it is not from there.
pub(crate) fn places(op: &Op, s: &Shapes, which: usize) -> Vec<Option<usize>> {
    let input = &s.inputs[which];
    let from = strides(input);
    match op {
        Op::Transpose { .. } => return transposed_places(op, s),
        Op::Expand { .. } => {
            let steps = repeated_strides(input, &s.output);
            let mut all = vec![None; s.output.iter().product()];
            walk(&s.output, [&steps], |i, [place]| all[i] = Some(place));
            return all;
        }
        _ => {}
    }
    let along: Vec<Vec<Option<usize>>> =
        (0..input.len()).map(|axis| places_along(op, s, which, axis)).collect();
    let mut all = vec![None; s.output.iter().product()];
    let to = strides(&s.output);
    for (i, place) in all.iter_mut().enumerate() {
        let axes = (0..along.len())
            .map(|axis| along[axis][i / to[axis] % s.output[axis]].map(|at| at * from[axis]));
        *place = axes.sum::<Option<usize>>();
    }
    all
}

/// The place along an axis of input `which` for each place along that axis of the output, for operators that
/// keep the axes as they are.
pub(crate) fn places_along(op: &Op, s: &Shapes, which: usize, axis: usize) -> Vec<Option<usize>> {
    let size = s.inputs[which][axis];
    match op {
        Op::Slice { spans } => span_places(&spans[axis]),
        Op::Gather { axis: along, indices } if axis == *along => {
            indices.iter().map(|&index| Some(index)).collect()
        }
        Op::Pad { amounts, mode } => padded_places(size, amounts[axis], *mode),
        Op::ConcatAlong { axis: along } if axis == *along => {
            let first: usize = s.inputs[..which].iter().map(|shape| shape[axis]).sum();
            let place = |at: usize| at.checked_sub(first).filter(|&at| at < size);
            (0..s.output[axis]).map(place).collect()
        }
        Op::Gather { .. } | Op::ConcatAlong { .. } => (0..size).map(Some).collect(),
        _ => unreachable!("{} does not move numbers along an axis", op.kind()),
    }
}

/// For each row or column of a transposed convolution's output, those of the input that it is made of.
pub(crate) fn transposed_places_along(
    conv: &ConvTranspose,
    s: &Shapes,
    axis: usize,
) -> Vec<Range<usize>> {
    let kernel = Transposed::kernel(conv, s);
    let axis = axis - 1;
    let (stride, extent) = (conv.stride[axis], (kernel[axis] - 1) * conv.dilation[axis]);
    let of = |at: usize| {
        let at = at + conv.padding[axis];
        let last = (at / stride + 1).min(s.inputs[0][axis + 1]);
        at.saturating_sub(extent).div_ceil(stride).min(last)..last
    };
    (0..s.output[axis + 1]).map(of).collect()
}

fn transposed_places(op: &Op, s: &Shapes) -> Vec<Option<usize>> {
    let Op::Transpose { axes } = op else { unreachable!("asked for a transposition") };
    let from = strides(&s.inputs[0]);
    let steps: Vec<usize> = axes.iter().map(|&axis| from[axis]).collect();
    let mut all = vec![None; s.output.iter().product()];
    walk(&s.output, [&steps], |i, [place]| all[i] = Some(place));
    all
}

fn span_places(span: &Span) -> Vec<Option<usize>> {
    let at = |i: usize| span.start as isize + i as isize * span.step;
    (0..span.count).map(|i| usize::try_from(at(i)).ok()).collect()
}

fn padded_places(size: usize, [before, after]: [usize; 2], mode: PadMode) -> Vec<Option<usize>> {
    let size = size as isize;
    let place = |at: isize| match mode {
        _ if (0..size).contains(&at) => Some(at),
        PadMode::Constant(_) => None,
        PadMode::Edge => Some(at.clamp(0, size - 1)),
        PadMode::Reflect => Some(if at < 0 { -at } else { 2 * (size - 1) - at }),
        PadMode::Wrap => Some(at.rem_euclid(size)),
    };
    (-(before as isize)..size + after as isize)
        .map(|at| place(at).and_then(|at| usize::try_from(at).ok()))
        .collect()
}

/// What stands where no input is from.
pub(crate) fn filling(op: &Op) -> Option<f32> {
    match op {
        Op::Pad { mode: PadMode::Constant(value), .. } => Some(*value),
        _ => None,
    }
}

/// Calls `f(output, members)` for every number of a reduction with the places that it is made of.
fn each_group(axes: &[usize], s: &Shapes, mut f: impl FnMut(usize, &[usize])) {
    let input = &s.inputs[0];
    let from = strides(input);
    let pick = |inside: bool| -> (Vec<usize>, Vec<usize>) {
        let chosen = (0..input.len()).filter(|axis| axes.contains(axis) == inside);
        chosen.map(|axis| (input[axis], from[axis])).unzip()
    };
    let ((inner, inner_steps), (outer, outer_steps)) = (pick(true), pick(false));
    let mut members = Vec::new();
    walk(&inner, [&inner_steps], |_, [at]| members.push(at));
    let mut group = vec![0; members.len()];
    walk(&outer, [&outer_steps], |i, [first]| {
        group.iter_mut().zip(&members).for_each(|(place, member)| *place = first + member);
        f(i, &group);
    });
}

fn reduce<T: Real>(kind: Reduce, axes: &[usize], s: &Shapes, x: &[T], y: &mut [T]) {
    each_group(axes, s, |i, group| {
        let all = || group.iter().map(|&at| x[at].wide());
        let most = || all().fold(f64::NEG_INFINITY, larger);
        y[i] = T::narrow(match kind {
            Reduce::Mean => all().sum::<f64>() / group.len() as f64,
            Reduce::Sum => all().sum(),
            Reduce::Prod => all().product(),
            Reduce::Max => most(),
            Reduce::Min => -all().map(|x| -x).fold(f64::NEG_INFINITY, larger),
            Reduce::L1 => all().map(f64::abs).sum(),
            Reduce::L2 => all().map(|x| x * x).sum::<f64>().sqrt(),
            Reduce::SumSquare => all().map(|x| x * x).sum(),
            Reduce::LogSum => all().sum::<f64>().ln(),
            Reduce::LogSumExp => {
                let most = most();
                all().map(|x| (x - most).exp()).sum::<f64>().ln() + most
            }
        });
    });
}

/// A NaN wins.
fn larger(most: f64, x: f64) -> f64 {
    if x > most || x.is_nan() { x } else { most }
}

fn reduce_backward<T: Real>(
    kind: Reduce,
    axes: &[usize],
    s: &Shapes,
    x: &[T],
    y: &[T],
    dy: &[T],
    dx: &mut [T],
) {
    each_group(axes, s, |i, group| {
        let (y, dy) = (y[i].wide(), dy[i].wide());
        let winner = match kind {
            Reduce::Max | Reduce::Min => group.iter().find(|&&at| x[at].wide() == y).copied(),
            _ => None,
        };
        for (place, &at) in group.iter().enumerate() {
            let value = x[at].wide();
            let slope = match kind {
                Reduce::Mean => 1.0 / group.len() as f64,
                Reduce::Sum => 1.0,
                Reduce::Prod => {
                    let others = group.iter().enumerate().filter(|&(other, _)| other != place);
                    others.map(|(_, &other)| x[other].wide()).product()
                }
                Reduce::Max | Reduce::Min => f64::from(u8::from(winner == Some(at))),
                Reduce::L1 if value == 0.0 => 0.0,
                Reduce::L1 => value.signum(),
                Reduce::L2 if y == 0.0 => 0.0,
                Reduce::L2 => value / y,
                Reduce::SumSquare => 2.0 * value,
                Reduce::LogSum => (-y).exp(),
                Reduce::LogSumExp => (value - y).exp(),
            };
            dx[at] = T::narrow(dx[at].wide() + dy * slope);
        }
    });
}

fn arg_max<T: Real>(axis: usize, last: bool, s: &Shapes, x: &[T], y: &mut [T]) {
    each_group(&[axis], s, |i, group| {
        let mut best = 0;
        for (place, &at) in group.iter().enumerate() {
            let (value, most) = (x[at].wide(), x[group[best]].wide());
            if value > most || (last && value == most) {
                best = place;
            }
        }
        y[i] = T::narrow(best as f64);
    });
}

/// Lines along an axis: how many blocks, how long, how far apart their numbers.
fn lines(axis: usize, shape: &[usize]) -> [usize; 3] {
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}

fn softmax<T: Real>(axis: usize, log: bool, s: &Shapes, x: &[T], y: &mut [T]) {
    let [outer, len, inner] = lines(axis, &s.output);
    for line in 0..outer * inner {
        let first = line / inner * len * inner + line % inner;
        let at = |i: usize| first + i * inner;
        let most = (0..len).map(|i| x[at(i)].wide()).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = (0..len).map(|i| (x[at(i)] - T::narrow(most)).exp().wide()).sum();
        for i in 0..len {
            let shifted = x[at(i)] - T::narrow(most);
            y[at(i)] = match log {
                true => T::narrow(shifted.wide() - sum.ln()),
                false => T::narrow(shifted.exp().wide() / sum),
            };
        }
    }
}

/// `dx = y (dy − ⟨y, dy⟩)`, or `dy − softmax Σ dy` for the logarithm.
fn softmax_backward<T: Real>(axis: usize, log: bool, s: &Shapes, y: &[T], dy: &[T], dx: &mut [T]) {
    let [outer, len, inner] = lines(axis, &s.output);
    for line in 0..outer * inner {
        let first = line / inner * len * inner + line % inner;
        let places = || (0..len).map(|i| first + i * inner);
        let weight = |at: usize| if log { 1.0 } else { y[at].wide() };
        let dot: f64 = places().map(|at| weight(at) * dy[at].wide()).sum();
        // What rounding leaves of Σ y = 1 would show where all else cancels.
        let total: f64 = if log { 1.0 } else { places().map(|at| y[at].wide()).sum() };
        for at in places() {
            let value = match log {
                true => dy[at].wide() - y[at].wide().exp() * dot,
                false => y[at].wide() * (dy[at].wide() * total - dot),
            };
            dx[at] = T::narrow(dx[at].wide() + value);
        }
    }
}

/// Sizes `[m, k, n]` of a matrix product, and where the matrices of each pair and their product start.
pub(crate) fn mat_mul_blocks(s: &Shapes) -> ([usize; 3], Vec<[usize; 3]>) {
    let (a, b) = (&s.inputs[0], &s.inputs[1]);
    let (m, k) = (a[a.len() - 2], a[a.len() - 1]);
    let n = b[b.len() - 1];
    let batch = &s.output[..s.output.len() - 2];
    let (a, b) = (&a[..a.len() - 2], &b[..b.len() - 2]);
    let (a, b) = (repeated_strides(a, batch), repeated_strides(b, batch));
    let mut blocks = Vec::new();
    walk(batch, [&a, &b], |i, [a, b]| blocks.push([a * m * k, b * k * n, i * m * n]));
    ([m, k, n], blocks)
}

fn mat_mul<T: Real>(s: &Shapes, a: &[T], b: &[T], y: &mut [T]) {
    let ([m, k, n], blocks) = mat_mul_blocks(s);
    let mut sums = vec![0.0; n];
    for [a0, b0, y0] in blocks {
        for i in 0..m {
            sums.fill(0.0);
            for l in 0..k {
                let factor = a[a0 + i * k + l].wide();
                let row = &b[b0 + l * n..][..n];
                sums.iter_mut().zip(row).for_each(|(sum, b)| *sum += factor * b.wide());
            }
            let out = &mut y[y0 + i * n..][..n];
            out.iter_mut().zip(&sums).for_each(|(y, &sum)| *y = T::narrow(sum));
        }
    }
}

/// `dA = dY Bᵀ`, `dB = Aᵀ dY`; `other` is the factor that the gradient is not of.
fn mat_mul_backward<T: Real>(s: &Shapes, which: usize, other: &[T], dy: &[T], dx: &mut [T]) {
    let ([m, k, n], blocks) = mat_mul_blocks(s);
    let mut sums = vec![0.0; dx.len()];
    for [a0, b0, y0] in blocks {
        for i in 0..m {
            for l in 0..k {
                let dy = &dy[y0 + i * n..][..n];
                if which == 0 {
                    let row = &other[b0 + l * n..][..n];
                    sums[a0 + i * k + l] +=
                        row.iter().zip(dy).map(|(b, dy)| b.wide() * dy.wide()).sum::<f64>();
                } else {
                    let factor = other[a0 + i * k + l].wide();
                    let row = &mut sums[b0 + l * n..][..n];
                    row.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += factor * dy.wide());
                }
            }
        }
    }
    add(&sums, dx);
}

/// Numbers of a group, and pixels of a channel.
fn group_sizes(groups: usize, s: &Shapes) -> (usize, usize) {
    let total: usize = s.output.iter().product();
    (total / groups, total / s.output[0])
}

/// Calls `f(place, group, (x − mean) / √(variance + ε))`, mean and variance over each run of `group`.
fn normalise<T: Real>(group: usize, epsilon: f32, x: &[T], mut f: impl FnMut(usize, usize, f64)) {
    for (g, part) in x.chunks_exact(group).enumerate() {
        let (mean, inverse) = moments(part, epsilon);
        for (i, x) in part.iter().enumerate() {
            f(g * group + i, g, (x.wide() - mean) * inverse);
        }
    }
}

/// Mean, and 1 over the standard deviation.
fn moments<T: Real>(x: &[T], epsilon: f32) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().map(|x| x.wide()).sum::<f64>() / n;
    let variance = x.iter().map(|x| (x.wide() - mean).powi(2)).sum::<f64>() / n;
    (mean, 1.0 / (variance + f64::from(epsilon)).sqrt())
}

/// `dx = (g − mean(g) − x̂ mean(g x̂)) / σ` with `g` the gradient of the normalised numbers.
fn normalise_backward<T: Real>(
    group: usize,
    epsilon: f32,
    x: &[T],
    g: impl Fn(usize) -> f64,
    dx: &mut [T],
) {
    for (block, (x, dx)) in x.chunks_exact(group).zip(dx.chunks_exact_mut(group)).enumerate() {
        let (mean, inverse) = moments(x, epsilon);
        let centred = |i: usize| (x[i].wide() - mean) * inverse;
        let g = |i: usize| g(block * group + i);
        let n = group as f64;
        let mean_g = (0..group).map(g).sum::<f64>() / n;
        let mean_gx = (0..group).map(|i| g(i) * centred(i)).sum::<f64>() / n;
        for (i, dx) in dx.iter_mut().enumerate() {
            let value = (g(i) - mean_g - centred(i) * mean_gx) * inverse;
            *dx = T::narrow(dx.wide() + value);
        }
    }
}

/// Local response normalisation across channels.
struct LocalResponse {
    channels: usize,
    pixels: usize,
    /// Channels before and after the own one.
    reach: [usize; 2],
    share: f64,
    beta: f64,
    bias: f64,
}

impl LocalResponse {
    fn new(s: &Shapes, size: usize, [alpha, beta, bias]: [f32; 3]) -> Self {
        let channels = s.output[0];
        Self {
            channels,
            pixels: s.output[1..].iter().product(),
            reach: [(size - 1) / 2, size - 1 - (size - 1) / 2],
            share: f64::from(alpha) / size as f64,
            beta: f64::from(beta),
            bias: f64::from(bias),
        }
    }

    fn window(&self, channel: usize) -> std::ops::Range<usize> {
        let first = channel.saturating_sub(self.reach[0]);
        first..channel.saturating_add(self.reach[1]).saturating_add(1).min(self.channels)
    }

    /// `bias + alpha / size · Σ x²` of every number.
    fn sums<T: Real>(&self, x: &[T]) -> Vec<f64> {
        let mut sums = vec![self.bias; x.len()];
        for channel in 0..self.channels {
            let own = &mut sums[channel * self.pixels..][..self.pixels];
            for other in self.window(channel) {
                let x = &x[other * self.pixels..][..self.pixels];
                own.iter_mut().zip(x).for_each(|(sum, x)| *sum += self.share * x.wide().powi(2));
            }
        }
        sums
    }

    fn forward<T: Real>(&self, x: &[T], y: &mut [T]) {
        let sums = self.sums(x);
        for ((y, x), sum) in y.iter_mut().zip(x).zip(sums) {
            *y = T::narrow(x.wide() * sum.powf(-self.beta));
        }
    }

    /// `dxᵢ = dyᵢ sᵢ^−β − 2 β share xᵢ Σⱼ dyⱼ xⱼ sⱼ^(−β−1)` over the windows j that see i.
    fn backward<T: Real>(&self, x: &[T], dy: &[T], dx: &mut [T]) {
        let sums = self.sums(x);
        let mut gradient = vec![0.0; x.len()];
        for channel in 0..self.channels {
            for pixel in 0..self.pixels {
                let j = channel * self.pixels + pixel;
                gradient[j] += dy[j].wide() * sums[j].powf(-self.beta);
                let common = -2.0
                    * self.beta
                    * self.share
                    * dy[j].wide()
                    * x[j].wide()
                    * sums[j].powf(-self.beta - 1.0);
                for other in self.window(channel) {
                    let i = other * self.pixels + pixel;
                    gradient[i] += common * x[i].wide();
                }
            }
        }
        add(&gradient, dx);
    }
}

/// A transposed convolution of one sample.
struct Transposed<'a> {
    conv: &'a ConvTranspose,
    input: [usize; 3],
    output: [usize; 3],
    kernel: [usize; 2],
}

impl<'a> Transposed<'a> {
    fn new(conv: &'a ConvTranspose, s: &Shapes, weights: usize) -> Self {
        let image =
            |shape: &[usize]| <[usize; 3]>::try_from(shape).expect("checked by the network");
        let (input, output) = (image(&s.inputs[0]), image(&s.output));
        let kernel = Self::kernel(conv, s);
        debug_assert_eq!(weights, input[0] * output[0] / conv.groups * kernel[0] * kernel[1]);
        Self { conv, input, output, kernel }
    }

    /// Height and width of the kernel, solved for from the output's size.
    fn kernel(conv: &ConvTranspose, s: &Shapes) -> [usize; 2] {
        let (input, output) = (&s.inputs[0], &s.output);
        [0, 1].map(|axis| {
            let size = output[axis + 1] + conv.padding[axis] + conv.padding[axis + 2];
            let rest = size - conv.output_padding[axis] - (input[axis + 1] - 1) * conv.stride[axis];
            (rest - 1) / conv.dilation[axis] + 1
        })
    }

    /// Calls `f(input place, weight place, output place)` for every product.
    fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
        let ([c, h, w], [o, oh, ow], [kh, kw]) = (self.input, self.output, self.kernel);
        let (in_group, out_group) = (c / self.conv.groups, o / self.conv.groups);
        let target = |axis: usize, at: usize, tap: usize, size: usize| {
            (at * self.conv.stride[axis] + tap * self.conv.dilation[axis])
                .checked_sub(self.conv.padding[axis])
                .filter(|&at| at < size)
        };
        for channel in 0..c {
            for out in 0..out_group {
                let to = channel / in_group * out_group + out;
                for tap in 0..kh * kw {
                    let weight = (channel * out_group + out) * kh * kw + tap;
                    for y in 0..h {
                        let Some(row) = target(0, y, tap / kw, oh) else { continue };
                        for x in 0..w {
                            if let Some(column) = target(1, x, tap % kw, ow) {
                                let place = (to * oh + row) * ow + column;
                                f((channel * h + y) * w + x, weight, place);
                            }
                        }
                    }
                }
            }
        }
    }

    fn forward<T: Real>(&self, x: &[T], weight: &[T], bias: Option<&[T]>, y: &mut [T]) {
        let pixels = self.output[1] * self.output[2];
        let mut sums = vec![0.0; y.len()];
        self.each(|from, tap, to| sums[to] += x[from].wide() * weight[tap].wide());
        for (i, (y, sum)) in y.iter_mut().zip(sums).enumerate() {
            *y = T::narrow(sum + bias.map_or(0.0, |bias| bias[i / pixels].wide()));
        }
    }

    fn input_gradient<T: Real>(&self, weight: &[T], dy: &[T], dx: &mut [T]) {
        let mut sums = vec![0.0; dx.len()];
        self.each(|from, tap, to| sums[from] += dy[to].wide() * weight[tap].wide());
        add(&sums, dx);
    }

    fn weight_gradient<T: Real>(&self, x: &[T], dy: &[T], dparams: &mut [&mut [T]]) {
        let mut sums = vec![0.0; dparams[0].len()];
        self.each(|from, tap, to| sums[tap] += dy[to].wide() * x[from].wide());
        add(&sums, dparams[0]);
        if let Some(dbias) = dparams.get_mut(1) {
            let planes = dy.chunks_exact(self.output[1] * self.output[2]);
            let sums: Vec<f64> =
                planes.map(|plane| plane.iter().map(|dy| dy.wide()).sum()).collect();
            add(&sums, dbias);
        }
    }
}
