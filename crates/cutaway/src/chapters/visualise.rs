//! In a study: what the network takes for the best of each class, beside the data set's.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::report::Chapter;
use serde_json::Value;

use crate::args::Common;
use crate::commands::visualise::{self, HEAD, Source, Work};
use crate::error::Result;
use crate::figures::visualise as figures;

/// What a study has found out.
pub(crate) struct StudyVisualisations {
    work: Work,
    source: Source,
}

impl StudyVisualisations {
    /// Makes an image of each class; `None` where the network takes no pictures or has too many classes.
    pub(crate) fn measure(
        model: &Model,
        dataset: &Dataset,
        common: &Common,
    ) -> Result<Option<StudyVisualisations>> {
        let classes = model.network().classes() == dataset.classes();
        if !classes || !visualise::suits(model) {
            return Ok(None);
        }
        let source = Source::Dataset(Box::new(dataset.clone()));
        let work = Work::of_classes(model, &source, common)?;
        Ok(Some(StudyVisualisations { work, source }))
    }

    /// The numbers, for `results.json`.
    pub(crate) fn results(&self, model: &Model) -> Value {
        visualise::to_json(model, &self.work, &self.source)
    }

    /// The chapter.
    pub(crate) fn chapter(&self, model: &Model, ask: &str) -> Result<Chapter> {
        let command = format!("cutaway visualise {ask}");
        Ok(Chapter::new("What it is looking for")
            .text(
                "An image can be changed, step by step, until the network says a class as loudly as \
                 it can. What comes out shows what the network looks for, without the accidents of \
                 any one image; the numbers are the class’s logit.",
            )
            .figure(
                &figures::sheet(model, &self.work, &self.source)?,
                "Left what was made for each class, then the test images with the largest logit, the \
                 middle one and the one with the smallest.",
                &command,
            )
            .text(&sentence(&self.work))
            .table(&HEAD, &visualise::rows(model, &self.work)))
    }
}

/// Whether what was made goes beyond the data.
fn sentence(work: &Work) -> String {
    let beyond = work.made.iter().zip(&work.examples).filter(|(made, examples)| {
        let best = examples.most.first().map_or(f64::INFINITY, |e| e.value);
        made.images[0].activation > best
    });
    let seen = work.targets.iter().zip(&work.said).filter(|(named, said)| {
        let class = match named.target {
            cutaway::explain::visualise::Target::Channel(class) => Some(class),
            _ => None,
        };
        said.first().copied().flatten().map(|s| s.0) == class
    });
    let (beyond, seen, all) = (beyond.count(), seen.count(), work.made.len());
    format!(
        "{beyond} of {all} images go beyond the strongest of the {} test images; {seen} of {all} the \
         network says to be of their class. An image that the network likes better than any real one \
         need not look like one.",
        work.examples.first().map_or(0, |e| e.images)
    )
}
