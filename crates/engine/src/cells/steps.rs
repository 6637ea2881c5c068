//! How many sequences of a batch run at each step.

use crate::{Error, Result};

/// The packing of a batch: at step `t` the sequences `0..counts[t]` run, and their rows stand together.
/// Sequences are sorted, the longest first, and all end at the last step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    counts: Vec<usize>,
    starts: Vec<usize>,
}

impl Steps {
    /// For sequences of these lengths, the longest first.
    ///
    /// # Errors
    /// [`Error::Sequences`] where there is none, one is empty, or they are not sorted.
    pub fn of_lengths(lengths: &[usize]) -> Result<Steps> {
        let sorted = lengths.windows(2).all(|pair| pair[0] >= pair[1]);
        let (Some(&longest), true, true) = (lengths.first(), sorted, !lengths.contains(&0)) else {
            return Err(Error::Sequences(
                "a batch of sequences needs at least one, none of them empty, the longest first"
                    .to_owned(),
            ));
        };
        let running = |t: usize| lengths.partition_point(|&length| length >= longest - t);
        let counts: Vec<usize> = (0..longest).map(running).collect();
        Ok(Steps::of_counts(counts))
    }

    fn of_counts(counts: Vec<usize>) -> Steps {
        let mut starts = Vec::with_capacity(counts.len() + 1);
        let mut rows = 0;
        for count in &counts {
            starts.push(rows);
            rows += count;
        }
        starts.push(rows);
        Steps { counts, starts }
    }

    /// The steps `range` alone, as when backpropagation is truncated.
    ///
    /// # Panics
    /// Where the range leaves the batch.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Steps {
        Steps::of_counts(self.counts[range].to_vec())
    }

    /// Sequences at each step, never decreasing.
    #[must_use]
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// Number of steps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there is no step.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Number of sequences.
    #[must_use]
    pub fn sequences(&self) -> usize {
        self.counts.last().copied().unwrap_or(0)
    }

    /// Rows of all steps together: the tokens of the batch.
    #[must_use]
    pub fn rows(&self) -> usize {
        *self.starts.last().expect("starts has an end")
    }

    /// The rows of step `t`; sequence `i` has the row `rows_of(t).start + i`.
    #[must_use]
    pub fn rows_of(&self, t: usize) -> std::ops::Range<usize> {
        self.starts[t]..self.starts[t + 1]
    }

    /// The row of sequence `i` at step `t`, none before it has begun.
    #[must_use]
    pub fn row(&self, t: usize, sequence: usize) -> Option<usize> {
        (sequence < self.counts[t]).then(|| self.starts[t] + sequence)
    }
}
