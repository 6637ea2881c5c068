//! What `cutaway visualise` writes and prints.

use std::path::PathBuf;

use cutaway::Model;
use cutaway::explain::visualise::{Example, Examples};
use cutaway::report::number;
use serde_json::{Value, json};

use super::{Source, Work};
use crate::args::{self, Common};
use crate::error::Result;
use crate::figures::visualise as pictures;

/// Heads of the table.
pub(crate) const HEAD: [&str; 6] =
    ["target", "reached", "most of the data", "mean", "deviation", "seen as"];

/// Files that were written.
pub(super) struct Written {
    pub(super) files: Vec<PathBuf>,
    /// For each image of each target.
    pictures: Vec<Vec<PathBuf>>,
    /// Likewise, where they were asked for.
    arrays: Vec<Vec<PathBuf>>,
}

pub(super) fn write(
    model: &Model,
    work: &Work,
    source: &Source,
    verb: &args::Visualise,
) -> Result<Written> {
    let stem = format!("visualise-{}", super::super::file_name(&work.what));
    let mut written = Written { files: Vec::new(), pictures: Vec::new(), arrays: Vec::new() };
    let sheet = pictures::sheet(model, work, source)?;
    written.files.push(super::super::save(&sheet, &verb.out, &stem)?);
    let curves = pictures::curves(work)?;
    written.files.push(super::super::save(&curves, &verb.out, &format!("{stem}-steps"))?);
    for (named, made) in work.targets.iter().zip(&work.made) {
        let (mut of_target, mut arrays) = (Vec::new(), Vec::new());
        for (i, image) in made.images.iter().enumerate() {
            let number = if made.images.len() > 1 { format!("-{i}") } else { String::new() };
            let path = |end: &str| verb.out.join(format!("{stem}-{}{number}.{end}", named.file));
            let png = path("png");
            super::super::write(&png, &pictures::grid(image)?.to_png()?)?;
            of_target.push(png);
            if verb.npy {
                let npy = path("npy");
                crate::npy::save(&npy, &image.shape, &image.values)?;
                arrays.push(npy);
            }
        }
        written.pictures.push(of_target);
        written.arrays.push(arrays);
    }
    written.files.extend(written.pictures.iter().flatten().cloned());
    written.files.extend(written.arrays.iter().flatten().cloned());
    Ok(written)
}

/// The whole of `--json`.
pub(super) fn whole(
    model: &Model,
    work: &Work,
    source: &Source,
    common: &Common,
    written: &Written,
) -> Value {
    let mut all = to_json(model, work, source);
    for (t, target) in all["targets"].as_array_mut().expect("a list").iter_mut().enumerate() {
        for (i, image) in target["images"].as_array_mut().expect("a list").iter_mut().enumerate() {
            image["picture"] = json!(written.pictures[t][i]);
            image["values"] = json!(written.arrays[t].get(i));
        }
    }
    let facts = json!({
        "model": model.source(), "model_hash": model.network().hash(), "seed": common.seed,
        "dataset": source.name(), "sample": null, "label": null, "pictures": written.files,
        "preprocessing": model.network().metadata().preprocessing, "seconds": work.seconds
    });
    let map = all.as_object_mut().expect("an object");
    map.extend(facts.as_object().expect("an object").clone());
    all
}

/// The numbers, without files and without the images themselves.
pub(crate) fn to_json(model: &Model, work: &Work, source: &Source) -> Value {
    let example = |e: &Example| json!({ "sample": e.sample, "value": e.value, "source": source.image_name(model, e.sample) });
    let list = |examples: &[Example]| examples.iter().map(example).collect::<Vec<_>>();
    let of_data = |e: &Examples| {
        json!({
            "images": e.images, "mean": e.mean, "deviation": e.deviation,
            "most": list(&e.most), "least": list(&e.least), "quartiles": list(&e.quartiles)
        })
    };
    let targets = work.targets.iter().zip(&work.made).enumerate().map(|(t, (named, made))| {
        let images = made.images.iter().zip(&work.said[t]).map(|(image, said)| {
            json!({
                "shape": image.shape, "activation": image.activation, "curve": image.curve,
                "predicted": said.map(|s| s.0), "probability": said.map(|s| s.1)
            })
        });
        let images: Vec<Value> = images.collect();
        json!({
            "name": named.label, "target": named.target, "images": images,
            "likeness": made.likeness, "examples": work.examples.get(t).map(of_data)
        })
    });
    let targets: Vec<Value> = targets.collect();
    let layer = work.made.first().map(|made| &made.layer);
    json!({ "layer": layer, "settings": work.settings, "targets": targets })
}

/// The table: a line a target.
pub(crate) fn rows(model: &Model, work: &Work) -> Vec<Vec<String>> {
    let dash = || "–".to_owned();
    let short = |value: f64| number::significant(value, 4);
    let row = |t: usize| {
        let examples = work.examples.get(t);
        let strongest = examples.and_then(|e| {
            let end = if work.settings.minimise { e.least.first() } else { e.most.first() };
            end.map(|example| short(example.value))
        });
        let reached: Vec<String> =
            work.made[t].images.iter().map(|image| short(image.activation)).collect();
        let seen: Vec<String> = work.said[t].iter().flatten().map(|&s| said(model, s)).collect();
        vec![
            work.targets[t].label.clone(),
            reached.join(" "),
            strongest.unwrap_or_else(dash),
            examples.map_or_else(dash, |e| short(e.mean)),
            examples.map_or_else(dash, |e| short(e.deviation)),
            if seen.is_empty() { dash() } else { seen.join(" ") },
        ]
    };
    (0..work.targets.len()).map(row).collect()
}

/// `goldfish 99.8 %`
fn said(model: &Model, (class, probability): (usize, f32)) -> String {
    let label = model.label(class);
    let short = label.split(',').next().unwrap_or(&label).to_owned();
    format!("{short} {}", number::percent(f64::from(probability), 1))
}

pub(super) fn describe(model: &Model, work: &Work, source: &Source) -> String {
    let settings = &work.settings;
    let layer = work.made.first().map_or("", |made| &made.layer);
    let mut text = format!(
        "{layer}: images that drive it as far {} as {} steps {} bring them ({})\n",
        if settings.minimise { "down" } else { "up" },
        settings.steps,
        super::in_words(settings.parametrisation),
        crate::console::clock(work.seconds)
    );
    if let Some(name) = source.name() {
        text += &format!("beside {} images of {name}\n", source.count());
    }
    let mut head = HEAD;
    if settings.minimise {
        head[2] = "least of the data";
    }
    text + &super::super::windows::table(&head, &rows(model, work))
}
