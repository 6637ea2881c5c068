//! How well classes were told.

/// The mean over the classes that occur of the share that was told right: a majority cannot be bought.
/// NaN for no sample.
///
/// # Panics
/// Where there are not as many predictions as labels.
#[must_use]
pub fn balanced_accuracy(labels: &[usize], predicted: &[usize]) -> f64 {
    assert_eq!(labels.len(), predicted.len(), "one prediction a label");
    let classes = labels.iter().max().map_or(0, |most| most + 1);
    let (mut all, mut right) = (vec![0.0; classes], vec![0.0; classes]);
    for (&label, predicted) in labels.iter().zip(predicted) {
        all[label] += 1.0;
        right[label] += f64::from(u8::from(label == *predicted));
    }
    let recalls = (0..classes).filter(|&c| all[c] > 0.0).map(|c| right[c] / all[c]);
    let occurring = all.iter().filter(|&&count| count > 0.0).count();
    recalls.sum::<f64>() / occurring as f64
}
