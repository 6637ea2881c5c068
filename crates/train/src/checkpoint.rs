//! The state of a training in a file, so that it can go on later as if nothing had happened.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use cutaway_net::tensor_file::{self, Tensor, TensorRef};
use cutaway_net::{Network, Param};
use serde::{Deserialize, Serialize};

use crate::{EpochResult, Error, Recipe, Result};

/// The state of a training: what it is a training of, how far it is, and all numbers it needs to go
/// on to the same bits.
///
/// Kept as a safetensors file: tensors `network/NAME` (all parameters, and the running statistics of
/// batch normalisation), `velocity/NAME`, `average/NAME` (trainable parameters) and `best/NAME`;
/// under the metadata key `cutaway` a JSON object with the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    pub(crate) state: State,
    pub(crate) tensors: Vec<Tensor>,
}

/// The part of a checkpoint that is not tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) training: Training,
    pub(crate) position: Position,
    pub(crate) epochs: Vec<EpochResult>,
}

/// What a checkpoint is a training of. Another training cannot go on from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Training {
    pub(crate) network: String,
    pub(crate) network_hash: String,
    pub(crate) dataset: String,
    pub(crate) dataset_hash: String,
    pub(crate) images: usize,
    pub(crate) seed: u64,
    pub(crate) recipe: Recipe,
}

/// Where in the training: epochs done, and what is done of the one under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    pub(crate) epoch: usize,
    pub(crate) batch: usize,
    pub(crate) images_done: usize,
    pub(crate) loss_sum: f64,
    pub(crate) correct: usize,
    pub(crate) seconds: f64,
}

/// The prefixes of a checkpoint's tensors.
pub(crate) const NETWORK: &str = "network";
pub(crate) const VELOCITY: &str = "velocity";
pub(crate) const AVERAGE: &str = "average";
pub(crate) const BEST: &str = "best";

const KEY: &str = "cutaway";
const FORMAT: (&str, &str) = ("format", "cutaway-checkpoint-1");

/// A checkpoint is at most this large: four copies of the parameters and a generous header.
fn largest(network: &Network) -> u64 {
    let values: usize = network.params().iter().map(|param| param.values.len()).sum();
    values as u64 * 16 + (64 << 20)
}

impl Checkpoint {
    /// Reads a checkpoint of a training of `network`.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be read, [`Error::Checkpoint`] where it is damaged, cut
    /// off, too large or none at all.
    pub fn load(path: &Path, network: &Network) -> Result<Self> {
        let io = |source| Error::io(path, "read", source);
        let size = fs::metadata(path).map_err(io)?.len();
        if size > largest(network) {
            return Err(Error::Checkpoint {
                path: path.into(),
                problem: format!(
                    "it has {size} bytes, one of network {:?} has at most {}",
                    network.name(),
                    largest(network)
                ),
            });
        }
        Self::from_bytes(&fs::read(path).map_err(io)?)
            .map_err(|problem| Error::Checkpoint { path: path.into(), problem })
    }

    /// Reads a checkpoint from memory.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (metadata, tensors) = tensor_file::read(bytes)?;
        if metadata.get(FORMAT.0).map(String::as_str) != Some(FORMAT.1) {
            return Err(format!(
                "its metadata do not say {}: {:?}; a file of another program or version",
                FORMAT.0, FORMAT.1
            ));
        }
        let state = metadata.get(KEY).ok_or_else(|| format!("its metadata lack {KEY:?}"))?;
        let state: State =
            serde_json::from_str(state).map_err(|error| format!("its {KEY:?} entry: {error}"))?;
        state.training.recipe.check().map_err(|error| error.to_string())?;
        state.check()?;
        Ok(Self { state, tensors })
    }

    /// The recipe of the training.
    pub fn recipe(&self) -> &Recipe {
        &self.state.training.recipe
    }

    /// The seed of the training.
    pub fn seed(&self) -> u64 {
        self.state.training.seed
    }

    /// Name of the data set of the training.
    pub fn dataset(&self) -> &str {
        &self.state.training.dataset
    }

    /// The epochs that are done.
    pub fn epochs(&self) -> &[EpochResult] {
        &self.state.epochs
    }

    /// Refuses to go on with another training than `wanted`.
    pub(crate) fn check_is_of(&self, wanted: &Training, path: &Path) -> Result<()> {
        match self.state.training.difference_from(wanted) {
            None => Ok(()),
            Some(difference) => Err(Error::OtherTraining { path: path.into(), difference }),
        }
    }

    /// The tensors under `prefix`, one for each of `params`, in their order.
    pub(crate) fn values(
        &self,
        prefix: &str,
        params: &[&Param],
        path: &Path,
    ) -> Result<Vec<Arc<[f32]>>> {
        let found: BTreeMap<&str, &Tensor> =
            self.tensors.iter().map(|tensor| (&*tensor.name, tensor)).collect();
        let problem = |problem| Error::Checkpoint { path: path.into(), problem };
        params
            .iter()
            .map(|param| {
                let name = format!("{prefix}/{}", param.name);
                let tensor = found
                    .get(&*name)
                    .ok_or_else(|| problem(format!("tensor {name:?} is missing")))?;
                if tensor.shape != param.shape {
                    return Err(problem(format!(
                        "tensor {name:?} has shape {:?}, expected {:?}",
                        tensor.shape, param.shape
                    )));
                }
                if tensor.values.iter().any(|value| !value.is_finite()) {
                    return Err(problem(format!("tensor {name:?} has values that are not finite")));
                }
                Ok(tensor.values.as_slice().into())
            })
            .collect()
    }
}

impl State {
    /// Refuses states that no training writes.
    fn check(&self) -> Result<(), String> {
        let Position { epoch, batch, images_done, loss_sum, correct, seconds } = self.position;
        let Training { images, recipe, .. } = &self.training;
        let numbers_fit = loss_sum.is_finite() && seconds.is_finite() && seconds >= 0.0;
        let in_order = self.epochs.iter().zip(1..).all(|(result, epoch)| result.epoch == epoch);
        let fits = numbers_fit
            && in_order
            && epoch == self.epochs.len()
            && epoch <= recipe.epochs
            && images_done <= *images
            && correct <= images_done
            && (batch == 0 || epoch < recipe.epochs)
            && batch.checked_mul(recipe.batch_size) == Some(images_done);
        if !fits {
            return Err(format!(
                "its position (epoch {epoch}, batch {batch}, {images_done} images) does not fit \
                 its {} epochs, {images} images and recipe",
                self.epochs.len()
            ));
        }
        Ok(())
    }

    /// Writes the state and `tensors` as a checkpoint, atomically.
    pub(crate) fn save(&self, path: &Path, tensors: &[TensorRef<'_>]) -> Result<()> {
        let state = serde_json::to_string(self).expect("a state is plain data");
        let metadata =
            BTreeMap::from([(FORMAT.0.into(), FORMAT.1.into()), (KEY.to_owned(), state)]);
        cutaway_data::write_atomically(path, |out| tensor_file::write(out, metadata, tensors))?;
        Ok(())
    }
}

impl Training {
    fn difference_from(&self, wanted: &Self) -> Option<String> {
        let differs = |what: &str, mine: &str, theirs: &str| {
            (mine != theirs).then(|| format!("{what} {mine} instead of {theirs}"))
        };
        let recipe = self.recipe.difference_from(&wanted.recipe);
        differs("it is of network", &self.network, &wanted.network)
            .or_else(|| differs("its seed is", &self.seed.to_string(), &wanted.seed.to_string()))
            .or_else(|| differs("its data set is", &self.dataset, &wanted.dataset))
            .or_else(|| differs("its data have hash", &self.dataset_hash, &wanted.dataset_hash))
            .or_else(|| {
                let [mine, theirs] = [self.images, wanted.images].map(|count| count.to_string());
                differs("its number of training images is", &mine, &theirs)
            })
            .or_else(|| differs("its recipe is", &self.recipe.name, &wanted.recipe.name))
            .or_else(|| recipe.map(|difference| format!("its recipe has {difference}")))
            .or_else(|| {
                differs(
                    "it began with a network of the same name with hash",
                    &self.network_hash,
                    &wanted.network_hash,
                )
            })
    }
}
