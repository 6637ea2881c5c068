//! How fast this machine is, and how fast each layer runs on it: for benches, and for people who
//! wonder where the time goes.

mod forward;

use std::time::Instant;

use cutaway_net::{Network, NodeId};

use crate::engine::{Prepared, param_offsets, prepared_layers};
use crate::kernels::peak;
use crate::layers::{self, Back, Inputs, Layer, Passes, Run};
use crate::plan::{Gradients, Plan, Request, Workspace};
use crate::{Options, Result};

pub use forward::{StepTime, step_times};

/// Seconds an image of one layer, all threads working on images of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerTime {
    /// The node whose layer it is; a ReLU that follows may have melted into it.
    pub node: NodeId,
    /// Of the forward pass.
    pub forward: f64,
    /// Of the gradients of its inputs.
    pub input_gradient: f64,
    /// Of the gradients of its parameters; 0 where it has none.
    pub param_gradient: f64,
}

/// Single-precision multiply-adds at the machine's peak, in floating-point operations a second
/// (two each), over all threads of `options`.
///
/// # Errors
/// As [`Engine::compile`](crate::Engine::compile).
pub fn peak_flops(options: &Options) -> Result<f64> {
    let (isa, pool) = (options.isa()?, options.pool()?);
    let rates = pool.broadcast(|_| {
        const ROUNDS: usize = 20_000_000;
        peak::spin(isa, ROUNDS / 10);
        let start = Instant::now();
        let operations = peak::spin(isa, ROUNDS);
        operations as f64 / start.elapsed().as_secs_f64()
    });
    Ok(rates.iter().sum())
}

/// Times every layer of a network on chunks of random images, as in training. Medians over
/// `repeats` chunks.
///
/// # Errors
/// As [`Engine::compile`](crate::Engine::compile).
pub fn layer_times(network: &Network, options: &Options, repeats: usize) -> Result<Vec<LayerTime>> {
    let (isa, pool) = (options.isa()?, options.pool()?);
    let layers = pool.install(|| prepared_layers(isa, network, Passes::Both));
    let everywhere = Gradients { nodes: vec![network.input()], params: true };
    let keep = vec![network.input(), network.output()];
    let request =
        Request { keep, gradients: Some(everywhere), training: true, split: 1, reuse: false };
    let prepared = Prepared::new(Plan::new(isa, network, &layers, &request));
    let stopwatch = Stopwatch { network, layers: &layers, plan: &prepared.plan };
    let threads = pool.current_num_threads() as f64;
    let measured = pool.broadcast(|_| prepared.with_workspace(|ws| stopwatch.run(ws, repeats)));
    let chunk = prepared.plan.chunk as f64;
    let steps = prepared.plan.steps.iter().enumerate();
    let times = steps.map(|(i, step)| {
        let mean = |pass: usize| {
            let medians = measured.iter().map(|thread| thread[i][pass]);
            medians.sum::<f64>() / threads / (chunk * threads)
        };
        let (forward, input_gradient, param_gradient) = (mean(0), mean(1), mean(2));
        LayerTime { node: NodeId(step.node), forward, input_gradient, param_gradient }
    });
    Ok(times.collect())
}

struct Stopwatch<'a> {
    network: &'a Network,
    layers: &'a [Layer],
    plan: &'a Plan,
}

impl Stopwatch<'_> {
    /// Median seconds of each step's forward pass, input gradients and parameter gradients.
    fn run(&self, ws: &mut Workspace, repeats: usize) -> Vec<[f64; 3]> {
        let plan = self.plan;
        let len: usize = self.network.shape(self.network.input()).iter().product();
        let noise = |i: usize| (i.wrapping_mul(2_654_435_761) % 1000) as f32 / 1000.0;
        let images: Vec<f32> = (0..plan.chunk * len).map(noise).collect();
        plan.load(self.network, ws, &images);
        ws.gradients.iter_mut().flatten().enumerate().for_each(|(i, g)| *g = noise(i) - 0.5);
        let mut seconds = vec![[const { Vec::new() }; 3]; plan.steps.len()];
        for _ in 0..repeats {
            for (i, passes) in seconds.iter_mut().enumerate() {
                passes[0].push(time(|| self.forward(ws, i)));
            }
            for (i, passes) in seconds.iter_mut().enumerate() {
                passes[1].push(time(|| self.backward(ws, i, false)));
                passes[2].push(time(|| self.backward(ws, i, true)));
            }
        }
        seconds.into_iter().map(|passes| passes.map(median)).collect()
    }

    fn chunk(&self) -> Run {
        Run { n: self.plan.chunk, first: 0, training: true, seed: 0, split: 1 }
    }

    fn forward(&self, ws: &mut Workspace, i: usize) {
        self.plan.forward(self.layers, ws, self.chunk(), i..i + 1);
    }

    /// The gradients of a step's parameters, or of its inputs.
    fn backward(&self, ws: &mut Workspace, i: usize, params: bool) {
        let (plan, run) = (self.plan, self.chunk());
        let step = &plan.steps[i];
        let offsets = param_offsets(self.network);
        let sizes = (step.params.0..step.params.1).map(|p| offsets[p + 1] - offsets[p]);
        let mut sums: Vec<Vec<f32>> = sizes.take(2).map(|len| vec![0.0; len]).collect();
        let mut dparams: Vec<&mut [f32]> = sums.iter_mut().map(|sum| &mut sum[..]).collect();
        if !params {
            dparams.clear();
        }
        let wanted = vec![!params; plan.lens.len()];
        let len = run.n * plan.lens[step.output];
        let (dx, rest) = ws.gradients.split_at_mut(step.output);
        let x = Inputs {
            buffers: &ws.values,
            place: None,
            ids: &step.inputs,
            lens: &plan.lens,
            n: run.n,
        };
        let back = Back {
            run,
            x,
            y: &ws.values[step.output][..len],
            dy: &rest[0][..len],
            dparams: &mut dparams,
            scratch: &mut ws.scratch,
        };
        layers::backward(&self.layers[step.node], plan.isa, back, dx, &wanted);
    }
}

fn time(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_net::presets::reference_cnn;

    #[test]
    fn every_layer_of_a_network_gets_a_time() {
        let network = reference_cnn(1);
        let options = Options { threads: 2, ..Options::default() };
        let times = layer_times(&network, &options, 1).unwrap();
        let conv2 = network.find("conv2").unwrap();
        let conv2 = times.iter().find(|t| t.node == conv2).unwrap();
        assert!(conv2.forward > 0.0 && conv2.input_gradient > 0.0 && conv2.param_gradient > 0.0);
        assert!(times.iter().any(|t| t.node == network.logits()));
    }
}
