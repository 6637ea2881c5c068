use super::*;
use crate::Isa;

/// The formula as it stands, in `f64`, one sequence at a time.
fn plainly(weights: &Weights<f64>, inputs: &[Vec<f64>], start: &[f64]) -> Vec<Vec<f64>> {
    let mut h = start.to_vec();
    let mut all = Vec::new();
    for x in inputs {
        let sum = |row: &[(usize, f64)], v: &[f64]| row.iter().map(|&(c, w)| w * v[c]).sum::<f64>();
        h = (0..h.len())
            .map(|i| {
                let drive = weights.bias[i]
                    + sum(weights.recurrent.row(i), &h)
                    + sum(weights.input.row(i), x);
                let fired = match weights.activation {
                    Activation::Tanh => drive.tanh(),
                    Activation::Linear => drive,
                };
                (1.0 - weights.leak) * h[i] + weights.leak * fired
            })
            .collect();
        all.push(h.clone());
    }
    all
}

fn numbers(count: usize, seed: u32) -> Vec<f64> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 23) - 1.0
        })
        .collect()
}

fn weights(units: usize, inputs: usize, leak: f64) -> Weights<f64> {
    let thinned: Vec<f64> = numbers(units * units, 1)
        .iter()
        .map(|&w| if w.abs() < 0.6 { 0.0 } else { w * 0.3 })
        .collect();
    Weights {
        input: Sparse::from_dense(units, inputs, &numbers(units * inputs, 2)).unwrap(),
        recurrent: Sparse::from_dense(units, units, &thinned).unwrap(),
        bias: numbers(units, 3).iter().map(|b| b * 0.2).collect(),
        leak,
        activation: Activation::Tanh,
    }
}

fn rounded(weights: &Weights<f64>) -> Weights<f32> {
    Weights {
        input: weights.input.map(|w| w as f32),
        recurrent: weights.recurrent.map(|w| w as f32),
        bias: weights.bias.iter().map(|&b| b as f32).collect(),
        leak: weights.leak as f32,
        activation: weights.activation,
    }
}

/// 70 sequences of 1 to 40 steps of 3 numbers: more than a chunk of any instruction set holds.
fn sequences() -> Vec<Vec<f64>> {
    (0..70).map(|s| numbers(3 * (1 + s * 29 % 40), 100 + s as u32)).collect()
}

fn slices<R>(all: &[Vec<R>]) -> Vec<&[R]> {
    all.iter().map(Vec::as_slice).collect()
}

fn near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() < tolerance, "{what}: {f}, expected {e}");
    }
}

#[test]
fn states_on_every_instruction_set_are_those_of_the_formula_in_either_precision() {
    let weights = weights(13, 3, 0.4);
    let single = rounded(&weights);
    let all = sequences();
    let all32: Vec<Vec<f32>> = all.iter().map(|s| s.iter().map(|&x| x as f32).collect()).collect();
    let start = numbers(13, 9);
    let start32: Vec<f32> = start.iter().map(|&h| h as f32).collect();
    for isa in Isa::available() {
        let reading = Reading { start: Some(&start), reversed: false };
        let double = Reservoir::new(weights.clone(), isa).unwrap();
        let found = double.states(Input::Values(&slices(&all)), &reading).unwrap();
        let reading = Reading { start: Some(&start32[..]), reversed: false };
        let single = Reservoir::new(single.clone(), isa).unwrap();
        let found32 = single.states(Input::Values(&slices(&all32)), &reading).unwrap();
        for (s, sequence) in all.iter().enumerate() {
            let steps: Vec<Vec<f64>> = sequence.chunks(3).map(<[f64]>::to_vec).collect();
            let expected = plainly(&weights, &steps, &start).concat();
            near(&found[s], &expected, 1e-14, &format!("{isa}, sequence {s}"));
            let found32: Vec<f64> = found32[s].iter().map(|&h| h.into()).collect();
            near(&found32, &expected, 2e-6, &format!("{isa}, single, sequence {s}"));
        }
    }
}

#[test]
fn pooled_states_are_the_last_and_the_mean_of_all_states_in_either_direction() {
    let all = sequences();
    for isa in Isa::available() {
        let reservoir = Reservoir::new(weights(13, 3, 0.4), isa).unwrap();
        for reversed in [false, true] {
            let reading = Reading { start: None, reversed };
            let states = reservoir.states(Input::Values(&slices(&all)), &reading).unwrap();
            let pooled = reservoir.pooled(Input::Values(&slices(&all)), &reading).unwrap();
            for (s, states) in states.iter().enumerate() {
                let place = s * 13..(s + 1) * 13;
                assert_eq!(pooled.last[place.clone()], states[states.len() - 13..], "{isa}");
                let steps = (states.len() / 13) as f64;
                let mean: Vec<f64> = (0..13)
                    .map(|i| states.iter().skip(i).step_by(13).sum::<f64>() / steps)
                    .collect();
                near(&pooled.mean[place], &mean, 1e-14, "the mean");
            }
        }
    }
}

#[test]
fn reading_in_reverse_is_reading_the_reversed_sequence() {
    let reservoir = Reservoir::new(weights(13, 3, 0.4), Isa::detect()).unwrap();
    let all = sequences();
    let turned: Vec<Vec<f64>> =
        all.iter().map(|s| s.chunks(3).rev().flatten().copied().collect()).collect();
    let backwards = Reading { start: None, reversed: true };
    let found = reservoir.states(Input::Values(&slices(&all)), &backwards).unwrap();
    let expected = reservoir.states(Input::Values(&slices(&turned)), &Reading::default()).unwrap();
    assert_eq!(found, expected);
}

#[test]
fn a_symbol_is_the_input_that_is_one_at_its_place() {
    let symbols: Vec<Vec<u8>> =
        (0..50).map(|s| (0..1 + s * 7 % 31).map(|t| ((s + t * t) % 5) as u8).collect()).collect();
    let one_hot = |s: &u8| (0..5).map(|i| f64::from(u8::from(i == *s))).collect::<Vec<_>>();
    let values: Vec<Vec<f64>> =
        symbols.iter().map(|s| s.iter().flat_map(one_hot).collect()).collect();
    for isa in Isa::available() {
        let reservoir = Reservoir::new(weights(13, 5, 0.7), isa).unwrap();
        for reversed in [false, true] {
            let reading = Reading { start: None, reversed };
            let found = reservoir.states(Input::Symbols(&slices(&symbols)), &reading).unwrap();
            let expected = reservoir.states(Input::Values(&slices(&values)), &reading).unwrap();
            assert_eq!(found, expected, "{isa}");
        }
    }
}

#[test]
fn a_sequence_has_the_same_bits_beside_any_others_and_on_any_number_of_threads() {
    let all = sequences();
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    for isa in Isa::available() {
        let reservoir = Reservoir::new(weights(13, 3, 0.4), isa).unwrap();
        let run = |threads: usize, some: &[&[f64]]| {
            pool(threads).install(|| reservoir.pooled(Input::Values(some), &Reading::default()))
        };
        let together = run(1, &slices(&all)).unwrap();
        for threads in [2, 3, 7] {
            assert_eq!(run(threads, &slices(&all)).unwrap(), together, "{isa}, {threads} threads");
        }
        for s in [0, 33, 69] {
            let alone = run(1, &[&all[s]]).unwrap();
            assert_eq!(alone.mean, together.mean[s * 13..(s + 1) * 13], "{isa}, sequence {s}");
        }
    }
}

#[test]
fn a_linear_unit_gives_the_sum_itself() {
    let mut weights = weights(13, 3, 1.0);
    weights.activation = Activation::Linear;
    let x = numbers(3 * 20, 5);
    let steps: Vec<Vec<f64>> = x.chunks(3).map(<[f64]>::to_vec).collect();
    let expected = plainly(&weights, &steps, &[0.0; 13]).concat();
    for isa in Isa::available() {
        let reservoir = Reservoir::new(weights.clone(), isa).unwrap();
        let found = reservoir.states(Input::Values(&[&x]), &Reading::default()).unwrap();
        near(&found[0], &expected, 1e-12, &isa.to_string());
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let good = weights(4, 2, 0.5);
    let refused = |change: &dyn Fn(&mut Weights<f64>)| {
        let mut bad = good.clone();
        change(&mut bad);
        Reservoir::new(bad, Isa::Portable).unwrap_err().to_string()
    };
    let error = refused(&|w| w.leak = 0.0);
    assert!(error.contains("above 0 and up to 1, found 0"), "{error}");
    let error = refused(&|w| w.bias[1] = f64::NAN);
    assert!(error.contains("expected finite numbers"), "{error}");
    let error = refused(&|w| w.input = Sparse::from_dense(3, 2, &[1.0; 6]).unwrap());
    assert!(error.contains("W_in of a reservoir: expected 4 × 2"), "{error}");

    let reservoir = Reservoir::new(good, Isa::Portable).unwrap();
    let asked = |input: Input<'_, f64>| {
        reservoir.pooled(input, &Reading::default()).unwrap_err().to_string()
    };
    let error = asked(Input::Symbols(&[&[0, 1], &[1, 2]]));
    assert!(error.contains("sequence 1: expected symbols below 2, found 2"), "{error}");
    let error = asked(Input::Values(&[&[1.0, 2.0, 3.0]]));
    assert!(error.contains("3 values are not steps of 2 each"), "{error}");
    let error = asked(Input::Values(&[&[]]));
    assert!(error.contains("at least one step"), "{error}");
    let start = Reading { start: Some(&[0.0; 3][..]), reversed: false };
    let error = reservoir.states(Input::Symbols(&[&[0]]), &start).unwrap_err().to_string();
    assert!(error.contains("expected 4 values, one a unit, found 3"), "{error}");
}
