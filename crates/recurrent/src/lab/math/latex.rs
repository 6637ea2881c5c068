//! As LaTeX, with `amsmath`.

use super::{Cell, Math, parts};

/// The formula without delimiters.
#[must_use]
pub fn to_latex(math: &Math) -> String {
    let mut out = String::new();
    write(math, &mut out);
    out.truncate(out.trim_end().len());
    out
}

fn write(math: &Math, out: &mut String) {
    match math {
        Math::Name(name) => out.push_str(&symbol(name)),
        Math::Number(value) => out.push_str(&number(*value)),
        Math::Sign(sign) => out.push_str(match *sign {
            "·" => "\\, ",
            "−" => " - ",
            "∂" => "\\partial ",
            "⋯" => "\\cdots ",
            "ᵀ" => "^{\\top}",
            "=" => " = ",
            "+" => " + ",
            "," => ",\\; ",
            other => other,
        }),
        Math::Word(word) => out.push_str(&format!("\\operatorname{{{}}}", escaped(word))),
        Math::Index(base, index) => {
            write(base, out);
            out.push_str(&format!("_{{{}}}", escaped(index)));
        }
        Math::Power(base, exponent) => {
            out.push('{');
            write(base, out);
            out.push_str("}^{");
            write(exponent, out);
            out.push('}');
        }
        Math::Fraction(top, bottom) => {
            out.push_str("\\frac{");
            write(top, out);
            out.push_str("}{");
            write(bottom, out);
            out.push('}');
        }
        Math::Row(pieces) => pieces.iter().for_each(|piece| write(piece, out)),
        Math::Matrix(rows) => {
            let cell = |cell: &Cell| match cell {
                Cell::Number(value) => number(*value),
                Cell::Dots => "\\cdots".to_owned(),
            };
            let rows = rows.iter().map(|r| r.iter().map(cell).collect::<Vec<_>>().join(" & "));
            let rows = rows.collect::<Vec<_>>().join(" \\\\ ");
            out.push_str(&format!("\\begin{{bmatrix}} {rows} \\end{{bmatrix}}"));
        }
    }
}

fn symbol(name: &str) -> String {
    match name {
        "ŷ" => "\\hat{y}".to_owned(),
        "π" => "\\pi ".to_owned(),
        one if one.chars().count() == 1 => escaped(one),
        longer => format!("\\mathrm{{{}}}", escaped(longer)),
    }
}

fn number(value: f64) -> String {
    let (negative, mantissa, exponent) = parts(value);
    let sign = if negative { "-" } else { "" };
    match (mantissa.as_str(), exponent) {
        ("∞", _) => format!("{sign}\\infty"),
        ("NaN", _) => "\\mathrm{NaN}".to_owned(),
        (mantissa, None) => format!("{sign}{mantissa}"),
        (mantissa, Some(power)) => format!("{sign}{mantissa} \\times 10^{{{power}}}"),
    }
}

/// Names are the laboratory's own; yet nothing is trusted to have no meaning in TeX.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '^' | '~' => out.push(' '),
            '{' | '}' | '#' | '$' | '%' | '&' | '_' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
