//! The worst of a grid of shifts and turns. No gradients.

use serde::Serialize;

use super::session::{Session, keep};
use super::{Check, in_range};
use crate::Result;
use crate::affine::{Fill, FillMode, Transform, Warp};

/// Every shift and turn of a grid, the mildest first; what comes in from beyond the border is black.
/// Engstrom, Tran, Tsipras, Schmidt, Madry 2019, "Exploring the landscape of spatial robustness",
/// section 3: ±3 pixels and ±30° in 5×5×31 steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spatial {
    /// The largest shift along each axis in pixels, 0 to 1,000.
    pub shift: f64,
    /// Shifts along each axis, 1 to 101.
    pub shifts: usize,
    /// The largest turn either way in degrees, 0 to 180.
    pub rotation: f64,
    /// Turns, 1 to 361.
    pub rotations: usize,
}

impl Default for Spatial {
    fn default() -> Spatial {
        Spatial { shift: 3.0, shifts: 5, rotation: 30.0, rotations: 31 }
    }
}

impl Check for Spatial {
    fn check(&self) -> Result<()> {
        in_range("a shift", self.shift, 0.0, 1e3)?;
        in_range("shifts along each axis", self.shifts as f64, 1.0, 101.0)?;
        in_range("a rotation", self.rotation, 0.0, 180.0)?;
        in_range("rotations", self.rotations as f64, 1.0, 361.0)
    }
}

impl Spatial {
    pub(crate) fn run(&self, s: &mut Session<'_>) -> Result<Vec<f32>> {
        let [c, h, w] = s.victim.shape;
        let (len, classes) = (s.victim.len(), s.victim.classes);
        let mut out = s.clean.to_vec();
        let mut which: Vec<usize> = (0..s.count()).collect();
        let mut margins = vec![f32::INFINITY; which.len()];
        let fill = Fill { mode: FillMode::Constant, cval: 0.0 };
        let grid = self.grid();
        for (n, transform) in grid.iter().enumerate() {
            let warp = Warp::new(transform, fill, h, w)?;
            let mut moved = vec![0.0; which.len() * len];
            let batch = s.batch;
            s.victim.each(&mut moved, |k, out| {
                let clean = batch.original(which[k]);
                // Channels innermost, as data sets hold them.
                let image: Vec<f32> = (0..len).map(|p| clean[p % c * h * w + p / c]).collect();
                warp.apply(&image, c, out);
            });
            let logits = s.logits(&which, &moved)?;
            let mut done = vec![false; which.len()];
            for (k, &i) in which.iter().enumerate() {
                let margin = s.aims[i].margin(&logits[k * classes..(k + 1) * classes]);
                if margin < margins[k] {
                    margins[k] = margin;
                    out[i * len..(i + 1) * len].copy_from_slice(&moved[k * len..(k + 1) * len]);
                }
                done[k] = margin < 0.0;
            }
            keep(&mut margins, 1, &done);
            keep(&mut which, 1, &done);
            if which.is_empty() {
                break;
            }
            (s.progress)((n + 1) as f64 / grid.len() as f64);
        }
        Ok(out)
    }

    /// All transforms, by the sum of their squared shares of the largest; of equal ones in reading
    /// order.
    fn grid(&self) -> Vec<Transform> {
        let steps = |largest: f64, count: usize| -> Vec<f64> {
            let step = |i: usize| match count {
                1 => 0.0,
                _ => largest * (2.0 * i as f64 / (count - 1) as f64 - 1.0),
            };
            (0..count).map(step).collect()
        };
        let mut grid = Vec::new();
        for &dy in &steps(self.shift, self.shifts) {
            for &dx in &steps(self.shift, self.shifts) {
                for &rotate in &steps(self.rotation, self.rotations) {
                    grid.push(Transform { dx, dy, rotate, ..Transform::IDENTITY });
                }
            }
        }
        let share = |value: f64, of: f64| if of > 0.0 { (value / of).powi(2) } else { 0.0 };
        let size = |t: &Transform| {
            share(t.dx, self.shift) + share(t.dy, self.shift) + share(t.rotate, self.rotation)
        };
        grid.sort_by(|a, b| size(a).total_cmp(&size(b)));
        grid
    }
}
