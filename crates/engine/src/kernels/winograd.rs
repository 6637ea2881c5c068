//! Winograd's minimal filtering (Winograd 1980; Lavin & Gray 2016, "Fast Algorithms for
//! Convolutional Neural Networks", section 4) for stride-1 convolutions, channels innermost.
//!
//! A tile of `n × n` inputs gives `m × m` outputs, `n = m + r − 1` for an `r × r` filter:
//! `Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A`. Summed over channels, the products are `n²` small matrix
//! products. Backpropagation is the transpose of the same maps: `dM = A dY Aᵀ` serves both
//! gradients, `dg = Gᵀ[V ⊙ dM]G` and `dd = B[U ⊙ dM]Bᵀ`.
//!
//! Matrices by Toom–Cook interpolation at 0, ±1, ±2, ±½, ∞ (n = 8) and 0, ±¾, ±3/2, ∞ (n = 6);
//! the rows of Bᵀ are monic polynomials, so G carries the denominators.

use std::mem::MaybeUninit;

use super::{Isa, Kernel, dispatch, vector::Vector};

/// Up to eight vectors: the rows or columns of a tile. Slots beyond the tile's size are unused.
type Line<V> = [V; 8];

/// A tile size: `m × m` outputs of an `r × r` filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tile {
    F4x5,
    F6x3,
    F4x3,
    F2x5,
}

impl Tile {
    /// Outputs along one axis.
    pub(crate) fn m(self) -> usize {
        match self {
            Tile::F4x5 | Tile::F4x3 => 4,
            Tile::F6x3 => 6,
            Tile::F2x5 => 2,
        }
    }

    /// Taps of the filter along one axis.
    pub(crate) fn r(self) -> usize {
        match self {
            Tile::F4x5 | Tile::F2x5 => 5,
            Tile::F6x3 | Tile::F4x3 => 3,
        }
    }

    /// Inputs along one axis.
    pub(crate) fn n(self) -> usize {
        self.m() + self.r() - 1
    }

    /// The tile sizes for a filter of `r` taps.
    pub(crate) fn for_filter(r: usize) -> &'static [Tile] {
        match r {
            3 => &[Tile::F4x3, Tile::F6x3],
            5 => &[Tile::F2x5, Tile::F4x5],
            _ => &[],
        }
    }

    /// `G`, `n` × `r`: row `i` holds the powers of point `i` over the product of its differences
    /// to the other points; the last row belongs to ∞.
    pub(crate) fn filter_matrix(self) -> [[f32; 8]; 8] {
        let points: &[f64] = match self.n() {
            8 => &[0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5],
            _ => &[0.0, 0.75, -0.75, 1.5, -1.5],
        };
        let mut g = [[0.0; 8]; 8];
        for (i, &p) in points.iter().enumerate() {
            let others = points.iter().enumerate().filter(|&(j, _)| j != i);
            let denominator: f64 = others.map(|(_, &q)| p - q).product();
            for (k, value) in g[i].iter_mut().enumerate().take(self.r()) {
                *value = (p.powi(k as i32) / denominator) as f32;
            }
        }
        g[points.len()][self.r() - 1] = 1.0;
        g
    }
}

/// The one-dimensional maps of a tile size, on vectors of channels.
trait Maps {
    const N: usize;
    const M: usize;
    /// `Bᵀ d`.
    unsafe fn bt<V: Vector>(d: Line<V>) -> Line<V>;
    /// `B v`.
    unsafe fn b<V: Vector>(v: Line<V>) -> Line<V>;
    /// `Aᵀ m`.
    unsafe fn at<V: Vector>(m: Line<V>) -> Line<V>;
    /// `A y`.
    unsafe fn a<V: Vector>(y: Line<V>) -> Line<V>;
}

struct F4x5;
struct F6x3;
struct F4x3;
struct F2x5;

/// `Bᵀ` at 0, ±1, ±2, ±½, ∞: even and odd parts of each pair are computed once.
#[inline(always)]
unsafe fn bt8<V: Vector>(d: Line<V>) -> Line<V> {
    // SAFETY: arithmetic inside `dispatch`.
    unsafe {
        let k = |x: f32| V::splat(x);
        let zero = d[4].sub(d[2]).mul_add(k(-5.25), d[6].sub(d[0]));
        let last = d[5].sub(d[3]).mul_add(k(-5.25), d[7].sub(d[1]));
        let e1 = d[4].mul_add(k(-4.25), d[2].add(d[6]));
        let o1 = d[3].mul_add(k(-4.25), d[1].add(d[5]));
        let e2 = d[4].mul_add(k(-1.25), d[2].mul_add(k(0.25), d[6]));
        let o2 = d[5].mul_add(k(2.0), d[3].mul_add(k(-2.5), d[1].mul(k(0.5))));
        let e3 = d[4].mul_add(k(-5.0), d[2].mul_add(k(4.0), d[6]));
        let o3 = d[5].mul_add(k(0.5), d[3].mul_add(k(-2.5), d[1].mul(k(2.0))));
        [zero, e1.add(o1), e1.sub(o1), e2.add(o2), e2.sub(o2), e3.add(o3), e3.sub(o3), last]
    }
}

/// The transpose of [`bt8`].
#[inline(always)]
unsafe fn b8<V: Vector>(v: Line<V>) -> Line<V> {
    // SAFETY: arithmetic inside `dispatch`.
    unsafe {
        let k = |x: f32| V::splat(x);
        let (s1, d1) = (v[1].add(v[2]), v[1].sub(v[2]));
        let (s2, d2) = (v[3].add(v[4]), v[3].sub(v[4]));
        let (s3, d3) = (v[5].add(v[6]), v[5].sub(v[6]));
        [
            V::splat(0.0).sub(v[0]),
            d3.mul_add(k(2.0), d2.mul_add(k(0.5), d1.sub(v[7]))),
            v[0].mul_add(k(5.25), s3.mul_add(k(4.0), s2.mul_add(k(0.25), s1))),
            v[7].mul_add(k(5.25), d1.mul_add(k(-4.25), d2.add(d3).mul(k(-2.5)))),
            v[0].mul_add(k(-5.25), s1.mul_add(k(-4.25), s2.mul_add(k(-1.25), s3.mul(k(-5.0))))),
            v[7].mul_add(k(-5.25), d3.mul_add(k(0.5), d2.mul_add(k(2.0), d1))),
            v[0].add(s1).add(s2.add(s3)),
            v[7],
        ]
    }
}

/// Sums and differences of the pairs of points, which `Aᵀ` is made of.
#[inline(always)]
unsafe fn pairs8<V: Vector>(m: &Line<V>) -> ([V; 3], [V; 3]) {
    // SAFETY: arithmetic inside `dispatch`.
    unsafe {
        (
            [m[1].add(m[2]), m[3].add(m[4]), m[5].add(m[6])],
            [m[1].sub(m[2]), m[3].sub(m[4]), m[5].sub(m[6])],
        )
    }
}

/// `Σ wᵢ xᵢ` over the three pairs, the first with weight 1.
#[inline(always)]
unsafe fn mix<V: Vector>(x: [V; 3], w2: f32, w3: f32) -> V {
    // SAFETY: arithmetic inside `dispatch`.
    unsafe { x[2].mul_add(V::splat(w3), x[1].mul_add(V::splat(w2), x[0])) }
}

impl Maps for F4x5 {
    const N: usize = 8;
    const M: usize = 4;
    #[inline(always)]
    unsafe fn bt<V: Vector>(d: Line<V>) -> Line<V> {
        // SAFETY: as the callee.
        unsafe { bt8(d) }
    }
    #[inline(always)]
    unsafe fn b<V: Vector>(v: Line<V>) -> Line<V> {
        // SAFETY: as the callee.
        unsafe { b8(v) }
    }
    #[inline(always)]
    unsafe fn at<V: Vector>(m: Line<V>) -> Line<V> {
        // SAFETY: arithmetic inside `dispatch`.
        unsafe {
            let (s, d) = pairs8(&m);
            let mut y = m;
            y[0] = m[0].add(mix(s, 1.0, 1.0));
            y[1] = mix(d, 2.0, 0.5);
            y[2] = mix(s, 4.0, 0.25);
            y[3] = m[7].add(mix(d, 8.0, 0.125));
            y
        }
    }
    #[inline(always)]
    unsafe fn a<V: Vector>(y: Line<V>) -> Line<V> {
        // SAFETY: arithmetic inside `dispatch`.
        unsafe {
            let k = |x: f32| V::splat(x);
            let (e1, o1) = (y[0].add(y[2]), y[1].add(y[3]));
            let (e2, o2) = (y[2].mul_add(k(4.0), y[0]), y[3].mul_add(k(8.0), y[1].mul(k(2.0))));
            let (e3, o3) = (y[2].mul_add(k(0.25), y[0]), y[3].mul_add(k(0.125), y[1].mul(k(0.5))));
            [y[0], e1.add(o1), e1.sub(o1), e2.add(o2), e2.sub(o2), e3.add(o3), e3.sub(o3), y[3]]
        }
    }
}

impl Maps for F6x3 {
    const N: usize = 8;
    const M: usize = 6;
    #[inline(always)]
    unsafe fn bt<V: Vector>(d: Line<V>) -> Line<V> {
        // SAFETY: as the callee.
        unsafe { bt8(d) }
    }
    #[inline(always)]
    unsafe fn b<V: Vector>(v: Line<V>) -> Line<V> {
        // SAFETY: as the callee.
        unsafe { b8(v) }
    }
    #[inline(always)]
    unsafe fn at<V: Vector>(m: Line<V>) -> Line<V> {
        // SAFETY: arithmetic inside `dispatch`.
        unsafe {
            let (s, d) = pairs8(&m);
            let mut y = m;
            y[0] = m[0].add(mix(s, 1.0, 1.0));
            y[1] = mix(d, 2.0, 0.5);
            y[2] = mix(s, 4.0, 0.25);
            y[3] = mix(d, 8.0, 0.125);
            y[4] = mix(s, 16.0, 0.0625);
            y[5] = m[7].add(mix(d, 32.0, 0.03125));
            y
        }
    }
    #[inline(always)]
    unsafe fn a<V: Vector>(y: Line<V>) -> Line<V> {
        // SAFETY: arithmetic inside `dispatch`.
        unsafe {
            let even = |p2: f32| mix([y[0], y[2], y[4]], p2, p2 * p2);
            let odd = |p: f32| mix([y[1], y[3], y[5]], p * p, p * p * p * p).mul(V::splat(p));
            let (e1, o1) = (even(1.0), odd(1.0));
            let (e2, o2) = (even(4.0), odd(2.0));
            let (e3, o3) = (even(0.25), odd(0.5));
            [y[0], e1.add(o1), e1.sub(o1), e2.add(o2), e2.sub(o2), e3.add(o3), e3.sub(o3), y[5]]
        }
    }
}

/// The two positive points of the 6-tile.
const P: f32 = 0.75;
const Q: f32 = 1.5;

/// `Bᵀ` at 0, ±P, ±Q, ∞.
#[inline(always)]
unsafe fn bt6<V: Vector>(d: Line<V>) -> Line<V> {
    // SAFETY: arithmetic inside `dispatch`.
    unsafe {
        let k = |x: f32| V::splat(x);
        let (sum, product) = (P * P + Q * Q, P * P * Q * Q);
        let mut v = d;
        v[0] = d[0].mul_add(k(product), d[2].mul_add(k(-sum), d[4]));
        v[5] = d[1].mul_add(k(product), d[3].mul_add(k(-sum), d[5]));
        let e1 = d[2].mul_add(k(-Q * Q), d[4]);
        let o1 = d[1].mul_add(k(-Q * Q), d[3]).mul(k(P));
        let e2 = d[2].mul_add(k(-P * P), d[4]);
        let o2 = d[1].mul_add(k(-P * P), d[3]).mul(k(Q));
        v[1] = e1.add(o1);
        v[2] = e1.sub(o1);
        v[3] = e2.add(o2);
        v[4] = e2.sub(o2);
        v
    }
}

/// The transpose of [`bt6`].
#[inline(always)]
unsafe fn b6<V: Vector>(v: Line<V>) -> Line<V> {
    // SAFETY: arithmetic inside `dispatch`.
    unsafe {
        let k = |x: f32| V::splat(x);
        let (sum, product) = (P * P + Q * Q, P * P * Q * Q);
        let (s1, d1) = (v[1].add(v[2]), v[1].sub(v[2]).mul(k(P)));
        let (s2, d2) = (v[3].add(v[4]), v[3].sub(v[4]).mul(k(Q)));
        let mut d = v;
        d[0] = v[0].mul(k(product));
        d[1] = v[5].mul_add(k(product), d1.mul_add(k(-Q * Q), d2.mul(k(-P * P))));
        d[2] = v[0].mul_add(k(-sum), s1.mul_add(k(-Q * Q), s2.mul(k(-P * P))));
        d[3] = v[5].mul_add(k(-sum), d1.add(d2));
        d[4] = v[0].add(s1.add(s2));
        d[5] = v[5];
        d
    }
}

impl Maps for F4x3 {
    const N: usize = 6;
    const M: usize = 4;
    #[inline(always)]
    unsafe fn bt<V: Vector>(d: Line<V>) -> Line<V> {
        // SAFETY: as the callee.
        unsafe { bt6(d) }
    }
    #[inline(always)]
    unsafe fn b<V: Vector>(v: Line<V>) -> Line<V> {
        // SAFETY: as the callee.
        unsafe { b6(v) }
    }
    #[inline(always)]
    unsafe fn at<V: Vector>(m: Line<V>) -> Line<V> {
        // SAFETY: arithmetic inside `dispatch`.
        unsafe {
            let k = |x: f32| V::splat(x);
            let (s1, d1) = (m[1].add(m[2]), m[1].sub(m[2]));
            let (s2, d2) = (m[3].add(m[4]), m[3].sub(m[4]));
            let mut y = m;
            y[0] = m[0].add(s1.add(s2));
            y[1] = d2.mul_add(k(Q), d1.mul(k(P)));
            y[2] = s2.mul_add(k(Q * Q), s1.mul(k(P * P)));
            y[3] = d2.mul_add(k(Q * Q * Q), d1.mul_add(k(P * P * P), m[5]));
            y
        }
    }
    #[inline(always)]
    unsafe fn a<V: Vector>(y: Line<V>) -> Line<V> {
        // SAFETY: arithmetic inside `dispatch`.
        unsafe {
            let k = |x: f32| V::splat(x);
            let even = |p: f32| y[2].mul_add(k(p * p), y[0]);
            let odd = |p: f32| y[3].mul_add(k(p * p * p), y[1].mul(k(p)));
            let (e1, o1, e2, o2) = (even(P), odd(P), even(Q), odd(Q));
            let mut m = y;
            m[5] = y[3];
            m[1] = e1.add(o1);
            m[2] = e1.sub(o1);
            m[3] = e2.add(o2);
            m[4] = e2.sub(o2);
            m
        }
    }
}

impl Maps for F2x5 {
    const N: usize = 6;
    const M: usize = 2;
    #[inline(always)]
    unsafe fn bt<V: Vector>(d: Line<V>) -> Line<V> {
        // SAFETY: as the callee.
        unsafe { bt6(d) }
    }
    #[inline(always)]
    unsafe fn b<V: Vector>(v: Line<V>) -> Line<V> {
        // SAFETY: as the callee.
        unsafe { b6(v) }
    }
    #[inline(always)]
    unsafe fn at<V: Vector>(m: Line<V>) -> Line<V> {
        // SAFETY: arithmetic inside `dispatch`.
        unsafe {
            let k = |x: f32| V::splat(x);
            let mut y = m;
            y[0] = m[0].add(m[1].add(m[2]).add(m[3].add(m[4])));
            let (d1, d2) = (m[1].sub(m[2]), m[3].sub(m[4]));
            y[1] = d2.mul_add(k(Q), d1.mul_add(k(P), m[5]));
            y
        }
    }
    #[inline(always)]
    unsafe fn a<V: Vector>(y: Line<V>) -> Line<V> {
        // SAFETY: arithmetic inside `dispatch`.
        unsafe {
            let (o1, o2) = (y[1].mul(V::splat(P)), y[1].mul(V::splat(Q)));
            let mut m = y;
            m[5] = y[1];
            m[1] = y[0].add(o1);
            m[2] = y[0].sub(o1);
            m[3] = y[0].add(o2);
            m[4] = y[0].sub(o2);
            m
        }
    }
}

const BT: u8 = 0;
const B: u8 = 1;
const AT: u8 = 2;
const A: u8 = 3;

/// The map named by `MAP`. A closure in its place would be too large for the compiler to inline,
/// and a call would lose the instruction set.
#[inline(always)]
unsafe fn line<V: Vector, T: Maps, const MAP: u8>(x: Line<V>) -> Line<V> {
    // SAFETY: as the callees.
    unsafe {
        match MAP {
            BT => T::bt(x),
            B => T::b(x),
            AT => T::at(x),
            _ => T::a(x),
        }
    }
}

/// `L X Lᵀ` for the map `L` named by `MAP`: along columns, then along rows.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // `j` is a column of two arrays and an argument
fn sandwich<V: Vector, T: Maps, const MAP: u8>(
    load: impl Fn(usize, usize) -> V,
    mut store: impl FnMut(usize, usize, V),
) {
    let inputs = if MAP == A { T::M } else { T::N };
    let outputs = if MAP == AT { T::M } else { T::N };
    // SAFETY: only called inside `dispatch`.
    let zero = unsafe { V::splat(0.0) };
    // 4 KB that would be cleared for every tile: what is read below was written before.
    let mut half = [[const { MaybeUninit::<V>::uninit() }; 8]; 8];
    for j in 0..inputs {
        let mut column = [zero; 8];
        for (i, value) in column.iter_mut().enumerate().take(inputs) {
            *value = load(i, j);
        }
        // SAFETY: only called inside `dispatch`.
        let column = unsafe { line::<V, T, MAP>(column) };
        for (i, value) in column.iter().enumerate().take(outputs) {
            half[i][j] = MaybeUninit::new(*value);
        }
    }
    for (i, row) in half.iter().enumerate().take(outputs) {
        let mut whole = [zero; 8];
        for j in 0..inputs {
            // SAFETY: the first loop has written columns 0..inputs of rows 0..outputs.
            whole[j] = unsafe { row[j].assume_init() };
        }
        // SAFETY: only called inside `dispatch`.
        let row = unsafe { line::<V, T, MAP>(whole) };
        for (j, value) in row.iter().enumerate().take(outputs) {
            store(i, j, *value);
        }
    }
}

/// Distance between planes of `tiles × channels` numbers: an odd number of cache lines. A tile writes
/// to the same place of every plane; a power of two in between would put all of them in one set of
/// the cache.
pub(crate) fn plane(tiles: usize, channels: usize) -> usize {
    const LINE: usize = 16;
    ((tiles * channels).div_ceil(LINE) | 1) * LINE
}

/// Where the tiles of a group of images lie, channels innermost. The spatial side is an array
/// `[images, height, width, channels]`, cut in `tiles_y × tiles_x` tiles a `step` apart, the first
/// starting at (`top`, `left`), which may be negative; what lies outside reads as 0 and is not
/// written. The transformed side is `n²` planes of `[images·tiles_y·tiles_x, channels]`, see
/// [`Grid::plane`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) images: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) tiles_y: usize,
    pub(crate) tiles_x: usize,
    pub(crate) step: usize,
    pub(crate) top: isize,
    pub(crate) left: isize,
    /// Place of the first tile in planes of so many tiles, where several grids share planes.
    pub(crate) within: Option<[usize; 2]>,
}

impl Grid {
    pub(crate) fn tiles(&self) -> usize {
        self.images * self.tiles_y * self.tiles_x
    }

    /// Distance from one plane of the transformed side to the next.
    pub(crate) fn plane(&self) -> usize {
        plane(self.within.map_or(self.tiles(), |[_, tiles]| tiles), self.channels)
    }

    fn first_tile(&self) -> usize {
        self.within.map_or(0, |[first, _]| first)
    }

    fn check(&self, spatial: usize, transformed: usize, n: usize, lanes: usize) {
        assert_eq!(spatial, self.images * self.height * self.width * self.channels);
        assert!(transformed >= n * n * self.plane());
        assert!(self.within.is_none_or(|[first, tiles]| first + self.tiles() <= tiles));
        assert_eq!(self.channels % lanes, 0, "channels must fill whole vectors");
    }

    /// Calls `f(tile, image, y, x)` for each tile with its first row and column.
    #[inline(always)]
    fn each(&self, mut f: impl FnMut(usize, usize, isize, isize)) {
        let mut tile = self.first_tile();
        for image in 0..self.images {
            for ty in 0..self.tiles_y {
                for tx in 0..self.tiles_x {
                    let y = self.top + (ty * self.step) as isize;
                    let x = self.left + (tx * self.step) as isize;
                    f(tile, image, y, x);
                    tile += 1;
                }
            }
        }
    }

    /// Whether a square of `size` at (y, x) lies wholly inside.
    #[inline(always)]
    fn holds(&self, y: isize, x: isize, size: usize) -> bool {
        y >= 0 && x >= 0 && y as usize + size <= self.height && x as usize + size <= self.width
    }

    /// Offset of channel 0 of a pixel inside the image.
    #[inline(always)]
    fn at(&self, image: usize, y: usize, x: usize) -> usize {
        ((image * self.height + y) * self.width + x) * self.channels
    }

    #[inline(always)]
    fn inside(&self, y: isize, x: isize) -> bool {
        y >= 0 && x >= 0 && (y as usize) < self.height && (x as usize) < self.width
    }
}

/// Spatial to transformed: `Bᵀ d B` of input tiles, or `A dY Aᵀ` of output gradients.
struct Gather<'a, const MAP: u8> {
    tile: Tile,
    grid: Grid,
    spatial: &'a [f32],
    transformed: &'a mut [f32],
}

/// `V = Bᵀ d B` for all tiles; `x` is `[images, height, width, channels]`.
pub(crate) fn input_transform(isa: Isa, tile: Tile, grid: Grid, x: &[f32], v: &mut [f32]) {
    grid.check(x.len(), v.len(), tile.n(), isa.lanes());
    // SAFETY: lengths were checked; the kernel stays inside the grid.
    unsafe { dispatch(isa, Gather::<BT> { tile, grid, spatial: x, transformed: v }) }
}

/// `dM = A dY Aᵀ` for all tiles; `dy` is `[images, height, width, channels]` of the outputs.
pub(crate) fn output_adjoint(isa: Isa, tile: Tile, grid: Grid, dy: &[f32], dm: &mut [f32]) {
    grid.check(dy.len(), dm.len(), tile.n(), isa.lanes());
    // SAFETY: lengths were checked; the kernel stays inside the grid.
    unsafe { dispatch(isa, Gather::<A> { tile, grid, spatial: dy, transformed: dm }) }
}

impl<const MAP: u8> Kernel for Gather<'_, MAP> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: lengths were checked at the entry.
        unsafe {
            match self.tile {
                Tile::F4x5 => gather::<V, F4x5, MAP>(self),
                Tile::F6x3 => gather::<V, F6x3, MAP>(self),
                Tile::F4x3 => gather::<V, F4x3, MAP>(self),
                Tile::F2x5 => gather::<V, F2x5, MAP>(self),
            }
        }
    }
}

#[inline(always)]
unsafe fn gather<V: Vector, T: Maps, const MAP: u8>(args: Gather<'_, MAP>) {
    let size = if MAP == A { T::M } else { T::N };
    let grid = args.grid;
    let plane = grid.plane();
    let (from, to) = (args.spatial.as_ptr(), args.transformed.as_mut_ptr());
    grid.each(|tile, image, y, x| {
        let whole = grid.holds(y, x, size);
        for c in (0..grid.channels).step_by(V::LANES) {
            // SAFETY: pixels inside the image were checked by `holds` or `inside`; channels come
            // in whole vectors; the transformed side holds n² planes.
            unsafe {
                let to = to.add(tile * grid.channels + c);
                let store = |i: usize, j: usize, v: V| v.store(to.add((i * T::N + j) * plane));
                if whole {
                    let base = from.add(grid.at(image, y as usize, x as usize) + c);
                    let row = grid.width * grid.channels;
                    let load = |i: usize, j: usize| V::load(base.add(i * row + j * grid.channels));
                    sandwich::<V, T, MAP>(load, store);
                } else {
                    let load = |i: usize, j: usize| {
                        let (y, x) = (y + i as isize, x + j as isize);
                        if grid.inside(y, x) {
                            V::load(from.add(grid.at(image, y as usize, x as usize) + c))
                        } else {
                            V::splat(0.0)
                        }
                    };
                    sandwich::<V, T, MAP>(load, store);
                }
            }
        }
    });
}

/// Transformed to spatial: `Aᵀ M A` of outputs, or `B dV Bᵀ` added to input gradients.
struct Scatter<'a, const MAP: u8> {
    tile: Tile,
    grid: Grid,
    transformed: &'a [f32],
    spatial: &'a mut [f32],
    bias: Option<&'a [f32]>,
    relu: bool,
}

/// `Y = Aᵀ M A` plus `bias`, through a ReLU on request; `y` is overwritten.
pub(crate) fn output_transform(
    isa: Isa,
    tile: Tile,
    grid: Grid,
    m: &[f32],
    y: &mut [f32],
    bias: Option<&[f32]>,
    relu: bool,
) {
    grid.check(y.len(), m.len(), tile.n(), isa.lanes());
    assert!(bias.is_none_or(|b| b.len() == grid.channels));
    // SAFETY: lengths were checked; the kernel stays inside the grid.
    unsafe {
        dispatch(isa, Scatter::<AT> { tile, grid, transformed: m, spatial: y, bias, relu });
    }
}

/// `dX += B dV Bᵀ` over all tiles; tiles overlap.
pub(crate) fn input_adjoint(isa: Isa, tile: Tile, grid: Grid, dv: &[f32], dx: &mut [f32]) {
    grid.check(dx.len(), dv.len(), tile.n(), isa.lanes());
    let (bias, relu) = (None, false);
    // SAFETY: lengths were checked; the kernel stays inside the grid.
    unsafe {
        dispatch(isa, Scatter::<B> { tile, grid, transformed: dv, spatial: dx, bias, relu });
    }
}

impl<const MAP: u8> Kernel for Scatter<'_, MAP> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: lengths were checked at the entry.
        unsafe {
            match self.tile {
                Tile::F4x5 => scatter::<V, F4x5, MAP>(self),
                Tile::F6x3 => scatter::<V, F6x3, MAP>(self),
                Tile::F4x3 => scatter::<V, F4x3, MAP>(self),
                Tile::F2x5 => scatter::<V, F2x5, MAP>(self),
            }
        }
    }
}

#[inline(always)]
unsafe fn scatter<V: Vector, T: Maps, const MAP: u8>(args: Scatter<'_, MAP>) {
    let size = if MAP == B { T::N } else { T::M };
    let grid = args.grid;
    let plane = grid.plane();
    let (from, to) = (args.transformed.as_ptr(), args.spatial.as_mut_ptr());
    grid.each(|tile, image, y, x| {
        let whole = grid.holds(y, x, size);
        for c in (0..grid.channels).step_by(V::LANES) {
            // SAFETY: as in `gather`; the bias has one value a channel.
            unsafe {
                let from = from.add(tile * grid.channels + c);
                let load = |i: usize, j: usize| V::load(from.add((i * T::N + j) * plane));
                let zero = V::splat(0.0);
                let bias = args.bias.map_or(zero, |b| V::load(b.as_ptr().add(c)));
                let write = |p: *mut f32, value: V| {
                    if MAP == B {
                        V::load(p).add(value).store(p);
                    } else {
                        let value = value.add(bias);
                        (if args.relu { zero.max(value) } else { value }).store(p);
                    }
                };
                if whole {
                    let base = to.add(grid.at(image, y as usize, x as usize) + c);
                    let row = grid.width * grid.channels;
                    let store =
                        |i: usize, j: usize, v: V| write(base.add(i * row + j * grid.channels), v);
                    sandwich::<V, T, MAP>(load, store);
                } else {
                    let store = |i: usize, j: usize, v: V| {
                        let (y, x) = (y + i as isize, x + j as isize);
                        if grid.inside(y, x) {
                            write(to.add(grid.at(image, y as usize, x as usize) + c), v);
                        }
                    };
                    sandwich::<V, T, MAP>(load, store);
                }
            }
        }
    });
}

/// `L X Lᵀ` for many small matrices at once: matrix `e` of `count` has its element (i, j) at
/// `x[(i·inputs + j)·count + e]`.
struct Filters<'a> {
    matrix: &'a [[f32; 8]; 8],
    inputs: usize,
    outputs: usize,
    count: usize,
    x: &'a [f32],
    y: &'a mut [f32],
    accumulate: bool,
}

/// `U = G g Gᵀ`: `g` is `[r, r, count]`, `u` is `[n, n, count]`, overwritten.
pub(crate) fn filter_transform(isa: Isa, tile: Tile, g: &[f32], u: &mut [f32]) {
    let count = g.len() / (tile.r() * tile.r());
    let matrix = tile.filter_matrix();
    filters(isa, &matrix, tile.r(), tile.n(), count, g, u, false);
}

/// `dg += Gᵀ dU G`: `du` is `[n, n, count]`, `dg` is `[r, r, count]`.
pub(crate) fn filter_adjoint(isa: Isa, tile: Tile, du: &[f32], dg: &mut [f32]) {
    let count = dg.len() / (tile.r() * tile.r());
    let g = tile.filter_matrix();
    let transposed = std::array::from_fn(|i| std::array::from_fn(|j| g[j][i]));
    filters(isa, &transposed, tile.n(), tile.r(), count, du, dg, true);
}

#[allow(clippy::too_many_arguments)]
fn filters(
    isa: Isa,
    matrix: &[[f32; 8]; 8],
    inputs: usize,
    outputs: usize,
    count: usize,
    x: &[f32],
    y: &mut [f32],
    accumulate: bool,
) {
    assert_eq!(x.len(), inputs * inputs * count);
    assert_eq!(y.len(), outputs * outputs * count);
    assert_eq!(count % isa.lanes(), 0, "filters must fill whole vectors");
    // SAFETY: lengths were checked.
    unsafe { dispatch(isa, Filters { matrix, inputs, outputs, count, x, y, accumulate }) }
}

impl Kernel for Filters<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: `filters` checked the lengths for these sizes.
        unsafe {
            match (self.inputs, self.outputs) {
                (3, 6) => filter_maps::<V, 3, 6>(self),
                (3, 8) => filter_maps::<V, 3, 8>(self),
                (5, 6) => filter_maps::<V, 5, 6>(self),
                (5, 8) => filter_maps::<V, 5, 8>(self),
                (6, 3) => filter_maps::<V, 6, 3>(self),
                (8, 3) => filter_maps::<V, 8, 3>(self),
                (6, 5) => filter_maps::<V, 6, 5>(self),
                (8, 5) => filter_maps::<V, 8, 5>(self),
                sizes => unreachable!("no tile has filter sizes {sizes:?}"),
            }
        }
    }
}

#[inline(always)]
#[allow(clippy::needless_range_loop)] // as in `sandwich`
unsafe fn filter_maps<V: Vector, const I: usize, const O: usize>(args: Filters<'_>) {
    let count = args.count;
    let (x, y) = (args.x.as_ptr(), args.y.as_mut_ptr());
    for e in (0..count).step_by(V::LANES) {
        // SAFETY: `filters` checked both lengths; e + LANES <= count.
        unsafe {
            let mut half = [[V::splat(0.0); I]; O];
            for j in 0..I {
                let mut column = [V::splat(0.0); I];
                for (k, value) in column.iter_mut().enumerate() {
                    *value = V::load(x.add((k * I + j) * count + e));
                }
                for (i, row) in half.iter_mut().enumerate() {
                    row[j] = dot::<V, I>(&args.matrix[i], &column);
                }
            }
            for (i, row) in half.iter().enumerate() {
                for j in 0..O {
                    let p = y.add((i * O + j) * count + e);
                    let sum = dot::<V, I>(&args.matrix[j], row);
                    (if args.accumulate { sum.add(V::load(p)) } else { sum }).store(p);
                }
            }
        }
    }
}

#[inline(always)]
#[allow(clippy::needless_range_loop)] // as in `sandwich`
unsafe fn dot<V: Vector, const I: usize>(factors: &[f32; 8], x: &[V; I]) -> V {
    // SAFETY: arithmetic inside `dispatch`.
    unsafe {
        let mut sum = V::splat(factors[0]).mul(x[0]);
        for k in 1..I {
            sum = V::splat(factors[k]).mul_add(x[k], sum);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILES: [Tile; 4] = [Tile::F4x5, Tile::F6x3, Tile::F4x3, Tile::F2x5];

    fn noise(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(747796405).wrapping_add(1);
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    /// One tile, `lanes` independent channels, filter and data: Y = g ⋆ d in every lane.
    fn convolve(isa: Isa, tile: Tile, d: &[f32], g: &[f32]) -> Vec<f32> {
        let (n, m, lanes) = (tile.n(), tile.m(), isa.lanes());
        let grid = |size, step| Grid {
            images: 1,
            height: size,
            width: size,
            channels: lanes,
            tiles_y: 1,
            tiles_x: 1,
            step,
            top: 0,
            left: 0,
            within: None,
        };
        let (mut v, mut u) = (vec![0.0; n * n * plane(1, lanes)], vec![0.0; n * n * lanes]);
        input_transform(isa, tile, grid(n, m), d, &mut v);
        filter_transform(isa, tile, g, &mut u);
        let mut product = vec![0.0; n * n * plane(1, lanes)];
        let planes = product.chunks_exact_mut(plane(1, lanes)).zip(v.chunks_exact(plane(1, lanes)));
        for ((product, v), u) in planes.zip(u.chunks_exact(lanes)) {
            product.iter_mut().zip(v).zip(u).for_each(|((p, v), u)| *p = u * v);
        }
        let mut y = vec![0.0; m * m * lanes];
        output_transform(isa, tile, grid(m, m), &product, &mut y, None, false);
        y
    }

    #[test]
    fn a_tile_equals_direct_convolution() {
        for isa in Isa::available() {
            for tile in TILES {
                let (n, m, r, lanes) = (tile.n(), tile.m(), tile.r(), isa.lanes());
                let (d, g) = (noise(n * n * lanes, 1), noise(r * r * lanes, 2));
                let y = convolve(isa, tile, &d, &g);
                for lane in 0..lanes {
                    for i in 0..m {
                        for j in 0..m {
                            let mut sum = 0.0f64;
                            for a in 0..r {
                                for b in 0..r {
                                    let x = d[((i + a) * n + j + b) * lanes + lane] as f64;
                                    sum += x * g[(a * r + b) * lanes + lane] as f64;
                                }
                            }
                            let got = y[(i * m + j) * lanes + lane] as f64;
                            assert!((got - sum).abs() < 2e-5, "{isa} {tile:?}: {got} {sum}");
                        }
                    }
                }
            }
        }
    }

    /// <L x, y> = <x, Lᵀ y> for the input side and the output side.
    #[test]
    fn adjoints_are_transposes() {
        for isa in Isa::available() {
            for tile in TILES {
                let (n, m, lanes) = (tile.n(), tile.m(), isa.lanes());
                // 2 × 2 tiles over images that they overhang on every side.
                let grid = |size: usize, top| Grid {
                    images: 2,
                    height: size,
                    width: size + 1,
                    channels: lanes,
                    tiles_y: 2,
                    tiles_x: 2,
                    step: m,
                    top,
                    left: top,
                    within: None,
                };
                let dot = |a: &[f32], b: &[f32]| -> f64 {
                    a.iter().zip(b).map(|(a, b)| *a as f64 * *b as f64).sum()
                };
                let input = grid(n + m - 3, -1);
                let x = noise(2 * input.height * input.width * lanes, 3);
                let y = noise(n * n * input.plane(), 4);
                let mut forward = vec![0.0; y.len()];
                input_transform(isa, tile, input, &x, &mut forward);
                let mut back = vec![0.0; x.len()];
                input_adjoint(isa, tile, input, &y, &mut back);
                let (a, b) = (dot(&forward, &y), dot(&x, &back));
                assert!((a - b).abs() < 1e-4 * a.abs().max(1.0) * 10.0, "{isa} {tile:?} {a} {b}");

                let output = grid(2 * m - 1, 0);
                let z = noise(2 * output.height * output.width * lanes, 5);
                let mut forward = vec![0.0; z.len()];
                output_transform(isa, tile, output, &y, &mut forward, None, false);
                let mut back = vec![0.0; y.len()];
                output_adjoint(isa, tile, output, &z, &mut back);
                let (a, b) = (dot(&forward, &z), dot(&y, &back));
                assert!((a - b).abs() < 1e-4 * a.abs().max(1.0) * 10.0, "{isa} {tile:?} {a} {b}");
            }
        }
    }
}
