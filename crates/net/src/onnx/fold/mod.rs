//! What can be worked out while reading: shapes that are computed from shapes, weights that are made
//! of weights.
//!
//! Exporters write `Shape`, `Gather`, `Concat` where they mean a number, and weights come quantised or
//! transposed. An operator all of whose inputs are known leaves no node; its result is computed here,
//! in `f32` and `i64`, by the operator's definition. Sizes come from the file, so everything that is
//! made is accounted for ([`Import::make`]) before memory is taken for it.

mod elementwise;
mod making;
mod moving;
mod sizes;
mod sums;

use super::proto::data_type;
use super::reader::{Call, Import, Value};
use super::tensor::{Data, Tensor};
use elementwise::{apply, binary, cast, choose, combine, dequantise, same_numbers, unary};
use making::{filled, non_zero, range, repeat, tile, triangle};
use moving::{concat, gather, reshaped, scatter, slice, split, transpose};
use sizes::{floats, ints, sizes, whole};
use sums::{cum_sum, mat_mul, reduce};

pub(super) use making::lower;
pub(super) use moving::{part_sizes, permuted, positions, spans};
pub(super) use sizes::{
    broadcast, clamp_axis, permutation, reshape_dims, squeeze_dims, unsqueeze_dims,
};
pub(super) use sums::reduced;

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
