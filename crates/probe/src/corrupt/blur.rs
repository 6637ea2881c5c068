//! Blurs and stains: glass blur, motion blur, spatter.

use super::canvas::Canvas;
use super::random::Random;

/// Blurs a little, swaps pixels with near ones, and blurs again.
pub(crate) fn glass(canvas: &mut Canvas, random: &mut Random) {
    const ROUNDS: usize = 2;
    let sigma = 0.7 * canvas.unit();
    let reach = canvas.unit().round().max(1.0) as usize;
    let (height, width, area) = (canvas.height, canvas.width, canvas.area());
    canvas.blur(sigma);
    // To bytes and back, cut off: what the published images went through here.
    canvas.map(|v| (v * 255.0).floor() / 255.0);
    let far = reach as i64;
    let inner = |size: usize| (reach + 1..(size + 1).saturating_sub(reach)).rev();
    for _ in 0..ROUNDS {
        for row in inner(height) {
            for column in inner(width) {
                if random.coin() {
                    let by =
                        |r: &mut Random, at: usize| (at as i64 + r.integer(-far, far)) as usize;
                    let (other_row, other_column) = (by(random, row), by(random, column));
                    for plane in (0..canvas.values.len()).step_by(area) {
                        let place = |r: usize, c: usize| plane + r * width + c;
                        canvas.values.swap(place(row, column), place(other_row, other_column));
                    }
                }
            }
        }
    }
    canvas.blur(sigma);
}

/// Half a Gaussian of standard deviation 3, ten pixels to one side, along a line at up to 45° from
/// the horizontal.
pub(crate) fn motion(canvas: &mut Canvas, random: &mut Random) {
    let angle = random.uniform(-45.0, 45.0).to_radians();
    let (radius, sigma) = ((10.0 * canvas.unit()).ceil() as usize, 3.0 * canvas.unit());
    let weight = |i: usize| (-0.5 * (i as f64 / sigma).powi(2)).exp();
    let count = 2 * radius + 1;
    let total: f64 = (0..count).map(weight).sum();
    let (height, width) = (canvas.height as i64, canvas.width as i64);
    for plane in canvas.planes() {
        let old = plane.to_vec();
        for (i, value) in plane.iter_mut().enumerate() {
            let (row, column) = (i as i64 / width, i as i64 % width);
            let sum = (0..count).map(|k| {
                let along = |part: f64| (k as f64 * part - 0.5).ceil() as i64;
                let r = (row + along(angle.sin())).clamp(0, height - 1);
                let c = (column + along(angle.cos())).clamp(0, width - 1);
                weight(k) / total * f64::from(old[(r * width + c) as usize])
            });
            *value = sum.sum::<f64>() as f32;
        }
    }
}

/// Mud: where blurred noise exceeds a level there is a stain of grey 63/255.
pub(crate) fn spatter(canvas: &mut Canvas, random: &mut Random) {
    const LEVEL: f32 = 0.65;
    const MUD: f64 = 63.0 / 255.0;
    let (height, width) = (canvas.height, canvas.width);
    let noise = (0..canvas.area()).map(|_| (0.65 + 0.3 * random.normal()) as f32).collect();
    let mut liquid = Canvas { height, width, values: noise };
    liquid.blur(canvas.unit());
    liquid.values.iter_mut().for_each(|v| *v = f32::from(u8::from(*v > LEVEL)));
    liquid.blur(1.5 * canvas.unit());
    let mud = |row: usize, column: usize| f64::from(liquid.values[row * width + column]);
    canvas.map_places(|row, column, v| match mud(row, column) {
        m if m < 0.8 => v,
        m => v * (1.0 - m) + MUD * m,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot() -> Canvas {
        let mut canvas = Canvas::new(28, 28, 1, &[0; 784]);
        canvas.values[14 * 28 + 14] = 1.0;
        canvas
    }

    #[test]
    fn glass_moves_light_but_keeps_nearly_all_of_it() {
        let mut canvas = spot();
        for (i, v) in canvas.values.iter_mut().enumerate() {
            *v = if (8..20).contains(&(i / 28)) && (8..20).contains(&(i % 28)) { 1.0 } else { 0.0 };
        }
        let before = canvas.clone();
        glass(&mut canvas, &mut Random::new(1, 0, 0));
        let sum: f32 = canvas.values.iter().sum();
        assert!((sum - 144.0).abs() < 1.0, "{sum}");
        assert_ne!(canvas, before);
    }

    #[test]
    fn motion_spreads_a_spot_to_one_side_along_its_line() {
        let mut canvas = spot();
        motion(&mut canvas, &mut Random::new(5, 0, 0));
        assert!((canvas.values.iter().sum::<f32>() - 1.0).abs() < 1e-4, "away from the border");
        let lit: Vec<usize> = (0..784).filter(|&i| canvas.values[i] > 0.01).collect();
        assert!(lit.len() > 5 && lit.iter().all(|i| i % 28 <= 14), "{lit:?}");
        // The largest weight is where the spot was: 1 / Σ exp(−i²/18).
        let expected = 1.0 / (0..21).map(|i| (-f64::from(i * i) / 18.0).exp()).sum::<f64>();
        assert!((f64::from(canvas.values[14 * 28 + 14]) - expected).abs() < 1e-6);
    }

    #[test]
    fn spatter_leaves_mud_and_untouched_pixels_and_nothing_between() {
        let mut canvas = Canvas::new(28, 28, 1, &[255; 784]);
        spatter(&mut canvas, &mut Random::new(1, 0, 0));
        let clean = canvas.values.iter().filter(|&&v| v == 1.0).count();
        assert!((200..760).contains(&clean), "{clean}");
        // A stain covers at least four fifths of what is under it.
        assert!(canvas.values.iter().all(|&v| v == 1.0 || v < 0.4));
    }
}
