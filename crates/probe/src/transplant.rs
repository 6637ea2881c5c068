//! Transplants: a window slides over an image and shows another image, the donor, at the same place.

use cutaway_engine::{Engine, Fill};
use ndarray::{ArrayView3, s};
use serde::Serialize;

use crate::cover::Cover;
use crate::windows::{ClassCount, Size, WindowAnswer, WindowSweep, Windows, judged};
use crate::{Error, Result};

/// Failures that are shown.
const EXAMPLES: usize = 5;

/// The image that the window shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Donor {
    /// Its class.
    pub class: usize,
    /// Its place in the test set, where it stands in one.
    pub sample: Option<usize>,
}

/// The image that donors are put into.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// The image `[C, H, W]` in the units of the network's input.
    pub image: ArrayView3<'a, f32>,
    /// Its class.
    pub truth: usize,
    /// Its place in the data set, if it stands there: it is not its own donor.
    pub sample: Option<usize>,
}

/// What a network answers to an image that shows a donor through a window at every place in turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Transplant {
    /// What the window shows.
    pub donor: Donor,
    /// The answers.
    #[serde(flatten)]
    pub sweep: WindowSweep,
    /// Windows predicted as the donor's class.
    pub donor_predicted: usize,
    /// Share predicted correctly of the windows that show black at the same places.
    pub black_accuracy: f64,
    /// Windows without those of the last row and the last column of places.
    pub windows_without_last: usize,
    /// Accuracy over [`Self::windows_without_last`]; none where there is but one row or column.
    pub accuracy_without_last: Option<f64>,
    /// Windows predicted as another class, in reading order.
    pub failures: Vec<TransplantFailure>,
    /// Up to five failures to look at, indices into [`Self::failures`]: of each pair of answers (black,
    /// transplant), the most frequent pair first, the one with the smallest P(true); then further
    /// ones with the smallest P(true).
    pub examples: Vec<usize>,
}

/// A window whose transplant is predicted as another class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TransplantFailure {
    /// Top row of the window.
    pub row: usize,
    /// Left column.
    pub col: usize,
    /// P(y = true | x) with the transplant.
    pub p_true: f32,
    /// The class predicted where the window shows black.
    pub black_predicted: usize,
    /// Its probability.
    pub black_p_predicted: f32,
    /// The class predicted where the window shows the donor.
    pub transplant_predicted: usize,
    /// Its probability.
    pub transplant_p_predicted: f32,
}

/// Shows a donor, its image `[C, H, W]` in the units of the network's input, through a window over the
/// recipient at every place in turn. `progress` hears now and then how many windows of how many are
/// done.
///
/// # Errors
/// [`Error::Setting`] where the donor has another size than the image, or the window, the stride or
/// a class makes no sense; [`Error::NotFinite`]; the engine's where the image has another shape than
/// its input.
pub fn transplant(
    engine: &Engine,
    recipient: Recipient<'_>,
    (donor, donor_image): (Donor, ArrayView3<'_, f32>),
    (window, stride): (Size, usize),
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Transplant> {
    let Recipient { image, truth, .. } = recipient;
    let grid = grid(image, donor_image, window, stride)?;
    let shown = |i| piece(donor_image, &grid, i);
    // Each place is asked twice, with the donor and with black.
    let sweep =
        judged(engine, image, truth, grid, &shown, &mut |done, all| progress(done, 2 * all))?;
    let black = Cover::Value(0.0).prepare(engine, image, window, 0);
    let covered = |i| black.fill(&grid, i);
    let mut second = |done, all| progress(all + done, 2 * all);
    let black = judged(engine, image, truth, grid, &covered, &mut second)?;
    let pairs = sweep.rows.iter().zip(&black.rows);
    let failures = pairs.filter(|(row, _)| row.predicted != truth).map(failure);
    let failures: Vec<TransplantFailure> = failures.collect();
    let inner = |i: usize| i % grid.cols + 1 < grid.cols && i / grid.cols + 1 < grid.rows;
    let inner: Vec<&WindowAnswer> =
        sweep.rows.iter().enumerate().filter(|(i, _)| inner(*i)).map(|(_, row)| row).collect();
    let inner_right = inner.iter().filter(|row| row.predicted == truth).count();
    Ok(Transplant {
        donor,
        donor_predicted: windows_of(&sweep.predictions, donor.class),
        black_accuracy: black.accuracy,
        windows_without_last: inner.len(),
        accuracy_without_last: (!inner.is_empty()).then(|| inner_right as f64 / inner.len() as f64),
        examples: examples(&failures),
        failures,
        sweep,
    })
}

/// The places of the window, if donor and image have one size.
pub(crate) fn grid(
    image: ArrayView3<'_, f32>,
    donor: ArrayView3<'_, f32>,
    window: Size,
    stride: usize,
) -> Result<Windows> {
    if donor.dim() != image.dim() {
        return Err(Error::Setting(format!(
            "the donor is {:?} (channels, rows, columns), but the image is {:?}; they must have one \
             size",
            donor.shape(),
            image.shape()
        )));
    }
    let (_, height, width) = image.dim();
    Windows::new(Size { height, width }, window, stride)
}

/// The donor at a place.
pub(crate) fn piece(donor: ArrayView3<'_, f32>, grid: &Windows, index: usize) -> Fill {
    let (row, col) = grid.place(index);
    let Size { height, width } = grid.window;
    Fill::Patch(donor.slice(s![.., row..row + height, col..col + width]).to_owned())
}

fn windows_of(counts: &[ClassCount], class: usize) -> usize {
    counts.iter().find(|count| count.class == class).map_or(0, |count| count.windows)
}

fn failure((shown, black): (&WindowAnswer, &WindowAnswer)) -> TransplantFailure {
    TransplantFailure {
        row: shown.row,
        col: shown.col,
        p_true: shown.p_true,
        black_predicted: black.predicted,
        black_p_predicted: black.p_predicted,
        transplant_predicted: shown.predicted,
        transplant_p_predicted: shown.p_predicted,
    }
}

/// See [`Transplant::examples`].
fn examples(failures: &[TransplantFailure]) -> Vec<usize> {
    let pair = |i: usize| (failures[i].black_predicted, failures[i].transplant_predicted);
    let mut by_harm: Vec<usize> = (0..failures.len()).collect();
    by_harm.sort_by(|&a, &b| failures[a].p_true.total_cmp(&failures[b].p_true));
    let mut counts = std::collections::BTreeMap::new();
    by_harm.iter().for_each(|&i| *counts.entry(pair(i)).or_insert(0usize) += 1);
    let mut pairs: Vec<_> = counts.into_iter().collect();
    pairs.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let worst_of = |wanted| by_harm.iter().copied().find(|&i| pair(i) == wanted);
    let mut chosen: Vec<usize> = pairs.iter().filter_map(|&(pair, _)| worst_of(pair)).collect();
    chosen.truncate(EXAMPLES);
    let rest: Vec<usize> = by_harm.into_iter().filter(|i| !chosen.contains(i)).collect();
    chosen.extend(rest.into_iter().take(EXAMPLES - chosen.len()));
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_show_each_pair_of_answers_before_a_second_of_any() {
        let failure = |p_true, black_predicted, transplant_predicted| TransplantFailure {
            row: 0,
            col: 0,
            p_true,
            black_predicted,
            black_p_predicted: 1.0,
            transplant_predicted,
            transplant_p_predicted: 1.0,
        };
        let failures = [
            failure(0.4, 3, 5),
            failure(0.3, 6, 5), // the most frequent pair: its worst is index 4
            failure(0.2, 6, 5),
            failure(0.9, 6, 8),
            failure(0.1, 6, 5),
            failure(0.5, 3, 5),
        ];
        // 6→5 three times, 3→5 twice, 6→8 once; then the rest by harm.
        assert_eq!(examples(&failures), [4, 0, 3, 2, 1]);
        assert_eq!(examples(&failures[..1]), [0]);
        assert_eq!(examples(&[]), [0usize; 0]);
    }
}
