//! Memory of training: in proportion to the steps held at once, and bounded by truncation. A file of its own, as it counts every byte
//! of the process.

mod common;
#[path = "../../engine/tests/counting_allocator/mod.rs"]
mod counting_allocator;

use common::{Drawn, example, random_network};
use counting_allocator::Counting;
use cutaway_data::sequences::{Inputs, Sequences, Targets};
use cutaway_engine::cells::Cell;
use cutaway_recurrent::network::{Readout, Runner, RunnerOptions};
use cutaway_recurrent::training::{ClassWeights, loss_and_gradient};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// The most bytes that one gradient takes beyond what was there before.
fn peak(length: usize, readout: Readout, truncate: Option<usize>) -> usize {
    let drawn = Drawn { cell: Cell::Lstm, readout, hidden: 32, ..example() };
    let data = Sequences {
        name: "long".to_owned(),
        ids: (0..16).map(|i| i.to_string()).collect(),
        inputs: Inputs::Symbols {
            alphabet: ('a'..).take(common::SYMBOLS).collect(),
            sequences: (0..16)
                .map(|i| (0..length).map(|t| ((t * i) % 5) as u8).collect())
                .collect(),
        },
        targets: Targets::Classes {
            names: (0..common::CLASSES).map(|k| k.to_string()).collect(),
            labels: vec![1; 16],
        },
    };
    let options = RunnerOptions { threads: 1, isa: None };
    let runner = Runner::new(random_network(&drawn), &options).unwrap();
    let gradient = || loss_and_gradient(&runner, &data, &ClassWeights::Equal, truncate).unwrap();
    ALLOCATOR.peak_during(gradient).0
}

#[test]
fn memory_grows_with_the_steps_held_at_once_and_no_faster() {
    let (short, long) = (peak(1000, Readout::Mean, None), peak(4000, Readout::Mean, None));
    // 16 sequences, per step six vectors of 32 floats: four gates, state, memory, and some more on the way back.
    assert!(long > 4000 * 16 * 6 * 32 * 4, "{long} bytes are fewer than a tape has");
    assert!(long < 4 * short + 1_000_000, "{short} bytes for 1,000 steps, {long} for 4,000");
    for readout in [Readout::Last, Readout::Mean, Readout::Max] {
        let truncated = peak(4000, readout, Some(50));
        assert!(truncated < long / 15, "{readout:?}: {truncated} bytes in windows, {long} without");
    }
}
