//! What can be worked out while reading: shapes that are computed from shapes, weights that are made
//! of weights.
//!
//! Exporters write `Shape`, `Gather`, `Concat` where they mean a number, and weights come quantised or
//! transposed. An operator all of whose inputs are known leaves no node; its result is computed here,
//! in `f32` and `i64`, by the operator's definition. Sizes come from the file, so everything that is
//! made is accounted for ([`Import::make`]) before memory is taken for it.

use std::rc::Rc;

use super::attributes::Attributes;
use super::proto::data_type;
use super::reader::{Call, Import, Value};
use super::tensor::{Data, Tensor};
use crate::shape::elements;

/// Whether an operator can be worked out where all its inputs are known.
pub(crate) fn knows(op: &str) -> bool {
    unary(op).is_some()
        || binary(op).is_some()
        || matches!(
            op,
            "Not"
                | "Sum"
                | "Where"
                | "Cast"
                | "CastLike"
                | "Size"
                | "ConstantOfShape"
                | "Range"
                | "NonZero"
                | "Expand"
                | "Tile"
                | "Reshape"
                | "Flatten"
                | "Squeeze"
                | "Unsqueeze"
                | "Transpose"
                | "Concat"
                | "Gather"
                | "Slice"
                | "Split"
                | "ReduceProd"
                | "ReduceSum"
                | "ReduceMax"
                | "ReduceMin"
                | "ReduceMean"
                | "ReduceL1"
                | "ReduceL2"
                | "ReduceSumSquare"
                | "CumSum"
                | "MatMul"
                | "Mean"
                | "Trilu"
                | "DequantizeLinear"
                | "ScatterND"
        )
}

/// Works a node out and binds its outputs.
pub(crate) fn evaluate(import: &mut Import, call: &Call<'_>, op: &str) -> Result<(), String> {
    let inputs = import.constants(call)?;
    let input = |index: usize| {
        inputs.get(index).cloned().flatten().ok_or_else(|| format!("input {index} is missing"))
    };
    let a = &call.attributes;
    let x = input(0)?;
    let result = match op {
        _ if unary(op).is_some() => apply(import, &x, op)?,
        _ if binary(op).is_some() => {
            call.attributes.ignore("fmod");
            let mut result = (*x).clone();
            for other in inputs.iter().skip(1).flatten() {
                result = combine(import, op, &result, other)?;
            }
            result
        }
        "Sum" => {
            let mut result = (*x).clone();
            for other in inputs.iter().skip(1).flatten() {
                result = combine(import, "Add", &result, other)?;
            }
            result
        }
        "Not" => ints(&x, x.dims.clone(), whole(&x)?.iter().map(|&v| i64::from(v == 0)).collect()),
        "Where" => choose(import, &x, &*input(1)?, &*input(2)?)?,
        "Cast" => {
            a.ignore("saturate");
            let result = cast(&x, i32::try_from(a.int("to", 0)?).unwrap_or(0))?;
            if same_numbers(&x, &result) {
                import.is_also(call, 0);
            }
            result
        }
        "CastLike" => match input(1)?.data {
            Data::Floats(_) => cast(&x, data_type::FLOAT)?,
            _ => cast(&x, data_type::INT64)?,
        },
        "Size" => ints(&x, vec![], vec![x.len() as i64]),
        "ConstantOfShape" => filled(import, call, &x)?,
        "Range" => range(import, &x, &*input(1)?, &*input(2)?)?,
        "NonZero" => non_zero(import, &x)?,
        "Expand" => {
            let dims = broadcast(&x.dims, &sizes(&*input(1)?)?)?;
            repeat(import, &x, dims)?
        }
        "Tile" => tile(import, &x, &sizes(&*input(1)?)?)?,
        "Reshape" => {
            let keeps_zero = a.int("allowzero", 0)? != 0;
            reshaped(&x, reshape_dims(&x.dims, &whole(&*input(1)?)?, keeps_zero)?)
        }
        "Flatten" => {
            let axis = clamp_axis(a.int("axis", 1)?, x.dims.len() + 1)?;
            let (before, after) = x.dims.split_at(axis);
            reshaped(&x, vec![before.iter().product(), after.iter().product()])
        }
        "Squeeze" | "Unsqueeze" => {
            let axes = match inputs.get(1).cloned().flatten() {
                Some(axes) => whole(&axes)?.to_vec(),
                None => a.ints("axes").to_vec(),
            };
            let dims = match op {
                "Squeeze" => squeeze_dims(&x.dims, &axes)?,
                _ => unsqueeze_dims(&x.dims, &axes)?,
            };
            reshaped(&x, dims)
        }
        "Transpose" => transpose(import, &x, a)?,
        "Concat" => concat(import, &inputs, a.int("axis", 0)?)?,
        "Gather" => gather(import, &x, &*input(1)?, a.int("axis", 0)?)?,
        "Slice" => slice(import, call, &x, &inputs)?,
        "Split" => return split(import, call, &x, &inputs),
        "Mean" => {
            let mut sum = (*x).clone();
            for other in inputs.iter().skip(1).flatten() {
                sum = combine(import, "Add", &sum, other)?;
            }
            let share = floats(&x, vec![], vec![1.0 / inputs.len().max(1) as f32]);
            combine(import, "Mul", &sum, &share)?
        }
        "MatMul" => mat_mul(import, &x, &*input(1)?)?,
        "CumSum" => cum_sum(import, call, &x, &*input(1)?)?,
        "Trilu" => triangle(import, call, &x, inputs.get(1).cloned().flatten().as_deref())?,
        "ScatterND" => {
            let reduction = a.text("reduction", "none")?;
            if reduction != "none" {
                return Err(format!("reduction {reduction:?} is not supported"));
            }
            scatter(import, &x, &*input(1)?, &*input(2)?)?
        }
        "DequantizeLinear" => {
            let zero = inputs.get(2).cloned().flatten();
            call.attributes.require("block_size", 0, 0)?;
            dequantise(import, &x, &*input(1)?, zero.as_deref(), a.int("axis", 1)?)?
        }
        _ => reduce(import, call, op, &x, &inputs)?,
    };
    let name = x.name.clone();
    import.bind(call, Value::constant(Tensor { name, ..result }));
    Ok(())
}

type OfFloat = fn(f32) -> f32;

fn unary(op: &str) -> Option<OfFloat> {
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

fn apply(import: &mut Import, x: &Tensor, op: &str) -> Result<Tensor, String> {
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
struct Pairwise {
    floats: fn(f32, f32) -> f32,
    ints: fn(i64, i64) -> Option<i64>,
    /// The result is a condition, 0 or 1.
    asks: bool,
}

fn binary(op: &str) -> Option<Pairwise> {
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

fn combine(import: &mut Import, op: &str, a: &Tensor, b: &Tensor) -> Result<Tensor, String> {
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

fn choose(
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
fn cast(x: &Tensor, to: i32) -> Result<Tensor, String> {
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
fn same_numbers(a: &Tensor, b: &Tensor) -> bool {
    match (&a.data, &b.data) {
        (Data::Floats(a), Data::Ints(b)) | (Data::Ints(b), Data::Floats(a)) => {
            a.iter().zip(&**b).all(|(&a, &b)| f64::from(a) == b as f64)
        }
        (Data::Ints(a), Data::Ints(b)) => a == b,
        (Data::Floats(_), Data::Floats(_)) => true,
        _ => false,
    }
}

fn filled(import: &mut Import, call: &Call<'_>, shape: &Tensor) -> Result<Tensor, String> {
    let dims = sizes(shape)?;
    let count = count(&dims)?;
    import.make(count)?;
    let value = match call.attributes.tensor("value") {
        Some(proto) => import.tensor(proto.clone(), call.output())?.data,
        None => Data::Floats([0.0].into()),
    };
    // An iterator of known length fills the shared memory at once, without a copy.
    let data = match value {
        Data::Floats(value) if value.len() == 1 => {
            Data::Floats(std::iter::repeat_n(value[0], count).collect())
        }
        Data::Ints(value) if value.len() == 1 => {
            Data::Ints(std::iter::repeat_n(value[0], count).collect())
        }
        _ => return Err("expected one number as value".into()),
    };
    Ok(Tensor { name: shape.name.clone(), dims, data })
}

fn range(import: &mut Import, from: &Tensor, to: &Tensor, by: &Tensor) -> Result<Tensor, String> {
    let refused = || "expected three single numbers: start, limit, step".to_owned();
    match (&from.data, &to.data, &by.data) {
        (Data::Ints(from_), Data::Ints(to), Data::Ints(by)) => {
            let ([from_], [to], [by]) = (&from_[..], &to[..], &by[..]) else {
                return Err(refused());
            };
            let (from_, to, by) = (i128::from(*from_), i128::from(*to), i128::from(*by));
            let steps = if by == 0 { -1 } else { (to - from_ + by - by.signum()) / by };
            let count = usize::try_from(steps.max(if by == 0 { -1 } else { 0 }))
                .map_err(|_| "the step is 0".to_owned())?;
            import.make(count)?;
            let values = (0..count as i128).map(|i| (from_ + i * by) as i64).collect();
            Ok(ints(from, vec![count], values))
        }
        (Data::Floats(from_), Data::Floats(to), Data::Floats(by)) => {
            let ([from_], [to], [by]) = (&from_[..], &to[..], &by[..]) else {
                return Err(refused());
            };
            let count = ((to - from_) / by).ceil().max(0.0) as usize;
            import.make(count)?;
            Ok(floats(from, vec![count], (0..count).map(|i| from_ + i as f32 * by).collect()))
        }
        _ => Err(refused()),
    }
}

/// Positions of what is not 0, one row an axis.
fn non_zero(import: &mut Import, x: &Tensor) -> Result<Tensor, String> {
    import.make(x.len().saturating_mul(x.dims.len().max(1)))?;
    let found: Vec<usize> = match &x.data {
        Data::Floats(v) => (0..v.len()).filter(|&i| v[i] != 0.0).collect(),
        Data::Ints(v) => (0..v.len()).filter(|&i| v[i] != 0).collect(),
        Data::Other(_) => return Err("cannot be worked out for this type".into()),
    };
    let strides = strides(&x.dims);
    let rows = x.dims.iter().zip(&strides);
    let values = rows.flat_map(|(&size, &stride)| {
        found.iter().map(move |&at| (at / stride % size.max(1)) as i64).collect::<Vec<_>>()
    });
    Ok(ints(x, vec![x.dims.len(), found.len()], values.collect()))
}

fn transpose(import: &mut Import, x: &Tensor, a: &Attributes<'_>) -> Result<Tensor, String> {
    let axes = permutation(a.ints("perm"), x.dims.len())?;
    permuted(import, x, &axes)
}

/// Axis `i` of the result is axis `axes[i]`.
pub(super) fn permuted(import: &mut Import, x: &Tensor, axes: &[usize]) -> Result<Tensor, String> {
    let from = strides(&x.dims);
    let dims = axes.iter().map(|&axis| x.dims[axis]).collect();
    picked(import, x, dims, &axes.iter().map(|&axis| from[axis] as isize).collect::<Vec<_>>(), 0)
}

fn concat(import: &mut Import, inputs: &[Option<Rc<Tensor>>], axis: i64) -> Result<Tensor, String> {
    let parts: Vec<&Rc<Tensor>> = inputs.iter().flatten().collect();
    let first = parts[0];
    let axis = clamp_axis(axis, first.dims.len())?;
    let mut dims = first.dims.clone();
    for part in &parts[1..] {
        let same = part.dims.len() == dims.len()
            && (0..dims.len()).all(|i| i == axis || part.dims[i] == dims[i]);
        if !same {
            return Err(format!("cannot join {:?} and {:?}", first.dims, part.dims));
        }
        dims[axis] = dims[axis].saturating_add(part.dims[axis]);
    }
    import.make(count(&dims)?)?;
    let outer: usize = dims[..axis].iter().product();
    let inner = |part: &Tensor| part.dims[axis..].iter().product::<usize>();
    let data = if parts.iter().all(|part| matches!(part.data, Data::Ints(_))) {
        let mut all = Vec::new();
        for block in 0..outer {
            for part in &parts {
                let n = inner(part);
                all.extend_from_slice(&whole(part)?[block * n..(block + 1) * n]);
            }
        }
        Data::Ints(all.into())
    } else {
        let mut all = Vec::new();
        for block in 0..outer {
            for part in &parts {
                let Data::Floats(values) = &part.data else {
                    return Err("its constants are of types that do not go together".into());
                };
                let n = inner(part);
                all.extend_from_slice(&values[block * n..(block + 1) * n]);
            }
        }
        Data::Floats(all.into())
    };
    Ok(Tensor { name: first.name.clone(), dims, data })
}

fn gather(import: &mut Import, x: &Tensor, at: &Tensor, axis: i64) -> Result<Tensor, String> {
    let axis = clamp_axis(axis, x.dims.len())?;
    let size = x.dims[axis];
    let wanted: Vec<usize> = positions(&whole(at)?, size)?;
    let outer: usize = x.dims[..axis].iter().product();
    let inner: usize = x.dims[axis + 1..].iter().product();
    let dims = [&x.dims[..axis], &at.dims, &x.dims[axis + 1..]].concat();
    import.make(count(&dims)?)?;
    let source = (0..outer).flat_map(|o| {
        wanted.iter().flat_map(move |&i| (0..inner).map(move |j| (o * size + i) * inner + j))
    });
    Ok(Tensor { name: x.name.clone(), dims, data: x.data.pick(source)? })
}

/// Positions along an axis of a size; negative ones count from its end.
pub(super) fn positions(indices: &[i64], size: usize) -> Result<Vec<usize>, String> {
    let wrap = |&index: &i64| {
        let index = if index < 0 { index.saturating_add(size as i64) } else { index };
        usize::try_from(index).ok().filter(|&index| index < size)
    };
    let found: Option<Vec<usize>> = indices.iter().map(wrap).collect();
    found.ok_or_else(|| {
        format!("a position among {:?} is outside 0 to {size}", &indices[..indices.len().min(8)])
    })
}

/// Start, count and step along each axis of a `Slice`.
pub(super) fn spans(
    import: &Import,
    call: &Call<'_>,
    dims: &[usize],
) -> Result<Vec<(usize, usize, isize)>, String> {
    let a = &call.attributes;
    let list = |index: usize, name: &str| match call.has_input(index) {
        true => import.ints(call, index).map(Some),
        false if a.has(name) => Ok(Some(a.ints(name).to_vec())),
        false => Ok(None),
    };
    let (starts, ends) = match (list(1, "starts")?, list(2, "ends")?) {
        (Some(starts), Some(ends)) => (starts, ends),
        _ => return Err("expected starts and ends".into()),
    };
    let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err("expected as many ends, axes and steps as starts".into());
    }
    let mut all: Vec<_> = dims.iter().map(|&size| (0, size, 1)).collect();
    for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let axis = clamp_axis(axis, dims.len())?;
        all[axis] = span(start, end, step, dims[axis])?;
    }
    Ok(all)
}

/// ONNX's rule: negative positions count from the end, all are cut to the axis.
fn span(start: i64, end: i64, step: i64, size: usize) -> Result<(usize, usize, isize), String> {
    let size = i128::try_from(size).unwrap_or(i128::MAX);
    let wrap = |at: i64| if at < 0 { i128::from(at) + size } else { i128::from(at) };
    let step = i128::from(step);
    let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
    let (start, end) = (wrap(start).clamp(low.max(0), high.max(0)), wrap(end).clamp(low, high));
    let count = match step {
        0 => return Err("a step of 0".into()),
        _ if size == 0 => 0,
        1.. => (end - start + step - 1) / step,
        _ => (start - end - step - 1) / -step,
    };
    let narrow = |value: i128| usize::try_from(value.max(0)).unwrap_or(0);
    let step = isize::try_from(step.clamp(-(1 << 40), 1 << 40)).unwrap_or(1);
    Ok((narrow(start), narrow(count), step))
}

fn slice(
    import: &mut Import,
    call: &Call<'_>,
    x: &Tensor,
    _: &[Option<Rc<Tensor>>],
) -> Result<Tensor, String> {
    let spans = spans(import, call, &x.dims)?;
    let from = strides(&x.dims);
    let offset = spans.iter().zip(&from).map(|(span, &stride)| span.0 * stride).sum();
    let steps: Vec<isize> = spans
        .iter()
        .zip(&from)
        .map(|(span, &stride)| span.2.saturating_mul(stride as isize))
        .collect();
    picked(import, x, spans.iter().map(|span| span.1).collect(), &steps, offset)
}

/// Sizes of the parts of a `Split` along an axis.
pub(super) fn part_sizes(
    import: &Import,
    call: &Call<'_>,
    size: usize,
) -> Result<Vec<usize>, String> {
    let outputs = call.output_count();
    let declared = call.attributes.int("num_outputs", outputs as i64)?;
    let list = match call.has_input(1) {
        true => import.ints(call, 1)?,
        false => call.attributes.ints("split").to_vec(),
    };
    if list.is_empty() {
        if usize::try_from(declared) != Ok(outputs) || outputs == 0 {
            return Err(format!("num_outputs is {declared}, but it has {outputs}"));
        }
        let each = size.div_ceil(outputs);
        return Ok((0..outputs).map(|i| each.min(size.saturating_sub(i * each))).collect());
    }
    let sizes: Option<Vec<usize>> = list.iter().map(|&size| usize::try_from(size).ok()).collect();
    match sizes {
        Some(sizes)
            if sizes.len() == outputs
                && sizes.iter().try_fold(0_usize, |sum, &n| sum.checked_add(n)) == Some(size) =>
        {
            Ok(sizes)
        }
        _ => Err(format!("cannot split {size} in {list:?}")),
    }
}

fn split(
    import: &mut Import,
    call: &Call<'_>,
    x: &Tensor,
    _: &[Option<Rc<Tensor>>],
) -> Result<(), String> {
    let axis = clamp_axis(call.attributes.int("axis", 0)?, x.dims.len())?;
    let from = strides(&x.dims);
    let steps: Vec<isize> = from.iter().map(|&stride| stride as isize).collect();
    let mut first = 0;
    for (index, size) in part_sizes(import, call, x.dims[axis])?.into_iter().enumerate() {
        let mut dims = x.dims.clone();
        dims[axis] = size;
        let part = picked(import, x, dims, &steps, first * from[axis])?;
        import.bind_output(call, index, Value::constant(part));
        first += size;
    }
    Ok(())
}

fn reduce(
    import: &mut Import,
    call: &Call<'_>,
    op: &str,
    x: &Tensor,
    inputs: &[Option<Rc<Tensor>>],
) -> Result<Tensor, String> {
    let axes = match inputs.get(1).cloned().flatten() {
        Some(axes) => whole(&axes)?.to_vec(),
        None => call.attributes.ints("axes").to_vec(),
    };
    let keep = call.attributes.int("keepdims", 1)? != 0;
    if axes.is_empty() && call.attributes.int("noop_with_empty_axes", 0)? != 0 {
        return Ok(x.clone());
    }
    let rank = x.dims.len();
    let axes: Vec<usize> = match axes.is_empty() {
        true => (0..rank).collect(),
        false => axes.iter().map(|&axis| clamp_axis(axis, rank)).collect::<Result<_, _>>()?,
    };
    reduced(import, op, x, &axes, keep)
}

/// A number made of those along some axes, by ONNX's name of the reduction.
pub(super) fn reduced(
    import: &mut Import,
    op: &str,
    x: &Tensor,
    axes: &[usize],
    keep: bool,
) -> Result<Tensor, String> {
    let rank = x.dims.len();
    let kept: Vec<usize> =
        (0..rank).map(|i| if axes.contains(&i) { 1 } else { x.dims[i] }).collect();
    let to = strides(&kept);
    let from = strides(&x.dims);
    let target = |i: usize| -> usize {
        (0..rank)
            .filter(|axis| !axes.contains(axis))
            .map(|axis| i / from[axis] % x.dims[axis] * to[axis])
            .sum()
    };
    let total = count(&kept)?;
    import.make(total)?;
    let share = x.len().checked_div(total).unwrap_or(1).max(1);
    let start = match op {
        "ReduceProd" => 1.0,
        "ReduceMax" => f64::NEG_INFINITY,
        "ReduceMin" => f64::INFINITY,
        _ => 0.0,
    };
    let join = |a: f64, b: f64| match op {
        "ReduceProd" => a * b,
        "ReduceMax" => a.max(b),
        "ReduceMin" => a.min(b),
        "ReduceL1" => a + b.abs(),
        "ReduceL2" | "ReduceSumSquare" => a + b * b,
        _ => a + b,
    };
    let mut sums = vec![start; total];
    let mut add = |i: usize, value: f64| sums[target(i)] = join(sums[target(i)], value);
    match &x.data {
        Data::Floats(v) => v.iter().enumerate().for_each(|(i, &v)| add(i, f64::from(v))),
        Data::Ints(v) => v.iter().enumerate().for_each(|(i, &v)| add(i, v as f64)),
        Data::Other(_) => return Err("cannot be worked out for this type".into()),
    }
    if op == "ReduceL2" {
        sums.iter_mut().for_each(|sum| *sum = sum.sqrt());
    }
    if op == "ReduceMean" {
        sums.iter_mut().for_each(|sum| *sum /= share as f64);
    }
    let dims = match keep {
        true => kept,
        false => (0..rank).filter(|i| !axes.contains(i)).map(|i| x.dims[i]).collect(),
    };
    Ok(match x.data {
        Data::Floats(_) => floats(x, dims, sums.into_iter().map(|v| v as f32).collect()),
        _ => ints(x, dims, sums.into_iter().map(|v| v as i64).collect()),
    })
}

/// `[…, m, k] × […, k, n]`, sums in f64.
fn mat_mul(import: &mut Import, a: &Tensor, b: &Tensor) -> Result<Tensor, String> {
    let dims = crate::ops::general::mat_mul_output_shape(&a.dims, &b.dims)?;
    let (before, last) = dims.split_at(dims.len() - 2);
    let (m, n, k) = (last[0], last[1], a.dims[a.dims.len() - 1]);
    // Each product counts as a number: what takes long is bounded with what takes much.
    import.make(count(&dims)?.saturating_mul(k.max(1)))?;
    let (a, b) = (
        repeat(import, a, [before, &[m, k]].concat())?,
        repeat(import, b, [before, &[k, n]].concat())?,
    );
    let (Data::Floats(x), Data::Floats(y)) = (&a.data, &b.data) else {
        return Err("cannot be worked out for whole numbers".into());
    };
    let value = |i: usize| {
        let (block, row, column) = (i / (m * n), i / n % m, i % n);
        let product = |l: usize| {
            f64::from(x[(block * m + row) * k + l]) * f64::from(y[(block * k + l) * n + column])
        };
        (0..k).map(product).sum::<f64>() as f32
    };
    Ok(floats(&a, dims.clone(), (0..dims.iter().product()).map(value).collect()))
}

/// Sums up to each place of an axis.
fn cum_sum(
    import: &mut Import,
    call: &Call<'_>,
    x: &Tensor,
    axis: &Tensor,
) -> Result<Tensor, String> {
    let axis = match whole(axis)?[..] {
        [axis] => clamp_axis(axis, x.dims.len())?,
        _ => return Err("the axis should be a single whole number".into()),
    };
    let exclusive = call.attributes.int("exclusive", 0)? != 0;
    let reverse = call.attributes.int("reverse", 0)? != 0;
    import.make(x.len())?;
    let (len, inner) = (x.dims[axis], strides(&x.dims)[axis]);
    let runs = |add: &mut dyn FnMut(usize, bool)| {
        for first in (0..x.len()).filter(|i| i / inner % len == 0) {
            for step in 0..len {
                let at = if reverse { len - 1 - step } else { step };
                add(first + at * inner, step == 0);
            }
        }
    };
    match &x.data {
        Data::Floats(values) => {
            let (mut sums, mut sum) = (vec![0.0; values.len()], 0.0_f64);
            runs(&mut |at, starts| {
                sum = if starts { 0.0 } else { sum };
                let before = sum;
                sum += f64::from(values[at]);
                sums[at] = (if exclusive { before } else { sum }) as f32;
            });
            Ok(floats(x, x.dims.clone(), sums))
        }
        Data::Ints(values) => {
            let (mut sums, mut sum) = (vec![0; values.len()], 0_i64);
            runs(&mut |at, starts| {
                sum = if starts { 0 } else { sum };
                let before = sum;
                sum = sum.wrapping_add(values[at]);
                sums[at] = if exclusive { before } else { sum };
            });
            Ok(ints(x, x.dims.clone(), sums))
        }
        Data::Other(_) => Err("cannot be worked out for this type".into()),
    }
}

/// Whether a place is on a diagonal or below it.
pub(super) fn lower(row: usize, column: usize, diagonal: i64) -> bool {
    column as i64 - row as i64 <= diagonal
}

/// One triangle of the last two axes, 0 elsewhere.
fn triangle(
    import: &mut Import,
    call: &Call<'_>,
    x: &Tensor,
    diagonal: Option<&Tensor>,
) -> Result<Tensor, String> {
    let upper = call.attributes.int("upper", 1)? != 0;
    let diagonal = match diagonal.map(whole).transpose()?.as_deref() {
        None => 0,
        Some(&[k]) => k.clamp(-(1 << 40), 1 << 40),
        Some(_) => return Err("the diagonal should be a single whole number".into()),
    };
    let &[.., rows, columns] = &x.dims[..] else { return Err("expected matrices".into()) };
    import.make(x.len())?;
    let inside = |i: usize| {
        let (row, column) = (i / columns % rows, i % columns);
        upper != lower(row, column, diagonal - i64::from(upper))
    };
    match &x.data {
        Data::Floats(values) => {
            let each = values.iter().enumerate().map(|(i, &v)| if inside(i) { v } else { 0.0 });
            Ok(floats(x, x.dims.clone(), each.collect()))
        }
        Data::Ints(values) => {
            let each = values.iter().enumerate().map(|(i, &v)| if inside(i) { v } else { 0 });
            Ok(ints(x, x.dims.clone(), each.collect()))
        }
        Data::Other(_) => Err("cannot be worked out for this type".into()),
    }
}

/// A copy with slices replaced; the last axis of `at` names a slice.
fn scatter(
    import: &mut Import,
    x: &Tensor,
    at: &Tensor,
    updates: &Tensor,
) -> Result<Tensor, String> {
    import.make(x.len())?;
    let depth = at.dims.last().copied().unwrap_or(0);
    if depth == 0 || depth > x.dims.len() {
        return Err(format!("positions of shape {:?} do not fit {:?}", at.dims, x.dims));
    }
    let from = strides(&x.dims);
    let len: usize = x.dims[depth..].iter().product();
    let mut starts = Vec::new();
    for place in whole(at)?.chunks_exact(depth) {
        let mut start = 0;
        for (axis, &index) in place.iter().enumerate() {
            start += positions(&[index], x.dims[axis])?[0] * from[axis];
        }
        starts.push(start);
    }
    if updates.len() != starts.len() * len {
        return Err(format!("updates of shape {:?} do not fit the positions", updates.dims));
    }
    let data = match (&x.data, &updates.data) {
        (Data::Floats(x), Data::Floats(new)) => Data::Floats(scattered(x, &starts, len, new)),
        (Data::Ints(x), Data::Ints(new)) => Data::Ints(scattered(x, &starts, len, new)),
        _ => return Err("its constants are of types that do not go together".into()),
    };
    Ok(Tensor { name: x.name.clone(), dims: x.dims.clone(), data })
}

fn scattered<T: Copy>(x: &[T], starts: &[usize], len: usize, updates: &[T]) -> std::sync::Arc<[T]> {
    let mut all = x.to_vec();
    for (i, &start) in starts.iter().enumerate() {
        all[start..start + len].copy_from_slice(&updates[i * len..(i + 1) * len]);
    }
    all.into()
}

/// `(x − zero) · scale`, one of each for all or one along an axis.
fn dequantise(
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

fn tile(import: &mut Import, x: &Tensor, times: &[usize]) -> Result<Tensor, String> {
    if times.len() != x.dims.len() {
        return Err(format!("{} repeats do not fit {:?}", times.len(), x.dims));
    }
    let dims: Vec<usize> =
        x.dims.iter().zip(times).map(|(&size, &times)| size.saturating_mul(times)).collect();
    import.make(count(&dims)?)?;
    let (from, to) = (strides(&x.dims), strides(&dims));
    let source = (0..dims.iter().product()).map(|i: usize| {
        (0..dims.len()).map(|axis| i / to[axis] % dims[axis] % x.dims[axis] * from[axis]).sum()
    });
    Ok(Tensor { name: x.name.clone(), data: x.data.pick(source)?, dims: dims.clone() })
}

/// The tensor with its sizes of 1 repeated.
fn repeat(import: &mut Import, x: &Tensor, dims: Vec<usize>) -> Result<Tensor, String> {
    if x.dims == dims {
        return Ok(x.clone());
    }
    let from = strides(&x.dims);
    let shift = dims.len() - x.dims.len();
    let steps: Vec<isize> = (0..dims.len())
        .map(|axis| match axis.checked_sub(shift) {
            Some(own) if x.dims[own] > 1 => from[own] as isize,
            _ => 0,
        })
        .collect();
    picked(import, x, dims, &steps, 0)
}

/// A tensor of other sizes whose element at a place is `offset + Σ place · step`.
fn picked(
    import: &mut Import,
    x: &Tensor,
    dims: Vec<usize>,
    steps: &[isize],
    offset: usize,
) -> Result<Tensor, String> {
    let count = count(&dims)?;
    import.make(count)?;
    let to = strides(&dims);
    let source = (0..count).map(|i| {
        let moves = (0..dims.len()).map(|axis| (i / to[axis] % dims[axis]) as isize * steps[axis]);
        (offset as isize + moves.sum::<isize>()) as usize
    });
    let data = x.data.pick(source)?;
    Ok(Tensor { name: x.name.clone(), dims, data })
}

fn reshaped(x: &Tensor, dims: Vec<usize>) -> Tensor {
    Tensor { dims, ..x.clone() }
}

/// Sizes that a `Reshape` to `target` gives; 0 keeps a size (unless it is meant), -1 takes the rest.
pub(super) fn reshape_dims(
    dims: &[usize],
    target: &[i64],
    keeps_zero: bool,
) -> Result<Vec<usize>, String> {
    let refused = || format!("cannot reshape {dims:?} to {target:?}");
    let mut sizes = Vec::with_capacity(target.len());
    let mut open = None;
    for (index, &size) in target.iter().enumerate() {
        sizes.push(match size {
            0 if !keeps_zero => *dims.get(index).ok_or_else(refused)?,
            -1 if open.is_none() => {
                open = Some(index);
                1
            }
            _ => usize::try_from(size).map_err(|_| refused())?,
        });
    }
    let (have, want) = (elements(dims).ok_or_else(refused)?, elements(&sizes).ok_or_else(refused)?);
    if let Some(index) = open {
        sizes[index] = match want {
            0 => return Err(refused()),
            _ => have / want,
        };
    }
    if elements(&sizes) == Some(have) { Ok(sizes) } else { Err(refused()) }
}

/// Sizes without those axes of size 1, or without any of size 1 where none are named.
pub(super) fn squeeze_dims(dims: &[usize], axes: &[i64]) -> Result<Vec<usize>, String> {
    let mut gone: Vec<bool> = dims.iter().map(|&size| axes.is_empty() && size == 1).collect();
    for &axis in axes {
        let axis = clamp_axis(axis, dims.len())?;
        if dims[axis] != 1 {
            return Err(format!("axis {axis} of {dims:?} cannot be removed: its size is not 1"));
        }
        gone[axis] = true;
    }
    Ok(dims.iter().zip(gone).filter(|(_, gone)| !gone).map(|(&size, _)| size).collect())
}

/// Sizes with axes of size 1 put in.
pub(super) fn unsqueeze_dims(dims: &[usize], axes: &[i64]) -> Result<Vec<usize>, String> {
    let rank = dims.len().saturating_add(axes.len());
    if rank > 16 {
        return Err(format!("cannot insert {} axes into {dims:?}", axes.len()));
    }
    let mut new: Vec<usize> =
        axes.iter().map(|&axis| clamp_axis(axis, rank)).collect::<Result<_, _>>()?;
    new.sort_unstable();
    new.dedup();
    if new.len() != axes.len() {
        return Err(format!("axes {axes:?} name one twice"));
    }
    let mut all = dims.to_vec();
    new.into_iter().for_each(|axis| all.insert(axis, 1));
    Ok(all)
}

/// An order of axes, by default the reverse one.
pub(super) fn permutation(perm: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    if perm.is_empty() {
        return Ok((0..rank).rev().collect());
    }
    let axes: Vec<usize> = perm.iter().filter_map(|&axis| usize::try_from(axis).ok()).collect();
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    match sorted.iter().copied().eq(0..rank) && perm.len() == rank {
        true => Ok(axes),
        false => Err(format!("perm {perm:?} is no order of {rank} axes")),
    }
}

/// An axis, negative ones counted from the end.
pub(super) fn clamp_axis(axis: i64, rank: usize) -> Result<usize, String> {
    let wrapped = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    usize::try_from(wrapped)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| format!("axis {axis} is outside the {rank} axes"))
}

/// Sizes after NumPy's broadcasting.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    crate::ops::general::broadcast(a, b)
}

fn count(dims: &[usize]) -> Result<usize, String> {
    elements(dims).ok_or_else(|| format!("{dims:?} has more elements than are supported"))
}

/// From one place to the next along each axis.
fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(dims[axis].max(1));
    }
    strides
}

fn sizes(x: &Tensor) -> Result<Vec<usize>, String> {
    let sizes =
        whole(x)?.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<Vec<_>>>();
    match sizes {
        Some(sizes) if sizes.len() <= 16 => Ok(sizes),
        _ => Err("expected a shape: up to 16 numbers from 0 up".into()),
    }
}

fn whole(x: &Tensor) -> Result<std::sync::Arc<[i64]>, String> {
    match &x.data {
        Data::Ints(values) => Ok(values.clone()),
        _ => Err(format!("the constant {:?} should be whole numbers", x.name)),
    }
}

fn ints(like: &Tensor, dims: Vec<usize>, values: Vec<i64>) -> Tensor {
    Tensor::ints(&like.name, dims, values)
}

fn floats(like: &Tensor, dims: Vec<usize>, values: Vec<f32>) -> Tensor {
    Tensor { name: like.name.clone(), dims, data: Data::Floats(values.into()) }
}

impl Data {
    /// The numbers at these places.
    fn pick(&self, places: impl Iterator<Item = usize>) -> Result<Data, String> {
        match self {
            Data::Floats(values) => Ok(Data::Floats(places.map(|at| values[at]).collect())),
            Data::Ints(values) => Ok(Data::Ints(places.map(|at| values[at]).collect())),
            Data::Other(kind) => {
                Err(format!("constants of type {} are not supported", data_type::name(*kind)))
            }
        }
    }
}
