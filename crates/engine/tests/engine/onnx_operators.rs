//! Operators as ONNX files have them: small models with what ONNX Runtime computes
//! (`fixtures/make_onnx_operators.py`), and small networks with PyTorch's gradients
//! (`fixtures/make_onnx_networks.py`).

use std::collections::HashMap;

use cutaway_engine::reference::{Mode, Reference};
use cutaway_engine::{Edit, Engine, Fill, Isa, Strategy};
use cutaway_net::{Binary, Network, NodeId, Op, Unary, onnx};
use ndarray::{ArrayD, IxDyn};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::common::compile;
use crate::common::networks::all_nodes;
use crate::common::numbers::{Numbers, bits, close, magnitude, widen};

/// Of the largest magnitude, for one operator in f32.
const TOLERANCE: f64 = 1e-5;

struct Case {
    name: String,
    network: Network,
    batch: ArrayD<f32>,
    outputs: Vec<Vec<f64>>,
    smooth: bool,
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("the fixture is committed")
}

/// The records of a fixture's metadata, and its tensors.
fn records(bytes: &[u8]) -> (Vec<Value>, SafeTensors<'_>) {
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let records = header.metadata().as_ref().unwrap()["cases"].clone();
    (serde_json::from_str(&records).unwrap(), SafeTensors::deserialize(bytes).unwrap())
}

fn floats(file: &SafeTensors<'_>, name: &str) -> ArrayD<f32> {
    let view = file.tensor(name).unwrap();
    let values = view.data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    ArrayD::from_shape_vec(IxDyn(view.shape()), values).unwrap()
}

fn load(file: &SafeTensors<'_>, name: &str) -> Network {
    let model = file.tensor(&format!("{name}/model")).unwrap();
    onnx::from_bytes(model.data()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn cases() -> Vec<Case> {
    let bytes = fixture("onnx_operators");
    let (records, file) = records(&bytes);
    assert!(records.len() >= 360, "only {} cases", records.len());
    let case = |record: &Value| {
        let name = record["name"].as_str().unwrap().to_owned();
        let count = record["outputs"].as_u64().unwrap();
        let outputs = (0..count).map(|i| widen(&floats(&file, &format!("{name}/y{i}")))).collect();
        let (network, batch) = (load(&file, &name), floats(&file, &format!("{name}/x")));
        Case { name, network, batch, outputs, smooth: record["smooth"].as_bool().unwrap() }
    };
    records.iter().map(case).collect()
}

/// All cases, and all that went wrong at once.
fn check_all(check: impl Fn(&Case) -> Result<(), String>) {
    let problems: Vec<String> = cases()
        .iter()
        .filter_map(|case| check(case).err().map(|problem| format!("{}: {problem}", case.name)))
        .collect();
    assert!(problems.is_empty(), "{} cases:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn the_reference_computes_what_onnx_runtime_computes() {
    check_all(|case| {
        let n = case.batch.shape()[0];
        let found = Reference::new(&case.network, Mode::Inference).forward(&widen(&case.batch), n);
        for (&node, wanted) in case.network.outputs().iter().zip(&case.outputs) {
            close(&found[node.0], wanted, TOLERANCE)?;
        }
        Ok(())
    });
}

#[test]
fn every_instruction_set_computes_what_onnx_runtime_computes_and_the_references_gradients() {
    check_all(|case| {
        Isa::available().into_iter().try_for_each(|isa| {
            let engine = compile(&case.network, isa);
            check_forward(case, &engine)
                .and_then(|()| check_gradients(&case.network, &engine, &case.batch))
                .map_err(|problem| format!("{isa}: {problem}"))
        })
    });
}

fn check_forward(case: &Case, engine: &Engine) -> Result<(), String> {
    let found = engine.forward(case.batch.view(), case.network.outputs()).unwrap();
    for (&node, wanted) in case.network.outputs().iter().zip(&case.outputs) {
        close(&widen(found.get(node).unwrap()), wanted, TOLERANCE)?;
    }
    Ok(())
}

/// Gradients of every node and parameter, at the engine's own activations.
fn check_gradients(network: &Network, engine: &Engine, batch: &ArrayD<f32>) -> Result<(), String> {
    let (n, nodes) = (batch.shape()[0], all_nodes(network));
    let activations = engine.forward(batch.view(), &nodes).unwrap();
    let own: Vec<Vec<f64>> =
        nodes.iter().map(|&node| widen(activations.get(node).unwrap())).collect();
    let mut numbers = Numbers::new(3);
    let seeds: Vec<(NodeId, ArrayD<f32>)> = network
        .outputs()
        .iter()
        .map(|&node| (node, numbers.batch(n, network.shape(node))))
        .collect();
    let wide: Vec<_> = seeds.iter().map(|(node, seed)| (*node, widen(seed))).collect();
    let wanted = Reference::new(network, Mode::Inference).backward(&own, n, &wide);
    let input = [network.input()];
    for asked in [&nodes[..], &input] {
        let found = engine.backward(batch.view(), &seeds, asked, true).unwrap();
        for &node in asked {
            close(&widen(found.node(node).unwrap()), &wanted.nodes[node.0], 2.0 * TOLERANCE)
                .map_err(|e| format!("gradient of {}: {e}", network.node(node).name))?;
        }
        for ((found, wanted), param) in
            found.params().iter().zip(&wanted.params).zip(network.params())
        {
            close(&widen(found), wanted, 2.0 * TOLERANCE)
                .map_err(|e| format!("gradient of {}: {e}", param.name))?;
        }
    }
    Ok(())
}

/// `⟨gradient, direction⟩` against `(L(x + h) − L(x − h)) / 2h`, for the input and every parameter.
#[test]
fn the_references_gradients_are_what_finite_differences_give() {
    check_all(|case| {
        if !case.smooth {
            return Ok(());
        }
        let (network, n) = (&case.network, case.batch.shape()[0]);
        let mut numbers = Numbers::new(17);
        let seeds: Vec<(NodeId, Vec<f64>)> = network
            .outputs()
            .iter()
            .map(|&node| (node, widen(&numbers.batch(n, network.shape(node)))))
            .collect();
        let x = widen(&case.batch);
        let reference = Reference::new(network, Mode::Inference);
        let activations = reference.forward(&x, n);
        let gradients = reference.backward(&activations, n, &seeds);
        let loss = |reference: &Reference<'_>, x: &[f64]| -> f64 {
            let values = reference.forward(x, n);
            let dot = |(node, seed): &(NodeId, Vec<f64>)| -> f64 {
                seed.iter().zip(&values[node.0]).map(|(s, y)| s * y).sum()
            };
            seeds.iter().map(dot).sum()
        };
        let step = 1e-6;
        let moved = |from: &[f64], way: &[f64], by: f64| -> Vec<f64> {
            from.iter().zip(way).map(|(x, way)| x + by * way).collect()
        };
        let agree = |what: &str, difference: f64, gradient: &[f64], way: &[f64]| {
            let slope: f64 = gradient.iter().zip(way).map(|(g, way)| g * way).sum();
            let scale = gradient.iter().zip(way).map(|(g, way)| (g * way).abs()).sum::<f64>();
            match (difference - slope).abs() <= 1e-5 * scale.max(1e-2) {
                true => Ok(()),
                false => Err(format!("{what}: slope {slope}, differences give {difference}")),
            }
        };
        let way = widen(&numbers.vec(x.len()));
        let difference = (loss(&reference, &moved(&x, &way, step))
            - loss(&reference, &moved(&x, &way, -step)))
            / (2.0 * step);
        agree("input", difference, &gradients.nodes[network.input().0], &way)?;
        for (index, param) in network.params().iter().enumerate() {
            if param.name.ends_with('m') || param.name.ends_with('v') {
                continue; // running statistics, which have none
            }
            let way = widen(&numbers.vec(param.values.len()));
            let at = |by: f64| {
                let mut reference = reference.clone();
                reference.params[index] = moved(&reference.params[index], &way, by);
                loss(&reference, &x)
            };
            let difference = (at(step) - at(-step)) / (2.0 * step);
            agree(&param.name, difference, &gradients.params[index], &way)?;
        }
        Ok(())
    });
}

#[test]
fn what_was_read_is_written_and_read_again_the_same() {
    check_all(|case| comes_back(&case.network));
}

/// Written and read again it has the same hash; else the first line that differs.
fn comes_back(network: &Network) -> Result<(), String> {
    let bytes = onnx::to_bytes(network).map_err(|e| e.to_string())?;
    let again = onnx::from_bytes(&bytes).map_err(|e| e.to_string())?;
    if again.hash() == network.hash() {
        return Ok(());
    }
    let lines = |network: &Network| -> Vec<String> {
        let name = |id: &NodeId| network.node(*id).name.clone();
        let nodes = network.nodes().iter().map(|node| {
            let inputs: Vec<String> = node.inputs.iter().map(name).collect();
            format!("{} {:?} of {inputs:?}", node.name, node.op)
        });
        let params = network.params().iter().map(|p| {
            let few = &p.values[..p.values.len().min(4)];
            format!("{} {:?} {} {few:?}", p.name, p.shape, p.trainable)
        });
        nodes.chain(params).collect()
    };
    let (before, after) = (lines(network), lines(&again));
    let at = (0..before.len()).find(|&i| before.get(i) != after.get(i)).unwrap_or(0);
    Err(format!("{} became {:?}", before[at], after.get(at)))
}

#[test]
fn every_operator_occurs() {
    let mut kinds: HashMap<&str, usize> = HashMap::new();
    for case in cases() {
        case.network.nodes().iter().for_each(|node| *kinds.entry(node.op.kind()).or_default() += 1);
    }
    let operators = [
        Op::Constant { shape: vec![] }.kind(),
        Op::MatMul.kind(),
        Op::Where.kind(),
        Op::CumSum { axis: 0, exclusive: false, reverse: false }.kind(),
        Binary::LessOrEqual.kind(),
        Binary::Xor.kind(),
        Unary::Truncate.kind(),
        Unary::NonZero.kind(),
        Op::Unary(Unary::GeluTanh).kind(),
        Op::Unary(Unary::Mish).kind(),
        "Expand",
        "Gather",
        "Resize",
        "LocalResponseNorm",
        "LayerNorm",
        "GroupNorm",
        "ConvTranspose",
        "ArgMax",
        "Quantise",
        "ConcatAlong",
        "Pad",
        "LogSoftmaxAlong",
    ];
    for operator in operators {
        assert!(kinds.contains_key(operator), "{operator} does not occur in {kinds:?}");
    }
    assert!(kinds.len() >= 65, "{} kinds: {kinds:?}", kinds.len());
}

/// Small networks of the families that people bring, exported or built from PyTorch modules.
#[test]
fn small_networks_have_pytorchs_outputs_and_gradients() {
    check_networks("onnx_networks", 6);
}

/// Vision transformers, ConvNeXt and MLP-Mixer as timm has them, exported both ways that PyTorch has.
#[test]
fn networks_of_timm_have_pytorchs_outputs_and_gradients() {
    check_networks("onnx_timm", 8);
}

fn check_networks(fixture: &str, least: usize) {
    let bytes = self::fixture(fixture);
    let (records, file) = records(&bytes);
    assert!(records.len() >= least, "only {} networks", records.len());
    for record in &records {
        let name = record["name"].as_str().unwrap();
        let network = load(&file, name);
        let batch = floats(&file, &format!("{name}/x"));
        let wanted = |what: &str| widen(&floats(&file, &format!("{name}/{what}")));
        // Weights of 16 bits are exact in f32; a network's rounding adds up.
        let tolerance = 1e-4;
        let output = network.output();
        let seed = floats(&file, &format!("{name}/seed"));
        for isa in [Isa::Scalar, Isa::detect()] {
            let engine = compile(&network, isa);
            let found = engine.forward(batch.view(), &[output]).unwrap();
            close(&widen(found.get(output).unwrap()), &wanted("y"), tolerance)
                .unwrap_or_else(|e| panic!("{name} on {isa}: {e}"));
            let seed = seed.clone().into_shape_with_order(found.get(output).unwrap().raw_dim());
            let seeds = [(output, seed.unwrap())];
            let input = network.input();
            let gradients = engine.backward(batch.view(), &seeds, &[input], false).unwrap();
            let dx = widen(gradients.node(input).unwrap());
            assert!(magnitude(&dx) > 0.0, "{name}");
            close(&dx, &wanted("dx"), tolerance)
                .unwrap_or_else(|e| panic!("gradient of {name} on {isa}: {e}"));
        }
        comes_back(&network).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

/// Layers without a rule for regions are computed whole; what others melt into is put back with them.
#[test]
fn sweeps_over_foreign_networks_have_the_bits_of_full_recomputation() {
    let bytes = fixture("onnx_networks");
    let (records, file) = records(&bytes);
    for record in &records {
        let name = record["name"].as_str().unwrap();
        let network = load(&file, name);
        let batch = floats(&file, &format!("{name}/x"));
        let image = batch.index_axis(ndarray::Axis(0), 0).into_dimensionality().unwrap();
        let places = (0..40).map(|i| (i * 5 % 7, i * 3 % 6));
        let edits: Vec<Edit> = places
            .map(|(row, col)| Edit { row, col, height: 2, width: 1, fill: Fill::Value(0.5) })
            .collect();
        let engine = compile(&network, Isa::detect());
        let full = engine.sweep_with(image, &edits, Strategy::Full).unwrap();
        let parts = engine.sweep_with(image, &edits, Strategy::Incremental).unwrap();
        let same = bits(&full) == bits(&parts);
        // A node that everything else hangs on may hide a wrong one.
        let nodes: Vec<NodeId> = (0..network.nodes().len()).map(NodeId).collect();
        let full = engine.sweep_at_with(image, &edits, &nodes, Strategy::Full).unwrap();
        let parts = engine.sweep_at_with(image, &edits, &nodes, Strategy::Incremental).unwrap();
        for (node, full) in full.iter() {
            let kind = network.node(node).op.kind();
            assert_eq!(bits(full), bits(parts.get(node).unwrap()), "{name}: {node:?} {kind}");
        }
        assert!(same, "{name}: the output");
    }
}
