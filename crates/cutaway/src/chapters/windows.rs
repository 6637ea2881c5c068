//! Sentences about windows that slide over an image. Each is made from the numbers.

use cutaway::Model;
use cutaway::probe::{Cliff, CriticalRegion, WindowSweep, Windows};
use cutaway::report::number;

use crate::figures::windows::probability;

/// Cliffs told in a table.
const CLIFFS: usize = 5;

/// How many windows leave the image what it is, and what the others are taken for; `windows` names
/// them: `black windows of 8×8`.
pub(crate) fn accuracy(model: &Model, sweep: &WindowSweep, windows: &str) -> String {
    let truth = model.label(sweep.truth);
    let right = sweep.windows - sweep.wrong;
    let share = number::percent(sweep.accuracy, 3);
    let mut text = String::new();
    if !recognised(sweep) {
        let predicted = model.label(sweep.clean.predicted);
        text += &format!("As it is, the ‘{truth}’ is read as {predicted}. ");
    }
    text += &format!(
        "Of {} {windows}, {} {} a ‘{truth}’: {share}.",
        number::count(sweep.windows as u64),
        number::count(right as u64),
        if recognised(sweep) { "leave it" } else { "make it" }
    );
    let wrong = sweep.predictions.iter().filter(|c| c.class != sweep.truth);
    let wrong: Vec<String> = wrong.map(|c| read(c.windows, &model.label(c.class))).collect();
    if !wrong.is_empty() {
        text += &format!(" Of the others, {}.", wrong.join(", "));
    }
    text
}

/// `33 are read as ‘5’`.
fn read(windows: usize, label: &str) -> String {
    let verb = if windows == 1 { "is" } else { "are" };
    format!("{} {verb} read as ‘{label}’", number::count(windows as u64))
}

/// Whether the image is recognised as it is.
fn recognised(sweep: &WindowSweep) -> bool {
    sweep.clean.predicted == sweep.truth
}

/// Where the answer is lost from one window to the next; else where it falls furthest.
pub(crate) fn cliff(model: &Model, sweep: &WindowSweep, verb: &str) -> String {
    let truth = model.label(sweep.truth);
    let lost = |c: &&Cliff| c.from.predicted == sweep.truth && c.to.predicted != sweep.truth;
    let p = |p: f32| number::fixed(f64::from(p), 3);
    if let Some(c) = sweep.cliffs.iter().find(lost).filter(|_| recognised(sweep)) {
        return format!(
            "The ‘{truth}’ is lost when the window {verb} {}: P({truth}) falls from {} to {} and the \
             network says {}; {} it still says {truth} with {}.",
            place(&sweep.grid, c.to.row, c.to.col),
            p(sweep.clean.p_true),
            p(c.to.p_true),
            model.label(c.to.predicted),
            direction(&sweep.grid, c),
            p(c.from.p_true)
        );
    }
    match sweep.cliffs.first() {
        Some(c) => format!(
            "{}The largest fall of P({truth}) from one window to the next is {}: from {} to {} where \
             the window {verb} {}.",
            match sweep.wrong {
                0 => format!("No window loses the ‘{truth}’. "),
                _ => String::new(),
            },
            number::significant(f64::from(c.drop), 3),
            probability(c.from.p_true),
            probability(c.to.p_true),
            place(&sweep.grid, c.to.row, c.to.col)
        ),
        None => format!("P({truth}) is the same for every window."),
    }
}

/// The region that the answer hangs on.
pub(crate) fn critical(model: &Model, sweep: &WindowSweep) -> String {
    let truth = model.label(sweep.truth);
    match &sweep.critical_region {
        Some(region) => format!(
            "{} {} of the image: the {} pixels within rows {}–{}, columns {}–{} around the pixel at \
             row {}, column {}, over which a window lowers P({truth}) by {} on average. (The critical region: pixels with at least half of that fall, connected with \
             that pixel; a pixel’s fall is the mean over the windows that cover it.)",
            match sweep.wrong > 0 && recognised(sweep) {
                true => "The answer hangs on".to_owned(),
                false => format!("P({truth}) falls most under windows over"),
            },
            whereabouts(&sweep.grid, region),
            number::count(region.pixels as u64),
            region.top,
            region.bottom,
            region.left,
            region.right,
            region.peak[0],
            region.peak[1],
            number::fixed(f64::from(region.peak_drop), 3)
        ),
        None => format!(
            "There is no critical region: no pixel lowers P({truth}) by 0.01 or more on average over \
             the windows that cover it."
        ),
    }
}

/// Rows of the table of cliffs.
pub(crate) const CLIFF_HEAD: [&str; 7] =
    ["from row", "column", "P(true)", "to row", "column", "P(true)", "then says"];

pub(crate) fn cliff_rows(model: &Model, sweep: &WindowSweep) -> Vec<Vec<String>> {
    let row = |c: &Cliff| {
        vec![
            c.from.row.to_string(),
            c.from.col.to_string(),
            probability(c.from.p_true),
            c.to.row.to_string(),
            c.to.col.to_string(),
            probability(c.to.p_true),
            model.label(c.to.predicted),
        ]
    };
    sweep.cliffs.iter().take(CLIFFS).map(row).collect()
}

/// `rows 14–21, columns 8–15`.
pub(crate) fn place(grid: &Windows, row: usize, col: usize) -> String {
    let span = |name: &str, first: usize, size: usize| match size {
        1 => format!("{name} {first}"),
        _ => format!("{name}s {first}–{}", first + size - 1),
    };
    let (rows, cols) =
        (span("row", row, grid.window.height), span("column", col, grid.window.width));
    format!("{rows}, {cols}")
}

/// Where the better side of a cliff lies, seen from the worse.
fn direction(grid: &Windows, c: &Cliff) -> String {
    let pixels = match grid.stride {
        1 => "one pixel".to_owned(),
        n => format!("{n} pixels"),
    };
    let way = match (c.from.row.cmp(&c.to.row), c.from.col > c.to.col) {
        (std::cmp::Ordering::Less, _) => "further up",
        (std::cmp::Ordering::Greater, _) => "further down",
        (_, true) => "to the right",
        (_, false) => "to the left",
    };
    format!("{pixels} {way}")
}

/// In which ninth of the image the centre of a region lies.
pub(crate) fn whereabouts(grid: &Windows, region: &CriticalRegion) -> &'static str {
    let third = |at: f64, size: usize| ((at + 0.5) * 3.0 / size as f64).min(2.0) as usize;
    let row = third(region.centre[0], grid.image.height);
    let col = third(region.centre[1], grid.image.width);
    [
        ["the top left", "the top", "the top right"],
        ["the left", "the middle", "the right"],
        ["the bottom left", "the bottom", "the bottom right"],
    ][row][col]
}

#[cfg(test)]
mod tests {
    use cutaway::probe::{CliffSide, Size};

    use super::*;

    #[test]
    fn a_step_is_named_from_the_worse_side() {
        let grid = Windows::new(Size::square(28), Size::square(8), 2).unwrap();
        let side = |row, col| CliffSide { row, col, p_true: 0.5, predicted: 0, p_predicted: 0.5 };
        let way = |from: (usize, usize), to: (usize, usize)| {
            let (from, to) = (side(from.0, from.1), side(to.0, to.1));
            direction(&grid, &Cliff { from, to, drop: 0.1 })
        };
        assert_eq!(way((4, 6), (4, 4)), "2 pixels to the right");
        assert_eq!(way((4, 2), (4, 4)), "2 pixels to the left");
        assert_eq!(way((2, 4), (4, 4)), "2 pixels further up");
        assert_eq!(way((6, 4), (4, 4)), "2 pixels further down");
        assert_eq!(place(&grid, 14, 8), "rows 14–21, columns 8–15");
    }

    /// What is said of an image of ones under black windows, by the reference network untrained.
    fn told(truth: usize) -> (Model, WindowSweep) {
        let network = cutaway::net::presets::reference_cnn(1);
        let model = Model::new(&network, "untrained", &Default::default()).unwrap();
        let image = ndarray::Array3::from_elem((1, 28, 28), 1.0);
        let settings = cutaway::probe::OcclusionSettings { stride: 4, ..Default::default() };
        let engine = model.engine();
        let covered =
            cutaway::probe::occlude(engine, image.view(), truth, &settings, &mut |_, _| ());
        let sweep = covered.unwrap().sweep;
        (model, sweep)
    }

    #[test]
    fn nothing_is_said_to_be_lost_that_was_never_right() {
        let (model, sweep) = told(0);
        let predicted = sweep.clean.predicted;
        let (model, sweep) = if predicted == 0 { told(1) } else { (model, sweep) };
        let accuracy = accuracy(&model, &sweep, "windows");
        assert!(accuracy.contains(&format!("is read as {predicted}")), "{accuracy}");
        assert!(accuracy.contains("make it") && !accuracy.contains("leave it"), "{accuracy}");
        let cliff = cliff(&model, &sweep, "covers");
        assert!(!cliff.contains("is lost") && !cliff.contains("No window loses"), "{cliff}");
        assert!(!critical(&model, &sweep).contains("hangs on"));
    }

    #[test]
    fn no_window_is_said_to_lose_the_answer_exactly_where_none_does() {
        let (_, sweep) = told(0);
        let (model, mut sweep) = told(sweep.clean.predicted);
        sweep.wrong = 0;
        sweep.cliffs.iter_mut().for_each(|c| c.to.predicted = sweep.truth);
        assert!(cliff(&model, &sweep, "covers").contains("No window loses"));
        sweep.wrong = 1;
        assert!(!cliff(&model, &sweep, "covers").contains("No window loses"));
        sweep.cliffs.clear();
        assert!(cliff(&model, &sweep, "covers").contains("the same for every window"));
    }

    #[test]
    fn the_ninths_of_an_image() {
        let grid = Windows::new(Size::square(28), Size::square(8), 1).unwrap();
        let at = |row, col| {
            let region = CriticalRegion {
                top: 0,
                bottom: 0,
                left: 0,
                right: 0,
                pixels: 1,
                centre: [row, col],
                peak: [0, 0],
                peak_drop: 1.0,
                mean_drop: 1.0,
            };
            whereabouts(&grid, &region)
        };
        assert_eq!(at(0.0, 0.0), "the top left");
        assert_eq!(at(13.5, 13.5), "the middle");
        assert_eq!(at(27.0, 8.0), "the bottom left");
        assert_eq!(at(20.0, 27.0), "the bottom right");
    }
}
