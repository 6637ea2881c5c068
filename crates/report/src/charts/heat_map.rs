//! Heat map: a number, or a class, at each place of a grid.

use super::cells::{self, CellSize, Cells};
use super::colorbar;
use crate::color::Rgb;
use crate::colormap::{ColorMap, ColorScale, Excess, category_color};
use crate::error::{Error, Result, check_len, check_limit};
use crate::figure::Figure;
use crate::font::{Weight, width};
use crate::legend::{self, Entry, Mark};
use crate::number::{fixed, power, significant};
use crate::pixels::PixelGrid;
use crate::scene::{Anchor, Item, Scene};
use crate::style::{PAD, SMALL, WIDTH, join, placeholder, plural, title};
use crate::theme::Paint;

/// The most rows or columns.
const LIMIT: usize = 4096;
/// The most cells that show their value under the pointer.
const HOVER: usize = 1000;
/// The most classes that the legend names.
const NAMED: usize = 24;

/// What the rows or columns of a grid are.
#[derive(Clone, Debug, PartialEq)]
pub struct GridAxis {
    pub(super) label: String,
    places: Places,
}

#[derive(Clone, Debug, PartialEq)]
enum Places {
    Numbers { start: f64, step: f64 },
    Names(Vec<String>),
}

impl GridAxis {
    /// Rows or columns numbered from `start` in steps of `step`: positions, shifts, epochs.
    pub fn numbers(label: impl Into<String>, start: f64, step: f64) -> GridAxis {
        GridAxis { label: label.into(), places: Places::Numbers { start, step } }
    }

    /// Rows or columns with a name each: classes, layers.
    pub fn names<S: Into<String>>(
        label: impl Into<String>,
        names: impl IntoIterator<Item = S>,
    ) -> GridAxis {
        let names = names.into_iter().map(Into::into).collect();
        GridAxis { label: label.into(), places: Places::Names(names) }
    }

    pub(super) fn is_named(&self) -> bool {
        matches!(self.places, Places::Names(_))
    }

    /// Distance of row labels that reads well: names are all wanted, numbers can be counted on.
    pub(super) fn least_pitch(&self) -> f64 {
        if self.is_named() { 16.0 } else { 26.0 }
    }

    pub(super) fn check(&self, count: usize) -> Result<()> {
        match &self.places {
            Places::Numbers { .. } => Ok(()),
            Places::Names(names) => {
                check_len(&format!("names of {}", self.label), count, names.len())
            }
        }
    }

    pub(super) fn label_of(&self, index: usize) -> String {
        match &self.places {
            Places::Numbers { start, step } => significant(start + step * index as f64, 4),
            Places::Names(names) => names.get(index).cloned().unwrap_or_default(),
        }
    }

    /// The places that get a label if labels need `cells` cells each; numbers at round values.
    pub(super) fn labelled(&self, count: usize, cells: f64) -> Vec<usize> {
        let strides = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
        let stride = strides.into_iter().find(|&s| s as f64 >= cells).unwrap_or(10_000);
        let offset = match &self.places {
            Places::Numbers { start, step } if *step != 0.0 => {
                let before = start / step;
                let whole = (before - before.round()).abs() < 1e-6 && before.abs() < 1e9;
                if whole { (-before.round()).rem_euclid(stride as f64) as usize } else { 0 }
            }
            _ => 0,
        };
        (offset..count).step_by(stride).collect()
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Colors {
    Scale(ColorScale),
    Classes(Vec<String>),
}

#[derive(Clone, Debug, PartialEq)]
struct Outline {
    row: f64,
    column: f64,
    height: f64,
    width: f64,
    label: String,
}

/// A heat map.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    title: String,
    rows: GridAxis,
    columns: GridAxis,
    shape: (usize, usize),
    values: Vec<f64>,
    colors: Colors,
    outlines: Vec<Outline>,
    decimals: Option<usize>,
    width: f64,
    size: CellSize,
}

impl HeatMap {
    /// Numbers on a fixed scale, `shape.0` rows of `shape.1` columns, row by row from the top.
    pub fn new(
        title: impl Into<String>,
        rows: GridAxis,
        columns: GridAxis,
        shape: (usize, usize),
        values: Vec<f64>,
        scale: ColorScale,
    ) -> HeatMap {
        HeatMap {
            title: title.into(),
            rows,
            columns,
            shape,
            values,
            colors: Colors::Scale(scale),
            outlines: Vec::new(),
            decimals: None,
            width: WIDTH,
            size: CellSize::Square { height: 520.0, side: 44.0 },
        }
    }

    /// A class at each place: `classes` are indices into `names`. Each class has the same colour in
    /// every figure; the legend names those that occur.
    pub fn classes(
        title: impl Into<String>,
        rows: GridAxis,
        columns: GridAxis,
        shape: (usize, usize),
        classes: &[usize],
        names: Vec<String>,
    ) -> HeatMap {
        let values = classes.iter().map(|&class| class as f64).collect();
        let scale = ColorScale::fixed(ColorMap::Grey, 0.0, 1.0);
        let mut map = HeatMap::new(title, rows, columns, shape, values, scale);
        map.colors = Colors::Classes(names);
        map
    }

    /// Prints each value with this many decimals, or the name of the class, where all fit into
    /// their cells.
    #[must_use]
    pub fn print(mut self, decimals: usize) -> HeatMap {
        self.decimals = Some(decimals.min(12));
        self
    }

    /// Draws an outline around `height × width` cells from (row, column); the legend names it.
    #[must_use]
    pub fn outline(
        mut self,
        (row, column): (usize, usize),
        (height, width): (usize, usize),
        label: impl Into<String>,
    ) -> HeatMap {
        let [row, column, height, width] = [row, column, height, width].map(|v| v as f64);
        self.outlines.push(Outline { row, column, height, width, label: label.into() });
        self
    }

    /// Width of the figure in CSS pixels.
    #[must_use]
    pub fn width(mut self, width: f64) -> HeatMap {
        self.width = width.clamp(200.0, 4000.0);
        self
    }

    /// Cells that fill the width of the figure and this height, instead of squares.
    #[must_use]
    pub fn stretched(mut self, height: f64) -> HeatMap {
        self.size = CellSize::Stretched { height: height.clamp(20.0, 4000.0) };
        self
    }

    /// Draws the map; a placeholder where it has no cell.
    ///
    /// # Errors
    /// [`Error::Shape`] where values or names do not fit the shape, or a class has no name;
    /// [`Error::TooLarge`] above 4,096 rows or columns.
    pub fn draw(&self) -> Result<Figure> {
        let (rows, columns) = self.shape;
        if rows == 0 || columns == 0 {
            return Ok(placeholder(&self.title, self.width, "the map has no cell"));
        }
        self.check()?;
        let mut scene = Scene::new(self.width, 0.0);
        let room = self.width - 2.0 * PAD;
        let mut y = title(&mut scene, &self.title, PAD, room);
        y += legend::draw(&mut scene, PAD, y, room, &self.entries()) + 4.0;
        let (cells, bottom) =
            cells::draw(&mut scene, y, &self.rows, &self.columns, self.shape, self.size);
        self.draw_cells(&mut scene, &cells)?;
        self.draw_numbers(&mut scene, &cells);
        self.draw_outlines(&mut scene, &cells);
        scene.height = bottom + PAD;
        if let Colors::Scale(scale) = &self.colors {
            let excess = Excess::count(scale, self.values.iter().copied());
            scene.height +=
                colorbar::draw(&mut scene, PAD, bottom + 8.0, room, scale, excess) + 4.0;
        }
        Ok(Figure::new(scene, join(&self.title, &self.words())))
    }

    fn check(&self) -> Result<()> {
        let (rows, columns) = self.shape;
        check_limit("rows of a heat map", rows, LIMIT, "average or thin them first")?;
        check_limit("columns of a heat map", columns, LIMIT, "average or thin them first")?;
        check_len("values of a heat map", rows * columns, self.values.len())?;
        self.rows.check(rows)?;
        self.columns.check(columns)?;
        if let Colors::Classes(names) = &self.colors {
            let nameless = self.values.iter().find(|&&class| class >= names.len() as f64);
            if let Some(class) = nameless {
                return Err(Error::Shape {
                    what: "classes of a heat map".to_owned(),
                    expected: format!("indices below {}, a name for each", names.len()),
                    found: class.to_string(),
                });
            }
        }
        Ok(())
    }

    fn color(&self, value: f64) -> Rgb {
        match &self.colors {
            Colors::Scale(scale) => scale.color(value),
            Colors::Classes(_) => category_color(value as usize),
        }
    }

    fn text_of(&self, value: f64) -> String {
        match &self.colors {
            Colors::Scale(scale) if scale.powers => power(value, 3),
            Colors::Scale(scale) => {
                let (value, unit) = if scale.percent { (100.0 * value, " %") } else { (value, "") };
                let text = self.decimals.map(|decimals| fixed(value, decimals));
                text.unwrap_or_else(|| significant(value, 4)) + unit
            }
            Colors::Classes(names) => names.get(value as usize).cloned().unwrap_or_default(),
        }
    }

    /// A value that a logarithmic scale leaves blank.
    fn is_blank(&self, value: f64) -> bool {
        matches!(&self.colors, Colors::Scale(scale) if scale.log && value <= 0.0)
    }

    fn draw_cells(&self, scene: &mut Scene, cells: &Cells) -> Result<()> {
        let colors = self.values.iter().map(|&value| self.color(value)).collect();
        let grid = PixelGrid::new(cells.columns, cells.rows, colors)?;
        let (left, top, width, height) = (cells.left, cells.top, cells.width(), cells.height());
        scene.add(Item::image(left, top, width, height, grid).named("cells"));
        for (i, &value) in self.values.iter().enumerate() {
            let (row, column) = (i / cells.columns, i % cells.columns);
            let (x, y) = cells.corner(row, column);
            let cell = Item::rect(x, y, cells.cell_width, cells.cell_height);
            if self.is_blank(value) {
                scene.add(cell.clone().fill(Paint::Panel));
            }
            if self.values.len() <= HOVER {
                let (row, column) = (self.rows.label_of(row), self.columns.label_of(column));
                let text = format!(
                    "{} {row}, {} {column}: {}",
                    self.rows.label,
                    self.columns.label,
                    self.text_of(value)
                );
                scene.add(cell.hover(text));
            }
        }
        scene.add(Item::rect(left, top, width, height).stroke(Paint::Rule, 0.75));
        Ok(())
    }

    fn draw_numbers(&self, scene: &mut Scene, cells: &Cells) {
        if self.decimals.is_none() || cells.cell_height < SMALL + 3.0 {
            return;
        }
        let texts: Vec<String> = self.values.iter().map(|&value| self.text_of(value)).collect();
        let widest = texts.iter().map(|t| width(t, SMALL, Weight::Regular)).fold(0.0, f64::max);
        if widest + 4.0 > cells.cell_width {
            return;
        }
        for (i, (text, &value)) in texts.iter().zip(&self.values).enumerate() {
            let (x, y) = cells.corner(i / cells.columns, i % cells.columns);
            let (x, y) = (x + 0.5 * cells.cell_width, y + 0.5 * cells.cell_height);
            let ink = if self.is_blank(value) {
                Paint::Soft
            } else {
                self.color(value).readable_ink().into()
            };
            let text = Item::text(x, y, text).size(SMALL).anchor(Anchor::Middle);
            scene.add(text.fill(ink).centred());
        }
    }

    fn draw_outlines(&self, scene: &mut Scene, cells: &Cells) {
        for (i, outline) in self.outlines.iter().enumerate() {
            let x = cells.left + cells.cell_width * outline.column;
            let y = cells.top + cells.cell_height * outline.row;
            let (width, height) =
                (cells.cell_width * outline.width, cells.cell_height * outline.height);
            let frame = Item::rect(x, y, width, height);
            // White beneath, so that the outline shows on dark and on light cells.
            scene.add(frame.clone().stroke(Rgb::WHITE, 4.0));
            scene.add(frame.stroke(outline_color(i), 2.0));
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        if let Colors::Classes(names) = &self.colors {
            let mut present: Vec<usize> = self.values.iter().map(|&v| v as usize).collect();
            present.sort_unstable();
            present.dedup();
            for &class in present.iter().take(NAMED) {
                let mark = Mark::Box(category_color(class).into(), 1.0);
                entries.push(Entry::new(mark, &names[class]));
            }
            if present.len() > NAMED {
                let more = plural(present.len() - NAMED, "further class");
                entries.push(Entry::new(Mark::Blank, format!("and {more}")));
            }
        }
        for (i, outline) in self.outlines.iter().enumerate() {
            entries.push(Entry::new(Mark::Outline(outline_color(i).into()), &outline.label));
        }
        entries
    }

    fn words(&self) -> String {
        let (rows, columns) = self.shape;
        let place = |i: usize| {
            let (row, column) =
                (self.rows.label_of(i / columns), self.columns.label_of(i % columns));
            format!("{} {row}, {} {column}", self.rows.label, self.columns.label)
        };
        let finite = self.values.iter().enumerate().filter(|(_, v)| v.is_finite());
        let ends = finite.clone().min_by(|a, b| a.1.total_cmp(b.1));
        let ends = ends.zip(finite.max_by(|a, b| a.1.total_cmp(b.1)));
        let size = format!("Heat map of {rows} rows and {columns} columns");
        match (&self.colors, ends) {
            (Colors::Classes(names), _) => {
                let count =
                    |class: usize| self.values.iter().filter(|&&v| v as usize == class).count();
                let counts = names.iter().enumerate().map(|(i, name)| (name, count(i)));
                let counts = counts.filter(|(_, n)| *n > 0).take(NAMED);
                let counts: Vec<String> = counts.map(|(name, n)| format!("{name}: {n}")).collect();
                format!("{size}; cells by class: {}.", counts.join(", "))
            }
            (_, Some(((low_at, &low), (high_at, &high)))) => format!(
                "{size}; lowest {} at {}; highest {} at {}.",
                self.text_of(low),
                place(low_at),
                self.text_of(high),
                place(high_at)
            ),
            _ => format!("{size}; no finite value."),
        }
    }
}

fn outline_color(index: usize) -> Rgb {
    match index {
        0 => Rgb(0x14, 0x18, 0x1d),
        i => category_color([3, 0, 2, 4, 1][(i - 1) % 5]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rows: usize, columns: usize, values: Vec<f64>) -> HeatMap {
        let (r, c) = (GridAxis::numbers("row", 0.0, 1.0), GridAxis::numbers("column", -10.0, 1.0));
        HeatMap::new("P(true)", r, c, (rows, columns), values, ColorScale::probability())
    }

    #[test]
    fn every_text_is_legible_from_one_to_a_thousand_cells_a_side() {
        for (rows, columns) in [(1, 1), (21, 21), (3, 300), (1000, 1000), (100, 2)] {
            let figure = map(rows, columns, vec![0.5; rows * columns]).print(2).draw().unwrap();
            assert_eq!(figure.illegible(), Vec::<String>::new(), "{rows} × {columns}");
        }
    }

    #[test]
    fn numbered_places_are_labelled_at_round_numbers() {
        let axis = GridAxis::numbers("dx", -10.0, 1.0);
        assert_eq!(axis.labelled(21, 3.0), [0, 5, 10, 15, 20]);
        let axis = GridAxis::numbers("row", 3.0, 1.0);
        assert_eq!(axis.labelled(20, 4.5), [2, 7, 12, 17]);
    }

    #[test]
    fn classes_are_named_and_a_class_without_a_name_is_refused() {
        let axis = || GridAxis::numbers("x", 0.0, 1.0);
        let names = || (0..1000).map(|i| format!("class {i}")).collect::<Vec<_>>();
        let classes: Vec<usize> = (0..900).collect();
        let figure = HeatMap::classes("", axis(), axis(), (30, 30), &classes, names());
        let figure = figure.draw().unwrap();
        assert_eq!(figure.illegible(), Vec::<String>::new());
        assert!(figure.to_inline_svg().contains("and 876 further classes"));
        let wrong = HeatMap::classes("", axis(), axis(), (1, 1), &[1000], names());
        assert!(wrong.draw().unwrap_err().to_string().contains("below 1000"));
    }

    #[test]
    fn long_names_of_columns_are_slanted_and_stay_inside() {
        let name = |i: usize| format!("a long class name {i}");
        let names = || (0..10).map(name).collect::<Vec<_>>();
        let (r, c) = (GridAxis::names("true", names()), GridAxis::names("predicted", names()));
        let scale = ColorScale::symmetric(1.0).unwrap().label("difference");
        let map = HeatMap::new("", r, c, (10, 10), vec![f64::NAN; 100], scale);
        let figure = map.outline((2, 3), (4, 4), "critical region").draw().unwrap();
        assert_eq!(figure.illegible(), Vec::<String>::new());
        assert!(figure.to_inline_svg().contains("not finite (NaN, ±∞): 100 values"));
    }

    #[test]
    fn a_map_that_does_not_fit_its_shape_is_refused() {
        assert!(map(2, 2, vec![0.0; 3]).draw().is_err());
        assert!(map(5000, 1, vec![0.0; 5000]).draw().is_err());
        let empty = map(0, 5, Vec::new()).draw().unwrap();
        assert!(empty.to_inline_svg().contains("no cell"));
    }
}
