//! For the terminal: Unicode, a matrix over as many lines as it has rows.

use super::{Cell, Math, parts};

/// The formula in one or more lines, each without blanks at its end.
#[must_use]
pub fn to_text(math: &Math) -> String {
    let block = block(math);
    let lines: Vec<String> = block.lines.iter().map(|l| l.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Lines of equal width, and the one on which the writing stands.
struct Block {
    lines: Vec<String>,
    base: usize,
}

impl Block {
    fn line(text: impl Into<String>) -> Block {
        Block { lines: vec![text.into()], base: 0 }
    }

    fn width(&self) -> usize {
        self.lines.first().map_or(0, |line| line.chars().count())
    }

    fn beside(self, other: Block) -> Block {
        let above = self.base.max(other.base);
        let below = (self.lines.len() - self.base).max(other.lines.len() - other.base);
        let (left, right) = (self.width(), other.width());
        let line = |block: &Block, width: usize, row: usize| {
            let inside = (row + block.base).checked_sub(above);
            let line = inside.and_then(|i| block.lines.get(i));
            line.cloned().unwrap_or_else(|| " ".repeat(width))
        };
        let rows = 0..above + below;
        let lines = rows.map(|r| line(&self, left, r) + &line(&other, right, r)).collect();
        Block { lines, base: above }
    }
}

fn block(math: &Math) -> Block {
    match math {
        Math::Name(name) => Block::line(name.clone()),
        Math::Word(word) => Block::line(word.clone()),
        Math::Number(value) => Block::line(number(*value)),
        Math::Sign(sign) => Block::line(match *sign {
            "=" | "+" | "−" | "·" | "⋯" => format!(" {sign} "),
            "," => ", ".to_owned(),
            "-" => "−".to_owned(),
            sign => sign.to_owned(),
        }),
        Math::Index(base, index) => block(base).beside(Block::line(subscript(index))),
        Math::Power(base, exponent) => block(base).beside(Block::line(superscript(exponent))),
        Math::Fraction(top, bottom) => fraction(top, bottom),
        Math::Row(pieces) => {
            let pieces = pieces.iter().map(block);
            pieces.reduce(Block::beside).unwrap_or_else(|| Block::line(""))
        }
        Math::Matrix(rows) => matrix(rows),
    }
}

/// Short ones on one line, `∂L/∂o`; others one over the other.
fn fraction(top: &Math, bottom: &Math) -> Block {
    let (top, bottom) = (block(top), block(bottom));
    let plain = |b: &Block| b.lines.len() == 1 && !b.lines[0].contains(' ');
    if plain(&top) && plain(&bottom) {
        return Block::line(format!("{}/{}", top.lines[0], bottom.lines[0]));
    }
    let width = top.width().max(bottom.width());
    let centred = |line: &String, own: usize| {
        let left = (width - own) / 2;
        format!("{}{line}{}", " ".repeat(left), " ".repeat(width - own - left))
    };
    let mut lines: Vec<String> = top.lines.iter().map(|l| centred(l, top.width())).collect();
    let base = lines.len();
    lines.push("─".repeat(width));
    lines.extend(bottom.lines.iter().map(|l| centred(l, bottom.width())));
    Block { lines, base }
}

fn matrix(rows: &[Vec<Cell>]) -> Block {
    let cell = |cell: &Cell| match cell {
        Cell::Number(value) => number(*value),
        Cell::Dots => "⋯".to_owned(),
    };
    let cells: Vec<Vec<String>> = rows.iter().map(|r| r.iter().map(cell).collect()).collect();
    let columns = cells.first().map_or(0, Vec::len);
    let width = |c: usize| cells.iter().map(|r| r[c].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let last = cells.len().saturating_sub(1);
    let line = |(i, row): (usize, &Vec<String>)| {
        let (left, right) = match (i, last) {
            (_, 0) => ('[', ']'),
            (0, _) => ('⎡', '⎤'),
            (i, last) if i == last => ('⎣', '⎦'),
            _ => ('⎢', '⎥'),
        };
        let padded = |(cell, &width): (&String, &usize)| {
            format!("{}{cell}", " ".repeat(width - cell.chars().count()))
        };
        let cells: Vec<String> = row.iter().zip(&widths).map(padded).collect();
        format!("{left}{}{right}", cells.join("  "))
    };
    let lines: Vec<String> = cells.iter().enumerate().map(line).collect();
    Block { base: last / 2, lines }
}

fn number(value: f64) -> String {
    let (negative, mantissa, exponent) = parts(value);
    let sign = if negative { "−" } else { "" };
    match exponent {
        None => format!("{sign}{mantissa}"),
        Some(power) => {
            let power = Math::Number(f64::from(power));
            format!("{sign}{mantissa}×10{}", superscript(&power))
        }
    }
}

fn subscript(index: &str) -> String {
    let digit = |c: char| c.to_digit(10).and_then(|d| char::from_u32(0x2080 + d));
    match index.chars().map(digit).collect::<Option<String>>() {
        Some(text) => text,
        None => format!("_{index}"),
    }
}

fn superscript(exponent: &Math) -> String {
    let text = block(exponent).lines.join(" ");
    let raised = |c: char| match c {
        '−' => Some('⁻'),
        '1' => Some('¹'),
        '2' => Some('²'),
        '3' => Some('³'),
        c => c.to_digit(10).and_then(|d| char::from_u32(0x2070 + d)),
    };
    match text.chars().map(raised).collect::<Option<String>>() {
        Some(text) => text,
        None => format!("^({text})"),
    }
}
