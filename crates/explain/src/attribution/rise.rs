//! RISE.

use ndarray::{ArrayView3, ArrayView4};
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::baseline::Baseline;
use super::masks::masked_values;
use super::random::{Purpose, Random};
use super::resample::{Corners, bilinear};
use super::{Attribute, Raw, at_least, one_by_one};
use crate::Error;

/// `1 / (n p) · Σ f(x ∘ M) M` over random smooth masks (Petsiuk, Das and Saenko 2018, "RISE", section
/// 3): coarse grids of cells that are open with probability `p`, enlarged bilinearly and shifted by
/// up to a cell. The maps are not centred: it is where a map is high that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rise {
    /// Masks, at least 1; the paper has 4,000 to 8,000.
    pub samples: usize,
    /// Cells of the coarse grid along each side, at least 1.
    pub cells: usize,
    /// Probability that a cell is open, above 0 and up to 1.
    pub open: f64,
    /// What closed cells show.
    pub baseline: Baseline,
}

impl Default for Rise {
    fn default() -> Self {
        Rise { samples: 2000, cells: 7, open: 0.5, baseline: Baseline::Zero }
    }
}

impl Rise {
    /// One mask `[height, width]`.
    fn mask(&self, random: &mut Random, height: usize, width: usize, mask: &mut [f32]) {
        let side = [height.div_ceil(self.cells), width.div_ceil(self.cells)];
        // One cell more than the image takes leaves room for the shift.
        let cells = self.cells + 1;
        let grid: Vec<f32> =
            (0..cells * cells).map(|_| f32::from(u8::from(random.unit() < self.open))).collect();
        let size = [cells * side[0], cells * side[1]];
        let large = bilinear(&grid, [cells, cells], size, Corners::Cells);
        let (top, left) = (random.below(side[0]), random.below(side[1]));
        for (y, row) in mask.chunks_exact_mut(width).enumerate() {
            row.copy_from_slice(&large[(top + y) * size[1] + left..][..width]);
        }
    }

    fn one(&self, ask: &Ask<'_>, image: ArrayView3<'_, f32>, class: usize) -> Result<Raw, Error> {
        let (_, height, width) = image.dim();
        let baseline = ask.baseline(&self.baseline, image)?;
        let values = {
            let mut random = Random::new(ask.seed(), Purpose::Rise, 0);
            let mut draw = |_, mask: &mut [f32]| self.mask(&mut random, height, width, mask);
            masked_values(ask, image, &baseline, class, self.samples, &mut draw)?
        };
        // The masks are drawn a second time: thousands of them would fill the memory.
        let mut random = Random::new(ask.seed(), Purpose::Rise, 0);
        let mut mask = vec![0.0; height * width];
        let mut sums = vec![0.0_f64; height * width];
        for value in values {
            self.mask(&mut random, height, width, &mut mask);
            sums.iter_mut().zip(&mask).for_each(|(sum, &m)| *sum += value * f64::from(m));
        }
        let scale = 1.0 / (self.samples as f64 * self.open);
        let values = sums.into_iter().map(|sum| (sum * scale) as f32).collect();
        Ok(Raw::map([height, width], values))
    }
}

impl Attribute for Rise {
    fn check(&self) -> Result<(), Error> {
        at_least("samples", self.samples, 1)?;
        at_least("cells", self.cells, 1)?;
        match self.open > 0.0 && self.open <= 1.0 {
            true => Ok(()),
            false => Err(Error::Setting(format!("open is {}; expected 0 to 1", self.open))),
        }
    }

    fn planned(&self, _: &Ask<'_>) -> usize {
        self.samples
    }

    fn run(
        &self,
        ask: &Ask<'_>,
        images: ArrayView4<'_, f32>,
        classes: &[usize],
    ) -> Result<Vec<Raw>, Error> {
        one_by_one(images, classes, |image, class| self.one(ask, image, class))
    }
}
