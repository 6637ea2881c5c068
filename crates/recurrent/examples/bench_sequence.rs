//! Speed of training on sequences, for `bench/run.py`:
//! `bench_sequence --cell tanh|relu|lstm|gru --length N --steps N --threads N --isa auto|avx512|avx2|portable`.
//!
//! An embedding of 22 symbols in 16 values, one layer of 64 states, a head for two classes from the last state; forward,
//! cross-entropy, backward and a step of Adam on a batch of 32 random sequences of the same length, after three
//! steps of warm-up. Prints one JSON line; the median step counts.

use std::ops::ControlFlow;

use cutaway_data::sequences::{Inputs, Sequences, Targets};
use cutaway_engine::Isa;
use cutaway_engine::cells::Cell;
use cutaway_recurrent::network::{
    Architecture, Direction, Initialisation, Network, Readout, Reads, Runner, RunnerOptions,
};
use cutaway_recurrent::training::{Observer, Options, Step, train};

const SYMBOLS: usize = 22;
const BATCH: usize = 32;
const WARM_UP: usize = 3;

/// When each step was done, in seconds of training.
struct Clock(Vec<f64>);

impl Observer for Clock {
    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        self.0.push(step.seconds);
        ControlFlow::Continue(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str, default: &str| {
        let at = args.iter().position(|a| a == name);
        at.and_then(|i| args.get(i + 1)).map_or(default.to_owned(), Clone::clone)
    };
    let cell: Cell = serde_json::from_value(flag("--cell", "lstm").into())?;
    let (length, steps): (usize, usize) =
        (flag("--length", "512").parse()?, flag("--steps", "8").parse()?);
    let isa: Isa = flag("--isa", "auto").parse()?;
    let architecture = Architecture {
        reads: Reads::Symbols { count: SYMBOLS, embedding: 16 },
        cell,
        hidden: 64,
        layers: 1,
        direction: Direction::Forward,
        readout: Readout::Last,
        outputs: 2,
    };
    let network = Network::new(architecture, &Initialisation::default(), 1)?;
    let options = RunnerOptions { threads: flag("--threads", "2").parse()?, isa: Some(isa) };
    let mut runner = Runner::new(network, &options)?;
    // An epoch is one batch.
    let training =
        Options { epochs: Some(WARM_UP + steps), batch: BATCH, clip: None, ..Options::default() };
    let mut clock = Clock(vec![0.0]);
    train(&mut runner, &random_sequences(length), None, &training, &mut clock)?;
    let mut times: Vec<f64> = clock.0.windows(2).map(|pair| pair[1] - pair[0]).collect();
    times.drain(..WARM_UP);
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!(
        "{{\"isa\":\"{isa}\",\"threads\":{},\"cell\":{},\"length\":{length},\"batch\":{BATCH},\"steps\":{steps},\
         \"median_ms\":{:.4},\"tokens_per_second\":{:.0}}}",
        runner.threads(),
        serde_json::to_string(&cell)?,
        1e3 * median,
        (BATCH * length) as f64 / median
    );
    Ok(())
}

fn random_sequences(length: usize) -> Sequences {
    let mut state = 1u64;
    let mut next = |bound: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let sequences =
        (0..BATCH).map(|_| (0..length).map(|_| next(SYMBOLS as u64) as u8).collect()).collect();
    Sequences {
        name: "random".to_owned(),
        ids: (0..BATCH).map(|i| i.to_string()).collect(),
        inputs: Inputs::Symbols { alphabet: ('a'..).take(SYMBOLS).collect(), sequences },
        targets: Targets::Classes {
            names: vec!["0".to_owned(), "1".to_owned()],
            labels: (0..BATCH).map(|_| next(2) as usize).collect(),
        },
    }
}
