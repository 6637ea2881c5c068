//! The training loop as its callers see it, on a tiny network and tiny images.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cutaway_data::Images;
use cutaway_engine::Engine;
use cutaway_net::{ConvSpec, Network, NetworkBuilder};
use cutaway_train::{
    Augmentation, Decay, EarlyStopping, Elastic, EpochResult, Error, Observer, Progress, Recipe,
    Schedule, TrainOptions, Trained, evaluate, train,
};

/// Has everything that keeps state or draws random numbers: batch normalisation and dropout.
fn network() -> Network {
    NetworkBuilder::new("tiny")
        .input("input", &[1, 8, 8])
        .conv("conv", ConvSpec::new(4, 3))
        .batch_norm("norm")
        .relu("relu")
        .max_pool("pool", 2)
        .flatten("flat")
        .dropout("dropout", 0.2)
        .dense("logits", 3)
        .softmax("probabilities")
        .build(7)
        .unwrap()
}

/// Three classes: a bright bar at the top, at the left, and along the diagonal, in noise.
fn images(count: usize) -> Images {
    let mut pixels = vec![];
    let mut labels = vec![];
    let mut noise = 1u32;
    for index in 0..count {
        let class = (index * 7 + index / 5) % 3;
        for y in 0..8 {
            for x in 0..8 {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let bright = [y == 2, x == 2, x == y][class];
                pixels.push((noise >> 26) as u8 + if bright { 190 } else { 0 });
            }
        }
        labels.push(class as u16);
    }
    Images::new(8, 8, 1, pixels, labels).unwrap()
}

/// Uses everything a recipe can have. 100 images of which 20 are held out: 80 in batches of 16, so
/// five an epoch; with 90 images the last batch is smaller.
fn recipe() -> Recipe {
    Recipe {
        name: "everything".into(),
        epochs: 3,
        batch_size: 16,
        learning_rate: 0.1,
        schedule: Schedule { warmup_epochs: 0.5, decay: Decay::Cosine { final_factor: 0.1 } },
        augmentation: Augmentation {
            shift: 1.0,
            rotation: 5.0,
            elastic: Some(Elastic { alpha: 4.0, sigma: 2.0 }),
            ..Augmentation::default()
        },
        weight_average: Some(0.9),
        validation_fraction: 0.2,
        early_stopping: Some(EarlyStopping { patience: 5, min_delta: 0.0 }),
        ..Recipe::reference()
    }
}

fn options(folder: &Path) -> TrainOptions {
    TrainOptions {
        seed: 11,
        dataset: "bars".into(),
        dataset_hash: "b0b0".into(),
        checkpoint: Some(folder.join("checkpoint.safetensors")),
        metrics: Some(folder.join("metrics.csv")),
        ..TrainOptions::default()
    }
}

/// Everything of a result but the time it took.
fn essence(trained: &Trained) -> (String, Vec<EpochResult>) {
    let timeless =
        |epoch: &EpochResult| EpochResult { seconds: 0.0, images_per_second: 0.0, ..*epoch };
    (trained.network.hash(), trained.report.epochs.iter().map(timeless).collect())
}

/// Interrupts after a number of batches.
struct StopAfter {
    batches: usize,
    flag: Arc<AtomicBool>,
}

impl Observer for StopAfter {
    fn batch(&mut self, _: &Progress) {
        self.batches -= 1;
        self.flag.store(self.batches == 0, Ordering::Relaxed);
    }
}

#[test]
fn a_network_learns_and_tells_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let images = images(300);
    let recipe = Recipe { epochs: 8, ..recipe() };
    let trained = train(&network(), &images, &recipe, &options(folder.path()), &mut ()).unwrap();
    let report = &trained.report;
    assert_eq!((report.train_images, report.validation_images), (240, 60));
    assert_eq!(report.epochs.len(), 8);
    assert!(report.epochs[7].train_loss < report.epochs[0].train_loss);
    let best = report.epochs[report.best_epoch - 1];
    assert!(best.validation_accuracy.unwrap() > 0.9, "{best:?}");
    assert_eq!(report.network_hash, trained.network.hash());

    let record = trained.network.metadata().training.as_ref().unwrap();
    assert_eq!((record.recipe.as_str(), record.seed, record.epochs), ("everything", 11, 8));

    let engine = Engine::compile(&trained.network, &Default::default()).unwrap();
    assert!(evaluate(&engine, &images).unwrap().accuracy > 0.9);
}

#[test]
fn threads_do_not_change_a_bit() {
    let images = images(90);
    let with = |threads| {
        let mut options = TrainOptions { seed: 3, ..TrainOptions::default() };
        options.engine.threads = threads;
        essence(&train(&network(), &images, &recipe(), &options, &mut ()).unwrap())
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(3));
}

#[test]
fn another_seed_gives_another_result() {
    let images = images(90);
    let with = |seed| {
        let options = TrainOptions { seed, ..TrainOptions::default() };
        train(&network(), &images, &recipe(), &options, &mut ()).unwrap().network.hash()
    };
    assert_ne!(with(1), with(2));
}

#[test]
fn a_training_resumed_after_any_interruption_ends_in_the_same_bits() {
    let images = images(90);
    let whole_folder = tempfile::tempdir().unwrap();
    let whole =
        train(&network(), &images, &recipe(), &options(whole_folder.path()), &mut ()).unwrap();
    // 72 images to train on: 5 batches an epoch, 15 in all. Stop within and at the end of epochs,
    // each time going on from where the last run stopped.
    for stops in [vec![1], vec![5], vec![12], vec![2, 3, 1, 4], vec![14]] {
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(folder.path());
        for batches in stops {
            let mut observer = StopAfter { batches, flag: options.interrupt.clone() };
            let error = train(&network(), &images, &recipe(), &options, &mut observer).unwrap_err();
            assert!(matches!(error, Error::Interrupted { .. }), "{error}");
            assert!(error.to_string().contains("--resume"), "{error}");
            options.interrupt.store(false, Ordering::Relaxed);
            options.resume = true;
        }
        let resumed = train(&network(), &images, &recipe(), &options, &mut ()).unwrap();
        assert_eq!(essence(&resumed), essence(&whole));
        let lines = |folder: &Path| {
            let text = std::fs::read_to_string(folder.join("metrics.csv")).unwrap();
            // All but the last two columns, which are times.
            text.lines().map(|line| line.rsplitn(3, ',').last().unwrap().into()).collect()
        };
        let expected: Vec<String> = lines(whole_folder.path());
        assert_eq!(lines(folder.path()), expected);
        assert_eq!(expected.len(), 4);
    }
}

#[test]
fn resuming_a_finished_training_gives_its_result_again() {
    let folder = tempfile::tempdir().unwrap();
    let images = images(90);
    let mut options = options(folder.path());
    let first = train(&network(), &images, &recipe(), &options, &mut ()).unwrap();
    options.resume = true;
    let again = train(&network(), &images, &recipe(), &options, &mut ()).unwrap();
    assert_eq!(again.report, first.report);
}

#[test]
fn a_training_with_a_constant_rate_can_be_made_longer() {
    let images = images(60);
    let short = Recipe { epochs: 2, ..Recipe::reference() };
    let long = Recipe { epochs: 4, ..Recipe::reference() };
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    train(&network(), &images, &short, &options, &mut ()).unwrap();
    options.resume = true;
    let extended = train(&network(), &images, &long, &options, &mut ()).unwrap();
    options.resume = false;
    let whole = train(&network(), &images, &long, &options, &mut ()).unwrap();
    assert_eq!(essence(&extended), essence(&whole));
}

#[test]
fn a_checkpoint_of_another_training_is_refused_with_the_difference() {
    let folder = tempfile::tempdir().unwrap();
    let images = images(60);
    let recipe = Recipe { epochs: 1, ..recipe() };
    let base = TrainOptions { resume: true, ..options(folder.path()) };
    train(&network(), &images, &recipe, &options(folder.path()), &mut ()).unwrap();

    let message = |network: &Network, recipe: &Recipe, options: &TrainOptions| {
        train(network, &images, recipe, options, &mut ()).unwrap_err().to_string()
    };
    let slower = Recipe { learning_rate: 0.05, ..recipe.clone() };
    let seed = TrainOptions { seed: 12, ..base.clone() };
    let data = TrainOptions { dataset_hash: "c0c0".into(), ..base.clone() };
    let other = NetworkBuilder::new("tiny")
        .input("input", &[1, 8, 8])
        .flatten("flat")
        .dense("logits", 3)
        .build(7)
        .unwrap();
    let cases = [
        (message(&network(), &slower, &base), "learning_rate 0.1"),
        (message(&network(), &recipe, &seed), "seed is 11 instead of 12"),
        (message(&network(), &recipe, &data), "b0b0 instead of c0c0"),
        (message(&other, &recipe, &base), "network of the same name"),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("checkpoint.safetensors"), "{message}");
    }
}

#[test]
fn a_damaged_or_missing_checkpoint_is_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let images = images(60);
    let recipe = Recipe { epochs: 1, ..recipe() };
    let options = TrainOptions { resume: true, ..options(folder.path()) };
    let path = options.checkpoint.clone().unwrap();
    let run = || train(&network(), &images, &recipe, &options, &mut ());

    let missing = run().unwrap_err();
    assert!(missing.to_string().contains("checkpoint.safetensors"), "{missing}");
    let fresh = TrainOptions { resume: false, ..options.clone() };
    train(&network(), &images, &recipe, &fresh, &mut ()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 4, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = run().unwrap_err();
        assert!(matches!(error, Error::Checkpoint { .. }), "{length} bytes: {error}");
    }
    std::fs::write(&path, vec![b'x'; 100 << 20]).unwrap();
    assert!(run().unwrap_err().to_string().contains("at most"));
    std::fs::write(&path, &whole).unwrap();
    run().unwrap();
}

#[test]
fn an_interruption_without_a_checkpoint_says_that_nothing_is_kept() {
    let options = TrainOptions::default();
    options.interrupt.store(true, Ordering::Relaxed);
    let error = train(&network(), &images(60), &recipe(), &options, &mut ()).unwrap_err();
    assert!(error.to_string().contains("start again"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder.path().join("missing"));
    let error = train(&network(), &images(60), &recipe(), &options, &mut ()).unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn a_diverging_training_stops_and_says_at_which_rate() {
    let recipe = Recipe { learning_rate: 1e30, ..Recipe::reference() };
    let error = train(&network(), &images(60), &recipe, &TrainOptions::default(), &mut ());
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
}

#[test]
fn images_and_labels_that_the_network_cannot_take_are_refused() {
    let options = TrainOptions::default();
    let wide = Images::new(4, 16, 1, vec![0; 64], vec![0]).unwrap();
    let error = train(&network(), &wide, &recipe(), &options, &mut ()).unwrap_err();
    assert!(error.to_string().contains("[1, 4, 16]"), "{error}");
    let unknown = Images::new(8, 8, 1, vec![0; 64], vec![3]).unwrap();
    let error = train(&network(), &unknown, &recipe(), &options, &mut ()).unwrap_err();
    assert!(error.to_string().contains("label 3"), "{error}");
    let none = Images::new(8, 8, 1, vec![], vec![]).unwrap();
    assert!(train(&network(), &none, &recipe(), &options, &mut ()).is_err());
}

#[test]
fn early_stopping_returns_the_best_epochs_network() {
    let images = images(60);
    // Noise in the labels' place: a rate this high cannot keep improving for 200 epochs.
    let recipe = Recipe {
        epochs: 200,
        learning_rate: 0.3,
        batch_size: 4,
        validation_fraction: 0.3,
        early_stopping: Some(EarlyStopping { patience: 3, min_delta: 0.0 }),
        ..Recipe::reference()
    };
    let options = TrainOptions::default();
    let trained = train(&network(), &images, &recipe, &options, &mut ()).unwrap();
    let report = &trained.report;
    assert!(report.stopped_early);
    assert_eq!(report.epochs.len(), report.best_epoch + 3);
    let exact = Recipe { epochs: report.best_epoch, early_stopping: None, ..recipe };
    let shorter = train(&network(), &images, &exact, &options, &mut ()).unwrap();
    assert_eq!(shorter.network.hash(), report.network_hash);
}

#[test]
fn progress_counts_every_image_once() {
    #[derive(Default)]
    struct Count {
        batches: usize,
        epochs: usize,
    }
    impl Observer for Count {
        fn batch(&mut self, progress: &Progress) {
            self.batches += 1;
            assert_eq!(progress.images, 72);
            assert!(progress.train_loss.is_finite() && progress.remaining_seconds() >= 0.0);
            if self.batches.is_multiple_of(5) {
                assert_eq!(progress.images_done, 72);
            }
        }
        fn epoch(&mut self, result: &EpochResult) {
            self.epochs += 1;
            assert_eq!(result.epoch, self.epochs);
        }
    }
    let mut count = Count::default();
    train(&network(), &images(90), &recipe(), &TrainOptions::default(), &mut count).unwrap();
    assert_eq!((count.batches, count.epochs), (15, 3));
}
