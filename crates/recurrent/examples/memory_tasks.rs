//! The adding and the copying problem: which cells get below the baseline of having remembered nothing.
//!
//! `memory_tasks --task adding|copying --length N --cell tanh|relu|lstm|gru|all --hidden N --minutes N --seed N --rate R`
//!
//! Adding: two marked numbers in a long sequence, their sum at its end. Copying: ten symbols, a gap of `N` blanks, then the
//! ten symbols again. Batches of 32, Adam, gradients up to 1, on 10,000 sequences; prints the validation loss after
//! every epoch beside the baseline.

use std::ops::ControlFlow;

use cutaway_data::sequences::{Sequences, tasks};
use cutaway_engine::cells::Cell;
use cutaway_recurrent::network::{
    Architecture, Direction, Initialisation, Network, Readout, Reads, Runner, RunnerOptions,
};
use cutaway_recurrent::training::{Epoch, Observer, Optimiser, Options, train};

struct Print {
    cell: Cell,
    baseline: f64,
    steps: usize,
    seconds: f64,
}

impl Observer for Print {
    fn epoch(&mut self, _: &Runner, epoch: &Epoch) -> ControlFlow<()> {
        self.steps += epoch.steps;
        self.seconds += epoch.seconds;
        let loss = epoch.validation.as_ref().map_or(f64::NAN, |validation| validation.loss);
        println!(
            "{:?} {:6} steps {:6.1} s: loss {loss:.5}, baseline {:.5}; gradient {:.2e}, {:.0} tokens/s",
            self.cell,
            self.steps,
            self.seconds,
            self.baseline,
            epoch.gradient_norm,
            epoch.tokens_per_second
        );
        // Far below is far enough.
        if loss < 0.05 * self.baseline { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str, default: &str| {
        let at = args.iter().position(|a| a == name);
        at.and_then(|i| args.get(i + 1)).map_or(default.to_owned(), Clone::clone)
    };
    let length: usize = flag("--length", "100").parse()?;
    let minutes: f64 = flag("--minutes", "2").parse()?;
    let (seed, count): (u64, usize) =
        (flag("--seed", "1").parse()?, flag("--count", "10000").parse()?);
    let task = flag("--task", "adding");
    let make = |count, seed| -> Result<Sequences, cutaway_data::Error> {
        if task == "copying" {
            tasks::copying(count, length, seed)
        } else {
            tasks::adding(count, length, seed)
        }
    };
    let (data, validation) = (make(count, seed)?, make(1000, seed ^ 0xfeed)?);
    let (reads, readout, outputs, baseline) = match task.as_str() {
        "copying" => (
            Reads::Symbols { count: 10, embedding: 10 },
            Readout::EveryStep,
            9,
            tasks::copying_baseline(length),
        ),
        _ => (Reads::Values { width: 2 }, Readout::Last, 1, tasks::adding_baseline()),
    };
    let cells = match flag("--cell", "all").as_str() {
        "all" => vec![Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru],
        one => vec![serde_json::from_value(one.into())?],
    };
    for cell in cells {
        let architecture = Architecture {
            reads,
            cell,
            hidden: flag("--hidden", "64").parse()?,
            layers: 1,
            direction: Direction::Forward,
            readout,
            outputs,
        };
        let network = Network::new(architecture, &Initialisation::default(), seed)?;
        let threads = flag("--threads", "2").parse()?;
        let mut runner = Runner::new(network, &RunnerOptions { threads, isa: None })?;
        let options = Options {
            optimiser: Optimiser::adam(flag("--rate", "0.003").parse()?),
            epochs: None,
            seconds: Some(60.0 * minutes),
            seed,
            ..Options::default()
        };
        let mut print = Print { cell, baseline, steps: 0, seconds: 0.0 };
        let training = train(&mut runner, &data, Some(&validation), &options, &mut print)?;
        println!("{cell:?}: {} parameters, {}", training.parameters, training.ended);
    }
    Ok(())
}
