//! What stands for "nothing" in an image.

use ndarray::{Array3, ArrayView3, Axis};
use serde::{Deserialize, Serialize};

use cutaway_net::Network;

use crate::Error;

/// The image, or the fill of a part of it, that an attribution compares with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// 0 in the units of the network's input: after preprocessing with a mean, the mean colour.
    #[default]
    Zero,
    /// The mean of each of the image's own channels.
    Mean,
    /// The image, blurred by a Gaussian whose standard deviation is an eighth of its shorter side.
    Blur,
    /// A pixel value from 0 (black) to 255 (white), preprocessed.
    Pixel(f32),
    /// The mean of the question's background images.
    Background,
    /// An image `[C, H, W]` in the units of the network's input, row-major.
    Given(Vec<f32>),
}

impl Baseline {
    /// The baseline of an image, in the units of the network's input. [`Ask::baseline`](super::Ask) knows
    /// the background, too.
    pub(crate) fn of(
        &self,
        network: &Network,
        image: ArrayView3<'_, f32>,
    ) -> Result<Array3<f32>, Error> {
        let mut baseline = Array3::zeros(image.raw_dim());
        match self {
            Baseline::Zero => {}
            Baseline::Mean => {
                for (mut plane, own) in baseline.outer_iter_mut().zip(image.outer_iter()) {
                    let sum: f64 = own.iter().map(|&v| f64::from(v)).sum();
                    plane.fill((sum / own.len() as f64) as f32);
                }
            }
            Baseline::Blur => {
                let side = image.shape()[1].min(image.shape()[2]);
                baseline.assign(&blurred(image, side as f64 / 8.0));
            }
            Baseline::Pixel(raw) => {
                for (c, mut plane) in baseline.outer_iter_mut().enumerate() {
                    plane.fill(preprocessed(network, c, *raw));
                }
            }
            Baseline::Background => {
                return Err(Error::Setting(
                    "the baseline is the mean of the background, and none was given".to_owned(),
                ));
            }
            Baseline::Given(values) => {
                let given = Array3::from_shape_vec(image.raw_dim(), values.clone());
                baseline = given.map_err(|_| {
                    Error::Setting(format!(
                        "the baseline has {} values, the image has shape {:?}",
                        values.len(),
                        image.shape()
                    ))
                })?;
            }
        }
        Ok(baseline)
    }
}

/// A raw pixel value as the network's input has it.
pub(crate) fn preprocessed(network: &Network, channel: usize, raw: f32) -> f32 {
    let p = &network.metadata().preprocessing;
    (raw * p.scale - p.mean[channel]) / p.std[channel]
}

impl std::fmt::Display for Baseline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Baseline::Zero => f.write_str("zero"),
            Baseline::Mean => f.write_str("mean"),
            Baseline::Blur => f.write_str("blur"),
            Baseline::Pixel(raw) => write!(f, "pixel value {raw}"),
            Baseline::Background => f.write_str("background"),
            Baseline::Given(_) => f.write_str("given"),
        }
    }
}

impl std::str::FromStr for Baseline {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match (s, s.parse::<f32>()) {
            ("zero", _) => Ok(Baseline::Zero),
            ("mean", _) => Ok(Baseline::Mean),
            ("blur", _) => Ok(Baseline::Blur),
            ("background", _) => Ok(Baseline::Background),
            (_, Ok(raw)) if (0.0..=255.0).contains(&raw) => Ok(Baseline::Pixel(raw)),
            _ => Err(format!(
                "unknown baseline '{s}': expected zero, mean, blur, background or a pixel \
                 value from 0 to 255"
            )),
        }
    }
}

/// Gaussian blur of each channel, cut off at three standard deviations, with the edge repeated.
pub(crate) fn blurred(image: ArrayView3<'_, f32>, sigma: f64) -> Array3<f32> {
    let radius = (3.0 * sigma).ceil().max(1.0) as isize;
    let weight = |d: isize| (-0.5 * (d as f64 / sigma).powi(2)).exp();
    let total: f64 = (-radius..=radius).map(weight).sum();
    let kernel: Vec<f64> = (-radius..=radius).map(|d| weight(d) / total).collect();
    let mut result = image.to_owned();
    for axis in [1, 2] {
        for mut lane in result.lanes_mut(Axis(axis)) {
            let own: Vec<f64> = lane.iter().map(|&v| f64::from(v)).collect();
            for (i, value) in lane.iter_mut().enumerate() {
                let at = |d: usize| {
                    let place = i as isize + d as isize - radius;
                    own[place.clamp(0, own.len() as isize - 1) as usize]
                };
                *value = kernel.iter().enumerate().map(|(d, k)| k * at(d)).sum::<f64>() as f32;
            }
        }
    }
    result
}
