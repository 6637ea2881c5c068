//! Preprocessing, answer and labels that are given on the command line: presets, TOML files, single settings.

mod bgr;
mod labels;
mod rules;

use std::path::Path;

use cutaway::net::{Metadata, Network, channels_first, is_channels_last};
use ndarray::{ArrayD, Axis};

use crate::args::ModelArg;
use crate::error::{Error, Result};
use rules::Order;

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

/// The network for images with the channels first.
pub(crate) fn turned(network: Network, arg: &ModelArg) -> Result<Network> {
    match channels_last(&network, arg) {
        true => channels_first(&network)
            .map_err(|error| Error::Usage(format!("--layout {}: {error}", arg.layout))),
        false => Ok(network),
    }
}

/// The network for images with the channels first, with the preprocessing, the answer and the labels
/// that were given, where some were.
pub(crate) fn given(network: Network, arg: &ModelArg) -> Result<Network> {
    labelled(fitted(turned(network, arg)?, arg)?, arg)
}

/// The network, channels first, with the preprocessing and the answer that were given. Labels come last: the answer says
/// how many classes there are.
pub(crate) fn fitted(network: Network, arg: &ModelArg) -> Result<Network> {
    let mut network = network;
    if !arg.preprocess.is_empty() {
        let mut metadata = network.metadata().clone();
        let shape = network.shape(network.input()).to_vec();
        let rules = rules::given(&arg.preprocess, &shape, &metadata.preprocessing)?;
        metadata.preprocessing = rules.preprocessing;
        if rules.order == Order::Bgr {
            network = bgr::taking_rgb(&network, &mut metadata)?;
        }
        network = checked(&network, metadata)?;
    }
    match &arg.answer {
        Some(spec) => crate::answer::chosen(&network, spec),
        None => Ok(network),
    }
}

/// The network with the labels that were given.
pub(crate) fn labelled(network: Network, arg: &ModelArg) -> Result<Network> {
    let Some(path) = &arg.labels else { return Ok(network) };
    let mut metadata = network.metadata().clone();
    metadata.labels = labels::labels(path, network.classes())?;
    checked(&network, metadata)
}

fn checked(network: &Network, metadata: Metadata) -> Result<Network> {
    network.with_checked_metadata(metadata).map_err(|error| Error::Usage(error.to_string()))
}

/// Whether the preprocessing is a guess: the file says nothing of it, nor of labels or training.
pub(crate) fn is_assumed(network: &Network) -> bool {
    *network.metadata() == Metadata::for_input(network.shape(network.input()))
}

/// Whether the file's network takes blue first, as was given.
pub(crate) fn is_bgr(arg: &ModelArg, network: &Network) -> Result<bool> {
    let shape = network.shape(network.input());
    let own = &network.metadata().preprocessing;
    Ok(!arg.preprocess.is_empty() && rules::given(&arg.preprocess, shape, own)?.order == Order::Bgr)
}

/// A batch that [`given`] made the input of, as the file's own network takes it: blue first and the
/// channels last where it does.
pub(crate) fn as_the_file_takes_it(
    batch: ArrayD<f32>,
    arg: &ModelArg,
    network: &Network,
) -> Result<ArrayD<f32>> {
    let mut batch = batch;
    if is_bgr(arg, &turned(network.clone(), arg)?)? {
        batch.invert_axis(Axis(1));
    }
    if channels_last(network, arg) {
        batch = batch.permuted_axes(vec![0, 2, 3, 1]);
    }
    Ok(batch.as_standard_layout().into_owned())
}

fn text(path: &Path, flag: &str) -> Result<String> {
    let failed = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MAX_BYTES {
        return Err(Error::Usage(format!("{flag} {}: {size} bytes are too many", path.display())));
    }
    std::fs::read_to_string(path).map_err(failed)
}
