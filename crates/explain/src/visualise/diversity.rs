//! How alike several images are in a layer, so that they can be driven apart.

use ndarray::{Array2, ArrayView2};

/// The mean, over the pairs of images, of the cosine between the Gram matrices of their activations
/// `[channels, places]` (Olah et al. 2017, *Diversity*): 1 where all have the same style. With it, the
/// derivatives with respect to the activations of each.
pub(crate) fn likeness(images: &[ArrayView2<'_, f32>]) -> (f64, Vec<Array2<f32>>) {
    let grams: Vec<Array2<f32>> = images.iter().map(|a| a.dot(&a.t())).collect();
    let norm = |g: &Array2<f32>| inner(g, g).sqrt();
    let norms: Vec<f64> = grams.iter().map(norm).collect();
    let count = grams.len();
    let pairs = (count * count.saturating_sub(1) / 2).max(1) as f64;
    let mut sum = 0.0;
    let mut of_grams: Vec<Array2<f32>> = grams.iter().map(|g| Array2::zeros(g.raw_dim())).collect();
    for i in 0..count {
        for j in (0..count).filter(|&j| j != i && norms[i] > 0.0 && norms[j] > 0.0) {
            let cosine = inner(&grams[i], &grams[j]) / (norms[i] * norms[j]);
            sum += cosine / 2.0;
            // ∂cos/∂Gᵢ = Gⱼ/(|Gᵢ||Gⱼ|) − cos · Gᵢ/|Gᵢ|².
            let other = (1.0 / (norms[i] * norms[j] * pairs)) as f32;
            let own = (cosine / (norms[i].powi(2) * pairs)) as f32;
            of_grams[i].scaled_add(other, &grams[j]);
            of_grams[i].scaled_add(-own, &grams[i]);
        }
    }
    // G = A Aᵀ, and the derivatives are symmetric: ∂/∂A = 2 ∂/∂G A.
    let back = of_grams.iter().zip(images).map(|(g, a)| 2.0f32 * g.dot(a));
    (sum / pairs, back.collect())
}

fn inner(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::random::{Purpose, Random};

    fn activations(count: usize) -> Vec<Array2<f32>> {
        let mut random = Random::new(1, Purpose::Visualise, 0);
        (0..count).map(|_| Array2::from_shape_fn((4, 6), |_| random.normal() as f32)).collect()
    }

    fn views(images: &[Array2<f32>]) -> Vec<ArrayView2<'_, f32>> {
        images.iter().map(|image| image.view()).collect()
    }

    #[test]
    fn equal_images_are_alike_and_orthogonal_ones_are_not() {
        let one = activations(1).remove(0);
        let (same, _) = likeness(&views(&[one.clone(), one.clone(), 2.0 * one]));
        assert!((same - 1.0).abs() < 1e-6, "{same}");
        let axis = |c: usize| Array2::from_shape_fn((4, 6), |(row, _)| f32::from(row == c));
        assert_eq!(likeness(&views(&[axis(0), axis(2)])).0, 0.0);
        assert_eq!(likeness(&views(&[Array2::zeros((4, 6)), axis(2)])).0, 0.0);
    }

    #[test]
    fn the_derivatives_are_those_of_finite_differences() {
        let images = activations(3);
        let (_, gradients) = likeness(&views(&images));
        for which in 0..3 {
            for at in (0..4).flat_map(|r| (0..6).map(move |c| (r, c))) {
                let shifted = |by: f32| {
                    let mut images = images.clone();
                    images[which][at] += by;
                    likeness(&views(&images)).0
                };
                let difference = (shifted(1e-2) - shifted(-1e-2)) / 2e-2;
                let found = f64::from(gradients[which][at]);
                assert!((found - difference).abs() < 2e-4, "{which} {at:?}: {found} {difference}");
            }
        }
    }
}
