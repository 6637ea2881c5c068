//! One step of an echo state network for several sequences at once: each non-zero weight is read once and
//! multiplies a whole row of states, one lane a sequence.
//!
//! State and input stand in one array of rows, the units' first and the inputs' below them, so that the
//! recurrent and the input weights are one sparse matrix. A row has a fixed number of lanes; where fewer
//! sequences run only the first registers of it are computed.

use super::Isa;
#[cfg(target_arch = "x86_64")]
use super::lanes::WithLanes;
use super::lanes::{Array, Lanes, Real, tanh};

/// Registers of a row.
const REGISTERS: usize = 4;

/// Lanes of a row.
pub(crate) fn row_lanes<R: Real>(isa: Isa) -> usize {
    REGISTERS * register_lanes::<R>(isa)
}

/// Lanes of a register.
pub(crate) fn register_lanes<R: Real>(isa: Isa) -> usize {
    match isa {
        Isa::Scalar => 1,
        Isa::Portable => PORTABLE,
        Isa::Avx2 => R::AVX2_LANES,
        Isa::Avx512 => 2 * R::AVX2_LANES,
        #[cfg(test)]
        Isa::Emulated512 => 2 * R::AVX2_LANES,
    }
}

/// Lanes of a plain vector, whichever the precision.
const PORTABLE: usize = 4;

/// The weights, checked once: no index leaves the `units + inputs` rows of the state.
#[derive(Clone, Debug)]
pub(crate) struct Matrix<R> {
    units: usize,
    rows_of_state: usize,
    starts: Vec<u32>,
    columns: Vec<u32>,
    values: Vec<R>,
    bias: Vec<R>,
    leak: R,
    linear: bool,
    isa: Isa,
}

#[allow(clippy::needless_range_loop)] // iterators and closures are inlined at the compiler's pleasure
impl<R: Real> Matrix<R> {
    /// `rows` gives the non-zeros of each unit's row, columns from `units` on being inputs.
    ///
    /// # Panics
    /// Where a column leaves `units + inputs`, or the machine lacks the instructions.
    pub(crate) fn new(
        rows: &[Vec<(usize, R)>],
        inputs: usize,
        bias: &[R],
        leak: R,
        linear: bool,
        isa: Isa,
    ) -> Matrix<R> {
        let (units, rows_of_state) = (rows.len(), rows.len() + inputs);
        assert_eq!(bias.len(), units, "one bias a unit");
        assert!(isa.is_available(), "this machine lacks {isa}");
        let mut starts = vec![0];
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for row in rows {
            for &(column, value) in row {
                assert!(column < rows_of_state, "column {column} of {rows_of_state}");
                columns.push(u32::try_from(column).expect("a state of fewer than 2^32 rows"));
                values.push(value);
            }
            starts.push(u32::try_from(columns.len()).expect("fewer than 2^32 weights"));
        }
        let bias = bias.to_vec();
        Matrix { units, rows_of_state, starts, columns, values, bias, leak, linear, isa }
    }

    /// `next ← (1 − leak) state + leak tanh(W (state; input) + bias)` for the first `sequences` lanes of
    /// every row, rounded up to whole registers, and `sums += next`.
    ///
    /// # Panics
    /// Where an array has another length than `rows · row_lanes`.
    pub(crate) fn step(&self, sequences: usize, state: &[R], next: &mut [R], sums: &mut [R]) {
        let lanes = row_lanes::<R>(self.isa);
        assert_eq!(state.len(), self.rows_of_state * lanes, "the state");
        assert_eq!(next.len(), self.rows_of_state * lanes, "the next state");
        assert_eq!(sums.len(), self.units * lanes, "the sums of states");
        assert!((1..=lanes).contains(&sequences), "{sequences} sequences in {lanes} lanes");
        let arrays = Arrays { state, next, sums };
        let registers = sequences.div_ceil(register_lanes::<R>(self.isa));
        match self.isa {
            // SAFETY: the lengths are checked above, the columns in `new`; plain numbers run anywhere.
            Isa::Scalar => unsafe { self.run::<Array<R, 1>>(registers, arrays) },
            // SAFETY: as above.
            Isa::Portable => unsafe { self.run::<Array<R, PORTABLE>>(registers, arrays) },
            #[cfg(test)]
            Isa::Emulated512 if R::AVX2_LANES == 4 => {
                // SAFETY: as above.
                unsafe { self.run::<Array<R, 8>>(registers, arrays) }
            }
            #[cfg(test)]
            // SAFETY: as above.
            Isa::Emulated512 => unsafe { self.run::<Array<R, 16>>(registers, arrays) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above; `new` has refused an instruction set that the machine lacks.
            Isa::Avx2 => unsafe { self.run_avx2(registers, arrays) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Isa::Avx512 => unsafe { self.run_avx512(registers, arrays) },
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => unreachable!("refused by `new`"),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn run_avx2(&self, registers: usize, arrays: Arrays<'_, R>) {
        // SAFETY: the instructions are enabled here; the rest is the caller's word.
        unsafe { self.run::<<R as WithLanes>::Avx2>(registers, arrays) }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx2,fma")]
    unsafe fn run_avx512(&self, registers: usize, arrays: Arrays<'_, R>) {
        // SAFETY: as above.
        unsafe { self.run::<<R as WithLanes>::Avx512>(registers, arrays) }
    }

    /// # Safety
    /// Arrays of the lengths that `step` checks, rows of `REGISTERS · V::LANES`; V's instructions enabled.
    #[inline(always)]
    unsafe fn run<V: Lanes<Real = R>>(&self, registers: usize, arrays: Arrays<'_, R>) {
        // SAFETY: the caller's word.
        unsafe {
            match (registers, self.linear) {
                (1, false) => self.rows::<V, 1, false>(arrays),
                (2, false) => self.rows::<V, 2, false>(arrays),
                (3, false) => self.rows::<V, 3, false>(arrays),
                (_, false) => self.rows::<V, 4, false>(arrays),
                (1, true) => self.rows::<V, 1, true>(arrays),
                (2, true) => self.rows::<V, 2, true>(arrays),
                (3, true) => self.rows::<V, 3, true>(arrays),
                (_, true) => self.rows::<V, 4, true>(arrays),
            }
        }
    }

    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn rows<V: Lanes<Real = R>, const N: usize, const LINEAR: bool>(
        &self,
        arrays: Arrays<'_, R>,
    ) {
        let state = arrays.state.as_ptr();
        let (next, sums) = (arrays.next.as_mut_ptr(), arrays.sums.as_mut_ptr());
        // SAFETY: columns and rows are below `rows_of_state`, registers below REGISTERS, and the lengths
        // are checked in `step`.
        unsafe {
            let leak = V::splat(self.leak);
            let keep = V::splat(R::of(1.0).minus(self.leak));
            for unit in 0..self.units {
                let drive = self.drive::<V, N>(unit, state);
                for k in 0..N {
                    let place = unit * REGISTERS * V::LANES + k * V::LANES;
                    let fired = if LINEAR { drive[k] } else { tanh(drive[k]) };
                    let h = leak.mul(fired);
                    let h = keep.mul_add(V::load(state.add(place)), h);
                    h.store(next.add(place));
                    V::load(sums.add(place)).add(h).store(sums.add(place));
                }
            }
        }
    }

    /// `bias + Σ weight · row`. Two sums, of every other weight, so that one multiply-add need not wait for
    /// the one before it; always two, so that a lane has the same bits beside any others.
    ///
    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn drive<V: Lanes<Real = R>, const N: usize>(
        &self,
        unit: usize,
        state: *const R,
    ) -> [V; N] {
        // SAFETY: as in `rows`; a row's weights lie between its start and the next one's.
        unsafe {
            let (mut at, end) = (self.starts[unit] as usize, self.starts[unit + 1] as usize);
            let mut even = [V::splat(self.bias[unit]); N];
            let mut odd = [V::splat(R::of(0.0)); N];
            while at + 1 < end {
                self.weigh(at, state, &mut even);
                self.weigh(at + 1, state, &mut odd);
                at += 2;
            }
            if at < end {
                self.weigh(at, state, &mut even);
            }
            for k in 0..N {
                even[k] = even[k].add(odd[k]);
            }
            even
        }
    }

    /// `sums += weight · row` of one weight.
    ///
    /// # Safety
    /// As for `run`, and `at` a weight of this matrix.
    #[inline(always)]
    unsafe fn weigh<V: Lanes<Real = R>, const N: usize>(
        &self,
        at: usize,
        state: *const R,
        sums: &mut [V; N],
    ) {
        // SAFETY: the caller's word; columns are below `rows_of_state`.
        unsafe {
            let row = *self.columns.get_unchecked(at) as usize;
            let row = state.add(row * REGISTERS * V::LANES);
            let value = V::splat(*self.values.get_unchecked(at));
            for k in 0..N {
                sums[k] = value.mul_add(V::load(row.add(k * V::LANES)), sums[k]);
            }
        }
    }
}

struct Arrays<'a, R> {
    state: &'a [R],
    next: &'a mut [R],
    sums: &'a mut [R],
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tanh` of every value by the kernel itself: no weights, the value as bias.
    fn tanh_of<R: Real>(isa: Isa, values: &[f64]) -> Vec<f64> {
        let bias: Vec<R> = values.iter().map(|&x| R::rounded(x)).collect();
        let matrix = Matrix::new(&vec![vec![]; bias.len()], 0, &bias, R::rounded(1.0), false, isa);
        let lanes = row_lanes::<R>(isa);
        let zeros = vec![R::default(); bias.len() * lanes];
        let (mut next, mut sums) = (zeros.clone(), zeros.clone());
        matrix.step(1, &zeros, &mut next, &mut sums);
        next.iter().step_by(lanes).map(|&x| x.into()).collect()
    }

    fn grid() -> Vec<f64> {
        let mut grid: Vec<f64> = (-4000..=4000).map(|i| f64::from(i) * 0.005_001).collect();
        grid.extend((0..300).map(|i| 10f64.powi(-i) * 1.234));
        grid.extend([25.0, -700.0, 1e30, f64::INFINITY, f64::NEG_INFINITY, 0.0]);
        grid
    }

    #[test]
    fn the_tangent_is_right_to_a_few_units_in_the_last_place_on_every_instruction_set() {
        for isa in Isa::available() {
            for (x, found) in grid().iter().zip(tanh_of::<f64>(isa, &grid())) {
                let error = (found - x.tanh()).abs();
                assert!(error <= 4.0 * f64::EPSILON * x.tanh().abs(), "{isa}: tanh {x} = {found}");
            }
            for (x, found) in grid().iter().zip(tanh_of::<f32>(isa, &grid())) {
                let expected = f64::from(*x as f32).tanh();
                let error = (found - expected).abs();
                let unit = 4.0 * f64::from(f32::EPSILON) * expected.abs();
                assert!(error <= unit.max(1e-44), "{isa}: tanh {x} = {found}");
            }
            assert!(tanh_of::<f64>(isa, &[f64::NAN])[0].is_nan(), "{isa}");
        }
    }
}
