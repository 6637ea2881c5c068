//! Transplanting another image into an image.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::probe::{
    Donor, DonorComparison, Recipient, Size, Transplant, TransplantMatrix, compare_donors,
    transplant,
};
use cutaway::report::{Chapter, Figure, HoverCover, HoverMap, PixelGrid, number};
use ndarray::Array3;

use super::published::Published;
use super::windows;
use crate::commands::maps::whose;
use crate::error::Result;
use crate::figures;
use crate::figures::windows::probability;
use crate::samples::Sample;

/// One image with a donor under all windows.
pub(crate) struct Transplanting {
    pub(crate) sample: Sample,
    input: Array3<f32>,
    donor: Sample,
    pub(crate) result: Transplant,
    /// None where none was asked for.
    pub(crate) compared: Option<DonorComparison>,
}

/// Where the window goes.
#[derive(Clone, Copy)]
pub(crate) struct Slide {
    pub(crate) window: Size,
    pub(crate) stride: usize,
}

impl Transplanting {
    /// Puts `donor` into the sample; `truth` is the class that is held to be true.
    pub(crate) fn new(
        model: &Model,
        sample: Sample,
        truth: usize,
        donor: Sample,
        slide: Slide,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Transplanting> {
        let input = sample.input(model)?;
        let shown = donor.input(model)?;
        let identity = Donor { class: donor.label.unwrap_or(truth), sample: donor.index };
        let recipient = Recipient { image: input.view(), truth, sample: sample.index };
        let place = (slide.window, slide.stride);
        let donated = (identity, shown.view());
        let result = transplant(model.engine(), recipient, donated, place, progress)?;
        Ok(Transplanting { sample, input, donor, result, compared: None })
    }

    /// Compares the first `per_class` correctly classified samples of every class as donors.
    pub(crate) fn compare(
        &mut self,
        model: &Model,
        dataset: &Dataset,
        per_class: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<()> {
        let sweep = &self.result.sweep;
        let recipient =
            Recipient { image: self.input.view(), truth: sweep.truth, sample: self.sample.index };
        let slide = (sweep.grid.window, sweep.grid.stride);
        let images = &dataset.test;
        let engine = model.engine();
        let compared = compare_donors(engine, images, recipient, per_class, slide, progress)?;
        self.compared = Some(compared);
        Ok(())
    }

    /// The figures with their file names.
    pub(crate) fn figures(&self, model: &Model) -> Result<Vec<(&'static str, Figure)>> {
        let sweep = &self.result.sweep;
        let what = self.what(model);
        let mut figures = vec![
            ("transplant-p-true", figures::windows::p_true(model, sweep, &what)?),
            ("transplant-drop", figures::windows::drop(model, sweep, &what)?),
            ("transplant-predicted", figures::windows::predicted(model, sweep, &what)?),
            ("transplant-telling", self.telling(model)?),
            ("transplant-critical", figures::windows::pixel_drop(model, sweep)?),
        ];
        if !self.result.failures.is_empty() {
            figures.push(("transplant-failures", self.failures(model)?));
        }
        if let Some(compared) = &self.compared {
            figures.push(("transplant-donors", figures::transplant::donors(model, compared)?));
        }
        Ok(figures)
    }

    fn what(&self, model: &Model) -> String {
        let donor = model.label(self.result.donor.class);
        format!("with a {} window onto a ‘{donor}’", self.result.sweep.grid.window)
    }

    fn shown(&self, window: usize) -> Result<PixelGrid> {
        let base = figures::windows::picture(&self.sample.pixels, 0)?;
        let donor = figures::windows::picture(&self.donor.pixels, 0)?;
        figures::windows::through_window(&base, &donor, &self.result.sweep.grid, window)
    }

    fn telling(&self, model: &Model) -> Result<Figure> {
        figures::windows::telling(model, &self.result.sweep, &|window| self.shown(window))
    }

    fn failures(&self, model: &Model) -> Result<Figure> {
        figures::transplant::failures(model, &self.result, &|window| self.shown(window))
    }

    /// Two or three sentences.
    pub(crate) fn sentences(&self, model: &Model) -> Vec<String> {
        let Transplant { donor, sweep, .. } = &self.result;
        let label = model.label(donor.class);
        let noun = format!("windows of {} onto a ‘{label}’", sweep.grid.window);
        let mut sentences = vec![windows::accuracy(model, sweep, &noun)];
        if donor.class != sweep.truth {
            sentences.push(format!(
                "The donor’s class {label} is the answer at {} of them; a black window at the same \
                 places leaves {} right.",
                self.result.donor_predicted,
                number::percent(self.result.black_accuracy, 3)
            ));
        }
        if let Some(accuracy) = self.result.accuracy_without_last {
            sentences.push(format!(
                "Without the last row and the last column of places it is {} of {} windows.",
                number::percent(accuracy, 3),
                number::count(self.result.windows_without_last as u64)
            ));
        }
        sentences.push(windows::cliff(model, sweep, "shows the donor over"));
        if let Some(compared) = &self.compared {
            sentences.extend(donor_sentence(model, compared));
        }
        sentences
    }

    /// The table of failures that were chosen.
    pub(crate) const FAILURE_HEAD: [&'static str; 5] =
        ["window", "black: prediction", "P", "transplant: prediction", "P"];

    pub(crate) fn failure_rows(&self, model: &Model) -> Vec<Vec<String>> {
        let failures = self.result.examples.iter().map(|&i| &self.result.failures[i]);
        let row = |f: &cutaway::probe::TransplantFailure| {
            vec![
                windows::place(&self.result.sweep.grid, f.row, f.col),
                model.label(f.black_predicted),
                probability(f.black_p_predicted),
                model.label(f.transplant_predicted),
                probability(f.transplant_p_predicted),
            ]
        };
        failures.map(row).collect()
    }

    fn hover_map(&self, model: &Model) -> Result<HoverMap> {
        let sweep = &self.result.sweep;
        Ok(HoverMap {
            image: figures::windows::picture(&self.sample.pixels, 0)?,
            cover: HoverCover::Image(figures::windows::picture(&self.donor.pixels, 0)?),
            window: (sweep.grid.window.height, sweep.grid.window.width),
            grid: (sweep.grid.rows, sweep.grid.cols),
            stride: sweep.grid.stride,
            classes: figures::windows::class_names(model),
            truth: sweep.truth,
            probabilities: sweep.rows.iter().flat_map(|r| r.probabilities.clone()).collect(),
            start: sweep.telling.last().map_or(0, |telling| telling.window),
        })
    }

    /// The chapter; `command` makes its figures again.
    pub(crate) fn chapter(
        &self,
        model: &Model,
        matrix: Option<&TransplantMatrix>,
        command: &str,
        matrix_command: &str,
    ) -> Result<Chapter> {
        let sweep = &self.result.sweep;
        let what = self.what(model);
        let p_true = figures::windows::p_true(model, sweep, &what)?;
        let mut chapter = Chapter::new("Transplanting from another image")
            .text(&format!(
                "A window slides over {} and shows {} at the same place.",
                whose(model, &self.sample),
                whose(model, &self.donor)
            ))
            .text(&self.sentences(model).join(" "))
            .hover_map(
                &self.hover_map(model)?,
                &p_true,
                "Each cell is a window, at the row and column of its top left pixel; its colour is \
                 the probability of the true class when the donor shows there, from 0 to 1.",
                command,
            )?
            .figure(
                &figures::windows::predicted(model, sweep, &what)?,
                "What the network says at each place of the window: a colour a class.",
                command,
            );
        if !self.result.failures.is_empty() {
            chapter = chapter
                .text(
                    "Failures chosen by rule: of each pair of answers (black, transplant), the most \
                     frequent pair first, the window with the smallest P(true); then further windows \
                     with the smallest.",
                )
                .table(&Self::FAILURE_HEAD, &self.failure_rows(model))
                .figure(&self.failures(model)?, "The same failures as pictures: what is predicted with black in the window, and with \
                     the donor in it, with its probability; the window’s top left pixel.", command);
        }
        if let Some(compared) = &self.compared {
            chapter = chapter.figure(
                &figures::transplant::donors(model, compared)?,
                "Over all windows: how often donors of each other class change the answer, and how often \
                 the answer is then the donor’s class.",
                command,
            );
        }
        if let Some(matrix) = matrix {
            chapter = chapter.text(&matrix_sentence(model, matrix)).figure(
                &figures::transplant::matrix(model, matrix)?,
                "Share of the windows that are predicted wrongly, class of the image × class of the \
                 donor; on the diagonal the donor is another image of the same class.",
                matrix_command,
            );
        }
        Ok(chapter)
    }

    /// The study's figures for this experiment, beside ours.
    pub(crate) fn published(&self, model: &Model) -> Vec<Published> {
        let Transplant { sweep, failures, examples, .. } = &self.result;
        let share = |accuracy: f64, windows: usize| {
            let right = (accuracy * windows as f64).round();
            format!("{} ({right} of {windows})", number::percent(accuracy, 3))
        };
        let mut measured = share(sweep.accuracy, sweep.windows);
        if let Some(accuracy) = self.result.accuracy_without_last {
            let rest = share(accuracy, self.result.windows_without_last);
            measured += &format!("; without the last row and column {rest}");
        }
        let rows = examples.iter().map(|&i| {
            let f = &failures[i];
            let (black, shown) = (f.black_predicted, f.transplant_predicted);
            format!("{}→{}", model.label(black), model.label(shown))
        });
        let rows: Vec<String> = rows.collect();
        vec![
            Published::new(
                "2.3 a ‘6’ with a 10×10 window onto a ‘5’: accuracy",
                "87.658 %",
                measured,
                "No number of 361 windows gives it; 284 of 324 give 87.654 %, so the published run \
                 most likely missed the last row and column.",
            ),
            Published::new(
                "2.3 failures: predicted with black → with the transplant",
                "3→5, 6→5, 6→5",
                if rows.is_empty() { "none".to_owned() } else { rows.join(", ") },
                "Theirs by eye, ours by rule.",
            ),
        ]
    }
}

fn donor_sentence(model: &Model, compared: &DonorComparison) -> Option<String> {
    let first = compared.donors.first()?;
    let share = |part: usize| number::percent(part as f64 / first.windows as f64, 1);
    let sample = first.donor.sample.map_or(String::new(), |i| format!(" (test sample {i})"));
    let mut text = format!(
        "Of {} donors the one that fools it most is a ‘{}’{sample}: {} of the windows",
        compared.donors.len(),
        model.label(first.donor.class),
        share(first.fooled)
    );
    if let Some(as_donor) = first.as_donor {
        text += &format!(", {} as the donor’s class", share(as_donor));
    }
    text.push('.');
    if let Some(own) = compared.classes.iter().find(|c| c.as_donor.is_none()) {
        text += &format!(
            " For comparison, another ‘{}’ in the window: {} are read wrongly.",
            model.label(own.class),
            number::percent(own.fooled, 1)
        );
    }
    Some(text)
}

/// What the matrix says: its means and its largest cell, apart from the diagonal.
pub(crate) fn matrix_sentence(model: &Model, matrix: &TransplantMatrix) -> String {
    let n = matrix.classes;
    let known = |cells: &[Option<f64>]| -> Vec<(usize, f64)> {
        let cells = cells.iter().enumerate().filter(|(i, _)| i / n != i % n);
        cells.filter_map(|(i, &cell)| Some((i, cell?))).collect()
    };
    let mean = |cells: &[(usize, f64)]| {
        let sum: f64 = cells.iter().map(|(_, value)| value).sum();
        number::percent(sum / cells.len() as f64, 1)
    };
    let (fooled, as_donor) = (known(&matrix.fooled), known(&matrix.as_donor));
    let Some(&(at, largest)) = fooled.iter().max_by(|a, b| a.1.total_cmp(&b.1)) else {
        return String::new();
    };
    format!(
        "Over {} pairs of image and donor: of the windows onto another class {} are predicted \
         wrongly, {} as the donor’s class (means over the pairs of classes); the most wrong is a \
         ‘{}’ with a ‘{}’ in it, {}.",
        number::count(matrix.pairs.iter().sum::<usize>() as u64),
        mean(&fooled),
        mean(&as_donor),
        model.label(at / n),
        model.label(at % n),
        number::percent(largest, 1)
    )
}
