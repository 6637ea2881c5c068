//! A problem: the network, its inputs and the loss. Read from TOML, checked once, right ever after.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::formula::Formula;
use super::functions::{Activation, Output};
use crate::error::{Error, Result};
use crate::matrix::Matrix;

/// The largest problem file, in bytes.
const LARGEST_FILE: u64 = 16 << 20;

/// Everything that can be learnt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameters {
    /// State to state, `[hidden, hidden]`.
    #[serde(rename = "W")]
    pub w: Matrix,
    /// Input to state, `[hidden, inputs]`.
    #[serde(rename = "U")]
    pub u: Matrix,
    /// State to output, `[outputs, hidden]`.
    #[serde(rename = "V")]
    pub v: Matrix,
    /// Bias of the state, `[hidden]`.
    pub b: Vec<f64>,
    /// Bias of the output, `[outputs]`.
    pub c: Vec<f64>,
    /// The state before the first input, `[hidden]`.
    pub h0: Vec<f64>,
}

/// The name of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are those of `Parameters`")]
pub enum Parameter {
    W,
    U,
    V,
    #[serde(rename = "b")]
    B,
    #[serde(rename = "c")]
    C,
    #[serde(rename = "h0")]
    H0,
}

impl Parameter {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Parameter; 6] = {
        use Parameter::*;
        [W, U, V, B, C, H0]
    };

    /// As in a problem file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Parameter::W => "W",
            Parameter::U => "U",
            Parameter::V => "V",
            Parameter::B => "b",
            Parameter::C => "c",
            Parameter::H0 => "h0",
        }
    }
}

impl std::str::FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Parameter, String> {
        let found = Parameter::ALL.into_iter().find(|p| p.name() == text);
        found.ok_or_else(|| format!("there is no parameter '{text}': expected W, U, V, b, c or h0"))
    }
}

impl Parameters {
    /// The values of one parameter, a matrix row by row.
    #[must_use]
    pub fn values(&self, parameter: Parameter) -> &[f64] {
        match parameter {
            Parameter::W => self.w.values(),
            Parameter::U => self.u.values(),
            Parameter::V => self.v.values(),
            Parameter::B => &self.b,
            Parameter::C => &self.c,
            Parameter::H0 => &self.h0,
        }
    }

    /// The values of one parameter, to be changed.
    #[must_use]
    pub fn values_mut(&mut self, parameter: Parameter) -> &mut [f64] {
        match parameter {
            Parameter::W => self.w.values_mut(),
            Parameter::U => self.u.values_mut(),
            Parameter::V => self.v.values_mut(),
            Parameter::B => &mut self.b,
            Parameter::C => &mut self.c,
            Parameter::H0 => &mut self.h0,
        }
    }

    /// Of the same shapes, all zeros.
    #[must_use]
    pub fn zeros(&self) -> Parameters {
        let zeros = |m: &Matrix| Matrix::zeros(m.rows(), m.columns());
        Parameters {
            w: zeros(&self.w),
            u: zeros(&self.u),
            v: zeros(&self.v),
            b: vec![0.0; self.b.len()],
            c: vec![0.0; self.c.len()],
            h0: vec![0.0; self.h0.len()],
        }
    }

    /// How many numbers they are.
    #[must_use]
    pub fn count(&self) -> usize {
        Parameter::ALL.into_iter().map(|p| self.values(p).len()).sum()
    }

    /// The place of a value as it is written: `W[1,2]`, `b[1]`, counted from 1.
    #[must_use]
    pub fn place(&self, parameter: Parameter, index: usize) -> String {
        let columns = match parameter {
            Parameter::W => self.w.columns(),
            Parameter::U => self.u.columns(),
            Parameter::V => self.v.columns(),
            _ => return format!("{}[{}]", parameter.name(), index + 1),
        };
        format!("{}[{},{}]", parameter.name(), index / columns + 1, index % columns + 1)
    }
}

/// A network, a sequence of inputs and a loss. Its sizes fit: there is no other way to make one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Problem {
    pub(super) name: String,
    pub(super) parameters: Parameters,
    pub(super) inputs: Vec<Vec<f64>>,
    pub(super) activation: Activation,
    pub(super) output: Output,
    #[serde(serialize_with = "as_text")]
    pub(super) loss: Formula,
    pub(super) update: Vec<Parameter>,
}

fn as_text<S: serde::Serializer>(formula: &Formula, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(formula.text())
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    #[serde(rename = "W")]
    w: Matrix,
    #[serde(rename = "U")]
    u: Matrix,
    #[serde(rename = "V")]
    v: Matrix,
    b: Vec<f64>,
    c: Vec<f64>,
    h0: Option<Vec<f64>>,
    inputs: Vec<Vec<f64>>,
    #[serde(default)]
    activation: Activation,
    #[serde(default)]
    output: Output,
    loss: String,
    update: Option<Vec<Parameter>>,
}

impl Problem {
    /// Problem 3 of the reference study.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn study() -> Problem {
        Problem::from_toml(Problem::STUDY).expect("the study's problem is a problem")
    }

    /// The study's problem as a file: an example to start from.
    pub const STUDY: &'static str = include_str!("study.toml");

    /// Reads a problem file.
    ///
    /// # Errors
    /// [`Error::Read`] where it cannot be read, [`Error::File`] with what is wrong in it.
    pub fn open(path: &Path) -> Result<Problem> {
        let read = || {
            let mut text = String::new();
            // One byte more than is allowed tells a file that is too large, or endless.
            File::open(path)?.take(LARGEST_FILE + 1).read_to_string(&mut text)?;
            Ok(text)
        };
        let text = read().map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let named = |error| Error::File { path: path.to_owned(), error: Box::new(error) };
        let mut problem = Problem::from_toml(&text).map_err(named)?;
        if problem.name.is_empty() {
            problem.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        }
        Ok(problem)
    }

    /// Reads a problem.
    ///
    /// # Errors
    /// [`Error::Syntax`] where it is not TOML or not with these keys, [`Error::Size`] where sizes do not
    /// fit, [`Error::Formula`] where the loss cannot be read, [`Error::NotFinite`] for `nan` and `inf`.
    pub fn from_toml(text: &str) -> Result<Problem> {
        if text.len() as u64 > LARGEST_FILE {
            return Err(Error::TooLarge {
                what: "the problem file".into(),
                found: format!("{} bytes or more", text.len()),
                limit: format!("{LARGEST_FILE} bytes"),
                advice: "give fewer or shorter numbers",
            });
        }
        let written: Written =
            toml::from_str(text).map_err(|e| Error::Syntax(e.to_string().trim_end().to_owned()))?;
        let hidden = written.w.rows();
        let parameters = Parameters {
            h0: written.h0.unwrap_or_else(|| vec![0.0; hidden]),
            w: written.w,
            u: written.u,
            v: written.v,
            b: written.b,
            c: written.c,
        };
        check_sizes(&parameters, &written.inputs)?;
        check_finite(&parameters, &written.inputs)?;
        let loss = Formula::parse(&written.loss, parameters.v.rows())?;
        use Parameter::{B, C, U, V, W};
        Ok(Problem {
            name: written.name.unwrap_or_default(),
            parameters,
            inputs: written.inputs,
            activation: written.activation,
            output: written.output,
            loss,
            update: written.update.unwrap_or_else(|| vec![W, U, V, B, C]),
        })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parameters at the start.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The inputs `x(1)`, `x(2)`, …
    #[must_use]
    pub fn inputs(&self) -> &[Vec<f64>] {
        &self.inputs
    }

    /// Number of steps T.
    #[must_use]
    pub fn length(&self) -> usize {
        self.inputs.len()
    }

    /// Number of values of the state.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.parameters.b.len()
    }

    /// The state's activation.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The output's activation.
    #[must_use]
    pub fn output(&self) -> Output {
        self.output
    }

    /// The loss of a step.
    #[must_use]
    pub fn loss(&self) -> &Formula {
        &self.loss
    }

    /// What a gradient step changes unless told otherwise.
    #[must_use]
    pub fn update(&self) -> &[Parameter] {
        &self.update
    }

    /// SHA-256 of everything that a result depends on, in hexadecimal.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut sha = Sha256::new();
        let mut row = |values: &[f64]| {
            sha.update((values.len() as u64).to_le_bytes());
            values.iter().for_each(|v| sha.update(v.to_le_bytes()));
        };
        Parameter::ALL.into_iter().for_each(|p| row(self.parameters.values(p)));
        self.inputs.iter().for_each(|x| row(x));
        sha.update(format!("{:?} {:?} {}", self.activation, self.output, self.loss.text()));
        sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The derivative of the loss by the pre-activations of the output, `∂L/∂o`, at outputs `y`.
    pub(super) fn output_gradient(&self, t: usize, y: &[f64]) -> Result<Vec<f64>> {
        let by_output = self.loss.gradient(y);
        if let Some(bad) = by_output.iter().find(|d| !d.is_finite()) {
            return Err(Error::NotFinite {
                what: "the derivative of the loss".into(),
                value: *bad,
                when: at(t, y),
                advice: "at this place the formula has no derivative: change the loss or the numbers",
            });
        }
        Ok(self.output.jacobian(y).left_times(&by_output))
    }
}

/// "at step 3, where ŷ = [0.1, 0.9]".
pub(super) fn at(t: usize, y: &[f64]) -> String {
    let shown: Vec<String> = y.iter().take(8).map(|y| format!("{y}")).collect();
    let more = if y.len() > 8 { ", …" } else { "" };
    format!("at step {t}, where the outputs are [{}{more}]", shown.join(", "))
}

fn check_sizes(p: &Parameters, inputs: &[Vec<f64>]) -> Result<()> {
    let wrong = |what: &str, expected: String, found: String| {
        Err(Error::Size { what: what.to_owned(), expected, found })
    };
    let shape = |m: &Matrix| format!("{} × {}", m.rows(), m.columns());
    let hidden = p.w.rows();
    if hidden == 0 || p.w.columns() != hidden {
        let expected = "as many columns as rows, one or more (state to state)".to_owned();
        return wrong("W", expected, shape(&p.w));
    }
    let of_hidden = format!("{hidden} (W is {})", shape(&p.w));
    if p.u.rows() != hidden || p.u.columns() == 0 {
        let expected = format!("{of_hidden} rows, one or more columns (input to state)");
        return wrong("U", expected, shape(&p.u));
    }
    if p.v.columns() != hidden || p.v.rows() == 0 {
        let expected = format!("{of_hidden} columns, one or more rows (state to output)");
        return wrong("V", expected, shape(&p.v));
    }
    for (what, expected, found) in [
        ("b", &of_hidden, p.b.len()),
        ("c", &format!("{} (V is {})", p.v.rows(), shape(&p.v)), p.c.len()),
        ("h0", &of_hidden, p.h0.len()),
    ] {
        let count = if what == "c" { p.v.rows() } else { hidden };
        if found != count {
            return wrong(what, format!("{expected} values"), found.to_string());
        }
    }
    if inputs.is_empty() {
        return wrong("inputs", "one row a step, at least one".to_owned(), "none".to_owned());
    }
    for (t, x) in inputs.iter().enumerate() {
        if x.len() != p.u.columns() {
            let expected = format!("{} values (U is {})", p.u.columns(), shape(&p.u));
            return wrong(&format!("input of step {}", t + 1), expected, x.len().to_string());
        }
    }
    Ok(())
}

fn check_finite(p: &Parameters, inputs: &[Vec<f64>]) -> Result<()> {
    let parameters = Parameter::ALL.into_iter().map(|q| (q.name().to_owned(), p.values(q)));
    let inputs =
        inputs.iter().enumerate().map(|(t, x)| (format!("input of step {}", t + 1), &x[..]));
    for (what, values) in parameters.chain(inputs) {
        if let Some(i) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite {
                what: format!("value {} of {what}", i + 1),
                value: values[i],
                when: "in the file".to_owned(),
                advice: "give a finite number",
            });
        }
    }
    Ok(())
}
