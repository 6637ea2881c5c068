//! The hand: from a digit to the lines that the pen draws, never twice the same.

use super::skeletons::{DIGITS, Drawing, Way};
use crate::random::Random;

/// A place of the pen's tip. The digit is about 1 high; x to the right, y down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) x: f32,
    pub(super) y: f32,
}

/// What the pen draws without being lifted, as points close to each other.
pub(super) type Line = Vec<Point>;

/// Writes a digit.
pub(super) fn write(digit: usize, random: &mut Random) -> Vec<Line> {
    let way = choose_way(DIGITS[digit], random);
    let strokes = blend(way, random);
    let mut lines: Vec<Line> = strokes.iter().map(|stroke| curve(stroke)).collect();
    for line in &mut lines {
        vary_ends(line, random);
    }
    Warp::new(random).apply(&mut lines);
    Elastic::new(random).apply(&mut lines);
    Posture::new(random).apply(&mut lines);
    tremble(&mut lines, random);
    lines
}

fn choose_way<'a>(ways: &'a [Way], random: &mut Random) -> &'a Way {
    let total: f32 = ways.iter().map(|way| way.weight).sum();
    let mut left = random.uniform(0.0, total);
    for way in ways {
        left -= way.weight;
        if left < 0.0 {
            return way;
        }
    }
    &ways[0]
}

/// A knot of a particular sample.
#[derive(Clone, Copy)]
struct SampleKnot {
    at: Point,
    corner: bool,
}

/// Knots between (or a little beyond) two of the way's drawings, each moved a little by itself.
fn blend(way: &Way, random: &mut Random) -> Vec<Vec<SampleKnot>> {
    let first = random.below(way.drawings.len());
    let second = (first + 1 + random.below(way.drawings.len() - 1)) % way.drawings.len();
    let (a, b): (Drawing, Drawing) = (way.drawings[first], way.drawings[second]);
    let share = random.uniform(-0.15, 1.15);
    let spread = random.uniform(0.005, 0.045);
    let mut strokes = Vec::with_capacity(a.len());
    for (a, b) in a.iter().zip(b.iter()) {
        // A stroke of its own is never put exactly where it was meant to be.
        let (dx, dy) = (0.6 * spread * random.normal(), 0.6 * spread * random.normal());
        let knots = a.iter().zip(b.iter()).map(|(a, b)| SampleKnot {
            at: Point {
                x: a.x + share * (b.x - a.x) + spread * random.normal() + dx,
                y: a.y + share * (b.y - a.y) + spread * random.normal() + dy,
            },
            // Most corners are rounded now and then.
            corner: a.corner && random.unit() < 0.85,
        });
        strokes.push(knots.collect());
    }
    strokes
}

/// A centripetal Catmull-Rom curve through the knots (Barry, Goldman 1988; Yuksel et al. 2011),
/// interrupted at corners.
fn curve(knots: &[SampleKnot]) -> Line {
    let mut line = vec![knots[0].at];
    let mut start = 0;
    while start + 1 < knots.len() {
        let is_end = |&i: &usize| knots[i].corner || i + 1 == knots.len();
        let end = (start + 1..knots.len()).find(is_end).unwrap_or(knots.len() - 1);
        let piece: Vec<Point> = knots[start..=end].iter().map(|knot| knot.at).collect();
        for span in 0..piece.len() - 1 {
            let before = if span > 0 { piece[span - 1] } else { mirror(piece[1], piece[0]) };
            let after = match piece.get(span + 2) {
                Some(&after) => after,
                None => mirror(piece[span], piece[span + 1]),
            };
            append_span(&mut line, [before, piece[span], piece[span + 1], after]);
        }
        start = end;
    }
    line
}

/// The point on the other side of `centre`.
fn mirror(point: Point, centre: Point) -> Point {
    Point { x: 2.0 * centre.x - point.x, y: 2.0 * centre.y - point.y }
}

/// Number of straight pieces between two knots.
const PIECES: usize = 7;

fn append_span(line: &mut Line, p: [Point; 4]) {
    let step = |a: Point, b: Point| distance(a, b).sqrt().max(1e-3);
    let t1 = step(p[0], p[1]);
    let t2 = t1 + step(p[1], p[2]);
    let t3 = t2 + step(p[2], p[3]);
    let mix = |a: Point, b: Point, from: f32, to: f32, t: f32| {
        let share = (t - from) / (to - from);
        Point { x: a.x + share * (b.x - a.x), y: a.y + share * (b.y - a.y) }
    };
    for piece in 1..=PIECES {
        let t = t1 + (t2 - t1) * piece as f32 / PIECES as f32;
        let a =
            [mix(p[0], p[1], 0.0, t1, t), mix(p[1], p[2], t1, t2, t), mix(p[2], p[3], t2, t3, t)];
        let b = [mix(a[0], a[1], 0.0, t2, t), mix(a[1], a[2], t1, t3, t)];
        line.push(mix(b[0], b[1], t1, t2, t));
    }
}

fn distance(a: Point, b: Point) -> f32 {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    (dx * dx + dy * dy).sqrt()
}

/// Stops short, runs on, or ends in a little hook.
fn vary_ends(line: &mut Line, random: &mut Random) {
    for _ in 0..2 {
        line.reverse();
        let amount = 0.035 * random.normal();
        if amount < 0.0 {
            trim(line, -amount);
        } else {
            let turn = if random.unit() < 0.12 { random.uniform(-1.6, 1.6) } else { 0.0 };
            extend(line, amount, turn);
        }
    }
}

/// Takes `length` off the end, but never more than a quarter of the line.
fn trim(line: &mut Line, length: f32) {
    let whole: f32 = line.windows(2).map(|pair| distance(pair[0], pair[1])).sum();
    let mut left = length.min(0.25 * whole);
    while line.len() > 2 {
        let last = distance(line[line.len() - 2], line[line.len() - 1]);
        if last > left {
            break;
        }
        left -= last;
        line.pop();
    }
}

/// Goes on for `length`, turned sideways by `turn` (0: straight on, ±1: 45°).
fn extend(line: &mut Line, length: f32, turn: f32) {
    let (before, end) = (line[line.len().saturating_sub(3)], line[line.len() - 1]);
    let span = distance(before, end).max(1e-4);
    let (dx, dy) = ((end.x - before.x) / span, (end.y - before.y) / span);
    line.push(Point { x: end.x + length * (dx - turn * dy), y: end.y + length * (dy + turn * dx) });
}

/// Proportions: where the middle lies, how much wider the top is than the bottom.
struct Warp {
    middle: f32,
    trapezoid: f32,
    bend: f32,
}

impl Warp {
    fn new(random: &mut Random) -> Self {
        Self {
            middle: 0.35 * random.normal(),
            trapezoid: 0.25 * random.normal(),
            bend: 0.08 * random.normal(),
        }
    }

    fn apply(&self, lines: &mut [Line]) {
        for point in lines.iter_mut().flatten() {
            let arch = point.y * (1.0 - point.y);
            point.x += self.trapezoid * (point.y - 0.5) * (point.x - 0.35) + self.bend * 4.0 * arch;
            point.y += self.middle * arch;
        }
    }
}

/// A smooth displacement: random vectors on a grid, between them a uniform cubic B-spline.
struct Elastic {
    grid: [[Point; Self::NODES]; Self::NODES],
}

impl Elastic {
    const NODES: usize = 6;

    fn new(random: &mut Random) -> Self {
        let strength = random.uniform(0.0, 0.10);
        let mut node = || Point { x: strength * random.normal(), y: strength * random.normal() };
        Self { grid: std::array::from_fn(|_| std::array::from_fn(|_| node())) }
    }

    fn apply(&self, lines: &mut [Line]) {
        for point in lines.iter_mut().flatten() {
            let (column, across) = Self::place(point.x + 0.15);
            let (row, down) = Self::place(point.y);
            let (mut dx, mut dy) = (0.0, 0.0);
            for (i, down) in down.iter().enumerate() {
                for (j, across) in across.iter().enumerate() {
                    let node = self.grid[row + i][column + j];
                    dx += down * across * node.x;
                    dy += down * across * node.y;
                }
            }
            point.x += dx;
            point.y += dy;
        }
    }

    /// The first of the four nodes that matter for a coordinate in 0..=1, and their weights.
    fn place(coordinate: f32) -> (usize, [f32; 4]) {
        let spans = (Self::NODES - 3) as f32;
        let scaled = (coordinate * spans).clamp(0.0, spans - 1e-3);
        let first = scaled as usize;
        let t = scaled - first as f32;
        let (t2, t3) = (t * t, t * t * t);
        let weights = [
            (1.0 - 3.0 * t + 3.0 * t2 - t3) / 6.0,
            (4.0 - 6.0 * t2 + 3.0 * t3) / 6.0,
            (1.0 + 3.0 * t + 3.0 * t2 - 3.0 * t3) / 6.0,
            t3 / 6.0,
        ];
        (first, weights)
    }
}

/// Slant, rotation and aspect.
struct Posture {
    slant: f32,
    cos: f32,
    sin: f32,
    aspect: f32,
}

impl Posture {
    fn new(random: &mut Random) -> Self {
        // Rotation by half the angle whose tangent this is: rational, so exact everywhere.
        let half = 0.05 * random.normal();
        let scale = 1.0 + half * half;
        // A ratio of two such is symmetric about 1, as a logarithmic normal would be.
        let stretch = 0.16 * random.normal();
        Self {
            slant: 0.16 + 0.26 * random.normal(),
            cos: (1.0 - half * half) / scale,
            sin: 2.0 * half / scale,
            aspect: (1.0 + stretch) / (1.0 - stretch),
        }
    }

    fn apply(&self, lines: &mut [Line]) {
        for point in lines.iter_mut().flatten() {
            let x = self.aspect * point.x - self.slant * point.y;
            let y = point.y;
            *point = Point { x: self.cos * x - self.sin * y, y: self.sin * x + self.cos * y };
        }
    }
}

/// A tremor: small, but faster than the elastic deformation.
fn tremble(lines: &mut [Line], random: &mut Random) {
    let strength = 0.012 * random.unit() * random.unit();
    for line in lines {
        let mut drift = Point { x: 0.0, y: 0.0 };
        for point in line {
            drift.x = 0.6 * drift.x + strength * random.normal();
            drift.y = 0.6 * drift.y + strength * random.normal();
            point.x += drift.x;
            point.y += drift.y;
        }
    }
}
