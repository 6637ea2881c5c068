//! From chapters to HTML, with numbers that run through the whole report.

use std::collections::HashSet;

use super::block::{FigureBlock, write_command};
use super::chapter::{Block, Chapter};
use super::text::{inline, island, slug};
use crate::escape::escape;

/// A line of the table of contents.
pub(super) struct Entry {
    /// 1 for a chapter, 2 for its sections.
    pub(super) level: usize,
    pub(super) number: String,
    pub(super) title: String,
    pub(super) id: String,
}

/// What has been written, and what is gathered along the way.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) body: String,
    pub(super) contents: Vec<Entry>,
    /// Data and scripts, which stand after everything that is shown.
    pub(super) tail: String,
    ids: HashSet<String>,
    figures: usize,
    tables: usize,
}

impl Writer {
    /// Writes a chapter or section whose number is `number` ("2.1"), `level` deep.
    pub(super) fn chapter(&mut self, chapter: &Chapter, number: &str, level: usize) {
        let id = self.unique(chapter.id.clone().unwrap_or_else(|| slug(&chapter.title)));
        let (heading, title) = ((level + 1).min(6), chapter.title.clone());
        self.push(&format!(
            "<section id=\"{}\">\n<h{heading}><span class=\"number\">{number}</span> \
             {}</h{heading}>\n",
            escape(&id),
            escape(&title)
        ));
        self.contents.push(Entry { level, number: number.to_owned(), title, id });
        self.content(chapter, number, level);
        self.push("</section>\n");
    }

    fn content(&mut self, chapter: &Chapter, number: &str, level: usize) {
        let mut inner = 0;
        for block in &chapter.blocks {
            if let Block::Section(section) = block {
                inner += 1;
                self.chapter(section, &format!("{number}.{inner}"), level + 1);
            } else {
                self.block(block, number, level);
            }
        }
        for (id, json) in &chapter.data {
            let (id, json) = (escape(id), island(json));
            let element =
                format!("<script type=\"application/json\" id=\"{id}\">{json}</script>\n");
            self.tail.push_str(&element);
        }
        for script in &chapter.scripts {
            // In a string literal, the only place for it in a script, "<\/script" means the same.
            let script = script.replace("</script", "<\\/script").replace("<!--", "<\\!--");
            self.tail.push_str(&format!("<script>\n{script}\n</script>\n"));
        }
    }

    fn block(&mut self, block: &Block, number: &str, level: usize) {
        match block {
            Block::Text(text) => self.push(&format!("<p>{}</p>\n", inline(text))),
            Block::Note(text) => self.push(&format!("<p class=\"note\">{}</p>\n", inline(text))),
            Block::List(items) => {
                let item = |item: &String| format!("<li>{}</li>\n", inline(item));
                let items: String = items.iter().map(item).collect();
                self.push(&format!("<ul>\n{items}</ul>\n"));
            }
            Block::Figure(figure) => self.figure(figure),
            Block::Row(figures) => {
                self.push("<div class=\"row\">\n");
                figures.iter().for_each(|figure| self.figure(figure));
                self.push("</div>\n");
            }
            Block::Table(table) => {
                self.tables += 1;
                table.write(&mut self.body, self.tables);
            }
            Block::Command(command) => write_command(&mut self.body, Some(command)),
            Block::Preformatted(text) => {
                let text = escape(text);
                self.push(&format!("<pre class=\"scroll\" tabindex=\"0\">{text}</pre>\n"));
            }
            Block::Details(summary, content) => {
                let summary = inline(summary);
                self.push(&format!(
                    "<details>\n<summary>{summary}</summary>\n<div class=\"inner\">\n"
                ));
                self.content(content, number, level);
                self.push("</div>\n</details>\n");
            }
            Block::Section(section) => self.chapter(section, number, level + 1),
            Block::Trusted(html) => self.push(&format!("{html}\n")),
        }
    }

    fn figure(&mut self, figure: &FigureBlock) {
        self.figures += 1;
        figure.write(&mut self.body, self.figures);
    }

    fn push(&mut self, html: &str) {
        self.body.push_str(html);
    }

    fn unique(&mut self, id: String) -> String {
        let mut candidate = id.clone();
        let mut count = 1;
        while !self.ids.insert(candidate.clone()) {
            count += 1;
            candidate = format!("{id}-{count}");
        }
        candidate
    }
}
