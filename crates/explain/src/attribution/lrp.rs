//! Layer-wise relevance propagation.
//!
//! Relevance starts as the logit and is handed down: each layer shares what its outputs have
//! received among its inputs, in proportion to what these contributed, and its sum is kept but for
//! what biases and the stabiliser take. With `a` a layer's inputs, `w` its weights, `z = Σ a w + b`,
//! `x⁺ = max(x, 0)`, `x⁻ = min(x, 0)`, an input receives `Σ_out s · R / d`:
//!
//! | rule | share `s` of an input | divided by `d` |
//! |---|---|---|
//! | ε | `a w` | `z + ε sign z` |
//! | γ (inputs from 0 up) | `a (w + γ w⁺)` | `Σ a (w + γ w⁺) + b + γ b⁺` |
//! | z⁺ | `a⁺ w⁺ + a⁻ w⁻` | `Σ (a⁺ w⁺ + a⁻ w⁻) + b⁺` |
//! | α-β | `α` times z⁺, less `β` times the same of `a⁺ w⁻ + a⁻ w⁺` | each its own |
//! | flat | `1` | number of inputs |
//! | w² | `w²` | `Σ w² + b²` |
//! | box (pixels from `l` to `h`) | `a w − l w⁺ − h w⁻` | the sum of these |
//!
//! Every rule is a handful of passes through the layer with changed inputs and weights, the way
//! Zennit has it, whose definitions these are, down to signs and stabilisers.

use std::collections::HashSet;

use cutaway_engine::{Engine, Options};
use cutaway_net::{Network, NodeId};
use ndarray::{ArrayD, ArrayView4, Axis, Slice, Zip};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::baseline::preprocessed;
use super::deep_lift::{logit_only, weighted};
use super::fold::folded;
use super::walk::{Rule, Station, Walk, at_once, elementwise};
use super::{Attribute, Raw};
use crate::Error;

/// Layer-wise relevance propagation (Bach et al. 2015, "On Pixel-Wise Explanations for Non-Linear
/// Classifier Decisions"; Montavon et al. 2019, "Layer-Wise Relevance Propagation: An Overview").
/// Batch normalisations are folded first. The sum should be the logit; the difference is reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lrp {
    /// Which rule which layer has.
    pub rule: LrpRule,
    /// The rule of the first layers, those that take the image; `None` for that of `rule`.
    pub first: Option<LrpFirst>,
    /// The `ε` of the ε rule, above 0.
    pub epsilon: f32,
    /// The `γ` of the γ rule, from 0 up.
    pub gamma: f32,
    /// The `α` of the α-β rule, from 1 up; `β` is `α − 1`.
    pub alpha: f32,
}

/// Which rule which layer has.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LrpRule {
    /// ε everywhere.
    Epsilon,
    /// γ everywhere.
    Gamma,
    /// α-β everywhere.
    AlphaBeta,
    /// z⁺ everywhere.
    ZPlus,
    /// ε for dense layers, z⁺ for convolutions, flat for the first.
    EpsilonPlusFlat,
    /// ε for dense layers, γ for convolutions, the box of possible pixels for the first.
    EpsilonGammaBox,
}

/// The rule of the first layers.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LrpFirst {
    /// Equal shares.
    Flat,
    /// By the squares of the weights.
    WSquare,
    /// By how far pixels lie from the least and the most they could be.
    Box,
}

impl Lrp {
    /// The rule with Zennit's parameters: ε 1e-6, γ 0.25, α 2.
    #[must_use]
    pub fn new(rule: LrpRule) -> Lrp {
        Lrp { rule, first: None, epsilon: 1e-6, gamma: 0.25, alpha: 2.0 }
    }

    /// The rule of a layer with weights.
    fn of(&self, dense: bool, first: bool) -> Kind {
        let special = match self.rule {
            LrpRule::EpsilonPlusFlat => Some(LrpFirst::Flat),
            LrpRule::EpsilonGammaBox => Some(LrpFirst::Box),
            _ => None,
        };
        match self.first.or(special).filter(|_| first) {
            Some(LrpFirst::Flat) => return Kind::Flat,
            Some(LrpFirst::WSquare) => return Kind::WSquare,
            Some(LrpFirst::Box) => return Kind::Box,
            None => {}
        }
        match self.rule {
            LrpRule::Epsilon => Kind::Epsilon,
            LrpRule::EpsilonPlusFlat | LrpRule::EpsilonGammaBox if dense => Kind::Epsilon,
            LrpRule::Gamma | LrpRule::EpsilonGammaBox => Kind::Gamma,
            LrpRule::ZPlus | LrpRule::EpsilonPlusFlat => Kind::ZPlus,
            LrpRule::AlphaBeta => Kind::AlphaBeta,
        }
    }
}

/// The rule of one layer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Kind {
    Epsilon,
    Gamma,
    ZPlus,
    AlphaBeta,
    Flat,
    WSquare,
    Box,
}

/// Added to every other denominator with its sign, as in Zennit.
const STABILISER: f32 = 1e-6;

fn stabilised(z: f32, by: f32) -> f32 {
    if z < 0.0 { z - by } else { z + by }
}

/// `received / (z + by · sign z)`.
fn divided(received: &ArrayD<f32>, z: &ArrayD<f32>, by: f32) -> ArrayD<f32> {
    let mut result = received.clone();
    Zip::from(&mut result).and(z).for_each(|r, &z| *r /= stabilised(z, by));
    result
}

fn positive(v: f32) -> f32 {
    v.max(0.0)
}

fn negative(v: f32) -> f32 {
    v.min(0.0)
}

/// What the weights of a pass are made of, and whether it has the bias.
type Pass<'a> = (ArrayD<f32>, &'a dyn Fn(f32) -> f32, bool);

struct Relevance<'a> {
    lrp: &'a Lrp,
    network: &'a Network,
    /// Layers with weights that no other lies before.
    first: HashSet<NodeId>,
}

impl Relevance<'_> {
    /// The layer's passes: their networks, inputs and outputs.
    fn weighted(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Result<ArrayD<f32>, Error> {
        let dense = !at.node.op.kind().starts_with("Conv");
        let (up, down) = (at.input(0).mapv(positive), at.input(0).mapv(negative));
        let gamma = self.lrp.gamma;
        let more = move |w: f32| w + gamma * positive(w);
        let less = move |w: f32| w + gamma * negative(w);
        let same = |w: f32| w;
        match self.lrp.of(dense, self.first.contains(&at.id)) {
            Kind::Epsilon => self.proportional(at, received, self.lrp.epsilon),
            Kind::ZPlus => {
                shared(at, received, &[(up, &positive, true), (down, &negative, false)], None)
            }
            Kind::AlphaBeta => {
                let with: [Pass; 2] =
                    [(up.clone(), &positive, true), (down.clone(), &negative, false)];
                let against: [Pass; 2] = [(up, &negative, true), (down, &positive, false)];
                let (with, against) =
                    (shared(at, received, &with, None)?, shared(at, received, &against, None)?);
                Ok(with * self.lrp.alpha - against * (self.lrp.alpha - 1.0))
            }
            Kind::Gamma => {
                let with: [Pass; 2] = [(up.clone(), &more, true), (down.clone(), &less, false)];
                let against: [Pass; 2] = [(up, &less, true), (down, &more, false)];
                let above = received_where(received, at.output(), |z| z > 0.0);
                let below = received_where(received, at.output(), |z| z < 0.0);
                Ok(shared(at, &above, &with, None)? + shared(at, &below, &against, None)?)
            }
            Kind::Flat => {
                let ones = ArrayD::ones(at.input(0).raw_dim());
                shared(at, received, &[(ones, &|_| 1.0, false)], None)
            }
            Kind::WSquare => {
                let ones = ArrayD::ones(at.input(0).raw_dim());
                shared(at, received, &[(ones, &|w| w * w, true)], None)
            }
            Kind::Box => {
                let passes: [Pass; 3] = [
                    (at.input(0).clone(), &same, true),
                    (self.bound(at, 0.0), &positive, true),
                    (self.bound(at, 255.0), &negative, true),
                ];
                shared(at, received, &passes, Some(&[1.0, -1.0, -1.0]))
            }
        }
    }

    /// An image of one raw pixel value; of a layer that takes no image, its smallest or largest.
    fn bound(&self, at: &Station<'_>, raw: f32) -> ArrayD<f32> {
        let mut bound = ArrayD::zeros(at.input(0).raw_dim());
        for (c, mut plane) in bound.axis_iter_mut(Axis(1)).enumerate() {
            let ends = [0.0, 255.0].map(|raw| preprocessed(self.network, c, raw));
            let low = ends[0].min(ends[1]);
            plane.fill(if raw == 0.0 { low } else { ends[0].max(ends[1]) });
        }
        bound
    }

    /// `a · (J^T (R / (z + ε sign z)))`, of anything that is linear in its one input.
    fn proportional(
        &self,
        at: &Station<'_>,
        received: &ArrayD<f32>,
        epsilon: f32,
    ) -> Result<ArrayD<f32>, Error> {
        let seed = divided(received, at.output(), epsilon);
        Ok(at.gradient(&seed)?.remove(0) * at.input(0))
    }

    /// What is linear in the one input that is not constant.
    fn by_constant(
        &self,
        at: &Station<'_>,
        received: &ArrayD<f32>,
    ) -> Result<Vec<ArrayD<f32>>, Error> {
        let seed = divided(received, at.output(), STABILISER);
        let gradients = at.gradient(&seed)?.into_iter().enumerate();
        Ok(gradients.map(|(i, gradient)| gradient * at.input(i)).collect())
    }

    /// Both terms of a sum or difference receive their shares, repeated ones all of theirs.
    fn pair(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Vec<ArrayD<f32>> {
        let seed = divided(received, at.output(), STABILISER);
        let sign = if at.node.op.kind() == "Sub" { -1.0 } else { 1.0 };
        let share = |i: usize, sign: f32| at.gathered(&seed * &at.spread(i) * sign, i);
        vec![share(0, 1.0), share(1, sign)]
    }

    /// Each term of a sum receives its share.
    fn sum(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Vec<ArrayD<f32>> {
        let seed = divided(received, at.output(), STABILISER);
        (0..at.node.inputs.len()).map(|i| &seed * at.input(i)).collect()
    }
}

fn received_where(
    received: &ArrayD<f32>,
    z: &ArrayD<f32>,
    keep: impl Fn(f32) -> bool,
) -> ArrayD<f32> {
    let mut result = received.clone();
    Zip::from(&mut result).and(z).for_each(|r, &z| *r = if keep(z) { *r } else { 0.0 });
    result
}

/// Passes through a layer with inputs and weights of their own: relevance over the (signed) sum of
/// their outputs goes back through each and is weighed by its input. Of a pass with ones for inputs
/// that is the gradient itself.
fn shared(
    at: &Station<'_>,
    received: &ArrayD<f32>,
    passes: &[Pass<'_>],
    signs: Option<&[f32]>,
) -> Result<ArrayD<f32>, Error> {
    let sign = |i: usize| signs.map_or(1.0, |signs| signs[i]);
    let mut pieces = Vec::new();
    let mut sum = ArrayD::<f32>::zeros(at.output().raw_dim());
    for (i, (input, weight, bias)) in passes.iter().enumerate() {
        let piece = at.piece_with(&|place, values| match (place, bias) {
            (0, _) | (_, true) => values.iter().map(|&v| weight(v)).collect(),
            _ => vec![0.0; values.len()],
        })?;
        sum.scaled_add(sign(i), &piece.forward(input)?);
        pieces.push(piece);
    }
    let seed = divided(received, &sum, STABILISER);
    let mut result = ArrayD::<f32>::zeros(at.input(0).raw_dim());
    for (i, (piece, (input, ..))) in pieces.iter().zip(passes).enumerate() {
        result.scaled_add(sign(i), &(piece.backward(input, &seed)? * input));
    }
    Ok(result)
}

impl Rule for Relevance<'_> {
    fn back(&self, at: &Station<'_>, received: &ArrayD<f32>) -> Result<Vec<ArrayD<f32>>, Error> {
        match at.node.op.kind() {
            _ if weighted(&at.node.op) && !at.node.params.is_empty() => {
                Ok(vec![self.weighted(at, received)?])
            }
            // An activation function of one number hands on what it has received.
            kind if elementwise(kind) => Ok(vec![received.clone()]),
            "AvgPool" | "GlobalAvgPool" | "ReduceMean" | "ReduceSum" | "Resize" | "Shift" => {
                Ok(vec![self.proportional(at, received, STABILISER)?])
            }
            // One factor: all the relevance is the other's.
            "Scale" => Ok(vec![received.clone()]),
            "AddBroadcast" | "Sub" => Ok(self.pair(at, received)),
            "Mul" | "MatMul" if at.data_inputs().len() == 1 => self.by_constant(at, received),
            "Div" if at.data_inputs() == [0] => self.by_constant(at, received),
            // One that could not be folded: a weight and a bias a channel.
            "BatchNorm" => Ok(vec![self.proportional(at, received, self.lrp.epsilon)?]),
            "Add" => Ok(self.sum(at, received)),
            "MaxPool" | "GlobalMaxPool" | "Concat" | "ConcatAlong" | "Transpose" | "Slice"
            | "Pad" => at.gradient(received),
            _ if at.moves_nothing() => at.gradient(received),
            _ => Err(at.unknown(
                "it treats layers with weights, activation functions of one number, poolings, \
                 sums and concatenations; take a method of gradients or of asking again and again",
            )),
        }
    }
}

/// Layers with weights that no other lies before.
fn first_layers(network: &Network) -> HashSet<NodeId> {
    let mut behind = vec![false; network.nodes().len()];
    let mut first = HashSet::new();
    for (i, node) in network.nodes().iter().enumerate() {
        let after = node.inputs.iter().any(|input| behind[input.0]);
        let own = weighted(&node.op) && !node.params.is_empty();
        if own && !after {
            first.insert(NodeId(i));
        }
        behind[i] = after || own;
    }
    first
}

impl Attribute for Lrp {
    fn check(&self) -> Result<(), Error> {
        let from = |what: &str, value: f32, least: f32| match value.is_finite() && value >= least {
            true => Ok(()),
            false => Err(Error::Setting(format!("{what} is {value}; expected {least} or more"))),
        };
        from("epsilon", self.epsilon, 1e-12)?;
        from("gamma", self.gamma, 0.0)?;
        from("alpha", self.alpha, 1.0)
    }

    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        logit_only(ask, "lrp")?;
        let network = folded(ask.network())?;
        let own = ask.engine();
        let options =
            Options { threads: own.threads(), isa: Some(own.isa()), strategy: own.strategy() };
        let engine = Engine::compile(&network, &options)?;
        let logits = network.logits();
        let rule = Relevance { lrp: self, network: &network, first: first_layers(&network) };
        let mut results = Vec::new();
        let few = at_once(&network, logits);
        for start in (0..images.shape()[0]).step_by(few) {
            let end = (start + few).min(images.shape()[0]);
            let images = images.slice_axis(Axis(0), Slice::from(start..end));
            let walk = Walk::new(&engine, images, logits, "lrp")?;
            let seeds = ask.seeds(images, &classes[start..end])? * walk.value(logits);
            let relevance = walk.back(seeds.clone(), &rule)?;
            ask.count(end - start);
            for (raw, seed) in super::raw_images(&relevance).into_iter().zip(seeds.outer_iter()) {
                results.push(raw.expecting(seed.iter().map(|&r| f64::from(r)).sum()));
            }
        }
        Ok(results)
    }
}
