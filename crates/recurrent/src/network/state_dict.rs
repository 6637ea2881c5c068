//! PyTorch's state dicts: parameters by name, in safetensors files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cutaway_net::tensor_file::{self, Tensor, TensorRef};

use super::network::{Network, Part};
use crate::error::{Error, Result};

impl Network {
    /// Takes all parameters from a safetensors file of 32-bit floats, as
    /// `safetensors.torch.save_file(module.state_dict(), path)` writes it. The module has `embedding`
    /// (`nn.Embedding`), `rnn` (`nn.RNN`, `nn.LSTM`, `nn.GRU`) and `head` (`nn.Linear`); the recurrent one may have another
    /// name. Every parameter must be there in its shape, and nothing else.
    ///
    /// # Errors
    /// [`Error::Read`] where the file cannot be read; [`Error::File`] with what is wrong in it.
    pub fn load_state_dict(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let io = |source| Error::Read { path: path.to_owned(), source };
        // Parameters and a generous header.
        let largest = 4 * self.count() as u64 + (1 << 20);
        let size = fs::metadata(path).map_err(io)?.len();
        let loaded = match size > largest {
            true => Err(Error::Sequences(format!(
                "it has {size} bytes, and a state dict of this network at most {largest}"
            ))),
            false => self.load_state_dict_bytes(&fs::read(path).map_err(io)?),
        };
        loaded.map_err(|error| Error::File { path: path.to_owned(), error: Box::new(error) })
    }

    /// As [`Self::load_state_dict`], from memory.
    ///
    /// # Errors
    /// [`Error::Sequences`] with what is wrong; the network is then as it was.
    pub fn load_state_dict_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let (_, tensors) = tensor_file::read(bytes).map_err(|problem| {
            Error::Sequences(format!("not a safetensors file of 32-bit floats: {problem}"))
        })?;
        let mut values = vec![0.0; self.count()];
        for part in self.parts() {
            let tensor = find(&tensors, part)?;
            values[part.range.clone()].copy_from_slice(&tensor.values);
        }
        if tensors.len() != self.parts().len() {
            let ours = |tensor: &&Tensor| !self.parts().iter().any(|part| is(tensor, part));
            let others: Vec<&str> = tensors.iter().filter(ours).map(|t| t.name.as_str()).collect();
            return Err(Error::Sequences(format!(
                "parameters that this network does not have: {}",
                others.join(", ")
            )));
        }
        self.values_mut().copy_from_slice(&values);
        Ok(())
    }

    /// Writes all parameters, all or nothing; in Python `safetensors.torch.load_file` reads them.
    ///
    /// # Errors
    /// [`Error::Sequences`] where the file cannot be written.
    pub fn save_state_dict(&self, path: impl AsRef<Path>) -> Result<()> {
        let tensor = |part: &'_ Part| (part.name.clone(), part.shape.clone(), part.range.clone());
        let parts: Vec<_> = self.parts().iter().map(tensor).collect();
        let tensors: Vec<TensorRef<'_>> = parts
            .iter()
            .map(|(name, shape, range)| TensorRef {
                name: name.clone(),
                shape,
                values: &self.values()[range.clone()],
            })
            .collect();
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        cutaway_data::write_atomically(path.as_ref(), |out| {
            tensor_file::write(out, metadata, &tensors)
        })
        .map_err(|error| Error::Sequences(error.to_string()))
    }
}

fn find<'a>(tensors: &'a [Tensor], part: &Part) -> Result<&'a Tensor> {
    let mut found = tensors.iter().filter(|tensor| is(tensor, part));
    let names = || tensors.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ");
    match (found.next(), found.next()) {
        (Some(tensor), None) if tensor.shape == part.shape => Ok(tensor),
        (Some(tensor), None) => Err(Error::Size {
            what: format!("shape of {}", tensor.name),
            expected: format!("{:?}", part.shape),
            found: format!("{:?}", tensor.shape),
        }),
        (None, _) => {
            Err(Error::Sequences(format!("no parameter {}; there are {}", part.name, names())))
        }
        _ => Err(Error::Sequences(format!("several parameters {}: {}", part.name, names()))),
    }
}

/// Whether a tensor is a part: of the same name, or a recurrent one under another module's name.
fn is(tensor: &Tensor, part: &Part) -> bool {
    tensor.name == part.name
        || part.name.strip_prefix("rnn.").is_some_and(|name| {
            tensor
                .name
                .strip_suffix(name)
                .is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        })
}
