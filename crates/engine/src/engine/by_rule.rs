//! A backward pass in which some nodes hand back something else than their gradient.

use cutaway_net::NodeId;
use ndarray::{ArrayD, ArrayView, Dimension};
use rayon::prelude::*;

use super::{Engine, split_chunks};
use crate::Error;
use crate::layers::{Layer, Run, pixels_channels, pointwise};
use crate::plan::{self, Plan, Workspace};

/// What a rule puts in the place of a node's gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaces {
    /// Nothing: the gradient goes back.
    Nothing,
    /// What a function of each number by itself (`Relu`, `Unary`) hands back, by
    /// [`BackwardRule::numbers`].
    Numbers,
    /// What any node hands back, by [`BackwardRule::node`].
    Node,
}

/// Some numbers of a node that is a function of each number by itself, in any order.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    /// What goes into the node.
    pub x: &'a [f32],
    /// What it gives.
    pub y: &'a [f32],
    /// What goes into it for the baselines; empty without them.
    pub x0: &'a [f32],
    /// What it gives for them; empty without them.
    pub y0: &'a [f32],
    /// What the node has received.
    pub received: &'a [f32],
    /// What it would hand back as a gradient.
    pub gradient: &'a [f32],
}

/// Values of a node and of its inputs, `[N, …]` in the network's order.
#[derive(Clone, Debug)]
pub struct NodeValues {
    /// In the node's order.
    pub inputs: Vec<ArrayD<f32>>,
    /// The node's own.
    pub output: ArrayD<f32>,
}

/// What some nodes hand back in the place of their gradients.
pub trait BackwardRule: Sync {
    /// Why a rule may fail.
    type Error: From<Error> + Send;

    /// What is replaced of a node that depends on the input.
    fn replaces(&self, id: NodeId) -> Replaces;

    /// What the node's input receives, number by number. Never called where nothing is
    /// [replaced](Replaces::Numbers) so.
    fn numbers(&self, id: NodeId, at: Numbers<'_>, shares: &mut [f32]) {
        let _ = (at, shares);
        unreachable!("the rule replaces numbers of node {} and does not say by what", id.0);
    }

    /// What each of the node's inputs receives, an array of its shape `[N, …]`; those of inputs that do
    /// not depend on the network's are not read. Never called where nothing is [replaced](Replaces::Node)
    /// so.
    ///
    /// # Errors
    /// The rule's own.
    fn node(
        &self,
        id: NodeId,
        values: NodeValues,
        baselines: Option<NodeValues>,
        received: ArrayD<f32>,
    ) -> std::result::Result<Vec<ArrayD<f32>>, Self::Error> {
        let _ = (values, baselines, received);
        unreachable!("the rule replaces node {} and does not say by what", id.0);
    }
}

/// What [`Engine::backward_by`] gives.
#[derive(Clone, Debug)]
pub struct ByRule {
    /// What the input has received, `[N, …]`.
    pub input: ArrayD<f32>,
    /// The value of the seeded node.
    pub value: ArrayD<f32>,
    /// The same for the baselines.
    pub baseline: Option<ArrayD<f32>>,
}

/// Numbers that are handed to a rule at once: a few lines of the nearest cache.
const BLOCK: usize = 512;

impl Engine {
    /// The backward pass from a seed at one node to the network's input, in which a rule replaces the
    /// gradients of some nodes. `baselines`, of the batch's shape, are inputs whose values the rule
    /// compares with. Memory beside the result does not grow with N.
    ///
    /// # Errors
    /// If the batch, the baselines or the seed have another shape, or the node does not exist; what the
    /// rule gives.
    pub fn backward_by<D: Dimension, R: BackwardRule>(
        &self,
        batch: ArrayView<'_, f32, D>,
        baselines: Option<ArrayView<'_, f32, D>>,
        node: NodeId,
        seed: &ArrayD<f32>,
        rule: &R,
    ) -> std::result::Result<ByRule, R::Error> {
        let batch = self.check_batch(batch)?;
        let n = batch.shape()[0];
        let baselines = baselines.map(|all| self.check_batch(all)).transpose()?;
        if let Some(found) = baselines.iter().map(|all| all.shape()).find(|s| s[0] != n) {
            let expected = format!("{n} of them, one a sample");
            return Err(Error::Shape {
                what: "the baselines".into(),
                expected,
                found: found.to_vec(),
            }
            .into());
        }
        self.check_node(node)?;
        self.check_seed(n, node, seed)?;
        let pass = RulePass::new(self, n, node, rule);
        let seed = seed.as_standard_layout();
        pass.run(
            batch.as_slice().expect("in standard order"),
            baselines.as_ref().map(|all| all.as_slice().expect("in standard order")),
            seed.as_slice().expect("in standard order"),
        )
    }
}

/// One call of [`Engine::backward_by`].
struct RulePass<'a, R> {
    engine: &'a Engine,
    rule: &'a R,
    prepared: std::sync::Arc<super::Prepared>,
    /// Threads that share a sample.
    split: usize,
    n: usize,
    node: NodeId,
    /// What is replaced of each node.
    replaces: Vec<Replaces>,
    offsets: Vec<usize>,
}

impl<'a, R: BackwardRule> RulePass<'a, R> {
    fn new(engine: &'a Engine, n: usize, node: NodeId, rule: &'a R) -> Self {
        let network = &engine.network;
        let input = network.input();
        let mut varies: Vec<bool> = Vec::new();
        let mut replaces = Vec::new();
        let mut keep = vec![input, node];
        for (i, own) in network.nodes()[..=node.0].iter().enumerate() {
            let own_varies = i == input.0 || own.inputs.iter().any(|of| varies[of.0]);
            varies.push(own_varies);
            let with = if own_varies && i != input.0 {
                rule.replaces(NodeId(i))
            } else {
                Replaces::Nothing
            };
            replaces.push(with);
            if with != Replaces::Nothing {
                keep.push(NodeId(i));
                keep.extend(&own.inputs);
            }
        }
        keep.sort();
        keep.dedup();
        let gradients = plan::Gradients { nodes: vec![input], params: false };
        let (prepared, split) = engine.prepared_for_gradients(n, keep, gradients);
        let offsets = super::param_offsets(network);
        RulePass { engine, rule, prepared, split, n, node, replaces, offsets }
    }

    fn run(
        &self,
        images: &[f32],
        baselines: Option<&[f32]>,
        seed: &[f32],
    ) -> std::result::Result<ByRule, R::Error> {
        let engine = self.engine;
        let input = engine.network.input();
        let of = [input, self.node, self.node];
        let lens = of.map(|id| engine.node_len(id));
        let mut results = lens.map(|len| vec![0.0; self.n * len]);
        let chunks = split_chunks(&mut results, &lens, self.prepared.plan.chunk, self.n);
        engine.run(self.split, || {
            chunks.into_par_iter().enumerate().try_for_each(|(c, mut outputs)| {
                let [received, value, baseline] = &mut outputs[..] else {
                    unreachable!("three results")
                };
                self.prepared.with_workspace(|ws| match baselines {
                    None => self.chunk(c, images, seed, ws, None, [received, value]),
                    Some(all) => self.prepared.with_workspace(|other| {
                        self.forward(c, all, other);
                        let buffer = self.prepared.plan.buffer(self.node);
                        engine.read(&other.values[buffer], self.node, baseline);
                        self.chunk(c, images, seed, ws, Some(other), [received, value])
                    }),
                })
            })
        })?;
        let [received, value, baseline] = results;
        Ok(ByRule {
            input: engine.array(self.n, input, received),
            value: engine.array(self.n, self.node, value),
            baseline: baselines.map(|_| engine.array(self.n, self.node, baseline)),
        })
    }

    fn forward(&self, chunk: usize, images: &[f32], ws: &mut Workspace) -> Run {
        let plan = &self.prepared.plan;
        let run = self.engine.load_chunk(plan, ws, images, chunk);
        let run = Run { split: self.split, ..run };
        plan.forward(self.engine.gradient_layers(), ws, run, 0..plan.steps.len());
        run
    }

    fn chunk(
        &self,
        chunk: usize,
        images: &[f32],
        seed: &[f32],
        ws: &mut Workspace,
        baselines: Option<&Workspace>,
        [received, value]: [&mut [f32]; 2],
    ) -> std::result::Result<(), R::Error> {
        let (engine, plan) = (self.engine, &self.prepared.plan);
        let layers = engine.gradient_layers();
        let run = self.forward(chunk, images, ws);
        let buffer = plan.buffer(self.node);
        engine.read(&ws.values[buffer], self.node, value);
        plan.clear_gradients(ws, run.n);
        if plan.wanted[buffer] {
            let len = engine.node_len(self.node);
            let [pixels, channels] = pixels_channels(engine.network.shape(self.node));
            let seed = &seed[run.first * len..][..run.n * len];
            let into = &mut ws.gradients[buffer][..seed.len()];
            plan::to_channels_last(pixels, channels, seed, into);
            for step in (0..plan.steps.len()).rev() {
                let of = plan.steps[step].node;
                match self.replaces[of] {
                    _ if !plan.wanted[plan.steps[step].output] => {}
                    Replaces::Nothing => {
                        plan.backward(layers, ws, run, step..step + 1, &mut [], &self.offsets);
                    }
                    Replaces::Numbers => self.numbers(step, run, ws, baselines),
                    Replaces::Node => self.whole(step, run, ws, baselines)?,
                }
            }
        }
        let input = engine.network.input();
        engine.read(&ws.gradients[plan.buffer(input)], input, received);
        Ok(())
    }

    /// A function of each number by itself, in blocks.
    fn numbers(&self, step: usize, run: Run, ws: &mut Workspace, baselines: Option<&Workspace>) {
        let (engine, plan) = (self.engine, &self.prepared.plan);
        let step = &plan.steps[step];
        let id = NodeId(step.node);
        let unary = match &engine.gradient_layers()[step.node] {
            Layer::Relu => None,
            Layer::Unary(unary) => Some(*unary),
            _ => unreachable!("a rule replaces numbers of functions of one number only"),
        };
        let (input, len) = (step.inputs[0], run.n * plan.lens[step.output]);
        let (dx, dy) = ws.gradients.split_at_mut(step.output);
        let (x, y, dy) = (&ws.values[input], &ws.values[step.output], &dy[0]);
        pointwise::shared(run.split, 1, &mut dx[input][..len], |first, dx| {
            let mut gradient = [0.0; BLOCK];
            for (block, dx) in dx.chunks_mut(BLOCK).enumerate() {
                let part = first + block * BLOCK..first + block * BLOCK + dx.len();
                let [x, y, received] = [x, y, dy].map(|all| &all[part.clone()]);
                let none: &[f32] = &[];
                let before =
                    |buffer: usize| baselines.map_or(none, |ws| &ws.values[buffer][part.clone()]);
                let (x0, y0) = (before(input), before(step.output));
                let gradient = &mut gradient[..dx.len()];
                gradient.fill(0.0);
                match unary {
                    None => pointwise::relu_backward(engine.isa, y, received, gradient),
                    Some(unary) => {
                        pointwise::unary_backward(engine.isa, unary, x, y, received, gradient);
                    }
                }
                let at = Numbers { x, y, x0, y0, received, gradient };
                let mut shares = [0.0; BLOCK];
                let shares = &mut shares[..dx.len()];
                self.rule.numbers(id, at, shares);
                pointwise::add(engine.isa, shares, dx);
            }
        });
    }

    /// Any node, in the network's order.
    fn whole(
        &self,
        step: usize,
        run: Run,
        ws: &mut Workspace,
        baselines: Option<&Workspace>,
    ) -> std::result::Result<(), R::Error> {
        let (engine, plan) = (self.engine, &self.prepared.plan);
        let step = &plan.steps[step];
        let id = NodeId(step.node);
        let received = array(engine, plan, run, &ws.gradients, id);
        let values = self.values_of(id, run, ws);
        let before = baselines.map(|ws| self.values_of(id, run, ws));
        let shares = self.rule.node(id, values, before, received)?;
        for ((&buffer, &input), share) in
            step.inputs.iter().zip(&engine.network.node(id).inputs).zip(&shares)
        {
            if !plan.wanted[buffer] {
                continue;
            }
            engine.check_seed(run.n, input, share)?;
            let share = share.as_standard_layout();
            let ordered = engine.ordered(input, share.as_slice().expect("in standard order"));
            pointwise::add(engine.isa, &ordered, &mut ws.gradients[buffer][..ordered.len()]);
        }
        Ok(())
    }

    fn values_of(&self, id: NodeId, run: Run, ws: &Workspace) -> NodeValues {
        let (engine, plan) = (self.engine, &self.prepared.plan);
        let of = |id| array(engine, plan, run, &ws.values, id);
        NodeValues {
            inputs: engine.network.node(id).inputs.iter().map(|&input| of(input)).collect(),
            output: of(id),
        }
    }
}

/// A kept node's part of some buffers, in the network's order.
fn array(engine: &Engine, plan: &Plan, run: Run, buffers: &[Vec<f32>], id: NodeId) -> ArrayD<f32> {
    let mut values = vec![0.0; run.n * engine.node_len(id)];
    engine.read(&buffers[plan.buffer(id)], id, &mut values);
    engine.array(run.n, id, values)
}
