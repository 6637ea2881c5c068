//! The engine's recurrent layer against the reference cells in `f64`: random cells, sizes, lengths.

use cutaway_engine::Isa;
use cutaway_engine::cells::{Input, InputGradient, Layer, Parameters, Start, Steps, Tape, plain};
use cutaway_recurrent::Matrix;
use cutaway_recurrent::cells::{Cell, Weights, reference};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

/// Of the largest magnitude of an array, after some twenty steps.
const TOLERANCE: f64 = 2e-5;

/// What the gradients hold before the way back, which adds to them.
const BEFORE: f32 = 0.25;

#[derive(Clone, Debug)]
struct Case {
    cell: Cell,
    inputs: usize,
    hidden: usize,
    /// The longest first.
    lengths: Vec<usize>,
    symbols: bool,
    /// Whether some sequences of the first step are given a state to start from.
    started: bool,
    /// Whether the states after the last step alone are used.
    last: bool,
    seed: u64,
}

fn cells() -> impl Strategy<Value = Cell> {
    prop_oneof![Just(Cell::Tanh), Just(Cell::Relu), Just(Cell::Lstm), Just(Cell::Gru)]
}

/// Sizes around those of the vectors, and any others.
fn hidden() -> impl Strategy<Value = usize> {
    prop_oneof![1..20usize, 1..70usize, Just(16), Just(32), Just(64)]
}

/// Few sequences and many, equally long and not, of which some join later.
fn lengths() -> impl Strategy<Value = Vec<usize>> {
    let any = prop::collection::vec(1..24usize, 1..20);
    let equal = (1..24usize, 1..34usize).prop_map(|(length, count)| vec![length; count]);
    prop_oneof![any, equal].prop_map(|mut lengths| {
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths
    })
}

fn case() -> impl Strategy<Value = Case> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<u64>());
    (cells(), 1..20usize, hidden(), lengths(), flags).prop_map(
        |(cell, inputs, hidden, lengths, (symbols, started, last, seed))| Case {
            cell,
            inputs,
            hidden,
            lengths,
            symbols,
            started,
            last,
            seed,
        },
    )
}

/// All that goes in, drawn from the case's seed.
struct Drawn {
    weights: Parameters,
    steps: Steps,
    start: Start,
    values: Vec<f32>,
    symbols: Vec<u8>,
    table: Vec<f32>,
    by_states: Vec<f32>,
}

impl Drawn {
    fn new(case: &Case) -> Drawn {
        let mut state = case.seed | 1;
        let mut draw = |count: usize, scale: f32| -> Vec<f32> {
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                scale * ((state >> 40) as f32 / (1 << 23) as f32 - 1.0)
            };
            (0..count).map(|_| next()).collect()
        };
        let Case { cell, inputs, hidden, .. } = *case;
        let steps = Steps::of_lengths(&case.lengths).unwrap();
        let mut weights = Parameters::zeros(cell, inputs, hidden);
        let scales = [1.0, 1.5 / (hidden as f32).sqrt(), 0.5, 0.5];
        for (array, scale) in weights.arrays_mut().into_iter().zip(scales) {
            array.copy_from_slice(&draw(array.len(), scale));
        }
        // All that run at the first step, or fewer.
        let first = match case.started {
            true => steps.counts()[0].div_ceil(1 + case.seed as usize % 2) * hidden,
            false => 0,
        };
        let memory = if cell.has_memory() { first } else { 0 };
        let symbol = |x: f32| ((x + 1.0) / 2.0 * inputs as f32) as u8;
        Drawn {
            start: Start { h: draw(first, 1.0), c: draw(memory, 1.0) },
            values: draw(steps.rows() * inputs, 1.0),
            symbols: draw(steps.rows(), 1.0).into_iter().map(symbol).collect(),
            table: draw(inputs * cell.gates() * hidden, 1.0),
            by_states: draw(if case.last { steps.sequences() } else { steps.rows() } * hidden, 1.0),
            weights,
            steps,
        }
    }

    fn input(&self, case: &Case) -> Input<'_> {
        match case.symbols {
            true => Input::Symbols { symbols: &self.symbols, table: &self.table },
            false => Input::Values(&self.values),
        }
    }
}

impl Drawn {
    /// The derivative by the states of all rows.
    fn by_all_states(&self) -> Vec<f32> {
        let len = self.steps.rows() * self.weights.hidden;
        [vec![0.0; len - self.by_states.len()], self.by_states.clone()].concat()
    }
}

/// Everything that comes out, by name.
type Outcome = Vec<(&'static str, Vec<f64>)>;

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

fn outcome(
    states: [&[f32]; 5],
    gradient: &Parameters,
    by_input: &[f32],
    by_start: &Start,
) -> Outcome {
    let names = ["h", "c", "gates", "by h", "by c", "weight_ih", "weight_hh", "bias_ih", "bias_hh"];
    let arrays = states.into_iter().chain(gradient.arrays());
    let mut all: Outcome = names.into_iter().zip(arrays.map(widen)).collect();
    all.push(("by input", widen(by_input)));
    all.push(("by the start's h", widen(&by_start.h)));
    all.push(("by the start's c", widen(&by_start.c)));
    all
}

/// A gradient to be added to, and room for the derivative by the input.
fn gradients(case: &Case, drawn: &Drawn) -> (Parameters, Vec<f32>) {
    let mut gradient = drawn.weights.clone();
    gradient.arrays_mut().into_iter().for_each(|array| array.fill(BEFORE));
    let room = if case.symbols { drawn.table.len() } else { drawn.values.len() };
    (gradient, vec![BEFORE; room])
}

fn target<'a>(case: &Case, by_input: &'a mut [f32]) -> InputGradient<'a> {
    if case.symbols { InputGradient::Table(by_input) } else { InputGradient::Values(by_input) }
}

fn of_layer(case: &Case, drawn: &Drawn, isa: Isa, tape: &mut Tape) -> Outcome {
    let Drawn { weights, steps, start, by_states, .. } = drawn;
    let layer = Layer::new(case.cell, weights, isa).unwrap();
    let input = drawn.input(case);
    layer.forward(input, steps, start, tape);
    let (mut gradient, mut by_input) = gradients(case, drawn);
    let by = target(case, &mut by_input);
    layer.backward(input, steps, start, tape, by_states, &mut gradient, by);
    let (by_h, by_c) = (tape.state_gradients(), tape.memory_gradients());
    let states = [tape.states(), tape.memories(), tape.gates(), by_h, by_c];
    outcome(states, &gradient, &by_input, &tape.start_gradients(steps))
}

fn of_plain(case: &Case, drawn: &Drawn) -> Outcome {
    let Drawn { weights, steps, start, .. } = drawn;
    let input = drawn.input(case);
    let by_states = &drawn.by_all_states();
    let pass = plain::forward(case.cell, weights, input, steps, start);
    let (mut gradient, mut by_input) = gradients(case, drawn);
    let by = target(case, &mut by_input);
    let back = plain::backward(
        case.cell,
        weights,
        input,
        steps,
        start,
        &pass,
        by_states,
        &mut gradient,
        by,
    );
    let states: [&[f32]; 5] = [&pass.h, &pass.c, &pass.gates, &back.h, &back.c];
    outcome(states, &gradient, &by_input, &back.start)
}

/// The reference, a sequence at a time; a table is a matrix that one-hot vectors select from.
fn of_reference(case: &Case, drawn: &Drawn) -> Outcome {
    let Case { cell, inputs, hidden, .. } = *case;
    let width = cell.gates() * hidden;
    let weights = reference_weights(case, drawn);
    let steps = &drawn.steps;
    let by_states = drawn.by_all_states();
    let memory = if cell.has_memory() { steps.rows() * hidden } else { 0 };
    let [mut h, mut by_h] = [0, 1].map(|_| vec![0.0; steps.rows() * hidden]);
    let [mut c, mut by_c] = [0, 1].map(|_| vec![0.0; memory]);
    let mut gates = vec![0.0; steps.rows() * width];
    let mut by_values = vec![0.0; steps.rows() * inputs];
    let [mut by_start_h, mut by_start_c] = [0, 1].map(|_| Vec::new());
    let [mut weight_ih, mut weight_hh] =
        [width * inputs, width * hidden].map(|n| vec![f64::from(BEFORE); n]);
    let [mut bias_ih, mut bias_hh] = [0, 1].map(|_| vec![f64::from(BEFORE); width]);
    for (sequence, &length) in case.lengths.iter().enumerate() {
        let skipped = steps.len() - length;
        let rows: Vec<usize> =
            (0..length).map(|t| steps.row(skipped + t, sequence).unwrap()).collect();
        let read = |row: usize| match case.symbols {
            true => (0..inputs)
                .map(|s| f64::from(u8::from(s == usize::from(drawn.symbols[row]))))
                .collect(),
            false => widen(&drawn.values[row * inputs..(row + 1) * inputs]),
        };
        let read: Vec<Vec<f64>> = rows.iter().map(|&row| read(row)).collect();
        let started = |values: &[f32], zeros: Vec<f64>| match skipped {
            0 if values.len() > sequence * hidden => {
                widen(&values[sequence * hidden..(sequence + 1) * hidden])
            }
            _ => zeros,
        };
        let zeros = reference::Start::zeros(cell, hidden);
        let start = reference::Start {
            h: started(&drawn.start.h, zeros.h),
            c: started(&drawn.start.c, zeros.c),
        };
        let by: Vec<Vec<f64>> =
            rows.iter().map(|&row| widen(&by_states[row * hidden..(row + 1) * hidden])).collect();
        let pass = reference::forward(cell, &weights, &read, &start).unwrap();
        let back = reference::backward(cell, &weights, &read, &start, &pass, &by).unwrap();
        for (t, &row) in rows.iter().enumerate() {
            let put = |all: &mut [f64], values: &[f64]| {
                let n = values.len();
                all[row * n..(row + 1) * n].copy_from_slice(values);
            };
            put(&mut h, &pass[t].h);
            put(&mut gates, &pass[t].gates);
            put(&mut by_h, &back.states[t]);
            put(&mut by_values, &back.inputs[t]);
            if cell.has_memory() {
                put(&mut c, &pass[t].c);
                put(&mut by_c, &back.memories[t]);
            }
        }
        if skipped == 0 {
            by_start_h.extend(&back.start.h);
            by_start_c.extend(&back.start.c);
        }
        let add = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        add(&mut weight_ih, back.weights.weight_ih.values());
        add(&mut weight_hh, back.weights.weight_hh.values());
        add(&mut bias_ih, &back.weights.bias_ih);
        add(&mut bias_hh, &back.weights.bias_hh);
    }
    let mut by_input = by_values;
    if case.symbols {
        by_input = transposed(&weight_ih, width, inputs);
        weight_ih.fill(f64::from(BEFORE));
        bias_ih.fill(f64::from(BEFORE));
    }
    vec![
        ("h", h),
        ("c", c),
        ("gates", gates),
        ("by h", by_h),
        ("by c", by_c),
        ("weight_ih", weight_ih),
        ("weight_hh", weight_hh),
        ("bias_ih", bias_ih),
        ("bias_hh", bias_hh),
        ("by input", by_input),
        ("by the start's h", by_start_h),
        ("by the start's c", by_start_c),
    ]
}

fn reference_weights(case: &Case, drawn: &Drawn) -> Weights {
    let matrix = |values: &[f64], columns: usize| {
        let rows: Vec<Vec<f64>> = values.chunks_exact(columns).map(<[f64]>::to_vec).collect();
        Matrix::from_rows(&rows).unwrap()
    };
    let width = case.cell.gates() * case.hidden;
    let w = &drawn.weights;
    let (weight_ih, bias_ih) = match case.symbols {
        true => (transposed(&widen(&drawn.table), case.inputs, width), vec![0.0; width]),
        false => (widen(&w.weight_ih), widen(&w.bias_ih)),
    };
    Weights {
        weight_ih: matrix(&weight_ih, case.inputs),
        weight_hh: matrix(&widen(&w.weight_hh), case.hidden),
        bias_ih,
        bias_hh: widen(&w.bias_hh),
    }
}

fn transposed(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|c| (0..rows).map(move |r| values[r * columns + c])).collect()
}

fn check(found: &Outcome, wanted: &Outcome, by: &str) -> Result<(), TestCaseError> {
    for ((what, found), (_, wanted)) in found.iter().zip(wanted) {
        prop_assert_eq!(found.len(), wanted.len(), "{} of {}", what, by);
        let scale = wanted.iter().fold(1e-3f64, |most, value| most.max(value.abs()));
        for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            let near = (found - wanted).abs() <= TOLERANCE * scale;
            prop_assert!(near, "{what} of {by}: number {at} is {found}, expected {wanted}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config {
        cases: 120,
        rng_seed: RngSeed::Fixed(20),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn a_layer_computes_what_the_reference_does_on_every_instruction_set(
        case in case(), earlier in case(),
    ) {
        let drawn = Drawn::new(&case);
        let wanted = of_reference(&case, &drawn);
        check(&of_plain(&case, &drawn), &wanted, "plain")?;
        for isa in Isa::available() {
            // A tape that has been used for something else.
            let mut tape = Tape::default();
            tape.keep_state_gradients = true;
            of_layer(&earlier, &Drawn::new(&earlier), isa, &mut tape);
            check(&of_layer(&case, &drawn, isa, &mut tape), &wanted, &isa.to_string())?;
        }
    }

    #[test]
    fn the_states_of_a_sequence_have_the_same_bits_whatever_is_beside_it(case in case()) {
        let drawn = Drawn::new(&case);
        let Drawn { weights, steps, start, .. } = &drawn;
        let n = case.hidden;
        for isa in Isa::available() {
            let layer = Layer::new(case.cell, weights, isa).unwrap();
            let mut tape = Tape::default();
            layer.forward(drawn.input(&case), steps, start, &mut tape);
            for (sequence, &length) in case.lengths.iter().enumerate() {
                let skipped = steps.len() - length;
                let rows: Vec<usize> =
                    (skipped..steps.len()).map(|t| steps.row(t, sequence).unwrap()).collect();
                let alone = Steps::of_lengths(&[length]).unwrap();
                let symbols: Vec<u8> = rows.iter().map(|&row| drawn.symbols[row]).collect();
                let values: Vec<f32> = rows
                    .iter()
                    .flat_map(|&row| &drawn.values[row * case.inputs..(row + 1) * case.inputs])
                    .copied()
                    .collect();
                let input = match case.symbols {
                    true => Input::Symbols { symbols: &symbols, table: &drawn.table },
                    false => Input::Values(&values),
                };
                let own = |values: &[f32]| match skipped {
                    0 => values.chunks_exact(n).nth(sequence).map_or(Vec::new(), <[f32]>::to_vec),
                    _ => Vec::new(),
                };
                let start = Start { h: own(&start.h), c: own(&start.c) };
                let mut tape_alone = Tape::default();
                layer.forward(input, &alone, &start, &mut tape_alone);
                for (t, &row) in rows.iter().enumerate() {
                    let bits = |tape: &Tape, row: usize| -> Vec<u32> {
                        tape.states()[row * n..(row + 1) * n].iter().map(|x| x.to_bits()).collect()
                    };
                    prop_assert_eq!(bits(&tape_alone, t), bits(&tape, row), "{} step {}", isa, t);
                }
            }
        }
    }

    #[test]
    fn a_batch_in_pieces_is_the_batch_at_once(case in case(), cut in any::<prop::sample::Index>()) {
        let drawn = Drawn::new(&case);
        let Drawn { weights, steps, start, .. } = &drawn;
        let cut = cut.index(steps.len());
        let first_rows = steps.rows_of(cut).start;
        for isa in Isa::available() {
            let layer = Layer::new(case.cell, weights, isa).unwrap();
            let mut whole = Tape::default();
            layer.forward(drawn.input(&case), steps, start, &mut whole);
            if cut == 0 {
                continue;
            }
            let part = |rows: std::ops::Range<usize>| match case.symbols {
                true => Input::Symbols { symbols: &drawn.symbols[rows], table: &drawn.table },
                false => {
                    Input::Values(&drawn.values[rows.start * case.inputs..rows.end * case.inputs])
                }
            };
            let (early, late) = (steps.slice(0..cut), steps.slice(cut..steps.len()));
            let mut tape = Tape::default();
            layer.forward(part(0..first_rows), &early, start, &mut tape);
            let between = tape.end(&early);
            layer.forward(part(first_rows..steps.rows()), &late, &between, &mut tape);
            prop_assert_eq!(tape.states(), &whole.states()[first_rows * case.hidden..], "{}", isa);
        }
    }
}
