//! A batch of images under one attack, with the count of what was asked about each.

use std::ops::Deref;

use cutaway_engine::Seed;

use crate::corrupt::random::Random;
use crate::{Result, best};

use super::Norm;
use super::loss::{Aim, Loss};
use super::victim::Victim;

/// Images that are attacked together. An attack speaks of an image by its place in the batch.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) victim: &'a Victim<'a>,
    /// The images as they are, one after the other.
    pub(crate) clean: &'a [f32],
    /// What is wanted of each.
    pub(crate) aims: &'a [Aim],
    /// The place of each in the data set: what is random depends on it, never on the batch.
    pub(crate) indices: &'a [usize],
    /// How far each may be moved.
    pub(crate) epsilons: &'a [f64],
    pub(crate) seed: u64,
}

/// A batch with what was asked about each of its images.
pub(crate) struct Session<'a> {
    pub(crate) batch: Batch<'a>,
    /// Told the share of the work that is done.
    pub(crate) progress: &'a dyn Fn(f64),
    /// Forward passes over each image.
    pub(crate) queries: Vec<usize>,
    /// Gradients of each image.
    pub(crate) gradients: Vec<usize>,
}

impl<'a> Deref for Session<'a> {
    type Target = Batch<'a>;
    fn deref(&self) -> &Batch<'a> {
        &self.batch
    }
}

impl<'a> Batch<'a> {
    /// Images in the batch.
    pub(crate) fn count(&self) -> usize {
        self.aims.len()
    }

    /// An image as it is.
    pub(crate) fn original(&self, i: usize) -> &'a [f32] {
        let len = self.victim.len();
        &self.clean[i * len..(i + 1) * len]
    }

    /// How far an image may be moved.
    pub(crate) fn epsilon(&self, i: usize) -> f32 {
        self.epsilons[i] as f32
    }

    /// Random numbers of an image for one purpose.
    pub(crate) fn random(&self, i: usize, purpose: u64) -> Random {
        Random::new(self.seed, purpose, self.indices[i] as u64)
    }

    /// Whether these logits of an image are what is wanted.
    pub(crate) fn is_fooled(&self, i: usize, logits: &[f32]) -> bool {
        self.aims[i].is_met(best(logits).0)
    }

    /// The places that an attack begins at: the images, or anywhere in the balls around them.
    pub(crate) fn starts(&self, which: &[usize], norm: Norm, random: Option<u64>) -> Vec<f32> {
        let mut starts = vec![0.0; which.len() * self.victim.len()];
        self.victim.each(&mut starts, |k, out| match random {
            None => out.copy_from_slice(self.original(which[k])),
            Some(purpose) => {
                let mut random = self.random(which[k], purpose);
                let (clean, epsilon) = (self.original(which[k]), self.epsilon(which[k]));
                out.copy_from_slice(&norm.random_start(clean, epsilon, &mut random));
            }
        });
        starts
    }
}

impl Session<'_> {
    /// Logits of changed images of the batch, row by row: the k-th is a change of `which[k]`.
    pub(crate) fn logits(&mut self, which: &[usize], images: &[f32]) -> Result<Vec<f32>> {
        which.iter().for_each(|&i| self.queries[i] += 1);
        self.victim.logits(images)
    }

    /// Logits of changed images, and the gradient of a loss with respect to their pixels; `seed` is
    /// told the place in `which`.
    pub(crate) fn gradient_of(
        &mut self,
        which: &[usize],
        images: &[f32],
        seed: &Seed<'_>,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        which.iter().for_each(|&i| self.gradients[i] += 1);
        self.victim.gradient(images, seed)
    }

    /// As [`Session::gradient_of`] of a loss for the aim of each image.
    pub(crate) fn gradient(
        &mut self,
        which: &[usize],
        images: &[f32],
        loss: Loss,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let aims = self.aims;
        self.gradient_of(which, images, &|k, logits, seed| {
            loss.evaluate(logits, aims[which[k]], seed);
        })
    }
}

/// The images of a batch that an attack still works on.
pub(crate) struct Active {
    /// Their places in the batch.
    pub(crate) which: Vec<usize>,
    /// What they are now, in the same order.
    pub(crate) x: Vec<f32>,
}

impl Active {
    /// Keeps what is done in `out` and drops it here; `keep` must be called for other arrays.
    pub(crate) fn retire(&mut self, done: &[bool], out: &mut [f32]) {
        let len = self.x.len() / self.which.len().max(1);
        for (k, &i) in self.which.iter().enumerate().filter(|(k, _)| done[*k]) {
            out[i * len..(i + 1) * len].copy_from_slice(&self.x[k * len..(k + 1) * len]);
        }
        keep(&mut self.x, len, done);
        let mut k = 0;
        self.which.retain(|_| {
            k += 1;
            !done[k - 1]
        });
    }

    /// Writes what is left into `out`.
    pub(crate) fn finish(&self, out: &mut [f32]) {
        let len = self.x.len() / self.which.len().max(1);
        for (k, &i) in self.which.iter().enumerate() {
            out[i * len..(i + 1) * len].copy_from_slice(&self.x[k * len..(k + 1) * len]);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.which.is_empty()
    }
}

/// Drops the rows of what is done.
pub(crate) fn keep<T: Copy>(rows: &mut Vec<T>, len: usize, done: &[bool]) {
    let mut to = 0;
    for k in (0..done.len()).filter(|&k| !done[k]) {
        rows.copy_within(k * len..(k + 1) * len, to * len);
        to += 1;
    }
    rows.truncate(to * len);
}
