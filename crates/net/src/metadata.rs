//! What travels with a network besides its graph: labels, preprocessing, how it was trained.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What makes a model file self-explanatory. Not part of the network's hash.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Class labels in the order of the outputs; empty where they are not known.
    pub labels: Vec<String>,
    /// How an image becomes the network's input.
    pub preprocessing: Preprocessing,
    /// How the parameters came about, where that is known.
    pub training: Option<TrainingRecord>,
}

impl Metadata {
    /// No labels, no training record, and [`Preprocessing::for_input`].
    #[must_use]
    pub fn for_input(shape: &[usize]) -> Self {
        Self { preprocessing: Preprocessing::for_input(shape), ..Self::default() }
    }

    /// Says what is wrong with the metadata of a network with this input shape and this many
    /// classes, if anything is.
    pub(crate) fn check(&self, input: &[usize], classes: usize) -> Result<(), String> {
        if !self.labels.is_empty() && self.labels.len() != classes {
            return Err(format!(
                "the metadata lists {} labels but the network's output has {classes} classes; \
                 list one label a class, or none",
                self.labels.len()
            ));
        }
        self.preprocessing.check(input)?;
        match self.training.as_ref().and_then(|training| training.test_accuracy) {
            Some(accuracy) if !(0.0..=1.0).contains(&accuracy) => Err(format!(
                "the training record's test accuracy is {accuracy}; expected a fraction from 0 to 1"
            )),
            _ => Ok(()),
        }
    }
}

/// How an image becomes the network's input: brought to `height` × `width` as [`Fit`] says, taken as
/// `channels` channels, then `input = (raw * scale - mean) / std` for each channel, where `raw` is a pixel
/// value from 0 to 255.
///
/// The default is MNIST's: one channel of 28×28, `raw / 255`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Height of the input in pixels.
    pub height: usize,
    /// Width of the input in pixels.
    pub width: usize,
    /// Channels of the input: 1 for grey, 3 for red, green, blue.
    pub channels: usize,
    /// Order of the axes in the network's input.
    pub layout: Layout,
    /// Factor that raw pixel values (0 to 255) are multiplied by first.
    pub scale: f32,
    /// Subtracted from the scaled value, one number a channel.
    pub mean: Vec<f32>,
    /// Divided by at the end, one number a channel.
    pub std: Vec<f32>,
    /// What becomes of images of another size.
    #[serde(default, skip_serializing_if = "Fit::is_exact")]
    pub fit: Fit,
}

/// How an image of another size is brought to that of the network's input.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// It is not: images must have the size.
    #[default]
    Exact,
    /// Stretched or shrunk, whatever becomes of its proportions.
    Stretch,
    /// The middle is cut out, after the shorter side was brought to so many pixels, where a number
    /// is given; that is at least the longer side of the input.
    Crop(Option<usize>),
}

impl Fit {
    fn is_exact(&self) -> bool {
        *self == Fit::Exact
    }
}

impl Preprocessing {
    /// `raw / 255` for an input of shape `[channels, height, width]`. A vector `[features]` counts
    /// as one channel, one row high.
    #[must_use]
    pub fn for_input(shape: &[usize]) -> Self {
        let (channels, height, width) = match *shape {
            [channels, height, width] => (channels, height, width),
            _ => (1, 1, shape.iter().product()),
        };
        Self {
            height,
            width,
            channels,
            layout: Layout::Nchw,
            scale: 1.0 / 255.0,
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
            fit: Fit::Exact,
        }
    }

    fn check(&self, input: &[usize]) -> Result<(), String> {
        let image = [self.channels, self.height, self.width];
        if input.len() == 3 && input != image {
            return Err(format!(
                "the preprocessing makes images of shape {image:?} [channels, height, width] but \
                 the network's input is {input:?}"
            ));
        }
        for (what, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != self.channels {
                return Err(format!(
                    "the preprocessing's {what} has {} values; expected one for each of the {} \
                     channels",
                    values.len(),
                    self.channels
                ));
            }
        }
        let numbers = self.mean.iter().chain(&self.std).chain([&self.scale]);
        if numbers.into_iter().any(|number| !number.is_finite()) {
            return Err("the preprocessing's scale, mean and std must be finite numbers".into());
        }
        if self.std.contains(&0.0) {
            return Err("the preprocessing divides by std, so std must not be 0".into());
        }
        let longer = self.height.max(self.width);
        match self.fit {
            Fit::Crop(Some(side)) if !(longer..=MAX_SIDE).contains(&side) => Err(format!(
                "the preprocessing brings the shorter side to {side} pixels; expected {longer} (the \
                 input's longer side) to {MAX_SIDE}"
            )),
            _ => Ok(()),
        }
    }
}

/// The longest shorter side that a picture is enlarged to.
const MAX_SIDE: usize = 8192;

/// In words: `shorter side to 256, centre crop to 224×224, RGB, (raw / 255 − mean [0.485, …]) / …`.
impl fmt::Display for Preprocessing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = format!("{}×{}", self.height, self.width);
        match self.fit {
            Fit::Exact => write!(f, "{size}")?,
            Fit::Stretch => write!(f, "stretched to {size}")?,
            Fit::Crop(None) => write!(f, "centre crop to {size}")?,
            Fit::Crop(Some(side)) => write!(f, "shorter side to {side}, centre crop to {size}")?,
        }
        match self.channels {
            1 => write!(f, ", grey, ")?,
            3 => write!(f, ", RGB, ")?,
            channels => write!(f, ", {channels} channels, ")?,
        }
        let inverse = 1.0 / self.scale;
        let raw = match self.scale {
            1.0 => "raw".to_owned(),
            _ if (inverse - inverse.round()).abs() < 1e-3 => format!("raw / {}", inverse.round()),
            scale => format!("raw × {scale}"),
        };
        let plain = |values: &[f32], nothing: f32| values.iter().all(|&v| v == nothing);
        match (plain(&self.mean, 0.0), plain(&self.std, 1.0)) {
            (true, true) => write!(f, "{raw}"),
            (false, true) => write!(f, "{raw} − {:?}", self.mean),
            (true, false) => write!(f, "{raw} / {:?}", self.std),
            (false, false) => write!(f, "({raw} − {:?}) / {:?}", self.mean, self.std),
        }
    }
}

impl Default for Preprocessing {
    fn default() -> Self {
        Self::for_input(&[1, 28, 28])
    }
}

/// Order of the axes of a batch of images.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Sample, channel, row, column: ONNX's and PyTorch's order.
    #[default]
    Nchw,
    /// Sample, row, column, channel: TensorFlow's order.
    Nhwc,
}

/// How a network's parameters came about, enough to make them again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// Name of the training recipe.
    pub recipe: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Passes over the training set.
    pub epochs: usize,
    /// Name of the data set.
    pub dataset: String,
    /// SHA-256 of the data set's content, in hexadecimal.
    pub dataset_hash: String,
    /// Share of the test set classified correctly, from 0 to 1, where it was measured.
    pub test_accuracy: Option<f64>,
    /// The command that trains this network again.
    pub command: String,
}
