//! Two matrix kernels carry all convolutions and dense layers.
//!
//! [`Rows`] computes `C[i, j] (+)= Σ A[i, k] B[k, j]` where the rows of `A` lie anywhere (the
//! pixels of an image, without copying patches) and `B` is packed in panels. [`Cols`] computes
//! `C[i, j] (+)= Σ_m A[m, i] B[m, j]`, a sum of outer products over pixels: the gradient of weights.
//! Both keep a tile of `TILE_ROWS` × 2 vectors of `C` in registers.

use super::{Isa, Kernel, dispatch, tail::Tail, vector::Vector};

/// Calls the instance of a block function for a height of 1 to 14.
macro_rules! by_height {
    ($height:expr, $f:ident, $v:ident, ($($arg:expr),*)) => {
        match $height {
            1 => $f::<$v, 1>($($arg),*),
            2 => $f::<$v, 2>($($arg),*),
            3 => $f::<$v, 3>($($arg),*),
            4 => $f::<$v, 4>($($arg),*),
            5 if $v::TILE_ROWS >= 5 => $f::<$v, 5>($($arg),*),
            6 if $v::TILE_ROWS >= 6 => $f::<$v, 6>($($arg),*),
            7 if $v::TILE_ROWS >= 7 => $f::<$v, 7>($($arg),*),
            8 if $v::TILE_ROWS >= 8 => $f::<$v, 8>($($arg),*),
            9 if $v::TILE_ROWS >= 9 => $f::<$v, 9>($($arg),*),
            10 if $v::TILE_ROWS >= 10 => $f::<$v, 10>($($arg),*),
            11 if $v::TILE_ROWS >= 11 => $f::<$v, 11>($($arg),*),
            12 if $v::TILE_ROWS >= 12 => $f::<$v, 12>($($arg),*),
            13 if $v::TILE_ROWS >= 13 => $f::<$v, 13>($($arg),*),
            14 if $v::TILE_ROWS >= 14 => $f::<$v, 14>($($arg),*),
            _ => unreachable!("a block is at most TILE_ROWS high"),
        }
    };
}

/// Columns of one packed panel for `isa`: two vectors.
pub(crate) fn panel_width(isa: Isa) -> usize {
    2 * isa.lanes()
}

/// Length of the packed form of a `k` × `n` matrix.
pub(crate) fn packed_len(isa: Isa, k: usize, n: usize) -> usize {
    let width = panel_width(isa);
    n.div_ceil(width) * width * k
}

/// Packs the `k` × `n` matrix `b(k, n)` in panels of [`panel_width`] columns, filled up with 0.
pub(crate) fn pack(isa: Isa, k: usize, n: usize, b: impl Fn(usize, usize) -> f32, out: &mut [f32]) {
    let width = panel_width(isa);
    assert_eq!(out.len(), packed_len(isa, k, n));
    for (p, panel) in out.chunks_exact_mut(k.max(1) * width).enumerate() {
        for (row, line) in panel.chunks_exact_mut(width).enumerate() {
            for (j, value) in line.iter_mut().enumerate() {
                let col = p * width + j;
                *value = if col < n { b(row, col) } else { 0.0 };
            }
        }
    }
}

/// [`pack`] of a matrix whose rows lie in memory: row `k` is `row(k)`, `n` long.
pub(crate) fn pack_rows<'a>(
    isa: Isa,
    k: usize,
    n: usize,
    row: impl Fn(usize) -> &'a [f32],
    out: &mut [f32],
) {
    let width = panel_width(isa);
    assert_eq!(out.len(), packed_len(isa, k, n));
    for (p, panel) in out.chunks_exact_mut(k.max(1) * width).enumerate() {
        let columns = p * width..n.min((p + 1) * width);
        for (k, line) in panel.chunks_exact_mut(width).enumerate() {
            let (values, rest) = line.split_at_mut(columns.len());
            values.copy_from_slice(&row(k)[columns.clone()]);
            rest.fill(0.0);
        }
    }
}

/// [`pack`] of a matrix whose columns lie in memory: column `n` is `column(n)`, `k` long.
pub(crate) fn pack_columns<'a>(
    isa: Isa,
    k: usize,
    n: usize,
    column: impl Fn(usize) -> &'a [f32],
    out: &mut [f32],
) {
    let width = panel_width(isa);
    assert_eq!(out.len(), packed_len(isa, k, n));
    for (p, panel) in out.chunks_exact_mut(k.max(1) * width).enumerate() {
        let columns = p * width..n.min((p + 1) * width);
        panel.chunks_exact_mut(width).for_each(|line| line[columns.len()..].fill(0.0));
        for (j, column_of) in columns.map(&column).enumerate() {
            assert_eq!(column_of.len(), k);
            for (line, &value) in panel.chunks_exact_mut(width).zip(column_of) {
                line[j] = value;
            }
        }
    }
}

/// What is done with a computed tile.
#[derive(Clone, Copy, Default)]
pub(crate) struct Epilogue<'a> {
    /// Added to every row; length `n`.
    pub(crate) bias: Option<&'a [f32]>,
    /// Negative results become 0.
    pub(crate) relu: bool,
    /// Add to what `C` holds instead of overwriting it.
    pub(crate) accumulate: bool,
}

/// `C = A B` with the rows of `A` at given offsets. Reduction index `k` runs over `segments` of
/// `inner` contiguous elements: element `k = s·inner + t` of row `i` lies at
/// `rows[i] + segments[s] + t`.
pub(crate) struct Rows<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) rows: &'a [usize],
    pub(crate) segments: &'a [usize],
    pub(crate) inner: usize,
    /// Packed by [`pack`] with `k = segments.len() * inner`.
    pub(crate) b: &'a [f32],
    pub(crate) n: usize,
    pub(crate) c: &'a mut [f32],
    /// Distance between the rows of `C`.
    pub(crate) ldc: usize,
    pub(crate) epilogue: Epilogue<'a>,
    /// What follows.
    pub(crate) tail: Tail<'a>,
}

/// Runs the row kernel.
///
/// # Panics
/// If an offset leaves its slice.
pub(crate) fn rows(isa: Isa, args: Rows<'_>) {
    if args.rows.is_empty() || args.n == 0 {
        return;
    }
    let last =
        args.rows.iter().max().unwrap() + args.segments.iter().max().map_or(0, |s| s + args.inner);
    assert!(last <= args.a.len(), "rows of A end at {last} of {}", args.a.len());
    assert_eq!(args.b.len(), packed_len(isa, args.segments.len() * args.inner, args.n));
    assert!((args.rows.len() - 1) * args.ldc + args.n <= args.c.len(), "C is too short");
    assert!(args.n <= args.ldc || args.rows.len() == 1);
    assert!(args.epilogue.bias.is_none_or(|b| b.len() == args.n));
    args.tail.check(args.rows.len(), args.n);
    // SAFETY: every offset that the kernel forms was checked above.
    unsafe { dispatch(isa, args) }
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Rows { a, rows, segments, inner, b, n, c, ldc, epilogue, tail } = self;
        // SAFETY: the blocks below ask for rows of the list alone.
        let row = |i: usize| unsafe { *rows.get_unchecked(i) };
        let (a, b, c, count) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), rows.len());
        let product = Product { a, segments, inner, b, n, c, ldc, epilogue, tail };
        // SAFETY: `rows` has checked every offset.
        unsafe { product.run::<V>(count, row) }
    }
}

/// What the blocks of a product have in common.
pub(super) struct Product<'a> {
    pub(super) a: *const f32,
    pub(super) segments: &'a [usize],
    pub(super) inner: usize,
    pub(super) b: *const f32,
    pub(super) n: usize,
    pub(super) c: *mut f32,
    pub(super) ldc: usize,
    pub(super) epilogue: Epilogue<'a>,
    pub(super) tail: Tail<'a>,
}

impl Product<'_> {
    /// `count` rows of `C`, at least one; row `i` of `A` starts at `row(i)`.
    #[inline(always)]
    pub(super) unsafe fn run<V: Vector>(&self, count: usize, row: impl Fn(usize) -> usize + Copy) {
        let blocks = count.div_ceil(V::TILE_ROWS);
        let (base, extra) = (count / blocks, count % blocks);
        let width = 2 * V::LANES;
        let panel_len = self.segments.len() * self.inner * width;
        for p in 0..self.n.div_ceil(width) {
            let mut first = 0;
            for block in 0..blocks {
                // Blocks of nearly equal height: a last block of one row would waste the tile.
                let height = base + usize::from(block < extra);
                // SAFETY: the caller has checked all offsets; heights are at most TILE_ROWS.
                unsafe {
                    let panel = self.b.add(p * panel_len);
                    by_height!(height, rows_block, V, (self, row, first, panel, p * width));
                    if !self.tail.is_empty() {
                        // On the tile in the nearest cache: among what the block does to its accumulators it would
                        // drive them out of their registers.
                        let c = self.c.add(first * self.ldc + p * width);
                        let size = [height, width.min(self.n - p * width)];
                        self.tail.apply_to::<V>(c, self.ldc, [first, p * width], size);
                    }
                }
                first += height;
            }
        }
    }
}

#[inline(always)]
unsafe fn rows_block<V: Vector, const H: usize>(
    args: &Product<'_>,
    row: impl Fn(usize) -> usize,
    first: usize,
    panel: *const f32,
    col: usize,
) {
    // SAFETY: the entry has checked that all rows and segments lie inside `a`, that the panel holds
    // segments × inner lines, and that C holds the rows; partial vectors stop at column n.
    unsafe {
        // Loops: inside `array::from_fn` the closures would become calls.
        let mut a = [args.a; H];
        for (r, p) in a.iter_mut().enumerate() {
            *p = args.a.add(row(first + r));
        }
        let mut acc = [[V::splat(0.0); 2]; H];
        let mut b = panel;
        for &segment in args.segments {
            let mut row = a;
            for p in &mut row {
                *p = p.add(segment);
            }
            for k in 0..args.inner {
                let b0 = V::load(b);
                let b1 = V::load(b.add(V::LANES));
                for r in 0..H {
                    let x = V::splat(*row[r].add(k));
                    acc[r][0] = x.mul_add(b0, acc[r][0]);
                    acc[r][1] = x.mul_add(b1, acc[r][1]);
                }
                b = b.add(2 * V::LANES);
            }
        }
        let left = args.n - col;
        let c = args.c.add(first * args.ldc + col);
        finish::<V, H>(acc, c, args.ldc, left, col, args.epilogue);
    }
}

/// Applies the epilogue to a tile and writes it; `left` columns remain to the right edge of C.
#[inline(always)]
unsafe fn finish<V: Vector, const H: usize>(
    acc: [[V; 2]; H],
    c: *mut f32,
    ldc: usize,
    left: usize,
    col: usize,
    epilogue: Epilogue<'_>,
) {
    // SAFETY: the callers pass a tile that lies in C, and partial access stops at `left`.
    unsafe {
        finish_half::<V, H, 0>(&acc, c, ldc, left, col, epilogue);
        if left > V::LANES {
            finish_half::<V, H, 1>(&acc, c, ldc, left, col, epilogue);
        }
    }
}

/// One column of vectors of a tile. `HALF` is a constant because an index computed at run time
/// would force the accumulators out of their registers.
#[inline(always)]
unsafe fn finish_half<V: Vector, const H: usize, const HALF: usize>(
    acc: &[[V; 2]; H],
    c: *mut f32,
    ldc: usize,
    left: usize,
    col: usize,
    epilogue: Epilogue<'_>,
) {
    // SAFETY: as in `finish`.
    unsafe {
        let shift = HALF * V::LANES;
        let lanes = left - shift;
        let whole = lanes >= V::LANES;
        let load = |p: *const f32| if whole { V::load(p) } else { V::load_part(p, lanes) };
        let zero = V::splat(0.0);
        let bias = epilogue.bias.map_or(zero, |bias| load(bias.as_ptr().add(col + shift)));
        for (r, row) in acc.iter().enumerate() {
            let p = c.add(r * ldc + shift);
            let mut value = row[HALF].add(bias);
            if epilogue.accumulate {
                value = value.add(load(p));
            }
            if epilogue.relu {
                // In this order a NaN stays a NaN.
                value = zero.max(value);
            }
            if whole { value.store(p) } else { value.store_part(p, lanes) }
        }
    }
}

/// `C[i, j] (+)= Σ A[·, i] B[·, j]`: the sum runs over `segments` of `inner` steps; step `t` of
/// segment `(a0, b0)` reads `A` from `a0 + t·step_a` and `B` from `b0 + t·step_b`.
/// `rows` × `n` is the size of C; column `i` of A lies `i` elements after the start.
pub(crate) struct Cols<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) b: &'a [f32],
    pub(crate) segments: &'a [(usize, usize)],
    pub(crate) inner: usize,
    pub(crate) step_a: usize,
    pub(crate) step_b: usize,
    pub(crate) rows: usize,
    pub(crate) n: usize,
    pub(crate) c: &'a mut [f32],
    pub(crate) ldc: usize,
    /// Add to what `C` holds instead of overwriting it.
    pub(crate) accumulate: bool,
}

/// Runs the column kernel. Without steps `C` stays as it is.
///
/// # Panics
/// If an offset leaves its slice.
pub(crate) fn cols(isa: Isa, args: Cols<'_>) {
    if args.segments.is_empty() || args.inner == 0 || args.rows == 0 || args.n == 0 {
        return;
    }
    let steps = args.inner - 1;
    let last_a = args.segments.iter().map(|s| s.0).max().unwrap() + steps * args.step_a + args.rows;
    let last_b = args.segments.iter().map(|s| s.1).max().unwrap() + steps * args.step_b + args.n;
    assert!(last_a <= args.a.len(), "A ends at {last_a} of {}", args.a.len());
    assert!(last_b <= args.b.len(), "B ends at {last_b} of {}", args.b.len());
    assert!((args.rows - 1) * args.ldc + args.n <= args.c.len(), "C is too short");
    // SAFETY: every offset that the kernel forms was checked above.
    unsafe { dispatch(isa, args) }
}

impl Kernel for Cols<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let c = self.c.as_mut_ptr();
        let width = 2 * V::LANES;
        let blocks = self.rows.div_ceil(V::TILE_ROWS);
        let (base, extra) = (self.rows / blocks, self.rows % blocks);
        let mut col = 0;
        while col < self.n {
            let mut first = 0;
            for block in 0..blocks {
                let height = base + usize::from(block < extra);
                // SAFETY: checked by `cols`; heights are at most TILE_ROWS.
                unsafe {
                    if self.n - col >= width {
                        by_height!(height, cols_block, V, (&self, c, first, col));
                    } else {
                        by_height!(height, cols_edge, V, (&self, c, first, col));
                    }
                }
                first += height;
            }
            col += width;
        }
    }
}

#[inline(always)]
unsafe fn cols_block<V: Vector, const H: usize>(
    args: &Cols<'_>,
    c: *mut f32,
    first: usize,
    col: usize,
) {
    // SAFETY: see `cols_tile`; whole vectors fit because the caller left `2·LANES` columns.
    unsafe {
        cols_tile::<V, H>(args, c, first, col, |p| (V::load(p), V::load(p.add(V::LANES))));
    }
}

#[inline(always)]
unsafe fn cols_edge<V: Vector, const H: usize>(
    args: &Cols<'_>,
    c: *mut f32,
    first: usize,
    col: usize,
) {
    let left = args.n - col;
    let (n0, n1) = (left.min(V::LANES), left.saturating_sub(V::LANES));
    // SAFETY: as above, with partial vectors that stop at the right edge.
    unsafe {
        cols_tile::<V, H>(args, c, first, col, |p| {
            let second = if n1 > 0 { V::load_part(p.add(V::LANES), n1) } else { V::splat(0.0) };
            (V::load_part(p, n0), second)
        });
    }
}

#[inline(always)]
unsafe fn cols_tile<V: Vector, const H: usize>(
    args: &Cols<'_>,
    c: *mut f32,
    first: usize,
    col: usize,
    load: impl Fn(*const f32) -> (V, V),
) {
    // SAFETY: `cols` has checked the ends of A, B and C for all segments, steps, rows and columns.
    unsafe {
        let mut acc = [[V::splat(0.0); 2]; H];
        for &(a0, b0) in args.segments {
            let mut a = args.a.as_ptr().add(a0 + first);
            let mut b = args.b.as_ptr().add(b0 + col);
            for _ in 0..args.inner {
                let (v0, v1) = load(b);
                for (r, row) in acc.iter_mut().enumerate() {
                    let x = V::splat(*a.add(r));
                    row[0] = x.mul_add(v0, row[0]);
                    row[1] = x.mul_add(v1, row[1]);
                }
                a = a.wrapping_add(args.step_a);
                b = b.wrapping_add(args.step_b);
            }
        }
        let c = c.add(first * args.ldc + col);
        let epilogue = Epilogue { accumulate: args.accumulate, ..Epilogue::default() };
        finish::<V, H>(acc, c, args.ldc, args.n - col, col, epilogue);
    }
}

/// `C[e] = A[e] B[e]` for plain row-major matrices `A[e]` of `m` rows of length `k`; each `B[e]` is
/// packed, each `C[e]` is dense.
struct Products<'a> {
    count: usize,
    size: [usize; 3],
    /// From one `A[e]` to the next, and from one `C[e]` to the next.
    strides: [usize; 2],
    a: &'a [f32],
    b: &'a [f32],
    c: &'a mut [f32],
    epilogue: Epilogue<'a>,
}

impl Kernel for Products<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Products { count, size: [m, k, n], strides, a, b, c, epilogue } = self;
        let packed = b.len() / count;
        let c = c.as_mut_ptr();
        for e in 0..count {
            // SAFETY: `products` has checked the lengths of all three.
            unsafe {
                let (a, c) = (a.as_ptr().add(e * strides[0]), c.add(e * strides[1]));
                let b = b.as_ptr().add(e * packed);
                let segments = &[0];
                let tail = Tail::default();
                let product = Product { a, segments, inner: k, b, n, c, ldc: n, epilogue, tail };
                product.run::<V>(m, |i| i * k);
            }
        }
    }
}

/// `count` products of `[m, k, n]`: `A[e]` is `[m, k]`, `C[e]` is `[m, n]`, each `strides` apart; `B`
/// is packed.
///
/// # Panics
/// If a length is not that of the sizes.
#[allow(clippy::too_many_arguments)] // three matrices, their sizes and their distances
pub(crate) fn products(
    isa: Isa,
    count: usize,
    [m, k, n]: [usize; 3],
    strides: [usize; 2],
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    epilogue: Epilogue<'_>,
) {
    assert!(count > 0 && a.len() >= (count - 1) * strides[0] + m * k, "A is too short");
    assert!(c.len() >= (count - 1) * strides[1] + m * n, "C is too short");
    assert_eq!(b.len(), count * packed_len(isa, k, n));
    assert!(epilogue.bias.is_none_or(|bias| bias.len() == n));
    if m * n > 0 {
        // SAFETY: every offset that the kernel forms was checked above.
        unsafe { dispatch(isa, Products { count, size: [m, k, n], strides, a, b, c, epilogue }) }
    }
}

/// `C = A B` for a plain row-major `A` of `m` rows of length `k`; `b` packed, `c` dense.
pub(crate) fn matmul(
    isa: Isa,
    size: [usize; 3],
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    epilogue: Epilogue<'_>,
) {
    products(isa, 1, size, [0, 0], a, b, c, epilogue);
}
