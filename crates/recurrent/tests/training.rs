//! Training of networks that read sequences: when it ends, what it notices, what can be measured on it.

mod common;

use std::ops::ControlFlow;

use common::{Drawn, example, random_network, random_sequences};
use cutaway_data::sequences::{Inputs, Sequences, Targets};
use cutaway_engine::cells::Cell;
use cutaway_recurrent::Matrix;
use cutaway_recurrent::cells::Weights;
use cutaway_recurrent::cells::reference::{self, Start};
use cutaway_recurrent::network::{
    Direction, Network, Readout, Reads, Runner, RunnerOptions, input_gradients, state_gradients,
};
use cutaway_recurrent::training::{
    ClassWeights, Ended, Epoch, Observer, Optimiser, Options, Schedule, Step, evaluate,
    loss_and_gradient, train,
};

fn runner(network: Network) -> Runner {
    Runner::new(network, &RunnerOptions { threads: 2, isa: None }).unwrap()
}

fn f64s(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn matrix(values: &[f32], columns: usize) -> Matrix {
    Matrix::from_rows(&values.chunks(columns).map(f64s).collect::<Vec<_>>()).unwrap()
}

fn weights(network: &Network) -> Weights {
    let layer = network.layer(0, 0);
    Weights {
        weight_ih: matrix(&layer.weight_ih, layer.inputs),
        weight_hh: matrix(&layer.weight_hh, layer.hidden),
        bias_ih: f64s(&layer.bias_ih),
        bias_hh: f64s(&layer.bias_hh),
    }
}

/// One layer and a last state in `f64`: ‖∂L/∂h(t)‖ and ‖∂L/∂c(t)‖ from the last step backwards.
fn reference_norms(network: &Network, inputs: &[f32], class: usize) -> [Vec<f64>; 2] {
    let (cell, w) = (network.architecture().cell, weights(network));
    let inputs: Vec<Vec<f64>> = inputs.chunks(w.inputs()).map(f64s).collect();
    let start = Start::zeros(cell, w.hidden());
    let steps = reference::forward(cell, &w, &inputs, &start).unwrap();
    let (head, bias) = network.head();
    let h = &steps.last().unwrap().h;
    let rows = head.chunks(w.hidden()).zip(bias);
    let logits: Vec<f64> = rows
        .map(|(row, b)| f64::from(*b) + f64s(row).iter().zip(h).map(|(a, h)| a * h).sum::<f64>())
        .collect();
    let sum: f64 = logits.iter().map(|x| x.exp()).sum();
    let mut by_states = vec![vec![0.0; w.hidden()]; steps.len()];
    for (k, logit) in logits.iter().enumerate() {
        let by = logit.exp() / sum - f64::from(u8::from(k == class));
        let row = &head[k * w.hidden()..(k + 1) * w.hidden()];
        by_states
            .last_mut()
            .unwrap()
            .iter_mut()
            .zip(row)
            .for_each(|(d, w)| *d += by * f64::from(*w));
    }
    let back = reference::backward(cell, &w, &inputs, &start, &steps, &by_states).unwrap();
    let norms = |rows: &[Vec<f64>]| -> Vec<f64> {
        rows.iter().rev().map(|row| row.iter().map(|x| x * x).sum::<f64>().sqrt()).collect()
    };
    [norms(&back.states), norms(&back.memories)]
}

#[test]
fn derivatives_by_states_are_those_of_the_reference_cells() {
    for cell in [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru] {
        let drawn =
            Drawn { cell, symbols: false, readout: Readout::Last, sequences: 20, ..example() };
        let (runner, data) = (runner(random_network(&drawn)), random_sequences(&drawn));
        let found = state_gradients(&runner, &data).unwrap();
        assert_eq!(found.paths.len(), if cell == Cell::Lstm { 2 } else { 1 });
        let Inputs::Values { sequences, .. } = &data.inputs else { unreachable!() };
        let Targets::Classes { labels, .. } = &data.targets else { unreachable!() };
        let all: Vec<[Vec<f64>; 2]> = sequences
            .iter()
            .zip(labels)
            .map(|(inputs, &class)| reference_norms(runner.network(), inputs, class))
            .collect();
        for (k, path) in found.paths.iter().enumerate() {
            assert_eq!((path.memory, path.direction), (k == 1, Direction::Forward));
            for (distance, mean) in path.mean.iter().enumerate() {
                let norms: Vec<f64> =
                    all.iter().filter_map(|norms| norms[k].get(distance).copied()).collect();
                assert_eq!(norms.len(), found.counts[distance]);
                let expected = norms.iter().sum::<f64>() / norms.len() as f64;
                assert!((mean - expected).abs() < 1e-5, "{cell:?} {distance}: {mean} {expected}");
                if cell != Cell::Relu {
                    let expected =
                        norms.iter().map(|x| x.log10()).sum::<f64>() / norms.len() as f64;
                    let found = path.mean_log10[distance].unwrap();
                    assert!(
                        (found - expected).abs() < 1e-3,
                        "{cell:?} {distance}: {found} {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn derivatives_that_vanish_are_counted_and_not_averaged_away() {
    let drawn = Drawn { cell: Cell::Tanh, readout: Readout::Last, sequences: 3, ..example() };
    let mut network = random_network(&drawn);
    network.get_mut("rnn.weight_hh_l0").unwrap().fill(0.0);
    let found = state_gradients(&runner(network), &random_sequences(&drawn)).unwrap();
    let path = &found.paths[0];
    assert!(path.zeros[0] == 0 && path.mean[0] > 0.0);
    assert_eq!((path.zeros[1], path.mean[1], path.mean_log10[1]), (found.counts[1], 0.0, None));
}

#[test]
fn derivatives_by_the_inputs_are_differences_of_the_answer() {
    for direction in [Direction::Forward, Direction::Reverse, Direction::Both] {
        let drawn =
            Drawn { direction, layers: 2, symbols: false, readout: Readout::Mean, ..example() };
        let (runner, data) = (runner(random_network(&drawn)), random_sequences(&drawn));
        let found = input_gradients(&runner, &data, |_, _, by| by[1] = 1.0).unwrap();
        let answers = runner.answers(&data).unwrap();
        for (i, gradient) in found.iter().enumerate() {
            assert_eq!(gradient.answer, answers[i]);
            for k in 0..gradient.values.len() {
                let at = |by: f32| {
                    let mut moved = data.select(&[i]);
                    let Inputs::Values { sequences, .. } = &mut moved.inputs else {
                        unreachable!()
                    };
                    sequences[0][k] += by;
                    runner.answers(&moved).unwrap()[0][1]
                };
                let difference = (at(0.02) - at(-0.02)) / 0.04;
                let exact = gradient.values[k];
                assert!(
                    (difference - exact).abs() < 2e-4,
                    "{direction} {i} {k}: {difference} {exact}"
                );
            }
        }
    }
}

/// Symbols are read through their embedding: the same network fed the embedded values has the same derivatives.
#[test]
fn derivatives_by_symbols_are_those_by_their_embedding() {
    let drawn =
        Drawn { cell: Cell::Gru, direction: Direction::Both, readout: Readout::Last, ..example() };
    let (network, data) = (random_network(&drawn), random_sequences(&drawn));
    let Reads::Symbols { embedding: width, .. } = network.architecture().reads else {
        unreachable!()
    };
    let mut architecture = network.architecture().clone();
    architecture.reads = Reads::Values { width };
    let mut other = Network::zeros(architecture).unwrap();
    for part in other.parts().to_vec() {
        other.get_mut(&part.name).unwrap().copy_from_slice(network.get(&part.name).unwrap());
    }
    let Inputs::Symbols { sequences, .. } = &data.inputs else { unreachable!() };
    let vector = |&s: &u8| network.embedding()[usize::from(s) * width..][..width].to_vec();
    let values = sequences.iter().map(|s| s.iter().flat_map(vector).collect()).collect();
    let embedded =
        Sequences { inputs: Inputs::Values { width, sequences: values }, ..data.clone() };
    let seed = |_: usize, _: &[f32], by: &mut [f32]| by[0] = 1.0;
    let found = input_gradients(&runner(network), &data, seed).unwrap();
    let expected = input_gradients(&runner(other), &embedded, seed).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        common::values_near(&found.values, &expected.values, 1e-6, "by the embedding");
        assert_eq!(found.norms().len(), found.values.len() / width);
    }
}

#[test]
fn a_state_dict_comes_back_to_the_bit_and_a_wrong_one_is_refused() {
    let drawn = Drawn { direction: Direction::Both, layers: 2, ..example() };
    let network = random_network(&drawn);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    network.save_state_dict(&path).unwrap();
    let mut again = random_network(&Drawn { seed: 77, ..drawn });
    assert_ne!(again, network);
    again.load_state_dict(&path).unwrap();
    assert_eq!(again, network);

    let refused = |drawn: Drawn| {
        let mut other = random_network(&drawn);
        let before = other.clone();
        let error = other.load_state_dict(&path).unwrap_err().to_string();
        assert_eq!(other, before);
        error
    };
    let error = refused(Drawn { hidden: 6, ..drawn });
    assert!(error.contains("rnn.weight_ih_l0: expected [24, 3], found [20, 3]"), "{error}");
    let error = refused(Drawn { layers: 1, ..drawn });
    assert!(error.contains("does not have: rnn.weight_ih_l1"), "{error}");
    std::fs::write(&path, b"PK\x03\x04 something else").unwrap();
    let error = refused(drawn);
    assert!(
        error.contains("weights.safetensors") && error.contains("not a safetensors file"),
        "{error}"
    );
}

fn quick(epochs: usize) -> Options {
    Options { epochs: Some(epochs), ..Options::default() }
}

#[test]
fn patience_ends_a_training_and_the_best_epoch_is_kept() {
    let drawn = Drawn { sequences: 24, readout: Readout::Last, ..example() };
    let data = random_sequences(&drawn);
    let validation = random_sequences(&Drawn { seed: 5, ..drawn });
    let mut runner = runner(random_network(&drawn));
    let options = Options { patience: Some(3), ..quick(200) };
    let training = train(&mut runner, &data, Some(&validation), &options, &mut ()).unwrap();
    assert_eq!(training.ended, Ended::Patience);
    let scores: Vec<f64> =
        training.epochs.iter().map(|epoch| epoch.validation.as_ref().unwrap().score()).collect();
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let kept = training.kept_epoch.unwrap();
    assert_eq!(scores[kept - 1], best);
    assert_eq!(training.epochs.len(), kept + 3);
    assert_eq!(
        evaluate(&runner, &validation).unwrap(),
        training.epochs[kept - 1].validation.clone().unwrap()
    );
}

#[test]
fn a_time_budget_ends_a_training_without_epochs() {
    let drawn = example();
    let mut runner = runner(random_network(&drawn));
    let options = Options { epochs: None, seconds: Some(0.05), ..Options::default() };
    let training = train(&mut runner, &random_sequences(&drawn), None, &options, &mut ()).unwrap();
    assert_eq!(training.ended, Ended::Seconds);
    assert!(training.seconds >= 0.05 && training.steps > 0);
    let epochs: usize = training.epochs.iter().map(|epoch| epoch.steps).sum();
    assert_eq!(epochs, training.steps);
}

#[test]
fn numbers_that_overflow_end_a_training_with_the_last_sound_parameters() {
    let drawn = Drawn { cell: Cell::Relu, readout: Readout::Last, symbols: false, ..example() };
    let mut network = random_network(&drawn);
    network.get_mut("rnn.weight_hh_l0").unwrap().fill(1e6);
    network.get_mut("rnn.weight_ih_l0").unwrap().fill(10.0);
    network.get_mut("rnn.bias_ih_l0").unwrap().fill(10.0);
    let mut runner = runner(network.clone());
    let training = train(&mut runner, &random_sequences(&drawn), None, &quick(3), &mut ()).unwrap();
    let Ended::NotFinite { step: 1, epoch: 1, what } = &training.ended else {
        panic!("{:?}", training.ended)
    };
    assert!(!what.is_empty());
    assert_eq!((training.steps, training.epochs.len()), (0, 0));
    assert_eq!(runner.into_network(), network);
    assert!(training.ended.to_string().contains("became infinite or no number at step 1"));
    serde_json::to_string(&training).unwrap();
}

#[test]
fn the_first_parameter_without_any_derivative_is_named() {
    let drawn = Drawn { cell: Cell::Relu, readout: Readout::Last, ..example() };
    let mut network = random_network(&drawn);
    network.get_mut("rnn.bias_ih_l0").unwrap().fill(-1e3);
    let mut runner = runner(network);
    let training = train(&mut runner, &random_sequences(&drawn), None, &quick(1), &mut ()).unwrap();
    let zero = training.first_zero.unwrap();
    assert_eq!((zero.step, zero.parameter.as_str()), (1, "embedding.weight"));
}

/// Counts what it is told, and stops.
#[derive(Default)]
struct Watch {
    steps: usize,
    epochs: usize,
    rates: Vec<f64>,
    stop_after: usize,
}

impl Observer for Watch {
    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        assert!(step.done > 0.0 && step.done <= 1.0 && step.step <= step.steps);
        self.steps += 1;
        if self.steps == self.stop_after {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn epoch(&mut self, runner: &Runner, epoch: &Epoch) -> ControlFlow<()> {
        assert!(runner.network().values().iter().all(|v| v.is_finite()));
        self.epochs += 1;
        self.rates.push(epoch.rate);
        ControlFlow::Continue(())
    }
}

#[test]
fn an_observer_sees_every_step_and_epoch_and_may_end_it() {
    let drawn = Drawn { sequences: 20, ..example() };
    let data = random_sequences(&drawn);
    let options = Options { batch: 6, schedule: Schedule::Linear, ..quick(4) };
    let mut watch = Watch::default();
    let mut network = runner(random_network(&drawn));
    let training = train(&mut network, &data, None, &options, &mut watch).unwrap();
    assert_eq!((watch.steps, watch.epochs, training.steps), (16, 4, 16));
    assert!(watch.rates.windows(2).all(|pair| pair[0] > pair[1]), "{:?}", watch.rates);
    let mut watch = Watch { stop_after: 5, ..Watch::default() };
    let training = train(&mut network, &data, None, &options, &mut watch).unwrap();
    assert_eq!((training.ended, training.epochs.len()), (Ended::Stopped, 2));
}

#[test]
fn momentum_takes_the_steps_of_its_definition() {
    let drawn = Drawn { readout: Readout::Last, ..example() };
    let data = random_sequences(&drawn);
    let optimiser = Optimiser::Sgd { rate: 0.1, momentum: 0.5, weight_decay: 0.01 };
    let options = Options { optimiser, clip: None, ..quick(2) };
    let mut trained = runner(random_network(&drawn));
    train(&mut trained, &data, None, &options, &mut ()).unwrap();
    let mut by_hand = runner(random_network(&drawn));
    let mut velocity = vec![0.0f32; by_hand.network().count()];
    for _ in 0..2 {
        let (_, gradient) = loss_and_gradient(&by_hand, &data, &ClassWeights::Equal, None).unwrap();
        by_hand
            .update(|values| {
                for ((v, g), x) in velocity.iter_mut().zip(&gradient).zip(values) {
                    *v = 0.5 * *v + g + 0.01 * *x;
                    *x -= 0.1 * *v;
                }
            })
            .unwrap();
    }
    common::values_near(trained.network().values(), by_hand.network().values(), 1e-6, "momentum");
}

#[test]
fn settings_and_data_that_do_not_fit_are_refused_with_what_would() {
    let drawn = Drawn { direction: Direction::Both, layers: 2, ..example() };
    let data = random_sequences(&drawn);
    let mut network = runner(random_network(&drawn));
    let mut refused = |options: Options, data: &Sequences| {
        train(&mut network, data, None, &options, &mut ()).unwrap_err().to_string()
    };
    let error = refused(Options { truncate: Some(3), ..quick(1) }, &data);
    assert!(error.contains("cannot be truncated"), "{error}");
    let error = refused(Options { epochs: None, ..quick(1) }, &data);
    assert!(error.contains("give epochs, seconds or both"), "{error}");
    let error = refused(Options { batch: 0, ..quick(1) }, &data);
    assert!(error.contains("at least 1 sequence"), "{error}");
    let weights = ClassWeights::Given(vec![1.0, 2.0]);
    let error = refused(Options { class_weights: weights, ..quick(1) }, &data);
    assert!(error.contains("each of 3 classes"), "{error}");

    let mut empty = data.clone();
    let Inputs::Symbols { sequences, .. } = &mut empty.inputs else { unreachable!() };
    sequences[2].clear();
    let error = refused(quick(1), &empty);
    assert_eq!(error, "drawn, sequence 3 (s2): nothing in it; leave it out");
    let Inputs::Symbols { sequences, .. } = &mut empty.inputs else { unreachable!() };
    sequences[2].push(200);
    let error = refused(quick(1), &empty);
    assert_eq!(error, "drawn, sequence 3 (s2): symbol 200, but the network knows 0 to 5");
    let numbers = Sequences { targets: Targets::Numbers(vec![0.0; data.len()]), ..data.clone() };
    let error = refused(quick(1), &numbers);
    assert_eq!(error, "drawn: 1 classes or values, but the network has 3 outputs");
    let other = random_sequences(&Drawn { readout: Readout::EveryStep, ..drawn });
    let error = refused(quick(1), &other);
    assert!(error.contains("give it the readout at every step"), "{error}");
    let values = random_sequences(&Drawn { symbols: false, ..drawn });
    let error = refused(quick(1), &values);
    assert_eq!(error, "drawn: values, but the network reads symbols");
    let mut lacking = data.clone();
    lacking.ids.pop();
    let error = refused(quick(1), &lacking);
    assert!(error.contains("6 sequences, but 5 names"), "{error}");
}
