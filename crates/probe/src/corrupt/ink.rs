//! Strokes and edges: dotted line, zigzag, Canny edges.

use super::canvas::{Canvas, gaussian};
use super::random::Random;

/// Draws a stroke from left to right, from (column, row) to (column, row). Its brightness falls
/// with the vertical distance `d` from the line as `1 + ln(1 − d / 2.3)`; `shows` leaves columns
/// out.
fn stroke(canvas: &mut Canvas, from: [f64; 2], to: [f64; 2], shows: impl Fn(usize) -> bool) {
    let half = 2.3 * canvas.unit();
    let slope = (to[1] - from[1]) / (to[0] - from[0]);
    let (first, last) = (from[0].floor(), to[0].ceil());
    canvas.map_places(|row, column, v| {
        let (x, y) = (column as f64, row as f64);
        if !(first..last).contains(&x) || !shows(column) {
            return v;
        }
        let distance = (y - from[1] - slope * (x - from[0])).abs();
        let ink = if distance < half { 1.0 + (1.0 - distance / half).ln() } else { 0.0 };
        (v + ink.clamp(0.0, 1.0)).min(1.0)
    });
}

/// A line from the left border to the right at random heights, two pixels off, two on.
pub(crate) fn dotted_line(canvas: &mut Canvas, random: &mut Random) {
    let dash = (2.0 * canvas.unit()).round().max(1.0) as usize;
    let last_row = canvas.height as i64 - 1;
    let mut row = || random.integer(0, last_row.max(1)) as f64;
    let (from, to) = ([0.0, row()], [canvas.width as f64 - 1.0, row()]);
    if to[0] > from[0] {
        stroke(canvas, from, to, |column| column / dash % 2 == 1);
    }
}

/// A zigzag of teeth two pixels high, a tooth every four, along a line that rises or falls by up to
/// five pixels.
pub(crate) fn zigzag(canvas: &mut Canvas, random: &mut Random) {
    let unit = canvas.unit();
    let (quarter, height) = (2.0 * unit, 2.0 * unit);
    let start = [2.0 * unit, random.integer(0, (canvas.height as i64 - 1).max(1)) as f64];
    let rise = random.integer(-5, 5) as f64 * unit;
    let run = (canvas.width as f64 - 1.0 - 2.0 * start[0]).max(unit);
    let length = run.hypot(rise);
    let (sin, cos) = (rise / length, run / length);
    let turned = |[along, across]: [f64; 2]| {
        [start[0] + along * cos - across * sin, start[1] + along * sin + across * cos]
    };
    let mut previous = [0.0, 0.0];
    let peaks =
        (0..).map(|i| [quarter * f64::from(2 * i + 1), if i % 2 == 0 { height } else { -height }]);
    for peak in peaks {
        let next = if peak[0] < length { peak } else { cut(previous, peak, length) };
        let (from, to) = (turned(previous), turned(next));
        if to[0] > from[0] {
            stroke(canvas, from, to, |_| true);
        }
        if peak[0] >= length {
            return;
        }
        previous = next;
    }
}

/// The place of a line from `a` to `b` that lies `at` along.
fn cut(a: [f64; 2], b: [f64; 2], at: f64) -> [f64; 2] {
    [at, a[1] + (b[1] - a[1]) * (at - a[0]) / (b[0] - a[0])]
}

/// White where Canny (1986) finds an edge, else black: Gaussian with standard deviation 1, Sobel,
/// thinning across the gradient, and edges above 0.1 that hang together with one above 0.2, as
/// `skimage.feature.canny` does. Colours by their mean.
pub(crate) fn canny(canvas: &mut Canvas) {
    let (height, width, area) = (canvas.height, canvas.width, canvas.area());
    let channels = canvas.values.len() / area;
    let mean = |i: usize| canvas.values.iter().skip(i).step_by(area).sum::<f32>() / channels as f32;
    let grey: Vec<f32> = (0..area).map(mean).collect();
    let smooth = smoothed(grey, height, width, canvas.unit());
    let thin = thinned(&smooth, height, width);
    let edges = hysteresis(&thin, height, width);
    for plane in canvas.planes() {
        plane.iter_mut().zip(&edges).for_each(|(v, &edge)| *v = f32::from(u8::from(edge)));
    }
}

/// A Gaussian whose weights inside the image are scaled to sum to 1.
fn smoothed(mut plane: Vec<f32>, height: usize, width: usize, sigma: f64) -> Vec<f32> {
    let mut inside = vec![1.0; plane.len()];
    gaussian(&mut plane, height, width, sigma, false);
    gaussian(&mut inside, height, width, sigma, false);
    plane.iter().zip(&inside).map(|(v, share)| v / share).collect()
}

/// Magnitude of the Sobel gradient where it is largest along the gradient and at least 0.1, else 0;
/// never at the border.
fn thinned(smooth: &[f32], height: usize, width: usize) -> Vec<f64> {
    const LOW: f64 = 0.1;
    let gradients = sobel(smooth, height, width);
    let magnitudes: Vec<f64> = gradients.iter().map(|[r, c]| r.hypot(*c)).collect();
    let mut thin = vec![0.0; smooth.len()];
    for row in 1..height.saturating_sub(1) {
        for column in 1..width.saturating_sub(1) {
            let i = row * width + column;
            if magnitudes[i] >= LOW && is_ridge(&magnitudes, i, gradients[i], width) {
                thin[i] = magnitudes[i];
            }
        }
    }
    thin
}

/// The gradient (down, right) by Sobel, the image mirrored at its border.
fn sobel(smooth: &[f32], height: usize, width: usize) -> Vec<[f64; 2]> {
    let at = |row: isize, column: isize| {
        let row = row.clamp(0, height as isize - 1) as usize;
        let column = column.clamp(0, width as isize - 1) as usize;
        f64::from(smooth[row * width + column])
    };
    let gradient = |i: usize| {
        let (r, c) = ((i / width) as isize, (i % width) as isize);
        let across = |r: isize| at(r, c - 1) + 2.0 * at(r, c) + at(r, c + 1);
        let along = |c: isize| at(r - 1, c) + 2.0 * at(r, c) + at(r + 1, c);
        [across(r + 1) - across(r - 1), along(c + 1) - along(c - 1)]
    };
    (0..smooth.len()).map(gradient).collect()
}

/// Whether no magnitude one step up or down the gradient, interpolated between two neighbours, is
/// larger.
fn is_ridge(magnitudes: &[f64], i: usize, [down, right]: [f64; 2], width: usize) -> bool {
    let (steep, share) = match down.abs() >= right.abs() {
        true => (width as isize, right.abs() / down.abs()),
        false => (1, down.abs() / right.abs()),
    };
    let diagonal = match (down >= 0.0) == (right >= 0.0) {
        true => width as isize + 1,
        false if steep == 1 => 1 - width as isize,
        false => width as isize - 1,
    };
    let at = |offset: isize| magnitudes[(i as isize + offset) as usize];
    [1, -1]
        .into_iter()
        .all(|way| at(way * steep) * (1.0 - share) + at(way * diagonal) * share <= magnitudes[i])
}

/// The places above 0, of those that hang together (diagonals count) where one is at least 0.2.
fn hysteresis(thin: &[f64], height: usize, width: usize) -> Vec<bool> {
    const HIGH: f64 = 0.2;
    let mut edges: Vec<bool> = thin.iter().map(|&m| m >= HIGH).collect();
    let mut open: Vec<usize> = (0..thin.len()).filter(|&i| edges[i]).collect();
    while let Some(i) = open.pop() {
        let (row, column) = (i / width, i % width);
        for r in row.saturating_sub(1)..(row + 2).min(height) {
            for c in column.saturating_sub(1)..(column + 2).min(width) {
                let next = r * width + c;
                if thin[next] > 0.0 && !edges[next] {
                    edges[next] = true;
                    open.push(next);
                }
            }
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn black() -> Canvas {
        Canvas::new(28, 28, 1, &[0; 784])
    }

    #[test]
    fn a_stroke_is_white_on_its_line_and_fades_in_two_pixels() {
        let mut canvas = black();
        stroke(&mut canvas, [0.0, 10.0], [27.0, 10.0], |_| true);
        let column: Vec<f32> = (8..=13).map(|row| canvas.values[row * 28 + 5]).collect();
        let at = |d: f64| (1.0 + (1.0 - d / 2.3).ln()).max(0.0) as f32;
        let expected = [at(2.0), at(1.0), 1.0, at(1.0), at(2.0), 0.0];
        column.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{column:?}"));
        assert_eq!(canvas.values[10 * 28 + 27], 0.0, "the end is left out");
    }

    #[test]
    fn the_dotted_line_is_two_pixels_off_and_two_on() {
        let mut canvas = black();
        dotted_line(&mut canvas, &mut Random::new(1, 0, 0));
        for column in 0..27 {
            let lit = (0..28).any(|row| canvas.values[row * 28 + column] > 0.5);
            assert_eq!(lit, column / 2 % 2 == 1, "column {column}");
        }
    }

    #[test]
    fn the_zigzag_turns_every_four_pixels_and_stays_between_its_ends() {
        // A seed whose zigzag lies well inside the image and level.
        let level = (0..1000).find(|&seed| {
            let mut random = Random::new(seed, 0, 0);
            let start = random.integer(0, 27);
            (10..16).contains(&start) && random.integer(-5, 5) == 0
        });
        let mut canvas = black();
        zigzag(&mut canvas, &mut Random::new(level.unwrap(), 0, 0));
        let centre = |column: usize| {
            let ink = |row: usize| f64::from(canvas.values[row * 28 + column]);
            let sum: f64 = (0..28).map(ink).sum();
            (sum > 0.0).then(|| (0..28).map(|row| row as f64 * ink(row)).sum::<f64>() / sum)
        };
        assert!(centre(1).is_none() && centre(26).is_none());
        let middle = centre(2).unwrap();
        for (column, above) in [(4, 2.0), (8, -2.0), (12, 2.0), (16, -2.0), (20, 2.0)] {
            let off = centre(column).unwrap() - middle;
            assert!((off - above).abs() < 0.7 && off.signum() == above.signum(), "{column}: {off}");
        }
    }

    #[test]
    fn canny_outlines_a_square_thinly_and_sees_nothing_on_an_even_surface() {
        let mut canvas = black();
        for row in 9..19 {
            canvas.values[row * 28 + 9..row * 28 + 19].fill(1.0);
        }
        canny(&mut canvas);
        let edges = canvas.values.iter().filter(|&&v| v == 1.0).count();
        assert!((28..=48).contains(&edges), "about the square's outline: {edges}");
        assert_eq!(canvas.values[14 * 28 + 14], 0.0);
        let mut even = Canvas::new(28, 28, 1, &[180; 784]);
        canny(&mut even);
        assert!(even.values.iter().all(|&v| v == 0.0));
    }
}
