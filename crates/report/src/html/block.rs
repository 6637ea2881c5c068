//! Figures and tables with what a reader must know about them.

use super::text::inline;
use crate::escape::escape;
use crate::figure::Figure;
use crate::table::Table;

/// A figure with its caption, scale and command.
#[derive(Clone, Debug, PartialEq)]
pub struct FigureBlock {
    figure: Figure,
    caption: String,
    scale: Option<String>,
    command: Option<String>,
    id: Option<String>,
}

impl FigureBlock {
    /// A figure with its caption, which says what is shown. Captions may hold `` `code` `` and
    /// `**strong**`.
    pub fn new(figure: Figure, caption: impl Into<String>) -> FigureBlock {
        FigureBlock { figure, caption: caption.into(), scale: None, command: None, id: None }
    }

    /// States the scale: what the colours or axes stand for and where they end.
    #[must_use]
    pub fn scale(mut self, scale: impl Into<String>) -> FigureBlock {
        self.scale = Some(scale.into());
        self
    }

    /// The command that makes this figure again, printed under it.
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> FigureBlock {
        self.command = Some(command.into());
        self
    }

    /// The `id` of the element, for links and scripts; `figure-N` unless given.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> FigureBlock {
        self.id = Some(id.into());
        self
    }

    pub(super) fn write(&self, out: &mut String, number: usize) {
        let id = self.id.clone().unwrap_or_else(|| format!("figure-{number}"));
        let svg = self.figure.to_inline_svg();
        let caption = inline(&self.caption);
        let scale = self.scale.as_deref().map(|scale| format!(" <i>Scale: {}.</i>", inline(scale)));
        out.push_str(&format!(
            "<figure id=\"{}\">\n<div class=\"canvas\">\n{svg}</div>\n<figcaption><p>\
             <b>Figure {number}.</b> {caption}{}</p>\n",
            escape(&id),
            scale.unwrap_or_default()
        ));
        write_command(out, self.command.as_deref());
        out.push_str("</figcaption>\n</figure>\n");
    }
}

/// A table with its caption and command.
#[derive(Clone, Debug, PartialEq)]
pub struct TableBlock {
    table: Table,
    caption: String,
    command: Option<String>,
}

impl TableBlock {
    /// A table with its caption, which says what the numbers are; it may be empty.
    pub fn new(table: Table, caption: impl Into<String>) -> TableBlock {
        TableBlock { table, caption: caption.into(), command: None }
    }

    /// The command that makes this table again, printed under it.
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> TableBlock {
        self.command = Some(command.into());
        self
    }

    pub(super) fn write(&self, out: &mut String, number: usize) {
        let caption = inline(&self.caption);
        let gap = if caption.is_empty() { "" } else { " " };
        // A wide table scrolls by itself; tabindex lets a keyboard reach it.
        out.push_str(&format!(
            "<figure class=\"tabular\" id=\"table-{number}\">\n<figcaption><p><b>Table {number}.</b>\
             {gap}{caption}</p></figcaption>\n<div class=\"scroll\" tabindex=\"0\" role=\"group\" \
             aria-label=\"Table {number}\">\n{}</div>\n",
            self.table.to_html()
        ));
        write_command(out, self.command.as_deref());
        out.push_str("</figure>\n");
    }
}

pub(super) fn write_command(out: &mut String, command: Option<&str>) {
    let Some(command) = command.filter(|command| !command.is_empty()) else { return };
    out.push_str(&format!(
        "<div class=\"command\"><code>{}</code><button type=\"button\" class=\"copy\" hidden \
         aria-label=\"Copy the command\">Copy</button></div>\n",
        escape(command)
    ));
}
