//! The number that an image is to make large.

use cutaway_net::{Network, NodeId, Op, Unary};
use serde::Serialize;

use crate::Error;
use crate::layers::axes;

/// What of a layer is maximised.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The mean of a channel's map. Of a layer that gives a vector, the channels are its features; of the
    /// logits, the classes.
    Channel(usize),
    /// One number of a channel's map.
    Unit {
        /// The channel.
        channel: usize,
        /// Row in the map.
        row: usize,
        /// Column in the map.
        col: usize,
    },
    /// A direction in the space of the channels: the mean over the map of the channels' sum, weighed by
    /// these, one a channel, which are first brought to length 1.
    Direction(Vec<f32>),
}

/// A target in a layer of a network.
#[derive(Clone, Debug)]
pub(crate) struct Objective {
    /// The node whose values are read, and where gradients start: below the layer's own ReLU.
    pub(crate) node: NodeId,
    shape: [usize; 3],
    /// What the layer's own ReLU leaves.
    bounds: Option<[f32; 2]>,
    /// Channels that count, and how much.
    weights: Vec<(usize, f64)>,
    /// The one place that counts.
    place: Option<usize>,
}

impl Objective {
    /// # Errors
    /// If the layer has no such channel or place, or a direction is not of its length, finite and other
    /// than 0.
    pub(crate) fn new(network: &Network, layer: NodeId, target: &Target) -> Result<Self, Error> {
        let shape = axes(network.shape(layer));
        let name = || network.node(layer).name.clone();
        let in_range = |channel: usize| match channel < shape[0] {
            true => Ok(()),
            false => {
                let count = shape[0];
                Err(Error::Channel { node: name(), what: "channels", channel, count })
            }
        };
        let (weights, place) = match target {
            Target::Channel(channel) => {
                in_range(*channel)?;
                (vec![(*channel, 1.0)], None)
            }
            &Target::Unit { channel, row, col } => {
                in_range(channel)?;
                if row >= shape[1] || col >= shape[2] {
                    let unit = [channel, row, col];
                    return Err(Error::Unit { node: name(), unit, shape });
                }
                (vec![(channel, 1.0)], Some(row * shape[2] + col))
            }
            Target::Direction(values) => (direction(&name(), shape[0], values)?, None),
        };
        let (node, bounds) = below_its_relu(network, layer);
        Ok(Objective { node, shape, bounds, weights, place })
    }

    /// Places of a map that count.
    fn places(&self) -> std::ops::Range<usize> {
        self.place.map_or(0..self.shape[1] * self.shape[2], |place| place..place + 1)
    }

    /// The number, of what the node gives for an image.
    pub(crate) fn value(&self, values: &[f32]) -> f64 {
        let area = self.shape[1] * self.shape[2];
        let places = self.places();
        let [low, high] = self.bounds.unwrap_or([f32::NEG_INFINITY, f32::INFINITY]);
        let sum = |map: &[f32]| map.iter().map(|v| f64::from(v.max(low).min(high))).sum::<f64>();
        let of = |&(channel, weight): &(usize, f64)| {
            weight * sum(&values[channel * area..][places.clone()])
        };
        self.weights.iter().map(of).sum::<f64>() / places.len() as f64
    }

    /// Adds `factor` times the derivatives of the number to `seeds`. Where the layer's ReLU lets nothing
    /// of it through, they are those without the ReLU, or nothing could ever change; and what a ReLU6 cuts
    /// off at the top goes on.
    pub(crate) fn add_seeds(&self, factor: f64, values: &[f32], seeds: &mut [f32]) {
        let area = self.shape[1] * self.shape[2];
        let places = self.places();
        let each = factor / places.len() as f64;
        let open = |v: f32| self.bounds.is_none_or(|[low, _]| v > low);
        let all = !self
            .weights
            .iter()
            .any(|&(channel, _)| values[channel * area..][places.clone()].iter().any(|&v| open(v)));
        for &(channel, weight) in &self.weights {
            let map = places.clone().map(|place| channel * area + place);
            for at in map.filter(|&at| all || open(values[at])) {
                seeds[at] += (weight * each) as f32;
            }
        }
    }
}

fn direction(layer: &str, channels: usize, values: &[f32]) -> Result<Vec<(usize, f64)>, Error> {
    let refuse = |problem: String| Err(Error::Setting(format!("the direction {problem}")));
    if values.len() != channels {
        let found = values.len();
        return refuse(format!("has {found} values, but '{layer}' has {channels} channels"));
    }
    if let Some(at) = values.iter().position(|v| !v.is_finite()) {
        return refuse(format!("has {} at place {at}; expected finite numbers", values[at]));
    }
    let length = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    if length == 0.0 {
        return refuse("is 0 everywhere: it points nowhere".to_owned());
    }
    let weights = values.iter().enumerate().filter(|(_, v)| **v != 0.0);
    Ok(weights.map(|(channel, &v)| (channel, f64::from(v) / length)).collect())
}

/// What a layer's own ReLU reads, and between which values that leaves it; the layer itself where it is
/// none.
fn below_its_relu(network: &Network, layer: NodeId) -> (NodeId, Option<[f32; 2]>) {
    let node = network.node(layer);
    match node.op {
        Op::Relu => (node.inputs[0], Some([0.0, f32::INFINITY])),
        Op::Unary(Unary::Clip { low, high }) => (node.inputs[0], Some([low, high])),
        _ => (layer, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_net::presets;

    #[test]
    fn derivatives_are_those_of_the_value_and_a_shut_relu_is_passed_by() {
        let network = presets::reference_cnn(1);
        let layer = network.find("relu3").unwrap();
        let shape = axes(network.shape(layer));
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| ((i * 37 % 101) as f32 - 50.5) / 20.0).collect();
        let weights: Vec<f32> = (0..shape[0]).map(|c| c as f32 - 20.0).collect();
        let unit = Target::Unit { channel: 5, row: 2, col: 7 };
        for target in [Target::Channel(3), unit, Target::Direction(weights)] {
            let objective = Objective::new(&network, layer, &target).unwrap();
            assert_eq!(network.node(objective.node).name, "conv3");
            let mut seeds = vec![0.0; count];
            objective.add_seeds(2.0, &values, &mut seeds);
            for at in 0..count {
                let mut shifted = values.clone();
                shifted[at] += 1e-2;
                let difference =
                    2.0 * (objective.value(&shifted) - objective.value(&values)) / 1e-2;
                assert!((f64::from(seeds[at]) - difference).abs() < 1e-4, "{target:?} {at}");
            }
        }
        let shut = vec![-1.0; count];
        let objective = Objective::new(&network, layer, &Target::Channel(3)).unwrap();
        assert_eq!(objective.value(&shut), 0.0);
        let mut seeds = vec![0.0; count];
        objective.add_seeds(1.0, &shut, &mut seeds);
        assert!((seeds.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_direction_counts_by_its_length_and_bad_ones_are_refused() {
        let network = presets::reference_cnn(1);
        let logits = network.logits();
        let one = |values: Vec<f32>| Objective::new(&network, logits, &Target::Direction(values));
        let mut difference = vec![0.0; 10];
        (difference[3], difference[8]) = (3.0, -3.0);
        let value = one(difference).unwrap().value(&[0., 0., 0., 5., 0., 0., 0., 0., 1., 0.]);
        assert!((value - 4.0 / 2f64.sqrt()).abs() < 1e-6);
        let text = |values: Vec<f32>| one(values).unwrap_err().to_string();
        assert!(text(vec![1.0; 9]).contains("has 9 values"));
        assert!(text(vec![0.0; 10]).contains("0 everywhere"));
        assert!(text([vec![1.0; 9], vec![f32::NAN]].concat()).contains("at place 9"));
        let layer = network.find("relu3").unwrap();
        assert!(Objective::new(&network, layer, &Target::Channel(64)).is_err());
        let unit = Target::Unit { channel: 0, row: 8, col: 0 };
        assert!(Objective::new(&network, layer, &unit).is_err());
    }
}
