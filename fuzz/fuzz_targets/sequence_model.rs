//! Networks that read sequences, as ONNX and as state dicts: no bytes may panic, hang or take memory out of proportion;
//! what was read is written to bytes that are read as the same.

#![cfg_attr(feature = "libfuzzer", no_main)]

use cutaway_recurrent::cells::Cell;
use cutaway_recurrent::network::{Architecture, Direction, Network, Readout, Reads};
use cutaway_recurrent::onnx::{from_bytes, to_bytes};

cutaway_fuzz::target!("sequence_model", |bytes| {
    if let Ok(model) = from_bytes(bytes) {
        let written = to_bytes(&model).expect("what was read can be written");
        let again = from_bytes(&written).expect("what was written can be read");
        // Values may be no numbers, which equal nothing.
        assert!(to_bytes(&again).expect("read twice") == written, "another network came back");
    }
    let mut network = Network::zeros(Architecture {
        reads: Reads::Symbols { count: 3, embedding: 2 },
        cell: Cell::Lstm,
        hidden: 2,
        layers: 1,
        direction: Direction::Forward,
        readout: Readout::Last,
        outputs: 2,
    })
    .expect("small sizes");
    let before = network.clone();
    if network.load_state_dict_bytes(bytes).is_err() {
        assert!(network == before, "a refused state dict left something");
    }
});
