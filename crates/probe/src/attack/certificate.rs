//! The other side: a certificate that no patch of a given size changes the answer.
//!
//! Two-mask checking, "PatchCleanser" (Xiang, Mahloujifar, Mittal 2022, "PatchCleanser: certifiably
//! robust defense against adversarial patches for any image classifier"). A set of masks is made of
//! which, wherever the patch lies, one covers it. If the network gives the true class under **every**
//! pair of masks, then double masking (algorithm 1) gives it for every image that differs within one
//! patch (theorem 1). It holds for the defended network, not for the network alone.

use cutaway_data::Images;
use cutaway_engine::{Edit, Engine, Fill};
use ndarray::ArrayView3;
use serde::Serialize;

use super::in_range;
use super::patch::check_side;
use super::result::wilson;
use super::victim::Victim;
use crate::shift::check_labels;
use crate::{Error, Progress, Result, best};

/// What is to be certified.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CertificateSettings {
    /// Height and width of the patch in pixels, at least 1.
    pub patch: usize,
    /// Masks along each axis, 1 to 100: more are smaller and leave more of the image, and take longer.
    pub masks: usize,
    /// What a mask shows: a pixel value from 0 to 1.
    pub fill: f32,
}

impl Default for CertificateSettings {
    fn default() -> CertificateSettings {
        CertificateSettings { patch: 3, masks: 6, fill: 0.0 }
    }
}

/// Rectangles of which one covers a patch wherever it lies (section 3.4 of the paper).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MaskSet {
    /// Height and width of a mask in pixels.
    pub size: (usize, usize),
    /// Their top rows.
    pub rows: Vec<usize>,
    /// Their left columns, each with each row.
    pub cols: Vec<usize>,
}

/// What is certified of many images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Certificate {
    /// The patch, and how it was checked.
    #[serde(flatten)]
    pub settings: CertificateSettings,
    /// The masks.
    pub mask_set: MaskSet,
    /// Images.
    pub count: usize,
    /// Share classified correctly by the network alone, 0 to 1.
    pub clean_accuracy: f64,
    /// Share classified correctly by double masking, no patch being there.
    pub defended_accuracy: f64,
    /// Images that are certified: double masking gives the true class whatever a patch shows, wherever
    /// it lies.
    pub certified: usize,
    /// Their share.
    pub certified_accuracy: f64,
    /// 95 % confidence interval of that share (Wilson 1927).
    pub interval: (f64, f64),
    /// Masked images that the network was asked about.
    pub queries: usize,
    /// Each image.
    pub images: Vec<CertifiedImage>,
}

/// What is certified of one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CertifiedImage {
    /// Its place among the images.
    pub index: usize,
    /// Its class.
    pub label: usize,
    /// What the network says.
    pub predicted: usize,
    /// What double masking says.
    pub defended: usize,
    /// Whether no patch can make double masking say anything but the label.
    pub certified: bool,
    /// Single masks under which the network says something else than under most.
    pub disagreeing: usize,
}

impl MaskSet {
    /// About `masks` × `masks` masks for patches of `patch` × `patch` pixels in images of `height` ×
    /// `width`.
    ///
    /// # Errors
    /// [`Error::Setting`] where the patch is larger than the image or there is no mask.
    pub fn new(patch: usize, masks: usize, height: usize, width: usize) -> Result<MaskSet> {
        check_side(patch, height, width)?;
        in_range("masks along each axis", masks as f64, 1.0, 100.0)?;
        let [(tall, rows), (wide, cols)] = [height, width].map(|n| {
            let stride = (n - patch + 1).div_ceil(masks);
            let size = (patch + stride - 1).min(n);
            let mut starts: Vec<usize> = (0..n - size).step_by(stride).collect();
            starts.push(n - size);
            (size, starts)
        });
        Ok(MaskSet { size: (tall, wide), rows, cols })
    }

    /// Number of masks.
    pub fn len(&self) -> usize {
        self.rows.len() * self.cols.len()
    }

    /// Whether there is none; never, as [`MaskSet::new`] makes it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn edits(&self, fill: &[f32]) -> Vec<Edit> {
        let edit = |row: usize, col: usize| Edit {
            row,
            col,
            height: self.size.0,
            width: self.size.1,
            fill: Fill::Channels(fill.to_vec()),
        };
        let rows = self.rows.iter();
        rows.flat_map(|&row| self.cols.iter().map(move |&col| edit(row, col))).collect()
    }
}

/// Certifies the images at the places `which`. Pairs of masks are sweeps from an image that is masked
/// already; memory does not grow with the number of pairs. `progress` hears how many images are done,
/// of how many.
///
/// # Errors
/// [`Error::Setting`] where a setting is out of range or the images do not suit the network;
/// [`Error::NotFinite`]; the engine's.
pub fn certify(
    engine: &Engine,
    images: &Images,
    which: &[usize],
    settings: &CertificateSettings,
    progress: Progress<'_>,
) -> Result<Certificate> {
    check_labels(engine, images)?;
    in_range("a mask's pixel value", f64::from(settings.fill), 0.0, 1.0)?;
    let victim = Victim::new(engine, images)?;
    let [c, h, w] = victim.shape;
    if let Some(index) = which.iter().find(|&&i| i >= images.len()) {
        let count = images.len();
        return Err(Error::Setting(format!("there is no image {index}: there are {count}")));
    }
    if which.is_empty() {
        return Err(Error::Setting("there are no images to certify".to_owned()));
    }
    let mask_set = MaskSet::new(settings.patch, settings.masks, h, w)?;
    let edits = mask_set.edits(&victim.per_channel(&vec![settings.fill; c], 1));
    let mut queries = 0;
    let mut rows = Vec::with_capacity(which.len());
    for (done, &index) in which.iter().enumerate() {
        let pixels = victim.pixels(images, index);
        let predicted = best(&victim.logits(&pixels)?).0;
        let mut input = pixels;
        victim.preprocess(&mut input);
        let mut check = Check { engine, shape: (c, h, w), input, edits: &edits, queries: 0 };
        let label = images.label(index);
        let (defended, certified, disagreeing) = check.run(label)?;
        queries += check.queries;
        rows.push(CertifiedImage { index, label, predicted, defended, certified, disagreeing });
        progress(done + 1, which.len());
    }
    let count = rows.len();
    let share = |keep: &dyn Fn(&CertifiedImage) -> bool| {
        let n = rows.iter().filter(|row| keep(row)).count();
        (n, n as f64 / count as f64)
    };
    let (certified, certified_accuracy) = share(&|row| row.certified);
    Ok(Certificate {
        settings: settings.clone(),
        mask_set,
        count,
        clean_accuracy: share(&|row| row.predicted == row.label).1,
        defended_accuracy: share(&|row| row.defended == row.label).1,
        certified,
        certified_accuracy,
        interval: wilson(certified, count),
        queries,
        images: rows,
    })
}

/// One image under masks.
struct Check<'a> {
    engine: &'a Engine,
    shape: (usize, usize, usize),
    /// In the units of the network's input.
    input: Vec<f32>,
    edits: &'a [Edit],
    queries: usize,
}

impl Check<'_> {
    /// What double masking says, whether that is certified to be `label`, and how many single masks
    /// disagree with most.
    fn run(&mut self, label: usize) -> Result<(usize, bool, usize)> {
        let edits = self.edits;
        let single = self.classes(&self.input.clone(), edits)?;
        let majority = majority(&single);
        let disagreeing: Vec<usize> =
            (0..single.len()).filter(|&m| single[m] != majority).collect();
        if disagreeing.is_empty() {
            // The pairs are asked only where they can certify anything.
            let certified = majority == label && self.all_pairs_say(label)?;
            return Ok((majority, certified, 0));
        }
        for &m in &disagreeing {
            let masked = self.masked(m);
            let pairs = self.classes(&masked, edits)?;
            if pairs.iter().all(|&class| class == single[m]) {
                return Ok((single[m], false, disagreeing.len()));
            }
        }
        Ok((majority, false, disagreeing.len()))
    }

    fn all_pairs_say(&mut self, label: usize) -> Result<bool> {
        let edits = self.edits;
        for first in 0..edits.len().saturating_sub(1) {
            let masked = self.masked(first);
            let pairs = self.classes(&masked, &edits[first + 1..])?;
            if pairs.iter().any(|&class| class != label) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn masked(&self, mask: usize) -> Vec<f32> {
        let (c, h, w) = self.shape;
        let mut image = self.input.clone();
        super::sweep::apply(&self.edits[mask], [c, h, w], &mut image);
        image
    }

    /// What the network says of an image with each of the edits alone.
    fn classes(&mut self, image: &[f32], edits: &[Edit]) -> Result<Vec<usize>> {
        self.queries += edits.len();
        let base = ArrayView3::from_shape(self.shape, image).expect("an image");
        let probabilities = self.engine.sweep(base, edits)?;
        let said = probabilities.rows().into_iter().map(|row| {
            let (class, p) = best(row);
            if p.is_finite() { Ok(class) } else { Err(Error::NotFinite) }
        });
        said.collect()
    }
}

/// The most frequent class; of equal ones the smallest.
fn majority(classes: &[usize]) -> usize {
    let count = |class: usize| classes.iter().filter(|&&c| c == class).count();
    let mut distinct = classes.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.into_iter().rev().max_by_key(|&class| count(class)).expect("at least one mask")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_mask_covers_the_patch_wherever_it_lies() {
        for (height, width) in [(28, 28), (7, 12), (224, 224), (1, 5)] {
            for patch in (1..=height.min(width)).step_by(3) {
                for masks in [1, 2, 3, 6, 40] {
                    let set = MaskSet::new(patch, masks, height, width).unwrap();
                    let covered = |starts: &[usize], size: usize, at: usize| {
                        starts.iter().any(|&s| s <= at && at + patch <= s + size)
                    };
                    for at in 0..=height - patch {
                        assert!(covered(&set.rows, set.size.0, at), "{set:?} {at}");
                    }
                    for at in 0..=width - patch {
                        assert!(covered(&set.cols, set.size.1, at), "{set:?} {at}");
                    }
                    assert!(set.rows.last().unwrap() + set.size.0 == height);
                    assert!(set.rows.len() <= masks + 1);
                }
            }
        }
    }

    #[test]
    fn the_masks_of_the_paper_for_a_patch_of_2_4_percent() {
        // Section 4.2: 224×224, a patch of 32×32 pixels, 6×6 masks.
        let set = MaskSet::new(32, 6, 224, 224).unwrap();
        assert_eq!((set.size, set.len()), ((64, 64), 36));
    }
}
