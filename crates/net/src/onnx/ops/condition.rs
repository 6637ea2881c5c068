//! Comparisons, logic, `Where`, and conversions of what layers compute.
//!
//! A condition is a number here, 0 or 1, and everything but 0 is true. ONNX has a type of its own for it, so a
//! file says `Cast` around what takes or gives one; reading, such conversions are nothing.

use super::Written;
use super::arithmetic::{common, join};
use crate::onnx::attributes::int;
use crate::onnx::proto::data_type;
use crate::onnx::reader::{Call, Import, Kind, Operand, Value};
use crate::onnx::tensor::Data;
use crate::{Binary, Op, Unary};

/// What gives a condition: a float again behind it.
pub(super) fn write_condition(op_type: &'static str, taken: Vec<usize>) -> Written {
    let back = Written::new("Cast", vec![int("to", data_type::FLOAT as usize)]);
    let new = Written::new(op_type, vec![]);
    Written { conditions: taken, then: Some(Box::new(back)), ..new }
}

/// A conversion to another type and back.
pub(super) fn write_cast(to: i32) -> Written {
    let back = Written::new("Cast", vec![int("to", data_type::FLOAT as usize)]);
    let new = Written::new("Cast", vec![int("to", to as usize)]);
    Written { then: Some(Box::new(back)), ..new }
}

pub(super) fn write_where() -> Written {
    Written { conditions: vec![0], ..Written::new("Where", vec![]) }
}

/// Comparisons and logic of two inputs.
pub(super) fn read_pair(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    if matches!(call.operator(), "And" | "Or" | "Xor") {
        check(import, call, &[0, 1])?;
    }
    match call.operator() {
        "Equal" => join(import, call, Binary::Equal, 0, 1),
        "Less" => join(import, call, Binary::Less, 0, 1),
        "LessOrEqual" => join(import, call, Binary::LessOrEqual, 0, 1),
        // The other way round.
        "Greater" => join(import, call, Binary::Less, 1, 0),
        "GreaterOrEqual" => join(import, call, Binary::LessOrEqual, 1, 0),
        "And" => join(import, call, Binary::And, 0, 1),
        "Or" => join(import, call, Binary::Or, 0, 1),
        "Xor" => join(import, call, Binary::Xor, 0, 1),
        other => Err(format!("{other} is no comparison")),
    }
}

/// Refuses what is no condition: numbers of another type, or a constant of other numbers than 0 and 1.
pub(super) fn check(import: &Import, call: &Call<'_>, inputs: &[usize]) -> Result<(), String> {
    for &index in inputs {
        let is_one = match import.value(call, index)? {
            Value::Node(operand) => operand.kind == Kind::Truth,
            Value::Constant(tensor) => match &tensor.data {
                Data::Ints(values) => values.iter().all(|value| matches!(value, 0 | 1)),
                _ => false,
            },
        };
        if !is_one {
            return Err(format!("input {index} should be a condition, of type BOOL"));
        }
    }
    Ok(())
}

/// `condition ? a : b`, with NumPy's broadcasting of all three.
pub(super) fn read_where(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    check(import, call, &[0])?;
    let (rank, batch) = common(import, call, &[0, 1, 2])?;
    let mut inputs = Vec::with_capacity(3);
    for index in 0..3 {
        inputs.push(import.node_at(call, index, rank, batch)?);
    }
    import.emit_at(call, batch, Op::Where, inputs, vec![])
}

/// Layers compute in floats of 32 bits, whatever the file says: from one float to another nothing
/// happens, and nothing to numbers that the other type holds.
pub(super) fn read_cast(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    call.attributes.ignore("saturate");
    let to = match call.operator() {
        "CastLike" => like(import, call)?,
        _ => i32::try_from(call.attributes.int("to", 1)?).unwrap_or(0),
    };
    let operand = import.operand(call, 0)?;
    let holds = import.holds(operand.node);
    let (kind, change) = match to {
        data_type::BOOL => (Kind::Truth, (holds < Kind::Truth).then_some(Unary::NonZero)),
        _ if data_type::is_whole(to) => {
            (Kind::Whole, (holds < Kind::Whole).then_some(Unary::Truncate))
        }
        _ if data_type::is_float(to) => (Kind::Real, None),
        _ => return Err(format!("a conversion to {} is not supported", data_type::name(to))),
    };
    match change {
        None => {
            import.bind(call, Value::Node(Operand { kind, ..operand }));
            Ok(())
        }
        Some(unary) => {
            import.emit_at(call, operand.batch, Op::Unary(unary), vec![operand.node], vec![])
        }
    }
}

/// The type of the second input.
fn like(import: &Import, call: &Call<'_>) -> Result<i32, String> {
    Ok(match import.value(call, 1)? {
        Value::Node(Operand { kind: Kind::Truth, .. }) => data_type::BOOL,
        Value::Node(Operand { kind: Kind::Whole, .. }) => data_type::INT64,
        Value::Constant(tensor) if matches!(tensor.data, Data::Ints(_)) => data_type::INT64,
        _ => data_type::FLOAT,
    })
}
