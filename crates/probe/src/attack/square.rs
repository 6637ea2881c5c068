//! Square attack: random squares, kept where they help. No gradients.

use serde::Serialize;

use super::norm::{Norm, length};
use super::session::{Batch, Session, keep};
use super::{Check, in_range};
use crate::Result;
use crate::corrupt::random::Random;

/// A random search over square changes on the border of the ball, smaller and smaller ones.
/// Andriushchenko, Croce, Flammarion, Hein 2020, "Square attack: a query-efficient black-box
/// adversarial attack via random search", algorithms 1 to 3.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Square {
    /// The ball.
    pub norm: Norm,
    /// Forward passes over an image at most, 2 to 10,000,000.
    pub queries: usize,
    /// Share of the pixels that the first squares change, above 0, at most 1.
    pub share: f64,
}

impl Default for Square {
    fn default() -> Square {
        Square { norm: Norm::Linf, queries: 1000, share: 0.8 }
    }
}

impl Check for Square {
    fn check(&self) -> Result<()> {
        in_range("queries", self.queries as f64, 2.0, 1e7)?;
        in_range("a share", self.share, 1e-9, 1.0)
    }
}

/// Height, width and channels of the images.
#[derive(Clone, Copy)]
struct Size {
    h: usize,
    w: usize,
    c: usize,
}

impl Square {
    pub(crate) fn run(&self, s: &mut Session<'_>) -> Result<Vec<f32>> {
        let [c, h, w] = s.victim.shape;
        let size = Size { h, w, c };
        let (len, classes) = (s.victim.len(), s.victim.classes);
        let mut out = s.clean.to_vec();
        let mut which: Vec<usize> = (0..s.count()).collect();
        let mut random: Vec<Random> = which.iter().map(|&i| s.random(i, 0xb000)).collect();
        let mut x = s.clean.to_vec();
        for (k, x) in x.chunks_exact_mut(len).enumerate() {
            self.start(s.batch, k, x, size, &mut random[k]);
        }
        let mut margins = vec![f32::INFINITY; which.len()];
        for query in 0..self.queries {
            let tried = match query {
                0 => x.clone(),
                _ => {
                    let side = self.side(query - 1, size);
                    let mut tried = x.clone();
                    for (k, tried) in tried.chunks_exact_mut(len).enumerate() {
                        self.change(s.batch, which[k], tried, size, side, &mut random[which[k]]);
                    }
                    tried
                }
            };
            let logits = s.logits(&which, &tried)?;
            let mut done = vec![false; which.len()];
            for (k, &i) in which.iter().enumerate() {
                let margin = s.aims[i].margin(&logits[k * classes..(k + 1) * classes]);
                if margin < margins[k] {
                    margins[k] = margin;
                    x[k * len..(k + 1) * len].copy_from_slice(&tried[k * len..(k + 1) * len]);
                }
                done[k] = margins[k] < 0.0;
                if done[k] || query + 1 == self.queries {
                    out[i * len..(i + 1) * len].copy_from_slice(&x[k * len..(k + 1) * len]);
                }
            }
            if done.contains(&true) {
                keep(&mut x, len, &done);
                keep(&mut margins, 1, &done);
                keep(&mut which, 1, &done);
            }
            if which.is_empty() {
                break;
            }
            (s.progress)((query + 1) as f64 / self.queries as f64);
        }
        Ok(out)
    }

    /// Side of the squares after so many queries: their area is halved at fixed shares of the budget.
    fn side(&self, query: usize, size: Size) -> usize {
        let at = (query as f64 / self.queries as f64 * 10_000.0) as usize;
        let halvings = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];
        let halvings = halvings.iter().filter(|&&after| at > after).count();
        let area = self.share / f64::from(1u32 << halvings) * (size.h * size.w) as f64;
        let side = area.sqrt().round() as usize;
        let most = size.h.min(size.w);
        match self.norm {
            Norm::Linf => side.clamp(1, most),
            // An odd side, of three at least, where the image has room for it.
            Norm::L2 => (side.max(3) | 1).min(most),
        }
    }

    /// Stripes of ±ε from top to bottom, or a grid of 5×5 tiles of η.
    fn start(&self, b: Batch<'_>, i: usize, x: &mut [f32], size: Size, random: &mut Random) {
        let (clean, epsilon) = (b.original(i), b.epsilon(i));
        match self.norm {
            Norm::Linf => {
                for plane in x.chunks_exact_mut(size.h * size.w) {
                    let signs: Vec<f32> = (0..size.w).map(|_| random.sign() as f32).collect();
                    plane
                        .iter_mut()
                        .enumerate()
                        .for_each(|(p, v)| *v += epsilon * signs[p % size.w]);
                }
            }
            Norm::L2 => {
                let side = (size.h.min(size.w) / 5).max(1);
                let mut delta = vec![0.0; x.len()];
                let margin = |length: usize| length % side / 2;
                for row in 0..size.h / side {
                    for col in 0..size.w / side {
                        let tile = eta(side, random);
                        for c in 0..size.c {
                            let sign = random.sign() as f32;
                            let (top, left) =
                                (margin(size.h) + row * side, margin(size.w) + col * side);
                            add(&mut delta, size, c, (top, left, side), |p| sign * tile[p]);
                        }
                    }
                }
                onto_sphere(x, clean, &delta, epsilon);
            }
        }
        self.norm.project(x, clean, epsilon);
    }

    /// One random change.
    fn change(
        &self,
        b: Batch<'_>,
        i: usize,
        x: &mut [f32],
        size: Size,
        side: usize,
        random: &mut Random,
    ) {
        let (clean, epsilon) = (b.original(i), b.epsilon(i));
        let mut place = || {
            let along = |length: usize, random: &mut Random| {
                random.integer(0, (length - side + 1) as i64) as usize
            };
            (along(size.h, random), along(size.w, random), side)
        };
        let window = place();
        match self.norm {
            Norm::Linf => {
                for c in 0..size.c {
                    let step = 2.0 * epsilon * random.sign() as f32;
                    add(x, size, c, window, |_| step);
                }
            }
            Norm::L2 => {
                let other = place();
                let delta = l2_change(x, clean, size, (window, other), epsilon, random);
                onto_sphere(x, clean, &delta, epsilon);
            }
        }
        self.norm.project(x, clean, epsilon);
    }
}

/// A square: top row, left column, side.
type Window = (usize, usize, usize);

/// The places of a square in a channel, row by row.
fn places(size: Size, channel: usize, (top, left, side): Window) -> impl Iterator<Item = usize> {
    let at = move |p: usize| (channel * size.h + top + p / side) * size.w + left + p % side;
    (0..side * side).map(at)
}

fn add(x: &mut [f32], size: Size, channel: usize, window: Window, by: impl Fn(usize) -> f32) {
    places(size, channel, window).enumerate().for_each(|(p, at)| x[at] += by(p));
}

/// Takes what one window has of the perturbation's length, and gives it to another in a new shape.
fn l2_change(
    x: &[f32],
    clean: &[f32],
    size: Size,
    (window, other): (Window, Window),
    epsilon: f32,
    random: &mut Random,
) -> Vec<f32> {
    let mut delta: Vec<f32> = x.iter().zip(clean).map(|(x, c)| x - c).collect();
    let unused = f64::from(epsilon).powi(2) - length(&delta).powi(2);
    let tile = eta(window.2, random);
    for c in 0..size.c {
        let old: Vec<f32> = places(size, c, window).map(|at| delta[at]).collect();
        let mut both: Vec<usize> = places(size, c, window).chain(places(size, c, other)).collect();
        both.sort_unstable();
        both.dedup();
        let had: f64 = both.iter().map(|&at| f64::from(delta[at]).powi(2)).sum();
        let (sign, scale) = (random.sign() as f32, 1e-12 + length(&old) as f32);
        let new: Vec<f32> = tile.iter().zip(&old).map(|(t, o)| sign * t + o / scale).collect();
        let wanted = (unused.max(0.0) / size.c as f64 + had).sqrt();
        let factor = (wanted / length(&new).max(1e-12)) as f32;
        places(size, c, other).for_each(|at| delta[at] = 0.0);
        for (at, new) in places(size, c, window).zip(&new) {
            delta[at] = factor * new;
        }
    }
    delta
}

/// `clean + ε · delta / ‖delta‖`.
fn onto_sphere(x: &mut [f32], clean: &[f32], delta: &[f32], epsilon: f32) {
    let factor = epsilon / (length(delta) as f32).max(1e-12);
    for ((x, c), d) in x.iter_mut().zip(clean).zip(delta) {
        *x = c + factor * d;
    }
}

/// The shape η of section 3.3: two bumps of opposite sign, one on each half of a square, upright or
/// lying; length 1.
fn eta(side: usize, random: &mut Random) -> Vec<f32> {
    let half = side / 2;
    let mut tile = vec![0.0_f32; side * side];
    tile[..half * side].copy_from_slice(&bump(half, side));
    let below = bump(side - half, side);
    tile[half * side..].iter_mut().zip(below).for_each(|(t, b)| *t = -b);
    let scale = (length(&tile) as f32).max(1e-12);
    let lying = random.coin();
    let at = |p: usize| if lying { p % side * side + p / side } else { p };
    (0..side * side).map(|p| tile[at(p)] / scale).collect()
}

/// Nested rectangles about the middle, the k-th adding 1 / k²; length 1.
fn bump(rows: usize, cols: usize) -> Vec<f32> {
    let mut bump = vec![0.0_f32; rows * cols];
    let (middle_row, middle_col) = (rows / 2, cols / 2);
    for k in 0..=middle_row.max(middle_col) {
        let weight = 1.0 / ((k + 1) * (k + 1)) as f32;
        for r in middle_row.saturating_sub(k)..(middle_row + k + 1).min(rows) {
            for c in middle_col.saturating_sub(k)..(middle_col + k + 1).min(cols) {
                bump[r * cols + c] += weight;
            }
        }
    }
    let scale = (length(&bump) as f32).max(1e-12);
    bump.iter_mut().for_each(|v| *v /= scale);
    bump
}
