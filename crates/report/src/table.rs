//! A table of results: for the page, for the terminal, for a spreadsheet.

use std::path::Path;

use unicode_width::UnicodeWidthStr;

use crate::error::Result;
use crate::escape::escape;
use crate::files::write_atomic;
use crate::number::{count, fixed, percent, significant};

/// One cell: what people read, and the plain value that a spreadsheet gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    text: String,
    raw: String,
    numeric: bool,
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Cell {
        let text = text.into();
        Cell { raw: text.clone(), text, numeric: false }
    }

    /// A count: `140,598`.
    #[must_use]
    pub fn count(value: u64) -> Cell {
        Cell { text: count(value), raw: value.to_string(), numeric: true }
    }

    /// A number with a fixed count of decimals: `0.0312`.
    #[must_use]
    pub fn fixed(value: f64, decimals: usize) -> Cell {
        Cell { text: fixed(value, decimals), raw: value.to_string(), numeric: true }
    }

    /// A number with some significant digits: `1.5×10⁻⁷`.
    #[must_use]
    pub fn significant(value: f64, digits: usize) -> Cell {
        Cell { text: significant(value, digits), raw: value.to_string(), numeric: true }
    }

    /// A share as a percentage, `99.52 %`; the spreadsheet gets the share, 0.9952.
    #[must_use]
    pub fn percent(share: f64, decimals: usize) -> Cell {
        Cell { text: percent(share, decimals), raw: share.to_string(), numeric: true }
    }

    /// A finished text, set as a number where it reads like one: `1,024`, `−0.5`, `99.5 %`, `–`.
    pub(crate) fn written(text: &str) -> Cell {
        let plain = text.trim_end_matches('%').trim().replace(',', "").replace('−', "-");
        let numeric = text == "–" || plain.parse::<f64>().is_ok();
        Cell { numeric, ..Cell::text(text) }
    }

    /// No value: a dash for people, nothing for a spreadsheet.
    #[must_use]
    pub fn missing() -> Cell {
        Cell { text: "–".to_owned(), raw: String::new(), numeric: true }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::text(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::text(text)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Cell {
        Cell::count(value)
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Cell {
        Cell::count(value as u64)
    }
}

/// Rows under named columns. Columns of numbers are aligned to the right.
///
/// A row shorter than the others is filled with empty cells, and a longer one adds columns without
/// a name, so nothing is lost.
///
/// ```
/// use cutaway_report::{Cell, Table};
///
/// let mut table = Table::new(["layer", "params"]);
/// table.row(["conv1".into(), Cell::count(832)]);
/// table.row(["conv2".into(), Cell::count(25_632)]);
/// table.footer(["total".into(), Cell::count(26_464)]);
/// assert_eq!(table.to_csv(), "layer,params\nconv1,832\nconv2,25632\n");
/// assert!(table.to_text().contains("conv2  25,632\n"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    footer: Option<Vec<Cell>>,
}

impl Table {
    /// An empty table with named columns.
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Table {
        let columns = columns.into_iter().map(Into::into).collect();
        Table { columns, rows: Vec::new(), footer: None }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) -> &mut Table {
        self.rows.push(cells.into_iter().collect());
        self
    }

    /// A last row set apart from the others, such as totals; a spreadsheet does not get it.
    pub fn footer(&mut self, cells: impl IntoIterator<Item = Cell>) -> &mut Table {
        self.footer = Some(cells.into_iter().collect());
        self
    }

    /// Rows without the footer.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn all_rows(&self) -> impl Iterator<Item = &Vec<Cell>> {
        self.rows.iter().chain(&self.footer)
    }

    fn width(&self) -> usize {
        self.all_rows().map(Vec::len).fold(self.columns.len(), usize::max)
    }

    /// Whether a column holds numbers and nothing else.
    fn is_numeric(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.get(column)).peekable();
        cells.peek().is_some() && cells.all(|cell| cell.numeric)
    }

    /// For a terminal: columns padded with spaces, a rule under the names and above the footer.
    #[must_use]
    pub fn to_text(&self) -> String {
        let widths: Vec<usize> = (0..self.width())
            .map(|i| {
                let name = self.columns.get(i).map_or(0, |name| terminal(name).width());
                let cells = self.all_rows().filter_map(|row| row.get(i));
                cells.map(|cell| terminal(&cell.text).width()).fold(name, usize::max)
            })
            .collect();
        let mut out = String::new();
        let names = |i: usize| self.columns.get(i).map_or("", String::as_str);
        self.text_line(&mut out, &widths, names);
        let rule: Vec<String> = widths.iter().map(|&width| "─".repeat(width)).collect();
        let rule = rule.join("  ") + "\n";
        out.push_str(&rule);
        for row in &self.rows {
            self.text_line(&mut out, &widths, |i| row.get(i).map_or("", |cell| cell.text.as_str()));
        }
        if let Some(row) = &self.footer {
            out.push_str(&rule);
            self.text_line(&mut out, &widths, |i| row.get(i).map_or("", |cell| cell.text.as_str()));
        }
        out
    }

    fn text_line<'a>(&self, out: &mut String, widths: &[usize], cell: impl Fn(usize) -> &'a str) {
        let mut line = String::new();
        for (i, &width) in widths.iter().enumerate() {
            let text = terminal(cell(i));
            let padding = " ".repeat(width.saturating_sub(text.width()));
            let gap = if i == 0 { "" } else { "  " };
            line += gap;
            line += &if self.is_numeric(i) { padding + &text } else { text + &padding };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }

    /// For a spreadsheet or a plot: comma-separated values (RFC 4180, lines end with `\n`), full
    /// precision, without the footer.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let width = self.width();
        let line = |cell: &dyn Fn(usize) -> String| {
            let cells: Vec<String> = (0..width).map(|i| quoted(&cell(i))).collect();
            cells.join(",") + "\n"
        };
        let mut out = line(&|i| self.columns.get(i).cloned().unwrap_or_default());
        for row in &self.rows {
            out += &line(&|i| row.get(i).map(|cell| cell.raw.clone()).unwrap_or_default());
        }
        out
    }

    /// Writes [`Table::to_csv`] atomically.
    ///
    /// # Errors
    /// [`Error::Write`](crate::Error::Write).
    pub fn save_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        write_atomic(path, self.to_csv().as_bytes())
    }

    /// The `table` element for the report, everything escaped.
    #[must_use]
    pub fn to_html(&self) -> String {
        let class: Vec<&str> = (0..self.width())
            .map(|i| if self.is_numeric(i) { " class=\"number\"" } else { "" })
            .collect();
        let names: Vec<String> = (0..self.width())
            .map(|i| {
                let name = self.columns.get(i).map_or("", String::as_str);
                format!("<th scope=\"col\"{}>{}</th>", class[i], escape(name))
            })
            .collect();
        let line = |row: &Vec<Cell>| {
            let text = |i: usize| row.get(i).map_or(String::new(), |cell| escape(&cell.text));
            let cells: Vec<String> =
                (0..self.width()).map(|i| format!("<td{}>{}</td>", class[i], text(i))).collect();
            format!("<tr>{}</tr>\n", cells.concat())
        };
        let rows: String = self.rows.iter().map(line).collect();
        let footer = self.footer.iter().map(|row| format!("<tfoot>{}</tfoot>\n", line(row)));
        format!(
            "<table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{rows}</tbody>\n{}</table>\n",
            names.concat(),
            footer.collect::<String>()
        )
    }
}

/// A label must not move a terminal's cursor or change its colours.
fn terminal(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["class", "accuracy", "n"]);
        table.row(["Trouser".into(), Cell::percent(0.9951, 2), Cell::count(1000)]);
        table.row(["bag, \"large\"".into(), Cell::missing(), Cell::count(12)]);
        table.footer(["all".into(), Cell::percent(0.5, 2), Cell::count(1012)]);
        table
    }

    #[test]
    fn the_text_aligns_words_left_and_numbers_right() {
        let expected = "\
class         accuracy      n
────────────  ────────  ─────
Trouser        99.51 %  1,000
bag, \"large\"         –     12
────────────  ────────  ─────
all            50.00 %  1,012
";
        assert_eq!(table().to_text(), expected);
    }

    #[test]
    fn wide_characters_count_as_two_and_control_characters_do_no_harm() {
        let mut table = Table::new(["a", "b"]);
        table.row(["漢字".into(), "x".into()]).row(["\u{1b}[31m".into(), "y".into()]);
        let text = table.to_text();
        assert!(text.contains("漢字   x\n") && text.contains(" [31m  y\n"), "{text:?}");
    }

    #[test]
    fn csv_keeps_full_precision_and_quotes_what_needs_it() {
        let csv = table().to_csv();
        assert_eq!(csv, "class,accuracy,n\nTrouser,0.9951,1000\n\"bag, \"\"large\"\"\",,12\n");
    }

    #[test]
    fn html_is_escaped_and_numbers_have_their_class() {
        let mut table = Table::new(["<b>"]);
        table.row([Cell::text("<script>")]);
        let html = table.to_html();
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
        assert!(super::tests::table().to_html().contains("<td class=\"number\">99.51 %</td>"));
    }

    #[test]
    fn finished_texts_that_read_like_numbers_are_numbers() {
        for text in ["1,024", "−0.5", "99.52 %", "–", "3e-7"] {
            assert!(Cell::written(text).numeric, "{text}");
        }
        for text in ["32 × 24", "conv1", "", "%"] {
            assert!(!Cell::written(text).numeric, "{text}");
        }
    }

    #[test]
    fn ragged_rows_lose_nothing() {
        let mut table = Table::new(["a"]);
        table.row(["1".into(), "2".into()]).row([]);
        assert_eq!(table.to_csv(), "a,\n1,2\n,\n");
        assert_eq!(table.to_html().matches("<td>").count(), 4);
    }
}
