//! A formula or its derivative as mathematics.

use super::nodes::{Formula, Function, Node};
use crate::lab::math::Math;

/// Larger expressions than this are not written out: nobody would read them.
const LARGEST: usize = 200;

/// How tightly an expression holds together, loosest first.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Binding {
    Sum,
    Product,
    Power,
    Atom,
}

impl Formula {
    /// The formula; none where it is too long to be read.
    #[must_use]
    pub fn math(&self) -> Option<Math> {
        self.write(self.root)
    }

    /// The derivative by an output; none where it is too long to be read.
    #[must_use]
    pub fn partial_math(&self, output: usize) -> Option<Math> {
        self.write(self.partials[output])
    }

    fn write(&self, place: usize) -> Option<Math> {
        let mut left = LARGEST;
        Some(self.expression(place, &mut left)?.0)
    }

    fn expression(&self, place: usize, left: &mut usize) -> Option<(Math, Binding)> {
        *left = left.checked_sub(1)?;
        Some(match self.nodes[place] {
            Node::Number(number) if number < 0.0 => (Math::Number(number), Binding::Sum),
            Node::Number(number) => (Math::Number(number), Binding::Atom),
            Node::Output(output) => {
                let name = Box::new(Math::name("ŷ"));
                (Math::Index(name, (output + 1).to_string()), Binding::Atom)
            }
            Node::Negative(a) => {
                let a = self.inside(a, Binding::Product, left)?;
                (Math::row([Math::Sign("-"), a]), Binding::Sum)
            }
            Node::Sum(a, b) => self.infix(a, "+", b, Binding::Sum, Binding::Product, left)?,
            Node::Difference(a, b) => {
                self.infix(a, "−", b, Binding::Sum, Binding::Product, left)?
            }
            Node::Product(a, b) => {
                self.infix(a, "·", b, Binding::Product, Binding::Product, left)?
            }
            Node::Quotient(a, b) => {
                let (a, b) = (self.expression(a, left)?.0, self.expression(b, left)?.0);
                (Math::Fraction(Box::new(a), Box::new(b)), Binding::Product)
            }
            Node::Power(a, b) => {
                let base = self.inside(a, Binding::Atom, left)?;
                let exponent = self.expression(b, left)?.0;
                (Math::Power(Box::new(base), Box::new(exponent)), Binding::Power)
            }
            Node::Call(function, a) => (self.call(function, a, left)?, Binding::Power),
        })
    }

    fn infix(
        &self,
        a: usize,
        sign: &'static str,
        b: usize,
        own: Binding,
        right: Binding,
        left: &mut usize,
    ) -> Option<(Math, Binding)> {
        let a = self.inside(a, own, left)?;
        let b = self.inside(b, right, left)?;
        Some((Math::row([a, Math::Sign(sign), b]), own))
    }

    /// In parentheses where it holds together less than `needed`.
    fn inside(&self, place: usize, needed: Binding, left: &mut usize) -> Option<Math> {
        let (math, binding) = self.expression(place, left)?;
        if binding >= needed {
            return Some(math);
        }
        Some(Math::row([Math::Sign("("), math, Math::Sign(")")]))
    }

    fn call(&self, function: Function, a: usize, left: &mut usize) -> Option<Math> {
        let name = Math::Word(function.name().to_owned());
        let argument = self.expression(a, left)?.0;
        Some(Math::row([name, Math::Sign("("), argument, Math::Sign(")")]))
    }
}
