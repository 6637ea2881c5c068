//! A network as a table: what each layer makes of its input, and what it costs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ops::multiply_adds;
use crate::receptive_field::{ReceptiveField, receptive_fields};
use crate::{Network, Node, NodeId};

/// One row for each node. `Display` draws the table, serde gives the raw numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the network.
    pub name: String,
    /// The network's hash.
    pub hash: String,
    /// The nodes in topological order, the input first.
    pub layers: Vec<LayerSummary>,
    /// Number of parameters.
    pub total_params: u64,
    /// How many of them training changes.
    pub trainable_params: u64,
    /// Multiply-adds of one forward pass of one sample.
    pub total_macs: u64,
    /// Bytes of all parameters and of all activations of one sample, as f32.
    pub total_memory_bytes: u64,
}

/// One node's row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerSummary {
    /// Name of the node.
    pub name: String,
    /// Its operator, as [`Op::kind`](crate::Op::kind) says it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Names of the nodes that it takes as input.
    pub inputs: Vec<String>,
    /// Shape of its output for one sample, without the batch axis.
    pub output_shape: Vec<usize>,
    /// Number of its parameters.
    pub params: u64,
    /// Multiply-adds for one sample, of convolutions, dense layers and batch normalisation.
    pub macs: u64,
    /// What a position of its output sees of the image.
    pub receptive_field: ReceptiveField,
    /// Bytes of its parameters and of its output for one sample, as f32.
    pub memory_bytes: u64,
}

/// Summarises a network.
///
/// ```
/// let summary = cutaway_net::summary(&cutaway_net::presets::reference_cnn(1));
/// assert_eq!(summary.total_params, 140_598);
/// println!("{summary}");
/// ```
#[must_use]
pub fn summary(network: &Network) -> Summary {
    let fields = receptive_fields(network);
    let nodes = network.nodes().iter().enumerate().zip(fields);
    let layers: Vec<LayerSummary> = nodes
        .map(|((index, node), field)| layer_summary(network, NodeId(index), node, field))
        .collect();
    let sum =
        |number: fn(&LayerSummary) -> u64| layers.iter().map(number).fold(0, u64::saturating_add);
    let trainable = network.params().iter().filter(|param| param.trainable);
    Summary {
        name: network.name().to_owned(),
        hash: network.hash(),
        total_params: sum(|layer| layer.params),
        trainable_params: trainable.map(|param| param.values.len() as u64).sum(),
        total_macs: sum(|layer| layer.macs),
        total_memory_bytes: sum(|layer| layer.memory_bytes),
        layers,
    }
}

fn layer_summary(
    network: &Network,
    id: NodeId,
    node: &Node,
    receptive_field: ReceptiveField,
) -> LayerSummary {
    let output = network.shape(id);
    let weights: Vec<&[usize]> =
        node.params.iter().map(|&param| &network.param(param).shape[..]).collect();
    let inputs: Vec<&[usize]> = node.inputs.iter().map(|&input| network.shape(input)).collect();
    let params: u64 =
        node.params.iter().map(|&param| network.param(param).values.len() as u64).sum();
    let elements: u64 = output.iter().map(|&size| size as u64).product();
    LayerSummary {
        name: node.name.clone(),
        kind: node.op.kind().to_owned(),
        inputs: node.inputs.iter().map(|&input| network.node(input).name.clone()).collect(),
        output_shape: output.to_vec(),
        params,
        macs: multiply_adds(&node.op, &inputs, output, &weights),
        receptive_field,
        memory_bytes: 4 * (params + elements),
    }
}

const HEADINGS: [&str; 9] =
    ["layer", "type", "output", "params", "multiply-adds", "sees", "every", "from", "memory"];

/// Columns of words are aligned to the left, those of numbers to the right.
const WORDS: usize = 3;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 9]> = self.layers.iter().map(LayerSummary::cells).collect();
        let total = self.total_cells();
        let all = rows.iter().chain([&total]);
        let mut widths = HEADINGS.map(str::len);
        for row in all {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let rule = "─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1));
        writeln!(f, "{}", self.name)?;
        write_row(f, &HEADINGS.map(str::to_owned), &widths)?;
        writeln!(f, "{rule}")?;
        rows.iter().try_for_each(|row| write_row(f, row, &widths))?;
        writeln!(f, "{rule}")?;
        write_row(f, &total, &widths)?;
        writeln!(
            f,
            "sees, every, from: the receptive field's size, stride and offset in pixels; memory: \
             parameters and one sample's output, f32"
        )
    }
}

impl Summary {
    fn total_cells(&self) -> [String; 9] {
        let frozen = self.total_params - self.trainable_params;
        let note =
            if frozen > 0 { format!("{} not trained", grouped(frozen)) } else { String::new() };
        [
            "total".into(),
            String::new(),
            note,
            grouped(self.total_params),
            grouped(self.total_macs),
            String::new(),
            String::new(),
            String::new(),
            bytes(self.total_memory_bytes),
        ]
    }
}

impl LayerSummary {
    fn cells(&self) -> [String; 9] {
        let shape: Vec<String> = self.output_shape.iter().map(usize::to_string).collect();
        let field = &self.receptive_field;
        [
            self.name.clone(),
            self.kind.clone(),
            shape.join("×"),
            grouped(self.params),
            grouped(self.macs),
            pair(field.size, "×"),
            pair(field.stride, "×"),
            pair(field.offset, ","),
            bytes(self.memory_bytes),
        ]
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, cells: &[String; 9], widths: &[usize; 9]) -> fmt::Result {
    let cells = cells.iter().zip(widths).enumerate().map(|(column, (cell, &width))| {
        if column < WORDS { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
    });
    let line = cells.collect::<Vec<_>>().join("  ");
    writeln!(f, "{}", line.trim_end())
}

/// One number where both are the same, as nearly always.
fn pair<T: PartialEq + fmt::Display>([a, b]: [T; 2], between: &str) -> String {
    if a == b { a.to_string() } else { format!("{a}{between}{b}") }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(count: u64) -> String {
    let kib = count as f64 / 1024.0;
    match kib {
        _ if count < 1024 => format!("{count} B"),
        _ if kib < 1024.0 => format!("{kib:.1} KiB"),
        _ if kib < 1024.0 * 1024.0 => format!("{:.1} MiB", kib / 1024.0),
        _ => format!("{:.1} GiB", kib / 1024.0 / 1024.0),
    }
}
