//! The first node whose output holds NaN or an infinite number.

use cutaway_net::{NodeId, Op};
use ndarray::{ArrayView, ArrayViewD, Axis, Dimension, Slice};
use serde::Serialize;

use crate::{Engine, Error, Result};

/// The most numbers that are looked at together, to bound memory.
const TOGETHER: usize = 1 << 24;

/// Where numbers stop being numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotFinite {
    /// Name of the node.
    pub node: String,
    /// Its operator, as [`Op::kind`] says it.
    pub operator: &'static str,
    /// Which sample of the batch, from 0: the first that has such numbers.
    pub sample: usize,
    /// How many of its numbers are NaN.
    pub nan: usize,
    /// How many are infinite.
    pub infinite: usize,
    /// How many it has.
    pub count: usize,
}

impl From<NotFinite> for Error {
    fn from(found: NotFinite) -> Error {
        Error::NotFinite(found)
    }
}

impl std::fmt::Display for NotFinite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { node, operator, nan, infinite, count, .. } = self;
        write!(
            f,
            "node '{node}' ({operator}) is the first whose output is not a number: {nan} NaN and \
             {infinite} infinite of {count}"
        )
    }
}

/// The first node, in the network's order, whose output for a batch `[N, ...]` holds NaN or infinite
/// numbers; `None` where there is none. An infinity that the file itself means does not count: a constant
/// of −∞, as attention masks have it, and the node that puts it in.
///
/// # Errors
/// If the batch has another shape than the network takes.
pub fn first_not_finite<D: Dimension>(
    engine: &Engine,
    batch: ArrayView<'_, f32, D>,
) -> Result<Option<NotFinite>> {
    let batch = batch.into_dyn();
    for sample in 0..batch.shape().first().copied().unwrap_or(0) {
        let one = batch.slice_axis(Axis(0), Slice::from(sample..sample + 1));
        if let Some(found) = of_sample(engine, one, sample)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn of_sample(
    engine: &Engine,
    one: ArrayViewD<'_, f32>,
    sample: usize,
) -> Result<Option<NotFinite>> {
    let network = engine.network();
    let count = network.nodes().len();
    let mut next = 0;
    while next < count {
        let (first, mut numbers) = (next, 0_usize);
        while next < count && (next == first || numbers < TOGETHER) {
            numbers += engine.node_len(NodeId(next));
            next += 1;
        }
        let group: Vec<NodeId> = (first..next).map(NodeId).collect();
        let values = engine.forward(one.view(), &group)?;
        for (id, values) in values.iter() {
            let nan = values.iter().filter(|v| v.is_nan()).count();
            let infinite = values.iter().filter(|v| v.is_infinite()).count();
            let meant = nan == 0 && is_mask(engine, id, values.iter());
            if nan + infinite > 0 && !meant {
                let node = network.node(id);
                let (name, operator) = (node.name.clone(), node.op.kind());
                let count = values.len();
                return Ok(Some(NotFinite { node: name, operator, sample, nan, infinite, count }));
            }
        }
    }
    Ok(None)
}

/// Whether a node's infinities are −∞ that a constant brings in.
fn is_mask<'a>(engine: &Engine, id: NodeId, mut values: impl Iterator<Item = &'a f32>) -> bool {
    let network = engine.network();
    let masks = |id: NodeId| {
        let node = network.node(id);
        matches!(node.op, Op::Constant { .. })
            && network.param(node.params[0]).values.contains(&f32::NEG_INFINITY)
    };
    let from_mask = masks(id) || network.node(id).inputs.iter().any(|&input| masks(input));
    from_mask && values.all(|&v| v != f32::INFINITY)
}

/// The error for the sample of a batch whose answer is not finite.
pub(crate) fn error(engine: &Engine, one: ArrayViewD<'_, f32>, sample: usize) -> Error {
    match of_sample(engine, one, sample) {
        Ok(Some(found)) => found.into(),
        Ok(None) => {
            let output = engine.network().node(engine.network().output());
            let (node, operator) = (output.name.clone(), output.op.kind());
            let count = engine.node_len(engine.network().output());
            NotFinite { node, operator, sample, nan: count, infinite: 0, count }.into()
        }
        Err(error) => error,
    }
}
