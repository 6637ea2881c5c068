//! The gradient, and the gradient times the input.

use ndarray::ArrayView4;
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::{Attribute, Raw};
use crate::Error;

/// `∂f/∂x`: how the explained number answers to each value of the input (Simonyan, Vedaldi and
/// Zisserman 2014, "Deep Inside Convolutional Networks", section 3). Signed; the paper shows the
/// largest absolute value over the channels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gradient {}

impl Attribute for Gradient {
    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        let gradients = ask.image_gradients(images, classes)?;
        Ok(gradients.outer_iter().map(|gradient| Raw::image(gradient.to_owned())).collect())
    }
}

/// `x · ∂f/∂x` (Shrikumar et al. 2016, "Not Just a Black Box", section 2.3). For a network that is
/// piecewise linear and has no biases the sum is `f(x)`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InputXGradient {}

impl Attribute for InputXGradient {
    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        let products = ask.image_gradients(images, classes)? * images;
        Ok(products.outer_iter().map(|product| Raw::image(product.to_owned())).collect())
    }
}
