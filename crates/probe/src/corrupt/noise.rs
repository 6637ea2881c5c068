//! Noise and light: shot noise, impulse noise, brightness, stripe, fog.

use super::canvas::Canvas;
use super::random::Random;

/// Photons counted: Poisson with three photons for white.
pub(crate) fn shot(canvas: &mut Canvas, random: &mut Random) {
    const PHOTONS: f64 = 3.0;
    canvas.map(|v| (f64::from(random.poisson(v * PHOTONS)) / PHOTONS).min(1.0));
}

/// Salt and pepper: 17 % of the values, half of them 1, half 0.
pub(crate) fn impulse(canvas: &mut Canvas, random: &mut Random) {
    const SHARE: f64 = 0.17;
    canvas.map(|v| match random.unit() < SHARE {
        true => f64::from(u8::from(random.coin())),
        false => v,
    });
}

/// Adds 0.5 to the value of hue, saturation and value: to every pixel of a grey image.
pub(crate) fn brightness(canvas: &mut Canvas) {
    const MORE: f32 = 0.5;
    let area = canvas.area();
    for pixel in 0..area {
        let values = canvas.values.iter().skip(pixel).step_by(area);
        let old = values.copied().fold(0.0, f32::max);
        let new = (old + MORE).min(1.0);
        // Hue and saturation are the ratios; black has neither and becomes grey.
        let of = |v: f32| if old > 0.0 { v * (new / old) } else { new };
        canvas.values.iter_mut().skip(pixel).step_by(area).for_each(|v| *v = of(*v));
    }
}

/// Inverts the left and the right quarter.
pub(crate) fn stripe(canvas: &mut Canvas) {
    let quarter = canvas.width / 4;
    let middle = quarter..canvas.width - quarter;
    canvas.map_places(|_, column, v| if middle.contains(&column) { v } else { 1.0 - v });
}

/// Adds three times a plasma fractal and scales back to the brightest value there was.
pub(crate) fn fog(canvas: &mut Canvas, random: &mut Random) {
    const STRENGTH: f64 = 3.0;
    let side = canvas.height.max(canvas.width).max(256).next_power_of_two();
    let plasma = plasma(side, 1.4, random);
    let brightest = f64::from(canvas.values.iter().copied().fold(0.0, f32::max));
    let scale = brightest / (brightest + STRENGTH);
    canvas.map_places(|row, column, v| {
        let fog = f64::from(plasma[row * side + column]);
        ((v + STRENGTH * fog) * scale).min(1.0)
    });
}

/// The diamond-square algorithm on a torus: `side` × `side` heights from 0 to 1. `decay` is what
/// the roughness is divided by when the distance is halved.
fn plasma(side: usize, decay: f32, random: &mut Random) -> Vec<f32> {
    let mut map = vec![0.0f32; side * side];
    let mut step = side;
    let mut rough = 100.0f32;
    while step >= 2 {
        let half = step / 2;
        let mut wobble = || rough * random.uniform(-1.0, 1.0) as f32 * rough;
        // The middle of each square, from its corners.
        for (row, column) in lattice(side, step, half, half) {
            map[row * side + column] = mean(&map, side, row, column, half, true) + wobble();
        }
        // The middle of each edge, from the ends of the edge and the two squares beside it.
        for (first_row, first_column) in [(0, half), (half, 0)] {
            for (row, column) in lattice(side, step, first_row, first_column) {
                map[row * side + column] = mean(&map, side, row, column, half, false) + wobble();
            }
        }
        step = half;
        rough /= decay;
    }
    let low = map.iter().copied().fold(f32::INFINITY, f32::min);
    let high = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    map.iter_mut().for_each(|v| *v = (*v - low) / (high - low));
    map
}

/// Places every `step` pixels from the first.
fn lattice(
    side: usize,
    step: usize,
    first_row: usize,
    first_column: usize,
) -> impl Iterator<Item = (usize, usize)> {
    let columns = move || (first_column..side).step_by(step);
    (first_row..side).step_by(step).flat_map(move |row| columns().map(move |column| (row, column)))
}

/// Mean of the four places at a distance, diagonally or straight; the map goes round. `side` is a
/// power of two.
fn mean(map: &[f32], side: usize, row: usize, column: usize, by: usize, diagonal: bool) -> f32 {
    let (back, on) = (side - by, by);
    let around = match diagonal {
        true => [(back, back), (back, on), (on, back), (on, on)],
        false => [(back, 0), (on, 0), (0, back), (0, on)],
    };
    let at =
        |(r, c): (usize, usize)| map[((row + r) & (side - 1)) * side + ((column + c) & (side - 1))];
    around.into_iter().map(at).sum::<f32>() / 4.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(value: u8) -> Canvas {
        Canvas::new(40, 40, 1, &[value; 1600])
    }

    #[test]
    fn shot_noise_counts_thirds_with_the_right_mean() {
        let mut canvas = grey(102);
        shot(&mut canvas, &mut Random::new(1, 0, 0));
        // P(count ≥ 3) is clipped to 1: the mean of min(Poisson(1.2), 3) / 3 is 0.38785.
        let mean = canvas.values.iter().sum::<f32>() / 1600.0;
        assert!((mean - 0.38785).abs() < 0.03, "{mean}");
        let thirds = canvas.values.iter().map(|v| v * 3.0);
        assert!(thirds.clone().all(|t| (t - t.round()).abs() < 1e-6));
        let mut black = grey(0);
        shot(&mut black, &mut Random::new(1, 0, 0));
        assert_eq!(black, grey(0));
    }

    #[test]
    fn impulse_noise_changes_its_share_half_to_white() {
        let mut canvas = grey(102);
        impulse(&mut canvas, &mut Random::new(1, 0, 0));
        let count = |x: f32| canvas.values.iter().filter(|&&v| v == x).count() as f64 / 1600.0;
        assert!((count(1.0) - 0.085).abs() < 0.03 && (count(0.0) - 0.085).abs() < 0.03);
        assert_eq!(count(1.0) + count(0.0) + count(0.4), 1.0);
    }

    #[test]
    fn brightness_adds_to_grey_and_keeps_hue_and_saturation() {
        let mut canvas = grey(51);
        brightness(&mut canvas);
        assert!(canvas.values.iter().all(|v| (v - 0.7).abs() < 1e-6));
        let mut red = Canvas::new(1, 2, 3, &[102, 51, 0, 0, 0, 0]);
        brightness(&mut red);
        let expected = [0.9, 0.5, 0.45, 0.5, 0.0, 0.5];
        red.values.iter().zip(expected).for_each(|(v, e)| assert!((v - e).abs() < 1e-6, "{v} {e}"));
    }

    #[test]
    fn stripe_is_its_own_inverse_and_leaves_the_middle() {
        let bytes: Vec<u8> = (0..4 * 28).map(|i| i as u8).collect();
        let mut canvas = Canvas::new(4, 28, 1, &bytes);
        stripe(&mut canvas);
        assert_eq!(canvas.to_bytes()[7..21], bytes[7..21]);
        assert_eq!(canvas.to_bytes()[6], 255 - 6);
        assert_eq!(canvas.to_bytes()[21], 255 - 21);
        stripe(&mut canvas);
        assert_eq!(canvas.to_bytes(), bytes);
    }

    #[test]
    fn plasma_spans_0_to_1_and_is_smooth_where_roughness_dies_quickly() {
        let roughness = |decay: f32| {
            let map = plasma(64, decay, &mut Random::new(3, 0, 0));
            assert!(map.contains(&0.0) && map.contains(&1.0));
            let pairs = map.windows(2).map(|w| (w[0] - w[1]).abs());
            pairs.sum::<f32>() / 4095.0
        };
        assert!(roughness(3.0) < 0.3 * roughness(1.2));
    }

    #[test]
    fn fog_keeps_the_brightest_value_as_the_limit() {
        let mut canvas = Canvas::new(28, 28, 1, &[0; 784]);
        canvas.values[300] = 0.8;
        fog(&mut canvas, &mut Random::new(1, 0, 0));
        assert!(canvas.values.iter().all(|&v| (0.0..=0.8).contains(&v)));
        assert!(canvas.values.iter().any(|&v| v > 0.1), "there is fog");
    }
}
