//! Covering an image.

use cutaway::Model;
use cutaway::probe::{
    ClassOcclusion, Cover, ManyOcclusions, Occlusion, OcclusionSettings, SizeAccuracy,
    covered_image, occlude,
};
use cutaway::report::{Chapter, Figure, HoverCover, HoverMap, PixelGrid, Rgb, number};
use ndarray::Array3;

use super::published::Published;
use super::windows;
use crate::commands::maps::whose;
use crate::error::Result;
use crate::figures;
use crate::samples::Sample;

/// One image under all windows.
pub(crate) struct Covering {
    pub(crate) sample: Sample,
    pub(crate) input: Array3<f32>,
    pub(crate) settings: OcclusionSettings,
    pub(crate) result: Occlusion,
}

/// Many images under all windows.
pub(crate) struct ManyCoverings {
    pub(crate) many: ManyOcclusions,
    /// Empty where it was not asked for.
    pub(crate) sizes: Vec<SizeAccuracy>,
}

impl Covering {
    /// Covers the sample; `truth` is the class that is held to be true.
    pub(crate) fn new(
        model: &Model,
        sample: Sample,
        truth: usize,
        settings: OcclusionSettings,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Covering> {
        let input = sample.input(model)?;
        let result = occlude(model.engine(), input.view(), truth, &settings, progress)?;
        Ok(Covering { sample, input, settings, result })
    }

    /// The figures with their file names.
    pub(crate) fn figures(&self, model: &Model) -> Result<Vec<(&'static str, Figure)>> {
        let sweep = &self.result.sweep;
        let what = format!("under a window of {}", sweep.grid.window);
        Ok(vec![
            ("occlude-p-true", figures::windows::p_true(model, sweep, &what)?),
            ("occlude-drop", figures::windows::drop(model, sweep, &what)?),
            ("occlude-predicted", figures::windows::predicted(model, sweep, &what)?),
            ("occlude-telling", self.telling(model)?),
            ("occlude-critical", figures::windows::pixel_drop(model, sweep)?),
        ])
    }

    fn telling(&self, model: &Model) -> Result<Figure> {
        figures::windows::telling(model, &self.result.sweep, &|window| self.shown(model, window))
    }

    fn shown(&self, model: &Model, window: usize) -> Result<PixelGrid> {
        let shown = covered_image(model.engine(), self.input.view(), &self.settings, window)?;
        figures::windows::picture_of_input(model, shown.view())
    }

    /// Two or three sentences.
    pub(crate) fn sentences(&self, model: &Model) -> Vec<String> {
        let sweep = &self.result.sweep;
        vec![
            windows::accuracy(
                model,
                sweep,
                &format!("{} windows of {}", what_covers(self.settings.cover), sweep.grid.window),
            ),
            windows::cliff(model, sweep, "covers"),
            windows::critical(model, sweep),
        ]
    }

    /// The map to walk over, where the page can show the cover.
    fn hover_map(&self, model: &Model) -> Result<Option<HoverMap>> {
        let Cover::Value(value) = self.settings.cover else { return Ok(None) };
        let level = value.round() as u8;
        let sweep = &self.result.sweep;
        Ok(Some(HoverMap {
            image: figures::windows::picture(&self.sample.pixels, 0)?,
            cover: HoverCover::Color(Rgb(level, level, level)),
            window: (sweep.grid.window.height, sweep.grid.window.width),
            grid: (sweep.grid.rows, sweep.grid.cols),
            stride: sweep.grid.stride,
            classes: figures::windows::class_names(model),
            truth: sweep.truth,
            probabilities: sweep.rows.iter().flat_map(|r| r.probabilities.clone()).collect(),
            start: sweep.telling.last().map_or(0, |telling| telling.window),
        }))
    }

    /// The chapter; `command` makes its figures again, `many_commands` those of many images and of
    /// windows of many sizes.
    pub(crate) fn chapter(
        &self,
        model: &Model,
        many: Option<&ManyCoverings>,
        command: &str,
        many_commands: [&str; 2],
    ) -> Result<Chapter> {
        let sweep = &self.result.sweep;
        let [accuracy, cliff, critical] = &self.sentences(model)[..] else { unreachable!() };
        let what = format!("under a window of {}", sweep.grid.window);
        let mut chapter = Chapter::new("Covering a part of an image")
            .text(&format!(
                "A {} window slides over {}, one place every {}. {accuracy}",
                what_covers(self.settings.cover),
                whose(model, &self.sample),
                pixels(sweep.grid.stride)
            ))
            .text(cliff);
        let p_true = figures::windows::p_true(model, sweep, &what)?;
        let caption = "Each cell is a window, at the row and column of its top left pixel; its \
                       colour is the probability of the true class when that window is covered, \
                       from 0 to 1.";
        chapter = match self.hover_map(model)? {
            Some(map) => chapter.hover_map(&map, &p_true, caption, command)?,
            None => chapter.figure(&p_true, caption, command),
        };
        chapter = chapter
            .figure(
                &figures::windows::predicted(model, sweep, &what)?,
                "What the network says at each place of the window: a colour a class.",
                command,
            )
            .figure(
                &self.telling(model)?,
                "Windows chosen by rule: the largest P(true); of those that are recognised and lower \
                 P(true) by less than 0.01 the one that changes the image most (with black on \
                 bright ink: that hides most ink); and for each of the two most frequent wrong \
                 answers the smallest P(true).",
                command,
            )
            .text("The cliffs: neighbouring windows with the largest fall of P(true).")
            .table(&windows::CLIFF_HEAD, &windows::cliff_rows(model, sweep))
            .text(critical)
            .figure(
                &figures::windows::pixel_drop(model, sweep)?,
                "For each pixel the mean fall of P(true) over the windows that cover it, on a scale \
                 from −1 (a rise) to 1.",
                command,
            );
        match many {
            Some(many) => many.add_to(model, chapter, many_commands),
            None => Ok(chapter),
        }
    }

    /// The study's figures for this experiment, beside ours.
    pub(crate) fn published(&self, model: &Model) -> Vec<Published> {
        let sweep = &self.result.sweep;
        let cases: Vec<String> = sweep
            .telling
            .iter()
            .map(|case| {
                let p = |p: f32| number::fixed(f64::from(p), 3);
                format!(
                    "({}, {}, {})",
                    p(case.p_true),
                    model.label(case.predicted),
                    p(case.p_predicted)
                )
            })
            .collect();
        let region = sweep.critical_region.as_ref();
        let region = region.map_or("none".to_owned(), |region| {
            format!(
                "{}, rows {}–{}, columns {}–{}",
                windows::whereabouts(&sweep.grid, region),
                region.top,
                region.bottom,
                region.left,
                region.right
            )
        });
        let cliff = sweep.cliffs.first().map_or("none".to_owned(), |c| {
            format!(
                "from {} with {} to {} with {}",
                model.label(c.from.predicted),
                number::fixed(f64::from(c.from.p_predicted), 3),
                model.label(c.to.predicted),
                number::fixed(f64::from(c.to.p_predicted), 3)
            )
        });
        vec![
            Published::new(
                "2.1 a ‘6’ under an 8×8 black window: accuracy",
                "97.723 %",
                format!(
                    "{} ({} of {})",
                    number::percent(sweep.accuracy, 3),
                    sweep.windows - sweep.wrong,
                    sweep.windows
                ),
                "No number of 441 windows gives 97.723 %; 431 give 97.732 %, so two digits were most \
                 likely transposed.",
            ),
            Published::new(
                "2.1 four telling windows: P(y=6|x), predicted, P(predicted|x)",
                "(1.0, 6, 1.0), (1.0, 6, 1.0), (0.0, 5, 1.0), (0.0, 1, 1.0)",
                cases.join(", "),
                "Theirs by eye, ours by rule.",
            ),
            Published::new(
                "2.2 the region that matters most",
                "the bottom left, where the stem of the 6 meets the bowl",
                region,
                "Ours: pixels with at least half of the largest mean fall of P(6).",
            ),
            Published::new(
                "2.2 two windows close to each other",
                "a certain ‘6’ and a certain ‘1’, a few pixels apart",
                cliff,
                "Ours: the largest fall of P(6) between windows one pixel apart.",
            ),
        ]
    }
}

impl ManyCoverings {
    /// The figures with their file names.
    pub(crate) fn figures(&self, model: &Model) -> Result<Vec<(&'static str, Figure)>> {
        let mut figures = vec![
            ("occlude-classes", figures::occlude::class_maps(model, &self.many)?),
            ("occlude-lost", figures::occlude::lost(&self.many)?),
        ];
        if !self.sizes.is_empty() {
            figures.push(("occlude-sizes", figures::occlude::sizes(&self.sizes)?));
        }
        Ok(figures)
    }

    /// What the numbers say.
    pub(crate) fn sentences(&self, model: &Model) -> Vec<String> {
        let many = &self.many;
        let mut sentences = vec![format!(
            "Of {} windows over {} images, one every {}, {} leave the image recognised. {} of the {} \
             images that are right uncovered are lost under at least one window.",
            number::count(many.windows as u64),
            number::count(many.images as u64),
            pixels(many.grid.stride),
            number::percent(many.accuracy, 2),
            number::count((many.right_uncovered - many.never_lost) as u64),
            number::count(many.right_uncovered as u64)
        )];
        if let Some(worst) = many.worst.first() {
            sentences.push(format!(
                "The window over {} loses the most images: {} ({}).",
                windows::place(&many.grid, worst.row, worst.col),
                number::count(worst.images as u64),
                number::percent(worst.share, 1)
            ));
        }
        let mut classes: Vec<&ClassOcclusion> = many.classes.iter().collect();
        classes.sort_by(|a, b| a.accuracy.total_cmp(&b.accuracy));
        if let [low, .., high] = classes[..] {
            sentences.push(format!(
                "The easiest to rob of its answer is ‘{}’ ({} recognised), the hardest ‘{}’ ({}).",
                model.label(low.class),
                number::percent(low.accuracy, 1),
                model.label(high.class),
                number::percent(high.accuracy, 1)
            ));
        }
        sentences
    }

    fn add_to(
        &self,
        model: &Model,
        chapter: Chapter,
        [of_places, of_sizes]: [&str; 2],
    ) -> Result<Chapter> {
        let mut chapter = chapter.text(&self.sentences(model).join(" "));
        let captions = [
            "Mean probability of the true class at each place of the window, for the images of each \
             class, from 0 to 1; beneath, the share of windows that leave them recognised.",
            "Share of the images right when nothing is covered that are lost at each place.",
            "Share of the windows that leave the image recognised, and of the images that no window \
             fools, against the side of the window.",
        ];
        let commands = [of_places, of_places, of_sizes];
        let parts = captions.into_iter().zip(commands);
        for ((_, figure), (caption, command)) in self.figures(model)?.iter().zip(parts) {
            chapter = chapter.figure(figure, caption, command);
        }
        Ok(chapter)
    }
}

/// The cover as an adjective.
fn what_covers(cover: Cover) -> String {
    match cover {
        Cover::Value(0.0) => "black".to_owned(),
        Cover::Value(255.0) => "white".to_owned(),
        Cover::Value(value) => format!("grey ({value} of 255)"),
        Cover::Mean => "mean-coloured".to_owned(),
        Cover::Blur => "blurring".to_owned(),
        Cover::Noise => "noisy".to_owned(),
        Cover::Inpaint => "smoothly inpainted".to_owned(),
    }
}

fn pixels(stride: usize) -> String {
    if stride == 1 { "pixel".to_owned() } else { format!("{stride} pixels") }
}
