//! What relevance is lost on the way, and to what.

use std::cell::RefCell;

use ndarray::{ArrayD, Zip};
use serde::Serialize;

/// Relevance that did not arrive at the image, by what took it. Its total and the sum of the
/// attribution are the number explained, up to rounding.
#[derive(Copy, Clone, Debug, Default, PartialEq, Serialize)]
pub struct Absorbed {
    /// Biases of layers and normalisations.
    pub biases: f64,
    /// Constants that are added, padded with, or chosen in the place of what depends on the image.
    pub constants: f64,
    /// What keeps divisors from 0: `ε` and its like.
    pub stabilisers: f64,
    /// What is left where a softmax is taken for its tangent.
    pub expansions: f64,
    /// All of it.
    pub total: f64,
}

/// What takes relevance.
#[derive(Copy, Clone)]
pub(super) enum Part {
    Biases,
    Constants,
    Stabilisers,
    Expansions,
}

/// The account of a batch, an entry an image.
pub(super) struct Ledger(RefCell<Vec<Absorbed>>);

impl Ledger {
    pub(super) fn new(images: usize) -> Ledger {
        Ledger(RefCell::new(vec![Absorbed::default(); images]))
    }

    /// Notes amounts `[N, …]`, times a factor.
    pub(super) fn add(&self, part: Part, amounts: &ArrayD<f32>, factor: f64) {
        let mut entries = self.0.borrow_mut();
        for (entry, image) in entries.iter_mut().zip(amounts.outer_iter()) {
            let amount = factor * image.iter().map(|&v| f64::from(v)).sum::<f64>();
            *match part {
                Part::Biases => &mut entry.biases,
                Part::Constants => &mut entry.constants,
                Part::Stabilisers => &mut entry.stabilisers,
                Part::Expansions => &mut entry.expansions,
            } += amount;
            entry.total += amount;
        }
    }

    /// Notes what was received and not handed on.
    pub(super) fn add_rest(&self, part: Part, received: &ArrayD<f32>, handed: &[&ArrayD<f32>]) {
        self.add(part, received, 1.0);
        handed.iter().for_each(|share| self.add(part, share, -1.0));
    }

    pub(super) fn into_entries(self) -> Vec<Absorbed> {
        self.0.into_inner()
    }
}

/// Added to every other denominator with its sign, as in Zennit.
pub(super) const STABILISER: f32 = 1e-6;

/// `received / (z + by · sign z)`; what the stabiliser takes, times `weight`, goes to the account.
pub(super) fn divided(
    received: &ArrayD<f32>,
    z: &ArrayD<f32>,
    by: f32,
    ledger: &Ledger,
    weight: f64,
) -> ArrayD<f32> {
    let signed = |z: f32| if z < 0.0 { -by } else { by };
    let mut seed = received.clone();
    Zip::from(&mut seed).and(z).for_each(|r, &z| *r /= z + signed(z));
    let mut taken = seed.clone();
    Zip::from(&mut taken).and(z).for_each(|t, &z| *t *= signed(z));
    ledger.add(Part::Stabilisers, &taken, weight);
    seed
}
