//! From a network to a file's structure.

use cutaway_engine::cells::Cell;
use cutaway_net::onnx::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, data_type,
};
use cutaway_net::onnx::{IR_VERSION, OPSET};

use super::blocks::{operator, to_onnx};
use super::{SequenceModel, metadata};
use crate::error::Result;
use crate::network::{
    Architecture, Direction, EMBEDDING, HEAD_BIAS, HEAD_WEIGHT, Network, Readout, Reads,
};

/// The output's name.
const LOGITS: &str = "logits";

pub(super) fn write(model: &SequenceModel) -> Result<ModelProto> {
    Ok(ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("cutaway".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        doc_string: Some(describe(model)),
        graph: Some(Writer::default().graph(model)),
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(OPSET),
        }],
        metadata_props: metadata::write(model)?,
    })
}

fn describe(model: &SequenceModel) -> String {
    let (a, count) = (model.network.architecture(), model.network.count());
    let mut text = format!(
        "{}: {} of {} states, {} layer(s), direction {}, {count} parameters, made by Cutaway. All sequences of a \
         batch are of the same length.",
        model.name,
        operator(a.cell),
        a.hidden,
        a.layers,
        a.direction
    );
    if let Some(training) = &model.training {
        text += &format!(" Trained on {} with seed {}.", training.dataset, training.seed);
    }
    text
}

/// A chain of nodes in the making; a node has the name of its first output.
#[derive(Default)]
struct Writer {
    graph: GraphProto,
}

impl Writer {
    fn graph(mut self, model: &SequenceModel) -> GraphProto {
        let network = &model.network;
        let a = network.architecture();
        self.graph.name = Some(model.name.clone());
        let read = self.reads(network);
        let mut steps = self.transpose("by_step", &read, &[1, 0, 2]);
        let mut end = String::new();
        for layer in 0..a.layers {
            let states;
            (states, end) = self.layer(network, layer, &steps);
            if layer + 1 < a.layers || a.readout != Readout::Last {
                // [T, directions, N, hidden] → [T, N, directions · hidden]
                let together =
                    self.transpose(&format!("rnn{layer}.by_sequence"), &states, &[0, 2, 1, 3]);
                steps = self.reshape(&format!("rnn{layer}.joined"), &together, &[0, 0, -1]);
            }
        }
        self.head(network, &steps, &end);
        let mut dims = vec![name("N")];
        if a.readout == Readout::EveryStep {
            dims.push(name("T"));
        }
        dims.push(size(a.outputs));
        self.graph.output = vec![value_info(LOGITS, data_type::FLOAT, dims)];
        self.graph
    }

    /// The input `[N, T]` or `[N, T, width]`, embedded.
    fn reads(&mut self, network: &Network) -> String {
        match network.architecture().reads {
            Reads::Symbols { count, embedding } => {
                let info = value_info("symbols", data_type::INT64, vec![name("N"), name("T")]);
                self.graph.input.push(info);
                self.weight(EMBEDDING, &[count, embedding], network.embedding());
                self.node("Gather", &[EMBEDDING, "symbols"], &["embedded"], vec![])
            }
            Reads::Values { width } => {
                let dims = vec![name("N"), name("T"), size(width)];
                self.graph.input.push(value_info("values", data_type::FLOAT, dims));
                "values".to_owned()
            }
        }
    }

    /// A recurrent layer: its states `[T, directions, N, hidden]` and its last ones `[directions, N, hidden]`.
    fn layer(&mut self, network: &Network, layer: usize, input: &str) -> (String, String) {
        let a = network.architecture();
        let rows = a.cell.gates() * a.hidden;
        let (mut w, mut r, mut b) = (Vec::new(), Vec::new(), Vec::new());
        let mut inputs = 0;
        for which in 0..a.directions() {
            let weights = network.layer(layer, which);
            inputs = weights.inputs;
            to_onnx(a.cell, &weights.weight_ih, &mut w);
            to_onnx(a.cell, &weights.weight_hh, &mut r);
            to_onnx(a.cell, &weights.bias_ih, &mut b);
            to_onnx(a.cell, &weights.bias_hh, &mut b);
        }
        let [w_name, r_name, b_name] = ["W", "R", "B"].map(|kind| format!("rnn{layer}.{kind}"));
        self.weight(&w_name, &[a.directions(), rows, inputs], &w);
        self.weight(&r_name, &[a.directions(), rows, a.hidden], &r);
        self.weight(&b_name, &[a.directions(), 2 * rows], &b);
        let [states, end] = ["states", "end"].map(|kind| format!("rnn{layer}.{kind}"));
        self.node(
            operator(a.cell),
            &[input, &w_name, &r_name, &b_name],
            &[&states, &end],
            attributes(a),
        );
        (states, end)
    }

    fn head(&mut self, network: &Network, steps: &str, end: &str) {
        let a = network.architecture();
        let (weight, bias) = network.head();
        self.weight(HEAD_BIAS, &[a.outputs], bias);
        if a.readout == Readout::EveryStep {
            // A matrix product takes any number of axes in front, but no transposed matrix.
            let transposed: Vec<f32> = (0..weight.len())
                .map(|k| weight[k % a.outputs * a.features() + k / a.outputs])
                .collect();
            self.weight(HEAD_WEIGHT, &[a.features(), a.outputs], &transposed);
            let features = self.transpose("features", steps, &[1, 0, 2]);
            let product = self.node("MatMul", &[&features, HEAD_WEIGHT], &["product"], vec![]);
            self.node("Add", &[&product, HEAD_BIAS], &[LOGITS], vec![]);
            return;
        }
        self.weight(HEAD_WEIGHT, &[a.outputs, a.features()], weight);
        let features = match a.readout {
            Readout::Last => {
                let ends = self.transpose("ends", end, &[1, 0, 2]);
                self.reshape("features", &ends, &[0, -1])
            }
            Readout::Mean => self.reduce("ReduceMean", steps),
            Readout::Max | Readout::EveryStep => self.reduce("ReduceMax", steps),
        };
        let transposed = vec![AttributeProto::from_int("transB", 1)];
        self.node("Gemm", &[&features, HEAD_WEIGHT, HEAD_BIAS], &[LOGITS], transposed);
    }

    fn reduce(&mut self, operator: &str, steps: &str) -> String {
        let attributes =
            vec![AttributeProto::from_ints("axes", &[0]), AttributeProto::from_int("keepdims", 0)];
        self.node(operator, &[steps], &["features"], attributes)
    }

    fn transpose(&mut self, output: &str, input: &str, order: &[usize]) -> String {
        let order = vec![AttributeProto::from_ints("perm", order)];
        self.node("Transpose", &[input], &[output], order)
    }

    fn reshape(&mut self, output: &str, input: &str, shape: &[i64]) -> String {
        let shape_name = format!("{output}.shape");
        self.graph.initializer.push(TensorProto::from_ints(&shape_name, shape));
        self.node("Reshape", &[input, &shape_name], &[output], vec![])
    }

    fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attribute: Vec<AttributeProto>,
    ) -> String {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        self.graph.node.push(NodeProto {
            input: names(inputs),
            output: names(outputs),
            name: Some(outputs[0].to_owned()),
            op_type: Some(operator.to_owned()),
            attribute,
            domain: None,
        });
        outputs[0].to_owned()
    }

    fn weight(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        self.graph.initializer.push(TensorProto::from_floats(name, dims, values));
    }
}

fn attributes(a: &Architecture) -> Vec<AttributeProto> {
    let direction = match a.direction {
        Direction::Forward => "forward",
        Direction::Reverse => "reverse",
        Direction::Both => "bidirectional",
    };
    let mut attributes = vec![
        AttributeProto::from_text("direction", direction),
        AttributeProto::from_int("hidden_size", a.hidden),
    ];
    match a.cell {
        Cell::Relu => {
            attributes
                .push(AttributeProto::from_texts("activations", &vec!["Relu"; a.directions()]));
        }
        // The reset gate after the matrix, as in cuDNN and PyTorch.
        Cell::Gru => attributes.push(AttributeProto::from_int("linear_before_reset", 1)),
        Cell::Tanh | Cell::Lstm => {}
    }
    attributes
}

fn name(name: &str) -> DimensionProto {
    DimensionProto { dim_param: Some(name.to_owned()), dim_value: None }
}

fn size(size: usize) -> DimensionProto {
    DimensionProto { dim_param: None, dim_value: Some(size as i64) }
}

fn value_info(name: &str, kind: i32, dim: Vec<DimensionProto>) -> ValueInfoProto {
    let shape = Some(TensorShapeProto { dim });
    let tensor = TensorTypeProto { elem_type: Some(kind), shape };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto { tensor_type: Some(tensor) }),
        doc_string: None,
    }
}
