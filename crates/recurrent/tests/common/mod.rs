//! Small networks and sequences that a few numbers describe.

#![allow(dead_code)] // each test file uses its part

use cutaway_data::sequences::{Inputs, Sequences, Targets};
use cutaway_engine::cells::Cell;
use cutaway_recurrent::network::{
    Architecture, Direction, Initialisation, Network, Readout, Reads, Recurrent,
};
use proptest::prelude::*;

pub(crate) const CLASSES: usize = 3;
pub(crate) const SYMBOLS: usize = 6;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn {
    pub(crate) cell: Cell,
    pub(crate) direction: Direction,
    pub(crate) layers: usize,
    pub(crate) readout: Readout,
    pub(crate) symbols: bool,
    pub(crate) hidden: usize,
    pub(crate) sequences: usize,
    pub(crate) seed: u64,
}

pub(crate) fn example() -> Drawn {
    Drawn {
        cell: Cell::Lstm,
        direction: Direction::Forward,
        layers: 1,
        readout: Readout::Mean,
        symbols: true,
        hidden: 5,
        sequences: 6,
        seed: 4,
    }
}

pub(crate) fn drawn() -> impl Strategy<Value = Drawn> {
    let cells = prop::sample::select(vec![Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru]);
    let directions =
        prop::sample::select(vec![Direction::Forward, Direction::Reverse, Direction::Both]);
    let readouts =
        prop::sample::select(vec![Readout::Last, Readout::Mean, Readout::Max, Readout::EveryStep]);
    (cells, directions, 1usize..3, readouts, any::<bool>(), 1usize..7, 1usize..20, any::<u64>())
        .prop_map(|(cell, direction, layers, readout, symbols, hidden, sequences, seed)| Drawn {
            cell,
            direction,
            layers,
            readout,
            symbols,
            hidden,
            sequences,
            seed,
        })
}

pub(crate) fn random_network(drawn: &Drawn) -> Network {
    let reads = match drawn.symbols {
        true => Reads::Symbols { count: SYMBOLS, embedding: 3 },
        false => Reads::Values { width: 2 },
    };
    let architecture = Architecture {
        reads,
        cell: drawn.cell,
        hidden: drawn.hidden,
        layers: drawn.layers,
        direction: drawn.direction,
        readout: drawn.readout,
        outputs: CLASSES,
    };
    let how = Initialisation { recurrent: Recurrent::Uniform, forget_bias: None };
    Network::new(architecture, &how, drawn.seed).unwrap()
}

/// SplitMix64: `next(&mut state)` in [0, 1).
pub(crate) fn next(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

pub(crate) fn below(state: &mut u64, bound: usize) -> usize {
    (next(state) * bound as f64) as usize
}

/// Of 1 to 14 steps; the first has 12.
pub(crate) fn random_sequences(drawn: &Drawn) -> Sequences {
    let mut state = drawn.seed ^ 99;
    let length = |i: usize, state: &mut u64| if i == 0 { 12 } else { 1 + below(state, 14) };
    let lengths: Vec<usize> = (0..drawn.sequences).map(|i| length(i, &mut state)).collect();
    let names: Vec<String> = (0..CLASSES).map(|k| k.to_string()).collect();
    let inputs = match drawn.symbols {
        true => Inputs::Symbols {
            alphabet: ('a'..).take(SYMBOLS).collect(),
            sequences: lengths
                .iter()
                .map(|&n| (0..n).map(|_| below(&mut state, SYMBOLS) as u8).collect())
                .collect(),
        },
        false => Inputs::Values {
            width: 2,
            sequences: lengths
                .iter()
                .map(|&n| (0..2 * n).map(|_| next(&mut state) as f32 * 2.0 - 1.0).collect())
                .collect(),
        },
    };
    let mut class = || below(&mut state, CLASSES);
    let targets = match drawn.readout {
        Readout::EveryStep => Targets::Steps {
            names,
            labels: lengths
                .iter()
                // The first step always has one.
                .map(|&n| {
                    (0..n).map(|t| Some(class() as u8).filter(|c| t == 0 || *c > 0)).collect()
                })
                .collect(),
        },
        _ => Targets::Classes { names, labels: lengths.iter().map(|_| class()).collect() },
    };
    let ids = (0..lengths.len()).map(|i| format!("s{i}")).collect();
    Sequences { name: "drawn".to_owned(), ids, inputs, targets }
}

pub(crate) fn normed(values: &[f32]) -> Vec<f32> {
    let norm = values.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-20);
    values.iter().map(|v| v / norm).collect()
}

pub(crate) fn direction(count: usize) -> Vec<f32> {
    let mut state = 7;
    normed(&(0..count).map(|_| next(&mut state) as f32 - 0.5).collect::<Vec<_>>())
}

pub(crate) fn values_near(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (found - expected).abs();
        assert!(
            off <= tolerance * expected.abs().max(1.0),
            "{what}, {k}: {found}, expected {expected}"
        );
    }
}
