//! How memory and gradients **flow** through a recurrent network, measured: one file a measurement, each a
//! plain function that gives a struct of raw numbers.
//!
//! | question | function |
//! |---|---|
//! | How large is a gradient, so many steps before the decision? | [`gradients()`] |
//! | What does a step far back still do to the state, in its best and worst direction? | [`jacobians`] |
//! | Where do the recurrent weights' eigenvalues lie? | [`spectrum()`] |
//! | Do neighbouring states part or meet? | [`lyapunov()`] |
//! | How long until half of a disturbance is forgotten? | [`half_life()`] |
//! | What do the gates do, and what time scales follow? | [`gates()`] |
//! | Where does the gradient end in single precision? | [`underflow()`] |
//! | Which symbols does the decision hang on? | [`attribution`], [`substitutions`] |
//!
//! All are computed in `f64` from [`Weights`]. What can leave its range is carried as a logarithm, so that
//! nothing here vanishes that only a format of numbers makes vanish. "Distance" is always the number of steps
//! back from the last one: distance 0 is step T.
//!
//! ```
//! use cutaway_recurrent::Matrix;
//! use cutaway_recurrent::cells::{Cell, Weights};
//! use cutaway_recurrent::flow::{Trajectory, at_the_end, gradients, jacobians, underflow};
//!
//! // Two units that keep a half and a tenth of themselves at each step, and no input.
//! let weights = Weights {
//!     weight_ih: Matrix::zeros(2, 1),
//!     weight_hh: Matrix::diagonal(&[0.5, 0.1]),
//!     bias_ih: vec![0.0; 2],
//!     bias_hh: vec![0.0; 2],
//! };
//! let inputs = vec![vec![0.0]; 2000];
//! let trajectory = Trajectory::new(Cell::Tanh, &weights, &inputs)?;
//! // 0.1^2000 is far below the smallest f64.
//! let point = &jacobians(&trajectory, &[2000])?.points[0];
//! assert!((point.singular_values[1] + 2000.0).abs() < 1e-9);
//! // The decision looks at the second unit: single precision has no gradient left 46 steps before it.
//! let seeds = at_the_end(2000, &[0.0, 1.0]);
//! assert!((gradients(&trajectory, &seeds)?.states[1999] + 1999.0).abs() < 1e-9);
//! assert_eq!(underflow(&trajectory, &seeds)?.failures.zero, Some(46));
//! # Ok::<(), cutaway_recurrent::Error>(())
//! ```

mod gates;
mod gradients;
mod half_life;
mod jacobian;
mod lyapunov;
mod product;
mod random;
mod scaled;
mod spectrum;
mod substitute;
mod trajectory;
mod transition;
mod underflow;

pub use gates::{GateStatistics, Gates, TimeScales, gates};
pub use gradients::{Curve, GradientFlow, Paths, across, at_the_end, gradients};
pub use half_life::{HalfLife, HalfLifeOptions, Kick, Method, Times, half_life};
pub use jacobian::{Blocks, Bounds, Jacobians, Point, distances, jacobians};
pub use lyapunov::{Lyapunov, LyapunovOptions, lyapunov};
pub use spectrum::{Block, Spectrum, spectrum};
pub use substitute::{
    Attribution, Decide, Edit, Recurrent, Substitutions, attribution, substitutions,
};
pub use trajectory::Trajectory;
pub use underflow::{Failures, Underflow, failures, underflow};

use cutaway_engine::cells::Cell;

use crate::Matrix;
use crate::cells::Weights;
use crate::error::{Error, Result};

/// Names of a cell's gates, in the order of its weights.
#[must_use]
pub fn gate_names(cell: Cell) -> &'static [&'static str] {
    match cell {
        Cell::Tanh | Cell::Relu => &["state"],
        Cell::Lstm => &["input", "forget", "candidate", "output"],
        Cell::Gru => &["reset", "update", "candidate"],
    }
}

/// The recurrent weights of one gate, `[hidden, hidden]`.
fn block(w: &Weights, gate: usize) -> nalgebra::DMatrix<f64> {
    let n = w.hidden();
    let values = &w.weight_hh.values()[gate * n * n..(gate + 1) * n * n];
    nalgebra::DMatrix::from_row_slice(n, n, values)
}

/// The largest singular value, as the root of the largest eigenvalue of `MᵀM`; 0 for no values.
fn norm2(m: &nalgebra::DMatrix<f64>) -> f64 {
    // Scaled first: squares of entries may leave the range.
    let largest = m.amax();
    if largest == 0.0 || m.is_empty() {
        return 0.0;
    }
    let scaled = m / largest;
    let gram = scaled.tr_mul(&scaled);
    largest * gram.symmetric_eigenvalues().max().max(0.0).sqrt()
}

fn size(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    let (expected, found) = (expected.to_string(), found.to_string());
    Err(Error::Size { what: what.to_owned(), expected, found })
}

fn at_most(what: &str, limit: usize, found: usize, advice: &'static str) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    let (limit, found) = (limit.to_string(), found.to_string());
    Err(Error::TooLarge { what: what.to_owned(), found, limit, advice })
}

fn finite(what: &str, when: impl Fn(usize) -> String, values: &[f64]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => Err(Error::NotFinite {
            what: what.to_owned(),
            value: values[i],
            when: when(i),
            advice: "train with a smaller rate or with gradient clipping",
        }),
    }
}

fn finite_matrix(what: &str, m: &Matrix) -> Result<()> {
    let place = |i: usize| format!("in row {}", i / m.columns().max(1) + 1);
    finite(what, place, m.values())
}

/// The quantile `q` of sorted values, between two neighbours in proportion (type 7 of Hyndman and Fan 1996,
/// NumPy's default); where a neighbour is infinite, the nearer of the two.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len().saturating_sub(1)) as f64;
    let (below, share) = (place.floor() as usize, place.fract());
    let low = sorted[below];
    let high = sorted[(below + 1).min(sorted.len() - 1)];
    if share == 0.0 || low == high {
        low
    } else if low.is_finite() && high.is_finite() {
        low + share * (high - low)
    } else if share < 0.5 {
        low
    } else {
        high
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}
