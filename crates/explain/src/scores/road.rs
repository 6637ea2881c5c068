//! ROAD: remove and debias.

use ndarray::{Array3, Array4, ArrayView3};
use serde::Serialize;

use super::curves::order;
use crate::Error;
use crate::attribution::Ask;
use crate::attribution::random::{Purpose, Random};

/// What becomes of the answer when the most telling pixels are taken away.
#[derive(Copy, Clone, Debug, PartialEq, Serialize)]
pub struct RoadPoint {
    /// Share of the pixels that were taken away.
    pub share: f64,
    /// Probability of the class without them.
    pub probability: f64,
}

/// Shares that are taken away.
pub const ROAD_SHARES: [f64; 7] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9];

/// Standard deviation of the noise that is added, as in the authors' code.
const NOISE: f64 = 0.01;

/// The class's probability without the most telling pixels, which are replaced so that nothing tells
/// where they were: by noisy linear imputation (Rong et al. 2022, "A Consistent and Efficient
/// Evaluation Strategy for Attribution Methods", section 4.2). A good attribution makes it fall
/// early. `ask` must be about probabilities.
pub(crate) fn road(
    ask: &Ask<'_>,
    image: ArrayView3<'_, f32>,
    class: usize,
    pixels: &[f32],
) -> Result<Vec<RoadPoint>, Error> {
    let order = order(pixels);
    let (c, h, w) = image.dim();
    let mut batch = Array4::zeros((ROAD_SHARES.len(), c, h, w));
    let mut random = Random::new(ask.seed(), Purpose::Road, 0);
    for (mut changed, share) in batch.outer_iter_mut().zip(ROAD_SHARES) {
        let count = (share * pixels.len() as f64).round() as usize;
        let mut gone = vec![false; pixels.len()];
        order[..count].iter().for_each(|&i| gone[i] = true);
        let mut imputed = impute(image, &gone);
        for (i, _) in gone.iter().enumerate().filter(|(_, gone)| **gone) {
            for channel in 0..c {
                imputed[(channel, i / w, i % w)] += (NOISE * random.normal()) as f32;
            }
        }
        changed.assign(&imputed);
    }
    let probabilities = ask.values(batch.view(), &[class])?;
    let points = ROAD_SHARES.into_iter().zip(probabilities);
    Ok(points.map(|(share, probability)| RoadPoint { share, probability }).collect())
}

/// Neighbours with their weights: those beside a pixel count twice those at its corners.
const NEIGHBOURS: [(isize, isize, f64); 8] = [
    (-1, -1, 1.0 / 12.0),
    (-1, 0, 1.0 / 6.0),
    (-1, 1, 1.0 / 12.0),
    (0, -1, 1.0 / 6.0),
    (0, 1, 1.0 / 6.0),
    (1, -1, 1.0 / 12.0),
    (1, 0, 1.0 / 6.0),
    (1, 1, 1.0 / 12.0),
];

/// Each pixel that is gone becomes the weighted mean of its neighbours, gone ones included: a system
/// of linear equations, symmetric and positive definite as long as a pixel is left, solved by
/// conjugate gradients.
pub(crate) fn impute(image: ArrayView3<'_, f32>, gone: &[bool]) -> Array3<f32> {
    let (channels, height, width) = image.dim();
    let mut result = image.to_owned();
    let places: Vec<usize> = (0..gone.len()).filter(|&i| gone[i]).collect();
    let mut number = vec![usize::MAX; gone.len()];
    places.iter().enumerate().for_each(|(k, &i)| number[i] = k);
    let near = |i: usize| {
        let (y, x) = ((i / width) as isize, (i % width) as isize);
        NEIGHBOURS.iter().filter_map(move |&(dy, dx, weight)| {
            let (y, x) = (y + dy, x + dx);
            let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
            inside.then_some((y as usize * width + x as usize, weight))
        })
    };
    // (A v)_k = (Σ weights) v_k − Σ weight · v of the neighbours that are gone.
    let apply = |v: &[f64]| -> Vec<f64> {
        let row = |(k, &i): (usize, &usize)| {
            near(i)
                .map(|(j, weight)| weight * (v[k] - if gone[j] { v[number[j]] } else { 0.0 }))
                .sum()
        };
        places.iter().enumerate().map(row).collect()
    };
    for channel in 0..channels {
        let known = |j: usize| f64::from(image[(channel, j / width, j % width)]);
        let right: Vec<f64> = places
            .iter()
            .map(|&i| near(i).filter(|(j, _)| !gone[*j]).map(|(j, w)| w * known(j)).sum())
            .collect();
        let values = conjugate_gradients(&apply, &right);
        for (&i, value) in places.iter().zip(values) {
            result[(channel, i / width, i % width)] = value as f32;
        }
    }
    result
}

/// Solves `A x = b` (Hestenes and Stiefel 1952) to a relative residual of 1e-8.
fn conjugate_gradients(apply: &dyn Fn(&[f64]) -> Vec<f64>, b: &[f64]) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut x = vec![0.0; b.len()];
    let mut residual = b.to_vec();
    let mut direction = residual.clone();
    let mut square = dot(&residual, &residual);
    let enough = 1e-16 * square;
    for _ in 0..10 * b.len() + 100 {
        if square <= enough {
            break;
        }
        let product = apply(&direction);
        let step = square / dot(&direction, &product);
        x.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
        residual.iter_mut().zip(&product).for_each(|(r, p)| *r -= step * p);
        let next = dot(&residual, &residual);
        direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + next / square * *d);
        square = next;
    }
    x
}
