//! From a file's graph to a network: follows the chain of nodes from the input and notes what each of them means.

use std::collections::HashMap;

use cutaway_engine::cells::Cell;
use cutaway_net::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, data_type,
};

use super::axes::{Axis, Flow, Place};
use super::blocks::from_onnx;
use super::{SequenceModel, metadata};
use crate::error::{Error, Result};
use crate::network::{
    Architecture, Direction, EMBEDDING, HEAD_BIAS, HEAD_WEIGHT, Network, Readout, Reads,
};

/// The oldest opset that is read: from it on the operators are as they are understood here.
const OLDEST_OPSET: i64 = 7;
/// How many times as large as its file a network may be, where nodes share weights.
const MAX_SHARING: usize = 4;
/// More layers than anybody stacks.
const MAX_LAYERS: usize = 64;

type Said<T> = std::result::Result<T, String>;

pub(super) fn read(model: ModelProto, file_bytes: usize) -> Result<SequenceModel> {
    let own = |entry: &&cutaway_net::onnx::proto::OperatorSetIdProto| {
        matches!(entry.domain.as_deref(), None | Some("" | "ai.onnx"))
    };
    let opset = model.opset_import.iter().find(own).and_then(|entry| entry.version).unwrap_or(0);
    if opset < OLDEST_OPSET {
        return refuse(format!("operator set {opset}; {OLDEST_OPSET} or newer is read"));
    }
    let Some(graph) = model.graph else { return refuse("no graph in it".to_owned()) };
    let name = graph.name.clone().unwrap_or_default();
    let network = Reader::of(graph)?.network(file_bytes)?;
    let mut read = SequenceModel { name, ..SequenceModel::new(network) };
    metadata::read(&model.metadata_props, &mut read)?;
    read.check()?;
    Ok(read)
}

fn refuse<T>(problem: String) -> Result<T> {
    Err(Error::Sequences(format!("not a network that reads sequences: {problem}")))
}

/// What the chain has shown so far.
struct Reader {
    tensors: HashMap<String, TensorProto>,
    flows: HashMap<String, Flow>,
    reads: Option<Reads>,
    embedding: Vec<f32>,
    layers: Vec<LayerRead>,
    head: Option<HeadRead>,
    answer: Option<Flow>,
}

/// A recurrent node, its weights in ONNX's order.
struct LayerRead {
    cell: Cell,
    direction: Direction,
    hidden: usize,
    inputs: usize,
    /// `[directions, rows, inputs]`
    w: Vec<f32>,
    /// `[directions, rows, hidden]`
    r: Vec<f32>,
    /// `[directions, 2 · rows]`
    b: Vec<f32>,
}

struct HeadRead {
    /// `[outputs, features]`
    weight: Vec<f32>,
    bias: Vec<f32>,
    features: usize,
    readout: Readout,
}

impl Reader {
    fn of(graph: GraphProto) -> Result<Reader> {
        let named = |tensor: TensorProto| (tensor.name.clone().unwrap_or_default(), tensor);
        let tensors: HashMap<String, TensorProto> =
            graph.initializer.into_iter().map(named).collect();
        let mut reader = Reader {
            tensors,
            flows: HashMap::new(),
            reads: None,
            embedding: Vec::new(),
            layers: Vec::new(),
            head: None,
            answer: None,
        };
        reader.input(&graph.input)?;
        for node in &graph.node {
            let output = node.output.iter().find(|name| !name.is_empty());
            let name = node.name.as_ref().filter(|name| !name.is_empty()).or(output);
            let operator = node.op_type.as_deref().unwrap_or_default();
            if let Err(problem) = reader.node(node, operator) {
                let name = name.map_or("", String::as_str);
                return refuse(format!("node {name:?} ({operator}): {problem}"));
            }
        }
        let [output] = &graph.output[..] else {
            return refuse(format!("{} outputs, expected one", graph.output.len()));
        };
        let name = output.name.as_deref().unwrap_or_default();
        reader.answer = reader.flows.get(name).cloned();
        Ok(reader)
    }

    /// The one input that is no weight.
    fn input(&mut self, inputs: &[ValueInfoProto]) -> Result<()> {
        let name = |info: &ValueInfoProto| info.name.clone().unwrap_or_default();
        let given: Vec<&ValueInfoProto> =
            inputs.iter().filter(|info| !self.tensors.contains_key(&name(info))).collect();
        let [info] = given[..] else {
            return refuse(format!("{} inputs, expected one", given.len()));
        };
        let tensor = info.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        let kind = tensor.and_then(|tensor| tensor.elem_type).unwrap_or(0);
        let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
        let dims = shape.map_or(&[][..], |shape| &shape.dim);
        let flow = match (kind, dims) {
            (data_type::INT64 | data_type::INT32, [_, _]) => {
                Flow::new(Place::Symbols, &[Axis::Batch, Axis::Step])
            }
            (data_type::FLOAT, [_, _, width]) => {
                let width = width.dim_value.and_then(|width| usize::try_from(width).ok());
                let Some(width @ 1..) = width else {
                    return refuse("the number of values a step is not fixed".to_owned());
                };
                self.reads = Some(Reads::Values { width });
                Flow::new(Place::Read, &[Axis::Batch, Axis::Step, Axis::Value])
            }
            _ => {
                return refuse(format!(
                    "the input is of type {kind} with {} axes; expected whole numbers [N, T] or \
                     floats [N, T, values]",
                    dims.len()
                ));
            }
        };
        self.flows.insert(name(info), flow);
        Ok(())
    }

    fn node(&mut self, node: &NodeProto, operator: &str) -> Said<()> {
        if !matches!(node.domain.as_deref(), None | Some("" | "ai.onnx")) {
            return Err("an operator of another domain is not known".to_owned());
        }
        let flow = match operator {
            "Constant" => {
                let value = attribute(node, "value").and_then(|entry| entry.t.as_deref());
                let value = value.ok_or("a constant without a tensor")?;
                self.tensors.insert(output(node, 0)?, value.clone());
                return Ok(());
            }
            "RNN" | "LSTM" | "GRU" => return self.recurrent(node, operator),
            "Gather" => self.gather(node)?,
            "Identity" => self.flow(node, 0)?,
            "Transpose" => {
                let order = attribute(node, "perm").map_or(&[][..], |entry| &entry.ints);
                self.flow(node, 0)?.transposed(order)?
            }
            "Reshape" => {
                if int(node, "allowzero", 0) != 0 {
                    return Err("allowzero is not known".to_owned());
                }
                let shape = self.ints(node, 1)?;
                self.flow(node, 0)?.reshaped(&shape, self.directions())?
            }
            "Squeeze" => self.squeeze(node)?,
            "ReduceMean" => self.reduce(node, Place::Mean)?,
            "ReduceMax" => self.reduce(node, Place::Max)?,
            "Gemm" => self.gemm(node)?,
            "MatMul" => self.product(node)?,
            "Add" => self.bias(node)?,
            _ => {
                return Err("this operator is not known here; expected a chain of Gather, Transpose, RNN, LSTM or \
                            GRU, Reshape, Squeeze, ReduceMean or ReduceMax, and Gemm, or MatMul and Add"
                    .to_owned());
            }
        };
        self.flows.insert(output(node, 0)?, flow);
        Ok(())
    }

    fn flow(&self, node: &NodeProto, index: usize) -> Said<Flow> {
        let name = node.input.get(index).map_or("", String::as_str);
        let flow = self.flows.get(name).cloned();
        flow.ok_or_else(|| format!("input {name:?} does not come from the network's input"))
    }

    /// A weight, taken out so that a file cannot unfold by using one often.
    fn take(&mut self, node: &NodeProto, index: usize) -> Said<(Vec<usize>, Vec<f32>)> {
        let name = node.input.get(index).map_or("", String::as_str);
        let tensor = self.tensors.remove(name).ok_or_else(|| {
            format!("input {name:?} is no weight of the file, or is used a second time")
        })?;
        tensor.floats().map_err(|problem| format!("weight {name:?}: {problem}"))
    }

    fn ints(&self, node: &NodeProto, index: usize) -> Said<Vec<i64>> {
        let name = node.input.get(index).map_or("", String::as_str);
        let tensor = self.tensors.get(name);
        let tensor = tensor.ok_or_else(|| format!("input {name:?} is no constant of the file"))?;
        if tensor.dims.iter().any(|&size| size > 8) {
            return Err(format!("constant {name:?} is too large for axes"));
        }
        tensor.clone().ints().map(|(_, ints)| ints).map_err(|p| format!("constant {name:?}: {p}"))
    }

    fn directions(&self) -> usize {
        match self.layers.last() {
            Some(layer) if layer.direction == Direction::Both => 2,
            _ => 1,
        }
    }

    /// The embedding, or the state at the last step read.
    fn gather(&mut self, node: &NodeProto) -> Said<Flow> {
        if let Ok(flow) = self.flow(node, 0) {
            let at = flow.at(int(node, "axis", 0))?;
            let index = self.ints(node, 1)?;
            let last = match self.layers.last().map(|layer| layer.direction) {
                Some(Direction::Forward) => -1,
                Some(Direction::Reverse) => 0,
                _ => return Err("one step of two directions is not the end of both".to_owned()),
            };
            let Place::States(layer) = flow.place else {
                return Err("one step of something that is no layer's states".to_owned());
            };
            if flow.axes[at] != Axis::Step || index != [last] {
                return Err(format!("index {index:?}; expected the last step read, {last}"));
            }
            return Ok(Flow { place: Place::End(layer), ..flow.without(at) });
        }
        let flow = self.flow(node, 1)?;
        if flow.place != Place::Symbols || int(node, "axis", 0) != 0 || self.reads.is_some() {
            return Err("expected an embedding of the input's symbols".to_owned());
        }
        let (dims, values) = self.take(node, 0)?;
        let [count, embedding] = dims[..] else {
            return Err(format!("an embedding of shape {dims:?}; expected [symbols, values]"));
        };
        self.reads = Some(Reads::Symbols { count, embedding });
        self.embedding = values;
        let axes = [&flow.axes[..], &[Axis::Value]].concat();
        Ok(Flow { place: Place::Read, axes, every_step: false })
    }

    fn squeeze(&self, node: &NodeProto) -> Said<Flow> {
        let flow = self.flow(node, 0)?;
        let axes = match attribute(node, "axes") {
            Some(entry) => entry.ints.clone(),
            None => self.ints(node, 1)?,
        };
        let [axis] = axes[..] else { return Err(format!("axes {axes:?}; expected one")) };
        let at = flow.at(axis)?;
        match flow.axes[at] == Axis::Direction && self.directions() == 1 {
            true => Ok(flow.without(at)),
            false => Err("only the axis of a single direction can be left out".to_owned()),
        }
    }

    fn reduce(&self, node: &NodeProto, place: Place) -> Said<Flow> {
        let flow = self.flow(node, 0)?;
        let axes = match attribute(node, "axes") {
            Some(entry) => entry.ints.clone(),
            None => self.ints(node, 1)?,
        };
        let [axis] = axes[..] else {
            return Err(format!("axes {axes:?}; expected that of the steps"));
        };
        let at = flow.at(axis)?;
        let whole = flow.place == Place::States(self.layers.len().wrapping_sub(1));
        if flow.axes[at] != Axis::Step || int(node, "keepdims", 1) != 0 || !whole {
            return Err(
                "expected the last layer's states over all steps, and keepdims 0".to_owned()
            );
        }
        Ok(Flow { place, ..flow.without(at) })
    }

    fn recurrent(&mut self, node: &NodeProto, operator: &str) -> Said<()> {
        let flow = self.flow(node, 0)?;
        let below = match self.layers.len() {
            0 => Place::Read,
            layers => Place::States(layers - 1),
        };
        if flow.place != below || flow.axes != [Axis::Step, Axis::Batch, Axis::Value] {
            return Err(
                "expected what is read, or the layer below, as [steps, batch, values]".to_owned()
            );
        }
        if self.layers.len() == MAX_LAYERS {
            return Err(format!("more than {MAX_LAYERS} layers"));
        }
        if node.input.len() > 4 && node.input[4..].iter().any(|name| !name.is_empty()) {
            return Err("lengths of its own, first states and peepholes are not known here; expected four inputs, \
                        X, W, R and B"
                .to_owned());
        }
        let layer = self.layer(node, operator)?;
        let index = self.layers.len();
        self.layers.push(layer);
        let states = [Axis::Step, Axis::Direction, Axis::Batch, Axis::Value];
        for (k, (place, axes)) in
            [(Place::States(index), &states[..]), (Place::End(index), &states[1..])]
                .iter()
                .enumerate()
        {
            if let Some(name) = node.output.get(k).filter(|name| !name.is_empty()) {
                self.flows.insert(name.clone(), Flow::new(*place, axes));
            }
        }
        Ok(())
    }

    fn layer(&mut self, node: &NodeProto, operator: &str) -> Said<LayerRead> {
        let (direction, directions) = match text(node, "direction")?.unwrap_or("forward") {
            "forward" => (Direction::Forward, 1),
            "reverse" => (Direction::Reverse, 1),
            "bidirectional" => (Direction::Both, 2),
            other => return Err(format!("direction {other:?} is not known")),
        };
        let cell = cell(node, operator, directions)?;
        let (w_dims, w) = self.take(node, 1)?;
        let (r_dims, r) = self.take(node, 2)?;
        let [d, rows, inputs] = w_dims[..] else {
            return Err(format!(
                "W has shape {w_dims:?}; expected [directions, gates · hidden, inputs]"
            ));
        };
        let hidden = rows / cell.gates();
        if d != directions
            || rows == 0
            || inputs == 0
            || rows % cell.gates() != 0
            || r_dims != [d, rows, hidden]
        {
            return Err(format!(
                "W {w_dims:?} and R {r_dims:?} are not those of {} gates in {directions} direction(s)",
                cell.gates()
            ));
        }
        if int(node, "hidden_size", hidden as i64) != hidden as i64 {
            return Err(format!("hidden_size is not the {hidden} of the weights"));
        }
        let b = match node.input.get(3).is_some_and(|name| !name.is_empty()) {
            false => vec![0.0; d * 2 * rows],
            true => {
                let (dims, b) = self.take(node, 3)?;
                if dims != [d, 2 * rows] {
                    return Err(format!("B has shape {dims:?}; expected {:?}", [d, 2 * rows]));
                }
                b
            }
        };
        Ok(LayerRead { cell, direction, hidden, inputs, w, r, b })
    }

    fn gemm(&mut self, node: &NodeProto) -> Said<Flow> {
        let flow = self.flow(node, 0)?;
        let float = |name: &str| attribute(node, name).and_then(|entry| entry.f).unwrap_or(1.0);
        if float("alpha") != 1.0 || float("beta") != 1.0 || int(node, "transA", 0) != 0 {
            return Err("expected alpha 1, beta 1 and transA 0".to_owned());
        }
        let (readout, flow) = self.readout(flow)?;
        if flow.axes != [Axis::Batch, Axis::Value] {
            return Err("expected features as [batch, values]".to_owned());
        }
        let (dims, mut weight) = self.take(node, 1)?;
        let [mut outputs, mut features] = dims[..] else {
            return Err(format!("a matrix of shape {dims:?}"));
        };
        if int(node, "transB", 0) == 0 {
            (outputs, features) = (features, outputs);
            weight = transposed(&weight, features, outputs);
        }
        let bias = match node.input.get(2).is_some_and(|name| !name.is_empty()) {
            true => self.take(node, 2)?.1,
            false => vec![0.0; outputs],
        };
        if bias.len() != outputs {
            return Err(format!("{} values of bias for {outputs} outputs", bias.len()));
        }
        self.head = Some(HeadRead { weight, bias, features, readout });
        Ok(Flow { place: Place::Logits, ..flow })
    }

    fn product(&mut self, node: &NodeProto) -> Said<Flow> {
        let flow = self.flow(node, 0)?;
        let (readout, flow) = self.readout(flow)?;
        let fits = match readout {
            Readout::EveryStep => flow.axes == [Axis::Batch, Axis::Step, Axis::Value],
            _ => flow.axes == [Axis::Batch, Axis::Value],
        };
        let (dims, weight) = self.take(node, 1)?;
        let [features, outputs] = dims[..] else {
            return Err(format!("a matrix of shape {dims:?}"));
        };
        if !fits {
            return Err("expected features as [batch, values] or [batch, steps, values]".to_owned());
        }
        let weight = transposed(&weight, features, outputs);
        self.head = Some(HeadRead { weight, bias: vec![0.0; outputs], features, readout });
        Ok(Flow { place: Place::Product, ..flow })
    }

    fn bias(&mut self, node: &NodeProto) -> Said<Flow> {
        let index = usize::from(self.flow(node, 0).is_err());
        let flow = self.flow(node, index)?;
        let (_, bias) = self.take(node, 1 - index)?;
        match &mut self.head {
            Some(head) if flow.place == Place::Product && head.bias.len() == bias.len() => {
                head.bias = bias;
                Ok(Flow { place: Place::Logits, ..flow })
            }
            _ => Err("expected the bias of the last matrix product".to_owned()),
        }
    }

    /// What the head reads.
    fn readout(&self, flow: Flow) -> Said<(Readout, Flow)> {
        let top = self.layers.len().wrapping_sub(1);
        let readout = match flow.place {
            Place::End(layer) if layer == top => Readout::Last,
            Place::Mean => Readout::Mean,
            Place::Max => Readout::Max,
            Place::States(layer) if layer == top => Readout::EveryStep,
            _ => return Err("expected features of the last layer".to_owned()),
        };
        match self.head.is_some() {
            true => Err("a second matrix after the layers".to_owned()),
            false => Ok((readout, flow)),
        }
    }

    fn network(self, file_bytes: usize) -> Result<Network> {
        let answered =
            self.answer.is_some_and(|flow| matches!(flow.place, Place::Logits | Place::Product));
        let (Some(first), Some(head), Some(reads), true) =
            (self.layers.first(), &self.head, self.reads, answered)
        else {
            return refuse(
                "no chain from the input through a recurrent layer and a matrix to the output"
                    .to_owned(),
            );
        };
        let architecture = Architecture {
            reads,
            cell: first.cell,
            hidden: first.hidden,
            layers: self.layers.len(),
            direction: first.direction,
            readout: head.readout,
            outputs: head.bias.len(),
        };
        architecture.check().or_else(|error| refuse(error.to_string()))?;
        let count = architecture.parameters().unwrap_or(usize::MAX);
        if count > MAX_SHARING * file_bytes {
            return refuse(format!("{count} parameters in a file of {file_bytes} bytes"));
        }
        for (k, layer) in self.layers.iter().enumerate() {
            let wanted = if k == 0 { architecture.inputs() } else { architecture.features() };
            let same = (layer.cell, layer.hidden, layer.direction)
                == (first.cell, first.hidden, first.direction);
            if !same || layer.inputs != wanted {
                return refuse(format!(
                    "layer {k} is not like the first, or does not read the {wanted} values of what is below it"
                ));
            }
        }
        if head.features != architecture.features() {
            return refuse(format!(
                "a head for {} values, not {}",
                head.features,
                architecture.features()
            ));
        }
        let mut network = Network::zeros(architecture)?;
        if !self.embedding.is_empty() {
            network.get_mut(EMBEDDING)?.copy_from_slice(&self.embedding);
        }
        self.layers.iter().enumerate().try_for_each(|(k, layer)| layer.copy(k, &mut network))?;
        network.get_mut(HEAD_WEIGHT)?.copy_from_slice(&head.weight);
        network.get_mut(HEAD_BIAS)?.copy_from_slice(&head.bias);
        Ok(network)
    }
}

impl LayerRead {
    fn copy(&self, index: usize, network: &mut Network) -> Result<()> {
        let suffixes: &[&str] = match self.direction {
            Direction::Forward => &[""],
            Direction::Reverse => &["_reverse"],
            Direction::Both => &["", "_reverse"],
        };
        let directions = suffixes.len();
        for (which, suffix) in suffixes.iter().enumerate() {
            let of = |values: &'_ [f32]| {
                let size = values.len() / directions;
                which * size..(which + 1) * size
            };
            let (bias_ih, bias_hh) = self.b[of(&self.b)].split_at(self.b.len() / directions / 2);
            for (name, values) in [
                ("weight_ih", &self.w[of(&self.w)]),
                ("weight_hh", &self.r[of(&self.r)]),
                ("bias_ih", bias_ih),
                ("bias_hh", bias_hh),
            ] {
                let out = network.get_mut(&format!("rnn.{name}_l{index}{suffix}"))?;
                from_onnx(self.cell, values, out);
            }
        }
        Ok(())
    }
}

/// The cell of a recurrent node, all its settings being what ours are.
fn cell(node: &NodeProto, operator: &str, directions: usize) -> Said<Cell> {
    const KNOWN: [&str; 7] = [
        "direction",
        "hidden_size",
        "activations",
        "linear_before_reset",
        "layout",
        "input_forget",
        "output_sequence",
    ];
    let name = |entry: &AttributeProto| entry.name.clone().unwrap_or_default();
    if let Some(entry) = node.attribute.iter().find(|e| !KNOWN.contains(&name(e).as_str())) {
        return Err(format!("attribute {:?} is not known here", name(entry)));
    }
    if int(node, "layout", 0) != 0 || int(node, "input_forget", 0) != 0 {
        return Err("expected layout 0 and input_forget 0".to_owned());
    }
    let activations = attribute(node, "activations").map_or(&[][..], |entry| &entry.strings);
    let all = |wanted: &[&str]| {
        activations.len() == wanted.len() * directions
            && activations.iter().zip(wanted.iter().cycle()).all(|(a, w)| a == w.as_bytes())
    };
    match operator {
        "RNN" if activations.is_empty() || all(&["Tanh"]) => Ok(Cell::Tanh),
        "RNN" if all(&["Relu"]) => Ok(Cell::Relu),
        "LSTM" if activations.is_empty() || all(&["Sigmoid", "Tanh", "Tanh"]) => Ok(Cell::Lstm),
        "GRU" if activations.is_empty() || all(&["Sigmoid", "Tanh"]) => {
            match int(node, "linear_before_reset", 0) {
                0 => {
                    Err("the reset gate before the matrix (linear_before_reset 0) is another cell"
                        .to_owned())
                }
                _ => Ok(Cell::Gru),
            }
        }
        _ => Err("these activations are those of another cell".to_owned()),
    }
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|entry| entry.name.as_deref() == Some(name))
}

fn int(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute(node, name).and_then(|entry| entry.i).unwrap_or(default)
}

fn text<'a>(node: &'a NodeProto, name: &str) -> Said<Option<&'a str>> {
    let bytes = attribute(node, name).and_then(|entry| entry.s.as_deref());
    bytes.map(|b| std::str::from_utf8(b).map_err(|_| format!("{name} is no text"))).transpose()
}

fn output(node: &NodeProto, index: usize) -> Said<String> {
    let name = node.output.get(index).filter(|name| !name.is_empty());
    name.cloned().ok_or_else(|| "it has no output".to_owned())
}

/// `[rows, columns]` to `[columns, rows]`.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..values.len()).map(|k| values[k % rows * columns + k / rows]).collect()
}
