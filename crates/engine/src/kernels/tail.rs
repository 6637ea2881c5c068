//! What follows a convolution number by number, done while its result is still in registers: the same operations
//! in the same order as in layers of their own, so the bits are the same as well.

use super::vector::Vector;

/// Steps that a tail has at most.
const MOST: usize = 4;

/// One step on a matrix of `[pixels, channels]`.
#[derive(Clone, Copy)]
pub(crate) enum Finish<'a> {
    /// `(x − mean) · inverse · scale + bias`, one of each a channel, in this order.
    Normalise([&'a [f32]; 4]),
    /// Negative numbers become 0.
    Relu,
    /// Into an interval, `low ≤ high`.
    Clip { low: f32, high: f32 },
    /// Adds a matrix of the same shape whose rows lie `ld` apart.
    Add { other: &'a [f32], ld: usize },
}

/// The steps, in order.
#[derive(Clone, Copy)]
pub(crate) struct Tail<'a> {
    steps: [Finish<'a>; MOST],
    count: usize,
}

impl Default for Tail<'_> {
    fn default() -> Self {
        Tail { steps: [Finish::Relu; MOST], count: 0 }
    }
}

impl<'a> Tail<'a> {
    /// Whether one more step fits.
    pub(crate) fn has_room(count: usize) -> bool {
        count < MOST
    }

    /// With one more step; there must be room.
    pub(crate) fn then(mut self, step: Finish<'a>) -> Self {
        self.steps[self.count] = step;
        self.count += 1;
        self
    }

    fn map(mut self, f: impl Fn(Finish<'a>) -> Finish<'a>) -> Self {
        self.steps[..self.count].iter_mut().for_each(|step| *step = f(*step));
        self
    }

    /// Of the rows from `row` on.
    pub(crate) fn rows_from(self, row: usize) -> Self {
        self.map(|step| match step {
            Finish::Add { other, ld } => Finish::Add { other: &other[row * ld..], ld },
            other => other,
        })
    }

    /// Of some of the columns.
    pub(crate) fn columns(self, columns: std::ops::Range<usize>) -> Self {
        self.map(|step| match step {
            Finish::Normalise(all) => Finish::Normalise(all.map(|all| &all[columns.clone()])),
            Finish::Add { other, ld } => Finish::Add { other: &other[columns.start..], ld },
            other => other,
        })
    }

    /// Panics if a step reads beyond its slices for a matrix of this size.
    pub(crate) fn check(&self, rows: usize, columns: usize) {
        for step in &self.steps[..self.count] {
            match step {
                Finish::Normalise(all) => assert!(all.iter().all(|all| all.len() >= columns)),
                Finish::Add { other, ld } if rows > 0 => {
                    assert!((rows - 1) * ld + columns <= other.len(), "too little to add");
                }
                _ => {}
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The steps on a tile of `[rows, columns]` numbers that lies at `c`, rows `ldc` apart, and at `[row, column]`
    /// of the whole.
    ///
    /// # Safety
    /// As [`Tail::apply`]; the tile is writable.
    #[inline(always)]
    pub(super) unsafe fn apply_to<V: Vector>(
        &self,
        c: *mut f32,
        ldc: usize,
        [row, column]: [usize; 2],
        [rows, columns]: [usize; 2],
    ) {
        const TOGETHER: usize = 4;
        // SAFETY: the rows and columns of the tile alone.
        unsafe {
            for start in (0..columns).step_by(V::LANES) {
                let mut first = 0;
                while first + TOGETHER <= rows {
                    let c = c.add(first * ldc + start);
                    self.apply_at::<V, TOGETHER>(
                        c,
                        ldc,
                        [row + first, column + start],
                        columns - start,
                    );
                    first += TOGETHER;
                }
                while first < rows {
                    let c = c.add(first * ldc + start);
                    self.apply_at::<V, 1>(c, ldc, [row + first, column + start], columns - start);
                    first += 1;
                }
            }
        }
    }

    /// The steps on `H` rows of one vector in memory.
    #[inline(always)]
    unsafe fn apply_at<V: Vector, const H: usize>(
        &self,
        c: *mut f32,
        ldc: usize,
        [row, column]: [usize; 2],
        lanes: usize,
    ) {
        // SAFETY: the caller vouches for rows and lanes.
        unsafe {
            let whole = lanes >= V::LANES;
            let mut values = [V::splat(0.0); H];
            for (r, value) in values.iter_mut().enumerate() {
                let p = c.add(r * ldc);
                *value = if whole { V::load(p) } else { V::load_part(p, lanes) };
            }
            self.apply(&mut values, row, column, lanes);
            for (r, value) in values.iter().enumerate() {
                let p = c.add(r * ldc);
                if whole { value.store(p) } else { value.store_part(p, lanes) }
            }
        }
    }

    /// The steps on the vectors of `H` rows from `row` on, at `column`; only `lanes` of them are numbers.
    ///
    /// # Safety
    /// As [`Vector`]; [`Tail::check`] has passed for a matrix that holds these rows and lanes.
    #[inline(always)]
    pub(super) unsafe fn apply<V: Vector, const H: usize>(
        &self,
        values: &mut [V; H],
        row: usize,
        column: usize,
        lanes: usize,
    ) {
        // SAFETY: the caller vouches for rows and lanes.
        unsafe {
            let whole = lanes >= V::LANES;
            let load = |p: *const f32| if whole { V::load(p) } else { V::load_part(p, lanes) };
            for step in self.steps.iter().take(self.count) {
                match *step {
                    Finish::Normalise([mean, inverse, scale, bias]) => {
                        let (mean, inverse) =
                            (load(mean.as_ptr().add(column)), load(inverse.as_ptr().add(column)));
                        let (scale, bias) =
                            (load(scale.as_ptr().add(column)), load(bias.as_ptr().add(column)));
                        for v in values.iter_mut() {
                            *v = v.sub(mean).mul(inverse).mul(scale).add(bias);
                        }
                    }
                    Finish::Relu => {
                        // In this order a NaN stays a NaN, here and below.
                        let zero = V::splat(0.0);
                        for v in values.iter_mut() {
                            *v = zero.max(*v);
                        }
                    }
                    Finish::Clip { low, high } => {
                        let (low, high) = (V::splat(low), V::splat(high));
                        for v in values.iter_mut() {
                            *v = high.min(low.max(*v));
                        }
                    }
                    Finish::Add { other, ld } => {
                        let other = other.as_ptr().add(row * ld + column);
                        for (r, v) in values.iter_mut().enumerate() {
                            *v = v.add(load(other.add(r * ld)));
                        }
                    }
                }
            }
        }
    }
}
