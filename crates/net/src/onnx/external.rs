//! Weights that are kept in a file beside the model.
//!
//! A model names that file, so it is not to be trusted: only files inside the model's own folder are
//! read, links are followed before that is decided, and nothing is allocated that is not there.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use super::proto::{TensorProto, data_type};
use crate::shape::elements;

/// The bytes of a tensor of these sizes.
pub(crate) fn read(
    proto: &TensorProto,
    dims: &[usize],
    folder: Option<&Path>,
) -> Result<Vec<u8>, String> {
    let entry = |key: &str| {
        let mut entries = proto.external_data.iter();
        let found = entries.find(|entry| entry.key.as_deref() == Some(key));
        found.and_then(|entry| entry.value.as_deref())
    };
    let location = entry("location").unwrap_or_default();
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| {
            format!("its values are in {location:?} with {key} {text:?}; expected a whole number")
        }),
    };
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    let path = place(location, folder)?;
    let mut file = File::open(&path).map_err(|error| {
        format!("its values are in {location:?} beside the model, which cannot be read: {error}")
    })?;
    let size = file.metadata().map_err(|error| format!("{location:?}: {error}"))?.len();
    let bytes = length.unwrap_or_else(|| size.saturating_sub(offset));
    let wanted = elements(dims)
        .ok_or_else(|| format!("its shape {dims:?} has more elements than are supported"))?
        as u64
        * data_type::bytes(proto.data_type.unwrap_or(0));
    if bytes != wanted || offset.checked_add(bytes).is_none_or(|end| end > size) {
        return Err(format!(
            "its shape {dims:?} means {wanted} bytes; expected them in {location:?} from byte {offset}, \
             but {bytes} are announced there and the file has {size}"
        ));
    }
    let mut values = vec![0; usize::try_from(bytes).unwrap_or(0)];
    file.seek(SeekFrom::Start(offset))
        .and_then(|_| file.read_exact(&mut values))
        .map_err(|error| format!("its values in {location:?} cannot be read: {error}"))?;
    Ok(values)
}

/// The file, where it lies in the folder.
fn place(location: &str, folder: Option<&Path>) -> Result<std::path::PathBuf, String> {
    let Some(folder) = folder else {
        return Err(format!(
            "its values are in another file ({location:?}), and bytes alone have no folder to look in; \
             load the model by its path, or make one file of both, in Python with \
             onnx.save(onnx.load(\"model.onnx\"), \"whole.onnx\")"
        ));
    };
    let relative = Path::new(location);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    let outside = || {
        format!(
            "its values are in another file ({location:?}) that is not inside the model's folder; only \
             files there are read. Put it beside the model, in Python with \
             onnx.save(onnx.load(\"model.onnx\"), \"whole.onnx\")"
        )
    };
    if location.is_empty() || !relative.components().all(plain) {
        return Err(outside());
    }
    let path = folder.join(relative);
    let missing = |error| format!("its values are in {location:?} beside the model: {error}");
    let (real, home) = (
        path.canonicalize().map_err(missing)?,
        folder.canonicalize().map_err(|error| format!("the model's folder: {error}"))?,
    );
    match real.starts_with(home) && real.is_file() {
        true => Ok(real),
        false => Err(outside()),
    }
}
