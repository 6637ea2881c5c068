//! The file's graph as a whole: what it takes and gives, and in which order its nodes are read.

use super::{Call, Draft, Import, Kind, Names, Operand, Value, Weight};
use crate::onnx::fold::{self};
use crate::onnx::metadata::{self, Extra};
use crate::onnx::ops::reader;
use crate::onnx::proto::{
    GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, data_type,
};
use crate::onnx::report::{FileValue, Port, Report};
use crate::onnx::{MAX_SHARING, OLDEST_OPSET, UnsupportedOperator};
use crate::shape::infer;
use crate::{Error, Network, Node, NodeId, Op, Param, ParamId, Result};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::path::Path;

/// Reads a model. `file_bytes` is what the file's size allows for copies.
pub(crate) fn read(
    model: ModelProto,
    file_bytes: usize,
    folder: Option<&Path>,
) -> Result<(Network, Report)> {
    let opset = opset(&model)?;
    let report = Report::of(&model, opset);
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
        constants: HashMap::new(),
        also: HashMap::new(),
        budget: file_bytes.saturating_add(1 << 20),
        made: 0,
        signed: HashSet::new(),
        folder: folder.map(Path::to_owned),
        depth: 0,
        report,
        outdated: HashSet::new(),
    };
    import.take_initializers(std::mem::take(&mut graph.initializer))?;
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
pub(super) fn describe(node: &NodeProto) -> &str {
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
        if standard && (reader(operator).is_some() || fold::knows(operator)) {
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

/// How often each value is taken, in branches too.
fn count_uses(graph: &GraphProto) -> HashMap<String, usize> {
    let mut uses = HashMap::new();
    let results = graph.output.iter().filter_map(|output| output.name.as_ref());
    let mut take = |name: &str| *uses.entry(name.to_owned()).or_default() += 1;
    for node in &graph.node {
        node.input.iter().filter(|name| !name.is_empty()).for_each(|name| take(name));
        captured(node).into_iter().for_each(&mut take);
    }
    results.for_each(|name| take(name));
    uses
}

/// The values that a node's branches take, those that they make themselves too.
fn captured(node: &NodeProto) -> Vec<&str> {
    let graphs = node.attribute.iter().filter_map(|attribute| attribute.g.as_deref());
    let mut names = Vec::new();
    for graph in graphs {
        for inner in &graph.node {
            names.extend(inner.input.iter().map(String::as_str).filter(|name| !name.is_empty()));
            names.extend(captured(inner));
        }
        names.extend(graph.output.iter().filter_map(|output| output.name.as_deref()));
    }
    names
}

/// Indices of the nodes so that each comes after those whose outputs it takes; the file's own order
/// where that does.
pub(super) fn order(nodes: &[NodeProto], known: &HashMap<String, Value>) -> Result<Vec<usize>> {
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
        for &producer in captured(node).iter().filter_map(|name| producers.get(name)) {
            waiting[index] += 1;
            followers[producer].push(index);
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
    pub(super) fn take_initializers(&mut self, tensors: Vec<TensorProto>) -> Result<()> {
        for proto in tensors {
            let name = proto.name.clone().unwrap_or_default();
            let tensor = self
                .tensor(proto, &name)
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
        self.report.inputs = open.iter().map(|input| Port::new(input)).collect();
        self.names.choose(&name);
        let operand = Operand { node: NodeId(0), batch: Some(0), kind: Kind::Real };
        self.values.insert(name.clone(), Value::Node(operand));
        let value = name.clone();
        let (inputs, params, holds) = (vec![], vec![], Kind::Real);
        self.drafts.push(Draft { name, value, op, inputs, params, shape, holds });
        Ok(())
    }

    pub(super) fn read_node(&mut self, node: &NodeProto) -> Result<()> {
        let call = Call::new(node);
        let operator = node.op_type.as_deref().unwrap_or_default();
        let before = self.drafts.len();
        let known = fold::knows(operator) && self.all_known(&call);
        let done = match reader(operator) {
            _ if known => fold::evaluate(self, &call, operator),
            Some(read) => self.check_outputs(&call, operator).and_then(|()| read(self, &call)),
            None if fold::knows(operator) => {
                Err("is supported only where all its inputs are constants".into())
            }
            None => return refuse_unsupported(std::slice::from_ref(node), self.opset),
        };
        done.and_then(|()| call.attributes.finish()).map_err(|text| node_error(node, text))?;
        self.note(operator, call.output(), before);
        Ok(())
    }

    /// What has become of a node of the file: `before` is how many nodes of ours there were.
    fn note(&mut self, operator: &str, output: &str, before: usize) {
        let count = |list: &mut BTreeMap<String, usize>| {
            *list.entry(operator.to_owned()).or_default() += 1;
        };
        count(&mut self.report.operators);
        match self.values.get(output) {
            _ if operator == "If" => {} // its branch's nodes are counted themselves
            Some(Value::Constant(_)) => count(&mut self.report.worked_out),
            _ if self.drafts.len() == before => count(&mut self.report.merged),
            _ => {}
        }
    }

    /// Most operators have one result here: the indices of a `MaxPool`, say, are not computed.
    fn check_outputs(&self, call: &Call<'_>, operator: &str) -> Result<(), String> {
        let mut more = call.proto.output.iter().skip(1);
        match more.find(|output| self.uses.contains_key(*output)) {
            Some(output) if !matches!(operator, "Split" | "If") => Err(format!(
                "its output {output:?} is used, but only the first output is supported"
            )),
            _ => Ok(()),
        }
    }

    /// For each node, whether the network's input has a part in it.
    fn depend_on_input(&self) -> Vec<bool> {
        let mut depends = vec![false; self.drafts.len()];
        for (index, draft) in self.drafts.iter().enumerate() {
            depends[index] = matches!(draft.op, Op::Input { .. })
                || draft.inputs.iter().any(|input| depends[input.0]);
        }
        depends
    }

    fn outputs(&self, outputs: &[ValueInfoProto]) -> Result<Vec<NodeId>> {
        let mut seen = HashSet::new();
        let mut nodes = Vec::new();
        let depends = self.depend_on_input();
        for output in outputs {
            let name = output.name.as_deref().unwrap_or_default();
            match self.values.get(name) {
                Some(Value::Node(Operand { node, .. })) if depends[node.0] => {
                    if seen.insert(*node) {
                        nodes.push(*node);
                    } // else another name for the same
                }
                Some(_) => {
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
    ) -> Result<(Network, Report)> {
        let (drafts, now) = constants_late(std::mem::take(&mut self.drafts));
        let outputs = outputs.iter().map(|output| now[output.0]).collect();
        let values = self.values.iter().filter(|(name, _)| !self.outdated.contains(*name));
        let values = values.filter_map(|(name, value)| match *value {
            Value::Node(Operand { node, batch, .. }) => {
                Some(FileValue { name: name.clone(), node: now[node.0], batch })
            }
            Value::Constant(_) => None,
        });
        let mut report = Report { batch: self.batch, values: values.collect(), ..self.report };
        report.values.sort_by(|a, b| (a.node, &a.name).cmp(&(b.node, &b.name)));
        let mut params = Vec::new();
        let mut nodes = Vec::with_capacity(drafts.len());
        let mut left = file_bytes
            .saturating_mul(MAX_SHARING)
            .saturating_add(self.made)
            .saturating_add(1 << 20);
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
        Ok((Network::new(name, nodes, params, outputs, extra.metadata)?, report))
    }
}

/// Whether an operator gives nothing but numbers that it takes.
pub(super) fn is_mover(op: &Op) -> bool {
    matches!(
        op,
        Op::Reshape { .. }
            | Op::Flatten
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Concat
            | Op::ConcatAlong { .. }
            | Op::Expand { .. }
            | Op::Gather { .. }
            | Op::Dropout { .. }
    )
}

/// The nodes with each constant right before the first that takes it, wherever reading came upon it: so that
/// a network that is written and read again has its nodes in the same order. With where each one is now.
fn constants_late(drafts: Vec<Draft>) -> (Vec<Draft>, Vec<NodeId>) {
    let is_constant = |id: NodeId| matches!(drafts[id.0].op, Op::Constant { .. });
    let mut order: Vec<NodeId> = Vec::with_capacity(drafts.len());
    let mut placed = vec![false; drafts.len()];
    let mut place = |id: NodeId| {
        if !std::mem::replace(&mut placed[id.0], true) {
            order.push(id);
        }
    };
    for id in (0..drafts.len()).map(NodeId).filter(|&id| !is_constant(id)) {
        drafts[id.0]
            .inputs
            .iter()
            .copied()
            .filter(|&input| is_constant(input))
            .for_each(&mut place);
        place(id);
    }
    // Those that nothing takes are left out: their number has become a setting of another node.
    let mut now = vec![NodeId(0); drafts.len()];
    order.iter().enumerate().for_each(|(index, old)| now[old.0] = NodeId(index));
    let mut old: Vec<Option<Draft>> = drafts.into_iter().map(Some).collect();
    let moved = order.iter().map(|id| {
        let mut draft = old[id.0].take().expect("each is placed once");
        draft.inputs.iter_mut().for_each(|input| *input = now[input.0]);
        draft
    });
    (moved.collect(), now)
}

/// Batch size, where fixed, and shape of one sample.
fn input_shape(input: &ValueInfoProto) -> Result<(Option<usize>, Vec<usize>), String> {
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let tensor = tensor.ok_or("that is no tensor")?;
    let kind = tensor.elem_type.unwrap_or(0);
    if !data_type::is_float(kind) {
        return Err(format!(
            "of type {}; only FLOAT is supported. Export the model with a float input",
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
