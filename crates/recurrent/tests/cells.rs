//! The reference cells against PyTorch and against finite differences.

use cutaway_recurrent::cells::reference::{Start, backward, forward};
use cutaway_recurrent::cells::{Cell, Weights};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    cell: Cell,
    weights: Weights,
    inputs: Vec<Vec<f64>>,
    h0: Vec<f64>,
    c0: Vec<f64>,
    by_states: Vec<Vec<f64>>,
    outputs: Vec<Vec<f64>>,
    gradients: Expected,
}

#[derive(Deserialize)]
struct Expected {
    weights: Weights,
    inputs: Vec<Vec<f64>>,
    h0: Vec<f64>,
    c0: Vec<f64>,
}

fn cases() -> Vec<Case> {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/cells.json")).unwrap();
    assert_eq!(fixture.cases.len(), 4);
    fixture.cases
}

fn near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < tolerance, "{what}: {found}, expected {expected}");
    }
}

#[test]
fn outputs_and_gradients_of_every_cell_are_those_of_pytorch() {
    for case in cases() {
        let Case { cell, weights, inputs, .. } = &case;
        let start = Start { h: case.h0.clone(), c: case.c0.clone() };
        let steps = forward(*cell, weights, inputs, &start).unwrap();
        let name = format!("{cell:?}");
        for (step, expected) in steps.iter().zip(&case.outputs) {
            near(&step.h, expected, 1e-13, &name);
        }
        let found = backward(*cell, weights, inputs, &start, &steps, &case.by_states).unwrap();
        let expected = &case.gradients;
        let (w, e) = (&found.weights, &expected.weights);
        near(w.weight_ih.values(), e.weight_ih.values(), 1e-12, &name);
        near(w.weight_hh.values(), e.weight_hh.values(), 1e-12, &name);
        near(&w.bias_ih, &e.bias_ih, 1e-12, &name);
        near(&w.bias_hh, &e.bias_hh, 1e-12, &name);
        near(&found.inputs.concat(), &expected.inputs.concat(), 1e-12, &name);
        near(&found.start.h, &expected.h0, 1e-12, &name);
        near(&found.start.c, &expected.c0, 1e-12, &name);
    }
}

#[test]
fn derivatives_by_states_and_memories_agree_with_finite_differences() {
    for case in cases() {
        let Case { cell, weights, inputs, by_states, .. } = &case;
        let start = Start { h: case.h0.clone(), c: case.c0.clone() };
        let steps = forward(*cell, weights, inputs, &start).unwrap();
        let exact = backward(*cell, weights, inputs, &start, &steps, by_states).unwrap();
        // What follows from a state that is set from outside: the rest of the sequence, started there.
        let t = 4;
        let rest = |h: &[f64], c: &[f64]| {
            let start = Start { h: h.to_vec(), c: c.to_vec() };
            let later = forward(*cell, weights, &inputs[t + 1..], &start).unwrap();
            let weighed = later.iter().zip(&by_states[t + 1..]);
            let dot = |(s, d): (&_, &Vec<f64>)| {
                let s: &cutaway_recurrent::cells::reference::Step = s;
                s.h.iter().zip(d).map(|(a, b)| a * b).sum::<f64>()
            };
            weighed.map(dot).sum::<f64>()
        };
        let (h, c) = (&steps[t].h, &steps[t].c);
        let moved = |values: &[f64], j: usize, by: f64| {
            let mut values = values.to_vec();
            values[j] += by;
            values
        };
        let step = 1e-6;
        for j in 0..h.len() {
            let slope = (rest(&moved(h, j, step), c) - rest(&moved(h, j, -step), c)) / (2.0 * step);
            near(&[exact.states[t][j]], &[slope + by_states[t][j]], 1e-8, &format!("{cell:?} h"));
            if *cell == Cell::Lstm {
                // The memory also gives this step's state: h = o tanh c.
                let o = steps[t].gates[3 * h.len() + j];
                let of = |by: f64| {
                    let (c, mut h) = (moved(c, j, by), h.clone());
                    h[j] = o * c[j].tanh();
                    rest(&h, &c) + h[j] * by_states[t][j]
                };
                let slope = (of(step) - of(-step)) / (2.0 * step);
                near(&[exact.memories[t][j]], &[slope], 1e-8, "Lstm c");
            }
        }
    }
}

#[test]
fn weights_of_another_cell_are_refused_with_what_was_expected() {
    let case = cases().into_iter().find(|case| case.cell == Cell::Gru).unwrap();
    let start = Start::zeros(Cell::Lstm, 5);
    let error = forward(Cell::Lstm, &case.weights, &case.inputs, &start).unwrap_err().to_string();
    assert_eq!(error, "rows of weight_hh: expected 20 (4 gates, 5 columns in weight_hh), found 15");
    let error = forward(Cell::Gru, &case.weights, &[vec![1.0]], &Start::zeros(Cell::Gru, 5));
    assert_eq!(error.unwrap_err().to_string(), "values of input 1: expected 3, found 1");
}
