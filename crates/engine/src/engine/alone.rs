//! One node of a network by itself, with its own weights or with changed ones.

use std::borrow::Cow;

use cutaway_net::NodeId;
use ndarray::ArrayD;
use rayon::prelude::*;

use super::{Engine, values_of};
use crate::kernels::tail::Tail;
use crate::layers::{self, Back, Inputs, Layer, Passes, Run, dense};
use crate::{Error, Result};

pub use crate::layers::dense::Change;

/// A node that is asked by itself, whatever its inputs. Arrays are `[N, …]` in the network's order, of the
/// shapes that its inputs and output have in the network.
///
/// Nothing is compiled anew: its layer is that of the engine. Where weights are changed they are made
/// ready for one pass at a time; those of a dense layer of few rows never are, but changed as they are
/// read.
pub struct Alone<'a> {
    engine: &'a Engine,
    id: NodeId,
    change: Option<Change<'a>>,
}

/// What a node is asked by.
enum Ready<'a> {
    Layer(Cow<'a, Layer>),
    Streamed(dense::Streamed<'a>),
}

impl Ready<'_> {
    /// Whether the gradient does not depend on the value.
    fn is_linear(&self) -> bool {
        match self {
            Ready::Streamed(_) => true,
            Ready::Layer(layer) => matches!(
                layer.as_ref(),
                Layer::Conv(_)
                    | Layer::Dense(_)
                    | Layer::BatchNorm(_)
                    | Layer::GlobalAverage { .. }
            ),
        }
    }
}

/// More rows of a dense layer's input are worth its weights' being made ready.
const FEW_ROWS: usize = 4;

impl Engine {
    /// A node by itself.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn alone(&self, id: NodeId) -> Result<Alone<'_>> {
        self.check_node(id)?;
        Ok(Alone { engine: self, id, change: None })
    }

    /// A node by itself, with other values of its parameters.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn alone_with<'a>(&'a self, id: NodeId, change: Change<'a>) -> Result<Alone<'a>> {
        Ok(Alone { change: Some(change), ..self.alone(id)? })
    }
}

impl Alone<'_> {
    /// The node's value.
    ///
    /// # Errors
    /// If an input is missing or has another shape.
    pub fn forward(&self, inputs: &[&ArrayD<f32>]) -> Result<ArrayD<f32>> {
        let n = self.check(inputs, None)?;
        let layer = self.ready(Passes::Forward);
        let values = self.each_image(n, |image, split| {
            let buffers = self.buffers(inputs, image);
            let y = self.value(&layer, &buffers, split);
            vec![self.in_order(&y, self.id)]
        });
        Ok(self.engine.array(n, self.id, values.into_iter().flatten().flatten().collect()))
    }

    /// The transposed Jacobian at `inputs` times `received`, for the inputs at the `wanted` places.
    ///
    /// # Errors
    /// If an input is missing, or an array has another shape.
    ///
    /// # Panics
    /// If a wanted place is none of the node's.
    pub fn backward(
        &self,
        inputs: &[&ArrayD<f32>],
        received: &ArrayD<f32>,
        wanted: &[usize],
    ) -> Result<Vec<ArrayD<f32>>> {
        let n = self.check(inputs, Some(received))?;
        let layer = self.ready(Passes::Backward);
        let forward = (!layer.is_linear()).then(|| self.ready(Passes::Forward));
        let of = &self.engine.network.node(self.id).inputs;
        let of: Vec<NodeId> = wanted.iter().map(|&place| of[place]).collect();
        let images = self.each_image(n, |image, split| {
            let buffers = self.buffers(inputs, image);
            let y = match &forward {
                Some(layer) => self.value(layer, &buffers, split),
                None => vec![0.0; self.engine.node_len(self.id)],
            };
            let dy = self.buffer(received, image, self.id);
            let dx = self.gradients(&layer, &buffers, &y, &dy, wanted, split);
            let places = wanted.iter().zip(&of);
            places.map(|(&place, &id)| self.in_order(&dx[place], id)).collect()
        });
        let mut all: Vec<Vec<f32>> = vec![Vec::new(); of.len()];
        for image in images {
            all.iter_mut().zip(image).for_each(|(all, one)| all.extend(one));
        }
        Ok(of.iter().zip(all).map(|(&id, values)| self.engine.array(n, id, values)).collect())
    }

    /// The node's layer, made ready for a pass at least.
    fn ready(&self, pass: Passes) -> Ready<'_> {
        let engine = self.engine;
        let own = &engine.layers[self.id.0];
        let made = engine.gradient_layers.get();
        let packed = self.change.is_none() && (pass == Passes::Forward || made.is_some());
        if let (Layer::Dense(_), false) = (own, packed)
            && let Some(streamed) = self.streamed()
        {
            return Ready::Streamed(streamed);
        }
        Ready::Layer(match (self.change, pass, made) {
            (Some(change), ..) => Cow::Owned(self.changed(change, pass)),
            (None, Passes::Forward, _) => Cow::Borrowed(own),
            (None, _, Some(layers)) => Cow::Borrowed(&layers[self.id.0]),
            (None, _, None) => Cow::Owned(engine.with_backward(self.id)),
        })
    }

    /// Of a dense layer its weights, changed as they are read; if it has few rows.
    fn streamed(&self) -> Option<dense::Streamed<'_>> {
        let network = &self.engine.network;
        let shape = network.shape(network.node(self.id).inputs[0]);
        let inputs = *shape.last()?;
        let values = values_of(network, self.id);
        let change = self.change.unwrap_or(&|_, values, same| same.copy_from_slice(values));
        let (isa, bias) = (self.engine.isa, values.get(1).copied());
        let few = shape.iter().product::<usize>() <= FEW_ROWS * inputs;
        few.then_some(dense::Streamed { isa, inputs, weight: values[0], bias, change })
    }

    fn changed(&self, change: Change<'_>, pass: Passes) -> Layer {
        let engine = self.engine;
        let values = values_of(&engine.network, self.id);
        let changed: Vec<Vec<f32>> = values
            .iter()
            .enumerate()
            .map(|(place, values)| {
                let mut changed = vec![0.0; values.len()];
                change(place, values, &mut changed);
                changed
            })
            .collect();
        let mut layer = Layer::new(engine.isa, &engine.network, self.id);
        layer.prepare(&changed.iter().map(Vec::as_slice).collect::<Vec<_>>(), pass);
        layer.settle();
        layer
    }

    fn value(&self, ready: &Ready<'_>, x: &[Vec<f32>], split: usize) -> Vec<f32> {
        let engine = self.engine;
        let mut y = vec![0.0; engine.node_len(self.id)];
        let layer = match ready {
            Ready::Layer(layer) => layer,
            Ready::Streamed(streamed) => {
                streamed.forward(&x[0], &mut y);
                return y;
            }
        };
        let (ids, lens): (Vec<usize>, Vec<usize>) =
            x.iter().enumerate().map(|(i, x)| (i, x.len())).unzip();
        let x = Inputs { buffers: x, place: None, ids: &ids, lens: &lens, n: 1 };
        let mut scratch = vec![0.0; layer.scratch_len(1, false, split)];
        let post = |_: usize, _: usize, _: &mut [f32]| {};
        let run = Run { split, ..ONE };
        layers::forward(
            layer,
            engine.isa,
            run,
            x,
            &mut y,
            false,
            Tail::default(),
            &mut scratch,
            &post,
        );
        y
    }

    fn gradients(
        &self,
        ready: &Ready<'_>,
        x: &[Vec<f32>],
        y: &[f32],
        dy: &[f32],
        wanted: &[usize],
        split: usize,
    ) -> Vec<Vec<f32>> {
        let mut dx: Vec<Vec<f32>> = x.iter().map(|x| vec![0.0; x.len()]).collect();
        let layer = match ready {
            Ready::Layer(layer) => layer,
            Ready::Streamed(streamed) => {
                streamed.backward(dy, &mut dx[0]);
                return dx;
            }
        };
        let (ids, lens): (Vec<usize>, Vec<usize>) =
            x.iter().enumerate().map(|(i, x)| (i, x.len())).unzip();
        let wanted: Vec<bool> = (0..x.len()).map(|place| wanted.contains(&place)).collect();
        let x = Inputs { buffers: x, place: None, ids: &ids, lens: &lens, n: 1 };
        let mut scratch = vec![0.0; layer.scratch_len(1, true, split)];
        let run = Run { split, ..ONE };
        let back = Back { run, x, y, dy, dparams: &mut [], scratch: &mut scratch };
        layers::backward(layer, self.engine.isa, back, &mut dx, &wanted);
        dx
    }

    /// Calls `f(image, threads)` for each image, on the engine's threads.
    fn each_image(
        &self,
        n: usize,
        f: impl Fn(usize, usize) -> Vec<Vec<f32>> + Sync,
    ) -> Vec<Vec<Vec<f32>>> {
        let split = (self.engine.threads() / n.max(1)).max(1);
        self.engine.run(split, || (0..n).into_par_iter().map(|image| f(image, split)).collect())
    }

    /// One image of each input, in the engine's order.
    fn buffers(&self, inputs: &[&ArrayD<f32>], image: usize) -> Vec<Vec<f32>> {
        let of = &self.engine.network.node(self.id).inputs;
        inputs.iter().zip(of).map(|(input, &id)| self.buffer(input, image, id)).collect()
    }

    fn buffer(&self, values: &ArrayD<f32>, image: usize, id: NodeId) -> Vec<f32> {
        let len = self.engine.node_len(id);
        let values = values.as_standard_layout();
        self.engine
            .ordered(id, &values.as_slice().expect("in standard order")[image * len..][..len])
    }

    fn in_order(&self, values: &[f32], id: NodeId) -> Vec<f32> {
        let mut ordered = vec![0.0; values.len()];
        self.engine.read(values, id, &mut ordered);
        ordered
    }

    /// Images of the batch.
    fn check(&self, inputs: &[&ArrayD<f32>], received: Option<&ArrayD<f32>>) -> Result<usize> {
        let network = &self.engine.network;
        let node = network.node(self.id);
        let n = inputs.first().map_or(0, |input| input.shape().first().copied().unwrap_or(0));
        let given = inputs.iter().zip(&node.inputs).map(|(input, &id)| (input.shape(), id));
        let received = received.map(|received| (received.shape(), self.id));
        let wrong = given
            .chain(received)
            .find(|(found, id)| found.first() != Some(&n) || found[1..] != *network.shape(*id));
        match wrong {
            _ if inputs.len() != node.inputs.len() => Err(Error::Shape {
                what: format!("the inputs of '{}'", node.name),
                expected: format!("{} arrays", node.inputs.len()),
                found: vec![inputs.len()],
            }),
            None => Ok(n),
            Some((found, id)) => Err(Error::Shape {
                what: format!("a value of '{}', for '{}' alone", network.node(id).name, node.name),
                expected: format!("[{n}, …] with {:?}", network.shape(id)),
                found: found.to_vec(),
            }),
        }
    }
}

/// One image.
const ONE: Run = Run { n: 1, first: 0, training: false, seed: 0, split: 1 };
