//! Feature visualisation: images made by gradient ascent that drive a channel, a unit, a class or a
//! direction of a network as far as they can, beside images of a data set that do.
//!
//! The method is that of Olah, Mordvintsev and Schubert (2017), “Feature Visualization”, Distill,
//! <https://distill.pub/2017/feature-visualization>: an image parametrised by its spectrum with
//! decorrelated colours, seen at random places, turns and scales, and optimised by Adam; or by the phases
//! of a fixed spectrum ([`Parametrisation::Maco`]). Pixels stay within their range: they are a sigmoid's
//! values, and go through the network's own preprocessing.
//!
//! ```
//! use cutaway_engine::{Engine, Options};
//! use cutaway_explain::visualise::{Settings, Target, visualise};
//!
//! let network = cutaway_net::presets::reference_cnn(1);
//! let engine = Engine::compile(&network, &Options::default())?;
//! let settings = Settings { steps: 4, ..Settings::default() };
//! let logits = network.logits();
//! let seen = visualise(&engine, logits, &[Target::Channel(3)], &settings, &|_, _| ())?;
//! assert_eq!(seen[0].images[0].shape, [1, 28, 28]);
//! assert!(seen[0].images[0].values.iter().all(|v| (0.0..=1.0).contains(v)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ascend;
mod canvas;
mod dft;
mod diversity;
mod examples;
mod objective;
#[cfg(test)]
mod tests;
mod view;

use serde::Serialize;

pub use ascend::{random_images, visualise};
pub use canvas::Parametrisation;
pub use examples::{Example, Examples, Survey, examples, interesting};
pub use objective::Target;
pub use view::Transforms;

/// How images are made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// What is optimised.
    pub parametrisation: Parametrisation,
    /// Steps of Adam, 1 to 100,000.
    pub steps: usize,
    /// Its learning rate; `None` for what suits the parametrisation: 0.05, of `Maco` 0.3 (radians).
    pub rate: Option<f64>,
    /// Random moves before each step; `None` for none.
    pub transforms: Option<Transforms>,
    /// Images of each target, 1 to 16, that are driven apart.
    pub images: usize,
    /// Weight of their likeness against the target, as a share of the target's present size.
    pub diversity: f64,
    /// Make the number small instead of large.
    pub minimise: bool,
    /// Longer side of the images in pixels, 8 to 2048; `None` for the size of the network's input. The
    /// network sees the whole image in any case.
    pub size: Option<usize>,
    /// Pixel values from 0 to 1, one a channel, of the empty canvas that optimisation begins with, and
    /// of what lies beyond its edge. `None` for the mean that the preprocessing subtracts, or else 0.5.
    pub ground: Option<Vec<f64>>,
    /// Images `[C, H, W]` of the size of those that are made, pixel values from 0 to 1, whose spectra's mean
    /// magnitudes `Maco` takes. None: magnitudes that fall with 1/f.
    #[serde(skip)]
    pub models: Vec<Vec<f64>>,
    /// Seed of everything random. The same seed gives the same bits, whatever the number of threads, and
    /// whatever other targets there are.
    pub seed: u64,
}

impl Default for Settings {
    /// One image by 256 steps on its spectrum, with transforms.
    fn default() -> Settings {
        Settings {
            parametrisation: Parametrisation::default(),
            steps: 256,
            rate: None,
            transforms: Some(Transforms::default()),
            images: 1,
            diversity: 1.0,
            minimise: false,
            size: None,
            ground: None,
            models: Vec::new(),
            seed: 1,
        }
    }
}

/// An image that was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Visualisation {
    /// `[C, H, W]`.
    pub shape: [usize; 3],
    /// Pixel values from 0 to 1, row-major.
    pub values: Vec<f32>,
    /// The number that was driven, of the image as a whole, unmoved.
    pub activation: f64,
    /// The same number before each step, of what the network saw then.
    pub curve: Vec<f64>,
}

/// The images of one target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Visualised {
    /// Name of the node.
    pub layer: String,
    /// What of it was driven.
    pub target: Target,
    /// One or several.
    pub images: Vec<Visualisation>,
    /// How alike these are at the end, from 0 to 1, in the layer where they were driven apart; `None` of
    /// one image, or where nothing drove them apart.
    pub likeness: Option<f64>,
}
