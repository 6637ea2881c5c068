//! As MathML Core, which browsers draw without any script.

use std::fmt::Write as _;

use super::{Cell, Math, parts};

/// One displayed formula: `<math display="block">…</math>`. The brackets of a matrix have the class
/// `bracket`, for pages that draw them without a mathematical font.
#[must_use]
pub fn to_mathml(math: &Math) -> String {
    let mut out = String::from("<math display=\"block\"><mrow>");
    write(math, &mut out);
    out.push_str("</mrow></math>");
    out
}

fn write(math: &Math, out: &mut String) {
    match math {
        Math::Name(name) if name == "ŷ" => {
            out.push_str("<mover><mi>y</mi><mo stretchy=\"false\">^</mo></mover>");
        }
        Math::Name(name) => element("mi", name, out),
        Math::Number(value) => number(*value, out),
        Math::Sign("ᵀ") => out.push_str("<msup><mi></mi><mi>T</mi></msup>"),
        Math::Sign("∂") => out.push_str("<mo rspace=\"0\">∂</mo>"),
        Math::Sign("-") => out.push_str("<mo form=\"prefix\">−</mo>"),
        Math::Sign("(") => out.push_str("<mo stretchy=\"false\">(</mo>"),
        Math::Sign(")") => out.push_str("<mo stretchy=\"false\">)</mo>"),
        Math::Sign(sign) => element("mo", sign, out),
        Math::Word(word) => {
            element("mi", word, out);
        }
        Math::Index(base, index) => {
            out.push_str("<msub>");
            group(base, out);
            element("mi", index, out);
            out.push_str("</msub>");
        }
        Math::Power(base, exponent) => pair("msup", base, exponent, out),
        Math::Fraction(top, bottom) => pair("mfrac", top, bottom, out),
        Math::Row(pieces) => pieces.iter().for_each(|piece| write(piece, out)),
        Math::Matrix(rows) => matrix(rows, out),
    }
}

fn matrix(rows: &[Vec<Cell>], out: &mut String) {
    out.push_str("<mrow><mo class=\"bracket\">[</mo><mtable>");
    for row in rows {
        out.push_str("<mtr>");
        for cell in row {
            out.push_str("<mtd>");
            match cell {
                Cell::Number(value) => number(*value, out),
                Cell::Dots => out.push_str("<mo>⋯</mo>"),
            }
            out.push_str("</mtd>");
        }
        out.push_str("</mtr>");
    }
    out.push_str("</mtable><mo class=\"bracket\">]</mo></mrow>");
}

fn pair(tag: &str, first: &Math, second: &Math, out: &mut String) {
    let _ = write!(out, "<{tag}>");
    group(first, out);
    group(second, out);
    let _ = write!(out, "</{tag}>");
}

fn group(math: &Math, out: &mut String) {
    out.push_str("<mrow>");
    write(math, out);
    out.push_str("</mrow>");
}

fn number(value: f64, out: &mut String) {
    let (negative, mantissa, exponent) = parts(value);
    out.push_str("<mrow>");
    if negative {
        out.push_str("<mo form=\"prefix\">−</mo>");
    }
    element("mn", &mantissa, out);
    if let Some(power) = exponent {
        let power = power.to_string().replace('-', "−");
        let _ = write!(out, "<mo>×</mo><msup><mn>10</mn><mn>{power}</mn></msup>");
    }
    out.push_str("</mrow>");
}

fn element(tag: &str, text: &str, out: &mut String) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = write!(out, "<{tag}>{text}</{tag}>");
}
