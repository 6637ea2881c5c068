//! Tensors in a file: weights and the constants that set shapes.

use std::sync::Arc;

use super::proto::{TensorProto, data_type};
use crate::shape::elements;

/// A tensor whose declared shape has been checked against the bytes that are there.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    /// Name of the value in the file.
    pub(crate) name: String,
    /// Shape; empty for a single number.
    pub(crate) dims: Vec<usize>,
    /// The numbers.
    pub(crate) data: Data,
}

/// A tensor's numbers in row-major order.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// `FLOAT`: weights.
    Floats(Arc<[f32]>),
    /// `INT64` and `INT32`: shapes, axes.
    Ints(Arc<[i64]>),
    /// A type that no operator here takes; an error only where one is used.
    Other(i32),
}

impl Tensor {
    /// Takes a tensor out of a file.
    pub(crate) fn read(proto: TensorProto, name: &str) -> Result<Self, String> {
        refuse_external(&proto)?;
        let dims = sizes(&proto.dims)?;
        let kind = proto.data_type.unwrap_or(0);
        let data = match kind {
            data_type::FLOAT => {
                let raw = |bytes: [u8; 4]| f32::from_le_bytes(bytes);
                Data::Floats(numbers(&dims, proto.raw_data, proto.float_data, raw)?.into())
            }
            data_type::INT64 => {
                let raw = |bytes: [u8; 8]| i64::from_le_bytes(bytes);
                Data::Ints(numbers(&dims, proto.raw_data, proto.int64_data, raw)?.into())
            }
            data_type::INT32 => {
                let raw = |bytes: [u8; 4]| i32::from_le_bytes(bytes);
                let small = numbers(&dims, proto.raw_data, proto.int32_data, raw)?;
                Data::Ints(small.into_iter().map(i64::from).collect())
            }
            other => Data::Other(other),
        };
        Ok(Self { name: name.to_owned(), dims, data })
    }

    /// A tensor of whole numbers, as constant folding makes them.
    pub(crate) fn ints(name: &str, dims: Vec<usize>, ints: Vec<i64>) -> Self {
        Self { name: name.to_owned(), dims, data: Data::Ints(ints.into()) }
    }
}

/// A weight for a file: little-endian raw bytes.
pub(crate) fn write_floats(name: &str, dims: &[usize], values: &[f32]) -> TensorProto {
    let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    write_raw(name, dims, data_type::FLOAT, raw)
}

/// A shape for a file.
pub(crate) fn write_ints(name: &str, values: &[i64]) -> TensorProto {
    let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    write_raw(name, &[values.len()], data_type::INT64, raw)
}

impl TensorProto {
    /// A tensor of 32-bit floats, row by row.
    #[must_use]
    pub fn from_floats(name: &str, dims: &[usize], values: &[f32]) -> TensorProto {
        write_floats(name, dims, values)
    }

    /// A vector of whole numbers.
    #[must_use]
    pub fn from_ints(name: &str, values: &[i64]) -> TensorProto {
        write_ints(name, values)
    }

    /// Sizes and values of a tensor of 32-bit floats, checked against each other.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn floats(self) -> Result<(Vec<usize>, Vec<f32>), String> {
        let tensor = Tensor::read(self, "")?;
        match &tensor.data {
            Data::Floats(values) => Ok((tensor.dims, values.to_vec())),
            other => Err(format!("expected FLOAT, found {}", type_name(other))),
        }
    }

    /// Sizes and values of a tensor of whole numbers, checked against each other.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn ints(self) -> Result<(Vec<usize>, Vec<i64>), String> {
        let tensor = Tensor::read(self, "")?;
        match &tensor.data {
            Data::Ints(values) => Ok((tensor.dims, values.to_vec())),
            other => Err(format!("expected INT64 or INT32, found {}", type_name(other))),
        }
    }
}

fn write_raw(name: &str, dims: &[usize], kind: i32, raw: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: dims.iter().map(|&size| size as i64).collect(),
        data_type: Some(kind),
        name: Some(name.to_owned()),
        raw_data: Some(raw),
        ..TensorProto::default()
    }
}

fn refuse_external(proto: &TensorProto) -> Result<(), String> {
    if proto.data_location.unwrap_or(0) == 0 && proto.external_data.is_empty() {
        return Ok(());
    }
    let location =
        proto.external_data.iter().find(|entry| entry.key.as_deref() == Some("location"));
    let file = location.and_then(|entry| entry.value.as_deref()).unwrap_or("unnamed");
    Err(format!(
        "its values are in another file ({file:?}), which is not supported; make one file of both, \
         in Python with onnx.save(onnx.load(\"model.onnx\"), \"whole.onnx\")"
    ))
}

/// Sizes as they stand in a file, which may hold any number.
fn sizes(dims: &[i64]) -> Result<Vec<usize>, String> {
    let sizes: Option<Vec<usize>> = dims.iter().map(|&size| usize::try_from(size).ok()).collect();
    sizes.ok_or_else(|| format!("its shape {dims:?} has a negative size"))
}

/// The numbers of a tensor, from its raw bytes or from its list, as many as its shape says.
fn numbers<T, const N: usize>(
    dims: &[usize],
    raw: Option<Vec<u8>>,
    list: Vec<T>,
    convert: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, String> {
    let count = elements(dims)
        .ok_or_else(|| format!("its shape {dims:?} has more elements than are supported"))?;
    let raw = raw.unwrap_or_default();
    if !list.is_empty() || raw.is_empty() {
        if list.len() != count {
            return Err(format!(
                "its shape {dims:?} means {count} values, but the file holds {}",
                list.len()
            ));
        }
        return Ok(list);
    }
    // `count` is at most 2^30, so this cannot overflow.
    if raw.len() as u64 != count as u64 * N as u64 {
        return Err(format!(
            "its shape {dims:?} means {} bytes, but the file holds {}",
            count as u64 * N as u64,
            raw.len()
        ));
    }
    Ok(raw.as_chunks::<N>().0.iter().map(|&bytes| convert(bytes)).collect())
}

/// What a type is called in messages.
pub(crate) fn type_name(data: &Data) -> String {
    match data {
        Data::Floats(_) => data_type::name(data_type::FLOAT),
        Data::Ints(_) => data_type::name(data_type::INT64),
        Data::Other(kind) => data_type::name(*kind),
    }
}
