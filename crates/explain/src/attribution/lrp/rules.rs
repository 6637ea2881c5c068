//! The rules of everything that has no weights.

use cutaway_net::{Binary, Network, NodeId, Op, Reduce, Unary};
use ndarray::{ArrayD, Zip};

use super::super::walk::{Rule, Station};
use super::absorbed::{Part, STABILISER, divided};
use super::{LrpBiases, LrpProducts, Relevance, has_weights};
use crate::Error;

/// What the inputs of a node receive.
type Received = Result<Vec<ArrayD<f32>>, Error>;

impl Rule for Relevance<'_> {
    fn back(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        if has_weights(at.network(), at.id) {
            return Ok(at.for_all(vec![self.weighted(at, received)?]));
        }
        match at.node.op {
            Op::Unary(Unary::Shift { by }) => self.shifted(at, received, by),
            // A function of one number hands on what it has received. So does local response
            // normalisation, whose divisor is held constant.
            Op::Unary(_) | Op::Relu | Op::LocalResponseNorm { .. } => Ok(vec![received.clone()]),
            Op::AvgPool(_) | Op::GlobalAvgPool | Op::Resize(_) => self.proportional(at, received),
            Op::BatchNorm { .. } => self.normalised_by_constants(at, received),
            Op::LayerNorm { .. } | Op::GroupNorm { .. } => self.normalised(at, received),
            Op::Reduce { kind, .. } => self.reduced(at, received, kind),
            Op::Add => Ok(self.terms(at, received, 1.0)),
            Op::Binary(binary) => self.binary(at, received, binary),
            Op::MatMul => self.matrices(at, received),
            Op::Softmax | Op::LogSoftmax | Op::SoftmaxAlong { .. } => self.expanded(at, received),
            _ => self.others(at, received),
        }
    }
}

impl Relevance<'_> {
    /// What moves numbers, chooses among them, or sums them up.
    fn others(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        match at.node.op.kind() {
            "CumSum" => self.proportional(at, received),
            "MaxPool" | "GlobalMaxPool" | "Concat" | "ConcatAlong" | "Transpose" | "Slice"
            | "Pad" | "Expand" | "Gather" | "Where" => self.chosen(at, received),
            _ if at.moves_nothing() => at.gradient(received),
            _ => Err(at.unknown(
                "what it gives is a position, of which its inputs have no shares; take a method of \
                 gradients or of asking again and again",
            )),
        }
    }

    /// Every number of the output is one of the inputs' or a constant: it takes all.
    fn chosen(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        let shares = at.gradient(received)?;
        self.rest_is(Part::Constants, at, received, &shares);
        Ok(shares)
    }

    /// Notes what the inputs that depend on the image have not been handed.
    fn rest_is(
        &self,
        part: Part,
        at: &Station<'_>,
        received: &ArrayD<f32>,
        shares: &[ArrayD<f32>],
    ) {
        let handed: Vec<&ArrayD<f32>> = at.data_inputs().into_iter().map(|i| &shares[i]).collect();
        self.ledger.add_rest(part, received, &handed);
    }

    /// `a · (J^T (R / (z + ε sign z)))`, of anything that is homogeneous in its one input.
    fn proportional(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        let seed = divided(received, at.output(), STABILISER, &self.ledger, 1.0);
        Ok(vec![at.gradient(&seed)?.swap_remove(0) * at.input(0)])
    }

    fn reduced(&self, at: &Station<'_>, received: &ArrayD<f32>, kind: Reduce) -> Received {
        match kind {
            Reduce::Mean | Reduce::Sum | Reduce::L1 | Reduce::L2 => self.proportional(at, received),
            // The derivative of a square has a factor of 2.
            Reduce::SumSquare => Ok(vec![self.proportional(at, received)?.swap_remove(0) * 0.5]),
            // Equal shares, as of a product of two.
            Reduce::Prod => {
                let (input, output) = (at.input(0).len(), at.output().len());
                let each = received * (output as f32 / input as f32);
                let ones = ArrayD::ones(at.input(0).raw_dim());
                Ok(at.gradient_at(&[&ones], &each)?)
            }
            // Through the logarithm as it is, then by the terms of the sum: `x / Σ x`.
            Reduce::LogSum => Ok(vec![at.gradient(received)?.swap_remove(0) * at.input(0)]),
            Reduce::LogSumExp | Reduce::Max | Reduce::Min => at.gradient(received),
        }
    }

    /// The terms of a sum or difference (`sign` of the second) receive their shares, those that are
    /// repeated all of theirs.
    fn terms(&self, at: &Station<'_>, received: &ArrayD<f32>, sign: f32) -> Vec<ArrayD<f32>> {
        let seed = divided(received, at.output(), STABILISER, &self.ledger, 1.0);
        let data = at.data_inputs();
        let mut constants = ArrayD::<f32>::zeros(seed.raw_dim());
        for i in (0..at.node.inputs.len()).filter(|i| !data.contains(i)) {
            constants += &(&seed * &at.spread(i) * if i == 1 { sign } else { 1.0 });
        }
        // What constants took goes to the others in equal parts where it may not stay there.
        let back = self.constants_take(&constants).map(|all| all / data.len() as f32);
        let shares = data.iter().map(|&i| {
            let share = &seed * &at.spread(i) * if i == 1 { sign } else { 1.0 };
            at.gathered(
                match &back {
                    Some(back) => share + back,
                    None => share,
                },
                i,
            )
        });
        at.for_all(shares.collect())
    }

    fn shifted(&self, at: &Station<'_>, received: &ArrayD<f32>, by: f32) -> Received {
        let seed = divided(received, at.output(), STABILISER, &self.ledger, 1.0);
        let share = &seed * at.input(0);
        Ok(vec![match self.constants_take(&(&seed * by)) {
            Some(back) => share + back,
            None => share,
        }])
    }

    /// Constants keep relevance, which is noted, or give it back.
    fn constants_take<'v>(&self, amounts: &'v ArrayD<f32>) -> Option<&'v ArrayD<f32>> {
        if self.lrp.biases == LrpBiases::Redistribute {
            return Some(amounts);
        }
        self.ledger.add(Part::Constants, amounts, 1.0);
        None
    }

    fn binary(&self, at: &Station<'_>, received: &ArrayD<f32>, binary: Binary) -> Received {
        let data = at.data_inputs();
        match binary {
            Binary::Add => return Ok(self.terms(at, received, 1.0)),
            Binary::Sub => return Ok(self.terms(at, received, -1.0)),
            _ => {}
        }
        if let [place] = data[..] {
            // A function of one number. Where it is 0 times that, nothing came from there.
            let mut share = received.clone();
            if binary == Binary::Mul {
                let factor = at.spread(1 - place);
                let factor = factor.broadcast(share.raw_dim()).expect("repeated to the output");
                Zip::from(&mut share).and(&factor).for_each(|s, &f| *s *= f32::from(f != 0.0));
                self.ledger.add_rest(Part::Constants, received, &[&share]);
            }
            return Ok(at.for_all(vec![at.gathered(share, place)]));
        }
        let none = || ArrayD::zeros(received.raw_dim());
        let half = || received * 0.5;
        let signal = self.lrp.products == LrpProducts::Signal;
        Ok(match binary {
            Binary::Max | Binary::Min => at.gradient(received)?,
            Binary::Mul if is_function(at.network(), at.id) => own_signal(at, received),
            Binary::Mul => match self.gates(at) {
                [true, false] => at.pair(none(), received.clone()),
                [false, true] => at.pair(received.clone(), none()),
                _ => at.pair(half(), half()),
            },
            Binary::PRelu => at.pair(received.clone(), none()),
            Binary::Div | Binary::Pow if signal => at.pair(received.clone(), none()),
            _ => at.pair(half(), half()),
        })
    }

    /// Which factors of a product are gates, if that counts.
    fn gates(&self, at: &Station<'_>) -> [bool; 2] {
        let signal = self.lrp.products == LrpProducts::Signal;
        [0, 1].map(|i| signal && is_gate(at.network(), at.node.inputs[i]))
    }

    /// A product of two matrices: half of each number's relevance to either, or all to the one that
    /// is not a gate; there by the ε rule (Achtibat et al. 2024, section 3.3.2).
    fn matrices(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        let seed = divided(received, at.output(), STABILISER, &self.ledger, 1.0);
        let shares = match self.gates(at) {
            [true, false] => [0.0, 1.0],
            [false, true] => [1.0, 0.0],
            _ => [0.5, 0.5],
        };
        let gradients = at.gradient(&seed)?.into_iter().enumerate();
        Ok(gradients.map(|(i, gradient)| gradient * at.input(i) * shares[i]).collect())
    }

    /// `x · (J^T (R / y))`; what that leaves over is the constant of the expansion (Achtibat et al.
    /// 2024, section 3.3.1).
    fn expanded(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        // The quotients of a softmax may be as small as they like: its output is part of J.
        let stabiliser = f32::MIN_POSITIVE;
        let seed = divided(received, at.output(), stabiliser, &self.ledger, 0.0);
        let share = at.gradient(&seed)?.swap_remove(0) * at.input(0);
        self.ledger.add_rest(Part::Expansions, received, &[&share]);
        Ok(vec![share])
    }

    /// `a x + b` of each channel, where that could not be folded.
    fn normalised_by_constants(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        let seed = divided(received, at.output(), self.lrp.epsilon, &self.ledger, 1.0);
        let share = at.gradient(&seed)?.swap_remove(0) * at.input(0);
        let biases = &seed * at.output() - &share;
        Ok(vec![self.with_biases(share, &biases)])
    }

    /// Biases that stand at the same places as the inputs keep relevance, which is noted, or it goes
    /// on to these.
    fn with_biases(&self, share: ArrayD<f32>, biases: &ArrayD<f32>) -> ArrayD<f32> {
        if self.lrp.biases == LrpBiases::Redistribute {
            return share + biases;
        }
        self.ledger.add(Part::Biases, biases, 1.0);
        share
    }

    /// Layer, group and instance normalisation with the divisor held constant: `γ (x − mean x) / σ + β`
    /// is linear, and has the ε rule.
    fn normalised(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Received {
        let seed = divided(received, at.output(), self.lrp.epsilon, &self.ledger, 1.0);
        let norm = super::super::norm::Norm::of(at).expect("a normalisation");
        let share = norm.held(at.input(0), &seed) * at.input(0);
        let biases = norm.biases(&seed);
        Ok(vec![self.with_biases(share, &biases)])
    }
}

/// Whether a product's factors are functions of one and the same number: so is it then. GELU and SiLU are
/// often spelt so.
fn is_function(network: &Network, id: NodeId) -> bool {
    let [a, b] = network.node(id).inputs[..] else { return false };
    argument(network, a).0 == argument(network, b).0
}

/// What a chain of functions of one number is a function of, and whether one of them is a shift, which
/// would keep relevance for itself.
fn argument(network: &Network, id: NodeId) -> (NodeId, bool) {
    let (mut id, mut shifted) = (id, false);
    while let Op::Unary(_) | Op::Relu = network.node(id).op {
        shifted |= matches!(network.node(id).op, Op::Unary(Unary::Shift { .. }));
        id = network.node(id).inputs[0];
    }
    (id, shifted)
}

/// All to a factor that hands all of it on to their common argument.
fn own_signal(at: &Station<'_>, received: &ArrayD<f32>) -> Vec<ArrayD<f32>> {
    let none = ArrayD::zeros(received.raw_dim());
    match argument(at.network(), at.node.inputs[0]).1 {
        true => vec![none, received.clone()],
        false => vec![received.clone(), none],
    }
}

/// Whether a node says how much of something else passes: it is a sigmoid, a softmax or a condition,
/// moved about or not.
fn is_gate(network: &Network, id: NodeId) -> bool {
    let node = network.node(id);
    match &node.op {
        Op::Unary(Unary::Sigmoid | Unary::HardSigmoid { .. }) | Op::Softmax => true,
        Op::SoftmaxAlong { log, .. } => !log,
        Op::Unary(Unary::Clip { low, high }) => *low == 0.0 && *high == 1.0,
        // A hard sigmoid that is spelt out.
        Op::Unary(Unary::Scale { factor }) => match network.node(node.inputs[0]).op {
            Op::Unary(Unary::Clip { low, high }) => {
                low == 0.0 && (high * factor - 1.0).abs() < 1e-4
            }
            _ => false,
        },
        Op::Reshape { .. }
        | Op::Flatten
        | Op::Dropout { .. }
        | Op::Expand { .. }
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Gather { .. } => is_gate(network, node.inputs[0]),
        op => matches!(
            op.kind(),
            "Not" | "NonZero" | "Equal" | "Less" | "LessOrEqual" | "And" | "Or" | "Xor"
        ),
    }
}
