//! A trained network of any kind.

use cutaway_data::sequences::{Sequences, Targets};

use crate::error::Result;
use crate::metrics::most_probable;
use crate::network::Runner;
use crate::reservoir::EchoStateNetwork;

/// A trained network of any kind.
pub enum Trained {
    /// Trained by gradients.
    Network(Box<Runner>),
    /// Fitted by ridge regression.
    Echo(Box<EchoStateNetwork>),
}

impl Trained {
    /// The score of each class for every sequence, or the number said, or the scores at every step (of an echo state
    /// network: at every step that is asked about).
    ///
    /// # Errors
    /// [`Error::Sequences`](crate::Error::Sequences) or [`Error::Setting`](crate::Error::Setting) where the sequences are
    /// not what the network reads.
    pub fn scores(&self, data: &Sequences) -> Result<Vec<Vec<f64>>> {
        match self {
            Trained::Network(runner) => {
                let answers = runner.answers(data)?.into_iter();
                Ok(answers.map(|a| a.into_iter().map(f64::from).collect()).collect())
            }
            Trained::Echo(network) => {
                let values = network.values(data)?;
                Ok(rows(&values, data, network.readout().bias.len()))
            }
        }
    }

    /// The class said to every question: a sequence, or a step that is asked about, sequence after sequence.
    ///
    /// # Errors
    /// As [`Self::scores`].
    pub fn classes(&self, data: &Sequences) -> Result<Vec<usize>> {
        let scores = self.scores(data)?;
        let Targets::Steps { names, labels } = &data.targets else {
            return Ok(scores.iter().map(|s| most_probable(s)).collect());
        };
        let mut classes = Vec::new();
        for (scores, labels) in scores.iter().zip(labels) {
            let asked = labels.iter().enumerate().filter(|(_, label)| label.is_some());
            match self {
                Trained::Network(_) => {
                    classes
                        .extend(asked.map(|(t, _)| {
                            most_probable(&scores[t * names.len()..][..names.len()])
                        }));
                }
                Trained::Echo(_) => {
                    classes.extend(scores.chunks_exact(names.len()).map(most_probable))
                }
            }
        }
        Ok(classes)
    }
}

/// The values of each sequence's questions.
fn rows(values: &[f64], data: &Sequences, outputs: usize) -> Vec<Vec<f64>> {
    let asked = |i: usize| match &data.targets {
        Targets::Steps { labels, .. } => labels[i].iter().flatten().count(),
        _ => 1,
    };
    let mut rest = values;
    let mut take = |i: usize| {
        let (own, others) = rest.split_at(asked(i) * outputs);
        rest = others;
        own.to_vec()
    };
    (0..data.len()).map(&mut take).collect()
}
