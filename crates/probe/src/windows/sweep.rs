//! One image, a window at every place, the network's answer to each.

use std::time::Instant;

use cutaway_engine::{Edit, Engine, Fill};
use ndarray::{Array2, ArrayView3, Axis};
use serde::Serialize;

use super::cliffs::{Cliff, cliffs};
use super::critical::{CriticalRegion, critical_region, pixel_drop};
use super::telling::{Telling, telling};
use super::{Size, Windows};
use crate::{Error, Result, best};

/// Bytes of patches that wait for the engine at once.
const PATCH_BYTES: usize = 64 << 20;
/// Windows that the engine is asked for at once: few enough that progress is seen, so many that what
/// they share costs little.
const BATCH: usize = 4096;

/// What a network answers to a window at every place of one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowSweep {
    /// Number of windows.
    pub windows: usize,
    /// Where they lie.
    pub grid: Windows,
    /// The class that is held to be true.
    pub truth: usize,
    /// The answer to the image as it is.
    pub clean: CleanAnswer,
    /// Share of the windows predicted as `truth`, 0 to 1.
    pub accuracy: f64,
    /// Number of windows predicted as another class.
    pub wrong: usize,
    /// Windows by predicted class, the most frequent first.
    pub predictions: Vec<ClassCount>,
    /// One entry a window, in reading order.
    pub rows: Vec<WindowAnswer>,
    /// The windows that tell the most.
    pub telling: Vec<Telling>,
    /// The largest falls of P(true) between neighbouring windows, the largest first.
    pub cliffs: Vec<Cliff>,
    /// Mean fall of P(true) over the windows that cover each pixel, `height × width`, row by row;
    /// NaN (in JSON null) where none does.
    pub pixel_drop: Vec<f32>,
    /// The pixels that the answer hangs on; none where no pixel matters.
    pub critical_region: Option<CriticalRegion>,
    /// How the engine computed it.
    pub strategy: String,
    /// Seconds that the sweep took.
    pub seconds: f64,
}

/// The answer to an image without a window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CleanAnswer {
    /// P(y = true | x).
    pub p_true: f32,
    /// The predicted class.
    pub predicted: usize,
    /// Its probability.
    pub p_predicted: f32,
    /// All probabilities.
    pub probabilities: Vec<f32>,
}

/// How many windows are predicted as a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The class.
    pub class: usize,
    /// Windows.
    pub windows: usize,
}

/// The answer to one window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowAnswer {
    /// Top row of the window.
    pub row: usize,
    /// Left column.
    pub col: usize,
    /// P(y = true | x), 0 to 1.
    pub p_true: f32,
    /// The predicted class.
    pub predicted: usize,
    /// Its probability.
    pub p_predicted: f32,
    /// How much the window changes the image: Σ |after − before| over its pixels, mean over the
    /// channels, where 1 is the way from black to white of one pixel.
    pub change: f32,
    /// All probabilities.
    pub probabilities: Vec<f32>,
}

/// Asks for every window and judges the answers. `fill` says what the window shows at a place.
pub(crate) fn judged(
    engine: &Engine,
    image: ArrayView3<'_, f32>,
    truth: usize,
    grid: Windows,
    fill: &dyn Fn(usize) -> Fill,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<WindowSweep> {
    check_class(engine, truth)?;
    let clean = engine.predict(image.insert_axis(Axis(0)))?.row(0).to_vec();
    check_finite(&clean)?;
    let answers = answers(engine, image, &grid, fill, progress)?;
    let units = pixel_units(engine);
    let rows: Vec<WindowAnswer> = (0..grid.len())
        .map(|i| {
            let probabilities = answers.probabilities.row(i).to_vec();
            let (predicted, p_predicted) = best(&probabilities);
            let (row, col) = grid.place(i);
            let change = change(image, &edit(&grid, i, fill(i)), &units);
            let p_true = probabilities[truth];
            WindowAnswer { row, col, p_true, predicted, p_predicted, change, probabilities }
        })
        .collect();
    let right = rows.iter().filter(|r| r.predicted == truth).count();
    let (predicted, p_predicted) = best(&clean);
    let clean = CleanAnswer { p_true: clean[truth], predicted, p_predicted, probabilities: clean };
    let pixel_drop = pixel_drop(&rows, &grid, clean.p_true);
    Ok(WindowSweep {
        windows: rows.len(),
        grid,
        truth,
        accuracy: right as f64 / rows.len() as f64,
        wrong: rows.len() - right,
        predictions: count_classes(&rows),
        telling: telling(&rows, truth, clean.p_true),
        cliffs: cliffs(&rows, &grid),
        critical_region: critical_region(&pixel_drop, grid.image.width),
        pixel_drop,
        clean,
        rows,
        strategy: answers.strategy,
        seconds: answers.seconds,
    })
}

/// The probabilities of all windows.
pub(crate) struct Answers {
    /// `[windows, classes]`.
    pub(crate) probabilities: Array2<f32>,
    pub(crate) strategy: String,
    pub(crate) seconds: f64,
}

/// Asks the engine for every window, in batches so that patches take bounded memory; `progress`
/// hears how many of how many are done.
pub(crate) fn answers(
    engine: &Engine,
    image: ArrayView3<'_, f32>,
    grid: &Windows,
    fill: &dyn Fn(usize) -> Fill,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Answers> {
    let start = Instant::now();
    let classes = engine.network().classes();
    let pixels = grid.window.height * grid.window.width * image.dim().0;
    let batch = (PATCH_BYTES / 4 / pixels).clamp(256, BATCH);
    let mut all = Vec::with_capacity(grid.len() * classes);
    for first in (0..grid.len()).step_by(batch) {
        let indices = first..grid.len().min(first + batch);
        let edits: Vec<Edit> = indices.clone().map(|i| edit(grid, i, fill(i))).collect();
        let probabilities = engine.sweep(image, &edits)?;
        all.extend(probabilities.iter());
        progress(indices.end, grid.len());
    }
    check_finite(&all)?;
    Ok(Answers {
        probabilities: Array2::from_shape_vec((grid.len(), classes), all)
            .expect("one row a window"),
        strategy: engine.strategy().to_string(),
        seconds: start.elapsed().as_secs_f64(),
    })
}

fn edit(grid: &Windows, index: usize, fill: Fill) -> Edit {
    let (row, col) = grid.place(index);
    let Size { height, width } = grid.window;
    Edit { row, col, height, width, fill }
}

fn check_class(engine: &Engine, class: usize) -> Result<()> {
    let classes = engine.network().classes();
    if class < classes {
        return Ok(());
    }
    Err(Error::Setting(format!(
        "there is no class {class}: the network has classes 0 to {}",
        classes - 1
    )))
}

fn check_finite(probabilities: &[f32]) -> Result<()> {
    match probabilities.iter().all(|p| p.is_finite()) {
        true => Ok(()),
        false => Err(Error::NotFinite),
    }
}

/// What a step of 1 in each channel of the network's input is in pixels from black to white.
fn pixel_units(engine: &Engine) -> Vec<f32> {
    let p = &engine.network().metadata().preprocessing;
    let unit = |std: &f32| (std / p.scale / 255.0).abs();
    // A preprocessing that multiplies by 0 leaves no way back.
    p.std.iter().map(unit).map(|u| if u.is_finite() { u } else { 0.0 }).collect()
}

fn change(image: ArrayView3<'_, f32>, edit: &Edit, units: &[f32]) -> f32 {
    let mut sum = 0.0f64;
    let channels = image.dim().0;
    for c in 0..channels {
        let unit = units.get(c).copied().unwrap_or(0.0);
        for y in 0..edit.height {
            for x in 0..edit.width {
                let after = match &edit.fill {
                    Fill::Value(value) => *value,
                    Fill::Channels(values) => values[c],
                    Fill::Patch(patch) => patch[(c, y, x)],
                };
                let before = image[(c, edit.row + y, edit.col + x)];
                sum += f64::from((after - before).abs() * unit);
            }
        }
    }
    (sum / channels as f64) as f32
}

/// Windows by predicted class, the most frequent first; of equal ones the lower class.
pub(super) fn count_classes(rows: &[WindowAnswer]) -> Vec<ClassCount> {
    let mut counts = std::collections::BTreeMap::new();
    rows.iter().for_each(|r| *counts.entry(r.predicted).or_insert(0) += 1);
    let counts = counts.into_iter().map(|(class, windows)| ClassCount { class, windows });
    let mut counts: Vec<ClassCount> = counts.collect();
    counts.sort_by_key(|c| std::cmp::Reverse(c.windows));
    counts
}
