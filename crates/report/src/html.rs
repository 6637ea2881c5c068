//! The report: one self-contained HTML page that works offline, prints, and follows the reader's
//! light or dark mode. It needs no script; a small one lets the reader change the mode.

use std::fmt::Write as _;
use std::path::Path;

use crate::font::FAMILY;
use crate::svg::{FALLBACK, font_faces};
use crate::theme::{Paint, Theme};
use crate::{Error, Figure, escape, hover_map, pick, write_atomic};

/// A page made of chapters.
#[derive(Clone, Debug, Default)]
pub struct Report {
    title: String,
    lead: String,
    key_figures: Vec<(String, String)>,
    command: Option<String>,
    chapters: Vec<Chapter>,
}

/// A part of the page with a place in the table of contents.
#[derive(Clone, Debug, Default)]
pub struct Chapter {
    pub(crate) title: String,
    pub(crate) body: String,
}

impl Report {
    /// A page with its title and a sentence or two under it.
    #[must_use]
    pub fn new(title: impl Into<String>, lead: impl Into<String>) -> Report {
        Report { title: title.into(), lead: lead.into(), ..Report::default() }
    }

    /// Adds a number to the header, with what it says.
    #[must_use]
    pub fn key_figure(mut self, value: impl Into<String>, what: impl Into<String>) -> Report {
        self.key_figures.push((value.into(), what.into()));
        self
    }

    /// Says which command makes the page again, with a few words before it.
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> Report {
        self.command = Some(command.into());
        self
    }

    /// Adds a chapter.
    #[must_use]
    pub fn chapter(mut self, chapter: Chapter) -> Report {
        self.chapters.push(chapter);
        self
    }

    /// The whole page.
    #[must_use]
    pub fn to_html(&self) -> String {
        let title = escape(&self.title);
        let has_maps = self.chapters.iter().any(|c| c.body.contains("class=\"hover-map\""));
        let (map_style, map_script) =
            if has_maps { (hover_map::STYLE, hover_map::SCRIPT) } else { ("", "") };
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta \
             name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>\n{}\n{STYLE}figure \
             svg{{font-family:'{FAMILY}',{FALLBACK}}}\n{map_style}{}{}</style>\n</head>\n<body>\n\
             <header>\n\
             <button type=\"button\" id=\"mode\" hidden>light / dark</button>\n<h1>{title}</h1>\n\
             <p class=\"lead\">{}</p>\n",
            font_faces(),
            pick::STYLE,
            role_styles(),
            escape(&self.lead)
        );
        if !self.key_figures.is_empty() {
            page.push_str("<dl class=\"keys\">\n");
            for (value, what) in &self.key_figures {
                let (value, what) = (escape(value), escape(what));
                let _ = writeln!(page, "<div><dt>{what}</dt><dd>{value}</dd></div>");
            }
            page.push_str("</dl>\n");
        }
        if let Some(line) = &self.command {
            let _ = writeln!(page, "<p class=\"made\">The whole page:{}</p>", command(line));
        }
        page.push_str("</header>\n<nav aria-label=\"Contents\">\n<ol>\n");
        for (i, chapter) in self.chapters.iter().enumerate() {
            let _ = writeln!(page, "<li><a href=\"#c{i}\">{}</a></li>", escape(&chapter.title));
        }
        page.push_str("</ol>\n</nav>\n<main>\n");
        for (i, chapter) in self.chapters.iter().enumerate() {
            let (title, body) = (escape(&chapter.title), &chapter.body);
            let _ = writeln!(page, "<section id=\"c{i}\">\n<h2>{title}</h2>\n{body}</section>");
        }
        let scripts = [SCRIPT, map_script, pick::SCRIPT].concat();
        let _ = write!(page, "</main>\n<script>{scripts}</script>\n</body>\n</html>\n");
        page
    }

    /// Writes the page, atomically.
    ///
    /// # Errors
    /// [`Error::Write`] where the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        write_atomic(path, self.to_html().as_bytes())
    }
}

impl Chapter {
    /// An empty chapter.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Chapter {
        Chapter { title: title.into(), body: String::new() }
    }

    /// The chapter's HTML, for blocks that have a file of their own.
    pub(crate) fn body_mut(&mut self) -> &mut String {
        &mut self.body
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn text(mut self, text: &str) -> Chapter {
        let _ = writeln!(self.body, "<p>{}</p>", escape(text));
        self
    }

    /// Adds a figure with its caption and the command that makes it again.
    #[must_use]
    pub fn figure(mut self, figure: &Figure, caption: &str, command: &str) -> Chapter {
        let (svg, caption, line) =
            (figure.to_inline_svg(), escape(caption), self::command(command));
        let _ = writeln!(
            self.body,
            "<figure>\n{svg}\n<figcaption>{caption}{line}</figcaption>\n</figure>"
        );
        self
    }

    /// Adds formulas in MathML, each with words that say what it is. A formula is put in as it is: it
    /// must have been written by a program that escapes what comes from outside. Tables in it get
    /// brackets that need no mathematical font; operators of class `bracket` are hidden for them.
    #[must_use]
    pub fn math(mut self, lines: &[(String, String)]) -> Chapter {
        self.body.push_str("<dl class=\"math\">\n");
        for (words, formula) in lines {
            debug_assert!(formula.starts_with("<math") && formula.ends_with("</math>"));
            let _ = writeln!(self.body, "<dt>{}</dt><dd>{formula}</dd>", escape(words));
        }
        self.body.push_str("</dl>\n");
        self
    }

    /// Adds a table; numbers are set to the right.
    #[must_use]
    pub fn table(self, head: &[&str], rows: &[Vec<String>]) -> Chapter {
        self.add_table(false, head, rows)
    }

    /// Adds a table of sentences, which wrap.
    #[must_use]
    pub fn prose_table(self, head: &[&str], rows: &[Vec<String>]) -> Chapter {
        self.add_table(true, head, rows)
    }

    fn add_table(mut self, prose: bool, head: &[&str], rows: &[Vec<String>]) -> Chapter {
        let class = if prose { " class=\"prose\"" } else { "" };
        let _ = write!(self.body, "<div class=\"wide\"><table{class}>\n<thead><tr>");
        // A column's head stands where its first row does.
        let is_number = |cell: &String| cell.starts_with(|c: char| c.is_ascii_digit() || c == '−');
        let class = |number: bool| if number { " class=\"number\"" } else { "" };
        for (column, cell) in head.iter().enumerate() {
            let number = rows.first().and_then(|row| row.get(column)).is_some_and(is_number);
            let _ = write!(self.body, "<th scope=\"col\"{}>{}</th>", class(number), escape(cell));
        }
        self.body.push_str("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.body.push_str("<tr>");
            for (cell, head) in row.iter().zip(head) {
                // On a narrow screen sentences stand under each other, each with its head.
                let head = match prose {
                    true => format!(" data-head=\"{}\"", escape(head)),
                    false => String::new(),
                };
                let class = class(is_number(cell));
                let _ = write!(self.body, "<td{class}{head}>{}</td>", escape(cell));
            }
            self.body.push_str("</tr>\n");
        }
        self.body.push_str("</tbody>\n</table></div>\n");
        self
    }
}

/// A command as the page shows it: a line breaks before a flag, never inside one.
pub(crate) fn command(line: &str) -> String {
    let line = escape(line);
    let mut parts = line.split(" --");
    let mut out = format!("<code>{}", parts.next().unwrap_or_default());
    parts.for_each(|flag| out += &format!(" <span>--{flag}</span>"));
    out + "</code>"
}

/// What the figures' roles look like on the page, in both modes.
fn role_styles() -> String {
    let rules = |theme: Theme, scope: &str| -> String {
        let rule = |paint: &Paint| {
            let (role, color) = (paint.role().unwrap_or_default(), theme.resolve(*paint).hex());
            format!("{scope} .f-{role}{{fill:{color}}}{scope} .s-{role}{{stroke:{color}}}\n")
        };
        Paint::ROLES.iter().map(rule).collect()
    };
    let (light, dark) = (Theme::Light, Theme::Dark);
    format!(
        "{}@media screen and (prefers-color-scheme:dark){{\n{}}}\n@media screen{{\n{}}}\n",
        rules(light, ""),
        rules(dark, "html:not(.light)"),
        rules(dark, "html.dark")
    )
}

const STYLE: &str = "\
:root{--paper:#fff;--ink:#1c2430;--soft:#5b6675;--rule:#d8dde4;--panel:#f4f6f9;--link:#1f5fbf}
@media screen and (prefers-color-scheme:dark){html:not(.light){--paper:#14181f;--ink:#e6eaf0;\
--soft:#9aa5b4;--rule:#333c49;--panel:#1d232c;--link:#7fb0ff}}
@media screen{html.dark{--paper:#14181f;--ink:#e6eaf0;--soft:#9aa5b4;--rule:#333c49;\
--panel:#1d232c;--link:#7fb0ff}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:60rem;background:var(--paper);\
color:var(--ink);font:1rem/1.6 system-ui,sans-serif}
h1{font-size:2rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.4rem;margin:2.5rem 0 .75rem;padding-top:1rem;border-top:1px solid var(--rule)}
.lead{color:var(--soft);max-width:44rem}
.keys{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;margin:1.5rem 0}
.keys div{background:var(--panel);border-radius:.5rem;padding:.75rem 1rem}
.keys dt{color:var(--soft);font-size:.85rem}
.keys dd{margin:0;font-size:1.4rem;font-weight:600}
nav ol{columns:2 14rem;padding-left:1.25rem}
a{color:var(--link)}
figure{margin:1.5rem 0;overflow-x:auto}
figure svg{max-width:100%;height:auto;display:block}
figure image{image-rendering:pixelated}
figcaption{color:var(--soft);font-size:.9rem;margin-top:.5rem;max-width:44rem;\
position:sticky;left:0}
code{display:block;width:fit-content;max-width:100%;overflow-x:auto;background:var(--panel);\
color:var(--ink);padding:.2rem .5rem;border-radius:.3rem;margin-top:.35rem;font-size:.85rem;\
user-select:all}
code span{white-space:nowrap}
.made{color:var(--soft);font-size:.9rem}
.wide{overflow-x:auto}
.math dt{color:var(--soft);font-size:.9rem;margin-top:.75rem}
.math dd{margin:0;padding:.2rem 0;overflow:auto hidden}
.math math{display:math;text-align:left;width:max-content}
.math .bracket{display:none}
.math mtable{border:solid;border-width:0 1.5px;border-radius:.5em;padding:0 .25em}
table{border-collapse:collapse;font-size:.9rem;margin:1rem 0}
th,td{padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--rule);text-align:left;\
white-space:nowrap}
.number{font-variant-numeric:tabular-nums;text-align:right}
table.prose th{text-align:left}
table.prose td{white-space:normal;vertical-align:top;text-align:left}
#mode{float:right;font:inherit;font-size:.85rem;color:var(--soft);background:var(--panel);\
border:1px solid var(--rule);border-radius:.4rem;padding:.25rem .6rem;cursor:pointer}
@media(max-width:40rem){body{padding:1rem .9rem 3rem}table{font-size:.82rem}\
th,td{padding-right:.6rem}table.prose,table.prose tbody,table.prose tr{display:block}\
table.prose thead{display:none}table.prose tr{border-bottom:1px solid var(--rule);padding:.5rem 0}\
table.prose td{display:grid;grid-template-columns:6rem 1fr;border:0;padding:.1rem 0}\
table.prose td::before{content:attr(data-head);color:var(--soft)}}
@media print{#mode,.pick .each,.picked,.pick .hint,.pick .mark{display:none}figure{overflow:visible}\
figcaption{position:static}code span{white-space:normal}figure,tr{break-inside:avoid}h2,h2+p{break-after:avoid}\
nav{break-after:avoid}\
body{max-width:none;padding:0;font-size:.9rem}section{break-inside:auto}}
";

/// Without this the page follows the system's mode, and the button stays hidden.
const SCRIPT: &str = "const b=document.getElementById('mode');b.hidden=false;b.onclick=()=>{\
const r=document.documentElement.classList,d=r.contains('dark')||(!r.contains('light')&&\
matchMedia('(prefers-color-scheme:dark)').matches);r.toggle('dark',!d);r.toggle('light',d)};";

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> String {
        let hostile = "<script>alert('x')</script>";
        let chapter =
            Chapter::new(hostile).text(hostile).table(&[hostile], &[vec![hostile.into()]]);
        Report::new(hostile, hostile).key_figure(hostile, hostile).chapter(chapter).to_html()
    }

    #[test]
    fn everything_that_came_from_outside_is_escaped() {
        let page = page();
        assert!(!page.contains("<script>alert"), "{page}");
        let places =
            "title and heading, lead, key figure twice, contents, chapter, text, table twice";
        assert_eq!(page.matches("&lt;script&gt;").count(), 10, "{places}");
    }

    #[test]
    fn formulas_stand_as_they_are_and_their_words_are_escaped() {
        let formula = "<math><mi>x</mi></math>".to_owned();
        let chapter = Chapter::new("").math(&[("a < b".to_owned(), formula.clone())]);
        let page = Report::new("", "").chapter(chapter).to_html();
        assert!(page.contains(&format!("<dt>a &lt; b</dt><dd>{formula}</dd>")), "{page}");
    }

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere() {
        let page = page();
        assert!(!page.contains("http") && !page.contains(" src="), "{page}");
        assert!(page.ends_with("</html>\n"));
        // The figures' texts were measured in this typeface: in another one they collide.
        assert!(page.contains("@font-face{") && page.contains("figure svg{font-family:"), "{page}");
    }
}
