//! Tensors in a file: weights and the constants that set shapes.

use std::path::Path;
use std::sync::Arc;

use super::external;
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
    /// Weights: `FLOAT`, and what is converted to it when read: `DOUBLE`, `FLOAT16`, `BFLOAT16`.
    Floats(Arc<[f32]>),
    /// Shapes, axes, quantised weights, conditions: whole numbers of any size, and `BOOL` as 0 and 1.
    Ints(Arc<[i64]>),
    /// A type that no operator here takes; an error only where one is used.
    Other(i32),
}

impl Tensor {
    /// Takes a tensor out of a file. Values that are kept beside it are looked for in `folder`.
    pub(crate) fn read(
        mut proto: TensorProto,
        name: &str,
        folder: Option<&Path>,
    ) -> Result<Self, String> {
        let dims = sizes(&proto.dims)?;
        let kind = proto.data_type.unwrap_or(0);
        if proto.data_location.unwrap_or(0) != 0 || !proto.external_data.is_empty() {
            proto.raw_data = Some(external::read(&proto, &dims, folder)?);
        }
        let data = read_data(proto, &dims, kind)?;
        Ok(Self { name: name.to_owned(), dims, data })
    }

    /// A tensor of whole numbers, as constant folding makes them.
    pub(crate) fn ints(name: &str, dims: Vec<usize>, ints: Vec<i64>) -> Self {
        Self { name: name.to_owned(), dims, data: Data::Ints(ints.into()) }
    }

    /// Number of elements.
    pub(crate) fn len(&self) -> usize {
        self.dims.iter().product()
    }
}

/// Numbers of fewer than 32 bits stand in `int32_data`, one a number, where they are not raw.
fn read_data(proto: TensorProto, dims: &[usize], kind: i32) -> Result<Data, String> {
    let TensorProto { raw_data: raw, int32_data: small, .. } = proto;
    let floats = |values: Vec<f32>| Data::Floats(values.into());
    let ints = |values: Vec<i64>| Data::Ints(values.into());
    let wide = |list: Vec<i32>| list.into_iter().map(i64::from).collect::<Vec<i64>>();
    let bits = |list: &[i32]| list.iter().map(|&bits| bits as u16).collect::<Vec<u16>>();
    Ok(match kind {
        data_type::FLOAT => {
            floats(numbers(dims, raw, proto.float_data, |b: [u8; 4]| f32::from_le_bytes(b))?)
        }
        data_type::DOUBLE => {
            let list = proto.double_data;
            let wide = numbers(dims, raw, list, |b: [u8; 8]| f64::from_le_bytes(b))?;
            floats(wide.into_iter().map(|value| value as f32).collect())
        }
        data_type::FLOAT16 => {
            let halves = numbers(dims, raw, bits(&small), |b: [u8; 2]| u16::from_le_bytes(b))?;
            floats(halves.into_iter().map(half).collect())
        }
        data_type::BFLOAT16 => {
            let halves = numbers(dims, raw, bits(&small), |b: [u8; 2]| u16::from_le_bytes(b))?;
            floats(halves.into_iter().map(|bits| f32::from_bits(u32::from(bits) << 16)).collect())
        }
        data_type::INT64 => {
            ints(numbers(dims, raw, proto.int64_data, |b: [u8; 8]| i64::from_le_bytes(b))?)
        }
        data_type::UINT32 | data_type::UINT64 => {
            let list = proto.uint64_data.iter().map(|&value| value as i64).collect();
            match kind {
                data_type::UINT32 => {
                    ints(numbers(dims, raw, list, |b: [u8; 4]| u32::from_le_bytes(b).into())?)
                }
                _ => ints(numbers(dims, raw, list, |b: [u8; 8]| i64::from_le_bytes(b))?),
            }
        }
        data_type::INT32 => {
            ints(numbers(dims, raw, wide(small), |b: [u8; 4]| i32::from_le_bytes(b).into())?)
        }
        data_type::INT16 => {
            ints(numbers(dims, raw, wide(small), |b: [u8; 2]| i16::from_le_bytes(b).into())?)
        }
        data_type::UINT16 => {
            ints(numbers(dims, raw, wide(small), |b: [u8; 2]| u16::from_le_bytes(b).into())?)
        }
        data_type::INT8 => ints(numbers(dims, raw, wide(small), |b: [u8; 1]| (b[0] as i8).into())?),
        data_type::UINT8 | data_type::BOOL => {
            ints(numbers(dims, raw, wide(small), |b: [u8; 1]| b[0].into())?)
        }
        other => Data::Other(other),
    })
}

/// An IEEE 754 half as a float, which holds every one of them exactly.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2.0_f32.powi(exponent - 15),
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
        let tensor = Tensor::read(self, "", None)?;
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
        let tensor = Tensor::read(self, "", None)?;
        match &tensor.data {
            Data::Ints(values) => Ok((tensor.dims, values.to_vec())),
            other => Err(format!("expected INT64 or INT32, found {}", type_name(other))),
        }
    }
}

/// A single number of 8 bits for a file.
pub(crate) fn write_whole(value: i32, signed: bool) -> TensorProto {
    let kind = if signed { data_type::INT8 } else { data_type::UINT8 };
    write_raw("", &[], kind, vec![value as u8])
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
