//! SVG from a scene: one for files, one for the report's page.

use std::fmt::Write;

use crate::base64;
use crate::escape::escape;
use crate::font::{FAMILY, Weight};
use crate::scene::{Anchor, Item, Scene, Shape, Step, Text};
use crate::theme::{Paint, Theme};

/// Names of installed typefaces for readers whose program ignores embedded ones.
pub(crate) const FALLBACK: &str = "'Helvetica Neue', Arial, sans-serif";

/// Whether colours with a role are fixed or left to the page's style sheet.
#[derive(Copy, Clone)]
enum Colors {
    Fixed(Theme),
    FromPage,
}

pub(crate) fn standalone(scene: &Scene, alt: &str, theme: Theme) -> String {
    let colors = Colors::Fixed(theme);
    let mut out = String::new();
    let (width, height) = (short(scene.width), short(scene.height));
    let label = escape(alt);
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\" \
         font-family=\"'{FAMILY}', {FALLBACK}\">\n<title>{label}</title>\n<style>{}\
         text{{font-kerning:none}}image{{image-rendering:pixelated}}</style>\n",
        font_faces(),
    );
    let ground = theme.resolve(Paint::Paper).hex();
    let _ = writeln!(out, "<rect width=\"{width}\" height=\"{height}\" fill=\"{ground}\"/>");
    scene.items.iter().for_each(|item| write_item(&mut out, item, colors));
    out.push_str("</svg>\n");
    out
}

pub(crate) fn inline(scene: &Scene, alt: &str) -> String {
    let mut out = String::new();
    let (width, height) = (short(scene.width), short(scene.height));
    let _ = writeln!(
        out,
        "<svg class=\"figure\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\" \
         style=\"max-width:{width}px;min-width:{}px\">",
        escape(alt),
        // Below this a page on a phone scrolls the figure instead of shrinking its text further.
        short((0.62 * scene.width).floor()),
    );
    scene.items.iter().for_each(|item| write_item(&mut out, item, Colors::FromPage));
    out.push_str("</svg>\n");
    out
}

/// The embedded typeface as CSS.
pub(crate) fn font_faces() -> String {
    let face = |weight: Weight| {
        format!(
            "@font-face{{font-family:'{FAMILY}';font-weight:{};src:url(data:font/woff2;base64,{}) \
             format('woff2')}}",
            weight.css(),
            base64::encode(weight.woff2()),
        )
    };
    face(Weight::Regular) + &face(Weight::SemiBold)
}

/// A coordinate with at most two decimals.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn write_item(out: &mut String, item: &Item, colors: Colors) {
    let (tag, geometry) = match &item.shape {
        Shape::Rect { x, y, width, height, radius } => {
            let radius =
                if *radius > 0.0 { format!(" rx=\"{}\"", short(*radius)) } else { String::new() };
            ("rect", format!("{}{radius}", frame(*x, *y, *width, *height)))
        }
        Shape::Circle { x, y, radius } => {
            let radius = short(*radius);
            ("circle", format!(" cx=\"{}\" cy=\"{}\" r=\"{radius}\"", short(*x), short(*y)))
        }
        Shape::Path(steps) => ("path", format!(" d=\"{}\"", path_data(steps))),
        Shape::Text(text) => ("text", text_geometry(text)),
        Shape::Image { x, y, width, height, pixels } => (
            "image",
            format!(
                "{} preserveAspectRatio=\"none\" href=\"{}\"",
                frame(*x, *y, *width, *height),
                pixels.data_uri()
            ),
        ),
    };
    let _ = write!(out, "<{tag}{geometry}{}{}", paints(item, colors), hooks(item));
    let hover = item.hover.as_deref().map(|t| format!("<title>{}</title>", escape(t)));
    let text = if let Shape::Text(text) = &item.shape { escape(&text.text) } else { String::new() };
    let content = hover.unwrap_or_default() + &text;
    if content.is_empty() {
        out.push_str("/>\n");
    } else {
        let _ = writeln!(out, ">{content}</{tag}>");
    }
}

fn frame(x: f64, y: f64, width: f64, height: f64) -> String {
    let (x, y, width, height) = (short(x), short(y), short(width), short(height));
    format!(" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"")
}

fn path_data(steps: &[Step]) -> String {
    let mut data = String::new();
    for step in steps {
        let _ = match step {
            Step::Move(x, y) => write!(data, "M{} {}", short(*x), short(*y)),
            Step::Line(x, y) => write!(data, "L{} {}", short(*x), short(*y)),
            Step::Cubic(x1, y1, x2, y2, x, y) => {
                let [x1, y1, x2, y2, x, y] = [x1, y1, x2, y2, x, y].map(|v| short(*v));
                write!(data, "C{x1} {y1} {x2} {y2} {x} {y}")
            }
            Step::Close => write!(data, "Z"),
        };
    }
    data
}

fn text_geometry(text: &Text) -> String {
    let (x, y) = (short(text.x), short(text.y));
    let mut out = format!(" x=\"{x}\" y=\"{y}\" font-size=\"{}\"", short(text.size));
    match text.anchor {
        Anchor::Start => {}
        Anchor::Middle => out.push_str(" text-anchor=\"middle\""),
        Anchor::End => out.push_str(" text-anchor=\"end\""),
    }
    if text.weight != Weight::Regular {
        let _ = write!(out, " font-weight=\"{}\"", text.weight.css());
    }
    if text.angle != 0.0 {
        let _ = write!(out, " transform=\"rotate({} {x} {y})\"", short(text.angle));
    }
    out
}

/// Fill and stroke. On the page, roles become classes; the fixed colours stay as attributes, which
/// any style sheet rule overrides, so that the figure survives being copied out of the page.
fn paints(item: &Item, colors: Colors) -> String {
    let theme = if let Colors::Fixed(theme) = colors { theme } else { Theme::Light };
    let hex = |paint: Paint| theme.resolve(paint).hex();
    let mut out = String::new();
    let mut classes = Vec::new();
    match item.fill {
        Some(paint) => {
            let _ = write!(out, " fill=\"{}\"", hex(paint));
            classes.extend(paint.role().map(|role| format!("f-{role}")));
        }
        None if matches!(item.shape, Shape::Image { .. }) => {}
        None => out.push_str(" fill=\"none\""),
    }
    if let Some((paint, width)) = item.stroke {
        let _ = write!(out, " stroke=\"{}\" stroke-width=\"{}\"", hex(paint), short(width));
        classes.extend(paint.role().map(|role| format!("s-{role}")));
        if matches!(item.shape, Shape::Path(_)) {
            out.push_str(" stroke-linejoin=\"round\"");
        }
    }
    if !item.dash.is_empty() {
        let lengths: Vec<String> = item.dash.iter().map(|&v| short(v)).collect();
        let _ = write!(out, " stroke-dasharray=\"{}\"", lengths.join(" "));
    }
    if item.opacity < 1.0 {
        let _ = write!(out, " opacity=\"{}\"", short(item.opacity));
    }
    if matches!(colors, Colors::FromPage) && !classes.is_empty() {
        let _ = write!(out, " class=\"{}\"", classes.join(" "));
    }
    out
}

fn hooks(item: &Item) -> String {
    let mut out = String::new();
    if let Some(name) = &item.name {
        let _ = write!(out, " data-name=\"{}\"", escape(name));
    }
    // A shape without paint would otherwise not feel the pointer.
    if item.hover.is_some() && item.fill.is_none() {
        out.push_str(" pointer-events=\"all\"");
    }
    out
}
