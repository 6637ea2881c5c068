//! Integrated gradients.

use ndarray::{Array3, Array4, ArrayView3, ArrayView4};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::baseline::Baseline;
use super::{Attribute, Raw, at_least, one_by_one};
use crate::Error;

/// `(x − x′) · ∫₀¹ ∂f/∂x (x′ + α (x − x′)) dα` (Sundararajan, Taly and Yan 2017, "Axiomatic
/// Attribution for Deep Networks", section 3). The sum is `f(x) − f(x′)` but for the error of the
/// quadrature, which is reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntegratedGradients {
    /// Points on the way, 1 to 10,000.
    pub steps: usize,
    /// How the points are placed and weighed.
    pub quadrature: Quadrature,
    /// Where the way begins.
    pub baseline: Baseline,
}

impl Default for IntegratedGradients {
    fn default() -> Self {
        IntegratedGradients {
            steps: 50,
            quadrature: Quadrature::GaussLegendre,
            baseline: Baseline::Zero,
        }
    }
}

/// A rule of numerical integration over [0, 1].
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quadrature {
    /// Exact for polynomials of degree `2 · steps − 1`.
    #[default]
    GaussLegendre,
    /// Equal weights at the middles of equal parts.
    RiemannMiddle,
}

impl Quadrature {
    /// Points and weights; the weights add up to 1.
    pub(crate) fn points(self, steps: usize) -> Vec<(f64, f64)> {
        match self {
            Quadrature::GaussLegendre => gauss_legendre(steps),
            Quadrature::RiemannMiddle => {
                let n = steps as f64;
                (0..steps).map(|i| ((i as f64 + 0.5) / n, 1.0 / n)).collect()
            }
        }
    }
}

impl std::str::FromStr for Quadrature {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "gauss-legendre" => Ok(Quadrature::GaussLegendre),
            "riemann-middle" => Ok(Quadrature::RiemannMiddle),
            _ => Err(format!("unknown rule '{s}': expected gauss-legendre or riemann-middle")),
        }
    }
}

/// Gauss's points on [0, 1]: the roots of the Legendre polynomial, by Newton's method from
/// Tricomi's estimate (Press et al., Numerical Recipes, section 4.6).
fn gauss_legendre(count: usize) -> Vec<(f64, f64)> {
    let n = count as f64;
    let point = |i: usize| {
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            // Recurrence: (k + 1) P_{k+1} = (2k + 1) x P_k − k P_{k−1}.
            let (mut previous, mut value) = (1.0, x);
            for k in 1..count {
                let k = k as f64;
                (previous, value) =
                    (value, ((2.0 * k + 1.0) * x * value - k * previous) / (k + 1.0));
            }
            slope = n * (x * value - previous) / (x * x - 1.0);
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        // On [−1, 1] the weight is 2 / ((1 − x²) P′²); [0, 1] is half as long.
        ((1.0 - x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..count).map(point).collect()
}

impl IntegratedGradients {
    fn one(
        &self,
        ask: &Ask<'_>,
        image: ArrayView3<'_, f32>,
        class: usize,
        baseline: &Array3<f32>,
    ) -> Result<Raw, Error> {
        let way = &image - baseline;
        let mut sum = Array3::<f64>::zeros(image.raw_dim());
        let (c, h, w) = image.dim();
        for points in self.quadrature.points(self.steps).chunks(ask.at_once()) {
            let mut batch = Array4::zeros((points.len(), c, h, w));
            for (mut copy, (alpha, _)) in batch.outer_iter_mut().zip(points) {
                copy.assign(&(baseline + &(&way * *alpha as f32)));
            }
            let gradients = ask.image_gradients(batch.view(), &[class])?;
            for (gradient, (_, weight)) in gradients.outer_iter().zip(points) {
                sum.zip_mut_with(&gradient, |sum, &g| *sum += weight * f64::from(g));
            }
        }
        let values = Array3::from_shape_fn(image.dim(), |i| (f64::from(way[i]) * sum[i]) as f32);
        let mut ends = Array4::zeros((2, c, h, w));
        ends.index_axis_mut(ndarray::Axis(0), 0).assign(&image);
        ends.index_axis_mut(ndarray::Axis(0), 1).assign(baseline);
        let ends = ask.values(ends.view(), &[class])?;
        Ok(Raw::image(values).expecting(ends[0] - ends[1]))
    }
}

impl Attribute for IntegratedGradients {
    fn check(&self) -> Result<(), Error> {
        at_least("steps", self.steps, 1)
    }

    fn planned(&self, _: &Ask<'_>) -> usize {
        self.steps + 2
    }

    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        let one = |image: ArrayView3<'_, f32>, class: usize| {
            self.one(ask, image, class, &ask.baseline(&self.baseline, image)?)
        };
        one_by_one(images, classes, one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauss_integrates_polynomials_exactly() {
        for (steps, degree) in [(1, 1), (2, 3), (7, 13), (50, 60)] {
            let points = gauss_legendre(steps);
            let integral: f64 = points.iter().map(|(x, w)| w * x.powi(degree)).sum();
            let exact = 1.0 / f64::from(degree + 1);
            assert!((integral - exact).abs() < 1e-13, "{steps} points: {integral}, not {exact}");
            assert!((points.iter().map(|(_, w)| w).sum::<f64>() - 1.0).abs() < 1e-13);
        }
    }
}
