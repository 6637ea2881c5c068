//! Watching a training.

use std::ops::ControlFlow;

use super::history::Epoch;
use crate::network::Runner;

/// What a step of the optimiser was like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// From 1.
    pub epoch: usize,
    /// In the epoch, from 1.
    pub step: usize,
    /// Steps of the epoch.
    pub steps: usize,
    /// Mean loss of the batch, before the step.
    pub loss: f64,
    /// Length of the gradient before clipping.
    pub gradient_norm: f64,
    /// Whether it was shortened.
    pub clipped: bool,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Share of the training that is done, 0 to 1.
    pub done: f64,
}

/// Told how a training goes; it may measure the network and end the training. Its time is not the training's.
pub trait Observer {
    /// Before the first step.
    fn start(&mut self, _: &Runner) {}

    /// After every step of the optimiser.
    fn step(&mut self, _: &Step) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// After every epoch and its validation.
    fn epoch(&mut self, _: &Runner, _: &Epoch) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Watches nothing.
impl Observer for () {}
