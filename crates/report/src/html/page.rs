//! The page around the chapters: head, summary, contents.

use std::path::Path;

use super::chapter::Chapter;
use super::text::inline;
use super::writer::{Entry, Writer};
use crate::error::Result;
use crate::escape::escape;
use crate::files::write_atomic;
use crate::svg::font_faces;
use crate::theme::{Paint, Theme};

/// A report: title, key figures, facts about how it was made, chapters.
///
/// ```
/// use cutaway_report::{Axis, Chapter, FigureBlock, LineChart, Report, Series};
///
/// let loss = Series::numbered("training", [0.31, 0.08, 0.05]);
/// let chart = LineChart::new("Loss", Axis::new("epoch"), Axis::new("mean cross-entropy"));
/// let chapter = Chapter::new("Training")
///     .text("Three epochs with the recipe `reference`.")
///     .figure_block(
///         FigureBlock::new(chart.series(loss).draw()?, "Mean loss over the training set.")
///             .scale("linear, from 0")
///             .command("cutaway train --recipe reference --epochs 3 --seed 0"),
///     );
/// let page = Report::new("A study of a CNN", "What it has learnt, and where it fails.")
///     .key_figure("98.90 %", "test accuracy")
///     .fact("Seed", "0")
///     .chapter(chapter)
///     .to_html();
/// assert!(page.contains("<b>Figure 1.</b>"));
/// # Ok::<(), cutaway_report::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    title: String,
    lead: String,
    keys: Vec<[String; 3]>,
    facts: Vec<[String; 2]>,
    chapters: Vec<Chapter>,
    footer: String,
}

impl Report {
    /// An empty report with its title and a sentence or two under it.
    #[must_use]
    pub fn new(title: impl Into<String>, lead: impl Into<String>) -> Report {
        Report { title: title.into(), lead: lead.into(), ..Report::default() }
    }

    /// Adds a key figure to the summary: its value, and what it is.
    #[must_use]
    pub fn key_figure(self, value: impl Into<String>, what: impl Into<String>) -> Report {
        self.key_figure_with_note(value, what, "")
    }

    /// Adds a key figure with a note, such as what it was measured on.
    #[must_use]
    pub fn key_figure_with_note(
        mut self,
        value: impl Into<String>,
        what: impl Into<String>,
        note: impl Into<String>,
    ) -> Report {
        self.keys.push([value.into(), what.into(), note.into()]);
        self
    }

    /// Adds a fact about how the report was made: model, data set, seed, command. The value may
    /// hold `` `code` ``.
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Report {
        self.facts.push([name.into(), value.into()]);
        self
    }

    /// Adds a chapter.
    #[must_use]
    pub fn chapter(mut self, chapter: Chapter) -> Report {
        self.chapters.push(chapter);
        self
    }

    /// A line at the end of the page.
    #[must_use]
    pub fn footer(mut self, text: impl Into<String>) -> Report {
        self.footer = text.into();
        self
    }

    /// The page.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut writer = Writer::default();
        for (i, chapter) in self.chapters.iter().enumerate() {
            writer.chapter(chapter, &(i + 1).to_string(), 1);
        }
        let mut out = self.head();
        out.push_str(&self.summary());
        out.push_str("<div class=\"columns\">\n");
        out.push_str(&contents(&writer.contents));
        out.push_str(&format!("<main id=\"content\">\n{}</main>\n</div>\n", writer.body));
        if !self.footer.is_empty() {
            out.push_str(&format!("<footer><p>{}</p></footer>\n", inline(&self.footer)));
        }
        out.push_str(&writer.tail);
        out.push_str(&format!("<script>\n{}</script>\n", include_str!("script.js")));
        out.push_str("</body>\n</html>\n");
        out
    }

    /// Writes [`Report::to_html`] atomically.
    ///
    /// # Errors
    /// [`Error::Write`](crate::Error::Write).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_atomic(path, self.to_html().as_bytes())
    }

    fn head(&self) -> String {
        // The policy makes the browser itself refuse anything from outside the file.
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             img-src data:; font-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
             <meta name=\"generator\" content=\"Cutaway {}\">\n<title>{}</title>\n<style>\n{}\
             </style>\n</head>\n<body>\n<a class=\"skip\" href=\"#content\">Skip to the content</a>\n",
            env!("CARGO_PKG_VERSION"),
            escape(&self.title),
            style_sheet()
        )
    }

    fn summary(&self) -> String {
        let mut out = format!(
            "<header>\n<button type=\"button\" id=\"theme\" hidden>Dark</button>\n<h1>{}</h1>\n",
            escape(&self.title)
        );
        if !self.lead.is_empty() {
            out.push_str(&format!("<p class=\"lead\">{}</p>\n", inline(&self.lead)));
        }
        if !self.keys.is_empty() {
            out.push_str("<dl class=\"keys\">\n");
            for key in &self.keys {
                let [value, what, note] = key.each_ref().map(|text| escape(text));
                let note = if note.is_empty() { note } else { format!("<dd>{note}</dd>") };
                out.push_str(&format!(
                    "<div><dt>{what}</dt><dd class=\"value\">{value}</dd>{note}</div>\n"
                ));
            }
            out.push_str("</dl>\n");
        }
        if !self.facts.is_empty() {
            out.push_str("<dl class=\"facts\">\n");
            for [name, value] in &self.facts {
                out.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), inline(value)));
            }
            out.push_str("</dl>\n");
        }
        out + "</header>\n"
    }
}

fn contents(entries: &[Entry]) -> String {
    let mut out = String::from("<nav aria-label=\"Contents\">\n<h2>Contents</h2>\n<ol>\n");
    for entry in entries.iter().filter(|entry| entry.level <= 2) {
        let Entry { level, number, title, id } = entry;
        let (id, title) = (escape(id), escape(title));
        out.push_str(&format!(
            "<li class=\"level-{level}\"><a href=\"#{id}\"><span>{number}</span> {title}</a></li>\n"
        ));
    }
    out + "</ol>\n</nav>\n"
}

/// Colours from the figures' themes, then the rules that use them.
fn style_sheet() -> String {
    let variables = |theme: Theme| -> String {
        let role = |paint: &Paint| {
            format!("--{}:{};", paint.role().unwrap_or_default(), theme.resolve(*paint).hex())
        };
        let accent = match theme {
            Theme::Light => "--accent:#0b5cad;--accent-soft:#eaf2fb;",
            Theme::Dark => "--accent:#7db8ff;--accent-soft:#1b2a3d;",
        };
        Paint::ROLES.iter().map(role).collect::<String>() + accent
    };
    let classes: String = Paint::ROLES
        .iter()
        .filter_map(|paint| paint.role())
        .map(|role| format!(".f-{role}{{fill:var(--{role})}}.s-{role}{{stroke:var(--{role})}}"))
        .collect();
    let (light, dark) = (variables(Theme::Light), variables(Theme::Dark));
    // Dark only on screens: paper stays white.
    format!(
        "{}\n:root{{color-scheme:light;{light}}}\n\
         @media screen and (prefers-color-scheme:dark){{\
         :root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n\
         @media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}\n{classes}\n{}",
        font_faces(),
        include_str!("style.css")
    )
}
