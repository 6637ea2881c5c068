//! The recurrent layers of a pass: forward through a window of a pack, and back.

use cutaway_engine::cells::{Input, InputGradient, Start, Steps, Tape};

use super::compiled::Compiled;
use super::gradient::Gradient;
use super::packed::{Packed, Window};

/// The buffers of all layers, kept from batch to batch. Everything is `[layers · directions]`.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    pub(crate) tapes: Vec<Tape>,
    /// The states before the window.
    pub(crate) starts: Vec<Start>,
    /// The derivative by each state as far as it is used outside its layer, `[rows, hidden]`; where only the last ones are,
    /// `[sequences, hidden]`.
    pub(crate) by_states: Vec<Vec<f32>>,
    /// What layers read that stand above two ways of reading, `[rows, 2 · hidden]`.
    joined: Vec<Vec<f32>>,
    /// The derivatives by that.
    by_joined: [Vec<f32>; 2],
    /// Where wanted, the derivatives by what the first layer reads, for each way of reading: then symbols are read
    /// as the values of their embedding.
    pub(crate) by_inputs: Option<[Vec<f32>; 2]>,
    embedded: [Vec<f32>; 2],
}

impl Stack {
    /// Makes room, and starts from zeros.
    pub(crate) fn reset(&mut self, net: &Compiled) {
        let count = net.layers.len();
        self.tapes.resize_with(count, Tape::default);
        self.by_states.resize_with(count, Vec::new);
        self.joined.resize_with(count, Vec::new);
        self.starts.resize_with(count, Start::default);
        for start in &mut self.starts {
            start.h.clear();
            start.c.clear();
        }
    }

    /// Runs the layers over a window; the tapes then hold it.
    pub(crate) fn forward(&mut self, net: &Compiled, packed: &Packed, window: &Window) {
        let a = &net.architecture;
        let directions = a.directions();
        for layer in 0..a.layers {
            if layer > 0 && directions == 2 {
                self.join(layer, a.hidden, &packed.partner);
            }
            for which in 0..directions {
                let index = layer * directions + which;
                if layer == 0 && self.by_inputs.is_some() {
                    self.embed(net, packed, window, which);
                }
                let (below, here) = self.tapes.split_at_mut(index);
                let input = match layer {
                    0 => first_input(net, packed, window, which, &self.embedded[which]),
                    _ if directions == 2 => Input::Values(&self.joined[index]),
                    _ => Input::Values(below[index - 1].states()),
                };
                net.layers[index].forward(input, &window.steps, &self.starts[index], &mut here[0]);
            }
        }
    }

    /// Goes back through the window that the tapes hold, from what [`Self::by_states`] says of the last layer.
    pub(crate) fn backward(
        &mut self,
        net: &Compiled,
        packed: &Packed,
        window: &Window,
        gradient: &mut Gradient,
    ) {
        let a = &net.architecture;
        let directions = a.directions();
        for layer in (0..a.layers).rev() {
            for which in (0..directions).rev() {
                let index = layer * directions + which;
                let (below, here) = self.tapes.split_at_mut(index);
                let (by_below, by_here) = self.by_states.split_at_mut(index);
                let rows = window.steps.rows();
                let (input, by_input) = match layer {
                    0 => {
                        let input = first_input(net, packed, window, which, &self.embedded[which]);
                        let wanted = self.by_inputs.as_mut().map(|by| &mut by[which]);
                        let by_input = match (input, wanted) {
                            (_, Some(by)) => values(by, rows * a.inputs()),
                            (Input::Symbols { .. }, None) => {
                                InputGradient::Table(&mut gradient.tables[which])
                            }
                            (Input::Values(_), None) => InputGradient::None,
                        };
                        (input, by_input)
                    }
                    _ if directions == 2 => (
                        Input::Values(&self.joined[index]),
                        values(&mut self.by_joined[which], rows * 2 * a.hidden),
                    ),
                    _ => (
                        Input::Values(below[index - 1].states()),
                        values(&mut by_below[index - 1], rows * a.hidden),
                    ),
                };
                net.layers[index].backward(
                    input,
                    &window.steps,
                    &self.starts[index],
                    &mut here[0],
                    &by_here[0],
                    &mut gradient.layers[index],
                    by_input,
                );
            }
            if layer > 0 && directions == 2 {
                self.part(layer, a.hidden, &packed.partner);
            }
        }
    }

    /// Takes the states at the window's end for the start of the next.
    pub(crate) fn carry(&mut self, net: &Compiled, window: &Window, next: &Steps) {
        for (start, tape) in self.starts.iter_mut().zip(&self.tapes) {
            *start = tape.end(&window.steps);
            // Those that begin at the very first step of the next window begin from zeros.
            let values = next.counts()[0] * net.architecture.hidden;
            start.h.resize(values, 0.0);
            if !start.c.is_empty() {
                start.c.resize(values, 0.0);
            }
        }
    }

    /// Puts the states of both ways of reading side by side, in the order of each.
    fn join(&mut self, layer: usize, hidden: usize, partner: &[usize]) {
        let below = 2 * (layer - 1);
        for which in 0..2 {
            let (own, other) = (&self.tapes[below + which], &self.tapes[below + 1 - which]);
            let out = &mut self.joined[2 * layer + which];
            out.clear();
            for (row, own) in own.states().chunks_exact(hidden).enumerate() {
                let other = &other.states()[partner[row] * hidden..][..hidden];
                let [forward, reverse] = if which == 0 { [own, other] } else { [other, own] };
                out.extend_from_slice(forward);
                out.extend_from_slice(reverse);
            }
        }
    }

    /// The way back from [`Self::join`].
    fn part(&mut self, layer: usize, hidden: usize, partner: &[usize]) {
        let below = 2 * (layer - 1);
        for which in 0..2 {
            let half = which * hidden;
            let (own, other) = (&self.by_joined[which], &self.by_joined[1 - which]);
            let out = &mut self.by_states[below + which];
            out.clear();
            for (row, &partner) in partner.iter().enumerate() {
                let own = &own[row * 2 * hidden + half..][..hidden];
                let other = &other[partner * 2 * hidden + half..][..hidden];
                out.extend(own.iter().zip(other).map(|(a, b)| a + b));
            }
        }
    }

    fn embed(&mut self, net: &Compiled, packed: &Packed, window: &Window, which: usize) {
        let width = net.architecture.inputs();
        let out = &mut self.embedded[which];
        out.clear();
        if !net.embedding.is_empty() {
            for &symbol in &packed.symbols[which][window.rows.clone()] {
                out.extend_from_slice(&net.embedding[usize::from(symbol) * width..][..width]);
            }
        }
    }
}

fn values(by: &mut Vec<f32>, size: usize) -> InputGradient<'_> {
    by.resize(size, 0.0);
    InputGradient::Values(by)
}

fn first_input<'a>(
    net: &'a Compiled,
    packed: &'a Packed,
    window: &Window,
    which: usize,
    embedded: &'a [f32],
) -> Input<'a> {
    if !embedded.is_empty() {
        Input::Values(embedded)
    } else if net.tables.is_empty() {
        let width = net.architecture.inputs();
        Input::Values(&packed.values[which][window.rows.start * width..window.rows.end * width])
    } else {
        Input::Symbols {
            symbols: &packed.symbols[which][window.rows.clone()],
            table: &net.tables[which],
        }
    }
}
