//! The exponential moving average of the weights.

/// Moves `average` towards `parameters`: `average <- decay * average + (1 - decay) * parameters`
/// (Polyak and Juditsky 1992; the exponential form as in Szegedy et al. 2016).
///
/// `step` counts from 1. Early on the average would remember the random start, so the decay is at
/// most `(1 + step) / (10 + step)`, the usual ramp.
///
/// # Panics
/// Where the lengths differ.
pub fn update_average(decay: f32, step: u64, average: &mut [f32], parameters: &[f32]) {
    assert_eq!(average.len(), parameters.len(), "one average for each parameter");
    let ramp = (1.0 + step as f64) / (10.0 + step as f64);
    let rest = 1.0 - decay.min(ramp as f32);
    for (average, &parameter) in average.iter_mut().zip(parameters) {
        *average += rest * (parameter - *average);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_follows_quickly_at_first_and_slowly_later() {
        let mut average = [0.0];
        update_average(0.99, 1, &mut average, &[1.0]);
        assert!((average[0] - (1.0 - 2.0 / 11.0)).abs() < 1e-6);
        let mut average = [0.0];
        update_average(0.99, 1_000_000, &mut average, &[1.0]);
        assert!((average[0] - 0.01).abs() < 1e-6);
    }

    #[test]
    fn the_average_of_a_constant_is_the_constant() {
        let mut average = [0.25, -3.0];
        for step in 1..100 {
            update_average(0.9, step, &mut average, &[0.25, -3.0]);
        }
        assert_eq!(average, [0.25, -3.0]);
    }
}
