//! Preprocessing and labels that are given on the command line: presets and TOML files.

use std::path::Path;
use std::sync::Arc;

use cutaway::net::{Fit, Metadata, Network, Op, Preprocessing, channels_first, is_channels_last};
use ndarray::{ArrayD, Axis};
use serde::Deserialize;

use crate::args::ModelArg;
use crate::error::{Error, Result};

/// The presets, by the names that `--preprocess` takes.
const PRESETS: [&str; 4] = ["mnist", "imagenet-torch", "imagenet-tf", "raw255"];
/// The classes of ImageNet's challenge in the order that networks have them, see `models/README.md`.
const IMAGENET: &str = include_str!("../models/imagenet-labels.txt");
/// The largest file of preprocessing or labels that is read.
const MAX_BYTES: u64 = 4 << 20;

/// Whether images are to be turned for a network that takes them with the channels last.
pub(crate) fn channels_last(network: &Network, arg: &ModelArg) -> bool {
    match &arg.layout[..] {
        "nchw" => false,
        "nhwc" => true,
        _ => is_channels_last(network),
    }
}

/// The network for images with the channels first, and with the preprocessing and the labels that were
/// given, where some were.
pub(crate) fn given(network: Network, arg: &ModelArg) -> Result<Network> {
    let network = match channels_last(&network, arg) {
        true => channels_first(&network)
            .map_err(|error| Error::Usage(format!("--layout {}: {error}", arg.layout)))?,
        false => network,
    };
    if arg.preprocess.is_none() && arg.labels.is_none() {
        return Ok(network);
    }
    let mut network = network;
    let mut metadata = network.metadata().clone();
    if let Some(spec) = &arg.preprocess {
        let shape = network.shape(network.input()).to_vec();
        let (preprocessing, order) = match preset(spec, &shape) {
            Some(preset) => (preset?, Order::Rgb),
            None => from_file(Path::new(spec), &shape)?,
        };
        metadata.preprocessing = preprocessing;
        if order == Order::Bgr {
            network = taking_rgb(&network, &mut metadata)?;
        }
    }
    if let Some(path) = &arg.labels {
        metadata.labels = labels(path, network.classes())?;
    }
    network.with_checked_metadata(metadata).map_err(|error| Error::Usage(error.to_string()))
}

/// A batch that [`given`] made the input of, as the file's own network takes it: blue first and the channels
/// last where it does.
pub(crate) fn as_the_file_takes_it(
    batch: ArrayD<f32>,
    arg: &ModelArg,
    network: &Network,
) -> Result<ArrayD<f32>> {
    let shape = batch.shape()[1..].to_vec();
    let mut batch = batch;
    if let Some(spec) = &arg.preprocess
        && preset(spec, &shape).is_none()
        && from_file(Path::new(spec), &shape)?.1 == Order::Bgr
    {
        batch.invert_axis(Axis(1));
    }
    if channels_last(network, arg) {
        batch = batch.permuted_axes(vec![0, 2, 3, 1]);
    }
    Ok(batch.as_standard_layout().into_owned())
}

/// A preset by its name, for a network with this input; `None` where it is no name of one.
fn preset(name: &str, shape: &[usize]) -> Option<Result<Preprocessing>> {
    let plain = Preprocessing::for_input(shape);
    let (channels, scale, mean, std) = match name {
        "mnist" => (Some(1), 1.0 / 255.0, vec![0.1307], vec![0.3081]),
        "imagenet-torch" => {
            (Some(3), 1.0 / 255.0, vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225])
        }
        "imagenet-tf" => (Some(3), 1.0 / 127.5, vec![1.0; 3], vec![1.0; 3]),
        "raw255" => (None, 1.0, plain.mean.clone(), plain.std.clone()),
        _ => return None,
    };
    if channels.is_some_and(|channels| channels != plain.channels) {
        return Some(Err(Error::Usage(format!(
            "--preprocess {name} is for images of {} channel(s), the network takes {}",
            mean.len(),
            plain.channels
        ))));
    }
    // 224 pixels are cut out of 256, and as large a share of other sizes.
    let side = (plain.height.max(plain.width) * 256 + 112) / 224;
    let fit = if name.starts_with("imagenet") { Fit::Crop(Some(side)) } else { Fit::Exact };
    Some(Ok(Preprocessing { scale, mean, std, fit, ..plain }))
}

/// A file of preprocessing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Rows and columns; the network's where it is left out.
    size: Option<[usize; 2]>,
    #[serde(default)]
    resize: Resize,
    #[serde(default)]
    crop: Crop,
    #[serde(default)]
    order: Order,
    scale: Option<f32>,
    mean: Option<Vec<f32>>,
    std: Option<Vec<f32>>,
}

/// `"none"`, `"stretch"`, or the length of the shorter side.
#[derive(Default, Deserialize)]
#[serde(untagged, expecting = "expected \"none\", \"stretch\" or the shorter side's pixels")]
enum Resize {
    #[default]
    No,
    Shorter(usize),
    Word(Word),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    None,
    Stretch,
}

#[derive(Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Crop {
    #[default]
    None,
    Centre,
}

/// Order of the colours in the network's input.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Rgb,
    Bgr,
}

fn from_file(path: &Path, shape: &[usize]) -> Result<(Preprocessing, Order)> {
    let wrong =
        |problem: String| Error::Usage(format!("--preprocess {}: {problem}", path.display()));
    if !path.exists() {
        return Err(wrong(format!(
            "expected one of {} or a TOML file, and there is no such file",
            PRESETS.join(", ")
        )));
    }
    let file: File = toml::from_str(&text(path, "--preprocess")?)
        .map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
    let plain = Preprocessing::for_input(shape);
    let fit = match (&file.resize, &file.crop) {
        (Resize::No | Resize::Word(Word::None), Crop::None) => Fit::Exact,
        (Resize::No | Resize::Word(Word::None), Crop::Centre) => Fit::Crop(None),
        (Resize::Word(Word::Stretch), Crop::None) => Fit::Stretch,
        (Resize::Shorter(side), Crop::Centre) => Fit::Crop(Some(*side)),
        (Resize::Word(Word::Stretch), Crop::Centre) => {
            return Err(wrong("nothing is left to crop after resize = \"stretch\"".to_owned()));
        }
        (Resize::Shorter(side), Crop::None) => {
            return Err(wrong(format!("resize = {side} needs crop = \"centre\"")));
        }
    };
    let [height, width] = file.size.unwrap_or([plain.height, plain.width]);
    let each = |values: Option<Vec<f32>>, plain: Vec<f32>| match values.as_deref() {
        Some(&[one]) => vec![one; plain.len()],
        Some(values) => values.to_vec(),
        None => plain,
    };
    let preprocessing = Preprocessing {
        height,
        width,
        scale: file.scale.unwrap_or(plain.scale),
        mean: each(file.mean, plain.mean),
        std: each(file.std, plain.std),
        fit,
        ..plain
    };
    Ok((preprocessing, file.order))
}

/// A network that takes blue, green, red as one that takes red, green, blue: the first convolution's
/// channels are exchanged, so that nothing else needs to know of the order.
fn taking_rgb(network: &Network, metadata: &mut Metadata) -> Result<Network> {
    let input = network.input();
    let mut values: Vec<Arc<[f32]>> =
        network.params().iter().map(|param| param.values.clone()).collect();
    let takers = network.nodes().iter().filter(|node| node.inputs.contains(&input));
    for node in takers {
        let weight = node.params.first().map(|&id| (id, network.param(id)));
        let (id, weight) = match (&node.op, weight) {
            (Op::Conv { .. }, Some((id, weight))) if weight.shape.get(1) == Some(&3) => {
                (id, weight)
            }
            _ => {
                return Err(Error::Usage(format!(
                    "order = \"bgr\" is for networks of 3 channels that begin with a convolution; \
                     node '{}' takes the image, too",
                    node.name
                )));
            }
        };
        let area: usize = weight.shape[2..].iter().product();
        let mut exchanged = weight.values.to_vec();
        for filter in exchanged.chunks_exact_mut(3 * area) {
            let (first, rest) = filter.split_at_mut(2 * area);
            first[..area].swap_with_slice(rest);
        }
        values[id.0] = exchanged.into();
    }
    metadata.preprocessing.mean.reverse();
    metadata.preprocessing.std.reverse();
    Ok(network.with_values(values)?)
}

/// `imagenet`, or a file with one label a line.
fn labels(path: &Path, classes: usize) -> Result<Vec<String>> {
    let text = match path.to_str() {
        Some("imagenet") => IMAGENET.to_owned(),
        _ => text(path, "--labels")?,
    };
    let labels: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if labels.len() != classes {
        return Err(Error::Usage(format!(
            "--labels {}: there are {} labels, the network {classes} classes; expected one label \
             a line",
            path.display(),
            labels.len()
        )));
    }
    if let Some(empty) = labels.iter().position(String::is_empty) {
        let line = empty + 1;
        return Err(Error::Usage(format!("--labels {}: line {line} is empty", path.display())));
    }
    Ok(labels)
}

fn text(path: &Path, flag: &str) -> Result<String> {
    let failed = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MAX_BYTES {
        return Err(Error::Usage(format!("{flag} {}: {size} bytes are too many", path.display())));
    }
    std::fs::read_to_string(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Preprocessing, Order)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pre.toml");
        std::fs::write(&path, text).unwrap();
        from_file(&path, &[3, 8, 8])
    }

    #[test]
    fn a_file_says_every_rule() {
        let text = "size = [8, 8]\nresize = 9\ncrop = \"centre\"\norder = \"bgr\"\nscale = 1.0\n\
                    mean = [1, 2, 3]\nstd = [4.5]\n";
        let (p, order) = read(text).unwrap();
        assert_eq!((p.fit, order), (Fit::Crop(Some(9)), Order::Bgr));
        assert_eq!((p.scale, p.mean, p.std), (1.0, vec![1.0, 2.0, 3.0], vec![4.5; 3]));
        assert_eq!(read("resize = \"stretch\"").unwrap().0.fit, Fit::Stretch);
        assert_eq!(read("").unwrap().0, Preprocessing::for_input(&[3, 8, 8]));
    }

    #[test]
    fn what_a_file_cannot_say_is_refused_with_the_place() {
        for (text, parts) in [
            ("scale = 1.0\nmeen = [1]", &["line 2", "meen"][..]),
            ("resize = \"large\"", &["line 1", "shorter side"]),
            ("resize = 9", &["needs crop"]),
            ("order = \"grb\"", &["line 1", "grb"]),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            parts.iter().for_each(|part| assert!(error.to_string().contains(part), "{error}"));
        }
    }

    #[test]
    fn the_presets_are_those_of_torchvision_and_keras() {
        let torch = preset("imagenet-torch", &[3, 224, 224]).unwrap().unwrap();
        assert_eq!(torch.fit, Fit::Crop(Some(256)));
        let red = |p: &Preprocessing, raw: f32| (raw * p.scale - p.mean[0]) / p.std[0];
        // torchvision: (255 / 255 − 0.485) / 0.229; Keras' "tf" mode: 255 / 127.5 − 1.
        assert!((red(&torch, 255.0) - 2.248_908_3).abs() < 1e-5);
        let tf = preset("imagenet-tf", &[3, 299, 299]).unwrap().unwrap();
        assert_eq!((red(&tf, 0.0), red(&tf, 255.0)), (-1.0, 1.0));
        let mnist = preset("mnist", &[1, 28, 28]).unwrap().unwrap();
        assert!((red(&mnist, 255.0) - 2.821_486_7).abs() < 1e-5);
        assert_eq!(red(&preset("raw255", &[3, 8, 8]).unwrap().unwrap(), 255.0), 255.0);
        assert_eq!(preset("mnist", &[3, 8, 8]).unwrap().unwrap_err().exit_code(), 2);
        assert!(preset("imagenet", &[3, 8, 8]).is_none());
    }

    #[test]
    fn a_network_for_bgr_says_the_same_of_the_colours_in_its_own_order() {
        use cutaway::engine::{Engine, Options};
        use cutaway::net::ConvSpec;
        let mut builder = cutaway::net::NetworkBuilder::new("colours");
        builder.input("image", &[3, 6, 6]).conv("conv", ConvSpec::new(4, 3));
        let bgr = builder.flatten("flat").dense("out", 2).build(1).unwrap();
        let mut metadata = bgr.metadata().clone();
        let rgb = taking_rgb(&bgr, &mut metadata).unwrap();
        let image = ndarray::Array4::from_shape_fn((1, 3, 6, 6), |(_, c, y, x)| {
            (c * 36 + y * 6 + x) as f32 / 100.0
        });
        let mut turned = image.clone();
        turned.invert_axis(ndarray::Axis(1));
        let ask = |network: &Network, image: &ndarray::Array4<f32>| {
            let engine = Engine::compile(network, &Options::default()).unwrap();
            engine.predict(image.view()).unwrap()
        };
        let difference = ask(&rgb, &image) - ask(&bgr, &turned);
        assert!(difference.iter().all(|d| d.abs() < 1e-6));
        assert!(ask(&bgr, &image) != ask(&bgr, &turned));
    }
}
