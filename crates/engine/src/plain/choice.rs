//! Choosing between two inputs, and sums up to each place of an axis.

use super::{Shapes, repeated_strides, strides, walk};

/// Calls `f(output, [condition, a, b])` with the places that belong together.
pub(super) fn each(s: &Shapes, f: impl FnMut(usize, [usize; 3])) {
    let [c, a, b] = [0, 1, 2].map(|which| repeated_strides(&s.inputs[which], &s.output));
    walk(&s.output, [&c, &a, &b], f);
}

/// The sums along an axis.
pub(super) struct Sums {
    outer: usize,
    len: usize,
    inner: usize,
    exclusive: bool,
    reverse: bool,
}

impl Sums {
    pub(super) fn new(s: &Shapes, axis: usize, exclusive: bool, reverse: bool) -> Sums {
        let (len, inner) = (s.output[axis], strides(&s.output)[axis]);
        Sums { outer: s.output[..axis].iter().product(), len, inner, exclusive, reverse }
    }

    /// Hands every place its sum.
    pub(super) fn run(&self, x: impl Fn(usize) -> f64, mut give: impl FnMut(usize, f64)) {
        for run in 0..self.outer * self.inner {
            let first = run / self.inner * self.len * self.inner + run % self.inner;
            let mut sum = 0.0;
            for step in 0..self.len {
                let at = if self.reverse { self.len - 1 - step } else { step };
                let place = first + at * self.inner;
                if self.exclusive {
                    give(place, sum);
                }
                sum += x(place);
                if !self.exclusive {
                    give(place, sum);
                }
            }
        }
    }
}
