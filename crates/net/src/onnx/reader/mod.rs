//! From a file's graph to a network: finds the input, the weights and an order, then reads node
//! after node with the functions in [`super::ops`].

mod graph;
mod names;

use crate::onnx::attributes::Attributes;
use crate::onnx::fold::clamp_axis;
use crate::onnx::proto::{GraphProto, NodeProto, TensorProto, data_type};
use crate::onnx::report::Report;
use crate::onnx::tensor::{Data, Tensor, type_name};
use crate::onnx::{MAX_MADE, MAX_NODES};
use crate::shape::infer;
use crate::{Binary, Error, NodeId, Op, Result, Unary};
use graph::{describe, is_mover, order};
use names::Names;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

pub(crate) use graph::read;

/// What a name in the file stands for.
#[derive(Clone)]
pub(crate) enum Value {
    /// The output of a node of ours.
    Node(Operand),
    /// Numbers that are known without running anything.
    Constant(Rc<Tensor>),
}

/// A node of ours as the file sees it.
///
/// The file's graph is read as what it computes for one sample: where it says "batch", there is a size
/// of 1. A node of ours has no batch axis, so it is remembered where the file has it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Operand {
    pub(crate) node: NodeId,
    /// The axis that is the batch in the file; `None` where a reshape has made it part of another.
    pub(crate) batch: Option<usize>,
    /// What type the file gives it.
    pub(crate) kind: Kind,
}

/// What numbers are, in the file or in fact. Whatever holds of one holds of those before it.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// Any numbers: a type of floats.
    Real,
    /// Whole numbers.
    Whole,
    /// 0 and 1: a condition.
    Truth,
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

    /// ONNX's name of the operator.
    pub(crate) fn operator(&self) -> &'a str {
        self.proto.op_type.as_deref().unwrap_or_default()
    }

    /// Number of outputs, those left out at the end not counted.
    pub(crate) fn output_count(&self) -> usize {
        self.proto.output.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1)
    }

    /// Name of the value at an input, empty where there is none.
    pub(crate) fn input(&self, index: usize) -> &'a str {
        self.proto.input.get(index).map_or("", String::as_str)
    }

    /// The graph in an attribute.
    pub(crate) fn graph(&self, name: &str) -> Option<&'a GraphProto> {
        self.attributes.graph(name)
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
    /// Constants that have become nodes, by name and shape.
    constants: HashMap<(String, Vec<usize>), NodeId>,
    /// Constants that are other ones under another type, and those.
    also: HashMap<String, String>,
    /// Numbers that may still be copied.
    budget: usize,
    /// Numbers that operators have made while reading.
    made: usize,
    /// Names of the constants of type INT8.
    signed: HashSet<String>,
    /// Where weights in files of their own may lie.
    folder: Option<PathBuf>,
    /// How many branches deep the present node lies.
    depth: usize,
    /// What becomes of the file's nodes.
    report: Report,
    /// Values that a node computed until something was added to it.
    outdated: HashSet<String>,
}

struct Draft {
    name: String,
    /// What the file calls the output.
    value: String,
    op: Op,
    inputs: Vec<NodeId>,
    params: Vec<Weight>,
    shape: Vec<usize>,
    /// What its numbers are in fact.
    holds: Kind,
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

    /// The number of a node that is a constant of one.
    pub(crate) fn single(&self, node: NodeId) -> Option<f32> {
        let draft = &self.drafts[node.0];
        match (&draft.op, draft.params.first()) {
            (Op::Constant { .. }, Some(weight)) if weight.values.len() == 1 => {
                Some(weight.values[0])
            }
            _ => None,
        }
    }

    fn is_constant(&self, node: NodeId) -> bool {
        matches!(self.op(node), Op::Constant { .. })
    }

    /// What a node's numbers are in fact, whatever type the file gives them.
    pub(crate) fn holds(&self, node: NodeId) -> Kind {
        self.drafts[node.0].holds
    }

    /// What type the file gives an input. A constant of whole numbers goes with anything.
    pub(crate) fn kind(&self, call: &Call<'_>, index: usize) -> Kind {
        match self.values.get(call.input(index)) {
            Some(Value::Node(operand)) => operand.kind,
            Some(Value::Constant(tensor)) if matches!(tensor.data, Data::Ints(_)) => Kind::Truth,
            _ => Kind::Real,
        }
    }

    /// What type the file gives the result of an operator.
    fn kind_of(&self, call: &Call<'_>, op: &Op) -> Kind {
        let first = match op {
            Op::Unary(unary) if unary.is_condition() => return Kind::Truth,
            Op::Binary(binary) if binary.is_condition() => return Kind::Truth,
            Op::ArgMax { .. } | Op::Unary(Unary::Truncate) => return Kind::Whole,
            Op::Where => 1,
            _ => 0,
        };
        let given = (first..call.input_count()).filter(|&index| call.has_input(index));
        let least = given.map(|index| self.kind(call, index)).min().unwrap_or(Kind::Real);
        // A sum of conditions is none.
        if is_mover(op) || matches!(op, Op::Where) { least } else { least.min(Kind::Whole) }
    }

    /// What the numbers of an operator's result are in fact.
    fn result_holds(&self, op: &Op, inputs: &[NodeId], params: &[Weight]) -> Kind {
        let of = |inputs: &[NodeId]| {
            inputs.iter().map(|input| self.drafts[input.0].holds).min().unwrap_or(Kind::Real)
        };
        let whole = |number: f32| if number.fract() == 0.0 { Kind::Whole } else { Kind::Real };
        match op {
            Op::Unary(unary) if unary.is_condition() => Kind::Truth,
            Op::Binary(binary) if binary.is_condition() => Kind::Truth,
            Op::ArgMax { .. }
            | Op::Unary(
                Unary::Floor | Unary::Ceil | Unary::Round | Unary::Truncate | Unary::Sign,
            ) => Kind::Whole,
            Op::Constant { .. } => {
                let kind = |&value: &f32| match value {
                    0.0 | 1.0 => Kind::Truth,
                    value => whole(value),
                };
                params[0].values.iter().map(kind).min().unwrap_or(Kind::Real)
            }
            Op::Where => of(&inputs[1..]),
            Op::Binary(Binary::Min | Binary::Max) => of(inputs),
            Op::Add | Op::Binary(Binary::Add | Binary::Sub | Binary::Mul) => {
                of(inputs).min(Kind::Whole)
            }
            Op::Unary(Unary::Scale { factor: by } | Unary::Shift { by }) => {
                of(inputs).min(whole(*by))
            }
            _ if is_mover(op) => of(inputs),
            _ => Kind::Real,
        }
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

    /// A tensor of the file.
    pub(crate) fn tensor(&mut self, proto: TensorProto, name: &str) -> Result<Tensor, String> {
        if proto.data_type == Some(data_type::INT8) {
            self.signed.insert(name.to_owned());
        }
        Tensor::read(proto, name, self.folder.as_deref())
    }

    /// Whether a constant input is of type INT8, and not UINT8.
    pub(crate) fn is_signed(&self, call: &Call<'_>, index: usize) -> bool {
        self.constant(call, index).is_ok_and(|tensor| self.signed.contains(&tensor.name))
    }

    /// The file's sizes of a node's output, for one sample.
    pub(crate) fn dims(&self, operand: Operand) -> Vec<usize> {
        let mut dims = self.shape(operand.node).to_vec();
        if let Some(axis) = operand.batch {
            dims.insert(axis.min(dims.len()), 1);
        }
        dims
    }

    /// The axis of a sample that an axis of the file is; negative ones count from the end.
    pub(crate) fn sample_axis(&self, operand: Operand, axis: i64) -> Result<usize, String> {
        let rank = self.dims(operand).len();
        let axis = clamp_axis(axis, rank)?;
        match operand.batch {
            Some(batch) if axis == batch => Err(format!(
                "it works along axis {axis}, the batch; samples must not depend on each other"
            )),
            Some(batch) if axis > batch => Ok(axis - 1),
            _ => Ok(axis),
        }
    }

    /// Whether all inputs that are there are known without running anything.
    fn all_known(&self, call: &Call<'_>) -> bool {
        let mut names = call.proto.input.iter().filter(|name| !name.is_empty());
        call.input_count() > 0
            && names.all(|name| matches!(self.values.get(name), Some(Value::Constant(_))))
    }

    /// All inputs as constants; `None` where one is left out.
    pub(crate) fn constants(&self, call: &Call<'_>) -> Result<Vec<Option<Rc<Tensor>>>, String> {
        let one = |index: usize| match call.has_input(index) {
            true => self.constant(call, index).map(Some),
            false => Ok(None),
        };
        (0..call.input_count()).map(one).collect()
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
    pub(crate) fn operand(&self, call: &Call<'_>, index: usize) -> Result<Operand, String> {
        match self.value(call, index)? {
            Value::Node(operand) => Ok(operand),
            Value::Constant(_) => Err(format!(
                "input {index} ({:?}) is a constant; expected what a layer computes",
                call.input(index)
            )),
        }
    }

    /// An input that is computed from the network's input, with the batch in front.
    pub(crate) fn data(&mut self, call: &Call<'_>, index: usize) -> Result<NodeId, String> {
        let operand = self.operand(call, index)?;
        if operand.batch == Some(0) {
            return Ok(operand.node);
        }
        let dims = self.dims(operand);
        match dims.split_first() {
            Some((1, rest)) if !rest.is_empty() => self.reshaped(call, operand.node, rest.to_vec()),
            _ => Err(format!("input {index} has sizes {dims:?}; expected the batch in front")),
        }
    }

    /// The node under another shape, through a reshape where it has another.
    pub(crate) fn reshaped(
        &mut self,
        call: &Call<'_>,
        node: NodeId,
        shape: Vec<usize>,
    ) -> Result<NodeId, String> {
        if self.shape(node) == shape {
            return Ok(node);
        }
        self.step(call, "reshaped", Op::Reshape { shape }, vec![node], vec![])
    }

    /// An input as a node whose sample has the file's axes but the batch's. `rank` is the number of
    /// the file's axes that constants are filled up to in front, `batch` the axis to leave out, where
    /// sizes must be 1. A constant becomes a node of its own.
    pub(crate) fn node_at(
        &mut self,
        call: &Call<'_>,
        index: usize,
        rank: usize,
        batch: Option<usize>,
    ) -> Result<NodeId, String> {
        let value = self.value(call, index)?;
        let mut dims = match &value {
            Value::Node(operand) => self.dims(*operand),
            Value::Constant(tensor) => tensor.dims.clone(),
        };
        // As many axes on both sides: where a batch is put in front of them later, they stay aligned.
        while dims.len() < rank {
            dims.insert(0, 1);
        }
        if let Some(batch) = batch {
            if dims.get(batch) != Some(&1) {
                return Err(format!(
                    "input {index} has sizes {dims:?}; expected 1 along axis {batch}, the batch"
                ));
            }
            dims.remove(batch);
        }
        if dims.is_empty() {
            dims.push(1);
        }
        match value {
            Value::Node(operand) => self.reshaped(call, operand.node, dims),
            Value::Constant(tensor) => self.constant_node(call.input(index), &tensor, dims),
        }
    }

    fn constant_node(
        &mut self,
        name: &str,
        tensor: &Tensor,
        shape: Vec<usize>,
    ) -> Result<NodeId, String> {
        let name = self.known_as(name);
        let key = (name.clone(), shape.clone());
        if let Some(&node) = self.constants.get(&key) {
            return Ok(node);
        }
        let values = self.as_floats(&name, tensor)?;
        let inner = if tensor.name == name { format!("{name}.value") } else { tensor.name.clone() };
        let value = Weight { name: inner, shape: shape.clone(), values, trainable: false };
        let node = self.push(&name, &name, Op::Constant { shape }, vec![], vec![value])?;
        self.constants.insert(key, node);
        Ok(node)
    }

    /// The numbers of a constant that becomes a node, whole ones and conditions as floats.
    fn as_floats(&mut self, name: &str, tensor: &Tensor) -> Result<Arc<[f32]>, String> {
        /// Beyond that a float does not hold every whole number.
        const EXACT: u64 = 1 << 24;
        let refused = |what: String| format!("the constant {name:?} {what}");
        match &tensor.data {
            Data::Floats(values) => Ok(values.clone()),
            Data::Ints(values) => {
                if let Some(large) = values.iter().find(|value| value.unsigned_abs() > EXACT) {
                    return Err(refused(format!("holds {large}, which no float of 32 bits holds")));
                }
                self.make(values.len())?;
                Ok(values.iter().map(|&value| value as f32).collect())
            }
            other => Err(refused(format!("is of type {}; expected numbers", type_name(other)))),
        }
    }

    /// A constant that an operator makes, as a node.
    pub(crate) fn made_node(
        &mut self,
        call: &Call<'_>,
        what: &str,
        shape: Vec<usize>,
        values: Vec<f32>,
    ) -> Result<NodeId, String> {
        let name = format!("{}.{what}", describe(call.proto));
        let (op, inner) = (Op::Constant { shape: shape.clone() }, format!("{name}.value"));
        let value = Weight { name: inner, shape, values: values.into(), trainable: false };
        self.push(&name, &name, op, vec![], vec![value])
    }

    /// Takes note that a constant is another under another type, so that it keeps its name.
    pub(crate) fn is_also(&mut self, call: &Call<'_>, index: usize) {
        let known = self.known_as(call.input(index));
        self.also.insert(call.output().to_owned(), known);
    }

    fn known_as(&self, name: &str) -> String {
        self.also.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// An input that is known without running anything.
    pub(crate) fn constant(&self, call: &Call<'_>, index: usize) -> Result<Rc<Tensor>, String> {
        match self.value(call, index)? {
            Value::Constant(tensor) => Ok(tensor),
            Value::Node(node) => Err(format!(
                "input {index} is computed by {:?}; only constants (weights in the file) are \
                 supported there",
                self.drafts[node.node.0].name
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
                "weight {:?} is of type {}; only FLOAT, FLOAT16, BFLOAT16 and DOUBLE are supported",
                tensor.name,
                type_name(other)
            )),
        }
    }

    /// A constant input of a few whole numbers: a shape or axes.
    pub(crate) fn ints(&self, call: &Call<'_>, index: usize) -> Result<Vec<i64>, String> {
        let tensor = self.constant(call, index)?;
        match &tensor.data {
            Data::Ints(ints) if ints.len() <= 64 => Ok(ints.to_vec()),
            other => Err(format!(
                "input {index} ({:?}) should be a list of whole numbers, one an axis; it is of type \
                 {} and shape {:?}",
                tensor.name,
                type_name(other),
                tensor.dims
            )),
        }
    }

    /// A constant input that is a single truth value.
    pub(crate) fn flag(&self, call: &Call<'_>, index: usize) -> Result<bool, String> {
        match &self.constant(call, index)?.data {
            Data::Ints(values) if values.len() == 1 => Ok(values[0] != 0),
            _ => Err(format!("input {index} should be a single truth value")),
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

    /// Accounts for numbers that an operator makes while reading.
    pub(crate) fn make(&mut self, numbers: usize) -> Result<(), String> {
        self.made = self.made.saturating_add(numbers);
        match self.made <= MAX_MADE {
            true => Ok(()),
            false => Err(format!(
                "what is worked out while reading comes to more than {MAX_MADE} numbers, the most that \
                 is supported"
            )),
        }
    }

    /// Adds a node and binds the call's output to it. The batch is in front.
    pub(crate) fn emit(
        &mut self,
        call: &Call<'_>,
        op: Op,
        inputs: Vec<NodeId>,
        params: Vec<Weight>,
    ) -> Result<(), String> {
        self.emit_at(call, Some(0), op, inputs, params)
    }

    /// Adds a node and binds the call's output to it.
    pub(crate) fn emit_at(
        &mut self,
        call: &Call<'_>,
        batch: Option<usize>,
        op: Op,
        inputs: Vec<NodeId>,
        params: Vec<Weight>,
    ) -> Result<(), String> {
        self.emit_output(call, 0, batch, op, inputs, params)
    }

    /// Adds a node and binds an output of the call to it.
    pub(crate) fn emit_output(
        &mut self,
        call: &Call<'_>,
        index: usize,
        batch: Option<usize>,
        op: Op,
        inputs: Vec<NodeId>,
        params: Vec<Weight>,
    ) -> Result<(), String> {
        let output = call.proto.output.get(index).map_or("", String::as_str);
        let kind = self.kind_of(call, &op);
        let name = call.proto.name.as_deref().unwrap_or_default();
        let own = index == 0 && !name.is_empty() && !self.names.is_taken(name);
        let node = self.push(if own { name } else { output }, output, op, inputs, params)?;
        self.bind_output(call, index, Value::Node(Operand { node, batch, kind }));
        Ok(())
    }

    /// Adds a node on the way to the call's result, named after it.
    pub(crate) fn step(
        &mut self,
        call: &Call<'_>,
        what: &str,
        op: Op,
        inputs: Vec<NodeId>,
        params: Vec<Weight>,
    ) -> Result<NodeId, String> {
        let name = format!("{}.{what}", describe(call.proto));
        self.push(&name, "", op, inputs, params)
    }

    fn push(
        &mut self,
        name: &str,
        value: &str,
        op: Op,
        inputs: Vec<NodeId>,
        params: Vec<Weight>,
    ) -> Result<NodeId, String> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|&input| self.shape(input)).collect();
        let weights: Vec<&[usize]> = params.iter().map(|weight| &weight.shape[..]).collect();
        let shape = infer(&op, &shapes, &weights)?;
        if !inputs.is_empty() && inputs.iter().all(|&input| self.is_constant(input)) {
            return Err(
                "it is computed of constants alone, which is not supported of it; fold the \
                        model's constants, in Python with onnxsim.simplify(model)"
                    .into(),
            );
        }
        if self.drafts.len() >= MAX_NODES {
            return Err(format!("the network has more than {MAX_NODES} nodes"));
        }
        let name = self.names.choose(name);
        let id = NodeId(self.drafts.len());
        let (holds, value) = (self.result_holds(&op, &inputs, &params), value.to_owned());
        self.drafts.push(Draft { name, value, op, inputs, params, shape, holds });
        Ok(id)
    }

    /// Says what the call's output is.
    pub(crate) fn bind(&mut self, call: &Call<'_>, value: Value) {
        self.bind_output(call, 0, value);
    }

    /// Says what one of the call's outputs is.
    pub(crate) fn bind_output(&mut self, call: &Call<'_>, index: usize, value: Value) {
        if let Some(name) = call.proto.output.get(index).filter(|name| !name.is_empty()) {
            self.values.insert(name.clone(), value);
        }
    }

    /// Reads the nodes of a branch as if they stood in the graph itself.
    pub(crate) fn inline(&mut self, call: &Call<'_>, branch: &GraphProto) -> Result<(), String> {
        self.depth += 1;
        if self.depth > 8 {
            return Err("branches lie more than 8 deep in each other".into());
        }
        let told = |error: Error| error.to_string();
        self.take_initializers(branch.initializer.clone()).map_err(told)?;
        for index in order(&branch.node, &self.values).map_err(told)? {
            self.read_node(&branch.node[index]).map_err(told)?;
        }
        for (index, output) in branch.output.iter().enumerate() {
            let name = output.name.as_deref().unwrap_or_default();
            let value = self.values.get(name).cloned();
            let value = value.ok_or_else(|| {
                format!("its branch has an output {name:?} that nothing produces")
            })?;
            self.bind_output(call, index, value);
        }
        self.depth -= 1;
        Ok(())
    }

    /// Gives a layer that has none a bias.
    pub(crate) fn add_bias(&mut self, layer: NodeId, bias: Weight) {
        self.drafts[layer.0].params.push(bias);
        self.outdated.insert(self.drafts[layer.0].value.clone());
    }
}
