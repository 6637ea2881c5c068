//! Gradient ascent on images, many at once.

use cutaway_engine::Engine;
use cutaway_net::{Network, NodeId};
use ndarray::{Array2, Array4, ArrayD, ArrayView2};
use rayon::prelude::*;

use super::canvas::{Canvas, Parametrisation};
use super::diversity::likeness;
use super::objective::{Objective, Target};
use super::view::{Lens, View};
use super::{Settings, Visualisation, Visualised};
use crate::attribution::random::{Purpose, Random};
use crate::{Error, check_finite};

/// Told how many of how many steps of images are done.
type Progress<'a> = &'a dyn Fn(usize, usize);

/// Bytes that the images of a batch and their optimisers may take together.
const AT_ONCE: usize = 512 << 20;

/// Images that drive each of the targets of a layer, [`Settings::images`] of each.
///
/// # Errors
/// If a target or a setting is out of range, the network takes no images, a parameter of the network is
/// not finite, or an activation overflows ([`Error::NoNumber`]).
pub fn visualise(
    engine: &Engine,
    layer: NodeId,
    targets: &[Target],
    settings: &Settings,
    progress: Progress<'_>,
) -> Result<Vec<Visualised>, Error> {
    let network = engine.network();
    check_finite(network)?;
    settings.check()?;
    let objectives = targets
        .iter()
        .map(|target| Objective::new(network, layer, target))
        .collect::<Result<Vec<_>, _>>()?;
    let studio = Studio::new(engine, layer, settings)?;
    let total = targets.len() * settings.images * settings.steps;
    let mut results = Vec::with_capacity(targets.len());
    for (objectives, targets) in
        objectives.chunks(studio.at_once()).zip(targets.chunks(studio.at_once()))
    {
        let before = results.len() * settings.images * settings.steps;
        results.extend(studio.make(objectives, targets, &|done| progress(before + done, total))?);
    }
    Ok(results)
}

/// Images of random phases and the spectrum of photographs `[count, C, H, W]`, as the network takes them.
///
/// # Errors
/// If a setting is out of range or the network takes no images.
pub fn random_images(
    engine: &Engine,
    count: usize,
    settings: &Settings,
) -> Result<Array4<f32>, Error> {
    settings.check()?;
    let settings =
        Settings { parametrisation: Parametrisation::Maco, models: Vec::new(), ..settings.clone() };
    let studio = Studio::new(engine, engine.network().logits(), &settings)?;
    let mut easels: Vec<Easel> = (0..count).map(|i| studio.easel(i as u64)).collect();
    easels.iter_mut().for_each(|easel| studio.draw(easel, true));
    Ok(studio.batch(&easels))
}

impl Settings {
    fn check(&self) -> Result<(), Error> {
        let refuse = |what: String| Err(Error::Setting(what));
        if !(1..=100_000).contains(&self.steps) {
            return refuse(format!("steps are {}; expected 1 to 100000", self.steps));
        }
        if !(1..=16).contains(&self.images) {
            return refuse(format!("images of a target are {}; expected 1 to 16", self.images));
        }
        if let Some(size) = self.size.filter(|size| !(8..=2048).contains(size)) {
            return refuse(format!("the size is {size}; expected 8 to 2048 pixels"));
        }
        if let Some(rate) = self.rate.filter(|r| !(r.is_finite() && *r > 0.0)) {
            return refuse(format!("the learning rate is {rate}; expected a number above 0"));
        }
        if !(self.diversity.is_finite() && self.diversity >= 0.0) {
            let found = self.diversity;
            return refuse(format!("the weight of diversity is {found}; expected 0 or more"));
        }
        Ok(())
    }
}

/// All that does not change from step to step.
struct Studio<'a> {
    engine: &'a Engine,
    layer: NodeId,
    /// The layer in which images are driven apart.
    apart: Option<NodeId>,
    settings: &'a Settings,
    canvas: Canvas,
    lens: Lens,
}

/// One image under way.
struct Easel {
    random: Random,
    parameters: Vec<f64>,
    moments: [Vec<f64>; 2],
    image: Vec<f64>,
    view: View,
    curve: Vec<f64>,
}

/// What the network answers to a batch.
struct Answer {
    /// The number that is driven, of each image.
    values: Vec<f64>,
    /// The derivatives of the whole loss with respect to the batch.
    gradient: ArrayD<f32>,
    /// How alike the images of each target are, where they are driven apart.
    likenesses: Vec<f64>,
}

impl<'a> Studio<'a> {
    fn new(engine: &'a Engine, layer: NodeId, settings: &'a Settings) -> Result<Self, Error> {
        let network = engine.network();
        let input = network.shape(network.input());
        let [channels, height, width] = <[usize; 3]>::try_from(input).map_err(|_| {
            Error::Setting(format!(
                "network '{}' takes {input:?}; images are made for networks that take [channels, \
                 height, width]",
                network.name()
            ))
        })?;
        let longer = height.max(width);
        let side = |side: usize| match settings.size {
            Some(size) => ((side * size + longer / 2) / longer).max(1),
            None => side,
        };
        let size = [side(height), side(width)];
        let ground = ground(network, settings.ground.as_deref(), channels)?;
        let shape = [channels, size[0], size[1]];
        let mut canvas = Canvas::new(settings.parametrisation, shape, ground);
        if let Some(image) =
            settings.models.iter().find(|i| i.len() != shape.iter().product::<usize>())
        {
            let found = image.len();
            return Err(Error::Setting(format!(
                "an image to take magnitudes from has {found} values; expected those of {shape:?}"
            )));
        }
        canvas.measure(settings.models.iter().map(|image| &image[..]));
        let lens = Lens { canvas: size, input: [height, width] };
        let several = settings.images > 1 && settings.diversity > 0.0;
        let apart = if several { layer_with_maps(network, layer) } else { None };
        Ok(Studio { engine, layer, apart, settings, canvas, lens })
    }

    /// Targets that are worked on together.
    fn at_once(&self) -> usize {
        let numbers = 4 * self.canvas.parameters() + 3 * self.canvas.channels * self.canvas.area();
        (AT_ONCE / (8 * numbers * self.settings.images)).clamp(1, 32)
    }

    fn make(
        &self,
        objectives: &[Objective],
        targets: &[Target],
        progress: &dyn Fn(usize),
    ) -> Result<Vec<Visualised>, Error> {
        let each = self.settings.images;
        // An image's chance is its own: the same whatever stands beside it.
        let mut easels: Vec<Easel> =
            (0..objectives.len() * each).map(|i| self.easel((i % each) as u64)).collect();
        for step in 0..self.settings.steps {
            self.engine.install(|| easels.par_iter_mut().for_each(|e| self.draw(e, false)));
            let batch = self.batch(&easels);
            let Answer { values, gradient, .. } = self.ask(&batch, objectives)?;
            let len = batch.len() / easels.len();
            let gradients = gradient.as_slice().expect("in standard order");
            if gradients.iter().any(|g| !g.is_finite()) {
                return Err(Error::NoNumber { method: "visualisation".to_owned() });
            }
            for (easel, value) in easels.iter_mut().zip(values) {
                easel.curve.push(value);
            }
            self.engine.install(|| {
                let pairs = easels.par_iter_mut().zip(gradients.par_chunks_exact(len));
                pairs.for_each(|(easel, gradient)| self.step(easel, gradient, step));
            });
            progress((step + 1) * easels.len());
        }
        self.finish(easels, objectives, targets)
    }

    fn easel(&self, index: u64) -> Easel {
        let mut random = Random::new(self.settings.seed, Purpose::Visualise, index);
        let parameters = self.canvas.start(&mut random);
        let moments = [vec![0.0; parameters.len()], vec![0.0; parameters.len()]];
        let (image, curve) = (Vec::new(), Vec::with_capacity(self.settings.steps));
        Easel { random, parameters, moments, image, view: View::PLAIN, curve }
    }

    /// Makes the image, and chooses where to look at it.
    fn draw(&self, easel: &mut Easel, plain: bool) {
        easel.image = self.canvas.image(&easel.parameters);
        easel.view = match &self.settings.transforms {
            Some(transforms) if !plain => View::random(transforms, &mut easel.random),
            _ => View::PLAIN,
        };
    }

    /// The network's input `[N, C, H, W]`: what is seen of each image, preprocessed.
    fn batch(&self, easels: &[Easel]) -> Array4<f32> {
        let p = &self.engine.network().metadata().preprocessing;
        let [height, width] = self.lens.input;
        let area = height * width;
        let one = |easel: &Easel| -> Vec<f32> {
            let seen = self.lens.look(easel.view, &easel.image, &self.canvas.ground);
            let pixel = |(i, v): (usize, &f64)| {
                let (mean, std) = (f64::from(p.mean[i / area]), f64::from(p.std[i / area]));
                ((v * 255.0 * f64::from(p.scale) - mean) / std) as f32
            };
            seen.iter().enumerate().map(pixel).collect()
        };
        let all: Vec<Vec<f32>> = self.engine.install(|| easels.par_iter().map(one).collect());
        let shape = (easels.len(), self.canvas.channels, height, width);
        Array4::from_shape_vec(shape, all.concat()).expect("as many as the shape says")
    }

    fn ask(&self, batch: &Array4<f32>, objectives: &[Objective]) -> Result<Answer, Error> {
        let (node, each) = (objectives[0].node, self.settings.images);
        let sign = if self.settings.minimise { -1.0 } else { 1.0 };
        let Some(apart) = self.apart else {
            let seed = |i: usize, values: &[f32], seeds: &mut [f32]| {
                objectives[i / each].add_seeds(sign, values, seeds);
            };
            let (values, gradient) = self.engine.value_and_gradient(batch.view(), node, &seed)?;
            let values = self.values(&values, objectives);
            return Ok(Answer { values, gradient, likenesses: Vec::new() });
        };
        let activations = self.engine.forward(batch.view(), &[node, apart])?;
        let of_target = activations.get(node).expect("tapped");
        let values = self.values(of_target, objectives);
        let mut seeds = ArrayD::zeros(of_target.raw_dim());
        let len = of_target.len() / batch.shape()[0];
        let all = of_target.as_slice().expect("in standard order").chunks_exact(len);
        let into = seeds.as_slice_mut().expect("in standard order").chunks_exact_mut(len);
        for (i, (values, seeds)) in all.zip(into).enumerate() {
            objectives[i / each].add_seeds(sign, values, seeds);
        }
        let (likenesses, driven) =
            self.drive_apart(activations.get(apart).expect("tapped"), &values);
        let seeds = [(node, seeds), (apart, driven)];
        let input = self.engine.network().input();
        let gradients = self.engine.backward(batch.view(), &seeds, &[input], false)?;
        let gradient = gradients.node(input).expect("asked for").clone();
        Ok(Answer { values, gradient, likenesses })
    }

    fn values(&self, activations: &ArrayD<f32>, objectives: &[Objective]) -> Vec<f64> {
        let len = activations.len() / activations.shape()[0];
        let all = activations.as_slice().expect("in standard order").chunks_exact(len);
        all.enumerate().map(|(i, v)| objectives[i / self.settings.images].value(v)).collect()
    }

    /// How alike the images of each target are in a layer, and the derivatives, with minus, of that times
    /// its weight.
    fn drive_apart(&self, activations: &ArrayD<f32>, values: &[f64]) -> (Vec<f64>, ArrayD<f32>) {
        let each = self.settings.images;
        let channels = activations.shape()[1];
        let len = activations.len() / activations.shape()[0];
        let all = activations.as_slice().expect("in standard order");
        let mut seeds = Vec::with_capacity(all.len());
        let mut likenesses = Vec::new();
        for (group, values) in all.chunks_exact(each * len).zip(values.chunks_exact(each)) {
            let images: Vec<ArrayView2<'_, f32>> = group
                .chunks_exact(len)
                .map(|image| ArrayView2::from_shape((channels, len / channels), image))
                .collect::<Result<_, _>>()
                .expect("channels of maps");
            let (alike, gradients): (f64, Vec<Array2<f32>>) = likeness(&images);
            likenesses.push(alike);
            let size = values.iter().map(|v| v.abs()).sum::<f64>() / each as f64;
            let weight = -(self.settings.diversity * size * each as f64) as f32;
            for gradient in gradients {
                seeds.extend(gradient.iter().map(|g| weight * g));
            }
        }
        let seeds = ArrayD::from_shape_vec(activations.raw_dim(), seeds).expect("as many");
        (likenesses, seeds)
    }

    /// A step of Adam (Kingma and Ba 2015) uphill.
    fn step(&self, easel: &mut Easel, gradient: &[f32], step: usize) {
        const DECAY: [f64; 2] = [0.9, 0.999];
        let p = &self.engine.network().metadata().preprocessing;
        let area = self.lens.input[0] * self.lens.input[1];
        let pixel = |(i, &g): (usize, &f32)| {
            f64::from(g) * 255.0 * f64::from(p.scale) / f64::from(p.std[i / area])
        };
        if gradient.iter().all(|&g| g == 0.0) && easel.moments[0].iter().all(|&m| m == 0.0) {
            // All that leads to the target is shut, as behind a ReLU6: more contrast may open it.
            return self.canvas.stir(&mut easel.parameters);
        }
        let gradient: Vec<f64> = gradient.iter().enumerate().map(pixel).collect();
        let gradient = self.lens.adjoint(easel.view, &gradient);
        let gradient = self.canvas.adjoint(&easel.parameters, &easel.image, &gradient);
        let rate = self.settings.rate.unwrap_or_else(|| self.settings.parametrisation.rate());
        let corrections = DECAY.map(|decay| 1.0 - decay.powi(step as i32 + 1));
        let [first, second] = &mut easel.moments;
        for (((value, g), m), v) in easel.parameters.iter_mut().zip(gradient).zip(first).zip(second)
        {
            *m = DECAY[0] * *m + (1.0 - DECAY[0]) * g;
            *v = DECAY[1] * *v + (1.0 - DECAY[1]) * g * g;
            *value += rate * (*m / corrections[0]) / ((*v / corrections[1]).sqrt() + 1e-8);
        }
    }

    fn finish(
        &self,
        mut easels: Vec<Easel>,
        objectives: &[Objective],
        targets: &[Target],
    ) -> Result<Vec<Visualised>, Error> {
        self.engine.install(|| easels.par_iter_mut().for_each(|e| self.draw(e, true)));
        let Answer { values, likenesses, .. } = self.ask(&self.batch(&easels), objectives)?;
        let mut made = easels.into_iter().zip(values).map(|(easel, activation)| Visualisation {
            shape: [self.canvas.channels, self.canvas.height(), self.canvas.width()],
            values: easel.image.iter().map(|&v| v as f32).collect(),
            activation,
            curve: easel.curve,
        });
        let layer = &self.engine.network().node(self.layer).name;
        Ok(targets
            .iter()
            .enumerate()
            .map(|(i, target)| Visualised {
                layer: layer.clone(),
                target: target.clone(),
                images: made.by_ref().take(self.settings.images).collect(),
                likeness: likenesses.get(i).copied(),
            })
            .collect())
    }
}

/// The pixel values of an empty canvas.
fn ground(network: &Network, given: Option<&[f64]>, channels: usize) -> Result<Vec<f64>, Error> {
    if let Some(given) = given {
        let in_range = given.iter().all(|v| (0.0..=1.0).contains(v));
        return match given.len() == channels && in_range {
            // At the very ends of the sigmoid nothing could ever change.
            true => Ok(given.iter().map(|v| v.clamp(0.02, 0.98)).collect()),
            false => Err(Error::Setting(format!(
                "the ground is {given:?}; expected {channels} values from 0 to 1"
            ))),
        };
    }
    let p = &network.metadata().preprocessing;
    let means = p.mean.iter().map(|mean| f64::from(mean / p.scale) / 255.0);
    let all: Vec<f64> = means.collect();
    let known = all.len() == channels && all.iter().all(|v| (0.05..=0.95).contains(v));
    Ok(if known { all } else { vec![0.5; channels] })
}

/// The layer itself if it has maps, or else the last one below it that has.
fn layer_with_maps(network: &Network, layer: NodeId) -> Option<NodeId> {
    let maps = |id: usize| matches!(*network.shape(NodeId(id)), [_, h, w] if h * w > 1);
    let mut below = vec![false; network.nodes().len()];
    below[layer.0] = true;
    for id in (0..=layer.0).rev().filter(|&id| id != network.input().0) {
        if below[id] {
            if maps(id) {
                return Some(NodeId(id));
            }
            network.node(NodeId(id)).inputs.iter().for_each(|input| below[input.0] = true);
        }
    }
    None
}
