//! `Einsum` of one or two inputs: a transposition, a product of matrices, a transposition.
//!
//! Letters that both inputs have and the result too are counted along together; those that the result has
//! not are summed over; the rest is rows (of the first) and columns (of the second). So every equation
//! without a letter twice in one input is one product of matrices.

use std::collections::BTreeMap;

use crate::onnx::fold::{permuted, reduced};
use crate::onnx::reader::{Call, Import, Value};
use crate::onnx::tensor::{Data, Tensor};
use crate::{NodeId, Op, Reduce};

/// An input or the result: its letters in order.
type Letters = Vec<char>;

/// An equation, `...` written out.
struct Equation {
    inputs: Vec<Letters>,
    output: Letters,
}

/// An input and the letters of its axes.
struct Term {
    what: What,
    letters: Letters,
}

/// A constant is turned and summed while reading, and becomes a node as the product takes it.
enum What {
    Node(NodeId),
    Constant(Tensor),
}

pub(super) fn read(import: &mut Import, call: &Call<'_>) -> Result<(), String> {
    let text = call.attributes.text("equation", "")?;
    let count = call.input_count();
    let mut ranks = Vec::new();
    for index in 0..count {
        ranks.push(match import.value(call, index)? {
            Value::Node(operand) => import.dims(operand).len(),
            Value::Constant(tensor) => tensor.dims.len(),
        });
    }
    let equation = Equation::parse(&text, &ranks)?;
    let batch = batch_letter(import, call, &equation)?;
    let place = equation.output.iter().position(|letter| Some(*letter) == batch);
    let mut terms = Vec::new();
    for (index, letters) in equation.inputs.iter().enumerate() {
        let own = letters.iter().position(|letter| Some(*letter) == batch);
        let what = match import.value(call, index)? {
            Value::Node(_) => What::Node(import.node_at(call, index, ranks[index], own)?),
            Value::Constant(tensor) => {
                let mut tensor = Tensor::clone(&tensor);
                if let Some(axis) = own
                    && tensor.dims.remove(axis) != 1
                {
                    return Err(format!("input {index} has several numbers along the batch"));
                }
                What::Constant(tensor)
            }
        };
        let without = |letters: &Letters| -> Letters {
            letters.iter().copied().filter(|letter| Some(*letter) != batch).collect()
        };
        terms.push(Term { what, letters: without(letters) });
    }
    let output: Letters =
        equation.output.iter().copied().filter(|letter| Some(*letter) != batch).collect();
    let mut work = Work { import, call, sizes: BTreeMap::new() };
    for term in &terms {
        work.learn(term)?;
    }
    let result = match terms.len() {
        1 => work.alone(terms.remove(0), &output, &[])?,
        2 => {
            let second = terms.remove(1);
            work.product(terms.remove(0), second, &output)?
        }
        _ => {
            return Err(format!("an equation of {count} inputs is not supported; expected 1 or 2"));
        }
    };
    // The last step has the name of the call.
    let axes: Vec<usize> = output
        .iter()
        .map(|letter| result.letters.iter().position(|own| own == letter).expect("in the result"))
        .collect();
    let What::Node(node) = result.what else { return Err("its inputs are all constants".into()) };
    let axes = if axes.is_empty() { vec![0] } else { axes };
    match axes.is_sorted() {
        true => {
            let shape = import.shape(node).to_vec();
            import.emit_at(call, place, Op::Reshape { shape }, vec![node], vec![])
        }
        false => import.emit_at(call, place, Op::Transpose { axes }, vec![node], vec![]),
    }
}

/// The letter that is the batch: it must stay.
fn batch_letter(
    import: &Import,
    call: &Call<'_>,
    equation: &Equation,
) -> Result<Option<char>, String> {
    let mut found = None;
    for (index, letters) in equation.inputs.iter().enumerate() {
        if let Value::Node(operand) = import.value(call, index)?
            && let Some(batch) = operand.batch
        {
            let letter = letters[batch];
            if *found.get_or_insert(letter) != letter {
                return Err("the batch has two different letters".into());
            }
        }
    }
    match found {
        Some(letter) if !equation.output.contains(&letter) => Err(format!(
            "letter {letter:?} is the batch and is summed over; samples must not be joined"
        )),
        found => Ok(found),
    }
}

impl Equation {
    fn parse(text: &str, ranks: &[usize]) -> Result<Equation, String> {
        let refused = |why: &str| format!("the equation {text:?} {why}");
        let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = match plain.split_once("->") {
            Some((left, right)) => (left.to_owned(), Some(right.to_owned())),
            None => (plain, None),
        };
        let sides: Vec<&str> = left.split(',').collect();
        if sides.len() != ranks.len() || ranks.is_empty() {
            return Err(refused(&format!("does not fit {} inputs", ranks.len())));
        }
        let mut most = 0;
        for (side, &rank) in sides.iter().zip(ranks) {
            if side.contains("...") {
                most = most.max(rank.saturating_sub(side.replace("...", "").chars().count()));
            }
        }
        let mut inputs = Vec::new();
        for (side, &rank) in sides.iter().zip(ranks) {
            let own = rank.saturating_sub(side.replace("...", "").chars().count());
            let letters = spelt(side, own, most).ok_or_else(|| refused("is none"))?;
            if letters.len() != rank {
                return Err(refused(&format!("has {} letters for {rank} axes", letters.len())));
            }
            inputs.push(letters);
        }
        let output = match &right {
            Some(right) => spelt(right, most, most).ok_or_else(|| refused("is none"))?,
            None => implicit(&inputs),
        };
        let all = || inputs.iter().flatten();
        for letters in inputs.iter().chain([&output]) {
            let twice = (1..letters.len()).find(|&i| letters[..i].contains(&letters[i]));
            if let Some(i) = twice {
                return Err(refused(&format!("has {:?} twice in one input", letters[i])));
            }
        }
        if let Some(letter) = output.iter().find(|letter| !all().any(|own| own == *letter)) {
            return Err(refused(&format!("has {letter:?} in its result only")));
        }
        Ok(Equation { inputs, output })
    }
}

/// Letters of one side; `...` stands for the last `own` of the digits below `most`.
fn spelt(side: &str, own: usize, most: usize) -> Option<Letters> {
    let dots = |count: usize| -> Option<Letters> {
        (most - count.min(most)..most).map(|i| char::from_digit(i as u32, 10)).collect()
    };
    let (before, after) = match side.split_once("...") {
        Some((before, after)) => (before, Some(after)),
        None => (side, None),
    };
    let mut letters: Letters = before.chars().collect();
    if let Some(after) = after {
        letters.extend(dots(own)?);
        letters.extend(after.chars());
    }
    let known = |c: &char| c.is_ascii_alphanumeric();
    letters.iter().all(known).then_some(letters)
}

/// Without a result in the equation: what `...` stands for, then the letters that occur once, in order.
fn implicit(inputs: &[Letters]) -> Letters {
    let mut counts: BTreeMap<char, usize> = BTreeMap::new();
    inputs.iter().flatten().for_each(|letter| *counts.entry(*letter).or_default() += 1);
    let dots = counts.keys().copied().filter(char::is_ascii_digit);
    let once = counts.iter().filter(|(letter, count)| !letter.is_ascii_digit() && **count == 1);
    dots.chain(once.map(|(letter, _)| *letter)).collect()
}

struct Work<'a, 'b> {
    import: &'a mut Import,
    call: &'a Call<'b>,
    sizes: BTreeMap<char, usize>,
}

impl Work<'_, '_> {
    fn shape(&self, term: &Term) -> Vec<usize> {
        match &term.what {
            What::Node(node) => self.import.shape(*node).to_vec(),
            What::Constant(tensor) => tensor.dims.clone(),
        }
    }

    /// A letter has one size.
    fn learn(&mut self, term: &Term) -> Result<(), String> {
        for (&letter, size) in term.letters.iter().zip(self.shape(term)) {
            let known = *self.sizes.entry(letter).or_insert(size);
            if known != size {
                return Err(format!("letter {letter:?} has sizes {known} and {size}"));
            }
        }
        Ok(())
    }

    /// Sums over letters that neither the result nor the other input has.
    fn alone(&mut self, term: Term, output: &[char], other: &[char]) -> Result<Term, String> {
        let gone = |letter: &char| !output.contains(letter) && !other.contains(letter);
        let axes: Vec<usize> =
            (0..term.letters.len()).filter(|&i| gone(&term.letters[i])).collect();
        if axes.is_empty() {
            return Ok(term);
        }
        let letters: Letters = term.letters.iter().copied().filter(|l| !gone(l)).collect();
        let node = match term.what {
            What::Constant(x) => {
                let sum = reduced(self.import, "ReduceSum", &x, &axes, false)?;
                return Ok(Term { what: What::Constant(sum), letters });
            }
            What::Node(node) => node,
        };
        let keep = letters.is_empty();
        let sum = Op::Reduce { kind: Reduce::Sum, axes, keep };
        let mut node = self.import.step(self.call, "sum", sum, vec![node], vec![])?;
        if keep {
            node = self.import.reshaped(self.call, node, vec![1])?;
        }
        Ok(Term { what: What::Node(node), letters })
    }

    /// The product of two inputs, its letters in the order together, rows, columns.
    fn product(&mut self, a: Term, b: Term, output: &[char]) -> Result<Term, String> {
        let a = self.alone(a, output, &b.letters)?;
        let b = self.alone(b, output, &a.letters)?;
        let (of_a, of_b) = (a.letters.clone(), b.letters.clone());
        let both = |letter: &char| of_a.contains(letter) && of_b.contains(letter);
        let pick = |from: &Letters, f: &dyn Fn(&char) -> bool| -> Letters {
            from.iter().copied().filter(|letter| f(letter)).collect()
        };
        let together = pick(&of_a, &|l| both(l) && output.contains(l));
        let summed = pick(&of_a, &|l| both(l) && !output.contains(l));
        let (rows, columns) = (pick(&of_a, &|l| !both(l)), pick(&of_b, &|l| !both(l)));
        let left = self.matrix(a, "left", [&together, &rows, &summed])?;
        let right = self.matrix(b, "right", [&together, &summed, &columns])?;
        let product =
            self.import.step(self.call, "product", Op::MatMul, vec![left, right], vec![])?;
        let letters = [together, rows, columns].concat();
        let mut shape: Vec<usize> = letters.iter().map(|letter| self.sizes[letter]).collect();
        if shape.is_empty() {
            shape.push(1);
        }
        let node = self.import.reshaped(self.call, product, shape)?;
        Ok(Term { what: What::Node(node), letters })
    }

    /// A term as `[together, rows, columns]`, or a matrix where nothing is counted along together.
    fn matrix(&mut self, term: Term, side: &str, groups: [&Letters; 3]) -> Result<NodeId, String> {
        let wanted = groups.map(Vec::as_slice).concat();
        let at = |letter| term.letters.iter().position(|own| own == letter);
        let axes: Vec<usize> =
            wanted.iter().map(|letter| at(letter).expect("a letter of it")).collect();
        let size = |letters: &Letters| letters.iter().map(|letter| self.sizes[letter]).product();
        let mut shape = groups.map(size).to_vec();
        if groups[0].is_empty() {
            shape.remove(0);
        }
        match term.what {
            What::Constant(x) => {
                let x = permuted(self.import, &x, &axes)?;
                let Data::Floats(values) = &x.data else {
                    return Err("a constant of it is not of floats".into());
                };
                self.import.made_node(self.call, side, shape, values.to_vec())
            }
            What::Node(node) if axes.is_sorted() => self.import.reshaped(self.call, node, shape),
            What::Node(node) => {
                let turned = Op::Transpose { axes };
                let node = self.import.step(self.call, side, turned, vec![node], vec![])?;
                self.import.reshaped(self.call, node, shape)
            }
        }
    }
}
