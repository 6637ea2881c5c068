//! `cutaway visualise`.

mod choice;
mod output;
mod source;

use cutaway::Model;
use cutaway::data::Picture;
use cutaway::explain::visualise::{
    self, Examples, Parametrisation, Settings, Survey, Transforms, Visualised,
};
use cutaway::net::NodeId;

pub(crate) use choice::Named;
pub(crate) use output::{HEAD, rows, to_json};
pub(crate) use source::Source;

use crate::args::{self, Common};
use crate::console;
use crate::error::{Error, Result};
use crate::figures::visualise as pictures;
use crate::meter::Meter;

/// What was asked, and what came of it.
pub(crate) struct Work {
    /// `classes`, or the layer's name.
    pub(crate) what: String,
    pub(crate) targets: Vec<Named>,
    pub(crate) settings: Settings,
    pub(crate) made: Vec<Visualised>,
    /// One a target, where there is data.
    pub(crate) examples: Vec<Examples>,
    /// For each image of each target, the class that the network sees in it and how surely.
    pub(crate) said: Vec<Vec<Option<(usize, f32)>>>,
    pub(crate) seconds: f64,
}

pub(crate) fn run(verb: &args::Visualise, common: &Common) -> Result<()> {
    let model = super::open_model(&verb.model, common)?;
    check_channels(&model)?;
    let wanted = choice::Wanted::new(&model, verb)?;
    let source = Source::open(&model, verb, common)?;
    let settings = settings(&model, verb, &source, common)?;
    let work = Work::new(&model, &wanted, settings, &source, verb.examples, common)?;
    super::make_folder(&verb.out)?;
    let written = output::write(&model, &work, &source, verb)?;
    if common.json {
        return console::print_json(&output::whole(&model, &work, &source, common, &written));
    }
    let mut text = output::describe(&model, &work, &source);
    for file in &written.files {
        text += &format!("file: {}\n", file.display());
    }
    console::print(&text)
}

/// Pictures are grey or in colour.
fn check_channels(model: &Model) -> Result<()> {
    let network = model.network();
    match *network.shape(network.input()) {
        [1 | 3, _, _] => Ok(()),
        ref other => Err(Error::Usage(format!(
            "network '{}' takes {other:?}; pictures are made for networks that take [1 or 3 \
             channels, height, width]",
            network.name()
        ))),
    }
}

/// Longer side of the images for networks whose input is larger than [`LARGE`]: what is finer than that is
/// where noise comes up that people see nothing in.
const COARSE: usize = 96;
const LARGE: usize = 128;

fn settings(
    model: &Model,
    verb: &args::Visualise,
    source: &Source,
    common: &Common,
) -> Result<Settings> {
    let p = &model.network().metadata().preprocessing;
    let coarse = (p.height.max(p.width) > LARGE).then_some(COARSE);
    let mut settings = Settings {
        parametrisation: verb.parametrise,
        steps: verb.steps,
        transforms: (verb.transforms == "on").then(Transforms::default),
        images: verb.diversity,
        minimise: verb.minimise,
        size: verb.size.or(coarse),
        seed: common.seed,
        ..Settings::default()
    };
    source.suit(model, &mut settings)?;
    Ok(settings)
}

impl Work {
    /// Makes the images, and looks for the data set's.
    pub(crate) fn new(
        model: &Model,
        wanted: &choice::Wanted,
        settings: Settings,
        source: &Source,
        examples: usize,
        common: &Common,
    ) -> Result<Work> {
        let begun = std::time::Instant::now();
        let targets = wanted.targets(model, source, &settings)?;
        let plain: Vec<_> = targets.iter().map(|named| named.target.clone()).collect();
        let examples = match source {
            Source::None => Vec::new(),
            _ => survey(model, wanted.layer, &plain, source, examples, common)?,
        };
        let meter = Meter::new("steps", common);
        let made = meter.watch(|progress| {
            visualise::visualise(model.engine(), wanted.layer, &plain, &settings, progress)
        })?;
        drop(meter);
        let said = made.iter().map(|made| said(model, made)).collect::<Result<_>>()?;
        let (what, seconds) = (wanted.what.clone(), begun.elapsed().as_secs_f64());
        Ok(Work { what, targets, settings, made, examples, said, seconds })
    }

    /// All classes of a model on a data set, for a study.
    pub(crate) fn of_classes(model: &Model, source: &Source, common: &Common) -> Result<Work> {
        let wanted = choice::Wanted::all_classes(model);
        let mut settings = Settings { seed: common.seed, ..Settings::default() };
        source.suit(model, &mut settings)?;
        let quiet = Common { quiet: true, ..common.clone() };
        Work::new(model, &wanted, settings, source, 4, &quiet)
    }
}

/// Whether all classes of a model can be visualised and shown.
pub(crate) fn suits(model: &Model) -> bool {
    let network = model.network();
    let scores = network.shape(network.logits())[1..].iter().all(|&size| size == 1);
    check_channels(model).is_ok() && scores && network.classes() <= choice::ALL
}

fn survey(
    model: &Model,
    layer: NodeId,
    targets: &[visualise::Target],
    source: &Source,
    count: usize,
    common: &Common,
) -> Result<Vec<Examples>> {
    let mut survey = Survey::new(model.network(), layer, targets)?;
    let mut progress = console::counter(common.quiet || common.json, "images");
    let mut done = 0;
    for batch in source.batches(model, source.count()) {
        let batch = batch?;
        survey.add(model.engine(), batch.view())?;
        done += batch.shape()[0];
        progress(done, source.count());
    }
    Ok(survey.finish(count))
}

/// What the network says of the pictures as they are written, in 8 bits, stretched to the size that it
/// takes; nothing where it is no classifier.
fn said(model: &Model, made: &Visualised) -> Result<Vec<Option<(usize, f32)>>> {
    let p = &model.network().metadata().preprocessing;
    let judge = |image: &visualise::Visualisation| -> Result<Option<(usize, f32)>> {
        let [channels, height, width] = image.shape;
        let picture = Picture::new(height, width, channels, pictures::bytes(image))?;
        let images = match [height, width] == [p.height, p.width] {
            true => picture.to_images(),
            false => picture.resized(p.height, p.width).to_images(),
        };
        match model.predict(&images, &[0]) {
            Ok(answer) => Ok(Some(crate::samples::best(&answer.row(0).to_vec()))),
            Err(cutaway::Error::NoClassifier { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    made.images.iter().map(judge).collect()
}

/// How a parametrisation is called in a title.
pub(crate) fn in_words(parametrisation: Parametrisation) -> &'static str {
    match parametrisation {
        Parametrisation::Fourier => "on the spectrum",
        Parametrisation::Pixel => "on the pixels",
        Parametrisation::Maco => "on the phases",
    }
}
