//! One step of training: the loss and the gradients of all parameters over a batch.
//!
//! A batch is cut in chunks whose size depends on the network alone. A chunk runs forward and
//! backward through all layers while it is in cache; its parameter gradients go into one of a
//! fixed number of lanes, which are added up in order. So the bits do not depend on the threads.
//! Batch normalisation needs sums over the whole batch: there the chunks wait for each other.

use std::ops::Range;
use std::sync::Arc;

use cutaway_net::{Network, NodeId};
use rayon::prelude::*;

use crate::engine::{Prepared, lane_count, param_offsets, prepared_layers};
use crate::layers::{Layer, Passes, Run, norm::BatchNorm, pointwise};
use crate::plan::{Gradients, Plan, Request, Workspace};
use crate::{Error, Isa, Options, Result};

/// The loss of one sample: its place in the batch, its logits, and where the loss's gradient with
/// respect to the logits goes. Returns the loss.
pub type Loss<'a> = dyn Fn(usize, &[f32], &mut [f32]) -> f32 + Sync + 'a;

/// A network in training. Memory is taken when it is made; a step takes none.
pub struct Trainer {
    network: Network,
    isa: Isa,
    pool: Arc<rayon::ThreadPool>,
    layers: Vec<Layer>,
    prepared: Prepared,
    norms: Vec<usize>,
    logits: NodeId,
    batch: usize,
    /// Values of all parameters one after the other, at `offsets`.
    values: Vec<f32>,
    offsets: Vec<usize>,
    /// Trainable stretches of `values`, and the trainable ones alone, one after the other.
    trainable: Vec<Range<usize>>,
    params: Vec<f32>,
    gradients: Vec<f32>,
    lanes: Vec<Lane>,
    /// One a chunk, where batch normalisation makes the chunks wait for each other.
    chunks: Vec<Chunk>,
    /// Sums over a batch for one batch normalisation: a mean, and what is summed around it.
    totals: [Vec<f64>; 2],
}

/// Partial sums over the chunks that one lane takes.
struct Lane {
    gradients: Vec<f32>,
    loss: f64,
}

/// The state of one chunk between the phases of a step.
struct Chunk {
    workspace: Workspace,
    gradients: Vec<f32>,
    sums: Vec<f64>,
    loss: f64,
}

/// What is the same for all chunks of a step.
#[derive(Clone, Copy)]
struct Batch<'a> {
    images: &'a [f32],
    n: usize,
    seed: u64,
    loss: &'a Loss<'a>,
}

impl Trainer {
    /// Makes ready to train `network` on batches of at most `batch` samples.
    ///
    /// # Errors
    /// If the machine lacks the instruction set asked for, the threads cannot be started, or
    /// `batch` is 0.
    pub fn new(network: &Network, batch: usize, options: &Options) -> Result<Trainer> {
        let isa = options.isa()?;
        check_size("a batch", batch > 0, || "at least 1 sample".into(), &[batch])?;
        let pool = options.pool()?;
        let layers = pool.install(|| prepared_layers(isa, network, Passes::Both));
        let logits = network.logits();
        let gradients = Some(Gradients { nodes: Vec::new(), params: true });
        let request =
            Request { keep: vec![logits], gradients, training: true, split: 1, reuse: false };
        let plan = Plan::new(isa, network, &layers, &request);
        let norms = plan.norms(&layers);
        let offsets = param_offsets(network);
        let total = offsets[offsets.len() - 1];
        let chunk_count = batch.div_ceil(plan.chunk);
        let stretches = network.params().iter().enumerate().filter(|(_, p)| p.trainable);
        let trainable: Vec<_> = stretches.map(|(i, _)| offsets[i]..offsets[i + 1]).collect();
        let count = trainable.iter().map(Range::len).sum();
        let sums = plan.steps.iter().map(|s| plan.lens[s.output]).max().unwrap_or(0);
        let chunks = if norms.is_empty() { 0 } else { chunk_count };
        let lanes = if norms.is_empty() { lane_count(chunk_count) } else { 0 };
        let mut trainer = Trainer {
            network: network.clone(),
            isa,
            pool: Arc::new(pool),
            layers,
            norms,
            logits,
            batch,
            values: vec![0.0; total],
            offsets,
            trainable,
            params: vec![0.0; count],
            gradients: vec![0.0; count],
            lanes: (0..lanes).map(|_| Lane { gradients: vec![0.0; total], loss: 0.0 }).collect(),
            chunks: (0..chunks)
                .map(|_| Chunk {
                    workspace: plan.workspace(),
                    gradients: vec![0.0; total],
                    sums: vec![0.0; 2 * sums],
                    loss: 0.0,
                })
                .collect(),
            totals: [vec![0.0; sums], vec![0.0; 2 * sums]],
            prepared: Prepared::new(plan),
        };
        // A lane is one thread's at a time.
        trainer.prepared.stock(trainer.lanes.len().min(trainer.threads()));
        trainer.load(network)?;
        Ok(trainer)
    }

    /// The trainable parameters, one after the other in the network's order.
    pub fn params(&self) -> &[f32] {
        &self.params
    }

    /// Gradients of the last step's summed loss, in the order of [`Trainer::params`].
    pub fn gradients(&self) -> &[f32] {
        &self.gradients
    }

    /// Threads in use.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `f` on the trainer's threads, so that preparing a batch does not compete with it.
    pub fn install<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        self.pool.install(f)
    }

    /// The network with its present parameters and running statistics.
    ///
    /// # Errors
    /// Never in practice: the shapes are those of the network that came in.
    pub fn network(&self) -> Result<Network> {
        let values = self.offsets.windows(2).map(|o| Arc::from(&self.values[o[0]..o[1]]));
        Ok(self.network.with_values(values.collect())?)
    }

    /// Takes the parameter values of a network of the same graph.
    ///
    /// # Errors
    /// If its parameters have other sizes.
    pub fn load(&mut self, network: &Network) -> Result<()> {
        let found: Vec<usize> = network.params().iter().map(|p| p.values.len()).collect();
        let own: Vec<usize> = self.offsets.windows(2).map(|o| o[1] - o[0]).collect();
        check_size("the network's parameters", found == own, || format!("{own:?}"), &found)?;
        for (param, o) in network.params().iter().zip(self.offsets.windows(2)) {
            self.values[o[0]..o[1]].copy_from_slice(&param.values);
        }
        let mut at = 0;
        for stretch in &self.trainable {
            self.params[at..at + stretch.len()].copy_from_slice(&self.values[stretch.clone()]);
            at += stretch.len();
        }
        self.prepare();
        Ok(())
    }

    /// Lets `f` change the trainable parameters, given the gradients of the last step.
    pub fn update(&mut self, f: impl FnOnce(&mut [f32], &[f32])) {
        f(&mut self.params, &self.gradients);
        let mut at = 0;
        for stretch in &self.trainable {
            self.values[stretch.clone()].copy_from_slice(&self.params[at..at + stretch.len()]);
            at += stretch.len();
        }
        self.prepare();
    }

    /// Forward and backward over `n` samples, `images` in the input's shape one after the other.
    /// Returns the sum of the losses; [`Trainer::gradients`] holds the gradients of that sum.
    /// Running statistics of batch normalisation move on. `dropout_seed` chooses what dropout
    /// drops.
    ///
    /// # Errors
    /// If `n` is 0 or above the batch size, or `images` has another length.
    pub fn step(
        &mut self,
        images: &[f32],
        n: usize,
        dropout_seed: u64,
        loss: &Loss<'_>,
    ) -> Result<f64> {
        let limits = || format!("1 to {} samples", self.batch);
        check_size("a step", (1..=self.batch).contains(&n), limits, &[n])?;
        let len: usize = self.network.shape(self.network.input()).iter().product();
        let expected = || format!("{n} samples of {len} numbers");
        check_size("a step's images", images.len() == n * len, expected, &[images.len()])?;
        let batch = Batch { images, n, seed: dropout_seed, loss };
        // One visit to the pool: what it is asked from within takes no place in its queue.
        Ok(Arc::clone(&self.pool).install(|| self.run(batch)))
    }

    fn run(&mut self, batch: Batch<'_>) -> f64 {
        if self.norms.is_empty() {
            self.run_lanes(batch);
            return self.lanes.iter().map(|lane| lane.loss).sum();
        }
        self.run_phases(batch);
        let used = batch.n.div_ceil(self.prepared.plan.chunk);
        self.chunks[..used].iter().map(|chunk| chunk.loss).sum()
    }

    /// Gives every layer its weights.
    fn prepare(&mut self) {
        let Trainer { network, layers, values, offsets, pool, .. } = self;
        pool.install(|| {
            layers.par_iter_mut().enumerate().for_each(|(id, layer)| {
                let ids = &network.node(NodeId(id)).params;
                let value = |i: usize| {
                    ids.get(i).map_or(&[][..], |p| &values[offsets[p.0]..offsets[p.0 + 1]])
                };
                let all = [value(0), value(1), value(2), value(3)];
                layer.prepare(&all[..ids.len()], Passes::Both);
            });
        });
    }

    fn chunk_run(&self, batch: Batch<'_>, chunk: usize) -> Run {
        chunk_run(&self.prepared.plan, batch, chunk)
    }

    /// Without batch normalisation a chunk runs through at once.
    fn run_lanes(&mut self, batch: Batch<'_>) {
        let mut lanes = std::mem::take(&mut self.lanes);
        let this = &*self;
        let plan = &this.prepared.plan;
        let chunks = batch.n.div_ceil(plan.chunk);
        let step = lanes.len();
        this.pool.install(|| {
            lanes.par_iter_mut().enumerate().for_each(|(l, lane)| {
                lane.loss = 0.0;
                lane.gradients.fill(0.0);
                for chunk in (l..chunks).step_by(step) {
                    let run = this.chunk_run(batch, chunk);
                    lane.loss += this.prepared.with_workspace(|ws| {
                        load(plan, &this.network, ws, batch, run);
                        plan.forward(&this.layers, ws, run, 0..plan.steps.len());
                        let loss = seed_loss(plan, ws, this.logits, batch, run);
                        let all = 0..plan.steps.len();
                        let gradients = &mut lane.gradients;
                        plan.backward(&this.layers, ws, run, all, gradients, &this.offsets);
                        loss
                    });
                }
            });
        });
        self.lanes = lanes;
        let used = self.lanes.len().min(chunks);
        let Trainer { lanes, gradients, trainable, pool, isa, .. } = self;
        let sources = |i: usize| &lanes[i].gradients[..];
        pool.install(|| add_up(*isa, used, &sources, trainable, gradients));
    }
}

fn chunk_run(plan: &Plan, batch: Batch<'_>, chunk: usize) -> Run {
    let first = chunk * plan.chunk;
    let n = plan.chunk.min(batch.n - first);
    Run { n, first, training: true, seed: batch.seed, split: 1 }
}

fn load(plan: &Plan, network: &Network, ws: &mut Workspace, batch: Batch<'_>, run: Run) {
    let len = batch.images.len() / batch.n;
    plan.load(network, ws, &batch.images[run.first * len..(run.first + run.n) * len]);
}

/// Clears the gradients, asks the loss for those of the logits and returns the chunk's loss.
fn seed_loss(plan: &Plan, ws: &mut Workspace, logits: NodeId, batch: Batch<'_>, run: Run) -> f64 {
    plan.clear_gradients(ws, run.n);
    let buffer = plan.buffer(logits);
    let len = plan.lens[buffer];
    let values = ws.values[buffer].chunks_exact(len);
    let gradients = ws.gradients[buffer].chunks_exact_mut(len);
    let samples = values.zip(gradients).take(run.n).enumerate();
    samples.map(|(i, (value, d))| f64::from((batch.loss)(run.first + i, value, d))).sum()
}

/// Sums the lanes in order into the trainable gradients, in pieces spread over the threads.
fn add_up<'a>(
    isa: Isa,
    lanes: usize,
    source: &(dyn Fn(usize) -> &'a [f32] + Sync),
    trainable: &[Range<usize>],
    gradients: &mut [f32],
) {
    const PIECE: usize = 4096;
    let mut rest = gradients;
    for stretch in trainable {
        let (out, after) = rest.split_at_mut(stretch.len());
        rest = after;
        out.par_chunks_mut(PIECE).enumerate().for_each(|(p, out)| {
            let start = stretch.start + p * PIECE;
            out.copy_from_slice(&source(0)[start..start + out.len()]);
            for lane in 1..lanes {
                pointwise::add(isa, &source(lane)[start..start + out.len()], out);
            }
        });
    }
}

// Batch normalisation: phases with sums over the whole batch in between.
impl Trainer {
    fn run_phases(&mut self, batch: Batch<'_>) {
        let count = batch.n.div_ceil(self.prepared.plan.chunk);
        let mut chunks = std::mem::take(&mut self.chunks);
        let active = &mut chunks[..count];
        let steps = self.prepared.plan.steps.len();
        self.each_chunk(active, batch, |this, chunk, run| {
            chunk.gradients.fill(0.0);
            load(&this.prepared.plan, &this.network, &mut chunk.workspace, batch, run);
        });
        let mut from = 0;
        for i in 0..self.norms.len() {
            let norm = self.norms[i];
            self.forward_phase(active, batch, from..norm);
            self.batch_statistics(active, batch, norm);
            from = norm;
        }
        self.forward_phase(active, batch, from..steps);
        self.each_chunk(active, batch, |this, chunk, run| {
            chunk.loss =
                seed_loss(&this.prepared.plan, &mut chunk.workspace, this.logits, batch, run);
        });
        let mut to = steps;
        for i in (0..self.norms.len()).rev() {
            let norm = self.norms[i];
            self.backward_phase(active, batch, norm + 1..to);
            self.gradient_means(active, batch, norm);
            to = norm + 1;
        }
        self.backward_phase(active, batch, 0..to);
        self.chunks = chunks;
        let Trainer { chunks, gradients, trainable, pool, isa, .. } = self;
        let sources = |i: usize| &chunks[i].gradients[..];
        pool.install(|| add_up(*isa, count, &sources, trainable, gradients));
    }

    fn each_chunk(
        &self,
        chunks: &mut [Chunk],
        batch: Batch<'_>,
        f: impl Fn(&Self, &mut Chunk, Run) + Sync,
    ) {
        self.pool.install(|| {
            chunks.par_iter_mut().enumerate().for_each(|(c, chunk)| {
                f(self, chunk, self.chunk_run(batch, c));
            });
        });
    }

    fn forward_phase(&self, chunks: &mut [Chunk], batch: Batch<'_>, range: Range<usize>) {
        self.each_chunk(chunks, batch, |this, chunk, run| {
            let plan = &this.prepared.plan;
            plan.forward(&this.layers, &mut chunk.workspace, run, range.clone());
        });
    }

    fn backward_phase(&self, chunks: &mut [Chunk], batch: Batch<'_>, range: Range<usize>) {
        self.each_chunk(chunks, batch, |this, chunk, run| {
            let Chunk { workspace, gradients, .. } = chunk;
            let plan = &this.prepared.plan;
            plan.backward(&this.layers, workspace, run, range.clone(), gradients, &this.offsets);
        });
    }

    fn norm(&self, step: usize) -> &BatchNorm {
        match &self.layers[self.prepared.plan.steps[step].node] {
            Layer::BatchNorm(norm) => norm,
            _ => unreachable!("`norms` lists batch normalisations"),
        }
    }

    fn norm_mut(&mut self, step: usize) -> &mut BatchNorm {
        match &mut self.layers[self.prepared.plan.steps[step].node] {
            Layer::BatchNorm(norm) => norm,
            _ => unreachable!("`norms` lists batch normalisations"),
        }
    }

    /// Sums over the batch of what `f(self, chunk, run)` adds to the chunk's own, chunk after chunk.
    fn sums(
        &self,
        chunks: &mut [Chunk],
        batch: Batch<'_>,
        totals: &mut [f64],
        f: impl Fn(&Self, &mut Chunk, Run) + Sync,
    ) {
        self.each_chunk(chunks, batch, |this, chunk, run| {
            chunk.sums[..totals.len()].fill(0.0);
            f(this, chunk, run);
        });
        for (i, total) in totals.iter_mut().enumerate() {
            *total = chunks.iter().map(|chunk| chunk.sums[i]).sum();
        }
    }

    /// Mean and variance over batch and pixels; the running statistics move on.
    fn batch_statistics(&mut self, chunks: &mut [Chunk], batch: Batch<'_>, step: usize) {
        let channels = self.norm(step).channels();
        let plan = &self.prepared.plan;
        let (input, len) = (plan.steps[step].inputs[0], plan.lens[plan.steps[step].output]);
        let count = (batch.n * len / channels) as f64;
        let mut totals = std::mem::take(&mut self.totals);
        let [mean, variance] = &mut totals;
        let (mean, variance) = (&mut mean[..channels], &mut variance[..channels]);
        self.sums(chunks, batch, mean, |this, chunk, run| {
            let x = &chunk.workspace.values[input][..run.n * len];
            this.norm(step).add_sums(x, &mut chunk.sums, |_, x| f64::from(x));
        });
        mean.iter_mut().for_each(|sum| *sum /= count);
        self.sums(chunks, batch, variance, |this, chunk, run| {
            let x = &chunk.workspace.values[input][..run.n * len];
            let square = |i: usize, x: f32| (f64::from(x) - mean[i]).powi(2);
            this.norm(step).add_sums(x, &mut chunk.sums, square);
        });
        let norm = self.norm_mut(step);
        for i in 0..channels {
            norm.mean[i] = mean[i] as f32;
            let biased = variance[i] / count;
            norm.inverse[i] = (1.0 / (biased + f64::from(norm.epsilon)).sqrt()) as f32;
        }
        let momentum = norm.momentum;
        let unbiased = count / (count - 1.0).max(1.0);
        let params = self.prepared.plan.steps[step].params;
        let (means, variances) = (self.offsets[params.0 + 2], self.offsets[params.0 + 3]);
        for i in 0..channels {
            let blend = |old: f32, new: f64| momentum * old + (1.0 - momentum) * new as f32;
            self.values[means + i] = blend(self.values[means + i], mean[i]);
            let new = variance[i] / count * unbiased;
            self.values[variances + i] = blend(self.values[variances + i], new);
        }
        self.totals = totals;
    }

    /// Means over batch and pixels of `dy` and of `dy · x̂`, which the input's gradient needs.
    fn gradient_means(&mut self, chunks: &mut [Chunk], batch: Batch<'_>, step: usize) {
        let channels = self.norm(step).channels();
        let plan = &self.prepared.plan;
        let (input, output) = (plan.steps[step].inputs[0], plan.steps[step].output);
        let len = plan.lens[output];
        let count = (batch.n * len / channels) as f64;
        let mut totals = std::mem::take(&mut self.totals);
        let sums = &mut totals[1][..2 * channels];
        self.sums(chunks, batch, sums, |this, chunk, run| {
            let norm = this.norm(step);
            let x = chunk.workspace.values[input][..run.n * len].chunks_exact(channels);
            let dy = chunk.workspace.gradients[output][..run.n * len].chunks_exact(channels);
            let (sums, products) = chunk.sums.split_at_mut(channels);
            for (x, dy) in x.zip(dy) {
                for i in 0..channels {
                    sums[i] += f64::from(dy[i]);
                    let centred = (x[i] - norm.mean[i]) * norm.inverse[i];
                    products[i] += f64::from(dy[i] * centred);
                }
            }
        });
        let norm = self.norm_mut(step);
        for i in 0..channels {
            norm.mean_dy[i] = (sums[i] / count) as f32;
            norm.mean_dy_x[i] = (sums[channels + i] / count) as f32;
        }
        self.totals = totals;
    }
}

/// Words are found only where they are needed: a step takes no memory.
fn check_size(
    what: &str,
    ok: bool,
    expected: impl FnOnce() -> String,
    found: &[usize],
) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(Error::Shape { what: what.to_owned(), expected: expected(), found: found.to_vec() })
}
