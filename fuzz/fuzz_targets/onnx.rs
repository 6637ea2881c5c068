//! Models: no bytes may panic, hang or take memory out of proportion; what is accepted can be summarised, and written
//! and read again without a change but for the order of nodes that do not depend on each other.

#![cfg_attr(feature = "libfuzzer", no_main)]

use cutaway_net::{Network, onnx, summary};

/// Every node with what it reads and its parameters, in the order of their names.
fn parts(network: &Network) -> Vec<String> {
    let nodes = network.nodes().iter();
    let part = |node: &cutaway_net::Node| {
        let inputs: Vec<&str> = node.inputs.iter().map(|&input| network.node(input).name.as_str()).collect();
        let params = node.params.iter().map(|&param| {
            let param = network.param(param);
            let bits: Vec<u32> = param.values.iter().map(|value| value.to_bits()).collect();
            (&param.name, &param.shape, bits)
        });
        format!("{} {:?} {inputs:?} {:?}", node.name, node.op, params.collect::<Vec<_>>())
    };
    let mut parts: Vec<String> = nodes.map(part).collect();
    parts.sort();
    parts
}

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
        assert!(again.hash() == network.hash() || parts(&again) == parts(&network));
    }
});
