//! What a training tells while it runs and when it is over.

use serde::{Deserialize, Serialize};

use crate::Recipe;

/// Told what happens during a training. Every method does nothing unless overridden; `()` listens
/// to nothing.
pub trait Observer {
    /// A batch is done.
    fn batch(&mut self, progress: &Progress) {
        let _ = progress;
    }

    /// An epoch is done; its checkpoint and metrics are written.
    fn epoch(&mut self, result: &EpochResult) {
        let _ = result;
    }
}

impl Observer for () {}

/// How far a training is, after a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Images of this epoch done.
    pub images_done: usize,
    /// Images in an epoch.
    pub images: usize,
    /// Images trained in a second, since this epoch began.
    pub images_per_second: f64,
    /// Mean loss of this epoch's images so far, in nats.
    pub train_loss: f64,
    /// Share of this epoch's images so far that were classified correctly, as distorted and before
    /// their batch was learnt.
    pub train_accuracy: f64,
    /// Mean loss of the batch just done.
    pub batch_loss: f64,
    /// Learning rate of the batch just done.
    pub learning_rate: f32,
}

impl Progress {
    /// Estimated seconds until the last epoch's last batch is done.
    pub fn remaining_seconds(&self) -> f64 {
        let images = (self.epochs - self.epoch + 1) * self.images - self.images_done;
        images as f64 / self.images_per_second.max(f64::MIN_POSITIVE)
    }
}

/// One epoch's figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochResult {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean loss over the epoch's batches while they were learnt, in nats, with label smoothing if
    /// the recipe has it.
    pub train_loss: f64,
    /// Share classified correctly while they were learnt, 0 to 1.
    pub train_accuracy: f64,
    /// Mean loss of the held-out images after the epoch, in nats, without label smoothing; None
    /// where none are held out.
    pub validation_loss: Option<f64>,
    /// Share of the held-out images classified correctly after the epoch.
    pub validation_accuracy: Option<f64>,
    /// Learning rate of the epoch's last batch.
    pub learning_rate: f32,
    /// Time spent training, without validation and files, in seconds.
    pub seconds: f64,
    /// Images trained in a second.
    pub images_per_second: f64,
}

/// What a training did, from its first epoch, whether or not it was resumed in between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// Name of the data set.
    pub dataset: String,
    /// SHA-256 of the data set's content.
    pub dataset_hash: String,
    /// Name of the recipe.
    pub recipe: String,
    /// The whole recipe.
    pub settings: Recipe,
    /// Seed of shuffling, augmentation, split and dropout.
    pub seed: u64,
    /// Images trained on, without those held out.
    pub train_images: usize,
    /// Images held out.
    pub validation_images: usize,
    /// Every epoch, in order.
    pub epochs: Vec<EpochResult>,
    /// The epoch, from 1, whose weights are the result: the last, or with early stopping the best.
    pub best_epoch: usize,
    /// Whether early stopping ended the training before its last epoch.
    pub stopped_early: bool,
    /// Seconds spent training in all epochs together.
    pub seconds: f64,
    /// Hash of the network before training.
    pub initial_network_hash: String,
    /// Hash of the trained network.
    pub network_hash: String,
}
