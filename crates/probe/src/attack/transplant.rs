//! Windows onto other images, as an attack: [`crate::transplant()`] in search of the worst place.

use cutaway_data::Images;
use cutaway_engine::{Edit, Engine, Fill};
use ndarray::{ArrayView3, s};
use serde::Serialize;

use super::session::Session;
use super::sweep::{Worst, apply};
use super::victim::Victim;
use super::{Check, in_range};
use crate::inputs::correct_samples;
use crate::windows::{Size, Windows};
use crate::{Error, Result};

/// A window at every place that shows a donor at the same place: for each class one image that the
/// network classifies correctly ([`TransplantAttack::find_donors`]); an image's own class is left
/// out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TransplantAttack {
    /// Height and width of the window in pixels, at least 1.
    pub side: usize,
    /// Pixels from one place to the next, at least 1.
    pub stride: usize,
    /// The donors' classes.
    pub donors: Vec<usize>,
    /// Their images, `[C, H, W]` each, 0 to 1.
    #[serde(skip)]
    pub images: Vec<Vec<f32>>,
}

impl Default for TransplantAttack {
    fn default() -> TransplantAttack {
        TransplantAttack { side: 10, stride: 2, donors: Vec::new(), images: Vec::new() }
    }
}

impl Check for TransplantAttack {
    fn check(&self) -> Result<()> {
        in_range("a window's side", self.side as f64, 1.0, 1e5)?;
        in_range("a stride", self.stride as f64, 1.0, 1e5)
    }
}

impl TransplantAttack {
    /// Takes the first image of each class that the network gets right.
    ///
    /// # Errors
    /// If the images do not suit the network.
    pub fn find_donors(&mut self, engine: &Engine, images: &Images) -> Result<()> {
        let victim = Victim::new(engine, images)?;
        (self.donors, self.images) = (Vec::new(), Vec::new());
        for class in 0..victim.classes {
            if let Some(&index) = correct_samples(engine, images, class, 1)?.first() {
                self.donors.push(class);
                self.images.push(victim.pixels(images, index));
            }
        }
        Ok(())
    }

    pub(crate) fn run(&self, s: &mut Session<'_>) -> Result<Vec<f32>> {
        let [c, h, w] = s.victim.shape;
        let len = s.victim.len();
        if self.images.is_empty() || self.images.iter().any(|donor| donor.len() != len) {
            let message = "there are no donors of this size: TransplantAttack::find_donors";
            return Err(Error::Setting(message.to_owned()));
        }
        let image = Size { height: h, width: w };
        let windows = Windows::new(image, Size::square(self.side), self.stride)?;
        let edits = |donor: &[f32]| -> Vec<Edit> {
            let donor = ArrayView3::from_shape((c, h, w), donor).expect("an image");
            let edit = |p: usize| {
                let (row, col) = windows.place(p);
                let window = s![.., row..row + self.side, col..col + self.side];
                let fill = Fill::Patch(donor.slice(window).to_owned());
                Edit { row, col, height: self.side, width: self.side, fill }
            };
            (0..windows.rows * windows.cols).map(edit).collect()
        };
        let all: Vec<Vec<Edit>> = self.images.iter().map(|donor| edits(donor)).collect();
        let mut out = s.clean.to_vec();
        for i in 0..s.count() {
            let mut worst: Option<(usize, Worst)> = None;
            for (d, edits) in all.iter().enumerate() {
                if self.donors[d] == s.aims[i].label {
                    continue;
                }
                let Some(found) = s.worst(i, edits)? else { continue };
                let fooled = found.fooled;
                if worst.as_ref().is_none_or(|(_, worst)| found.score > worst.score) {
                    worst = Some((d, found));
                }
                if fooled {
                    break;
                }
            }
            if let Some((d, worst)) = worst {
                let image = &mut out[i * len..(i + 1) * len];
                apply(&all[d][worst.edit], s.victim.shape, image);
            }
            (s.progress)((i + 1) as f64 / s.count() as f64);
        }
        Ok(out)
    }
}
