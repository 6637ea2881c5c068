//! From a file's graph to a network: finds the input, the weights and an order, then reads node
//! after node with the functions in [`super::ops`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::attributes::Attributes;
use super::metadata::{self, Extra};
use super::ops::reader;
use super::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto, data_type};
use super::tensor::{Data, Tensor, type_name};
use super::{MAX_SHARING, OLDEST_OPSET, UnsupportedOperator};
use crate::shape::infer;
use crate::{Error, Network, Node, NodeId, Op, Param, ParamId, Result};

/// What a name in the file stands for.
#[derive(Clone)]
pub(crate) enum Value {
    /// The output of a node of ours.
    Node(NodeId),
    /// Numbers that are known without running anything.
    Constant(Rc<Tensor>),
}

impl Value {
    pub(crate) fn constant(tensor: Tensor) -> Self {
        Self::Constant(Rc::new(tensor))
    }
}

/// A parameter on its way into the network.
#[derive(Clone)]
pub(crate) struct Weight {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Arc<[f32]>,
    pub(crate) trainable: bool,
}

/// A node of the file as its reading function sees it.
pub(crate) struct Call<'a> {
    proto: &'a NodeProto,
    pub(crate) attributes: Attributes<'a>,
}

impl<'a> Call<'a> {
    fn new(proto: &'a NodeProto) -> Self {
        Self { proto, attributes: Attributes::new(&proto.attribute) }
    }

    /// Name of the first output's value.
    pub(crate) fn output(&self) -> &'a str {
        self.proto.output.first().map_or("", String::as_str)
    }

    /// Whether an optional input is there; an empty name means that it is not.
    pub(crate) fn has_input(&self, index: usize) -> bool {
        !self.input(index).is_empty()
    }

    /// Number of inputs, those left out at the end not counted.
    pub(crate) fn input_count(&self) -> usize {
        self.proto.input.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1)
    }

    fn input(&self, index: usize) -> &'a str {
        self.proto.input.get(index).map_or("", String::as_str)
    }
}

/// A network in the making.
pub(crate) struct Import {
    opset: i64,
    batch: Option<usize>,
    values: HashMap<String, Value>,
    /// How often a value is taken, by nodes or as an output of the graph.
    uses: HashMap<String, usize>,
    drafts: Vec<Draft>,
    names: Names,
    /// Numbers that may still be copied.
    budget: usize,
}

struct Draft {
    name: String,
    /// What the file calls the output.
    value: String,
    op: Op,
    inputs: Vec<NodeId>,
    params: Vec<Weight>,
    shape: Vec<usize>,
}

/// What the reading functions work with.
impl Import {
    /// Version of ONNX's own operators that the file uses.
    pub(crate) fn opset(&self) -> i64 {
        self.opset
    }

    /// The batch size that the model was exported with, where it was a fixed one.
    pub(crate) fn batch(&self) -> Option<usize> {
        self.batch
    }

    /// Shape of a node's output for one sample.
    pub(crate) fn shape(&self, node: NodeId) -> &[usize] {
        &self.drafts[node.0].shape
    }

    /// Operator of a node.
    pub(crate) fn op(&self, node: NodeId) -> &Op {
        &self.drafts[node.0].op
    }

    /// Number of parameters of a node.
    pub(crate) fn param_count(&self, node: NodeId) -> usize {
        self.drafts[node.0].params.len()
    }

    /// Whether nothing but this input takes what the node computes.
    pub(crate) fn is_only_use(&self, call: &Call<'_>, index: usize, node: NodeId) -> bool {
        let name = call.input(index);
        // Under another name, an Identity's, there may be uses of the first name that do not count.
        self.drafts[node.0].value == name && self.uses.get(name) == Some(&1)
    }

    /// What stands at an input.
    pub(crate) fn value(&self, call: &Call<'_>, index: usize) -> Result<Value, String> {
        let name = call.input(index);
        if name.is_empty() {
            return Err(format!("input {index} is missing"));
        }
        let value = self.values.get(name).cloned();
        value.ok_or_else(|| format!("input {index} takes {name:?}, which nothing produces"))
    }

    /// An input that is computed from the network's input.
    pub(crate) fn data(&self, call: &Call<'_>, index: usize) -> Result<NodeId, String> {
        match self.value(call, index)? {
            Value::Node(node) => Ok(node),
            Value::Constant(_) => Err(format!(
                "input {index} ({:?}) is a constant; expected what a layer computes",
                call.input(index)
            )),
        }
    }

    /// An input that is known without running anything.
    pub(crate) fn constant(&self, call: &Call<'_>, index: usize) -> Result<Rc<Tensor>, String> {
        match self.value(call, index)? {
            Value::Constant(tensor) => Ok(tensor),
            Value::Node(node) => Err(format!(
                "input {index} is computed by {:?}; only constants (weights in the file) are \
                 supported there",
                self.drafts[node.0].name
            )),
        }
    }

    /// A constant input of floats.
    pub(crate) fn weight(&self, call: &Call<'_>, index: usize) -> Result<Weight, String> {
        let tensor = self.constant(call, index)?;
        match &tensor.data {
            Data::Floats(values) => Ok(Weight {
                name: tensor.name.clone(),
                shape: tensor.dims.clone(),
                values: values.clone(),
                trainable: true,
            }),
            other => Err(format!(
                "weight {:?} is of type {}; only FLOAT (32 bits) is supported",
                tensor.name,
                type_name(other)
            )),
        }
    }

    /// A constant input of a few whole numbers: a shape or axes.
    pub(crate) fn ints(&self, call: &Call<'_>, index: usize) -> Result<Vec<i64>, String> {
        let tensor = self.constant(call, index)?;
        match &tensor.data {
            Data::Ints(ints) if ints.len() <= 16 => Ok(ints.to_vec()),
            other => Err(format!(
                "input {index} ({:?}) should be a list of whole numbers, one an axis; it is of type \
                 {} and shape {:?}",
                tensor.name,
                type_name(other),
                tensor.dims
            )),
        }
    }

    /// A constant that is added to every output of a layer, as a bias `[out]`; `None` where its
    /// shape does not stand for one number an output. `trailing` axes come after that of the outputs.
    pub(crate) fn per_output(
        &mut self,
        bias: Weight,
        out: usize,
        trailing: usize,
    ) -> Result<Option<Weight>, String> {
        let axis = bias.shape.len().checked_sub(trailing + 1);
        let elsewhere = bias.shape.iter().enumerate().filter(|&(index, _)| Some(index) != axis);
        if !elsewhere.into_iter().all(|(_, &size)| size == 1) {
            return Ok(None);
        }
        match bias.values[..] {
            [value] if out > 1 => {
                self.spend(out)?;
                Ok(Some(Weight { shape: vec![out], values: vec![value; out].into(), ..bias }))
            }
            _ if bias.values.len() == out => Ok(Some(Weight { shape: vec![out], ..bias })),
            _ => Ok(None),
        }
    }

    /// Accounts for numbers about to be copied, so that a small file cannot ask for much memory by
    /// using a weight over and over.
    pub(crate) fn spend(&mut self, numbers: usize) -> Result<(), String> {
        match self.budget.checked_sub(numbers) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => {
                Err("its graph uses the same weights so often that their copies would be many \
                         times as large as the file"
                    .into())
            }
        }
    }

    /// Adds a node and binds the call's output to it.
    pub(crate) fn emit(
        &mut self,
        call: &Call<'_>,
        op: Op,
        inputs: Vec<NodeId>,
        params: Vec<Weight>,
    ) -> Result<(), String> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|&input| self.shape(input)).collect();
        let weights: Vec<&[usize]> = params.iter().map(|weight| &weight.shape[..]).collect();
        let shape = infer(&op, &shapes, &weights)?;
        let wanted = match call.proto.name.as_deref().unwrap_or_default() {
            "" => call.output(),
            name if self.names.is_taken(name) => call.output(),
            name => name,
        };
        let name = self.names.choose(wanted);
        let id = NodeId(self.drafts.len());
        let value = call.output().to_owned();
        self.drafts.push(Draft { name, value, op, inputs, params, shape });
        self.bind(call, Value::Node(id));
        Ok(())
    }

    /// Says what the call's output is.
    pub(crate) fn bind(&mut self, call: &Call<'_>, value: Value) {
        self.values.insert(call.output().to_owned(), value);
    }

    /// Gives a layer that has none a bias.
    pub(crate) fn add_bias(&mut self, layer: NodeId, bias: Weight) {
        self.drafts[layer.0].params.push(bias);
    }
}

/// Reads a model. `file_bytes` is what the file's size allows for copies.
pub(crate) fn read(model: ModelProto, file_bytes: usize) -> Result<Network> {
    let opset = opset(&model)?;
    let mut graph = model.graph.ok_or_else(|| problem("has no graph"))?;
    if !graph.sparse_initializer.is_empty() {
        return Err(problem("has sparse weights, which are not supported"));
    }
    refuse_unsupported(&graph.node, opset)?;
    let mut import = Import {
        opset,
        batch: None,
        values: HashMap::new(),
        uses: count_uses(&graph),
        drafts: Vec::new(),
        names: Names::default(),
        budget: file_bytes.saturating_add(1 << 20),
    };
    import.take_initializers(&mut graph)?;
    import.take_input(&graph.input)?;
    for index in order(&graph.node, &import.values)? {
        import.read_node(&graph.node[index])?;
    }
    let outputs = import.outputs(&graph.output)?;
    let extra = metadata::read(&model.metadata_props, &import.drafts[0].shape)
        .map_err(|problem| Error::Model { problem })?;
    let name = graph.name.unwrap_or_else(|| "network".into());
    import.finish(name, outputs, extra, file_bytes)
}

fn problem(text: impl Into<String>) -> Error {
    Error::Model { problem: text.into() }
}

fn node_error(node: &NodeProto, text: String) -> Error {
    Error::ModelNode {
        node: describe(node).to_owned(),
        operator: node.op_type.clone().unwrap_or_default(),
        problem: text,
    }
}

/// What a node is called in messages: its name, or that of its output.
fn describe(node: &NodeProto) -> &str {
    match node.name.as_deref() {
        Some(name) if !name.is_empty() => name,
        _ => node.output.first().map_or("", String::as_str),
    }
}

fn is_standard(domain: Option<&str>) -> bool {
    matches!(domain.unwrap_or_default(), "" | "ai.onnx")
}

fn opset(model: &ModelProto) -> Result<i64> {
    let standard = model.opset_import.iter().filter(|set| is_standard(set.domain.as_deref()));
    match standard.filter_map(|set| set.version).max() {
        None => Err(problem("names no version of ONNX's operator set")),
        Some(version) if version < OLDEST_OPSET => Err(problem(format!(
            "uses operator set {version}; {OLDEST_OPSET} or newer is supported. Convert it, in \
             Python with onnx.version_converter.convert_version(model, 13)"
        ))),
        Some(version) => Ok(version),
    }
}

/// Lists everything that is missing at once, not the first thing only.
fn refuse_unsupported(nodes: &[NodeProto], opset: i64) -> Result<()> {
    let mut missing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in nodes {
        let operator = node.op_type.as_deref().unwrap_or_default();
        let standard = is_standard(node.domain.as_deref());
        if standard && reader(operator).is_some() {
            continue;
        }
        let name = match node.domain.as_deref() {
            Some(domain) if !standard => format!("{domain}.{operator}"),
            _ => operator.to_owned(),
        };
        missing.entry(name).or_default().push(describe(node).to_owned());
    }
    if missing.is_empty() {
        return Ok(());
    }
    let operators =
        missing.into_iter().map(|(operator, nodes)| UnsupportedOperator { operator, nodes });
    Err(Error::UnsupportedOperators { opset, operators: operators.collect() })
}

fn count_uses(graph: &GraphProto) -> HashMap<String, usize> {
    let mut uses = HashMap::new();
    let taken = graph.node.iter().flat_map(|node| &node.input);
    let results = graph.output.iter().filter_map(|output| output.name.as_ref());
    for name in taken.chain(results).filter(|name| !name.is_empty()) {
        *uses.entry(name.clone()).or_default() += 1;
    }
    uses
}

/// Indices of the nodes so that each comes after those whose outputs it takes; the file's own order
/// where that does.
fn order(nodes: &[NodeProto], known: &HashMap<String, Value>) -> Result<Vec<usize>> {
    let mut producers: HashMap<&str, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        if node.output.first().is_none_or(String::is_empty) {
            return Err(node_error(node, "has no output".into()));
        }
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if known.contains_key(output) || producers.insert(output, index).is_some() {
                return Err(node_error(node, format!("{output:?} is produced twice")));
            }
        }
    }
    let mut waiting = vec![0_usize; nodes.len()];
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        for input in node.input.iter().filter(|input| !input.is_empty()) {
            match producers.get(input.as_str()) {
                Some(&producer) => {
                    waiting[index] += 1;
                    followers[producer].push(index);
                }
                None if known.contains_key(input) => {}
                None => {
                    return Err(node_error(
                        node,
                        format!(
                            "takes {input:?}, which is neither a weight in the file nor the output \
                             of a node"
                        ),
                    ));
                }
            }
        }
    }
    let free = (0..nodes.len()).filter(|&index| waiting[index] == 0).map(Reverse);
    let mut free: BinaryHeap<Reverse<usize>> = free.collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse(index)) = free.pop() {
        order.push(index);
        for &follower in &followers[index] {
            waiting[follower] -= 1;
            if waiting[follower] == 0 {
                free.push(Reverse(follower));
            }
        }
    }
    match waiting.iter().position(|&count| count > 0) {
        None => Ok(order),
        Some(index) => Err(node_error(
            &nodes[index],
            "waits for its own output: the graph has a cycle at or before this node".into(),
        )),
    }
}

/// The steps of [`read`].
impl Import {
    fn take_initializers(&mut self, graph: &mut GraphProto) -> Result<()> {
        for proto in std::mem::take(&mut graph.initializer) {
            let name = proto.name.clone().unwrap_or_default();
            let tensor = Tensor::read(proto, &name)
                .map_err(|text| problem(format!("cannot use weight {name:?}: {text}")))?;
            if self.values.insert(name.clone(), Value::constant(tensor)).is_some() {
                return Err(problem(format!("has two weights named {name:?}")));
            }
        }
        Ok(())
    }

    /// Older files list the weights among the inputs.
    fn take_input(&mut self, inputs: &[ValueInfoProto]) -> Result<()> {
        let name = |input: &ValueInfoProto| input.name.clone().unwrap_or_default();
        let open: Vec<&ValueInfoProto> =
            inputs.iter().filter(|input| !self.values.contains_key(&name(input))).collect();
        let &[input] = &open[..] else {
            let names: Vec<String> = open.iter().take(8).map(|input| name(input)).collect();
            return Err(problem(format!(
                "has {} inputs without values {names:?}; expected exactly one, the image (a missing \
                 weight shows up here too)",
                open.len()
            )));
        };
        let name = name(input);
        let (batch, shape) =
            input_shape(input).map_err(|text| problem(format!("has an input {name:?} {text}")))?;
        let op = Op::Input { shape: shape.clone() };
        infer(&op, &[], &[]).map_err(|text| problem(format!("has an input {name:?}: {text}")))?;
        self.batch = batch;
        self.names.choose(&name);
        self.values.insert(name.clone(), Value::Node(NodeId(0)));
        let value = name.clone();
        self.drafts.push(Draft { name, value, op, inputs: vec![], params: vec![], shape });
        Ok(())
    }

    fn read_node(&mut self, node: &NodeProto) -> Result<()> {
        let call = Call::new(node);
        let operator = node.op_type.as_deref().unwrap_or_default();
        let Some(read) = reader(operator) else {
            return refuse_unsupported(std::slice::from_ref(node), self.opset);
        };
        let more = node.output.iter().skip(1).find(|output| self.uses.contains_key(*output));
        let done = match more {
            Some(output) => Err(format!(
                "its output {output:?} is used, but only the first output is supported"
            )),
            None => read(self, &call).and_then(|()| call.attributes.finish()),
        };
        done.map_err(|text| node_error(node, text))
    }

    fn outputs(&self, outputs: &[ValueInfoProto]) -> Result<Vec<NodeId>> {
        let mut seen = HashSet::new();
        let mut nodes = Vec::new();
        for output in outputs {
            let name = output.name.as_deref().unwrap_or_default();
            match self.values.get(name) {
                Some(Value::Node(node)) if seen.insert(*node) => nodes.push(*node),
                Some(Value::Node(_)) => {} // another name for the same
                Some(Value::Constant(_)) => {
                    return Err(problem(format!("has an output {name:?} that is a constant")));
                }
                None => {
                    return Err(problem(format!("has an output {name:?} that nothing produces")));
                }
            }
        }
        Ok(nodes)
    }

    fn finish(
        mut self,
        name: String,
        outputs: Vec<NodeId>,
        extra: Extra,
        file_bytes: usize,
    ) -> Result<Network> {
        let drafts = std::mem::take(&mut self.drafts);
        let mut params = Vec::new();
        let mut nodes = Vec::with_capacity(drafts.len());
        let mut left = file_bytes.saturating_mul(MAX_SHARING).saturating_add(1 << 20);
        for draft in drafts {
            let first = params.len();
            for weight in draft.params {
                left = left.checked_sub(weight.values.len()).ok_or_else(|| {
                    problem(
                        "uses the same weights so often that the network would be many times \
                             as large as the file",
                    )
                })?;
                let name = self.names.choose(&weight.name);
                let trainable = weight.trainable && !extra.frozen.contains(&name);
                let Weight { shape, values, .. } = weight;
                params.push(Param { name, shape, values, trainable });
            }
            nodes.push(Node {
                name: draft.name,
                op: draft.op,
                inputs: draft.inputs,
                params: (first..params.len()).map(ParamId).collect(),
            });
        }
        Network::new(name, nodes, params, outputs, extra.metadata)
    }
}

/// Batch size, where fixed, and shape of one sample.
fn input_shape(input: &ValueInfoProto) -> Result<(Option<usize>, Vec<usize>), String> {
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let tensor = tensor.ok_or("that is no tensor")?;
    let kind = tensor.elem_type.unwrap_or(0);
    if kind != data_type::FLOAT {
        return Err(format!(
            "of type {}; only FLOAT (32 bits) is supported. Export the model with a float input",
            data_type::name(kind)
        ));
    }
    let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim[..]);
    if dims.len() < 2 {
        return Err(format!(
            "of {} axes; expected [batch, channels, height, width] or [batch, features]",
            dims.len()
        ));
    }
    let size = |value: Option<i64>| value.and_then(|size| usize::try_from(size).ok());
    let mut shape = Vec::new();
    for (axis, dim) in dims.iter().enumerate().skip(1) {
        match size(dim.dim_value) {
            Some(size) if size > 0 => shape.push(size),
            _ => {
                let found = match (&dim.dim_param, dim.dim_value) {
                    (Some(name), _) => format!("{name:?}"),
                    (None, Some(value)) => value.to_string(),
                    (None, None) => "not given".into(),
                };
                return Err(format!(
                    "whose size along axis {axis} is {found}; only the batch (axis 0) may be open. \
                     Export the model with a fixed image size"
                ));
            }
        }
    }
    Ok((size(dims[0].dim_value).filter(|&batch| batch > 0), shape))
}

/// Unique names for nodes and parameters.
#[derive(Default)]
struct Names {
    /// Each name with the number that its next double gets.
    taken: HashMap<String, usize>,
}

impl Names {
    fn is_taken(&self, name: &str) -> bool {
        self.taken.contains_key(name)
    }

    /// The wanted name, or with a number after it where it is taken.
    fn choose(&mut self, wanted: &str) -> String {
        let wanted = if wanted.is_empty() { "unnamed" } else { wanted };
        let mut name = wanted.to_owned();
        while self.taken.contains_key(&name) {
            let number = self.taken.get_mut(wanted).map_or(2, |next| {
                *next += 1;
                *next
            });
            name = format!("{wanted}_{number}");
        }
        self.taken.insert(name.clone(), 1);
        name
    }
}
