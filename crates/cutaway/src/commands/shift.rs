//! `cutaway shift`.

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::probe::{self, Curve, Fill, FillMode, MAX_RANGE, Parameter, Shifts, Transform};
use serde_json::{Value, json};

use crate::args::{self, Common};
use crate::chapters::published::Published;
use crate::chapters::shift as words;
use crate::error::{Error, Result};
use crate::figures::shift as figures;
use crate::meter::Meter;
use crate::samples::{self, Sample};
use crate::{chapters, console};

/// Test images that the curves of a study are measured on: the whole set would take two minutes.
const STUDY_LIMIT: usize = 1000;

/// What was asked for.
pub(crate) struct Settings {
    /// Transforms that the image itself goes through.
    transforms: Vec<Transform>,
    fill: Fill,
    /// Half-width of the grid.
    range: usize,
    /// The curves, with values beside the usual ones.
    curves: Vec<(Parameter, Vec<f64>)>,
}

/// What was found.
pub(crate) struct Measured {
    pub(crate) sample: Sample,
    /// Name of the data set, where one was needed.
    pub(crate) dataset: Option<String>,
    pub(crate) shifts: Shifts,
    pub(crate) curves: Vec<Curve>,
}

pub(crate) fn run(verb: &args::Shift, common: &Common) -> Result<()> {
    let settings = Settings::new(verb)?;
    let model = super::open_model_on(&verb.model, &verb.samples, common)?;
    let mut chosen = samples::choose(&model, &verb.samples, common, &[1], !verb.no_curve)?;
    let sample = match (chosen.samples.pop(), chosen.samples.len()) {
        (Some(sample), 0) => sample,
        (_, more) => {
            return Err(Error::Usage(format!(
                "shift works on one image, and {} were named; give one of --sample, --digit or \
                 --image",
                more + 1
            )));
        }
    };
    if let Some(dataset) = &chosen.dataset {
        // Only an image file can be of another size than the data set's.
        if let Err(e) = model.input(&dataset.test, &[0]) {
            return Err(Error::Usage(format!(
                "{e}. The curves are measured on the data set: name another with --data, or leave \
                 them out with --no-curve"
            )));
        }
    }
    let limit = match (&chosen.dataset, verb.limit) {
        (Some(dataset), Some(limit)) => super::check_limit(limit, dataset)?,
        (Some(dataset), None) => dataset.test.len(),
        (None, _) => 0,
    };
    let measured = measure(&model, chosen.dataset.as_ref(), sample, &settings, limit, common)?;
    super::make_folder(&verb.out)?;
    let mut json = to_json(&model, chosen.dataset.as_ref(), &measured, common.seed);
    let mut pictures = Vec::new();
    for (name, figure) in figures::all(&model, &measured)? {
        let stem = verb.out.join(name);
        figure.save_png(stem.with_extension("png"))?;
        figure.save_svg(stem.with_extension("svg"))?;
        pictures.push(stem.with_extension("png"));
    }
    json["pictures"] = json!(pictures);
    if common.json {
        return console::print_json(&json);
    }
    let mut text = words::table_text(&model, &measured);
    words::sentences(&model, &measured).iter().for_each(|s| text += &format!("{s}\n"));
    pictures.iter().for_each(|p| text += &format!("  picture: {}\n", p.display()));
    console::print(&text)
}

impl Settings {
    /// Reads the flags; whatever is out of range is wrong usage.
    fn new(verb: &args::Shift) -> Result<Settings> {
        let lists = [&verb.dx, &verb.dy, &verb.rotate, &verb.scale, &verb.shear];
        let default = lists.iter().all(|list| list.is_empty());
        let dx = if default { vec![-3.0, 3.0] } else { verb.dx.clone() };
        let shifted = !dx.is_empty() || !verb.dy.is_empty();
        let or_zero = |list: &[f64]| if list.is_empty() { vec![0.0] } else { list.to_vec() };
        let mut transforms = Vec::new();
        if shifted {
            for &y in &or_zero(&verb.dy) {
                transforms.extend(or_zero(&dx).iter().map(|&x| Transform::shift(x, y)));
            }
        }
        transforms.extend(verb.rotate.iter().map(|&v| Transform::rotation(v)));
        transforms.extend(verb.scale.iter().map(|&v| Transform::scaling(v)));
        transforms.extend(verb.shear.iter().map(|&v| Transform::shearing(v)));
        let usage = |e: probe::Error| Error::Usage(e.to_string());
        transforms.iter().try_for_each(Transform::check).map_err(usage)?;
        // The identity has a row in any case.
        transforms.retain(|t| !t.is_identity());
        if !(1..=MAX_RANGE).contains(&verb.range) {
            let range = verb.range;
            return Err(Error::Usage(format!(
                "--range {range} is out of range: give 1 to {MAX_RANGE} pixels"
            )));
        }
        let wanted = |parameter: Parameter| match parameter {
            Parameter::Dx | Parameter::Dy => shifted,
            Parameter::Rotate => !verb.rotate.is_empty(),
            Parameter::Scale => !verb.scale.is_empty(),
            Parameter::Shear => !verb.shear.is_empty(),
        };
        let mut curves = Vec::new();
        for (parameter, list) in
            Parameter::ALL.into_iter().zip([&dx, lists[1], lists[2], lists[3], lists[4]])
        {
            if wanted(parameter) && !verb.no_curve {
                curves.push((parameter, list.clone()));
            }
        }
        Ok(Settings { transforms, fill: fill(verb)?, range: verb.range, curves })
    }
}

fn fill(verb: &args::Shift) -> Result<Fill> {
    let mode: FillMode =
        verb.fill_mode.parse().map_err(|e: probe::Error| Error::Usage(e.to_string()))?;
    match verb.cval {
        Some(_) if mode != FillMode::Constant => Err(Error::Usage(format!(
            "--cval is what --fill-mode constant fills in; it means nothing with {mode}"
        ))),
        Some(cval) if !(0.0..=255.0).contains(&cval) => Err(Error::Usage(format!(
            "--cval {cval} is out of range: give a pixel value, 0 to 255"
        ))),
        cval => Ok(Fill { mode, cval: cval.unwrap_or(0.0) }),
    }
}

fn measure(
    model: &Model,
    dataset: Option<&Dataset>,
    sample: Sample,
    settings: &Settings,
    limit: usize,
    common: &Common,
) -> Result<Measured> {
    let Settings { transforms, fill, range, .. } = settings;
    let engine = model.engine();
    let images = &sample.pixels;
    let shifts = probe::shifts(engine, images, 0, sample.label, transforms, *fill, *range)?;
    let mut curves = Vec::new();
    if let (Some(dataset), false) = (dataset, settings.curves.is_empty()) {
        let subset = super::first_images(&dataset.test, limit);
        for (parameter, extra) in &settings.curves {
            let values = [parameter.usual_values(), extra.clone()].concat();
            let meter = Meter::new(words::name(*parameter)[0], common);
            let curve = meter.watch(|progress| {
                probe::curve(engine, &subset, *parameter, &values, *fill, progress)
            });
            curves.push(curve?);
        }
    }
    let dataset = dataset.map(|dataset| dataset.name.clone());
    Ok(Measured { sample, dataset, shifts, curves })
}

/// The documented object of `shift --json`.
fn to_json(model: &Model, dataset: Option<&Dataset>, measured: &Measured, seed: u64) -> Value {
    let mut json = serde_json::to_value(&measured.shifts).expect("results serialise");
    let object = json.as_object_mut().expect("a struct");
    let labels: Vec<String> = (0..model.network().classes()).map(|c| model.label(c)).collect();
    let more = [
        ("model", json!(model.source())),
        ("model_hash", json!(model.network().hash())),
        ("preprocessing", json!(model.network().metadata().preprocessing)),
        ("answer", json!(super::answering_node(model))),
        ("dataset", json!(measured.dataset)),
        ("dataset_hash", json!(dataset.map(|d| &d.hash))),
        ("labels", json!(labels)),
        ("seed", json!(seed)),
        ("source", json!(measured.sample.source)),
        ("sample", json!(measured.sample.index)),
        ("label", json!(measured.sample.label)),
        ("curve", json!(measured.curves)),
    ];
    object.extend(more.map(|(key, value)| (key.to_owned(), value)));
    json
}

/// What a study shows of it.
pub(crate) struct StudyShifts {
    measured: Measured,
    index: usize,
}

/// Moves the first image of class 1 that the model classifies correctly (else of class 0, 2, …), as
/// the reference study does; nothing where it gets none right.
pub(crate) fn for_study(
    model: &Model,
    dataset: &Dataset,
    common: &Common,
) -> Result<Option<StudyShifts>> {
    let classes = dataset.classes();
    let order = [1, 0].into_iter().chain(2..classes.min(10)).filter(|&class| class < classes);
    let mut found = order.map(|class| samples::first_correct(model, dataset, class));
    let Some(Ok(index)) = found.find(Result::is_ok) else {
        return Ok(None);
    };
    let settings = Settings {
        transforms: vec![Transform::shift(-3.0, 0.0), Transform::shift(3.0, 0.0)],
        fill: Fill::default(),
        range: 10,
        curves: Parameter::ALL.map(|p| (p, Vec::new())).to_vec(),
    };
    let sample = samples::from_test(dataset, index)?;
    let limit = dataset.test.len().min(STUDY_LIMIT);
    let measured = measure(model, Some(dataset), sample, &settings, limit, common)?;
    Ok(Some(StudyShifts { measured, index }))
}

impl StudyShifts {
    /// Its chapter; `ask` names model and data on a command line.
    pub(crate) fn chapter(&self, model: &Model, ask: &str) -> Result<cutaway::report::Chapter> {
        let command = format!("cutaway shift {ask} --sample {}", self.index);
        chapters::shift::chapter(model, &self.measured, &command)
    }

    /// The raw numbers.
    pub(crate) fn results(&self, model: &Model, dataset: &Dataset, common: &Common) -> Value {
        to_json(model, Some(dataset), &self.measured, common.seed)
    }

    /// The reference study's figures beside ours.
    pub(crate) fn published(&self) -> Vec<Published> {
        let cases = words::published_cases(&self.measured).into_iter();
        cases.map(|[what, theirs, ours, note]| Published::new(what, theirs, ours, note)).collect()
    }
}
