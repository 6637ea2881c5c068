//! Models: no bytes may panic, hang or take memory out of proportion; what is accepted can be summarised, and written
//! and read again without a change.

#![cfg_attr(feature = "libfuzzer", no_main)]

use cutaway_net::{Network, Op, onnx, summary};

/// `ConstantOfShape` and `Expand` may make up to 1 GiB of weights, as real models do, and are held twice meanwhile.
const MADE: usize = 5 << 29;
/// Networks with more numbers are not written and read again: it takes seconds.
const LARGE: usize = 1 << 22;

/// Whether some node works on constants alone. A file gives what it computes a batch, so that it comes back with one axis more.
fn computes_constants(network: &Network) -> bool {
    let mut depends: Vec<bool> = Vec::new();
    for node in network.nodes() {
        let is_input = matches!(node.op, Op::Input { .. });
        depends.push(is_input || node.inputs.iter().any(|input| depends[input.0]));
    }
    let mut nodes = network.nodes().iter().zip(depends);
    nodes.any(|(node, depends)| !depends && !matches!(node.op, Op::Constant { .. }))
}

cutaway_fuzz::target!("onnx", |bytes| {
    cutaway_fuzz::allow(MADE);
    if let Ok(network) = onnx::from_bytes(bytes) {
        let _ = summary(&network).to_string();
        if network.params().iter().map(|param| param.values.len()).sum::<usize>() > LARGE {
            return;
        }
        let written = onnx::to_bytes(&network).expect("what was read can be written");
        let again = onnx::from_bytes(&written).expect("what was written can be read");
        assert!(again.hash() == network.hash() || computes_constants(&network));
    }
});
