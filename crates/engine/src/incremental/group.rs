//! One group of edits on its way through the layers.

use std::borrow::Cow;

use super::patches::{Patched, Patches};
use super::{Change, Sweep};
use crate::kernels::tail::Tail;
use crate::layers::region::Region;
use crate::layers::{self, Inputs, Layer, Run, conv};
use crate::plan::{Step, Then};

/// Above this share of a layer's work it is computed whole: nothing need be cut out, then.
const WHOLE: f64 = 0.9;

/// Memory that groups use again.
#[derive(Default)]
pub(super) struct Worker {
    idle: Vec<Vec<f32>>,
    scratch: Vec<f32>,
}

impl Worker {
    /// Memory for `len` numbers: the tightest that holds them, or else the largest, which grows.
    fn take(&mut self, len: usize) -> Vec<f32> {
        let places = 0..self.idle.len();
        let tight = places.clone().filter(|&i| self.idle[i].len() >= len);
        let tight = tight.min_by_key(|&i| self.idle[i].len());
        let best = tight.or_else(|| places.max_by_key(|&i| self.idle[i].len()));
        best.map_or_else(Vec::new, |i| self.idle.swap_remove(i))
    }

    fn give_back(&mut self, patches: Patches) {
        if !patches.values.is_empty() {
            self.idle.push(patches.values);
        }
    }
}

/// The values of a group of edits, for each buffer as long as it is needed.
pub(super) struct Group<'a> {
    sweep: &'a Sweep<'a>,
    patches: Vec<Patches>,
    n: usize,
}

impl<'a> Group<'a> {
    /// Runs the edits through all layers.
    pub(super) fn run(sweep: &'a Sweep<'a>, worker: &mut Worker, changes: &[Change]) -> Group<'a> {
        let n = changes.len();
        let patches = sweep.sizes.iter().map(|_| Patches::default()).collect();
        let mut group = Group { sweep, patches, n };
        group.patches[sweep.input] = group.write_changes(worker, changes);
        for (at, step) in sweep.plan().steps.iter().enumerate() {
            if step.output != sweep.input {
                let patches = group.step(worker, step);
                group.patches[step.output] = patches;
            }
            for &buffer in &sweep.last_reads[at] {
                worker.give_back(std::mem::take(&mut group.patches[buffer]));
            }
        }
        group
    }

    /// Gives its memory back.
    pub(super) fn finish(self, worker: &mut Worker) {
        self.patches.into_iter().for_each(|patches| worker.give_back(patches));
    }

    fn write_changes(&self, worker: &mut Worker, changes: &[Change]) -> Patches {
        let regions: Vec<Region> = changes.iter().map(|change| change.region).collect();
        let len: usize = changes.iter().map(|change| change.pixels.len()).sum();
        let channels = self.sweep.sizes[self.sweep.input][2];
        let mut patches = Patches::new(regions.clone(), regions, channels, worker.take(len));
        for (slot, change) in changes.iter().enumerate() {
            let pixels = patches.of_mut(slot).iter_mut().zip(&change.pixels);
            pixels.for_each(|(x, bits)| *x = f32::from_bits(*bits));
        }
        patches
    }

    /// The value of a buffer.
    fn value(&self, buffer: usize) -> Patched<'_> {
        let (base, size) = (self.sweep.base(buffer), self.sweep.sizes[buffer]);
        Patched { base, size, patches: &self.patches[buffer] }
    }

    /// All of a buffer's value, for each edit.
    fn whole(&self, buffer: usize) -> Cow<'_, [f32]> {
        let value = self.value(buffer);
        let [height, width, _] = value.size;
        value.regions(&vec![Region::whole([height, width]); self.n])
    }

    /// Copies one edit's value of a kept buffer, `[height, width, channels]`.
    pub(super) fn read(&self, buffer: usize, slot: usize, out: &mut [f32]) {
        let value = self.value(buffer);
        let [height, width, _] = value.size;
        value.copy(slot, Region::whole([height, width]).into(), width, out);
    }

    fn step(&self, worker: &mut Worker, step: &Step) -> Patches {
        let sweep = self.sweep;
        let layer = &sweep.engine.layers()[step.node];
        let of = |slot: usize| sweep.reached(step, |buffer| self.patches[buffer].reached[slot]);
        let reached: Vec<Region> = (0..self.n).map(of).collect();
        let [height, width, channels] = sweep.sizes[step.output];
        let whole = Region::whole([height, width]);
        let work: usize = reached.iter().map(|region| layer.work(*region)).sum();
        let foreign = !sweep.keeps_places(step);
        let most = work as f64 > WHOLE * (self.n * layer.work(whole)) as f64;
        let held = match work > 0 && (most || foreign || !layer.has_parts()) {
            true => vec![whole; self.n],
            false => reached.clone(),
        };
        let len: usize = held.iter().map(|region| region.area() * channels).sum();
        let mut patches = Patches::new(reached, held, channels, worker.take(len));
        if len > 0 {
            match foreign || !layer.has_parts() {
                true => self.compute_whole(worker, step, layer, &mut patches),
                false => self.compute_parts(worker, step, layer, &mut patches),
            }
            self.follow(step, &mut patches);
        }
        patches
    }

    /// All of the layer for all edits.
    fn compute_whole(&self, worker: &mut Worker, step: &Step, layer: &Layer, y: &mut Patches) {
        let (sweep, plan, n) = (self.sweep, self.sweep.plan(), self.n);
        let inputs = step.inputs.iter();
        let buffers: Vec<Vec<f32>> =
            inputs.map(|&buffer| self.whole(buffer).into_owned()).collect();
        let ids: Vec<usize> = (0..buffers.len()).collect();
        let lens: Vec<usize> = step.inputs.iter().map(|&buffer| plan.lens[buffer]).collect();
        let x = Inputs { buffers: &buffers, place: None, ids: &ids, lens: &lens, n };
        let run = Run { n, first: 0, training: false, seed: 0, split: 1 };
        let scratch = layer.scratch_len(n, false, 1);
        if worker.scratch.len() < scratch {
            worker.scratch.resize(scratch, 0.0);
        }
        let post = |_: usize, _: usize, _: &mut [f32]| {};
        let isa = sweep.engine.isa;
        let (tail, scratch) = (Tail::default(), &mut worker.scratch);
        layers::forward(layer, isa, run, x, y.all_mut(), step.relu, tail, scratch, &post);
    }

    /// What is held of the layer's output, no matter how much that is.
    fn compute_parts(&self, worker: &mut Worker, step: &Step, layer: &Layer, y: &mut Patches) {
        let slots: Vec<usize> = (0..self.n).filter(|&slot| !y.held[slot].is_empty()).collect();
        match layer {
            Layer::Conv(conv) => {
                let x = self.value(step.inputs[0]);
                let parts: Vec<Region> = slots.iter().map(|&slot| y.held[slot]).collect();
                let ready = (x.patches.held == y.held).then(|| x.patches.all());
                let copy = |part: usize, window, line, out: &mut [f32]| {
                    x.copy(slots[part], window, line, out);
                };
                let source = conv::Source { ready, copy: &copy };
                conv.forward_parts(&parts, &source, y.all_mut(), step.relu, &mut worker.scratch);
            }
            Layer::Pool(pool) => {
                let x = self.value(step.inputs[0]);
                for slot in slots {
                    let region = y.held[slot];
                    let seen = pool.seen(region);
                    let len = seen.area() * x.size[2];
                    if worker.scratch.len() < len {
                        worker.scratch.resize(len, 0.0);
                    }
                    let part = &mut worker.scratch[..len];
                    if len > 0 {
                        x.copy(slot, seen.into(), seen.right - seen.left, part);
                    }
                    pool.forward_part(part, seen, y.of_mut(slot), region);
                }
            }
            Layer::Plain(plain) => {
                for slot in slots {
                    let region = y.held[slot];
                    let (mut seen, mut inputs) = (Vec::new(), Vec::new());
                    for (which, &buffer) in step.inputs.iter().enumerate() {
                        let x = self.value(buffer);
                        let [height, width, channels] = x.size;
                        let part = plain.seen(which, region, [height, width]);
                        let mut copy = vec![0.0; part.area() * channels];
                        if !part.is_empty() {
                            x.copy(slot, part.into(), part.right - part.left, &mut copy);
                        }
                        seen.push(part);
                        inputs.push(copy);
                    }
                    plain.forward_part(&inputs, &seen, y.of_mut(slot), region);
                }
            }
            // The others work pixel by pixel: all parts together are one image.
            _ => {
                let buffers: Vec<Vec<f32>> = step
                    .inputs
                    .iter()
                    .map(|&buffer| self.value(buffer).regions(&y.held).into_owned())
                    .collect();
                let ids: Vec<usize> = (0..buffers.len()).collect();
                let lens: Vec<usize> = buffers.iter().map(Vec::len).collect();
                let x = Inputs { buffers: &buffers, place: None, ids: &ids, lens: &lens, n: 1 };
                let run = Run { n: 1, first: 0, training: false, seed: 0, split: 1 };
                let pixels = 0..y.held.iter().map(Region::area).sum();
                let isa = self.sweep.engine.isa;
                layers::forward_pixels(layer, isa, run, x, 0, pixels, y.all_mut());
            }
        }
    }

    /// What the plan does to the output in place.
    fn follow(&self, step: &Step, y: &mut Patches) {
        let (engine, len) = (self.sweep.engine, y.len());
        for then in &step.then {
            match *then {
                Then::Node(node) => engine.layers()[node].apply_in_place(engine.isa, y.all_mut()),
                Then::Add(buffer) => {
                    if self.sweep.keeps_places(step) {
                        let held = std::mem::take(&mut y.held);
                        self.value(buffer).add(engine.isa, &held, &mut y.values[..len]);
                        y.held = held;
                    } else {
                        layers::pointwise::add(engine.isa, &self.whole(buffer), y.all_mut());
                    }
                }
            }
        }
    }
}
