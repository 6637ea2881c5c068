//! Labels, preprocessing and training record in a file's `metadata_props`.

use std::collections::HashSet;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::proto::StringStringEntryProto;
use crate::{Error, Metadata, Network, Op, Result};

/// A JSON list of words.
const LABELS: &str = "cutaway.labels";
/// [`crate::Preprocessing`] as a JSON object.
const PREPROCESSING: &str = "cutaway.preprocessing";
/// [`crate::TrainingRecord`] as a JSON object.
const TRAINING: &str = "cutaway.training";
/// A JSON list of the parameters that training must leave alone, running statistics not counted.
const FROZEN: &str = "cutaway.frozen";

/// What the metadata of a file say.
pub(crate) struct Extra {
    pub(crate) metadata: Metadata,
    /// Names of parameters that are not trained.
    pub(crate) frozen: HashSet<String>,
}

/// Reads our keys; a file without them has no labels and takes images divided by 255.
pub(crate) fn read(props: &[StringStringEntryProto], input: &[usize]) -> Result<Extra, String> {
    let mut metadata = Metadata::for_input(input);
    if let Some(labels) = parse(props, LABELS)? {
        metadata.labels = labels;
    }
    if let Some(preprocessing) = parse(props, PREPROCESSING)? {
        metadata.preprocessing = preprocessing;
    }
    metadata.training = parse(props, TRAINING)?;
    let frozen: Option<Vec<String>> = parse(props, FROZEN)?;
    Ok(Extra { metadata, frozen: frozen.unwrap_or_default().into_iter().collect() })
}

fn parse<T: DeserializeOwned>(
    props: &[StringStringEntryProto],
    key: &str,
) -> Result<Option<T>, String> {
    let entry = props.iter().find(|entry| entry.key.as_deref() == Some(key));
    let Some(text) = entry.and_then(|entry| entry.value.as_deref()) else { return Ok(None) };
    serde_json::from_str(text)
        .map(Some)
        .map_err(|error| format!("has metadata {key:?} that cannot be understood: {error}"))
}

/// Writes our keys, in a fixed order.
pub(crate) fn write(network: &Network) -> Result<Vec<StringStringEntryProto>> {
    let metadata = network.metadata();
    let mut props =
        vec![entry(LABELS, &metadata.labels)?, entry(PREPROCESSING, &metadata.preprocessing)?];
    if let Some(training) = &metadata.training {
        props.push(entry(TRAINING, training)?);
    }
    let frozen = frozen(network);
    if !frozen.is_empty() {
        props.push(entry(FROZEN, &frozen)?);
    }
    Ok(props)
}

fn entry(key: &str, value: &impl Serialize) -> Result<StringStringEntryProto> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::Model { problem: format!("cannot hold {key:?}: {error}") })?;
    Ok(StringStringEntryProto { key: Some(key.to_owned()), value: Some(text) })
}

fn frozen(network: &Network) -> Vec<&str> {
    let nodes = network.nodes().iter();
    let learnt = nodes.flat_map(|node| match node.op {
        Op::BatchNorm { .. } => &node.params[..2],
        _ => &node.params[..],
    });
    let params = learnt.map(|&param| network.param(param));
    params.filter(|param| !param.trainable).map(|param| param.name.as_str()).collect()
}
