//! `cutaway study`.

use crate::args::{Common, Study};
use crate::error::Result;

pub(crate) fn run(verb: &Study, common: &Common) -> Result<()> {
    let _ = (verb, common);
    Ok(())
}
