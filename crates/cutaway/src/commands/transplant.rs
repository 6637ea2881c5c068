//! `cutaway transplant`.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::probe::{correct_samples, transplant_matrix};
use serde_json::json;

use super::windows;
use crate::args::{Common, Transplant};
use crate::chapters::transplant::{Slide, Transplanting, matrix_sentence};
use crate::error::{Error, Result};
use crate::samples::{self, Sample};
use crate::{console, figures};

pub(crate) fn run(verb: &Transplant, common: &Common) -> Result<()> {
    let model = super::open_model_for_sweeps(&verb.model, &verb.samples, verb.strategy, common)?;
    let default = [windows::default_class(&model, 6)];
    let mut chosen = samples::choose(&model, &verb.samples, common, &default, true)?;
    let sample = windows::one(&mut chosen, "transplant")?;
    let truth = windows::truth(&model, &sample)?;
    let dataset = chosen.dataset.as_ref().expect("asked for");
    let donor = match verb.donor_sample {
        Some(index) => sample_as_donor(dataset, index, &sample)?,
        None => {
            let class = verb.donor.unwrap_or_else(|| default_donor(&model, truth));
            donor_of_class(&model, dataset, class, &sample)?
        }
    };
    let (window, stride) = windows::slide(&model, verb.window, verb.stride, 10);
    let slide = Slide { window, stride };
    let quiet = common.quiet || common.json;
    let mut progress = console::counter(quiet, "windows");
    let mut result = Transplanting::new(&model, sample, truth, donor, slide, &mut progress)?;
    if verb.donors > 0 {
        let mut progress = console::counter(quiet, "donors tried");
        result.compare(&model, dataset, verb.donors, &mut progress)?;
    }
    let matrix = match verb.limit {
        None => None,
        Some(limit) => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let slide = (window, stride);
            let mut progress = console::counter(quiet, "pairs of image and donor");
            Some(transplant_matrix(model.engine(), &dataset.test, limit, slide, &mut progress)?)
        }
    };
    let mut all_figures = result.figures(&model)?;
    if let Some(matrix) = &matrix {
        all_figures.push(("transplant-matrix", figures::transplant::matrix(&model, matrix)?));
    }
    let pictures = windows::save(&verb.out, &all_figures)?;
    if common.json {
        let mut all =
            windows::with_head(&result.result, &model, Some(dataset), &result.sample, common);
        all["compared"] = json!(result.compared);
        all["matrix"] = json!(matrix);
        all["pictures"] = json!(pictures);
        return console::print_json(&all);
    }
    let mut sentences = result.sentences(&model);
    sentences.extend(matrix.iter().map(|matrix| matrix_sentence(&model, matrix)));
    let mut text = windows::title(&model, &result.sample, truth);
    if !result.result.examples.is_empty() {
        let rows = result.failure_rows(&model);
        text += &format!("failures\n{}", windows::table(&Transplanting::FAILURE_HEAD, &rows));
    }
    console::print(&(text + &windows::text(&sentences, &pictures)))
}

/// Class 5 as in the study, where the image is of another class and the model has it.
pub(crate) fn default_donor(model: &Model, truth: usize) -> usize {
    match windows::default_class(model, 5) {
        class if class != truth => class,
        class => class.saturating_sub(1),
    }
}

fn sample_as_donor(dataset: &Dataset, index: usize, base: &Sample) -> Result<Sample> {
    if index >= dataset.test.len() {
        return Err(Error::Usage(format!(
            "--donor-sample {index} is out of range: {} has test samples 0 to {}",
            dataset.name,
            dataset.test.len() - 1
        )));
    }
    if base.index == Some(index) {
        return Err(Error::Usage(format!(
            "--donor-sample {index} is the image itself: its windows would change nothing; choose \
             another"
        )));
    }
    samples::from_test(dataset, index)
}

/// The first correctly classified sample of a class that is not the image itself.
pub(crate) fn donor_of_class(
    model: &Model,
    dataset: &Dataset,
    class: usize,
    base: &Sample,
) -> Result<Sample> {
    let classes = model.network().classes();
    if class >= classes {
        return Err(Error::Usage(format!(
            "--donor {class} is out of range: the model has classes 0 to {}",
            classes - 1
        )));
    }
    let found = correct_samples(model.engine(), &dataset.test, class, 2)?;
    match found.into_iter().find(|&i| base.index != Some(i)) {
        Some(index) => samples::from_test(dataset, index),
        None => Err(Error::Usage(format!(
            "--donor {class}: the test set has no {}sample of this class that the model gets right",
            if base.label == Some(class) { "other " } else { "" }
        ))),
    }
}
