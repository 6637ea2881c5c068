//! Does an attribution depend on the model at all?

use std::sync::Arc;

use cutaway_engine::{Engine, Options};
use cutaway_net::{Network, NodeId};
use ndarray::{ArrayView3, Axis};
use serde::Serialize;

use super::agreement::{spearman, ssim};
use crate::Error;
use crate::attribution::random::{Purpose, Random};
use crate::attribution::{Method, Question, attribute};

/// An attribution after some of the model's layers were redrawn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Randomised {
    /// The layer down to which all are redrawn, from the logits on.
    pub layer: String,
    /// Rank correlation with the attribution of the model as it is.
    pub rank_correlation: f64,
    /// The same of the absolute values.
    pub absolute_rank_correlation: f64,
    /// Structural similarity with it, of the maps each over its largest absolute value.
    pub ssim: f64,
}

/// The cascading test of Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3: from the
/// top, one layer after the other is redrawn (each parameter from a normal distribution with its
/// own mean and standard deviation), and the attribution compared with that of the model as it is.
/// One that stays the same does not show what the model has learnt.
///
/// # Errors
/// As [`attribute`].
pub fn randomisation(
    question: &Question<'_>,
    image: ArrayView3<'_, f32>,
    class: usize,
    method: &Method,
) -> Result<Vec<Randomised>, Error> {
    let network = question.engine.network();
    let (_, height, width) = image.dim();
    let batch = image.insert_axis(Axis(0));
    let own = attribute(question, batch, &[class], method)?[0].pixels();
    let absolute = |values: &[f32]| values.iter().map(|v| v.abs()).collect::<Vec<f32>>();
    let mut values: Vec<Arc<[f32]>> = network.params().iter().map(|p| p.values.clone()).collect();
    let mut results = Vec::new();
    for layer in layers(network) {
        redraw(network, layer, question.seed, &mut values);
        let other = network.with_values(values.clone())?;
        let engine = question.engine;
        let options = Options {
            threads: engine.threads(),
            isa: Some(engine.isa()),
            strategy: engine.strategy(),
        };
        let engine = Engine::compile(&other, &options)?;
        let question = Question { engine: &engine, ..question.clone() };
        let map = attribute(&question, batch, &[class], method)?[0].pixels();
        results.push(Randomised {
            layer: network.node(layer).name.clone(),
            rank_correlation: spearman(&own, &map),
            absolute_rank_correlation: spearman(&absolute(&own), &absolute(&map)),
            ssim: ssim(&own, &map, [height, width]),
        });
    }
    Ok(results)
}

/// Nodes that have parameters, from the logits down.
fn layers(network: &Network) -> Vec<NodeId> {
    let all = (0..=network.logits().0).rev().map(NodeId);
    all.filter(|&id| network.node(id).params.iter().any(|&p| network.param(p).trainable)).collect()
}

fn redraw(network: &Network, layer: NodeId, seed: u64, values: &mut [Arc<[f32]>]) {
    for &param in &network.node(layer).params {
        if !network.param(param).trainable {
            continue;
        }
        let own = &network.param(param).values;
        let n = own.len() as f64;
        let mean = own.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = own.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        let mut random = Random::new(seed, Purpose::Randomisation, param.0 as u64);
        let draw = |_| (mean + variance.sqrt() * random.normal()) as f32;
        values[param.0] = (0..own.len()).map(draw).collect();
    }
}
