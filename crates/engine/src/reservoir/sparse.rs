//! A matrix of which only the non-zeros are kept.

use super::Real;
use crate::{Error, Result};

/// Row by row, the columns of a row rising.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse<R> {
    columns: usize,
    rows: Vec<Vec<(usize, R)>>,
}

impl<R: Real> Sparse<R> {
    /// From the non-zeros of each row, `(column, value)`.
    ///
    /// # Errors
    /// [`Error::Sequences`] where a row's columns do not rise or leave the matrix.
    pub fn new(columns: usize, rows: Vec<Vec<(usize, R)>>) -> Result<Sparse<R>> {
        for (r, row) in rows.iter().enumerate() {
            let rising = row.windows(2).all(|pair| pair[0].0 < pair[1].0);
            if !rising || row.last().is_some_and(|last| last.0 >= columns) {
                return Err(Error::Sequences(format!(
                    "row {r} of a sparse matrix: expected rising columns below {columns}, found {:?}",
                    row.iter().map(|entry| entry.0).collect::<Vec<_>>()
                )));
            }
        }
        Ok(Sparse { columns, rows })
    }

    /// From all values, row by row; zeros are left out.
    ///
    /// # Errors
    /// [`Error::Sequences`] where there are not `rows · columns` values.
    pub fn from_dense(rows: usize, columns: usize, values: &[R]) -> Result<Sparse<R>> {
        if values.len() != rows * columns {
            return Err(Error::Sequences(format!(
                "a matrix of {rows} × {columns}: expected {} values, found {}",
                rows * columns,
                values.len()
            )));
        }
        let row = |r: usize| {
            let all = values[r * columns..(r + 1) * columns].iter().copied().enumerate();
            all.filter(|&(_, value)| value != R::default()).collect()
        };
        Ok(Sparse { columns, rows: (0..rows).map(row).collect() })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The non-zeros of a row, `(column, value)`, columns rising.
    ///
    /// # Panics
    /// Where there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[(usize, R)] {
        &self.rows[row]
    }

    /// Number of values that are kept.
    #[must_use]
    pub fn nonzeros(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }

    /// All values, row by row, zeros among them.
    #[must_use]
    pub fn dense(&self) -> Vec<R> {
        let mut values = vec![R::default(); self.rows() * self.columns];
        for (r, row) in self.rows.iter().enumerate() {
            row.iter().for_each(|&(c, value)| values[r * self.columns + c] = value);
        }
        values
    }

    /// Every value made another by `f`, in another precision if need be.
    #[must_use]
    pub fn map<S: Real>(&self, f: impl Fn(R) -> S) -> Sparse<S> {
        let row = |row: &Vec<(usize, R)>| row.iter().map(|&(c, value)| (c, f(value))).collect();
        Sparse { columns: self.columns, rows: self.rows.iter().map(row).collect() }
    }
}
