//! `cutaway attribute --bench`: methods ranked on many images.

use std::path::{Path, PathBuf};

use cutaway::Model;
use cutaway::data::Dataset;
use cutaway::explain::attribution::{Method, Question};
use cutaway::explain::scores::{self, Bench, BenchRow, ScoreSettings};
use ndarray::Array4;
use serde_json::json;

use super::super::classes;
use super::choice::{self, background};
use crate::args::{self, Common};
use crate::console;
use crate::error::{Error, Result};
use crate::figures::attribute as pictures;
use crate::meter::Meter;

/// What the images of a bench may take: 1 GiB.
const BYTES: usize = 1 << 30;

/// Classes with their pictures.
type ByClass = Vec<(usize, Vec<PathBuf>)>;

/// What methods are ranked on.
struct Images {
    /// The data set, or the folder.
    name: String,
    batch: Array4<f32>,
    classes: Vec<usize>,
    /// What people call each.
    sources: Vec<String>,
    /// What expected gradients compare with.
    background: Option<Array4<f32>>,
}

/// Ranks methods on the first test images, or on pictures of a folder, each of its true class.
pub(super) fn bench(
    model: &Model,
    verb: &args::Attribute,
    common: &Common,
    mut methods: Vec<Method>,
    count: usize,
) -> Result<()> {
    let images_named = !verb.samples.image.is_empty()
        || !verb.samples.sample.is_empty()
        || !verb.samples.digit.is_empty();
    if images_named || verb.target.is_some() {
        return Err(Error::Usage(
            "--bench takes the first test images, each of its own class; leave --sample, --digit, \
             --image and --target out"
                .to_owned(),
        ));
    }
    let images = Images::open(model, verb, common, count)?;
    let all = verb.method.is_empty() || verb.method.iter().any(|name| name == "all");
    if images.background.is_none() && all {
        methods = choice::without_background(methods);
    }
    let bench = images.rank(model, &methods, verb, common)?;
    super::super::make_folder(&verb.out)?;
    let files = vec![
        super::super::save(&pictures::ranking(&bench)?, &verb.out, "attribute-ranking")?,
        super::super::save(&pictures::agreement(&bench)?, &verb.out, "attribute-agreement")?,
    ];
    let file = verb.out.join("attribute-bench.json");
    let mut whole = json!({
        "model": model.source(), "model_hash": model.network().hash(), "seed": common.seed,
        "dataset": images.name, "sample": null, "label": null, "pictures": files,
        "sources": images.sources, "classes": images.classes, "file": file
    });
    let rows = serde_json::to_value(&bench).expect("results serialise");
    let rows = rows.as_object().expect("a struct").clone();
    whole.as_object_mut().expect("an object").extend(rows);
    super::super::write_json(&file, &whole)?;
    if common.json {
        return console::print_json(&whole);
    }
    let mut text = format!("{} on {}\n", images.name, counted(&images));
    text += &super::super::windows::table(&BENCH_HEAD, &bench_rows(&bench));
    for file in files.iter().chain([&file]) {
        text += &format!("file: {}\n", file.display());
    }
    console::print(&text)
}

fn counted(images: &Images) -> String {
    match images.sources.len() {
        1 => "one image".to_owned(),
        count => format!("{count} images"),
    }
}

impl Images {
    fn open(
        model: &Model,
        verb: &args::Attribute,
        common: &Common,
        count: usize,
    ) -> Result<Images> {
        let numbers: usize = model.network().shape(model.network().input()).iter().product();
        let most = (BYTES / (4 * numbers.max(1))).max(1);
        if count > most {
            return Err(Error::Usage(format!(
                "--bench {count} is out of range: images of this model's size are ranked on {most} at most"
            )));
        }
        let given = verb.background.as_deref();
        let given = given.map(|folder| choice::background_in(model, folder, verb)).transpose()?;
        if let Some(by_class) = by_name(model, &verb.samples.data.data)? {
            return Images::of_folder(model, verb, count, by_class, given);
        }
        let dataset = super::super::open_data_for(model, &verb.samples.data.data, common)?;
        check_count(count, dataset.test.len(), &dataset.name, "test images")?;
        let (batch, classes) = first_images(model, &dataset, count)?;
        let sources = (0..count).map(|i| format!("{} test sample {i}", dataset.name)).collect();
        let background = match given {
            Some(given) => Some(given),
            None => Some(background(model, &dataset)?),
        };
        Ok(Images { name: dataset.name, batch, classes, sources, background })
    }

    /// Pictures of a folder, taken from its classes in turn.
    fn of_folder(
        model: &Model,
        verb: &args::Attribute,
        count: usize,
        by_class: ByClass,
        background: Option<Array4<f32>>,
    ) -> Result<Images> {
        let name = verb.samples.data.data.clone();
        let longest = by_class.iter().map(|(_, paths)| paths.len()).max().unwrap_or_default();
        let turn = |i: usize| {
            by_class.iter().filter_map(move |(class, paths)| Some((*class, paths.get(i)?)))
        };
        let all: Vec<(usize, &PathBuf)> = (0..longest).flat_map(turn).collect();
        check_count(count, all.len(), &name, "pictures")?;
        let paths: Vec<&PathBuf> = all[..count].iter().map(|(_, path)| *path).collect();
        let batch = choice::stacked(model, &paths, verb)?;
        let classes = all[..count].iter().map(|(class, _)| *class).collect();
        let sources = paths.iter().map(|path| path.display().to_string()).collect();
        Ok(Images { name, batch, classes, sources, background })
    }

    fn rank(
        &self,
        model: &Model,
        methods: &[Method],
        verb: &args::Attribute,
        common: &Common,
    ) -> Result<Bench> {
        let settings =
            ScoreSettings { sensitivity_samples: verb.sensitivity, ..ScoreSettings::default() };
        Meter::new("images", common).watch(|progress| {
            let question = Question {
                output: verb.output,
                seed: common.seed,
                background: self.background.as_ref().map(|images| images.view()),
                progress,
                ..Question::new(model.engine())
            };
            Ok(scores::bench(&question, self.batch.view(), &self.classes, methods, &settings)?)
        })
    }
}

fn check_count(count: usize, most: usize, name: &str, what: &str) -> Result<()> {
    match (1..=most).contains(&count) {
        true => Ok(()),
        false => Err(Error::Usage(format!(
            "--bench {count} is out of range: {name} has {most} {what}, give 1 to {most}"
        ))),
    }
}

/// The pictures of each class of a folder whose sub-folders are named like classes of the model;
/// `None` for other data sets, whose classes are the model's by their order.
fn by_name(model: &Model, data: &str) -> Result<Option<ByClass>> {
    let folder = Path::new(data);
    if !folder.is_dir() || folder.join("train").is_dir() {
        return Ok(None);
    }
    let Ok(by_class) = cutaway::data::pictures_by_class(folder) else { return Ok(None) };
    let named = |(name, paths): (String, Vec<PathBuf>)| {
        Ok((classes::named(model, &format!("--data {data}: sub-folder"), &name)?, paths))
    };
    let as_many = by_class.len() == model.network().classes();
    match by_class.into_iter().map(named).collect::<Result<_>>() {
        Err(_) if as_many => Ok(None),
        found => Ok(Some(found?)),
    }
}

/// The first test images and their classes.
fn first_images(
    model: &Model,
    dataset: &Dataset,
    count: usize,
) -> Result<(Array4<f32>, Vec<usize>)> {
    let indices: Vec<usize> = (0..count).collect();
    let batch = model.input(&dataset.test, &indices)?;
    let batch: Array4<f32> = batch.into_dimensionality().map_err(|_| {
        Error::Usage(format!("network '{}' does not take images", model.network().name()))
    })?;
    Ok((batch, indices.iter().map(|&i| dataset.test.label(i)).collect()))
}

/// [`scores::bench`] on the first test images.
pub(crate) fn rank_on_first(
    model: &Model,
    dataset: &Dataset,
    methods: &[Method],
    count: usize,
    question: &Question<'_>,
    settings: &ScoreSettings,
) -> Result<Bench> {
    let (batch, classes) = first_images(model, dataset, count)?;
    Ok(scores::bench(question, batch.view(), &classes, methods, settings)?)
}

/// Heads of the table of a bench.
pub(crate) const BENCH_HEAD: [&str; 9] = [
    "method",
    "mean rank",
    "deletion",
    "insertion",
    "infidelity",
    "ROAD",
    "sparseness",
    "complexity",
    "seconds",
];

/// A bench as a table.
pub(crate) fn bench_rows(bench: &Bench) -> Vec<Vec<String>> {
    let row = |row: &BenchRow| {
        let mut cells = vec![row.method.clone(), format!("{:.1}", row.mean_rank)];
        cells.extend(row.criteria.iter().map(|c| format!("{:.3}", c.mean)));
        cells.push(format!("{:.3}", row.seconds));
        cells
    };
    bench.methods.iter().map(row).collect()
}
