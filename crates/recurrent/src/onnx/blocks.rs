//! The order of the gates: PyTorch's in a network, ONNX's in a file.

use cutaway_engine::cells::Cell;

/// For each block of rows in ONNX's order the block in PyTorch's: LSTM `i o f c` from `i f c o`, GRU `z r h` from `r z h`.
fn order(cell: Cell) -> &'static [usize] {
    match cell {
        Cell::Tanh | Cell::Relu => &[0],
        Cell::Lstm => &[0, 3, 1, 2],
        Cell::Gru => &[1, 0, 2],
    }
}

/// Adds the rows of a matrix or vector, of `hidden` rows a gate, in ONNX's order.
pub(super) fn to_onnx(cell: Cell, values: &[f32], out: &mut Vec<f32>) {
    let size = values.len() / cell.gates();
    for &block in order(cell) {
        out.extend_from_slice(&values[block * size..(block + 1) * size]);
    }
}

/// Puts rows in ONNX's order back into PyTorch's.
pub(super) fn from_onnx(cell: Cell, values: &[f32], out: &mut [f32]) {
    let size = values.len() / cell.gates();
    for (&block, from) in order(cell).iter().zip(values.chunks_exact(size)) {
        out[block * size..(block + 1) * size].copy_from_slice(from);
    }
}

/// What ONNX calls the operator.
pub(super) fn operator(cell: Cell) -> &'static str {
    match cell {
        Cell::Tanh | Cell::Relu => "RNN",
        Cell::Lstm => "LSTM",
        Cell::Gru => "GRU",
    }
}
