//! Which channels tell two classes apart, what drives them, and what becomes of the classes
//! without one.

use cutaway_data::Images;
use cutaway_engine::{Engine, Options};
use cutaway_net::{Network, NodeId};
use ndarray::{ArrayD, IxDyn};
use serde::Serialize;

use crate::layers::{Region, axes, region};
use crate::maps::{argmax, grid_columns};
use crate::separation::{auc, cohens_d, mean};
use crate::{Error, check_finite, without_channels};

/// What to ask.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The two classes.
    pub classes: [usize; 2],
    /// Channels of each class that are looked at closely.
    pub top: usize,
    /// Images shown of those that drive a channel most.
    pub drivers: usize,
}

impl Settings {
    /// Four channels a class and five images a channel.
    pub fn new(classes: [usize; 2]) -> Settings {
        Settings { classes, top: 4, drivers: 5 }
    }
}

/// The channels of a layer, ranked by how well they tell two classes apart.
///
/// A channel's answer to an image is the mean of its map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Units {
    /// Name of the node.
    pub layer: String,
    /// The two classes.
    pub classes: [usize; 2],
    /// How many images of each were looked at.
    pub counts: [usize; 2],
    /// Images of all classes that were looked at.
    pub images: usize,
    /// Number of channels.
    pub channels: usize,
    /// Rows of a map.
    pub height: usize,
    /// Columns of a map.
    pub width: usize,
    /// Columns of the grid in which maps are shown, as in [`Maps`](crate::Maps).
    pub grid_columns: usize,
    /// Every channel, the most telling first: by the AUC's distance from ½, then by the effect
    /// size's magnitude.
    pub rows: Vec<ChannelRow>,
    /// The two classes with the network as it is.
    pub baseline: Answers,
    /// The channels that speak most for the first class, then those for the second.
    pub details: Vec<Detail>,
    /// The two classes without all of those channels that speak for the first, and without all of
    /// those that speak for the second.
    pub without_all: [Answers; 2],
}

/// How well a channel tells the classes apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChannelRow {
    /// The channel.
    pub channel: usize,
    /// Its row and column in the grid of maps.
    pub cell: [usize; 2],
    /// Mean answer to the images of either class.
    pub means: [f64; 2],
    /// First mean minus second.
    pub difference: f64,
    /// Cohen's d; `None` where the answers have no spread.
    pub effect_size: Option<f64>,
    /// Probability that the answer to an image of the first class is the larger one.
    pub auc: f64,
    /// Mean answer to the images of every class; `None` for a class without images.
    pub class_means: Vec<Option<f64>>,
}

/// A channel that was looked at closely.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detail {
    /// The channel.
    pub channel: usize,
    /// The class that it speaks for.
    pub speaks_for: usize,
    /// Mean map over the images of either class, `height × width`.
    pub mean_maps: [Vec<f32>; 2],
    /// Where the mean maps differ most in favour of the class.
    pub place: Place,
    /// The images that drive it most, whatever their class, strongest first.
    pub drivers: Vec<Driver>,
    /// The two classes without this channel.
    pub ablated: Answers,
}

/// Where two mean maps differ most.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    /// Row in the map.
    pub row: usize,
    /// Column in the map.
    pub col: usize,
    /// First class's mean minus the second's.
    pub difference: f64,
    /// What this place sees of the image.
    pub receptive_field: Region,
}

/// An image that drives a channel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Driver {
    /// Place of the image.
    pub sample: usize,
    /// Its class.
    pub label: usize,
    /// The largest value of its map.
    pub value: f32,
    /// Row of that value.
    pub row: usize,
    /// Column of that value.
    pub col: usize,
    /// What that place sees of the image.
    pub receptive_field: Region,
}

/// What a network says of the images of two classes.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct Answers {
    /// Share of either class's images that it gets right.
    pub accuracy: [f64; 2],
    /// Mean probability that it gives the true class.
    pub mean_p: [f64; 2],
}

/// Bytes of a batch's input and maps together, at most.
const BATCH_BYTES: usize = 32 << 20;

/// Measures every channel of a layer on labelled images: how well it tells two classes apart, what
/// drives the best of them, and what becomes of the classes without each of those. `progress` is
/// told how many images of how many have been run.
///
/// # Errors
/// If the classes are equal, unknown or without images, a parameter is not finite, or the images
/// do not suit the network.
pub fn units(
    engine: &Engine,
    images: &Images,
    layer: NodeId,
    settings: &Settings,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Units, Error> {
    let network = engine.network();
    check_finite(network)?;
    check_classes(network, images, settings.classes)?;
    let of_class = |class: usize| -> Vec<usize> {
        (0..images.len()).filter(|&i| images.label(i) == class).collect()
    };
    let groups = settings.classes.map(of_class);
    let close = settings.top.min(axes(network.shape(layer))[0]) * 2;
    let runs = groups[0].len() + groups[1].len();
    let total = images.len() + runs * (close + 3);
    let mut done = 0;
    let mut step = |more: usize| {
        done += more;
        progress(done, total);
    };
    let survey = Survey::new(engine, images, layer, &groups, &mut step)?;
    let rows = survey.rank(images, &groups, network.classes());
    let baseline = answers(engine, images, settings.classes, &groups, &mut step)?;
    let mut without = |channels: &[usize]| {
        let options = Options {
            threads: engine.threads(),
            isa: Some(engine.isa()),
            strategy: engine.strategy(),
        };
        let ablated = Engine::compile(&without_channels(network, layer, channels)?, &options)?;
        answers(&ablated, images, settings.classes, &groups, &mut step)
    };
    let (mut details, mut without_all) = (Vec::new(), [baseline; 2]);
    for (side, &class) in settings.classes.iter().enumerate() {
        let speaks = |row: &&ChannelRow| if side == 0 { row.auc > 0.5 } else { row.auc < 0.5 };
        let chosen: Vec<&ChannelRow> = rows.iter().filter(speaks).take(settings.top).collect();
        for row in &chosen {
            details.push(Detail {
                channel: row.channel,
                speaks_for: class,
                mean_maps: survey.mean_maps(row.channel, &groups),
                place: survey.place(network, layer, row.channel, side, &groups),
                drivers: survey.drivers(network, images, layer, row.channel, settings.drivers),
                ablated: without(&[row.channel])?,
            });
        }
        let channels: Vec<usize> = chosen.iter().map(|row| row.channel).collect();
        without_all[side] = without(&channels)?;
    }
    // A class may have fewer telling channels than were foreseen.
    progress(total, total);
    let [channels, height, width] = survey.shape;
    Ok(Units {
        layer: network.node(layer).name.clone(),
        classes: settings.classes,
        counts: [groups[0].len(), groups[1].len()],
        images: images.len(),
        channels,
        height,
        width,
        grid_columns: grid_columns(channels),
        rows,
        baseline,
        details,
        without_all,
    })
}

fn check_classes(network: &Network, images: &Images, classes: [usize; 2]) -> Result<(), Error> {
    let count = network.classes();
    if classes[0] == classes[1] {
        let class = classes[0];
        let problem = format!("expected two different classes, got {class} twice");
        return Err(Error::Setting(problem));
    }
    for class in classes {
        if class >= count {
            return Err(Error::Setting(format!(
                "class {class} is out of range: the network has classes 0 to {}",
                count - 1
            )));
        }
        if !images.labels.iter().any(|&label| usize::from(label) == class) {
            return Err(Error::Setting(format!("the images have none of class {class}")));
        }
    }
    Ok(())
}

/// What one pass over all images gives.
struct Survey {
    shape: [usize; 3],
    /// Mean of each map, `[channel][image]`.
    means: Vec<Vec<f32>>,
    /// Largest value of each map and its place, `[channel][image]`.
    peaks: Vec<Vec<(f32, u32)>>,
    /// Sum of the maps of either class, `[channels, height, width]`.
    sums: [Vec<f64>; 2],
}

impl Survey {
    fn new(
        engine: &Engine,
        images: &Images,
        layer: NodeId,
        groups: &[Vec<usize>; 2],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Survey, Error> {
        let network = engine.network();
        let shape = axes(network.shape(layer));
        let [channels, height, width] = shape;
        let area = height * width;
        let mut survey = Survey {
            shape,
            means: vec![Vec::with_capacity(images.len()); channels],
            peaks: vec![Vec::with_capacity(images.len()); channels],
            sums: [vec![0.0; channels * area], vec![0.0; channels * area]],
        };
        let all: Vec<usize> = (0..images.len()).collect();
        for indices in all.chunks(batch_size(network, channels * area)) {
            let values = engine.forward(input(network, images, indices)?.view(), &[layer])?;
            let values = values.get(layer).expect("tapped").as_slice().expect("standard order");
            for (&index, maps) in indices.iter().zip(values.chunks_exact(channels * area)) {
                survey.add(index, maps, groups);
            }
            progress(indices.len());
        }
        Ok(survey)
    }

    fn add(&mut self, index: usize, maps: &[f32], groups: &[Vec<usize>; 2]) {
        let area = self.shape[1] * self.shape[2];
        for (channel, map) in maps.chunks_exact(area).enumerate() {
            self.means[channel].push(mean(map) as f32);
            let at = argmax(map);
            self.peaks[channel].push((map[at], at as u32));
        }
        for (group, sums) in groups.iter().zip(&mut self.sums) {
            if group.binary_search(&index).is_ok() {
                sums.iter_mut().zip(maps).for_each(|(sum, &v)| *sum += f64::from(v));
            }
        }
    }

    /// Every channel, the most telling first.
    fn rank(&self, images: &Images, groups: &[Vec<usize>; 2], classes: usize) -> Vec<ChannelRow> {
        let mut members = vec![Vec::new(); classes];
        for index in 0..images.len() {
            if let Some(members) = members.get_mut(images.label(index)) {
                members.push(index);
            }
        }
        let mut rows: Vec<ChannelRow> =
            (0..self.shape[0]).map(|channel| self.row(channel, groups, &members)).collect();
        let telling = |row: &ChannelRow| (row.auc - 0.5).abs();
        let effect = |row: &ChannelRow| row.effect_size.map_or(0.0, f64::abs);
        rows.sort_by(|a, b| {
            let by_auc = telling(b).total_cmp(&telling(a));
            by_auc.then(effect(b).total_cmp(&effect(a))).then(a.channel.cmp(&b.channel))
        });
        rows
    }

    fn row(&self, channel: usize, groups: &[Vec<usize>; 2], members: &[Vec<usize>]) -> ChannelRow {
        let pick = |indices: &Vec<usize>| -> Vec<f32> {
            indices.iter().map(|&i| self.means[channel][i]).collect()
        };
        let [a, b] = [&groups[0], &groups[1]].map(pick);
        let means = [mean(&a), mean(&b)];
        let columns = grid_columns(self.shape[0]);
        let class_mean = |m: &Vec<usize>| (!m.is_empty()).then(|| mean(&pick(m)));
        ChannelRow {
            channel,
            cell: [channel / columns, channel % columns],
            means,
            difference: means[0] - means[1],
            effect_size: cohens_d(&a, &b),
            auc: auc(&a, &b).expect("both classes have images"),
            class_means: members.iter().map(class_mean).collect(),
        }
    }

    fn mean_maps(&self, channel: usize, groups: &[Vec<usize>; 2]) -> [Vec<f32>; 2] {
        let area = self.shape[1] * self.shape[2];
        [0, 1].map(|side| {
            let sums = &self.sums[side][channel * area..][..area];
            sums.iter().map(|sum| (sum / groups[side].len() as f64) as f32).collect()
        })
    }

    fn place(
        &self,
        network: &Network,
        layer: NodeId,
        channel: usize,
        side: usize,
        groups: &[Vec<usize>; 2],
    ) -> Place {
        let mut maps = self.mean_maps(channel, groups);
        maps.rotate_left(side);
        let [own, other] = maps;
        let differences: Vec<f32> = own.iter().zip(&other).map(|(a, b)| a - b).collect();
        let at = argmax(&differences);
        let (row, col) = (at / self.shape[2], at % self.shape[2]);
        let sign = if side == 0 { 1.0 } else { -1.0 };
        let difference = sign * f64::from(differences[at]);
        Place { row, col, difference, receptive_field: region(network, layer, row, col) }
    }

    fn drivers(
        &self,
        network: &Network,
        images: &Images,
        layer: NodeId,
        channel: usize,
        count: usize,
    ) -> Vec<Driver> {
        let peaks = &self.peaks[channel];
        let mut order: Vec<usize> = (0..peaks.len()).collect();
        order.sort_by(|&a, &b| peaks[b].0.total_cmp(&peaks[a].0).then(a.cmp(&b)));
        let driver = |&sample: &usize| {
            let (value, at) = peaks[sample];
            let (row, col) = (at as usize / self.shape[2], at as usize % self.shape[2]);
            let (label, receptive_field) = (images.label(sample), region(network, layer, row, col));
            Driver { sample, label, value, row, col, receptive_field }
        };
        order.iter().take(count).map(driver).collect()
    }
}

/// What a network says of the images of two classes.
fn answers(
    engine: &Engine,
    images: &Images,
    classes: [usize; 2],
    groups: &[Vec<usize>; 2],
    progress: &mut dyn FnMut(usize),
) -> Result<Answers, Error> {
    let network = engine.network();
    let mut answers = Answers { accuracy: [0.0; 2], mean_p: [0.0; 2] };
    for (side, (&class, group)) in classes.iter().zip(groups).enumerate() {
        let (mut right, mut sum) = (0usize, 0.0);
        for indices in group.chunks(batch_size(network, network.classes())) {
            let probabilities = engine.predict(input(network, images, indices)?.view())?;
            for row in probabilities.rows() {
                right += usize::from(argmax(&row.to_vec()) == class);
                sum += f64::from(row[class]);
            }
            progress(indices.len());
        }
        answers.accuracy[side] = right as f64 / group.len() as f64;
        answers.mean_p[side] = sum / group.len() as f64;
    }
    Ok(answers)
}

pub(crate) fn batch_size(network: &Network, outputs: usize) -> usize {
    let inputs: usize = network.shape(network.input()).iter().product();
    (BATCH_BYTES / 4 / (inputs + outputs)).clamp(1, 500)
}

/// The network's input `[N, C, H, W]` for some of the images, preprocessed as its metadata say.
pub(crate) fn input(
    network: &Network,
    images: &Images,
    indices: &[usize],
) -> Result<ArrayD<f32>, Error> {
    let shape = network.shape(network.input());
    let p = &network.metadata().preprocessing;
    let found = [images.channels, images.height, images.width];
    if shape != found {
        return Err(Error::Setting(format!(
            "the images are {found:?} (channels, height, width), but the network takes {shape:?}"
        )));
    }
    let shape: Vec<usize> = [indices.len()].iter().chain(shape).copied().collect();
    let mut values = vec![0.0; shape.iter().product()];
    images.to_nchw_f32(indices, p.scale, &p.mean, &p.std, &mut values)?;
    Ok(ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many as the shape says"))
}
