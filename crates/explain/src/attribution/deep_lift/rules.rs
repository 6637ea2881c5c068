//! The multipliers of every operator.
//!
//! An operator is taken apart into what is linear, functions of one number, and products; each step
//! keeps `Σ m Δx = Σ r Δy`, so the whole does.

use cutaway_engine::{BackwardRule, Engine, NodeValues, Numbers, Replaces};
use cutaway_net::{Binary, NodeId, Op, Reduce, Unary};
use ndarray::{ArrayD, Zip};

use super::super::norm::{LocalResponse, Norm};
use super::super::walk::{Station, Walk, varies};
use super::sums;
use crate::Error;

/// Below this a difference counts as none, as in Captum.
pub(super) const NONE: f32 = 1e-10;

/// What the inputs of a node receive.
type Received = Result<Vec<ArrayD<f32>>, Error>;

/// The rescale rule for a network: what is linear takes the engine's gradients.
pub(super) struct Rescale<'a> {
    engine: &'a Engine,
    /// Of each node, whether it depends on the image.
    varies: Vec<bool>,
}

impl<'a> Rescale<'a> {
    pub(super) fn new(engine: &'a Engine) -> Self {
        Rescale { engine, varies: varies(engine.network()) }
    }
}

impl BackwardRule for Rescale<'_> {
    type Error = Error;

    fn replaces(&self, id: NodeId) -> Replaces {
        let node = self.engine.network().node(id);
        let data: Vec<usize> =
            (0..node.inputs.len()).filter(|&i| self.varies[node.inputs[i].0]).collect();
        match node.op {
            Op::Unary(Unary::Scale { .. } | Unary::Shift { .. }) => Replaces::Nothing,
            Op::Unary(_) | Op::Relu => Replaces::Numbers,
            Op::Binary(Binary::Add | Binary::Sub) => Replaces::Nothing,
            Op::Binary(Binary::Mul) if data.len() == 1 => Replaces::Nothing,
            Op::Binary(Binary::Div) if data == [0] => Replaces::Nothing,
            Op::Reduce { kind: Reduce::Mean | Reduce::Sum, .. } => Replaces::Nothing,
            Op::MatMul if data.len() == 1 => Replaces::Nothing,
            _ if is_linear(&node.op) => Replaces::Nothing,
            _ => Replaces::Node,
        }
    }

    /// A function of one number: `Δy / Δx`.
    fn numbers(&self, _: NodeId, at: Numbers<'_>, shares: &mut [f32]) {
        let own = at.x.iter().zip(at.y).zip(at.x0.iter().zip(at.y0));
        let back = at.received.iter().zip(at.gradient);
        for (share, (((x, y), (x0, y0)), (received, gradient))) in
            shares.iter_mut().zip(own.zip(back))
        {
            let dx = x - x0;
            let ratio = received * (y - y0) / dx;
            *share = if dx.abs() >= NONE { ratio } else { *gradient };
        }
    }

    fn node(
        &self,
        id: NodeId,
        values: NodeValues,
        baselines: Option<NodeValues>,
        received: ArrayD<f32>,
    ) -> Received {
        let baselines = baselines.expect("DeepLIFT has baselines");
        let of = |values| Walk::of_node(self.engine, id, values, &self.varies, "deeplift");
        let (walk, reference) = (of(values), &of(baselines));
        Multipliers { reference }.of(&walk.station(id), &received)
    }
}

/// What hands its inputs' differences on as it does the inputs.
fn is_linear(op: &Op) -> bool {
    matches!(
        op.kind(),
        "Conv"
            | "ConvTranspose"
            | "Dense"
            | "BatchNorm"
            | "AvgPool"
            | "GlobalAvgPool"
            | "Add"
            | "Concat"
            | "ConcatAlong"
            | "Transpose"
            | "Slice"
            | "Pad"
            | "Expand"
            | "Gather"
            | "Resize"
            | "CumSum"
            | "Flatten"
            | "Reshape"
            | "Dropout"
    )
}

/// The multipliers of one node that is neither linear nor a function of one number.
struct Multipliers<'a> {
    /// Values for the baselines.
    reference: &'a Walk<'a>,
}

impl Multipliers<'_> {
    fn of(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        match at.node.op {
            Op::Binary(binary) if at.data_inputs().len() > 1 => self.pairs(at, received, binary),
            Op::Binary(_) => self.ratio(at, received),
            Op::MaxPool(_) => self.maximum(at, received, f32::max),
            Op::Reduce { kind, .. } => self.reduced(at, received, kind),
            Op::MatMul => self.matrices(at, received),
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
            Op::Where => Ok(self.choice(at, received)),
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

    /// A function of one number and of constants: `Δy / Δx`.
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
        let back = |x: &ArrayD<f32>, seed: &ArrayD<f32>| -> Result<ArrayD<f32>, Error> {
            Ok(at.gradient_at(&[x], seed)?.swap_remove(0))
        };
        let change = back(at.input(0), &gain)? + back(x0, &loss)?;
        let gradient = back(at.input(0), received)?;
        Ok(vec![self.multipliers(at, 0, &change, gradient)])
    }

    /// A function of two numbers: each has the mean of what it changes while the other is at its
    /// baseline and while it is not. Of a product that is the mean of the other factor.
    fn pairs(&self, at: &Station<'_>, received: &ArrayD<f32>, binary: Binary) -> Received {
        if binary == Binary::Mul {
            let mean = |i: usize| at.spread_of(&((at.input(i) + self.before(at, i)) * 0.5));
            return Ok(at.pair(received * &mean(1), received * &mean(0)));
        }
        let (own, none) = (at.output(), self.reference.value(at.id));
        let first = at.value_at(&[at.input(0), self.before(at, 1)])?;
        let second = at.value_at(&[self.before(at, 0), at.input(1)])?;
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
