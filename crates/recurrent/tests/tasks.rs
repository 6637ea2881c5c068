//! What the literature says of the cells, in small: LSTM and GRU get far below the baseline of having remembered nothing, in as
//! many steps as leave the vanilla network at it (Hochreiter and Schmidhuber 1997; Le, Jaitly and Hinton 2015).

use std::ops::ControlFlow;

use cutaway_data::sequences::tasks;
use cutaway_engine::cells::Cell;
use cutaway_recurrent::network::{
    Architecture, Direction, Initialisation, Network, Readout, Reads, Runner, RunnerOptions,
};
use cutaway_recurrent::training::{Epoch, Observer, Optimiser, Options, train};

const LENGTH: usize = 60;

/// The lowest validation loss as a share of the baseline; far below is far enough.
struct Lowest(f64);

impl Observer for Lowest {
    fn epoch(&mut self, _: &Runner, epoch: &Epoch) -> ControlFlow<()> {
        let loss = epoch.validation.as_ref().unwrap().loss / tasks::adding_baseline();
        self.0 = self.0.min(loss);
        if loss < 0.1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn lowest(cell: Cell, epochs: usize) -> f64 {
    let (data, validation) =
        (tasks::adding(3200, LENGTH, 1).unwrap(), tasks::adding(1000, LENGTH, 2).unwrap());
    let architecture = Architecture {
        reads: Reads::Values { width: 2 },
        cell,
        hidden: 32,
        layers: 1,
        direction: Direction::Forward,
        readout: Readout::Last,
        outputs: 1,
    };
    let network = Network::new(architecture, &Initialisation::default(), 1).unwrap();
    let mut runner = Runner::new(network, &RunnerOptions::default()).unwrap();
    let options =
        Options { optimiser: Optimiser::adam(0.005), epochs: Some(epochs), ..Options::default() };
    let mut lowest = Lowest(f64::INFINITY);
    train(&mut runner, &data, Some(&validation), &options, &mut lowest).unwrap();
    lowest.0
}

#[test]
fn gates_solve_the_adding_problem_where_the_vanilla_network_stays_at_the_baseline() {
    let (gru, tanh) = (lowest(Cell::Gru, 20), lowest(Cell::Tanh, 20));
    assert!(gru < 0.1, "GRU: {gru} of the baseline");
    assert!(tanh > 0.8, "tanh: {tanh} of the baseline");
    let lstm = lowest(Cell::Lstm, 40);
    assert!(lstm < 0.1, "LSTM: {lstm} of the baseline");
}
