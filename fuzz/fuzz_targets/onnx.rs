//! Models: no bytes may panic, hang or take memory out of proportion; what is accepted can be summarised, and written
//! and read again without a change.

#![cfg_attr(feature = "libfuzzer", no_main)]

use cutaway_net::{onnx, summary};

/// `ConstantOfShape` and `Expand` may make up to 1 GiB of weights, as real models do, and are held twice meanwhile.
const MADE: usize = 5 << 29;
/// Networks with more numbers are not written and read again: it takes seconds.
const LARGE: usize = 1 << 22;

cutaway_fuzz::target!("onnx", |bytes| {
    cutaway_fuzz::allow(MADE);
    if let Ok(network) = onnx::from_bytes(bytes) {
        let _ = summary(&network).to_string();
        if network.params().iter().map(|param| param.values.len()).sum::<usize>() > LARGE {
            return;
        }
        let written = onnx::to_bytes(&network).expect("what was read can be written");
        let again = onnx::from_bytes(&written).expect("what was written can be read");
        assert_eq!(again.hash(), network.hash());
    }
});
