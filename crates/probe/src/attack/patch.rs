//! An adversarial patch: one piece of picture that fools wherever it lies, on images it never saw.

use cutaway_data::Images;
use cutaway_engine::{Edit, Engine, Fill};
use ndarray::Array3;
use serde::Serialize;

use super::loss::{Aim, Loss};
use super::norm::sign;
use super::session::Session;
use super::sweep::apply;
use super::victim::Victim;
use super::{Check, in_range};
use crate::corrupt::random::Random;
use crate::{Error, Progress, Result};

/// Places of an image that a patch is laid onto at most, where no stride is given.
const PLACES: usize = 1024;

/// A square patch, trained on images at random places ([`Patch::train`]), then laid onto the places of a
/// grid of other images. Brown, Mané, Roy, Abadi, Gilmer 2017, "Adversarial patch", section 3; theirs is
/// scaled and turned, too. Training climbs the expected loss by the signs of its mean gradient, with
/// a step that falls from 0.1 to 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Patch {
    /// Its height and width in pixels, at least 1.
    pub side: usize,
    /// Training steps, 1 to 100,000.
    pub steps: usize,
    /// Pixels from one place it is laid onto to the next, at least 1; none for the fewest that make no
    /// more than 1,024 places of an image: every place where there are not more.
    pub stride: Option<usize>,
    /// Images in a step, each at a place of its own, 1 to 10,000.
    pub batch: usize,
    /// The patch `[C, side, side]`, 0 to 1, once it is trained.
    pub pixels: Vec<f32>,
}

impl Default for Patch {
    fn default() -> Patch {
        Patch { side: 8, steps: 100, stride: None, batch: 64, pixels: Vec::new() }
    }
}

impl Check for Patch {
    fn check(&self) -> Result<()> {
        in_range("a patch's side", self.side as f64, 1.0, 1e5)?;
        in_range("steps", self.steps as f64, 1.0, 1e5)?;
        in_range("a stride", self.stride.unwrap_or(1) as f64, 1.0, 1e5)?;
        in_range("a batch", self.batch as f64, 1.0, 1e4)
    }
}

impl Patch {
    /// Trains it on images drawn at random; the network is to say `target`, or anything but the label.
    ///
    /// # Errors
    /// [`Error::Setting`] where it is larger than the images or there are no images to train on.
    pub fn train(
        &mut self,
        engine: &Engine,
        images: &Images,
        target: Option<usize>,
        seed: u64,
        progress: Progress<'_>,
    ) -> Result<()> {
        self.check()?;
        let victim = Victim::new(engine, images)?;
        let [c, h, w] = victim.shape;
        check_side(self.side, h, w)?;
        let usable: Vec<usize> =
            (0..images.len()).filter(|&i| target != Some(images.label(i))).collect();
        if usable.is_empty() {
            return Err(Error::Setting("there are no images to train a patch on".to_owned()));
        }
        let (len, area) = (victim.len(), self.side * self.side);
        let mut random = Random::new(seed, 0xd000, 0);
        self.pixels = (0..c * area).map(|_| random.unit() as f32).collect();
        for step in 0..self.steps {
            let mut draw = |below: usize| random.integer(0, below as i64) as usize;
            let chosen: Vec<usize> = (0..self.batch).map(|_| usable[draw(usable.len())]).collect();
            let places: Vec<(usize, usize)> =
                chosen.iter().map(|_| (draw(h - self.side + 1), draw(w - self.side + 1))).collect();
            let mut batch: Vec<f32> = Vec::with_capacity(self.batch * len);
            for (&i, &place) in chosen.iter().zip(&places) {
                let mut image = victim.pixels(images, i);
                apply(&self.edit(place, c), victim.shape, &mut image);
                batch.extend(image);
            }
            let (_, gradient) =
                gradient(&victim, &batch, |k| Aim { label: images.label(chosen[k]), target })?;
            let rate = 0.1 * (1.0 - step as f32 / self.steps as f32);
            for (p, pixel) in self.pixels.iter_mut().enumerate() {
                let (channel, y, x) = (p / area, p % area / self.side, p % self.side);
                let at = |&(row, col): &(usize, usize)| (channel * h + row + y) * w + col + x;
                let all = places.iter().enumerate().map(|(k, place)| gradient[k * len + at(place)]);
                let sum: f64 = all.map(f64::from).sum();
                *pixel = (*pixel + rate * sign(sum as f32)).clamp(0.0, 1.0);
            }
            progress(step + 1, self.steps);
        }
        Ok(())
    }

    /// The worst place for each image, by sweeps.
    pub(crate) fn run(&self, s: &mut Session<'_>) -> Result<Vec<f32>> {
        let [c, h, w] = s.victim.shape;
        check_side(self.side, h, w)?;
        if self.pixels.len() != c * self.side * self.side {
            let message = "the patch must be trained for images of this kind first: Patch::train";
            return Err(Error::Setting(message.to_owned()));
        }
        let stride = self.stride.unwrap_or_else(|| fewest(h - self.side + 1, w - self.side + 1));
        let [rows, cols] = [h, w].map(|n| starts(n - self.side, stride));
        let places = rows.iter().flat_map(|&row| cols.iter().map(move |&col| (row, col)));
        let edits: Vec<Edit> = places.map(|place| self.edit(place, c)).collect();
        let len = s.victim.len();
        let mut out = s.clean.to_vec();
        for i in 0..s.count() {
            if let Some(worst) = s.worst(i, &edits)? {
                let image = &mut out[i * len..(i + 1) * len];
                apply(&edits[worst.edit], s.victim.shape, image);
            }
            (s.progress)((i + 1) as f64 / s.count() as f64);
        }
        Ok(out)
    }

    fn edit(&self, (row, col): (usize, usize), channels: usize) -> Edit {
        let shape = (channels, self.side, self.side);
        let patch = Array3::from_shape_vec(shape, self.pixels.clone()).expect("a trained patch");
        Edit { row, col, height: self.side, width: self.side, fill: Fill::Patch(patch) }
    }
}

/// From 0 to `last`, which is always one, by so many pixels.
fn starts(last: usize, stride: usize) -> Vec<usize> {
    let mut starts: Vec<usize> = (0..last).step_by(stride).collect();
    starts.push(last);
    starts
}

/// The smallest stride that makes no more than [`PLACES`] places of so many rows and columns.
fn fewest(rows: usize, cols: usize) -> usize {
    let places =
        |stride: usize| ((rows - 1).div_ceil(stride) + 1) * ((cols - 1).div_ceil(stride) + 1);
    (1..rows.max(cols)).find(|&stride| places(stride) <= PLACES).unwrap_or(rows.max(cols))
}

/// Gradients of the cross-entropy of a whole batch, in pieces.
fn gradient(
    victim: &Victim<'_>,
    images: &[f32],
    aim: impl Fn(usize) -> Aim + Sync,
) -> Result<(Vec<f32>, Vec<f32>)> {
    victim.gradient(images, &|k, logits, seed| {
        Loss::CrossEntropy.evaluate(logits, aim(k), seed);
    })
}

/// Refuses a patch that no image has room for.
pub(crate) fn check_side(side: usize, h: usize, w: usize) -> Result<()> {
    if (1..=h.min(w)).contains(&side) {
        return Ok(());
    }
    Err(Error::Setting(format!(
        "a patch of {side}×{side} is out of range: the images are {h}×{w}, give a side of 1 to {}",
        h.min(w)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_image_is_tried_at_every_place_and_a_large_one_at_a_thousand() {
        assert_eq!(fewest(21, 21), 1);
        assert_eq!(fewest(1, 1), 1);
        assert_eq!(starts(20, 1).len(), 21);
        assert_eq!(starts(0, 3), [0]);
        assert_eq!(starts(7, 3), [0, 3, 6, 7]);
        let stride = fewest(217, 217);
        let count = starts(216, stride).len();
        assert!(count * count <= PLACES && stride == 7, "{stride} {count}");
    }
}
