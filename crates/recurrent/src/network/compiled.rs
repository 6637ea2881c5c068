//! A network laid out for running.

use cutaway_engine::Isa;
use cutaway_engine::cells::{Layer, Parameters};

use super::architecture::Architecture;
use super::gradient::table;
use super::network::Network;
use crate::error::Result;

/// A network's weights as the layers want them, to be loaded anew after every step of training.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) architecture: Architecture,
    /// `[layers · directions]`
    pub(crate) layers: Vec<Layer>,
    /// What each symbol gives to the gates of the first layer, for each way of reading.
    pub(crate) tables: Vec<Vec<f32>>,
    pub(crate) embedding: Vec<f32>,
    pub(crate) head_weight: Vec<f32>,
    pub(crate) head_bias: Vec<f32>,
    /// Copies on their way to the layers.
    weights: Vec<Parameters>,
}

impl Compiled {
    pub(crate) fn new(network: &Network, isa: Isa) -> Result<Compiled> {
        let a = network.architecture();
        let places = (0..a.layers).flat_map(|layer| (0..a.directions()).map(move |w| (layer, w)));
        let weights: Vec<Parameters> = places.map(|(layer, w)| network.layer(layer, w)).collect();
        let layers =
            weights.iter().map(|w| Layer::new(a.cell, w, isa)).collect::<Result<_, _>>()?;
        let (head_weight, head_bias) = network.head();
        let mut compiled = Compiled {
            architecture: a.clone(),
            layers,
            tables: vec![
                Vec::new();
                if network.embedding().is_empty() { 0 } else { a.directions() }
            ],
            embedding: network.embedding().to_vec(),
            head_weight: head_weight.to_vec(),
            head_bias: head_bias.to_vec(),
            weights,
        };
        compiled.make_tables();
        Ok(compiled)
    }

    /// Takes the values of a network of the same architecture.
    pub(crate) fn load(&mut self, network: &Network) -> Result<()> {
        let directions = self.architecture.directions();
        for (index, weights) in self.weights.iter_mut().enumerate() {
            network.copy_layer(index / directions, index % directions, weights);
            self.layers[index].load(weights)?;
        }
        let (weight, bias) = network.head();
        self.head_weight.copy_from_slice(weight);
        self.head_bias.copy_from_slice(bias);
        self.embedding.copy_from_slice(network.embedding());
        self.make_tables();
        Ok(())
    }

    fn make_tables(&mut self) {
        for (out, weights) in self.tables.iter_mut().zip(&self.weights) {
            table(&self.embedding, weights, out);
        }
    }
}
