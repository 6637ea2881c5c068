//! The shortest way from an image to a hyperplane that stays within the range of pixels.

use super::norm::Norm;

/// Steps of Newton's method at most; a handful is usual, and one that is cut off stops short of the
/// hyperplane.
const MOST: usize = 100;

/// The smallest step in a norm, from `point` with values from 0 to 1 to another such point, that
/// makes `excess + normal · step` 0; as near 0 as the range allows where it cannot be had. Croce and
/// Hein 2020, "Minimally distorted adversarial examples with a fast adaptive boundary attack", section 2.2.
///
/// Every value moves against the excess: at a speed of 1 (L∞) or `|normal|` (L2), for a time λ, or
/// until it reaches 0 or 1. What that gains is a concave, rising function of λ made of straight lines, so
/// that Newton's method from 0 climbs to the root without ever passing it: nothing is sorted.
pub(crate) fn step_to(norm: Norm, point: &[f32], normal: &[f32], excess: f64) -> Vec<f32> {
    let wanted = excess.abs();
    let speed = |w: f64| match norm {
        Norm::Linf => 1.0,
        Norm::L2 => w,
    };
    let up = |w: f32| (w < 0.0) == (excess > 0.0);
    let room = |p: f32, w: f32| f64::from(if up(w) { 1.0 - p } else { p }).max(0.0);
    let mut time = 0.0_f64;
    for _ in 0..MOST {
        let (mut gained, mut slope) = (0.0, 0.0);
        for (&p, &w) in point.iter().zip(normal) {
            let (w, room) = (f64::from(w.abs()), room(p, w));
            let way = time * speed(w);
            gained += w * way.min(room);
            slope += if way < room { w * speed(w) } else { 0.0 };
        }
        if slope <= 0.0 || gained >= wanted * (1.0 - 1e-12) {
            break;
        }
        time += (wanted - gained) / slope;
    }
    let step = |(&p, &w): (&f32, &f32)| {
        if w == 0.0 {
            return 0.0;
        }
        let way = (time * speed(f64::from(w.abs()))).min(room(p, w)) as f32;
        if up(w) { way } else { -way }
    };
    point.iter().zip(normal).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    fn length(norm: Norm, step: &[f32]) -> f64 {
        norm.distance(step, &vec![0.0; step.len()])
    }

    const NORMAL: [f32; 6] = [0.9, -0.4, 0.05, 1.3, 0.0, -2.0];

    #[test]
    fn far_from_the_ends_of_the_range_it_is_the_distance_of_algebra() {
        let point = [0.5_f32; 6];
        for (norm, dual) in [(Norm::Linf, 4.65), (Norm::L2, length(Norm::L2, &NORMAL))] {
            for excess in [0.3, -0.3] {
                let step = step_to(norm, &point, &NORMAL, excess);
                assert!((dot(&step, &NORMAL) + excess).abs() < 1e-6, "{norm} {excess}");
                assert!((length(norm, &step) - 0.3 / dual).abs() < 1e-6, "{norm} {excess}");
                assert_eq!(step[4], 0.0);
            }
        }
    }

    /// The dual problem, which bounds every step from below: for any multiplier m ≥ 0,
    /// min over steps in the box of ‖step‖ − m (gain − wanted), here by a fine grid of λ.
    #[test]
    fn at_the_ends_of_the_range_no_shorter_step_reaches_the_hyperplane() {
        let point = [0.02_f32, 0.9, 0.5, 0.3, 1.0, 0.97];
        for norm in [Norm::Linf, Norm::L2] {
            // 0.533 is the most that this point's room allows.
            let step = step_to(norm, &point, &NORMAL, 0.4);
            assert!((dot(&step, &NORMAL) + 0.4).abs() < 1e-5, "{norm}: {step:?}");
            let inside =
                point.iter().zip(&step).all(|(p, s)| (-1e-6..=1.0 + 1e-6).contains(&(p + s)));
            assert!(inside, "{step:?}");
            // Random changes that keep to the hyperplane and to the range are never shorter.
            let mut random = crate::corrupt::random::Random::new(1, 2, 3);
            for _ in 0..2000 {
                let mut other = step.clone();
                let (i, j) = (random.integer(0, 6) as usize, random.integer(0, 6) as usize);
                if i == j || NORMAL[i] == 0.0 || NORMAL[j] == 0.0 {
                    continue;
                }
                let by = random.uniform(-0.2, 0.2) as f32;
                other[i] += by / NORMAL[i];
                other[j] -= by / NORMAL[j];
                let allowed = [i, j].iter().all(|&k| (0.0..=1.0).contains(&(point[k] + other[k])));
                if allowed {
                    assert!(length(norm, &other) >= length(norm, &step) - 1e-6, "{norm} {other:?}");
                }
            }
        }
    }

    #[test]
    fn a_hyperplane_out_of_reach_is_approached_as_far_as_the_range_goes() {
        let point = [0.25_f32, 0.5];
        for norm in [Norm::Linf, Norm::L2] {
            assert_eq!(step_to(norm, &point, &[1.0, -1.0], 9.0), [-0.25, 0.5]);
            assert_eq!(step_to(norm, &point, &[0.0, 0.0], 9.0), [0.0, 0.0]);
            assert_eq!(step_to(norm, &point, &[1.0, -1.0], 0.0), [0.0, 0.0]);
        }
    }
}
