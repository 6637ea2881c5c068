//! The pen: from lines to an image as MNIST has them.

use super::SIDE;
use super::hand::{Line, Point};
use crate::centre::paste_centred;
use crate::random::Random;

/// The digit fits into a box of this size, MNIST's 20×20, in the middle of a frame that leaves
/// room for rounding.
const BOX: f32 = 20.0;
const MARGIN: usize = 2;
const FRAME: usize = BOX as usize + 2 * MARGIN;

/// The ink's radius is at most this share of a digit's shorter side, or `NARROWEST` pixels.
const LOOP_SHARE: f32 = 0.19;
const NARROWEST: f32 = 0.9;

/// How the pen draws.
struct Pen {
    /// Half of the line's width, in pixels.
    radius: f32,
    /// How much the pressure changes the width along the line, as a share of it.
    pressure: f32,
    /// A broad nib: the width depends on the direction. Its direction, and how much.
    nib: (f32, f32, f32),
    /// Width of the edge between ink and paper, in pixels.
    edge: f32,
    /// How rough the edge is, in pixels.
    roughness: f32,
    /// How white the ink gets: above 1 it saturates.
    gain: f32,
    /// Ink fainter than this does not show.
    floor: f32,
}

impl Pen {
    fn new(random: &mut Random) -> Self {
        let angle = Point { x: random.uniform(-1.0, 1.0), y: random.uniform(-1.0, 1.0) };
        let len = (angle.x * angle.x + angle.y * angle.y).sqrt().max(1e-3);
        let nib = if random.unit() < 0.3 { random.uniform(0.0, 0.45) } else { 0.0 };
        let heavy = random.unit() < 0.11;
        Self {
            radius: if heavy { random.uniform(1.5, 2.9) } else { random.uniform(0.55, 1.6) },
            pressure: random.uniform(0.0, 0.35),
            nib: (angle.x / len, angle.y / len, nib),
            edge: random.uniform(0.9, 1.4),
            roughness: if random.unit() < 0.5 { random.uniform(0.0, 0.25) } else { 0.0 },
            gain: random.uniform(1.0, 1.5),
            floor: random.uniform(0.0, 0.1),
        }
    }
}

/// A point of the line on the frame, in pixels, with the radius of the ink there.
#[derive(Clone, Copy)]
struct Blot {
    x: f32,
    y: f32,
    radius: f32,
}

/// Inks the lines into `image` (28×28).
pub(super) fn draw(lines: &[Line], random: &mut Random, image: &mut [u8]) {
    let mut pen = Pen::new(random);
    let blots = fit(lines, &mut pen, random);
    // How far each pixel lies inside the ink (positive) or outside.
    let mut depth = [-9.0_f32; FRAME * FRAME];
    for line in &blots {
        for pair in line.windows(2) {
            ink_segment(&mut depth, pair[0], pair[1]);
        }
    }
    let mut frame = [0.0; FRAME * FRAME];
    for (ink, &depth) in frame.iter_mut().zip(&depth) {
        if depth > -3.0 {
            let depth = depth + pen.roughness * random.normal();
            *ink = (0.5 + depth / pen.edge).clamp(0.0, 1.0);
        }
    }
    if random.unit() < 0.5 {
        blur(&mut frame, random.uniform(0.0, 0.10));
    }
    for ink in &mut frame {
        *ink = (pen.gain * (*ink - pen.floor)).clamp(0.0, 1.0);
    }
    paste_centred(&frame, FRAME, image, SIDE);
}

/// Scales the lines so that, with the ink's width, the longer side of the digit fills the box.
fn fit(lines: &[Line], pen: &mut Pen, random: &mut Random) -> Vec<Vec<Blot>> {
    let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
    for point in lines.iter().flatten() {
        low = [low[0].min(point.x), low[1].min(point.y)];
        high = [high[0].max(point.x), high[1].max(point.y)];
    }
    let (width, height) = (high[0] - low[0], high[1] - low[1]);
    let span = width.max(height).max(1e-3);
    // Nobody writes a narrow 8 with a pen that fills its loops; a bar cannot be filled.
    let is_bar = length(lines) < 1.3 * span;
    if !is_bar {
        let widest = NARROWEST.max(LOOP_SHARE * BOX * width.min(height) / span);
        pen.radius = pen.radius.min(widest);
    }
    let scale = (BOX - 2.0 * pen.radius) / span;
    let middle = FRAME as f32 / 2.0;
    let place = |p: &Point| {
        let x = (p.x - (low[0] + high[0]) / 2.0) * scale + middle;
        let y = (p.y - (low[1] + high[1]) / 2.0) * scale + middle;
        Point { x, y }
    };
    let mut blots = Vec::with_capacity(lines.len());
    for line in lines {
        let points: Vec<Point> = line.iter().map(place).collect();
        blots.push(press(&points, pen, random));
    }
    blots
}

fn length(lines: &[Line]) -> f32 {
    let step = |pair: &[Point]| {
        let (dx, dy) = (pair[1].x - pair[0].x, pair[1].y - pair[0].y);
        (dx * dx + dy * dy).sqrt()
    };
    lines.iter().flat_map(|line| line.windows(2)).map(step).sum()
}

/// Gives each point the ink's radius there: pressure that wanders along the line, and the nib.
fn press(points: &[Point], pen: &Pen, random: &mut Random) -> Vec<Blot> {
    /// Points from one random pressure to the next.
    const STRIDE: usize = 10;
    let count = points.len() / STRIDE + 2;
    let pressures: Vec<f32> = (0..count).map(|_| 1.0 + pen.pressure * random.normal()).collect();
    let (nib_x, nib_y, nib) = pen.nib;
    let mut blots = Vec::with_capacity(points.len());
    for (i, point) in points.iter().enumerate() {
        let share = (i % STRIDE) as f32 / STRIDE as f32;
        let pressure = pressures[i / STRIDE] * (1.0 - share) + pressures[i / STRIDE + 1] * share;
        let (before, after) = (points[i.saturating_sub(1)], points[(i + 1).min(points.len() - 1)]);
        let (dx, dy) = (after.x - before.x, after.y - before.y);
        let len = (dx * dx + dy * dy).sqrt().max(1e-3);
        // 1 across the nib, -1 along it.
        let along = (dx * nib_x + dy * nib_y) / len;
        let nib = 1.0 + nib * (1.0 - 2.0 * along * along);
        let radius = (pen.radius * pressure * nib).clamp(0.35, 3.0);
        blots.push(Blot { x: point.x, y: point.y, radius });
    }
    blots
}

/// Deepens the ink around a straight piece whose width changes evenly.
fn ink_segment(depth: &mut [f32; FRAME * FRAME], a: Blot, b: Blot) {
    let reach = a.radius.max(b.radius) + 2.0;
    let (rows, columns) = (pixels(a.y, b.y, reach), pixels(a.x, b.x, reach));
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let squared = (dx * dx + dy * dy).max(1e-6);
    for row in rows {
        for column in columns.clone() {
            let (px, py) = (column as f32 + 0.5 - a.x, row as f32 + 0.5 - a.y);
            let share = ((px * dx + py * dy) / squared).clamp(0.0, 1.0);
            let (qx, qy) = (px - share * dx, py - share * dy);
            let radius = a.radius + share * (b.radius - a.radius);
            let inside = radius - (qx * qx + qy * qy).sqrt();
            let pixel = &mut depth[row * FRAME + column];
            *pixel = pixel.max(inside);
        }
    }
}

/// The pixels within `reach` of the span from `a` to `b`.
fn pixels(a: f32, b: f32, reach: f32) -> std::ops::Range<usize> {
    let start = (a.min(b) - reach).max(0.0) as usize;
    let end = (a.max(b) + reach + 1.0).clamp(0.0, FRAME as f32) as usize;
    start.min(end)..end
}

/// Mixes each pixel with its four neighbours, each with weight `share`.
fn blur(frame: &mut [f32; FRAME * FRAME], share: f32) {
    let source = *frame;
    for row in 1..FRAME - 1 {
        for column in 1..FRAME - 1 {
            let at = row * FRAME + column;
            let around = source[at - 1] + source[at + 1] + source[at - FRAME] + source[at + FRAME];
            frame[at] = (1.0 - 4.0 * share) * source[at] + share * around;
        }
    }
}
