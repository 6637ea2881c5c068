//! How good a classifier is, from its probabilities and the labels.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Bins of the reliability diagram.
const BINS: usize = 15;

/// Mistakes kept in [`Evaluation::worst`].
const WORST: usize = 100;

/// How good a classifier is on a set of labelled images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Number of images.
    pub count: usize,
    /// Share classified correctly, 0 to 1.
    pub accuracy: f64,
    /// Mean cross-entropy in nats. Probabilities below the smallest normal `f32` count as that, so
    /// one image contributes at most 87.3.
    pub loss: f64,
    /// Images by class: `confusion[label][predicted]`.
    pub confusion: Vec<Vec<u64>>,
    /// Precision, recall and F1 of each class.
    pub per_class: Vec<ClassScore>,
    /// Mean probability of the predicted class, 0 to 1.
    pub mean_confidence: f64,
    /// Expected calibration error, 0 to 1: the mean over `calibration` of the distance between
    /// accuracy and confidence, weighed by count (Guo et al., "On calibration of modern neural
    /// networks", 2017, section 2).
    pub ece: f64,
    /// The reliability diagram: 15 bins of confidence of equal width.
    pub calibration: Vec<CalibrationBin>,
    /// The mistakes with the least probability for the true class, worst first, at most 100.
    pub worst: Vec<Mistake>,
}

/// How well one class is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// The class.
    pub class: usize,
    /// Images of the class.
    pub support: u64,
    /// Of the images predicted to be of the class, the share that is; None where none is predicted.
    pub precision: Option<f64>,
    /// Of the images of the class, the share predicted to be; None where there are none.
    pub recall: Option<f64>,
    /// Harmonic mean of precision and recall, that is 2 hits / (predicted + support); None where
    /// the class neither occurs nor is predicted.
    pub f1: Option<f64>,
}

/// The images whose confidence (probability of the predicted class) lies above `lower` and not
/// above `upper`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Lower end of the bin.
    pub lower: f64,
    /// Upper end of the bin.
    pub upper: f64,
    /// Images in the bin.
    pub count: u64,
    /// Their mean confidence; None where there are none.
    pub confidence: Option<f64>,
    /// The share of them classified correctly; None where there are none.
    pub accuracy: Option<f64>,
}

/// An image that was classified wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// Index of the image.
    pub index: usize,
    /// Its class.
    pub label: usize,
    /// The class it was taken for.
    pub predicted: usize,
    /// Probability of the predicted class.
    pub probability: f32,
    /// Probability of the true class.
    pub p_true: f32,
}

/// Evaluates probabilities: `classes` numbers for each image, image after image, each image's
/// summing to 1. The prediction is the most probable class, the first of equals.
///
/// # Errors
/// [`Error::Invalid`] where there are no images, the lengths do not fit, a label has no
/// probability, or a probability is not a number from 0 to 1 (with a little room for rounding).
pub fn evaluate_probabilities(
    probabilities: &[f32],
    classes: usize,
    labels: &[u16],
) -> Result<Evaluation> {
    if classes == 0 || labels.is_empty() || probabilities.len() != classes * labels.len() {
        return Err(Error::Invalid(format!(
            "{} probabilities do not fit {} images of {classes} classes",
            probabilities.len(),
            labels.len()
        )));
    }
    let mut tally = Tally::new(classes);
    for (row, &label) in probabilities.chunks_exact(classes).zip(labels) {
        tally.add(row, usize::from(label))?;
    }
    Ok(tally.finish())
}

/// The sums that an evaluation is made of; images are added one by one.
pub(crate) struct Tally {
    count: usize,
    loss: f64,
    confidence: f64,
    confusion: Vec<Vec<u64>>,
    bins: [Bin; BINS],
    worst: Vec<Mistake>,
}

#[derive(Clone, Copy, Default)]
struct Bin {
    count: u64,
    correct: u64,
    confidence: f64,
}

impl Tally {
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            count: 0,
            loss: 0.0,
            confidence: 0.0,
            confusion: vec![vec![0; classes]; classes],
            bins: [Bin::default(); BINS],
            worst: vec![],
        }
    }

    pub(crate) fn add(&mut self, probabilities: &[f32], label: usize) -> Result<()> {
        let index = self.count;
        if let Some(wrong) = probabilities.iter().find(|p| !(-1e-6..=1.0 + 1e-4).contains(*p)) {
            return Err(Error::Invalid(format!(
                "the network gives image {index} a probability of {wrong}; probabilities are 0 to 1"
            )));
        }
        let Some(&p_true) = probabilities.get(label) else {
            return Err(Error::Invalid(format!(
                "image {index} has label {label} but there are {} classes",
                probabilities.len()
            )));
        };
        let predicted = most_probable(probabilities);
        let probability = probabilities[predicted];
        let correct = predicted == label;

        self.count += 1;
        self.loss -= f64::from(p_true.max(f32::MIN_POSITIVE)).ln();
        self.confidence += f64::from(probability);
        self.confusion[label][predicted] += 1;
        let bin = (f64::from(probability) * BINS as f64).ceil() as usize;
        let bin = &mut self.bins[bin.clamp(1, BINS) - 1];
        bin.count += 1;
        bin.correct += u64::from(correct);
        bin.confidence += f64::from(probability);
        if !correct {
            self.add_mistake(Mistake { index, label, predicted, probability, p_true });
        }
        Ok(())
    }

    /// Keeps the worst mistakes in order, the earlier first among equals.
    fn add_mistake(&mut self, mistake: Mistake) {
        let place = self.worst.partition_point(|other| other.p_true <= mistake.p_true);
        if place < WORST {
            self.worst.truncate(WORST - 1);
            self.worst.insert(place, mistake);
        }
    }

    /// The evaluation of the images added, at least one.
    pub(crate) fn finish(self) -> Evaluation {
        let total = self.count as f64;
        let correct: u64 = self.confusion.iter().enumerate().map(|(class, row)| row[class]).sum();
        let gap: f64 =
            self.bins.iter().map(|bin| (bin.correct as f64 - bin.confidence).abs()).sum();
        Evaluation {
            count: self.count,
            accuracy: correct as f64 / total,
            loss: self.loss / total,
            per_class: (0..self.confusion.len()).map(|c| class_score(&self.confusion, c)).collect(),
            confusion: self.confusion,
            mean_confidence: self.confidence / total,
            ece: gap / total,
            calibration: self.bins.iter().enumerate().map(|(i, bin)| bin.describe(i)).collect(),
            worst: self.worst,
        }
    }
}

impl Bin {
    fn describe(&self, index: usize) -> CalibrationBin {
        let share = |sum: f64| (self.count > 0).then(|| sum / self.count as f64);
        CalibrationBin {
            lower: index as f64 / BINS as f64,
            upper: (index + 1) as f64 / BINS as f64,
            count: self.count,
            confidence: share(self.confidence),
            accuracy: share(self.correct as f64),
        }
    }
}

fn class_score(confusion: &[Vec<u64>], class: usize) -> ClassScore {
    let hits = confusion[class][class];
    let support: u64 = confusion[class].iter().sum();
    let predicted: u64 = confusion.iter().map(|row| row[class]).sum();
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    ClassScore {
        class,
        support,
        precision: share(hits, predicted),
        recall: share(hits, support),
        f1: share(2 * hits, predicted + support),
    }
}

/// Index of the largest value, the first of equals; 0 where all are not a number.
pub(crate) fn most_probable(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    /// Five images, three classes; the figures below are worked out by hand.
    fn example() -> Evaluation {
        let probabilities = [
            [0.9, 0.1, 0.0],
            [0.2, 0.5, 0.3],
            [0.5, 0.5, 0.0], // a tie: the first
            [0.7, 0.2, 0.1],
            [0.0, 0.0, 1.0],
        ]
        .concat();
        evaluate_probabilities(&probabilities, 3, &[0, 1, 1, 2, 2]).unwrap()
    }

    #[test]
    fn the_figures_are_those_worked_out_by_hand() {
        let result = example();
        assert_eq!(result.count, 5);
        assert_eq!(result.accuracy, 0.6);
        let losses = [0.9f64, 0.5, 0.5, 0.1, 1.0].map(|p| -p.ln());
        assert!(close(result.loss, losses.iter().sum::<f64>() / 5.0));
        assert_eq!(result.confusion, [[1, 0, 0], [1, 1, 0], [1, 0, 1]]);
        assert!(close(result.mean_confidence, (0.9 + 0.5 + 0.5 + 0.7 + 1.0) / 5.0));
        // Bins: {0.5, 0.5}: half right; {0.7}: wrong; {0.9}: right; {1.0}: right.
        assert!(close(result.ece, (0.0 + 0.7 + 0.1 + 0.0) / 5.0));
        let zero = result.per_class[0];
        assert_eq!((zero.support, zero.recall, zero.f1), (1, Some(1.0), Some(0.5)));
        assert!(close(zero.precision.unwrap(), 1.0 / 3.0));
    }

    #[test]
    fn the_worst_mistakes_come_first() {
        let worst = example().worst;
        assert_eq!(worst.len(), 2);
        assert_eq!((worst[0].index, worst[0].label, worst[0].predicted), (3, 2, 0));
        assert_eq!((worst[0].probability, worst[0].p_true), (0.7, 0.1));
        assert_eq!(worst[1].index, 2);
    }

    #[test]
    fn a_class_that_never_occurs_has_no_recall_rather_than_a_wrong_one() {
        let result = evaluate_probabilities(&[1.0, 0.0, 0.0], 3, &[0]).unwrap();
        let last = result.per_class[2];
        assert_eq!((last.precision, last.recall, last.f1, last.support), (None, None, None, 0));
    }

    #[test]
    fn an_impossible_prediction_has_a_finite_loss() {
        let result = evaluate_probabilities(&[1.0, 0.0], 2, &[1]).unwrap();
        assert!((87.0..88.0).contains(&result.loss));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(evaluate_probabilities(&[], 2, &[]).is_err());
        assert!(evaluate_probabilities(&[1.0], 2, &[0]).is_err());
        assert!(evaluate_probabilities(&[1.0, 0.0], 2, &[2]).is_err());
        assert!(evaluate_probabilities(&[f32::NAN, 0.0], 2, &[0]).is_err());
    }

    proptest! {
        #[test]
        fn only_the_worst_mistakes_are_kept_in_order(
            p_true in prop::collection::vec(0.0f32..0.49, 1..300),
        ) {
            let probabilities: Vec<f32> = p_true.iter().flat_map(|&p| [p, 1.0 - p]).collect();
            let result = evaluate_probabilities(&probabilities, 2, &vec![0; p_true.len()]).unwrap();
            let mut expected = p_true.clone();
            expected.sort_by(f32::total_cmp);
            expected.truncate(WORST);
            let found: Vec<f32> = result.worst.iter().map(|mistake| mistake.p_true).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn bins_and_confusion_hold_every_image_once(
            rows in prop::collection::vec((prop::collection::vec(0.001f32..1.0, 4), 0u16..4), 1..100),
        ) {
            let labels: Vec<u16> = rows.iter().map(|row| row.1).collect();
            let probabilities: Vec<f32> = rows
                .iter()
                .flat_map(|(row, _)| row.iter().map(|value| value / row.iter().sum::<f32>()))
                .collect();
            let result = evaluate_probabilities(&probabilities, 4, &labels).unwrap();
            let in_bins: u64 = result.calibration.iter().map(|bin| bin.count).sum();
            prop_assert_eq!(in_bins as usize, rows.len());
            prop_assert_eq!(result.confusion.concat().iter().sum::<u64>() as usize, rows.len());
            prop_assert!((0.0..=1.0).contains(&result.ece));
        }
    }
}
