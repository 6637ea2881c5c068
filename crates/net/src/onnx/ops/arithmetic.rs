//! Functions of two numbers: of two layers, or of a layer and a constant.

use super::activation::number;
use super::{Written, condition, merge};
use crate::onnx::reader::{Call, Import, Kind, Operand, Value};
use crate::{Binary, NodeId, Op, Unary};

pub(super) fn write_binary(binary: Binary) -> Written {
    if binary.is_condition() {
        let logic = matches!(binary, Binary::And | Binary::Or | Binary::Xor);
        let taken = if logic { vec![0, 1] } else { vec![] };
        return condition::write_condition(binary.kind(), taken);
    }
    Written::new(
        match binary {
            Binary::Add => "Add",
            Binary::PRelu => "PRelu",
            other => other.kind(),
        },
        vec![],
    )
}

/// A single number becomes a setting of a function of the other input, all else a node of its own.
pub(super) fn read_binary(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let operator = call.operator();
    let binary = match operator {
        "Add" => Binary::Add,
        "Sub" => Binary::Sub,
        "Mul" => Binary::Mul,
        "Div" => Binary::Div,
        "Pow" => Binary::Pow,
        "PRelu" => Binary::PRelu,
        other => return Err(format!("{other} is no function of two numbers")),
    };
    if binary == Binary::Div && [0, 1].iter().all(|&i| import.kind(call, i) > Kind::Real) {
        return Err("it divides whole numbers; only a division of floats is supported".into());
    }
    if operator == "Add" && merge::read_bias(import, call)? {
        return Ok(());
    }
    if let Some(unary) = with_number(import, call, binary)? {
        let layer = usize::from(matches!(import.value(call, 0)?, Value::Constant(_)));
        let operand = raised(import, call, layer)?;
        if let (Binary::Div, 1) = (binary, layer) {
            let inverse = Op::Unary(Unary::Reciprocal);
            let inverse = import.step(call, "inverse", inverse, vec![operand.node], vec![])?;
            return import.emit_at(call, operand.batch, Op::Unary(unary), vec![inverse], vec![]);
        }
        if let (Binary::Sub, 1) = (binary, layer) {
            let negative = Op::Unary(Unary::Scale { factor: -1.0 });
            let negative = import.step(call, "negative", negative, vec![operand.node], vec![])?;
            return import.emit_at(call, operand.batch, Op::Unary(unary), vec![negative], vec![]);
        }
        return import.emit_at(call, operand.batch, Op::Unary(unary), vec![operand.node], vec![]);
    }
    join(import, call, binary, 0, 1)
}

/// The layer at an input of two, with as many axes as the constant beside it has.
fn raised(import: &mut Import, call: &Call<'_>, layer: usize) -> Result<Operand, String> {
    let operand = import.operand(call, layer)?;
    let (rank, batch) = common(import, call, &[0, 1])?;
    if rank == import.dims(operand).len() {
        return Ok(operand);
    }
    let node = import.node_at(call, layer, rank, batch)?;
    Ok(Operand { node, batch, ..operand })
}

/// The function of the layer alone, where the other input is a single number.
fn with_number(import: &Import, call: &Call<'_>, binary: Binary) -> Result<Option<Unary>, String> {
    let first = matches!(import.value(call, 0)?, Value::Constant(_));
    let Some(c) = number(import, call, usize::from(!first))? else { return Ok(None) };
    Ok(match (binary, first) {
        (Binary::Sub, true) => Some(Unary::Shift { by: c }),
        (Binary::Div, true) => Some(Unary::Scale { factor: c }),
        _ => of_number(binary, c, first),
    })
}

/// A function of two numbers of which one is always the same, the first or the second.
fn of_number(binary: Binary, c: f32, first: bool) -> Option<Unary> {
    Some(match (binary, first) {
        (Binary::Add, _) => Unary::Shift { by: c },
        (Binary::Sub, false) => Unary::Shift { by: -c },
        (Binary::Mul, _) => Unary::Scale { factor: c },
        (Binary::Div, false) if (1.0 / c).is_normal() => Unary::Scale { factor: 1.0 / c },
        (Binary::Pow, false) => Unary::Power { exponent: c },
        (Binary::PRelu, false) => Unary::LeakyRelu { slope: c },
        (Binary::Min, _) => Unary::Clip { low: f32::NEG_INFINITY, high: c },
        (Binary::Max, _) => Unary::Clip { low: c, high: f32::INFINITY },
        _ => return None,
    })
}

/// A function of two nodes, of as many axes: of one of them where the other is a constant single number.
pub(super) fn combined(import: &Import, binary: Binary, a: NodeId, b: NodeId) -> (Op, Vec<NodeId>) {
    let unary = match (import.single(a), import.single(b)) {
        (None, Some(c)) => of_number(binary, c, false).map(|unary| (unary, a)),
        (Some(c), None) => of_number(binary, c, true).map(|unary| (unary, b)),
        _ => None,
    };
    match (unary, binary) {
        (Some((unary, node)), _) => (Op::Unary(unary), vec![node]),
        (None, Binary::Add) => (sum(import, a, b), vec![a, b]),
        (None, _) => (Op::Binary(binary), vec![a, b]),
    }
}

/// `Min` and `Max` of any number of inputs, two at a time.
pub(super) fn read_extreme(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let least = call.operator() == "Min";
    let binary = if least { Binary::Min } else { Binary::Max };
    let count = call.input_count();
    if count == 1 {
        let value = import.value(call, 0)?;
        import.bind(call, value);
        return Ok(());
    }
    if count == 2 {
        let layer = usize::from(matches!(import.value(call, 0)?, Value::Constant(_)));
        if let Some(bound) = number(import, call, 1 - layer)? {
            let (low, high) =
                if least { (f32::NEG_INFINITY, bound) } else { (bound, f32::INFINITY) };
            let operand = raised(import, call, layer)?;
            let op = Op::Unary(Unary::Clip { low, high });
            return import.emit_at(call, operand.batch, op, vec![operand.node], vec![]);
        }
        return join(import, call, binary, 0, 1);
    }
    let (rank, batch) = common(import, call, &(0..count).collect::<Vec<_>>())?;
    let mut result = import.node_at(call, 0, rank, batch)?;
    for index in 1..count {
        let next = import.node_at(call, index, rank, batch)?;
        let (op, inputs) = combined(import, binary, result, next);
        result = match index + 1 == count {
            true => return import.emit_at(call, batch, op, inputs, vec![]),
            false => import.step(call, "part", op, inputs, vec![])?,
        };
    }
    Ok(())
}

/// `Mean` of inputs: their sum over their number.
pub(super) fn read_mean(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let count = call.input_count();
    let (rank, batch) = common(import, call, &(0..count).collect::<Vec<_>>())?;
    let mut sum = import.node_at(call, 0, rank, batch)?;
    for index in 1..count {
        let next = import.node_at(call, index, rank, batch)?;
        let (op, inputs) = combined(import, Binary::Add, sum, next);
        sum = import.step(call, "part", op, inputs, vec![])?;
    }
    let share = Op::Unary(Unary::Scale { factor: 1.0 / count.max(1) as f32 });
    import.emit_at(call, batch, share, vec![sum], vec![])
}

/// A function of two inputs, shapes aligned as the file means it.
pub(super) fn join(
    import: &mut Import,
    call: &Call<'_>,
    binary: Binary,
    a: usize,
    b: usize,
) -> Result<(), String> {
    let (rank, batch) = common(import, call, &[a, b])?;
    let left = import.node_at(call, a, rank, batch)?;
    let right = import.node_at(call, b, rank, batch)?;
    let (op, inputs) = combined(import, binary, left, right);
    import.emit_at(call, batch, op, inputs, vec![])
}

/// The sum of two nodes, with broadcasting where their shapes ask for it.
pub(super) fn sum(import: &Import, a: NodeId, b: NodeId) -> Op {
    match import.shape(a) == import.shape(b) {
        true => Op::Add,
        false => Op::Binary(Binary::Add),
    }
}

/// The number of axes that inputs have together, and which of them is the batch: the axis that is the
/// batch of one of them, where all others have a size of 1 there or nothing; else none.
pub(super) fn common(
    import: &Import,
    call: &Call<'_>,
    indices: &[usize],
) -> Result<(usize, Option<usize>), String> {
    let mut all = Vec::new();
    for &index in indices {
        all.push(match import.value(call, index)? {
            Value::Node(operand) => (import.dims(operand), operand.batch),
            Value::Constant(tensor) => (tensor.dims.clone(), None),
        });
    }
    let rank = all.iter().map(|(dims, _)| dims.len()).max().unwrap_or(0);
    let aligned = |dims: &[usize], axis: usize| axis + rank - dims.len();
    let found = all.iter().find_map(|(dims, batch)| batch.map(|axis| aligned(dims, axis)));
    let batch = found.filter(|&batch| {
        all.iter().all(|(dims, _)| match (batch + dims.len()).checked_sub(rank) {
            Some(axis) => dims[axis] == 1,
            None => true,
        })
    });
    // Without its batch axis a sample must still have one.
    Ok((rank, batch.filter(|_| rank > 1)))
}
