//! Alphabet, labels and training record in a file's `metadata_props`.

use cutaway_net::onnx::proto::StringStringEntryProto;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::SequenceModel;
use crate::error::{Error, Result};

const ALPHABET: &str = "cutaway.alphabet";
const LABELS: &str = "cutaway.labels";
const TRAINING: &str = "cutaway.training";

pub(super) fn write(model: &SequenceModel) -> Result<Vec<StringStringEntryProto>> {
    let alphabet: String = model.alphabet.iter().collect();
    let mut props = vec![entry(ALPHABET, &alphabet)?, entry(LABELS, &model.labels)?];
    if let Some(training) = &model.training {
        props.push(entry(TRAINING, training)?);
    }
    Ok(props)
}

fn entry(key: &str, value: &impl Serialize) -> Result<StringStringEntryProto> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::Sequences(format!("the file cannot hold {key}: {error}")))?;
    Ok(StringStringEntryProto { key: Some(key.to_owned()), value: Some(text) })
}

/// Reads our keys; a file without them has neither.
pub(super) fn read(props: &[StringStringEntryProto], model: &mut SequenceModel) -> Result<()> {
    if let Some(alphabet) = parse::<String>(props, ALPHABET)? {
        model.alphabet = alphabet.chars().collect();
    }
    if let Some(labels) = parse(props, LABELS)? {
        model.labels = labels;
    }
    model.training = parse(props, TRAINING)?;
    Ok(())
}

fn parse<T: DeserializeOwned>(props: &[StringStringEntryProto], key: &str) -> Result<Option<T>> {
    let entry = props.iter().find(|entry| entry.key.as_deref() == Some(key));
    let Some(text) = entry.and_then(|entry| entry.value.as_deref()) else { return Ok(None) };
    serde_json::from_str(text)
        .map(Some)
        .map_err(|error| Error::Sequences(format!("metadata {key} cannot be understood: {error}")))
}
