//! The training loop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use cutaway_data::Images;
use cutaway_engine::{Engine, Trainer};
use cutaway_net::tensor_file::TensorRef;
use cutaway_net::{Network, Param, TrainingRecord};

use crate::batch::{check_labels, check_size};
use crate::checkpoint::{AVERAGE, BEST, NETWORK, Position, State, Training, VELOCITY};
use crate::evaluation::most_probable;
use crate::rng::{self, Purpose};
use crate::{
    BatchMaker, Checkpoint, EpochResult, Error, Observer, Progress, Recipe, Result, Split,
    TrainReport, epoch_order, evaluate, metrics, stratified_split, update_average,
};

/// What a training needs to know besides network, images and recipe.
#[derive(Clone, Debug, Default)]
pub struct TrainOptions {
    /// Seed of shuffling, augmentation, validation split and dropout. (The initial weights are the
    /// network's.)
    pub seed: u64,
    /// Name of the data set, for the report and the network's training record.
    pub dataset: String,
    /// SHA-256 of the data set's content, for the same, and to refuse a checkpoint of other data.
    pub dataset_hash: String,
    /// The command that repeats this training, for the network's training record.
    pub command: String,
    /// Threads and instruction set.
    pub engine: cutaway_engine::Options,
    /// Where to keep the state after every epoch and on an interruption.
    pub checkpoint: Option<PathBuf>,
    /// Where to keep the epochs' figures as CSV.
    pub metrics: Option<PathBuf>,
    /// Go on from the checkpoint, to the same bits as without the interruption.
    pub resume: bool,
    /// Set it to true from anywhere, such as a Ctrl-C handler, to stop after the batch under way.
    pub interrupt: Arc<AtomicBool>,
}

/// A trained network and how it came about.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The network with its trained parameters and its training record.
    pub network: Network,
    /// What the training did.
    pub report: TrainReport,
}

/// Trains `network` on `images` as `recipe` says.
///
/// The same network, images, recipe and seed give the same bits, whatever the number of threads and
/// however often the training was interrupted and resumed.
///
/// # Errors
/// - [`Error::Recipe`] or [`Error::Invalid`] where recipe, network and images do not fit together;
/// - [`Error::Checkpoint`], [`Error::OtherTraining`] or [`Error::Io`] where it cannot be resumed;
/// - [`Error::Interrupted`] once [`TrainOptions::interrupt`] is set; the state is saved before;
/// - [`Error::Diverged`] where the loss is no longer finite;
/// - [`Error::Io`] or [`Error::Data`] where a file cannot be written.
pub fn train(
    network: &Network,
    images: &Images,
    recipe: &Recipe,
    options: &TrainOptions,
    observer: &mut dyn Observer,
) -> Result<Trained> {
    let mut run = Run::new(network, images, recipe, options)?;
    if options.resume {
        run.resume()?;
    }
    while !run.is_over() {
        run.epoch(observer)?;
    }
    run.finish()
}

/// A training under way.
struct Run<'a> {
    network: &'a Network,
    images: &'a Images,
    recipe: &'a Recipe,
    options: &'a TrainOptions,
    split: Split,
    validation: Images,
    state: State,
    maker: BatchMaker<'a>,
    trainer: Trainer,
    velocity: Vec<f32>,
    average: Option<Vec<f32>>,
    /// All parameters after the best epoch; kept for early stopping.
    best: Option<Vec<Arc<[f32]>>>,
    order: Vec<usize>,
    batch: Vec<f32>,
}

impl<'a> Run<'a> {
    fn new(
        network: &'a Network,
        images: &'a Images,
        recipe: &'a Recipe,
        options: &'a TrainOptions,
    ) -> Result<Self> {
        recipe.check()?;
        check_size(network, images)?;
        check_labels(network, images)?;
        let split = stratified_split(&images.labels, recipe.validation_fraction, options.seed);
        if split.train.is_empty() {
            return Err(Error::Invalid(format!(
                "of {} images none is left to train on; take more images or a smaller \
                 validation_fraction",
                images.len()
            )));
        }
        let maker = BatchMaker::new(network, images, recipe.augmentation, options.seed)?;
        let batch_size = recipe.batch_size.min(split.train.len());
        let trainer = Trainer::new(network, batch_size, &options.engine)?;
        Ok(Self {
            validation: images.select(&split.validation),
            state: State {
                training: Training::new(network, images, recipe, options),
                position: Position::default(),
                epochs: vec![],
            },
            velocity: vec![0.0; trainer.params().len()],
            average: recipe.weight_average.map(|_| trainer.params().to_vec()),
            best: None,
            order: vec![],
            batch: vec![0.0; batch_size * images.image_len()],
            network,
            images,
            recipe,
            options,
            split,
            maker,
            trainer,
        })
    }

    /// Takes the state from the checkpoint.
    fn resume(&mut self) -> Result<()> {
        let Some(path) = self.options.checkpoint.as_deref() else {
            return Err(Error::Invalid("to resume, say from which checkpoint".into()));
        };
        let checkpoint = Checkpoint::load(path, self.network)?;
        checkpoint.check_is_of(&self.state.training, path)?;
        let all: Vec<&Param> = self.network.params().iter().collect();
        let trainable: Vec<&Param> = trainable(self.network).collect();
        let flat = |prefix| -> Result<Vec<f32>> {
            Ok(checkpoint.values(prefix, &trainable, path)?.concat())
        };
        self.velocity = flat(VELOCITY)?;
        if self.average.is_some() {
            self.average = Some(flat(AVERAGE)?);
        }
        if self.recipe.early_stopping.is_some() && !checkpoint.epochs().is_empty() {
            self.best = Some(checkpoint.values(BEST, &all, path)?);
        }
        let values = checkpoint.values(NETWORK, &all, path)?;
        self.trainer.load(&self.network.with_values(values)?)?;
        self.state.position = checkpoint.state.position;
        self.state.epochs = checkpoint.state.epochs;
        if let Some(path) = &self.options.metrics {
            metrics::write(path, &self.state.epochs)?;
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.state.position.epoch >= self.recipe.epochs || self.stops_early()
    }

    fn stops_early(&self) -> bool {
        let losses = self.validation_losses();
        self.recipe.early_stopping.is_some_and(|stopping| stopping.should_stop(&losses))
    }

    fn validation_losses(&self) -> Vec<f64> {
        self.state.epochs.iter().filter_map(|epoch| epoch.validation_loss).collect()
    }

    fn batches(&self) -> usize {
        self.split.train.len().div_ceil(self.recipe.batch_size)
    }

    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<()> {
        epoch_order(
            self.options.seed,
            self.state.position.epoch,
            &self.split.train,
            &mut self.order,
        );
        while self.state.position.images_done < self.order.len() {
            if self.options.interrupt.load(Ordering::Relaxed) {
                return Err(self.interrupted()?);
            }
            observer.batch(&self.step()?);
        }
        let result = self.end_epoch()?;
        observer.epoch(&result);
        Ok(())
    }

    /// Learns one batch.
    fn step(&mut self) -> Result<Progress> {
        let start = Instant::now();
        let Position { epoch, batch, images_done, .. } = self.state.position;
        let count = self.recipe.batch_size.min(self.order.len() - images_done);
        let indices = &self.order[images_done..images_done + count];
        let inputs = &mut self.batch[..count * self.images.image_len()];
        self.trainer.install(|| self.maker.fill(epoch, indices, inputs));

        let correct = AtomicUsize::new(0);
        let share = 1.0 / count as f32;
        let loss = |sample: usize, logits: &[f32], gradient: &mut [f32]| {
            let label = self.images.label(indices[sample]);
            correct.fetch_add(usize::from(most_probable(logits) == label), Ordering::Relaxed);
            let loss = self.recipe.loss.value_and_gradient(logits, label, gradient);
            gradient.iter_mut().for_each(|value| *value *= share);
            loss
        };
        let dropout_seed =
            rng::key(self.options.seed, Purpose::Dropout, epoch as u64, batch as u64);
        let loss_sum = self.trainer.step(inputs, count, dropout_seed, &loss)?;

        let learning_rate = self.learning_rate(epoch, batch);
        if !loss_sum.is_finite() {
            return Err(Error::Diverged {
                epoch: epoch + 1,
                batch: batch + 1,
                loss: loss_sum / count as f64,
                learning_rate,
            });
        }
        self.update(learning_rate);

        let position = &mut self.state.position;
        position.batch += 1;
        position.images_done += count;
        position.loss_sum += loss_sum;
        position.correct += correct.into_inner();
        position.seconds += start.elapsed().as_secs_f64();
        Ok(self.progress(loss_sum / count as f64, learning_rate))
    }

    fn learning_rate(&self, epoch: usize, batch: usize) -> f32 {
        let batches = self.batches();
        let step = epoch * batches + batch;
        let factor = self.recipe.schedule.factor(step as u64, batches as u64, self.recipe.epochs);
        (f64::from(self.recipe.learning_rate) * factor) as f32
    }

    /// One step of the optimiser and of the weights' average.
    fn update(&mut self, learning_rate: f32) {
        let Self { trainer, velocity, recipe, .. } = self;
        trainer.update(|params, gradients| {
            recipe.optimizer.step(learning_rate, params, gradients, velocity);
        });
        let steps = self.state.position.epoch * self.batches() + self.state.position.batch + 1;
        if let (Some(decay), Some(average)) = (self.recipe.weight_average, &mut self.average) {
            update_average(decay, steps as u64, average, self.trainer.params());
        }
    }

    fn progress(&self, batch_loss: f64, learning_rate: f32) -> Progress {
        let position = self.state.position;
        let done = position.images_done as f64;
        Progress {
            epoch: position.epoch + 1,
            epochs: self.recipe.epochs,
            images_done: position.images_done,
            images: self.order.len(),
            images_per_second: done / position.seconds.max(f64::MIN_POSITIVE),
            train_loss: position.loss_sum / done,
            train_accuracy: position.correct as f64 / done,
            batch_loss,
            learning_rate,
        }
    }

    /// Validates, and writes metrics and checkpoint.
    fn end_epoch(&mut self) -> Result<EpochResult> {
        let learning_rate = self.learning_rate(self.state.position.epoch, self.batches() - 1);
        let progress = self.progress(0.0, learning_rate);
        let network = self.current_network()?;
        let validation = match self.validation.is_empty() {
            true => None,
            false => {
                let engine = Engine::compile(&network, &self.options.engine)?;
                Some(evaluate(&engine, &self.validation)?)
            }
        };
        let result = EpochResult {
            epoch: progress.epoch,
            train_loss: progress.train_loss,
            train_accuracy: progress.train_accuracy,
            validation_loss: validation.as_ref().map(|evaluation| evaluation.loss),
            validation_accuracy: validation.as_ref().map(|evaluation| evaluation.accuracy),
            learning_rate,
            seconds: self.state.position.seconds,
            images_per_second: progress.images_per_second,
        };
        self.state.epochs.push(result);
        self.state.position = Position { epoch: progress.epoch, ..Position::default() };
        if let Some(stopping) = self.recipe.early_stopping
            && stopping.best(self.validation_losses()) == Some(progress.epoch - 1)
        {
            let values = network.params().iter().map(|param| param.values.clone());
            self.best = Some(values.collect());
        }
        if let Some(path) = &self.options.metrics {
            metrics::write(path, &self.state.epochs)?;
        }
        if let Some(path) = &self.options.checkpoint {
            self.save(path)?;
        }
        Ok(result)
    }

    /// The network as it is validated and returned: with averaged weights if the recipe says so.
    fn current_network(&self) -> Result<Network> {
        let network = self.trainer.network()?;
        let Some(average) = &self.average else { return Ok(network) };
        let mut rest = average.as_slice();
        let values = network.params().iter().map(|param| match param.trainable {
            true => rest.split_off(..param.values.len()).expect("one average each").into(),
            false => param.values.clone(),
        });
        Ok(network.with_values(values.collect())?)
    }

    /// Saves the state and says how to go on.
    fn interrupted(&self) -> Result<Error> {
        let checkpoint = self.options.checkpoint.clone();
        if let Some(path) = &checkpoint {
            self.save(path)?;
        }
        Ok(Error::Interrupted {
            epoch: self.state.position.epoch + 1,
            batches_done: self.state.position.batch,
            batches: self.batches(),
            checkpoint,
        })
    }

    fn save(&self, path: &Path) -> Result<()> {
        let network = self.trainer.network()?;
        let mut tensors = vec![];
        for param in network.params() {
            tensors.push(tensor(NETWORK, param, &param.values));
        }
        tensors.extend(of_trainable(VELOCITY, &network, &self.velocity));
        if let Some(average) = &self.average {
            tensors.extend(of_trainable(AVERAGE, &network, average));
        }
        for (param, values) in network.params().iter().zip(self.best.iter().flatten()) {
            tensors.push(tensor(BEST, param, values));
        }
        self.state.save(path, &tensors)
    }

    /// The result.
    fn finish(self) -> Result<Trained> {
        let best = self.recipe.early_stopping.and_then(|s| s.best(self.validation_losses()));
        let best_epoch = best.map_or(self.state.epochs.len(), |best| best + 1);
        let stopped_early = self.state.position.epoch < self.recipe.epochs;
        let network = match self.best.clone() {
            Some(values) => self.network.with_values(values)?,
            None => self.current_network()?,
        };
        let Training { dataset, dataset_hash, seed, network_hash, .. } = self.state.training;
        let mut metadata = self.network.metadata().clone();
        metadata.training = Some(TrainingRecord {
            recipe: self.recipe.name.clone(),
            seed,
            epochs: self.state.epochs.len(),
            dataset: dataset.clone(),
            dataset_hash: dataset_hash.clone(),
            test_accuracy: None,
            command: self.options.command.clone(),
        });
        let network = network.with_metadata(metadata);
        let report = TrainReport {
            dataset,
            dataset_hash,
            recipe: self.recipe.name.clone(),
            settings: self.recipe.clone(),
            seed,
            train_images: self.split.train.len(),
            validation_images: self.split.validation.len(),
            best_epoch,
            stopped_early,
            seconds: self.state.epochs.iter().map(|epoch| epoch.seconds).sum(),
            epochs: self.state.epochs,
            initial_network_hash: network_hash,
            network_hash: network.hash(),
        };
        Ok(Trained { network, report })
    }
}

/// The parameters that training changes, in the trainer's order.
fn trainable(network: &Network) -> impl Iterator<Item = &Param> {
    network.params().iter().filter(|param| param.trainable)
}

/// Numbers in the trainer's order as one tensor for each trainable parameter.
fn of_trainable<'a>(
    prefix: &str,
    network: &'a Network,
    mut values: &'a [f32],
) -> Vec<TensorRef<'a>> {
    trainable(network)
        .map(|param| {
            let values = values.split_off(..param.values.len()).expect("one number each");
            tensor(prefix, param, values)
        })
        .collect()
}

fn tensor<'a>(prefix: &str, param: &'a Param, values: &'a [f32]) -> TensorRef<'a> {
    TensorRef { name: format!("{prefix}/{}", param.name), shape: &param.shape, values }
}

impl Training {
    fn new(network: &Network, images: &Images, recipe: &Recipe, options: &TrainOptions) -> Self {
        Self {
            network: network.name().into(),
            network_hash: network.hash(),
            dataset: options.dataset.clone(),
            dataset_hash: options.dataset_hash.clone(),
            images: images.len(),
            seed: options.seed,
            recipe: recipe.clone(),
        }
    }
}
