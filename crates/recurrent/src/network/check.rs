//! Whether sequences are what a network reads, and their targets what it can say.

use cutaway_data::sequences::{Inputs, Sequences, Targets};

use super::architecture::{Architecture, Readout, Reads};
use crate::error::{Error, Result};

/// Checks what is read.
pub(crate) fn check(a: &Architecture, data: &Sequences) -> Result<()> {
    let refuse = |i: usize, problem: String| {
        let id = data.ids.get(i).map_or("?", String::as_str);
        Err(Error::Sequences(format!("{}, sequence {} ({id}): {problem}", data.name, i + 1)))
    };
    let whole = |problem: String| Err(Error::Sequences(format!("{}: {problem}", data.name)));
    let count = match (&data.inputs, a.reads) {
        (Inputs::Symbols { sequences, .. }, Reads::Symbols { count, .. }) => {
            for (i, sequence) in sequences.iter().enumerate() {
                if let Some(symbol) = sequence.iter().find(|&&symbol| usize::from(symbol) >= count)
                {
                    let problem =
                        format!("symbol {symbol}, but the network knows 0 to {}", count - 1);
                    return refuse(i, problem);
                }
            }
            sequences.len()
        }
        (Inputs::Values { width, sequences }, Reads::Values { width: wanted }) => {
            if *width != wanted {
                return whole(format!("{width} values a step, but the network reads {wanted}"));
            }
            for (i, sequence) in sequences.iter().enumerate() {
                if sequence.len() % width != 0 {
                    return refuse(
                        i,
                        format!("{} values are no whole steps of {width}", sequence.len()),
                    );
                }
                if sequence.iter().any(|value| !value.is_finite()) {
                    return refuse(i, "a value that is infinite or no number".to_owned());
                }
            }
            sequences.len()
        }
        (Inputs::Symbols { .. }, _) => {
            return whole("symbols, but the network reads values".to_owned());
        }
        (Inputs::Values { .. }, _) => {
            return whole("values, but the network reads symbols".to_owned());
        }
    };
    if count != data.len() {
        return whole(format!("{count} sequences, but {} names", data.len()));
    }
    if count == 0 {
        return whole("no sequence".to_owned());
    }
    match (0..count).find(|&i| data.length(i) == 0) {
        Some(i) => refuse(i, "nothing in it; leave it out".to_owned()),
        None => Ok(()),
    }
}

/// Checks what is to be said; after [`check`].
pub(crate) fn check_targets(a: &Architecture, data: &Sequences) -> Result<()> {
    let whole = |problem: String| Err(Error::Sequences(format!("{}: {problem}", data.name)));
    let (classes, count) = match &data.targets {
        Targets::Classes { names, labels } => (names.len(), labels.len()),
        Targets::Steps { names, labels } => (names.len(), labels.len()),
        Targets::Numbers(numbers) => (1, numbers.len()),
    };
    if count != data.len() {
        return whole(format!("targets for {count} of {} sequences", data.len()));
    }
    let at_steps = matches!(data.targets, Targets::Steps { .. });
    if at_steps != (a.readout == Readout::EveryStep) {
        return whole(match at_steps {
            true => "classes at steps, but the network answers once; give it the readout at every step",
            false => "one target a sequence, but the network answers at every step; give it another readout",
        }
        .to_owned());
    }
    if classes != a.outputs {
        return whole(format!(
            "{classes} classes or values, but the network has {} outputs",
            a.outputs
        ));
    }
    match &data.targets {
        Targets::Classes { labels, .. } => match labels.iter().find(|&&label| label >= classes) {
            Some(label) => whole(format!("class {label}, but there are {classes}, from 0")),
            None => Ok(()),
        },
        Targets::Numbers(numbers) => match numbers.iter().any(|number| !number.is_finite()) {
            true => whole("a target that is infinite or no number".to_owned()),
            false => Ok(()),
        },
        Targets::Steps { labels, .. } => {
            for (i, steps) in labels.iter().enumerate() {
                if steps.len() != data.length(i) {
                    let (found, length) = (steps.len(), data.length(i));
                    return whole(format!(
                        "sequence {}: {found} targets for {length} steps",
                        i + 1
                    ));
                }
                if let Some(label) = steps.iter().flatten().find(|&&l| usize::from(l) >= classes) {
                    return whole(format!("class {label}, but there are {classes}, from 0"));
                }
            }
            match labels.iter().flatten().flatten().next() {
                Some(_) => Ok(()),
                None => whole("no step with a target".to_owned()),
            }
        }
    }
}
