//! The embedded data set.
use crate::{Dataset, Error, OpenOptions, Result};

pub(crate) fn dataset(_options: &OpenOptions) -> Result<Dataset> {
    Err(Error::Invalid("strokes is not there yet".into()))
}
