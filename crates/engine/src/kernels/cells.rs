//! Recurrent layers, step by step: at each step one small product of states and weights, then the gates, a
//! vector of units at a time. What needs no order in time (products with inputs, gradients of weights) is
//! left to [`super::gemm`], for many steps at once.
//!
//! Arrays lie as in PyTorch: a row of gates is `[gates][hidden]`.

use std::ops::Range;

use super::functions::{sigmoid, tanh};
use super::gemm::{Epilogue, Product, packed_len};
use super::tail::Tail;
use super::vector::{Pair, Vector};
use super::{Isa, Kernel, dispatch};
use crate::cells::{Cell, Steps};

/// What the inputs give to the gates, a row of `gates · hidden` for each row of the batch.
#[derive(Clone, Copy)]
pub(crate) enum FromInput<'a> {
    /// Row after row; the first belongs to the first row of the steps that are run.
    Rows(&'a [f32]),
    /// Row `symbols[row]` of `table`.
    Table { symbols: &'a [u8], table: &'a [f32] },
}

/// States or memories before the first step, a row a sequence; for what is missing zeros.
#[derive(Clone, Copy)]
pub(crate) struct Began<'a> {
    pub(crate) h: &'a [f32],
    pub(crate) c: &'a [f32],
}

/// Steps `range` of a batch; the states before them are there already.
pub(crate) struct Forward<'a> {
    pub(crate) cell: Cell,
    pub(crate) hidden: usize,
    pub(crate) steps: &'a Steps,
    pub(crate) range: Range<usize>,
    /// `W_hhᵀ`, packed with `k = hidden`.
    pub(crate) weights: &'a [f32],
    /// `b_hh`
    pub(crate) bias: &'a [f32],
    pub(crate) from_input: FromInput<'a>,
    pub(crate) start: Began<'a>,
    /// `[rows, hidden]`
    pub(crate) h: &'a mut [f32],
    /// `[rows, hidden]` in an LSTM
    pub(crate) c: &'a mut [f32],
    /// `[rows, gates · hidden]` where there is more than one
    pub(crate) gates: &'a mut [f32],
    /// `[rows, hidden]` in a GRU: what the state gives to the new gate.
    pub(crate) new_from_state: &'a mut [f32],
    /// At least `hidden` zeros.
    pub(crate) zeros: &'a [f32],
}

/// Runs steps forward.
///
/// # Panics
/// If a length is not that of the sizes.
pub(crate) fn forward(isa: Isa, args: Forward<'_>) {
    let (n, rows) = (args.hidden, args.steps.rows());
    let width = args.cell.gates() * n;
    let first = check(args.cell, n, args.steps, &args.range, args.start, args.zeros);
    assert_eq!(args.weights.len(), packed_len(isa, n, width), "weights");
    assert_eq!(args.bias.len(), width, "bias");
    match args.from_input {
        FromInput::Rows(values) => assert_eq!(values.len(), first.len() * width, "projections"),
        FromInput::Table { symbols, table } => check_symbols(symbols, rows, table.len(), width),
    }
    check_tape(args.cell, n, rows, args.h, args.c, args.gates, args.new_from_state);
    // SAFETY: every row that the kernel touches lies in arrays whose lengths were checked; the rows before a
    // step are those of the step before, or of the start.
    unsafe { dispatch(isa, args) }
}

/// Checks what both directions share; the rows of the steps that are run.
fn check(
    cell: Cell,
    n: usize,
    steps: &Steps,
    range: &Range<usize>,
    start: Began<'_>,
    zeros: &[f32],
) -> Range<usize> {
    assert!(n > 0 && range.start < range.end && range.end <= steps.len(), "steps {range:?}");
    assert!(zeros.len() >= n, "zeros");
    let most = steps.counts()[0] * n;
    assert!(start.h.len() <= most && start.h.len().is_multiple_of(n), "states to start from");
    assert!(start.c.len() <= most && start.c.len().is_multiple_of(n), "memories to start from");
    assert!(cell.has_memory() || start.c.is_empty(), "memories of a cell without");
    steps.rows_of(range.start).start..steps.rows_of(range.end - 1).end
}

fn check_symbols(symbols: &[u8], rows: usize, table: usize, width: usize) {
    assert_eq!(symbols.len(), rows, "symbols");
    let last = largest(symbols);
    let needed = if rows == 0 { 0 } else { (last + 1) * width };
    assert!(needed <= table, "symbol {last} has no row in the table");
}

/// By a fold, which becomes vectors; `max` does not.
fn largest(symbols: &[u8]) -> usize {
    symbols.iter().fold(0, |most, &symbol| most.max(symbol)).into()
}

fn check_tape(
    cell: Cell,
    n: usize,
    rows: usize,
    h: &[f32],
    c: &[f32],
    gates: &[f32],
    new_from_state: &[f32],
) {
    let lengths = tape_lengths(cell, n, rows);
    assert_eq!([h.len(), c.len(), gates.len(), new_from_state.len()], lengths, "tape");
}

/// Lengths of `h`, `c`, `gates` and `new_from_state`.
pub(crate) fn tape_lengths(cell: Cell, hidden: usize, rows: usize) -> [usize; 4] {
    let of = |wanted: bool| if wanted { rows * hidden } else { 0 };
    let gates = if cell.gates() > 1 { cell.gates() } else { 0 };
    [rows * hidden, of(cell.has_memory()), rows * hidden * gates, of(cell == Cell::Gru)]
}

/// Where the rows before those of a step lie: `count` from `first` on, zeros for the sequences after.
#[derive(Clone, Copy)]
struct Before {
    first: *const f32,
    count: usize,
    zeros: *const f32,
    n: usize,
}

impl Before {
    /// Of an array `[rows, n]` with what it started from.
    #[inline(always)]
    unsafe fn new(
        steps: &Steps,
        t: usize,
        n: usize,
        rows: *const f32,
        start: &[f32],
        zeros: &[f32],
    ) -> Before {
        let zeros = zeros.as_ptr();
        if t == 0 {
            return Before { first: start.as_ptr(), count: start.len() / n, zeros, n };
        }
        let earlier = steps.rows_of(t - 1);
        // SAFETY: the rows of all steps lie in the array.
        Before { first: unsafe { rows.add(earlier.start * n) }, count: earlier.len(), zeros, n }
    }

    #[inline(always)]
    unsafe fn row(&self, sequence: usize) -> *const f32 {
        if sequence >= self.count {
            return self.zeros;
        }
        // SAFETY: `count` rows are there.
        unsafe { self.first.add(sequence * self.n) }
    }
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let (n, width) = (self.hidden, self.cell.gates() * self.hidden);
        let first_row = self.steps.rows_of(self.range.start).start;
        let (h, c) = (self.h.as_mut_ptr(), self.c.as_mut_ptr());
        let (gates, new) = (self.gates.as_mut_ptr(), self.new_from_state.as_mut_ptr());
        // One gate is the state itself.
        let sums = if self.cell.gates() == 1 { h } else { gates };
        for t in self.range.clone() {
            let rows = self.steps.rows_of(t);
            // SAFETY: `forward` has checked all arrays against the rows of the steps.
            unsafe {
                let before_h = Before::new(self.steps, t, n, h, self.start.h, self.zeros);
                from_states::<V>(&before_h, rows.len(), self.weights, self.bias, {
                    sums.add(rows.start * width)
                });
                for (sequence, row) in rows.enumerate() {
                    let x = match self.from_input {
                        FromInput::Rows(values) => values.as_ptr().add((row - first_row) * width),
                        FromInput::Table { symbols, table } => {
                            table.as_ptr().add(usize::from(*symbols.get_unchecked(row)) * width)
                        }
                    };
                    let (h, gates) = (h.add(row * n), gates.wrapping_add(row * width));
                    match self.cell {
                        Cell::Tanh => units::<V>(n, &Elman::<true> { x, h }),
                        Cell::Relu => units::<V>(n, &Elman::<false> { x, h }),
                        Cell::Lstm => {
                            let start = self.start.c;
                            let before = Before::new(self.steps, t, n, c, start, self.zeros);
                            let before = before.row(sequence);
                            units::<V>(n, &Lstm { n, x, gates, before, c: c.add(row * n), h });
                        }
                        Cell::Gru => {
                            let before = before_h.row(sequence);
                            let new = new.add(row * n);
                            units::<V>(n, &Gru { n, x, gates, before, new, h });
                        }
                    }
                }
            }
        }
    }
}

/// `W h + b` for `rows` sequences into rows of `out`.
#[inline(always)]
unsafe fn from_states<V: Vector>(
    before: &Before,
    rows: usize,
    weights: &[f32],
    bias: &[f32],
    out: *mut f32,
) {
    let (n, width, running) = (before.n, bias.len(), before.count.min(rows));
    // SAFETY: the caller's rows; `running` of them have a state.
    unsafe {
        if running > 0 {
            let product = Product {
                a: before.first,
                segments: &[0],
                inner: n,
                b: weights.as_ptr(),
                n: width,
                c: out,
                ldc: width,
                epilogue: Epilogue { bias: Some(bias), ..Epilogue::default() },
                tail: Tail::default(),
            };
            product.run::<V>(running, |i| i * n);
        }
        for row in running..rows {
            bias.as_ptr().copy_to_nonoverlapping(out.add(row * width), width);
        }
    }
}

/// What is done with a vector of units of one row: `WHOLE`, or only the first `lanes`.
trait Unit {
    unsafe fn run<V: Vector, const WHOLE: bool>(&self, j: usize, lanes: usize);
}

/// All units of a row.
#[inline(always)]
unsafe fn units<V: Vector>(n: usize, unit: &impl Unit) {
    let mut j = 0;
    // SAFETY: units 0..n, the last vector in part.
    unsafe {
        while j + 2 * V::LANES <= n {
            unit.run::<Pair<V>, true>(j, 2 * V::LANES);
            j += 2 * V::LANES;
        }
        while j + V::LANES <= n {
            unit.run::<V, true>(j, V::LANES);
            j += V::LANES;
        }
        if j < n {
            unit.run::<V, false>(j, n - j);
        }
    }
}

#[inline(always)]
unsafe fn load<V: Vector, const WHOLE: bool>(p: *const f32, lanes: usize) -> V {
    // SAFETY: the caller's pointer holds `lanes` numbers.
    unsafe { if WHOLE { V::load(p) } else { V::load_part(p, lanes) } }
}

#[inline(always)]
unsafe fn store<V: Vector, const WHOLE: bool>(value: V, p: *mut f32, lanes: usize) {
    // SAFETY: the caller's pointer holds `lanes` numbers.
    unsafe { if WHOLE { value.store(p) } else { value.store_part(p, lanes) } }
}

/// `h` holds what the state gives, and becomes the new state.
struct Elman<const TANH: bool> {
    x: *const f32,
    h: *mut f32,
}

// SAFETY (all units below): rows of whole arrays, units inside `n`; arithmetic inside `dispatch`.
#[allow(clippy::undocumented_unsafe_blocks)]
impl<const TANH: bool> Unit for Elman<TANH> {
    #[inline(always)]
    unsafe fn run<V: Vector, const WHOLE: bool>(&self, j: usize, lanes: usize) {
        unsafe {
            let load = |p: *const f32| load::<V, WHOLE>(p.add(j), lanes);
            let sum = load(self.h).add(load(self.x));
            // In this order a NaN stays a NaN.
            let h = if TANH { tanh(sum) } else { V::splat(0.0).max(sum) };
            store::<V, WHOLE>(h, self.h.add(j), lanes);
        }
    }
}

struct Lstm {
    n: usize,
    x: *const f32,
    gates: *mut f32,
    before: *const f32,
    c: *mut f32,
    h: *mut f32,
}

#[allow(clippy::undocumented_unsafe_blocks)]
impl Unit for Lstm {
    #[inline(always)]
    unsafe fn run<V: Vector, const WHOLE: bool>(&self, j: usize, lanes: usize) {
        unsafe {
            let load = |p: *const f32| load::<V, WHOLE>(p.add(j), lanes);
            let store = |v: V, p: *mut f32| store::<V, WHOLE>(v, p.add(j), lanes);
            let sum = |g: usize| load(self.gates.add(g * self.n)).add(load(self.x.add(g * self.n)));
            let (i, f) = (sigmoid(sum(0)), sigmoid(sum(1)));
            let (new, o) = (tanh(sum(2)), sigmoid(sum(3)));
            for (g, gate) in [i, f, new, o].into_iter().enumerate() {
                store(gate, self.gates.add(g * self.n));
            }
            let c = f.mul_add(load(self.before), i.mul(new));
            store(c, self.c);
            store(o.mul(tanh(c)), self.h);
        }
    }
}

struct Gru {
    n: usize,
    x: *const f32,
    gates: *mut f32,
    before: *const f32,
    new: *mut f32,
    h: *mut f32,
}

#[allow(clippy::undocumented_unsafe_blocks)]
impl Unit for Gru {
    #[inline(always)]
    unsafe fn run<V: Vector, const WHOLE: bool>(&self, j: usize, lanes: usize) {
        unsafe {
            let load = |p: *const f32| load::<V, WHOLE>(p.add(j), lanes);
            let store = |v: V, p: *mut f32| store::<V, WHOLE>(v, p.add(j), lanes);
            let gate = |g: usize| (self.gates.add(g * self.n), self.x.add(g * self.n));
            let sum = |(state, x): (*mut f32, *const f32)| load(state).add(load(x));
            let (r, z) = (sigmoid(sum(gate(0))), sigmoid(sum(gate(1))));
            let (state, x) = gate(2);
            let from_state = load(state);
            let new = tanh(r.mul_add(from_state, load(x)));
            store(from_state, self.new);
            store(r, gate(0).0);
            store(z, gate(1).0);
            store(new, state);
            store(z.mul_add(load(self.before).sub(new), new), self.h);
        }
    }
}

/// Floats from one row of [`Backward::by_gates`] to the next: the derivative by what the input gives to the
/// gates, and in a GRU the new gate's first, by what the input gives, and last, by what the state gives, so
/// that either side has its three gates together.
pub(crate) fn gate_stride(cell: Cell, hidden: usize) -> usize {
    hidden * if cell == Cell::Gru { 4 } else { cell.gates() }
}

/// Where in such a row the derivative by what the state gives begins: `[gates · hidden]` in PyTorch's order.
pub(crate) fn by_state_at(cell: Cell, hidden: usize) -> usize {
    if cell == Cell::Gru { hidden } else { 0 }
}

/// Back through the steps `range`.
pub(crate) struct Backward<'a> {
    pub(crate) cell: Cell,
    pub(crate) hidden: usize,
    pub(crate) steps: &'a Steps,
    pub(crate) range: Range<usize>,
    /// `W_hh`, packed with `k = gates · hidden`.
    pub(crate) weights: &'a [f32],
    pub(crate) start: Began<'a>,
    /// As [`Forward`] left them.
    pub(crate) h: &'a [f32],
    pub(crate) c: &'a [f32],
    pub(crate) gates: &'a [f32],
    pub(crate) new_from_state: &'a [f32],
    /// By each `h(t)` as far as it is used outside, `[rows, hidden]`, or nothing where none is.
    pub(crate) by_states: &'a [f32],
    /// By the states and memories before the steps that were gone through, `[sequences, hidden]`; the
    /// second empty but in an LSTM.
    pub(crate) carried_h: &'a mut [f32],
    pub(crate) carried_c: &'a mut [f32],
    /// `[rows of range,` [`gate_stride`]`]`
    pub(crate) by_gates: &'a mut [f32],
    /// The states before, `[rows of range, hidden]`.
    pub(crate) before: &'a mut [f32],
    /// Where the derivatives by all states and memories are kept, `[rows, hidden]`, or nothing.
    pub(crate) kept_h: &'a mut [f32],
    pub(crate) kept_c: &'a mut [f32],
    /// At least `hidden` zeros.
    pub(crate) zeros: &'a [f32],
}

/// Derivatives below this are carried back as 0 where they are not kept. A derivative that has faded so far moves no
/// parameter; what it would become next, numbers below 1.2e-38, take processors ten times as long.
const FADED: f32 = 1e-30;

/// Runs steps backward.
///
/// # Panics
/// If a length is not that of the sizes.
pub(crate) fn backward(isa: Isa, args: Backward<'_>) {
    let (cell, n, rows) = (args.cell, args.hidden, args.steps.rows());
    let here = check(cell, n, args.steps, &args.range, args.start, args.zeros).len();
    let memory = |rows: usize| if cell.has_memory() { rows * n } else { 0 };
    let sequences = args.steps.sequences();
    assert_eq!(args.weights.len(), packed_len(isa, cell.gates() * n, n), "weights");
    check_tape(cell, n, rows, args.h, args.c, args.gates, args.new_from_state);
    let by_states = args.by_states.len();
    assert!(by_states == 0 || by_states == rows * n, "derivatives by states: {by_states} values");
    assert_eq!(args.carried_h.len(), sequences * n, "carried derivatives");
    assert_eq!(args.carried_c.len(), memory(sequences), "carried derivatives");
    assert_eq!(args.by_gates.len(), here * gate_stride(cell, n), "derivatives by gates");
    assert_eq!(args.before.len(), here * n, "states before");
    let kept = [args.kept_h.len(), args.kept_c.len()];
    assert!(kept == [0, 0] || kept == [rows * n, memory(rows)], "kept derivatives");
    // SAFETY: as in `forward`.
    unsafe { dispatch(isa, args) }
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let (cell, n) = (self.cell, self.hidden);
        let (width, stride) = (cell.gates() * n, gate_stride(cell, n));
        let first_row = self.steps.rows_of(self.range.start).start;
        let (carried_h, carried_c) = (self.carried_h.as_mut_ptr(), self.carried_c.as_mut_ptr());
        let (by_gates, before) = (self.by_gates.as_mut_ptr(), self.before.as_mut_ptr());
        let (kept_h, kept_c) = (self.kept_h.as_mut_ptr(), self.kept_c.as_mut_ptr());
        for t in self.range.clone().rev() {
            let rows = self.steps.rows_of(t);
            // SAFETY: `backward` has checked all arrays against the rows of the steps.
            unsafe {
                let h = self.h.as_ptr();
                let before_h = Before::new(self.steps, t, n, h, self.start.h, self.zeros);
                let (c, start) = (self.c.as_ptr(), self.start.c);
                let step_gates = by_gates.add((rows.start - first_row) * stride);
                for (sequence, row) in rows.clone().enumerate() {
                    let back = Back {
                        n,
                        h: h.add(row * n),
                        gates: self.gates.as_ptr().wrapping_add(row * width),
                        h_before: before_h.row(sequence),
                        by_state: match self.by_states {
                            [] => self.zeros.as_ptr(),
                            by_states => by_states.as_ptr().add(row * n),
                        },
                        carried: carried_h.add(sequence * n),
                        by_gates: step_gates.add(sequence * stride),
                        before: before.add((row - first_row) * n),
                        least: if self.kept_h.is_empty() { FADED } else { 0.0 },
                        kept: if self.kept_h.is_empty() { None } else { Some(kept_h.add(row * n)) },
                    };
                    match cell {
                        Cell::Tanh => units::<V>(n, &ElmanBack::<true>(back)),
                        Cell::Relu => units::<V>(n, &ElmanBack::<false>(back)),
                        Cell::Lstm => {
                            let before = Before::new(self.steps, t, n, c, start, self.zeros);
                            let carried_c = carried_c.add(sequence * n);
                            let kept_c = back.kept.map(|_| kept_c.add(row * n));
                            let (c, before) = (c.add(row * n), before.row(sequence));
                            units::<V>(n, &LstmBack { back, c, before, carried_c, kept_c });
                        }
                        Cell::Gru => {
                            let from_state = self.new_from_state.as_ptr().add(row * n);
                            units::<V>(n, &GruBack { back, from_state });
                        }
                    }
                }
                let product = Product {
                    a: step_gates.add(by_state_at(cell, n)),
                    segments: &[0],
                    inner: width,
                    b: self.weights.as_ptr(),
                    n,
                    c: carried_h,
                    ldc: n,
                    // A GRU's state also goes on past its gates.
                    epilogue: Epilogue { accumulate: cell == Cell::Gru, ..Epilogue::default() },
                    tail: Tail::default(),
                };
                // Those that begin here have no state before.
                let earlier = if t == 0 { rows.len() } else { before_h.count.min(rows.len()) };
                if earlier > 0 {
                    product.run::<V>(earlier, |i| i * stride);
                }
            }
        }
    }
}

/// A row of the way back.
struct Back {
    n: usize,
    h: *const f32,
    gates: *const f32,
    h_before: *const f32,
    by_state: *const f32,
    carried: *mut f32,
    by_gates: *mut f32,
    before: *mut f32,
    /// What is smaller is taken for 0.
    least: f32,
    kept: Option<*mut f32>,
}

#[allow(clippy::undocumented_unsafe_blocks)]
impl Back {
    /// The derivative by the state, and the state before put where the weights' gradient looks for it.
    #[inline(always)]
    unsafe fn begin<V: Vector, const WHOLE: bool>(&self, j: usize, lanes: usize) -> (V, V) {
        unsafe {
            let load = |p: *const f32| load::<V, WHOLE>(p.add(j), lanes);
            let by = load(self.carried).add(load(self.by_state));
            let by = by.zero_below(V::splat(self.least));
            if let Some(kept) = self.kept {
                store::<V, WHOLE>(by, kept.add(j), lanes);
            }
            let before = load(self.h_before);
            store::<V, WHOLE>(before, self.before.add(j), lanes);
            (by, before)
        }
    }
}

/// `x (1 - x)`
#[inline(always)]
unsafe fn sigmoid_slope<V: Vector>(x: V) -> V {
    // SAFETY: arithmetic inside `dispatch`.
    unsafe { x.mul(V::splat(1.0).sub(x)) }
}

/// `1 - x²`
#[inline(always)]
unsafe fn tanh_slope<V: Vector>(x: V) -> V {
    // SAFETY: arithmetic inside `dispatch`.
    unsafe { V::splat(1.0).sub(x.mul(x)) }
}

struct ElmanBack<const TANH: bool>(Back);

#[allow(clippy::undocumented_unsafe_blocks)]
impl<const TANH: bool> Unit for ElmanBack<TANH> {
    #[inline(always)]
    unsafe fn run<V: Vector, const WHOLE: bool>(&self, j: usize, lanes: usize) {
        unsafe {
            let (by, _) = self.0.begin::<V, WHOLE>(j, lanes);
            let h = load::<V, WHOLE>(self.0.h.add(j), lanes);
            let by = if TANH { by.mul(tanh_slope(h)) } else { by.where_positive(h) };
            store::<V, WHOLE>(by, self.0.by_gates.add(j), lanes);
        }
    }
}

struct LstmBack {
    back: Back,
    c: *const f32,
    before: *const f32,
    carried_c: *mut f32,
    kept_c: Option<*mut f32>,
}

#[allow(clippy::undocumented_unsafe_blocks)]
impl Unit for LstmBack {
    #[inline(always)]
    unsafe fn run<V: Vector, const WHOLE: bool>(&self, j: usize, lanes: usize) {
        unsafe {
            let n = self.back.n;
            let load = |p: *const f32| load::<V, WHOLE>(p.add(j), lanes);
            let store = |v: V, p: *mut f32| store::<V, WHOLE>(v, p.add(j), lanes);
            let gate = |g: usize| load(self.back.gates.add(g * n));
            let (by_h, _) = self.back.begin::<V, WHOLE>(j, lanes);
            let (i, f, new, o) = (gate(0), gate(1), gate(2), gate(3));
            let tanh = tanh(load(self.c));
            let by_c = by_h.mul(o).mul_add(tanh_slope(tanh), load(self.carried_c));
            if let Some(kept) = self.kept_c {
                store(by_c, kept);
            }
            let least = V::splat(self.back.least);
            store(by_c.mul(f).zero_below(least), self.carried_c);
            let by = [
                by_c.mul(new).mul(sigmoid_slope(i)),
                by_c.mul(load(self.before)).mul(sigmoid_slope(f)),
                by_c.mul(i).mul(tanh_slope(new)),
                by_h.mul(tanh).mul(sigmoid_slope(o)),
            ];
            for (g, by) in by.into_iter().enumerate() {
                store(by, self.back.by_gates.add(g * n));
            }
        }
    }
}

struct GruBack {
    back: Back,
    from_state: *const f32,
}

#[allow(clippy::undocumented_unsafe_blocks)]
impl Unit for GruBack {
    #[inline(always)]
    unsafe fn run<V: Vector, const WHOLE: bool>(&self, j: usize, lanes: usize) {
        unsafe {
            let n = self.back.n;
            let load = |p: *const f32| load::<V, WHOLE>(p.add(j), lanes);
            let store = |v: V, p: *mut f32| store::<V, WHOLE>(v, p.add(j), lanes);
            let gate = |g: usize| load(self.back.gates.add(g * n));
            let (by_h, before) = self.back.begin::<V, WHOLE>(j, lanes);
            let (r, z, new) = (gate(0), gate(1), gate(2));
            let by_new = by_h.mul(V::splat(1.0).sub(z)).mul(tanh_slope(new));
            let by = [
                by_new,
                by_new.mul(load(self.from_state)).mul(sigmoid_slope(r)),
                by_h.mul(before.sub(new)).mul(sigmoid_slope(z)),
                by_new.mul(r),
            ];
            for (g, by) in by.into_iter().enumerate() {
                store(by, self.back.by_gates.add(g * n));
            }
            store(by_h.mul(z), self.back.carried);
        }
    }
}

/// Adds rows of one array, `columns` wide and `stride` apart, to rows of another.
struct AddRows<'a> {
    from: &'a [f32],
    stride: usize,
    columns: usize,
    /// The row of `to` that each one is added to; the first where there are none.
    places: &'a [u8],
    rows: usize,
    /// Its rows are `to_stride` apart.
    to: &'a mut [f32],
    to_stride: usize,
}

/// `to[column] += Σ from[row, column]`
///
/// # Panics
/// If a length is not that of the sizes.
pub(crate) fn sum_rows(isa: Isa, from: &[f32], stride: usize, rows: usize, to: &mut [f32]) {
    let columns = to.len();
    assert!(rows == 0 || (rows - 1) * stride + columns <= from.len(), "rows to be summed");
    // SAFETY: lengths were checked.
    unsafe {
        let args = AddRows { from, stride, columns, places: &[], rows, to, to_stride: 0 };
        dispatch(isa, args);
    }
}

/// `to[places[row], column] += from[row, column]` for `columns` columns; rows of `to` are `to_stride` apart.
///
/// # Panics
/// If a length is not that of the sizes.
pub(crate) fn scatter_rows(
    isa: Isa,
    from: &[f32],
    stride: usize,
    columns: usize,
    places: &[u8],
    to: &mut [f32],
    to_stride: usize,
) {
    let rows = places.len();
    if rows == 0 {
        return;
    }
    let last = largest(places);
    assert!((rows - 1) * stride + columns <= from.len(), "rows to be added");
    assert!(last * to_stride + columns <= to.len(), "symbol {last} has no row in the table");
    // SAFETY: lengths were checked.
    unsafe { dispatch(isa, AddRows { from, stride, columns, places, rows, to, to_stride }) }
}

impl Kernel for AddRows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let (from, to) = (self.from.as_ptr(), self.to.as_mut_ptr());
        // SAFETY: the entries have checked both arrays; units stop at `columns`.
        unsafe {
            if self.places.is_empty() {
                let sums = Sum { from, stride: self.stride, rows: self.rows, to };
                return units::<V>(self.columns, &sums);
            }
            for row in 0..self.rows {
                let place = usize::from(*self.places.get_unchecked(row));
                let from = from.add(row * self.stride);
                let to = to.add(place * self.to_stride);
                units::<V>(self.columns, &Sum { from, stride: 0, rows: 1, to });
            }
        }
    }
}

struct Sum {
    from: *const f32,
    stride: usize,
    rows: usize,
    to: *mut f32,
}

#[allow(clippy::undocumented_unsafe_blocks)]
impl Unit for Sum {
    #[inline(always)]
    unsafe fn run<V: Vector, const WHOLE: bool>(&self, j: usize, lanes: usize) {
        unsafe {
            let to = self.to.add(j);
            let row = |row: usize| load::<V, WHOLE>(self.from.add(row * self.stride + j), lanes);
            // Four sums, since each waits for its last addition.
            let mut sums = [V::splat(0.0); 4];
            let whole = self.rows / 4 * 4;
            for first in (0..whole).step_by(4) {
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add(row(first + i));
                }
            }
            let mut sum = load::<V, WHOLE>(to, lanes);
            if whole > 0 {
                sum = sum.add(sums[0].add(sums[1]).add(sums[2].add(sums[3])));
            }
            for i in whole..self.rows {
                sum = sum.add(row(i));
            }
            store::<V, WHOLE>(sum, to, lanes);
        }
    }
}
