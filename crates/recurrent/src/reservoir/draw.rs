//! A reservoir drawn from a seed.

use super::random::{Purpose, Random};
use super::spectrum::spectral_radius;
use super::{Settings, Sparse, Weights, setting};
use crate::error::{Error, Result};

/// Weights as drawn, `W` with the spectral radius 1, to be scaled: the eigenvalues, which take longest, are
/// computed once for all radii and leaks.
#[derive(Clone, Debug)]
pub struct Drawn {
    settings: Settings,
    input: Sparse<f64>,
    recurrent: Sparse<f64>,
    bias: Vec<f64>,
}

impl Settings {
    /// Draws the weights for a number of inputs (or of symbols).
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting out of its range, and where so few weights were drawn that they form
    /// no cycle: no scaling gives such a `W` the spectral radius asked for. [`Error::TooLarge`] for too many
    /// units.
    pub fn draw(&self, inputs: usize) -> Result<Drawn> {
        self.check()?;
        if inputs == 0 {
            return Err(Error::Setting("a reservoir needs at least one input, found 0".to_owned()));
        }
        let recurrent = recurrent(self)?;
        let radius = spectral_radius(&recurrent)?;
        if radius == 0.0 && self.spectral_radius != 0.0 {
            return Err(Error::Setting(format!(
                "the recurrent weights drawn with seed {} and density {} have the spectral radius 0, \
                 which no scaling changes: take a greater density, more units or another seed",
                self.seed, self.density
            )));
        }
        let factor = if radius == 0.0 { 0.0 } else { 1.0 / radius };
        let mut random = Random::new(self.seed, Purpose::Bias);
        Ok(Drawn {
            input: input(self, inputs)?,
            recurrent: recurrent.map(|w| w * factor),
            bias: (0..self.units).map(|_| self.bias_scaling * random.symmetric()).collect(),
            settings: self.clone(),
        })
    }

    /// Draws the weights and scales them to these settings' spectral radius.
    ///
    /// # Errors
    /// As [`Self::draw`].
    pub fn weights(&self, inputs: usize) -> Result<Weights<f64>> {
        Ok(self.draw(inputs)?.weights(self.spectral_radius, self.leak))
    }
}

impl Drawn {
    /// The weights with a spectral radius and a leak.
    #[must_use]
    pub fn weights(&self, spectral_radius: f64, leak: f64) -> Weights<f64> {
        Weights {
            input: self.input.clone(),
            recurrent: self.recurrent.map(|w| w * spectral_radius),
            bias: self.bias.clone(),
            leak,
            activation: self.settings.activation,
        }
    }
}

/// `density · size` rounded, one at least.
fn share(density: f64, size: usize) -> usize {
    ((density * size as f64).round() as usize).clamp(1, size)
}

fn recurrent(settings: &Settings) -> Result<Sparse<f64>> {
    let units = settings.units;
    let mut random = Random::new(settings.seed, Purpose::Recurrent);
    let row = |_| {
        let sources = random.choose(share(settings.density, units), units);
        sources.into_iter().map(|source| (source, random.symmetric())).collect()
    };
    Sparse::new(units, (0..units).map(row).collect()).map_err(setting)
}

/// Input by input, so that each is heard by equally many units.
fn input(settings: &Settings, inputs: usize) -> Result<Sparse<f64>> {
    let units = settings.units;
    let mut random = Random::new(settings.seed, Purpose::Input);
    let mut rows = vec![Vec::new(); units];
    for input in 0..inputs {
        for unit in random.choose(share(settings.input_density, units), units) {
            rows[unit].push((input, settings.input_scaling * random.symmetric()));
        }
    }
    Sparse::new(inputs, rows).map_err(setting)
}
