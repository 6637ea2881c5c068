//! Everything that decides how a network is trained, as data.

use serde::{Deserialize, Serialize};

use crate::{
    Augmentation, CrossEntropy, Decay, EarlyStopping, Elastic, Error, Result, Schedule, Sgd,
};

/// Everything that decides how a network is trained, apart from network, data and seed.
///
/// Serialises with serde; whatever is left out is as in [`Recipe::reference`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Name, as in results: `reference`, `best` or your own.
    pub name: String,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images in a batch; the last batch of an epoch has what is left.
    pub batch_size: usize,
    /// The learning rate that the schedule multiplies.
    pub learning_rate: f32,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Momentum, Nesterov, weight decay.
    pub optimizer: Sgd,
    /// What is minimised.
    pub loss: CrossEntropy,
    /// How training images are distorted.
    pub augmentation: Augmentation,
    /// Decay of the exponential moving average of the weights, above 0 and below 1, taken after
    /// every batch. The average is what is validated and returned. None: the weights themselves.
    pub weight_average: Option<f32>,
    /// Share of the training images held out to validate, 0 ..< 1.
    pub validation_fraction: f64,
    /// When to stop before the last epoch. Needs validation.
    pub early_stopping: Option<EarlyStopping>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self::reference()
    }
}

impl Recipe {
    /// The reference study's: SGD with learning rate 0.01 and momentum 0.9, cross-entropy, nothing
    /// else. The study does not say its batch size and number of epochs; these are Keras's usual 32
    /// and 12.
    pub fn reference() -> Self {
        Self {
            name: "reference".into(),
            epochs: 12,
            batch_size: 32,
            learning_rate: 0.01,
            schedule: Schedule::default(),
            optimizer: Sgd::default(),
            loss: CrossEntropy::default(),
            augmentation: Augmentation::default(),
            weight_average: None,
            validation_fraction: 0.0,
            early_stopping: None,
        }
    }

    /// What gets the most out of the reference network on MNIST: a cosine schedule with warm-up,
    /// weight decay and distorted images.
    pub fn best() -> Self {
        Self {
            name: "best".into(),
            epochs: 25,
            batch_size: 128,
            learning_rate: 0.05,
            schedule: Schedule { warmup_epochs: 1.0, decay: Decay::Cosine { final_factor: 0.0 } },
            optimizer: Sgd { momentum: 0.9, nesterov: true, weight_decay: 5e-4 },
            augmentation: Augmentation {
                shift: 2.0,
                rotation: 10.0,
                scale: 0.1,
                shear: 10.0,
                elastic: Some(Elastic { alpha: 20.0, sigma: 4.0 }),
                ..Augmentation::default()
            },
            ..Self::reference()
        }
    }

    /// The named recipes.
    pub fn all() -> [Self; 2] {
        [Self::reference(), Self::best()]
    }

    /// The recipe with this name.
    ///
    /// # Errors
    /// [`Error::Recipe`] with the names that there are.
    pub fn named(name: &str) -> Result<Self> {
        let all = Self::all();
        let names = all.each_ref().map(|recipe| recipe.name.clone()).join(", ");
        all.into_iter().find(|recipe| recipe.name == name).ok_or_else(|| Error::Recipe {
            recipe: name.into(),
            problem: format!("there is none of that name; there are {names}"),
        })
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Recipe`] naming the first setting that is out of its range.
    pub fn check(&self) -> Result<()> {
        let unit = |value: f64| (0.0..1.0).contains(&value);
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let not_negative = |value: f64| value.is_finite() && value >= 0.0;
        let Augmentation { shift, rotation, scale, shear, elastic, .. } = self.augmentation;
        let elastic = elastic.unwrap_or(Elastic { alpha: 0.0, sigma: 1.0 });
        let stopping = self.early_stopping.unwrap_or(EarlyStopping { patience: 1, min_delta: 0.0 });
        let decay_fits = match self.schedule.decay {
            Decay::Constant => true,
            Decay::Step { every_epochs, factor } => {
                positive(every_epochs) && (0.0..=1.0).contains(&factor)
            }
            Decay::Cosine { final_factor } => (0.0..=1.0).contains(&final_factor),
        };
        let Sgd { momentum, nesterov, weight_decay } = self.optimizer;
        let rules = [
            ((1..=1_000_000).contains(&self.epochs), "epochs must be 1 to 1000000"),
            ((1..=65_536).contains(&self.batch_size), "batch_size must be 1 to 65536"),
            (positive(self.learning_rate.into()), "learning_rate must be above 0"),
            (not_negative(self.schedule.warmup_epochs), "warmup_epochs must be 0 or more"),
            (decay_fits, "schedule: every_epochs must be above 0, factors 0 to 1"),
            (unit(momentum.into()), "momentum must be 0 or more and below 1"),
            (!nesterov || momentum > 0.0, "nesterov needs a momentum above 0"),
            (not_negative(weight_decay.into()), "weight_decay must be 0 or more"),
            (
                unit(self.loss.label_smoothing.into()),
                "label_smoothing must be 0 or more and below 1",
            ),
            (not_negative(shift.into()), "shift must be 0 or more (pixels)"),
            ((0.0..=180.0).contains(&rotation), "rotation must be 0 to 180 (degrees)"),
            (unit(scale.into()), "scale must be 0 or more and below 1"),
            ((0.0..90.0).contains(&shear), "shear must be 0 or more and below 90 (degrees)"),
            (not_negative(elastic.alpha.into()), "elastic alpha must be 0 or more (pixels)"),
            ((1.0..=1000.0).contains(&elastic.sigma), "elastic sigma must be 1 to 1000 (pixels)"),
            (
                self.weight_average.is_none_or(|decay| decay > 0.0 && decay < 1.0),
                "weight_average must be above 0 and below 1",
            ),
            (unit(self.validation_fraction), "validation_fraction must be 0 or more and below 1"),
            (
                self.early_stopping.is_none() || self.validation_fraction > 0.0,
                "early_stopping needs a validation_fraction above 0",
            ),
            (
                stopping.patience > 0 && not_negative(stopping.min_delta),
                "early_stopping: patience must be at least 1, min_delta 0 or more",
            ),
        ];
        match rules.iter().find(|(fits, _)| !fits) {
            None => Ok(()),
            Some((_, rule)) => {
                Err(Error::Recipe { recipe: self.name.clone(), problem: (*rule).into() })
            }
        }
    }

    /// What differs from `other`, as `setting: mine instead of theirs`; None where nothing does.
    ///
    /// More epochs do not count as long as the learning rate of a step does not depend on them.
    pub(crate) fn difference_from(&self, other: &Self) -> Option<String> {
        let longer = other.epochs > self.epochs && !self.schedule.depends_on_epochs();
        let fields = |recipe: &Self| match serde_json::to_value(recipe) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let theirs = fields(other);
        let differences: Vec<String> = fields(self)
            .iter()
            .filter(|(name, value)| theirs[*name] != **value && !(longer && *name == "epochs"))
            .map(|(name, value)| format!("{name} {value} instead of {}", theirs[name]))
            .collect();
        (!differences.is_empty()).then(|| differences.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_recipes_are_valid_and_found_by_name() {
        for recipe in Recipe::all() {
            recipe.check().unwrap();
            assert_eq!(Recipe::named(&recipe.name).unwrap(), recipe);
        }
        let message = Recipe::named("bset").unwrap_err().to_string();
        assert!(message.contains("reference, best"), "{message}");
    }

    #[test]
    fn the_reference_recipe_is_the_studys_and_nothing_else() {
        let recipe = Recipe::reference();
        assert_eq!((recipe.learning_rate, recipe.optimizer.momentum), (0.01, 0.9));
        assert_eq!(recipe.optimizer.weight_decay, 0.0);
        assert!(!recipe.optimizer.nesterov && recipe.augmentation.is_identity());
        assert_eq!(recipe.schedule, Schedule::default());
        assert_eq!(recipe.loss.label_smoothing, 0.0);
    }

    #[test]
    fn a_recipe_survives_json_and_may_leave_out_what_is_usual() {
        for recipe in Recipe::all() {
            let json = serde_json::to_string(&recipe).unwrap();
            assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), recipe);
        }
        let mine: Recipe = serde_json::from_str(r#"{"name": "mine", "epochs": 3}"#).unwrap();
        assert_eq!(mine, Recipe { name: "mine".into(), epochs: 3, ..Recipe::reference() });
        let misspelt = serde_json::from_str::<Recipe>(r#"{"epoch": 3}"#).unwrap_err();
        assert!(misspelt.to_string().contains("epochs"), "{misspelt}");
    }

    #[test]
    fn a_setting_out_of_range_is_named() {
        let cases = [
            (Recipe { epochs: 0, ..Recipe::best() }, "epochs"),
            (Recipe { batch_size: 0, ..Recipe::best() }, "batch_size"),
            (Recipe { learning_rate: f32::NAN, ..Recipe::best() }, "learning_rate"),
            (Recipe { validation_fraction: 1.0, ..Recipe::best() }, "validation_fraction"),
            (Recipe { weight_average: Some(1.0), ..Recipe::best() }, "weight_average"),
            (
                Recipe {
                    early_stopping: Some(EarlyStopping { patience: 2, min_delta: 0.0 }),
                    ..Recipe::best()
                },
                "early_stopping",
            ),
        ];
        for (recipe, setting) in cases {
            let message = recipe.check().unwrap_err().to_string();
            assert!(message.contains(setting), "{message}");
        }
    }

    #[test]
    fn differences_are_listed_and_a_longer_constant_training_is_none() {
        let short = Recipe::reference();
        let long = Recipe { epochs: 20, ..Recipe::reference() };
        assert_eq!(short.difference_from(&long), None);
        assert!(long.difference_from(&short).is_some());
        let best = Recipe { epochs: 30, ..Recipe::best() };
        let difference = Recipe::best().difference_from(&best).unwrap();
        assert_eq!(difference, format!("epochs {} instead of 30", Recipe::best().epochs));
    }
}
