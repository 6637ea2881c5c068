//! A few lines of mathematics as data, to be written three ways: for the terminal, as LaTeX and as
//! MathML. No more than the laboratory's derivation needs.

mod latex;
mod mathml;
mod text;

pub use latex::to_latex;
pub use mathml::to_mathml;
pub use text::to_text;

/// A piece of mathematics.
#[derive(Clone, Debug, PartialEq)]
pub enum Math {
    /// A name of one or more letters.
    Name(String),
    /// A number, written with this many significant digits at most.
    Number(f64),
    /// An operator or a sign: `+`, `=`, `∂`, `(`; `−` stands between two things, `-` before one.
    Sign(&'static str),
    /// A word, such as a function's name.
    Word(String),
    /// With an index below.
    Index(Box<Math>, String),
    /// With an exponent.
    Power(Box<Math>, Box<Math>),
    /// One over the other.
    Fraction(Box<Math>, Box<Math>),
    /// One after the other.
    Row(Vec<Math>),
    /// Numbers in rows, in brackets.
    Matrix(Vec<Vec<Cell>>),
}

/// A cell of a matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// A value.
    Number(f64),
    /// Where values are left out.
    Dots,
}

/// Rows and columns of a larger matrix that are written: the first ones and the last.
const SHOWN: usize = 6;
/// Significant digits of a number.
const DIGITS: usize = 8;

impl Math {
    /// A name.
    pub fn name(name: impl Into<String>) -> Math {
        Math::Name(name.into())
    }

    /// Adjacent pieces.
    pub fn row(pieces: impl IntoIterator<Item = Math>) -> Math {
        Math::Row(pieces.into_iter().collect())
    }

    /// A matrix; the middle of a large one is left out.
    #[must_use]
    pub fn matrix(matrix: &crate::Matrix) -> Math {
        let rows = shown(matrix.rows()).into_iter().map(|row| {
            let columns = shown(matrix.columns()).into_iter();
            let cell = |column: Option<usize>| match (row, column) {
                (Some(row), Some(column)) => Cell::Number(matrix.at(row, column)),
                _ => Cell::Dots,
            };
            columns.map(cell).collect()
        });
        Math::Matrix(rows.collect())
    }

    /// A row vector.
    #[must_use]
    pub fn row_vector(values: &[f64]) -> Math {
        let cell = |place: Option<usize>| place.map_or(Cell::Dots, |i| Cell::Number(values[i]));
        Math::Matrix(vec![shown(values.len()).into_iter().map(cell).collect()])
    }

    /// A column vector.
    #[must_use]
    pub fn column(values: &[f64]) -> Math {
        let cell = |place: Option<usize>| place.map_or(Cell::Dots, |i| Cell::Number(values[i]));
        Math::Matrix(shown(values.len()).into_iter().map(|place| vec![cell(place)]).collect())
    }
}

/// The places that are written; none stands for those left out.
fn shown(count: usize) -> Vec<Option<usize>> {
    if count <= SHOWN {
        return (0..count).map(Some).collect();
    }
    let first = (0..SHOWN - 2).map(Some);
    first.chain([None, Some(count - 1)]).collect()
}

/// A number with [`DIGITS`] significant digits at most, without trailing zeros: its sign, its
/// mantissa and, far from 1, the exponent of ten.
fn parts(number: f64) -> (bool, String, Option<i32>) {
    if !number.is_finite() {
        let text = if number.is_nan() { "NaN" } else { "∞" };
        return (number < 0.0, text.to_owned(), None);
    }
    let text = format!("{:.*e}", DIGITS - 1, number.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let negative = number < 0.0;
    if (-4..8).contains(&exponent) {
        let decimals = (DIGITS as i32 - 1 - exponent).max(0) as usize;
        return (negative, trim(&format!("{:.*}", decimals, number.abs())), None);
    }
    if number == 0.0 {
        return (false, "0".to_owned(), None);
    }
    (negative, trim(mantissa), Some(exponent))
}
