//! What a reservoir is drawn from.

use serde::{Deserialize, Serialize};

use super::Activation;
use crate::error::{Error, Result};

/// The most units: the readout's normal equations take `units²` numbers.
const MOST_UNITS: usize = 8000;

/// The settings of an echo state network (Lukoševičius 2012, section 3.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Number of units, 1 to 8,000.
    pub units: usize,
    /// The largest modulus of an eigenvalue of `W`, from 0.
    pub spectral_radius: f64,
    /// `a` in `h(t) = (1 − a) h(t−1) + a tanh(…)`, above 0 and up to 1.
    pub leak: f64,
    /// Input weights are uniform in ± this.
    pub input_scaling: f64,
    /// Biases are uniform in ± this.
    pub bias_scaling: f64,
    /// Share of the units that a unit listens to, above 0 and up to 1; each to equally many, one at least.
    pub density: f64,
    /// Share of the units that listen to an input, above 0 and up to 1; one at least.
    pub input_density: f64,
    /// What a unit makes of its sum.
    pub activation: Activation,
    /// Of all random numbers.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            units: 500,
            spectral_radius: 0.9,
            leak: 0.3,
            input_scaling: 1.0,
            bias_scaling: 0.0,
            density: 0.1,
            input_density: 0.1,
            activation: Activation::Tanh,
            seed: 0,
        }
    }
}

impl Settings {
    /// # Errors
    /// [`Error::Setting`] with the one that is out of its range.
    pub(crate) fn check(&self) -> Result<()> {
        if self.units > MOST_UNITS {
            return Err(Error::TooLarge {
                what: "the number of units".to_owned(),
                found: self.units.to_string(),
                limit: MOST_UNITS.to_string(),
                advice: "take fewer units",
            });
        }
        let shares = 0.0..=1.0;
        for (what, value, fits, expected) in [
            ("units", self.units as f64, self.units > 0, "at least 1"),
            ("spectral radius", self.spectral_radius, self.spectral_radius >= 0.0, "0 or more"),
            (
                "leak",
                self.leak,
                self.leak != 0.0 && shares.contains(&self.leak),
                "above 0 and up to 1",
            ),
            ("input scaling", self.input_scaling, self.input_scaling >= 0.0, "0 or more"),
            ("bias scaling", self.bias_scaling, self.bias_scaling >= 0.0, "0 or more"),
            (
                "density",
                self.density,
                self.density != 0.0 && shares.contains(&self.density),
                "above 0 and up to 1",
            ),
            (
                "input density",
                self.input_density,
                self.input_density != 0.0 && shares.contains(&self.input_density),
                "above 0 and up to 1",
            ),
        ] {
            if !fits || !value.is_finite() {
                return Err(Error::Setting(format!(
                    "{what} of a reservoir: expected {expected}, found {value}"
                )));
            }
        }
        Ok(())
    }
}
