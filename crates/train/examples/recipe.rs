//! Trains the reference CNN by a recipe with one or several seeds and prints how well it did: the way
//! in which the named recipes' settings were chosen.
//!
//! Run: `cargo run --release -p cutaway-train --example recipe -- DATA RECIPE [--test] [SEED ...]`
//!
//! DATA is a data set's name or folder, RECIPE a name or a JSON file with the settings that differ
//! from `reference`. A recipe is chosen by the held-out images (`validation_fraction`); `--test` adds
//! the test set's accuracy, for the one that was chosen.

use std::time::Instant;

use cutaway_data::{OpenOptions, open};
use cutaway_engine::{Engine, Options};
use cutaway_net::presets::reference_cnn;
use cutaway_train::{EpochResult, Observer, Recipe, TrainOptions, evaluate, train};

struct Lines;

impl Observer for Lines {
    fn epoch(&mut self, result: &EpochResult) {
        eprintln!("{}", serde_json::to_string(result).expect("plain data"));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let test = arguments.iter().position(|argument| argument == "--test");
    let test = test.map(|place| arguments.remove(place)).is_some();
    let [data, recipe, seeds @ ..] = arguments.as_slice() else {
        return Err("usage: recipe DATA RECIPE [--test] [SEED ...]".into());
    };
    let data = open(data, &OpenOptions::default())?;
    let recipe: Recipe = match recipe.strip_suffix(".json") {
        Some(_) => serde_json::from_slice(&std::fs::read(recipe)?)?,
        None => Recipe::named(recipe)?,
    };
    for seed in seeds.iter().map(|seed| seed.parse::<u64>()) {
        let start = Instant::now();
        let seed = seed?;
        let options = TrainOptions {
            seed,
            dataset: data.name.clone(),
            dataset_hash: data.hash.clone(),
            ..TrainOptions::default()
        };
        let trained = train(&reference_cnn(seed), &data.train, &recipe, &options, &mut Lines)?;
        let last = trained.report.epochs[trained.report.best_epoch - 1];
        let mut line = serde_json::json!({
            "recipe": recipe.name,
            "seed": seed,
            "train_loss": last.train_loss,
            "validation_loss": last.validation_loss,
            "validation_accuracy": last.validation_accuracy,
            "minutes": start.elapsed().as_secs_f64() / 60.0,
        });
        if test {
            let engine = Engine::compile(&trained.network, &Options::default())?;
            line["test_accuracy"] = evaluate(&engine, &data.test)?.accuracy.into();
        }
        println!("{line}");
    }
    Ok(())
}
