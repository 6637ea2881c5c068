//! Infidelity.

use ndarray::{Array3, Array4, ArrayView3};
use serde::Serialize;

use crate::Error;
use crate::attribution::random::{Purpose, Random};
use crate::attribution::{Ask, Attribution};

/// How badly an attribution predicts what changes of the image do.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct Infidelity {
    /// `E[(I · Φ − (f(x) − f(x − I)))²]` (Yeh et al. 2019, "On the (In)fidelity and Sensitivity of
    /// Explanations", definition 2.1). Of a method that gives contributions and no slopes, `Φ` is
    /// what it gives over `x − x′`, so that `I · Φ` is its sum over what was taken away.
    pub raw: f64,
    /// The same after `Φ` has been multiplied by the one number that makes it least, as share of
    /// `E[(f(x) − f(x − I))²]`: 0 is perfect, 1 is no better than an attribution of zeros. Methods
    /// whose units differ can be compared by it.
    pub scaled: f64,
}

/// Squares of the image that are set to the baseline, and what each does to the explained number.
pub(crate) struct Perturbations {
    /// `I`, as far as it is not 0.
    squares: Vec<Square>,
    /// `f(x) − f(x − I)`.
    falls: Vec<f64>,
}

struct Square {
    row: usize,
    col: usize,
    side: usize,
}

impl Perturbations {
    /// Squares at random places, with sides from an eighth to a half of the image's shorter side
    /// (the paper's square removal, section 2.2): `I` is the image less the baseline inside.
    pub(crate) fn new(
        ask: &Ask<'_>,
        image: ArrayView3<'_, f32>,
        baseline: &Array3<f32>,
        class: usize,
        count: usize,
    ) -> Result<Perturbations, Error> {
        let (c, height, width) = image.dim();
        let mut random = Random::new(ask.seed(), Purpose::Infidelity, 0);
        let shorter = height.min(width);
        let (least, most) = ((shorter / 8).max(1), (shorter / 2).max(1));
        let squares: Vec<Square> = (0..count)
            .map(|_| {
                let side = least + random.below(most - least + 1);
                let row = random.below(height - side + 1);
                Square { row, col: random.below(width - side + 1), side }
            })
            .collect();
        let own = ask.values(image.insert_axis(ndarray::Axis(0)), &[class])?[0];
        let mut falls = Vec::with_capacity(count);
        for squares in squares.chunks(ask.at_once()) {
            let mut batch = Array4::zeros((squares.len(), c, height, width));
            for (mut changed, square) in batch.outer_iter_mut().zip(squares) {
                changed.assign(&image);
                changed.slice_mut(square.slice()).assign(&baseline.slice(square.slice()));
            }
            falls.extend(ask.values(batch.view(), &[class])?.iter().map(|v| own - v));
        }
        Ok(Perturbations { squares, falls })
    }

    /// The infidelity of an attribution to these.
    pub(crate) fn infidelity(
        &self,
        image: ArrayView3<'_, f32>,
        baseline: &Array3<f32>,
        attribution: &Attribution,
    ) -> Infidelity {
        let mut values = of_each_channel(attribution, image.dim());
        if attribution.parameters.is_slope() {
            values *= &(&image - baseline);
        }
        let predicted = self
            .squares
            .iter()
            .map(|square| values.slice(square.slice()).iter().map(|&v| f64::from(v)).sum());
        of(&predicted.collect::<Vec<f64>>(), &self.falls)
    }
}

impl Square {
    fn slice(&self) -> ndarray::SliceInfo<[ndarray::SliceInfoElem; 3], ndarray::Ix3, ndarray::Ix3> {
        ndarray::s![.., self.row..self.row + self.side, self.col..self.col + self.side]
    }
}

/// The attribution as an array of the image's shape; of one value a pixel each channel has an equal
/// share.
pub(crate) fn of_each_channel(
    attribution: &Attribution,
    (channels, height, width): (usize, usize, usize),
) -> Array3<f32> {
    let area = height * width;
    let whole = attribution.shape.len() == 3;
    Array3::from_shape_fn((channels, height, width), |(c, y, x)| match whole {
        true => attribution.values[c * area + y * width + x],
        false => attribution.values[y * width + x] / channels as f32,
    })
}

/// From what an attribution predicts (`I · Φ`) and what happens.
pub(crate) fn of(predicted: &[f64], happened: &[f64]) -> Infidelity {
    let mean = |f: &dyn Fn(f64, f64) -> f64| {
        let terms = predicted.iter().zip(happened).map(|(&p, &h)| f(p, h));
        terms.sum::<f64>() / predicted.len() as f64
    };
    let (both, own, other) = (mean(&|p, h| p * h), mean(&|p, _| p * p), mean(&|_, h| h * h));
    let factor = if own > 0.0 { both / own } else { 0.0 };
    let scaled = mean(&|p, h| (factor * p - h).powi(2));
    Infidelity {
        raw: mean(&|p, h| (p - h).powi(2)),
        scaled: if other > 0.0 { scaled / other } else { 0.0 },
    }
}
