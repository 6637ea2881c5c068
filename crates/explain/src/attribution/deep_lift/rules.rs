//! The multipliers of every operator.
//!
//! An operator is taken apart into what is linear, functions of one number, and products; each step
//! keeps `Σ m Δx = Σ r Δy`, so the whole does.

use cutaway_net::{Binary, Op, Reduce, Unary};
use ndarray::{ArrayD, Zip};

use super::super::norm::{LocalResponse, Norm};
use super::super::walk::{Rule, Station, Walk};
use super::sums;
use crate::Error;

/// Below this a difference counts as none, as in Captum.
pub(super) const NONE: f32 = 1e-10;

/// What the inputs of a node receive.
type Received = Result<Vec<ArrayD<f32>>, Error>;

/// The multipliers of the rescale rule.
pub(super) struct Rescale<'a> {
    /// Activations of the baselines.
    pub(super) reference: &'a Walk<'a>,
}

impl Rule for Rescale<'_> {
    fn back(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        let several = at.data_inputs().len() > 1;
        match at.node.op {
            Op::Unary(Unary::Scale { .. } | Unary::Shift { .. }) => at.gradient(received),
            Op::Unary(_) | Op::Relu => self.ratio(at, received),
            Op::Binary(binary) if several => self.pairs(at, received, binary),
            Op::Binary(Binary::Add | Binary::Sub | Binary::Mul) => at.gradient(received),
            Op::Binary(Binary::Div) if at.data_inputs() == [0] => at.gradient(received),
            Op::Binary(_) => self.ratio(at, received),
            Op::MaxPool(_) => self.maximum(at, received, f32::max),
            Op::Reduce { kind, .. } => self.reduced(at, received, kind),
            Op::MatMul if several => self.matrices(at, received),
            Op::Softmax | Op::LogSoftmax | Op::SoftmaxAlong { .. } => {
                Ok(vec![self.softmax(at, received)])
            }
            Op::LayerNorm { .. } | Op::GroupNorm { .. } => {
                let norm = Norm::of(at).expect("a normalisation");
                Ok(vec![norm.multipliers(at.input(0), self.before(at, 0), received)])
            }
            Op::LocalResponseNorm { .. } => {
                let norm = LocalResponse::of(at).expect("a normalisation");
                Ok(vec![norm.multipliers(at.input(0), self.before(at, 0), received)])
            }
            _ => self.others(at, received),
        }
    }
}

impl Rescale<'_> {
    /// What is linear, and what chooses.
    fn others(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        match at.node.op.kind() {
            "Conv" | "ConvTranspose" | "Dense" | "MatMul" | "BatchNorm" | "AvgPool"
            | "GlobalAvgPool" | "Add" | "Concat" | "ConcatAlong" | "Transpose" | "Slice"
            | "Pad" | "Expand" | "Gather" | "Resize" | "CumSum" => at.gradient(received),
            "Where" => Ok(self.choice(at, received)),
            _ if at.moves_nothing() => at.gradient(received),
            _ => Err(at.unknown(
                "what it gives is a position, which has no difference that its inputs could share; \
                 take a method of gradients or of asking again and again",
            )),
        }
    }

    /// Value of an input for the baselines.
    fn before(&self, at: &Station<'_>, index: usize) -> &ArrayD<f32> {
        self.reference.value(at.node.inputs[index])
    }

    /// Multipliers of an input out of what it changes: `change / Δx`, the gradient where `Δx` is none.
    fn multipliers(
        &self,
        at: &Station<'_>,
        place: usize,
        change: &ArrayD<f32>,
        gradient: ArrayD<f32>,
    ) -> ArrayD<f32> {
        let mut multiplier = gradient;
        let dx = at.input(place) - self.before(at, place);
        Zip::from(&mut multiplier).and(change).and(&dx).for_each(|m, &change, &dx| {
            if dx.abs() >= NONE {
                *m = change / dx;
            }
        });
        multiplier
    }

    /// A function of one number: `Δy / Δx`.
    fn ratio(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        let place = at.data_inputs()[0];
        let gradient = at.gradient(received)?.swap_remove(place);
        let dy = at.output() - self.reference.value(at.id);
        let change = at.gathered(received * &dy, place);
        Ok(at.for_all(vec![self.multipliers(at, place, &change, gradient)]))
    }

    /// What the extreme gains over the baseline's goes to the place of the image's extreme, what the
    /// baseline's exceeds it by to that of the baseline's.
    fn maximum(
        &self,
        at: &Station<'_>,
        received: &ArrayD<f32>,
        better: fn(f32, f32) -> f32,
    ) -> Received {
        let (x0, y0) = (self.before(at, 0), self.reference.value(at.id));
        let (mut gain, mut loss) = (received.clone(), received.clone());
        Zip::from(&mut gain).and(at.output()).and(y0).for_each(|g, &y, &y0| {
            *g *= better(y, y0) - y0;
        });
        Zip::from(&mut loss).and(at.output()).and(y0).for_each(|l, &y, &y0| {
            *l *= y - better(y, y0);
        });
        let piece = at.piece()?;
        let back = |x: &ArrayD<f32>, seed: &ArrayD<f32>| -> Result<ArrayD<f32>, Error> {
            Ok(piece.backward(&[x], seed)?.swap_remove(0))
        };
        let change = back(at.input(0), &gain)? + back(x0, &loss)?;
        let gradient = back(at.input(0), received)?;
        Ok(vec![self.multipliers(at, 0, &change, gradient)])
    }

    /// A function of two numbers: each has the mean of what it changes while the other is at its
    /// baseline and while it is not. Of a product that is the mean of the other factor.
    fn pairs(&self, at: &Station<'_>, received: &ArrayD<f32>, binary: Binary) -> Received {
        match binary {
            Binary::Add | Binary::Sub => return at.gradient(received),
            Binary::Mul => {
                let mean = |i: usize| at.spread_of(&((at.input(i) + self.before(at, i)) * 0.5));
                return Ok(at.pair(received * &mean(1), received * &mean(0)));
            }
            _ => {}
        }
        let piece = at.piece()?;
        let (own, none) = (at.output(), self.reference.value(at.id));
        let first = piece.forward(&[at.input(0), self.before(at, 1)])?;
        let second = piece.forward(&[self.before(at, 0), at.input(1)])?;
        let of_first = ((own - &second) + (&first - none)) * 0.5;
        let of_second = ((own - &first) + (&second - none)) * 0.5;
        let changes = at.pair(received * &of_first, received * &of_second);
        let gradients = at.gradient(received)?.into_iter().zip(&changes).enumerate();
        Ok(gradients.map(|(i, (own, change))| self.multipliers(at, i, change, own)).collect())
    }

    /// A product of two matrices: each has the mean of the other for a factor.
    fn matrices(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        let mean = |i: usize| (at.input(i) + self.before(at, i)) * 0.5;
        at.gradient_at(&[&mean(0), &mean(1)], received)
    }

    /// `b + c (a − b)` with a condition `c` of 0 or 1.
    fn choice(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Vec<ArrayD<f32>> {
        let condition = |values: &ArrayD<f32>| values.mapv(|v| f32::from(v != 0.0));
        let (c, c0) = (condition(at.input(0)), condition(self.before(at, 0)));
        let mean = |a: &ArrayD<f32>, b: &ArrayD<f32>| at.spread_of(&((a + b) * 0.5));
        let chosen = received * &mean(&c, &c0);
        let apart = mean(at.input(1), self.before(at, 1)) - mean(at.input(2), self.before(at, 2));
        // A condition may be made of numbers other than 0 and 1.
        let dc = at.gathered(received * &apart, 0) * (c - c0);
        let of_condition = self.multipliers(at, 0, &dc, ArrayD::zeros(dc.raw_dim()));
        let other = received - &chosen;
        vec![of_condition, at.gathered(chosen, 1), at.gathered(other, 2)]
    }

    fn softmax(&self, at: &Station<'_>, received: &ArrayD<f32>) -> ArrayD<f32> {
        let (axis, log) = match at.node.op {
            Op::SoftmaxAlong { axis, log } => (axis, log),
            Op::LogSoftmax => (0, true),
            _ => (0, false),
        };
        sums::softmax(at.input(0), self.before(at, 0), received, axis + 1, log)
    }

    fn reduced(&self, at: &Station<'_>, received: &ArrayD<f32>, kind: Reduce) -> Received {
        match kind {
            Reduce::Mean | Reduce::Sum => at.gradient(received),
            Reduce::Max => self.maximum(at, received, f32::max),
            Reduce::Min => self.maximum(at, received, f32::min),
            _ => {
                let (y, y0) = (at.output(), self.reference.value(at.id));
                let (x, x0) = (at.input(0), self.before(at, 0));
                Ok(vec![sums::reduced(&at.node.op, [x, x0], [y, y0], received)])
            }
        }
    }
}
