//! What a network says of an image that is shifted, turned, scaled or sheared.
//!
//! The image is moved in pixel values (0 to 255), before the network's preprocessing, as Keras'
//! generators move what they are given. Interpolation commutes with preprocessing, which is affine
//! in each channel; only what `constant` fills in differs: a `cval` of 0 is a black pixel here and
//! would be the data set's mean after a normalisation. For a preprocessing of `pixel / 255` and a
//! `cval` of 0 the two are the same.

use cutaway_data::Images;
use cutaway_engine::Engine;
use serde::Serialize;

use crate::affine::{Fill, Transform, Warp};
use crate::ask::{ask, best};
use crate::{Error, Progress};

/// The largest half-width of a grid of shifts, in pixels.
pub const MAX_RANGE: usize = 50;

/// One image under several transforms and under a whole grid of shifts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shifts {
    /// The class that `p_true` is about: the image's, or where that is not known the one predicted
    /// for the image as it is.
    pub class: usize,
    /// How pixels from beyond the border were filled in.
    #[serde(flatten)]
    pub fill: Fill,
    /// The image as it is, then each transform that was asked for.
    pub rows: Vec<ShiftRow>,
    /// Every shift by whole pixels.
    pub grid: ShiftGrid,
}

/// What the network says of one moved image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShiftRow {
    /// How the image was moved.
    #[serde(flatten)]
    pub transform: Transform,
    /// The most probable class.
    pub predicted: usize,
    /// Its probability.
    pub probability: f32,
    /// Probability of [`Shifts::class`].
    pub p_true: f32,
    /// The moved image `[C, H, W]`, 0 to 255 and not rounded.
    #[serde(skip)]
    pub pixels: Vec<f32>,
}

/// What the network says of an image under every shift by whole pixels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShiftGrid {
    /// Shifts to the right, ascending, one for each column.
    pub dx: Vec<i64>,
    /// Shifts down, ascending, one for each row.
    pub dy: Vec<i64>,
    /// Probability of [`Shifts::class`], a row for each `dy`.
    pub p_true: Vec<Vec<f32>>,
    /// The most probable class, a row for each `dy`.
    pub predicted: Vec<Vec<usize>>,
}

/// A way from the image as it is along one axis of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Negative `dx`.
    Left,
    /// Positive `dx`.
    Right,
    /// Negative `dy`.
    Up,
    /// Positive `dy`.
    Down,
}

impl ShiftGrid {
    /// In how many of the shifts the network predicts `class`.
    pub fn kept(&self, class: usize) -> usize {
        self.predicted.iter().flatten().filter(|&&p| p == class).count()
    }

    /// Number of shifts.
    pub fn len(&self) -> usize {
        self.dx.len() * self.dy.len()
    }

    /// Whether there is no shift; never, as [`shifts`] makes it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shortest shift straight in a direction that makes the network predict something other
    /// than `class`: its length in pixels and what is predicted. None where none does.
    pub fn first_lost(&self, direction: Direction, class: usize) -> Option<(usize, usize)> {
        let (row, column) = (self.dy.len() / 2, self.dx.len() / 2);
        let reach = if matches!(direction, Direction::Up | Direction::Down) { row } else { column };
        let predicted = |by: usize| match direction {
            Direction::Left => self.predicted[row][column - by],
            Direction::Right => self.predicted[row][column + by],
            Direction::Up => self.predicted[row - by][column],
            Direction::Down => self.predicted[row + by][column],
        };
        (0..=reach).map(|by| (by, predicted(by))).find(|&(_, p)| p != class)
    }
}

/// Moves one of the images by each of `transforms`, and by every shift of up to `range` whole
/// pixels, and asks the network about each. `class` is the image's where it is known.
///
/// ```
/// use cutaway_data::{OpenOptions, open};
/// use cutaway_engine::{Engine, Options};
/// use cutaway_probe::{Fill, Transform, shifts};
///
/// let options = OpenOptions { strokes_train: 1, strokes_test: 10, ..Default::default() };
/// let digits = open("strokes", &options)?.test;
/// let network = cutaway_net::presets::reference_cnn(1);
/// let engine = Engine::compile(&network, &Options::default())?;
///
/// let moves = [Transform::shift(-3.0, 0.0), Transform::shift(3.0, 0.0), Transform::rotation(15.0)];
/// let class = Some(digits.label(4));
/// let found = shifts(&engine, &digits, 4, class, &moves, Fill::default(), 10)?;
/// assert_eq!((found.rows.len(), found.grid.len()), (4, 441));
/// println!("3 pixels to the right: P = {}", found.rows[2].p_true);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Setting`] where a transform, the fill or the range is out of range, the index is, or
/// the network takes images of another size; the engine's errors.
pub fn shifts(
    engine: &Engine,
    images: &Images,
    index: usize,
    class: Option<usize>,
    transforms: &[Transform],
    fill: Fill,
    range: usize,
) -> Result<Shifts, Error> {
    check(engine, images, index, class, range)?;
    let image = images.image(index);
    let all: Vec<Transform> = [Transform::IDENTITY].iter().chain(transforms).copied().collect();
    let mut rows = Vec::with_capacity(all.len());
    let mut probabilities = Vec::with_capacity(all.len());
    let warps: Vec<Warp> = all.iter().map(|t| warp(t, fill, images)).collect::<Result<_, _>>()?;
    let make = |i: usize, out: &mut [f32]| warps[i].apply(image, images.channels, out);
    ask(engine, images, all.len(), make, |_, p| probabilities.push(p.to_vec()))?;
    let class = class.unwrap_or_else(|| best(&probabilities[0]).0);
    for (i, p) in probabilities.iter().enumerate() {
        let mut pixels = vec![0.0; images.image_len()];
        make(i, &mut pixels);
        let (predicted, probability) = best(p);
        let p_true = p[class];
        rows.push(ShiftRow { transform: all[i], predicted, probability, p_true, pixels });
    }
    let grid = grid(engine, images, index, class, fill, range)?;
    Ok(Shifts { class, fill, rows, grid })
}

fn check(
    engine: &Engine,
    images: &Images,
    index: usize,
    class: Option<usize>,
    range: usize,
) -> Result<(), Error> {
    if index >= images.len() {
        let count = images.len();
        return Err(Error::Setting(format!("there is no image {index}: there are {count}")));
    }
    let classes = engine.network().classes();
    if let Some(class) = class.filter(|&class| class >= classes) {
        return Err(Error::Setting(format!(
            "the image is of class {class}, but the network has classes 0 to {}",
            classes - 1
        )));
    }
    if !(1..=MAX_RANGE).contains(&range) {
        return Err(Error::Setting(format!(
            "a range of {range} pixels is out of range: give 1 to {MAX_RANGE}"
        )));
    }
    Ok(())
}

fn warp(transform: &Transform, fill: Fill, images: &Images) -> Result<Warp, Error> {
    Warp::new(transform, fill, images.height, images.width)
}

fn grid(
    engine: &Engine,
    images: &Images,
    index: usize,
    class: usize,
    fill: Fill,
    range: usize,
) -> Result<ShiftGrid, Error> {
    let steps: Vec<i64> = (-(range as i64)..=range as i64).collect();
    let side = steps.len();
    let image = images.image(index);
    let (mut p_true, mut predicted) = (vec![Vec::new(); side], vec![Vec::new(); side]);
    // The shifts are in range and the fill was checked with the rows.
    let make = |i: usize, out: &mut [f32]| {
        let shift = Transform::shift(steps[i % side] as f64, steps[i / side] as f64);
        let warp = warp(&shift, fill, images).expect("in range");
        warp.apply(image, images.channels, out);
    };
    ask(engine, images, side * side, make, |i, p| {
        p_true[i / side].push(p[class]);
        predicted[i / side].push(best(p).0);
    })?;
    Ok(ShiftGrid { dx: steps.clone(), dy: steps, p_true, predicted })
}

/// What a curve varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Parameter {
    /// [`Transform::dx`].
    Dx,
    /// [`Transform::dy`].
    Dy,
    /// [`Transform::rotate`].
    Rotate,
    /// [`Transform::scale`].
    Scale,
    /// [`Transform::shear`].
    Shear,
}

impl Parameter {
    /// All of them.
    pub const ALL: [Parameter; 5] =
        [Parameter::Dx, Parameter::Dy, Parameter::Rotate, Parameter::Scale, Parameter::Shear];

    /// The transform that has this value of the parameter and is else the identity.
    pub fn transform(self, value: f64) -> Transform {
        match self {
            Parameter::Dx => Transform::shift(value, 0.0),
            Parameter::Dy => Transform::shift(0.0, value),
            Parameter::Rotate => Transform::rotation(value),
            Parameter::Scale => Transform::scaling(value),
            Parameter::Shear => Transform::shearing(value),
        }
    }

    /// The value that leaves an image as it is.
    pub fn identity(self) -> f64 {
        if self == Parameter::Scale { 1.0 } else { 0.0 }
    }

    /// Values that show the whole course: shifts of up to 10 pixels, turns of up to 90°, half the
    /// size to half as much again, shears of up to 60°.
    pub fn usual_values(self) -> Vec<f64> {
        let steps = |range: std::ops::RangeInclusive<i32>| range.map(f64::from);
        match self {
            Parameter::Dx | Parameter::Dy => steps(-10..=10).collect(),
            Parameter::Rotate => steps(-6..=6).map(|i| 15.0 * i).collect(),
            Parameter::Scale => steps(5..=15).map(|i| i / 10.0).collect(),
            Parameter::Shear => steps(-6..=6).map(|i| 10.0 * i).collect(),
        }
    }
}

/// Accuracy against one parameter of a transform, over many images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// What is varied.
    pub parameter: Parameter,
    /// Number of images.
    pub count: usize,
    /// Ascending in the parameter.
    pub points: Vec<CurvePoint>,
}

/// One point of a [`Curve`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Value of the parameter.
    pub value: f64,
    /// Images classified correctly.
    pub correct: usize,
    /// Their share, 0 to 1.
    pub accuracy: f64,
}

impl Curve {
    /// The point where images are as they are, if the curve has it.
    pub fn undisturbed(&self) -> Option<&CurvePoint> {
        self.points.iter().find(|point| point.value == self.parameter.identity())
    }

    /// The stretch around the identity in which accuracy is at least `level` at every point: its
    /// first and last value. None where it is not even there.
    pub fn holds(&self, level: f64) -> Option<(f64, f64)> {
        let start = self.points.iter().position(|p| p.value == self.parameter.identity())?;
        let good = |p: &&CurvePoint| p.accuracy >= level;
        let last = self.points[start..].iter().take_while(good).last()?.value;
        let first = self.points[..=start].iter().rev().take_while(good).last()?.value;
        Some((first, last))
    }

    /// The least accurate point, of equal ones the first.
    pub fn worst(&self) -> Option<&CurvePoint> {
        self.points.iter().min_by_key(|point| point.correct)
    }
}

/// Accuracy on `images` for each value of one parameter; values are sorted, duplicates dropped, and
/// the identity added. `progress` is told how many images are done, of how many.
///
/// # Errors
/// As [`shifts`]; also where there are no images or a label is no class of the network.
pub fn curve(
    engine: &Engine,
    images: &Images,
    parameter: Parameter,
    values: &[f64],
    fill: Fill,
    progress: Progress<'_>,
) -> Result<Curve, Error> {
    check_labels(engine, images)?;
    let mut values: Vec<f64> = values.iter().copied().chain([parameter.identity()]).collect();
    values.sort_by(f64::total_cmp);
    // Zero and minus zero, or 1 and 0.1 × 10, are one value.
    values.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
    snap(&mut values, parameter.identity());
    let warps = values.iter().map(|&v| warp(&parameter.transform(v), fill, images));
    let warps: Vec<Warp> = warps.collect::<Result<_, _>>()?;
    let count = images.len();
    let mut points = Vec::with_capacity(values.len());
    for (step, (warp, &value)) in warps.iter().zip(&values).enumerate() {
        let make = |i: usize, out: &mut [f32]| warp.apply(images.image(i), images.channels, out);
        let mut correct = 0;
        ask(engine, images, count, make, |i, p| {
            correct += usize::from(best(p).0 == images.label(i));
            progress(step * count + i + 1, values.len() * count);
        })?;
        points.push(CurvePoint { value, correct, accuracy: correct as f64 / count as f64 });
    }
    Ok(Curve { parameter, count, points })
}

/// Puts the value that is the identity but for rounding exactly there.
fn snap(values: &mut [f64], identity: f64) {
    values.iter_mut().filter(|v| (**v - identity).abs() < 1e-9).for_each(|v| *v = identity);
}

/// Refuses an empty set, and labels for which the network has no class.
pub(crate) fn check_labels(engine: &Engine, images: &Images) -> Result<(), Error> {
    let classes = engine.network().classes();
    if images.is_empty() {
        return Err(Error::Setting("there are no images to measure accuracy on".to_owned()));
    }
    match (0..images.len()).find(|&i| images.label(i) >= classes) {
        None => Ok(()),
        Some(i) => Err(Error::Setting(format!(
            "image {i} has label {}, but the network has classes 0 to {}; take a data set with its \
             classes",
            images.label(i),
            classes - 1
        ))),
    }
}
