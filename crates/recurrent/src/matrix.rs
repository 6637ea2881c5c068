//! A small dense matrix of `f64`, row by row. The laboratory's sums are written out, so that their
//! order is seen and the same everywhere.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A matrix `[rows, columns]`; in JSON and TOML a list of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// All zeros.
    #[must_use]
    pub fn zeros(rows: usize, columns: usize) -> Matrix {
        Matrix { rows, columns, values: vec![0.0; rows * columns] }
    }

    /// Ones on the diagonal.
    #[must_use]
    pub fn identity(size: usize) -> Matrix {
        Matrix::diagonal(&vec![1.0; size])
    }

    /// The given values on the diagonal, zeros elsewhere.
    #[must_use]
    pub fn diagonal(values: &[f64]) -> Matrix {
        let mut matrix = Matrix::zeros(values.len(), values.len());
        for (i, &value) in values.iter().enumerate() {
            *matrix.at_mut(i, i) = value;
        }
        matrix
    }

    /// From its rows; none where they differ in length.
    #[must_use]
    pub fn from_rows(rows: &[Vec<f64>]) -> Option<Matrix> {
        let columns = rows.first().map_or(0, Vec::len);
        let equal = rows.iter().all(|row| row.len() == columns);
        equal.then(|| Matrix { rows: rows.len(), columns, values: rows.concat() })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values, row by row.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The values, row by row, to be changed.
    #[must_use]
    pub fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// One row.
    ///
    /// # Panics
    /// Where there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// One value.
    ///
    /// # Panics
    /// Where there is no such place.
    #[must_use]
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.row(row)[column]
    }

    /// One value, to be changed.
    ///
    /// # Panics
    /// Where there is no such place.
    #[must_use]
    pub fn at_mut(&mut self, row: usize, column: usize) -> &mut f64 {
        assert!(column < self.columns, "column {column} of {}", self.columns);
        &mut self.values[row * self.columns + column]
    }

    /// `M v`, a column `[rows]`.
    #[must_use]
    pub fn times(&self, vector: &[f64]) -> Vec<f64> {
        debug_assert_eq!(self.columns, vector.len());
        (0..self.rows).map(|r| dot(self.row(r), vector)).collect()
    }

    /// `vᵀ M`, a row `[columns]`: how a gradient goes back through `M`.
    #[must_use]
    pub fn left_times(&self, vector: &[f64]) -> Vec<f64> {
        debug_assert_eq!(self.rows, vector.len());
        let mut out = vec![0.0; self.columns];
        for (r, &factor) in vector.iter().enumerate() {
            add_scaled(&mut out, factor, self.row(r));
        }
        out
    }

    /// `M N`.
    #[must_use]
    pub fn product(&self, other: &Matrix) -> Matrix {
        debug_assert_eq!(self.columns, other.rows);
        let mut out = Matrix::zeros(self.rows, other.columns);
        for r in 0..self.rows {
            let row = other.left_times(self.row(r));
            out.values[r * other.columns..(r + 1) * other.columns].copy_from_slice(&row);
        }
        out
    }

    /// Adds `column rowᵀ`.
    pub(crate) fn add_outer(&mut self, column: &[f64], row: &[f64]) {
        debug_assert_eq!((self.rows, self.columns), (column.len(), row.len()));
        for (r, &factor) in column.iter().enumerate() {
            let columns = self.columns;
            add_scaled(&mut self.values[r * columns..(r + 1) * columns], factor, row);
        }
    }
}

/// The sum of products.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// `a ← a + factor · b`.
pub(crate) fn add_scaled(a: &mut [f64], factor: f64, b: &[f64]) {
    for (x, y) in a.iter_mut().zip(b) {
        *x += factor * y;
    }
}

impl Serialize for Matrix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.rows).map(|r| self.row(r)))
    }
}

impl<'de> Deserialize<'de> for Matrix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Matrix, D::Error> {
        let rows = Vec::<Vec<f64>>::deserialize(deserializer)?;
        let columns = rows.first().map_or(0, Vec::len);
        Matrix::from_rows(&rows).ok_or_else(|| {
            let (row, other) =
                rows.iter().enumerate().find(|(_, r)| r.len() != columns).expect("rows differ");
            let found = other.len();
            serde::de::Error::custom(format!(
                "row {} of the matrix has {found} values, expected {columns} as in its first row",
                row + 1
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_from_either_side_agree_with_the_product_of_matrices() {
        let m = Matrix::from_rows(&[vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0]]).unwrap();
        let n = Matrix::from_rows(&[vec![1.0], vec![0.5], vec![-1.0]]).unwrap();
        assert_eq!(m.times(&[1.0, 0.5, -1.0]), [-1.0, 0.5]);
        assert_eq!(m.product(&n).values(), [-1.0, 0.5]);
        assert_eq!(m.left_times(&[1.0, -1.0]), [-3.0, -3.0, -3.0]);
    }

    #[test]
    fn a_ragged_matrix_is_refused_with_the_row_that_differs() {
        let error = serde_json::from_str::<Matrix>("[[1, 2], [3]]").unwrap_err().to_string();
        assert!(error.contains("row 2 of the matrix has 1 values, expected 2"), "{error}");
    }
}
