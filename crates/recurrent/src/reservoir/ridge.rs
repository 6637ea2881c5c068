//! Ridge regression (Hoerl and Kennard 1970) from sums over samples, so that memory is bounded by the square
//! of the features, however many samples there are.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// `y = W x + b`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Readout {
    /// How many `x` are.
    pub features: usize,
    /// `W`, `[outputs, features]`
    pub weights: Vec<f64>,
    /// `b`, `[outputs]`
    pub bias: Vec<f64>,
}

impl Readout {
    /// `[samples, features]` to `[samples, outputs]`.
    ///
    /// # Panics
    /// Where the samples are not of this many features.
    #[must_use]
    pub fn apply(&self, samples: &[f64]) -> Vec<f64> {
        assert_eq!(samples.len() % self.features, 0, "samples of {} features", self.features);
        let outputs = self.bias.len();
        let count = samples.len() / self.features;
        // Column by column: a sample is a column.
        let x = DMatrix::from_column_slice(self.features, count, samples);
        let w = DMatrix::from_row_slice(outputs, self.features, &self.weights);
        let mut y = DMatrix::from_fn(outputs, count, |output, _| self.bias[output]);
        y.gemm(1.0, &w, &x, 1.0);
        y.as_slice().to_vec()
    }
}

/// The sums over weighted samples that a ridge regression needs: of `x xᵀ`, `x yᵀ`, `x`, `y` and weights.
#[derive(Clone, Debug)]
pub struct Gram {
    xx: DMatrix<f64>,
    xy: DMatrix<f64>,
    x: DVector<f64>,
    y: DVector<f64>,
    weight: f64,
}

/// Columns of `x xᵀ` that one thread works on; part of the bits.
const PANEL: usize = 64;

impl Gram {
    /// Sums over nothing.
    #[must_use]
    pub fn new(features: usize, outputs: usize) -> Gram {
        Gram {
            xx: DMatrix::zeros(features, features),
            xy: DMatrix::zeros(features, outputs),
            x: DVector::zeros(features),
            y: DVector::zeros(outputs),
            weight: 0.0,
        }
    }

    /// Adds samples: `[n, features]`, `[n, outputs]` and a weight each (1 for all where there are none).
    ///
    /// # Panics
    /// Where the lengths do not fit together.
    pub fn add(&mut self, samples: &[f64], targets: &[f64], weights: Option<&[f64]>) {
        let (features, outputs) = self.xy.shape();
        let count = samples.len() / features;
        assert_eq!(samples.len(), count * features, "samples of {features} features");
        assert_eq!(targets.len(), count * outputs, "targets of {outputs} outputs");
        assert!(weights.is_none_or(|w| w.len() == count), "one weight a sample");
        let x = DMatrix::from_column_slice(features, count, samples);
        let y = DMatrix::from_column_slice(outputs, count, targets);
        let mut weighted = x.transpose();
        if let Some(weights) = weights {
            for (mut row, &weight) in weighted.row_iter_mut().zip(weights) {
                row *= weight;
            }
        }
        // The lower half by panels of columns, each thread its own: no sum is shared, and so its bits are
        // the same on any number of threads.
        self.xx.as_mut_slice().par_chunks_mut(PANEL * features).enumerate().for_each(
            |(panel, columns)| {
                let first = panel * PANEL;
                let width = columns.len() / features;
                let mut columns = nalgebra::DMatrixViewMut::from_slice(columns, features, width);
                let mut below = columns.rows_range_mut(first..);
                below.gemm(1.0, &x.rows_range(first..), &weighted.columns(first, width), 1.0);
            },
        );
        self.xy.gemm_tr(1.0, &weighted, &y.transpose(), 1.0);
        self.x += weighted.row_sum().transpose();
        for sample in 0..count {
            let weight = weights.map_or(1.0, |w| w[sample]);
            self.y.axpy(weight, &y.column(sample), 1.0);
            self.weight += weight;
        }
    }

    /// The mean over the features of the sum of squares about the mean: what a ridge is large or small beside.
    #[must_use]
    pub fn scale(&self) -> f64 {
        let features = self.x.len();
        (0..features).map(|i| self.spread(i)).sum::<f64>() / features as f64
    }

    /// The sum of squares of a feature about its mean.
    fn spread(&self, feature: usize) -> f64 {
        let mean = self.x[feature] / self.weight;
        (self.xx[(feature, feature)] - self.weight * mean * mean).max(0.0)
    }

    /// The readout that minimises `Σ weight ‖W x + b − y‖² + ridge ‖W‖²`; `b` goes free.
    ///
    /// # Errors
    /// [`Error::Setting`] where nothing was added, the ridge is negative or not finite, or it is so small
    /// beside [`Self::scale`] that rounding errors prevail (features that depend on each other linearly).
    pub fn solve(&self, ridge: f64) -> Result<Readout> {
        self.solve_with(ridge, &vec![ridge; self.x.len()])
    }

    /// Likewise with a ridge for each feature: this share of its own sum of squares about its mean, as if all
    /// features had been brought to the same spread first. Mean states spread far less than last ones.
    ///
    /// # Errors
    /// As [`Self::solve`].
    pub fn solve_relative(&self, ridge: f64) -> Result<Readout> {
        let of_feature = |i| match self.spread(i) {
            // A unit that never moves has nothing to say, and any ridge keeps it quiet.
            0.0 => 1.0,
            spread => ridge * spread,
        };
        let ridges: Vec<f64> = (0..self.x.len()).map(of_feature).collect();
        self.solve_with(ridge, &ridges)
    }

    fn solve_with(&self, ridge: f64, ridges: &[f64]) -> Result<Readout> {
        if !(ridge >= 0.0 && ridge.is_finite()) || self.weight <= 0.0 {
            return Err(Error::Setting(format!(
                "a ridge regression: expected samples and a ridge of 0 or more, found the ridge {ridge} \
                 and samples of the weight {}",
                self.weight
            )));
        }
        let (mean_x, mean_y) = (&self.x / self.weight, &self.y / self.weight);
        let mut normal = self.xx.clone();
        // Only the lower half is filled in, and only it is looked at.
        normal.syger(-self.weight, &mean_x, &mean_x, 1.0);
        for i in 0..ridges.len() {
            normal[(i, i)] += ridges[i];
        }
        let mut right = self.xy.clone();
        right.ger(-self.weight, &mean_x, &mean_y, 1.0);
        let factor: Cholesky<f64, Dyn> = Cholesky::new(normal).ok_or_else(|| {
            Error::Setting(format!(
                "a ridge regression with the ridge {ridge:e} is lost in rounding errors: take a greater one \
                 (the features' mean sum of squares is {:.3e})",
                self.scale()
            ))
        })?;
        factor.solve_mut(&mut right);
        let bias = mean_y - right.tr_mul(&mean_x);
        if right.iter().chain(bias.iter()).any(|w| !w.is_finite()) {
            return Err(Error::Setting(
                "a ridge regression: expected finite samples and targets".to_owned(),
            ));
        }
        Ok(Readout {
            features: mean_x.len(),
            // Column by column [features, outputs] is row by row [outputs, features].
            weights: right.as_slice().to_vec(),
            bias: bias.as_slice().to_vec(),
        })
    }
}
