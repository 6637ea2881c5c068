//! One pixel: differential evolution over where it is and what it shows. No gradients.

use cutaway_engine::{Edit, Fill};
use serde::Serialize;

use super::session::Session;
use super::sweep::apply;
use super::{Check, in_range};
use crate::corrupt::random::Random;
use crate::{Result, best};

/// Changes a few pixels to anything at all, found by differential evolution (F = 0.5, no crossover).
/// Su, Vargas, Sakurai 2019, "One pixel attack for fooling deep neural networks", section III; the
/// paper has a population of 400 and 100 generations. A single pixel is asked about by sweeps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OnePixel {
    /// Pixels that may change, 1 to 1,000.
    pub pixels: usize,
    /// Candidates in a generation, 4 to 10,000.
    pub population: usize,
    /// Generations, 1 to 10,000.
    pub generations: usize,
}

impl Default for OnePixel {
    fn default() -> OnePixel {
        OnePixel { pixels: 1, population: 200, generations: 20 }
    }
}

impl Check for OnePixel {
    fn check(&self) -> Result<()> {
        in_range("pixels", self.pixels as f64, 1.0, 1e3)?;
        in_range("a population", self.population as f64, 4.0, 1e4)?;
        in_range("generations", self.generations as f64, 1.0, 1e4)
    }
}

/// For each pixel its row and column as shares of the image, then its values, from 0 to 1 all.
type Candidate = Vec<f64>;

impl OnePixel {
    pub(crate) fn run(&self, s: &mut Session<'_>) -> Result<Vec<f32>> {
        let len = s.victim.len();
        let mut out = s.clean.to_vec();
        for i in 0..s.count() {
            let found = self.evolve(s, i)?;
            let shape = s.victim.shape;
            let image = &mut out[i * len..(i + 1) * len];
            edits(&found, shape).iter().for_each(|edit| apply(edit, shape, image));
            (s.progress)((i + 1) as f64 / s.count() as f64);
        }
        Ok(out)
    }

    /// The best candidate for an image; it stops at one that fools.
    fn evolve(&self, s: &mut Session<'_>, i: usize) -> Result<Candidate> {
        let genes = 2 + s.victim.shape[0];
        let mut random = s.random(i, 0xc000);
        let first = |random: &mut Random| -> Candidate {
            let gene = |g: usize| match g % genes {
                0 | 1 => random.unit(),
                // Normal about grey, as in the paper.
                _ => (0.5 + 0.5 * random.normal()).clamp(0.0, 1.0),
            };
            (0..self.pixels * genes).map(gene).collect()
        };
        let mut all: Vec<Candidate> = (0..self.population).map(|_| first(&mut random)).collect();
        let mut scores = self.ask(s, i, &all)?;
        for _ in 0..self.generations {
            if scores.iter().any(|(fooled, _)| *fooled) {
                break;
            }
            let children: Vec<Candidate> =
                (0..all.len()).map(|k| child(&all, k, &mut random)).collect();
            let theirs = self.ask(s, i, &children)?;
            for (k, (child, score)) in children.into_iter().zip(theirs).enumerate() {
                if score.1 > scores[k].1 {
                    (all[k], scores[k]) = (child, score);
                }
            }
        }
        let best = (0..all.len()).reduce(|a, b| if scores[b].1 > scores[a].1 { b } else { a });
        Ok(all.swap_remove(best.expect("a population")))
    }

    /// Whether each candidate fools, and how close it comes.
    fn ask(&self, s: &mut Session<'_>, i: usize, all: &[Candidate]) -> Result<Vec<(bool, f32)>> {
        let shape = s.victim.shape;
        if self.pixels == 1 {
            let edits: Vec<Edit> = all.iter().flat_map(|c| edits(c, shape)).collect();
            return s.sweep(i, &edits);
        }
        let classes = s.victim.classes;
        let mut answers = Vec::with_capacity(all.len());
        for batch in all.chunks(s.victim.batch()) {
            let mut images = s.original(i).repeat(batch.len());
            s.victim.each(&mut images, |k, image| {
                edits(&batch[k], shape).iter().for_each(|edit| apply(edit, shape, image));
            });
            let logits = s.logits(&vec![i; batch.len()], &images)?;
            for z in logits.chunks_exact(classes) {
                answers.push((s.aims[i].is_met(best(z).0), -s.aims[i].margin(z)));
            }
        }
        Ok(answers)
    }
}

/// `a + F (b − c)` of three candidates that differ from each other and from `k`, brought back within 0
/// to 1 by drawing anew what leaves it.
fn child(all: &[Candidate], k: usize, random: &mut Random) -> Candidate {
    let mut chosen = [k; 4];
    for n in 1..4 {
        while chosen[..n].contains(&chosen[n]) {
            chosen[n] = random.integer(0, all.len() as i64) as usize;
        }
    }
    let [_, a, b, c] = chosen;
    let mut gene = |g: usize| {
        let value = all[a][g] + 0.5 * (all[b][g] - all[c][g]);
        if (0.0..=1.0).contains(&value) { value } else { random.unit() }
    };
    (0..all[k].len()).map(&mut gene).collect()
}

/// A candidate's pixels.
fn edits(candidate: &Candidate, [c, h, w]: [usize; 3]) -> Vec<Edit> {
    let place = |share: f64, length: usize| ((share * length as f64) as usize).min(length - 1);
    let edit = |genes: &[f64]| Edit {
        row: place(genes[0], h),
        col: place(genes[1], w),
        height: 1,
        width: 1,
        fill: Fill::Channels(genes[2..].iter().map(|v| *v as f32).collect()),
    };
    candidate.chunks_exact(2 + c).map(edit).collect()
}
