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
//!
//! Everything else has a rule of its own (`rules`), in the spirit of Achtibat et al. 2024, "AttnLRP:
//! Attention-Aware Layer-Wise Relevance Propagation for Transformers". What no input receives is
//! noted ([`Absorbed`]), so that relevance at the image and what was absorbed are the number explained.

mod absorbed;
mod layers;
mod rules;

use std::collections::HashSet;

use cutaway_engine::{Engine, Options};
use cutaway_net::{Network, NodeId, Op};
use ndarray::{ArrayView4, Axis, Slice};
use serde::{Deserialize, Serialize};

pub use self::absorbed::Absorbed;
use self::absorbed::Ledger;
use super::ask::Ask;
use super::deep_lift::logit_only;
use super::fold::folded;
use super::walk::{Walk, at_once};
use super::{Attribute, Raw};
use crate::Error;

/// Layer-wise relevance propagation (Bach et al. 2015, "On Pixel-Wise Explanations for Non-Linear
/// Classifier Decisions"; Montavon et al. 2019, "Layer-Wise Relevance Propagation: An Overview").
/// Batch normalisations, and constants that are added to or multiplied with a layer's channels, are
/// folded first. The sum and what was absorbed on the way should be the logit; the difference is
/// reported.
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
    /// What becomes of the relevance of biases and of constants that are added.
    pub biases: LrpBiases,
    /// How factors share the relevance of their product.
    pub products: LrpProducts,
}

/// What becomes of the relevance of biases and of constants that are added.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LrpBiases {
    /// They keep it: it is no pixel's.
    #[default]
    Absorb,
    /// It goes to the inputs beside them, in proportion to what speaks for the output (`a⁺ w⁺ + a⁻ w⁻`),
    /// in equal parts where nothing does; of the z⁺ rule that is Zennit's `zero_params='bias'`.
    Redistribute,
}

impl std::str::FromStr for LrpBiases {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "absorb" => Ok(LrpBiases::Absorb),
            "redistribute" => Ok(LrpBiases::Redistribute),
            _ => Err(format!("unknown treatment '{s}': expected absorb or redistribute")),
        }
    }
}

/// How factors that both depend on the image share the relevance of their product.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LrpProducts {
    /// A gate (a sigmoid, a softmax, a condition) gets nothing, what passes it all (Arras et al. 2019,
    /// "Explaining and Interpreting LSTMs"; of attention Ali et al. 2022, "XAI for Transformers"); where
    /// neither or both are gates, half each. The divisor of a quotient gets nothing.
    #[default]
    Signal,
    /// Half each (Achtibat et al. 2024, section 3.3.2).
    Uniform,
}

impl std::str::FromStr for LrpProducts {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "signal" => Ok(LrpProducts::Signal),
            "uniform" => Ok(LrpProducts::Uniform),
            _ => Err(format!("unknown rule '{s}': expected signal or uniform")),
        }
    }
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
        let (biases, products) = (LrpBiases::default(), LrpProducts::default());
        Lrp { rule, first: None, epsilon: 1e-6, gamma: 0.25, alpha: 2.0, biases, products }
    }
}

struct Relevance<'a> {
    lrp: &'a Lrp,
    network: &'a Network,
    /// Layers with weights that no other lies before.
    first: HashSet<NodeId>,
    ledger: Ledger,
}

/// Whether a node multiplies what depends on the image by weights and sums it up.
fn has_weights(network: &Network, id: NodeId) -> bool {
    let node = network.node(id);
    match node.op {
        Op::Conv(_) | Op::ConvTranspose(_) | Op::Dense => true,
        Op::MatMul => {
            let constant = |id: &&NodeId| matches!(network.node(**id).op, Op::Constant { .. });
            node.inputs.iter().filter(constant).count() == 1
        }
        _ => false,
    }
}

/// Layers with weights that no other lies before.
fn first_layers(network: &Network) -> HashSet<NodeId> {
    let mut behind = vec![false; network.nodes().len()];
    let mut first = HashSet::new();
    for (i, node) in network.nodes().iter().enumerate() {
        let after = node.inputs.iter().any(|input| behind[input.0]);
        let own = has_weights(network, NodeId(i));
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
        let own = ask.engine();
        let options =
            Options { threads: own.threads(), isa: Some(own.isa()), strategy: own.strategy() };
        let compiled = folded(ask.network())?
            .map(|network| Engine::compile(&network, &options))
            .transpose()?;
        let engine = compiled.as_ref().unwrap_or(own);
        let network = engine.network();
        let logits = network.logits();
        let first = first_layers(network);
        let mut results = Vec::new();
        let few = at_once(network, logits);
        for start in (0..images.shape()[0]).step_by(few) {
            let end = (start + few).min(images.shape()[0]);
            let images = images.slice_axis(Axis(0), Slice::from(start..end));
            let walk = Walk::new(engine, images, logits, "lrp")?;
            let seeds = ask.seeds(images, &classes[start..end])? * walk.value(logits);
            let ledger = Ledger::new(end - start);
            let rule = Relevance { lrp: self, network, first: first.clone(), ledger };
            let relevance = walk.back(seeds.clone(), &rule)?;
            ask.count(end - start);
            let raw = super::raw_images(&relevance).into_iter().zip(seeds.outer_iter());
            for ((raw, seed), absorbed) in raw.zip(rule.ledger.into_entries()) {
                let explained = seed.iter().map(|&r| f64::from(r)).sum();
                results.push(raw.expecting(explained).absorbing(absorbed));
            }
        }
        Ok(results)
    }
}
