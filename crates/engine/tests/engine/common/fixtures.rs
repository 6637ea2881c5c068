//! The cases of `operators.safetensors`, each as a network of (nearly) one node.

use std::collections::HashMap;
use std::sync::Arc;

use cutaway_net::{ConvSpec, DenseSpec, Network, NetworkBuilder, NodeId, PoolSpec};
use safetensors::SafeTensors;
use serde_json::Value;

/// One operator with inputs, parameters, and what PyTorch made of them.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) n: usize,
    pub(crate) network: Network,
    /// The input of the network.
    pub(crate) batch: Vec<f64>,
    /// The nodes that stand for the case's inputs, with the gradients they must receive.
    pub(crate) inputs: Vec<(NodeId, Vec<f64>)>,
    pub(crate) output: NodeId,
    pub(crate) y: Vec<f64>,
    pub(crate) seed: Vec<f64>,
    /// Gradients of the operator's parameters; none for running statistics.
    pub(crate) param_gradients: Vec<Option<Vec<f64>>>,
    /// The index of the operator's first parameter in the network.
    pub(crate) first_param: usize,
    /// Whether a batch normalisation uses the batch's statistics.
    pub(crate) training: bool,
    /// In training: running mean and variance after the batch.
    pub(crate) running_after: Option<[Vec<f64>; 2]>,
}

#[derive(Clone)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// All cases of the file.
pub(crate) fn cases() -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/operators.safetensors");
    let bytes = std::fs::read(path).expect("the fixture is committed");
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let records = header.metadata().as_ref().unwrap()["cases"].clone();
    let records: Vec<Value> = serde_json::from_str(&records).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors: HashMap<String, Tensor> =
        file.tensors().into_iter().map(|(name, view)| (name, read(&view))).collect();
    assert!(records.len() >= 85, "only {} cases", records.len());
    records.iter().map(|record| case(record, &tensors)).collect()
}

fn read(view: &safetensors::tensor::TensorView<'_>) -> Tensor {
    let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
    let values = view.data().chunks_exact(4).map(number).collect();
    Tensor { shape: view.shape().to_vec(), values }
}

fn case(record: &Value, tensors: &HashMap<String, Tensor>) -> Case {
    let name = record["name"].as_str().unwrap();
    let tensor = |part: &str| tensors.get(&format!("{name}/{part}"));
    let wide = |part: &str| tensor(part).map(|t| super::numbers::widen(&t.values));
    let names = |list: &str| -> Vec<String> {
        record[list].as_array().unwrap().iter().map(|n| n.as_str().unwrap().into()).collect()
    };
    let inputs: Vec<Tensor> = names("inputs").iter().map(|n| tensor(n).unwrap().clone()).collect();
    let params: Vec<Tensor> = names("params").iter().map(|n| tensor(n).unwrap().clone()).collect();

    let mut builder = NetworkBuilder::new(name);
    let (selections, nodes, batch) = enter(&mut builder, &inputs);
    add_operator(&mut builder, record, &nodes, &params);
    let output = builder.last();
    let training = record["training"].as_bool().unwrap_or(false);
    if training && inputs[0].shape.len() == 4 {
        builder.flatten("flat"); // a loss takes a vector
    }
    let network = builder.build(1).unwrap_or_else(|e| panic!("{name}: {e}"));
    let first_param = selections.len();
    let values = selections.into_iter().chain(params.into_iter().map(|p| p.values));
    let network = network.with_values(values.map(Arc::from).collect()).unwrap();

    let gradient = |n: &String| wide(&format!("d{n}"));
    Case {
        name: name.to_owned(),
        n: inputs[0].shape[0],
        network,
        batch,
        inputs: nodes
            .into_iter()
            .zip(names("inputs").iter().map(|n| gradient(n).unwrap()))
            .collect(),
        output,
        y: wide("y").unwrap(),
        seed: wide("seed").unwrap(),
        param_gradients: names("params").iter().map(gradient).collect(),
        first_param,
        training,
        running_after: wide("mean_after").map(|mean| [mean, wide("var_after").unwrap()]),
    }
}

/// Makes nodes for the inputs. A network has one input only, so several are concatenated there and
/// taken apart again by layers whose weights are 0 and 1, which is exact. Returns those weights,
/// the nodes and the batch.
fn enter(
    builder: &mut NetworkBuilder,
    inputs: &[Tensor],
) -> (Vec<Vec<f32>>, Vec<NodeId>, Vec<f64>) {
    let n = inputs[0].shape[0];
    let channels: Vec<usize> = inputs.iter().map(|input| input.shape[1]).collect();
    let total: usize = channels.iter().sum();
    let root = builder.input("x", &[&[total], &inputs[0].shape[2..]].concat()).last();
    let sample = |input: &Tensor, at: usize| {
        let len = input.values.len() / n;
        super::numbers::widen(&input.values[at * len..(at + 1) * len])
    };
    let batch = (0..n).flat_map(|at| inputs.iter().flat_map(move |i| sample(i, at))).collect();
    if inputs.len() == 1 {
        return (vec![], vec![root], batch);
    }
    let (mut selections, mut nodes, mut first) = (vec![], vec![], 0);
    for (index, own) in channels.into_iter().enumerate() {
        let name = format!("x{index}");
        builder.at(root);
        match inputs[0].shape.len() {
            2 => builder.dense(&name, DenseSpec::new(own).no_bias()),
            _ => builder.conv(&name, ConvSpec::new(own, 1).no_bias()),
        };
        nodes.push(builder.last());
        let pick = |at: usize| f32::from(u8::from(at % total == first + at / total));
        selections.push((0..own * total).map(pick).collect());
        first += own;
    }
    (selections, nodes, batch)
}

fn add_operator(b: &mut NetworkBuilder, record: &Value, inputs: &[NodeId], params: &[Tensor]) {
    let numbers = |key: &str| -> Vec<usize> {
        record[key].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
    };
    let pair = |key: &str| -> [usize; 2] { numbers(key).try_into().unwrap() };
    let pool = || {
        PoolSpec::new(pair("kernel"))
            .stride(pair("stride"))
            .padding(numbers("padding").try_into().unwrap())
    };
    let number = |key: &str| record[key].as_f64().unwrap();
    match record["op"].as_str().unwrap() {
        "conv" => {
            let w = &params[0].shape;
            let spec = ConvSpec::new(w[0], [w[2], w[3]])
                .stride(pair("stride"))
                .padding(numbers("padding").try_into().unwrap())
                .dilation(pair("dilation"))
                .groups(record["groups"].as_u64().unwrap() as usize);
            b.conv("y", if params.len() == 1 { spec.no_bias() } else { spec })
        }
        "dense" => {
            let spec = DenseSpec::new(params[0].shape[0]);
            b.dense("y", if params.len() == 1 { spec.no_bias() } else { spec })
        }
        "maxpool" => b.max_pool("y", pool()),
        "avgpool" => b.avg_pool("y", pool()),
        "globalavgpool" => b.global_avg_pool("y"),
        "relu" => b.relu("y"),
        "softmax" => b.softmax("y"),
        "logsoftmax" => b.log_softmax("y"),
        "flatten" => b.flatten("y"),
        "reshape" => b.reshape("y", &numbers("shape")),
        "add" => b.add("y", inputs),
        "concat" => b.concat("y", inputs),
        // PyTorch's momentum is the share of the new value, the network's that of the old.
        "batchnorm" => {
            b.batch_norm_with("y", number("epsilon") as f32, (1.0 - number("momentum")) as f32)
        }
        other => panic!("unknown operator {other:?}"),
    };
}
