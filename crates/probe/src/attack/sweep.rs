//! What attacks by local edits share: the worst of many edits of one image, by a sweep.

use cutaway_engine::{Edit, Fill};
use ndarray::{Array3, ArrayView3};

use super::session::Session;
use crate::{Error, Result, best};

/// Edits that are asked about at once.
const AT_ONCE: usize = 4096;

/// The worst edit of an image: its place in the list, and how it ranks.
pub(crate) struct Worst {
    pub(crate) edit: usize,
    pub(crate) fooled: bool,
    /// How close to fooling, from −1 to 1: above, other things being equal, is worse for the network.
    pub(crate) score: f32,
}

impl Session<'_> {
    /// Asks about an image with each of the edits alone, in pixel values from 0 to 1: for each whether it
    /// fools, and its score: P(target) − the largest other, or the largest wrong one − P(label).
    pub(crate) fn sweep(&mut self, i: usize, edits: &[Edit]) -> Result<Vec<(bool, f32)>> {
        self.queries[i] += edits.len();
        let [c, h, w] = self.victim.shape;
        let mut base = self.original(i).to_vec();
        self.victim.preprocess(&mut base);
        let base = ArrayView3::from_shape((c, h, w), &base).expect("an image");
        let aim = self.aims[i];
        let mut answers = Vec::with_capacity(edits.len());
        for edits in edits.chunks(AT_ONCE) {
            let edits: Vec<Edit> = edits.iter().map(|edit| self.preprocessed(edit)).collect();
            let probabilities = self.victim.engine.sweep(base, &edits)?;
            for row in probabilities.rows() {
                let row = row.to_slice().expect("one row after the other");
                if row.iter().any(|p| !p.is_finite()) {
                    return Err(Error::NotFinite);
                }
                answers.push((aim.is_met(best(row).0), -aim.margin(row)));
            }
        }
        Ok(answers)
    }

    /// The worst of some edits; of equal ones the first.
    pub(crate) fn worst(&mut self, i: usize, edits: &[Edit]) -> Result<Option<Worst>> {
        let answers = self.sweep(i, edits)?;
        let all = answers.into_iter().enumerate();
        let worst = |(edit, (fooled, score))| Worst { edit, fooled, score };
        Ok(all.map(worst).reduce(|a, b| if b.score > a.score { b } else { a }))
    }

    /// An edit in the units of the network's input.
    fn preprocessed(&self, edit: &Edit) -> Edit {
        let (c, pixels) = (self.victim.shape[0], edit.height * edit.width);
        let fill = match &edit.fill {
            Fill::Value(v) => Fill::Channels(self.victim.per_channel(&vec![*v; c], 1)),
            Fill::Channels(values) => Fill::Channels(self.victim.per_channel(values, 1)),
            Fill::Patch(patch) => {
                let values: Vec<f32> = patch.iter().copied().collect();
                let values = self.victim.per_channel(&values, pixels);
                Fill::Patch(Array3::from_shape_vec(patch.dim(), values).expect("as many"))
            }
        };
        Edit { fill, ..*edit }
    }
}

/// Writes an edit, in pixel values, into an image `[C, H, W]`.
pub(crate) fn apply(edit: &Edit, [_, h, w]: [usize; 3], image: &mut [f32]) {
    for (c, plane) in image.chunks_exact_mut(h * w).enumerate() {
        for y in 0..edit.height {
            for x in 0..edit.width {
                plane[(edit.row + y) * w + edit.col + x] = match &edit.fill {
                    Fill::Value(v) => *v,
                    Fill::Channels(values) => values[c],
                    Fill::Patch(patch) => patch[(c, y, x)],
                };
            }
        }
    }
}
