//! The metrics file: one line an epoch, for plots and spreadsheets.

use std::path::Path;

use crate::{EpochResult, Error, Result};

/// The first line of a metrics file.
const COLUMNS: &str = "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,\
                       learning_rate,seconds,images_per_second";

/// Writes all epochs so far as CSV. The file is replaced as a whole, so that a reader never sees
/// half a line and a resumed training leaves no line twice.
pub(crate) fn write(path: &Path, epochs: &[EpochResult]) -> Result<()> {
    cutaway_data::write_atomically(path, |out| {
        writeln!(out, "{COLUMNS}")?;
        epochs.iter().try_for_each(|epoch| writeln!(out, "{}", line(epoch)))
    })
    .map_err(Error::from)
}

fn line(result: &EpochResult) -> String {
    let optional = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let EpochResult { epoch, train_loss, train_accuracy, learning_rate, seconds, .. } = result;
    let validation_loss = optional(result.validation_loss);
    let validation_accuracy = optional(result.validation_accuracy);
    format!(
        "{epoch},{train_loss},{train_accuracy},{validation_loss},{validation_accuracy},\
         {learning_rate},{seconds:.3},{:.1}",
        result.images_per_second
    )
}
