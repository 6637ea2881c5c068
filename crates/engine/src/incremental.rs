//! Sweeps by partial recomputation: the base image's activations are computed once, and for each
//! edited image only what its changed pixels can reach, layer by layer (the idea of Nakandala,
//! Kumar & Papakonstantinou 2019, "Incremental and Approximate Inference for Faster
//! Occlusion-based Deep CNN Explanations", SIGMOD, here exact to the bit).
//!
//! A workspace holds a chunk of images that all equal the base except where the last edits left
//! their traces (`stale`). An edit is written into the input; then each layer puts back the base
//! where it is stale and recomputes what the edit reaches. A layer that nearly all of the change
//! reaches is computed whole, for the chunk at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cutaway_net::NodeId;
use rayon::prelude::*;

use crate::Engine;
use crate::engine::Prepared;
use crate::layers::region::{self, Region};
use crate::layers::{self, Inputs, Layer, Run};
use crate::plan::{Request, Step, Then, Workspace};
use crate::sweep::Edit;

/// What an edit changes: the smallest rectangle that holds all changed pixels, with its new
/// contents, `[height, width, channels]`.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Change {
    region: Region,
    /// As bits, so that equal contents can be found by hashing.
    pixels: Vec<u32>,
}

/// Above this share of a layer's work it is computed whole: a pass over a chunk reads the weights
/// once, and needs no putting back.
const WHOLE: f64 = 0.8;

/// Answers of the network's output for each edit of an image `[height, width, channels]`, into
/// `results`, `[edits, outputs]`.
pub(crate) fn sweep(
    engine: &Engine,
    image: &[f32],
    size: [usize; 3],
    edits: &[Edit],
    results: &mut [f32],
) {
    let output = engine.network().output();
    let request =
        Request { keep: vec![output], gradients: None, training: false, split: 1, reuse: false };
    let prepared = engine.prepared(request);
    let classes = engine.node_len(output);
    let (changes, of_edit) = distinct_changes(engine, image, size, edits);
    let sweep = Sweep::new(engine, &prepared, output, image);
    // Image i of one chunk and image i of the next are neighbours in the list: what one edit leaves
    // behind, the next one mostly covers.
    let chunks = changes.len().div_ceil(prepared.plan.chunk);
    let members = |chunk: usize| (chunk..changes.len()).step_by(chunks);
    let workers = Mutex::new(Vec::new());
    let answers: Vec<Vec<f32>> = engine.pool.install(|| {
        let run = |chunk: usize| {
            let members: Vec<&Change> = members(chunk).map(|i| &changes[i]).collect();
            let mut answers = vec![0.0; members.len() * classes];
            let idle = workers.lock().unwrap_or_else(|e| e.into_inner()).pop();
            let mut worker = idle.unwrap_or_else(|| sweep.worker());
            sweep.run(&mut worker, &members, &mut answers);
            workers.lock().unwrap_or_else(|e| e.into_inner()).push(worker);
            answers
        };
        (0..chunks).into_par_iter().map(run).collect()
    });
    let workers = workers.into_inner().unwrap_or_else(|e| e.into_inner());
    workers.into_iter().for_each(|worker| prepared.give_back(worker.workspace));
    let answer = |i: usize| {
        let (chunk, slot) = (i % chunks, i / chunks);
        &answers[chunk][slot * classes..(slot + 1) * classes]
    };
    let mut unchanged = vec![0.0; classes];
    engine.read(&sweep.base[sweep.output], output, &mut unchanged);
    for (result, change) in results.chunks_exact_mut(classes).zip(of_edit) {
        result.copy_from_slice(match change {
            Some(i) => answer(i),
            None => &unchanged,
        });
    }
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

/// What all chunks of a sweep share.
struct Sweep<'a> {
    engine: &'a Engine,
    prepared: &'a Arc<Prepared>,
    node: NodeId,
    /// Buffers of the input and of the output.
    input: usize,
    output: usize,
    /// The base image's activations.
    base: Vec<Vec<f32>>,
    /// Height, width and channels of each buffer.
    sizes: Vec<[usize; 3]>,
}

/// A workspace, and where it differs from the base: for each buffer, for each image of the chunk.
struct Worker {
    workspace: Workspace,
    stale: Vec<Vec<Region>>,
}

impl<'a> Sweep<'a> {
    fn new(
        engine: &'a Engine,
        prepared: &'a Arc<Prepared>,
        node: NodeId,
        image: &[f32],
    ) -> Sweep<'a> {
        let plan = &prepared.plan;
        let input = plan.buffer_of_input();
        let base = prepared.with_workspace(|ws| {
            ws.values[input][..image.len()].copy_from_slice(image);
            let run = Run { n: 1, first: 0, training: false, seed: 0, split: 1 };
            plan.forward(engine.layers(), ws, run, 0..plan.steps.len());
            let buffers = ws.values.iter().zip(&plan.lens);
            buffers.map(|(buffer, len)| buffer[..*len].to_vec()).collect()
        });
        let size = |step: &Step| match *engine.network().shape(NodeId(step.node)) {
            [channels, height, width] => [height, width, channels],
            ref shape => [1, 1, shape.iter().product()],
        };
        let sizes = plan.steps.iter().map(size).collect();
        Sweep { engine, prepared, node, input, output: plan.buffer(node), base, sizes }
    }

    /// A workspace full of the base.
    fn worker(&self) -> Worker {
        let plan = &self.prepared.plan;
        let mut workspace = self.prepared.take();
        for (buffer, base) in workspace.values.iter_mut().zip(&self.base) {
            buffer.chunks_exact_mut(base.len().max(1)).for_each(|copy| copy.copy_from_slice(base));
        }
        Worker { workspace, stale: vec![vec![Region::default(); plan.chunk]; plan.lens.len()] }
    }

    fn run(&self, worker: &mut Worker, changes: &[&Change], answers: &mut [f32]) {
        let plan = &self.prepared.plan;
        self.write_changes(worker, changes);
        for step in plan.steps.iter().filter(|step| step.output != self.input) {
            self.step(worker, step, changes.len());
        }
        self.engine.read(&worker.workspace.values[self.output], self.node, answers);
    }

    fn write_changes(&self, worker: &mut Worker, changes: &[&Change]) {
        let [_, width, channels] = self.sizes[self.input];
        for (slot, change) in changes.iter().enumerate() {
            self.put_back(worker, self.input, slot, Region::default());
            let len = self.base[self.input].len();
            let image = &mut worker.workspace.values[self.input][slot * len..(slot + 1) * len];
            let mut pixels = change.pixels.iter();
            for row in change.region.rows(width, channels) {
                image[row].iter_mut().zip(&mut pixels).for_each(|(x, p)| *x = f32::from_bits(*p));
            }
            worker.stale[self.input][slot] = change.region;
        }
    }

    /// Puts the base back where one image of a buffer is stale, but for what `new` will cover.
    fn put_back(&self, worker: &mut Worker, buffer: usize, slot: usize, new: Region) {
        let stale = std::mem::take(&mut worker.stale[buffer][slot]);
        let ([_, width, channels], base) = (self.sizes[buffer], &self.base[buffer]);
        let images = &mut worker.workspace.values[buffer];
        let image = &mut images[slot * base.len()..(slot + 1) * base.len()];
        for part in stale.without(new) {
            for row in part.rows(width, channels) {
                image[row.clone()].copy_from_slice(&base[row]);
            }
        }
    }

    fn step(&self, worker: &mut Worker, step: &Step, n: usize) {
        let layer = &self.engine.layers()[step.node];
        let [height, width, _] = self.sizes[step.output];
        let whole = Region::whole([height, width]);
        let reached: Vec<Region> = (0..n)
            .map(|slot| {
                let inputs = step.inputs.iter().map(|&i| worker.stale[i][slot]);
                let own = inputs
                    .map(|region| layer.reach(region).unwrap_or(whole))
                    .fold(Region::default(), Region::union);
                let added = step.then.iter().filter_map(|then| match then {
                    Then::Add(buffer) => Some(worker.stale[*buffer][slot]),
                    Then::Node(_) => None,
                });
                layer.aligned(added.fold(own, Region::union))
            })
            .collect();
        let image = self.engine.network().shape(NodeId(step.node)).len() == 3;
        let any = reached.iter().any(|region| !region.is_empty());
        let work: usize = reached.iter().map(|region| layer.work_alone(*region)).sum();
        let most = work as f64 > WHOLE * (n * layer.work(whole)) as f64;
        if any && (most || !image || layer.is_global()) {
            self.whole_step(worker, step, layer, n);
            // Stale is what the edits can have changed, no matter how much was computed.
            worker.stale[step.output][..n].copy_from_slice(&reached);
            return;
        }
        for (slot, region) in reached.into_iter().enumerate() {
            self.put_back(worker, step.output, slot, region);
            if !region.is_empty() {
                self.part_of_step(worker, step, layer, slot, region);
                worker.stale[step.output][slot] = region;
            }
        }
    }

    fn whole_step(&self, worker: &mut Worker, step: &Step, layer: &Layer, n: usize) {
        let plan = &self.prepared.plan;
        let Workspace { values, scratch, .. } = &mut worker.workspace;
        let (before, rest) = values.split_at_mut(step.output);
        let x = Inputs { buffers: before, place: None, ids: &step.inputs, lens: &plan.lens, n };
        let y = &mut rest[0][..n * plan.lens[step.output]];
        let run = Run { n, first: 0, training: false, seed: 0, split: 1 };
        let post = |slot: usize, first: usize, part: &mut [f32]| {
            plan.finish(self.engine.layers(), step, before, [slot, first], part);
        };
        layers::forward(layer, plan.isa, run, x, y, step.relu, scratch, &post);
    }

    fn part_of_step(
        &self,
        worker: &mut Worker,
        step: &Step,
        layer: &Layer,
        slot: usize,
        region: Region,
    ) {
        let plan = &self.prepared.plan;
        let Workspace { values, scratch, .. } = &mut worker.workspace;
        let (before, rest) = values.split_at_mut(step.output);
        let x = Inputs {
            buffers: before,
            place: None,
            ids: &step.inputs,
            lens: &plan.lens,
            n: plan.chunk,
        };
        let len = plan.lens[step.output];
        let y = &mut rest[0][slot * len..(slot + 1) * len];
        let run = Run { n: 1, first: 0, training: false, seed: 0, split: 1 };
        let size = self.sizes[step.output];
        region::forward_region(layer, plan.isa, run, x, slot, y, size, region, step.relu, scratch);
        if !step.then.is_empty() {
            for row in region.rows(size[1], size[2]) {
                let first = row.start / size[2];
                plan.finish(self.engine.layers(), step, before, [slot, first], &mut y[row]);
            }
        }
    }
}
