//! Shifting an image: the words, the table and the chapter.

use cutaway::Model;
use cutaway::probe::{Curve, Direction, FillMode, Parameter, ShiftRow, Transform};
use cutaway::report::{Chapter, number};

use crate::commands::maps::whose;
use crate::commands::shift::Measured;
use crate::error::Result;
use crate::figures::shift as figures;

/// The accuracy that sentences call holding.
const LEVEL: f64 = 0.9;

/// Probabilities that the reference study published for a ‘1’ of MNIST moved sideways, pixels from
/// beyond the border filled in by `nearest`.
const PUBLISHED: [(f64, f64); 3] = [(0.0, 0.999_855_16), (-3.0, 0.996_133_57), (3.0, 0.721_059_75)];

/// A change in words and the unit of its parameter.
pub(crate) fn name(parameter: Parameter) -> [&'static str; 2] {
    match parameter {
        Parameter::Dx => ["shifts to the right", " px"],
        Parameter::Dy => ["shifts down", " px"],
        Parameter::Rotate => ["turns clockwise", "°"],
        Parameter::Scale => ["changes of size", " times"],
        Parameter::Shear => ["shears", "°"],
    }
}

/// What was done to the image, in words: the table's remark.
pub(crate) fn remark(t: &Transform) -> String {
    let amount = |v: f64| number::significant(v.abs(), 4);
    let along = |v: f64, [back, on]: [&str; 2]| match v {
        0.0 => None,
        v => Some(format!("{} px {}", amount(v), if v < 0.0 { back } else { on })),
    };
    let shift = [along(t.dx, ["left", "right"]), along(t.dy, ["up", "down"])];
    let shift: Vec<String> = shift.into_iter().flatten().collect();
    let turn = if t.rotate < 0.0 { "anticlockwise" } else { "clockwise" };
    let parts = [
        (!shift.is_empty()).then(|| format!("shifted {}", shift.join(", "))),
        (t.rotate != 0.0).then(|| format!("turned {}° {turn}", amount(t.rotate))),
        (t.scale != 1.0).then(|| format!("scaled {} times", amount(t.scale))),
        (t.shear != 0.0).then(|| format!("sheared {}°", number::significant(t.shear, 4))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "as it is".to_owned() } else { parts.join(", ") }
}

/// The published probability of the same case, if there is one.
fn published(measured: &Measured, row: &ShiftRow) -> Option<f64> {
    let same_case = measured.dataset.as_deref() == Some("mnist")
        && measured.sample.label == Some(1)
        && measured.shifts.fill.mode == FillMode::Nearest;
    let same = |dx: f64| row.transform == Transform::shift(dx, 0.0);
    PUBLISHED.into_iter().find(|&(dx, _)| same_case && same(dx)).map(|(_, p)| p)
}

/// The published cases beside ours: experiment, published, measured, note.
pub(crate) fn published_cases(measured: &Measured) -> Vec<[String; 4]> {
    let case = |row: &ShiftRow| {
        let p = number::fixed(published(measured, row)?, 8);
        let ours = number::fixed(f64::from(row.p_true), 8);
        let note = match &measured.sample.index {
            Some(index) => format!("Which ‘1’ it was is not published; here test sample {index}."),
            None => "Which ‘1’ it was is not published.".to_owned(),
        };
        Some([format!("1 P(1) of a ‘1’ {}", remark(&row.transform)), p, ours, note])
    };
    measured.shifts.rows.iter().filter_map(case).collect()
}

/// Heads and cells of the table.
fn table(model: &Model, measured: &Measured) -> (Vec<String>, Vec<Vec<String>>) {
    let class = model.label(measured.shifts.class);
    let rows = &measured.shifts.rows;
    let with_published = rows.iter().any(|row| published(measured, row).is_some());
    let mut head = vec![
        "image".to_owned(),
        "prediction".to_owned(),
        "probability".to_owned(),
        format!("P({class})"),
    ];
    if with_published {
        head.push(format!("published P({class})"));
    }
    let cells = |row: &ShiftRow| {
        let p = |p: f64| number::fixed(p, 8);
        let mut cells = vec![
            remark(&row.transform),
            model.label(row.predicted),
            p(f64::from(row.probability)),
            p(f64::from(row.p_true)),
        ];
        if with_published {
            cells.push(published(measured, row).map_or("–".to_owned(), p));
        }
        cells
    };
    (head, rows.iter().map(cells).collect())
}

/// The table for a terminal, under a line that names the image.
pub(crate) fn table_text(model: &Model, measured: &Measured) -> String {
    let fill = measured.shifts.fill;
    let value = match fill.mode {
        FillMode::Constant => format!(" {}", fill.cval),
        _ => String::new(),
    };
    let label = match measured.sample.label {
        Some(label) => format!(", a {}", model.label(label)),
        None => String::new(),
    };
    let source = &measured.sample.source;
    let mut text = format!("{source}{label}; border filled by {}{value}\n\n", fill.mode);
    let (head, rows) = table(model, measured);
    let lines: Vec<&Vec<String>> = [&head].into_iter().chain(&rows).collect();
    let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += &format!("{}\n", cells.collect::<Vec<_>>().join("   ").trim_end());
    }
    text + "\n"
}

/// What the numbers say.
pub(crate) fn sentences(model: &Model, measured: &Measured) -> Vec<String> {
    let shifts = &measured.shifts;
    let (grid, class) = (&shifts.grid, shifts.class);
    let (kept, all) = (grid.kept(class), grid.len());
    let mut sentences = vec![format!(
        "Of the {all} shifts by up to {} whole pixels, {kept} ({}) leave the prediction at ‘{}’.",
        grid.dx.len() / 2,
        number::percent(kept as f64 / all as f64, 1),
        model.label(class)
    )];
    sentences.push(directions(model, measured));
    sentences.extend(of_curves(&measured.curves));
    sentences
}

/// Where a straight shift first changes the prediction, in each direction.
fn directions(model: &Model, measured: &Measured) -> String {
    let grid = &measured.shifts.grid;
    let class = measured.shifts.class;
    let names = [
        (Direction::Left, "to the left"),
        (Direction::Right, "to the right"),
        (Direction::Up, "up"),
        (Direction::Down, "down"),
    ];
    let (mut lost, mut kept) = (Vec::new(), Vec::new());
    for (direction, name) in names {
        match grid.first_lost(direction, class) {
            Some((0, says)) => {
                return format!("The image as it is is taken for ‘{}’.", model.label(says));
            }
            Some((by, says)) => lost.push(format!("{by} px {name} (‘{}’)", model.label(says))),
            None => kept.push(name),
        }
    }
    let mut text = match lost.is_empty() {
        true => "No straight shift of the grid changes it".to_owned(),
        false => format!("Straight shifts first change it at {}", lost.join(", ")),
    };
    if !lost.is_empty() && !kept.is_empty() {
        text += &format!("; not within {} px {}", grid.dx.len() / 2, kept.join(" or "));
    }
    text + "."
}

/// The curves in sentences; none where there is no curve.
fn of_curves(curves: &[Curve]) -> Vec<String> {
    let Some((curve, point)) = curves.first().and_then(|c| Some((c, c.undisturbed()?))) else {
        return Vec::new();
    };
    let first = format!(
        "On the first {} test images accuracy is {} as they are.",
        number::count(curve.count as u64),
        number::percent(point.accuracy, 2)
    );
    [first].into_iter().chain(curves.iter().map(of_curve)).collect()
}

fn of_curve(curve: &Curve) -> String {
    let [what, unit] = name(curve.parameter);
    let value = |v: f64| number::significant(v, 4);
    let range = |low: f64, high: f64| format!("{} to {}{unit}", value(low), value(high));
    let level = number::percent(LEVEL, 0);
    let Some((first, last)) = curve.points.first().zip(curve.points.last()) else {
        return String::new();
    };
    let holds = match curve.holds(LEVEL) {
        Some((low, high)) => format!("at least {level} from {}", range(low, high)),
        None => format!("below {level} even as they are"),
    };
    let worst = curve.worst().map_or(String::new(), |worst| {
        let accuracy = number::percent(worst.accuracy, 2);
        format!(", lowest at {}{unit} ({accuracy})", value(worst.value))
    });
    format!("Under {what} of {} it is {holds}{worst}.", range(first.value, last.value))
}

/// The chapter. `command` names model, data and sample.
pub(crate) fn chapter(model: &Model, measured: &Measured, command: &str) -> Result<Chapter> {
    let (head, rows) = table(model, measured);
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let shifts = &measured.shifts;
    let mut chapter = Chapter::new("Shifting an image")
        .text(&format!(
            "The image is {}. Where it moves away, the border pixel fills what comes in from beyond \
             the border, as in Keras ({}).",
            whose(model, &measured.sample),
            shifts.fill.mode
        ))
        .table(&head, &rows)
        .figure(
            &figures::rows(model, measured)?,
            "The images of the table: what was done, the prediction and its probability.",
            command,
        );
    if shifts.rows.iter().any(|row| published(measured, row).is_some()) {
        chapter = chapter.text(
            "The published probabilities are those of another training run, for a ‘1’ that the \
             publication does not name; they need not agree to a digit.",
        );
    }
    let said = sentences(model, measured);
    let (grid, curves) = said.split_at(2);
    chapter = chapter.text(&grid.join(" ")).figure(
        &figures::grid(model, measured)?,
        "Each cell is the image shifted by that many pixels; its colour is the probability of the \
         true class, from 0 to 1.",
        command,
    );
    chapter = chapter.figure(
        &figures::predictions(model, measured)?,
        "The class that the network predicts for each of these shifts: a colour a class.",
        command,
    );
    if curves.is_empty() {
        return Ok(chapter);
    }
    chapter = chapter.text(&curves.join(" "));
    for (parameters, figure) in figures::curves(measured)? {
        let count = measured.curves.first().map_or(0, |curve| curve.count);
        let caption = format!(
            "Share of the first {} test images classified correctly.",
            number::count(count as u64)
        );
        let flags = match parameters[..] {
            [Parameter::Rotate] => " --rotate=-90,90",
            [Parameter::Scale] => " --scale=0.5,1.5",
            [Parameter::Shear] => " --shear=-60,60",
            _ => "",
        };
        chapter = chapter.figure(&figure, &caption, &format!("{command}{flags} --limit {count}"));
    }
    Ok(chapter)
}
