//! Sweeps by partial recomputation: the base image's activations are computed once, and for each
//! edited image only what its changed pixels can reach, layer by layer (the idea of Nakandala,
//! Kumar & Papakonstantinou 2019, "Incremental and Approximate Inference for Faster
//! Occlusion-based Deep CNN Explanations", SIGMOD, here exact to the bit).
//!
//! A group of edits goes through the layers together, so that a layer's weights are read once for all of
//! them. What an edit changes is kept beside the base's activations, as patches of them ([`patches`]). Where
//! a layer is reached nearly everywhere it is computed whole, still for the group at once.

mod group;
mod patches;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cutaway_net::NodeId;
use rayon::prelude::*;

use crate::Engine;
use crate::engine::Prepared;
use crate::layers::Run;
use crate::layers::region::Region;
use crate::plan::{Plan, Request, Step, Then, Workspace};
use crate::sweep::Edit;
use group::{Group, Worker};

/// What an edit changes: the smallest rectangle that holds all changed pixels, with its new
/// contents, `[height, width, channels]`.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Change {
    region: Region,
    /// As bits, so that equal contents can be found by hashing.
    pixels: Vec<u32>,
}

/// Edits that go through the layers together, at most.
const GROUP: usize = 16;

/// Numbers that the patches of a group may come to at any time, unless it is one edit: 64 MiB.
const GROUP_FLOATS: usize = 1 << 24;

/// Values of `nodes` for each edit of an image `[height, width, channels]`, in the network's order into
/// `results`, `[edits, ...]` of each node; `exact` for the bits of full recomputation.
pub(crate) fn sweep(
    engine: &Engine,
    image: &[f32],
    size: [usize; 3],
    edits: &[Edit],
    nodes: &[NodeId],
    exact: bool,
    results: &mut [Vec<f32>],
) {
    let keep = nodes.to_vec();
    let split = engine.threads();
    let request = Request { keep, gradients: None, training: false, split, reuse: false };
    let prepared = engine.prepared(request);
    let (changes, of_edit) = distinct_changes(engine, image, size, edits);
    let sweep = Sweep::new(engine, &prepared, nodes, image, exact);
    let mut edits_of = vec![Vec::new(); changes.len()];
    for (edit, change) in of_edit.iter().enumerate() {
        match change {
            Some(change) => edits_of[*change].push(edit),
            None => sweep.read_base(edit, results),
        }
    }
    let (results, workers) = (Mutex::new(results), Mutex::new(Vec::new()));
    let groups = sweep.groups(&changes);
    engine.pool.install(|| {
        groups.into_par_iter().with_max_len(1).for_each(|members| {
            let idle = workers.lock().unwrap_or_else(|e| e.into_inner()).pop();
            let mut worker: Worker = idle.unwrap_or_default();
            let group = Group::run(&sweep, &mut worker, &changes[members.clone()]);
            sweep.read(&group, &edits_of[members], &results);
            group.finish(&mut worker);
            workers.lock().unwrap_or_else(|e| e.into_inner()).push(worker);
        });
    });
    prepared.give_back(sweep.base);
}

/// The different images that the edits make, and which of them each edit makes; `None` is the base.
fn distinct_changes(
    engine: &Engine,
    image: &[f32],
    size: [usize; 3],
    edits: &[Edit],
) -> (Vec<Change>, Vec<Option<usize>>) {
    let of_one = |edited: &mut Vec<f32>, edit: &Edit| {
        edit.apply(size, edited);
        let change = change(image, edited, size, edit.region());
        for row in edit.region().rows(size[1], size[2]) {
            edited[row.clone()].copy_from_slice(&image[row]);
        }
        change
    };
    let found: Vec<Option<Change>> = engine.pool.install(|| {
        edits.par_iter().with_min_len(32).map_init(|| image.to_vec(), of_one).collect()
    });
    let mut places: HashMap<Change, usize> = HashMap::new();
    let mut changes = Vec::new();
    let mut of_edit = Vec::with_capacity(edits.len());
    for change in found {
        of_edit.push(change.map(|change| {
            *places.entry(change).or_insert_with_key(|change| {
                changes.push(change.clone());
                changes.len() - 1
            })
        }));
    }
    (changes, of_edit)
}

/// What differs within `region`; compared by bits, so that a NaN equals itself.
fn change(base: &[f32], edited: &[f32], size: [usize; 3], region: Region) -> Option<Change> {
    let [_, width, channels] = size;
    let mut tight = Region::default();
    for (y, row) in (region.top..).zip(region.rows(width, channels)) {
        let start = row.start;
        let pairs = base[row.clone()].iter().zip(&edited[row]);
        let differs = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits();
        let Some(first) = pairs.clone().position(differs) else { continue };
        let last = pairs.clone().rposition(differs).expect("there is a first");
        let column = |i: usize| (start + i) / channels % width;
        let (left, right) = (column(first), column(last) + 1);
        tight = tight.union(Region { top: y, left, bottom: y + 1, right });
    }
    let pixels = tight.rows(width, channels).flat_map(|row| &edited[row]);
    let pixels: Vec<u32> = pixels.map(|value| value.to_bits()).collect();
    (!tight.is_empty()).then_some(Change { region: tight, pixels })
}

/// What all groups of a sweep share.
struct Sweep<'a> {
    engine: &'a Engine,
    prepared: &'a Arc<Prepared>,
    nodes: &'a [NodeId],
    /// Whether all of a tile is reached where a part of it is.
    exact: bool,
    /// Buffer of the input.
    input: usize,
    /// The base image's activations.
    base: Workspace,
    /// Height, width and channels of each buffer.
    sizes: Vec<[usize; 3]>,
    /// Buffers that no step after this one needs.
    last_reads: Vec<Vec<usize>>,
}

/// Height, width and channels of a node's value in the engine.
fn size_of(shape: &[usize]) -> [usize; 3] {
    match *shape {
        [channels, height, width] => [height, width, channels],
        ref shape => [1, 1, shape.iter().product()],
    }
}

impl<'a> Sweep<'a> {
    fn new(
        engine: &'a Engine,
        prepared: &'a Arc<Prepared>,
        nodes: &'a [NodeId],
        image: &[f32],
        exact: bool,
    ) -> Sweep<'a> {
        let plan = &prepared.plan;
        let input = plan.buffer_of_input();
        let mut base = prepared.take();
        base.values[input][..image.len()].copy_from_slice(image);
        let run = Run { n: 1, first: 0, training: false, seed: 0, split: engine.threads() };
        engine.pool.install(|| {
            plan.forward(engine.layers(), &mut base, run, 0..plan.steps.len());
        });
        let steps = plan.steps.iter();
        let sizes = steps.map(|step| size_of(engine.network().shape(NodeId(step.node)))).collect();
        let mut last = vec![0; plan.lens.len()];
        for (at, step) in plan.steps.iter().enumerate() {
            step.reads().chain([step.output]).for_each(|buffer| last[buffer] = at);
        }
        let kept: Vec<usize> = nodes.iter().map(|&node| plan.buffer(node)).collect();
        let mut last_reads = vec![Vec::new(); plan.steps.len()];
        for (buffer, &at) in last.iter().enumerate().filter(|(buffer, _)| !kept.contains(buffer)) {
            last_reads[at].push(buffer);
        }
        Sweep { engine, prepared, nodes, exact, input, base, sizes, last_reads }
    }

    fn plan(&self) -> &Plan {
        &self.prepared.plan
    }

    /// The base's value of a buffer.
    fn base(&self, buffer: usize) -> &[f32] {
        &self.base.values[buffer][..self.plan().lens[buffer]]
    }

    /// Which changes go through the layers together: neighbours in the list.
    fn groups(&self, changes: &[Change]) -> Vec<std::ops::Range<usize>> {
        // Not a matter of threads: with it changes what is computed whole, which may show in the rounding.
        let most = changes.len().div_ceil(8).clamp(1, GROUP);
        let mut groups = Vec::new();
        let (mut first, mut floats) = (0, 0);
        for (at, change) in changes.iter().enumerate() {
            let own = self.peak(change);
            if at > first && (at - first == most || floats + own > GROUP_FLOATS) {
                groups.push(first..at);
                (first, floats) = (at, 0);
            }
            floats += own;
        }
        if first < changes.len() {
            groups.push(first..changes.len());
        }
        groups
    }

    /// What a step's output is changed in, where `reached` says it of the buffers before it.
    fn reached(&self, step: &Step, reached: impl Fn(usize) -> Region) -> Region {
        let layer = &self.engine.layers()[step.node];
        let [height, width, _] = self.sizes[step.output];
        let whole = Region::whole([height, width]);
        let same = self.keeps_places(step);
        let own = step.inputs.iter().enumerate().map(|(i, &buffer)| match reached(buffer) {
            region if region.is_empty() => Region::default(),
            region if same => layer.reach(i, region).unwrap_or(whole),
            _ => whole,
        });
        let own = own.fold(Region::default(), Region::union);
        let added = step.then.iter().filter_map(|then| match then {
            Then::Add(buffer) if !same && !reached(*buffer).is_empty() => Some(whole),
            Then::Add(buffer) => Some(reached(*buffer)),
            Then::Node(_) => None,
        });
        let reached = added.fold(own, Region::union);
        if self.exact { layer.aligned(reached) } else { reached }
    }

    /// Whether a step sees its inputs as images of the height and width that they are held in: a change
    /// of shape that moves no number leaves none behind in the plan.
    fn keeps_places(&self, step: &Step) -> bool {
        let network = self.engine.network();
        let inputs = &network.node(NodeId(step.node)).inputs;
        let mut both = step.inputs.iter().zip(inputs);
        let mut added = step.reads().skip(step.inputs.len());
        both.all(|(&buffer, &input)| size_of(network.shape(input)) == self.sizes[buffer])
            && added.all(|buffer| self.sizes[buffer] == self.sizes[step.output])
    }

    /// The most numbers that one edit's patches of a layer and its inputs come to.
    fn peak(&self, change: &Change) -> usize {
        let mut regions = vec![Region::default(); self.sizes.len()];
        let floats = |buffer: usize, region: Region| region.area() * self.sizes[buffer][2];
        let mut most = 0;
        for step in &self.plan().steps {
            if step.output == self.input {
                regions[self.input] = change.region;
                continue;
            }
            let [height, width, _] = self.sizes[step.output];
            let layer = &self.engine.layers()[step.node];
            regions[step.output] = self.reached(step, |buffer| regions[buffer]);
            let held = match layer.has_parts() {
                true => regions[step.output],
                false => Region::whole([height, width]),
            };
            let before: usize = step.reads().map(|buffer| floats(buffer, regions[buffer])).sum();
            most = most.max(floats(step.output, held) + before);
        }
        most
    }

    /// The base's values, for an edit that changes nothing.
    fn read_base(&self, edit: usize, results: &mut [Vec<f32>]) {
        for (&node, results) in self.nodes.iter().zip(results) {
            let len = self.engine.node_len(node);
            let value = self.base(self.plan().buffer(node));
            self.engine.read(value, node, &mut results[edit * len..(edit + 1) * len]);
        }
    }

    /// The values of a group's edits, each for all that make the same image.
    fn read(&self, group: &Group<'_>, edits_of: &[Vec<usize>], results: &Mutex<&mut [Vec<f32>]>) {
        for (which, &node) in self.nodes.iter().enumerate() {
            let len = self.engine.node_len(node);
            let (mut value, mut ordered) = (vec![0.0; len], vec![0.0; len]);
            for (slot, edits) in edits_of.iter().enumerate() {
                group.read(self.plan().buffer(node), slot, &mut value);
                self.engine.read(&value, node, &mut ordered);
                let mut results = results.lock().unwrap_or_else(|e| e.into_inner());
                for &edit in edits {
                    results[which][edit * len..(edit + 1) * len].copy_from_slice(&ordered);
                }
            }
        }
    }
}
