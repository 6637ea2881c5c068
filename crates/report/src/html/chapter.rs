//! A chapter of the report, or a section within one.

use super::block::{FigureBlock, TableBlock};
use crate::figure::Figure;
use crate::table::{Cell, Table};

/// A heading and what stands under it, in order. Chapters within a chapter are its sections.
///
/// Text may hold `` `code` `` and `**strong**`; everything else in it is escaped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chapter {
    pub(super) title: String,
    pub(super) id: Option<String>,
    pub(super) blocks: Vec<Block>,
    pub(super) data: Vec<(String, String)>,
    pub(super) scripts: Vec<String>,
}

/// A part of a chapter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Block {
    Text(String),
    Note(String),
    List(Vec<String>),
    Figure(Box<FigureBlock>),
    Row(Vec<FigureBlock>),
    Table(Box<TableBlock>),
    Command(String),
    Preformatted(String),
    Details(String, Box<Chapter>),
    Section(Box<Chapter>),
    Trusted(String),
}

impl Chapter {
    /// An empty chapter with its heading.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Chapter {
        Chapter { title: title.into(), ..Chapter::default() }
    }

    /// The `id` of the chapter, for links and scripts; made from the title unless given.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Chapter {
        self.id = Some(id.into());
        self
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn text(self, text: &str) -> Chapter {
        self.with(Block::Text(text.to_owned()))
    }

    /// Adds a paragraph set apart: a caution, a finding.
    #[must_use]
    pub fn note(self, text: &str) -> Chapter {
        self.with(Block::Note(text.to_owned()))
    }

    /// Adds a list of points.
    #[must_use]
    pub fn list<S: Into<String>>(self, items: impl IntoIterator<Item = S>) -> Chapter {
        self.with(Block::List(items.into_iter().map(Into::into).collect()))
    }

    /// Adds a figure with its caption and the command that makes it again.
    #[must_use]
    pub fn figure(self, figure: &Figure, caption: &str, command: &str) -> Chapter {
        self.figure_block(FigureBlock::new(figure.clone(), caption).command(command))
    }

    /// Adds a figure with everything that can be said about it.
    #[must_use]
    pub fn figure_block(self, figure: FigureBlock) -> Chapter {
        self.with(Block::Figure(Box::new(figure)))
    }

    /// Adds figures that stand side by side where the page is wide enough.
    #[must_use]
    pub fn figure_row(self, figures: impl IntoIterator<Item = FigureBlock>) -> Chapter {
        self.with(Block::Row(figures.into_iter().collect()))
    }

    /// Adds a table of finished texts, without a caption. Texts that are numbers ("1,024",
    /// "99.5 %") are set as such.
    #[must_use]
    pub fn table(self, head: &[&str], rows: &[Vec<String>]) -> Chapter {
        let mut table = Table::new(head.iter().copied());
        for row in rows {
            table.row(row.iter().map(|text| Cell::written(text)));
        }
        self.table_block(TableBlock::new(table, ""))
    }

    /// Adds a table with its caption and command.
    #[must_use]
    pub fn table_block(self, table: TableBlock) -> Chapter {
        self.with(Block::Table(Box::new(table)))
    }

    /// Adds a command that a reader can copy.
    #[must_use]
    pub fn command(self, command: &str) -> Chapter {
        self.with(Block::Command(command.to_owned()))
    }

    /// Adds text with its spaces and line breaks kept.
    #[must_use]
    pub fn preformatted(self, text: &str) -> Chapter {
        self.with(Block::Preformatted(text.to_owned()))
    }

    /// Adds what most readers skip, closed at first; the title of `content` is not shown.
    #[must_use]
    pub fn details(self, summary: &str, content: Chapter) -> Chapter {
        self.with(Block::Details(summary.to_owned(), Box::new(content)))
    }

    /// Adds a section.
    #[must_use]
    pub fn section(self, section: Chapter) -> Chapter {
        self.with(Block::Section(Box::new(section)))
    }

    /// Adds HTML **as it is**, such as MathML. It must come from the program, never from a label, a
    /// file or any other input, and must not refer to anything outside the page.
    #[must_use]
    pub fn trusted_html(self, html: impl Into<String>) -> Chapter {
        self.with(Block::Trusted(html.into()))
    }

    /// Puts JSON into the page for a script:
    /// `JSON.parse(document.getElementById(id).textContent)`.
    #[must_use]
    pub fn data(mut self, id: impl Into<String>, json: impl Into<String>) -> Chapter {
        self.data.push((id.into(), json.into()));
        self
    }

    /// Adds a script that runs once the page stands. It must come from the program, never from
    /// input; the page must be useful without it.
    #[must_use]
    pub fn script(mut self, script: impl Into<String>) -> Chapter {
        self.scripts.push(script.into());
        self
    }

    fn with(mut self, block: Block) -> Chapter {
        self.blocks.push(block);
        self
    }
}
