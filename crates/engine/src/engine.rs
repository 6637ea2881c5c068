//! A compiled network and the three questions it answers.

mod alone;
mod by_rule;
mod value_and_gradient;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use cutaway_net::{Network, NodeId, Op, ParamId};
use ndarray::{Array2, ArrayD, ArrayView, Axis, CowArray, Dimension, IxDyn, Slice};
use rayon::prelude::*;

use crate::awake::awake;
use crate::check;
use crate::layers::{Layer, Passes, Run, pixels_channels, pointwise};
use crate::plan::{self, Plan, Request, Workspace};
use crate::{Error, Isa, Options, Result, Strategy};

pub use alone::{Alone, Change};
pub use by_rule::{BackwardRule, ByRule, NodeValues, Numbers, Replaces};
pub use value_and_gradient::Seed;

/// A network compiled for this machine. Every answer is the same bits for any number of threads.
pub struct Engine {
    pub(crate) network: Network,
    pub(crate) isa: Isa,
    pub(crate) pool: rayon::ThreadPool,
    strategy: Strategy,
    layers: Vec<Layer>,
    /// The same with what the backward pass needs, made at its first use.
    gradient_layers: OnceLock<Vec<Layer>>,
    plans: Mutex<HashMap<Request, Arc<Prepared>>>,
}

/// A plan with the workspaces that idle between calls.
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    idle: Mutex<Vec<Workspace>>,
}

impl Prepared {
    pub(crate) fn new(plan: Plan) -> Prepared {
        Prepared { plan, idle: Mutex::new(Vec::new()) }
    }

    /// Makes sure that so many workspaces are there, so that as many threads need not make them later.
    pub(crate) fn stock(&self, count: usize) {
        let mut idle = self.idle.lock().unwrap_or_else(|e| e.into_inner());
        let missing = count.saturating_sub(idle.len());
        idle.extend((0..missing).map(|_| self.plan.workspace()));
    }

    /// Lends a workspace to `f`. The one used last is lent first: it is still in cache.
    pub(crate) fn with_workspace<T>(&self, f: impl FnOnce(&mut Workspace) -> T) -> T {
        let mut workspace = self.take();
        let result = f(&mut workspace);
        self.give_back(workspace);
        result
    }

    /// An idle workspace, or a new one. Its contents are what they were.
    pub(crate) fn take(&self) -> Workspace {
        let idle = self.idle.lock().unwrap_or_else(|e| e.into_inner()).pop();
        idle.unwrap_or_else(|| self.plan.workspace())
    }

    pub(crate) fn give_back(&self, workspace: Workspace) {
        self.idle.lock().unwrap_or_else(|e| e.into_inner()).push(workspace);
    }
}

/// Values of tapped nodes, batch first: `[N, ...]` with the node's shape in the network's order.
#[derive(Clone, Debug, Default)]
pub struct Activations(pub(crate) BTreeMap<NodeId, ArrayD<f32>>);

impl Activations {
    /// The value of a tapped node.
    pub fn get(&self, node: NodeId) -> Option<&ArrayD<f32>> {
        self.0.get(&node)
    }

    /// Takes the value of a tapped node.
    pub fn take(&mut self, node: NodeId) -> Option<ArrayD<f32>> {
        self.0.remove(&node)
    }

    /// The tapped nodes and their values, in the network's order.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &ArrayD<f32>)> {
        self.0.iter().map(|(id, value)| (*id, value))
    }
}

/// Gradients of `Σ seed · value`.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    nodes: BTreeMap<NodeId, ArrayD<f32>>,
    params: Vec<ArrayD<f32>>,
}

impl Gradients {
    /// With respect to a node's value, `[N, ...]`.
    pub fn node(&self, node: NodeId) -> Option<&ArrayD<f32>> {
        self.nodes.get(&node)
    }

    /// With respect to each of [`Network::params`], summed over the batch, in their shapes; empty
    /// where they were not asked for. Running statistics have gradient 0.
    pub fn params(&self) -> &[ArrayD<f32>] {
        &self.params
    }
}

impl Engine {
    /// Compiles a network.
    ///
    /// # Errors
    /// If the machine lacks the instruction set asked for, or the threads cannot be started.
    pub fn compile(network: &Network, options: &Options) -> Result<Engine> {
        let (isa, pool) = (options.isa()?, options.pool()?);
        Ok(Engine {
            network: network.clone(),
            isa,
            strategy: options.strategy,
            layers: pool.install(|| prepared_layers(isa, network, Passes::Forward)),
            pool,
            gradient_layers: OnceLock::new(),
            plans: Mutex::default(),
        })
    }

    /// The network that was compiled.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How sweeps are computed: [`Strategy::Auto`] is what it comes to.
    pub fn strategy(&self) -> Strategy {
        self.strategy.chosen_for(self.network.shape(self.network.input()))
    }

    /// Threads in use.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `f` on the engine's threads, so that what prepares its inputs takes no others.
    pub fn install<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        self.pool.install(f)
    }

    /// The values of `taps` for a batch `[N, ...]` in the input's shape (images: `[N, C, H, W]`).
    /// A tap never changes the numbers. Memory beside the result does not grow with N.
    ///
    /// # Errors
    /// If the batch has another shape or a tap does not exist.
    pub fn forward<D: Dimension>(
        &self,
        batch: ArrayView<'_, f32, D>,
        taps: &[NodeId],
    ) -> Result<Activations> {
        let batch = self.check_batch(batch)?;
        taps.iter().try_for_each(|&id| self.check_node(id))?;
        let mut taps = taps.to_vec();
        taps.sort();
        taps.dedup();
        let n = batch.shape()[0];
        let (prepared, split) = self.prepared_for(n, &taps);
        let images = batch.as_slice().expect("in standard order");
        let mut results: Vec<Vec<f32>> =
            taps.iter().map(|&id| vec![0.0; n * self.node_len(id)]).collect();
        let lens: Vec<usize> = taps.iter().map(|&id| self.node_len(id)).collect();
        let chunks = split_chunks(&mut results, &lens, prepared.plan.chunk, n);
        self.run(split, || {
            chunks.into_par_iter().enumerate().for_each(|(c, outputs)| {
                prepared.with_workspace(|ws| {
                    let run = self.load_chunk(&prepared.plan, ws, images, c);
                    let run = Run { split, ..run };
                    prepared.plan.forward(&self.layers, ws, run, 0..prepared.plan.steps.len());
                    for (&id, out) in taps.iter().zip(outputs) {
                        let place = prepared.plan.place(prepared.plan.buffer(id));
                        self.read(&ws.values[place], id, out);
                    }
                });
            });
        });
        let values = taps.iter().zip(results).map(|(&id, values)| (id, self.array(n, id, values)));
        Ok(Activations(values.collect()))
    }

    /// Class probabilities `[N, classes]`: the network's output, through a softmax where it ends
    /// in logits.
    ///
    /// # Errors
    /// As [`Engine::forward`]; [`Error::NotFinite`] where the answer is NaN or infinite, with the node at
    /// which that begins.
    pub fn predict<D: Dimension>(&self, batch: ArrayView<'_, f32, D>) -> Result<Array2<f32>> {
        let output = self.network.output();
        let mut values = self.forward(batch.view(), &[output])?;
        let values = values.take(output).expect("tapped");
        let n = values.shape()[0];
        let classes = self.node_len(output);
        let mut values = values.into_raw_vec_and_offset().0;
        self.finish_probabilities(classes, &mut values);
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let sample = at / classes;
            let batch = batch.into_dyn();
            let one = batch.slice_axis(Axis(0), Slice::from(sample..sample + 1));
            return Err(check::not_finite_error(self, one, sample));
        }
        Ok(Array2::from_shape_vec((n, classes), values).expect("as many as computed"))
    }

    /// Turns the network's output into probabilities, where it is not already.
    pub(crate) fn finish_probabilities(&self, classes: usize, values: &mut [f32]) {
        let mut id = self.network.output();
        loop {
            let node = self.network.node(id);
            match node.op {
                Op::Softmax => return,
                Op::LogSoftmax => return values.iter_mut().for_each(|v| *v = v.exp()),
                Op::Flatten | Op::Reshape { .. } | Op::Dropout { .. } => id = node.inputs[0],
                _ => break,
            }
        }
        let logits = values.to_vec();
        pointwise::softmax(classes, &logits, values);
    }

    /// Gradients of `Σ seed · value`, summed over the seeded nodes, with respect to the values of
    /// `nodes` and, on request, all parameters. A seed has the shape `[N, ...]` of its node.
    ///
    /// # Errors
    /// If the batch or a seed has another shape, or a node does not exist.
    pub fn backward<D: Dimension>(
        &self,
        batch: ArrayView<'_, f32, D>,
        seeds: &[(NodeId, ArrayD<f32>)],
        nodes: &[NodeId],
        params: bool,
    ) -> Result<Gradients> {
        let batch = self.check_batch(batch)?;
        let n = batch.shape()[0];
        for (id, seed) in seeds {
            self.check_seed(n, *id, seed)?;
        }
        nodes.iter().try_for_each(|&id| self.check_node(id))?;
        let mut wanted = nodes.to_vec();
        wanted.sort();
        wanted.dedup();
        let mut keep: Vec<NodeId> = seeds.iter().map(|s| s.0).chain(wanted.clone()).collect();
        keep.sort();
        keep.dedup();
        let gradients = plan::Gradients { nodes: wanted.clone(), params };
        let (prepared, split) = self.prepared_for_gradients(n, keep, gradients);
        let pass = BackwardPass { engine: self, prepared: &prepared, split, n, seeds };
        pass.run(batch.as_slice().expect("in standard order"), &wanted, params)
    }

    /// Gives a node's layer other values of one of its parameters. The network stays as it is, and no
    /// backward pass may follow: its layers share what is changed here.
    pub(crate) fn set_params(&mut self, id: NodeId, param: ParamId, values: &[f32]) {
        let params = self.network.node(id).params.iter();
        let all: Vec<&[f32]> = params
            .map(|&p| if p == param { values } else { &*self.network.param(p).values })
            .collect();
        let layer = &mut self.layers[id.0];
        *layer = Layer::new(self.isa, &self.network, id);
        layer.prepare(&all, Passes::Forward);
        layer.settle();
    }

    fn gradient_layers(&self) -> &[Layer] {
        // One after the other: a thread of the pool that waited for others here could be handed work that
        // asks for these layers itself.
        self.gradient_layers.get_or_init(|| {
            (0..self.layers.len()).map(|id| self.with_backward(NodeId(id))).collect()
        })
    }

    /// A node's layer with what its backward pass needs; what its forward pass needs is shared.
    fn with_backward(&self, id: NodeId) -> Layer {
        let mut layer = self.layers[id.0].clone();
        layer.prepare(&values_of(&self.network, id), Passes::Backward);
        layer.settle();
        layer
    }

    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    pub(crate) fn prepared(&self, request: Request) -> Arc<Prepared> {
        let mut plans = self.plans.lock().unwrap_or_else(|e| e.into_inner());
        let make = || Plan::new(self.isa, &self.network, &self.layers, &request);
        let entry = plans.entry(request.clone());
        entry.or_insert_with(|| Arc::new(Prepared::new(make()))).clone()
    }

    /// The plan of a forward pass over `n` images, and how many threads share each of them.
    pub(crate) fn prepared_for(&self, n: usize, taps: &[NodeId]) -> (Arc<Prepared>, usize) {
        let keep = taps.to_vec();
        self.shared(n, Request { keep, gradients: None, training: false, split: 1, reuse: true })
    }

    /// The same of a backward pass, in inference.
    pub(crate) fn prepared_for_gradients(
        &self,
        n: usize,
        keep: Vec<NodeId>,
        gradients: plan::Gradients,
    ) -> (Arc<Prepared>, usize) {
        let gradients = Some(gradients);
        self.shared(n, Request { keep, gradients, training: false, split: 1, reuse: false })
    }

    fn shared(&self, n: usize, request: Request) -> (Arc<Prepared>, usize) {
        let prepared = self.prepared(request.clone());
        // Fewer chunks than threads: threads share the images.
        let split = self.threads() / n.div_ceil(prepared.plan.chunk).max(1);
        match split {
            0 | 1 => (prepared, 1),
            _ => (self.prepared(Request { split, ..request }), split),
        }
    }

    /// Runs `f` on the engine's threads, `split` of which share an image.
    pub(crate) fn run<T: Send>(&self, split: usize, f: impl FnOnce() -> T + Send) -> T {
        match split {
            0 | 1 => self.pool.install(f),
            _ => awake(&self.pool, f),
        }
    }

    pub(crate) fn load_chunk(
        &self,
        plan: &Plan,
        ws: &mut Workspace,
        images: &[f32],
        chunk: usize,
    ) -> Run {
        let len = self.node_len(self.network.input());
        let first = chunk * plan.chunk;
        let n = plan.chunk.min(images.len() / len - first);
        plan.load(&self.network, ws, &images[first * len..(first + n) * len]);
        Run { n, first, training: false, seed: 0, split: 1 }
    }

    /// Copies a buffer of one chunk out, in the network's order.
    pub(crate) fn read(&self, buffer: &[f32], id: NodeId, out: &mut [f32]) {
        let [pixels, channels] = pixels_channels(self.network.shape(id));
        plan::to_channels_first(pixels, channels, &buffer[..out.len()], out);
    }

    /// Values of a node in the network's order, brought to the engine's.
    fn ordered(&self, id: NodeId, values: &[f32]) -> Vec<f32> {
        let [pixels, channels] = pixels_channels(self.network.shape(id));
        let mut ordered = vec![0.0; values.len()];
        plan::to_channels_last(pixels, channels, values, &mut ordered);
        ordered
    }

    pub(crate) fn node_len(&self, id: NodeId) -> usize {
        self.network.shape(id).iter().product()
    }

    pub(crate) fn array(&self, n: usize, id: NodeId, values: Vec<f32>) -> ArrayD<f32> {
        let shape: Vec<usize> = [n].iter().chain(self.network.shape(id)).copied().collect();
        ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many as computed")
    }

    pub(crate) fn check_node(&self, id: NodeId) -> Result<()> {
        let count = self.network.nodes().len();
        if id.0 < count {
            return Ok(());
        }
        Err(Error::Node { id: id.0, count, network: self.network.name().to_owned() })
    }

    fn check_batch<'a, D: Dimension>(
        &self,
        batch: ArrayView<'a, f32, D>,
    ) -> Result<CowArray<'a, f32, IxDyn>> {
        let shape = self.network.shape(self.network.input());
        let batch = batch.into_dyn();
        if batch.ndim() != shape.len() + 1 || &batch.shape()[1..] != shape {
            let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
            return Err(Error::Shape {
                what: format!("the batch for network '{}'", self.network.name()),
                expected: format!("[N, {}]", sizes.join(", ")),
                found: batch.shape().to_vec(),
            });
        }
        Ok(match batch.is_standard_layout() {
            true => batch.into(),
            false => batch.as_standard_layout().into_owned().into(),
        })
    }

    fn check_seed(&self, n: usize, id: NodeId, seed: &ArrayD<f32>) -> Result<()> {
        self.check_node(id)?;
        let shape: Vec<usize> = [n].iter().chain(self.network.shape(id)).copied().collect();
        if seed.shape() == shape {
            return Ok(());
        }
        Err(Error::Shape {
            what: format!("the seed at node '{}'", self.network.node(id).name),
            expected: format!("{shape:?}"),
            found: seed.shape().to_vec(),
        })
    }
}

/// One call of [`Engine::backward`].
struct BackwardPass<'a> {
    engine: &'a Engine,
    prepared: &'a Prepared,
    /// Threads that share a sample.
    split: usize,
    n: usize,
    seeds: &'a [(NodeId, ArrayD<f32>)],
}

impl BackwardPass<'_> {
    fn run(&self, images: &[f32], wanted: &[NodeId], params: bool) -> Result<Gradients> {
        let engine = self.engine;
        let (plan, offsets) = (&self.prepared.plan, param_offsets(&engine.network));
        let lens: Vec<usize> = wanted.iter().map(|&id| engine.node_len(id)).collect();
        let mut results: Vec<Vec<f32>> = lens.iter().map(|len| vec![0.0; self.n * len]).collect();
        let count = if params { *offsets.last().expect("one past the last") } else { 0 };
        let chunks = split_chunks(&mut results, &lens, plan.chunk, self.n);
        let lanes = lane_count(chunks.len());
        let mut sums = vec![vec![0.0; count]; lanes];
        // Lane l sums chunks l, l + lanes, ... in order; lanes are added up in order.
        let mut work: Vec<_> = sums.iter_mut().map(|sum| (sum, Vec::new())).collect();
        for (c, outputs) in chunks.into_iter().enumerate() {
            work[c % lanes].1.push((c, outputs));
        }
        engine.run(self.split, || {
            work.into_par_iter().for_each(|(sum, chunks)| {
                for (c, outputs) in chunks {
                    self.prepared.with_workspace(|ws| {
                        self.chunk(ws, images, c, sum, &offsets);
                        for (&id, out) in wanted.iter().zip(outputs) {
                            engine.read(&ws.gradients[plan.buffer(id)], id, out);
                        }
                    });
                }
            });
        });
        let nodes = wanted.iter().zip(results);
        Ok(Gradients {
            nodes: nodes.map(|(&id, values)| (id, engine.array(self.n, id, values))).collect(),
            params: if params { self.params(&sums, &offsets) } else { Vec::new() },
        })
    }

    fn chunk(
        &self,
        ws: &mut Workspace,
        images: &[f32],
        c: usize,
        sum: &mut [f32],
        offsets: &[usize],
    ) {
        let (engine, plan) = (self.engine, &self.prepared.plan);
        let layers = engine.gradient_layers();
        let run = engine.load_chunk(plan, ws, images, c);
        let run = Run { split: self.split, ..run };
        plan.forward(layers, ws, run, 0..plan.steps.len());
        plan.clear_gradients(ws, run.n);
        for (id, seed) in self.seeds {
            let len = engine.node_len(*id);
            let buffer = plan.buffer(*id);
            if !plan.wanted[buffer] {
                continue;
            }
            let seed = seed.as_standard_layout();
            let seed = &seed.as_slice().expect("standard")[run.first * len..][..run.n * len];
            let ordered = engine.ordered(*id, seed);
            pointwise::add(engine.isa, &ordered, &mut ws.gradients[buffer][..seed.len()]);
        }
        plan.backward(layers, ws, run, 0..plan.steps.len(), sum, offsets);
    }

    fn params(&self, sums: &[Vec<f32>], offsets: &[usize]) -> Vec<ArrayD<f32>> {
        let mut total = vec![0.0; sums.first().map_or(0, Vec::len)];
        sums.iter().for_each(|sum| pointwise::add(self.engine.isa, sum, &mut total));
        let params = self.engine.network.params().iter().enumerate();
        params
            .map(|(i, param)| {
                let values = total.get(offsets[i]..offsets[i + 1]).map(<[f32]>::to_vec);
                let values = values.unwrap_or_else(|| vec![0.0; offsets[i + 1] - offsets[i]]);
                ArrayD::from_shape_vec(IxDyn(&param.shape), values).expect("checked by the network")
            })
            .collect()
    }
}

/// Partial sums of a batch's parameter gradients. Depends on the number of chunks alone.
pub(crate) fn lane_count(chunks: usize) -> usize {
    chunks.clamp(1, 16)
}

/// Where each parameter starts when all stand one after the other, and where the last ends.
pub(crate) fn param_offsets(network: &Network) -> Vec<usize> {
    let mut offsets = vec![0];
    for param in network.params() {
        offsets.push(offsets[offsets.len() - 1] + param.values.len());
    }
    offsets
}

/// All layers of a network with its weights, prepared by the threads of the pool that this is called in.
pub(crate) fn prepared_layers(isa: Isa, network: &Network, passes: Passes) -> Vec<Layer> {
    let ids = (0..network.nodes().len()).into_par_iter().map(NodeId);
    ids.map(|id| {
        let mut layer = Layer::new(isa, network, id);
        layer.prepare(&values_of(network, id), passes);
        layer.settle();
        layer
    })
    .collect()
}

/// Values of a node's parameters.
fn values_of(network: &Network, id: NodeId) -> Vec<&[f32]> {
    network.node(id).params.iter().map(|&param| &*network.param(param).values).collect()
}

/// Splits each result in pieces of a chunk, and hands chunk c the c-th piece of each.
fn split_chunks<'a>(
    results: &'a mut [Vec<f32>],
    lens: &[usize],
    chunk: usize,
    n: usize,
) -> Vec<Vec<&'a mut [f32]>> {
    let mut chunks: Vec<Vec<&mut [f32]>> = (0..n.div_ceil(chunk)).map(|_| Vec::new()).collect();
    for (result, len) in results.iter_mut().zip(lens) {
        for (pieces, piece) in chunks.iter_mut().zip(result.chunks_mut((chunk * len).max(1))) {
            pieces.push(piece);
        }
    }
    chunks
}
