//! What a study does with windows that slide over an image.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::probe::{
    Cover, OcclusionSettings, Size, TransplantMatrix, accuracy_by_size, correct_samples,
    occlude_many, transplant_matrix,
};
use cutaway::report::Chapter;
use serde_json::{Value, json};

use super::{transplant, windows};
use crate::args::Common;
use crate::chapters::occlude::{Covering, ManyCoverings};
use crate::chapters::published::Published;
use crate::chapters::transplant::{Slide, Transplanting};
use crate::error::Result;
use crate::{console, samples};

/// Images of each class under all windows; few, so that a study stays short.
const IMAGES: u64 = 10;
/// Images of each class under windows of all sizes.
const IMAGES_BY_SIZE: u64 = 3;
/// Sides of those windows, for images of 28 pixels.
const SIDES: [usize; 5] = [2, 5, 8, 11, 14];
/// Images of each class in the matrix of transplants.
const PAIRS: usize = 2;
/// Stride over many images.
const STRIDE: usize = 2;

/// What windows have shown.
pub(crate) struct WindowFindings {
    covering: Covering,
    many: ManyCoverings,
    transplanting: Option<Transplanting>,
    matrix: TransplantMatrix,
}

/// Runs the experiments on the study's ‘6’ (in other data the class in its place, or the first that
/// is ever recognised); nothing where no image is recognised.
pub(crate) fn run(
    model: &Model,
    dataset: &Dataset,
    common: &Common,
) -> Result<Option<WindowFindings>> {
    let images = &dataset.test;
    let engine = model.engine();
    let classes = model.network().classes();
    let preferred = [windows::default_class(model, 6)].into_iter().chain(0..classes);
    let mut found = None;
    for class in preferred {
        found = correct_samples(engine, images, class, 1)?.first().map(|&i| (class, i));
        if found.is_some() {
            break;
        }
    }
    let Some((class, index)) = found else { return Ok(None) };
    let scaled = |side: usize| Size::square(scaled(side, images.height.min(images.width)));
    let settings = OcclusionSettings {
        window: scaled(8),
        stride: 1,
        cover: Cover::Value(0.0),
        seed: common.seed,
    };
    let sample = samples::from_test(dataset, index)?;
    let quiet = common.quiet || common.json;
    let mut progress = console::counter(quiet, "windows");
    let covering = Covering::new(model, sample.clone(), class, settings, &mut progress)?;
    let coarse = OcclusionSettings { stride: STRIDE, ..settings };
    let mut progress = console::counter(quiet, "images covered");
    let indices = windows::first_of_each(images, Some(IMAGES));
    let many = occlude_many(engine, images, &indices, &coarse, &mut progress)?;
    let mut sizes = SIDES.map(scaled).to_vec();
    sizes.dedup();
    let indices = windows::first_of_each(images, Some(IMAGES_BY_SIZE));
    let sizes = accuracy_by_size(engine, images, &indices, &sizes, &coarse, &mut progress)?;
    let slide = Slide { window: scaled(10), stride: 1 };
    let donor_class = transplant::default_donor(model, class);
    let transplanting = match transplant::donor_of_class(model, dataset, donor_class, &sample) {
        Ok(donor) => {
            let mut progress = console::counter(quiet, "windows");
            let mut one = Transplanting::new(model, sample, class, donor, slide, &mut progress)?;
            one.compare(model, dataset, 1, &mut console::counter(quiet, "donors tried"))?;
            Some(one)
        }
        // No sample of the donor's class is recognised: there is nothing to show.
        Err(_) => None,
    };
    let mut progress = console::counter(quiet, "pairs of image and donor");
    let matrix = transplant_matrix(engine, images, PAIRS, (slide.window, STRIDE), &mut progress)?;
    let many = ManyCoverings { many, sizes };
    Ok(Some(WindowFindings { covering, many, transplanting, matrix }))
}

/// A side that is to a 28-pixel image what it is here to this one, at least 1.
fn scaled(side: usize, of: usize) -> usize {
    ((side * of + 14) / 28).clamp(1, of)
}

impl WindowFindings {
    /// The chapters; `ask` names model and data on a command line.
    pub(crate) fn chapters(&self, model: &Model, ask: &str) -> Result<Vec<Chapter>> {
        let sweep = &self.covering.result.sweep;
        let sample = self.covering.sample.index.unwrap_or(0);
        let command =
            format!("cutaway occlude {ask} --sample {sample} --patch {}", plain(sweep.grid.window));
        let many = format!("{command} --limit {IMAGES} --stride {STRIDE}");
        let sides = self.many.sizes.iter().filter_map(|s| s.window).map(plain);
        let sides = sides.collect::<Vec<_>>().join(",");
        let sizes = format!("{command} --limit {IMAGES_BY_SIZE} --stride {STRIDE} --sizes {sides}");
        let mut chapters =
            vec![self.covering.chapter(model, Some(&self.many), &command, [&many, &sizes])?];
        if let Some(one) = &self.transplanting {
            let command = format!(
                "cutaway transplant {ask} --sample {sample} --donor {} --window {} --donors 1",
                one.result.donor.class,
                plain(one.result.sweep.grid.window)
            );
            let limit = format!("{command} --limit {PAIRS} --stride {STRIDE}");
            chapters.push(one.chapter(model, Some(&self.matrix), &command, &limit)?);
        }
        Ok(chapters)
    }

    /// The raw numbers.
    pub(crate) fn results(&self) -> Value {
        json!({
            "occlude": self.covering.result,
            "occlude_many": self.many.many,
            "occlude_sizes": self.many.sizes,
            "transplant": self.transplanting.as_ref().map(|t| &t.result),
            "donors": self.transplanting.as_ref().map(|t| &t.compared),
            "transplant_matrix": self.matrix,
        })
    }

    /// The study's figures beside ours.
    pub(crate) fn published(&self, model: &Model) -> Vec<Published> {
        let mut rows = self.covering.published(model);
        rows.extend(self.transplanting.iter().flat_map(|t| t.published(model)));
        rows
    }
}

/// A window as the command line takes it.
fn plain(window: Size) -> String {
    match window.height == window.width {
        true => window.height.to_string(),
        false => format!("{}x{}", window.height, window.width),
    }
}
