//! The order of work: which layers run, into which buffers, and which of them melt into one.

use crate::Isa;
use crate::kernels::tail::{Finish, Tail};
use crate::layers::{self, Back, Inputs, Layer, Run};
use cutaway_net::{Network, NodeId};

/// One layer's turn.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The node whose layer runs.
    pub(crate) node: usize,
    /// A ReLU that follows is applied on the way out.
    pub(crate) relu: bool,
    pub(crate) inputs: Vec<usize>,
    pub(crate) output: usize,
    /// Its parameters, first and one past the last.
    pub(crate) params: (usize, usize),
    /// What follows in place, in inference: bits are those of steps of their own.
    pub(crate) then: Vec<Then>,
    /// How many of those the layer itself does before it stores its numbers.
    fused: usize,
    /// Channels of its output.
    pub(crate) channels: usize,
}

impl Step {
    /// Leaves to the layer what it can do of what follows.
    fn fuse(&mut self, layers: &[Layer]) {
        let fits = |then: &Then| match *then {
            Then::Node(node) => layers[node].finish().is_some(),
            Then::Add(_) => true,
        };
        if layers[self.node].takes_a_tail() {
            let fitting = self.then.iter().enumerate();
            self.fused = fitting.take_while(|(i, then)| Tail::has_room(*i) && fits(then)).count();
        }
    }

    /// The buffers that it reads.
    pub(crate) fn reads(&self) -> impl Iterator<Item = usize> + '_ {
        let added = self.then.iter().filter_map(|then| match then {
            Then::Add(buffer) => Some(*buffer),
            Then::Node(_) => None,
        });
        self.inputs.iter().copied().chain(added)
    }
}

/// What a step does to its output while it is in cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The layer of a node, which [`Layer::works_in_place`].
    Node(usize),
    /// Adds another buffer.
    Add(usize),
}

/// What a plan must be able to answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    /// Nodes whose values can be read and whose gradients can be seeded or read.
    pub(crate) keep: Vec<NodeId>,
    /// The backward pass is wanted, to parameters and to these nodes.
    pub(crate) gradients: Option<Gradients>,
    pub(crate) training: bool,
    /// Threads that may share an image.
    pub(crate) split: usize,
    /// Memory is used again as soon as nobody needs what it holds; not where values must stay.
    pub(crate) reuse: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Gradients {
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) params: bool,
}

/// A compiled order of work over chunks of at most [`Plan::chunk`] images.
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// Numbers per image of each buffer.
    pub(crate) lens: Vec<usize>,
    /// The memory of each buffer, an index into [`Workspace::values`]: its own unless memory is reused.
    place: Vec<usize>,
    /// The buffer of a node's value, where it has one of its own.
    buffer_of: Vec<Option<usize>>,
    /// Buffers whose gradient is wanted.
    pub(crate) wanted: Vec<bool>,
    pub(crate) params: bool,
    /// Of each step the gradient buffers that nothing has written to when its backward pass comes: it sets
    /// them to 0, shortly before they are added to.
    fresh: Vec<Vec<usize>>,
    /// Those that are set to 0 before all of it: of kept nodes, and of those that no step reads.
    fresh_first: Vec<usize>,
    /// Images that run through all layers together. Depends on the network alone, so that sums
    /// over a batch are formed in the same order on every machine.
    pub(crate) chunk: usize,
    scratch: usize,
    /// Threads that may share an image.
    split: usize,
    gradients: bool,
    training: bool,
    pub(crate) isa: Isa,
}

/// Where a node works in place: a step, and which of the node's inputs it computes.
#[derive(Clone, Copy)]
struct Host {
    step: usize,
    input: usize,
}

/// Memory of one chunk's activations that still fits a common last-level cache.
const CHUNK_BYTES: usize = 4 << 20;
const MAX_CHUNK: usize = 8;

/// The buffers of one chunk.
pub(crate) struct Workspace {
    pub(crate) values: Vec<Vec<f32>>,
    pub(crate) gradients: Vec<Vec<f32>>,
    pub(crate) scratch: Vec<f32>,
}

impl Plan {
    pub(crate) fn new(isa: Isa, network: &Network, layers: &[Layer], request: &Request) -> Plan {
        let nodes = network.nodes();
        let mut needed = vec![false; nodes.len()];
        request.keep.iter().for_each(|id| needed[id.0] = true);
        for id in (0..nodes.len()).rev().filter(|&id| id > 0) {
            if needed[id] {
                nodes[id].inputs.iter().for_each(|i| needed[i.0] = true);
            }
        }
        needed[0] = true;
        let mut consumers = vec![0; nodes.len()];
        for (node, _) in nodes.iter().zip(&needed).filter(|(_, needed)| **needed) {
            node.inputs.iter().for_each(|i| consumers[i.0] += 1);
        }
        let free = |id: NodeId| !request.keep.contains(&id) && consumers[id.0] == 1 && id.0 != 0;
        // The backward pass masks the gradient of a fused ReLU where it stands: one that is to be
        // read needs a buffer of its own.
        let read = |id: NodeId| request.gradients.as_ref().is_some_and(|g| g.nodes.contains(&id));
        let fused = |id: NodeId| {
            let source = nodes[id.0].inputs[0];
            is_fusable(network, layers, id) && free(source) && !read(id)
        };
        let aliased = |id: NodeId| {
            let ends_free = !request.keep.contains(&id) && free(nodes[id.0].inputs[0]);
            layers[id.0].is_identity(request.training) && ends_free
        };

        let mut plan = Plan {
            steps: Vec::new(),
            lens: Vec::new(),
            place: Vec::new(),
            buffer_of: vec![None; nodes.len()],
            wanted: Vec::new(),
            params: request.gradients.as_ref().is_some_and(|g| g.params),
            fresh: Vec::new(),
            fresh_first: Vec::new(),
            chunk: 1,
            scratch: 0,
            split: request.split,
            gradients: request.gradients.is_some(),
            training: request.training,
            isa,
        };
        for id in (0..nodes.len()).filter(|&id| needed[id]).map(NodeId) {
            let node = &nodes[id.0];
            let has_input = !node.inputs.is_empty();
            if has_input && aliased(id) {
                plan.buffer_of[id.0] = plan.buffer_of[node.inputs[0].0];
                continue;
            }
            if has_input && fused(id) {
                let NodeId(source) = node.inputs[0];
                let step = plan.steps.iter_mut().find(|s| s.node == source);
                if let Some(step) = step.filter(|step| step.then.is_empty()) {
                    step.relu = true;
                    plan.buffer_of[id.0] = plan.buffer_of[source].take();
                    continue;
                }
            }
            let inference = request.gradients.is_none() && !request.training;
            if has_input
                && inference
                && let Some((host, then)) = plan.place_behind(network, layers, id, &free)
            {
                let NodeId(source) = node.inputs[host.input];
                plan.steps[host.step].then.push(then);
                plan.buffer_of[id.0] = plan.buffer_of[source].take();
                continue;
            }
            let output = plan.lens.len();
            plan.lens.push(network.shape(id).iter().product());
            plan.buffer_of[id.0] = Some(output);
            let inputs = node.inputs.iter().map(|i| plan.buffer_of[i.0].expect("computed before"));
            let params = node.params.first().map_or((0, 0), |p| (p.0, p.0 + node.params.len()));
            plan.steps.push(Step {
                node: id.0,
                relu: false,
                inputs: inputs.collect(),
                output,
                params,
                then: Vec::new(),
                fused: 0,
                channels: layers::pixels_channels(network.shape(id))[1],
            });
        }
        plan.steps.iter_mut().for_each(|step| step.fuse(layers));
        plan.mark_wanted(request);
        plan.mark_fresh(request);
        plan.size(network, layers);
        plan.place = (0..plan.lens.len()).collect();
        if request.reuse {
            plan.reuse(request);
        }
        plan
    }

    /// Gives each buffer the memory of one that is not needed any more, the tightest that holds it; where
    /// none does the largest, which grows.
    fn reuse(&mut self, request: &Request) {
        let mut last = vec![0; self.lens.len()];
        for (at, step) in self.steps.iter().enumerate() {
            last[step.output] = last[step.output].max(at);
            step.reads().for_each(|buffer| last[buffer] = at);
        }
        for &id in &request.keep {
            last[self.buffer(id)] = usize::MAX;
        }
        let mut sizes: Vec<usize> = Vec::new();
        let mut idle: Vec<usize> = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            let len = self.lens[step.output];
            let tight = idle.iter().copied().filter(|&place| sizes[place] >= len);
            let best = tight.min_by_key(|&place| sizes[place]);
            let place =
                match best.or_else(|| idle.iter().copied().max_by_key(|&place| sizes[place])) {
                    Some(place) => {
                        idle.retain(|&other| other != place);
                        sizes[place] = sizes[place].max(len);
                        place
                    }
                    None => {
                        sizes.push(len);
                        sizes.len() - 1
                    }
                };
            self.place[step.output] = place;
            let mut done: Vec<usize> = step.reads().chain([step.output]).collect();
            done.sort_unstable();
            done.dedup();
            idle.extend(
                done.into_iter().filter(|&buffer| last[buffer] == at).map(|b| self.place[b]),
            );
        }
    }

    /// Memory of a buffer in a workspace.
    pub(crate) fn place(&self, buffer: usize) -> usize {
        self.place[buffer]
    }

    /// The step behind which a node can work in place, and how: its input must go nowhere else.
    fn place_behind(
        &self,
        network: &Network,
        layers: &[Layer],
        id: NodeId,
        free: &impl Fn(NodeId) -> bool,
    ) -> Option<(Host, Then)> {
        let inputs = &network.node(id).inputs;
        let host = |input: usize| {
            let buffer = self.buffer_of[inputs[input].0]?;
            let step = self.steps.iter().rposition(|step| step.output == buffer)?;
            let real = !matches!(layers[self.steps[step].node], Layer::Input | Layer::Plain(_));
            (free(inputs[input]) && real).then_some(Host { step, input })
        };
        match &layers[id.0] {
            layer if layer.works_in_place() => Some((host(0)?, Then::Node(id.0))),
            Layer::Add if inputs.len() == 2 && inputs[0] != inputs[1] => {
                let hosts = [host(0), host(1)].into_iter().flatten();
                let last = hosts.max_by_key(|host| host.step)?;
                let other = self.buffer_of[inputs[1 - last.input].0]?;
                let image = network.shape(id).len() == 3;
                (image && other < self.steps[last.step].output).then_some((last, Then::Add(other)))
            }
            _ => None,
        }
    }

    fn mark_wanted(&mut self, request: &Request) {
        self.wanted = vec![false; self.lens.len()];
        let Some(gradients) = &request.gradients else { return };
        for id in &gradients.nodes {
            self.wanted[self.buffer_of[id.0].expect("kept")] = true;
        }
        for step in &self.steps {
            let from_inputs = step.inputs.iter().any(|&i| self.wanted[i]);
            let from_params = gradients.params && step.params.0 != step.params.1;
            self.wanted[step.output] |= from_inputs || from_params;
        }
    }

    fn mark_fresh(&mut self, request: &Request) {
        let mut last = vec![None; self.lens.len()];
        for (at, step) in self.steps.iter().enumerate() {
            step.reads().for_each(|buffer| last[buffer] = Some(at));
        }
        let read = request.gradients.iter().flat_map(|gradients| &gradients.nodes);
        for id in request.keep.iter().chain(read) {
            last[self.buffer(*id)] = None;
        }
        self.fresh = vec![Vec::new(); self.steps.len()];
        for (buffer, last) in last.into_iter().enumerate().filter(|(b, _)| self.wanted[*b]) {
            match last {
                Some(at) => self.fresh[at].push(buffer),
                None => self.fresh_first.push(buffer),
            }
        }
    }

    fn size(&mut self, network: &Network, layers: &[Layer]) {
        // Not the plan's own buffers: what is asked for must not change the order of sums.
        let lean = |id: &NodeId| {
            !is_fusable(network, layers, *id) && !layers[id.0].is_identity(self.training)
        };
        let lens = (0..layers.len()).map(NodeId).filter(lean);
        let lens = lens.map(|id| network.shape(id).iter().product::<usize>());
        let per_image = lens.sum::<usize>() * (1 + usize::from(self.gradients));
        self.chunk = (CHUNK_BYTES / 4 / per_image.max(1)).clamp(1, MAX_CHUNK);
        let scratch = |s: &Step| layers[s.node].scratch_len(self.chunk, self.gradients, self.split);
        self.scratch = self.steps.iter().map(scratch).max().unwrap_or(0);
    }

    /// The buffer of a kept node.
    pub(crate) fn buffer(&self, id: NodeId) -> usize {
        self.buffer_of[id.0].expect("the plan keeps this node")
    }

    pub(crate) fn buffer_of_input(&self) -> usize {
        self.buffer_of[0].expect("the input is always computed")
    }

    pub(crate) fn workspace(&self) -> Workspace {
        let mut sizes = vec![0; self.place.iter().max().map_or(0, |last| last + 1)];
        for (&place, &len) in self.place.iter().zip(&self.lens) {
            sizes[place] = sizes[place].max(len);
        }
        let buffers = || sizes.iter().map(|len| vec![0.0; len * self.chunk]);
        let gradients = if self.gradients {
            let wanted = buffers().zip(&self.wanted);
            wanted.map(|(buffer, wanted)| if *wanted { buffer } else { Vec::new() }).collect()
        } else {
            Vec::new()
        };
        Workspace { values: buffers().collect(), gradients, scratch: vec![0.0; self.scratch] }
    }

    /// Copies sample-major `[channels, pixels]` images into the input buffer.
    pub(crate) fn load(&self, network: &Network, ws: &mut Workspace, images: &[f32]) {
        let buffer = self.place[self.buffer_of_input()];
        let [pixels, channels] = layers::pixels_channels(network.shape(NodeId(0)));
        to_channels_last(pixels, channels, images, &mut ws.values[buffer][..images.len()]);
    }

    /// Runs the steps of a range.
    pub(crate) fn forward(
        &self,
        layers: &[Layer],
        ws: &mut Workspace,
        run: Run,
        range: std::ops::Range<usize>,
    ) {
        for step in &self.steps[range] {
            if matches!(layers[step.node], Layer::Input) {
                continue;
            }
            // Taken out meanwhile, so that the others can be read.
            let mut output = std::mem::take(&mut ws.values[self.place[step.output]]);
            let y = &mut output[..run.n * self.lens[step.output]];
            self.compute(layers, step, run, &ws.values, y, &mut ws.scratch);
            ws.values[self.place[step.output]] = output;
        }
    }

    /// Computes a step's output with all that follows in place; `values` are the buffers before it.
    fn compute(
        &self,
        layers: &[Layer],
        step: &Step,
        run: Run,
        values: &[Vec<f32>],
        y: &mut [f32],
        scratch: &mut [f32],
    ) {
        let (place, lens) = (Some(&self.place[..]), &self.lens[..]);
        let x = Inputs { buffers: values, place, ids: &step.inputs, lens, n: run.n };
        let tail = step.then[..step.fused].iter().fold(Tail::default(), |tail, then| {
            tail.then(match *then {
                Then::Node(node) => layers[node].finish().expect("a step of a tail"),
                Then::Add(buffer) => {
                    Finish::Add { other: &values[self.place[buffer]], ld: step.channels }
                }
            })
        });
        let post = |slot: usize, first: usize, part: &mut [f32]| {
            self.follow(layers, step, step.fused, values, [slot, first], part);
        };
        let layer = &layers[step.node];
        layers::forward(layer, self.isa, run, x, y, step.relu, tail, scratch, &post);
    }

    /// Does to a part of a step's output, whole pixels from the first on, what follows in place, from one of it on.
    fn follow(
        &self,
        layers: &[Layer],
        step: &Step,
        from: usize,
        values: &[Vec<f32>],
        [slot, first]: [usize; 2],
        part: &mut [f32],
    ) {
        for then in &step.then[from..] {
            match *then {
                Then::Node(node) => layers[node].apply_in_place(self.isa, part),
                Then::Add(buffer) => {
                    let from = slot * self.lens[buffer] + first * step.channels;
                    let other = &values[self.place[buffer]][from..][..part.len()];
                    layers::pointwise::add(self.isa, other, part);
                }
            }
        }
    }

    /// Sets the gradients of kept nodes to 0, so that they can be seeded; the backward pass sets the others.
    pub(crate) fn clear_gradients(&self, ws: &mut Workspace, n: usize) {
        self.clear(&self.fresh_first, &mut ws.gradients, n);
    }

    fn clear(&self, buffers: &[usize], gradients: &mut [Vec<f32>], n: usize) {
        for &buffer in buffers {
            gradients[buffer][..n * self.lens[buffer]].fill(0.0);
        }
    }

    /// Runs the backward pass over the steps of a range, last first. `params` holds the gradients
    /// of all parameters one after the other, at `offsets`; it may be empty where none are wanted.
    pub(crate) fn backward(
        &self,
        layers: &[Layer],
        ws: &mut Workspace,
        run: Run,
        range: std::ops::Range<usize>,
        params: &mut [f32],
        offsets: &[usize],
    ) {
        for at in range.rev().filter(|&at| self.wanted[self.steps[at].output]) {
            let step = &self.steps[at];
            self.clear(&self.fresh[at], &mut ws.gradients, run.n);
            let len = run.n * self.lens[step.output];
            let y = &ws.values[step.output][..len];
            let (dx, rest) = ws.gradients.split_at_mut(step.output);
            let dy = &mut rest[0][..len];
            if step.relu {
                layers::pointwise::shared(run.split, 1, dy, |first, dy| {
                    layers::pointwise::relu_mask(self.isa, &y[first..first + dy.len()], dy);
                });
            }
            let x = Inputs {
                buffers: &ws.values,
                place: None,
                ids: &step.inputs,
                lens: &self.lens,
                n: run.n,
            };
            let (first, last) = if self.params { step.params } else { (0, 0) };
            let (start, end) = (offsets[first], offsets[last]);
            let (weight, bias) = params[start..end].split_at_mut(match last - first {
                0 => 0,
                _ => offsets[first + 1] - start,
            });
            // A layer has at most two parameters that gradients flow to, and they come first.
            let bias_end =
                if last - first > 1 { offsets[first + 2] - offsets[first + 1] } else { 0 };
            let mut both = [weight, &mut bias[..bias_end]];
            let count = (last - first).min(2);
            let back =
                Back { run, x, y, dy, dparams: &mut both[..count], scratch: &mut ws.scratch };
            layers::backward(&layers[step.node], self.isa, back, dx, &self.wanted);
        }
    }

    /// Places of batch normalisations in a training plan: phases of a step end before them.
    pub(crate) fn norms(&self, layers: &[Layer]) -> Vec<usize> {
        let is_norm = |s: &Step| matches!(layers[s.node], Layer::BatchNorm(_));
        match self.training {
            true => (0..self.steps.len()).filter(|&i| is_norm(&self.steps[i])).collect(),
            false => Vec::new(),
        }
    }
}

/// Whether a node is a ReLU that the layer before it could apply on its way out.
fn is_fusable(network: &Network, layers: &[Layer], id: NodeId) -> bool {
    let inputs = &network.node(id).inputs;
    matches!(layers[id.0], Layer::Relu) && layers[inputs[0].0].fuses_relu()
}

/// `[n, channels, pixels]` to `[n, pixels, channels]`.
pub(crate) fn to_channels_last(pixels: usize, channels: usize, x: &[f32], y: &mut [f32]) {
    if pixels == 1 || channels == 1 {
        return y.copy_from_slice(x);
    }
    let len = pixels * channels;
    for (x, y) in x.chunks_exact(len).zip(y.chunks_exact_mut(len)) {
        // Square by square, so that the lines of cache that one fills are still there for the next.
        for first in (0..pixels).step_by(SQUARE) {
            for from in (0..channels).step_by(SQUARE) {
                let to = (from + SQUARE).min(channels);
                for p in first..(first + SQUARE).min(pixels) {
                    let pixel = &mut y[p * channels + from..p * channels + to];
                    for (value, c) in pixel.iter_mut().zip(from..) {
                        *value = x[c * pixels + p];
                    }
                }
            }
        }
    }
}

/// Numbers of a line of cache.
const SQUARE: usize = 16;

/// `[n, pixels, channels]` to `[n, channels, pixels]`.
pub(crate) fn to_channels_first(pixels: usize, channels: usize, x: &[f32], y: &mut [f32]) {
    to_channels_last(channels, pixels, x, y);
}
