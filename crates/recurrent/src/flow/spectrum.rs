//! Where the eigenvalues of the recurrent weights lie: inside the unit circle a linear network forgets,
//! outside it explodes. Pascanu, Mikolov and Bengio (2013), section 2.1.

use cutaway_engine::cells::Cell;
use nalgebra::DMatrix;
use nalgebra::linalg::Schur;
use serde::Serialize;

use super::random::Random;
use super::{at_most, block, finite_matrix, gate_names, norm2};
use crate::cells::Weights;
use crate::error::{Error, Result};

/// The largest matrix.
const LIMIT: usize = 2048;
/// Iterations of QR for each eigenvalue; about 2 are needed.
const ITERATIONS: usize = 100;
/// Sides from which a matrix is looked at before it is given up.
const ATTEMPTS: u64 = 4;

/// The recurrent weights of each gate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spectrum {
    /// The kind of cell.
    pub cell: Cell,
    /// One for each gate.
    pub blocks: Vec<Block>,
}

/// The recurrent weights of one gate, `[hidden, hidden]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Block {
    /// Of the gate; `state` in a vanilla cell.
    pub gate: String,
    /// `[real, imaginary]`, the largest modulus first, `[hidden]`.
    pub eigenvalues: Vec<[f64; 2]>,
    /// The largest modulus.
    pub radius: f64,
    /// The largest singular value, never below the radius.
    pub norm: f64,
}

/// The eigenvalues of a layer's recurrent weights, gate by gate. In a vanilla cell they rule how a change of
/// the state grows while no unit is saturated; in gated cells each block is only one of the ways.
///
/// # Errors
/// [`Error::Size`] where weights do not fit, [`Error::NotFinite`] where one is, [`Error::TooLarge`] above 2,048
/// units.
pub fn spectrum(cell: Cell, weights: &Weights) -> Result<Spectrum> {
    weights.check(cell)?;
    finite_matrix("a recurrent weight", &weights.weight_hh)?;
    at_most("units of a layer", LIMIT, weights.hidden(), "take a smaller network")?;
    let names = gate_names(cell).iter().enumerate();
    let blocks = names.map(|(gate, name)| {
        let matrix = block(weights, gate);
        let norm = norm2(&matrix);
        let eigenvalues = eigenvalues(matrix)?;
        let radius = eigenvalues.first().map_or(0.0, |[re, im]| re.hypot(*im));
        Ok(Block { gate: (*name).to_owned(), eigenvalues, radius, norm })
    });
    Ok(Spectrum { cell, blocks: blocks.collect::<Result<_>>()? })
}

fn eigenvalues(matrix: DMatrix<f64>) -> Result<Vec<[f64; 2]>> {
    let iterations = ITERATIONS * matrix.nrows() + ITERATIONS;
    let turned = |attempt: u64| {
        if attempt == 0 {
            return matrix.clone();
        }
        // QR with plain shifts stands still on some matrices, such as a permutation in a circle; seen from
        // another side, with the same eigenvalues, they are like others.
        let q = Random::new(attempt).directions(matrix.nrows(), matrix.nrows()).qr().q();
        q.tr_mul(&matrix) * q
    };
    let schur =
        (0..ATTEMPTS).find_map(|attempt| Schur::try_new(turned(attempt), f64::EPSILON, iterations));
    let schur = schur.ok_or_else(|| {
        Error::Setting("the eigenvalues of the recurrent weights do not settle".to_owned())
    })?;
    let found = schur.complex_eigenvalues();
    let mut out: Vec<[f64; 2]> = found.iter().map(|value| [value.re, value.im]).collect();
    out.sort_by(|a, b| {
        let modulus = |v: &[f64; 2]| v[0].hypot(v[1]);
        modulus(b).total_cmp(&modulus(a)).then(b[1].total_cmp(&a[1]))
    });
    Ok(out)
}
