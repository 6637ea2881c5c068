//! Models: no bytes may panic, hang or take memory out of proportion; what is accepted can be summarised, and written
//! and read again without a change.

#![cfg_attr(feature = "libfuzzer", no_main)]

use cutaway_net::{onnx, summary};

cutaway_fuzz::target!("onnx", |bytes| {
    if let Ok(network) = onnx::from_bytes(bytes) {
        let _ = summary(&network).to_string();
        let written = onnx::to_bytes(&network).expect("what was read can be written");
        let again = onnx::from_bytes(&written).expect("what was written can be read");
        assert_eq!(again.hash(), network.hash());
    }
});
