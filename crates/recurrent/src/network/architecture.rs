//! What a network is before it has learnt anything.

use cutaway_engine::cells::Cell;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The most parameters that a network may have: a gigabyte of them.
pub const MAX_PARAMETERS: usize = 1 << 28;

/// Sizes and kinds: an input, recurrent layers, a readout, a linear head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// What is read at a step.
    pub reads: Reads,
    /// The cell of every layer.
    pub cell: Cell,
    /// Values of a layer's state, in one direction; from 1.
    pub hidden: usize,
    /// Recurrent layers, one on top of the other; from 1.
    pub layers: usize,
    /// Which way the sequence is read.
    pub direction: Direction,
    /// Which states are answered from.
    pub readout: Readout,
    /// Numbers that the head gives: classes, or values; from 1.
    pub outputs: usize,
}

/// What a network reads at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Reads {
    /// One of `count` symbols (1 to 256), looked up in an embedding of `embedding` values.
    Symbols {
        /// Symbols in the alphabet.
        count: usize,
        /// Values of the embedding of each.
        embedding: usize,
    },
    /// Numbers.
    Values {
        /// How many a step.
        width: usize,
    },
}

/// Which way a sequence is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the first step to the last.
    Forward,
    /// From the last step to the first.
    Reverse,
    /// Both, by layers of their own, their states side by side (Schuster and Paliwal 1997).
    Both,
}

/// Which states of the last layer are answered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readout {
    /// The state after the last step that is read: in reverse, after the sequence's first.
    Last,
    /// The mean over all steps.
    Mean,
    /// The largest value over all steps, for each value of the state.
    Max,
    /// An answer at every step.
    EveryStep,
}

impl Architecture {
    /// Checks that every size is one that can be built.
    ///
    /// # Errors
    /// [`Error::Setting`] with the size, and what would do.
    pub fn check(&self) -> Result<()> {
        if let Reads::Symbols { count, .. } = self.reads
            && !(1..=256).contains(&count)
        {
            return Err(Error::Setting(format!("an alphabet has 1 to 256 symbols, not {count}")));
        }
        let input = ("values of an input or embedding", self.inputs());
        let sizes =
            [input, ("states", self.hidden), ("layers", self.layers), ("outputs", self.outputs)];
        if let Some((what, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(Error::Setting(format!(
                "a network needs at least 1 for the number of {what}"
            )));
        }
        match self.parameters() {
            Some(_) => Ok(()),
            None => Err(Error::Setting(format!(
                "a network of these sizes has more than {MAX_PARAMETERS} parameters; make it smaller"
            ))),
        }
    }

    /// Number of parameters; none where it is beyond [`MAX_PARAMETERS`].
    #[must_use]
    pub fn parameters(&self) -> Option<usize> {
        let times = |a: usize, b: usize| a.checked_mul(b).filter(|&n| n <= MAX_PARAMETERS);
        let rows = times(self.cell.gates(), self.hidden)?;
        let of_layer = |inputs: usize| {
            let values = times(rows, inputs)?.checked_add(times(rows, self.hidden)?)?;
            times(values.checked_add(2 * rows)?, self.directions())
        };
        let first = of_layer(self.inputs())?;
        let others = times(of_layer(self.features())?, self.layers - 1)?;
        let head = times(self.outputs, self.features().checked_add(1)?)?;
        let embedding = match self.reads {
            Reads::Symbols { count, embedding } => times(count, embedding)?,
            Reads::Values { .. } => 0,
        };
        let all = [first, others, head, embedding];
        all.into_iter()
            .try_fold(0, |sum: usize, n| sum.checked_add(n))
            .filter(|&n| n <= MAX_PARAMETERS)
    }

    /// Values that the first layer reads at a step.
    #[must_use]
    pub fn inputs(&self) -> usize {
        match self.reads {
            Reads::Symbols { embedding, .. } => embedding,
            Reads::Values { width } => width,
        }
    }

    /// Ways in which the sequence is read: 1 or 2.
    #[must_use]
    pub fn directions(&self) -> usize {
        if self.direction == Direction::Both { 2 } else { 1 }
    }

    /// Values that the head reads.
    #[must_use]
    pub fn features(&self) -> usize {
        self.directions().saturating_mul(self.hidden)
    }

    /// Values that a layer reads at a step, counted from 0.
    pub(crate) fn inputs_of(&self, layer: usize) -> usize {
        if layer == 0 { self.inputs() } else { self.features() }
    }

    /// Whether the `which`-th way of reading goes backwards.
    pub(crate) fn is_reversed(&self, which: usize) -> bool {
        which == 1 || self.direction == Direction::Reverse
    }

    /// Whether windows of a sequence can be run one after the other without holding all of it.
    pub(crate) fn runs_in_windows(&self) -> bool {
        self.directions() == 1 || (self.layers == 1 && self.readout != Readout::EveryStep)
    }
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Direction::Forward => "forward",
            Direction::Reverse => "reverse",
            Direction::Both => "both",
        })
    }
}
