//! Symbolic derivatives, simplified as they are built: what is shown to the reader is what is
//! computed.

use super::nodes::{Function, Node};

/// Appends the derivative of `root` by an output; returns its place.
pub(super) fn derive(nodes: &mut Vec<Node>, root: usize, output: usize) -> usize {
    let mut builder = Builder { nodes };
    let zero = builder.number(0.0);
    let mut of: Vec<usize> = Vec::with_capacity(root + 1);
    for place in 0..=root {
        let derivative = step(&mut builder, place, &of, output, zero);
        of.push(derivative);
    }
    of[root]
}

/// The derivative of one node, given those of the nodes before it. What does not depend on the
/// output shares one `zero`, so that a derivative takes room only for what does.
fn step(n: &mut Builder, place: usize, of: &[usize], output: usize, zero: usize) -> usize {
    match n.nodes[place] {
        Node::Number(_) => zero,
        Node::Output(o) if o == output => n.number(1.0),
        Node::Output(_) => zero,
        Node::Negative(a) => n.negative(of[a]),
        Node::Sum(a, b) => n.sum(of[a], of[b]),
        Node::Difference(a, b) => n.difference(of[a], of[b]),
        Node::Product(a, b) => {
            let (left, right) = (n.product(of[a], b), n.product(a, of[b]));
            n.sum(left, right)
        }
        Node::Quotient(a, b) if of[b] == zero => n.quotient(of[a], b),
        Node::Quotient(a, b) => {
            // a'/b − a b'/b²
            let two = n.number(2.0);
            let (first, square) = (n.quotient(of[a], b), n.power(b, two));
            let top = n.product(a, of[b]);
            let second = n.quotient(top, square);
            n.difference(first, second)
        }
        Node::Power(a, b) => n.of_power(place, (a, of[a]), (b, of[b])),
        Node::Call(function, a) => n.of_call(function, place, a, of[a]),
    }
}

struct Builder<'a> {
    nodes: &'a mut Vec<Node>,
}

impl Builder<'_> {
    /// `b a^(b−1) a'` where the exponent does not depend on the output; else the general rule
    /// `a^b (b' ln a + b a'/a)`.
    fn of_power(&mut self, place: usize, a: (usize, usize), b: (usize, usize)) -> usize {
        if self.is(b.1, 0.0) {
            if self.is(a.1, 0.0) {
                return a.1;
            }
            let one = self.number(1.0);
            let less = self.difference(b.0, one);
            let power = self.power(a.0, less);
            let outer = self.product(b.0, power);
            return self.product(outer, a.1);
        }
        let ln = self.call(Function::Ln, a.0);
        let first = self.product(b.1, ln);
        let top = self.product(b.0, a.1);
        let second = self.quotient(top, a.0);
        let sum = self.sum(first, second);
        self.product(place, sum)
    }

    fn of_call(&mut self, function: Function, place: usize, a: usize, inner: usize) -> usize {
        if self.is(inner, 0.0) {
            return inner;
        }
        let (one, two) = (self.number(1.0), self.number(2.0));
        let outer = match function {
            Function::Exp => place,
            Function::Ln => return self.quotient(inner, a),
            Function::Log2 | Function::Log10 => {
                let base: f64 = if function == Function::Log2 { 2.0 } else { 10.0 };
                let ln = self.number(base.ln());
                let bottom = self.product(a, ln);
                return self.quotient(inner, bottom);
            }
            Function::Sqrt => {
                let bottom = self.product(two, place);
                return self.quotient(inner, bottom);
            }
            Function::Abs => self.call(Function::Sign, a),
            Function::Sign => self.number(0.0),
            Function::Sin => self.call(Function::Cos, a),
            Function::Cos => {
                let sin = self.call(Function::Sin, a);
                self.negative(sin)
            }
            Function::Sinh => self.call(Function::Cosh, a),
            Function::Cosh => self.call(Function::Sinh, a),
            Function::Tan => {
                let square = self.power(place, two);
                self.sum(one, square)
            }
            Function::Tanh => {
                let square = self.power(place, two);
                self.difference(one, square)
            }
        };
        self.product(outer, inner)
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn number(&mut self, number: f64) -> usize {
        self.push(Node::Number(number))
    }

    fn constant(&self, place: usize) -> Option<f64> {
        match self.nodes[place] {
            Node::Number(number) => Some(number),
            _ => None,
        }
    }

    fn is(&self, place: usize, number: f64) -> bool {
        self.constant(place) == Some(number)
    }

    fn negative(&mut self, a: usize) -> usize {
        match self.nodes[a] {
            Node::Number(0.0) => a,
            Node::Number(number) => self.number(-number),
            Node::Negative(inner) => inner,
            _ => self.push(Node::Negative(a)),
        }
    }

    fn sum(&mut self, a: usize, b: usize) -> usize {
        match (self.constant(a), self.constant(b)) {
            (Some(0.0), _) => b,
            (_, Some(0.0)) => a,
            (Some(x), Some(y)) => self.number(x + y),
            _ => self.push(Node::Sum(a, b)),
        }
    }

    fn difference(&mut self, a: usize, b: usize) -> usize {
        match (self.constant(a), self.constant(b)) {
            (_, Some(0.0)) => a,
            (Some(0.0), _) => self.negative(b),
            (Some(x), Some(y)) => self.number(x - y),
            _ => self.push(Node::Difference(a, b)),
        }
    }

    fn product(&mut self, a: usize, b: usize) -> usize {
        match (self.constant(a), self.constant(b)) {
            (Some(0.0), _) | (_, Some(1.0)) => a,
            (_, Some(0.0)) | (Some(1.0), _) => b,
            (Some(x), Some(y)) => self.number(x * y),
            (Some(-1.0), _) => self.negative(b),
            (_, Some(-1.0)) => self.negative(a),
            _ => self.push(Node::Product(a, b)),
        }
    }

    fn quotient(&mut self, a: usize, b: usize) -> usize {
        if self.is(a, 0.0) || self.is(b, 1.0) { a } else { self.push(Node::Quotient(a, b)) }
    }

    fn power(&mut self, a: usize, b: usize) -> usize {
        match self.constant(b) {
            Some(1.0) => a,
            Some(0.0) => self.number(1.0),
            _ => self.push(Node::Power(a, b)),
        }
    }

    fn call(&mut self, function: Function, a: usize) -> usize {
        self.push(Node::Call(function, a))
    }
}
