//! The derivatives by a network's parameters, summed chunk by chunk in a fixed order.

use cutaway_engine::cells::Parameters;

use super::architecture::{Architecture, Reads};
use super::head::{add_scaled, dot};
use super::network::Network;

/// Derivatives in the form in which the layers give them.
#[derive(Clone, Debug)]
pub(crate) struct Gradient {
    /// By what each symbol gives to the gates of the first layer, `[symbols, gates · hidden]`, for each way of reading;
    /// none where values are read.
    pub(crate) tables: Vec<Vec<f32>>,
    /// `[layers · directions]`; the first layer's `weight_ih` and `bias_ih` stay zero beside tables.
    pub(crate) layers: Vec<Parameters>,
    pub(crate) head_weight: Vec<f32>,
    pub(crate) head_bias: Vec<f32>,
}

impl Gradient {
    pub(crate) fn zeros(a: &Architecture) -> Gradient {
        let table = |count: usize| vec![0.0; count * a.cell.gates() * a.hidden];
        let tables = match a.reads {
            Reads::Symbols { count, .. } => vec![table(count); a.directions()],
            Reads::Values { .. } => Vec::new(),
        };
        let layer =
            |index: usize| Parameters::zeros(a.cell, a.inputs_of(index / a.directions()), a.hidden);
        Gradient {
            tables,
            layers: (0..a.layers * a.directions()).map(layer).collect(),
            head_weight: vec![0.0; a.outputs * a.features()],
            head_bias: vec![0.0; a.outputs],
        }
    }

    pub(crate) fn clear(&mut self) {
        self.arrays_mut().for_each(|array| array.fill(0.0));
    }

    pub(crate) fn add(&mut self, other: &mut Gradient) {
        for (array, other) in self.arrays_mut().zip(other.arrays_mut()) {
            add_scaled(array, 1.0, other);
        }
    }

    fn arrays_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let layers = self.layers.iter_mut().flat_map(Parameters::arrays_mut);
        let head = [&mut self.head_weight[..], &mut self.head_bias[..]];
        self.tables.iter_mut().map(Vec::as_mut_slice).chain(layers).chain(head)
    }

    /// Writes the derivatives by the parameters themselves, in the order of [`Network::values`].
    pub(crate) fn flatten(&self, network: &Network, out: &mut [f32]) {
        let a = network.architecture();
        for (index, layer) in self.layers.iter().enumerate() {
            let parts = network.layer_parts(index / a.directions(), index % a.directions());
            for (array, part) in layer.arrays().into_iter().zip(parts) {
                out[part.range.clone()].copy_from_slice(array);
            }
        }
        let [weight, bias] = network.head_ranges();
        out[weight].copy_from_slice(&self.head_weight);
        out[bias].copy_from_slice(&self.head_bias);
        if let Reads::Symbols { embedding, .. } = a.reads {
            out[network.parts()[0].range.clone()].fill(0.0);
            self.tables.iter().enumerate().for_each(|(which, table)| {
                tables_back(network, which, table, embedding, out);
            });
        }
    }
}

/// From the derivatives by the table `E W_ihᵀ + b_ih` to those by `E` (added, as every way of reading has its share),
/// `W_ih` and `b_ih`.
fn tables_back(network: &Network, which: usize, by: &[f32], width: usize, out: &mut [f32]) {
    let [weight, _, bias, _] = network.layer_parts(0, which) else { return };
    let rows = bias.range.len();
    let (embedding, first) = (network.embedding(), network.parts()[0].range.start);
    let matrix = &network.values()[weight.range.clone()];
    out[weight.range.clone()].fill(0.0);
    out[bias.range.clone()].fill(0.0);
    for (symbol, by) in by.chunks_exact(rows).enumerate() {
        if by.iter().all(|&d| d == 0.0) {
            continue; // symbols that did not occur
        }
        add_scaled(&mut out[bias.range.clone()], 1.0, by);
        let place = symbol * width..(symbol + 1) * width;
        for (r, &d) in by.iter().enumerate() {
            let row = r * width..(r + 1) * width;
            let by_weight = &mut out[weight.range.start + row.start..weight.range.start + row.end];
            add_scaled(by_weight, d, &embedding[place.clone()]);
            let by_symbol = &mut out[first + place.start..first + place.end];
            add_scaled(by_symbol, d, &matrix[row]);
        }
    }
}

/// What each symbol gives to the gates of the first layer: `E W_ihᵀ + b_ih`, `[symbols, gates · hidden]`.
pub(crate) fn table(embedding: &[f32], weights: &Parameters, out: &mut Vec<f32>) {
    let width = weights.inputs;
    out.clear();
    for symbol in embedding.chunks_exact(width) {
        let rows = weights.weight_ih.chunks_exact(width).zip(&weights.bias_ih);
        out.extend(rows.map(|(row, bias)| bias + dot(row, symbol)));
    }
}
