//! A recurrent layer takes no memory once its tape has seen a batch as large.

mod counting_allocator;

use counting_allocator::Counting;
use cutaway_engine::Isa;
use cutaway_engine::cells::{Cell, Input, InputGradient, Layer, Parameters, Start, Steps, Tape};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

const SYMBOLS: usize = 5;
const INPUTS: usize = 3;
const HIDDEN: usize = 20;

/// A training step's worth: weights loaded, forward and back with symbols, forward and back with values.
fn pass(layer: &mut Layer, weights: &Parameters, steps: &Steps, room: &mut Room) {
    let Room { tape, gradient, symbols, table, values, by_states, by_table, by_values } = room;
    let rows = steps.rows();
    let (start, by_states) = (Start::default(), &by_states[..rows * HIDDEN]);
    layer.load(weights).unwrap();
    let width = by_table.len() / SYMBOLS;
    let input = Input::Symbols { symbols: &symbols[..rows], table: &table[..SYMBOLS * width] };
    layer.forward(input, steps, &start, tape);
    let by = InputGradient::Table(by_table);
    layer.backward(input, steps, &start, tape, by_states, gradient, by);
    let input = Input::Values(&values[..rows * INPUTS]);
    layer.forward(input, steps, &start, tape);
    let by = InputGradient::Values(&mut by_values[..rows * INPUTS]);
    layer.backward(input, steps, &start, tape, by_states, gradient, by);
}

struct Room {
    tape: Tape,
    gradient: Parameters,
    symbols: Vec<u8>,
    table: Vec<f32>,
    values: Vec<f32>,
    by_states: Vec<f32>,
    by_table: Vec<f32>,
    by_values: Vec<f32>,
}

#[test]
fn passes_take_no_memory_after_the_largest() {
    let lengths: [&[usize]; 3] = [&[90, 80, 80, 3], &[40, 40], &[90, 1, 1, 1, 1]];
    let batches = lengths.map(|lengths| Steps::of_lengths(lengths).unwrap());
    for cell in [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru] {
        for keep in [false, true] {
            let weights = Parameters::zeros(cell, INPUTS, HIDDEN);
            let mut layer = Layer::new(cell, &weights, Isa::detect()).unwrap();
            let (rows, width) = (batches[0].rows(), cell.gates() * HIDDEN);
            let mut room = Room {
                tape: Tape::default(),
                gradient: weights.clone(),
                symbols: (0..rows).map(|row| (row % SYMBOLS) as u8).collect(),
                table: vec![0.1; SYMBOLS * width],
                values: vec![0.1; rows * INPUTS],
                by_states: vec![0.1; rows * HIDDEN],
                by_table: vec![0.0; SYMBOLS * width],
                by_values: vec![0.0; rows * INPUTS],
            };
            room.tape.keep_state_gradients = keep;
            // The second has more sequences in fewer rows.
            pass(&mut layer, &weights, &batches[0], &mut room);
            pass(&mut layer, &weights, &batches[2], &mut room);
            let before = ALLOCATOR.allocations();
            batches.iter().for_each(|steps| pass(&mut layer, &weights, steps, &mut room));
            let taken = ALLOCATOR.allocations() - before;
            assert_eq!(taken, 0, "allocations of {cell:?}, keeping gradients: {keep}");
        }
    }
}
