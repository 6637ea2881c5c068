//! Named tensors in a file, in the safetensors format.
//!
//! Eight bytes with the length of the header (little-endian), the header (JSON: for each tensor its
//! dtype, shape and place in the data; strings under `__metadata__`), then the data. Only `F32`.
//!
//! Reading is our own because files may be hostile: the safetensors crate (0.8) adds declared
//! offsets without checking for overflow. Here nothing is allocated that the bytes at hand do not
//! account for.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

/// One tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its name, such as `rnn.weight_ih_l0`.
    pub name: String,
    /// Its sizes; none for a single number.
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Vec<f32>,
}

/// A tensor to be written.
pub struct TensorRef<'a> {
    /// Its name.
    pub name: String,
    /// Its sizes; none for a single number.
    pub shape: &'a [usize],
    /// Row by row.
    pub values: &'a [f32],
}

#[derive(Serialize, Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: BTreeMap<String, String>,
    #[serde(flatten)]
    tensors: BTreeMap<String, Info>,
}

/// Writes tensors, whose names must differ, and metadata.
///
/// # Errors
/// What `out` answers.
pub fn write(
    out: &mut dyn Write,
    metadata: BTreeMap<String, String>,
    tensors: &[TensorRef<'_>],
) -> io::Result<()> {
    let mut end = 0;
    let infos = tensors.iter().map(|tensor| {
        let start = end;
        end += size_of_val(tensor.values);
        let info =
            Info { dtype: "F32".into(), shape: tensor.shape.to_vec(), data_offsets: [start, end] };
        (tensor.name.clone(), info)
    });
    let header = Header { metadata, tensors: infos.collect() };
    let mut header = serde_json::to_vec(&header)?;
    // The format pads with spaces so that the data are aligned.
    header.resize(header.len().next_multiple_of(8), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for chunk in tensors.iter().flat_map(|tensor| tensor.values.chunks(2048)) {
        let bytes: Vec<u8> = chunk.iter().flat_map(|value| value.to_le_bytes()).collect();
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Reads what [`write()`] wrote, or says what is wrong and where. The tensors come in the order of
/// their data.
///
/// # Errors
/// What is wrong, in words.
pub fn read(bytes: &[u8]) -> Result<(BTreeMap<String, String>, Vec<Tensor>), String> {
    let (length, rest) = bytes
        .split_first_chunk::<8>()
        .ok_or_else(|| format!("it has {} bytes, fewer than a header", bytes.len()))?;
    let length = u64::from_le_bytes(*length);
    let (header, data) = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length))
        .ok_or_else(|| {
            format!(
                "its header should have {length} bytes but only {} follow; the file is cut off or \
                 of another format",
                rest.len()
            )
        })?;
    let header: Header =
        serde_json::from_slice(header).map_err(|error| format!("its header: {error}"))?;
    let mut infos: Vec<(String, Info)> = header.tensors.into_iter().collect();
    infos.sort_by_key(|(_, info)| info.data_offsets);
    let mut place = 0;
    let mut tensors = Vec::with_capacity(infos.len());
    for (name, info) in infos {
        let values = values(&info, place, data).map_err(|why| format!("tensor {name:?}: {why}"))?;
        place = info.data_offsets[1];
        tensors.push(Tensor { name, shape: info.shape, values });
    }
    if place != data.len() {
        return Err(format!("{} bytes after the last tensor", data.len() - place));
    }
    Ok((header.metadata, tensors))
}

/// The values of one tensor, which must begin at `place` in `data`.
fn values(info: &Info, place: usize, data: &[u8]) -> Result<Vec<f32>, String> {
    if info.dtype != "F32" {
        return Err(format!("expected dtype F32, found {:?}", info.dtype));
    }
    let [start, end] = info.data_offsets;
    let bytes = data.get(start..end).filter(|_| start == place).ok_or_else(|| {
        format!(
            "expected it at bytes {place} and following of {} bytes of data, found [{start}, \
             {end}]; the file is cut off or damaged",
            data.len()
        )
    })?;
    let size = info.shape.iter().try_fold(4usize, |size, &length| size.checked_mul(length));
    if size != Some(bytes.len()) {
        return Err(format!("shape {:?} does not fit its {} bytes", info.shape, bytes.len()));
    }
    Ok(bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of(tensors: &[Tensor], metadata: &BTreeMap<String, String>) -> Vec<u8> {
        let tensors: Vec<TensorRef<'_>> = tensors
            .iter()
            .map(|Tensor { name, shape, values }| TensorRef { name: name.clone(), shape, values })
            .collect();
        let mut bytes = vec![];
        write(&mut bytes, metadata.clone(), &tensors).unwrap();
        bytes
    }

    fn example() -> (Vec<Tensor>, BTreeMap<String, String>) {
        let tensor = |name: &str, shape: &[usize], values: &[f32]| Tensor {
            name: name.into(),
            shape: shape.into(),
            values: values.into(),
        };
        let tensors = vec![
            tensor("z", &[2, 2], &[1.0, -0.0, f32::MIN_POSITIVE / 2.0, 1e38]),
            tensor("a", &[3], &[0.1, 0.2, f32::INFINITY]),
            tensor("scalar", &[], &[7.0]),
        ];
        (tensors, BTreeMap::from([("key".into(), "\"quoted\" ü".into())]))
    }

    #[test]
    fn tensors_come_back_with_every_bit_and_in_order() {
        let (tensors, metadata) = example();
        let (read_metadata, read_tensors) = read(&bytes_of(&tensors, &metadata)).unwrap();
        assert_eq!(read_metadata, metadata);
        assert_eq!(read_tensors, tensors);
    }

    #[test]
    fn the_safetensors_crate_reads_the_same() {
        let (tensors, metadata) = example();
        let bytes = bytes_of(&tensors, &metadata);
        let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(theirs.len(), tensors.len());
        for tensor in &tensors {
            let view = theirs.tensor(&tensor.name).unwrap();
            assert_eq!(view.shape(), tensor.shape);
            let values: Vec<u8> = tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            assert_eq!(view.data(), values);
        }
    }

    #[test]
    fn a_file_cut_off_anywhere_is_an_error() {
        let (tensors, metadata) = example();
        let bytes = bytes_of(&tensors, &metadata);
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length} bytes were accepted");
        }
    }

    #[test]
    fn sizes_and_offsets_that_overflow_are_errors() {
        let file = |header: &str| {
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend_from_slice(header.as_bytes());
            bytes
        };
        let cases = [
            r#"{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
            r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}}"#,
            r#"{"a":{"dtype":"F16","shape":[0],"data_offsets":[0,0]}}"#,
            r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[18446744073709551612,18446744073709551612]}}"#,
        ];
        for header in cases {
            assert!(read(&file(header)).is_err(), "{header}");
        }
        let mut huge = u64::MAX.to_le_bytes().to_vec();
        huge.extend([0; 32]);
        assert!(read(&huge).unwrap_err().contains("cut off"));
    }

    proptest! {
        #[test]
        fn damage_never_panics(place: prop::sample::Index, value: u8, cut: prop::sample::Index) {
            let (tensors, metadata) = example();
            let mut bytes = bytes_of(&tensors, &metadata);
            let place = place.index(bytes.len());
            bytes[place] = value;
            let _ = read(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            let _ = read(&bytes);
        }
    }
}
