//! Memory and accuracy over spectral radius and leak.

use cutaway_data::sequences::Sequences;
use serde::{Deserialize, Serialize};

use super::memory::{refuse_work, work};
use super::network::{EchoStateNetwork, FitOptions};
use super::{Memory, MemoryCapacity};
use crate::error::{Error, Result};

/// Where and how a map is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapOptions {
    /// The spectral radii.
    pub radii: Vec<f64>,
    /// The leaks.
    pub leaks: Vec<f64>,
    /// Memory capacity at each place, where it is wanted.
    pub memory: Option<Memory>,
    /// The reservoir and how its readout is fitted; radius and leak are the map's.
    pub fit: FitOptions,
    /// The most steps of all sequences together, at all places: more are refused before the work begins.
    pub most_steps: f64,
}

impl Default for MapOptions {
    fn default() -> MapOptions {
        MapOptions {
            radii: vec![0.1, 0.5, 0.8, 0.9, 0.99, 1.1, 1.3],
            leaks: vec![0.03, 0.1, 0.3, 0.6, 1.0],
            memory: Some(Memory { delays: Some(100), steps: Some(4000), ..Memory::default() }),
            fit: FitOptions::default(),
            most_steps: 2e7,
        }
    }
}

/// One number for each spectral radius and leak.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// The spectral radii: rows.
    pub radii: Vec<f64>,
    /// The leaks: columns.
    pub leaks: Vec<f64>,
    /// Total memory capacity, `[radii][leaks]`.
    pub memory: Option<Vec<Vec<f64>>>,
    /// The score on the validation part with the best ridge, `[radii][leaks]`: balanced accuracy, or the mean
    /// squared error where numbers are said.
    pub validation: Option<Vec<Vec<f64>>>,
}

impl Map {
    /// Measures at every place: memory with a reservoir of one input, and the score on `parts` (train,
    /// validation). One drawing of the weights is scaled to all radii.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for more steps than allowed; [`Error::Setting`] for no place and as
    /// [`EchoStateNetwork::fit`] and [`MemoryCapacity::of`].
    pub fn of(options: &MapOptions, parts: Option<(&Sequences, &Sequences)>) -> Result<Map> {
        check(options, parts)?;
        let settings = &options.fit.settings;
        let memory = match &options.memory {
            None => None,
            Some(memory) => {
                let drawn = settings.draw(1)?;
                let at = |radius, leak| {
                    Ok(MemoryCapacity::of(&drawn.weights(radius, leak), memory)?.total)
                };
                Some(everywhere(options, at)?)
            }
        };
        let validation = match parts {
            None => None,
            Some((train, validation)) => {
                let drawn = settings.draw(super::network::width(&train.inputs))?;
                let at = |radius, leak| {
                    let weights = drawn.weights(radius, leak);
                    EchoStateNetwork::fit_readout(weights, train, validation, &options.fit)?
                        .score(validation)
                };
                Some(everywhere(options, at)?)
            }
        };
        Ok(Map { radii: options.radii.clone(), leaks: options.leaks.clone(), memory, validation })
    }
}

fn everywhere(options: &MapOptions, at: impl Fn(f64, f64) -> Result<f64>) -> Result<Vec<Vec<f64>>> {
    let row = |&radius: &f64| options.leaks.iter().map(|&leak| at(radius, leak)).collect();
    options.radii.iter().map(row).collect()
}

fn check(options: &MapOptions, parts: Option<(&Sequences, &Sequences)>) -> Result<()> {
    let places = options.radii.len() * options.leaks.len();
    let leaks = options.leaks.iter().all(|&leak| leak > 0.0 && leak <= 1.0);
    let radii = options.radii.iter().all(|&radius| radius >= 0.0 && radius.is_finite());
    if places == 0 || !leaks || !radii {
        return Err(Error::Setting(format!(
            "a map of reservoirs: expected spectral radii of 0 or more and leaks above 0 and up to 1, at least \
             one of each, found {:?} and {:?}",
            options.radii, options.leaks
        )));
    }
    if let Some(memory) = &options.memory {
        let settings = &options.fit.settings;
        let nonzeros = settings.density * (settings.units as f64).powi(2);
        refuse_work(places as f64 * work(settings.units, nonzeros, memory))?;
    }
    let steps = |part: &Sequences| (0..part.len()).map(|s| part.length(s) as f64).sum::<f64>();
    let all = parts.map_or(0.0, |(train, validation)| steps(train) + 2.0 * steps(validation));
    let work = all * places as f64;
    if work > options.most_steps {
        return Err(Error::TooLarge {
            what: "a map of reservoirs, in steps of sequences".to_owned(),
            found: format!("{work:.1e}"),
            limit: format!("{:.1e}", options.most_steps),
            advice: "take fewer places or fewer sequences",
        });
    }
    Ok(())
}
