//! The derivative of a loss by the answer, in double precision.

use cutaway_data::sequences::Targets;

/// The derivative of sequence `i`'s own loss by the answer to it: cross-entropy of the softmax, or squared error. Zeros where an
/// answer is asked for at single steps, each of which has a loss of its own.
pub(super) fn by_answer(answer: &[f64], targets: &Targets, i: usize) -> Vec<f64> {
    match targets {
        Targets::Classes { labels, .. } => by_class(answer, labels[i]),
        Targets::Numbers(numbers) => vec![2.0 * (answer[0] - f64::from(numbers[i]))],
        Targets::Steps { .. } => vec![0.0; answer.len()],
    }
}

/// Of the cross-entropy: the softmax minus one at the right class.
pub(super) fn by_class(answer: &[f64], label: usize) -> Vec<f64> {
    let largest = answer.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = answer.iter().map(|y| (y - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    let one = |class: usize| f64::from(u8::from(class == label));
    powers.iter().enumerate().map(|(class, p)| p / sum - one(class)).collect()
}
