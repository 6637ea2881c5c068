//! Networks that read sequences: against PyTorch, against finite differences, and against themselves.

mod common;

use common::{Drawn, random_network, random_sequences, values_near};
use std::ops::ControlFlow;

use cutaway_data::sequences::{Inputs, Sequences, Targets};
use cutaway_engine::cells::Cell;
use cutaway_recurrent::network::{
    Architecture, Direction, Initialisation, Network, Readout, Reads, Recurrent, Runner,
    RunnerOptions,
};
use cutaway_recurrent::training::{
    ClassWeights, Observer, Optimiser, Options, Step, evaluate, loss_and_gradient, train,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    cell: Cell,
    direction: Direction,
    layers: usize,
    readout: Readout,
    reads: String,
    hidden: usize,
    outputs: usize,
    symbols: usize,
    embedding: usize,
    width: usize,
    class_weights: Option<Vec<f32>>,
    sequences: Vec<Vec<f32>>,
    targets: Value,
    start: BTreeMap<String, Vec<f32>>,
    answers: Vec<Vec<f32>>,
    loss: f64,
    gradients: BTreeMap<String, Vec<f32>>,
    window: usize,
    gradients_in_windows: Option<BTreeMap<String, Vec<f32>>>,
    rate: f32,
    clip: f32,
    weight_decay: f32,
    norms: Vec<f64>,
    after: BTreeMap<String, Vec<f32>>,
}

impl Case {
    fn network(&self) -> Network {
        let reads = match self.reads.as_str() {
            "symbols" => Reads::Symbols { count: self.symbols, embedding: self.embedding },
            _ => Reads::Values { width: self.width },
        };
        let mut network = Network::zeros(Architecture {
            reads,
            cell: self.cell,
            hidden: self.hidden,
            layers: self.layers,
            direction: self.direction,
            readout: self.readout,
            outputs: self.outputs,
        })
        .unwrap();
        assert_eq!(network.parts().len(), self.start.len());
        for (name, values) in &self.start {
            network.get_mut(name).unwrap().copy_from_slice(values);
        }
        network
    }

    fn data(&self) -> Sequences {
        let names: Vec<String> = (0..self.outputs).map(|k| k.to_string()).collect();
        let bytes = |s: &Vec<f32>| s.iter().map(|&x| x as u8).collect();
        Sequences {
            name: "fixture".to_owned(),
            ids: (0..self.sequences.len()).map(|i| i.to_string()).collect(),
            inputs: match self.reads.as_str() {
                "symbols" => Inputs::Symbols {
                    alphabet: ('a'..).take(self.symbols).collect(),
                    sequences: self.sequences.iter().map(bytes).collect(),
                },
                _ => Inputs::Values { width: self.width, sequences: self.sequences.clone() },
            },
            targets: match (self.readout, self.outputs) {
                (Readout::EveryStep, _) => Targets::Steps { names, labels: from(&self.targets) },
                (_, 1) => Targets::Numbers(from(&self.targets)),
                _ => Targets::Classes { names, labels: from(&self.targets) },
            },
        }
    }

    fn class_weights(&self) -> ClassWeights {
        self.class_weights.clone().map_or(ClassWeights::Equal, ClassWeights::Given)
    }

    fn name(&self) -> String {
        let Case { cell, direction, layers, readout, .. } = self;
        format!("{cell:?} {direction} {layers} {readout:?}")
    }
}

fn from<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn cases() -> Vec<Case> {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/network.json")).unwrap();
    assert_eq!(fixture.cases.len(), 24);
    fixture.cases
}

fn runner(network: Network, threads: usize) -> Runner {
    Runner::new(network, &RunnerOptions { threads, isa: None }).unwrap()
}

#[test]
fn answers_loss_and_gradients_are_those_of_pytorch() {
    for case in cases() {
        let (runner, data, name) = (runner(case.network(), 2), case.data(), case.name());
        let answers = runner.answers(&data).unwrap();
        for (found, expected) in answers.iter().zip(&case.answers) {
            values_near(found, expected, 1e-5, &name);
        }
        let (loss, gradient) =
            loss_and_gradient(&runner, &data, &case.class_weights(), None).unwrap();
        assert!((loss - case.loss).abs() < 1e-5, "{name}: {loss}, expected {}", case.loss);
        for part in runner.network().parts() {
            let found = &gradient[part.range.clone()];
            values_near(found, &case.gradients[&part.name], 1e-5, &format!("{name} {}", part.name));
        }
        if case.class_weights.is_none() {
            let evaluated = evaluate(&runner, &data).unwrap().loss;
            assert!((evaluated - case.loss).abs() < 1e-5, "{name}: {evaluated}");
        }
    }
}

#[test]
fn gradients_that_are_cut_off_at_windows_are_those_of_pytorch_with_detached_states() {
    let mut tested = 0;
    for case in cases() {
        let Some(expected) = &case.gradients_in_windows else { continue };
        let (runner, data, window) = (runner(case.network(), 2), case.data(), Some(case.window));
        let (loss, gradient) =
            loss_and_gradient(&runner, &data, &case.class_weights(), window).unwrap();
        assert!((loss - case.loss).abs() < 1e-5, "{}: {loss}, expected {}", case.name(), case.loss);
        for part in runner.network().parts() {
            let found = &gradient[part.range.clone()];
            values_near(
                found,
                &expected[&part.name],
                1e-5,
                &format!("{} {}", case.name(), part.name),
            );
        }
        tested += 1;
    }
    assert_eq!(tested, 16);
}

struct Norms(Vec<f64>);

impl Observer for Norms {
    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        self.0.push(step.gradient_norm);
        ControlFlow::Continue(())
    }
}

#[test]
fn three_steps_of_adam_with_clipping_lead_where_they_lead_pytorch() {
    for case in cases() {
        let (mut runner, name) = (runner(case.network(), 2), case.name());
        let optimiser = Optimiser::Adam {
            rate: case.rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: case.weight_decay,
        };
        let options = Options {
            optimiser,
            epochs: Some(case.norms.len()),
            clip: Some(case.clip),
            class_weights: case.class_weights(),
            ..Options::default()
        };
        let mut norms = Norms(Vec::new());
        let training = train(&mut runner, &case.data(), None, &options, &mut norms).unwrap();
        assert_eq!(training.steps, case.norms.len());
        for (found, expected) in norms.0.iter().zip(&case.norms) {
            assert!((found - expected).abs() < 1e-5, "{name}: {found}, expected {expected}");
        }
        for part in runner.network().parts() {
            let found = &runner.network().values()[part.range.clone()];
            values_near(found, &case.after[&part.name], 1e-5, &format!("{name} {}", part.name));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn gradients_agree_with_finite_differences(drawn in common::drawn()) {
        let (network, data) = (random_network(&drawn), random_sequences(&drawn));
        let mut runner = runner(network, 1);
        let of = |runner: &Runner| loss_and_gradient(runner, &data, &ClassWeights::Equal, None).unwrap();
        let (_, gradient) = of(&runner);
        // Along the gradient, and along a direction of its own: in single precision one parameter's difference would drown.
        for along in [common::normed(&gradient), common::direction(gradient.len())] {
            let step = 1e-3;
            let mut at = |by: f32| {
                runner.update(|v| v.iter_mut().zip(&along).for_each(|(v, d)| *v += by * d)).unwrap();
                let (loss, _) = of(&runner);
                runner.update(|v| v.iter_mut().zip(&along).for_each(|(v, d)| *v -= by * d)).unwrap();
                loss
            };
            let difference = (at(step) - at(-step)) / (2.0 * f64::from(step));
            let exact: f64 = along.iter().zip(&gradient).map(|(a, g)| f64::from(*a) * f64::from(*g)).sum();
            // A ReLU or a maximum may have its kink between.
            let smooth = drawn.cell != Cell::Relu && drawn.readout != Readout::Max;
            let tolerance = if smooth { 2e-3 } else { 5e-2 };
            prop_assert!((difference - exact).abs() < tolerance * exact.abs().max(1.0), "{difference} {exact}");
        }
    }

    #[test]
    fn truncation_at_the_longest_sequence_or_beyond_changes_no_bit(drawn in common::drawn(), more in 0usize..5) {
        let drawn = Drawn { direction: if drawn.layers > 1 { Direction::Reverse } else { drawn.direction }, ..drawn };
        prop_assume!(drawn.direction != Direction::Both || drawn.readout != Readout::EveryStep);
        let (runner, data) = (runner(random_network(&drawn), 1), random_sequences(&drawn));
        let longest = (0..data.len()).map(|i| data.length(i)).max().unwrap();
        let of = |k| loss_and_gradient(&runner, &data, &ClassWeights::Equal, k).unwrap();
        prop_assert_eq!(of(None), of(Some(longest + more)));
    }
}

/// In windows of `k` steps the states are those of the whole sequence, and derivatives stop at the windows' edges: the
/// gradient is that of the sum over windows of each window's own share.
#[test]
fn windows_leave_the_loss_as_it_is_and_cut_derivatives_at_their_edges() {
    for readout in [Readout::Last, Readout::Mean, Readout::Max, Readout::EveryStep] {
        for cell in [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru] {
            let drawn = Drawn {
                cell,
                readout,
                layers: 2,
                direction: Direction::Forward,
                ..common::example()
            };
            let (runner, data) = (runner(random_network(&drawn), 2), random_sequences(&drawn));
            let of = |k| loss_and_gradient(&runner, &data, &ClassWeights::Equal, k).unwrap();
            let (loss, whole) = of(None);
            for k in 1..12 {
                let (windowed, gradient) = of(Some(k));
                assert!(
                    (windowed - loss).abs() < 1e-6,
                    "{cell:?} {readout:?} {k}: {windowed} {loss}"
                );
                // The head sees the same states.
                let head = runner.network().parts().last().unwrap().range.clone();
                values_near(&gradient[head.clone()], &whole[head], 1e-6, "head");
            }
            let name = format!("{cell:?} {readout:?}");
            let distance = |k| {
                let (_, gradient) = of(Some(k));
                gradient.iter().zip(&whole).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
            };
            assert!(distance(1) > 1e-4, "{name}: one step is too short to be right");
            assert!(distance(100) == 0.0, "{name}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let drawn = Drawn { sequences: 70, ..common::example() };
    for (cell, direction) in [
        (Cell::Lstm, Direction::Both),
        (Cell::Gru, Direction::Forward),
        (Cell::Tanh, Direction::Reverse),
    ] {
        let drawn = Drawn { cell, direction, ..drawn };
        let data = random_sequences(&drawn);
        let trained = |threads, seed| {
            let mut runner = runner(random_network(&drawn), threads);
            let options = Options { epochs: Some(2), batch: 48, seed, ..Options::default() };
            let training = train(&mut runner, &data, None, &options, &mut ()).unwrap();
            let losses: Vec<f64> = training.epochs.iter().map(|epoch| epoch.loss).collect();
            (losses, runner.answers(&data).unwrap(), runner.into_network().values().to_vec())
        };
        let one = trained(1, 5);
        assert_eq!(one, trained(2, 5));
        assert_eq!(one, trained(3, 5));
        assert_ne!(one, trained(1, 6));
    }
}

#[test]
fn every_cell_learns_a_few_sequences_by_heart() {
    for cell in [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru] {
        let drawn = Drawn {
            cell,
            hidden: 16,
            layers: 1,
            readout: Readout::Last,
            sequences: 8,
            ..common::example()
        };
        let data = random_sequences(&drawn);
        let mut runner = runner(random_network(&drawn), 1);
        let options =
            Options { optimiser: Optimiser::adam(0.02), epochs: Some(150), ..Options::default() };
        let training = train(&mut runner, &data, None, &options, &mut ()).unwrap();
        let end = evaluate(&runner, &data).unwrap();
        assert!(end.loss < 0.05, "{cell:?}: {end:?}, at first {:?}", training.epochs[0].loss);
        assert_eq!(end.accuracy, Some(1.0));
    }
}

#[test]
fn first_values_are_what_they_are_said_to_be() {
    let architecture = Architecture {
        reads: Reads::Symbols { count: 5, embedding: 4 },
        cell: Cell::Lstm,
        hidden: 16,
        layers: 2,
        direction: Direction::Both,
        readout: Readout::Last,
        outputs: 3,
    };
    let made = |recurrent, forget_bias| {
        Network::new(architecture.clone(), &Initialisation { recurrent, forget_bias }, 3).unwrap()
    };
    let usual = made(Recurrent::Usual, Some(1.0));
    // PyTorch: 5·4 + 2·(64·4 + 64·16 + 128) + 2·(64·32 + 64·16 + 128) + 3·32 + 3
    assert_eq!(usual.count(), 20 + 2816 + 6400 + 99);
    assert_eq!(Some(usual.count()), architecture.parameters());
    assert!(usual.get("rnn.weight_hh_l1_reverse").unwrap().iter().all(|w| w.abs() <= 0.25));
    let (one, other) = (usual.get("rnn.bias_ih_l0").unwrap(), usual.get("rnn.bias_hh_l0").unwrap());
    assert!((16..32).all(|k| one[k] + other[k] == 1.0), "the forget gate's bias");
    let orthogonal = made(Recurrent::Orthogonal, None);
    let gates = orthogonal.get("rnn.weight_hh_l0").unwrap().chunks_exact(16 * 16);
    for gate in gates {
        for i in 0..16 {
            for j in 0..16 {
                let dot: f32 = (0..16).map(|k| gate[i * 16 + k] * gate[j * 16 + k]).sum();
                assert!((dot - f32::from(u8::from(i == j))).abs() < 1e-5);
            }
        }
    }
    assert_eq!(usual.hash(), made(Recurrent::Usual, Some(1.0)).hash());
    assert_ne!(usual.hash(), orthogonal.hash());
    let error = usual.get("rnn.weight_hh_l7").unwrap_err().to_string();
    assert!(error.contains("rnn.weight_hh_l1_reverse"), "{error}");
}
