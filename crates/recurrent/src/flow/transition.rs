//! One step as a linear map: how a small change of the state before it changes the state after it.
//!
//! The state is `s = h`, in an LSTM `s = (h, c)`. A change goes two ways: through the gates,
//! `δa = W_hh δh(t−1)`, and past them, along the memory.

use std::ops::{Add, Mul};

use cutaway_engine::cells::Cell;
use nalgebra::{DMatrix, DVector};

use super::Trajectory;
use crate::Matrix;

/// The derivatives of one step in numbers of type `T`; all but the recurrent weights.
#[derive(Clone, Debug)]
pub(super) struct Transition<T> {
    /// `∂h_j/∂a_kj` by what the state gives to each gate, `[gates · hidden]`.
    h_by_gates: Vec<T>,
    /// `∂c_j/∂a_kj`, likewise; empty but in an LSTM.
    c_by_gates: Vec<T>,
    /// `∂h_j/∂a_kj` by what the input gives to each gate.
    h_by_input: Vec<T>,
    /// `∂h_j(t)/∂h_j(t−1)` past the gates: a GRU's update gate; empty in other cells.
    h_by_h: Vec<T>,
    /// `∂h_j(t)/∂c_j(t−1)` past the gates; empty but in an LSTM.
    h_by_c: Vec<T>,
    /// `∂c_j(t)/∂c_j(t−1)`: an LSTM's forget gate; empty in other cells.
    c_by_c: Vec<T>,
}

/// `f32` or `f64`.
pub(super) trait Real: Copy + Default + Add<Output = Self> + Mul<Output = Self> {}
impl<T: Copy + Default + Add<Output = T> + Mul<Output = T>> Real for T {}

impl Transition<f64> {
    /// Step `t` of a trajectory, counted from 0.
    pub(super) fn at(trajectory: &Trajectory<'_>, t: usize) -> Transition<f64> {
        let n = trajectory.hidden();
        let step = &trajectory.steps[t];
        let (h, c) = trajectory.before(t);
        let g = &step.gates;
        match trajectory.cell {
            Cell::Tanh => vanilla(g.iter().map(|y| 1.0 - y * y).collect()),
            Cell::Relu => vanilla(g.iter().map(|y| f64::from(u8::from(*y > 0.0))).collect()),
            Cell::Lstm => {
                let mut c_by_gates = vec![0.0; 4 * n];
                let mut h_by_gates = vec![0.0; 4 * n];
                let (mut h_by_c, mut c_by_c) = (vec![0.0; n], vec![0.0; n]);
                for j in 0..n {
                    let [i, f, new, o] = [0, 1, 2, 3].map(|k| g[k * n + j]);
                    let tanh = step.c[j].tanh();
                    // How much of a change of c(t) shows in h(t).
                    let shows = o * (1.0 - tanh * tanh);
                    c_by_gates[j] = new * i * (1.0 - i);
                    c_by_gates[n + j] = c[j] * f * (1.0 - f);
                    c_by_gates[2 * n + j] = i * (1.0 - new * new);
                    for k in 0..3 {
                        h_by_gates[k * n + j] = shows * c_by_gates[k * n + j];
                    }
                    h_by_gates[3 * n + j] = tanh * o * (1.0 - o);
                    (h_by_c[j], c_by_c[j]) = (shows * f, f);
                }
                let h_by_input = h_by_gates.clone();
                Transition { h_by_gates, c_by_gates, h_by_input, h_by_h: vec![], h_by_c, c_by_c }
            }
            Cell::Gru => {
                let mut h_by_input = vec![0.0; 3 * n];
                for j in 0..n {
                    let [r, z, new] = [0, 1, 2].map(|k| g[k * n + j]);
                    let by_new = (1.0 - z) * (1.0 - new * new);
                    h_by_input[j] = by_new * step.from_state[2 * n + j] * r * (1.0 - r);
                    h_by_input[n + j] = (h[j] - new) * z * (1.0 - z);
                    h_by_input[2 * n + j] = by_new;
                }
                let mut h_by_gates = h_by_input.clone();
                (0..n).for_each(|j| h_by_gates[2 * n + j] *= g[j]);
                Transition { h_by_h: g[n..2 * n].to_vec(), h_by_input, ..vanilla(h_by_gates) }
            }
        }
    }

    /// The map in single precision.
    pub(super) fn single(&self) -> Transition<f32> {
        let to = |v: &[f64]| v.iter().map(|&x| x as f32).collect();
        Transition {
            h_by_gates: to(&self.h_by_gates),
            c_by_gates: to(&self.c_by_gates),
            h_by_input: to(&self.h_by_input),
            h_by_h: to(&self.h_by_h),
            h_by_c: to(&self.h_by_c),
            c_by_c: to(&self.c_by_c),
        }
    }

    /// What a step hands along its memory without passing a gate's weights: forget gate, update gate.
    pub(super) fn along_memory(&self) -> Option<&[f64]> {
        [&self.c_by_c, &self.h_by_h].into_iter().find(|v| !v.is_empty()).map(Vec::as_slice)
    }

    /// The largest factor between a change of a gate's sum and the state: a vanilla cell's `max |φ'|`.
    pub(super) fn steepest(&self) -> f64 {
        self.h_by_gates.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
    }

    /// `∂s(t)/∂s(t−1)`, `[state, state]`.
    pub(super) fn jacobian(&self, w: &Matrix) -> DMatrix<f64> {
        let n = w.columns();
        let lstm = !self.c_by_c.is_empty();
        let mut out = DMatrix::zeros(n * (1 + usize::from(lstm)), n * (1 + usize::from(lstm)));
        for (row, (by_h, values)) in
            self.h_by_gates.iter().zip(w.values().chunks_exact(n)).enumerate()
        {
            let j = row % n;
            for (i, value) in values.iter().enumerate() {
                out[(j, i)] += by_h * value;
                if lstm {
                    out[(n + j, i)] += self.c_by_gates[row] * value;
                }
            }
        }
        self.h_by_h.iter().enumerate().for_each(|(j, v)| out[(j, j)] += v);
        self.h_by_c.iter().enumerate().for_each(|(j, v)| out[(j, n + j)] += v);
        self.c_by_c.iter().enumerate().for_each(|(j, v)| out[(n + j, n + j)] += v);
        out
    }

    /// `∂s(t)/∂x(t)` times a change of the input.
    pub(super) fn push_input(&self, w_ih: &Matrix, change: &[f64]) -> DVector<f64> {
        let by_gates = w_ih.times(change);
        let n = self.h_by_input.len().checked_div(self.gates()).unwrap_or(0);
        let sum = |by: &[f64], j: usize| -> f64 {
            (0..self.gates()).map(|k| by[k * n + j] * by_gates[k * n + j]).sum()
        };
        let h = (0..n).map(|j| sum(&self.h_by_input, j));
        let c = (0..self.c_by_c.len()).map(|j| sum(&self.c_by_gates, j));
        DVector::from_iterator(n + self.c_by_c.len(), h.chain(c))
    }

    fn gates(&self) -> usize {
        match (self.c_by_c.is_empty(), self.h_by_h.is_empty()) {
            (false, _) => Cell::Lstm.gates(),
            (_, false) => Cell::Gru.gates(),
            _ => 1,
        }
    }
}

impl<T: Real> Transition<T> {
    /// Takes a derivative by the state after the step, `(by_h, by_c)`, to the one before it; `w` is
    /// `weight_hh`, row by row.
    pub(super) fn pull(&self, w: &[T], by_h: &[T], by_c: &[T]) -> (Vec<T>, Vec<T>) {
        let n = by_h.len();
        let mut earlier: Vec<T> = (0..n)
            .map(|j| self.h_by_h.get(j).map_or(T::default(), |past| *past * by_h[j]))
            .collect();
        for (row, (&slope, weights)) in self.h_by_gates.iter().zip(w.chunks_exact(n)).enumerate() {
            let j = row % n;
            let mut by_a = slope * by_h[j];
            if let Some(&slope) = self.c_by_gates.get(row) {
                by_a = by_a + slope * by_c[j];
            }
            earlier.iter_mut().zip(weights).for_each(|(e, &weight)| *e = *e + by_a * weight);
        }
        let c = (0..self.c_by_c.len()).map(|j| self.h_by_c[j] * by_h[j] + self.c_by_c[j] * by_c[j]);
        (earlier, c.collect())
    }
}

fn vanilla(slopes: Vec<f64>) -> Transition<f64> {
    let none = Vec::new;
    Transition {
        h_by_input: slopes.clone(),
        h_by_gates: slopes,
        c_by_gates: none(),
        h_by_h: none(),
        h_by_c: none(),
        c_by_c: none(),
    }
}
