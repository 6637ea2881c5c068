//! The one figure model: a list of shapes in CSS pixels, y downwards, from which SVG and PNG come.

use crate::font::{self, Weight};
use crate::pixels::PixelGrid;
use crate::theme::Paint;

/// Where a text stands relative to its x.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// The text begins at x.
    #[default]
    Start,
    /// The text is centred on x.
    Middle,
    /// The text ends at x.
    End,
}

/// A step of a path, in absolute coordinates.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Step {
    /// Begin a new line here.
    Move(f64, f64),
    /// A straight line to here.
    Line(f64, f64),
    /// A cubic Bézier curve by two control points to here.
    Cubic(f64, f64, f64, f64, f64, f64),
    /// Back to where the line began.
    Close,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Rect { x: f64, y: f64, width: f64, height: f64, radius: f64 },
    Circle { x: f64, y: f64, radius: f64 },
    Path(Vec<Step>),
    Text(Text),
    Image { x: f64, y: f64, width: f64, height: f64, pixels: PixelGrid },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) text: String,
    pub(crate) size: f64,
    pub(crate) weight: Weight,
    pub(crate) anchor: Anchor,
    /// Degrees clockwise about (x, y).
    pub(crate) angle: f64,
}

/// A shape with its paint.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub(crate) shape: Shape,
    pub(crate) fill: Option<Paint>,
    pub(crate) stroke: Option<(Paint, f64)>,
    pub(crate) dash: Vec<f64>,
    pub(crate) opacity: f64,
    pub(crate) hover: Option<String>,
    pub(crate) name: Option<String>,
}

impl Item {
    fn new(shape: Shape) -> Item {
        Item {
            shape,
            fill: None,
            stroke: None,
            dash: Vec::new(),
            opacity: 1.0,
            hover: None,
            name: None,
        }
    }

    /// A rectangle from its top left corner.
    #[must_use]
    pub fn rect(x: f64, y: f64, width: f64, height: f64) -> Item {
        Item::new(Shape::Rect { x, y, width, height, radius: 0.0 })
    }

    /// A circle around a centre.
    #[must_use]
    pub fn circle(x: f64, y: f64, radius: f64) -> Item {
        Item::new(Shape::Circle { x, y, radius })
    }

    /// A straight line.
    #[must_use]
    pub fn line(x1: f64, y1: f64, x2: f64, y2: f64) -> Item {
        Item::new(Shape::Path(vec![Step::Move(x1, y1), Step::Line(x2, y2)]))
    }

    /// A line through points.
    pub fn polyline(points: impl IntoIterator<Item = (f64, f64)>) -> Item {
        let step = |(i, (x, y))| if i == 0 { Step::Move(x, y) } else { Step::Line(x, y) };
        Item::new(Shape::Path(points.into_iter().enumerate().map(step).collect()))
    }

    /// A closed polygon.
    pub fn polygon(points: impl IntoIterator<Item = (f64, f64)>) -> Item {
        let mut item = Item::polyline(points);
        if let Shape::Path(steps) = &mut item.shape {
            steps.push(Step::Close);
        }
        item
    }

    /// Any path.
    #[must_use]
    pub fn path(steps: Vec<Step>) -> Item {
        Item::new(Shape::Path(steps))
    }

    /// A line of text whose baseline begins at (x, y), 12 px, in [`Paint::Ink`].
    pub fn text(x: f64, y: f64, text: impl Into<String>) -> Item {
        let text = one_line(&text.into());
        let (size, weight, anchor, angle) = (12.0, Weight::Regular, Anchor::Start, 0.0);
        Item::new(Shape::Text(Text { x, y, text, size, weight, anchor, angle })).fill(Paint::Ink)
    }

    /// Pixels stretched over a rectangle, with sharp edges.
    #[must_use]
    pub fn image(x: f64, y: f64, width: f64, height: f64, pixels: PixelGrid) -> Item {
        Item::new(Shape::Image { x, y, width, height, pixels })
    }

    /// Fills the shape; for a text, its colour.
    #[must_use]
    pub fn fill(mut self, paint: impl Into<Paint>) -> Item {
        self.fill = Some(paint.into());
        self
    }

    /// Draws the outline.
    #[must_use]
    pub fn stroke(mut self, paint: impl Into<Paint>, width: f64) -> Item {
        self.stroke = Some((paint.into(), width));
        self
    }

    /// Dashes the outline: lengths of line and gap in turn.
    #[must_use]
    pub fn dash(mut self, lengths: &[f64]) -> Item {
        self.dash = lengths.to_vec();
        self
    }

    /// Opacity in 0..=1 of the whole shape.
    #[must_use]
    pub fn opacity(mut self, opacity: f64) -> Item {
        self.opacity = opacity.clamp(0.0, 1.0);
        self
    }

    /// Rounds the corners of a rectangle.
    #[must_use]
    pub fn rounded(mut self, corner: f64) -> Item {
        if let Shape::Rect { radius, .. } = &mut self.shape {
            *radius = corner;
        }
        self
    }

    /// Size of a text in pixels.
    #[must_use]
    pub fn size(self, size: f64) -> Item {
        self.edit_text(|text| text.size = size)
    }

    /// Sets a text in semibold.
    #[must_use]
    pub fn bold(self) -> Item {
        self.edit_text(|text| text.weight = Weight::SemiBold)
    }

    /// Where a text stands relative to its x.
    #[must_use]
    pub fn anchor(self, anchor: Anchor) -> Item {
        self.edit_text(|text| text.anchor = anchor)
    }

    /// Turns a text about its point, degrees clockwise.
    #[must_use]
    pub fn rotated(self, angle: f64) -> Item {
        self.edit_text(|text| text.angle = angle)
    }

    /// Moves a text down so that its capitals are centred on its y.
    #[must_use]
    pub fn centred(self) -> Item {
        self.edit_text(|text| text.y += 0.5 * font::CAP_HEIGHT * text.size)
    }

    /// A short text that a browser shows when the pointer rests on the shape.
    #[must_use]
    pub fn hover(mut self, text: impl Into<String>) -> Item {
        self.hover = Some(text.into());
        self
    }

    /// A name by which a script in the report finds the shape: the attribute `data-name`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Item {
        self.name = Some(name.into());
        self
    }

    fn edit_text(mut self, edit: impl FnOnce(&mut Text)) -> Item {
        if let Shape::Text(text) = &mut self.shape {
            edit(text);
        }
        self
    }

    fn translate(&mut self, dx: f64, dy: f64) {
        match &mut self.shape {
            Shape::Rect { x, y, .. } | Shape::Circle { x, y, .. } | Shape::Image { x, y, .. } => {
                *x += dx;
                *y += dy;
            }
            Shape::Text(text) => {
                text.x += dx;
                text.y += dy;
            }
            Shape::Path(steps) => steps.iter_mut().for_each(|step| step.translate(dx, dy)),
        }
    }
}

impl Step {
    fn translate(&mut self, dx: f64, dy: f64) {
        match self {
            Step::Move(x, y) | Step::Line(x, y) => {
                *x += dx;
                *y += dy;
            }
            Step::Cubic(x1, y1, x2, y2, x, y) => {
                for v in [x1, x2, x] {
                    *v += dx;
                }
                for v in [y1, y2, y] {
                    *v += dy;
                }
            }
            Step::Close => {}
        }
    }
}

/// Line breaks and control characters have no place in a label. The typeface lacks the sign of a
/// norm, which two bars replace.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.replace(['‖', '∥'], "||")
}

/// A drawing: shapes in the order in which they are painted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) items: Vec<Item>,
}

impl Scene {
    /// An empty drawing of a size in CSS pixels.
    #[must_use]
    pub fn new(width: f64, height: f64) -> Scene {
        Scene { width, height, items: Vec::new() }
    }

    /// Width in CSS pixels.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Height in CSS pixels.
    #[must_use]
    pub fn height(&self) -> f64 {
        self.height
    }

    /// Paints a shape over the others.
    pub fn add(&mut self, item: Item) {
        self.items.push(item);
    }

    /// Paints another drawing over this one, its top left corner at (x, y).
    pub fn place(&mut self, other: Scene, x: f64, y: f64) {
        self.items.extend(other.items.into_iter().map(|mut item| {
            item.translate(x, y);
            item
        }));
    }
}

/// The four corners of the box that a text covers, in order around it.
pub(crate) fn text_corners(text: &Text) -> [(f64, f64); 4] {
    let width = font::width(&text.text, text.size, text.weight);
    let start = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -0.5 * width,
        Anchor::End => -width,
    };
    let (sin, cos) = text.angle.to_radians().sin_cos();
    let (top, bottom) = (-font::CAP_HEIGHT * text.size, 0.18 * text.size);
    [(start, top), (start + width, top), (start + width, bottom), (start, bottom)]
        .map(|(x, y)| (text.x + x * cos - y * sin, text.y + x * sin + y * cos))
}
