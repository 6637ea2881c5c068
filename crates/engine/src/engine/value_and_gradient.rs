//! A gradient whose seed depends on the value: a loss's, in one pass instead of two.

use ndarray::{ArrayD, ArrayView, Dimension};
use rayon::prelude::*;

use super::{Engine, split_chunks};
use crate::Result;
use crate::layers::{Run, pixels_channels};
use crate::plan;
use cutaway_net::NodeId;

/// Makes a seed: the number of a sample in the batch, the value of the node for it, and where the
/// derivatives of the loss with respect to that value go (zeros before).
pub type Seed<'a> = dyn Fn(usize, &[f32], &mut [f32]) + Sync + 'a;

impl Engine {
    /// The value of `node` for a batch `[N, ...]`, and the gradient with respect to the network's
    /// input of a loss of that value, whose derivatives `seed` says. The same bits as
    /// [`Engine::backward`] gives for the same seeds, without a forward pass to find them first.
    ///
    /// # Errors
    /// If the batch has another shape or the node does not exist.
    pub fn value_and_gradient<D: Dimension>(
        &self,
        batch: ArrayView<'_, f32, D>,
        node: NodeId,
        seed: &Seed<'_>,
    ) -> Result<(ArrayD<f32>, ArrayD<f32>)> {
        let batch = self.check_batch(batch)?;
        self.check_node(node)?;
        let input = self.network.input();
        let mut keep = vec![input, node];
        keep.sort();
        keep.dedup();
        let n = batch.shape()[0];
        let gradients = plan::Gradients { nodes: vec![input], params: false };
        let (prepared, split) = self.prepared_for_gradients(n, keep, gradients);
        let plan = &prepared.plan;
        let layers = self.gradient_layers();
        let images = batch.as_slice().expect("in standard order");
        let lens = [self.node_len(node), self.node_len(input)];
        let mut results = lens.map(|len| vec![0.0; n * len]);
        let chunks = split_chunks(&mut results, &lens, plan.chunk, n);
        let offsets = super::param_offsets(&self.network);
        let [pixels, channels] = pixels_channels(self.network.shape(node));
        self.run(split, || {
            chunks.into_par_iter().enumerate().for_each(|(c, mut outputs)| {
                let [values, gradient] = &mut outputs[..] else { unreachable!("two results") };
                prepared.with_workspace(|ws| {
                    let run = Run { split, ..self.load_chunk(plan, ws, images, c) };
                    plan.forward(layers, ws, run, 0..plan.steps.len());
                    self.read(&ws.values[plan.buffer(node)], node, values);
                    let mut seeds = vec![0.0; values.len()];
                    let each = values.chunks_exact(lens[0]).zip(seeds.chunks_exact_mut(lens[0]));
                    each.enumerate().for_each(|(i, (v, s))| seed(run.first + i, v, s));
                    plan.clear_gradients(ws, run.n);
                    let buffer = plan.buffer(node);
                    // A node that does not depend on the input has no gradient to carry.
                    if plan.wanted[buffer] {
                        let into = &mut ws.gradients[buffer][..seeds.len()];
                        plan::to_channels_last(pixels, channels, &seeds, into);
                        // No parameter's gradient is wanted, so that none has a place.
                        plan.backward(layers, ws, run, 0..plan.steps.len(), &mut [], &offsets);
                    }
                    self.read(&ws.gradients[plan.buffer(input)], input, gradient);
                });
            });
        });
        let [values, gradient] = results;
        Ok((self.array(n, node, values), self.array(n, input, gradient)))
    }
}
