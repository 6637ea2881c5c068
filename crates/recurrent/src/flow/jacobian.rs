//! What a state does to a later one: the singular values of `∂s(T)/∂s(T−d)`, with the bounds that theory
//! gives for the largest. Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural
//! networks" (ICML 2013), section 2; Saxe, McClelland and Ganguli (2014) for why all of them matter.

use cutaway_engine::cells::Cell;
use nalgebra::DMatrix;
use serde::Serialize;

use super::product::Product;
use super::transition::Transition;
use super::{Trajectory, at_most, norm2};
use crate::error::{Error, Result};

/// The largest state: a step costs its cube.
const LIMIT: usize = 1024;

/// The Jacobian of the last state by earlier ones.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Jacobians {
    /// The kind of cell.
    pub cell: Cell,
    /// Values of the state `s`: `h`, in an LSTM `(h, c)`.
    pub state: usize,
    /// `‖W_hh‖₂`, the largest singular value of the recurrent weights, all gates together.
    pub recurrent_norm: f64,
    /// By rising distance.
    pub points: Vec<Point>,
}

/// The Jacobian at one distance. Logarithms to base 10; −∞ (`null` in JSON) for exactly 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Steps `d` between the two states.
    pub distance: usize,
    /// The singular values of `∂s(T)/∂s(T−d)`, the largest first, `[state]`.
    pub singular_values: Vec<f64>,
    /// The norms of its parts; none but in an LSTM.
    pub blocks: Option<Blocks>,
    /// What the largest singular value cannot exceed.
    pub bounds: Bounds,
    /// What goes from memory to memory past all gates' weights: the largest of the products of forget gates
    /// (GRU: update gates) over `d` steps; none in a vanilla cell.
    pub along_memory: Option<f64>,
}

/// The largest singular value of each part of an LSTM's Jacobian.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Blocks {
    /// Of `∂h(T)/∂h(T−d)`, with `c(T−d)` held.
    pub h_by_h: f64,
    /// Of `∂h(T)/∂c(T−d)`.
    pub h_by_c: f64,
    /// Of `∂c(T)/∂h(T−d)`.
    pub c_by_h: f64,
    /// Of `∂c(T)/∂c(T−d)`.
    pub c_by_c: f64,
}

/// Upper bounds of the largest singular value, the loosest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// `(‖W‖₂ sup|φ'|)^d`, known without any input; `sup|φ'|` is 1 for tanh and ReLU. None with gates, whose
    /// slopes have no such bound: an LSTM's grow with `c`.
    pub anywhere: Option<f64>,
    /// `∏ ‖W‖₂ max_j |φ'(a_j(t))|` along this sequence. None with gates.
    pub on_the_way: Option<f64>,
    /// `∏ ‖∂s(t)/∂s(t−1)‖₂` along this sequence; of every cell.
    pub step_by_step: f64,
}

/// Up to `count` distances from 0 to `steps − 1`, both ends among them, evenly spread.
#[must_use]
pub fn distances(steps: usize, count: usize) -> Vec<usize> {
    let last = steps.saturating_sub(1);
    let parts = count.saturating_sub(1).clamp(1, last.max(1));
    let mut out: Vec<usize> = (0..=parts).map(|i| (i * last + parts / 2) / parts).collect();
    out.dedup();
    out
}

/// The singular values of `∂s(T)/∂s(T−d)` at the given distances; `s(T)` is the last state. A distance may be
/// as large as the number of steps: `s(0)` is the state before the first input.
///
/// # Errors
/// [`Error::Setting`] where there is no distance, they do not rise, or one is beyond the first state;
/// [`Error::TooLarge`] for states above 1,024 values; [`Error::NotFinite`] where a step's Jacobian is.
pub fn jacobians(trajectory: &Trajectory<'_>, distances: &[usize]) -> Result<Jacobians> {
    check(trajectory, distances)?;
    let w = &trajectory.weights.weight_hh;
    let recurrent = DMatrix::from_row_slice(w.rows(), w.columns(), w.values());
    let mut walk = Walk {
        norm: norm2(&recurrent),
        transposed: Product::identity(trajectory.state_size()),
        kept: vec![0.0; trajectory.hidden()],
        on_the_way: 0.0,
        step_by_step: 0.0,
    };
    let mut points = Vec::with_capacity(distances.len());
    let mut at = 0;
    for &distance in distances {
        while at < distance {
            at += 1;
            walk.back(trajectory, trajectory.len() - at)?;
        }
        points.push(walk.point(trajectory, distance));
    }
    let (cell, state) = (trajectory.cell, trajectory.state_size());
    Ok(Jacobians { cell, state, recurrent_norm: walk.norm, points })
}

fn check(trajectory: &Trajectory<'_>, distances: &[usize]) -> Result<()> {
    at_most("values of a state", LIMIT, trajectory.state_size(), "take a smaller network")?;
    let rising = distances.windows(2).all(|pair| pair[0] < pair[1]);
    let last = distances.last().copied().unwrap_or(usize::MAX);
    if rising && last <= trajectory.len() {
        return Ok(());
    }
    Err(Error::Setting(format!(
        "distances of Jacobians: expected numbers that rise, at least one and none above the {} steps of \
         the sequence, found {distances:?}",
        trajectory.len()
    )))
}

/// On the way back from the last state.
struct Walk {
    norm: f64,
    /// `(∂s(T)/∂s(T−d))ᵀ`: its factors come in the order of the way back.
    transposed: Product,
    /// The logarithm of the product of each unit's forget or update gate.
    kept: Vec<f64>,
    on_the_way: f64,
    step_by_step: f64,
}

impl Walk {
    /// Over step `t`, counted from 0.
    fn back(&mut self, trajectory: &Trajectory<'_>, t: usize) -> Result<()> {
        let step = Transition::at(trajectory, t);
        let jacobian = step.jacobian(&trajectory.weights.weight_hh);
        super::finite(
            "the derivative of a state by the one before",
            |_| format!("at step {}", t + 1),
            jacobian.as_slice(),
        )?;
        self.step_by_step += norm2(&jacobian).log10();
        self.on_the_way += (self.norm * step.steepest()).log10();
        if let Some(gate) = step.along_memory() {
            self.kept.iter_mut().zip(gate).for_each(|(sum, keep)| *sum += keep.log10());
        }
        self.transposed.multiply(&jacobian.transpose());
        Ok(())
    }

    fn point(&self, trajectory: &Trajectory<'_>, distance: usize) -> Point {
        let logs = self.transposed.log_singular_values();
        let gated = matches!(trajectory.cell, Cell::Lstm | Cell::Gru);
        let largest = self.kept.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // 0 · −∞ would be no number.
        let anywhere = if distance == 0 { 0.0 } else { distance as f64 * self.norm.log10() };
        Point {
            distance,
            singular_values: logs.iter().map(|log| log * std::f64::consts::LOG10_E).collect(),
            blocks: (trajectory.cell == Cell::Lstm).then(|| self.blocks(trajectory.hidden())),
            bounds: Bounds {
                anywhere: (!gated).then_some(anywhere),
                on_the_way: (!gated).then_some(self.on_the_way),
                step_by_step: self.step_by_step,
            },
            along_memory: gated.then_some(largest),
        }
    }

    fn blocks(&self, n: usize) -> Blocks {
        let (matrix, scale) = self.transposed.scaled();
        let scale = scale * std::f64::consts::LOG10_E;
        // Transposed: rows are the earlier state.
        let norm = |row: usize, column: usize| {
            norm2(&matrix.view((row * n, column * n), (n, n)).into_owned()).log10() + scale
        };
        Blocks { h_by_h: norm(0, 0), h_by_c: norm(1, 0), c_by_h: norm(0, 1), c_by_c: norm(1, 1) }
    }
}
