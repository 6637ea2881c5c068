//! Networks that take their images with the channels last, as TensorFlow has them.

use crate::{Metadata, Network, Node, NodeId, Op, Result};

/// Whether a network takes images `[height, width, channels]`: three axes, of which the last has 1, 3 or 4
/// numbers and the first has not.
#[must_use]
pub fn is_channels_last(network: &Network) -> bool {
    let few = |size: usize| matches!(size, 1 | 3 | 4);
    match *network.shape(network.input()) {
        [height, _, channels] => few(channels) && !few(height),
        _ => false,
    }
}

/// The same network for images `[channels, height, width]`: a transposition stands in front, or is left out
/// where the file has the contrary one there. Metadata that say nothing are made anew; else those of the
/// file stay.
///
/// # Errors
/// If the input has not three axes; what [`Network::new`] refuses.
pub fn channels_first(network: &Network) -> Result<Network> {
    let &[height, width, channels] = network.shape(network.input()) else {
        return Err(crate::Error::Graph {
            network: network.name().to_owned(),
            problem: format!(
                "the input has shape {:?}; expected an image [height, width, channels]",
                network.shape(network.input())
            ),
        });
    };
    let shape = vec![channels, height, width];
    let mut nodes = network.nodes().to_vec();
    nodes[0].op = Op::Input { shape: shape.clone() };
    let turns = |node: &Node| matches!(&node.op, Op::Transpose { axes } if axes[..] == [2, 0, 1]);
    let takers = || (1..nodes.len()).filter(|&i| nodes[i].inputs.contains(&network.input()));
    let gone: Vec<usize> = takers().collect();
    let leaves_out = gone.iter().all(|&i| turns(&nodes[i]))
        && !network.outputs().iter().any(|output| output.0 == 0 || gone.contains(&output.0));
    let (nodes, now) = match leaves_out {
        true => without(nodes, &gone),
        false => with_turn(nodes),
    };
    let outputs = network.outputs().iter().map(|output| now[output.0]).collect();
    let old = network.metadata();
    let says_nothing =
        old.preprocessing == Metadata::for_input(network.shape(network.input())).preprocessing;
    let metadata = match says_nothing {
        true => {
            Metadata { preprocessing: Metadata::for_input(&shape).preprocessing, ..old.clone() }
        }
        false => old.clone(),
    };
    Network::new(network.name().to_owned(), nodes, network.params().to_vec(), outputs, metadata)
}

/// The nodes without some that give what the input is now, and where each one has gone.
fn without(nodes: Vec<Node>, gone: &[usize]) -> (Vec<Node>, Vec<NodeId>) {
    let mut now = Vec::with_capacity(nodes.len());
    let mut kept = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.into_iter().enumerate() {
        if gone.contains(&index) {
            now.push(NodeId(0));
            continue;
        }
        now.push(NodeId(kept.len()));
        kept.push(moved(node, &now));
    }
    (kept, now)
}

/// The nodes with one behind the input that turns it back.
fn with_turn(nodes: Vec<Node>) -> (Vec<Node>, Vec<NodeId>) {
    let taken = |name: &str| nodes.iter().any(|node| node.name == name);
    let mut name = format!("{}.channels_last", nodes[0].name);
    while taken(&name) {
        name.push('_');
    }
    let op = Op::Transpose { axes: vec![1, 2, 0] };
    let turn = Node { name, op, inputs: vec![NodeId(0)], params: vec![] };
    // Whoever took the input takes what has been turned.
    let now: Vec<NodeId> = (0..nodes.len()).map(|index| NodeId(index + 1)).collect();
    let mut all = Vec::with_capacity(nodes.len() + 1);
    for (index, node) in nodes.into_iter().enumerate() {
        all.push(moved(node, &now));
        if index == 0 {
            all.push(turn.clone());
        }
    }
    (all, now)
}

fn moved(node: Node, now: &[NodeId]) -> Node {
    let inputs = node.inputs.iter().map(|input| now[input.0]).collect();
    Node { inputs, ..node }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Binary, Unary};

    fn node(name: &str, op: Op, inputs: &[usize]) -> Node {
        let inputs = inputs.iter().map(|&input| NodeId(input)).collect();
        Node { name: name.into(), op, inputs, params: vec![] }
    }

    fn network(nodes: Vec<Node>) -> Network {
        let last = NodeId(nodes.len() - 1);
        let metadata = Metadata::for_input(&[8, 6, 3]);
        Network::new("nhwc", nodes, vec![], vec![last], metadata).unwrap()
    }

    #[test]
    fn a_transposition_in_front_goes_and_else_one_comes() {
        let input = || node("x", Op::Input { shape: vec![8, 6, 3] }, &[]);
        let exp = |input| node("exp", Op::Unary(Unary::Exp), &[input]);
        let turned = network(vec![
            input(),
            node("turn", Op::Transpose { axes: vec![2, 0, 1] }, &[0]),
            exp(1),
        ]);
        assert!(is_channels_last(&turned));
        let first = channels_first(&turned).unwrap();
        assert!(!is_channels_last(&first));
        let names: Vec<&str> = first.nodes().iter().map(|node| &node.name[..]).collect();
        assert_eq!(names, ["x", "exp"]);
        assert_eq!(first.shape(first.output()), [3, 8, 6]);
        assert_eq!(first.metadata(), &Metadata::for_input(&[3, 8, 6]));

        let both = network(vec![input(), exp(0), node("sum", Op::Binary(Binary::Add), &[0, 1])]);
        let first = channels_first(&both).unwrap();
        let names: Vec<&str> = first.nodes().iter().map(|node| &node.name[..]).collect();
        assert_eq!(names, ["x", "x.channels_last", "exp", "sum"]);
        assert_eq!(first.shape(first.input()), [3, 8, 6]);
        assert_eq!(first.shape(first.output()), [8, 6, 3]);
        assert_eq!(first.nodes()[3].inputs, [NodeId(1), NodeId(2)]);
    }

    #[test]
    fn a_vector_has_no_layout() {
        let vector = Network::new(
            "vector",
            vec![node("x", Op::Input { shape: vec![4] }, &[]), node("y", Op::Relu, &[0])],
            vec![],
            vec![NodeId(1)],
            Metadata::for_input(&[4]),
        )
        .unwrap();
        assert!(!is_channels_last(&vector));
        assert!(
            channels_first(&vector).unwrap_err().to_string().contains("[height, width, channels]")
        );
    }
}
