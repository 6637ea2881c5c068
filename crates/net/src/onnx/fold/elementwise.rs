//! Functions of each number by itself, of pairs, of three; conversions.

use super::making::repeat;
use super::sizes::{broadcast, clamp_axis, floats, ints, whole};
use crate::onnx::proto::data_type;
use crate::onnx::reader::Import;
use crate::onnx::tensor::{Data, Tensor};

pub(super) type OfFloat = fn(f32) -> f32;

pub(super) fn unary(op: &str) -> Option<OfFloat> {
    Some(match op {
        "Abs" => f32::abs,
        "Sin" => f32::sin,
        "Cos" => f32::cos,
        "Sign" => |x| if x == 0.0 || x.is_nan() { x } else { x.signum() },
        "Neg" => |x| -x,
        "Sqrt" => f32::sqrt,
        "Exp" => f32::exp,
        "Log" => f32::ln,
        "Floor" => f32::floor,
        "Ceil" => f32::ceil,
        "Round" => f32::round_ties_even,
        "Reciprocal" => |x| 1.0 / x,
        "Tanh" => f32::tanh,
        "Sigmoid" => |x| 1.0 / (1.0 + (-x).exp()),
        "Relu" => |x| if x < 0.0 { 0.0 } else { x },
        _ => return None,
    })
}

pub(super) fn apply(import: &mut Import, x: &Tensor, op: &str) -> Result<Tensor, String> {
    import.make(x.len())?;
    match (&x.data, op) {
        (Data::Floats(values), _) => {
            let f = unary(op).ok_or("cannot be worked out")?;
            Ok(floats(x, x.dims.clone(), values.iter().map(|&v| f(v)).collect()))
        }
        (Data::Ints(values), "Abs") => {
            Ok(ints(x, x.dims.clone(), values.iter().map(|v| v.saturating_abs()).collect()))
        }
        (Data::Ints(values), "Sign") => {
            Ok(ints(x, x.dims.clone(), values.iter().map(|v| v.signum()).collect()))
        }
        (Data::Ints(values), "Neg") => {
            Ok(ints(x, x.dims.clone(), values.iter().map(|v| v.saturating_neg()).collect()))
        }
        _ => Err("cannot be worked out for whole numbers".into()),
    }
}

/// What a function of two numbers makes of floats and of whole numbers.
pub(super) struct Pairwise {
    floats: fn(f32, f32) -> f32,
    ints: fn(i64, i64) -> Option<i64>,
    /// The result is a condition, 0 or 1.
    asks: bool,
}

pub(super) fn binary(op: &str) -> Option<Pairwise> {
    let number = |floats, ints| Some(Pairwise { floats, ints, asks: false });
    fn flag(yes: bool) -> Option<i64> {
        Some(i64::from(yes))
    }
    fn one(yes: bool) -> f32 {
        f32::from(u8::from(yes))
    }
    let condition = |floats, ints| Some(Pairwise { floats, ints, asks: true });
    match op {
        "Add" => number(|a, b| a + b, i64::checked_add),
        "Sub" => number(|a, b| a - b, i64::checked_sub),
        "Mul" => number(|a, b| a * b, i64::checked_mul),
        "Div" => number(|a, b| a / b, i64::checked_div),
        "Mod" => number(|a, b| a - b * (a / b).floor(), i64::checked_rem_euclid),
        "Pow" => number(f32::powf, |a, b| a.checked_pow(u32::try_from(b).ok()?)),
        "Min" => number(f32::min, |a, b| Some(a.min(b))),
        "Max" => number(f32::max, |a, b| Some(a.max(b))),
        "Equal" => condition(|a, b| one(a == b), |a, b| flag(a == b)),
        "Less" => condition(|a, b| one(a < b), |a, b| flag(a < b)),
        "Greater" => condition(|a, b| one(a > b), |a, b| flag(a > b)),
        "LessOrEqual" => condition(|a, b| one(a <= b), |a, b| flag(a <= b)),
        "GreaterOrEqual" => condition(|a, b| one(a >= b), |a, b| flag(a >= b)),
        "And" => condition(|_, _| f32::NAN, |a, b| flag(a != 0 && b != 0)),
        "Or" => condition(|_, _| f32::NAN, |a, b| flag(a != 0 || b != 0)),
        "Xor" => condition(|_, _| f32::NAN, |a, b| flag((a != 0) != (b != 0))),
        _ => None,
    }
}

pub(super) fn combine(
    import: &mut Import,
    op: &str,
    a: &Tensor,
    b: &Tensor,
) -> Result<Tensor, String> {
    let pairwise = binary(op).ok_or("cannot be worked out")?;
    let dims = broadcast(&a.dims, &b.dims)?;
    let (at, bt) = (repeat(import, a, dims.clone())?, repeat(import, b, dims.clone())?);
    match (&at.data, &bt.data) {
        (Data::Floats(x), Data::Floats(y)) => {
            let results = x.iter().zip(&**y).map(|(&x, &y)| (pairwise.floats)(x, y));
            match pairwise.asks {
                false => Ok(floats(a, dims, results.collect())),
                true => Ok(ints(a, dims, results.map(|v| i64::from(v != 0.0)).collect())),
            }
        }
        (Data::Ints(x), Data::Ints(y)) => {
            let results = x.iter().zip(&**y).map(|(&x, &y)| (pairwise.ints)(x, y));
            let results: Option<Vec<i64>> = results.collect();
            let refused = || "whole numbers overflow, or are divided by 0".to_owned();
            Ok(ints(a, dims, results.ok_or_else(refused)?))
        }
        _ => Err("its constants are of types that do not go together".into()),
    }
}

pub(super) fn choose(
    import: &mut Import,
    which: &Tensor,
    yes: &Tensor,
    no: &Tensor,
) -> Result<Tensor, String> {
    let dims = broadcast(&broadcast(&which.dims, &yes.dims)?, &no.dims)?;
    let which = repeat(import, which, dims.clone())?;
    let (a, b) = (repeat(import, yes, dims.clone())?, repeat(import, no, dims.clone())?);
    let which = whole(&which)?;
    match (&a.data, &b.data) {
        (Data::Floats(x), Data::Floats(y)) => {
            let each = (0..which.len()).map(|i| if which[i] != 0 { x[i] } else { y[i] });
            Ok(floats(yes, dims, each.collect()))
        }
        (Data::Ints(x), Data::Ints(y)) => {
            let each = (0..which.len()).map(|i| if which[i] != 0 { x[i] } else { y[i] });
            Ok(ints(yes, dims, each.collect()))
        }
        _ => Err("its constants are of types that do not go together".into()),
    }
}

/// Floats of any size become floats of 32 bits, whole numbers and conditions `i64`.
pub(super) fn cast(x: &Tensor, to: i32) -> Result<Tensor, String> {
    let data = match &x.data {
        Data::Floats(values) if to == data_type::BOOL => {
            Data::Ints(values.iter().map(|&v| i64::from(v != 0.0)).collect())
        }
        Data::Floats(values) if data_type::is_whole(to) => {
            Data::Ints(values.iter().map(|&v| v as i64).collect())
        }
        Data::Ints(values) if to == data_type::BOOL => {
            Data::Ints(values.iter().map(|&v| i64::from(v != 0)).collect())
        }
        Data::Ints(values) if data_type::is_float(to) => {
            Data::Floats(values.iter().map(|&v| v as f32).collect())
        }
        Data::Floats(_) if data_type::is_float(to) => x.data.clone(),
        Data::Ints(_) if data_type::is_whole(to) => x.data.clone(),
        _ => {
            return Err(format!("a conversion to {} is not supported", data_type::name(to)));
        }
    };
    Ok(Tensor { name: x.name.clone(), dims: x.dims.clone(), data })
}

/// Whether a conversion has changed nothing but the type.
pub(super) fn same_numbers(a: &Tensor, b: &Tensor) -> bool {
    match (&a.data, &b.data) {
        (Data::Floats(a), Data::Ints(b)) | (Data::Ints(b), Data::Floats(a)) => {
            a.iter().zip(&**b).all(|(&a, &b)| f64::from(a) == b as f64)
        }
        (Data::Ints(a), Data::Ints(b)) => a == b,
        (Data::Floats(_), Data::Floats(_)) => true,
        _ => false,
    }
}

/// `(x − zero) · scale`, one of each for all or one along an axis.
pub(super) fn dequantise(
    import: &mut Import,
    x: &Tensor,
    scale: &Tensor,
    zero: Option<&Tensor>,
    axis: i64,
) -> Result<Tensor, String> {
    let Data::Floats(scales) = &scale.data else { return Err("the scale is no float".into()) };
    let values = whole(x)?;
    let zeros = zero.map(whole).transpose()?;
    import.make(values.len())?;
    let (size, inner) = if scales.len() == 1 {
        (1, values.len().max(1))
    } else {
        let axis = clamp_axis(axis, x.dims.len())?;
        (x.dims[axis], x.dims[axis + 1..].iter().product())
    };
    let zero_fits = zeros.as_ref().is_none_or(|zeros| zeros.len() == scales.len());
    if scales.len() != size || !zero_fits {
        return Err(format!("{} scales do not fit {:?}", scales.len(), x.dims));
    }
    let each = values.iter().enumerate().map(|(i, &value)| {
        let channel = i / inner % size;
        (value - zeros.as_ref().map_or(0, |zeros| zeros[channel])) as f32 * scales[channel]
    });
    Ok(floats(x, x.dims.clone(), each.collect()))
}
