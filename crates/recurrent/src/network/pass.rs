//! One pass of some sequences through a network: answers, and derivatives by everything.
//!
//! Where a window is given, at most that many steps are held at once. Earlier windows run forward and hand on
//! their states, which count as given: no derivative flows from one window into the one before (truncated
//! backpropagation through time). A network that answers from its last state therefore learns from the last
//! window alone; one that answers from the mean or the maximum, or at every step, learns from every window,
//! each on its own. For mean and maximum the windows run forward twice, since the answer is known only at
//! the end.

use cutaway_data::sequences::{Sequences, Targets};

use super::architecture::Readout;
use super::compiled::Compiled;
use super::gradient::Gradient;
use super::head;
use super::packed::{Packed, Window};
use super::readout::Features;
use super::stack::Stack;
use crate::error::Result;
use crate::training::loss::{Judge, Tally};

/// What a pass needs, kept from batch to batch.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) packed: Packed,
    pub(crate) stack: Stack,
    features: Features,
    logits: Vec<f32>,
    by_logits: Vec<f32>,
    asked: Vec<Asked>,
    /// The states before each window.
    kept: Vec<Vec<cutaway_engine::cells::Start>>,
}

/// An answer that is asked for at a step.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// In the window.
    row: usize,
    /// The member of the pack, and where in it.
    member: usize,
    step: usize,
    class: usize,
}

/// How a pass is to be judged.
#[derive(Clone, Copy)]
pub(crate) struct Judged<'a> {
    pub(crate) judge: &'a Judge,
    /// What every loss is multiplied by.
    pub(crate) scale: f64,
    /// Steps held at once.
    pub(crate) window: Option<usize>,
}

impl Workspace {
    /// Adds the derivatives of a pack's losses to `gradient`.
    pub(crate) fn learn(
        &mut self,
        net: &Compiled,
        data: &Sequences,
        members: &[usize],
        how: Judged<'_>,
        gradient: &mut Gradient,
    ) -> Result<Tally> {
        let windows = self.prepare(net, data, members, how.window)?;
        if net.architecture.readout == Readout::EveryStep {
            return Ok(self.learn_every_step(net, data, &windows, how, gradient));
        }
        self.forward(net, &windows, true);
        let tally = self.judge(data, how);
        self.head_back(net, gradient);
        self.back(net, &windows, gradient);
        Ok(tally)
    }

    /// Calls with each member, its step (`None` where one answer is for the whole sequence) and the answer,
    /// `[outputs]`.
    pub(crate) fn answer(
        &mut self,
        net: &Compiled,
        data: &Sequences,
        members: &[usize],
        window: Option<usize>,
        mut call: impl FnMut(usize, Option<usize>, &[f32]),
    ) -> Result<()> {
        let windows = self.prepare(net, data, members, window)?;
        let outputs = net.architecture.outputs;
        if net.architecture.readout != Readout::EveryStep {
            self.forward(net, &windows, false);
            let answers = self.logits.chunks_exact(outputs);
            answers.zip(&self.packed.members).for_each(|(answer, &i)| call(i, None, answer));
            return Ok(());
        }
        for (k, window) in windows.iter().enumerate() {
            self.stack.forward(net, &self.packed, window);
            self.ask(net, window, |_, _| Some(0));
            self.answer_asked(net);
            for (asked, answer) in self.asked.iter().zip(self.logits.chunks_exact(outputs)) {
                call(asked.member, Some(asked.step), answer);
            }
            self.carry(net, &windows, k);
        }
        Ok(())
    }

    /// Goes back from `seed`, the derivative by the answers `[members in packed order, outputs]`, through a whole pack
    /// that is read at once and answered once.
    pub(crate) fn back_from(
        &mut self,
        net: &Compiled,
        data: &Sequences,
        members: &[usize],
        mut seed: impl FnMut(usize, &[f32], &mut [f32]),
        gradient: &mut Gradient,
    ) -> Result<()> {
        let windows = self.prepare(net, data, members, None)?;
        self.forward(net, &windows, false);
        self.by_logits.clear();
        self.by_logits.resize(self.logits.len(), 0.0);
        let outputs = net.architecture.outputs;
        let answers =
            self.logits.chunks_exact(outputs).zip(self.by_logits.chunks_exact_mut(outputs));
        answers.zip(&self.packed.members).for_each(|((answer, by), &i)| seed(i, answer, by));
        self.head_back(net, gradient);
        self.back(net, &windows, gradient);
        Ok(())
    }

    fn prepare(
        &mut self,
        net: &Compiled,
        data: &Sequences,
        members: &[usize],
        window: Option<usize>,
    ) -> Result<Vec<Window>> {
        self.packed.fill(&net.architecture, data, members)?;
        self.stack.reset(net);
        Ok(Window::cut(self.packed.steps(), window))
    }

    /// All windows, then the head.
    fn forward(&mut self, net: &Compiled, windows: &[Window], keep: bool) {
        let a = &net.architecture;
        self.features.start(a, self.packed.members.len());
        self.kept.clear();
        let keep = keep && windows.len() > 1 && a.readout != Readout::Last;
        for (k, window) in windows.iter().enumerate() {
            if keep {
                self.kept.push(self.stack.starts.clone());
            }
            self.stack.forward(net, &self.packed, window);
            if a.readout != Readout::Last || k + 1 == windows.len() {
                self.features.gather(a, &self.stack, window);
            }
            self.carry(net, windows, k);
        }
        self.features.finish(a, &self.packed);
        head::forward(&net.head_weight, &net.head_bias, &self.features.values, &mut self.logits);
    }

    fn carry(&mut self, net: &Compiled, windows: &[Window], k: usize) {
        if let Some(next) = windows.get(k + 1) {
            self.stack.carry(net, &windows[k], &next.steps);
        }
    }

    fn judge(&mut self, data: &Sequences, how: Judged<'_>) -> Tally {
        let mut tally = Tally::default();
        let outputs = self.logits.len() / self.packed.members.len();
        self.by_logits.clear();
        self.by_logits.resize(self.logits.len(), 0.0);
        let answers =
            self.logits.chunks_exact(outputs).zip(self.by_logits.chunks_exact_mut(outputs));
        for (&member, (answer, by)) in self.packed.members.iter().zip(answers) {
            tally.add(match &data.targets {
                Targets::Classes { labels, .. } => {
                    how.judge.class(answer, labels[member], how.scale, by)
                }
                Targets::Numbers(numbers) => {
                    how.judge.number(answer[0], numbers[member], how.scale, &mut by[0])
                }
                Targets::Steps { .. } => {
                    unreachable!("checked: answers at steps are for such targets")
                }
            });
        }
        tally
    }

    fn head_back(&mut self, net: &Compiled, gradient: &mut Gradient) {
        head::backward(
            &net.head_weight,
            &self.features.values,
            &self.by_logits,
            &mut self.features.by_values,
            &mut gradient.head_weight,
            &mut gradient.head_bias,
        );
    }

    fn back(&mut self, net: &Compiled, windows: &[Window], gradient: &mut Gradient) {
        let a = &net.architecture;
        self.features.start_back(a, &self.packed);
        for (k, window) in windows.iter().enumerate().rev() {
            let last = k + 1 == windows.len();
            if !last {
                // Only where earlier windows count: the last one's tapes are still there.
                let Some(starts) = self.kept.get(k) else { break };
                self.stack.starts.clone_from(starts);
                self.stack.forward(net, &self.packed, window);
            }
            self.features.scatter(a, &mut self.stack, window);
            self.stack.backward(net, &self.packed, window, gradient);
        }
    }

    fn learn_every_step(
        &mut self,
        net: &Compiled,
        data: &Sequences,
        windows: &[Window],
        how: Judged<'_>,
        gradient: &mut Gradient,
    ) -> Tally {
        let Targets::Steps { labels, .. } = &data.targets else {
            unreachable!("checked: answers at steps are for targets at steps")
        };
        let mut tally = Tally::default();
        for (k, window) in windows.iter().enumerate() {
            self.stack.forward(net, &self.packed, window);
            self.ask(net, window, |member, step| labels[member][step].map(usize::from));
            self.answer_asked(net);
            let outputs = net.architecture.outputs;
            self.by_logits.clear();
            self.by_logits.resize(self.logits.len(), 0.0);
            let by = self.by_logits.chunks_exact_mut(outputs);
            let answers = self.logits.chunks_exact(outputs).zip(by);
            for (asked, (answer, by)) in self.asked.iter().zip(answers) {
                tally.add(how.judge.class(answer, asked.class, how.scale, by));
            }
            self.head_back(net, gradient);
            self.scatter_asked(net, window);
            self.stack.backward(net, &self.packed, window, gradient);
            self.carry(net, windows, k);
        }
        tally
    }

    /// Lists the answers that are asked for in a window, in the order in which the first way of reading meets them.
    fn ask(
        &mut self,
        net: &Compiled,
        window: &Window,
        class: impl Fn(usize, usize) -> Option<usize>,
    ) {
        self.asked.clear();
        let longest = self.packed.steps().len();
        let reversed = net.architecture.is_reversed(0);
        for t in window.range.clone() {
            let rows = self.packed.steps().rows_of(t);
            for row in rows.clone() {
                let i = row - rows.start;
                let step = match reversed {
                    true => longest - 1 - t,
                    false => t + self.packed.lengths[i] - longest,
                };
                let member = self.packed.members[i];
                if let Some(class) = class(member, step) {
                    self.asked.push(Asked { row: row - window.rows.start, member, step, class });
                }
            }
        }
    }

    fn answer_asked(&mut self, net: &Compiled) {
        let a = &net.architecture;
        let (n, top) = (a.hidden, (a.layers - 1) * a.directions());
        self.features.values.clear();
        for asked in &self.asked {
            for which in 0..a.directions() {
                // Both ways: then the window is the whole pack.
                let row = if which == 0 { asked.row } else { self.packed.partner[asked.row] };
                let states = self.stack.tapes[top + which].states();
                self.features.values.extend_from_slice(&states[row * n..(row + 1) * n]);
            }
        }
        head::forward(&net.head_weight, &net.head_bias, &self.features.values, &mut self.logits);
    }

    fn scatter_asked(&mut self, net: &Compiled, window: &Window) {
        let a = &net.architecture;
        let (n, top) = (a.hidden, (a.layers - 1) * a.directions());
        for which in 0..a.directions() {
            let by_states = &mut self.stack.by_states[top + which];
            by_states.clear();
            by_states.resize(window.steps.rows() * n, 0.0);
            let by_values = self.features.by_values.chunks_exact(a.features());
            for (asked, by) in self.asked.iter().zip(by_values) {
                let row = if which == 0 { asked.row } else { self.packed.partner[asked.row] };
                by_states[row * n..(row + 1) * n].copy_from_slice(&by[which * n..(which + 1) * n]);
            }
        }
    }
}
