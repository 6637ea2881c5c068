//! Downloads.
use crate::catalog::Known;
use crate::{Error, OpenOptions, Result};

pub(crate) enum Patience {
    Explicit,
    Auto,
}

pub(crate) fn ensure(known: &Known, options: &OpenOptions, _patience: Patience) -> Result<()> {
    if known.present_in(options).is_some() {
        return Ok(());
    }
    Err(Error::Unavailable {
        name: known.name.into(),
        folder: known.home(options),
        reason: "downloads are not there yet".into(),
    })
}

/// Downloads a data set.
pub fn fetch(_name: &str, _options: &OpenOptions) -> Result<()> {
    Ok(())
}
