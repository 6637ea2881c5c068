//! A grid of equal cells with labels for rows and columns: what matrix and heat map have in common.

use super::heat_map::GridAxis;
use crate::font::{Weight, elide, width};
use crate::scene::{Anchor, Item, Scene};
use crate::style::{PAD, SMALL};
use crate::theme::Paint;

/// The longest label of a row or column, in pixels.
const LONGEST: f64 = 120.0;
/// Slant of column labels that do not fit side by side, in degrees.
const SLANT: f64 = 45.0;

/// How large the cells become.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(super) enum CellSize {
    /// Square, as large as fits into the width of the figure and this height and side.
    Square { height: f64, side: f64 },
    /// As wide as the figure allows, this high in total.
    Stretched { height: f64 },
}

/// Where the cells lie.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(super) struct Cells {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) cell_width: f64,
    pub(super) cell_height: f64,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Cells {
    pub(super) fn width(&self) -> f64 {
        self.cell_width * self.columns as f64
    }

    pub(super) fn height(&self) -> f64 {
        self.cell_height * self.rows as f64
    }

    /// Top left corner of a cell.
    pub(super) fn corner(&self, row: usize, column: usize) -> (f64, f64) {
        (self.left + self.cell_width * column as f64, self.top + self.cell_height * row as f64)
    }
}

fn text_width(text: &str) -> f64 {
    width(text, SMALL, Weight::Regular)
}

/// Lays out `rows.len × columns.len` cells from `y` downwards, draws the labels around them, and
/// gives the cells and the y below everything.
pub(super) fn draw(
    scene: &mut Scene,
    y: f64,
    rows: &GridAxis,
    columns: &GridAxis,
    (row_count, column_count): (usize, usize),
    size: CellSize,
) -> (Cells, f64) {
    let room = scene.width() - 2.0 * PAD;
    let row_labels: Vec<String> = (0..row_count).map(|i| rows.label_of(i)).collect();
    let column_labels: Vec<String> = (0..column_count).map(|i| columns.label_of(i)).collect();
    let longest = |labels: &[String]| labels.iter().map(|l| text_width(l)).fold(0.0, f64::max);
    let row_room = longest(&row_labels).min(LONGEST).min(0.34 * scene.width());
    let mut left = PAD + row_room + 8.0;
    let column_room = longest(&column_labels).min(LONGEST);
    let mut top = y;
    if !rows.label.is_empty() {
        let label = elide(&rows.label, SMALL, Weight::Regular, room);
        scene.add(Item::text(PAD, top + 12.0, label).size(SMALL).fill(Paint::Soft));
        top += 20.0;
    }
    let measure = |left: f64| cell_size(scene.width() - PAD - left, row_count, column_count, size);
    let slanted = columns.is_named() && column_room + 6.0 > measure(left).0;
    if slanted {
        // The first slanted label reaches to the left of its cell.
        left = left.max(PAD + column_room * SLANT.to_radians().cos() + 4.0);
    }
    let (cell_width, cell_height) = measure(left);
    let cells =
        Cells { left, top, cell_width, cell_height, rows: row_count, columns: column_count };
    draw_row_labels(scene, &cells, rows, &row_labels, row_room);
    let mut bottom = cells.top + cells.height();
    bottom += if slanted {
        draw_slanted(scene, &cells, &column_labels)
    } else {
        draw_upright(scene, &cells, columns, &column_labels)
    };
    if !columns.label.is_empty() {
        let label = elide(&columns.label, SMALL, Weight::Regular, room);
        let half = 0.5 * text_width(&label);
        let middle = cells.left + 0.5 * cells.width();
        let x = middle.min(scene.width() - PAD - half).max(PAD + half);
        let text = Item::text(x, bottom + 14.0, label).size(SMALL).fill(Paint::Soft);
        scene.add(text.anchor(Anchor::Middle));
        bottom += 20.0;
    }
    (cells, bottom)
}

fn cell_size(room: f64, rows: usize, columns: usize, size: CellSize) -> (f64, f64) {
    let across = room / columns as f64;
    match size {
        CellSize::Stretched { height } => (across, height / rows as f64),
        CellSize::Square { height, side } => {
            let fitting = across.min(height / rows as f64).min(side);
            // Whole pixels where there are some to choose from: all cells look equally wide.
            let side = if fitting >= 3.0 { fitting.floor() } else { fitting };
            (side, side)
        }
    }
}

fn draw_row_labels(
    scene: &mut Scene,
    cells: &Cells,
    axis: &GridAxis,
    labels: &[String],
    room: f64,
) {
    for i in axis.labelled(cells.rows, axis.least_pitch() / cells.cell_height) {
        let y = cells.top + cells.cell_height * (i as f64 + 0.5);
        let label = elide(&labels[i], SMALL, Weight::Regular, room + 0.5);
        let text = Item::text(cells.left - 7.0, y, label).size(SMALL).anchor(Anchor::End);
        scene.add(text.fill(Paint::Soft).centred().hover(&labels[i]));
    }
}

/// Labels under their columns; gives the height they took.
fn draw_upright(scene: &mut Scene, cells: &Cells, axis: &GridAxis, labels: &[String]) -> f64 {
    let widest = labels.iter().map(|label| text_width(label)).fold(0.0, f64::max);
    let y = cells.top + cells.height() + 16.0;
    let right = scene.width();
    for i in axis.labelled(cells.columns, (widest + 7.0) / cells.cell_width) {
        let x = cells.left + cells.cell_width * (i as f64 + 0.5);
        if x + 0.5 * text_width(&labels[i]) > right {
            continue;
        }
        let text = Item::text(x, y, &labels[i]).size(SMALL).anchor(Anchor::Middle);
        scene.add(text.fill(Paint::Soft));
    }
    20.0
}

fn draw_slanted(scene: &mut Scene, cells: &Cells, labels: &[String]) -> f64 {
    let (sin, cos) = SLANT.to_radians().sin_cos();
    let stride = (16.0 / sin / cells.cell_width).ceil().max(1.0) as usize;
    let mut deepest: f64 = 0.0;
    for (i, label) in labels.iter().enumerate().step_by(stride) {
        let x = cells.left + cells.cell_width * (i as f64 + 0.5);
        let y = cells.top + cells.height() + 11.0;
        let short = elide(label, SMALL, Weight::Regular, LONGEST);
        deepest = deepest.max(text_width(&short) * sin + SMALL * cos);
        let text = Item::text(x + 4.0, y, short).size(SMALL).anchor(Anchor::End);
        scene.add(text.rotated(-SLANT).fill(Paint::Soft).hover(label));
    }
    deepest + 6.0
}
