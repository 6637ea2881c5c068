//! The layers of a network as boxes from top to bottom, with branches side by side.
//!
//! Layered drawing after Sugiyama, Tagawa and Toda ("Methods for Visual Understanding of
//! Hierarchical System Structures", 1981): layers by longest path, places for long edges, order by
//! barycentres; then positions by isotonic regression towards the neighbours' mean.

use std::collections::HashMap;

use crate::colormap::category_color;
use crate::error::{Error, Result, check_limit};
use crate::figure::Figure;
use crate::font::{Weight, elide, width};
use crate::number::count;
use crate::scene::{Anchor, Item, Scene, Step};
use crate::style::{PAD, SMALL, WIDTH, join, placeholder, plural, title};
use crate::theme::Paint;

/// The most nodes that are drawn; of more, the middle is left out.
const LIMIT: usize = 240;
/// The most nodes side by side.
const ABREAST: usize = 40;
/// Beyond this many places for long edges, those edges are drawn straight through.
const PLACES: usize = 3000;

/// A layer of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct DiagramNode {
    name: String,
    kind: String,
    shape: String,
    params: u64,
    inputs: Vec<usize>,
}

impl DiagramNode {
    /// A layer with its name, what it is ("Conv 5×5"), its output shape ("32 × 24 × 24") and the
    /// indices of the layers that it takes its input from, all of which come before it.
    pub fn new(
        name: impl Into<String>,
        kind: impl Into<String>,
        shape: impl Into<String>,
        inputs: impl IntoIterator<Item = usize>,
    ) -> DiagramNode {
        DiagramNode {
            name: name.into(),
            kind: kind.into(),
            shape: shape.into(),
            params: 0,
            inputs: inputs.into_iter().collect(),
        }
    }

    /// The count of its parameters.
    #[must_use]
    pub fn params(mut self, params: u64) -> DiagramNode {
        self.params = params;
        self
    }
}

/// A diagram of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkDiagram {
    title: String,
    nodes: Vec<DiagramNode>,
}

impl NetworkDiagram {
    /// A diagram of layers in topological order.
    pub fn new(title: impl Into<String>, nodes: Vec<DiagramNode>) -> NetworkDiagram {
        NetworkDiagram { title: title.into(), nodes }
    }

    /// Draws the diagram; a placeholder where there is no layer. Of more than 240 layers the middle
    /// ones are left out, and the diagram says how many.
    ///
    /// # Errors
    /// [`Error::Shape`] where a layer takes input from itself or a later one;
    /// [`Error::TooLarge`] where more than 40 layers stand side by side.
    pub fn draw(&self) -> Result<Figure> {
        if self.nodes.is_empty() {
            return Ok(placeholder(&self.title, WIDTH, "the network has no layer"));
        }
        self.check()?;
        let nodes = shortened(&self.nodes);
        let graph = Graph::new(&nodes);
        let abreast = graph.real_abreast();
        check_limit("layers side by side", abreast, ABREAST, "draw a part of the network")?;
        let boxes = Boxes::new(&nodes, abreast);
        let x = graph.positions(&boxes);
        Ok(self.compose(&nodes, &graph, &boxes, &x))
    }

    fn check(&self) -> Result<()> {
        for (i, node) in self.nodes.iter().enumerate() {
            if let Some(&input) = node.inputs.iter().find(|&&input| input >= i) {
                return Err(Error::Shape {
                    what: format!("input of layer {i} ({:?})", node.name),
                    expected: "the index of an earlier layer".to_owned(),
                    found: input.to_string(),
                });
            }
        }
        Ok(())
    }

    fn compose(&self, nodes: &[DiagramNode], graph: &Graph, boxes: &Boxes, x: &[f64]) -> Figure {
        let half = |place: usize| 0.5 * graph.width(place, boxes);
        let left = (0..x.len()).map(|p| x[p] - half(p)).fold(f64::INFINITY, f64::min);
        let right = (0..x.len()).map(|p| x[p] + half(p)).fold(f64::NEG_INFINITY, f64::max);
        let width = (right - left + 2.0 * PAD).max(320.0);
        let mut scene = Scene::new(width, 0.0);
        let top = title(&mut scene, &self.title, PAD, width - 2.0 * PAD) + 2.0;
        let centre = |place: usize| x[place] - left + PAD;
        let y = |rank: usize| top + boxes.pitch() * rank as f64;
        for edge in &graph.edges {
            let points = edge.iter().map(|&p| (centre(p), y(graph.rank[p]), p < nodes.len()));
            draw_edge(&mut scene, points, boxes.height);
        }
        let colors = colors_by_kind(nodes);
        for (i, node) in nodes.iter().enumerate() {
            let corner = (centre(i) - 0.5 * boxes.width, y(graph.rank[i]));
            boxes.draw(&mut scene, corner, node, colors[i]);
        }
        scene.height = y(graph.ranks.len()) - boxes.gap + PAD;
        Figure::new(scene, join(&self.title, &self.words()))
    }

    fn words(&self) -> String {
        let describe = |node: &DiagramNode| {
            let inputs: Vec<&str> =
                node.inputs.iter().map(|&i| self.nodes[i].name.as_str()).collect();
            let from = if inputs.is_empty() {
                String::new()
            } else {
                format!(" from {}", inputs.join(" and "))
            };
            format!("{} ({}, {}){from}", node.name, node.kind, node.shape)
        };
        let shown: Vec<String> = self.nodes.iter().take(40).map(describe).collect();
        format!("Diagram of {}: {}.", plural(self.nodes.len(), "layer"), shown.join("; "))
    }
}

/// The nodes, or the first and last of them with one in between that stands for the rest.
fn shortened(nodes: &[DiagramNode]) -> Vec<DiagramNode> {
    if nodes.len() <= LIMIT {
        return nodes.to_vec();
    }
    let head = LIMIT / 2;
    let tail = nodes.len() - head;
    let place = |i: usize| {
        if i < head {
            i
        } else if i < tail {
            head
        } else {
            i - tail + head + 1
        }
    };
    let hidden = &nodes[head..tail];
    let params = hidden.iter().map(|node| node.params).fold(0, u64::saturating_add);
    let inputs = hidden.iter().flat_map(|node| &node.inputs).copied().filter(|&i| i < head);
    let rest = plural(hidden.len(), "further layer");
    let middle = DiagramNode::new("…", rest, "", inputs).params(params);
    let moved = |node: &DiagramNode| DiagramNode {
        inputs: node.inputs.iter().map(|&i| place(i)).collect(),
        ..node.clone()
    };
    let mut all: Vec<DiagramNode> = nodes[..head].to_vec();
    all.push(middle);
    all.extend(nodes[tail..].iter().map(moved));
    for node in &mut all {
        node.inputs.sort_unstable();
        node.inputs.dedup();
    }
    all
}

/// Nodes and the places that long edges take in the layers between their ends.
struct Graph {
    /// Layer of each place; nodes come first.
    rank: Vec<usize>,
    /// Places of each layer from left to right.
    ranks: Vec<Vec<usize>>,
    /// Each edge as the places it runs through.
    edges: Vec<Vec<usize>>,
    nodes: usize,
}

impl Graph {
    fn new(nodes: &[DiagramNode]) -> Graph {
        let mut rank: Vec<usize> = Vec::with_capacity(nodes.len());
        for node in nodes {
            rank.push(node.inputs.iter().map(|&i| rank[i] + 1).max().unwrap_or(0));
        }
        let ends = || {
            nodes
                .iter()
                .enumerate()
                .flat_map(|(to, n)| n.inputs.iter().map(move |&from| (from, to)))
        };
        let between: usize = ends().map(|(from, to)| rank[to] - rank[from] - 1).sum();
        let mut edges = Vec::new();
        for (from, to) in ends() {
            let mut edge = vec![from];
            if between <= PLACES {
                for layer in rank[from] + 1..rank[to] {
                    edge.push(rank.len());
                    rank.push(layer);
                }
            }
            edge.push(to);
            edges.push(edge);
        }
        let layers = rank.iter().max().map_or(0, |&r| r + 1);
        let mut ranks = vec![Vec::new(); layers];
        for (place, &layer) in rank.iter().enumerate() {
            ranks[layer].push(place);
        }
        let mut graph = Graph { rank, ranks, edges, nodes: nodes.len() };
        graph.order();
        graph
    }

    fn real_abreast(&self) -> usize {
        let real = |layer: &Vec<usize>| layer.iter().filter(|&&place| place < self.nodes).count();
        self.ranks.iter().map(real).max().unwrap_or(0)
    }

    fn width(&self, place: usize, boxes: &Boxes) -> f64 {
        if place < self.nodes { boxes.width } else { 14.0 }
    }

    /// The neighbours of each place in the layer above (0) and below (1).
    fn neighbours(&self) -> [Vec<Vec<usize>>; 2] {
        let mut all = [vec![Vec::new(); self.rank.len()], vec![Vec::new(); self.rank.len()]];
        for edge in &self.edges {
            for pair in edge.windows(2) {
                all[0][pair[1]].push(pair[0]);
                all[1][pair[0]].push(pair[1]);
            }
        }
        all
    }

    /// Orders each layer by the mean place of the neighbours, downwards and upwards in turn.
    fn order(&mut self) {
        let neighbours = self.neighbours();
        let mut slot: Vec<f64> = vec![0.0; self.rank.len()];
        for sweep in 0..8 {
            for step in 0..self.ranks.len() {
                let layer = if sweep % 2 == 0 { step } else { self.ranks.len() - 1 - step };
                let key = |place: usize| {
                    let near = &neighbours[sweep % 2][place];
                    let sum: f64 = near.iter().map(|&n| slot[n]).sum();
                    if near.is_empty() { slot[place] } else { sum / near.len() as f64 }
                };
                let mut keyed: Vec<(f64, usize)> =
                    self.ranks[layer].iter().map(|&place| (key(place), place)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                let middle = 0.5 * (keyed.len() as f64 - 1.0);
                for (i, (_, place)) in keyed.iter().enumerate() {
                    slot[*place] = i as f64 - middle;
                }
                self.ranks[layer] = keyed.into_iter().map(|(_, place)| place).collect();
            }
        }
    }

    /// The centre of each place.
    fn positions(&self, boxes: &Boxes) -> Vec<f64> {
        let neighbours = self.neighbours();
        let mut x = vec![0.0; self.rank.len()];
        for sweep in 0..120 {
            for step in 0..self.ranks.len() {
                let index = if sweep % 2 == 0 { step } else { self.ranks.len() - 1 - step };
                let layer = &self.ranks[index];
                let wanted = |place: usize| {
                    let near = neighbours[0][place].iter().chain(&neighbours[1][place]);
                    // Boxes follow boxes and bends follow bends: the main path and the long edges
                    // beside it both stay straight.
                    let alike = |n: usize| (n < self.nodes) == (place < self.nodes);
                    let pull = |n: usize| if alike(n) { 1.0 } else { 0.02 };
                    let (sum, weight) =
                        near.fold((0.0, 0.0), |(s, w), &n| (s + pull(n) * x[n], w + pull(n)));
                    if weight > 0.0 { sum / weight } else { x[place] }
                };
                let targets: Vec<f64> = layer.iter().map(|&place| wanted(place)).collect();
                let widths: Vec<f64> = layer.iter().map(|&p| self.width(p, boxes)).collect();
                let weights: Vec<f64> =
                    layer.iter().map(|&p| if p < self.nodes { 8.0 } else { 1.0 }).collect();
                for (&place, at) in layer.iter().zip(spread(&targets, &widths, &weights)) {
                    x[place] = at;
                }
            }
        }
        x
    }
}

/// Positions nearest to `targets` (weighted least squares) at which boxes in this order do not
/// overlap: isotonic regression by pooling adjacent violators.
fn spread(targets: &[f64], widths: &[f64], weights: &[f64]) -> Vec<f64> {
    const GAP: f64 = 16.0;
    let mut offsets = vec![0.0; targets.len()];
    for i in 1..targets.len() {
        offsets[i] = offsets[i - 1] + 0.5 * (widths[i - 1] + widths[i]) + GAP;
    }
    // Blocks of (mean, weight, count).
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for i in 0..targets.len() {
        blocks.push((targets[i] - offsets[i], weights[i], 1));
        while let [.., a, b] = blocks[..] {
            if a.0 <= b.0 {
                break;
            }
            blocks.truncate(blocks.len() - 2);
            let weight = a.1 + b.1;
            blocks.push(((a.0 * a.1 + b.0 * b.1) / weight, weight, a.2 + b.2));
        }
    }
    let means = blocks.iter().flat_map(|&(mean, _, count)| std::iter::repeat_n(mean, count));
    means.zip(offsets).map(|(mean, offset)| mean + offset).collect()
}

/// The size of a box and what stands in it.
struct Boxes {
    /// One line in columns, where no layers stand side by side; else two lines.
    wide: bool,
    width: f64,
    height: f64,
    gap: f64,
    /// Where the columns of wide boxes begin (kind) or end (shape).
    kind_at: f64,
    shape_at: f64,
}

fn text_width(text: &str, weight: Weight) -> f64 {
    width(text, SMALL, weight)
}

fn params_text(node: &DiagramNode) -> String {
    if node.params == 0 { String::new() } else { plural(node.params as usize, "param") }
}

impl Boxes {
    fn new(nodes: &[DiagramNode], abreast: usize) -> Boxes {
        let widest = |of: &dyn Fn(&DiagramNode) -> f64| nodes.iter().map(of).fold(0.0, f64::max);
        let names = widest(&|n| text_width(&n.name, Weight::SemiBold)).clamp(40.0, 150.0);
        let kinds = widest(&|n| text_width(&n.kind, Weight::Regular)).min(170.0);
        let shapes = widest(&|n| text_width(&n.shape, Weight::Regular)).min(120.0);
        if abreast > 1 {
            let first = widest(&|n| text_width(&first_line(n), Weight::SemiBold));
            let second = widest(&|n| text_width(&second_line(n), Weight::Regular));
            let width = first.max(second).clamp(70.0, 190.0) + 26.0;
            let (kind_at, shape_at) = (0.0, 0.0);
            return Boxes { wide: false, width, height: 44.0, gap: 22.0, kind_at, shape_at };
        }
        let params = widest(&|n| text_width(&params_text(n), Weight::Regular));
        let kind_at = 16.0 + names + 16.0;
        let shape_at = kind_at + kinds + 20.0 + shapes;
        let width = (shape_at + 20.0 + params + 12.0).max(260.0);
        Boxes { wide: true, width, height: 27.0, gap: 13.0, kind_at, shape_at }
    }

    fn pitch(&self) -> f64 {
        self.height + self.gap
    }

    fn draw(&self, scene: &mut Scene, (x, y): (f64, f64), node: &DiagramNode, color: Paint) {
        let outline = Item::rect(x, y, self.width, self.height).rounded(5.0);
        let hover =
            format!("{}: {}, output {}, {}", node.name, node.kind, node.shape, params_text(node));
        let outline = outline.fill(Paint::Panel).stroke(Paint::Grid, 1.0);
        scene.add(outline.hover(hover).named(&node.name));
        scene.add(Item::rect(x + 1.0, y + 5.0, 3.5, self.height - 10.0).rounded(1.7).fill(color));
        if self.wide {
            self.draw_wide(scene, x, y + 0.5 * self.height, node);
        } else {
            self.draw_compact(scene, x + 13.0, y, node);
        }
    }

    fn draw_wide(&self, scene: &mut Scene, x: f64, middle: f64, node: &DiagramNode) {
        let name = elide(&node.name, SMALL, Weight::SemiBold, self.kind_at - 32.0);
        scene.add(Item::text(x + 16.0, middle, name).size(SMALL).bold().centred());
        let kind = elide(&node.kind, SMALL, Weight::Regular, 170.0);
        let soft = |item: Item| item.size(SMALL).fill(Paint::Soft).centred();
        scene.add(soft(Item::text(x + self.kind_at, middle, kind)));
        let shape = elide(&node.shape, SMALL, Weight::Regular, 120.0);
        scene.add(soft(Item::text(x + self.shape_at, middle, shape).anchor(Anchor::End)));
        let params = Item::text(x + self.width - 12.0, middle, params_text(node));
        scene.add(soft(params.anchor(Anchor::End)));
    }

    fn draw_compact(&self, scene: &mut Scene, x: f64, y: f64, node: &DiagramNode) {
        let room = self.width - 22.0;
        let name = elide(&first_line(node), SMALL, Weight::SemiBold, room);
        scene.add(Item::text(x, y + 18.0, name).size(SMALL).bold());
        let line = elide(&second_line(node), SMALL, Weight::Regular, room);
        scene.add(Item::text(x, y + 35.0, line).size(SMALL).fill(Paint::Soft));
    }
}

fn first_line(node: &DiagramNode) -> String {
    if node.params == 0 {
        node.name.clone()
    } else {
        format!("{}  ({})", node.name, count(node.params))
    }
}

fn second_line(node: &DiagramNode) -> String {
    if node.shape.is_empty() {
        node.kind.clone()
    } else {
        format!("{} → {}", node.kind, node.shape)
    }
}

/// The first word of a kind decides its colour: convolutions alike, whatever their size.
fn colors_by_kind(nodes: &[DiagramNode]) -> Vec<Paint> {
    let mut index: HashMap<&str, usize> = HashMap::new();
    nodes
        .iter()
        .map(|node| {
            let word = node.kind.split_whitespace().next().unwrap_or("");
            let next = index.len();
            Paint::Rgb(category_color(*index.entry(word).or_insert(next) % 10))
        })
        .collect()
}

/// A curve through the places of an edge, vertical at each. Ends are boxes, whose lower and upper
/// side it joins.
fn draw_edge(scene: &mut Scene, points: impl Iterator<Item = (f64, f64, bool)>, height: f64) {
    let points: Vec<(f64, f64, bool)> = points.collect();
    let mut steps = Vec::new();
    for pair in points.windows(2) {
        let [(x1, y1, _), (x2, y2, to_box)] = *pair else { continue };
        let from = (x1, y1 + height);
        let to = (x2, y2);
        if steps.is_empty() {
            steps.push(Step::Move(from.0, from.1));
        }
        let bend = 0.5 * (to.1 - from.1);
        steps.push(Step::Cubic(from.0, from.1 + bend, to.0, to.1 - bend, to.0, to.1));
        if !to_box {
            // Straight through the layer that the edge passes.
            steps.push(Step::Line(to.0, to.1 + height));
        }
    }
    let Some(&(x, y, _)) = points.last() else { return };
    scene.add(Item::path(steps).stroke(Paint::Rule, 1.3));
    let head = [(x - 3.5, y - 6.0), (x + 3.5, y - 6.0), (x, y)];
    scene.add(Item::polygon(head).fill(Paint::Rule));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(n: usize) -> Vec<DiagramNode> {
        let node = |i: usize| {
            let inputs = if i == 0 { None } else { Some(i - 1) };
            DiagramNode::new(format!("conv{i}"), "Conv 5×5", "32 × 24 × 24", inputs).params(25_632)
        };
        (0..n).map(node).collect()
    }

    /// A block of branches that are concatenated, with a shortcut around it.
    fn branched(branches: usize) -> Vec<DiagramNode> {
        let mut nodes = vec![DiagramNode::new("input", "Input", "3 × 32 × 32", [])];
        for i in 0..branches {
            nodes.push(DiagramNode::new(format!("a{i}"), "Conv 1×1", "16 × 32 × 32", [0]));
        }
        for i in 0..branches / 2 {
            nodes.push(DiagramNode::new(format!("b{i}"), "Conv 3×3", "16 × 32 × 32", [1 + i]));
        }
        let ends: Vec<usize> = (branches / 2 + 1..nodes.len()).collect();
        let concat = nodes.len();
        nodes.push(DiagramNode::new("concat", "Concat", "64 × 32 × 32", ends));
        nodes.push(DiagramNode::new("add", "Add", "64 × 32 × 32", [concat, 0]));
        nodes
    }

    #[test]
    fn every_text_is_legible_in_chains_and_branches_of_any_length() {
        for nodes in [chain(1), chain(16), chain(1000), branched(2), branched(8), branched(40)] {
            let figure = NetworkDiagram::new("Network", nodes.clone()).draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{} nodes", nodes.len());
        }
    }

    #[test]
    fn of_a_very_long_network_the_middle_is_left_out_and_counted() {
        let figure = NetworkDiagram::new("", chain(1000)).draw().unwrap();
        assert!(figure.to_inline_svg().contains("760 further layers"));
    }

    #[test]
    fn boxes_of_a_layer_never_overlap() {
        let nodes = branched(9);
        let graph = Graph::new(&nodes);
        let boxes = Boxes::new(&nodes, graph.real_abreast());
        let x = graph.positions(&boxes);
        for layer in &graph.ranks {
            for pair in layer.windows(2) {
                let apart = 0.5 * (graph.width(pair[0], &boxes) + graph.width(pair[1], &boxes));
                assert!(x[pair[1]] - x[pair[0]] >= apart, "{layer:?} {x:?}");
            }
        }
    }

    #[test]
    fn the_nearest_positions_without_overlap_are_found() {
        assert_eq!(spread(&[0.0, 0.0], &[10.0, 10.0], &[1.0, 1.0]), [-13.0, 13.0]);
        assert_eq!(spread(&[0.0, 100.0], &[10.0, 10.0], &[1.0, 1.0]), [0.0, 100.0]);
    }

    #[test]
    fn a_layer_that_takes_input_from_a_later_one_is_refused() {
        let nodes = vec![DiagramNode::new("a", "Relu", "", [0])];
        let error = NetworkDiagram::new("", nodes).draw().unwrap_err();
        assert!(error.to_string().contains("earlier layer"), "{error}");
        let none = NetworkDiagram::new("", Vec::new()).draw().unwrap();
        assert!(none.to_inline_svg().contains("no layer"));
    }
}
