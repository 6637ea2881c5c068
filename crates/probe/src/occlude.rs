//! Occlusion: a window slides over an image and covers what is under it (Zeiler and Fergus 2014,
//! "Visualizing and Understanding Convolutional Networks", section 4.2).

use cutaway_engine::{Engine, Fill};
use ndarray::{Array3, ArrayView3, s};
use serde::Serialize;

use crate::cover::Cover;
use crate::windows::{Size, WindowSweep, Windows, judged};
use crate::{Error, Result};

/// What covers an image, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OcclusionSettings {
    /// The window.
    pub window: Size,
    /// Pixels from one place to the next, at least 1.
    pub stride: usize,
    /// What it shows.
    pub cover: Cover,
    /// Seed of [`Cover::Noise`].
    pub seed: u64,
}

/// The study's: a black window of 8×8 at every place.
impl Default for OcclusionSettings {
    fn default() -> Self {
        OcclusionSettings { window: Size::square(8), stride: 1, cover: Cover::Value(0.0), seed: 1 }
    }
}

/// What a network answers to an image that is covered at every place in turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Occlusion {
    /// What the window shows, as [`Cover`] writes it.
    pub fill: String,
    /// The answers.
    #[serde(flatten)]
    pub sweep: WindowSweep,
}

/// Covers an image `[C, H, W]`, in the units of the network's input, at every place in turn.
/// `truth` is the class that is held to be true; `progress` hears now and then how many windows of
/// how many are done.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) where the window, the stride or the class makes no
/// sense; [`Error::NotFinite`](crate::Error::NotFinite); the engine's where the image has another
/// shape than its input.
pub fn occlude(
    engine: &Engine,
    image: ArrayView3<'_, f32>,
    truth: usize,
    settings: &OcclusionSettings,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Occlusion> {
    let (_, height, width) = image.dim();
    let grid = Windows::new(Size { height, width }, settings.window, settings.stride)?;
    let cover = settings.cover.prepare(engine, image, settings.window, settings.seed);
    let sweep = judged(engine, image, truth, grid, &|i| cover.fill(&grid, i), progress)?;
    Ok(Occlusion { fill: settings.cover.to_string(), sweep })
}

/// The image of one window, by its place in reading order: what the network saw there.
///
/// # Errors
/// As [`occlude`], and [`Error::Setting`](crate::Error::Setting) where there is no such window.
pub fn covered_image(
    engine: &Engine,
    image: ArrayView3<'_, f32>,
    settings: &OcclusionSettings,
    index: usize,
) -> Result<Array3<f32>> {
    let (_, height, width) = image.dim();
    let grid = Windows::new(Size { height, width }, settings.window, settings.stride)?;
    if index >= grid.len() {
        let last = grid.len() - 1;
        return Err(Error::Setting(format!("there is no window {index}: they are 0 to {last}")));
    }
    let fill =
        settings.cover.prepare(engine, image, settings.window, settings.seed).fill(&grid, index);
    let (row, col) = grid.place(index);
    let Size { height, width } = grid.window;
    let mut covered = image.to_owned();
    let mut place = covered.slice_mut(s![.., row..row + height, col..col + width]);
    match fill {
        Fill::Value(value) => place.fill(value),
        Fill::Channels(values) => {
            place.outer_iter_mut().zip(values).for_each(|(mut plane, value)| plane.fill(value));
        }
        Fill::Patch(patch) => place.assign(&patch),
    }
    Ok(covered)
}
