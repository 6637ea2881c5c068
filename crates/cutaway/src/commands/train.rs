//! `cutaway train`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::net::{ConvSpec, Network, NetworkBuilder, onnx, presets};
use cutaway::train::{Evaluation, Recipe, TrainOptions, TrainReport, evaluate, train};
use serde_json::json;

use crate::args::{Common, Train, Training};
use crate::console::{self, TrainingBar};
use crate::error::{Error, Result};
use crate::figures;

pub(crate) fn run(verb: &Train, common: &Common) -> Result<()> {
    let dataset = super::open_data(&verb.data.data, common)?;
    let data = super::spelled(&verb.data.data, &dataset);
    let command = command("train", &data, &verb.training, common);
    let trained = train_model(&dataset, &verb.training, common, &verb.out, command)?;
    let Outcome { report, evaluation, path, .. } = &trained;
    let json = json!({
        "dataset": report.dataset, "dataset_hash": report.dataset_hash, "recipe": report.recipe,
        "settings": report.settings, "seed": report.seed, "epochs": report.epochs,
        "test_accuracy": evaluation.accuracy, "test_loss": evaluation.loss, "model": path,
        "model_hash": report.network_hash, "seconds": report.seconds
    });
    super::write_json(&verb.out.join("train.json"), &json)?;
    for (name, figure) in figures::of_training(&report.epochs)? {
        figures::save(&verb.out, name, &figure)?;
    }
    if common.json {
        return console::print_json(&json);
    }
    console::print(&format!(
        "Test accuracy {:.2} % ({} of {} wrong), loss {:.4}\nModel: {}\n",
        100.0 * evaluation.accuracy,
        wrong(evaluation),
        evaluation.count,
        evaluation.loss,
        path.display()
    ))
}

/// Images that were classified wrongly.
pub(crate) fn wrong(evaluation: &Evaluation) -> u64 {
    let right: u64 = (0..evaluation.confusion.len()).map(|i| evaluation.confusion[i][i]).sum();
    evaluation.count as u64 - right
}

/// A trained model with what is known of it.
pub(crate) struct Outcome {
    pub(crate) model: Model,
    pub(crate) report: TrainReport,
    pub(crate) evaluation: Evaluation,
    pub(crate) path: PathBuf,
}

/// Trains the reference CNN, evaluates it once on the test images and saves it in the folder, which
/// is made as soon as the arguments are known to make sense.
pub(crate) fn train_model(
    dataset: &Dataset,
    training: &Training,
    common: &Common,
    folder: &Path,
    command: String,
) -> Result<Outcome> {
    let recipe = recipe(training)?;
    let network = network_for(dataset, common.seed)?;
    let checkpoint = folder.join("checkpoint.safetensors");
    if training.resume && !checkpoint.exists() {
        return Err(Error::Usage(format!(
            "--resume: there is no checkpoint at {}; start without --resume",
            checkpoint.display()
        )));
    }
    let engine = common.engine()?;
    super::make_folder(folder)?;
    let options = TrainOptions {
        seed: common.seed,
        dataset: dataset.name.clone(),
        dataset_hash: dataset.hash.clone(),
        command,
        engine,
        checkpoint: Some(checkpoint),
        metrics: Some(folder.join("metrics.csv")),
        resume: training.resume,
        interrupt: interrupt(),
    };
    if !common.quiet {
        console::say(&format!(
            "training the reference CNN ({} parameters) on {} ({} images), recipe {}, {}",
            cutaway::net::summary(&network).total_params,
            dataset.name,
            dataset.train.len(),
            recipe.name,
            epochs(recipe.epochs)
        ));
    }
    let mut bar = TrainingBar::new(common.quiet);
    let trained = train(&network, &dataset.train, &recipe, &options, &mut bar)?;
    drop(bar);
    let model = Model::new(&trained.network, "", &options.engine)?;
    let evaluation = evaluate(model.engine(), &dataset.test)?;
    let mut metadata = trained.network.metadata().clone();
    if let Some(record) = &mut metadata.training {
        record.test_accuracy = Some(evaluation.accuracy);
    }
    let network = trained.network.with_metadata(metadata);
    let path = folder.join("model.onnx");
    onnx::save(&network, &path)?;
    let model = Model::new(&network, &path.display().to_string(), &options.engine)?;
    Ok(Outcome { model, report: trained.report, evaluation, path })
}

/// A count of epochs in words.
pub(crate) fn epochs(count: usize) -> String {
    format!("{count} epoch{}", if count == 1 { "" } else { "s" })
}

fn recipe(training: &Training) -> Result<Recipe> {
    let mut recipe = Recipe::named(&training.recipe)?;
    if let Some(epochs) = training.epochs {
        recipe.epochs = epochs as usize;
        let warm_up = &mut recipe.schedule.warmup_epochs;
        *warm_up = warm_up.min(epochs as f64 / 4.0);
    }
    if let Some(size) = training.batch_size {
        recipe.batch_size = size as usize;
    }
    Ok(recipe)
}

/// Of smaller images nothing is left after the reference CNN's four convolutions and two poolings.
const SMALLEST: usize = 20;

/// The reference CNN for the data set's images: the published one for 28×28 grey images of ten
/// classes, else the same layers for another size.
fn network_for(dataset: &Dataset, seed: u64) -> Result<Network> {
    let (h, w, c) = (dataset.train.height, dataset.train.width, dataset.train.channels);
    if h.min(w) < SMALLEST {
        return Err(Error::Usage(format!(
            "{} has images of {h}×{w} pixels, but the reference CNN needs at least \
             {SMALLEST}×{SMALLEST}; enlarge them",
            dataset.name
        )));
    }
    let network = match (h, w, c, dataset.classes()) {
        (28, 28, 1, 10) => presets::reference_cnn(seed),
        (h, w, c, classes) => NetworkBuilder::new("reference-cnn")
            .input("input", &[c, h, w])
            .conv("conv1", ConvSpec::new(32, 5))
            .relu("relu1")
            .conv("conv2", ConvSpec::new(32, 5))
            .relu("relu2")
            .max_pool("pool1", 2)
            .conv("conv3", ConvSpec::new(64, 3))
            .relu("relu3")
            .conv("conv4", ConvSpec::new(64, 3))
            .relu("relu4")
            .max_pool("pool2", 2)
            .flatten("flatten")
            .dense("dense1", 100)
            .relu("relu5")
            .dense("logits", classes)
            .output()
            .softmax("probabilities")
            .output()
            .build(seed)?,
    };
    let mut metadata = network.metadata().clone();
    metadata.labels = dataset.labels.clone();
    Ok(network.with_metadata(metadata))
}

/// The command that repeats a training on `data`, quoted as the shell needs it.
pub(crate) fn command(verb: &str, data: &str, training: &Training, common: &Common) -> String {
    let mut command = format!("cutaway {verb} --data {data} --recipe {}", training.recipe);
    for (flag, value) in [("epochs", training.epochs), ("batch-size", training.batch_size)] {
        if let Some(value) = value {
            command += &format!(" --{flag} {value}");
        }
    }
    command += &format!(" --seed {}", common.seed);
    if common.isa != "auto" {
        command += &format!(" --isa {}", common.isa);
    }
    command
}

/// A flag that Ctrl-C sets. A second Ctrl-C ends the program at once: every file is written
/// atomically, so nothing is left half-written.
fn interrupt() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&flag);
    // A handler can be set once only; without it Ctrl-C ends the program at once.
    let _ = ctrlc::set_handler(move || {
        if handler.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    flag
}
