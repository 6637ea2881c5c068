//! Where the time of a forward pass goes, step by step.

use std::sync::Mutex;
use std::time::Instant;

use cutaway_net::NodeId;
use rayon::prelude::*;

use super::{median, time};
use crate::Engine;
use crate::layers::Run;
use crate::plan::Then;

/// One step of a forward pass: a layer with what has melted into it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTime {
    /// The node whose layer it is.
    pub node: NodeId,
    /// Nodes behind it that work in place on its output; an addition, and a ReLU that the layer itself applies,
    /// are not among them.
    pub behind: Vec<NodeId>,
    /// Seconds a batch, as a share of the pass: where threads work on images of their own, the sum of their
    /// times over their number.
    pub seconds: f64,
}

/// Times the steps of a forward pass of `n` made-up images, as [`Engine::forward`] would run it: medians over
/// `repeats` passes. The input's step is the change of the images' order.
pub fn step_times(engine: &Engine, n: usize, repeats: usize) -> Vec<StepTime> {
    let network = &engine.network;
    let (prepared, split) = engine.prepared_for(n, &[network.output()]);
    let (plan, layers) = (&prepared.plan, engine.layers());
    let len = engine.node_len(network.input());
    let images: Vec<f32> = (0..n * len).map(|i| (i * 7919 % 1009) as f32 / 1009.0).collect();
    let chunks = n.div_ceil(plan.chunk);
    let sharing = chunks.min(engine.threads()).max(1) as f64;
    let mut seconds = vec![Vec::new(); plan.steps.len()];
    // The first pass fills the caches and is not counted.
    for pass in 0..=repeats {
        let sums = Mutex::new(vec![0.0; plan.steps.len()]);
        engine.run(split, || {
            (0..chunks).into_par_iter().for_each(|chunk| {
                let times: Vec<f64> = prepared.with_workspace(|ws| {
                    let start = Instant::now();
                    let run = Run { split, ..engine.load_chunk(plan, ws, &images, chunk) };
                    let loading = start.elapsed().as_secs_f64();
                    let steps = 1..plan.steps.len();
                    let times = steps.map(|i| time(|| plan.forward(layers, ws, run, i..i + 1)));
                    [loading].into_iter().chain(times).collect()
                });
                let mut sums = sums.lock().unwrap_or_else(|e| e.into_inner());
                sums.iter_mut().zip(times).for_each(|(sum, time)| *sum += time / sharing);
            });
        });
        let sums = sums.into_inner().unwrap_or_else(|e| e.into_inner());
        if pass > 0 {
            seconds.iter_mut().zip(sums).for_each(|(all, sum)| all.push(sum));
        }
    }
    let steps = plan.steps.iter().zip(seconds);
    let behind = |then: &Then| match *then {
        Then::Node(node) => Some(NodeId(node)),
        Then::Add(_) => None,
    };
    let timed = steps.map(|(step, seconds)| StepTime {
        node: NodeId(step.node),
        behind: step.then.iter().filter_map(behind).collect(),
        seconds: median(seconds),
    });
    timed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use cutaway_net::presets::reference_cnn;

    #[test]
    fn every_step_of_a_pass_has_a_time_whether_threads_share_an_image_or_not() {
        let network = reference_cnn(1);
        let options = Options { threads: 2, ..Options::default() };
        let engine = Engine::compile(&network, &options).unwrap();
        for n in [1, 20] {
            let times = step_times(&engine, n, 1);
            let conv2 = times.iter().find(|step| step.node == network.find("conv2").unwrap());
            assert!(conv2.unwrap().seconds > 0.0, "batch {n}");
            assert_eq!(times.last().unwrap().node, network.output());
        }
    }
}
