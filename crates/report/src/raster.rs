//! PNG from a scene, drawn by tiny-skia with the embedded typeface.

use tiny_skia::{
    Color, FillRule, FilterQuality, IntSize, LineCap, LineJoin, Path, PathBuilder, Pixmap,
    PixmapPaint, Rect, Stroke, StrokeDash, Transform,
};

use crate::color::Rgb;
use crate::error::{Error, Result};
use crate::font::{self, Pen};
use crate::pixels::{self, PixelGrid};
use crate::scene::{Anchor, Item, Scene, Shape, Step, Text};
use crate::theme::{Paint, Theme};

/// The most pixels of one PNG: 40 million, 160 MB while it is drawn.
const LIMIT: f64 = 40e6;

pub(crate) fn png(scene: &Scene, scale: f64, theme: Theme) -> Result<Vec<u8>> {
    let (mut canvas, transform) = canvas(scene, scale, theme)?;
    for item in &scene.items {
        draw(&mut canvas, transform, item, theme);
    }
    // The ground is opaque, so the alpha channel holds nothing.
    let rgb: Vec<u8> = canvas.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    let (width, height) = (canvas.width() as usize, canvas.height() as usize);
    pixels::encode(width, height, png::ColorType::Rgb, None, &rgb)
}

fn canvas(scene: &Scene, scale: f64, theme: Theme) -> Result<(Pixmap, Transform)> {
    let refuse = || Error::Shape {
        what: "PNG".to_owned(),
        expected: "a positive scale and a drawing of some extent".to_owned(),
        found: format!("scale {scale}, drawing {} × {}", scene.width, scene.height),
    };
    let area = scene.width * scene.height;
    if !(scale > 0.0 && scale.is_finite() && area > 0.0 && area.is_finite()) {
        return Err(refuse());
    }
    let scale = scale.min((LIMIT / area).sqrt());
    let pixels = |length: f64| (length * scale).round().clamp(1.0, f64::from(u16::MAX)) as u32;
    let mut canvas = Pixmap::new(pixels(scene.width), pixels(scene.height)).ok_or_else(refuse)?;
    canvas.fill(color(theme.resolve(Paint::Paper), 1.0));
    Ok((canvas, Transform::from_scale(scale as f32, scale as f32)))
}

fn color(rgb: Rgb, opacity: f64) -> Color {
    let alpha = (opacity * 255.0).round() as u8;
    Color::from_rgba8(rgb.0, rgb.1, rgb.2, alpha)
}

fn draw(canvas: &mut Pixmap, transform: Transform, item: &Item, theme: Theme) {
    match &item.shape {
        Shape::Image { x, y, width, height, pixels } => {
            let place = transform.pre_translate(*x as f32, *y as f32).pre_scale(
                (width / pixels.width() as f64) as f32,
                (height / pixels.height() as f64) as f32,
            );
            draw_image(canvas, place, pixels, item.opacity);
        }
        Shape::Text(text) => {
            let at = transform
                .pre_translate(text.x as f32, text.y as f32)
                .pre_concat(Transform::from_rotate(text.angle as f32));
            draw_path(canvas, at, text_path(text), item, theme);
        }
        Shape::Rect { x, y, width, height, radius } => {
            let path = rect_path(*x, *y, *width, *height, *radius);
            draw_path(canvas, transform, path, item, theme);
        }
        Shape::Circle { x, y, radius } => {
            let path = PathBuilder::from_circle(*x as f32, *y as f32, *radius as f32);
            draw_path(canvas, transform, path, item, theme);
        }
        Shape::Path(steps) => draw_path(canvas, transform, steps_path(steps), item, theme),
    }
}

fn draw_path(
    canvas: &mut Pixmap,
    transform: Transform,
    path: Option<Path>,
    item: &Item,
    theme: Theme,
) {
    // A path without extent (a text of spaces, a bar of height 0) draws nothing.
    let Some(path) = path else { return };
    let paint = |of: Paint| {
        let mut paint = tiny_skia::Paint { anti_alias: true, ..Default::default() };
        paint.set_color(color(theme.resolve(of), item.opacity));
        paint
    };
    if let Some(fill) = item.fill {
        canvas.fill_path(&path, &paint(fill), FillRule::Winding, transform, None);
    }
    if let Some((of, width)) = item.stroke {
        let dash = item.dash.iter().map(|&v| v as f32).collect();
        let stroke = Stroke {
            width: width as f32,
            line_join: LineJoin::Round,
            line_cap: LineCap::Butt,
            dash: StrokeDash::new(dash, 0.0),
            ..Default::default()
        };
        canvas.stroke_path(&path, &paint(of), &stroke, transform, None);
    }
}

fn draw_image(canvas: &mut Pixmap, place: Transform, pixels: &PixelGrid, opacity: f64) {
    let data: Vec<u8> = pixels.pixels().iter().flat_map(|p| [p.0, p.1, p.2, 255]).collect();
    let size = IntSize::from_wh(pixels.width() as u32, pixels.height() as u32);
    let Some(source) = size.and_then(|size| Pixmap::from_vec(data, size)) else { return };
    let shrunk = place.sx < 1.0 || place.sy < 1.0;
    let quality = if shrunk { FilterQuality::Bilinear } else { FilterQuality::Nearest };
    let paint = PixmapPaint { opacity: opacity as f32, quality, ..Default::default() };
    canvas.draw_pixmap(0, 0, source.as_ref(), &paint, place, None);
}

fn rect_path(x: f64, y: f64, width: f64, height: f64, radius: f64) -> Option<Path> {
    let rect = Rect::from_xywh(x as f32, y as f32, width as f32, height as f32)?;
    let r = radius.min(0.5 * width).min(0.5 * height);
    if r <= 0.0 {
        return Some(PathBuilder::from_rect(rect));
    }
    // Distance of a Bézier control point that makes a quarter of a circle.
    let k = r * (1.0 - 0.552_284_75);
    let (right, bottom) = (x + width, y + height);
    steps_path(&[
        Step::Move(x + r, y),
        Step::Line(right - r, y),
        Step::Cubic(right - k, y, right, y + k, right, y + r),
        Step::Line(right, bottom - r),
        Step::Cubic(right, bottom - k, right - k, bottom, right - r, bottom),
        Step::Line(x + r, bottom),
        Step::Cubic(x + k, bottom, x, bottom - k, x, bottom - r),
        Step::Line(x, y + r),
        Step::Cubic(x, y + k, x + k, y, x + r, y),
        Step::Close,
    ])
}

fn steps_path(steps: &[Step]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for step in steps {
        match *step {
            Step::Move(x, y) => path.move_to(x as f32, y as f32),
            Step::Line(x, y) => path.line_to(x as f32, y as f32),
            Step::Cubic(x1, y1, x2, y2, x, y) => {
                path.cubic_to(x1 as f32, y1 as f32, x2 as f32, y2 as f32, x as f32, y as f32);
            }
            Step::Close => path.close(),
        }
    }
    path.finish()
}

fn text_path(text: &Text) -> Option<Path> {
    let width = font::width(&text.text, text.size, text.weight);
    let start = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -0.5 * width,
        Anchor::End => -width,
    };
    let mut pen = TextPen { path: PathBuilder::new(), start, size: text.size };
    font::outline(&text.text, text.weight, &mut pen);
    pen.path.finish()
}

/// Takes outlines in em, y upwards, to the canvas, y downwards.
struct TextPen {
    path: PathBuilder,
    start: f64,
    size: f64,
}

impl TextPen {
    fn at(&self, x: f64, y: f64) -> (f32, f32) {
        ((self.start + x * self.size) as f32, (-y * self.size) as f32)
    }
}

impl Pen for TextPen {
    fn move_to(&mut self, x: f64, y: f64) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f64, y: f64) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f64, y1: f64, x: f64, y: f64) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn cubic_to(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, x: f64, y: f64) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
