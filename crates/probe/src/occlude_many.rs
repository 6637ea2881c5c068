//! Occlusion of many images: where a network is easily robbed of its answer, class by class.

use cutaway_data::Images;
use cutaway_engine::Engine;
use serde::Serialize;

use crate::ask::best;
use crate::inputs;
use crate::occlude::OcclusionSettings;
use crate::windows::{Size, Windows, answers};
use crate::{Error, Result};

/// What a network answers to many images that are each covered at every place in turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ManyOcclusions {
    /// Images.
    pub images: usize,
    /// Images that are classified correctly when nothing is covered.
    pub right_uncovered: usize,
    /// Where the windows lie.
    pub grid: Windows,
    /// What they show.
    pub fill: String,
    /// Windows asked for: images × places.
    pub windows: usize,
    /// Share of them that are classified correctly.
    pub accuracy: f64,
    /// Images right when nothing is covered that stay right under every window.
    pub never_lost: usize,
    /// For each place, in reading order, the share of the images right when nothing is covered that
    /// are lost there.
    pub lost: Vec<f64>,
    /// The places where the most images are lost, the worst first, at most ten.
    pub worst: Vec<WorstPlace>,
    /// One entry for each class that has images.
    pub classes: Vec<ClassOcclusion>,
    /// How the engine computed it.
    pub strategy: String,
    /// Seconds it took.
    pub seconds: f64,
}

/// A place where many images are lost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorstPlace {
    /// Top row of the window.
    pub row: usize,
    /// Left column.
    pub col: usize,
    /// Images lost.
    pub images: usize,
    /// Of those right when nothing is covered, the share.
    pub share: f64,
}

/// The images of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassOcclusion {
    /// The class.
    pub class: usize,
    /// Its images.
    pub images: usize,
    /// Share of its windows that are classified correctly.
    pub accuracy: f64,
    /// Mean P(true) over its images at each place, in reading order.
    pub mean_p_true: Vec<f64>,
}

/// Accuracy under windows of one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SizeAccuracy {
    /// The window; none for the images as they are.
    pub window: Option<Size>,
    /// Windows asked for: images × places.
    pub windows: usize,
    /// Share of them that are classified correctly.
    pub accuracy: f64,
    /// Share of the images for which at least one window gives a wrong class.
    pub breakable: f64,
}

/// Covers each of the images `indices` at every place in turn. `progress` hears how many images of
/// how many are done.
///
/// # Errors
/// As [`occlude`](crate::occlude), and [`Error::Setting`] where there is no image or the images do
/// not fit the network.
pub fn occlude_many(
    engine: &Engine,
    images: &Images,
    indices: &[usize],
    settings: &OcclusionSettings,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<ManyOcclusions> {
    let start = std::time::Instant::now();
    let grid = grid(images, settings.window, settings.stride)?;
    let mut tally = Tally::new(&grid, engine.network().classes());
    let mut strategy = String::new();
    for (done, &index) in indices.iter().enumerate() {
        progress(done, indices.len());
        let covered = Covered::new(engine, images, index, &grid, settings)?;
        tally.add(&covered);
        strategy = covered.strategy;
    }
    progress(indices.len(), indices.len());
    tally.finish(grid, settings, strategy, start.elapsed().as_secs_f64())
}

/// Accuracy of the images `indices` under windows of several sizes, each at every place in turn;
/// the first entry is without a window.
///
/// # Errors
/// As [`occlude_many`].
pub fn accuracy_by_size(
    engine: &Engine,
    images: &Images,
    indices: &[usize],
    sizes: &[Size],
    settings: &OcclusionSettings,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<SizeAccuracy>> {
    if indices.is_empty() {
        return Err(no_image());
    }
    let total = sizes.len() * indices.len();
    let mut clean_right = 0;
    for &index in indices {
        clean_right += usize::from(clean_is_right(engine, images, index)?);
    }
    let share = |part: usize, whole: usize| part as f64 / whole as f64;
    let clean = share(clean_right, indices.len());
    let (windows, breakable) = (indices.len(), 1.0 - clean);
    let mut curve = vec![SizeAccuracy { window: None, windows, accuracy: clean, breakable }];
    for (round, &window) in sizes.iter().enumerate() {
        let settings = OcclusionSettings { window, ..*settings };
        let grid = grid(images, window, settings.stride)?;
        let (mut right, mut broken) = (0, 0);
        for (done, &index) in indices.iter().enumerate() {
            progress(round * indices.len() + done, total);
            let covered = Covered::new(engine, images, index, &grid, &settings)?;
            let good = covered.right().filter(|&right| right).count();
            right += good;
            broken += usize::from(good < grid.len());
        }
        let windows = grid.len() * indices.len();
        curve.push(SizeAccuracy {
            window: Some(window),
            windows,
            accuracy: share(right, windows),
            breakable: share(broken, indices.len()),
        });
    }
    progress(total, total);
    Ok(curve)
}

fn grid(images: &Images, window: Size, stride: usize) -> Result<Windows> {
    Windows::new(Size { height: images.height, width: images.width }, window, stride)
}

fn no_image() -> Error {
    Error::Setting("there is no image to cover".to_owned())
}

fn clean_is_right(engine: &Engine, images: &Images, index: usize) -> Result<bool> {
    let answer = engine.predict(inputs::batch(engine, images, &[index])?.view())?;
    Ok(best(answer.row(0)).0 == images.label(index))
}

/// One image under all windows.
struct Covered {
    truth: usize,
    clean_right: bool,
    /// Of each window P(true) and the predicted class.
    answers: Vec<(f32, usize)>,
    strategy: String,
}

impl Covered {
    fn new(
        engine: &Engine,
        images: &Images,
        index: usize,
        grid: &Windows,
        settings: &OcclusionSettings,
    ) -> Result<Covered> {
        let image = inputs::input(engine, images, index)?;
        let truth = images.label(index);
        if truth >= engine.network().classes() {
            return Err(Error::Setting(format!(
                "image {index} is of class {truth}, but the network has classes 0 to {}",
                engine.network().classes() - 1
            )));
        }
        let cover = settings.cover.prepare(engine, image.view(), grid.window, settings.seed);
        let fill = |i| cover.fill(grid, i);
        let answers = answers(engine, image.view(), grid, &fill, &mut |_, _| ())?;
        let rows = answers.probabilities.rows().into_iter();
        Ok(Covered {
            truth,
            clean_right: clean_is_right(engine, images, index)?,
            answers: rows.map(|row| (row[truth], best(row).0)).collect(),
            strategy: answers.strategy,
        })
    }

    /// Whether each window leaves the image right.
    fn right(&self) -> impl Iterator<Item = bool> {
        self.answers.iter().map(|&(_, predicted)| predicted == self.truth)
    }
}

/// Counts over the images so far.
struct Tally {
    images: usize,
    right_uncovered: usize,
    never_lost: usize,
    right: usize,
    lost: Vec<usize>,
    /// Of each class: images, right windows, sum of P(true) at each place.
    classes: Vec<(usize, usize, Vec<f64>)>,
}

impl Tally {
    fn new(grid: &Windows, classes: usize) -> Tally {
        let classes = vec![(0, 0, vec![0.0; grid.len()]); classes];
        let lost = vec![0; grid.len()];
        Tally { images: 0, right_uncovered: 0, never_lost: 0, right: 0, lost, classes }
    }

    fn add(&mut self, image: &Covered) {
        let right = image.right().filter(|&right| right).count();
        self.images += 1;
        self.right += right;
        let (images, class_right, sums) = &mut self.classes[image.truth];
        *images += 1;
        *class_right += right;
        sums.iter_mut().zip(&image.answers).for_each(|(sum, &(p, _))| *sum += f64::from(p));
        if image.clean_right {
            self.right_uncovered += 1;
            self.never_lost += usize::from(right == image.answers.len());
            self.lost
                .iter_mut()
                .zip(image.right())
                .for_each(|(n, right)| *n += usize::from(!right));
        }
    }

    fn finish(
        self,
        grid: Windows,
        settings: &OcclusionSettings,
        strategy: String,
        seconds: f64,
    ) -> Result<ManyOcclusions> {
        if self.images == 0 {
            return Err(no_image());
        }
        let windows = self.images * grid.len();
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        let lost: Vec<f64> = self.lost.iter().map(|&n| share(n, self.right_uncovered)).collect();
        let mut order: Vec<usize> = (0..grid.len()).filter(|&i| self.lost[i] > 0).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(self.lost[i]));
        let worst = order.into_iter().take(10).map(|i| {
            let (row, col) = grid.place(i);
            WorstPlace { row, col, images: self.lost[i], share: lost[i] }
        });
        let worst = worst.collect();
        let classes = self.classes.into_iter().enumerate().filter(|(_, (images, ..))| *images > 0);
        let classes = classes.map(|(class, (images, right, sums))| ClassOcclusion {
            class,
            images,
            accuracy: share(right, images * grid.len()),
            mean_p_true: sums.into_iter().map(|sum| sum / images as f64).collect(),
        });
        Ok(ManyOcclusions {
            images: self.images,
            right_uncovered: self.right_uncovered,
            fill: settings.cover.to_string(),
            windows,
            accuracy: share(self.right, windows),
            never_lost: self.never_lost,
            worst,
            lost,
            classes: classes.collect(),
            grid,
            strategy,
            seconds,
        })
    }
}
