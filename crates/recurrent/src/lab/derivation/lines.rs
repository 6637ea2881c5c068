//! The derivation as a person would write it.

use super::Derivation;
use crate::lab::functions::{Activation, Output};
use crate::lab::math::Math;
use crate::lab::problem::Problem;
use crate::matrix::{Matrix, add_scaled};

/// A line of the derivation.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it is, a part of a sentence.
    pub words: String,
    /// The formula, with the numbers in it.
    pub math: Math,
}

/// Derivatives by single outputs are written out up to this many.
const OUTPUTS: usize = 4;
/// Terms of the sum over time that are written: the first ones and the last.
const TERMS: usize = 6;

const EQUALS: Math = Math::Sign("=");
const TIMES: Math = Math::Sign("·");

pub(super) fn of(d: &Derivation, problem: &Problem) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = |words: String, pieces: Vec<Math>| {
        lines.push(Line { words, math: Math::Row(pieces) });
    };
    of_loss(d, problem, &mut line);
    of_output(d, problem, &mut line);
    of_state(d, problem, &mut line);
    of_time(d, problem, &mut line);
    line(
        format!("the gradient of the loss at step {} by b", d.t),
        vec![
            by(at("L", d.t), Math::name("b")),
            EQUALS,
            by(at("L", d.t), at("a", d.t)),
            TIMES,
            by(at("a", d.t), Math::name("b")),
            EQUALS,
            Math::row_vector(&d.loss_by_a),
            TIMES,
            Math::matrix(&d.a_by_b),
            EQUALS,
            Math::row_vector(&d.loss_by_b),
        ],
    );
    lines
}

fn of_loss(d: &Derivation, problem: &Problem, line: &mut impl FnMut(String, Vec<Math>)) {
    let mut pieces = vec![at("L", d.t), EQUALS];
    if let Some(formula) = problem.loss.math() {
        pieces.extend([formula, EQUALS]);
    }
    pieces.push(Math::Number(d.loss));
    line(format!("the loss at step {}", d.t), pieces);
    if d.loss_by_y.len() <= OUTPUTS {
        for (i, &value) in d.loss_by_y.iter().enumerate() {
            let y = Math::Index(Box::new(Math::name("ŷ")), (i + 1).to_string());
            let mut pieces = vec![by(at("L", d.t), y), EQUALS];
            if let Some(formula) = problem.loss.partial_math(i)
                && !matches!(formula, Math::Number(_))
            {
                pieces.extend([formula, EQUALS]);
            }
            pieces.push(Math::Number(value));
            line(format!("by output {}", i + 1), pieces);
        }
    } else {
        let pieces =
            vec![by(at("L", d.t), Math::name("ŷ")), EQUALS, Math::row_vector(&d.loss_by_y)];
        line("by the outputs".to_owned(), pieces);
    }
}

fn of_output(d: &Derivation, problem: &Problem, line: &mut impl FnMut(String, Vec<Math>)) {
    let y = || Math::name("ŷ");
    let (words, rule) = match problem.output {
        Output::Softmax => (
            "the softmax: each output depends on every o",
            vec![diag(vec![y()]), Math::Sign("−"), y(), Math::row([y(), Math::Sign("ᵀ")])],
        ),
        Output::Sigmoid => {
            let less = vec![Math::Number(1.0), Math::Sign("−"), y()];
            let rule = vec![y(), Math::Sign("("), Math::Row(less), Math::Sign(")")];
            ("the sigmoid: each output depends on its own o", vec![diag(rule)])
        }
        Output::Identity => ("the outputs are o themselves", vec![Math::name("I")]),
    };
    let mut pieces = vec![by(y(), Math::name("o")), EQUALS];
    pieces.extend(rule);
    pieces.extend([EQUALS, Math::matrix(&d.y_by_o)]);
    line(words.to_owned(), pieces);
    line(
        "the chain rule, first factor".to_owned(),
        vec![
            by(at("L", d.t), Math::name("o")),
            EQUALS,
            by(at("L", d.t), y()),
            TIMES,
            by(y(), Math::name("o")),
            EQUALS,
            Math::row_vector(&d.loss_by_y),
            TIMES,
            Math::matrix(&d.y_by_o),
            EQUALS,
            Math::row_vector(&d.loss_by_o),
        ],
    );
}

fn of_state(d: &Derivation, problem: &Problem, line: &mut impl FnMut(String, Vec<Math>)) {
    line(
        "from o = c + V h".to_owned(),
        vec![
            by(Math::name("o"), Math::name("h")),
            EQUALS,
            Math::name("V"),
            EQUALS,
            Math::matrix(&d.o_by_h),
        ],
    );
    let h = || at("h", d.t);
    let (words, rule) = match problem.activation {
        Activation::Tanh => {
            let square = Math::Power(Box::new(h()), Box::new(Math::Number(2.0)));
            ("from h = tanh a", vec![diag(vec![Math::Number(1.0), Math::Sign("−"), square])])
        }
        Activation::Sigmoid => {
            let less = [Math::Sign("("), Math::Number(1.0), Math::Sign("−"), h(), Math::Sign(")")];
            ("from h = sigmoid a", vec![diag([vec![h()], less.to_vec()].concat())])
        }
        Activation::Relu => {
            let positive = vec![Math::Word("[".into()), at("a", d.t), Math::Word(" > 0]".into())];
            ("from h = max(0, a): 1 where a is above 0", vec![diag(positive)])
        }
        Activation::Identity => ("h is a itself", vec![Math::name("I")]),
    };
    let mut pieces = vec![at("D", d.t), EQUALS, by(h(), at("a", d.t)), EQUALS];
    pieces.extend(rule);
    pieces.extend([EQUALS, Math::matrix(&Matrix::diagonal(&d.slopes[d.t - 1]))]);
    line(words.to_owned(), pieces);
    line(
        "the chain rule as far as a".to_owned(),
        vec![
            by(at("L", d.t), at("a", d.t)),
            EQUALS,
            by(at("L", d.t), Math::name("o")),
            TIMES,
            by(Math::name("o"), Math::name("h")),
            TIMES,
            at("D", d.t),
            EQUALS,
            Math::row_vector(&d.loss_by_a),
        ],
    );
}

/// `∂a(t)/∂b`, term by term over time.
fn of_time(d: &Derivation, problem: &Problem, line: &mut impl FnMut(String, Vec<Math>)) {
    let mut rule = vec![by(at("a", d.t), Math::name("b")), EQUALS, Math::name("I")];
    if d.t > 1 {
        rule.extend([Math::Sign("+"), Math::name("W"), TIMES, at("D", d.t - 1), TIMES]);
        rule.push(by(at("a", d.t - 1), Math::name("b")));
        rule.push(EQUALS);
        rule.push(Math::name("I"));
        for k in 1..d.t.min(4) {
            rule.push(Math::Sign("+"));
            rule.extend(factors(d.t, k));
        }
        if d.t > 4 {
            rule.extend([Math::Sign("+"), Math::Sign("⋯")]);
        }
    }
    let words = "b acts at every step, and the earlier ones reach a through the states";
    line(words.to_owned(), rule);
    let last = d.terms.len() - 1;
    for (k, term) in d.terms.iter().enumerate() {
        if k < TERMS - 1 || k == last {
            line(words_of(d, k), of_term(d, k, &problem.parameters.w));
        } else if k == TERMS - 1 {
            let mut sum = Matrix::zeros(term.rows(), term.columns());
            d.terms[k..last].iter().for_each(|t| add_scaled(sum.values_mut(), 1.0, t.values()));
            let words = format!("b at the steps {} down to 2, together", d.t - k);
            line(words, vec![Math::Sign("⋯"), EQUALS, Math::matrix(&sum)]);
        }
    }
    let words = "the sum of all terms".to_owned();
    line(words, vec![by(at("a", d.t), Math::name("b")), EQUALS, Math::matrix(&d.a_by_b)]);
}

fn words_of(d: &Derivation, k: usize) -> String {
    match k {
        0 => format!("b at step {} itself", d.t),
        1 => format!("b at step {}, 1 step back", d.t - 1),
        _ => format!("b at step {}, {k} steps back", d.t - k),
    }
}

/// Term k: the one before it, times W, times D. The first of them shows the numbers of W.
fn of_term(d: &Derivation, k: usize, w: &Matrix) -> Vec<Math> {
    let term = Math::matrix(&d.terms[k]);
    if k == 0 {
        return vec![Math::name("I"), EQUALS, term];
    }
    let mut pieces = factors(d.t, k);
    pieces.push(EQUALS);
    if k == 1 {
        pieces.push(Math::matrix(w));
    } else {
        pieces.extend([Math::matrix(&d.terms[k - 1]), TIMES, Math::name("W")]);
    }
    let slopes = Matrix::diagonal(&d.slopes[d.t - 1 - k]);
    pieces.extend([TIMES, Math::matrix(&slopes), EQUALS, term]);
    pieces
}

/// `W·D(t−1)·W·D(t−2)…`, k pairs; the middle of many left out.
fn factors(t: usize, k: usize) -> Vec<Math> {
    let mut pieces = Vec::new();
    for i in 1..=k {
        if k > 3 && i == 3 {
            pieces.extend([TIMES, Math::Sign("⋯")]);
        }
        if k > 3 && (3..k).contains(&i) {
            continue;
        }
        if i > 1 {
            pieces.push(TIMES);
        }
        pieces.extend([Math::name("W"), TIMES, at("D", t - i)]);
    }
    pieces
}

/// `a(3)`.
fn at(name: &str, t: usize) -> Math {
    Math::row([Math::name(name), Math::Sign("("), Math::Number(t as f64), Math::Sign(")")])
}

/// `∂top/∂bottom`.
fn by(top: Math, bottom: Math) -> Math {
    let del = |math| Box::new(Math::row([Math::Sign("∂"), math]));
    Math::Fraction(del(top), del(bottom))
}

fn diag(inside: Vec<Math>) -> Math {
    let word = Math::Word("diag".into());
    Math::row([word, Math::Sign("("), Math::Row(inside), Math::Sign(")")])
}
