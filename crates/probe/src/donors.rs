//! Which donors fool a network: all donors for one image, and classes against donor classes.

use cutaway_data::Images;
use cutaway_engine::Engine;
use ndarray::{Array3, ArrayView3};
use serde::Serialize;

use crate::ask::best;
use crate::inputs::{self, correct_samples};
use crate::transplant::{Donor, Recipient, grid, piece};
use crate::windows::{Size, Windows, answers};
use crate::{Error, Result};

/// How one image fares with donors of every class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DonorComparison {
    /// Where the windows lie.
    pub grid: Windows,
    /// One entry a donor, the one that fools the most windows first.
    pub donors: Vec<DonorResult>,
    /// One entry for each class with donors, the one that fools the most windows first.
    pub classes: Vec<DonorClass>,
}

/// How one donor does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DonorResult {
    /// The donor.
    pub donor: Donor,
    /// Windows.
    pub windows: usize,
    /// Windows predicted as another class than the image's.
    pub fooled: usize,
    /// Windows predicted as the donor's class; none where that is the image's own.
    pub as_donor: Option<usize>,
}

/// How the donors of a class do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DonorClass {
    /// The class.
    pub class: usize,
    /// Its donors.
    pub donors: usize,
    /// Share of the windows predicted as another class than the image's.
    pub fooled: f64,
    /// Share predicted as the donor's class; none where that is the image's own.
    pub as_donor: Option<f64>,
}

/// Success of donors over many images: rows are the images' classes, columns the donors'.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TransplantMatrix {
    /// Number of classes.
    pub classes: usize,
    /// Images of a class at most.
    pub images_per_class: usize,
    /// Where the windows lie.
    pub grid: Windows,
    /// Pairs of an image and a donor behind each cell, `classes × classes`, row by row.
    pub pairs: Vec<usize>,
    /// Share of the windows predicted as another class than the image's; none without a pair. On the
    /// diagonal the donor is another image of the same class.
    pub fooled: Vec<Option<f64>>,
    /// Share predicted as the donor's class; none without a pair and on the diagonal.
    pub as_donor: Vec<Option<f64>>,
    /// How the engine computed it.
    pub strategy: String,
    /// Seconds it took.
    pub seconds: f64,
}

/// Puts the first `per_class` correctly classified images of every class into one image, the image
/// itself excepted.
///
/// # Errors
/// As [`transplant`](crate::transplant), and [`Error::Setting`] where the images do not fit the
/// network or none is classified correctly.
pub fn compare_donors(
    engine: &Engine,
    images: &Images,
    recipient: Recipient<'_>,
    per_class: usize,
    (window, stride): (Size, usize),
    progress: &mut dyn FnMut(usize, usize),
) -> Result<DonorComparison> {
    let classes = engine.network().classes();
    let mut donors = Vec::new();
    for class in 0..classes {
        let found = correct_samples(engine, images, class, per_class.saturating_add(1))?;
        let others = found.into_iter().filter(|&i| Some(i) != recipient.sample);
        donors.extend(others.take(per_class).map(|i| Donor { class, sample: Some(i) }));
    }
    let (_, height, width) = recipient.image.dim();
    let grid = Windows::new(Size { height, width }, window, stride)?;
    let mut results = Vec::new();
    for (done, &donor) in donors.iter().enumerate() {
        progress(done, donors.len());
        let image = inputs::input(engine, images, donor.sample.expect("of the data set"))?;
        let outcome = try_donor(engine, recipient.image, recipient.truth, &image, donor, &grid)?;
        results.push(outcome.result);
    }
    progress(donors.len(), donors.len());
    if results.is_empty() {
        return Err(Error::Setting(
            "no donor: the network classifies none of the images correctly".to_owned(),
        ));
    }
    // Stable: of equal ones the lower class and the earlier sample stays first.
    results.sort_by_key(|r| std::cmp::Reverse(r.fooled));
    let mut by_class: Vec<DonorClass> =
        (0..classes).filter_map(|class| donor_class(class, &results)).collect();
    by_class.sort_by(|a, b| b.fooled.total_cmp(&a.fooled));
    Ok(DonorComparison { grid, donors: results, classes: by_class })
}

fn donor_class(class: usize, results: &[DonorResult]) -> Option<DonorClass> {
    let own: Vec<&DonorResult> = results.iter().filter(|r| r.donor.class == class).collect();
    let windows: usize = own.iter().map(|r| r.windows).sum();
    let share = |part: usize| part as f64 / windows as f64;
    let first = own.first()?;
    Some(DonorClass {
        class,
        donors: own.len(),
        fooled: share(own.iter().map(|r| r.fooled).sum()),
        as_donor: first.as_donor.map(|_| share(own.iter().filter_map(|r| r.as_donor).sum())),
    })
}

/// A donor's result and how it was computed.
struct Outcome {
    result: DonorResult,
    strategy: String,
}

fn try_donor(
    engine: &Engine,
    image: ArrayView3<'_, f32>,
    truth: usize,
    donor_image: &Array3<f32>,
    donor: Donor,
    places: &Windows,
) -> Result<Outcome> {
    grid(image, donor_image.view(), places.window, places.stride)?;
    let fill = |i| piece(donor_image.view(), places, i);
    let answers = answers(engine, image, places, &fill, &mut |_, _| ())?;
    let predicted: Vec<usize> =
        answers.probabilities.rows().into_iter().map(|row| best(row).0).collect();
    let count = |f: &dyn Fn(usize) -> bool| predicted.iter().filter(|&&class| f(class)).count();
    let result = DonorResult {
        donor,
        windows: predicted.len(),
        fooled: count(&|class| class != truth),
        as_donor: (donor.class != truth).then(|| count(&|class| class == donor.class)),
    };
    Ok(Outcome { result, strategy: answers.strategy })
}

/// Puts donors of every class into images of every class. Of each class the first `per_class`
/// correctly classified images are taken; the i-th gets the i-th of the donor's class, and within
/// its own class the next one. `progress` hears how many pairs of how many are done.
///
/// # Errors
/// As [`compare_donors`].
pub fn transplant_matrix(
    engine: &Engine,
    images: &Images,
    per_class: usize,
    (window, stride): (Size, usize),
    progress: &mut dyn FnMut(usize, usize),
) -> Result<TransplantMatrix> {
    let start = std::time::Instant::now();
    let size = Size { height: images.height, width: images.width };
    let places = Windows::new(size, window, stride)?;
    let classes = engine.network().classes();
    let correct = (0..classes).map(|class| correct_samples(engine, images, class, per_class));
    let correct: Vec<Vec<usize>> = correct.collect::<Result<_>>()?;
    let pairs = pairs(&correct);
    if pairs.is_empty() {
        return Err(Error::Setting(
            "no pair of an image and a donor: the network classifies too few images correctly"
                .to_owned(),
        ));
    }
    let mut sums = vec![(0usize, 0usize, 0usize); classes * classes];
    let mut strategy = String::new();
    for (done, &(truth, image, donor)) in pairs.iter().enumerate() {
        progress(done, pairs.len());
        let image = inputs::input(engine, images, image)?;
        let shown = inputs::input(engine, images, donor.sample.expect("of the data set"))?;
        let outcome = try_donor(engine, image.view(), truth, &shown, donor, &places)?;
        let (count, fooled, as_donor) = &mut sums[truth * classes + donor.class];
        *count += 1;
        *fooled += outcome.result.fooled;
        *as_donor += outcome.result.as_donor.unwrap_or(0);
        strategy = outcome.strategy;
    }
    progress(pairs.len(), pairs.len());
    let share = |part: usize, count: usize| {
        (count > 0).then(|| part as f64 / (count * places.len()) as f64)
    };
    let off_diagonal = |i: usize| i / classes != i % classes;
    Ok(TransplantMatrix {
        classes,
        images_per_class: per_class,
        grid: places,
        pairs: sums.iter().map(|&(count, ..)| count).collect(),
        fooled: sums.iter().map(|&(count, fooled, _)| share(fooled, count)).collect(),
        as_donor: sums
            .iter()
            .enumerate()
            .map(|(i, &(count, _, as_donor))| share(as_donor, count).filter(|_| off_diagonal(i)))
            .collect(),
        strategy,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Class and sample of each image with its donor.
fn pairs(correct: &[Vec<usize>]) -> Vec<(usize, usize, Donor)> {
    let mut pairs = Vec::new();
    for (truth, images) in correct.iter().enumerate() {
        for (class, donors) in correct.iter().enumerate() {
            for (i, &image) in images.iter().enumerate() {
                let step = usize::from(class == truth);
                let Some(&sample) = donors.get((i + step) % donors.len().max(1)) else { continue };
                if sample != image {
                    pairs.push((truth, image, Donor { class, sample: Some(sample) }));
                }
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_image_is_its_own_donor_and_a_class_without_images_has_no_pair() {
        let pairs = pairs(&[vec![10, 11, 12], vec![], vec![20]]);
        let pairs: Vec<_> =
            pairs.into_iter().map(|(_, image, donor)| (image, donor.sample.unwrap())).collect();
        let expected = [(10, 11), (11, 12), (12, 10), (10, 20), (11, 20), (12, 20), (20, 10)];
        assert_eq!(pairs, expected);
    }
}
