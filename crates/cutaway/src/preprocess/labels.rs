//! Names of the classes.

use std::path::Path;

use super::text;
use crate::error::{Error, Result};

/// The classes of ImageNet's challenge in the order that networks have them, see `models/README.md`.
const IMAGENET: &str = include_str!("../../models/imagenet-labels.txt");

/// `imagenet`, or a file with one label a line.
pub(super) fn labels(path: &Path, classes: usize) -> Result<Vec<String>> {
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
