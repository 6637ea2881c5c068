//! What is compared, and on what terms.

use std::fmt;
use std::str::FromStr;

use cutaway_data::sequences::{Inputs, Sequences, Split, Targets};
use cutaway_engine::cells::Cell;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::network::{Architecture, Direction, Initialisation, Readout, Reads, RunnerOptions};
use crate::reservoir::Settings;
use crate::training::Options;

/// A kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The vanilla network (Elman 1990).
    Tanh,
    /// A vanilla network of rectified units that starts from the identity (Le et al. 2015).
    Relu,
    /// Long short-term memory (Hochreiter and Schmidhuber 1997).
    Lstm,
    /// Gated recurrent unit (Cho et al. 2014).
    Gru,
    /// Echo state network (Jaeger 2001): only its readout is trained.
    Esn,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Tanh, Kind::Relu, Kind::Lstm, Kind::Gru, Kind::Esn];

    /// The cell of a network that is trained; none for an echo state network.
    #[must_use]
    pub fn cell(self) -> Option<Cell> {
        match self {
            Kind::Tanh => Some(Cell::Tanh),
            Kind::Relu => Some(Cell::Relu),
            Kind::Lstm => Some(Cell::Lstm),
            Kind::Gru => Some(Cell::Gru),
            Kind::Esn => None,
        }
    }

    /// That of a cell.
    #[must_use]
    pub fn of(cell: Cell) -> Kind {
        match cell {
            Cell::Tanh => Kind::Tanh,
            Cell::Relu => Kind::Relu,
            Cell::Lstm => Kind::Lstm,
            Cell::Gru => Kind::Gru,
        }
    }

    /// As people write it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Kind::Tanh => "RNN (tanh)",
            Kind::Relu => "RNN (ReLU)",
            Kind::Lstm => "LSTM",
            Kind::Gru => "GRU",
            Kind::Esn => "ESN",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Tanh => "tanh",
            Kind::Relu => "relu",
            Kind::Lstm => "lstm",
            Kind::Gru => "gru",
            Kind::Esn => "esn",
        })
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(s: &str) -> Result<Kind, String> {
        let found = Kind::ALL.into_iter().find(|kind| kind.to_string() == s);
        found.ok_or_else(|| format!("unknown network '{s}': expected tanh, relu, lstm, gru or esn"))
    }
}

/// The three parts of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// What is learnt from.
    pub train: Sequences,
    /// What the best epoch and the ridge are chosen by.
    pub validation: Sequences,
    /// What is measured on.
    pub test: Sequences,
}

impl Parts {
    /// The parts of a split.
    #[must_use]
    pub fn of(all: &Sequences, split: &Split) -> Parts {
        Parts {
            train: all.select(&split.train),
            validation: all.select(&split.validation),
            test: all.select(&split.test),
        }
    }
}

/// Settings that all runs share.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Values of an LSTM's state, from 1. The other cells get as many as make about as many parameters.
    pub hidden: usize,
    /// Values of a symbol's embedding, from 1.
    pub embedding: usize,
    /// Recurrent layers, from 1.
    pub layers: usize,
    /// What the answer is read from; an answer at every step where the targets ask for that.
    pub readout: Readout,
    /// The values before training.
    pub start: Initialisation,
    /// How networks are trained; its seed is that of the run.
    pub training: Options,
    /// The echo state network; its seed is that of the run.
    pub reservoir: Settings,
    /// Threads and instructions.
    pub runner: RunnerOptions,
    /// Test sequences on which gradients are measured: before training, and after every epoch.
    pub probes: usize,
}

impl Default for Plan {
    /// 64 states, an embedding of 16, one layer, the last state; Adam at 0.003.
    fn default() -> Plan {
        let optimiser = crate::training::Optimiser::adam(0.003);
        Plan {
            hidden: 64,
            embedding: 16,
            layers: 1,
            readout: Readout::Last,
            start: Initialisation::default(),
            training: Options { optimiser, ..Options::default() },
            reservoir: Settings::default(),
            runner: RunnerOptions::default(),
            probes: 24,
        }
    }
}

impl Plan {
    /// The architecture of a cell: with as many parameters as the LSTM of [`Self::hidden`], as nearly as whole numbers go.
    ///
    /// # Errors
    /// [`Error::Setting`] where it cannot be built.
    pub fn architecture(
        &self,
        cell: Cell,
        direction: Direction,
        data: &Sequences,
    ) -> Result<Architecture> {
        let with = |cell: Cell, hidden: usize| Architecture {
            reads: self.reads(data),
            cell,
            hidden,
            layers: self.layers,
            direction,
            readout: if matches!(data.targets, Targets::Steps { .. }) {
                Readout::EveryStep
            } else {
                self.readout
            },
            outputs: outputs(data),
        };
        let lstm = with(Cell::Lstm, self.hidden);
        lstm.check()?;
        let wanted = lstm.parameters().expect("checked");
        let apart = |hidden: usize| match with(cell, hidden).parameters() {
            Some(found) => found.abs_diff(wanted),
            None => usize::MAX,
        };
        // The number of parameters grows with the states: the first of the nearest is found by bisection.
        let (mut low, mut high) = (1, 4 * self.hidden + 1);
        while low < high {
            let middle = low.midpoint(high);
            match with(cell, middle).parameters() {
                Some(found) if found < wanted => low = middle + 1,
                _ => high = middle,
            }
        }
        let nearest = if low > 1 && apart(low - 1) <= apart(low) { low - 1 } else { low };
        Ok(with(cell, nearest))
    }

    fn reads(&self, data: &Sequences) -> Reads {
        match &data.inputs {
            Inputs::Symbols { alphabet, .. } => {
                Reads::Symbols { count: alphabet.len(), embedding: self.embedding }
            }
            Inputs::Values { width, .. } => Reads::Values { width: *width },
        }
    }

    /// Checks that a network of this kind can read this way.
    ///
    /// # Errors
    /// [`Error::Setting`] for an echo state network that is to read both ways, to have several layers, or to answer from the
    /// maximum.
    pub fn check(&self, kind: Kind, direction: Direction) -> Result<()> {
        if kind != Kind::Esn {
            return Ok(());
        }
        if direction == Direction::Both || self.layers != 1 {
            return Err(Error::Setting(
                "an echo state network here has one layer and reads one way: forward or reverse; leave esn out, or \
                 give --directions forward,reverse and --layers 1"
                    .to_owned(),
            ));
        }
        if self.readout == Readout::Max {
            return Err(Error::Setting(
                "an echo state network here answers from its last state or the mean of all, not from the maximum; leave \
                 esn out, or give --readout last or mean"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

impl Plan {
    /// Checks all that a run on such data would refuse, so that it is told before hours of work.
    ///
    /// # Errors
    /// As [`run`](super::run()).
    pub fn check_all(&self, kind: Kind, direction: Direction, data: &Sequences) -> Result<()> {
        self.check(kind, direction)?;
        match kind.cell() {
            Some(cell) => self.training.check(&self.architecture(cell, direction, data)?),
            None => self.reservoir.check(),
        }
    }
}

fn outputs(data: &Sequences) -> usize {
    match &data.targets {
        Targets::Classes { names, .. } | Targets::Steps { names, .. } => names.len(),
        Targets::Numbers(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_data::sequences::protein_like::ProteinLike;

    #[test]
    fn all_cells_get_about_as_many_parameters() {
        let data = ProteinLike { count: 4, ..ProteinLike::default() }.generate().unwrap();
        let plan = Plan::default();
        for direction in [Direction::Forward, Direction::Both] {
            let count =
                |cell| plan.architecture(cell, direction, &data).unwrap().parameters().unwrap();
            let lstm = count(Cell::Lstm) as f64;
            for cell in [Cell::Tanh, Cell::Relu, Cell::Gru] {
                assert!(
                    (count(cell) as f64 / lstm - 1.0).abs() < 0.02,
                    "{cell:?}: {}",
                    count(cell)
                );
            }
        }
    }

    #[test]
    fn an_echo_state_network_reads_one_way() {
        assert!(Plan::default().check(Kind::Esn, Direction::Both).is_err());
        assert!(Plan::default().check(Kind::Lstm, Direction::Both).is_ok());
        let most = Plan { readout: Readout::Max, ..Plan::default() };
        assert!(most.check(Kind::Esn, Direction::Forward).is_err());
        assert!(most.check(Kind::Gru, Direction::Forward).is_ok());
    }
}
