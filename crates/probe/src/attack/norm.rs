//! How the size of a perturbation is measured, and balls of that size around an image.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::Error;
use crate::corrupt::random::Random;

/// What bounds a perturbation. Pixel values are from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// The largest change of any value.
    #[default]
    Linf,
    /// The root of the sum of all squared changes.
    L2,
}

impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Norm::Linf => "linf",
            Norm::L2 => "l2",
        })
    }
}

impl FromStr for Norm {
    type Err = String;
    fn from_str(name: &str) -> Result<Norm, String> {
        match name {
            "linf" => Ok(Norm::Linf),
            "l2" => Ok(Norm::L2),
            _ => Err(format!("there is no norm '{name}'; take linf or l2")),
        }
    }
}

impl Norm {
    /// The norm for people.
    pub fn symbol(self) -> &'static str {
        match self {
            Norm::Linf => "L∞",
            Norm::L2 => "L2",
        }
    }

    /// Distance of two images.
    pub fn distance(self, a: &[f32], b: &[f32]) -> f64 {
        let changes = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
        match self {
            Norm::Linf => changes.fold(0.0, f64::max),
            Norm::L2 => changes.map(|change| change * change).sum::<f64>().sqrt(),
        }
    }

    /// The steepest way up a gradient, of length 1 in this norm: its signs, or the gradient over
    /// its length. A gradient of 0 gives 0.
    pub(crate) fn steepest(self, gradient: &mut [f32]) {
        match self {
            Norm::Linf => gradient.iter_mut().for_each(|g| *g = sign(*g)),
            Norm::L2 => {
                let length = length(gradient);
                let factor = if length > 0.0 { 1.0 / length } else { 0.0 };
                gradient.iter_mut().for_each(|g| *g = (f64::from(*g) * factor) as f32);
            }
        }
    }

    /// Brings an image back into the ball around `clean`, and into 0 to 1.
    pub(crate) fn project(self, image: &mut [f32], clean: &[f32], epsilon: f32) {
        match self {
            Norm::Linf => image.iter_mut().zip(clean).for_each(|(x, c)| {
                *x = x.clamp((c - epsilon).max(0.0), (c + epsilon).min(1.0));
            }),
            Norm::L2 => {
                // Clipping to 0 to 1 afterwards brings it nearer still: `clean` lies in there.
                let length = Norm::L2.distance(image, clean);
                let factor = (f64::from(epsilon) / length).min(1.0) as f32;
                let shrink = length > f64::from(epsilon);
                image.iter_mut().zip(clean).for_each(|(x, c)| {
                    *x = if shrink { c + (*x - c) * factor } else { *x }.clamp(0.0, 1.0);
                });
            }
        }
    }

    /// A place in the ball around `clean`, and in 0 to 1: uniform in the ball before clipping.
    pub(crate) fn random_start(self, clean: &[f32], epsilon: f32, random: &mut Random) -> Vec<f32> {
        let epsilon = f64::from(epsilon);
        let moves: Vec<f64> = match self {
            Norm::Linf => clean.iter().map(|_| random.uniform(-epsilon, epsilon)).collect(),
            Norm::L2 => {
                let normal: Vec<f64> = clean.iter().map(|_| random.normal()).collect();
                let length = normal.iter().map(|v| v * v).sum::<f64>().sqrt();
                let radius = epsilon * random.unit().powf(1.0 / clean.len() as f64);
                normal.into_iter().map(|v| v * radius / length.max(1e-12)).collect()
            }
        };
        let moved = clean.iter().zip(moves).map(|(c, m)| (f64::from(*c) + m) as f32);
        let mut image: Vec<f32> = moved.collect();
        self.project(&mut image, clean, epsilon as f32);
        image
    }
}

/// 1, −1, or 0 for 0.
pub(crate) fn sign(value: f32) -> f32 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

/// Euclidean length.
pub(crate) fn length(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt()
}

/// Pixels `[C, pixels]` of which at least one channel differs.
pub fn changed_pixels(a: &[f32], b: &[f32], pixels: usize) -> usize {
    let differs = |p: &usize| (*p..a.len()).step_by(pixels.max(1)).any(|i| a[i] != b[i]);
    (0..pixels).filter(differs).count()
}

/// An ε as people write it: `0.1`, or `8/255`.
///
/// # Errors
/// [`Error::Setting`] where it is no number, or not above 0.
pub fn parse_epsilon(text: &str) -> Result<f64, Error> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let value = match text.split_once('/') {
        None => number(text),
        Some((above, below)) => number(above).zip(number(below)).map(|(a, b)| a / b),
    };
    value.filter(|v| v.is_finite() && *v > 0.0).ok_or_else(|| {
        Error::Setting(format!(
            "an ε of '{text}' makes no sense: give a number above 0 in units of pixel values from 0 \
             to 1, such as 0.1 or 8/255"
        ))
    })
}
