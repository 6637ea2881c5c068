//! `cutaway corrupt`.

use cutaway::Model;
use cutaway::data::{Dataset, Images};
use cutaway::probe::{self, Corrupted, Corruption};
use serde_json::{Value, json};

use crate::args::{self, Common};
use crate::chapters::corrupt as words;
use crate::error::{Error, Result};
use crate::figures::corrupt as figures;
use crate::meter::Meter;
use crate::{chapters, console};

/// Test images that a study corrupts: the whole set would take half a minute.
const STUDY_LIMIT: usize = 2000;
/// Columns of the contact sheet: one image a class, at most so many.
const COLUMNS: usize = 10;

/// What was found, with the images to show.
pub(crate) struct Measured {
    pub(crate) corrupted: Corrupted,
    /// The images of the contact sheet, from the test set.
    pub(crate) shown: Vec<usize>,
    /// The same images as they are, then under each corruption.
    pub(crate) pictures: Vec<Images>,
}

pub(crate) fn run(verb: &args::Corrupt, common: &Common) -> Result<()> {
    let which = which(&verb.only)?;
    let model = super::open_model(&verb.model, common)?;
    let dataset = super::open_data_for(&model, &verb.data.data, common)?;
    let limit = match verb.limit {
        Some(limit) => super::check_limit(limit, &dataset)?,
        None => dataset.test.len(),
    };
    let measured = measure(&model, &dataset, &which, limit, common)?;
    super::make_folder(&verb.out)?;
    let mut json = to_json(&model, &dataset, &measured, common.seed);
    let mut pictures = Vec::new();
    for (name, figure) in figures::all(&measured)? {
        let stem = verb.out.join(name);
        figure.save_png(stem.with_extension("png"))?;
        figure.save_svg(stem.with_extension("svg"))?;
        pictures.push(stem.with_extension("png"));
    }
    json["pictures"] = json!(pictures);
    if common.json {
        return console::print_json(&json);
    }
    let mut text = words::table_text(&model, &dataset, &measured.corrupted);
    words::sentences(&model, &measured.corrupted).iter().for_each(|s| text += &format!("{s}\n"));
    pictures.iter().for_each(|p| text += &format!("  picture: {}\n", p.display()));
    console::print(&text)
}

/// The corruptions that were named, each once; all where none was.
fn which(names: &[String]) -> Result<Vec<Corruption>> {
    let mut which = Vec::new();
    for name in names {
        let corruption = name.parse().map_err(|e: probe::Error| Error::Usage(e.to_string()))?;
        if !which.contains(&corruption) {
            which.push(corruption);
        }
    }
    Ok(if which.is_empty() { Corruption::ALL.to_vec() } else { which })
}

fn measure(
    model: &Model,
    dataset: &Dataset,
    which: &[Corruption],
    limit: usize,
    common: &Common,
) -> Result<Measured> {
    let test = &dataset.test;
    let subset = super::first_images(test, limit);
    let meter = Meter::new("corruptions", common);
    let corrupted = meter
        .watch(|progress| probe::corrupt(model.engine(), &subset, which, common.seed, progress))?;
    let first_of = |class: usize| (0..subset.len()).find(|&i| subset.label(i) == class);
    let shown: Vec<usize> = (0..dataset.classes()).filter_map(first_of).take(COLUMNS).collect();
    let mut pictures = vec![subset.select(&shown)];
    for corruption in which {
        let mut row = subset.select(&shown);
        let made = shown.iter().map(|&i| corruption.apply(&subset, i, common.seed));
        row.pixels = made.collect::<std::result::Result<Vec<_>, _>>()?.concat();
        pictures.push(row);
    }
    Ok(Measured { corrupted, shown, pictures })
}

/// The documented object of `corrupt --json`.
fn to_json(model: &Model, dataset: &Dataset, measured: &Measured, seed: u64) -> Value {
    let mut json = serde_json::to_value(&measured.corrupted).expect("results serialise");
    let object = json.as_object_mut().expect("a struct");
    let labels: Vec<String> = (0..model.network().classes()).map(|c| model.label(c)).collect();
    let more = [
        ("model", json!(model.source())),
        ("model_hash", json!(model.network().hash())),
        ("dataset", json!(dataset.name)),
        ("dataset_hash", json!(dataset.hash)),
        ("labels", json!(labels)),
        ("seed", json!(seed)),
        ("shown", json!(measured.shown)),
        ("preprocessing", json!(model.network().metadata().preprocessing)),
    ];
    object.extend(more.map(|(key, value)| (key.to_owned(), value)));
    json
}

/// What a study shows of it.
pub(crate) struct StudyCorruptions(Measured);

/// All corruptions on the first test images.
pub(crate) fn for_study(
    model: &Model,
    dataset: &Dataset,
    common: &Common,
) -> Result<StudyCorruptions> {
    let limit = dataset.test.len().min(STUDY_LIMIT);
    Ok(StudyCorruptions(measure(model, dataset, &Corruption::ALL, limit, common)?))
}

impl StudyCorruptions {
    /// Its chapter; `ask` names model and data on a command line.
    pub(crate) fn chapter(&self, model: &Model, ask: &str) -> Result<cutaway::report::Chapter> {
        let command = format!("cutaway corrupt {ask} --limit {STUDY_LIMIT}");
        chapters::corrupt::chapter(model, &self.0, &command)
    }

    /// The raw numbers.
    pub(crate) fn results(&self, model: &Model, dataset: &Dataset, common: &Common) -> Value {
        to_json(model, dataset, &self.0, common.seed)
    }
}
